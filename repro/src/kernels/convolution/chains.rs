//! The chains of a whole convolution: every channel at every place, from a field and packed weights.

use super::field::{Field, Span};
use super::tile::{Lengths, TILE_MAX, cut, gather};
use crate::kernels::memory::Numbers;
use crate::kernels::paths::{Path, Settings};
use crate::kernels::pool;
use crate::kernels::simd::{Kernel, Simd};
use std::ops::Range;

/// Where a weight's number for a channel and a tap lies: `group · groups + channel · channels + (tap / window) · outer +
/// tap mod window`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strides {
    pub group: usize,
    pub channel: usize,
    pub outer: usize,
    pub window: usize,
}

/// A convolution to be computed.
pub(super) struct Chains<'a> {
    path: Path,
    field: Field,
    groups: usize,
    batch: usize,
    source: &'a [f32],
    /// Numbers of a group of one element's channels in the source.
    source_group: usize,
    weights: &'a Packed,
    /// One a channel of the output, or none.
    bias: Option<&'a [f32]>,
    /// Elements of a plane of the output.
    plane: usize,
    spans: Vec<Vec<Span>>,
    out: *mut f32,
    _out: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: tasks write the channels of the elements they are given, and no two are given the same.
unsafe impl Sync for Chains<'_> {}

/// What packed weights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Whether for the input's gradient.
    pub is_transposed: bool,
    pub groups: usize,
    /// Channels of a group that the chains give, and that they run over.
    pub channels: usize,
    pub inner: usize,
    pub kernel: [usize; 2],
}

impl Shape {
    /// Numbers of a chain.
    fn taps(&self) -> usize {
        self.inner * self.kernel[0] * self.kernel[1]
    }
}

/// A convolution's weights in the order in which tiles read them, for its output or for its input's gradient. They belong to
/// the path they were packed for, because paths read tiles of other heights.
#[derive(Debug)]
pub struct Packed {
    data: Vec<f32>,
    path: Path,
    shape: Shape,
    /// Channels of a group, and the tiles into which they are cut: what each covers, its height, and where it begins.
    channels: usize,
    tiles: Vec<(Range<usize>, usize)>,
    starts: Vec<usize>,
}

impl Packed {
    pub(super) fn new(path: Path, weight: &[f32], strides: Strides, shape: Shape) -> Self {
        let (rows, _) = path.run(Lengths);
        let (groups, channels, taps) = (shape.groups, shape.channels, shape.taps());
        let tiles = cut(channels, rows);
        let heights: usize = tiles.iter().map(|(_, height)| height).sum();
        let mut data = Vec::with_capacity(groups * taps * heights);
        let mut starts = Vec::with_capacity(groups * tiles.len());
        for group in 0..groups {
            for (tile, height) in &tiles {
                starts.push(data.len());
                let first = group * strides.group + tile.start * strides.channel;
                for outer in 0..taps / strides.window {
                    for tap in 0..strides.window {
                        let at = first + outer * strides.outer + tap;
                        data.extend((0..tile.len()).map(|row| weight[at + row * strides.channel]));
                        data.extend(std::iter::repeat_n(0.0, height - tile.len()));
                    }
                }
            }
        }
        Self {
            data,
            path,
            shape,
            channels,
            tiles,
            starts,
        }
    }
}

impl<'a> Chains<'a> {
    /// The chains of a convolution of this shape over the field's taps of `source`.
    ///
    /// # Panics
    ///
    /// If the weights were packed for another path or shape.
    pub fn new(
        path: Path,
        field: Field,
        (batch, shape): (usize, Shape),
        source: &'a [f32],
        weights: &'a Packed,
        bias: Option<&'a [f32]>,
        out: &'a mut [f32],
    ) -> Self {
        assert!(
            (weights.path, weights.shape) == (path, shape),
            "repro: weights that were packed for the convolution {:?} on the path `{}` meet {shape:?} on `{}`",
            weights.shape,
            weights.path.name(),
            path.name()
        );
        let (groups, channels) = (shape.groups, shape.channels);
        let (_, lanes) = path.run(Lengths);
        let planes = batch * groups * channels;
        let plane = out.len() / planes.max(1);
        assert_eq!(
            out.len(),
            planes * plane,
            "repro: a convolution's output has whole planes"
        );
        if let Some(bias) = bias {
            assert_eq!(
                bias.len(),
                groups * channels,
                "repro: the bias of a convolution has a number a channel"
            );
        }
        Self {
            path,
            groups,
            batch,
            source,
            source_group: source.len() / (batch * groups).max(1),
            weights,
            bias,
            plane,
            spans: field.spans(2 * lanes),
            field,
            out: out.as_mut_ptr(),
            _out: std::marker::PhantomData,
        }
    }

    /// Computes all of it.
    pub fn run(self, settings: Settings) {
        let work = self.batch * self.groups * self.weights.channels * self.plane;
        let threads = settings.threads_for(work.saturating_mul(self.field.taps.len()));
        let fields = self.batch.div_ceil(self.field.images) * self.groups;
        if fields == 0 {
            return;
        }
        // With few fields the channels are cut too, though each part lays out the same field again.
        let wanted = if threads == 1 { 1 } else { 4 * threads };
        let tiles = self.weights.tiles.len();
        let parts = wanted.div_ceil(fields).min(tiles);
        let share = fields.div_ceil(wanted);
        let tasks = fields.div_ceil(share) * parts;
        pool::run(threads, tasks, |task| {
            let (first, part) = (task / parts * share, task % parts);
            let tiles = tiles * part / parts..tiles * (part + 1) / parts;
            let mut buffer = Numbers::zeros(self.field.len);
            for field in first..(first + share).min(fields) {
                self.path.run(One {
                    chains: &self,
                    images: field / self.groups * self.field.images,
                    group: field % self.groups,
                    tiles: tiles.clone(),
                    buffer: &mut buffer,
                });
            }
        });
    }
}

