//! Tiles of chains in registers.

use crate::kernels::simd::Simd;

/// Numbers of the largest tile of any path.
pub(super) const TILE_MAX: usize = 12 * 32;

/// The chains of `HEIGHT` channels at `PAIRS` strips of two vectors of neighbouring places, then the bias.
///
/// `weights` holds, for each tap, a number a channel. What is written to `held` is a channel's places after another's.
///
/// # Safety
///
/// Beginning at each tap's offset from `image`, `PAIRS` strips can be read; at `weights`, `HEIGHT` numbers a
/// tap; at `bias`, if it is not null, `HEIGHT` numbers; and `HEIGHT · PAIRS` strips be written at `held`.
// Loops over constants, which the compiler unrolls into registers; iterators would hide that.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
pub(super) unsafe fn gather<S: Simd, const HEIGHT: usize, const PAIRS: usize>(
    simd: S,
    taps: &[usize],
    mut weights: *const f32,
    image: *const f32,
    bias: *const f32,
    held: *mut f32,
) {
    let zero = simd.splat(0.0);
    let mut acc = [[[zero; 2]; PAIRS]; HEIGHT];
    // SAFETY: all within the caller's promise.
    unsafe {
        for &tap in taps {
            let from = image.add(tap);
            let mut vectors = [[zero; 2]; PAIRS];
            for pair in 0..PAIRS {
                let from = from.add(pair * 2 * S::LANES);
                vectors[pair] = [simd.load(from), simd.load(from.add(S::LANES))];
            }
            for row in 0..HEIGHT {
                let number = simd.splat(*weights.add(row));
                for pair in 0..PAIRS {
                    for half in 0..2 {
                        acc[row][pair][half] =
                            simd.mul_add(number, vectors[pair][half], acc[row][pair][half]);
                    }
                }
            }
            weights = weights.add(HEIGHT);
        }
        let one = simd.splat(1.0);
        for row in 0..HEIGHT {
            let to = held.add(row * PAIRS * 2 * S::LANES);
            for pair in 0..PAIRS {
                for half in 0..2 {
                    let mut x = acc[row][pair][half];
                    if !bias.is_null() {
                        // One times the chain plus the bias, rounded once: the sum.
                        x = simd.mul_add(one, x, simd.splat(*bias.add(row)));
                    }
                    simd.store(to.add((pair * 2 + half) * S::LANES), x);
                }
            }
        }
    }
}

/// Where a chain over positions, row by row, finds its factors: those of a position are `column` behind those of the
/// position to its left and `row` behind those of the position above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub start: *const f32,
    pub row: usize,
    pub column: usize,
}

/// How the left factors of a position lie.
pub(super) trait Left {
    /// The factor of a row of the tile, for every lane.
    ///
    /// # Safety
    ///
    /// It can be read.
    unsafe fn factor<S: Simd>(
        simd: S,
        at: *const f32,
        offsets: *const usize,
        row: usize,
    ) -> S::Vector;
}

/// A number a row, side by side.
pub(super) struct Beside;

/// A number a row, at the row's offset.
pub(super) struct Apart;

/// A vector a row, at the row's offset: a number a lane.
pub(super) struct Lanewise;

impl Left for Beside {
    #[inline(always)]
    unsafe fn factor<S: Simd>(simd: S, at: *const f32, _: *const usize, row: usize) -> S::Vector {
        // SAFETY: the caller's promise.
        simd.splat(unsafe { *at.add(row) })
    }
}

impl Left for Apart {
    #[inline(always)]
    unsafe fn factor<S: Simd>(
        simd: S,
        at: *const f32,
        offsets: *const usize,
        row: usize,
    ) -> S::Vector {
        // SAFETY: the caller's promise.
        simd.splat(unsafe { *at.add(*offsets.add(row)) })
    }
}

impl Left for Lanewise {
    #[inline(always)]
    unsafe fn factor<S: Simd>(
        simd: S,
        at: *const f32,
        offsets: *const usize,
        row: usize,
    ) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { simd.load(at.add(*offsets.add(row))) }
    }
}

/// Continues the chains of `HEIGHT` rows by `VECTORS` vectors over all positions.
///
/// # Safety
///
/// At each of `rows · columns` positions, the factors of `HEIGHT` rows can be read from the left walk and `VECTORS`
/// vectors from the right one; at `held`, `HEIGHT · VECTORS` vectors be read and written.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
pub(super) unsafe fn positions<S: Simd, L: Left, const HEIGHT: usize, const VECTORS: usize>(
    simd: S,
    [rows, columns]: [usize; 2],
    left: Walk,
    offsets: *const usize,
    right: Walk,
    held: *mut f32,
) {
    let mut acc = [[simd.splat(0.0); VECTORS]; HEIGHT];
    // SAFETY: all within the caller's promise.
    unsafe {
        for row in 0..HEIGHT {
            for vector in 0..VECTORS {
                acc[row][vector] = simd.load(held.add((row * VECTORS + vector) * S::LANES));
            }
        }
        for y in 0..rows {
            let mut a = left.start.wrapping_add(y * left.row);
            let mut b = right.start.wrapping_add(y * right.row);
            for _ in 0..columns {
                let mut vectors = [simd.splat(0.0); VECTORS];
                for vector in 0..VECTORS {
                    vectors[vector] = simd.load(b.add(vector * S::LANES));
                }
                for row in 0..HEIGHT {
                    let factor = L::factor(simd, a, offsets, row);
                    for vector in 0..VECTORS {
                        acc[row][vector] = simd.mul_add(factor, vectors[vector], acc[row][vector]);
                    }
                }
                a = a.wrapping_add(left.column);
                b = b.wrapping_add(right.column);
            }
        }
        for row in 0..HEIGHT {
            for vector in 0..VECTORS {
                simd.store(
                    held.add((row * VECTORS + vector) * S::LANES),
                    acc[row][vector],
                );
            }
        }
    }
}

/// Heights of tiles; a tile of another height has a few rows more, which are dropped.
pub(super) const HEIGHTS: [usize; 8] = [1, 2, 3, 4, 6, 8, 10, 12];

/// Cuts rows into tiles of at most `highest`: what each covers, and its height.
pub(super) fn cut(rows: usize, highest: usize) -> Vec<(std::ops::Range<usize>, usize)> {
    let starts = (0..rows).step_by(highest);
    let ranges = starts.map(|start| start..(start + highest).min(rows));
    let height = |len: usize| HEIGHTS.into_iter().find(|height| *height >= len);
    ranges
        .map(|range| (range.clone(), height(range.len()).unwrap_or(highest)))
        .collect()
}

/// How a path's tiles are measured: rows of the largest, and lanes of a vector.
pub(super) struct Lengths;

impl crate::kernels::simd::Kernel for Lengths {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (usize, usize) {
        (S::ROWS, S::LANES)
    }
}
