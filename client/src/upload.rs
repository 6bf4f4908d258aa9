//! Uploads: from where the node's copy ends, again and again until it is whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use protocol::api::{UPLOAD_TOKEN_HEADER, UploadToken};
use protocol::id::BlobId;
use protocol::record::BlobRef;
use serde::Deserialize;

use crate::blobs::blob_ref_of;
use crate::client::Client;
use crate::error::ClientError;
use crate::http::{Ask, ERROR_BYTES_MAX};

/// From so many bytes on, the node is asked for its leave before they are sent.
const ASK_FIRST_BYTES: u64 = 1 << 20;

/// What the tokens of uploads are made of. Who keeps it goes on with an upload in a later process; who
/// learns of it can spoil uploads that broke off, and nothing else. It is not shown in `Debug` forms.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadSecret(pub [u8; 32]);

impl std::fmt::Debug for UploadSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UploadSecret(…)")
    }
}

impl UploadSecret {
    /// One of its own for this process; none where the system gives no random bytes.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok().map(|()| Self(bytes))
    }

    /// The token of an upload: one for each blob and node's address, so that no node learns the token of another.
    pub fn token(&self, url: &str, blob: BlobId) -> UploadToken {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(blob.as_bytes()).update(url.as_bytes());
        UploadToken(*hasher.finalize().as_bytes())
    }
}

/// The answer to `GET /v1/uploads/{id}`, and to a part that does not end its blob.
#[derive(Deserialize)]
struct Held {
    offset: u64,
}

