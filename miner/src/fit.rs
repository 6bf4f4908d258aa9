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
//! `r·(1 + c)/2` with `c` the binary32 cosine of π·(t − 1)/T (cosine) or `r·fⁿ` with `n` the whole number of
//! `step_epochs` that are over (step); up to step `W` of a warm-up that is multiplied by `t` and divided by `W`.
//!
//! With rows held out, each epoch ends with their loss: the mean in binary64, in ascending order of the rows, of each row's
//! loss without dropout, noise and smoothing. The weights of the epoch with the least (the first such) are the result.
//!
//! Nothing is evaluated on the autodiff backend: a forward pass without a
//! backward pass stays in its graph for ever.

use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use models::{Architecture, Model, ModelConfig, ModelError, TensorSpec, Weights};
use ndarray::ArrayView2;
use repro::kernels::elementary::{Function, apply};
use repro::kernels::random::{Distribution, Draw};
use repro::optim::power;
use repro::paths::Settings;
use repro::random::{DROPOUT, INIT, permutation};
use repro::{Repro, ReproDevice};

use crate::optimizer::Optimizer;
use crate::recipe::{Recipe, RecipeError, Schedule};
use crate::scaling::Scaling;

/// Stream of the noise on the inputs; `repro` names the streams below.
pub const NOISE: u64 = 3;

/// Step of the stream `SHUFFLE` that says which rows are held out; no epoch has this number.
const HELD_OUT: u64 = u64::MAX;

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

/// A training that can be stopped after any step, and gone on with from a [`State`].
#[derive(Debug)]
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    config: ModelConfig,
    rows: Rows<'a>,
    held_out: Vec<usize>,
    /// There but while a step replaces it.
    model: Option<Model<Training>>,
    optimizer: Optimizer,
    /// The order of the epoch under way.
    order: Vec<usize>,
    counts: Counts,
    best: Option<Best>,
}

/// Where a training is, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Steps taken.
    pub step: u64,
    /// Sum of the losses of the epoch's batches, each times its rows.
    pub total: f64,
    /// Rows of these batches.
    pub seen: u64,
}

/// The best epoch so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Its loss on the rows held out.
    pub loss: f64,
    /// The weights at its end, in the units of the training.
    pub weights: Weights,
}

/// All that changes in a training, between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Where it is.
    pub counts: Counts,
    /// The weights, in the units of the training.
    pub weights: Weights,
    /// What the optimiser remembers of each parameter, in the model's order and layout.
    pub moments: Vec<Vec<Vec<f32>>>,
    /// The best epoch so far, if rows are held out and one is over.
    pub best: Option<Best>,
}

impl<'a> Trainer<'a> {
    /// A training before its first step.
    ///
    /// # Errors
    /// [`FitError`] if recipe, rows, targets or base do not fit together.
    pub fn new(
        recipe: &'a Recipe,
        inputs: ArrayView2<'a, f32>,
        targets: Targets<'a>,
        base: Option<&Weights>,
    ) -> Result<Self, FitError> {
        recipe.check()?;
        check_rows(inputs, targets)?;
        let outputs = u64::from(targets.outputs());
        let config = recipe.model.config(inputs.ncols() as u64, outputs)?;
        if config.parameters() > PARAMETERS_MAX {
            let (parameters, limit) = (config.parameters(), PARAMETERS_MAX);
            return Err(ModelError::TooManyParameters { parameters, limit }.into());
        }
        let (train, held_out) = parts(recipe, targets.len())?;
        let scaling = Scaling::of(recipe.train.standardize, inputs, targets, &train);
        let weights = match base {
            Some(weights) => scaling.unfold(&config, weights.clone())?,
            None => initial_weights(&config, recipe.train.seed)?,
        };
        let model = config.init(&weights, &ReproDevice)?;
        let mut trainer = Self {
            recipe,
            config,
            rows: Rows::new(recipe, inputs, targets, scaling, train),
            held_out,
            model: Some(model),
            optimizer: Optimizer::new(&recipe.train),
            order: Vec::new(),
            counts: Counts::default(),
            best: None,
        };
        trainer.shuffle();
        Ok(trainer)
    }

    /// The shapes.
    pub const fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Moments that the optimiser has of each parameter.
    pub(crate) fn moments_each(&self) -> usize {
        self.optimizer.moments_each()
    }

