//! Elementary functions, softmax and elementwise work against std and the `libm` crate, interleaved in one run, one thread.
//!
//! `cargo bench -p repro --bench functions` (a name as argument: only what contains it; `--threads 2`).

#![allow(clippy::disallowed_methods)] // A bench reads the clock, and the platform's functions are the peers.

use burn::tensor::activation::softmax;
use burn::tensor::module::linear;
use burn::tensor::{Tensor, TensorData};
use repro::kernels::elementary::{Function, apply};
use repro::kernels::paths::{self, Path, Settings};
use repro::{Repro, ReproDevice};
use std::hint::black_box;
use std::time::Instant;

type T<const D: usize> = Tensor<Repro, D>;

fn numbers(len: usize, scale: f32) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7919 % 10_007) as f32 - 5_000.0) * scale / 5_000.0)
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D]) -> T<D> {
    let data = numbers(shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(data, shape), &ReproDevice)
}

/// Nanoseconds of a call, the best of some tries: a disturbed try tells of the disturbance.
fn nanoseconds(f: &mut dyn FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    f();
    for _ in 0..12 {
        let start = Instant::now();
        let mut calls = 0;
        while start.elapsed().as_secs_f64() < 0.004 {
            f();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    best
}

/// The peer of a function: std's, or libm's where std has none.
fn peer(function: Function) -> (&'static str, fn(f32) -> f32) {
    match function {
        Function::Exp => ("std", f32::exp),
        Function::Log => ("std", f32::ln),
        Function::Log1p => ("std", f32::ln_1p),
        Function::Tanh => ("std", f32::tanh),
        Function::Erf => ("libm", libm::erff),
        Function::Sin => ("std", f32::sin),
        Function::Cos => ("std", f32::cos),
        Function::Sigmoid => ("std", |x| 1.0 / (1.0 + (-x).exp())),
        Function::Gelu => ("libm", |x| {
            0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
        }),
        Function::GeluSlope => ("libm", |x| {
            let cumulative = 0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2));
            cumulative + x * (-0.5 * x * x).exp() * 0.398_942_3
        }),
        Function::Tan => ("std", f32::tan),
        Function::Sinh => ("std", f32::sinh),
        Function::Cosh => ("std", f32::cosh),
        Function::Asin => ("std", f32::asin),
        Function::Acos => ("std", f32::acos),
        Function::Atan => ("std", f32::atan),
        Function::Asinh => ("std", f32::asinh),
        Function::Acosh => ("std", f32::acosh),
        Function::Atanh => ("std", f32::atanh),
    }
}

fn functions(wanted: &dyn Fn(&str) -> bool) {
    const LEN: usize = 4096;
    let from = numbers(LEN, 4.0);
    for function in Function::ALL {
        let name = format!("{function:?}").to_lowercase();
        if !wanted(&name) {
            continue;
        }
        let (peer_name, peer) = peer(function);
        let input: Vec<f32> = match function {
            Function::Log | Function::Log1p => from.iter().map(|x| x.abs()).collect(),
            Function::Acosh => from.iter().map(|x| 1.0 + x.abs()).collect(),
            Function::Asin | Function::Acos | Function::Atanh => {
                from.iter().map(|x| x / 4.0).collect()
            }
            _ => from.clone(),
        };
        let mut out = input.clone();
        let theirs = nanoseconds(&mut || {
            out.copy_from_slice(&input);
            for x in &mut out {
                *x = peer(*x);
            }
            black_box(&out);
        });
        print!("{name:<12} {peer_name:<4} {:>7.3} ns", theirs / LEN as f64);
        for path in Path::available() {
            let ours = nanoseconds(&mut || {
                out.copy_from_slice(&input);
                apply(path, function, &mut out);
                black_box(&out);
            });
            let name = path.name();
            print!(
                "  {name} {:>7.3} ({:>5.1}x)",
                ours / LEN as f64,
                theirs / ours
            );
        }
        println!();
    }
}

