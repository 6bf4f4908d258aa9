//! Three networks of burn-nn's modules and their training: what the digest of weights is taken of.

#![allow(dead_code)]

use super::{digest_of_model, numbers};
use burn::backend::Autodiff;
use burn::module::{AutodiffModule, Module, ModuleMapper, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Gelu,
    LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu,
};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use repro::kernels::random::Draw;
use repro::optim::AdamW;
use repro::{Repro, ReproDevice, random};

pub type Tracked = Autodiff<Repro>;

/// Draws initial weights at once and in order, because burn draws them at first access.
fn drawn<B: Backend, M: Module<B>>(model: M) -> M {
    struct Touch;
    impl<B: Backend> ModuleMapper<B> for Touch {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let _drawn = param.val();
            param
        }
    }
    model.map(&mut Touch)
}

/// A multilayer perceptron with one hidden layer.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    first: Linear<B>,
    relu: Relu,
    dropout: Dropout,
    second: Linear<B>,
}

impl<B: Backend> Mlp<B> {
    pub fn new(sizes: [usize; 3], device: &B::Device) -> Self {
        drawn(Self {
            first: LinearConfig::new(sizes[0], sizes[1]).init(device),
            relu: Relu::new(),
            dropout: DropoutConfig::new(0.25).init(),
            second: LinearConfig::new(sizes[1], sizes[2]).init(device),
        })
    }

    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = self.relu.forward(self.first.forward(x));
        self.second.forward(self.dropout.forward(hidden))
    }
}

/// Two convolutions on images of nine by eight, with both poolings, a batch norm and dropout.
#[derive(Module, Debug)]
pub struct Cnn<B: Backend> {
    first: Conv2d<B>,
    norm: BatchNorm<B>,
    relu: Relu,
    max: MaxPool2d,
    second: Conv2d<B>,
    gelu: Gelu,
    mean: AvgPool2d,
    dropout: Dropout,
    last: Linear<B>,
}

impl<B: Backend> Cnn<B> {
    pub fn new(classes: usize, device: &B::Device) -> Self {
        drawn(Self {
            first: Conv2dConfig::new([2, 6], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: BatchNormConfig::new(6).init(device),
            relu: Relu::new(),
            max: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            second: Conv2dConfig::new([6, 10], [2, 3]).init(device),
            gelu: Gelu::new(),
            mean: AvgPool2dConfig::new([3, 2]).with_strides([1, 1]).init(),
            dropout: DropoutConfig::new(0.1).init(),
            last: LinearConfig::new(10, classes).init(device),
        })
    }

    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = self.norm.forward(self.first.forward(x));
        let x = self.max.forward(self.relu.forward(x));
        let x = self.mean.forward(self.gelu.forward(self.second.forward(x)));
        self.last.forward(self.dropout.forward(x.flatten(1, 3)))
    }
}

/// One block of an encoder over words, post-layer-norm, and a classifier of the mean over the words.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    words: Embedding<B>,
    places: Embedding<B>,
    attention: MultiHeadAttention<B>,
    first_norm: LayerNorm<B>,
    wide: Linear<B>,
    gelu: Gelu,
    narrow: Linear<B>,
    second_norm: LayerNorm<B>,
    dropout: Dropout,
    last: Linear<B>,
}

impl<B: Backend> Transformer<B> {
    const WIDTH: usize = 24;

    pub fn new(words: usize, places: usize, classes: usize, device: &B::Device) -> Self {
        let width = Self::WIDTH;
        drawn(Self {
            words: EmbeddingConfig::new(words, width).init(device),
            places: EmbeddingConfig::new(places, width).init(device),
            attention: MultiHeadAttentionConfig::new(width, 3).init(device),
            first_norm: LayerNormConfig::new(width).init(device),
            wide: LinearConfig::new(width, 2 * width).init(device),
            gelu: Gelu::new(),
            narrow: LinearConfig::new(2 * width, width).init(device),
            second_norm: LayerNormConfig::new(width).init(device),
            dropout: DropoutConfig::new(0.1).init(),
            last: LinearConfig::new(width, classes).init(device),
        })
    }

