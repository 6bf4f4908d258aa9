//! What people bring to a bounty: its posting, stakes, submissions, and the keys of seals.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use protocol::ans104::Tag;
use protocol::benchmark::{Benchmark, Task};
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::{AssetKind, CommitSubmission, Parameters, PostBounty, Transaction};
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::{Amount, ItemId};

use crate::asset::{good_terms, left_by};
use crate::bounty::{Backing, Bounty, DAY_MS, Submission};
use crate::limits::{
    BACKINGS_MAX, LEAVES_BYTES_MAX, SELF_FUNDING_PPM_MAX, SHARES_PER_ASSET, SUBMISSIONS_MAX,
};
use crate::model::{Model, Refused};
use crate::money::{Units, part, units};

/// How many submissions a bounty takes: the leaves of all have room.
pub fn submissions_max(benchmark: &Benchmark) -> u64 {
    let numbers = match benchmark.task {
        Task::Classification { classes } => u64::from(classes),
        Task::Regression => 1,
    };
    let leaves = u64::from(benchmark.examples_max) * (8 + 4 * numbers);
    let mut count = 0;
    while count < SUBMISSIONS_MAX && (count + 1) * leaves <= LEAVES_BYTES_MAX {
        count += 1;
    }
    count
}

/// The multiply-adds that scoring one model counts.
pub fn counted_cost(benchmark: &Benchmark) -> Units {
    Units::from(benchmark.examples_max) * Units::from(benchmark.limits.multiply_adds_max)
}

impl Model {
    /// What a sponsor puts up beside the reward.
    pub(crate) fn sponsors_bond(&self, body: &PostBounty) -> Units {
        let bond = part(&units(body.reward), self.parameters.sponsor_bond_ppm);
        bond.max(units(body.evaluation_fee) * 2)
    }

    pub(crate) fn post_bounty(
        &mut self,
        tx: &Transaction,
        body: &PostBounty,
    ) -> Result<(), Refused> {
        let parameters: &Parameters = &self.parameters;
        body.benchmark.check().map_err(|_| "benchmark")?;
        let schedule = &body.schedule;
        let windows = [
            schedule.open_ms,
            schedule.test_key_ms,
            schedule.test_check_ms,
            schedule.reveal_ms,
            schedule.score_ms,
            schedule.score_reveal_ms,
            schedule.challenge_ms,
        ];
        let allowed = parameters.phase_min_ms..=parameters.phase_max_ms;
        let are_held_too_long =
            !body.parents.is_empty() && schedule.open_ms > (30 * DAY_MS).max(parameters.tighten_ms);
        // While these last seats are locked, or wait to be.
        let lock_too_long = windows[1..].iter().any(|window| *window > 14 * DAY_MS);
        if windows.iter().any(|window| !allowed.contains(window))
            || are_held_too_long
            || lock_too_long
        {
            return Err("schedule");
        }
        let shares = [body.split.miner, body.split.sponsor, body.split.backers];
        if shares.iter().map(|part| u64::from(*part)).sum::<u64>() != u64::from(SHARES_PER_ASSET) {
            return Err("shares");
        }
        if body.reward.is_zero() {
            return Err("zero_amount");
        }
        if u64::from(body.prepaid) > submissions_max(&body.benchmark) {
            return Err("prepaid");
        }
        let fee = units(body.evaluation_fee);
        if &fee * 2 > units(Amount::MAX) {
            return Err("overflow");
        }
        let tags: Vec<Tag> = body
            .model_terms
            .iter()
            .map(|(name, value)| Tag::new(name, value))
            .collect();
        let terms = good_terms(&tags)?;
        if body.self_funding_ppm > SELF_FUNDING_PPM_MAX {
            return Err("self_funding");
        }
        if self.test_sets.contains(&body.test_set.ciphertext.id) {
            return Err("test_set_used");
        }
        let parents: Vec<ItemId> = body.parents.iter().map(|parent| parent.asset).collect();
        let own = self.own_part(tx, body, &parents)?;
        Self::good_parents(&parents)?;
        let none = BTreeMap::new();
        self.stack(&parents, &terms, AssetKind::Model, &none)?;
        let mut asked = BTreeMap::new();
        for parent in &parents {
            let alone = self.stack(&[*parent], &terms, AssetKind::Model, &none)?;
            asked.insert(*parent, alone.get(parent).copied());
        }
        if let Some(fund) = &body.fund {
            let (from, to) = (Purse::Fund(fund.asset), Purse::Reward(tx.id));
            let amount = units(fund.amount);
            self.money.pay(from, to, &amount, Rule::FundedReward)?;
        }
        let bond = self.sponsors_bond(body);
        let prepaid = &fee * body.prepaid;
        let sponsor = Purse::Account(tx.signer);
        self.money
            .pay(sponsor, Purse::Reward(tx.id), &own, Rule::Reward)?;
        self.money
            .pay(sponsor, Purse::SponsorBond(tx.id), &bond, Rule::Bond)?;
        if prepaid > units(Amount::MAX) {
            return Err("overflow");
        }
        let purse = Purse::PrepaidFees(tx.id);
        self.money
            .pay(sponsor, purse, &prepaid, Rule::PrepaidFees)?;
        self.deposit(tx)?;
        let stake = part(&units(body.reward), self.parameters.seat_stake_ppm);
        let candidates = self.with_free_stake(&stake, |who| who == tx.signer);
        self.panel_size(candidates.len()).ok_or("pool_too_small")?;
        let counted = counted_cost(&body.benchmark) * units(self.parameters.evaluation_price);
        let billion = Units::from(1_000_000_000);
        let a_seat: Units = (counted + &billion - 1) / billion;
        let least: Units = a_seat * 5;
        if least > units(Amount::MAX) {
            return Err("overflow");
        }
        if fee < least.max(units(self.parameters.evaluation_fee_min)) {
            return Err("evaluation_fee");
        }
        let bounty = Bounty {
            sponsor: tx.signer,
            nonce: tx.envelope.nonce,
            body: body.clone(),
            terms,
            posted_ms: self.time_ms,
            asked,
            backings: Vec::new(),
            submissions: Vec::new(),
            phase: Phase::Open,
            until_ms: 0,
            draw: None,
            is_key_out: false,
            check: None,
            score: None,
        };
        self.test_sets.insert(body.test_set.ciphertext.id);
        self.bounties.insert(tx.id, bounty);
        self.begin_phase(tx.id, Phase::Open);
        Ok(())
    }

