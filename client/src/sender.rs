//! An account that sends: nonces, validity, and retries that cannot spend twice.
//!
//! # Why an action is never paid for twice
//!
//! 1. The ledger includes at most one record for each nonce of an account, and a
//!    record only at a block time up to its `Valid-Until`.
//! 2. A [`Sender`] has at most one record whose outcome is open. It keeps its
//!    bytes, and all that it does with them is to post them again. A record is its bytes:
//!    however often they arrive, they are included once.
//! 3. It signs again for the same action only after a *proof* that the record before
//!    cannot be included any more. There are two. Its nonce is used on the log
//!    ([`AccountView::nonce`](protocol::api::AccountView::nonce) is above it) and the node does not know the record: by (1) no block
//!    can take it. Or the node's clock has passed its `Valid-Until`, and
//!    after that the node does not know the record: by (1) no later block can take it. Each
//!    time what ends the record's life is read first and the record is looked for second, so
//!    that nothing can slip in between.
//! 4. Without a proof it stops and says so ([`ClientError::Unsettled`]). The record stays
//!    in [`Sender::outstanding`], and nothing else is signed before [`Sender::settle`] has its outcome.
//!    A gap in the nonces is no proof: when the gap is filled, the record can be included after all.
//!    Neither is another record that waits with the same nonce: a mempool forgets.
//! 5. A record that the node refuses is not kept by it, so its outcome is known. Should a
//!    copy turn up later all the same, the next record has the same nonce: (1) again.
//!
//! The argument takes the node's word for what is on the log. Who cannot, asks another
//! node, or checks [`Client::receipt_proof`].
//!
//! A process that may die between signing and the answer keeps the signed item itself: the
//! closure that signs is the place to write it to disk, and [`Sender::resume`] takes it up again.

use protocol::ans104::{Draft, VerifiedItem};
use protocol::api::{RecordStatus, RecordView};
use protocol::id::{Address, ItemId};
use protocol::record::{Action, Envelope, Transaction};

use crate::client::Client;
use crate::error::ClientError;
use crate::submit::{Lapsed, is_refusal};

/// How long a record holds if nothing else is asked for: 5 minutes.
pub const VALIDITY_MS: u64 = 5 * 60 * 1_000;

/// How often one action is signed at most in one call.
const SIGNATURES_MAX: u32 = 4;

/// An action, ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Network, nonce and validity.
    pub envelope: Envelope,
    /// What is signed.
    pub draft: Draft,
}

/// Why an action was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError<E> {
    /// What was signed is not the draft, or another key signed it. It was not sent.
    #[error("the signed item is not what was prepared for {0}: its {1} differs")]
    OtherItem(Address, &'static str),
    /// The outcome of an earlier record is open: [`Sender::settle`] comes first.
    #[error("the outcome of an earlier record, {0}, is not known yet")]
    Outstanding(ItemId),
    /// It was not signed.
    #[error("it was not signed: {0}")]
    Sign(E),
    /// The node refused, or cannot be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is final. A rule may have rejected it: [`RecordView::problem`].
    Final(Box<RecordView>),
    /// It was not included and never will be.
    Dead,
}

/// The records of one account, one after another. The module's head says why they cannot be doubled.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    address: Address,
    validity_ms: u64,
    outstanding: Option<VerifiedItem>,
}

impl Sender {
    /// A sender for this account. Nothing is asked yet.
    pub fn new(client: &Client, address: Address) -> Self {
        Self {
            client: client.clone(),
            address,
            validity_ms: VALIDITY_MS,
            outstanding: None,
        }
    }

    /// Lets records hold for so long, or for the network's longest validity if that is less.
    #[must_use]
    pub fn with_validity_ms(self, validity_ms: u64) -> Self {
        Self {
            validity_ms,
            ..self
        }
    }

    /// Takes up a record that was signed before, in another process: it is outstanding until [`Sender::settle`].
    #[must_use]
    pub fn resume(self, item: VerifiedItem) -> Self {
        let outstanding = Some(item);
        Self {
            outstanding,
            ..self
        }
    }

    /// Whose records.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The record whose outcome is open, if there is one.
    pub fn outstanding(&self) -> Option<&VerifiedItem> {
        self.outstanding.as_ref()
    }

