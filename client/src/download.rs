//! Downloads: checked while they stream, and taken up again where they broke.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use protocol::id::BlobId;
use protocol::record::BlobRef;
use ureq::Body;
use ureq::http::Response;

use crate::client::Client;
use crate::error::ClientError;
use crate::http::{Ask, TRANSFER_BUFFER_BYTES};

impl Client {
    /// Downloads a blob to a file. The bytes go to `<path>.part` first, which an earlier, broken
    /// download may have left; whole, checked and synced, it gets its name. `progress` is
    /// told (bytes done, bytes in all).
    ///
    /// # Errors
    /// [`ClientError::Damaged`]: the bytes are not the blob's; the part is deleted.
    /// [`ClientError::TooLarge`]: more bytes came than the reference says. [`ClientError::Io`]: the disk, or
    /// another download to this path. Otherwise the node has no such blob, or the transfer
    /// broke [`crate::Options::retries`] times in a row without progress, or after it had taken longer than a slow one
    /// does; the part stays.
    pub fn download(
        &self,
        blob: BlobRef,
        path: &Path,
        progress: impl FnMut(u64, u64),
    ) -> Result<(), ClientError> {
        let part = part_of(path);
        let failed = |error| ClientError::io(&part, error);
        let mut file = open_part(&part).map_err(failed)?;
        let mut fetch = Fetch::new(self, blob, progress);
        fetch.take_up(&mut file).map_err(failed)?;
        fetch.run(&mut file, &part)?;
        if let Err(error) = fetch.check() {
            fs::remove_file(&part).map_err(failed)?;
            return Err(error);
        }
        file.sync_all().map_err(failed)?;
        fs::rename(&part, path).map_err(|error| ClientError::io(path, error))?;
        sync_folder(path).map_err(|error| ClientError::io(path, error))
    }

    /// Downloads a blob into a writer. What it got is the blob's only if this returns without an error.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub fn download_to(
        &self,
        blob: BlobRef,
        out: &mut impl Write,
        progress: impl FnMut(u64, u64),
    ) -> Result<(), ClientError> {
        let mut fetch = Fetch::new(self, blob, progress);
        fetch.run(out, Path::new("the output"))?;
        fetch.check()
    }
}

/// A download on its way.
struct Fetch<'a, P> {
    client: &'a Client,
    blob: BlobRef,
    hasher: blake3::Hasher,
    done: u64,
    progress: P,
}

impl<'a, P: FnMut(u64, u64)> Fetch<'a, P> {
    fn new(client: &'a Client, blob: BlobRef, progress: P) -> Self {
        Self {
            client,
            blob,
            hasher: blake3::Hasher::new(),
            done: 0,
            progress,
        }
    }

    /// Hashes what an earlier download left, and leaves the file at its end. What is longer than the blob is not of it.
    fn take_up(&mut self, file: &mut File) -> io::Result<()> {
        if file.metadata()?.len() > self.blob.size_bytes {
            file.set_len(0)?;
        }
        let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
        loop {
            let len = file.read(&mut buffer)?;
            if len == 0 {
                break;
            }
            self.hasher.update(&buffer[..len]);
            self.done += len as u64;
        }
        file.seek(SeekFrom::Start(self.done))?;
        Ok(())
    }

    /// Fetches what is missing.
    fn run(&mut self, out: &mut impl Write, name: &Path) -> Result<(), ClientError> {
        let mut backoff = self.client.backoff();
        let patience = self.client.http.patience(self.blob.size_bytes);
        (self.progress)(self.done, self.blob.size_bytes);
        while self.done < self.blob.size_bytes {
            let before = self.done;
            let Err(error) = self.stream(out, name) else {
                continue;
            };
            if self.done > before && patience.is_left() {
                backoff.reset();
            }
            if !error.is_temporary() || !backoff.wait(error.retry_after_ms()) {
                return Err(error);
            }
        }
        out.flush().map_err(|error| ClientError::io(name, error))
    }

    /// One connection's worth.
    fn stream(&mut self, out: &mut impl Write, name: &Path) -> Result<(), ClientError> {
        let http = &self.client.http;
        let left = self.blob.size_bytes - self.done;
        let mut ask = Ask::new(format!("/v1/blobs/{}", self.blob.id));
        if self.done > 0 {
            ask = ask.header("range", format!("bytes={}-", self.done));
        }
        let response = http.accepted(http.get_bytes(&ask, self.blob.size_bytes)?)?;
        // Who knows no parts, or lost the request's header, sends the whole: what is here of it is passed over.
        let mut skip = match response.status().as_u16() {
            200 => self.done,
            _ => 0,
        };
        self.check_range(&response, left + skip)?;
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
        loop {
            let read = reader.read(&mut buffer);
            let len = read.map_err(|error| http.failed(error.into()))?;
            if len == 0 {
                break;
            }
            let skipped = skip.min(len as u64);
            skip -= skipped;
            let bytes = &buffer[skipped as usize..len];
            if self.done + bytes.len() as u64 > self.blob.size_bytes {
                return Err(self.too_large());
            }
            self.hasher.update(bytes);
            out.write_all(bytes)
                .map_err(|error| ClientError::io(name, error))?;
            self.done += bytes.len() as u64;
            (self.progress)(self.done, self.blob.size_bytes);
        }
        if self.done == self.blob.size_bytes {
            return Ok(());
        }
        Err(ClientError::Disconnected {
            url: http.url.clone(),
            why: format!("it ended at byte {} of {}", self.done, self.blob.size_bytes),
        })
    }

    /// That the answer is the part that was asked for, or the whole; it has so many bytes.
    fn check_range(&self, response: &Response<Body>, expected: u64) -> Result<(), ClientError> {
        let size_bytes = self.blob.size_bytes;
        let is_whole = self.done == 0 || response.status().as_u16() == 200;
        // What is not the blob by its length is not read at all.
        match response.body().content_length() {
            Some(length) if length > expected && is_whole => return Err(self.too_large()),
            Some(length) if length < expected && is_whole => {
                let what = format!("{length} bytes of a blob that has {size_bytes}");
                return Err(self.client.http.bad(what));
            }
            _ => {}
        }
        if is_whole {
            return Ok(());
        }
        let range = response.headers().get("content-range");
        let range = range
            .and_then(|range| range.to_str().ok())
            .unwrap_or_default();
        let expected = format!("bytes {}-{}/{size_bytes}", self.done, size_bytes - 1);
        if response.status().as_u16() == 206 && range == expected {
            return Ok(());
        }
        let what = format!(
            "the range '{}' where '{expected}' was asked for",
            crate::error::excerpt(range.as_bytes())
        );
        Err(self.client.http.bad(what))
    }

    fn too_large(&self) -> ClientError {
        ClientError::TooLarge {
            what: "the blob",
            limit_bytes: self.blob.size_bytes,
        }
    }

    fn check(&self) -> Result<(), ClientError> {
        let found = BlobId(*self.hasher.finalize().as_bytes());
        if found == self.blob.id {
            return Ok(());
        }
        Err(ClientError::Damaged {
            what: "the blob",
            expected: self.blob.id.to_string(),
            found: found.to_string(),
        })
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Opens a part, new or left behind; the lock keeps a second download to the same path out.
fn open_part(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(part)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another download writes it",
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a rename in the file's folder last.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
