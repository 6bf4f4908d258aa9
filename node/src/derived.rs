//! The state database: a copy of the state that may vanish at any time.
//!
//! ```text
//! <dir>              a sled database
//!   's' + key        an entry of the state, as the market writes it
//!   'm' "stamp2"     height (u64, little-endian), header id, state root; "stamp" in
//!                    databases whose past had no books: they are not read
//!   'b', 'h', 'r', 't', 'p', 'o', 'e', 'u'   the past ([`crate::history`])
//! <dir>.busy         there while the database is opened or filled: one byte a try
//! <dir>.broken-<n>   a database that failed or disagreed, kept
//! ```
//!
//! The log is the truth; this saves the time of folding it again. So nothing
//! here is synced block by block, and nothing read here is believed: the root
//! is computed from the entries and compared with the stamp, and the stamp with
//! the log.
//!
//! Invariants: the changes of a block and its stamp are written in one batch.
//! A panic of the library is an error like any other. An open that never came
//! back (a crash, a kill) leaves its `.busy` file; after a few of them in
//! a row nobody touches that database again.
//!
//! It decides nothing: the chain says which database is moved aside.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::{Change, State};

use crate::history::{self, History, Past};
use protocol::id::{Digest, ItemId};

/// After so many blocks, or records, the database is flushed: what came after
/// the last flush is read from the log again if the process is killed.
const FLUSH_EVERY_BLOCKS: u32 = 256;
const FLUSH_EVERY_RECORDS: usize = 8_192;

/// A database whose opening has not come back so often in a row is given up.
const OPEN_TRIES: usize = 3;

/// The most bytes that the library caches: the state itself is in memory.
const CACHE_BYTES: u64 = 16 << 20;

/// How many entries go into one batch when a database is filled.
const FILL_BATCH_ENTRIES: usize = 4096;

/// A database that was just closed gives its lock back a moment later.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

const STAMP_KEY: &[u8] = b"mstamp2";
const STAMP_BYTES: usize = 72;
const ENTRY: u8 = b's';

/// What went wrong with the state database, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DerivedError {
    text: String,
    is_outside: bool,
}

/// What a block writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    /// The entries of the state that changed.
    pub(crate) changes: &'a [Change],
    /// What the past gains.
    pub(crate) past: &'a Past,
}

impl DerivedError {
    pub(crate) fn new(text: impl std::fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            is_outside: false,
        }
    }

    fn of_io(text: impl std::fmt::Display, error: &io::Error) -> Self {
        let is_outside = matches!(
            error.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::OutOfMemory
        ) || (cfg!(unix)
            && error
                .raw_os_error()
                .is_some_and(|code| TOO_MANY_FILES.contains(&code)));
        Self {
            text: text.to_string(),
            is_outside,
        }
    }

    fn of_sled(text: impl std::fmt::Display, error: &sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::of_io(text, error),
            _ => Self::new(text),
        }
    }

    /// Whether what is around the database failed (no room, no rights, somebody has it open), which says nothing
    /// about the database: it is no reason to make another.
    pub(crate) fn is_outside(&self) -> bool {
        self.is_outside
    }

    /// What is said of a database that failed before and is left alone.
    pub(crate) fn failed() -> Self {
        Self::new("the state database failed")
    }
}

/// What Unix says where the system, or a process, has as many files open as it may; the standard library has no word
/// for it.
const TOO_MANY_FILES: [i32; 2] = [23, 24];

/// The block that a database stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its height.
    pub height: u64,
    /// Its header item, or the genesis item.
    pub id: ItemId,
    /// The state's root after it.
    pub root: Digest,
}

impl Stamp {
    fn encode(&self) -> Vec<u8> {
        [&self.height.to_le_bytes()[..], &self.id.0, &self.root.0].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_BYTES] = bytes.try_into().ok()?;
        let (height, rest) = bytes.split_first_chunk()?;
        let (id, root) = rest.split_first_chunk()?;
        Some(Self {
            height: u64::from_le_bytes(*height),
            id: ItemId(*id),
            root: Digest(*root.first_chunk()?),
        })
    }
}

/// The height that a database stands at.
pub(crate) fn height(db: &sled::Db) -> Result<u64, DerivedError> {
    let stamp = guarded("reading", || db.get(STAMP_KEY))?;
    let stamp = stamp.and_then(|stamp| Stamp::decode(&stamp));
    stamp
        .map(|stamp| stamp.height)
        .ok_or_else(|| DerivedError::new("it does not say at which block it stands"))
}

/// An open state database.
pub struct Derived {
    /// Always there but while the database is being dropped.
    db: Option<sled::Db>,
    dir: PathBuf,
    blocks_since_flush: u32,
    records_since_flush: usize,
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Derived").finish_non_exhaustive()
    }
}

