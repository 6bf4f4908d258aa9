//! What the command says when something went wrong: what happened, and what to do next.

use std::fmt;

use client::ClientError;
use protocol::api::Problem;
use serde::{Deserialize, Serialize};
use wallet::{ErrorClass, WalletError};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A key is missing, locked, or not allowed to do this.
    Key = 3,
    /// What was named is not there.
    NotFound = 4,
    /// A rule of the market said no.
    Rejected = 5,
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
            let text = serde_json::json!({ "schema": "lode.error/1", "error": self });
            talk!("{text}");
        } else {
            talk!(
                "error[{}]: {}\n  next: {}",
                self.code,
                self.message,
                self.next_step
            );
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = if problem.is_rejection {
            Exit::Rejected
        } else if problem.retry_after_ms.is_some() {
            Exit::Later
        } else if problem.code.starts_with("unknown_") {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Self::new(problem.code, problem.message, problem.next_step).exit(exit)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        // What became of it is not known, whatever the last answer was.
        let is_open = matches!(error, ClientError::Unsettled { .. });
        let exit = if error.code() == "node_address" {
            Exit::Usage
        } else if is_open {
            Exit::Later
        } else if error.is_rejection() {
            Exit::Rejected
        } else if error.is_not_found() {
            Exit::NotFound
        } else if error.is_temporary() {
            Exit::Later
        } else {
            Exit::Failed
        };
        let message = match error.problem().filter(|_| !is_open) {
            Some(problem) => problem.message.clone(),
            None => error.to_string(),
        };
        let next = match error {
            ClientError::Unsettled { .. } => {
                "run the same command again when the node answers: it finds out, and nothing is paid twice".to_owned()
            }
            _ => error.next_step(),
        };
        Self::new(error.code(), message, next).exit(exit)
    }
}

impl From<WalletError> for Failure {
    fn from(error: WalletError) -> Self {
        let exit = match error.class() {
            ErrorClass::Usage => Exit::Usage,
            // A key or passphrase that is not there cannot be used either.
            ErrorClass::KeyOrPermission | ErrorClass::NotFound => Exit::Key,
            ErrorClass::Failed => Exit::Failed,
        };
        Self::new(error.code(), &error, error.next_step()).exit(exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}
