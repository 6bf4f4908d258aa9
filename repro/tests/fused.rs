//! A fused kernel has the bits of the operations one after the other, which is what autodiff computes.

mod support;

use burn::backend::Autodiff;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor, TensorData};
use proptest::prelude::*;
use repro::kernels::random::Draw;
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
