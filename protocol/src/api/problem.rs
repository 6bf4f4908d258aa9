//! Errors, as the API and the command say them.

use serde::{Deserialize, Serialize};

/// What went wrong: for a program its code, for a person what happened and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, snake case. A rejection's is [`crate::receipt::Receipt::rejected`].
    pub code: String,
    /// What happened, and why.
    pub message: String,
    /// What to do next.
    pub next_step: String,
    /// Whether a rule of the market refused, so that the record may be included and paid for.
    #[serde(default)]
    pub is_rejection: bool,
    /// For the code `nonce`: the nonce that the account's next record must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_nonce: Option<u64>,
    /// How long to wait before another try, in milliseconds, if another try can help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    /// A problem that is no rejection and that waiting does not mend.
    pub fn new(
        code: impl Into<String>,
        message: impl std::fmt::Display,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.to_string(),
            next_step: next_step.into(),
            is_rejection: false,
            expected_nonce: None,
            retry_after_ms: None,
        }
    }

    /// The same, where another try after so long can help.
    #[must_use]
    pub fn retry_after_ms(self, wait_ms: u64) -> Self {
        Self {
            retry_after_ms: Some(wait_ms),
            ..self
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// The body of every answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: Problem,
}
