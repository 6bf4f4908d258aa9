//! What the command says when something went wrong: what happened, and what to do next.

use std::fmt;

use serde::Serialize;

/// An error for a person, with a stable code for a program.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The process's exit code.
    #[serde(skip)]
    pub exit: Exit,
    /// Stable, snake case.
    pub code: String,
    /// What happened, and why.
    pub message: String,
    /// What to do next.
    pub next_step: String,
}

/// The exit codes of `lode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// What was named is not there.
    NotFound = 4,
    /// Try again later: something else is in the way now.
    Later = 6,
}

impl Failure {
    /// A failure with exit code 1.
    pub fn new(
        code: impl Into<String>,
        message: impl fmt::Display,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            exit: Exit::Failed,
            code: code.into(),
            message: message.to_string(),
            next_step: next_step.into(),
        }
    }

    /// The same with another exit code.
    pub fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// A file or folder that the system would not read or write.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        let next = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check who may read and write there",
            std::io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written",
            std::io::ErrorKind::StorageFull => "make room on that disk, then try again",
            _ => "check the path and the disk",
        };
        Self::new("io", format_args!("{}: {error}", path.display()), next).exit(exit)
    }

    /// A promise of our own code that did not hold.
    pub fn bug(message: impl fmt::Display) -> Self {
        Self::new(
            "bug",
            message,
            "please report this with the command that you ran",
        )
    }

    /// Prints it to stderr: as text, or as one JSON object.
    pub fn print(&self, json: bool) {
        if json {
            let text = serde_json::json!({ "error": self });
            eprintln!("{text}");
        } else {
            eprintln!(
                "error[{}]: {}\n  next: {}",
                self.code, self.message, self.next_step
            );
        }
    }
}
