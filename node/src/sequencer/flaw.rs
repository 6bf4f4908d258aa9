//! What can be wrong with a block, and why one is not proposed.

use protocol::ans104::{BundleError, BundleFlaw};
use protocol::id::{Address, Digest, ItemId, NetworkId};
use protocol::record::RecordError;

use super::{AHEAD_MS_MAX, SignError};

/// What is wrong with a block.
#[derive(Debug, thiserror::Error)]
pub enum BlockFlaw {
    /// Its bundle, or an item of it.
    #[error("{0}")]
    Bundle(BundleFlaw),
    /// An empty bundle.
    #[error("there is no header")]
    NoHeader,
    /// The first item is no header.
    #[error("header: {0}")]
    Header(RecordError),
    /// An item is no record.
    #[error("{0}")]
    Record(RecordError),
    /// Somebody else's block.
    #[error("the block is signed by {found}, and this network's proposer is {expected}")]
    Proposer {
        /// Who signed.
        found: Address,
        /// Who may.
        expected: Address,
    },
    /// Another network's block.
    #[error("the block is of network {found}, this is {expected}")]
    Network {
        /// The header's.
        found: NetworkId,
        /// This one.
        expected: NetworkId,
    },
    /// Not the next height.
    #[error("this is block {found}, and block {expected} is next")]
    Height {
        /// The header's.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Another parent.
    #[error("the block's parent is {found}, and the last block is {expected}")]
    Parent {
        /// The header's.
        found: ItemId,
        /// The tip.
        expected: ItemId,
    },
    /// Time does not rise.
    #[error("the block's time {found} is not above its parent's, {parent}")]
    Time {
        /// The header's.
        found: u64,
        /// The parent's.
        parent: u64,
    },
    /// Time lies too far ahead.
    #[error(
        "the block's time {found} is more than {AHEAD_MS_MAX} ms ahead of this clock, {clock}. Check the clocks"
    )]
    Ahead {
        /// The header's.
        found: u64,
        /// The verifier's clock.
        clock: u64,
    },
    /// Another state before the block.
    #[error("the header names the state root {found}; the root after the parent is {expected}")]
    StateRoot {
        /// The header's.
        found: Digest,
        /// The state's.
        expected: Digest,
    },
    /// Other receipts before the block.
    #[error("the header names the receipts root {found}; the root of the parent's is {expected}")]
    ReceiptsRoot {
        /// The header's.
        found: Digest,
        /// The parent's.
        expected: Digest,
    },
    /// Too many bytes of records.
    #[error("the records have more than the {limit} bytes that a block of this network may hold")]
    Bytes {
        /// The limit.
        limit: u32,
    },
    /// Another number of items.
    #[error("the header names {named} items, {found} follow")]
    Count {
        /// The header's.
        named: u32,
        /// How many there are.
        found: u64,
    },
    /// Other items, or in another order.
    #[error(
        "the items have the root {found}, the header names {named}: other items, or another order"
    )]
    ItemsRoot {
        /// The header's.
        named: Digest,
        /// The items'.
        found: Digest,
    },
}

/// What is wrong with a block, and where.
#[derive(Debug, thiserror::Error)]
#[error(
    "block, {}byte {offset}: {flaw}",
    item.map(|item| if item == 0 { "header, ".to_owned() } else { format!("item {item}, ") })
        .unwrap_or_default()
)]
pub struct BlockError {
    /// The item's place in the block, from 0 for the header; none for the whole.
    pub item: Option<u64>,
    /// In bytes from the beginning of the block.
    pub offset: u64,
    /// What was found.
    pub flaw: BlockFlaw,
}

impl From<BundleError> for BlockError {
    fn from(error: BundleError) -> Self {
        Self {
            item: error.index,
            offset: error.offset,
            flaw: BlockFlaw::Bundle(error.flaw),
        }
    }
}

/// Why no block was proposed.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// This node follows.
    #[error("this node has no proposer's key, so it follows: send the records to the proposer")]
    Follower,
    /// The signer failed.
    #[error("the block's header was not signed: {0}. Unlock the proposer's key and try again")]
    Sign(SignError),
    /// The signer gave something else than the header it was asked for.
    #[error("the signer gave another item than the header that it was asked for: {0}")]
    Signed(BlockFlaw),
}
