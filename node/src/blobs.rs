//! Blobs: weights, data, reports and ciphertexts, named by their BLAKE3 root.
//!
//! ```text
//! lock                   held while the folder is open
//! blobs/<id>             whole blobs
//! staging/<id>.<t>.part  a sender's arrival of a blob, or what broke off of it; t: of the sender's token
//! staging/<n>.new        an arrival that cannot go on
//! damaged/<id>           what a read found damaged; nothing reads it
//! ```
//!
//! Invariants: a file under a blob's name was written whole, hashed and synced
//! before it got that name. A blob that is read is hashed on the way: one that
//! was damaged since fails at its end and is never taken for whole. At most
//! [`PART_BYTES`] of a blob are held. What one sender sends of a blob is apart from what any other
//! does, until it is whole: nobody can spoil or hold up another's arrival. [`ROOM_KEPT_BYTES`] stay free, and
//! [`FILES_KEPT`] files that the disk could hold.
//!
//! Recovery: an arrival with a token that broke off goes on where it was, within
//! [`UNFINISHED_KEPT`]; everything else in staging is deleted on open. A blob that a
//! read found damaged is moved aside: it is held no more, and can be put again.
//!
//! What arrives is staged in this folder. The store is a folder now and can be a
//! bucket later: whole blobs go through `object_store`, on a small runtime of its
//! own. So every call blocks: make it from a thread that may, never from inside
//! another asynchronous runtime. It does not know which blobs are still needed: that is
//! [`crate::collect`]'s.

mod arrival;
mod reader;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use protocol::api::UploadToken;
use protocol::id::BlobId;
use protocol::record::BlobRef;
use rustix::fs::StatVfs;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

pub use arrival::Arrival;
pub use reader::BlobReader;

use crate::log::{self, LogError};

/// The most bytes a blob may have: 64 GiB.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;

/// How much of a blob is held at once: 2 MiB.
pub const PART_BYTES: usize = 2 << 20;

/// How long an arrival that broke off may go on: a day.
pub const UNFINISHED_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// So much of a disk is never filled with blobs, so that the log has room: 256 MiB.
pub const ROOM_KEPT_BYTES: u64 = 256 << 20;

/// So many of the files that a disk can hold are never blobs: 10,000.
pub const FILES_KEPT: u64 = 10_000;

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
    /// The same sender is sending it already.
    #[error("blob {0} is arriving from you already. Wait until that is done, or has broken off")]
    Arriving(BlobId),
    /// It came from somebody else meanwhile.
    #[error("blob {0} is held by now")]
    Held(BlobId),
    /// The disk has no room for it.
    #[error(
        "the blob needs {needed_bytes} bytes, and the disk has {free_bytes} bytes free, of which \
         {ROOM_KEPT_BYTES} are kept for the log, and {others_bytes} for blobs that are arriving. \
         Nothing was stored"
    )]
    NoRoom {
        /// What is still to come.
        needed_bytes: u64,
        /// What is free.
        free_bytes: u64,
        /// What of that other arrivals will take.
        others_bytes: u64,
    },
    /// The disk can hold few files more.
    #[error(
        "the disk can hold {free_files} files more, whatever their size, of which {FILES_KEPT} are kept \
         for the log. Nothing was stored"
    )]
    NoFiles {
        /// How many more.
        free_files: u64,
    },
    /// It was to begin elsewhere than where it broke off.
    #[error("the upload begins at byte {first}, and {held_bytes} bytes are held")]
    Offset {
        /// Where it was to begin.
        first: u64,
        /// How much is held.
        held_bytes: u64,
    },
    /// Fewer or more bytes than were announced.
    #[error("blob {id} was announced with {announced_bytes} bytes, and {found_bytes} came")]
    Length {
        /// The name.
        id: BlobId,
        /// What was said.
        announced_bytes: u64,
        /// What came.
        found_bytes: u64,
    },
    /// There is no such blob.
    #[error("blob {0} is not held here. Fetch it from another node")]
    Missing(BlobId),
}

