//! Poolings over one axis and two, and their gradients.

use super::convolution::{both, lengths, shape};
use crate::backend::{float_tensor, indices, view};
use crate::kernels::paths::Settings;
use crate::kernels::pooling::{self, Means, Pooling};
use burn_backend::{Bytes, DType};
use burn_flex::{FlexTensor, Layout};

/// Windows along `N` axes.
pub(super) struct Windows<const N: usize> {
    pub kernel: [usize; N],
    pub stride: [usize; N],
    pub padding: [usize; N],
    pub dilation: [usize; N],
    pub ceil_mode: bool,
}

impl<const N: usize> Windows<N> {
    fn on(&self, x: &FlexTensor) -> Pooling {
        let [_, _, rows, columns] = lengths(x);
        Pooling::new(
            [rows, columns],
            both(self.kernel, 1),
            both(self.stride, 1),
            both(self.padding, 0),
            both(self.dilation, 1),
            self.ceil_mode,
        )
    }
}

/// The greatest element of each window and its place in the plane, row-major; a tie goes to the lowest, a NaN wins, padding
/// never does.
pub(super) fn max<const N: usize>(x: FlexTensor, windows: Windows<N>) -> [FlexTensor; 2] {
    let pooling = windows.on(&x);
    let (values, places) = pooling::max(Settings::current(), pooling, &view(&x).packed());
    let [batch, channels, ..] = lengths(&x);
    let [rows, columns] = pooling.output();
    let shape = shape::<N>([batch, channels, rows, columns]);
    let places = Bytes::from_elems(places);
    let places = FlexTensor::new(places, Layout::contiguous(shape.clone()), DType::I32);
    [float_tensor(values, shape), places]
}

/// The input's gradient: each output's gradient goes to its place, in ascending order of the outputs.
pub(super) fn max_backward<const N: usize>(
    x: FlexTensor,
    grad: FlexTensor,
    places: FlexTensor,
    windows: Windows<N>,
) -> FlexTensor {
    let pooling = windows.on(&x);
    let grad = view(&grad).packed();
    let settings = Settings::current();
    let out = if places.dtype() == DType::I32 {
        let places = places.to_contiguous();
        pooling::max_gradient(settings, pooling, &grad, places.storage())
    } else {
        // No plane has a place that does not fit, so what does not is outside.
        let narrow = |place| i32::try_from(place).unwrap_or(-1);
        let places: Vec<i32> = indices(places).into_iter().map(narrow).collect();
        pooling::max_gradient(settings, pooling, &grad, &places)
    };
    float_tensor(out, x.layout().shape().clone())
}

/// The mean of each window. **Order.** The sum of the window's elements in row-major order, divided by the
/// count; padding is no element, and counts only if that is asked for.
pub(super) fn mean<const N: usize>(
    x: FlexTensor,
    windows: Windows<N>,
    counts_padding: bool,
) -> FlexTensor {
    means::<N>(&x, &Means::new(&windows.on(&x), counts_padding))
}

/// The input's gradient: each output's gradient over the divisor, added to its window in ascending order of
/// the outputs.
pub(super) fn mean_backward<const N: usize>(
    x: FlexTensor,
    grad: FlexTensor,
    windows: Windows<N>,
    counts_padding: bool,
) -> FlexTensor {
    spread(&x, &grad, &Means::new(&windows.on(&x), counts_padding))
}

/// The mean of each of `size` windows that cover the plane: window `i` of `size` covers rows `⌊i·h / size⌋` to
/// `⌈(i + 1)·h / size⌉`. **Order.** As [`mean`].
pub(super) fn adaptive<const N: usize>(x: FlexTensor, size: [usize; N]) -> FlexTensor {
    let [_, _, rows, columns] = lengths(&x);
    means::<N>(&x, &Means::adaptive([rows, columns], both(size, 1)))
}

/// The input's gradient, as [`mean_backward`].
pub(super) fn adaptive_backward<const N: usize>(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let [_, _, rows, columns] = lengths(&x);
    let [_, _, to_rows, to_columns] = lengths(&grad);
    let windows = Means::adaptive([rows, columns], [to_rows, to_columns]);
    spread(&x, &grad, &windows)
}

fn means<const N: usize>(x: &FlexTensor, windows: &Means) -> FlexTensor {
    let out = pooling::mean(Settings::current(), windows, &view(x).packed());
    let [batch, channels, ..] = lengths(x);
    let [rows, columns] = windows.output();
    float_tensor(out, shape::<N>([batch, channels, rows, columns]))
}

fn spread(x: &FlexTensor, grad: &FlexTensor, windows: &Means) -> FlexTensor {
    let out = pooling::mean_gradient(Settings::current(), windows, &view(grad).packed());
    float_tensor(out, x.layout().shape().clone())
}
