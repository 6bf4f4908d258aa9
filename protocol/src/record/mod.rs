//! Records: the signed data items that the ledger understands.
//!
//! A record is an ANS-104 item whose tags are its envelope and whose data is a
//! strict JSON body:
//!
//! | tag | value |
//! |---|---|
//! | `App-Name` | `Lode` |
//! | `Content-Type` | `application/json` |
//! | `Network` | the network's id |
//! | `Record-Type` | one of [`Action::record_type`] |
//! | `Nonce` | the signer's next nonce, from 0 |
//! | `Valid-Until` | milliseconds since 1970; a block after it refuses the record |
//!
//! Each stands exactly once. The item's target is the actor that the record
//! addresses: the recipient of a transfer, the bounty, the asset. Records that
//! put something under a licence (an asset, a submission, a vote on terms) carry the Universal
//! Data License's tags beside the envelope; any other tag is refused. The anchor
//! is not used.
//!
//! [`Transaction::read`] takes a [`VerifiedItem`], so who holds a `Transaction`
//! holds a checked signature.

mod action;
mod genesis;

pub use action::*;
pub use genesis::*;

use crate::amount::Amount;
use crate::ans104::item::ITEM_BYTES_MIN;
use crate::ans104::{Draft, Tag, VerifiedItem, encode_tags};
use crate::id::{Address, ItemId, NetworkId};
use crate::json::{self, JsonError};
use crate::text::excerpt;

/// The most bytes a record may have, signature and tags included.
pub const RECORD_BYTES_MAX: usize = 512 * 1024;

const APP_NAME: &str = "Lode";
const CONTENT_TYPE: &str = "application/json";
const ENVELOPE_TAGS: [&str; 6] = [
    "App-Name",
    "Content-Type",
    "Network",
    "Record-Type",
    "Nonce",
    "Valid-Until",
];

/// Which network a record is for, its place among its signer's records, and how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The network.
    pub network: NetworkId,
    /// The signer's next nonce: 0, 1, 2 and so on, without gaps.
    pub nonce: u64,
    /// The last block time, in milliseconds since 1970, at which the record may be included.
    pub valid_until_ms: u64,
}

/// A record that was read from a verified item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The item's id.
    pub id: ItemId,
    /// The address of its signer.
    pub signer: Address,
    /// Network, nonce, validity.
    pub envelope: Envelope,
    /// What it asks for.
    pub action: Action,
    /// Bytes of the whole item, which the byte fee counts.
    pub size_bytes: u32,
}

/// Why an item is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More bytes than [`RECORD_BYTES_MAX`].
    #[error("the record has {0} bytes, the limit is {RECORD_BYTES_MAX}")]
    TooLong(usize),
    /// An envelope tag is not there.
    #[error("the tag '{0}' is missing")]
    MissingTag(&'static str),
    /// A tag stands twice.
    #[error("the tag '{0}' stands twice")]
    DuplicateTag(String),
    /// A tag that this record type does not have.
    #[error("a record of type '{record_type}' has no tag '{tag}'")]
    UnknownTag {
        /// The record's type.
        record_type: String,
        /// The tag's name.
        tag: String,
    },
    /// An envelope tag with a value that it cannot have.
    #[error("the tag '{tag}' has the value '{value}', which {why}")]
    BadTag {
        /// The tag's name.
        tag: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record type that this version does not know.
    #[error("the record type '{0}' is unknown to this version")]
    UnknownType(String),
    /// The target is missing, or there is one where none belongs.
    #[error("a record of type '{record_type}' {why}")]
    Target {
        /// The record's type.
        record_type: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The anchor is not used.
    #[error("a record has no anchor, this item has one")]
    Anchor,
    /// More tags than an item may have, or longer ones.
    #[error("the tags break a limit of ANS-104 items")]
    Tags,
    /// The body is not the strict JSON of this type.
    #[error("the body of a '{record_type}' is not valid: {error}")]
    Body {
        /// The record's type.
        record_type: &'static str,
        /// What is wrong, with line and column.
        error: JsonError,
    },
}

impl RecordError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "record_too_long",
            Self::MissingTag(_) => "record_tag_missing",
            Self::DuplicateTag(_) => "record_tag_duplicate",
            Self::UnknownTag { .. } => "record_tag_unknown",
            Self::BadTag { .. } => "record_tag_value",
            Self::UnknownType(_) => "record_type_unknown",
            Self::Target { .. } => "record_target",
            Self::Anchor => "record_anchor",
            Self::Tags => "record_tags",
            Self::Body { .. } => "record_body",
        }
    }
}

