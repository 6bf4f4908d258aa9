//! From folders to a report, on the reproducible backend.

use std::fs;

use crate::support;
use crate::support::{Bench, EXAMPLES};
use evaluator::job::evaluate_model;
use evaluator::{Difference, Fault, NoVerdict, Options, Report, TestSet};
use evaluator::{evaluate, load_model, reproduce, reproduce_example};
use models::{Architecture, MlpConfig, Weights};
use protocol::Score;
use protocol::benchmark::{Metric, ModelLimits};
use protocol::report::{Outcome, predictions_root};
use repro::paths::{self, Path, Settings};

/// Options that must not matter, and instructions that must not matter.
fn every_way() -> Vec<(Options, Settings)> {
    let mut ways = Vec::new();
    for batch_size in [1, 7, 360, 0, 10_000] {
        for threads in [1, 2] {
            for path in Path::available() {
                // Even the smallest product is split, so that threads have work.
                let settings = Settings::current().with_path(path).with_split_min(0);
                let options = Options {
                    batch_size,
                    threads: Some(threads),
                };
                ways.push((options, settings));
            }
        }
    }
    ways
}

#[test]
fn batch_threads_and_instructions_change_no_bit_of_a_report() {
    for bench in [Bench::new(), support::convolutional()] {
        let expected = evaluate(&bench.job(), Options::default()).unwrap();
        assert_eq!(expected.leaves.len(), EXAMPLES as usize);
        for (options, settings) in every_way() {
            let found = paths::with(settings, || evaluate(&bench.job(), options)).unwrap();
            assert_eq!(found, expected, "{options:?} {settings:?}");
        }
    }
}

#[test]
fn one_example_recomputed_alone_has_the_bits_of_the_report() {
    let bench = support::convolutional();
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    for index in 0..EXAMPLES {
        let leaf = reproduce_example(&bench.job(), index).unwrap();
        assert_eq!(leaf, report.leaves[index as usize]);
    }
    let bench = Bench::new();
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    for index in [0, 1, 7, 255, 256, EXAMPLES - 1] {
        let leaf = reproduce_example(&bench.job(), index).unwrap();
        assert_eq!(leaf, report.leaves[index as usize]);
    }
    let refused = reproduce_example(&bench.job(), EXAMPLES).unwrap_err();
    assert!(refused.to_string().contains("the test set has 360"));
}

/// `exact.py` beside this folder gives the same from exact rational numbers. A
/// change here is a change of the score of every model: a new version of the
/// arithmetic, or a mistake.
#[test]
fn a_known_job_has_the_known_roots_and_scores() {
    let mut bench = Bench::new();
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    let Outcome::Scored {
        score,
        weights_digest,
        predictions_root: root,
    } = report.outcome
    else {
        panic!("the model is valid");
    };
    assert_eq!(root, predictions_root(&report.leaves));
    assert_eq!(Some(weights_digest), report.weights_digest);
    bench.benchmark.metric = Metric::LogLoss;
    let other = evaluate(&bench.job(), Options::default()).unwrap();
    let Outcome::Scored {
        score: log_loss, ..
    } = other.outcome
    else {
        panic!("the model is valid");
    };
    assert_eq!(other.leaves, report.leaves);
    assert_eq!(
        (
            weights_digest.to_string().as_str(),
            root.to_string().as_str(),
            score,
            log_loss,
        ),
        (
            "GTh0SG6CmcvWwLtBo7XV8HCmnf-0AuhgIQry-ROcRR8",
            "cl73glNu_HSfUMa8T58TNgxgqkBffgznzL_WEVsDK-A",
            Score(205_555_556),
            Score(-12_919_713_774)
        )
    );
}

/// The root of the predictions, as text, and the score, where the model was valid.
fn root_and_score(report: Report) -> (String, Score) {
    match report.outcome {
        Outcome::Scored {
            score,
            predictions_root,
            ..
        } => (predictions_root.to_string(), score),
        other => panic!("the model is valid: {other:?}"),
    }
}

/// Of this one nobody has another opinion; a change is a change of every score all the same.
#[test]
fn a_known_job_of_images_has_the_known_root_and_score() {
    let (root, score) =
        root_and_score(evaluate(&support::convolutional().job(), Options::default()).unwrap());
    let known = (
        "tMdX_QBZM25xSpG_b3Ejyjef8OXefUs_6lw6Mmq8-jI",
        Score(183_333_333),
    );
    assert_eq!((root.as_str(), score), known);
}

