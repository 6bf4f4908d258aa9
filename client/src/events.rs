//! What happens on the log, as it happens: one stream, read by a thread of its own that ends with it.
//!
//! A stream that breaks is opened again after the last event that came, so that none is missed
//! and none comes twice. Ids rise strictly; an event whose id does not is dropped.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use protocol::api::{BlockView, HistoryEntry};
use protocol::id::{Address, ItemId};
use protocol::text::whole_number;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::client::Client;
use crate::error::{ClientError, excerpt};
use crate::http::{Ask, Http};
use crate::sse::{Frame, SseParser};

/// Events that are read ahead of who takes them.
const READ_AHEAD: usize = 16;
const READ_BYTES: usize = 16 << 10;

/// The place of an event in the order of the log: a block's height, and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The block.
    pub height: u64,
    /// The place in it.
    pub place: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.place)
    }
}

/// The text is not `height.place`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is two numbers with a dot between")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (height, place) = text.split_once('.').ok_or(EventIdError)?;
        let height = whole_number(height).ok_or(EventIdError)?;
        let place = whole_number(place).ok_or(EventIdError)?;
        Ok(Self { height, place })
    }
}

/// Which events a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFilter {
    /// Every block, as [`EventKind::Block`].
    Blocks,
    /// Every receipt that touches this account, as [`EventKind::Entry`].
    Account(Address),
    /// Every receipt that touches this bounty.
    Bounty(ItemId),
    /// Every receipt that touches this asset.
    Asset(ItemId),
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsFrom {
    /// With what happens from now on.
    #[default]
    Now,
    /// With all that ever happened.
    Genesis,
    /// After this event: the last one that was seen.
    After(EventId),
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where. Keep it to go on from here: [`EventsFrom::After`].
    pub id: EventId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A block.
    Block(BlockView),
    /// A receipt that touches what the filter names.
    Entry(Box<HistoryEntry>),
}

/// A stream of events. As an iterator it waits for the next one, for as long as it takes; dropped, it ends at once.
#[derive(Debug)]
pub struct Events {
    url: String,
    events: Receiver<Result<Event, ClientError>>,
    /// Of the thread's connections only: to shut what it reads from.
    agent: Option<Agent>,
    /// Dropped with this: wakes the thread out of a wait.
    _stop: SyncSender<()>,
}

impl Client {
    /// `GET /v1/events`: follows the log. The first connection is made before this returns; later ones
    /// are made by themselves, as often as needed.
    ///
    /// # Errors
    /// The node cannot be asked, or what the filter names is not there.
    pub fn events(&self, filter: EventFilter, from: EventsFrom) -> Result<Events, ClientError> {
        let agent = self.http.stream_agent();
        let stream = Stream {
            http: Arc::clone(&self.http),
            agent: agent.clone(),
            filter,
            from,
        };
        let response = stream.open()?;
        let (sender, events) = mpsc::sync_channel(READ_AHEAD);
        let (_stop, stopped) = mpsc::sync_channel(0);
        let mut backoff = self.backoff();
        let body = move || {
            let mut stream = stream;
            let mut response = Some(response);
            loop {
                let error = match response.take().map_or_else(|| stream.open(), Ok) {
                    Ok(response) => stream.read(response, &sender, || backoff.reset()),
                    Err(error) => Some(error),
                };
                let is_over = error.as_ref().is_none_or(|error| !error.is_temporary());
                if let (true, Some(error)) = (is_over, error) {
                    // Nobody takes it if the stream was dropped.
                    let _ = sender.send(Err(error));
                }
                let wait = backoff
                    .next_wait(None)
                    .unwrap_or(stream.http.options.wait_max);
                if is_over || stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("lode-events".to_owned())
            .spawn(body);
        thread.map_err(|error| ClientError::io("a thread for events", error))?;
        Ok(Events {
            url: self.url().to_owned(),
            events,
            agent: Some(agent),
            _stop,
        })
    }
}

impl Events {
    /// The next event, if one comes in this time.
    ///
    /// # Errors
    /// The stream is over: the node refused it, or sent what cannot be read. That a node
    /// cannot be reached for a while is no error.
    pub fn next_within(&self, wait: Duration) -> Result<Option<Event>, ClientError> {
        match self.events.recv_timeout(wait) {
            Ok(event) => event.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ClientError::Disconnected {
                url: self.url.clone(),
                why: "the stream of events is over".to_owned(),
            }),
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.recv().ok()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.shutdown();
        }
    }
}

/// What the thread knows.
struct Stream {
    http: Arc<Http>,
    agent: Agent,
    filter: EventFilter,
    from: EventsFrom,
}

impl Stream {
    fn open(&self) -> Result<Response<Body>, ClientError> {
        let mut ask = Ask::new("/v1/events").header("accept", "text/event-stream");
        ask = match self.filter {
            EventFilter::Blocks => ask,
            EventFilter::Account(account) => ask.query("account", Some(account)),
            EventFilter::Bounty(bounty) => ask.query("bounty", Some(bounty)),
            EventFilter::Asset(asset) => ask.query("asset", Some(asset)),
        };
        ask = match self.from {
            EventsFrom::Now => ask,
            EventsFrom::Genesis => ask.query("from", Some(0)),
            EventsFrom::After(id) => ask.header("last-event-id", id),
        };
        let response = self.http.accepted(self.http.get_with(&self.agent, &ask)?)?;
        match response.body().mime_type() {
            Some("text/event-stream") => Ok(response),
            other => Err(self.http.bad(format!(
                "a stream of the type '{}'",
                excerpt(other.unwrap_or_default().as_bytes())
            ))),
        }
    }

