//! Every metric, from leaves and labels, each with its one order of operations.
//!
//! Every operation is IEEE binary64, rounded to nearest even, none fused; `exp`
//! and `ln` are `repro`'s. A *chain* is `t = t + term`, from +0.0, in the order
//! given. A count becomes binary64 by one rounding. Outputs are binary32,
//! widened, which is exact. A metric becomes the score by one rounding to
//! billionths, half to even ([`protocol::Score`]); an error is negated. What
//! does not fit (beyond about 9.2 × 10^9) is the highest or the lowest score
//! there is: whoever chose the labels cannot make a model's errors anything
//! else than large.
//!
//! **Classification**, with logits `z` and label `y` of an example:
//!
//! - *accuracy*: an example is right if its largest logit (ties: the lowest
//!   class; +0 and −0 are equal) is the label's. The score is the number of
//!   right ones over the number of examples, rounded once from the integers.
//! - *log loss*, in nats: `m = max z`; `s` is the chain of `exp(z_k − m)` over
//!   classes ascending; the loss is `ln(s) − (z_y − m)`. The chain of losses
//!   over examples ascending, divided by their number. An error.
//! - *macro-F1*: of class `c` let `h` be the examples that are right and have
//!   the label `c`, `l` those with the label, `p` those whose largest logit
//!   is its. The chain of `2h / (l + p)` over classes ascending, divided by how
//!   many classes are in it. A class with neither label nor prediction
//!   (`l + p = 0`) is left out of both.
//!
//! **Two classes.** Examples are ordered by the margin `d = z_1 − z_0`, one
//! binary64 subtraction; +0 and −0 are equal. `P` examples have the label 1,
//! `N` the label 0, and both numbers are above zero: a test set without one of
//! the classes is malformed (`labels_one_class`) for these two metrics.
//!
//! - *ROC-AUC*: over all `P · N` pairs of one example of each class, 2 for a
//!   pair in which class 1's margin is larger, 1 for a tie, counted in integers
//!   (mid-ranks, in other words). The score is the count over `2 · P · N`,
//!   rounded once from the integers.
//! - *average precision*: thresholds are the different margins, descending;
//!   examples with the same margin pass theirs together. At each let `g` be the
//!   examples of class 1 that pass there, `t` those that have passed so far, `a`
//!   the examples of either class that have. The chain of `(g · t) / a` over
//!   thresholds with `g > 0`, the product being of integers; divided by `P`.
//!
//! **Regression**, with output `o` and label `y` (binary64) of an example, and
//! `e = o − y`:
//!
//! - *RMSE*: the square root of (the chain of `e · e` over examples ascending,
//!   divided by their number). An error, in the label's unit.
//! - *MAE*: the chain of `|e|` over examples ascending, divided by their number. Likewise.
//! - *R²*: `1 − S / T` (below binary64: its lowest number), where `S` is the chain of RMSE, `m` the chain of `y`
//!   divided by the number of examples, and `T` the chain of `(y − m) · (y − m)`.
//!   Where all labels are equal, or `T` is zero because they differ by less than
//!   binary64 can square, there is no R²: a test set with such labels is
//!   malformed (`labels_constant`) for it.

mod classification;
mod regression;

use datasets::Labels;
use protocol::Score;
use protocol::benchmark::Metric;
use protocol::report::Leaf;

pub use classification::{ClassMetrics, TwoClassMetrics, argmax, example_loss};
pub use regression::NumberMetrics;
pub(crate) use regression::squares_about_mean;

use crate::fault::Fault;

/// Every metric of one evaluation, whichever becomes the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metrics {
    /// Of a classification.
    Classes(ClassMetrics),
    /// Of a regression.
    Numbers(NumberMetrics),
}

impl Metrics {
    /// Computes every metric that there is for such labels.
    ///
    /// # Panics
    /// If there is no example, not one label a leaf, a label that is no class,
    /// or, for numbers, a leaf with more or fewer outputs than one.
    pub fn of(leaves: &[Leaf], labels: &Labels) -> Self {
        assert_eq!(leaves.len(), labels.len(), "every leaf has a label");
        assert!(!leaves.is_empty(), "a test set has examples");
        match labels {
            Labels::Classes(labels) => Self::Classes(ClassMetrics::of(leaves, labels)),
            Labels::Numbers(labels) => Self::Numbers(NumberMetrics::of(leaves, labels)),
        }
    }

    /// How many examples there were; at least 1.
    pub const fn examples(&self) -> u64 {
        match self {
            Self::Classes(metrics) => metrics.examples,
            Self::Numbers(metrics) => metrics.examples,
        }
    }

    /// The metric as a number, an error not negated; `None` where the task or
    /// the labels leave it undefined.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match self {
            Self::Classes(metrics) => metrics.value(metric),
            Self::Numbers(metrics) => metrics.value(metric),
        }
    }

    /// Every metric that is defined here, in the order of [`Metric::ALL`].
    pub fn values(&self) -> Vec<(Metric, f64)> {
        let value = |metric| Some((metric, self.value(metric)?));
        Metric::ALL.into_iter().filter_map(value).collect()
    }

    /// The metric as a score, higher being better.
    ///
    /// # Errors
    /// `metric_undefined` where the labels leave it undefined, which a
    /// [`TestSet`](crate::TestSet) of a benchmark with this metric rules out.
    pub fn score(&self, metric: Metric) -> Result<Score, Fault> {
        let value = self.value(metric);
        let score = match (self, metric) {
            (Self::Classes(metrics), Metric::Accuracy) => {
                Score::from_ratio(metrics.correct, metrics.examples)
            }
            (Self::Classes(metrics), Metric::RocAuc) => metrics
                .two_classes
                .and_then(|two| Score::from_ratio(two.halves_won, two.halves(metrics.examples))),
            _ => value.and_then(|value| {
                Score::saturating_from_f64(if metric.is_error() { -value } else { value })
            }),
        };
        score.ok_or_else(|| {
            let message = format!("{} is not defined for these labels", metric.name());
            Fault::new("metric_undefined", metric.name(), message)
        })
    }
}

/// The outputs of a leaf.
fn outputs(leaf: &Leaf) -> impl Iterator<Item = f32> {
    leaf.output_bits.iter().map(|&bits| f32::from_bits(bits))
}

#[cfg(test)]
mod tests;
