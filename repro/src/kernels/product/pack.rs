//! Copies of the factors in the order in which a tile reads them.

use super::matrix::Matrix;
use super::steps::{STEPS, Stretches};
use super::tile::{Shape, Strips, rows as tile_rows, width};
use crate::kernels::memory::Numbers;
use crate::kernels::paths::{Path, Settings};
use crate::kernels::pool;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::view::elements;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Where the right factor comes from.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Right<'a> {
    /// A matrix of any strides.
    Matrix(Matrix<'a>),
    /// A factor packed before.
    Packed(&'a Packed),
}

impl Right<'_> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Right::Matrix(b) => b.rows,
            Right::Packed(b) => b.rows,
        }
    }

    pub(super) fn columns(&self) -> usize {
        match self {
            Right::Matrix(b) => b.columns,
            Right::Packed(b) => b.columns,
        }
    }

    /// Asserts that every element lies in the storage.
    pub(super) fn assert_in_bounds(&self) {
        match self {
            Right::Matrix(b) => b.assert_in_bounds(),
            Right::Packed(_) => {}
        }
    }
}

/// Memory for copies, used again and again. What it holds between uses means nothing.
#[derive(Default)]
pub(super) struct Buffer {
    data: Option<Numbers>,
}

impl Buffer {
    /// A place for `len` numbers at the border of a cache line.
    pub(super) fn take(&mut self, len: usize) -> &mut [f32] {
        if self.data.as_ref().is_none_or(|data| data.len() < len) {
            // What is too small goes back first.
            self.data = None;
        }
        let data = self.data.get_or_insert_with(|| Numbers::unset(len));
        &mut data[..len]
    }
}

/// A right factor packed once, for weights that multiply again and again.
///
/// **Shapes.** `[k, n]`. It belongs to the path it was packed for, because paths read strips of other widths.
pub struct Packed {
    data: Numbers,
    path: Path,
    rows: usize,
    columns: usize,
    strip: usize,
    /// Columns, and those of zeros that fill the last vector.
    across: usize,
}

impl Packed {
    /// Packs a factor for this path.
    ///
    /// # Panics
    ///
    /// If the matrix reaches outside its storage.
    pub fn new(path: Path, b: Matrix) -> Self {
        Self::on(Settings::current().with_path(path).with_threads(1), b)
    }

    /// Packs a factor with so many threads.
    ///
    /// # Panics
    ///
    /// If the matrix reaches outside its storage.
    pub(super) fn on(settings: Settings, b: Matrix) -> Self {
        b.assert_in_bounds();
        let Settings { path, threads, .. } = settings;
        let shape = Shape::on(path);
        let across = b.columns.next_multiple_of(shape.lanes);
        let mut data = Numbers::unset(elements(&[across, b.rows]));
        let some = if threads == 1 {
            b.columns.max(1)
        } else {
            b.columns
                .div_ceil(2 * threads)
                .next_multiple_of(shape.columns)
        };
        let mut pieces = Vec::new();
        let mut rest = &mut data[..];
        let starts = (0..b.rows).step_by(STEPS);
        for rows in starts.flat_map(|start| Stretches::of(start..(start + STEPS).min(b.rows))) {
            for start in (0..b.columns).step_by(some) {
                let columns = start..(start + some).min(b.columns);
                let len = rows.len() * columns.len().next_multiple_of(shape.lanes);
                let (out, behind) = rest.split_at_mut(len);
                pieces.push(Mutex::new(Piece {
                    b,
                    rows: rows.clone(),
                    columns,
                    out,
                }));
                rest = behind;
            }
        }
        pool::run(threads, pieces.len(), |index| {
            path.run(&mut *pieces[index].lock().unwrap_or_else(PoisonError::into_inner));
        });
        drop(pieces);
        Self {
            data,
            path,
            rows: b.rows,
            columns: b.columns,
            strip: shape.columns,
            across,
        }
    }

    /// Number of rows, `k`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns, `n`.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The path it was packed for.
    pub fn path(&self) -> Path {
        self.path
    }

    /// A stretch of it from a column on, which must be the first of a strip.
    pub(super) fn strips(&self, stretch: &Range<usize>, column: usize) -> Strips {
        debug_assert!(column.is_multiple_of(self.strip) && stretch.end <= self.rows);
        let at = stretch.start * self.across + column * stretch.len();
        Strips {
            start: self.data[at..].as_ptr(),
            row: self.strip,
            strip: stretch.len() * self.strip,
        }
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// Some steps and some columns of a right factor that is packed.
struct Piece<'a> {
    b: Matrix<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &'a mut [f32],
}

impl Kernel for &mut Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        strips(
            simd,
            self.b,
            self.rows.clone(),
            self.columns.clone(),
            self.out,
        );
    }
}

