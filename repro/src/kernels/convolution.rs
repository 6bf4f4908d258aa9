//! Convolution of two axes and its gradients: products of a matrix of weights or gradients with taps of
//! an image.
//!
//! **Shapes.** Input `[n, c, h, w]`, weight `[o, c, kh, kw]`, output `[n, o, oh, ow]` with
//! `oh = (h + 2·padding − kh) / stride + 1`, rounded down, and `ow` likewise. One group, no dilation.
//!
//! **Order.** Every output element is one chain `acc = fma(a, b, acc)` from +0.0, as in [`super::product`]:
//!
//! | | the chain runs over, last fastest |
//! |---|---|
//! | output `[n, o, y, x]` | channel `c`, kernel row, kernel column |
//! | weight's gradient `[o, c, ky, kx]` | batch `n`, output row, output column |
//! | input's gradient `[n, c, y, x]` | output channel `o`, kernel row, kernel column |
//!
//! A tap that falls into the padding is +0.0 and stays in the chain; so does, in the input's gradient, a tap
//! that no output has at that place (beyond the edge, or between two strides). The bias is
//! added after the chain. Its gradient is a sum ([`super::sum`]) over batch, output row and output column,
//! flattened in that order.
//!
//! An element of the batch is computed alone, so it does not know the others; threads share out the batch, and
//! for the weight's gradient the weights.

use super::Parts;
use super::paths::{Path, Settings};
use super::pool;
use super::product::{Finish, Matrix, Right, Task};
use super::sum::sum;
use std::ops::Range;
use std::sync::Mutex;

/// Columns of a tile of the weight's gradient are a multiple of this.
const STRIP: usize = 32;

/// The lengths of a convolution; made by [`Convolution::new`], which checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    batch: usize,
    input: Image,
    output: Image,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

/// The lengths of one element of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Image {
    channels: usize,
    rows: usize,
    columns: usize,
}

impl Image {
    fn plane(self) -> usize {
        self.rows * self.columns
    }

    fn len(self) -> usize {
        self.channels * self.plane()
    }
}

