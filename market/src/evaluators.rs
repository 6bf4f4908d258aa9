//! Evaluators: accounts that stake, take seats, and answer for their work.
//!
//! A stake is free until a seat locks a part of it, so seats in several bounties
//! need stake for each of them. Who leaves has at once what is free; what seats have
//! locked follows as they return it, so that nobody can hold back more than the seats'
//! own stake.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Purse, Rule};
use protocol::record::Transaction;
use protocol::{Address, Amount, ItemId};

use crate::rejection::Rejection;
use crate::state::State;

/// How many seats a panel has: the largest of these that the candidates fill.
pub const PANEL_SIZES: [u32; 3] = [5, 3, 1];

/// A registered evaluator; what no seat has locked is in its stake's purse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Evaluator {
    /// Seats of this evaluator that lock a part of its stake.
    pub seats: u32,
    /// Whether it has left but for these seats: what each of them returns goes to the account.
    pub leaving: bool,
    /// The record that it joined with, whose deposit it has locked until it leaves.
    pub joined: ItemId,
}

impl State {
    /// All evaluators, by address.
    pub fn evaluators(&self) -> impl Iterator<Item = (Address, Evaluator)> {
        self.tables
            .evaluators
            .iter()
            .map(|(&address, &evaluator)| (address, evaluator))
    }

    /// What the seats of an account have locked.
    pub fn locked(&self, account: Address) -> Amount {
        let first = Purse::Seat(ItemId([0; 32]), Address([0; 32]));
        let last = Purse::Seat(ItemId([u8::MAX; 32]), Address([u8::MAX; 32]));
        let seats = self.tables.purses.range(first..=last);
        seats
            .filter(|(purse, _)| matches!(purse, Purse::Seat(_, holder) if *holder == account))
            .fold(Amount::ZERO, |sum, (_, &locked)| {
                sum.checked_add(locked).expect("part of the supply")
            })
    }
}

/// How much of a whole must agree: two thirds, rounded up (4 of 5 seats, 3 of 4, 2 of 3).
pub const fn quorum(whole: u128) -> u128 {
    whole - whole / 3
}

/// How many seats a panel has that is drawn from so many candidates; `None` if they are too few.
pub fn panel_size(candidates: usize, committee_min: u32) -> Option<u32> {
    let fits = |size: &u32| *size as usize <= candidates && *size >= committee_min;
    PANEL_SIZES.into_iter().find(fits)
}

/// Stakes and joins, or adds to a stake.
pub(crate) fn join(state: &mut State, tx: &Transaction, stake: Amount) -> Result<(), Rejection> {
    if stake.is_zero() {
        return Err(Rejection::ZeroAmount);
    }
    let account = tx.signer;
    let purse = Purse::Stake(account);
    let given = state
        .balance(purse)
        .checked_add(stake)
        .ok_or(Rejection::Overflow)?;
    let least = state.parameters().evaluator_stake_min;
    if given < least {
        return Err(Rejection::StakeTooSmall { given, least });
    }
    let there = state.tables.evaluators.get(&account).copied();
    if there.is_none_or(|evaluator| evaluator.leaving) {
        state.lock_deposit(tx)?;
        let evaluator = Evaluator {
            seats: there.map_or(0, |evaluator| evaluator.seats),
            leaving: false,
            joined: tx.id,
        };
        state.tables.evaluators.put(account, evaluator);
    }
    state.pay(Purse::Account(account), purse, stake, Rule::Stake)
}

/// Leaves with what no seat has locked; what seats at work have locked follows when they return it.
pub(crate) fn leave(state: &mut State, account: Address) -> Result<(), Rejection> {
    let evaluator = *state
        .tables
        .evaluators
        .get(&account)
        .ok_or(Rejection::NotEvaluator(account))?;
    if evaluator.leaving {
        return Err(Rejection::SeatsAtWork(evaluator.seats));
    }
    change(state, account, |evaluator| evaluator.leaving = true);
    state.return_deposit(evaluator.joined, account);
    let_leave(state, account);
    Ok(())
}

/// Pays an evaluator that is leaving what it has free, and forgets it with its last seat.
pub(crate) fn let_leave(state: &mut State, account: Address) {
    let evaluator = state.tables.evaluators.get(&account);
    let Some(&evaluator) = evaluator.filter(|evaluator| evaluator.leaving) else {
        return;
    };
    let (stake, home) = (Purse::Stake(account), Purse::Account(account));
    state.pay_all(stake, home, Rule::Unstake);
    if evaluator.seats == 0 {
        state.tables.evaluators.remove(&account);
    }
}

/// Locks a seat's stake, or what a candidate has of it.
pub(crate) fn take_seat(state: &mut State, bounty: ItemId, account: Address, stake: Amount) {
    let (from, to) = (Purse::Stake(account), Purse::Seat(bounty, account));
    let stake = stake.min(state.balance(from));
    state
        .pay(from, to, stake, Rule::SeatLock)
        .expect("at most what is there");
    change(state, account, |evaluator| evaluator.seats += 1);
}

/// Returns what is left of a seat's stake. One that is leaving has it as free stake until [`let_leave`].
pub(crate) fn return_seat(state: &mut State, bounty: ItemId, account: Address) {
    let (from, to) = (Purse::Seat(bounty, account), Purse::Stake(account));
    state.pay_all(from, to, Rule::SeatReturn);
    change(state, account, |evaluator| evaluator.seats -= 1);
}

/// Returns what is left of a seat's stake, to the account if the evaluator is leaving.
pub(crate) fn leave_seat(state: &mut State, bounty: ItemId, account: Address) {
    return_seat(state, bounty, account);
    let_leave(state, account);
}

fn change(state: &mut State, account: Address, change: impl FnOnce(&mut Evaluator)) {
    let changed = state.tables.evaluators.update(&account, change);
    changed.expect("an evaluator is there while it has a seat");
}

#[cfg(test)]
mod tests {
    use super::{panel_size, quorum};

    #[test]
    fn a_quorum_is_two_thirds_rounded_up() {
        let expected = [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7];
        for (seats, needed) in expected.into_iter().enumerate() {
            assert_eq!(quorum(seats as u128), needed, "{seats} seats");
        }
        assert_eq!(quorum(u128::MAX), u128::MAX / 3 * 2);
    }

    #[test]
    fn a_panel_is_the_largest_that_the_candidates_fill() {
        for (candidates, least, size) in [
            (0, 1, None),
            (1, 1, Some(1)),
            (2, 1, Some(1)),
            (2, 3, None),
            (3, 3, Some(3)),
            (4, 1, Some(3)),
            (4, 5, None),
            (5, 3, Some(5)),
            (1_000, 3, Some(5)),
        ] {
            assert_eq!(panel_size(candidates, least), size, "{candidates}, {least}");
        }
    }
}
