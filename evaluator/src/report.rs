//! The report of an evaluation, as a folder of two files.
//!
//! `report.json`: one JSON object of at most 64 KiB; metrics are numbers, scores
//! whole billionths, digests strings, what is not there is `null`. `metrics` has
//! every metric of the task: of a classification `correct`, `accuracy`,
//! `log_loss`, `macro_f1` and `two_classes` (`positives`, `halves_won`, `roc_auc`,
//! `average_precision`; `null` unless there are two classes with examples of
//! both); of a regression `rmse`, `mae` and `r2` (`null` where it is not defined).
//!
//! `leaves.bin`: the bytes of every leaf ([`protocol::report`]), end to end, by
//! ascending example; empty when nothing was scored. Reading checks that they
//! are complete, in order, of one width, and have the root that the outcome
//! names.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use protocol::benchmark::{Benchmark, Metric};
pub use protocol::benchmark::{LEAVES_BYTES_MAX, leaves_bytes};
use protocol::id::Digest;
use protocol::json;
use protocol::report::{Leaf, Outcome, predictions_root};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::metric::{ClassMetrics, Metrics, NumberMetrics, TwoClassMetrics};

/// Name of the file with the report.
pub const REPORT_FILE: &str = "report.json";

/// Name of the file with the leaves.
pub const LEAVES_FILE: &str = "leaves.bin";

/// The most bytes of a `report.json`.
pub const REPORT_BYTES_MAX: u64 = 64 << 10;

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The version of the arithmetic that it was computed with.
    pub arithmetic: u32,
    /// The outcome, which is what an evaluator attests.
    pub outcome: Outcome,
    /// Examples of the test set.
    pub examples: u32,
    /// The digest that names the weights, if they could be read.
    pub weights_digest: Option<Digest>,
    /// Every metric, if the model was scored.
    pub metrics: Option<Metrics>,
    /// Why the model is invalid, for people; no part of what is attested.
    pub message: Option<String>,
    /// One leaf an example, by ascending index; none if the model was not scored.
    pub leaves: Vec<Leaf>,
}

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The system's error.
    #[error("'{path}': {error}")]
    Io {
        /// What was written or read.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A file is larger than the limit; it was not read.
    #[error("'{file}' has more than {limit_bytes} bytes")]
    TooLong {
        /// The file.
        file: &'static str,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// Not the JSON that was expected.
    #[error("{REPORT_FILE}: {0}")]
    Json(#[from] json::JsonError),
    /// The leaves are cut off, out of order, too many or too few.
    #[error("{LEAVES_FILE}: the leaf of example {0} is not what belongs there")]
    Leaf(u32),
    /// The leaves are not those of the outcome, or the parts of the report do not fit together.
    #[error("{REPORT_FILE}: {0}")]
    Inconsistent(&'static str),
}

/// `report.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportFile {
    arithmetic: u32,
    outcome: Outcome,
    examples: u32,
    weights_digest: Option<Digest>,
    metrics: Option<MetricsFile>,
    message: Option<String>,
}

/// The metrics in `report.json`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum MetricsFile {
    Classes(ClassMetricsFile),
    Numbers(NumberMetricsFile),
}

/// The metrics of a classification.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassMetricsFile {
    correct: u64,
    accuracy: f64,
    log_loss: f64,
    macro_f1: f64,
    two_classes: Option<TwoClassMetricsFile>,
}

/// The metrics of two classes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TwoClassMetricsFile {
    positives: u64,
    halves_won: u64,
    roc_auc: f64,
    average_precision: f64,
}

/// The metrics of a regression.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberMetricsFile {
    rmse: f64,
    mae: f64,
    r2: Option<f64>,
}

