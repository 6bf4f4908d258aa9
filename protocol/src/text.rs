//! Short texts from outside, bounded and free of control characters.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

/// A UTF-8 text of 1 to `MAX` bytes without control characters, so that it can
/// be shown on a terminal and a page as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Text<const MAX: usize>(String);

/// A title or the name of a thing.
pub type Name = Text<120>;

/// A short machine-readable code such as `nan_output`, or a place such as `layers.0.weight`.
pub type Code = Text<200>;

/// Why a string is not such a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing there.
    #[error("a text must not be empty")]
    Empty,
    /// Too many bytes.
    #[error("this text has {size_bytes} bytes, the limit is {limit_bytes}")]
    TooLong {
        /// Bytes given.
        size_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// A line break, tab, escape or other invisible control.
    #[error("this text has a control or direction character at byte {0}")]
    Control(usize),
}

/// Characters that change how the text around them is shown, or are not shown themselves: controls, line and paragraph
/// separators, direction marks, and what Unicode calls ignorable by default.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text from outside as it can be shown: at most 300 characters, on one line, with U+FFFD for each that would steer a
/// terminal or cannot be seen.
pub fn printable(text: &str) -> String {
    shown(text).take(300).collect()
}

/// The beginning of a text from outside, as [`printable`], for an error that names it.
pub fn excerpt(text: &str) -> String {
    shown(text).take(48).collect()
}

/// All of a line from outside, with U+FFFD as in [`printable`].
pub fn visible(line: &str) -> String {
    shown(line).collect()
}

fn shown(text: &str) -> impl Iterator<Item = char> {
    let shown = |c| if is_deceptive(c) { '\u{fffd}' } else { c };
    text.chars().map(shown)
}

/// Whether a text is a whole number in its one spelling: digits alone, and no zero before others.
pub fn is_whole_number(text: &str) -> bool {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && (text.len() == 1 || !text.starts_with('0'))
}

/// Such a number. `parse` takes a sign and zeros too.
pub fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    is_whole_number(text).then(|| text.parse().ok()).flatten()
}

impl<const MAX: usize> Text<MAX> {
    /// Takes a string if it is within bounds.
    ///
    /// # Errors
    /// [`TextError`] if it is empty, longer than `MAX` bytes, or has a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX {
            return Err(TextError::TooLong {
                size_bytes: text.len(),
                limit_bytes: MAX,
            });
        }
        match text.char_indices().find(|&(_, c)| is_deceptive(c)) {
            Some((place, _)) => Err(TextError::Control(place)),
            None => Ok(Self(text)),
        }
    }

    /// A text cut to `MAX` bytes and freed of control characters: for codes and
    /// places that our own checks report about somebody's bytes.
    pub fn lossy(text: &str) -> Self {
        let mut kept = String::new();
        for c in text.chars() {
            let c = if is_deceptive(c) { '\u{fffd}' } else { c };
            if kept.len() + c.len_utf8() > MAX {
                break;
            }
            kept.push(c);
        }
        if kept.is_empty() {
            kept.push('-');
        }
        Self(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const MAX: usize> serde::Serialize for Text<MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = serde::Deserialize::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

impl<const MAX: usize> BorshDeserialize for Text<MAX> {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let text: String = BorshDeserialize::deserialize_reader(reader)?;
        Self::new(text).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_visible() {
        assert!(Text::<5>::new("digit").is_ok());
        assert_eq!(Text::<5>::new(""), Err(TextError::Empty));
        assert!(matches!(
            Text::<5>::new("digits"),
            Err(TextError::TooLong { .. })
        ));
        for deceptive in ["a\nb", "a\u{1b}", "\u{202e}", "a\u{200b}"] {
            assert!(matches!(
                Text::<9>::new(deceptive),
                Err(TextError::Control(_))
            ));
        }
        assert_eq!(Text::<4>::lossy("äöü\n").as_str(), "äö");
        assert_eq!(Text::<4>::lossy("").as_str(), "-");
    }
}
