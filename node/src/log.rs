//! The log: an append-only file of blocks, and the only truth of a node.
//!
//! ```text
//! lock                               held while the log is open
//! blocks-<first height>.log          frames, block after block
//! blocks-<height>.<offset>-<n>.cut   a torn tail, kept after it was cut
//!
//! frame   4 bytes length of the body, little-endian; 32 bytes BLAKE3 of the body;
//!         the body: a block as a bundle ([`crate::block`])
//! ```
//!
//! Frame 0 holds the genesis, frame n the block of height n. A segment is named
//! by the height of its first frame and begun anew when it would grow above
//! [`SEGMENT_BYTES_MAX`].
//!
//! Invariants: [`Log::append`] returns after one write and one fdatasync, so
//! what it returned for survives a loss of power; a new segment is known to its
//! folder before anything is written to it. Every frame is read and hashed on
//! open, and each block's height and parent are compared with the block before.
//!
//! Recovery: bytes behind the last whole frame are a torn tail: they are kept
//! beside the segment, cut, and reported. Damage anywhere else is an error that
//! names segment and byte; nothing is ever cut there (the module `tail` says how
//! the two are told apart). After a failed write the log takes nothing more until
//! it is opened again. On open the last frame is written and synced once more: if a
//! sync failed before, the file may read well and yet not be on the disk.
//!
//! It does not verify signatures, other than the genesis's: whoever applies a
//! block does.

mod blocks;
mod error;
mod frame;
mod scan;
mod tail;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use protocol::ans104::{VerifiedItem, bundle};
use protocol::id::ItemId;
use protocol::record::GenesisRecord;

pub use blocks::Blocks;
pub use error::LogError;
pub use frame::{FRAME_HEAD_BYTES, FrameFlaw};

use crate::block::Block;

/// A segment is not grown above this size: 64 MiB.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Every so many blocks the place of one is remembered.
const MARK_EVERY: u64 = 64;

/// A torn tail that was cut on open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailCut {
    /// The segment that it was cut from.
    pub segment: PathBuf,
    /// Where it began, in bytes.
    pub offset: u64,
    /// How many bytes it had.
    pub size_bytes: u64,
    /// The height of the block that it was the beginning of.
    pub height: u64,
    /// What was wrong with it.
    pub flaw: FrameFlaw,
    /// Where its bytes are kept: for a reader, where they were.
    pub kept_at: PathBuf,
}

/// The place of a block.
#[derive(Debug, Clone, Copy)]
struct Mark {
    height: u64,
    segment: usize,
    offset: u64,
}

/// A segment: its first height and its file.
#[derive(Debug, Clone)]
struct Segment {
    first: u64,
    path: PathBuf,
}

impl Segment {
    fn new(dir: &Path, first: u64) -> Self {
        let path = dir.join(format!("blocks-{first:020}.log"));
        Self { first, path }
    }
}

/// What it takes to read a log as it was at one moment, also while it grows on.
#[derive(Debug, Clone)]
pub struct LogView {
    segments: Vec<Segment>,
    marks: Vec<Mark>,
    height: u64,
    items: u64,
}

/// An open log. One process has it at a time.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    _lock: File,
    genesis_item: VerifiedItem,
    genesis: GenesisRecord,
    view: LogView,
    /// The last segment, open for appending, and its size in bytes.
    file: File,
    file_bytes: u64,
    segment_bytes_max: u64,
    tip: ItemId,
    is_poisoned: bool,
}

impl Log {
    /// Begins a log with its genesis, and syncs it.
    ///
    /// # Errors
    ///
    /// The item is no genesis, there is a log already, or writing fails.
    pub fn create(dir: &Path, genesis: &VerifiedItem) -> Result<Self, LogError> {
        GenesisRecord::read(genesis)?;
        fs::create_dir_all(dir).map_err(LogError::io(dir))?;
        let lock = lock(dir)?;
        if !scan::segments(dir)?.is_empty() {
            return Err(LogError::Exists(dir.to_owned()));
        }
        // Under another name until it is whole: a log has its genesis or does not exist.
        let segment = Segment::new(dir, 0);
        let staged = segment.path.with_extension("new");
        let bytes = frame::encode(&bundle::encode([genesis]));
        write_synced(&staged, &bytes)?;
        fs::rename(&staged, &segment.path).map_err(LogError::io(&segment.path))?;
        sync_dir(dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
        let (log, cut) = scan::open(dir, lock, scan::Access::Write)?;
        assert!(cut.is_none(), "a genesis that was just written is whole");
        Ok(log)
    }

    /// Opens a log, reads all of it, and cuts a torn tail.
    ///
    /// # Errors
    ///
    /// There is no log, another process has it, a frame other than a torn last
    /// one is damaged, or reading fails.
    pub fn open(dir: &Path) -> Result<(Self, Option<TailCut>), LogError> {
        if !dir.is_dir() {
            return Err(LogError::Missing(dir.to_owned()));
        }
        let lock = lock(dir)?;
        scan::open(dir, lock, scan::Access::Write)
    }

    /// Opens a log to read it, and changes nothing, also on a disk that cannot be
    /// written. Readers may share it; a torn tail is told, left out and left there.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; the process that writes it counts as another.
    pub fn open_for_reading(dir: &Path) -> Result<(Self, Option<TailCut>), LogError> {
        if scan::segments(dir).map_or(true, |segments| segments.is_empty()) {
            return Err(LogError::Missing(dir.to_owned()));
        }
        let path = dir.join("lock");
        let file = File::open(&path).map_err(LogError::io(&path))?;
        let lock = locked(dir, file, File::try_lock_shared)?;
        scan::open(dir, lock, scan::Access::Read)
    }

    /// Whether there is a log in this folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn exists(dir: &Path) -> Result<bool, LogError> {
        Ok(dir.is_dir() && !scan::segments(dir)?.is_empty())
    }

