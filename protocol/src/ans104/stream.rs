//! Large items: signed and verified while their data flows by.
//!
//! An item's data comes last and has no length prefix, but the deep hash begins
//! with its length: so the length of the data is an argument here. Nothing is
//! held but the header, at most [`super::item::HEADER_BYTES_MAX`] bytes.

use std::io::{self, Read};

use super::deep_hash::BlobHasher;
use super::item::{ItemError, ItemFlaw, ItemHeader};
use super::tags::Tag;
use crate::id::ItemId;
use crate::keys::SecretKey;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Why a stream was not signed.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The data could not be read.
    #[error("the item's data could not be read: {0}")]
    Io(#[from] io::Error),
    /// The tags break a limit, or the data has another length than declared.
    #[error(transparent)]
    Item(#[from] ItemError),
}

/// Checks the signature of an item whose data arrives in pieces.
#[derive(Debug)]
pub struct StreamVerifier {
    header: ItemHeader,
    hasher: BlobHasher,
    data_len: u64,
}

impl StreamVerifier {
    /// Starts on the data of an item: its header was read, and `data_len` bytes follow.
    pub fn new(header: ItemHeader, data_len: u64) -> Self {
        Self {
            hasher: BlobHasher::new(data_len),
            header,
            data_len,
        }
    }

    /// The item's header, which nothing vouches for until [`StreamVerifier::finish`] does.
    pub fn header(&self) -> &ItemHeader {
        &self.header
    }

    /// Takes the next bytes of data.
    pub fn update(&mut self, data: &[u8]) {
        self.hasher.update(data);
    }

    /// Checks length and signature; gives the item's id.
    ///
    /// # Errors
    ///
    /// Another number of bytes came than declared, or the signature does not hold.
    pub fn finish(self) -> Result<ItemId, ItemError> {
        let data_hash = data_hash(self.hasher, self.data_len, self.header.size_bytes())?;
        self.header.check(&self.header.raw_tags()?, &data_hash)?;
        Ok(self.header.id())
    }
}

/// Signs an item whose `data_len` bytes of data are read once from `data`.
/// Gives the item's header and its encoding; the item is that followed by the data.
///
/// # Errors
///
/// The data cannot be read or has another length, or the tags break a limit.
pub fn sign_stream(
    key: &SecretKey,
    target: Option<[u8; 32]>,
    anchor: Option<[u8; 32]>,
    tags: Vec<Tag>,
    data_len: u64,
    data: impl Read,
) -> Result<(ItemHeader, Vec<u8>), StreamError> {
    let mut hasher = BlobHasher::new(data_len);
    // One byte more than declared is enough to see that there are more.
    let mut data = data.take(data_len.saturating_add(1));
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => hasher.update(&buffer[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let data_hash = data_hash(hasher, data_len, 0)?;
    Ok(ItemHeader::sign(key, target, anchor, tags, &data_hash)?)
}

fn data_hash(
    hasher: BlobHasher,
    declared: u64,
    header_bytes: usize,
) -> Result<super::deep_hash::DeepHash, ItemError> {
    hasher.finish().map_err(|found| {
        let at = usize::try_from(found.min(declared)).unwrap_or(usize::MAX);
        ItemError::new(
            header_bytes.saturating_add(at),
            ItemFlaw::DataLength { declared, found },
        )
    })
}

#[cfg(test)]
mod tests;
