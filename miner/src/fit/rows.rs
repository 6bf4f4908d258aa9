//! The rows of a training: checked, parted, and as tensors.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ndarray::ArrayView2;
use repro::ReproDevice;
use repro::kernels::random::{Distribution, Draw};
use repro::loss::{CrossEntropy, soft_cross_entropy};
use repro::paths::Settings;
use repro::random::permutation;

use super::{FitError, NOISE, Targets};
use crate::recipe::Recipe;
use crate::scaling::Scaling;

/// Step of the stream `SHUFFLE` that says which rows are held out; no epoch has this number.
const HELD_OUT: u64 = u64::MAX;

/// The rows of a training, a batch at a time.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    inputs: ArrayView2<'a, f32>,
    targets: Targets<'a>,
    pub(super) scaling: Scaling,
    /// The rows to train on.
    pub(super) train: Vec<usize>,
    seed: u64,
    noise: f32,
    smoothing: f32,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
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
    pub(super) fn inputs<B: Backend<Device = ReproDevice>>(
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
    pub(super) fn losses<B: CrossEntropy<Device = ReproDevice>>(
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
        soft_cross_entropy(outputs, targets)
    }
}

/// That there is a row, a sound target for each, and nothing else.
pub(super) fn check_rows(
    inputs: ArrayView2<'_, f32>,
    targets: Targets<'_>,
) -> Result<(), FitError> {
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
pub(super) fn parts(recipe: &Recipe, rows: usize) -> Result<(Vec<usize>, Vec<usize>), FitError> {
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
