//! Convolution over two axes, transposed convolution, and their gradients.
//!
//! One axis is two of which the first has length one.
//!
//! **Shapes.** Input `[n, c, h, w]`, weight `[o, c / groups, kh, kw]`, output `[n, o, oh, ow]` with
//! `oh = (h + 2·padding − dilation·(kh − 1) − 1) / stride + 1`, rounded down, and `ow` likewise. Output channel `o`
//! belongs to group `o / (o_count / groups)`, and sees the input channels of that group only.
//!
//! **Order.** Every output element is one chain `acc = fma(a, b, acc)` from +0.0, as in [`super::product`]:
//!
//! | | the chain runs over, last fastest |
//! |---|---|
//! | output `[n, o, y, x]` | input channel of the group, kernel row, kernel column |
//! | weight's gradient `[o, c, ky, kx]` | batch `n`, output row, output column |
//! | input's gradient `[n, c, y, x]` | output channel of the group, kernel row, kernel column |
//!
//! The tap of output place `(y, x)` at kernel place `(ky, kx)` is the input at `y · stride + ky · dilation − padding` and
//! likewise across. A tap that falls into the padding is +0.0 and stays in the chain; so does, in the input's gradient,
//! a tap that no output has at that place (beyond the edge, or between two strides). The bias is added after the
//! chain. Its gradient is a sum ([`super::sum`]) over batch, output row and output column, flattened in that order.
//!
//! **Transposed convolution** is the input's gradient of the convolution whose output is what it takes
//! ([`Convolution::transposed`]): input channel for output channel, the weight `[c, o / groups, kh, kw]`, a chain over its
//! own input channel of the group, kernel row, kernel column, then the bias. So its input's gradient is that
//! convolution's output (a chain over its output channel, kernel row, kernel column), and its weight's gradient a chain
//! over batch, row and column of its own input.
//!
//! An element of the batch is computed as if it were alone; threads share out elements, groups and channels, and for
//! the weight's gradient the weights.
//!
//! | file | does |
//! |---|---|
//! | `shape` | the lengths, checked |
//! | `field` | lays an image out so that no tap needs gathering |
//! | `tile` | some chains in registers |
//! | `chains` | output and input's gradient: packs the weights, walks the tiles |
//! | `weight`, `turn` | weight's gradient: channels side by side, walks the tiles |

mod chains;
mod field;
mod shape;
mod tile;
mod turn;
mod weight;

pub use chains::Packed;
pub(super) use shape::windows;
pub use shape::{Convolution, Options};

use super::memory::Numbers;
use super::paths::{Path, Settings};
use super::pool;
use super::sum::{BLOCK, sum};
use chains::{Chains, Shape, Strides};
use field::Field;
use shape::assert_length;