impl MetricsFile {
    fn of(all: &Metrics) -> Self {
        let value = |metric| all.value(metric).unwrap_or_default();
        match all {
            Metrics::Classes(metrics) => Self::Classes(ClassMetricsFile {
                correct: metrics.correct,
                accuracy: value(Metric::Accuracy),
                log_loss: metrics.log_loss,
                macro_f1: metrics.macro_f1,
                two_classes: metrics.two_classes.map(|two| TwoClassMetricsFile {
                    positives: two.positives,
                    halves_won: two.halves_won,
                    roc_auc: value(Metric::RocAuc),
                    average_precision: two.average_precision,
                }),
            }),
            Metrics::Numbers(metrics) => Self::Numbers(NumberMetricsFile {
                rmse: metrics.rmse,
                mae: metrics.mae,
                r2: metrics.r2,
            }),
        }
    }

    /// The metrics, without what follows from others.
    fn metrics(self, examples: u64) -> Metrics {
        match self {
            Self::Classes(file) => Metrics::Classes(ClassMetrics {
                correct: file.correct,
                examples,
                log_loss: file.log_loss,
                macro_f1: file.macro_f1,
                two_classes: file.two_classes.map(|two| TwoClassMetrics {
                    positives: two.positives,
                    halves_won: two.halves_won,
                    average_precision: two.average_precision,
                }),
            }),
            Self::Numbers(file) => Metrics::Numbers(NumberMetrics {
                examples,
                rmse: file.rmse,
                mae: file.mae,
                r2: file.r2,
            }),
        }
    }
}

impl Report {
    /// The report of a submission with this fault.
    pub fn invalid(
        benchmark: &Benchmark,
        fault: &Fault,
        weights_digest: Option<Digest>,
        examples: u32,
    ) -> Self {
        Self {
            arithmetic: benchmark.arithmetic,
            outcome: fault.outcome(),
            examples,
            weights_digest,
            metrics: None,
            message: Some(fault.message.clone()),
            leaves: Vec::new(),
        }
    }

    /// The `report.json`: everything but the leaves.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&ReportFile {
            arithmetic: self.arithmetic,
            outcome: self.outcome.clone(),
            examples: self.examples,
            weights_digest: self.weights_digest,
            metrics: self.metrics.as_ref().map(MetricsFile::of),
            message: self.message.clone(),
        })
        .expect("strings and finite numbers are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The `leaves.bin`.
    pub fn leaves_bytes(&self) -> Vec<u8> {
        self.leaves.iter().flat_map(Leaf::to_bytes).collect()
    }

    /// Writes both files into a folder, which is made if it is not there. Each
    /// file is complete or not there.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        let io = |error| ReportError::Io {
            path: dir.to_owned(),
            error,
        };
        fs::create_dir_all(dir).map_err(io)?;
        // The leaves first: a report is there only when what it names is.
        write_whole(&dir.join(LEAVES_FILE), &self.leaves_bytes())?;
        write_whole(&dir.join(REPORT_FILE), &self.to_json())
    }

    /// Reads a folder that [`Report::write`] made, perhaps on another machine, of
    /// a model with so many outputs. Of the leaves no more is read than the
    /// examples that the report names can have.
    ///
    /// # Errors
    /// [`ReportError`] for anything that `write` would not have written.
    pub fn read(dir: &Path, outputs: u32) -> Result<Self, ReportError> {
        let json = read_bounded(dir, REPORT_FILE, REPORT_BYTES_MAX)?;
        let file: ReportFile = json::from_slice(&json, REPORT_BYTES_MAX as usize)?;
        let limit_bytes = leaves_bytes(file.examples, outputs).min(LEAVES_BYTES_MAX);
        let leaves = read_bounded(dir, LEAVES_FILE, limit_bytes)?;
        let report = Self::from_bytes(&json, &leaves)?;
        let is_other = |leaf: &&Leaf| leaf.output_bits.len() as u64 != u64::from(outputs);
        match report.leaves.iter().find(is_other) {
            Some(leaf) => Err(ReportError::Leaf(leaf.index)),
            None => Ok(report),
        }
    }

    /// Reads the bytes of both files.
    ///
    /// # Errors
    /// As [`Report::read`].
    pub fn from_bytes(json: &[u8], leaves: &[u8]) -> Result<Self, ReportError> {
        let file: ReportFile = json::from_slice(json, REPORT_BYTES_MAX as usize)?;
        let leaves = split_leaves(leaves)?;
        let examples = u64::from(file.examples);
        let metrics = file.metrics.map(|metrics| metrics.metrics(examples));
        let report = Self {
            arithmetic: file.arithmetic,
            outcome: file.outcome,
            examples: file.examples,
            weights_digest: file.weights_digest,
            metrics,
            message: file.message,
            leaves,
        };
        report.check()?;
        let value = |json: &[u8]| json::from_slice::<Value>(json, json.len());
        if value(json)? != value(&report.to_json())? {
            let what = "something in it is not as it would be written";
            return Err(ReportError::Inconsistent(what));
        }
        Ok(report)
    }

    /// That the parts fit together.
    fn check(&self) -> Result<(), ReportError> {
        let Outcome::Scored {
            weights_digest,
            predictions_root: root,
            ..
        } = &self.outcome
        else {
            return match (&self.metrics, self.leaves.is_empty()) {
                (None, true) => Ok(()),
                _ => Err(ReportError::Inconsistent(
                    "what was not scored has no metrics or leaves",
                )),
            };
        };
        if self.leaves.len() != self.examples as usize {
            return Err(ReportError::Inconsistent("every example has one leaf"));
        }
        if predictions_root(&self.leaves) != *root {
            return Err(ReportError::Inconsistent(
                "the leaves do not have the root it names",
            ));
        }
        if self.weights_digest != Some(*weights_digest) {
            return Err(ReportError::Inconsistent(
                "it names two digests of the weights",
            ));
        }
        match &self.metrics {
            Some(metrics) if are_in_range(metrics) => Ok(()),
            _ => Err(ReportError::Inconsistent(
                "a scored model has metrics, within their range",
            )),
        }
    }
}

