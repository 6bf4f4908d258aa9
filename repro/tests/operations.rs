//! Every operation gives its golden bits, on every path, at every thread count.

#[path = "support/operations.rs"]
mod operations;
mod support;

use repro::paths;
use support::{assert_golden, bits, digest, every_setting};

/// `name, number of elements, digest, first bits`.
fn lines(results: &[(&'static str, Vec<f32>)]) -> Vec<String> {
    results
        .iter()
        .map(|(name, numbers)| {
            let first: Vec<String> = bits(&numbers[..numbers.len().min(6)])
                .iter()
                .map(|bits| format!("{bits:08x}"))
                .collect();
            format!(
                "{name} {} {:016x} {}",
                numbers.len(),
                digest(numbers),
                first.join(" ")
            )
        })
        .collect()
}

#[test]
fn every_operation_gives_the_stored_bits_on_every_path_and_thread_count() {
    for settings in every_setting() {
        let results = paths::with(settings, operations::all);
        assert_golden("operations.txt", &lines(&results));
    }
}

#[test]
fn every_operation_gives_the_same_bits_twice() {
    assert_eq!(lines(&operations::all()), lines(&operations::all()));
}
