use axum::body::Body;
use axum::http::{Request, StatusCode};
use protocol::Amount;
use protocol::id::{BlobId, Digest};
use protocol::record::{
    Action, AssetKind, BlobRef, BuyLicense, Envelope, Grant, RegisterAsset, Transaction,
};
use protocol::text::Name;
use tower::ServiceExt;

use super::*;
use crate::testing::{AtWork, BEGIN_MS, key, lode};

/// How long something that has to come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Status and body of `GET /readyz`.
fn readiness(at_work: &AtWork) -> (StatusCode, String) {
    let routes = crate::http::router(at_work.node.clone(), None, false);
    let request = Request::get("/readyz").body(Body::empty()).expect("sound");
    runtime().block_on(async {
        let answer = routes.oneshot(request).await.expect("infallible");
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.expect("short");
        let text = String::from_utf8(body.to_vec()).expect("text");
        (head.status, text)
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// The network begins a little ahead of the machine's clock, which then comes up with it.
#[test]
fn once_the_clock_is_right_again_records_are_taken_with_nothing_else_due() {
    let begin_ms = crate::clock::system_ms() + 6_000;
    let at_work = AtWork::begin(begin_ms, Clock::System);
    // Somebody wants a block, which cannot be made yet.
    runtime().block_on(at_work.node.block_after(0));
    let taken = soon(|| match at_work.offer(at_work.transfer(0)) {
        Ok(_) => Some(crate::clock::system_ms()),
        Err(problem) => {
            assert_eq!(problem.code, "clock_behind");
            None
        }
    });
    let now_ms = taken.expect("records are not refused for ever");
    assert!(now_ms + CLOCK_BEHIND_MS_MAX >= begin_ms, "taken too early");
}

/// What is found within [`PATIENCE`].
fn soon<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let pause = Duration::from_millis(20);
    let tries = PATIENCE.as_millis() / pause.as_millis();
    (0..tries).find_map(|_| {
        look().or_else(|| {
            std::thread::sleep(pause);
            None
        })
    })
}

/// For one block the disk is full, or does not sync: its records are told so, and the node opens its log again by itself
/// and takes them.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_could_not_be_written_is_opened_again() {
    for disk in ["/dev/full", "/dev/null"] {
        let at_work = AtWork::by_hand();
        assert_eq!(at_work.include(at_work.transfer(0)).height, 1);
        let next = at_work.transfer(1);
        at_work.node.with_chain(|chain| {
            let disk = std::fs::OpenOptions::new().write(true).open(disk);
            chain.log_mut().set_file(disk.expect("linux"));
        });
        let told = match at_work.offer(next.clone()).expect("it is taken") {
            Ticket::Waiting(answer) => answer.blocking_recv().expect("told"),
            Ticket::Final(found) => panic!("{found:?}"),
        };
        assert_eq!(told.expect_err("it is not on the log").code, "log_write");
        let (status, text) = readiness(&at_work);
        // It may be open again by now.
        let is_told = text.contains("could not write its log");
        assert_eq!(is_told, status == StatusCode::SERVICE_UNAVAILABLE, "{text}");
        let taken = soon(|| at_work.offer(next.clone()).ok());
        let found = at_work.wait_for(taken.expect("the log is open again"));
        assert_eq!(
            found.height, 2,
            "the block that was not written is no block"
        );
        assert_eq!(readiness(&at_work).0, StatusCode::OK);
    }
}

/// An asset, and a licence for so many months of it; gives the record that registered it.
fn sell_months(chain: &mut Chain, months: u32) -> VerifiedItem {
    let network = chain.genesis().network;
    let mut send = |nonce: u64, action: &Action| -> VerifiedItem {
        let time_ms = BEGIN_MS + 1 + nonce;
        let envelope = Envelope {
            network,
            nonce,
            valid_until_ms: time_ms + 1_000,
        };
        let item = Transaction::draft(&envelope, action)
            .sign(&key(2))
            .expect("few tags");
        let block = chain.produce(time_ms, vec![item.clone()]).expect("a block");
        assert!(
            block.refused.is_empty() && block.rejected.is_empty(),
            "{:?}",
            block.rejected
        );
        item
    };
    let fee = licensing::Fee::new(Amount::from_base_units(1)).expect("above zero");
    let terms = licensing::Terms {
        commercial_use: Some(licensing::CommercialUse::FeeMonthly(fee)),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..licensing::Terms::default()
    };
    let register = Action::RegisterAsset {
        terms: terms.to_tags(),
        body: RegisterAsset {
            kind: AssetKind::DataSet,
            name: Name::new("Digits").expect("a name"),
            archive: BlobRef {
                id: BlobId([7; 32]),
                size_bytes: 1,
            },
            weights_digest: None,
            parents: Vec::new(),
            holders: Vec::new(),
            self_funding_ppm: 0,
        },
    };
    let registered = send(0, &register);
    let asset = registered.id();
    let body = BuyLicense {
        grant: Grant::CommercialUse,
        terms: Digest(terms.id().0),
        price_max: lode(1),
        months,
    };
    send(1, &Action::BuyLicense { asset, body });
    registered
}

/// Whoever keeps the clock at work for many blocks does not keep records out of them.
#[test]
fn records_are_taken_while_the_clock_has_work_left() {
    const MONTHS: u32 = 100;
    let by_hand = Clock::by_hand(BEGIN_MS + 10);
    let at_work = AtWork::begin_with(BEGIN_MS, by_hand, |chain| {
        sell_months(chain, MONTHS);
    });
    // All months are over at once, and begin one a block.
    let now_ms = BEGIN_MS + 10 * 365 * 86_400_000;
    let record = at_work.transfer_until(0, now_ms + 3_600_000);
    at_work.node.clock().set(now_ms).expect("by hand");
    let taken = at_work.include(record).height;
    let (_, done) = runtime()
        .block_on(at_work.node.set_clock(now_ms))
        .expect("no trouble");
    assert!(
        done > u64::from(MONTHS),
        "the clock had work for {done} blocks"
    );
    assert!(taken < done / 2, "taken at {taken} of {done}");
}

#[test]
fn records_that_name_no_blob_are_taken_while_blobs_are_removed() {
    let at_work = AtWork::by_hand();
    let removing = at_work.node.naming().blocking_write();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            at_work.include(at_work.transfer(0));
            let second = at_work.transfer(1);
            let tickets = runtime().block_on(at_work.node.submit_all(vec![second]));
            sender.send(tickets.len()).expect("somebody listens");
        });
        let taken = receiver.recv_timeout(PATIENCE);
        drop(removing);
        assert_eq!(taken, Ok(1));
    });
}

