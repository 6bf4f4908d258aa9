//! A tile of the output in registers.

use crate::kernels::simd::Simd;

/// Tiles below each other that share the fetching of the next strip.
pub(super) const TILES: usize = 16;

/// Steps of `k` that follow each other without a branch, and share one fetch of what is needed soon.
const AT_ONCE: usize = 4;

/// Where a tile reads its right factor: row `k` of vector pair `p` begins at `k · row + p · pair`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strips {
    /// The first row of the first strip.
    pub start: *const f32,
    /// Distance between rows.
    pub row: usize,
    /// Distance between strips of two vectors.
    pub pair: usize,
}

/// The chains of a tile: where they rest, and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chains {
    /// Their place in the output.
    pub out: *mut f32,
    /// Distance between rows.
    pub row: usize,
    /// Whether they begin here; else they rest in the output.
    pub begins: bool,
    /// Where they end here and a bias is added, that of the first column; else null.
    pub bias: *const f32,
}

impl Chains {
    /// Those some rows below and columns behind.
    #[inline(always)]
    pub(super) fn at(self, row: usize, column: usize) -> Self {
        let bias = if self.bias.is_null() {
            self.bias
        } else {
            self.bias.wrapping_add(column)
        };
        Self {
            out: self.out.wrapping_add(row * self.row + column),
            bias,
            ..self
        }
    }
}

/// Continues the chains of `HEIGHT` rows by `PAIRS` strips of two vectors, or begins them; adds the bias to those that end.
///
/// `left` holds, for each step of `k`, the `HEIGHT` numbers of the left factor. `soon` is where this tile's share of the
/// next strip begins, which is fetched meanwhile, one of [`TILES`] shares; any address will do.
///
/// # Safety
///
/// `k · HEIGHT` numbers can be read at `left`; `k` rows of `PAIRS` strips through `right`; and
/// `HEIGHT` rows of `PAIRS` strips be read and written at the chains' place, and `PAIRS` strips be read of the bias.
// Loops over constants, which the compiler unrolls into registers; iterators would hide that.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const HEIGHT: usize, const PAIRS: usize>(
    simd: S,
    k: usize,
    mut left: *const f32,
    right: Strips,
    chains: Chains,
    mut soon: *const f32,
) {
    let zero = simd.splat(0.0);
    let mut acc = [[[zero; 2]; PAIRS]; HEIGHT];
    let strip = 2 * S::LANES;
    // SAFETY: all within the caller's promise.
    unsafe {
        if !chains.begins {
            for row in 0..HEIGHT {
                for pair in 0..PAIRS {
                    let from = chains.out.add(row * chains.row + pair * strip);
                    acc[row][pair] = [simd.load(from), simd.load(from.add(S::LANES))];
                }
            }
        }
        let mut from = right.start;
        // Written out, since the compiler would not unroll a loop of this size.
        macro_rules! step {
            () => {
                let mut vectors = [[zero; 2]; PAIRS];
                for (pair, vectors) in vectors.iter_mut().enumerate() {
                    let from = from.add(pair * right.pair);
                    *vectors = [simd.load(from), simd.load(from.add(S::LANES))];
                }
                for row in 0..HEIGHT {
                    let number = simd.splat(*left.add(row));
                    for pair in 0..PAIRS {
                        for half in 0..2 {
                            acc[row][pair][half] =
                                simd.mul_add(number, vectors[pair][half], acc[row][pair][half]);
                        }
                    }
                }
                left = left.add(HEIGHT);
                from = from.add(right.row);
            };
        }
        for _ in 0..k / AT_ONCE {
            step!();
            step!();
            step!();
            step!();
            simd.prefetch(soon);
            soon = soon.wrapping_add(AT_ONCE * 2 * S::LANES / TILES);
        }
        for _ in 0..k % AT_ONCE {
            step!();
        }
        if !chains.bias.is_null() {
            // An addition: the product with one is exact.
            let one = simd.splat(1.0);
            for pair in 0..PAIRS {
                let from = chains.bias.add(pair * strip);
                let bias = [simd.load(from), simd.load(from.add(S::LANES))];
                for row in 0..HEIGHT {
                    for half in 0..2 {
                        acc[row][pair][half] = simd.mul_add(acc[row][pair][half], one, bias[half]);
                    }
                }
            }
        }
        for row in 0..HEIGHT {
            for pair in 0..PAIRS {
                let to = chains.out.add(row * chains.row + pair * strip);
                simd.store(to, acc[row][pair][0]);
                simd.store(to.add(S::LANES), acc[row][pair][1]);
            }
        }
    }
}
