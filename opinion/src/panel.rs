//! Panels: who may sit, who is drawn, what the seats said, what stands.

use std::collections::{BTreeMap, BTreeSet};

use protocol::receipt::{Panel, Phase, Purse, Rule, VoidReason};
use protocol::record::{
    ATTESTATIONS_PER_PART, Attestation, RevealAttestations, Transaction, attestation_commitment,
    part_digest,
};
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, Digest, ItemId};

use crate::asset::draw_below;
use crate::bounty::{Bounty, Draw};
use crate::model::{Model, Refused};
use crate::money::{Units, part};

/// The places that are drawn in the round of all, if there are more to ask.
const PLACES: usize = 64;

/// How often missing seats are drawn again.
const REDRAWS_MAX: u8 = 3;

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

    fn name(&self) -> &'static str {
        self.panel.name()
    }
}

impl Model {
    /// The panel that so many candidates allow.
    pub(crate) fn panel_size(&self, candidates: usize) -> Option<usize> {
        let least = self.parameters.committee_min as usize;
        [5, 3, 1]
            .into_iter()
            .find(|seats| *seats <= candidates && *seats >= least)
    }

    /// Evaluators with this much free stake for whom `excluded` is not true, by address.
    pub(crate) fn with_free_stake(
        &self,
        stake: &Units,
        excluded: impl Fn(Address) -> bool,
    ) -> Vec<(Address, Units)> {
        let able = self.evaluators.keys().filter(|who| !excluded(**who));
        let able = able.filter(|who| !self.leaving.contains_key(who));
        able.map(|who| (*who, self.money.balance(Purse::Stake(*who))))
            .filter(|(_, free)| free >= stake && *free > Units::from(0))
            .collect()
    }

    /// The candidates of a bounty for a seat in this panel.
    pub(crate) fn candidates(&self, bounty: &Bounty, panel: Panel) -> Vec<(Address, Units)> {
        let stake = self.seat_stake(bounty);
        let sits = |who: Address| {
            let seats = bounty.panel(panel);
            seats.is_some_and(|seats| seats.seats.iter().any(|seat| seat.who == who))
        };
        let mut able = self.with_free_stake(&stake, |who| {
            bounty.is_party(who) || bounty.has_failed(who) || sits(who)
        });
        let is_sized = bounty.score.as_ref().is_some_and(|it| it.size.is_some());
        if panel == Panel::Score && !is_sized {
            let none = Units::from(0);
            let checked = bounty.check.iter().flat_map(|check| &check.seats);
            let checked: Vec<(&Seat, Units)> = checked
                .map(|seat| (seat, self.money.balance(Purse::Stake(seat.who))))
                .filter(|(seat, free)| {
                    !bounty.is_party(seat.who) && !sits(seat.who) && *free > none
                })
                .collect();
            for (seat, free) in &checked {
                // Who checked may be drawn though it leaves.
                let is_leaving = self.leaving.contains_key(&seat.who);
                let of_panel = seat.failed_in.is_none() && !seat.with_all;
                if of_panel && is_leaving && *free >= stake {
                    able.push((seat.who, free.clone()));
                }
            }
            if self.panel_size(able.len()).is_none() {
                // Those who were silent in the check are better than nobody.
                let silent = checked
                    .into_iter()
                    .filter(|(seat, _)| seat.failed_in.is_some());
                able.extend(silent.map(|(seat, free)| (seat.who, free)));
            }
            able.sort();
        }
        able
    }

    /// What a seat of this bounty locks.
    pub(crate) fn seat_stake(&self, bounty: &Bounty) -> Units {
        part(&bounty.stakes(), self.parameters.seat_stake_ppm)
    }

    /// A draw: one after the other, without putting back, in proportion to free stake.
    fn draw(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        count: usize,
        mut candidates: Vec<(Address, Units)>,
    ) -> Vec<Address> {
        let mut drawn = Vec::new();
        while drawn.len() < count && !candidates.is_empty() {
            let place = drawn.len() as u32;
            let winner = self.winner(bounty, panel, round, place, &candidates);
            drawn.push(candidates.remove(winner).0);
        }
        drawn
    }

    /// Which of the candidates one draw falls on.
    fn winner(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        place: u32,
        candidates: &[(Address, Units)],
    ) -> usize {
        let panel = match panel {
            Panel::Check => 0u8,
            Panel::Score => 1,
        };
        let seed = [
            b"lode/draw/1",
            &self.parent.0[..],
            &bounty.0,
            &[panel, round],
            &place.to_le_bytes(),
        ]
        .concat();
        let together: Units = candidates.iter().map(|(_, free)| free).sum();
        let mut number = Units::from(0);
        if together > Units::from(0) {
            number = draw_below(&seed, &together);
        }
        let mut running = Units::from(0);
        let is_it = |(_, free): &(Address, Units)| {
            running += free;
            running > number
        };
        candidates.iter().position(is_it).unwrap_or(0)
    }

