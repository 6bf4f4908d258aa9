//! Draws: numbers from a seed that nobody could choose.
//!
//! The seed is the id of a block that was made after everything that could be
//! chosen had been written. On a network of one node its operator signs that
//! block, so its users trust the operator for draws, as they do for order and time.

use ethnum::U256;
use protocol::Amount;
use sha2::{Digest as _, Sha256};

/// SHA-256 over the parts, end to end, as a big-endian number, modulo `limit`.
///
/// # Panics
/// If `limit` is zero.
pub(crate) fn below(limit: u128, parts: &[&[u8]]) -> u128 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    (U256::from_be_bytes(hash) % U256::from(limit)).as_u128()
}

/// Which of some weights a number below their sum falls on: the first whose
/// running sum is above it.
pub(crate) fn falls_on(number: u128, weights: impl Iterator<Item = Amount>) -> Option<usize> {
    let mut sum = 0u128;
    let mut weights = weights.enumerate();
    let found = weights.find(|(_, weight)| {
        sum += weight.base_units();
        sum > number
    });
    found.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_a_big_endian_number() {
        // SHA-256 of nothing ends in 0x7852b855.
        assert_eq!(below(1 << 32, &[]), 0x7852_b855);
        assert_eq!(below(1, &[b"anything"]), 0);
        assert_eq!(below(1 << 16, &[b"a", b"bc"]), below(1 << 16, &[b"abc"]));
    }

    #[test]
    fn every_unit_of_weight_draws_its_owner() {
        let weights = [0, 3, 0, 1].map(Amount::from_base_units);
        let drawn: Vec<_> = (0..5).map(|n| falls_on(n, weights.into_iter())).collect();
        assert_eq!(drawn, [Some(1), Some(1), Some(1), Some(3), None]);
    }
}
