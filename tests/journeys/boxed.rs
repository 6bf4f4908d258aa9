//! The child in which a stranger's folders are opened, scored and run, for real.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use datasets::{About, CsvSpec, CsvText, LabelKind};
use models::{MlpConfig, Weights};
use protocol::BlobId;
use protocol::archive::{self, ArchivePath};
use protocol::report::Leaf;
use protocol::seal::{NONCE_LEN, SealKey, encrypt};
use protocol::text::{Name, Text};
use serde_json::{Value, json};

use crate::{Demo, lode, stderr, stdout, text};

const KEY: [u8; 32] = [7; 32];

/// The folder of one child, and what it is to be told.
struct Own {
    dir: tempfile::TempDir,
    test: Value,
    orders: Value,
}

impl Own {
    fn new(test: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let orders = json!({
            "parent": std::process::id(),
            "own": dir.path().canonicalize().unwrap(),
            "memory_bytes": 4u64 << 30,
            "seconds": 60,
            "file_bytes": 64 << 20,
            "batch_size": 256,
            "threads": 2,
            "work": null,
        });
        let test = opened(test);
        Self { dir, test, orders }
    }

    /// Puts a ciphertext of these bytes into the folder and asks for a score.
    fn score(&mut self, archive: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let file = self.dir.path().join("model.sealed");
        let mut sealed = Vec::new();
        let key = SealKey::from_bytes(KEY);
        encrypt(&key, [1; NONCE_LEN], archive, &mut sealed).unwrap();
        change(&mut sealed);
        fs::write(&file, &sealed).unwrap();
        let file = file.canonicalize().unwrap();
        let root = BlobId(*blake3::hash(&sealed).as_bytes());
        let model = json!({ "sealed": { "file": file, "key": key.to_text(), "root": root } });
        let limits = json!({
            "parameters_max": 4_000_000, "file_bytes_max": 16_000_000, "multiply_adds_max": 4_000_000,
        });
        let benchmark = json!({
            "arithmetic": 1, "task": {"classification": {"classes": 10}}, "inputs": 64, "examples_max": 360,
            "metric": "accuracy", "limits": limits,
        });
        self.orders["work"] =
            json!({ "score": { "benchmark": benchmark, "test": self.test, "model": model } });
        self
    }

    /// Puts an archive into the folder and asks for predictions.
    fn predict(&mut self, archive: &[u8]) -> &mut Self {
        let file = self.dir.path().join("model.archive");
        fs::write(&file, archive).unwrap();
        let model = json!({ "archive": { "file": file.canonicalize().unwrap() } });
        self.orders["work"] = json!({ "predict": { "model": model, "data": self.test } });
        self
    }

    fn answer(&self) -> Value {
        let output = self.run();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&self.file("answer.json")).unwrap()
    }

    fn run(&self) -> Output {
        // Each child has a folder to itself; here they share one.
        for left in ["model", "report"] {
            let _ = fs::remove_dir_all(self.dir.path().join(left));
        }
        for left in ["answer.json", "predictions.bin"] {
            let _ = fs::remove_file(self.dir.path().join(left));
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_lode"))
            .arg("in-box")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.orders.to_string().as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        let path = self.dir.path().join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn outcome(&self) -> Value {
        let output = self.run();
        assert!(output.status.success(), "{}", stderr(&output));
        let report: Value = serde_json::from_slice(&self.file("report/report.json")).unwrap();
        report["outcome"].clone()
    }

    /// Runs it under a limit that it breaks: it dies without an answer, or it
    /// noticed (a list that could not grow) and answers that it has no verdict.
    fn has_no_verdict(&mut self, limit: &str, value: u64) {
        let before = self.orders[limit].take();
        self.orders[limit] = json!(value);
        let output = self.run();
        self.orders[limit] = before;
        assert!(!self.dir.path().join("report").exists(), "{limit}");
        let left = fs::read(self.dir.path().join("predictions.bin")).unwrap_or_default();
        assert_eq!(left, b"", "{limit}");
        if output.status.success() {
            let answer: Value = serde_json::from_slice(&self.file("answer.json")).unwrap();
            assert!(answer["failed"].is_object(), "{limit}: {answer}");
        } else {
            let left = fs::read(self.dir.path().join("answer.json")).unwrap_or_default();
            assert_eq!(left, b"", "{limit}");
        }
    }
}

fn opened(dir: &Path) -> Value {
    json!({ "open": { "dir": dir.canonicalize().unwrap() } })
}

fn archived(dir: &Path) -> Vec<u8> {
    let files: BTreeMap<ArchivePath, Vec<u8>> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            (ArchivePath::parse(name).unwrap(), fs::read(&path).unwrap())
        })
        .collect();
    archive::encode(&files).unwrap()
}

