//! The state in the API's words: for its routes, and for what is kept of ended bounties.

use licensing::{Refusal, Terms};
use market::State;
use market::assets::Asset;
use market::bounty::{Bounty, Progress, Step, Submission, awarded_holders, awarded_split};
use market::evaluators::{Evaluator, quorum};
use market::licenses::License;
use market::months::Term;
use market::terms::{LOOSEN_SHARES, Pending, TIGHTEN_SHARES, Tally};
use protocol::Amount;
use protocol::api::{
    AccountView, AssetView, BackingView, BountySummary, BountyView, CheckView, EvaluatorView,
    HolderView, LicenseProgress, LicenseTerm, LicenseView, NextDeclaration, Offer, PanelView,
    PendingTerms, SeatView, SubmissionView, TallyView, VotesView, WordView,
};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Purse, Standing};
use protocol::record::{Grant, Holder, SHARES_PER_ASSET};
use protocol::seal::SealKey;

pub(crate) fn account(state: &State, address: Address, next_nonce: u64) -> AccountView {
    let account = state.account(address);
    AccountView {
        address,
        balance: account.balance,
        nonce: account.nonce,
        next_nonce,
        evaluator: state.evaluator(address).map(|found| {
            let locked = match found.seats {
                0 => Amount::ZERO,
                _ => state.locked(address),
            };
            evaluator(state, address, found, locked)
        }),
    }
}

/// An evaluator whose seats have locked so much.
pub(crate) fn evaluator(
    state: &State,
    address: Address,
    evaluator: Evaluator,
    locked: Amount,
) -> EvaluatorView {
    EvaluatorView {
        address,
        stake: state.balance(Purse::Stake(address)),
        locked,
        seats: evaluator.seats,
        leaves_ms: evaluator.leaves_ms,
    }
}

