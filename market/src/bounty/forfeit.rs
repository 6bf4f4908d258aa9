//! Forfeits: half burned, the rest to those who were harmed, each at most what
//! they put at risk.
//!
//! The sponsor is paid at once. What is for submissions waits in the bounty's harm
//! purse until the bounty ends, so that a forfeit costs the same for one
//! submission and for ten thousand.

use protocol::receipt::{Event, Panel, Phase, Purse, Rule};
use protocol::{Address, Amount, ItemId};

use super::post::part;
use super::{Bounty, Harm, Submission};
use crate::state::State;

/// Pays what the rules have put aside; that it is there is an invariant.
pub(super) fn pay(state: &mut State, from: Purse, to: Purse, amount: Amount, rule: Rule) {
    state
        .pay(from, to, amount, rule)
        .expect("the rules put it aside");
}

/// The half of a forfeit that is shared, rounded down.
fn half(amount: Amount) -> Amount {
    Amount::from_base_units(amount.base_units() / 2)
}

fn less(amount: Amount, part: Amount) -> Amount {
    amount
        .checked_sub(part)
        .expect("a part is at most the whole")
}

/// Forfeits to the sponsor, up to the sponsor's bond over all such forfeits.
pub(super) fn to_sponsor(state: &mut State, id: ItemId, from: Purse) {
    let amount = state.balance(from);
    let (bounty, progress) = state.posted(id);
    let (sponsor, made_good) = (Purse::Account(bounty.sponsor), progress.made_good);
    let shared = half(amount).min(less(bounty.bond, made_good));
    let made_good = made_good.checked_add(shared).expect("at most the bond");
    pay(state, from, sponsor, shared, Rule::ForfeitShared);
    pay(
        state,
        from,
        Purse::Burned,
        less(amount, shared),
        Rule::ForfeitBurned,
    );
    if !shared.is_zero() {
        state.change_progress(id, |progress| progress.made_good = made_good);
    }
}

/// Forfeits to the miners.
pub(super) fn to_miners(state: &mut State, id: ItemId, from: Purse, amount: Amount) {
    let shared = half(amount);
    pay(state, from, Purse::Harm(id), shared, Rule::ForfeitHeld);
    pay(
        state,
        from,
        Purse::Burned,
        less(amount, shared),
        Rule::ForfeitBurned,
    );
}

/// A seat that did not do its work forfeits a part of what it locked.
pub(super) fn fail_seat(
    state: &mut State,
    id: ItemId,
    panel: Panel,
    account: Address,
    had_committed: bool,
) {
    let parameters = state.parameters();
    let ppm = match had_committed {
        true => parameters.unrevealed_forfeit_ppm,
        false => parameters.silent_forfeit_ppm,
    };
    let seat = Purse::Seat(id, account);
    let stake = state.seat_stake(id).expect("it was posted");
    let forfeit = part(stake, ppm).min(state.balance(seat));
    state.events.push(Event::SeatFailed {
        bounty: id,
        panel,
        evaluator: account,
        had_committed,
    });
    to_miners(state, id, seat, forfeit);
}

/// What a miner put at risk with a submission: bond and fee, unless the sponsor paid it.
fn risk(bounty: &Bounty, bond: Amount, prepaid: bool) -> Amount {
    match prepaid {
        true => bond,
        false => bond
            .checked_add(bounty.posting.evaluation_fee)
            .expect("both are part of the supply"),
    }
}

/// What the harmed share at the end of a bounty.
pub(super) fn harm(state: &mut State, id: ItemId) -> Harm {
    let (bounty, progress) = state.posted(id);
    let before_reveal = matches!(
        progress.phase,
        Phase::Open | Phase::TestKey | Phase::TestCheck
    );
    let held = state.balance(Purse::Harm(id));
    let mut harm = Harm {
        held,
        risk: Amount::ZERO,
        revealed_only: !before_reveal,
    };
    if held.is_zero() {
        return harm;
    }
    let bond = state
        .miner_bond(&bounty.posting)
        .expect("checked when it was posted");
    let mut looked_at = 0;
    for submission in state.submissions(id) {
        looked_at += 1;
        if is_harmed(&harm, submission) {
            let risk = risk(bounty, bond, submission.prepaid);
            let sum = harm.risk.checked_add(risk);
            harm.risk = sum.expect("all are part of the supply");
        }
    }
    state.spend(looked_at / 16);
    harm
}

fn is_harmed(harm: &Harm, submission: &Submission) -> bool {
    !harm.revealed_only || submission.key.is_some()
}

/// Pays a submission's part of the harm to its miner.
pub(super) fn make_good(state: &mut State, id: ItemId, harm: &Harm, submission: &Submission) {
    if harm.held.is_zero() || harm.risk.is_zero() || !is_harmed(harm, submission) {
        return;
    }
    let (bounty, _) = state.posted(id);
    let bond = state
        .miner_bond(&bounty.posting)
        .expect("the miner paid it");
    let risk = risk(bounty, bond, submission.prepaid);
    let share = harm
        .held
        .checked_ratio(risk.base_units(), harm.risk.base_units())
        .expect("a part of what is held");
    let miner = Purse::Account(submission.miner);
    pay(
        state,
        Purse::Harm(id),
        miner,
        share.min(risk),
        Rule::ForfeitShared,
    );
}
