//! Evaluators: accounts that stake, take seats, and answer for their work.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Purse, Rule};
use protocol::{Address, Amount};

use crate::rejection::Rejection;
use crate::state::State;

/// The most evaluators that a committee of all registered ones can seat.
pub const EVALUATORS_MAX: u32 = 64;

/// A registered evaluator; the stake is in its seat's purse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Evaluator {
    /// Bounties in which this evaluator has a seat that is not done.
    pub seats: u32,
}

impl State {
    /// All evaluators, by address.
    pub fn evaluators(&self) -> impl Iterator<Item = (Address, Evaluator)> {
        self.tables
            .evaluators
            .iter()
            .map(|(&address, &evaluator)| (address, evaluator))
    }
}

/// How many seats must agree: two thirds, rounded up (4 of 5, 3 of 4, 2 of 3).
pub const fn quorum(seats: u32) -> u32 {
    (2 * seats).div_ceil(3)
}

/// Stakes and joins, or adds to a stake.
pub(crate) fn join(state: &mut State, account: Address, stake: Amount) -> Result<(), Rejection> {
    if stake.is_zero() {
        return Err(Rejection::ZeroAmount);
    }
    let seat = Purse::Seat(account);
    let given = state
        .balance(seat)
        .checked_add(stake)
        .ok_or(Rejection::Overflow)?;
    let least = state.parameters().evaluator_stake_min;
    if given < least {
        return Err(Rejection::StakeTooSmall { given, least });
    }
    if state.tables.evaluators.get(&account).is_none() {
        if state.tables.evaluators.len() >= EVALUATORS_MAX as usize {
            return Err(Rejection::Full {
                what: "evaluators",
                limit: EVALUATORS_MAX,
            });
        }
        state.tables.evaluators.put(account, Evaluator::default());
    }
    state.pay(Purse::Account(account), seat, stake, Rule::Stake)
}

/// Leaves with the stake, once no seat is at work.
pub(crate) fn leave(state: &mut State, account: Address) -> Result<(), Rejection> {
    let evaluator = state
        .tables
        .evaluators
        .get(&account)
        .ok_or(Rejection::NotEvaluator(account))?;
    if evaluator.seats > 0 {
        return Err(Rejection::SeatsAtWork(evaluator.seats));
    }
    state.tables.evaluators.remove(&account);
    state.pay_all(Purse::Seat(account), Purse::Account(account), Rule::Unstake);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::quorum;

    #[test]
    fn a_quorum_is_two_thirds_rounded_up() {
        let expected = [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7];
        for (seats, needed) in expected.into_iter().enumerate() {
            assert_eq!(quorum(seats as u32), needed, "{seats} seats");
        }
    }
}
