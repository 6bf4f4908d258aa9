//! Panels: what the seats owe and say, who fails, what stands.

use std::collections::{BTreeMap, BTreeSet};

use protocol::receipt::{Event, Panel, Phase, Purse, Rule, VoidReason};
use protocol::record::{
    Attestation, RevealAttestations, Transaction, attestation_commitment, part_digest,
};
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, Digest, ItemId};

use crate::limits::{ATTESTATIONS_PER_PART, REDRAWS_MAX};
use crate::model::{Model, Refused};
use crate::money::{Units, part, split, units};

/// What a seat handed in, in one round.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The round.
    pub round: u8,
    /// The commitment.
    pub commitment: Digest,
    /// The parts revealed so far, one after the other.
    pub revealed: Vec<Attestation>,
    /// How many parts.
    pub parts: usize,
    /// Whether that is all.
    pub is_whole: bool,
}

/// A seat.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Whose.
    pub who: Address,
    /// The round in which it was seated.
    pub since_round: u8,
    /// Whether that was the round of all.
    pub with_all: bool,
    /// The round in which it failed.
    pub failed_in: Option<u8>,
    /// Its word on the test set.
    pub said: Option<TestOutcome>,
    /// Its batches, one a round at most.
    pub batches: Vec<Batch>,
}

impl Seat {
    /// Its words on submissions: what its whole batches say, a later one only
    /// where the earlier said `unavailable`.
    pub fn words(&self) -> BTreeMap<ItemId, Outcome> {
        let mut words = BTreeMap::new();
        for batch in self.batches.iter().filter(|batch| batch.is_whole) {
            for attestation in &batch.revealed {
                let word = words
                    .entry(attestation.submission)
                    .or_insert(Outcome::Unavailable);
                if *word == Outcome::Unavailable {
                    *word = attestation.outcome.clone();
                }
            }
        }
        words
    }

    /// Its batch of this round.
    pub fn batch(&self, round: u8) -> Option<&Batch> {
        self.batches.iter().find(|batch| batch.round == round)
    }
}

/// The seats of a bounty for one task.
#[derive(Clone, Debug)]
pub struct Seats {
    /// What for.
    pub panel: Panel,
    /// 5, 3 or 1; none while none could be drawn.
    pub size: Option<usize>,
    /// All that were ever seated.
    pub seats: Vec<Seat>,
    /// Stake of each.
    pub stake: Units,
    /// The round, from 0.
    pub round: u8,
    /// How often missing seats were drawn again.
    pub redraws: u8,
    /// Whether this is the round of all.
    pub all: bool,
    /// What each of them then weighs.
    pub weights: BTreeMap<Address, Units>,
}

/// ⌈2 × seats / 3⌉.
pub fn quorum(seats: usize) -> usize {
    (2 * seats).div_ceil(3)
}

impl Seats {
    /// The seats that did not fail.
    pub fn standing(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.failed_in.is_none())
    }

    /// All of them, by address.
    pub fn by_address(&self) -> impl Iterator<Item = &Seat> {
        let seats: BTreeMap<Address, &Seat> =
            self.seats.iter().map(|seat| (seat.who, seat)).collect();
        seats.into_values()
    }

    /// Whether these are two thirds of all, in the round of all, by what they weigh.
    fn is_quorum_of_all<'a>(&self, who: impl Iterator<Item = &'a Address>) -> bool {
        let weight: Units = who.filter_map(|who| self.weights.get(who)).sum();
        let all: Units = self.weights.values().sum();
        weight > Units::from(0) && weight * 3 >= all * 2
    }

    /// The different words on one submission, and who said each.
    pub fn words_on(&self, submission: ItemId) -> Vec<(Outcome, BTreeSet<Address>)> {
        let mut words: Vec<(Outcome, BTreeSet<Address>)> = Vec::new();
        for seat in self.standing() {
            match seat.words().remove(&submission) {
                None | Some(Outcome::Unavailable) => {}
                Some(word) => match words.iter_mut().find(|(known, _)| *known == word) {
                    Some((_, seats)) => {
                        seats.insert(seat.who);
                    }
                    None => words.push((word, BTreeSet::from([seat.who]))),
                },
            }
        }
        words
    }

    /// Whether a seat is asked for a batch in this round.
    pub fn is_asked(&self, seat: &Seat, undecided: &[ItemId]) -> bool {
        let before = |id: &ItemId| {
            let earlier = Seat {
                batches: seat
                    .batches
                    .iter()
                    .filter(|batch| batch.round < self.round)
                    .cloned()
                    .collect(),
                ..seat.clone()
            };
            earlier.words().get(id) == Some(&Outcome::Unavailable)
        };
        seat.failed_in.is_none() && (seat.since_round == self.round || undecided.iter().any(before))
    }

    /// What it costs to free the seats of the round of all.
    fn rows_of_all(&self) -> usize {
        2 * self.seats.iter().filter(|seat| seat.with_all).count()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.panel.name()
    }
}

