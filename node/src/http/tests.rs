use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use protocol::api::ErrorAnswer;
use protocol::statement::Subject;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use super::budget::Peer;
use super::*;
use crate::history::Place;
use crate::testing::{AtWork, address};

/// Somebody elsewhere.
fn peer(last: u8) -> Peer {
    Peer(Some(IpAddr::from([192, 0, 2, last])))
}

/// What stands behind the routes of a node at work.
fn shared(at_work: &AtWork) -> Arc<Shared> {
    Arc::new(Shared::new(at_work.node.clone(), None, false))
}

/// What a peer that asks gets.
async fn ask(app: &Arc<Shared>, peer: Peer, path: &str) -> Response {
    let request = Request::get(path).extension(peer).body(Body::empty());
    let answer = routes(Arc::clone(app)).oneshot(request.expect("sound"));
    answer.await.expect("infallible")
}

/// The code of a refusal for now.
async fn refused(answer: Response) -> String {
    problem(answer).await.code
}

/// A refusal for now.
async fn problem(answer: Response) -> protocol::api::Problem {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    let body = answer.into_body().collect().await.expect("whole");
    let bytes = body.to_bytes();
    let answer: ErrorAnswer = protocol::json::from_slice(&bytes, bytes.len()).expect("an error");
    answer.error
}

