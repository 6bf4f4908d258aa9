//! Random numbers as a function: of (seed, stream, step, draw, index), and of nothing else.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", 2011): ten rounds that turn a 128-bit counter into 128 random bits under a 64-bit key.
//!
//! **Order.** The key of a [`Draw`] is the first two words of the block with key `seed` and counter
//! `(stream, step)`. Word `i` of a draw is word `i mod 4` of the block with that key and counter
//! `(i / 4, draw)`. Each 64-bit number is two words, the low one first. So any element can be made alone.

use super::Parts;
use super::elementary::{cos_near, log};
use super::fma::Fma;
use super::paths::{Path, Settings};
use super::pool;
use super::simd::{Kernel, Simd};

const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const LOWER: u64 = u32::MAX as u64;

/// Philox4x32-10: one block of four words.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
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
        let mut out = vec![0.0; len];
        let settings = Settings::current().with_path(path).with_threads(1);
        self.fill_into(settings, distribution, &mut out);
        out
    }

    /// [`fill`](Self::fill) into memory that is there. Threads take stretches; each number is a function of its place.
    pub fn fill_into(&self, settings: Settings, distribution: Distribution, out: &mut [f32]) {
        let threads = if out.len() < 4 * STRETCH {
            1
        } else {
            settings.threads
        };
        let parts = Parts::new(out, STRETCH);
        pool::run(threads, parts.count(), |index| {
            settings.path.run(Fill {
                draw: *self,
                distribution,
                first: index * STRETCH,
                // SAFETY: each task takes a part of its own.
                out: unsafe { parts.get(index) },
            });
        });
    }

    fn block(&self, index: u64) -> [u32; 4] {
        let ([index_low, index_high], [draw_low, draw_high]) = (words(index), words(self.draw));
        philox(self.key, [index_low, index_high, draw_low, draw_high])
    }
}

/// Numbers of a task.
const STRETCH: usize = 1 << 14;
/// Blocks that are made side by side.
const SIDE: usize = 16;

/// Some numbers of a draw, from `first`, a multiple of [`STRETCH`], on.
struct Fill<'a> {
    draw: Draw,
    distribution: Distribution,
    first: usize,
    out: &'a mut [f32],
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Fill {
            draw,
            distribution,
            first,
            out,
        } = self;
        match distribution {
            Distribution::Unit => over::<S::Fma, _, WORDS>(Unit, &draw, first, out),
            Distribution::Uniform { low, high } => {
                let width = high - low;
                over::<S::Fma, _, WORDS>(Uniform { low, width }, &draw, first, out);
            }
            Distribution::Bernoulli { probability } => {
                // The upper 24 bits are a number of 2^−24; so is the least number that is not below the probability.
                let bound = (probability / f64::from(UNIT)).ceil() as u32;
                over::<S::Fma, _, WORDS>(Bernoulli { bound }, &draw, first, out);
            }
            Distribution::Normal { mean, deviation } => {
                over::<S::Fma, _, PAIRS>(Normal { mean, deviation }, &draw, first, out);
            }
        }
    }
}

/// Words of [`SIDE`] blocks, and half as many.
const WORDS: usize = 4 * SIDE;
const PAIRS: usize = WORDS / 2;

/// How `N` numbers are made of the words of [`SIDE`] blocks.
trait Law<const N: usize>: Copy {
    fn numbers<F: Fma>(self, words: &[u32; WORDS], out: &mut [f32; N]);
}

/// The numbers of a law, from place `first` on.
#[inline(always)]
fn over<F: Fma, L: Law<N>, const N: usize>(law: L, draw: &Draw, first: usize, out: &mut [f32]) {
    let mut index = (first / N * SIDE) as u64;
    let (blocks, rest) = out.as_chunks_mut::<N>();
    for out in blocks {
        law.numbers::<F>(&side_by_side(draw, index), out);
        index += SIDE as u64;
    }
    if !rest.is_empty() {
        let mut last = [0.0; N];
        law.numbers::<F>(&side_by_side(draw, index), &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[derive(Clone, Copy)]
struct Unit;

impl Law<WORDS> for Unit {
    #[inline(always)]
    fn numbers<F: Fma>(self, words: &[u32; WORDS], out: &mut [f32; WORDS]) {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = to_unit(word);
        }
    }
}

#[derive(Clone, Copy)]
struct Uniform {
    low: f32,
    width: f32,
}

impl Law<WORDS> for Uniform {
    #[inline(always)]
    fn numbers<F: Fma>(self, words: &[u32; WORDS], out: &mut [f32; WORDS]) {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = self.low + self.width * to_unit(word);
        }
    }
}

#[derive(Clone, Copy)]
struct Bernoulli {
    bound: u32,
}

impl Law<WORDS> for Bernoulli {
    #[inline(always)]
    fn numbers<F: Fma>(self, words: &[u32; WORDS], out: &mut [f32; WORDS]) {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = if word >> 8 < self.bound { 1.0 } else { 0.0 };
        }
    }
}

