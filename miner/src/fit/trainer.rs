//! A training, step by step.

use burn::module::AutodiffModule;
use burn::tensor::{Tensor, TensorData};
use models::{Model, ModelConfig, ModelError, Weights};
use ndarray::ArrayView2;
use repro::random::permutation;
use repro::{Repro, ReproDevice};

use super::rows::{Rows, check_rows, parts};
use super::step::{advance, initial_weights, learning_rate};
use super::{FitError, Fitted, PARAMETERS_MAX, Progress, Targets, Training};
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;
use crate::scaling::Scaling;

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
            // One row after the other: the size of a batch is no part of the sum.
            for loss in losses {
                total += f64::from(loss);
            }
        }
        let loss = total / self.held_out.len() as f64;
        if !loss.is_finite() {
            return Err(FitError::Diverged {
                step: self.counts.step,
            });
        }
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            let weights = self.weights()?;
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
    /// [`FitError::Diverged`] if a weight is not finite.
    pub fn state(&self) -> Result<State, FitError> {
        let flat = |moment: &Tensor<Repro, 1>| {
            let data = moment.clone().into_data();
            data.into_vec().expect("moments are 32-bit floats")
        };
        let moments = self.optimizer.moments().iter();
        Ok(State {
            counts: self.counts,
            weights: self.weights()?,
            moments: moments.map(|all| all.iter().map(flat).collect()).collect(),
            best: self.best.clone(),
        })
    }

    /// The weights as they are. One that is not finite is what the next step's loss would show.
    fn weights(&self) -> Result<Weights, FitError> {
        let weights = self.model().valid().to_weights(&self.config);
        weights.map_err(|error| match error {
            ModelError::NonFinite { .. } => FitError::Diverged {
                step: self.counts.step,
            },
            error => error.into(),
        })
    }

    /// Whether the numbers of a state, which anybody may have made, are such as this training can come to.
    pub(crate) fn is_possible(&self, state: &State) -> bool {
        let Counts { step, total, seen } = state.counts;
        if step > self.steps() {
            return false;
        }
        let (rows, size) = (self.rows.train.len() as u64, self.recipe.train.batch_size);
        let an_epoch = self.steps_an_epoch();
        let seen_then = match step.checked_sub(1) {
            // The counts of an epoch stay until the first step of the next.
            Some(before) => rows.min((before % an_epoch + 1) * size),
            None => 0,
        };
        let epochs = step / an_epoch;
        let is_best_possible = match &state.best {
            None => self.held_out.is_empty() || epochs == 0,
            Some(best) => {
                let is_epoch_over = (1..=epochs).contains(&best.epoch);
                !self.held_out.is_empty() && is_epoch_over && best.loss.is_finite()
            }
        };
        seen == seen_then && total.is_finite() && is_best_possible
    }

    /// Goes on from a state of the same training; to the same bits as if it had never stopped.
    ///
    /// # Errors
    /// [`FitError::Model`] if the weights are another architecture's.
    ///
    /// # Panics
    /// If the moments are not those of this model and optimiser, or the counts none of this training:
    /// [`crate::checkpoint::read`] gives no such state.
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
    /// [`FitError::Diverged`] if a weight is not finite, [`FitError::Model`] if one is not as it is written.
    pub fn finish(self) -> Result<Fitted, FitError> {
        let weights = match &self.best {
            Some(best) => best.weights.clone(),
            None => self.weights()?,
        };
        Ok(Fitted {
            weights: self.rows.scaling.fold(&self.config, weights)?,
            rows: self.rows.train.len() as u64,
            epochs: self.counts.step / self.steps_an_epoch(),
            steps: self.counts.step,
            loss: self.loss(),
            best_epoch: self.best.as_ref().map(|best| best.epoch),
            held_out_loss: self.best.as_ref().map(|best| best.loss),
            config: self.config,
        })
    }
}
