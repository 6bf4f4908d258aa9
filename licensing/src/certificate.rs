//! Certificates: a licence that proves itself, offline and for ever.
//!
//! A certificate is one JSON object, `lode.certificate/1`, that holds every item
//! that its proof needs. Binary parts are base64url of their bytes.
//!
//! | field | what it is |
//! |---|---|
//! | `text` | what is proven, for people ([`Proven::text`]) |
//! | `license`, `terms` | the same for programs: the licence's fields, the tags of its terms |
//! | `proof` | genesis, record, receipt, its path, and the header that names the receipts' root |
//! | `block` | the header of the record's block, which dates it |
//! | `asset` | the record that made the asset and put it under its terms |
//!
//! What holds of a certificate that verifies, each from the one before:
//!
//! 1. The genesis names the network and who signs its blocks.
//! 2. That signer signed both headers, for this network; the second follows the first.
//! 3. The second header's receipts root proves the receipt.
//! 4. The receipt is the record's, no rule rejected it, and it issues the licence.
//! 5. The licensee signed the record, for this network: it buys this grant of this asset under these terms.
//! 6. The asset's own record carries the terms. They have the id that was bought
//!    under, and sell the grant for the price that was paid.
//! 7. What stands beside the proof (`text`, `license`, `terms`) says exactly this.
//!
//! Which network counts is the reader's to say: anyone can begin one. So its id
//! is compared with one that the reader knows. The text is part of the format:
//! a change of its words needs a new number in the schema.

use protocol::ans104::{ItemError, SignedItem, VerifiedItem};
use protocol::api::{LicenseView, ReceiptProof, from_base64url, to_base64url};
use protocol::block::HeaderRecord;
use protocol::json::{self, JsonError};
use protocol::merkle::MerkleError;
use protocol::receipt::{Cause, Event, Receipt};
use protocol::record::{
    Action, AssetKind, BlobRef, BuyLicense, GenesisRecord, RecordError, Transaction,
};
use protocol::text::{Code, Name};
use protocol::{Address, Amount, Digest, ItemId, NetworkId};
use serde::{Deserialize, Serialize};

use crate::{Grant, Refusal, Terms, TermsError};

mod text;

/// The schema of a certificate.
pub const SCHEMA: &str = "lode.certificate/1";

/// The most bytes that a certificate may have: a genesis of 4 MiB and two records fit.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 20;

/// A certificate, as it stands in its file. Nothing of it is proven before [`Self::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`SCHEMA`].
    pub schema: String,
    /// What it says, for people.
    pub text: String,
    /// The licence.
    pub license: LicenseView,
    /// The tags of the terms, in canonical order.
    pub terms: Vec<(String, String)>,
    /// That the licence's receipt is on the log.
    pub proof: ReceiptProof,
    /// The header item of the licence's block.
    pub block: String,
    /// The record item that made the asset.
    pub asset: String,
}

/// What a certificate proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The network that it is a licence on.
    pub network: NetworkId,
    /// What that network calls itself.
    pub network_name: Name,
    /// Who signs that network's blocks.
    pub proposer: Address,
    /// The licence.
    pub license: LicenseView,
    /// What the asset is called.
    pub asset_name: Name,
    /// Model or data set.
    pub asset_kind: AssetKind,
    /// Who made it.
    pub maker: Address,
    /// Its folder: an archive, or the ciphertext that the maker sealed.
    pub blob: BlobRef,
    /// The weights digest, where the maker's record states one.
    pub weights_digest: Option<Digest>,
    /// The terms.
    pub terms: Terms,
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the JSON of a certificate.
    #[error("this is not a certificate: {0}")]
    Form(JsonError),
    /// Another schema.
    #[error("the schema is '{0}', this version reads '{SCHEMA}'")]
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
            Self::Disagree { .. } => "certificate_disagrees",
            Self::Terms(_) => "certificate_terms",
            Self::TermsId { .. } => "certificate_terms_id",
            Self::NotSold(_) => "certificate_not_sold",
            Self::Stated(_) => "certificate_stated",
        }
    }
}

impl Certificate {
    /// The certificate of a proof, the header of the record's block, and the
    /// record that made the asset.
    ///
    /// # Errors
    /// [`CertificateError`] if they prove no licence.
    pub fn new(
        proof: ReceiptProof,
        block: &VerifiedItem,
        asset: &VerifiedItem,
    ) -> Result<Self, CertificateError> {
        let (block, asset) = (to_base64url(block.bytes()), to_base64url(asset.bytes()));
        let proven = prove(&proof, &block, &asset)?;
        Ok(Self {
            schema: SCHEMA.to_owned(),
            text: proven.text(),
            license: proven.license,
            terms: pairs(&proven.terms),
            proof,
            block,
            asset,
        })
    }

