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
        Self::at(DevNode::begin())
    }

    fn at(node: DevNode) -> Self {
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

/// Two commands of one account at once: the second looks again when it is its turn.
#[test]
fn two_purchases_at_once_buy_one_license() {
    let market = Market::new();
    let model = market.model.to_string();
    let buy = [
        "license",
        "buy",
        &model,
        "--grant",
        "commercial_use",
        "--yes",
    ];
    let ended: Vec<bool> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| market.lode(&buy)));
        both.map(|one| one.join().expect("no panic").status.success())
            .to_vec()
    });
    let owned = market.json(&["license", "list"]);
    assert_eq!(owned["items"].as_array().expect("a list").len(), 1);
    assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
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
            weights_digest: (kind == AssetKind::Model)
                .then(|| protocol::Digest([title.as_bytes()[0]; 32])),
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
        data_model_training: Some(licensing::DataModelTraining::FeeMonthly(
            Fee::new(Amount::from_lode(10).expect("small")).expect("above zero"),
        )),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..Terms::default()
    };
    let share = "5%".parse().expect("a share");
    let sharing = Terms {
        commercial_use: Some(CommercialUse::RevenueShare(share)),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..Terms::default()
    };
    let data = register(AssetKind::DataSet, "Rows", data, Vec::new());
    register(AssetKind::Model, "Sharer", sharing, vec![data]);
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

    market.ok(&["key", "new", "poor", "--low-work-factor", "--hide-words"]);
    let poor = market.lode(&with(&["--dry-run", "--key", "poor"]));
    let said = super::stderr(&poor);
    assert_eq!(poor.status.code(), Some(5), "{said}");
    assert!(
        said.contains("price, byte fee and deposit take 300."),
        "{said}"
    );

    let dir = market.path("rows");
    let rows = ["model", "get", "Rows", super::text(&dir)];
    assert_eq!(market.fails(&rows), (2, "not_a_model".to_owned()));
    let run = ["model", "run", "Rows", "--data", super::text(&dir)];
    assert_eq!(market.fails(&run), (2, "not_a_model".to_owned()));

    let record = market.json(&with(&["--yes"]));
    let license = record["id"].as_str().expect("an id");
    let again = market.fails(&with(&["--yes"]));
    assert_eq!(again, (5, "licensed_already".to_owned()));
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
    // What a file says does not steer the terminal of who looks at it.
    std::fs::write(file, r#"{"\u001b[2J\nevery signature holds\u202e": 1}"#).expect("room");
    let output = market.lode(&["license", "verify", file]);
    let words = super::stderr(&output);
    assert!(!words.contains(['\u{1b}', '\u{202e}']), "{words:?}");
    assert!(!words.contains("\nevery"), "{words:?}");
}

/// Months of a minute, and a clock that is moved by hand: what is paid in advance is
/// released month by month, and the licence is over when they are.
#[test]
fn months_are_bought_in_advance_and_released_one_by_one() {
    let market = Market::at(DevNode::with_clock("hand"));
    let client = market.node.client();
    let grant = ["--grant", "data_model_training"];
    let quote = market.json(&[&["license", "quote", "Reader"][..], &grant].concat());
    let offer = &quote["offers"][0];
    assert_eq!(offer["price"], "10000000000000000000000000");
    assert_eq!(offer["months_max"], 120);
    let buy = [&["license", "buy", "Reader", "--yes"][..], &grant].concat();
    assert_eq!(market.fails(&buy), (5, "sold_by_month".to_owned()));
    let dear = [&buy[..], &["--months", "3", "--price-max", "29"]].concat();
    assert_eq!(market.fails(&dear), (5, "price_above_max".to_owned()));
    let bought = market.json(&[&buy[..], &["--months", "3"]].concat());
    let license = bought["id"].as_str().expect("an id");
    let again = [&buy[..], &["--months", "1"]].concat();
    assert_eq!(market.fails(&again), (5, "licensed_already".to_owned()));

    let of = |asset: &str| market.json(&["royalty", "explain", asset]);
    let shown = || market.json(&["license", "show", license]);
    let start = shown()["license"]["time_ms"].as_u64().expect("a time");
    assert_eq!(shown()["license"]["term"]["until_ms"], start + 180_000);
    let file = market.path("months.json");
    let file = super::text(&file).to_owned();
    for month in 1..=3u64 {
        let progress = &shown()["progress"];
        assert_eq!(progress["begun"], month);
        let left = 10_000_000_000_000_000_000_000_000 * u128::from(3 - month);
        assert_eq!(progress["escrow"], left.to_string());
        assert_eq!(progress["standing"], "runs");
        for asset in ["Reader", "Rows"] {
            assert_eq!(of(asset)["adds_up"], true, "{asset} after month {month}");
        }
        client.set_clock(start + 60_000 * month).expect("by hand");
    }
    assert_eq!(shown()["progress"]["standing"], "ended");
    let listed = market.ok(&["license", "list"]);
    assert!(listed.contains("(over)"), "{listed}");
    assert!(
        market.ok(&["account", "explain"]).contains("adds up"),
        "every unit is explained"
    );
    // The certificate of a licence that is over says until when it ran.
    market.ok(&["license", "certificate", license, "--out", &file]);
    let verified = market.ok(&["license", "verify", &file]);
    assert!(verified.contains("3 months, at 10 LODE each"), "{verified}");
    assert!(verified.contains("Runs until"), "{verified}");
}

