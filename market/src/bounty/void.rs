//! The end of a bounty without a ranking, the return of stakes, and forgetting.

use protocol::receipt::{Event, Phase, Purse, Rule, Standing, VoidReason};
use protocol::{Address, ItemId};

use super::forfeit::{self, pay};
use super::{Harm, Step, Submission, settle};
use crate::funds;
use crate::state::{Queue, State};

/// Begins the end: the sponsor's bond is forfeited if it is the sponsor's fault.
pub(super) fn begin(state: &mut State, id: ItemId, reason: VoidReason) {
    let (_, progress) = state.posted(id);
    state.unplan(Queue::Bounties, progress.until_ms, id);
    let bond = Purse::SponsorBond(id);
    if reason.is_sponsors_fault() {
        forfeit::to_miners(state, id, bond, state.balance(bond));
    }
    let harm = forfeit::harm(state, id);
    state.set_step(
        id,
        Step::Void {
            next: 0,
            reason,
            harm,
        },
    );
}

/// Returns bonds and fees of some submissions.
pub(super) fn go_on(state: &mut State, id: ItemId, next: u32, reason: VoidReason, harm: Harm) {
    let taken = state.take_submissions(id, next, |_| 6);
    let Some(&(last, _)) = taken.last() else {
        let end = Phase::Void(reason);
        return state.set_step(id, Step::Return { next: 0, end });
    };
    for (place, submission) in &taken {
        forfeit::make_good(state, id, &harm, submission);
        settle::return_bond(state, submission);
        settle::refund_fee(state, id, submission);
        settle::forget_words(state, id, *place);
        if submission.standing.is_none() {
            settle::stand(state, id, *place, Standing::NoVerdict);
        }
    }
    let next = last + 1;
    state.set_step(id, Step::Void { next, reason, harm });
}

/// Returns the reward to the sponsor and the stakes of some backers; then the bounty is over.
pub(super) fn return_stakes(state: &mut State, id: ItemId, next: u32, end: Phase) {
    let (bounty, progress) = state.posted(id);
    let (sponsor, backers) = (Purse::Account(bounty.sponsor), progress.backers);
    if next == 0 {
        let posting = bounty.posting.clone();
        let reward = funds::return_part(state, id, &posting);
        pay(state, Purse::Reward(id), sponsor, reward, Rule::Refund);
    }
    let room = state.budget().div_ceil(2).max(1);
    let last = backers.min(next.saturating_add(room));
    state.spend(2 * (last - next) as usize);
    for place in next..last {
        let backing = *state
            .tables
            .backings
            .get(&(id, place))
            .expect("backers are counted");
        let backer = Purse::Account(backing.account);
        pay(
            state,
            Purse::Reward(id),
            backer,
            backing.amount,
            Rule::Refund,
        );
    }
    match last == backers {
        true => state.end(id, end),
        false => state.set_step(id, Step::Return { next: last, end }),
    }
}

/// Forgets some submissions; then backings, seats and the bounty itself.
pub(super) fn forget(state: &mut State, id: ItemId, next: u32) {
    let taken = state.take_submissions(id, next, |_| 4);
    if let Some(&(last, _)) = taken.last() {
        for (place, submission) in taken {
            forget_submission(state, id, place, &submission);
        }
        return state.set_step(id, Step::Forget { next: last + 1 });
    }
    let (bounty, progress) = state.posted(id);
    let (sponsor, backers) = (bounty.sponsor, progress.backers);
    state.spend(3 * backers as usize);
    for place in 0..backers {
        if let Some(backing) = state.tables.backings.get(&(id, place)).copied() {
            state.return_deposit(backing.record, backing.account);
            state.tables.backings.remove(&(id, place));
            state.tables.parties.remove(&(id, backing.account));
        }
    }
    let seats: Vec<Address> = state.seats(id).map(|(account, _)| account).collect();
    for account in seats {
        state.tables.seats.remove(&(id, account));
    }
    let checks: Vec<Address> = state.checks(id).map(|(account, _)| account).collect();
    for account in checks {
        state.tables.checks.remove(&(id, account));
    }
    state.tables.parties.remove(&(id, sponsor));
    state.return_deposit(id, sponsor);
    state.tables.progress.remove(&id);
    state.tables.bounties.remove(&id);
    state.events.push(Event::BountyForgotten { bounty: id });
}

fn forget_submission(state: &mut State, id: ItemId, place: u32, submission: &Submission) {
    // What became an asset is never forgotten, and its deposit is the asset's.
    if state.asset(submission.id).is_none() {
        state.return_deposit(submission.id, submission.miner);
    }
    state.tables.submissions.remove(&(id, place));
    state.tables.submission_index.remove(&submission.id);
    state.tables.parties.remove(&(id, submission.miner));
}
