//! What several test files share: a small network, its training, digests and golden files.

#![allow(dead_code)]

use burn::backend::Autodiff;
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Relu};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use repro::optim::AdamW;
use repro::paths::{Path, Settings};
use repro::{Repro, ReproDevice, random};

pub type Tracked = Autodiff<Repro>;

/// A multilayer perceptron with one hidden layer.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    first: Linear<B>,
    relu: Relu,
    dropout: Dropout,
    second: Linear<B>,
}

impl<B: Backend> Mlp<B> {
    /// Initial weights are drawn at once and in order, because burn draws them at first access.
    pub fn new(sizes: [usize; 3], device: &B::Device) -> Self {
        let model = Self {
            first: LinearConfig::new(sizes[0], sizes[1]).init(device),
            relu: Relu::new(),
            dropout: DropoutConfig::new(0.25).init(),
            second: LinearConfig::new(sizes[1], sizes[2]).init(device),
        };
        struct Touch;
        impl<B: Backend> ModuleMapper<B> for Touch {
            fn map_float<const D: usize>(
                &mut self,
                param: Param<Tensor<B, D>>,
            ) -> Param<Tensor<B, D>> {
                let _drawn = param.val();
                param
            }
        }
        model.map(&mut Touch)
    }

    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = self.relu.forward(self.first.forward(x));
        self.second.forward(self.dropout.forward(hidden))
    }
}

/// Numbers that look like data, from a counter.
pub fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let law = repro::kernels::random::Distribution::Normal {
        mean: 0.0,
        deviation: 1.0,
    };
    let draw = repro::kernels::random::Draw::new(seed, 99, 0, 0);
    draw.fill(Settings::current().path, law, len)
}

/// Trains on random examples and returns the digest of every weight.
pub fn train(sizes: [usize; 3], batch: usize, steps: usize) -> u64 {
    let device = ReproDevice;
    let mut model = random::scope(42, random::INIT, || Mlp::<Tracked>::new(sizes, &device));
    let mut optimiser = AdamW::default().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    random::scope(42, random::DROPOUT, || {
        for step in 0..steps {
            random::set_step(step as u64);
            let x = numbers(step as u64 % 7, batch * sizes[0]);
            let x = Tensor::<Tracked, 2>::from_data(TensorData::new(x, [batch, sizes[0]]), &device);
            let y: Vec<i32> = (0..batch)
                .map(|i| ((i * 7 + step % 7) % sizes[2]) as i32)
                .collect();
            let y = Tensor::<Tracked, 1, Int>::from_data(TensorData::new(y, [batch]), &device);
            let cost = loss.forward(model.forward(x), y);
            let grads = GradientsParams::from_grads(cost.backward(), &model);
            let current = model.clone();
            model = optimiser.step(0.01, current, grads);
        }
    });
    digest_of_model(&model.valid())
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
    if Path::available().len() == 1 {
        println!("skipped: the avx2 path (this processor has no AVX2 and FMA)");
    }
    Path::available()
        .into_iter()
        .flat_map(|path| {
            [1, 2, 3].map(|threads| {
                Settings::current()
                    .with_path(path)
                    .with_threads(threads)
                    .with_split_min(0)
            })
        })
        .collect()
}

/// Compares `lines` with a stored file; `LODE_REGENERATE_VECTORS=1` writes the file instead, which is a
/// change of the definition and to be reviewed as one.
pub fn assert_golden(name: &str, lines: &[String]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    let text = lines.join("\n") + "\n";
    if std::env::var_os("LODE_REGENERATE_VECTORS").is_some() {
        std::fs::write(&path, &text).expect("the vectors folder is writable");
    }
    let stored = std::fs::read_to_string(&path).expect("the golden file exists");
    for (line, (ours, theirs)) in text.lines().zip(stored.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, line {}", line + 1);
    }
    assert_eq!(
        text.lines().count(),
        stored.lines().count(),
        "{name}: number of lines"
    );
}
