//! The reproducible burn backend: every operation is defined to the bit, on any CPU, at any thread count,
//! in any batch size.
//!
//! [`Repro`] stands behind burn's `Tensor` like any backend. What it can do is version 1 of the arithmetic;
//! everything else *refuses to run*, by a panic that names the operation, and never falls back to
//! something that rounds otherwise. `ops.txt` beside the manifest classifies every method of
//! burn's backend traits. How to begin stands in `docs/backend.md`, a whole training in `examples/train.rs`.
//!
//! | module | holds |
//! |---|---|
//! | [`kernels`] | the definition: operations over slices, which know no burn type |
//! | `backend` | burn's traits, thin over the kernels; only what cannot round goes to burn-flex |
//! | [`random`] | the scope that gives a job its random numbers |
//! | [`linear`] | a linear map and its activation as one operation |
//! | [`loss`] | cross-entropy as one operation |
//! | [`optim`] | AdamW, whose bias correction burn leaves to the platform; SGD |
//! | [`weights`] | weights packed once and kept: for a model that is loaded, or a job |
//! | [`f64fn`] | `exp` and `ln` in binary64, for metrics |
//!
//! Which instructions and how many threads: [`kernels::paths`]. Neither changes a bit.
//!
//! Two gradients are burn-autodiff's, not ours, and are part of the definition as they are: the gradient of
//! a mean multiplies by `1/n` rounded to binary32 (the mean itself divides by `n`), and the gradient of a
//! broadcast sums the broadcast axes one at a time, left to right.

mod backend;
pub mod f64fn;
pub mod kernels;
pub mod linear;
pub mod loss;
pub mod optim;
pub mod random;
pub mod weights;

pub use backend::{Repro, ReproDevice};
pub use kernels::paths;

/// Version of the arithmetic. A bounty names the version it is scored under.
pub const VERSION: u32 = 1;
