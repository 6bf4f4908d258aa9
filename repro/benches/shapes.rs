//! Products alone: square ones, and those of a transformer with the weights packed once.
//!
//! `cargo bench -p repro --bench shapes` (`-- --threads 2 --only "packed 64" --json`). Beside peers of the same process they are in
//! `benches/peers`, beside OpenBLAS and MKL in `benches/compare`.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

#[path = "support/peak.rs"]
mod peaks;
#[path = "support/timing.rs"]
mod timing;

use repro::kernels::paths::Settings;
use repro::kernels::product::{Finish, Matrix, Packed, product, with_packed};
use std::hint::black_box;

fn main() {
    let request = timing::Request::read(7);
    request.run(|| {
        if request.wants("peak") {
            request.tell(
                "peak",
                "GFLOP/s",
                peaks::peak(Settings::current().path, request.threads),
            );
        }
        for n in [512, 1024, 2048] {
            square(&request, n);
        }
        for rows in [64, 128, 512] {
            for (inner, columns) in [(384, 1536), (1536, 384), (384, 384)] {
                packed(&request, rows, inner, columns);
            }
        }
    });
}

fn square(request: &timing::Request, n: usize) {
    let work = format!("product {n}");
    if !request.wants(&work) {
        return;
    }
    let (a, b) = (numbers(n * n), numbers(n * n));
    let (a, b) = (Matrix::row_major(&a, n, n), Matrix::row_major(&b, n, n));
    request.measure(&work, "GFLOP/s", flops(n, n, n), 0.2, || {
        black_box(product(Settings::current(), a, b));
    });
}

fn packed(request: &timing::Request, rows: usize, inner: usize, columns: usize) {
    let work = format!("packed {rows}x{inner}x{columns}");
    if !request.wants(&work) {
        return;
    }
    let (a, b) = (numbers(rows * inner), numbers(inner * columns));
    let a = Matrix::row_major(&a, rows, inner);
    let b = Packed::new(
        Settings::current().path,
        Matrix::row_major(&b, inner, columns),
    );
    request.measure(&work, "GFLOP/s", flops(rows, inner, columns), 0.2, || {
        black_box(with_packed(Settings::current(), a, &b, Finish::Plain));
    });
}

/// 10⁹ of these a second are a GFLOP/s: a multiplication and an addition a step of a chain.
fn flops(rows: usize, inner: usize, columns: usize) -> f64 {
    2.0 * (rows * inner * columns) as f64 / 1e9
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
        .collect()
}
