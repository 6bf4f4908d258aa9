//! Reading a blob, checked on the way.

use std::io::{self, Read};

use protocol::id::BlobId;

use super::{BlobError, Blobs};

/// How much of a blob is fetched at once, and held while it is read: 256 KiB.
const FETCHED_BYTES: u64 = 256 << 10;

/// Reads a blob and checks it against its name.
///
/// A damaged blob gives an error of kind `InvalidData` where its end would be,
/// and at every read after that. It is moved aside then, and held no more.
#[derive(Debug)]
pub struct BlobReader {
    blobs: Blobs,
    id: BlobId,
    size_bytes: u64,
    fetched: u64,
    part: Part,
    hasher: blake3::Hasher,
    is_whole: bool,
}

/// What was fetched and not yet read.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    at: usize,
}

impl BlobReader {
    pub(super) fn new(blobs: Blobs, id: BlobId, size_bytes: u64) -> Self {
        Self {
            blobs,
            id,
            size_bytes,
            fetched: 0,
            part: Part::default(),
            hasher: blake3::Hasher::new(),
            is_whole: false,
        }
    }

    /// Which blob this is.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// How many bytes the blob has.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn damaged(&self, what: &str) -> io::Error {
        // One that cannot be moved stays where it is, and is found damaged again.
        let _ = self.blobs.set_aside(self.id);
        let text = format!(
            "blob {} is damaged: {what}. Fetch it again from another node; that replaces it",
            self.id
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn fetch(&mut self) -> io::Result<()> {
        let end = self.size_bytes.min(self.fetched + FETCHED_BYTES);
        let fetched = self.blobs.part(self.id, self.fetched, end);
        let bytes = fetched.map_err(|error| match error {
            BlobError::Missing(_) => self.damaged("it is gone"),
            error => io::Error::other(error),
        })?;
        if bytes.len() as u64 != end - self.fetched {
            return Err(self.damaged("it ends early"));
        }
        self.fetched = end;
        self.hasher.update(&bytes);
        self.part = Part { bytes, at: 0 };
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.part.at == self.part.bytes.len() && self.fetched < self.size_bytes {
            self.fetch()?;
        }
        let left = &self.part.bytes[self.part.at..];
        if left.is_empty() && !self.is_whole {
            let found = BlobId(*self.hasher.finalize().as_bytes());
            if found != self.id {
                return Err(self.damaged(&format!("its bytes are those of {found}")));
            }
            self.is_whole = true;
        }
        let len = left.len().min(buffer.len());
        buffer[..len].copy_from_slice(&left[..len]);
        self.part.at += len;
        Ok(len)
    }
}