/// Copies some columns of a right factor, at most [`STEPS`] rows of it, stretch by stretch, each in [`strips`]. So the strips
/// of a stretch adjoin, and do not compete for places in a cache, as they would at distances of a power of two.
///
/// # Panics
///
/// If `out` is shorter than the strips are.
#[inline(always)]
pub(super) fn in_stretches<S: Simd>(
    simd: S,
    b: Matrix,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let across = columns.len().next_multiple_of(S::LANES);
    let mut rest = out;
    for stretch in Stretches::of(rows) {
        let (out, behind) = rest.split_at_mut(stretch.len() * across);
        strips(simd, b, stretch, columns.clone(), out);
        rest = behind;
    }
}

/// Copies some rows and columns of a right factor into strips as wide as a tile, one after the other, each row-major. The last
/// has as many vectors as it needs, and what those have too many is zeros.
///
/// # Panics
///
/// If `out` is shorter than the strips are.
#[inline(always)]
pub(super) fn strips<S: Simd>(
    simd: S,
    b: Matrix,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let strip = width::<S>();
    let mut columns = columns;
    let mut at = 0;
    if b.column_stride == 1 && b.row_stride >= 0 {
        let whole = columns.start..columns.end - columns.len() % strip;
        columns.start = whole.end;
        at = whole.len() * rows.len();
        whole_strips(simd, b, rows.clone(), whole, strip, &mut out[..at]);
    }
    let mut column = columns.start;
    while column < columns.end {
        let count = strip.min(columns.end - column);
        let width = count.next_multiple_of(S::LANES);
        let out = &mut out[at..at + rows.len() * width];
        let start = b.at(rows.start, column);
        let block = Lanes {
            from: &b.data[start.min(b.data.len())..],
            whole: b.data,
            start,
            len: rows.len(),
            step: b.row_stride,
            count,
            lane: b.column_stride,
        };
        interleave(simd, block, width, out);
        column += count;
        at += rows.len() * width;
    }
}

/// Copies whole strips of a matrix whose columns adjoin, some rows of all strips before the next rows: so it is read in
/// the order of memory.
///
/// # Panics
///
/// If the numbers lie outside the storage, or `out` has another length than the strips.
#[inline(always)]
fn whole_strips<S: Simd>(
    simd: S,
    b: Matrix,
    rows: Range<usize>,
    columns: Range<usize>,
    strip: usize,
    out: &mut [f32],
) {
    const AT_ONCE: usize = 4;
    assert!(out.len() == rows.len() * columns.len() && columns.len().is_multiple_of(strip));
    if out.is_empty() {
        return;
    }
    let stride = b.row_stride as usize;
    let from = &b.data[b.at(rows.start, columns.start)..];
    assert!(from.len() >= (rows.len() - 1) * stride + columns.len());
    let (mut some, mut place) = (from.as_ptr(), out.as_mut_ptr());
    let mut left = rows.len();
    while left > 0 {
        let count = AT_ONCE.min(left);
        let (mut first, mut to) = (some, place);
        for _ in 0..columns.len() / strip {
            for row in 0..count {
                let from = first.wrapping_add(row.wrapping_mul(stride));
                let to = to.wrapping_add(row.wrapping_mul(strip));
                // SAFETY: row and strip lie in the storage and in `out`, as asserted.
                unsafe {
                    if strip.is_multiple_of(S::LANES) {
                        for at in (0..strip).step_by(S::LANES) {
                            simd.store(to.add(at), simd.load(from.add(at)));
                        }
                    } else {
                        std::ptr::copy_nonoverlapping(from, to, strip);
                    }
                }
            }
            first = first.wrapping_add(strip);
            to = to.wrapping_add(rows.len().wrapping_mul(strip));
        }
        some = some.wrapping_add(count.wrapping_mul(stride));
        place = place.wrapping_add(count.wrapping_mul(strip));
        left -= count;
    }
}

/// Copies some rows of a left factor, a tile's rows after another's, the numbers of a step side by side.
///
/// # Panics
///
/// If `out` is shorter than they are together, or a number lies outside the storage.
#[inline(always)]
pub(super) fn left<S: Simd>(
    simd: S,
    a: &Matrix,
    rows: &Range<usize>,
    ks: &Range<usize>,
    out: &mut [f32],
) {
    let height = tile_rows::<S>();
    let mut rows = rows.clone();
    let mut out = out;
    if a.row_stride == 1 && a.column_stride >= 0 {
        // A factor that is transposed: as if its tiles were strips of a right one.
        let whole = rows.start..rows.end - rows.len() % height;
        rows.start = whole.end;
        let (now, later) = out.split_at_mut(whole.len() * ks.len());
        whole_strips(simd, a.transposed(), ks.clone(), whole, height, now);
        out = later;
    }
    while !rows.is_empty() {
        let some = rows.start..(rows.start + height).min(rows.end);
        rows.start = some.end;
        let height = some.len();
        let (now, later) = out.split_at_mut(height * ks.len());
        interleave(simd, rows_of(a, some, ks.clone()), height, now);
        out = later;
    }
}

