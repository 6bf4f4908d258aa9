//! Random numbers as a function: of (seed, stream, step, draw, index), and of nothing else.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", 2011): ten rounds that turn a 128-bit counter into 128 random bits under a 64-bit key.
//!
//! **Order.** The key of a [`Draw`] is the first two words of the block with key `seed` and counter
//! `(stream, step)`. Word `i` of a draw is word `i mod 4` of the block with that key and counter
//! `(i / 4, draw)`. Each 64-bit number is two words, the low one first. So any element can be made alone.

use super::elementary::{cos, log};
use super::fma::Fma;
use super::paths::Path;
use super::simd::{Kernel, Simd};

/// Philox4x32-10: one block of four words.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    let (mut key, mut block) = (key, counter);
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let first = MULTIPLIERS[0] * u64::from(block[0]);
        let second = MULTIPLIERS[1] * u64::from(block[2]);
        block = [
            (second >> 32) as u32 ^ block[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ block[3] ^ key[1],
            first as u32,
        ];
    }
    block
}

/// One sequence of random words, addressed by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    key: [u32; 2],
    draw: u64,
}

/// How numbers are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform over the 2^24 multiples of 2^−24 in [0, 1).
    Unit,
    /// `low + (high − low) · u` with `u` as in `Unit`, each operation rounded. The upper end can appear by rounding.
    Uniform {
        /// Lower end.
        low: f32,
        /// Upper end.
        high: f32,
    },
    /// 1 with this probability, else 0: whether `u`, as in `Unit`, is below it.
    Bernoulli {
        /// Probability of 1.
        probability: f64,
    },
    /// `mean + deviation · z`, each operation rounded, with `z` by Box and Muller from two words.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        deviation: f32,
    },
}

impl Draw {
    /// Draw number `draw` of a stream at a step.
    pub fn new(seed: u64, stream: u64, step: u64, draw: u64) -> Self {
        let [stream_low, stream_high] = words(stream);
        let [step_low, step_high] = words(step);
        let block = philox(words(seed), [stream_low, stream_high, step_low, step_high]);
        Self {
            key: [block[0], block[1]],
            draw,
        }
    }

    /// Word `index`.
    pub fn word(&self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// The number in [0, 1) made of the upper 24 bits of word `index`.
    pub fn unit(&self, index: u64) -> f32 {
        to_unit(self.word(index))
    }

    /// A whole number in `0..bound`: the upper half of the product of `bound` and the 64-bit number made of
    /// words `2 · index` and `2 · index + 1`. Its bias is below `bound` / 2^64.
    pub fn below(&self, index: u64, bound: u64) -> u64 {
        let block = self.block(index / 2);
        let at = (index % 2) as usize * 2;
        let number = u64::from(block[at + 1]) << 32 | u64::from(block[at]);
        ((u128::from(number) * u128::from(bound)) >> 64) as u64
    }

    /// The numbers 0 to `len` − 1 in random order: Fisher and Yates from the end, `i` descending from
    /// `len` − 1 to 1, exchanging place `i` with place [`below`](Self::below)`(i, i + 1)`.
    pub fn permutation(&self, len: usize) -> Vec<usize> {
        let mut out: Vec<usize> = (0..len).collect();
        for i in (1..len).rev() {
            out.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        out
    }

    /// The first `len` numbers of a distribution.
    ///
    /// **Shapes.** `[len]`. **Order.** Element `i` uses word `i`, or words `2i` and `2i + 1` if normal.
    pub fn fill(&self, path: Path, distribution: Distribution, len: usize) -> Vec<f32> {
        match distribution {
            Distribution::Unit => self.map_words(len, to_unit),
            Distribution::Uniform { low, high } => {
                let width = high - low;
                self.map_words(len, |word| low + width * to_unit(word))
            }
            Distribution::Bernoulli { probability } => self.map_words(len, |word| {
                f32::from(u8::from(f64::from(to_unit(word)) < probability))
            }),
            Distribution::Normal { mean, deviation } => self.normal(path, mean, deviation, len),
        }
    }

    fn block(&self, index: u64) -> [u32; 4] {
        let ([index_low, index_high], [draw_low, draw_high]) = (words(index), words(self.draw));
        philox(self.key, [index_low, index_high, draw_low, draw_high])
    }

    fn map_words<T>(&self, len: usize, f: impl Fn(u32) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(len.next_multiple_of(4));
        for index in 0..len.div_ceil(4) as u64 {
            out.extend(self.block(index).map(&f));
        }
        out.truncate(len);
        out
    }

    fn normal(&self, path: Path, mean: f32, deviation: f32, len: usize) -> Vec<f32> {
        let pairs = self.map_words(len * 2, |word| word);
        let mut out = vec![0.0; len];
        path.run(Normal {
            pairs: &pairs,
            mean,
            deviation,
            out: &mut out,
        });
        out
    }
}

struct Normal<'a> {
    pairs: &'a [u32],
    mean: f32,
    deviation: f32,
    out: &'a mut [f32],
}

impl Kernel for Normal<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        normal_with::<S::Fma>(self.pairs, self.mean, self.deviation, self.out);
    }
}

