//! The test folder against the benchmark.
//!
//! A test set is a data-set folder ([`datasets`]) whose manifest has the
//! benchmark's inputs, and its classes or, for a regression, numbers as labels.
//! No input is beyond [`INPUT_MAX`] and no number of a label beyond [`LABEL_MAX`]: whoever
//! chose them could have the numbers of every honest model overflow, and it be invalid.
//!
//! Order of the checks: the manifest's own, then its inputs, then its labels, then
//! that it has no more rows than the benchmark allows examples (`examples`); only
//! then are the folder and its files looked at, as `datasets` documents it, so
//! that what is unpacked is bounded by the benchmark and not by what a stranger
//! wrote; then that all inputs are finite, that none is too large, and that labels are as
//! they should be. Last, that the metric is defined for these labels:
//!
//! | metric | code, if it is not | the labels are |
//! |---|---|---|
//! | ROC-AUC, average precision | `labels_one_class` | all of one class |
//! | R² | `labels_constant` | all equal, or too close together to square |

use std::fs;
use std::path::Path;

use datasets::{DatasetError, LabelKind, Labels, MANIFEST_FILE, Manifest, Table};
use ndarray::ArrayView2;
use protocol::benchmark::{Benchmark, Metric, Task};
use protocol::report::TestOutcome;

use crate::fault::{Failure, Fault, NoVerdict};
use crate::metric::squares_about_mean;

/// The largest magnitude of an input, after its division: 10^15, rounded to binary32. What a model multiplies it by
/// may be 10^23 before binary32 ends.
pub const INPUT_MAX: f32 = 1e15;

/// The largest magnitude of a label that is a number.
pub const LABEL_MAX: f64 = 1e15;

/// A test set that fits its benchmark: at least one example and not too many,
/// every input within [`INPUT_MAX`], every label a class or a number within
/// [`LABEL_MAX`], and its metric defined.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSet {
    table: Table,
}

impl TestSet {
    /// Reads a test folder and holds it against a benchmark.
    ///
    /// # Errors
    /// [`NoVerdict::Benchmark`], [`NoVerdict::TestSet`] with code and place, and
    /// [`NoVerdict::Io`] if something could not be read.
    pub fn load(benchmark: &Benchmark, dir: &Path) -> Result<Self, NoVerdict> {
        benchmark.check()?;
        match load(benchmark, dir) {
            Ok(table) => Ok(Self { table }),
            Err(Failure::Fault(fault)) => Err(NoVerdict::TestSet(fault)),
            Err(Failure::NoVerdict(reason)) => Err(reason),
        }
    }

    /// Takes a table that is in memory already.
    ///
    /// # Errors
    /// [`Fault`] for no or too many examples, an input that is not finite or beyond [`INPUT_MAX`], rows
    /// or labels that do not fit the benchmark, and labels that leave its metric
    /// undefined.
    pub fn from_table(benchmark: &Benchmark, table: Table) -> Result<Self, Fault> {
        let Table { inputs, labels } = &table;
        if labels.is_empty()
            || inputs.nrows() != labels.len()
            || u32::try_from(labels.len()).is_err()
        {
            let (rows, labels) = (inputs.nrows(), labels.len());
            let message = format!("there are {rows} rows and {labels} labels");
            return Err(Fault::new("row_count", "rows", message));
        }
        check_width("inputs", inputs.ncols() as u64, benchmark.inputs)?;
        if let Some(row) = inputs
            .rows()
            .into_iter()
            .position(|r| r.iter().any(|v| !v.is_finite()))
        {
            let message = format!("example {row} has an input that is not a finite number");
            return Err(Fault::new(
                "input_not_finite",
                &format!("example/{row}"),
                message,
            ));
        }
        let is_fit = |value: &f32| value.abs() <= INPUT_MAX;
        let mut rows = inputs.rows().into_iter();
        if let Some(row) = rows.position(|row| !row.iter().all(is_fit)) {
            let message = format!("example {row} has an input beyond 10^15");
            let place = format!("example/{row}");
            return Err(Fault::new("input_too_large", &place, message));
        }
        check_labels(benchmark.task, labels)?;
        check_examples(benchmark, labels.len() as u64)?;
        check_metric(benchmark.metric, labels)?;
        Ok(Self { table })
    }

    /// The inputs. Shape: `[examples, inputs]`.
    pub fn inputs(&self) -> ArrayView2<'_, f32> {
        self.table.inputs.view()
    }

    /// The labels, one an example.
    pub const fn labels(&self) -> &Labels {
        &self.table.labels
    }

    /// The number of examples; at least 1.
    pub fn len(&self) -> u32 {
        u32::try_from(self.table.labels.len()).expect("the number of examples was checked")
    }

    /// Whether there are no examples; there always are.
    pub fn is_empty(&self) -> bool {
        self.table.labels.is_empty()
    }
}

/// What a committee attests of a test set that was opened, and a sentence for
/// people if it is not well formed.
///
/// # Errors
/// [`NoVerdict`] if something could not be read, or the benchmark makes no sense.
pub fn check_test_set(
    benchmark: &Benchmark,
    dir: &Path,
) -> Result<(TestOutcome, Option<String>), NoVerdict> {
    match TestSet::load(benchmark, dir) {
        Ok(_) => Ok((TestOutcome::Ok, None)),
        Err(NoVerdict::TestSet(Fault {
            code,
            place,
            message,
        })) => Ok((TestOutcome::BadSeal { code, place }, Some(message))),
        Err(reason) => Err(reason),
    }
}

