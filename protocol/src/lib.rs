//! The words and formats that every part of the market shares.
//!
//! Pure: no clock, disk, network, thread or entropy; what is random is an
//! argument. Everything that comes from outside is checked against a named
//! limit before anything is allocated for it, and only canonical forms are
//! read, so that one meaning has one byte string.
//!
//! | module | what it holds |
//! |---|---|
//! | [`id`], [`amount`], [`score`], [`text`] | the values that records are made of |
//! | [`keys`], [`ans104`] | signatures, signed data items, bundles |
//! | [`seal`], [`archive`] | sealed folders: commit now, reveal 32 bytes later |
//! | [`merkle`] | roots and proofs over predictions, items and receipts |
//! | [`benchmark`], [`report`] | what is asked of a model, and what its evaluation gives |
//! | [`record`], [`block`], [`receipt`] | what is on the log, and what came of it |
//! | [`phases`] | how long the phases of a bounty last |
//! | [`statement`] | every unit in and out of an account, a bounty, an asset, from receipts |
//! | [`json`] | strict JSON |
//! | [`api`] | what a node and its clients say to each other |

pub mod amount;
pub mod ans104;
pub mod api;
pub mod archive;
pub mod benchmark;
pub mod block;
pub mod id;
pub mod json;
pub mod keys;
pub mod merkle;
pub mod phases;
pub mod receipt;
pub mod record;
pub mod report;
pub mod score;
pub mod seal;
pub mod statement;
pub mod text;

pub use amount::Amount;
pub use id::{Address, BlobId, Digest, ItemId, NetworkId};
pub use score::Score;
