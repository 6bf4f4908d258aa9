//! A fused kernel has the bits of the operations one after the other, which is what autodiff computes.

mod support;

use burn::backend::Autodiff;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::{gelu, log_softmax, relu, softmax};
use burn::tensor::module::{attention, linear};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::random::Draw;
use repro::linear::{linear_gelu, linear_relu};
use repro::loss::{cross_entropy, soft_cross_entropy};
use repro::{Repro, ReproDevice, paths};
use support::{bits, every_setting, numbers};

type T<const D: usize> = Tensor<Repro, D>;
type A<const D: usize> = Tensor<Autodiff<Repro>, D>;

fn tensor<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> T<D> {
    Tensor::from_data(TensorData::new(data, shape), &ReproDevice)
}

fn read<const D: usize>(tensor: T<D>) -> Vec<u32> {
    bits(&tensor.into_data().to_vec::<f32>().expect("a float tensor"))
}

/// Numbers among which there may be what hurts: none, zeros, infinities, a NaN, whole rows of −∞, or equal numbers.
fn wild(seed: u64, len: usize, kind: u32) -> Vec<f32> {
    let draw = Draw::new(seed, 98, 0, 0);
    let mut x = numbers(seed, len);
    for (i, x) in x.iter_mut().enumerate() {
        let die = draw.word(i as u64) % 8;
        *x = match (kind, die) {
            (1, 0) => 0.0,
            (1, 1) => -0.0,
            (2, 0) => f32::NEG_INFINITY,
            (2, 1) => 88.0 * *x,
            (3, 0) if i % 5 == 0 => f32::NAN,
            (4, _) if i / 7 % 2 == 0 => f32::NEG_INFINITY,
            (5, 0) => f32::INFINITY,
            (6, _) => x.round(),
            _ => *x,
        };
    }
    x
}

fn composed_softmax(x: T<3>, dim: usize) -> T<3> {
    let shifted = x.clone() - x.max_dim(dim);
    let e = shifted.exp();
    e.clone() / e.sum_dim(dim)
}

