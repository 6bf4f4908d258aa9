//! Right to the bit is not yet right: how close the definition is to mathematics.

mod support;
#[path = "support/ulp.rs"]
mod ulp;

use burn::backend::Autodiff;
use burn::tensor::activation::{gelu, log_softmax, sigmoid};
use burn::tensor::module::linear;
use burn::tensor::{Tensor, TensorData};
use repro::kernels::elementary::{Function, apply};
use repro::paths::Path;
use repro::{Repro, ReproDevice, f64fn};
use support::numbers;

#[test]
fn elementary_functions_stay_within_their_documented_error() {
    let bounds = [
        (Function::Exp, 0.88),
        (Function::Log, 0.91),
        (Function::Log1p, 2.47),
        (Function::Tanh, 1.4),
        (Function::Erf, 1.232),
        (Function::Sin, 1.6),
        (Function::Cos, 1.6),
        (Function::Sigmoid, 2.5),
        (Function::Tan, 0.501),
        (Function::Sinh, 0.501),
        (Function::Cosh, 0.501),
        (Function::Asin, 0.501),
        (Function::Acos, 0.501),
        (Function::Atan, 0.501),
        (Function::Asinh, 0.501),
        (Function::Acosh, 0.501),
        (Function::Atanh, 0.501),
    ];
    for (function, bound) in bounds {
        let (error, at) = ulp::worst(function, 7, 4999);
        assert!(error <= bound, "{function:?} is {error} ulp off at {at:e}");
    }
}

