//! The gradient of the weight: chains over every position of every element of the batch.
//!
//! A tile's lanes are neighbouring channels, so both sides are first laid out with the channels of a position side by
//! side; which side's channels, is a matter of cost:
//!
//! | lanes | rows of a tile |
//! |---|---|
//! | input channels of a group | output channels, at one tap |
//! | output channels of a group | taps of the group's channels |
//! | groups of one input channel each | taps |
//!
//! Some elements at a time are laid out, all threads sharing the work; then all threads share the tiles, each of which goes on where it
//! rested.

use super::shape::Convolution;
use super::tile::{Apart, Beside, Lanewise, Left, Lengths, Walk, cut, positions};
use super::turn::{Place, channels_last, planes};
use crate::kernels::memory::Numbers;
use crate::kernels::paths::{Path, Settings};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Parts, pool};
use std::ops::Range;

/// Numbers laid out at once: they stay in the second-level cache.
const SOME: usize = 1 << 18;
/// Numbers behind the last position that a vector may read and drop.
const SLACK: usize = 64;

/// Which channels are the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lanes {
    Inputs,
    Outputs,
    Groups,
}

/// How one weight gradient is computed.
struct Plan {
    shape: Convolution,
    lanes: Lanes,
    /// Rows and columns of the laid-out input.
    field: [usize; 2],
    /// Numbers an element of the laid-out left and right factors.
    lens: [usize; 2],
    /// Distance between positions on the side whose channels are lanes.
    pitch: usize,
    /// Cuts of the rows of tiles, in a group: what each covers, and its height.
    tiles: Vec<(Range<usize>, usize)>,
    /// Where the rows of tiles lie, for those that do not lie side by side.
    offsets: Vec<usize>,
    /// Rows of a group's tiles, dropped ones included.
    rows: usize,
    blocks: Vec<Block>,
    /// Numbers of all resting chains.
    held: usize,
}

/// A tile and its lanes.
#[derive(Clone, Debug, Default)]
struct Block {
    /// Where its factors begin in an element's laid-out sides.
    left: usize,
    right: usize,
    /// Its rows' first offset.
    offset: usize,
    height: usize,
    /// Rows that count.
    rows: usize,
    vectors: usize,
    /// Where its chains rest.
    held: usize,
    /// Where its numbers belong: the first, the distance between rows and between lanes, and how many lanes count.
    out: usize,
    row: usize,
    lane: usize,
    lanes: usize,
}

/// The gradient `[o, c / groups, kh, kw]` of a weight.
pub(super) fn gradient(settings: Settings, shape: Convolution, x: &[f32], grad: &[f32]) -> Numbers {
    if shape.batch == 0 {
        return Numbers::zeros(shape.output.channels * shape.taps());
    }
    let plan = Plan::new(settings.path, shape);
    let threads = settings.threads_for(shape.multiply_adds());
    let images = (SOME / (plan.lens[0] + plan.lens[1])).clamp(1, shape.batch);
    let images = images.next_multiple_of(threads).min(shape.batch);
    let [mut left, mut right] = plan.lens.map(|len| Numbers::zeros(images * len + SLACK));
    let mut memory = Numbers::zeros(plan.held);
    let held = Held {
        start: memory.as_mut_ptr(),
        len: memory.len(),
        _memory: std::marker::PhantomData,
    };
    for first in (0..shape.batch).step_by(images) {
        let count = images.min(shape.batch - first);
        let batch = first..first + count;
        lay_out(
            settings.path,
            threads,
            &plan,
            [x, grad],
            batch,
            [&mut left, &mut right],
        );
        let share = plan.blocks.len().div_ceil(threads * 8);
        pool::run(threads, plan.blocks.len().div_ceil(share), |task| {
            let blocks = task * share..((task + 1) * share).min(plan.blocks.len());
            settings.path.run(Tiles {
                plan: &plan,
                left: &left,
                right: &right,
                images: count,
                blocks,
                held: &held,
            });
        });
    }
    let mut out = Numbers::unset(shape.output.channels * shape.taps());
    let (_, lanes) = settings.path.run(Lengths);
    for block in &plan.blocks {
        for row in 0..block.rows {
            let from = &memory[block.held + row * block.vectors * lanes..][..block.lanes];
            let at = block.out + row * block.row;
            for (lane, number) in from.iter().enumerate() {
                out[at + lane * block.lane] = *number;
            }
        }
    }
    out
}

