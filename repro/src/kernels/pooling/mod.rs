//! Pooling over windows of two axes, and its gradients.
//!
//! One axis is two of which the first has length one. Batch and channels are planes.
//!
//! **Shapes.** `[planes, h, w]` to `[planes, oh, ow]` with `oh = (h + 2·padding − dilation·(kernel − 1) − 1) / stride + 1`,
//! the quotient rounded down, or up where that is asked for, and `ow` likewise. Adaptive pooling takes `oh` and `ow`
//! themselves: window `i` of `oh` covers rows `⌊i·h / oh⌋` to `⌈(i + 1)·h / oh⌉`, the last left out.
//!
//! Padding is no element, and a window of padding alone is refused.

mod max;
mod mean;

pub use max::{max, max_gradient};
pub use mean::{Means, mean, mean_gradient};

use super::convolution::windows;

/// The lengths of a pooling; made by [`Pooling::new`], which checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
}

impl Pooling {
    /// The pooling of planes of this size; `rounds_up` asks for a last window that begins inside and ends outside of
    /// the padded plane.
    ///
    /// # Panics
    ///
    /// If a length, a stride or a dilation is zero, the kernel is larger than the padded plane, or a window has no
    /// element of the plane.
    pub fn new(
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        rounds_up: bool,
    ) -> Self {
        let along = |axis: usize| {
            let len = input[axis];
            let (stride, padding, dilation) = (stride[axis], padding[axis], dilation[axis]);
            let count = windows(len, kernel[axis], stride, padding, dilation);
            let extent = (kernel[axis] - 1) * dilation + 1;
            let rest = (len + 2 * padding - extent) % stride;
            count + usize::from(rounds_up && rest > 0)
        };
        let shape = Self {
            input,
            output: [along(0), along(1)],
            kernel,
            stride,
            padding,
            dilation,
        };
        for axis in 0..2 {
            for window in 0..shape.output[axis] {
                let taps = shape.taps(axis, window);
                assert!(
                    !taps.is_empty(),
                    "repro: pooling with padding {padding:?} and a kernel of {kernel:?}, its taps {dilation:?} apart: a window of padding alone"
                );
            }
        }
        shape
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

    /// Which taps of a window are in the plane.
    fn taps(&self, axis: usize, window: usize) -> std::ops::Range<usize> {
        let (start, step) = (window * self.stride[axis], self.dilation[axis]);
        let first = self.padding[axis].saturating_sub(start).div_ceil(step);
        let end = (self.input[axis] + self.padding[axis])
            .saturating_sub(start)
            .div_ceil(step);
        first..end.min(self.kernel[axis]).max(first)
    }

    /// Where a tap that is in the plane is.
    fn at(&self, axis: usize, window: usize, tap: usize) -> usize {
        window * self.stride[axis] + tap * self.dilation[axis] - self.padding[axis]
    }
}

/// Multiply-adds that take as long as one element of a pooling.
const WORK: usize = 16;

/// Planes a task, so that each thread gets several tasks.
fn share(planes: usize, threads: usize) -> usize {
    planes.div_ceil(threads * 8).max(1)
}
