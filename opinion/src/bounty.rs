//! A bounty, and the clock's work on it: phase by phase, to its end.

use std::collections::{BTreeMap, BTreeSet};

use licensing::Terms;
use num_rational::BigRational;
use protocol::receipt::{Event, Panel, Phase, Standing, VoidReason};
use protocol::record::{CommitSubmission, PostBounty};
use protocol::report::Outcome;
use protocol::{Address, ItemId};

use crate::asset::Stack;
use crate::model::{Model, Place, Refused};
use crate::money::{Units, units};
use crate::panel::{Seat, Seats};

pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

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
        let score = score.into_iter().flat_map(|panel| &panel.seats);
        let is_scored = self.phase == Phase::Challenge;
        check.chain(score.filter(move |seat| !(is_scored && seat.with_all)))
    }

    /// What it costs that the seats at work are so no more, but for those of a round of all.
    pub(crate) fn rows_of_seats(&self) -> usize {
        2 * self.seats_at_work().filter(|seat| !seat.with_all).count()
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

    pub(crate) fn required(&self) -> impl Iterator<Item = ItemId> {
        let parents = self.body.parents.iter();
        parents
            .filter(|parent| parent.required)
            .map(|parent| parent.asset)
    }

    /// All parents of a submission, required ones included, in order.
    pub(crate) fn parents_with(&self, own: &[ItemId]) -> Vec<ItemId> {
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
        self.event(Event::PhaseBegan { bounty: id, phase });
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
        self.work.turn();
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
            let until_ms = now.saturating_add(bounty.window_ms(phase).min(DAY_MS));
            bounty.until_ms = until_ms;
            self.event(Event::PhaseExtended {
                bounty: id,
                phase,
                until_ms,
            });
            self.coverage.saw(format!("extended: {phase:?}"));
            return;
        }
        match phase {
            Phase::Open if bounty.submissions.is_empty() => {
                self.void(id, VoidReason::NoSubmissions);
            }
            Phase::Open => self.wait_for_draw(id, Panel::Check, false, false),
            Phase::TestKey if !bounty.is_key_out => self.void(id, VoidReason::KeyWithheld),
            Phase::TestKey => self.begin_phase(id, Phase::TestCheck),
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
        let bounty = self.bounties.get(&id).ok_or("unknown_bounty")?;
        if bounty.phase != phase {
            return Err("wrong_phase");
        }
        if bounty.draw.is_some() {
            return Err("phase_over");
        }
        Ok(bounty)
    }

    /// Who did not reveal is out.
    fn end_reveal(&mut self, id: ItemId) {
        let bounty = self.bounties[&id].clone();
        self.work.submissions(bounty.submissions.iter().map(|_| 4));
        let sealed = bounty.submissions.iter().filter(|s| !s.is_revealed);
        for submission in sealed {
            self.forfeit_bond(id, submission);
            self.return_fee(&bounty, submission);
            self.stands(id, submission.id, Standing::NotRevealed);
        }
        if bounty.submissions.iter().any(|s| s.is_revealed) {
            self.wait_for_draw(id, Panel::Score, false, false);
        } else {
            self.settle(id);
        }
    }
}
