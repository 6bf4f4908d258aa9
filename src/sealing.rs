//! Sealed folders: archive, encrypt, hold; and the way back.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use node::blobs::{BlobError, Blobs};
use protocol::record::{BlobRef, SealedFolder};
use protocol::report::{Outcome, TestOutcome};
use protocol::seal::{NONCE_LEN, Opener, SealError, SealKey, SealScope, encrypt, seal_digest};
use protocol::text::Code;

use crate::failure::Failure;
use crate::folder::{self, UnpackError};

/// Why a sealed folder was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The key does not open this chunk: the owner's fault, and the chunk is the proof.
    Chunk(u64),
    /// It opens, but holds no canonical archive: the owner's fault.
    Archive(String),
    /// The machine's fault.
    Machine(Failure),
}

impl OpenError {
    /// What an evaluator attests of a submission that does not open.
    ///
    /// # Errors
    /// The machine's own fault, which is no verdict.
    pub fn submission_outcome(self) -> Result<Outcome, Failure> {
        match self {
            Self::Chunk(chunk) => Ok(Outcome::BadSeal { chunk }),
            Self::Archive(what) => Ok(Outcome::Invalid {
                code: Code::lossy("archive"),
                place: Code::lossy(&what),
            }),
            Self::Machine(failure) => Err(failure),
        }
    }

    /// What an evaluator attests of a test set that does not open.
    ///
    /// # Errors
    /// The machine's own fault, which is no verdict.
    pub fn test_outcome(self) -> Result<TestOutcome, Failure> {
        let (code, place) = match self {
            Self::Chunk(chunk) => ("chunk", chunk.to_string()),
            Self::Archive(what) => ("archive", what),
            Self::Machine(failure) => return Err(failure),
        };
        Ok(TestOutcome::BadSeal {
            code: Code::lossy(code),
            place: Code::lossy(&place),
        })
    }
}

pub(crate) fn blob_failure(error: BlobError) -> Failure {
    Failure::new("blob", error, "check the disk that holds the node's folder")
}

fn temp() -> Result<std::fs::File, Failure> {
    tempfile::tempfile().map_err(|error| Failure::io(&std::env::temp_dir(), &error))
}

/// Puts the archive of a folder among the blobs, open to all.
///
/// # Errors
/// If the folder cannot be read or the blob not written.
pub fn hold_folder(dir: &Path, blobs: &Blobs) -> Result<BlobRef, Failure> {
    let mut archive = folder::pack(dir, temp()?)?;
    archive
        .seek(SeekFrom::Start(0))
        .map_err(|error| Failure::io(dir, &error))?;
    blobs.put(archive).map_err(blob_failure)
}

/// Seals a folder under a fresh key and puts the ciphertext among the blobs.
///
/// # Errors
/// If the folder cannot be read or the blob not written.
pub fn seal_folder(
    dir: &Path,
    scope: &SealScope,
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
    blobs: &Blobs,
) -> Result<SealedFolder, Failure> {
    let rewind = |mut file: std::fs::File| {
        file.seek(SeekFrom::Start(0))
            .map(|_| file)
            .map_err(|error| Failure::io(dir, &error))
    };
    let archive = rewind(folder::pack(dir, temp()?)?)?;
    let mut sealed = temp()?;
    encrypt(key, nonce, archive, &mut sealed)
        .map_err(|error| Failure::new("seal", error, "check the disk's free space"))?;
    let ciphertext = blobs.put(rewind(sealed)?).map_err(blob_failure)?;
    let seal = seal_digest(scope, key, &ciphertext.id, ciphertext.size_bytes);
    Ok(SealedFolder { seal, ciphertext })
}

/// Opens a sealed folder into `dir`, which must not exist yet.
///
/// # Errors
/// [`OpenError`], which keeps the owner's faults and the machine's apart.
pub fn open_folder(
    sealed: &SealedFolder,
    key: &SealKey,
    blobs: &Blobs,
    dir: &Path,
) -> Result<(), OpenError> {
    let machine = |error: std::io::Error| OpenError::Machine(Failure::io(dir, &error));
    let ciphertext = blobs
        .get(sealed.ciphertext.id)
        .map_err(|error| OpenError::Machine(blob_failure(error)))?;
    // The whole blob against its name first: a chunk that fails is the owner's
    // fault only if the bytes are those that were committed.
    let mut whole = blobs
        .get(sealed.ciphertext.id)
        .map_err(|error| OpenError::Machine(blob_failure(error)))?;
    std::io::copy(&mut whole, &mut std::io::sink()).map_err(machine)?;
    let mut archive = temp().map_err(OpenError::Machine)?;
    let mut opener = Opener::new(key, ciphertext).map_err(seal_fault)?;
    while let Some(chunk) = opener.next_chunk().map_err(seal_fault)? {
        std::io::Write::write_all(&mut archive, chunk).map_err(machine)?;
    }
    archive.seek(SeekFrom::Start(0)).map_err(machine)?;
    folder::unpack(std::io::BufReader::new(archive.by_ref()), dir).map_err(|error| match error {
        UnpackError::Archive(what) => OpenError::Archive(what),
        UnpackError::Io(failure) => OpenError::Machine(failure),
    })
}

fn seal_fault(error: SealError) -> OpenError {
    match error {
        SealError::BadChunk { index } => OpenError::Chunk(index),
        SealError::BadHeader => OpenError::Chunk(0),
        other => OpenError::Machine(Failure::new(
            "unseal",
            other,
            "check the disk that holds the node's folder",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Address, ItemId, NetworkId};

    #[test]
    fn a_blob_that_rotted_here_is_no_fault_of_its_owner() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), vec![7; 100_000]).unwrap();
        let blobs = Blobs::open(&temp.path().join("blobs")).unwrap();
        let scope = SealScope::submission(NetworkId([1; 32]), ItemId([2; 32]), Address([3; 32]));
        let key = SealKey::from_bytes([4; 32]);
        let sealed = seal_folder(&folder, &scope, &key, [5; NONCE_LEN], &blobs).unwrap();
        let out = temp.path().join("out");
        open_folder(&sealed, &key, &blobs, &out).unwrap();
        std::fs::remove_dir_all(&out).unwrap();
        let other = SealKey::from_bytes([6; 32]);
        let opened = open_folder(&sealed, &other, &blobs, &out);
        assert!(matches!(opened, Err(OpenError::Chunk(0))));

        let path = temp
            .path()
            .join("blobs/blobs")
            .join(sealed.ciphertext.id.to_string());
        for at in [0, 50, 70_000] {
            let whole = std::fs::read(&path).unwrap();
            let mut rotten = whole.clone();
            rotten[at] ^= 1;
            std::fs::write(&path, rotten).unwrap();
            let opened = open_folder(&sealed, &key, &blobs, &out);
            assert!(matches!(opened, Err(OpenError::Machine(_))), "byte {at}");
            assert!(!out.exists());
            std::fs::write(&path, whole).unwrap();
        }
    }
}
