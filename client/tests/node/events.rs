//! Following the log through breaks.

use std::sync::mpsc;
use std::time::Duration;

use client::{EventFilter, EventId, EventKind, EventsFrom};
use protocol::api::{BlockView, HistoryEntry};
use protocol::id::ItemId;
use protocol::receipt::{Cause, Receipt};

use crate::fake::{Exchange, Fake};

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn block(height: u64) -> String {
    let view = BlockView {
        height,
        id: ItemId([1; 32]),
        time_ms: height,
        records: 0,
        rejected: 0,
        deadlines: 0,
    };
    let data = serde_json::to_string(&view).unwrap();
    format!("id: {height}.0\nevent: block\ndata: {data}\n\n")
}

fn send(exchange: &mut Exchange, text: &str) {
    exchange.raw(HEAD);
    exchange.raw(text.as_bytes());
    exchange.cut();
}

#[test]
fn a_stream_that_breaks_goes_on_after_the_last_event() {
    let mut connection = 0;
    let fake = Fake::new(move |exchange| {
        connection += 1;
        let last = exchange.header("last-event-id").map(str::to_owned);
        match (connection, last.as_deref()) {
            (1, None) => send(
                exchange,
                &format!(": hello\n\n{}{}id: 2.", block(0), block(1)),
            ),
            (2, Some("1.0")) => exchange.cut(),
            (3, Some("1.0")) => exchange.problem(503, "starting"),
            // It sends the last one again, and something newer than this client.
            (4, Some("1.0")) => send(
                exchange,
                &format!("{}event: news\ndata: x\n\n{}", block(1), block(2)),
            ),
            (5, Some("2.0")) => send(exchange, "id: 5.0\n\n"),
            (6, Some("5.0")) => send(exchange, &block(6)),
            other => panic!("{other:?}"),
        }
    });
    let events = fake
        .client()
        .events(EventFilter::Blocks, EventsFrom::Genesis)
        .unwrap();
    let heights: Vec<u64> = events
        .take(4)
        .map(|event| event.unwrap().id.height)
        .collect();
    assert_eq!(heights, [0, 1, 2, 6]);
    assert_eq!(fake.seen()[0], "GET /v1/events?from=0");
    assert_eq!(fake.seen()[1], "GET /v1/events");
}

#[test]
fn a_filter_gives_the_receipts_that_touch_it() {
    let bounty = ItemId([0; 32]);
    let entry = HistoryEntry {
        height: 4,
        place: 2,
        time_ms: 9,
        signer: None,
        record_type: None,
        receipt: Receipt {
            cause: Cause::Deadline(bounty),
            rejected: None,
            moves: Vec::new(),
            events: Vec::new(),
        },
    };
    let data = serde_json::to_string(&entry).unwrap();
    let fake = Fake::new(move |exchange| {
        assert_eq!(exchange.header("last-event-id"), Some("4.1"));
        send(
            exchange,
            &format!("id: 4.2\nevent: entry\ndata: {data}\n\n"),
        );
    });
    let after = EventsFrom::After(EventId {
        height: 4,
        place: 1,
    });
    let mut events = fake
        .client()
        .events(EventFilter::Bounty(bounty), after)
        .unwrap();
    let event = events.next().unwrap().unwrap();
    assert!(matches!(event.kind, EventKind::Entry(found) if *found == entry));
    assert_eq!(fake.seen()[0], format!("GET /v1/events?bounty={bounty}"));
}

#[test]
fn a_wait_for_an_event_ends_and_so_does_the_thread_of_a_stream_that_is_dropped() {
    let (left, is_left) = mpsc::channel();
    let fake = Fake::new(move |exchange| {
        exchange.raw(HEAD);
        exchange.raw(b": nothing happens\n\n");
        left.send(exchange.is_left()).unwrap();
        exchange.cut();
    });
    let events = fake
        .client()
        .events(EventFilter::Blocks, EventsFrom::Now)
        .unwrap();
    assert_eq!(events.next_within(Duration::from_millis(5)).unwrap(), None);
    drop(events);
    assert_eq!(is_left.recv(), Ok(true));
}

#[test]
fn what_cannot_be_read_ends_the_stream() {
    for (text, code) in [
        ("id: 1.0\nevent: block\ndata: {\n\n", "node_answer"),
        ("event: block\ndata: {}\n\n", "node_answer"),
        ("id: x\nevent: block\ndata: {}\n\n", "node_answer"),
        ("data: \u{0}\n: \n\n", ""),
    ] {
        let fake = Fake::new(move |exchange| send(exchange, text));
        let mut events = fake
            .client()
            .events(EventFilter::Blocks, EventsFrom::Now)
            .unwrap();
        if code.is_empty() {
            // An event without a name is of a newer node.
            assert_eq!(events.next_within(Duration::from_millis(20)).unwrap(), None);
            continue;
        }
        assert_eq!(events.next().unwrap().unwrap_err().code(), code, "{text:?}");
        assert!(events.next().is_none());
        assert_eq!(
            events.next_within(Duration::ZERO).unwrap_err().code(),
            "node_disconnected"
        );
    }
}

#[test]
fn a_stream_of_what_is_not_there_is_refused_at_once() {
    let fake = Fake::new(|exchange| exchange.problem(404, "unknown_bounty"));
    let filter = EventFilter::Bounty(ItemId([0; 32]));
    let error = fake.client().events(filter, EventsFrom::Now).unwrap_err();
    assert!(error.is_not_found());
    let fake = Fake::new(|exchange| exchange.reply(200, &[], b"{}"));
    let error = fake
        .client()
        .events(EventFilter::Blocks, EventsFrom::Now)
        .unwrap_err();
    assert_eq!(error.code(), "node_answer");
}