fn composed_log_softmax(x: T<3>, dim: usize) -> T<3> {
    let shifted = x.clone() - x.max_dim(dim);
    shifted.clone() - shifted.exp().sum_dim(dim).log()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn softmax_and_its_logarithm_are_their_compositions(
        shape in [1usize..6, 1usize..40, 1usize..40], dim in 0usize..3, kind in 0u32..7, seed in 0u64..1000, turned in any::<bool>(),
    ) {
        let data = wild(seed, shape.iter().product(), kind);
        let x = || {
            let x = tensor(data.clone(), shape);
            if turned { x.swap_dims(0, 2) } else { x }
        };
        let (soft, log) = (read(composed_softmax(x(), dim)), read(composed_log_softmax(x(), dim)));
        for settings in every_setting() {
            paths::with(settings, || {
                assert_eq!(read(softmax(x(), dim)), soft);
                assert_eq!(read(log_softmax(x(), dim)), log);
            });
        }
        prop_assert_eq!(read(softmax(A::from_inner(x()), dim).inner()), soft);
        prop_assert_eq!(read(log_softmax(A::from_inner(x()), dim).inner()), log);
    }

    #[test]
    fn layer_norm_is_its_composition(rows in 1usize..9, len in 1usize..200, kind in 0u32..7, seed in 0u64..1000, has_beta in any::<bool>()) {
        let x = || tensor(wild(seed, rows * len, kind), [rows, len]);
        let gamma = || tensor(numbers(seed + 1, len), [len]);
        let beta = || has_beta.then(|| tensor(numbers(seed + 2, len), [len]));
        let config = burn::nn::LayerNormConfig::new(len).with_bias(has_beta).with_epsilon(1e-5);
        let mut norm = config.init::<Repro>(&ReproDevice);
        norm.gamma = burn::module::Param::from_tensor(gamma());
        norm.beta = beta().map(burn::module::Param::from_tensor);
        let centred = x() - x().mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let scaled = centred / (variance + 1e-5).sqrt() * gamma().reshape([1, len]);
        let composed = read(match beta() {
            Some(beta) => scaled + beta.reshape([1, len]),
            None => scaled,
        });
        for settings in every_setting() {
            let fused = paths::with(settings, || read(norm.forward(x())));
            prop_assert_eq!(&fused, &composed);
        }
    }

    #[test]
    fn attention_is_its_composition(
        heads in [1usize..3, 1usize..4], lengths in [1usize..40, 1usize..70], widths in [1usize..20, 1usize..20],
        kind in 0u32..7, seed in 0u64..1000, options in [any::<bool>(), any::<bool>(), any::<bool>()],
        mask in 0u32..4, bias in 0u32..3,
    ) {
        let ([batch, heads], [n, m], [d, v]) = (heads, lengths, widths);
        let query = || tensor(wild(seed, batch * heads * n * d, kind % 4), [batch, heads, n, d]);
        // Heads that come from a projection are not where the kernel would like them.
        let key = || tensor(numbers(seed + 1, batch * heads * m * d), [batch, m, heads, d]).swap_dims(1, 2);
        let value = || tensor(wild(seed + 2, batch * heads * m * v, kind), [batch, heads, m, v]);
        let masked = |shape: [usize; 4]| {
            let draw = Draw::new(seed, 97, 0, 0);
            let len = shape.iter().product::<usize>();
            // Now and then a whole row is hidden.
            let data: Vec<bool> = (0..len).map(|i| draw.word(i as u64).is_multiple_of(3) || draw.word((i / m) as u64).is_multiple_of(4)).collect();
            Tensor::<Repro, 4, Bool>::from_data(TensorData::new(data, shape), &ReproDevice)
        };
        let mask = || match mask {
            0 => None,
            1 => Some(masked([batch, 1, 1, m])),
            2 => Some(masked([1, 1, n, m])),
            _ => Some(masked([batch, heads, n, m])),
        };
        let bias = || match bias {
            0 => None,
            1 => Some(tensor(wild(seed + 3, heads * n * m, kind), [1, heads, n, m])),
            _ => Some(tensor(numbers(seed + 3, batch * heads * n), [batch, heads, n, 1])),
        };
        let options = AttentionModuleOptions {
            scale: options[0].then_some(0.3),
            softcap: options[1].then_some(2.5),
            is_causal: options[2],
        };
        let composed = read(burn::tensor::module::attention_fallback(query(), key(), value(), mask(), bias(), options));
        for settings in every_setting() {
            let fused = paths::with(settings, || read(attention(query(), key(), value(), mask(), bias(), options)));
            prop_assert_eq!(&fused, &composed);
        }
        let tracked = attention(
            A::from_inner(query()), A::from_inner(key()), A::from_inner(value()),
            mask().map(Tensor::from_inner), bias().map(A::from_inner), options,
        );
        prop_assert_eq!(read(tracked.inner()), composed);
    }

    #[test]
    fn grouped_heads_are_repeated_ones(
        batch in 1usize..3, groups in 1usize..4, each in 1usize..4, lengths in [1usize..30, 1usize..30], width in 1usize..12,
        kind in 0u32..4, seed in 0u64..1000, is_causal in any::<bool>(),
    ) {
        let ([n, m], heads) = (lengths, groups * each);
        let query = || tensor(numbers(seed, batch * heads * n * width), [batch, heads, n, width]);
        let key = || tensor(numbers(seed + 1, batch * groups * m * width), [batch, m, groups, width]).swap_dims(1, 2);
        let value = || tensor(wild(seed + 2, batch * groups * m * width, kind), [batch, groups, m, width]);
        let bias = || tensor(numbers(seed + 3, heads * n * m), [1, heads, n, m]);
        let options = AttentionModuleOptions { is_causal, ..Default::default() };
        let repeated = |x: T<4>| {
            x.reshape([batch, groups, 1, m, width]).expand([batch, groups, each, m, width]).reshape([batch, heads, m, width])
        };
        let composed = burn::tensor::module::attention_fallback(
            query(), repeated(key()), repeated(value()), None, Some(bias()), options,
        );
        let composed = read(composed);
        for settings in every_setting() {
            let grouped = paths::with(settings, || read(attention(query(), key(), value(), None, Some(bias()), options)));
            prop_assert_eq!(&grouped, &composed);
        }
    }

    #[test]
    fn a_linear_map_and_its_activation_are_the_two(
        lead in [1usize..4, 1usize..30], widths in [1usize..50, 1usize..80], kind in 0u32..6, seed in 0u64..1000,
        has_bias in any::<bool>(), is_kept in any::<bool>(), layout in 0u32..3,
    ) {
        let ([batch, rows], [k, n]) = (lead, widths);
        let x = || match layout {
            0 => tensor(wild(seed, batch * rows * k, kind), [batch, rows, k]),
            // Some columns of a wider tensor, and rows that do not adjoin.
            1 => tensor(wild(seed, batch * rows * (k + 3), kind), [batch, rows, k + 3]).narrow(2, 2, k),
            _ => tensor(wild(seed, batch * rows * k, kind), [rows, batch, k]).swap_dims(0, 1),
        };
        let weight = || tensor(numbers(seed + 1, k * n), [k, n]);
        let bias = || has_bias.then(|| tensor(wild(seed + 2, n, kind % 2), [n]));
        let contiguous = T::<3>::from_data(x().into_data(), &ReproDevice);
        let plain = linear(contiguous, weight(), bias());
        let (relu, gelu) = (read(relu(plain.clone())), read(gelu(plain.clone())));
        let plain = read(plain);
        for settings in every_setting() {
            let fused = || {
                let all = || (
                    read(linear(x(), weight(), bias())),
                    read(linear_relu(x(), weight(), bias())),
                    read(linear_gelu(x(), weight(), bias())),
                );
                if is_kept { repro::weights::kept(all) } else { all() }
            };
            let fused = paths::with(settings, fused);
            prop_assert_eq!(fused, (plain.clone(), relu.clone(), gelu.clone()));
        }
        let tracked = [linear_relu::<Autodiff<Repro>, 3>, linear_gelu].map(|operation| {
            read(operation(A::from_inner(x()), A::from_inner(weight()), bias().map(A::from_inner)).inner())
        });
        prop_assert_eq!(tracked, [relu, gelu]);
        let row = || x().slice([0..1, 0..1]).reshape([k]);
        prop_assert_eq!(
            read(linear_relu(row(), weight(), bias())),
            read(burn::tensor::activation::relu(linear(row(), weight(), bias())))
        );
    }
}