#[test]
fn a_known_regression_has_the_known_root_and_scores() {
    let mut bench = support::regression();
    let mut scores = Vec::new();
    for metric in [Metric::Rmse, Metric::Mae, Metric::R2] {
        bench.benchmark.metric = metric;
        let (root, score) = root_and_score(evaluate(&bench.job(), Options::default()).unwrap());
        assert_eq!(root, "lGnIJKZnRzDg19W_K6q_zUeKT49Yc_a6gjc4-s4ikMU");
        scores.push(score.0);
    }
    assert_eq!(scores, [-11_510_562_524, -11_043_838_985, -66_509_462_247]);
}

#[test]
fn a_regression_of_two_outputs_is_no_model_for_it() {
    let bench = support::regression();
    let config = MlpConfig::new(20, &[3], 2).unwrap();
    support::write_model(&bench.model, &config, &support::weights(&config, 1));
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    let Outcome::Invalid { code, place } = report.outcome else {
        panic!("the model has too many outputs");
    };
    let found = (code.as_str(), place.as_str());
    assert_eq!(found, ("outputs_mismatch", "config.json/num_labels"));
}

#[test]
fn every_metric_is_reported_whichever_is_the_score() {
    let bench = Bench::new();
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    let metrics = report.metrics.unwrap();
    let Outcome::Scored { score, .. } = report.outcome else {
        panic!("the model is valid");
    };
    assert_eq!(
        (metrics.score(Metric::Accuracy), metrics.examples()),
        (Ok(score), u64::from(EXAMPLES))
    );
    let named: Vec<&str> = metrics
        .values()
        .iter()
        .map(|(metric, _)| metric.name())
        .collect();
    assert_eq!(named, ["accuracy", "log_loss", "macro_f1"]);
    assert!(metrics.values().iter().all(|(_, value)| *value > 0.0));
}

#[test]
fn an_output_that_is_not_finite_is_a_fault_at_the_first_example() {
    let bench = Bench::new();
    let config = MlpConfig::new(20, &[1], 5).unwrap();
    // The only hidden unit sums the inputs; 3e38 times more than one overflows.
    let weights = Weights::generate(&config, |spec| match spec.name.as_str() {
        "layers.0.weight" => vec![1.0; 20],
        "layers.1.weight" => vec![3e38; 5],
        _ => vec![0.0; spec.len()],
    });
    support::write_model(&bench.model, &config, &weights.unwrap());
    for batch_size in [1, 7, 360] {
        let options = Options {
            batch_size,
            threads: None,
        };
        let report = evaluate(&bench.job(), options).unwrap();
        let Outcome::Invalid { code, place } = &report.outcome else {
            panic!("the output overflows");
        };
        assert_eq!(
            (code.as_str(), place.as_str()),
            ("output_not_finite", "example/0")
        );
        assert!(report.leaves.is_empty() && report.metrics.is_none());
        assert!(report.weights_digest.is_some());
    }
    let failure = reproduce_example(&bench.job(), 3).unwrap_err();
    let evaluator::fault::Failure::Fault(Fault { place, .. }) = failure else {
        panic!("the output overflows");
    };
    assert_eq!(place.as_str(), "example/3");
}

#[test]
fn a_log_loss_that_no_score_can_hold_is_the_lowest_score() {
    let mut bench = Bench::new();
    bench.benchmark.metric = Metric::LogLoss;
    let config = MlpConfig::new(20, &[], 5).unwrap();
    let weights = Weights::generate(&config, |spec| match spec.name.as_str() {
        "layers.0.bias" => vec![1e38, -1e38, 0.0, 0.0, 0.0],
        _ => vec![0.0; spec.len()],
    });
    support::write_model(&bench.model, &config, &weights.unwrap());
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    let Outcome::Scored { score, .. } = report.outcome else {
        panic!("it is a large loss, and no fault of the model's form");
    };
    assert_eq!(score, Score(-i64::MAX));
}

