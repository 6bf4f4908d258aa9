//! The walk over the tiles of a block.

use super::source::Ready;
use super::task::Task;
use super::tile::{Chains, FOUR, Fetch, Left, ONE, Strips, rows as tile_rows, tile, width};
use crate::kernels::memory::LINE;
use crate::kernels::simd::{Kernel, Simd};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Places of the largest tile of any path.
const TILE_MAX: usize = 8 * 48;

/// Columns that get their bias with their chains: all but those of a last strip that fills no vectors.
pub(super) fn biased<S: Simd>(columns: usize) -> usize {
    if columns.is_multiple_of(S::LANES) {
        columns
    } else {
        columns - columns % width::<S>()
    }
}

/// The left factor of some rows and steps.
#[derive(Clone, Copy)]
pub(super) struct Lefts {
    /// The rows as tiles, one after the other.
    pub left: Left,
    /// Whether the whole tiles are copied by the first strip's.
    pub copies: bool,
}

/// Computes the tiles, biases included but for the columns behind [`biased`]: the strips one after the other, and under each the rows, so that a strip is read from the nearest cache.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn walk<S: Simd>(
    simd: S,
    task: &Task,
    Lefts { left, copies }: Lefts,
    ready: &Ready,
    rows: &Range<usize>,
    columns: &Range<usize>,
    part: &Range<usize>,
) {
    let k = part.len();
    let (strip, height) = (width::<S>(), tile_rows::<S>());
    let (whole, rest) = (columns.len() / strip, columns.len() % strip);
    let (full, short) = (rows.len() / height, rows.len() % height);
    let chains = task.chains(rows.start, columns.start, part);
    let strips_from = |index: usize| Strips {
        start: ready.whole.start.wrapping_add(index * ready.whole.strip),
        ..ready.whole
    };
    // SAFETY: every tile reads `k` rows of strips that `Source` made ready and `height · k` numbers that `pack::left`
    // wrote, and writes rows and columns that `run` was given, which lie in the output by `Task::new`.
    unsafe {
        for index in 0..whole {
            let right = strips_from(index);
            // The next strip comes nearer while this one is used, each tile fetching a share of it.
            let next = if index + 1 < whole && right.row == strip {
                right.start.wrapping_add(right.strip)
            } else {
                right.start
            };
            for tile_index in 0..full {
                let soon = Fetch {
                    at: next.wrapping_add(tile_index * (k * strip / full)),
                    step: FOUR * strip / full,
                };
                let left = left.below(tile_index * height, k);
                let chains = chains.at(tile_index * height, index * strip);
                if !chains.begins && tile_index + 1 < full {
                    // The next tile's accumulators.
                    for row in height..2 * height {
                        for line in (0..strip).step_by(LINE) {
                            simd.prefetch_near(chains.at(row, line).out);
                        }
                    }
                }
                let parts = (k, left, right, chains, soon);
                if const { S::TILE_COPIES } && copies && index == 0 {
                    simd.apart(Largest::<true>(parts));
                } else {
                    simd.apart(Largest::<false>(parts));
                }
            }
        }
        // Few rows take several strips at once, as far as there are so many.
        let mut done = 0;
        if short > 0 {
            let left = left.below(full * height, k);
            loop {
                let chains = chains.at(full * height, done * strip);
                let right = strips_from(done);
                match several(simd, short, whole - done, k, left, right, chains) {
                    0 => break,
                    strips => done += strips,
                }
            }
        }
        // What is left: few rows of single strips, and the last strip if it is not whole.
        let few = if short > 0 { whole - done } else { 0 };
        let last = if rest > 0 {
            full + usize::from(short > 0)
        } else {
            0
        };
        for edge in 0..few + last {
            let (down, index) = if edge < few {
                (full, done + edge)
            } else {
                (edge - few, whole)
            };
            let top = down * height;
            let height = height.min(rows.len() - top);
            let left = left.below(top, k);
            let chains = chains.at(top, index * strip);
            let (count, right) = if index < whole {
                (strip, strips_from(index))
            } else {
                (rest, ready.rest)
            };
            let vectors = count.div_ceil(S::LANES);
            let across = vectors * S::LANES;
            // A last vector that is not whole is worked on aside.
            let is_whole = count == across;
            let mut held = MaybeUninit::<[f32; TILE_MAX]>::uninit();
            let place = |row| chains.at(row, 0).out;
            let mut target = chains;
            if !is_whole {
                let held = held.write([0.0; TILE_MAX]);
                if !chains.begins {
                    for row in 0..height {
                        let to = held[row * across..].as_mut_ptr();
                        std::ptr::copy_nonoverlapping(place(row), to, count);
                    }
                }
                target = Chains {
                    out: held.as_mut_ptr(),
                    row: across,
                    bias: std::ptr::null(),
                    ..chains
                };
            }
            single(simd, [height, vectors], k, left, right, target);
            if !is_whole {
                for row in 0..height {
                    let from = target.out.add(row * across);
                    std::ptr::copy_nonoverlapping(from, place(row), count);
                }
            }
        }
    }
}

