//! Which bounties a test set of this home was used in, so that it is not used or
//! published again by mistake.
//!
//! ```text
//! $LODE_HOME/test-sets/<archive>.json   Used, one file an archive; it stays
//! ```
//!
//! Notes hold no secret. A note that is lost or damaged costs a warning only.

use std::path::PathBuf;

use protocol::id::{BlobId, ItemId, NetworkId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::session::{Session, keep};

const NOTE_BYTES_MAX: usize = 1 << 20;

/// Every use of one archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    uses: Vec<Use>,
}

/// A bounty that a test set was posted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Use {
    network: NetworkId,
    bounty: ItemId,
}

impl Used {
    /// The same with this use, which is noted once.
    fn with(mut self, one: Use) -> Self {
        if !self.uses.contains(&one) {
            self.uses.push(one);
        }
        self
    }
}

fn path(session: &Session, archive: BlobId) -> PathBuf {
    session
        .home()
        .join("test-sets")
        .join(format!("{archive}.json"))
}

fn read(session: &Session, archive: BlobId) -> Result<Used, Failure> {
    let path = path(session, archive);
    match std::fs::read(&path) {
        // What makes no sense is as good as lost.
        Ok(bytes) => Ok(protocol::json::from_slice(&bytes, NOTE_BYTES_MAX).unwrap_or_default()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Used::default()),
        Err(error) => Err(Failure::io(&path, &error)),
    }
}

/// Notes that a bounty was posted with this archive.
///
/// # Errors
/// The disk does not take it.
pub fn note(session: &Session, archive: BlobId, bounty: ItemId) -> Result<(), Failure> {
    let network = session.client()?.status()?.network;
    let used = read(session, archive)?.with(Use { network, bounty });
    keep(&path(session, archive), &protocol::json::to_vec(&used))
}

/// The bounties on the node's network that this archive was posted with, in the order of posting.
///
/// # Errors
/// The note cannot be read, or the node not be asked.
pub fn bounties(session: &Session, archive: BlobId) -> Result<Vec<ItemId>, Failure> {
    let network = session.client()?.status()?.network;
    let uses = read(session, archive)?.uses.into_iter();
    Ok(uses
        .filter(|one| one.network == network)
        .map(|one| one.bounty)
        .collect())
}

/// Whether this archive is a test set of this home, on whatever network; also one
/// whose posting was cut off.
///
/// # Errors
/// The note cannot be read.
pub fn is_kept(session: &Session, archive: BlobId) -> Result<bool, Failure> {
    let pending = crate::bounty::pending_path(session, archive);
    Ok(pending.exists() || !read(session, archive)?.uses.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once() {
        let one = |byte| Use {
            network: NetworkId([1; 32]),
            bounty: ItemId([byte; 32]),
        };
        let used = Used::default().with(one(1)).with(one(2)).with(one(1));
        assert_eq!(used.uses, [one(1), one(2)]);
        let bytes = protocol::json::to_vec(&used);
        let read: Used = protocol::json::from_slice(&bytes, NOTE_BYTES_MAX).unwrap();
        assert_eq!(read, used);
    }
}
