//! Convolutions over one axis and two, transposed or not, and their gradients.
//!
//! A tensor over one axis is one over two of a single row, so `conv1d` has the bits of `conv2d`. burn's
//! defaults would juggle axes of the batch and the channels to express gradients by convolutions, with other chains;
//! here each has its own ([`crate::kernels::convolution`]), the one in which the gradient is defined.

use crate::backend::{float_tensor, view};
use crate::kernels::convolution::{self, Convolution, Options, Packed, Weights};
use crate::kernels::memory::Numbers;
use crate::kernels::paths::Settings;
use crate::weights::{self, Use};
use burn_backend::Shape;
use burn_backend::ops::{ConvOptions, ConvTransposeOptions};
use burn_flex::FlexTensor;

/// Convolution. **Shapes.** `[n, c, h, w]`, `[o, c / groups, kh, kw]`, `[o]` to `[n, o, oh, ow]`; without `h` over one
/// axis. **Order.** One chain an element over input channel of the group, kernel row, kernel column, padded taps as zeros;
/// the bias is added after the chain.
pub(super) fn forward<const N: usize>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    options: ConvOptions<N>,
) -> FlexTensor {
    let shape = Convolution::new(lengths(&x), lengths(&weight), of(&options));
    let bias = bias.as_ref().map(|bias| view(bias).packed());
    let settings = Settings::current();
    let kept = weights::find(
        &weight,
        settings.path,
        Use::Convolution(options.groups),
        || convolution::pack(settings.path, shape, &view(&weight).packed()),
    );
    let x = view(&x).packed();
    let out = with_weights(&weight, kept.as_deref(), |weight| {
        convolution::forward(settings, shape, &x, weight, bias.as_deref())
    });
    tensor::<N>(out, shape.output_shape())
}

/// The input's gradient. **Order.** One chain an element over output channel of the group, kernel row, kernel column; a tap
/// that no output has is a zero.
pub(super) fn x_backward<const N: usize>(
    x: FlexTensor,
    weight: FlexTensor,
    grad: FlexTensor,
    options: ConvOptions<N>,
) -> FlexTensor {
    let shape = Convolution::new(lengths(&x), lengths(&weight), of(&options));
    let out = convolution::input_gradient(
        Settings::current(),
        shape,
        Weights::Plain(&view(&weight).packed()),
        &view(&grad).packed(),
        None,
    );
    tensor::<N>(out, shape.input_shape())
}

/// The weight's gradient. **Order.** One chain an element over batch, output row, output column.
pub(super) fn weight_backward<const N: usize>(
    x: FlexTensor,
    weight: FlexTensor,
    grad: FlexTensor,
    options: ConvOptions<N>,
) -> FlexTensor {
    let shape = Convolution::new(lengths(&x), lengths(&weight), of(&options));
    let out = convolution::weight_gradient(
        Settings::current(),
        shape,
        &view(&x).packed(),
        &view(&grad).packed(),
    );
    tensor::<N>(out, lengths(&weight))
}

/// The bias's gradient, transposed or not. **Order.** One sum a channel over batch, output row, output column, flattened.
pub(super) fn bias_backward(bias: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let out =
        convolution::bias_gradient(Settings::current(), lengths(&grad), &view(&grad).packed());
    float_tensor(out, bias.layout().shape().clone())
}

/// Transposed convolution. **Shapes.** `[n, c, h, w]`, `[c, o / groups, kh, kw]`, `[o]` to `[n, o, oh, ow]`; without `h`
/// over one axis. **Order.** One chain an element over input channel of the group, kernel row, kernel column, a tap that
/// meets no input as a zero; the bias is added after the chain.
pub(super) fn transposed<const N: usize>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    options: ConvTransposeOptions<N>,
) -> FlexTensor {
    let shape = matching(lengths(&x), lengths(&weight), &options);
    let bias = bias.as_ref().map(|bias| view(bias).packed());
    let settings = Settings::current();
    let kept = weights::find(
        &weight,
        settings.path,
        Use::Transposed(options.groups),
        || convolution::pack_transposed(settings.path, shape, &view(&weight).packed()),
    );
    let x = view(&x).packed();
    let out = with_weights(&weight, kept.as_deref(), |weight| {
        convolution::input_gradient(settings, shape, weight, &x, bias.as_deref())
    });
    tensor::<N>(out, shape.input_shape())
}

