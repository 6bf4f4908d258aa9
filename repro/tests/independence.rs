//! What must not matter does not: memory layout, threads, path, and the rest of the batch.

mod support;

use burn::tensor::activation::{gelu, log_softmax, softmax};
use burn::tensor::module::linear;
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::fma::software;
use repro::kernels::order_free::{Extreme, extreme};
use repro::kernels::product::{Matrix, batched, product};
use repro::kernels::sum::{sum, sum_axis};
use repro::kernels::view::{Axis, View, row_major_strides};
use repro::paths::{self, Settings};
use repro::{Repro, ReproDevice};
use support::{bits, every_setting, numbers};

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
    fn a_product_is_the_chain_of_the_definition(m in 1usize..24, k in 0usize..40, n in 1usize..40, seed in 0u64..1000) {
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
    fn a_view_is_what_its_copy_is(rows in 2usize..9, columns in 2usize..9, seed in 0u64..1000) {
        let x = tensor(numbers(seed, rows * columns), [rows, columns]);
        let y = tensor(numbers(seed + 1, rows * columns), [rows, columns]);
        // Transposed, flipped, cut and broadcast views, each against a copy of the same numbers.
        let views: [T<2>; 4] = [
            x.clone().transpose(),
            x.clone().flip([0, 1]).transpose(),
            x.clone().slice([1..rows, 0..columns - 1]),
            x.clone().slice([0..1, 0..columns]).expand([rows, columns]),
        ];
        let other = [y.clone().transpose(), y.clone().transpose(), y.clone().slice([1..rows, 0..columns - 1]), y];
        for (view, other) in views.into_iter().zip(other) {
            let copy = tensor(view.clone().into_data().to_vec().expect("floats"), view.dims());
            let check = |f: &dyn Fn(T<2>) -> Vec<u32>| (f(view.clone()), f(copy.clone()));
            let operations: [&dyn Fn(T<2>) -> Vec<u32>; 8] = [
                &|x| read(x.exp()),
                &|x| read(x + other.clone()),
                &|x| read(other.clone() / x),
                &|x| read(x.sum()),
                &|x| read(x.sum_dim(0)),
                &|x| read(x.mean_dim(1)),
                &|x| read(x.clone().matmul(x.transpose())),
                &|x| read(x.max_dim(1)),
            ];
            for operation in operations {
                let (of_view, of_copy) = check(operation);
                prop_assert_eq!(of_view, of_copy);
            }
        }
    }
}

#[test]
fn a_large_product_is_the_same_on_many_threads() {
    let (m, k, n) = (200, 600, 130);
    let (a, b) = (numbers(1, m * k), numbers(2, k * n));
    let run = |threads| {
        let settings = Settings::current().with_threads(threads);
        bits(&product(
            settings,
            Matrix::row_major(&a, m, k),
            Matrix::row_major(&b, k, n),
        ))
    };
    assert!(m * k * n > paths::SPLIT_MIN, "large enough to be split");
    let alone = run(1);
    for threads in [2, 3, 8, 64] {
        assert!(run(threads) == alone, "{threads} threads");
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
