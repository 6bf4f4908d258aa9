//! Tags: name and value pairs, as an Avro array of records, read strictly.
//!
//! ```text
//! no tags    no bytes at all
//! tags       varint(count), then per tag varint(length) name varint(length) value, then 0x00
//! varint     zig-zag, then 7 bits a byte, the lowest first, bit 7 set on all but the last
//! ```
//!
//! Avro would allow several spellings of one list: over-long varints, blocks
//! with a negative count, more than one block, an empty block. Exactly one is
//! written and read here. Names and values are UTF-8.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most tags of an item.
pub const TAGS_MAX: usize = 128;
/// Most bytes of all encoded tags together.
pub const TAGS_BYTES_MAX: usize = 4096;
/// Most bytes of a tag's name; the least is 1.
pub const NAME_BYTES_MAX: usize = 1024;
/// Most bytes of a tag's value; the least is 1.
pub const VALUE_BYTES_MAX: usize = 3072;

/// A tag: a name of 1 to 1,024 bytes and a value of 1 to 3,072 bytes, both UTF-8.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Tag {
    /// A tag. Its lengths are judged when it is encoded.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// What is wrong with tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagFlaw {
    /// There are more tags than [`TAGS_MAX`].
    #[error("{0} tags, and an item has at most {TAGS_MAX}")]
    TooMany(u64),
    /// The encoded tags are longer than [`TAGS_BYTES_MAX`].
    #[error("{0} bytes of tags, and an item has at most {TAGS_BYTES_MAX}")]
    TooLong(u64),
    /// The declared number of tags is not the number that follows.
    #[error("{declared} tags are declared and {found} follow")]
    Count {
        /// The number in the item's header.
        declared: u64,
        /// The number in the block.
        found: u64,
    },
    /// The tags run past the declared number of tag bytes.
    #[error("the tags run past their declared {0} bytes")]
    Truncated(u64),
    /// Bytes are left after the end of the tags.
    #[error("{0} bytes follow the end of the tags")]
    Trailing(u64),
    /// A varint has a needless last byte, so that one number has two spellings.
    #[error("an over-long varint")]
    OverlongVarint,
    /// A varint has more than 64 bits.
    #[error("a varint of more than 64 bits")]
    VarintRange,
    /// A block with a negative count: Avro's second spelling of a block.
    #[error("a block with the negative count {0}")]
    NegativeBlock(i64),
    /// An empty block: no tags are written as no bytes at all.
    #[error("an empty block: no tags are written as no bytes at all")]
    EmptyBlock,
    /// A second block.
    #[error("a second block")]
    SecondBlock,
    /// A length below zero.
    #[error("the negative length {0}")]
    NegativeLength(i64),
    /// An empty name.
    #[error("an empty name")]
    EmptyName,
    /// An empty value.
    #[error("an empty value")]
    EmptyValue,
    /// A name longer than [`NAME_BYTES_MAX`].
    #[error("a name of {0} bytes, and it has at most {NAME_BYTES_MAX}")]
    NameTooLong(u64),
    /// A value longer than [`VALUE_BYTES_MAX`].
    #[error("a value of {0} bytes, and it has at most {VALUE_BYTES_MAX}")]
    ValueTooLong(u64),
    /// A name that is not UTF-8.
    #[error("a name that is not UTF-8")]
    NameNotUtf8,
    /// A value that is not UTF-8.
    #[error("a value that is not UTF-8")]
    ValueNotUtf8,
}

/// What is wrong with tags, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tags, byte {offset}: {flaw}")]
pub struct TagError {
    /// Where it was found, in bytes from the start of the encoded tags.
    pub offset: usize,
    /// What was found.
    pub flaw: TagFlaw,
}

/// Encodes tags in their order; no tags give no bytes.
///
/// # Errors
///
/// A name, a value, the number of tags or all their bytes break a limit.
pub fn encode_tags(tags: &[Tag]) -> Result<Vec<u8>, TagError> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    if tags.len() > TAGS_MAX {
        return Err(TagError {
            offset: 0,
            flaw: TagFlaw::TooMany(tags.len() as u64),
        });
    }
    let mut out = Vec::new();
    put_varint(&mut out, tags.len());
    for tag in tags {
        put_text(&mut out, &tag.name, Part::Name)?;
        put_text(&mut out, &tag.value, Part::Value)?;
    }
    out.push(0);
    if out.len() > TAGS_BYTES_MAX {
        return Err(TagError {
            offset: TAGS_BYTES_MAX,
            flaw: TagFlaw::TooLong(out.len() as u64),
        });
    }
    Ok(out)
}

