//! The digits network and its training. Its loss is one operation, as PyTorch's is; the weights are those of burn's composed one.

use super::drawing::drawn;
use burn::backend::Autodiff;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use repro::loss::cross_entropy;
use repro::optim::AdamW;
use repro::{Repro, ReproDevice, random};

type Training = Autodiff<Repro>;

/// Numbers a row.
pub const FEATURES: usize = 64;
const CLASSES: usize = 10;
const BATCH: usize = 32;

#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    first: Linear<B>,
    second: Linear<B>,
    third: Linear<B>,
}

impl<B: Backend> Mlp<B> {
    fn new(device: &B::Device) -> Self {
        drawn(Self {
            first: LinearConfig::new(FEATURES, 128).init(device),
            second: LinearConfig::new(128, 64).init(device),
            third: LinearConfig::new(64, CLASSES).init(device),
        })
    }

    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = relu(self.first.forward(x));
        let x = relu(self.second.forward(x));
        self.third.forward(x)
    }
}

/// A training under way.
pub struct Digits {
    model: Option<Mlp<Training>>,
    optimiser: OptimizerAdaptor<AdamW, Mlp<Training>, Training>,
    rows: Vec<f32>,
    labels: Vec<i32>,
    epochs: u64,
    loss: f32,
}

impl Digits {
    /// Before the first step. Of each row 64 features, and its label.
    pub fn new(rows: Vec<f32>, labels: Vec<i32>) -> Self {
        assert_eq!(rows.len(), labels.len() * FEATURES, "64 features a row");
        let model = random::scope(1, random::INIT, || Mlp::new(&ReproDevice));
        Self {
            model: Some(model),
            optimiser: AdamW::default().init(),
            rows,
            labels,
            epochs: 0,
            loss: f32::NAN,
        }
    }

    /// Loss of the last batch before its step.
    pub fn loss(&self) -> f32 {
        self.loss
    }

    /// Every row once, in random order.
    pub fn epoch(&mut self) {
        let order = random::permutation(1, self.epochs, self.labels.len());
        self.epochs += 1;
        for batch in order.chunks(BATCH) {
            self.step(batch);
        }
    }

    /// A step on some rows.
    pub fn step(&mut self, batch: &[usize]) {
        let mut x = Vec::with_capacity(batch.len() * FEATURES);
        for row in batch {
            x.extend_from_slice(&self.rows[row * FEATURES..][..FEATURES]);
        }
        let y: Vec<i32> = batch.iter().map(|&row| self.labels[row]).collect();
        let x = Tensor::from_data(TensorData::new(x, [batch.len(), FEATURES]), &ReproDevice);
        let y =
            Tensor::<Training, 1, Int>::from_data(TensorData::new(y, [batch.len()]), &ReproDevice);
        let model = self.model.take().expect("a model between steps");
        let cost = cross_entropy(model.forward(x), y);
        self.loss = cost.clone().inner().into_scalar();
        let grads = GradientsParams::from_grads(cost.backward(), &model);
        self.model = Some(self.optimiser.step(1e-3, model, grads));
    }
}
