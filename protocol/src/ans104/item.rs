//! Data items: drafts, signed items, verified items.
//!
//! ```text
//! offset  field (integers little-endian)                 bytes
//! 0       signature type: 2, ed25519                     2
//! 2       signature                                      64
//! 66      owner: the public key                          32
//! 98      target: 0, or 1 and 32 bytes                   1 or 33
//! next    anchor: 0, or 1 and 32 bytes                   1 or 33
//! next    number of tags                                 8
//! next    number of tag bytes                            8
//! next    tags ([`super::tags`])                         as declared
//! rest    data, to the end of the item                   rest
//! ```
//!
//! Signed is the deep hash of the list `"dataitem"`, `"1"`, `"2"`, owner,
//! target, anchor (empty where absent), the tag bytes, data. The id is SHA-256
//! of the signature.
//!
//! Invariants: a [`SignedItem`] was read or made in full and is canonical: its
//! fields encode to exactly its bytes. A [`VerifiedItem`] also has a valid signature;
//! only signing and verifying make one, so whoever takes one checks nothing
//! again. The id covers only the signature, and a key's holder can sign the
//! same content twice: duplicates are judged by (owner, nonce), never by id.

use std::ops::Deref;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::deep_hash::{self, DeepHash};
use super::tags::{TAGS_BYTES_MAX, TAGS_MAX, Tag, TagError, TagFlaw, decode_tags, encode_tags};
use crate::id::{Address, ItemId};
use crate::keys::{KeyError, PUBLIC_KEY_LEN, PublicKey, SIGNATURE_LEN, SecretKey, SignatureError};

/// The signature type of ed25519, the only one that is read.
pub const SIGNATURE_TYPE: u16 = 2;
/// Bytes of the smallest item: no target, no anchor, no tags, no data.
pub const ITEM_BYTES_MIN: usize = 116;
/// Most bytes before an item's data.
pub const HEADER_BYTES_MAX: usize = ITEM_BYTES_MIN + 64 + TAGS_BYTES_MAX;

const SIGNATURE_OFFSET: usize = 2;
const OWNER_OFFSET: usize = SIGNATURE_OFFSET + SIGNATURE_LEN;
const TARGET_OFFSET: usize = OWNER_OFFSET + PUBLIC_KEY_LEN;

/// What is wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ItemFlaw {
    /// The bytes end inside a field.
    #[error("the item ends inside its {field}, which needs {missing} bytes more")]
    Truncated {
        /// The field's name.
        field: &'static str,
        /// Bytes that are missing.
        missing: usize,
    },
    /// A signature type other than ed25519.
    #[error("signature type {found} ({name}): only type 2, ed25519, is read")]
    SignatureType {
        /// The number that was found.
        found: u16,
        /// What ANS-104 calls it.
        name: &'static str,
    },
    /// The owner is not a canonical key, or one of small order.
    #[error("owner: {0}")]
    Owner(KeyError),
    /// A presence byte that is neither 0 nor 1.
    #[error("presence byte {found} of the {field}: it is 0 or 1")]
    Presence {
        /// The field's name.
        field: &'static str,
        /// The byte that was found.
        found: u8,
    },
    /// A tag, or the list of tags.
    #[error("tags: {0}")]
    Tags(TagFlaw),
    /// The signature does not hold.
    #[error("{0}")]
    Signature(SignatureError),
    /// Another number of data bytes than declared came through a stream.
    #[error("{declared} bytes of data were declared and {found} came")]
    DataLength {
        /// Bytes declared at the start.
        declared: u64,
        /// Bytes that came, or one more than declared where reading stopped.
        found: u64,
    },
}

/// What is wrong with an item, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("data item, byte {offset}: {flaw}")]
pub struct ItemError {
    /// Where it was found, in bytes from the start of the item.
    pub offset: usize,
    /// What was found.
    pub flaw: ItemFlaw,
}

impl ItemError {
    pub(super) fn new(offset: usize, flaw: ItemFlaw) -> Self {
        Self { offset, flaw }
    }

    fn tags(start: usize, error: TagError) -> Self {
        Self::new(start + error.offset, ItemFlaw::Tags(error.flaw))
    }
}

/// An item that is not signed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The address that it is meant for, if any.
    pub target: Option<[u8; 32]>,
    /// 32 bytes of the signer's choice, if any.
    pub anchor: Option<[u8; 32]>,
    /// Its tags, in order.
    pub tags: Vec<Tag>,
    /// Its data.
    pub data: Vec<u8>,
}

