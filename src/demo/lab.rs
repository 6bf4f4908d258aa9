//! The work off the log: data folders, training, evaluating; and a liar's report.

use std::fs;
use std::path::{Path, PathBuf};

use datasets::{About, CsvSpec, CsvText, LabelKind, Split, write_folder};
use evaluator::{Job, Metrics, Options, Report, reproduce_example};
use indicatif::{ProgressBar, ProgressStyle};
use licensing::Terms;
use miner::{Progress, Recipe, Trained};
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::report::{Leaf, Outcome, predictions_root};
use protocol::text::{Name, Text};

use crate::failure::Failure;

const DIGITS: &[u8] = include_bytes!("../../examples/digits/digits.csv");
/// The digits.
const CLASSES: u32 = 10;
const SPEC: CsvSpec = CsvSpec {
    header: false,
    label_column: 64,
    inputs: 64,
    labels: LabelKind::Classes(CLASSES),
    divide_inputs_by: 16,
};

/// One row in so many is a test row: those whose index it divides.
const TEST_EVERY: u32 = 5;

/// What the bounty asks for.
pub fn benchmark() -> Benchmark {
    Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: CLASSES },
        inputs: SPEC.inputs,
        metric: Metric::Accuracy,
        examples_max: 360,
        limits: ModelLimits {
            parameters_max: 100_000,
            file_bytes_max: 1 << 20,
            multiply_adds_max: 100_000,
        },
    }
}

fn data_failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        "data",
        error,
        "choose an empty folder with --dir, on a disk with room",
    )
}

/// Writes the training rows and the test rows as two data-set folders.
pub fn write_data(train: &Path, test: &Path, terms: &Terms) -> Result<(usize, usize), Failure> {
    let text = CsvText::read(DIGITS, &SPEC).map_err(Failure::bug)?;
    let split = Split::EveryNth {
        n: TEST_EVERY,
        offset: 0,
    };
    let parts = split.parts(text.rows().len()).map_err(Failure::bug)?;
    let attribution = "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, \
                       UCI Machine Learning Repository 1998, CC BY 4.0";
    for (dir, name, rows) in [
        (train, "Digits, training rows", &parts.train),
        (test, "Digits, test rows", &parts.test),
    ] {
        fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
        let about = About {
            name: Name::new(name).expect("a short name"),
            attribution: Text::new(attribution).expect("a short text"),
            license: terms.to_tags(),
        };
        write_folder(dir, &about, &SPEC, &text.select(rows)).map_err(data_failure)?;
    }
    Ok((parts.train.len(), parts.test.len()))
}

/// Trains a recipe, with a bar on a terminal.
pub fn train(
    name: &str,
    recipe: &str,
    seed: u64,
    data: &Path,
    base: Option<&Path>,
    out: &Path,
) -> Result<Trained, Failure> {
    let mut recipe = Recipe::parse(recipe).map_err(Failure::bug)?;
    // Another seed of the demo is another story: other first weights, other order.
    recipe.train.seed += seed * 1_000;
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("  {prefix} trains {bar:32} {percent:>3} %  {msg}");
    bar.set_style(style.map_err(Failure::bug)?);
    bar.set_prefix(name.to_owned());
    let mut show = |progress: Progress| {
        bar.set_length(progress.steps);
        bar.set_position(progress.step);
        if progress.step.is_multiple_of(45) {
            let Progress {
                epoch,
                epochs,
                loss,
                ..
            } = progress;
            bar.set_message(format!("epoch {epoch} of {epochs}, loss {loss:.4}"));
        }
    };
    let trained = miner::train(&recipe, data, base, out, &mut show);
    bar.finish_and_clear();
    trained.map_err(|error| {
        Failure::new(
            "training",
            error,
            "choose an empty folder with --dir, on a disk with room",
        )
    })
}

/// What an evaluator found.
pub fn evaluate(model: &Path, test: &Path, options: Options) -> Result<Report, Failure> {
    let benchmark = benchmark();
    let job = Job {
        benchmark: &benchmark,
        model_dir: model,
        test_dir: test,
    };
    evaluator::evaluate(&job, options).map_err(|error| {
        Failure::new(
            "evaluation",
            error,
            "choose an empty folder with --dir, on a disk with room",
        )
    })
}

/// The lie: every example that the model got wrong comes out right.
pub fn falsify(honest: &Report, test: &Path) -> Result<Report, Failure> {
    let table = datasets::load_table(test).map_err(data_failure)?;
    let mut report = honest.clone();
    let labels = table.labels.classes().expect("digits are classes");
    for (leaf, &label) in report.leaves.iter_mut().zip(labels) {
        let outputs: Vec<f32> = leaf
            .output_bits
            .iter()
            .map(|&bits| f32::from_bits(bits))
            .collect();
        let best = evaluator::metric::argmax(&outputs);
        leaf.output_bits.swap(best, label as usize);
    }
    let metrics = Metrics::of(&report.leaves, &table.labels);
    if let Outcome::Scored {
        score,
        predictions_root: root,
        ..
    } = &mut report.outcome
    {
        *score = metrics.score(Metric::Accuracy).map_err(Failure::bug)?;
        *root = predictions_root(&report.leaves);
    }
    report.metrics = Some(metrics);
    Ok(report)
}

/// The first example on which two reports differ, and what it really comes to.
pub fn dispute(
    honest: &Report,
    other: &Report,
    model: &Path,
    test: &Path,
) -> Result<Option<(Leaf, Leaf, Leaf)>, Failure> {
    let pairs = honest.leaves.iter().zip(&other.leaves);
    let Some((ours, theirs)) = pairs.clone().find(|(ours, theirs)| ours != theirs) else {
        return Ok(None);
    };
    let benchmark = benchmark();
    let job = Job {
        benchmark: &benchmark,
        model_dir: model,
        test_dir: test,
    };
    let again =
        reproduce_example(&job, ours.index).map_err(|error| Failure::bug(format!("{error:?}")))?;
    Ok(Some((ours.clone(), theirs.clone(), again)))
}

/// How each honest evaluator happens to run: none of it may change a bit.
pub fn habits(evaluator: usize) -> Options {
    match evaluator {
        0 => Options {
            batch_size: 1,
            threads: Some(1),
        },
        1 => Options {
            batch_size: 7,
            threads: Some(2),
        },
        _ => Options::default(),
    }
}

/// The folder of a miner's model.
pub fn model_dir(dir: &Path, miner: &str) -> PathBuf {
    dir.join("people").join(miner).join("model")
}
