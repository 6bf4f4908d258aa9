//! What an earlier command left open: whether it is on the log by now, and whether it was this very thing.
//!
//! Settling a record posts its bytes again, which a dry run does not do. docs/decisions/020 says why the same
//! action is not sent twice.

use std::path::Path;

use client::{Sender, Settlement};
use protocol::ans104::VerifiedItem;
use protocol::api::RecordView;
use protocol::id::{Address, ItemId};
use protocol::record::{Action, Transaction};

use super::Session;
use super::outbox::{forget, keep, read_outbox, turn};
use crate::failure::{Exit, Failure};
use crate::out;

/// Whoever runs a command again within this time, because it was broken off, wants what it did once.
const SAME_COMMAND_MS: u64 = 3_600_000;

impl Session {
    /// Settles a record whose outcome an earlier command did not learn. With `--dry-run`
    /// it stays where it is: settling it posts it.
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
        Ok(self.settle(&outbox, address)?.map(|(_, settled)| settled))
    }

    /// The same, and what the record asked for, if it is on the log now and no rule rejected it.
    ///
    /// # Errors
    /// As [`Session::settle_outbox`].
    pub fn settled_action(
        &self,
        address: Address,
    ) -> Result<Option<(Action, Box<RecordView>)>, Failure> {
        if self.global.dry_run {
            return self.settle_outbox(address).map(|_| None);
        }
        let outbox = self.outbox(address)?;
        let _turn = turn(&outbox)?;
        Ok(match self.settle(&outbox, address)? {
            Some((item, Settlement::Final(view))) if view.problem.is_none() => {
                Transaction::read(&item).ok().map(|tx| (tx.action, view))
            }
            _ => None,
        })
    }

    /// The record of an earlier command that was broken off, and what became of it. The outbox is empty then.
    fn settle(
        &self,
        outbox: &Path,
        address: Address,
    ) -> Result<Option<(VerifiedItem, Settlement)>, Failure> {
        let Some(item) = read_outbox(outbox)? else {
            return Ok(None);
        };
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
        forget(outbox)?;
        Ok(Some((item, settled)))
    }

    /// Settles what an earlier command left open. If that asked for this very action and no rule rejected
    /// it, whoever runs the command again because no answer came does not want it twice.
    pub(super) fn done_before(
        &self,
        outbox: &Path,
        address: Address,
        action: &Action,
    ) -> Result<Option<Box<RecordView>>, Failure> {
        let Some((item, Settlement::Final(view))) = self.settle(outbox, address)? else {
            return Ok(None);
        };
        let is_this = Transaction::read(&item).is_ok_and(|tx| tx.action == *action);
        if view.problem.is_some() || !is_this {
            talk!(
                "note: an earlier command's record was still open and is on the log now: {}",
                view.id
            );
            return Ok(None);
        }
        let now_ms = self.client()?.status()?.clock_ms;
        if view
            .time_ms
            .is_none_or(|time_ms| time_ms.saturating_add(SAME_COMMAND_MS) < now_ms)
        {
            let when = view.time_ms.map(out::time).unwrap_or_default();
            let message = format_args!(
                "an earlier command has sent this very thing, and it is on the log since {when}, as {}: nothing was \
                 sent again",
                view.id
            );
            let next = "run it once more if you want it twice";
            return Err(Failure::new("sent_before", message, next).exit(Exit::Rejected));
        }
        talk!(
            "note: an earlier command has sent this already; it is on the log now, and nothing was sent again"
        );
        Ok(Some(view))
    }

    /// Puts a record that is final back where the next command looks: whoever could not see what
    /// came of it runs the same command again.
    pub(super) fn leave_open(&self, id: ItemId) {
        let left = (|| {
            let address = self.address()?;
            let item = self.client()?.record_item(id)?;
            let outbox = self.outbox(address)?;
            let _turn = turn(&outbox)?;
            if item.address() == address && read_outbox(&outbox)?.is_none() {
                keep(&outbox, item.bytes())?;
            }
            Ok::<_, Failure>(())
        })();
        // What is said is that it is done; that holds without it too.
        let _ = left;
    }
}
