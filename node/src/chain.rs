//! The chain: log, state and sequencer under one roof.
//!
//! ```text
//! <dir>/log      the log, the truth
//! <dir>/state    the state database, derived
//! ```
//!
//! A block's way: its records are applied to the state in memory, it is signed,
//! appended to the log and synced, and only then is it answered for. The
//! database is written behind. So what was answered for is on the disk, and the
//! state is always the fold of the log.
//!
//! Invariants: outside a call the state is the one after the log's last block.
//! A record that may not be included is refused before it is in a block. If a
//! signature fails, or a block from elsewhere breaks a rule halfway, the state
//! is read again from database or log. If the log cannot be written, nobody
//! knows what of the block is on the disk: the chain refuses all further work
//! until it is opened again, which settles it.
//!
//! Recovery is [`Chain::open`]'s, told by [`Recovery`].
//!
//! It has no mempool and no clock, and holds no key.

mod database;
mod error;
mod fold;
mod open;
mod recovery;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use market::{BlockOutcome, Rejection, State};
use protocol::ans104::VerifiedItem;
use protocol::id::{Digest, ItemId};
use protocol::receipt::Receipt;
use protocol::record::{GenesisRecord, Transaction};

pub use database::{Behind, Database};
pub use error::{ChainError, Refusal, Refused};
pub(crate) use fold::{apply, genesis_state, tip};
pub use recovery::{Recovery, StateRecovery};

use crate::block::{Block, Record};
use crate::derived::DerivedError;
use crate::history::{History, Past};
use crate::log::Log;
use crate::sequencer::{
    AHEAD_MS_MAX, BlockError, BlockFlaw, ProposeError, Proposer, Sequencer, Solo, Tip,
};

/// The receipts of so many last blocks are at hand.
pub const RECENT_BLOCKS: usize = 64;

/// A block that is on the log.
#[derive(Debug, Clone)]
pub struct BlockResult {
    /// The header item's id.
    pub id: ItemId,
    /// The height.
    pub height: u64,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The state's root after it.
    pub state_root: Digest,
    /// The root of its receipts.
    pub receipts_root: Digest,
    /// The receipts: the clock's first, then one for each record.
    pub receipts: Arc<[Receipt]>,
    /// The records in it, in order.
    pub included: Vec<ItemId>,
    /// The records in it that a rule rejected: the place among the records, and why.
    pub rejected: Vec<(usize, Rejection)>,
    /// The records that were offered and are not in it.
    pub refused: Vec<Refused>,
    /// The block itself.
    pub block: Arc<Block>,
}

/// What applying a block came to.
pub(crate) struct Applied {
    pub(crate) outcome: BlockOutcome,
    /// The place among the records, and the rule's word.
    pub(crate) rejected: Vec<(usize, Rejection)>,
}

/// A network's log and the state that it folds to.
pub struct Chain {
    log: Log,
    sequencer: Solo,
    state: State,
    database: Arc<Database>,
    stopped: Option<String>,
    recent: VecDeque<(u64, Arc<[Receipt]>)>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("dir", &self.log.dir())
            .field("tip", self.tip())
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Begins a network in a folder: the log with its genesis, the state after it.
    /// The signer of the genesis proposes the blocks; without `signer` this node follows.
    ///
    /// # Errors
    ///
    /// The genesis makes no network, there is one in the folder already, or writing fails.
    pub fn create(
        dir: &Path,
        genesis: &VerifiedItem,
        signer: Option<Box<dyn Proposer>>,
    ) -> Result<Self, ChainError> {
        let record = GenesisRecord::read(genesis)?;
        genesis_state(&record)?;
        let log = Log::create(&dir.join("log"), genesis)?;
        let (chain, _) = open::open(dir, log, None, signer)?;
        Ok(chain)
    }

    /// Opens the network in a folder: the log whole, the state at its end. The
    /// [`Recovery`] says what had to be done for that.
    ///
    /// # Errors
    ///
    /// The log does not open, or a block of it is not valid; or the database can
    /// neither be used nor replaced.
    pub fn open(
        dir: &Path,
        signer: Option<Box<dyn Proposer>>,
    ) -> Result<(Self, Recovery), ChainError> {
        let (log, tail) = Log::open(&dir.join("log"))?;
        open::open(dir, log, tail, signer)
    }

