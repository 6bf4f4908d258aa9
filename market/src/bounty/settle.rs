//! Settlement: ranking, award, refunds, fees, bonds, models.
//!
//! **Winner takes all**, in the order of commitment: the first score at or above
//! the reserve leads, and a later one leads only if it is better by more than the
//! margin. Who leads at the end has won the reward and all stakes.
//!
//! **Steps**: the reserve is the best at first; each score that is better than the
//! best by more than the margin is paid for the difference, in proportion.
//!
//! If nobody wins, the reward and the stakes return to who put them up.

use std::collections::BTreeMap;

use licensing::{split_amount, split_by_weights};
use protocol::receipt::{Event, Phase, Purse, Rule, Standing};
use protocol::record::{AssetKind, Holder, Pay, RoyaltySplit, SHARES_PER_ASSET};
use protocol::report::Outcome;
use protocol::{Address, Amount, Digest, ItemId, Score};

use super::forfeit::{self, pay};
use super::{Bounty, Harm, Step, Submission};
use crate::assets::{self, Asset, WeightsClaim};
use crate::state::State;

/// Ranking, from the first submission on.
pub(super) const FIRST: Step = Step::Rank {
    next: 0,
    best: None,
    leader: None,
    improved: 0,
};

/// Ranks some submissions.
pub(super) fn rank(
    state: &mut State,
    id: ItemId,
    next: u32,
    mut best: Option<Score>,
    mut leader: Option<u32>,
    mut improved: u128,
) {
    let taken = state.take_submissions(id, next, |_| 3);
    let Some(&(last, _)) = taken.last() else {
        return begin_pay(state, id, leader, improved);
    };
    let posting = &state.posted(id).0.posting;
    let (rule, reserve, margin) = (posting.pay, posting.reserve, posting.margin);
    for (place, submission) in &taken {
        if submission.standing.is_some() {
            continue;
        }
        let mut gain = 0;
        let standing = match &submission.verdict {
            None | Some(Outcome::Unavailable) => Standing::NoVerdict,
            Some(Outcome::BadSeal { .. }) => Standing::BadSeal,
            Some(Outcome::Invalid { .. }) => Standing::Invalid,
            Some(Outcome::Scored {
                score,
                weights_digest,
                ..
            }) => match claim(state, submission, *weights_digest) {
                Some(earlier) => Standing::Copied(earlier),
                None => match rule {
                    Pay::WinnerTakesAll => {
                        let leads = match best {
                            None => *score >= reserve,
                            Some(best) => score.beats(best, margin),
                        };
                        if leads {
                            (best, leader) = (Some(*score), Some(*place));
                        }
                        Standing::Lost
                    }
                    Pay::Steps => {
                        let before = best.unwrap_or(reserve);
                        if score.beats(before, margin) {
                            gain = score.0.abs_diff(before.0);
                            improved += u128::from(gain);
                            best = Some(*score);
                            Standing::Won
                        } else {
                            Standing::Lost
                        }
                    }
                },
            },
        };
        state.change_submission(id, *place, |submission| {
            submission.standing = Some(standing);
            submission.gain = gain;
        });
    }
    let step = Step::Rank {
        next: last + 1,
        best,
        leader,
        improved,
    };
    state.set_step(id, step);
}

/// Claims weights for a submission, unless something earlier on the log has them.
/// Weights are public once revealed: who claims them then is no earlier one.
fn claim(state: &mut State, submission: &Submission, weights: Digest) -> Option<ItemId> {
    let order = submission.order();
    let there = state.tables.weights.get(&weights);
    if let Some(earlier) = there.filter(|claim| claim.order < order) {
        return Some(earlier.asset);
    }
    let asset = submission.id;
    state
        .tables
        .weights
        .put(weights, WeightsClaim { asset, order });
    None
}

/// Who leads has won; what is paid by steps is worked out.
fn begin_pay(state: &mut State, id: ItemId, leader: Option<u32>, improved: u128) {
    if let Some(place) = leader {
        state.change_submission(id, place, |submission| {
            submission.standing = Some(Standing::Won);
        });
    }
    let award = state.balance(Purse::Reward(id));
    let mut left = 0;
    if improved > 0 {
        let floors = state
            .submissions(id)
            .filter(|submission| submission.gain > 0)
            .map(|submission| step_part(award, submission, improved).base_units());
        let paid: u128 = floors.sum();
        left = u32::try_from(award.base_units() - paid).expect("below the number of steps");
        let all = state.posted(id).1.submissions;
        state.spend(all as usize / 16);
    }
    let harm = forfeit::harm(state, id);
    let step = Step::Pay {
        next: 0,
        award,
        improved,
        left,
        harm,
    };
    state.set_step(id, step);
}

/// A step's part of the award, rounded down.
fn step_part(award: Amount, submission: &Submission, improved: u128) -> Amount {
    award
        .checked_ratio(u128::from(submission.gain), improved)
        .expect("a step is at most all of them")
}