fn people(demo: &Demo, what: &str) -> PathBuf {
    demo.dir().join("people").join(what)
}

#[test]
fn a_report_has_the_same_bytes_inside_the_box_and_outside() {
    let demo = Demo::play();
    // The demo scores in its own process.
    for (model, report) in [
        ("Milo/model", "Ada/reports/Milo"),
        ("Mira/model", "Ada/reports/Mira"),
    ] {
        let mut own = Own::new(&people(&demo, "Ada/test-set"));
        own.score(&archived(&people(&demo, model)), |_| ());
        let output = own.run();
        assert!(output.status.success(), "{}", stderr(&output));
        #[cfg(target_os = "linux")]
        assert_eq!(stderr(&output), "", "every limit is there");
        for file in ["report.json", "leaves.bin"] {
            let outside = fs::read(people(&demo, report).join(file)).unwrap();
            assert_eq!(
                own.file(&format!("report/{file}")),
                outside,
                "{model}, {file}"
            );
        }
    }
    predictions_are_the_leaves_of_the_report(&demo);
    a_folder_is_run_in_a_child_and_its_faults_are_said(&demo);
    what_a_miner_did_wrong_is_an_outcome(&demo);
    a_limit_that_is_broken_leaves_no_answer(&demo);
}

/// As its name; it shares the demo's seconds.
fn predictions_are_the_leaves_of_the_report(demo: &Demo) {
    let mut own = Own::new(&people(demo, "Ada/test-set"));
    let said = json!({ "predictions": { "rows": 360, "outputs": 10, "classes": true } });
    assert_eq!(
        own.predict(&archived(&people(demo, "Milo/model"))).answer(),
        said
    );
    let leaves = fs::read(people(demo, "Ada/reports/Milo/leaves.bin")).unwrap();
    let mut rest = &leaves[..];
    for row in own.file("predictions.bin").chunks_exact(8 + 4 * 10) {
        let (leaf, after) = Leaf::split_from(rest).unwrap();
        let bits = row[8..].chunks_exact(4);
        let bits = bits.map(|bits| u32::from_le_bytes(bits.try_into().unwrap()));
        assert_eq!(leaf.output_bits, bits.collect::<Vec<u32>>());
        rest = after;
    }
    assert_eq!(rest, b"");
}

