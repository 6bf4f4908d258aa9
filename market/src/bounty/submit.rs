//! Submissions: commit a sealed model, reveal its key; and the test set's key.

use protocol::ans104::Tag;
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::{
    AssetKind, CommitSubmission, PostBounty, RevealSubmission, SealedFolder, Transaction,
};
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::{Address, Amount, ItemId};

use super::post::bond_of;
use super::{Submission, clock, panel, settle, void};
use crate::assets::{check_parents, share_of, stack_of};
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
    let limit = bounty.posting.benchmark.submissions_max();
    if place >= limit {
        return Err(Rejection::Full {
            what: "submissions",
            limit,
        });
    }
    if bounty.terms.to_tags() != tags {
        return Err(Rejection::OtherTerms);
    }
    let posting = &bounty.posting;
    check_parents(&body.parents)?;
    let required: Vec<ItemId> = posting
        .parents
        .iter()
        .filter(|named| named.required)
        .map(|named| named.asset)
        .collect();
    if let Some(&twice) = body.parents.iter().find(|parent| required.contains(parent)) {
        return Err(Rejection::ParentRequired(twice));
    }
    let mut parents = required;
    parents.extend(&body.parents);
    parents.sort_unstable();
    check_parents(&parents)?;
    let mut shares = Vec::with_capacity(parents.len());
    for &parent in &parents {
        let now = share_of(state, parent, &bounty.terms, AssetKind::Model);
        // Backers staked, and miners worked, on what the named parents allowed and asked for then: nobody
        // closes the bounty by another word, or gets more of it; and less if they ask for less.
        let share = match (bounty.parent_share(parent), now) {
            (None, now) => now?,
            (Some(then), Ok(now)) => now.min(then),
            (Some(then), Err(_)) => then,
        };
        shares.push((parent, share));
    }
    let stack = stack_of(state, &shares)?;
    shares.retain(|(parent, _)| bounty.parent_share(*parent).is_some());
    let named_rest = stack_of(state, &shares)?.rest_billionths();
    let rest = stack.rest_billionths();
    if !settle::miner_can_pay(posting.split.miner, named_rest, rest) {
        return Err(Rejection::UnnamedParents {
            billionths: named_rest - rest,
        });
    }
    let pot = posting.reward.checked_add(progress.backed);
    let pot = pot.ok_or(Rejection::Overflow)?;
    let fee = posting.evaluation_fee;
    let bond = miners_bond(state, posting).ok_or(Rejection::Overflow)?;
    let order = state.order();

    let prepaid = place < posting.prepaid;
    let miner = Purse::Account(tx.signer);
    let payer = if prepaid {
        Purse::PrepaidFees(id)
    } else {
        miner
    };
    state.pay(payer, Purse::EvaluationFee(tx.id), fee, Rule::EvaluationFee)?;
    state.pay(miner, Purse::MinerBond(tx.id), bond, Rule::Bond)?;
    state.lock_deposit(tx)?;
    if state.tables.evaluators.get(&tx.signer).is_some() && !panel::is_party(state, id, tx.signer) {
        // Who takes part does not sit: the others must be enough.
        panel::check_pool_without(state, id, tx.signer, pot)?;
    }
    let submission = Submission {
        id: tx.id,
        miner: tx.signer,
        name: body.name.clone(),
        sealed: body.sealed,
        parents,
        stack,
        named_rest,
        prepaid,
        height: order.height,
        place: order.place,
        key: None,
        verdict: None,
        by_all: false,
        standing: None,
        gain: 0,
        award: Amount::ZERO,
    };
    state.tables.submissions.put((id, place), submission);
    state.tables.submission_index.put(tx.id, (id, place));
    panel::join_parties(state, id, tx.signer);
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
    bond_of(posting, state.parameters().miner_bond_ppm)
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
        void::begin(state, id, VoidReason::KeyLeaked);
        clock::go_on(state, id);
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
