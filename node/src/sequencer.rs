//! The sequencer: who orders records into blocks, and which blocks count.
//!
//! [`Solo`] orders on one machine: the signer of the genesis proposes every
//! block. It holds no key: a [`Proposer`] signs what it drafts, and without one
//! it follows only.
//!
//! Invariants: a sequencer's tip is the last block that was committed; a block
//! that it verified follows that tip: height, parent, rising time, the roots
//! after the tip, the number of items and their root, every item canonical,
//! under a signature that holds, and read once. Whoever orders and keeps time
//! alone is trusted for both; nothing here can tell that a solo operator left a
//! record out.
//!
//! It knows no rule of the market, no disk and no clock.

mod flaw;

use protocol::ans104::bundle::BundleReader;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::block::{Header, HeaderRecord, items_root};
use protocol::id::{Address, Digest, ItemId, NetworkId};
use protocol::record::{GenesisRecord, Transaction};

use crate::block::{BODY_LIMITS, Block, Record};

pub use flaw::{BlockError, BlockFlaw, ProposeError};

/// How far ahead of the verifier's clock a block's time may lie: 10 s.
pub const AHEAD_MS_MAX: u64 = 10_000;

/// Why a header was not signed: in the signer's own words.
pub type SignError = Box<dyn std::error::Error + Send + Sync>;

/// Signs headers with the proposer's key, which this crate never sees. Any
/// closure that signs a draft is one.
pub trait Proposer: Send + Sync {
    /// Signs the draft of a header.
    ///
    /// # Errors
    ///
    /// The key is not at hand.
    fn sign(&self, draft: Draft) -> Result<VerifiedItem, SignError>;
}

impl<F: Fn(Draft) -> Result<VerifiedItem, SignError> + Send + Sync> Proposer for F {
    fn sign(&self, draft: Draft) -> Result<VerifiedItem, SignError> {
        self(draft)
    }
}

/// Where a chain ends, and what the next block must build on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last block's height; 0 for the genesis.
    pub height: u64,
    /// Its header item, or the genesis item.
    pub id: ItemId,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The state's root after it.
    pub state_root: Digest,
    /// The root of its receipts.
    pub receipts_root: Digest,
}

/// Who orders.
pub trait Sequencer: Send {
    /// The last committed block.
    fn tip(&self) -> &Tip;

    /// Makes the next block of these records: its header filled in and signed.
    ///
    /// # Errors
    ///
    /// This node may not propose, or its signer fails.
    fn propose(&self, time_ms: u64, records: Vec<Record>) -> Result<Block, ProposeError>;

    /// Checks a block from the log or from another node against the tip.
    ///
    /// # Errors
    ///
    /// What this module's head promises of a verified block does not hold.
    fn verify(&self, bytes: &[u8]) -> Result<Block, BlockError>;

    /// Takes a block that is on the log, and the roots after it, as the new tip.
    fn commit(&mut self, block: &Block, state_root: Digest, receipts_root: Digest);
}

/// One machine orders.
pub struct Solo {
    network: NetworkId,
    proposer: Address,
    block_bytes_max: u32,
    signer: Option<Box<dyn Proposer>>,
    tip: Tip,
}

impl std::fmt::Debug for Solo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Solo")
            .field("proposer", &self.proposer)
            .field("tip", &self.tip)
            .finish_non_exhaustive()
    }
}

impl Solo {
    /// A sequencer of this network that stands at `tip`; without a signer it follows.
    pub fn new(genesis: &GenesisRecord, tip: Tip, signer: Option<Box<dyn Proposer>>) -> Self {
        Self {
            network: genesis.network,
            proposer: genesis.proposer,
            block_bytes_max: genesis.genesis.parameters.block_bytes_max,
            signer,
            tip,
        }
    }

    /// Whether this node may propose.
    pub fn can_propose(&self) -> bool {
        self.signer.is_some()
    }

    /// The most bytes of records in a block.
    pub fn block_bytes_max(&self) -> u32 {
        self.block_bytes_max
    }

    /// Begins to verify a block whose header has arrived and whose items follow.
    pub(crate) fn receive(&self, header_item: VerifiedItem) -> Result<Arriving, BlockFlaw> {
        let header = HeaderRecord::read(&header_item).map_err(BlockFlaw::Header)?;
        self.check(&header)?;
        Ok(Arriving {
            header_item,
            header,
            records: Vec::new(),
            bytes_left: self.block_bytes_max as usize,
            bytes_max: self.block_bytes_max,
        })
    }