impl Convolution {
    /// The convolution of an input with a weight of these shapes.
    ///
    /// # Panics
    ///
    /// If the channels differ, a stride or a length but the batch's is zero, or the kernel is larger than the padded input.
    pub fn new(
        input: [usize; 4],
        weight: [usize; 4],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        let ([batch, channels, rows, columns], [out, of_weight, kh, kw]) = (input, weight);
        assert_eq!(
            channels, of_weight,
            "repro: an input of {channels} channels and a weight for {of_weight}"
        );
        assert!(
            channels > 0 && out > 0,
            "repro: a convolution of {channels} channels to {out}"
        );
        let output = [
            windows(rows, kh, stride[0], padding[0]),
            windows(columns, kw, stride[1], padding[1]),
        ];
        Self {
            batch,
            input: Image {
                channels,
                rows,
                columns,
            },
            output: Image {
                channels: out,
                rows: output[0],
                columns: output[1],
            },
            kernel: [kh, kw],
            stride,
            padding,
        }
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> [usize; 4] {
        let Image {
            channels,
            rows,
            columns,
        } = self.output;
        [self.batch, channels, rows, columns]
    }

    /// Length of an output element's chain.
    fn taps(&self) -> usize {
        self.input.channels * self.kernel[0] * self.kernel[1]
    }

    fn multiply_adds(&self) -> usize {
        self.batch * self.output.len() * self.taps()
    }

    fn assert_lengths(&self, what: &str, len: usize, expected: usize) {
        assert_eq!(
            len, expected,
            "repro: the shape does not describe the {what} of a convolution"
        );
    }
}

/// How many windows of `kernel` fit along an axis with its padding.
///
/// # Panics
///
/// If none does, or the stride is zero.
pub(super) fn windows(len: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    assert!(stride > 0, "repro: a stride of zero");
    let padded = len + 2 * padding;
    assert!(
        kernel > 0 && len > 0 && kernel <= padded,
        "repro: a kernel of {kernel} on an axis of {len} with padding {padding}"
    );
    (padded - kernel) / stride + 1
}

/// The convolution. All slices are row-major.
///
/// **Shapes.** Input `[n, c, h, w]`, weight `[o, c, kh, kw]`, bias `[o]` to `[n, o, oh, ow]`.
/// **Order.** A chain over channel, kernel row, kernel column; then the bias.
///
/// # Panics
///
/// If a slice has another length than the shapes say.
pub fn forward(
    settings: Settings,
    shape: Convolution,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (taps, out_len) = (shape.taps(), shape.output.len());
    shape.assert_lengths("input", x.len(), shape.batch * shape.input.len());
    shape.assert_lengths("weight", weight.len(), shape.output.channels * taps);
    let weight = Matrix::row_major(weight, shape.output.channels, taps);
    let grid = Grid::of_input(shape);
    let mut out = vec![0.0; shape.batch * out_len];
    let each = |element: usize, padded: &mut Vec<f32>, out: &mut [f32]| {
        let image = &x[element * shape.input.len()..][..shape.input.len()];
        grid.place(image, padded);
        grid.chains(settings.path, weight, padded, out);
        if let Some(bias) = bias {
            for (plane, bias) in out.chunks_exact_mut(shape.output.plane()).zip(bias) {
                plane.iter_mut().for_each(|x| *x += bias);
            }
        }
    };
    over_batch(settings, shape, &grid, &mut out, each);
    out
}

/// The gradient of the input.
///
/// **Shapes.** Weight `[o, c, kh, kw]`, output gradient `[n, o, oh, ow]` to `[n, c, h, w]`.
/// **Order.** A chain over output channel, kernel row, kernel column.
///
/// # Panics
///
/// If a slice has another length than the shapes say.
pub fn input_gradient(
    settings: Settings,
    shape: Convolution,
    weight: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    let (taps, channels) = (shape.taps(), shape.input.channels);
    shape.assert_lengths("weight", weight.len(), shape.output.channels * taps);
    shape.assert_lengths(
        "output's gradient",
        grad.len(),
        shape.batch * shape.output.len(),
    );
    // `[o, c, kernel]` to `[c, o, kernel]`: a row is the chain of one input channel.
    let kernel = shape.kernel[0] * shape.kernel[1];
    let mut turned = Vec::with_capacity(weight.len());
    for channel in 0..channels {
        for out in 0..shape.output.channels {
            turned.extend_from_slice(&weight[(out * channels + channel) * kernel..][..kernel]);
        }
    }
    let turned = Matrix::row_major(&turned, channels, shape.output.channels * kernel);
    let grid = Grid::of_gradient(shape);
    let mut out = vec![0.0; shape.batch * shape.input.len()];
    let each = |element: usize, padded: &mut Vec<f32>, out: &mut [f32]| {
        let image = &grad[element * shape.output.len()..][..shape.output.len()];
        grid.place(image, padded);
        grid.chains(settings.path, turned, padded, out);
    };
    over_batch(settings, shape, &grid, &mut out, each);
    out
}

/// The gradient of the weight.
///
/// **Shapes.** Input `[n, c, h, w]`, output gradient `[n, o, oh, ow]` to `[o, c, kh, kw]`.
/// **Order.** A chain over batch, output row, output column.
///
/// # Panics
///
/// If a slice has another length than the shapes say.
pub fn weight_gradient(
    settings: Settings,
    shape: Convolution,
    x: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    shape.assert_lengths("input", x.len(), shape.batch * shape.input.len());
    shape.assert_lengths(
        "output's gradient",
        grad.len(),
        shape.batch * shape.output.len(),
    );
    let (taps, channels) = (shape.taps(), shape.output.channels);
    let grid = Grid::of_input(shape);
    let threads = settings.threads_for(shape.multiply_adds());
    let tiles = tiles(channels, taps, threads);
    let parts: Vec<Mutex<Vec<f32>>> = tiles.iter().map(|_| Mutex::default()).collect();
    pool::run(threads, tiles.len(), |index| {
        let (rows, columns) = tiles[index].clone();
        let part = weight_tile(settings.path, shape, &grid, x, grad, rows, columns);
        *parts[index].lock().expect("one task has it") = part;
    });
    let mut out = vec![0.0; channels * taps];
    for ((rows, columns), part) in tiles.into_iter().zip(parts) {
        let part = part.into_inner().expect("no task has it any more");
        for (row, part) in rows.zip(part.chunks_exact(columns.len())) {
            out[row * taps + columns.start..row * taps + columns.end].copy_from_slice(part);
        }
    }
    out
}

/// The gradient of the bias.
///
/// **Shapes.** `[n, o, oh, ow]` to `[o]`. **Order.** One sum a channel over batch, output row, output column.
///
/// # Panics
///
/// If the slice has another length than the shape says.
pub fn bias_gradient(shape: [usize; 4], grad: &[f32]) -> Vec<f32> {
    let [batch, channels, rows, columns] = shape;
    let plane = rows * columns;
    assert_eq!(
        grad.len(),
        batch * channels * plane,
        "repro: the shape does not describe the output's gradient"
    );
    let mut flat = vec![0.0; batch * plane];
    (0..channels)
        .map(|channel| {
            for (element, out) in flat.chunks_exact_mut(plane.max(1)).enumerate() {
                let at = (element * channels + channel) * plane;
                out.copy_from_slice(&grad[at..at + plane]);
            }
            sum(&flat)
        })
        .collect()
}

/// Some rows and columns of the weight's gradient: the chains of the whole batch, an element after another.
fn weight_tile(
    path: Path,
    shape: Convolution,
    grid: &Grid,
    x: &[f32],
    grad: &[f32],
    rows: Range<usize>,
    columns: Range<usize>,
) -> Vec<f32> {
    let taps = &grid.taps[columns];
    let mut padded = vec![0.0; grid.len];
    let mut out = vec![0.0; rows.len() * taps.len()];
    let (in_len, out_len) = (shape.input.len(), shape.output.len());
    for (x, grad) in x.chunks_exact(in_len).zip(grad.chunks_exact(out_len)) {
        grid.place(x, &mut padded);
        let plane = shape.output.plane();
        let grad = Matrix::row_major(
            &grad[rows.start * plane..rows.end * plane],
            rows.len(),
            plane,
        );
        let right = Right::Gather {
            from: &padded,
            rows: &grid.places,
            columns: taps,
        };
        Task::new(grad, right, Finish::Plain, &mut out)
            .continuing()
            .run_alone(path);
    }
    out
}

/// Cuts a matrix into at most `threads` tiles of whole strips, or of rows where there is only one strip.
fn tiles(rows: usize, columns: usize, threads: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let strips = columns.div_ceil(STRIP);
    let cut = |len: usize, step: usize| -> Vec<Range<usize>> {
        (0..len)
            .step_by(step.max(1))
            .map(|start| start..(start + step).min(len))
            .collect()
    };
    if strips > 1 {
        let step = strips.div_ceil(threads) * STRIP;
        cut(columns, step)
            .into_iter()
            .map(|columns| (0..rows, columns))
            .collect()
    } else {
        cut(rows, rows.div_ceil(threads))
            .into_iter()
            .map(|rows| (rows, 0..columns))
            .collect()
    }
}

/// Computes each element of the batch into its part of `out`, in as many threads as the settings say.
fn over_batch(
    settings: Settings,
    shape: Convolution,
    grid: &Grid,
    out: &mut [f32],
    each: impl Fn(usize, &mut Vec<f32>, &mut [f32]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let threads = settings.threads_for(shape.multiply_adds());
    let (len, share) = (out.len() / shape.batch, shape.batch.div_ceil(threads * 4));
    let parts = Parts::new(out, share * len);
    pool::run(threads, parts.count(), |index| {
        let mut padded = vec![0.0; grid.len];
        // SAFETY: each task takes a part of its own.
        let part = unsafe { parts.get(index) };
        for (place, out) in part.chunks_exact_mut(len).enumerate() {
            each(index * share + place, &mut padded, out);
        }
    });
}

/// An image laid out in a buffer of zeros so that tap `t` of place `p` is at `taps[t] + places[p]`, whatever
/// falls outside the image included.
struct Grid {
    len: usize,
    taps: Vec<usize>,
    places: Vec<usize>,
    image: Image,
    /// Where element (0, 0) of a plane lies in the plane's part of the buffer, and its neighbours' distances.
    start: [isize; 2],
    step: [usize; 2],
    /// Rows and columns of the plane's part of the buffer.
    plane: [usize; 2],
}

impl Grid {
    /// The input with its padding: places are those of the output, taps channel, kernel row, kernel column.
    fn of_input(shape: Convolution) -> Self {
        let Convolution {
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = shape;
        let plane = [input.rows + 2 * padding[0], input.columns + 2 * padding[1]];
        let mut taps = Vec::with_capacity(shape.taps());
        for channel in 0..input.channels {
            for row in 0..kernel[0] {
                let start = (channel * plane[0] + row) * plane[1];
                taps.extend(start..start + kernel[1]);
            }
        }
        let row =
            |y: usize| (0..output.columns).map(move |x| y * stride[0] * plane[1] + x * stride[1]);
        Self {
            len: input.channels * plane[0] * plane[1],
            taps,
            places: (0..output.rows).flat_map(row).collect(),
            image: input,
            start: padding.map(|padding| padding as isize),
            step: [1, 1],
            plane,
        }
    }

    /// The output's gradient, its elements a stride apart: places are those of the input, taps output
    /// channel, kernel row, kernel column.
    fn of_gradient(shape: Convolution) -> Self {
        let Convolution {
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = shape;
        let plane = [input.rows + kernel[0] - 1, input.columns + kernel[1] - 1];
        let mut taps = Vec::with_capacity(output.channels * kernel[0] * kernel[1]);
        for channel in 0..output.channels {
            for row in (0..kernel[0]).rev() {
                let start = (channel * plane[0] + row) * plane[1];
                taps.extend((start..start + kernel[1]).rev());
            }
        }
        let row = |y: usize| (0..input.columns).map(move |x| y * plane[1] + x);
        let start = |axis: usize| kernel[axis] as isize - 1 - padding[axis] as isize;
        Self {
            len: output.channels * plane[0] * plane[1],
            taps,
            places: (0..input.rows).flat_map(row).collect(),
            image: output,
            start: [start(0), start(1)],
            step: stride,
            plane,
        }
    }

    /// The chains of one element, a row of `left` a channel, with the taps of the image in `padded`.
    fn chains(&self, path: Path, left: Matrix, padded: &[f32], out: &mut [f32]) {
        let right = Right::Gather {
            from: padded,
            rows: &self.taps,
            columns: &self.places,
        };
        Task::new(left, right, Finish::Plain, out).run_alone(path);
    }

    /// Copies an image to its places in the buffer, which holds +0.0 everywhere else. What would lie outside
    /// the buffer (outputs that see padding alone) is left out.
    fn place(&self, image: &[f32], buffer: &mut [f32]) {
        let at = |axis: usize, index: usize| -> Option<usize> {
            let at = self.start[axis] + (index * self.step[axis]) as isize;
            usize::try_from(at).ok().filter(|&at| at < self.plane[axis])
        };
        let columns: Vec<_> = (0..self.image.columns).map(|x| at(1, x)).collect();
        let is_run = self.step[1] == 1 && columns.iter().all(Option::is_some);
        for (channel, plane) in image.chunks_exact(self.image.plane()).enumerate() {
            for (y, row) in plane.chunks_exact(self.image.columns).enumerate() {
                let Some(y) = at(0, y) else { continue };
                let start = (channel * self.plane[0] + y) * self.plane[1];
                if let (true, Some(first)) = (is_run, columns[0]) {
                    buffer[start + first..][..row.len()].copy_from_slice(row);
                    continue;
                }
                for (value, x) in row.iter().zip(&columns) {
                    if let Some(x) = x {
                        buffer[start + x] = *value;
                    }
                }
            }
        }
    }
}
