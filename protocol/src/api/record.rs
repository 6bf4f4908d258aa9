//! Records, blocks and receipts, as the API shows them.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::amount::Amount;
use crate::ans104::{Draft, Tag};
use crate::id::{Address, Digest, ItemId};
use crate::merkle::Proof;
use crate::receipt::Receipt;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordStatus {
    /// In the mempool. It is not promised to stay: a restart forgets it.
    Pending,
    /// In a block on the log, synced. It stays.
    Final,
}

/// A record and what came of it: the answer to `POST /v1/records` and `GET /v1/records/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// The item's id.
    pub id: ItemId,
    /// Where it is.
    pub status: RecordStatus,
    /// Who signed it.
    pub signer: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Its type, as in the tag `Record-Type`.
    pub record_type: String,
    /// The 32 bytes that it is addressed to, if any.
    pub target: Option<Digest>,
    /// The last block time at which it may be included.
    pub valid_until_ms: u64,
    /// The block that it is in.
    pub height: Option<u64>,
    /// The place of its receipt among the block's receipts.
    pub place: Option<u32>,
    /// The block's time.
    pub time_ms: Option<u64>,
    /// What came of it.
    pub receipt: Option<Receipt>,
    /// If a rule rejected it: why. It paid for its bytes and changed nothing else.
    pub problem: Option<Problem>,
}

impl RecordView {
    /// Whether it is final and no rule rejected it.
    pub fn is_applied(&self) -> bool {
        self.status == RecordStatus::Final && self.problem.is_none()
    }
}

/// What came of one item of a posted bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    /// The item's id, if it could be read that far.
    pub id: Option<ItemId>,
    /// The record, if it was taken.
    pub record: Option<RecordView>,
    /// Why it was not.
    pub problem: Option<Problem>,
}

/// The answer to `POST /v1/bundles`: one entry an item, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleAnswer {
    /// The entries.
    pub entries: Vec<BundleEntry>,
}

/// `POST /v1/trial`: what would come of a record, without a signature and
/// without any effect. Nobody could include what is sent here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// Who would sign.
    pub signer: Address,
    /// The draft's target.
    pub target: Option<Digest>,
    /// The draft's tags, as [name, value] pairs.
    pub tags: Vec<(String, String)>,
    /// The draft's data in base64url.
    pub data: String,
}

impl TrialRequest {
    /// The request for a draft.
    pub fn new(signer: Address, draft: &Draft) -> Self {
        Self {
            signer,
            target: draft.target.map(Digest),
            tags: draft
                .tags
                .iter()
                .map(|tag| (tag.name.clone(), tag.value.clone()))
                .collect(),
            data: Base64UrlUnpadded::encode_string(&draft.data),
        }
    }

    /// The draft; `None` if the data is not base64url.
    pub fn draft(&self) -> Option<Draft> {
        let tags = self.tags.iter().map(|(name, value)| Tag::new(name, value));
        Some(Draft {
            target: self.target.map(|target| target.0),
            anchor: None,
            tags: tags.collect(),
            data: Base64UrlUnpadded::decode_vec(&self.data).ok()?,
        })
    }
}

/// What would come of a record if it were in the next block now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialAnswer {
    /// The bytes that the signed record would have.
    pub size_bytes: u32,
    /// What those bytes cost, burned.
    pub byte_fee: Amount,
    /// The receipt it would have, if it could be included.
    pub receipt: Option<Receipt>,
    /// Why it could not be included, or what rule would reject it.
    pub problem: Option<Problem>,
}

/// A receipt in its place on the log: one entry of a history, one event of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The block.
    pub height: u64,
    /// The place of the receipt in it.
    pub place: u32,
    /// The block's time.
    pub time_ms: u64,
    /// Who signed the record; none for the clock's work.
    pub signer: Option<Address>,
    /// The record's type; none for the clock's work.
    pub record_type: Option<String>,
    /// What came of it.
    pub receipt: Receipt,
}

/// `GET /v1/blocks/{height}`, and the event `block` of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// The height.
    pub height: u64,
    /// The header item, or for height 0 the genesis.
    pub id: ItemId,
    /// The block's time.
    pub time_ms: u64,
    /// How many records are in it.
    pub records: u32,
    /// How many of them a rule rejected.
    pub rejected: u32,
    /// How many bounties the clock moved on.
    pub deadlines: u32,
}

/// `GET /v1/receipts/{id}/proof`: that a record's receipt is on the log, for
/// someone who holds nothing but the network's genesis item. All items are in
/// base64url of their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// The genesis item, which names the network and who signs its blocks.
    pub genesis: String,
    /// The record.
    pub record: String,
    /// Its receipt, as the borsh bytes that are hashed.
    pub receipt: String,
    /// Its place among the block's receipts.
    pub place: u32,
    /// How many receipts the block has.
    pub receipts: u32,
    /// The path from the receipt to the receipts root of its block.
    pub path: Proof,
    /// The next block's header item, which names that root.
    pub header: String,
    /// The network, for a reader; what counts is the genesis.
    pub network: crate::id::NetworkId,
}

/// Encodes an item's bytes for [`ReceiptProof`].
pub fn to_base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Decodes what [`to_base64url`] wrote; `None` if it is something else.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}
