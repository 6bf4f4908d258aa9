//! The keys of seals that are not revealed yet: secrets that must not be lost.
//!
//! ```text
//! $LODE_HOME/seals/<ciphertext>.json   Kept, readable for its owner only
//! ```
//!
//! A seal is kept before its record is signed, and stays until its bounty has ended: a node that was set back to
//! a copy of yesterday may ask for its key again. Its name is the ciphertext's blob id, which record and seal share.

use std::fs;
use std::path::{Path, PathBuf};

use protocol::id::{Address, BlobId, ItemId, NetworkId};
use protocol::record::{BlobRef, SealedFolder};
use protocol::seal::SealKey;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::session::{Session, keep};

const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What a seal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// A bounty's test set; the nonce of the posting is part of the seal.
    TestSet {
        /// The posting's nonce.
        poster_nonce: u64,
    },
    /// A submission to this bounty.
    Submission {
        /// The bounty.
        bounty: ItemId,
    },
}

/// A seal and its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The network.
    pub network: NetworkId,
    /// Who owns it.
    pub owner: Address,
    /// What it is of.
    pub of: Of,
    /// The seal and its ciphertext.
    pub sealed: SealedFolder,
    /// The key, secret until it is revealed.
    pub key: SealKey,
}

fn path(session: &Session, ciphertext: BlobId) -> PathBuf {
    session
        .home()
        .join("seals")
        .join(format!("{ciphertext}.json"))
}

/// Keeps a seal; on return it is on the disk.
///
/// # Errors
/// The disk does not take it.
pub fn save(session: &Session, kept: &Kept) -> Result<(), Failure> {
    keep(
        &path(session, kept.sealed.ciphertext.id),
        &protocol::json::to_vec(kept),
    )
}

/// The seal of this ciphertext, if it is kept here.
///
/// # Errors
/// The file is damaged or cannot be read.
pub fn find(session: &Session, ciphertext: BlobRef) -> Result<Option<Kept>, Failure> {
    read(&path(session, ciphertext.id))
}

/// Every seal that is kept here, by the name of its file; a file that is damaged is one failure
/// among them.
///
/// # Errors
/// The folder cannot be read.
pub fn all(session: &Session) -> Result<Vec<Result<Kept, Failure>>, Failure> {
    let dir = session.home().join("seals");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(&dir, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::io(&dir, &error))?.path();
        if path.extension().is_some_and(|end| end == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let seals = paths.iter().filter_map(|path| read(path).transpose());
    Ok(seals.collect())
}

/// Where a seal of this account is kept here that a watch may have to sign for, the key is asked for before anything
/// else, while somebody is there. Whether it is needed shows later.
pub fn unlock(session: &Session, is_meant: impl Fn(&Kept) -> bool) -> Result<(), Failure> {
    let me = session.address()?;
    let mut seals = all(session)?.into_iter().flatten();
    if seals.any(|kept| kept.owner == me && is_meant(&kept)) {
        session.signer()?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Kept>, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(path, &error)),
    };
    // What is wrong with it is not said: an error could quote the key.
    let kept = protocol::json::from_slice(&bytes, KEPT_BYTES_MAX);
    kept.map(Some).map_err(|_| {
        Failure::new(
            "seal_file",
            format_args!("{} is damaged", path.display()),
            "restore it from a copy: without this key the seal cannot be revealed",
        )
    })
}

/// Forgets a seal whose bounty has ended.
///
/// # Errors
/// The file cannot be removed.
pub fn forget(session: &Session, ciphertext: BlobRef) -> Result<(), Failure> {
    let path = path(session, ciphertext.id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io(&path, &error))
        }
        _ => Ok(()),
    }
}
