//! What a seat owes now. No clock, no disk: a bounty as the node shows it, and a time.

use evaluator::report::leaves_bytes;
use protocol::api::{BountyView, CheckView, SeatView, SubmissionView};
use protocol::id::Address;
use protocol::phases;
use protocol::receipt::Phase;
use protocol::record::{ATTESTATIONS_PER_PART, Schedule};

use super::desk::{Batch, Round};

/// The longest time before a phase's end in which a machine's own failure becomes 'unavailable'.
const URGENT_MS_MAX: u64 = 10 * 60_000;

/// The longest time before a phase's end in which no other model is begun.
const LAST_CALL_MS_MAX: u64 = 2 * 60_000;

/// What is read, hashed, written and uploaded of leaves in a millisecond, at least: 4 MB a second.
const HAND_IN_BYTES_A_MS: u64 = 4_000;

/// Something that a seat has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Say whether the test set opens and is well formed.
    TestSet,
    /// Score every submission at issue and commit to the batch.
    Commit,
    /// Reveal the batch.
    Reveal,
}

impl Duty {
    /// The stable name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestSet => "test_set",
            Self::Commit => "commit",
            Self::Reveal => "reveal",
        }
    }

    /// The same for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TestSet => "a word on the test set",
            Self::Commit => "scores of all submissions at issue, and a commitment to them",
            Self::Reveal => "the reveal of the committed batch",
        }
    }
}

/// The seat of an account that scores, if it has one.
pub fn seat_of(bounty: &BountyView, me: Address) -> Option<&SeatView> {
    bounty.seats.iter().find(|seat| seat.evaluator == me)
}

/// Whether an account has a seat of either kind.
pub fn has_seat(bounty: &BountyView, me: Address) -> bool {
    let checks = bounty.checks.iter().any(|check| check.evaluator == me);
    checks || seat_of(bounty, me).is_some()
}

/// What this account's seats owe now.
pub fn duty(bounty: &BountyView, me: Address) -> Option<Duty> {
    let check = bounty.checks.iter().find(|check| check.evaluator == me);
    let parts = undecided(bounty).count().div_ceil(ATTESTATIONS_PER_PART);
    owed(&bounty.summary.phase, check, seat_of(bounty, me), parts)
}

/// What the seats owe, of which the second reveals so many parts.
fn owed(
    phase: &Phase,
    check: Option<&CheckView>,
    seat: Option<&SeatView>,
    parts: usize,
) -> Option<Duty> {
    match (phase, check, seat) {
        (Phase::TestCheck, Some(check), _) if check.word.is_none() && !check.failed => {
            Some(Duty::TestSet)
        }
        (Phase::Score, _, Some(seat)) if seat.asked && seat.commitment.is_none() => {
            Some(Duty::Commit)
        }
        (Phase::ScoreReveal, _, Some(seat))
            if seat.asked && seat.commitment.is_some() && (seat.parts as usize) < parts =>
        {
            Some(Duty::Reveal)
        }
        _ => None,
    }
}

/// Whether this account's seat has committed and its time to reveal has not come.
pub fn is_waiting(bounty: &BountyView, me: Address) -> bool {
    let is_committed =
        seat_of(bounty, me).is_some_and(|seat| seat.asked && seat.commitment.is_some());
    is_committed && bounty.summary.phase == Phase::Score
}

/// How long a bounty's phase is by its schedule; 0 if it has ended.
pub fn length_ms(bounty: &BountyView) -> u64 {
    phases::length_ms(&bounty.posting.schedule, &bounty.summary.phase).unwrap_or(0)
}

/// How long the leaves of all that may be scored take to hand in.
fn hand_in_ms(bounty: &BountyView) -> u64 {
    let benchmark = &bounty.posting.benchmark;
    let each = leaves_bytes(benchmark.examples_max, benchmark.task.outputs());
    let all = match bounty.summary.phase {
        Phase::Score | Phase::ScoreReveal => undecided(bounty).count(),
        _ => bounty.submissions.len(),
    };
    each.saturating_mul(all as u64) / HAND_IN_BYTES_A_MS
}

/// A phase, as its seats count.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    length_ms: u64,
    /// How long it takes to hand in what is done in it, at most half of it.
    hand_in_ms: u64,
}

impl Span {
    fn new(phase: &Phase, length_ms: u64, hand_in_ms: u64) -> Self {
        Self {
            length_ms,
            hand_in_ms: match phase {
                Phase::Score => hand_in_ms.min(length_ms / 2),
                _ => 0,
            },
        }
    }

    /// The phase that a bounty is in.
    pub fn of(bounty: &BountyView) -> Self {
        Self::new(&bounty.summary.phase, length_ms(bounty), hand_in_ms(bounty))
    }

