use std::fs;
use std::path::Path;

use datasets::{LabelKind, Table};
use evaluator::{Job, Options};
use miner::{Progress, Recipe, TrainError, Trained, score, train, train_rows};
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use tempfile::TempDir;

use crate::support::{SPEC, recipe, table, write_data};

/// A place with a training set in it.
fn place() -> TempDir {
    let root = TempDir::new().expect("a temporary folder");
    write_data(&root.path().join("data"));
    root
}

fn run(root: &Path, recipe: &Recipe, base: Option<&str>, out: &str) -> Result<Trained, TrainError> {
    let base = base.map(|base| root.join(base));
    train(
        recipe,
        &root.join("data"),
        base.as_deref(),
        &root.join(out),
        &mut |_| (),
    )
}

/// The names in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

const BENCHMARK: Benchmark = Benchmark {
    arithmetic: ARITHMETIC_VERSION,
    task: Task::Classification { classes: 3 },
    inputs: SPEC.inputs,
    metric: Metric::Accuracy,
    examples_max: 1_000,
    limits: ModelLimits {
        parameters_max: 10_000,
        file_bytes_max: 100_000,
        multiply_adds_max: 10_000,
    },
};

#[test]
fn a_trained_folder_is_a_submission_that_scores() {
    let root = place();
    let mut recipe = recipe();
    recipe.train.epochs = 60;
    let trained = run(root.path(), &recipe, None, "model").unwrap();
    let model_dir = root.path().join("model");
    assert_eq!(
        names(&model_dir),
        ["config.json", "model.safetensors", "recipe.toml"]
    );
    assert_eq!(
        (trained.rows, trained.epochs, trained.steps),
        (100, 60, 60 * 7)
    );
    assert_eq!(trained.base_digest, None);
    let test_dir = root.path().join("data");
    let job = Job {
        benchmark: &BENCHMARK,
        model_dir: &model_dir,
        test_dir: &test_dir,
    };
    let report = score(&job, Options::default()).unwrap();
    assert_eq!(report.weights_digest, Some(trained.weights_digest));
    assert!(report.metrics.unwrap().value(Metric::Accuracy).unwrap() > 0.9);
}

#[test]
fn the_recipe_in_the_folder_replays_the_training() {
    let root = place();
    let trained = run(root.path(), &recipe(), None, "model").unwrap();
    let written = fs::read(root.path().join("model/recipe.toml")).unwrap();
    let again = Recipe::from_toml(&written).unwrap();
    assert_eq!(again, recipe());
    let replayed = run(root.path(), &again, None, "again").unwrap();
    assert_eq!(replayed, trained);
    for name in names(&root.path().join("model")) {
        let read = |dir: &str| fs::read(root.path().join(dir).join(&name)).unwrap();
        assert_eq!(read("model"), read("again"), "{name}");
    }
}

#[test]
fn a_fine_tuning_goes_on_from_its_base() {
    let root = place();
    let mut long = recipe();
    long.train.epochs = 40;
    let base = run(root.path(), &long, None, "base").unwrap();
    let first_loss = |base: Option<&str>| {
        let base = base.map(|base| root.path().join(base));
        let mut first = None;
        let out = root
            .path()
            .join(if base.is_some() { "tuned" } else { "fresh" });
        let mut progress = |progress: Progress| {
            first.get_or_insert(progress.loss);
        };
        let data = root.path().join("data");
        let trained = train(&recipe(), &data, base.as_deref(), &out, &mut progress).unwrap();
        (first.unwrap(), trained)
    };
    let (fresh_loss, fresh) = first_loss(None);
    let (tuned_loss, tuned) = first_loss(Some("base"));
    assert!(
        tuned_loss < 0.8 * fresh_loss,
        "{tuned_loss} after {fresh_loss}"
    );
    assert_eq!(tuned.base_digest, Some(base.weights_digest));
    assert_ne!(tuned.weights_digest, base.weights_digest);
    assert_ne!(tuned.weights_digest, fresh.weights_digest);
}

