//! Scatter-add: values added at given indices; and whole slices picked.
//!
//! **Order.** Values are added one after another in ascending row-major order of the value tensor,
//! each onto what its place holds then.

use super::memory::Numbers;
use super::paths::Settings;
use super::stretches::fresh;
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

/// Whole slices at the given indices along one axis.
///
/// **Shapes.** `x` is `[outer, len, inner]`, `indices` `[k]`, the output `[outer, k, inner]`. **Order.** None: copies.
///
/// # Panics
///
/// If an index is outside `0..len`.
pub fn select(settings: Settings, x: &[f32], axis: Axis, indices: &[i64]) -> Numbers {
    let Axis { outer, len, inner } = axis;
    let k = indices.len();
    fresh(settings, outer * k * inner, inner, 1, |start, out| {
        for (at, slice) in out.chunks_exact_mut(inner.max(1)).enumerate() {
            let at = start / inner + at;
            let from = (at / k * len + checked(indices[at % k], len)) * inner;
            slice.copy_from_slice(&x[from..from + inner]);
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_one_place_are_added_in_source_order() {
        // In this order the small number is lost; in any other it is not.
        let axis = Axis {
            outer: 1,
            len: 2,
            inner: 1,
        };
        let mut target = [0.0, 0.0];
        scatter_add(&mut target, axis, &[1, 1, 1], &[1e8, 1.0, -1e8]);
        assert_eq!(target, [0.0, 0.0]);
        scatter_add(&mut target, axis, &[1, 1, 1], &[1e8, -1e8, 1.0]);
        assert_eq!(target, [0.0, 1.0]);
    }

    #[test]
    fn whole_slices_are_added_at_their_indices() {
        let mut target = [0.0; 6];
        let axis = Axis {
            outer: 1,
            len: 3,
            inner: 2,
        };
        select_add(
            &mut target,
            axis,
            &[2, 0, 2],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        );
        assert_eq!(target, [3.0, 4.0, 0.0, 0.0, 6.0, 8.0]);
    }

    #[test]
    #[should_panic(expected = "index 3 is outside an axis of length 3")]
    fn an_index_outside_the_axis_is_refused() {
        select_add(
            &mut [0.0; 3],
            Axis {
                outer: 1,
                len: 3,
                inner: 1,
            },
            &[3],
            &[1.0],
        );
    }
}
