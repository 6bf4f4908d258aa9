//! Bodies that come in, from senders who keep sending.
//!
//! What is asked of a sender is some bytes now and then, and a rate as a mean: only the time in which the
//! node waited for it counts, not what the node itself took.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use protocol::api::Problem;
use tokio::time::{Instant, timeout};

use super::BODY_PATIENCE;
use super::answer::{Answered, Wrong};

/// A sender who is slower than this, as a mean after [`RATE_AFTER`], is not waited for: so nobody can hold a
/// place for long.
const RATE_MIN_BYTES: u64 = 16 << 10;
const RATE_AFTER: Duration = Duration::from_secs(20);

/// After what time a body that did not come may be sent again.
const RETRY_MS: u64 = 1_000;

/// A body that comes in.
pub(super) struct Incoming {
    body: Body,
    /// How long the sender was waited for.
    waited: Duration,
    received_bytes: u64,
}

impl Incoming {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            waited: Duration::ZERO,
            received_bytes: 0,
        }
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Answered<Option<Bytes>> {
        loop {
            if is_slow(self.received_bytes, self.waited) {
                return Err(slow());
            }
            let begin = Instant::now();
            let frame = timeout(BODY_PATIENCE, self.body.frame()).await;
            self.waited += begin.elapsed();
            let data = match frame {
                Ok(Some(Ok(frame))) => frame.into_data(),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(error)),
                Err(_) => return Err(slow()),
            };
            if let Ok(data) = data {
                self.received_bytes += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }
}

/// Whether so many bytes in the time in which somebody was waited for are too few.
pub(super) fn is_slow(received_bytes: u64, waited: Duration) -> bool {
    waited > RATE_AFTER && received_bytes / waited.as_secs() < RATE_MIN_BYTES
}

/// Reads a whole body of at most `limit_bytes`.
pub(super) async fn whole(body: Body, limit_bytes: usize) -> Answered<Bytes> {
    let mut incoming = Incoming::new(body);
    let mut bytes = Vec::new();
    while let Some(data) = incoming.next().await? {
        if data.len() > limit_bytes - bytes.len() {
            return Err(Wrong::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Problem::new(
                    "body_too_long",
                    format_args!("the body is longer than {limit_bytes} bytes"),
                    "send less at once",
                ),
            ));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// The body did not come: nothing is said of what it would have been.
fn broken(error: axum::Error) -> Wrong {
    let problem = Problem::new(
        "body",
        format_args!("the body broke off: {error}"),
        "send it again; an upload with a token goes on where it broke off",
    );
    Wrong::new(StatusCode::BAD_REQUEST, problem.retry_after_ms(RETRY_MS))
}

/// The sender keeps the node waiting.
fn slow() -> Wrong {
    Wrong::new(
        StatusCode::REQUEST_TIMEOUT,
        Problem::new(
            "slow_body",
            format_args!(
                "no more of the body came for {} seconds, or it comes too slowly",
                BODY_PATIENCE.as_secs()
            ),
            "send it again over a better connection; an upload with a token goes on where it broke off",
        )
        .retry_after_ms(RETRY_MS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_may_be_slow_for_a_while_or_at_a_rate() {
        let seconds = Duration::from_secs;
        for (received_bytes, waited, expected) in [
            (0, seconds(20), false),
            (0, seconds(21), true),
            (21 << 14, seconds(21), false),
            ((21 << 14) - 1, seconds(21), true),
            (4 << 20, seconds(256), false),
            (4 << 20, seconds(257), true),
        ] {
            assert_eq!(is_slow(received_bytes, waited), expected, "{waited:?}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_its_limit() {
        let read = |limit| whole(Body::from("twelve bytes"), limit);
        assert_eq!(read(12).await.unwrap(), "twelve bytes");
        let refused = read(11).await.unwrap_err();
        assert_eq!(refused.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_says_nothing_of_what_it_would_have_been() {
        let pieces = [Ok("half"), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(tokio_stream::iter(pieces));
        let Wrong(status, problem) = whole(body, 100).await.unwrap_err();
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(
            (problem.code.as_str(), problem.retry_after_ms),
            ("body", Some(RETRY_MS))
        );
    }
}
