//! Elementwise arithmetic: IEEE-754 operations, one rounding each.
//!
//! **Shapes.** Binary operations broadcast: an axis of length one is repeated.
//! **Order.** None: each output element is one operation on one element of each input.

use super::memory::Numbers;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::{fresh, in_place};
use super::view::{View, elements};
use super::walk::{Stretch, Walk};

/// The shape two shapes of equal rank broadcast to.
///
/// # Panics
///
/// If an axis has two lengths of which neither is one, the ranks differ, or no memory holds such a tensor.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    assert_eq!(
        a.len(),
        b.len(),
        "repro: shapes {a:?} and {b:?} have different ranks"
    );
    let shape: Vec<usize> = a
        .iter()
        .zip(b)
        .map(|(&x, &y)| match (x, y) {
            _ if x == y => x,
            (1, _) => y,
            (_, 1) => x,
            _ => panic!("repro: shapes {a:?} and {b:?} do not broadcast"),
        })
        .collect();
    elements(&shape);
    shape
}

/// `f` of each pair of elements, in the row-major order of the broadcast shape, and that shape.
///
/// **Shapes.** `a` and `b` broadcast to the output.
///
/// # Panics
///
/// If the shapes do not broadcast.
pub fn zip(
    settings: Settings,
    a: View,
    b: View,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> (Numbers, Vec<usize>) {
    let shape = broadcast_shape(a.shape, b.shape);
    let walk = Walk::new(&shape, [a, b]);
    let out = fresh(settings, elements(&shape), 1, 1, |start, out| {
        settings.path.run(Zip {
            out,
            stretch: walk.stretch(start),
            steps: walk.steps(),
            x: a.data,
            y: b.data,
            f,
        });
    });
    (out, shape)
}

/// [`zip`] of two rows of equal length.
///
/// # Panics
///
/// If the lengths differ.
pub fn zip_rows(
    settings: Settings,
    x: &[f32],
    y: &[f32],
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Numbers {
    assert_eq!(x.len(), y.len(), "repro: rows of different lengths");
    fresh(settings, x.len(), 1, 1, |start, out| {
        let range = start..start + out.len();
        settings.path.run(Rows {
            x: &x[range.clone()],
            y: &y[range],
            out,
            f,
        });
    })
}

struct Rows<'a, F> {
    out: &'a mut [f32],
    x: &'a [f32],
    y: &'a [f32],
    f: F,
}

impl<F: Fn(f32, f32) -> f32 + Copy> Kernel for Rows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        row(self.out, self.x, self.y, [1, 1], self.f);
    }
}

/// `x = f(x, y)` for each pair of elements.
///
/// **Shapes.** `x` is row-major of this shape, `b` broadcasts to it.
///
/// # Panics
///
/// If `b` does not broadcast to the shape.
pub fn zip_into(
    settings: Settings,
    x: &mut [f32],
    shape: &[usize],
    b: View,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) {
    let walk = Walk::new(shape, [b]);
    in_place(settings, x, 1, 1, |start, x| {
        settings.path.run(ZipInto {
            x,
            stretch: walk.stretch(start),
            step: walk.steps()[0],
            y: b.data,
            f,
        });
    });
}

/// `x = f(x)` for each element, on this thread.
///
/// **Shapes.** `[n]` in place.
pub fn map_into(settings: Settings, x: &mut [f32], f: impl Fn(f32) -> f32) {
    settings.path.run(Map { x, f });
}

struct Map<'a, F> {
    x: &'a mut [f32],
    f: F,
}

impl<F: Fn(f32) -> f32> Kernel for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.x {
            *x = (self.f)(*x);
        }
    }
}

#[inline(always)]
fn row(
    out: &mut [f32],
    x: &[f32],
    y: &[f32],
    steps: [isize; 2],
    f: impl Fn(f32, f32) -> f32 + Copy,
) {
    let len = out.len();
    if len == 0 {
        return;
    }
    match steps {
        [1, 1] => {
            for ((out, x), y) in out.iter_mut().zip(&x[..len]).zip(&y[..len]) {
                *out = f(*x, *y);
            }
        }
        [1, 0] => {
            let y = y[0];
            for (out, x) in out.iter_mut().zip(&x[..len]) {
                *out = f(*x, y);
            }
        }
        [0, 1] => {
            let x = x[0];
            for (out, y) in out.iter_mut().zip(&y[..len]) {
                *out = f(x, *y);
            }
        }
        _ => {
            let value = f(x[0], y[0]);
            for out in out {
                *out = value;
            }
        }
    }
}

