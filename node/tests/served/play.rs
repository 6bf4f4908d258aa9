//! People who post, submit, register and buy, for tests that need a market.

use std::io::Cursor;

use client::blob_ref_of;
use licensing::{CommercialUse, Fee, PaymentMode, Terms};
use protocol::ItemId;
use protocol::record::*;
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::text::Name;

use crate::posting::{HOUR_MS, posting};
use crate::support::{Choices, Served, address, lode};

/// What every seal of these tests is made with.
pub fn seal_key() -> SealKey {
    SealKey::from_bytes([3; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn priced(payment_mode: PaymentMode) -> Terms {
    Terms {
        commercial_use: Some(CommercialUse::FeeOneTime(Fee::new(lode(7)).unwrap())),
        payment_mode,
        ..Terms::default()
    }
}

/// The registration of a data set.
pub fn registration(text: &str, archive: BlobRef, payment_mode: PaymentMode) -> Action {
    Action::RegisterAsset {
        terms: priced(payment_mode).to_tags(),
        body: RegisterAsset {
            kind: AssetKind::DataSet,
            name: name(text),
            archive,
            weights_digest: None,
            parents: Vec::new(),
            holders: Vec::new(),
            self_funding_ppm: 0,
        },
    }
}

/// People who send records in turn.
pub struct Play {
    pub served: Served,
    pub nonces: [u64; 8],
    pub ids: Vec<ItemId>,
}

impl Play {
    pub fn begin() -> Self {
        let parameters = Parameters {
            committee_min: 1,
            evaluator_stake_min: lode(10),
            ..Parameters::default()
        };
        Self {
            served: Served::with(Choices {
                parameters,
                ..Choices::default()
            }),
            nonces: [0; 8],
            ids: Vec::new(),
        }
    }

    pub fn send(&mut self, from: u8, action: &Action) -> ItemId {
        let now_ms = self.served.client.status().unwrap().clock_ms;
        let envelope = Envelope {
            network: self.served.network,
            nonce: self.nonces[usize::from(from)],
            valid_until_ms: now_ms + HOUR_MS,
        };
        self.nonces[usize::from(from)] += 1;
        let draft = Transaction::draft(&envelope, action);
        let item = draft.sign(&crate::support::key(from)).unwrap();
        let view = self.served.client.submit(&item).unwrap();
        assert!(view.is_applied(), "{view:?}");
        self.ids.push(item.id());
        item.id()
    }

    pub fn upload(&self, text: &str) -> BlobRef {
        let blob = blob_ref_of(text.as_bytes()).unwrap();
        let mut source = Cursor::new(text.as_bytes());
        let client = &self.served.client;
        client.upload(&mut source, blob, |_, _| {}).unwrap();
        blob
    }

    /// A sealed folder of this scope, under the one key.
    fn sealed(&self, scope: &SealScope, text: &str) -> SealedFolder {
        let ciphertext = self.upload(text);
        let seal = seal_digest(scope, &seal_key(), &ciphertext.id, ciphertext.size_bytes);
        SealedFolder { seal, ciphertext }
    }

    pub fn post(&mut self, from: u8) -> ItemId {
        let nonce = self.nonces[usize::from(from)];
        let scope = SealScope::test_set(self.served.network, address(from), nonce);
        let tags = priced(PaymentMode::GlobalDistribution).to_tags();
        let body = PostBounty {
            prepaid: 1,
            ..posting("withheld", self.sealed(&scope, "test set"), &tags)
        };
        let body = Box::new(body);
        self.send(from, &Action::PostBounty { body })
    }

    pub fn commit(&mut self, from: u8, bounty: ItemId, text: &str) -> ItemId {
        let scope = SealScope::submission(self.served.network, bounty, address(from));
        let action = Action::CommitSubmission {
            bounty,
            terms: priced(PaymentMode::GlobalDistribution).to_tags(),
            body: CommitSubmission {
                name: name(text),
                sealed: self.sealed(&scope, text),
                parents: Vec::new(),
            },
        };
        self.send(from, &action)
    }

    pub fn register(&mut self, from: u8, text: &str, payment_mode: PaymentMode) -> ItemId {
        let archive = self.upload(text);
        self.send(from, &registration(text, archive, payment_mode))
    }

    pub fn buy(&mut self, from: u8, asset: ItemId) {
        let terms = self.served.client.asset(asset).unwrap().terms_id;
        let body = BuyLicense {
            grant: Grant::CommercialUse,
            terms,
            price_max: lode(7),
        };
        self.send(from, &Action::BuyLicense { asset, body });
    }

    /// Stops it and starts it again, with or without its database.
    pub fn again(mut self, without_database: bool) -> Self {
        self.served = match without_database {
            false => self.served.again(),
            true => self.served.again_without("state"),
        };
        self
    }
}
