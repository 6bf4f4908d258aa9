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

/// So much of what is still to come of an arrival is kept free for it: 64 MiB. More would let who
/// announces much and sends little keep everybody else out.
const RESERVED_BYTES: u64 = 64 << 20;

/// And no more than has arrived of it, or this: to announce costs nothing.
const RESERVED_FIRST_BYTES: u64 = 1 << 20;

/// A blob that is arriving. Dropped before its end, one with a token can go on later,
/// and one without is deleted.
#[derive(Debug)]
pub struct Arrival {
    blobs: Blobs,
    name: String,
    path: PathBuf,
    expected: Option<BlobRef>,
    goes_on: bool,
    claim: Claim,
    file: File,
    /// Of what arrived; none if some of it did before: that is hashed at the end, once, so that to go
    /// on costs nothing.
    pub(super) hasher: Option<blake3::Hasher>,
    size_bytes: u64,
    synced_bytes: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
    is_done: bool,
}

impl Arrival {
    /// Begins with a blob, which cannot go on if it breaks off: one that was announced, or
    /// one that gets its name at the end.
    pub(super) fn once(
        blobs: &Blobs,
        name: String,
        expected: Option<BlobRef>,
    ) -> Result<Self, BlobError> {
        let claim = Claim::take(blobs, &name, expected)?;
        if let Some(blob) = expected {
            claim.reserve(blob.size_bytes, 0)?;
        }
        Self::open(blobs, claim, expected, false)
    }

    /// Begins or goes on with a blob that was announced, at the byte `first`.
    pub(super) fn going_on(
        blobs: &Blobs,
        name: String,
        blob: BlobRef,
        first: u64,
    ) -> Result<Self, BlobError> {
        let claim = Claim::take(blobs, &name, Some(blob))?;
        let mut held_bytes = blobs.staged_bytes(&name)?;
        let is_longer = held_bytes > blob.size_bytes;
        if is_longer {
            // Its sender announced it longer before; the name decides, so begin anew.
            held_bytes = 0;
        }
        if first != held_bytes {
            return Err(BlobError::Offset { first, held_bytes });
        }
        claim.reserve(blob.size_bytes - held_bytes, held_bytes)?;
        if is_longer {
            let path = blobs.staging(&name);
            fs::remove_file(&path)
                .map_err(|error| BlobError::Folder(LogError::io(&path)(error)))?;
        }
        Self::open(blobs, claim, Some(blob), true)
    }

