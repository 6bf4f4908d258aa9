//! Activations. Those not here are burn's defaults over our operations: leaky relu, parametric relu, softmax,
//! log-softmax, softmin, hard and log sigmoid, and the derivatives of the sigmoids. Autodiff composes the same
//! operations, so training and inference agree to the bit.

use super::{Repro, map, transform, zip};
use crate::kernels::elementary::{Function, apply};
use crate::kernels::paths::Settings;
use burn_backend::ops::ActivationOps;
use burn_flex::FlexTensor;

impl ActivationOps<Repro> for Repro {
    /// +0 where the element is at most zero (−0 included), else the element; a NaN stays.
    fn relu(tensor: FlexTensor) -> FlexTensor {
        map(tensor, |x| if x <= 0.0 { 0.0 } else { x })
    }

    /// +0 where the output is at most zero, else the gradient.
    fn relu_backward(output: FlexTensor, grad: FlexTensor) -> FlexTensor {
        zip(
            grad,
            output,
            |grad, output| if output <= 0.0 { 0.0 } else { grad },
        )
    }

    fn gelu(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Gelu)
    }

    /// The exact derivative of the erf form, times the gradient.
    fn gelu_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        zip(elementary(x, Function::GeluSlope), grad, |slope, grad| {
            slope * grad
        })
    }

    fn sigmoid(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Sigmoid)
    }
}

fn elementary(tensor: FlexTensor, function: Function) -> FlexTensor {
    let path = Settings::current().path;
    transform(tensor, |numbers| apply(path, function, numbers))
}
