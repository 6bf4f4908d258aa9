//! Routes, pages, and answers that are not what they should be.

use std::net::TcpListener;

use client::{AssetFilter, Client, ClientError, LicenseFilter, PhaseFilter};
use protocol::api::{API_VERSION, Page, Readiness, Version};
use protocol::id::{Address, ItemId};
use protocol::record::AssetKind;
use protocol::statement::Subject;

use crate::fake::{Exchange, Fake, Ledger, SHORT};

fn version(software: &str, api: u32) -> Version {
    Version {
        software: software.to_owned(),
        version: "0.9.0".to_owned(),
        api,
        log: 1,
        arithmetic: 1,
    }
}

fn code<T>(result: Result<T, ClientError>) -> Option<String> {
    result.err().map(|error| error.code().to_owned())
}

#[test]
fn every_call_asks_its_route() {
    let fake = Fake::new(|exchange| exchange.problem(404, "not_there"));
    let client = fake.client();
    let (id, address) = (ItemId([0; 32]), Address([0; 32]));
    let a = "A".repeat(43);
    let asset = AssetFilter {
        kind: Some(AssetKind::DataSet),
        maker: Some(address),
        holder: None,
        name: Some("a&b c".to_owned()),
    };
    let license = LicenseFilter {
        asset: Some(id),
        licensee: Some(address),
    };
    let calls: Vec<(Option<ClientError>, String)> = vec![
        (client.account(address).err(), format!("/v1/accounts/{a}")),
        (client.bounty(id).err(), format!("/v1/bounties/{a}")),
        (client.submission(id).err(), format!("/v1/submissions/{a}")),
        (client.asset(id).err(), format!("/v1/assets/{a}")),
        (client.license(id).err(), format!("/v1/licenses/{a}")),
        (client.record(id).err(), format!("/v1/records/{a}")),
        (
            client.record_item(id).err(),
            format!("/v1/records/{a}/item"),
        ),
        (
            client.receipt_proof(id).err(),
            format!("/v1/receipts/{a}/proof"),
        ),
        (client.block(7).err(), "/v1/blocks/7".to_owned()),
        (
            client.block_bundle(7).err(),
            "/v1/blocks/7/bundle".to_owned(),
        ),
        (client.genesis_item().err(), "/v1/genesis".to_owned()),
        (client.log(&mut Vec::new(), 9).err(), "/v1/log".to_owned()),
        (
            client.evaluators().next_page().err(),
            "/v1/evaluators".to_owned(),
        ),
        (
            client.bounties(None).next_page().err(),
            "/v1/bounties".to_owned(),
        ),
        (
            client
                .bounties(Some(PhaseFilter::TestKey))
                .page_size(9)
                .after("x")
                .next_page()
                .err(),
            "/v1/bounties?phase=test_key&limit=9&after=x".to_owned(),
        ),
        (
            client.assets(&asset).next_page().err(),
            format!("/v1/assets?kind=data_set&maker={a}&name=a%26b%20c"),
        ),
        (
            client.holders(id).next_page().err(),
            format!("/v1/assets/{a}/holders"),
        ),
        (
            client.holdings(address).next_page().err(),
            format!("/v1/accounts/{a}/holdings"),
        ),
        (
            client.licenses(&license).next_page().err(),
            format!("/v1/licenses?asset={a}&licensee={a}"),
        ),
        (
            client.account_history(address).next_page().err(),
            format!("/v1/accounts/{a}/history"),
        ),
        (
            client.bounty_history(id).next_page().err(),
            format!("/v1/bounties/{a}/history"),
        ),
        (
            client.asset_history(id).next_page().err(),
            format!("/v1/assets/{a}/history"),
        ),
        (client.votes(id).err(), format!("/v1/assets/{a}/votes")),
        (
            client.statement(&Subject::Bounty(id)).err(),
            format!("/v1/bounties/{a}/statement?limit=1"),
        ),
        (
            client.movements(&Subject::Asset(id)).next_page().err(),
            format!("/v1/assets/{a}/statement"),
        ),
    ];
    assert_eq!(fake.seen().len(), calls.len(), "each asks once");
    for ((error, path), seen) in calls.into_iter().zip(fake.seen()) {
        assert!(error.is_some_and(|error| error.is_not_found()), "{path}");
        assert_eq!(seen, format!("GET {path}"));
    }
}

