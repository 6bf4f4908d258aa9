//! Strict JSON: the bodies of records, and every JSON file from outside.
//!
//! Refused, each with its place: more bytes than the caller's limit, bad UTF-8,
//! nesting deeper than serde_json's 128, unknown fields (types say
//! `deny_unknown_fields`), duplicate fields (serde's derived structs), anything
//! after the value. Types here use no maps, `flatten` or untagged enums, which would let a duplicate through.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::text::printable;

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
    serde_json::from_slice(bytes).map_err(|error| JsonError::Form(shown(&error)))
}

/// The parser's words, which may quote the text, cut if they are long; the place behind them is not.
fn shown(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match words.strip_suffix(&place) {
        Some(words) => printable(words) + &place,
        None => printable(&words),
    }
}

/// The same for what others write, above all what is signed and kept for ever, where the order in which Rust declares fields must be no part of the format: a list
/// where fields by name belong is refused too, and an object where a word does, both of which serde takes.
///
/// # Errors
/// As [`from_slice`], and for these two.
pub fn from_slice_by_name<T: DeserializeOwned + Serialize>(
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, JsonError> {
    let read = from_slice(bytes, limit_bytes)?;
    match other_kind(&from_slice(bytes, limit_bytes)?, &value(&read)) {
        Some(place) => Err(JsonError::Form(printable(&format!(
            "invalid type: `{place}` is not written so: fields stand by name, and words as words"
        )))),
        None => Ok(read),
    }
}

/// The same for what counts to the last field, at every depth: nothing may stand there that is not read. For types whose parts are
/// read elsewhere by programs that leave out what they do not know.
///
/// # Errors
/// As [`from_slice`], and if the value that was read would be written otherwise but for spaces and the order of fields.
pub fn from_slice_exact<T: DeserializeOwned + Serialize>(
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, JsonError> {
    let read = from_slice(bytes, limit_bytes)?;
    if from_slice::<Value>(bytes, limit_bytes)? != value(&read) {
        let why = "something in it is unknown, or not written as it would be";
        return Err(JsonError::Form(why.to_owned()));
    }
    Ok(read)
}

fn value<T: Serialize>(read: &T) -> Value {
    serde_json::to_value(read).expect("our own types have string keys and finite numbers")
}

/// Where the one is a list or an object and the other is not, as a path.
fn other_kind(given: &Value, written: &Value) -> Option<String> {
    let inside = |name: String, given, written| {
        other_kind(given, written).map(|place| format!("{name}.{place}"))
    };
    match (given, written) {
        (Value::Array(given), Value::Array(written)) => given
            .iter()
            .zip(written)
            .enumerate()
            .find_map(|(place, (given, written))| inside(place.to_string(), given, written)),
        // What is not written is a default, which no list or object is.
        (Value::Object(given), Value::Object(written)) => given
            .iter()
            .find_map(|(name, given)| inside(name.clone(), given, written.get(name)?)),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => {
            Some(String::new())
        }
        _ => None,
    }
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

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        list: Vec<Body>,
        kind: Kind,
        pair: (u8, u8),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        With { a: u8 },
    }

    #[test]
    fn fields_stand_by_name_and_words_as_words() {
        let read = |text: &str| from_slice_by_name::<Outer>(text.as_bytes(), 200);
        for text in [
            r#"{"list":[{"a":1,"b":null},{"b":"x","a":2}],"kind":"plain","pair":[1,2]}"#,
            r#"{"pair":[1,2],"list":[{"a":1}],"kind":{"with":{"a":1}}}"#,
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
        for (text, place) in [
            (r#"[[],"plain",[1,2]]"#, "``"),
            (
                r#"{"list":[{"a":1},[1,null]],"kind":"plain","pair":[1,2]}"#,
                "`list.1.`",
            ),
            (
                r#"{"list":[],"kind":{"plain":null},"pair":[1,2]}"#,
                "`kind.`",
            ),
            (
                r#"{"list":[],"kind":{"with":[1]},"pair":[1,2]}"#,
                "`kind.with.`",
            ),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(place), "{text}: {error}");
        }
    }

    #[test]
    fn the_parsers_words_do_not_steer_a_terminal() {
        let text = format!(r#"{{"\u001b[2J\n{}":1}}"#, "x".repeat(1_000));
        let error = from_slice::<Body>(text.as_bytes(), 9_999).expect_err("unknown field");
        let words = error.to_string();
        assert!(
            words.starts_with("unknown field `\u{fffd}[2J\u{fffd}x"),
            "{words}"
        );
        let place = format!(" at line 1 column {}", text.len() - 3);
        assert!(words.ends_with(&place), "{words}");
        assert_eq!(words.chars().count(), 300 + place.len());
    }

    #[test]
    fn exactly_what_is_read_may_stand_there() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Loose {
            part: Inner,
        }
        #[derive(Debug, Serialize, Deserialize)]
        struct Inner {
            a: u8,
        }
        let text = br#"{"part":{"a":1,"b":2}}"#;
        assert!(from_slice::<Loose>(text, 99).is_ok());
        assert!(from_slice_exact::<Loose>(text, 99).is_err());
        assert!(from_slice_exact::<Loose>(br#"{ "part": {"a": 1} }"#, 99).is_ok());
        assert!(from_slice_exact::<Loose>(br#"{"part":[1]}"#, 99).is_err());
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