    pub fn forward(&self, words: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, len] = words.dims();
        let places = Tensor::arange(0..len as i64, &words.device())
            .reshape([1, len])
            .expand([batch, len]);
        let x = self.words.forward(words) + self.places.forward(places);
        let seen = self
            .attention
            .forward(MhaInput::self_attn(x.clone()))
            .context;
        let x = self.first_norm.forward(x + self.dropout.forward(seen));
        let wide = self.gelu.forward(self.wide.forward(x.clone()));
        let x = self
            .second_norm
            .forward(x + self.dropout.forward(self.narrow.forward(wide)));
        self.last.forward(x.mean_dim(1).flatten(1, 2))
    }
}

/// Trains with AdamW and returns the digest of every weight. `cost` is the logits and the classes of a step.
fn trained<M: AutodiffModule<Tracked> + Clone>(
    mut model: M,
    steps: usize,
    logits: impl Fn(&M, usize) -> (Tensor<Tracked, 2>, Vec<i64>),
) -> u64
where
    M::InnerModule: Module<Repro>,
{
    let mut optimiser = AdamW::default().init();
    let loss = CrossEntropyLossConfig::new().init(&ReproDevice);
    random::scope(42, random::DROPOUT, || {
        for step in 0..steps {
            random::set_step(step as u64);
            let (logits, classes) = logits(&model, step);
            let count = classes.len();
            let classes = Tensor::<Tracked, 1, Int>::from_data(
                TensorData::new(classes, [count]),
                &ReproDevice,
            );
            let gradients = loss.forward(logits, classes).backward();
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimiser.step(0.01, model.clone(), gradients);
        }
    });
    digest_of_model(&model.valid())
}

fn initial<M>(make: impl FnOnce(&ReproDevice) -> M) -> M {
    random::scope(42, random::INIT, || make(&ReproDevice))
}

/// The class of example `i` of a step.
fn class(i: usize, step: usize, classes: usize) -> i64 {
    ((i * 7 + step % 7) % classes) as i64
}

/// The weights of an MLP after some steps.
pub fn train_mlp(sizes: [usize; 3], batch: usize, steps: usize) -> u64 {
    let model = initial(|device| Mlp::<Tracked>::new(sizes, device));
    trained(model, steps, |model, step| {
        let x = numbers(step as u64 % 7, batch * sizes[0]);
        let x = Tensor::from_data(TensorData::new(x, [batch, sizes[0]]), &ReproDevice);
        let classes = (0..batch).map(|i| class(i, step, sizes[2])).collect();
        (model.forward(x), classes)
    })
}

/// The weights of a CNN after some steps.
pub fn train_cnn(batch: usize, steps: usize) -> u64 {
    let model = initial(|device| Cnn::<Tracked>::new(5, device));
    trained(model, steps, |model, step| {
        let shape = [batch, 2, 9, 8];
        let x = numbers(step as u64 % 7, shape.iter().product());
        let x = Tensor::from_data(TensorData::new(x, shape), &ReproDevice);
        (
            model.forward(x),
            (0..batch).map(|i| class(i, step, 5)).collect(),
        )
    })
}

/// The weights of a transformer after some steps.
pub fn train_transformer(batch: usize, len: usize, steps: usize) -> u64 {
    let model = initial(|device| Transformer::<Tracked>::new(37, len, 4, device));
    trained(model, steps, |model, step| {
        let draw = Draw::new(step as u64 % 7, 99, 0, 0);
        let words: Vec<i64> = (0..(batch * len) as u64)
            .map(|i| draw.below(i, 37) as i64)
            .collect();
        let words = Tensor::from_data(TensorData::new(words, [batch, len]), &ReproDevice);
        (
            model.forward(words),
            (0..batch).map(|i| class(i, step, 4)).collect(),
        )
    })
}

/// Name and digest of each network after fifty steps.
pub fn trainings() -> Vec<(&'static str, u64)> {
    let mlp = train_mlp([20, 33, 7], 24, 50);
    let transformer = train_transformer(6, 5, 50);
    vec![
        ("mlp 20-33-7, batch 24, 50 steps", mlp),
        ("cnn 2x9x8 to 5, batch 6, 50 steps", train_cnn(6, 50)),
        ("transformer 5 words of 37, batch 6, 50 steps", transformer),
    ]
}
