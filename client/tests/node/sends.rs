//! An account that sends through every failure: whatever happens, an action is included at most once.

use client::{ClientError, SendError, Sender, Settlement};
use protocol::ans104::ItemError;

use crate::fake::{Fault, Ledger, SHORT, action};

struct Sent {
    code: Option<String>,
    signatures: u32,
    is_outstanding: bool,
}

fn send(ledger: &Ledger, sender: &mut Sender) -> Sent {
    let mut signatures = 0;
    let result = sender.send(&action(), |draft| {
        signatures += 1;
        ledger.sign(draft)
    });
    let code = result.err().map(|error| match error {
        SendError::Client(error) => error.code().to_owned(),
        other => panic!("{other}"),
    });
    Sent {
        code,
        signatures,
        is_outstanding: sender.outstanding().is_some(),
    }
}

/// Sends one action through faults. What is included is never more than once.
fn check(faults: &[Fault], code: Option<&str>, signatures: u32, is_outstanding: bool) {
    let ledger = Ledger::new(faults);
    let fake = ledger.serve();
    let mut sender = Sender::new(&fake.client_with(2, SHORT), ledger.address());
    let sent = send(&ledger, &mut sender);
    assert_eq!(sent.code.as_deref(), code, "{faults:?}");
    assert_eq!(sent.signatures, signatures, "{faults:?}");
    assert_eq!(sent.is_outstanding, is_outstanding, "{faults:?}");
    let included = ledger.lock().included.len();
    assert!(
        included <= 1 && (included == 1 || code.is_some()),
        "{faults:?}"
    );
}

#[test]
fn an_action_is_signed_once_and_its_bytes_posted_again() {
    check(&[], None, 1, false);
    check(&[Fault::CutBefore], None, 1, false);
    check(&[Fault::CutAfter], None, 1, false);
    check(&[Fault::HangAfter], None, 1, false);
    check(&[Fault::Status(503), Fault::CutAfter], None, 1, false);
    check(&[Fault::CutAfterThenExpire], None, 1, false);
    check(&[Fault::NoncePending, Fault::NoncePending], None, 1, false);
}

#[test]
fn it_is_signed_again_only_for_a_record_that_is_proven_dead() {
    check(&[Fault::NonceTaken], None, 2, false);
    check(&[Fault::Expire], None, 2, false);
    check(&[Fault::CutBefore, Fault::NonceTaken], None, 2, false);
    check(&[Fault::NoncePending, Fault::NonceTaken], None, 2, false);
    check(&[Fault::NonceTaken; 9], Some("record_expired"), 4, false);
}

#[test]
fn a_refusal_leaves_nothing_open() {
    check(&[Fault::Status(422)], Some("some_code"), 1, false);
}

#[test]
fn while_the_outcome_is_unknown_nothing_else_is_signed() {
    let faults = [Fault::CutAfter, Fault::CutBefore, Fault::CutBefore];
    check(&faults, Some("record_unsettled"), 1, true);
    check(&[Fault::Status(503); 3], Some("record_unsettled"), 1, true);
    check(&[Fault::NoncePending; 9], Some("record_unsettled"), 1, true);

    let ledger = Ledger::new(&faults);
    let fake = ledger.serve();
    let mut sender = Sender::new(&fake.client_with(2, SHORT), ledger.address());
    send(&ledger, &mut sender);
    let id = sender.outstanding().unwrap().id();
    let refused = sender.send(&action(), |_| -> Result<_, ItemError> {
        panic!("signed again")
    });
    assert!(matches!(refused, Err(SendError::Outstanding(open)) if open == id));

    let settled = sender.settle().unwrap();
    assert!(matches!(settled, Some(Settlement::Final(view)) if view.id == id));
    assert_eq!(sender.settle().unwrap(), None);
    assert_eq!(send(&ledger, &mut sender).code, None);
    assert_eq!(ledger.lock().included.len(), 2);
}

