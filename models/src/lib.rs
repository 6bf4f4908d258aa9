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
//! | [`config`] | `config.json` of a model: its shapes, its counts |
//! | [`mlp`] | the multi-layer perceptron |
//! | [`weights`] | named tensors, their digest, the canonical writer |
//! | [`reader`] | strict reading of `model.safetensors` |
//! | [`error`] | codes and places |

pub mod config;
pub mod error;
pub mod mlp;
pub mod reader;
pub mod weights;

pub use config::{Limits, MlpConfig, TensorSpec};
pub use error::ModelError;
pub use mlp::Mlp;
pub use weights::{Tensor, Weights};
