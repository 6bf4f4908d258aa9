//! The SDK: a node's HTTP API, typed and blocking, with retries that cannot spend twice.
//!
//! The command and the daemons use it, and so can everyone else. It knows the routes of docs/api.md and the
//! messages of [`protocol::api`], and nothing of the market's rules. It holds no
//! key and never signs: what changes the market is a [`VerifiedItem`](protocol::ans104::VerifiedItem) that its
//! caller made. Everything that a node sends is read against a limit, and blobs and items are checked
//! against their ids.
//!
//! | module | what it does |
//! |---|---|
//! | `client` | [`Client`]: address, patience, calls about the node |
//! | `routes`, `pages` | everything on the log; lists page by page |
//! | `submit` | posting signed records, as often as it takes |
//! | [`sender`] | [`Sender`]: nonces, validity, and why nothing is spent twice |
//! | `events`, `sse` | [`Events`]: following the log |
//! | `blobs`, `upload`, `download` | blobs of any size, both ways |
//! | `error` | [`ClientError`]: a code, a message, a next step |
//! | `http`, `backoff` | one exchange; waits between tries |
//!
//! # Read the status
//!
//! ```no_run
//! # fn main() -> Result<(), client::ClientError> {
//! let client = client::Client::new("http://127.0.0.1:4747")?;
//! client.check_compatible()?;
//! let status = client.status()?;
//! println!("{}: height {}", status.name, status.height);
//! for bounty in client.bounties(Some(client::PhaseFilter::Open)).take(20) {
//!     println!("{}", bounty?.title);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Send a transfer
//!
//! ```no_run
//! use protocol::ans104::ItemError;
//! use protocol::record::{Action, Transfer};
//!
//! # fn run(client: client::Client, key: protocol::keys::SecretKey, to: protocol::Address)
//! # -> Result<(), client::SendError<ItemError>> {
//! let mut sender = client::Sender::new(&client, key.public().address());
//! let body = Transfer { amount: protocol::Amount::from_base_units(5) };
//! let record = sender.send(&Action::Transfer { to, body }, |draft| draft.sign(&key))?;
//! match record.problem {
//!     None => println!("final in block {:?}", record.height),
//!     Some(problem) => println!("{problem}: {}", problem.next_step),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Follow a bounty
//!
//! ```no_run
//! use std::time::Duration;
//! use client::{EventFilter, EventKind, EventsFrom};
//!
//! # fn run(client: client::Client, bounty: protocol::ItemId) -> Result<(), client::ClientError> {
//! let events = client.events(EventFilter::Bounty(bounty), EventsFrom::Genesis)?;
//! loop {
//!     match events.next_within(Duration::from_secs(30))? {
//!         Some(event) => {
//!             if let EventKind::Entry(entry) = &event.kind {
//!                 println!("{}: {:?}", event.id, entry.receipt.events);
//!             }
//!         }
//!         None => println!("nothing new: time for other work"),
//!     }
//! }
//! # }
//! ```
//!
//! # Upload and download
//!
//! ```no_run
//! use std::path::Path;
//!
//! # fn run(client: client::Client) -> Result<(), client::ClientError> {
//! let blob = client.upload_file(Path::new("model.lode"), |done, all| eprint!("\r{done}/{all}"))?;
//! client.download(blob, Path::new("copy.lode"), |_, _| {})?;
//! # Ok(())
//! # }
//! ```

mod backoff;
mod blobs;
mod client;
mod download;
mod error;
mod events;
mod http;
mod pages;
mod routes;
pub mod sender;
mod sse;
mod submit;
mod upload;

pub use blobs::{blob_ref_of, blob_ref_of_file};
pub use client::{Client, Options};
pub use error::{ClientError, EXCERPT_CHARS_MAX};
pub use events::{Event, EventFilter, EventId, EventIdError, EventKind, Events, EventsFrom};
pub use http::{ERROR_BYTES_MAX, JSON_BYTES_MAX, RATE_MIN_BYTES};
pub use pages::Pages;
pub use routes::{AssetFilter, LicenseFilter, PhaseFilter};
pub use sender::{Prepared, SendError, Sender, Settlement, VALIDITY_MS};
pub use sse::{EVENT_BYTES_MAX, FIELD_BYTES_MAX};
pub use upload::UploadSecret;
