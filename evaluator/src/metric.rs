//! Accuracy and log loss, from leaves and labels.
//!
//! **Accuracy.** An example is right if its largest logit (ties: the lowest
//! class; +0 and −0 are equal) is the label's. The score is the number of right
//! ones over the number of examples, rounded once from the integers.
//!
//! **Log loss**, in nats, in binary64. For an example with logits `z` (binary32,
//! widened, which is exact) and label `y`: `m = max z`; `s` is the chain
//! `s = s + exp(z_k − m)` over classes `k` ascending from +0.0; the loss is
//! `ln(s) − (z_y − m)`, with `repro`'s `exp` and `ln`. The mean is the chain
//! `t = t + loss_i` over examples ascending from +0.0, divided by their number.
//! The score is its negative. Every operation is IEEE binary64, rounded to
//! nearest even, none fused.

use protocol::Score;
use protocol::benchmark::Metric;
use protocol::report::Leaf;
use repro::f64fn::{exp, ln};

use crate::fault::Fault;

/// Every metric of one evaluation, whichever becomes the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Examples whose largest logit is the label's.
    pub correct: u64,
    /// Examples in all; at least 1.
    pub examples: u64,
    /// Mean negative log-likelihood in nats.
    pub log_loss: f64,
}

impl Metrics {
    /// Computes both metrics.
    ///
    /// # Panics
    /// If there is no example, not one label a leaf, or a label that is no class.
    pub fn of(leaves: &[Leaf], labels: &[u32]) -> Self {
        assert_eq!(leaves.len(), labels.len(), "every leaf has a label");
        assert!(!leaves.is_empty(), "a test set has examples");
        let mut correct = 0;
        let mut total = 0.0;
        for (leaf, &label) in leaves.iter().zip(labels) {
            let logits: Vec<f32> = leaf
                .output_bits
                .iter()
                .map(|&b| f32::from_bits(b))
                .collect();
            correct += u64::from(argmax(&logits) == label as usize);
            total += example_loss(&logits, label as usize);
        }
        let examples = leaves.len() as u64;
        Self {
            correct,
            examples,
            log_loss: total / examples as f64,
        }
    }

    /// The part of the examples that is right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.examples as f64
    }

    /// The metric as a number: what `name` of the benchmark is.
    pub fn value(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Accuracy => self.accuracy(),
            Metric::LogLoss => self.log_loss,
        }
    }

    /// The metric as a score, higher being better.
    ///
    /// # Errors
    /// `score_out_of_range` for a log loss that no score can hold (above about 9.2 × 10^9 nats).
    pub fn score(&self, metric: Metric) -> Result<Score, Fault> {
        let score = match metric {
            Metric::Accuracy => Score::from_ratio(self.correct, self.examples),
            Metric::LogLoss => Score::from_f64(-self.log_loss),
        };
        score.ok_or_else(|| {
            let value = self.value(metric);
            let message = format!("{} is {value}, which no score can hold", metric.name());
            Fault::new("score_out_of_range", metric.name(), message)
        })
    }
}

/// The class of the largest logit; ties go to the lowest class.
pub fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best
}

/// The negative log-likelihood of a label, in nats.
///
/// **Order.** As in the module's head.
pub fn example_loss(logits: &[f32], label: usize) -> f64 {
    let max = f64::from(logits[argmax(logits)]);
    let mut sum = 0.0;
    for &logit in logits {
        sum += exp(f64::from(logit) - max);
    }
    ln(sum) - (f64::from(logits[label]) - max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(rows: &[(&[f32], u32)]) -> Metrics {
        let leaves: Vec<Leaf> = rows
            .iter()
            .enumerate()
            .map(|(i, (row, _))| Leaf::new(i as u32, row))
            .collect();
        let labels: Vec<u32> = rows.iter().map(|(_, label)| *label).collect();
        Metrics::of(&leaves, &labels)
    }

    #[test]
    fn ties_go_to_the_lowest_class() {
        assert_eq!(argmax(&[1.0, 1.0, 0.0]), 0);
        assert_eq!(argmax(&[-0.0, 0.0]), 0);
        assert_eq!(argmax(&[0.0, -0.0]), 0);
        assert_eq!(argmax(&[-3.0, -2.0, -2.0]), 1);
    }

    #[test]
    fn accuracy_counts_and_rounds_once() {
        let metrics = metrics(&[(&[1.0, 0.0], 0), (&[1.0, 0.0], 1), (&[0.0, 1.0], 1)]);
        assert_eq!((metrics.correct, metrics.examples), (2, 3));
        assert_eq!(metrics.score(Metric::Accuracy), Ok(Score(666_666_667)));
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_classes() {
        let metrics = metrics(&[(&[0.0, 0.0], 0), (&[7.5, 7.5], 1)]);
        assert_eq!(metrics.log_loss, std::f64::consts::LN_2);
        assert_eq!(metrics.score(Metric::LogLoss), Ok(Score(-693_147_181)));
    }

    #[test]
    fn the_largest_logits_do_not_overflow() {
        let metrics = metrics(&[(&[f32::MAX, -f32::MAX], 0), (&[f32::MAX, 0.0], 0)]);
        assert_eq!(metrics.log_loss, 0.0);
        assert_eq!(metrics.score(Metric::LogLoss), Ok(Score(0)));
    }

    #[test]
    fn a_loss_that_no_score_can_hold_is_a_fault() {
        let metrics = metrics(&[(&[f32::MAX, -f32::MAX], 1)]);
        assert_eq!(
            metrics.score(Metric::LogLoss).unwrap_err().code.as_str(),
            "score_out_of_range"
        );
        assert_eq!(metrics.score(Metric::Accuracy), Ok(Score(0)));
    }
}