/// The input's gradient of a transposed convolution. **Order.** One chain an element over output channel of the group, kernel
/// row, kernel column.
pub(super) fn transposed_x_backward<const N: usize>(
    weight: FlexTensor,
    grad: FlexTensor,
    options: ConvTransposeOptions<N>,
) -> FlexTensor {
    let ([batch, _, rows, columns], weight_shape) = (lengths(&grad), lengths(&weight));
    let settings = of_transposed(&options);
    // As long as what the transposed convolution took to give the gradient's shape.
    let more = both(options.padding_out, 0);
    let along = |axis: usize, len: usize| {
        let reach = settings.dilation[axis] * (weight_shape[2 + axis] - 1);
        let taken = (len + 2 * settings.padding[axis]).checked_sub(reach + more[axis] + 1);
        let taken = taken.expect("the gradient is what the transposed convolution gave");
        taken / settings.stride[axis] + 1
    };
    let x = [batch, weight_shape[0], along(0, rows), along(1, columns)];
    let shape = matching(x, weight_shape, &options);
    let out = convolution::forward(
        Settings::current(),
        shape,
        &view(&grad).packed(),
        Weights::Plain(&view(&weight).packed()),
        None,
    );
    tensor::<N>(out, x)
}

/// The weight's gradient of a transposed convolution. **Order.** One chain an element over batch, input row, input column.
pub(super) fn transposed_weight_backward<const N: usize>(
    x: FlexTensor,
    weight: FlexTensor,
    grad: FlexTensor,
    options: ConvTransposeOptions<N>,
) -> FlexTensor {
    let shape = matching(lengths(&x), lengths(&weight), &options);
    let out = convolution::weight_gradient(
        Settings::current(),
        shape,
        &view(&grad).packed(),
        &view(&x).packed(),
    );
    tensor::<N>(out, lengths(&weight))
}

/// Runs it with the weights that are kept, else with those of the tensor.
fn with_weights<R>(
    weight: &FlexTensor,
    kept: Option<&Packed>,
    run: impl FnOnce(Weights) -> R,
) -> R {
    match kept {
        Some(packed) => run(Weights::Packed(packed)),
        None => run(Weights::Plain(&view(weight).packed())),
    }
}

/// The convolution of which a transposed one is the input's gradient.
fn matching<const N: usize>(
    x: [usize; 4],
    weight: [usize; 4],
    options: &ConvTransposeOptions<N>,
) -> Convolution {
    let more = both(options.padding_out, 0);
    Convolution::transposed(x, weight, of_transposed(options), more)
}

fn of<const N: usize>(options: &ConvOptions<N>) -> Options {
    Options {
        stride: both(options.stride, 1),
        padding: both(options.padding, 0),
        dilation: both(options.dilation, 1),
        groups: options.groups,
    }
}

fn of_transposed<const N: usize>(options: &ConvTransposeOptions<N>) -> Options {
    Options {
        stride: both(options.stride, 1),
        padding: both(options.padding, 0),
        dilation: both(options.dilation, 1),
        groups: options.groups,
    }
}

/// Numbers for two axes, the first of which, if there is only one, has `single`.
pub(super) fn both<const N: usize>(numbers: [usize; N], single: usize) -> [usize; 2] {
    let mut both = [single; 2];
    both[2 - N..].copy_from_slice(&numbers);
    both
}

/// The lengths of a tensor over one axis or two, the missing one as one.
pub(super) fn lengths(tensor: &FlexTensor) -> [usize; 4] {
    match tensor.layout().shape()[..] {
        [batch, channels, columns] => [batch, channels, 1, columns],
        [batch, channels, rows, columns] => [batch, channels, rows, columns],
        _ => panic!("repro: layers over one axis or two take tensors of three axes or four"),
    }
}

/// The shape over `N` axes.
pub(super) fn shape<const N: usize>([batch, channels, rows, columns]: [usize; 4]) -> Shape {
    match N {
        1 => Shape::new([batch, channels, columns]),
        _ => Shape::new([batch, channels, rows, columns]),
    }
}

fn tensor<const N: usize>(data: Numbers, lengths: [usize; 4]) -> FlexTensor {
    float_tensor(data, shape::<N>(lengths))
}
