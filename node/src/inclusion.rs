//! What a node tells of a record, and why it refuses one, in the API's words.

use std::sync::Arc;

use market::Rejection;
use protocol::api::{Problem, RecordStatus, RecordView};
use protocol::id::{Digest, ItemId};
use protocol::receipt::Receipt;
use protocol::record::Transaction;

use crate::admission::AdmissionError;
use crate::chain::Refusal;
use crate::derived::DerivedError;
use crate::mempool::Unfit;

/// A record that is on the log.
#[derive(Clone, Debug)]
pub struct Inclusion {
    /// The block.
    pub height: u64,
    /// The block's time.
    pub time_ms: u64,
    /// The place of the record's receipt among the block's.
    pub place: u32,
    /// The block's receipts, or the record's alone.
    pub receipts: Arc<[Receipt]>,
    /// Which of them is the record's.
    pub index: usize,
    /// Why a rule rejected it, if one did.
    pub problem: Option<Problem>,
}

/// What came of a record that waited: it is on the log, or it is not and will not be.
pub type Answer = Result<Inclusion, Problem>;

impl Inclusion {
    /// The record's receipt.
    pub fn receipt(&self) -> &Receipt {
        &self.receipts[self.index]
    }

    /// The record as the API shows it.
    pub fn view(&self, tx: &Transaction) -> RecordView {
        RecordView {
            status: RecordStatus::Final,
            height: Some(self.height),
            place: Some(self.place),
            time_ms: Some(self.time_ms),
            receipt: Some(self.receipt().clone()),
            problem: self.problem.clone(),
            ..pending(tx)
        }
    }
}

/// A record that waits, as the API shows it.
pub fn pending(tx: &Transaction) -> RecordView {
    RecordView {
        id: tx.id,
        status: RecordStatus::Pending,
        signer: tx.signer,
        nonce: tx.envelope.nonce,
        record_type: tx.action.record_type().to_owned(),
        target: tx.action.target().map(Digest),
        valid_until_ms: tx.envelope.valid_until_ms,
        height: None,
        place: None,
        time_ms: None,
        receipt: None,
        problem: None,
    }
}

/// A rule's word as a problem.
pub fn rejection(why: &Rejection) -> Problem {
    let expected_nonce = match why {
        Rejection::Nonce { expected, .. } => Some(*expected),
        _ => None,
    };
    Problem {
        is_rejection: true,
        expected_nonce,
        ..Problem::new(why.code(), why, why.next_step())
    }
}

/// A rule's word of which only the code was kept.
pub fn rejected_by(code: &str) -> Problem {
    Problem {
        is_rejection: true,
        ..Problem::new(
            code,
            format_args!("a rule rejected the record: {code}"),
            "it paid for its bytes and changed nothing else; correct it and sign it again",
        )
    }
}

/// Why a record did not go into a block.
pub fn refusal(why: &Refusal) -> Problem {
    match why {
        Refusal::NotARecord(error) => Problem::new(
            error.code(),
            error,
            "sign a record of this network with the tools of its version",
        ),
        Refusal::Rejected(why) => rejection(why),
        Refusal::Full => mempool_full("block bytes", 0),
    }
}

/// Why a record does not wait.
pub fn unfit(why: Unfit, given: u64, balance: protocol::Amount) -> Problem {
    match why {
        Unfit::Nonce(expected) => rejection(&Rejection::Nonce { expected, given }),
        Unfit::Taken(other) => nonce_pending(other, given),
        Unfit::Fees(fee) => rejection(&Rejection::FeeUnpayable { fee, balance }),
        Unfit::Full(what, limit) => mempool_full(what, limit),
    }
}

fn nonce_pending(other: ItemId, nonce: u64) -> Problem {
    Problem::new(
        "nonce_pending",
        format_args!("the record {other} with the same nonce {nonce} waits for a block"),
        "wait until that record is final, then sign with the next nonce",
    )
    .retry_after_ms(200)
}

fn mempool_full(what: &str, limit: usize) -> Problem {
    Problem::new(
        "mempool_full",
        format_args!("no more records can wait: the limit of {limit} {what} is reached"),
        "post the same bytes again in a moment",
    )
    .retry_after_ms(500)
}

/// Why nothing can be said now of what is on the log.
pub fn no_past(error: &DerivedError) -> Problem {
    Problem::new(
        "history",
        format_args!("the node cannot read its past now: {error}"),
        "try again later; the node's operator can restart it, which rebuilds what is missing",
    )
    .retry_after_ms(5_000)
}

/// Why a record is not taken though the rules might.
pub fn not_held(error: &AdmissionError) -> Problem {
    match error {
        AdmissionError::NotHeld(_) => Problem::new(
            "blob_missing",
            error,
            "upload the blob, then post the same record again",
        ),
        AdmissionError::OtherSize { .. } => Problem::new(
            "blob_size",
            error,
            "sign the record again with the blob's real size",
        ),
        AdmissionError::Blobs(_) => Problem::new(
            "blob_store",
            error,
            "try again; if it goes on, tell the node's operator",
        )
        .retry_after_ms(1_000),
    }
}