/// A share of revenue: the minimum in advance, a word a month, and silence that ends it.
#[test]
fn revenue_is_declared_month_by_month_or_the_licence_lapses() {
    let market = Market::at(DevNode::with_clock("hand"));
    let client = market.node.client();
    let grant = ["--grant", "commercial_use"];
    let quote = market.json(&[&["license", "quote", "Sharer"][..], &grant].concat());
    let offer = &quote["offers"][0];
    assert_eq!(offer["price"], "10000000000000000000000000");
    assert_eq!(offer["revenue_share"], "5%");
    let buy = [&["license", "buy", "Sharer", "--yes"][..], &grant].concat();
    let bought = market.json(&[&buy[..], &["--months", "2"]].concat());
    let license = bought["id"].as_str().expect("an id");
    let shown = || market.json(&["license", "show", license]);
    let start = shown()["license"]["time_ms"].as_u64().expect("a time");
    let report = ["license", "report", license, "--yes", "--revenue", "1000"];
    let early = market.fails(&report);
    assert_eq!(early, (5, "period_not_over".to_owned()));

    client.set_clock(start + 60_000).expect("by hand");
    assert_eq!(shown()["progress"]["declares"]["period"], 1);
    let tried = market.json(&[
        "license",
        "report",
        license,
        "--revenue",
        "1000",
        "--dry-run",
    ]);
    assert_eq!(tried["schema"], "lode.trial/1");
    let declared = market.json(&report);
    let moves = declared["receipt"]["moves"].to_string();
    // 5 % of 1,000 are 50; 10 are paid in advance; 7.5 % of 40 go to the data's holders, and
    // a fifth of what is left is set aside.
    for part in [
        "\"29600000000000000000000000\"",
        "\"7400000000000000000000000\"",
        "\"3000000000000000000000000\"",
    ] {
        assert!(moves.contains(part), "{part}: {moves}");
    }
    let next = shown()["progress"]["declares"].clone();
    assert_eq!(next["period"], 2);
    assert_eq!(next["until_ms"], start + 180_000);
    for asset in ["Sharer", "Rows"] {
        let explained = market.json(&["royalty", "explain", asset]);
        assert_eq!(explained["adds_up"], true, "{explained}");
    }

    client.set_clock(start + 120_000).expect("by hand");
    assert_eq!(shown()["progress"]["standing"], "ended");
    client.set_clock(start + 180_000).expect("by hand");
    assert_eq!(shown()["progress"]["standing"], "lapsed");
    assert!(market.ok(&["license", "list"]).contains("(lapsed)"));
    assert_eq!(market.fails(&report), (5, "nothing_to_declare".to_owned()));
    let file = market.path("share.json");
    market.ok(&[
        "license",
        "certificate",
        license,
        "--out",
        super::text(&file),
    ]);
    let verified = market.ok(&["license", "verify", super::text(&file)]);
    assert!(
        verified.contains("no certificate can know that"),
        "{verified}"
    );
}