#[test]
fn a_database_that_fails_is_told_and_what_it_forgot_is_not_another_record() {
    let at_work = AtWork::by_hand();
    let [first, second] = [0, 1].map(|nonce| at_work.transfer(nonce));
    assert_eq!(at_work.include(first.clone()).height, 1);
    assert_eq!(readiness(&at_work).0, StatusCode::OK);
    {
        let chain = at_work.node.chain_blocking();
        chain.open().expect("it is open").database().lose(true);
    }
    // Blocks go on.
    assert_eq!(at_work.include(second).height, 2);
    let (status, text) = readiness(&at_work);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("cannot read its past"), "{text}");
    // The first is on the log; that its nonce is used says nothing else.
    let problem = at_work.offer(first).expect_err("nobody can tell");
    assert_eq!(problem.code, "history");
    assert!(problem.retry_after_ms.is_some());
}

/// What was posted already and is posted again is looked up beside the blocks, and holds its own receipt alone.
#[test]
fn many_records_that_are_on_the_log_already_are_told_each_with_its_own_receipt() {
    let at_work = AtWork::by_hand();
    let records: Vec<_> = (0..40).map(|nonce| at_work.transfer(nonce)).collect();
    let first = at_work.node.submit_blocking(records.clone());
    let first: Vec<_> = first
        .into_iter()
        .map(|ticket| at_work.wait_for(ticket.expect("it is taken")))
        .collect();
    // In another order, one of them twice, and in the middle one that is not on the log.
    let mut again: Vec<_> = records.iter().cloned().zip(&first).rev().collect();
    again.push((records[7].clone(), &first[7]));
    let (again, first): (Vec<_>, Vec<_>) = again.into_iter().unzip();
    let mut offered = again.clone();
    offered.insert(20, at_work.transfer_until(3, BEGIN_MS + 1_000));
    let blocking = at_work.node.submit_blocking(offered.clone());
    let waiting = runtime().block_on(at_work.node.submit_all(offered));
    for mut told in [blocking, waiting] {
        let other = told.remove(20);
        assert_eq!(other.expect_err("its nonce is used").code, "nonce");
        for ((ticket, first), record) in told.into_iter().zip(&first).zip(&again) {
            let Ok(Ticket::Final(found)) = ticket else {
                panic!("{ticket:?}");
            };
            assert_eq!(found.view(&record.tx), first.view(&record.tx));
            assert_eq!(found.receipts.len(), 1);
        }
    }
}