impl Draft {
    /// Signs the draft.
    ///
    /// # Errors
    ///
    /// The tags break a limit.
    pub fn sign(self, key: &SecretKey) -> Result<VerifiedItem, ItemError> {
        let data_hash = deep_hash::blob(&self.data);
        let (header, mut bytes) =
            ItemHeader::sign(key, self.target, self.anchor, self.tags, &data_hash)?;
        bytes.extend_from_slice(&self.data);
        Ok(VerifiedItem(SignedItem::assemble(header, bytes)))
    }

    /// The 48 bytes that the owner's key has to sign, for a key that is held
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// The tags break a limit.
    pub fn message(&self, owner: &PublicKey) -> Result<DeepHash, ItemError> {
        let start = tags_offset(self.target, self.anchor);
        let raw_tags = encode_tags(&self.tags).map_err(|error| ItemError::tags(start, error))?;
        let data_hash = deep_hash::blob(&self.data);
        Ok(message(
            owner,
            self.target,
            self.anchor,
            &raw_tags,
            &data_hash,
        ))
    }

    /// The item that an owner's signature over [`Draft::message`] makes of the
    /// draft. The signature is not checked: [`SignedItem::verify`] does that.
    ///
    /// # Errors
    ///
    /// The tags break a limit.
    pub fn with_signature(
        self,
        owner: PublicKey,
        signature: [u8; SIGNATURE_LEN],
    ) -> Result<SignedItem, ItemError> {
        let start = tags_offset(self.target, self.anchor);
        let raw_tags = encode_tags(&self.tags).map_err(|error| ItemError::tags(start, error))?;
        let (header, mut bytes) = ItemHeader::encode(
            owner,
            signature,
            self.target,
            self.anchor,
            self.tags,
            &raw_tags,
        );
        bytes.extend_from_slice(&self.data);
        Ok(SignedItem::assemble(header, bytes))
    }
}

/// Everything of an item before its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemHeader {
    signature: [u8; SIGNATURE_LEN],
    owner: PublicKey,
    target: Option<[u8; 32]>,
    anchor: Option<[u8; 32]>,
    tags: Vec<Tag>,
    size_bytes: usize,
}

impl ItemHeader {
    /// Reads the header from an item or from a prefix of one;
    /// [`HEADER_BYTES_MAX`] bytes are always enough. The signature is not checked.
    ///
    /// # Errors
    ///
    /// Any spelling but the canonical one, or a broken limit, with its offset.
    pub fn decode(prefix: &[u8]) -> Result<Self, ItemError> {
        let mut cursor = Cursor {
            bytes: prefix,
            at: 0,
        };
        let found = u16::from_le_bytes(cursor.array("signature type")?);
        if found != SIGNATURE_TYPE {
            let name = signature_name(found);
            return Err(ItemError::new(0, ItemFlaw::SignatureType { found, name }));
        }
        let signature = cursor.array("signature")?;
        let owner = PublicKey::from_bytes(&cursor.array("owner")?)
            .map_err(|error| ItemError::new(OWNER_OFFSET, ItemFlaw::Owner(error)))?;
        let target = cursor.optional("target")?;
        let anchor = cursor.optional("anchor")?;
        let tags = cursor.tags()?;
        Ok(Self {
            signature,
            owner,
            target,
            anchor,
            tags,
            size_bytes: cursor.at,
        })
    }

    /// Signs a header for data of this deep hash; gives it with its encoding.
    pub(super) fn sign(
        key: &SecretKey,
        target: Option<[u8; 32]>,
        anchor: Option<[u8; 32]>,
        tags: Vec<Tag>,
        data_hash: &DeepHash,
    ) -> Result<(Self, Vec<u8>), ItemError> {
        let owner = key.public();
        let start = tags_offset(target, anchor);
        let raw_tags = encode_tags(&tags).map_err(|error| ItemError::tags(start, error))?;
        let message = message(&owner, target, anchor, &raw_tags, data_hash);
        let signature = key.sign(&message);
        Ok(Self::encode(
            owner, signature, target, anchor, tags, &raw_tags,
        ))
    }

