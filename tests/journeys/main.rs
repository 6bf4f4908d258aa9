//! End-to-end: the real binary, on real data, as README types it.

#![allow(clippy::unwrap_used)] // Everything here is a test.

mod again;
mod boxed;
mod demo;
mod dev;
mod dying;
mod explain;
mod license;
mod log;
mod market;
#[path = "../../node/tests/served/posting.rs"]
mod posting;
mod readme;
mod slips;
mod tidy;
mod votes;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `lode`.
fn lode(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lode"))
        .args(args)
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A demo that was played: its folder, which goes when this does, and its JSON.
struct Demo {
    temp: tempfile::TempDir,
    json: serde_json::Value,
}

impl Demo {
    /// Plays one. It takes seconds, so a test that needs none goes without.
    fn play() -> Self {
        let temp = tempfile::tempdir().expect("a folder for temporary files");
        let output = lode(&["demo", "--json", "--dir", text(&temp.path().join("demo"))]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stderr(&output), "", "without a terminal nothing is drawn");
        Self {
            temp,
            json: serde_json::from_slice(&output.stdout).expect("one JSON object"),
        }
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("demo")
    }

    /// A place for another file, beside the demo's folder.
    fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
