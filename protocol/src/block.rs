//! Blocks: a header item signed by the proposer, followed by the block's items.
//!
//! The header is an ANS-104 item with the tags `App-Name: Lode`,
//! `Content-Type: application/json`, `Network`, `Record-Type: block` and the
//! body below. Its state and receipts roots are those *after its parent*: what
//! the proposer and every verifier agree on before the items are applied.
//!
//! The log of a network, exported, is one flat ANS-104 bundle: the genesis,
//! then header and items of block 1, of block 2, and so on.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::ans104::{Draft, Tag, VerifiedItem};
use crate::id::{Address, Digest, ItemId, NetworkId};
use crate::json;
use crate::merkle;
use crate::record::{RecordError, log_item_tags, read_body};

/// The most bytes a header's body may have.
pub const HEADER_BODY_BYTES_MAX: usize = 4096;

/// The body of a header item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// 1 for the first block; the genesis is height 0.
    pub height: u64,
    /// Milliseconds since 1970; above the parent's.
    pub time_ms: u64,
    /// The parent's header item, or the genesis item.
    pub parent: ItemId,
    /// How many items follow.
    pub items: u32,
    /// [`items_root`] of the items that follow.
    pub items_root: Digest,
    /// The state's root after the parent.
    pub state_root: Digest,
    /// The root of the parent's receipts.
    pub receipts_root: Digest,
}

/// A header with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRecord {
    /// The item's id: the parent of the next block.
    pub id: ItemId,
    /// Who signed it.
    pub proposer: Address,
    /// The network.
    pub network: NetworkId,
    /// The body.
    pub header: Header,
}

/// The RFC 6962 tree hash of the items' ids. An id covers the signature, and
/// the signature covers everything else; only canonical bytes are read.
pub fn items_root(ids: impl IntoIterator<Item = ItemId>) -> Digest {
    let mut tree = merkle::Accumulator::new();
    for id in ids {
        tree.push(&id.0);
    }
    tree.root()
}

impl Header {
    /// The unsigned header item.
    pub fn draft(&self, network: NetworkId) -> Draft {
        Draft {
            target: None,
            anchor: None,
            tags: vec![
                Tag::new("App-Name", "Lode"),
                Tag::new("Content-Type", "application/json"),
                Tag::new("Network", network.to_string()),
                Tag::new("Record-Type", "block"),
            ],
            data: json::to_vec(self),
        }
    }
}

impl HeaderRecord {
    /// Reads the header that a verified item carries.
    ///
    /// # Errors
    /// [`RecordError`] if the tags or the body are not a header's.
    pub fn read(item: &VerifiedItem) -> Result<Self, RecordError> {
        let tags = log_item_tags(item, "block", 4)?;
        Ok(Self {
            id: item.id(),
            proposer: item.address(),
            network: tags.parsed("Network", "is not a network id")?,
            header: read_body("block", item.data(), HEADER_BODY_BYTES_MAX)?,
        })
    }
}