    /// A header with its encoding. `raw_tags` is the encoding of `tags`.
    fn encode(
        owner: PublicKey,
        signature: [u8; SIGNATURE_LEN],
        target: Option<[u8; 32]>,
        anchor: Option<[u8; 32]>,
        tags: Vec<Tag>,
        raw_tags: &[u8],
    ) -> (Self, Vec<u8>) {
        let start = tags_offset(target, anchor);
        let mut bytes = Vec::with_capacity(start + raw_tags.len());
        bytes.extend_from_slice(&SIGNATURE_TYPE.to_le_bytes());
        bytes.extend_from_slice(&signature);
        bytes.extend_from_slice(owner.as_bytes());
        for field in [target, anchor] {
            bytes.push(u8::from(field.is_some()));
            bytes.extend_from_slice(field.as_ref().map_or(&[], |value| value.as_slice()));
        }
        bytes.extend_from_slice(&(tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(raw_tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(raw_tags);

        let header = Self {
            signature,
            owner,
            target,
            anchor,
            tags,
            size_bytes: bytes.len(),
        };
        (header, bytes)
    }

    /// Checks the signature, given the deep hash of the data.
    pub(super) fn check(&self, raw_tags: &[u8], data_hash: &DeepHash) -> Result<(), ItemError> {
        let message = message(&self.owner, self.target, self.anchor, raw_tags, data_hash);
        self.owner
            .verify(&message, &self.signature)
            .map_err(|error| ItemError::new(SIGNATURE_OFFSET, ItemFlaw::Signature(error)))
    }

    /// The item's id: SHA-256 of the signature.
    pub fn id(&self) -> ItemId {
        ItemId(Sha256::digest(self.signature).into())
    }

    /// The signature.
    pub fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }

    /// The signer's public key.
    pub fn owner(&self) -> PublicKey {
        self.owner
    }

    /// The signer's address: SHA-256 of the owner.
    pub fn address(&self) -> Address {
        self.owner.address()
    }

    /// The target, if there is one.
    pub fn target(&self) -> Option<&[u8; 32]> {
        self.target.as_ref()
    }

    /// The anchor, if there is one.
    pub fn anchor(&self) -> Option<&[u8; 32]> {
        self.anchor.as_ref()
    }

    /// The tags, in order.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The value of the first tag of this name.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|tag| tag.name == name)
            .map(|tag| tag.value.as_str())
    }

    /// Bytes of the header: where the data begins.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The tags as they stand in the item. Canonical, so encoding them again gives the same bytes.
    pub(super) fn raw_tags(&self) -> Result<Vec<u8>, ItemError> {
        let start = tags_offset(self.target, self.anchor);
        encode_tags(&self.tags).map_err(|error| ItemError::tags(start, error))
    }
}

/// An item that is complete; its signature was not checked. Clones share its bytes.
///
/// Its header's accessors ([`ItemHeader`]) are its own.
#[derive(Clone)]
pub struct SignedItem(Arc<Parsed>);

struct Parsed {
    header: ItemHeader,
    id: ItemId,
    address: Address,
    bytes: Vec<u8>,
}

impl SignedItem {
    /// Reads an item, which takes all of `bytes`. The signature is not checked.
    ///
    /// # Errors
    ///
    /// Any spelling but the canonical one, or a broken limit, with its offset.
    pub fn decode(bytes: &[u8]) -> Result<Self, ItemError> {
        let header = ItemHeader::decode(bytes)?;
        Ok(Self::assemble(header, bytes.to_vec()))
    }

    /// As [`SignedItem::decode`], without a copy.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, ItemError> {
        let header = ItemHeader::decode(&bytes)?;
        Ok(Self::assemble(header, bytes))
    }

    fn assemble(header: ItemHeader, bytes: Vec<u8>) -> Self {
        Self(Arc::new(Parsed {
            id: header.id(),
            address: header.address(),
            header,
            bytes,
        }))
    }

    /// Checks the signature, strictly.
    ///
    /// # Errors
    ///
    /// The signature does not hold.
    pub fn verify(self) -> Result<VerifiedItem, ItemError> {
        let header = &self.0.header;
        let raw_tags = &self.0.bytes[tags_offset(header.target, header.anchor)..header.size_bytes];
        header.check(raw_tags, &deep_hash::blob(self.data()))?;
        Ok(VerifiedItem(self))
    }

    /// The item's id: SHA-256 of the signature.
    pub fn id(&self) -> ItemId {
        self.0.id
    }

    /// The signer's address: SHA-256 of the owner.
    pub fn address(&self) -> Address {
        self.0.address
    }

    /// The signer's public key.
    pub fn owner(&self) -> PublicKey {
        self.0.header.owner
    }

