//! Posting, backing, cancelling.

use ethnum::U256;
use protocol::ans104::Tag;
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::{AssetKind, PostBounty, SHARES_PER_ASSET, Transaction};
use protocol::{Address, Amount, ItemId};

use super::submit::miners_bond;
use super::{BACKERS_MAX, Backing, Bounty, PanelProgress, Progress, Step, clock, panel, void};
use crate::assets::{check_parents, read_terms, shares_of, stack_of};
use crate::evaluators::PANEL_SIZES;
use crate::funds;
use crate::rejection::Rejection;
use crate::state::State;

/// Posts a bounty: its reward and the sponsor's bond are put up.
pub(crate) fn post(
    state: &mut State,
    tx: &Transaction,
    posting: &PostBounty,
) -> Result<(), Rejection> {
    posting.benchmark.check()?;
    check_schedule(state, posting)?;
    check_split(posting)?;
    if posting.reward.is_zero() {
        return Err(Rejection::ZeroAmount);
    }
    let limit = posting.benchmark.submissions_max();
    if posting.prepaid > limit {
        return Err(Rejection::Prepaid {
            given: posting.prepaid,
            limit,
        });
    }
    // What sponsor and submissions put up has to be a number, though no account may hold so much.
    miners_bond(state, posting).ok_or(Rejection::Overflow)?;
    let bond = sponsors_bond(state, posting).ok_or(Rejection::Overflow)?;
    let tags: Vec<Tag> = posting
        .model_terms
        .iter()
        .map(|(name, value)| Tag::new(name, value))
        .collect();
    let terms = read_terms(&tags)?;
    funds::check_part(posting.self_funding_ppm)?;
    funds::check_round(state, tx.signer, posting)?;
    // With all parents at once the stack is at its highest, so every submission's will do.
    let parents: Vec<ItemId> = posting.parents.iter().map(|parent| parent.asset).collect();
    check_parents(&parents)?;
    let parent_shares = shares_of(state, &parents, &terms, AssetKind::Model)?;
    stack_of(state, &parent_shares)?;

    let id = tx.id;
    let sponsor = Purse::Account(tx.signer);
    funds::put_up(state, tx.signer, id, posting)?;
    state.pay(sponsor, Purse::SponsorBond(id), bond, Rule::Bond)?;
    let prepaid = posting
        .evaluation_fee
        .checked_mul(u128::from(posting.prepaid));
    let prepaid = prepaid.ok_or(Rejection::Overflow)?;
    state.pay(sponsor, Purse::PrepaidFees(id), prepaid, Rule::PrepaidFees)?;
    state.lock_deposit(tx)?;
    // Looked for last: only who can pay for a bounty makes every node look.
    panel::check_pool(state, posting.reward, |account| account == tx.signer)?;
    let least = evaluation_fee_min(state, posting).ok_or(Rejection::Overflow)?;
    if posting.evaluation_fee < least {
        return Err(Rejection::EvaluationFee {
            given: posting.evaluation_fee,
            least,
        });
    }
    let bounty = Bounty {
        sponsor: tx.signer,
        poster_nonce: tx.envelope.nonce,
        posted_ms: state.time_ms(),
        posting: posting.clone(),
        terms,
        bond,
        parent_shares,
    };
    funds::use_test_set(state, id, posting);
    state.tables.bounties.put(id, bounty);
    panel::join_parties(state, id, tx.signer);
    state.tables.progress.put(
        id,
        Progress {
            phase: Phase::Open,
            until_ms: 0,
            submissions: 0,
            revealed: 0,
            backers: 0,
            backed: Amount::ZERO,
            test_key: None,
            panel: PanelProgress::default(),
            made_good: Amount::ZERO,
            step: Step::Wait,
        },
    );
    state.enter(id, Phase::Open, posting.schedule.open_ms);
    Ok(())
}

impl State {
    /// The least evaluation fee of a bounty that is posted now, by this sponsor; `None`
    /// if no panel could be drawn for it, or the fee does not fit.
    pub fn evaluation_fee_min(&self, sponsor: Address, posting: &PostBounty) -> Option<Amount> {
        panel::check_pool(self, posting.reward, |account| account == sponsor).ok()?;
        evaluation_fee_min(self, posting)
    }
}

/// The sponsor's bond, of which one fee pays who finds the test set bad. `None` if it does not fit.
fn sponsors_bond(state: &State, posting: &PostBounty) -> Option<Amount> {
    bond_of(posting, state.parameters().sponsor_bond_ppm)
}

/// A bond: a part of the reward, and at least two fees. `None` if it does not fit.
pub(super) fn bond_of(posting: &PostBounty, millionths: u32) -> Option<Amount> {
    let twice_fee = posting.evaluation_fee.checked_mul(2)?;
    Some(part(posting.reward, millionths).max(twice_fee))
}