impl Model {
    /// A seat fails.
    fn fail(&mut self, id: ItemId, panel: Panel, who: Address, had_committed: bool) {
        let ppm = match had_committed {
            true => self.parameters.unrevealed_forfeit_ppm,
            false => self.parameters.silent_forfeit_ppm,
        };
        let how = if had_committed {
            "unrevealed"
        } else {
            "silent"
        };
        self.coverage
            .saw(format!("failed: {}: {how}", panel.name()));
        let bounty = self.bounties.get_mut(&id).expect("it is there");
        let seats = bounty.panel_mut(panel).as_mut().expect("it has seats");
        let round = seats.round;
        let forfeit = part(&seats.stake, ppm);
        let seat = seats.seats.iter_mut().find(|seat| seat.who == who);
        seat.expect("it sits").failed_in = Some(round);
        let purse = Purse::Seat(id, who);
        let forfeit = forfeit.min(self.money.balance(purse));
        self.money.forfeit(purse, Purse::Harm(id), &forfeit);
        self.event(Event::SeatFailed {
            bounty: id,
            panel,
            evaluator: who,
            had_committed,
        });
    }

    /// The stakes of a panel return.
    pub(crate) fn return_seats(&mut self, id: ItemId, panel: Panel) {
        self.return_those(id, panel, |_| true);
    }

    fn return_those(&mut self, id: ItemId, panel: Panel, which: fn(&Seat) -> bool) {
        let Some(seats) = self.bounties[&id].panel(panel).cloned() else {
            return;
        };
        for seat in seats.by_address().filter(|seat| which(seat)) {
            let (from, to) = (Purse::Seat(id, seat.who), Purse::Stake(seat.who));
            self.money.empty(from, to, Rule::SeatReturn);
        }
    }

    /// The next round waits for the next block.
    fn draw_again(&mut self, id: ItemId, panel: Panel, all: bool) {
        self.wait_for_draw(id, panel, true, all);
    }

    /// The end of a test check.
    pub(crate) fn tally_check(&mut self, id: ItemId) {
        let seats = self.bounties[&id].panel(Panel::Check).cloned();
        let silent = seats.expect("the check has seats");
        let silent = silent.by_address().filter(|seat| seat.failed_in.is_none());
        for seat in silent.filter(|seat| seat.said.is_none()) {
            self.fail(id, Panel::Check, seat.who, false);
        }
        self.count_check(id);
    }

    pub(crate) fn count_check(&mut self, id: ItemId) {
        let seats = self.bounties[&id].panel(Panel::Check).cloned();
        let seats = seats.expect("the check has seats");
        let said = |is_ok: bool| {
            let standing = seats.by_address().filter(|seat| seat.failed_in.is_none());
            let words = standing.filter(|seat| match &seat.said {
                Some(TestOutcome::Ok) => is_ok,
                Some(TestOutcome::BadSeal { .. }) => !is_ok,
                Some(TestOutcome::Unavailable) | None => false,
            });
            words.map(|seat| seat.who).collect::<Vec<Address>>()
        };
        let (good, bad) = (said(true), said(false));
        let decided = |is_quorum: &dyn Fn(&[Address]) -> bool| match (&good, &bad) {
            (good, _) if is_quorum(good) => Some(true),
            (_, bad) if is_quorum(bad) => Some(false),
            _ => None,
        };
        let verdict = if seats.all {
            decided(&|who| seats.is_quorum_of_all(who.iter()))
        } else if !good.is_empty() && !bad.is_empty() {
            return self.draw_again(id, Panel::Check, true);
        } else {
            let of_panel = |size| decided(&|who| !who.is_empty() && who.len() >= quorum(size));
            let verdict = seats.size.and_then(of_panel);
            if verdict.is_none() && seats.redraws < REDRAWS_MAX {
                return self.draw_again(id, Panel::Check, false);
            }
            let has_word = seats.standing().any(|seat| seat.said.is_some());
            if verdict.is_none() && has_word {
                self.coverage.saw("panel: check: too few have said");
                return self.draw_again(id, Panel::Check, true);
            }
            verdict
        };
        self.work.besides(seats.rows_of_all());
        let (agreeing, dissenting) = match verdict {
            Some(true) => (good, bad),
            Some(false) => (bad, good),
            None => (Vec::new(), Vec::new()),
        };
        let mut first = seats.by_address();
        let first = first.find(|seat| Some(&seat.who) == agreeing.first());
        self.event(Event::TestSetVerdict {
            bounty: id,
            outcome: first.and_then(|seat| seat.said.clone()),
            agreeing: agreeing.len() as u32,
            dissenting,
        });
        self.return_those(id, Panel::Check, |seat| seat.with_all);
        match verdict {
            Some(true) => self.begin_phase(id, Phase::Reveal),
            Some(false) => {
                self.pay_finders(id, &seats, &agreeing);
                self.void(id, VoidReason::BadTestSet);
            }
            None => self.void(id, VoidReason::NoQuorum),
        }
    }

