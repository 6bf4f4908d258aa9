//! Scatter-add: values added at given indices.
//!
//! **Order.** Values are added one after another in ascending row-major order of the value tensor,
//! each onto what its place holds then.

use super::view::Axis;

/// Adds each value at the index the index tensor gives for it along one axis.
///
/// **Shapes.** `target` is `[outer, len, inner]`; `indices` and `values` are `[outer, k, inner]`.
///
/// # Panics
///
/// If the lengths disagree or an index is outside `0..len`.
pub fn scatter_add(target: &mut [f32], axis: Axis, indices: &[i64], values: &[f32]) {
    let Axis { outer, len, inner } = axis;
    assert_eq!(
        indices.len(),
        values.len(),
        "repro: scatter-add needs an index a value"
    );
    if indices.is_empty() {
        return;
    }
    let k = indices.len() / (outer * inner);
    assert_eq!(
        indices.len(),
        outer * k * inner,
        "repro: scatter-add shapes disagree"
    );
    for (at, (&index, &value)) in indices.iter().zip(values).enumerate() {
        let (o, i) = (at / (k * inner), at % inner);
        target[(o * len + checked(index, len)) * inner + i] += value;
    }
}

/// Adds whole slices at the given indices along one axis.
///
/// **Shapes.** `target` is `[outer, len, inner]`, `indices` `[k]`, `values` `[outer, k, inner]`.
///
/// # Panics
///
/// If the lengths disagree or an index is outside `0..len`.
pub fn select_add(target: &mut [f32], axis: Axis, indices: &[i64], values: &[f32]) {
    let Axis { outer, len, inner } = axis;
    let k = indices.len();
    assert_eq!(
        values.len(),
        outer * k * inner,
        "repro: select-add shapes disagree"
    );
    if values.is_empty() {
        return;
    }
    for (at, slice) in values.chunks_exact(inner).enumerate() {
        let (o, index) = (at / k, checked(indices[at % k], len));
        let start = (o * len + index) * inner;
        for (place, value) in target[start..start + inner].iter_mut().zip(slice) {
            *place += value;
        }
    }
}

fn checked(index: i64, len: usize) -> usize {
    match usize::try_from(index) {
        Ok(index) if index < len => index,
        _ => panic!("repro: index {index} is outside an axis of length {len}"),
    }
}
