//! Money as the list of all movements, and the exact divisions of the rules.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use protocol::Amount;
use protocol::receipt::{Purse, Rule};

/// A whole number of base units.
pub type Units = BigInt;

/// One movement; the first balances come from nowhere and by no rule.
#[derive(Clone, Debug)]
pub struct Movement {
    /// Out of this purse.
    pub from: Option<Purse>,
    /// Into this one.
    pub to: Purse,
    /// How much, above zero.
    pub amount: Units,
    /// Why.
    pub rule: Option<Rule>,
}

/// Everything that ever moved, in order.
#[derive(Clone, Debug, Default)]
pub struct Money {
    /// The movements.
    pub moves: Vec<Movement>,
}

/// An amount as a whole number.
pub fn units(amount: Amount) -> Units {
    Units::from(amount.base_units())
}

/// ⌊a × ppm / 1,000,000⌋.
pub fn part(amount: &Units, ppm: u32) -> Units {
    ratio(amount, &Units::from(ppm), &Units::from(1_000_000))
}

/// ⌊a × n / d⌋; everything here is at least zero, so the division rounds down.
pub fn ratio(amount: &Units, numerator: &Units, denominator: &Units) -> Units {
    amount * numerator / denominator
}

/// A division by weights: floors, and one unit more to the first parties of
/// weight above zero. Nobody has any weight: nothing.
pub fn split(amount: &Units, weights: &[Units]) -> Vec<Units> {
    let zero = Units::from(0);
    let sum: Units = weights.iter().sum();
    if sum == zero {
        return vec![zero; weights.len()];
    }
    let mut parts: Vec<Units> = weights.iter().map(|w| ratio(amount, w, &sum)).collect();
    let given: Units = parts.iter().sum();
    let mut left = amount - given;
    for (part, weight) in parts.iter_mut().zip(weights) {
        if left > zero && *weight > zero {
            *part += 1;
            left -= 1;
        }
    }
    parts
}

impl Money {
    /// What came in less what went out.
    pub fn balance(&self, purse: Purse) -> Units {
        let mut sum = Units::from(0);
        for step in &self.moves {
            if step.to == purse {
                sum += &step.amount;
            }
            if step.from == Some(purse) {
                sum -= &step.amount;
            }
        }
        sum
    }

    /// Every purse that ever held anything, with its balance.
    pub fn balances(&self) -> BTreeMap<Purse, Units> {
        let mut purses: BTreeMap<Purse, Units> = BTreeMap::new();
        for step in &self.moves {
            *purses.entry(step.to).or_default() += &step.amount;
            if let Some(from) = step.from {
                *purses.entry(from).or_default() -= &step.amount;
            }
        }
        purses
    }

    /// A movement; moving nothing is no movement.
    ///
    /// # Errors
    /// The purse has less.
    pub fn pay(
        &mut self,
        from: Purse,
        to: Purse,
        amount: &Units,
        rule: Rule,
    ) -> Result<(), &'static str> {
        if *amount == Units::from(0) {
            return Ok(());
        }
        if self.balance(from) < *amount {
            return Err("insufficient_funds");
        }
        self.moves.push(Movement {
            from: Some(from),
            to,
            amount: amount.clone(),
            rule: Some(rule),
        });
        Ok(())
    }

    /// A movement by the clock, of what is there by construction.
    pub fn must_pay(&mut self, from: Purse, to: Purse, amount: &Units, rule: Rule) {
        let paid = self.pay(from, to, amount, rule);
        assert_eq!(paid, Ok(()), "{from:?} to {to:?}: {amount} by {rule:?}");
    }

    /// Everything that is in a purse.
    pub fn empty(&mut self, from: Purse, to: Purse, rule: Rule) {
        let all = self.balance(from);
        self.must_pay(from, to, &all, rule);
    }

    /// A forfeit out of a purse: the half that is shared (rounded down) goes
    /// where it is said, the rest is burned.
    pub fn forfeit(&mut self, from: Purse, shared_to: Purse, amount: &Units) {
        let half: Units = amount / 2;
        self.must_pay(from, shared_to, &half, Rule::ForfeitHeld);
        let rest = amount - half;
        self.must_pay(from, Purse::Burned, &rest, Rule::ForfeitBurned);
    }
}
