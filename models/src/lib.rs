//! Architectures, generic over burn's `Backend`, and their weights in
//! safetensors, in and out.
//!
//! Works on bytes: this crate opens no file and no folder. What comes from
//! outside is checked against a named limit before anything is allocated for
//! it, and every error has a stable code and a place, because each honest
//! evaluator must find the same fault at the same spot.
//!
//! | module | what it holds |
//! |---|---|
//! | [`architecture`] | any of the architectures, as `config.json` names it |
//! | [`config`] | `config.json` of an MLP; what every architecture is counted by |
//! | [`mlp`] | the multi-layer perceptron |
//! | [`cnn`] | the convolutional network and its `config.json` |
//! | [`weights`] | named tensors, their digest, the canonical writer |
//! | [`reader`] | strict reading of `model.safetensors` |
//! | [`error`] | codes and places |

pub mod architecture;
pub mod cnn;
pub mod config;
pub mod error;
pub mod mlp;
pub mod reader;
mod strict;
pub mod weights;

pub use architecture::{Model, ModelConfig};
pub use cnn::{Cnn, CnnConfig, ConvLayer};
pub use config::{Architecture, Limits, MlpConfig, TensorSpec};
pub use error::ModelError;
pub use mlp::{Mlp, hidden};
pub use weights::{Tensor, Weights};
