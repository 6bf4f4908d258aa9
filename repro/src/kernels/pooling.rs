//! Pooling over windows of two axes, and its gradients.
//!
//! **Shapes.** `[planes, h, w]` to `[planes, oh, ow]`; batch and channels are planes. `oh` is
//! `(h + 2·padding − kernel) / stride + 1`, rounded down, and `ow` likewise. Padding is at most half of the
//! kernel, so every window has an element of the plane. No dilation, no rounding up.

use super::convolution::windows;
use super::order_free::{Extreme, beats};
use super::sum::sum;
use std::ops::Range;

/// The lengths of a pooling; made by [`Pooling::new`], which checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Pooling {
    /// The pooling of planes of this size.
    ///
    /// # Panics
    ///
    /// If a length or a stride is zero, the kernel is larger than the padded plane, or the padding larger than
    /// half of the kernel.
    pub fn new(
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        for axis in 0..2 {
            assert!(
                padding[axis] <= kernel[axis] / 2,
                "repro: pooling with padding {padding:?} and a kernel of {kernel:?}"
            );
        }
        let along = |axis: usize| windows(input[axis], kernel[axis], stride[axis], padding[axis]);
        Self {
            input,
            output: [along(0), along(1)],
            kernel,
            stride,
            padding,
        }
    }

    /// Rows and columns of the output.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    fn input_len(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn output_len(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// The part of an axis that a window covers, padding left out.
    fn window(&self, axis: usize, index: usize) -> Range<usize> {
        let start = index * self.stride[axis];
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]);
        start.saturating_sub(self.padding[axis])..end.min(self.input[axis])
    }
}

/// The greatest element of each window and its place in the plane, `row · w + column`.
///
/// **Shapes.** `[planes, h, w]` to values and places `[planes, oh, ow]`. **Order.** A tie goes to the lowest
/// place, the zeros are equal, the first NaN wins; padding never does.
pub fn max(shape: Pooling, x: &[f32]) -> (Vec<f32>, Vec<i64>) {
    let planes = x.len() / shape.input_len();
    let mut values = Vec::with_capacity(planes * shape.output_len());
    let mut places = Vec::with_capacity(values.capacity());
    for plane in x.chunks_exact(shape.input_len()) {
        for y in 0..shape.output[0] {
            let rows = shape.window(0, y);
            for x in 0..shape.output[1] {
                let columns = shape.window(1, x);
                let mut at = rows.start * shape.input[1] + columns.start;
                let mut best = plane[at];
                for row in rows.clone() {
                    let start = row * shape.input[1];
                    let range = start + columns.start..start + columns.end;
                    for (place, &value) in range.clone().zip(&plane[range]) {
                        if beats(value, best, Extreme::Max) {
                            (best, at) = (value, place);
                        }
                    }
                }
                values.push(best);
                places.push(at as i64);
            }
        }
    }
    (values, places)
}

/// The gradient of the input of [`max`]: each output's gradient goes to the place of its greatest element.
///
/// **Shapes.** Gradient and places `[planes, oh, ow]` to `[planes, h, w]`. **Order.** Onto +0.0, in
/// ascending order of the outputs.
///
/// # Panics
///
/// If there are not as many places as gradients, or a place is outside its plane.
pub fn max_gradient(shape: Pooling, grad: &[f32], places: &[i64]) -> Vec<f32> {
    assert_eq!(
        grad.len(),
        places.len(),
        "repro: max pooling needs a place an output"
    );
    let (len, out_len) = (shape.input_len(), shape.output_len());
    let mut out = vec![0.0; grad.len() / out_len * len];
    let outputs = grad.chunks_exact(out_len).zip(places.chunks_exact(out_len));
    for (plane, (grad, places)) in out.chunks_exact_mut(len).zip(outputs) {
        for (grad, &place) in grad.iter().zip(places) {
            match usize::try_from(place).ok().and_then(|at| plane.get_mut(at)) {
                Some(place) => *place += grad,
                None => panic!("repro: place {place} is outside a plane of {len}"),
            }
        }
    }
    out
}

