//! Blobs up and down, hashed while they stream.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use protocol::api::Problem;
use protocol::id::BlobId;
use protocol::record::BlobRef;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{Answered, Wrong, bad, bug, id, missing, slow};
use super::{App, BODY_PATIENCE, Shared};
use crate::blobs::{Arrival, BlobError, PART_BYTES};

/// Pieces on their way between network and disk.
const PIECES: usize = 2;

/// An upload that is slower than this, as a mean after [`RATE_AFTER`], is cut: what
/// arrived stays, and another may go on. So nobody can hold a blob's name for long.
const RATE_MIN_BYTES: u64 = 16 << 10;
const RATE_AFTER: Duration = Duration::from_secs(20);

/// How many bytes are gathered before the disk gets them: 1 MiB.
const PIECE_BYTES: usize = 1 << 20;

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
        BlobError::NoRoom { .. } => (
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
    let problem = Problem::new(code, error, next);
    let problem = match status {
        StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => problem.retry_after_ms(1_000),
        _ => problem,
    };
    Wrong::new(status, problem)
}

/// Whether the disk had no room for it.
fn is_full(error: &BlobError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
        {
            return true;
        }
        source = error.source();
    }
    false
}

/// The part that `Range` asks for, as first and end; none: the whole.
fn range(headers: &HeaderMap, size: u64) -> Answered<Option<(u64, u64)>> {
    let Some(text) = headers.get(header::RANGE) else {
        return Ok(None);
    };
    let outside = || {
        Wrong::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Problem::new(
                "range",
                format_args!("the blob has {size} bytes"),
                "ask for one range inside, as 'bytes=first-last' or 'bytes=first-'",
            ),
        )
    };
    let text = text.to_str().map_err(|_| outside())?;
    let (first, last) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .ok_or_else(outside)?;
    let first: u64 = first.parse().map_err(|_| outside())?;
    let end = match last {
        "" => size,
        last => last
            .parse::<u64>()
            .map_err(|_| outside())?
            .saturating_add(1)
            .min(size),
    };
    if first >= end {
        return Err(outside());
    }
    Ok(Some((first, end)))
}

pub(super) async fn head(State(app): App, Path(text): Path<String>) -> Answered<Response> {
    let blob: BlobId = id(&text)?;
    let size = size_of(&app, blob).await?;
    Ok(described(StatusCode::OK, size, Body::empty()))
}

async fn size_of(app: &Shared, blob: BlobId) -> Answered<u64> {
    let blobs = app.node.blobs().clone();
    let size = app
        .blocking(move || blobs.size_bytes(blob).map_err(wrong))
        .await?;
    size.ok_or_else(|| missing("blob", blob))
}

fn described(status: StatusCode, size: u64, body: Body) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        // A blob's bytes never change.
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    (status, headers, body).into_response()
}

