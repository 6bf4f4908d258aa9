//! Functions that networks seldom need: computed in binary64, rounded to binary32 once.
//!
//! **Shapes.** One number. **Order.** The text of each function: every `+`, `−`, `×`, `÷` and `√` is one IEEE operation
//! in binary64, none is fused; `exp` and `ln` are [`crate::f64fn`]'s. The result is rounded to binary32 at the end.
//! Binary64 has 29 bits to spare, so the result is the correctly rounded one but for cases very close to a tie:
//! the largest error is 0.5001 ulp (docs/repro-functions.md).

use super::elementary::reduce_large;
use crate::f64fn::{exp, ln};

/// Below this the logarithms and exponentials of the hyperbolic functions cancel, and a series is taken.
const SERIES: f64 = 0.031_25;

/// `coefficients[0] + z (coefficients[1] + z ..)`.
fn horner<const N: usize>(coefficients: [f64; N], z: f64) -> f64 {
    let mut value = 0.0;
    for coefficient in coefficients.into_iter().rev() {
        value = value * z + coefficient;
    }
    value
}

/// The tangent of an angle in radians.
///
/// Below 0.75 of the angle itself, above of its Payne-Hanek rest `r` within π/4 of a multiple of π/2:
/// with the Taylor polynomials of sine (to r¹⁵) and cosine (to r¹⁶), `sin r / cos r`, or `−cos r / sin r` if the multiple is odd.
pub fn tan(x: f32) -> f32 {
    const SINE: [f64; 8] = [
        1.0,
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
    ];
    const COSINE: [f64; 9] = [
        1.0,
        -1.0 / 2.0,
        1.0 / 24.0,
        -1.0 / 720.0,
        1.0 / 40_320.0,
        -1.0 / 3_628_800.0,
        1.0 / 479_001_600.0,
        -1.0 / 87_178_291_200.0,
        1.0 / 20_922_789_888_000.0,
    ];
    let (r, quadrant) = if x.abs() < 0.75 {
        (f64::from(x), 0)
    } else {
        reduce_large(x)
    };
    let z = r * r;
    let (sine, cosine) = (r * horner(SINE, z), horner(COSINE, z));
    let value = if quadrant & 1 == 0 {
        sine / cosine
    } else {
        -cosine / sine
    };
    value as f32
}

/// The hyperbolic sine: `(e^|x| − 1 / e^|x|) / 2` with the sign of `x`; below ⅛ the series to x⁹.
pub fn sinh(x: f32) -> f32 {
    const TAYLOR: [f64; 5] = [1.0, 1.0 / 6.0, 1.0 / 120.0, 1.0 / 5_040.0, 1.0 / 362_880.0];
    let x = f64::from(x);
    if x.abs() < 0.125 {
        return (x * horner(TAYLOR, x * x)) as f32;
    }
    let e = exp(x.abs());
    (0.5 * (e - 1.0 / e)).copysign(x) as f32
}

/// The hyperbolic cosine: `(e^|x| + 1 / e^|x|) / 2`.
pub fn cosh(x: f32) -> f32 {
    let e = exp(f64::from(x).abs());
    (0.5 * (e + 1.0 / e)) as f32
}

/// The angle within ±π/2 whose sine is `x`: `atan(x / √((1 − x)(1 + x)))`. Outside ±1 NaN.
pub fn asin(x: f32) -> f32 {
    let x = f64::from(x);
    arc_tangent(x / ((1.0 - x) * (1.0 + x)).sqrt()) as f32
}

/// The angle from 0 to π whose cosine is `x`: `2 atan(√((1 − x) / (1 + x)))`. Outside ±1 NaN.
pub fn acos(x: f32) -> f32 {
    let x = f64::from(x);
    (2.0 * arc_tangent(((1.0 - x) / (1.0 + x)).sqrt())) as f32
}

/// The angle within ±π/2 whose tangent is `x`.
pub fn atan(x: f32) -> f32 {
    arc_tangent(f64::from(x)) as f32
}

/// The angle of the point (x, y), within ±π: `atan(y / x)`, and for negative `x` that plus π with the sign of `y`.
/// Signed zeros and infinities as in C's Annex F.
pub fn atan2(y: f32, x: f32) -> f32 {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};
    if x.is_nan() || y.is_nan() {
        return f32::NAN;
    }
    let (ym, xm) = (f64::from(y.abs()), f64::from(x.abs()));
    let magnitude = if ym == 0.0 {
        0.0
    } else if xm == 0.0 {
        FRAC_PI_2
    } else if xm.is_infinite() && ym.is_infinite() {
        FRAC_PI_4
    } else {
        arc_tangent(ym / xm)
    };
    let angle = if x.is_sign_negative() {
        PI - magnitude
    } else {
        magnitude
    };
    angle.copysign(f64::from(y)) as f32
}

