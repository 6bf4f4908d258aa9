//! Seals: what binds an encrypted test set or submission to its owner before it is opened.
//!
//! To commit, a folder archive is encrypted under a fresh key, the ciphertext is
//! published, and the seal goes on the log. To reveal is to publish the key.
//!
//! The seal is SHA-256 over 189 bytes of fixed places:
//!
//! ```text
//! offset  field                                                          bytes
//! 0       "lode/seal/1"                                                  11
//! 11      network                                                        32
//! 43      context: 0, then the poster's address (32) and nonce (8, LE)
//!                  1, then the bounty's id (32) and zeros (8)            41
//! 84      role: 0 test set, 1 submission                                 1
//! 85      owner's address                                                32
//! 117     key                                                            32
//! 149     BLAKE3 root of the ciphertext                                  32
//! 181     length of the ciphertext in bytes, LE                          8
//! ```
//!
//! A test set is sealed before its bounty exists: its context is the (owner,
//! nonce) of the transaction that will post it. The seal binds the key, so a
//! ciphertext that a second key would also open gains nobody anything.
//!
//! The ciphertext is XChaCha20-Poly1305 in the STREAM construction (Hoang,
//! Reyhanitabar, Rogaway, Vizár 2015; `StreamBE32` of the `aead-stream` crate):
//!
//! ```text
//! 0       "lode/sealed/1"                                                13
//! 13      nonce                                                          19
//! 32      chunks of 65,536 bytes of plaintext, each followed by its tag  65,552 each
//! last    the last chunk, 1 to 65,536 bytes (0 only if it is the first)  17 to 65,552 (16)
//! ```
//!
//! Chunk i is encrypted under nonce ‖ i (4 bytes, big-endian) ‖ 1 if it is the
//! last, else 0, with no associated data. So a missing, moved, repeated or
//! added chunk is a chunk that does not open, and everyone who holds key and
//! ciphertext names the same first one. Memory use does not grow with the length.
//!
//! What this does not do: draw keys or nonces (both are arguments, and both must
//! be fresh random bytes), or look into the plaintext ([`crate::archive`]).

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::XChaCha20Poly1305;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::id::{Address, BlobId, Digest, IdError, ItemId, NetworkId};

/// First bytes of a ciphertext.
pub const MAGIC: &[u8; 13] = b"lode/sealed/1";
/// Bytes of the nonce.
pub const NONCE_LEN: usize = 19;
/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = MAGIC.len() + NONCE_LEN;
/// Bytes of plaintext in every chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that a chunk's tag adds.
pub const TAG_BYTES: usize = 16;
/// Most bytes of plaintext: the chunk counter has 32 bits.
pub const PLAINTEXT_BYTES_MAX: u64 = CHUNK_BYTES as u64 * (u32::MAX as u64 + 1);

const SEAL_DOMAIN: &[u8; 11] = b"lode/seal/1";
const SEAL_BYTES: usize = 189;

/// The key of one seal: 32 bytes, used once, secret until it is revealed.
///
/// Text form: base64url without padding, 43 characters ([`SealKey::to_text`]);
/// there is no `Display`, so that no log prints one by accident. Wiped when
/// dropped. Its serialisations are for the record that reveals it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// A key of these bytes, which must be fresh and random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as 43 characters of base64url.
    pub fn to_text(&self) -> String {
        Digest(self.0).to_string()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(hidden)")
    }
}

impl FromStr for SealKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(|bytes: Digest| Self(bytes.0))
    }
}

impl Serialize for SealKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for SealKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Digest = Deserialize::deserialize(deserializer)?;
        Ok(Self(bytes.0))
    }
}

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The hidden test set of a bounty.
    TestSet,
    /// A miner's submission to a bounty.
    Submission,
}

/// What the sealed thing belongs to; it also decides the [`Role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealContext {
    /// A submission: the bounty that it is for.
    Bounty(ItemId),
    /// A test set: the nonce of the transaction by which the owner will post its bounty.
    Poster {
        /// The owner's transaction nonce.
        nonce: u64,
    },
}

/// Where a seal holds, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealScope {
    /// The network.
    pub network: NetworkId,
    /// The bounty, or the transaction that will post it.
    pub context: SealContext,
    /// Who commits: the miner of a submission, the poster of a test set.
    pub owner: Address,
}

impl SealScope {
    /// The scope of a submission to a bounty.
    pub const fn submission(network: NetworkId, bounty: ItemId, owner: Address) -> Self {
        Self {
            network,
            context: SealContext::Bounty(bounty),
            owner,
        }
    }

