//! What had to be done to open a chain, in plain words.

use std::fmt;
use std::path::PathBuf;

use crate::log::TailCut;

/// What was found and done when a chain was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The height of the log's last block.
    pub height: u64,
    /// The torn tail that was cut, if there was one.
    pub tail: Option<TailCut>,
    /// Where the state came from.
    pub state: StateRecovery,
}

/// Where the state came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateRecovery {
    /// The log holds only its genesis, and there was no database yet.
    Fresh,
    /// From a database that agreed with the log to its end.
    Loaded,
    /// From a database that agreed with the log but was behind it.
    CaughtUp {
        /// The block it stood at.
        from: u64,
    },
    /// From the log alone, block by block.
    Rebuilt {
        /// What was wrong with the database.
        why: String,
        /// Where it was moved to; none if it was missing.
        moved_to: Option<PathBuf>,
    },
}

impl Recovery {
    /// Bytes that were cut from the end of the log; 0 if it was whole.
    pub fn tail_cut_bytes(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.size_bytes)
    }

    /// Whether nothing had to be mended.
    pub fn is_clean(&self) -> bool {
        let has_state = matches!(self.state, StateRecovery::Fresh | StateRecovery::Loaded);
        has_state && self.tail.is_none()
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tail) = &self.tail {
            writeln!(
                f,
                "log: the last write, block {}, had not finished ({}). {} bytes were cut from {} \
                 at byte {} and kept in {}.",
                tail.height,
                tail.flaw,
                tail.size_bytes,
                tail.segment.display(),
                tail.offset,
                tail.kept_at.display()
            )?;
        }
        let height = self.height;
        match &self.state {
            StateRecovery::Fresh => write!(f, "state: new, from the genesis."),
            StateRecovery::Loaded => write!(f, "state: loaded at block {height}."),
            StateRecovery::CaughtUp { from } => write!(
                f,
                "state: the database stood at block {from} and was brought to block {height} from the log."
            ),
            StateRecovery::Rebuilt { why, moved_to } => {
                write!(
                    f,
                    "state: rebuilt from the log to block {height}, because {why}."
                )?;
                match moved_to {
                    Some(place) => write!(
                        f,
                        " The old database was moved to {}; it is not needed and may be deleted.",
                        place.display()
                    ),
                    None => Ok(()),
                }
            }
        }
    }
}
