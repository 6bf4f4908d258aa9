//! The rules of the market: state, transactions, phases, settlement, royalties.
//!
//! Pure: no clock, disk, network, thread, entropy or float. Time is an argument
//! of [`State::begin_block`]; deadlines fire there. The same records in the same
//! blocks give the same state, root and receipts on every machine.
//!
//! | module | what it holds |
//! |---|---|
//! | [`state`] | tables, their undo and their root; blocks in, receipts out |
//! | [`ledger`] | purses: every unit is in one, and moves by a named rule |
//! | [`accounts`] | nonces, byte fees, transfers |
//! | [`assets`], [`royalties`], [`licenses`] | models and data sets, who earns, who may use |
//! | [`funds`] | what assets set aside of their income, and the rounds that it pays for |
//! | [`terms`] | votes on an asset's terms: what takes effect, and when |
//! | [`evaluators`] | stakes and seats |
//! | [`bounty`] | post, back, submit, reveal, attest; the clock; settlement |
//! | [`rejection`] | every way in which a record can be refused, with a stable code |

pub mod accounts;
pub mod assets;
pub mod bounty;
mod draw;
pub mod evaluators;
pub mod funds;
pub mod ledger;
pub mod licenses;
pub mod rejection;
pub mod royalties;
pub mod state;
pub mod terms;

pub use rejection::Rejection;
pub use state::{BlockOutcome, Change, GenesisError, LoadError, State};