/// Decodes the bytes of `count` tags, both as an item's header declares them.
///
/// # Errors
///
/// Any spelling but the canonical one, or a broken limit, with its offset.
pub fn decode_tags(count: u64, bytes: &[u8]) -> Result<Vec<Tag>, TagError> {
    let fail = |offset, flaw| Err(TagError { offset, flaw });
    if count > TAGS_MAX as u64 {
        return fail(0, TagFlaw::TooMany(count));
    }
    if bytes.len() > TAGS_BYTES_MAX {
        return fail(0, TagFlaw::TooLong(bytes.len() as u64));
    }
    if bytes.is_empty() {
        return match count {
            0 => Ok(Vec::new()),
            declared => fail(0, TagFlaw::Count { declared, found: 0 }),
        };
    }
    let mut reader = Reader { bytes, at: 0 };
    match reader.varint()? {
        0 => return fail(0, TagFlaw::EmptyBlock),
        block if block < 0 => return fail(0, TagFlaw::NegativeBlock(block)),
        block if block.unsigned_abs() != count => {
            return fail(
                0,
                TagFlaw::Count {
                    declared: count,
                    found: block.unsigned_abs(),
                },
            );
        }
        _ => {}
    }
    let mut tags = Vec::new();
    for _ in 0..count {
        let name = reader.text(Part::Name)?;
        let value = reader.text(Part::Value)?;
        tags.push(Tag { name, value });
    }
    let end = reader.at;
    if reader.varint()? != 0 {
        return fail(end, TagFlaw::SecondBlock);
    }
    match bytes.len() - reader.at {
        0 => Ok(tags),
        left => fail(reader.at, TagFlaw::Trailing(left as u64)),
    }
}

/// The two halves of a tag, which differ in their limit and the names of their flaws.
#[derive(Clone, Copy)]
enum Part {
    Name,
    Value,
}

impl Part {
    /// The flaw of a text of this many bytes, if it has one.
    fn length_flaw(self, len: u64) -> Option<TagFlaw> {
        match self {
            Part::Name if len == 0 => Some(TagFlaw::EmptyName),
            Part::Value if len == 0 => Some(TagFlaw::EmptyValue),
            Part::Name if len > NAME_BYTES_MAX as u64 => Some(TagFlaw::NameTooLong(len)),
            Part::Value if len > VALUE_BYTES_MAX as u64 => Some(TagFlaw::ValueTooLong(len)),
            _ => None,
        }
    }

    fn utf8_flaw(self) -> TagFlaw {
        match self {
            Part::Name => TagFlaw::NameNotUtf8,
            Part::Value => TagFlaw::ValueNotUtf8,
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str, part: Part) -> Result<(), TagError> {
    if let Some(flaw) = part.length_flaw(text.len() as u64) {
        return Err(TagError {
            offset: out.len(),
            flaw,
        });
    }
    put_varint(out, text.len());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Writes a number that is not negative and was checked against a small limit.
fn put_varint(out: &mut Vec<u8>, number: usize) {
    let mut rest = (number as u64) << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, offset: usize, flaw: TagFlaw) -> Result<T, TagError> {
        Err(TagError { offset, flaw })
    }

    fn varint(&mut self) -> Result<i64, TagError> {
        let start = self.at;
        let mut raw = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return self.fail(self.at, TagFlaw::Truncated(self.bytes.len() as u64));
            };
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            raw |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return self.fail(start, TagFlaw::OverlongVarint);
                }
                return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
            }
        }
        self.fail(start, TagFlaw::VarintRange)
    }

    fn text(&mut self, part: Part) -> Result<String, TagError> {
        let start = self.at;
        let length = self.varint()?;
        let Ok(len) = u64::try_from(length) else {
            return self.fail(start, TagFlaw::NegativeLength(length));
        };
        if let Some(flaw) = part.length_flaw(len) {
            return self.fail(start, flaw);
        }
        // The limit has held, so the length fits and the sum cannot overflow.
        let end = self.at + len as usize;
        let Some(bytes) = self.bytes.get(self.at..end) else {
            return self.fail(self.at, TagFlaw::Truncated(self.bytes.len() as u64));
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.at = end;
                Ok(text.to_owned())
            }
            Err(error) => self.fail(self.at + error.valid_up_to(), part.utf8_flaw()),
        }
    }
}

#[cfg(test)]
mod tests;
