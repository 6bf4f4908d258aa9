//! A job and its evaluation.

use std::path::Path;

use protocol::benchmark::Benchmark;
use protocol::report::{Outcome, predictions_root};

use crate::fault::{Failure, Fault, NoVerdict};
use crate::folder::{LoadedModel, load_model};
use crate::metric::Metrics;
use crate::report::Report;
use crate::runner::ModelRunner;
use crate::test_set::TestSet;

/// What is to be scored on what.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The task, the metric, the limits.
    pub benchmark: &'a Benchmark,
    /// The folder of the model.
    pub model_dir: &'a Path,
    /// The folder of the test set, opened.
    pub test_dir: &'a Path,
}

/// How an evaluation is carried out; none of this changes a bit of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Examples at a time; zero counts as one.
    pub batch_size: usize,
    /// Threads of a product; `None` leaves it to `repro`.
    pub threads: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_size: 256,
            threads: None,
        }
    }
}

/// Checks what the environment asks of the arithmetic (`LODE_REPRO_PATH`,
/// `LODE_THREADS`), which else panics where it is first needed.
///
/// # Errors
/// A sentence that names the variable, its value and what it may be.
pub fn check_environment() -> Result<(), String> {
    settings().map(|_| ())
}

/// The instructions and threads that the arithmetic uses here. Neither changes a bit.
///
/// # Errors
/// As [`check_environment`].
pub fn settings() -> Result<repro::paths::Settings, String> {
    repro::paths::check_environment()
}

/// Whether products are computed by an exact fma in software, a hundred times as slow as the machine's own or more.
pub fn is_software_fma() -> bool {
    settings().is_ok_and(|settings| settings.path == repro::paths::Path::Scalar)
}

/// Scores a job.
///
/// A model that breaks the rules gives a report whose outcome is `invalid`.
///
/// # Errors
/// [`NoVerdict`] if something could not be read, or the benchmark or the test
/// set is not usable.
pub fn evaluate(job: &Job<'_>, options: Options) -> Result<Report, NoVerdict> {
    let test_set = TestSet::load(job.benchmark, job.test_dir)?;
    match load_model(job.model_dir, job.benchmark) {
        Ok(model) => Ok(evaluate_model(job.benchmark, &model, &test_set, options)),
        Err(Failure::Fault(fault)) => {
            Ok(Report::invalid(job.benchmark, &fault, None, test_set.len()))
        }
        Err(Failure::NoVerdict(reason)) => Err(reason),
    }
}

/// Scores a model that is loaded already, on a test set that is loaded already.
///
/// # Panics
/// If model or test set were loaded for a benchmark with other widths.
pub fn evaluate_model(
    benchmark: &Benchmark,
    model: &LoadedModel,
    test_set: &TestSet,
    options: Options,
) -> Report {
    let runner = ModelRunner::new(model);
    let scored = with_threads(options.threads, || {
        score(benchmark, &runner, test_set, options.batch_size)
    });
    scored.unwrap_or_else(|fault| {
        Report::invalid(
            benchmark,
            &fault,
            Some(model.weights_digest),
            test_set.len(),
        )
    })
}

fn score(
    benchmark: &Benchmark,
    runner: &ModelRunner,
    test_set: &TestSet,
    batch_size: usize,
) -> Result<Report, Fault> {
    let leaves = runner.leaves(test_set.inputs(), 0, batch_size)?;
    let metrics = Metrics::of(&leaves, test_set.labels());
    let outcome = Outcome::Scored {
        score: metrics.score(benchmark.metric)?,
        weights_digest: runner.weights_digest(),
        predictions_root: predictions_root(&leaves),
    };
    Ok(Report {
        arithmetic: benchmark.arithmetic,
        outcome,
        examples: test_set.len(),
        weights_digest: Some(runner.weights_digest()),
        metrics: Some(metrics),
        message: None,
        leaves,
    })
}

/// Runs `job` with so many threads a product.
pub fn with_threads<R>(threads: Option<usize>, job: impl FnOnce() -> R) -> R {
    match threads {
        None => job(),
        Some(threads) => {
            let settings = repro::paths::Settings::current().with_threads(threads);
            repro::paths::with(settings, job)
        }
    }
}
