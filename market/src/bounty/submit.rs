//! Submissions: commit a sealed model, reveal its key; and the test set's key.

use protocol::ans104::Tag;
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::{CommitSubmission, PostBounty, RevealSubmission, SealedFolder, Transaction};
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::{Address, Amount, ItemId};

use super::post::part;
use super::{SUBMISSIONS_MAX, Submission, settle};
use crate::assets::{check_parents, stack_of};
use crate::rejection::Rejection;
use crate::state::State;

/// Commits a sealed model; the miner's bond and the evaluation fee are put up.
pub(crate) fn commit(
    state: &mut State,
    tx: &Transaction,
    id: ItemId,
    tags: &[Tag],
    body: &CommitSubmission,
) -> Result<(), Rejection> {
    let (bounty, progress) = state.need_phase(id, &[Phase::Open])?;
    let place = progress.submissions;
    if place >= SUBMISSIONS_MAX {
        return Err(Rejection::Full {
            what: "submissions",
            limit: SUBMISSIONS_MAX,
        });
    }
    if bounty.terms.to_tags() != tags {
        return Err(Rejection::OtherTerms);
    }
    let posting = &bounty.posting;
    check_parents(&body.parents)?;
    let optional = |parent: &ItemId| {
        posting
            .parents
            .iter()
            .any(|named| named.asset == *parent && !named.required)
    };
    if let Some(&other) = body.parents.iter().find(|parent| !optional(parent)) {
        return Err(Rejection::ParentNotNamed(other));
    }
    let required = posting
        .parents
        .iter()
        .filter(|named| named.required)
        .map(|named| named.asset);
    let mut parents: Vec<ItemId> = required.chain(body.parents.iter().copied()).collect();
    parents.sort_unstable();
    let stack = stack_of(state, &parents, &bounty.terms)?;
    let fee = posting.evaluation_fee;
    let bond = miners_bond(state, posting).ok_or(Rejection::Overflow)?;
    let order = state.order();

    let miner = Purse::Account(tx.signer);
    state.pay(miner, Purse::EvaluationFee(tx.id), fee, Rule::EvaluationFee)?;
    state.pay(miner, Purse::MinerBond(tx.id), bond, Rule::Bond)?;
    let submission = Submission {
        id: tx.id,
        miner: tx.signer,
        name: body.name.clone(),
        sealed: body.sealed,
        parents,
        stack,
        height: order.height,
        place: order.place,
        key: None,
        verdict: None,
        standing: None,
    };
    state.tables.submissions.put((id, place), submission);
    state.tables.submission_index.put(tx.id, (id, place));
    state.change_progress(id, |progress| progress.submissions += 1);
    Ok(())
}

impl State {
    /// The bond of each submission to a bounty; `None` if it does not fit.
    pub fn miner_bond(&self, posting: &PostBounty) -> Option<Amount> {
        miners_bond(self, posting)
    }
}

/// The bond of each submission to a bounty; `None` if it does not fit.
pub(super) fn miners_bond(state: &State, posting: &PostBounty) -> Option<Amount> {
    let twice_fee = posting.evaluation_fee.checked_mul(2)?;
    Some(part(posting.reward, state.parameters().miner_bond_ppm).max(twice_fee))
}

/// Whether a key is the one that was committed to.
fn check_seal(scope: &SealScope, sealed: &SealedFolder, key: &SealKey) -> Result<(), Rejection> {
    let ciphertext = &sealed.ciphertext;
    if seal_digest(scope, key, &ciphertext.id, ciphertext.size_bytes) != sealed.seal {
        return Err(Rejection::SealMismatch(sealed.seal));
    }
    Ok(())
}

/// Reveals the test key. Whoever holds it may: out before submissions close, it
/// voids the bounty as the sponsor's fault.
pub(crate) fn reveal_test_set(
    state: &mut State,
    id: ItemId,
    key: &SealKey,
) -> Result<(), Rejection> {
    let (bounty, progress) = state.need_phase(id, &[Phase::TestKey, Phase::Open])?;
    let phase = progress.phase;
    if progress.test_key.is_some() {
        return Err(Rejection::AlreadyRevealed);
    }
    let scope = SealScope::test_set(state.network(), bounty.sponsor, bounty.poster_nonce);
    check_seal(&scope, &bounty.posting.test_set, key)?;
    let key = *key.as_bytes();
    state.change_progress(id, |progress| progress.test_key = Some(key));
    if phase == Phase::Open {
        settle::void(state, id, VoidReason::KeyLeaked);
    }
    Ok(())
}

/// Reveals a submission's key; only its miner can, because the seal binds the owner.
pub(crate) fn reveal_submission(
    state: &mut State,
    account: Address,
    id: ItemId,
    body: &RevealSubmission,
) -> Result<(), Rejection> {
    state.need_phase(id, &[Phase::Reveal])?;
    let unknown = Rejection::UnknownSubmission(body.submission);
    let place = *state
        .tables
        .submission_index
        .get(&body.submission)
        .ok_or(unknown.clone())?;
    if place.0 != id {
        return Err(unknown);
    }
    let submission = state.tables.submissions.get(&place).ok_or(unknown)?;
    if submission.miner != account {
        return Err(Rejection::NotOwner(submission.miner));
    }
    if submission.key.is_some() {
        return Err(Rejection::AlreadyRevealed);
    }
    let scope = SealScope::submission(state.network(), id, account);
    check_seal(&scope, &submission.sealed, &body.key)?;
    let key = *body.key.as_bytes();
    state
        .tables
        .submissions
        .update(&place, |submission| submission.key = Some(key));
    state.change_progress(id, |progress| progress.revealed += 1);
    Ok(())
}