impl Transaction {
    /// Reads the record that a verified item carries.
    ///
    /// # Errors
    /// [`RecordError`] for everything that the module's head does not allow.
    pub fn read(item: &VerifiedItem) -> Result<Self, RecordError> {
        let parts = Parts {
            size_bytes: item.bytes().len(),
            target: item.target().copied(),
            has_anchor: item.anchor().is_some(),
            tags: item.tags(),
            data: item.data(),
        };
        parts.read(item.id(), item.address())
    }

    /// Reads the record that a draft would be if `signer` signed it, to try what
    /// would come of it. Its id is a stand-in: the real one comes with the signature.
    ///
    /// # Errors
    /// As [`Self::read`]; or the tags break a limit of items.
    pub fn of_draft(signer: Address, draft: &Draft) -> Result<Self, RecordError> {
        let tags = encode_tags(&draft.tags).map_err(|_| RecordError::Tags)?;
        let parts = Parts {
            size_bytes: ITEM_BYTES_MIN
                + draft.target.map_or(0, |target| target.len())
                + draft.anchor.map_or(0, |anchor| anchor.len())
                + tags.len()
                + draft.data.len(),
            target: draft.target,
            has_anchor: draft.anchor.is_some(),
            tags: &draft.tags,
            data: &draft.data,
        };
        parts.read(ItemId([0; 32]), signer)
    }

    /// The unsigned item of an action.
    pub fn draft(envelope: &Envelope, action: &Action) -> Draft {
        let mut tags = vec![
            Tag::new("App-Name", APP_NAME),
            Tag::new("Content-Type", CONTENT_TYPE),
            Tag::new("Network", envelope.network.to_string()),
            Tag::new("Record-Type", action.record_type()),
            Tag::new("Nonce", envelope.nonce.to_string()),
            Tag::new("Valid-Until", envelope.valid_until_ms.to_string()),
        ];
        tags.extend(action.terms().iter().cloned());
        Draft {
            target: action.target(),
            anchor: None,
            tags,
            data: action.body(),
        }
    }

    /// The byte fee at `fee_per_byte`; `None` if it does not fit.
    pub fn byte_fee(&self, fee_per_byte: Amount) -> Option<Amount> {
        fee_per_byte.checked_mul(u128::from(self.size_bytes))
    }
}

/// What a record is read from: an item, or a draft of one.
struct Parts<'a> {
    size_bytes: usize,
    target: Option<[u8; 32]>,
    has_anchor: bool,
    tags: &'a [Tag],
    data: &'a [u8],
}

impl Parts<'_> {
    fn read(self, id: ItemId, signer: Address) -> Result<Transaction, RecordError> {
        let size = self.size_bytes;
        if size > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong(size));
        }
        if self.has_anchor {
            return Err(RecordError::Anchor);
        }
        let tags = Envelope::tags(self.tags)?;
        let network = tags.parsed("Network", "is not a network id")?;
        let envelope = Envelope {
            network,
            nonce: tags.number("Nonce")?,
            valid_until_ms: tags.number("Valid-Until")?,
        };
        let record_type = tags.text("Record-Type")?;
        let action = Action::read(record_type, self.target, tags.rest, self.data)?;
        Ok(Transaction {
            id,
            signer,
            envelope,
            action,
            size_bytes: size as u32,
        })
    }
}

