//! Uploads: whose a part is that arrives.

use std::fmt;
use std::str::FromStr;

use crate::id::{Digest, IdError};

/// The header of an upload that may go on after a break: an [`UploadToken`].
pub const UPLOAD_TOKEN_HEADER: &str = "upload-token";

/// What tells the parts of one sender's upload from another's of the same blob: 32 bytes that nobody
/// else can guess. A blob's name is no secret, so parts that went by the name alone could be anybody's.
///
/// As a text 43 characters, as an id has. It is not shown in `Debug` forms.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadToken(pub [u8; 32]);

impl fmt::Debug for UploadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadToken(…)")
    }
}

impl fmt::Display for UploadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl FromStr for UploadToken {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(|Digest(bytes)| Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_is_not_shown_by_debug() {
        let token = UploadToken([7; 32]);
        let text = token.to_string();
        assert_eq!(text.parse::<UploadToken>(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(&text[..8]));
        assert!(text[1..].parse::<UploadToken>().is_err());
    }
}
