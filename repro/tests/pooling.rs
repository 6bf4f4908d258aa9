//! Poolings against the definition, written out one window at a time: equal to the bit, on every path, at every thread
//! count, over one axis and two.

mod support;

use burn::backend::Autodiff;
use burn::tensor::module::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d,
    max_pool2d_with_indices,
};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::sum::sum;
use repro::paths;
use repro::{Repro, ReproDevice};
use support::{bits, every_setting, numbers};

type A<const D: usize> = Tensor<Autodiff<Repro>, D>;

fn tracked<const D: usize>(data: &[f32], shape: [usize; D]) -> A<D> {
    A::from_data(TensorData::new(data.to_vec(), shape), &ReproDevice).require_grad()
}

fn read<const D: usize>(tensor: Tensor<Repro, D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("a float tensor")
}

/// All index pairs of two axes, the second fastest.
fn pairs(a: usize, b: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)))
}

#[derive(Clone, Copy, Debug)]
struct Case {
    planes: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    rounds_up: bool,
    counts_padding: bool,
    seed: u64,
}

/// A window: where its elements are, and how many it counts.
struct Window {
    inside: Vec<usize>,
    count: usize,
}

/// Output and input's gradient.
type Results = [Vec<f32>; 2];

impl Case {
    fn shape(&self) -> [usize; 4] {
        [self.planes[0], self.planes[1], self.size[0], self.size[1]]
    }

    fn output(&self, axis: usize) -> usize {
        let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let rest = self.size[axis] + 2 * self.padding[axis] - reach;
        if self.rounds_up {
            rest.div_ceil(self.stride[axis]) + 1
        } else {
            rest / self.stride[axis] + 1
        }
    }

    /// The windows of a plane, row by row.
    fn windows(&self) -> Vec<Window> {
        let along = |axis: usize, at: usize, tap: usize| {
            (at * self.stride[axis] + tap * self.dilation[axis]) as isize
                - self.padding[axis] as isize
        };
        pairs(self.output(0), self.output(1))
            .map(|(y, x)| {
                let taps = pairs(self.kernel[0], self.kernel[1])
                    .map(|(ky, kx)| (along(0, y, ky), along(1, x, kx)));
                let within = |(y, x): (isize, isize), more: [usize; 2]| {
                    let fits = |at: isize, axis: usize| {
                        at >= -(more[axis] as isize) && at < (self.size[axis] + more[axis]) as isize
                    };
                    fits(y, 0) && fits(x, 1)
                };
                let inside = taps.clone().filter(|tap| within(*tap, [0, 0]));
                let inside: Vec<usize> = inside
                    .map(|(y, x)| y as usize * self.size[1] + x as usize)
                    .collect();
                let count = match self.counts_padding {
                    true => taps.filter(|tap| within(*tap, self.padding)).count(),
                    false => inside.len(),
                };
                Window { inside, count }
            })
            .collect()
    }

    /// Rounded, so that there are ties.
    fn data(&self) -> Vec<f32> {
        let len = self.shape().iter().product();
        let numbers = numbers(self.seed, len);
        numbers.iter().map(|x| (x * 2.0).round() * 0.7).collect()
    }

    fn check_max(&self, windows: &[Window]) {
        let (data, plane) = (self.data(), self.size[0] * self.size[1]);
        let grad = numbers(self.seed + 1, data.len() / plane * windows.len());
        let (mut output, mut of_x) = (Vec::new(), vec![0.0f32; data.len()]);
        for (at, g) in grad.iter().enumerate() {
            let plane = at / windows.len() * plane;
            let inside = &windows[at % windows.len()].inside;
            let is_greatest =
                |i: &&usize| inside.iter().all(|j| data[plane + *i] >= data[plane + j]);
            let best = plane + inside.iter().find(is_greatest).expect("a greatest");
            output.push(data[best]);
            of_x[best] += g;
        }
        let expected = [output, of_x];
        self.compare(&expected, &data, &grad, &|x| {
            let Case {
                kernel,
                stride,
                padding,
                dilation,
                ..
            } = *self;
            max_pool2d(x, kernel, stride, padding, dilation, self.rounds_up)
        });
        self.compare_over_one(&expected, &data, &grad, &|x| {
            let [kernel, stride, padding, dilation] =
                [self.kernel, self.stride, self.padding, self.dilation].map(|[_, x]| x);
            max_pool1d(x, kernel, stride, padding, dilation, self.rounds_up)
        });
    }

    fn check_mean(&self, windows: &[Window], two: Pool<4>, one: Pool<3>) {
        let (data, plane) = (self.data(), self.size[0] * self.size[1]);
        let grad = numbers(self.seed + 1, data.len() / plane * windows.len());
        let (mut output, mut of_x) = (Vec::new(), vec![0.0f32; data.len()]);
        for (at, g) in grad.iter().enumerate() {
            let plane = at / windows.len() * plane;
            let Window { inside, count } = &windows[at % windows.len()];
            let values: Vec<f32> = inside.iter().map(|i| data[plane + i]).collect();
            output.push(sum(&values) / *count as f32);
            inside
                .iter()
                .for_each(|i| of_x[plane + i] += g / *count as f32);
        }
        self.compare(&[output.clone(), of_x.clone()], &data, &grad, two);
        self.compare_over_one(&[output, of_x], &data, &grad, one);
    }