impl Derived {
    /// Whether there is a database in this folder, or the rest of one.
    pub fn exists(dir: &Path) -> bool {
        dir.exists()
    }

    /// Makes a database and fills it with a state.
    ///
    /// # Errors
    ///
    /// The database cannot be made or written.
    pub fn fill(dir: &Path, stamp: &Stamp, state: &State) -> Result<Self, DerivedError> {
        let busy = Busy::begin(dir)?;
        let mut derived = Self::open_db(dir)?;
        derived.guard("filling", |db| {
            let mut entries = state.entries().peekable();
            while entries.peek().is_some() {
                let mut batch = sled::Batch::default();
                for (key, value) in entries.by_ref().take(FILL_BATCH_ENTRIES) {
                    batch.insert(entry_key(&key), value);
                }
                db.apply_batch(batch)?;
            }
            // Last: a database without a stamp was not filled to the end.
            db.insert(STAMP_KEY, stamp.encode())?;
            db.flush()
        })?;
        busy.end()?;
        Ok(derived)
    }

    /// Opens a database and loads the state from it, with the block that it stands at.
    ///
    /// # Errors
    ///
    /// It does not open, its entries are no state, or they have another root
    /// than its stamp says.
    pub fn load(dir: &Path) -> Result<(Self, Stamp, State), DerivedError> {
        let busy = Busy::begin(dir)?;
        let loaded = Self::open_db(dir).and_then(|mut derived| {
            let (stamp, state) = derived.read()?;
            Ok((derived, stamp, state))
        });
        // It came back, well or not: what follows is decided by the answer.
        busy.end()?;
        loaded
    }

