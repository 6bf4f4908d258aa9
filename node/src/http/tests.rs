use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use protocol::api::ErrorAnswer;
use tower::ServiceExt as _;

use super::budget::Peer;
use super::*;
use crate::testing::AtWork;

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
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    let body = answer.into_body().collect().await.expect("whole");
    let bytes = body.to_bytes();
    let answer: ErrorAnswer = protocol::json::from_slice(&bytes, bytes.len()).expect("an error");
    answer.error.code
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
