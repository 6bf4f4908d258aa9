//! What a bounty asks for: the task, the metric, the limits; and the job that
//! scores one model on it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// The version of the arithmetic that this build scores with (`repro`).
pub const ARITHMETIC_VERSION: u32 = 1;

/// The most inputs or classes a benchmark may name.
pub const WIDTH_MAX: u32 = 1 << 20;

/// How models for a bounty are scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Version of the arithmetic; an old score can be recomputed for ever.
    pub arithmetic: u32,
    /// What a model does.
    pub task: Task,
    /// Numbers in one example's input.
    pub inputs: u32,
    /// Classes; labels are 0 to `classes − 1`.
    pub classes: u32,
    /// What becomes the score.
    pub metric: Metric,
    /// What a submission may weigh.
    pub limits: ModelLimits,
}

/// What a model does with an example.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of `classes` labels from a row of `inputs` numbers; the model gives one logit a class.
    Classification,
}

/// What becomes the score.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The part of the examples whose largest logit (ties: the lowest class) is the label's; 0 to 1.
    Accuracy,
    /// The mean negative log-likelihood in nats, at least 0; the score is its negative.
    LogLoss,
}

impl Metric {
    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::LogLoss => "log_loss",
        }
    }

    /// The margin, in billionths, by which a newcomer must be better unless the
    /// sponsor states one: 0.002 for a metric bounded by 1, else none.
    pub const fn default_margin(self) -> Option<u64> {
        match self {
            Self::Accuracy => Some(2_000_000),
            Self::LogLoss => None,
        }
    }
}

/// Limits on a submission, counted from shapes and bytes, never from seconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct ModelLimits {
    /// The most parameters.
    pub parameters_max: u64,
    /// The most bytes of all files of the model folder together.
    pub file_bytes_max: u64,
    /// The most multiply-adds for one example.
    pub multiply_adds_max: u64,
}

/// Why a benchmark makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BenchmarkError {
    /// A version of the arithmetic that this build does not know.
    #[error("arithmetic version {0} is unknown here, this build scores with {ARITHMETIC_VERSION}")]
    Arithmetic(u32),
    /// No inputs, fewer than two classes, or more than [`WIDTH_MAX`] of either.
    #[error("{inputs} inputs and {classes} classes: at least 1 and 2, at most {WIDTH_MAX} of each")]
    Width {
        /// Inputs asked for.
        inputs: u32,
        /// Classes asked for.
        classes: u32,
    },
    /// A limit of zero lets nothing pass.
    #[error("the limit '{0}' is zero, so no model could pass")]
    ZeroLimit(&'static str),
}

impl Benchmark {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`BenchmarkError`] with the value at fault.
    pub fn check(&self) -> Result<(), BenchmarkError> {
        if self.arithmetic != ARITHMETIC_VERSION {
            return Err(BenchmarkError::Arithmetic(self.arithmetic));
        }
        let (inputs, classes) = (self.inputs, self.classes);
        if !(1..=WIDTH_MAX).contains(&inputs) || !(2..=WIDTH_MAX).contains(&classes) {
            return Err(BenchmarkError::Width { inputs, classes });
        }
        for (name, value) in [
            ("parameters_max", self.limits.parameters_max),
            ("file_bytes_max", self.limits.file_bytes_max),
            ("multiply_adds_max", self.limits.multiply_adds_max),
        ] {
            if value == 0 {
                return Err(BenchmarkError::ZeroLimit(name));
            }
        }
        Ok(())
    }
}
