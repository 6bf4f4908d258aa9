//! Server-sent events: every block, or every receipt that touches a subject.
//!
//! The history is the source, so a reader that was away misses nothing: each
//! event's id is its place on the log, and a reader begins after the last one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use protocol::id::{Address, ItemId};
use protocol::statement::Subject;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{Answered, Asked, Wrong, bad, bug, header_of, number, reader, unavailable};
use super::budget::Peer;
use super::records::{closed, no_history};
use super::{App, Shared};
use crate::chain::Chain;
use crate::history::Place;

/// A comment keeps the connection open so often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events that are read from the history at once.
const READ_AT_ONCE: usize = 64;

/// Bytes of blocks' pasts, and of entries, that are read at once, but for the last one's; those of a bounty's clock may
/// be long.
const READ_BYTES_MAX: usize = 64 << 10;

/// Events that wait for a reader who is slow, beside those that were read at once.
const WAITING_MAX: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<Address>,
    bounty: Option<ItemId>,
    asset: Option<ItemId>,
    /// A height to begin at.
    #[serde(default, deserialize_with = "number")]
    from: Option<u64>,
}

impl Filter {
    fn subject(&self) -> Answered<Option<Subject>> {
        let subjects = [
            self.account.map(Subject::Account),
            self.bounty.map(Subject::Bounty),
            self.asset.map(Subject::Asset),
        ];
        let mut given = subjects.into_iter().flatten();
        let subject = given.next();
        if given.next().is_some() {
            let message = "account, bounty and asset are given together";
            return Err(bad("filter", message, "open one stream for each"));
        }
        Ok(subject)
    }
}

pub(super) async fn events(
    State(app): App,
    Asked(filter): Asked<Filter>,
    peer: Peer,
    headers: HeaderMap,
) -> Answered<Response> {
    let subject = filter.subject()?;
    let next = "try again later, or ask for pages of the history";
    let permit = reader(&app.event_readers, peer, "event_readers", "events", next)?;
    // The state's: whoever saw a block there may follow before its events are told.
    let height = {
        let chain = app.node.chain().await;
        let chain = chain.open().ok_or_else(|| unavailable(closed(&app)))?;
        chain.tip().height
    };
    let from = match (last_event(&headers)?, filter.from) {
        (Some(last), _) => last.next().ok_or_else(not_an_event)?,
        (None, Some(height)) => Place { height, place: 0 },
        (None, None) => Place {
            height: height + 1,
            place: 0,
        },
    };
    if from.height > height + 1 {
        let next = "begin at a block that there is, or leave it out for what happens from now on";
        return Err(bad("from", "there is no such block yet", next));
    }
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        // A failing history ends the stream; the reader comes again with its last id.
        let _ = send(&app, peer, subject, from, &sender).await;
        drop(permit);
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let stream = ReceiverStream::new(receiver);
    Ok(Sse::new(stream).keep_alive(keep_alive).into_response())
}

fn last_event(headers: &HeaderMap) -> Answered<Option<Place>> {
    let Some(text) = header_of(headers, "last-event-id")? else {
        return Ok(None);
    };
    let place = text.to_str().ok().and_then(|text| text.parse().ok());
    place.map(Some).ok_or_else(not_an_event)
}

fn not_an_event() -> Wrong {
    let next = "give the id of the last event as it came";
    bad("last_event_id", "this is no event's id", next)
}

type Events = mpsc::Sender<Result<Event, Infallible>>;

/// Sends what is on the log and then what comes, until the reader has gone.
async fn send(
    app: &Arc<Shared>,
    peer: Peer,
    subject: Option<Subject>,
    mut from: Place,
    events: &Events,
) -> Answered<()> {
    // Known at once where the stream begins, a reader that breaks off before the
    // first event can still come back without missing one.
    let before = Place {
        height: from.height.saturating_sub(1),
        place: u32::MAX,
    };
    if from.place == 0 && from.height > 0 {
        let begin = Event::default().id(before.to_string());
        if events.send(Ok(begin)).await.is_err() {
            return Ok(());
        }
    }
    let mut heights = app.node.heights();
    loop {
        let height = *heights.borrow_and_update();
        while from.height <= height {
            let (found, next) = read(app, peer, subject, from, height, READ_BYTES_MAX).await?;
            for event in found {
                if events.send(Ok(event)).await.is_err() {
                    return Ok(());
                }
            }
            from = next;
        }
        tokio::select! {
            changed = heights.changed() => if changed.is_err() { return Ok(()) },
            () = events.closed() => return Ok(()),
            () = app.node.ended() => return Ok(()),
        }
    }
}

/// The next events up to a height, few if they are long, and where the ones after them begin.
pub(super) async fn read(
    app: &Shared,
    peer: Peer,
    subject: Option<Subject>,
    from: Place,
    height: u64,
    bytes_max: usize,
) -> Answered<(Vec<Event>, Place)> {
    let history = app.node.chain().await.open().and_then(Chain::history);
    let history = history.ok_or_else(no_history)?;
    let done = Place {
        height: height + 1,
        place: 0,
    };
    app.blocking(peer, move || {
        let mut events = Vec::new();
        let mut next = done;
        match subject {
            Some(subject) => {
                let (mut entries, more) =
                    history.entries_within(subject, from, READ_AT_ONCE, bytes_max)?;
                // The past may be ahead of the height that is told: what is above it
                // is not sent now, and so must not be passed over.
                entries.retain(|entry| entry.height <= height);
                if let Some(more) = more {
                    next = more.min(done);
                }
                let mut read_bytes = 0;
                for entry in &entries {
                    let at = Place {
                        height: entry.height,
                        place: entry.place,
                    };
                    if read_bytes > bytes_max {
                        next = at;
                        break;
                    }
                    let (event, bytes) = event("entry", at, entry)?;
                    read_bytes += bytes;
                    events.push(event);
                }
            }
            None => {
                let first = from.height + u64::from(from.place > 0);
                let end = height.min(first + READ_AT_ONCE as u64);
                for height in first.max(1)..=end {
                    if let Some(block) = history.block(height)? {
                        let at = Place { height, place: 0 };
                        events.push(event("block", at, &block)?.0);
                    }
                }
                next = Place {
                    height: end + 1,
                    place: 0,
                };
            }
        }
        Ok((events, next))
    })
    .await
}

/// An event, and how many bytes it tells.
fn event(kind: &str, at: Place, data: &impl Serialize) -> Answered<(Event, usize)> {
    let data = String::from_utf8(protocol::json::to_vec(data)).map_err(bug)?;
    let event = Event::default().event(kind).id(at.to_string());
    Ok((event.data(&data), data.len()))
}
