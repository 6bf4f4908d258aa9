//! Means of windows.

use super::{Pooling, WORK, share};
use crate::kernels::memory::Numbers;
use crate::kernels::paths::Settings;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::sum::{LANES, sum};
use crate::kernels::view::elements;
use crate::kernels::{Parts, pool};
use std::ops::Range;

/// The windows of a mean pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Means {
    input: [usize; 2],
    axes: [Vec<Window>; 2],
}

/// The part of an axis that a window covers, and how many elements it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    range: Range<usize>,
    count: usize,
}

impl Means {
    /// The windows of a pooling; with `counts_padding`, padding counts in the divisor, but what lies beyond the padding
    /// of the last window does not.
    ///
    /// # Panics
    ///
    /// If the taps of a window are not beside each other.
    pub fn new(shape: &Pooling, counts_padding: bool) -> Self {
        assert!(
            shape.dilation == [1, 1],
            "repro: mean pooling with dilation {:?}",
            shape.dilation
        );
        let along = |axis: usize| {
            let windows = (0..shape.output[axis]).map(|window| {
                let taps = shape.taps(axis, window);
                let start = shape.at(axis, window, taps.start);
                let range = start..start + taps.len();
                let padded = shape.input[axis] + 2 * shape.padding[axis];
                let inside = padded - window * shape.stride[axis];
                let count = if counts_padding {
                    shape.kernel[axis].min(inside)
                } else {
                    range.len()
                };
                Window { range, count }
            });
            windows.collect()
        };
        Self {
            input: shape.input,
            axes: [along(0), along(1)],
        }
    }

    /// The windows of an adaptive pooling of planes of `input` rows and columns to `output`.
    ///
    /// # Panics
    ///
    /// If a length is zero.
    pub fn adaptive(input: [usize; 2], output: [usize; 2]) -> Self {
        assert!(
            input.iter().chain(&output).all(|len| *len > 0),
            "repro: adaptive pooling of {input:?} to {output:?}"
        );
        let along = |axis: usize| {
            let (len, windows) = (input[axis], output[axis]);
            let of = |i: usize| i * len / windows..((i + 1) * len).div_ceil(windows);
            let window = |range: Range<usize>| Window {
                count: range.len(),
                range,
            };
            (0..windows).map(of).map(window).collect()
        };
        Self {
            input,
            axes: [along(0), along(1)],
        }
    }

    /// Rows and columns of the output.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.axes[axis].len())
    }

    fn input_len(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn output_len(&self) -> usize {
        self.axes[0].len() * self.axes[1].len()
    }
}

/// The mean of each window.
///
/// **Shapes.** `[planes, h, w]` to `[planes, oh, ow]`. **Order.** The sum ([`crate::kernels::sum`]) of the window's elements
/// that are in the plane, in row-major order, divided by the window's count of elements.
///
/// # Panics
///
/// If the planes are not whole.
pub fn mean(settings: Settings, windows: &Means, x: &[f32]) -> Numbers {
    let (len, out_len) = (windows.input_len(), windows.output_len());
    let planes = planes(x.len(), len);
    let mut out = Numbers::unset(elements(&[planes, out_len]));
    let threads = settings.threads_for(x.len().saturating_mul(WORK));
    let share = share(planes, threads);
    let parts = Parts::new(&mut out, share * out_len);
    pool::run(threads, parts.count(), |index| {
        // SAFETY: each task takes a part of its own.
        let out = unsafe { parts.get(index) };
        let x = &x[index * share * len..];
        settings.path.run(Mean { windows, x, out });
    });
    out
}

/// The gradient of the input of [`mean`]: each output's gradient, divided by what its sum was divided by, goes
/// to every element of the window.
///
/// **Shapes.** `[planes, oh, ow]` to `[planes, h, w]`. **Order.** Onto +0.0, in ascending order of the outputs.
///
/// # Panics
///
/// If the planes are not whole.
pub fn mean_gradient(settings: Settings, windows: &Means, grad: &[f32]) -> Numbers {
    let (len, out_len) = (windows.input_len(), windows.output_len());
    let planes = planes(grad.len(), out_len);
    let mut out = Numbers::unset(planes * len);
    let threads = settings.threads_for(out.len().saturating_mul(WORK));
    let share = share(planes, threads);
    let parts = Parts::new(&mut out, share * len);
    pool::run(threads, parts.count(), |index| {
        // SAFETY: each task takes a part of its own.
        let out = unsafe { parts.get(index) };
        let grads = grad[index * share * out_len..].chunks_exact(out_len);
        for (plane, grad) in out.chunks_exact_mut(len).zip(grads) {
            spread(windows, grad, plane);
        }
    });
    out
}

fn planes(len: usize, plane: usize) -> usize {
    assert!(
        len.is_multiple_of(plane),
        "repro: mean pooling of {len} numbers in planes of {plane}"
    );
    len / plane
}

fn spread(windows: &Means, grad: &[f32], plane: &mut [f32]) {
    plane.fill(0.0);
    let columns = windows.axes[1].len();
    for (rows, grad) in windows.axes[0].iter().zip(grad.chunks_exact(columns)) {
        for (columns, grad) in windows.axes[1].iter().zip(grad) {
            let part = grad / (rows.count * columns.count) as f32;
            for row in rows.range.clone() {
                let row = &mut plane[row * windows.input[1]..][columns.range.clone()];
                row.iter_mut().for_each(|x| *x += part);
            }
        }
    }
}