/// Numbers to interleave: `len` steps of `count` lanes.
#[derive(Clone, Copy)]
struct Lanes<'a> {
    /// From the first number on.
    from: &'a [f32],
    whole: &'a [f32],
    start: usize,
    len: usize,
    step: isize,
    count: usize,
    lane: isize,
}

/// Some rows of a left factor for one tile: a step of `k` is a number a row.
fn rows_of<'a>(a: &Matrix<'a>, rows: Range<usize>, ks: Range<usize>) -> Lanes<'a> {
    let start = a.at(rows.start, ks.start);
    Lanes {
        from: &a.data[start..],
        whole: a.data,
        start,
        len: ks.len(),
        step: a.column_stride,
        count: rows.len(),
        lane: a.row_stride,
    }
}

/// Writes the lanes of each step side by side, in `width` places of which those without a lane become zero.
///
/// # Panics
///
/// If `out` is shorter than `len` times `width`, or a number lies outside the storage.
#[inline(always)]
fn interleave<S: Simd>(simd: S, lanes: Lanes, width: usize, out: &mut [f32]) {
    let Lanes {
        from,
        whole,
        start,
        len,
        step,
        count,
        lane,
    } = lanes;
    assert!(count <= width && out.len() >= len * width);
    if len == 0 || count == 0 {
        return out[..len * width].fill(0.0);
    }
    let far = |n: usize, by: usize| (n - 1) * by;
    if lane == 1 && step >= 0 {
        let step = step as usize;
        assert!(far(len, step) + count <= from.len());
        let (mut source, mut to) = (from.as_ptr(), out.as_mut_ptr());
        let is_whole = count.is_multiple_of(S::LANES);
        for _ in 0..len {
            // SAFETY: `count` numbers can be read in each of `len` steps, as asserted, and `width` written.
            unsafe {
                if is_whole {
                    for at in (0..count).step_by(S::LANES) {
                        simd.store(to.add(at), simd.load(source.add(at)));
                    }
                } else {
                    copy_few(source, to, count);
                }
                to.add(count).write_bytes(0, width - count);
                to = to.add(width);
            }
            source = source.wrapping_add(step);
        }
        return;
    }
    if step == 1 && lane >= 0 {
        let lane = lane as usize;
        assert!(far(count, lane) + len <= from.len());
        if count < width {
            for row in out.chunks_exact_mut(width).take(len) {
                row[count..].fill(0.0);
            }
        }
        // SAFETY: each lane has `len` numbers, as asserted, and `out` has room for them.
        unsafe {
            turn(
                simd,
                from.as_ptr(),
                lane,
                count,
                len,
                out.as_mut_ptr(),
                width,
            )
        };
        return;
    }
    for (at, row) in out.chunks_exact_mut(width).take(len).enumerate() {
        let base = start as isize + at as isize * step;
        for (index, place) in row.iter_mut().enumerate() {
            *place = if index < count {
                whole[(base + index as isize * lane) as usize]
            } else {
                0.0
            };
        }
    }
}

/// Copies a few numbers, without the call that a copy of unknown length would be.
///
/// # Safety
///
/// `count` numbers can be read at `from` and written at `to`.
#[inline(always)]
unsafe fn copy_few(from: *const f32, to: *mut f32, count: usize) {
    let mut at = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while at + 4 <= count {
            let four = from.add(at).cast::<[f32; 4]>().read_unaligned();
            to.add(at).cast::<[f32; 4]>().write_unaligned(four);
            at += 4;
        }
        while at < count {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}

/// Turns `count` rows of `len` numbers into `len` rows of `count`, as much at once as adjoins and vectors hold.
///
/// # Safety
///
/// `len` numbers can be read from each of the rows, `lane` apart; `len` rows of `count`, `width` apart, be written.
#[inline(always)]
unsafe fn turn<S: Simd>(
    simd: S,
    from: *const f32,
    lane: usize,
    count: usize,
    len: usize,
    to: *mut f32,
    width: usize,
) {
    let mut step = 0;
    // SAFETY: the caller's promise.
    unsafe {
        if count == tile_rows::<S>() && width == count {
            while step + S::TURNED <= len {
                simd.turn_tile(from.add(step), lane, to.add(step * width));
                step += S::TURNED;
            }
        }
        while step + 4 <= len {
            let mut first = 0;
            while first + 4 <= count {
                let from = from.add(first * lane + step);
                simd.turn(from, lane, to.add(step * width + first), width);
                first += 4;
            }
            for row in first..count {
                for step in step..step + 4 {
                    *to.add(step * width + row) = *from.add(row * lane + step);
                }
            }
            step += 4;
        }
        while step < len {
            for row in 0..count {
                *to.add(step * width + row) = *from.add(row * lane + step);
            }
            step += 1;
        }
    }
}
