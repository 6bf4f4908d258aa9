//! Replay: an exported log, recomputed from nothing but itself.
//!
//! Every signature is verified strictly, every header checked against the block
//! before it, every record applied, every root recomputed, and at the end every
//! purse counted. Beside the state it holds one block and 40 bytes an item. A bit
//! that was changed anywhere is refused, and the place is named.
//!
//! What it cannot see: an export from which the last blocks were left out whole,
//! under a bundle header that fits, is a shorter log of the same network.
//! Whoever needs to know compares height and root with those of another source.
//! And whoever has the proposer's key can write another log.

use std::io::Read;

use market::State;
use protocol::ans104::bundle::{BundleReader, Limits};
use protocol::ans104::{BundleError, BundleFlaw, VerifiedItem};
use protocol::id::{Digest, ItemId, NetworkId};
use protocol::record::GenesisRecord;

use crate::block::{BODY_LIMITS, Block};
use crate::chain::{self, ChainError};
use crate::sequencer::{BlockFlaw, Sequencer, Solo};

/// Most items of an export: 2^32.
pub const EXPORT_ITEMS_MAX: u64 = 1 << 32;

/// How far an export or a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The height of the block at hand.
    pub height: u64,
    /// Items that are done.
    pub items: u64,
    /// Items in all.
    pub items_total: u64,
}

/// What an export came to.
pub struct Replay {
    /// The network.
    pub network: NetworkId,
    /// The height of the last block.
    pub height: u64,
    /// The last block's header item, or the genesis item.
    pub tip: ItemId,
    /// The last block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The state's root after it.
    pub state_root: Digest,
    /// The root of its receipts.
    pub receipts_root: Digest,
    /// Blocks, the genesis not counted.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// Those of them that a rule rejected: they paid their fee and changed nothing.
    pub rejected: u64,
    /// The state after the last block.
    pub state: State,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("network", &self.network)
            .field("height", &self.height)
            .field("state_root", &self.state_root)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// Why an export is not the log of a network.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFlaw {
    /// The bundle, or an item of it.
    #[error("{0}")]
    Bundle(BundleFlaw),
    /// An empty bundle.
    #[error("an empty bundle: a log begins with its genesis")]
    Empty,
    /// The genesis begins no network, or a record may not be included.
    #[error("{0}")]
    Chain(Box<ChainError>),
    /// A block does not follow the one before.
    #[error("{0}")]
    Block(BlockFlaw),
    /// The bundle ends inside a block.
    #[error("the log ends after {found} of the {named} items of this block")]
    Unfinished {
        /// Items that the header names.
        named: u32,
        /// Items that are there.
        found: u32,
    },
    /// The purses do not add up: a bug in the rules.
    #[error("the purses of the last state do not add up to the supply. This is a bug: report it")]
    Supply,
}

impl From<ChainError> for ReplayFlaw {
    fn from(error: ChainError) -> Self {
        Self::Chain(Box::new(error))
    }
}

/// Why an export was refused, and where.
#[derive(Debug, thiserror::Error)]
#[error(
    "export, byte {offset}{}{}: {flaw}",
    item.map(|item| format!(", item {item}")).unwrap_or_default(),
    height.map(|height| format!(", block {height}")).unwrap_or_default()
)]
pub struct ReplayError {
    /// The item, from 0 for the genesis; none for what concerns no single item.
    pub item: Option<u64>,
    /// In bytes from the beginning of the export.
    pub offset: u64,
    /// The height of the block at hand, where one was begun.
    pub height: Option<u64>,
    /// What was found.
    pub flaw: ReplayFlaw,
}

/// Recomputes an exported log.
///
/// # Errors
///
/// Reading fails, or anything in the export is not what a network's log has
/// there; with the place.
pub fn replay(
    source: impl Read,
    mut progress: impl FnMut(Progress),
) -> Result<Replay, ReplayError> {
    let mut items = Items::begin(source)?;
    let Some(genesis) = items.next()? else {
        return Err(items.refuse(ReplayFlaw::Empty));
    };
    let record = GenesisRecord::read(&genesis)
        .map_err(|error| items.refuse(ChainError::NotGenesis(error).into()))?;
    let mut state = chain::genesis_state(&record).map_err(|error| items.refuse(error.into()))?;
    let mut solo = Solo::new(&record, chain::tip(record.id, &state), None);
    let (mut records, mut rejected) = (0, 0);
    progress(items.progress());
    while let Some(header) = items.next()? {
        let block = receive(&mut items, &solo, header)?;
        let outcome = chain::apply(&mut state, &block)
            .map_err(|error| items.refuse_record(error))?
            .outcome;
        solo.commit(&block, outcome.state_root, outcome.receipts_root);
        records += block.records().len() as u64;
        rejected += outcome
            .receipts
            .iter()
            .filter(|receipt| receipt.rejected.is_some())
            .count() as u64;
        progress(items.progress());
    }
    if state.audit().is_none() {
        return Err(items.refuse(ReplayFlaw::Supply));
    }
    let tip = *solo.tip();
    Ok(Replay {
        network: record.network,
        height: tip.height,
        tip: tip.id,
        time_ms: tip.time_ms,
        state_root: tip.state_root,
        receipts_root: tip.receipts_root,
        blocks: tip.height,
        records,
        rejected,
        state,
    })
}