#[derive(Clone, Copy)]
struct Normal {
    mean: f32,
    deviation: f32,
}

impl Law<PAIRS> for Normal {
    /// Box and Muller: `z = √(−2 log u) · cos(2π v)`, with `u` the first word's number plus 2^−24, so in (0, 1],
    /// and `v` the second's.
    #[inline(always)]
    fn numbers<F: Fma>(self, words: &[u32; WORDS], out: &mut [f32; PAIRS]) {
        for (&[first, second], out) in words.as_chunks::<2>().0.iter().zip(out) {
            let u = to_unit(first) + UNIT;
            let v = to_unit(second);
            let radius = (-2.0 * log::<F>(u)).sqrt();
            let z = radius * cos_near::<F>(std::f32::consts::TAU * v);
            *out = self.mean + self.deviation * z;
        }
    }
}

/// The words of [`SIDE`] blocks from a block on, one block a lane, then in the order of the blocks.
///
/// A lane is as wide as a product, and a word its lower half; what the upper one holds does not matter, since
/// multiplications take lower halves. So no word is moved from lane to lane before the end.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn side_by_side(draw: &Draw, first: u64) -> [u32; WORDS] {
    let mut key = draw.key;
    let [draw_low, draw_high] = words(draw.draw).map(u64::from);
    let (mut a, mut b) = ([0u64; SIDE], [0u64; SIDE]);
    let (mut c, mut d) = ([draw_low; SIDE], [draw_high; SIDE]);
    for lane in 0..SIDE {
        a[lane] = first.wrapping_add(lane as u64);
        b[lane] = a[lane] >> 32;
    }
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let [key_a, key_c] = key.map(u64::from);
        for lane in 0..SIDE {
            let first = MULTIPLIERS[0] * (a[lane] & LOWER);
            let second = MULTIPLIERS[1] * (c[lane] & LOWER);
            a[lane] = (second >> 32) ^ (b[lane] ^ key_a);
            b[lane] = second;
            c[lane] = (first >> 32) ^ (d[lane] ^ key_c);
            d[lane] = first;
        }
    }
    let mut out = [0; WORDS];
    for lane in 0..SIDE {
        out[4 * lane] = a[lane] as u32;
        out[4 * lane + 1] = b[lane] as u32;
        out[4 * lane + 2] = c[lane] as u32;
        out[4 * lane + 3] = d[lane] as u32;
    }
    out
}

/// 2^−24.
const UNIT: f32 = 1.0 / 16_777_216.0;

#[inline(always)]
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
    fn every_number_is_that_of_its_place_on_every_path_and_thread() {
        const LEN: usize = 4 * STRETCH + 77;
        let draw = Draw::new(3, 1, 4, 1 << 40);
        let unit = |index: usize| draw.unit(index as u64);
        let bits = |law, settings| {
            let mut out = vec![f32::NAN; LEN];
            draw.fill_into(settings, law, &mut out);
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let normal = Distribution::Normal {
            mean: 0.5,
            deviation: 2.0,
        };
        let scalar = Settings::current().with_path(Path::Scalar).with_threads(1);
        let normals = bits(normal, scalar);
        for path in Path::available() {
            for threads in [1, 3] {
                let settings = scalar.with_path(path).with_threads(threads);
                let units = bits(Distribution::Unit, settings);
                assert!((0..LEN).all(|i| units[i] == unit(i).to_bits()));
                let (low, high) = (-0.3f32, 0.7f32);
                let uniform = bits(Distribution::Uniform { low, high }, settings);
                assert!((0..LEN).all(|i| uniform[i] == (low + (high - low) * unit(i)).to_bits()));
                for probability in [0.0, 1e-9, 0.1, 0.9, 1.0, f64::from(unit(5)), f64::NAN] {
                    let kept = bits(Distribution::Bernoulli { probability }, settings);
                    let expected = |i| f32::from(u8::from(f64::from(unit(i)) < probability));
                    assert!((0..LEN).all(|i| kept[i] == expected(i).to_bits()));
                }
                assert!(bits(normal, settings) == normals);
            }
        }
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
