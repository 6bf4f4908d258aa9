//! burn's own processor backends at the works of the benches, for `compare.py`.
//!
//! `peers flex|ndarray THREADS` reads the name of a work a line and answers each with a line of JSON: the rate, median of some runs.
//! `product N` is in GFLOP/s, `read BATCHxLENGTH` the encoder's sentences a second.

#[path = "../../support/drawn.rs"]
mod drawing;
#[allow(dead_code)] // Only reading is compared.
#[path = "../../support/encoder.rs"]
mod model;

use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use drawing::drawn;
use model::{Encoder, Reader, WORDS};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, backend, threads] = &words[..] else {
        panic!("peers flex|ndarray THREADS");
    };
    // SAFETY: no other thread is there yet.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", threads);
        std::env::set_var("MATMUL_NUM_THREADS", threads);
    }
    println!("{{\"ready\": \"{backend}\"}}");
    for work in std::io::stdin().lines() {
        let work = work.expect("a line of text");
        let rate = match backend.as_str() {
            "flex" => rate::<burn_flex::Flex>(&work),
            "ndarray" => rate::<burn_ndarray::NdArray<f32>>(&work),
            other => panic!("no backend {other}"),
        };
        println!("{{\"work\": \"{work}\", \"rate\": {rate}}}");
    }
}

fn rate<B: Backend>(work: &str) -> f64 {
    let device = B::Device::default();
    let (kind, lengths) = work.split_once(' ').expect("a kind and lengths");
    let lengths: Vec<usize> = lengths
        .split('x')
        .map(|text| text.parse().expect("a length"))
        .collect();
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
                    black_box(reader.forward(tokens.clone()));
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