    /// What of a reward the sponsor pays: all but what a fund does.
    fn own_part(
        &self,
        tx: &Transaction,
        body: &PostBounty,
        parents: &[ItemId],
    ) -> Result<Units, Refused> {
        let reward = units(body.reward);
        let Some(fund) = &body.fund else {
            return Ok(reward);
        };
        let asset = self.assets.get(&fund.asset).ok_or("unknown_asset")?;
        let amount = units(fund.amount);
        if amount == Units::from(0) || amount > reward {
            return Err("fund_amount");
        }
        if !parents.contains(&fund.asset) {
            return Err("fund_parent");
        }
        let held = asset.holdings().get(&tx.signer).copied().unwrap_or(0);
        if 2 * held < i64::from(SHARES_PER_ASSET) {
            return Err("fund_majority");
        }
        Ok(reward - amount)
    }

    pub(crate) fn back_bounty(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        amount: &Units,
    ) -> Result<(), Refused> {
        let bounty = self.in_phase(id, Phase::Open)?;
        if self.time_ms > bounty.posted_ms + bounty.body.schedule.open_ms / 2 {
            return Err("backing_closed");
        }
        if *amount == Units::from(0) {
            return Err("zero_amount");
        }
        if bounty.backings.len() >= BACKINGS_MAX {
            return Err("full");
        }
        let together = bounty.stakes() + amount;
        if together > units(Amount::MAX) {
            return Err("overflow");
        }
        if amount * BACKINGS_MAX < units(bounty.body.reward) {
            return Err("stake_too_small");
        }
        let stake = part(&together, self.parameters.seat_stake_ppm);
        let candidates = self.with_free_stake(&stake, |who| {
            bounty.is_party(who) || bounty.has_failed(who) || who == tx.signer
        });
        let is_enough = self.panel_size(candidates.len()).is_some();
        let backer = Purse::Account(tx.signer);
        self.money
            .pay(backer, Purse::Reward(id), amount, Rule::Backing)?;
        self.deposit(tx)?;
        if !is_enough {
            return Err("pool_too_small");
        }
        let backing = Backing {
            id: tx.id,
            backer: tx.signer,
            amount: amount.clone(),
        };
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        bounty.backings.push(backing);
        Ok(())
    }

    pub(crate) fn cancel_bounty(&mut self, tx: &Transaction, id: ItemId) -> Result<(), Refused> {
        let bounty = self.in_phase(id, Phase::Open)?;
        if bounty.sponsor != tx.signer {
            return Err("not_owner");
        }
        if !bounty.submissions.is_empty() {
            return Err("has_submissions");
        }
        self.void(id, VoidReason::Cancelled);
        Ok(())
    }

