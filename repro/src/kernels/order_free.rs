//! Operations that only compare: no rounding, so no order could matter; ties still need a rule.
//!
//! **Order.** +0.0 and −0.0 are equal. A tie goes to the lowest index. A NaN counts as greater than
//! every number and less than every number, so it wins maximum and minimum alike, and the first NaN wins among
//! several: what a network broke stays broken. In a sort a NaN is the greatest.

use super::memory::Numbers;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::fresh;
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

/// The greatest or least elements along an axis, without where they are: [`extreme`]'s values.
///
/// **Shapes.** `[outer, len, inner]` to `[outer, inner]`.
///
/// # Panics
///
/// If the axis is empty.
pub fn extreme_values(settings: Settings, x: &[f32], axis: Axis, which: Extreme) -> Numbers {
    let Axis { outer, len, inner } = axis;
    assert!(
        len > 0,
        "repro: the maximum or minimum of an empty axis does not exist"
    );
    if inner > 1 {
        return Numbers::from(&extreme(x, axis, which).0[..]);
    }
    fresh(settings, outer * inner, 1, len, |start, out| {
        settings.path.run(Values {
            x: &x[start * len..(start + out.len()) * len],
            len,
            which,
            out,
        });
    })
}

struct Values<'a> {
    x: &'a [f32],
    len: usize,
    which: Extreme,
    out: &'a mut [f32],
}

impl Kernel for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (out, row) in self.out.iter_mut().zip(self.x.chunks_exact(self.len)) {
            *out = match self.which {
                Extreme::Max => extreme_of_row::<false>(row),
                Extreme::Min => extreme_of_row::<true>(row),
            };
        }
    }
}

/// In lanes, each on its own; then a NaN, or the first of several zeros, is what the rule says.
#[inline(always)]
fn extreme_of_row<const IS_MIN: bool>(row: &[f32]) -> f32 {
    const LANES: usize = 16;
    let worst = if IS_MIN {
        f32::INFINITY
    } else {
        f32::NEG_INFINITY
    };
    let (mut lanes, mut nans) = ([worst; LANES], [false; LANES]);
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for l in 0..LANES {
            let x = chunk[l];
            let beats = if IS_MIN { x < lanes[l] } else { x > lanes[l] };
            lanes[l] = if beats { x } else { lanes[l] };
            nans[l] |= x.is_nan();
        }
    }
    let (mut best, mut has_nan) = (worst, false);
    for &x in rest {
        let beats = if IS_MIN { x < best } else { x > best };
        best = if beats { x } else { best };
        has_nan |= x.is_nan();
    }
    for l in 0..LANES {
        let beats = if IS_MIN {
            lanes[l] < best
        } else {
            lanes[l] > best
        };
        best = if beats { lanes[l] } else { best };
        has_nan |= nans[l];
    }
    if has_nan {
        return f32::NAN;
    }
    if best == 0.0 {
        for &x in row {
            if x == 0.0 {
                return x;
            }
        }
    }
    best
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
    fn values_alone_are_those_with_indices() {
        let mut x: Vec<f32> = (0..40 * 37).map(|i| (i * 7919 % 11) as f32 - 5.0).collect();
        for (i, x) in x.iter_mut().enumerate() {
            match i % 40 {
                // Rows of zeros of both signs, with a NaN, of infinities.
                0..8 => *x = if (i / 40 + i) % 3 == 0 { -0.0 } else { 0.0 },
                8..12 if i % 7 == 0 => *x = f32::NAN,
                12..16 => *x = f32::NEG_INFINITY,
                16..20 => *x = f32::INFINITY,
                _ => {}
            }
        }
        for len in [1, 5, 8, 20, 40] {
            let axis = Axis {
                outer: x.len() / len,
                len,
                inner: 1,
            };
            for which in [Extreme::Max, Extreme::Min] {
                let (expected, _) = extreme(&x, axis, which);
                for path in super::super::paths::Path::available() {
                    let settings = Settings::current().with_path(path).with_threads(2);
                    let got = extreme_values(settings.with_split_min(0), &x, axis, which);
                    for (got, expected) in got.iter().zip(&expected) {
                        assert!(
                            got.to_bits() == expected.to_bits()
                                || got.is_nan() && expected.is_nan(),
                            "{got} and {expected}"
                        );
                    }
                }
            }
        }
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
