//! Bounties: from the stake to the payout.
//!
//! | phase | what happens | what ends it |
//! |---|---|---|
//! | open | backers stake (first half), miners commit sealed models | time; a leaked test key voids it |
//! | test key | the sponsor reveals | time; withheld: void |
//! | test check | every evaluator says whether the test set opens and is well formed | time |
//! | reveal | miners reveal their keys | time; who does not is out |
//! | score, score reveal | evaluators commit, then reveal, one batch each | time |
//! | challenge | verdicts stand open | time |
//! | settled | ranking, payouts, models registered | |
//!
//! A phase lasts as long as the schedule says, from the block in which it began,
//! so a halt delays a bounty and shortens no later phase. Between the end of a phase
//! and the block that begins the next, no record is taken. The committee is every
//! evaluator that is registered when the test check begins.

mod attest;
mod clock;
mod post;
mod settle;
mod submit;

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::{RoyaltyStack, Terms};
use protocol::receipt::{Event, Phase, Standing};
use protocol::record::{Attestation, BlobRef, PostBounty, SealedFolder};
use protocol::report::{Outcome, TestOutcome};
use protocol::text::Name;
use protocol::{Address, Amount, Digest, ItemId};

pub(crate) use attest::{attest_test_set, commit_attestations, reveal_attestations};
pub(crate) use clock::deadline;
pub(crate) use post::{back, cancel, post};
pub(crate) use submit::{commit, reveal_submission, reveal_test_set};

use crate::assets::Order;
use crate::rejection::Rejection;
use crate::state::State;

/// The most backers of one bounty.
pub const BACKERS_MAX: u32 = 1_000;

/// The most submissions to one bounty: one record must hold a whole batch of
/// attestations, each of them as long as it can be.
pub const SUBMISSIONS_MAX: u32 = 500;

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
    /// The revealed key of the test set.
    pub test_key: Option<[u8; 32]>,
}

/// A backer's stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Backing {
    /// Who.
    pub account: Address,
    /// How much.
    pub amount: Amount,
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
    /// The height of the block it was committed in.
    pub height: u64,
    /// The place of its receipt in that block.
    pub place: u32,
    /// The revealed key.
    pub key: Option<[u8; 32]>,
    /// What a quorum found.
    pub verdict: Option<Outcome>,
    /// How it stood when the bounty settled.
    pub standing: Option<Standing>,
}

/// An evaluator's work in one bounty.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seat {
    /// Its word on the test set.
    pub test_set: Option<TestOutcome>,
    /// Its commitment to a batch.
    pub commitment: Option<Digest>,
    /// The batch, once revealed.
    pub attestations: Option<Vec<Attestation>>,
    /// The published prediction leaves.
    pub leaves: Option<BlobRef>,
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

    /// The backers of a bounty, in the order of their stakes.
    pub fn backings(&self, bounty: ItemId) -> impl Iterator<Item = Backing> {
        self.tables
            .backings
            .range((bounty, 0)..=(bounty, u32::MAX))
            .map(|(_, &value)| value)
    }

    /// The committee's seats and their work, by address.
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
        if time_ms >= until_ms {
            return Err(Rejection::PhaseOver {
                phase,
                until_ms,
                time_ms,
            });
        }
        Ok((bounty, progress))
    }

    fn change_progress(&mut self, id: ItemId, change: impl FnOnce(&mut Progress)) {
        let changed = self.tables.progress.update(&id, change);
        changed.expect("every bounty has a progress");
    }

    /// Enters a phase that ends by itself after `length_ms`.
    fn enter(&mut self, id: ItemId, phase: Phase, length_ms: u64) {
        let until_ms = self.time_ms().saturating_add(length_ms);
        self.change_progress(id, |progress| {
            progress.phase = phase;
            progress.until_ms = until_ms;
        });
        self.tables.due.put((until_ms, id), ());
        self.events.push(Event::PhaseBegan { bounty: id, phase });
    }

    /// Ends a bounty for ever.
    fn end(&mut self, id: ItemId, phase: Phase) {
        let (_, progress) = self.bounty(id).expect("a bounty that ends was posted");
        let due = (progress.until_ms, id);
        let time_ms = self.time_ms();
        self.tables.due.remove(&due);
        self.change_progress(id, |progress| {
            progress.phase = phase;
            progress.until_ms = time_ms;
        });
        self.events.push(Event::PhaseBegan { bounty: id, phase });
        let seats: Vec<Address> = self.seats(id).map(|(account, _)| account).collect();
        for account in seats {
            self.tables
                .evaluators
                .update(&account, |evaluator| evaluator.seats -= 1);
        }
    }
}
