//! The form of the ANS-104 vectors, shared by the tests and by the interop example.
//!
//! An item is stored as its fields and its head, all bytes before its data; the
//! data follows from its length by [`pattern`]. Signatures are deterministic, so
//! two implementations that agree write the same bytes.

// Each of the programs that include this file uses a part of it.
#![allow(dead_code)]

use base64ct::{Base64UrlUnpadded, Encoding};
use protocol::ans104::{Draft, SignedItem, Tag, VerifiedItem};
use protocol::keys::{PublicKey, SecretKey};
use protocol::{Address, Digest, ItemId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub made_by: String,
    pub items: Vec<Case>,
    pub bundle: Bundle,
    #[serde(default)]
    pub loose: Vec<Loose>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub seed: Digest,
    pub target: Option<Digest>,
    pub anchor: Option<Digest>,
    pub tags: Vec<Tag>,
    pub data_len: usize,
    pub head: String,
    pub id: ItemId,
    pub owner: PublicKey,
    pub address: Address,
}

/// All items of the file, in their order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub size_bytes: usize,
    pub sha256: Digest,
}

/// An item that the other implementation writes or takes and ours must not.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loose {
    pub name: String,
    /// The name of the flaw that our decoder gives.
    pub flaw: String,
    pub accepted_there: bool,
    pub item: String,
}

pub fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i * 31 + (i >> 8) * 17 + 7) as u8)
        .collect()
}

pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    Base64UrlUnpadded::decode_vec(text).map_err(|error| error.to_string())
}

impl Case {
    /// The case of a draft whose data is [`pattern`].
    pub fn of(name: String, seed: [u8; 32], draft: Draft) -> Result<(Self, VerifiedItem), String> {
        let data_len = draft.data.len();
        let (target, anchor) = (draft.target.map(Digest), draft.anchor.map(Digest));
        let tags = draft.tags.clone();
        let item = draft
            .sign(&SecretKey::from_seed(&seed))
            .map_err(|error| error.to_string())?;
        let head = &item.bytes()[..item.bytes().len() - data_len];
        let case = Self {
            name,
            seed: Digest(seed),
            target,
            anchor,
            tags,
            data_len,
            head: Base64UrlUnpadded::encode_string(head),
            id: item.id(),
            owner: item.owner(),
            address: item.address(),
        };
        Ok((case, item))
    }

    /// Reads the stored item, compares every field, and signs the same bytes again.
    pub fn check(&self) -> Result<VerifiedItem, String> {
        let mut stored = bytes(&self.head)?;
        stored.extend_from_slice(&pattern(self.data_len));
        let item = SignedItem::decode(&stored)
            .and_then(SignedItem::verify)
            .map_err(|error| error.to_string())?;
        let fields = [
            ("id", item.id() == self.id),
            ("owner", item.owner() == self.owner),
            ("address", item.address() == self.address),
            (
                "target",
                item.target() == self.target.as_ref().map(Digest::as_bytes),
            ),
            (
                "anchor",
                item.anchor() == self.anchor.as_ref().map(Digest::as_bytes),
            ),
            ("tags", item.tags() == self.tags),
            ("data", item.data() == pattern(self.data_len)),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, equal)| !equal) {
            return Err(format!("another {field}"));
        }
        let draft = Draft {
            target: self.target.map(|target| target.0),
            anchor: self.anchor.map(|anchor| anchor.0),
            tags: self.tags.clone(),
            data: pattern(self.data_len),
        };
        let ours = draft
            .sign(&SecretKey::from_seed(&self.seed.0))
            .map_err(|error| error.to_string())?;
        if ours.bytes() != stored {
            return Err("signing the same draft gives other bytes".into());
        }
        Ok(item)
    }
}

impl Loose {
    /// The item is refused, and by the flaw that the vector names.
    pub fn check(&self) -> Result<(), String> {
        let read = SignedItem::decode(&bytes(&self.item)?).and_then(SignedItem::verify);
        match read {
            Ok(_) => Err("it was taken".into()),
            // A flaw may hold the one that is meant: Tags(OverlongVarint).
            Err(error) if format!("{:?}", error.flaw).contains(&self.flaw) => Ok(()),
            Err(error) => Err(format!("it was refused for another reason: {error}")),
        }
    }
}
