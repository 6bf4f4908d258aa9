//! From folder to folder: a data set and perhaps a base in, a model folder out.

use std::path::Path;

use datasets::{DatasetError, LabelKind, Labels, Table};
use evaluator::fault::Failure;
use evaluator::{LoadedModel, load_model};
use models::ModelConfig;
use models::error::{CONFIG_FILE, WEIGHTS_FILE};
use ndarray::ArrayView2;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::id::Digest;

use crate::checkpoint::{self, CheckpointError, Origin};
use crate::fit::{FitError, Fitted, Progress, Targets, Trainer};
use crate::output::{OutputError, check_free, write_folder};
use crate::recipe::Recipe;

/// Name of the recipe in a model folder.
pub const RECIPE_FILE: &str = "recipe.toml";

/// What was trained, and how it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The shapes.
    pub config: ModelConfig,
    /// The digest that names the weights.
    pub weights_digest: Digest,
    /// The digest of the weights it started from, if it had a base.
    pub base_digest: Option<Digest>,
    /// Rows it was trained on, without those held out.
    pub rows: u64,
    /// Epochs done: fewer than the recipe's if it ended early.
    pub epochs: u64,
    /// Steps taken.
    pub steps: u64,
    /// Mean loss over the last epoch, with dropout, noise and smoothing.
    pub loss: f64,
    /// The best epoch, if rows were held out to choose it.
    pub best_epoch: Option<u64>,
    /// The loss of these rows after it.
    pub held_out_loss: Option<f64>,
}

/// What a training does after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Goes on.
    Go,
    /// Writes a checkpoint and goes on.
    Save,
    /// Writes a checkpoint and ends.
    Stop,
}

/// Where a training keeps its state, and who says when.
pub struct Checkpoints<'a> {
    /// The folder of the checkpoint; it is removed when the training is finished.
    pub dir: &'a Path,
    /// Whether a checkpoint that is there is removed instead of gone on from.
    pub is_fresh: bool,
    /// Called after every step.
    pub next: &'a mut dyn FnMut(Progress) -> Next,
    /// Told what became of the checkpoint.
    pub outcome: &'a mut dyn FnMut(Outcome),
}

/// What became of a checkpoint, where the training goes on in either case.
#[derive(Debug)]
pub enum Outcome {
    /// It is written.
    Written,
    /// It could not be written; the one before is still there.
    NotWritten(CheckpointError),
    /// The model is written, and its checkpoint, of no use now, could not be removed.
    NotRemoved(CheckpointError),
}

/// Why there is no model. What stays behind is the checkpoint, and what [`OutputError::Kept`] names.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The training data cannot be read or are malformed.
    #[error("the training data: {0}")]
    Data(#[from] DatasetError),
    /// The base is not a valid model for these data, or could not be read.
    #[error("the base model: {0}")]
    Base(Failure),
    /// The base has other layers than the recipe.
    #[error("the base is {found}, the recipe says {expected}")]
    BaseShape {
        /// Layers of the base.
        found: String,
        /// Layers of the recipe.
        expected: String,
    },
    /// Recipe and data do not fit, or the training went wrong.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The model folder could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The checkpoint could not be gone on from, or not written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The training was asked to end; its checkpoint is written.
    #[error("the training was stopped after step {step}; it goes on from there")]
    Stopped {
        /// Steps taken.
        step: u64,
    },
}