#[test]
#[should_panic(expected = "which divides that of the queries")]
fn heads_that_do_not_divide_are_refused() {
    let x = |heads| tensor(numbers(1, heads * 6), [1, heads, 3, 2]);
    attention(x(4), x(3), x(3), None, None, Default::default());
}

#[test]
fn a_query_that_may_look_at_nothing_gets_zeros() {
    let x = |seed| tensor(numbers(seed, 12), [1, 1, 3, 4]);
    let mask = Tensor::<Repro, 4, Bool>::full([1, 1, 3, 3], true, &ReproDevice);
    let out = attention(x(1), x(2), x(3), Some(mask), None, Default::default());
    assert_eq!(read(out), vec![0; 12]);
}

#[test]
fn long_attention_in_several_blocks_is_its_composition() {
    let x = |seed, len| tensor(numbers(seed, 2 * len * 8), [1, 2, len, 8]);
    let options = AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    };
    let (query, key, value) = (x(1, 100), x(2, 3000), x(3, 3000));
    let composed = burn::tensor::module::attention_fallback(
        query.clone(),
        key.clone(),
        value.clone(),
        None,
        None,
        options,
    );
    let composed = read(composed);
    for settings in every_setting() {
        let fused = paths::with(settings, || {
            attention(
                query.clone(),
                key.clone(),
                value.clone(),
                None,
                None,
                options,
            )
        });
        assert_eq!(read(fused), composed);
    }
}

#[test]
#[should_panic(expected = "the maximum or minimum of an empty axis does not exist")]
fn the_softmax_of_an_empty_axis_is_refused() {
    softmax(tensor(vec![], [2, 0]), 1);
}

type Loss = fn(A<2>, &[f32], &[i32]) -> A<1>;

fn matrix(data: &[f32], [rows, width]: [usize; 2]) -> A<2> {
    A::from_data(TensorData::new(data.to_vec(), [rows, width]), &ReproDevice)
}

fn classes(labels: &[i32]) -> Tensor<Autodiff<Repro>, 1, Int> {
    let labels = TensorData::new(labels.to_vec(), [labels.len()]);
    Tensor::from_data(labels, &ReproDevice)
}

