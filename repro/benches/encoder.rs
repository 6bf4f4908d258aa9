//! A text encoder of MiniLM's size (6 layers, 384 wide, 12 heads, 1536 inside; 22.7 million weights, drawn from a seed):
//! reading 32 texts of 64 tokens, and training on 16 and 32 of them with AdamW and a dropout of 0.1.
//!
//! `cargo bench -p repro --bench encoder` (`-- --threads 2 --runs 5 --only read --json`). Speed does not depend on the
//! weights, so nothing needs to be downloaded.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

#[path = "support/drawn.rs"]
mod drawing;
#[path = "support/encoder.rs"]
mod model;
#[path = "support/timing.rs"]
mod timing;

use burn::backend::Autodiff;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use drawing::drawn;
use model::{Encoder, Reader, WORDS};
use repro::linear::linear_gelu;
use repro::optim::AdamW;
use repro::{Repro, ReproDevice, random, weights};
use std::hint::black_box;

type Training = Autodiff<Repro>;

fn main() {
    let request = timing::Request::read(5);
    request.run(|| {
        for (batch, len) in [(32, 64), (8, 64), (32, 128)] {
            read(&request, batch, len);
        }
        for batch in [16, 32] {
            train(&request, batch, 64);
        }
    });
}

fn read(request: &timing::Request, batch: usize, len: usize) {
    let work = format!("read {batch}x{len}");
    if !request.wants(&work) {
        return;
    }
    let encoder = random::scope(1, random::INIT, || Encoder::<Repro>::new(&ReproDevice));
    let reader = Reader::new(encoder);
    let tokens = tokens::<Repro>(0, batch, len);
    weights::kept(|| {
        request.measure(&work, "sentences/s", batch as f64, 0.5, || {
            black_box(reader.forward(tokens.clone(), |layer, x| {
                let bias = layer.bias.as_ref().map(|bias| bias.val());
                linear_gelu(x, layer.weight.val(), bias)
            }));
        });
    });
}

fn train(request: &timing::Request, batch: usize, len: usize) {
    let work = format!("train {batch}x{len}");
    if !request.wants(&work) {
        return;
    }
    let encoder = random::scope(1, random::INIT, || Encoder::<Training>::new(&ReproDevice));
    let (mut model, mut step) = (Some(encoder), 0);
    let mut optimiser = AdamW::default().init();
    let loss = CrossEntropyLossConfig::new().init(&ReproDevice);
    let tokens = tokens::<Training>(0, batch, len);
    let classes: Vec<i32> = (0..batch).map(|row| (row % 2) as i32).collect();
    let classes =
        Tensor::<Training, 1, Int>::from_data(TensorData::new(classes, [batch]), &ReproDevice);
    random::scope(1, random::DROPOUT, || {
        request.measure(&work, "steps/s", 1.0, 1.0, || {
            random::set_step(step);
            step += 1;
            let now = model.take().expect("a model between steps");
            let cost = loss.forward(now.classify(tokens.clone()), classes.clone());
            let grads = GradientsParams::from_grads(cost.backward(), &now);
            model = Some(optimiser.step(2e-5, now, grads));
        });
    });
}

fn tokens<B: Backend<Device = ReproDevice>>(
    seed: u64,
    batch: usize,
    len: usize,
) -> Tensor<B, 2, Int> {
    let draw = repro::kernels::random::Draw::new(seed, 9, 0, 0);
    let tokens: Vec<i32> = (0..(batch * len) as u64)
        .map(|index| draw.below(index, WORDS as u64) as i32)
        .collect();
    Tensor::from_data(TensorData::new(tokens, [batch, len]), &ReproDevice)
}
