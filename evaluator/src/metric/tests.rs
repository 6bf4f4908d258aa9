use super::*;
use proptest::prelude::*;

fn leaves(rows: &[&[f32]]) -> Vec<Leaf> {
    let leaf = |(index, row): (usize, &&[f32])| Leaf::new(index as u32, row);
    rows.iter().enumerate().map(leaf).collect()
}

fn classes(rows: &[(&[f32], u32)]) -> Metrics {
    let (outputs, labels): (Vec<&[f32]>, Vec<u32>) = rows.iter().copied().unzip();
    Metrics::of(&leaves(&outputs), &Labels::Classes(labels))
}

/// Two classes, by the logit of class 1 where that of class 0 is zero.
fn margins(rows: &[(f32, u32)]) -> Metrics {
    let outputs: Vec<[f32; 2]> = rows.iter().map(|(margin, _)| [0.0, *margin]).collect();
    let rows: Vec<(&[f32], u32)> = outputs
        .iter()
        .zip(rows)
        .map(|(output, (_, label))| (&output[..], *label))
        .collect();
    classes(&rows)
}

fn numbers(rows: &[(f32, f64)]) -> Metrics {
    let outputs: Vec<[f32; 1]> = rows.iter().map(|(output, _)| [*output]).collect();
    let outputs: Vec<&[f32]> = outputs.iter().map(|output| &output[..]).collect();
    let labels = rows.iter().map(|(_, label)| *label).collect();
    Metrics::of(&leaves(&outputs), &Labels::Numbers(labels))
}

fn score(metrics: &Metrics, metric: Metric) -> i64 {
    metrics.score(metric).expect("a score").0
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
    let metrics = classes(&[(&[1.0, 0.0], 0), (&[1.0, 0.0], 1), (&[0.0, 1.0], 1)]);
    assert_eq!(score(&metrics, Metric::Accuracy), 666_666_667);
}

#[test]
fn equal_logits_cost_the_logarithm_of_the_classes() {
    let metrics = classes(&[(&[0.0, 0.0], 0), (&[7.5, 7.5], 1)]);
    assert_eq!(metrics.value(Metric::LogLoss), Some(std::f64::consts::LN_2));
    assert_eq!(score(&metrics, Metric::LogLoss), -693_147_181);
}

#[test]
fn the_largest_logits_do_not_overflow() {
    let metrics = classes(&[(&[f32::MAX, -f32::MAX], 0), (&[f32::MAX, 0.0], 1)]);
    assert_eq!(metrics.value(Metric::RocAuc), Some(1.0));
    let metrics = classes(&[(&[f32::MAX, -f32::MAX], 0), (&[f32::MAX, 0.0], 0)]);
    assert_eq!(score(&metrics, Metric::LogLoss), 0);
}

#[test]
fn a_value_that_no_score_can_hold_is_the_lowest_score() {
    let metrics = classes(&[(&[f32::MAX, -f32::MAX], 1)]);
    assert_eq!(score(&metrics, Metric::LogLoss), -i64::MAX);
    assert_eq!(score(&metrics, Metric::Accuracy), 0);
    let metrics = numbers(&[(1e11, 0.0), (0.0, 1.0)]);
    for metric in [Metric::Rmse, Metric::Mae, Metric::R2] {
        assert_eq!(score(&metrics, metric), -i64::MAX);
    }
    // Labels so close that the ratio is beyond binary64.
    let metrics = numbers(&[(f32::MAX, 0.0), (f32::MAX, 1e-160)]);
    assert_eq!(metrics.value(Metric::R2), Some(f64::MIN));
    assert_eq!(score(&metrics, Metric::R2), -i64::MAX);
    // An ulp apart, which the best outputs there are miss by far.
    let metrics = numbers(&[(0.1, 0.1), (0.1, 0.100_000_000_000_000_02)]);
    assert_eq!(score(&metrics, Metric::R2), -i64::MAX);
}

#[test]
fn macro_f1_is_the_mean_over_the_classes_that_occur() {
    // Predictions 0 1 1 1 0; by hand: 2/4, 4/5, 0/1, and nothing of class 3.
    let [zero, one] = [&[1.0, 0.0, 0.0, 0.0][..], &[0.0, 1.0, 0.0, 0.0]];
    let metrics = classes(&[(zero, 0), (one, 0), (one, 1), (one, 1), (zero, 2)]);
    assert_eq!(
        metrics.value(Metric::MacroF1),
        Some((0.5 + 0.8 + 0.0) / 3.0)
    );
    assert_eq!(score(&metrics, Metric::MacroF1), 433_333_333);
}

