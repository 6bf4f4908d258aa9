//! Settlement: ranking, award, refunds, fees, bonds, models.
//!
//! Winner takes all, in the order of commitment: the first score at or above the
//! reserve leads, and a later one leads only if it is better by more than the
//! margin. Who leads at the end has won the reward and all stakes. If nobody
//! does, the reward and the stakes return to who put them up.
//!
//! A forfeit is half burned; the rest goes to those who were harmed, in
//! proportion to what they put at risk and at most that, over all forfeits for
//! the same harm together; what then remains is burned too.

use std::collections::BTreeMap;

use licensing::{split_amount, split_by_weights};
use protocol::receipt::{Event, Phase, Purse, Rule, Standing, VoidReason};
use protocol::record::{AssetKind, Attestation, Holder, SHARES_PER_ASSET};
use protocol::report::Outcome;
use protocol::{Address, Amount, Digest, ItemId, Score};

use super::submit::miners_bond;
use super::{Bounty, Submission};
use crate::assets::{self, Asset};
use crate::state::State;

/// Ends a bounty without a ranking: everything returns, but the sponsor's bond
/// if it is the sponsor's fault.
pub(super) fn void(state: &mut State, id: ItemId, reason: VoidReason) {
    let (bounty, _) = state.bounty(id).expect("a bounty that is void was posted");
    let (sponsor, bond) = (bounty.sponsor, bounty.bond);
    let submissions: Vec<Submission> = state.submissions(id).cloned().collect();
    let bond_purse = Purse::SponsorBond(id);
    if reason.is_sponsors_fault() {
        let mut harmed = at_risk(state, &submissions);
        forfeit(state, bond_purse, bond, &mut harmed);
    } else {
        state.pay_all(bond_purse, Purse::Account(sponsor), Rule::BondReturn);
    }
    return_stakes(state, id);
    for submission in &submissions {
        return_bond(state, submission);
        refund_fee(state, submission);
        if submission.standing.is_none() {
            stand(state, submission.id, Standing::NoVerdict);
        }
    }
    state.end(id, Phase::Void(reason));
}

/// What closing one submission after the other needs.
struct Settlement {
    id: ItemId,
    bounty: Bounty,
    /// The sponsor, and what is still at risk after the forfeits so far.
    harmed: [(Address, Amount); 1],
}

/// Ranks, pays, registers.
pub(super) fn settle(state: &mut State, id: ItemId) {
    let (bounty, _) = state.bounty(id).expect("a bounty that settles was posted");
    let bounty = bounty.clone();
    let submissions: Vec<Submission> = state.submissions(id).cloned().collect();
    let standings = rank(state, &bounty, &submissions);
    let payees = agreeing_seats(state, id, &submissions);
    let winner = submissions
        .iter()
        .zip(&standings)
        .find(|(_, s)| **s == Standing::Won);
    match winner {
        Some((winner, _)) => {
            state.pay_all(Purse::Reward(id), Purse::Account(winner.miner), Rule::Award);
        }
        None => return_stakes(state, id),
    }
    let sponsor = Purse::Account(bounty.sponsor);
    let mut settlement = Settlement {
        id,
        harmed: [(bounty.sponsor, sponsors_risk(state, &bounty, &submissions))],
        bounty,
    };
    for ((submission, standing), payees) in submissions.iter().zip(&standings).zip(&payees) {
        close(state, &mut settlement, submission, *standing, payees);
    }
    state.pay_all(Purse::SponsorBond(id), sponsor, Rule::BondReturn);
    state.end(id, Phase::Settled);
}

/// How each submission stands, in the order of commitment.
fn rank(state: &State, bounty: &Bounty, submissions: &[Submission]) -> Vec<Standing> {
    let mut first_with: BTreeMap<Digest, ItemId> = BTreeMap::new();
    let mut leader: Option<(usize, Score)> = None;
    let mut standings = Vec::with_capacity(submissions.len());
    for (place, submission) in submissions.iter().enumerate() {
        standings.push(match (&submission.standing, &submission.verdict) {
            (Some(standing), _) => *standing,
            (None, None | Some(Outcome::Unavailable)) => Standing::NoVerdict,
            (None, Some(Outcome::BadSeal { .. })) => Standing::BadSeal,
            (None, Some(Outcome::Invalid { .. })) => Standing::Invalid,
            (
                None,
                Some(Outcome::Scored {
                    score,
                    weights_digest,
                    ..
                }),
            ) => {
                // Weights are public once revealed: who registers them then is no earlier one.
                let claim = state.tables.weights.get(weights_digest);
                let registered = claim
                    .filter(|claim| claim.order < submission.order())
                    .map(|claim| claim.asset);
                let first = || first_with.get(weights_digest).copied();
                if let Some(earlier) = registered.or_else(first) {
                    standings.push(Standing::Copied(earlier));
                    continue;
                }
                first_with.insert(*weights_digest, submission.id);
                let leads = match leader {
                    None => *score >= bounty.posting.reserve,
                    Some((_, best)) => score.beats(best, bounty.posting.margin),
                };
                if leads {
                    leader = Some((place, *score));
                }
                Standing::Lost
            }
        });
    }
    if let Some((place, _)) = leader {
        standings[place] = Standing::Won;
    }
    standings
}

