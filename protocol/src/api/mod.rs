//! What a node and its clients say to each other: the messages of the HTTP API.
//!
//! Amounts are decimal strings of base units, scores integers in billionths,
//! times milliseconds since 1970, ids and digests base64url. Lists have a stated
//! order. A reader ignores fields that it does not know, so that a newer node
//! can say more; what is signed, hashed or paid is never read from here but from
//! items ([`crate::ans104`]). The routes are in docs/api.md.

mod market;
mod problem;
mod record;
mod statement;
mod upload;

pub use market::*;
pub use problem::*;
pub use record::*;
pub use statement::*;
pub use upload::*;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::id::{Address, Digest, ItemId, NetworkId};
use crate::record::Parameters;
use crate::text::Name;

/// The version of the API: the first part of every route, `/v1`. It grows only
/// when an old client could misread a new node.
pub const API_VERSION: u32 = 1;

/// The most entries on one page of a list.
pub const PAGE_MAX: usize = 1_000;

/// The entries on a page if the asker does not say.
pub const PAGE_DEFAULT: usize = 100;

/// The most items in one posted bundle.
pub const BUNDLE_ITEMS_MAX: usize = 4_096;

/// The most bytes of a posted bundle: 4 MiB.
pub const BUNDLE_BYTES_MAX: usize = 4 << 20;

/// `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Always `lode`.
    pub software: String,
    /// The node's version.
    pub version: String,
    /// [`API_VERSION`] of the node.
    pub api: u32,
    /// The version of the log's format.
    pub log: u32,
    /// The version of the arithmetic that its network's newest bounties may name.
    pub arithmetic: u32,
}

/// `GET /v1/status`: the network, where the chain stands, what waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node's version.
    pub version: String,
    /// [`API_VERSION`] of the node.
    pub api: u32,
    /// The network.
    pub network: NetworkId,
    /// What people call it.
    pub name: Name,
    /// The genesis item.
    pub genesis: ItemId,
    /// Who signs its blocks.
    pub proposer: Address,
    /// The height of the last block.
    pub height: u64,
    /// The last block's header item, or the genesis item.
    pub tip: ItemId,
    /// The last block's time.
    pub time_ms: u64,
    /// The node's clock: what the next block's time will be, if it rises.
    pub clock_ms: u64,
    /// Whether the clock is driven by hand (tests).
    pub hand_clock: bool,
    /// Whether this is a development network, with a faucet.
    pub is_dev: bool,
    /// When the clock next has work, if it has.
    pub next_deadline_ms: Option<u64>,
    /// The state's root after the last block.
    pub state_root: Digest,
    /// Records that wait for a block.
    pub mempool: Mempool,
    /// The sum of all purses, for ever.
    pub supply: Amount,
    /// The rules' numbers.
    pub parameters: Parameters,
}

/// How full the mempool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mempool {
    /// Records that wait.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The most records that may wait.
    pub records_max: u64,
    /// The most bytes that may wait.
    pub bytes_max: u64,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries, in the list's order.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; none: this is the last.
    pub next: Option<String>,
}

/// `GET /readyz` when the node takes records, and the body of its refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether records are taken.
    pub ready: bool,
    /// Why not; empty if ready.
    pub reasons: Vec<String>,
}

/// `POST /v1/faucet`, on development networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaucetRequest {
    /// Who gets tokens.
    pub account: Address,
    /// How much; the faucet's own default if left out.
    #[serde(default)]
    pub amount: Option<Amount>,
}

/// `POST /v1/clock`, where the clock is driven by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockRequest {
    /// What it shows from now on; never less than before.
    pub time_ms: u64,
}

/// The answer to `POST /v1/clock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockAnswer {
    /// What it shows.
    pub time_ms: u64,
    /// The height after the work that was due.
    pub height: u64,
}
