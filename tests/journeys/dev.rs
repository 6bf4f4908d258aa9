//! A development network of one node, for journeys that need no more.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use client::Client;
use serde_json::Value;

/// `lode node --dev` in a folder of its own; both go with this.
pub struct DevNode {
    child: Child,
    pub url: String,
    pub temp: tempfile::TempDir,
}

impl Drop for DevNode {
    fn drop(&mut self) {
        // It has nothing to save: its folder goes too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl DevNode {
    /// Starts it, and waits for its greeting.
    pub fn begin() -> Self {
        Self::with_clock("system")
    }

    /// The same with another clock: one that is moved by hand.
    pub fn with_clock(clock: &str) -> Self {
        let temp = tempfile::tempdir().expect("a folder for temporary files");
        std::fs::write(temp.path().join("pass"), "a passphrase of the test\n").expect("room");
        let args = [
            "node",
            "--dev",
            "--json",
            "--clock",
            clock,
            "--listen",
            "127.0.0.1:0",
            "--dir",
        ];
        let mut child = Command::new(env!("CARGO_BIN_EXE_lode"))
            .args(args)
            .arg(temp.path().join("node"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let greeting: Value = serde_json::from_str(&line).expect("one JSON object in a line");
        let url = greeting["url"].as_str().expect("its address").to_owned();
        Self { child, url, temp }
    }

    /// Ends it at once; its folder stays.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// The SDK at it.
    pub fn client(&self) -> Client {
        Client::new(&self.url).expect("an address")
    }

    /// A place beside the node's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The command, asked of it, in a home beside its folder.
    pub fn lode(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lode"))
            .args(args)
            .env("LODE_NODE", &self.url)
            .env("LODE_HOME", self.path("home"))
            .env("LODE_PASSPHRASE_FILE", self.path("pass"))
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }
}
