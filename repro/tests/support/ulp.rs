//! Measuring error in units of the last place, against binary64 references.

#![allow(dead_code)]
// The platform's functions are only the yardstick here.
#![allow(clippy::disallowed_methods)]

use repro::kernels::elementary::{Function, apply};
use repro::kernels::paths::Path;

/// The largest error of a function over every `stride`-th bit pattern from `start`, and where it is.
pub fn worst(function: Function, start: u32, stride: usize) -> (f64, f32) {
    let path = Path::available()[0];
    let mut worst = (0.0f64, 0.0f32);
    let patterns: Vec<u32> = (start..=u32::MAX).step_by(stride).collect();
    for chunk in patterns.chunks(1 << 16) {
        let inputs: Vec<f32> = chunk.iter().map(|&bits| f32::from_bits(bits)).collect();
        let mut outputs = inputs.clone();
        apply(path, function, &mut outputs);
        for (&x, &y) in inputs.iter().zip(&outputs) {
            let error = error_in_ulps(y, reference(function, f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
        }
    }
    worst
}

/// Distance from the exact value in units of the last place of binary32 there. Zero for two NaNs, two equal
/// infinities, and an infinity where the exact value rounds to it.
pub fn error_in_ulps(got: f32, exact: f64) -> f64 {
    if got.is_nan() || exact.is_nan() {
        return if got.is_nan() && exact.is_nan() {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if f64::from(got) == exact || got == exact as f32 && got.is_infinite() {
        return 0.0;
    }
    let exponent = ((exact.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    (f64::from(got) - exact).abs() / 2f64.powi(exponent - 23)
}

pub fn reference(function: Function, x: f64) -> f64 {
    match function {
        Function::Exp => x.exp(),
        Function::Log => x.ln(),
        Function::Log1p => x.ln_1p(),
        Function::Tanh => x.tanh(),
        Function::Erf => erf(x),
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Function::Tan => x.tan(),
        Function::Sinh => x.sinh(),
        Function::Cosh => x.cosh(),
        Function::Asin => x.asin(),
        Function::Acos => x.acos(),
        Function::Atan => x.atan(),
        Function::Asinh => x.asinh(),
        Function::Acosh => x.acosh(),
        Function::Atanh => x.atanh(),
        Function::Gelu => x * normal_cdf(x),
        Function::GeluSlope => {
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            normal_cdf(x) + if density == 0.0 { 0.0 } else { x * density }
        }
    }
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// The series of Abramowitz and Stegun 7.1.6, whose terms are all positive.
fn erf(x: f64) -> f64 {
    let magnitude = x.abs();
    if magnitude > 6.0 {
        return 1f64.copysign(x);
    }
    if x.is_nan() {
        return x;
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > sum.abs() * 1e-18 {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
}
