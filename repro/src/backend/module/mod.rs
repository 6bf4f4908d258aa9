//! Layers. Version 1 has `linear`, layer norm, attention, convolution and pooling over one and two axes (and, by burn's
//! defaults over our operations, embedding and unfolding).

mod convolution;
mod pooling;

use convolution::lengths;

use super::{Repro, flattened, float_tensor, matrix, refuse, transform, view};
use crate::kernels::attention::{Attention, Plane, attention};
use crate::kernels::norm::LayerNorm;
use crate::kernels::paths::Settings;
use crate::kernels::product::{Finish, Packed, finished, product, with_packed};
use crate::kernels::sum::sum_along;
use crate::kernels::view::Axis;
use crate::weights::{self, Use};
use burn_backend::Shape;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices,
    MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps,
};
use burn_flex::FlexTensor;
use pooling::Windows;

/// `x · weight`, and something done to each element after its chain. Inside a scope of [`weights`] the weight is packed once.
pub(crate) fn linear_finished(x: FlexTensor, weight: &FlexTensor, finish: Finish) -> FlexTensor {
    let shape = with_last(x.layout().shape(), weight.layout().shape()[1]);
    let rows = flattened(x);
    let settings = Settings::current();
    let kept = weights::find(weight, settings.path, Use::Product, || {
        Packed::new(settings.path, matrix(weight))
    });
    let out = match &kept {
        Some(packed) => with_packed(settings, matrix(&rows), packed, finish),
        None => finished(settings, matrix(&rows), matrix(weight), finish),
    };
    float_tensor(out, shape)
}

impl ModuleOps<Repro> for Repro {
    /// `x · weight + bias`. **Shapes.** `[.., k]`, `[k, n]`, `[n]` to `[.., n]`. **Order.** One chain an element over
    /// `k`, whatever the rank of `x`; the bias is added after the chain.
    fn linear(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        let bias = bias.as_ref().map(|bias| view(bias).packed());
        linear_finished(
            x,
            &weight,
            bias.as_deref().map_or(Finish::Plain, Finish::Bias),
        )
    }

    /// The input's gradient, `grad · weightᵀ`. **Order.** One chain an element over the output features.
    fn linear_x_backward(weight: FlexTensor, output_grad: FlexTensor) -> FlexTensor {
        let shape = with_last(output_grad.layout().shape(), weight.layout().shape()[0]);
        let rows = flattened(output_grad);
        let out = product(
            Settings::current(),
            matrix(&rows),
            matrix(&weight).transposed(),
        );
        float_tensor(out, shape)
    }

    /// The weight's gradient, `xᵀ · grad`. **Order.** One chain an element over the rows of the batch, leading axes
    /// flattened in row-major order.
    fn linear_weight_backward(x: FlexTensor, output_grad: FlexTensor) -> FlexTensor {
        let (x, grad) = (flattened(x), flattened(output_grad));
        let (x, grad) = (matrix(&x), matrix(&grad));
        let shape = Shape::new([x.columns, grad.columns]);
        float_tensor(product(Settings::current(), x.transposed(), grad), shape)
    }

    /// The bias's gradient. **Order.** One sum a feature over the rows of the batch, leading axes flattened in
    /// row-major order.
    fn linear_bias_backward(output_grad: FlexTensor) -> FlexTensor {
        let grad = flattened(output_grad);
        let shape = grad.layout().shape();
        let axis = Axis::of(&shape[..], 0);
        float_tensor(
            sum_along(Settings::current(), &view(&grad).packed(), axis),
            Shape::new([axis.inner]),
        )
    }

