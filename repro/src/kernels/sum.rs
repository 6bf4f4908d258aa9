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

use super::view::Axis;

/// Lanes of a sum.
pub const LANES: usize = 16;
/// Elements of a block.
pub const BLOCK: usize = 4096;

/// Columns summed together in one pass: bounds the scratch space and keeps it in cache.
const COLUMNS: usize = 64;

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

/// Sums along one axis of a row-major tensor.
///
/// **Shapes.** `[outer, len, inner]` to `[outer, inner]`. **Order.** As in the module's head.
pub fn sum_axis(x: &[f32], axis: Axis) -> Vec<f32> {
    let Axis { outer, len, inner } = axis;
    assert_eq!(
        x.len(),
        outer * len * inner,
        "the axis does not describe the data"
    );
    if inner == 1 && len > 0 {
        return x.chunks_exact(len).map(sum).collect();
    }
    let mut out = vec![0.0; outer * inner];
    if len == 0 || inner == 0 {
        return out;
    }
    for (plane, totals) in x.chunks_exact(len * inner).zip(out.chunks_exact_mut(inner)) {
        sum_columns(plane, inner, totals);
    }
    out
}

/// Means along one axis: [`sum_axis`], each sum divided by the count.
pub fn mean_axis(x: &[f32], axis: Axis) -> Vec<f32> {
    let count = axis.len as f32;
    let mut out = sum_axis(x, axis);
    out.iter_mut().for_each(|total| *total /= count);
    out
}

fn sum_block(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut rows = x.chunks_exact(LANES);
    for row in &mut rows {
        for (lane, value) in lanes.iter_mut().zip(row) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rows.remainder()) {
        *lane += value;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sums the columns of a row-major `[rows, width]` plane, a strip of columns at a time.
fn sum_columns(plane: &[f32], width: usize, totals: &mut [f32]) {
    let rows = plane.len() / width;
    if rows > BLOCK {
        let blocks: Vec<f32> = plane
            .chunks(BLOCK * width)
            .flat_map(|block| {
                let mut partial = vec![0.0; width];
                sum_columns(block, width, &mut partial);
                partial
            })
            .collect();
        return sum_columns(&blocks, width, totals);
    }
    let mut lanes = [[0.0f32; COLUMNS]; LANES];
    for (strip, totals) in totals.chunks_mut(COLUMNS).enumerate() {
        let (first, strip_width) = (strip * COLUMNS, totals.len());
        lanes.iter_mut().for_each(|lane| lane.fill(0.0));
        for (index, row) in plane.chunks_exact(width).enumerate() {
            let row = &row[first..first + strip_width];
            for (lane, value) in lanes[index % LANES].iter_mut().zip(row) {
                *lane += value;
            }
        }
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
        totals.copy_from_slice(&lanes[0][..strip_width]);
    }
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
        for (rows, width) in [(1, 1), (3, 70), (16, 64), (50, 65), (4097, 3), (9000, 2)] {
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
        assert_eq!(mean_axis(&x, axis)[0].to_bits(), mean(&x).to_bits());
    }
}
