//! Convolution and pooling against the definition, written out one element at a time in software arithmetic:
//! equal to the bit, on every path, at every thread count, for every element of a batch alone.

mod support;

use burn::backend::Autodiff;
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
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
fn pairs(a: usize, b: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)))
}

#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
    seed: u64,
}

impl Case {
    fn output(&self) -> [usize; 4] {
        let along = |axis: usize| {
            (self.x[2 + axis] + 2 * self.padding[axis] - self.weight[2 + axis]) / self.stride[axis]
                + 1
        };
        [self.x[0], self.weight[0], along(0), along(1)]
    }

    fn data(&self) -> [Vec<f32>; 4] {
        let len = |shape: [usize; 4]| shape.iter().product::<usize>();
        [
            numbers(self.seed, len(self.x)),
            numbers(self.seed + 1, len(self.weight)),
            numbers(self.seed + 2, self.weight[0]),
            numbers(self.seed + 3, len(self.output())),
        ]
    }

    /// Output, and the gradients of input, weight and bias, by the definition's words.
    fn by_the_book(&self) -> [Vec<f32>; 4] {
        let [x, weight, bias, grad] = self.data();
        let ([batch, channels, rows, columns], [_, outs, oh, ow]) = (self.x, self.output());
        let [_, _, kh, kw] = self.weight;
        let ([sy, sx], [py, px]) = (
            self.stride.map(|s| s as isize),
            self.padding.map(|p| p as isize),
        );
        let image = Array {
            data: &x,
            shape: self.x,
        };
        let kernel = Array {
            data: &weight,
            shape: self.weight,
        };
        let slope = Array {
            data: &grad,
            shape: self.output(),
        };
        let tap = |n, c, y: usize, x: usize, ky: usize, kx: usize| {
            let (y, x) = (y as isize * sy + ky as isize, x as isize * sx + kx as isize);
            image.at(n, c, y - py, x - px)
        };
        let mut output = Vec::new();
        for ((n, o), (y, x)) in
            pairs(batch, outs).flat_map(|no| pairs(oh, ow).map(move |yx| (no, yx)))
        {
            let mut acc = 0.0;
            for c in 0..channels {
                for (ky, kx) in pairs(kh, kw) {
                    let w = kernel.at(o, c, ky as isize, kx as isize);
                    acc = software(w, tap(n, c, y, x, ky, kx), acc);
                }
            }
            output.push(acc + bias[o]);
        }
        let mut of_x = Vec::new();
        for ((n, c), (y, x)) in
            pairs(batch, channels).flat_map(|nc| pairs(rows, columns).map(move |yx| (nc, yx)))
        {
            let mut acc = 0.0;
            for o in 0..outs {
                for (ky, kx) in pairs(kh, kw) {
                    let (y, x) = (y as isize + py - ky as isize, x as isize + px - kx as isize);
                    let meets = y.rem_euclid(sy) == 0 && x.rem_euclid(sx) == 0;
                    let g = if meets {
                        slope.at(n, o, y.div_euclid(sy), x.div_euclid(sx))
                    } else {
                        0.0
                    };
                    acc = software(kernel.at(o, c, ky as isize, kx as isize), g, acc);
                }
            }
            of_x.push(acc);
        }
        let mut of_weight = Vec::new();
        for ((o, c), (ky, kx)) in
            pairs(outs, channels).flat_map(|oc| pairs(kh, kw).map(move |k| (oc, k)))
        {
            let mut acc = 0.0;
            for n in 0..batch {
                for (y, x) in pairs(oh, ow) {
                    let g = slope.at(n, o, y as isize, x as isize);
                    acc = software(g, tap(n, c, y, x, ky, kx), acc);
                }
            }
            of_weight.push(acc);
        }
        let of_bias = (0..outs).map(|o| {
            let all: Vec<f32> = (0..batch)
                .flat_map(|n| grad[(n * outs + o) * oh * ow..][..oh * ow].to_vec())
                .collect();
            sum(&all)
        });
        let of_bias = of_bias.collect();
        [output, of_x, of_weight, of_bias]
    }

    /// The same through burn's autodiff.
    fn by_the_backend(&self) -> [Vec<f32>; 4] {
        let [x, weight, bias, grad] = self.data();
        let (x, weight) = (tracked(&x, self.x), tracked(&weight, self.weight));
        let bias = tracked(&bias, [self.weight[0]]);
        let options = ConvOptions::new(self.stride, self.padding, [1, 1], 1);
        let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
        // The gradient of a sum is 1, and 1 · g is g.
        let grads = (y.clone() * tracked(&grad, self.output())).sum().backward();
        [
            read(y.inner()),
            read(x.grad(&grads).expect("a gradient")),
            read(weight.grad(&grads).expect("a gradient")),
            read(bias.grad(&grads).expect("a gradient")),
        ]
    }

    fn check(&self) {
        let expected = self.by_the_book().map(|x| bits(&x));
        for settings in every_setting() {
            let found = paths::with(settings, || self.by_the_backend()).map(|x| bits(&x));
            for (name, (found, expected)) in ["output", "input", "weight", "bias"]
                .iter()
                .zip(found.iter().zip(&expected))
            {
                assert!(found == expected, "{name} of {self:?} with {settings:?}");
            }
        }
    }
}

