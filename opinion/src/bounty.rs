//! A bounty from posting to its end, and until it is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use licensing::Terms;
use num_bigint::BigInt;
use num_rational::BigRational;
use protocol::ans104::Tag;
use protocol::benchmark::Benchmark;
use protocol::receipt::{Panel, Phase, Purse, Rule, Standing, VoidReason};
use protocol::record::{
    AssetKind, CommitSubmission, Parameters, Pay, PostBounty, SELF_FUNDING_PPM_MAX,
    SHARES_PER_ASSET, Transaction,
};
use protocol::report::Outcome;
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::{Address, Amount, Digest, ItemId, Score};

use crate::asset::{Asset, Happening, Stack, good_terms, left_by};
use crate::model::{Model, Place, Refused};
use crate::money::{Units, part, ratio, split, units};
use crate::panel::{Seat, Seats};
use crate::votes::Votes;

const DAY_MS: u64 = 24 * 3_600_000;
const BACKINGS_MAX: usize = 1_000;
const SUBMISSIONS_MAX: usize = 10_000;

/// A stake behind a bounty.
#[derive(Clone, Debug)]
pub struct Backing {
    /// The record.
    pub id: ItemId,
    /// Whose.
    pub backer: Address,
    /// How much.
    pub amount: Units,
}

/// A submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The record that committed it.
    pub id: ItemId,
    /// Whose.
    pub miner: Address,
    /// What was committed.
    pub body: CommitSubmission,
    /// Where it stands on the log.
    pub place: Place,
    /// Whether the sponsor had prepaid its fee.
    pub is_prepaid: bool,
    /// Bond.
    pub bond: Units,
    /// What its ancestors got by the terms of that moment.
    pub stack: Stack,
    /// What the named parents left of an income then, and what all did.
    pub left: (BigRational, BigRational),
    /// Whether its key is out.
    pub is_revealed: bool,
    /// What a quorum found.
    pub verdict: Option<Outcome>,
    /// Whether that was in the round of all.
    pub by_all: bool,
    /// How it stood when the bounty settled.
    pub standing: Option<Standing>,
}

/// A draw that takes place in the next block.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// For what.
    pub panel: Panel,
    /// Whether it is another round of a panel.
    pub again: bool,
    /// Whether all further candidates are seated.
    pub all: bool,
    /// Height of the block in which the phase before ended.
    pub height: u64,
    /// Its time.
    pub time_ms: u64,
}

/// A bounty.
#[derive(Clone, Debug)]
pub struct Bounty {
    /// Who posted it.
    pub sponsor: Address,
    /// The nonce of the record that posted it.
    pub nonce: u64,
    /// What was posted.
    pub body: PostBounty,
    /// The terms of what is submitted.
    pub terms: Terms,
    /// When.
    pub posted_ms: u64,
    /// What each parent that it names asked for itself then.
    pub asked: BTreeMap<ItemId, Option<u64>>,
    /// In order.
    pub backings: Vec<Backing>,
    /// In order.
    pub submissions: Vec<Submission>,
    /// The phase.
    pub phase: Phase,
    /// When that ends; for a bounty that ended, when it did.
    pub until_ms: u64,
    /// The draw that it waits for.
    pub draw: Option<Draw>,
    /// Whether the test key is out.
    pub is_key_out: bool,
    /// The seats of the test check.
    pub check: Option<Seats>,
    /// The seats of the scoring.
    pub score: Option<Seats>,
}

/// The multiply-adds that scoring one model counts.
fn counted_cost(benchmark: &Benchmark) -> Units {
    Units::from(benchmark.examples_max) * Units::from(benchmark.limits.multiply_adds_max)
}

impl Bounty {
    /// Reward and all backings.
    pub fn stakes(&self) -> Units {
        let backed: Units = self.backings.iter().map(|backing| &backing.amount).sum();
        units(self.body.reward) + backed
    }

    /// Sponsor, a backer, or a miner with a submission.
    pub fn is_party(&self, who: Address) -> bool {
        who == self.sponsor
            || self.backings.iter().any(|backing| backing.backer == who)
            || self
                .submissions
                .iter()
                .any(|submission| submission.miner == who)
    }

