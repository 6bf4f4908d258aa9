//! A small network on 64 features, 64-128-64-10, trained on the digits data set with AdamW in batches of 32: overhead, not
//! arithmetic, is what it measures. An epoch is the 1,437 training rows in random order.
//!
//! `cargo bench -p repro --bench digits` (`-- --threads 2 --json`). Real rows, and a fixed number of epochs from the first: how
//! many units are dead, and how many numbers subnormal, which processors multiply slowly, depends on both.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

#[path = "support/drawn.rs"]
mod drawing;
#[path = "support/mlp.rs"]
mod mlp;
#[path = "support/timing.rs"]
mod timing;

/// Epochs of a run.
const EPOCHS: u32 = 40;

fn main() {
    let request = timing::Request::read(7);
    let (rows, labels) = digits();
    request.run(|| {
        let mut training = mlp::Digits::new(rows, labels);
        request.measure("digits", "epochs/s", EPOCHS.into(), 0.0, || {
            (0..EPOCHS).for_each(|_| training.epoch());
        });
        if !request.is_json {
            println!("loss of the last batch: {:.5}", training.loss());
        }
    });
}

/// The training rows, that is all but every fifth, divided by 16, and their labels.
fn digits() -> (Vec<f32>, Vec<i32>) {
    let text = include_str!("../../examples/digits/digits.csv");
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    let lines = text.lines().enumerate().filter(|(index, _)| index % 5 != 0);
    for (_, line) in lines {
        let numbers: Vec<f32> = line
            .split(',')
            .map(|field| field.parse().expect("a number"))
            .collect();
        let (label, features) = numbers.split_last().expect("a row has fields");
        rows.extend(features.iter().map(|pixel| pixel / 16.0));
        labels.push(*label as i32);
    }
    (rows, labels)
}
