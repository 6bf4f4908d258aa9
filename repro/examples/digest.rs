//! One line an operation, its name, the number of its golden vectors and their digest, then the trainings, and the total:
//! equal on every machine. `LODE_REPRO_PATH` and `LODE_THREADS` choose instructions and threads.
//!
//! `cargo run --release -p repro --example digest`; with `-- --write` it writes the golden files of `tests/vectors` anew,
//! which changes the definition.

#[path = "../tests/support/mod.rs"]
mod support;

use support::{golden_file, networks, stored, vectors};

fn main() {
    let settings = repro::paths::Settings::current();
    eprintln!(
        "path {}, {} threads",
        settings.path.name(),
        settings.threads
    );
    let vectors = vectors::all();
    let trainings = networks::trainings();
    if std::env::args().any(|argument| argument == "--write") {
        write("operations.txt", vectors.iter().map(|vector| vector.line()));
        write(
            "training.txt",
            trainings
                .iter()
                .map(|(name, digest)| format!("{name}: {digest:016x}")),
        );
    }
    for (name, count, digest) in vectors::by_operation(&vectors) {
        println!("{name:<36} {count:>3} {:016x}", digest.value());
    }
    for (name, digest) in &trainings {
        println!("{name:<56} {digest:016x}");
    }
    let total = vectors::total(&vectors, &trainings);
    println!("{:<40} {total:016x}", "total");
}

/// Writes a golden file, keeping the lines for the reader at its head.
fn write(name: &str, lines: impl Iterator<Item = String>) {
    let head: Vec<String> = stored(name)
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(str::to_string)
        .collect();
    let text: Vec<String> = head.into_iter().chain(lines).collect();
    std::fs::write(golden_file(name), text.join("\n") + "\n")
        .expect("the vectors folder is writable");
}
