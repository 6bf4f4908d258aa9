//! What several test files share: numbers, digests, golden files and settings.

#![allow(dead_code)]

pub mod networks;
pub mod vectors;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use repro::paths::{Path, Settings};

/// Numbers that look like data, from a counter.
pub fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let law = repro::kernels::random::Distribution::Normal {
        mean: 0.0,
        deviation: 1.0,
    };
    let draw = repro::kernels::random::Draw::new(seed, 99, 0, 0);
    draw.fill(Settings::current().path, law, len)
}

pub fn digest_of_model<B: Backend>(model: &impl Module<B>) -> u64 {
    struct Collect(Digest);
    impl<B: Backend> ModuleVisitor<B> for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let data = param.val().into_data();
            self.0.add(data.as_slice::<f32>().expect("weights are f32"));
        }
    }
    let mut collect = Collect(Digest::default());
    model.visit(&mut collect);
    collect.0.value()
}

/// FNV-1a over the bits, each NaN counted as one and the same.
#[derive(Clone, Copy)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub fn add(&mut self, numbers: &[f32]) {
        for number in numbers {
            let bits = if number.is_nan() {
                0x7fc0_0000
            } else {
                number.to_bits()
            };
            for byte in bits.to_le_bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }

    /// Adds another digest.
    pub fn add_word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub fn value(self) -> u64 {
        self.0
    }
}

pub fn digest(numbers: &[f32]) -> u64 {
    let mut digest = Digest::default();
    digest.add(numbers);
    digest.value()
}

/// The bits, for comparing to the bit with a readable failure; every NaN is one value.
pub fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers
        .iter()
        .map(|x| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() })
        .collect()
}

/// Every combination of path and thread count that this machine can run, with splitting forced.
pub fn every_setting() -> Vec<Settings> {
    every_setting_of(&[1, 2, 3])
}

/// The same for these thread counts.
pub fn every_setting_of(threads: &[usize]) -> Vec<Settings> {
    for path in Path::ALL.into_iter().filter(|path| !path.is_available()) {
        println!(
            "skipped: the {} path (this processor has it not)",
            path.name()
        );
    }
    Path::available()
        .into_iter()
        .flat_map(|path| {
            threads.iter().map(move |&threads| {
                Settings::current()
                    .with_path(path)
                    .with_threads(threads)
                    .with_split_min(0)
            })
        })
        .collect()
}

/// The text of a golden file, in which lines that begin with `#` are for the reader.
pub fn stored(name: &str) -> String {
    std::fs::read_to_string(golden_file(name)).expect("the golden file exists")
}

/// Where a golden file is.
pub fn golden_file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name)
}

/// Compares `lines` with a stored file. The digest example's `--write` writes such files anew, which is a change of the
/// definition and to be reviewed as one.
pub fn assert_golden(name: &str, lines: &[String]) {
    let text = stored(name);
    let stored: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for (ours, theirs) in lines.iter().zip(&stored) {
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!(lines.len(), stored.len(), "{name}: number of lines");
}
