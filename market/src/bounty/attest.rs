//! Attestations: a word on the test set; then, committed and revealed, a batch
//! with one word on each revealed submission.

use protocol::receipt::Phase;
use protocol::record::{RevealAttestations, attestation_commitment};
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, Digest, ItemId};

use super::Seat;
use crate::rejection::Rejection;
use crate::state::State;

/// A seat's work, if the account has a seat.
fn need_seat(state: &State, id: ItemId, account: Address) -> Result<&Seat, Rejection> {
    state
        .tables
        .seats
        .get(&(id, account))
        .ok_or(Rejection::NoSeat(account))
}

/// Says what a seat found the test set to be.
pub(crate) fn attest_test_set(
    state: &mut State,
    account: Address,
    id: ItemId,
    outcome: &TestOutcome,
) -> Result<(), Rejection> {
    state.need_phase(id, &[Phase::TestCheck])?;
    if need_seat(state, id, account)?.test_set.is_some() {
        return Err(Rejection::AlreadyDone);
    }
    let word = Some(outcome.clone());
    state
        .tables
        .seats
        .update(&(id, account), |seat| seat.test_set = word);
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
    if need_seat(state, id, account)?.commitment.is_some() {
        return Err(Rejection::AlreadyDone);
    }
    state
        .tables
        .seats
        .update(&(id, account), |seat| seat.commitment = Some(commitment));
    Ok(())
}

/// Reveals a batch. The commitment binds bounty and author, so that nobody can
/// reveal what another has committed.
pub(crate) fn reveal_attestations(
    state: &mut State,
    account: Address,
    id: ItemId,
    body: &RevealAttestations,
) -> Result<(), Rejection> {
    let (_, progress) = state.need_phase(id, &[Phase::ScoreReveal])?;
    let revealed = progress.revealed;
    let seat = need_seat(state, id, account)?;
    if seat.attestations.is_some() {
        return Err(Rejection::AlreadyDone);
    }
    let commitment = seat.commitment.ok_or(Rejection::NothingCommitted)?;
    if attestation_commitment(id, account, body) != commitment {
        return Err(Rejection::CommitmentMismatch(commitment));
    }
    let expected = state
        .submissions(id)
        .filter(|submission| submission.key.is_some());
    let named = body
        .attestations
        .iter()
        .map(|attestation| attestation.submission);
    if !expected.map(|submission| submission.id).eq(named) {
        return Err(Rejection::BatchIncomplete { revealed });
    }
    let scored = |outcome: &Outcome| matches!(outcome, Outcome::Scored { .. });
    let scores = body
        .attestations
        .iter()
        .any(|attestation| scored(&attestation.outcome));
    if scores && body.leaves.is_none() {
        return Err(Rejection::LeavesMissing);
    }
    let (attestations, leaves) = (Some(body.attestations.clone()), body.leaves);
    state.tables.seats.update(&(id, account), |seat| {
        seat.attestations = attestations;
        seat.leaves = leaves;
    });
    Ok(())
}
