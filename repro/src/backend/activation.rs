//! Activations. Those not here are burn's defaults over our operations: leaky relu, parametric relu, softmin, hard and log
//! sigmoid, and the derivatives of the sigmoids. Autodiff composes the same operations, and what is fused here has the
//! bits of that composition, so training and inference agree to the bit.

use super::{Repro, elementary, map, transform, zip};
use crate::kernels::elementary::Function;
use crate::kernels::softmax::{self, Soft};
use crate::kernels::view::Axis;
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

    /// Fused, with the bits of burn's composition, which is what autodiff computes.
    fn softmax(tensor: FlexTensor, dim: usize) -> FlexTensor {
        soften(tensor, dim, Soft::Max)
    }

    /// Fused, with the bits of burn's composition.
    fn log_softmax(tensor: FlexTensor, dim: usize) -> FlexTensor {
        soften(tensor, dim, Soft::LogMax)
    }
}

fn soften(tensor: FlexTensor, dim: usize, soft: Soft) -> FlexTensor {
    let axis = Axis::of(&tensor.layout().shape()[..], dim);
    if axis.len == 0 && axis.outer * axis.inner > 0 {
        panic!("repro: the maximum or minimum of an empty axis does not exist");
    }
    transform(tensor, axis.len * axis.inner, 8, |settings, part| {
        softmax::rows(settings, part, axis, soft);
    })
}
