//! A text encoder of MiniLM's size, as BERT is built: embeddings, then layers of attention and feed-forward, each followed
//! by the addition of its input and a layer norm.

use burn::module::Module;
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Distribution, Int, Tensor};

/// Words it knows.
pub const WORDS: usize = 30_522;
/// Places a text may have.
const PLACES: usize = 512;
/// Numbers a token.
pub const WIDTH: usize = 384;
/// Attention heads.
const HEADS: usize = 12;
/// Layers.
const LAYERS: usize = 6;
/// Numbers a token between the two halves of a feed-forward.
const INNER: usize = 1536;
/// Share of the numbers that training leaves out.
const DROPOUT: f64 = 0.1;

/// The encoder with a classifier of two classes on the first token.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    words: Embedding<B>,
    places: Embedding<B>,
    kinds: Embedding<B>,
    norm: LayerNorm<B>,
    layers: Vec<Layer<B>>,
    pooler: Linear<B>,
    classifier: Linear<B>,
}

#[derive(Module, Debug)]
struct Layer<B: Backend> {
    query: Linear<B>,
    key: Linear<B>,
    value: Linear<B>,
    output: Linear<B>,
    attention_norm: LayerNorm<B>,
    widen: Linear<B>,
    narrow: Linear<B>,
    norm: LayerNorm<B>,
}

impl<B: Backend> Encoder<B> {
    /// Random weights; needs a scope of `repro::random`.
    pub fn new(device: &B::Device) -> Self {
        let model = Self {
            words: embedding(WORDS, device),
            places: embedding(PLACES, device),
            kinds: embedding(2, device),
            norm: norm(device),
            layers: (0..LAYERS).map(|_| Layer::new(device)).collect(),
            pooler: dense(WIDTH, WIDTH, device),
            classifier: dense(WIDTH, 2, device),
        };
        super::drawn(model)
    }

    fn embed(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let [_, len] = tokens.dims();
        let words = self.words.forward(tokens);
        let places = self.places.weight.val().narrow(0, 0, len);
        let kind = self.kinds.weight.val().narrow(0, 0, 1);
        let sum = words + kind.unsqueeze() + places.unsqueeze();
        self.norm.forward(sum)
    }

    /// The classes' logits, with dropout, for training.
    ///
    /// **Shapes.** `[batch, len]` to `[batch, 2]`.
    pub fn classify(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, _] = tokens.dims();
        let mut x = dropout(self.embed(tokens));
        for layer in &self.layers {
            x = layer.train(x);
        }
        let first = x.slice([0..batch, 0..1]).reshape([batch, WIDTH]);
        let pooled = self.pooler.forward(first).tanh();
        self.classifier.forward(dropout(pooled))
    }
}

impl<B: Backend> Layer<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            query: dense(WIDTH, WIDTH, device),
            key: dense(WIDTH, WIDTH, device),
            value: dense(WIDTH, WIDTH, device),
            output: dense(WIDTH, WIDTH, device),
            attention_norm: norm(device),
            widen: dense(WIDTH, INNER, device),
            narrow: dense(INNER, WIDTH, device),
            norm: norm(device),
        }
    }

    /// **Shapes.** `[batch, len, WIDTH]` to the same.
    fn train(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let query = heads(self.query.forward(x.clone()));
        let key = heads(self.key.forward(x.clone()));
        let value = heads(self.value.forward(x.clone()));
        let scale = 1.0 / ((WIDTH / HEADS) as f64).sqrt();
        let scores = query.matmul(key.swap_dims(2, 3)) * scale;
        let mixed = dropout(softmax(scores, 3)).matmul(value);
        let x = self
            .attention_norm
            .forward(x + dropout(self.output.forward(together(mixed))));
        let inner = gelu(self.widen.forward(x.clone()));
        self.norm.forward(x + dropout(self.narrow.forward(inner)))
    }
}

