//! Everything is explained: a market with a forfeit, a claim and a drawn royalty, in
//! which every account, the bounty and every asset add up, by the command and the API.

use std::io::Cursor;
use std::process::Output;

use client::{Client, Sender, blob_ref_of};
use licensing::{CommercialUse, Fee, PaymentMode, Terms};
use protocol::api::FaucetRequest;
use protocol::keys::SecretKey;
use protocol::receipt::{Phase, Rule, VoidReason};
use protocol::record::*;
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::statement::Subject;
use protocol::text::Name;
use protocol::{Address, Amount, ItemId};
use serde_json::Value;

use crate::dev::DevNode;
use crate::posting::posting;

const EVALUATOR: u8 = 1;
const SPONSOR: u8 = 2;
const BACKER: u8 = 3;
const MINER: u8 = 4;
const OWNER: u8 = 5;
const BUYER: u8 = 6;

fn address(who: u8) -> Address {
    SecretKey::from_seed(&[who; 32]).public().address()
}

fn lode(count: u64) -> Amount {
    Amount::from_lode(count).expect("small")
}

fn terms(payment_mode: PaymentMode) -> Terms {
    Terms {
        commercial_use: Some(CommercialUse::FeeOneTime(
            Fee::new(lode(7)).expect("above zero"),
        )),
        payment_mode,
        ..Terms::default()
    }
}

/// A development network, and people with faucet money.
struct Market {
    node: DevNode,
    client: Client,
}

impl Market {
    fn begin() -> Self {
        let node = DevNode::begin();
        let client = node.client();
        for who in EVALUATOR..=BUYER {
            let request = FaucetRequest {
                account: address(who),
                amount: None,
            };
            client.faucet(&request).expect("a faucet");
        }
        Self { node, client }
    }

    fn send(&self, who: u8, action: &Action) -> ItemId {
        let key = SecretKey::from_seed(&[who; 32]);
        let mut sender = Sender::new(&self.client, address(who));
        let sent = sender.send(action, |draft| draft.sign(&key));
        let record = sent.expect("it is final");
        assert_eq!(record.problem, None);
        record.id
    }

    fn upload(&self, text: &str) -> BlobRef {
        let blob = blob_ref_of(text.as_bytes()).expect("memory");
        let mut source = Cursor::new(text.as_bytes());
        let done = self.client.upload(&mut source, blob, |_, _| {});
        done.expect("room");
        blob
    }

    fn sealed(&self, scope: &SealScope, text: &str) -> SealedFolder {
        let ciphertext = self.upload(text);
        let seal = seal_digest(scope, &key(), &ciphertext.id, ciphertext.size_bytes);
        SealedFolder { seal, ciphertext }
    }

    fn register(&self, text: &str, payment_mode: PaymentMode) -> ItemId {
        let action = Action::RegisterAsset {
            terms: terms(payment_mode).to_tags(),
            body: RegisterAsset {
                kind: AssetKind::DataSet,
                name: Name::new(text).expect("short"),
                archive: self.upload(text),
                weights_digest: None,
                parents: Vec::new(),
                holders: Vec::new(),
                self_funding_ppm: 0,
            },
        };
        let asset = self.send(OWNER, &action);
        self.buy(asset);
        asset
    }

    fn buy(&self, asset: ItemId) {
        let body = BuyLicense {
            grant: Grant::CommercialUse,
            terms: self.client.asset(asset).expect("it is there").terms_id,
            price_max: lode(7),
            months: 0,
        };
        self.send(BUYER, &Action::BuyLicense { asset, body });
    }

    fn post(&self) -> ItemId {
        let account = self.client.account(address(SPONSOR)).expect("it is there");
        let network = self.client.status().expect("it answers").network;
        let scope = SealScope::test_set(network, address(SPONSOR), account.nonce);
        let tags = terms(PaymentMode::GlobalDistribution).to_tags();
        let body = posting("leaked", self.sealed(&scope, "test set"), &tags);
        let body = Box::new(body);
        let bounty = self.send(SPONSOR, &Action::PostBounty { body });
        let body = BackBounty { amount: lode(10) };
        self.send(BACKER, &Action::BackBounty { bounty, body });
        let scope = SealScope::submission(network, bounty, address(MINER));
        let action = Action::CommitSubmission {
            bounty,
            terms: tags,
            body: CommitSubmission {
                name: Name::new("model").expect("short"),
                sealed: self.sealed(&scope, "model"),
                parents: Vec::new(),
            },
        };
        self.send(MINER, &action);
        // Its key is out before submissions close: the sponsor's fault.
        let body = RevealTestSet { key: key() };
        self.send(SPONSOR, &Action::RevealTestSet { bounty, body });
        bounty
    }