    fn compare(&self, expected: &Results, data: &[f32], grad: &[f32], pool: Pool<4>) {
        for settings in every_setting() {
            let found = paths::with(settings, || run(data, self.shape(), grad, pool));
            for (found, expected) in found.iter().zip(expected) {
                assert!(bits(found) == bits(expected), "{self:?} with {settings:?}");
            }
        }
    }

    /// Where there is one row, of planes and of windows, the pooling over one axis is the same.
    fn compare_over_one(&self, expected: &Results, data: &[f32], grad: &[f32], pool: Pool<3>) {
        if self.size[0] == 1 && self.kernel[0] == 1 && self.output(0) == 1 && self.padding[0] == 0 {
            let shape = [self.planes[0], self.planes[1], self.size[1]];
            let found = run(data, shape, grad, pool);
            for (found, expected) in found.iter().zip(expected) {
                assert!(bits(found) == bits(expected), "{self:?} over one axis");
            }
        }
    }
}

type Pool<'a, const D: usize> = &'a dyn Fn(A<D>) -> A<D>;

fn run<const D: usize>(data: &[f32], shape: [usize; D], grad: &[f32], pool: Pool<D>) -> Results {
    let x = tracked(data, shape);
    let y = pool(x.clone());
    let grads = (y.clone() * tracked(grad, y.dims())).sum().backward();
    [read(y.inner()), read(x.grad(&grads).expect("a gradient"))]
}

prop_compose! {
    fn cases()(
        planes in [1usize..3, 1usize..3], rows in prop_oneof![Just(1usize), 1usize..9], columns in 1usize..26,
        kernel in [1usize..4, 1usize..5], stride in [1usize..4, 1usize..4], padding in [0usize..2, 0usize..3],
        dilation in [1usize..3, 1usize..3], rounds_up in any::<bool>(), counts_padding in any::<bool>(), seed in 0u64..1000,
    ) -> Case {
        let size = [rows, columns];
        let mut case = Case { planes, size, kernel, stride, padding, dilation, rounds_up, counts_padding, seed };
        for axis in 0..2 {
            case.padding[axis] = padding[axis].min(kernel[axis] / 2);
            let padded = size[axis] + 2 * case.padding[axis];
            case.kernel[axis] = kernel[axis].min((padded - 1) / dilation[axis] + 1);
        }
        case
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn max_pooling_and_its_gradient_are_the_definitions(case in cases()) {
        let windows = case.windows();
        prop_assume!(windows.iter().all(|window| !window.inside.is_empty()));
        case.check_max(&windows);
    }

    #[test]
    fn mean_pooling_and_its_gradient_are_the_definitions(case in cases()) {
        let case = Case { dilation: [1, 1], ..case };
        let windows = case.windows();
        prop_assume!(windows.iter().all(|window| !window.inside.is_empty()));
        let Case { kernel, stride, padding, counts_padding, rounds_up, .. } = case;
        case.check_mean(
            &windows,
            &|x| avg_pool2d(x, kernel, stride, padding, counts_padding, rounds_up),
            &|x| avg_pool1d(x, kernel[1], stride[1], padding[1], counts_padding, rounds_up),
        );
    }

    #[test]
    fn adaptive_pooling_and_its_gradient_are_the_definitions(
        planes in [1usize..3, 1usize..3], rows in prop_oneof![Just(1usize), 1usize..9], columns in 1usize..26,
        to in [1usize..6, 1usize..30], seed in 0u64..1000,
    ) {
        // Of a case only the planes, the data and, for the number of windows, one row of them matter here.
        let size = [rows, columns];
        let to = if rows == 1 { [1, to[1]] } else { to };
        let case = Case {
            planes, size, kernel: [rows, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1],
            rounds_up: false, counts_padding: false, seed,
        };
        let along = |axis: usize, i: usize| i * size[axis] / to[axis]..((i + 1) * size[axis]).div_ceil(to[axis]);
        let windows: Vec<Window> = pairs(to[0], to[1])
            .map(|(y, x)| {
                let inside: Vec<usize> = along(0, y).flat_map(|y| along(1, x).map(move |x| y * columns + x)).collect();
                Window { count: inside.len(), inside }
            })
            .collect();
        case.check_mean(&windows, &|x| adaptive_avg_pool2d(x, to), &|x| adaptive_avg_pool1d(x, to[1]));
    }
}

#[test]
fn the_mean_of_a_large_plane_is_cut_into_blocks() {
    let shape = [1, 2, 70, 130];
    let x = numbers(1, 2 * 70 * 130);
    let found = read(adaptive_avg_pool2d(tracked(&x, shape), [1, 1]).inner());
    let expected: Vec<f32> = x
        .chunks(70 * 130)
        .map(|x| sum(x) / (70 * 130) as f32)
        .collect();
    assert_eq!(bits(&found), bits(&expected));
}

#[test]
fn the_places_of_greatest_elements_are_counted_row_by_row() {
    let x = tracked(&[1.0, 5.0, 2.0, 4.0, 3.0, 5.0], [1, 1, 2, 3]);
    let (_, places) = max_pool2d_with_indices(x, [2, 2], [1, 1], [0, 0], [1, 1], false);
    let places = places.into_data().convert::<i64>().to_vec::<i64>();
    assert_eq!(places.expect("whole numbers"), [1, 1]);
}