    /// Whether a seat of this account failed here.
    pub fn has_failed(&self, who: Address) -> bool {
        let panels = [&self.check, &self.score].into_iter().flatten();
        let mut seats = panels.flat_map(|panel| &panel.seats);
        seats.any(|seat| seat.who == who && seat.failed_in.is_some())
    }

    /// The seats for a task.
    pub fn panel(&self, panel: Panel) -> Option<&Seats> {
        match panel {
            Panel::Check => self.check.as_ref(),
            Panel::Score => self.score.as_ref(),
        }
    }

    pub(crate) fn panel_mut(&mut self, panel: Panel) -> &mut Option<Seats> {
        match panel {
            Panel::Check => &mut self.check,
            Panel::Score => &mut self.score,
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Settled | Phase::Void(_))
    }

    /// The seats whose stake is locked: of the check until those of the scoring are drawn, of the
    /// scoring until the bounty is over.
    pub fn seats_at_work(&self) -> impl Iterator<Item = &Seat> {
        let until_scored = matches!(
            self.phase,
            Phase::TestKey | Phase::TestCheck | Phase::Reveal
        );
        let check = self.check.as_ref().filter(|_| until_scored);
        let check = check.into_iter().flat_map(|panel| &panel.seats);
        let is_checked = self.phase == Phase::Reveal;
        let check = check.filter(move |seat| !(is_checked && seat.with_all));
        let score = self.score.as_ref().filter(|_| !self.is_over());
        check.chain(score.into_iter().flat_map(|panel| &panel.seats))
    }

    /// The revealed submissions without verdict, in order.
    pub fn undecided(&self) -> Vec<ItemId> {
        let open = |s: &&Submission| s.is_revealed && s.verdict.is_none();
        self.submissions.iter().filter(open).map(|s| s.id).collect()
    }

    /// A submission by its id.
    pub fn submission(&self, id: ItemId) -> Option<&Submission> {
        self.submissions
            .iter()
            .find(|submission| submission.id == id)
    }

    pub(crate) fn submission_mut(&mut self, id: ItemId) -> Option<&mut Submission> {
        self.submissions
            .iter_mut()
            .find(|submission| submission.id == id)
    }

    /// When it has work of the clock, in a block of this height.
    pub(crate) fn due_ms(&self, height: u64, retention_ms: u64) -> Option<u64> {
        match self.draw {
            Some(draw) => (draw.height < height).then_some(draw.time_ms),
            None if self.is_over() => self.until_ms.checked_add(retention_ms),
            None => Some(self.until_ms),
        }
    }

    fn window_ms(&self, phase: Phase) -> u64 {
        let schedule = &self.body.schedule;
        match phase {
            Phase::Open => schedule.open_ms,
            Phase::TestKey => schedule.test_key_ms,
            Phase::TestCheck => schedule.test_check_ms,
            Phase::Reveal => schedule.reveal_ms,
            Phase::Score => schedule.score_ms,
            Phase::ScoreReveal => schedule.score_reveal_ms,
            Phase::Challenge => schedule.challenge_ms,
            Phase::Settled | Phase::Void(_) => 0,
        }
    }

    fn required(&self) -> impl Iterator<Item = ItemId> {
        let parents = self.body.parents.iter();
        parents
            .filter(|parent| parent.required)
            .map(|parent| parent.asset)
    }

    /// All parents of a submission, required ones included, in order.
    fn parents_with(&self, own: &[ItemId]) -> Vec<ItemId> {
        let all: BTreeSet<ItemId> = self.required().chain(own.iter().copied()).collect();
        all.into_iter().collect()
    }
}

impl Model {
    pub(crate) fn begin_phase(&mut self, id: ItemId, phase: Phase) {
        self.coverage.saw(format!("phase: {phase:?}"));
        let now = self.time_ms;
        let bounty = self.bounties.get_mut(&id).expect("it is there");
        bounty.phase = phase;
        bounty.until_ms = now.saturating_add(bounty.window_ms(phase));
        bounty.draw = None;
    }