    fn lode(&self, args: &[&str]) -> Output {
        self.node.lode(args)
    }

    /// What it says to people, which must end well, and to programs.
    fn explained(&self, noun: &str, what: &str) -> (String, Value) {
        let what = format!("id:{what}");
        let people = self.lode(&[noun, "explain", &what]);
        assert!(people.status.success(), "{}", super::stderr(&people));
        let text = super::stdout(&people);
        assert!(text.contains("it adds up"), "{noun} {what}: {text}");
        let json = self.lode(&["--json", noun, "explain", &what]);
        let json: Value = serde_json::from_slice(&json.stdout).expect("one JSON object");
        assert_eq!(json["adds_up"], true, "{json}");
        assert_eq!(json["flaws"], serde_json::json!([]));
        (text, json)
    }
}

fn key() -> SealKey {
    SealKey::from_bytes([3; 32])
}

#[test]
fn every_unit_of_everyone_is_explained_and_adds_up() {
    let market = Market::begin();
    let stake = lode(500);
    let body = JoinEvaluators { stake };
    market.send(EVALUATOR, &Action::JoinEvaluators { body });
    let shared = market.register("shared", PaymentMode::GlobalDistribution);
    let drawn = market.register("drawn", PaymentMode::RandomDistribution);
    market.send(OWNER, &Action::ClaimRoyalty { asset: shared });
    // Who gives the last share away is paid what it brought since.
    market.buy(shared);
    let body = TransferShares {
        to: address(MINER),
        shares: SHARES_PER_ASSET,
    };
    let asset = shared;
    market.send(OWNER, &Action::TransferShares { asset, body });
    let bounty = market.post();
    let view = market.client.bounty(bounty).expect("it is there");
    assert_eq!(view.summary.phase, Phase::Void(VoidReason::KeyLeaked));

    let mut rules = Vec::new();
    for who in EVALUATOR..=BUYER {
        let account = address(who).to_string();
        let (text, json) = market.explained("account", &account);
        assert_eq!(json["schema"], "lode.account.explain/1");
        let items = json["items"].as_array().expect("movements").len();
        assert_eq!(json["movements"], items);
        assert!(text.contains("byte fee"), "{text}");
        let sums = [
            "--json",
            "account",
            "explain",
            &format!("id:{account}"),
            "--sums",
        ];
        let sums: Value = serde_json::from_slice(&market.lode(&sums).stdout).expect("JSON");
        assert_eq!(
            (&sums["items"], &sums["rules"]),
            (&Value::Null, &json["rules"])
        );
        let subject = Subject::Account(address(who));
        let view = market.client.statement(&subject).expect("it answers");
        assert!(view.adds_up && view.compared_all, "{view:?}");
        rules.extend(view.rules.iter().map(|sum| sum.rule));
    }
    for rule in [
        Rule::ForfeitShared,
        Rule::Claim,
        Rule::RandomDistribution,
        Rule::Refund,
    ] {
        assert!(rules.contains(&rule), "{rule:?} never happened");
    }
    let (text, json) = market.explained("bounty", &bounty.to_string());
    assert_eq!(
        (&json["has_ended"], &json["schema"]),
        (&true.into(), &"lode.bounty.explain/1".into())
    );
    assert!(text.contains("forfeit"), "{text}");
    for (asset, income) in [(shared, lode(14)), (drawn, lode(7))] {
        let (_, json) = market.explained("royalty", &asset.to_string());
        assert_eq!(json["income"], income.base_units().to_string());
        assert_eq!(json["unclaimed"], "0");
        let (_, same) = market.explained("model", &asset.to_string());
        assert_eq!(same, json);
    }
}
