//! The elementary functions, each one written polynomial: range reduction, coefficients, Horner with
//! fused multiply-adds. Never the platform's.
//!
//! **Shapes.** Elementwise. **Order.** The text of each function below is its order: every `*`, `+`,
//! `-` and `/` is one IEEE operation, every `F::fma` one fused multiply-add, in the order written.
//!
//! The coefficients are near-minimax fits made in 60-digit arithmetic and rounded to binary32; as written
//! here they *are* the definition. Largest errors (one ulp is the spacing of binary32 at the exact result);
//! docs/repro-functions.md says over which numbers they were measured, and a test repeats a sample:
//!
//! | function | largest error |
//! |---|---|
//! | `exp` | 0.88 ulp |
//! | `log` | 0.91 ulp |
//! | `log1p` | 2.5 ulp |
//! | `tanh` | 1.4 ulp |
//! | `erf` | 1.24 ulp |
//! | `sin`, `cos` | 1.6 ulp |
//! | `sigmoid` | 2.5 ulp |
//!
//! `gelu` and its slope have a small absolute error, not a relative one, far to the left, where they approach zero by
//! cancellation; that is the erf form in binary32. `cargo run --release -p repro --example sweep` measures all this.

use super::fma::Fma;

pub use super::unary::{Function, apply};

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 as two numbers: the nearest binary32, and the nearest to what it leaves.
const LN2_HIGH: f32 = std::f32::consts::LN_2;
const LN2_LOW: f32 = -1.904_654_2e-9;
/// 1.5 · 2^23: adding it rounds a small number to a whole one, which then sits in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// Horner's rule from the highest coefficient down; `coefficients[0]` is the constant term.
#[inline(always)]
fn horner<F: Fma, const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut value = coefficients[N - 1];
    for &coefficient in coefficients[..N - 1].iter().rev() {
        value = F::fma(value, x, coefficient);
    }
    value
}

/// 2^n for n in −126..=127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// e^x. Overflows to infinity, underflows through the subnormals to zero.
///
/// `k` is `x / ln 2` rounded to a whole number, `r = x − k ln 2` in two fused steps, `e^r` a polynomial
/// of degree 7, and the scaling by 2^k two multiplications of which the first is exact.
#[inline(always)]
pub fn exp<F: Fma>(x: f32) -> f32 {
    exp_up_to_89::<F>(if x > 89.0 { 89.0 } else { x })
}

