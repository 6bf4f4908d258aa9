//! How long the phases of a bounty last.

use crate::receipt::Phase;
use crate::record::Schedule;

/// How long a phase is by the schedule, in milliseconds; none for one that is an end.
pub const fn length_ms(schedule: &Schedule, phase: &Phase) -> Option<u64> {
    match phase {
        Phase::Open => Some(schedule.open_ms),
        Phase::TestKey => Some(schedule.test_key_ms),
        Phase::TestCheck => Some(schedule.test_check_ms),
        Phase::Reveal => Some(schedule.reveal_ms),
        Phase::Score => Some(schedule.score_ms),
        Phase::ScoreReveal => Some(schedule.score_reveal_ms),
        Phase::Challenge => Some(schedule.challenge_ms),
        Phase::Settled | Phase::Void(_) => None,
    }
}