#[test]
fn a_list_is_read_page_after_page() {
    let fake = Fake::new(|exchange| {
        let (items, next) = match exchange.target.as_str() {
            "/v1/evaluators?limit=2" => (vec![1, 2], Some("two".to_owned())),
            "/v1/evaluators?limit=2&after=two" => (vec![], Some("three".to_owned())),
            "/v1/evaluators?limit=2&after=three" => (vec![3], None),
            other => panic!("{other}"),
        };
        let items = items.into_iter().map(|byte| protocol::api::EvaluatorView {
            address: Address([byte; 32]),
            stake: protocol::Amount::ZERO,
            locked: protocol::Amount::ZERO,
            seats: 0,
            leaves_ms: None,
        });
        let items = items.collect();
        exchange.json(200, &Page { items, next });
    });
    let all: Result<Vec<_>, _> = fake.client().evaluators().page_size(2).collect();
    let all: Vec<u8> = all.unwrap().iter().map(|view| view.address.0[0]).collect();
    assert_eq!(all, [1, 2, 3]);
}

#[test]
fn a_list_that_goes_in_a_circle_comes_to_an_end() {
    let fake = Fake::new(|exchange| {
        exchange.reply(200, &[], br#"{"items":[],"next":"same"}"#);
    });
    let results: Vec<_> = fake.client().evaluators().collect();
    assert_eq!(results.len(), 1);
    assert_eq!(fake.seen().len(), 2);
    // Of more pages than one.
    let mut asked = 0;
    let fake = Fake::new(move |exchange| {
        asked += 1;
        let next = asked % 7;
        exchange.reply(
            200,
            &[],
            format!(r#"{{"items":[],"next":"{next}"}}"#).as_bytes(),
        );
    });
    let results: Vec<_> = fake.client().evaluators().collect();
    assert_eq!(results.len(), 1);
    assert!(fake.seen().len() < 30, "{}", fake.seen().len());
    // Always another one, and never an entry.
    let mut asked = 0;
    let fake = Fake::new(move |exchange| {
        asked += 1;
        exchange.reply(
            200,
            &[],
            format!(r#"{{"items":[],"next":"{asked}"}}"#).as_bytes(),
        );
    });
    let results: Vec<_> = fake.client().evaluators().collect();
    assert_eq!((results.len(), fake.seen().len()), (1, 100));
}

#[test]
fn only_a_lode_node_of_this_version_is_compatible() {
    let check = |answer: fn(&mut Exchange), expected: Option<&str>| {
        let fake = Fake::new(answer);
        let error = fake.client().check_compatible().err();
        assert_eq!(error.as_ref().map(ClientError::code), expected);
        error.map_or_else(String::new, |error| error.next_step())
    };
    check(
        |exchange| exchange.json(200, &version("lode", API_VERSION)),
        None,
    );
    let newer = check(
        |exchange| exchange.json(200, &version("lode", 9)),
        Some("node_incompatible"),
    );
    assert!(newer.contains("newer"));
    let older = check(
        |exchange| exchange.json(200, &version("lode", 0)),
        Some("node_incompatible"),
    );
    assert!(older.contains("older"));
    let foreign = Some("not_a_lode_node");
    check(
        |exchange| exchange.json(200, &version("other", API_VERSION)),
        foreign,
    );
    check(
        |exchange| exchange.reply(200, &[], b"<html>hello</html>"),
        foreign,
    );
    check(
        |exchange| exchange.reply(404, &[], b"<html>hello</html>"),
        foreign,
    );
    check(
        |exchange| exchange.reply(302, &[("location", "/".to_owned())], b""),
        foreign,
    );
    check(
        |exchange| exchange.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        foreign,
    );
}

#[test]
fn a_node_that_is_not_ready_says_why() {
    let fake = Fake::new(|exchange| {
        let reasons = vec!["the disk is full".to_owned()];
        exchange.json(
            503,
            &Readiness {
                ready: false,
                reasons,
            },
        );
    });
    assert_eq!(fake.client().ready().unwrap().reasons, ["the disk is full"]);
}

#[test]
fn no_answer_is_larger_than_the_limit() {
    let fake = Fake::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
        exchange.cut();
    });
    assert_eq!(code(fake.client().status()).as_deref(), Some("too_large"));

    let fake = Fake::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"100000\r\n".as_slice(), &[b' '; 1 << 20], b"\r\n"].concat();
        (0..65).for_each(|_| exchange.raw(&chunk));
        exchange.cut();
    });
    assert_eq!(code(fake.client().status()).as_deref(), Some("too_large"));

    let fake = Fake::new(|exchange| exchange.reply(200, &[], &[1; 100]));
    let mut out = Vec::new();
    assert_eq!(
        code(fake.client().log(&mut out, 99)).as_deref(),
        Some("too_large")
    );
    assert_eq!(fake.client().log(&mut out, u64::MAX).unwrap(), 100);
}