/// Pays some submissions' fees, bonds and awards to where their standings say,
/// and registers their models.
pub(super) fn pay_some(
    state: &mut State,
    id: ItemId,
    next: u32,
    award: Amount,
    improved: u128,
    mut left: u32,
    harm: Harm,
) {
    // A winner's model is registered for every backer too.
    let backers = state.posted(id).1.backers as usize;
    let taken = state.take_submissions(id, next, |submission| match submission.standing {
        Some(Standing::Won) => 24 + backers,
        _ => 24,
    });
    let Some(&(last, _)) = taken.last() else {
        let end = Phase::Settled;
        // An award that nobody won is still there, and returns.
        return match state.balance(Purse::Reward(id)).is_zero() {
            true => state.end(id, end),
            false => state.set_step(id, Step::Return { next: 0, end }),
        };
    };
    for (place, submission) in &taken {
        let standing = submission.standing.expect("all are ranked");
        if standing == Standing::NotRevealed {
            continue;
        }
        if standing == Standing::Won {
            let part = match improved {
                0 => award,
                _ => {
                    let more = u128::from(left > 0);
                    left -= u32::from(left > 0);
                    let part = step_part(award, submission, improved);
                    part.checked_add(Amount::from_base_units(more))
                        .expect("at most the award")
                }
            };
            let miner = Purse::Account(submission.miner);
            pay(state, Purse::Reward(id), miner, part, Rule::Award);
            state.change_submission(id, *place, |submission| submission.award = part);
        }
        forfeit::make_good(state, id, &harm, submission);
        close(state, id, *place, submission, standing);
        forget_words(state, id, *place);
    }
    let step = Step::Pay {
        next: last + 1,
        award,
        improved,
        left,
        harm,
    };
    state.set_step(id, step);
}

/// Pays a submission's fee and bond to where its standing says, and registers its model.
fn close(state: &mut State, id: ItemId, place: u32, submission: &Submission, standing: Standing) {
    state.events.push(Event::Ranked {
        submission: submission.id,
        standing,
    });
    match standing {
        Standing::NotRevealed => unreachable!("closed when the reveal ended"),
        Standing::NoVerdict => {
            refund_fee(state, id, submission);
            return_bond(state, submission);
        }
        Standing::BadSeal => {
            pay_committee(state, id, place, submission);
            forfeit::to_sponsor(state, id, Purse::MinerBond(submission.id));
        }
        Standing::Invalid | Standing::Copied(_) => {
            pay_committee(state, id, place, submission);
            return_bond(state, submission);
        }
        Standing::Won | Standing::Lost => {
            pay_committee(state, id, place, submission);
            return_bond(state, submission);
            let bounty = state.posted(id).0.clone();
            let holders = match standing {
                Standing::Won => {
                    let backings: Vec<(Address, Amount)> = state
                        .backings(id)
                        .map(|backing| (backing.account, backing.amount))
                        .collect();
                    let split = awarded_split(&bounty, submission);
                    awarded_holders(&split, submission.miner, bounty.sponsor, &backings)
                }
                _ => vec![Holder {
                    account: submission.miner,
                    shares: SHARES_PER_ASSET,
                }],
            };
            register(state, id, bounty, submission, &holders);
        }
    }
}

/// Notes how a submission stands.
pub(super) fn stand(state: &mut State, id: ItemId, place: u32, standing: Standing) {
    let submission = state.tables.submissions.get(&(id, place));
    let submission = submission.expect("it was committed").id;
    state.change_submission(id, place, |row| row.standing = Some(standing));
    state.events.push(Event::Ranked {
        submission,
        standing,
    });
}

/// Divides the fee among the seats whose word is the verdict: evenly among those of a panel, who are drawn by
/// stake, and by what their words weigh where all were asked; what does not divide goes to the first of them. If
/// all of them failed in a later round, over another submission, nobody has earned it: it returns to who paid it.
fn pay_committee(state: &mut State, id: ItemId, place: u32, submission: &Submission) {
    let payees: Vec<(Address, u128)> = state
        .words(id, place)
        .filter(|(_, word)| Some(*word) == submission.verdict.as_ref())
        .filter_map(|(account, _)| {
            let seat = state.tables.seats.get(&(id, account))?;
            let weight = if submission.by_all { seat.weight } else { 1 };
            (!seat.failed && weight > 0).then_some((account, weight))
        })
        .collect();
    if payees.is_empty() {
        return refund_fee(state, id, submission);
    }
    let purse = Purse::EvaluationFee(submission.id);
    pay_evaluators(state, purse, state.balance(purse), &payees);
}

/// Divides a fee among evaluators by weight, of whom there is one at least with some.
pub(super) fn pay_evaluators(
    state: &mut State,
    purse: Purse,
    fee: Amount,
    payees: &[(Address, u128)],
) {
    let weights: Vec<u128> = payees.iter().map(|(_, weight)| *weight).collect();
    let parts = split_amount(fee, &weights).expect("there is somebody to pay");
    for (&(account, _), part) in payees.iter().zip(parts) {
        let account = Purse::Account(account);
        pay(state, purse, account, part, Rule::EvaluationPay);
    }
}

