//! The test check: what the panel's words on the test set come to.
//!
//! Words are counted by kind: whether the test set opens is the question, not in
//! which chunk it fails.

use protocol::receipt::{Event, Panel, Phase, VoidReason};
use protocol::report::TestOutcome;
use protocol::{Address, ItemId};

use super::{Check, PanelProgress, Step, forfeit, panel, void};
use crate::evaluators::{leave_seat, quorum};
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
    let words: Vec<(Address, &TestOutcome)> = seats
        .iter()
        .filter_map(|(account, check)| Some((*account, check.word.as_ref()?)))
        .filter(|(_, word)| **word != TestOutcome::Unavailable)
        .collect();
    let progress = state.posted(id).1.panel;
    let needed = quorum(progress.seats) as usize;
    let agreeing = |word: &TestOutcome| words.iter().filter(|(_, other)| same(word, other)).count();
    let differ = words.iter().any(|(_, word)| !same(word, words[0].1));
    let found = words
        .iter()
        .map(|&(_, word)| word)
        .find(|word| needed > 0 && agreeing(word) >= needed)
        .filter(|_| !differ || progress.all);
    if found.is_none() && !progress.all {
        if !differ && panel::draw_again(state, id) {
            return;
        }
        // Whoever cannot look at it cannot keep the others from a verdict.
        let spoken = seats.iter().filter(|(_, check)| check.word.is_some());
        if differ || (needed > 0 && spoken.count() >= needed) {
            return panel::next_block(state, id, Step::SeatAll);
        }
    }
    let dissents = |word: &TestOutcome| found.is_some_and(|found| !same(word, found));
    state.events.push(Event::TestSetVerdict {
        bounty: id,
        outcome: found.cloned(),
        agreeing: found.map_or(0, |word| agreeing(word) as u32),
        dissenting: words
            .iter()
            .filter(|(_, word)| dissents(word))
            .map(|&(account, _)| account)
            .collect(),
    });
    for (account, _) in &seats {
        leave_seat(state, id, *account);
    }
    state.change_progress(id, |progress| progress.panel = PanelProgress::default());
    let reveal_ms = state.posted(id).0.posting.schedule.reveal_ms;
    match found {
        Some(TestOutcome::Ok) => state.enter(id, Phase::Reveal, reveal_ms),
        Some(TestOutcome::BadSeal { .. }) => void::begin(state, id, VoidReason::BadTestSet),
        Some(TestOutcome::Unavailable) | None => void::begin(state, id, VoidReason::NoQuorum),
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
