//! The training loop: rows in, weights out.
//!
//! On one thread, with the optimiser of the recipe. Classes are learnt by softmax cross-entropy, numbers
//! by their mean squared error after standardising ([`crate::scaling`]). All
//! that is random comes from `repro`'s counter-based generator and is a
//! function of (seed, stream, step, draw, index):
//!
//! - initial weights and biases: stream `INIT`, step 0, one draw a tensor in the
//!   order of declaration; uniform in ±1/√(inputs of the layer), row-major as
//!   in the file;
//! - order of the rows: stream `SHUFFLE`, step = epoch from 0;
//! - rows that are held out: stream `SHUFFLE`, step 2⁶⁴ − 1: the first `held_out · rows`, rounded down but at
//!   least one, of that order; the others train, in ascending order;
//! - dropout: stream `DROPOUT`, step = training step from 1, draw = index of
//!   the hidden layer; an element of the batch, row-major, is kept if its number
//!   is below `1 − dropout`, and then multiplied by the binary32 nearest to
//!   `1 / (1 − dropout)`;
//! - input noise: stream [`NOISE`], step = training step from 1, draw 0; added after scaling.
//!
//! **Order.** The loss of a batch of classes is the mean over its rows of the negated sum
//! over classes of log-softmax × target, summed by `repro`'s rule; the targets
//! are `s/C` (binary32), for the label `(1 − s) + s/C`. The loss of numbers is the mean of the squared differences.
//! Step `t` (from 1) of `T` has in binary64 the learning rate `r` (constant), `r·(T − t + 1)/T` (linear),
//! `r·(1 + c)/2` with `c` the binary32 cosine of π·((t − 1)/T) (cosine) or `r·fⁿ` with `n` the whole number of
//! `step_epochs` that are over (step); up to step `W` of a warm-up that is multiplied by `t` and divided by `W`.
//!
//! With rows held out, each epoch ends with their loss: the mean in binary64, in ascending order of the rows, of each row's
//! loss without dropout, noise and smoothing. The weights of the epoch with the least (the first such) are the result.
//!
//! Nothing is evaluated on the autodiff backend: a forward pass without a
//! backward pass stays in its graph for ever.

mod rows;
mod step;
mod trainer;

use burn::backend::Autodiff;
use models::{ModelConfig, ModelError, Weights};
use ndarray::ArrayView2;
use repro::Repro;

use crate::recipe::{Recipe, RecipeError};

pub use step::initial_weights;
pub use trainer::{Best, Counts, State, Trainer};

/// Stream of the noise on the inputs; `repro` names the streams below.
pub const NOISE: u64 = 3;

/// The most parameters of a model that is trained here (1 GiB of weights).
pub const PARAMETERS_MAX: u64 = 1 << 28;

pub(crate) type Training = Autodiff<Repro>;

/// What the rows shall come to.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// A class a row.
    Classes {
        /// The class of each row, below `classes`.
        labels: &'a [u32],
        /// Number of classes, the outputs of the model.
        classes: u32,
    },
    /// A number a row; the model has one output.
    Values(&'a [f32]),
}

impl Targets<'_> {
    /// Number of rows.
    pub const fn len(&self) -> usize {
        match self {
            Self::Classes { labels, .. } => labels.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Outputs of a model for them.
    pub const fn outputs(&self) -> u32 {
        match self {
            Self::Classes { classes, .. } => *classes,
            Self::Values(_) => 1,
        }
    }
}

/// How far a training is; given after every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch under way, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Steps done.
    pub step: u64,
    /// Steps in all, if it does not end early.
    pub steps: u64,
    /// Mean loss of the epoch's batches so far, each weighted by its rows.
    pub loss: f64,
    /// Loss of the rows held out in the best epoch so far.
    pub held_out_loss: Option<f64>,
}

/// What a training gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The shapes.
    pub config: ModelConfig,
    /// The weights.
    pub weights: Weights,
    /// Rows it was trained on, without those held out.
    pub rows: u64,
    /// Epochs done: fewer than the recipe's if it ended early.
    pub epochs: u64,
    /// Steps taken.
    pub steps: u64,
    /// Mean loss over the last epoch, with dropout, noise and smoothing.
    pub loss: f64,
    /// The best epoch, from 1, if rows were held out: the weights are those at its end.
    pub best_epoch: Option<u64>,
    /// The loss of the rows held out after that epoch.
    pub held_out_loss: Option<f64>,
}

/// Why a training gives nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// The recipe has a value out of range.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The shapes or the base do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There are no rows, or not one label a row.
    #[error(
        "there are {rows} rows and {labels} labels: each row has a label, and at least one is needed"
    )]
    Rows {
        /// Rows given.
        rows: usize,
        /// Labels given.
        labels: usize,
    },
    /// All rows would be held out.
    #[error("of {rows} rows none would be left to train on: hold out fewer")]
    HeldOut {
        /// Rows given.
        rows: usize,
    },
    /// A label that is no class.
    #[error("the label of row {row} is {label}, classes are 0 to {}", .classes - 1)]
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: u32,
    },
    /// A target that is not a number.
    #[error("the target of row {row} is not a finite number")]
    Value {
        /// The row.
        row: usize,
    },
    /// The loss, or a weight, is not a number any more.
    #[error("the loss or a weight is not finite after step {step}: try a lower learning rate")]
    Diverged {
        /// The step, from 1.
        step: u64,
    },
}

impl FitError {
    /// The stable code, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Recipe(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Rows { .. } => "train_rows",
            Self::HeldOut { .. } => "train_held_out",
            Self::Label { .. } => "train_label",
            Self::Value { .. } => "train_value",
            Self::Diverged { .. } => "train_diverged",
        }
    }
}

/// Trains a model from scratch, or from the weights of a base of the same shapes.
///
/// # Shapes
///
/// - inputs: `[rows, input_size]`
/// - targets: `[rows]`
///
/// # Errors
/// [`FitError`] if recipe, rows, targets or base do not fit together, and if the
/// loss stops being a number.
pub fn fit(
    recipe: &Recipe,
    inputs: ArrayView2<'_, f32>,
    targets: Targets<'_>,
    base: Option<&Weights>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fitted, FitError> {
    let mut trainer = Trainer::new(recipe, inputs, targets, base)?;
    while !trainer.is_finished() {
        progress(trainer.step()?);
    }
    trainer.finish()
}
