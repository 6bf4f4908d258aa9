//! Models and reports at each limit, and one above it.

use models::Architecture;
use std::fs;

use crate::support::{Bench, CLASSES, EXAMPLES, config, weights, write_model};
use evaluator::report::{LEAVES_FILE, ReportError, leaves_bytes};
use evaluator::{Options, Report, evaluate};
use models::MlpConfig;
use protocol::benchmark::ModelLimits;
use protocol::report::Outcome;

fn outcome(bench: &Bench) -> Outcome {
    evaluate(&bench.job(), Options::default())
        .expect("a verdict")
        .outcome
}

/// A model that weighs `weight` by one of the limits is scored where that is
/// the limit, and refused by name where the limit is one less.
fn check(weight: u64, limit: fn(&mut ModelLimits) -> &mut u64, code: &str, place: &str) {
    let mut bench = Bench::new();
    *limit(&mut bench.benchmark.limits) = weight;
    let at = outcome(&bench);
    assert!(matches!(at, Outcome::Scored { .. }), "{code}: {at:?}");
    *limit(&mut bench.benchmark.limits) = weight - 1;
    let Outcome::Invalid { code: c, place: p } = outcome(&bench) else {
        panic!("{code}: it was scored above the limit");
    };
    assert_eq!((c.as_str(), p.as_str()), (code, place));
}

#[test]
fn a_model_at_a_limit_is_scored_and_one_above_it_is_refused() {
    let config = config();
    check(
        config.parameters(),
        |limits| &mut limits.parameters_max,
        "too_many_parameters",
        "config.json",
    );
    check(
        config.multiply_adds(),
        |limits| &mut limits.multiply_adds_max,
        "too_many_multiply_adds",
        "config.json",
    );
    let files = config.to_json().len() + weights(&config, 1).to_safetensors().len();
    check(
        files as u64,
        |limits| &mut limits.file_bytes_max,
        "folder_too_large",
        "folder",
    );
}

#[test]
fn shapes_without_bytes_behind_them_allocate_nothing() {
    let mut bench = Bench::new();
    bench.benchmark.limits = ModelLimits {
        parameters_max: u64::MAX,
        file_bytes_max: u64::MAX,
        multiply_adds_max: u64::MAX,
    };
    // 65 × 2^40 weights by its configuration, 4 bytes of them in its file.
    let widest = MlpConfig::new(20, &[1 << 20; 64], 5).expect("the widest there is");
    fs::write(bench.model.join("config.json"), widest.to_json()).expect("a file");
    let invalid = outcome(&bench);
    let place = "model.safetensors/layers.0.bias";
    assert!(
        matches!(&invalid, Outcome::Invalid { code, place: p }
            if code.as_str() == "tensor_shape" && p.as_str() == place),
        "{invalid:?}"
    );
}

#[test]
fn the_largest_finite_weights_make_an_output_that_is_not_a_number() {
    let bench = Bench::new();
    let config = config();
    let huge = models::Weights::generate(&config, |spec| vec![f32::MAX; spec.len()]);
    write_model(&bench.model, &config, &huge.expect("finite"));
    let invalid = outcome(&bench);
    assert!(
        matches!(&invalid, Outcome::Invalid { place, .. } if place.as_str() == "example/0"),
        "{invalid:?}"
    );
}

#[test]
fn no_more_leaves_are_read_than_the_examples_can_have() {
    let bench = Bench::new();
    let dir = bench.root.path().join("report");
    let report = evaluate(&bench.job(), Options::default()).expect("a verdict");
    report.write(&dir).expect("written");
    let path = dir.join(LEAVES_FILE);
    let whole = fs::read(&path).expect("the leaves");
    let limit = leaves_bytes(EXAMPLES, CLASSES);
    assert_eq!(whole.len() as u64, limit);
    assert_eq!(Report::read(&dir, CLASSES).expect("at the limit"), report);

    fs::write(&path, [&whole[..], &[0]].concat()).expect("a file");
    let refused = Report::read(&dir, CLASSES);
    assert!(
        matches!(refused, Err(ReportError::TooLong { limit_bytes, .. }) if limit_bytes == limit)
    );
    // A file of a terabyte, none of which is on the disk or read.
    let file = fs::File::create(&path).expect("a file");
    file.set_len(1 << 40).expect("a long file");
    assert!(matches!(
        Report::read(&dir, CLASSES),
        Err(ReportError::TooLong { .. })
    ));
    // Leaves of another width than the benchmark's.
    fs::write(&path, &whole).expect("a file");
    assert!(matches!(
        Report::read(&dir, CLASSES - 1),
        Err(ReportError::TooLong { .. })
    ));
    assert!(matches!(
        Report::read(&dir, CLASSES + 1),
        Err(ReportError::Leaf(0))
    ));
}

#[cfg(unix)]
#[test]
fn a_report_that_is_a_link_is_not_read() {
    let bench = Bench::new();
    let dir = bench.root.path().join("report");
    let report = evaluate(&bench.job(), Options::default()).expect("a verdict");
    report.write(&dir).expect("written");
    let path = dir.join(LEAVES_FILE);
    let elsewhere = bench.root.path().join("elsewhere");
    fs::rename(&path, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
    assert!(matches!(
        Report::read(&dir, CLASSES),
        Err(ReportError::Io { .. })
    ));
}