/// The largest tile, from what [`tile`] is given. It runs apart: among what the walk holds, not all its accumulators would have registers.
struct Largest<const COPIES: bool>((usize, Left, Strips, Chains, Fetch));

impl<const COPIES: bool> Kernel for Largest<COPIES> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (k, left, right, chains, soon) = self.0;
        // SAFETY: `walk`, which alone makes one, answers for what is in it.
        unsafe {
            match S::TILE {
                [8, 3] if const { S::TILE[0] == 8 } => {
                    tile::<S, 8, 1, 3, FOUR, COPIES>(simd, k, left, right, chains, soon)
                }
                [12, 2] if const { S::TILE[0] == 12 } => {
                    tile::<S, 12, 1, 2, FOUR, COPIES>(simd, k, left, right, chains, soon)
                }
                [6, 2] if const { S::TILE[0] == 6 } => {
                    tile::<S, 6, 1, 2, FOUR, COPIES>(simd, k, left, right, chains, soon)
                }
                _ => unreachable!("no path has such tiles"),
            }
        }
    }
}

/// A tile of fewer rows than the largest has and several strips, as many as the registers hold; returns how many, none if there
/// are too few.
///
/// # Safety
///
/// As [`tile`].
#[inline(always)]
unsafe fn several<S: Simd>(
    simd: S,
    height: usize,
    strips: usize,
    k: usize,
    left: Left,
    right: Strips,
    chains: Chains,
) -> usize {
    macro_rules! shapes {
        ($([$height:literal, $strips:literal, $vectors:literal])*) => {
            match height {
                $($height if const { $height * $strips <= S::TILE[0] && $vectors == S::TILE[1] }
                    && $strips <= strips =>
                {
                    tile::<S, $height, $strips, $vectors, FOUR, false>(simd, k, left, right, chains, Fetch::none(left.copy));
                    $strips
                })*
                _ => 0,
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        shapes!(
            [1, 3, 3] [2, 3, 3] [1, 2, 3] [2, 2, 3] [3, 2, 3] [4, 2, 3]
            [1, 4, 2] [2, 4, 2] [1, 2, 2] [2, 2, 2] [3, 2, 2] [4, 2, 2] [5, 2, 2] [6, 2, 2]
        )
    }
}

/// A tile of one strip, of any height and any number of vectors that the largest has.
///
/// # Safety
///
/// As [`tile`].
#[inline(always)]
unsafe fn single<S: Simd>(
    simd: S,
    shape: [usize; 2],
    k: usize,
    left: Left,
    right: Strips,
    chains: Chains,
) {
    macro_rules! shapes {
        ($([$height:literal, $at_once:ident] if $is_of:expr;)*) => {
            match shape {
                $([$height, 1] if const { $is_of } => {
                    tile::<S, $height, 1, 1, $at_once, false>(simd, k, left, right, chains, Fetch::none(left.copy));
                }
                [$height, 2] if const { $is_of } => {
                    tile::<S, $height, 1, 2, $at_once, false>(simd, k, left, right, chains, Fetch::none(left.copy));
                }
                [$height, 3] if const { $is_of && S::TILE[1] == 3 } => {
                    tile::<S, $height, 1, 3, $at_once, false>(simd, k, left, right, chains, Fetch::none(left.copy));
                })*
                _ => unreachable!("no tile is {shape:?}"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        shapes!(
            [12, FOUR] if S::TILE[0] == 12;
            [8, FOUR] if S::TILE[0] == 8;
            [6, FOUR] if S::TILE[0] == 6;
            [11, ONE] if 11 < S::TILE[0];
            [10, ONE] if 10 < S::TILE[0];
            [9, ONE] if 9 < S::TILE[0];
            [8, ONE] if 8 < S::TILE[0];
            [7, ONE] if 7 < S::TILE[0];
            [6, ONE] if 6 < S::TILE[0];
            [5, ONE] if 5 < S::TILE[0];
            [4, ONE] if 4 < S::TILE[0];
            [3, ONE] if 3 < S::TILE[0];
            [2, ONE] if 2 < S::TILE[0];
            [1, ONE] if 1 < S::TILE[0];
        )
    }
}
