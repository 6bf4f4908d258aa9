//! Bodies without end, nonsense, too many connections, too many requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use node::http::server::Limits;

use crate::support::{Choices, Served, address, read_all};

#[test]
fn nonsense_gets_an_error_that_says_what_to_do() {
    let served = Served::new();
    let post = |path: &str, body: &str| {
        served.raw(
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    let get = |path: &str| {
        served
            .raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
    };
    for (answer, status) in [
        (post("/v1/records", ""), 400),
        (post("/v1/records", "not an item"), 400),
        (post("/v1/bundles", "not a bundle"), 400),
        (post("/v1/trial", "{}"), 400),
        (post("/v1/trial", r#"{"signer":1,"x":2}"#), 400),
        (post("/v1/faucet", "{}"), 400),
        (post("/v1/clock", r#"{"time_ms":-1}"#), 400),
        (get("/v1/accounts/short"), 400),
        (get("/v1/bounties?limit=many"), 400),
        (get("/v1/bounties?phase=soon"), 400),
        (get("/v1/accounts/x/history?after=y"), 400),
        (get("/v1/events?from=never"), 400),
        (get("/v1/blocks/-1"), 400),
        // What has several spellings has none, and what nobody reads is not passed over.
        (get("/v1/blocks/+0"), 400),
        (get("/v1/blocks/00"), 400),
        (get("/v1/bounties?limit=%2B5"), 400),
        (get("/v1/bounties?limit=005"), 400),
        (get("/v1/bounties?phse=settled"), 400),
        (get("/v1/assets?bounty=x"), 400),
        (get("/v1/evaluators?phase=open"), 400),
        (get("/v1/events?acount=x&from=0"), 400),
        (get("/v1/bounties/%FF"), 400),
        (get("/v1/log?from=500"), 400),
        (get("/v1/status?x=1"), 400),
        (get(&format!("/v1/accounts/{}?at=5", address(1))), 400),
        (post("/v1/faucet?wait=false", "{}"), 400),
        (post("/v1/clock", "[1]"), 400),
        (get("/v2/anything"), 404),
        (get("/v1/records"), 405),
    ] {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{status}: {answer}"
        );
        assert!(answer.contains("next_step"), "{answer}");
    }
    assert!(
        served
            .raw(b"\x16\x03\x01 this is TLS\r\n\r\n")
            .starts_with("HTTP/1.1 400")
    );
    // The query is what is wrong, not what comes with it.
    for path in [
        "/v1/records?wiat=false",
        "/v1/bundles?wait=0",
        "/v1/trial?x",
        "/v1/clock?now=1",
    ] {
        let answer = post(path, "not an item");
        assert!(answer.contains(r#""code":"query""#), "{path}: {answer}");
    }
    served.client.status().unwrap();
}

#[test]
fn a_body_without_end_is_cut() {
    let served = Served::new();
    for path in ["/v1/records", "/v1/bundles", "/v1/trial", "/v1/faucet"] {
        let mut stream = served.connect();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend([b'x'; 0x10000]);
        chunk.extend(b"\r\n");
        // More than any limit; the node closes long before.
        let sent = (0..1_000)
            .take_while(|_| stream.write_all(&chunk).is_ok())
            .count();
        assert!(sent < 1_000, "{path} took everything");
    }
    served.client.status().unwrap();
}

#[test]
fn who_comes_above_the_limit_of_connections_is_told_and_comes_in_later() {
    let served = Served::with(Choices {
        limits: Limits {
            connections_max: 8,
            connections_each_max: 8,
            ..Limits::default()
        },
        ..Choices::default()
    });
    let mut open: Vec<TcpStream> = (0..8).map(|_| served.connect()).collect();
    for stream in &mut open {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        assert!(stream.read(&mut [0; 500]).unwrap() > 0);
    }
    let answer = read_all(&mut served.connect());
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("too_many_connections"),
        "{answer}"
    );
    drop(open);
    for _ in 0..100 {
        if served.client.status().is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the connections were never given back");
}

#[test]
fn who_asks_too_fast_is_told_to_wait() {
    let served = Served::with(Choices {
        limits: Limits {
            requests_each_max: 5,
            ..Limits::default()
        },
        ..Choices::default()
    });
    let ask = || {
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        served.raw(request)
    };
    let answers: Vec<String> = (0..20).map(|_| ask()).collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.starts_with("HTTP/1.1 429"));
    assert!(refused.clone().count() >= 5);
    assert!(
        refused
            .into_iter()
            .all(|answer| answer.contains("retry-after"))
    );
    assert!(answers[0].starts_with("HTTP/1.1 200"));
}

#[test]
fn a_list_that_is_asked_for_nonsense_says_so_instead_of_being_empty() {
    let served = Served::new();
    let history = |after: &str| format!("/v1/accounts/{}/history?after={after}", address(1));
    for path in [
        "/v1/bounties?limit=0",
        "/v1/bounties?limit=1001",
        "/v1/bounties?after=zzz",
        "/v1/evaluators?after=-1",
        "/v1/licenses?after=x",
        "/v1/events?from=18446744073709551615",
        &history("18446744073709551615.4294967295"),
        &history("18446744073709551616.0"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = served.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    for id in [
        "18446744073709551615.4294967295",
        "18446744073709551615.0",
        "9.0",
        "-",
    ] {
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nhost: x\r\nlast-event-id: {id}\r\nconnection: close\r\n\r\n"
        );
        let answer = served.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{id}: {answer}");
    }
    served.client.status().unwrap();
}

#[test]
fn a_web_page_writes_nothing() {
    let served = Served::new();
    let ask = |method: &str, path: &str, more: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}content-length: 2\r\n\r\n{{}}"
        );
        served.raw(request.as_bytes())
    };
    let origin = "origin: http://somewhere.example\r\n";
    for (method, path) in [
        ("POST", "/v1/faucet"),
        ("POST", "/v1/records"),
        ("POST", "/v1/trial"),
        ("PUT", "/v1/blobs/x"),
    ] {
        let answer = ask(method, path, origin);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains("\"origin\""), "{answer}");
        let answer = ask(method, path, "");
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert!(ask("GET", "/v1/status", origin).starts_with("HTTP/1.1 200"));
}