#[test]
fn macro_f1_counts_a_class_that_is_only_predicted_or_only_labelled() {
    for (rows, expected) in [
        // All right, class 1 absent: one class, F1 1.
        (&[(-1.0, 0), (-1.0, 0)][..], 1_000_000_000),
        // Class 1 is predicted once: 2·1/(2+1) and 0.
        (&[(-1.0, 0), (1.0, 0)], 333_333_333),
        // All wrong.
        (&[(1.0, 0), (-1.0, 1)], 0),
        // A constant guess: 2·1/(1+2) and 0.
        (&[(-1.0, 0), (-1.0, 1)], 333_333_333),
    ] {
        assert_eq!(score(&margins(rows), Metric::MacroF1), expected, "{rows:?}");
    }
}

#[test]
fn the_order_of_two_classes_is_measured_as_by_hand() {
    for (rows, auc, precision) in [
        // 3 of 4 pairs; 1/1 and 2/3.
        (
            &[(0.9, 1), (0.8, 0), (0.7, 1), (0.1, 0)][..],
            750_000_000,
            833_333_333,
        ),
        // All tied: a half, and the part of class 1.
        (
            &[(5.0, 1), (5.0, 0), (5.0, 1), (5.0, 0), (5.0, 0)],
            500_000_000,
            400_000_000,
        ),
        // +0 and −0 are one margin: 1 won, 1 tied of 2 pairs; 1·1/2.
        (&[(0.0, 1), (-0.0, 0), (-1.0, 0)], 750_000_000, 500_000_000),
        // A tie within an order: 1 + 1/2 + 1 + 1 of 4; 2/3 for both of class 1, one step each.
        (
            &[(2.0, 1), (1.0, 1), (1.0, 0), (0.0, 0)],
            875_000_000,
            833_333_333,
        ),
        (&[(1.0, 1), (0.0, 0)], 1_000_000_000, 1_000_000_000),
        (&[(0.0, 1), (1.0, 0)], 0, 500_000_000),
        // One of three pairs, which rounds.
        (
            &[(1.0, 0), (2.0, 0), (3.0, 1), (4.0, 0)],
            666_666_667,
            500_000_000,
        ),
    ] {
        let metrics = margins(rows);
        assert_eq!(score(&metrics, Metric::RocAuc), auc, "{rows:?}");
        assert_eq!(
            score(&metrics, Metric::AveragePrecision),
            precision,
            "{rows:?}"
        );
    }
}

#[test]
fn without_one_of_the_classes_there_is_no_order_to_measure() {
    for label in [0, 1] {
        let metrics = margins(&[(1.0, label), (2.0, label)]);
        assert_eq!(metrics.value(Metric::RocAuc), None);
        assert_eq!(metrics.value(Metric::AveragePrecision), None);
        assert!(metrics.score(Metric::RocAuc).is_err());
    }
    let metrics = classes(&[(&[1.0, 0.0, 0.0], 0), (&[1.0, 0.0, 0.0], 1)]);
    assert_eq!(metrics.value(Metric::RocAuc), None);
}

#[test]
fn the_margin_and_not_the_larger_logit_orders() {
    // Class 1's logit is larger in the second, its margin in the first.
    let metrics = classes(&[(&[0.0, 1.0], 1), (&[9.0, 9.5], 0)]);
    assert_eq!(score(&metrics, Metric::RocAuc), 1_000_000_000);
}

