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

/// Where a tile reads its left factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// For each step of `k` the numbers of the tile's rows side by side: read there, or written there by the tile that reads `rows`.
    pub copy: *mut f32,
    /// The rows themselves, if nobody has copied them: the numbers of a row adjoin.
    pub rows: *const f32,
    /// Distance between rows.
    pub row: usize,
}

impl Left {
    /// That of the tile whose rows follow.
    #[inline(always)]
    pub(super) fn below(self, rows: usize, k: usize) -> Self {
        Self {
            copy: self.copy.wrapping_add(rows * k),
            rows: self.rows.wrapping_add(rows * self.row),
            ..self
        }
    }

    /// Copies the last steps of `HEIGHT` rows, the numbers of a step side by side: four of them, or one.
    ///
    /// # Safety
    ///
    /// The rows have been read up to `rows`; `steps` times `HEIGHT` numbers can be written at `copy`.
    #[inline(always)]
    unsafe fn copy_steps<S: Simd, const HEIGHT: usize>(&mut self, simd: S, steps: usize) {
        let turned = if steps == FOUR { HEIGHT / 4 * 4 } else { 0 };
        // SAFETY: the caller's promise.
        unsafe {
            let from = self.rows.sub(steps);
            for row in (0..turned).step_by(4) {
                let from = from.add(row * self.row);
                simd.turn(from, self.row, self.copy.add(row), HEIGHT);
            }
            for row in turned..HEIGHT {
                for step in 0..steps {
                    *self.copy.add(step * HEIGHT + row) = *from.add(row * self.row + step);
                }
            }
            self.copy = self.copy.add(steps * HEIGHT);
        }
    }
}

/// Continues the chains of `HEIGHT` rows by `STRIPS` strips of `VECTORS` vectors, or begins them; adds the bias to those that end.
///
/// `AT_ONCE` is [`FOUR`] or [`ONE`]. With `COPIES` the tile reads the rows of the left factor, and copies them for the tiles beside it
/// while the multiply-adds keep the processor waiting; else it reads the copy. `soon` is this tile's share of the next strip.
///
/// # Safety
///
/// `k · HEIGHT` numbers can be read at the copy of `left`, or with `COPIES` be written there and `k` numbers of `HEIGHT` rows be read;
/// `k` rows of `STRIPS` strips can be read through `right`; and
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
    const COPIES: bool,
>(
    simd: S,
    k: usize,
    mut left: Left,
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
                    let number = simd.splat(if const { COPIES } {
                        *left.rows.add(row * left.row)
                    } else {
                        *left.copy.add(row)
                    });
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
                if const { COPIES } {
                    left.rows = left.rows.add(1);
                } else {
                    left.copy = left.copy.add(HEIGHT);
                }
                from = from.wrapping_add(right.row);
            };
        }
        for _ in 0..k / AT_ONCE {
            step!();
            if const { AT_ONCE == FOUR } {
                step!();
                step!();
                step!();
                if const { COPIES } {
                    left.copy_steps::<S, HEIGHT>(simd, FOUR);
                }
                simd.prefetch(soon.at);
                simd.prefetch(soon.at.wrapping_add(LINE));
                soon.at = soon.at.wrapping_add(soon.step);
            }
        }
        for _ in 0..k % AT_ONCE {
            step!();
            if const { COPIES } {
                left.copy_steps::<S, HEIGHT>(simd, 1);
            }
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
