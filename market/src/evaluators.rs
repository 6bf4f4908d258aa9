//! Evaluators: accounts that stake, take seats, and answer for their work.
//!
//! A stake is free until a seat locks a part of it, so seats in several bounties
//! need stake for each of them. Who leaves gives notice, and then has what is free; what
//! seats have locked follows as they return it, so that nobody can hold back more than
//! the seats' own stake.

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
    /// If it has said that it leaves: from when on it can have back what no seat has locked. It gets no further seats,
    /// but that who checked a test set may be drawn to score what is revealed for it.
    pub leaves_ms: Option<u64>,
    /// The record that it joined with, whose deposit it has locked.
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

    /// An evaluator.
    pub fn evaluator(&self, account: Address) -> Option<Evaluator> {
        self.tables.evaluators.get(&account).copied()
    }

    /// What the seats of an account have locked. Looks at all seats there are.
    pub fn locked(&self, account: Address) -> Amount {
        let locked = self.seats_locked().filter(|(holder, _)| *holder == account);
        locked.fold(Amount::ZERO, |sum, (_, locked)| {
            sum.checked_add(locked).expect("part of the supply")
        })
    }

    /// What each seat has locked that has anything, and whose it is.
    pub fn seats_locked(&self) -> impl Iterator<Item = (Address, Amount)> {
        let first = Purse::Seat(ItemId([0; 32]), Address([0; 32]));
        let last = Purse::Seat(ItemId([u8::MAX; 32]), Address([u8::MAX; 32]));
        let seats = self.tables.purses.range(first..=last);
        seats.filter_map(|(purse, &locked)| match purse {
            Purse::Seat(_, holder) => Some((*holder, locked)),
            _ => None,
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

/// Stakes and joins, or adds to a stake; who was leaving stays.
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
    if state.tables.evaluators.get(&account).is_none() {
        state.lock_deposit(tx)?;
        let evaluator = Evaluator {
            seats: 0,
            leaves_ms: None,
            joined: tx.id,
        };
        state.tables.evaluators.put(account, evaluator);
    }
    change(state, account, |evaluator| evaluator.leaves_ms = None);
    state.pay(Purse::Account(account), purse, stake, Rule::Stake)
}

/// Says that an evaluator leaves: it gets no further seats. Said again when the notice is over, it pays what no seat
/// has locked. The notice makes stake that is drawn by stand for some time, whatever it is drawn for.
pub(crate) fn leave(state: &mut State, account: Address) -> Result<(), Rejection> {
    let evaluator = *state
        .tables
        .evaluators
        .get(&account)
        .ok_or(Rejection::NotEvaluator(account))?;
    let time_ms = state.time_ms();
    let Some(until_ms) = evaluator.leaves_ms else {
        let until_ms = time_ms.saturating_add(state.parameters().unstake_ms);
        change(state, account, |evaluator| {
            evaluator.leaves_ms = Some(until_ms);
        });
        state.order_free_stake(account, state.balance(Purse::Stake(account)));
        return Ok(());
    };
    if time_ms < until_ms {
        return Err(Rejection::NoticeNotOver { until_ms, time_ms });
    }
    let stake = Purse::Stake(account);
    if evaluator.seats > 0 && state.balance(stake).is_zero() {
        return Err(Rejection::SeatsAtWork(evaluator.seats));
    }
    state.pay_all(stake, Purse::Account(account), Rule::Unstake);
    if evaluator.seats == 0 {
        state.tables.evaluators.remove(&account);
        state.return_deposit(evaluator.joined, account);
    }
    Ok(())
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

/// Returns what is left of a seat's stake.
pub(crate) fn leave_seat(state: &mut State, bounty: ItemId, account: Address) {
    let (from, to) = (Purse::Seat(bounty, account), Purse::Stake(account));
    state.pay_all(from, to, Rule::SeatReturn);
    change(state, account, |evaluator| evaluator.seats -= 1);
}

fn change(state: &mut State, account: Address, change: impl FnOnce(&mut Evaluator)) {
    let changed = state.tables.evaluators.update(&account, change);
    changed.expect("it is an evaluator, and stays one while it has a seat");
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
