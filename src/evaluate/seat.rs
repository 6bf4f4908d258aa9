//! A seat at work: one step at a time. A child is ended before any of the account's seats would come too late, this
//! one's or another bounty's, so that no model costs a stake.
//!
//! What a stranger made is opened and scored in a box, never in this process.
//! A machine's own failure is no verdict: it is tried again, and only when the
//! phase is about to end does it become `unavailable`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use client::{Client, PhaseFilter};
use evaluator::Report;
use protocol::api::{BountySummary, BountyView, RecordView, SubmissionView};
use protocol::id::{Address, Digest, ItemId};
use protocol::receipt::Phase;
use protocol::record::{Action, AttestTestSet, Attestation, BlobRef, CommitAttestations};
use protocol::report::{Outcome, TestOutcome};
use protocol::seal::SealKey;
use wallet::Signer;

use super::desk::{Batch, Desk};
use super::duty::{self, Duty};
use crate::boxed::{Enclosure, RunOptions};
use crate::failure::{Exit, Failure};
use crate::sealing::{Store, Until};
use crate::session::{Session, entropy};
use crate::watch::now;

/// The longest that a child is ever waited for.
const WAIT_MAX: Duration = Duration::from_secs(14 * 24 * 3_600);

/// What one step came to.
pub enum Step {
    /// Nothing is owed now.
    Nothing,
    /// A submission has a report; more is owed.
    Scored(ItemId, Outcome),
    /// A report was not readable and will be made again; more is owed.
    Again,
    /// The word on the test set is on the log.
    Attested(TestOutcome, ItemId),
    /// The commitment is on the log.
    Committed {
        attestations: usize,
        unavailable: usize,
        record: ItemId,
    },
    /// The batch is on the log.
    Revealed(usize, ItemId),
}

/// An account that works.
pub struct Worker<'a> {
    pub session: &'a Session,
    pub client: &'a Client,
    pub signer: Rc<dyn Signer>,
    pub me: Address,
    pub options: RunOptions,
    /// The bounty whose test set was found sound last.
    pub test_set: Option<ItemId>,
    /// Submissions that this machine could not score, since the last wait.
    pub failed: BTreeMap<ItemId, Failure>,
    /// Bounties that were found to want nothing of this account.
    pub idle: RefCell<BTreeMap<ItemId, Idle>>,
    /// Nobody else works for this account here.
    pub _lock: File,
}

/// That an account has no seat in a bounty, as long as that stands where it stood: whoever is drawn is drawn with a new
/// phase, or a new window of one. The view of a bounty of ten thousand submissions is too large to be fetched before
/// each model that is scored for another.
pub struct Idle {
    phase: Phase,
    until_ms: u64,
    /// By when it wants something in the phase that follows, if it may.
    wants_ms: Option<u64>,
}

/// Where a phase stands.
struct Time {
    is_urgent: bool,
    is_last_call: bool,
}