/// The encoder as it is used: the weights of query, key and value side by side, so that one product makes all three. Every
/// number is that of three products.
pub struct Reader<B: Backend> {
    encoder: Encoder<B>,
    joined: Vec<Linear<B>>,
}

impl<B: Backend> Reader<B> {
    /// An encoder to read with.
    pub fn new(encoder: Encoder<B>) -> Self {
        let joined = encoder.layers.iter().map(Layer::joined).collect();
        Self { encoder, joined }
    }

    /// The numbers of every token, and the pooled ones of each text, as BERT gives them. `widen` is a linear map and GELU,
    /// which some backends have as one operation.
    ///
    /// **Shapes.** `[batch, len]` to `[batch, len, WIDTH]` and `[batch, WIDTH]`.
    pub fn forward(
        &self,
        tokens: Tensor<B, 2, Int>,
        widen: impl Fn(&Linear<B>, Tensor<B, 3>) -> Tensor<B, 3>,
    ) -> (Tensor<B, 3>, Tensor<B, 2>) {
        let [batch, len] = tokens.dims();
        let mut x = self.encoder.embed(tokens);
        for (layer, joined) in self.encoder.layers.iter().zip(&self.joined) {
            let all = joined
                .forward(x.clone())
                .reshape([batch, len, 3 * HEADS, WIDTH / HEADS]);
            let part = |at: usize| all.clone().narrow(2, at * HEADS, HEADS).swap_dims(1, 2);
            let (query, key, value) = (part(0), part(1), part(2));
            let options = AttentionModuleOptions::default();
            let mixed = attention(query, key, value, None, None, options);
            drop(all);
            let attended = layer.output.forward(together(mixed));
            x = layer.attention_norm.forward(attended + x);
            let inner = widen(&layer.widen, x.clone());
            x = layer.norm.forward(layer.narrow.forward(inner) + x);
        }
        let first = x.clone().slice([0..batch, 0..1]).reshape([batch, WIDTH]);
        let pooled = self.encoder.pooler.forward(first).tanh();
        (x, pooled)
    }
}

impl<B: Backend> Layer<B> {
    fn joined(&self) -> Linear<B> {
        let parts = [&self.query, &self.key, &self.value];
        let weights = parts.map(|part| part.weight.val()).to_vec();
        let biases = parts.map(|part| part.bias.as_ref().expect("a bias").val());
        Linear {
            weight: burn::module::Param::from_tensor(Tensor::cat(weights, 1)),
            bias: Some(burn::module::Param::from_tensor(Tensor::cat(
                biases.to_vec(),
                0,
            ))),
        }
    }
}

/// **Shapes.** `[batch, len, WIDTH]` to `[batch, HEADS, len, WIDTH / HEADS]`.
fn heads<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 4> {
    let [batch, len, _] = x.dims();
    x.reshape([batch, len, HEADS, WIDTH / HEADS])
        .swap_dims(1, 2)
}

/// **Shapes.** `[batch, HEADS, len, WIDTH / HEADS]` to `[batch, len, WIDTH]`.
fn together<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, _, len, _] = x.dims();
    x.swap_dims(1, 2).reshape([batch, len, WIDTH])
}

/// As burn's `Dropout`, to the bit; but the mask is scaled, not the numbers, which is one pass less each way.
fn dropout<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let keep = 1.0 - DROPOUT;
    let mask = x.random_like(Distribution::Bernoulli(keep)) * (1.0 / keep);
    x * mask
}

fn embedding<B: Backend>(count: usize, device: &B::Device) -> Embedding<B> {
    EmbeddingConfig::new(count, WIDTH)
        .with_initializer(normal())
        .init(device)
}

fn dense<B: Backend>(from: usize, to: usize, device: &B::Device) -> Linear<B> {
    LinearConfig::new(from, to)
        .with_initializer(normal())
        .init(device)
}

fn norm<B: Backend>(device: &B::Device) -> LayerNorm<B> {
    LayerNormConfig::new(WIDTH).with_epsilon(1e-12).init(device)
}

fn normal() -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: 0.02,
    }
}
