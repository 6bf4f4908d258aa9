//! The proof, step by step: from the genesis to the terms.

use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::api::{LicenseTerm, LicenseView, ReceiptProof, from_base64url, to_base64url};
use protocol::block::HeaderRecord;
use protocol::receipt::{Cause, Event, Receipt};
use protocol::record::{Action, AssetKind, BlobRef, BuyLicense, GenesisRecord, Transaction};
use protocol::text::Name;
use protocol::{Address, Digest, ItemId, NetworkId};

use super::{CertificateError, Part, Proven};
use crate::{Price, Quote, Terms};

/// Steps 1 to 6 of the module's head.
pub(super) fn prove(
    proof: &ReceiptProof,
    block: &str,
    asset: &str,
    vote: Option<&str>,
) -> Result<Proven, CertificateError> {
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
    let mut license = LicenseView {
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
    let mut asset = read_asset(asset, genesis.network)?;
    if asset.id != license.asset {
        return Err(disagree("asset", Part::Asset));
    }
    if let Some(vote) = vote {
        // One licence has one certificate: the vote stands there only where it is needed.
        if asset.terms.id() == license.terms {
            return Err(CertificateError::Stated("vote"));
        }
        asset.terms = read_vote(vote, genesis.network, asset.id)?;
    }
    let found = asset.terms.id();
    if found != license.terms {
        let expected = license.terms;
        return Err(CertificateError::TermsId { expected, found });
    }
    let quote = asset.terms.quote(license.grant);
    let quote = quote.map_err(CertificateError::NotSold)?;
    let minimum = genesis.genesis.parameters.revenue_minimum;
    let total = quote.total(wanted.months, minimum);
    if total.map_err(CertificateError::NotSold)? != Some(license.price) {
        return Err(disagree("price", Part::Asset));
    }
    license.term = term(&quote, wanted.months, license.time_ms, &genesis);
    if runs(&receipt, &license) != license.term.map(|term| (term.months, term.until_ms)) {
        return Err(disagree("term", Part::Receipt));
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
        is_sealed: asset.is_sealed,
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
            term: None,
            progress: None,
        }),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(license), None) if license.id == purchase.id => Ok(license),
        _ => Err(CertificateError::NoLicense),
    }
}

/// For how long it was bought, in the months of its network.
fn term(quote: &Quote, months: u32, time_ms: u64, genesis: &GenesisRecord) -> Option<LicenseTerm> {
    if matches!(quote.price, Price::OneTime(_)) {
        return None;
    }
    let parameters = &genesis.genesis.parameters;
    let month_price = quote.price.unit(parameters.revenue_minimum);
    let length_ms = u64::from(months).saturating_mul(parameters.month_ms);
    Some(LicenseTerm {
        months,
        month_price,
        until_ms: time_ms.saturating_add(length_ms),
        owes_share: quote.price.share().is_some(),
    })
}

/// For how many months the receipt says that the licence runs, and until when.
fn runs(receipt: &Receipt, issued: &LicenseView) -> Option<(u32, u64)> {
    receipt.events.iter().find_map(|event| match *event {
        Event::LicenseRuns {
            license,
            months,
            until_ms,
        } if license == issued.id => Some((months, until_ms)),
        _ => None,
    })
}

/// What the record that made an asset says of it.
struct Made {
    id: ItemId,
    kind: AssetKind,
    name: Name,
    maker: Address,
    blob: BlobRef,
    is_sealed: bool,
    weights_digest: Option<Digest>,
    terms: Terms,
}

fn read_asset(text: &str, network: NetworkId) -> Result<Made, CertificateError> {
    let transaction = transaction(Part::Asset, text, network)?;
    let terms = Terms::parse(transaction.action.terms());
    let is_sealed = matches!(transaction.action, Action::CommitSubmission { .. });
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
        is_sealed,
        weights_digest,
        terms: terms.map_err(CertificateError::Terms)?,
    })
}

/// The terms that a vote on an asset is for.
fn read_vote(text: &str, network: NetworkId, asset: ItemId) -> Result<Terms, CertificateError> {
    let transaction = transaction(Part::Vote, text, network)?;
    match &transaction.action {
        Action::VoteTerms { asset: on, terms } if *on == asset => {
            Terms::parse(terms).map_err(CertificateError::Terms)
        }
        Action::VoteTerms { .. } => Err(CertificateError::Disagree {
            what: "asset",
            part: Part::Vote,
        }),
        other => Err(CertificateError::NotAVote(other.record_type())),
    }
}
