//! A report written, read, and tampered with.

use std::fs;

use crate::support;
use crate::support::Bench;
use evaluator::report::{LEAVES_FILE, REPORT_FILE};
use evaluator::{Options, Report, ReportError, evaluate};
use models::MlpConfig;
use proptest::prelude::*;
use protocol::benchmark::Task;

fn report() -> Report {
    let bench = Bench::new();
    evaluate(&bench.job(), Options::default()).expect("a verdict")
}

#[test]
fn a_report_is_read_back_to_the_bit() {
    let report = report();
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("new/report");
    report.write(&dir).unwrap();
    assert_eq!(Report::read(&dir, 5).unwrap(), report);
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, [LEAVES_FILE, REPORT_FILE]);
    // Writing again replaces it whole.
    report.write(&dir).unwrap();
    assert_eq!(Report::read(&dir, 5).unwrap(), report);
}

#[test]
fn reports_of_every_task_are_read_back_to_the_bit() {
    let mut two = Bench::new();
    two.benchmark.task = Task::Classification { classes: 2 };
    two.benchmark.inputs = 2;
    let config = MlpConfig::new(2, &[3], 2).unwrap();
    support::write_model(&two.model, &config, &support::weights(&config, 2));
    fs::remove_dir_all(&two.test).unwrap();
    support::write_csv(&two.test, "1,2,0\n3,4,1\n5,1,1\n", two.benchmark.task);
    for (bench, key) in [(two, "two_classes"), (support::regression(), "rmse")] {
        let report = evaluate(&bench.job(), Options::default()).unwrap();
        let (json, leaves) = (report.to_json(), report.leaves_bytes());
        assert_eq!(Report::from_bytes(&json, &leaves).unwrap(), report);
        let text = String::from_utf8(json).unwrap();
        assert!(text.contains(&format!("\"{key}\": ")), "{text}");
        // Metrics of both tasks, or of neither, are those of no report.
        for changed in [
            text.replace("\"metrics\": {", "\"metrics\": {\"rmse\": 1.0,"),
            text.replace("\"metrics\": {", "\"metrics\": {\"correct\": 1,"),
            text.replace("\"halves_won\": ", "\"halves_won\": 9")
                .replace("\"mae\"", "\"mea\""),
        ] {
            assert!(
                Report::from_bytes(changed.as_bytes(), &leaves).is_err(),
                "{changed}"
            );
        }
    }
}

#[test]
fn the_report_of_an_invalid_model_is_read_back_too() {
    let bench = Bench::new();
    fs::remove_file(bench.model.join("config.json")).unwrap();
    let report = evaluate(&bench.job(), Options::default()).unwrap();
    let root = tempfile::tempdir().unwrap();
    report.write(root.path()).unwrap();
    assert_eq!(Report::read(root.path(), 5).unwrap(), report);
    let json: serde_json::Value = serde_json::from_slice(&report.to_json()).unwrap();
    assert_eq!(json["outcome"]["invalid"]["code"], "file_missing");
    assert!(json["metrics"].is_null());
}

#[test]
fn in_json_metrics_are_numbers_scores_billionths_and_digests_strings() {
    let json: serde_json::Value = serde_json::from_slice(&report().to_json()).unwrap();
    assert!(json["metrics"]["accuracy"].is_f64());
    assert!(json["metrics"]["log_loss"].is_f64());
    assert!(json["outcome"]["scored"]["score"].is_i64());
    assert!(json["outcome"]["scored"]["predictions_root"].is_string());
    assert_eq!(
        json["weights_digest"],
        json["outcome"]["scored"]["weights_digest"]
    );
}

#[test]
fn tampered_reports_are_refused() {
    let report = report();
    let (json, leaves) = (report.to_json(), report.leaves_bytes());
    assert!(Report::from_bytes(&json, &leaves).is_ok());

    let mut flipped = leaves.clone();
    flipped[8] ^= 1;
    let refused = Report::from_bytes(&json, &flipped);
    assert!(matches!(refused, Err(ReportError::Inconsistent(_))));

    let leaf_bytes = 8 + 4 * 5;
    let refused = Report::from_bytes(&json, &leaves[..leaves.len() - leaf_bytes]);
    assert!(matches!(refused, Err(ReportError::Inconsistent(_))));
    let refused = Report::from_bytes(&json, &leaves[..leaves.len() - 1]);
    assert!(matches!(refused, Err(ReportError::Leaf(359))));

    let mut swapped = leaves.clone();
    swapped[..2 * leaf_bytes].rotate_left(leaf_bytes);
    let refused = Report::from_bytes(&json, &swapped);
    assert!(matches!(refused, Err(ReportError::Leaf(0))));

    // A count that no file could hold allocates nothing.
    let huge = [0u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
    assert!(matches!(
        Report::from_bytes(&json, &huge),
        Err(ReportError::Leaf(0))
    ));

    let text = String::from_utf8(json).unwrap();
    for (from, to) in [
        ("\"examples\"", "\"extra\": 1, \"examples\""),
        ("\"examples\": 360", "\"examples\": 361"),
        ("\"message\": null", "\"message\": 1"),
        ("\"scored\"", "\"won\""),
        // What follows from the rest, and a field that is left out.
        ("\"accuracy\": ", "\"accuracy\": 1"),
        (",\n  \"message\": null", ""),
    ] {
        assert!(text.contains(from), "{text} has no {from}");
        let changed = text.replacen(from, to, 1);
        assert!(
            Report::from_bytes(changed.as_bytes(), &leaves).is_err(),
            "{from}"
        );
    }
    let long = format!("{text}{}", " ".repeat(70_000));
    assert!(matches!(
        Report::from_bytes(long.as_bytes(), &leaves),
        Err(ReportError::Json(_))
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_a_report_or_an_error(
        json in prop::collection::vec(any::<u8>(), 0..200),
        leaves in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Report::from_bytes(&json, &leaves);
    }
}

#[test]
fn mutated_reports_are_a_report_or_an_error() {
    let report = report();
    let (json, leaves) = (report.to_json(), report.leaves_bytes());
    for at in 0..json.len() {
        for byte in [b'0', b'"', b'}', 0xff] {
            let mut json = json.clone();
            json[at] = byte;
            let _ = Report::from_bytes(&json, &leaves);
        }
    }
    for at in (0..leaves.len()).step_by(13) {
        let mut leaves = leaves.clone();
        leaves[at] ^= 0x81;
        assert!(Report::from_bytes(&json, &leaves).is_err());
    }
}
