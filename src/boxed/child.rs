//! The child's half: limits on itself, then the work.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use datasets::manifest::FILES_MAX;
use datasets::{DatasetError, MANIFEST_FILE};
use evaluator::fault::Failure as Verdict;
use evaluator::folder::Strangers;
use evaluator::job::with_threads;
use evaluator::{
    Job, ModelRunner, NoVerdict, Options, Report, TestSet, check_test_set, evaluate,
    reproduce_example,
};
use protocol::benchmark::Benchmark;
use protocol::json;
use protocol::report::{Outcome, TestOutcome};
use sandbox::Limits;

use super::orders::{
    ANSWER_FILE, Answer, MISSING, MODEL_DIR, ORDERS_BYTES_MAX, Orders, PREDICTIONS_FILE,
    REPORT_DIR, Source, TEST_DIR, Work,
};
use super::predictions::Predictions;
use crate::evaluate::test_text;
use crate::failure::{Exit, Failure};
use crate::folder::Belongs;
use crate::model::load_any;
use crate::sealing::{OpenError, open_ciphertext, unpack};

/// `lode in-box`: the child. Says on stderr what went wrong, for the parent.
pub fn child() -> ExitCode {
    if let Err(error) = sandbox::die_with_parent() {
        talk!("{error}");
        return ExitCode::FAILURE;
    }
    let mut bytes = Vec::new();
    let read = io::stdin()
        .take(ORDERS_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    let orders = match read.map(|_| json::from_slice::<Orders>(&bytes, ORDERS_BYTES_MAX)) {
        Ok(Ok(orders)) => orders,
        _ => {
            talk!("stdin holds no orders: this command is run by others of lode alone");
            return ExitCode::from(Exit::Usage as u8);
        }
    };
    // Whose orders these are may have died before this process was told to die with it.
    if parent_id().is_some_and(|parent| parent != orders.parent) {
        return ExitCode::FAILURE;
    }
    if let Err(error) = confine(&orders) {
        talk!("{error}");
        return ExitCode::FAILURE;
    }
    let answer = obey(&orders).unwrap_or_else(Answer::from);
    match fs::write(orders.own.join(ANSWER_FILE), json::to_vec(&answer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            talk!("the answer could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Who waits for this process, where it can know that.
fn parent_id() -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::process::parent_id());
    #[cfg(not(unix))]
    None
}

fn confine(orders: &Orders) -> Result<(), sandbox::ConfineError> {
    let limits = Limits {
        memory_bytes: orders.memory_bytes,
        cpu_seconds: orders.seconds,
        wall: Duration::from_secs(orders.seconds),
        file_bytes: orders.file_bytes,
        // The parent counts.
        folder_bytes: u64::MAX,
        open_files: 64,
    };
    for missing in sandbox::confine(&limits, &orders.work.open_dirs(), &orders.own)? {
        talk!("{MISSING}{missing}");
    }
    Ok(())
}

fn obey(orders: &Orders) -> Result<Answer, Failure> {
    match &orders.work {
        Work::TestSet { benchmark, test } => test_set(orders, benchmark, test),
        Work::Score {
            benchmark,
            test,
            model,
        } => {
            let test = opened_test_set(orders, test)?;
            let report = score(orders, benchmark, &test, model)?;
            let written = report.write(&orders.own.join(REPORT_DIR));
            written.map_err(|error| Failure::new("report", error, "make room on the disk"))?;
            Ok(Answer::Report)
        }
        Work::Example {
            benchmark,
            test,
            model,
            index,
        } => {
            let test = opened_test_set(orders, test)?;
            example(orders, benchmark, &test, model, *index)
        }
        Work::Predict { model, data } => predict(orders, model, data),
    }
}

/// A model's folder. Of an archive, what belongs there alone is written; of an open folder nothing is asked yet.
fn open_model(source: &Source, dir: &Path) -> Result<(PathBuf, Strangers), OpenError> {
    let mut strangers = Strangers::default();
    let dir = open(
        source,
        dir,
        &mut |path| match path.as_str().split_once('/') {
            Some((folder, _)) => strangers.admits(folder, false),
            None => strangers.admits(path.as_str(), true),
        },
    )?;
    Ok((dir, strangers))
}

/// A folder of a source, opened into `dir` if it is not open already: those of its files that belong.
fn open(source: &Source, dir: &Path, belongs: Belongs<'_>) -> Result<PathBuf, OpenError> {
    let read = |file: &Path| {
        File::open(file).map_err(|error| OpenError::Machine(Failure::io(file, &error)))
    };
    match source {
        Source::Open { dir } => return Ok(dir.clone()),
        Source::Sealed { file, key, root } => {
            open_ciphertext(read(file)?, *root, key, dir, belongs)?;
        }
        &Source::TooLarge {
            size_bytes,
            limit_bytes,
        } => {
            return Err(OpenError::TooLarge {
                size_bytes,
                limit_bytes,
            });
        }
        Source::Archive { file } => unpack(BufReader::new(read(file)?), dir, belongs)?,
    }
    Ok(dir.to_owned())
}

/// The folder of a data set. Of one that has more files than a data set may have, so many are written that it shows: not
/// every disk has room for all of them.
fn open_data(source: &Source, dir: &Path) -> Result<PathBuf, OpenError> {
    let mut others = 0;
    open(source, dir, &mut |path| {
        let is_manifest = path.as_str() == MANIFEST_FILE;
        others += usize::from(!is_manifest);
        is_manifest || others <= FILES_MAX + 1
    })
}

fn test_set(orders: &Orders, benchmark: &Benchmark, test: &Source) -> Result<Answer, Failure> {
    let outcome = match open_data(test, &orders.own.join(TEST_DIR)) {
        Ok(dir) => check_test_set(benchmark, &dir).map_err(no_verdict)?.0,
        Err(error) => error.test_outcome()?,
    };
    Ok(Answer::TestSet { outcome })
}

/// The folder of a test set that is to be used.
fn opened_test_set(orders: &Orders, test: &Source) -> Result<PathBuf, Failure> {
    let opened = open_data(test, &orders.own.join(TEST_DIR));
    opened.map_err(|error| match error.test_outcome() {
        Ok(outcome) => unusable(&outcome),
        Err(failure) => failure,
    })
}

fn score(
    orders: &Orders,
    benchmark: &Benchmark,
    test: &Path,
    model: &Source,
) -> Result<Report, Failure> {
    let (dir, strangers) = match open_model(model, &orders.own.join(MODEL_DIR)) {
        Ok(opened) => opened,
        Err(error) => {
            let examples = TestSet::load(benchmark, test).map_err(no_verdict)?;
            return Ok(Report {
                arithmetic: benchmark.arithmetic,
                outcome: error.submission_outcome()?,
                examples: examples.len(),
                weights_digest: None,
                metrics: None,
                message: None,
                leaves: Vec::new(),
            });
        }
    };
    if let Some(fault) = strangers.fault() {
        let examples = TestSet::load(benchmark, test).map_err(no_verdict)?.len();
        return Ok(Report::invalid(benchmark, &fault, None, examples));
    }
    let job = Job {
        benchmark,
        model_dir: &dir,
        test_dir: test,
    };
    let options = Options {
        batch_size: orders.batch_size,
        threads: orders.threads,
    };
    evaluate(&job, options).map_err(no_verdict)
}

fn example(
    orders: &Orders,
    benchmark: &Benchmark,
    test: &Path,
    model: &Source,
    index: u32,
) -> Result<Answer, Failure> {
    let (dir, strangers) = match open_model(model, &orders.own.join(MODEL_DIR)) {
        Ok(opened) => opened,
        Err(error) => {
            let message = match error.submission_outcome()? {
                Outcome::BadSeal { chunk } => format!("chunk {chunk} of the model does not open"),
                Outcome::Invalid { code, place } => {
                    format!("the model is no archive: {code} at {place}")
                }
                other => format!("the model is {}", other.name()),
            };
            return Ok(Answer::NoLeaf { message });
        }
    };
    if let Some(fault) = strangers.fault() {
        let message = fault.message;
        return Ok(Answer::NoLeaf { message });
    }
    let examples = TestSet::load(benchmark, test).map_err(no_verdict)?.len();
    let job = Job {
        benchmark,
        model_dir: &dir,
        test_dir: test,
    };
    match reproduce_example(&job, index) {
        Ok(leaf) => Ok(Answer::Leaf {
            output_bits: leaf.output_bits,
            examples,
        }),
        Err(Verdict::NoVerdict(NoVerdict::NoExample { index, examples })) => {
            let message = format!("there is no example {index}, the test set has {examples}");
            let next = format!("choose one from 0 to {}", examples.saturating_sub(1));
            Err(Failure::new("no_example", message, next).exit(Exit::Usage))
        }
        Err(Verdict::Fault(fault)) => Ok(Answer::NoLeaf {
            message: fault.message,
        }),
        Err(Verdict::NoVerdict(reason)) => Err(no_verdict(reason)),
    }
}

fn predict(orders: &Orders, model: &Source, data: &Source) -> Result<Answer, Failure> {
    let opened = open_model(model, &orders.own.join(MODEL_DIR));
    let (dir, strangers) = opened.map_err(OpenError::of_asset)?;
    if let Some(fault) = strangers.fault() {
        let next = "docs/model-folder.md has every rule";
        return Err(Failure::new(fault.code.as_str(), &fault, next).exit(Exit::Rejected));
    }
    let loaded = load_any(&dir)?;
    let data = open_data(data, &orders.own.join(TEST_DIR));
    let data = data.map_err(OpenError::of_asset)?;
    let table = datasets::load_table(&data).map_err(|error| {
        let next = "give a data-set folder: dataset.json and what it names";
        let exit = match &error {
            DatasetError::NoManifest(_) => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(error.code(), error, next).exit(exit)
    })?;
    let (found, wanted) = (table.inputs.ncols(), loaded.config.input_size());
    if found != wanted {
        let message = format!("a row has {found} inputs, the model wants {wanted}");
        let next = "choose data that the model was made for";
        return Err(Failure::new("inputs_mismatch", message, next).exit(Exit::Usage));
    }
    let runner = ModelRunner::new(&loaded);
    let leaves = with_threads(orders.threads, || {
        runner.leaves(table.inputs.view(), 0, orders.batch_size)
    });
    let leaves = leaves.map_err(|fault| {
        let next = "the model cannot be used on these data";
        Failure::new(fault.code.as_str(), &fault, next)
    })?;
    let predictions = Predictions {
        outputs: loaded.config.num_labels(),
        leaves,
        labels: table.labels,
    };
    let path = orders.own.join(PREDICTIONS_FILE);
    let written = predictions.write(&path);
    written.map_err(|error| Failure::io(&path, &error))?;
    let number = |number: usize| u32::try_from(number).map_err(Failure::bug);
    Ok(Answer::Predictions {
        rows: number(predictions.leaves.len())?,
        outputs: number(predictions.outputs)?,
        classes: predictions.labels.classes().is_some(),
    })
}

fn unusable(outcome: &TestOutcome) -> Failure {
    let message = format!("the test set is not usable here: {}", test_text(outcome));
    let next = "compare with what other evaluators said: 'lode bounty show'";
    Failure::new("test_set", message, next)
}

/// Why there is no verdict, as a failure of this machine.
fn no_verdict(reason: NoVerdict) -> Failure {
    let next = "check the disk of $LODE_HOME, and that this version of lode knows the benchmark";
    Failure::new("no_verdict", reason, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder;

    /// What is found in the archive of these files, and what was written of it.
    fn opened(files: &[&str]) -> (Option<String>, Vec<String>) {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        for name in files {
            let path = from.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let file = temp.path().join("archive");
        folder::pack(&from, File::create(&file).unwrap()).unwrap();
        let dir = temp.path().join("dir");
        let (dir, strangers) = open_model(&Source::Archive { file }, &dir).unwrap();
        let fault = strangers.fault();
        let fault = fault.map(|fault| format!("{} {}", fault.code.as_str(), fault.place.as_str()));
        let names = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        (fault, names)
    }

    #[test]
    fn what_does_not_belong_to_a_model_is_found_and_never_written() {
        let (model, weights) = ("config.json", "model.safetensors");
        let both = vec![model.to_owned(), weights.to_owned()];
        assert_eq!(opened(&[model, weights]), (None, both.clone()));
        for (more, fault) in [
            (&["a.py", "b.py"][..], "file_unexpected a.py"),
            (&["Config.py", "code/x"], "file_unexpected Config.py"),
            (&["code/config.json"], "file_unexpected code"),
            (&["LICENSE/x"], "file_not_regular LICENSE"),
        ] {
            let files = [&[model, weights][..], more].concat();
            assert_eq!(opened(&files), (Some(fault.to_owned()), both.clone()));
        }
        let (fault, names) = opened(&["config.json/x", weights]);
        assert_eq!(fault.as_deref(), Some("file_not_regular config.json"));
        assert_eq!(names, [weights]);
    }
}