    fn steps_an_epoch(&self) -> u64 {
        (self.rows.train.len() as u64).div_ceil(self.recipe.train.batch_size)
    }

    /// Steps in all, if it does not end early.
    pub fn steps(&self) -> u64 {
        self.recipe.train.epochs * self.steps_an_epoch()
    }

    /// Whether the last step is taken.
    pub fn is_finished(&self) -> bool {
        let Counts { step, .. } = self.counts;
        let (epochs, patience) = (step / self.steps_an_epoch(), self.recipe.train.patience);
        let is_between = step.is_multiple_of(self.steps_an_epoch());
        let waited = self.best.as_ref().map_or(0, |best| epochs - best.epoch);
        step >= self.steps() || is_between && patience > 0 && waited >= patience
    }

    /// Takes a step, and after the last one of an epoch looks at the rows held out.
    ///
    /// # Errors
    /// [`FitError::Diverged`]
    ///
    /// # Panics
    /// If the training is finished, or a step before failed.
    pub fn step(&mut self) -> Result<Progress, FitError> {
        assert!(!self.is_finished(), "a finished training takes no step");
        let (an_epoch, steps) = (self.steps_an_epoch(), self.steps());
        let (epoch, place) = (self.counts.step / an_epoch, self.counts.step % an_epoch);
        if place == 0 {
            self.shuffle();
            (self.counts.total, self.counts.seen) = (0.0, 0);
        }
        let size = self.recipe.train.batch_size as usize;
        let start = place as usize * size;
        let batch = &self.order[start..self.order.len().min(start + size)];
        let step = self.counts.step + 1;
        let rate = learning_rate(self.recipe, step, steps, epoch);
        let model = self.model.take().expect("no step before failed");
        let (loss, model) = advance(
            self.recipe,
            &self.rows,
            model,
            &mut self.optimizer,
            batch,
            step,
            rate,
        );
        if !loss.is_finite() {
            return Err(FitError::Diverged { step });
        }
        self.counts.step = step;
        self.counts.total += f64::from(loss) * batch.len() as f64;
        self.counts.seen += batch.len() as u64;
        self.model = Some(model);
        if place + 1 == an_epoch && !self.held_out.is_empty() {
            self.look(epoch + 1)?;
        }
        Ok(Progress {
            epoch: epoch + 1,
            epochs: self.recipe.train.epochs,
            step,
            steps,
            loss: self.loss(),
            held_out_loss: self.best.as_ref().map(|best| best.loss),
        })
    }

    fn loss(&self) -> f64 {
        self.counts.total / self.counts.seen as f64
    }

    /// The order of the epoch under way.
    fn shuffle(&mut self) {
        let epoch = self.counts.step / self.steps_an_epoch();
        let train = &self.rows.train;
        let order = permutation(self.recipe.train.seed, epoch, train.len());
        self.order = order.into_iter().map(|place| train[place]).collect();
    }

    fn model(&self) -> &Model<Training> {
        self.model.as_ref().expect("no step before failed")
    }