    /// Reads a certificate's file. Nothing is proven yet.
    ///
    /// # Errors
    /// [`CertificateError::Form`], [`CertificateError::Schema`].
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let read: Self =
            json::from_slice(bytes, CERTIFICATE_BYTES_MAX).map_err(CertificateError::Form)?;
        if read.schema != SCHEMA {
            let schema = read.schema.chars().take(48).collect();
            return Err(CertificateError::Schema(schema));
        }
        Ok(read)
    }

    /// Checks all of it, against the network that the reader knows, if one is given.
    ///
    /// # Errors
    /// [`CertificateError`] names what does not hold.
    pub fn verify(&self, network: Option<NetworkId>) -> Result<Proven, CertificateError> {
        let proven = prove(&self.proof, &self.block, &self.asset)?;
        let found = proven.network;
        match network {
            Some(expected) if expected != found => {
                return Err(CertificateError::OtherNetwork { expected, found });
            }
            _ => {}
        }
        for (field, is_same) in [
            ("proof.network", self.proof.network == found),
            ("license", self.license == proven.license),
            ("terms", self.terms == pairs(&proven.terms)),
            ("text", self.text == proven.text()),
        ] {
            if !is_same {
                return Err(CertificateError::Stated(field));
            }
        }
        Ok(proven)
    }
}

fn pairs(terms: &Terms) -> Vec<(String, String)> {
    let tags = terms.to_tags().into_iter();
    tags.map(|tag| (tag.name, tag.value)).collect()
}

/// Steps 1 to 6 of the module's head.
fn prove(proof: &ReceiptProof, block: &str, asset: &str) -> Result<Proven, CertificateError> {
    let genesis = item(Part::Genesis, &proof.genesis)?;
    let genesis = GenesisRecord::read(&genesis).map_err(|error| CertificateError::Record {
        part: Part::Genesis,
        error,
    })?;
    let block = header(Part::Block, block, &genesis)?;
    let next = header(Part::Header, &proof.header, &genesis)?;
    if next.header.parent != block.id
        || block.header.height.checked_add(1) != Some(next.header.height)
    {
        return Err(CertificateError::NotNext);
    }
    let (purchase, asset_id, wanted) = purchase(&proof.record, genesis.network)?;
    let receipt = receipt(proof, &next.header.receipts_root)?;
    let license = LicenseView {
        height: block.header.height,
        time_ms: block.header.time_ms,
        ..issued(&receipt, &purchase)?
    };
    let disagree = |what, part| CertificateError::Disagree { what, part };
    for (what, is_same) in [
        ("asset", license.asset == asset_id),
        ("licensee", license.licensee == purchase.signer),
        ("grant", license.grant == wanted.grant),
        ("terms id", license.terms == wanted.terms),
        ("price", license.price <= wanted.price_max),
    ] {
        if !is_same {
            return Err(disagree(what, Part::Record));
        }
    }
    let asset = read_asset(asset, genesis.network)?;
    if asset.id != license.asset {
        return Err(disagree("asset", Part::Asset));
    }
    let found = asset.terms.id();
    if found != license.terms {
        let expected = license.terms;
        return Err(CertificateError::TermsId { expected, found });
    }
    let quote = asset.terms.quote(license.grant);
    if quote.map_err(CertificateError::NotSold)?.price != license.price {
        return Err(disagree("price", Part::Asset));
    }
    Ok(Proven {
        network: genesis.network,
        network_name: genesis.genesis.name,
        proposer: genesis.proposer,
        license,
        asset_name: asset.name,
        asset_kind: asset.kind,
        maker: asset.maker,
        blob: asset.blob,
        weights_digest: asset.weights_digest,
        terms: asset.terms,
    })
}

/// Bytes of base64url in its one spelling.
fn decode(part: Part, text: &str) -> Result<Vec<u8>, CertificateError> {
    match from_base64url(text) {
        Some(bytes) if to_base64url(&bytes) == text => Ok(bytes),
        _ => Err(CertificateError::Encoding(part)),
    }
}

fn item(part: Part, text: &str) -> Result<VerifiedItem, CertificateError> {
    let item = SignedItem::from_vec(decode(part, text)?).and_then(SignedItem::verify);
    item.map_err(|error| CertificateError::Item { part, error })
}

