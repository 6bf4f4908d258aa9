//! What an earlier command left open: whether it is on the log by now, and whether it was this very thing.
//!
//! Settling a record posts its bytes again, which a dry run does not do. docs/decisions/020 says why the same
//! action is not sent twice. Whoever of the account comes first settles it. What costs if it is done twice is
//! kept then, so that the command that it was of is told if it is run again.

use std::path::Path;

use client::{Sender, Settlement};
use protocol::ans104::VerifiedItem;
use protocol::api::{RecordStatus, RecordView};
use protocol::id::{Address, ItemId};
use protocol::record::{Action, Transaction};

use super::Session;
use super::outbox::{forget, forget_settled, keep, keep_settled, read_outbox, settled, turn};
use crate::failure::{Exit, Failure};
use crate::out;

/// Whoever runs a command again within this time, because it was broken off, wants what it did once.
const SAME_COMMAND_MS: u64 = 3_600_000;

/// What another command settled is kept for so long for the one that it was of, if that is run again.
const REMEMBERED_MS: u64 = 24 * 3_600_000;

/// Whether an action that is done twice costs what is done: others are found by what they made, or cost their bytes.
const fn costs_twice(action: &Action) -> bool {
    matches!(
        action,
        Action::Transfer { .. }
            | Action::JoinEvaluators { .. }
            | Action::BuyLicense { .. }
            | Action::TransferShares { .. }
            | Action::DeclareRevenue { .. }
            | Action::BackBounty { .. }
    )
}

/// A record that an earlier command left open, and what became of it.
struct Left {
    item: VerifiedItem,
    settled: Settlement,
}

impl Left {
    /// Whether it is on the log and no rule rejected it.
    fn is_done(&self) -> bool {
        matches!(&self.settled, Settlement::Final(view) if view.problem.is_none())
    }

    /// What it asked for.
    fn action(&self) -> Option<Action> {
        Transaction::read(&self.item).ok().map(|tx| tx.action)
    }

    /// The same, if it is done.
    fn done(self) -> Option<(Action, Box<RecordView>)> {
        let action = self.action().filter(|_| self.is_done())?;
        match self.settled {
            Settlement::Final(view) => Some((action, view)),
            Settlement::Dead => None,
        }
    }
}

impl Session {
    /// Settles a record whose outcome an earlier command did not learn, and says so if it is on the log. With
    /// `--dry-run` it stays where it is: settling it posts it.
    ///
    /// # Errors
    /// Its outcome is still open.
    pub fn settle_outbox(&self, address: Address) -> Result<Option<Settlement>, Failure> {
        let outbox = self.outbox(address)?;
        let _turn = turn(&outbox)?;
        if self.global.dry_run {
            if read_outbox(&outbox)?.is_some() {
                talk!(
                    "note: the outcome of an earlier command's record is not known yet, and this dry run leaves it so"
                );
            }
            return Ok(None);
        }
        let left = self.settle(&outbox, address)?;
        if let Some(left) = &left {
            self.say_settled(left);
        }
        Ok(left.map(|left| left.settled))
    }

    /// Says to whoever is there what an earlier command's record came to.
    fn say_settled(&self, left: &Left) {
        let Settlement::Final(view) = &left.settled else {
            return;
        };
        if self.is_daemon.get() {
            return;
        }
        match &view.problem {
            None => talk!(
                "note: an earlier command's record was still open and is on the log now: {}",
                view.id
            ),
            Some(problem) => talk!(
                "note: an earlier command's record was still open. It is on the log now, as {}, and a rule rejected \
                 it, so what it was for is NOT done: {} [{}]",
                view.id,
                problem.message,
                problem.code
            ),
        }
    }

    /// What an earlier command asked for that was broken off, if it is such a thing, on the log now and not
    /// rejected. It is given to one command only.
    ///
    /// # Errors
    /// As [`Session::settle_outbox`]; it is on the log for longer than whoever runs a command again waits.
    pub fn take_settled(
        &self,
        address: Address,
        is_it: impl Fn(&Action) -> bool,
    ) -> Result<Option<(Action, Box<RecordView>)>, Failure> {
        if self.global.dry_run {
            return self.settle_outbox(address).map(|_| None);
        }
        let outbox = self.outbox(address)?;
        let _turn = turn(&outbox)?;
        self.done(&outbox, address, is_it)
    }

