//! Bounties: from the stake to the payout.
//!
//! | phase | what happens | what ends it |
//! |---|---|---|
//! | open | backers stake (first half), miners commit sealed models | time; a leaked test key voids it |
//! | test key | the sponsor reveals | time; withheld: void |
//! | test check | a drawn panel says whether the test set opens and is well formed | time |
//! | reveal | miners reveal their keys | time; who does not is out |
//! | score, score reveal | a drawn panel commits, then reveals, one batch a seat; in rounds | time |
//! | challenge | verdicts stand open | time |
//! | settled | ranking, payouts, models registered | |
//!
//! A phase lasts as long as the schedule says, from the block in which it began,
//! so a halt delays a bounty and shortens no later phase. Between the end of a phase
//! and the block that begins the next, no record is taken.
//!
//! What the clock does is cut into [`Step`]s, and a step over many submissions goes
//! on in the next block when the block's budget is used up.
//!
//! | file | what it holds |
//! |---|---|
//! | `post`, `submit`, `attest` | what records do |
//! | `clock` | the ends of phases, and the order of steps |
//! | `panel` | who may sit, and the draw |
//! | `check`, `tally` | what the seats' words come to |
//! | `settle`, `void` | the end, with and without a ranking; forgetting |
//! | `forfeit` | who loses what to whom |

mod attest;
mod check;
mod clock;
mod forfeit;
mod panel;
mod post;
mod settle;
mod submit;
mod tally;
mod void;

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::{Percent, RoyaltyStack, Terms};
use protocol::receipt::{Event, Phase, Purse, Rule, Standing, VoidReason};
use protocol::record::{BlobRef, PostBounty, SealedFolder};
use protocol::report::{Outcome, TestOutcome};
use protocol::text::Name;
use protocol::{Address, Amount, Digest, ItemId, Score};

pub(crate) use attest::{attest_test_set, commit_attestations, reveal_attestations};
pub(crate) use clock::work;
pub use post::backing_min;
pub(crate) use post::{back, cancel, post};
pub use settle::{awarded_holders, awarded_split};
pub(crate) use submit::{commit, reveal_submission, reveal_test_set};

use crate::assets::{Order, ParentShare};
use crate::evaluators::quorum;
use crate::rejection::Rejection;
use crate::state::{Queue, State};

/// The most backers of one bounty.
pub const BACKERS_MAX: u32 = 1_000;

/// The most evaluators that are asked when all are. Of more, so many places are drawn among them.
pub const PLACES: usize = 64;

/// How often missing seats are drawn again.
pub const REDRAWS_MAX: u8 = 3;

/// What was posted; it never changes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Bounty {
    /// Who posted it.
    pub sponsor: Address,
    /// The nonce of the posting, which the test set's seal names.
    pub poster_nonce: u64,
    /// The time of the block it was posted in.
    pub posted_ms: u64,
    /// The posting.
    pub posting: PostBounty,
    /// The terms of every model submitted.
    pub terms: Terms,
    /// The sponsor's bond.
    pub bond: Amount,
    /// What the terms of the parents that it names asked for when it was posted: none of them takes more of what is
    /// made for it, whatever they ask for later.
    pub parent_shares: Vec<ParentShare>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// When it ends; the time of its end once settled or void.
    pub until_ms: u64,
    /// Submissions committed.
    pub submissions: u32,
    /// Of those, revealed.
    pub revealed: u32,
    /// Backers.
    pub backers: u32,
    /// What they staked together.
    pub backed: Amount,
    /// The revealed key of the test set.
    pub test_key: Option<[u8; 32]>,
    /// The panel at work, or the last one.
    pub panel: PanelProgress,
    /// What forfeits have paid to the sponsor so far.
    pub made_good: Amount,
    /// What the clock is at.
    pub step: Step,
}

/// How far a panel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PanelProgress {
    /// Its seats, which the quorum is counted from; 0 while none could be drawn.
    pub seats: u32,
    /// Draws of missing seats so far.
    pub round: u8,
    /// Whether all evaluators are asked.
    pub all: bool,
    /// What all who are asked then weigh together: two thirds of it decide.
    pub weight: u128,
    /// The submissions that a batch of this round has a word on.
    pub asked: u32,
}

impl PanelProgress {
    /// How much must agree: two thirds of the panel's seats or, where all are asked, of what they weigh.
    fn quorum(&self) -> u128 {
        quorum(match self.all {
            true => self.weight,
            false => u128::from(self.seats),
        })
    }

