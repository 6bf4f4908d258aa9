//! Convolutions against the definition, written out one element at a time in software arithmetic: equal to the bit, on
//! every path, at every thread count, for every element of a batch alone.

mod support;

use burn::backend::Autodiff;
use burn::tensor::module::{conv_transpose1d, conv_transpose2d, conv1d, conv2d, unfold4d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, UnfoldOptions};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::fma::software;
use repro::kernels::sum::sum;
use repro::paths::{self, Settings};
use repro::{Repro, ReproDevice};
use support::{bits, every_setting, numbers};

type A<const D: usize> = Tensor<Autodiff<Repro>, D>;

fn tracked<const D: usize>(data: &[f32], shape: [usize; D]) -> A<D> {
    A::from_data(TensorData::new(data.to_vec(), shape), &ReproDevice).require_grad()
}

fn read<const D: usize>(tensor: Tensor<Repro, D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("a float tensor")
}

/// A row-major array of four axes that may be asked for places outside it.
struct Array<'a> {
    data: &'a [f32],
    shape: [usize; 4],
}

impl Array<'_> {
    /// The element, or +0.0 outside of the last two axes.
    fn at(&self, n: usize, c: usize, y: isize, x: isize) -> f32 {
        let [_, channels, rows, columns] = self.shape;
        if y < 0 || x < 0 || y >= rows as isize || x >= columns as isize {
            return 0.0;
        }
        self.data[((n * channels + c) * rows + y as usize) * columns + x as usize]
    }
}

/// All index pairs of two axes, the second fastest.
fn pairs(a: usize, b: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)))
}

/// A convolution, or the transposed one of the same weight.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    /// Input and output channels of a group, and groups; of a transposed convolution output and input.
    channels: [usize; 3],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    /// Of a transposed convolution, what its output is longer than its taps.
    more: Option<[usize; 2]>,
    seed: u64,
}

/// The numbers of a case and their shapes.
struct Data {
    x: (Vec<f32>, [usize; 4]),
    weight: (Vec<f32>, [usize; 4]),
    bias: Vec<f32>,
    grad: (Vec<f32>, [usize; 4]),
}

impl Case {
    fn x_shape(&self) -> [usize; 4] {
        let [inputs, outputs, groups] = self.channels;
        let each = if self.more.is_some() { outputs } else { inputs };
        [self.batch, each * groups, self.size[0], self.size[1]]
    }

    fn weight_shape(&self) -> [usize; 4] {
        let [inputs, outputs, groups] = self.channels;
        [outputs * groups, inputs, self.kernel[0], self.kernel[1]]
    }