    /// One fee of the sponsor's bond for who found the test set bad.
    fn pay_finders(&mut self, id: ItemId, seats: &Seats, who: &[Address]) {
        let weights = who.iter().map(|who| match seats.all {
            true => seats.weights.get(who).cloned().unwrap_or_default(),
            false => Units::from(1),
        });
        let fee = units(self.bounties[&id].body.evaluation_fee);
        let parts = split(&fee, &weights.collect::<Vec<_>>());
        for (who, part) in who.iter().zip(parts) {
            let (bond, account) = (Purse::SponsorBond(id), Purse::Account(*who));
            self.money
                .must_pay(bond, account, &part, Rule::EvaluationPay);
        }
        self.coverage.saw("check: the finders are paid");
    }

    /// The end of a round of scoring; the numbers are the page's.
    pub(crate) fn tally_score(&mut self, id: ItemId) {
        // 1
        let undecided = self.bounties[&id].undecided();
        let seats = self.bounties[&id].panel(Panel::Score).cloned();
        let seats = seats.expect("scoring has seats");
        for seat in seats.by_address() {
            if !seats.is_asked(seat, &undecided) {
                continue;
            }
            match seat.batch(seats.round) {
                None => self.fail(id, Panel::Score, seat.who, false),
                Some(batch) if !batch.is_whole => {
                    if batch.parts > 0 {
                        self.coverage.saw("failed: score: a part is missing");
                    }
                    self.fail(id, Panel::Score, seat.who, true);
                }
                Some(_) => {}
            }
        }
        self.count_score(id);
    }

    pub(crate) fn count_score(&mut self, id: ItemId) {
        let undecided = self.bounties[&id].undecided();
        let seats = self.bounties[&id].panel(Panel::Score).cloned();
        let seats = seats.expect("scoring has seats");
        let submissions = self.bounties[&id].submissions.iter();
        let rows = 2 + seats.seats.len() / 4;
        self.work.submissions(submissions.map(|_| rows));
        // 2
        if seats.all {
            self.work.besides(seats.rows_of_all());
            self.count_all(id, &seats);
            self.return_those(id, Panel::Score, |seat| seat.with_all);
            return self.begin_phase(id, Phase::Challenge);
        }
        if let Some(size) = seats.size {
            for submission in undecided {
                let words = seats.words_on(submission);
                if let [(word, who)] = &words[..]
                    && who.len() >= quorum(size)
                {
                    self.verdict(id, submission, word, &words);
                }
            }
        }
        // 3
        let undecided = self.bounties[&id].undecided();
        let different: Vec<usize> = undecided.iter().map(|s| seats.words_on(*s).len()).collect();
        if different.iter().any(|words| *words < 2) && seats.redraws < REDRAWS_MAX {
            return self.draw_again(id, Panel::Score, false);
        }
        // 4
        let whole = |seat: &&Seat| seat.batches.iter().any(|batch| batch.is_whole);
        let whole = seats.standing().filter(whole).count();
        if whole == 0 {
            return self.void(id, VoidReason::NoQuorum);
        }
        // 5
        if !different.is_empty() {
            if different.iter().all(|words| *words < 2) {
                self.coverage.saw("panel: score: too few have said");
            }
            return self.draw_again(id, Panel::Score, true);
        }
        // 6
        self.begin_phase(id, Phase::Challenge);
    }

    fn count_all(&mut self, id: ItemId, seats: &Seats) {
        for submission in self.bounties[&id].undecided() {
            let words = seats.words_on(submission);
            for (word, who) in &words {
                if seats.is_quorum_of_all(who.iter()) {
                    self.verdict(id, submission, word, &words);
                }
            }
        }
    }