fn header(
    part: Part,
    text: &str,
    genesis: &GenesisRecord,
) -> Result<HeaderRecord, CertificateError> {
    let header = HeaderRecord::read(&item(part, text)?)
        .map_err(|error| CertificateError::Record { part, error })?;
    check_network(part, genesis.network, header.network)?;
    let (expected, found) = (genesis.proposer, header.proposer);
    if found != expected {
        return Err(CertificateError::Proposer {
            part,
            expected,
            found,
        });
    }
    Ok(header)
}

fn check_network(
    part: Part,
    expected: NetworkId,
    found: NetworkId,
) -> Result<(), CertificateError> {
    if found == expected {
        return Ok(());
    }
    Err(CertificateError::Network {
        part,
        expected,
        found,
    })
}

fn transaction(
    part: Part,
    text: &str,
    network: NetworkId,
) -> Result<Transaction, CertificateError> {
    let transaction = Transaction::read(&item(part, text)?)
        .map_err(|error| CertificateError::Record { part, error })?;
    check_network(part, network, transaction.envelope.network)?;
    Ok(transaction)
}

/// The record, the asset that it names, and what it buys.
fn purchase(
    text: &str,
    network: NetworkId,
) -> Result<(Transaction, ItemId, BuyLicense), CertificateError> {
    let transaction = transaction(Part::Record, text, network)?;
    match transaction.action.clone() {
        Action::BuyLicense { asset, body } => Ok((transaction, asset, body)),
        other => Err(CertificateError::NotAPurchase(other.record_type())),
    }
}

fn receipt(proof: &ReceiptProof, root: &Digest) -> Result<Receipt, CertificateError> {
    let leaf = decode(Part::Receipt, &proof.receipt)?;
    let (place, receipts) = (u64::from(proof.place), u64::from(proof.receipts));
    let stands = proof.path.verify(root, &leaf, place, receipts);
    stands.map_err(CertificateError::NotOnLog)?;
    borsh::from_slice(&leaf).map_err(|error| CertificateError::Receipt(error.to_string()))
}

/// The licence that the receipt issues; its height and time are the block's to say.
fn issued(receipt: &Receipt, purchase: &Transaction) -> Result<LicenseView, CertificateError> {
    if receipt.cause != Cause::Record(purchase.id) {
        return Err(CertificateError::OtherReceipt(purchase.id));
    }
    if let Some(code) = &receipt.rejected {
        return Err(CertificateError::Rejected(code.clone()));
    }
    let mut found = receipt.events.iter().filter_map(|event| match *event {
        Event::LicenseIssued {
            license: id,
            asset,
            licensee,
            grant,
            terms,
            price,
        } => Some(LicenseView {
            id,
            asset,
            licensee,
            grant,
            terms,
            price,
            height: 0,
            time_ms: 0,
        }),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(license), None) if license.id == purchase.id => Ok(license),
        _ => Err(CertificateError::NoLicense),
    }
}

/// What the record that made an asset says of it.
struct Made {
    id: ItemId,
    kind: AssetKind,
    name: Name,
    maker: Address,
    blob: BlobRef,
    weights_digest: Option<Digest>,
    terms: Terms,
}

fn read_asset(text: &str, network: NetworkId) -> Result<Made, CertificateError> {
    let transaction = transaction(Part::Asset, text, network)?;
    let terms = Terms::parse(transaction.action.terms());
    let (kind, name, blob, weights_digest) = match transaction.action {
        Action::RegisterAsset { body, .. } => {
            (body.kind, body.name, body.archive, body.weights_digest)
        }
        Action::CommitSubmission { body, .. } => {
            (AssetKind::Model, body.name, body.sealed.ciphertext, None)
        }
        other => return Err(CertificateError::NotAnAsset(other.record_type())),
    };
    Ok(Made {
        id: transaction.id,
        kind,
        name,
        maker: transaction.signer,
        blob,
        weights_digest,
        terms: terms.map_err(CertificateError::Terms)?,
    })
}

/// What a grant lets one do, in a phrase.
pub const fn grant_in_words(grant: Grant) -> &'static str {
    match grant {
        Grant::Access => "to download it",
        Grant::Derivation => "to make something new from it",
        Grant::CommercialUse => "to use it in or for a business",
        Grant::DataModelTraining => "to train a model on it or on what it puts out",
    }
}

/// An amount with its currency.
fn lode(amount: Amount) -> String {
    format!("{} LODE", amount.to_lode_string())
}

#[cfg(test)]
mod tests;
