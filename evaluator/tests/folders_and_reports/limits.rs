//! Models and reports at each limit, and one above it.

use std::fs;

use crate::support::{Bench, CLASSES, EXAMPLES, config, write_model};
use evaluator::report::{LEAVES_FILE, ReportError, leaves_bytes};
use evaluator::{Options, Report, check_test_set, evaluate};
use models::cnn::{CONV_LAYERS_MAX, ConvLayer};
use models::config::{CONFIG_BYTES_MAX, HIDDEN_LAYERS_MAX};
use models::{CnnConfig, MlpConfig, ModelConfig, Weights};
use protocol::benchmark::ModelLimits;
use protocol::report::{Outcome, TestOutcome};
use protocol::text::Code;
use serde_json::{Value, json};

/// A bench whose model is these shapes, every weight a quarter, and has no file but the two.
fn bench_of(config: &ModelConfig) -> Bench {
    let bench = Bench::new();
    let quarters = Weights::generate(config, |spec| vec![0.25; spec.len()]).expect("finite");
    fs::write(bench.model.join("config.json"), config.to_json()).expect("a file");
    let file = quarters.to_safetensors();
    fs::write(bench.model.join("model.safetensors"), file).expect("a file");
    bench
}

fn bytes_of(bench: &Bench, name: &str) -> u64 {
    fs::metadata(bench.model.join(name)).expect("a file").len()
}

fn outcome(bench: &Bench) -> Outcome {
    evaluate(&bench.job(), Options::default())
        .expect("a verdict")
        .outcome
}

fn check_invalid(bench: &Bench, code: &str, place: &str) {
    let Outcome::Invalid { code: c, place: p } = outcome(bench) else {
        panic!("{code}: it was scored above the limit");
    };
    assert_eq!((c.as_str(), p.as_str()), (code, place));
}

fn check_scored(bench: &Bench, what: &str) {
    let at = outcome(bench);
    assert!(matches!(at, Outcome::Scored { .. }), "{what}: {at:?}");
}

/// A limit of a benchmark.
type Limit = fn(&mut ModelLimits) -> &mut u64;

#[test]
fn a_model_at_a_limit_is_scored_and_one_above_it_is_refused() {
    let convolution = |channels, kernel, pool| ConvLayer {
        channels,
        kernel,
        padding: kernel / 2,
        pool,
    };
    let image = CnnConfig::new([1, 4, 5], &[convolution(3, 3, 2)], &[7], 5).expect("sound");
    for config in [ModelConfig::Mlp(config()), ModelConfig::Cnn(image)] {
        let mut bench = bench_of(&config);
        let files = bytes_of(&bench, "config.json") + bytes_of(&bench, "model.safetensors");
        let limits: [(u64, Limit, &str, &str); 3] = [
            (
                config.parameters(),
                |limits| &mut limits.parameters_max,
                "too_many_parameters",
                "config.json",
            ),
            (
                config.multiply_adds(),
                |limits| &mut limits.multiply_adds_max,
                "too_many_multiply_adds",
                "config.json",
            ),
            (
                files,
                |limits| &mut limits.file_bytes_max,
                "folder_too_large",
                "folder",
            ),
        ];
        // All of them at once, then one above each.
        for (weight, limit, _, _) in limits {
            *limit(&mut bench.benchmark.limits) = weight;
        }
        check_scored(&bench, "at every limit");
        for (weight, limit, code, place) in limits {
            *limit(&mut bench.benchmark.limits) = weight - 1;
            check_invalid(&bench, code, place);
            *limit(&mut bench.benchmark.limits) = weight;
        }
        // A file that is not read counts with the others.
        fs::write(bench.model.join("LICENSE"), "").expect("a file");
        check_scored(&bench, "a file of no bytes");
        fs::write(bench.model.join("LICENSE"), "x").expect("a file");
        check_invalid(&bench, "folder_too_large", "folder");
    }
}

#[test]
fn a_configuration_of_the_most_bytes_is_read_and_a_longer_one_is_not() {
    let bench = bench_of(&ModelConfig::Mlp(config()));
    let path = bench.model.join("config.json");
    let mut json = fs::read(&path).expect("a file");
    json.resize(CONFIG_BYTES_MAX as usize, b' ');
    fs::write(&path, &json).expect("a file");
    check_scored(&bench, "config.json");
    json.push(b' ');
    fs::write(&path, &json).expect("a file");
    check_invalid(&bench, "config_too_long", "config.json");
}

#[test]
fn the_most_layers_are_scored_and_one_more_is_refused() {
    let mut bench = Bench::new();
    bench.benchmark.limits.file_bytes_max = 1 << 20;
    let layer = |config: &mut Value, field: &str, one: Value| {
        let list = config[field].as_array_mut().expect("a list");
        list.push(one);
    };
    let one = ConvLayer {
        channels: 1,
        kernel: 1,
        padding: 0,
        pool: 1,
    };
    let deep = MlpConfig::new(20, &[1; HIDDEN_LAYERS_MAX], 5).expect("sound");
    let long = CnnConfig::new([1, 4, 5], &[one; CONV_LAYERS_MAX], &[], 5).expect("sound");
    for (config, field, more) in [
        (ModelConfig::Mlp(deep), "hidden_sizes", json!(1)),
        (
            ModelConfig::Cnn(long),
            "conv_layers",
            json!({"channels": 1, "kernel": 1, "padding": 0, "pool": 1}),
        ),
    ] {
        let made = bench_of(&config);
        bench.model = made.model.clone();
        check_scored(&bench, field);
        let path = bench.model.join("config.json");
        let mut json = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        layer(&mut json, field, more);
        fs::write(&path, json.to_string()).expect("a file");
        check_invalid(&bench, "config_value", &format!("config.json/{field}"));
    }
}

#[test]
fn a_test_set_of_the_most_examples_is_sound_and_one_of_more_is_not() {
    let mut bench = Bench::new();
    let found = |bench: &Bench| {
        let found = check_test_set(&bench.benchmark, &bench.test);
        found.expect("a verdict").0
    };
    assert_eq!(bench.benchmark.examples_max, EXAMPLES);
    assert_eq!(found(&bench), TestOutcome::Ok);
    bench.benchmark.examples_max -= 1;
    let expected = TestOutcome::BadSeal {
        code: Code::new("examples").expect("a code"),
        place: Code::new("rows").expect("a place"),
    };
    assert_eq!(found(&bench), expected);
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