    /// The loss of the rows held out after an epoch; the weights are kept if it is the least so far.
    fn look(&mut self, epoch: u64) -> Result<(), FitError> {
        let model = self.model().valid();
        let size = self.recipe.train.batch_size as usize;
        let mut total = 0.0;
        for batch in self.held_out.chunks(size) {
            let x = self.rows.inputs::<Repro>(batch, None);
            let losses = self.rows.losses(model.forward(x), batch, false);
            let losses: Vec<f32> = losses.into_data().into_vec().expect("32-bit floats");
            total += losses.into_iter().map(f64::from).sum::<f64>();
        }
        let loss = total / self.held_out.len() as f64;
        if !loss.is_finite() {
            return Err(FitError::Diverged {
                step: self.counts.step,
            });
        }
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            let weights = model.to_weights(&self.config)?;
            self.best = Some(Best {
                epoch,
                loss,
                weights,
            });
        }
        Ok(())
    }

    /// All that a training needs to go on from here.
    ///
    /// # Errors
    /// [`FitError::Model`] if a weight is not finite: the training has diverged.
    pub fn state(&self) -> Result<State, FitError> {
        let flat = |moment: &Tensor<Repro, 1>| {
            let data = moment.clone().into_data();
            data.into_vec().expect("moments are 32-bit floats")
        };
        let moments = self.optimizer.moments().iter();
        Ok(State {
            counts: self.counts,
            weights: self.model().valid().to_weights(&self.config)?,
            moments: moments.map(|all| all.iter().map(flat).collect()).collect(),
            best: self.best.clone(),
        })
    }

    /// Goes on from a state of the same training; to the same bits as if it had never stopped.
    ///
    /// # Errors
    /// [`FitError::Model`] if the weights are another architecture's.
    ///
    /// # Panics
    /// If the moments are not those of this model and optimiser.
    pub fn restore(&mut self, state: State) -> Result<(), FitError> {
        if let Some(best) = &state.best {
            best.weights.check(&self.config)?;
        }
        self.model = Some(self.config.init(&state.weights, &ReproDevice)?);
        let flat = |values: Vec<f32>| {
            let len = values.len();
            Tensor::<Repro, 1>::from_data(TensorData::new(values, [len]), &ReproDevice)
        };
        let moments = state.moments.into_iter();
        let moments = moments
            .map(|all| all.into_iter().map(flat).collect())
            .collect();
        self.optimizer.restore(state.counts.step, moments);
        self.counts = state.counts;
        self.best = state.best;
        self.shuffle();
        Ok(())
    }

    /// The model: of the best epoch if rows were held out, else as it is now.
    ///
    /// # Errors
    /// [`FitError::Model`] if a weight is not finite.
    pub fn finish(self) -> Result<Fitted, FitError> {
        let weights = match &self.best {
            Some(best) => best.weights.clone(),
            None => self.model().valid().to_weights(&self.config)?,
        };
        Ok(Fitted {
            weights: self.rows.scaling.fold(&self.config, weights)?,
            steps: self.counts.step,
            loss: self.loss(),
            best_epoch: self.best.as_ref().map(|best| best.epoch),
            held_out_loss: self.best.as_ref().map(|best| best.loss),
            config: self.config,
        })
    }
}

