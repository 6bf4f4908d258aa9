//! A holder's journey: the terms in force, a vote that loosens them, a licence under
//! the terms that were voted for and its certificate, and revoking.

use client::{Client, Sender};
use protocol::keys::SecretKey;
use protocol::record::{Action, SHARES_PER_ASSET, TransferShares};

use super::license::Market;

/// Gives all shares of the model, which the test's own key made, to the key of this home.
fn become_holder(market: &Market) {
    let account = market.json(&["account", "show"])["address"].clone();
    let account = account.as_str().expect("an address");
    let key = SecretKey::from_seed(&[7; 32]);
    let client = Client::new(&market.node.url).expect("an address");
    let action = Action::TransferShares {
        asset: market.model,
        body: TransferShares {
            to: account.parse().expect("an address"),
            shares: SHARES_PER_ASSET,
        },
    };
    let mut sender = Sender::new(&client, key.public().address());
    let sent = sender.send(&action, |draft| draft.sign(&key));
    assert_eq!(sent.expect("it is final").problem, None);
}

#[test]
fn holders_change_the_terms_and_a_licence_proves_what_they_were() {
    let market = Market::new();
    // A lower price, and all else as it is.
    let terms = "License: dE0rmDfl9_OWjkDznNEXHaSO_JohJkRolvMzaCroUdw\n\
                 Commercial-Use: Allowed-With-Fee-One-Time-200\n\
                 Data-Model-Training: Allowed-With-Fee-Monthly-10\n\
                 Currency: LODE\n\
                 Payment-Mode: Global-Distribution\n";
    std::fs::write(market.path("terms.txt"), terms).expect("room");
    let terms = format!("file:{}", market.path("terms.txt").display());
    let vote = ["model", "vote", "Reader", "--terms", &terms, "--yes"];
    assert_eq!(market.fails(&vote), (5, "not_holder".to_owned()));
    become_holder(&market);
    let before = market.json(&["model", "terms", "Reader"]);
    assert_eq!(before["schema"], "lode.model.terms/1");
    assert_eq!(before["tallies"], serde_json::json!([]));
    assert_eq!(before["terms_record"], before["asset"]);
    let trial = market.json(&["model", "vote", "Reader", "--terms", &terms, "--dry-run"]);
    assert_eq!(trial["schema"], "lode.trial/1");
    assert_eq!(market.json(&["model", "terms", "Reader"]), before);
    let back = market.fails(&["model", "vote", "Reader", "--take-back", "--yes"]);
    assert_eq!(back, (5, "no_ballot".to_owned()));

    let record = market.json(&vote);
    let after = market.json(&["model", "terms", "Reader"]);
    assert_eq!(after["terms_record"], record["id"]);
    assert_eq!((&before["epoch"], &after["epoch"]), (&0.into(), &1.into()));
    let bought = [
        "license",
        "buy",
        "Reader",
        "--grant",
        "commercial_use",
        "--yes",
    ];
    let license = market.json(&bought)["id"].clone();
    let license = license.as_str().expect("an id");

    // Revoked: shown to buyers, and after the notice nothing is sold.
    market.ok(&["model", "revoke", "Reader", "--yes"]);
    let shown = market.json(&["model", "show", "Reader"]);
    assert_eq!(shown["pending"]["terms"][1][0], "Unknown-Usage-Rights");
    assert!(
        market
            .ok(&["model", "show", "Reader"])
            .contains("if nine tenths of the shares are still for it")
    );
    let waits = |market: &Market| {
        let terms = market.json(&["model", "terms", "Reader"]);
        !terms["pending"].is_null()
    };
    while waits(&market) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let again = [
        "license",
        "buy",
        "Reader",
        "--grant",
        "commercial_use",
        "--again",
        "--yes",
    ];
    assert_eq!(market.fails(&again), (5, "not_granted".to_owned()));
    let revoked = market.fails(&["model", "revoke", "Reader", "--yes"]);
    assert_eq!(revoked, (5, "grants_nothing".to_owned()));

    // The licence stays, and its certificate has the vote, though the terms changed since.
    let file = market.path("license.json");
    let file = super::text(&file);
    market.ok(&["license", "certificate", license, "--out", file]);
    let certificate = std::fs::read_to_string(file).expect("it was written");
    assert!(certificate.contains("\"vote\""));
    let proven = market.json(&["license", "verify", file]);
    assert_eq!(proven["license"]["price"], "200000000000000000000000000");
    let explained = market.json(&["royalty", "explain", "Reader"]);
    assert_eq!(explained["adds_up"], true, "{explained}");
}
