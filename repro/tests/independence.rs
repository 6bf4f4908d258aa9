//! What must not matter does not: memory layout, threads, path, and the rest of the batch.

mod support;

use burn::nn::LayerNormConfig;
use burn::tensor::activation::{gelu, log_softmax, softmax};
use burn::tensor::module::{
    adaptive_avg_pool2d, attention, avg_pool2d, conv_transpose2d, conv2d, linear, max_pool2d,
};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions, ConvTransposeOptions};
use burn::tensor::{Int, Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::fma::software;
use repro::kernels::order_free::{Extreme, extreme};
use repro::kernels::product::{Matrix, batched, product};
use repro::kernels::sum::{sum, sum_axis};
use repro::kernels::view::{Axis, View, row_major_strides};
use repro::paths::{self, Settings};
use repro::{Repro, ReproDevice};
use support::{bits, every_setting, every_setting_of, numbers};

type T<const D: usize> = Tensor<Repro, D>;

fn tensor<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> T<D> {
    Tensor::from_data(TensorData::new(data, shape), &ReproDevice)
}

fn read<const D: usize>(tensor: T<D>) -> Vec<u32> {
    bits(&tensor.into_data().to_vec::<f32>().expect("a float tensor"))
}

/// The chain of the definition, one element at a time, in software arithmetic.
fn chains(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    (0..m * n)
        .map(|at| {
            let (row, column) = (at / n, at % n);
            (0..k).fold(0.0, |acc, i| {
                software(a[row * k + i], b[i * n + column], acc)
            })
        })
        .collect()
}

fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns * rows)
        .map(|at| x[at % rows * columns + at / rows])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_product_is_the_chain_of_the_definition(m in 1usize..30, k in 0usize..40, n in 1usize..130, seed in 0u64..1000) {
        let (a, b) = (numbers(seed, m * k), numbers(seed + 1, k * n));
        let expected = bits(&chains(&a, &b, [m, k, n]));
        let (at, bt) = (transposed(&a, m, k), transposed(&b, k, n));
        for settings in every_setting() {
            for flipped_a in [false, true] {
                for flipped_b in [false, true] {
                    let left = if flipped_a { Matrix::row_major(&at, k, m).transposed() } else { Matrix::row_major(&a, m, k) };
                    let right = if flipped_b { Matrix::row_major(&bt, n, k).transposed() } else { Matrix::row_major(&b, k, n) };
                    prop_assert_eq!(&bits(&product(settings, left, right)), &expected);
                }
            }
        }
    }

    #[test]
    fn a_row_of_a_product_does_not_know_its_batch(m in 1usize..20, k in 1usize..300, n in 1usize..20, seed in 0u64..1000) {
        let (a, b) = (numbers(seed, m * k), numbers(seed + 1, k * n));
        for settings in every_setting() {
            let all = product(settings, Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
            for row in 0..m {
                let alone = product(settings, Matrix::row_major(&a[row * k..][..k], 1, k), Matrix::row_major(&b, k, n));
                prop_assert_eq!(bits(&alone), bits(&all[row * n..][..n]));
            }
        }
    }

    #[test]
    fn a_stack_of_products_is_each_product(stack in 1usize..4, m in 1usize..9, k in 1usize..9, n in 1usize..20, seed in 0u64..1000) {
        let (a, b) = (numbers(seed, stack * m * k), numbers(seed + 1, k * n));
        let (a_shape, b_shape) = ([stack, m, k], [1, k, n]);
        let view = |data, shape, strides| View { data, shape, strides, offset: 0 };
        let (a_strides, b_strides) = (row_major_strides(&a_shape), row_major_strides(&b_shape));
        let settings = Settings::current();
        let (all, shape) = batched(settings, view(&a[..], &a_shape[..], &a_strides[..]), view(&b[..], &b_shape[..], &b_strides[..]));
        prop_assert_eq!(shape, vec![stack, m, n]);
        let each: Vec<f32> = (0..stack)
            .flat_map(|i| product(settings, Matrix::row_major(&a[i * m * k..][..m * k], m, k), Matrix::row_major(&b, k, n)).to_vec())
            .collect();
        prop_assert_eq!(bits(&all), bits(&each));
    }

    #[test]
    fn a_sum_along_an_axis_does_not_know_the_other_axes(outer in 1usize..5, len in 1usize..200, inner in 1usize..70, seed in 0u64..1000) {
        let x = numbers(seed, outer * len * inner);
        let all = sum_axis(&x, Axis { outer, len, inner });
        for (at, total) in all.iter().enumerate() {
            let start = at / inner * len * inner + at % inner;
            let alone: Vec<f32> = (0..len).map(|i| x[start + i * inner]).collect();
            prop_assert_eq!(total.to_bits(), sum(&alone).to_bits());
        }
    }

    #[test]
    fn a_maximum_along_an_axis_does_not_know_the_other_axes(outer in 1usize..4, len in 1usize..9, inner in 1usize..9, seed in 0u64..1000) {
        let x: Vec<f32> = numbers(seed, outer * len * inner).iter().map(|x| x.round()).collect();
        let (values, indices) = extreme(&x, Axis { outer, len, inner }, Extreme::Max);
        for (at, (value, index)) in values.iter().zip(&indices).enumerate() {
            let start = at / inner * len * inner + at % inner;
            let alone: Vec<f32> = (0..len).map(|i| x[start + i * inner]).collect();
            let first = alone.iter().position(|x| alone.iter().all(|y| x >= y));
            prop_assert_eq!(Some(*index as usize), first);
            prop_assert_eq!(*value, alone[*index as usize]);
        }
    }

    #[test]
    fn a_network_row_is_the_same_alone_and_anywhere_in_a_batch(batch in 2usize..9, place in 0usize..9, seed in 0u64..100) {
        let place = place % batch;
        let net = |x: T<2>| {
            let weight = tensor(numbers(seed + 1, 20 * 30), [20, 30]);
            let hidden = gelu(linear(x, weight, Some(tensor(numbers(seed + 2, 30), [30]))));
            let out = linear(hidden, tensor(numbers(seed + 3, 30 * 7), [30, 7]), Some(tensor(numbers(seed + 4, 7), [7])));
            Tensor::cat(vec![softmax(out.clone(), 1), log_softmax(out, 1)], 1)
        };
        let example = numbers(seed, 20);
        let alone = read(net(tensor(example.clone(), [1, 20])));
        let mut rows = numbers(seed + 5, batch * 20);
        rows[place * 20..][..20].copy_from_slice(&example);
        for settings in every_setting() {
            let all = paths::with(settings, || read(net(tensor(rows.clone(), [batch, 20]))));
            prop_assert_eq!(&all[place * 14..][..14], &alone[..]);
        }
    }

    #[test]
    fn a_view_is_what_its_copy_is_on_every_path_and_thread_count(
        shape in prop::array::uniform3(1usize..9),
        order in Just([0usize, 1, 2]).prop_shuffle(),
        reversed in prop::array::uniform3(any::<bool>()),
        start in prop::array::uniform3(0usize..3),
        repeated in prop::option::of(0usize..3),
        seed in 0u64..1000,
    ) {
        let view = view(shape, &order, reversed, start, repeated, seed);
        let copy = tensor(view.clone().into_data().to_vec().expect("floats"), view.dims());
        for (name, operation) in operations() {
            let expected = operation(copy.clone());
            for settings in every_setting_of(&[1, 2, 3, 7]) {
                let got = paths::with(settings, || operation(view.clone()));
                prop_assert_eq!(&got, &expected, "{} of {:?}, {:?}", name, view.dims(), settings);
            }
        }
    }

    #[test]
    fn an_example_is_the_same_alone_and_anywhere_in_a_batch(batch in 2usize..6, place in 0usize..6, seed in 0u64..100) {
        let place = place % batch;
        let example = numbers(seed, 4 * 60);
        let mut examples = numbers(seed + 5, batch * 4 * 60);
        examples[place * 240..][..240].copy_from_slice(&example);
        for (name, layer) in layers() {
            let alone = layer(tensor(example.clone(), [1, 4, 6, 10]));
            for settings in every_setting_of(&[1, 2, 3, 7]) {
                let all = paths::with(settings, || layer(tensor(examples.clone(), [batch, 4, 6, 10])));
                let len = alone.len();
                prop_assert_eq!(all.len(), batch * len, "{}", name);
                prop_assert_eq!(&all[place * len..][..len], &alone[..], "{}, {:?}", name, settings);
            }
        }
    }
}

