//! From folder to folder: a data set and perhaps a base in, a model folder out.

use std::path::Path;

use datasets::{DatasetError, Table};
use evaluator::fault::Failure;
use evaluator::{LoadedModel, load_model};
use models::error::{CONFIG_FILE, WEIGHTS_FILE};
use models::{MlpConfig, Weights};
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::id::Digest;

use crate::fit::{FitError, Fitted, Progress, fit};
use crate::output::{OutputError, check_free, write_folder};
use crate::recipe::Recipe;

/// Name of the recipe in a model folder.
pub const RECIPE_FILE: &str = "recipe.toml";

/// What was trained, and how it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The shapes.
    pub config: MlpConfig,
    /// The digest that names the weights.
    pub weights_digest: Digest,
    /// The digest of the weights it started from, if it had a base.
    pub base_digest: Option<Digest>,
    /// Rows it was trained on.
    pub rows: u64,
    /// Times that every row was seen.
    pub epochs: u64,
    /// Steps taken.
    pub steps: u64,
    /// Mean loss over the last epoch, with dropout, noise and smoothing.
    pub loss: f64,
}

/// Why nothing was trained; nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The training data cannot be read or are malformed.
    #[error("the training data: {0}")]
    Data(#[from] DatasetError),
    /// The base is not a valid model for these data, or could not be read.
    #[error("the base model: {0}")]
    Base(Failure),
    /// The base has other hidden layers than the recipe.
    #[error("the base has the hidden layers {found:?}, the recipe says {expected:?}")]
    BaseShape {
        /// Hidden layers of the base.
        found: Vec<usize>,
        /// Hidden layers of the recipe.
        expected: Vec<u64>,
    },
    /// The labels are numbers, and this crate trains classifiers.
    #[error("the labels of the training data are numbers: only classes are trained on")]
    Numbers,
    /// Recipe and data do not fit, or the training went wrong.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The model folder could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl TrainError {
    /// The stable code, in snake case.
    pub fn code(&self) -> &str {
        match self {
            Self::Data(error) => error.code(),
            Self::Base(Failure::Fault(fault)) => fault.code.as_str(),
            Self::Base(Failure::NoVerdict(_)) => "base_unreadable",
            Self::BaseShape { .. } => "base_shape",
            Self::Numbers => "train_numbers",
            Self::Fit(error) => error.code(),
            Self::Output(OutputError::Exists(_)) => "output_exists",
            Self::Output(_) => "output_unwritable",
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
    let classes = manifest.labels().classes().ok_or(TrainError::Numbers)?;
    train_rows(recipe, &table, classes, base, out_dir, progress)
}

/// As [`train`], on rows that are in memory.
///
/// # Errors
/// As [`train`].
pub fn train_rows(
    recipe: &Recipe,
    table: &Table,
    classes: u32,
    base: Option<&Path>,
    out_dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    check_free(out_dir)?;
    let inputs = table.inputs.view();
    let base = base
        .map(|dir| load_base(recipe, dir, inputs.ncols(), classes))
        .transpose()?;
    let weights: Option<&Weights> = base.as_ref().map(|base| &base.weights);
    let labels = table.labels.classes().ok_or(TrainError::Numbers)?;
    let fitted = fit(recipe, inputs, labels, classes, weights, progress)?;
    write_model(recipe, &fitted, out_dir)?;
    Ok(Trained {
        weights_digest: Digest(fitted.weights.digest()),
        base_digest: base.map(|base| base.weights_digest),
        rows: table.labels.len() as u64,
        epochs: recipe.train.epochs,
        steps: fitted.steps,
        loss: fitted.loss,
        config: fitted.config,
    })
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

/// A base of the recipe's shapes, read as strictly as a submission.
fn load_base(
    recipe: &Recipe,
    dir: &Path,
    inputs: usize,
    classes: u32,
) -> Result<LoadedModel, TrainError> {
    // No bounty limits what one trains from; only this crate's own limit on memory holds.
    let limits = ModelLimits {
        parameters_max: crate::fit::PARAMETERS_MAX,
        file_bytes_max: u64::MAX,
        multiply_adds_max: u64::MAX,
    };
    let benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes },
        inputs: u32::try_from(inputs).unwrap_or(u32::MAX),
        metric: Metric::Accuracy,
        examples_max: u32::MAX,
        limits,
    };
    let base = load_model(dir, &benchmark).map_err(TrainError::Base)?;
    let found = base.config.hidden_sizes();
    if !found
        .iter()
        .map(|&width| width as u64)
        .eq(recipe.model.hidden.iter().copied())
    {
        let (found, expected) = (found.to_vec(), recipe.model.hidden.clone());
        return Err(TrainError::BaseShape { found, expected });
    }
    Ok(base)
}
