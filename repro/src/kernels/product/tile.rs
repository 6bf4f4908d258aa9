//! A tile of the output in registers.

use crate::kernels::memory::LINE;
use crate::kernels::paths::Path;
use crate::kernels::simd::{Kernel, Simd};

/// Rows of the largest tile.
pub(super) const fn rows<S: Simd>() -> usize {
    S::TILE[0]
}

/// Columns of the largest tile: the width of a strip.
pub(super) const fn width<S: Simd>() -> usize {
    S::TILE[1] * S::LANES
}

/// Tiles below each other whose rows of the left factor stay in the second-level cache together.
pub(super) const fn tiles<S: Simd>() -> usize {
    8 * S::TILE[1]
}

/// How a path's largest tile is measured.
pub(super) struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub lanes: usize,
}

impl Shape {
    pub(super) fn on(path: Path) -> Self {
        struct Of;
        impl Kernel for Of {
            type Output = Shape;

            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> Shape {
                Shape {
                    rows: rows::<S>(),
                    columns: width::<S>(),
                    lanes: S::LANES,
                }
            }
        }
        path.run(Of)
    }
}

/// Steps of `k` that follow each other without a branch, and share what is fetched, in the tiles that matter.
pub(super) const FOUR: usize = 4;
/// Steps in the others, of which there are too many to be long.
pub(super) const ONE: usize = 1;

/// Where a tile reads its right factor: row `k` of strip `s` begins at `k · row + s · strip`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strips {
    /// The first row of the first strip.
    pub start: *const f32,
    /// Distance between rows.
    pub row: usize,
    /// Distance between strips.
    pub strip: usize,
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

/// Memory that is fetched while a tile of [`FOUR`] is computed: two lines every four steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    /// Where it begins. Any address will do.
    pub at: *const f32,
    /// Numbers from one four to the next.
    pub step: usize,
}

impl Fetch {
    /// What is there anyhow.
    pub(super) fn none(at: *const f32) -> Self {
        Self { at, step: 0 }
    }
}

/// Continues the chains of `HEIGHT` rows by `STRIPS` strips of `VECTORS` vectors, or begins them; adds the bias to those that end.
///
/// `AT_ONCE` is [`FOUR`] or [`ONE`]. `left` holds, for each step of `k`, the `HEIGHT` numbers of the left factor. `soon` is this tile's share
/// of the next strip.
///
/// # Safety
///
/// `k · HEIGHT` numbers can be read at `left`; `k` rows of `STRIPS` strips through `right`; and
/// `HEIGHT` rows of `STRIPS` strips be read and written at the chains' place, and `STRIPS` strips be read of the bias.
// Loops over constants, which the compiler unrolls into registers; iterators would hide that.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
pub(super) unsafe fn tile<
    S: Simd,
    const HEIGHT: usize,
    const STRIPS: usize,
    const VECTORS: usize,
    const AT_ONCE: usize,
>(
    simd: S,
    k: usize,
    mut left: *const f32,
    right: Strips,
    chains: Chains,
    mut soon: Fetch,
) {
    let zero = simd.splat(0.0);
    let mut acc = [[[zero; VECTORS]; STRIPS]; HEIGHT];
    let place = |row, strip, vector| {
        let column = (strip * VECTORS + vector) * S::LANES;
        chains.out.wrapping_add(row * chains.row + column)
    };
    // SAFETY: all within the caller's promise.
    unsafe {
        if !chains.begins {
            for row in 0..HEIGHT {
                for strip in 0..STRIPS {
                    for vector in 0..VECTORS {
                        acc[row][strip][vector] = simd.load(place(row, strip, vector));
                    }
                }
            }
        }
        let mut from = right.start;
        // Written out, since the compiler would not unroll a loop of this size.
        macro_rules! step {
            () => {
                let mut vectors = [[zero; VECTORS]; STRIPS];
                for strip in 0..STRIPS {
                    for vector in 0..VECTORS {
                        let from = from.add(strip * right.strip + vector * S::LANES);
                        vectors[strip][vector] = simd.load(from);
                    }
                }
                for row in 0..HEIGHT {
                    let number = simd.splat(*left.add(row));
                    for strip in 0..STRIPS {
                        for vector in 0..VECTORS {
                            acc[row][strip][vector] = simd.mul_add(
                                number,
                                vectors[strip][vector],
                                acc[row][strip][vector],
                            );
                        }
                    }
                }
                left = left.add(HEIGHT);
                from = from.add(right.row);
            };
        }
        for _ in 0..k / AT_ONCE {
            step!();
            if const { AT_ONCE == FOUR } {
                step!();
                step!();
                step!();
                simd.prefetch(soon.at);
                simd.prefetch(soon.at.wrapping_add(LINE));
                soon.at = soon.at.wrapping_add(soon.step);
            }
        }
        for _ in 0..k % AT_ONCE {
            step!();
        }
        if !chains.bias.is_null() {
            // An addition: the product with one is exact.
            let one = simd.splat(1.0);
            for strip in 0..STRIPS {
                for vector in 0..VECTORS {
                    let bias = simd.load(chains.bias.add((strip * VECTORS + vector) * S::LANES));
                    for row in 0..HEIGHT {
                        acc[row][strip][vector] = simd.mul_add(acc[row][strip][vector], one, bias);
                    }
                }
            }
        }
        for row in 0..HEIGHT {
            for strip in 0..STRIPS {
                for vector in 0..VECTORS {
                    simd.store(place(row, strip, vector), acc[row][strip][vector]);
                }
            }
        }
    }
}