    /// One of the words on a submission stands.
    fn verdict(
        &mut self,
        id: ItemId,
        submission: ItemId,
        word: &Outcome,
        words: &[(Outcome, BTreeSet<Address>)],
    ) {
        let said = |is_it: bool| -> BTreeSet<Address> {
            let words = words.iter().filter(|(said, _)| (said == word) == is_it);
            words.flat_map(|(_, who)| who.iter().copied()).collect()
        };
        self.event(Event::Verdict {
            submission,
            outcome: Some(word.clone()),
            agreeing: said(true).len() as u32,
            dissenting: said(false).into_iter().collect(),
        });
        let bounty = self.bounties.get_mut(&id).expect("it is there");
        let by_all = bounty.score.as_ref().is_some_and(|seats| seats.all);
        let submission = bounty.submission_mut(submission).expect("it is there");
        submission.verdict = Some(word.clone());
        submission.by_all = by_all;
    }

    pub(crate) fn attest_test_set(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        outcome: &TestOutcome,
    ) -> Result<(), Refused> {
        self.in_phase(id, Phase::TestCheck)?;
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        let seats = bounty.panel_mut(Panel::Check).as_mut().ok_or("no_seat")?;
        let seat = seats.seats.iter_mut().find(|seat| seat.who == tx.signer);
        let seat = seat.ok_or("no_seat")?;
        if seat.failed_in.is_some() {
            return Err("not_asked");
        }
        if seat.said.is_some() {
            return Err("already_done");
        }
        seat.said = Some(outcome.clone());
        Ok(())
    }

    pub(crate) fn commit_attestations(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        commitment: Digest,
    ) -> Result<(), Refused> {
        self.in_phase(id, Phase::Score)?;
        let undecided = self.bounties[&id].undecided();
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        let seats = bounty.panel_mut(Panel::Score).as_mut().ok_or("no_seat")?;
        let (round, asked) = (seats.round, seats.clone());
        let seat = seats.seats.iter_mut().find(|seat| seat.who == tx.signer);
        let seat = seat.ok_or("no_seat")?;
        if !asked.is_asked(seat, &undecided) {
            return Err("not_asked");
        }
        if seat.batch(round).is_some() {
            return Err("already_done");
        }
        seat.batches.push(Batch {
            round,
            commitment,
            revealed: Vec::new(),
            parts: 0,
            is_whole: false,
        });
        Ok(())
    }

    pub(crate) fn reveal_attestations(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        body: &RevealAttestations,
    ) -> Result<(), Refused> {
        self.in_phase(id, Phase::ScoreReveal)?;
        let undecided = self.bounties[&id].undecided();
        let bounty = self.bounties.get_mut(&id).expect("looked up");
        let seats = bounty.panel_mut(Panel::Score).as_mut().ok_or("no_seat")?;
        let (round, asked) = (seats.round, seats.clone());
        let seat = seats.seats.iter_mut().find(|seat| seat.who == tx.signer);
        let seat = seat.ok_or("no_seat")?;
        if !asked.is_asked(seat, &undecided) {
            return Err("not_asked");
        }
        let mut batches = seat.batches.iter_mut();
        let committed = batches.find(|batch| batch.round == round);
        let batch = committed.ok_or("nothing_committed")?;
        if attestation_commitment(id, tx.signer, body) != batch.commitment {
            return Err("commitment_mismatch");
        }
        if batch.is_whole {
            return Err("already_done");
        }
        if body.part as usize != batch.parts {
            return Err("part_out_of_order");
        }
        let parts: Vec<&[ItemId]> = undecided.chunks(ATTESTATIONS_PER_PART).collect();
        let about = body.attestations.iter().map(|word| &word.submission);
        if body.parts.len() != parts.len() || !about.eq(parts[batch.parts].iter()) {
            return Err("batch_incomplete");
        }
        if part_digest(&body.attestations) != body.parts[batch.parts] {
            return Err("commitment_mismatch");
        }
        let is_scored = |word: &Attestation| matches!(word.outcome, Outcome::Scored { .. });
        if body.leaves.is_none() && body.attestations.iter().any(is_scored) {
            return Err("leaves_missing");
        }
        batch.revealed.extend(body.attestations.iter().cloned());
        batch.parts += 1;
        batch.is_whole = batch.parts == parts.len();
        if batch.is_whole && batch.parts > 1 {
            self.coverage.saw("batch: of several parts");
        }
        Ok(())
    }
}
