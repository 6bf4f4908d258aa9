//! The lengths of a convolution, checked once.

use crate::kernels::view::elements;

/// How a kernel moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Distance between windows, down and right; at least 1.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side of the image.
    pub padding: [usize; 2],
    /// Distance between the taps of a window; at least 1.
    pub dilation: [usize; 2],
    /// Parts into which both sides' channels are cut; each sees its own alone. At least 1.
    pub groups: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// The lengths of a convolution; its constructors check them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub(super) batch: usize,
    pub(super) input: Image,
    pub(super) output: Image,
    pub(super) kernel: [usize; 2],
    pub(super) options: Options,
}

/// The lengths of one element of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub channels: usize,
    pub size: [usize; 2],
}

impl Image {
    pub fn plane(self) -> usize {
        self.size[0] * self.size[1]
    }

    pub fn len(self) -> usize {
        self.channels * self.plane()
    }
}

impl Convolution {
    /// The convolution of an input `[n, c, h, w]` with a weight `[o, c / groups, kh, kw]`.
    ///
    /// # Panics
    ///
    /// If the channels do not fit each other or the groups, a stride, a dilation or a length but the batch's is zero,
    /// or the kernel is larger than the padded input.
    pub fn new(input: [usize; 4], weight: [usize; 4], options: Options) -> Self {
        let ([batch, channels, rows, columns], [out, _, kh, kw]) = (input, weight);
        let along = |axis: usize, len: usize, kernel: usize| {
            let (stride, padding) = (options.stride[axis], options.padding[axis]);
            windows(len, kernel, stride, padding, options.dilation[axis])
        };
        let output = Image {
            channels: out,
            size: [along(0, rows, kh), along(1, columns, kw)],
        };
        let input = Image {
            channels,
            size: [rows, columns],
        };
        Self::checked(batch, input, output, weight, options)
    }

    /// The convolution of which the transposed one is the input's gradient: its output is what the transposed one
    /// takes, `[n, o, h, w]`, its weight `[o, c / groups, kh, kw]`, and its input what the transposed one gives, of
    /// `(h − 1)·stride + (kh − 1)·dilation + 1 + more − 2·padding` rows and as many columns.
    ///
    /// # Panics
    ///
    /// If the channels do not fit each other or the groups, a stride, a dilation or a length but the batch's is zero,
    /// or what it gives has no row or column.
    pub fn transposed(
        output: [usize; 4],
        weight: [usize; 4],
        options: Options,
        more: [usize; 2],
    ) -> Self {
        let ([batch, channels, rows, columns], [_, each, kh, kw]) = (output, weight);
        let along = |axis: usize, len: usize, kernel: usize| {
            assert_axis(
                len,
                kernel,
                options.stride[axis],
                options.padding[axis],
                options.dilation[axis],
            );
            let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
            let reach = |len: usize, step: usize| (len - 1).checked_mul(step);
            let whole = reach(len, stride)
                .zip(reach(kernel, dilation))
                .and_then(|(last, extent)| {
                    last.checked_add(extent)?
                        .checked_add(1)?
                        .checked_add(more[axis])
                })
                .unwrap_or_else(|| too_far(len, stride, kernel, dilation));
            let padding = options.padding[axis];
            match padding
                .checked_mul(2)
                .and_then(|both| whole.checked_sub(both))
            {
                Some(len) if len > 0 => len,
                _ => panic!(
                    "repro: a transposed convolution of {whole} places with padding {padding}"
                ),
            }
        };
        let input = Image {
            channels: each * options.groups,
            size: [along(0, rows, kh), along(1, columns, kw)],
        };
        let output = Image {
            channels,
            size: [rows, columns],
        };
        Self::checked(batch, input, output, weight, options)
    }

    fn checked(
        batch: usize,
        input: Image,
        output: Image,
        weight: [usize; 4],
        options: Options,
    ) -> Self {
        let groups = options.groups;
        let ([out, each, kh, kw], channels) = (weight, input.channels);
        assert!(
            channels > 0 && out > 0,
            "repro: a convolution of {channels} channels to {out}"
        );
        assert!(
            groups > 0 && channels.is_multiple_of(groups) && out.is_multiple_of(groups),
            "repro: a convolution of {channels} channels to {out} in {groups} groups"
        );
        assert!(
            each * groups == channels && output.channels == out,
            "repro: a convolution of {channels} channels to {} in {groups} groups, and a weight for {} to {out}",
            output.channels,
            each * groups
        );
        let shape = Self {
            batch,
            input,
            output,
            kernel: [kh, kw],
            options,
        };
        // What is computed from lengths below fits memory, as these do.
        elements(&shape.input_shape());
        elements(&shape.output_shape());
        elements(&weight);
        shape
    }

    /// Shape of the input.
    pub fn input_shape(&self) -> [usize; 4] {
        let Image { channels, size } = self.input;
        [self.batch, channels, size[0], size[1]]
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> [usize; 4] {
        let Image { channels, size } = self.output;
        [self.batch, channels, size[0], size[1]]
    }

    /// Taps of a kernel on one channel.
    pub(super) fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Input channels of a group.
    pub(super) fn inputs(&self) -> usize {
        self.input.channels / self.options.groups
    }

    /// Output channels of a group.
    pub(super) fn outputs(&self) -> usize {
        self.output.channels / self.options.groups
    }

    /// Length of an output element's chain.
    pub(super) fn taps(&self) -> usize {
        self.inputs() * self.window()
    }

    pub(super) fn multiply_adds(&self) -> usize {
        self.batch
            .saturating_mul(self.output.len())
            .saturating_mul(self.taps())
    }

    pub(super) fn assert_input(&self, len: usize) {
        assert_length("input", len, self.batch * self.input.len());
    }

    pub(super) fn assert_output(&self, len: usize) {
        assert_length("output", len, self.batch * self.output.len());
    }

    pub(super) fn assert_weight(&self, len: usize) {
        assert_length("weight", len, self.output.channels * self.taps());
    }
}

pub(super) fn assert_length(what: &str, len: usize, expected: usize) {
    assert_eq!(
        len, expected,
        "repro: the shape does not describe the {what} of a convolution"
    );
}

/// How many windows of `kernel` taps fit along an axis with its padding.
///
/// # Panics
///
/// If none does, or a stride or dilation is zero.
pub(in crate::kernels) fn windows(
    len: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
) -> usize {
    assert_axis(len, kernel, stride, padding, dilation);
    let padded = padding
        .checked_mul(2)
        .and_then(|both| len.checked_add(both));
    let extent = (kernel - 1)
        .checked_mul(dilation)
        .and_then(|reach| reach.checked_add(1));
    let Some((padded, extent)) = padded.zip(extent) else {
        too_far(len, padding, kernel, dilation)
    };
    assert!(
        extent <= padded,
        "repro: a kernel of {kernel}, its taps {dilation} apart, on an axis of {len} with padding {padding}"
    );
    (padded - extent) / stride + 1
}

fn too_far(len: usize, step: usize, kernel: usize, dilation: usize) -> ! {
    panic!(
        "repro: an axis of {len}, its stride or padding {step}, and a kernel of {kernel}, its taps {dilation} apart, reach further than \
         any memory"
    )
}

fn assert_axis(len: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) {
    assert!(stride > 0, "repro: a stride of zero");
    assert!(dilation > 0, "repro: a dilation of zero");
    assert!(
        kernel > 0 && len > 0,
        "repro: a kernel of {kernel} on an axis of {len} with padding {padding}"
    );
}
