//! What the clock does: ends the phases whose time is over, and takes the steps
//! that this sets off, as far as the block's budget goes.

use protocol::ItemId;
use protocol::phases::length_ms;
use protocol::receipt::{Event, Phase, Purse, Standing, VoidReason};

use super::{Step, Submission, check, forfeit, panel, settle, tally, void};
use crate::state::{Queue, State};

/// The longest window that a phase gets again.
const FRESH_WINDOW_MAX_MS: u64 = 24 * 3_600_000;

/// Does the work of a bounty that is due.
pub(crate) fn work(state: &mut State, id: ItemId) {
    state.spend(4);
    match state.posted(id).1.step {
        Step::Wait if state.was_missed(state.posted(id).1.until_ms) => return extend(state, id),
        Step::Wait => end_phase(state, id),
        Step::Draw => panel::fill(state, id),
        Step::SeatAll => panel::seat_all(state, id),
        _ => {}
    }
    go_on(state, id);
}

/// Takes steps until the bounty waits, or the block's budget is used up: then the
/// next block goes on.
pub(super) fn go_on(state: &mut State, id: ItemId) {
    loop {
        let Some((_, progress)) = state.bounty(id) else {
            return; // forgotten
        };
        let step = progress.step;
        let waits = match step {
            Step::Wait | Step::Draw | Step::SeatAll => true,
            Step::Forget { next: 0 } => state.time_ms() < forgotten_ms(state, id),
            _ => false,
        };
        if waits {
            return;
        }
        if state.budget() == 0 {
            state.plan(Queue::Bounties, state.time_ms(), id);
            return;
        }
        match step {
            Step::Wait | Step::Draw | Step::SeatAll => unreachable!("these wait"),
            Step::PutOut { next } => put_out(state, id, next),
            Step::Tally {
                next,
                short,
                differing,
            } => tally::go_on(state, id, next, short, differing),
            Step::Rank {
                next,
                best,
                leader,
                improved,
            } => settle::rank(state, id, next, best, leader, improved),
            Step::Pay {
                next,
                award,
                improved,
                left,
                harm,
            } => settle::pay_some(state, id, next, award, improved, left, harm),
            Step::Void { next, reason, harm } => void::go_on(state, id, next, reason, harm),
            Step::Return { next, end } => void::return_stakes(state, id, next, end),
            Step::Forget { next } => void::forget(state, id, next),
        }
    }
}

fn forgotten_ms(state: &State, id: ItemId) -> u64 {
    let ended_ms = state.posted(id).1.until_ms;
    ended_ms.saturating_add(state.parameters().retention_ms)
}

/// Gives a phase a fresh window.
fn extend(state: &mut State, id: ItemId) {
    let (bounty, progress) = state.posted(id);
    let phase = progress.phase;
    let length_ms = length_ms(&bounty.posting.schedule, &phase);
    let length_ms = length_ms.expect("a bounty that ended has no window");
    let until_ms = state
        .time_ms()
        .saturating_add(length_ms.min(FRESH_WINDOW_MAX_MS));
    state.change_progress(id, |progress| progress.until_ms = until_ms);
    state.plan(Queue::Bounties, until_ms, id);
    state.events.push(Event::PhaseExtended {
        bounty: id,
        phase,
        until_ms,
    });
}

/// Ends the phase that a bounty is in: begins the next one, or the step before it.
fn end_phase(state: &mut State, id: ItemId) {
    let (bounty, progress) = state.posted(id);
    let schedule = bounty.posting.schedule;
    match progress.phase {
        Phase::Open if progress.submissions == 0 => {
            void::begin(state, id, VoidReason::NoSubmissions)
        }
        // Nobody is asked to show anything before those who will look at it are bound to.
        Phase::Open => panel::next_block(state, id, Step::Draw),
        Phase::TestKey if progress.test_key.is_none() => {
            void::begin(state, id, VoidReason::KeyWithheld);
        }
        Phase::TestKey => state.enter(id, Phase::TestCheck, schedule.test_check_ms),
        Phase::TestCheck => check::end(state, id),
        Phase::Reveal => state.set_step(id, Step::PutOut { next: 0 }),
        Phase::Score => state.enter(id, Phase::ScoreReveal, schedule.score_reveal_ms),
        Phase::ScoreReveal => tally::begin(state, id),
        Phase::Challenge => state.set_step(id, settle::FIRST),
        Phase::Settled | Phase::Void(_) => unreachable!("a bounty that ended waits for nothing"),
    }
}

/// Miners who did not reveal are out and lose their bond; nobody worked for them,
/// so the fee returns.
fn put_out(state: &mut State, id: ItemId, next: u32) {
    let taken = state.take_submissions(id, next, |_| 4);
    let Some(&(last, _)) = taken.last() else {
        return match state.posted(id).1.revealed {
            0 => state.set_step(id, settle::FIRST),
            _ => panel::next_block(state, id, Step::Draw),
        };
    };
    let silent = |(_, submission): &&(u32, Submission)| submission.key.is_none();
    for (place, submission) in taken.iter().filter(silent) {
        forfeit::to_sponsor(state, id, Purse::MinerBond(submission.id));
        settle::refund_fee(state, id, submission);
        settle::stand(state, id, *place, Standing::NotRevealed);
    }
    state.set_step(id, Step::PutOut { next: last + 1 });
}
