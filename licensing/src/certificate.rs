//! Certificates: a licence that proves itself, offline and for ever.
//!
//! A certificate is one JSON object, `lode.certificate/1`, for a licence that was
//! bought for months `lode.certificate/2`, that holds every item that its proof needs. Binary parts are base64url of their bytes.
//!
//! | field | what it is |
//! |---|---|
//! | `text` | what is proven, for people ([`Proven::text`]) |
//! | `license`, `terms` | the same for programs: the licence's fields, the tags of its terms |
//! | `proof` | genesis, record, receipt, its path, and the header that names the receipts' root |
//! | `block` | the header of the record's block, which dates it |
//! | `asset` | the record that made the asset and put it under its first terms |
//! | `vote` | where the licence is under other terms: the vote of a holder that carries their tags |
//!
//! What holds of a certificate that verifies, each from the one before:
//!
//! 1. The genesis names who signs its blocks, and the network by that and its own words.
//! 2. That signer signed both headers, for this network; the second follows the first.
//! 3. The second header's receipts root proves the receipt.
//! 4. The receipt is the record's, no rule rejected it, and it issues the licence.
//! 5. The licensee signed the record, for this network: it buys this grant of this asset under these terms.
//! 6. The asset's own record, or else a vote on that asset's terms, carries the terms. They have
//!    the id that was bought under, and sell the grant for the price that was paid, for so many
//!    months. That the vote had come into force then is in the receipt: the ledger sells under no
//!    other terms.
//! 7. What stands beside the proof (`text`, `license`, `terms`) says exactly this; an unknown field at any depth is refused.
//!
//! The receipt's place among the parent block's receipts, and their number, are the file's word: they lead to the root, but other
//! numbers may lead there too.
//!
//! Which network counts is the reader's to say: anyone can begin one. So its id
//! is compared with one that the reader knows. The text is part of the format:
//! a change of its words needs a new number in the schema.

use protocol::ans104::VerifiedItem;
use protocol::api::{LicenseView, ReceiptProof, to_base64url};
use protocol::json;
use protocol::record::{AssetKind, BlobRef};
use protocol::text::{Name, excerpt};
use protocol::{Address, Amount, Digest, NetworkId};
use serde::{Deserialize, Serialize};

use crate::{Grant, Terms};
use proof::prove;

mod error;
mod proof;
mod text;

pub use error::{CertificateError, Part};
pub use text::utc;

/// The schema of a certificate of a licence that was paid once.
pub const SCHEMA: &str = "lode.certificate/1";

/// The schema of a certificate of a licence that was bought for months.
pub const SCHEMA_MONTHS: &str = "lode.certificate/2";

const fn schema_of(license: &LicenseView) -> &'static str {
    match license.term {
        None => SCHEMA,
        Some(_) => SCHEMA_MONTHS,
    }
}

/// The most bytes that a certificate may have: a genesis of 4 MiB and two records fit.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 20;

/// A certificate, as it stands in its file. Nothing of it is proven before [`Self::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`SCHEMA`] or [`SCHEMA_MONTHS`].
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
    /// The vote item that carries the terms; none: the asset's own record does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<String>,
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
    /// Its folder: an archive, or the ciphertext of one.
    pub blob: BlobRef,
    /// Whether that is a ciphertext, which the maker sealed before its bounty was scored.
    pub is_sealed: bool,
    /// The weights digest, where the maker's record states one.
    pub weights_digest: Option<Digest>,
    /// The terms.
    pub terms: Terms,
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
        Self::of(proof, block, asset, None)
    }

    /// The same for a licence under terms that holders voted for: `vote` carries their tags.
    ///
    /// # Errors
    /// [`CertificateError`] if they prove no licence.
    pub fn with_vote(
        proof: ReceiptProof,
        block: &VerifiedItem,
        asset: &VerifiedItem,
        vote: &VerifiedItem,
    ) -> Result<Self, CertificateError> {
        Self::of(proof, block, asset, Some(vote))
    }

    fn of(
        proof: ReceiptProof,
        block: &VerifiedItem,
        asset: &VerifiedItem,
        vote: Option<&VerifiedItem>,
    ) -> Result<Self, CertificateError> {
        let (block, asset) = (to_base64url(block.bytes()), to_base64url(asset.bytes()));
        let vote = vote.map(|vote| to_base64url(vote.bytes()));
        let proven = prove(&proof, &block, &asset, vote.as_deref())?;
        Ok(Self {
            schema: schema_of(&proven.license).to_owned(),
            text: proven.text(),
            license: proven.license,
            terms: pairs(&proven.terms),
            proof,
            block,
            asset,
            vote,
        })
    }

    /// Reads a certificate's file. Nothing is proven yet.
    ///
    /// # Errors
    /// [`CertificateError::Form`], [`CertificateError::Schema`].
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let read: Self =
            json::from_slice_exact(bytes, CERTIFICATE_BYTES_MAX).map_err(CertificateError::Form)?;
        if ![SCHEMA, SCHEMA_MONTHS].contains(&read.schema.as_str()) {
            return Err(CertificateError::Schema(excerpt(&read.schema)));
        }
        Ok(read)
    }

    /// Checks all of it, against the network that the reader knows, if one is given.
    ///
    /// # Errors
    /// [`CertificateError`] names what does not hold.
    pub fn verify(&self, network: Option<NetworkId>) -> Result<Proven, CertificateError> {
        let vote = self.vote.as_deref();
        let proven = prove(&self.proof, &self.block, &self.asset, vote)?;
        let found = proven.network;
        match network {
            Some(expected) if expected != found => {
                return Err(CertificateError::OtherNetwork { expected, found });
            }
            _ => {}
        }
        for (field, is_same) in [
            ("schema", self.schema == schema_of(&proven.license)),
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