/// What the sponsor has at risk beyond what the bonds of those who did not reveal made good.
fn sponsors_risk(state: &State, bounty: &Bounty, submissions: &[Submission]) -> Amount {
    let hidden = submissions
        .iter()
        .filter(|submission| submission.standing == Some(Standing::NotRevealed))
        .count();
    let bond = miners_bond(state, &bounty.posting).unwrap_or(Amount::ZERO);
    let made_good = half(bond).checked_mul(hidden as u128);
    let made_good = made_good.expect("the bonds were part of the supply");
    bounty.bond.checked_sub(made_good).unwrap_or(Amount::ZERO)
}

/// For each submission, the seats whose word is the verdict. A batch names the
/// revealed submissions in the order of commitment.
fn agreeing_seats(state: &State, id: ItemId, submissions: &[Submission]) -> Vec<Vec<Address>> {
    let batches: Vec<(Address, &[Attestation])> = state
        .seats(id)
        .filter_map(|(account, seat)| Some((account, seat.attestations.as_deref()?)))
        .collect();
    let mut place = 0;
    let agreeing = |submission: &Submission| {
        if submission.key.is_none() {
            return Vec::new();
        }
        let right =
            |batch: &[Attestation]| Some(&batch[place].outcome) == submission.verdict.as_ref();
        let seats = batches.iter().filter(|(_, batch)| right(batch));
        let seats = seats.map(|&(account, _)| account).collect();
        place += 1;
        seats
    };
    submissions.iter().map(agreeing).collect()
}

/// Pays a submission's fee and bond to where its standing says, and registers its model.
fn close(
    state: &mut State,
    settlement: &mut Settlement,
    submission: &Submission,
    standing: Standing,
    payees: &[Address],
) {
    let (id, bounty) = (settlement.id, &settlement.bounty);
    if submission.standing.is_none() {
        stand(state, submission.id, standing);
    }
    match standing {
        Standing::NotRevealed => {}
        Standing::NoVerdict => {
            refund_fee(state, submission);
            return_bond(state, submission);
        }
        Standing::BadSeal => {
            pay_committee(state, submission, payees);
            let bond = Purse::MinerBond(submission.id);
            forfeit(state, bond, state.balance(bond), &mut settlement.harmed);
        }
        Standing::Invalid | Standing::Copied(_) => {
            pay_committee(state, submission, payees);
            return_bond(state, submission);
        }
        Standing::Won => {
            pay_committee(state, submission, payees);
            return_bond(state, submission);
            let holders = winners_holders(state, id, bounty, submission.miner);
            register(state, id, bounty, submission, &holders);
        }
        Standing::Lost => {
            pay_committee(state, submission, payees);
            return_bond(state, submission);
            let whole = [Holder {
                account: submission.miner,
                shares: SHARES_PER_ASSET,
            }];
            register(state, id, bounty, submission, &whole);
        }
    }
}

/// Notes how a submission stands.
pub(super) fn stand(state: &mut State, submission: ItemId, standing: Standing) {
    let place = *state
        .tables
        .submission_index
        .get(&submission)
        .expect("it was committed");
    state
        .tables
        .submissions
        .update(&place, |row| row.standing = Some(standing));
    state.events.push(Event::Ranked {
        submission,
        standing,
    });
}

/// Divides the fee evenly among the seats whose word is the verdict; what does
/// not divide goes to the first of them.
fn pay_committee(state: &mut State, submission: &Submission, payees: &[Address]) {
    let purse = Purse::EvaluationFee(submission.id);
    let parts = split_amount(state.balance(purse), &vec![1; payees.len()])
        .expect("a verdict has a quorum behind it");
    for (&account, part) in payees.iter().zip(parts) {
        pay(
            state,
            purse,
            Purse::Account(account),
            part,
            Rule::EvaluationPay,
        );
    }
}

