//! Hostile and broken folders: each gives one code at one place, or no verdict.

use std::fs;

use crate::support;
use crate::support::{Bench, CLASSES, SPEC};
use evaluator::{NoVerdict, Options, check_test_set, evaluate};
use models::{MlpConfig, Weights};
use proptest::prelude::*;
use protocol::benchmark::{Benchmark, Metric, Task};
use protocol::report::{Outcome, TestOutcome};
use protocol::text::Code;

/// Breaks a sound model folder and says what the report must be.
fn check(code: &str, place: &str, damage: impl FnOnce(&Bench)) {
    let bench = Bench::new();
    damage(&bench);
    let report = evaluate(&bench.job(), Options::default()).expect("a verdict");
    let Outcome::Invalid { code: c, place: p } = &report.outcome else {
        panic!("{code} at {place}: the model was scored");
    };
    let message = report.message.as_deref().unwrap_or_default();
    assert_eq!((c.as_str(), p.as_str()), (code, place), "{message}");
    assert!(report.leaves.is_empty());
}

fn replace_model(bench: &Bench, inputs: u64, hidden: &[u64], labels: u64) {
    let config = MlpConfig::new(inputs, hidden, labels).expect("sound widths");
    support::write_model(&bench.model, &config, &support::weights(&config, 3));
}

#[test]
fn every_broken_model_folder_has_its_code_and_place() {
    let write = |name: &'static str, bytes: &'static [u8]| {
        move |bench: &Bench| fs::write(bench.model.join(name), bytes).expect("a file")
    };
    let remove = |name: &'static str| {
        move |bench: &Bench| fs::remove_file(bench.model.join(name)).expect("it was there")
    };
    check("file_missing", "config.json", remove("config.json"));
    check(
        "file_missing",
        "model.safetensors",
        remove("model.safetensors"),
    );
    check(
        "file_unexpected",
        "model.pt",
        write("model.pt", b"\x80\x02"),
    );
    check(
        "file_unexpected",
        "CONFIG.JSON",
        write("CONFIG.JSON", b"{}"),
    );
    check("config_form", "config.json", write("config.json", b"{}"));
    check("config_form", "config.json", write("config.json", b"\xff"));
    check(
        "weights_truncated",
        "model.safetensors",
        write("model.safetensors", b""),
    );
    check(
        "weights_header_too_long",
        "model.safetensors",
        write("model.safetensors", &[0xff; 16]),
    );
    check("folder_too_large", "folder", |bench| {
        fs::write(bench.model.join("README.md"), vec![b'a'; 100_000]).expect("a file");
    });
    check("file_unexpected", "a", |bench| {
        fs::create_dir(bench.model.join("b")).expect("a folder");
        fs::create_dir(bench.model.join("a")).expect("a folder");
    });
    check("file_not_regular", "README.md", |bench| {
        fs::create_dir(bench.model.join("README.md")).expect("a folder");
    });
}

