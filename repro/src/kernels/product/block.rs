//! A block of the output: the tiles of some rows and some columns, computed by one thread.

use super::matrix::Matrix;
use super::pack::{Buffer, Right, interleave, rows_of, strips};
use super::tile::{Strips, TILES, tile};
use crate::kernels::elementary::gelu;
use crate::kernels::paths::Path;
use crate::kernels::simd::{Kernel, Simd};
use std::cell::Cell;
use std::ops::Range;

/// Most steps of `k` between two rests of the accumulators: a strip of so many stays in the first-level cache.
const STRETCH: usize = 256;
/// Steps of `k` up to which they do not rest at all: to fetch the end of a strip from further away costs less.
const ONE_STRETCH: usize = 384;
/// Columns of the output worked on at once: with those rows they stay in the second-level cache while `k` runs.
const COLUMNS: usize = 768;
/// The same where `k` is one stretch.
const COLUMNS_ONCE: usize = 3072;
/// Steps of `k` whose right factor is packed at once.
const STEPS: usize = 4096;
/// Rows up to which a row-major right factor is read where it lies: packing would cost more than it saves.
const DIRECT_ROWS: usize = 24;
/// Numbers in a cache line.
const LINE: usize = 16;
/// Places of the largest tile of any path.
const TILE_MAX: usize = 12 * 32;