/// A folder of blobs. One process has it open at a time; its threads share it.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    store: Box<dyn ObjectStore>,
    runtime: Blocking,
    arrivals: AtomicU64,
    /// The staged files that are arriving, and the room that is kept for each.
    arriving: Mutex<BTreeMap<String, u64>>,
    /// Held while a blob gets its place, or is moved out of it.
    placing: Mutex<()>,
    bytes_max: u64,
    files_kept: u64,
    _lock: File,
}

/// The store's runtime. The last who holds the blobs may drop them on a thread of
/// another runtime, which must not wait for this one.
#[derive(Debug)]
struct Blocking(Option<Runtime>);

impl Blocking {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        let runtime = self.0.as_ref().expect("it is taken when it is dropped");
        runtime.block_on(work)
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Blobs {
    /// Opens a folder of blobs, makes it if need be, and deletes what was left
    /// half arrived and cannot go on.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or written, or another process has it open.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        Self::open_with(dir, BLOB_BYTES_MAX)
    }

    /// The same, with a limit of its own on the bytes of a blob.
    ///
    /// # Errors
    ///
    /// As [`Blobs::open`].
    pub fn open_with(dir: &Path, bytes_max: u64) -> Result<Self, BlobError> {
        Self::open_keeping(dir, bytes_max, FILES_KEPT)
    }

    fn open_keeping(dir: &Path, bytes_max: u64, files_kept: u64) -> Result<Self, BlobError> {
        let prepare = |path: &Path| fs::create_dir_all(path).map_err(LogError::io(path));
        prepare(&dir.join("blobs")).map_err(BlobError::Folder)?;
        let lock = log::lock(dir).map_err(BlobError::Folder)?;
        let staging = dir.join("staging");
        prepare(&staging).map_err(BlobError::Folder)?;
        arrival::clear(&staging, |_| Some(())).map_err(BlobError::Folder)?;
        // A process that died between a blob's name and its sync left that to be done.
        log::sync_dir(&dir.join("blobs")).map_err(BlobError::Folder)?;
        log::sync_dir(dir).map_err(BlobError::Folder)?;
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(store_error(dir.display().to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(BlobError::Runtime)?;
        let inner = Inner {
            dir: dir.to_owned(),
            store: Box::new(store.with_fsync(true)),
            runtime: Blocking(Some(runtime)),
            arrivals: AtomicU64::new(0),
            arriving: Mutex::default(),
            placing: Mutex::default(),
            bytes_max,
            files_kept,
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The most bytes of a blob.
    pub fn bytes_max(&self) -> u64 {
        self.inner.bytes_max
    }

    /// Stores what the reader gives, whatever it is, and gives its name and size.
    /// On return it is on the disk.
    ///
    /// # Errors
    ///
    /// Reading or storing fails, or the blob is too long. Nothing is stored then.
    pub fn put(&self, source: impl Read) -> Result<BlobRef, BlobError> {
        self.put_only(None, source)
    }

    /// Stores the blob of this name.
    ///
    /// # Errors
    ///
    /// As [`Blobs::put`], or the reader gives another blob. Nothing is stored then.
    pub fn put_expecting(&self, id: BlobId, source: impl Read) -> Result<BlobRef, BlobError> {
        self.put_only(Some(id), source)
    }

    fn put_only(&self, only: Option<BlobId>, source: impl Read) -> Result<BlobRef, BlobError> {
        Arrival::once(self, self.numbered(), None)?.read_all(only, source)
    }

    fn numbered(&self) -> String {
        let number = self.inner.arrivals.fetch_add(1, Ordering::Relaxed);
        format!("{number}.new")
    }

    /// Begins to take in a blob whose name and size were announced. What arrived is deleted if it
    /// breaks off.
    ///
    /// # Errors
    ///
    /// It is too long, there is no room, or the folder cannot be written.
    pub fn arrive(&self, blob: BlobRef) -> Result<Arrival, BlobError> {
        self.check_length(blob)?;
        Arrival::once(self, self.numbered(), Some(blob))
    }

    /// Begins, or goes on, to take in what the holder of a token sends of a blob, from the byte
    /// `first` on, which has to be where it broke off.
    ///
    /// # Errors
    ///
    /// As [`Blobs::arrive`]; if it goes on elsewhere, or is arriving already.
    pub fn arrive_at(
        &self,
        blob: BlobRef,
        token: &UploadToken,
        first: u64,
    ) -> Result<Arrival, BlobError> {
        self.check_length(blob)?;
        Arrival::going_on(self, part_name(blob.id, token), blob, first)
    }

    fn check_length(&self, blob: BlobRef) -> Result<(), BlobError> {
        let limit_bytes = self.inner.bytes_max;
        match blob.size_bytes > limit_bytes {
            true => Err(BlobError::TooLong { limit_bytes }),
            false => Ok(()),
        }
    }

    /// How much is held of what the holder of a token sent of a blob before it broke off; 0 if
    /// nothing is.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn arrived_bytes(&self, id: BlobId, token: &UploadToken) -> Result<u64, BlobError> {
        self.staged_bytes(&part_name(id, token))
    }

    /// Deletes what is held of what the holder of a token sent, unless it is arriving.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn forget_arrived(&self, id: BlobId, token: &UploadToken) -> Result<(), BlobError> {
        let name = part_name(id, token);
        let arriving = self.arriving();
        if arriving.contains_key(&name) {
            return Ok(());
        }
        let path = self.staging(&name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::Folder(LogError::io(&path)(error)))
            }
            _ => Ok(()),
        }
    }

