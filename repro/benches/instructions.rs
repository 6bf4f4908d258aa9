//! Fixed work, whose instructions are counted: `instructions/run.sh` says how. Takes the name of a work and does it; without one
//! it prints the names, a line each.

#[path = "support/drawn.rs"]
mod drawing;
#[path = "support/mlp.rs"]
mod mlp;

use burn::nn::LayerNormConfig;
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::module::{attention, conv2d};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions};
use burn::tensor::{Tensor, TensorData};
use repro::kernels::descent;
use repro::kernels::paths::Settings;
use repro::kernels::product::{Finish, Matrix, Packed, product, with_packed};
use repro::kernels::random::{Distribution, Draw};
use repro::{Repro, ReproDevice};
use std::hint::black_box;

type Work = (&'static str, fn());

/// Each does enough that starting the program is a small part of it.
const WORKS: [Work; 10] = [
    ("product-256", square),
    ("packed-64x384x1536", packed),
    ("softmax-512x64", || {
        let x = tensor([512, 64]);
        repeat(64, || drop(black_box(softmax(x.clone(), 1))));
    }),
    ("layer-norm-512x384", || {
        let norm = LayerNormConfig::new(384).init::<Repro>(&ReproDevice);
        let x = tensor([512, 384]);
        repeat(16, || drop(black_box(norm.forward(x.clone()))));
    }),
    ("gelu-64x1536", || {
        let x = tensor([64, 1536]);
        repeat(32, || drop(black_box(gelu(x.clone()))));
    }),
    ("attention-2x12x64x32", || {
        let x = tensor([2, 12, 64, 32]);
        let part = || x.clone();
        repeat(8, || {
            let options = AttentionModuleOptions::default();
            black_box(attention(part(), part(), part(), None, None, options));
        });
    }),
    ("convolution-8x32x14x14", convolution),
    ("adamw-100000", adamw),
    ("random-100000", || {
        let law = Distribution::Bernoulli { probability: 0.9 };
        let mut out = vec![0.0; 100_000];
        repeat(32, || {
            Draw::new(1, 2, 3, 4).fill_into(Settings::current(), law, &mut out);
            black_box(&out);
        });
    }),
    ("mlp-steps", steps),
];

fn main() {
    let asked = std::env::args().find(|word| WORKS.iter().any(|(name, _)| name == word));
    match asked {
        Some(asked) => WORKS
            .iter()
            .filter(|(name, _)| *name == asked)
            .for_each(|(_, work)| work()),
        None => WORKS.iter().for_each(|(name, _)| println!("{name}")),
    }
}

fn repeat(times: usize, mut f: impl FnMut()) {
    (0..times).for_each(|_| f());
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D]) -> Tensor<Repro, D> {
    let data = TensorData::new(numbers(shape.iter().product()), shape);
    Tensor::from_data(data, &ReproDevice)
}

fn square() {
    let numbers = numbers(256 * 256);
    let a = Matrix::row_major(&numbers, 256, 256);
    repeat(8, || drop(black_box(product(Settings::current(), a, a))));
}

fn packed() {
    let (a, b) = (numbers(64 * 384), numbers(384 * 1536));
    let a = Matrix::row_major(&a, 64, 384);
    let b = Packed::new(Settings::current().path, Matrix::row_major(&b, 384, 1536));
    repeat(8, || {
        black_box(with_packed(Settings::current(), a, &b, Finish::Plain));
    });
}

fn convolution() {
    let (x, weight) = (tensor([8, 32, 14, 14]), tensor([64, 32, 3, 3]));
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    repeat(8, || {
        black_box(conv2d(x.clone(), weight.clone(), None, options.clone()));
    });
}

fn adamw() {
    let grad = numbers(100_000);
    let [mut weight, mut first, mut second] = [grad.clone(), grad.clone(), grad.clone()];
    second.iter_mut().for_each(|v| *v = *v * *v);
    let rule = descent::AdamW {
        betas: [0.9, 0.999],
        rests: [0.1, 0.001],
        corrections: [0.5, 0.5],
        epsilon: 1e-8,
        rate: 1e-3,
        keep: Some(0.999),
        is_first: false,
    };
    repeat(32, || {
        let moments = [&mut first[..], &mut second[..]];
        descent::adamw(Settings::current(), rule, &grad, &mut weight, moments);
    });
    black_box(weight);
}

fn steps() {
    const ROWS: usize = 320;
    let labels = (0..ROWS as i32).map(|row| row % 10).collect();
    let mut training = mlp::Digits::new(numbers(ROWS * mlp::FEATURES), labels);
    repeat(8, || training.epoch());
    black_box(training.loss());
}
