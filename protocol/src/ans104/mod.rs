//! ANS-104 data items and bundles, in the one canonical form.
//!
//! - [`tags`]: name and value pairs as an Avro array, read strictly.
//! - [`deep_hash`]: the SHA-384 tree hash that is signed, whole or streamed.
//! - [`item`]: drafts, signed items, verified items.
//! - [`stream`]: large items, signed and verified without holding their data.
//! - [`bundle`]: many items in one file, written and read as a stream.
//!
//! The layout is the one that the deployed Arweave packages write and read.
//! Where those packages take several byte strings for one item, this decoder
//! takes exactly one and names what is wrong with the others: one id, one byte
//! string. Only ed25519 (signature type 2) is read.

pub mod bundle;
pub mod deep_hash;
pub mod item;
pub mod stream;
pub mod tags;

pub use bundle::{BundleError, BundleFlaw, BundleReader, BundleWriter};
pub use item::{Draft, ItemError, ItemFlaw, ItemHeader, SignedItem, VerifiedItem};
pub use stream::{StreamError, StreamVerifier, sign_stream};
pub use tags::{Tag, TagError, TagFlaw, decode_tags, encode_tags};
