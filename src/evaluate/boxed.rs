//! What a stranger made is opened and scored in a child process under limits:
//! docs/decisions/011-sandbox.md.
//!
//! ```text
//! parent                                   child: `lode evaluate in-box`
//! writes ciphertexts into its folder
//! starts it, gives the job on stdin   ──►  limits itself, then opens and scores
//! watches it                          ◄──  answer.json, report/, test/
//! reads the answer, strictly
//! ```
//!
//! The child has an empty environment but for what the arithmetic reads. An end
//! by a limit, a crash, an answer that is none: no verdict on anything, a
//! [`Failure`] of this machine.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use evaluator::fault::Failure as Verdict;
use evaluator::report::LEAVES_BYTES_MAX;
use evaluator::{Job, Options, Report, TestSet, check_test_set, evaluate, reproduce_example};
use protocol::archive::Limits as ArchiveLimits;
use protocol::benchmark::Benchmark;
use protocol::json;
use protocol::record::SealedFolder;
use protocol::report::{Leaf, Outcome, TestOutcome};
use protocol::seal::SealKey;
use sandbox::{Ending, Limits};
use serde::{Deserialize, Serialize};

use super::RunOptions;
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::sealing::{OpenError, Store, open_ciphertext};

/// The most bytes of a job or an answer.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

const ANSWER_FILE: &str = "answer.json";
const REPORT_DIR: &str = "report";
/// Where the child opens a test set and a model.
const TEST_DIR: &str = "test";
const MODEL_DIR: &str = "model";

/// A folder that the child reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Source {
    /// A ciphertext in its own folder, and the key that is said to open it.
    Sealed { file: PathBuf, key: SealKey },
    /// A folder that was opened before.
    Open { dir: PathBuf },
}

/// What is asked of the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Ask {
    /// Whether the test set opens and is sound.
    TestSet,
    /// A report on the model.
    Score { model: Source },
    /// One leaf.
    Example { model: Source, index: u32 },
}

/// All that the child is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    /// Its folder: the only one that it writes to.
    own: PathBuf,
    memory_bytes: u64,
    seconds: u64,
    file_bytes: u64,
    batch_size: usize,
    threads: Option<usize>,
    benchmark: Benchmark,
    test: Source,
    ask: Ask,
}

/// What the child found.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    TestSet {
        outcome: TestOutcome,
    },
    /// It is in the folder `report`.
    Report,
    Leaf {
        output_bits: Vec<u32>,
        examples: u32,
    },
    /// The model has no leaves: it is not sound.
    NoLeaf {
        message: String,
    },
    /// Nothing that the model's or the test set's maker could help.
    NoVerdict {
        code: String,
        message: String,
        next_step: String,
    },
}

/// A folder for one child after the other, removed with this.
#[derive(Debug)]
pub struct Enclosure<'a> {
    dir: tempfile::TempDir,
    benchmark: &'a Benchmark,
    options: RunOptions,
    /// What is run as the child.
    program: PathBuf,
    /// Bytes of all ciphertexts that were put into it.
    sealed_bytes: u64,
    /// Bytes of the test set, sealed or opened.
    test_bytes: u64,
}

