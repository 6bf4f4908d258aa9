//! Waiting for the log's clock: a stream of blocks, opened again as often as it takes.

use std::time::{Duration, Instant};

use client::{Client, EventFilter, EventKind, Events, EventsFrom};

use crate::failure::Failure;

/// How long a node that cannot be reached is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits for bounties to move on.
pub struct Watch<'a> {
    client: &'a Client,
    events: Option<Events>,
}

/// The machine's own clock, for waits between tries: nothing of the market hangs on it.
#[allow(
    clippy::disallowed_methods,
    reason = "how long to wait before another try; deadlines go by the node's clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// What a node that is away, or is just starting or stopping, is known by.
const AWAY: [&str; 13] = [
    "node_unreachable",
    "node_disconnected",
    "node_timed_out",
    "stopping",
    "log_write",
    "log_open",
    "too_many_connections",
    "too_many_requests",
    "answers_full",
    "clock_behind",
    // Of a proxy before it.
    "http_502",
    "http_503",
    "http_504",
];

/// What something else says that answers at the node's address for a while: a proxy, a captive portal.
pub fn is_foreign(code: &str) -> bool {
    code.starts_with("http_") || matches!(code, "not_a_lode_node" | "node_answer")
}

/// Whether this says something of a node, not of what was asked of it: nothing else may say it.
pub fn is_nodes(code: &str) -> bool {
    AWAY.contains(&code) || is_foreign(code)
}

/// Whether a failure is that of a node that is away.
pub fn is_away(failure: &Failure) -> bool {
    AWAY.contains(&failure.code.as_str())
}

/// Whether the node is away, said once when it goes and once when it is back.
#[derive(Default)]
pub struct Away {
    is_away: bool,
}

impl Away {
    /// Whether this failure is that of a node that is away: then it is said, if it is news.
    pub fn takes(&mut self, failure: &Failure) -> bool {
        let is_it = is_away(failure);
        if is_it && !std::mem::replace(&mut self.is_away, true) {
            talk!("note: the node does not answer; waiting for it");
        }
        is_it
    }

    /// The node has answered.
    pub fn back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            talk!("note: the node answers again");
        }
    }
}

/// Asks until the node answers: for daemons, which may start before their node.
///
/// # Errors
/// Whatever is not mended by waiting.
pub fn patiently<T>(mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut away = Away::default();
    loop {
        match ask() {
            Err(failure) if away.takes(&failure) => std::thread::sleep(PAUSE),
            // It was there, or on its way: who answers in its place goes too.
            Err(failure) if away.is_away && is_foreign(&failure.code) => std::thread::sleep(PAUSE),
            Err(failure) => return Err(failure),
            Ok(answer) => {
                away.back();
                return Ok(answer);
            }
        }
    }
}

impl<'a> Watch<'a> {
    /// Nothing is asked yet.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            events: None,
        }
    }

    /// Returns when the clock has moved a bounty on, or after `wait`. Without a
    /// stream it returns sooner: what happened before the stream began has to be
    /// looked at once more.
    pub fn wait(&mut self, wait: Duration) {
        let end = now() + wait;
        loop {
            let left = end.saturating_duration_since(now());
            if left.is_zero() {
                return;
            }
            let Some(events) = &self.events else {
                let opened = self.client.events(EventFilter::Blocks, EventsFrom::Now);
                match &opened {
                    Ok(_) => {}
                    // A node with as many readers as it takes is not asked more often for it.
                    Err(error) if error.code() == "event_readers" => std::thread::sleep(left),
                    Err(_) => std::thread::sleep(PAUSE.min(left)),
                }
                self.events = opened.ok();
                return;
            };
            match events.next_within(left) {
                Ok(Some(event)) => match event.kind {
                    EventKind::Block(block) if block.deadlines > 0 => return,
                    _ => {}
                },
                Ok(None) => return,
                Err(_) => {
                    self.events = None;
                    std::thread::sleep(PAUSE.min(left));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_that_is_away_is_waited_for() {
        let mut away = Away::default();
        let failure = |code: &str| Failure::new(code, "why", "what next");
        assert!(!away.takes(&failure("wrong_phase")));
        assert!(!away.is_away);
        assert!(away.takes(&failure("node_unreachable")));
        assert!(away.is_away);
        away.back();
        assert!(!away.is_away);
    }
}