/// A softmax as one would write it with std.
fn softmax_of_std(rows: &mut [f32], len: usize) {
    for row in rows.chunks_exact_mut(len) {
        let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for x in row.iter_mut() {
            *x = (*x - greatest).exp();
            sum += *x;
        }
        row.iter_mut().for_each(|x| *x /= sum);
    }
}

fn tensors(wanted: &dyn Fn(&str) -> bool) {
    let line = |name: &str, count: usize, f: &mut dyn FnMut()| {
        if wanted(name) {
            let ns = nanoseconds(f);
            println!(
                "{name:<34} {ns:>12.0} ns {:>8.3} ns an element",
                ns / count as f64
            );
        }
    };
    let rows = tensor([1024, 64]);
    let mut data = numbers(1024 * 64, 1.0);
    line("softmax 1024x64, std", 1 << 16, &mut || {
        softmax_of_std(black_box(&mut data), 64)
    });
    line("softmax 1024x64", 1 << 16, &mut || {
        drop(black_box(softmax(rows.clone(), 1)))
    });
    line("softmax 1024x64 axis 0", 1 << 16, &mut || {
        drop(black_box(softmax(rows.clone(), 0)))
    });
    let small = tensor([64]);
    line("add 64", 64, &mut || {
        drop(black_box(small.clone() + small.clone()))
    });
    let big = tensor([2048, 384]);
    let bias = tensor([1, 384]);
    let column = tensor([2048, 1]);
    let len = 2048 * 384;
    line("add 2048x384", len, &mut || {
        drop(black_box(big.clone() + big.clone()))
    });
    line("add 2048x384 and a row", len, &mut || {
        drop(black_box(big.clone() + bias.clone()))
    });
    line("mul 2048x384 by a column", len, &mut || {
        drop(black_box(big.clone() * column.clone()))
    });
    line("gelu 2048x384", len, &mut || {
        drop(black_box(burn::tensor::activation::gelu(big.clone())))
    });
    line("sum rows 2048x384", len, &mut || {
        drop(black_box(big.clone().sum_dim(1)))
    });
    line("sum columns 2048x384", len, &mut || {
        drop(black_box(big.clone().sum_dim(0)))
    });
    let turned = big.clone().transpose();
    line("add of a transposed", len, &mut || {
        drop(black_box(turned.clone() + 1.0))
    });
    let heads = tensor([32, 64, 12, 32]);
    line("swap heads 32x64x12x32", len, &mut || {
        drop(black_box(
            heads.clone().swap_dims(1, 2).reshape([384, 64, 32]),
        ));
    });
    let mask = big.clone().greater_elem(0.1);
    line("mask_fill 2048x384", len, &mut || {
        drop(black_box(big.clone().mask_fill(mask.clone(), 0.0)))
    });
    let norm = burn::nn::LayerNormConfig::new(384).init::<Repro>(&ReproDevice);
    line("layer norm 2048x384", len, &mut || {
        drop(black_box(norm.forward(big.clone())))
    });
    let attend = |x: &T<4>| {
        burn::tensor::module::attention(
            x.clone(),
            x.clone(),
            x.clone(),
            None,
            None,
            Default::default(),
        )
    };
    let x = tensor([32, 12, 64, 32]);
    line("attention 32x12x64x32", len, &mut || {
        drop(black_box(attend(&x)))
    });
    let (x, weight, bias) = (tensor([32, 64]), tensor([64, 128]), tensor([128]));
    line("linear 32x64x128", 32 * 128, &mut || {
        drop(black_box(linear(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
        )));
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let threads = arguments.iter().skip_while(|a| *a != "--threads").nth(1);
    let threads = threads.map_or(1, |t| t.parse().expect("a number"));
    let name = arguments.first().filter(|a| !a.starts_with("--")).cloned();
    let wanted = |text: &str| {
        name.as_ref()
            .is_none_or(|name| text.contains(name.as_str()))
    };
    let settings = Settings::current().with_threads(threads);
    println!("path {}, {threads} threads", settings.path.name());
    functions(&wanted);
    paths::with(settings, || tensors(&wanted));
}