fn load(benchmark: &Benchmark, dir: &Path) -> Result<Table, Failure> {
    // A folder that is not there is the disk's doing; one without a manifest is the sponsor's.
    fs::read_dir(dir).map_err(|error| NoVerdict::io(dir, error))?;
    let manifest = Manifest::load(dir).map_err(|error| failure(dir, error))?;
    check_manifest(benchmark, &manifest)?;
    let table = manifest.load_rows(dir);
    let table = table.map_err(|error| failure(dir, error))?;
    Ok(TestSet::from_table(benchmark, table)?.table)
}

/// That a folder of this manifest can be the benchmark's.
fn check_manifest(benchmark: &Benchmark, manifest: &Manifest) -> Result<(), Fault> {
    check_width("inputs", u64::from(manifest.inputs()), benchmark.inputs)?;
    match (manifest.labels(), benchmark.task) {
        (LabelKind::Classes(found), Task::Classification { classes }) => {
            check_width("classes", u64::from(found), classes)?;
        }
        (LabelKind::Numbers, Task::Regression) => {}
        (_, task) => return Err(other_labels(task, &format!("{MANIFEST_FILE}/labels"))),
    }
    check_examples(benchmark, manifest.rows)
}

fn check_examples(benchmark: &Benchmark, found: u64) -> Result<(), Fault> {
    let limit = u64::from(benchmark.examples_max);
    if found <= limit {
        return Ok(());
    }
    let message = format!("there are {found} examples, the benchmark allows {limit}");
    Err(Fault::new("examples", "rows", message))
}

fn check_labels(task: Task, labels: &Labels) -> Result<(), Fault> {
    let fault = |row: usize, message| Err(Fault::new("label", &format!("example/{row}"), message));
    match (labels, task) {
        (Labels::Classes(labels), Task::Classification { classes }) => {
            match labels.iter().position(|&label| label >= classes) {
                Some(row) => {
                    let label = labels[row];
                    fault(
                        row,
                        format!("the label of example {row} is {label} of {classes} classes"),
                    )
                }
                None => Ok(()),
            }
        }
        (Labels::Numbers(labels), Task::Regression) => {
            // A NaN is in no range.
            let is_fit = |label: &f64| label.abs() <= LABEL_MAX;
            match labels.iter().position(|label| !is_fit(label)) {
                Some(row) => fault(row, format!("the label of example {row} is beyond 10^15")),
                None => Ok(()),
            }
        }
        _ => Err(other_labels(task, "labels")),
    }
}

fn other_labels(task: Task, place: &str) -> Fault {
    let message = match task {
        Task::Classification { .. } => "the labels are numbers, the benchmark asks for classes",
        Task::Regression => "the labels are classes, the benchmark asks for numbers",
    };
    Fault::new("labels_mismatch", place, message)
}

/// That the metric is defined for the labels.
fn check_metric(metric: Metric, labels: &Labels) -> Result<(), Fault> {
    let (code, why) = match (metric, labels) {
        (Metric::RocAuc | Metric::AveragePrecision, Labels::Classes(labels))
            if labels.iter().all(|&label| label == labels[0]) =>
        {
            ("labels_one_class", "all examples are of one class")
        }
        (Metric::R2, Labels::Numbers(labels)) if squares_about_mean(labels).is_none() => {
            ("labels_constant", "the labels do not differ")
        }
        _ => return Ok(()),
    };
    let message = format!("{why}, so {} is not defined", metric.name());
    Err(Fault::new(code, "labels", message))
}

fn check_width(what: &str, found: u64, expected: u32) -> Result<(), Fault> {
    if found == u64::from(expected) {
        return Ok(());
    }
    let message = format!("the test set has {found} {what}, the benchmark has {expected}");
    let place = format!("{MANIFEST_FILE}/{what}");
    Err(Fault::new(&format!("{what}_mismatch"), &place, message))
}

/// A fault of the folder, or of the disk.
fn failure(dir: &Path, error: DatasetError) -> Failure {
    match error {
        DatasetError::Io { error, .. } => NoVerdict::io(dir, error).into(),
        error => {
            let place = place(&error);
            Fault::new(error.code(), &place, error.to_string()).into()
        }
    }
}

/// Where a folder is wrong: a file, perhaps a line of it, or a field of the manifest.
fn place(error: &DatasetError) -> String {
    match error {
        DatasetError::Field { field, .. } => format!("{MANIFEST_FILE}/{field}"),
        DatasetError::Path { path, .. }
        | DatasetError::Conflict { path, .. }
        | DatasetError::TooLarge { path, .. }
        | DatasetError::Size { path, .. }
        | DatasetError::Digest { path, .. } => path.clone(),
        DatasetError::ListedTwice(path)
        | DatasetError::Missing(path)
        | DatasetError::NotAFile(path)
        | DatasetError::Unlisted(path) => path.clone(),
        DatasetError::Idx { path, .. } => path.clone(),
        DatasetError::Csv { path, error } => match error.line() {
            Some(line) => format!("{path}/line {line}"),
            None => path.clone(),
        },
        DatasetError::TooManyEntries(_) | DatasetError::NotEmpty(_) => "folder".to_owned(),
        DatasetError::Io { .. }
        | DatasetError::NoManifest(_)
        | DatasetError::ManifestJson(_)
        | DatasetError::Version(_)
        | DatasetError::NotListed(_)
        | DatasetError::Rows { .. } => MANIFEST_FILE.to_owned(),
    }
}