pub(crate) fn summary(id: ItemId, bounty: &Bounty, progress: &Progress) -> BountySummary {
    // Once it has ended the purse is empty; what was put up is still known.
    let award = bounty.posting.reward.checked_add(progress.backed);
    let award = award.unwrap_or(Amount::MAX);
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

/// A bounty; none if there is none, or it is being forgotten: the past has it.
pub(crate) fn bounty(state: &State, id: ItemId) -> Option<BountyView> {
    let (bounty, progress) = state.bounty(id)?;
    if is_going(progress) {
        return None;
    }
    let posting = &bounty.posting;
    Some(BountyView {
        summary: summary(id, bounty, progress),
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
            .map(|row| submission(id, bounty, row))
            .collect(),
        backings: state
            .backings(id)
            .map(|backing| BackingView {
                account: backing.account,
                amount: backing.amount,
            })
            .collect(),
        seat_stake: state.seat_stake(id).unwrap_or(Amount::MAX),
        panel: PanelView {
            seats: progress.panel.seats,
            quorum: u32::try_from(quorum(progress.panel.seats.into())).unwrap_or(u32::MAX),
            round: progress.panel.round,
            all: progress.panel.all,
            weight: Amount::from_base_units(progress.panel.weight),
        },
        checks: state
            .checks(id)
            .map(|(evaluator, check)| CheckView {
                evaluator,
                word: check.word.clone(),
                failed: check.failed,
                weight: Amount::from_base_units(check.weight),
            })
            .collect(),
        seats: state
            .seats(id)
            .map(|(evaluator, seat)| SeatView {
                evaluator,
                asked: seat.asked,
                commitment: seat.commitment,
                parts: seat.parts,
                given: seat.given,
                leaves: seat.leaves,
                failed: seat.failed,
                weight: Amount::from_base_units(seat.weight),
            })
            .collect(),
        at_work: !matches!(progress.step, Step::Wait | Step::Forget { .. }),
        forgotten: false,
    })
}

/// Whether a part of the bounty is forgotten already.
const fn is_going(progress: &Progress) -> bool {
    matches!(progress.step, Step::Forget { next: 1.. })
}

/// A submission with what the seats say of it, and who held its model at first.
pub(crate) fn submission_alone(state: &State, id: ItemId) -> Option<SubmissionView> {
    let (bounty_id, place, row) = state.submission_at(id)?;
    let (bounty, progress) = state.bounty(bounty_id)?;
    if is_going(progress) {
        return None;
    }
    let mut view = submission(bounty_id, bounty, row);
    let words = state.words(bounty_id, place);
    let words = words.map(|(evaluator, outcome)| WordView {
        evaluator,
        outcome: outcome.clone(),
    });
    view.words = words.collect();
    let backings = state.backings(bounty_id);
    let backings: Vec<_> = backings.map(|one| (one.account, one.amount)).collect();
    view.holders = first_holders(&view, bounty.sponsor, &backings);
    Some(view)
}

/// Who held a submission's model when it was registered; nobody if it became none.
pub(crate) fn first_holders(
    view: &SubmissionView,
    sponsor: Address,
    backings: &[(Address, Amount)],
) -> Vec<Holder> {
    match (&view.split, view.standing) {
        (Some(split), _) => awarded_holders(split, view.miner, sponsor, backings),
        (None, Some(Standing::Lost)) => vec![Holder {
            account: view.miner,
            shares: SHARES_PER_ASSET,
        }],
        _ => Vec::new(),
    }
}

fn submission(bounty_id: ItemId, bounty: &Bounty, row: &Submission) -> SubmissionView {
    let has_won = row.standing == Some(Standing::Won);
    SubmissionView {
        id: row.id,
        bounty: bounty_id,
        miner: row.miner,
        name: row.name.clone(),
        sealed: row.sealed,
        parents: row.parents.clone(),
        height: row.height,
        key: row.key.map(SealKey::from_bytes),
        verdict: row.verdict.clone(),
        standing: row.standing,
        prepaid: row.prepaid,
        gain: row.gain,
        award: row.award,
        words: Vec::new(),
        split: has_won.then(|| awarded_split(bounty, row)),
        holders: Vec::new(),
    }
}

/// The most tallies that are shown of one asset.
const TALLIES_MAX: usize = 100;

fn pairs(terms: &Terms) -> Vec<(String, String)> {
    let tags = terms.to_tags().into_iter();
    tags.map(|tag| (tag.name, tag.value)).collect()
}

fn pending(pending: Pending) -> PendingTerms {
    PendingTerms {
        terms: pairs(&pending.terms),
        terms_id: pending.terms.id(),
        sentences: pending.terms.sentences(),
        at_ms: pending.at_ms,
    }
}

pub(crate) fn votes(state: &State, id: ItemId, asset: &Asset) -> VotesView {
    let voting = state.voting(id);
    let tally = |(terms_id, tally): (_, &Tally)| {
        let loosens = tally.terms.loosens(&asset.terms, asset.kind);
        TallyView {
            terms: pairs(&tally.terms),
            terms_id,
            sentences: tally.terms.sentences(),
            record: tally.record,
            shares: tally.shares,
            needed: if loosens {
                LOOSEN_SHARES
            } else {
                TIGHTEN_SHARES
            },
            loosens,
        }
    };
    let mut found: Vec<_> = state.tallies(id).collect();
    found.sort_by_key(|(terms, tally)| (std::cmp::Reverse(tally.shares), *terms));
    VotesView {
        asset: id,
        terms_id: asset.terms.id(),
        terms_record: voting.record,
        epoch: voting.epoch,
        pending: voting.pending.map(pending),
        tallies: found.into_iter().take(TALLIES_MAX).map(tally).collect(),
    }
}

pub(crate) fn asset(state: &State, id: ItemId, asset: &Asset) -> AssetView {
    let voting = state.voting(id);
    AssetView {
        id,
        kind: asset.kind,
        name: asset.name.clone(),
        maker: asset.maker,
        blob: asset.blob,
        key: asset.key.map(SealKey::from_bytes),
        weights_digest: asset.weights_digest,
        bounty: asset.bounty,
        parents: asset.parents.clone(),
        stack: asset
            .stack
            .entries()
            .iter()
            .map(|(ancestor, share)| (*ancestor, share.to_string()))
            .collect(),
        terms: pairs(&asset.terms),
        terms_id: asset.terms.id(),
        sentences: asset.terms.sentences(),
        offers: Grant::ALL
            .into_iter()
            .map(|grant| offer(state, &asset.terms, grant))
            .collect(),
        income: state.pool(id).map_or(Amount::ZERO, |pool| pool.income),
        unclaimed: state.balance(Purse::Income(id)),
        self_funding_ppm: asset.self_funding_ppm,
        fund: state.balance(Purse::Fund(id)),
        terms_record: voting.record,
        pending: voting.pending.map(pending),
    }
}

fn offer(state: &State, terms: &Terms, grant: Grant) -> Offer {
    let quote: Result<_, Refusal> = terms.quote(grant);
    let minimum = state.parameters().revenue_minimum;
    let quoted = quote.as_ref().ok();
    Offer {
        grant,
        price: quoted.map(|quote| quote.price.unit(minimum)),
        months_max: quoted.map_or(0, |quote| quote.months_max),
        share: quoted
            .and_then(|quote| quote.price.share())
            .map(|share| share.to_string()),
        instead: quote.err().map(|refusal| refusal.to_string()),
    }
}

pub(crate) fn holder(state: &State, asset: ItemId, account: Address, shares: u32) -> HolderView {
    HolderView {
        asset,
        account,
        shares,
        owed: state.owed(asset, account),
        ballot: state.ballot(asset, account).map(|ballot| ballot.terms),
    }
}

pub(crate) fn license(state: &State, id: ItemId, license: &License) -> LicenseView {
    let until_ms = state.runs_until_ms(license);
    LicenseView {
        id,
        asset: license.asset,
        licensee: license.licensee,
        grant: license.grant,
        terms: license.terms,
        price: license.price,
        height: license.height,
        time_ms: license.time_ms,
        term: license
            .term
            .zip(until_ms)
            .map(|(term, until_ms)| LicenseTerm {
                months: term.months,
                month_price: term.month_price,
                until_ms,
                owes_share: term.share.is_some(),
            }),
        progress: license.term.map(|term| LicenseProgress {
            begun: term.begun,
            escrow: state.balance(Purse::Escrow(license.asset, id)),
            standing: term.standing,
            declares: next_declaration(state, license, &term),
        }),
    }
}

fn next_declaration(state: &State, license: &License, term: &Term) -> Option<NextDeclaration> {
    let share = term.share.filter(|_| term.owes_declarations())?;
    let period = term.declared + 1;
    Some(NextDeclaration {
        period,
        from_ms: state.months_end_ms(license, period),
        until_ms: term.grace_until_ms,
        share_billionths: share.billionths(),
    })
}