#[test]
fn errors_are_measured_as_by_hand() {
    // Errors −1/2, 1/2, 0, 1; the labels' mean is 2.875, their squares about it 29.1875.
    let metrics = numbers(&[(2.5, 3.0), (0.0, -0.5), (2.0, 2.0), (8.0, 7.0)]);
    assert_eq!(metrics.value(Metric::Rmse), Some(0.375f64.sqrt()));
    assert_eq!(score(&metrics, Metric::Rmse), -612_372_436);
    assert_eq!(score(&metrics, Metric::Mae), -500_000_000);
    assert_eq!(score(&metrics, Metric::R2), 948_608_137);
    assert_eq!(metrics.value(Metric::Accuracy), None);
    // The mean of the labels is no better and no worse than itself; half of it is worse.
    assert_eq!(score(&numbers(&[(2.0, 1.0), (2.0, 3.0)]), Metric::R2), 0);
    assert_eq!(
        score(&numbers(&[(1.0, 1.0), (1.0, 3.0)]), Metric::R2),
        -1_000_000_000
    );
    assert_eq!(
        score(&numbers(&[(1.0, 1.0), (3.0, 3.0)]), Metric::R2),
        1_000_000_000
    );
    assert_eq!(score(&numbers(&[(-0.0, 0.0)]), Metric::Rmse), 0);
}

#[test]
fn labels_that_do_not_differ_have_no_r2() {
    // Three times 0.1 has a mean that is not 0.1, so its squares are not zero.
    for labels in [[0.1; 3], [0.0; 3], [0.0, -0.0, 0.0], [0.0, 1e-200, 0.0]] {
        assert_eq!(squares_about_mean(&labels), None, "{labels:?}");
        let rows = labels.map(|label| (1.0, label));
        assert_eq!(numbers(&rows).value(Metric::R2), None);
        assert!(numbers(&rows).score(Metric::R2).is_err());
    }
    assert_eq!(squares_about_mean(&[5.0]), None);
    assert_eq!(squares_about_mean(&[1.0, 3.0]), Some(2.0));
}

#[test]
fn the_order_of_a_chain_is_that_of_the_examples() {
    // 1 + 2^-53 is 1; 2^-53 + 2^-53 + 1 is more: binary64 sees the order.
    let small = (0.0, f64::EPSILON / 2.0);
    let ascending = numbers(&[small, small, (0.0, 1.0)]);
    let descending = numbers(&[(0.0, 1.0), small, small]);
    assert_eq!(
        ascending.value(Metric::Mae),
        Some((1.0 + f64::EPSILON) / 3.0)
    );
    assert_eq!(descending.value(Metric::Mae), Some(1.0 / 3.0));
}

#[test]
fn every_defined_metric_is_listed_in_order() {
    let names = |metrics: &Metrics| {
        let values = metrics.values().into_iter();
        values.map(|(metric, _)| metric.name()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&margins(&[(1.0, 1), (0.0, 0)])),
        [
            "accuracy",
            "log_loss",
            "macro_f1",
            "roc_auc",
            "average_precision"
        ]
    );
    assert_eq!(
        names(&margins(&[(1.0, 1)])),
        ["accuracy", "log_loss", "macro_f1"]
    );
    assert_eq!(
        names(&numbers(&[(1.0, 1.0), (2.0, 3.0)])),
        ["rmse", "mae", "r2"]
    );
    assert_eq!(names(&numbers(&[(1.0, 1.0)])), ["rmse", "mae"]);
}

proptest! {
    #[test]
    fn pairs_are_counted_as_by_comparing_each(
        rows in prop::collection::vec((-3i8..3, 0u32..2), 2..40),
    ) {
        let rows: Vec<(f32, u32)> = rows.iter().map(|&(d, label)| (f32::from(d), label)).collect();
        let of = |wanted: u32| rows.iter().filter(move |(_, label)| *label == wanted);
        let mut halves = 0u64;
        for (positive, _) in of(1) {
            for (negative, _) in of(0) {
                halves += u64::from(positive > negative) + u64::from(positive >= negative);
            }
        }
        let pairs = of(1).count() * of(0).count();
        let Metrics::Classes(metrics) = margins(&rows) else {
            unreachable!("the labels are classes");
        };
        prop_assert_eq!(metrics.two_classes.is_some(), pairs > 0);
        if let Some(two) = metrics.two_classes {
            prop_assert_eq!((two.halves_won, two.halves(metrics.examples)), (halves, 2 * pairs as u64));
            // Examples in another order give the same, bit for bit: integers, and one chain over margins.
            let turned: Vec<(f32, u32)> = rows.iter().rev().copied().collect();
            let Metrics::Classes(other) = margins(&turned) else {
                unreachable!("the labels are classes");
            };
            prop_assert_eq!(other.two_classes, Some(two));
        }
    }
}