/// The blob that a record names may be gone by the time that somebody posts the record again.
#[test]
fn a_record_that_is_on_the_log_is_final_without_the_blobs_that_it_names() {
    let mut register = None;
    let by_hand = Clock::by_hand(BEGIN_MS + 10);
    let at_work = AtWork::begin_with(BEGIN_MS, by_hand, |chain| {
        register = Some(sell_months(chain, 1));
    });
    let item = register.expect("it was sold");
    let tx = Transaction::read(&item).expect("a record");
    let record = Record { item, tx };
    let blocking = at_work.node.submit_blocking(vec![record.clone()]).remove(0);
    let waiting = runtime().block_on(at_work.node.submit(record));
    for told in [blocking, waiting] {
        assert!(matches!(told, Ok(Ticket::Final(found)) if found.height == 1));
    }
}

/// Nobody waits for looks into the past but those who asked for them.
#[test]
fn looks_into_the_past_hold_up_no_record_and_no_block() {
    let at_work = AtWork::by_hand();
    let record = at_work.transfer(0);
    at_work.include(record.clone());
    let runtime = runtime();
    let looks = Arc::clone(&at_work.node.shared.past_looks);
    let all = looks.try_acquire_many(PAST_LOOKS_MAX as u32);
    let node = at_work.node.clone();
    let again = runtime.spawn(async move { node.submit(record).await });
    let pause = tokio::time::Duration::from_millis(50);
    runtime.block_on(async { tokio::time::sleep(pause).await });
    assert!(!again.is_finished(), "it waits for its turn");
    assert_eq!(at_work.include(at_work.transfer(1)).height, 2);
    drop(all);
    let found = runtime.block_on(again).expect("no panic");
    assert!(matches!(found, Ok(Ticket::Final(found)) if found.height == 1));
}

/// Whoever asks for trials does not need a signature, and each waits for the state as the engine does.
#[test]
fn many_trials_do_not_stand_before_the_next_block() {
    const TRIALS: usize = 24;
    let at_work = AtWork::by_hand();
    let draft = at_work.draft(0);
    let request = protocol::api::TrialRequest::new(crate::testing::address(1), &draft);
    let body = protocol::json::to_vec(&request);
    let routes = crate::http::router(at_work.node.clone(), None, false);
    let answered = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let pause = || std::thread::sleep(Duration::from_millis(300));
    let reading = at_work.node.chain_blocking();
    let asking: Vec<_> = (0..TRIALS)
        .map(|_| {
            let request = Request::post("/v1/trial").body(Body::from(body.clone()));
            let answer = routes.clone().oneshot(request.expect("sound"));
            let answered = Arc::clone(&answered);
            runtime.spawn(async move {
                let answer = answer.await.expect("infallible");
                assert_eq!(answer.status(), StatusCode::OK);
                answered.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    pause();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        // As the engine does for a block, each while somebody else still has the state.
        let write = || {
            let _writing = at_work.node.shared.chain.blocking_write();
            pause();
            sender
                .send(answered.load(Ordering::SeqCst))
                .expect("somebody listens");
            pause();
        };
        scope.spawn(write);
        pause();
        drop(reading);
        let first = receiver.recv_timeout(PATIENCE).expect("it has its turn");
        scope.spawn(write);
        let second = receiver.recv_timeout(PATIENCE).expect("it has its turn");
        assert!(first <= 4 && second - first <= 4, "{first}, then {second}");
    });
    runtime.block_on(async {
        for one in asking {
            one.await.expect("answered");
        }
    });
    assert_eq!(answered.load(Ordering::SeqCst), TRIALS as u64);
}
