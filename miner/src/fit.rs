//! The training loop: rows in, weights out.
//!
//! AdamW ([`repro::optim::AdamW`]) on softmax cross-entropy, on one thread. All
//! that is random comes from `repro`'s counter-based generator and is a
//! function of (seed, stream, step, draw, index):
//!
//! - initial weights and biases: stream `INIT`, step 0, one draw a tensor in the
//!   order of declaration; uniform in ±1/√(inputs of the layer), row-major as
//!   in the file;
//! - order of the rows: stream `SHUFFLE`, step = epoch from 0;
//! - dropout: stream `DROPOUT`, step = training step from 1, draw = index of
//!   the hidden layer; an element of the batch, row-major, is kept if its number
//!   is below `1 − dropout`, and then multiplied by the binary32 nearest to
//!   `1 / (1 − dropout)`;
//! - input noise: stream [`NOISE`], step = training step from 1, draw 0.
//!
//! **Order.** The loss of a batch is the mean over its rows of the negated sum
//! over classes of log-softmax × target, summed by `repro`'s rule; the targets
//! are `s/C` (binary32), for the label `(1 − s) + s/C`. Step `t` (from 1) of `T` has
//! the learning rate `r·(T − t + 1)/T` in binary64 if the schedule is linear.
//!
//! Nothing is evaluated on the autodiff backend: a forward pass without a
//! backward pass stays in its graph for ever.

use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use models::{Mlp, MlpConfig, ModelError, TensorSpec, Weights};
use ndarray::ArrayView2;
use repro::kernels::random::{Distribution, Draw};
use repro::optim::AdamW;
use repro::paths::Settings;
use repro::random::{DROPOUT, INIT, permutation};
use repro::{Repro, ReproDevice};

use crate::recipe::{Recipe, RecipeError, Schedule};

/// Stream of the noise on the inputs; `repro` names the streams below.
pub const NOISE: u64 = 3;

/// The most parameters of a model that is trained here (1 GiB of weights).
pub const PARAMETERS_MAX: u64 = 1 << 28;

type Training = Autodiff<Repro>;

/// How far a training is; given after every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch under way, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean loss of the epoch's batches so far, each weighted by its rows.
    pub loss: f64,
}

/// What a training gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The shapes.
    pub config: MlpConfig,
    /// The weights.
    pub weights: Weights,
    /// Steps taken.
    pub steps: u64,
    /// Mean loss over the last epoch, with dropout, noise and smoothing.
    pub loss: f64,
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
    /// The loss is not a number any more.
    #[error("the loss is not finite in step {step}: try a lower learning rate")]
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
            Self::Label { .. } => "train_label",
            Self::Diverged { .. } => "train_diverged",
        }
    }
}