#[test]
fn models_for_another_benchmark_are_refused() {
    check("inputs_mismatch", "config.json/input_size", |b| {
        replace_model(b, 21, &[3], 5)
    });
    check("classes_mismatch", "config.json/num_labels", |b| {
        replace_model(b, 20, &[3], 4)
    });
    check("too_many_parameters", "config.json", |b| {
        // The weights are not even looked at.
        let config = MlpConfig::new(20, &[1 << 20], 5).expect("sound widths");
        fs::write(b.model.join("config.json"), config.to_json()).expect("a file");
    });
    check("tensor_shape", "model.safetensors/layers.0.bias", |b| {
        let config = MlpConfig::new(20, &[34, 17], 5).expect("sound widths");
        fs::write(b.model.join("config.json"), config.to_json()).expect("a file");
    });
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    check(
        "weight_not_finite",
        "model.safetensors/layers.1.bias/2",
        |bench| {
            let file = bench.model.join("model.safetensors");
            let config = support::config();
            let zeros = Weights::generate(&config, |spec| match spec.name.as_str() {
                "layers.1.bias" => vec![0.0, 0.0, 1.5, 0.0, 0.0]
                    .into_iter()
                    .chain([0.0; 12])
                    .collect(),
                _ => vec![0.0; spec.len()],
            });
            let mut bytes = zeros.expect("finite").to_safetensors();
            let needle = 1.5f32.to_le_bytes();
            let at = (0..bytes.len() - 4)
                .rfind(|&at| bytes[at..at + 4] == needle)
                .expect("it is there");
            bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
            fs::write(file, bytes).expect("a file");
        },
    );
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    check("file_not_regular", "model.safetensors", |bench| {
        let file = bench.model.join("model.safetensors");
        let elsewhere = bench.root.path().join("elsewhere");
        fs::rename(&file, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(elsewhere, file).expect("a link");
    });
}

#[test]
fn the_files_that_may_be_there_change_nothing_but_the_size() {
    let bench = Bench::new();
    let plain = evaluate(&bench.job(), Options::default()).expect("a verdict");
    for name in evaluator::folder::FILES_OPTIONAL {
        fs::write(bench.model.join(name), b"\xff not read").expect("a file");
    }
    assert_eq!(
        evaluate(&bench.job(), Options::default()).expect("a verdict"),
        plain
    );
}

/// What a committee attests of a test folder.
fn check_test(code: &str, place: &str, damage: impl FnOnce(&Bench)) {
    let bench = Bench::new();
    damage(&bench);
    let (outcome, message) = check_test_set(&bench.benchmark, &bench.test).expect("a verdict");
    let TestOutcome::BadSeal { code: c, place: p } = outcome else {
        panic!("{code} at {place}: the test set passed");
    };
    assert_eq!((c.as_str(), p.as_str()), (code, place), "{message:?}");
    // No model is ever judged on it.
    let reason = evaluate(&bench.job(), Options::default()).expect_err("no verdict");
    assert!(matches!(reason, NoVerdict::TestSet(_)), "{reason}");
}

#[test]
fn a_sound_test_set_passes() {
    let bench = Bench::new();
    let checked = check_test_set(&bench.benchmark, &bench.test).expect("a verdict");
    assert_eq!(checked, (TestOutcome::Ok, None));
}

#[test]
fn every_broken_test_set_has_its_code_and_place() {
    check_test("no_manifest", "dataset.json", |b| {
        fs::remove_file(b.test.join("dataset.json")).expect("it was there");
    });
    check_test("manifest_json", "dataset.json", |b| {
        fs::write(b.test.join("dataset.json"), "[]").expect("a file");
    });
    check_test("file_missing", "data.csv", |b| {
        fs::remove_file(b.test.join("data.csv")).expect("it was there");
    });
    check_test("file_unlisted", "labels.csv", |b| {
        fs::write(b.test.join("labels.csv"), "1").expect("a file");
    });
    check_test("file_size", "data.csv", |b| {
        fs::write(b.test.join("data.csv"), "1").expect("a file");
    });
    check_test("inputs_mismatch", "dataset.json/inputs", |b| {
        rewrite(b, SPEC.inputs - 1, 5)
    });
    check_test("classes_mismatch", "dataset.json/classes", |b| {
        rewrite(b, SPEC.inputs, 6)
    });
}

#[test]
fn a_test_set_that_does_not_fit_its_benchmark_has_its_code_and_place() {
    let check = |code: &str, place: &str, change: fn(&mut Benchmark), rows: Option<&str>| {
        let mut bench = Bench::new();
        change(&mut bench.benchmark);
        if let Some(rows) = rows {
            fs::remove_dir_all(&bench.test).expect("it was there");
            bench.benchmark.inputs = 2;
            support::write_csv(&bench.test, rows, bench.benchmark.task);
        }
        let (outcome, message) = check_test_set(&bench.benchmark, &bench.test).expect("a verdict");
        let expected = match code {
            "" => TestOutcome::Ok,
            code => TestOutcome::BadSeal {
                code: Code::new(code).expect("a code"),
                place: Code::new(place).expect("a place"),
            },
        };
        assert_eq!(outcome, expected, "{message:?}");
    };
    check("examples", "rows", |b| b.examples_max -= 1, None);
    fn regression(b: &mut Benchmark) {
        (b.task, b.metric) = (Task::Regression, Metric::R2);
    }
    fn two_classes(b: &mut Benchmark) {
        (b.task, b.metric) = (Task::Classification { classes: 2 }, Metric::RocAuc);
    }
    check("labels_mismatch", "dataset.json/labels", regression, None);
    check("", "", regression, Some("1,2,0.5\n3,4,1.5\n"));
    check(
        "labels_constant",
        "labels",
        regression,
        Some("1,2,0.5\n3,4,0.5\n"),
    );
    check(
        "csv_number",
        "data.csv/line 2",
        regression,
        Some("1,2,0.5\n3,4,x\n"),
    );
    // As large as numbers may be, and a little larger.
    check("", "", regression, Some("1,1e15,0\n-1e15,4,1e15\n"));
    for rows in ["1,2,0\n3,1.1e15,1\n", "1,2,0\n-3e38,4,1\n"] {
        check("input_too_large", "example/1", regression, Some(rows));
    }
    check(
        "label",
        "example/1",
        regression,
        Some("1,2,0\n3,4,-1.1e15\n"),
    );
    check("", "", two_classes, Some("1,2,0\n3,4,1\n"));
    check(
        "labels_one_class",
        "labels",
        two_classes,
        Some("1,2,1\n3,4,1\n"),
    );
    check(
        "labels_one_class",
        "labels",
        |b| {
            (b.task, b.metric) = (
                Task::Classification { classes: 2 },
                Metric::AveragePrecision,
            )
        },
        Some("1,2,0\n"),
    );
}

#[test]
fn damaged_idx_files_have_their_code_and_place() {
    let mut bench = Bench::new();
    fs::remove_dir_all(&bench.test).expect("it was there");
    bench.benchmark.inputs = 4;
    let images = [
        &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..],
        &[9; 8],
    ]
    .concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 4, 0];
    let about = support::about();
    let manifest = datasets::write_idx_folder(&bench.test, &about, CLASSES, 9, &images, &labels);
    let checked = || {
        check_test_set(&bench.benchmark, &bench.test)
            .expect("a verdict")
            .0
    };
    assert_eq!(checked(), TestOutcome::Ok);
    let mut manifest = manifest.expect("a data set");
    let damaged = &images[..images.len() - 1];
    fs::write(bench.test.join("images.idx"), damaged).expect("a file");
    manifest.files[0].size_bytes -= 1;
    manifest.files[0].blake3 = protocol::BlobId(*blake3::hash(damaged).as_bytes());
    manifest.write(&bench.test).expect("a manifest");
    let expected = TestOutcome::BadSeal {
        code: Code::new("idx_cut").expect("a code"),
        place: Code::new("images.idx").expect("a place"),
    };
    assert_eq!(checked(), expected);
}