/// With `t = |x|`, or `1 / |x|` above 1, and above `tan π/12` once more `u = (√3 t − 1) / (√3 + t)`: the series of `u` to u³¹, then
/// `π/6 +` it and `π/2 −` that, with the sign of `x`.
fn arc_tangent(x: f64) -> f64 {
    const SQRT_3: f64 = 1.732_050_807_568_877_2;
    const TAN_PI_12: f64 = 0.267_949_192_431_122_7;
    const SERIES: [f64; 16] = [
        1.0,
        -1.0 / 3.0,
        1.0 / 5.0,
        -1.0 / 7.0,
        1.0 / 9.0,
        -1.0 / 11.0,
        1.0 / 13.0,
        -1.0 / 15.0,
        1.0 / 17.0,
        -1.0 / 19.0,
        1.0 / 21.0,
        -1.0 / 23.0,
        1.0 / 25.0,
        -1.0 / 27.0,
        1.0 / 29.0,
        -1.0 / 31.0,
    ];
    let magnitude = x.abs();
    let t = if magnitude > 1.0 {
        1.0 / magnitude
    } else {
        magnitude
    };
    let u = if t > TAN_PI_12 {
        (SQRT_3 * t - 1.0) / (SQRT_3 + t)
    } else {
        t
    };
    let series = u * horner(SERIES, u * u);
    let angle = if t > TAN_PI_12 {
        std::f64::consts::FRAC_PI_6 + series
    } else {
        series
    };
    let angle = if magnitude > 1.0 {
        std::f64::consts::FRAC_PI_2 - angle
    } else {
        angle
    };
    angle.copysign(x)
}

/// The number whose hyperbolic sine is `x`: `ln(|x| + √(x² + 1))` with the sign of `x`; below 1/32 the series to x⁹.
pub fn asinh(x: f32) -> f32 {
    const TAYLOR: [f64; 5] = [1.0, -1.0 / 6.0, 3.0 / 40.0, -15.0 / 336.0, 105.0 / 3_456.0];
    let x = f64::from(x);
    if x.abs() < SERIES {
        return (x * horner(TAYLOR, x * x)) as f32;
    }
    ln(x.abs() + (x * x + 1.0).sqrt()).copysign(x) as f32
}

/// The number from 0 whose hyperbolic cosine is `x`: `ln(x + √((x − 1)(x + 1)))`. Below 1 NaN.
pub fn acosh(x: f32) -> f32 {
    let x = f64::from(x);
    if x < 1.0 {
        return f32::NAN;
    }
    ln(x + ((x - 1.0) * (x + 1.0)).sqrt()) as f32
}

/// The number whose hyperbolic tangent is `x`: `½ ln((1 + x) / (1 − x))`; below 1/32 the series to x⁹. Outside ±1 NaN.
pub fn atanh(x: f32) -> f32 {
    const TAYLOR: [f64; 5] = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0];
    let x = f64::from(x);
    if x.abs() < SERIES {
        return (x * horner(TAYLOR, x * x)) as f32;
    }
    (0.5 * ln((1.0 + x) / (1.0 - x))) as f32
}

/// `x` to the power `y`: `e^(y ln|x|)`, negative if `x` is and `y` is an odd whole number, NaN if `x` is negative and `y` not
/// whole. Anything to the power 0 and 1 to any power are 1, of a NaN too.
pub fn pow(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f32::NAN;
    }
    let is_whole = y.is_infinite() || y.trunc() == y;
    // From 2^24 every binary32 number is even.
    let is_odd = is_whole && y.abs() < 16_777_216.0 && (y as i64) & 1 == 1;
    if x < 0.0 && x.is_finite() && !is_whole {
        return f32::NAN;
    }
    let magnitude = x.abs();
    let value = if magnitude == 1.0 {
        1.0
    } else {
        exp(f64::from(y) * ln(f64::from(magnitude)))
    };
    let value = value as f32;
    if is_odd && x.is_sign_negative() {
        -value
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs of numbers that have a rule of their own, against the platform's function, whose special cases C defines.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn special_cases_of_two_numbers_are_those_of_c() {
        let special = [
            0.0,
            0.5,
            1.0,
            2.0,
            3.0,
            2.5,
            1e-45,
            1e30,
            16_777_217.0,
            8_388_609.0,
            f32::MAX,
            f32::INFINITY,
        ];
        let same = |got: f32, expected: f32, what: &str, a: f32, b: f32| {
            let apart = i64::from(got.to_bits()) - i64::from(expected.to_bits());
            assert!(
                apart.abs() <= 1 && got.is_sign_negative() == expected.is_sign_negative()
                    || got.is_nan() && expected.is_nan(),
                "{what}({a:e}, {b:e}) is {expected:e}, got {got:e}"
            );
        };
        let all: Vec<f32> = special
            .iter()
            .flat_map(|&x| [x, -x])
            .chain([f32::NAN])
            .collect();
        for &a in &all {
            for &b in &all {
                same(pow(a, b), a.powf(b), "pow", a, b);
                same(atan2(a, b), a.atan2(b), "atan2", a, b);
            }
        }
    }

    #[test]
    fn ends_of_the_ranges() {
        use std::f32::consts::{FRAC_PI_2, PI};
        assert_eq!((asin(1.0), asin(-1.0)), (FRAC_PI_2, -FRAC_PI_2));
        assert_eq!((acos(1.0).to_bits(), acos(-1.0)), (0, PI));
        assert_eq!(
            (atan(f32::INFINITY), atan(-0.0).to_bits()),
            (FRAC_PI_2, (-0.0f32).to_bits())
        );
        assert_eq!((acosh(1.0).to_bits(), atanh(1.0)), (0, f32::INFINITY));
        assert_eq!(
            (cosh(100.0), sinh(-100.0)),
            (f32::INFINITY, f32::NEG_INFINITY)
        );
        for x in [
            asin(1.1),
            acos(-1.1),
            acosh(0.9),
            acosh(-2.0),
            atanh(1.1),
            tan(f32::INFINITY),
        ] {
            assert!(x.is_nan());
        }
    }
}
