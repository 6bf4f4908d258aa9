//! Strict JSON: the bodies of records, and every JSON file from outside.
//!
//! Refused, each with its place: more bytes than the caller's limit, bad UTF-8,
//! nesting deeper than serde_json's 128, unknown fields (types say
//! `deny_unknown_fields`), duplicate fields (serde's derived structs), anything
//! after the value. Types here use no maps, `flatten` or untagged enums, which
//! would let a duplicate through.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a text is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the limit; nothing was parsed.
    #[error("the JSON has {size_bytes} bytes, the limit is {limit_bytes}")]
    TooLong {
        /// Bytes given.
        size_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// Not the expected JSON, with line and column in the text.
    #[error("{0}")]
    Form(String),
}

/// Reads one JSON value of at most `limit_bytes` bytes.
///
/// # Errors
/// [`JsonError`] for everything that the module's head lists.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], limit_bytes: usize) -> Result<T, JsonError> {
    if bytes.len() > limit_bytes {
        return Err(JsonError::TooLong {
            size_bytes: bytes.len(),
            limit_bytes,
        });
    }
    serde_json::from_slice(bytes).map_err(|error| JsonError::Form(error.to_string()))
}

/// The compact JSON of a value, fields in their declared order.
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types have string keys and finite numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        a: u8,
        b: Option<String>,
    }

    #[test]
    fn loose_json_is_refused_with_its_reason() {
        let deep = "[".repeat(100_000);
        for (text, reason) in [
            (r#"{"a":1,"a":2}"#, "duplicate field"),
            (r#"{"a":1,"c":2}"#, "unknown field"),
            (r#"{"a":1} {}"#, "trailing characters"),
            (r#"{"a":256}"#, "invalid value"),
            (r#"{"a":1.0}"#, "invalid type"),
            (r#"{"a":"1"}"#, "invalid type"),
            (r#"{"a":1,}"#, "trailing comma"),
            (r#"{"a":1"#, "EOF"),
            (r#"{}"#, "missing field"),
            (&deep, "invalid type"),
        ] {
            let error = from_slice::<Body>(text.as_bytes(), 1 << 20).expect_err(reason);
            assert!(error.to_string().contains(reason), "{text:.40}: {error}");
        }
        assert!(from_slice::<Body>(b"{\"a\":1,\"b\":\"\xff\"}", 99).is_err());
        assert!(matches!(
            from_slice::<Body>(b"{\"a\":1}", 3),
            Err(JsonError::TooLong { .. })
        ));
    }

    #[test]
    fn what_is_written_reads_back() {
        let body = Body {
            a: 7,
            b: Some("ü".into()),
        };
        assert_eq!(from_slice(&to_vec(&body), 100), Ok(body));
    }
}
