//! The genesis: the first item of a log, which names the network.
//!
//! Its item has the tags `App-Name: Lode`, `Content-Type: application/json`,
//! `Record-Type: genesis` and the body below. The signer is the proposer of every block of a solo network.
//!
//! The network's id is the SHA-256 of `lode/network/1`, the signer's address (32 bytes) and the body's bytes. So the id says
//! who may sign blocks: the same body signed by somebody else begins another network, on which no record of this one counts. The
//! salt makes two networks of one signer with equal allocations differ.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{RecordError, log_item_tags, read_body};
use crate::amount::Amount;
use crate::ans104::{Draft, Tag, VerifiedItem};
use crate::id::{Address, ItemId, NetworkId};
use crate::json;
use crate::text::Name;

/// The most bytes a genesis body may have.
pub const GENESIS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The version of the log's format that this build reads and writes.
pub const LOG_VERSION: u32 = 2;

/// The most bytes of records that a network may allow in one block.
pub const BLOCK_BYTES_MAX: u32 = 2 * 1024 * 1024;

/// The longest that a network may let a record be valid ahead of its block.
pub const VALIDITY_MS_MAX: u64 = 24 * HOUR_MS;

const HOUR_MS: u64 = 3_600_000;

/// The body of a genesis item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// [`LOG_VERSION`].
    pub version: u32,
    /// What people call the network.
    pub name: Name,
    /// Anything; makes the network's id its own.
    pub salt: Name,
    /// Milliseconds since 1970; every block is later.
    pub time_ms: u64,
    /// The rules' numbers.
    pub parameters: Parameters,
    /// The first balances, each address once; their sum is the supply for ever.
    pub allocations: Vec<Allocation>,
}

/// A first balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Whose.
    pub account: Address,
    /// How much, above zero.
    pub amount: Amount,
}

/// The numbers that a network chooses at its beginning. Parts are in millionths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Base units burned for each byte of an included record.
    pub fee_per_byte: Amount,
    /// The most bytes of records in one block.
    pub block_bytes_max: u32,
    /// The deposit of a record that makes state, as a multiple of its byte fee.
    pub deposit_factor: u32,
    /// How far ahead of the block's time a record's `Valid-Until` may lie, in milliseconds.
    pub validity_max_ms: u64,
    /// The shortest phase of a bounty, in milliseconds.
    pub phase_min_ms: u64,
    /// The longest phase of a bounty, in milliseconds; see [`Parameters::phase_bounds_ms`].
    pub phase_max_ms: u64,
    /// By how much a block may miss a deadline before the phase gets a fresh window, in milliseconds.
    pub late_ms: u64,
    /// How long a bounty is kept after its end, in milliseconds.
    pub retention_ms: u64,
    /// The sponsor's bond, in millionths of the reward; at least twice the evaluation fee.
    pub sponsor_bond_ppm: u32,
    /// The miner's bond, in millionths of the reward; at least twice the evaluation fee.
    pub miner_bond_ppm: u32,
    /// The least evaluation fee of a submission.
    pub evaluation_fee_min: Amount,
    /// Base units for 10^9 counted multiply-adds, for each seat: the evaluation fee is at least that.
    pub evaluation_price: Amount,
    /// The least number of seats on a panel: 5, 3 or 1.
    pub committee_min: u32,
    /// What a seat locks, in millionths of reward and backings.
    pub seat_stake_ppm: u32,
    /// The least stake of an evaluator.
    pub evaluator_stake_min: Amount,
    /// What a seat that stays silent loses, in millionths of the bounty's seat stake; at most what it has locked.
    pub silent_forfeit_ppm: u32,
    /// What a seat that commits and does not reveal loses, in millionths of the bounty's seat stake; at most what it has locked.
    pub unrevealed_forfeit_ppm: u32,
    /// How long before terms tighten that is said, in milliseconds. A genesis that does not say has the default.
    #[serde(default = "tighten_ms")]
    pub tighten_ms: u64,
    /// How long a month of a licence is, in milliseconds. A genesis says so if it is not
    /// thirty days.
    #[serde(default = "month_ms", skip_serializing_if = "is_default_month")]
    pub month_ms: u64,
    /// How long after the end of a month its revenue can be declared, in milliseconds. A
    /// genesis says so if it is not thirty days.
    #[serde(default = "month_ms", skip_serializing_if = "is_default_month")]
    pub grace_ms: u64,
    /// What a month of a licence for a share of revenue costs in advance, whatever it earns.
    /// A genesis says so if it is not 10 LODE.
    #[serde(
        default = "revenue_minimum",
        skip_serializing_if = "is_default_minimum"
    )]
    pub revenue_minimum: Amount,
    /// How long after an evaluator said that it leaves its stake is paid out, in milliseconds. A genesis says so if it
    /// is not seven days.
    #[serde(default = "unstake_ms", skip_serializing_if = "is_default_unstake")]
    pub unstake_ms: u64,
}