/// What the seats said of a submission is not needed any more.
pub(super) fn forget_words(state: &mut State, id: ItemId, place: u32) {
    let seats: Vec<Address> = state.words(id, place).map(|(account, _)| account).collect();
    for account in seats {
        state.tables.words.remove(&(id, place, account));
    }
}

/// The miner's, the sponsor's and the backers' shares of an awarded model.
///
/// Parents that the bounty does not name take from the miner's shares alone: what
/// sponsor and backers hold is enlarged so that it brings what it would bring
/// without those parents.
pub fn awarded_split(bounty: &Bounty, submission: &Submission) -> RoyaltySplit {
    let split = &bounty.posting.split;
    let others = enlarged(
        SHARES_PER_ASSET - split.miner,
        submission.named_rest,
        submission.stack.rest_billionths(),
    );
    let weights = [u128::from(split.sponsor), u128::from(split.backers)];
    let parts = match others {
        0 => vec![0, 0],
        _ => split_by_weights(u128::from(others), &weights).expect("the others have a part"),
    };
    RoyaltySplit {
        miner: SHARES_PER_ASSET - others,
        sponsor: shares(parts[0]),
        backers: shares(parts[1]),
    }
}

fn shares(part: u128) -> u32 {
    u32::try_from(part).expect("at most all shares")
}

/// Who holds an awarded model that is split so, by account. `backings` are the
/// backers with their stakes, each above zero; without any the sponsor has their part.
pub fn awarded_holders(
    split: &RoyaltySplit,
    miner: Address,
    sponsor: Address,
    backings: &[(Address, Amount)],
) -> Vec<Holder> {
    let mut held: BTreeMap<Address, u32> = BTreeMap::new();
    let mut give = |account, part: u32| *held.entry(account).or_default() += part;
    give(miner, split.miner);
    give(sponsor, split.sponsor);
    if backings.is_empty() {
        give(sponsor, split.backers);
    } else {
        let stakes: Vec<u128> = backings
            .iter()
            .map(|(_, stake)| stake.base_units())
            .collect();
        let backed = split_by_weights(u128::from(split.backers), &stakes)
            .expect("every backer staked above zero");
        for ((account, _), part) in backings.iter().zip(backed) {
            give(*account, shares(part));
        }
    }
    let held = held.into_iter().filter(|&(_, shares)| shares > 0);
    held.map(|(account, shares)| Holder { account, shares })
        .collect()
}

/// `others × named_rest / rest`, rounded up, and at most all shares.
fn enlarged(others: u32, named_rest: u64, rest: u64) -> u32 {
    if others == 0 || named_rest == rest {
        return others;
    }
    let product = u128::from(others) * u128::from(named_rest);
    let enlarged = product.div_ceil(u128::from(rest));
    u32::try_from(enlarged).map_or(SHARES_PER_ASSET, |shares| shares.min(SHARES_PER_ASSET))
}

/// Whether the miner's part can pay the parents that the bounty does not name:
/// what they take of an income is at most what the miner would get of it.
pub(super) fn miner_can_pay(miner: u32, named_rest: u64, rest: u64) -> bool {
    let whole = u128::from(SHARES_PER_ASSET);
    u128::from(named_rest - rest) * whole <= u128::from(named_rest) * u128::from(miner)
}

fn register(
    state: &mut State,
    id: ItemId,
    bounty: Bounty,
    submission: &Submission,
    holders: &[Holder],
) {
    let Some(Outcome::Scored { weights_digest, .. }) = &submission.verdict else {
        unreachable!("only scored submissions become models");
    };
    let asset = Asset {
        kind: AssetKind::Model,
        name: submission.name.clone(),
        maker: submission.miner,
        blob: submission.sealed.ciphertext,
        key: submission.key,
        weights_digest: Some(*weights_digest),
        bounty: Some(id),
        terms: bounty.terms,
        parents: submission.parents.clone(),
        stack: submission.stack.clone(),
        order: submission.order(),
        self_funding_ppm: bounty.posting.self_funding_ppm,
    };
    assets::insert(state, submission.id, asset, holders);
}

/// Gives a submission's fee back to who paid it.
pub(super) fn refund_fee(state: &mut State, id: ItemId, submission: &Submission) {
    let payer = match submission.prepaid {
        true => state.posted(id).0.sponsor,
        false => submission.miner,
    };
    let fee = Purse::EvaluationFee(submission.id);
    state.pay_all(fee, Purse::Account(payer), Rule::Refund);
}

pub(super) fn return_bond(state: &mut State, submission: &Submission) {
    let miner = Purse::Account(submission.miner);
    state.pay_all(Purse::MinerBond(submission.id), miner, Rule::BondReturn);
}