/// What the example `sweep` does for all numbers, for some: every 9,973rd, and the neighbours of every border there is.
#[test]
fn every_path_gives_the_same_bits() {
    let borders = [
        0.0,
        f32::MIN_POSITIVE,
        2.44e-4,
        0.031_25,
        0.125,
        0.267_949_2,
        0.5,
        0.625,
        std::f32::consts::FRAC_1_SQRT_2,
        0.75,
        std::f32::consts::FRAC_PI_4,
        0.921_875,
        1.0,
        // Where GELU's pieces meet: 0.921875 and 4, times the root of 2.
        1.303_728,
        5.656_854_5,
        // Where 1 + x is 1.
        5.960_464_5e-8,
        std::f32::consts::SQRT_2,
        std::f32::consts::FRAC_PI_2,
        // Odd multiples of a quarter of π, where sine and cosine change places.
        2.356_194_5,
        3.926_990_8,
        5.497_787,
        4.0,
        9.0,
        // Where GELU's slope loses its exponential.
        13.21,
        14.422_2,
        17.0,
        // Half of what exp can take, for tanh.
        44.361_42,
        44.5,
        52.0,
        87.336_55,
        88.722_84,
        // Where exp is held to infinity and to zero.
        89.0,
        89.415_99,
        104.0,
        103.972_08,
        71_476.0,
        16_777_216.0,
        f32::MAX,
    ];
    let mut inputs: Vec<f32> = (0..=u32::MAX).step_by(9973).map(f32::from_bits).collect();
    for border in borders {
        for by in 0..400u32 {
            let near = f32::from_bits((border.to_bits() + by).saturating_sub(200));
            inputs.extend([near, -near]);
        }
    }
    inputs.extend([f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    for function in Function::ALL {
        let on = |path| {
            let mut outputs = inputs.clone();
            apply(path, function, &mut outputs);
            support::bits(&outputs)
        };
        let scalar = on(Path::Scalar);
        for path in Path::available() {
            assert!(on(path) == scalar, "{function:?} on {}", path.name());
        }
    }
}

#[test]
fn gelu_and_its_slope_stay_within_a_small_absolute_error() {
    for function in [Function::Gelu, Function::GeluSlope] {
        let inputs: Vec<f32> = (-40_000..40_000).map(|i| i as f32 * 5e-4).collect();
        let mut outputs = inputs.clone();
        apply(Path::available()[0], function, &mut outputs);
        for (&x, &y) in inputs.iter().zip(&outputs) {
            let exact = ulp::reference(function, f64::from(x));
            let error = (f64::from(y) - exact).abs();
            assert!(
                error <= 2.5e-7 * exact.abs().max(1.0),
                "{function:?}({x}) is {error:e} off"
            );
        }
    }
}

/// Lines of `function, argument bits, correctly rounded result bits`, made in 200-bit arithmetic.
#[test]
fn the_metric_functions_are_within_one_ulp_of_200_bit_arithmetic() {
    let stored = include_str!("vectors/f64fn.txt");
    assert!(stored.lines().count() > 400);
    for line in stored.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let number = |text| f64::from_bits(u64::from_str_radix(text, 16).expect("hexadecimal"));
        let (x, exact) = (number(parts[1]), number(parts[2]));
        let got = match parts[0] {
            "exp" => f64fn::exp(x),
            _ => f64fn::ln(x),
        };
        let apart = (got.to_bits() as i64 - exact.to_bits() as i64).abs();
        assert!(apart <= 1, "{}({x:e}) is {exact:e}, got {got:e}", parts[0]);
    }
}

#[test]
fn the_metric_functions_know_the_ends_of_their_range() {
    assert_eq!(f64fn::exp(0.0), 1.0);
    assert_eq!(f64fn::exp(-0.0), 1.0);
    assert_eq!(f64fn::exp(710.0), f64::INFINITY);
    assert_eq!(f64fn::exp(f64::INFINITY), f64::INFINITY);
    assert_eq!(f64fn::exp(-746.0), 0.0);
    assert_eq!(f64fn::exp(f64::NEG_INFINITY), 0.0);
    assert_eq!(f64fn::exp(-745.0), 5e-324);
    assert_eq!(f64fn::ln(1.0).to_bits(), 0);
    assert_eq!(f64fn::ln(0.0), f64::NEG_INFINITY);
    assert_eq!(f64fn::ln(f64::INFINITY), f64::INFINITY);
    assert!(
        f64fn::exp(f64::NAN).is_nan() && f64fn::ln(f64::NAN).is_nan() && f64fn::ln(-1.0).is_nan()
    );
}

/// Compares gradients with central differences of the same function.
fn check_gradient(
    name: &str,
    x: Vec<f32>,
    f: impl Fn(Tensor<Autodiff<Repro>, 2>) -> Tensor<Autodiff<Repro>, 1>,
) {
    let shape = [3, x.len() / 3];
    let tracked = |x: Vec<f32>| {
        Tensor::<Autodiff<Repro>, 2>::from_data(TensorData::new(x, shape), &ReproDevice)
            .require_grad()
    };
    let value = |x: Vec<f32>| f64::from(f(tracked(x)).into_scalar());
    let leaf = tracked(x.clone());
    let grads = f(leaf.clone()).backward();
    let gradient: Vec<f32> = leaf
        .grad(&grads)
        .expect("a gradient")
        .into_data()
        .to_vec()
        .expect("floats");
    let step = 1.0 / 128.0;
    for (i, gradient) in gradient.iter().enumerate() {
        let moved = |by: f32| {
            let mut x = x.clone();
            x[i] += by;
            value(x)
        };
        let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let error = (slope - f64::from(*gradient)).abs();
        assert!(
            error < 3e-3 * slope.abs().max(1.0),
            "{name}, element {i}: {gradient} and {slope}"
        );
    }
}

#[test]
fn gradients_are_the_slopes_of_their_functions() {
    let weight = || Tensor::from_data(TensorData::new(numbers(3, 20), [4, 5]), &ReproDevice);
    let x = || numbers(4, 12);
    check_gradient("gelu", x(), |x| gelu(x).sum());
    check_gradient("sigmoid", x(), |x| sigmoid(x).powi_scalar(2).sum());
    check_gradient("tanh", x(), |x| x.tanh().sum());
    check_gradient("erf", x(), |x| x.erf().sum());
    check_gradient("log_softmax", x(), |x| {
        (log_softmax(x.clone(), 1) * x).mean()
    });
    check_gradient("linear", x(), |x| {
        linear(x, weight(), None).powi_scalar(2).mean()
    });
    check_gradient("mean_dim", x(), |x| {
        (x.clone() - x.mean_dim(0)).powi_scalar(2).sum()
    });
}
