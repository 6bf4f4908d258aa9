//! One line an operation, name and digest of its result on fixed inputs, and the total: equal on every machine.

#[path = "../tests/support/operations.rs"]
mod operations;
#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let settings = repro::paths::Settings::current();
    eprintln!(
        "path {}, {} threads",
        settings.path.name(),
        settings.threads
    );
    let mut total = support::Digest::default();
    for (name, numbers) in operations::all() {
        total.add(&numbers);
        println!("{name:<24} {:016x}", support::digest(&numbers));
    }
    println!(
        "{:<24} {:016x}",
        "training",
        support::train([20, 33, 7], 24, 50)
    );
    println!("{:<24} {:016x}", "total", total.value());
}