    fn staged_bytes(&self, name: &str) -> Result<u64, BlobError> {
        let path = self.staging(name);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(BlobError::Folder(LogError::io(&path)(error))),
        }
    }

    /// Deletes what is left of arrivals that broke off longer than [`UNFINISHED_KEPT`] ago.
    ///
    /// # Errors
    ///
    /// The folder cannot be read or written.
    pub fn clear_unfinished(&self) -> Result<(), BlobError> {
        let cleared = arrival::clear(&self.inner.dir.join("staging"), |name| {
            if !name.ends_with(".part") {
                return None;
            }
            // Held while this file is looked at, so that it does not go on in this moment.
            let arriving = self.arriving();
            (!arriving.contains_key(name)).then_some(arriving)
        });
        cleared.map_err(BlobError::Folder)
    }

    /// Moves a blob aside that a read found damaged, if it still is: another may have put
    /// it again in the meantime, or the read itself was at fault.
    fn set_aside(&self, id: BlobId) -> Result<(), BlobError> {
        let path = self.inner.dir.join("blobs").join(id.to_string());
        let failed = |error| BlobError::Folder(LogError::io(&path)(error));
        let mut hasher = blake3::Hasher::new();
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        let age = |metadata: fs::Metadata| Ok((metadata.len(), metadata.modified()?));
        let looked_at = file.metadata().and_then(age).map_err(failed)?;
        hasher.update_reader(&mut file).map_err(failed)?;
        if BlobId(*hasher.finalize().as_bytes()) == id {
            return Ok(());
        }
        let _placing = self.placing();
        let there = fs::metadata(&path).and_then(age);
        if !there.is_ok_and(|there| there == looked_at) {
            return Ok(());
        }
        let damaged = self.inner.dir.join("damaged");
        fs::create_dir_all(&damaged).map_err(failed)?;
        fs::rename(&path, damaged.join(id.to_string())).map_err(failed)
    }

    /// Bytes that are free on the disk.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn free_bytes(&self) -> Result<u64, BlobError> {
        let disk = self.disk()?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Refuses a new file if the disk can hold few more.
    fn check_files(&self) -> Result<(), BlobError> {
        match few_files(&self.disk()?, self.inner.files_kept) {
            Some(free_files) => Err(BlobError::NoFiles { free_files }),
            None => Ok(()),
        }
    }

    fn disk(&self) -> Result<StatVfs, BlobError> {
        let dir = &self.inner.dir;
        let disk = rustix::fs::statvfs(dir).map_err(|error| LogError::io(dir)(error.into()));
        disk.map_err(BlobError::Folder)
    }

    fn staging(&self, name: &str) -> PathBuf {
        self.inner.dir.join("staging").join(name)
    }

    fn arriving(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        let arriving = self.inner.arriving.lock();
        arriving.unwrap_or_else(PoisonError::into_inner)
    }

    fn placing(&self) -> std::sync::MutexGuard<'_, ()> {
        let placing = self.inner.placing.lock();
        placing.unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes the blob has; none if it is not held. Its bytes are not checked.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn size_bytes(&self, id: BlobId) -> Result<Option<u64>, BlobError> {
        let meta = self.size_and_time(id)?;
        Ok(meta.map(|(size_bytes, _)| size_bytes))
    }

    /// The same, and when its last bytes were written, in milliseconds since 1970 by the machine's clock.
    pub(crate) fn size_and_time(&self, id: BlobId) -> Result<Option<(u64, u64)>, BlobError> {
        match self.inner.runtime.block_on(self.inner.store.head(&key(id))) {
            Ok(meta) => {
                let written_ms = meta.last_modified.timestamp_millis();
                Ok(Some((meta.size, written_ms.try_into().unwrap_or_default())))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(format!("blob {id}"))(error)),
        }
    }

    /// Shows all blobs that are held, in no order and few at a time in memory; their bytes are not checked. What
    /// comes or goes meanwhile may be among them or not.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn each(&self, mut show: impl FnMut(BlobId)) -> Result<(), BlobError> {
        let folder = Key::from("blobs");
        let mut list = self.inner.store.list(Some(&folder));
        while let Some(object) = self.inner.runtime.block_on(list.next()) {
            let object = object.map_err(store_error("the list of blobs".to_owned()))?;
            // What has no blob's name is not ours.
            let name = object.location.filename();
            if let Some(id) = name.and_then(|name| name.parse().ok())
                && object.location == key(id)
            {
                show(id);
            }
        }
        Ok(())
    }

    /// Removes a blob, and says whether it was held. Who is reading it fails.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn remove(&self, id: BlobId) -> Result<bool, BlobError> {
        let key = key(id);
        match self.inner.runtime.block_on(self.inner.store.delete(&key)) {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
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
    pub fn get(&self, id: BlobId) -> Result<BlobReader, BlobError> {
        let size_bytes = self.size_bytes(id)?.ok_or(BlobError::Missing(id))?;
        Ok(BlobReader::new(self.clone(), id, size_bytes))
    }

    /// Bytes of a blob from `from` on, at most [`PART_BYTES`]. They are not checked:
    /// whoever asks for a part checks the whole.
    ///
    /// # Errors
    ///
    /// The blob is not held, or the store fails.
    pub fn part(&self, id: BlobId, from: u64, to: u64) -> Result<Vec<u8>, BlobError> {
        let to = to.min(from.saturating_add(PART_BYTES as u64));
        let key = key(id);
        let fetch = self.inner.store.get_range(&key, from..to);
        match self.inner.runtime.block_on(fetch) {
            Ok(bytes) => Ok(bytes.into()),
            Err(object_store::Error::NotFound { .. }) => Err(BlobError::Missing(id)),
            Err(error) => Err(store_error(format!("blob {id}"))(error)),
        }
    }
}

/// How many files more a disk can hold, if they are fewer than what is to be kept. A disk that says of no number
/// has no limit.
fn few_files(disk: &StatVfs, kept: u64) -> Option<u64> {
    let is_few = disk.f_files > 0 && disk.f_favail < kept;
    is_few.then_some(disk.f_favail)
}

/// The staged file of what the holder of a token sends of a blob. The token itself stays out of the folder.
fn part_name(id: BlobId, token: &UploadToken) -> String {
    let hash = blake3::hash(&token.0).to_hex();
    format!("{id}.{}.part", &hash[..32])
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
