//! Blobs up and down, hashed while they stream. A thread works for one only while a piece
//! of it is read or written, never while somebody is waited for.

use std::io::{self, Read};
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::api::{Problem, UPLOAD_TOKEN_HEADER, UploadToken};
use protocol::id::BlobId;
use protocol::record::BlobRef;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{Answered, Segment, Wrong, bad, bug, header_of, id, missing};
use super::body::Incoming;
use super::budget::Peer;
use super::range::{Part, announced, asked};
use super::{App, Shared};
use crate::blobs::{Arrival, BlobError, BlobReader, Blobs, PART_BYTES};

/// How many bytes are gathered before the disk gets them: 1 MiB.
const PIECE_BYTES: usize = 1 << 20;

/// How many bytes go out at once, 128 KiB, and how many such pieces wait for their reader: a connection
/// whose reader is slow holds little.
const SENT_BYTES: usize = 128 << 10;
const SENT_WAITING: usize = 1;

fn wrong(error: BlobError) -> Wrong {
    let (status, code, next) = match &error {
        BlobError::Missing(id) => return missing("blob", id),
        BlobError::TooLong { .. } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "blob_too_long",
            "send a smaller one, or ask the node's operator for a higher --blob-max",
        ),
        BlobError::Mismatch { .. } => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "blob_mismatch",
            "send it again from the beginning; if it happens again, the file has changed",
        ),
        BlobError::Length { .. } => (
            StatusCode::BAD_REQUEST,
            "blob_length",
            "ask for the upload's offset and send the rest",
        ),
        BlobError::Arriving(_) => (
            StatusCode::CONFLICT,
            "blob_arriving",
            "wait a moment, then ask whether it is held",
        ),
        BlobError::Held(_) => (
            StatusCode::CONFLICT,
            "blob_held",
            "nothing is left to do; HEAD shows it",
        ),
        BlobError::Offset { .. } => (
            StatusCode::CONFLICT,
            "upload_offset",
            "ask GET /v1/uploads/{id} with the same Upload-Token for the offset, and go on from there",
        ),
        BlobError::NoRoom { .. } | BlobError::NoFiles { .. } => (
            StatusCode::INSUFFICIENT_STORAGE,
            "blob_no_room",
            "tell the node's operator to make room, or use another node",
        ),
        _ if is_full(&error) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "blob_no_room",
            "tell the node's operator to make room, or use another node",
        ),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "blob_store",
            "try again; if it goes on, tell the node's operator",
        ),
    };
    let problem = Problem::new(code, &error, next);
    let passes = matches!(error, BlobError::Arriving(_));
    let problem = match passes || status == StatusCode::SERVICE_UNAVAILABLE {
        true => problem.retry_after_ms(1_000),
        false => problem,
    };
    Wrong::new(status, problem)
}

/// Whether the disk had no room for it.
fn is_full(error: &BlobError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
        {
            return true;
        }
        source = error.source();
    }
    false
}

/// The part that `Range` asks for; none: the whole, which is also the answer to another unit, and to who wants a part
/// only if it has something that no blob has (`If-Range`).
///
/// # Errors
/// Bytes that are not there, or not asked for as one part; or a header twice.
fn asked_part(headers: &HeaderMap, size: u64) -> Answered<Option<Part>> {
    let value = header_of(headers, header::RANGE.as_str())?;
    let Some(value) = value.filter(|_| !headers.contains_key(header::IF_RANGE)) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let part = match text.split_once('=') {
        Some((unit, _)) if !unit.eq_ignore_ascii_case("bytes") => return Ok(None),
        Some((_, part)) => asked(&format!("bytes={part}"), size),
        None => None,
    };
    let outside = || {
        let message = format_args!("the blob has {size} bytes");
        let next = "ask for one range inside, as 'bytes=first-last' or 'bytes=first-'";
        let problem = Problem::new("range", message, next);
        Wrong::new(StatusCode::RANGE_NOT_SATISFIABLE, problem)
    };
    part.map(Some).ok_or_else(outside)
}

/// What answers somebody who asked for a part that there is not.
fn outside(wrong: Wrong, size: u64) -> Response {
    let is_outside = wrong.0 == StatusCode::RANGE_NOT_SATISFIABLE;
    let mut response = wrong.into_response();
    if is_outside && let Ok(size) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, size);
    }
    response
}

pub(super) async fn head(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let blob: BlobId = id(&text)?;
    let blobs = app.node.blobs().clone();
    let size = app
        .blocking(peer, move || blobs.size_bytes(blob).map_err(wrong))
        .await?;
    let size = size.ok_or_else(|| missing("blob", blob))?;
    let mut response = described(StatusCode::OK, size, Body::empty());
    let cached = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, cached);
    Ok(response)
}

fn described(status: StatusCode, size: u64, body: Body) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    let mut response = (status, headers, body).into_response();
    // A blob's bytes never change, but whether it is held does; and a part is not checked here.
    let cached = match status {
        StatusCode::OK => "public, max-age=3600, immutable",
        _ => "no-store",
    };
    let cached = HeaderValue::from_static(cached);
    response.headers_mut().insert(header::CACHE_CONTROL, cached);
    response
}