    /// What a seat counts for: one or, where all are asked, what it weighs.
    fn weight_of(&self, weight: u128) -> u128 {
        match self.all {
            true => weight,
            false => 1,
        }
    }
}

/// What the clock is at. Places count submissions in the order of commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Step {
    /// Nothing: the phase runs until its end.
    Wait,
    /// Putting out who did not reveal.
    PutOut {
        /// The next place.
        next: u32,
    },
    /// Drawing the panel's missing seats, in the next block.
    Draw,
    /// Seating all further evaluators, in the next block.
    SeatAll,
    /// Counting what the seats say of each submission.
    Tally {
        /// The next place.
        next: u32,
        /// Undecided so far, for want of words.
        short: u32,
        /// Undecided so far because words differ.
        differing: u32,
    },
    /// Ranking.
    Rank {
        /// The next place.
        next: u32,
        /// The best score so far.
        best: Option<Score>,
        /// Where the leader is; none in a bounty that is paid by steps.
        leader: Option<u32>,
        /// All steps so far.
        improved: u128,
    },
    /// Paying fees, bonds and awards, and registering models.
    Pay {
        /// The next place.
        next: u32,
        /// What is paid by steps.
        award: Amount,
        /// All steps.
        improved: u128,
        /// Units that the division leaves to the first.
        left: u32,
        /// What the harmed share, and by what.
        harm: Harm,
    },
    /// Returning bonds and fees of a bounty that is void.
    Void {
        /// The next place.
        next: u32,
        /// Why.
        reason: VoidReason,
        /// What the harmed share, and by what.
        harm: Harm,
    },
    /// Returning the stakes of the backers; then the bounty is over.
    Return {
        /// The next backer.
        next: u32,
        /// As what it ends.
        end: Phase,
    },
    /// Waiting to be forgotten, or being so.
    Forget {
        /// The next place.
        next: u32,
    },
}

/// What those who were harmed share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Harm {
    /// The shared halves of the forfeits.
    pub held: Amount,
    /// What all of the harmed put at risk.
    pub risk: Amount,
    /// Whether only revealed submissions are harmed.
    pub revealed_only: bool,
}

/// A backer's stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Backing {
    /// Who.
    pub account: Address,
    /// How much.
    pub amount: Amount,
    /// The record, whose deposit it has locked.
    pub record: ItemId,
}

/// A committed model.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Submission {
    /// The record that committed it; the model's id once registered.
    pub id: ItemId,
    /// Who.
    pub miner: Address,
    /// What people will call the model.
    pub name: Name,
    /// The sealed folder.
    pub sealed: SealedFolder,
    /// What it was made from, the bounty's required parents included.
    pub parents: Vec<ItemId>,
    /// What its ancestors get, frozen at commitment.
    pub stack: RoyaltyStack,
    /// Billionths of a percent that the parents which the bounty names leave of an income.
    pub named_rest: u64,
    /// Whether the sponsor has paid its evaluation fee.
    pub prepaid: bool,
    /// The height of the block it was committed in.
    pub height: u64,
    /// The place of its receipt in that block.
    pub place: u32,
    /// The revealed key.
    pub key: Option<[u8; 32]>,
    /// What a quorum found.
    pub verdict: Option<Outcome>,
    /// Whether it was found where all were asked: its fee is shared by what their words weighed.
    pub by_all: bool,
    /// How it stood when the bounty settled.
    pub standing: Option<Standing>,
    /// By how many billionths it improved on the best so far, in a bounty that is paid by steps.
    pub gain: u64,
    /// Its award.
    pub award: Amount,
}

/// A seat that checks the test set.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Check {
    /// Its word.
    pub word: Option<TestOutcome>,
    /// Whether it stayed silent.
    pub failed: bool,
    /// What its word weighs where all are asked.
    pub weight: u128,
    /// Whether it was seated because all are asked: it is not kept for the score.
    pub extra: bool,
}

