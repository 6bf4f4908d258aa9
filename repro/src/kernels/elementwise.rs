//! Elementwise arithmetic: IEEE-754 operations, one rounding each.
//!
//! **Shapes.** Binary operations broadcast: an axis of length one is repeated.
//! **Order.** None: each output element is one operation on one element of each input.

use super::view::{View, for_each_row, is_row_major};

/// The shape two shapes of equal rank broadcast to.
///
/// # Panics
///
/// If an axis has two lengths of which neither is one, or the ranks differ.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    assert_eq!(
        a.len(),
        b.len(),
        "repro: shapes {a:?} and {b:?} have different ranks"
    );
    a.iter()
        .zip(b)
        .map(|(&x, &y)| match (x, y) {
            _ if x == y => x,
            (1, _) => y,
            (_, 1) => x,
            _ => panic!("repro: shapes {a:?} and {b:?} do not broadcast"),
        })
        .collect()
}

/// `f` of each pair of elements, in the row-major order of the broadcast shape, and that shape.
///
/// **Shapes.** `a` and `b` broadcast to the output.
pub fn zip(a: View, b: View, f: impl Fn(f32, f32) -> f32 + Copy) -> (Vec<f32>, Vec<usize>) {
    if a.shape == b.shape && is_row_major(a.shape, a.strides) && is_row_major(b.shape, b.strides) {
        let (x, y) = (a.packed(), b.packed());
        let out = x.iter().zip(y.iter()).map(|(&x, &y)| f(x, y)).collect();
        return (out, a.shape.to_vec());
    }
    let shape = broadcast_shape(a.shape, b.shape);
    let a_strides = broadcast_strides(&a, &shape);
    let b_strides = broadcast_strides(&b, &shape);
    let mut out = Vec::with_capacity(shape.iter().product());
    for_each_row(
        &shape,
        [&a_strides, &b_strides],
        [a.offset, b.offset],
        |[x, y], len, steps| match steps {
            [1, 1] => {
                let (x, y) = (&a.data[x..x + len], &b.data[y..y + len]);
                out.extend(x.iter().zip(y).map(|(&x, &y)| f(x, y)));
            }
            [1, 0] => {
                let y = b.data[y];
                out.extend(a.data[x..x + len].iter().map(|&x| f(x, y)));
            }
            [0, 1] => {
                let x = a.data[x];
                out.extend(b.data[y..y + len].iter().map(|&y| f(x, y)));
            }
            [x_step, y_step] => {
                let (mut x, mut y) = (x as isize, y as isize);
                for _ in 0..len {
                    out.push(f(a.data[x as usize], b.data[y as usize]));
                    x += x_step;
                    y += y_step;
                }
            }
        },
    );
    (out, shape)
}

/// `f` of each element, in row-major order.
pub fn map(x: View, f: impl Fn(f32) -> f32) -> Vec<f32> {
    x.packed().iter().map(|&x| f(x)).collect()
}

/// `x` to the power of a whole number.
///
/// **Order.** Repeated squaring from the lowest bit of `|n|`: `result = 1`; at each bit, first
/// `result *= base` if the bit is set, then `base *= base` if bits remain. A negative `n` takes the
/// reciprocal of the result. So `n = 0` is 1 (of a NaN too), `n = 1` is `x`, `n = 2` is `x * x`.
pub fn powi(x: f32, n: i64) -> f32 {
    let (mut result, mut base) = (1.0f32, x);
    let mut bits = n.unsigned_abs();
    while bits > 0 {
        if bits & 1 == 1 {
            result *= base;
        }
        bits >>= 1;
        if bits > 0 {
            base *= base;
        }
    }
    if n < 0 { 1.0 / result } else { result }
}

fn broadcast_strides(view: &View, shape: &[usize]) -> Vec<isize> {
    view.shape
        .iter()
        .zip(view.strides)
        .zip(shape)
        .map(|((&from, &stride), &to)| if from == to { stride } else { 0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_is_repeated_squaring_in_the_written_order() {
        let x = 1.000_123_4f32;
        let squared = x * x;
        let fourth = squared * squared;
        let check =
            |n, expected: f32| assert_eq!(powi(x, n).to_bits(), expected.to_bits(), "power {n}");
        check(0, 1.0);
        check(1, x);
        check(2, squared);
        check(3, x * squared);
        check(7, x * squared * fourth);
        check(-1, 1.0 / x);
        check(-2, 1.0 / squared);
        assert_eq!(powi(f32::NAN, 0), 1.0);
        assert_eq!(powi(0.0, -1), f32::INFINITY);
        assert_eq!(powi(2.0, i64::MIN), 0.0);
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn lengths_that_differ_and_are_not_one_do_not_broadcast() {
        broadcast_shape(&[2, 3], &[2, 4]);
    }
}
