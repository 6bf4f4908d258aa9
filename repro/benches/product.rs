//! Products against the peers a Rust user has, interleaved in one run, with the processor's measured peak.
//!
//! `cargo bench -p repro --bench product`, then what you like of `-- --threads 2 --rounds 9 --peers none --only 32x384x1536`.
//! "turned" is ours with a right factor that lies transposed, as a weight does in the gradient of a linear map's input.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

#[path = "support/crates.rs"]
mod crates;
#[path = "support/peak.rs"]
mod peaks;

use peaks::peak;
use repro::kernels::paths::{Path, Settings};
use repro::kernels::product::{Finish, Matrix, Packed, product, with_packed};
use std::hint::black_box;
use std::time::Instant;

fn numbers(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
        .collect()
}

fn seconds(f: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    loop {
        f();
        runs += 1;
        let spent = start.elapsed().as_secs_f64();
        if spent > 0.05 {
            return spent / f64::from(runs);
        }
    }
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    if std::env::args().any(|a| a == "--best") {
        return x[0];
    }
    x[x.len() / 2]
}

fn main() {
    let after = |name: &str| std::env::args().skip_while(|a| a != name).nth(1);
    let number = |name: &str, default: usize| {
        after(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (threads, rounds) = (number("--threads", 1), number("--rounds", 5));
    let has_peers = after("--peers").is_none_or(|which| which != "none");
    // SAFETY: no other thread is there yet.
    unsafe { std::env::set_var("MATMUL_NUM_THREADS", threads.to_string()) };
    let settings = Settings::current().with_threads(threads);
    println!("path {}, {} threads", settings.path.name(), threads);
    let is_told = !std::env::args().any(|a| a == "--nopeak");
    for path in Path::available().into_iter().filter(|_| is_told) {
        println!("peak {} {:.1} GFLOP/s", path.name(), peak(path, threads));
    }
    let shapes = [
        (512, 512, 512),
        (1024, 1024, 1024),
        (2048, 2048, 2048),
        (64, 384, 1536),
        (128, 384, 1536),
        (512, 384, 1536),
        (64, 1536, 384),
        (128, 1536, 384),
        (512, 1536, 384),
        (64, 384, 384),
        (128, 384, 384),
        (512, 384, 384),
        (2048, 384, 384),
        (2048, 384, 1536),
        (2048, 1536, 384),
        (1, 384, 1536),
        (4, 384, 1536),
        (16, 384, 1536),
        (32, 64, 128),
        (64, 32, 64),
        (64, 64, 32),
    ];
    println!(
        "{:>18} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "shape", "ours", "packed", "turned", "gemm", "matrixm."
    );
    let only = after("--only").map(|text| {
        let lengths: Vec<usize> = text
            .split('x')
            .map(|x| x.parse().expect("a length"))
            .collect();
        (lengths[0], lengths[1], lengths[2])
    });
    let shapes = shapes
        .into_iter()
        .chain(only.filter(|only| !shapes.contains(only)));
    for (m, k, n) in shapes {
        if only.is_some_and(|only| only != (m, k, n)) {
            continue;
        }
        let (a, b) = (numbers(m * k), numbers(k * n));
        let (am, bm) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
        let packed = Packed::new(settings.path, bm);
        let mut c = vec![0.0f32; m * n];
        let mut d = vec![0.0f32; m * n];
        let mut ours = || {
            black_box(product(settings, am, bm));
        };
        let mut packed = || {
            black_box(with_packed(settings, am, &packed, Finish::Plain));
        };
        let turned_b = Matrix::row_major(&b, n, k).transposed();
        let mut turned = || {
            black_box(product(settings, am, turned_b));
        };
        let mut peer = || {
            crates::gemm([m, k, n], &a, &b, &mut c, threads);
            black_box(&c);
        };
        let mut other = || {
            crates::matrixmultiply([m, k, n], &a, &b, &mut d);
            black_box(&d);
        };
        let mut all: [&mut dyn FnMut(); 5] =
            [&mut ours, &mut packed, &mut turned, &mut peer, &mut other];
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..rounds {
            let count = if has_peers { 5 } else { 3 };
            for (f, times) in all.iter_mut().zip(&mut times).take(count) {
                times.push(seconds(f));
            }
        }
        let flops = 2.0 * (m * k * n) as f64;
        print!("{:>18}", format!("{m}x{k}x{n}"));
        for times in times.into_iter().filter(|times| !times.is_empty()) {
            print!(" {:>9.1}", flops / median(times) / 1e9);
        }
        println!();
    }
}