/// Reads the items of a block whose header has just been read, and verifies them against it.
fn receive(
    items: &mut Items<impl Read>,
    solo: &Solo,
    header: VerifiedItem,
) -> Result<Block, ReplayError> {
    items.height = Some(solo.tip().height + 1);
    let in_block = |items: &Items<_>, flaw| items.refuse(ReplayFlaw::Block(flaw));
    let mut block = solo.receive(header).map_err(|flaw| in_block(items, flaw))?;
    let named = block.named();
    items.block_begins = items.index - 1;
    items.block_offsets = vec![items.start];
    for found in 0..named {
        let Some(item) = items.next()? else {
            return Err(items.refuse(ReplayFlaw::Unfinished { named, found }));
        };
        items.block_offsets.push(items.start);
        block.push(item).map_err(|flaw| in_block(items, flaw))?;
    }
    block.finish().map_err(|flaw| items.at_header(flaw))
}

/// The items of an export, with the place of the one at hand.
struct Items<R> {
    reader: BundleReader<R>,
    total: u64,
    /// The next item, and where it begins.
    index: u64,
    offset: u64,
    /// Where the item at hand begins.
    start: u64,
    height: Option<u64>,
    /// The item of the header at hand, and where it and its items begin.
    block_begins: u64,
    block_offsets: Vec<u64>,
}

impl<R: Read> Items<R> {
    fn begin(source: R) -> Result<Self, ReplayError> {
        let limits = Limits {
            items_max: EXPORT_ITEMS_MAX,
            ..BODY_LIMITS
        };
        let reader = BundleReader::new(source, limits).map_err(|error| in_bundle(error, None))?;
        let total = reader.remaining();
        let offset = 32 + 64 * total;
        Ok(Self {
            reader,
            total,
            index: 0,
            offset,
            start: offset,
            height: None,
            block_begins: 0,
            block_offsets: Vec::new(),
        })
    }

    /// The next item, verified; none after the last.
    fn next(&mut self) -> Result<Option<VerifiedItem>, ReplayError> {
        match self.reader.next_verified() {
            None => Ok(None),
            Some(Err(error)) => Err(in_bundle(error, self.height)),
            Some(Ok(item)) => {
                self.start = self.offset;
                self.offset += item.bytes().len() as u64;
                self.index += 1;
                Ok(Some(item))
            }
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            height: self.height.unwrap_or(0),
            items: self.index,
            items_total: self.total,
        }
    }

    /// Refuses the item at hand.
    fn refuse(&self, flaw: ReplayFlaw) -> ReplayError {
        let item = self.index.checked_sub(1);
        ReplayError {
            item,
            offset: self.start,
            height: self.height,
            flaw,
        }
    }

    /// Refuses the block at hand for what its header says of its items.
    fn at_header(&self, flaw: BlockFlaw) -> ReplayError {
        ReplayError {
            item: Some(self.block_begins),
            offset: self.block_offsets[0],
            height: self.height,
            flaw: ReplayFlaw::Block(flaw),
        }
    }

    /// Refuses the record of the block at hand that could not be applied.
    fn refuse_record(&self, error: ChainError) -> ReplayError {
        let place = match &error {
            ChainError::Inadmissible { item, .. } => *item,
            _ => 0,
        };
        ReplayError {
            item: Some(self.block_begins + place),
            offset: self.block_offsets[place as usize],
            height: self.height,
            flaw: error.into(),
        }
    }
}

fn in_bundle(error: BundleError, height: Option<u64>) -> ReplayError {
    ReplayError {
        item: error.index,
        offset: error.offset,
        height,
        flaw: ReplayFlaw::Bundle(error.flaw),
    }
}

#[cfg(test)]
mod tests;
