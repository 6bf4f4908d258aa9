//! The product of two matrices, and everything built on it.
//!
//! **Shapes.** `[m, k]` times `[k, n]` to `[m, n]`.
//!
//! **Order.** Each output element is one chain: `acc = +0.0`, then `acc = fma(a_k, b_k, acc)` for `k`
//! ascending. A chain is never split. The kernel is free in everything else: it computes a tile of rows
//! times sixteen columns at a time, cuts `k` into stretches between which the accumulators rest in the output, copies
//! the right factor into strips, and gives tiles to threads; none of it touches a chain.
//! In particular a row of the output depends on that row of the left factor only.

use super::fma::{Fma, Portable};
use super::paths::{Path, Settings, assert_ieee_environment};
use super::view::View;
use std::ops::Range;

/// Columns of a tile: one strip of the right factor.
pub(super) const STRIP: usize = 16;
/// Rows of a tile.
const ROWS: usize = 6;
/// Stretch of `k` for which a strip stays in the first-level cache (16 × 256 × 4 bytes).
const STRETCH: usize = 256;

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The storage.
    pub data: &'a [f32],
    /// Where element (0, 0) is.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Distance between rows.
    pub row_stride: isize,
    /// Distance between columns.
    pub column_stride: isize,
}

impl<'a> Matrix<'a> {
    /// A gap-free row-major matrix.
    pub fn row_major(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(
            data.len(),
            rows * columns,
            "the shape does not describe the data"
        );
        Self {
            data,
            offset: 0,
            rows,
            columns,
            row_stride: columns as isize,
            column_stride: 1,
        }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn at(&self, row: usize, column: usize) -> usize {
        let moved = row as isize * self.row_stride + column as isize * self.column_stride;
        (self.offset as isize + moved) as usize
    }

    /// Asserts that every element lies in the storage, which the tiles rely on.
    fn assert_in_bounds(&self) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let span = |len: usize, stride: isize| (len as isize - 1) * stride;
        let (down, right) = (
            span(self.rows, self.row_stride),
            span(self.columns, self.column_stride),
        );
        let least = self.offset as isize + down.min(0) + right.min(0);
        let greatest = self.offset as isize + down.max(0) + right.max(0);
        assert!(
            least >= 0 && (greatest as usize) < self.data.len(),
            "repro: a matrix reaches outside its storage"
        );
    }
}

/// `a` times `b`, row-major.
///
/// **Shapes.** `[m, k]` times `[k, n]` to `[m, n]`. **Order.** One fused chain an element, `k` ascending from +0.0.
///
/// # Panics
///
/// If the inner lengths differ.
pub fn product(settings: Settings, a: Matrix, b: Matrix) -> Vec<f32> {
    let mut out = vec![0.0; a.rows * b.columns];
    product_into(settings, a, b, &mut out);
    out
}

/// Products of stacks of matrices: leading axes broadcast, the last two multiply.
///
/// **Shapes.** `[.., m, k]` times `[.., k, n]` to `[.., m, n]`; also returns that shape.
/// **Order.** As [`product`], for each pair.
pub fn batched(settings: Settings, a: View, b: View) -> (Vec<f32>, Vec<usize>) {
    let rank = a.shape.len();
    assert!(
        rank >= 2 && rank == b.shape.len(),
        "repro: a product needs two tensors of one rank, at least 2"
    );
    let lead = super::elementwise::broadcast_shape(&a.shape[..rank - 2], &b.shape[..rank - 2]);
    let (m, n) = (a.shape[rank - 2], b.shape[rank - 1]);
    let mut shape = lead.clone();
    shape.extend([m, n]);
    let mut out = vec![0.0; shape.iter().product()];
    if out.is_empty() {
        return (out, shape);
    }
    for (index, out) in out.chunks_exact_mut(m * n).enumerate() {
        product_into(
            settings,
            plane(&a, &lead, index),
            plane(&b, &lead, index),
            out,
        );
    }
    (out, shape)
}

/// The matrix of a stack that belongs to one (row-major) position of the broadcast leading axes.
fn plane<'a>(view: &View<'a>, lead: &[usize], mut index: usize) -> Matrix<'a> {
    let rank = view.shape.len();
    let mut offset = view.offset as isize;
    for axis in (0..lead.len()).rev() {
        let position = index % lead[axis];
        index /= lead[axis];
        if view.shape[axis] != 1 {
            offset += position as isize * view.strides[axis];
        }
    }
    Matrix {
        data: view.data,
        offset: offset as usize,
        rows: view.shape[rank - 2],
        columns: view.shape[rank - 1],
        row_stride: view.strides[rank - 2],
        column_stride: view.strides[rank - 1],
    }
}

