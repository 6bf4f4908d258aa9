//! Random tensors and orders: functions of seed, stream, step and draw.

use super::{Output, Vector};
use burn_backend::Distribution;
use burn_backend::ops::FloatTensorOps;
use repro::{Repro, ReproDevice, random};

pub fn push(out: &mut Vec<Vector>) {
    let laws = [
        Distribution::Default,
        Distribution::Uniform(-0.3, 0.7),
        Distribution::Bernoulli(0.25),
        Distribution::Normal(0.5, 2.0),
    ];
    for law in laws {
        // Two tensors in one scope: draws 0 and 1 of (seed 21, stream 1, step 3).
        let drawn = random::scope(21, random::DROPOUT, || {
            random::set_step(3);
            let draw = |len: usize| {
                let dtype = burn_backend::FloatDType::F32;
                Repro::float_random([len].into(), law, &ReproDevice, dtype)
            };
            (draw(101), draw(6))
        });
        add(
            out,
            "float_random",
            &format!("{law:?}; seed 21, stream 1, step 3, draws 0 and 1"),
            drawn,
        );
    }
    for (seed, step, len) in [(21, 4, 50), (1, 0, 1), (5, 9, 1009)] {
        let order: Vec<f32> = random::permutation(seed, step, len)
            .into_iter()
            .map(|place| place as f32)
            .collect();
        add(out, "permutation", &format!("{seed}, {step}, {len}"), order);
    }
}

fn add(out: &mut Vec<Vector>, name: &'static str, arguments: &str, output: impl Output) {
    let (mut shapes, mut numbers) = (Vec::new(), Vec::new());
    output.collect(&mut shapes, &mut numbers);
    out.push(Vector {
        name,
        recipe: format!("{name}({arguments})"),
        shapes,
        numbers,
    });
}
