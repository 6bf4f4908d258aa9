//! The state in the API's words.

use licensing::{Refusal, Terms};
use market::State;
use market::assets::Asset;
use market::bounty::{Bounty, Progress, Submission};
use protocol::Amount;
use protocol::api::{
    AccountView, AssetView, BackingView, BountySummary, BountyView, EvaluatorView, HolderView,
    LicenseView, Offer, SeatView, SubmissionView,
};
use protocol::id::{Address, ItemId};
use protocol::receipt::Purse;
use protocol::record::Grant;
use protocol::seal::SealKey;

pub(super) fn account(state: &State, address: Address, next_nonce: u64) -> AccountView {
    let account = state.account(address);
    AccountView {
        address,
        balance: account.balance,
        nonce: account.nonce,
        next_nonce,
        evaluator: evaluators(state).find(|evaluator| evaluator.address == address),
    }
}

pub(super) fn evaluators(state: &State) -> impl Iterator<Item = EvaluatorView> {
    state
        .evaluators()
        .map(|(address, evaluator)| EvaluatorView {
            address,
            stake: state.balance(Purse::Seat(address)),
            seats: evaluator.seats,
        })
}

pub(super) fn summary(
    state: &State,
    id: ItemId,
    bounty: &Bounty,
    progress: &Progress,
) -> BountySummary {
    // Once it has ended the purse is empty; what was put up is still known.
    let stakes = state.backings(id).map(|backing| backing.amount);
    let award = stakes.fold(bounty.posting.reward, |sum, stake| {
        sum.checked_add(stake).unwrap_or(Amount::MAX)
    });
    BountySummary {
        id,
        title: bounty.posting.title.clone(),
        sponsor: bounty.sponsor,
        posted_ms: bounty.posted_ms,
        phase: progress.phase,
        until_ms: progress.until_ms,
        award,
        reserve: bounty.posting.reserve,
        submissions: progress.submissions,
        revealed: progress.revealed,
        backers: progress.backers,
    }
}

pub(super) fn bounty(state: &State, id: ItemId) -> Option<BountyView> {
    let (bounty, progress) = state.bounty(id)?;
    let posting = &bounty.posting;
    Some(BountyView {
        summary: summary(state, id, bounty, progress),
        posting: posting.clone(),
        poster_nonce: bounty.poster_nonce,
        bond: bounty.bond,
        miner_bond: state.miner_bond(posting).unwrap_or(Amount::MAX),
        backing_until_ms: bounty
            .posted_ms
            .saturating_add(posting.schedule.open_ms / 2),
        sentences: bounty.terms.sentences(),
        terms_id: bounty.terms.id(),
        test_key: progress.test_key.map(SealKey::from_bytes),
        submissions: state
            .submissions(id)
            .map(|row| submission(id, row))
            .collect(),
        backings: state
            .backings(id)
            .map(|backing| BackingView {
                account: backing.account,
                amount: backing.amount,
            })
            .collect(),
        seats: state
            .seats(id)
            .map(|(evaluator, seat)| SeatView {
                evaluator,
                test_set: seat.test_set.clone(),
                commitment: seat.commitment,
                attestations: seat.attestations.clone(),
                leaves: seat.leaves,
            })
            .collect(),
    })
}

pub(super) fn submission(bounty: ItemId, row: &Submission) -> SubmissionView {
    SubmissionView {
        id: row.id,
        bounty,
        miner: row.miner,
        name: row.name.clone(),
        sealed: row.sealed,
        parents: row.parents.clone(),
        height: row.height,
        key: row.key.map(SealKey::from_bytes),
        verdict: row.verdict.clone(),
        standing: row.standing,
    }
}

pub(super) fn asset(state: &State, id: ItemId, asset: &Asset) -> AssetView {
    // A bounty's model is the ciphertext that was committed, and its key is out.
    let submission = asset.bounty.and_then(|_| state.submission(id));
    let tags = asset.terms.to_tags();
    AssetView {
        id,
        kind: asset.kind,
        name: asset.name.clone(),
        maker: asset.maker,
        blob: asset.blob,
        key: submission.and_then(|(_, row)| row.key.map(SealKey::from_bytes)),
        weights_digest: asset.weights_digest,
        bounty: asset.bounty,
        parents: asset.parents.clone(),
        stack: asset
            .stack
            .entries()
            .iter()
            .map(|(ancestor, share)| (*ancestor, share.to_string()))
            .collect(),
        terms: tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
        terms_id: asset.terms.id(),
        sentences: asset.terms.sentences(),
        offers: Grant::ALL
            .into_iter()
            .map(|grant| offer(&asset.terms, grant))
            .collect(),
        income: state.pool(id).map_or(Amount::ZERO, |pool| pool.income),
        unclaimed: state.balance(Purse::Income(id)),
    }
}

fn offer(terms: &Terms, grant: Grant) -> Offer {
    let quote: Result<_, Refusal> = terms.quote(grant);
    Offer {
        grant,
        price: quote.as_ref().ok().map(|quote| quote.price),
        instead: quote.err().map(|refusal| refusal.to_string()),
    }
}

pub(super) fn holder(state: &State, asset: ItemId, account: Address, shares: u32) -> HolderView {
    HolderView {
        asset,
        account,
        shares,
        owed: state.owed(asset, account),
    }
}

pub(super) fn license(id: ItemId, license: &market::licenses::License) -> LicenseView {
    LicenseView {
        id,
        asset: license.asset,
        licensee: license.licensee,
        grant: license.grant,
        terms: license.terms,
        price: license.price,
        height: license.height,
        time_ms: license.time_ms,
    }
}