/// What a reader of metrics relies on: that ratios can be formed.
fn are_in_range(metrics: &Metrics) -> bool {
    let examples = metrics.examples();
    examples > 0
        && match metrics {
            Metrics::Classes(ClassMetrics {
                correct,
                two_classes,
                ..
            }) => {
                let is_sound = |two: &TwoClassMetrics| {
                    (1..examples).contains(&two.positives) && two.halves_won <= two.halves(examples)
                };
                *correct <= examples && two_classes.as_ref().is_none_or(is_sound)
            }
            Metrics::Numbers(_) => true,
        }
}

/// Leaves that lie end to end, by ascending example from 0, all of one width.
fn split_leaves(bytes: &[u8]) -> Result<Vec<Leaf>, ReportError> {
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let index = leaves.len() as u32;
        let (leaf, after) = Leaf::split_from(rest).ok_or(ReportError::Leaf(index))?;
        let width = leaves
            .first()
            .map_or(leaf.output_bits.len(), |first| first.output_bits.len());
        if leaf.index != index || leaf.output_bits.is_empty() || leaf.output_bits.len() != width {
            return Err(ReportError::Leaf(index));
        }
        leaves.push(leaf);
        rest = after;
    }
    Ok(leaves)
}

fn read_bounded(dir: &Path, file: &'static str, limit_bytes: u64) -> Result<Vec<u8>, ReportError> {
    let path = dir.join(file);
    let mut bytes = Vec::new();
    // A link leads elsewhere, and a pipe would never end.
    let is_file = path.symlink_metadata().map(|metadata| metadata.is_file());
    let read = is_file
        .and_then(|is_file| match is_file {
            true => File::open(&path),
            false => Err(io::Error::other("it is not a regular file")),
        })
        .and_then(|f| f.take(limit_bytes + 1).read_to_end(&mut bytes));
    read.map_err(|error| ReportError::Io { path, error })?;
    if bytes.len() as u64 > limit_bytes {
        return Err(ReportError::TooLong { file, limit_bytes });
    }
    Ok(bytes)
}

/// Writes beside the file and then takes its place.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let partial = path.with_extension("partial");
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&partial);
        ReportError::Io {
            path: path.to_owned(),
            error,
        }
    })
}