/// A view of random numbers: cut, with axes in another order, some reversed, one perhaps repeated.
fn view(
    shape: [usize; 3],
    order: &[usize; 3],
    reversed: [bool; 3],
    start: [usize; 3],
    repeated: Option<usize>,
    seed: u64,
) -> T<3> {
    let start = [0, 1, 2].map(|axis| start[axis].min(shape[axis] - 1));
    let x = tensor(numbers(seed, shape.iter().product()), shape);
    let ranges = [0, 1, 2].map(|axis| start[axis]..shape[axis]);
    let x = x.slice(ranges).permute(order.map(|axis| axis as isize));
    let axes = (0..3).filter(|&axis| reversed[axis]);
    let x = axes.fold(x, |x, axis| x.flip([axis as isize]));
    let Some(axis) = repeated else { return x };
    let mut lengths = x.dims();
    lengths[axis] = 5;
    let one = 0..1;
    let all = x.dims().map(|len| 0..len);
    let ranges = [0, 1, 2].map(|at| {
        if at == axis {
            one.clone()
        } else {
            all[at].clone()
        }
    });
    x.slice(ranges).expand(lengths)
}

type Operation<const D: usize> = (&'static str, fn(T<D>) -> Vec<u32>);

/// Operations that read their input by different kernels.
fn operations() -> Vec<Operation<3>> {
    vec![
        ("exp", |x| read(x.exp())),
        ("sin", |x| read(x.sin())),
        ("neg", |x| read(x.neg())),
        ("add", |x| read(x.clone() + x)),
        ("div", |x| read(x.clone().mean_dim(2) / x)),
        ("sub", |x| read(x.clone() - x.sum_dim(0))),
        ("sum", |x| read(x.sum())),
        ("sum_dim 0", |x| read(x.sum_dim(0))),
        ("sum_dim 2", |x| read(x.sum_dim(2))),
        ("mean_dim 1", |x| read(x.mean_dim(1))),
        ("matmul", |x| read(x.clone().matmul(x.transpose()))),
        ("max_dim", |x| read(x.max_dim(1))),
        ("sort", |x| read(x.sort(2))),
        ("cumsum", |x| read(x.cumsum(1))),
        ("prod_dim", |x| read(x.prod_dim(0))),
        ("softmax", |x| read(softmax(x, 1))),
        ("log_softmax", |x| read(log_softmax(x, 2))),
        ("gelu", |x| read(gelu(x))),
        ("mask_fill", |x| {
            read(x.clone().mask_fill(x.lower_elem(0.0), 2.5))
        }),
        ("mask_where", |x| {
            read(
                x.clone()
                    .mask_where(x.clone().greater(x.clone().flip([0])), x.exp()),
            )
        }),
        ("reshape", |x| {
            let len = x.dims().iter().product::<usize>();
            read(x.reshape([len as i32]))
        }),
        ("select", |x| {
            let rows = Tensor::<Repro, 1, Int>::from_ints([0, 0, 0], &ReproDevice);
            read(x.select(1, rows))
        }),
        ("cat", |x| {
            read(Tensor::cat(vec![x.clone(), x.flip([2])], 0))
        }),
        ("layer_norm", |x| {
            let len = x.dims()[2];
            read(LayerNormConfig::new(len).init(&ReproDevice).forward(x))
        }),
        ("linear", |x| {
            let len = x.dims()[2];
            let weight = tensor(numbers(7, len * 33), [len, 33]);
            read(linear(x, weight, Some(tensor(numbers(8, 33), [33]))))
        }),
    ]
}

/// Layers of which each example of a batch is computed alone.
fn layers() -> Vec<Operation<4>> {
    vec![
        ("linear", |x| {
            let weight = tensor(numbers(1, 10 * 37), [10, 37]);
            read(linear(x, weight, Some(tensor(numbers(2, 37), [37]))))
        }),
        ("matmul", |x| read(x.clone().matmul(x.transpose()))),
        ("softmax", |x| read(softmax(x, 2))),
        ("layer_norm", |x| {
            read(LayerNormConfig::new(10).init(&ReproDevice).forward(x))
        }),
        ("attention", |x| {
            read(attention(
                x.clone(),
                x.clone().flip([2]),
                x.exp(),
                None,
                None,
                AttentionModuleOptions::default(),
            ))
        }),
        ("causal attention", |x| {
            let options = AttentionModuleOptions {
                is_causal: true,
                ..Default::default()
            };
            read(attention(x.clone(), x.clone(), x, None, None, options))
        }),
        ("conv2d", |x| {
            let weight = tensor(numbers(3, 5 * 4 * 9), [5, 4, 3, 3]);
            let options = ConvOptions::new([2, 1], [1, 1], [1, 1], 1);
            read(conv2d(x, weight, Some(tensor(numbers(4, 5), [5])), options))
        }),
        ("conv2d in groups", |x| {
            let weight = tensor(numbers(3, 6 * 2 * 6), [6, 2, 3, 2]);
            let options = ConvOptions::new([1, 2], [1, 1], [1, 2], 2);
            read(conv2d(x, weight, Some(tensor(numbers(4, 6), [6])), options))
        }),
        ("conv_transpose2d", |x| {
            let weight = tensor(numbers(3, 4 * 3 * 6), [4, 3, 3, 2]);
            let options = ConvTransposeOptions::new([2, 1], [1, 0], [1, 0], [1, 1], 1);
            read(conv_transpose2d(
                x,
                weight,
                Some(tensor(numbers(4, 3), [3])),
                options,
            ))
        }),
        ("adaptive_avg_pool2d", |x| {
            read(adaptive_avg_pool2d(x, [4, 3]))
        }),
        ("max_pool2d", |x| {
            read(max_pool2d(x, [2, 3], [2, 2], [0, 1], [1, 1], false))
        }),
        ("avg_pool2d", |x| {
            read(avg_pool2d(x, [2, 3], [2, 2], [0, 1], true, false))
        }),
    ]
}

#[test]
fn a_large_product_is_the_same_on_many_threads() {
    // The second has a right factor that the threads copy together.
    for (m, k, n) in [(200, 600, 130), (260, 700, 770)] {
        let (a, b) = (numbers(1, m * k), numbers(2, k * n));
        let bt = transposed(&b, k, n);
        let run = |threads, right| {
            let settings = Settings::current().with_threads(threads);
            bits(&product(settings, Matrix::row_major(&a, m, k), right))
        };
        assert!(m * k * n > paths::SPLIT_MIN, "large enough to be split");
        let alone = run(1, Matrix::row_major(&b, k, n));
        let row = m - 1;
        let last = product(
            Settings::current().with_threads(1),
            Matrix::row_major(&a[row * k..], 1, k),
            Matrix::row_major(&b, k, n),
        );
        assert!(bits(&last) == alone[row * n..], "the last row alone");
        for threads in [1, 2, 3, 8, 64] {
            for right in [
                Matrix::row_major(&b, k, n),
                Matrix::row_major(&bt, n, k).transposed(),
            ] {
                assert!(run(threads, right) == alone, "{threads} threads");
            }
        }
    }
}

#[test]
fn a_linear_layer_of_rank_three_is_the_flattened_one() {
    let x = tensor(numbers(1, 60), [3, 4, 5]);
    let weight = tensor(numbers(2, 10), [5, 2]);
    let bias = tensor(numbers(3, 2), [2]);
    let deep = read(linear(x.clone(), weight.clone(), Some(bias.clone())));
    let flat = read(linear(x.reshape([12, 5]), weight, Some(bias)));
    assert_eq!(deep, flat);
}

#[test]
fn a_part_of_a_tensor_is_replaced_while_another_holds_it() {
    let x = tensor(numbers(1, 12), [3, 4]) + 1.0;
    let shared = x.clone();
    let changed = x.slice_assign([1..2, 0..4], Tensor::zeros([1, 4], &ReproDevice));
    let (before, after) = (read(shared), read(changed));
    assert!(after[4..8].iter().all(|bits| *bits == 0));
    assert_eq!([&before[..4], &before[8..]], [&after[..4], &after[8..]]);
}