    /// Whether it ends so soon that what could not be fetched until now is 'unavailable'.
    pub fn is_urgent(self, now_ms: u64, until_ms: u64) -> bool {
        let urgent_ms = URGENT_MS_MAX.min(self.length_ms / 5) + self.hand_in_ms;
        until_ms.saturating_sub(now_ms) <= urgent_ms
    }

    /// Whether it ends so soon that what is scored has to be committed now.
    pub fn is_last_call(self, now_ms: u64, until_ms: u64) -> bool {
        until_ms.saturating_sub(now_ms) <= self.last_call_ms()
    }

    fn last_call_ms(self) -> u64 {
        LAST_CALL_MS_MAX.min(self.length_ms / 10) + self.hand_in_ms
    }
}

/// By when this account's seats want the process for this bounty, if they will: while it waits for a child it does
/// nothing else. Seats may be drawn, or asked again, when a phase ends: then it is wanted in the next phase in which
/// such a seat has to do something.
pub fn wants_by_ms(bounty: &BountyView, me: Address) -> Option<u64> {
    let summary = &bounty.summary;
    let (owes, waits) = (duty(bounty, me).is_some(), is_waiting(bounty, me));
    wanted(
        &bounty.posting.schedule,
        &summary.phase,
        summary.until_ms,
        hand_in_ms(bounty),
        (owes, waits),
    )
}

/// The same for seats that owe something now, or wait for the time to reveal.
fn wanted(
    schedule: &Schedule,
    phase: &Phase,
    until_ms: u64,
    hand_in_ms: u64,
    (owes, waits): (bool, bool),
) -> Option<u64> {
    let last_call_ms =
        |phase: &Phase, length_ms: u64| Span::new(phase, length_ms, hand_in_ms).last_call_ms();
    let length_ms = |phase: &Phase| phases::length_ms(schedule, phase).unwrap_or(0);
    // What lies between this phase and the one in which it is wanted.
    let (between_ms, next) = match phase {
        phase if owes => {
            return Some(until_ms.saturating_sub(last_call_ms(phase, length_ms(phase))));
        }
        Phase::Open => (length_ms(&Phase::TestKey), Phase::TestCheck),
        Phase::TestKey | Phase::TestCheck => (0, Phase::TestCheck),
        Phase::Reveal | Phase::ScoreReveal => (0, Phase::Score),
        Phase::Score if waits => (0, Phase::ScoreReveal),
        Phase::Score => (length_ms(&Phase::ScoreReveal), Phase::Score),
        _ => return None,
    };
    let next_ms = length_ms(&next);
    let begins_ms = until_ms.saturating_add(between_ms);
    Some(begins_ms.saturating_add(next_ms - last_call_ms(&next, next_ms)))
}

/// The submissions that a batch speaks of: revealed and undecided, in the order of commitment.
pub fn undecided(bounty: &BountyView) -> impl Iterator<Item = &SubmissionView> {
    let submissions = bounty.submissions.iter();
    submissions.filter(|submission| submission.key.is_some() && submission.verdict.is_none())
}

/// The round that a batch is for.
pub fn round(bounty: &BountyView) -> Round {
    Round {
        number: bounty.panel.round,
        all: bounty.panel.all,
    }
}

