//! What is held of large answers until their peers have taken them.
//!
//! An answer that is not sent piece by piece is whole in memory for as long as its peer takes to read it. Those above
//! [`SMALL_BYTES`] share [`super::OUTGOING_BYTES_MAX`]; what does not fit is refused, and nothing is held of it.
//! A large answer is made into bytes, and they are counted, where it is built, under a permit; [`count`] sees
//! to all others.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use protocol::api::Problem;
use serde::Serialize;

use super::answer::{Answered, bug, unavailable};
use super::budget::{Peer, Share};
use super::{App, Shared};

/// Answers up to so many bytes are not counted: 64 KiB. A connection holds as much anyway.
const SMALL_BYTES: u64 = 64 << 10;

/// Marks a response whose bytes are counted.
#[derive(Clone)]
struct Counted;

/// Bytes that are counted until nobody holds them.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Shared {
    /// An answer in JSON; refused if it is large and too much is on its way.
    pub(super) fn json(&self, peer: Peer, view: &impl Serialize) -> Answered<Response> {
        self.bytes(peer, "application/json", protocol::json::to_vec(view))
    }

    /// The same for bytes that are no text.
    pub(super) fn octets(&self, peer: Peer, bytes: Vec<u8>) -> Answered<Response> {
        self.bytes(peer, "application/octet-stream", bytes)
    }

    fn bytes(&self, peer: Peer, kind: &'static str, bytes: Vec<u8>) -> Answered<Response> {
        let share = self.share(peer, bytes.len() as u64)?;
        let body = body(bytes.into(), share);
        let mut response = (
            [(header::CONTENT_TYPE, HeaderValue::from_static(kind))],
            body,
        )
            .into_response();
        response.extensions_mut().insert(Counted);
        Ok(response)
    }

    /// Room for an answer; none if it is small. One that is longer than what an address may have, or than there is
    /// in all, takes all of that: so whoever waits for nothing else gets it.
    fn share(&self, peer: Peer, length: u64) -> Answered<Option<Share>> {
        if length <= SMALL_BYTES {
            return Ok(None);
        }
        let share = self.outgoing.take_long(peer.0, length);
        share.map(Some).ok_or_else(|| {
            let next = "read what was answered, then ask again; pages can be asked for with a smaller limit";
            unavailable(full(next))
        })
    }
}

fn full(next_step: &str) -> Problem {
    let message =
        "as many bytes of answers as this node holds, in all or for one address, are not yet taken";
    Problem::new("answers_full", message, next_step).retry_after_ms(1_000)
}

/// The share is given back when the last of the bytes was sent, or their connection has gone.
fn body(bytes: Bytes, share: Option<Share>) -> Body {
    Body::from(match share {
        Some(_share) => Bytes::from_owner(Held { bytes, _share }),
        None => bytes,
    })
}

/// Counts every answer whose length is known, which is one that is whole in memory. What was posted is done by
/// then, and whoever posts the same records again is told what came of them.
pub(super) async fn count(State(app): App, peer: Peer, request: Request, next: Next) -> Response {
    let is_post = request.method() == Method::POST;
    let response = next.run(request).await;
    let length = HttpBody::size_hint(response.body())
        .exact()
        .unwrap_or_default();
    if length <= SMALL_BYTES || response.extensions().get::<Counted>().is_some() {
        return response;
    }
    let share = match app.share(peer, length) {
        Ok(share) => share,
        Err(_) if is_post => {
            let next = "what was posted may be done: read what was answered before, then post the same bytes again, \
                        of which no record is taken twice";
            return unavailable(full(next)).into_response();
        }
        Err(full) => return full.into_response(),
    };
    let (head, whole) = response.into_parts();
    match whole.collect().await {
        Ok(whole) => Response::from_parts(head, body(whole.to_bytes(), share)),
        Err(error) => bug(error).into_response(),
    }
}
