//! The shell around the market's rules: what makes them last on a machine.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chain`] | log, state and sequencer under one roof: produce, follow, recover |
//! | [`log`] | the append-only log of blocks, the only truth |
//! | [`derived`] | the state database, rebuilt from the log whenever it is in doubt |
//! | [`history`] | receipts by record, block and subject, sums, ended bounties, in that database |
//! | `views` | the state in the API's words |
//! | [`sequencer`] | who orders, and which blocks count; [`sequencer::Solo`] |
//! | [`block`] | a verified block, and its bytes |
//! | [`blobs`] | blobs by their BLAKE3 root |
//! | [`mod@collect`] | blobs that nothing names any more are removed |
//! | [`admission`] | records are taken only while what they name is held |
//! | [`mod@export`], [`mod@replay`] | the log as one bundle, and everything recomputed from it |
//!
//! | [`engine`] | the thread that makes blocks, and the handle for all others |
//! | [`mempool`], [`inclusion`] | records that wait, and what they are told |
//! | [`http`] | the API for all others, and the server |
//! | [`clock`] | the machine's clock, or a hand's |
//!
//! A record's way: verified item, [`Node::submit`], mempool, [`Chain`], market
//! state, log, answer; then the database, behind. It holds no wallet: whoever
//! signs its blocks is an argument. It decides no rule of the market.

pub mod admission;
pub mod blobs;
pub mod block;
pub mod chain;
pub mod clock;
pub mod collect;
pub mod derived;
pub mod engine;
pub mod export;
pub mod history;
pub mod http;
pub mod inclusion;
pub mod log;
pub mod mempool;
pub mod replay;
pub mod sequencer;
mod views;

#[cfg(test)]
mod testing;

pub use blobs::{BlobError, BlobReader, Blobs};
pub use block::{Block, Record};
pub use chain::{BlockResult, Chain, ChainError, Recovery, Refusal, Refused, StateRecovery};
pub use clock::Clock;
pub use engine::{Node, Ticket};
pub use export::{ExportError, export};
pub use history::{History, Place};
pub use log::{Log, LogError, TailCut};
pub use replay::{Progress, Replay, ReplayError, replay};
pub use sequencer::{Proposer, Sequencer, Solo, Tip};