/// Trains a model from scratch, or from the weights of a base of the same shapes.
///
/// # Shapes
///
/// - inputs: `[rows, input_size]`
/// - labels: `[rows]`, each below `classes`
///
/// # Errors
/// [`FitError`] if recipe, rows, labels or base do not fit together, and if the
/// loss stops being a number.
pub fn fit(
    recipe: &Recipe,
    inputs: ArrayView2<'_, f32>,
    labels: &[u32],
    classes: u32,
    base: Option<&Weights>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fitted, FitError> {
    recipe.check()?;
    check_rows(inputs, labels, classes)?;
    let config = MlpConfig::new(
        inputs.ncols() as u64,
        &recipe.model.hidden,
        u64::from(classes),
    )?;
    if config.parameters() > PARAMETERS_MAX {
        let (parameters, limit) = (config.parameters(), PARAMETERS_MAX);
        return Err(ModelError::TooManyParameters { parameters, limit }.into());
    }
    let weights = match base {
        Some(weights) => weights.clone(),
        None => initial_weights(&config, recipe.train.seed)?,
    };
    let mut rows = Rows::new(recipe, inputs, labels, classes as usize);
    let mut model: Mlp<Training> = config.init(&weights, &ReproDevice)?;
    let mut optimizer = optimizer(recipe).init();
    let batch_size = recipe.train.batch_size as usize;
    let epochs = recipe.train.epochs;
    let steps = epochs * labels.len().div_ceil(batch_size) as u64;
    let (mut step, mut loss) = (0, 0.0);
    for epoch in 0..epochs {
        let order = permutation(recipe.train.seed, epoch, labels.len());
        let (mut total, mut seen) = (0.0, 0);
        for batch in order.chunks(batch_size) {
            step += 1;
            let rate = learning_rate(recipe, step, steps);
            let (batch_loss, trained) =
                advance(recipe, &mut rows, model, &mut optimizer, batch, step, rate);
            model = trained;
            if !batch_loss.is_finite() {
                return Err(FitError::Diverged { step });
            }
            total += f64::from(batch_loss) * batch.len() as f64;
            seen += batch.len();
            loss = total / seen as f64;
            progress(Progress {
                epoch: epoch + 1,
                epochs,
                step,
                steps,
                loss,
            });
        }
    }
    let weights = model.valid().to_weights(&config)?;
    Ok(Fitted {
        config,
        weights,
        steps,
        loss,
    })
}

fn check_rows(inputs: ArrayView2<'_, f32>, labels: &[u32], classes: u32) -> Result<(), FitError> {
    if inputs.nrows() == 0 || inputs.nrows() != labels.len() {
        return Err(FitError::Rows {
            rows: inputs.nrows(),
            labels: labels.len(),
        });
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(row) => Err(FitError::Label {
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

/// Initial weights; the module's head says from which numbers.
///
/// # Errors
/// None for a checked configuration.
pub fn initial_weights(config: &MlpConfig, seed: u64) -> Result<Weights, ModelError> {
    let path = Settings::current().path;
    let mut draw = 0;
    Weights::generate(config, |spec: &TensorSpec| {
        let high = 1.0 / (spec.fan_in as f32).sqrt();
        let numbers = Draw::new(seed, INIT, 0, draw);
        draw += 1;
        numbers.fill(path, Distribution::Uniform { low: -high, high }, spec.len())
    })
}

fn optimizer(recipe: &Recipe) -> AdamW {
    AdamW {
        beta_1: recipe.train.beta_1 as f32,
        beta_2: recipe.train.beta_2 as f32,
        epsilon: recipe.train.epsilon as f32,
        weight_decay: recipe.train.weight_decay as f32,
    }
}

fn learning_rate(recipe: &Recipe, step: u64, steps: u64) -> f64 {
    match recipe.train.schedule {
        Schedule::Constant => recipe.train.learning_rate,
        Schedule::Linear => recipe.train.learning_rate * (steps - step + 1) as f64 / steps as f64,
    }
}

/// One step: the loss of the batch before it, the model after it.
fn advance<O: Optimizer<Mlp<Training>, Training>>(
    recipe: &Recipe,
    rows: &mut Rows<'_>,
    model: Mlp<Training>,
    optimizer: &mut O,
    batch: &[usize],
    step: u64,
    rate: f64,
) -> (f32, Mlp<Training>) {
    let (x, targets) = rows.batch(batch, step);
    let logits = model.forward_with(x, |layer, hidden| dropout(recipe, step, layer, hidden));
    let loss = (log_softmax(logits, 1) * targets).sum_dim(1).mean().neg();
    let value = loss.clone().inner().into_scalar();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    (value, optimizer.step(rate, model, grads))
}

/// Leaves out hidden units and scales the others up.
///
/// # Shapes
///
/// - hidden: `[batch, width]`, as is the output
fn dropout(
    recipe: &Recipe,
    step: u64,
    layer: usize,
    hidden: Tensor<Training, 2>,
) -> Tensor<Training, 2> {
    if recipe.model.dropout == 0.0 {
        return hidden;
    }
    let [rows, width] = hidden.dims();
    let probability = 1.0 - recipe.model.dropout;
    let scale = (1.0 / probability) as f32;
    let draw = Draw::new(recipe.train.seed, DROPOUT, step, layer as u64);
    let path = Settings::current().path;
    let mut mask = draw.fill(path, Distribution::Bernoulli { probability }, rows * width);
    mask.iter_mut().for_each(|kept| *kept *= scale);
    hidden * Tensor::from_data(TensorData::new(mask, [rows, width]), &ReproDevice)
}

/// The rows of a training, a batch at a time.
struct Rows<'a> {
    inputs: ArrayView2<'a, f32>,
    labels: &'a [u32],
    classes: usize,
    seed: u64,
    noise: f32,
    /// Target of a class that is not the label's.
    off: f32,
    /// Target of the label's class.
    on: f32,
}

impl<'a> Rows<'a> {
    fn new(
        recipe: &Recipe,
        inputs: ArrayView2<'a, f32>,
        labels: &'a [u32],
        classes: usize,
    ) -> Self {
        let smoothing = recipe.train.label_smoothing as f32;
        let off = smoothing / classes as f32;
        Self {
            inputs,
            labels,
            classes,
            seed: recipe.train.seed,
            noise: recipe.train.input_noise as f32,
            off,
            on: (1.0 - smoothing) + off,
        }
    }

    /// Inputs and targets of some rows.
    ///
    /// # Shapes
    ///
    /// - outputs: `[batch, input_size]`, `[batch, classes]`
    fn batch(&mut self, batch: &[usize], step: u64) -> (Tensor<Training, 2>, Tensor<Training, 2>) {
        let width = self.inputs.ncols();
        let mut x: Vec<f32> = Vec::with_capacity(batch.len() * width);
        let mut targets = vec![self.off; batch.len() * self.classes];
        for (place, &row) in batch.iter().enumerate() {
            x.extend(self.inputs.row(row));
            targets[place * self.classes + self.labels[row] as usize] = self.on;
        }
        if self.noise > 0.0 {
            let normal = Distribution::Normal {
                mean: 0.0,
                deviation: self.noise,
            };
            let draw = Draw::new(self.seed, NOISE, step, 0);
            let noise = draw.fill(Settings::current().path, normal, x.len());
            x.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
        }
        let x = TensorData::new(x, [batch.len(), width]);
        let targets = TensorData::new(targets, [batch.len(), self.classes]);
        (
            Tensor::from_data(x, &ReproDevice),
            Tensor::from_data(targets, &ReproDevice),
        )
    }
}
