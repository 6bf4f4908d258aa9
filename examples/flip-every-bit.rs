//! Flips every bit of an exported bundle, one at a time, and checks that the
//! replay refuses each, and names the place.
//!
//! ```sh
//! cargo run --release -- demo --dir lode-demo
//! cargo run --release -- log export --dir lode-demo --out log.bundle
//! cargo run --release --example flip-every-bit -- log.bundle
//! ```
//!
//! The tests do the same with a sample. The last result is in docs/measured.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: flip-every-bit BUNDLE");
        return ExitCode::from(2);
    };
    let bundle = match std::fs::read(&path) {
        Ok(bundle) => bundle,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::from(4);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let unseen: Vec<String> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|worker| {
                let mut bundle = bundle.clone();
                scope.spawn(move || {
                    let mut unseen = Vec::new();
                    for bit in (worker..bundle.len() * 8).step_by(workers) {
                        bundle[bit / 8] ^= 1 << (bit % 8);
                        match node::replay(&bundle[..], |_| {}) {
                            Ok(_) => unseen.push(format!("bit {bit}: not seen")),
                            Err(error) if !error.to_string().contains("byte") => {
                                unseen.push(format!("bit {bit}: no place in '{error}'"));
                            }
                            Err(_) => {}
                        }
                        bundle[bit / 8] ^= 1 << (bit % 8);
                    }
                    unseen
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().expect("a worker does not panic"))
            .collect()
    });
    for line in &unseen {
        println!("{line}");
    }
    println!(
        "{} bits flipped, {} refused with their place",
        bundle.len() * 8,
        bundle.len() * 8 - unseen.len()
    );
    ExitCode::from(u8::from(!unseen.is_empty()))
}
