//! The client against a node that fails in every way a node can.

#![expect(clippy::unwrap_used, reason = "all of this is tests, helpers included")]

mod blobs;
mod events;
mod fake;
mod reads;
mod sends;
mod submits;
