//! Posting what is signed already: the same bytes, as often as it takes. Nothing here can sign.

use protocol::ans104::{VerifiedItem, bundle};
use protocol::api::{
    BUNDLE_BYTES_MAX, BUNDLE_ITEMS_MAX, BundleAnswer, BundleEntry, RecordStatus, RecordView, Status,
};
use protocol::id::ItemId;

use crate::client::Client;
use crate::error::{ClientError, foreign_code};
use crate::http::Ask;

const ITEM_TYPE: &str = "application/octet-stream";

impl Client {
    /// `POST /v1/records`: posts a record and waits until it is final.
    ///
    /// After a time-out, a cut connection, a 429 or a 5xx the same bytes are posted again, which
    /// cannot spend twice: a record is its bytes, and the node answers the second post as
    /// the first. It ends when the record is final, when the node refuses it, when its
    /// `Valid-Until` has passed by the node's clock, or when [`crate::Options::retries`] are spent.
    ///
    /// A record that a rule rejected in its block is no error here: [`RecordView::problem`] says why.
    ///
    /// # Errors
    /// [`ClientError::Problem`]: the node refused it, and keeps no copy. [`ClientError::Expired`]: it was
    /// not included and never will be. [`ClientError::Unsettled`]: nobody knows; post it again.
    /// [`ClientError::Unreachable`]: it was never sent.
    pub fn submit(&self, item: &VerifiedItem) -> Result<RecordView, ClientError> {
        let mut backoff = self.backoff();
        let mut may_have_arrived = false;
        loop {
            let error = match self.post_record(item) {
                Ok(view) if view.status == RecordStatus::Final => return Ok(view),
                // The node did not wait. It is asked by the same bytes until the record is final.
                Ok(_) => ClientError::TimedOut {
                    url: self.url().to_owned(),
                    what: "the record still waits for a block".to_owned(),
                },
                Err(error) => error,
            };
            if is_refusal(&error) {
                return Err(error);
            }
            may_have_arrived |= error.may_have_arrived();
            let goes_on = error.is_temporary() && backoff.wait(error.retry_after_ms());
            if !goes_on && may_have_arrived {
                let (id, last) = (item.id(), Box::new(error));
                return Err(ClientError::Unsettled { id, last });
            }
            if !goes_on {
                return Err(error);
            }
            match self.lapsed(item) {
                Ok(Some(Lapsed::Included(view))) => return Ok(*view),
                Ok(Some(Lapsed::Never(error))) => return Err(error),
                // Not yet, or it cannot be asked: the next post tells.
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// `POST /v1/records?wait=false`: hands a record to the mempool, once, and does not wait for its block.
    /// [`Client::submit`] with the same record, later, gives what came of it.
    ///
    /// # Errors
    /// The node refused it, or cannot be asked.
    pub fn submit_without_waiting(&self, item: &VerifiedItem) -> Result<RecordView, ClientError> {
        self.post_to(Ask::new("/v1/records").query("wait", Some(false)), item)
    }

    /// `POST /v1/bundles`: posts records together, in order, with the retries of [`Client::submit`].
    /// One entry an item comes back, in order. A record that its entry calls pending is
    /// asked for with [`Client::record`] or [`Client::submit`].
    ///
    /// # Errors
    /// [`ClientError::TooMany`] above [`BUNDLE_ITEMS_MAX`] items, [`ClientError::TooLarge`] above
    /// [`BUNDLE_BYTES_MAX`] bytes; otherwise the node refused the whole, or cannot be asked.
    pub fn submit_bundle(&self, items: &[VerifiedItem]) -> Result<BundleAnswer, ClientError> {
        if items.len() > BUNDLE_ITEMS_MAX {
            return Err(ClientError::TooMany {
                items: items.len(),
                limit: BUNDLE_ITEMS_MAX,
            });
        }
        let bytes = bundle::encode(items);
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(ClientError::TooLarge {
                what: "the bundle",
                limit_bytes: BUNDLE_BYTES_MAX as u64,
            });
        }
        let mut backoff = self.backoff();
        let ask = Ask::new("/v1/bundles");
        loop {
            let answer: Result<BundleAnswer, _> = self
                .http
                .post(&ask, ITEM_TYPE, &bytes)
                .and_then(|response| self.http.message(response));
            match answer {
                Ok(answer) if answer.entries.len() == items.len() => {
                    let mut pairs = answer.entries.iter().zip(items);
                    if pairs.all(|(entry, item)| is_of(entry, item.id())) {
                        return Ok(answer);
                    }
                    return Err(self
                        .http
                        .bad("its entries are not of the items, in their order"));
                }
                Ok(answer) => {
                    let (entries, items) = (answer.entries.len(), items.len());
                    return Err(self
                        .http
                        .bad(format!("{entries} entries for {items} items")));
                }
                Err(error) if error.is_temporary() && backoff.wait(error.retry_after_ms()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// One post of a record.
    fn post_record(&self, item: &VerifiedItem) -> Result<RecordView, ClientError> {
        self.post_to(Ask::new("/v1/records"), item)
    }

    fn post_to(&self, ask: Ask, item: &VerifiedItem) -> Result<RecordView, ClientError> {
        let response = self.http.post(&ask, ITEM_TYPE, item.bytes())?;
        let view: RecordView = self.http.message(response)?;
        if view.id != item.id() {
            return Err(self.http.bad(format!(
                "it speaks of the record {}, not of {}",
                view.id,
                item.id()
            )));
        }
        Ok(view)
    }

    /// What became of a record whose `Valid-Until` the node's clock has passed; `None` if it has not.
    /// The clock is read before the record is looked for, so that no block between can have taken it.
    pub(crate) fn lapsed(&self, item: &VerifiedItem) -> Result<Option<Lapsed>, ClientError> {
        let Some(valid_until_ms) = valid_until_ms(item) else {
            return Ok(None);
        };
        // Once: the caller has its own patience.
        let status: Status = self.http.message(self.http.get(&Ask::new("/v1/status"))?)?;
        if status.clock_ms.max(status.time_ms) <= valid_until_ms {
            return Ok(None);
        }
        let id = item.id();
        match self.record(id) {
            Ok(view) if view.status == RecordStatus::Final => {
                Ok(Some(Lapsed::Included(Box::new(view))))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_not_found() => {
                let error = ClientError::Expired { id, valid_until_ms };
                Ok(Some(Lapsed::Never(error)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an entry of an answer speaks of this record.
fn is_of(entry: &BundleEntry, id: ItemId) -> bool {
    let record = entry.record.as_ref().map(|record| record.id);
    entry.id == Some(id) && record.is_none_or(|record| record == id)
}

/// A record after its `Valid-Until`.
pub(crate) enum Lapsed {
    /// It was included in time.
    Included(Box<RecordView>),
    /// It was not, and never will be: [`ClientError::Expired`].
    Never(ClientError),
}

/// Whether the node itself has said that it does not take the record.
pub(crate) fn is_refusal(error: &ClientError) -> bool {
    match error {
        ClientError::Problem { status, problem } => {
            !error.is_temporary() && problem.code != foreign_code(*status)
        }
        _ => false,
    }
}

fn valid_until_ms(item: &VerifiedItem) -> Option<u64> {
    item.tag("Valid-Until")?.parse().ok()
}
