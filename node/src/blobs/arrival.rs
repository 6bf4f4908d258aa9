//! A blob on its way in: staged, hashed, synced, then named.
//!
//! What arrives is written behind to the disk in steps of [`SYNC_EVERY_BYTES`]
//! while more arrives, so that the sync at the end has little to wait for.

use std::collections::btree_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use protocol::id::BlobId;
use protocol::record::BlobRef;

use super::{BlobError, Blobs, PART_BYTES, ROOM_KEPT_BYTES, UNFINISHED_KEPT, key, store_error};
use crate::log::LogError;

/// After so many bytes the disk begins to write them: 32 MiB.
const SYNC_EVERY_BYTES: u64 = 32 << 20;

/// A blob that is arriving. Dropped before its end, a named one can go on later,
/// and one without a name is deleted.
#[derive(Debug)]
pub struct Arrival {
    blobs: Blobs,
    name: String,
    path: PathBuf,
    expected: Option<BlobRef>,
    /// Of a named one.
    claim: Option<Claim>,
    file: File,
    hasher: blake3::Hasher,
    size_bytes: u64,
    synced_bytes: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
    is_done: bool,
}

impl Arrival {
    /// Begins with a blob that gets its name at the end.
    pub(super) fn of_unnamed(blobs: &Blobs, name: String) -> Result<Self, BlobError> {
        Self::open(blobs, name, None)
    }

    /// Begins or goes on with a named blob, if need be only at the byte `first`.
    pub(super) fn of_named(
        blobs: &Blobs,
        blob: BlobRef,
        first: Option<u64>,
    ) -> Result<Self, BlobError> {
        let claim = Claim::take(blobs, blob.id)?;
        let mut held_bytes = blobs.arrived_bytes(blob.id)?;
        let is_longer = held_bytes > blob.size_bytes;
        if is_longer {
            // Somebody announced it longer; the name decides, so begin anew.
            held_bytes = 0;
        }
        if let Some(first) = first.filter(|&first| first != held_bytes) {
            return Err(BlobError::Offset { first, held_bytes });
        }
        claim.reserve(blob.size_bytes - held_bytes)?;
        let name = format!("{}.part", blob.id);
        if is_longer {
            let path = blobs.staging(&name);
            fs::remove_file(&path)
                .map_err(|error| BlobError::Folder(LogError::io(&path)(error)))?;
        }
        Self::open(blobs, name, Some((blob, claim)))
    }

    fn open(
        blobs: &Blobs,
        name: String,
        named: Option<(BlobRef, Claim)>,
    ) -> Result<Self, BlobError> {
        let path = blobs.staging(&name);
        let opened = open(&path, named.is_some());
        let (file, hasher, size_bytes) =
            opened.map_err(|error| BlobError::Folder(LogError::io(&path)(error)))?;
        let (expected, claim) = named.unzip();
        Ok(Self {
            blobs: blobs.clone(),
            name,
            path,
            expected,
            claim,
            file,
            hasher,
            size_bytes,
            synced_bytes: size_bytes,
            syncing: None,
            is_done: false,
        })
    }

