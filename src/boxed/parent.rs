//! The parent's half: a folder for one child, its start and its end, its answer.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use evaluator::Report;
use protocol::benchmark::Benchmark;
use protocol::json;
use protocol::record::{BlobRef, SealedFolder};
use protocol::report::{Leaf, TestOutcome};
use protocol::seal::SealKey;
use protocol::text::{Code, Text};
use sandbox::{Ending, Limits};

use super::RunOptions;
use super::limits::Size;
use super::orders::{
    ANSWER_BYTES_MAX, ANSWER_FILE, Answer, MISSING, Orders, PREDICTIONS_FILE, REPORT_DIR, Source,
    TEST_DIR, Work,
};
use super::predictions::Predictions;
use crate::failure::{Exit, Failure};
use crate::folder::bytes_in;
use crate::sealing::{Store, check_size, model_bytes_max, test_set_bytes_max};
use crate::watch::{is_nodes, now};

/// The most bytes of a child's message that are repeated.
const MESSAGE_BYTES_SHOWN: usize = 2_000;

/// A folder for one child, removed with this.
#[derive(Debug)]
pub struct Enclosure {
    dir: tempfile::TempDir,
    options: RunOptions,
    /// What is run as the child.
    program: PathBuf,
    /// When the child is ended, were its limits longer.
    until: Option<Instant>,
    /// Bytes of all ciphertexts and archives that were put into it.
    sealed_bytes: u64,
}

