//! burn's own processor backends and the crates `gemm` and `matrixmultiply` at the works of the benches, for `compare.py`.
//!
//! `peers flex|ndarray|gemm|matrixmultiply THREADS` reads the name of a work a line and answers each with a line of JSON: the rate,
//! median of some runs. `product N` and `packed ROWSxINNERxCOLUMNS` are in GFLOP/s, `read BATCHxLENGTH`, which only the backends
//! do, the encoder's sentences a second.

#[path = "../../support/crates.rs"]
mod crates;
#[path = "../../support/drawn.rs"]
mod drawing;
#[allow(dead_code)] // Only reading is compared.
#[path = "../../support/encoder.rs"]
mod model;

use burn::tensor::activation::gelu;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use drawing::drawn;
use model::{Encoder, Reader, WORDS};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, backend, threads] = &words[..] else {
        panic!("peers flex|ndarray|gemm|matrixmultiply THREADS");
    };
    // SAFETY: no other thread is there yet.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", threads);
        std::env::set_var("MATMUL_NUM_THREADS", threads);
    }
    let count: usize = threads.parse().expect("a number of threads");
    println!("{{\"ready\": \"{backend}\"}}");
    for work in std::io::stdin().lines() {
        let work = work.expect("a line of text");
        let rate = match backend.as_str() {
            "flex" => rate::<burn_flex::Flex>(&work),
            "ndarray" => rate::<burn_ndarray::NdArray<f32>>(&work),
            "gemm" => product(&work, |lengths, a, b, out| {
                crates::gemm(lengths, a, b, out, count)
            }),
            "matrixmultiply" => product(&work, crates::matrixmultiply),
            other => panic!("no peer {other}"),
        };
        println!("{{\"work\": \"{work}\", \"rate\": {rate}}}");
    }
}

/// The kind of a work, and its lengths.
fn read(work: &str) -> (&str, Vec<usize>) {
    let (kind, lengths) = work.split_once(' ').expect("a kind and lengths");
    let lengths = lengths
        .split('x')
        .map(|text| text.parse().expect("a length"));
    (kind, lengths.collect())
}

/// GFLOP/s of a product by some function of its lengths `[m, k, n]`, the factors and the output.
fn product(work: &str, multiply: impl Fn([usize; 3], &[f32], &[f32], &mut [f32])) -> f64 {
    let lengths = match &read(work).1[..] {
        &[n] => [n; 3],
        &[m, k, n] => [m, k, n],
        _ => panic!("no work {work}"),
    };
    let numbers = |len: usize| -> Vec<f32> {
        let each = (0..len).map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37);
        each.collect()
    };
    let [m, k, n] = lengths;
    let (a, b, mut out) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
    let spent = seconds(7, 0.2, || {
        multiply(lengths, black_box(&a), black_box(&b), &mut out);
        black_box(&out);
    });
    2e-9 * (m * k * n) as f64 / spent
}

fn rate<B: Backend>(work: &str) -> f64 {
    let device = B::Device::default();
    let (kind, lengths) = read(work);
    match (kind, &lengths[..]) {
        ("product", &[n]) => {
            let random = || Tensor::<B, 2>::random([n, n], Distribution::Default, &device);
            let (a, b) = (random(), random());
            2e-9 * (n * n * n) as f64
                / seconds(7, 0.2, || {
                    black_box(a.clone().matmul(b.clone()).into_primitive());
                })
        }
        ("read", &[batch, len]) => {
            let reader = Reader::new(Encoder::<B>::new(&device));
            let law = Distribution::Uniform(0.0, WORDS as f64);
            let tokens = Tensor::<B, 2, Int>::random([batch, len], law, &device);
            batch as f64
                / seconds(5, 0.5, || {
                    black_box(reader.forward(tokens.clone(), |layer, x| gelu(layer.forward(x))));
                })
        }
        _ => panic!("no work {work}"),
    }
}

/// The median of the seconds a call of some runs after one that is not counted.
fn seconds(runs: usize, run_min_s: f64, mut f: impl FnMut()) -> f64 {
    f();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0);
            loop {
                f();
                calls += 1;
                let spent = start.elapsed().as_secs_f64();
                if spent >= run_min_s {
                    return spent / f64::from(calls);
                }
            }
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
