//! The test network: who has money, its numbers, and what is made from a label.

use protocol::keys::SecretKey;
use protocol::record::*;
use protocol::seal::SealKey;
use protocol::text::{Code, Name};
use protocol::{Address, Amount, BlobId, Digest, ItemId};

/// The time of the genesis.
pub const GENESIS_MS: u64 = 1_000_000;

/// What each of the [`CAST`] begins with.
pub const FUNDS: u128 = 1_000_000_000;

/// Who has money from the beginning.
pub const CAST: [&str; 16] = [
    "sponsor", "backer-1", "backer-2", "miner-1", "miner-2", "miner-3", "miner-4", "eve-1",
    "eve-2", "eve-3", "eve-4", "eve-5", "buyer", "alice", "bob", "carol",
];

/// Phases long enough to act in, each of another length.
pub const SCHEDULE: Schedule = Schedule {
    open_ms: 20_000,
    test_key_ms: 2_000,
    test_check_ms: 3_000,
    reveal_ms: 4_000,
    score_ms: 5_000,
    score_reveal_ms: 6_000,
    challenge_ms: 7_000,
};

/// The numbers of the test network: one unit a byte, small stakes, short phases.
pub fn parameters() -> Parameters {
    Parameters {
        fee_per_byte: units(1),
        block_bytes_max: 1 << 21,
        deposit_factor: 10,
        validity_max_ms: 60_000,
        phase_min_ms: 1_000,
        phase_max_ms: 100_000,
        late_ms: 1_000,
        retention_ms: 50_000,
        sponsor_bond_ppm: 200_000,
        miner_bond_ppm: 10_000,
        evaluation_fee_min: units(30),
        evaluation_price: units(1_000),
        committee_min: 1,
        seat_stake_ppm: 500_000,
        evaluator_stake_min: units(10_000),
        silent_forfeit_ppm: 10_000,
        unrevealed_forfeit_ppm: 100_000,
        tighten_ms: 40_000,
        month_ms: Parameters::default().month_ms,
        grace_ms: Parameters::default().grace_ms,
        revenue_minimum: Parameters::default().revenue_minimum,
        unstake_ms: Parameters::default().unstake_ms,
    }
}

pub fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

pub fn code(text: &str) -> Code {
    Code::new(text).expect("a short code")
}

fn bytes(label: &str) -> [u8; 32] {
    *blake3::hash(label.as_bytes()).as_bytes()
}

pub fn digest(label: &str) -> Digest {
    Digest(bytes(label))
}

/// An id that nothing has.
pub fn nothing() -> ItemId {
    ItemId(bytes("nothing"))
}

/// The id of a block: made up, and always the same.
pub fn block_id(height: u64) -> ItemId {
    ItemId(bytes(&format!("block {height}")))
}

pub fn blob(label: &str) -> BlobRef {
    BlobRef {
        id: BlobId(bytes(label)),
        size_bytes: 4096,
    }
}

pub fn seal_key(label: &str) -> SealKey {
    SealKey::from_bytes(bytes(&format!("key of {label}")))
}

pub fn address(who: &str) -> Address {
    secret(who).public().address()
}

pub(super) fn secret(who: &str) -> SecretKey {
    SecretKey::from_seed(&bytes(who))
}