/// [`exp`] of numbers that are at most 89, or NaN.
#[inline(always)]
fn exp_up_to_89<F: Fma>(x: f32) -> f32 {
    let (value, shifted) = exp_unscaled::<F>(if x < -104.0 { -104.0 } else { x });
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let half = n >> 1;
    value * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// [`exp`] of numbers within ±87, where both scalings are exact and so an addition to the exponent. Of a NaN, anything.
#[inline(always)]
fn exp_within_87<F: Fma>(x: f32) -> f32 {
    let (value, shifted) = exp_unscaled::<F>(x);
    // Nothing of `ROUNDER` itself is left by the shift: its low 22 bits are zero.
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `e^r`, and `k` in the low bits of `ROUNDER + k`.
#[inline(always)]
fn exp_unscaled<F: Fma>(x: f32) -> (f32, f32) {
    let shifted = F::fma(x, LOG2_E, ROUNDER);
    let k = shifted - ROUNDER;
    let r = F::fma(k, -LN2_HIGH, x);
    let r = F::fma(k, -LN2_LOW, r);
    let value = horner::<F, 8>(
        [
            1.0,
            1.0,
            0.5,
            0.166_666_67,
            0.041_666_463,
            0.008_333_310_5,
            0.001_393_373_1,
            0.000_198_910_8,
        ],
        r,
    );
    (value, shifted)
}

/// The natural logarithm. Of zero −∞, of a negative number NaN.
///
/// `x = 2^k (1 + f)` with `1 + f` in [√½, √2); `log(1 + f) = f + f² (f P(f) − ½)` with `P` of degree 8;
/// `k ln 2` is added in two fused steps, the small part first.
#[inline(always)]
pub fn log<F: Fma>(x: f32) -> f32 {
    const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
    let is_subnormal = x < f32::MIN_POSITIVE;
    let scaled = if is_subnormal { x * 8_388_608.0 } else { x };
    let scale: i32 = if is_subnormal { -23 } else { 0 };
    let bits = scaled.to_bits() as i32;
    let exponent = bits.wrapping_sub(SQRT_HALF_BITS) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(exponent << 23) as u32) - 1.0;
    let k = exponent.wrapping_add(scale) as f32;
    let p = horner::<F, 9>(
        [
            0.333_333_3,
            -0.249_999_97,
            0.200_007_17,
            -0.166_678_07,
            0.142_490_07,
            -0.124_255_23,
            0.116_857_85,
            -0.114_812_12,
            0.069_725_186,
        ],
        f,
    );
    let q = F::fma(f, p, -0.5);
    let small = F::fma(k, LN2_LOW, F::fma(f * f, q, f));
    let value = F::fma(k, LN2_HIGH, small);
    let value = if x < f32::INFINITY { value } else { x };
    let value = if x < 0.0 { f32::NAN } else { value };
    if x == 0.0 { f32::NEG_INFINITY } else { value }
}

/// log(1 + x), accurate near zero.
///
/// With `u = 1 + x` rounded: `x` if `u` is 1, `u` if it is infinite, else `log(u) · (x / (u − 1))`.
#[inline(always)]
pub fn log1p<F: Fma>(x: f32) -> f32 {
    let u = 1.0 + x;
    let value = log::<F>(u) * (x / (u - 1.0));
    let value = if u == f32::INFINITY { u } else { value };
    if u == 1.0 { x } else { value }
}

/// The hyperbolic tangent.
///
/// Below 0.625 `x + (x z) P(z)` with `z = x²` and `P` of degree 4; from there `1 − 2 / (e^(2|x|) + 1)`
/// either with the sign of `x` (−0 gives −0).
#[inline(always)]
pub fn tanh<F: Fma>(x: f32) -> f32 {
    let z = x * x;
    let p = horner::<F, 5>(
        [
            -0.333_333_28,
            0.133_327_7,
            -0.053_850_85,
            0.020_996_895,
            -0.006_096_299_7,
        ],
        z,
    );
    let small = F::fma(x * z, p, x);
    let magnitude = x.abs();
    let large = 1.0 - 2.0 / (exp::<F>(magnitude + magnitude) + 1.0);
    let value = if magnitude < 0.625 { small } else { large };
    value.copysign(x)
}

/// The error function.
///
/// Below 0.921875 `x + x P(x²)` with `P` of degree 5; from there `1 − e^L(t)` with `t = min(|x|, 4)` and
/// `L` of degree 9 a fit of `log(erfc(t))`, with the sign of `x`.
#[inline(always)]
pub fn erf<F: Fma>(x: f32) -> f32 {
    let mut one = [x];
    erf_all::<F, 1>(&mut one);
    one[0]
}

/// [`erf`] of each.
#[inline(always)]
pub(super) fn erf_all<F: Fma, const N: usize>(x: &mut [f32; N]) {
    let mut t = [0.0; N];
    for i in 0..N {
        let magnitude = x[i].abs();
        t[i] = if magnitude > 4.0 { 4.0 } else { magnitude };
    }
    erf_up_to_4::<F, N>(&mut t);
    for i in 0..N {
        x[i] = t[i].copysign(x[i]);
    }
}

/// [`erf`] of numbers from 0 to 4, or NaN. Both branches are odd to the bit, so the sign may be given afterwards.
///
/// The work is in steps, each done to all numbers: a processor looks only so many instructions ahead, and those of one
/// number wait for each other.
#[inline(always)]
fn erf_up_to_4<F: Fma, const N: usize>(t: &mut [f32; N]) {
    let (mut small, mut l) = ([0.0; N], [0.0; N]);
    for i in 0..N {
        let p = horner::<F, 6>(
            [
                0.128_379_15,
                -0.376_125,
                0.112_818_81,
                -0.026_768_71,
                0.004_995_951_4,
                -0.000_600_372_2,
            ],
            t[i] * t[i],
        );
        small[i] = F::fma(t[i], p, t[i]);
        l[i] = horner::<F, 10>(
            [
                0.000_362_899_33,
                -1.130_446_7,
                -0.631_373_9,
                -0.110_615_99,
                0.026_813_354,
                -0.004_943_878,
                0.000_652_536_34,
                -5.654_669e-5,
                2.754_702_8e-6,
                -5.148_567_4e-8,
            ],
            t[i],
        );
    }
    for i in 0..N {
        // `l` is from −15.5 to 0.0004.
        let large = 1.0 - exp_within_87::<F>(l[i]);
        // So that a NaN takes the first branch, which keeps it.
        t[i] = if t[i] >= 0.921_875 { large } else { small[i] };
    }
}

/// The sine of an angle in radians.
#[inline(always)]
pub fn sin<F: Fma>(x: f32) -> f32 {
    let (r, quadrant) = reduce::<F>(x);
    circular::<F>(r, quadrant)
}

/// The cosine of an angle in radians.
#[inline(always)]
pub fn cos<F: Fma>(x: f32) -> f32 {
    let (r, quadrant) = reduce::<F>(x);
    circular::<F>(r, quadrant.wrapping_add(1))
}

/// [`sin`] of an angle that is not [`is_far`]: without the branch, which would keep the compiler from vectorising.
#[inline(always)]
pub(super) fn sin_near<F: Fma>(x: f32) -> f32 {
    let (r, quadrant) = reduce_near::<F>(x);
    circular::<F>(r, quadrant)
}

/// [`cos`] of an angle that is not [`is_far`].
#[inline(always)]
pub(super) fn cos_near<F: Fma>(x: f32) -> f32 {
    let (r, quadrant) = reduce_near::<F>(x);
    circular::<F>(r, quadrant.wrapping_add(1))
}

/// Whether an angle needs [`reduce_large`].
#[inline(always)]
pub(super) fn is_far(x: f32) -> bool {
    x.abs() > 71_476.0
}

/// sin(r + quadrant · π/2) for r within ±π/4.
///
/// With `z = r²`: even quadrants `r + (r z) P(z)` with the sign of `r`, odd ones `1 − z/2 + z² Q(z)`, both of degree 3;
/// the sign changes in quadrants 2 and 3.
#[inline(always)]
fn circular<F: Fma>(r: f32, quadrant: i32) -> f32 {
    let z = r * r;
    let p = horner::<F, 4>(
        [
            -0.166_666_67,
            0.008_333_332,
            -0.000_198_400_64,
            2.724_687e-6,
        ],
        z,
    );
    let q = horner::<F, 4>(
        [
            0.041_666_668,
            -0.001_388_888_8,
            2.480_058e-5,
            -2.729_840_7e-7,
        ],
        z,
    );
    let sine = F::fma(r * z, p, r).copysign(r);
    let cosine = F::fma(z * z, q, F::fma(z, -0.5, 1.0));
    let value = if quadrant & 1 == 0 { sine } else { cosine };
    if quadrant & 2 == 0 { value } else { -value }
}

/// The angle within ±π/4 (and a little) that differs from `x` by a multiple of π/2, and that multiple
/// modulo 4.
///
/// Up to 71,476: `k = x · 2/π` rounded to a whole number, then three fused steps with π/2 in three parts.
/// Above: [`reduce_large`].
#[inline(always)]
fn reduce<F: Fma>(x: f32) -> (f32, i32) {
    if is_far(x) {
        let (angle, quadrant) = reduce_large(x);
        return (angle as f32, quadrant);
    }
    reduce_near::<F>(x)
}

#[inline(always)]
fn reduce_near<F: Fma>(x: f32) -> (f32, i32) {
    const HALF_PI: [f32; 3] = [1.570_796_4, -4.371_139e-8, -1.715_124_5e-15];
    let shifted = F::fma(x, std::f32::consts::FRAC_2_PI, ROUNDER);
    let k = shifted - ROUNDER;
    let r = F::fma(k, -HALF_PI[0], x);
    let r = F::fma(k, -HALF_PI[1], r);
    let r = F::fma(k, -HALF_PI[2], r);
    (r, shifted.to_bits() as i32 & 3)
}

/// Payne and Hanek's reduction in whole numbers: the significand times 96 bits of 2/π, of which the two bits
/// above the point are the quadrant and the signed fraction times π/2 is the angle, in binary64. For numbers from ½.
pub(super) fn reduce_large(x: f32) -> (f64, i32) {
    /// The first 256 bits of 2/π after the point, 64 at a time.
    const TWO_OVER_PI: [u64; 4] = [
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
        0xfe51_63ab_debb_c561,
    ];
    if !x.is_finite() {
        return (f64::NAN, 0);
    }
    let bits = x.to_bits();
    let significand = u128::from(bits & 0x7f_ffff | 0x80_0000);
    let exponent = (bits >> 23 & 0xff) as i32 - 150;
    // Bits of 2/π whose product with the significand is a multiple of 4 turn whole circles: skipped.
    let skipped = (exponent - 2).max(0) as usize;
    let word = |at: usize| u128::from(TWO_OVER_PI.get(at).copied().unwrap_or(0));
    let pair = word(skipped / 64) << 64 | word(skipped / 64 + 1);
    let rest = word(skipped / 64 + 2) << 64;
    let offset = skipped % 64;
    let window = if offset == 0 {
        pair
    } else {
        pair << offset | rest >> (128 - offset)
    };
    let product = significand * (window >> 32);
    // The point is below bit `point`; shifting the quadrant out leaves the fraction on top.
    let point = 96 + skipped as i32 - exponent;
    let quadrant = (product >> point) as i32;
    let fraction = ((product << (128 - point)) >> 64) as i64;
    let quadrant = quadrant.wrapping_add(i32::from(fraction < 0));
    // π/2 · 2^-64: the fraction is in units of 2^-64 of a quadrant.
    let angle = fraction as f64 * (std::f64::consts::FRAC_PI_2 / 18_446_744_073_709_551_616.0);
    if x < 0.0 {
        (-angle, quadrant.wrapping_neg() & 3)
    } else {
        (angle, quadrant & 3)
    }
}

/// 1 / (1 + e^−x), computed as `e^−|x|` over `1 + e^−|x|`, or 1 over that for `x ≥ 0`.
#[inline(always)]
pub fn sigmoid<F: Fma>(x: f32) -> f32 {
    let e = exp_up_to_89::<F>(-x.abs());
    let numerator = if x >= 0.0 { 1.0 } else { e };
    numerator / (1.0 + e)
}

/// √2, by which [`gelu`] divides.
const SQRT_2: f32 = std::f32::consts::SQRT_2;
/// The number whose quotient by `SQRT_2` is 4: from there on [`erf`] stays what it is.
const FOUR_SQRT_2: f32 = 4.0 * SQRT_2;
/// 1 / √(2π).
const INVERSE_SQRT_TAU: f32 = 0.398_942_3;

/// The Gaussian error linear unit, erf form (Hendrycks and Gimpel, 2016): `x · ((erf(x / √2) + 1) / 2)`,
/// of which the halving is exact.
#[inline(always)]
pub fn gelu<F: Fma>(x: f32) -> f32 {
    let mut one = [x];
    gelu_all::<F, 1>(&mut one);
    one[0]
}

/// [`gelu`] of each.
#[inline(always)]
pub(super) fn gelu_all<F: Fma, const N: usize>(x: &mut [f32; N]) {
    let cumulative = cumulative::<F, N>(x);
    for i in 0..N {
        x[i] *= cumulative[i];
    }
}

/// The derivative of [`gelu`]: `Φ(x) + x φ(x)`, with `Φ = (erf(x / √2) + 1) / 2`,
/// `φ = e^((x · x) · −½) · (1/√(2π))`, and one fused multiply-add.
#[inline(always)]
pub fn gelu_slope<F: Fma>(x: f32) -> f32 {
    let mut one = [x];
    gelu_slope_all::<F, 1>(&mut one);
    one[0]
}

/// [`gelu_slope`] of each.
#[inline(always)]
pub(super) fn gelu_slope_all<F: Fma, const N: usize>(x: &mut [f32; N]) {
    let cumulative = cumulative::<F, N>(x);
    for i in 0..N {
        let density = exp_up_to_89::<F>((x[i] * x[i]) * -0.5) * INVERSE_SQRT_TAU;
        x[i] = F::fma(x[i], density, cumulative[i]);
    }
}

/// `(erf(x / √2) + 1) / 2` of each.
///
/// The quotient comes from a multiplication and two fused steps, which cost less than a division and give the quotient
/// itself (Markstein, 1990), but where the remainder underflows, below 2^-100: there `erf + 1` is 1 either way.
#[inline(always)]
fn cumulative<F: Fma, const N: usize>(x: &[f32; N]) -> [f32; N] {
    const INVERSE: f32 = 1.0 / SQRT_2;
    let mut value = [0.0; N];
    for i in 0..N {
        let magnitude = x[i].abs();
        let magnitude = if magnitude > FOUR_SQRT_2 {
            FOUR_SQRT_2
        } else {
            magnitude
        };
        let near = magnitude * INVERSE;
        let remainder = F::fma(near, -SQRT_2, magnitude);
        value[i] = F::fma(remainder, INVERSE, near);
    }
    erf_up_to_4::<F, N>(&mut value);
    for i in 0..N {
        value[i] = (value[i].copysign(x[i]) + 1.0) / 2.0;
    }
    value
}