pub(super) async fn get(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
    headers: HeaderMap,
) -> Answered<Response> {
    let blob: BlobId = id(&text)?;
    let blobs = app.node.blobs().clone();
    let held = blobs.clone();
    let reader = app.blocking(peer, move || held.get(blob).map_err(wrong));
    let reader = reader.await?;
    let size = reader.size_bytes();
    let part = match asked_part(&headers, size) {
        Ok(part) => part,
        Err(wrong) => return Ok(outside(wrong, size)),
    };
    let (pieces, receiver) = mpsc::channel(SENT_WAITING);
    let source = match part {
        None => Source::Whole(Box::new(Whole::new(reader))),
        Some(part) => Source::Part { blobs, blob, part },
    };
    tokio::spawn(send(Arc::clone(&app), peer, source, pieces));
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let Some(Part { first, end }) = part else {
        return Ok(described(StatusCode::OK, size, body));
    };
    let mut response = described(StatusCode::PARTIAL_CONTENT, end - first, body);
    let value = format!("bytes {first}-{}/{size}", end - 1);
    let value = HeaderValue::from_str(&value).map_err(bug)?;
    response.headers_mut().insert(header::CONTENT_RANGE, value);
    Ok(response)
}

/// Sends a blob piece by piece, until the reader has gone: the server ends a connection
/// that takes nothing.
async fn send(
    app: Arc<Shared>,
    peer: Peer,
    mut source: Source,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) {
    loop {
        let read = app.blocking(peer, move || {
            let piece = source.next();
            Ok((source, piece))
        });
        let piece = match read.await {
            Ok((rest, piece)) => {
                source = rest;
                piece.transpose()
            }
            Err(Wrong(_, problem)) => {
                // The connection is cut, so that a part is not taken for the whole.
                let _ = pieces.send(Err(io::Error::other(problem.message))).await;
                return;
            }
        };
        let Some(piece) = piece else {
            return;
        };
        let is_broken = piece.is_err();
        if pieces.send(piece).await.is_err() || is_broken {
            return;
        }
    }
}

/// What is sent of a blob.
enum Source {
    Whole(Box<Whole>),
    Part {
        blobs: Blobs,
        blob: BlobId,
        /// What is left of it.
        part: Part,
    },
}

impl Source {
    /// The next piece; none at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            Self::Whole(whole) => whole.next(),
            Self::Part { blobs, blob, part } => {
                if part.first >= part.end {
                    return Ok(None);
                }
                let piece_end = part.end.min(part.first + SENT_BYTES as u64);
                let piece = blobs.part(*blob, part.first, piece_end);
                let piece = piece.map_err(io::Error::other)?;
                part.first += piece.len() as u64;
                Ok((!piece.is_empty()).then(|| piece.into()))
            }
        }
    }
}

/// A whole blob. Each piece waits until the next one was read, so the last one goes out
/// only after the hash was right.
struct Whole {
    reader: BlobReader,
    waiting: Option<Bytes>,
    is_end: bool,
}

impl Whole {
    fn new(reader: BlobReader) -> Self {
        Self {
            reader,
            waiting: None,
            is_end: false,
        }
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.is_end {
            let piece = self.read()?;
            // Only a read of nothing says that the blob was whole.
            self.is_end = piece.is_empty();
            if self.is_end {
                break;
            }
            if let Some(before) = self.waiting.replace(piece) {
                return Ok(Some(before));
            }
        }
        Ok(self.waiting.take())
    }

    /// A full piece, or what is left.
    fn read(&mut self) -> io::Result<Bytes> {
        let mut piece = vec![0; SENT_BYTES];
        let mut filled = 0;
        while filled < SENT_BYTES {
            let read = self.reader.read(&mut piece[filled..])?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        piece.truncate(filled);
        Ok(piece.into())
    }
}

#[derive(serde::Serialize)]
pub(super) struct Offset {
    offset: u64,
}

/// Whose upload it is: without a token nobody's, which cannot go on.
fn token(headers: &HeaderMap) -> Answered<Option<UploadToken>> {
    let Some(text) = header_of(headers, UPLOAD_TOKEN_HEADER)? else {
        return Ok(None);
    };
    let token = text.to_str().ok().and_then(|text| text.parse().ok());
    let next = "send 32 random bytes as 43 characters of base64url, or no such header";
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(bad("upload_token", "the Upload-Token makes no sense", next)),
    }
}

pub(super) async fn upload(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
    headers: HeaderMap,
) -> Answered<Json<Offset>> {
    let blob: BlobId = id(&text)?;
    let Some(token) = token(&headers)? else {
        return Ok(Json(Offset { offset: 0 }));
    };
    let blobs = app.node.blobs().clone();
    let offset = app
        .blocking(peer, move || {
            blobs.arrived_bytes(blob, &token).map_err(wrong)
        })
        .await?;
    Ok(Json(Offset { offset }))
}