#[tokio::test]
async fn one_address_cannot_take_all_places_of_those_who_read_for_long() {
    let at_work = tokio::task::spawn_blocking(AtWork::by_hand);
    let at_work = at_work.await.expect("a node");
    let app = shared(&at_work);
    let mut readers = Vec::new();
    for _ in 0..EVENT_READERS_EACH_MAX {
        let reader = ask(&app, peer(1), "/v1/events").await;
        assert_eq!(reader.status(), StatusCode::OK);
        readers.push(reader);
    }
    let answer = ask(&app, peer(1), "/v1/events").await;
    assert_eq!(refused(answer).await, "event_readers");
    // Others have theirs, and a proxy of the machine itself those of many.
    for other in [peer(2), Peer(None)] {
        let reader = ask(&app, other, "/v1/events").await;
        assert_eq!(reader.status(), StatusCode::OK);
        readers.push(reader);
    }
    drop(readers);
    while app.event_readers.in_use() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reader = ask(&app, peer(1), "/v1/events").await;
    assert_eq!(reader.status(), StatusCode::OK);

    let share = app.log_readers.take(peer(1).0, LOG_READERS_EACH_MAX);
    let answer = ask(&app, peer(1), "/v1/log").await;
    assert_eq!(refused(answer).await, "log_readers");
    assert_eq!(ask(&app, peer(2), "/v1/log").await.status(), StatusCode::OK);
    drop(share);
    assert_eq!(ask(&app, peer(1), "/v1/log").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn work_whose_asker_has_gone_keeps_its_permit_until_it_is_done() {
    let permits = Arc::new(Semaphore::new(1));
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let work = {
        let permits = Arc::clone(&permits);
        async move {
            blocking(&permits, move || {
                begun.send(()).expect("somebody waits");
                let _ = may_end.recv();
                Ok(())
            })
            .await
        }
    };
    let asker = tokio::spawn(work);
    tokio::task::spawn_blocking(move || has_begun.recv())
        .await
        .unwrap()
        .unwrap();
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    assert_eq!(permits.available_permits(), 0);
    drop(end);
    drop(permits.acquire().await.unwrap());
}

/// A node whose account 5 has a history that is a large answer.
async fn at_work_for_long() -> AtWork {
    let begin = || {
        let at_work = AtWork::by_hand();
        let records = (0..250).map(|nonce| at_work.transfer(nonce)).collect();
        let tickets = at_work.node.submit_blocking(records);
        for ticket in tickets {
            at_work.wait_for(ticket.expect("it is taken"));
        }
        at_work
    };
    tokio::task::spawn_blocking(begin).await.expect("a node")
}

#[tokio::test]
async fn a_large_answer_is_counted_until_its_bytes_have_gone_and_one_that_does_not_fit_is_refused()
{
    let at_work = at_work_for_long().await;
    let app = shared(&at_work);
    let history = format!("/v1/accounts/{}/history?limit=1000", address(5));
    let bundle = "/v1/blocks/1/bundle";
    for path in [&history[..], bundle] {
        let answer = ask(&app, peer(1), path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let counted = app.outgoing.in_use();
        assert!(counted > 64 << 10, "{counted} bytes of {path}");
        let body = answer.into_body().collect().await.expect("whole");
        let bytes = body.to_bytes();
        assert_eq!(bytes.len() as u64, counted);
        assert_eq!(
            app.outgoing.in_use(),
            counted,
            "the last bytes are still there"
        );
        drop(bytes);
        assert_eq!(app.outgoing.in_use(), 0);

        let rest = OUTGOING_BYTES_EACH_MAX - counted + 1;
        let share = app
            .outgoing
            .take(peer(1).0, rest)
            .expect("nothing is taken");
        let answer = ask(&app, peer(1), path).await;
        assert_eq!(refused(answer).await, "answers_full");
        assert_eq!(app.outgoing.in_use(), rest, "nothing is held of it");
        assert_eq!(ask(&app, peer(2), path).await.status(), StatusCode::OK);
        // What is small is never refused.
        let small = format!("/v1/accounts/{}/history?limit=1", address(5));
        assert_eq!(ask(&app, peer(1), &small).await.status(), StatusCode::OK);
        drop(share);
        let all = app.outgoing.take(None, OUTGOING_BYTES_MAX - counted + 1);
        let answer = ask(&app, peer(2), path).await;
        assert_eq!(refused(answer).await, "answers_full");
        drop(all);
        assert_eq!(ask(&app, peer(1), path).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_large_answer_of_any_route_is_counted() {
    let at_work = tokio::task::spawn_blocking(AtWork::by_hand);
    let at_work = at_work.await.expect("a node");
    let app = shared(&at_work);
    let length = 100 << 10;
    let say = move || async move { "x".repeat(length) };
    let layer = axum::middleware::from_fn_with_state(Arc::clone(&app), outgoing::count);
    let routes = Router::new().route("/", get(say).post(say)).layer(layer);
    let send = |method: &str| {
        let request = Request::builder().method(method).extension(peer(1));
        let request = request.body(Body::empty());
        routes.clone().oneshot(request.expect("sound"))
    };
    let ask = || send("GET");
    let answer = ask().await.expect("infallible");
    assert_eq!(app.outgoing.in_use(), length as u64);
    let share = app
        .outgoing
        .take(peer(1).0, OUTGOING_BYTES_EACH_MAX - 2 * length as u64 + 1);
    assert_eq!(
        refused(ask().await.expect("infallible")).await,
        "answers_full"
    );
    // Whoever posted something is not sent to pages.
    let posted = problem(send("POST").await.expect("infallible")).await;
    assert_eq!(posted.code, "answers_full");
    assert!(posted.next_step.contains("post the same bytes again"));
    drop((share, answer));
    assert_eq!(app.outgoing.in_use(), 0);
}

/// What the server keeps of an answer for a peer who does not read stays counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_longer_than_an_address_may_have_is_sent_alone_and_counted_while_nobody_reads_it()
 {
    let at_work = tokio::task::spawn_blocking(AtWork::by_hand);
    let at_work = at_work.await.expect("a node");
    let app = shared(&at_work);
    let length = 2 * OUTGOING_BYTES_EACH_MAX as usize;
    let state = Arc::clone(&app);
    let say = move || async move { state.octets(Peer(None), vec![7; length]) };
    let routes = Router::new().route("/", get(say));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let at = listener.local_addr().expect("bound");
    let never = std::future::pending();
    tokio::spawn(server::serve(
        listener,
        routes,
        server::Limits::default(),
        never,
    ));
    let mut stream = tokio::net::TcpStream::connect(at)
        .await
        .expect("it listens");
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut begin = [0; 1_000];
    stream.read_exact(&mut begin).await.expect("it begins");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(app.outgoing.in_use(), length as u64);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("all of it");
    assert!(rest.len() > length - begin.len());
    while app.outgoing.in_use() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether an answer does not come for a while.
async fn waits(answer: impl Future<Output = Response>) -> bool {
    let soon = tokio::time::timeout(Duration::from_millis(100), answer);
    soon.await.is_err()
}

#[tokio::test]
async fn bounties_are_looked_at_a_few_at_a_time_and_no_list_keeps_anybody_from_them() {
    let at_work = tokio::task::spawn_blocking(AtWork::by_hand);
    let at_work = at_work.await.expect("a node");
    let app = shared(&at_work);
    let id = protocol::ItemId([5; 32]);
    for path in [
        format!("/v1/bounties/{id}"),
        format!("/v1/submissions/{id}"),
        format!("/v1/assets/{id}/votes"),
    ] {
        let all = app.views.permits.acquire_many(VIEWS_MAX as u32).await;
        assert!(waits(ask(&app, peer(1), &path)).await, "{path}");
        drop(all);
        let lists = app.looks.permits.acquire_many(LOOKS_MAX as u32).await;
        let answer = ask(&app, peer(1), &path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(waits(ask(&app, peer(1), "/v1/bounties")).await);
        drop(lists);
    }
}

#[tokio::test]
async fn what_one_address_asks_for_beyond_its_part_waits_and_nobody_else_does() {
    let at_work = tokio::task::spawn_blocking(AtWork::by_hand);
    let at_work = at_work.await.expect("a node");
    let app = shared(&at_work);
    let list = "/v1/bounties";
    let id = protocol::ItemId([5; 32]);
    let one = format!("/v1/bounties/{id}");
    let mut own = Vec::new();
    for (turns, count) in [
        (&app.looks, LOOKS_EACH_MAX),
        (&app.views, VIEWS_EACH_MAX),
        (&app.trials, TRIALS_EACH_MAX),
    ] {
        for _ in 0..count {
            own.push(turns.own(peer(1)).await);
        }
    }
    let asking = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { ask(&app, peer(1), list).await })
    };
    assert!(waits(ask(&app, peer(1), list)).await && waits(ask(&app, peer(1), &one)).await);
    assert!(!asking.is_finished());
    // Who waits for an own turn has nobody's place.
    assert_eq!(app.looks.permits.available_permits(), LOOKS_MAX);
    for other in [peer(2), Peer(None)] {
        assert_eq!(ask(&app, other, list).await.status(), StatusCode::OK);
        let answer = ask(&app, other, &one).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    let trying = |of: Peer| app.trials.run(of, || Ok(()));
    let soon = tokio::time::timeout(Duration::from_millis(100), trying(peer(1)));
    assert!(soon.await.is_err());
    trying(peer(2)).await.expect("it has its turn");
    drop(own);
    assert_eq!(asking.await.expect("no panic").status(), StatusCode::OK);
    trying(peer(1)).await.expect("it has its turn");
}

#[tokio::test]
async fn of_long_events_few_are_read_at_once_and_none_is_passed_over() {
    let at_work = at_work_for_long().await;
    let app = shared(&at_work);
    // That of the state: what waited was answered for before the height is told.
    let height = {
        let chain = at_work.node.chain().await;
        chain.open().expect("it is open").tip().height
    };
    let subject = Some(Subject::Account(address(5)));
    for (bytes_max, each) in [(0, 1..=1), (1_000, 2..=10), (usize::MAX, 1..=64)] {
        let (mut count, mut from) = (0, Place::BEGIN);
        while from.height <= height {
            let read = events::read(&app, Peer(None), subject, from, height, bytes_max).await;
            let (found, next) = read.expect("sound");
            assert!(next > from);
            if next.height <= height {
                assert!(each.contains(&found.len()), "{bytes_max}: {}", found.len());
            }
            count += found.len();
            from = next;
        }
        assert_eq!(count, 250, "{bytes_max}");
    }
}

#[tokio::test]
async fn of_blocks_little_more_is_read_than_what_is_sent() {
    let begin = || {
        let at_work = AtWork::by_hand();
        for nonce in 0..2 {
            at_work.include(at_work.transfer(nonce));
        }
        let chain = at_work.node.chain_blocking();
        let history = chain.open().and_then(crate::chain::Chain::history);
        history.expect("it is there").damage(2);
        drop(chain);
        at_work
    };
    let at_work = tokio::task::spawn_blocking(begin).await.expect("a node");
    let app = shared(&at_work);
    let subject = Some(Subject::Account(address(5)));
    let read = |from, bytes_max| events::read(&app, Peer(None), subject, from, 2, bytes_max);
    let (found, next) = read(Place::BEGIN, 10).await.expect("no more is read");
    assert_eq!((found.len(), next.height), (1, 2));
    read(next, 10).await.expect_err("it is damaged");
    read(Place::BEGIN, 1 << 20).await.expect_err("more is read");
}
