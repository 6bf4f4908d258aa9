use protocol::ItemId;
use protocol::ans104::Draft;
use protocol::api::from_base64url;
use protocol::block::{Header, items_root};
use protocol::id::BlobId;
use protocol::keys::SecretKey;
use protocol::merkle;
use protocol::receipt::{Cause, Event, Move, Purse, Receipt, Rule, receipts_root};
use protocol::record::{
    Action, BuyLicense, Envelope, Genesis, GenesisRecord, LOG_VERSION, Parameters, RegisterAsset,
    Transaction,
};
use protocol::text::Code;

use super::*;
use crate::{CommercialUse, Fee, Percent};

const TIME_MS: u64 = 1_767_225_600_000;

/// The parts of a licence's proof, each of which a test may change before they are signed.
struct Parts {
    salt: &'static str,
    record_network: Option<NetworkId>,
    grant: Grant,
    bought_terms: Option<Digest>,
    price: Amount,
    price_max: Amount,
    event_price: Option<Amount>,
    /// For how many months it is sold; 0: once.
    months: u32,
    /// For a share of revenue instead of the price.
    share: Option<Percent>,
    /// For how many the record asks, and the receipt says that it runs, if otherwise.
    record_months: Option<u32>,
    event_months: Option<u32>,
    rejected: Option<Code>,
    events: usize,
    /// Who signs genesis and second header.
    proposer: u8,
    block_signer: u8,
    header_parent: Option<ItemId>,
    header_height: u64,
    voted: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            salt: "certificates",
            record_network: None,
            grant: Grant::CommercialUse,
            bought_terms: None,
            price: lode_of(300),
            price_max: lode_of(300),
            event_price: None,
            months: 0,
            share: None,
            record_months: None,
            event_months: None,
            rejected: None,
            events: 1,
            proposer: 1,
            block_signer: 1,
            header_parent: None,
            header_height: 3,
            voted: false,
        }
    }
}

