//! Scores a model folder on a test folder and writes the report.
//!
//! ```text
//! cargo run --release -p evaluator --example score MODEL_DIR TEST_DIR REPORT_DIR
//! python3 evaluator/tests/exact.py MODEL_DIR TEST_DIR REPORT_DIR
//! ```
//!
//! The second line computes the same report again in exact rational numbers,
//! with none of this project's code.

use std::error::Error;
use std::path::PathBuf;

use datasets::LabelKind;
use evaluator::{Job, Options, evaluate};
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model_dir, test_dir, report_dir] = folders.as_slice() else {
        return Err("three folders are needed: model, test, report".into());
    };
    let manifest = datasets::Manifest::load(test_dir)?;
    // Every metric is in the report, whichever is the score.
    let (task, metric) = match manifest.labels() {
        LabelKind::Classes(classes) => (Task::Classification { classes }, Metric::Accuracy),
        LabelKind::Numbers => (Task::Regression, Metric::Rmse),
    };
    let benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task,
        inputs: manifest.inputs(),
        metric,
        examples_max: u32::try_from(manifest.rows)?,
        limits: ModelLimits {
            parameters_max: 1 << 24,
            file_bytes_max: 1 << 27,
            multiply_adds_max: 1 << 24,
        },
    };
    let job = Job {
        benchmark: &benchmark,
        model_dir,
        test_dir,
    };
    let report = evaluate(&job, Options::default())?;
    report.write(report_dir)?;
    print!("{}", String::from_utf8_lossy(&report.to_json()));
    Ok(())
}
