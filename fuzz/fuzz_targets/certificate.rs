//! A licence certificate: reading and verifying never panics, what is proven is
//! proven again from what is written; as it is, and with every link of the proof put
//! right (signatures, ids, roots), so that mutations reach terms, prices and votes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use licensing::{Certificate, Terms};
use lode_fuzz::{draft_of, key, key_of, signed_again};
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::api::{ReceiptProof, from_base64url, to_base64url};
use protocol::block::{Header, HeaderRecord};
use protocol::json;
use protocol::merkle::{self, Proof};
use protocol::receipt::{Cause, Event, Receipt};
use protocol::record::{Action, Envelope, GenesisRecord, Transaction};
use protocol::{Amount, ItemId, NetworkId};

fuzz_target!(|data: &[u8]| {
    let Ok(certificate) = Certificate::read(data) else {
        return;
    };
    check(&certificate);
    if let Some(((proof, block, asset, vote), purchase, terms)) = mended(&certificate) {
        let made = match &vote {
            Some(vote) => Certificate::with_vote(proof, &block, &asset, vote),
            None => Certificate::new(proof, &block, &asset),
        };
        if let Ok(made) = made {
            let proven = made.verify(None).expect("what proves a licence verifies");
            let Action::BuyLicense { body, .. } = &purchase.action else {
                panic!("only a purchase is one");
            };
            let license = &proven.license;
            assert_eq!(
                (license.id, license.asset, license.licensee, license.grant),
                (purchase.id, asset.id(), purchase.signer, body.grant)
            );
            assert_eq!((license.terms, license.price), (terms.id(), body.price_max));
            assert_eq!(proven.terms, terms);
            check(&made);
        }
    }
});

fn check(certificate: &Certificate) {
    let proven = certificate.verify(None).ok();
    let written = json::to_vec(certificate);
    let again = Certificate::read(&written).expect("what is written is read");
    assert_eq!(&again, certificate);
    assert_eq!(again.verify(None).ok(), proven);
    if let Some(proven) = proven {
        assert!(certificate.verify(Some(proven.network)).is_ok());
        assert_eq!(proven.license, certificate.license);
    }
}

fn item(text: &str) -> Option<SignedItem> {
    SignedItem::from_vec(from_base64url(text)?).ok()
}

/// The record that an item is, on this network and perhaps of another action.
fn record(
    text: &str,
    network: NetworkId,
    change: impl FnOnce(&mut Action),
) -> Option<(VerifiedItem, Transaction)> {
    let item = item(text)?;
    let owner = key_of(&item.owner());
    let read = Transaction::of_draft(owner.public().address(), &draft_of(&item)).ok()?;
    let (mut action, envelope) = (read.action, read.envelope);
    change(&mut action);
    let envelope = Envelope {
        network,
        ..envelope
    };
    let signed = Transaction::draft(&envelope, &action).sign(owner).ok()?;
    let read = Transaction::read(&signed).ok()?;
    Some((signed, read))
}

fn header(text: &str) -> Option<Header> {
    let read = HeaderRecord::read(&signed_again(&item(text)?)).ok()?;
    Some(read.header)
}

type Parts = (
    ReceiptProof,
    VerifiedItem,
    VerifiedItem,
    Option<VerifiedItem>,
);

/// The parts of a certificate, each of which names the one before as it is by now; the purchase that they
/// prove, and the terms.
fn mended(certificate: &Certificate) -> Option<(Parts, Transaction, Terms)> {
    let proof = &certificate.proof;
    let genesis = draft_of(&item(&proof.genesis)?).sign(key()).ok()?;
    let GenesisRecord {
        network,
        genesis: begun,
        ..
    } = GenesisRecord::read(&genesis).ok()?;
    let (asset, made) = record(&certificate.asset, network, |_| ())?;
    let mut terms = made.action.terms().to_vec();
    let mut vote = None;
    if let Some(text) = &certificate.vote {
        let (signed, cast) = record(text, network, |action| {
            if let Action::VoteTerms { asset: of, .. } = action {
                *of = asset.id();
            }
        })?;
        terms = cast.action.terms().to_vec();
        vote = Some(signed);
    }
    let terms = Terms::parse(&terms).ok()?;
    let (bought, purchase) = record(&proof.record, network, |action| {
        if let Action::BuyLicense { asset: of, body } = action {
            (*of, body.terms) = (asset.id(), terms.id());
            let price = price(
                &terms,
                body.grant,
                body.months,
                begun.parameters.revenue_minimum,
            );
            body.price_max = price.unwrap_or(body.price_max);
        }
    })?;
    let block = Header {
        parent: genesis.id(),
        ..header(&certificate.block)?
    };
    let block_item = block.draft(network).sign(key()).ok()?;
    let mut receipt: Receipt = borsh::from_slice(&from_base64url(&proof.receipt)?).ok()?;
    relink(
        &mut receipt,
        &purchase,
        &asset.id(),
        &block,
        begun.parameters.month_ms,
    );
    let leaf = receipt.to_leaf();
    let next = Header {
        height: block.height.checked_add(1)?,
        parent: block_item.id(),
        receipts_root: merkle::root(&[&leaf[..]]),
        ..header(&proof.header)?
    };
    let next = next.draft(network).sign(key()).ok()?;
    let proof = ReceiptProof {
        genesis: to_base64url(genesis.bytes()),
        record: to_base64url(bought.bytes()),
        receipt: to_base64url(&leaf),
        place: 0,
        receipts: 1,
        path: Proof { path: Vec::new() },
        header: to_base64url(next.bytes()),
        network,
    };
    Some(((proof, block_item, asset, vote), purchase, terms))
}

/// What a grant costs for so many months.
fn price(terms: &Terms, grant: licensing::Grant, months: u32, minimum: Amount) -> Option<Amount> {
    terms.quote(grant).ok()?.total(months, minimum).ok()?
}

/// The receipt of this purchase, in this block.
fn relink(
    receipt: &mut Receipt,
    purchase: &Transaction,
    asset: &ItemId,
    block: &Header,
    month_ms: u64,
) {
    let Action::BuyLicense { body, .. } = &purchase.action else {
        return;
    };
    receipt.cause = Cause::Record(purchase.id);
    for event in &mut receipt.events {
        match event {
            Event::LicenseIssued {
                license,
                asset: of,
                licensee,
                grant,
                terms,
                price,
            } => {
                (*license, *of, *licensee) = (purchase.id, *asset, purchase.signer);
                (*grant, *terms, *price) = (body.grant, body.terms, body.price_max);
            }
            Event::LicenseRuns {
                license,
                months,
                until_ms,
            } => {
                (*license, *months) = (purchase.id, body.months);
                *until_ms = self::until_ms(block, body.months, month_ms);
            }
            _ => {}
        }
    }
    let runs = |event: &Event| matches!(event, Event::LicenseRuns { .. });
    if body.months > 0 && !receipt.events.iter().any(runs) {
        receipt.events.push(Event::LicenseRuns {
            license: purchase.id,
            months: body.months,
            until_ms: until_ms(block, body.months, month_ms),
        });
    }
}

/// When a licence ends that was bought in this block.
fn until_ms(block: &Header, months: u32, month_ms: u64) -> u64 {
    let length_ms = u64::from(months).saturating_mul(month_ms);
    block.time_ms.saturating_add(length_ms)
}