#[test]
fn a_step_of_no_length_leaves_the_base_as_it_was() {
    let root = place();
    let base = run(root.path(), &recipe(), None, "base").unwrap();
    let mut still = recipe();
    still.train.learning_rate = 0.0;
    let tuned = run(root.path(), &still, Some("base"), "tuned").unwrap();
    assert_eq!(tuned.weights_digest, base.weights_digest);
}

/// A training that fails leaves the place as it was.
fn check_failure(root: &Path, code: &str, result: Result<Trained, TrainError>) {
    let error = result.expect_err("it must fail");
    assert_eq!(error.code(), code, "{error}");
    let left: Vec<String> = names(root)
        .into_iter()
        .filter(|n| n.contains("model"))
        .collect();
    assert!(left.is_empty(), "{left:?} stayed behind");
}

#[test]
fn a_base_that_does_not_fit_is_refused() {
    let root = place();
    let root = root.path();
    run(root, &recipe(), None, "base").unwrap();
    let mut wider = recipe();
    wider.model.hidden[0] += 1;
    check_failure(root, "base_shape", run(root, &wider, Some("base"), "model"));
    check_failure(
        root,
        "base_unreadable",
        run(root, &recipe(), Some("nowhere"), "model"),
    );
    fs::write(root.join("base/weights.bin"), "x").unwrap();
    check_failure(
        root,
        "file_unexpected",
        run(root, &recipe(), Some("base"), "model"),
    );
    fs::remove_file(root.join("base/weights.bin")).unwrap();
    fs::write(root.join("base/model.safetensors"), [0xff; 64]).unwrap();
    check_failure(
        root,
        "weights_header_too_long",
        run(root, &recipe(), Some("base"), "model"),
    );
}

#[test]
fn data_that_are_not_there_or_broken_are_refused() {
    let root = place();
    let root = root.path();
    fs::write(root.join("data/data.csv"), "1,2\n").unwrap();
    check_failure(root, "file_size", run(root, &recipe(), None, "model"));
    fs::remove_dir_all(root.join("data")).unwrap();
    check_failure(root, "no_manifest", run(root, &recipe(), None, "model"));
}

#[test]
fn a_training_that_diverges_is_stopped_and_leaves_nothing() {
    let root = place();
    let mut table = table();
    table.inputs.fill(3e38);
    let out = root.path().join("model");
    let result = train_rows(
        &recipe(),
        &table,
        LabelKind::Classes(3),
        None,
        &out,
        &mut |_| (),
    );
    check_failure(root.path(), "train_diverged", result);
}

#[test]
fn rows_and_labels_that_do_not_fit_are_refused() {
    let root = place();
    let out = root.path().join("model");
    let code = |table: &Table, classes| {
        let result = train_rows(
            &recipe(),
            table,
            LabelKind::Classes(classes),
            None,
            &out,
            &mut |_| (),
        );
        result.expect_err("it must fail").code().to_owned()
    };
    assert_eq!(code(&table(), 2), "train_label");
    assert_eq!(code(&table().select(&[]), 3), "train_rows");
    let mut short = table();
    short.labels = short.labels.select(&(0..99).collect::<Vec<_>>());
    assert_eq!(code(&short, 3), "train_rows");
    assert_eq!(names(root.path()), ["data"]);
}

#[test]
fn a_model_too_large_for_memory_is_refused_before_it_is_made() {
    let root = place();
    let mut huge = recipe();
    huge.model.hidden = vec![1 << 20; 64];
    check_failure(
        root.path(),
        "too_many_parameters",
        run(root.path(), &huge, None, "model"),
    );
}

#[test]
fn what_is_there_is_not_overwritten() {
    let root = place();
    let root = root.path();
    fs::create_dir(root.join("taken")).unwrap();
    fs::write(root.join("taken/notes"), "mine").unwrap();
    let error = run(root, &recipe(), None, "taken").unwrap_err();
    assert_eq!(error.code(), "output_exists");
    assert_eq!(names(&root.join("taken")), ["notes"]);
    fs::write(root.join("file"), "mine").unwrap();
    let error = run(root, &recipe(), None, "file").unwrap_err();
    assert_eq!(error.code(), "output_exists");
    fs::create_dir(root.join("empty")).unwrap();
    run(root, &recipe(), None, "empty").unwrap();
}