/// The price of the counted cost for each seat of the largest panel, and at least the network's least. How many could
/// be drawn now is no measure: it can be made small for the moment of the posting.
fn evaluation_fee_min(state: &State, posting: &PostBounty) -> Option<Amount> {
    let parameters = state.parameters();
    let billion = U256::new(1_000_000_000);
    let cost = U256::from(posting.benchmark.counted_cost())
        * U256::from(parameters.evaluation_price.base_units());
    let each = (cost + billion - U256::ONE) / billion;
    let each = Amount::from_base_units(u128::try_from(each).ok()?);
    let all = each.checked_mul(u128::from(PANEL_SIZES[0]))?;
    Some(all.max(parameters.evaluation_fee_min))
}

/// `amount × millionths`, rounded down.
pub(super) fn part(amount: Amount, millionths: u32) -> Amount {
    amount
        .checked_ratio(u128::from(millionths), 1_000_000)
        .expect("parameters are at most a whole")
}

fn check_schedule(state: &State, posting: &PostBounty) -> Result<(), Rejection> {
    let (parameters, schedule) = (state.parameters(), &posting.schedule);
    for (name, given_ms) in [
        ("open", schedule.open_ms),
        ("test_key", schedule.test_key_ms),
        ("test_check", schedule.test_check_ms),
        ("reveal", schedule.reveal_ms),
        ("score", schedule.score_ms),
        ("score_reveal", schedule.score_reveal_ms),
        ("challenge", schedule.challenge_ms),
    ] {
        let has_parents = !posting.parents.is_empty();
        let (min_ms, max_ms) = parameters.phase_bounds_ms(name, has_parents);
        if given_ms < min_ms || given_ms > max_ms {
            return Err(Rejection::Schedule {
                name,
                given_ms,
                min_ms,
                max_ms,
            });
        }
    }
    Ok(())
}

fn check_split(posting: &PostBounty) -> Result<(), Rejection> {
    let split = &posting.split;
    let sum = u64::from(split.miner) + u64::from(split.sponsor) + u64::from(split.backers);
    if sum != u64::from(SHARES_PER_ASSET) {
        return Err(Rejection::Shares {
            sum,
            whole: SHARES_PER_ASSET,
        });
    }
    Ok(())
}

/// Adds stake; it cannot be taken back.
pub(crate) fn back(
    state: &mut State,
    tx: &Transaction,
    id: ItemId,
    amount: Amount,
) -> Result<(), Rejection> {
    let account = tx.signer;
    let (bounty, progress) = state.need_phase(id, &[Phase::Open])?;
    let closed_ms = bounty
        .posted_ms
        .saturating_add(bounty.posting.schedule.open_ms / 2);
    let time_ms = state.time_ms();
    if time_ms > closed_ms {
        return Err(Rejection::BackingClosed { closed_ms, time_ms });
    }
    if amount.is_zero() {
        return Err(Rejection::ZeroAmount);
    }
    let place = progress.backers;
    if place >= BACKERS_MAX {
        return Err(Rejection::Full {
            what: "backers",
            limit: BACKERS_MAX,
        });
    }
    let backed = progress
        .backed
        .checked_add(amount)
        .ok_or(Rejection::Overflow)?;
    let pot = bounty.posting.reward.checked_add(backed);
    let pot = pot.ok_or(Rejection::Overflow)?;
    let least = backing_min(bounty.posting.reward);
    if amount < least {
        return Err(Rejection::StakeTooSmall {
            given: amount,
            least,
        });
    }
    let from = Purse::Account(account);
    state.pay(from, Purse::Reward(id), amount, Rule::Backing)?;
    state.lock_deposit(tx)?;
    panel::check_pool_without(state, id, account, pot)?;
    let backing = Backing {
        account,
        amount,
        record: tx.id,
    };
    state.tables.backings.put((id, place), backing);
    panel::join_parties(state, id, account);
    state.change_progress(id, |progress| {
        progress.backers += 1;
        progress.backed = backed;
    });
    Ok(())
}

/// The least that a backer adds: a part of the reward, rounded up, of which as many as there are places make the
/// whole. So nobody takes all places, or the backers' shares, for next to nothing.
pub fn backing_min(reward: Amount) -> Amount {
    let places = u128::from(BACKERS_MAX);
    Amount::from_base_units(reward.base_units().div_ceil(places))
}

/// Takes a bounty back, before the first submission.
pub(crate) fn cancel(state: &mut State, account: Address, id: ItemId) -> Result<(), Rejection> {
    let (bounty, progress) = state.need_phase(id, &[Phase::Open])?;
    if bounty.sponsor != account {
        return Err(Rejection::NotOwner(bounty.sponsor));
    }
    if progress.submissions > 0 {
        return Err(Rejection::HasSubmissions);
    }
    void::begin(state, id, VoidReason::Cancelled);
    clock::go_on(state, id);
    Ok(())
}
