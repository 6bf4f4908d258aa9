//! The test check: what the panel's words on the test set come to.
//!
//! Words are counted by kind: whether the test set opens is the question, not in
//! which chunk it fails.

use protocol::receipt::{Event, Panel, Phase, Purse, VoidReason};
use protocol::report::TestOutcome;
use protocol::{Address, ItemId};

use super::{Check, PanelProgress, Step, forfeit, panel, settle, void};
use crate::evaluators::leave_seat;
use crate::state::State;

/// Ends a round of the test check.
pub(super) fn end(state: &mut State, id: ItemId) {
    let seats: Vec<(Address, Check)> = state
        .checks(id)
        .map(|(account, check)| (account, check.clone()))
        .collect();
    for (account, check) in &seats {
        if check.word.is_none() && !check.failed {
            forfeit::fail_seat(state, id, Panel::Check, *account, false);
            let key = (id, *account);
            state
                .tables
                .checks
                .update(&key, |check| check.failed = true);
        }
    }
    let progress = state.posted(id).1.panel;
    let words: Vec<Word> = seats
        .iter()
        .filter_map(|(account, check)| {
            Some(Word {
                account: *account,
                outcome: check.word.as_ref()?,
                weight: progress.weight_of(check.weight),
            })
        })
        .filter(|word| *word.outcome != TestOutcome::Unavailable)
        .collect();
    let needed = progress.quorum();
    let agreeing = |word: &TestOutcome| {
        let agreeing = words.iter().filter(|other| same(word, other.outcome));
        agreeing.map(|other| other.weight).sum::<u128>()
    };
    let differ = words
        .iter()
        .any(|word| !same(word.outcome, words[0].outcome));
    let found = words
        .iter()
        .map(|word| word.outcome)
        .find(|word| needed > 0 && agreeing(word) >= needed)
        .filter(|_| !differ || progress.all);
    if found.is_none() && !progress.all {
        if !differ && panel::draw_again(state, id) {
            return;
        }
        // Who cannot look at it, or is silent, cannot keep the others from a verdict.
        if seats.iter().any(|(_, check)| check.word.is_some()) {
            return panel::next_block(state, id, Step::SeatAll);
        }
    }
    let (agreed, dissenting): (Vec<&Word>, Vec<&Word>) = words
        .iter()
        .filter(|_| found.is_some())
        .partition(|word| found.is_some_and(|found| same(word.outcome, found)));
    state.events.push(Event::TestSetVerdict {
        bounty: id,
        outcome: found.cloned(),
        agreeing: u32::try_from(agreed.len()).expect("panels are small"),
        dissenting: dissenting.iter().map(|word| word.account).collect(),
    });
    // The panel's seats stay until the score's are drawn, or the bounty ends; those who were asked with all others go.
    let extra = seats.iter().filter(|(_, check)| check.extra);
    state.spend(2 * extra.clone().count());
    for (account, _) in extra {
        leave_seat(state, id, *account);
    }
    state.change_progress(id, |progress| progress.panel = PanelProgress::default());
    let reveal_ms = state.posted(id).0.posting.schedule.reveal_ms;
    match found {
        Some(TestOutcome::Ok) => state.enter(id, Phase::Reveal, reveal_ms),
        Some(TestOutcome::BadSeal { .. }) => {
            pay_finders(state, id, &agreed);
            void::begin(state, id, VoidReason::BadTestSet);
        }
        Some(TestOutcome::Unavailable) | None => void::begin(state, id, VoidReason::NoQuorum),
    }
}

/// Who found the test set bad has worked for nothing by the sponsor's fault: out of the bond they get one evaluation
/// fee, divided as a submission's is.
fn pay_finders(state: &mut State, id: ItemId, agreed: &[&Word]) {
    let fee = state.posted(id).0.posting.evaluation_fee;
    let finders = agreed.iter().map(|word| (word.account, word.weight));
    let finders: Vec<(Address, u128)> = finders.collect();
    settle::pay_evaluators(state, Purse::SponsorBond(id), fee, &finders);
}

/// A word on the test set.
struct Word<'a> {
    account: Address,
    outcome: &'a TestOutcome,
    weight: u128,
}

/// Returns the stakes that seats of the check still lock: when the score's panel is about to be drawn, or the bounty
/// ends without one.
pub(super) fn return_seats(state: &mut State, id: ItemId) {
    let lock = matches!(
        state.posted(id).1.phase,
        Phase::TestKey | Phase::TestCheck | Phase::Reveal
    );
    let locked = state.checks(id).filter(|(_, check)| lock && !check.extra);
    let accounts: Vec<Address> = locked.map(|(account, _)| account).collect();
    state.spend(2 * accounts.len());
    for account in accounts {
        leave_seat(state, id, account);
    }
}

fn same(one: &TestOutcome, other: &TestOutcome) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// `unavailable` is no word: who said it is asked again when a round begins.
pub(super) fn let_speak_again(state: &mut State, id: ItemId) {
    let unavailable: Vec<Address> = state
        .checks(id)
        .filter(|(_, check)| check.word == Some(TestOutcome::Unavailable))
        .map(|(account, _)| account)
        .collect();
    for account in unavailable {
        let key = (id, account);
        state.tables.checks.update(&key, |check| check.word = None);
    }
}
