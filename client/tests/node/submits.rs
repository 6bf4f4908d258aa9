//! Posting signed records through every failure.

use client::ClientError;
use protocol::ItemId;
use protocol::api::{BUNDLE_ITEMS_MAX, BundleAnswer, BundleEntry};

use crate::fake::{Fake, Fault, Ledger, SHORT};

/// Submits one record through faults; gives the error's code, and how often it was posted and included.
fn check(faults: &[Fault], expected: Result<(), &str>, posts: usize, included: usize) {
    let ledger = Ledger::new(faults);
    let fake = ledger.serve();
    let result = fake.client_with(3, SHORT).submit(&ledger.transfer(0));
    let code = result.as_ref().map(|_| ()).map_err(ClientError::code);
    assert_eq!(code, expected, "{faults:?}");
    assert_eq!(fake.count("POST /v1/records"), posts, "{faults:?}");
    assert_eq!(ledger.lock().included.len(), included, "{faults:?}");
}

#[test]
fn the_same_bytes_are_posted_until_the_record_is_final_and_included_once() {
    check(&[], Ok(()), 1, 1);
    check(&[Fault::CutBefore], Ok(()), 2, 1);
    check(&[Fault::CutAfter], Ok(()), 2, 1);
    check(&[Fault::HangAfter], Ok(()), 2, 1);
    check(
        &[Fault::Status(503), Fault::Status(429), Fault::Status(500)],
        Ok(()),
        4,
        1,
    );
    check(
        &[Fault::CutBefore, Fault::CutAfter, Fault::Status(503)],
        Ok(()),
        4,
        1,
    );
    check(&[Fault::Wait, Fault::Wait], Ok(()), 3, 1);
}

#[test]
fn a_refusal_is_said_at_once() {
    check(&[Fault::Status(422)], Err("some_code"), 1, 0);
    check(&[Fault::NonceTaken], Err("nonce"), 1, 0);
    check(&[Fault::NoncePending], Err("nonce_pending"), 1, 0);
    check(&[Fault::Expire], Err("expired"), 1, 0);
    check(
        &[Fault::CutBefore, Fault::Status(400)],
        Err("some_code"),
        2,
        0,
    );
}

#[test]
fn when_the_tries_are_spent_the_outcome_is_called_unknown() {
    check(&[Fault::Status(503); 9], Err("record_unsettled"), 4, 0);
    check(
        &[
            Fault::CutAfter,
            Fault::CutBefore,
            Fault::CutBefore,
            Fault::CutBefore,
        ],
        Err("record_unsettled"),
        4,
        1,
    );
}

#[test]
fn after_its_valid_until_a_record_is_looked_for_and_not_posted() {
    check(&[Fault::CutAfterThenExpire], Ok(()), 1, 1);
    let ledger = Ledger::new(&[Fault::CutBefore]);
    let item = ledger.transfer(0);
    ledger.lock().clock_ms += 61_000;
    let fake = ledger.serve();
    let error = fake.client().submit(&item).unwrap_err();
    assert_eq!(error.code(), "record_expired");
    assert_eq!(fake.count("POST"), 1);

    let ledger = Ledger::new(&[Fault::CutBefore]);
    let item = ledger.transfer(0);
    ledger.lock().clock_ms += 60_000;
    let record = ledger.serve().client().submit(&item);
    assert!(record.is_ok(), "at its Valid-Until it still holds");
}

#[test]
fn a_node_that_is_not_there_got_nothing() {
    let ledger = Ledger::new(&[]);
    let fake = ledger.serve();
    let client = fake.client();
    drop(fake);
    // The listener's last accept may still be on its way: until then connections are cut.
    let error = loop {
        match client.submit(&ledger.transfer(0)).unwrap_err() {
            ClientError::Unsettled { .. } => {}
            other => break other,
        }
    };
    assert_eq!(error.code(), "node_unreachable");
}

#[test]
fn an_answer_about_another_record_settles_nothing() {
    let ledger = Ledger::new(&[]);
    let inner = ledger.serve();
    let other = inner.client().submit(&ledger.transfer(0)).unwrap();
    let fake = Fake::new(move |exchange| {
        exchange.body();
        exchange.json(200, &other);
    });
    let error = fake.client().submit(&ledger.transfer(1)).unwrap_err();
    assert!(matches!(error, ClientError::Unsettled { .. }), "{error:?}");
}

#[test]
fn a_bundle_has_an_entry_an_item() {
    let ledger = Ledger::new(&[]);
    let items = [ledger.transfer(0), ledger.transfer(1)];
    let fake = ledger.serve();
    let many = vec![items[0].clone(); BUNDLE_ITEMS_MAX + 1];
    let refused = fake.client().submit_bundle(&many);
    assert_eq!(refused.unwrap_err().code(), "too_many");
    assert_eq!(fake.seen().len(), 0);
    let ids = items.each_ref().map(|item| item.id());
    let one = &ids[..1];
    for (entries, code) in [
        (ids.to_vec(), None),
        (one.to_vec(), Some("node_answer")),
        // Of each of them the other's.
        (vec![ids[1], ids[0]], Some("node_answer")),
    ] {
        let mut tries = 0;
        let fake = Fake::new(move |exchange| {
            exchange.body();
            tries += 1;
            if tries == 1 {
                return exchange.cut();
            }
            let entry = |&id: &ItemId| BundleEntry {
                id: Some(id),
                record: None,
                problem: None,
            };
            let entries = entries.iter().map(entry).collect();
            exchange.json(200, &BundleAnswer { entries });
        });
        let answer = fake.client().submit_bundle(&items);
        assert_eq!(answer.as_ref().err().map(ClientError::code), code);
        assert_eq!(fake.count("POST /v1/bundles"), 2);
    }
}