pub(super) async fn get(
    State(app): App,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Answered<Response> {
    let blob: BlobId = id(&text)?;
    let size = size_of(&app, blob).await?;
    let range = range(&headers, size)?;
    let (pieces, receiver) = mpsc::channel(PIECES);
    let blobs = app.node.blobs().clone();
    let app = Arc::clone(&app);
    tokio::spawn(async move {
        let sent = app.blocking(move || {
            let sent = match range {
                None => send_whole(&blobs, blob, &pieces),
                Some((first, end)) => send_part(&blobs, blob, first, end, &pieces),
            };
            if let Err(error) = sent {
                let _ = pieces.blocking_send(Err(error));
            }
            Ok(())
        });
        sent.await
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let Some((first, end)) = range else {
        return Ok(described(StatusCode::OK, size, body));
    };
    let mut response = described(StatusCode::PARTIAL_CONTENT, end - first, body);
    let value = format!("bytes {first}-{}/{size}", end - 1);
    let value = HeaderValue::from_str(&value).map_err(bug)?;
    response.headers_mut().insert(header::CONTENT_RANGE, value);
    Ok(response)
}

type Pieces = mpsc::Sender<std::io::Result<Bytes>>;

/// Sends a whole blob. Each piece waits until the next one was read, so the last
/// one goes out only after the hash was right.
fn send_whole(blobs: &crate::Blobs, blob: BlobId, pieces: &Pieces) -> std::io::Result<()> {
    let mut reader = blobs.get(blob).map_err(std::io::Error::other)?;
    let mut waiting: Option<Bytes> = None;
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let mut filled = 0;
        while filled < PIECE_BYTES {
            let read = reader.read(&mut piece[filled..])?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        let is_end = filled < PIECE_BYTES;
        if is_end {
            // Only a read of nothing says that the blob was whole.
            while reader.read(&mut [0])? > 0 {}
        }
        piece.truncate(filled);
        let before = waiting.replace(piece.into());
        let ready = before
            .into_iter()
            .chain(if is_end { waiting.take() } else { None });
        for piece in ready.filter(|piece| !piece.is_empty()) {
            if pieces.blocking_send(Ok(piece)).is_err() {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

fn send_part(
    blobs: &crate::Blobs,
    blob: BlobId,
    mut first: u64,
    end: u64,
    pieces: &Pieces,
) -> std::io::Result<()> {
    while first < end {
        let part = blobs
            .part(blob, first, end)
            .map_err(std::io::Error::other)?;
        first += part.len() as u64;
        if part.is_empty() || pieces.blocking_send(Ok(part.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[derive(serde::Serialize)]
pub(super) struct Offset {
    offset: u64,
}

pub(super) async fn upload(State(app): App, Path(text): Path<String>) -> Answered<Json<Offset>> {
    let blob: BlobId = id(&text)?;
    let blobs = app.node.blobs().clone();
    let offset = app
        .blocking(move || blobs.arrived_bytes(blob).map_err(wrong))
        .await?;
    Ok(Json(Offset { offset }))
}

/// What an upload says of itself: where it begins, where it ends, and the blob's size.
struct Announced {
    first: u64,
    end: u64,
    size: u64,
}

fn announced(headers: &HeaderMap, body: &Body) -> Answered<Announced> {
    let next = "send Content-Length, and for a part 'Content-Range: bytes first-last/size'";
    let length = HttpBody::size_hint(body).exact();
    let Some(length) = length else {
        return Err(Wrong::new(
            StatusCode::LENGTH_REQUIRED,
            Problem::new("length", "the upload does not say how long it is", next),
        ));
    };
    let Some(text) = headers.get(header::CONTENT_RANGE) else {
        return Ok(Announced {
            first: 0,
            end: length,
            size: length,
        });
    };
    let parts = || -> Option<Announced> {
        let (range, size) = text
            .to_str()
            .ok()?
            .strip_prefix("bytes ")?
            .split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(Announced {
            first: first.parse().ok()?,
            end: last.parse::<u64>().ok()?.checked_add(1)?,
            size: size.parse().ok()?,
        })
    };
    let announced = parts().filter(|part| {
        part.first <= part.end && part.end <= part.size && part.end - part.first == length
    });
    announced.ok_or_else(|| bad("content_range", "the Content-Range makes no sense", next))
}

pub(super) async fn put(
    State(app): App,
    Path(text): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered<Response> {
    let id: BlobId = id(&text)?;
    let announced = announced(&headers, &body)?;
    let blob = BlobRef {
        id,
        size_bytes: announced.size,
    };
    let blobs = app.node.blobs().clone();
    let begun = app.blocking(move || {
        if let Some(size_bytes) = blobs.size_bytes(id).map_err(wrong)? {
            return Ok(Err(BlobRef { id, size_bytes }));
        }
        blobs.arrive(blob).map(Ok).map_err(wrong)
    });
    let arrival = match begun.await? {
        Ok(arrival) => arrival,
        Err(held) => return Ok((StatusCode::OK, Json(held)).into_response()),
    };
    if arrival.offset() != announced.first {
        // One that begins at 0 while a part is held may as well begin where that ends.
        let message = format_args!(
            "the upload begins at byte {}, and {} bytes are held",
            announced.first,
            arrival.offset()
        );
        let next = "ask GET /v1/uploads/{id} for the offset and go on from there";
        return Err(Wrong::new(
            StatusCode::CONFLICT,
            Problem::new("upload_offset", message, next),
        ));
    }
    let arrival = receive(body, arrival).await?;
    let is_whole = announced.end == announced.size;
    if !is_whole {
        let offset = arrival.offset();
        return Ok((StatusCode::ACCEPTED, Json(Offset { offset })).into_response());
    }
    let held = app
        .blocking(move || arrival.finish().map_err(wrong))
        .await?;
    Ok((StatusCode::CREATED, Json(held)).into_response())
}

/// Passes a body on to the disk, the next piece coming in while one is written.
async fn receive(mut body: Body, arrival: Arrival) -> Answered<Arrival> {
    let (pieces, mut receiver) = mpsc::channel::<Vec<u8>>(PIECES);
    let writer = tokio::task::spawn_blocking(move || {
        let mut arrival = arrival;
        while let Some(piece) = receiver.blocking_recv() {
            arrival.write(&piece)?;
        }
        Ok::<_, BlobError>(arrival)
    });
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut broke = None;
    let (begin, mut received) = (tokio::time::Instant::now(), 0);
    loop {
        let waited = begin.elapsed();
        if waited > RATE_AFTER && received / waited.as_secs() < RATE_MIN_BYTES {
            broke = Some(slow());
            break;
        }
        let frame = match tokio::time::timeout(BODY_PATIENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                broke = Some(bad("body", error, "the upload goes on where it broke off"));
                break;
            }
            Err(_) => {
                broke = Some(slow());
                break;
            }
        };
        if let Some(data) = frame.data_ref() {
            received += data.len() as u64;
            piece.extend_from_slice(data);
        }
        if piece.len() >= PIECE_BYTES {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            if pieces.send(full).await.is_err() {
                // The writer failed; its error is below.
                break;
            }
        }
    }
    if !piece.is_empty() {
        let _ = pieces.send(piece).await;
    }
    drop(pieces);
    let arrival = writer.await.map_err(bug)?.map_err(wrong)?;
    match broke {
        Some(error) => Err(error),
        None => Ok(arrival),
    }
}

const _: () = assert!(PIECE_BYTES <= PART_BYTES);
