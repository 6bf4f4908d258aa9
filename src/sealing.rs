//! Sealed folders: archive, encrypt, hold; and the way back.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use client::{Client, ClientError};
use datasets::MANIFEST_FILE;
use datasets::manifest::{DATA_BYTES_MAX, FILES_MAX, MANIFEST_BYTES_MAX};
use evaluator::folder::{FILES_OPTIONAL, FILES_REQUIRED};
use node::blobs::{BlobError, Blobs};
use protocol::BlobId;
use protocol::archive::{PATH_BYTES_MAX, archive_len};
use protocol::benchmark::Benchmark;
use protocol::record::{BlobRef, SealedFolder};
use protocol::report::{Outcome, TestOutcome};
use protocol::seal::{
    NONCE_LEN, Opener, SealError, SealKey, SealScope, ciphertext_len, encrypt, seal_digest,
};
use protocol::text::Code;

use crate::failure::{Exit, Failure};
use crate::folder::{self, ArchiveFault, Belongs, UnpackError};
use crate::out;
use crate::watch::now;

/// Why a sealed folder was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The key does not open this chunk: the owner's fault, and the chunk is the proof.
    Chunk(u64),
    /// It opens, but holds no canonical archive: the owner's fault.
    Archive(ArchiveFault),
    /// It has more bytes than anything sound can have, and was not fetched: the owner's fault.
    TooLarge {
        /// Bytes of the ciphertext.
        size_bytes: u64,
        /// Bytes that it may have.
        limit_bytes: u64,
    },
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
            Self::Archive(fault) => Ok(Outcome::Invalid {
                code: Code::lossy(fault.code),
                place: Code::lossy(&place(&fault)),
            }),
            Self::TooLarge { .. } => Ok(Outcome::Invalid {
                code: Code::lossy(TOO_LARGE),
                place: Code::lossy(CIPHERTEXT),
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
            Self::Archive(fault) => (fault.code, place(&fault)),
            Self::TooLarge { .. } => (TOO_LARGE, CIPHERTEXT.to_owned()),
            Self::Machine(failure) => return Err(failure),
        };
        Ok(TestOutcome::BadSeal {
            code: Code::lossy(code),
            place: Code::lossy(&place),
        })
    }

    /// What somebody is told who wanted to use an asset's folder.
    pub fn of_asset(self) -> Failure {
        let next = "nothing can be done about it here: the folder was registered like this";
        match self {
            Self::Machine(failure) => failure,
            Self::Chunk(chunk) => {
                let message = format_args!("chunk {chunk} does not open");
                Failure::new("bad_seal", message, next)
            }
            Self::Archive(what) => Failure::new("archive", what, next),
            Self::TooLarge {
                size_bytes,
                limit_bytes,
            } => {
                let message =
                    format_args!("{size_bytes} bytes, and at most {limit_bytes} are read");
                Failure::new(TOO_LARGE, message, next)
            }
        }
    }
}

/// The code of a ciphertext that has more bytes than anything sound can have.
const TOO_LARGE: &str = "ciphertext_too_large";

/// The place of what is wrong with a ciphertext as a whole.
const CIPHERTEXT: &str = "ciphertext";

/// The most bytes of the ciphertext of a model folder: the benchmark's limit on the folder's
/// bytes, and what the archive and the seal add to its files.
pub fn model_bytes_max(benchmark: &Benchmark) -> u64 {
    let names = FILES_REQUIRED.iter().chain(&FILES_OPTIONAL);
    let archive = archive_len(
        names.map(|name| name.len()),
        benchmark.limits.file_bytes_max,
    );
    ciphertext_len(archive).unwrap_or(u64::MAX)
}

/// The most bytes of the ciphertext of a test set: those of the largest data set there is.
pub fn test_set_bytes_max() -> u64 {
    let paths = std::iter::repeat_n(PATH_BYTES_MAX, FILES_MAX).chain([MANIFEST_FILE.len()]);
    let content = DATA_BYTES_MAX + MANIFEST_BYTES_MAX as u64;
    ciphertext_len(archive_len(paths, content)).unwrap_or(u64::MAX)
}

/// Judges a ciphertext by the size that the record names, before any of it is fetched.
///
/// # Errors
/// [`OpenError::TooLarge`].
pub const fn check_size(sealed: &SealedFolder, limit_bytes: u64) -> Result<(), OpenError> {
    let size_bytes = sealed.ciphertext.size_bytes;
    if size_bytes > limit_bytes {
        return Err(OpenError::TooLarge {
            size_bytes,
            limit_bytes,
        });
    }
    Ok(())
}

/// Where an archive is wrong, as it is attested.
fn place(fault: &ArchiveFault) -> String {
    format!("byte {}", fault.offset)
}

pub(crate) fn blob_failure(error: BlobError) -> Failure {
    Failure::new("blob", error, "check the disk that holds the node's folder")
}

fn temp() -> Result<File, Failure> {
    tempfile::tempfile().map_err(|error| Failure::io(&std::env::temp_dir(), &error))
}

