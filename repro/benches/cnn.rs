//! The small convolutional network of the baselines on the shapes of Fashion-MNIST: images a second in training and in
//! inference.
//!
//! `cargo bench -p repro --bench cnn` (`-- --threads 2`, `-- --json`). Its peer is `fashion_cnn.py` of the baselines: the same
//! layers, Adam, batches of 128. Run both in one quiet stretch and quote the ratio.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

use burn::backend::Autodiff;
use burn::module::{AutodiffModule, Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use repro::optim::AdamW;
use repro::paths::{self, Settings};
use repro::{Repro, ReproDevice, random};
use std::hint::black_box;
use std::time::Instant;

const BATCH: usize = 128;

#[derive(Module, Debug)]
struct Net<B: Backend> {
    first: Conv2d<B>,
    second: Conv2d<B>,
    pool: MaxPool2d,
    relu: Relu,
    hidden: Linear<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    /// Initial weights are drawn at once and in order, because burn draws them at first access.
    fn new(device: &B::Device) -> Self {
        struct Draw;
        impl<B: Backend> ModuleMapper<B> for Draw {
            fn map_float<const D: usize>(
                &mut self,
                param: Param<Tensor<B, D>>,
            ) -> Param<Tensor<B, D>> {
                let _drawn = param.val();
                param
            }
        }
        let conv = |channels| {
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let net = Self {
            first: conv([1, 32]),
            second: conv([32, 64]),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            relu: Relu::new(),
            hidden: LinearConfig::new(64 * 7 * 7, 128).init(device),
            head: LinearConfig::new(128, 10).init(device),
        };
        net.map(&mut Draw)
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = self.pool.forward(self.relu.forward(self.first.forward(x)));
        let x = self.pool.forward(self.relu.forward(self.second.forward(x)));
        let x = self.relu.forward(self.hidden.forward(x.flatten(1, 3)));
        self.head.forward(x)
    }
}

fn images<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    let pixel = |i: usize| (i * 7919 % 256) as f32 / 255.0;
    let data = (0..BATCH * 28 * 28).map(pixel).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(data, [BATCH, 1, 28, 28]), device)
}

fn labels<B: Backend>(device: &B::Device) -> Tensor<B, 1, Int> {
    let data = (0..BATCH as i32).map(|i| i * 7 % 10).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(data, [BATCH]), device)
}

/// Calls a second: the median of some stretches, after some calls that do not count.
fn rate(stretch_s: f64, mut f: impl FnMut()) -> f64 {
    (0..3).for_each(|_| f());
    let mut rates: Vec<f64> = (0..5)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0);
            loop {
                f();
                calls += 1;
                let spent = start.elapsed().as_secs_f64();
                if spent > stretch_s {
                    return f64::from(calls) / spent;
                }
            }
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().skip_while(|a| *a != name).nth(1);
    let threads: usize = after("--threads").map_or(1, |t| t.parse().expect("a number"));
    let seconds: f64 = after("--seconds").map_or(1.0, |t| t.parse().expect("a number"));
    let settings = Settings::current().with_threads(threads);
    let device = ReproDevice;
    let (train, infer) = paths::with(settings, || {
        let mut net = random::scope(42, random::INIT, || Net::<Autodiff<Repro>>::new(&device));
        let loss = CrossEntropyLossConfig::new().init(&device);
        let adam = AdamW {
            weight_decay: 0.0,
            ..AdamW::default()
        };
        let mut optimiser = adam.init();
        let (x, y) = (images(&device), labels(&device));
        let train = rate(seconds, || {
            let cost = loss.forward(net.forward(x.clone()), y.clone());
            let grads = GradientsParams::from_grads(cost.backward(), &net);
            net = optimiser.step(1e-3, net.clone(), grads);
        });
        let net = net.valid();
        let x = images::<Repro>(&device);
        let infer = rate(seconds, || {
            black_box(net.forward(x.clone()).into_data());
        });
        (train * BATCH as f64, infer * BATCH as f64)
    });
    if arguments.iter().any(|a| a == "--json") {
        let path = settings.path.name();
        println!(
            "{{\"bench\": \"cnn\", \"path\": \"{path}\", \"threads\": {threads}, \"train_images_per_s\": {train:.1}, \"infer_images_per_s\": {infer:.1}}}"
        );
    } else {
        println!("path {}, {threads} threads", settings.path.name());
        println!("training  {train:>9.0} images/s");
        println!("inference {infer:>9.0} images/s");
    }
}