/// The envelope's tags by name, and the others in their order.
pub(crate) struct EnvelopeTags<'a> {
    known: [Option<&'a str>; ENVELOPE_TAGS.len()],
    pub(crate) rest: Vec<Tag>,
}

impl Envelope {
    /// Sorts the tags of an item into the envelope's and the others.
    pub(crate) fn tags(tags: &[Tag]) -> Result<EnvelopeTags<'_>, RecordError> {
        let mut sorted = EnvelopeTags {
            known: Default::default(),
            rest: Vec::new(),
        };
        for tag in tags {
            match ENVELOPE_TAGS.iter().position(|name| *name == tag.name) {
                Some(place) if sorted.known[place].is_some() => {
                    return Err(RecordError::DuplicateTag(excerpt(&tag.name)));
                }
                Some(place) => sorted.known[place] = Some(&tag.value),
                None => sorted.rest.push(tag.clone()),
            }
        }
        sorted.constant("App-Name", APP_NAME)?;
        sorted.constant("Content-Type", CONTENT_TYPE)?;
        Ok(sorted)
    }
}

impl<'a> EnvelopeTags<'a> {
    pub(crate) fn text(&self, name: &'static str) -> Result<&'a str, RecordError> {
        let place = ENVELOPE_TAGS.iter().position(|known| *known == name);
        place
            .and_then(|place| self.known[place])
            .ok_or(RecordError::MissingTag(name))
    }

    fn constant(&self, name: &'static str, value: &str) -> Result<(), RecordError> {
        if self.text(name)? == value {
            return Ok(());
        }
        Err(self.bad(name, "is not a record's"))
    }

    pub(crate) fn parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        why: &'static str,
    ) -> Result<T, RecordError> {
        self.text(name)?.parse().map_err(|_| self.bad(name, why))
    }

    /// A canonical decimal number.
    fn number(&self, name: &'static str) -> Result<u64, RecordError> {
        let text = self.text(name)?;
        let number: u64 = self.parsed(name, "is not a 64-bit number")?;
        if number.to_string() != text {
            return Err(self.bad(name, "is not written in canonical digits"));
        }
        Ok(number)
    }

    fn bad(&self, tag: &'static str, why: &'static str) -> RecordError {
        let value = excerpt(self.text(tag).unwrap_or_default());
        RecordError::BadTag { tag, value, why }
    }
}

/// The tags of an item of the log itself, a genesis or a header: of this type,
/// with so many tags, to nobody, after nothing.
pub(crate) fn log_item_tags<'a>(
    item: &'a VerifiedItem,
    record_type: &'static str,
    tag_count: usize,
) -> Result<EnvelopeTags<'a>, RecordError> {
    let tags = Envelope::tags(item.tags())?;
    let found = tags.text("Record-Type")?;
    if found != record_type {
        return Err(RecordError::UnknownType(excerpt(found)));
    }
    if item.tags().len() != tag_count {
        let tag = item.tags().last().map(|tag| excerpt(&tag.name));
        return Err(RecordError::UnknownTag {
            record_type: record_type.to_owned(),
            tag: tag.unwrap_or_default(),
        });
    }
    if item.target().is_some() {
        return Err(RecordError::Target {
            record_type,
            why: "has no target",
        });
    }
    if item.anchor().is_some() {
        return Err(RecordError::Anchor);
    }
    Ok(tags)
}

/// Reads a strict JSON body.
pub(crate) fn read_body<T: serde::de::DeserializeOwned + serde::Serialize>(
    record_type: &'static str,
    data: &[u8],
    limit_bytes: usize,
) -> Result<T, RecordError> {
    json::from_slice_by_name(data, limit_bytes)
        .map_err(|error| RecordError::Body { record_type, error })
}

#[cfg(test)]
mod tests;