    pub(crate) fn wait_for_draw(&mut self, id: ItemId, panel: Panel, again: bool, all: bool) {
        let draw = Draw {
            panel,
            again,
            all,
            height: self.height,
            time_ms: self.time_ms,
        };
        self.bounties.get_mut(&id).expect("it is there").draw = Some(draw);
    }

    /// One piece of the clock's work on a bounty.
    pub(crate) fn due(&mut self, id: ItemId) {
        let now = self.time_ms;
        let is_late = self.was_missed(self.bounties[&id].until_ms);
        let bounty = self.bounties.get_mut(&id).expect("it is due");
        if let Some(draw) = bounty.draw {
            return self.seat(id, draw);
        }
        if bounty.is_over() {
            return self.forget(id);
        }
        let phase = bounty.phase;
        if is_late {
            bounty.until_ms = now.saturating_add(bounty.window_ms(phase).min(DAY_MS));
            self.coverage.saw(format!("extended: {phase:?}"));
            return;
        }
        match phase {
            Phase::Open if bounty.submissions.is_empty() => {
                self.void(id, VoidReason::NoSubmissions);
            }
            Phase::Open => self.begin_phase(id, Phase::TestKey),
            Phase::TestKey if !bounty.is_key_out => self.void(id, VoidReason::KeyWithheld),
            Phase::TestKey => self.wait_for_draw(id, Panel::Check, false, false),
            Phase::TestCheck => self.tally_check(id),
            Phase::Reveal => self.end_reveal(id),
            Phase::Score => self.begin_phase(id, Phase::ScoreReveal),
            Phase::ScoreReveal => self.tally_score(id),
            Phase::Challenge => self.settle(id),
            Phase::Settled | Phase::Void(_) => unreachable!("it is not over"),
        }
    }

