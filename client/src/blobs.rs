//! Blobs: what is common to both ways of a transfer.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use protocol::id::BlobId;
use protocol::record::BlobRef;

use crate::client::Client;
use crate::error::ClientError;
use crate::http::{Ask, TRANSFER_BUFFER_BYTES};

/// The reference of all bytes that a reader gives: their BLAKE3 hash and their number.
///
/// # Errors
/// The reader's.
pub fn blob_ref_of(mut reader: impl Read) -> io::Result<BlobRef> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        let len = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..len]);
        size_bytes += len as u64;
    }
    let id = BlobId(*hasher.finalize().as_bytes());
    Ok(BlobRef { id, size_bytes })
}

/// The reference of a file's bytes.
///
/// # Errors
/// [`ClientError::Io`] with the file's path.
pub fn blob_ref_of_file(path: &Path) -> Result<BlobRef, ClientError> {
    let blob = File::open(path).and_then(blob_ref_of);
    blob.map_err(|error| ClientError::io(path, error))
}

impl Client {
    /// `HEAD /v1/blobs/{id}`: the size of a blob that the node holds; `None` if it does not.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn blob_size(&self, id: BlobId) -> Result<Option<u64>, ClientError> {
        let ask = Ask::new(format!("/v1/blobs/{id}"));
        let response = self.patiently(|| self.http.head(&ask))?;
        if response.status().as_u16() == 404 {
            // An answer to HEAD has no body to say more.
            return Ok(None);
        }
        let response = self.http.accepted(response)?;
        let length = response.headers().get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length
            .map(Some)
            .ok_or_else(|| self.http.bad("a blob without a length"))
    }
}