    /// The draft of an action, with the account's next nonce, valid from now by the node's clock.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn prepare(&self, action: &Action) -> Result<Prepared, ClientError> {
        let status = self.client.status()?;
        let account = self.client.account(self.address)?;
        let validity_ms = self.validity_ms.min(status.parameters.validity_max_ms);
        let now_ms = status.clock_ms.max(status.time_ms);
        let envelope = Envelope {
            network: status.network,
            nonce: account.next_nonce,
            valid_until_ms: now_ms.saturating_add(validity_ms),
        };
        let draft = Transaction::draft(&envelope, action);
        Ok(Prepared { envelope, draft })
    }

    /// Signs an action and sends it until it is final. `sign` is called again, with a new nonce or a later
    /// `Valid-Until`, only for a record that is proven dead.
    ///
    /// A record that a rule rejected in its block is no error here: [`RecordView::problem`] says why.
    ///
    /// # Errors
    /// [`SendError::Outstanding`]: an earlier record comes first. [`ClientError::Unsettled`]: the record's
    /// outcome is open, and it is kept for [`Sender::settle`]. Otherwise: nothing was included.
    pub fn send<E>(
        &mut self,
        action: &Action,
        mut sign: impl FnMut(Draft) -> Result<VerifiedItem, E>,
    ) -> Result<RecordView, SendError<E>> {
        if let Some(item) = &self.outstanding {
            return Err(SendError::Outstanding(item.id()));
        }
        let mut expired = None;
        for _ in 0..SIGNATURES_MAX {
            let prepared = self.prepare(action)?;
            let item = sign(prepared.draft.clone()).map_err(SendError::Sign)?;
            self.check(&prepared.draft, &item)?;
            expired = Some((item.id(), prepared.envelope.valid_until_ms));
            self.outstanding = Some(item);
            match self.settle()? {
                Some(Settlement::Final(view)) => return Ok(*view),
                Some(Settlement::Dead) | None => {}
            }
        }
        let (id, valid_until_ms) = expired.expect("an action is signed at least once");
        Err(ClientError::Expired { id, valid_until_ms }.into())
    }

    /// Posts the outstanding record's bytes until its outcome is known; `None` if there is none.
    ///
    /// # Errors
    /// [`ClientError::Unsettled`]: still not known. A refusal by the node: it is not
    /// outstanding any more.
    pub fn settle(&mut self) -> Result<Option<Settlement>, ClientError> {
        let Some(item) = self.outstanding.clone() else {
            return Ok(None);
        };
        let outcome = self.outcome(&item);
        let is_open = matches!(outcome, Err(ClientError::Unsettled { .. }));
        if !is_open {
            self.outstanding = None;
        }
        outcome.map(Some)
    }

    /// What became of a record: every error but [`ClientError::Unsettled`] says that it was not included.
    fn outcome(&self, item: &VerifiedItem) -> Result<Settlement, ClientError> {
        let id = item.id();
        let unsettled = |error| match error {
            ClientError::Unsettled { .. } => error,
            other => ClientError::Unsettled {
                id,
                last: Box::new(other),
            },
        };
        let mut backoff = self.client.backoff();
        loop {
            let error = match self.client.submit(item) {
                Ok(view) => return Ok(Settlement::Final(Box::new(view))),
                Err(ClientError::Expired { .. }) => return Ok(Settlement::Dead),
                // Outstanding since an earlier call, it may have been sent then.
                Err(error) if !is_refusal(&error) => return Err(unsettled(error)),
                Err(error) => error,
            };
            if let Some(settlement) = self.proof(item).map_err(unsettled)? {
                return Ok(settlement);
            }
            if !matches!(error.code(), "nonce" | "nonce_pending") {
                return Err(error);
            }
            if !backoff.wait(error.retry_after_ms()) {
                return Err(unsettled(error));
            }
        }
    }

    /// After a refusal: what proves that the record is final or dead, if anything does.
    fn proof(&self, item: &VerifiedItem) -> Result<Option<Settlement>, ClientError> {
        match self.client.lapsed(item)? {
            Some(Lapsed::Included(view)) => return Ok(Some(Settlement::Final(view))),
            Some(Lapsed::Never(_)) => return Ok(Some(Settlement::Dead)),
            None => {}
        }
        let nonce: Option<u64> = item.tag("Nonce").and_then(|nonce| nonce.parse().ok());
        let account = self.client.account(item.address())?;
        if nonce.is_none_or(|nonce| account.nonce <= nonce) {
            return Ok(None);
        }
        match self.client.record(item.id()) {
            Ok(view) if view.status == RecordStatus::Final => {
                Ok(Some(Settlement::Final(Box::new(view))))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_not_found() => Ok(Some(Settlement::Dead)),
            Err(error) => Err(error),
        }
    }

    /// That what was signed is what was prepared, by the account's key.
    fn check<E>(&self, draft: &Draft, item: &VerifiedItem) -> Result<(), SendError<E>> {
        let differs = [
            ("signer", item.address() != self.address),
            ("target", item.target() != draft.target.as_ref()),
            ("anchor", item.anchor() != draft.anchor.as_ref()),
            ("tags", item.tags() != draft.tags),
            ("data", item.data() != draft.data),
        ];
        match differs.iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(SendError::OtherItem(self.address, what)),
            None => Ok(()),
        }
    }
}