    /// Checks all that a header says without its items.
    fn check(&self, record: &HeaderRecord) -> Result<(), BlockFlaw> {
        let (tip, header) = (&self.tip, &record.header);
        if record.network != self.network {
            let (found, expected) = (record.network, self.network);
            return Err(BlockFlaw::Network { found, expected });
        }
        if record.proposer != self.proposer {
            let (found, expected) = (record.proposer, self.proposer);
            return Err(BlockFlaw::Proposer { found, expected });
        }
        if tip.height.checked_add(1) != Some(header.height) {
            let (found, expected) = (header.height, tip.height.saturating_add(1));
            return Err(BlockFlaw::Height { found, expected });
        }
        if header.parent != tip.id {
            let (found, expected) = (header.parent, tip.id);
            return Err(BlockFlaw::Parent { found, expected });
        }
        if header.time_ms <= tip.time_ms {
            let (found, parent) = (header.time_ms, tip.time_ms);
            return Err(BlockFlaw::Time { found, parent });
        }
        if header.state_root != tip.state_root {
            let (found, expected) = (header.state_root, tip.state_root);
            return Err(BlockFlaw::StateRoot { found, expected });
        }
        if header.receipts_root != tip.receipts_root {
            let (found, expected) = (header.receipts_root, tip.receipts_root);
            return Err(BlockFlaw::ReceiptsRoot { found, expected });
        }
        Ok(())
    }
}

impl Sequencer for Solo {
    fn tip(&self) -> &Tip {
        &self.tip
    }

    fn propose(&self, time_ms: u64, records: Vec<Record>) -> Result<Block, ProposeError> {
        let signer = self.signer.as_ref().ok_or(ProposeError::Follower)?;
        let header = Header {
            height: self.tip.height + 1,
            time_ms,
            parent: self.tip.id,
            items: records.len() as u32,
            items_root: items_root(records.iter().map(|record| record.item.id())),
            state_root: self.tip.state_root,
            receipts_root: self.tip.receipts_root,
        };
        let draft = header.draft(self.network);
        let item = signer.sign(draft).map_err(ProposeError::Sign)?;
        // The same checks that every other node will make.
        let mut block = self.receive(item).map_err(ProposeError::Signed)?;
        for record in records {
            block.take(record).map_err(ProposeError::Signed)?;
        }
        block.finish().map_err(ProposeError::Signed)
    }

    fn verify(&self, bytes: &[u8]) -> Result<Block, BlockError> {
        let whole = |flaw| BlockError {
            item: None,
            offset: 0,
            flaw,
        };
        let mut reader = BundleReader::new(bytes, BODY_LIMITS)?;
        let found = reader.remaining().saturating_sub(1);
        // Where the next item begins.
        let mut offset = 32 + 64 * reader.remaining();
        let header_item = match reader.next_verified() {
            Some(item) => item?,
            None => return Err(whole(BlockFlaw::NoHeader)),
        };
        let size = header_item.bytes().len() as u64;
        let in_header = |flaw| BlockError {
            item: Some(0),
            offset,
            flaw,
        };
        let mut block = self.receive(header_item).map_err(in_header)?;
        if u64::from(block.named()) != found {
            let named = block.named();
            return Err(in_header(BlockFlaw::Count { named, found }));
        }
        offset += size;
        let mut index = 1;
        while let Some(item) = reader.next_verified() {
            let item = item?;
            let size = item.bytes().len() as u64;
            let in_item = |flaw| BlockError {
                item: Some(index),
                offset,
                flaw,
            };
            block.push(item).map_err(in_item)?;
            offset += size;
            index += 1;
        }
        block.finish().map_err(whole)
    }

    fn commit(&mut self, block: &Block, state_root: Digest, receipts_root: Digest) {
        let record = block.header();
        self.tip = Tip {
            height: record.header.height,
            id: record.id,
            time_ms: record.header.time_ms,
            state_root,
            receipts_root,
        };
    }
}

/// A block whose header was checked and whose items are arriving. It holds no
/// more bytes of records than a block may have.
#[derive(Debug)]
pub(crate) struct Arriving {
    header_item: VerifiedItem,
    header: HeaderRecord,
    records: Vec<Record>,
    bytes_left: usize,
    bytes_max: u32,
}

impl Arriving {
    /// How many items the header names.
    pub(crate) fn named(&self) -> u32 {
        self.header.header.items
    }

    /// Reads the next item.
    pub(crate) fn push(&mut self, item: VerifiedItem) -> Result<(), BlockFlaw> {
        let tx = Transaction::read(&item).map_err(BlockFlaw::Record)?;
        self.take(Record { item, tx })
    }

    fn take(&mut self, record: Record) -> Result<(), BlockFlaw> {
        let left = self.bytes_left.checked_sub(record.item.bytes().len());
        let limit = self.bytes_max;
        self.bytes_left = left.ok_or(BlockFlaw::Bytes { limit })?;
        self.records.push(record);
        Ok(())
    }

    /// Compares the items with what the header names.
    pub(crate) fn finish(self) -> Result<Block, BlockFlaw> {
        let header = &self.header.header;
        let found = self.records.len() as u64;
        if found != u64::from(header.items) {
            return Err(BlockFlaw::Count {
                named: header.items,
                found,
            });
        }
        let found = items_root(self.records.iter().map(|record| record.item.id()));
        if found != header.items_root {
            return Err(BlockFlaw::ItemsRoot {
                named: header.items_root,
                found,
            });
        }
        Ok(Block::assemble(self.header_item, self.header, self.records))
    }
}

#[cfg(test)]
mod tests;
