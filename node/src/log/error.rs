//! What goes wrong with a log: each error names the file, the byte and the next step.

use std::io;
use std::path::{Path, PathBuf};

use protocol::record::RecordError;

use super::frame::FrameFlaw;

/// What went wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be read, written or synced.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error("{}: another process has this folder open. Stop it first", .0.display())]
    Locked(PathBuf),
    /// There is no log to open.
    #[error("{}: there is no log here", .0.display())]
    Missing(PathBuf),
    /// There is a log already where one was to be created.
    #[error("{}: there is a log here already. Open it, or choose another folder", .0.display())]
    Exists(PathBuf),
    /// A frame that once was whole is not any more.
    #[error(
        "{}, byte {offset}: block {height} is damaged: {flaw}{}. Nothing was changed. \
         Restore this file from a copy, or replay an export into a new folder",
        path.display(),
        later.map(|(height, at)| format!("; block {height} stands behind it at byte {at}"))
            .unwrap_or_default()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the frame begins, in bytes.
        offset: u64,
        /// The height of its block.
        height: u64,
        /// What was found.
        flaw: FrameFlaw,
        /// Height and offset of a block behind it, where that is how damage was told from a torn write.
        later: Option<(u64, u64)>,
    },
    /// A whole frame that is not the next block.
    #[error(
        "{}, byte {offset}: this is not block {height}: {why}. Nothing was changed. \
         Restore this file from a copy, or replay an export into a new folder",
        path.display()
    )]
    Misplaced {
        /// The segment.
        path: PathBuf,
        /// Where the frame begins, in bytes.
        offset: u64,
        /// The height that belongs there.
        height: u64,
        /// What is there instead.
        why: String,
    },
    /// A segment is not there, or one too many is.
    #[error(
        "{}: this segment begins at block {found}, and block {expected} is next. \
         Restore the missing segment from a copy",
        path.display()
    )]
    Gap {
        /// The segment.
        path: PathBuf,
        /// The height that is next.
        expected: u64,
        /// The height that its name says.
        found: u64,
    },
    /// The first frame holds no genesis.
    #[error("the genesis of this log is not valid: {0}")]
    Genesis(#[from] RecordError),
    /// An earlier write failed, and nobody knows how much of it is on the disk.
    #[error("{}: an earlier write failed. Make room, then open the log again", .0.display())]
    Poisoned(PathBuf),
}

impl LogError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