/// The winner's, the sponsor's and the backers' shares, by account.
fn winners_holders(state: &State, id: ItemId, bounty: &Bounty, miner: Address) -> Vec<Holder> {
    let split = &bounty.posting.split;
    let mut shares: BTreeMap<Address, u32> = BTreeMap::new();
    let mut give = |account, part: u32| *shares.entry(account).or_default() += part;
    give(miner, split.miner);
    give(bounty.sponsor, split.sponsor);
    let stakes: Vec<u128> = state
        .backings(id)
        .map(|backing| backing.amount.base_units())
        .collect();
    if stakes.is_empty() {
        give(bounty.sponsor, split.backers);
    } else {
        let parts = split_by_weights(u128::from(split.backers), &stakes)
            .expect("every backer staked above zero");
        for (backing, part) in state.backings(id).zip(parts) {
            give(backing.account, part as u32);
        }
    }
    let held = shares.into_iter().filter(|&(_, shares)| shares > 0);
    held.map(|(account, shares)| Holder { account, shares })
        .collect()
}

fn register(
    state: &mut State,
    id: ItemId,
    bounty: &Bounty,
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
        weights_digest: Some(*weights_digest),
        bounty: Some(id),
        terms: bounty.terms.clone(),
        parents: submission.parents.clone(),
        stack: submission.stack.clone(),
        order: submission.order(),
    };
    assets::insert(state, submission.id, asset, holders);
}

/// Gives the reward back to the sponsor and the stakes to the backers.
fn return_stakes(state: &mut State, id: ItemId) {
    let (bounty, _) = state.bounty(id).expect("a bounty that ends was posted");
    let (sponsor, reward) = (bounty.sponsor, bounty.posting.reward);
    let backings: Vec<_> = state.backings(id).collect();
    pay(
        state,
        Purse::Reward(id),
        Purse::Account(sponsor),
        reward,
        Rule::Refund,
    );
    for backing in backings {
        let to = Purse::Account(backing.account);
        pay(state, Purse::Reward(id), to, backing.amount, Rule::Refund);
    }
}

/// Gives a submission's fee back to its miner.
pub(super) fn refund_fee(state: &mut State, submission: &Submission) {
    let miner = Purse::Account(submission.miner);
    state.pay_all(Purse::EvaluationFee(submission.id), miner, Rule::Refund);
}

fn return_bond(state: &mut State, submission: &Submission) {
    let miner = Purse::Account(submission.miner);
    state.pay_all(Purse::MinerBond(submission.id), miner, Rule::BondReturn);
}

/// What each miner has at risk: bond and fee.
pub(super) fn at_risk(state: &State, submissions: &[Submission]) -> Vec<(Address, Amount)> {
    let risk = |submission: &Submission| {
        let bond = state.balance(Purse::MinerBond(submission.id));
        let fee = state.balance(Purse::EvaluationFee(submission.id));
        let both = bond.checked_add(fee).expect("both are part of the supply");
        (submission.miner, both)
    };
    submissions.iter().map(risk).collect()
}

/// The half of a forfeit that is shared, rounded down.
fn half(amount: Amount) -> Amount {
    Amount::from_base_units(amount.base_units() / 2)
}

/// Takes `amount` from a purse as the module's head says; what is made good is
/// no longer at risk.
pub(super) fn forfeit(
    state: &mut State,
    from: Purse,
    amount: Amount,
    harmed: &mut [(Address, Amount)],
) {
    let harmed: Vec<_> = harmed
        .iter_mut()
        .filter(|(_, risk)| !risk.is_zero())
        .collect();
    let risks: Vec<u128> = harmed.iter().map(|(_, risk)| risk.base_units()).collect();
    let risk_sum = risks
        .iter()
        .try_fold(0u128, |sum, &risk| sum.checked_add(risk));
    let risk_sum = Amount::from_base_units(risk_sum.expect("part of the supply"));
    let shared = half(amount).min(risk_sum);
    if !shared.is_zero() {
        let parts = split_amount(shared, &risks).expect("no risk of zero is left");
        for ((account, risk), part) in harmed.into_iter().zip(parts) {
            *risk = risk.checked_sub(part).expect("at most all risk is shared");
            pay(
                state,
                from,
                Purse::Account(*account),
                part,
                Rule::ForfeitShared,
            );
        }
    }
    let burned = amount.checked_sub(shared).expect("at most half is shared");
    pay(state, from, Purse::Burned, burned, Rule::ForfeitBurned);
}

/// Pays what the rules have put aside; that it is there is an invariant.
fn pay(state: &mut State, from: Purse, to: Purse, amount: Amount, rule: Rule) {
    state
        .pay(from, to, amount, rule)
        .expect("the rules put it aside");
}
