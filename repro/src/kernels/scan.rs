//! What goes along an axis and keeps every step: cumulative sums, products and extremes; and the product of an axis.
//!
//! **Order.** A chain in ascending order: the first element, then the operation with each further one.

use super::order_free::{Extreme, beats};
use super::view::Axis;

/// The operation of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The sum of what came.
    Sum,
    /// The product of what came.
    Product,
    /// The greatest or least of what came: a tie keeps the first, a NaN wins and stays.
    Extreme(Extreme),
}

/// The scan along one axis.
///
/// **Shapes.** `[outer, len, inner]` in place. **Order.** As in the module's head.
pub fn scan(x: &mut [f32], axis: Axis, scan: Scan) {
    let Axis { len, inner, .. } = axis;
    for plane in x.chunks_exact_mut((len * inner).max(1)) {
        for at in inner..plane.len() {
            let (before, x) = (plane[at - inner], plane[at]);
            plane[at] = match scan {
                Scan::Sum => before + x,
                Scan::Product => before * x,
                Scan::Extreme(which) if beats(x, before, which) => x,
                Scan::Extreme(_) => before,
            };
        }
    }
}

/// Products along one axis.
///
/// **Shapes.** `[outer, len, inner]` to `[outer, inner]`. **Order.** A chain in ascending order from 1; of an empty axis 1.
pub fn product(x: &[f32], axis: Axis) -> Vec<f32> {
    let Axis { outer, len, inner } = axis;
    let mut out = vec![1.0; outer * inner];
    if x.is_empty() {
        return out;
    }
    for (plane, totals) in x.chunks_exact(len * inner).zip(out.chunks_exact_mut(inner)) {
        for row in plane.chunks_exact(inner) {
            for (total, x) in totals.iter_mut().zip(row) {
                *total *= x;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Axis = Axis {
        outer: 1,
        len: 3,
        inner: 2,
    };

    fn check(kind: Scan, x: [f32; 6], expected: [f32; 6]) {
        let mut got = x;
        scan(&mut got, COLUMNS, kind);
        assert_eq!(
            got.map(f32::to_bits),
            expected.map(f32::to_bits),
            "{kind:?}"
        );
    }

    #[test]
    fn columns_are_scanned_each_for_itself() {
        let x = [1.0, 5.0, 3.0, -2.0, 2.0, 5.0];
        check(Scan::Sum, x, [1.0, 5.0, 4.0, 3.0, 6.0, 8.0]);
        check(Scan::Product, x, [1.0, 5.0, 3.0, -10.0, 6.0, -50.0]);
        check(
            Scan::Extreme(Extreme::Max),
            x,
            [1.0, 5.0, 3.0, 5.0, 3.0, 5.0],
        );
        check(
            Scan::Extreme(Extreme::Min),
            x,
            [1.0, 5.0, 1.0, -2.0, 1.0, -2.0],
        );
        assert_eq!(product(&x, COLUMNS), [6.0, -50.0]);
    }

    #[test]
    fn the_first_zero_and_every_nan_stay() {
        let x = [-0.0, 1.0, 0.0, f32::NAN, -1.0, 3.0];
        let mut got = x;
        scan(&mut got, COLUMNS, Scan::Extreme(Extreme::Max));
        assert_eq!(got[2].to_bits(), (-0.0f32).to_bits());
        assert!(got[3].is_nan() && got[5].is_nan());
        check(
            Scan::Sum,
            [-0.0, 1e8, 1.0, 1.0, 0.0, -1e8],
            [-0.0, 1e8, 1.0, 1e8, 1.0, 0.0],
        );
    }

    #[test]
    fn the_product_of_nothing_is_one() {
        let axis = Axis {
            outer: 2,
            len: 0,
            inner: 1,
        };
        assert_eq!(product(&[], axis), [1.0, 1.0]);
    }
}
