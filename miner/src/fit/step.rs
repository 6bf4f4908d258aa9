//! Where a training begins, and one step of it.

use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use models::{Architecture, Model, ModelError, TensorSpec, Weights, hidden};
use repro::ReproDevice;
use repro::kernels::elementary::{Function, apply};
use repro::kernels::random::{Distribution, Draw};
use repro::optim::power;
use repro::paths::Settings;
use repro::random::{DROPOUT, INIT};

use super::Training;
use super::rows::Rows;
use crate::optimizer::Optimizer;
use crate::recipe::{Recipe, Schedule};

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
pub(super) fn learning_rate(recipe: &Recipe, step: u64, steps: u64, epoch: u64) -> f64 {
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
pub(super) fn advance(
    recipe: &Recipe,
    rows: &Rows<'_>,
    model: Model<Training>,
    optimizer: &mut Optimizer,
    batch: &[usize],
    step: u64,
    rate: f64,
) -> (f32, Model<Training>) {
    let x = rows.inputs(batch, Some(step));
    let outputs = model.forward_with(x, |index, layer, x| {
        dropout(recipe, step, index, hidden(layer, x))
    });
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
