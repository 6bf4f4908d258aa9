//! The engine's own thread: it makes blocks, tells who waits, and opens the chain
//! again after it failed.

use std::fmt;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use protocol::api::Problem;
use protocol::id::ItemId;

use super::{
    CLOCK_BEHIND_MS_MAX, FLUSH_AFTER, GATHER, NOBODY, REOPEN_AFTER, Shared, WAKE_EVERY,
    clock_behind, open_chain, stopping,
};
use crate::chain::{BlockResult, ChainError, Refusal, Refused};
use crate::derived::DerivedError;
use crate::inclusion::{self, Inclusion};

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
}

/// What a block is made of.
#[derive(Clone, Copy)]
enum Of {
    /// Nothing but the clock's work.
    Nothing,
    /// What waits.
    Records,
}

/// Told whatever way the engine ends, a panic included.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
        self.0.mempool().answer_all(&Err(stopping()));
        self.0.has_ended.send_replace(true);
    }
}

impl Engine {
    pub(super) fn run(self) {
        let shared = &*self.shared;
        let _ended = Ended(shared);
        let mut is_flushed = true;
        let mut last_records = 0;
        let mut was_for_clock = false;
        loop {
            let is_stopping = shared.is_stopping();
            if !is_stopping && shared.chain.blocking_read().is_none() {
                self.reopen();
                continue;
            }
            let due_ms = self.next_deadline_ms();
            let now_ms = shared.clock.now_ms();
            // A deadline has a block of its own. Where that was not enough, records have the next: the clock does its
            // work before them there too, and whoever keeps it busy does not keep them out.
            let is_due = due_ms.is_some_and(|due_ms| due_ms <= now_ms) && !is_stopping;
            if is_due && (!was_for_clock || shared.mempool().is_idle()) {
                is_flushed = false;
                self.make_block(now_ms, Of::Nothing);
                was_for_clock = true;
                continue;
            }
            was_for_clock = false;
            let waiting = shared.mempool().waiting();
            if waiting > 0 && waiting < last_records && !is_stopping {
                std::thread::sleep(GATHER);
            }
            if !shared.mempool().is_idle() {
                is_flushed = false;
                last_records = self.make_block(now_ms, Of::Records);
                continue;
            }
            if is_stopping {
                break;
            }
            let wanted_after = shared.wanted_after.swap(NOBODY, Ordering::SeqCst);
            if wanted_after == *shared.heights.borrow() {
                is_flushed = false;
                self.make_block(now_ms, Of::Nothing);
                continue;
            }
            let wait = self.wait_for(due_ms, now_ms);
            let mempool = shared.mempool();
            // Whoever wakes the engine takes this lock: what they changed is seen here or heard below.
            let is_wanted = shared.wanted_after.load(Ordering::SeqCst) != NOBODY;
            let is_due = due_ms.is_some_and(|due_ms| due_ms <= shared.clock.now_ms());
            if !mempool.is_idle() || is_wanted || is_due || shared.is_stopping() {
                continue;
            }
            let wait = if is_flushed {
                wait
            } else {
                wait.min(FLUSH_AFTER)
            };
            let (mempool, slept) = shared
                .work
                .wait_timeout(mempool, wait)
                .unwrap_or_else(PoisonError::into_inner);
            drop(mempool);
            if slept.timed_out() && !is_flushed {
                let database = {
                    let chain = shared.chain.blocking_read();
                    chain.as_ref().map(|chain| Arc::clone(chain.database()))
                };
                if let Some(database) = database {
                    tell_failure(database.flush());
                }
                is_flushed = true;
            }
        }
        if let Some(chain) = shared.chain.blocking_write().take() {
            // The log is whole; a database that fails now is rebuilt on the next start.
            let _ = chain.close();
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        let chain = self.shared.chain.blocking_read();
        chain.as_ref()?.state().next_deadline_ms()
    }

    /// How long there is nothing to do, if no record comes.
    fn wait_for(&self, due_ms: Option<u64>, now_ms: u64) -> Duration {
        if self.shared.clock.is_by_hand() {
            // Setting it wakes the engine.
            return 60 * WAKE_EVERY;
        }
        due_ms.map_or(60 * WAKE_EVERY, |due_ms| {
            // In steps, because the machine's clock can be set while this sleeps.
            Duration::from_millis(due_ms.saturating_sub(now_ms)).min(WAKE_EVERY)
        })
    }

    /// Makes one block and tells everyone; whatever goes wrong, nobody is told
    /// what is not on the log. Gives how many records it took from the mempool.
    fn make_block(&self, now_ms: u64, of: Of) -> usize {
        let shared = &*self.shared;
        let mut guard = shared.chain.blocking_write();
        let Some(chain) = guard.as_mut() else {
            return 0;
        };
        let parent_ms = chain.tip().time_ms;
        if now_ms + CLOCK_BEHIND_MS_MAX < parent_ms && !shared.clock.is_by_hand() {
            drop(guard);
            self.clock_is_behind(parent_ms - now_ms);
            return 0;
        }
        let time_ms = now_ms.max(parent_ms + 1);
        // Under the chain's lock, which whoever offers many at once holds too: so
        // that all of them are there or none.
        let records = match of {
            Of::Nothing => Vec::new(),
            Of::Records => {
                let bytes_max = chain.genesis().genesis.parameters.block_bytes_max;
                shared.mempool().take(bytes_max as usize)
            }
        };
        let count = records.len();
        let made = chain.produce_records(time_ms, records, Vec::new());
        let failure = match made {
            Ok((block, behind)) => {
                let database = Arc::clone(chain.database());
                drop(guard);
                // Readers may go on; who waits is told once the receipts can be found.
                tell_failure(database.write(&behind));
                self.tell(&block);
                shared.set_trouble(None);
                shared.heights.send_replace(block.height);
                return count;
            }
            Err(ChainError::Nothing(refused)) => {
                drop(guard);
                self.refuse(&refused);
                return count;
            }
            Err(error) => error,
        };
        // What of the block is on the disk, nobody knows before the log was read again.
        let mut source = format!("{failure}");
        if let Some(chain) = guard.take()
            && let Err(error) = chain.close()
        {
            source = format!("{source}; {error}");
        }
        let problem = Problem::new(
            "log_write",
            "the node could not write its log; nothing that was answered for is lost",
            "try again later, a record with the same bytes; the node's operator has to look at the disk",
        )
        .retry_after_ms(2_000);
        shared.set_trouble(Some(problem.clone()));
        shared.mempool().answer_all(&Err(problem));
        drop(guard);
        say(format_args!(
            "error[log_write]: {source}\n  next: make room on the disk or mend it; the node tries again by itself"
        ));
        count
    }

    /// Opens the chain again, after a while; the engine comes back here until that works.
    fn reopen(&self) {
        let shared = &*self.shared;
        std::thread::sleep(REOPEN_AFTER);
        // Only this thread opens it. Nobody waits meanwhile: who asks is told that it is closed.
        let opened = open_chain(&shared.dir, &shared.signer);
        let mut guard = shared.chain.blocking_write();
        match opened {
            Ok((chain, recovery)) => {
                say(format_args!(
                    "note: the log takes records again. {recovery}"
                ));
                shared.heights.send_replace(chain.tip().height);
                *guard = Some(chain);
                shared.set_trouble(None);
            }
            Err(error) => {
                let problem = Problem::new(
                    "log_open",
                    "the node could not write its log, and cannot open it again yet",
                    "try again later, a record with the same bytes; the node's operator has to look at the disk",
                )
                .retry_after_ms(5_000);
                // Said once: it is tried every second.
                if shared.set_trouble(Some(problem)) {
                    say(format_args!(
                        "error[log_open]: {error}\n  next: make room on the disk or mend it"
                    ));
                }
                shared.mempool().answer_all(&Err(stopping()));
            }
        }
    }

    /// Waits for the clock. That it is behind is no trouble to be kept: whoever has to
    /// know looks at the clock, and so nobody is told of it after it is right again.
    fn clock_is_behind(&self, behind_ms: u64) {
        if self.shared.is_stopping() {
            let problem = clock_behind(behind_ms);
            self.shared.mempool().answer_all(&Err(problem));
            return;
        }
        std::thread::sleep(Duration::from_millis(behind_ms.min(500)));
    }

    /// Answers for a block that is on the log.
    fn tell(&self, block: &BlockResult) {
        let mut mempool = self.shared.mempool();
        let clocks = block.receipts.len() - block.included.len();
        let mut rejected = block.rejected.iter().peekable();
        for (index, &id) in block.included.iter().enumerate() {
            let why = rejected.next_if(|(place, _)| *place == index);
            let inclusion = Inclusion {
                height: block.height,
                time_ms: block.time_ms,
                place: (clocks + index) as u32,
                receipts: Arc::clone(&block.receipts),
                index: clocks + index,
                problem: why.map(|(_, why)| inclusion::rejection(why)),
            };
            mempool.answer(id, &Ok(inclusion));
        }
        drop(mempool);
        self.refuse(&block.refused);
    }

    fn refuse(&self, refused: &[Refused]) {
        let mut mempool = self.shared.mempool();
        let full = |refused: &&Refused| matches!(refused.why, Refusal::Full);
        let later: Vec<ItemId> = refused.iter().filter(full).map(|one| one.id).collect();
        mempool.put_back(later.into_iter());
        for one in refused.iter().filter(|one| !full(one)) {
            mempool.answer(one.id, &Err(inclusion::refusal(&one.why)));
        }
    }
}

/// Says that the state database has failed, if it just did: it is not written again, so
/// this comes once. The blocks are on the log, and the next start rebuilds what is missing.
fn tell_failure(written: Result<(), DerivedError>) {
    if let Err(error) = written {
        say(format_args!(
            "error[database]: {error}\n  next: the log goes on and nothing is lost, but the past cannot be \
             looked up; look at the disk, then restart the node, which rebuilds the database"
        ));
    }
}

/// Writes a line to stderr. Where that cannot be written, a full disk under it for one,
/// nobody hears it, and the engine goes on.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
