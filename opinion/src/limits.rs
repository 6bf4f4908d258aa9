//! The numbers of the rules that no network chooses, written again from `docs/rules.md`: play reaches few of them, so a
//! test holds those that records have too against the records' own (`tests/limits.rs`).

/// Royalty shares of an asset.
pub const SHARES_PER_ASSET: u32 = 1_000_000;

/// The most parents of an asset.
pub const PARENTS_MAX: usize = 16;

/// The most ancestors that are owed a share of an asset's income.
pub const STACK_ENTRIES_MAX: usize = 64;

/// The most holders that a registration names.
pub const HOLDERS_MAX: usize = 64;

/// The most of an income that is set aside, in millionths.
pub const SELF_FUNDING_PPM_MAX: u32 = 200_000;

/// The most backings of a bounty; each is at least the reward divided by this.
pub const BACKINGS_MAX: usize = 1_000;

/// The most submissions to a bounty.
pub const SUBMISSIONS_MAX: u64 = 10_000;

/// The most bytes of the prediction leaves of all its submissions.
pub const LEAVES_BYTES_MAX: u64 = 32 * 1_024 * 1_024 * 1_024;

/// Words in each part of a batch but the last.
pub const ATTESTATIONS_PER_PART: usize = 500;

/// How often a panel's missing seats are drawn again.
pub const REDRAWS_MAX: u8 = 3;

/// The budget of a block, in rows of the clock's work.
pub const ROWS_PER_BLOCK: usize = 4_000;

/// What each turn of a bounty costs.
pub const ROWS_PER_TURN: usize = 4;

/// The places that are drawn in the round of all, if there are more to ask.
pub const PLACES: usize = 64;
