//! How an output is cut into independent blocks.

use super::task::Task;
use super::tile::Shape;
use crate::kernels::paths::Settings;
use std::ops::Range;

/// Multiply-adds after which another block a thread is worth its packing: it evens out threads that are disturbed.
const SOME: usize = 1 << 27;

/// Most blocks a thread.
const BLOCKS_MAX: usize = 4;

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
        let Shape {
            rows: tile_rows,
            columns: tile_columns,
            ..
        } = Shape::on(settings.path);
        let wanted = threads * (work / threads / SOME).clamp(1, BLOCKS_MAX);
        let cuts = (1..=wanted).filter(|down| wanted.is_multiple_of(*down));
        let grids = cuts.map(|down| {
            let right = wanted / down;
            let of = |len: usize, parts: usize, step: usize| {
                len.div_ceil(parts).next_multiple_of(step).min(len.max(1))
            };
            Self {
                threads,
                block_rows: of(m, down, tile_rows),
                block_columns: of(n, right, tile_columns),
                ..whole
            }
        });
        grids
            .min_by_key(|grid| grid.cost(task.is_packed()))
            .unwrap_or(whole)
    }

    /// The time of the thread that has most to do, in elements of the output: to copy a row of the left factor takes about as long
    /// as thirty of them, to copy a column of the right factor forty, and to fetch one that is packed, four.
    fn cost(&self, is_packed: bool) -> usize {
        let turns = self.len().div_ceil(self.threads);
        let column = if is_packed { 4 } else { 40 };
        let [rows, columns] = [self.block_rows, self.block_columns];
        turns * (rows * columns + rows * 30 + columns * column)
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
