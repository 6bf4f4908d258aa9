//! Turns: so many at once, in the order in which they were asked for, and of these so many for one address.
//!
//! What an address asks for beyond its part waits in a line of its own, and is in nobody's way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Answered;
use super::blocking;
use super::budget::Peer;

/// Turns of a kind of work.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) permits: Arc<Semaphore>,
    each_max: usize,
    /// The lines of addresses that have or wait for a turn.
    each: Mutex<BTreeMap<IpAddr, Weak<Semaphore>>>,
}

/// A place at the head of an address's line, until it is dropped; none for who has no line.
#[derive(Debug)]
pub(super) struct Own {
    _place: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many at once, and so many of one address.
    pub(super) fn new(max: usize, each_max: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max)),
            each_max,
            each: Mutex::default(),
        }
    }

    /// Waits in the line of this address.
    pub(super) async fn own(&self, peer: Peer) -> Own {
        let Some(address) = peer.0 else {
            return Own { _place: None };
        };
        let place = self.line(address).acquire_owned().await;
        Own { _place: place.ok() }
    }

    /// Runs work that blocks, in its turn. It keeps that to its end: who asked for it may be gone before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        peer: Peer,
        work: impl FnOnce() -> Answered<T> + Send + 'static,
    ) -> Answered<T> {
        let own = self.own(peer).await;
        let work = move || {
            let done = work();
            drop(own);
            done
        };
        blocking(&self.permits, work).await
    }

    fn line(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = each.get(&address).and_then(Weak::upgrade) {
            return line;
        }
        // Whoever has a place, or waits for one, has the line too.
        each.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Semaphore::new(self.each_max));
        each.insert(address, Arc::downgrade(&line));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer(Some(IpAddr::from([192, 0, 2, last])))
    }

    #[tokio::test]
    async fn an_address_has_its_turns_in_the_order_in_which_it_asked() {
        let turns = Arc::new(Turns::new(4, 2));
        let held = [turns.own(peer(1)).await, turns.own(peer(1)).await];
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut asking = Vec::new();
        for number in 0..20 {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            asking.push(tokio::spawn(async move {
                let own = turns.own(peer(1)).await;
                order.lock().expect("no panic").push(number);
                drop(own);
            }));
            // So that they ask one after the other.
            tokio::task::yield_now().await;
        }
        assert!(order.lock().expect("no panic").is_empty(), "all wait");
        // Nobody else does.
        drop((turns.own(peer(2)).await, turns.own(Peer(None)).await));
        drop(held);
        for one in asking {
            one.await.expect("no panic");
        }
        let order = order.lock().expect("no panic").clone();
        assert_eq!(order, (0..20).collect::<Vec<_>>());
        // Lines that nobody stands in are forgotten with the next one.
        drop(turns.own(peer(3)).await);
        let each = turns.each.lock().expect("no panic");
        assert_eq!(each.len(), 1);
    }
}