/// What is done to each element after its chain.
#[derive(Clone, Copy, Debug, Default)]
pub enum Finish<'a> {
    /// Nothing.
    #[default]
    Plain,
    /// The column's bias is added.
    Bias(&'a [f32]),
    /// The column's bias is added; what is then at most zero becomes +0.0. A NaN stays.
    BiasRelu(&'a [f32]),
    /// The column's bias is added, then [`gelu`] taken.
    BiasGelu(&'a [f32]),
}

impl<'a> Finish<'a> {
    fn bias(&self) -> Option<&'a [f32]> {
        match self {
            Finish::Plain => None,
            Finish::Bias(bias) | Finish::BiasRelu(bias) | Finish::BiasGelu(bias) => Some(bias),
        }
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, row: &mut [f32], columns: Range<usize>) {
        let Some(bias) = self.bias() else { return };
        let bias = &bias[columns];
        for (x, bias) in row.iter_mut().zip(bias) {
            *x += bias;
        }
        match self {
            Finish::Plain | Finish::Bias(_) => {}
            Finish::BiasRelu(_) => {
                for x in row {
                    *x = if *x <= 0.0 { 0.0 } else { *x };
                }
            }
            Finish::BiasGelu(_) => {
                for x in row {
                    *x = gelu::<S::Fma>(*x);
                }
            }
        }
    }
}

/// A product with the memory for its result.
pub(in crate::kernels) struct Task<'a> {
    a: Matrix<'a>,
    b: Right<'a>,
    finish: Finish<'a>,
    out: *mut f32,
    /// Distance between rows of the output.
    row: usize,
    _out: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: `run` writes only the rows and columns it is given, and its caller promises that no two calls meet.
unsafe impl Sync for Task<'_> {}

impl<'a> Task<'a> {
    /// The product into row-major memory; what was there does not matter.
    ///
    /// # Panics
    ///
    /// If the factors do not fit each other, the memory or the bias, or reach outside their storage.
    pub(in crate::kernels) fn new(
        a: Matrix<'a>,
        b: Right<'a>,
        finish: Finish<'a>,
        out: &'a mut [f32],
    ) -> Self {
        let columns = b.columns();
        Self::with_row(a, b, finish, out, columns)
    }

    /// The same with rows of the output `row` apart.
    pub(in crate::kernels) fn with_row(
        a: Matrix<'a>,
        b: Right<'a>,
        finish: Finish<'a>,
        out: &'a mut [f32],
        row: usize,
    ) -> Self {
        assert_eq!(
            a.columns,
            b.rows(),
            "repro: a product of {} columns by {} rows",
            a.columns,
            b.rows()
        );
        if a.columns > 0 && a.rows > 0 && b.columns() > 0 {
            a.assert_in_bounds();
            b.assert_in_bounds();
        }
        if let Some(bias) = finish.bias() {
            assert_eq!(
                bias.len(),
                b.columns(),
                "repro: a bias of another length than the product's rows"
            );
        }
        if let Some(above) = a.rows.checked_sub(1) {
            assert!(
                row >= b.columns() && out.len() >= above * row + b.columns(),
                "repro: the output of a product is too short"
            );
        }
        Self {
            a,
            b,
            finish,
            out: out.as_mut_ptr(),
            row,
            _out: std::marker::PhantomData,
        }
    }

    pub(super) fn lengths(&self) -> [usize; 3] {
        [self.a.rows, self.a.columns, self.b.columns()]
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self.b, Right::Packed(_))
    }

    /// Computes some rows and columns. The columns begin at a multiple of a path's strip.
    ///
    /// # Safety
    ///
    /// No other thread computes one of these elements, or uses that memory.
    ///
    /// # Panics
    ///
    /// If the right factor was packed for another path.
    pub(in crate::kernels) unsafe fn run(
        &self,
        path: Path,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        assert!(rows.end <= self.a.rows && columns.end <= self.b.columns());
        if let Right::Packed(packed) = self.b {
            assert!(
                packed.path() == path,
                "repro: a factor packed for the path `{}` meets the path `{}`",
                packed.path().name(),
                path.name()
            );
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        path.run(Block {
            task: self,
            rows,
            columns,
            scratch: &mut scratch,
        });
        SCRATCH.set(Some(scratch));
    }

    /// Computes all of it on this thread.
    pub(in crate::kernels) fn run_alone(self, path: Path) {
        let [rows, _, columns] = self.lengths();
        // SAFETY: the memory is borrowed for this task, which is not shared.
        unsafe { self.run(path, 0..rows, 0..columns) };
    }
}

/// Memory for the packed factors of one thread.
#[derive(Default)]
struct Scratch {
    left: Buffer,
    right: Buffer,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

struct Block<'t, 'a> {
    task: &'t Task<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    scratch: &'t mut Scratch,
}

/// Steps between two rests, of so many: equal shares.
fn stretch(steps: usize) -> usize {
    if steps <= ONE_STRETCH {
        steps.max(1)
    } else {
        steps.div_ceil(steps.div_ceil(STRETCH))
    }
}

/// The right factor as the tiles find it: whole strips, and the last one if it is not whole.
struct Ready {
    whole: Strips,
    rest: Strips,
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
        // Rows that are worked on at once use a copy once: then it need not outlast a stretch.
        let is_used_once = rows.len() <= TILES * S::ROWS;
        let steps = if is_used_once { ONE_STRETCH } else { STEPS };
        // Accumulators that never rest need not stay near.
        let across = if k <= ONE_STRETCH {
            COLUMNS_ONCE
        } else {
            COLUMNS
        };
        for first in columns.clone().step_by(across) {
            let columns = first..(first + across).min(columns.end);
            // Once also where `k` is zero, for the elements whose chain is empty.
            for start in (0..k.max(1)).step_by(steps) {
                let ks = start..(start + steps).min(k);
                let source = Source::of(simd, task, &rows, &columns, &ks, &mut scratch.right);
                let stretch = stretch(ks.len());
                // So many rows of the left factor stay in the second-level cache.
                for top in rows.clone().step_by(TILES * S::ROWS) {
                    let rows = top..(top + TILES * S::ROWS).min(rows.end);
                    for start in (ks.start..ks.end.max(ks.start + 1)).step_by(stretch) {
                        let part = start..(start + stretch).min(ks.end);
                        let ready = source.ready::<S>(task, &columns, &part);
                        let left = pack_left(simd, &task.a, &rows, &part, &mut scratch.left);
                        let begins = start == 0;
                        walk(
                            simd,
                            task,
                            left,
                            &ready,
                            &rows,
                            &columns,
                            part.len(),
                            begins,
                        );
                    }
                    if ks.end == k {
                        finish::<S>(task, rows, &columns);
                    }
                }
            }
        }
    }
}

/// The right factor of some columns and steps.
#[derive(Clone, Copy)]
enum Source {
    /// Where it lies; the columns that fill no strip are copied here.
    Direct { rest: *const f32, start: usize },
    /// In a [`Packed`](super::Packed).
    Packed,
    /// Copied here, one strip of all steps after the other.
    Copied {
        first: *const f32,
        start: usize,
        steps: usize,
    },
}

impl Source {
    /// Finds or copies it.
    #[inline(always)]
    fn of<S: Simd>(
        simd: S,
        task: &Task,
        rows: &Range<usize>,
        columns: &Range<usize>,
        ks: &Range<usize>,
        buffer: &mut Buffer,
    ) -> Self {
        let strip = 2 * S::LANES;
        match task.b {
            Right::Packed(_) => Source::Packed,
            Right::Matrix(b)
                if rows.len() <= DIRECT_ROWS && b.column_stride == 1 && b.row_stride >= 0 =>
            {
                let rest = columns.end - columns.len() % strip..columns.end;
                let out = buffer.take(strip * ks.len());
                strips(simd, task.b, ks.clone(), rest, out);
                Source::Direct {
                    rest: out.as_ptr(),
                    start: ks.start,
                }
            }
            _ => {
                let out = buffer.take(columns.len().div_ceil(strip) * strip * ks.len());
                strips(simd, task.b, ks.clone(), columns.clone(), out);
                Source::Copied {
                    first: out.as_ptr(),
                    start: ks.start,
                    steps: ks.len(),
                }
            }
        }
    }

    /// Some steps of it for the tiles.
    #[inline(always)]
    fn ready<S: Simd>(self, task: &Task, columns: &Range<usize>, ks: &Range<usize>) -> Ready {
        let strip = 2 * S::LANES;
        let count = columns.len() / strip;
        let behind = |strips: Strips| Strips {
            start: strips.start.wrapping_add(count * strips.pair),
            ..strips
        };
        if ks.is_empty() {
            let none = Strips {
                start: std::ptr::NonNull::dangling().as_ptr(),
                row: 0,
                pair: 0,
            };
            return Ready {
                whole: none,
                rest: none,
            };
        }
        match (self, task.b) {
            (Source::Direct { rest, start }, Right::Matrix(b)) => Ready {
                whole: Strips {
                    start: b.data[b.at(ks.start, columns.start)..].as_ptr(),
                    row: b.row_stride as usize,
                    pair: strip,
                },
                rest: Strips {
                    start: rest.wrapping_add((ks.start - start) * strip),
                    row: strip,
                    pair: 0,
                },
            },
            (
                Source::Copied {
                    first,
                    start,
                    steps,
                },
                _,
            ) => {
                let whole = Strips {
                    start: first.wrapping_add((ks.start - start) * strip),
                    row: strip,
                    pair: strip * steps,
                };
                Ready {
                    whole,
                    rest: behind(whole),
                }
            }
            (_, Right::Packed(packed)) => {
                let whole = packed.strips(ks.start, columns.start);
                Ready {
                    whole,
                    rest: behind(whole),
                }
            }
            _ => unreachable!("only a matrix is read where it lies"),
        }
    }
}

/// Packs the left factor, a tile's rows after another's.
#[inline(always)]
fn pack_left<S: Simd>(
    simd: S,
    a: &Matrix,
    rows: &Range<usize>,
    ks: &Range<usize>,
    buffer: &mut Buffer,
) -> *const f32 {
    let out = buffer.take(rows.len() * ks.len());
    if ks.is_empty() {
        return out.as_ptr();
    }
    let mut at = 0;
    for top in rows.clone().step_by(S::ROWS) {
        let rows = top..(top + S::ROWS).min(rows.end);
        let height = rows.len();
        let len = height * ks.len();
        interleave(
            simd,
            rows_of(a, rows, ks.clone()),
            height,
            &mut out[at..at + len],
        );
        at += len;
    }
    out.as_ptr()
}

/// Computes the tiles: the strips one after the other, and under each the rows, so that a strip is read from the nearest cache.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn walk<S: Simd>(
    simd: S,
    task: &Task,
    left: *const f32,
    ready: &Ready,
    rows: &Range<usize>,
    columns: &Range<usize>,
    k: usize,
    begins: bool,
) {
    let strip = 2 * S::LANES;
    let whole = columns.len() / strip;
    let rest = columns.len() % strip;
    let out = task.out.wrapping_add(rows.start * task.row + columns.start);
    let (full, short) = (rows.len() / S::ROWS, rows.len() % S::ROWS);
    let strips_from = |index: usize| Strips {
        start: ready.whole.start.wrapping_add(index * ready.whole.pair),
        ..ready.whole
    };
    // SAFETY: every tile reads `k` rows of strips that `prepare` made ready and `height · k` numbers that `pack_left`
    // wrote, and writes rows and columns that `run` was given, which lie in the output by `with_row`.
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
                let out = out.wrapping_add(tile_index * S::ROWS * task.row + index * strip);
                if !begins && tile_index + 1 < full {
                    // The next tile's accumulators.
                    for row in S::ROWS..2 * S::ROWS {
                        simd.prefetch_near(out.wrapping_add(row * task.row));
                        simd.prefetch_near(out.wrapping_add(row * task.row + LINE));
                    }
                }
                match S::ROWS {
                    12 => tile::<S, 12, 1>(simd, k, left, right, out, task.row, begins, soon),
                    6 => tile::<S, 6, 1>(simd, k, left, right, out, task.row, begins, soon),
                    _ => unreachable!("tiles have 6 or 12 rows"),
                }
            }
        }
        if short > 0 {
            let left = left.wrapping_add(full * S::ROWS * k);
            let out = out.wrapping_add(full * S::ROWS * task.row);
            let mut index = 0;
            while index < whole {
                let right = strips_from(index);
                let out = out.wrapping_add(index * strip);
                index += short_tile(
                    simd,
                    short,
                    whole - index,
                    k,
                    left,
                    right,
                    out,
                    task.row,
                    begins,
                );
            }
        }
        if rest > 0 {
            for top in (0..rows.len()).step_by(S::ROWS) {
                let height = S::ROWS.min(rows.len() - top);
                let left = left.wrapping_add(top * k);
                let out = out.wrapping_add(top * task.row + whole * strip);
                let mut held = [0.0f32; TILE_MAX];
                if !begins {
                    for row in 0..height {
                        let from = out.wrapping_add(row * task.row);
                        std::ptr::copy_nonoverlapping(from, held[row * strip..].as_mut_ptr(), rest);
                    }
                }
                one_tile(
                    simd,
                    height,
                    k,
                    left,
                    ready.rest,
                    held.as_mut_ptr(),
                    strip,
                    begins,
                );
                for row in 0..height {
                    let to = out.wrapping_add(row * task.row);
                    std::ptr::copy_nonoverlapping(held[row * strip..].as_ptr(), to, rest);
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
#[allow(clippy::too_many_arguments)]
unsafe fn short_tile<S: Simd>(
    simd: S,
    height: usize,
    strips: usize,
    k: usize,
    left: *const f32,
    right: Strips,
    out: *mut f32,
    row: usize,
    begins: bool,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        if height * 6 <= S::ROWS && strips >= 4 {
            match height {
                1 => tile::<S, 1, 4>(simd, k, left, right, out, row, begins, left),
                _ => tile::<S, 2, 4>(simd, k, left, right, out, row, begins, left),
            }
            return 4;
        }
        if height * 2 <= S::ROWS && strips >= 2 {
            match height {
                1 => tile::<S, 1, 2>(simd, k, left, right, out, row, begins, left),
                2 => tile::<S, 2, 2>(simd, k, left, right, out, row, begins, left),
                3 => tile::<S, 3, 2>(simd, k, left, right, out, row, begins, left),
                4 if S::ROWS >= 12 => tile::<S, 4, 2>(simd, k, left, right, out, row, begins, left),
                5 if S::ROWS >= 12 => tile::<S, 5, 2>(simd, k, left, right, out, row, begins, left),
                _ if S::ROWS >= 12 => tile::<S, 6, 2>(simd, k, left, right, out, row, begins, left),
                _ => unreachable!("half of the rows"),
            }
            return 2;
        }
        one_tile(simd, height, k, left, right, out, row, begins);
        1
    }
}

/// A tile of one strip and any height.
///
/// # Safety
///
/// As [`tile`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn one_tile<S: Simd>(
    simd: S,
    height: usize,
    k: usize,
    left: *const f32,
    right: Strips,
    out: *mut f32,
    row: usize,
    begins: bool,
) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match height {
                $($height if $height <= S::ROWS => {
                    tile::<S, $height, 1>(simd, k, left, right, out, row, begins, left);
                })*
                _ => unreachable!("no tile has {height} rows"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe { heights!(1 2 3 4 5 6 7 8 9 10 11 12) }
}

/// Does to each element what comes after its chain.
#[inline(always)]
fn finish<S: Simd>(task: &Task, rows: Range<usize>, columns: &Range<usize>) {
    if matches!(task.finish, Finish::Plain) {
        return;
    }
    for row in rows {
        let start = task.out.wrapping_add(row * task.row + columns.start);
        // SAFETY: these elements are the caller's of `run`, and lie in the output.
        let row = unsafe { std::slice::from_raw_parts_mut(start, columns.len()) };
        task.finish.apply::<S>(row, columns.clone());
    }
}