/// As its name; it shares the demo's seconds.
fn a_folder_is_run_in_a_child_and_its_faults_are_said(demo: &Demo) {
    let (model, data) = (people(demo, "Milo/model"), people(demo, "Ada/test-set"));
    let run = |model: &Path, more: &[&str]| {
        let args = ["model", "run", text(model), "--data", text(&data)];
        lode(&[&args[..], more].concat())
    };
    let one = run(&model, &["--threads", "1"]);
    assert_eq!(stderr(&one), "");
    assert_eq!(stdout(&one).lines().count(), 361);
    assert_eq!(
        run(&model, &["--threads", "2", "--json"]).status.code(),
        Some(0)
    );
    assert_eq!(run(&model, &[]).stdout, one.stdout);

    // What is wrong with a folder is found in the child and said here.
    let bad = demo.beside("bad");
    fs::create_dir(&bad).unwrap();
    for (file, content, code) in [
        ("config.json", "{", "config_form"),
        ("config.json", &"[".repeat(60_000), "config_form"),
        ("config.json", &" ".repeat(70_000), "config_too_long"),
    ] {
        fs::write(bad.join(file), content).unwrap();
        let output = run(&bad, &[]);
        assert!(
            stderr(&output).contains(&format!("error[{code}]")),
            "{}",
            stderr(&output)
        );
        assert_eq!(output.stdout, b"");
    }
    let narrow = MlpConfig::new(3, &[], 10).unwrap();
    fs::write(bad.join("config.json"), narrow.to_json()).unwrap();
    let weights = Weights::generate(&narrow, |spec| vec![0.25; spec.len()]).unwrap();
    fs::write(bad.join("model.safetensors"), weights.to_safetensors()).unwrap();
    let output = run(&bad, &[]);
    assert!(
        stderr(&output).contains("error[inputs_mismatch]"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(2));
}

/// As its name; it shares the demo's seconds.
fn what_a_miner_did_wrong_is_an_outcome(demo: &Demo) {
    let mut own = Own::new(&people(demo, "Ada/test-set"));
    let good = archived(&people(demo, "Milo/model"));
    let invalid = |code: &str, place: &str| json!({ "invalid": { "code": code, "place": place } });
    let bad_seal = |chunk: u64| json!({ "bad_seal": { "chunk": chunk } });

    let flip = |at: usize| move |sealed: &mut Vec<u8>| sealed[at] ^= 1;
    assert_eq!(own.score(&good, flip(0)).outcome(), bad_seal(0));
    assert_eq!(own.score(&good, flip(100)).outcome(), bad_seal(0));
    let cut = |sealed: &mut Vec<u8>| sealed.truncate(sealed.len() - 1);
    assert_eq!(own.score(&good, cut).outcome(), bad_seal(0));
    assert_eq!(own.score(&good, Vec::clear).outcome(), bad_seal(0));
    // A chunk that does not open counts before what is wrong with the archive in front of it.
    let far = [&[0; 70_000][..], &good].concat();
    assert_eq!(
        own.score(&far, |_| ()).outcome(),
        invalid("archive_magic", "byte 0")
    );
    assert_eq!(own.score(&far, flip(70_000)).outcome(), bad_seal(1));

    let escape = [b"lode/archive/1\x04\0../a".as_slice(), &[0; 10]].concat();
    assert_eq!(
        own.score(&escape, |_| ()).outcome(),
        invalid("archive_path", "byte 16")
    );
    let short = &good[..good.len() - 100];
    let place = format!("byte {}", short.len());
    assert_eq!(
        own.score(short, |_| ()).outcome(),
        invalid("archive_truncated", &place)
    );
    let lies = [b"lode/archive/1\x01\0a".as_slice(), &[0xff; 8], &[0; 2]].concat();
    assert_eq!(
        own.score(&lies, |_| ()).outcome(),
        invalid("archive_file_too_long", "byte 16")
    );

    let one = |name: &str, content: &[u8]| {
        let path = ArchivePath::parse(name).unwrap();
        archive::encode(&BTreeMap::from([(path, content.to_vec())])).unwrap()
    };
    // As many files as there may be, none of which belongs there; and one more.
    let many = |count: usize| {
        let path = |at: usize| ArchivePath::parse(&format!("{at:05}")).unwrap();
        let files = (0..count).map(|at| (path(at), Vec::new())).collect();
        archive::encode(&files).unwrap()
    };
    assert_eq!(
        own.score(&many(10_000), |_| ()).outcome(),
        invalid("file_unexpected", "00000")
    );
    // Each has a length of two bytes, a path of five, a length of eight.
    let place = format!("byte {}", 14 + 10_000 * 15 + 2);
    assert_eq!(
        own.score(&many(10_001), |_| ()).outcome(),
        invalid("archive_files", &place)
    );

    // What this disk has made of it is nobody's fault, whether a chunk opens or not.
    for change in [flip(100), flip(0)] {
        own.score(&good, change);
        let root = BlobId([9; 32]);
        own.orders["work"]["score"]["model"]["sealed"]["root"] = json!(root);
        let answer = own.answer();
        assert_eq!(answer["failed"]["code"], "ciphertext_damaged", "{answer}");
    }

    // What was not fetched is judged by its size alone.
    let source = &mut own.orders["work"]["score"]["model"];
    *source = json!({ "too_large": { "size_bytes": 1u64 << 40, "limit_bytes": 1_000 } });
    assert_eq!(own.outcome(), invalid("ciphertext_too_large", "ciphertext"));

    let stranger = one("a.py", b"import os");
    assert_eq!(
        own.score(&stranger, |_| ()).outcome(),
        invalid("file_unexpected", "a.py")
    );
    let lonely = one("config.json", b"{}");
    let missing = invalid("file_missing", "model.safetensors");
    assert_eq!(own.score(&lonely, |_| ()).outcome(), missing);
}

/// The archive of a model of 3 MB.
fn large() -> Vec<u8> {
    let config = MlpConfig::new(64, &[10_000], 10).unwrap();
    let weights = Weights::generate(&config, |spec| vec![0.25; spec.len()]).unwrap();
    let path = |name: &str| ArchivePath::parse(name).unwrap();
    let files = BTreeMap::from([
        (path("config.json"), config.to_json()),
        (path("model.safetensors"), weights.to_safetensors()),
    ]);
    archive::encode(&files).unwrap()
}

/// As its name; it shares the demo's seconds.
fn a_limit_that_is_broken_leaves_no_answer(demo: &Demo) {
    let mut own = Own::new(&people(demo, "Ada/test-set"));
    own.score(&large(), |_| ());
    if cfg!(target_os = "linux") {
        own.has_no_verdict("memory_bytes", 32 << 20);
        own.has_no_verdict("file_bytes", 4_096);
        own.has_no_verdict("seconds", 0);
    }
    // The same folder once more, under limits that suffice.
    let scored = own.outcome();
    assert!(scored["scored"].is_object(), "{scored}");
    own.predict(&large());
    if cfg!(target_os = "linux") {
        own.has_no_verdict("memory_bytes", 32 << 20);
        own.has_no_verdict("file_bytes", 4_096);
        own.has_no_verdict("seconds", 0);
    }
    let predicted = own.answer();
    assert!(predicted["predictions"].is_object(), "{predicted}");
}

/// A header that is nothing but commas is read past, and takes no more memory than its bytes.
#[test]
fn a_long_header_is_a_fault_of_the_test_set_and_not_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let test = dir.path().join("test");
    let spec = CsvSpec {
        header: true,
        label_column: 0,
        inputs: 1 << 20,
        labels: LabelKind::Classes(2),
        divide_inputs_by: 1,
    };
    let row = format!("0{}\n", ",0".repeat(1 << 20));
    let sound = format!("{}\n{row}", ",".repeat(1 << 20));
    let about = About {
        name: Name::new("rows").unwrap(),
        attribution: Text::new("made by a test").unwrap(),
        license: Vec::new(),
    };
    let text = CsvText::read(sound.as_bytes(), &spec).unwrap();
    let mut manifest = datasets::write_folder(&test, &about, &spec, &text).unwrap();
    let long = format!("{}\n{row}", ",".repeat(60 << 20));
    fs::write(test.join("data.csv"), &long).unwrap();
    manifest.files[0].size_bytes = long.len() as u64;
    manifest.files[0].blake3 = BlobId(*blake3::hash(long.as_bytes()).as_bytes());
    manifest.write(&test).unwrap();
    let mut own = Own::new(&test);
    let limits = json!({
        "parameters_max": 4, "file_bytes_max": 16_000, "multiply_adds_max": 4,
    });
    let benchmark = json!({
        "arithmetic": 1, "task": {"classification": {"classes": 2}}, "inputs": 1 << 20, "examples_max": 1,
        "metric": "accuracy", "limits": limits,
    });
    own.orders["work"] = json!({ "test_set": { "benchmark": benchmark, "test": own.test } });
    own.orders["memory_bytes"] = json!(1u64 << 30);
    let answer = own.answer();
    let found = &answer["test_set"]["outcome"]["bad_seal"];
    assert_eq!(found["code"], "csv_width", "{answer}");
}

#[cfg(unix)]
#[test]
fn a_child_whose_parent_has_gone_does_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let mut own = Own::new(temp.path());
    own.orders["work"] = json!({ "predict": { "model": own.test, "data": own.test } });
    own.orders["parent"] = json!(1);
    let output = own.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(!own.dir.path().join("answer.json").exists());
}

#[test]
fn what_are_no_orders_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_lode"))
        .arg("in-box")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no orders"), "{}", stderr(&output));
}
