//! The findings, line by line.

use serde::Serialize;

use crate::failure::Failure;

/// How a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something will not work.
    Problem,
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct Line {
    pub state: State,
    /// What was looked at; stable.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub next_step: Option<String>,
}

/// The findings, in order.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub lines: Vec<Line>,
}

impl Report {
    fn add(&mut self, state: State, what: &'static str, found: impl Into<String>, next: &str) {
        self.lines.push(Line {
            state,
            what,
            found: found.into(),
            next_step: (!next.is_empty()).then(|| next.to_owned()),
        });
    }

    /// As it should be.
    pub fn ok(&mut self, what: &'static str, found: impl Into<String>) {
        self.add(State::Ok, what, found, "");
    }

    /// Worth knowing.
    pub fn note(&mut self, what: &'static str, found: impl Into<String>, next: &str) {
        self.add(State::Note, what, found, next);
    }

    /// Something will not work.
    pub fn problem(&mut self, what: &'static str, found: impl Into<String>, next: &str) {
        self.add(State::Problem, what, found, next);
    }

    /// Something that was looked at failed.
    pub fn failed(&mut self, what: &'static str, failure: &Failure) {
        self.problem(what, &failure.message, &failure.next_step);
    }
}
