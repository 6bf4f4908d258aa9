//! What the parent tells the child, and what the child answers.

use std::path::{Path, PathBuf};

use protocol::BlobId;
use protocol::benchmark::{Benchmark, WIDTH_MAX};
use protocol::report::TestOutcome;
use protocol::seal::SealKey;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};

/// The most bytes of orders.
pub const ORDERS_BYTES_MAX: usize = 1 << 20;

/// The most bytes of an answer: a leaf has up to [`WIDTH_MAX`] outputs, of ten digits and a comma each.
pub const ANSWER_BYTES_MAX: usize = (1 << 20) + 11 * WIDTH_MAX as usize;

/// Where the child leaves its answer.
pub const ANSWER_FILE: &str = "answer.json";
/// Where it leaves a report.
pub const REPORT_DIR: &str = "report";
/// Where it leaves predictions.
pub const PREDICTIONS_FILE: &str = "predictions.bin";
/// Where it opens a test set, and a model.
pub const TEST_DIR: &str = "test";
/// As [`TEST_DIR`].
pub const MODEL_DIR: &str = "model";

/// How a line of the child's stderr begins that names a limit which is missing here.
pub const MISSING: &str = "not limited: ";

/// A folder that the child reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A ciphertext in its own folder, the key that is said to open it, and its name.
    Sealed {
        file: PathBuf,
        key: SealKey,
        root: BlobId,
    },
    /// An archive in its own folder.
    Archive { file: PathBuf },
    /// A folder that is open already.
    Open { dir: PathBuf },
    /// A ciphertext that was not fetched: it has more bytes than anything sound.
    TooLarge { size_bytes: u64, limit_bytes: u64 },
}

/// What is asked of the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Whether a test set opens and is sound.
    TestSet { benchmark: Benchmark, test: Source },
    /// A report on a model.
    Score {
        benchmark: Benchmark,
        test: Source,
        model: Source,
    },
    /// One leaf.
    Example {
        benchmark: Benchmark,
        test: Source,
        model: Source,
        index: u32,
    },
    /// What a model says of every row of a data set; no benchmark limits it.
    Predict { model: Source, data: Source },
}

impl Work {
    /// The folders that are open already.
    pub fn open_dirs(&self) -> Vec<&Path> {
        let sources = match self {
            Self::TestSet { test, .. } => vec![test],
            Self::Score { test, model, .. } | Self::Example { test, model, .. } => {
                vec![test, model]
            }
            Self::Predict { model, data } => vec![model, data],
        };
        sources
            .into_iter()
            .filter_map(|source| match source {
                Source::Open { dir } => Some(dir.as_path()),
                _ => None,
            })
            .collect()
    }
}

/// All that the child is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Who gives them: the process that the child dies with.
    pub parent: u32,
    /// Its folder: the only one that it writes to.
    pub own: PathBuf,
    pub memory_bytes: u64,
    pub seconds: u64,
    pub file_bytes: u64,
    pub batch_size: usize,
    pub threads: Option<usize>,
    pub work: Work,
}

/// What the child found.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// Of a test set.
    TestSet { outcome: TestOutcome },
    /// It is in the folder `report`.
    Report,
    /// One leaf, and how many there are.
    Leaf {
        output_bits: Vec<u32>,
        examples: u32,
    },
    /// They are in the file `predictions.bin`.
    Predictions {
        rows: u32,
        outputs: u32,
        /// Whether the labels are classes, not numbers.
        classes: bool,
    },
    /// The model has no leaves: it is not sound.
    NoLeaf { message: String },
    /// It could not be done. Where a verdict was asked for, this is none.
    Failed {
        exit: Exit,
        code: String,
        message: String,
        next_step: String,
    },
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failed {
            exit: failure.exit,
            code: failure.code,
            message: failure.message,
            next_step: failure.next_step,
        }
    }
}