/// [`product`] into a slice that holds +0.0 everywhere.
fn product_into(settings: Settings, a: Matrix, b: Matrix, out: &mut [f32]) {
    assert_eq!(
        a.columns, b.rows,
        "repro: a product of {} columns by {} rows",
        a.columns, b.rows
    );
    let (m, k, n) = (a.rows, a.columns, b.columns);
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    a.assert_in_bounds();
    b.assert_in_bounds();
    let strips = Strips::of(b);
    let tiles = m.div_ceil(ROWS);
    let threads = if m * k * n < settings.split_min {
        1
    } else {
        settings.threads
    };
    if threads.min(tiles) <= 1 {
        rows_into(settings.path, a, &strips, 0..m, out, n);
        return;
    }
    let share = tiles.div_ceil(threads.min(tiles)) * ROWS;
    std::thread::scope(|scope| {
        let mut chunks = out.chunks_mut(share * n).enumerate();
        let first = chunks.next();
        for (index, chunk) in chunks {
            let strips = &strips;
            let rows = index * share..(index * share + share).min(m);
            scope.spawn(move || {
                assert_ieee_environment();
                rows_into(settings.path, a, strips, rows, chunk, n);
            });
        }
        if let Some((_, chunk)) = first {
            rows_into(settings.path, a, &strips, 0..share.min(m), chunk, n);
        }
    });
}

/// The right factor as strips of sixteen columns, each row-major, the last padded with zeros.
pub(super) struct Strips {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Strips {
    /// Strips of nothing, to gather into.
    pub(super) fn empty() -> Self {
        Self {
            data: Vec::new(),
            rows: 0,
            columns: 0,
        }
    }

    /// Makes these the strips of the factor whose element (row, column) is `from[rows[row] + columns[column]]`.
    ///
    /// # Panics
    ///
    /// If that points outside `from`.
    pub(super) fn gather(&mut self, from: &[f32], rows: &[usize], columns: &[usize]) {
        (self.rows, self.columns) = (rows.len(), columns.len());
        let len = columns.len().div_ceil(STRIP) * rows.len() * STRIP;
        if !columns.len().is_multiple_of(STRIP) {
            // The last strip keeps zeros where it has no columns.
            self.data.clear();
        }
        self.data.resize(len, 0.0);
        if rows.is_empty() {
            return;
        }
        let strips = self.data.chunks_exact_mut(rows.len() * STRIP);
        for (columns, out) in columns.chunks(STRIP).zip(strips) {
            let first = columns[0];
            let is_run =
                columns.len() == STRIP && columns.iter().enumerate().all(|(i, &c)| c == first + i);
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(STRIP)) {
                if is_run {
                    out.copy_from_slice(&from[row + first..][..STRIP]);
                    continue;
                }
                let from = &from[row..];
                for (out, &column) in out.iter_mut().zip(columns) {
                    *out = from[column];
                }
            }
        }
    }

    fn of(b: Matrix) -> Self {
        let count = b.columns.div_ceil(STRIP);
        let mut data = vec![0.0; count * b.rows * STRIP];
        for (strip, out) in data.chunks_exact_mut(b.rows * STRIP).enumerate() {
            let first = strip * STRIP;
            let width = STRIP.min(b.columns - first);
            if b.column_stride == 1 {
                for (row, out) in out.chunks_exact_mut(STRIP).enumerate() {
                    let at = b.at(row, first);
                    out[..width].copy_from_slice(&b.data[at..at + width]);
                }
                continue;
            }
            for column in 0..width {
                let mut at = b.at(0, first + column) as isize;
                for row in 0..b.rows {
                    out[row * STRIP + column] = b.data[at as usize];
                    at += b.row_stride;
                }
            }
        }
        Self {
            data,
            rows: b.rows,
            columns: b.columns,
        }
    }
}

