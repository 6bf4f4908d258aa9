//! Sums along an axis: sixteen lanes, blocks of 4,096.
//!
//! **Order.** Element `i` of the axis goes to lane `i mod 16`. Each lane starts at +0.0 and adds its
//! elements in ascending order. The lanes combine by halving: lane `l` adds lane `l + 8` for `l < 8`,
//! then `l + 4`, `l + 2`, `l + 1`, and lane 0 is the sum. An axis longer than 4,096 is cut into blocks
//! of 4,096 (the last may be shorter); the blocks' sums, in ascending order, are summed by the same
//! rule. An empty axis sums to +0.0. Several axes reduced at once are one axis: their row-major
//! flattening. A mean is the sum divided by the count (the count rounded to binary32).
//!
//! The order depends on the length of the axis and on nothing else.

use super::memory::Numbers;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::in_place;
use super::view::Axis;

/// Lanes of a sum.
pub const LANES: usize = 16;
/// Elements of a block.
pub const BLOCK: usize = 4096;

/// Columns summed together in one pass: as many lanes as there are fit the registers of the widest path.
const COLUMNS: usize = 16;
/// The same where there are more columns: lanes in the nearest cache, for longer pieces of a row, which memory gives faster.
const WIDE_COLUMNS: usize = 128;

/// The sum of all elements.
///
/// **Shapes.** `[n]` to one number. **Order.** As in the module's head.
pub fn sum(x: &[f32]) -> f32 {
    if x.len() <= BLOCK {
        return sum_block(x);
    }
    let blocks: Vec<f32> = x.chunks(BLOCK).map(sum_block).collect();
    sum(&blocks)
}

/// The mean of all elements: [`sum`] divided by the count.
pub fn mean(x: &[f32]) -> f32 {
    sum(x) / x.len() as f32
}

/// Sums along one axis of a row-major tensor, on the calling thread.
///
/// **Shapes.** `[outer, len, inner]` to `[outer, inner]`. **Order.** As in the module's head.
///
/// # Panics
///
/// If the axis does not describe the data.
pub fn sum_axis(x: &[f32], axis: Axis) -> Vec<f32> {
    sum_along(Settings::current().with_threads(1), x, axis).to_vec()
}

/// [`sum_axis`] on as many threads as the settings give: over rows and columns, never inside a sum.
///
/// # Panics
///
/// As [`sum_axis`].
pub fn sum_along(settings: Settings, x: &[f32], axis: Axis) -> Numbers {
    let Axis { outer, len, inner } = axis;
    assert_eq!(
        x.len(),
        outer * len * inner,
        "the axis does not describe the data"
    );
    if x.is_empty() {
        return Numbers::zeros(outer * inner);
    }
    let mut out = Numbers::unset(outer * inner);
    let unit = if inner == 1 { 1 } else { COLUMNS.min(inner) };
    in_place(settings, &mut out, unit, len, |start, totals| {
        settings.path.run(Along {
            x,
            len,
            inner,
            start,
            totals,
        });
    });
    out
}

/// Means along one axis: [`sum_along`], each sum divided by the count.
///
/// # Panics
///
/// As [`sum_axis`].
pub fn mean_along(settings: Settings, x: &[f32], axis: Axis) -> Numbers {
    let count = axis.len as f32;
    let mut out = sum_along(settings, x, axis);
    for total in out.iter_mut() {
        *total /= count;
    }
    out
}

/// Some of the sums along an axis, from the one at `start`.
struct Along<'a> {
    x: &'a [f32],
    len: usize,
    inner: usize,
    start: usize,
    totals: &'a mut [f32],
}

impl Kernel for Along<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            x,
            len,
            inner,
            start,
            ..
        } = self;
        if inner == 1 {
            for (total, row) in self
                .totals
                .iter_mut()
                .zip(x[start * len..].chunks_exact(len))
            {
                *total = sum_row(row);
            }
            return;
        }
        let (mut at, mut totals) = (start, self.totals);
        while !totals.is_empty() {
            let (plane, column) = (at / inner, at % inner);
            let left = totals.len().min(inner - column);
            let width = match left >= WIDE_COLUMNS && len <= BLOCK {
                true => WIDE_COLUMNS,
                false => COLUMNS.min(left),
            };
            let (now, later) = totals.split_at_mut(width);
            let from = &x[plane * len * inner..(plane + 1) * len * inner];
            if let Some(now) = now.as_mut_array::<WIDE_COLUMNS>() {
                sum_wide_strip(from, inner, column, now);
            } else if len <= BLOCK {
                sum_strip(from, inner, column, now);
            } else {
                sum_long_strip(from, inner, column, now);
            }
            (at, totals) = (at + width, later);
        }
    }
}

