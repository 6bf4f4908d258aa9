//! Small jobs for the tests: a model and a test set made from numbers.

use std::fs;
use std::path::{Path, PathBuf};

use datasets::{About, CsvSpec, CsvText, LabelKind, write_folder};
use evaluator::Job;
use models::cnn::ConvLayer;
use models::{Architecture, CnnConfig, MlpConfig, Weights};
use protocol::BlobId;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::text::{Name, Text};
use repro::kernels::random::{Distribution, Draw};
use repro::paths::Path as Instructions;
use tempfile::TempDir;

/// Numbers in a row, classes, and rows of the test set.
pub const INPUTS: u32 = 20;
pub const CLASSES: u32 = 5;
pub const EXAMPLES: u32 = 360;

pub const SPEC: CsvSpec = CsvSpec {
    header: false,
    label_column: INPUTS,
    inputs: INPUTS,
    labels: LabelKind::Classes(CLASSES),
    divide_inputs_by: 16,
};

pub const BENCHMARK: Benchmark = Benchmark {
    arithmetic: ARITHMETIC_VERSION,
    task: Task::Classification { classes: CLASSES },
    inputs: INPUTS,
    metric: Metric::Accuracy,
    examples_max: EXAMPLES,
    limits: ModelLimits {
        parameters_max: 10_000,
        file_bytes_max: 100_000,
        multiply_adds_max: 10_000,
    },
};

/// A model folder and a test folder in a place of their own.
pub struct Bench {
    pub root: TempDir,
    pub benchmark: Benchmark,
    pub model: PathBuf,
    pub test: PathBuf,
}

impl Bench {
    pub fn new() -> Self {
        let root = TempDir::new().expect("a temporary folder");
        let (model, test) = (root.path().join("model"), root.path().join("test"));
        write_model(&model, &config(), &weights(&config(), 1));
        write_rows(&test, &rows());
        Self {
            root,
            benchmark: BENCHMARK,
            model,
            test,
        }
    }

    pub fn job(&self) -> Job<'_> {
        Job {
            benchmark: &self.benchmark,
            model_dir: &self.model,
            test_dir: &self.test,
        }
    }
}

pub fn config() -> MlpConfig {
    MlpConfig::new(u64::from(INPUTS), &[33, 17], u64::from(CLASSES)).expect("sound widths")
}

/// Weights between −1 and 1.
pub fn weights(config: &impl Architecture, seed: u64) -> Weights {
    let mut draw = 0;
    let range = Distribution::Uniform {
        low: -1.0,
        high: 1.0,
    };
    let weights = Weights::generate(config, |spec| {
        draw += 1;
        Draw::new(seed, 0, 0, draw).fill(Instructions::Scalar, range, spec.len())
    });
    weights.expect("finite numbers")
}

pub fn write_model(dir: &Path, config: &MlpConfig, weights: &Weights) {
    write_json_model(dir, &config.to_json(), weights);
}

/// A model of which this is the config.
pub fn write_json_model(dir: &Path, config: &[u8], weights: &Weights) {
    fs::create_dir_all(dir).expect("a folder");
    fs::write(dir.join("config.json"), config).expect("a file");
    fs::write(dir.join("model.safetensors"), weights.to_safetensors()).expect("a file");
}

/// Rows of whole numbers from 0 to 16, and a label.
pub fn rows() -> String {
    let draw = Draw::new(5, 0, 0, 0);
    let width = u64::from(INPUTS) + 1;
    (0..u64::from(EXAMPLES))
        .map(|row| {
            let cells = (0..width).map(|column| {
                let bound = if column + 1 < width { 17 } else { CLASSES };
                draw.below(row * width + column, u64::from(bound))
                    .to_string()
            });
            cells.collect::<Vec<_>>().join(",") + "\n"
        })
        .collect()
}

pub fn about() -> About {
    About {
        name: Name::new("rows").expect("a name"),
        attribution: Text::new("made by a generator").expect("a text"),
        license: Vec::new(),
    }
}

pub fn write_rows(dir: &Path, rows: &str) {
    let text = CsvText::read(rows.as_bytes(), &SPEC).expect("lines");
    write_folder(dir, &about(), &SPEC, &text).expect("a data set");
}

/// Rows of two inputs and a label of the task, which may be none that the task has.
pub fn write_csv(dir: &Path, rows: &str, task: Task) {
    let spec = CsvSpec {
        header: false,
        label_column: 2,
        inputs: 2,
        labels: match task {
            Task::Classification { classes } => LabelKind::Classes(classes),
            Task::Regression => LabelKind::Numbers,
        },
        divide_inputs_by: 1,
    };
    let sound = "1,2,0\n".repeat(rows.lines().count());
    let text = CsvText::read(sound.as_bytes(), &spec).expect("lines");
    let mut manifest = write_folder(dir, &about(), &spec, &text).expect("a data set");
    fs::write(dir.join("data.csv"), rows).expect("a file");
    manifest.files[0].size_bytes = rows.len() as u64;
    manifest.files[0].blake3 = BlobId(*blake3::hash(rows.as_bytes()).as_bytes());
    manifest.write(dir).expect("a manifest");
}

/// A job whose rows are images of four rows and five columns, through two convolutions.
pub fn convolutional() -> Bench {
    let bench = Bench::new();
    let layer = |channels, kernel, padding, pool| ConvLayer {
        channels,
        kernel,
        padding,
        pool,
    };
    let layers = [layer(6, 3, 1, 2), layer(4, 2, 1, 1)];
    let config = CnnConfig::new([1, 4, 5], &layers, &[8], u64::from(CLASSES)).expect("it fits");
    write_json_model(&bench.model, &config.to_json(), &weights(&config, 1));
    bench
}

/// A job of numbers: the rows of the other, a half more than the class being the label.
pub fn regression() -> Bench {
    let mut bench = Bench::new();
    (bench.benchmark.task, bench.benchmark.metric) = (Task::Regression, Metric::Rmse);
    let config = MlpConfig::new(u64::from(INPUTS), &[33, 17], 1).expect("sound widths");
    write_model(&bench.model, &config, &weights(&config, 1));
    fs::remove_dir_all(&bench.test).expect("it was there");
    let rows: String = rows().lines().map(|row| format!("{row}.5\n")).collect();
    let spec = CsvSpec {
        labels: LabelKind::Numbers,
        ..SPEC
    };
    let text = CsvText::read(rows.as_bytes(), &spec).expect("lines");
    write_folder(&bench.test, &about(), &spec, &text).expect("a data set");
    bench
}