    /// The signature.
    pub fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.0.header.signature
    }

    /// The target, if there is one.
    pub fn target(&self) -> Option<&[u8; 32]> {
        self.0.header.target()
    }

    /// The anchor, if there is one.
    pub fn anchor(&self) -> Option<&[u8; 32]> {
        self.0.header.anchor()
    }

    /// The tags, in order.
    pub fn tags(&self) -> &[Tag] {
        &self.0.header.tags
    }

    /// The value of the first tag of this name.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.0.header.tag(name)
    }

    /// Everything before the data.
    pub fn header(&self) -> &ItemHeader {
        &self.0.header
    }

    /// The data.
    pub fn data(&self) -> &[u8] {
        &self.0.bytes[self.0.header.size_bytes..]
    }

    /// The whole item, as it was read or signed.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl PartialEq for SignedItem {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for SignedItem {}

impl std::fmt::Debug for SignedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedItem")
            .field("id", &self.id())
            .field("owner", &self.owner())
            .field("tags", &self.tags())
            .field("data_bytes", &self.data().len())
            .finish_non_exhaustive()
    }
}

/// An item whose signature holds. Clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedItem(SignedItem);

impl VerifiedItem {
    /// The item, without the promise that its signature holds.
    pub fn into_signed(self) -> SignedItem {
        self.0
    }
}

impl Deref for VerifiedItem {
    type Target = SignedItem;

    fn deref(&self) -> &SignedItem {
        &self.0
    }
}

/// The 48 bytes that are signed.
fn message(
    owner: &PublicKey,
    target: Option<[u8; 32]>,
    anchor: Option<[u8; 32]>,
    raw_tags: &[u8],
    data_hash: &DeepHash,
) -> DeepHash {
    let optional = |field: Option<[u8; 32]>| match field {
        Some(value) => deep_hash::blob(&value),
        None => deep_hash::blob(b""),
    };
    deep_hash::list(&[
        deep_hash::blob(b"dataitem"),
        deep_hash::blob(b"1"),
        deep_hash::blob(b"2"),
        deep_hash::blob(owner.as_bytes()),
        optional(target),
        optional(anchor),
        deep_hash::blob(raw_tags),
        *data_hash,
    ])
}

/// Where the tag bytes begin.
fn tags_offset(target: Option<[u8; 32]>, anchor: Option<[u8; 32]>) -> usize {
    let size = |field: Option<[u8; 32]>| if field.is_some() { 33 } else { 1 };
    TARGET_OFFSET + size(target) + size(anchor) + 16
}

/// What ANS-104 and the packages call a signature type.
fn signature_name(kind: u16) -> &'static str {
    match kind {
        1 => "Arweave RSA-PSS",
        3 => "Ethereum secp256k1",
        4 => "Solana ed25519 over hexadecimal text",
        5 => "injected Aptos",
        6 => "multi-signature Aptos",
        7 => "typed Ethereum",
        8 => "Starknet",
        101 => "Kyve",
        _ => "unknown",
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], ItemError> {
        let rest = &self.bytes[self.at..];
        match rest.get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(ItemError::new(
                self.bytes.len(),
                ItemFlaw::Truncated {
                    field,
                    missing: len - rest.len(),
                },
            )),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ItemError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    fn optional(&mut self, field: &'static str) -> Result<Option<[u8; 32]>, ItemError> {
        let offset = self.at;
        match self.array(field)? {
            [0] => Ok(None),
            [1] => self.array(field).map(Some),
            [found] => Err(ItemError::new(offset, ItemFlaw::Presence { field, found })),
        }
    }

    fn tags(&mut self) -> Result<Vec<Tag>, ItemError> {
        let count_offset = self.at;
        let count = u64::from_le_bytes(self.array("number of tags")?);
        let len = u64::from_le_bytes(self.array("number of tag bytes")?);
        let fail = |offset, flaw| Err(ItemError::new(offset, ItemFlaw::Tags(flaw)));
        if count > TAGS_MAX as u64 {
            return fail(count_offset, TagFlaw::TooMany(count));
        }
        if len > TAGS_BYTES_MAX as u64 {
            return fail(count_offset + 8, TagFlaw::TooLong(len));
        }
        let start = self.at;
        let raw = self.take(len as usize, "tags")?;
        decode_tags(count, raw).map_err(|error| ItemError::tags(start, error))
    }
}

#[cfg(test)]
mod tests;