/// The mean of each window.
///
/// **Shapes.** `[planes, h, w]` to `[planes, oh, ow]`. **Order.** The sum ([`super::sum`]) of the window's
/// elements that are in the plane, in row-major order, divided by their count; with `counts_padding`, by the
/// number of the kernel's elements.
pub fn mean(shape: Pooling, counts_padding: bool, x: &[f32]) -> Vec<f32> {
    let planes = x.len() / shape.input_len();
    let mut out = Vec::with_capacity(planes * shape.output_len());
    let mut window = Vec::with_capacity(shape.kernel[0] * shape.kernel[1]);
    for plane in x.chunks_exact(shape.input_len()) {
        for y in 0..shape.output[0] {
            for x in 0..shape.output[1] {
                let columns = shape.window(1, x);
                window.clear();
                for row in shape.window(0, y) {
                    let row = &plane[row * shape.input[1]..][..shape.input[1]];
                    window.extend_from_slice(&row[columns.clone()]);
                }
                out.push(sum(&window) / divisor(shape, counts_padding, window.len()));
            }
        }
    }
    out
}

/// The gradient of the input of [`mean`]: each output's gradient, divided by what its sum was divided by, goes
/// to every element of the window.
///
/// **Shapes.** `[planes, oh, ow]` to `[planes, h, w]`. **Order.** Onto +0.0, in ascending order of the outputs.
pub fn mean_gradient(shape: Pooling, counts_padding: bool, grad: &[f32]) -> Vec<f32> {
    let (len, out_len) = (shape.input_len(), shape.output_len());
    let mut out = vec![0.0; grad.len() / out_len * len];
    for (plane, grad) in out.chunks_exact_mut(len).zip(grad.chunks_exact(out_len)) {
        for (at, grad) in grad.iter().enumerate() {
            let rows = shape.window(0, at / shape.output[1]);
            let columns = shape.window(1, at % shape.output[1]);
            let part = grad / divisor(shape, counts_padding, rows.len() * columns.len());
            for row in rows {
                let row = &mut plane[row * shape.input[1]..][..shape.input[1]];
                row[columns.clone()].iter_mut().for_each(|x| *x += part);
            }
        }
    }
    out
}

fn divisor(shape: Pooling, counts_padding: bool, inside: usize) -> f32 {
    if counts_padding {
        (shape.kernel[0] * shape.kernel[1]) as f32
    } else {
        inside as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_place_and_padding_never_wins() {
        let shape = Pooling::new([2, 4], [2, 2], [2, 2], [0, 0]);
        let (values, places) = max(shape, &[1.0, 3.0, -0.0, 0.0, 3.0, 3.0, -0.0, 0.0]);
        assert_eq!((values, places), (vec![3.0, -0.0], vec![1, 2]));
        let padded = Pooling::new([2, 2], [2, 2], [2, 2], [1, 1]);
        assert_eq!(padded.output(), [2, 2]);
        let (values, places) = max(padded, &[-1.0, -2.0, -3.0, -4.0]);
        assert_eq!(
            (values, places),
            (vec![-1.0, -2.0, -3.0, -4.0], vec![0, 1, 2, 3])
        );
        let (_, places) = max(shape, &[1.0, f32::NAN, 0.0, 9.0, f32::NAN, 2.0, 0.0, 9.0]);
        assert_eq!(places, [1, 3]);
    }

    #[test]
    fn gradients_for_one_place_are_added_in_the_order_of_the_outputs() {
        // The one greatest element belongs to three windows; in another order the small number stays.
        let shape = Pooling::new([1, 5], [1, 3], [1, 1], [0, 0]);
        let (_, places) = max(shape, &[0.0, 0.0, 9.0, 0.0, 0.0]);
        assert_eq!(places, [2, 2, 2]);
        let grad = max_gradient(shape, &[1e8, 1.0, -1e8], &places);
        assert_eq!(grad, [0.0; 5]);
        let grad = max_gradient(shape, &[1e8, -1e8, 1.0], &places);
        assert_eq!(grad, [0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_mean_divides_by_what_it_counts() {
        let shape = Pooling::new([2, 2], [2, 2], [2, 2], [1, 1]);
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(mean(shape, false, &x), x);
        assert_eq!(mean(shape, true, &x), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(mean_gradient(shape, true, &[4.0; 4]), [1.0; 4]);
        let whole = Pooling::new([2, 2], [2, 2], [1, 1], [0, 0]);
        assert_eq!(mean(whole, true, &x), [2.5]);
        assert_eq!(mean_gradient(whole, false, &[1.0]), [0.25; 4]);
    }

    #[test]
    #[should_panic(expected = "is outside a plane of 4")]
    fn a_place_outside_the_plane_is_refused() {
        let shape = Pooling::new([2, 2], [2, 2], [1, 1], [0, 0]);
        max_gradient(shape, &[1.0], &[4]);
    }
}