#[test]
fn a_gap_is_no_proof_until_the_record_has_expired() {
    let ledger = Ledger::new(&[Fault::Gap]);
    ledger.lock().next_nonce = 2;
    let fake = ledger.serve();
    let mut sender = Sender::new(&fake.client_with(2, SHORT), ledger.address());
    let sent = send(&ledger, &mut sender);
    assert_eq!(sent.code.as_deref(), Some("record_unsettled"));
    assert!(sent.is_outstanding && sent.signatures == 1);

    ledger.lock().clock_ms += client::VALIDITY_MS + 1;
    assert_eq!(sender.settle().unwrap(), Some(Settlement::Dead));
    ledger.lock().faults.clear();
    assert_eq!(send(&ledger, &mut sender).code, None);
    assert_eq!(ledger.lock().included.len(), 1);
}

#[test]
fn a_gap_that_is_filled_lets_the_same_record_in() {
    let ledger = Ledger::new(&[]);
    let first = ledger.transfer(0);
    let second = ledger.transfer(1);
    let fake = ledger.serve();
    let client = fake.client_with(2, SHORT);
    let mut sender = Sender::new(&client, ledger.address()).resume(second.clone());
    assert!(matches!(
        sender.settle(),
        Err(ClientError::Unsettled { .. })
    ));
    client.submit(&first).unwrap();
    let settled = sender.settle().unwrap();
    assert!(matches!(settled, Some(Settlement::Final(view)) if view.id == second.id()));
}

#[test]
fn a_record_of_a_process_that_died_is_taken_up_again() {
    let ledger = Ledger::new(&[]);
    let item = ledger.transfer(0);
    let fake = ledger.serve();
    fake.client().submit(&item).unwrap();
    let mut sender = Sender::new(&fake.client(), ledger.address()).resume(item);
    assert!(matches!(sender.settle(), Ok(Some(Settlement::Final(_)))));
    assert_eq!(ledger.lock().included.len(), 1);
}

#[test]
fn a_record_that_may_have_been_sent_before_stays_open_while_there_is_no_node() {
    let ledger = Ledger::new(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = client::Options {
        retries: 0,
        ..client::Options::default()
    };
    let client = client::Client::with_options(&url, options).unwrap();
    let mut sender = Sender::new(&client, ledger.address()).resume(ledger.transfer(0));
    let error = sender.settle().unwrap_err();
    assert!(
        matches!(error, ClientError::Unsettled { last, .. } if last.code() == "node_unreachable")
    );
    assert!(sender.outstanding().is_some());
}

#[test]
fn what_was_signed_must_be_what_was_prepared() {
    let ledger = Ledger::new(&[]);
    let fake = ledger.serve();
    let mut sender = Sender::new(&fake.client(), ledger.address());
    let other = ledger.transfer(9);
    let sent = sender.send(&action(), |_| Ok::<_, ItemError>(other.clone()));
    assert!(matches!(sent, Err(SendError::OtherItem(_, "tags"))));
    let mut sender = Sender::new(&fake.client(), protocol::Address([4; 32]));
    let sent = sender.send(&action(), |draft| ledger.sign(draft));
    assert!(matches!(sent, Err(SendError::OtherItem(_, "signer"))));
    assert_eq!(fake.count("POST"), 0);
}

#[test]
fn a_draft_holds_for_as_long_as_the_network_allows() {
    let ledger = Ledger::new(&[]);
    let fake = ledger.serve();
    for (asked_ms, given_ms) in [(1_000, 1_000), (u64::MAX, 24 * 3_600_000)] {
        let sender = Sender::new(&fake.client(), ledger.address()).with_validity_ms(asked_ms);
        let envelope = sender.prepare(&action()).unwrap().envelope;
        assert_eq!(envelope.valid_until_ms, 1_000_000 + given_ms);
        assert_eq!(envelope.nonce, 0);
    }
}
