//! What is wrong with a submission, and what keeps an evaluator from saying.

use std::io;
use std::path::{Path, PathBuf};

use models::ModelError;
use protocol::benchmark::BenchmarkError;
use protocol::report::Outcome;
use protocol::text::Code;

/// A fault of a model: part of the outcome, and the same for every evaluator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The stable code, in snake case.
    pub code: Code,
    /// Where: a file, a field, a tensor, an example.
    pub place: Code,
    /// A sentence for people; no part of what is attested.
    pub message: String,
}

impl Fault {
    /// A fault; code and place are cut to what a record can hold.
    pub fn new(code: &str, place: &str, message: impl Into<String>) -> Self {
        Self {
            code: Code::lossy(code),
            place: Code::lossy(place),
            message: message.into(),
        }
    }

    /// The outcome that this fault is.
    pub fn outcome(&self) -> Outcome {
        Outcome::Invalid {
            code: self.code.clone(),
            place: self.place.clone(),
        }
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::new(error.code(), &error.place(), error.to_string())
    }
}

/// Why there is no verdict: nothing that the submission could help.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// A file or folder could not be read.
    #[error("'{path}' could not be read: {error}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The benchmark makes no sense, or is of another version.
    #[error("the benchmark cannot be scored: {0}")]
    Benchmark(#[from] BenchmarkError),
    /// The test set is malformed or does not fit the benchmark.
    #[error("the test set is not usable ({}, {}): {}", .0.code, .0.place, .0.message)]
    TestSet(Fault),
    /// There is no such example in the test set.
    #[error("there is no example {index}, the test set has {examples}")]
    NoExample {
        /// The example asked for.
        index: u32,
        /// Examples there are.
        examples: u32,
    },
}

impl NoVerdict {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}

/// Either kind: what the steps of an evaluation give back.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The submission's fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Not the submission's fault.
    #[error(transparent)]
    NoVerdict(#[from] NoVerdict),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Fault(error.into())
    }
}
