//! Blobs: weights, data, reports and ciphertexts, named by their BLAKE3 root.
//!
//! ```text
//! lock              held while the folder is open
//! blobs/<id>        whole blobs
//! staging/...       blobs that are still arriving; emptied on open
//! ```
//!
//! Invariants: a file under a blob's name was written whole, hashed and synced
//! before it got that name. A blob that is read is hashed on the way: one that
//! was damaged since fails at its end and is never taken for whole. At most
//! [`PART_BYTES`] of a blob are held.
//!
//! Recovery: what was arriving when the process died is deleted on open. A
//! damaged blob is healed by putting it again.
//!
//! The store is a folder now and can be a bucket later: everything after
//! [`Blobs::open`] goes through `object_store`, on a small runtime of its own.
//! So every call blocks: make it from a thread that may, never from inside
//! another asynchronous runtime. It does not know which blobs are still needed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStoreExt};
use protocol::id::BlobId;
use protocol::record::BlobRef;
use tokio::runtime::Runtime;

use crate::log::{self, LogError};

/// The most bytes a blob may have: 64 GiB.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;

/// How much of a blob is held at once: 8 MiB, which every kind of store takes as a part.
pub const PART_BYTES: usize = 8 << 20;

/// What went wrong with a blob.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The folder could not be prepared.
    #[error(transparent)]
    Folder(LogError),
    /// The runtime of the store could not be started.
    #[error("the blob store could not be started: {0}")]
    Runtime(io::Error),
    /// The store failed.
    #[error("blob store, {place}: {source}. Check the disk, then try again")]
    Store {
        /// The blob, or where it was arriving.
        place: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was to be stored could not be read.
    #[error("the blob's source failed after {read_bytes} bytes: {source}. Nothing was stored")]
    Source {
        /// Bytes that had arrived.
        read_bytes: u64,
        /// What the source said.
        source: io::Error,
    },
    /// Longer than the limit.
    #[error("the blob has more than {limit_bytes} bytes, the limit. Nothing was stored")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// Another blob arrived than was named.
    #[error("blob {expected} was expected, and {found} arrived. Nothing was stored")]
    Mismatch {
        /// The name.
        expected: BlobId,
        /// What the bytes hash to.
        found: BlobId,
    },
    /// There is no such blob.
    #[error("blob {0} is not held here. Fetch it from another node")]
    Missing(BlobId),
}

/// A folder of blobs. One process has it open at a time; its threads share it.
#[derive(Debug)]
pub struct Blobs {
    store: LocalFileSystem,
    runtime: Runtime,
    arrivals: AtomicU64,
    bytes_max: u64,
    _lock: File,
}

