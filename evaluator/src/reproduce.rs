//! Somebody else's report, or one example of it, recomputed.

use protocol::report::{Leaf, Outcome};

use crate::fault::{Failure, NoVerdict};
use crate::folder::load_model;
use crate::job::{Job, Options, evaluate};
use crate::report::Report;
use crate::runner::ModelRunner;
use crate::test_set::TestSet;

/// A report held against our own.
#[derive(Clone, Debug, PartialEq)]
pub struct Reproduction {
    /// What we computed.
    pub ours: Report,
    /// The first thing that differs; `None` if every bit agrees.
    pub difference: Option<Difference>,
}

/// The first thing in which two reports differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// They were computed with different versions of the arithmetic.
    #[error("theirs is of arithmetic version {theirs}, ours of {ours}")]
    Arithmetic {
        /// Their version.
        theirs: u32,
        /// Our version.
        ours: u32,
    },
    /// One was scored and the other not, or the fault is another one.
    #[error("the outcome is '{}' for them and '{}' for us", .theirs.name(), .ours.name())]
    Outcome {
        /// Their outcome.
        theirs: Outcome,
        /// Our outcome.
        ours: Outcome,
    },
    /// They scored other weights.
    #[error("the weights have another digest")]
    Weights,
    /// They have more or fewer examples.
    #[error("they have {theirs} examples, we have {ours}")]
    Examples {
        /// Their number of examples.
        theirs: u32,
        /// Our number of examples.
        ours: u32,
    },
    /// The first example whose output bits differ.
    #[error("the output for example {index} differs")]
    Example {
        /// Its index in the test set.
        index: u32,
        /// Their leaf.
        theirs: Leaf,
        /// Our leaf.
        ours: Leaf,
    },
    /// They published more or fewer outputs than there are examples.
    #[error("they published {theirs} outputs, we have {ours}")]
    Leaves {
        /// Their number of leaves.
        theirs: usize,
        /// Our number of leaves.
        ours: usize,
    },
    /// The outputs agree, the score computed from them does not.
    #[error("the outputs agree, the score does not")]
    Score,
    /// The score agrees, a metric that it is not made of does not.
    #[error("the score agrees, another metric does not")]
    Metrics,
}

/// Evaluates a job again and compares a report with it.
///
/// # Errors
/// [`NoVerdict`] as [`evaluate`].
pub fn reproduce(
    job: &Job<'_>,
    theirs: &Report,
    options: Options,
) -> Result<Reproduction, NoVerdict> {
    let ours = evaluate(job, options)?;
    let difference = compare(theirs, &ours);
    Ok(Reproduction { ours, difference })
}

/// Recomputes the leaf of one example, and nothing else.
///
/// # Errors
/// [`Failure::Fault`] if the model is invalid or its output for this example is
/// not finite; [`Failure::NoVerdict`] as [`evaluate`], and if there is no such example.
pub fn reproduce_example(job: &Job<'_>, index: u32) -> Result<Leaf, Failure> {
    let test_set = TestSet::load(job.benchmark, job.test_dir)?;
    let examples = test_set.len();
    if index >= examples {
        return Err(NoVerdict::NoExample { index, examples }.into());
    }
    let model = load_model(job.model_dir, job.benchmark)?;
    Ok(ModelRunner::new(&model).leaf(test_set.inputs(), index)?)
}

/// The first difference between two reports; sentences for people do not count.
pub fn compare(theirs: &Report, ours: &Report) -> Option<Difference> {
    if theirs.arithmetic != ours.arithmetic {
        let (theirs, ours) = (theirs.arithmetic, ours.arithmetic);
        return Some(Difference::Arithmetic { theirs, ours });
    }
    if theirs.examples != ours.examples {
        let (theirs, ours) = (theirs.examples, ours.examples);
        return Some(Difference::Examples { theirs, ours });
    }
    if theirs.weights_digest != ours.weights_digest {
        return Some(Difference::Weights);
    }
    let pairs = theirs.leaves.iter().zip(&ours.leaves);
    if let Some((theirs, ours)) = pairs.into_iter().find(|(theirs, ours)| theirs != ours) {
        let (index, theirs, ours) = (ours.index, theirs.clone(), ours.clone());
        return Some(Difference::Example {
            index,
            theirs,
            ours,
        });
    }
    let is_scored = |report: &Report| matches!(report.outcome, Outcome::Scored { .. });
    if theirs.outcome != ours.outcome && !(is_scored(theirs) && is_scored(ours)) {
        let (theirs, ours) = (theirs.outcome.clone(), ours.outcome.clone());
        return Some(Difference::Outcome { theirs, ours });
    }
    let (there, here) = (theirs.leaves.len(), ours.leaves.len());
    if there != here {
        return Some(Difference::Leaves {
            theirs: there,
            ours: here,
        });
    }
    if theirs.outcome != ours.outcome {
        return Some(Difference::Score);
    }
    (theirs.metrics != ours.metrics).then_some(Difference::Metrics)
}
