use std::fs;

use datasets::{CsvSpec, Split, read_csv};
use evaluator::job::evaluate_model;
use evaluator::{LoadedModel, Options, TestSet};
use miner::recipe::EXAMPLE;
use miner::{Recipe, Targets, fit};
use protocol::Digest;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};

const SPEC: CsvSpec = CsvSpec {
    header: false,
    label_column: 64,
    inputs: 64,
    classes: 10,
    divide_inputs_by: 16,
};

const BENCHMARK: Benchmark = Benchmark {
    arithmetic: ARITHMETIC_VERSION,
    task: Task::Classification,
    inputs: 64,
    classes: 10,
    metric: Metric::Accuracy,
    limits: ModelLimits {
        parameters_max: 100_000,
        file_bytes_max: 1 << 20,
        multiply_adds_max: 100_000,
    },
};

/// One seed of `examples/digits.rs`, which prints five.
#[test]
fn the_example_recipe_reaches_the_promised_accuracy_on_the_digits() {
    let csv = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.csv");
    let table = read_csv(&fs::read(csv).unwrap(), &SPEC).unwrap();
    let parts = Split::EveryNth { n: 5, offset: 0 }
        .parts(table.rows())
        .unwrap();
    let (train, test) = (table.select(&parts.train), table.select(&parts.test));
    let recipe = Recipe::parse(EXAMPLE).unwrap();
    let fitted = fit(
        &recipe,
        train.inputs.view(),
        Targets::Classes {
            labels: &train.labels,
            classes: 10,
        },
        None,
        &mut |_| (),
    )
    .unwrap();
    let model = LoadedModel {
        weights_digest: Digest(fitted.weights.digest()),
        config: fitted.config,
        weights: fitted.weights,
        folder_bytes: 0,
    };
    let test_set = TestSet::from_table(&BENCHMARK, test).unwrap();
    let report = evaluate_model(&BENCHMARK, &model, &test_set, Options::default());
    let metrics = report.metrics.unwrap();
    assert_eq!(metrics.examples, 360);
    assert!(
        metrics.accuracy() >= 0.98,
        "accuracy {}",
        metrics.accuracy()
    );
}