/// Continues the chains of some rows of the output in `out`, where row `r` of them starts at `r · n`.
///
/// # Panics
///
/// If the left factor reaches outside its storage, has other columns than the strips have rows, or `out` is too short.
pub(super) fn rows_into(
    path: Path,
    a: Matrix,
    strips: &Strips,
    rows: Range<usize>,
    out: &mut [f32],
    n: usize,
) {
    let (k, columns) = (strips.rows, strips.columns);
    a.assert_in_bounds();
    assert!(
        a.columns == k && rows.end <= a.rows,
        "repro: the factors of a product do not fit"
    );
    for start in (0..k).step_by(STRETCH) {
        let stretch = STRETCH.min(k - start);
        for (strip, data) in strips.data.chunks_exact(k * STRIP).enumerate() {
            let b = &data[start * STRIP..(start + stretch) * STRIP];
            let first = strip * STRIP;
            let width = STRIP.min(columns - first);
            for row in rows.clone().step_by(ROWS) {
                let height = ROWS.min(rows.end - row);
                let left = Matrix {
                    offset: a.at(row, start),
                    rows: height,
                    columns: stretch,
                    ..a
                };
                let at = (row - rows.start) * n + first;
                tile(path, left, b, &mut out[at..], n, width);
            }
        }
    }
}

/// Continues the chains of one tile: up to six rows, up to sixteen columns.
fn tile(path: Path, a: Matrix, b: &[f32], out: &mut [f32], n: usize, width: usize) {
    let mut acc = [[0.0f32; STRIP]; ROWS];
    for (row, acc) in acc.iter_mut().enumerate().take(a.rows) {
        acc[..width].copy_from_slice(&out[row * n..row * n + width]);
    }
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            // SAFETY: `Path::Avx2` is only in force where the processor has AVX2 and FMA, and
            // `rows_into` has asserted that every element of the left factor is in its storage.
            unsafe { avx2::chains(a, b, &mut acc) }
        }
        _ => chains::<Portable>(a, b, &mut acc),
    }
    for (row, acc) in acc.iter().enumerate().take(a.rows) {
        out[row * n..row * n + width].copy_from_slice(&acc[..width]);
    }
}

fn chains<F: Fma>(a: Matrix, b: &[f32], acc: &mut [[f32; STRIP]; ROWS]) {
    for (k, b) in b.chunks_exact(STRIP).enumerate() {
        for (row, acc) in acc.iter_mut().enumerate().take(a.rows) {
            let left = a.data[a.at(row, k)];
            for (acc, &right) in acc.iter_mut().zip(b) {
                *acc = F::fma(left, right, *acc);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Matrix, ROWS, STRIP};
    use std::arch::x86_64::{
        __m256, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
        _mm256_storeu_ps,
    };

    /// Continues the chains of one tile with two vectors of eight accumulators a row.
    ///
    /// # Safety
    ///
    /// Needs AVX2 and FMA, and every element of `a` in its storage.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn chains(a: Matrix, b: &[f32], acc: &mut [[f32; STRIP]; ROWS]) {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            match a.rows {
                1 => fixed::<1>(a, b, acc),
                2 => fixed::<2>(a, b, acc),
                3 => fixed::<3>(a, b, acc),
                4 => fixed::<4>(a, b, acc),
                5 => fixed::<5>(a, b, acc),
                _ => fixed::<ROWS>(a, b, acc),
            }
        }
    }

    /// # Safety
    ///
    /// As [`chains`], and `a` has at least `N` rows.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn fixed<const N: usize>(a: Matrix, b: &[f32], acc: &mut [[f32; STRIP]; ROWS]) {
        // SAFETY: rows and columns below `N` and `a.columns` are in the storage by the caller's promise;
        // `b` holds sixteen numbers a step, which `chunks_exact` and the assertion below ensure;
        // loads and stores of accumulators stay within rows of sixteen.
        unsafe {
            assert!(b.len() >= a.columns * STRIP);
            let mut low = [_mm256_setzero_ps(); N];
            let mut high = [_mm256_setzero_ps(); N];
            for row in 0..N {
                low[row] = _mm256_loadu_ps(acc[row].as_ptr());
                high[row] = _mm256_loadu_ps(acc[row].as_ptr().add(8));
            }
            let mut left = a.data.as_ptr().add(a.offset);
            let mut right = b.as_ptr();
            for _ in 0..a.columns {
                let (b_low, b_high): (__m256, __m256) =
                    (_mm256_loadu_ps(right), _mm256_loadu_ps(right.add(8)));
                for row in 0..N {
                    let value =
                        _mm256_broadcast_ss(&*left.wrapping_offset(row as isize * a.row_stride));
                    low[row] = _mm256_fmadd_ps(value, b_low, low[row]);
                    high[row] = _mm256_fmadd_ps(value, b_high, high[row]);
                }
                left = left.wrapping_offset(a.column_stride);
                right = right.add(STRIP);
            }
            for row in 0..N {
                _mm256_storeu_ps(acc[row].as_mut_ptr(), low[row]);
                _mm256_storeu_ps(acc[row].as_mut_ptr().add(8), high[row]);
            }
        }
    }
}
