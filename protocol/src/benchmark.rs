//! What a bounty asks for: the task, the metric, the limits; and the job that
//! scores one model on it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// The version of the arithmetic that this build scores with (`repro`).
pub const ARITHMETIC_VERSION: u32 = 1;

/// The most inputs or classes a benchmark may name.
pub const WIDTH_MAX: u32 = 1 << 20;

/// The most bytes that the leaves of one submission may have: an evaluator keeps
/// them, publishes them and reads those of others.
pub const LEAVES_BYTES_MAX: u64 = 1 << 30;

/// The most submissions to one bounty.
pub const SUBMISSIONS_MAX: u32 = 10_000;

/// The most bytes that the leaves of all submissions to one bounty may have together, 32 GiB: an
/// evaluator keeps them twice and publishes them at once.
pub const BOUNTY_LEAVES_BYTES_MAX: u64 = 32 << 30;

/// The bytes of so many leaves ([`crate::report::Leaf`]) of so many outputs each.
pub const fn leaves_bytes(examples: u32, outputs: u32) -> u64 {
    (examples as u64).saturating_mul(8 + 4 * outputs as u64)
}

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
    /// What becomes the score.
    pub metric: Metric,
    /// The most examples the test set may have: what an evaluation may cost is
    /// known before the test set is.
    pub examples_max: u32,
    /// What a submission may weigh.
    pub limits: ModelLimits,
}

/// What a model does with an example.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// One of `classes` labels from a row of `inputs` numbers; the model gives one logit a class.
    Classification {
        /// Classes; labels are 0 to `classes − 1`.
        classes: u32,
    },
    /// A number from a row of `inputs` numbers; the model gives that one number.
    Regression,
}

impl Task {
    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification { .. } => "classification",
            Self::Regression => "regression",
        }
    }

    /// Numbers that a model gives for an example.
    pub const fn outputs(self) -> u32 {
        match self {
            Self::Classification { classes } => classes,
            Self::Regression => 1,
        }
    }

    /// Classes, if it has any.
    pub const fn classes(self) -> Option<u32> {
        match self {
            Self::Classification { classes } => Some(classes),
            Self::Regression => None,
        }
    }
}

/// What becomes the score.
///
/// Each of them has one written order of operations, in `evaluator::metric`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The part of the examples whose largest logit (ties: the lowest class) is the label's; 0 to 1.
    Accuracy,
    /// The mean negative log-likelihood in nats, at least 0; the score is its negative.
    LogLoss,
    /// The mean over classes of 2·hits / (labels + predictions); 0 to 1.
    MacroF1,
    /// Of two classes: the part of all pairs of one example of each in which class 1's has the
    /// larger margin of logits, a tie counting half; 0 to 1.
    RocAuc,
    /// Of two classes: precision summed over the steps of recall of class 1; 0 to 1.
    AveragePrecision,
    /// The root of the mean squared error, in the label's unit; the score is its negative.
    Rmse,
    /// The mean absolute error, in the label's unit; the score is its negative.
    Mae,
    /// One minus the squared error over that of the labels' mean; at most 1.
    R2,
}

impl Metric {
    /// All of them, in the order of their encoding.
    pub const ALL: [Self; 8] = [
        Self::Accuracy,
        Self::LogLoss,
        Self::MacroF1,
        Self::RocAuc,
        Self::AveragePrecision,
        Self::Rmse,
        Self::Mae,
        Self::R2,
    ];

    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::LogLoss => "log_loss",
            Self::MacroF1 => "macro_f1",
            Self::RocAuc => "roc_auc",
            Self::AveragePrecision => "average_precision",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
        }
    }

    /// Whether less is better, so that the score is the negative.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::LogLoss | Self::Rmse | Self::Mae)
    }

    /// Whether it measures that task.
    pub const fn fits(self, task: Task) -> bool {
        matches!(
            (self, task),
            (
                Self::Accuracy | Self::LogLoss | Self::MacroF1,
                Task::Classification { .. }
            ) | (
                Self::RocAuc | Self::AveragePrecision,
                Task::Classification { classes: 2 }
            ) | (Self::Rmse | Self::Mae | Self::R2, Task::Regression)
        )
    }

    /// The margin, in billionths, by which a newcomer must be better unless the
    /// sponsor states one: 0.002 for a metric that 1 bounds from above, so that
    /// 0.002 of what is attainable is meant (R² included, whose unit is the
    /// labels' own variance); none for one in nats or in the labels' unit.
    pub const fn default_margin(self) -> Option<u64> {
        if self.is_error() {
            None
        } else {
            Some(2_000_000)
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
    /// No inputs, or more than [`WIDTH_MAX`].
    #[error("{0} inputs: at least 1, at most {WIDTH_MAX}")]
    Inputs(u32),
    /// Fewer than two classes, or more than [`WIDTH_MAX`].
    #[error("{0} classes: at least 2, at most {WIDTH_MAX}")]
    Classes(u32),
    /// A metric that does not measure the task.
    #[error("{} does not measure {}", .metric.name(), task_text(.task))]
    Metric {
        /// The metric asked for.
        metric: Metric,
        /// The task asked for.
        task: Task,
    },
    /// A limit of zero lets nothing pass.
    #[error("the limit '{0}' is zero, so nothing could pass")]
    ZeroLimit(&'static str),
    /// Leaves of more than [`LEAVES_BYTES_MAX`], so that nothing could be scored.
    #[error(
        "{examples_max} examples of {outputs} outputs have leaves of more than \
         {LEAVES_BYTES_MAX} bytes, so nothing could be scored: allow fewer examples"
    )]
    Leaves {
        /// The most examples.
        examples_max: u32,
        /// Numbers that a model gives for an example.
        outputs: u32,
    },
}

