//! Answers: JSON, or an error with its status.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::api::{ErrorAnswer, Problem};
use protocol::text::whole_number;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize as _, Serialize};

use super::budget::{Budget, Peer, Share};
use crate::derived::DerivedError;
use crate::inclusion;

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) StatusCode, pub(super) Box<Problem>);

/// What a route gives.
pub(super) type Answered<T> = Result<T, Wrong>;

impl Wrong {
    pub(super) fn new(status: StatusCode, problem: Problem) -> Self {
        Self(status, Box::new(problem))
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let Self(status, problem) = self;
        let retry = problem.retry_after_ms;
        let answer = ErrorAnswer { error: *problem };
        let mut response = (status, Json(answer)).into_response();
        if let Some(retry_ms) = retry {
            let seconds = HeaderValue::from(retry_ms.div_ceil(1_000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<DerivedError> for Wrong {
    fn from(error: DerivedError) -> Self {
        unavailable(inclusion::no_past(&error))
    }
}

/// Something that does not make sense.
pub(super) fn bad(code: &str, message: impl std::fmt::Display, next_step: &str) -> Wrong {
    Wrong::new(
        StatusCode::BAD_REQUEST,
        Problem::new(code, message, next_step),
    )
}

/// Something that is not there.
pub(super) fn missing(what: &str, id: impl std::fmt::Display) -> Wrong {
    Wrong::new(
        StatusCode::NOT_FOUND,
        Problem::new(
            format!("unknown_{}", what.replace(' ', "_")),
            format_args!("there is no {what} {id}"),
            "check the id and which network the node serves; what was just sent may not be in a block yet",
        ),
    )
}

/// A promise of our own code that did not hold.
pub(super) fn bug(error: impl std::fmt::Display) -> Wrong {
    Wrong::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        Problem::new("bug", error, "please report this with what you sent"),
    )
}

/// The node cannot answer now.
pub(super) fn unavailable(problem: Problem) -> Wrong {
    Wrong::new(StatusCode::SERVICE_UNAVAILABLE, problem)
}

/// Why a record was not taken, with the status that says whose turn it is.
pub(super) fn not_taken(problem: Problem) -> Wrong {
    let status = match problem.code.as_str() {
        "nonce" | "nonce_pending" => StatusCode::CONFLICT,
        _ if problem.is_rejection => StatusCode::UNPROCESSABLE_ENTITY,
        "blob_missing" | "blob_size" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Wrong::new(status, problem)
}

pub(super) async fn no_route(uri: axum::http::Uri) -> Wrong {
    Wrong::new(
        StatusCode::NOT_FOUND,
        Problem::new(
            "route",
            format_args!("this API has no route '{:.200}'", uri.path()),
            "look at docs/api.md; this node speaks /v1",
        ),
    )
}

pub(super) async fn no_method(method: axum::http::Method) -> Wrong {
    Wrong::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Problem::new(
            "method",
            format_args!("this route does not take {method}"),
            "look at docs/api.md",
        ),
    )
}

/// Refuses what a web page would have a browser write here, with the rights of whoever looks at it: browsers name the
/// page in `Origin`, and programs have none.
pub(super) async fn no_page(request: Request, next: Next) -> Response {
    let reads = [axum::http::Method::GET, axum::http::Method::HEAD];
    if reads.contains(request.method()) || !request.headers().contains_key(header::ORIGIN) {
        return next.run(request).await;
    }
    let message = "web pages write nothing here: the request has an Origin";
    let problem = Problem::new("origin", message, "use a program, as docs/api.md describes");
    Wrong::new(StatusCode::FORBIDDEN, problem).into_response()
}

/// A place among those who read something for long, if one is left.
pub(super) fn reader(
    places: &Arc<Budget>,
    peer: Peer,
    code: &str,
    of: &str,
    next_step: &str,
) -> Answered<Share> {
    places.take(peer.0, 1).ok_or_else(|| {
        let message = format_args!(
            "as many readers of {of} are connected as this node allows, in all or from one address"
        );
        unavailable(Problem::new(code, message, next_step).retry_after_ms(10_000))
    })
}

/// Reads a JSON body strictly.
pub(super) fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Answered<T> {
    protocol::json::from_slice_by_name(bytes, bytes.len())
        .map_err(|error| bad("json", error, "send what docs/api.md says for this route"))
}

/// Reads an id out of the path.
pub(super) fn id<T: FromStr<Err = protocol::id::IdError>>(text: &str) -> Answered<T> {
    text.parse().map_err(|error| {
        bad(
            "id",
            error,
            "give the 43 characters of the id as they were printed",
        )
    })
}

/// Bytes that are no text.
pub(super) fn octets(bytes: impl Into<Body>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    (kind, bytes.into()).into_response()
}

/// A number of a query, in digits alone.
pub(super) fn number<'de, D: Deserializer<'de>, T: FromStr>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = whole_number(&text);
    let wrong = || D::Error::custom(format_args!("'{text:.40}' is no whole number"));
    number.map(Some).ok_or_else(wrong)
}

/// A header that counts, which can stand there once: who reads the first and who reads the last of several would
/// understand different things.
pub(super) fn header_of<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Answered<Option<&'a HeaderValue>> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (_, Some(_)) => {
            let message = format_args!("'{name}' is given more than once");
            Err(bad("header", message, "give it once"))
        }
        (first, None) => Ok(first),
    }
}

/// What a route's path names; what is no text is an error like any other.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Wrong> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        let wrong = |error: axum::extract::rejection::PathRejection| {
            bad(
                "path",
                error.body_text(),
                "give what was printed, unchanged",
            )
        };
        named.map(|Path(text)| Self(text)).map_err(wrong)
    }
}

/// Refuses a query where a route takes none.
pub(super) async fn no_query(request: Request, next: Next) -> Response {
    match request.uri().query() {
        None | Some("") => next.run(request).await,
        Some(_) => {
            let message = "this route takes no parameters";
            bad("query", message, "leave out what stands behind the '?'").into_response()
        }
    }
}

/// The query of a request; what does not fit is an error like any other.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Wrong> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| {
                let text = error.body_text();
                bad(
                    "query",
                    text,
                    "look at docs/api.md for what this route can be asked",
                )
            })
    }
}