/// A stretch of pairs into new memory.
struct Zip<'a, F> {
    out: &'a mut [f32],
    stretch: Stretch<'a, 2>,
    steps: [isize; 2],
    x: &'a [f32],
    y: &'a [f32],
    f: F,
}

impl<F: Fn(f32, f32) -> f32 + Copy> Kernel for Zip<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (mut stretch, steps, f) = (self.stretch, self.steps, self.f);
        let mut rest = self.out;
        while !rest.is_empty() {
            let (count, [mut x, mut y]) = stretch.next(rest.len());
            let (out, later) = rest.split_at_mut(count);
            rest = later;
            if (0..=1).contains(&steps[0]) && (0..=1).contains(&steps[1]) {
                row(out, &self.x[x..], &self.y[y..], steps, f);
                continue;
            }
            for out in out {
                *out = f(self.x[x], self.y[y]);
                x = x.wrapping_add_signed(steps[0]);
                y = y.wrapping_add_signed(steps[1]);
            }
        }
    }
}

#[inline(always)]
fn row_into(x: &mut [f32], y: &[f32], step: isize, f: impl Fn(f32, f32) -> f32 + Copy) {
    let len = x.len();
    if step == 1 {
        for (x, y) in x.iter_mut().zip(&y[..len]) {
            *x = f(*x, *y);
        }
    } else if len > 0 {
        let y = y[0];
        for x in x {
            *x = f(*x, y);
        }
    }
}

/// A stretch of pairs over the left operand.
struct ZipInto<'a, F> {
    x: &'a mut [f32],
    stretch: Stretch<'a, 1>,
    step: isize,
    y: &'a [f32],
    f: F,
}

impl<F: Fn(f32, f32) -> f32 + Copy> Kernel for ZipInto<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (mut stretch, step, f) = (self.stretch, self.step, self.f);
        let mut rest = self.x;
        while !rest.is_empty() {
            let (count, [mut y]) = stretch.next(rest.len());
            let (x, later) = rest.split_at_mut(count);
            rest = later;
            if (0..=1).contains(&step) {
                row_into(x, &self.y[y..], step, f);
                continue;
            }
            for x in x {
                *x = f(*x, self.y[y]);
                y = y.wrapping_add_signed(step);
            }
        }
    }
}

/// `x` to the power of a whole number.
///
/// **Order.** Repeated squaring from the lowest bit of `|n|`: `result = 1`; at each bit, first
/// `result *= base` if the bit is set, then `base *= base` if bits remain. A negative `n` takes the
/// reciprocal of the result. So `n = 0` is 1 (of a NaN too), `n = 1` is `x`, `n = 2` is `x * x`.
#[inline(always)]
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

/// The remainder with the sign of the divisor: of `x / y` rounded down.
///
/// **Order.** `r = x % y` as IEEE's `fmod`, which is exact; if `r` is not zero and has the other sign than `y`,
/// `r + y`, rounded once. A zero remainder has the sign of the divisor. By zero, or of an infinity, NaN.
pub fn remainder(x: f32, y: f32) -> f32 {
    let r = x % y;
    if r == 0.0 {
        0.0f32.copysign(y)
    } else if (r < 0.0) != (y < 0.0) {
        r + y
    } else {
        r
    }
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
    fn a_remainder_has_the_sign_of_the_divisor() {
        let check = |x: f32, y: f32, expected: f32| {
            let got = remainder(x, y);
            assert!(
                got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
                "{x} modulo {y} is {got}"
            );
        };
        check(7.0, 3.0, 1.0);
        check(-7.0, 3.0, 2.0);
        check(7.0, -3.0, -2.0);
        check(-7.0, -3.0, -1.0);
        check(-6.0, 3.0, 0.0);
        check(6.0, -3.0, -0.0);
        check(1.0, 0.0, f32::NAN);
        check(f32::INFINITY, 2.0, f32::NAN);
        check(1.0, f32::INFINITY, 1.0);
        check(-1.0, f32::INFINITY, f32::INFINITY);
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn lengths_that_differ_and_are_not_one_do_not_broadcast() {
        broadcast_shape(&[2, 3], &[2, 4]);
    }
}
