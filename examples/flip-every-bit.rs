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
    if let Err(error) = node::replay(&bundle[..], |_| {}) {
        eprintln!("{}: it is refused as it is: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let begins = &begins(&bundle);
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
                            Err(error) if !is_there(&error, begins, bit / 8) => {
                                unseen.push(format!("bit {bit}: another place in '{error}'"));
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

/// Where each item begins, and where the last one ends.
fn begins(bundle: &[u8]) -> Vec<usize> {
    let items = protocol::ans104::bundle::decode(bundle).expect("it was replayed");
    let mut begins = vec![32 + 64 * items.len()];
    for (place, item) in items.iter().enumerate() {
        begins.push(begins[place] + item.bytes().len());
    }
    begins
}

/// Whether an error names the item that a byte is of. What is wrong in the list of sizes and ids before all items
/// shows in the item that it is of or a later one, and a wrong count anywhere.
fn is_there(error: &node::ReplayError, begins: &[usize], place: usize) -> bool {
    match place {
        0..32 => true,
        _ if place < begins[0] => {
            let entry = (place - 32) / 64;
            error.item.is_none_or(|item| item >= entry as u64)
        }
        _ => {
            let item = begins.partition_point(|&begin| begin <= place) - 1;
            error.item == Some(item as u64)
        }
    }
}