prop_compose! {
    fn cases()(
        batch in 1usize..5, channels in 1usize..4, outs in 1usize..9,
        size in [1usize..9, 1usize..20], kernel in [1usize..4, 1usize..4],
        stride in [1usize..4, 1usize..4], padding in [0usize..4, 0usize..4], seed in 0u64..1000,
    ) -> Case {
        let fit = |axis: usize| kernel[axis].min(size[axis] + 2 * padding[axis]);
        Case {
            x: [batch, channels, size[0], size[1]],
            weight: [outs, channels, fit(0), fit(1)],
            stride,
            padding,
            seed,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_convolution_and_its_gradients_are_the_chains_of_the_definition(case in cases()) {
        case.check();
    }
}

#[test]
fn a_chain_longer_than_a_stretch_over_more_places_than_fit_at_once_is_not_split() {
    Case {
        x: [2, 40, 14, 17],
        weight: [13, 40, 3, 3],
        stride: [1, 1],
        padding: [1, 1],
        seed: 7,
    }
    .check();
}

#[test]
fn an_element_of_a_batch_does_not_know_the_others() {
    let case = Case {
        x: [5, 3, 9, 8],
        weight: [6, 3, 3, 3],
        stride: [2, 1],
        padding: [1, 1],
        seed: 3,
    };
    let all = case.by_the_backend();
    let [x, weight, bias, _] = case.data();
    let (in_len, out_len) = (x.len() / 5, all[0].len() / 5);
    for element in 0..5 {
        let alone = conv2d(
            tracked(&x[element * in_len..][..in_len], [1, 3, 9, 8]),
            tracked(&weight, case.weight),
            Some(tracked(&bias, [6])),
            ConvOptions::new(case.stride, case.padding, [1, 1], 1),
        );
        let expected = bits(&all[0][element * out_len..][..out_len]);
        assert_eq!(bits(&read(alone.inner())), expected);
    }
}

#[test]
fn a_large_convolution_is_the_same_on_many_threads() {
    let case = Case {
        x: [32, 8, 20, 20],
        weight: [24, 8, 3, 3],
        stride: [1, 1],
        padding: [1, 1],
        seed: 1,
    };
    assert!(
        case.output().iter().product::<usize>() * 8 * 9 > paths::SPLIT_MIN,
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pooling_and_its_gradients_are_the_definitions(
        planes in [1usize..3, 1usize..3], size in [1usize..9, 1usize..9], kernel in [1usize..4, 1usize..4],
        stride in [1usize..4, 1usize..4], pads in [0usize..2, 0usize..2], counts in any::<bool>(), seed in 0u64..1000,
    ) {
        let padding = [pads[0].min(kernel[0] / 2), pads[1].min(kernel[1] / 2)];
        let kernel = [0, 1].map(|axis| kernel[axis].min(size[axis] + 2 * padding[axis]));
        prop_assume!((0..2).all(|axis| padding[axis] <= kernel[axis] / 2));
        let shape = [planes[0], planes[1], size[0], size[1]];
        // Rounded, so that there are ties.
        let data: Vec<f32> = numbers(seed, shape.iter().product()).iter().map(|x| (x * 2.0).round()).collect();
        let along = |axis: usize| (size[axis] + 2 * padding[axis] - kernel[axis]) / stride[axis] + 1;
        let out = [planes[0], planes[1], along(0), along(1)];
        let grad = numbers(seed + 1, out.iter().product());
        let image = Array { data: &data, shape };
        let (mut greatest, mut means) = (Vec::new(), Vec::new());
        let (mut of_max, mut of_mean) = (vec![0.0f32; data.len()], vec![0.0f32; data.len()]);
        for (at, g) in grad.iter().enumerate() {
            let (plane, y, x) = (at / (out[2] * out[3]), at / out[3] % out[2], at % out[3]);
            let inside: Vec<usize> = pairs(kernel[0], kernel[1])
                .map(|(ky, kx)| ((y * stride[0] + ky) as isize - padding[0] as isize, (x * stride[1] + kx) as isize - padding[1] as isize))
                .filter(|&(y, x)| y >= 0 && x >= 0 && y < size[0] as isize && x < size[1] as isize)
                .map(|(y, x)| (plane * size[0] + y as usize) * size[1] + x as usize)
                .collect();
            let values: Vec<f32> = inside.iter().map(|&i| image.data[i]).collect();
            let best = *inside.iter().find(|&&i| values.iter().all(|v| data[i] >= *v)).expect("a greatest");
            let count = if counts { kernel[0] * kernel[1] } else { inside.len() } as f32;
            greatest.push(data[best]);
            means.push(sum(&values) / count);
            of_max[best] += g;
            inside.iter().for_each(|&i| of_mean[i] += g / count);
        }
        let run = |pool: &dyn Fn(A<4>) -> A<4>| {
            let x = tracked(&data, shape);
            let y = pool(x.clone());
            let grads = (y.clone() * tracked(&grad, out)).sum().backward();
            (bits(&read(y.inner())), bits(&read(x.grad(&grads).expect("a gradient"))))
        };
        let found = run(&|x| max_pool2d(x, kernel, stride, padding, [1, 1], false));
        prop_assert_eq!(found, (bits(&greatest), bits(&of_max)));
        let found = run(&|x| avg_pool2d(x, kernel, stride, padding, counts, false));
        prop_assert_eq!(found, (bits(&means), bits(&of_mean)));
    }
}
