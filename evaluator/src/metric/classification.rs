//! The metrics of a classification, in the orders of the parent's head.

use protocol::benchmark::Metric;
use protocol::report::Leaf;
use repro::f64fn::{exp, ln};

use super::outputs;

/// The metrics of a classification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMetrics {
    /// Examples whose largest logit is the label's.
    pub correct: u64,
    /// Examples in all; at least 1.
    pub examples: u64,
    /// Mean negative log-likelihood in nats.
    pub log_loss: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// What there is for two classes, both of which have examples.
    pub two_classes: Option<TwoClassMetrics>,
}

/// The metrics of the order that margins put two classes in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoClassMetrics {
    /// Examples with the label 1; neither none nor all.
    pub positives: u64,
    /// Pairs of an example of each class in the right order, in halves: a tie is one.
    pub halves_won: u64,
    /// Precision summed over the steps of recall.
    pub average_precision: f64,
}

impl TwoClassMetrics {
    /// All pairs, in halves. Below 2^63, for examples are counted in 32 bits.
    pub const fn halves(&self, examples: u64) -> u64 {
        2 * self.positives * (examples - self.positives)
    }
}

impl ClassMetrics {
    pub(super) fn of(leaves: &[Leaf], labels: &[u32]) -> Self {
        let classes = leaves[0].output_bits.len();
        let mut counts = vec![ClassCount::default(); classes];
        let mut total = 0.0;
        for (leaf, &label) in leaves.iter().zip(labels) {
            let logits: Vec<f32> = outputs(leaf).collect();
            let (best, label) = (argmax(&logits), label as usize);
            counts[label].labels += 1;
            counts[best].predictions += 1;
            counts[label].hits += u64::from(best == label);
            total += example_loss(&logits, label);
        }
        let examples = leaves.len() as u64;
        Self {
            correct: counts.iter().map(|count| count.hits).sum(),
            examples,
            log_loss: total / examples as f64,
            macro_f1: macro_f1(&counts),
            two_classes: (classes == 2)
                .then(|| two_classes(leaves, labels))
                .flatten(),
        }
    }

    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        let two = self.two_classes;
        match metric {
            Metric::Accuracy => Some(self.correct as f64 / self.examples as f64),
            Metric::LogLoss => Some(self.log_loss),
            Metric::MacroF1 => Some(self.macro_f1),
            Metric::RocAuc => {
                two.map(|two| two.halves_won as f64 / two.halves(self.examples) as f64)
            }
            Metric::AveragePrecision => two.map(|two| two.average_precision),
            Metric::Rmse | Metric::Mae | Metric::R2 => None,
        }
    }
}

/// What macro-F1 counts of a class.
#[derive(Clone, Copy, Default)]
struct ClassCount {
    hits: u64,
    labels: u64,
    predictions: u64,
}

fn macro_f1(counts: &[ClassCount]) -> f64 {
    let (mut sum, mut classes) = (0.0, 0u64);
    for count in counts {
        let both = count.labels + count.predictions;
        if both > 0 {
            sum += (2 * count.hits) as f64 / both as f64;
            classes += 1;
        }
    }
    // There is an example, so there is a class with a label.
    sum / classes as f64
}

/// `None` if one of the classes has no example.
fn two_classes(leaves: &[Leaf], labels: &[u32]) -> Option<TwoClassMetrics> {
    let margin = |leaf: &Leaf| {
        let [none, one] = [0, 1].map(|class| f64::from(f32::from_bits(leaf.output_bits[class])));
        // Minus nothing is nothing, also where numbers are sorted.
        (one - none) + 0.0
    };
    let mut ranked: Vec<(f64, bool)> = leaves
        .iter()
        .zip(labels)
        .map(|(leaf, &label)| (margin(leaf), label == 1))
        .collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let positives = ranked
        .iter()
        .filter(|(_, is_positive)| *is_positive)
        .count() as u64;
    let negatives = ranked.len() as u64 - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut passed, mut passed_positives) = (0u64, 0u64);
    let (mut halves_won, mut sum) = (0u64, 0.0);
    for tied in ranked.chunk_by(|(a, _), (b, _)| a == b) {
        let here = tied.iter().filter(|(_, is_positive)| *is_positive).count() as u64;
        let negatives_here = tied.len() as u64 - here;
        passed += tied.len() as u64;
        passed_positives += here;
        let negatives_below = negatives - (passed - passed_positives);
        halves_won += here * (2 * negatives_below + negatives_here);
        if here > 0 {
            sum += (here * passed_positives) as f64 / passed as f64;
        }
    }
    Some(TwoClassMetrics {
        positives,
        halves_won,
        average_precision: sum / positives as f64,
    })
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
/// **Order.** As in the head of [`crate::metric`].
pub fn example_loss(logits: &[f32], label: usize) -> f64 {
    let max = f64::from(logits[argmax(logits)]);
    let mut sum = 0.0;
    for &logit in logits {
        sum += exp(f64::from(logit) - max);
    }
    ln(sum) - (f64::from(logits[label]) - max)
}
