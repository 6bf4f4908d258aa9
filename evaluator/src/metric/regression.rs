//! The metrics of a regression, in the orders of the parent's head.

use protocol::benchmark::Metric;
use protocol::report::Leaf;

use super::outputs;

/// The metrics of a regression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberMetrics {
    /// Examples in all; at least 1.
    pub examples: u64,
    /// Root of the mean squared error, in the label's unit.
    pub rmse: f64,
    /// Mean absolute error, in the label's unit.
    pub mae: f64,
    /// One minus the squared error over that of the labels' mean, at least the
    /// lowest number of binary64; `None` for labels that do not differ.
    pub r2: Option<f64>,
}

impl NumberMetrics {
    pub(super) fn of(leaves: &[Leaf], labels: &[f64]) -> Self {
        let (mut squares, mut magnitudes) = (0.0, 0.0);
        for (leaf, &label) in leaves.iter().zip(labels) {
            assert_eq!(leaf.output_bits.len(), 1, "a regression has one output");
            for output in outputs(leaf) {
                let error = f64::from(output) - label;
                squares += error * error;
                magnitudes += error.abs();
            }
        }
        let examples = leaves.len() as u64;
        let r2 = squares_about_mean(labels);
        let r2 = r2.map(|about_mean| (1.0 - squares / about_mean).max(f64::MIN));
        Self {
            examples,
            // An IEEE operation, not the platform's library: rounded once.
            rmse: (squares / examples as f64).sqrt(),
            mae: magnitudes / examples as f64,
            r2,
        }
    }

    pub(super) const fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Rmse => Some(self.rmse),
            Metric::Mae => Some(self.mae),
            Metric::R2 => self.r2,
            _ => None,
        }
    }
}

/// The chain of squared distances from the labels' mean; `None` if all labels
/// are equal, or the chain is zero.
pub(crate) fn squares_about_mean(labels: &[f64]) -> Option<f64> {
    // The mean of equal labels may round to another number than theirs.
    if labels.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let mut sum = 0.0;
    for &label in labels {
        sum += label;
    }
    let mean = sum / labels.len() as f64;
    let mut squares = 0.0;
    for &label in labels {
        squares += (label - mean) * (label - mean);
    }
    (squares != 0.0).then_some(squares)
}