struct Mean<'a> {
    windows: &'a Means,
    x: &'a [f32],
    out: &'a mut [f32],
}

/// Neighbouring windows whose sums are formed together.
const TOGETHER: usize = 8;

impl Kernel for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let windows = self.windows;
        let (len, columns) = (windows.input_len(), windows.axes[1].len());
        let mut window = Vec::new();
        let planes = self.x.chunks_exact(len);
        for (x, out) in planes.zip(self.out.chunks_exact_mut(windows.output_len())) {
            for (rows, out) in windows.axes[0].iter().zip(out.chunks_exact_mut(columns)) {
                let mut column = 0;
                while column < columns {
                    let alike = alike(&windows.axes[1][column..]);
                    let few = rows.range.len() * windows.axes[1][column].range.len() <= LANES;
                    if few && alike == TOGETHER {
                        together(
                            windows,
                            rows,
                            column,
                            x,
                            &mut out[column..column + TOGETHER],
                        );
                        column += TOGETHER;
                    } else {
                        let columns = &windows.axes[1][column];
                        let count = (rows.count * columns.count) as f32;
                        out[column] = one(windows, rows, columns, x, &mut window) / count;
                        column += 1;
                    }
                }
            }
        }
    }
}

/// How many windows from the first on, [`TOGETHER`] at most, have its length and count and lie equally far apart.
#[inline(always)]
fn alike(windows: &[Window]) -> usize {
    let most = windows.len().min(TOGETHER);
    if most < 2 {
        return most;
    }
    let step = windows[1].range.start.wrapping_sub(windows[0].range.start);
    let mut count = 1;
    while count < most {
        let (before, window) = (&windows[count - 1], &windows[count]);
        let is_alike = window.range.len() == before.range.len()
            && window.count == before.count
            && window.range.start.wrapping_sub(before.range.start) == step;
        if !is_alike {
            break;
        }
        count += 1;
    }
    count
}

/// The means of [`TOGETHER`] windows alike, of at most a number a lane of the sum.
#[inline(always)]
fn together(windows: &Means, rows: &Window, column: usize, x: &[f32], out: &mut [f32]) {
    let axis = &windows.axes[1][column..column + TOGETHER];
    let (first, width) = (axis[0].range.start, axis[0].range.len());
    let step = axis[1].range.start - first;
    let mut lanes = [[0.0f32; TOGETHER]; LANES];
    let mut lane = 0;
    for row in rows.range.clone() {
        let row = &x[row * windows.input[1] + first..];
        for tap in 0..width {
            let from = &row[tap..tap + (TOGETHER - 1) * step + 1];
            for (index, total) in lanes[lane].iter_mut().enumerate() {
                *total += from[index * step];
            }
            lane += 1;
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = lanes[lane + half];
            for (total, other) in lanes[lane].iter_mut().zip(other) {
                *total += other;
            }
        }
        half /= 2;
    }
    let count = (rows.count * axis[0].count) as f32;
    for (out, total) in out.iter_mut().zip(lanes[0]) {
        *out = total / count;
    }
}

/// The sum of one window.
#[inline(always)]
fn one(windows: &Means, rows: &Window, columns: &Window, x: &[f32], window: &mut Vec<f32>) -> f32 {
    let width = windows.input[1];
    if columns.range.len() == width {
        return sum(&x[rows.range.start * width..rows.range.end * width]);
    }
    window.clear();
    for row in rows.range.clone() {
        window.extend_from_slice(&x[row * width..][columns.range.clone()]);
    }
    sum(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_divides_by_what_it_counts() {
        let settings = Settings::current();
        let shape = Pooling::new([2, 2], [2, 2], [2, 2], [1, 1], [1, 1], false);
        let (inside, all) = (Means::new(&shape, false), Means::new(&shape, true));
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(*mean(settings, &inside, &x), x);
        assert_eq!(*mean(settings, &all, &x), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(*mean_gradient(settings, &all, &[4.0; 4]), [1.0; 4]);
        let whole = Pooling::new([2, 2], [2, 2], [1, 1], [0, 0], [1, 1], false);
        let whole = Means::new(&whole, true);
        assert_eq!(*mean(settings, &whole, &x), [2.5]);
        assert_eq!(*mean_gradient(settings, &whole, &[1.0]), [0.25; 4]);
    }

    #[test]
    fn what_lies_beyond_the_padding_counts_never() {
        // The last window of five columns, two a step, has one column of its three inside, and one of padding.
        let shape = Pooling::new([1, 4], [1, 3], [1, 2], [0, 1], [1, 1], true);
        assert_eq!(shape.output(), [1, 3]);
        let x = [1.0, 2.0, 4.0, 8.0];
        let settings = Settings::current();
        let counted = mean(settings, &Means::new(&shape, true), &x);
        assert_eq!(*counted, [1.0, 14.0 / 3.0, 4.0]);
        let inside = mean(settings, &Means::new(&shape, false), &x);
        assert_eq!(*inside, [1.5, 14.0 / 3.0, 8.0]);
    }

    #[test]
    fn adaptive_windows_cover_every_element() {
        let windows = Means::adaptive([1, 5], [1, 3]);
        let ranges: Vec<_> = windows.axes[1].iter().map(|w| w.range.clone()).collect();
        assert_eq!(ranges, [0..2, 1..4, 3..5]);
    }
}
