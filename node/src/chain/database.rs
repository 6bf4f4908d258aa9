//! The state database as the chain and its engine share it: written behind, and
//! left alone once it has failed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use market::{Change, State};

use crate::derived::{Derived, DerivedError, Stamp, Written};
use crate::history::{History, Past};

/// What a block that is on the log still has to write into the database. Blocks
/// are written in their order.
#[derive(Debug)]
#[must_use = "the block's receipts cannot be found until this is written"]
pub struct Behind {
    pub(super) stamp: Stamp,
    pub(super) changes: Vec<Change>,
    pub(super) past: Past,
}

/// The state database; none after it has failed, until the next open.
#[derive(Debug)]
pub struct Database {
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    derived: Option<Derived>,
    failure: Option<DerivedError>,
}

impl Slot {
    /// A database that fails is left alone until the next open: the block is on the log.
    /// So it fails once.
    fn try_with(
        &mut self,
        work: impl FnOnce(&mut Derived) -> Result<(), DerivedError>,
    ) -> Result<(), DerivedError> {
        let Some(derived) = self.derived.as_mut() else {
            return Ok(());
        };
        work(derived).inspect_err(|error| {
            self.derived = None;
            self.failure = Some(error.clone());
        })
    }
}

impl Database {
    pub(super) fn new(derived: Derived) -> Self {
        let slot = Slot {
            derived: Some(derived),
            failure: None,
        };
        Self {
            slot: Mutex::new(slot),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what a block left to be written.
    ///
    /// # Errors
    ///
    /// The database fails with this; one that failed before is left alone.
    pub fn write(&self, behind: &Behind) -> Result<(), DerivedError> {
        let written = Written {
            changes: &behind.changes,
            past: &behind.past,
        };
        self.slot()
            .try_with(|derived| derived.write(&behind.stamp, &written))
    }

    /// Flushes, so that the next open has less to do.
    ///
    /// # Errors
    ///
    /// As [`Database::write`].
    pub fn flush(&self) -> Result<(), DerivedError> {
        self.slot().try_with(Derived::flush)
    }

    /// A reader of the past, for other threads; none if the database failed.
    pub fn history(&self) -> Option<History> {
        self.slot().derived.as_ref().and_then(Derived::history)
    }

    /// Why it is not written any more, if it failed.
    pub(super) fn failure(&self) -> Option<DerivedError> {
        self.slot().failure.clone()
    }

    /// The state that it holds, with its stamp.
    pub(super) fn read(&self) -> Option<Result<(Stamp, State), DerivedError>> {
        self.slot().derived.as_mut().map(Derived::read)
    }

    pub(super) fn close(&self) -> Result<(), DerivedError> {
        self.slot().derived.take().map_or(Ok(()), Derived::close)
    }

    /// For tests: loses it, or the library under it.
    #[cfg(test)]
    pub(crate) fn lose(&self, with_library: bool) {
        let mut slot = self.slot();
        match &mut slot.derived {
            Some(derived) if with_library => derived.lose(),
            _ => slot.derived = None,
        }
    }
}