/// Where blobs are: a node's own folder, or a node that is asked.
pub trait Store {
    /// Puts a whole file there; on return it is held.
    ///
    /// # Errors
    /// It cannot be read or not be held.
    fn hold(&self, file: &mut File) -> Result<BlobRef, Failure>;

    /// The whole blob, checked against its name, in a temporary file.
    ///
    /// # Errors
    /// It is not held, or came damaged.
    fn fetch(&self, blob: BlobRef) -> Result<File, Failure>;
}

impl Store for Blobs {
    fn hold(&self, file: &mut File) -> Result<BlobRef, Failure> {
        self.put(file).map_err(blob_failure)
    }

    fn fetch(&self, blob: BlobRef) -> Result<File, Failure> {
        let mut source = self.get(blob.id).map_err(blob_failure)?;
        let mut file = temp()?;
        std::io::copy(&mut source, &mut file)
            .map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
        rewind(file)
    }
}

/// A node, with a bar on the terminal while something is on its way.
impl Store for Client {
    fn hold(&self, file: &mut File) -> Result<BlobRef, Failure> {
        hold_until(self, file, None)
    }

    fn fetch(&self, blob: BlobRef) -> Result<File, Failure> {
        fetch_until(self, blob, None)
    }
}

/// A node, for somebody who has something else to do at a time: what is on its way then breaks off.
pub struct Until<'a> {
    /// The node.
    pub client: &'a Client,
    /// The time.
    pub until: Instant,
}

impl Store for Until<'_> {
    fn hold(&self, file: &mut File) -> Result<BlobRef, Failure> {
        hold_until(self.client, file, Some(self.until))
    }

    fn fetch(&self, blob: BlobRef) -> Result<File, Failure> {
        fetch_until(self.client, blob, Some(self.until))
    }
}

