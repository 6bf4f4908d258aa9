//! What peers share: so much in all, and so much for each address.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The address that limits go by of who asks. None for who asks from the machine itself: that may be a
/// proxy, which speaks for many and has limits of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

/// What can be taken of something.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    each_max: u64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u64,
    each: BTreeMap<IpAddr, u64>,
}

/// What was taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Budget>,
    address: Option<IpAddr>,
    /// Of all, and of what the address may have.
    count: u64,
    own: u64,
}

impl Budget {
    /// So much in all, and so much for each address.
    pub(super) fn new(max: u64, each_max: u64) -> Arc<Self> {
        Arc::new(Self {
            max,
            each_max,
            taken: Mutex::default(),
        })
    }

    /// Takes so much, if it is left: in all, and for the address if there is one.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>, count: u64) -> Option<Share> {
        self.take_both(address, count, count)
    }

    /// The same for one thing that may be more than an address may have, or than there is in all: then it takes
    /// all of that, and so is there alone.
    pub(super) fn take_long(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        count: u64,
    ) -> Option<Share> {
        self.take_both(address, count.min(self.max), count.min(self.each_max))
    }

    fn take_both(self: &Arc<Self>, address: Option<IpAddr>, count: u64, own: u64) -> Option<Share> {
        let mut taken = self.taken();
        let all = taken
            .all
            .checked_add(count)
            .filter(|&all| all <= self.max)?;
        if let Some(address) = address {
            let before = taken.each.get(&address).copied().unwrap_or_default();
            let with = before.checked_add(own);
            let with = with.filter(|&with| with <= self.each_max)?;
            taken.each.insert(address, with);
        }
        taken.all = all;
        drop(taken);
        Some(Share {
            of: Arc::clone(self),
            address,
            count,
            own,
        })
    }

    fn give_back(&self, share: &Share) {
        let mut taken = self.taken();
        taken.all -= share.count;
        let Some(address) = share.address else {
            return;
        };
        if let Some(own) = taken.each.get_mut(&address) {
            *own -= share.own;
            if *own == 0 {
                taken.each.remove(&address);
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For tests: how much is taken in all.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> u64 {
        self.taken().all
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.give_back(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_in_all_and_for_each_address_until_it_is_dropped() {
        let budget = Budget::new(10, 6);
        let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let first = budget.take(one, 4).expect("there is enough");
        assert!(budget.take(one, 3).is_none());
        let second = budget.take(one, 2).expect("to the last");
        assert!(budget.take(other, 5).is_none());
        let third = budget.take(None, 4).expect("without a limit of its own");
        assert!(budget.take(other, 1).is_none());
        drop((first, third));
        assert_eq!(budget.in_use(), 2);
        assert!(budget.take(None, u64::MAX).is_none());
        drop(second);
        assert!(budget.taken().each.is_empty());
        assert!(budget.take(None, 10).is_some());
    }

    #[test]
    fn what_is_longer_than_an_address_may_have_counts_in_all_as_what_it_is() {
        let budget = Budget::new(10, 4);
        let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let long = budget.take_long(one, 7).expect("it is alone");
        assert_eq!(budget.in_use(), 7);
        assert!(budget.take_long(one, 1).is_none());
        assert!(budget.take_long(other, 4).is_none());
        let short = budget.take_long(other, 3).expect("to the last");
        drop(long);
        assert!(budget.take_long(one, 99).is_none());
        drop(short);
        let longest = budget.take_long(one, 99).expect("it is alone");
        assert!(budget.take(None, 1).is_none());
        drop(longest);
        assert!(budget.in_use() == 0 && budget.taken().each.is_empty());
    }
}