/// The sum of a row, for kernels that are made of it.
#[inline(always)]
pub(super) fn sum_row(x: &[f32]) -> f32 {
    if x.len() <= BLOCK {
        sum_block(x)
    } else {
        sum(x)
    }
}

/// The sum of a row's squares, each rounded before it is added.
#[inline(always)]
pub(super) fn sum_squares(x: &[f32]) -> f32 {
    if x.len() <= BLOCK {
        return sum_squares_block(x);
    }
    let mut blocks = Vec::with_capacity(x.len().div_ceil(BLOCK));
    for block in x.chunks(BLOCK) {
        blocks.push(sum_squares_block(block));
    }
    sum(&blocks)
}

#[inline(always)]
fn sum_block(x: &[f32]) -> f32 {
    block::<false>(x)
}

#[inline(always)]
fn sum_squares_block(x: &[f32]) -> f32 {
    block::<true>(x)
}

/// The sum of at most [`BLOCK`] numbers, or of their squares.
#[inline(always)]
fn block<const SQUARED: bool>(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (rows, rest) = x.as_chunks::<LANES>();
    for row in rows {
        for (lane, &value) in lanes.iter_mut().zip(row) {
            *lane += if SQUARED { value * value } else { value };
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += if SQUARED { value * value } else { value };
    }
    halved(lanes)
}

/// Lane `l` adds lane `l + 8`, then `l + 4`, `l + 2`, `l + 1`; in arrays of fixed length, which stay in registers.
#[inline(always)]
fn halved(lanes: [f32; LANES]) -> f32 {
    let (mut eight, mut four) = ([0.0; 8], [0.0; 4]);
    for l in 0..8 {
        eight[l] = lanes[l] + lanes[l + 8];
    }
    for l in 0..4 {
        four[l] = eight[l] + eight[l + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Sums some neighbouring columns of a row-major plane of at most [`BLOCK`] rows.
#[inline(always)]
fn sum_strip(plane: &[f32], inner: usize, column: usize, totals: &mut [f32]) {
    let width = totals.len();
    let mut lanes = [[0.0f32; COLUMNS]; LANES];
    let rounds = plane.chunks_exact(inner * LANES);
    let rest = rounds.remainder();
    if width == COLUMNS {
        for round in rounds {
            for (row, lane) in lanes.iter_mut().enumerate() {
                let from = &round[row * inner + column..][..COLUMNS];
                for (lane, value) in lane.iter_mut().zip(from) {
                    *lane += value;
                }
            }
        }
    } else {
        for round in rounds {
            for (row, lane) in lanes.iter_mut().enumerate() {
                let from = &round[row * inner + column..][..width];
                for (lane, value) in lane.iter_mut().zip(from) {
                    *lane += value;
                }
            }
        }
    }
    for (row, lane) in rest.chunks_exact(inner).zip(&mut lanes) {
        for (lane, value) in lane.iter_mut().zip(&row[column..][..width]) {
            *lane += value;
        }
    }
    let sums = halved_columns(&mut lanes);
    totals.copy_from_slice(&sums[..width]);
}

/// [`sum_strip`] of [`WIDE_COLUMNS`].
#[inline(always)]
fn sum_wide_strip(plane: &[f32], inner: usize, column: usize, totals: &mut [f32; WIDE_COLUMNS]) {
    let mut lanes = [[0.0f32; WIDE_COLUMNS]; LANES];
    for rows in plane.chunks(inner * LANES) {
        for (row, lane) in rows.chunks_exact(inner).zip(&mut lanes) {
            let from = &row[column..][..WIDE_COLUMNS];
            for (lane, value) in lane.iter_mut().zip(from) {
                *lane += value;
            }
        }
    }
    *totals = halved_columns(&mut lanes);
}

/// The lanes of some columns combined as those of a row are.
#[inline(always)]
pub(super) fn halved_columns<const N: usize>(lanes: &mut [[f32; N]; LANES]) -> [f32; N] {
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            for (lane, value) in low.iter_mut().zip(high.iter()) {
                *lane += value;
            }
        }
        half /= 2;
    }
    lanes[0]
}

/// The sums of columns from the sums of their blocks, a row of them a block.
pub(super) fn sum_blocks(blocks: &[f32], totals: &mut [f32]) {
    let width = totals.len();
    if blocks.len() == width {
        return totals.copy_from_slice(blocks);
    }
    for (index, totals) in totals.chunks_mut(COLUMNS).enumerate() {
        sum_long_strip(blocks, width, index * COLUMNS, totals);
    }
}

/// The same of any number of rows: the sums of blocks, summed by the same rule.
#[inline(never)]
fn sum_long_strip(plane: &[f32], inner: usize, column: usize, totals: &mut [f32]) {
    if plane.len() / inner <= BLOCK {
        return sum_strip(plane, inner, column, totals);
    }
    let width = totals.len();
    let mut blocks = Vec::with_capacity(plane.len().div_ceil(BLOCK * inner) * width);
    for block in plane.chunks(BLOCK * inner) {
        let mut partial = [0.0; COLUMNS];
        sum_strip(block, inner, column, &mut partial[..width]);
        blocks.extend_from_slice(&partial[..width]);
    }
    sum_long_strip(&blocks, width, 0, totals);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
            .collect()
    }

    /// The rule of the module's head, written the other way round: one lane after another.
    fn by_the_book(x: &[f32]) -> f32 {
        if x.len() > BLOCK {
            let sums: Vec<f32> = x.chunks(BLOCK).map(by_the_book).collect();
            return by_the_book(&sums);
        }
        let lane = |l: usize| x.iter().skip(l).step_by(16).fold(0.0f32, |sum, x| sum + x);
        let eight = |l: usize| lane(l) + lane(l + 8);
        let four = |l: usize| eight(l) + eight(l + 4);
        (four(0) + four(2)) + (four(1) + four(3))
    }

    #[test]
    fn a_sum_is_what_the_book_says() {
        for len in [0, 1, 2, 15, 16, 17, 100, 4095, 4096, 4097, 8192, 20_000] {
            let x = numbers(len);
            assert_eq!(sum(&x).to_bits(), by_the_book(&x).to_bits(), "length {len}");
        }
    }

    #[test]
    fn more_than_4096_blocks_are_summed_by_the_same_rule() {
        let x = numbers(BLOCK * BLOCK + 5);
        assert_eq!(sum(&x).to_bits(), by_the_book(&x).to_bits());
    }

    #[test]
    fn columns_are_summed_like_rows() {
        let narrow = [(1, 1), (3, 70), (16, 64), (50, 65), (4097, 33), (9000, 2)];
        let wide = [(1, 128), (37, 300), (4096, 129), (4097, 130)];
        for (rows, width) in narrow.into_iter().chain(wide) {
            let x = numbers(rows * width);
            let axis = Axis {
                outer: 1,
                len: rows,
                inner: width,
            };
            let columns = sum_axis(&x, axis);
            for (column, total) in columns.iter().enumerate() {
                let gathered: Vec<f32> = x.iter().skip(column).step_by(width).copied().collect();
                assert_eq!(
                    total.to_bits(),
                    sum(&gathered).to_bits(),
                    "{rows} rows, column {column}"
                );
            }
        }
    }

    #[test]
    fn threads_and_paths_do_not_reach_a_sum() {
        let axes = [
            (1, 300, 70),
            (5, 20, 17),
            (40, 50, 1),
            (3, 5000, 20),
            (2, 100, 500),
        ];
        for (outer, len, inner) in axes {
            let (x, axis) = (numbers(outer * len * inner), Axis { outer, len, inner });
            let expected = sum_axis(&x, axis);
            for path in super::super::paths::Path::available() {
                let settings = Settings::current().with_path(path).with_threads(3);
                assert_eq!(
                    sum_along(settings.with_split_min(0), &x, axis)[..],
                    expected
                );
            }
        }
    }

    #[test]
    fn a_sum_of_squares_is_the_sum_of_the_squares() {
        for len in [5, 64, 5000] {
            let x = numbers(len);
            let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
            assert_eq!(sum_squares(&x).to_bits(), sum(&squares).to_bits());
        }
    }

    #[test]
    fn a_sum_of_nothing_and_of_minus_zero_is_plus_zero() {
        assert_eq!(sum(&[]).to_bits(), 0);
        assert_eq!(sum(&[-0.0]).to_bits(), 0);
        assert_eq!(
            sum_axis(
                &[],
                Axis {
                    outer: 2,
                    len: 0,
                    inner: 3
                }
            ),
            [0.0; 6]
        );
    }

    #[test]
    fn a_mean_is_the_sum_divided_by_the_count() {
        let x = numbers(37);
        assert_eq!(mean(&x).to_bits(), (sum(&x) / 37.0).to_bits());
        let axis = Axis {
            outer: 1,
            len: 37,
            inner: 1,
        };
        let means = mean_along(Settings::current(), &x, axis);
        assert_eq!(means[0].to_bits(), mean(&x).to_bits());
    }
}
