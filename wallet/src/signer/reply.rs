//! What a program that signs answers. The form is in [`super`].

use base64ct::{Base64UrlUnpadded, Encoding as _};
use protocol::json::{self, JsonError};
use protocol::keys::{PublicKey, SIGNATURE_LEN};
use serde::{Deserialize, Serialize};

/// Most bytes of an answer.
pub const REPLY_BYTES_MAX: usize = 4096;

/// An answer: one of these, and where it declines that alone counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicKey>,
    /// A signature, in base64url without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Why it declines, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Reply {
    /// Reads the line that a program wrote.
    ///
    /// # Errors
    ///
    /// More than [`REPLY_BYTES_MAX`] bytes, or another form.
    pub fn from_json(line: &[u8]) -> Result<Self, JsonError> {
        json::from_slice_by_name(line, REPLY_BYTES_MAX)
    }

    /// The bytes of the signature, if there is one and they are as many.
    pub fn signature_bytes(&self) -> Option<[u8; SIGNATURE_LEN]> {
        let mut bytes = [0; SIGNATURE_LEN];
        let decoded = Base64UrlUnpadded::decode(self.signature.as_ref()?, &mut bytes).ok()?;
        (decoded.len() == SIGNATURE_LEN).then_some(bytes)
    }
}
