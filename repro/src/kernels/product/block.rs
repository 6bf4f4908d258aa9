//! A block of the output: the tiles of some rows and some columns, computed by one thread.

use super::pack;
use super::source::Source;
use super::steps::{STEPS, STRETCH, Stretches};
use super::task::{Scratch, Task};
use super::tile::{Left, rows as tile_rows, tiles, width};
use super::walk::{Lefts, biased, walk};
use crate::kernels::simd::{Kernel, Simd};
use std::ops::Range;

/// Columns of the output worked on at once: with those rows they stay in the second-level cache while `k` runs.
const COLUMNS: usize = 1056;
/// The same where `k` is one stretch.
const COLUMNS_ONCE: usize = 3072;

/// Some rows and columns of a product.
pub(super) struct Block<'t, 'a> {
    pub task: &'t Task<'a>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub scratch: &'t mut Scratch,
}

impl Kernel for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block {
            task,
            rows,
            columns,
            scratch,
        } = self;
        let k = task.a.columns;
        // So many rows of the left factor stay in the second-level cache.
        let at_once = tiles::<S>() * tile_rows::<S>();
        // Rows that are worked on at once use a copy once: then it need not outlast a stretch.
        let is_used_once = rows.len() <= at_once && !task.is_packed();
        let steps = if is_used_once { STRETCH } else { STEPS };
        // Accumulators that never rest need not stay near.
        let most = if k <= STRETCH { COLUMNS_ONCE } else { COLUMNS };
        let across = evenly(columns.len(), most, width::<S>());
        let down = evenly(rows.len(), at_once, tile_rows::<S>());
        if k == 0 {
            // Each chain is empty.
            fill(task, &rows, &columns);
            finish::<S>(task, rows.clone(), &columns, 0);
        }
        // A copy that is used again is made of all columns, so that one of the left factor serves them all.
        let group = if is_used_once {
            across
        } else {
            columns.len().max(1)
        };
        for first in columns.clone().step_by(group) {
            let group = first..(first + group).min(columns.end);
            for start in (0..k).step_by(steps) {
                let ks = start..(start + steps).min(k);
                let source = Source::of(simd, task, &rows, &group, &ks, &mut scratch.right);
                for top in rows.clone().step_by(down) {
                    let rows = top..(top + down).min(rows.end);
                    // Stretches of the left factor are kept only where further columns come.
                    let is_kept = group.len() > across;
                    let room = if is_kept { ks.len() } else { STRETCH };
                    let lefts = scratch.left.take(rows.len() * room);
                    for first in group.clone().step_by(across) {
                        let columns = first..(first + across).min(group.end);
                        for part in Stretches::of(ks.clone()) {
                            let at = if is_kept {
                                (part.start - ks.start) * rows.len()
                            } else {
                                0
                            };
                            let left = &mut lefts[at..at + rows.len() * part.len()];
                            let is_first = first == group.start;
                            let left = lefts_of(simd, task, &rows, &columns, &part, left, is_first);
                            let ready = source.ready::<S>(task, &columns, &part);
                            walk(simd, task, left, &ready, &rows, &columns, &part);
                        }
                        if ks.end == k {
                            let biased = biased::<S>(columns.len());
                            finish::<S>(task, rows.clone(), &columns, biased);
                        }
                    }
                }
            }
        }
    }
}

/// The left factor of some rows and steps, copied where it is not yet, or left to the tiles of the first strip to copy.
#[inline(always)]
fn lefts_of<S: Simd>(
    simd: S,
    task: &Task,
    rows: &Range<usize>,
    columns: &Range<usize>,
    part: &Range<usize>,
    copy: &mut [f32],
    is_first: bool,
) -> Lefts {
    let a = &task.a;
    let height = tile_rows::<S>();
    let copies = S::TILE_COPIES
        && is_first
        && a.column_stride == 1
        && a.row_stride >= 0
        && columns.len() >= width::<S>();
    if is_first {
        // The tiles of fewer rows are few.
        let whole = if copies {
            rows.len() / height * height
        } else {
            0
        };
        let rest = rows.start + whole..rows.end;
        pack::left(simd, a, &rest, part, &mut copy[whole * part.len()..]);
    }
    let rows = if copies {
        a.data[a.at(rows.start, part.start)..].as_ptr()
    } else {
        copy.as_ptr()
    };
    Lefts {
        left: Left {
            copy: copy.as_mut_ptr(),
            rows,
            row: if copies { a.row_stride as usize } else { 0 },
        },
        copies,
    }
}

/// The length of the fewest parts of at most `most` that are alike and, but for the last, multiples of `step`.
fn evenly(len: usize, most: usize, step: usize) -> usize {
    len.div_ceil(len.div_ceil(most).max(1))
        .next_multiple_of(step)
        .max(step)
}

/// Writes what an empty chain is.
fn fill(task: &Task, rows: &Range<usize>, columns: &Range<usize>) {
    for row in rows.clone() {
        let start = task.out.wrapping_add(row * task.row + columns.start);
        // SAFETY: these elements are the caller's of `run`, and lie in the output.
        unsafe { std::slice::from_raw_parts_mut(start, columns.len()) }.fill(0.0);
    }
}

/// Does to each element what comes after its chain. The first columns have their bias already.
#[inline(always)]
fn finish<S: Simd>(task: &Task, rows: Range<usize>, columns: &Range<usize>, biased: usize) {
    if task.finish.is_done(biased == columns.len()) {
        return;
    }
    for row in rows {
        let start = task.out.wrapping_add(row * task.row + columns.start);
        // SAFETY: these elements are the caller's of `run`, and lie in the output.
        let row = unsafe { std::slice::from_raw_parts_mut(start, columns.len()) };
        task.finish.apply::<S>(row, columns.clone(), biased);
    }
}
