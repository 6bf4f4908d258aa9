//! Every elementary function over all 2^32 numbers: `cargo run --release -p repro --example sweep -- [FUNCTION..]`.
//!
//! Each path must give the bits of the fastest; the digest of all results and the largest error against a binary64 reference
//! are printed. It takes minutes a function, so a result is kept in `target/sweep/FUNCTION.txt` and not computed again while
//! that file is there. `LODE_THREADS` says how many threads work. With `--every 16` only every sixteenth piece of 65,536
//! neighbouring numbers is looked at. The last results are in docs/repro-functions.md.

#![allow(clippy::disallowed_methods)] // It tells how long it took.

#[path = "../tests/support/ulp.rs"]
mod ulp;

use repro::kernels::elementary::{Function, apply};
use repro::kernels::paths::{Path, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers of a piece of work: all with the same upper half.
const PIECE: usize = 1 << 16;

/// What a piece says.
#[derive(Clone, Copy, Default)]
struct Piece {
    digest: u64,
    ulps: (f64, f32),
    absolute: (f64, f32),
}

fn main() {
    let mut names: Vec<String> = std::env::args()
        .skip(1)
        .map(|name| name.to_lowercase())
        .collect();
    let mut every = 1;
    if let Some(at) = names.iter().position(|name| name == "--every") {
        let number: Option<usize> = names.get(at + 1).and_then(|text| text.parse().ok());
        every = number
            .filter(|every| *every > 0)
            .expect("--every takes a number from 1");
        names.drain(at..at + 2);
    }
    let folder = std::path::Path::new("target/sweep");
    std::fs::create_dir_all(folder).expect("target/sweep can be made");
    for function in Function::ALL {
        let name = format!("{function:?}").to_lowercase();
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let file = folder.join(match every {
            1 => format!("{name}.txt"),
            _ => format!("{name}-{every}.txt"),
        });
        match std::fs::read_to_string(&file) {
            Ok(line) => print!("kept: {line}"),
            Err(_) => {
                let line = sweep(function, &name, every);
                std::fs::write(&file, &line).expect("target/sweep can be written");
                print!("{line}");
            }
        }
    }
}

/// The whole function, on all threads; a line that says what was found.
fn sweep(function: Function, name: &str, every: usize) -> String {
    let start = std::time::Instant::now();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let pieces = Mutex::new(vec![Piece::default(); PIECE]);
    std::thread::scope(|scope| {
        for _ in 0..Settings::current().threads {
            scope.spawn(|| {
                loop {
                    let upper = next.fetch_add(every, Ordering::Relaxed);
                    if upper >= PIECE {
                        return;
                    }
                    let piece = look(function, upper);
                    pieces.lock().expect("no thread panics with it")[upper] = piece;
                    let done = done.fetch_add(every, Ordering::Relaxed) + every;
                    if done % (PIECE / 64) < every {
                        eprint!("\r{name} {:>3} %", (done * 100 / PIECE).min(100));
                    }
                }
            });
        }
    });
    eprintln!();
    let pieces = pieces.into_inner().expect("the threads have ended");
    let mut digest = 0xcbf2_9ce4_8422_2325u64;
    let (mut ulps, mut absolute) = ((0.0, 0.0), (0.0, 0.0));
    for piece in pieces.iter().step_by(every) {
        digest = (digest ^ piece.digest)
            .wrapping_mul(0x100_0000_01b3)
            .rotate_left(23);
        if piece.ulps.0 > ulps.0 {
            ulps = piece.ulps;
        }
        if piece.absolute.0 > absolute.0 {
            absolute = piece.absolute;
        }
    }
    let paths: Vec<&str> = Path::available().into_iter().map(Path::name).collect();
    format!(
        "{name:<10} {digest:016x} equal on {}; {:.5} ulp at {:e}; {:.3e} of max(1, |f|) at {:e}; {} s\n",
        paths.join(", "),
        ulps.0,
        ulps.1,
        absolute.0,
        absolute.1,
        start.elapsed().as_secs()
    )
}

/// One piece: all paths and the error.
fn look(function: Function, upper: usize) -> Piece {
    let inputs: Vec<f32> = (0..PIECE as u32)
        .map(|lower| f32::from_bits((upper as u32) << 16 | lower))
        .collect();
    let paths = Path::available();
    let mut outputs = inputs.clone();
    apply(paths[0], function, &mut outputs);
    for &path in &paths[1..] {
        let mut others = inputs.clone();
        apply(path, function, &mut others);
        for ((&x, &ours), &theirs) in inputs.iter().zip(&outputs).zip(&others) {
            assert!(
                ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(),
                "{function:?}({x:e}), bits {:08x}, is {ours:e} on {} and {theirs:e} on {}",
                x.to_bits(),
                paths[0].name(),
                path.name()
            );
        }
    }
    let mut piece = Piece {
        digest: 0xcbf2_9ce4_8422_2325,
        ..Piece::default()
    };
    for (&x, &y) in inputs.iter().zip(&outputs) {
        let bits = if y.is_nan() { 0x7fc0_0000 } else { y.to_bits() };
        piece.digest = (piece.digest ^ u64::from(bits)).wrapping_mul(0x100_0000_01b3);
        let exact = ulp::reference(function, f64::from(x));
        let error = ulp::error_in_ulps(y, exact);
        if error > piece.ulps.0 {
            piece.ulps = (error, x);
        }
        let absolute = (f64::from(y) - exact).abs() / exact.abs().max(1.0);
        if absolute > piece.absolute.0 && absolute.is_finite() {
            piece.absolute = (absolute, x);
        }
    }
    piece
}
