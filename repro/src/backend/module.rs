//! Layers. Version 1 has `linear` (and, by burn's defaults over our operations, embedding and layer norm).

use super::{Repro, flattened, float_tensor, matrix, refuse, view};
use crate::kernels::paths::Settings;
use crate::kernels::product::product;
use crate::kernels::sum::sum_axis;
use crate::kernels::view::Axis;
use burn_backend::Shape;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices,
    MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps, UnfoldOptions,
};
use burn_flex::FlexTensor;

impl ModuleOps<Repro> for Repro {
    /// `x · weight + bias`. **Shapes.** `[.., k]`, `[k, n]`, `[n]` to `[.., n]`. **Order.** One chain an element over
    /// `k`, whatever the rank of `x`; the bias is added after the chain.
    fn linear(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        let shape = with_last(x.layout().shape(), weight.layout().shape()[1]);
        let rows = flattened(x);
        let mut out = product(Settings::current(), matrix(&rows), matrix(&weight));
        if let Some(bias) = bias {
            let bias = view(&bias).packed();
            for row in out.chunks_exact_mut(bias.len().max(1)) {
                row.iter_mut().zip(bias.iter()).for_each(|(x, b)| *x += b);
            }
        }
        float_tensor(out, shape)
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
            sum_axis(&view(&grad).packed(), axis),
            Shape::new([axis.inner]),
        )
    }

    // Refused.

    fn conv1d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvOptions<1>,
    ) -> FlexTensor {
        refuse("conv1d")
    }

    fn conv1d_x_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<1>,
    ) -> FlexTensor {
        refuse("conv1d_x_backward")
    }

    fn conv1d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<1>,
    ) -> FlexTensor {
        refuse("conv1d_weight_backward")
    }

    fn conv1d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv1d_bias_backward")
    }

    fn conv2d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvOptions<2>,
    ) -> FlexTensor {
        refuse("conv2d")
    }

    fn conv2d_x_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<2>,
    ) -> FlexTensor {
        refuse("conv2d_x_backward")
    }

    fn conv2d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvOptions<2>,
    ) -> FlexTensor {
        refuse("conv2d_weight_backward")
    }

    fn conv2d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv2d_bias_backward")
    }

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

    fn conv_transpose1d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        refuse("conv_transpose1d")
    }

    fn conv_transpose1d_x_backward(
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        refuse("conv_transpose1d_x_backward")
    }

    fn conv_transpose1d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<1>,
    ) -> FlexTensor {
        refuse("conv_transpose1d_weight_backward")
    }

    fn conv_transpose1d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv_transpose1d_bias_backward")
    }

    fn conv_transpose2d(
        _x: FlexTensor,
        _weight: FlexTensor,
        _bias: Option<FlexTensor>,
        _options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        refuse("conv_transpose2d")
    }

    fn conv_transpose2d_x_backward(
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        refuse("conv_transpose2d_x_backward")
    }

    fn conv_transpose2d_weight_backward(
        _x: FlexTensor,
        _weight: FlexTensor,
        _output_grad: FlexTensor,
        _options: ConvTransposeOptions<2>,
    ) -> FlexTensor {
        refuse("conv_transpose2d_weight_backward")
    }

    fn conv_transpose2d_bias_backward(
        _x: FlexTensor,
        _bias: FlexTensor,
        _output_grad: FlexTensor,
    ) -> FlexTensor {
        refuse("conv_transpose2d_bias_backward")
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

    fn unfold4d(_x: FlexTensor, _kernel_size: [usize; 2], _options: UnfoldOptions) -> FlexTensor {
        refuse("unfold4d")
    }

    fn avg_pool1d(
        _x: FlexTensor,
        _kernel_size: usize,
        _stride: usize,
        _padding: usize,
        _count_include_pad: bool,
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("avg_pool1d")
    }

    fn avg_pool1d_backward(
        _x: FlexTensor,
        _grad: FlexTensor,
        _kernel_size: usize,
        _stride: usize,
        _padding: usize,
        _count_include_pad: bool,
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("avg_pool1d_backward")
    }

    fn avg_pool2d(
        _x: FlexTensor,
        _kernel_size: [usize; 2],
        _stride: [usize; 2],
        _padding: [usize; 2],
        _count_include_pad: bool,
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("avg_pool2d")
    }

    fn avg_pool2d_backward(
        _x: FlexTensor,
        _grad: FlexTensor,
        _kernel_size: [usize; 2],
        _stride: [usize; 2],
        _padding: [usize; 2],
        _count_include_pad: bool,
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("avg_pool2d_backward")
    }

    fn adaptive_avg_pool2d(_x: FlexTensor, _output_size: [usize; 2]) -> FlexTensor {
        refuse("adaptive_avg_pool2d")
    }

    fn adaptive_avg_pool2d_backward(_x: FlexTensor, _grad: FlexTensor) -> FlexTensor {
        refuse("adaptive_avg_pool2d_backward")
    }

    fn adaptive_avg_pool1d(_x: FlexTensor, _output_size: usize) -> FlexTensor {
        refuse("adaptive_avg_pool1d")
    }

    fn adaptive_avg_pool1d_backward(_x: FlexTensor, _grad: FlexTensor) -> FlexTensor {
        refuse("adaptive_avg_pool1d_backward")
    }

    fn max_pool1d(
        _x: FlexTensor,
        _kernel_size: usize,
        _stride: usize,
        _padding: usize,
        _dilation: usize,
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("max_pool1d")
    }

    fn max_pool1d_with_indices(
        _x: FlexTensor,
        _kernel_size: usize,
        _stride: usize,
        _padding: usize,
        _dilation: usize,
        _ceil_mode: bool,
    ) -> MaxPool1dWithIndices<Repro> {
        refuse("max_pool1d_with_indices")
    }

    fn max_pool1d_with_indices_backward(
        _x: FlexTensor,
        _kernel_size: usize,
        _stride: usize,
        _padding: usize,
        _dilation: usize,
        _ceil_mode: bool,
        _output_grad: FlexTensor,
        _indices: FlexTensor,
    ) -> MaxPool1dBackward<Repro> {
        refuse("max_pool1d_with_indices_backward")
    }

    fn max_pool2d(
        _x: FlexTensor,
        _kernel_size: [usize; 2],
        _stride: [usize; 2],
        _padding: [usize; 2],
        _dilation: [usize; 2],
        _ceil_mode: bool,
    ) -> FlexTensor {
        refuse("max_pool2d")
    }

    fn max_pool2d_with_indices(
        _x: FlexTensor,
        _kernel_size: [usize; 2],
        _stride: [usize; 2],
        _padding: [usize; 2],
        _dilation: [usize; 2],
        _ceil_mode: bool,
    ) -> MaxPool2dWithIndices<Repro> {
        refuse("max_pool2d_with_indices")
    }

    fn max_pool2d_with_indices_backward(
        _x: FlexTensor,
        _kernel_size: [usize; 2],
        _stride: [usize; 2],
        _padding: [usize; 2],
        _dilation: [usize; 2],
        _ceil_mode: bool,
        _output_grad: FlexTensor,
        _indices: FlexTensor,
    ) -> MaxPool2dBackward<Repro> {
        refuse("max_pool2d_with_indices_backward")
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

    fn attention(
        _query: FlexTensor,
        _key: FlexTensor,
        _value: FlexTensor,
        _mask: Option<FlexTensor>,
        _attn_bias: Option<FlexTensor>,
        _options: AttentionModuleOptions,
    ) -> FlexTensor {
        refuse("attention")
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
