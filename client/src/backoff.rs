//! Waits between tries: each twice as long as the last, up to a limit, and a little
//! uneven, so that clients whose node came back do not all call at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait that a node can ask for.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(60);

/// A budget of tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    retries: u32,
    spent: u32,
    told: Option<fn(Duration)>,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration, retries: u32) -> Self {
        Self {
            first,
            longest,
            retries,
            spent: 0,
            told: None,
        }
    }

    /// Has each wait told before it begins.
    pub(crate) fn telling(self, told: Option<fn(Duration)>) -> Self {
        Self { told, ..self }
    }

    /// How long to wait before the next try; `None` if there is none left. A node that asks
    /// for more time gets it, up to a minute.
    pub(crate) fn next_wait(&mut self, asked_ms: Option<u64>) -> Option<Duration> {
        if self.spent >= self.retries {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << self.spent.min(20));
        self.spent += 1;
        let wait = doubled.min(self.longest);
        let spread = RandomState::new().hash_one(self.spent) % 256;
        let wait = wait + wait / 1_024 * spread as u32;
        let asked = asked_ms.map_or(Duration::ZERO, Duration::from_millis);
        Some(wait.max(asked.min(ASKED_WAIT_MAX)))
    }

    /// Waits, and says whether there is another try.
    pub(crate) fn wait(&mut self, asked_ms: Option<u64>) -> bool {
        let wait = self.next_wait(asked_ms);
        if let Some(wait) = wait {
            if let Some(tell) = self.told {
                tell(wait);
            }
            std::thread::sleep(wait);
        }
        wait.is_some()
    }

    /// After progress: the whole budget again.
    pub(crate) fn reset(&mut self) {
        self.spent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_then_end() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut backoff = Backoff::new(first, longest, 4);
        for least in [100, 200, 300, 300] {
            let wait = backoff.next_wait(None).unwrap().as_millis();
            assert!((least..=least * 5 / 4).contains(&wait), "{wait}");
        }
        assert_eq!(backoff.next_wait(None), None);
        backoff.reset();
        assert!(backoff.next_wait(None).is_some());
    }

    #[test]
    fn a_node_can_ask_for_more_time_but_not_for_ever() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO, 2);
        assert_eq!(
            backoff.next_wait(Some(500)),
            Some(Duration::from_millis(500))
        );
        assert_eq!(backoff.next_wait(Some(u64::MAX)), Some(ASKED_WAIT_MAX));
    }
}
