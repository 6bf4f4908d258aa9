//! The numbers of the rules that no network chooses, from `docs/rules.md`: written again, so that one that is wrong
//! in the records' own code is seen.

/// Royalty shares of an asset.
pub const SHARES_PER_ASSET: u32 = 1_000_000;

/// The most parents of an asset.
pub const PARENTS_MAX: usize = 16;

/// The most holders that a registration names.
pub const HOLDERS_MAX: usize = 64;

/// The most of an income that is set aside, in millionths.
pub const SELF_FUNDING_PPM_MAX: u32 = 200_000;

/// Words in each part of a batch but the last.
pub const ATTESTATIONS_PER_PART: usize = 500;