/// Whether a batch is for this round, and speaks of exactly the submissions at issue, in their order.
pub fn is_complete(bounty: &BountyView, batch: &Batch) -> bool {
    let named = batch.attestations.iter().map(|one| one.submission);
    let asked = undecided(bounty).map(|submission| submission.id);
    batch.round == round(bounty) && asked.eq(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::report::TestOutcome;
    use protocol::{Amount, Digest};

    #[test]
    fn a_seat_owes_one_thing_a_phase_and_once() {
        let phases = [
            Phase::Open,
            Phase::TestCheck,
            Phase::Reveal,
            Phase::Score,
            Phase::ScoreReveal,
            Phase::Settled,
        ];
        let mut check = CheckView {
            evaluator: Address([1; 32]),
            word: None,
            failed: false,
            weight: Amount::ZERO,
        };
        let of_check = |check: &CheckView| phases.map(|phase| owed(&phase, Some(check), None, 2));
        let test = Some(Duty::TestSet);
        assert_eq!(of_check(&check), [None, test, None, None, None, None]);
        check.failed = true;
        assert_eq!(of_check(&check), [None; 6]);
        check.failed = false;
        check.word = Some(TestOutcome::Ok);
        assert_eq!(of_check(&check), [None; 6]);

        let mut seat = SeatView {
            evaluator: Address([1; 32]),
            asked: true,
            commitment: None,
            parts: 0,
            given: false,
            leaves: None,
            failed: false,
            weight: Amount::ZERO,
        };
        let of_seat = |seat: &SeatView| phases.map(|phase| owed(&phase, None, Some(seat), 2));
        let (commit, reveal) = (Some(Duty::Commit), Some(Duty::Reveal));
        // Without a commitment there is nothing to reveal.
        assert_eq!(of_seat(&seat), [None, None, None, commit, None, None]);
        seat.commitment = Some(Digest([2; 32]));
        assert_eq!(of_seat(&seat), [None, None, None, None, reveal, None]);
        seat.parts = 1;
        assert_eq!(of_seat(&seat), [None, None, None, None, reveal, None]);
        seat.parts = 2;
        assert_eq!(of_seat(&seat), [None; 6]);
        (seat.parts, seat.commitment, seat.asked) = (0, None, false);
        assert_eq!(of_seat(&seat), [None; 6], "not asked in this round");
    }

    #[test]
    fn a_scoring_ends_before_any_seat_would_come_too_late() {
        let minute = 60_000;
        let schedule = Schedule {
            open_ms: 60 * minute,
            test_key_ms: 60 * minute,
            test_check_ms: 60 * minute,
            reveal_ms: 60 * minute,
            score_ms: 10 * minute,
            score_reveal_ms: 100 * minute,
            challenge_ms: 60 * minute,
        };
        let by = |phase: Phase, owes, waits| {
            let by_ms = wanted(&schedule, &phase, 1_000 * minute, 0, (owes, waits));
            by_ms.map(|by_ms| by_ms / minute)
        };
        // A tenth of the phase, two minutes at most, is left for the batch.
        assert_eq!(by(Phase::TestCheck, true, false), Some(998));
        assert_eq!(by(Phase::Score, true, false), Some(999));
        assert_eq!(by(Phase::ScoreReveal, true, false), Some(998));
        // What is committed is revealed in the phase after this one.
        assert_eq!(by(Phase::Score, false, true), Some(1_000 + 100 - 2));
        // Seats may be drawn, or drawn again, when a phase is over.
        assert_eq!(by(Phase::TestKey, false, false), Some(1_000 + 60 - 2));
        assert_eq!(by(Phase::TestCheck, false, false), Some(1_000 + 60 - 2));
        assert_eq!(by(Phase::Reveal, false, false), Some(1_000 + 10 - 1));
        assert_eq!(by(Phase::ScoreReveal, false, false), Some(1_000 + 10 - 1));
        // In the check when submissions close, in a further round of the score when this one is over.
        assert_eq!(by(Phase::Open, false, false), Some(1_000 + 60 + 60 - 2));
        assert_eq!(by(Phase::Score, false, false), Some(1_000 + 100 + 10 - 1));
        for phase in [Phase::Challenge, Phase::Settled] {
            assert_eq!(by(phase, false, false), None, "{phase:?}");
        }
        // Leaves that take four minutes to hand in, and ones that take longer than there is.
        let of_leaves = |phase: Phase, hand_in_ms, owes| {
            let by_ms = wanted(&schedule, &phase, 1_000 * minute, hand_in_ms, (owes, false));
            by_ms.map(|by_ms| by_ms / minute)
        };
        assert_eq!(
            of_leaves(Phase::Score, 4 * minute, true),
            Some(1_000 - 1 - 4)
        );
        assert_eq!(of_leaves(Phase::Score, u64::MAX, true), Some(1_000 - 1 - 5));
        assert_eq!(
            of_leaves(Phase::Reveal, 4 * minute, false),
            Some(1_000 + 10 - 1 - 4)
        );
        assert_eq!(of_leaves(Phase::TestCheck, 4 * minute, true), Some(998));
    }

    #[test]
    fn only_the_end_of_a_phase_is_urgent() {
        let day = 24 * 3_600_000;
        for (left_ms, length_ms, urgent, last) in [
            (day, day, false, false),
            (10 * 60_000 + 1, day, false, false),
            (10 * 60_000, day, true, false),
            (2 * 60_000, day, true, true),
            (3_000, 10_000, false, false),
            (2_000, 10_000, true, false),
            (1_000, 10_000, true, true),
            (0, 10_000, true, true),
        ] {
            let span = Span::new(&Phase::Score, length_ms, 0);
            let until_ms = 7 + left_ms;
            let found = (span.is_urgent(7, until_ms), span.is_last_call(7, until_ms));
            assert_eq!(found, (urgent, last), "{left_ms} of {length_ms}");
        }
        let span = Span::new(&Phase::Score, 10_000, 0);
        assert!(span.is_urgent(9, 7), "a phase that is over");
        let span = Span::new(&Phase::Score, 10_000, 3_000);
        assert!(span.is_last_call(0, 4_000) && !span.is_last_call(0, 4_001));
        assert!(span.is_urgent(0, 5_000) && !span.is_urgent(0, 5_001));
    }
}