    pub(crate) fn commit_submission(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        tags: &[Tag],
        body: &CommitSubmission,
    ) -> Result<(), Refused> {
        let bounty = self.in_phase(id, Phase::Open)?;
        if bounty.submissions.len() as u64 >= submissions_max(&bounty.body.benchmark) {
            return Err("full");
        }
        if tags != bounty.terms.to_tags() {
            return Err("other_terms");
        }
        Self::good_parents(&body.parents)?;
        if bounty
            .required()
            .any(|required| body.parents.contains(&required))
        {
            return Err("parent_required");
        }
        let (left_named, left) = self.left_of(bounty, &body.parents)?;
        let whole = BigRational::from(BigInt::from(SHARES_PER_ASSET));
        let miner = BigRational::from(BigInt::from(bounty.body.split.miner));
        if &left_named - &left > &left_named * miner / whole {
            return Err("unnamed_parents");
        }
        let mut is_enough = true;
        if self.evaluators.contains_key(&tx.signer) && !bounty.is_party(tx.signer) {
            let candidates = self.with_free_stake(&self.seat_stake(bounty), |who| {
                bounty.is_party(who) || who == tx.signer
            });
            is_enough = self.panel_size(candidates.len()).is_some();
        }
        let all = bounty.parents_with(&body.parents);
        let stack = self.stack(&all, &bounty.terms, AssetKind::Model, &bounty.asked)?;
        let by_now = self.stack(&all, &bounty.terms, AssetKind::Model, &BTreeMap::new());
        let has_risen = by_now.as_ref() != Ok(&stack);
        let fee = units(bounty.body.evaluation_fee);
        let bond = part(&units(bounty.body.reward), self.parameters.miner_bond_ppm);
        let bond = bond.max(&fee * 2);
        let is_prepaid = bounty.submissions.len() < bounty.body.prepaid as usize;
        let account = Purse::Account(tx.signer);
        let payer = match is_prepaid {
            true => Purse::PrepaidFees(id),
            false => account,
        };
        let fee_purse = Purse::EvaluationFee(tx.id);
        self.money
            .pay(payer, fee_purse, &fee, Rule::EvaluationFee)?;
        self.money
            .pay(account, Purse::MinerBond(tx.id), &bond, Rule::Bond)?;
        self.deposit(tx)?;
        if !is_enough {
            self.coverage.saw("commit: too few would be left to judge");
            return Err("pool_too_small");
        }
        let submission = Submission {
            id: tx.id,
            miner: tx.signer,
            body: body.clone(),
            place: self.place(),
            is_prepaid,
            bond,
            stack,
            left: (left_named, left),
            is_revealed: false,
            verdict: None,
            by_all: false,
            standing: None,
        };
        if has_risen {
            self.coverage
                .saw("commit: a named parent asks for more by now");
        }
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        bounty.submissions.push(submission);
        Ok(())
    }

    /// What the stack of the named parents leaves of an income, and what that of all does.
    fn left_of(
        &self,
        bounty: &Bounty,
        own: &[ItemId],
    ) -> Result<(BigRational, BigRational), Refused> {
        let all = bounty.parents_with(own);
        Self::good_parents(&all)?;
        let is_named = |id: &&ItemId| bounty.body.parents.iter().any(|named| named.asset == **id);
        let named: Vec<ItemId> = all.iter().filter(is_named).copied().collect();
        let (terms, asked) = (&bounty.terms, &bounty.asked);
        let whole_stack = self.stack(&all, terms, AssetKind::Model, asked)?;
        let named_stack = self.stack(&named, terms, AssetKind::Model, asked)?;
        Ok((left_by(&named_stack), left_by(&whole_stack)))
    }

    pub(crate) fn reveal_test_set(&mut self, id: ItemId, key: &SealKey) -> Result<(), Refused> {
        let bounty = self.bounties.get(&id).ok_or("unknown_bounty")?;
        if !matches!(bounty.phase, Phase::Open | Phase::TestKey) {
            return Err("wrong_phase");
        }
        if bounty.draw.is_some() {
            return Err("phase_over");
        }
        if bounty.is_key_out {
            return Err("already_revealed");
        }
        let scope = SealScope::test_set(self.network, bounty.sponsor, bounty.nonce);
        let sealed = &bounty.body.test_set;
        let blob = &sealed.ciphertext;
        if seal_digest(&scope, key, &blob.id, blob.size_bytes) != sealed.seal {
            return Err("seal_mismatch");
        }
        if bounty.phase == Phase::Open {
            self.void(id, VoidReason::KeyLeaked);
        } else {
            let bounty = self.bounties.get_mut(&id).expect("looked up");
            bounty.is_key_out = true;
        }
        Ok(())
    }

    pub(crate) fn reveal_submission(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        submission: ItemId,
        key: &SealKey,
    ) -> Result<(), Refused> {
        let bounty = self.in_phase(id, Phase::Reveal)?;
        let committed = bounty.submission(submission).ok_or("unknown_submission")?;
        if committed.miner != tx.signer {
            return Err("not_owner");
        }
        if committed.is_revealed {
            return Err("already_revealed");
        }
        let scope = SealScope::submission(self.network, id, committed.miner);
        let sealed = &committed.body.sealed;
        let blob = &sealed.ciphertext;
        if seal_digest(&scope, key, &blob.id, blob.size_bytes) != sealed.seal {
            return Err("seal_mismatch");
        }
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        let committed = bounty.submission_mut(submission).expect("looked up");
        committed.is_revealed = true;
        Ok(())
    }
}