/// Where chains rest between two of a tile's turns.
struct Held<'a> {
    start: *mut f32,
    len: usize,
    _memory: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: each block has a place of its own, and each is one task's at a time.
unsafe impl Sync for Held<'_> {}

fn lay_out(
    path: Path,
    threads: usize,
    plan: &Plan,
    [x, grad]: [&[f32]; 2],
    images: Range<usize>,
    [left, right]: [&mut [f32]; 2],
) {
    let shape = plan.shape;
    let (left, right) = (
        Parts::new(left, plan.lens[0]),
        Parts::new(right, plan.lens[1]),
    );
    pool::run(threads, images.len(), |index| {
        let image = images.start + index;
        let (x_len, grad_len) = (shape.input.len(), shape.output.len());
        // SAFETY: each task takes the parts of one element.
        let (left, right) = unsafe { (left.get(index), right.get(index)) };
        path.run(LayOut {
            plan,
            x: &x[image * x_len..][..x_len],
            grad: &grad[image * grad_len..][..grad_len],
            left,
            right,
        });
    });
}

impl Plan {
    fn new(path: Path, shape: Convolution) -> Self {
        let (rows, lanes) = path.run(Lengths);
        let field = [0, 1].map(|axis| {
            let reach = (shape.kernel[axis] - 1) * shape.options.dilation[axis];
            (shape.output.size[axis] - 1) * shape.options.stride[axis] + reach + 1
        });
        let (places, positions) = (field[0] * field[1], shape.output.plane());
        let kind = Lanes::of(&shape, lanes);
        let across = |channels: usize| channels.next_multiple_of(16);
        let (lens, pitch, in_tiles) = match kind {
            Lanes::Inputs => {
                let pitch = across(shape.input.channels);
                let rows = total(shape.outputs(), rows) * shape.options.groups;
                ([positions * rows, places * pitch], pitch, shape.outputs())
            }
            Lanes::Outputs => {
                let pitch = across(shape.output.channels);
                let lens = [places * shape.input.channels, positions * pitch];
                (lens, pitch, shape.taps())
            }
            Lanes::Groups => {
                let pitch = across(shape.options.groups);
                let lens = [places * pitch, positions * pitch * shape.outputs()];
                (lens, pitch, shape.window())
            }
        };
        let mut plan = Self {
            shape,
            lanes: kind,
            field,
            lens,
            pitch,
            tiles: cut(in_tiles, rows),
            offsets: Vec::new(),
            rows: total(in_tiles, rows),
            blocks: Vec::new(),
            held: 0,
        };
        plan.lay_tiles(lanes);
        plan
    }

    /// Where the kernel's taps lie in the field, `apart` numbers a place.
    fn taps(&self, apart: usize) -> Vec<usize> {
        let ([rows, columns], [down, right]) = (self.shape.kernel, self.shape.options.dilation);
        (0..rows * columns)
            .map(|tap| (tap / columns * down * self.field[1] + tap % columns * right) * apart)
            .collect()
    }