impl Client {
    /// Uploads a file: hashes it, then does as [`Client::upload`].
    ///
    /// # Errors
    /// As there.
    pub fn upload_file(
        &self,
        path: &Path,
        progress: impl FnMut(u64, u64),
    ) -> Result<BlobRef, ClientError> {
        let failed = |error| ClientError::io(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let blob = blob_ref_of(&mut file).map_err(failed)?;
        self.upload(&mut file, blob, progress)?;
        Ok(blob)
    }

    /// Uploads the bytes of a reference, unless the node holds them. `source` holds exactly the blob.
    /// A transfer that breaks goes on from where the node's copy ends, also in a later call.
    /// `progress` is told (bytes done, bytes in all), and may be told less than before after a break.
    ///
    /// # Errors
    /// `source` fails, ends early or is not what the reference says (the node's problem); the node has no
    /// room; or the transfer broke [`crate::Options::retries`] times in a row without progress, or after it had taken
    /// longer than a slow one does.
    pub fn upload(
        &self,
        source: &mut (impl Read + Seek),
        blob: BlobRef,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), ClientError> {
        if self.blob_size(blob.id)? == Some(blob.size_bytes) {
            progress(blob.size_bytes, blob.size_bytes);
            return Ok(());
        }
        let mut backoff = self.backoff();
        let patience = self.http.patience(blob.size_bytes);
        let mut furthest = 0;
        loop {
            let offset = self.upload_offset(blob);
            if let Ok(offset) = offset
                && offset > furthest
            {
                furthest = offset;
                if patience.is_left() {
                    backoff.reset();
                }
            }
            let sent =
                offset.and_then(|offset| self.send_from(source, blob, offset, &mut progress));
            let error = match sent {
                Ok(Sent::Whole) => return Ok(()),
                // Only what is new counts: else a node could ask for the same part for ever.
                Ok(Sent::UpTo(end))
                    if end > furthest && end <= blob.size_bytes && !patience.is_left() =>
                {
                    return Err(ClientError::TimedOut {
                        url: self.http.url.clone(),
                        what: "an upload that goes on part by part".to_owned(),
                    });
                }
                Ok(Sent::UpTo(end)) if end > furthest && end <= blob.size_bytes => {
                    furthest = end;
                    backoff.reset();
                    continue;
                }
                Ok(Sent::UpTo(_)) => self.http.bad("it takes parts of an upload and keeps none"),
                Err(error) if is_worth_another_try(&error) => error,
                Err(error) => return Err(error),
            };
            if !backoff.wait(error.retry_after_ms()) {
                return Err(error);
            }
        }
    }

    /// `GET /v1/uploads/{id}`: how much of an unfinished upload the node holds; 0 if it knows of none.
    fn upload_offset(&self, blob: BlobRef) -> Result<u64, ClientError> {
        let ask = self.of_upload(format!("/v1/uploads/{}", blob.id), blob);
        match self
            .http
            .get(&ask)
            .and_then(|response| self.http.message(response))
        {
            Ok(Held { offset }) if offset <= blob.size_bytes => Ok(offset),
            // More than the blob has is no part of it: begun anew, it is right.
            Ok(_) => Ok(0),
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// A request about this client's own upload of a blob.
    fn of_upload(&self, path: String, blob: BlobRef) -> Ask {
        let ask = Ask::new(path);
        match &self.http.options.upload_secret {
            Some(secret) => ask.header(UPLOAD_TOKEN_HEADER, secret.token(self.url(), blob.id)),
            None => ask,
        }
    }

    fn send_from(
        &self,
        source: &mut (impl Read + Seek),
        blob: BlobRef,
        offset: u64,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Sent, ClientError> {
        let size_bytes = blob.size_bytes;
        let left = size_bytes - offset;
        let sought = source.seek(SeekFrom::Start(offset));
        sought.map_err(|error| ClientError::io("the blob's source", error))?;
        progress(offset, size_bytes);
        let mut ask = self.of_upload(format!("/v1/blobs/{}", blob.id), blob);
        if offset > 0 {
            // With all of it held, no byte more ends the upload.
            let last = size_bytes - 1;
            ask = ask.header(
                "content-range",
                format!("bytes {offset}-{last}/{size_bytes}"),
            );
        }
        if left >= ASK_FIRST_BYTES {
            ask = ask.header("expect", "100-continue");
        }
        let mut body = Counted {
            source,
            left,
            size_bytes,
            progress,
            failure: None,
        };
        let response = self.http.put(&ask, left, size_bytes, &mut body);
        if let Some(error) = body.failure {
            return Err(ClientError::io("the blob's source", error));
        }
        let response = self.http.accepted(response?)?;
        let status = response.status().as_u16();
        let answer = self.http.bytes(response, "the answer", ERROR_BYTES_MAX)?;
        if status == 202 {
            let Held { offset } = self.http.read(&answer)?;
            return Ok(Sent::UpTo(offset));
        }
        let held: BlobRef = self.http.read(&answer)?;
        if held != blob {
            return Err(self
                .http
                .bad(format!("it took {} for {}", held.id, blob.id)));
        }
        progress(size_bytes, size_bytes);
        Ok(Sent::Whole)
    }
}

/// How far an upload got.
enum Sent {
    Whole,
    UpTo(u64),
}

/// Besides what waiting mends: an offset that was right when the node named it, before the rest
/// of a broken transfer had reached it.
fn is_worth_another_try(error: &ClientError) -> bool {
    let is_offset = matches!(
        error,
        ClientError::Problem {
            status: 409 | 416,
            ..
        }
    );
    is_offset || error.is_temporary()
}

/// The rest of a source: exactly so many bytes, counted as they are sent.
struct Counted<'a, R, P> {
    source: &'a mut R,
    left: u64,
    size_bytes: u64,
    progress: &'a mut P,
    /// What the source failed with, which is not the connection's failure.
    failure: Option<io::Error>,
}

impl<R: Read, P: FnMut(u64, u64)> Read for Counted<'_, R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(0);
        }
        let read = loop {
            match self.source.read(&mut buffer[..len]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => {
                    let why = format!("it ends {} bytes early", self.left);
                    break Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
                }
                other => break other,
            }
        };
        let read = read.map_err(|error| {
            let kind = error.kind();
            self.failure = Some(error);
            io::Error::from(kind)
        })?;
        self.left -= read as u64;
        (self.progress)(self.size_bytes - self.left, self.size_bytes);
        Ok(read)
    }
}
