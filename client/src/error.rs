//! What can go wrong between a client and a node: for a program a code, for a person what happened and what to do next.

use std::io;
use std::path::PathBuf;

use protocol::api::{API_VERSION, Problem};
use protocol::id::ItemId;

/// The most characters of a bad answer that an error quotes.
pub const EXCERPT_CHARS_MAX: usize = 160;

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address that was given is not one of a node.
    #[error("'{url}' is not the address of a node: {why}")]
    Address {
        /// What was given, shortened.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection was made, so nothing was sent.
    #[error("no node can be reached at {url}: {why}")]
    Unreachable {
        /// The node's address.
        url: String,
        /// What the system said.
        why: String,
    },
    /// The connection broke. What was sent may have arrived.
    #[error("the connection to {url} broke: {why}")]
    Disconnected {
        /// The node's address.
        url: String,
        /// What the system said.
        why: String,
    },
    /// The node did not answer in time. What was sent may have arrived.
    #[error("the node at {url} did not answer in time ({what})")]
    TimedOut {
        /// The node's address.
        url: String,
        /// What took too long.
        what: String,
    },
    /// Something answers there that is not a lode node.
    #[error("what answers at {url} is not a lode node: {why}")]
    NotALodeNode {
        /// The address.
        url: String,
        /// What gave it away.
        why: String,
    },
    /// The node speaks another version of the API.
    #[error(
        "the node at {url} (version {version}) speaks version {theirs} of the API, this program version {API_VERSION}"
    )]
    Incompatible {
        /// The node's address.
        url: String,
        /// The node's own version, shortened.
        version: String,
        /// The version of the API that it speaks.
        theirs: u32,
    },
    /// The node answered, with an error.
    #[error("{problem}")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// What the node says.
        problem: Box<Problem>,
    },
    /// It is not known whether a record was included. Its bytes can be posted again without risk.
    #[error("whether the record {id} was included is not known: {last}")]
    Unsettled {
        /// The record.
        id: ItemId,
        /// What the last try met.
        last: Box<ClientError>,
    },
    /// The record was not included before its `Valid-Until`, and never will be.
    #[error("the record {id} was not included before it expired, at {valid_until_ms} ms")]
    Expired {
        /// The record.
        id: ItemId,
        /// Its `Valid-Until`.
        valid_until_ms: u64,
    },
    /// Bytes came that are not those of the name they were asked by.
    #[error("{what} arrived damaged: it was asked for as {expected} and what came is {found}")]
    Damaged {
        /// What was asked for.
        what: &'static str,
        /// Its id.
        expected: String,
        /// The id of what came, or what is wrong with it.
        found: String,
    },
    /// More bytes than there may be.
    #[error("{what} has more bytes than the limit of {limit_bytes}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The most that is taken.
        limit_bytes: u64,
    },
    /// More items than one bundle may have.
    #[error("{items} items are more than the limit of {limit} in one bundle")]
    TooMany {
        /// How many.
        items: usize,
        /// The most.
        limit: usize,
    },
    /// A file or stream of this machine failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file, or a word for the stream.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node's answer is not what the API says.
    #[error("the node at {url} gave an answer that this program cannot read: {what}")]
    Protocol {
        /// The node's address.
        url: String,
        /// What is wrong, with an excerpt of at most [`EXCERPT_CHARS_MAX`] characters.
        what: String,
    },
}