    fn lay_tiles(&mut self, lanes: usize) {
        let shape = self.shape;
        let (groups, window, taps) = (shape.options.groups, shape.window(), shape.taps());
        let (inputs, outputs) = (shape.inputs(), shape.outputs());
        let (places, positions) = (self.field[0] * self.field[1], shape.output.plane());
        let highest = self.tiles.iter().map(|(_, height)| *height).max();
        let most = if highest <= Some(2) { 4 } else { 2 };
        let tiles = self.tiles.clone();
        match self.lanes {
            Lanes::Inputs => {
                let offsets = self.taps(self.pitch);
                for group in 0..groups {
                    for (tap, (first, vectors)) in pairs(window, &cuts(inputs, lanes, most)) {
                        for (tile, height) in &tiles {
                            let channel = group * outputs + tile.start;
                            self.push(
                                lanes,
                                vectors,
                                Block {
                                    left: (group * self.rows + tile.start) * positions,
                                    right: offsets[tap] + group * inputs + first,
                                    height: *height,
                                    rows: tile.len(),
                                    out: channel * taps + first * window + tap,
                                    row: taps,
                                    lane: window,
                                    lanes: inputs - first,
                                    ..Block::default()
                                },
                            );
                        }
                    }
                }
            }
            Lanes::Outputs => {
                let offsets = self.taps(1);
                let each = (0..taps).map(|tap| tap / window * places + offsets[tap % window]);
                self.offsets = each.collect();
                self.drop_rows();
                for (group, (first, vectors)) in pairs(groups, &cuts(outputs, lanes, most)) {
                    let channel = group * outputs + first;
                    for (tile, height) in &tiles {
                        self.push(
                            lanes,
                            vectors,
                            Block {
                                left: group * inputs * places,
                                right: channel,
                                offset: tile.start,
                                height: *height,
                                rows: tile.len(),
                                out: channel * taps + tile.start,
                                row: 1,
                                lane: taps,
                                lanes: outputs - first,
                                ..Block::default()
                            },
                        );
                    }
                }
            }
            Lanes::Groups => {
                self.offsets = self.taps(self.pitch);
                self.drop_rows();
                for (output, (first, vectors)) in pairs(outputs, &cuts(groups, lanes, 1)) {
                    for (tile, height) in &tiles {
                        self.push(
                            lanes,
                            vectors,
                            Block {
                                left: first,
                                right: output * positions * self.pitch + first,
                                offset: tile.start,
                                height: *height,
                                rows: tile.len(),
                                out: (first * outputs + output) * window + tile.start,
                                row: 1,
                                lane: outputs * window,
                                lanes: groups - first,
                                ..Block::default()
                            },
                        );
                    }
                }
            }
        }
    }

    /// Rows that are dropped read what the first row reads.
    fn drop_rows(&mut self) {
        self.offsets.resize(self.rows, self.offsets[0]);
    }

    fn push(&mut self, lanes: usize, vectors: usize, block: Block) {
        self.blocks.push(Block {
            vectors,
            held: self.held,
            lanes: block.lanes.min(vectors * lanes),
            ..block
        });
        self.held += block.height * vectors * lanes;
    }

    /// Rows and columns of steps on both sides: from a position to the one below, and to the right.
    fn steps(&self, height: usize) -> [[usize; 2]; 2] {
        let [down, right] = self.shape.options.stride;
        let columns = self.shape.output.size[1];
        let on_field = |apart: usize| [down * self.field[1] * apart, right * apart];
        let on_output = |apart: usize| [columns * apart, apart];
        match self.lanes {
            Lanes::Inputs => [on_output(height), on_field(self.pitch)],
            Lanes::Outputs => [on_field(1), on_output(self.pitch)],
            Lanes::Groups => [on_field(self.pitch), on_output(self.pitch)],
        }
    }
}

impl Lanes {
    /// The cheapest: fewest vectors for all chains.
    fn of(shape: &Convolution, lanes: usize) -> Self {
        let (groups, inputs, outputs) = (shape.options.groups, shape.inputs(), shape.outputs());
        let by_inputs = groups * outputs * inputs.div_ceil(lanes);
        let by_outputs = groups * inputs * outputs.div_ceil(lanes);
        let by_groups = outputs * groups.div_ceil(lanes);
        if inputs == 1 && by_groups < by_outputs.min(by_inputs) {
            Lanes::Groups
        } else if by_inputs <= by_outputs {
            Lanes::Inputs
        } else {
            Lanes::Outputs
        }
    }
}

/// Rows of all tiles, dropped ones included.
fn total(rows: usize, highest: usize) -> usize {
    cut(rows, highest).iter().map(|(_, height)| height).sum()
}

/// Each of `count` numbers with each item.
fn pairs<T: Copy>(count: usize, items: &[T]) -> impl Iterator<Item = (usize, T)> {
    (0..count).flat_map(move |i| items.iter().map(move |item| (i, *item)))
}

/// Cuts of some lanes into tiles of 4, 2 or 1 vectors, `most` at most: where each begins, and its vectors.
fn cuts(len: usize, lanes: usize, most: usize) -> Vec<(usize, usize)> {
    let (mut first, mut cuts) = (0, Vec::new());
    while first < len {
        let vectors = match (len - first).div_ceil(lanes).min(most) {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        cuts.push((first, vectors));
        first += vectors * lanes;
    }
    cuts
}

/// Lays out one element of the batch.
struct LayOut<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    grad: &'a [f32],
    left: &'a mut [f32],
    right: &'a mut [f32],
}

