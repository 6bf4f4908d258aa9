//! Statements, as the API shows them.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::receipt::{Purse, Rule};
use crate::statement::Movement;

/// `GET /v1/accounts/{address}/statement`, and of bounties and assets: what
/// [`crate::statement`] says, up to the block that it names, with one page of the
/// movements. A reader of pages alone can take it for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementView {
    /// The last block that the sums and the comparison know of.
    pub height: u64,
    /// What an account had from the genesis.
    pub opening: Amount,
    /// What went through its purses by kind, in the order of [`Purse::KINDS`].
    pub purses: Vec<PurseSum>,
    /// What moved by each rule, in the order of the rules.
    pub rules: Vec<RuleSum>,
    /// How many movements there are.
    pub movements: u64,
    /// How many purses were compared with the state.
    pub compared: u32,
    /// Whether those are all; it has more that hold something than a node compares at once.
    pub compared_all: bool,
    /// Whether every purse that was compared holds what the movements left in it.
    pub adds_up: bool,
    /// The first purses that do not.
    pub flaws: Vec<PurseFlaw>,
    /// Movements, in the order of the log; a page may be short, even empty, and have a next one.
    pub items: Vec<Movement>,
    /// What to give as `after` for the next page; none: this is the last.
    pub next: Option<String>,
}

/// What went through the purses of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseSum {
    /// Which, as in [`Purse::KINDS`].
    pub kind: String,
    /// All that came in, the opening not counted.
    pub paid_in: Amount,
    /// All that went out.
    pub paid_out: Amount,
    /// What is left, of the opening too.
    pub left: Amount,
}

/// What moved by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSum {
    /// Which.
    pub rule: Rule,
    /// All that it brought into the subject's purses.
    pub paid_in: Amount,
    /// All that it took out of them.
    pub paid_out: Amount,
}

/// A purse that does not hold what the movements left in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseFlaw {
    /// Which.
    pub purse: Purse,
    /// What the movements left.
    pub left: Amount,
    /// What the state has.
    pub balance: Amount,
}
