//! How a bounty ends: who has won, what each is paid, what returns, and when it is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use protocol::receipt::{Event, Panel, Phase, Purse, Rule, Standing, VoidReason};
use protocol::record::{AssetKind, Pay};
use protocol::report::Outcome;
use protocol::{Address, Digest, ItemId, Score};

use crate::asset::{Asset, Happening};
use crate::bounty::{Bounty, Submission};
use crate::limits::SHARES_PER_ASSET;
use crate::model::Model;
use crate::money::{Units, ratio, split, units};
use crate::votes::Votes;

impl Model {
    /// A miner's bond is forfeited to the sponsor, up to what is left of the sponsor's harm.
    pub(crate) fn forfeit_bond(&mut self, id: ItemId, submission: &Submission) {
        let bounty = &self.bounties[&id];
        let sponsor = Purse::Account(bounty.sponsor);
        let harm = self.sponsors_bond(&bounty.body);
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

    pub(crate) fn return_fee(&mut self, bounty: &Bounty, submission: &Submission) {
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
        let mut own = units(bounty.body.reward);
        if let Some(fund) = &bounty.body.fund {
            let (to, amount) = (Purse::Fund(fund.asset), units(fund.amount));
            self.money.must_pay(reward, to, &amount, Rule::FundReturn);
            own -= amount;
        }
        let sponsor = Purse::Account(bounty.sponsor);
        self.money.must_pay(reward, sponsor, &own, Rule::Refund);
        for backing in &bounty.backings {
            let backer = Purse::Account(backing.backer);
            self.money
                .must_pay(reward, backer, &backing.amount, Rule::Refund);
        }
    }

    /// What each submission gets out of the bounty's harm purse, as it is now.
    fn shares_of_harm(&self, id: ItemId, bounty: &Bounty, only_revealed: bool) -> Vec<Units> {
        let fee = units(bounty.body.evaluation_fee);
        let risks: Vec<Units> = bounty
            .submissions
            .iter()
            .map(|s| match (s.is_revealed || !only_revealed, s.is_prepaid) {
                (false, _) => Units::from(0),
                (true, true) => s.bond.clone(),
                (true, false) => &s.bond + &fee,
            })
            .collect();
        let together: Units = risks.iter().sum();
        let purse = self.money.balance(Purse::Harm(id));
        let share = |risk: Units| match together == Units::from(0) {
            true => Units::from(0),
            false => ratio(&purse, &risk, &together).min(risk),
        };
        risks.into_iter().map(share).collect()
    }

    fn pay_harmed(&mut self, id: ItemId, submission: &Submission, share: &Units) {
        let (harm, miner) = (Purse::Harm(id), Purse::Account(submission.miner));
        self.money.must_pay(harm, miner, share, Rule::ForfeitShared);
    }

    fn return_bond(&mut self, submission: &Submission) {
        let bond = Purse::MinerBond(submission.id);
        let miner = Purse::Account(submission.miner);
        self.money.empty(bond, miner, Rule::BondReturn);
    }

    /// What is left when everyone has what is theirs.
    fn close(&mut self, id: ItemId, bounty: &Bounty, phase: Phase) {
        let sponsor = Purse::Account(bounty.sponsor);
        self.money
            .empty(Purse::SponsorBond(id), sponsor, Rule::BondReturn);
        self.money
            .empty(Purse::PrepaidFees(id), sponsor, Rule::Refund);
        self.money
            .empty(Purse::Harm(id), Purse::Burned, Rule::ForfeitBurned);
        self.return_seats(id, Panel::Score);
        self.return_seats(id, Panel::Check);
        self.begin_phase(id, phase);
    }

    pub(crate) fn stands(&mut self, id: ItemId, submission: ItemId, standing: Standing) {
        let name = match standing {
            Standing::Copied(_) => "Copied".to_owned(),
            other => format!("{other:?}"),
        };
        self.coverage.saw(format!("standing: {name}"));
        self.event(Event::Ranked {
            submission,
            standing,
        });
        let kept = self.bounties.get_mut(&id).expect("it is there");
        let kept = kept.submission_mut(submission).expect("it is there");
        kept.standing = Some(standing);
    }

    /// What it costs to add up what all have at risk.
    fn rows_of_harm(&self, id: ItemId) -> usize {
        match self.money.balance(Purse::Harm(id)) == Units::from(0) {
            true => 0,
            false => self.bounties[&id].submissions.len() / 16,
        }
    }

    /// A bounty ends without a ranking.
    pub(crate) fn void(&mut self, id: ItemId, reason: VoidReason) {
        let bounty = self.bounties[&id].clone();
        let is_sponsors_fault = match reason {
            VoidReason::KeyLeaked | VoidReason::KeyWithheld | VoidReason::BadTestSet => true,
            VoidReason::Cancelled | VoidReason::NoSubmissions | VoidReason::NoQuorum => false,
        };
        if is_sponsors_fault {
            let bond = Purse::SponsorBond(id);
            let all = self.money.balance(bond);
            self.money.forfeit(bond, Purse::Harm(id), &all);
        }
        self.work.besides(self.rows_of_harm(id));
        self.work.submissions(bounty.submissions.iter().map(|_| 6));
        self.work.stakes(bounty.backings.len());
        self.work.besides(bounty.rows_of_seats());
        let after_reveal = matches!(bounty.phase, Phase::Score | Phase::ScoreReveal);
        let harm = self.shares_of_harm(id, &bounty, after_reveal);
        for (submission, share) in bounty.submissions.iter().zip(&harm) {
            self.pay_harmed(id, submission, share);
            self.return_bond(submission);
            self.return_fee(&bounty, submission);
            if submission.standing.is_none() {
                self.stands(id, submission.id, Standing::NoVerdict);
            }
        }
        self.return_stakes(id, &bounty);
        self.close(id, &bounty, Phase::Void(reason));
    }

    /// Ranking, awards, fees, bonds, assets.
    pub(crate) fn settle(&mut self, id: ItemId) {
        let bounty = self.bounties[&id].clone();
        let standings = self.rank(&bounty);
        self.work.submissions(standings.iter().map(|_| 3));
        self.work.besides(self.rows_of_harm(id));
        if bounty.body.pay == Pay::Steps && standings.contains(&Standing::Won) {
            self.work.besides(standings.len() / 16);
        }
        let paid = standings.iter().map(|standing| match standing {
            Standing::Won => 24 + bounty.backings.len(),
            _ => 24,
        });
        self.work.submissions(paid);
        let awards = self.awards(&bounty, &standings);
        if awards.is_empty() {
            self.work.stakes(bounty.backings.len());
        }
        self.work.besides(bounty.rows_of_seats());
        let harm = self.shares_of_harm(id, &bounty, true);
        for (place, submission) in bounty.submissions.iter().enumerate() {
            if !submission.is_revealed {
                continue;
            }
            if let Some(award) = awards.get(&place) {
                let miner = Purse::Account(submission.miner);
                self.money
                    .must_pay(Purse::Reward(id), miner, award, Rule::Award);
            }
            self.pay_harmed(id, submission, &harm[place]);
            self.pay_evaluators(&bounty, submission);
            match submission.verdict {
                Some(Outcome::BadSeal { .. }) => self.forfeit_bond(id, submission),
                _ => self.return_bond(submission),
            }
            self.stands(id, submission.id, standings[place]);
            if matches!(standings[place], Standing::Lost | Standing::Won) {
                let asset = submission.id;
                self.event(Event::AssetRegistered { asset });
            }
        }
        if awards.is_empty() {
            self.return_stakes(id, &bounty);
        }
        self.close(id, &bounty, Phase::Settled);
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

    /// What was won, by the place of the submission.
    fn awards(&mut self, bounty: &Bounty, standings: &[Standing]) -> BTreeMap<usize, Units> {
        let steps = steps(bounty, standings);
        if steps.len() > 1 {
            self.coverage.saw("settled: several steps won");
        }
        let weights: Vec<Units> = steps.iter().map(|(_, step)| step.clone()).collect();
        let parts = split(&bounty.stakes(), &weights);
        let places = steps.iter().map(|(place, _)| *place);
        places.zip(parts).collect()
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
    pub(crate) fn forget(&mut self, id: ItemId) {
        let bounty = self.bounties.remove(&id).expect("it is due");
        self.work.submissions(bounty.submissions.iter().map(|_| 4));
        self.work.besides(3 * bounty.backings.len());
        for submission in &bounty.submissions {
            if !self.assets.contains_key(&submission.id) {
                self.return_deposit(submission.id, submission.miner);
            }
        }
        for backing in &bounty.backings {
            self.return_deposit(backing.id, backing.backer);
        }
        self.return_deposit(id, bounty.sponsor);
        self.event(Event::BountyForgotten { bounty: id });
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