/// What an upload says of itself: the part that it is, and the blob's size.
fn announced_part(headers: &HeaderMap, body: &Body) -> Answered<(Part, u64)> {
    let next = "send Content-Length, and for a part 'Content-Range: bytes first-last/size'";
    let length = HttpBody::size_hint(body).exact();
    let Some(length) = length else {
        return Err(Wrong::new(
            StatusCode::LENGTH_REQUIRED,
            Problem::new("length", "the upload does not say how long it is", next),
        ));
    };
    let Some(value) = header_of(headers, header::CONTENT_RANGE.as_str())? else {
        let whole = Part {
            first: 0,
            end: length,
        };
        return Ok((whole, length));
    };
    let said = value.to_str().ok().and_then(announced);
    let said = said.filter(|(part, _)| part.end - part.first == length);
    said.ok_or_else(|| bad("content_range", "the Content-Range makes no sense", next))
}

pub(super) async fn put(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answered<Response> {
    let id: BlobId = id(&text)?;
    let (part, size_bytes) = announced_part(&headers, &body)?;
    let token = token(&headers)?;
    let is_last = part.end == size_bytes;
    if token.is_none() && !(part.first == 0 && is_last) {
        let next = "send the same Upload-Token with every part and with GET /v1/uploads/{id}, or send the whole";
        return Err(bad(
            "upload_token",
            "a part of a blob needs an Upload-Token",
            next,
        ));
    }
    let blob = BlobRef { id, size_bytes };
    let blobs = app.node.blobs().clone();
    let begun = app.blocking(peer, move || {
        if let Some(size_bytes) = blobs.size_bytes(id).map_err(wrong)? {
            if let Some(token) = &token {
                blobs.forget_arrived(id, token).map_err(wrong)?;
            }
            return Ok(Err(BlobRef { id, size_bytes }));
        }
        let arrival = match &token {
            Some(token) => blobs.arrive_at(blob, token, part.first),
            None => blobs.arrive(blob),
        };
        arrival.map(|new| Ok(Box::new(new))).map_err(wrong)
    });
    let arrival = match begun.await? {
        Ok(arrival) => arrival,
        Err(held) => return Ok((StatusCode::OK, Json(held)).into_response()),
    };
    let arrival = receive(&app, peer, body, arrival).await?;
    if !is_last {
        let offset = arrival.offset();
        return Ok((StatusCode::ACCEPTED, Json(Offset { offset })).into_response());
    }
    let held = app
        .blocking(peer, move || arrival.finish().map_err(wrong))
        .await?;
    Ok((StatusCode::CREATED, Json(held)).into_response())
}

/// An upload between network and disk.
enum Receiving {
    /// No thread works for it.
    Idle(Box<Arrival>),
    /// A piece is being written.
    Writing(JoinHandle<Answered<Box<Arrival>>>),
}

impl Receiving {
    /// Once the last piece was written.
    async fn idle(self) -> Answered<Box<Arrival>> {
        match self {
            Self::Idle(arrival) => Ok(arrival),
            Self::Writing(writing) => writing.await.map_err(bug)?,
        }
    }

    /// Begins to write the next piece, once the last one was written.
    async fn write(self, app: &Arc<Shared>, peer: Peer, piece: Vec<u8>) -> Answered<Self> {
        let mut arrival = self.idle().await?;
        let app = Arc::clone(app);
        let writing = async move {
            let written = app.blocking(peer, move || {
                arrival.write(&piece).map_err(wrong)?;
                Ok(arrival)
            });
            written.await
        };
        Ok(Self::Writing(tokio::spawn(writing)))
    }
}

/// Passes a body on to the disk, the next piece coming in while one is written.
async fn receive(
    app: &Arc<Shared>,
    peer: Peer,
    body: Body,
    arrival: Box<Arrival>,
) -> Answered<Box<Arrival>> {
    let mut receiving = Receiving::Idle(arrival);
    let mut piece = Vec::new();
    let mut broke = None;
    let mut incoming = Incoming::new(body);
    loop {
        let data = match incoming.next().await {
            Ok(Some(data)) => data,
            Ok(None) => break,
            Err(error) => {
                broke = Some(error);
                break;
            }
        };
        // Not before there is something: a silent upload holds no memory.
        if piece.capacity() == 0 {
            piece.reserve_exact(PIECE_BYTES);
        }
        piece.extend_from_slice(&data);
        if piece.len() >= PIECE_BYTES {
            receiving = receiving
                .write(app, peer, std::mem::take(&mut piece))
                .await?;
        }
    }
    if !piece.is_empty() {
        receiving = receiving.write(app, peer, piece).await?;
    }
    let arrival = receiving.idle().await?;
    match broke {
        Some(error) => Err(error),
        None => Ok(arrival),
    }
}

const _: () = assert!(PIECE_BYTES <= PART_BYTES);
