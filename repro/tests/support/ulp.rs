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
    let unit = f64::from_bits(((exponent - 23 + 1023) as u64) << 52);
    (f64::from(got) - exact).abs() / unit
}

pub fn reference(function: Function, x: f64) -> f64 {
    match function {
        Function::Exp => x.exp(),
        Function::Log => x.ln(),
        Function::Log1p => x.ln_1p(),
        Function::Tanh => x.tanh(),
        Function::Erf => libm::erf(x),
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
        // An infinity times a zero is no reference.
        Function::Gelu if x < -40.0 => -0.0,
        Function::Gelu => x * normal_cdf(x),
        Function::GeluSlope => {
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            normal_cdf(x) + if density == 0.0 { 0.0 } else { x * density }
        }
    }
}

/// By the complement, which keeps its accuracy far to the left.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}
