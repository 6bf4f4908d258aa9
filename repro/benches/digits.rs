//! A small network on 64 features, 64-128-64-10, trained with AdamW in batches of 32: overhead, not arithmetic, is what it
//! measures. An epoch is 1,437 rows in random order, as in the training part of the digits data set; the rows are random.
//!
//! `cargo bench -p repro --bench digits` (`-- --threads 2 --json`).

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

#[path = "support/drawn.rs"]
mod drawing;
#[path = "support/mlp.rs"]
mod mlp;
#[path = "support/timing.rs"]
mod timing;

fn main() {
    let request = timing::Request::read(7);
    request.run(|| {
        let mut training = mlp::Digits::new();
        request.measure("digits", "epochs/s", 1.0, 1.0, || {
            training.epoch();
        });
        if !request.is_json {
            println!("loss of the last batch: {:.4}", training.loss());
        }
    });
}