    fn output_shape(&self) -> [usize; 4] {
        let [inputs, outputs, groups] = self.channels;
        let along = |axis: usize| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            let (size, padding) = (self.size[axis], self.padding[axis]);
            match self.more {
                Some(more) => (size - 1) * self.stride[axis] + reach + more[axis] - 2 * padding,
                None => (size + 2 * padding - reach) / self.stride[axis] + 1,
            }
        };
        let each = if self.more.is_some() { inputs } else { outputs };
        [self.batch, each * groups, along(0), along(1)]
    }

    fn data(&self) -> Data {
        let shaped = |seed: u64, shape: [usize; 4]| {
            (numbers(self.seed + seed, shape.iter().product()), shape)
        };
        let grad = shaped(3, self.output_shape());
        Data {
            x: shaped(0, self.x_shape()),
            weight: shaped(1, self.weight_shape()),
            bias: numbers(self.seed + 2, grad.1[1]),
            grad,
        }
    }

    /// Where the tap of a place lies.
    fn tap(&self, (y, x): (usize, usize), (ky, kx): (usize, usize)) -> (isize, isize) {
        let along = |axis: usize, at: usize, tap: usize| {
            (at * self.stride[axis] + tap * self.dilation[axis]) as isize
                - self.padding[axis] as isize
        };
        (along(0, y, ky), along(1, x, kx))
    }

    /// Of which place an element is the tap, if of any.
    fn place(&self, (y, x): (usize, usize), (ky, kx): (usize, usize)) -> Option<(isize, isize)> {
        let along = |axis: usize, at: usize, tap: usize| {
            let from = (at + self.padding[axis]) as isize - (tap * self.dilation[axis]) as isize;
            let stride = self.stride[axis] as isize;
            (from.rem_euclid(stride) == 0).then(|| from.div_euclid(stride))
        };
        along(0, y, ky).zip(along(1, x, kx))
    }

    /// Taps of all places of the small side: chains over the channels of the large side.
    fn gathered(&self, large: &Array, weight: &Array, small: [usize; 4], bias: &[f32]) -> Vec<f32> {
        let [inputs, outputs, _] = self.channels;
        let mut out = Vec::new();
        for (n, o) in pairs(self.batch, small[1]) {
            for place in pairs(small[2], small[3]) {
                let mut acc = 0.0;
                for c in 0..inputs {
                    for tap in pairs(self.kernel[0], self.kernel[1]) {
                        let w = weight.at(o, c, tap.0 as isize, tap.1 as isize);
                        let (y, x) = self.tap(place, tap);
                        acc = software(w, large.at(n, o / outputs * inputs + c, y, x), acc);
                    }
                }
                out.push(if bias.is_empty() { acc } else { acc + bias[o] });
            }
        }
        out
    }

    /// The other way: chains over the channels of the small side, for all places of the large one.
    fn spread(&self, small: &Array, weight: &Array, large: [usize; 4], bias: &[f32]) -> Vec<f32> {
        let [inputs, outputs, _] = self.channels;
        let mut out = Vec::new();
        for (n, c) in pairs(self.batch, large[1]) {
            for place in pairs(large[2], large[3]) {
                let mut acc = 0.0;
                for o in c / inputs * outputs..(c / inputs + 1) * outputs {
                    for tap in pairs(self.kernel[0], self.kernel[1]) {
                        let w = weight.at(o, c % inputs, tap.0 as isize, tap.1 as isize);
                        let met = self.place(place, tap);
                        let g = met.map_or(0.0, |(y, x)| small.at(n, o, y, x));
                        acc = software(w, g, acc);
                    }
                }
                out.push(if bias.is_empty() { acc } else { acc + bias[c] });
            }
        }
        out
    }

    /// Chains over batch and places of the small side.
    fn weights(&self, large: &Array, small: &Array) -> Vec<f32> {
        let [inputs, outputs, groups] = self.channels;
        let mut out = Vec::new();
        for (o, c) in pairs(outputs * groups, inputs) {
            for tap in pairs(self.kernel[0], self.kernel[1]) {
                let mut acc = 0.0;
                for n in 0..self.batch {
                    for place in pairs(small.shape[2], small.shape[3]) {
                        let g = small.at(n, o, place.0 as isize, place.1 as isize);
                        let (y, x) = self.tap(place, tap);
                        acc = software(g, large.at(n, o / outputs * inputs + c, y, x), acc);
                    }
                }
                out.push(acc);
            }
        }
        out
    }

    /// Output, and the gradients of input, weight and bias, by the definition's words.
    fn by_the_book(&self) -> [Vec<f32>; 4] {
        let data = self.data();
        let array = |(data, shape): &(Vec<f32>, [usize; 4])| (data.clone(), *shape);
        let ((x, x_shape), (grad, grad_shape)) = (array(&data.x), array(&data.grad));
        let x = Array {
            data: &x,
            shape: x_shape,
        };
        let grad = Array {
            data: &grad,
            shape: grad_shape,
        };
        let weight = Array {
            data: &data.weight.0,
            shape: data.weight.1,
        };
        let plane = grad_shape[2] * grad_shape[3];
        let of_bias = (0..grad_shape[1]).map(|o| {
            let all = (0..self.batch)
                .flat_map(|n| &grad.data[(n * grad_shape[1] + o) * plane..][..plane]);
            sum(&all.copied().collect::<Vec<f32>>())
        });
        let of_bias = of_bias.collect();
        if self.more.is_some() {
            [
                self.spread(&x, &weight, grad_shape, &data.bias),
                self.gathered(&grad, &weight, x_shape, &[]),
                self.weights(&grad, &x),
                of_bias,
            ]
        } else {
            [
                self.gathered(&x, &weight, grad_shape, &data.bias),
                self.spread(&grad, &weight, x_shape, &[]),
                self.weights(&x, &grad),
                of_bias,
            ]
        }
    }

    /// The same through burn's autodiff.
    fn by_the_backend(&self) -> [Vec<f32>; 4] {
        let Data {
            x,
            weight,
            bias,
            grad,
        } = self.data();
        let (x, weight) = (tracked(&x.0, x.1), tracked(&weight.0, weight.1));
        let bias = tracked(&bias, [bias.len()]);
        let (stride, padding, dilation) = (self.stride, self.padding, self.dilation);
        let y = match self.more {
            None => conv2d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                ConvOptions::new(stride, padding, dilation, self.channels[2]),
            ),
            Some(more) => conv_transpose2d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                ConvTransposeOptions::new(stride, padding, more, dilation, self.channels[2]),
            ),
        };
        // The gradient of a sum is 1, and 1 · g is g.
        let grads = (y.clone() * tracked(&grad.0, grad.1)).sum().backward();
        [
            read(y.inner()),
            read(x.grad(&grads).expect("a gradient")),
            read(weight.grad(&grads).expect("a gradient")),
            read(bias.grad(&grads).expect("a gradient")),
        ]
    }

    /// The last row of shapes alone, over one axis.
    fn over_one_axis(&self) -> [Vec<f32>; 4] {
        let Data {
            x,
            weight,
            bias,
            grad,
        } = self.data();
        let one = |(data, [a, b, rows, c]): &(Vec<f32>, [usize; 4])| {
            assert_eq!(*rows, 1, "one row");
            tracked(data, [*a, *b, *c])
        };
        let (x, weight, grad) = (one(&x), one(&weight), one(&grad));
        let bias = tracked(&bias, [bias.len()]);
        let [stride, padding, dilation] =
            [self.stride, self.padding, self.dilation].map(|[_, across]| [across]);
        let y = match self.more {
            None => conv1d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                ConvOptions::new(stride, padding, dilation, self.channels[2]),
            ),
            Some([_, more]) => conv_transpose1d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                ConvTransposeOptions::new(stride, padding, [more], dilation, self.channels[2]),
            ),
        };
        let grads = (y.clone() * grad).sum().backward();
        [
            read(y.inner()),
            read(x.grad(&grads).expect("a gradient")),
            read(weight.grad(&grads).expect("a gradient")),
            read(bias.grad(&grads).expect("a gradient")),
        ]
    }

    fn check(&self) {
        let expected = self.by_the_book().map(|x| bits(&x));
        let compare = |found: [Vec<f32>; 4], settings: Settings| {
            let names = ["output", "input", "weight", "bias"];
            for ((name, found), expected) in names.iter().zip(found).zip(&expected) {
                assert!(
                    bits(&found) == *expected,
                    "{name} of {self:?} with {settings:?}"
                );
            }
        };
        let has_one_row = self.size[0] == 1
            && self.kernel[0] == 1
            && self.padding[0] == 0
            && self.more.is_none_or(|[down, _]| down == 0);
        for settings in every_setting() {
            compare(paths::with(settings, || self.by_the_backend()), settings);
            if has_one_row {
                compare(paths::with(settings, || self.over_one_axis()), settings);
            }
        }
    }
}