    /// How many bytes have arrived.
    pub fn offset(&self) -> u64 {
        self.size_bytes
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    ///
    /// More bytes than were announced or are allowed, or the disk does not take them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let size_bytes = self.size_bytes + bytes.len() as u64;
        if let Some(blob) = self.expected
            && size_bytes > blob.size_bytes
        {
            return Err(BlobError::Length {
                id: blob.id,
                announced_bytes: blob.size_bytes,
                found_bytes: size_bytes,
            });
        }
        let limit_bytes = self.blobs.bytes_max();
        if size_bytes > limit_bytes {
            return Err(BlobError::TooLong { limit_bytes });
        }
        self.check_room(bytes.len() as u64)?;
        self.file
            .write_all(bytes)
            .map_err(|error| self.failed(error))?;
        self.hasher.update(bytes);
        self.size_bytes = size_bytes;
        if let (Some(claim), Some(blob)) = (&self.claim, self.expected) {
            claim.set(blob.size_bytes - size_bytes);
        }
        if size_bytes - self.synced_bytes >= SYNC_EVERY_BYTES {
            self.sync_behind().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Ends the arrival: on return the blob is on the disk under its name.
    ///
    /// # Errors
    ///
    /// It is not the blob that was announced, or the disk fails. What arrived is
    /// then deleted if its bytes are wrong, and kept if only some are missing.
    pub fn finish(mut self) -> Result<BlobRef, BlobError> {
        let blob = BlobRef {
            id: BlobId(*self.hasher.finalize().as_bytes()),
            size_bytes: self.size_bytes,
        };
        if let Some(expected) = self.expected {
            if blob.size_bytes < expected.size_bytes {
                return Err(BlobError::Length {
                    id: expected.id,
                    announced_bytes: expected.size_bytes,
                    found_bytes: blob.size_bytes,
                });
            }
            if blob.id != expected.id {
                let _ = fs::remove_file(&self.path);
                return Err(BlobError::Mismatch {
                    expected: expected.id,
                    found: blob.id,
                });
            }
        }
        if let Some(syncing) = self.syncing.take() {
            // Its error comes again from the sync below, or from nowhere.
            let _ = syncing.join();
        }
        let synced = self.file.sync_all();
        synced.map_err(|error| self.failed(error))?;
        let inner = &self.blobs.inner;
        let staged = Key::from(format!("staging/{}", self.name));
        let named = key(blob.id);
        let placing = self.blobs.placing();
        let published = inner.runtime.block_on(inner.store.rename(&staged, &named));
        drop(placing);
        published.map_err(store_error(format!("blob {}", blob.id)))?;
        self.is_done = true;
        Ok(blob)
    }

    /// Takes in everything that a reader gives, and ends; if it should be `only`
    /// this blob, any other is deleted.
    pub(super) fn read_all(
        mut self,
        only: Option<BlobId>,
        mut source: impl Read,
    ) -> Result<BlobRef, BlobError> {
        let mut part = Vec::with_capacity(PART_BYTES);
        loop {
            part.clear();
            let read = (&mut source).take(PART_BYTES as u64).read_to_end(&mut part);
            read.map_err(|source| BlobError::Source {
                read_bytes: self.size_bytes + part.len() as u64,
                source,
            })?;
            if part.is_empty() {
                let found = BlobId(*self.hasher.finalize().as_bytes());
                return match only {
                    Some(expected) if expected != found => {
                        Err(BlobError::Mismatch { expected, found })
                    }
                    _ => self.finish(),
                };
            }
            self.write(&part)?;
        }
    }

    /// Looks whether the disk still has room: others write there too.
    fn check_room(&self, needed_bytes: u64) -> Result<(), BlobError> {
        let free_bytes = self.blobs.free_bytes()?;
        if needed_bytes.saturating_add(ROOM_KEPT_BYTES) > free_bytes {
            return Err(BlobError::NoRoom {
                needed_bytes,
                free_bytes,
                others_bytes: 0,
            });
        }
        Ok(())
    }

    /// Has the disk write what is there, while more arrives.
    fn sync_behind(&mut self) -> io::Result<()> {
        match self.syncing.take() {
            Some(syncing) if !syncing.is_finished() => {
                self.syncing = Some(syncing);
                return Ok(());
            }
            Some(syncing) => syncing
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the thread that syncs panicked")))?,
            None => {}
        }
        self.synced_bytes = self.size_bytes;
        let file = self.file.try_clone()?;
        self.syncing = Some(std::thread::spawn(move || file.sync_data()));
        Ok(())
    }

    fn failed(&self, source: io::Error) -> BlobError {
        BlobError::Store {
            place: self.path.display().to_string(),
            source: source.into(),
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.expected.is_none() && !self.is_done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A named blob that is arriving, until this is dropped, with the room that it needs.
#[derive(Debug)]
struct Claim {
    blobs: Blobs,
    id: BlobId,
}

impl Claim {
    fn take(blobs: &Blobs, id: BlobId) -> Result<Self, BlobError> {
        match blobs.arriving().entry(id) {
            Entry::Occupied(_) => Err(BlobError::Arriving(id)),
            Entry::Vacant(place) => {
                place.insert(0);
                Ok(Self {
                    blobs: blobs.clone(),
                    id,
                })
            }
        }
    }

    /// Keeps room for so many bytes, if there is that much beside what others need.
    fn reserve(&self, needed_bytes: u64) -> Result<(), BlobError> {
        // Two at once see each other: the lock is held from the sum to the entry.
        let mut arriving = self.blobs.arriving();
        let others = arriving.iter().filter(|(id, _)| **id != self.id);
        let others_bytes = others.fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let free_bytes = self.blobs.free_bytes()?;
        let taken_bytes = others_bytes.saturating_add(ROOM_KEPT_BYTES);
        if needed_bytes.saturating_add(taken_bytes) > free_bytes {
            return Err(BlobError::NoRoom {
                needed_bytes,
                free_bytes,
                others_bytes,
            });
        }
        arriving.insert(self.id, needed_bytes);
        Ok(())
    }

    /// Says how many bytes are still to come.
    fn set(&self, needed_bytes: u64) {
        self.blobs.arriving().insert(self.id, needed_bytes);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.blobs.arriving().remove(&self.id);
    }
}

/// Opens a staged file for appending; what is in it already is hashed.
fn open(path: &Path, goes_on: bool) -> io::Result<(File, blake3::Hasher, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut size_bytes = 0;
    let mut options = OpenOptions::new();
    if goes_on {
        options.read(true).append(true).create(true);
    } else {
        options.write(true).create(true).truncate(true);
    }
    let mut file = options.open(path)?;
    if goes_on {
        let mut part = vec![0; PART_BYTES];
        loop {
            let read = file.read(&mut part)?;
            if read == 0 {
                break;
            }
            hasher.update(&part[..read]);
            size_bytes += read as u64;
        }
    }
    Ok((file, hasher, size_bytes))
}

/// Deletes what is in staging and cannot go on, of the files whose names are chosen.
pub(super) fn clear(staging: &Path, is_chosen: impl Fn(&str) -> bool) -> Result<(), LogError> {
    for entry in fs::read_dir(staging).map_err(LogError::io(staging))? {
        let path = entry.map_err(LogError::io(staging))?.path();
        let name = path.file_name().unwrap_or_default();
        if !is_chosen(&name.to_string_lossy()) {
            continue;
        }
        let can_go_on = path.extension().is_some_and(|kind| kind == "part")
            && fs::metadata(&path)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|then| then.elapsed().is_ok_and(|age| age < UNFINISHED_KEPT));
        if !can_go_on {
            fs::remove_file(&path).map_err(LogError::io(&path))?;
        }
    }
    Ok(())
}