impl Kernel for LayOut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (plan, shape) = (self.plan, &self.plan.shape);
        let input = Place {
            image: shape.input.size,
            before: shape.options.padding,
            field: plan.field,
        };
        let output = Place::whole(shape.output.size);
        let (plane, positions) = (shape.input.plane(), shape.output.plane());
        let (channels, outputs) = (shape.output.channels, shape.outputs());
        match plan.lanes {
            Lanes::Inputs => {
                let channels = shape.input.channels;
                channels_last(self.x, plane, channels, &input, self.right, plan.pitch);
                for group in 0..shape.options.groups {
                    for (tile, height) in &plan.tiles {
                        let from = (group * outputs + tile.start) * positions;
                        let to = (group * plan.rows + tile.start) * positions;
                        let (grad, left) = (&self.grad[from..], &mut self.left[to..]);
                        channels_last(grad, positions, tile.len(), &output, left, *height);
                    }
                }
            }
            Lanes::Outputs => {
                planes(self.x, &input, self.left);
                channels_last(
                    self.grad, positions, channels, &output, self.right, plan.pitch,
                );
            }
            Lanes::Groups => {
                let groups = shape.options.groups;
                channels_last(self.x, plane, groups, &input, self.left, plan.pitch);
                for index in 0..outputs {
                    let grad = &self.grad[index * positions..];
                    let right = &mut self.right[index * positions * plan.pitch..];
                    channels_last(
                        grad,
                        outputs * positions,
                        groups,
                        &output,
                        right,
                        plan.pitch,
                    );
                }
            }
        }
    }
}

/// Some tiles, over the elements that are laid out.
struct Tiles<'a> {
    plan: &'a Plan,
    left: &'a [f32],
    right: &'a [f32],
    images: usize,
    blocks: Range<usize>,
    held: &'a Held<'a>,
}

impl Kernel for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for block in &self.plan.blocks[self.blocks.clone()] {
            assert!(block.held + block.height * block.vectors * S::LANES <= self.held.len);
            // SAFETY: it lies in that memory, and is this task's.
            let held = unsafe { self.held.start.add(block.held) };
            for image in 0..self.images {
                match self.plan.lanes {
                    Lanes::Inputs => self.block::<S, Beside>(simd, block, image, held),
                    Lanes::Outputs => self.block::<S, Apart>(simd, block, image, held),
                    Lanes::Groups => self.block::<S, Lanewise>(simd, block, image, held),
                }
            }
        }
    }
}

impl Tiles<'_> {
    #[inline(always)]
    fn block<S: Simd, L: Left>(&self, simd: S, block: &Block, image: usize, held: *mut f32) {
        let steps = self.plan.steps(block.height);
        let walk = |side: &[f32], at: usize, step: [usize; 2]| Walk {
            start: side[at..].as_ptr(),
            row: step[0],
            column: step[1],
        };
        let left = walk(self.left, image * self.plan.lens[0] + block.left, steps[0]);
        let right = walk(
            self.right,
            image * self.plan.lens[1] + block.right,
            steps[1],
        );
        let offsets = self.plan.offsets[block.offset..].as_ptr();
        let size = self.plan.shape.output.size;
        macro_rules! heights {
            ($vectors:literal: $($height:literal)*) => {
                match block.height {
                    $($height if $height <= S::ROWS => {
                        positions::<S, L, $height, $vectors>(simd, size, left, offsets, right, held);
                    })*
                    height => unreachable!("no tile of {height} rows by {} vectors", $vectors),
                }
            };
        }
        // SAFETY: both sides hold every position of this element, and behind the last one as much as a tile reads too
        // far; a tile has as many offsets as rows, where it has any; the caller measured `held`.
        unsafe {
            match block.vectors {
                4 => heights!(4: 1 2),
                2 => heights!(2: 1 2 3 4 6 8 10 12),
                _ => heights!(1: 1 2 3 4 6 8 10 12),
            }
        }
    }
}