    /// The scope of the test set of the bounty that `owner` will post with its transaction `nonce`.
    pub const fn test_set(network: NetworkId, owner: Address, nonce: u64) -> Self {
        Self {
            network,
            context: SealContext::Poster { nonce },
            owner,
        }
    }

    /// What is sealed.
    pub const fn role(&self) -> Role {
        match self.context {
            SealContext::Bounty(_) => Role::Submission,
            SealContext::Poster { .. } => Role::TestSet,
        }
    }
}

/// The seal: what goes on the log at commitment and is checked at the reveal.
/// The module's head has its encoding byte by byte.
pub fn seal_digest(
    scope: &SealScope,
    key: &SealKey,
    ciphertext_root: &BlobId,
    ciphertext_len: u64,
) -> Digest {
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEAL_BYTES));
    bytes.extend_from_slice(SEAL_DOMAIN);
    bytes.extend_from_slice(scope.network.as_bytes());
    match scope.context {
        SealContext::Poster { nonce } => {
            bytes.push(0);
            bytes.extend_from_slice(scope.owner.as_bytes());
            bytes.extend_from_slice(&nonce.to_le_bytes());
        }
        SealContext::Bounty(bounty) => {
            bytes.push(1);
            bytes.extend_from_slice(bounty.as_bytes());
            bytes.extend_from_slice(&[0; 8]);
        }
    }
    bytes.push(match scope.role() {
        Role::TestSet => 0,
        Role::Submission => 1,
    });
    bytes.extend_from_slice(scope.owner.as_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(ciphertext_root.as_bytes());
    bytes.extend_from_slice(&ciphertext_len.to_le_bytes());
    assert_eq!(bytes.len(), SEAL_BYTES, "every field has a fixed width");
    Digest(Sha256::digest(&bytes[..]).into())
}

/// Why a ciphertext was not written or does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Reading or writing failed: no verdict on the seal.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The ciphertext does not begin with a header of this format.
    #[error("the ciphertext does not begin with the header of a seal")]
    BadHeader,
    /// A chunk does not open under this key, or the ciphertext ends or goes on where it must not.
    #[error("chunk {index} of the ciphertext does not open under this key")]
    BadChunk {
        /// The chunk, from 0.
        index: u64,
    },
    /// The plaintext or ciphertext has more chunks than the counter can number.
    #[error("a seal holds at most {PLAINTEXT_BYTES_MAX} bytes")]
    TooLong,
}

impl SealError {
    /// Whether everyone who tries this key on this ciphertext fails likewise;
    /// reading and writing may fail on one machine only.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// What `encrypt` wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedBlob {
    /// The BLAKE3 root of the ciphertext.
    pub root: BlobId,
    /// The length of the ciphertext in bytes.
    pub len: u64,
}

/// The length in bytes of the ciphertext of so many bytes of plaintext; none
/// above [`PLAINTEXT_BYTES_MAX`].
pub fn ciphertext_len(plaintext_len: u64) -> Option<u64> {
    let chunks = plaintext_len.div_ceil(CHUNK_BYTES as u64).max(1);
    (plaintext_len <= PLAINTEXT_BYTES_MAX)
        .then(|| HEADER_BYTES as u64 + plaintext_len + chunks * TAG_BYTES as u64)
}

/// Encrypts all of `plaintext` into `ciphertext`. Key and nonce must be fresh
/// random bytes: the pair is never used twice.
///
/// # Errors
///
/// Reading or writing fails, or the plaintext is too long.
pub fn encrypt(
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
    mut plaintext: impl Read,
    ciphertext: impl Write,
) -> Result<SealedBlob, SealError> {
    let stream = stream(key, &nonce);
    let mut out = HashedWriter {
        inner: ciphertext,
        hasher: blake3::Hasher::new(),
        len: 0,
    };
    out.put(MAGIC)?;
    out.put(&nonce)?;

    // Whether a chunk is the last is known only once the next one is empty.
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES));
    let mut next = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES));
    read_up_to(&mut plaintext, CHUNK_BYTES, &mut chunk)?;
    let mut index = 0u32;
    loop {
        read_up_to(&mut plaintext, CHUNK_BYTES, &mut next)?;
        let last = next.is_empty();
        stream
            .encrypt_in_place(index, last, &[], &mut *chunk)
            .map_err(|_| SealError::TooLong)?;
        out.put(&chunk)?;
        if last {
            break;
        }
        index = index.checked_add(1).ok_or(SealError::TooLong)?;
        std::mem::swap(&mut chunk, &mut next);
    }
    out.inner.flush()?;
    Ok(SealedBlob {
        root: BlobId(*out.hasher.finalize().as_bytes()),
        len: out.len,
    })
}

