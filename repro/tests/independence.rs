//! What must not matter does not: memory layout, threads, path, and the rest of the batch.

mod support;

use burn::backend::Autodiff;
use burn::nn::{LayerNormConfig, RmsNormConfig, RotaryEncodingConfig};
use burn::tensor::activation::{gelu, log_softmax, softmax};
use burn::tensor::module::{
    adaptive_avg_pool2d, attention, avg_pool2d, conv_transpose2d, conv1d, conv2d, embedding,
    linear, max_pool2d,
};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions, ConvTransposeOptions};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::fma::software;
use repro::kernels::order_free::{Extreme, extreme};
use repro::kernels::product::{Matrix, batched, product};
use repro::kernels::random::Draw;
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
    fn few_rows_by_a_factor_of_any_layout_are_the_chain(
        m in 1usize..71, k in 90usize..410, n in 90usize..160, far in prop::sample::select(vec![0usize, 1024, 2048, 2500]), seed in 0u64..1000,
    ) {
        let (a, b) = (numbers(seed, m * k), numbers(seed + 1, k * n));
        let left = Matrix::row_major(&a, m, k);
        let expected = bits(&chains(&a, &b, [m, k, n]));
        let bt = transposed(&b, k, n);
        // The same numbers in rows that are further from each other.
        let stride = far.max(n);
        let mut wide = vec![f32::NAN; (k - 1) * stride + n];
        for row in 0..k {
            wide[row * stride..][..n].copy_from_slice(&b[row * n..][..n]);
        }
        let apart = Matrix { data: &wide, row_stride: stride as isize, ..Matrix::row_major(&b, k, n) };
        for settings in every_setting_of(&[1, 2, 3]) {
            for right in [Matrix::row_major(&b, k, n), apart, Matrix::row_major(&bt, n, k).transposed()] {
                prop_assert!(bits(&product(settings, left, right)) == expected, "{:?} of {:?}", settings, [m, k, n]);
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
    fn a_stack_of_products_is_each_product(
        lead in [1usize..4, 1usize..4], m in 1usize..9, k in 1usize..9, n in 1usize..20, repeated in 0usize..4, turned in any::<bool>(), seed in 0u64..1000,
    ) {
        // Of either factor one of the leading axes may be repeated.
        let [x, y] = lead;
        let (a_lead, b_lead) = match repeated {
            0 => ([x, y], [1, y]),
            1 => ([x, 1], [x, y]),
            2 => ([1, y], [x, 1]),
            _ => ([x, y], [x, y]),
        };
        let a_shape = [a_lead[0], a_lead[1], m, k];
        let b_shape = [b_lead[0], b_lead[1], k, n];
        let (a, b) = (numbers(seed, a_shape.iter().product()), numbers(seed + 1, b_shape.iter().product()));
        let a_strides = row_major_strides(&a_shape);
        let mut b_strides = row_major_strides(&b_shape);
        if turned {
            (b_strides[2], b_strides[3]) = (1, k as isize);
        }
        let view = |data, shape, strides| View { data, shape, strides, offset: 0 };
        for settings in every_setting() {
            let (all, shape) = batched(settings, view(&a[..], &a_shape[..], &a_strides[..]), view(&b[..], &b_shape[..], &b_strides[..]));
            prop_assert_eq!(shape, vec![x, y, m, n]);
            for (at, found) in all.chunks_exact(m * n).enumerate() {
                let place = |lead: [usize; 2]| at / y % lead[0] * lead[1] + at % y % lead[1];
                let a = &a[place(a_lead) * m * k..][..m * k];
                let b = &b[place(b_lead) * k * n..][..k * n];
                let b = if turned { transposed(b, n, k) } else { b.to_vec() };
                prop_assert_eq!(bits(found), bits(&chains(a, &b, [m, k, n])));
            }
        }
    }

    #[test]
    fn numbers_are_picked_and_added_by_their_places(
        rows in 1usize..7, len in 1usize..30, count in 1usize..40, axis in 0usize..2, seed in 0u64..1000,
    ) {
        let draw = Draw::new(seed, 97, 0, 0);
        let shape = if axis == 0 { [len, rows] } else { [rows, len] };
        let picked = if axis == 0 { [count, rows] } else { [rows, count] };
        let (x, y) = (numbers(seed, rows * len), numbers(seed + 1, rows * count));
        let places: Vec<i32> = (0..(rows * count) as u64).map(|i| draw.below(i, len as u64) as i32).collect();
        let some: Vec<i32> = places[..count].to_vec();
        // One at a time, in the order of the source.
        let (mut gathered, mut scattered, mut added) = (vec![0.0f32; rows * count], x.clone(), x.clone());
        for at in 0..rows * count {
            let (row, column) = (at / picked[1], at % picked[1]);
            let of = |place: usize| if axis == 0 { place * shape[1] + column } else { row * shape[1] + place };
            gathered[at] = x[of(places[at] as usize)];
            scattered[of(places[at] as usize)] += y[at];
            added[of(some[if axis == 0 { row } else { column }] as usize)] += y[at];
        }
        let ints = |data: Vec<i32>| TensorData::new(data.clone(), [data.len()]);
        for settings in every_setting() {
            let (at, flat) = (
                Tensor::<Repro, 1, Int>::from_data(ints(places.clone()), &ReproDevice).reshape(picked),
                Tensor::<Repro, 1, Int>::from_data(ints(some.clone()), &ReproDevice),
            );
            let (x, y) = (tensor(x.clone(), shape), tensor(y.clone(), picked));
            let found = paths::with(settings, || [
                read(x.clone().gather(axis, at.clone())),
                read(x.clone().scatter(axis, at, y.clone(), IndexingUpdateOp::Add)),
                read(x.select_assign(axis, flat, y, IndexingUpdateOp::Add)),
            ]);
            prop_assert_eq!(found, [bits(&gathered), bits(&scattered), bits(&added)]);
        }
    }

    #[test]
    fn scans_and_orders_along_an_axis_are_those_of_each_row(
        outer in 1usize..4, len in 1usize..40, inner in 1usize..9, is_rounded in any::<bool>(), seed in 0u64..1000,
    ) {
        let mut x = numbers(seed, outer * len * inner);
        if is_rounded {
            x.iter_mut().for_each(|x| *x = x.round());
        }
        type Along = (&'static str, fn(T<3>, usize) -> T<3>);
        let operations: [Along; 9] = [
            ("cumsum", |x, axis| x.cumsum(axis)),
            ("cumprod", |x, axis| x.cumprod(axis)),
            ("cummin", |x, axis| x.cummin(axis)),
            ("cummax", |x, axis| x.cummax(axis)),
            ("sort", |x, axis| x.sort(axis)),
            ("argsort", |x, axis| x.argsort_descending(axis).float()),
            ("argmax", |x, axis| x.argmax(axis).float()),
            ("argmin", |x, axis| x.argmin(axis).float()),
            ("softmax", |x, axis| softmax(x, axis)),
        ];
        for (name, operation) in operations {
            let mut expected = Vec::new();
            for at in 0..outer * inner {
                let start = at / inner * len * inner + at % inner;
                let row = (0..len).map(|i| x[start + i * inner]).collect();
                expected.push(read(operation(tensor(row, [1, len, 1]), 1)));
            }
            for settings in every_setting() {
                let all = paths::with(settings, || operation(tensor(x.clone(), [outer, len, inner]), 1));
                let each = all.dims()[1];
                let all = read(all);
                for (at, expected) in expected.iter().enumerate() {
                    let start = at / inner * each * inner + at % inner;
                    let row: Vec<u32> = (0..each).map(|i| all[start + i * inner]).collect();
                    prop_assert_eq!(&row, expected, "{}", name);
                }
            }
        }
    }

    #[test]
    fn functions_of_two_broadcast_tensors_are_those_of_each_pair(
        shape in [1usize..5, 1usize..5, 1usize..40], ones in prop::array::uniform6(any::<bool>()), seed in 0u64..1000,
    ) {
        let lengths = |which: usize| {
            let mut lengths = shape;
            (0..3).filter(|axis| ones[which * 3 + axis]).for_each(|axis| lengths[axis] = 1);
            lengths
        };
        let (a, b) = (lengths(0), lengths(1));
        let [x, y] = [(seed, a), (seed + 1, b)].map(|(seed, lengths)| numbers(seed, lengths.iter().product()));
        let both = [0, 1, 2].map(|axis| a[axis].max(b[axis]));
        type Two = (&'static str, fn(T<3>, T<3>) -> T<3>);
        let operations: [Two; 7] = [
            ("add", |x, y| x + y),
            ("sub", |x, y| x - y),
            ("mul", |x, y| x * y),
            ("div", |x, y| x / y),
            ("powf", |x, y| x.abs().powf(y)),
            ("atan2", |x, y| x.atan2(y)),
            ("remainder", |x, y| x.remainder(y)),
        ];
        let place = |at: usize, of: [usize; 3]| {
            let index = [at / (both[1] * both[2]), at / both[2] % both[1], at % both[2]];
            (0..3).fold(0, |place, axis| place * of[axis] + index[axis] % of[axis])
        };
        for (name, operation) in operations {
            let expected: Vec<u32> = (0..both.iter().product())
                .flat_map(|at| read(operation(tensor(vec![x[place(at, a)]], [1; 3]), tensor(vec![y[place(at, b)]], [1; 3]))))
                .collect();
            for settings in every_setting() {
                let all = paths::with(settings, || read(operation(tensor(x.clone(), a), tensor(y.clone(), b))));
                prop_assert_eq!(&all, &expected, "{} of {:?} and {:?}", name, a, b);
            }
        }
    }

    #[test]
    fn gradients_of_products_are_products(lead in [1usize..4, 1usize..20], k in 1usize..40, n in 1usize..60, seed in 0u64..1000) {
        let [batch, rows] = lead;
        let all = batch * rows;
        let (x, w, g) = (numbers(seed, all * k), numbers(seed + 1, k * n), numbers(seed + 2, all * n));
        let expected = [
            bits(&chains(&g, &transposed(&w, k, n), [all, n, k])),
            bits(&chains(&transposed(&x, all, k), &g, [k, all, n])),
            (0..n).map(|at| sum(&(0..all).map(|row| g[row * n + at]).collect::<Vec<f32>>()).to_bits()).collect(),
        ];
        for settings in every_setting() {
            let found = paths::with(settings, || {
                let tracked = |x: T<3>| Tensor::<Autodiff<Repro>, 3>::from_inner(x).require_grad();
                let leaf = tracked(tensor(x.clone(), [batch, rows, k]));
                let weight = Tensor::<Autodiff<Repro>, 2>::from_inner(tensor(w.clone(), [k, n])).require_grad();
                let bias = Tensor::<Autodiff<Repro>, 1>::from_inner(tensor(vec![0.0; n], [n])).require_grad();
                let out = linear(leaf.clone(), weight.clone(), Some(bias.clone()));
                let upstream = Tensor::from_inner(tensor(g.clone(), [batch, rows, n]));
                let grads = (out * upstream).sum().backward();
                [
                    read(leaf.grad(&grads).expect("a gradient")),
                    read(weight.grad(&grads).expect("a gradient")),
                    read(bias.grad(&grads).expect("a gradient")),
                ]
            });
            prop_assert_eq!(&found, &expected);
        }
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
        ("grouped attention", |x| {
            let options = AttentionModuleOptions::default();
            let some = x.clone().narrow(1, 1, 2);
            read(attention(x, some.clone(), some, None, None, options))
        }),
        ("rms_norm", |x| {
            read(RmsNormConfig::new(10).init(&ReproDevice).forward(x))
        }),
        ("rotary", |x| {
            read(
                RotaryEncodingConfig::new(6, 10)
                    .init(&ReproDevice)
                    .forward(x),
            )
        }),
        ("embedding", |x| {
            let [batch, ..] = x.dims();
            let words = (x.abs() * 4.0).int().clamp(0, 12).reshape([batch, 240]);
            read(embedding(tensor(numbers(5, 13 * 3), [13, 3]), words))
        }),
        ("conv1d", |x| {
            let [batch, ..] = x.dims();
            let weight = tensor(numbers(3, 5 * 4 * 3), [5, 4, 3]);
            let options = ConvOptions::new([2], [1], [1], 1);
            read(conv1d(x.reshape([batch, 4, 60]), weight, None, options))
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
