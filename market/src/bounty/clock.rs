//! What the clock does: ends the phases whose time is over.

use protocol::receipt::{Event, Phase, Purse, Standing, VoidReason};
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, ItemId};

use super::post::part;
use super::settle::{self, at_risk, forfeit};
use super::{Seat, Submission};
use crate::evaluators::quorum;
use crate::state::State;

/// Ends the phase that a bounty is in, and begins the next.
pub(crate) fn deadline(state: &mut State, id: ItemId) {
    let (bounty, progress) = state.bounty(id).expect("only posted bounties fall due");
    let schedule = bounty.posting.schedule;
    let submissions = progress.submissions;
    let test_key_is_out = progress.test_key.is_some();
    match progress.phase {
        Phase::Open if submissions == 0 => settle::void(state, id, VoidReason::NoSubmissions),
        Phase::Open => state.enter(id, Phase::TestKey, schedule.test_key_ms),
        Phase::TestKey if !test_key_is_out => settle::void(state, id, VoidReason::KeyWithheld),
        Phase::TestKey => {
            seat_committee(state, id);
            state.enter(id, Phase::TestCheck, schedule.test_check_ms);
        }
        Phase::TestCheck => match test_set_verdict(state, id) {
            Some(TestOutcome::Ok) => state.enter(id, Phase::Reveal, schedule.reveal_ms),
            Some(TestOutcome::BadSeal { .. }) => settle::void(state, id, VoidReason::BadTestSet),
            Some(TestOutcome::Unavailable) | None => settle::void(state, id, VoidReason::NoQuorum),
        },
        Phase::Reveal => {
            drop_unrevealed(state, id);
            match state
                .bounty(id)
                .is_some_and(|(_, progress)| progress.revealed > 0)
            {
                true => state.enter(id, Phase::Score, schedule.score_ms),
                false => settle::settle(state, id),
            }
        }
        Phase::Score => state.enter(id, Phase::ScoreReveal, schedule.score_reveal_ms),
        Phase::ScoreReveal => {
            let seats: Vec<(Address, Seat)> = state
                .seats(id)
                .map(|(account, seat)| (account, seat.clone()))
                .collect();
            fail_idle_seats(state, id, &seats);
            if find_verdicts(state, id, &seats) {
                state.enter(id, Phase::Challenge, schedule.challenge_ms);
            } else {
                settle::void(state, id, VoidReason::NoQuorum);
            }
        }
        Phase::Challenge => settle::settle(state, id),
        Phase::Settled | Phase::Void(_) => unreachable!("a bounty that ended is not due"),
    }
}

/// Gives a seat to every evaluator there is.
fn seat_committee(state: &mut State, id: ItemId) {
    let accounts: Vec<Address> = state.evaluators().map(|(account, _)| account).collect();
    for account in accounts {
        state.tables.seats.put((id, account), Seat::default());
        state
            .tables
            .evaluators
            .update(&account, |evaluator| evaluator.seats += 1);
    }
}

/// What a quorum of the seats found the test set to be. Which chunk or row is
/// at fault is not part of the question.
fn test_set_verdict(state: &State, id: ItemId) -> Option<TestOutcome> {
    let words: Vec<&TestOutcome> = state
        .seats(id)
        .filter_map(|(_, seat)| seat.test_set.as_ref())
        .collect();
    let needed = quorum(state.seats(id).count() as u32) as usize;
    let same = |word: &TestOutcome| {
        let kind = std::mem::discriminant(word);
        words
            .iter()
            .filter(|other| std::mem::discriminant(**other) == kind)
            .count()
    };
    words
        .iter()
        .find(|word| needed > 0 && same(word) >= needed)
        .map(|&word| word.clone())
}

/// Miners who did not reveal are out and lose their bond, half of it to the
/// sponsor, up to the sponsor's own bond; nobody worked for them, so the fee returns.
fn drop_unrevealed(state: &mut State, id: ItemId) {
    let (bounty, _) = state.bounty(id).expect("only posted bounties fall due");
    let mut harmed = [(bounty.sponsor, bounty.bond)];
    let silent: Vec<Submission> = state
        .submissions(id)
        .filter(|submission| submission.key.is_none())
        .cloned()
        .collect();
    for submission in silent {
        let bond = Purse::MinerBond(submission.id);
        forfeit(state, bond, state.balance(bond), &mut harmed);
        settle::refund_fee(state, &submission);
        settle::stand(state, submission.id, Standing::NotRevealed);
    }
}

/// Seats that stayed silent, or committed and did not reveal, lose a part of
/// their stake, half of it to the miners whose work they left unscored, up to
/// what these have at risk.
fn fail_idle_seats(state: &mut State, id: ItemId, seats: &[(Address, Seat)]) {
    let revealed = |submission: &&Submission| submission.key.is_some();
    let miners: Vec<Submission> = state.submissions(id).filter(revealed).cloned().collect();
    let mut harmed = at_risk(state, &miners);
    for (evaluator, seat) in seats {
        if seat.attestations.is_some() {
            continue;
        }
        let had_committed = seat.commitment.is_some();
        let parameters = state.parameters();
        let ppm = match had_committed {
            true => parameters.unrevealed_forfeit_ppm,
            false => parameters.silent_forfeit_ppm,
        };
        let stake = Purse::Seat(*evaluator);
        let amount = part(state.balance(stake), ppm);
        state.events.push(Event::SeatFailed {
            bounty: id,
            evaluator: *evaluator,
            had_committed,
        });
        forfeit(state, stake, amount, &mut harmed);
    }
}

/// Finds what a quorum agrees on, submission by submission. `false` if too few
/// seats revealed for any quorum.
fn find_verdicts(state: &mut State, id: ItemId, seats: &[(Address, Seat)]) -> bool {
    let needed = quorum(seats.len() as u32);
    let batches: Vec<(Address, &[_])> = seats
        .iter()
        .filter_map(|(account, seat)| Some((*account, seat.attestations.as_deref()?)))
        .collect();
    if (batches.len() as u32) < needed || needed == 0 {
        return false;
    }
    let revealed: Vec<ItemId> = state
        .submissions(id)
        .filter(|submission| submission.key.is_some())
        .map(|submission| submission.id)
        .collect();
    for (place, submission) in revealed.into_iter().enumerate() {
        let words: Vec<(Address, &Outcome)> = batches
            .iter()
            .map(|(account, batch)| (*account, &batch[place].outcome))
            .collect();
        let agreeing =
            |outcome: &Outcome| words.iter().filter(|(_, other)| *other == outcome).count() as u32;
        let verdict = words
            .iter()
            .map(|&(_, outcome)| outcome)
            .find(|outcome| **outcome != Outcome::Unavailable && agreeing(outcome) >= needed)
            .cloned();
        let dissents = |outcome: &Outcome| {
            verdict.as_ref().is_some_and(|verdict| outcome != verdict)
                && *outcome != Outcome::Unavailable
        };
        state.events.push(Event::Verdict {
            submission,
            agreeing: verdict.as_ref().map_or(0, agreeing),
            dissenting: words
                .iter()
                .filter(|(_, outcome)| dissents(outcome))
                .map(|&(account, _)| account)
                .collect(),
            outcome: verdict.clone(),
        });
        let place = *state
            .tables
            .submission_index
            .get(&submission)
            .expect("it was committed");
        state
            .tables
            .submissions
            .update(&place, |submission| submission.verdict = verdict);
    }
    true
}