/// Some tiles of one group of the elements in one field.
struct One<'t, 'a> {
    chains: &'t Chains<'a>,
    /// The first element.
    images: usize,
    group: usize,
    tiles: Range<usize>,
    buffer: &'t mut [f32],
}

impl Kernel for One<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Chains {
            field,
            source,
            source_group,
            weights,
            ..
        } = self.chains;
        let count = field.images.min(self.chains.batch - self.images);
        for image in 0..count {
            let at = (self.images + image) * self.chains.groups + self.group;
            let group = &source[at * source_group..][..*source_group];
            field.place(image, group, self.buffer);
        }
        let strip = 2 * S::LANES;
        let strips = field.places(count).div_ceil(strip);
        let highest = self.tiles.clone().map(|tile| weights.tiles[tile].1);
        let highest = highest.max().unwrap_or(0);
        let most = match S::ROWS / highest.max(1) {
            6.. => 4,
            2.. => 2,
            _ => 1,
        };
        let mut index = 0;
        while index < strips {
            let pairs = match strips - index {
                4.. if most == 4 => 4,
                2.. if most >= 2 => 2,
                _ => 1,
            };
            for tile in self.tiles.clone() {
                self.tile(simd, tile, index, pairs);
            }
            index += pairs;
        }
    }
}

impl One<'_, '_> {
    #[inline(always)]
    fn tile<S: Simd>(&self, simd: S, tile: usize, strip: usize, pairs: usize) {
        let chains = self.chains;
        let weights = &chains.weights;
        let (rows, height) = weights.tiles[tile].clone();
        let first = self.group * weights.channels + rows.start;
        let start = weights.starts[self.group * weights.tiles.len() + tile];
        let numbers = weights.data[start..].as_ptr();
        let mut bias = [0.0f32; 12];
        let bias = match chains.bias {
            Some(all) => {
                bias[..rows.len()].copy_from_slice(&all[first..first + rows.len()]);
                bias.as_ptr()
            }
            None => std::ptr::null(),
        };
        let taps = &chains.field.taps[..];
        let image = self.buffer[strip * 2 * S::LANES..].as_ptr();
        let mut held = [0.0f32; TILE_MAX];
        assert!(height * pairs * 2 * S::LANES <= TILE_MAX);
        macro_rules! heights {
            ($pairs:literal: $($height:literal)*) => {
                match height {
                    $($height if $height * $pairs <= S::ROWS => {
                        gather::<S, $height, $pairs>(simd, taps, numbers, image, bias, held.as_mut_ptr());
                    })*
                    height => unreachable!("no tile of {height} rows by {} strips", $pairs),
                }
            };
        }
        // SAFETY: the field has room for whole strips from each tap on, behind its last place too; the packed tile has
        // a number a tap and row, the bias one a row; and `held` was just measured.
        unsafe {
            match pairs {
                4 => heights!(4: 1 2),
                2 => heights!(2: 1 2 3 4 6),
                _ => heights!(1: 1 2 3 4 6 8 10 12),
            }
        }
        for pair in 0..pairs {
            let Some(spans) = chains.spans.get(strip + pair) else {
                break;
            };
            for span in spans {
                let image = self.images + span.image;
                if image >= chains.batch {
                    break;
                }
                let channel = image * chains.groups * weights.channels + first;
                for row in 0..rows.len() {
                    let from = (row * pairs + pair) * 2 * S::LANES + span.lane;
                    let to = (channel + row) * chains.plane + span.to;
                    // SAFETY: the output has `plane` numbers for each channel of each element, of which the span is
                    // some, and these channels of this element are this task's.
                    unsafe {
                        copy::<S>(simd, held.as_ptr().add(from), chains.out.add(to), span.len);
                    }
                }
            }
        }
    }
}

/// Copies a few numbers, in whole vectors where they fit, of which the last may overlap the one before.
///
/// # Safety
///
/// `len` numbers can be read and written, and do not overlap.
#[inline(always)]
unsafe fn copy<S: Simd>(simd: S, from: *const f32, to: *mut f32, len: usize) {
    // SAFETY: the caller's promise; no vector reaches beyond `len`.
    unsafe {
        if len >= S::LANES {
            let mut at = 0;
            while at + S::LANES < len {
                simd.store(to.add(at), simd.load(from.add(at)));
                at += S::LANES;
            }
            let last = len - S::LANES;
            simd.store(to.add(last), simd.load(from.add(last)));
        } else if len >= 8 {
            let last = len - 8;
            let (head, tail) = (eight(from), eight(from.add(last)));
            to.cast::<[f32; 8]>().write_unaligned(head);
            to.add(last).cast::<[f32; 8]>().write_unaligned(tail);
        } else {
            for at in 0..len {
                *to.add(at) = *from.add(at);
            }
        }
    }
}

/// # Safety
///
/// Eight numbers can be read.
#[inline(always)]
unsafe fn eight(from: *const f32) -> [f32; 8] {
    // SAFETY: the caller's promise.
    unsafe { from.cast::<[f32; 8]>().read_unaligned() }
}
