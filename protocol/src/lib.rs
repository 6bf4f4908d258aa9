//! The words and formats that every part of the market shares.
//!
//! Pure: no clock, disk, network, thread or entropy; what is random is an
//! argument. Everything that comes from outside is checked against a named
//! limit before anything is allocated for it, and only canonical forms are
//! read, so that one meaning has one byte string.

pub mod id;

pub use id::{Address, BlobId, Digest, IdError, ItemId, NetworkId};