    /// Reads until the connection ends, and says why; `None`: nobody listens any more.
    fn read(
        &mut self,
        response: Response<Body>,
        sender: &SyncSender<Result<Event, ClientError>>,
        mut on_progress: impl FnMut(),
    ) -> Option<ClientError> {
        use std::io::Read;
        let mut reader = response.into_body().into_reader();
        let mut parser = SseParser::default();
        let mut buffer = [0; READ_BYTES];
        loop {
            let len = match reader.read(&mut buffer) {
                Ok(0) => {
                    return Some(ClientError::Disconnected {
                        url: self.http.url.clone(),
                        why: "the node ended the stream".to_owned(),
                    });
                }
                Ok(len) => len,
                Err(error) => return Some(self.http.failed(error.into())),
            };
            on_progress();
            let mut frames = Vec::new();
            let pushed = parser.push(&buffer[..len], &mut frames);
            for frame in frames {
                match self.event(frame) {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        if sender.send(Ok(event)).is_err() {
                            return None;
                        }
                    }
                    Err(error) => return Some(error),
                }
            }
            if let Err(error) = pushed {
                return Some(self.http.bad(error.to_string()));
            }
            self.note(parser.last_id());
        }
    }

    /// The event of a frame that is new; a later reconnection begins after it.
    fn event(&mut self, frame: Frame) -> Result<Option<Event>, ClientError> {
        let kind = match frame.event.as_str() {
            "block" => EventKind::Block(self.data(&frame)?),
            "entry" => EventKind::Entry(Box::new(self.data(&frame)?)),
            // Of a newer node.
            _ => return Ok(None),
        };
        let id = frame.id.as_deref().unwrap_or_default();
        let id: EventId = id.parse().map_err(|error| {
            let id = excerpt(id.as_bytes());
            self.http
                .bad(format!("an event with the id '{id}': {error}"))
        })?;
        if matches!(self.from, EventsFrom::After(last) if id <= last) {
            return Ok(None);
        }
        self.from = EventsFrom::After(id);
        Ok(Some(Event { id, kind }))
    }

    fn data<T: DeserializeOwned>(&self, frame: &Frame) -> Result<T, ClientError> {
        self.http.read(frame.data.as_bytes())
    }

    /// An id that came without an event still says where the stream stands.
    fn note(&mut self, id: Option<&str>) {
        let Some(Ok(id)) = id.map(EventId::from_str) else {
            return;
        };
        match self.from {
            EventsFrom::After(last) if last >= id => {}
            _ => self.from = EventsFrom::After(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_the_log_is() {
        let id = |text: &str| text.parse::<EventId>();
        assert!(id("9.0").unwrap() < id("10.0").unwrap());
        assert!(id("10.2").unwrap() < id("10.11").unwrap());
        assert_eq!(id("7.3").unwrap().to_string(), "7.3");
        for bad in ["", "7", "7.", ".3", "7.3.1", "-1.0", "a.b"] {
            assert_eq!(id(bad), Err(EventIdError), "{bad}");
        }
    }
}