/// The loss times something, since a gradient of one hides a factor, and the gradient of the logits.
fn forth_and_back(logits: A<2>, loss: impl Fn(A<2>) -> A<1>) -> [Vec<u32>; 2] {
    let logits = logits.require_grad();
    // The logits have another use: what a loss keeps must not be written over.
    let loss = loss(logits.clone() * 1.5) * -0.7 + logits.clone().sum() * 0.25;
    let grads = loss.backward();
    [
        read(loss.inner()),
        read(logits.grad(&grads).expect("logits have a gradient")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn cross_entropy_is_its_composition_with_its_gradient(
        rows in 1usize..40, width in 1usize..40, wide in 0usize..8, kind in 0u32..7, seed in 0u64..1000,
    ) {
        // Sums are cut at 4,096.
        let width = if wide == 0 { width + 4090 } else { width };
        let data = wild(seed, rows * width, kind);
        let labels: Vec<i32> = (0..rows).map(|row| (seed as usize * 7 + row * row) as i32 % width as i32).collect();
        let losses: [[Loss; 2]; 2] = [
            [
                |x, _, labels| CrossEntropyLossConfig::new().init(&ReproDevice).forward(x, classes(labels)),
                |x, _, labels| cross_entropy(x, classes(labels)),
            ],
            [
                |x, targets, _| (log_softmax(x.clone(), 1) * matrix(targets, x.dims())).sum_dim(1).neg().mean(),
                |x, targets, _| soft_cross_entropy(x.clone(), matrix(targets, x.dims())).mean(),
            ],
        ];
        let targets = wild(seed + 1, rows * width, [0, 1][seed as usize % 2]);
        for [composed, fused] in losses {
            let logits = || matrix(&data, [rows, width]);
            let expected = forth_and_back(logits(), |x| composed(x, &targets, &labels));
            for settings in every_setting() {
                let found = paths::with(settings, || forth_and_back(logits(), |x| fused(x, &targets, &labels)));
                prop_assert_eq!(&found, &expected);
            }
            let plain = read(fused(logits(), &targets, &labels).inner());
            prop_assert_eq!(plain, read(composed(logits(), &targets, &labels).inner()));
        }
    }
}

/// What goes back through the sum is rounded to −0 here, and the composition's sum makes +0 of it.
#[test]
fn the_sign_of_a_gradient_that_vanishes_is_the_compositions() {
    let gradient = |loss: fn(A<2>, A<2>) -> A<2>| {
        let logits = matrix(&[0.0, 0.0], [1, 2]).require_grad();
        let loss = loss(logits.clone(), matrix(&[-1.0, 0.0], [1, 2]));
        let grads = loss.mul_scalar(f32::from_bits(1)).backward();
        read(logits.grad(&grads).expect("logits have a gradient"))
    };
    assert_eq!(
        gradient(soft_cross_entropy),
        gradient(|x, targets| (log_softmax(x, 1) * targets).sum_dim(1).neg()),
    );
}

#[test]
fn cross_entropy_without_autodiff_is_the_same() {
    let logits = || tensor(numbers(3, 12), [3, 4]);
    let labels = Tensor::<Repro, 1, Int>::from_ints([3, 0, 2], &ReproDevice);
    let plain = CrossEntropyLossConfig::new().init(&ReproDevice);
    assert_eq!(
        read(cross_entropy(logits(), labels.clone())),
        read(plain.forward(logits(), labels)),
    );
    let targets = || tensor(numbers(4, 12), [3, 4]);
    assert_eq!(
        read(soft_cross_entropy(logits(), targets())),
        read((log_softmax(logits(), 1) * targets()).sum_dim(1).neg()),
    );
}

#[test]
fn a_class_that_is_none_and_rows_without_one_are_refused() {
    let refused = |rows: usize, labels: &[i32]| {
        let outcome = std::panic::catch_unwind(|| {
            let logits = matrix(&vec![0.0; rows * 4], [rows, 4]);
            cross_entropy(logits, classes(labels)).into_scalar()
        });
        *outcome
            .expect_err("refused")
            .downcast::<String>()
            .expect("a sentence")
    };
    for (rows, labels) in [(2, &[0, 4][..]), (2, &[-1, 0]), (2, &[0]), (0, &[])] {
        let words = refused(rows, labels);
        assert!(words.starts_with("repro: "), "{words}");
    }
}
