//! A small network trained on `repro` through burn, and the digest of its weights: the same on every machine, with any number of
//! threads.
//!
//! `cargo run --release -p repro --example train`, and again with `LODE_THREADS=1` or `LODE_REPRO_PATH=scalar`. docs/backend.md
//! explains each step.

use burn::backend::Autodiff;
use burn::module::{AutodiffModule, Module, ModuleVisitor, Param};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, loss::CrossEntropyLossConfig};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::{Int, Tensor, activation, backend::Backend};
use repro::{Repro, ReproDevice, random};

type B = Autodiff<Repro>;

const SEED: u64 = 7;
/// Stream of the examples; the first three are `repro`'s own.
const EXAMPLES: u64 = 10;

#[derive(Module, Debug)]
struct Network<B: Backend> {
    hidden: Linear<B>,
    dropout: Dropout,
    out: Linear<B>,
}

impl<B: Backend> Network<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            hidden: LinearConfig::new(16, 64).init(device),
            dropout: DropoutConfig::new(0.1).init(),
            out: LinearConfig::new(64, 2).init(device),
        }
    }

    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = activation::gelu(self.hidden.forward(x));
        self.out.forward(self.dropout.forward(hidden))
    }
}

fn main() {
    let device = ReproDevice;
    // 256 points in 16 dimensions; the class says on which side of the diagonal the first two coordinates lie.
    let x: Tensor<B, 2> = random::scope(SEED, EXAMPLES, || {
        let law = burn::tensor::Distribution::Normal(0.0, 1.0);
        Tensor::random([256, 16], law, &device)
    });
    let halves = x.clone().slice([0..256, 0..2]).chunk(2, 1);
    let classes: Tensor<B, 1, Int> = halves[0]
        .clone()
        .greater(halves[1].clone())
        .int()
        .flatten(0, 1);

    let mut network = random::init(SEED, || Network::<B>::new(&device));
    let mut optimiser = repro::optim::AdamW::default().init::<B, Network<B>>();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let network = random::scope(SEED, random::DROPOUT, || {
        for step in 1..=100 {
            random::set_step(step);
            let error = loss.forward(network.forward(x.clone()), classes.clone());
            if step == 1 || step % 25 == 0 {
                let value = error.clone().into_scalar();
                println!("step {step:>3}: loss {value:.6} ({:08x})", value.to_bits());
            }
            let gradients = GradientsParams::from_grads(error.backward(), &network);
            network = optimiser.step(0.01, network, gradients);
        }
        network
    });
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    network.valid().visit(&mut digest);
    println!("weights {:016x}", digest.0);
}

/// FNV-1a over the bytes of all weights, in the order in which the network declares them.
struct Digest(u64);

impl ModuleVisitor<Repro> for Digest {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Repro, D>>) {
        let data = param.val().into_data();
        for byte in data
            .to_vec::<f32>()
            .expect("floats")
            .into_iter()
            .flat_map(f32::to_le_bytes)
        {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
