//! Elementary functions and softmax against std and the `libm` crate, in turn within one run, and the speed of elementwise work.
//!
//! `cargo bench -p repro --bench functions` (`-- --threads 2 --runs 5 --only "function exp" --json`). With several threads
//! both sides work on parts of the same numbers, handed out by the same pool. JSON has the path in use alone, and the
//! functions alone.

#![allow(clippy::disallowed_methods)] // A bench reads the clock, and the platform's functions are the peers.

#[path = "support/timing.rs"]
mod timing;

use burn::tensor::activation::softmax;
use burn::tensor::module::linear;
use burn::tensor::{Tensor, TensorData};
use repro::kernels::elementary::{Function, apply};
use repro::kernels::paths::{Path, Settings};
use repro::kernels::pool;
use repro::kernels::softmax::{Soft, softmax as soften};
use repro::kernels::view::Axis;
use repro::{Repro, ReproDevice};
use std::hint::black_box;
use std::sync::Mutex;
use timing::Request;

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

/// Numbers of a work, and those of a part: as many as the nearest cache holds twice. A part is done some times before the
/// next, so that neither memory nor the handing out is measured.
const LEN: usize = 1 << 16;
const PART: usize = 1 << 12;
const TIMES: usize = 16;

/// What a contender does with some numbers.
type Job<'a> = &'a (dyn Fn(&mut [f32]) + Sync);

/// Each contender's nanoseconds a number: the median of some runs, in each of which all take their turns.
fn in_turn(request: &Request, input: &[f32], contenders: &[Job]) -> Vec<f64> {
    let mut out = input.to_vec();
    let mut once = |job: Job| {
        let parts: Vec<_> = out.chunks_mut(PART).map(Mutex::new).collect();
        pool::run(request.threads, parts.len(), |index| {
            let mut part = parts[index].lock().expect("no contender panics");
            for _ in 0..TIMES {
                part.copy_from_slice(&input[index * PART..][..PART]);
                job(&mut part);
                black_box(&mut part);
            }
        });
    };
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..request.runs.max(1) {
        for (job, times) in contenders.iter().zip(&mut times) {
            times.extend(timing::times(1, 0.02, || once(job)));
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e9 / (LEN * TIMES) as f64
    };
    times.into_iter().map(median).collect()
}

/// Takes the time of a function on the paths there are, of a peer before them, and tells it.
fn compare(
    request: &Request,
    name: &str,
    peer_name: &str,
    input: &[f32],
    peer: Job,
    ours: impl Fn(Path, &mut [f32]) + Sync,
) {
    let work = format!("function {name}");
    if !request.wants(&work) {
        return;
    }
    let paths = if request.is_json {
        vec![Settings::current().path]
    } else {
        Path::available()
    };
    let jobs: Vec<_> = paths
        .iter()
        .map(|&path| {
            let ours = &ours;
            move |part: &mut [f32]| ours(path, part)
        })
        .collect();
    let mut contenders: Vec<Job> = vec![peer];
    contenders.extend(jobs.iter().map(|job| job as Job));
    let times = in_turn(request, input, &contenders);
    let (theirs, ours) = (times[0], &times[1..]);
    if request.is_json {
        let theirs = format!(
            ", \"peer\": \"{peer_name}\", \"peer_rate\": {}",
            1.0 / theirs
        );
        return request.tell_json(&work, "numbers/ns", 1.0 / ours[0], &theirs);
    }
    print!("{name:<12} {peer_name:<4} {theirs:>7.3} ns");
    for (path, ours) in paths.iter().zip(ours) {
        print!("  {} {ours:>7.3} ({:>5.2}x)", path.name(), theirs / ours);
    }
    println!();
}

fn functions(request: &Request) {
    let from = numbers(LEN, 4.0);
    for function in Function::ALL {
        let name = format!("{function:?}").to_lowercase();
        let (peer_name, peer) = peer(function);
        let input: Vec<f32> = match function {
            Function::Log | Function::Log1p => from.iter().map(|x| x.abs()).collect(),
            Function::Acosh => from.iter().map(|x| 1.0 + x.abs()).collect(),
            Function::Asin | Function::Acos | Function::Atanh => {
                from.iter().map(|x| x / 4.0).collect()
            }
            _ => from.clone(),
        };
        let peer = |part: &mut [f32]| part.iter_mut().for_each(|x| *x = peer(*x));
        compare(request, &name, peer_name, &input, &peer, |path, part| {
            apply(path, function, part);
        });
    }
    const ROW: usize = 64;
    let input = numbers(LEN, 1.0);
    let peer = |part: &mut [f32]| softmax_of_std(part, ROW);
    compare(request, "softmax", "std", &input, &peer, |path, part| {
        let settings = Settings::current().with_path(path).with_threads(1);
        let axis = Axis::of(&[PART / ROW, ROW], 1);
        soften(settings, part, axis, Soft::Max);
    });
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

fn tensors(request: &Request) {
    let line = |name: &str, count: usize, f: &mut dyn FnMut()| {
        if request.wants(name) {
            let times = timing::times(request.runs, 0.02, f);
            let ns = times[times.len() / 2] * 1e9;
            println!(
                "{name:<34} {ns:>12.0} ns {:>8.3} ns an element",
                ns / count as f64
            );
        }
    };
    let rows = tensor([1024, 64]);
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
    let request = Request::read(5);
    request.run(|| {
        if !request.is_json {
            let path = Settings::current().path.name();
            println!("path {path}, {} threads", request.threads);
        }
        functions(&request);
        if !request.is_json {
            tensors(&request);
        }
    });
}