    /// Reads the state again, as [`Derived::load`] did.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(&mut self) -> Result<(Stamp, State), DerivedError> {
        let (stamp, state) = self.guard("reading", |db| {
            let stamp = db.get(STAMP_KEY)?;
            let mut failed = None;
            let entries = db.scan_prefix([ENTRY]).map_while(|entry| match entry {
                Ok((key, value)) => Some((key[1..].to_vec(), value.to_vec())),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            });
            let state = State::load(entries);
            match failed {
                Some(error) => Err(error),
                None => Ok((stamp, state)),
            }
        })?;
        let stamp = stamp
            .and_then(|stamp| Stamp::decode(&stamp))
            .ok_or_else(|| DerivedError::new("it does not say at which block it stands"))?;
        let state = state.map_err(DerivedError::new)?;
        if state.root() != stamp.root {
            return Err(DerivedError::new(format!(
                "its entries have the root {}, and it says {}",
                state.root(),
                stamp.root
            )));
        }
        if state.height() != stamp.height {
            return Err(DerivedError::new(format!(
                "its entries are of block {}, and it says {}",
                state.height(),
                stamp.height
            )));
        }
        Ok((stamp, state))
    }

    /// Writes what a block changed, in one batch.
    ///
    /// # Errors
    ///
    /// The library fails or panics; the database is then of no more use.
    pub(crate) fn write(
        &mut self,
        stamp: &Stamp,
        written: &Written<'_>,
    ) -> Result<(), DerivedError> {
        let mut batch = sled::Batch::default();
        for change in written.changes {
            match &change.value {
                Some(value) => batch.insert(entry_key(&change.key), value.as_slice()),
                None => batch.remove(entry_key(&change.key)),
            }
        }
        for (key, value) in &written.past.rows {
            batch.insert(key.as_slice(), value.as_slice());
        }
        let booked = match &self.db {
            Some(db) => history::book(db, &written.past.moves)?,
            None => Vec::new(),
        };
        for (key, value) in booked {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(STAMP_KEY, stamp.encode());
        self.guard("writing", |db| db.apply_batch(batch))?;
        self.blocks_since_flush += 1;
        self.records_since_flush += written.past.records;
        if self.blocks_since_flush >= FLUSH_EVERY_BLOCKS
            || self.records_since_flush >= FLUSH_EVERY_RECORDS
        {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes what was written last.
    ///
    /// # Errors
    ///
    /// The library fails or panics.
    pub fn flush(&mut self) -> Result<(), DerivedError> {
        if self.blocks_since_flush > 0 {
            self.guard("flushing", |db| db.flush())?;
            self.blocks_since_flush = 0;
            self.records_since_flush = 0;
        }
        Ok(())
    }

    /// A reader of the past, for other threads.
    pub fn history(&self) -> Option<History> {
        self.db.clone().map(History::new)
    }

    /// Flushes and closes.
    ///
    /// # Errors
    ///
    /// The library fails or panics.
    pub fn close(mut self) -> Result<(), DerivedError> {
        self.guard("flushing", |db| db.flush()).map(|_| ())
    }

    /// Moves a database aside; gives its new place, or none if there was none.
    ///
    /// # Errors
    ///
    /// The folder cannot be renamed.
    pub fn move_aside(dir: &Path) -> io::Result<Option<PathBuf>> {
        if !dir.exists() {
            return Ok(None);
        }
        let mut place = 1;
        let aside = loop {
            let aside = suffixed(dir, &format!(".broken-{place}"));
            if !aside.exists() {
                break aside;
            }
            place += 1;
        };
        fs::rename(dir, &aside)?;
        // What this process left open went with it: another one in its place is another.
        left().retain(|one| one != dir);
        Ok(Some(aside))
    }

    /// For tests: loses the library, as after a panic.
    #[cfg(test)]
    pub(crate) fn lose(&mut self) {
        self.leave();
    }

    fn open_db(dir: &Path) -> Result<Self, DerivedError> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        let open = || catch_unwind(AssertUnwindSafe(|| config.open()));
        for _ in 1..LOCK_TRIES {
            match open() {
                Ok(Err(error)) if is_locked(&error) => std::thread::sleep(LOCK_PAUSE),
                other => return Self::opened(dir, other),
            }
        }
        Self::opened(dir, open())
    }

    fn opened(
        dir: &Path,
        open: std::thread::Result<sled::Result<sled::Db>>,
    ) -> Result<Self, DerivedError> {
        let db = match open {
            Ok(Ok(db)) => db,
            Ok(Err(error)) => {
                let text = format!("it does not open: {error}");
                let mut failed = DerivedError::of_sled(text, &error);
                // Somebody reads it, and will have read it. What this process left open it never gets back.
                failed.is_outside |= is_locked(&error) && !left().iter().any(|one| one == dir);
                return Err(failed);
            }
            Err(panic) => {
                let text = panic_text(panic.as_ref());
                return Err(DerivedError::new(format!("it does not open: {text}")));
            }
        };
        Ok(Self {
            db: Some(db),
            dir: dir.to_owned(),
            blocks_since_flush: 0,
            records_since_flush: 0,
        })
    }

    /// Runs one use of the library; its errors and its panics come out alike.
    fn guard<T>(
        &mut self,
        doing: &str,
        work: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, DerivedError> {
        let Some(db) = &self.db else {
            return Err(DerivedError::new(format!("{doing} failed before")));
        };
        let mut has_panicked = true;
        let done = guarded(doing, || {
            let done = work(db);
            has_panicked = false;
            done
        });
        if has_panicked {
            self.leave();
        }
        done
    }

    /// Leaves the library alone: what panicked once may hang or panic when it is dropped.
    fn leave(&mut self) {
        left().push(self.dir.clone());
        std::mem::forget(self.db.take());
    }
}

/// The databases that this process left open for good.
fn left() -> MutexGuard<'static, Vec<PathBuf>> {
    static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one use of the library; its errors and its panics come out alike.
pub(crate) fn guarded<T>(
    doing: &str,
    work: impl FnOnce() -> sled::Result<T>,
) -> Result<T, DerivedError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let text = format!("{doing} failed: {error}");
            Err(DerivedError::of_sled(text, &error))
        }
        Err(panic) => {
            let text = panic_text(panic.as_ref());
            Err(DerivedError::new(format!("{doing} failed: {text}")))
        }
    }
}

impl Drop for Derived {
    fn drop(&mut self) {
        let db = self.db.take();
        // A database that cannot be closed is found broken, or behind, on the next open.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(db)));
    }
}

/// The file that is there while a database is opened or filled.
struct Busy {
    path: PathBuf,
}

impl Busy {
    fn begin(dir: &Path) -> Result<Self, DerivedError> {
        let path = suffixed(dir, ".busy");
        let mut tries = match fs::read(&path) {
            Ok(tries) if dir.exists() => tries,
            _ => Vec::new(),
        };
        if tries.len() >= OPEN_TRIES {
            // Taken away, so that the database made in its place gets its chance.
            fs::remove_file(&path).map_err(|error| at(&path, &error))?;
            return Err(DerivedError::new(
                "the last processes that opened it did not survive that",
            ));
        }
        tries.push(b'x');
        fs::write(&path, tries).map_err(|error| at(&path, &error))?;
        Ok(Self { path })
    }

    fn end(self) -> Result<(), DerivedError> {
        fs::remove_file(&self.path).map_err(|error| at(&self.path, &error))
    }
}

fn at(path: &Path, error: &io::Error) -> DerivedError {
    DerivedError::of_io(format!("{}: {error}", path.display()), error)
}

fn suffixed(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn entry_key(key: &[u8]) -> Vec<u8> {
    [&[ENTRY], key].concat()
}

/// Whether another handle, perhaps one that is just being closed, has the lock.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    format!("the library panicked: {text}")
}

#[cfg(test)]
mod tests;
