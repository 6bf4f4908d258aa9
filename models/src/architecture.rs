//! Any of the architectures: the one that a `config.json` names in its `model_type`.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Deserialize;

use crate::cnn::{self, Cnn, CnnConfig};
use crate::config::{self, Architecture, MlpConfig, TensorSpec};
use crate::error::{ModelError, excerpt};
use crate::mlp::{Mlp, hidden};
use crate::weights::Weights;

/// The shapes of a model of any architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelConfig {
    /// A multi-layer perceptron.
    Mlp(MlpConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
}

/// The one field that says which fields the others are.
#[derive(Deserialize)]
struct Kind {
    model_type: String,
}

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`ModelError`] for more than [`config::CONFIG_BYTES_MAX`] bytes, for an unknown `model_type`, and as the
    /// architecture says.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        config::check_object(bytes)?;
        let kind: Kind = config::fields(bytes)?;
        match kind.model_type.as_str() {
            config::MODEL_TYPE => MlpConfig::from_json(bytes).map(Self::Mlp),
            cnn::MODEL_TYPE => CnnConfig::from_object(bytes).map(Self::Cnn),
            other => Err(ModelError::ConfigValue {
                field: "model_type".to_owned(),
                value: format!("'{}'", excerpt(other)),
                allowed: format!("'{}' or '{}'", config::MODEL_TYPE, cnn::MODEL_TYPE),
            }),
        }
    }

    /// The canonical `config.json` of these shapes.
    pub fn to_json(&self) -> Vec<u8> {
        match self {
            Self::Mlp(config) => config.to_json(),
            Self::Cnn(config) => config.to_json(),
        }
    }

    /// Numbers in one example's input.
    pub const fn input_size(&self) -> usize {
        match self {
            Self::Mlp(config) => config.input_size(),
            Self::Cnn(config) => config.input_size(),
        }
    }

    /// The linear layers: all of an MLP, those behind the convolutions of a CNN.
    pub const fn head(&self) -> &MlpConfig {
        match self {
            Self::Mlp(config) => config,
            Self::Cnn(config) => config.head(),
        }
    }

    /// Widths of the hidden linear layers.
    pub fn hidden_sizes(&self) -> &[usize] {
        self.head().hidden_sizes()
    }

    /// Outputs: one logit a label.
    pub const fn num_labels(&self) -> usize {
        self.head().num_labels()
    }

    /// The most numbers that one layer takes or gives for one example.
    pub fn widest(&self) -> usize {
        let head = self.head().layers().into_iter().map(|(a, b)| a.max(b));
        let widest = head.max().unwrap_or(1);
        match self {
            Self::Mlp(_) => widest,
            Self::Cnn(config) => widest.max(config.widest_map()),
        }
    }

    /// The number of weights and biases.
    pub fn parameters(&self) -> u64 {
        Architecture::parameters(self)
    }

    /// Multiply-adds for one example: those of the products, biases not counted.
    pub fn multiply_adds(&self) -> u64 {
        Architecture::multiply_adds(self)
    }

    /// The model with these weights. Every parameter exists when this returns; none is drawn later.
    ///
    /// # Errors
    /// [`ModelError`] if the weights are those of another architecture.
    pub fn init<B: Backend>(
        &self,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Model<B>, ModelError> {
        match self {
            Self::Mlp(config) => config.init(weights, device).map(Model::Mlp),
            Self::Cnn(config) => config.init(weights, device).map(Model::Cnn),
        }
    }
}

impl Architecture for ModelConfig {
    fn tensors(&self) -> Vec<TensorSpec> {
        match self {
            Self::Mlp(config) => config.tensors(),
            Self::Cnn(config) => config.tensors(),
        }
    }

    fn parameters(&self) -> u64 {
        match self {
            Self::Mlp(config) => config.parameters(),
            Self::Cnn(config) => config.parameters(),
        }
    }

    fn multiply_adds(&self) -> u64 {
        match self {
            Self::Mlp(config) => config.multiply_adds(),
            Self::Cnn(config) => config.multiply_adds(),
        }
    }
}

/// A model of any architecture; [`ModelConfig::init`] makes one from weights.
#[derive(Module, Debug)]
pub enum Model<B: Backend> {
    /// A multi-layer perceptron.
    Mlp(Mlp<B>),
    /// A convolutional network.
    Cnn(Cnn<B>),
}

impl<B: Backend> Model<B> {
    /// The logits.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, input_size]`
    /// - output: `[batch, num_labels]`
    pub fn forward(&self, input: Tensor<B, 2>) -> Tensor<B, 2> {
        self.forward_with(input, |_, layer, x| hidden(layer, x))
    }

    /// The logits, with hidden linear layers computed by `hidden`, as [`Mlp::forward_with`].
    ///
    /// # Shapes
    ///
    /// As [`Model::forward`].
    pub fn forward_with(
        &self,
        input: Tensor<B, 2>,
        hidden: impl FnMut(usize, &Linear<B>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        match self {
            Self::Mlp(model) => model.forward_with(input, hidden),
            Self::Cnn(model) => model.forward_with(input, hidden),
        }
    }

    /// The weights in the layout of `model.safetensors`.
    ///
    /// # Errors
    /// [`ModelError`] if `config` is another architecture, or a weight is not finite.
    pub fn to_weights(&self, config: &ModelConfig) -> Result<Weights, ModelError> {
        let tensors = match self {
            Self::Mlp(model) => model.tensors(),
            Self::Cnn(model) => model.tensors(),
        };
        Weights::from_tensors(config, tensors)
    }
}