impl<'a> Enclosure<'a> {
    /// A new one, its folder inside `dir`.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn new(dir: &Path, benchmark: &'a Benchmark, options: RunOptions) -> Result<Self, Failure> {
        let made = tempfile::Builder::new().prefix("box-").tempdir_in(dir);
        let made = made.and_then(|made| {
            // The child is told where it is, and moves there.
            fs::canonicalize(made.path()).map(|_| made)
        });
        Ok(Self {
            dir: made.map_err(|error| Failure::io(dir, &error))?,
            benchmark,
            options,
            program: own_program()?,
            sealed_bytes: 0,
            test_bytes: 0,
        })
    }

    /// Puts a ciphertext into the folder, checked against its name.
    fn source(
        &mut self,
        name: &str,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
    ) -> Result<Source, Failure> {
        let file = self.dir.path().join(name);
        let io = |error: io::Error| Failure::io(&file, &error);
        let mut fetched = store.fetch(sealed.ciphertext)?;
        let mut into = File::create(&file).map_err(io)?;
        io::copy(&mut fetched, &mut into).map_err(io)?;
        self.sealed_bytes = self
            .sealed_bytes
            .saturating_add(sealed.ciphertext.size_bytes);
        Ok(Source::Sealed {
            file,
            key: key.clone(),
        })
    }

    /// Opens a sealed test set and says what it is; where it is sound, it is moved to `dir`.
    ///
    /// # Errors
    /// No verdict.
    pub fn test_set(
        mut self,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
        dir: &Path,
    ) -> Result<TestOutcome, Failure> {
        let test = self.source("test.sealed", sealed, key, store)?;
        self.test_bytes = sealed.ciphertext.size_bytes;
        let Answer::TestSet { outcome } = self.ask(test, Ask::TestSet)? else {
            return Err(no_answer("another answer than was asked for"));
        };
        if outcome == TestOutcome::Ok {
            fs::rename(self.dir.path().join(TEST_DIR), dir)
                .map_err(|error| Failure::io(dir, &error))?;
        }
        Ok(outcome)
    }

    /// What a test set that was opened before is.
    ///
    /// # Errors
    /// No verdict.
    pub fn opened_test_set(mut self, dir: &Path) -> Result<TestOutcome, Failure> {
        match self.ask_of(dir, Ask::TestSet)? {
            Answer::TestSet { outcome } => Ok(outcome),
            _ => Err(no_answer("another answer than was asked for")),
        }
    }

    /// Opens a sealed model and scores it on a test set that was opened before.
    ///
    /// # Errors
    /// No verdict.
    pub fn score(
        mut self,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
        test: &Path,
    ) -> Result<Report, Failure> {
        let model = self.source("model.sealed", sealed, key, store)?;
        let Answer::Report = self.ask_of(test, Ask::Score { model })? else {
            return Err(no_answer("another answer than was asked for"));
        };
        let dir = self.dir.path().join(REPORT_DIR);
        let report = Report::read(&dir, self.benchmark.task.outputs());
        let report = report.map_err(|error| no_answer(&error.to_string()))?;
        if report.arithmetic != self.benchmark.arithmetic {
            return Err(no_answer("a report of another arithmetic"));
        }
        Ok(report)
    }

    /// Opens both folders and recomputes one leaf; gives it and the number of examples.
    ///
    /// # Errors
    /// No verdict; or the model has no leaves.
    pub fn example(
        mut self,
        test: (&SealedFolder, &SealKey),
        model: (&SealedFolder, &SealKey),
        store: &impl Store,
        index: u32,
    ) -> Result<(Leaf, u32), Failure> {
        self.test_bytes = test.0.ciphertext.size_bytes;
        let test = self.source("test.sealed", test.0, test.1, store)?;
        let model = self.source("model.sealed", model.0, model.1, store)?;
        match self.ask(test, Ask::Example { model, index })? {
            Answer::Leaf {
                output_bits,
                examples,
            } if index < examples
                && output_bits.len() as u64 == u64::from(self.benchmark.task.outputs()) =>
            {
                Ok((Leaf { index, output_bits }, examples))
            }
            Answer::NoLeaf { message } => Err(Failure::new(
                "no_leaf",
                message,
                "choose an example of the test set and a submission that can be scored",
            )),
            _ => Err(no_answer("another answer than was asked for")),
        }
    }

    fn ask_of(&mut self, test: &Path, ask: Ask) -> Result<Answer, Failure> {
        let io = |error: io::Error| Failure::io(test, &error);
        let dir = fs::canonicalize(test).map_err(io)?;
        for entry in fs::read_dir(&dir).map_err(io)? {
            let len = entry.and_then(|entry| entry.metadata()).map_err(io)?.len();
            self.test_bytes = self.test_bytes.saturating_add(len);
        }
        self.ask(Source::Open { dir }, ask)
    }

    /// Runs the child.
    fn ask(&self, test: Source, ask: Ask) -> Result<Answer, Failure> {
        let own = self.dir.path();
        let own = fs::canonicalize(own).map_err(|error| Failure::io(own, &error))?;
        let limits = self.limits();
        let options = self.options.options();
        let orders = Orders {
            own: own.clone(),
            memory_bytes: limits.memory_bytes,
            seconds: limits.cpu_seconds,
            file_bytes: limits.file_bytes,
            batch_size: options.batch_size,
            threads: options.threads,
            benchmark: self.benchmark.clone(),
            test,
            ask,
        };
        let mut command = Command::new(&self.program);
        command.args(["evaluate", "in-box"]).env_clear();
        for name in ["LODE_REPRO_PATH", "LODE_THREADS"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let ran = sandbox::run(command, &json::to_vec(&orders), &limits, &own)
            .map_err(|error| no_answer(&format!("it was not started: {error}")))?;
        for line in ran.stderr.lines() {
            say_once(line);
        }
        if ran.ending != Ending::Exit(0) {
            let last = ran.stderr.lines().rfind(|line| !line.starts_with(MISSING));
            let last = last.map(|line| format!("; it said: {line:.300}"));
            let ending = &ran.ending;
            let message = format!(
                "the evaluation was stopped or died, which is no verdict: {ending}{}",
                last.unwrap_or_default()
            );
            let next =
                "if the limit is too low for this machine, raise it: --memory-max, --time-max";
            return Err(Failure::new("box", message, next).exit(Exit::Later));
        }
        match self.answer()? {
            Answer::NoVerdict {
                code,
                message,
                next_step,
            } => Err(Failure::new(code, message, next_step)),
            answer => Ok(answer),
        }
    }

    fn answer(&self) -> Result<Answer, Failure> {
        let path = self.dir.path().join(ANSWER_FILE);
        let bytes = path.symlink_metadata().and_then(|metadata| {
            if !metadata.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            let mut bytes = Vec::new();
            File::open(&path)?
                .take(MESSAGE_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let bytes = bytes.map_err(|error| no_answer(&error.to_string()))?;
        json::from_slice(&bytes, MESSAGE_BYTES_MAX).map_err(|error| no_answer(&error.to_string()))
    }

    /// What an honest model at every limit of the benchmark takes, several times over.
    fn limits(&self) -> Limits {
        let threads = match self.options.options().threads {
            Some(threads) => threads as u64,
            None => std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        };
        let mut limits = formula(self.benchmark, self.test_bytes, self.sealed_bytes, threads);
        let raised = self.options.time_max.unwrap_or(0);
        limits.cpu_seconds = limits.cpu_seconds.max(raised);
        limits.wall = Duration::from_secs(limits.cpu_seconds);
        let raised = self.options.memory_max.unwrap_or(0).saturating_mul(1 << 20);
        limits.memory_bytes = limits.memory_bytes.max(raised);
        limits
    }
}

/// The limits for a benchmark, a test set and ciphertexts of so many bytes, and
/// so many threads. Every honest model within the benchmark's own limits stays
/// far below: docs/decisions/011-sandbox.md has the reckoning.
fn formula(benchmark: &Benchmark, test_bytes: u64, sealed_bytes: u64, threads: u64) -> Limits {
    const MIB: u64 = 1 << 20;
    let model = &benchmark.limits;
    // A row is at least a character and a comma for each of its columns.
    let columns = u64::from(benchmark.inputs) + 1;
    let examples = (test_bytes / (2 * columns)).max(1);
    let outputs = u64::from(benchmark.task.outputs());
    let leaves = examples
        .saturating_mul(8 + 4 * outputs)
        .min(LEAVES_BYTES_MAX);
    // Weights are read, copied into tensors, and packed for a product.
    let weights = model
        .file_bytes_max
        .min(
            model
                .parameters_max
                .saturating_mul(4)
                .saturating_add(4 * MIB),
        )
        .saturating_mul(6);
    // A hidden layer has at most as many units as there are parameters to an input.
    let widest = (model.parameters_max / columns).clamp(outputs.max(columns), 1 << 20);
    let batch = Options::default().batch_size as u64;
    let activations = batch.saturating_mul(4 * 4).saturating_mul(widest);
    let memory_bytes = (1024 * MIB)
        .saturating_add(threads.saturating_mul(160 * MIB))
        .saturating_add(weights)
        .saturating_add(activations)
        // Text, a list of its lines, and its numbers.
        .saturating_add(test_bytes.saturating_mul(12))
        // A list an example, its bytes, its digest.
        .saturating_add(leaves.saturating_mul(4))
        .saturating_add(examples.saturating_mul(128));
    // The slowest path there is, without hardware for fma, makes about this many a second.
    const MULTIPLY_ADDS_A_SECOND: u64 = 10_000_000;
    const BYTES_A_SECOND: u64 = 1_000_000;
    let multiply_adds = model.multiply_adds_max.saturating_mul(examples);
    let cpu_seconds = (multiply_adds / MULTIPLY_ADDS_A_SECOND)
        .saturating_add(test_bytes.saturating_add(sealed_bytes) / BYTES_A_SECOND)
        .saturating_add(300)
        // A week: what takes longer needs a flag.
        .min(7 * 24 * 3_600);
    let file_bytes = sealed_bytes.max(leaves).saturating_add(MIB);
    Limits {
        memory_bytes,
        cpu_seconds,
        wall: Duration::from_secs(cpu_seconds),
        file_bytes,
        // The ciphertexts, what they open to, the report.
        folder_bytes: sealed_bytes
            .saturating_mul(2)
            .saturating_add(leaves)
            .saturating_add(4 * MIB),
        open_files: 64,
    }
}

/// This program, even where a newer one has taken its place since it was started.
fn own_program() -> Result<PathBuf, Failure> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(Failure::bug)
}

/// How a line begins that names a limit which is missing here.
const MISSING: &str = "not limited: ";

/// Passes on what is missing on this system, once.
fn say_once(line: &str) {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    if !line.starts_with(MISSING) {
        return;
    }
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !said.iter().any(|before| before == line) {
        eprintln!("note: evaluations are {line}");
        said.push(line.to_owned());
    }
}

fn no_answer(what: &str) -> Failure {
    let next = "it is no verdict; if it happens again, please report it";
    Failure::new(
        "box",
        format!("the evaluation gave no answer: {what}"),
        next,
    )
    .exit(Exit::Later)
}

/// `lode evaluate in-box`: the child. Says on stderr what went wrong, for the parent.
pub fn child() -> ExitCode {
    let mut bytes = Vec::new();
    let read = io::stdin()
        .take(MESSAGE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    let orders = match read.map(|_| json::from_slice::<Orders>(&bytes, MESSAGE_BYTES_MAX)) {
        Ok(Ok(orders)) => orders,
        _ => {
            eprintln!("stdin holds no job: this command is run by 'lode evaluate run' alone");
            return ExitCode::from(Exit::Usage as u8);
        }
    };
    if let Err(error) = confine(&orders) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let answer = obey(&orders).unwrap_or_else(|failure| Answer::NoVerdict {
        code: failure.code,
        message: failure.message,
        next_step: failure.next_step,
    });
    match fs::write(orders.own.join(ANSWER_FILE), json::to_vec(&answer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the answer could not be written: {error}");
            ExitCode::FAILURE
        }
    }
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
    let readable: Vec<&Path> = match &orders.test {
        Source::Open { dir } => vec![dir],
        Source::Sealed { .. } => Vec::new(),
    };
    for missing in sandbox::confine(&limits, &readable, &orders.own)? {
        eprintln!("{MISSING}{missing}");
    }
    Ok(())
}

fn obey(orders: &Orders) -> Result<Answer, Failure> {
    let benchmark = &orders.benchmark;
    let test = match open(&orders.test, &orders.own.join(TEST_DIR), folder::LIMITS) {
        Ok(dir) => dir,
        Err(error) => {
            let outcome = error.test_outcome()?;
            return match orders.ask {
                Ask::TestSet => Ok(Answer::TestSet { outcome }),
                _ => Err(unusable(&outcome)),
            };
        }
    };
    match &orders.ask {
        Ask::TestSet => {
            let (outcome, _) = check_test_set(benchmark, &test).map_err(super::seat::no_verdict)?;
            Ok(Answer::TestSet { outcome })
        }
        Ask::Score { model } => {
            let report = score(orders, &test, model)?;
            let written = report.write(&orders.own.join(REPORT_DIR));
            written.map_err(|error| Failure::new("report", error, "make room on the disk"))?;
            Ok(Answer::Report)
        }
        Ask::Example { model, index } => example(orders, &test, model, *index),
    }
}

/// A folder of a source, opened into `dir` if it is sealed.
fn open(source: &Source, dir: &Path, limits: ArchiveLimits) -> Result<PathBuf, OpenError> {
    match source {
        Source::Open { dir } => Ok(dir.clone()),
        Source::Sealed { file, key } => {
            let sealed =
                File::open(file).map_err(|error| OpenError::Machine(Failure::io(file, &error)))?;
            open_ciphertext(sealed, key, limits, dir)?;
            Ok(dir.to_owned())
        }
    }
}

fn score(orders: &Orders, test: &Path, model: &Source) -> Result<Report, Failure> {
    let benchmark = &orders.benchmark;
    let dir = orders.own.join(MODEL_DIR);
    if let Err(error) = open(model, &dir, folder::LIMITS) {
        let examples = TestSet::load(benchmark, test).map_err(super::seat::no_verdict)?;
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
    let job = Job {
        benchmark,
        model_dir: &dir,
        test_dir: test,
    };
    let options = Options {
        batch_size: orders.batch_size,
        threads: orders.threads,
    };
    evaluate(&job, options).map_err(super::seat::no_verdict)
}

fn example(orders: &Orders, test: &Path, model: &Source, index: u32) -> Result<Answer, Failure> {
    let benchmark = &orders.benchmark;
    let dir = orders.own.join(MODEL_DIR);
    if let Err(error) = open(model, &dir, folder::LIMITS) {
        let message = match error.submission_outcome()? {
            Outcome::BadSeal { chunk } => format!("chunk {chunk} of the model does not open"),
            Outcome::Invalid { code, place } => {
                format!("the model is no archive: {code} at {place}")
            }
            other => format!("the model is {}", other.name()),
        };
        return Ok(Answer::NoLeaf { message });
    }
    let examples = TestSet::load(benchmark, test)
        .map_err(super::seat::no_verdict)?
        .len();
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
        Err(Verdict::NoVerdict(evaluator::NoVerdict::NoExample { index, examples })) => {
            let message = format!("there is no example {index}, the test set has {examples}");
            Ok(Answer::NoLeaf { message })
        }
        Err(Verdict::Fault(fault)) => Ok(Answer::NoLeaf {
            message: fault.message,
        }),
        Err(Verdict::NoVerdict(reason)) => Err(super::seat::no_verdict(reason)),
    }
}

fn unusable(outcome: &TestOutcome) -> Failure {
    let message = format!(
        "the test set is not usable here: {}",
        super::seat::test_text(outcome)
    );
    let next = "compare with what other evaluators said: 'lode bounty show'";
    Failure::new("test_set", message, next)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use protocol::benchmark::{ARITHMETIC_VERSION, Metric, ModelLimits, Task};
    use std::os::unix::fs::PermissionsExt as _;

    const BENCHMARK: Benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        examples_max: 360,
        metric: Metric::Accuracy,
        limits: ModelLimits {
            parameters_max: 1_000_000,
            file_bytes_max: 10_000_000,
            multiply_adds_max: 1_000_000,
        },
    };

    /// What the parent makes of a child that is this shell script.
    fn told(script: &str, ask: Ask) -> Result<Answer, Failure> {
        let temp = tempfile::tempdir().unwrap();
        let program = temp.path().join("child");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let options = RunOptions {
            threads: Some(1),
            memory_max: None,
            time_max: None,
        };
        let mut made = Enclosure::new(temp.path(), &BENCHMARK, options).unwrap();
        made.program = program;
        let dir = temp.path().to_owned();
        made.ask(Source::Open { dir }, ask)
    }

    #[test]
    fn a_child_that_dies_or_lies_is_no_verdict() {
        for (script, said) in [
            ("exit 3", "exit code 3"),
            ("kill -9 $$", "signal 9"),
            ("kill -11 $$", "signal 11"),
            ("echo hands up >&2; exit 1", "hands up"),
            ("exit 0", "No such file"),
            ("echo '{' > answer.json", "no answer"),
            ("echo '{\"report\":{}}' > answer.json", "no answer"),
            ("echo '\"report\" 1' > answer.json", "no answer"),
            ("ln -s /dev/zero answer.json", "not a regular file"),
            ("mkdir answer.json", "not a regular file"),
            ("head -c 2000000 /dev/zero > answer.json", "no answer"),
            (
                "head -c 60000000 /dev/zero > much; sleep 30",
                "wrote more than",
            ),
        ] {
            let failure = told(script, Ask::TestSet).expect_err(script);
            assert_eq!(failure.code, "box", "{script}: {failure}");
            assert_eq!(failure.exit, Exit::Later, "{script}: {failure}");
            assert!(failure.message.contains(said), "{script}: {failure}");
        }
        let answer = told("echo '\"report\"' > answer.json", Ask::TestSet);
        assert!(matches!(answer, Ok(Answer::Report)), "{answer:?}");
    }

    #[test]
    fn the_limits_grow_with_the_benchmark_and_never_overflow() {
        let small = formula(&BENCHMARK, 50_000, 60_000, 2);
        assert!(small.memory_bytes < 2 << 30, "{small:?}");
        assert!((300..700).contains(&small.cpu_seconds), "{small:?}");
        let huge = Benchmark {
            inputs: 1,
            limits: ModelLimits {
                parameters_max: u64::MAX,
                file_bytes_max: u64::MAX,
                multiply_adds_max: u64::MAX,
            },
            ..BENCHMARK
        };
        let huge = formula(&huge, u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(huge.memory_bytes, u64::MAX);
        assert_eq!(huge.cpu_seconds, 7 * 24 * 3_600);
        // A model of 4 GB and a test set of 1 GB.
        let large = ModelLimits {
            parameters_max: 1_000_000_000,
            file_bytes_max: 4_100_000_000,
            multiply_adds_max: 1_000_000_000,
        };
        let large = Benchmark {
            limits: large,
            ..BENCHMARK
        };
        let large = formula(&large, 1_000_000_000, 5_000_000_000, 8);
        assert!(large.memory_bytes > 36_000_000_000, "{large:?}");
        assert!(large.folder_bytes > 10_000_000_000, "{large:?}");
    }
}