impl BenchmarkError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Arithmetic(_) => "arithmetic_version",
            Self::Inputs(_) => "inputs",
            Self::Classes(_) => "classes",
            Self::Metric { .. } => "metric_task",
            Self::ZeroLimit(_) => "zero_limit",
            Self::Leaves { .. } => "leaves_too_large",
        }
    }
}

fn task_text(task: &Task) -> String {
    match task {
        Task::Classification { classes } => format!("a classification of {classes} classes"),
        Task::Regression => "a regression".to_owned(),
    }
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
        if !(1..=WIDTH_MAX).contains(&self.inputs) {
            return Err(BenchmarkError::Inputs(self.inputs));
        }
        if let Some(classes) = self.task.classes()
            && !(2..=WIDTH_MAX).contains(&classes)
        {
            return Err(BenchmarkError::Classes(classes));
        }
        if !self.metric.fits(self.task) {
            let (metric, task) = (self.metric, self.task);
            return Err(BenchmarkError::Metric { metric, task });
        }
        for (name, value) in [
            ("examples_max", u64::from(self.examples_max)),
            ("parameters_max", self.limits.parameters_max),
            ("file_bytes_max", self.limits.file_bytes_max),
            ("multiply_adds_max", self.limits.multiply_adds_max),
        ] {
            if value == 0 {
                return Err(BenchmarkError::ZeroLimit(name));
            }
        }
        let (examples_max, outputs) = (self.examples_max, self.task.outputs());
        if leaves_bytes(examples_max, outputs) > LEAVES_BYTES_MAX {
            return Err(BenchmarkError::Leaves {
                examples_max,
                outputs,
            });
        }
        Ok(())
    }

    /// The most submissions to a bounty with this benchmark: [`SUBMISSIONS_MAX`], or fewer, so that the leaves
    /// of all stay within [`BOUNTY_LEAVES_BYTES_MAX`].
    pub fn submissions_max(&self) -> u32 {
        let one = leaves_bytes(self.examples_max, self.task.outputs());
        let room = BOUNTY_LEAVES_BYTES_MAX / one.max(1);
        u32::try_from(room).map_or(SUBMISSIONS_MAX, |room| room.min(SUBMISSIONS_MAX))
    }

    /// The most multiply-adds that scoring one submission can take: the most
    /// examples times the most multiply-adds an example. The count that
    /// evaluation fees are priced by: known when a bounty is posted, the same
    /// for everyone, and counted from shapes, never from seconds.
    pub fn counted_cost(&self) -> u128 {
        u128::from(self.examples_max) * u128::from(self.limits.multiply_adds_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 2 },
        inputs: 3,
        metric: Metric::Accuracy,
        examples_max: 10,
        limits: ModelLimits {
            parameters_max: 1,
            file_bytes_max: 1,
            multiply_adds_max: 1,
        },
    };

    #[test]
    fn the_larger_the_leaves_the_fewer_submissions() {
        for (examples_max, classes, expected) in [
            (10, 2, 10_000),
            (60_000, 10, 10_000),
            (78_090, 10, 9_166),
            (50_000, 1_000, 171),
            (1_000_000, 256, 33),
            (1 << 27, 0, 21),
        ] {
            let task = match classes {
                0 => Task::Regression,
                classes => Task::Classification { classes },
            };
            let benchmark = Benchmark {
                task,
                examples_max,
                ..GOOD
            };
            assert_eq!(
                benchmark.submissions_max(),
                expected,
                "{examples_max} of {classes}"
            );
        }
    }

    #[test]
    fn each_metric_measures_these_tasks() {
        let two = Task::Classification { classes: 2 };
        let three = Task::Classification { classes: 3 };
        for (metric, on_two, on_three, on_numbers) in [
            (Metric::Accuracy, true, true, false),
            (Metric::LogLoss, true, true, false),
            (Metric::MacroF1, true, true, false),
            (Metric::RocAuc, true, false, false),
            (Metric::AveragePrecision, true, false, false),
            (Metric::Rmse, false, false, true),
            (Metric::Mae, false, false, true),
            (Metric::R2, false, false, true),
        ] {
            for (task, fits) in [
                (two, on_two),
                (three, on_three),
                (Task::Regression, on_numbers),
            ] {
                let benchmark = Benchmark {
                    task,
                    metric,
                    ..GOOD
                };
                let expected = match fits {
                    true => Ok(()),
                    false => Err(BenchmarkError::Metric { metric, task }),
                };
                assert_eq!(benchmark.check(), expected, "{metric:?} {task:?}");
            }
        }
    }

    #[test]
    fn errors_are_negated_and_have_no_default_margin() {
        for metric in Metric::ALL {
            let is_error = ["log_loss", "rmse", "mae"].contains(&metric.name());
            assert_eq!(metric.is_error(), is_error, "{metric:?}");
            let margin = (!is_error).then_some(2_000_000);
            assert_eq!(metric.default_margin(), margin, "{metric:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |change: fn(&mut Benchmark), code: &str| {
            let mut benchmark = GOOD;
            change(&mut benchmark);
            let error = benchmark.check().expect_err(code);
            assert_eq!(error.code(), code, "{error}");
        };
        check(|b| b.arithmetic = 2, "arithmetic_version");
        check(|b| b.inputs = 0, "inputs");
        check(|b| b.inputs = WIDTH_MAX + 1, "inputs");
        check(|b| b.task = Task::Classification { classes: 1 }, "classes");
        check(
            |b| b.task = Task::Classification { classes: u32::MAX },
            "classes",
        );
        check(|b| b.task = Task::Regression, "metric_task");
        check(|b| b.examples_max = 0, "zero_limit");
        check(|b| b.limits.parameters_max = 0, "zero_limit");
        check(|b| b.limits.file_bytes_max = 0, "zero_limit");
        check(|b| b.limits.multiply_adds_max = 0, "zero_limit");
    }

    #[test]
    fn leaves_at_the_limit_are_allowed_and_one_example_more_is_refused() {
        for (task, metric, at) in [
            (Task::Regression, Metric::Rmse, 89_478_485),
            (
                Task::Classification { classes: 2 },
                Metric::Accuracy,
                1 << 26,
            ),
            (
                Task::Classification { classes: WIDTH_MAX },
                Metric::Accuracy,
                255,
            ),
        ] {
            let benchmark = |examples_max| Benchmark {
                task,
                metric,
                examples_max,
                ..GOOD
            };
            assert_eq!(benchmark(at).check(), Ok(()), "{task:?}");
            for above in [at + 1, u32::MAX] {
                let error = benchmark(above).check().expect_err("too many leaves");
                assert_eq!(error.code(), "leaves_too_large", "{error}");
            }
        }
    }

    #[test]
    fn the_counted_cost_does_not_overflow() {
        assert_eq!(GOOD.counted_cost(), 10);
        let mut most = GOOD;
        (most.examples_max, most.limits.multiply_adds_max) = (u32::MAX, u64::MAX);
        assert_eq!(
            most.counted_cost(),
            u128::from(u32::MAX) * u128::from(u64::MAX)
        );
    }

    #[test]
    fn json_says_the_task_with_its_classes_and_nothing_unknown() {
        for (task, json) in [
            (
                Task::Classification { classes: 2 },
                r#"{"classification":{"classes":2}}"#,
            ),
            (Task::Regression, r#""regression""#),
        ] {
            assert_eq!(serde_json::to_string(&task).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Task>(json).expect("a task"), task);
        }
        for json in [
            r#""classification""#,
            r#"{"classification":{}}"#,
            r#"{"classification":{"classes":2,"more":1}}"#,
            r#"{"regression":{"outputs":2}}"#,
        ] {
            assert!(serde_json::from_str::<Task>(json).is_err(), "{json}");
        }
        for metric in Metric::ALL {
            let json = serde_json::to_string(&metric).expect("JSON");
            assert_eq!(json, format!("\"{}\"", metric.name()));
        }
    }
}