    /// The places that each gets of those that are drawn with putting back.
    fn places(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        asked: &[(Address, Units)],
    ) -> BTreeMap<Address, Units> {
        let mut places: BTreeMap<Address, Units> = BTreeMap::new();
        for place in 0..PLACES as u32 {
            let (who, _) = asked[self.winner(bounty, panel, round, place, asked)];
            *places.entry(who).or_default() += 1;
        }
        places
    }

    /// The draw that a bounty waits for, and the phase that begins with it.
    pub(crate) fn seat(&mut self, id: ItemId, draw: Draw) {
        if draw.panel == Panel::Score && self.bounties[&id].phase == Phase::Reveal {
            self.return_seats(id, Panel::Check);
        }
        let bounty = &self.bounties[&id];
        let mut candidates = self.candidates(bounty, draw.panel);
        let stake = self.seat_stake(bounty);
        let mut seats = bounty.panel(draw.panel).cloned().unwrap_or(Seats {
            panel: draw.panel,
            size: None,
            seats: Vec::new(),
            stake,
            round: 0,
            redraws: 0,
            all: false,
            weights: BTreeMap::new(),
        });
        if draw.again {
            seats.round += 1;
        }
        let name = seats.name();
        let standing = seats.standing().count();
        let count = if draw.all {
            seats.all = true;
            let mut asked: Vec<(Address, Units)> = candidates.clone();
            for seat in &seats.seats {
                let free = self.money.balance(Purse::Stake(seat.who));
                let locked = self.money.balance(Purse::Seat(id, seat.who));
                asked.push((seat.who, free + locked));
            }
            asked.sort();
            seats.weights = if asked.len() <= PLACES {
                asked.into_iter().collect()
            } else {
                self.coverage.saw(format!("panel: {name}: places drawn"));
                self.places(id, draw.panel, seats.redraws, &asked)
            };
            candidates.retain(|(who, _)| seats.weights.contains_key(who));
            if candidates.is_empty() {
                self.coverage.saw(format!("panel: {name}: counted at once"));
                let bounty = self.bounties.get_mut(&id).expect("it is there");
                bounty.draw = None;
                *bounty.panel_mut(draw.panel) = Some(seats);
                return match draw.panel {
                    Panel::Check => self.count_check(id),
                    Panel::Score => self.count_score(id),
                };
            }
            self.coverage.saw(format!("panel: {name}: all seated"));
            candidates.len()
        } else {
            if draw.again {
                seats.redraws += 1;
                self.coverage.saw(format!("panel: {name}: redrawn"));
            }
            if seats.size.is_none() {
                seats.size = self.panel_size(candidates.len());
                let failed = |(who, _): &(Address, Units)| self.bounties[&id].has_failed(*who);
                if candidates.iter().any(failed) {
                    self.coverage.saw("panel: the silent are asked again");
                }
                match seats.size {
                    Some(size) => self.coverage.saw(format!("panel: of {size}")),
                    None => self
                        .coverage
                        .saw(format!("panel: {name}: none could be drawn")),
                }
            }
            seats.size.unwrap_or(0).saturating_sub(standing)
        };
        // Who said `unavailable` of the test set is asked again.
        for seat in &mut seats.seats {
            if seat.said == Some(TestOutcome::Unavailable) {
                seat.said = None;
            }
        }
        let drawn = match draw.all {
            true => candidates.into_iter().map(|(who, _)| who).collect(),
            false => self.draw(id, draw.panel, seats.redraws, count, candidates),
        };
        for who in drawn {
            let (from, to) = (Purse::Stake(who), Purse::Seat(id, who));
            let lock = self.money.balance(from).min(seats.stake.clone());
            self.money.must_pay(from, to, &lock, Rule::SeatLock);
            seats.seats.push(Seat {
                who,
                since_round: seats.round,
                with_all: seats.all,
                failed_in: None,
                said: None,
                batches: Vec::new(),
            });
        }
        let phase = match draw.panel {
            Panel::Check => Phase::TestCheck,
            Panel::Score => Phase::Score,
        };
        let bounty = self.bounties.get_mut(&id).expect("it is there");
        *bounty.panel_mut(draw.panel) = Some(seats);
        self.begin_phase(id, phase);
    }

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
    }

    /// The stakes of a panel return.
    pub(crate) fn return_seats(&mut self, id: ItemId, panel: Panel) {
        let Some(seats) = self.bounties[&id].panel(panel).cloned() else {
            return;
        };
        for seat in &seats.seats {
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
        for seat in silent.standing().filter(|seat| seat.said.is_none()) {
            self.fail(id, Panel::Check, seat.who, false);
        }
        self.count_check(id);
    }

    fn count_check(&mut self, id: ItemId) {
        let seats = self.bounties[&id].panel(Panel::Check).cloned();
        let seats = seats.expect("the check has seats");
        let said = |is_ok: bool| {
            let words = seats.standing().filter(|seat| match &seat.said {
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
        match verdict {
            Some(true) => {
                for seat in seats.seats.iter().filter(|seat| seat.with_all) {
                    let (from, to) = (Purse::Seat(id, seat.who), Purse::Stake(seat.who));
                    self.money.empty(from, to, Rule::SeatReturn);
                }
                self.begin_phase(id, Phase::Reveal);
            }
            Some(false) => self.void(id, VoidReason::BadTestSet),
            None => self.void(id, VoidReason::NoQuorum),
        }
    }

    /// The end of a round of scoring; the numbers are the page's.
    pub(crate) fn tally_score(&mut self, id: ItemId) {
        // 1
        let undecided = self.bounties[&id].undecided();
        let seats = self.bounties[&id].panel(Panel::Score).cloned();
        let seats = seats.expect("scoring has seats");
        for seat in &seats.seats {
            if !seats.is_asked(seat, &undecided) {
                continue;
            }
            match seat.batch(seats.round) {
                None => self.fail(id, Panel::Score, seat.who, false),
                Some(batch) if !batch.is_whole => self.fail(id, Panel::Score, seat.who, true),
                Some(_) => {}
            }
        }
        self.count_score(id);
    }

    fn count_score(&mut self, id: ItemId) {
        let undecided = self.bounties[&id].undecided();
        let seats = self.bounties[&id].panel(Panel::Score).cloned();
        let seats = seats.expect("scoring has seats");
        // 2
        if seats.all {
            self.count_all(id, &seats);
            return self.begin_phase(id, Phase::Challenge);
        }
        if let Some(size) = seats.size {
            for submission in undecided {
                let words = seats.words_on(submission);
                if let [(word, who)] = &words[..]
                    && who.len() >= quorum(size)
                {
                    self.verdict(id, submission, word);
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
            for (word, who) in seats.words_on(submission) {
                if seats.is_quorum_of_all(who.iter()) {
                    self.verdict(id, submission, &word);
                }
            }
        }
    }

    fn verdict(&mut self, id: ItemId, submission: ItemId, word: &Outcome) {
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
        let seats = bounty.panel_mut(Panel::Check).as_mut().ok_or("no seats")?;
        let sits = |seat: &&mut Seat| seat.who == tx.signer && seat.failed_in.is_none();
        let seat = seats.seats.iter_mut().find(sits).ok_or("no seat")?;
        if seat.said.is_some() {
            return Err("it has spoken");
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
        let seats = bounty.panel_mut(Panel::Score).as_mut().ok_or("no seats")?;
        let (round, asked) = (seats.round, seats.clone());
        let seat = seats.seats.iter_mut().find(|seat| seat.who == tx.signer);
        let seat = seat.ok_or("no seat")?;
        if !asked.is_asked(seat, &undecided) {
            return Err("not asked");
        }
        if seat.batch(round).is_some() {
            return Err("it has committed");
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
        let seats = bounty.panel_mut(Panel::Score).as_mut().ok_or("no seats")?;
        let round = seats.round;
        let seat = seats.seats.iter_mut().find(|seat| seat.who == tx.signer);
        let batches = &mut seat.ok_or("no seat")?.batches;
        let committed = batches.iter_mut().find(|batch| batch.round == round);
        let batch = committed.ok_or("nothing committed")?;
        if batch.is_whole {
            return Err("all is revealed");
        }
        if attestation_commitment(id, tx.signer, body) != batch.commitment {
            return Err("not what was committed");
        }
        let parts: Vec<&[ItemId]> = undecided.chunks(ATTESTATIONS_PER_PART).collect();
        if body.parts.len() != parts.len() || body.part as usize != batch.parts {
            return Err("not the next part");
        }
        let about = body.attestations.iter().map(|word| &word.submission);
        if !about.eq(parts[batch.parts].iter()) {
            return Err("not a word for each");
        }
        if part_digest(&body.attestations) != body.parts[batch.parts] {
            return Err("not the part committed");
        }
        let is_scored = |word: &Attestation| matches!(word.outcome, Outcome::Scored { .. });
        if body.leaves.is_none() && body.attestations.iter().any(is_scored) {
            return Err("no leaves");
        }
        batch.revealed.extend(body.attestations.iter().cloned());
        batch.parts += 1;
        batch.is_whole = batch.parts == parts.len();
        Ok(())
    }
}