/// Decrypts all of `ciphertext` into `plaintext`; gives the plaintext's length
/// in bytes. What was written before an error is not to be used.
///
/// # Errors
///
/// [`SealError::BadChunk`] names the first chunk that does not open, the same
/// for everyone: a wrong key, a changed byte, an end too early or too late.
pub fn decrypt(
    key: &SealKey,
    ciphertext: impl Read,
    mut plaintext: impl Write,
) -> Result<u64, SealError> {
    let mut opener = Opener::new(key, ciphertext)?;
    let mut len = 0;
    while let Some(chunk) = opener.next_chunk()? {
        plaintext.write_all(chunk)?;
        len += chunk.len() as u64;
    }
    plaintext.flush()?;
    Ok(len)
}

/// Opens a ciphertext chunk by chunk.
///
/// As a [`Read`] it gives the plaintext; a chunk that does not open is an
/// [`io::Error`] that holds the [`SealError`]. Each chunk is authentic by the
/// time it is given, but only the end shows that none is missing.
pub struct Opener<R> {
    stream: StreamBE32<XChaCha20Poly1305>,
    source: R,
    /// The chunk that is being read out, then the one after it, still encrypted.
    chunk: Zeroizing<Vec<u8>>,
    next: Zeroizing<Vec<u8>>,
    read: usize,
    /// The place of the chunk in `next`.
    index: u64,
    done: bool,
}

impl<R: Read> Opener<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Reading fails, or there is no header of this format.
    pub fn new(key: &SealKey, mut source: R) -> Result<Self, SealError> {
        let mut header = Zeroizing::new(Vec::with_capacity(HEADER_BYTES));
        read_up_to(&mut source, HEADER_BYTES, &mut header)?;
        let nonce: [u8; NONCE_LEN] = header
            .strip_prefix(MAGIC)
            .and_then(|nonce| nonce.try_into().ok())
            .ok_or(SealError::BadHeader)?;
        let mut opener = Self {
            stream: stream(key, &nonce),
            source,
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
            next: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
            read: 0,
            index: 0,
            done: false,
        };
        opener.fetch()?;
        Ok(opener)
    }

    /// The next chunk of plaintext, at most [`CHUNK_BYTES`]; none after the last.
    ///
    /// # Errors
    ///
    /// Reading fails, or the chunk does not open. After an error there is nothing more.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, SealError> {
        self.chunk.clear();
        self.read = 0;
        if self.done {
            return Ok(None);
        }
        self.done = true;
        let index = self.index;
        let position = u32::try_from(index).map_err(|_| SealError::TooLong)?;
        std::mem::swap(&mut self.chunk, &mut self.next);
        self.fetch()?;
        let last = self.next.is_empty();
        let opened = self
            .stream
            .decrypt_in_place(position, last, &[], &mut *self.chunk);
        // An empty chunk after a full one would be a second spelling of the same plaintext.
        if opened.is_err() || (self.chunk.is_empty() && index > 0) {
            self.chunk.clear();
            return Err(SealError::BadChunk { index });
        }
        self.index += 1;
        self.done = last;
        Ok(Some(&self.chunk))
    }

    fn fetch(&mut self) -> Result<(), SealError> {
        read_up_to(&mut self.source, CHUNK_BYTES + TAG_BYTES, &mut self.next)?;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            match self.next_chunk() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(0),
                Err(SealError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        let rest = &self.chunk[self.read..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        Ok(len)
    }
}

impl<R> fmt::Debug for Opener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener(before chunk {})", self.index)
    }
}

fn stream(key: &SealKey, nonce: &[u8; NONCE_LEN]) -> StreamBE32<XChaCha20Poly1305> {
    NewStream::new(key.as_bytes().into(), nonce.into())
}

/// Empties the buffer and fills it with up to `len` bytes, fewer only at the end.
fn read_up_to(source: &mut impl Read, len: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    source.take(len as u64).read_to_end(buffer)?;
    Ok(())
}

struct HashedWriter<W> {
    inner: W,
    hasher: blake3::Hasher,
    len: u64,
}

impl<W: Write> HashedWriter<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