impl Blobs {
    /// Opens a folder of blobs, makes it if need be, and deletes what was left half arrived.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or written, or another process has it open.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        let prepare = |path: PathBuf| fs::create_dir_all(&path).map_err(LogError::io(&path));
        prepare(dir.join("blobs")).map_err(BlobError::Folder)?;
        let lock = log::lock(dir).map_err(BlobError::Folder)?;
        let staging = dir.join("staging");
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BlobError::Folder(LogError::io(&staging)(error)));
            }
            _ => prepare(staging).map_err(BlobError::Folder)?,
        }
        log::sync_dir(dir).map_err(BlobError::Folder)?;
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(store_error(dir.display().to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(BlobError::Runtime)?;
        Ok(Self {
            store: store.with_fsync(true),
            runtime,
            arrivals: AtomicU64::new(0),
            bytes_max: BLOB_BYTES_MAX,
            _lock: lock,
        })
    }

    /// The same, with a limit of its own on the bytes of a blob.
    #[must_use]
    pub fn with_bytes_max(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// Stores what the reader gives, whatever it is, and gives its name and size.
    /// On return it is on the disk.
    ///
    /// # Errors
    ///
    /// Reading or storing fails, or the blob is too long. Nothing is stored then.
    pub fn put(&self, source: impl Read) -> Result<BlobRef, BlobError> {
        self.arrive(None, source)
    }

    /// Stores the blob of this name.
    ///
    /// # Errors
    ///
    /// As [`Blobs::put`], or the reader gives another blob. Nothing is stored then.
    pub fn put_expecting(&self, id: BlobId, source: impl Read) -> Result<BlobRef, BlobError> {
        self.arrive(Some(id), source)
    }

    /// How many bytes the blob has; none if it is not held. Its bytes are not checked.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn size_bytes(&self, id: BlobId) -> Result<Option<u64>, BlobError> {
        match self.runtime.block_on(self.store.head(&key(id))) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(format!("blob {id}"))(error)),
        }
    }

    /// Whether the blob is held.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn holds(&self, id: BlobId) -> Result<bool, BlobError> {
        Ok(self.size_bytes(id)?.is_some())
    }

    /// Reads a blob. The reader checks what it gives against the name; only
    /// when it has given 0 bytes was the blob whole.
    ///
    /// # Errors
    ///
    /// The blob is not held, or the store fails.
    pub fn get(&self, id: BlobId) -> Result<BlobReader<'_>, BlobError> {
        let size_bytes = self.size_bytes(id)?.ok_or(BlobError::Missing(id))?;
        Ok(BlobReader {
            blobs: self,
            id,
            size_bytes,
            fetched: 0,
            part: Part::default(),
            hasher: blake3::Hasher::new(),
            is_whole: false,
        })
    }

    /// Takes a blob in under a staging name, then publishes it under its own.
    fn arrive(&self, expected: Option<BlobId>, source: impl Read) -> Result<BlobRef, BlobError> {
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let staged = Key::from(format!("staging/{arrival}"));
        let place = || format!("arrival {arrival}");
        let mut upload = self
            .runtime
            .block_on(self.store.put_multipart(&staged))
            .map_err(store_error(place()))?;
        let stored = match self.upload(upload.as_mut(), expected, source, &place()) {
            Ok(blob) => self
                .runtime
                .block_on(upload.complete())
                .map(|_| blob)
                .map_err(store_error(place())),
            Err(error) => Err(error),
        };
        let blob = match stored {
            Ok(blob) => blob,
            Err(error) => {
                // The first error is the one to report; what is left goes on the next open.
                let _ = self.runtime.block_on(upload.abort());
                return Err(error);
            }
        };
        let published = self
            .runtime
            .block_on(self.store.rename(&staged, &key(blob.id)));
        if let Err(error) = published {
            let _ = self.runtime.block_on(self.store.delete(&staged));
            return Err(store_error(format!("blob {}", blob.id))(error));
        }
        Ok(blob)
    }

    /// Reads the source to its end, part by part, and hashes it.
    fn upload(
        &self,
        upload: &mut dyn MultipartUpload,
        expected: Option<BlobId>,
        mut source: impl Read,
        place: &str,
    ) -> Result<BlobRef, BlobError> {
        let mut hasher = blake3::Hasher::new();
        let mut size_bytes = 0;
        loop {
            let mut part = Vec::new();
            let read = (&mut source).take(PART_BYTES as u64).read_to_end(&mut part);
            size_bytes += part.len() as u64;
            read.map_err(|source| BlobError::Source {
                read_bytes: size_bytes,
                source,
            })?;
            if size_bytes > self.bytes_max {
                return Err(BlobError::TooLong {
                    limit_bytes: self.bytes_max,
                });
            }
            if part.is_empty() {
                break;
            }
            hasher.update(&part);
            self.runtime
                .block_on(upload.put_part(part.into()))
                .map_err(store_error(place.to_owned()))?;
        }
        let found = BlobId(*hasher.finalize().as_bytes());
        match expected {
            Some(expected) if expected != found => Err(BlobError::Mismatch { expected, found }),
            _ => Ok(BlobRef {
                id: found,
                size_bytes,
            }),
        }
    }
}

/// Reads a blob and checks it against its name.
///
/// A damaged blob gives an error of kind `InvalidData` where its end would be,
/// and at every read after that.
#[derive(Debug)]
pub struct BlobReader<'a> {
    blobs: &'a Blobs,
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

impl BlobReader<'_> {
    /// Which blob this is.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// How many bytes the blob has.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn damaged(&self, what: &str) -> io::Error {
        let text = format!(
            "blob {} is damaged: {what}. Fetch it again from another node; that replaces it",
            self.id
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn fetch(&mut self) -> io::Result<()> {
        let end = self.size_bytes.min(self.fetched + PART_BYTES as u64);
        let range = self.fetched..end;
        let key = key(self.id);
        let fetch = self.blobs.store.get_range(&key, range);
        let bytes = self
            .blobs
            .runtime
            .block_on(fetch)
            .map_err(|error| match error {
                object_store::Error::NotFound { .. } => self.damaged("it is gone"),
                error => io::Error::other(error),
            })?;
        if bytes.len() as u64 != end - self.fetched {
            return Err(self.damaged("it ends early"));
        }
        self.fetched = end;
        self.hasher.update(&bytes);
        self.part = Part {
            bytes: bytes.into(),
            at: 0,
        };
        Ok(())
    }
}

impl Read for BlobReader<'_> {
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

fn key(id: BlobId) -> Key {
    Key::from(format!("blobs/{id}"))
}

fn store_error(place: String) -> impl FnOnce(object_store::Error) -> BlobError {
    move |source| BlobError::Store {
        place,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests;
