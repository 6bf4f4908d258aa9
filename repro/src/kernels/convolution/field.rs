//! An image laid out so that a tap of neighbouring places lies in neighbouring memory.
//!
//! Tap `t` of place `q` is at `taps[t] + q`. Padding is written out as zeros, and so is what lies between the elements
//! of an image that is spread by a stride; an image that is read by a stride is taken apart into phases, the
//! elements of one residue beside each other. A place `q` counts columns of the laid-out plane, of which an output
//! row uses the first: the others are computed and dropped, which costs less than gathering taps.

use super::shape::Convolution;

/// Numbers behind the last place that a tile may read and drop.
const SLACK: usize = 256;
/// Most elements of a batch laid out side by side.
const IMAGES_MAX: usize = 16;
/// Most numbers of a field of more than one element: each thread has a field of its own, and whoever bounds the memory
/// of a process reckons with the largest element alone.
const SIDE_BY_SIDE_MAX: usize = 1 << 20;

/// Where taps lie.
#[derive(Debug)]
pub(super) struct Field {
    /// Where each tap of a chain lies from its place, in the chain's order.
    pub taps: Vec<usize>,
    /// Length of the buffer.
    pub len: usize,
    /// Elements of the batch that are laid out side by side.
    pub images: usize,
    /// Rows and columns of the laid-out plane.
    plane: [usize; 2],
    /// Rows and columns of places.
    places: [usize; 2],
    /// Channels of a group.
    channels: usize,
    /// Columns of the image.
    columns: usize,
    /// Elements of a plane of the image.
    image: usize,
    phases: [Vec<Run>; 2],
}

/// Some places of one element of a batch in one strip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The element, counted from the first laid out.
    pub image: usize,
    /// The first place in the strip.
    pub lane: usize,
    /// The first place in the plane of the output.
    pub to: usize,
    /// How many.
    pub len: usize,
}

/// Equally spaced elements of an axis and where they lie.
#[derive(Clone, Copy, Debug)]
struct Run {
    to: usize,
    to_step: usize,
    from: usize,
    from_step: usize,
    len: usize,
}

/// One axis: the laid-out length, the phases, and each tap's phase and offset.
struct Axis {
    len: usize,
    phases: Vec<Run>,
    taps: Vec<(usize, usize)>,
}

impl Axis {
    /// Places are those of the output, taps read the input.
    fn of_input(shape: &Convolution, axis: usize) -> Self {
        let (input, output) = (shape.input.size[axis], shape.output.size[axis]);
        let (stride, padding) = (shape.options.stride[axis], shape.options.padding[axis]);
        let (mut residues, mut taps) = (Vec::new(), Vec::new());
        for tap in 0..shape.kernel[axis] {
            let at = tap * shape.options.dilation[axis];
            let phase = residues.iter().position(|r| *r == at % stride);
            let phase = phase.unwrap_or_else(|| {
                residues.push(at % stride);
                residues.len() - 1
            });
            taps.push((phase, at / stride));
        }
        let far = taps.iter().map(|(_, offset)| *offset).max().unwrap_or(0);
        let len = far + output;
        let phases = residues.into_iter().map(|residue| {
            // Element `i` of the phase is element `i · stride + residue − padding` of the input.
            let to = padding.saturating_sub(residue).div_ceil(stride);
            let end = (input + padding)
                .saturating_sub(residue)
                .div_ceil(stride)
                .min(len);
            Run {
                to,
                to_step: 1,
                from: (to * stride + residue).saturating_sub(padding),
                from_step: stride,
                len: end.saturating_sub(to),
            }
        });
        Self {
            len,
            phases: phases.collect(),
            taps,
        }
    }

    /// Places are those of the input, taps read the output (its gradient), whose elements lie a stride apart.
    fn of_output(shape: &Convolution, axis: usize) -> Self {
        let (input, output) = (shape.input.size[axis], shape.output.size[axis]);
        let (stride, padding) = (shape.options.stride[axis], shape.options.padding[axis]);
        let reach = (shape.kernel[axis] - 1) * shape.options.dilation[axis];
        let len = input + reach;
        // Element `i` of the output lies at `i · stride + reach − padding`, where that is in the field.
        let first = padding.saturating_sub(reach).div_ceil(stride);
        let end = (len + padding)
            .saturating_sub(reach)
            .div_ceil(stride)
            .min(output);
        let run = Run {
            to: (first * stride + reach).saturating_sub(padding),
            to_step: stride,
            from: first,
            from_step: 1,
            len: end.saturating_sub(first),
        };
        let taps =
            (0..shape.kernel[axis]).map(|tap| (0, reach - tap * shape.options.dilation[axis]));
        Self {
            len,
            phases: vec![run],
            taps: taps.collect(),
        }
    }
}

impl Field {
    /// The input with its padding: places are those of the output, taps channel, kernel row, kernel column.
    pub fn of_input(shape: &Convolution, images_max: usize) -> Self {
        let axes = [0, 1].map(|axis| Axis::of_input(shape, axis));
        let (places, image) = (shape.output.size, shape.input.size);
        Self::new(axes, places, image, shape.inputs(), images_max)
    }