fn check_rows(inputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<(), FitError> {
    if inputs.nrows() == 0 || inputs.nrows() != targets.len() {
        return Err(FitError::Rows {
            rows: inputs.nrows(),
            labels: targets.len(),
        });
    }
    match targets {
        Targets::Classes { labels, classes } => {
            match labels.iter().position(|&label| label >= classes) {
                Some(row) => Err(FitError::Label {
                    row,
                    label: labels[row],
                    classes,
                }),
                None => Ok(()),
            }
        }
        Targets::Values(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(row) => Err(FitError::Value { row }),
            None => Ok(()),
        },
    }
}

/// The rows to train on and those held out, both in ascending order.
fn parts(recipe: &Recipe, rows: usize) -> Result<(Vec<usize>, Vec<usize>), FitError> {
    if recipe.train.held_out == 0.0 {
        return Ok(((0..rows).collect(), Vec::new()));
    }
    let count = ((rows as f64 * recipe.train.held_out) as usize).max(1);
    let mut held_out = permutation(recipe.train.seed, HELD_OUT, rows);
    let mut train = held_out.split_off(count.min(rows));
    if train.is_empty() {
        return Err(FitError::HeldOut { rows });
    }
    train.sort_unstable();
    held_out.sort_unstable();
    Ok((train, held_out))
}

/// Initial weights; the module's head says from which numbers.
///
/// # Errors
/// None for a checked configuration.
pub fn initial_weights(config: &impl Architecture, seed: u64) -> Result<Weights, ModelError> {
    let path = Settings::current().path;
    let mut draw = 0;
    Weights::generate(config, |spec: &TensorSpec| {
        let high = 1.0 / (spec.fan_in as f32).sqrt();
        let numbers = Draw::new(seed, INIT, 0, draw);
        draw += 1;
        numbers.fill(path, Distribution::Uniform { low: -high, high }, spec.len())
    })
}

/// The rate of a step (from 1) in an epoch (from 0).
fn learning_rate(recipe: &Recipe, step: u64, steps: u64, epoch: u64) -> f64 {
    let train = &recipe.train;
    let rate = match train.schedule {
        Schedule::Constant => train.learning_rate,
        Schedule::Linear => train.learning_rate * (steps - step + 1) as f64 / steps as f64,
        Schedule::Cosine => {
            let part = (step - 1) as f64 / steps as f64;
            let mut angle = [(std::f64::consts::PI * part) as f32];
            apply(Settings::current().path, Function::Cos, &mut angle);
            train.learning_rate * (1.0 + f64::from(angle[0])) / 2.0
        }
        Schedule::Step => train.learning_rate * power(train.step_factor, epoch / train.step_epochs),
    };
    if step <= train.warm_up {
        rate * step as f64 / train.warm_up as f64
    } else {
        rate
    }
}

/// One step: the loss of the batch before it, the model after it.
fn advance(
    recipe: &Recipe,
    rows: &Rows<'_>,
    model: Model<Training>,
    optimizer: &mut Optimizer,
    batch: &[usize],
    step: u64,
    rate: f64,
) -> (f32, Model<Training>) {
    let x = rows.inputs(batch, Some(step));
    let outputs = model.forward_with(x, |layer, hidden| dropout(recipe, step, layer, hidden));
    let loss = rows.losses(outputs, batch, true).mean();
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
#[derive(Debug)]
struct Rows<'a> {
    inputs: ArrayView2<'a, f32>,
    targets: Targets<'a>,
    scaling: Scaling,
    /// The rows to train on.
    train: Vec<usize>,
    seed: u64,
    noise: f32,
    smoothing: f32,
}

impl<'a> Rows<'a> {
    fn new(
        recipe: &Recipe,
        inputs: ArrayView2<'a, f32>,
        targets: Targets<'a>,
        scaling: Scaling,
        train: Vec<usize>,
    ) -> Self {
        Self {
            inputs,
            targets,
            scaling,
            train,
            seed: recipe.train.seed,
            noise: recipe.train.input_noise as f32,
            smoothing: recipe.train.label_smoothing as f32,
        }
    }

    /// Inputs of some rows, scaled, with the noise of a step if one is given.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, input_size]`
    fn inputs<B: Backend<Device = ReproDevice>>(
        &self,
        batch: &[usize],
        step: Option<u64>,
    ) -> Tensor<B, 2> {
        let width = self.inputs.ncols();
        let mut x: Vec<f32> = Vec::with_capacity(batch.len() * width);
        for &row in batch {
            let start = x.len();
            x.extend(self.inputs.row(row));
            self.scaling.scale_row(&mut x[start..]);
        }
        if let (true, Some(step)) = (self.noise > 0.0, step) {
            let normal = Distribution::Normal {
                mean: 0.0,
                deviation: self.noise,
            };
            let draw = Draw::new(self.seed, NOISE, step, 0);
            let noise = draw.fill(Settings::current().path, normal, x.len());
            x.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
        }
        Tensor::from_data(TensorData::new(x, [batch.len(), width]), &ReproDevice)
    }

    /// The loss of each row.
    ///
    /// # Shapes
    ///
    /// - outputs: `[batch, outputs]`
    /// - output: `[batch, 1]`
    fn losses<B: Backend<Device = ReproDevice>>(
        &self,
        outputs: Tensor<B, 2>,
        batch: &[usize],
        is_smoothed: bool,
    ) -> Tensor<B, 2> {
        let (labels, classes) = match self.targets {
            Targets::Classes { labels, classes } => (labels, classes as usize),
            Targets::Values(values) => {
                let scaled = |&row: &usize| self.scaling.scale_target(values[row]);
                let values: Vec<f32> = batch.iter().map(scaled).collect();
                let values = TensorData::new(values, [batch.len(), 1]);
                let distance = outputs - Tensor::from_data(values, &ReproDevice);
                return distance.clone() * distance;
            }
        };
        let smoothing = if is_smoothed { self.smoothing } else { 0.0 };
        // The target of a class that is not the label's, and of the one that is.
        let off = smoothing / classes as f32;
        let on = (1.0 - smoothing) + off;
        let mut targets = vec![off; batch.len() * classes];
        for (place, &row) in batch.iter().enumerate() {
            targets[place * classes + labels[row] as usize] = on;
        }
        let targets = TensorData::new(targets, [batch.len(), classes]);
        let targets = Tensor::from_data(targets, &ReproDevice);
        (log_softmax(outputs, 1) * targets).sum_dim(1).neg()
    }
}