impl TrainError {
    /// The stable code, in snake case.
    pub fn code(&self) -> &str {
        match self {
            Self::Data(error) => error.code(),
            Self::Base(Failure::Fault(fault)) => fault.code.as_str(),
            Self::Base(Failure::NoVerdict(_)) => "base_unreadable",
            Self::BaseShape { .. } => "base_shape",
            Self::Fit(error) => error.code(),
            Self::Output(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
            Self::Stopped { .. } => "train_stopped",
        }
    }
}

/// Trains on a data-set folder and writes a model folder: `config.json`,
/// `model.safetensors` and the recipe.
///
/// With a base, training starts from its weights, which must have the recipe's
/// shapes. `out_dir` must not exist, or be empty. `progress` is called after
/// every step.
///
/// # Errors
/// [`TrainError`]; `out_dir` is then as it was.
pub fn train(
    recipe: &Recipe,
    data_dir: &Path,
    base: Option<&Path>,
    out_dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    check_free(out_dir)?;
    let (manifest, table) = datasets::load(data_dir)?;
    train_rows(recipe, &table, manifest.labels(), base, out_dir, progress)
}

/// As [`train`], with checkpoints: a training that was stopped or killed goes on from the last one, to the same bits.
///
/// # Errors
/// [`TrainError`]; of a training that was stopped the checkpoint is there.
pub fn train_resumable(
    recipe: &Recipe,
    data_dir: &Path,
    base: Option<&Path>,
    out_dir: &Path,
    checkpoints: Checkpoints<'_>,
) -> Result<Trained, TrainError> {
    check_free(out_dir)?;
    let (manifest, table) = datasets::load(data_dir)?;
    let values = values(&table.labels);
    let targets = targets(&table.labels, manifest.labels(), &values);
    let inputs = table.inputs.view();
    train_targets(recipe, inputs, targets, base, out_dir, Some(checkpoints))
}

/// As [`train`], on rows that are in memory.
///
/// # Errors
/// As [`train`].
///
/// # Panics
/// If the labels are classes and `kind` is not.
pub fn train_rows(
    recipe: &Recipe,
    table: &Table,
    kind: LabelKind,
    base: Option<&Path>,
    out_dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    let values = values(&table.labels);
    let targets = targets(&table.labels, kind, &values);
    check_free(out_dir)?;
    let inputs = table.inputs.view();
    let base = load_base(recipe, base, inputs.ncols(), targets)?;
    let weights = base.as_ref().map(|base| &base.weights);
    let fitted = crate::fit::fit(recipe, inputs, targets, weights, progress)?;
    write_trained(recipe, fitted, base, out_dir)
}

/// As [`train`], to any targets, with checkpoints if they are wanted.
///
/// # Errors
/// As [`train_resumable`].
pub fn train_targets(
    recipe: &Recipe,
    inputs: ArrayView2<'_, f32>,
    targets: Targets<'_>,
    base: Option<&Path>,
    out_dir: &Path,
    checkpoints: Option<Checkpoints<'_>>,
) -> Result<Trained, TrainError> {
    check_free(out_dir)?;
    let base = load_base(recipe, base, inputs.ncols(), targets)?;
    let weights = base.as_ref().map(|base| &base.weights);
    let mut trainer = Trainer::new(recipe, inputs, targets, weights)?;
    let Some(mut checkpoints) = checkpoints else {
        while !trainer.is_finished() {
            trainer.step()?;
        }
        return write_trained(recipe, trainer.finish()?, base, out_dir);
    };
    let origin = Origin::of(recipe, inputs, targets, weights);
    let fitted = run_resumable(trainer, &origin, &mut checkpoints)?;
    let trained = write_trained(recipe, fitted, base, out_dir)?;
    if let Err(error) = checkpoint::remove(checkpoints.dir) {
        (checkpoints.outcome)(Outcome::NotRemoved(error));
    }
    Ok(trained)
}

fn run_resumable(
    mut trainer: Trainer<'_>,
    origin: &Origin,
    checkpoints: &mut Checkpoints<'_>,
) -> Result<Fitted, TrainError> {
    let dir = checkpoints.dir;
    if checkpoints.is_fresh {
        checkpoint::remove(dir)?;
    }
    if let Some(state) = checkpoint::read(dir, origin, &trainer)? {
        trainer.restore(state)?;
    }
    while !trainer.is_finished() {
        let progress = trainer.step()?;
        let next = (checkpoints.next)(progress);
        if next == Next::Go {
            continue;
        }
        let written = checkpoint::write(dir, origin, &trainer.state()?);
        if next == Next::Stop {
            written?;
            let step = progress.step;
            return Err(TrainError::Stopped { step });
        }
        // Hours of training are worth more than a checkpoint.
        (checkpoints.outcome)(match written {
            Ok(()) => Outcome::Written,
            Err(error) => Outcome::NotWritten(error),
        });
    }
    Ok(trainer.finish()?)
}

fn write_trained(
    recipe: &Recipe,
    fitted: Fitted,
    base: Option<LoadedModel>,
    out_dir: &Path,
) -> Result<Trained, TrainError> {
    write_model(recipe, &fitted, out_dir)?;
    Ok(Trained {
        weights_digest: Digest(fitted.weights.digest()),
        base_digest: base.map(|base| base.weights_digest),
        rows: fitted.rows,
        epochs: fitted.epochs,
        steps: fitted.steps,
        loss: fitted.loss,
        best_epoch: fitted.best_epoch,
        held_out_loss: fitted.held_out_loss,
        config: fitted.config,
    })
}

/// Labels that are numbers in binary32, rounded once: what a model is trained
/// to say. They are scored as they were written.
fn values(labels: &Labels) -> Vec<f32> {
    let numbers = labels.numbers().unwrap_or_default();
    numbers.iter().map(|&number| number as f32).collect()
}

/// Labels as targets; `values` are those of [`values`].
fn targets<'a>(labels: &'a Labels, kind: LabelKind, values: &'a [f32]) -> Targets<'a> {
    match labels {
        Labels::Classes(labels) => Targets::Classes {
            labels,
            classes: kind.classes().expect("the kind is that of the labels"),
        },
        Labels::Numbers(_) => Targets::Values(values),
    }
}

/// Writes a model folder whole, or not at all.
///
/// # Errors
/// [`OutputError`]
pub fn write_model(recipe: &Recipe, fitted: &Fitted, dir: &Path) -> Result<(), OutputError> {
    write_folder(
        dir,
        &[
            (CONFIG_FILE, &fitted.config.to_json()),
            (WEIGHTS_FILE, &fitted.weights.to_safetensors()),
            (RECIPE_FILE, recipe.to_toml().as_bytes()),
        ],
    )
}

/// A base of the recipe's shapes, if there is one, read as strictly as a submission.
fn load_base(
    recipe: &Recipe,
    dir: Option<&Path>,
    inputs: usize,
    targets: Targets<'_>,
) -> Result<Option<LoadedModel>, TrainError> {
    let Some(dir) = dir else { return Ok(None) };
    // No bounty limits what one trains from; only this crate's own limit on memory holds.
    let limits = ModelLimits {
        parameters_max: crate::fit::PARAMETERS_MAX,
        file_bytes_max: u64::MAX,
        multiply_adds_max: u64::MAX,
    };
    let (task, metric) = match targets {
        Targets::Classes { classes, .. } => (Task::Classification { classes }, Metric::Accuracy),
        Targets::Values(_) => (Task::Regression, Metric::Rmse),
    };
    let benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task,
        inputs: u32::try_from(inputs).unwrap_or(u32::MAX),
        metric,
        examples_max: u32::MAX,
        limits,
    };
    let base = load_model(dir, &benchmark).map_err(TrainError::Base)?;
    let expected = recipe
        .model
        .config(inputs as u64, u64::from(targets.outputs()))
        .map_err(FitError::Model)?;
    if base.config != expected {
        let (found, expected) = (layers(&base.config), layers(&expected));
        return Err(TrainError::BaseShape { found, expected });
    }
    Ok(Some(base))
}

/// The layers of a model in words.
fn layers(config: &ModelConfig) -> String {
    let hidden = config.hidden_sizes();
    match config {
        ModelConfig::Mlp(_) => format!("an MLP with the hidden layers {hidden:?}"),
        ModelConfig::Cnn(config) => {
            let image = config.input();
            let conv = config.conv_layers().iter();
            let conv: Vec<_> = conv
                .map(|l| [l.channels, l.kernel, l.padding, l.pool])
                .collect();
            format!(
                "a CNN on {image:?} with the convolutions (channels, kernel, padding, pool) {conv:?} and the \
                 hidden layers {hidden:?}"
            )
        }
    }
}