    /// Appends a block and syncs it; gives its height.
    ///
    /// # Errors
    ///
    /// Writing or syncing fails, or did so before: the log then takes nothing
    /// more until it is opened again.
    ///
    /// # Panics
    ///
    /// The block does not follow the last one: it was verified against another chain.
    pub fn append(&mut self, block: &Block) -> Result<u64, LogError> {
        let header = block.header();
        assert_eq!(header.header.height, self.view.height + 1);
        assert_eq!(header.header.parent, self.tip);
        if self.is_poisoned {
            return Err(LogError::Poisoned(self.dir.clone()));
        }
        // Cleared only on the way out: whatever fails in between, or panics, stays.
        self.is_poisoned = true;
        let bytes = frame::encode(&block.to_bytes());
        let size = bytes.len() as u64;
        if self.file_bytes > 0 && self.file_bytes + size > self.segment_bytes_max {
            self.roll()?;
        }
        let path = &self.view.segments[self.view.segments.len() - 1].path;
        self.file.write_all(&bytes).map_err(LogError::io(path))?;
        self.file.sync_data().map_err(LogError::io(path))?;
        self.took(header.id, 1 + block.records().len() as u64, size);
        self.is_poisoned = false;
        Ok(self.view.height)
    }

    /// For tests: blocks go to another file from now on.
    #[cfg(test)]
    pub(crate) fn set_file(&mut self, file: File) {
        self.file = file;
    }

    /// For tests: rolls sooner.
    #[cfg(test)]
    pub(crate) fn set_segment_bytes_max(&mut self, bytes: u64) {
        self.segment_bytes_max = bytes;
    }

    /// Begins a new segment, known to its folder before it is written to.
    fn roll(&mut self) -> Result<(), LogError> {
        let segment = Segment::new(&self.dir, self.view.height + 1);
        self.file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&segment.path)
            .map_err(LogError::io(&segment.path))?;
        sync_dir(&self.dir)?;
        self.view.segments.push(segment);
        self.file_bytes = 0;
        Ok(())
    }

    /// Counts a block that is now at the end of the last segment.
    fn took(&mut self, id: ItemId, items: u64, frame_bytes: u64) {
        self.view.height += 1;
        self.tip = id;
        self.view.items += items;
        self.mark(self.view.height);
        self.file_bytes += frame_bytes;
    }

    /// Remembers where the next frame begins, if it is one of those.
    fn mark(&mut self, height: u64) {
        if self.file_bytes == 0 || height.is_multiple_of(MARK_EVERY) {
            self.view.marks.push(Mark {
                height,
                segment: self.view.segments.len() - 1,
                offset: self.file_bytes,
            });
        }
    }

    /// The height of the last block; 0 while there is only the genesis.
    pub fn height(&self) -> u64 {
        self.view.height
    }

    /// The id of the last block's header item, or of the genesis item.
    pub fn tip(&self) -> ItemId {
        self.tip
    }

    /// How many items the log holds: the genesis, the headers, the records.
    pub fn items(&self) -> u64 {
        self.view.items
    }

    /// The genesis.
    pub fn genesis(&self) -> &GenesisRecord {
        &self.genesis
    }

    /// The genesis as it was signed.
    pub fn genesis_item(&self) -> &VerifiedItem {
        &self.genesis_item
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it takes to read the log as it is now, while it grows on.
    pub fn view(&self) -> &LogView {
        &self.view
    }

    /// As [`LogView::read`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(&self, height: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.view.read(height)
    }

    /// As [`LogView::blocks`].
    pub fn blocks(&self, from: u64) -> Blocks<'_> {
        self.view.blocks(from)
    }
}

impl LogView {
    /// The height of the last block in it.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// How many items it holds: the genesis, the headers, the records.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The bytes of the block at this height; none above the last one.
    ///
    /// # Errors
    ///
    /// Reading fails, or the frame was damaged since the log was opened.
    pub fn read(&self, height: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.blocks(height)
            .next()
            .map(|block| block.map(|(_, body)| body))
            .transpose()
    }

    /// The bytes of the blocks from this height to the last one, with their
    /// heights; 0 is the genesis. Ends after an error.
    pub fn blocks(&self, from: u64) -> Blocks<'_> {
        Blocks::new(self, from)
    }

    /// The last mark at or below a height.
    fn mark_before(&self, height: u64) -> Mark {
        let after = self.marks.partition_point(|mark| mark.height <= height);
        self.marks[after - 1]
    }
}

/// Takes the lock of a folder, which goes with the file that is given.
pub(crate) fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(LogError::io(&path))?;
    locked(dir, file, File::try_lock)
}

fn locked(
    dir: &Path,
    file: File,
    lock: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<File, LogError> {
    match lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked(dir.to_owned())),
        Err(TryLockError::Error(source)) => {
            let path = dir.join("lock");
            Err(LogError::Io { path, source })
        }
    }
}

/// Makes the names in a folder last.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    // Elsewhere a folder cannot be opened as a file, and its names are journalled.
    if cfg!(unix) {
        // The parent of a relative path of one part is the current folder.
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        let folder = File::open(dir).map_err(LogError::io(dir))?;
        folder.sync_all().map_err(LogError::io(dir))?;
    }
    Ok(())
}

/// Writes a whole file and syncs it.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(LogError::io(path))
}

#[cfg(test)]
mod tests;
