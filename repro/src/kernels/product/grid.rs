//! How an output is cut into independent blocks.

use super::task::Task;
use crate::kernels::paths::Settings;
use std::ops::Range;

/// Rows and columns of a block are multiples of these, which every path's tile divides.
const ROWS: usize = 12;
const COLUMNS: usize = 32;
/// Multiply-adds after which another block a thread is worth its packing: it evens out threads that are disturbed.
const SOME: usize = 1 << 27;

/// The blocks of an output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub threads: usize,
    rows: usize,
    columns: usize,
    block_rows: usize,
    block_columns: usize,
}

impl Grid {
    /// The cheapest cut for these settings.
    pub(super) fn of(settings: Settings, task: &Task) -> Self {
        let [m, k, n] = task.lengths();
        let whole = Self {
            threads: 1,
            rows: m,
            columns: n,
            block_rows: m,
            block_columns: n,
        };
        let work = m.saturating_mul(k).saturating_mul(n);
        let threads = settings.threads_for(work);
        if threads == 1 {
            return whole;
        }
        let wanted = threads * (work / threads / SOME).clamp(1, 4);
        let cuts = (1..=wanted).filter(|down| wanted.is_multiple_of(*down));
        let grids = cuts.map(|down| {
            let right = wanted / down;
            let of = |len: usize, parts: usize, step: usize| {
                len.div_ceil(parts).next_multiple_of(step).min(len.max(1))
            };
            Self {
                threads,
                block_rows: of(m, down, ROWS),
                block_columns: of(n, right, COLUMNS),
                ..whole
            }
        });
        grids
            .min_by_key(|grid| grid.cost(task.is_packed()))
            .unwrap_or(whole)
    }

    /// The time of the thread that has most to do, in some unit: tiles, and the packing of both factors.
    fn cost(&self, is_packed: bool) -> usize {
        let turns = self.len().div_ceil(self.threads);
        let right = if is_packed { 0 } else { self.block_columns * 4 };
        turns * (self.block_rows * self.block_columns + self.block_rows * 10 + right)
    }

    /// Number of blocks.
    pub(super) fn len(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        self.rows.div_ceil(self.block_rows) * self.columns.div_ceil(self.block_columns)
    }

    /// Rows and columns of a block.
    pub(super) fn block(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let across = self.columns.div_ceil(self.block_columns);
        let (row, column) = (
            index / across * self.block_rows,
            index % across * self.block_columns,
        );
        (
            row..(row + self.block_rows).min(self.rows),
            column..(column + self.block_columns).min(self.columns),
        )
    }
}