    fn open(
        blobs: &Blobs,
        claim: Claim,
        expected: Option<BlobRef>,
        goes_on: bool,
    ) -> Result<Self, BlobError> {
        let name = claim.name.clone();
        let path = blobs.staging(&name);
        if !path.exists() {
            blobs.check_files()?;
        }
        let opened = open(&path, goes_on);
        let (file, size_bytes) =
            opened.map_err(|error| BlobError::Folder(LogError::io(&path)(error)))?;
        Ok(Self {
            blobs: blobs.clone(),
            name,
            path,
            expected,
            goes_on,
            claim,
            file,
            hasher: (size_bytes == 0).then(blake3::Hasher::new),
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
        if let Err(error) = self.check_room(bytes.len() as u64) {
            // What has no room cannot go on: others can, with the room that this had.
            self.goes_on = false;
            return Err(error);
        }
        self.file
            .write_all(bytes)
            .map_err(|error| self.failed(error))?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.size_bytes = size_bytes;
        if let Some(blob) = self.expected {
            self.claim.set(blob.size_bytes - size_bytes, size_bytes);
        }
        if size_bytes - self.synced_bytes >= SYNC_EVERY_BYTES {
            self.stop_if_held()?;
            self.sync_behind().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Many may send the same blob at once: who is whole first spares the others the rest.
    fn stop_if_held(&mut self) -> Result<(), BlobError> {
        if let Some(blob) = self.expected
            && self.blobs.holds(blob.id)?
        {
            self.goes_on = false;
            return Err(BlobError::Held(blob.id));
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
        if let Some(expected) = self.expected
            && self.size_bytes < expected.size_bytes
        {
            return Err(BlobError::Length {
                id: expected.id,
                announced_bytes: expected.size_bytes,
                found_bytes: self.size_bytes,
            });
        }
        let blob = BlobRef {
            id: self.hash()?,
            size_bytes: self.size_bytes,
        };
        if let Some(expected) = self.expected
            && blob.id != expected.id
        {
            let _ = fs::remove_file(&self.path);
            return Err(BlobError::Mismatch {
                expected: expected.id,
                found: blob.id,
            });
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
                let found = self.hash()?;
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

    /// The hash of all that arrived.
    fn hash(&self) -> Result<BlobId, BlobError> {
        let hashed = match &self.hasher {
            Some(hasher) => hasher.clone(),
            None => hash_file(&self.path).map_err(|error| self.failed(error))?,
        };
        Ok(BlobId(*hashed.finalize().as_bytes()))
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
        if !self.goes_on && !self.is_done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A staged file that is arriving, until this is dropped, with the room that is kept for it.
#[derive(Debug)]
struct Claim {
    blobs: Blobs,
    name: String,
}

impl Claim {
    fn take(blobs: &Blobs, name: &str, expected: Option<BlobRef>) -> Result<Self, BlobError> {
        match blobs.arriving().entry(name.to_owned()) {
            Entry::Occupied(_) => Err(match expected {
                Some(blob) => BlobError::Arriving(blob.id),
                None => unreachable!("what has no name yet has a number of its own"),
            }),
            Entry::Vacant(place) => {
                place.insert(0);
                Ok(Self {
                    blobs: blobs.clone(),
                    name: name.to_owned(),
                })
            }
        }
    }

    /// Keeps room, if there is room for so many bytes beside what is kept for others.
    fn reserve(&self, needed_bytes: u64, arrived_bytes: u64) -> Result<(), BlobError> {
        // Two at once see each other: the lock is held from the sum to the entry.
        let mut arriving = self.blobs.arriving();
        let others = arriving.iter().filter(|(name, _)| **name != self.name);
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
        arriving.insert(self.name.clone(), reserved(needed_bytes, arrived_bytes));
        Ok(())
    }

    /// Says how many bytes are still to come, and how many came.
    fn set(&self, needed_bytes: u64, arrived_bytes: u64) {
        let kept = reserved(needed_bytes, arrived_bytes);
        self.blobs.arriving().insert(self.name.clone(), kept);
    }
}

/// What is kept free for one of whom so much is still to come, and so much came.
fn reserved(needed_bytes: u64, arrived_bytes: u64) -> u64 {
    let earned_bytes = arrived_bytes.max(RESERVED_FIRST_BYTES);
    needed_bytes.min(RESERVED_BYTES).min(earned_bytes)
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.blobs.arriving().remove(&self.name);
    }
}

/// Opens a staged file for appending, and says how much is in it.
fn open(path: &Path, goes_on: bool) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    if goes_on {
        options.append(true).create(true);
    } else {
        options.write(true).create(true).truncate(true);
    }
    let file = options.open(path)?;
    let size_bytes = file.metadata()?.len();
    Ok((file, size_bytes))
}

fn hash_file(path: &Path) -> io::Result<blake3::Hasher> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher)
}

/// Deletes what is in staging and cannot go on, of the files whose names are chosen: by what is held then until the
/// file was looked at.
pub(super) fn clear<G>(staging: &Path, choose: impl Fn(&str) -> Option<G>) -> Result<(), LogError> {
    for entry in fs::read_dir(staging).map_err(LogError::io(staging))? {
        let path = entry.map_err(LogError::io(staging))?.path();
        let name = path.file_name().unwrap_or_default();
        let Some(_chosen) = choose(&name.to_string_lossy()) else {
            continue;
        };
        let can_go_on = path.extension().is_some_and(|kind| kind == "part")
            && fs::metadata(&path)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|then| then.elapsed().is_ok_and(|age| age < UNFINISHED_KEPT));
        if can_go_on {
            continue;
        }
        match fs::remove_file(&path) {
            // It was listed and has gone since: it came to its end, or its sender forgot it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(LogError::io(&path))?,
        }
    }
    Ok(())
}
