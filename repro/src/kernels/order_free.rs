//! Operations that only compare: no rounding, so no order could matter; ties still need a rule.
//!
//! **Order.** +0.0 and −0.0 are equal. A tie goes to the lowest index. A NaN counts as greater than
//! every number and less than every number, so it wins maximum and minimum alike, and the first NaN wins among
//! several: what a network broke stays broken. In a sort a NaN is the greatest.

use super::view::Axis;
use std::cmp::Ordering;

/// Which end of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The greatest element.
    Max,
    /// The least element.
    Min,
}

/// The greatest or least element along an axis and where it is.
///
/// **Shapes.** `[outer, len, inner]` to values and indices `[outer, inner]`.
///
/// # Panics
///
/// If the axis is empty.
pub fn extreme(x: &[f32], axis: Axis, which: Extreme) -> (Vec<f32>, Vec<i64>) {
    let Axis { outer, len, inner } = axis;
    assert!(
        len > 0,
        "repro: the maximum or minimum of an empty axis does not exist"
    );
    let mut values = Vec::with_capacity(outer * inner);
    let mut indices = vec![0i64; outer * inner];
    if outer * inner == 0 {
        return (values, indices);
    }
    for (plane, indices) in x
        .chunks_exact(len * inner)
        .zip(indices.chunks_exact_mut(inner))
    {
        let start = values.len();
        values.extend_from_slice(&plane[..inner]);
        let best = &mut values[start..];
        for (index, row) in plane.chunks_exact(inner).enumerate().skip(1) {
            for ((best, at), &value) in best.iter_mut().zip(indices.iter_mut()).zip(row) {
                if beats(value, *best, which) {
                    *best = value;
                    *at = index as i64;
                }
            }
        }
    }
    (values, indices)
}

/// Whether an element takes the place of the best before it.
#[inline(always)]
pub(super) fn beats(value: f32, best: f32, which: Extreme) -> bool {
    if best.is_nan() {
        return false;
    }
    match which {
        Extreme::Max => value > best || value.is_nan(),
        Extreme::Min => value < best || value.is_nan(),
    }
}

/// The indices that sort an axis; equal elements keep their order, descending too.
///
/// **Shapes.** `[outer, len, inner]` to indices of the same shape.
pub fn argsort(x: &[f32], axis: Axis, is_descending: bool) -> Vec<i64> {
    argsort_by(x, axis, is_descending, compare)
}

/// [`argsort`] of whole numbers.
pub fn argsort_whole(x: &[i64], axis: Axis, is_descending: bool) -> Vec<i64> {
    argsort_by(x, axis, is_descending, |a, b| a.cmp(&b))
}

fn argsort_by<T: Copy>(
    x: &[T],
    axis: Axis,
    is_descending: bool,
    compare: impl Fn(T, T) -> Ordering,
) -> Vec<i64> {
    let Axis { outer, len, inner } = axis;
    let mut out = vec![0i64; x.len()];
    let mut order: Vec<usize> = Vec::with_capacity(len);
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let at = |k: usize| (o * len + k) * inner + i;
        order.clear();
        order.extend(0..len);
        order.sort_by(|&a, &b| {
            let ordering = compare(x[at(a)], x[at(b)]);
            if is_descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        for (k, &from) in order.iter().enumerate() {
            out[at(k)] = from as i64;
        }
    }
    out
}

fn compare(a: f32, b: f32) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The elements at the given indices along an axis.
///
/// **Shapes.** `x` is `[outer, len, inner]`, indices and output `[outer, k, inner]`.
pub fn take_along<T: Copy>(x: &[T], axis: Axis, indices: &[i64], k: usize) -> Vec<T> {
    let Axis { outer, len, inner } = axis;
    let mut out = Vec::with_capacity(outer * k * inner);
    for (at, &index) in indices.iter().enumerate() {
        let (o, i) = (at / (k * inner), at % inner);
        out.push(x[(o * len + index as usize) * inner + i]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: fn(usize) -> Axis = |len| Axis {
        outer: 1,
        len,
        inner: 1,
    };

    fn check(x: &[f32], which: Extreme, index: i64) {
        let (values, indices) = extreme(x, ROW(x.len()), which);
        assert_eq!(indices, [index], "{x:?}");
        let expected = x[index as usize];
        assert!(
            values[0].to_bits() == expected.to_bits() || expected.is_nan() && values[0].is_nan()
        );
    }

    #[test]
    fn ties_go_to_the_lowest_index_and_the_zeros_are_equal() {
        check(&[1.0, 3.0, 3.0], Extreme::Max, 1);
        check(&[2.0, 1.0, 1.0], Extreme::Min, 1);
        check(&[-0.0, 0.0], Extreme::Max, 0);
        check(&[0.0, -0.0], Extreme::Min, 0);
    }

    #[test]
    fn the_first_nan_wins() {
        check(&[1.0, f32::NAN, f32::INFINITY, f32::NAN], Extreme::Max, 1);
        check(
            &[1.0, f32::NAN, f32::NEG_INFINITY, f32::NAN],
            Extreme::Min,
            1,
        );
        check(&[f32::NAN, 1.0], Extreme::Max, 0);
    }

    #[test]
    fn an_inner_axis_is_left_alone() {
        let (values, indices) = extreme(
            &[1.0, 9.0, 5.0, 2.0],
            Axis {
                outer: 1,
                len: 2,
                inner: 2,
            },
            Extreme::Max,
        );
        assert_eq!((values, indices), (vec![5.0, 9.0], vec![1, 0]));
    }

    #[test]
    fn sorting_keeps_equal_elements_in_order_both_ways() {
        let x = [2.0, -0.0, 2.0, 0.0, f32::NAN, -1.0];
        assert_eq!(argsort(&x, ROW(6), false), [5, 1, 3, 0, 2, 4]);
        assert_eq!(argsort(&x, ROW(6), true), [4, 0, 2, 1, 3, 5]);
    }

    #[test]
    fn sorting_an_outer_axis_sorts_columns() {
        let x = [3.0, 1.0, 1.0, 2.0];
        assert_eq!(
            argsort(
                &x,
                Axis {
                    outer: 1,
                    len: 2,
                    inner: 2
                },
                false
            ),
            [1, 0, 0, 1]
        );
    }
}
