//! A linear map and its activation as one operation: an element gets its bias and its activation while the tile that
//! holds it is in the nearest cache, where the two operations one after the other go through memory again.
//!
//! The bits are those of the two operations. On [`Repro`], which predicts, a map with a bias is fused; on [`Autodiff`] over it, which
//! must keep what lies between them for the gradient, it is the two. A model that is generic over both asks for
//! [`LinearActivation`].

use crate::Repro;
use crate::backend::{linear_finished, view};
use crate::kernels::product::Finish;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_backend::ops::{ActivationOps, ModuleOps};
use burn_flex::FlexTensor;

/// `relu(x · weight + bias)`.
///
/// **Shapes.** `[.., k]`, `[k, n]`, `[n]` to `[.., n]`. **Order.** One chain an element over `k`, then the bias is added,
/// then what is at most zero becomes +0.0.
///
/// # Panics
///
/// If the shapes do not belong together.
pub fn linear_relu<B: LinearActivation, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    activated(x, weight, bias, B::linear_relu)
}

/// `gelu(x · weight + bias)`, in the erf form.
///
/// **Shapes.** `[.., k]`, `[k, n]`, `[n]` to `[.., n]`. **Order.** One chain an element over `k`, then the bias is added,
/// then [`gelu`](crate::kernels::elementary::gelu) taken.
///
/// # Panics
///
/// If the shapes do not belong together.
pub fn linear_gelu<B: LinearActivation, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    activated(x, weight, bias, B::linear_gelu)
}

/// One of the two, on a backend's own tensors.
type Operation<B> = fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>;

fn activated<B: LinearActivation, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    operation: Operation<B>,
) -> Tensor<B, D> {
    if D == 1 {
        return activated(x.unsqueeze::<2>(), weight, bias, operation).squeeze_dim(0);
    }
    let bias = bias.map(|bias| bias.into_primitive().tensor());
    let [x, weight] = [x.into_primitive(), weight.into_primitive()].map(TensorPrimitive::tensor);
    Tensor::from_primitive(TensorPrimitive::Float(operation(x, weight, bias)))
}

/// A backend that has a linear map and its activation as one operation, or as the two.
pub trait LinearActivation: Backend {
    /// [`linear_relu`], of `x` of rank two or more.
    ///
    /// # Panics
    ///
    /// As there.
    fn linear_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        Self::relu(Self::linear(x, weight, bias))
    }

    /// [`linear_gelu`], of `x` of rank two or more.
    ///
    /// # Panics
    ///
    /// As there.
    fn linear_gelu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        Self::gelu(Self::linear(x, weight, bias))
    }
}

impl LinearActivation for Repro {
    fn linear_relu(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        match bias {
            Some(bias) => linear_finished(x, &weight, Finish::BiasRelu(&view(&bias).packed())),
            None => Self::relu(Self::linear(x, weight, None)),
        }
    }

    fn linear_gelu(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        match bias {
            Some(bias) => linear_finished(x, &weight, Finish::BiasGelu(&view(&bias).packed())),
            None => Self::gelu(Self::linear(x, weight, None)),
        }
    }
}

impl<C: CheckpointStrategy> LinearActivation for Autodiff<Repro, C> {}