/// Box and Muller: `z = √(−2 log u) · cos(2π v)`, with `u` the first word's number plus 2^−24, so in (0, 1],
/// and `v` the second's.
#[inline(always)]
fn normal_with<F: Fma>(pairs: &[u32], mean: f32, deviation: f32, out: &mut [f32]) {
    for (pair, out) in pairs.chunks_exact(2).zip(out) {
        let u = to_unit(pair[0]) + UNIT;
        let v = to_unit(pair[1]);
        let radius = (-2.0 * log::<F>(u)).sqrt();
        let z = radius * cos::<F>(std::f32::consts::TAU * v);
        *out = mean + deviation * z;
    }
}

/// 2^−24.
const UNIT: f32 = 1.0 / 16_777_216.0;

fn to_unit(word: u32) -> f32 {
    (word >> 8) as f32 * UNIT
}

fn words(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_answers() {
        // From the known-answer file of the authors' library, Random123.
        let check = |key, counter, expected: [u32; 4]| assert_eq!(philox(key, counter), expected);
        check(
            [0; 2],
            [0; 4],
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
        );
        check(
            [!0; 2],
            [!0; 4],
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
        );
        check(
            [0xa409_3822, 0x299f_31d0],
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        );
    }

    #[test]
    fn every_coordinate_changes_the_numbers() {
        let base = Draw::new(1, 2, 3, 4).word(5);
        let others = [
            Draw::new(9, 2, 3, 4).word(5),
            Draw::new(1, 9, 3, 4).word(5),
            Draw::new(1, 2, 9, 4).word(5),
            Draw::new(1, 2, 3, 9).word(5),
            Draw::new(1, 2, 3, 4).word(9),
        ];
        assert!(
            others.iter().all(|other| *other != base),
            "{base:x} {others:x?}"
        );
    }

    #[test]
    fn a_longer_fill_begins_with_the_shorter_one() {
        let draw = Draw::new(1, 0, 0, 0);
        for law in [
            Distribution::Unit,
            Distribution::Bernoulli { probability: 0.3 },
            Distribution::Normal {
                mean: 1.0,
                deviation: 2.0,
            },
        ] {
            let long = draw.fill(Path::Scalar, law, 1001);
            assert_eq!(draw.fill(Path::Scalar, law, 37), long[..37]);
        }
    }

    #[test]
    fn numbers_have_the_moments_of_their_distribution() {
        let moments = |law| {
            let numbers = Draw::new(5, 0, 0, 0).fill(Path::available()[0], law, 1 << 18);
            let count = numbers.len() as f64;
            let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let spread = numbers
                .iter()
                .map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean))
                .sum::<f64>()
                / count;
            (mean, spread)
        };
        let check = |law, mean: f64, spread: f64| {
            let (m, s) = moments(law);
            assert!(
                (m - mean).abs() < 0.01 && (s - spread).abs() < 0.02,
                "{law:?}: {m} {s}"
            );
        };
        check(Distribution::Unit, 0.5, 1.0 / 12.0);
        check(
            Distribution::Uniform {
                low: -1.0,
                high: 3.0,
            },
            1.0,
            16.0 / 12.0,
        );
        check(Distribution::Bernoulli { probability: 0.25 }, 0.25, 0.1875);
        check(
            Distribution::Normal {
                mean: 1.0,
                deviation: 0.5,
            },
            1.0,
            0.25,
        );
    }

    #[test]
    fn a_permutation_has_every_number_once() {
        let mut order = Draw::new(1, 2, 0, 0).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(
            order
                .iter()
                .enumerate()
                .all(|(place, &number)| place == number)
        );
        assert_eq!(Draw::new(1, 2, 0, 0).permutation(0), Vec::<usize>::new());
    }
}