/// Seven days.
const fn unstake_ms() -> u64 {
    7 * 24 * HOUR_MS
}

const fn is_default_unstake(length_ms: &u64) -> bool {
    *length_ms == unstake_ms()
}

/// Thirty days.
const fn tighten_ms() -> u64 {
    30 * 24 * HOUR_MS
}

/// Thirty days.
const fn month_ms() -> u64 {
    30 * 24 * HOUR_MS
}

const fn is_default_month(length_ms: &u64) -> bool {
    *length_ms == month_ms()
}

const fn revenue_minimum() -> Amount {
    Amount::from_base_units(10 * crate::amount::BASE_UNITS_PER_LODE)
}

fn is_default_minimum(minimum: &Amount) -> bool {
    *minimum == revenue_minimum()
}

impl Parameters {
    /// The shortest and the longest that a phase may be, by its name in a schedule, in milliseconds.
    ///
    /// A bounty that names parents holds them to what they ask for: it is open for 30 days at most, or as long as terms
    /// take to tighten. While evaluators' seats lock stake, from the test key on, a phase is 14 days at most.
    pub fn phase_bounds_ms(&self, phase: &str, has_parents: bool) -> (u64, u64) {
        let longest_ms = match phase {
            "open" if has_parents => self.tighten_ms.max(30 * 24 * HOUR_MS),
            "open" => u64::MAX,
            _ => 14 * 24 * HOUR_MS,
        };
        (self.phase_min_ms, longest_ms.min(self.phase_max_ms))
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            fee_per_byte: Amount::from_base_units(1_000_000_000_000_000_000),
            block_bytes_max: BLOCK_BYTES_MAX,
            deposit_factor: 10,
            validity_max_ms: VALIDITY_MS_MAX,
            phase_min_ms: HOUR_MS,
            phase_max_ms: 366 * 24 * HOUR_MS,
            late_ms: HOUR_MS / 6,
            retention_ms: 30 * 24 * HOUR_MS,
            sponsor_bond_ppm: 200_000,
            miner_bond_ppm: 10_000,
            evaluation_fee_min: Amount::from_base_units(crate::amount::BASE_UNITS_PER_LODE),
            evaluation_price: Amount::from_base_units(crate::amount::BASE_UNITS_PER_LODE / 1_000),
            committee_min: 3,
            seat_stake_ppm: 500_000,
            evaluator_stake_min: Amount::from_base_units(
                1_000 * crate::amount::BASE_UNITS_PER_LODE,
            ),
            silent_forfeit_ppm: 10_000,
            unrevealed_forfeit_ppm: 100_000,
            tighten_ms: tighten_ms(),
            month_ms: month_ms(),
            grace_ms: month_ms(),
            revenue_minimum: revenue_minimum(),
            unstake_ms: unstake_ms(),
        }
    }
}

/// A genesis with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisRecord {
    /// The item's id: the parent of the first block.
    pub id: ItemId,
    /// Who proposes the blocks.
    pub proposer: Address,
    /// The network's id.
    pub network: NetworkId,
    /// The body.
    pub genesis: Genesis,
}

impl Genesis {
    /// The unsigned genesis item.
    pub fn draft(&self) -> Draft {
        Draft {
            target: None,
            anchor: None,
            tags: vec![
                Tag::new("App-Name", "Lode"),
                Tag::new("Content-Type", "application/json"),
                Tag::new("Record-Type", "genesis"),
            ],
            data: json::to_vec(self),
        }
    }
}

impl GenesisRecord {
    /// Reads the genesis that a verified item carries. What the body says is
    /// checked by the rules, not here.
    ///
    /// # Errors
    /// [`RecordError`] if the tags or the body are not a genesis's.
    pub fn read(item: &VerifiedItem) -> Result<Self, RecordError> {
        log_item_tags(item, "genesis", 3)?;
        let genesis = read_body("genesis", item.data(), GENESIS_BYTES_MAX)?;
        let proposer = item.address();
        let mut network = Sha256::new_with_prefix(b"lode/network/1");
        network.update(proposer.0);
        network.update(item.data());
        Ok(Self {
            id: item.id(),
            proposer,
            network: NetworkId(network.finalize().into()),
            genesis,
        })
    }
}
