//! A licensee's journey: terms, price, purchase, a certificate that holds without
//! the node; and where the money went.

use std::path::{Path, PathBuf};
use std::process::Output;

use client::{Client, Sender};
use licensing::{CommercialUse, Derivation, Fee, Terms};
use protocol::api::FaucetRequest;
use protocol::archive::ArchivePath;
use protocol::keys::SecretKey;
use protocol::record::{Action, AssetKind, RegisterAsset};
use protocol::text::Name;
use protocol::{Amount, ItemId};
use serde_json::Value;

use crate::dev::DevNode;

/// A development network with a data set, a model made from it, and a licensee's home.
pub(crate) struct Market {
    pub(crate) node: DevNode,
    pub(crate) model: ItemId,
}

impl Market {
    pub(crate) fn new() -> Self {
        let node = DevNode::begin();
        let model = sell(&node.url, node.temp.path());
        let market = Self { node, model };
        market.ok(&["key", "new", "--low-work-factor", "--hide-words"]);
        market.ok(&["account", "faucet"]);
        market
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.node.path(name)
    }

    fn lode(&self, args: &[&str]) -> Output {
        self.node.lode(args)
    }

    /// What a command that works prints.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.lode(args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            super::stderr(&output)
        );
        super::stdout(&output)
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[&["--json"], args].concat());
        serde_json::from_str(&text).expect("one JSON object")
    }

    /// The exit code and the error's code of a command that does not work.
    pub(crate) fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.lode(&[&["--json"], args].concat());
        let text = super::stderr(&output);
        let error = text.lines().last().expect("an error");
        let error: Value = serde_json::from_str(error).expect("one JSON object");
        assert_eq!(error["schema"], "lode.error/1");
        let code = error["error"]["code"].as_str().expect("a code").to_owned();
        (output.status.code().expect("no signal"), code)
    }
}

/// Registers a data set, and a model made from it that owes it 7.5 %.
fn sell(url: &str, dir: &Path) -> ItemId {
    let client = Client::new(url).expect("an address");
    let key = SecretKey::from_seed(&[7; 32]);
    let account = key.public().address();
    let request = FaucetRequest {
        account,
        amount: None,
    };
    client.faucet(&request).expect("a faucet");
    let register = |kind, title: &str, terms: Terms, parents| {
        let path: ArchivePath = "read.me".parse().expect("a path");
        let files = [(path, title.as_bytes().to_vec())].into();
        let file = dir.join("blob");
        std::fs::write(&file, protocol::archive::encode(&files).expect("small")).expect("room");
        let body = RegisterAsset {
            kind,
            name: Name::new(title).expect("short"),
            archive: client.upload_file(&file, |_, _| {}).expect("room"),
            weights_digest: (kind == AssetKind::Model).then_some(protocol::Digest([3; 32])),
            parents,
            holders: Vec::new(),
            // A fifth of what a model earns is set aside.
            self_funding_ppm: 200_000 * u32::from(kind == AssetKind::Model),
        };
        let terms = terms.to_tags();
        let action = Action::RegisterAsset { terms, body };
        let sent = Sender::new(&client, account).send(&action, |draft| draft.sign(&key));
        let record = sent.expect("it is final");
        assert_eq!(record.problem, None);
        record.id
    };
    let data = Terms {
        derivation: Some(Derivation::RevenueShare("7.5%".parse().expect("a share"))),
        data_model_training: Some(licensing::DataModelTraining::Allowed),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..Terms::default()
    };
    let price = Fee::new(Amount::from_lode(300).expect("small")).expect("above zero");
    let model = Terms {
        commercial_use: Some(CommercialUse::FeeOneTime(price)),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..Terms::default()
    };
    let data = register(AssetKind::DataSet, "Rows", data, Vec::new());
    register(AssetKind::Model, "Reader", model, vec![data])
}

#[test]
fn a_licence_is_bought_certified_and_explained() {
    let market = Market::new();
    let quote = market.json(&["license", "quote", "Reader", "--grant", "commercial_use"]);
    let offer = &quote["offers"][0];
    assert_eq!(offer["price"], "300000000000000000000000000");
    assert_eq!(
        offer["ancestors"][0]["amount"],
        "22500000000000000000000000"
    );
    assert_eq!(offer["fund"], "55500000000000000000000000");
    assert_eq!(offer["holders_together"], "222000000000000000000000000");

    let buy = ["license", "buy", "Reader", "--grant", "commercial_use"];
    let with = |more: &[&'static str]| [&buy[..], more].concat();
    assert_eq!(market.fails(&buy), (2, "confirmation".to_owned()));
    let dear = market.fails(&with(&["--price-max", "299"]));
    assert_eq!(dear, (5, "price_above_max".to_owned()));
    let other = ["license", "buy", "Reader", "--grant", "derivation"];
    assert_eq!(market.fails(&other), (5, "not_granted".to_owned()));
    let trial = market.json(&with(&["--dry-run"]));
    assert_eq!(trial["schema"], "lode.trial/1");
    assert_eq!(
        market.json(&["license", "list"])["items"],
        serde_json::json!([])
    );

    let record = market.json(&with(&["--yes"]));
    let license = record["id"].as_str().expect("an id");
    let again = market.fails(&with(&["--yes"]));
    assert_eq!(again, (2, "licensed_already".to_owned()));
    assert!(
        market
            .ok(&["license", "show", license])
            .contains("Paid        300 LODE")
    );

    let file = market.path("license.json");
    let file = super::text(&file);
    market.ok(&["license", "certificate", license, "--out", file]);
    let certificate = ["license", "certificate", license, "--out", file];
    assert_eq!(market.fails(&certificate), (2, "file_exists".to_owned()));

    let shown = market.json(&["model", "show", "Reader"]);
    assert_eq!(shown["fund"], "55500000000000000000000000");
    assert_eq!(shown["income"], "222000000000000000000000000");
    for asset in ["Reader", "Rows"] {
        let explained = market.json(&["royalty", "explain", asset]);
        assert_eq!(explained["adds_up"], true, "{explained}");
    }
    let doctor = market.json(&["doctor"]);
    let lines = doctor["lines"].as_array().expect("lines");
    assert!(
        lines.iter().all(|line| line["state"] != "problem"),
        "{doctor}"
    );

    offline(market, file);
}

/// The certificate holds without the node, and no digit of it can be changed.
fn offline(mut market: Market, file: &str) {
    market.node.kill();
    let proven = market.json(&["license", "verify", file]);
    assert_eq!(proven["network_compared"], false);
    assert_eq!(proven["asset_name"], "Reader");
    let network = proven["network"].as_str().expect("an id");
    let compared = market.json(&["license", "verify", file, "--network", network]);
    assert_eq!(compared["network_compared"], true);
    let model = market.model.to_string();
    let elsewhere = market.fails(&["license", "verify", file, "--network", &model]);
    assert_eq!(elsewhere, (1, "certificate_other_network".to_owned()));
    let text = std::fs::read_to_string(file).expect("it was written");
    std::fs::write(file, text.replace("300 LODE", "3 LODE")).expect("room");
    let forged = market.fails(&["license", "verify", file]);
    assert_eq!(forged, (1, "certificate_stated".to_owned()));
}