    /// Whether a bounty takes records of this phase.
    pub(crate) fn in_phase(&self, id: ItemId, phase: Phase) -> Result<&Bounty, Refused> {
        let bounty = self.bounties.get(&id).ok_or("no such bounty")?;
        if bounty.phase != phase || bounty.draw.is_some() {
            return Err("not in this phase");
        }
        Ok(bounty)
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
        if windows.iter().any(|window| !allowed.contains(window)) {
            return Err("schedule");
        }
        if !body.parents.is_empty() && schedule.open_ms > (30 * DAY_MS).max(parameters.tighten_ms) {
            return Err("parents are held too long");
        }
        // While these last seats are locked, or wait to be.
        if windows[2..].iter().any(|window| *window > 14 * DAY_MS) {
            return Err("seats are locked too long");
        }
        let shares = [body.split.miner, body.split.sponsor, body.split.backers];
        if shares.iter().map(|part| u64::from(*part)).sum::<u64>() != u64::from(SHARES_PER_ASSET) {
            return Err("split");
        }
        if body.reward.is_zero() {
            return Err("no reward");
        }
        let stake = part(&units(body.reward), parameters.seat_stake_ppm);
        let candidates = self.with_free_stake(&stake, |who| who == tx.signer);
        let seats = self.panel_size(candidates.len()).ok_or("no panel")?;
        let counted = counted_cost(&body.benchmark) * units(parameters.evaluation_price);
        let billion = Units::from(1_000_000_000);
        let a_seat: Units = (counted + &billion - 1) / billion;
        let fee = units(body.evaluation_fee);
        let least: Units = a_seat * seats;
        if fee < least.max(units(parameters.evaluation_fee_min)) {
            return Err("evaluation fee");
        }
        if &fee * 2 > units(Amount::MAX) {
            return Err("a bond that is no amount");
        }
        if body.prepaid as usize > SUBMISSIONS_MAX {
            return Err("prepaid");
        }
        let tags: Vec<Tag> = body
            .model_terms
            .iter()
            .map(|(name, value)| Tag::new(name, value))
            .collect();
        let terms = good_terms(&tags)?;
        let parents: Vec<ItemId> = body.parents.iter().map(|parent| parent.asset).collect();
        Self::good_parents(&parents)?;
        let none = BTreeMap::new();
        self.stack(&parents, &terms, AssetKind::Model, &none)?;
        let mut asked = BTreeMap::new();
        for parent in &parents {
            let alone = self.stack(&[*parent], &terms, AssetKind::Model, &none)?;
            asked.insert(*parent, alone.get(parent).copied());
        }
        if body.self_funding_ppm > SELF_FUNDING_PPM_MAX {
            return Err("too much is set aside");
        }
        if self.test_sets.contains(&body.test_set.ciphertext.id) {
            return Err("an old test set");
        }
        let mut own = units(body.reward);
        if let Some(fund) = &body.fund {
            let asset = self.assets.get(&fund.asset).ok_or("no such asset")?;
            let held = asset.holdings().get(&tx.signer).copied().unwrap_or(0);
            if 2 * held < i64::from(SHARES_PER_ASSET) || !parents.contains(&fund.asset) {
                return Err("not this sponsor's to spend on this");
            }
            let amount = units(fund.amount);
            own -= &amount;
            if amount == Units::from(0) || own < Units::from(0) {
                return Err("nothing, or more than the reward");
            }
            let (from, to) = (Purse::Fund(fund.asset), Purse::Reward(tx.id));
            self.money.pay(from, to, &amount, Rule::FundedReward)?;
        }
        let bond = part(&units(body.reward), self.parameters.sponsor_bond_ppm);
        let prepaid = fee * body.prepaid;
        let sponsor = Purse::Account(tx.signer);
        for (purse, amount, rule) in [
            (Purse::Reward(tx.id), own, Rule::Reward),
            (Purse::SponsorBond(tx.id), bond, Rule::Bond),
            (Purse::PrepaidFees(tx.id), prepaid, Rule::PrepaidFees),
        ] {
            self.money.pay(sponsor, purse, &amount, rule)?;
        }
        self.deposit(tx)?;
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

    pub(crate) fn back_bounty(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        amount: &Units,
    ) -> Result<(), Refused> {
        let bounty = self.in_phase(id, Phase::Open)?;
        if self.time_ms > bounty.posted_ms + bounty.body.schedule.open_ms / 2 {
            return Err("too late to back");
        }
        if *amount == Units::from(0) || bounty.backings.len() >= BACKINGS_MAX {
            return Err("no backing");
        }
        if amount * BACKINGS_MAX < units(bounty.body.reward) {
            return Err("less than a place is worth");
        }
        let stake = part(&(bounty.stakes() + amount), self.parameters.seat_stake_ppm);
        let candidates = self.with_free_stake(&stake, |who| {
            bounty.is_party(who) || bounty.has_failed(who) || who == tx.signer
        });
        self.panel_size(candidates.len()).ok_or("no panel")?;
        let backer = Purse::Account(tx.signer);
        self.money
            .pay(backer, Purse::Reward(id), amount, Rule::Backing)?;
        self.deposit(tx)?;
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
        if bounty.sponsor != tx.signer || !bounty.submissions.is_empty() {
            return Err("not to be cancelled");
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
        if bounty.submissions.len() >= SUBMISSIONS_MAX {
            return Err("too many submissions");
        }
        if tags != bounty.terms.to_tags() {
            return Err("not the bounty's terms");
        }
        Self::good_parents(&body.parents)?;
        if bounty
            .required()
            .any(|required| body.parents.contains(&required))
        {
            return Err("a required parent is not named again");
        }
        let (left_named, left) = self.left_of(bounty, &body.parents)?;
        let whole = BigRational::from(BigInt::from(SHARES_PER_ASSET));
        let miner = BigRational::from(BigInt::from(bounty.body.split.miner));
        if &left_named - &left > &left_named * miner / whole {
            return Err("unnamed parents want more than the miner has");
        }
        if self.evaluators.contains_key(&tx.signer) && !bounty.is_party(tx.signer) {
            let candidates = self.with_free_stake(&self.seat_stake(bounty), |who| {
                bounty.is_party(who) || who == tx.signer
            });
            if self.panel_size(candidates.len()).is_none() {
                self.coverage.saw("commit: too few would be left to judge");
                return Err("too few would be left to judge");
            }
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
        self.money
            .pay(account, Purse::MinerBond(tx.id), &bond, Rule::Bond)?;
        let fee_purse = Purse::EvaluationFee(tx.id);
        self.money
            .pay(payer, fee_purse, &fee, Rule::EvaluationFee)?;
        self.deposit(tx)?;
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
        let bounty = self.bounties.get(&id).ok_or("no such bounty")?;
        if bounty.draw.is_some() || bounty.is_key_out {
            return Err("not now");
        }
        let scope = SealScope::test_set(self.network, bounty.sponsor, bounty.nonce);
        let sealed = &bounty.body.test_set;
        let blob = &sealed.ciphertext;
        if seal_digest(&scope, key, &blob.id, blob.size_bytes) != sealed.seal {
            return Err("not the key");
        }
        match bounty.phase {
            Phase::Open => self.void(id, VoidReason::KeyLeaked),
            Phase::TestKey => {
                let bounty = self.bounties.get_mut(&id).expect("looked up");
                bounty.is_key_out = true;
            }
            _ => return Err("not in this phase"),
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
        let committed = bounty.submission(submission).ok_or("no such submission")?;
        if committed.miner != tx.signer || committed.is_revealed {
            return Err("not to be revealed");
        }
        let scope = SealScope::submission(self.network, id, committed.miner);
        let sealed = &committed.body.sealed;
        let blob = &sealed.ciphertext;
        if seal_digest(&scope, key, &blob.id, blob.size_bytes) != sealed.seal {
            return Err("not the key");
        }
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        let committed = bounty.submission_mut(submission).expect("looked up");
        committed.is_revealed = true;
        Ok(())
    }

    /// Who did not reveal is out.
    fn end_reveal(&mut self, id: ItemId) {
        let bounty = self.bounties[&id].clone();
        let sealed = bounty.submissions.iter().filter(|s| !s.is_revealed);
        for submission in sealed {
            self.stands(id, submission.id, Standing::NotRevealed);
            self.forfeit_bond(id, submission);
            self.return_fee(&bounty, submission);
        }
        if bounty.submissions.iter().any(|s| s.is_revealed) {
            self.wait_for_draw(id, Panel::Score, false, false);
        } else {
            self.settle(id);
        }
    }

    /// A miner's bond is forfeited to the sponsor, up to what is left of the sponsor's harm.
    fn forfeit_bond(&mut self, id: ItemId, submission: &Submission) {
        let bounty = &self.bounties[&id];
        let sponsor = Purse::Account(bounty.sponsor);
        let harm = part(&units(bounty.body.reward), self.parameters.sponsor_bond_ppm);
        let bonds: BTreeSet<Purse> = bounty
            .submissions
            .iter()
            .map(|submission| Purse::MinerBond(submission.id))
            .collect();
        let good = self.money.moves.iter().filter(|step| {
            step.rule == Some(Rule::ForfeitShared)
                && step.from.is_some_and(|from| bonds.contains(&from))
        });
        let good: Units = good.map(|step| &step.amount).sum();
        let half: Units = &submission.bond / 2;
        let shared = half.min(harm - good);
        let bond = Purse::MinerBond(submission.id);
        self.money
            .must_pay(bond, sponsor, &shared, Rule::ForfeitShared);
        self.money.empty(bond, Purse::Burned, Rule::ForfeitBurned);
    }

    fn return_fee(&mut self, bounty: &Bounty, submission: &Submission) {
        let payer = match submission.is_prepaid {
            true => bounty.sponsor,
            false => submission.miner,
        };
        let fee = Purse::EvaluationFee(submission.id);
        self.money.empty(fee, Purse::Account(payer), Rule::Refund);
    }

    /// Reward and backings return to who put them up.
    fn return_stakes(&mut self, id: ItemId, bounty: &Bounty) {
        let reward = Purse::Reward(id);
        for backing in &bounty.backings {
            let backer = Purse::Account(backing.backer);
            self.money
                .must_pay(reward, backer, &backing.amount, Rule::Refund);
        }
        if let Some(fund) = &bounty.body.fund {
            let (to, amount) = (Purse::Fund(fund.asset), units(fund.amount));
            self.money.must_pay(reward, to, &amount, Rule::FundReturn);
        }
        let sponsor = Purse::Account(bounty.sponsor);
        self.money.empty(reward, sponsor, Rule::Refund);
    }

    /// Pays the harmed out of the bounty's harm purse and burns what is left.
    fn pay_harmed(&mut self, id: ItemId, bounty: &Bounty, only_revealed: bool) {
        let harmed = bounty.submissions.iter();
        let harmed: Vec<&Submission> = harmed.filter(|s| s.is_revealed || !only_revealed).collect();
        let fee = units(bounty.body.evaluation_fee);
        let risks: Vec<Units> = harmed
            .iter()
            .map(|s| match s.is_prepaid {
                true => s.bond.clone(),
                false => &s.bond + &fee,
            })
            .collect();
        let together: Units = risks.iter().sum();
        let purse = self.money.balance(Purse::Harm(id));
        for (submission, risk) in harmed.iter().zip(risks) {
            if together == Units::from(0) {
                continue;
            }
            let pay = ratio(&purse, &risk, &together).min(risk);
            let miner = Purse::Account(submission.miner);
            self.money
                .must_pay(Purse::Harm(id), miner, &pay, Rule::ForfeitShared);
        }
        self.money
            .empty(Purse::Harm(id), Purse::Burned, Rule::ForfeitBurned);
    }

    fn stands(&mut self, id: ItemId, submission: ItemId, standing: Standing) {
        let name = match standing {
            Standing::Copied(_) => "Copied".to_owned(),
            other => format!("{other:?}"),
        };
        self.coverage.saw(format!("standing: {name}"));
        let kept = self.bounties.get_mut(&id).expect("it is there");
        let kept = kept.submission_mut(submission).expect("it is there");
        kept.standing = Some(standing);
    }

    /// A bounty ends without a ranking.
    pub(crate) fn void(&mut self, id: ItemId, reason: VoidReason) {
        let bounty = self.bounties[&id].clone();
        self.return_stakes(id, &bounty);
        for submission in &bounty.submissions {
            let (bond, miner) = (Purse::MinerBond(submission.id), submission.miner);
            self.money
                .empty(bond, Purse::Account(miner), Rule::BondReturn);
            self.return_fee(&bounty, submission);
        }
        let sponsor = Purse::Account(bounty.sponsor);
        self.money
            .empty(Purse::PrepaidFees(id), sponsor, Rule::Refund);
        self.return_seats(id, Panel::Check);
        self.return_seats(id, Panel::Score);
        let bond = Purse::SponsorBond(id);
        if reason.is_sponsors_fault() {
            let all = self.money.balance(bond);
            self.money.forfeit(bond, Purse::Harm(id), &all);
        } else {
            self.money.empty(bond, sponsor, Rule::BondReturn);
        }
        let after_reveal = matches!(bounty.phase, Phase::Score | Phase::ScoreReveal);
        self.pay_harmed(id, &bounty, after_reveal);
        for submission in bounty.submissions.iter().filter(|s| s.standing.is_none()) {
            self.stands(id, submission.id, Standing::NoVerdict);
        }
        self.begin_phase(id, Phase::Void(reason));
    }

    /// Ranking, awards, fees, bonds, assets.
    fn settle(&mut self, id: ItemId) {
        let bounty = self.bounties[&id].clone();
        let standings = self.rank(&bounty);
        let won = self.award(id, &bounty, &standings);
        if !won {
            self.return_stakes(id, &bounty);
        }
        for submission in &bounty.submissions {
            self.pay_evaluators(&bounty, submission);
            let bond = Purse::MinerBond(submission.id);
            match submission.verdict {
                Some(Outcome::BadSeal { .. }) => self.forfeit_bond(id, submission),
                _ => {
                    let miner = Purse::Account(submission.miner);
                    self.money.empty(bond, miner, Rule::BondReturn);
                }
            }
        }
        let sponsor = Purse::Account(bounty.sponsor);
        self.money
            .empty(Purse::PrepaidFees(id), sponsor, Rule::Refund);
        self.money
            .empty(Purse::SponsorBond(id), sponsor, Rule::BondReturn);
        self.return_seats(id, Panel::Check);
        self.return_seats(id, Panel::Score);
        self.pay_harmed(id, &bounty, true);
        for (submission, standing) in bounty.submissions.iter().zip(standings) {
            self.stands(id, submission.id, standing);
        }
        self.begin_phase(id, Phase::Settled);
    }

    /// How each submission stands. What is scored and no copy becomes an asset
    /// on the way, because a later submission may be its copy.
    fn rank(&mut self, bounty: &Bounty) -> Vec<Standing> {
        let mut standings: Vec<Standing> = Vec::new();
        for submission in &bounty.submissions {
            standings.push(match &submission.verdict {
                _ if !submission.is_revealed => Standing::NotRevealed,
                None | Some(Outcome::Unavailable) => Standing::NoVerdict,
                Some(Outcome::Invalid { .. }) => Standing::Invalid,
                Some(Outcome::BadSeal { .. }) => Standing::BadSeal,
                Some(Outcome::Scored { weights_digest, .. }) => {
                    match self.claimant(*weights_digest) {
                        Some((place, first)) if place < submission.place => Standing::Copied(first),
                        _ => {
                            self.make_asset(bounty, submission, *weights_digest);
                            Standing::Lost
                        }
                    }
                }
            });
        }
        for (place, _) in steps(bounty, &standings) {
            standings[place] = Standing::Won;
        }
        for (submission, standing) in bounty.submissions.iter().zip(&standings) {
            if *standing == Standing::Won {
                let holders = self.holders(bounty, submission);
                let asset = self.assets.get_mut(&submission.id).expect("just made");
                asset.happenings = holders;
            }
        }
        standings
    }

    fn make_asset(&mut self, bounty: &Bounty, submission: &Submission, weights: Digest) {
        let parents = bounty.parents_with(&submission.body.parents);
        let all = i64::from(SHARES_PER_ASSET);
        let asset = Asset {
            kind: AssetKind::Model,
            terms: bounty.terms.clone(),
            weights: Some(weights),
            place: submission.place,
            stack: submission.stack.clone(),
            parents,
            happenings: vec![Happening::Shares(submission.miner, all)],
            votes: Votes::default(),
            self_funding_ppm: bounty.body.self_funding_ppm,
            deposits: BTreeMap::new(),
        };
        self.assets.insert(submission.id, asset);
    }

    /// Who holds a model that has won.
    fn holders(&mut self, bounty: &Bounty, submission: &Submission) -> Vec<Happening> {
        let all = Units::from(SHARES_PER_ASSET);
        let shares = &bounty.body.split;
        let staked: Vec<Units> = bounty.backings.iter().map(|b| b.amount.clone()).collect();
        let (named, left) = submission.left.clone();
        let others = Units::from(shares.sponsor) + shares.backers;
        let zero = BigRational::from(Units::from(0));
        let mut enlarged = others.clone();
        if named != left && left > zero {
            let grown = BigRational::from(others.clone()) * named / left;
            enlarged = grown.ceil().to_integer().min(all.clone());
            self.coverage
                .saw("settled: an unnamed parent diluted the miner");
        }
        let between = [Units::from(shares.sponsor), Units::from(shares.backers)];
        let two = split(&enlarged, &between);
        let mut parts = vec![two[0].clone()];
        if staked.is_empty() {
            parts[0] += &two[1];
        }
        parts.extend(split(&two[1], &staked));
        let given: Units = parts.iter().sum();
        let mut held: BTreeMap<Address, Units> = BTreeMap::new();
        *held.entry(submission.miner).or_default() += all - given;
        let others = [bounty.sponsor]
            .into_iter()
            .chain(bounty.backings.iter().map(|b| b.backer));
        for (who, part) in others.zip(parts) {
            *held.entry(who).or_default() += part;
        }
        held.into_iter()
            .map(|(who, shares)| {
                let shares = i64::try_from(shares).expect("at most a million");
                Happening::Shares(who, shares)
            })
            .filter(|happening| !matches!(happening, Happening::Shares(_, 0)))
            .collect()
    }

    /// Pays what was won; whether anything was.
    fn award(&mut self, id: ItemId, bounty: &Bounty, standings: &[Standing]) -> bool {
        let steps = steps(bounty, standings);
        if steps.len() > 1 {
            self.coverage.saw("settled: several steps won");
        }
        let weights: Vec<Units> = steps.iter().map(|(_, step)| step.clone()).collect();
        let parts = split(&bounty.stakes(), &weights);
        for ((place, _), part) in steps.iter().zip(parts) {
            let miner = Purse::Account(bounty.submissions[*place].miner);
            self.money
                .must_pay(Purse::Reward(id), miner, &part, Rule::Award);
        }
        !steps.is_empty()
    }

    /// A submission's fee goes to the seats whose word is the verdict.
    fn pay_evaluators(&mut self, bounty: &Bounty, submission: &Submission) {
        let (Some(verdict), Some(seats)) = (&submission.verdict, &bounty.score) else {
            return self.return_fee(bounty, submission);
        };
        let words = seats.words_on(submission.id).into_iter();
        let agreeing = words
            .filter(|(word, _)| word == verdict)
            .map(|(_, who)| who);
        let agreeing: Vec<Address> = agreeing.flatten().collect();
        if agreeing.is_empty() {
            // All of them failed in a later round, over another submission.
            self.coverage.saw("settled: nobody is left to be paid");
            return self.return_fee(bounty, submission);
        }
        let purse = Purse::EvaluationFee(submission.id);
        let fee = self.money.balance(purse);
        let weigh = |who: &Address| match submission.by_all {
            true => seats.weights.get(who).cloned().unwrap_or_default(),
            false => Units::from(1),
        };
        let parts = split(&fee, &agreeing.iter().map(weigh).collect::<Vec<_>>());
        for (who, part) in agreeing.iter().zip(parts) {
            let seat = Purse::Account(*who);
            self.money.must_pay(purse, seat, &part, Rule::EvaluationPay);
        }
    }

    /// A bounty is kept no longer.
    fn forget(&mut self, id: ItemId) {
        let bounty = self.bounties.remove(&id).expect("it is due");
        let sponsor = Purse::Account(bounty.sponsor);
        self.money
            .empty(Purse::Deposit(id), sponsor, Rule::DepositReturn);
        for backing in &bounty.backings {
            let backer = Purse::Account(backing.backer);
            self.money
                .empty(Purse::Deposit(backing.id), backer, Rule::DepositReturn);
        }
        for submission in &bounty.submissions {
            if !self.assets.contains_key(&submission.id) {
                let miner = Purse::Account(submission.miner);
                self.money
                    .empty(Purse::Deposit(submission.id), miner, Rule::DepositReturn);
            }
        }
        self.coverage.saw("forgotten");
    }
}

/// Which submissions have won, by their place, and the weight of each.
fn steps(bounty: &Bounty, standings: &[Standing]) -> Vec<(usize, Units)> {
    let margin = i128::from(bounty.body.margin);
    let reserve = i128::from(bounty.body.reserve.0);
    let scores = bounty.submissions.iter().zip(standings).enumerate();
    let scores = scores.filter_map(|(place, (submission, standing))| {
        match (&submission.verdict, standing) {
            (
                Some(Outcome::Scored {
                    score: Score(score),
                    ..
                }),
                Standing::Lost | Standing::Won,
            ) => Some((place, i128::from(*score))),
            _ => None,
        }
    });
    match bounty.body.pay {
        Pay::WinnerTakesAll => {
            let mut leader: Option<(usize, i128)> = None;
            for (place, score) in scores {
                let leads = match leader {
                    None => score >= reserve,
                    Some((_, best)) => score - best > margin,
                };
                if leads {
                    leader = Some((place, score));
                }
            }
            leader
                .map(|(place, _)| (place, Units::from(1)))
                .into_iter()
                .collect()
        }
        Pay::Steps => {
            let (mut best, mut won) = (reserve, Vec::new());
            for (place, score) in scores {
                if score - best > margin {
                    won.push((place, Units::from(score - best)));
                    best = score;
                }
            }
            won
        }
    }
}