#[test]
fn another_report_is_reproduced_or_its_first_difference_named() {
    let bench = Bench::new();
    let honest = evaluate(&bench.job(), Options::default()).unwrap();
    let difference = |theirs: &Report| {
        let options = Options {
            batch_size: 7,
            threads: Some(1),
        };
        reproduce(&bench.job(), theirs, options).unwrap().difference
    };
    assert_eq!(difference(&honest), None);

    let mut lie = honest.clone();
    lie.leaves[300].output_bits[2] ^= 1;
    lie.leaves[17].output_bits[0] ^= 1;
    assert!(matches!(
        difference(&lie),
        Some(Difference::Example { index: 17, .. })
    ));

    let mut lie = honest.clone();
    if let Outcome::Scored { score, .. } = &mut lie.outcome {
        score.0 += 1;
    }
    assert_eq!(difference(&lie), Some(Difference::Score));

    let mut lie = honest.clone();
    lie.outcome = Fault::new("file_missing", "config.json", "").outcome();
    lie.leaves.clear();
    assert!(matches!(difference(&lie), Some(Difference::Outcome { .. })));

    let mut lie = honest.clone();
    lie.leaves.pop();
    lie.examples -= 1;
    assert!(matches!(
        difference(&lie),
        Some(Difference::Examples {
            theirs: 359,
            ours: 360
        })
    ));

    let mut lie = honest.clone();
    lie.leaves.pop();
    assert!(matches!(
        difference(&lie),
        Some(Difference::Leaves {
            theirs: 359,
            ours: 360
        })
    ));

    support::write_model(
        &bench.model,
        &support::config(),
        &support::weights(&support::config(), 2),
    );
    assert_eq!(difference(&honest), Some(Difference::Weights));
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let bench = Bench::new();
    let mut job = bench.job();
    let nowhere = bench.root.path().join("nowhere");
    job.model_dir = &nowhere;
    let reason = evaluate(&job, Options::default()).unwrap_err();
    assert!(matches!(reason, NoVerdict::Io { .. }), "{reason}");
    let mut job = bench.job();
    job.test_dir = &nowhere;
    let reason = evaluate(&job, Options::default()).unwrap_err();
    assert!(matches!(reason, NoVerdict::Io { .. }), "{reason}");
}

#[test]
fn a_benchmark_that_makes_no_sense_is_no_verdict() {
    let mut bench = Bench::new();
    bench.benchmark.arithmetic += 1;
    let reason = evaluate(&bench.job(), Options::default()).unwrap_err();
    assert!(matches!(reason, NoVerdict::Benchmark(_)), "{reason}");
}

#[test]
fn a_model_that_is_loaded_is_scored_as_its_folder_is() {
    let bench = Bench::new();
    let model = load_model(&bench.model, &bench.benchmark).unwrap();
    let test_set = TestSet::load(&bench.benchmark, &bench.test).unwrap();
    let report = evaluate_model(&bench.benchmark, &model, &test_set, Options::default());
    assert_eq!(report, evaluate(&bench.job(), Options::default()).unwrap());
    let files = ["config.json", "model.safetensors"];
    let bytes = files
        .iter()
        .map(|name| fs::metadata(bench.model.join(name)).unwrap().len());
    assert_eq!(model.folder_bytes, bytes.sum::<u64>());
}

#[test]
fn a_limit_is_kept_to_the_unit() {
    let mut bench = Bench::new();
    let config = support::config();
    let model = load_model(&bench.model, &bench.benchmark).unwrap();
    let exact = ModelLimits {
        parameters_max: config.parameters(),
        file_bytes_max: model.folder_bytes,
        multiply_adds_max: config.multiply_adds(),
    };
    bench.benchmark.limits = exact;
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    assert_eq!(report.outcome.name(), "scored");
    for (limits, expected) in [
        (
            ModelLimits {
                parameters_max: exact.parameters_max - 1,
                ..exact
            },
            "too_many_parameters",
        ),
        (
            ModelLimits {
                file_bytes_max: exact.file_bytes_max - 1,
                ..exact
            },
            "folder_too_large",
        ),
        (
            ModelLimits {
                multiply_adds_max: exact.multiply_adds_max - 1,
                ..exact
            },
            "too_many_multiply_adds",
        ),
    ] {
        bench.benchmark.limits = limits;
        let report = evaluate(&bench.job(), Options::default()).unwrap();
        let Outcome::Invalid { code, .. } = report.outcome else {
            panic!("over the limit");
        };
        assert_eq!(code.as_str(), expected);
    }
}