    fn conv1d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: ConvOptions<1>,
    ) -> FlexTensor {
        convolution::forward(x, weight, bias, options)
    }

    fn conv1d_x_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<1>,
    ) -> FlexTensor {
        convolution::x_backward(x, weight, output_grad, options)
    }

    fn conv1d_weight_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<1>,
    ) -> FlexTensor {
        convolution::weight_backward(x, weight, output_grad, options)
    }

    fn conv1d_bias_backward(
        _x: FlexTensor,
        bias: FlexTensor,
        output_grad: FlexTensor,
    ) -> FlexTensor {
        convolution::bias_backward(bias, output_grad)
    }

    fn conv2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        convolution::forward(x, weight, bias, options)
    }

    fn conv2d_x_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        convolution::x_backward(x, weight, output_grad, options)
    }

    fn conv2d_weight_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        convolution::weight_backward(x, weight, output_grad, options)
    }

    fn conv2d_bias_backward(
        _x: FlexTensor,
        bias: FlexTensor,
        output_grad: FlexTensor,
    ) -> FlexTensor {
        convolution::bias_backward(bias, output_grad)
    }

    fn conv_transpose1d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        convolution::transposed(x, weight, bias, options)
    }

    fn conv_transpose1d_x_backward(
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        convolution::transposed_x_backward(weight, output_grad, options)
    }

    fn conv_transpose1d_weight_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        convolution::transposed_weight_backward(x, weight, output_grad, options)
    }

    fn conv_transpose1d_bias_backward(
        _x: FlexTensor,
        bias: FlexTensor,
        output_grad: FlexTensor,
    ) -> FlexTensor {
        convolution::bias_backward(bias, output_grad)
    }

    fn conv_transpose2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        convolution::transposed(x, weight, bias, options)
    }

    fn conv_transpose2d_x_backward(
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        convolution::transposed_x_backward(weight, output_grad, options)
    }

    fn conv_transpose2d_weight_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        convolution::transposed_weight_backward(x, weight, output_grad, options)
    }

    fn conv_transpose2d_bias_backward(
        _x: FlexTensor,
        bias: FlexTensor,
        output_grad: FlexTensor,
    ) -> FlexTensor {
        convolution::bias_backward(bias, output_grad)
    }

    fn avg_pool1d(
        x: FlexTensor,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        let options = Windows {
            kernel: [kernel_size],
            stride: [stride],
            padding: [padding],
            dilation: [1],
            ceil_mode,
        };
        pooling::mean(x, options, count_include_pad)
    }

    fn avg_pool1d_backward(
        x: FlexTensor,
        grad: FlexTensor,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        let options = Windows {
            kernel: [kernel_size],
            stride: [stride],
            padding: [padding],
            dilation: [1],
            ceil_mode,
        };
        pooling::mean_backward(x, grad, options, count_include_pad)
    }

    fn avg_pool2d(
        x: FlexTensor,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        let options = Windows {
            kernel,
            stride,
            padding,
            dilation: [1, 1],
            ceil_mode,
        };
        pooling::mean(x, options, count_include_pad)
    }

    fn avg_pool2d_backward(
        x: FlexTensor,
        grad: FlexTensor,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        let options = Windows {
            kernel,
            stride,
            padding,
            dilation: [1, 1],
            ceil_mode,
        };
        pooling::mean_backward(x, grad, options, count_include_pad)
    }

    fn adaptive_avg_pool1d(x: FlexTensor, output_size: usize) -> FlexTensor {
        pooling::adaptive(x, [output_size])
    }

    fn adaptive_avg_pool1d_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        pooling::adaptive_backward::<1>(x, grad)
    }

    fn adaptive_avg_pool2d(x: FlexTensor, output_size: [usize; 2]) -> FlexTensor {
        pooling::adaptive(x, output_size)
    }

    fn adaptive_avg_pool2d_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        pooling::adaptive_backward::<2>(x, grad)
    }

    fn max_pool1d(
        x: FlexTensor,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
    ) -> FlexTensor {
        Self::max_pool1d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode).output
    }

    fn max_pool1d_with_indices(
        x: FlexTensor,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
    ) -> MaxPool1dWithIndices<Repro> {
        let options = Windows {
            kernel: [kernel_size],
            stride: [stride],
            padding: [padding],
            dilation: [dilation],
            ceil_mode,
        };
        let [output, indices] = pooling::max(x, options);
        MaxPool1dWithIndices::new(output, indices)
    }

    fn max_pool1d_with_indices_backward(
        x: FlexTensor,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
        output_grad: FlexTensor,
        indices: FlexTensor,
    ) -> MaxPool1dBackward<Repro> {
        let options = Windows {
            kernel: [kernel_size],
            stride: [stride],
            padding: [padding],
            dilation: [dilation],
            ceil_mode,
        };
        MaxPool1dBackward::new(pooling::max_backward(x, output_grad, indices, options))
    }

    fn max_pool2d(
        x: FlexTensor,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> FlexTensor {
        Self::max_pool2d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode).output
    }

    fn max_pool2d_with_indices(
        x: FlexTensor,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> MaxPool2dWithIndices<Repro> {
        let options = Windows {
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode,
        };
        let [output, indices] = pooling::max(x, options);
        MaxPool2dWithIndices::new(output, indices)
    }

    fn max_pool2d_with_indices_backward(
        x: FlexTensor,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
        output_grad: FlexTensor,
        indices: FlexTensor,
    ) -> MaxPool2dBackward<Repro> {
        let options = Windows {
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode,
        };
        MaxPool2dBackward::new(pooling::max_backward(x, output_grad, indices, options))
    }

    /// The layer norm over the last axis, fused with the bits of burn's composition, which is what autodiff computes.
    fn layer_norm(
        tensor: FlexTensor,
        gamma: FlexTensor,
        beta: Option<FlexTensor>,
        epsilon: f64,
    ) -> FlexTensor {
        let len = gamma.layout().num_elements();
        let shape = tensor.layout().shape();
        assert_eq!(
            shape[shape.num_dims() - 1],
            len,
            "repro: a layer norm of {shape:?} with {len} weights"
        );
        let gamma = view(&gamma).packed();
        let beta = beta.as_ref().map(|beta| view(beta).packed());
        let norm = LayerNorm {
            gamma: &gamma,
            beta: beta.as_deref(),
            epsilon: epsilon as f32,
        };
        transform(tensor, len, 4, |settings, part| {
            settings.path.run(norm.over(part));
        })
    }

    /// Attention, fused with the bits of burn's composition, which is what autodiff computes. **Shapes.** `[batch, heads, n, d]`,
    /// `[batch, groups, m, d]`, `[batch, groups, m, v]` to `[batch, heads, n, v]`; `groups` divides `heads`, and each head of the keys
    /// and values serves `heads / groups` of the queries in turn, as if it were repeated. **Order.** [`attention`].
    fn attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        mask: Option<FlexTensor>,
        attn_bias: Option<FlexTensor>,
        options: AttentionModuleOptions,
    ) -> FlexTensor {
        if let Some(softcap) = options.softcap {
            assert!(softcap > 0.0, "softcap must be positive, got {softcap}");
        }
        let [batch, heads, queries, width] = lengths(&query);
        let [.., keys, values] = lengths(&value);
        let scores = [batch, heads, queries, keys];
        let mask = mask.as_ref().map(super::mask);
        let bias = attn_bias.as_ref().map(view);
        let scale = options.scale.unwrap_or_else(|| 1.0 / (width as f64).sqrt());
        let task = Attention {
            query: view(&query),
            key: view(&key),
            value: view(&value),
            mask: mask.map(|x| Plane::new(x.data, x.offset, x.shape, x.strides, scores)),
            bias: bias.map(|x| Plane::new(x.data, x.offset, x.shape, x.strides, scores)),
            scale: scale as f32,
            softcap: options.softcap.map(|softcap| softcap as f32),
            is_causal: options.is_causal,
        };
        let out = attention(Settings::current(), &task);
        float_tensor(out, Shape::new([batch, queries, heads, values])).transpose(1, 2)
    }

    // Refused.

    fn deform_conv2d(
        _x: FlexTensor,
        _offset: FlexTensor,
        _weight: FlexTensor,
        _mask: Option<FlexTensor>,
        _bias: Option<FlexTensor>,
        _options: DeformConvOptions<2>,
    ) -> FlexTensor {
        refuse("deform_conv2d")
    }

    fn deform_conv2d_backward(
        _x: FlexTensor,
        _offset: FlexTensor,
        _weight: FlexTensor,
        _mask: Option<FlexTensor>,
        _bias: Option<FlexTensor>,
        _output_grad: FlexTensor,
        _options: DeformConvOptions<2>,
    ) -> DeformConv2dBackward<Repro> {
        refuse("deform_conv2d_backward")
    }

    fn conv3d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvOptions<3>,
    ) -> FlexTensor {
        refuse("conv3d")
    }

    fn conv3d_x_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<3>,
    ) -> FlexTensor {
        refuse("conv3d_x_backward")
    }

    fn conv3d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<3>,
    ) -> FlexTensor {
        refuse("conv3d_weight_backward")
    }

    fn conv3d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv3d_bias_backward")
    }

    fn conv_transpose3d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvTransposeOptions<3>,
    ) -> FlexTensor {
        refuse("conv_transpose3d")
    }

    fn conv_transpose3d_x_backward(
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<3>,
    ) -> FlexTensor {
        refuse("conv_transpose3d_x_backward")
    }

    fn conv_transpose3d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<3>,
    ) -> FlexTensor {
        refuse("conv_transpose3d_weight_backward")
    }

    fn conv_transpose3d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv_transpose3d_bias_backward")
    }

    fn interpolate(
        _x: FlexTensor,
        _output_size: [usize; 2],
        _options: InterpolateOptions,
    ) -> FlexTensor {
        refuse("interpolate")
    }

    fn interpolate_backward(
        _x: FlexTensor,
        _grad: FlexTensor,
        _output_size: [usize; 2],
        _options: InterpolateOptions,
    ) -> FlexTensor {
        refuse("interpolate_backward")
    }

    fn ctc_loss(
        _log_probs: FlexTensor,
        _targets: FlexTensor,
        _input_lengths: FlexTensor,
        _target_lengths: FlexTensor,
        _blank: usize,
    ) -> FlexTensor {
        refuse("ctc_loss")
    }

    fn ctc_loss_backward(
        _log_probs: FlexTensor,
        _targets: FlexTensor,
        _input_lengths: FlexTensor,
        _target_lengths: FlexTensor,
        _grad_loss: FlexTensor,
        _blank: usize,
    ) -> FlexTensor {
        refuse("ctc_loss_backward")
    }

    fn rfft(_signal: FlexTensor, _dim: usize, _n: Option<usize>) -> (FlexTensor, FlexTensor) {
        refuse("rfft")
    }

    fn irfft(
        _spectrum_re: FlexTensor,
        _spectrum_im: FlexTensor,
        _dim: usize,
        _n: Option<usize>,
    ) -> FlexTensor {
        refuse("irfft")
    }
}

fn with_last(shape: &Shape, len: usize) -> Shape {
    super::resized(shape, shape.num_dims() - 1, len)
}
