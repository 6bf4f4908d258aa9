//! The clock that block time comes from: the machine's, or one driven by hand for tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where the time of the next block comes from.
#[derive(Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A hand's: it stands still until it is set.
    Hand(AtomicU64),
}

impl Clock {
    /// A clock that stands at a time until it is set.
    pub fn by_hand(time_ms: u64) -> Self {
        Self::Hand(AtomicU64::new(time_ms))
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => system_ms(),
            Self::Hand(time_ms) => time_ms.load(Ordering::SeqCst),
        }
    }

    /// Whether it is driven by hand.
    pub const fn is_by_hand(&self) -> bool {
        matches!(self, Self::Hand(_))
    }

    /// Sets a clock that is driven by hand, never back; gives what it shows, or
    /// none if this is the machine's.
    pub fn set(&self, to_ms: u64) -> Option<u64> {
        match self {
            Self::System => None,
            Self::Hand(time_ms) => {
                let before = time_ms.fetch_max(to_ms, Ordering::SeqCst);
                Some(before.max(to_ms))
            }
        }
    }
}

/// The machine's clock, in milliseconds since 1970.
// The one clock of the node; nothing below the engine sees it.
#[allow(clippy::disallowed_methods)]
pub fn system_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_driven_by_hand_never_goes_back() {
        let clock = Clock::by_hand(5);
        assert_eq!(clock.set(9), Some(9));
        assert_eq!(clock.set(3), Some(9));
        assert_eq!(clock.now_ms(), 9);
        assert_eq!(Clock::System.set(3), None);
    }
}
