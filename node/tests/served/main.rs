//! A whole node behind its HTTP API, asked by the SDK and by raw sockets.

#![allow(clippy::unwrap_used)] // Everything here is a test.

mod blobs;
mod hostile;
mod records;
mod statements;
mod support;
