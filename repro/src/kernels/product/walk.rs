//! The walk over the tiles of a block.

use super::source::Ready;
use super::task::Task;
use super::tile::{Chains, Strips, TILES, tile};
use crate::kernels::simd::Simd;
use std::ops::Range;

/// Numbers in a cache line.
const LINE: usize = 16;
/// Places of the largest tile of any path.
const TILE_MAX: usize = 12 * 32;

/// Computes the tiles, biases included but for columns that fill no strip: the strips one after the other, and under each the rows, so that a strip is read from the nearest cache.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn walk<S: Simd>(
    simd: S,
    task: &Task,
    left: *const f32,
    ready: &Ready,
    rows: &Range<usize>,
    columns: &Range<usize>,
    part: &Range<usize>,
) {
    let k = part.len();
    let strip = 2 * S::LANES;
    let whole = columns.len() / strip;
    let rest = columns.len() % strip;
    let chains = task.chains(rows.start, columns.start, part);
    let (full, short) = (rows.len() / S::ROWS, rows.len() % S::ROWS);
    let strips_from = |index: usize| Strips {
        start: ready.whole.start.wrapping_add(index * ready.whole.pair),
        ..ready.whole
    };
    // SAFETY: every tile reads `k` rows of strips that `Source` made ready and `height · k` numbers that `pack_left`
    // wrote, and writes rows and columns that `run` was given, which lie in the output by `Task::new`.
    unsafe {
        for index in 0..whole {
            let right = strips_from(index);
            // The next strip comes nearer while this one is used, each tile fetching a share of it.
            let next = if index + 1 < whole && right.row == strip {
                right.start.wrapping_add(right.pair)
            } else {
                right.start
            };
            for tile_index in 0..full {
                let soon = next.wrapping_add(tile_index * (k * strip / TILES));
                let left = left.wrapping_add(tile_index * S::ROWS * k);
                let chains = chains.at(tile_index * S::ROWS, index * strip);
                if !chains.begins && tile_index + 1 < full {
                    // The next tile's accumulators.
                    for row in S::ROWS..2 * S::ROWS {
                        let out = chains.at(row, 0).out;
                        simd.prefetch_near(out);
                        simd.prefetch_near(out.wrapping_add(LINE));
                    }
                }
                match S::ROWS {
                    12 => tile::<S, 12, 1>(simd, k, left, right, chains, soon),
                    6 => tile::<S, 6, 1>(simd, k, left, right, chains, soon),
                    _ => unreachable!("tiles have 6 or 12 rows"),
                }
            }
        }
        if short > 0 {
            let left = left.wrapping_add(full * S::ROWS * k);
            let chains = chains.at(full * S::ROWS, 0);
            let mut index = 0;
            while index < whole {
                let right = strips_from(index);
                let chains = chains.at(0, index * strip);
                index += short_tile(simd, short, whole - index, k, left, right, chains);
            }
        }
        if rest > 0 {
            for top in (0..rows.len()).step_by(S::ROWS) {
                let height = S::ROWS.min(rows.len() - top);
                let left = left.wrapping_add(top * k);
                let chains = chains.at(top, whole * strip);
                let place = |row| chains.at(row, 0).out;
                let mut held = [0.0f32; TILE_MAX];
                if !chains.begins {
                    for row in 0..height {
                        let to = held[row * strip..].as_mut_ptr();
                        std::ptr::copy_nonoverlapping(place(row), to, rest);
                    }
                }
                let aside = Chains {
                    out: held.as_mut_ptr(),
                    row: strip,
                    bias: std::ptr::null(),
                    ..chains
                };
                one_tile(simd, height, k, left, ready.rest, aside);
                for row in 0..height {
                    let from = held[row * strip..].as_ptr();
                    std::ptr::copy_nonoverlapping(from, place(row), rest);
                }
            }
        }
    }
}

/// A tile of fewer rows than the largest has, of as many strips as the registers hold; returns how many.
///
/// # Safety
///
/// As [`tile`].
#[inline(always)]
unsafe fn short_tile<S: Simd>(
    simd: S,
    height: usize,
    strips: usize,
    k: usize,
    left: *const f32,
    right: Strips,
    chains: Chains,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        if height * 6 <= S::ROWS && strips >= 4 {
            match height {
                1 => tile::<S, 1, 4>(simd, k, left, right, chains, left),
                _ => tile::<S, 2, 4>(simd, k, left, right, chains, left),
            }
            return 4;
        }
        if height * 2 <= S::ROWS && strips >= 2 {
            match height {
                1 => tile::<S, 1, 2>(simd, k, left, right, chains, left),
                2 => tile::<S, 2, 2>(simd, k, left, right, chains, left),
                3 => tile::<S, 3, 2>(simd, k, left, right, chains, left),
                4 if S::ROWS >= 12 => tile::<S, 4, 2>(simd, k, left, right, chains, left),
                5 if S::ROWS >= 12 => tile::<S, 5, 2>(simd, k, left, right, chains, left),
                _ if S::ROWS >= 12 => tile::<S, 6, 2>(simd, k, left, right, chains, left),
                _ => unreachable!("half of the rows"),
            }
            return 2;
        }
        one_tile(simd, height, k, left, right, chains);
        1
    }
}

/// A tile of one strip and any height.
///
/// # Safety
///
/// As [`tile`].
#[inline(always)]
unsafe fn one_tile<S: Simd>(
    simd: S,
    height: usize,
    k: usize,
    left: *const f32,
    right: Strips,
    chains: Chains,
) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match height {
                $($height if $height <= S::ROWS => {
                    tile::<S, $height, 1>(simd, k, left, right, chains, left);
                })*
                _ => unreachable!("no tile has {height} rows"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe { heights!(1 2 3 4 5 6 7 8 9 10 11 12) }
}