/// A convolution's weights: as they are, or packed before, for those that are used again and again.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// Row-major.
    Plain(&'a [f32]),
    /// Packed for this use.
    Packed(&'a Packed),
}

/// The convolution. All slices are row-major.
///
/// **Shapes.** Input `[n, c, h, w]`, weight `[o, c / groups, kh, kw]`, bias `[o]` to `[n, o, oh, ow]`.
/// **Order.** A chain over input channel of the group, kernel row, kernel column; then the bias.
///
/// # Panics
///
/// If a slice has another length than the shapes say, or weights were not [packed for this](pack).
pub fn forward(
    settings: Settings,
    shape: Convolution,
    x: &[f32],
    weight: Weights,
    bias: Option<&[f32]>,
) -> Numbers {
    shape.assert_input(x.len());
    let field = Field::of_input(&shape, images_max(settings, &shape));
    let of = (shape.batch, forwards(&shape));
    let len = shape.batch * shape.output.len();
    let pack = |path, weight: &[f32]| pack(path, shape, weight);
    chains(settings, field, of, x, weight, pack, bias, len)
}

/// The gradient of the input; with a bias, the transposed convolution.
///
/// **Shapes.** Weight `[o, c / groups, kh, kw]`, output gradient `[n, o, oh, ow]`, bias `[c]` to `[n, c, h, w]`.
/// **Order.** A chain over output channel of the group, kernel row, kernel column; then the bias.
///
/// # Panics
///
/// If a slice has another length than the shapes say, or weights were not [packed for this](pack_transposed).
pub fn input_gradient(
    settings: Settings,
    shape: Convolution,
    weight: Weights,
    grad: &[f32],
    bias: Option<&[f32]>,
) -> Numbers {
    shape.assert_output(grad.len());
    let field = Field::of_output(&shape, images_max(settings, &shape));
    let of = (shape.batch, backwards(&shape));
    let len = shape.batch * shape.input.len();
    let pack = |path, weight: &[f32]| pack_transposed(path, shape, weight);
    chains(settings, field, of, grad, weight, pack, bias, len)
}

/// Packs the weights of [`forward`]. They fit every convolution with a weight of this shape and as many groups.
///
/// # Panics
///
/// If the slice has another length than the shape says.
pub fn pack(path: Path, shape: Convolution, weight: &[f32]) -> Packed {
    shape.assert_weight(weight.len());
    let strides = Strides {
        group: shape.outputs() * shape.taps(),
        channel: shape.taps(),
        outer: shape.window(),
        window: shape.window(),
    };
    Packed::new(path, weight, strides, forwards(&shape))
}

/// Packs the weights of [`input_gradient`]. They fit every convolution with a weight of this shape and as many groups.
///
/// # Panics
///
/// If the slice has another length than the shape says.
pub fn pack_transposed(path: Path, shape: Convolution, weight: &[f32]) -> Packed {
    shape.assert_weight(weight.len());
    let strides = Strides {
        group: shape.outputs() * shape.taps(),
        channel: shape.window(),
        outer: shape.taps(),
        window: shape.window(),
    };
    Packed::new(path, weight, strides, backwards(&shape))
}

/// What the chains of [`forward`] are.
fn forwards(shape: &Convolution) -> Shape {
    Shape {
        is_transposed: false,
        groups: shape.options.groups,
        channels: shape.outputs(),
        inner: shape.inputs(),
        kernel: shape.kernel,
    }
}

/// What the chains of [`input_gradient`] are.
fn backwards(shape: &Convolution) -> Shape {
    Shape {
        is_transposed: true,
        channels: shape.inputs(),
        inner: shape.outputs(),
        ..forwards(shape)
    }
}

/// The chains over a field, with weights that are packed now if they were not.
#[allow(clippy::too_many_arguments)]
fn chains(
    settings: Settings,
    field: Field,
    of: (usize, Shape),
    source: &[f32],
    weight: Weights,
    pack: impl FnOnce(Path, &[f32]) -> Packed,
    bias: Option<&[f32]>,
    len: usize,
) -> Numbers {
    let path = settings.path;
    let now;
    let weights = match weight {
        Weights::Packed(packed) => packed,
        Weights::Plain(weight) => {
            now = pack(path, weight);
            &now
        }
    };
    let mut out = Numbers::unset(len);
    Chains::new(path, field, of, source, weights, bias, &mut out).run(settings);
    out
}

/// The gradient of the weight.
///
/// **Shapes.** Input `[n, c, h, w]`, output gradient `[n, o, oh, ow]` to `[o, c / groups, kh, kw]`.
/// **Order.** A chain over batch, output row, output column.
///
/// # Panics
///
/// If a slice has another length than the shapes say.
pub fn weight_gradient(settings: Settings, shape: Convolution, x: &[f32], grad: &[f32]) -> Numbers {
    shape.assert_input(x.len());
    shape.assert_output(grad.len());
    weight::gradient(settings, shape, x, grad)
}

/// The gradient of the bias.
///
/// **Shapes.** `[n, o, oh, ow]` to `[o]`. **Order.** One sum a channel over batch, output row, output column.
///
/// # Panics
///
/// If the slice has another length than the shape says.
pub fn bias_gradient(settings: Settings, shape: [usize; 4], grad: &[f32]) -> Numbers {
    let [batch, channels, rows, columns] = shape;
    let plane = rows * columns;
    assert_length("output", grad.len(), batch * channels * plane);
    let mut out = Numbers::unset(channels);
    let parts = super::Parts::new(&mut out, 1);
    // An addition moves as much memory as sixteen multiply-adds take time.
    let threads = settings.threads_for(grad.len().saturating_mul(16));
    pool::run(threads, channels, |channel| {
        let planes = (0..batch).map(|image| &grad[(image * channels + channel) * plane..][..plane]);
        // SAFETY: each task takes a part of its own.
        let out = unsafe { parts.get(channel) };
        out[0] = sum_of_pieces(planes);
    });
    out
}

/// The sum of slices as if they were one after the other in memory.
fn sum_of_pieces<'a>(pieces: impl Iterator<Item = &'a [f32]>) -> f32 {
    let (mut block, mut filled) = ([0.0; BLOCK], 0);
    let mut blocks = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            if filled == BLOCK {
                blocks.push(sum(&block));
                filled = 0;
            }
            let (now, later) = piece.split_at(piece.len().min(BLOCK - filled));
            block[filled..filled + now.len()].copy_from_slice(now);
            filled += now.len();
            piece = later;
        }
    }
    blocks.push(sum(&block[..filled]));
    // The sum of a lone sum is itself.
    sum(&blocks)
}

/// How many elements of a batch may share strips, so that every thread still has some.
fn images_max(settings: Settings, shape: &Convolution) -> usize {
    let threads = settings.threads_for(shape.multiply_adds());
    (shape.batch / (2 * threads)).max(1)
}
