//! Why a chain did not do what it was asked, and why a record is not in a block.

use std::path::PathBuf;

use market::{GenesisError, Rejection};
use protocol::id::ItemId;
use protocol::record::RecordError;

use crate::log::LogError;
use crate::sequencer::{BlockError, ProposeError};

/// Why the chain did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state database's folder could not be moved or made.
    #[error("the state database at {}: {why}. Check the disk and its permissions", path.display())]
    Database {
        /// The folder.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The item is no genesis.
    #[error("this item is no genesis: {0}")]
    NotGenesis(#[from] RecordError),
    /// The genesis makes no network.
    #[error("the genesis cannot begin a network: {0}")]
    Genesis(#[from] GenesisError),
    /// Block time must rise.
    #[error("a block at {time_ms} ms cannot follow one at {parent_ms} ms: wait, or set the clock")]
    Time {
        /// The time asked for.
        time_ms: u64,
        /// The last block's.
        parent_ms: u64,
    },
    /// None of the records can be included, and nothing else is due.
    #[error("none of the {} records can be included, so no block was made", .0.len())]
    Nothing(Vec<Refused>),
    /// No block was proposed.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// A block from elsewhere is not valid.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A block from elsewhere holds a record that may not be included.
    #[error("block {height}, item {item}: this record may not be included: {rejection}")]
    Inadmissible {
        /// The block's height.
        height: u64,
        /// The record's place in the block; the header is 0.
        item: u64,
        /// Why.
        rejection: Rejection,
    },
    /// A block of our own log is not valid.
    #[error(
        "block {height} of the log is whole but not valid: {error}. \
         The log was written by something else, or by another version"
    )]
    Replay {
        /// Its height.
        height: u64,
        /// What is wrong with it.
        error: Box<ChainError>,
    },
    /// Something failed that leaves state and log apart.
    #[error("this chain stopped: {0}. Open it again: the log says what is kept")]
    Stopped(String),
}

/// Why a record was not put into a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The item is no record.
    #[error("{0}")]
    NotARecord(RecordError),
    /// It may not be included.
    #[error("{0}")]
    Rejected(Rejection),
    /// It does not fit any more.
    #[error("the block is full; the record can go into a later one")]
    Full,
}

/// A record that was not put into a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The item.
    pub id: ItemId,
    /// Why.
    pub why: Refusal,
}