/// A seat that scores.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seat {
    /// Whether it is asked for a batch in this round.
    pub asked: bool,
    /// Its commitment to that batch.
    pub commitment: Option<Digest>,
    /// Parts of it that are revealed.
    pub parts: u32,
    /// Whether it has given a whole batch, in this round or before.
    pub given: bool,
    /// The published prediction leaves of its last batch.
    pub leaves: Option<BlobRef>,
    /// Whether it stayed silent, or did not reveal.
    pub failed: bool,
    /// What its word weighs where all are asked.
    pub weight: u128,
    /// Whether it was seated because all are asked: its stake returns with that round.
    pub extra: bool,
    /// The place that its next part begins at.
    pub next: u32,
}

impl Bounty {
    /// What a parent that it names asked for when it was posted (`Some(None)`: nothing); `None` if it does not
    /// name this parent.
    pub fn parent_share(&self, parent: ItemId) -> Option<Option<Percent>> {
        let mut shares = self.parent_shares.iter();
        let (_, share) = shares.find(|(named, _)| *named == parent)?;
        Some(*share)
    }
}

impl Submission {
    /// Where on the log it was committed.
    pub const fn order(&self) -> Order {
        Order {
            height: self.height,
            place: self.place,
        }
    }
}

impl State {
    /// A bounty by its id: that of the record that posted it.
    pub fn bounty(&self, id: ItemId) -> Option<(&Bounty, &Progress)> {
        Some((
            self.tables.bounties.get(&id)?,
            self.tables.progress.get(&id)?,
        ))
    }

    /// All bounties, by id.
    pub fn bounties(&self) -> impl Iterator<Item = (ItemId, &Bounty)> {
        self.tables
            .bounties
            .iter()
            .map(|(&id, bounty)| (id, bounty))
    }

    /// The submissions to a bounty, in the order of commitment.
    pub fn submissions(&self, bounty: ItemId) -> impl Iterator<Item = &Submission> {
        self.tables
            .submissions
            .range((bounty, 0)..=(bounty, u32::MAX))
            .map(|(_, value)| value)
    }

    /// A submission by its id, with its bounty.
    pub fn submission(&self, id: ItemId) -> Option<(ItemId, &Submission)> {
        let key = self.tables.submission_index.get(&id)?;
        Some((key.0, self.tables.submissions.get(key)?))
    }

    /// A submission by its id, with its bounty and its place there.
    pub fn submission_at(&self, id: ItemId) -> Option<(ItemId, u32, &Submission)> {
        let key = self.tables.submission_index.get(&id)?;
        Some((key.0, key.1, self.tables.submissions.get(key)?))
    }

    /// The backers of a bounty, in the order of their stakes.
    pub fn backings(&self, bounty: ItemId) -> impl Iterator<Item = Backing> {
        self.tables
            .backings
            .range((bounty, 0)..=(bounty, u32::MAX))
            .map(|(_, &value)| value)
    }

    /// The seats that check the test set, by address.
    pub fn checks(&self, bounty: ItemId) -> impl Iterator<Item = (Address, &Check)> {
        let first = (bounty, Address([0; 32]));
        let last = (bounty, Address([u8::MAX; 32]));
        self.tables
            .checks
            .range(first..=last)
            .map(|(&(_, account), check)| (account, check))
    }

    /// What the seats say of the submission at a place, by address; seats that failed included.
    pub fn words(&self, bounty: ItemId, place: u32) -> impl Iterator<Item = (Address, &Outcome)> {
        let first = (bounty, place, Address([0; 32]));
        let last = (bounty, place, Address([u8::MAX; 32]));
        self.tables
            .words
            .range(first..=last)
            .map(|(&(_, _, account), outcome)| (account, outcome))
    }

    /// The submissions that the seats are asked for: revealed, and not decided; in
    /// the order of commitment, with their places.
    pub fn undecided(&self, bounty: ItemId) -> impl Iterator<Item = (u32, &Submission)> {
        self.undecided_from(bounty, 0)
    }

    fn undecided_from(
        &self,
        bounty: ItemId,
        place: u32,
    ) -> impl Iterator<Item = (u32, &Submission)> {
        self.submissions_from(bounty, place)
            .filter(|(_, submission)| submission.key.is_some() && submission.verdict.is_none())
    }

    /// The submissions from a place on, with their places.
    fn submissions_from(
        &self,
        bounty: ItemId,
        place: u32,
    ) -> impl Iterator<Item = (u32, &Submission)> {
        self.tables
            .submissions
            .range((bounty, place)..=(bounty, u32::MAX))
            .map(|(&(_, place), submission)| (place, submission))
    }