impl ClientError {
    /// A stable name, snake case: the problem's own if the node sent one.
    pub fn code(&self) -> &str {
        match self {
            Self::Address { .. } => "node_address",
            Self::Unreachable { .. } => "node_unreachable",
            Self::Disconnected { .. } => "node_disconnected",
            Self::TimedOut { .. } => "node_timed_out",
            Self::NotALodeNode { .. } => "not_a_lode_node",
            Self::Incompatible { .. } => "node_incompatible",
            Self::Problem { problem, .. } => &problem.code,
            Self::Unsettled { .. } => "record_unsettled",
            Self::Expired { .. } => "record_expired",
            Self::Damaged { .. } => "damaged",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::Io { .. } => "io",
            Self::Protocol { .. } => "node_answer",
        }
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Address { .. } => "Give it as http://HOST:PORT or https://HOST.".to_owned(),
            Self::Unreachable { url, .. } => {
                format!(
                    "Check that a node runs there ('curl {url}/livez') and that the address is right."
                )
            }
            Self::Disconnected { .. } | Self::TimedOut { .. } => {
                "Try again; if it goes on, look at the node's log.".to_owned()
            }
            Self::NotALodeNode { .. } => {
                "Give the address of a node's HTTP API, as the node prints it at its start."
                    .to_owned()
            }
            Self::Incompatible { theirs, .. } if *theirs > API_VERSION => {
                "The node is newer: update this program.".to_owned()
            }
            Self::Incompatible { .. } => {
                "The node is older: use a newer one, or an older version of this program."
                    .to_owned()
            }
            Self::Problem { problem, .. } => problem.next_step.clone(),
            Self::Unsettled { id, .. } => format!(
                "Post the same record again when the node answers, or ask for /v1/records/{id}; do not sign another in its place."
            ),
            Self::Expired { .. } => {
                "Nothing was paid. Sign it again with a later Valid-Until.".to_owned()
            }
            Self::Damaged { .. } => "Ask again, or ask another node.".to_owned(),
            Self::TooLarge { .. } => {
                "Nothing: what is longer than it says is not taken. Ask another node.".to_owned()
            }
            Self::TooMany { .. } => "Send them in several bundles.".to_owned(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "Make room on the disk and try again: what arrived is kept.".to_owned()
            }
            Self::Io { .. } => "Check the file and its permissions.".to_owned(),
            Self::Protocol { .. } => {
                "Check that the address is a node's, and that node and program are of one version."
                    .to_owned()
            }
        }
    }

    /// Whether a rule of the market refused.
    pub fn is_rejection(&self) -> bool {
        self.problem().is_some_and(|problem| problem.is_rejection)
    }

    /// Whether the node says that what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem { status: 404, problem } if problem.code != foreign_code(404))
    }

    /// Whether the same call can succeed later, with nothing changed by the caller.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Disconnected { .. } | Self::TimedOut { .. } => true,
            Self::Unsettled { .. } => true,
            Self::Problem { status, problem } => match status {
                // 408: the body came too slowly. That is nothing about what was in it.
                408 | 429 | 500 | 502 | 503 | 504 => true,
                _ => problem.retry_after_ms.is_some(),
            },
            _ => false,
        }
    }

    /// What the node said, if it answered with an error.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            Self::Unsettled { last, .. } => last.problem(),
            _ => None,
        }
    }

    /// How long the node asks to wait before another try, in milliseconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.problem().and_then(|problem| problem.retry_after_ms)
    }

    /// Whether what was sent may have reached the node.
    pub(crate) fn may_have_arrived(&self) -> bool {
        !matches!(self, Self::Unreachable { .. })
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Io { path, source }
    }
}

/// The code of an error answer that carries no problem of the API: it is from a proxy, or from no node at all.
pub(crate) fn foreign_code(status: u16) -> String {
    format!("http_{status}")
}

/// The start of a text from outside, for one line of an error: short, without control characters.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let end = bytes.len().min(4 * EXCERPT_CHARS_MAX);
    let text = String::from_utf8_lossy(&bytes[..end]);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(EXCERPT_CHARS_MAX).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str) -> ClientError {
        ClientError::Problem {
            status,
            problem: Box::new(Problem::new(code, "message", "step")),
        }
    }

    #[test]
    fn only_what_waiting_can_mend_is_temporary() {
        for (status, temporary) in [
            (400, false),
            (404, false),
            (408, true),
            (409, false),
            (422, false),
            (429, true),
            (500, true),
            (503, true),
            (507, false),
        ] {
            assert_eq!(problem(status, "x").is_temporary(), temporary, "{status}");
        }
    }

    #[test]
    fn a_proxys_404_says_nothing_about_the_thing_asked_for() {
        assert!(problem(404, "unknown_record").is_not_found());
        assert!(!problem(404, "http_404").is_not_found());
    }

    #[test]
    fn an_excerpt_is_short_and_on_one_line() {
        let text = excerpt(&b"a\nb\x1b[31m".repeat(1_000));
        assert_eq!(text.chars().count(), EXCERPT_CHARS_MAX);
        assert!(!text.contains(['\n', '\x1b']));
    }
}