fn lode_of(count: u64) -> Amount {
    Amount::from_lode(count).unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn sign(draft: Draft, seed: u8) -> VerifiedItem {
    draft.sign(&key(seed)).unwrap()
}

fn empty_root() -> Digest {
    merkle::root_of_hashes(&[])
}

impl Parts {
    fn proof(self) -> (ReceiptProof, VerifiedItem, VerifiedItem) {
        let (proof, block, asset, _) = self.with_vote();
        (proof, block, asset)
    }

    /// The same with the vote that carries the terms; the asset's own are others if it was one.
    fn with_vote(self) -> (ReceiptProof, VerifiedItem, VerifiedItem, VerifiedItem) {
        let genesis = Genesis {
            version: LOG_VERSION,
            name: Name::new("Lode test").unwrap(),
            salt: Name::new(self.salt).unwrap(),
            time_ms: TIME_MS,
            parameters: Parameters::default(),
            allocations: Vec::new(),
        };
        let genesis = sign(genesis.draft(), self.proposer);
        let network = GenesisRecord::read(&genesis).unwrap().network;
        let envelope = Envelope {
            network: self.record_network.unwrap_or(network),
            nonce: 0,
            valid_until_ms: TIME_MS + 60_000,
        };
        let terms = Terms {
            commercial_use: match (self.share, self.months) {
                (Some(share), _) => Some(CommercialUse::RevenueShare(share)),
                (None, 0) => Fee::new(self.price).map(CommercialUse::FeeOneTime),
                (None, _) => Fee::new(self.price).map(CommercialUse::FeeMonthly),
            },
            ..Terms::default()
        };
        let body = RegisterAsset {
            kind: AssetKind::Model,
            name: Name::new("A reader of forms").unwrap(),
            archive: BlobRef {
                id: BlobId([7; 32]),
                size_bytes: 1_234,
            },
            weights_digest: Some(Digest([9; 32])),
            parents: Vec::new(),
            holders: Vec::new(),
            self_funding_ppm: 0,
        };
        let register = Action::RegisterAsset {
            terms: match self.voted {
                true => crate::presets::open().to_tags(),
                false => terms.to_tags(),
            },
            body,
        };
        let own = Envelope {
            network,
            ..envelope
        };
        let asset = sign(Transaction::draft(&own, &register), 2);
        let vote = Action::VoteTerms {
            asset: asset.id(),
            terms: terms.to_tags(),
        };
        let vote = sign(Transaction::draft(&own, &vote), 5);
        let body = BuyLicense {
            grant: self.grant,
            terms: self.bought_terms.unwrap_or(terms.id()),
            price_max: self.price_max,
            months: self.record_months.unwrap_or(self.months),
        };
        let buy = Action::BuyLicense {
            asset: asset.id(),
            body,
        };
        let record = sign(Transaction::draft(&envelope, &buy), 3);
        let units = u128::from(self.months.max(1));
        let price = self.price.checked_mul(units).unwrap();
        let price = self.event_price.unwrap_or(price);
        let months = self.event_months.unwrap_or(self.months);
        let runs = Event::LicenseRuns {
            license: record.id(),
            months,
            until_ms: TIME_MS + 2_000 + u64::from(months) * Parameters::default().month_ms,
        };
        let event = Event::LicenseIssued {
            license: record.id(),
            asset: asset.id(),
            licensee: record.address(),
            grant: self.grant,
            terms: terms.id(),
            price,
        };
        let receipt = Receipt {
            cause: Cause::Record(record.id()),
            rejected: self.rejected,
            moves: vec![Move {
                from: Purse::Account(record.address()),
                to: Purse::Income(asset.id()),
                amount: price,
                rule: Rule::LicenseIncome,
            }],
            events: [vec![event; self.events], vec![runs; months.min(1) as usize]].concat(),
        };
        let other = |byte| Receipt {
            cause: Cause::Deadline(ItemId([byte; 32])),
            rejected: None,
            moves: Vec::new(),
            events: Vec::new(),
        };
        let receipts = [other(1), receipt, other(2)];
        let leaves: Vec<Vec<u8>> = receipts.iter().map(Receipt::to_leaf).collect();
        let header = |height, parent, items: &[ItemId], receipts_root| Header {
            height,
            time_ms: TIME_MS + height * 1_000,
            parent,
            items: items.len() as u32,
            items_root: items_root(items.iter().copied()),
            state_root: Digest([5; 32]),
            receipts_root,
        };
        let block = header(2, genesis.id(), &[record.id()], empty_root());
        let block = sign(block.draft(network), self.block_signer);
        let parent = self.header_parent.unwrap_or(block.id());
        let next = header(self.header_height, parent, &[], receipts_root(&receipts));
        let next = sign(next.draft(network), self.proposer);
        let proof = ReceiptProof {
            genesis: to_base64url(genesis.bytes()),
            record: to_base64url(record.bytes()),
            receipt: to_base64url(&leaves[1]),
            place: 1,
            receipts: 3,
            path: merkle::proof(&leaves, 1).unwrap(),
            header: to_base64url(next.bytes()),
            network,
        };
        (proof, block, asset, vote)
    }
}

/// A licence for five months at 60 LODE each.
fn five_months() -> Parts {
    Parts {
        price: lode_of(60),
        months: 5,
        ..Parts::default()
    }
}

fn certificate_of(parts: Parts) -> Certificate {
    let (proof, block, asset) = parts.proof();
    Certificate::new(proof, &block, &asset).unwrap()
}

fn certificate() -> Certificate {
    certificate_of(Parts::default())
}

/// What `new` finds wrong with these parts.
fn check(parts: Parts, code: &str) {
    let (proof, block, asset) = parts.proof();
    let error = Certificate::new(proof, &block, &asset).expect_err(code);
    assert_eq!(error.code(), code, "{error}");
}

#[test]
fn a_certificate_proves_its_licence() {
    let certificate = certificate();
    let bytes = json::to_vec(&certificate);
    let read = Certificate::read(&bytes).unwrap();
    assert_eq!(read, certificate);
    let proven = read.verify(None).unwrap();
    assert_eq!(read.verify(Some(proven.network)).as_ref(), Ok(&proven));
    assert_eq!(proven.license.licensee, key(3).public().address());
    assert_eq!(proven.maker, key(2).public().address());
    assert_eq!(proven.proposer, key(1).public().address());
    assert_eq!(proven.license.price, lode_of(300));
    assert_eq!(
        (proven.license.height, proven.license.time_ms),
        (2, TIME_MS + 2_000)
    );
    assert_eq!(proven.weights_digest, Some(Digest([9; 32])));
}

/// The body of a genesis is public: whoever signs it anew begins a network of its own with it.
#[test]
fn somebody_elses_signature_under_the_same_genesis_is_another_network() {
    let network = certificate().verify(None).unwrap().network;
    let forged = certificate_of(Parts {
        proposer: 8,
        block_signer: 8,
        ..Parts::default()
    });
    let found = forged.verify(None).unwrap().network;
    let error = forged.verify(Some(network)).unwrap_err();
    let expected = CertificateError::OtherNetwork {
        expected: network,
        found,
    };
    assert_eq!(error, expected);
    // Nor do records of the one count on the other.
    let mut mixed = forged;
    mixed.asset = certificate().asset;
    let error = mixed.verify(None).unwrap_err();
    assert_eq!(error.code(), "certificate_network");
}

#[test]
fn a_field_that_is_not_read_is_refused_at_every_depth() {
    let text = String::from_utf8(json::to_vec(&certificate())).unwrap();
    assert!(Certificate::read(text.as_bytes()).is_ok());
    for (place, with) in [
        (r#""license":{"#, r#""license":{"exclusive":true,"#),
        (r#""proof":{"#, r#""proof":{"checked":true,"#),
        (r#"{"schema""#, r#"{"valid":true,"schema""#),
    ] {
        assert!(text.contains(place), "{place}");
        let changed = text.replacen(place, with, 1);
        let error = Certificate::read(changed.as_bytes()).expect_err(with);
        assert_eq!(error.code(), "certificate_form", "{error}");
    }
}

#[test]
fn terms_that_holders_voted_for_are_proven_by_a_vote() {
    let voted = || Parts {
        voted: true,
        ..Parts::default()
    };
    let (proof, block, asset, vote) = voted().with_vote();
    let error = Certificate::new(proof.clone(), &block, &asset).unwrap_err();
    assert_eq!(error.code(), "certificate_terms_id");
    let certificate = Certificate::with_vote(proof, &block, &asset, &vote).unwrap();
    let read = Certificate::read(&json::to_vec(&certificate)).unwrap();
    assert_eq!(read, certificate);
    let proven = read.verify(None).unwrap();
    assert_eq!(proven.terms.id(), proven.license.terms);
    assert_eq!(proven.maker, key(2).public().address());
    let changes: [(&str, Change); 4] = [
        ("certificate_terms_id", |c| c.vote = None),
        ("certificate_not_a_vote", |c| {
            c.vote = Some(c.asset.clone());
        }),
        ("certificate_encoding", |c| c.vote = Some("=".to_owned())),
        ("certificate_network", |c| {
            let other = Parts {
                salt: "another network",
                voted: true,
                ..Parts::default()
            };
            c.vote = Some(to_base64url(other.with_vote().3.bytes()));
        }),
    ];
    for (code, change) in changes {
        let mut changed = certificate.clone();
        change(&mut changed);
        let error = changed.verify(None).expect_err(code);
        assert_eq!(error.code(), code, "{error}");
    }
    // A vote for other terms, and one on another asset.
    let other = Parts {
        price: lode_of(299),
        ..voted()
    };
    let mut changed = certificate.clone();
    changed.vote = Some(to_base64url(other.with_vote().3.bytes()));
    let error = changed.verify(None).unwrap_err();
    assert_eq!(error.code(), "certificate_terms_id");
    let other = Parts::default().with_vote().3;
    changed.vote = Some(to_base64url(other.bytes()));
    let error = changed.verify(None).unwrap_err();
    assert_eq!(error.code(), "certificate_disagrees");
    // And where it is not needed there is none.
    let (proof, block, asset, vote) = Parts::default().with_vote();
    let error = Certificate::with_vote(proof, &block, &asset, &vote).unwrap_err();
    assert_eq!(error, CertificateError::Stated("vote"));
}

#[test]
fn the_words_of_the_text_are_part_of_the_format() {
    let text = certificate().text;
    assert_eq!(text, include_str!("certificate.txt"));
}

#[test]
fn months_are_proven_with_what_each_costs_and_until_when_they_run() {
    let certificate = certificate_of(five_months());
    assert_eq!(certificate.schema, SCHEMA_MONTHS);
    let read = Certificate::read(&json::to_vec(&certificate)).unwrap();
    let proven = read.verify(None).unwrap();
    let term = proven.license.term.unwrap();
    // 150 days after 2026-01-01 00:00:02.
    let until_ms = TIME_MS + 2_000 + 150 * 24 * 3_600_000;
    assert_eq!((term.months, term.until_ms), (5, until_ms));
    assert_eq!(term.month_price, lode_of(60));
    assert_eq!(proven.license.price, lode_of(300));
    assert_eq!(proven.license.progress, None);
    let me = proven.license.licensee;
    for line in [
        format!(
            "{me} may use the model 'A reader of forms' in or for a business, \
             until 2026-05-31 00:00:02 UTC, under the terms below."
        ),
        "Runs until  2026-05-31 00:00:02 UTC".to_owned(),
        "  bought    5 months, at 60 LODE each".to_owned(),
    ] {
        assert!(
            read.text.lines().any(|it| it == line),
            "{line}: {}",
            read.text
        );
    }
    for (code, change) in [
        (
            "certificate_not_sold",
            (|p| p.record_months = Some(0)) as fn(&mut Parts),
        ),
        ("certificate_disagrees", |p| p.record_months = Some(6)),
        ("certificate_disagrees", |p| p.event_months = Some(6)),
        ("certificate_disagrees", |p| p.event_months = Some(0)),
        ("certificate_disagrees", |p| {
            p.event_price = Some(lode_of(60))
        }),
    ] {
        let mut parts = five_months();
        change(&mut parts);
        check(parts, code);
    }
    for change in [(|c| c.license.term = None) as fn(&mut Certificate), |c| {
        c.license.term.as_mut().unwrap().until_ms += 1
    }] {
        let mut changed = certificate.clone();
        change(&mut changed);
        let error = changed.verify(None).unwrap_err();
        assert_eq!(error, CertificateError::Stated("license"));
    }
}

#[test]
fn a_share_of_revenue_is_certified_at_the_networks_minimum() {
    let minimum = Parameters::default().revenue_minimum;
    let parts = |price| Parts {
        share: Percent::from_whole(5),
        price,
        ..five_months()
    };
    let certificate = certificate_of(parts(minimum));
    assert_eq!(certificate.schema, SCHEMA_MONTHS);
    let term = certificate.verify(None).unwrap().license.term.unwrap();
    assert!(term.owes_share);
    assert_eq!((term.months, term.month_price), (5, minimum));
    for words in ["at 10 LODE each", "this text cannot know: ask a node"] {
        assert!(certificate.text.contains(words), "{}", certificate.text);
    }
    check(parts(lode_of(9)), "certificate_disagrees");
}

#[test]
fn each_kind_of_licence_has_its_schema() {
    for (mut certificate, schema) in [
        (certificate(), SCHEMA_MONTHS),
        (certificate_of(five_months()), SCHEMA),
    ] {
        certificate.schema = schema.to_owned();
        let error = certificate.verify(None).unwrap_err();
        assert_eq!(error, CertificateError::Stated("schema"));
    }
}

#[test]
fn the_first_sentence_says_what_each_grant_and_term_permit() {
    let mut proven = certificate().verify(None).unwrap();
    let me = proven.license.licensee;
    for (grant, kind, years, text) in [
        (
            Grant::Access,
            AssetKind::DataSet,
            None,
            "download the data set 'A reader of forms', without limit of time,",
        ),
        (
            Grant::Derivation,
            AssetKind::Model,
            Some(1),
            "make something new from the model 'A reader of forms', for 1 year,",
        ),
        (
            Grant::DataModelTraining,
            AssetKind::DataSet,
            Some(3),
            "train models on the data set 'A reader of forms', for 3 years,",
        ),
        (
            Grant::DataModelTraining,
            AssetKind::Model,
            None,
            "train models on the model 'A reader of forms' and on what it puts out, without limit of time,",
        ),
    ] {
        proven.license.grant = grant;
        proven.asset_kind = kind;
        proven.terms.expiry_years = years.and_then(std::num::NonZeroU32::new);
        let expected = format!("LICENCE\n\n{me} may {text} under the terms below.\n\n");
        assert!(proven.text().starts_with(&expected), "{}", proven.text());
    }
}

#[test]
fn parts_that_prove_no_licence_are_refused_by_name() {
    let with = |change: fn(&mut Parts)| {
        let mut parts = Parts::default();
        change(&mut parts);
        parts
    };
    for (code, parts) in [
        (
            "certificate_network",
            with(|p| p.record_network = Some(NetworkId([1; 32]))),
        ),
        (
            "certificate_not_sold",
            with(|p| p.grant = Grant::Derivation),
        ),
        (
            "certificate_disagrees",
            with(|p| p.bought_terms = Some(Digest([1; 32]))),
        ),
        (
            "certificate_disagrees",
            with(|p| p.price_max = lode_of(299)),
        ),
        (
            "certificate_disagrees",
            with(|p| p.event_price = Some(lode_of(1))),
        ),
        (
            "certificate_rejected",
            with(|p| p.rejected = Some(Code::lossy("no"))),
        ),
        ("certificate_no_license", with(|p| p.events = 0)),
        ("certificate_no_license", with(|p| p.events = 2)),
        ("certificate_proposer", with(|p| p.block_signer = 4)),
        (
            "certificate_not_next",
            with(|p| p.header_parent = Some(ItemId([1; 32]))),
        ),
        ("certificate_not_next", with(|p| p.header_height = 4)),
    ] {
        check(parts, code);
    }
}

#[test]
fn parts_of_another_certificate_do_not_fit() {
    let mine = certificate();
    let other = Parts {
        salt: "another network",
        ..Parts::default()
    };
    let (proof, block, asset) = other.proof();
    let theirs = Certificate::new(proof, &block, &asset).unwrap();
    let changes: [(&str, Swap); 8] = [
        ("certificate_network", |c, o| {
            c.proof.genesis = o.proof.genesis.clone()
        }),
        ("certificate_network", |c, o| {
            c.proof.record = o.proof.record.clone()
        }),
        ("certificate_network", |c, o| {
            c.proof.header = o.proof.header.clone()
        }),
        ("certificate_network", |c, o| c.block = o.block.clone()),
        ("certificate_network", |c, o| c.asset = o.asset.clone()),
        ("certificate_not_on_log", |c, o| {
            c.proof.receipt = o.proof.receipt.clone()
        }),
        ("certificate_record", |c, _| c.asset = c.block.clone()),
        ("certificate_not_an_asset", |c, _| {
            c.asset = c.proof.record.clone()
        }),
    ];
    for (code, change) in changes {
        let mut changed = mine.clone();
        change(&mut changed, &theirs);
        let error = changed.verify(None).expect_err(code);
        assert_eq!(error.code(), code, "{error}");
    }
    let network = theirs.proof.network;
    let error = mine.verify(Some(network)).unwrap_err();
    assert_eq!(error.code(), "certificate_other_network");
    assert!(theirs.verify(Some(network)).is_ok());
}

#[test]
fn what_stands_beside_the_proof_says_what_is_proven() {
    let changes: [(&str, Change); 6] = [
        ("text", |c| c.text.push(' ')),
        ("text", |c| c.text = c.text.replace("300", "3")),
        ("license", |c| c.license.price = lode_of(1)),
        ("license", |c| c.license.time_ms += 1),
        ("terms", |c| c.terms[1].1 = "Allowed".into()),
        ("proof.network", |c| c.proof.network = NetworkId([0; 32])),
    ];
    for (field, change) in changes {
        let mut changed = certificate();
        change(&mut changed);
        let error = changed.verify(None).expect_err(field);
        assert_eq!(error, CertificateError::Stated(field));
    }
    let mut other = certificate();
    other.schema = "lode.certificate/3".into();
    let error = Certificate::read(&json::to_vec(&other)).unwrap_err();
    assert_eq!(error.code(), "certificate_schema");
    assert_eq!(
        Certificate::read(b"{}").unwrap_err().code(),
        "certificate_form"
    );
}

/// A change of a certificate.
type Change = fn(&mut Certificate);

/// A change that takes something from another one.
type Swap = fn(&mut Certificate, &Certificate);

/// A binary part, by name.
type Binary = fn(&mut Certificate) -> &mut String;

#[test]
fn no_byte_of_a_binary_part_can_be_changed() {
    let whole = certificate();
    let parts: [(&str, Binary); 6] = [
        ("genesis", |c| &mut c.proof.genesis),
        ("record", |c| &mut c.proof.record),
        ("receipt", |c| &mut c.proof.receipt),
        ("header", |c| &mut c.proof.header),
        ("block", |c| &mut c.block),
        ("asset", |c| &mut c.asset),
    ];
    for (name, part) in parts {
        let mut changed = whole.clone();
        let bytes = from_base64url(part(&mut changed)).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            *part(&mut changed) = to_base64url(&bytes);
            assert!(changed.verify(None).is_err(), "{name}, byte {at}");
        }
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            *part(&mut changed) = to_base64url(&bytes[..cut]);
            assert!(changed.verify(None).is_err(), "{name} cut to {cut}");
        }
        *part(&mut changed) = to_base64url(&[&bytes[..], &[0]].concat());
        assert!(changed.verify(None).is_err(), "{name} with a byte more");
        for loose in ["=", "\n", "A"] {
            *part(&mut changed) = to_base64url(&bytes) + loose;
            assert!(changed.verify(None).is_err(), "{name} with {loose:?}");
        }
    }
    for step in 0..whole.proof.path.path.len() {
        for at in 0..32 {
            let mut changed = whole.clone();
            changed.proof.path.path[step].0[at] ^= 1 << (at % 8);
            let error = changed.verify(None).unwrap_err();
            assert_eq!(error.code(), "certificate_not_on_log");
        }
    }
    assert!(whole.verify(None).is_ok());
}
