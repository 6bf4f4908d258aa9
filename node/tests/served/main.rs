//! A whole node behind its HTTP API, asked by the SDK and by raw sockets.

#![allow(clippy::unwrap_used)] // Everything here is a test.

mod blobs;
mod collect;
mod hostile;
mod play;
mod posting;
mod records;
mod statements;
mod support;
