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

fn beats(value: f32, best: f32, which: Extreme) -> bool {
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
pub fn take_along(x: &[f32], axis: Axis, indices: &[i64], k: usize) -> Vec<f32> {
    let Axis { outer, len, inner } = axis;
    let mut out = Vec::with_capacity(outer * k * inner);
    for (at, &index) in indices.iter().enumerate() {
        let (o, i) = (at / (k * inner), at % inner);
        out.push(x[(o * len + index as usize) * inner + i]);
    }
    out
}