fn hold_until(
    client: &Client,
    file: &mut File,
    until: Option<Instant>,
) -> Result<BlobRef, Failure> {
    let blob = client::blob_ref_of(&mut *file)
        .map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
    let bar = out::bytes_bar("upload")?;
    let sent = client.upload(&mut Timed { file, until }, blob, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    sent.map_err(|error| broken_off(error, until))?;
    bar.finish_and_clear();
    Ok(blob)
}

fn fetch_until(client: &Client, blob: BlobRef, until: Option<Instant>) -> Result<File, Failure> {
    let mut file = temp()?;
    let bar = out::bytes_bar("download")?;
    let mut timed = Timed {
        file: &mut file,
        until,
    };
    let came = client.download_to(blob, &mut timed, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    came.map_err(|error| broken_off(error, until))?;
    bar.finish_and_clear();
    rewind(file)
}

/// What a transfer ended with, whose time may have been over.
fn broken_off(error: ClientError, until: Option<Instant>) -> Failure {
    if until.is_none_or(|until| now() < until) {
        return error.into();
    }
    let message = "the transfer was broken off: its time is over";
    let next = "it is tried again, if it is still wanted; a faster line to the node helps";
    Failure::new("broken_off", message, next).exit(Exit::Later)
}

/// A file that neither gives nor takes anything after a time.
struct Timed<'a> {
    file: &'a mut File,
    until: Option<Instant>,
}

impl Timed<'_> {
    fn check(&self) -> std::io::Result<()> {
        match self.until {
            Some(until) if now() >= until => Err(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the time of this transfer is over",
            )),
            _ => Ok(()),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.check()?;
        self.file.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.check()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Timed<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

fn rewind(mut file: File) -> Result<File, Failure> {
    file.seek(SeekFrom::Start(0))
        .map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
    Ok(file)
}

/// Puts the archive of a folder into a store, open to all.
///
/// # Errors
/// If the folder cannot be read or the blob not held.
pub fn hold_folder(dir: &Path, store: &impl Store) -> Result<BlobRef, Failure> {
    store.hold(&mut rewind(folder::pack(dir, temp()?)?)?)
}

/// Unpacks an archive that is open to all into `dir`, which must not exist yet.
///
/// # Errors
/// [`OpenError`], which keeps the maker's faults and the machine's apart.
pub fn fetch_folder(archive: BlobRef, store: &impl Store, dir: &Path) -> Result<(), OpenError> {
    let archive = store.fetch(archive).map_err(OpenError::Machine)?;
    unpack(BufReader::new(archive), dir, &mut |_| true)
}

/// Seals a folder under a fresh key, into a temporary file that still has to be held.
///
/// # Errors
/// If the folder cannot be read or the file not written.
pub fn seal_to_file(dir: &Path, key: &SealKey, nonce: [u8; NONCE_LEN]) -> Result<File, Failure> {
    let archive = rewind(folder::pack(dir, temp()?)?)?;
    let mut sealed = temp()?;
    encrypt(key, nonce, archive, &mut sealed)
        .map_err(|error| Failure::new("seal", error, "check the disk's free space"))?;
    rewind(sealed)
}

/// Seals a folder under a fresh key and puts the ciphertext into a store.
///
/// # Errors
/// If the folder cannot be read or the blob not held.
pub fn seal_folder(
    dir: &Path,
    scope: &SealScope,
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
    store: &impl Store,
) -> Result<SealedFolder, Failure> {
    let ciphertext = store.hold(&mut seal_to_file(dir, key, nonce)?)?;
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
    store: &impl Store,
    dir: &Path,
) -> Result<(), OpenError> {
    let ciphertext = store.fetch(sealed.ciphertext).map_err(OpenError::Machine)?;
    open_ciphertext(ciphertext, sealed.ciphertext.id, key, dir, &mut |_| true)
}

/// Opens a ciphertext of this name into `dir`, which must not exist yet: those of its files that belong.
///
/// It is read twice: a chunk that does not open counts before anything that is
/// wrong with the archive in the chunks before it. And a chunk that does not open is the
/// owner's fault only if the bytes are those that were committed, on this disk too.
///
/// # Errors
/// As [`open_folder`].
pub fn open_ciphertext(
    mut ciphertext: File,
    name: BlobId,
    key: &SealKey,
    dir: &Path,
    belongs: Belongs<'_>,
) -> Result<(), OpenError> {
    let io = |error| OpenError::Machine(Failure::io(dir, &error));
    let mut hashed = Hashed {
        source: &ciphertext,
        hasher: blake3::Hasher::new(),
    };
    let opened = open_all(key, &mut hashed);
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(io)?;
    if BlobId(*hashed.hasher.finalize().as_bytes()) != name {
        let message = format_args!("what is on this disk of {name} is not what was fetched");
        let next = "check the disk; it is fetched again by the next try";
        let failure = Failure::new("ciphertext_damaged", message, next);
        return Err(OpenError::Machine(failure));
    }
    opened.map_err(seal_fault)?;
    ciphertext
        .rewind()
        .map_err(|error| OpenError::Machine(Failure::io(dir, &error)))?;
    let opener = Opener::new(key, BufReader::new(ciphertext)).map_err(seal_fault)?;
    unpack(opener, dir, belongs)
}

/// Opens every chunk.
fn open_all(key: &SealKey, source: impl Read) -> Result<(), SealError> {
    let mut opener = Opener::new(key, BufReader::new(source))?;
    while opener.next_chunk()?.is_some() {}
    Ok(())
}

/// A reader that hashes what it reads.
struct Hashed<R> {
    source: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.source.read(buffer)?;
        self.hasher.update(&buffer[..len]);
        Ok(len)
    }
}

/// Unpacks those files of an archive that belong into `dir`, which must not exist yet.
///
/// # Errors
/// As [`open_folder`].
pub fn unpack(archive: impl Read, dir: &Path, belongs: Belongs<'_>) -> Result<(), OpenError> {
    folder::unpack(archive, folder::LIMITS, dir, belongs).map_err(|error| match error {
        UnpackError::Archive(fault) => OpenError::Archive(fault),
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
    use protocol::benchmark::{ARITHMETIC_VERSION, Metric, ModelLimits, Task};
    use protocol::{Address, ItemId, NetworkId};

    #[test]
    fn the_largest_sound_folder_is_within_the_limit_to_the_byte() {
        let temp = tempfile::tempdir().unwrap();
        let benchmark = |file_bytes_max| Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Regression,
            inputs: 1,
            examples_max: 1,
            metric: Metric::Rmse,
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max,
                multiply_adds_max: 1,
            },
        };
        for bytes in [0, 1_000, 3 * 65_536] {
            let folder = temp.path().join(bytes.to_string());
            std::fs::create_dir(&folder).unwrap();
            for name in FILES_REQUIRED.iter().chain(&FILES_OPTIONAL) {
                std::fs::write(folder.join(name), "").unwrap();
            }
            std::fs::write(folder.join(FILES_REQUIRED[1]), vec![7; bytes]).unwrap();
            let key = SealKey::from_bytes([4; 32]);
            let sealed = seal_to_file(&folder, &key, [5; NONCE_LEN]).unwrap();
            let len = sealed.metadata().unwrap().len();
            assert_eq!(model_bytes_max(&benchmark(bytes as u64)), len);
        }
        assert_eq!(model_bytes_max(&benchmark(u64::MAX)), u64::MAX);
        assert!(test_set_bytes_max() > DATA_BYTES_MAX);
        assert!(test_set_bytes_max() < DATA_BYTES_MAX + (4 << 20));
    }

    #[test]
    fn what_is_on_its_way_breaks_off_when_its_time_is_over() {
        let file = &mut tempfile::tempfile().unwrap();
        let later = now() + std::time::Duration::from_secs(60);
        for until in [None, Some(later)] {
            Timed { file, until }.write_all(b"a").unwrap();
        }
        let until = Some(now());
        let over = Timed { file, until }.write_all(b"b").unwrap_err();
        assert_eq!(over.kind(), std::io::ErrorKind::TimedOut);
        let over = Timed { file, until }.read(&mut [0]).unwrap_err();
        assert_eq!(over.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(file.metadata().unwrap().len(), 2);
    }

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