    /// The submissions of one piece of work: as many as the budget has `rows` for, of which the last may go beyond.
    fn take_submissions(
        &mut self,
        bounty: ItemId,
        next: u32,
        rows: impl Fn(&Submission) -> usize,
    ) -> Vec<(u32, Submission)> {
        let room = self.budget() as usize;
        let mut spent = 0;
        let taken: Vec<(u32, Submission)> = self
            .submissions_from(bounty, next)
            .take_while(|(_, submission)| {
                let is_room = spent < room;
                spent += if is_room { rows(submission) } else { 0 };
                is_room
            })
            .map(|(place, submission)| (place, submission.clone()))
            .collect();
        self.spend(spent);
        taken
    }

    /// The seats that score, and their work, by address.
    pub fn seats(&self, bounty: ItemId) -> impl Iterator<Item = (Address, &Seat)> {
        let first = (bounty, Address([0; 32]));
        let last = (bounty, Address([u8::MAX; 32]));
        self.tables
            .seats
            .range(first..=last)
            .map(|(&(_, account), seat)| (account, seat))
    }

    fn need_bounty(&self, id: ItemId) -> Result<(&Bounty, &Progress), Rejection> {
        self.bounty(id).ok_or(Rejection::UnknownBounty(id))
    }

    /// The bounty if it is in one of the phases that a record belongs to, the usual one first.
    fn need_phase(&self, id: ItemId, phases: &[Phase]) -> Result<(&Bounty, &Progress), Rejection> {
        let (bounty, progress) = self.need_bounty(id)?;
        let phase = progress.phase;
        if !phases.contains(&phase) {
            let needed = phases[0];
            return Err(Rejection::WrongPhase { phase, needed });
        }
        // The clock has a budget a block: a phase may be over before the next one began.
        let (until_ms, time_ms) = (progress.until_ms, self.time_ms());
        if time_ms >= until_ms || progress.step != Step::Wait {
            return Err(Rejection::PhaseOver {
                phase,
                until_ms,
                time_ms,
            });
        }
        Ok((bounty, progress))
    }

    /// A bounty that the clock is at work on.
    fn posted(&self, id: ItemId) -> (&Bounty, &Progress) {
        self.bounty(id).expect("only posted bounties are due")
    }

    fn change_progress(&mut self, id: ItemId, change: impl FnOnce(&mut Progress)) {
        let changed = self.tables.progress.update(&id, change);
        changed.expect("every bounty has a progress");
    }

    fn change_submission(
        &mut self,
        bounty: ItemId,
        place: u32,
        change: impl FnOnce(&mut Submission),
    ) {
        let changed = self.tables.submissions.update(&(bounty, place), change);
        changed.expect("it was committed");
    }

    /// Enters a phase that ends by itself after `length_ms`.
    fn enter(&mut self, id: ItemId, phase: Phase, length_ms: u64) {
        let until_ms = self.time_ms().saturating_add(length_ms);
        self.change_progress(id, |progress| {
            progress.phase = phase;
            progress.until_ms = until_ms;
            progress.step = Step::Wait;
        });
        self.plan(Queue::Bounties, until_ms, id);
        self.events.push(Event::PhaseBegan { bounty: id, phase });
    }

    fn set_step(&mut self, id: ItemId, step: Step) {
        self.change_progress(id, |progress| progress.step = step);
    }

    /// Ends a bounty for ever: what nobody has a claim to any more returns or is burned.
    fn end(&mut self, id: ItemId, phase: Phase) {
        let (bounty, _) = self.posted(id);
        let sponsor = Purse::Account(bounty.sponsor);
        self.pay_all(Purse::SponsorBond(id), sponsor, Rule::BondReturn);
        self.pay_all(Purse::PrepaidFees(id), sponsor, Rule::Refund);
        self.pay_all(Purse::Harm(id), Purse::Burned, Rule::ForfeitBurned);
        tally::return_seats(self, id, false);
        // Without a score the check's seats are still locked.
        check::return_seats(self, id);
        let time_ms = self.time_ms();
        let forgotten_ms = time_ms.saturating_add(self.parameters().retention_ms);
        self.change_progress(id, |progress| {
            progress.phase = phase;
            progress.until_ms = time_ms;
            progress.step = Step::Forget { next: 0 };
        });
        self.plan(Queue::Bounties, forgotten_ms, id);
        self.events.push(Event::PhaseBegan { bounty: id, phase });
    }
}