prop_compose! {
    fn cases()(
        batch in 1usize..5, inputs in 1usize..5, outputs in 1usize..9, groups in prop_oneof![Just(1usize), 1usize..4],
        size in (prop_oneof![Just(1usize), 1usize..9], 1usize..20), kernel in [1usize..4, 1usize..4],
        stride in [1usize..4, 1usize..4], padding in [0usize..4, 0usize..4],
        dilation in [prop_oneof![Just(1usize), 1usize..4], prop_oneof![Just(1usize), 1usize..4]],
        more in proptest::option::of([0usize..4, 0usize..4]), seed in 0u64..1000,
    ) -> Case {
        // As many taps as fit; a transposed convolution fits when something is left of its output.
        let size = [size.0, size.1];
        let mut case = Case { batch, channels: [inputs, outputs, groups], size, kernel, stride, padding, dilation, more, seed };
        for axis in 0..2 {
            match more {
                None => {
                    let padded = size[axis] + 2 * padding[axis];
                    case.kernel[axis] = kernel[axis].min((padded - 1) / dilation[axis] + 1);
                }
                Some(more) => {
                    let whole = (size[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + more[axis];
                    case.padding[axis] = padding[axis].min((whole - 1) / 2);
                }
            }
        }
        case
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_convolution_and_its_gradients_are_the_chains_of_the_definition(case in cases()) {
        case.check();
    }
}

/// A convolution of three by three with a border of one.
fn usual(batch: usize, channels: [usize; 3], size: [usize; 2]) -> Case {
    Case {
        batch,
        channels,
        size,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        more: None,
        seed: 7,
    }
}

#[test]
fn long_chains_over_many_places_are_not_split() {
    usual(2, [40, 13, 1], [14, 17]).check();
}

#[test]
fn channels_fill_vectors_and_what_is_left_over() {
    // More channels than two vectors hold, and a few more: on either side, and as groups of one channel.
    usual(2, [37, 3, 1], [5, 6]).check();
    usual(2, [2, 67, 1], [5, 6]).check();
    usual(3, [1, 1, 37], [6, 5]).check();
    usual(2, [1, 2, 19], [6, 5]).check();
}

#[test]
fn planes_smaller_than_a_vector_share_them() {
    for size in [[1, 1], [2, 2], [1, 3], [4, 2]] {
        usual(19, [5, 6, 1], size).check();
    }
}

#[test]
fn a_stride_longer_than_the_kernel_leaves_elements_out() {
    for more in [None, Some([1, 2])] {
        let case = Case {
            kernel: [1, 2],
            stride: [3, 4],
            padding: [0, 1],
            more,
            ..usual(2, [3, 4, 2], [7, 9])
        };
        case.check();
    }
}

#[test]
fn the_sum_of_a_bias_is_cut_as_if_the_planes_lay_behind_each_other() {
    let case = Case {
        kernel: [1, 1],
        padding: [0, 0],
        ..usual(9, [1, 2, 1], [23, 45])
    };
    let [batch, _, rows, columns] = case.output_shape();
    assert!(
        batch * rows * columns > 2 * 4096,
        "more than two blocks of a sum"
    );
    case.check();
}

#[test]
fn an_element_of_a_batch_does_not_know_the_others() {
    let case = Case {
        stride: [2, 1],
        ..usual(5, [3, 6, 1], [9, 8])
    };
    let all = case.by_the_backend();
    let data = case.data();
    let (in_len, out_len) = (data.x.0.len() / 5, all[0].len() / 5);
    for element in 0..5 {
        let alone = conv2d(
            tracked(&data.x.0[element * in_len..][..in_len], [1, 3, 9, 8]),
            tracked(&data.weight.0, data.weight.1),
            Some(tracked(&data.bias, [6])),
            ConvOptions::new(case.stride, case.padding, [1, 1], 1),
        );
        let expected = bits(&all[0][element * out_len..][..out_len]);
        assert_eq!(bits(&read(alone.inner())), expected);
    }
}

#[test]
fn a_large_convolution_is_the_same_on_many_threads() {
    let case = usual(32, [8, 24, 1], [20, 20]);
    assert!(
        case.output_shape().iter().product::<usize>() * 8 * 9 > paths::SPLIT_MIN,
        "large enough to be split"
    );
    let run = |threads| {
        let settings = Settings::current().with_threads(threads);
        paths::with(settings, || case.by_the_backend()).map(|x| bits(&x))
    };
    let alone = run(1);
    for threads in [2, 3, 8, 64] {
        assert!(run(threads) == alone, "{threads} threads");
    }
}

#[test]
fn the_order_is_channel_then_row_then_column() {
    // A small number survives only where it comes after the two large ones have met.
    let place = |index: usize| {
        let mut x = vec![0.0; 2 * 2 * 2];
        x[index] = 1.0;
        x
    };
    // Taps in the order of the chain: +1e8, small, −1e8 loses it; small last keeps it.
    for (large, minus, small, expected) in [
        (0, 2, 1, 0.0),
        (0, 1, 2, 1.0),
        (2, 4, 3, 0.0),
        (2, 3, 4, 1.0),
    ] {
        let mut x = place(small);
        (x[large], x[minus]) = (1e8, -1e8);
        let y = conv2d(
            tracked(&x, [1, 2, 2, 2]),
            tracked(&[1.0; 8], [1, 2, 2, 2]),
            None,
            ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
        );
        assert_eq!(read(y.inner()), [expected], "{large} {minus} {small}");
    }
}

#[test]
fn a_tap_that_is_not_there_is_a_zero_in_the_chain() {
    // Infinity times the zero of the padding, of the space between strides, of what lies beyond the edge, is NaN.
    let options = ConvOptions::new([2, 2], [0, 0], [1, 1], 1);
    let x = tracked(&[1.0; 9], [1, 1, 3, 3]);
    let weight = tracked(&[f32::INFINITY, 1.0, 1.0, 1.0], [1, 1, 2, 2]);
    let y = conv2d(x.clone(), weight.clone(), None, options);
    assert_eq!(read(y.clone().inner()), [f32::INFINITY]);
    let grads = y.sum().backward();
    let grad = read(x.grad(&grads).expect("a gradient"));
    assert!(grad[0].is_infinite() && grad[1..].iter().all(|g| g.is_nan()));
    let padded = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    assert!(read(conv2d(x, weight, None, padded).inner())[0].is_nan());
    // A chain that has become −0 by underflow becomes +0 by a zero behind it.
    let tiny = tracked(&[1e-30], [1, 1, 1, 1]);
    let chain = |weight: &[f32]| {
        let weight = tracked(weight, [1, 1, 1, weight.len()]);
        let options = ConvOptions::new([1, 1], [0, 1], [1, 1], 1);
        read(conv2d(tiny.clone(), weight, None, options).inner())
    };
    assert_eq!(bits(&chain(&[1.0, -1e-30, 1.0])), bits(&[0.0]));
    assert_eq!(bits(&chain(&[1.0, -1e-30]))[0], bits(&[-0.0])[0]);
}

#[test]
fn unfolding_is_a_convolution_with_ones() {
    let x = numbers(5, 2 * 3 * 5 * 6);
    let image = Array {
        data: &x,
        shape: [2, 3, 5, 6],
    };
    let options = UnfoldOptions::new([2, 1], [1, 0], [1, 2]);
    let found = read(unfold4d(tracked(&x, [2, 3, 5, 6]), [3, 2], options).inner());
    let mut expected = Vec::new();
    for (n, c) in pairs(2, 3) {
        for (ky, kx) in pairs(3, 2) {
            for (y, x) in pairs(3, 4) {
                expected.push(image.at(n, c, (2 * y + ky) as isize - 1, (x + 2 * kx) as isize));
            }
        }
    }
    assert_eq!(found, expected);
}
