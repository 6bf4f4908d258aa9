//! The royalty stack: what every ancestor of an asset gets of all its income.
//!
//! It is flattened when the asset is registered, so a layer of one's own
//! between an ancestor and a child dilutes nobody, and a payment never walks a
//! tree. Invariants: sorted by ancestor, each ancestor once, at most
//! [`STACK_ENTRIES_MAX`] of them, together at most 100 %.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::{Amount, ItemId};
use serde::Serialize;

use crate::Percent;
use crate::percent::billionths_text;

/// The most ancestors that an asset may owe a share of its income.
pub const STACK_ENTRIES_MAX: usize = 64;

/// Ancestors and their shares of gross income, sorted by ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, BorshSerialize)]
#[serde(transparent)]
pub struct RoyaltyStack(Vec<(ItemId, Percent)>);

/// Why parents cannot be stacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// More than everything would be owed.
    #[error("the ancestors are owed {} of all income, at most 100% can be owed: drop a parent", billionths_text(*.0))]
    AboveAll(u64),
    /// Too many ancestors.
    #[error("{0} ancestors are owed a share, the limit is {STACK_ENTRIES_MAX}: drop a parent")]
    TooMany(usize),
}

impl StackError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AboveAll(_) => "royalties_above_all",
            Self::TooMany(_) => "too_many_ancestors",
        }
    }
}

impl RoyaltyStack {
    /// The stack of a child: for each parent its own share (what
    /// [`check_derivation`](crate::check_derivation) gave) and its whole stack.
    ///
    /// An ancestor reached by two paths counts once. If its terms changed between
    /// the two, the larger share counts, so that no ancestor gets less than one of
    /// its descendants promised.
    ///
    /// # Errors
    /// [`StackError`] if there are too many ancestors, or they are owed more than 100 %.
    pub fn merge(parents: &[(ItemId, Option<Percent>, &RoyaltyStack)]) -> Result<Self, StackError> {
        let mut shares: BTreeMap<ItemId, Percent> = BTreeMap::new();
        for &(parent, share, stack) in parents {
            let own = share.map(|share| (parent, share));
            for (ancestor, share) in own.into_iter().chain(stack.0.iter().copied()) {
                shares
                    .entry(ancestor)
                    .and_modify(|s| *s = share.max(*s))
                    .or_insert(share);
            }
        }
        Self::from_sorted(shares.into_iter().collect())
    }

    /// Takes entries that are sorted and unique if they keep the limits.
    fn from_sorted(entries: Vec<(ItemId, Percent)>) -> Result<Self, StackError> {
        if entries.len() > STACK_ENTRIES_MAX {
            return Err(StackError::TooMany(entries.len()));
        }
        let sum: u64 = entries.iter().map(|(_, share)| share.billionths()).sum();
        if sum > Percent::HUNDRED.billionths() {
            return Err(StackError::AboveAll(sum));
        }
        Ok(Self(entries))
    }

    /// The ancestors and their shares, sorted by ancestor.
    pub fn entries(&self) -> &[(ItemId, Percent)] {
        &self.0
    }

    /// Whether nobody is owed anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the ancestors leave of an income, in billionths of a percent.
    pub fn rest_billionths(&self) -> u64 {
        let owed: u64 = self.0.iter().map(|(_, share)| share.billionths()).sum();
        Percent::HUNDRED.billionths() - owed
    }

    /// Divides an income: each ancestor's share, rounded down, in the order of
    /// the stack, and the rest. Parts and rest add up to the income exactly.
    pub fn split(&self, gross: Amount) -> (Vec<(ItemId, Amount)>, Amount) {
        let mut rest = gross;
        let parts = self.0.iter().map(|&(ancestor, share)| {
            let part = share.of(gross);
            rest = rest
                .checked_sub(part)
                .expect("shares of at most the whole leave a rest");
            (ancestor, part)
        });
        let parts = parts.collect();
        (parts, rest)
    }
}

impl BorshDeserialize for RoyaltyStack {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let invalid = |error: String| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        let entries: Vec<(ItemId, Percent)> = BorshDeserialize::deserialize_reader(reader)?;
        if entries.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(invalid(
                "a royalty stack names each ancestor once, in order".into(),
            ));
        }
        Self::from_sorted(entries).map_err(|error| invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