    /// The output's gradient, its elements a stride apart: places are those of the input, taps output channel, kernel
    /// row, kernel column.
    pub fn of_output(shape: &Convolution, images_max: usize) -> Self {
        let axes = [0, 1].map(|axis| Axis::of_output(shape, axis));
        let (places, image) = (shape.input.size, shape.output.size);
        Self::new(axes, places, image, shape.outputs(), images_max)
    }

    fn new(
        [down, right]: [Axis; 2],
        places: [usize; 2],
        image: [usize; 2],
        channels: usize,
        images_max: usize,
    ) -> Self {
        let (plane, last) = (
            down.len * right.len,
            (places[0] - 1) * right.len + places[1],
        );
        let planes = channels * down.phases.len() * right.phases.len();
        let fit = SIDE_BY_SIDE_MAX / (planes * plane).max(1);
        let images = images_side_by_side(plane, last, images_max.min(fit));
        let pitch = images * plane;
        let mut taps = Vec::with_capacity(channels * down.taps.len() * right.taps.len());
        for channel in 0..channels {
            for (down_phase, row) in &down.taps {
                for (right_phase, column) in &right.taps {
                    let phase = channel * down.phases.len() + down_phase;
                    let phase = phase * right.phases.len() + right_phase;
                    taps.push(phase * pitch + row * right.len + column);
                }
            }
        }
        Self {
            taps,
            len: planes * pitch + SLACK,
            images,
            plane: [down.len, right.len],
            places,
            channels,
            columns: image[1],
            image: image[0] * image[1],
            phases: [down.phases, right.phases],
        }
    }

    /// Copies the channels of one element's group to their places in the buffer, which holds +0.0 everywhere else: an
    /// earlier image of the same field covered the same places.
    pub fn place(&self, index: usize, channels: &[f32], buffer: &mut [f32]) {
        debug_assert_eq!(channels.len(), self.channels * self.image);
        let plane = self.plane[0] * self.plane[1];
        let mut start = index * plane;
        for channel in channels.chunks_exact(self.image) {
            for rows in &self.phases[0] {
                for columns in &self.phases[1] {
                    for row in 0..rows.len {
                        let from = (rows.from + row * rows.from_step) * self.columns;
                        let to = start + (rows.to + row * rows.to_step) * self.plane[1];
                        copy_run(columns, &channel[from..], &mut buffer[to..]);
                    }
                    start += self.images * plane;
                }
            }
        }
    }

    /// How many places the first so many elements have, dropped ones included.
    pub fn places(&self, images: usize) -> usize {
        let plane = self.plane[0] * self.plane[1];
        (images - 1) * plane + (self.places[0] - 1) * self.plane[1] + self.places[1]
    }

    /// What each strip of `width` places gives to the output, strip by strip.
    pub fn spans(&self, width: usize) -> Vec<Vec<Span>> {
        let plane = self.plane[0] * self.plane[1];
        let mut strips = vec![Vec::new(); self.places(self.images).div_ceil(width)];
        for image in 0..self.images {
            for row in 0..self.places[0] {
                let mut column = 0;
                while column < self.places[1] {
                    let place = image * plane + row * self.plane[1] + column;
                    let lane = place % width;
                    let len = (width - lane).min(self.places[1] - column);
                    strips[place / width].push(Span {
                        image,
                        lane,
                        to: row * self.places[1] + column,
                        len,
                    });
                    column += len;
                }
            }
        }
        strips
    }
}

fn copy_run(run: &Run, from: &[f32], to: &mut [f32]) {
    if run.len == 0 {
        return;
    }
    if run.from_step == 1 && run.to_step == 1 {
        return to[run.to..run.to + run.len].copy_from_slice(&from[run.from..run.from + run.len]);
    }
    let (mut source, mut place) = (run.from, run.to);
    for _ in 0..run.len {
        to[place] = from[source];
        source += run.from_step;
        place += run.to_step;
    }
}

/// How many elements of a batch share strips: more than one only where planes are so small that a strip of its own
/// would be mostly empty.
fn images_side_by_side(plane: usize, last: usize, images_max: usize) -> usize {
    const STRIP: usize = 32;
    let strips = |images: usize| ((images - 1) * plane + last).div_ceil(STRIP);
    let mut best = 1;
    for images in 2..=images_max.min(IMAGES_MAX) {
        // Strips an image, compared without a division.
        if strips(images) * best < strips(best) * images {
            best = images;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn elements_side_by_side_have_a_bounded_field() {
        let images = |channels: usize| {
            let shape = Convolution::new(
                [64, channels, 1, 1],
                [1, channels, 1, 1],
                Options::default(),
            );
            let field = Field::of_input(&shape, 64);
            assert_eq!(field.len, channels * field.images + SLACK);
            field.images
        };
        assert_eq!(images(3), IMAGES_MAX);
        assert_eq!(images(SIDE_BY_SIDE_MAX / IMAGES_MAX), IMAGES_MAX);
        assert_eq!(images(SIDE_BY_SIDE_MAX / 4), 4);
        assert_eq!(images(SIDE_BY_SIDE_MAX), 1);
    }
}