impl Enclosure {
    /// A new one, its folder inside `dir`.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn new(dir: &Path, options: RunOptions) -> Result<Self, Failure> {
        let made = tempfile::Builder::new().prefix("box-").tempdir_in(dir);
        Ok(Self {
            dir: made.map_err(|error| Failure::io(dir, &error))?,
            options,
            program: own_program()?,
            until: None,
            sealed_bytes: 0,
        })
    }

    /// The same, whose child is ended at this time, were its limits longer: that is no verdict.
    #[must_use]
    pub fn until(self, until: Instant) -> Self {
        let until = Some(until);
        Self { until, ..self }
    }

    /// Opens a sealed test set and says what it is; where it is sound, it is moved to `dir`.
    ///
    /// # Errors
    /// No verdict.
    pub fn test_set(
        mut self,
        benchmark: &Benchmark,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
        dir: &Path,
    ) -> Result<TestOutcome, Failure> {
        let test = self.sealed("test.sealed", sealed, key, store, test_set_bytes_max())?;
        let size = self.size(benchmark, sealed.ciphertext.size_bytes);
        let benchmark = benchmark.clone();
        let Answer::TestSet { outcome } = self.ask(Work::TestSet { benchmark, test }, size)? else {
            return Err(other_answer());
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
    pub fn opened_test_set(
        self,
        benchmark: &Benchmark,
        dir: &Path,
    ) -> Result<TestOutcome, Failure> {
        let (test, bytes) = open(dir)?;
        let size = self.size(benchmark, bytes);
        let benchmark = benchmark.clone();
        match self.ask(Work::TestSet { benchmark, test }, size)? {
            Answer::TestSet { outcome } => Ok(outcome),
            _ => Err(other_answer()),
        }
    }

    /// Opens a sealed model and scores it on a test set that was opened before.
    ///
    /// # Errors
    /// No verdict.
    pub fn score(
        mut self,
        benchmark: &Benchmark,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
        test: &Path,
    ) -> Result<Report, Failure> {
        let limit = model_bytes_max(benchmark);
        let model = self.sealed("model.sealed", sealed, key, store, limit)?;
        let (test, bytes) = open(test)?;
        let work = Work::Score {
            benchmark: benchmark.clone(),
            test,
            model,
        };
        let Answer::Report = self.ask(work, self.size(benchmark, bytes))? else {
            return Err(other_answer());
        };
        let dir = self.dir.path().join(REPORT_DIR);
        let report = Report::read(&dir, benchmark.task.outputs());
        let report = report.map_err(|error| no_answer(&error.to_string()))?;
        if report.arithmetic != benchmark.arithmetic {
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
        benchmark: &Benchmark,
        test: (&SealedFolder, &SealKey),
        model: (&SealedFolder, &SealKey),
        store: &impl Store,
        index: u32,
    ) -> Result<(Leaf, u32), Failure> {
        let test_bytes = test.0.ciphertext.size_bytes;
        let work = Work::Example {
            benchmark: benchmark.clone(),
            test: self.sealed("test.sealed", test.0, test.1, store, test_set_bytes_max())?,
            model: self.sealed(
                "model.sealed",
                model.0,
                model.1,
                store,
                model_bytes_max(benchmark),
            )?,
            index,
        };
        match self.ask(work, self.size(benchmark, test_bytes))? {
            Answer::Leaf {
                output_bits,
                examples,
            } if index < examples
                && output_bits.len() as u64 == u64::from(benchmark.task.outputs()) =>
            {
                Ok((Leaf { index, output_bits }, examples))
            }
            Answer::NoLeaf { message } => Err(Failure::new(
                "no_leaf",
                plain(&message),
                "choose an example of the test set and a submission that can be scored",
            )),
            _ => Err(other_answer()),
        }
    }

    /// What a model says of every row of a data-set folder.
    ///
    /// # Errors
    /// One of them cannot be read or they do not fit; or the child came to an end.
    pub fn predict(
        mut self,
        model: &ModelAt<'_>,
        store: Option<&impl Store>,
        data: &Path,
    ) -> Result<Predictions, Failure> {
        let (model, model_bytes) = match (model, store) {
            (ModelAt::Folder(dir), _) => open(dir)?,
            (ModelAt::Sealed(sealed, key), Some(store)) => (
                self.sealed("model.sealed", sealed, key, store, u64::MAX)?,
                sealed.ciphertext.size_bytes,
            ),
            (ModelAt::Archive(blob), Some(store)) => {
                let file = self.fetch("model.archive", *blob, store)?;
                (Source::Archive { file }, blob.size_bytes)
            }
            _ => return Err(Failure::bug("what is not here comes from a store")),
        };
        let (data, data_bytes) = open(data)?;
        let size = Size::of_model(model_bytes, data_bytes, self.sealed_bytes);
        let Answer::Predictions {
            rows,
            outputs,
            classes,
        } = self.ask(Work::Predict { model, data }, size)?
        else {
            return Err(other_answer());
        };
        let path = self.dir.path().join(PREDICTIONS_FILE);
        Predictions::read(&path, rows, outputs, classes)
            .map_err(|error| no_answer(&error.to_string()))
    }

    fn size(&self, benchmark: &Benchmark, data_bytes: u64) -> Size {
        Size::of_benchmark(benchmark, data_bytes, self.sealed_bytes)
    }

    /// Puts a ciphertext into the folder, checked against its name; one of more bytes
    /// than `limit_bytes` is not even asked for.
    fn sealed(
        &mut self,
        name: &str,
        sealed: &SealedFolder,
        key: &SealKey,
        store: &impl Store,
        limit_bytes: u64,
    ) -> Result<Source, Failure> {
        if check_size(sealed, limit_bytes).is_err() {
            return Ok(Source::TooLarge {
                size_bytes: sealed.ciphertext.size_bytes,
                limit_bytes,
            });
        }
        Ok(Source::Sealed {
            file: self.fetch(name, sealed.ciphertext, store)?,
            key: key.clone(),
            root: sealed.ciphertext.id,
        })
    }

    fn fetch(&mut self, name: &str, blob: BlobRef, store: &impl Store) -> Result<PathBuf, Failure> {
        // The child is told a path, and moves to its folder.
        let own = self.dir.path();
        let own = fs::canonicalize(own).map_err(|error| Failure::io(own, &error))?;
        let file = own.join(name);
        let io = |error: io::Error| Failure::io(&file, &error);
        let mut fetched = store.fetch(blob)?;
        let mut into = File::create(&file).map_err(io)?;
        io::copy(&mut fetched, &mut into).map_err(io)?;
        self.sealed_bytes = self.sealed_bytes.saturating_add(blob.size_bytes);
        Ok(file)
    }

    /// Runs the child.
    fn ask(&self, work: Work, size: Size) -> Result<Answer, Failure> {
        let own = self.dir.path();
        let own = fs::canonicalize(own).map_err(|error| Failure::io(own, &error))?;
        let mut limits = size.limits_for(self.options);
        if let Some(until) = self.until {
            // What was fetched took its part of the time.
            limits.wall = limits.wall.min(until.saturating_duration_since(now()));
        }
        let options = self.options.options();
        let orders = Orders {
            parent: std::process::id(),
            own: own.clone(),
            memory_bytes: limits.memory_bytes,
            seconds: limits.cpu_seconds,
            file_bytes: limits.file_bytes,
            batch_size: options.batch_size,
            // Counted here: inside its limits the child does not see how much of the machine it has.
            threads: options
                .threads
                .or_else(|| evaluator::settings().ok().map(|settings| settings.threads)),
            work,
        };
        self.run(&orders, &limits, &own)?;
        match self.answer()? {
            Answer::Failed {
                exit,
                code,
                message,
                next_step,
            } => {
                let code = Code::lossy(&code);
                if is_nodes(code.as_str()) {
                    return Err(no_answer("it speaks as a node does"));
                }
                Err(Failure::new(code.as_str(), plain(&message), plain(&next_step)).exit(exit))
            }
            answer => Ok(answer),
        }
    }

    /// Runs the child to a good end.
    fn run(&self, orders: &Orders, limits: &Limits, own: &Path) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command.arg("in-box").env_clear();
        for name in ["LODE_REPRO_PATH", "LODE_THREADS"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let ran = sandbox::run(command, &json::to_vec(orders), limits, own)
            .map_err(|error| no_answer(&format!("it was not started: {error}")))?;
        for line in ran.stderr.lines() {
            say_once(line);
        }
        if ran.ending == Ending::Exit(0) {
            return Ok(());
        }
        let last = ran.stderr.lines().rfind(|line| !line.starts_with(MISSING));
        let last = last.map(|line| format!("; it said: {line:.300}"));
        let (what, ending) = (what(&orders.work), &ran.ending);
        let message = format!("{what}: {ending}{}", last.unwrap_or_default());
        let next = "if the limit is too low for this machine, raise it: --memory-max, --time-max";
        Err(Failure::new("box", message, next).exit(Exit::Later))
    }

    fn answer(&self) -> Result<Answer, Failure> {
        let path = self.dir.path().join(ANSWER_FILE);
        let bytes = path.symlink_metadata().and_then(|metadata| {
            if !metadata.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            let mut bytes = Vec::new();
            File::open(&path)?
                .take(ANSWER_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let bytes = bytes.map_err(|error| no_answer(&error.to_string()))?;
        json::from_slice(&bytes, ANSWER_BYTES_MAX).map_err(|error| no_answer(&error.to_string()))
    }
}

/// Where a model is.
pub enum ModelAt<'a> {
    /// A folder here.
    Folder(&'a Path),
    /// Sealed, and the key is out.
    Sealed(SealedFolder, &'a SealKey),
    /// An archive that is open to all.
    Archive(BlobRef),
}

/// A folder that is open already, and the bytes of its files.
fn open(dir: &Path) -> Result<(Source, u64), Failure> {
    let dir = fs::canonicalize(dir).map_err(|error| Failure::io(dir, &error))?;
    let bytes = bytes_in(&dir).map_err(|error| Failure::io(&dir, &error))?;
    Ok((Source::Open { dir }, bytes))
}

/// This program, even where a newer one has taken its place since it was started.
fn own_program() -> Result<PathBuf, Failure> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(Failure::bug)
}

/// Passes on what is missing on this system, once.
fn say_once(line: &str) {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    if !line.starts_with(MISSING) {
        return;
    }
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !said.iter().any(|before| before == line) {
        talk!("note: the child process is {line}");
        said.push(line.to_owned());
    }
}

/// What came to an end, and what that means.
const fn what(work: &Work) -> &'static str {
    match work {
        Work::Predict { .. } => "the model's run was stopped or died",
        _ => "the evaluation was stopped or died, which is no verdict",
    }
}

/// What a child says may come from whoever took it over: freed of what deceives, and cut.
fn plain(text: &str) -> String {
    Text::<MESSAGE_BYTES_SHOWN>::lossy(text).as_str().to_owned()
}

fn other_answer() -> Failure {
    no_answer("another answer than was asked for")
}

fn no_answer(what: &str) -> Failure {
    let next = "it is no verdict on anybody; if it happens again, please report it";
    let message = format!("the child process gave no answer: {}", plain(what));
    Failure::new("box", message, next).exit(Exit::Later)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use protocol::benchmark::{ARITHMETIC_VERSION, Metric, ModelLimits, Task, WIDTH_MAX};
    use protocol::{BlobId, Digest};
    use std::io::Write as _;
    use std::time::Duration;

    fn enclosure(dir: &Path, script: &str) -> Enclosure {
        // Another process writes it: what this one has open for writing, the children of other tests have for a
        // moment too, and then nobody can start it.
        let program = dir.join("child");
        let mut writer = Command::new("/bin/sh")
            .args(["-c", "cat > \"$0\" && chmod 700 \"$0\""])
            .arg(&program)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{script}\n");
        let mut stdin = writer.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        assert!(writer.wait().unwrap().success());
        let options = RunOptions {
            threads: Some(1),
            memory_max: None,
            time_max: None,
        };
        let mut made = Enclosure::new(dir, options).unwrap();
        made.program = program;
        made
    }

    /// What the parent makes of a child that is this shell script.
    fn told(script: &str) -> Result<Answer, Failure> {
        told_within(script, 600)
    }

    fn told_within(script: &str, seconds: u64) -> Result<Answer, Failure> {
        let temp = tempfile::tempdir().unwrap();
        let made = enclosure(temp.path(), script);
        let work = Work::Predict {
            model: open(temp.path()).unwrap().0,
            data: open(temp.path()).unwrap().0,
        };
        made.ask(work, Size::of_model(10, 1_000, 1_000).within(seconds))
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
            ("head -c 20000000 /dev/zero > answer.json", "no answer"),
            (
                "head -c 60000000 /dev/zero > much; sleep 30",
                "wrote more than",
            ),
        ] {
            let failure = told(script).expect_err(script);
            assert_eq!(failure.code, "box", "{script}: {failure}");
            assert_eq!(failure.exit, Exit::Later, "{script}: {failure}");
            assert!(failure.message.contains(said), "{script}: {failure}");
        }
        // It says nothing and does nothing, for ever.
        let failure = told_within("exec sleep 600", 1).unwrap_err();
        assert!(failure.message.contains("ran longer than 1 s"), "{failure}");
        assert_eq!((failure.code.as_str(), failure.exit), ("box", Exit::Later));
        // Nobody has so much time for it.
        let temp = tempfile::tempdir().unwrap();
        let until = now() + Duration::from_millis(300);
        let made = enclosure(temp.path(), "exec sleep 600").until(until);
        let (model, data) = (open(temp.path()).unwrap().0, open(temp.path()).unwrap().0);
        let asked = made.ask(
            Work::Predict { model, data },
            Size::of_model(10, 1_000, 1_000),
        );
        let failure = asked.unwrap_err();
        assert!(failure.message.contains("ran longer than 0."), "{failure}");
        let answer = told("echo '\"report\"' > answer.json");
        assert!(matches!(answer, Ok(Answer::Report)), "{answer:?}");
    }

    /// A store that is never asked.
    struct Untouched;

    impl Store for Untouched {
        fn hold(&self, _: &mut File) -> Result<BlobRef, Failure> {
            panic!("nothing is held")
        }

        fn fetch(&self, blob: BlobRef) -> Result<File, Failure> {
            panic!("{} bytes were asked for", blob.size_bytes)
        }
    }

    #[test]
    fn a_ciphertext_above_its_limit_is_refused_by_its_size_and_never_fetched() {
        let benchmark = Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Regression,
            inputs: 1,
            examples_max: 1,
            metric: Metric::Rmse,
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max: 1_000,
                multiply_adds_max: 1,
            },
        };
        let temp = tempfile::tempdir().unwrap();
        let key = SealKey::from_bytes([1; 32]);
        let sealed = |size_bytes| SealedFolder {
            seal: Digest([0; 32]),
            ciphertext: BlobRef {
                id: BlobId([0; 32]),
                size_bytes,
            },
        };
        // The child says what it was told of the source.
        let script = "told=$(grep -o '\"too_large\":{[^}]*}' | tr -dc 0-9,)
            echo '{\"failed\":{\"exit\":\"failed\",\"code\":\"told\",\"message\":\"'$told'\",\"next_step\":\"-\"}}' \
            > answer.json";
        let made = || enclosure(temp.path(), script);
        let limit = model_bytes_max(&benchmark);
        let failure = made()
            .score(
                &benchmark,
                &sealed(limit + 1),
                &key,
                &Untouched,
                temp.path(),
            )
            .unwrap_err();
        assert_eq!(failure.message, format!("{},{limit}", limit + 1));
        let limit = test_set_bytes_max();
        let dir = temp.path().join("test");
        let failure = made()
            .test_set(&benchmark, &sealed(limit + 1), &key, &Untouched, &dir)
            .unwrap_err();
        assert_eq!(failure.message, format!("{},{limit}", limit + 1));
        assert!(check_size(&sealed(limit), limit).is_ok());
    }

    #[test]
    fn a_leaf_of_as_many_outputs_as_there_may_be_is_an_answer() {
        let numbers = format!("yes {} | head -n {WIDTH_MAX} | paste -sd, -", u32::MAX);
        let script = format!(
            "(printf '{{\"leaf\":{{\"output_bits\":['; {numbers}; printf '],\"examples\":1}}}}') > answer.json"
        );
        let Answer::Leaf { output_bits, .. } = told(&script).unwrap() else {
            panic!("it is a leaf");
        };
        assert_eq!(output_bits.len(), WIDTH_MAX as usize);
    }

    #[test]
    fn a_child_does_not_speak_for_the_node() {
        for code in ["node_unreachable", "stopping", "http_502", "node_answer"] {
            let failed = format!(
                r#"{{"failed":{{"exit":"later","code":"{code}","message":"a","next_step":"b"}}}}"#
            );
            let failure = told(&format!("echo '{failed}' > answer.json")).unwrap_err();
            assert_eq!(failure.code, "box", "{code}");
        }
    }

    #[test]
    fn what_a_child_says_cannot_move_the_cursor() {
        let failed = r#"{"failed":{"exit":"usage","code":"odd\u0007","message":"a\u001b[2Jb","next_step":"c\nd"}}"#;
        let failure = told(&format!("cat > answer.json <<'END'\n{failed}\nEND")).unwrap_err();
        assert_eq!(failure.message, "a\u{fffd}[2Jb");
        assert_eq!(failure.next_step, "c\u{fffd}d");
        assert_eq!(failure.code, "odd\u{fffd}");
        assert_eq!(failure.exit, Exit::Usage);
    }
}
