//! A whole node behind its HTTP API, asked by the SDK and by raw sockets.

mod blobs;
mod hostile;
mod records;
mod support;