    /// The record of an earlier command that was broken off, and what became of it. The outbox is empty then.
    ///
    /// What is done by it and costs if it is done twice is kept, for whoever runs that command again.
    fn settle(&self, outbox: &Path, address: Address) -> Result<Option<Left>, Failure> {
        let Some(item) = read_outbox(outbox)? else {
            return Ok(None);
        };
        if Transaction::read(&item).is_ok_and(|tx| costs_twice(&tx.action)) {
            // First, so that no kill in between loses it; what is not on the log is no answer to anybody.
            let now_ms = self.client()?.status()?.clock_ms;
            keep_settled(outbox, now_ms, &item)?;
        }
        let mut sender = Sender::new(self.client()?, address).resume(item.clone());
        let settled = match sender.settle() {
            Ok(settled) => settled.unwrap_or(Settlement::Dead),
            // Refused: it is not on the log, and keeps no other record back.
            Err(error) if sender.outstanding().is_none() => {
                talk!("note: an earlier command's record was refused: {error}");
                Settlement::Dead
            }
            Err(error) => return Err(error.into()),
        };
        let left = Left { item, settled };
        if !left.is_done() {
            forget_settled(outbox, left.item.id())?;
        }
        forget(outbox)?;
        Ok(Some(left))
    }

    /// Settles what an earlier command left open. If that, or what another command settled, asked for this
    /// very action and no rule rejected it, whoever runs the command again because no answer came does not want
    /// it twice.
    pub(super) fn done_before(
        &self,
        outbox: &Path,
        address: Address,
        action: &Action,
    ) -> Result<Option<Box<RecordView>>, Failure> {
        let done = self.done(outbox, address, |done| done == action)?;
        if done.is_some() {
            talk!(
                "note: an earlier command has sent this already; it is on the log now, and nothing was sent again"
            );
        }
        Ok(done.map(|(_, view)| view))
    }

    /// The thing of this kind that was left open and is on the log now, or that another command settled.
    fn done(
        &self,
        outbox: &Path,
        address: Address,
        is_it: impl Fn(&Action) -> bool,
    ) -> Result<Option<(Action, Box<RecordView>)>, Failure> {
        if read_outbox(outbox)?.is_none() && settled(outbox)?.is_empty() {
            return Ok(None);
        }
        // Asked first: once it is settled nothing may fail that would keep it from being told.
        let now_ms = self.client()?.status()?.clock_ms;
        let left = self.settle(outbox, address)?;
        let found = match left {
            Some(left) if left.is_done() && left.action().is_some_and(|action| is_it(&action)) => {
                forget_settled(outbox, left.item.id())?;
                left.done()
            }
            left => {
                if let Some(left) = &left {
                    self.say_settled(left);
                }
                self.take(outbox, now_ms, is_it)?
            }
        };
        let Some((action, view)) = found else {
            return Ok(None);
        };
        let is_long_ago = |time_ms: u64| time_ms.saturating_add(SAME_COMMAND_MS) < now_ms;
        if view.time_ms.is_none_or(is_long_ago) {
            let when = view.time_ms.map(out::time).unwrap_or_default();
            let message = format_args!(
                "an earlier command has sent this very thing, and it is on the log since {when}, as {}: nothing was \
                 sent again",
                view.id
            );
            let next = "run it once more if you want it twice";
            return Err(Failure::new("sent_before", message, next).exit(Exit::Rejected));
        }
        Ok(Some((action, view)))
    }

    /// The last thing of this kind that was settled and that the command that it was of was not told of.
    fn take(
        &self,
        outbox: &Path,
        now_ms: u64,
        is_it: impl Fn(&Action) -> bool,
    ) -> Result<Option<(Action, Box<RecordView>)>, Failure> {
        let client = self.client()?;
        for kept in settled(outbox)?.into_iter().rev() {
            if kept.time_ms.saturating_add(REMEMBERED_MS) < now_ms {
                forget(&kept.path)?;
                continue;
            }
            let action = Transaction::read(&kept.item).map(|tx| tx.action);
            let Some(action) = action.ok().filter(|action| is_it(action)) else {
                continue;
            };
            let view = match client.record(kept.item.id()) {
                Ok(view) => view,
                // It died after all, or the node was set back.
                Err(error) if error.is_not_found() => {
                    forget(&kept.path)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if view.status != RecordStatus::Final {
                continue;
            }
            forget(&kept.path)?;
            if view.problem.is_none() {
                return Ok(Some((action, Box::new(view))));
            }
        }
        Ok(None)
    }

    /// Puts a record that is final back where the next command looks: whoever could not see what
    /// came of it runs the same command again. Whether it is there.
    pub(super) fn leave_open(&self, id: ItemId) -> bool {
        let left = (|| {
            let address = self.address()?;
            let item = self.client()?.record_item(id)?;
            let outbox = self.outbox(address)?;
            let _turn = turn(&outbox)?;
            let is_free = item.address() == address && read_outbox(&outbox)?.is_none();
            if is_free {
                keep(&outbox, item.bytes())?;
            }
            Ok::<_, Failure>(is_free)
        })();
        left.unwrap_or(false)
    }
}
