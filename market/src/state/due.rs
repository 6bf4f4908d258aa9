//! Due work: what the clock has to do, in one queue for each kind of thing that it
//! does it for.
//!
//! A queue is in order of due time, then of id, and is worked off as far as its part
//! of the block's work goes; the next block goes on. So one kind of work, however much
//! there is of it, never keeps another waiting. What is put back while it is worked on
//! has its next turn in the next block.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::ItemId;
use protocol::receipt::Cause;

use super::{State, WORK_PER_BLOCK};

/// What due work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) enum Queue {
    /// Bounties: phases, draws, settlements, forgetting.
    Bounties,
    /// Licences that run for a time: months that begin, the end.
    Licenses,
    /// Terms of assets: those that wait and take effect, void ballots to sweep away.
    Terms,
}

impl Queue {
    /// All of them, in the order in which a block works them off.
    pub(super) const ALL: [Self; 3] = [Self::Terms, Self::Licenses, Self::Bounties];

    /// The most rows of a block's budget that are spent on it; its last turn may go beyond.
    const fn share(self) -> u32 {
        match self {
            Self::Terms => WORK_PER_BLOCK / 8,
            Self::Licenses => WORK_PER_BLOCK / 4,
            Self::Bounties => WORK_PER_BLOCK,
        }
    }
}

impl State {
    /// Has work done for `id` in the first block whose time is at or past `due_ms`.
    pub(crate) fn plan(&mut self, queue: Queue, due_ms: u64, id: ItemId) {
        self.tables.due.put((queue, due_ms, id), ());
    }

    /// Takes back what was planned.
    pub(crate) fn unplan(&mut self, queue: Queue, due_ms: u64, id: ItemId) {
        self.tables.due.remove(&(queue, due_ms, id));
    }

    /// When a queue's first work is due.
    pub(super) fn first_due_ms(&self, queue: Queue) -> Option<u64> {
        self.due(queue, u64::MAX).next().map(|(due_ms, _)| due_ms)
    }

    /// Does a queue's due work, until it has spent its share of the block's budget or
    /// the budget is used up.
    pub(super) fn work_off(&mut self, queue: Queue) {
        self.work_kept = self.work_left.saturating_sub(queue.share());
        let now_ms = self.time_ms();
        let mut done = BTreeSet::new();
        while self.budget() > 0 {
            let next = self.due(queue, now_ms).find(|(_, id)| !done.contains(id));
            let Some((due_ms, id)) = next else {
                break;
            };
            done.insert(id);
            self.unplan(queue, due_ms, id);
            match queue {
                Queue::Bounties => crate::bounty::work(self, id),
                Queue::Licenses => crate::months::work(self, due_ms, id),
                Queue::Terms => crate::terms::work(self, id),
            }
            self.finish(match queue {
                Queue::Bounties => Cause::Deadline(id),
                Queue::Licenses => Cause::License(id),
                Queue::Terms => Cause::Terms(id),
            });
        }
        self.work_kept = 0;
    }

    /// What of a queue is due by `time_ms`, in order.
    fn due(&self, queue: Queue, time_ms: u64) -> impl Iterator<Item = (u64, ItemId)> {
        let first = (queue, 0, ItemId([0; 32]));
        let last = (queue, time_ms, ItemId([u8::MAX; 32]));
        let due = self.tables.due.range(first..=last);
        due.map(|(&(_, due_ms, id), ())| (due_ms, id))
    }

    /// Forgets what the piece of work at hand has done so far.
    pub(crate) fn undo_work(&mut self, queue: Queue, due_ms: u64, id: ItemId) {
        self.tables.rollback();
        self.moves.clear();
        self.events.clear();
        self.unplan(queue, due_ms, id);
    }
}
