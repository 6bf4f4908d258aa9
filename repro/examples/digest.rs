//! One line an operation, its name, the number of its golden vectors and their digest, then that of all operations, the
//! trainings, and the total with them: equal on every machine. `LODE_REPRO_PATH` and `LODE_THREADS` choose instructions and
//! threads. Ends with 1 if a vector is not as it is defined, with 2 if it was asked for what there is not.
//!
//! `cargo run --release -p repro --example digest`; with `-- --write` it writes the golden files of `tests/vectors` anew,
//! which changes the definition.

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use support::{golden_file, networks, stored, vectors};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let writes = match &arguments[..] {
        [] => false,
        [word] if word == "--write" => true,
        _ => {
            eprintln!("digest takes no words but --write, which changes the definition");
            return ExitCode::from(2);
        }
    };
    let settings = match repro::paths::check_environment() {
        Ok(settings) => settings,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    eprintln!(
        "path {}, {} threads",
        settings.path.name(),
        settings.threads
    );
    let vectors = vectors::all();
    let trainings = networks::trainings();
    let lines: Vec<String> = vectors.iter().map(|vector| vector.line()).collect();
    if writes {
        write("operations.txt", lines.iter().cloned());
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
    println!(
        "{:<40} {:016x}",
        "operations",
        vectors::operations(&vectors)
    );
    for (name, digest) in &trainings {
        println!("{name:<56} {digest:016x}");
    }
    let total = vectors::total(&vectors, &trainings);
    println!("{:<40} {total:016x}", "total");
    compare(&lines)
}

/// Says whether the vectors are those of version 1.
fn compare(lines: &[String]) -> ExitCode {
    let text = stored("operations.txt");
    let golden: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let differing: Vec<(&String, &&str)> =
        lines.iter().zip(&golden).filter(|(a, b)| a != b).collect();
    if differing.is_empty() && lines.len() == golden.len() {
        eprintln!(
            "version {}: all {} vectors as they are defined",
            repro::VERSION,
            lines.len()
        );
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "NOT version {}: {} of {} vectors differ. See \"When a vector differs\" in docs/backend.md. The first:",
        repro::VERSION,
        differing.len(),
        golden.len()
    );
    if let Some((ours, theirs)) = differing.first() {
        eprintln!("  here     {ours}\n  defined  {theirs}");
    }
    ExitCode::FAILURE
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