    /// Makes the next block of these items at this time, and gives it when it is
    /// synced. Items that may not be included are left out, each with its reason.
    /// Without items it makes a block for the clock's sake.
    ///
    /// # Errors
    ///
    /// This node follows, time does not rise, nothing can be included and
    /// nothing is due, the header is not signed, or the log cannot be written.
    pub fn produce(
        &mut self,
        time_ms: u64,
        items: Vec<VerifiedItem>,
    ) -> Result<BlockResult, ChainError> {
        let (offered, refused) = read_items(items);
        let (block, behind) = self.produce_records(time_ms, offered, refused)?;
        self.write(&behind);
        Ok(block)
    }

    /// The same, of records that were read already; `refused` joins what is left
    /// out. The block is on the log; what it left for the database is the caller's
    /// to write, before anyone is told.
    ///
    /// # Errors
    ///
    /// As [`Chain::produce`].
    pub fn produce_records(
        &mut self,
        time_ms: u64,
        offered: Vec<Record>,
        mut refused: Vec<Refused>,
    ) -> Result<(BlockResult, Behind), ChainError> {
        self.check_running()?;
        let tip = *self.sequencer.tip();
        if !self.sequencer.can_propose() {
            return Err(ProposeError::Follower.into());
        }
        if time_ms <= tip.time_ms {
            return Err(ChainError::Time {
                time_ms,
                parent_ms: tip.time_ms,
            });
        }
        if !self.has_work(time_ms, &offered, refused.len()) {
            refused.extend(offered.into_iter().filter_map(|record| {
                let why = self.state.admit(&record.tx, time_ms).err()?;
                Some(Refused {
                    id: record.item.id(),
                    why: Refusal::Rejected(why),
                })
            }));
            return Err(ChainError::Nothing(refused));
        }
        self.stop("a block was being made and was not finished");
        let (mut records, mut rejected) = (Vec::new(), Vec::new());
        let mut room = self.sequencer.block_bytes_max() as usize;
        let state = &mut self.state;
        state.begin_block(tip.height + 1, time_ms, tip.id);
        for record in offered {
            match include(state, &record, &mut room) {
                Ok(why) => {
                    rejected.extend(why.map(|why| (records.len(), why)));
                    records.push(record);
                }
                Err(why) => refused.push(Refused {
                    id: record.item.id(),
                    why,
                }),
            }
        }
        let applied = Applied {
            outcome: state.end_block(),
            rejected,
        };
        match self.sequencer.propose(time_ms, records) {
            Ok(block) => self.keep(block, applied, refused),
            Err(error) => {
                // The state is one block ahead of a block that will not be.
                self.restore()?;
                Err(error.into())
            }
        }
    }

    /// Takes a block from another node: verifies it, applies it, and gives it
    /// when it is synced. `clock_ms` is this node's clock.
    ///
    /// # Errors
    ///
    /// The block does not follow, lies too far ahead of the clock, is not valid,
    /// or the log cannot be written.
    pub fn follow(&mut self, bytes: &[u8], clock_ms: u64) -> Result<BlockResult, ChainError> {
        self.check_running()?;
        let block = self.sequencer.verify(bytes)?;
        let found = block.header().header.time_ms;
        if found > clock_ms.saturating_add(AHEAD_MS_MAX) {
            let flaw = BlockFlaw::Ahead {
                found,
                clock: clock_ms,
            };
            return Err(BlockError {
                item: Some(0),
                offset: 0,
                flaw,
            }
            .into());
        }
        self.stop("a block was being followed and was not finished");
        match apply(&mut self.state, &block) {
            Ok(applied) => {
                let (block, behind) = self.keep(block, applied, Vec::new())?;
                self.write(&behind);
                Ok(block)
            }
            Err(error) => {
                self.restore()?;
                Err(error)
            }
        }
    }

    /// The state after the last block.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The last block and the roots after it.
    pub fn tip(&self) -> &Tip {
        self.sequencer.tip()
    }

    /// The genesis.
    pub fn genesis(&self) -> &GenesisRecord {
        self.log.genesis()
    }

    /// Whether this node may propose blocks.
    pub fn can_propose(&self) -> bool {
        self.sequencer.can_propose()
    }

    /// The receipts of a block, if it is one of the last [`RECENT_BLOCKS`] that
    /// this process has applied.
    pub fn recent_receipts(&self, height: u64) -> Option<&Arc<[Receipt]>> {
        let recent = self.recent.iter().rev();
        recent
            .into_iter()
            .find(|(of, _)| *of == height)
            .map(|(_, receipts)| receipts)
    }

    /// Why the state database is not written any more, if it failed since the
    /// chain was opened. Nothing is lost: the next open catches up or rebuilds.
    pub fn database_failure(&self) -> Option<DerivedError> {
        self.database.failure()
    }