#[test]
fn a_bad_answer_is_quoted_in_short() {
    let fake = Fake::new(|exchange| exchange.reply(200, &[], &[b'x'; 100_000]));
    let error = fake.client().status().unwrap_err();
    assert_eq!(error.code(), "node_answer");
    assert!(error.to_string().len() < 400, "{error}");
}

#[test]
fn failures_of_the_connection_are_told_apart() {
    let fake = Fake::new(|exchange| exchange.cut());
    assert_eq!(
        code(fake.client().status()).as_deref(),
        Some("node_disconnected")
    );
    assert_eq!(
        fake.seen().len(),
        2,
        "a kept connection may have died: tried once more"
    );

    let fake = Fake::new(|exchange| exchange.hang());
    assert_eq!(
        code(fake.client_with(0, SHORT).status()).as_deref(),
        Some("node_timed_out")
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url).unwrap();
    assert_eq!(code(client.status()).as_deref(), Some("node_unreachable"));
}

#[test]
fn a_node_without_tls_is_not_spoken_to_over_https() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let greeting = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        hello
    });
    assert!(Client::new(&url).unwrap().status().is_err());
    // A TLS handshake record, version 3.
    assert_eq!(greeting.join().unwrap()[..2], [22, 3]);
}

#[test]
fn a_node_that_asks_for_time_gets_it() {
    let mut tries = 0;
    let fake = Fake::new(move |exchange| {
        tries += 1;
        match tries {
            1 => {
                let error = protocol::api::Problem::new("busy", "m", "n").retry_after_ms(1);
                exchange.json(429, &protocol::api::ErrorAnswer { error });
            }
            _ => exchange.json(200, &version("lode", API_VERSION)),
        }
    });
    assert!(fake.client().version().is_ok());
}

#[test]
fn a_clock_that_is_driven_by_hand_has_no_skew() {
    let ledger = Ledger::new(&[]);
    assert_eq!(ledger.serve().client().clock_skew_ms().unwrap(), None);

    let mut status = ledger.lock().status();
    (status.hand_clock, status.clock_ms) = (false, 0);
    let fake = Fake::new(move |exchange| exchange.json(200, &status));
    assert!(
        fake.client()
            .clock_skew_ms()
            .unwrap()
            .is_some_and(|skew| skew > 0)
    );
}

#[test]
fn an_item_is_checked_against_its_id_and_signature() {
    let ledger = Ledger::new(&[]);
    let item = ledger.transfer(0);
    let mut bytes = item.bytes().to_vec();
    let sent = bytes.clone();
    let fake = Fake::new(move |exchange| exchange.reply(200, &[], &sent));
    assert_eq!(fake.client().record_item(item.id()).unwrap(), item);
    assert_eq!(
        code(fake.client().record_item(ItemId([0; 32]))).as_deref(),
        Some("damaged")
    );

    *bytes.last_mut().unwrap() ^= 1;
    let fake = Fake::new(move |exchange| exchange.reply(200, &[], &bytes));
    assert_eq!(
        code(fake.client().record_item(item.id())).as_deref(),
        Some("node_answer")
    );
}

#[test]
fn a_clients_clones_are_shared_between_threads() {
    fn is_shared<T: Clone + Send + Sync>() {}
    is_shared::<Client>();
    let fake = Fake::new(|exchange| exchange.json(200, &version("lode", API_VERSION)));
    let client = fake.client();
    let results: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| client.clone().version().is_ok()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(results, [true; 4]);
}
