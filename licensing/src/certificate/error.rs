//! What does not hold of a certificate, by name.

use protocol::ans104::ItemError;
use protocol::json::JsonError;
use protocol::merkle::MerkleError;
use protocol::record::RecordError;
use protocol::text::Code;
use protocol::{Address, Digest, ItemId, NetworkId};

use super::{SCHEMA, SCHEMA_MONTHS};
use crate::{Refusal, TermsError};

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the JSON of a certificate.
    #[error("this is not a certificate: {0}")]
    Form(JsonError),
    /// Another schema.
    #[error("the schema is '{0}', this version reads '{SCHEMA}' and '{SCHEMA_MONTHS}'")]
    Schema(String),
    /// A binary part that is not base64url.
    #[error("the {0} is not canonical base64url")]
    Encoding(Part),
    /// An item that is damaged, or whose signature does not hold.
    #[error("the {part} does not hold: {error}")]
    Item {
        /// Which.
        part: Part,
        /// What is wrong.
        error: ItemError,
    },
    /// An item that is not what stands there in a certificate.
    #[error("the {part} is not one: {error}")]
    Record {
        /// Which.
        part: Part,
        /// What is wrong.
        error: RecordError,
    },
    /// It is a licence on another network than the reader's.
    #[error("this is a licence on the network {found}, not on {expected}")]
    OtherNetwork {
        /// The reader's.
        expected: NetworkId,
        /// The certificate's.
        found: NetworkId,
    },
    /// An item that belongs to another network than the genesis.
    #[error("the {part} is of the network {found}, the genesis makes {expected}")]
    Network {
        /// Which.
        part: Part,
        /// The genesis's.
        expected: NetworkId,
        /// The item's.
        found: NetworkId,
    },
    /// A header that somebody else signed.
    #[error("the {part} is signed by {found}; this network's blocks are signed by {expected}")]
    Proposer {
        /// Which.
        part: Part,
        /// Who signs the network's blocks.
        expected: Address,
        /// Who signed this one.
        found: Address,
    },
    /// Two headers that do not follow each other.
    #[error("the header that names the receipts' root does not follow the licence's block")]
    NotNext,
    /// The receipt is not the encoding of one.
    #[error("the receipt cannot be read: {0}")]
    Receipt(String),
    /// The receipt is not on the log.
    #[error("the receipt is not under the root that the next header names: {0}")]
    NotOnLog(MerkleError),
    /// The receipt is of something else.
    #[error("the receipt is not that of the record {0}")]
    OtherReceipt(ItemId),
    /// A rule rejected the purchase.
    #[error("the purchase was rejected by a rule: {0}")]
    Rejected(Code),
    /// The receipt issues no licence, or more than one.
    #[error("the receipt does not issue one licence")]
    NoLicense,
    /// The record does not buy a licence.
    #[error("the record is a '{0}', not the purchase of a licence")]
    NotAPurchase(&'static str),
    /// The record that is said to have made the asset made none.
    #[error("the asset's record is a '{0}', which makes no asset")]
    NotAnAsset(&'static str),
    /// The record that is said to carry the terms is no vote on them.
    #[error("the vote is a '{0}', which votes on no terms")]
    NotAVote(&'static str),
    /// Two proven parts contradict each other.
    #[error("the {what} of the licence does not agree with the {part}")]
    Disagree {
        /// About what.
        what: &'static str,
        /// Which part says otherwise.
        part: Part,
    },
    /// The asset's terms cannot be read.
    #[error("the asset's terms: {0}")]
    Terms(TermsError),
    /// The licence is under other terms than the asset.
    #[error("the licence is under the terms {expected}, the asset's are {found}")]
    TermsId {
        /// The licence's.
        expected: Digest,
        /// The asset's.
        found: Digest,
    },
    /// The terms do not sell what was bought.
    #[error("the terms do not sell it: {0}")]
    NotSold(Refusal),
    /// Something beside the proof says otherwise than the proof.
    #[error("the field '{0}' says something else than what is proven: it was changed")]
    Stated(&'static str),
}

/// A part of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The genesis item.
    Genesis,
    /// The record that bought the licence.
    Record,
    /// Its receipt.
    Receipt,
    /// The header of the next block.
    Header,
    /// The header of the licence's block.
    Block,
    /// The record that made the asset.
    Asset,
    /// The vote for the terms.
    Vote,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Genesis => "genesis",
            Self::Record => "record",
            Self::Receipt => "receipt",
            Self::Header => "next block's header",
            Self::Block => "block's header",
            Self::Asset => "asset's record",
            Self::Vote => "vote for the terms",
        })
    }
}

impl CertificateError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "certificate_form",
            Self::Schema(_) => "certificate_schema",
            Self::Encoding(_) => "certificate_encoding",
            Self::Item { .. } => "certificate_item",
            Self::Record { .. } => "certificate_record",
            Self::OtherNetwork { .. } => "certificate_other_network",
            Self::Network { .. } => "certificate_network",
            Self::Proposer { .. } => "certificate_proposer",
            Self::NotNext => "certificate_not_next",
            Self::Receipt(_) => "certificate_receipt",
            Self::NotOnLog(_) => "certificate_not_on_log",
            Self::OtherReceipt(_) => "certificate_other_receipt",
            Self::Rejected(_) => "certificate_rejected",
            Self::NoLicense => "certificate_no_license",
            Self::NotAPurchase(_) => "certificate_not_a_purchase",
            Self::NotAnAsset(_) => "certificate_not_an_asset",
            Self::NotAVote(_) => "certificate_not_a_vote",
            Self::Disagree { .. } => "certificate_disagrees",
            Self::Terms(_) => "certificate_terms",
            Self::TermsId { .. } => "certificate_terms_id",
            Self::NotSold(_) => "certificate_not_sold",
            Self::Stated(_) => "certificate_stated",
        }
    }
}
