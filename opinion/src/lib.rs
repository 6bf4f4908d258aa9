//! A second opinion on the market's rules: a slow model, written from
//! `docs/rules.md` alone, and random play to hold a ledger against it.
//!
//! The model shares no code with the ledger that it judges; of `licensing` it takes how tags are parsed and
//! written, and what terms are called, of `protocol` the words of records and receipts, what is hashed, and what a
//! benchmark may be. It keeps what
//! happened and computes everything else from it whenever it is asked: a
//! balance is the sum of all movements, a claim the sum over all payments. It
//! has no undo and no index, and does the clock's work whole, whatever a block's budget is: it only counts what it costs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`model`] | blocks, records, accounts, evaluators |
//! | [`money`] | the list of all movements; exact parts and splits |
//! | [`bounty`] | a bounty, and the clock's work on it |
//! | [`entry`] | what people bring to it: posting, stakes, submissions, keys |
//! | [`draw`] | candidates, draws, seats |
//! | [`panel`] | words, failures, tallies |
//! | [`end`] | ranking, awards, refunds |
//! | [`book`] | the receipts of a block |
//! | [`work`] | what the clock's work on a bounty costs, and where each block leaves it |
//! | [`limits`] | the numbers that no network chooses |
//! | [`asset`] | stacks, holdings, income, claims |
//! | [`votes`] | votes on terms, counted anew each time |
//! | [`tags`] | what terms ask for, read off their words |
//! | [`license`] | purchases, months, what is released and when it is over |
//! | [`play`] | random people who use a market, step by step |
//! | [`step`] | the steps, and what they are made from |
//! | [`coverage`] | what a play has seen |

pub mod asset;
pub mod book;
pub mod bounty;
pub mod coverage;
pub mod draw;
pub mod end;
pub mod entry;
pub mod license;
pub mod limits;
pub mod model;
pub mod money;
pub mod panel;
pub mod play;
pub mod step;
pub mod tags;
pub mod votes;
pub mod work;

pub use coverage::Coverage;
pub use model::{Decision, Model};
pub use play::{Ledger, Play, Setup};
pub use step::Step;
