//! The end of a round of scoring: who failed, and what a quorum agrees on.
//!
//! Words that agree to the last bit count together. A word of `unavailable` is
//! none: its submission is asked for again. Words that differ are not decided by
//! the panel's majority, and words that stay too few do not leave a submission
//! without verdict: every evaluator is asked.

use std::collections::BTreeMap;

use protocol::receipt::{Event, Panel, Phase, VoidReason};
use protocol::record::ATTESTATIONS_PER_PART;
use protocol::report::Outcome;
use protocol::{Address, ItemId};

use super::{Seat, Step, Submission, forfeit, panel, void};
use crate::evaluators::leave_seat;
use crate::state::State;

/// Counting, from the first submission on.
pub(super) const FIRST: Step = Step::Tally {
    next: 0,
    short: 0,
    differing: 0,
};

/// Parts of a batch that holds so many attestations.
pub(super) fn parts_of(attestations: usize) -> u32 {
    u32::try_from(attestations.div_ceil(ATTESTATIONS_PER_PART)).expect("a batch has few parts")
}

/// Ends a round: who was asked and gave no whole batch fails, and counting begins.
pub(super) fn begin(state: &mut State, id: ItemId) {
    let whole = parts_of(state.posted(id).1.panel.asked as usize);
    let asked: Vec<(Address, Seat)> = state
        .seats(id)
        .filter(|(_, seat)| seat.asked)
        .map(|(account, seat)| (account, seat.clone()))
        .collect();
    for (account, seat) in asked {
        let gave = seat.parts == whole;
        if !gave {
            let had_committed = seat.commitment.is_some();
            forfeit::fail_seat(state, id, Panel::Score, account, had_committed);
        }
        state.tables.seats.update(&(id, account), |seat| {
            seat.asked = false;
            seat.failed |= !gave;
            seat.given |= gave;
        });
    }
    state.set_step(id, FIRST);
}

/// Counts the words on some submissions.
pub(super) fn go_on(state: &mut State, id: ItemId, next: u32, short: u32, differing: u32) {
    let (mut short, mut differing) = (short, differing);
    let progress = state.posted(id).1.panel;
    // What the words of those that did not fail count for.
    let seats: BTreeMap<Address, Option<u128>> = state
        .seats(id)
        .map(|(account, seat)| {
            let weight = progress.weight_of(seat.weight);
            (account, (!seat.failed).then_some(weight))
        })
        .collect();
    let weight = |account: Address| seats.get(&account).copied().flatten();
    let rows = 2 + seats.len() / 4;
    let taken = state.take_submissions(id, next, |_| rows);
    let Some(&(last, _)) = taken.last() else {
        return end(state, id, short, differing);
    };
    for (place, submission) in &taken {
        if submission.key.is_none() || submission.verdict.is_some() {
            continue;
        }
        let words: Vec<Word> = state
            .words(id, *place)
            .filter_map(|(account, outcome)| {
                Some(Word {
                    account,
                    outcome: outcome.clone(),
                    weight: weight(account)?,
                })
            })
            .collect();
        match count(state, id, *place, submission, &words) {
            Count::Decided => continue,
            Count::Short => short += 1,
            Count::Differing => differing += 1,
        }
        // Who could not look at it may do so now.
        for word in words {
            if word.outcome == Outcome::Unavailable {
                let key = (id, word.account);
                state.tables.seats.update(&key, |seat| seat.asked = true);
            }
        }
    }
    let step = Step::Tally {
        next: last + 1,
        short,
        differing,
    };
    state.set_step(id, step);
}

/// A seat's word on a submission.
struct Word {
    account: Address,
    outcome: Outcome,
    weight: u128,
}

enum Count {
    Decided,
    Short,
    Differing,
}

/// Counts the words on one submission, and notes a verdict.
fn count(
    state: &mut State,
    id: ItemId,
    place: u32,
    submission: &Submission,
    words: &[Word],
) -> Count {
    let progress = state.posted(id).1.panel;
    let said: Vec<&Word> = words
        .iter()
        .filter(|word| word.outcome != Outcome::Unavailable)
        .collect();
    let agreeing = |outcome: &Outcome| {
        let agreeing = said.iter().filter(|other| other.outcome == *outcome);
        agreeing.map(|other| other.weight).sum::<u128>()
    };
    let differ = said.iter().any(|word| word.outcome != said[0].outcome);
    let needed = progress.quorum();
    let verdict = said
        .iter()
        .map(|word| &word.outcome)
        .find(|word| needed > 0 && agreeing(word) >= needed)
        .filter(|_| !differ || progress.all);
    let Some(verdict) = verdict else {
        return if differ {
            Count::Differing
        } else {
            Count::Short
        };
    };
    let (agreed, dissenting): (Vec<&Word>, Vec<&Word>) =
        said.iter().partition(|word| word.outcome == *verdict);
    state.events.push(Event::Verdict {
        submission: submission.id,
        agreeing: u32::try_from(agreed.len()).expect("panels are small"),
        dissenting: dissenting.iter().map(|word| word.account).collect(),
        outcome: Some(verdict.clone()),
    });
    let verdict = Some(verdict.clone());
    state.change_submission(id, place, |submission| {
        submission.verdict = verdict;
        submission.by_all = progress.all;
    });
    Count::Decided
}

/// All are counted: another round, or the end of scoring.
fn end(state: &mut State, id: ItemId, short: u32, differing: u32) {
    let (bounty, progress) = state.posted(id);
    let (panel, challenge_ms) = (progress.panel, bounty.posting.schedule.challenge_ms);
    if !panel.all {
        if short > 0 && panel::draw_again(state, id) {
            return ask_again(state, id);
        }
        let given = state
            .seats(id)
            .filter(|(_, seat)| seat.given && !seat.failed)
            .count();
        if given == 0 {
            return void::begin(state, id, VoidReason::NoQuorum);
        }
        // Who cannot look at a submission, or is silent, cannot keep the others from a verdict.
        if differing > 0 || short > 0 {
            ask_again(state, id);
            return panel::next_block(state, id, Step::SeatAll);
        }
    }
    return_seats(state, id, true);
    state.enter(id, Phase::Challenge, challenge_ms);
}

/// Returns what seats have locked: those of the round of all, with that round; the panel's, when the bounty ends.
pub(super) fn return_seats(state: &mut State, id: ItemId, extra: bool) {
    let seats = state.seats(id).filter(|(_, seat)| seat.extra == extra);
    let accounts: Vec<Address> = seats.map(|(account, _)| account).collect();
    state.spend(2 * accounts.len());
    for account in accounts {
        leave_seat(state, id, account);
    }
}

/// Those seats that are asked again begin anew.
fn ask_again(state: &mut State, id: ItemId) {
    let asked: Vec<Address> = state
        .seats(id)
        .filter(|(_, seat)| seat.asked)
        .map(|(account, _)| account)
        .collect();
    for account in asked {
        state.tables.seats.update(&(id, account), |seat| {
            seat.commitment = None;
            seat.parts = 0;
            seat.next = 0;
            seat.asked = !seat.failed;
        });
    }
}
