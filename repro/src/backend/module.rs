//! Layers. Version 1 has `linear`, convolution and pooling over two axes (and, by burn's defaults over our
//! operations, embedding). Options that it does not define, such as groups and dilation, are refused by name.

use super::{Repro, flattened, float_tensor, indices, int_tensor, matrix, refuse, transform, view};
use crate::kernels::attention::{Attention, Plane, attention};
use crate::kernels::convolution::{self, Convolution};
use crate::kernels::norm::LayerNorm;
use crate::kernels::paths::Settings;
use crate::kernels::pooling::{self, Pooling};
use crate::kernels::product::{Finish, finished, product, with_packed};
use crate::kernels::sum::sum_along;
use crate::kernels::view::Axis;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices,
    MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps, UnfoldOptions,
};
use burn_backend::{IntDType, Shape};
use burn_flex::FlexTensor;

impl ModuleOps<Repro> for Repro {
    /// `x · weight + bias`. **Shapes.** `[.., k]`, `[k, n]`, `[n]` to `[.., n]`. **Order.** One chain an element over
    /// `k`, whatever the rank of `x`; the bias is added after the chain.
    fn linear(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        let shape = with_last(x.layout().shape(), weight.layout().shape()[1]);
        let rows = flattened(x);
        let bias = bias.as_ref().map(|bias| view(bias).packed());
        let finish = bias.as_deref().map_or(Finish::Plain, Finish::Bias);
        let settings = Settings::current();
        let kept = crate::weights::find(&weight, settings.path);
        let out = match &kept {
            Some(packed) => with_packed(settings, matrix(&rows), packed, finish),
            None => finished(settings, matrix(&rows), matrix(&weight), finish),
        };
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
            sum_along(Settings::current(), &view(&grad).packed(), axis),
            Shape::new([axis.inner]),
        )
    }

    /// Convolution; strides and padding, one group, no dilation. **Shapes.** `[n, c, h, w]`, `[o, c, kh, kw]`, `[o]` to
    /// `[n, o, oh, ow]`. **Order.** One chain an element over channel, kernel row, kernel column, padded taps as
    /// zeros; the bias is added after the chain.
    fn conv2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        let shape = convolution("conv2d", lengths(&x), lengths(&weight), &options);
        let bias = bias.as_ref().map(|bias| view(bias).packed());
        let out = convolution::forward(
            Settings::current(),
            shape,
            &view(&x).packed(),
            &view(&weight).packed(),
            bias.as_deref(),
        );
        float_tensor(out, Shape::new(shape.output_shape()))
    }

    /// The input's gradient. **Order.** One chain an element over output channel, kernel row, kernel column; a tap
    /// that no output has is a zero.
    fn conv2d_x_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        let shape = convolution("conv2d", lengths(&x), lengths(&weight), &options);
        let out = convolution::input_gradient(
            Settings::current(),
            shape,
            &view(&weight).packed(),
            &view(&output_grad).packed(),
        );
        float_tensor(out, x.layout().shape().clone())
    }

    /// The weight's gradient. **Order.** One chain an element over batch, output row, output column.
    fn conv2d_weight_backward(
        x: FlexTensor,
        weight: FlexTensor,
        output_grad: FlexTensor,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        let shape = convolution("conv2d", lengths(&x), lengths(&weight), &options);
        let out = convolution::weight_gradient(
            Settings::current(),
            shape,
            &view(&x).packed(),
            &view(&output_grad).packed(),
        );
        float_tensor(out, weight.layout().shape().clone())
    }

    /// The bias's gradient. **Order.** One sum a channel over batch, output row, output column, flattened.
    fn conv2d_bias_backward(
        _x: FlexTensor,
        bias: FlexTensor,
        output_grad: FlexTensor,
    ) -> FlexTensor {
        let out = convolution::bias_gradient(lengths(&output_grad), &view(&output_grad).packed());
        float_tensor(out, bias.layout().shape().clone())
    }

    /// The mean of each window. **Order.** The sum of the window's elements in row-major order, divided by the
    /// count; padding is no element, and counts only if that is asked for.
    fn avg_pool2d(
        x: FlexTensor,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        assert_rounds_down("avg_pool2d", ceil_mode);
        let [batch, channels, rows, columns] = lengths(&x);
        let shape = Pooling::new([rows, columns], kernel_size, stride, padding);
        let out = pooling::mean(shape, count_include_pad, &view(&x).packed());
        let [rows, columns] = shape.output();
        float_tensor(out, Shape::new([batch, channels, rows, columns]))
    }

    /// The input's gradient: each output's gradient over the divisor, added to its window in ascending order of
    /// the outputs.
    fn avg_pool2d_backward(
        x: FlexTensor,
        grad: FlexTensor,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
        ceil_mode: bool,
    ) -> FlexTensor {
        assert_rounds_down("avg_pool2d", ceil_mode);
        let [_, _, rows, columns] = lengths(&x);
        let shape = Pooling::new([rows, columns], kernel_size, stride, padding);
        let out = pooling::mean_gradient(shape, count_include_pad, &view(&grad).packed());
        float_tensor(out, x.layout().shape().clone())
    }

    /// The greatest element of each window; a NaN wins, padding never does.
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

    /// The same with the place of each in its plane, row-major; a tie goes to the lowest.
    fn max_pool2d_with_indices(
        x: FlexTensor,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> MaxPool2dWithIndices<Repro> {
        assert_undilated("max_pool2d", dilation);
        assert_rounds_down("max_pool2d", ceil_mode);
        let [batch, channels, rows, columns] = lengths(&x);
        let shape = Pooling::new([rows, columns], kernel_size, stride, padding);
        let (values, places) = pooling::max(shape, &view(&x).packed());
        let [rows, columns] = shape.output();
        let shape = Shape::new([batch, channels, rows, columns]);
        MaxPool2dWithIndices::new(
            float_tensor(values, shape.clone()),
            int_tensor(places, shape, IntDType::I64),
        )
    }

    /// The input's gradient: scattered to the places in ascending order of the outputs.
    fn max_pool2d_with_indices_backward(
        x: FlexTensor,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
        output_grad: FlexTensor,
        places: FlexTensor,
    ) -> MaxPool2dBackward<Repro> {
        assert_undilated("max_pool2d", dilation);
        assert_rounds_down("max_pool2d", ceil_mode);
        let [_, _, rows, columns] = lengths(&x);
        let shape = Pooling::new([rows, columns], kernel_size, stride, padding);
        let grad = view(&output_grad).packed();
        let out = pooling::max_gradient(shape, &grad, &indices(places));
        MaxPool2dBackward::new(float_tensor(out, x.layout().shape().clone()))
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
    /// `[batch, heads, m, d]`, `[batch, heads, m, v]` to `[batch, heads, n, v]`. **Order.** [`attention`].
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
        float_tensor(out, Shape::new([batch, heads, queries, values]))
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

/// The lengths of a tensor of four axes.
fn lengths(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    <[usize; 4]>::try_from(&shape[..]).expect("burn's layers over two axes take four axes")
}

fn convolution(
    operation: &str,
    x: [usize; 4],
    weight: [usize; 4],
    options: &ConvOptions<2>,
) -> Convolution {
    if options.groups != 1 {
        refuse(&format!("{operation} with {} groups", options.groups));
    }
    assert_undilated(operation, options.dilation);
    Convolution::new(x, weight, options.stride, options.padding)
}

fn assert_undilated(operation: &str, dilation: [usize; 2]) {
    if dilation != [1, 1] {
        refuse(&format!("{operation} with dilation {dilation:?}"));
    }
}

fn assert_rounds_down(operation: &str, ceil_mode: bool) {
    if ceil_mode {
        refuse(&format!("{operation} with an output size rounded up"));
    }
}