#[test]
fn a_test_set_of_another_benchmark_is_refused_before_its_files_are_read() {
    let mut bench = Bench::new();
    // Nothing of it could be read without a fault: it is not there.
    fs::remove_file(bench.test.join("data.csv")).expect("it was there");
    let check = |benchmark: &Benchmark, code: &str, place: &str| {
        let expected = TestOutcome::BadSeal {
            code: Code::new(code).expect("a code"),
            place: Code::new(place).expect("a place"),
        };
        let found = check_test_set(benchmark, &bench.test).expect("a verdict");
        assert_eq!(found.0, expected, "{:?}", found.1);
    };
    check(&bench.benchmark, "file_missing", "data.csv");
    bench.benchmark.examples_max -= 1;
    check(&bench.benchmark, "examples", "rows");
    bench.benchmark.task = Task::Classification {
        classes: CLASSES + 1,
    };
    check(&bench.benchmark, "classes_mismatch", "dataset.json/classes");
    bench.benchmark.inputs += 1;
    check(&bench.benchmark, "inputs_mismatch", "dataset.json/inputs");
}

/// A test set that is sound but of other widths.
fn rewrite(bench: &Bench, inputs: u32, classes: u32) {
    fs::remove_dir_all(&bench.test).expect("it was there");
    let spec = datasets::CsvSpec {
        label_column: 0,
        inputs,
        labels: datasets::LabelKind::Classes(classes),
        ..SPEC
    };
    let rows = format!("1{}\n", ",2".repeat(inputs as usize));
    let about = datasets::About {
        name: protocol::text::Name::new("rows").expect("a name"),
        attribution: protocol::text::Text::new("nobody").expect("a text"),
        license: Vec::new(),
    };
    let text = datasets::CsvText::read(rows.as_bytes(), &spec).expect("lines");
    datasets::write_folder(&bench.test, &about, &spec, &text).expect("a data set");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_mutated_model_folder_is_scored_or_invalid(
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bench = Bench::new();
        for (is_config, place, byte) in changes {
            let name = if is_config { "config.json" } else { "model.safetensors" };
            let path = bench.model.join(name);
            let mut bytes = fs::read(&path).expect("it is there");
            // The first bytes hold the header, where most of the traps are.
            let place = place.index(bytes.len().min(700));
            bytes[place] = byte;
            fs::write(path, bytes).expect("a file");
        }
        let report = evaluate(&bench.job(), Options::default()).expect("a verdict");
        let has_verdict = matches!(report.outcome, Outcome::Scored { .. } | Outcome::Invalid { .. });
        prop_assert!(has_verdict);
        prop_assert_eq!(fs::read_dir(&bench.model).expect("a folder").count(), 2);
    }
}