    /// Closes the chain; the database is flushed.
    ///
    /// # Errors
    ///
    /// The database fails; the log is whole all the same.
    pub fn close(self) -> Result<(), DerivedError> {
        self.database.close()
    }

    /// What would come of a record in the next block. Nothing changes.
    ///
    /// # Errors
    ///
    /// The rejection for which it could not be included.
    pub fn trial(
        &mut self,
        tx: &Transaction,
        time_ms: u64,
    ) -> Result<(Receipt, Option<Rejection>), Rejection> {
        self.state.trial(tx, time_ms)
    }

    /// The past of the chain, for readers on other threads; none if the database failed.
    pub fn history(&self) -> Option<History> {
        self.database.history()
    }

    /// The state database.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// The log, for tests that take its file away.
    #[cfg(test)]
    pub(crate) fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    fn check_running(&self) -> Result<(), ChainError> {
        match &self.stopped {
            Some(why) => Err(ChainError::Stopped(why.clone())),
            None => Ok(()),
        }
    }

    /// Refuses all work until state and log are known to agree again: also if
    /// what comes between panics.
    fn stop(&mut self, why: &str) {
        self.stopped = Some(why.to_owned());
    }

    /// Whether a block at this time would hold anything.
    fn has_work(&self, time_ms: u64, offered: &[Record], refused: usize) -> bool {
        let is_for_clock = offered.is_empty() && refused == 0;
        let is_due = self
            .state
            .next_deadline_ms()
            .is_some_and(|due_ms| due_ms <= time_ms);
        is_for_clock
            || is_due
            || offered
                .iter()
                .any(|record| self.state.admit(&record.tx, time_ms).is_ok())
    }

    /// Puts an applied block on the log; what it changed is still to be written
    /// into the database.
    fn keep(
        &mut self,
        block: Block,
        applied: Applied,
        refused: Vec<Refused>,
    ) -> Result<(BlockResult, Behind), ChainError> {
        if let Err(error) = self.log.append(&block) {
            self.stop(&format!("the log could not be written ({error})"));
            return Err(error.into());
        }
        self.stopped = None;
        let BlockOutcome {
            state_root,
            receipts_root,
            receipts,
            changes,
        } = applied.outcome;
        self.sequencer.commit(&block, state_root, receipts_root);
        let behind = Behind {
            stamp: fold::stamp(self.sequencer.tip()),
            changes,
            past: Past::of(&block, &receipts, &self.state),
        };
        let header = &block.header().header;
        let receipts: Arc<[Receipt]> = receipts.into();
        self.recent
            .push_back((header.height, Arc::clone(&receipts)));
        if self.recent.len() > RECENT_BLOCKS {
            self.recent.pop_front();
        }
        let result = BlockResult {
            id: block.header().id,
            height: header.height,
            time_ms: header.time_ms,
            state_root,
            receipts_root,
            receipts,
            included: block
                .records()
                .iter()
                .map(|record| record.item.id())
                .collect(),
            rejected: applied.rejected,
            refused,
            block: Arc::new(block),
        };
        Ok((result, behind))
    }

    fn write(&self, behind: &Behind) {
        // The block is on the log whatever comes of this; a failure stays to be asked for.
        let _ = self.database.write(behind);
    }

    /// Reads the state after the last block of the log again.
    fn restore(&mut self) -> Result<(), ChainError> {
        let expected = fold::stamp(self.sequencer.tip());
        let read = self.database.read();
        self.state = match read {
            Some(Ok((found, state))) if found == expected => state,
            _ => fold::fold(&self.log)?,
        };
        self.stopped = None;
        Ok(())
    }
}

/// Reads items as records; those that are none are refused.
fn read_items(items: Vec<VerifiedItem>) -> (Vec<Record>, Vec<Refused>) {
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match Transaction::read(&item) {
            Ok(tx) => records.push(Record { item, tx }),
            Err(error) => refused.push(Refused {
                id: item.id(),
                why: Refusal::NotARecord(error),
            }),
        }
    }
    (records, refused)
}

/// Applies a record to the block that is being made, if it may be in it; gives
/// the rejection of a rule, if one rejects it.
fn include(
    state: &mut State,
    record: &Record,
    room: &mut usize,
) -> Result<Option<Rejection>, Refusal> {
    let left = room
        .checked_sub(record.item.bytes().len())
        .ok_or(Refusal::Full)?;
    // An inadmissible record leaves the state as it was.
    let rejected = state.apply(&record.tx).map_err(Refusal::Rejected)?;
    *room = left;
    Ok(rejected)
}

#[cfg(test)]
mod tests;
