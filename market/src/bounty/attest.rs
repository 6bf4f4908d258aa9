//! Attestations: a word on the test set; then, committed and revealed in parts, a
//! batch with one word on each submission that is asked for.

use protocol::receipt::Phase;
use protocol::record::{
    ATTESTATIONS_PER_PART, RevealAttestations, attestation_commitment, part_digest,
};
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, Digest, ItemId};

use super::{Seat, tally};
use crate::rejection::Rejection;
use crate::state::State;

/// A seat that is asked for a batch in this round.
fn need_asked(state: &State, id: ItemId, account: Address) -> Result<&Seat, Rejection> {
    let seat = state.tables.seats.get(&(id, account));
    let seat = seat.ok_or(Rejection::NoSeat(account))?;
    if !seat.asked {
        return Err(Rejection::NotAsked);
    }
    Ok(seat)
}

/// Says what a seat found the test set to be.
pub(crate) fn attest_test_set(
    state: &mut State,
    account: Address,
    id: ItemId,
    outcome: &TestOutcome,
) -> Result<(), Rejection> {
    state.need_phase(id, &[Phase::TestCheck])?;
    let seat = state.tables.checks.get(&(id, account));
    let seat = seat.ok_or(Rejection::NoSeat(account))?;
    if seat.failed {
        return Err(Rejection::NotAsked);
    }
    if seat.word.is_some() {
        return Err(Rejection::AlreadyDone);
    }
    let word = Some(outcome.clone());
    state
        .tables
        .checks
        .update(&(id, account), |seat| seat.word = word);
    Ok(())
}

/// Commits a batch.
pub(crate) fn commit_attestations(
    state: &mut State,
    account: Address,
    id: ItemId,
    commitment: Digest,
) -> Result<(), Rejection> {
    state.need_phase(id, &[Phase::Score])?;
    if need_asked(state, id, account)?.commitment.is_some() {
        return Err(Rejection::AlreadyDone);
    }
    state
        .tables
        .seats
        .update(&(id, account), |seat| seat.commitment = Some(commitment));
    Ok(())
}

/// Reveals one part of a batch. The commitment binds bounty and author, so that
/// nobody can reveal what another has committed.
pub(crate) fn reveal_attestations(
    state: &mut State,
    account: Address,
    id: ItemId,
    body: &RevealAttestations,
) -> Result<(), Rejection> {
    state.need_phase(id, &[Phase::ScoreReveal])?;
    let seat = need_asked(state, id, account)?;
    let expected = seat.parts;
    let commitment = seat.commitment.ok_or(Rejection::NothingCommitted)?;
    if attestation_commitment(id, account, body) != commitment {
        return Err(Rejection::CommitmentMismatch(commitment));
    }
    let asked = state.posted(id).1.panel.asked as usize;
    let whole = tally::parts_of(asked);
    if expected == whole {
        return Err(Rejection::AlreadyDone);
    }
    if body.part != expected {
        return Err(Rejection::PartOutOfOrder {
            expected,
            given: body.part,
        });
    }
    let incomplete = Rejection::BatchIncomplete {
        asked,
        parts: whole,
    };
    let left = asked - expected as usize * ATTESTATIONS_PER_PART;
    let words = left.min(ATTESTATIONS_PER_PART);
    // What can be seen without looking at the submissions comes first.
    if body.parts.len() != whole as usize || body.attestations.len() != words {
        return Err(incomplete);
    }
    let part = state.undecided_from(id, seat.next).take(words);
    let part: Vec<(u32, ItemId)> = part
        .map(|(place, submission)| (place, submission.id))
        .collect();
    let named = body.attestations.iter().map(|word| word.submission);
    if !part.iter().map(|&(_, id)| id).eq(named) {
        return Err(incomplete);
    }
    if body.parts[expected as usize] != part_digest(&body.attestations) {
        return Err(Rejection::CommitmentMismatch(commitment));
    }
    let scored = |outcome: &Outcome| matches!(outcome, Outcome::Scored { .. });
    let mut outcomes = body.attestations.iter().map(|word| &word.outcome);
    if outcomes.any(scored) && body.leaves.is_none() {
        return Err(Rejection::LeavesMissing);
    }
    for (&(place, _), attestation) in part.iter().zip(&body.attestations) {
        let key = (id, place, account);
        // A word that was given in a round before stands.
        let there = state.tables.words.get(&key);
        if there.is_none_or(|word| *word == Outcome::Unavailable) {
            let outcome = attestation.outcome.clone();
            state.tables.words.put(key, outcome);
        }
    }
    let next = part.last().map_or(0, |(place, _)| place + 1);
    state.tables.seats.update(&(id, account), |seat| {
        seat.parts += 1;
        seat.next = next;
        seat.leaves = body.leaves;
    });
    Ok(())
}