impl Worker<'_> {
    /// Does the next thing that the seat owes.
    ///
    /// # Errors
    /// The machine's own failure: try again later. Or the commitment on the log is not ours.
    pub fn step(&mut self, bounty: &BountyView) -> Result<Step, Failure> {
        let desk = Desk::new(self.session.home(), self.me, bounty.summary.id);
        let Some(owed) = duty::duty(bounty, self.me) else {
            if duty::is_waiting(bounty, self.me) {
                // The sooner it is known that the reveal would fail, the better.
                self.committed_batch(bounty, &desk)?;
            }
            return Ok(Step::Nothing);
        };
        desk.open()?;
        match owed {
            Duty::TestSet => self.attest_test_set(bounty, &desk),
            Duty::Commit => self.commit(bounty, &desk),
            Duty::Reveal => self.reveal(bounty, &desk),
        }
    }

    fn time(&self, bounty: &BountyView) -> Result<Time, Failure> {
        let now_ms = self.client.status()?.clock_ms;
        let until_ms = bounty.summary.until_ms;
        let span = duty::Span::of(bounty);
        Ok(Time {
            is_urgent: span.is_urgent(now_ms, until_ms),
            is_last_call: span.is_last_call(now_ms, until_ms),
        })
    }

    fn send(&self, action: &Action) -> Result<RecordView, Failure> {
        self.session.send(&*self.signer, action)
    }

    fn attest_test_set(&self, bounty: &BountyView, desk: &Desk) -> Result<Step, Failure> {
        let until = self.until();
        let outcome = match until.and_then(|until| self.test_outcome(bounty, desk, until)) {
            Ok(outcome) => outcome,
            Err(_) if self.time(bounty)?.is_urgent => TestOutcome::Unavailable,
            Err(failure) => return Err(failure),
        };
        let action = Action::AttestTestSet {
            bounty: bounty.summary.id,
            body: AttestTestSet {
                outcome: outcome.clone(),
            },
        };
        Ok(Step::Attested(outcome, self.send(&action)?.id))
    }

    fn test_outcome(
        &self,
        bounty: &BountyView,
        desk: &Desk,
        until: Instant,
    ) -> Result<TestOutcome, Failure> {
        let dir = desk.test_dir();
        let benchmark = &bounty.posting.benchmark;
        let new = || Ok::<_, Failure>(Enclosure::new(desk.dir(), self.options)?.until(until));
        if dir.exists() {
            // It may have been torn by a power cut: only a good word counts without a second look.
            if let Ok(TestOutcome::Ok) = new()?.opened_test_set(benchmark, &dir) {
                return Ok(TestOutcome::Ok);
            }
            fs::remove_dir_all(&dir).map_err(|error| Failure::io(&dir, &error))?;
        }
        let sealed = &bounty.posting.test_set;
        let store = Until {
            client: self.client,
            until,
        };
        new()?.test_set(benchmark, sealed, test_key(bounty)?, &store, &dir)
    }

    /// The test set, opened on the disk: looked at once for all submissions.
    fn open_test_set(
        &mut self,
        bounty: &BountyView,
        desk: &Desk,
        until: Instant,
    ) -> Result<PathBuf, Failure> {
        let id = bounty.summary.id;
        let dir = desk.test_dir();
        if self.test_set == Some(id) && dir.exists() {
            return Ok(dir);
        }
        match self.test_outcome(bounty, desk, until)? {
            TestOutcome::Ok => {}
            other => {
                let message = format!("the test set is not usable here: {}", test_text(&other));
                let next = "compare with what other evaluators said: 'lode bounty show'";
                return Err(Failure::new("test_set", message, next));
            }
        }
        self.test_set = Some(id);
        Ok(dir)
    }

    fn commit(&mut self, bounty: &BountyView, desk: &Desk) -> Result<Step, Failure> {
        let id = bounty.summary.id;
        let batch = match desk.batch()? {
            // The commitment to it may have been on its way when the process died.
            Some(batch) if duty::is_complete(bounty, &batch) => batch,
            _ => {
                if let Some(step) = self.score_next(bounty, desk)? {
                    return Ok(step);
                }
                let Some(batch) = self.batch(bounty, desk)? else {
                    return Ok(Step::Again);
                };
                desk.keep_batch(&batch)?;
                batch
            }
        };
        let commitment = batch.commitment(id, self.me);
        let commitment = commitment.ok_or_else(|| Failure::bug("a seat is asked for something"))?;
        let body = CommitAttestations { commitment };
        let view = self.send(&Action::CommitAttestations { bounty: id, body })?;
        let unavailable = batch.attestations.iter();
        let unavailable = unavailable.filter(|one| one.outcome == Outcome::Unavailable);
        Ok(Step::Committed {
            attestations: batch.attestations.len(),
            unavailable: unavailable.count(),
            record: view.id,
        })
    }

    /// Scores the next submission that has no report; none if the batch can be made.
    fn score_next(&mut self, bounty: &BountyView, desk: &Desk) -> Result<Option<Step>, Failure> {
        let mut left = duty::undecided(bounty).filter(|submission| !desk.has_report(submission.id));
        let next = left.find(|submission| !self.failed.contains_key(&submission.id));
        let time = self.time(bounty)?;
        if let Some(submission) = next.filter(|_| !time.is_last_call) {
            match self.score(bounty, desk, submission) {
                Ok(report) => {
                    desk.keep_report(submission.id, &report)?;
                    return Ok(Some(Step::Scored(submission.id, report.outcome)));
                }
                Err(failure) => {
                    self.failed.insert(submission.id, failure);
                    return Ok(Some(Step::Again));
                }
            }
        }
        if time.is_urgent {
            return Ok(None);
        }
        let failed = duty::undecided(bounty).find_map(|submission| {
            let failure = self.failed.remove(&submission.id)?;
            Some((submission.id, failure))
        });
        let Some((submission, failure)) = failed else {
            return Ok(None);
        };
        for submission in duty::undecided(bounty) {
            self.failed.remove(&submission.id);
        }
        let message = format!(
            "submission {submission} is not scored yet: {}",
            failure.message
        );
        let next = "it is tried again, and is 'unavailable' if that does not help until the phase is about to end";
        Err(Failure::new(failure.code, message, next).exit(Exit::Later))
    }

    fn score(
        &mut self,
        bounty: &BountyView,
        desk: &Desk,
        submission: &SubmissionView,
    ) -> Result<Report, Failure> {
        let until = self.until()?;
        let test = self.open_test_set(bounty, desk, until)?;
        let key = submission.key.as_ref();
        let key = key.ok_or_else(|| Failure::bug("a submission without a key is not scored"))?;
        let (benchmark, sealed) = (&bounty.posting.benchmark, &submission.sealed);
        let made = Enclosure::new(desk.dir(), self.options)?.until(until);
        let store = Until {
            client: self.client,
            until,
        };
        made.score(benchmark, sealed, key, &store, &test)
    }

    /// Keeps that a bounty wants nothing now, if this account has no seat in it.
    pub fn note_idle(&self, bounty: &BountyView) {
        let summary = &bounty.summary;
        let mut idle = self.idle.borrow_mut();
        // A seat that has done its work has it to do again where a node was set back to a copy from before.
        if duty::has_seat(bounty, self.me) {
            idle.remove(&summary.id);
            return;
        }
        let known = Idle {
            phase: summary.phase,
            until_ms: summary.until_ms,
            wants_ms: duty::wants_by_ms(bounty, self.me),
        };
        idle.insert(summary.id, known);
    }

    /// By when a bounty may want something, of which is known that it wants nothing now.
    pub fn idle_until(&self, summary: &BountySummary) -> Option<Option<u64>> {
        let idle = self.idle.borrow();
        let known = idle.get(&summary.id)?;
        let stands = (known.phase, known.until_ms) == (summary.phase, summary.until_ms);
        stands.then_some(known.wants_ms)
    }

    /// The node, for what is of no use after the phase that a bounty is in.
    fn in_phase(&self, bounty: &BountyView) -> Result<Until<'_>, Failure> {
        let now_ms = self.client.status()?.clock_ms;
        let left_ms = bounty.summary.until_ms.saturating_sub(now_ms);
        let left = Duration::from_millis(left_ms).min(WAIT_MAX);
        Ok(Until {
            client: self.client,
            until: now() + left,
        })
    }

    /// Until when this process may wait for a child and do nothing else, for all the account's seats.
    fn until(&self) -> Result<Instant, Failure> {
        let mut by_ms = u64::MAX;
        let mut listed = BTreeSet::new();
        for phase in [
            PhaseFilter::Open,
            PhaseFilter::TestKey,
            PhaseFilter::TestCheck,
            PhaseFilter::Reveal,
            PhaseFilter::Score,
            PhaseFilter::ScoreReveal,
        ] {
            for bounty in self.client.bounties(Some(phase)) {
                let summary = bounty?;
                listed.insert(summary.id);
                if let Some(wants_ms) = self.idle_until(&summary) {
                    by_ms = by_ms.min(wants_ms.unwrap_or(u64::MAX));
                    continue;
                }
                let wants_ms = match self.client.bounty(summary.id) {
                    Ok(bounty) => {
                        self.note_idle(&bounty);
                        duty::wants_by_ms(&bounty, self.me)
                    }
                    // It may want something: then by its end.
                    Err(error) if error.code() == "node_timed_out" => Some(summary.until_ms),
                    Err(error) => return Err(error.into()),
                };
                by_ms = by_ms.min(wants_ms.unwrap_or(u64::MAX));
            }
        }
        self.idle.borrow_mut().retain(|id, _| listed.contains(id));
        let now_ms = self.client.status()?.clock_ms;
        let left = Duration::from_millis(by_ms.saturating_sub(now_ms)).min(WAIT_MAX);
        Ok(now() + left)
    }

    /// The batch, its leaves held by the node; none if a report has to be made again.
    fn batch(&self, bounty: &BountyView, desk: &Desk) -> Result<Option<Batch>, Failure> {
        let mut attestations = Vec::new();
        let mut scored = Vec::new();
        for submission in duty::undecided(bounty) {
            let outcome = match desk.has_report(submission.id) {
                false => Outcome::Unavailable,
                true => match desk.report(submission.id, bounty.posting.benchmark.task.outputs()) {
                    Some(report) => report.outcome,
                    None => return Ok(None),
                },
            };
            if matches!(outcome, Outcome::Scored { .. }) {
                scored.push(submission.id);
            }
            attestations.push(Attestation {
                submission: submission.id,
                outcome,
            });
        }
        let leaves = match scored.is_empty() {
            true => None,
            false => Some(
                self.in_phase(bounty)?
                    .hold(&mut desk.write_leaves(&scored)?)?,
            ),
        };
        Ok(Some(Batch {
            round: duty::round(bounty),
            salt: Digest(*entropy()?),
            attestations,
            leaves,
        }))
    }

    /// The batch that this seat has committed to.
    fn committed_batch(&self, bounty: &BountyView, desk: &Desk) -> Result<Batch, Failure> {
        let id = bounty.summary.id;
        let committed = duty::seat_of(bounty, self.me).and_then(|seat| seat.commitment);
        let ours = desk.batch()?;
        let ours = ours.filter(|batch| batch.commitment(id, self.me) == committed);
        ours.ok_or_else(|| {
            Failure::new(
                "other_commitment",
                format_args!(
                    "the commitment of this seat is not the batch kept here, so nothing is revealed: another \
                     machine or another $LODE_HOME has committed for {}",
                    self.me
                ),
                "run 'lode evaluate run' where $LODE_HOME/evaluator has that batch, before the phase ends: a \
                 commitment without its reveal costs a part of the stake",
            )
        })
    }

    fn reveal(&self, bounty: &BountyView, desk: &Desk) -> Result<Step, Failure> {
        let id = bounty.summary.id;
        let batch = self.committed_batch(bounty, desk)?;
        if let Some(leaves) = batch.leaves {
            self.hold_leaves(bounty, leaves, desk)?;
        }
        let next = duty::seat_of(bounty, self.me).map_or(0, |seat| seat.parts as usize);
        let mut last = None;
        for body in batch.reveals().into_iter().skip(next) {
            let view = self.send(&Action::RevealAttestations { bounty: id, body })?;
            last = Some(view.id);
        }
        let last = last.ok_or_else(|| Failure::bug("a part was left to reveal"))?;
        Ok(Step::Revealed(batch.attestations.len(), last))
    }

    /// That the node holds the leaves which the batch names; it may have lost them since.
    fn hold_leaves(
        &self,
        bounty: &BountyView,
        leaves: BlobRef,
        desk: &Desk,
    ) -> Result<(), Failure> {
        if self.client.blob_size(leaves.id)?.is_some() {
            return Ok(());
        }
        let held = self.in_phase(bounty)?.hold(&mut desk.leaves()?)?;
        if held == leaves {
            return Ok(());
        }
        Err(Failure::new(
            "leaves_file",
            "the leaves kept here are not those that the batch names",
            "restore the bounty's folder in $LODE_HOME/evaluator from a copy",
        ))
    }
}

fn test_key(bounty: &BountyView) -> Result<&SealKey, Failure> {
    let key = bounty.test_key.as_ref();
    key.ok_or_else(|| Failure::bug("nobody has to look at a test set before its key is out"))
}

/// What was found of a test set, in words.
pub fn test_text(outcome: &TestOutcome) -> String {
    match outcome {
        TestOutcome::Ok => "it opens and is sound".to_owned(),
        TestOutcome::BadSeal { code, place } => {
            format!("it does not open or is not sound, {code} at {place}")
        }
        TestOutcome::Unavailable => "it could not be had".to_owned(),
    }
}
