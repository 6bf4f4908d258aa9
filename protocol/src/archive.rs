//! The canonical archive of a folder: one folder, one byte string.
//!
//! ```text
//! 14 bytes       "lode/archive/1"
//! for each file  2: length of the path in bytes, little-endian, at least 1
//!                   the path, ASCII
//!                8: length of the file in bytes, little-endian
//!                   the file
//! 2 bytes        0: the end, after which nothing follows
//! ```
//!
//! Invariants: regular files only, no times, owners, modes or links; empty
//! folders leave no trace. Files stand in strictly ascending order of their
//! paths ([`ArchivePath`] is ordered so): component by component, each compared
//! byte by byte with ASCII capitals as small letters. In that order everything
//! below one folder is neighbours, so two names that a file system could take
//! for one, or a file that is another's folder, meet as neighbours too and are
//! refused without a list of what was seen: memory use does not grow with the
//! number of files.
//!
//! A path unpacks on every common system, and as the same files: which names beyond
//! ASCII are one, by case or by Unicode normal form, is another question on every disk.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

mod path;

use path::Conflict;
pub use path::{ArchivePath, COMPONENT_BYTES_MAX, DEPTH_MAX, PATH_BYTES_MAX, PathError};

/// First bytes of an archive.
pub const MAGIC: &[u8; 14] = b"lode/archive/1";

/// Bytes of the length of a path, which is 0 at the end.
const PATH_LEN_BYTES: usize = 2;

/// Bytes of the length of a file.
const FILE_LEN_BYTES: usize = 8;

/// What a reader accepts. A length is checked before its file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most files.
    pub files_max: u64,
    /// Most bytes of one file.
    pub file_bytes_max: u64,
    /// Most bytes of all files together.
    pub total_bytes_max: u64,
}

/// Why an archive was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The bytes are no archive of this format.
    #[error("these bytes do not begin as an archive")]
    Magic,
    /// The archive ends early.
    #[error("the archive ends early, at byte {offset}")]
    Truncated {
        /// Where it ends.
        offset: u64,
    },
    /// Bytes follow the end.
    #[error("bytes follow the end of the archive, at byte {offset}")]
    Trailing {
        /// Where they begin.
        offset: u64,
    },
    /// A path is refused.
    #[error("the path at byte {offset}: {error}")]
    Path {
        /// Where the path begins.
        offset: u64,
        /// What is wrong with it.
        error: PathError,
    },
    /// A path is not greater than the one before it.
    #[error("{path} does not come after {previous}")]
    Order {
        /// Where the path begins.
        offset: u64,
        /// The path before it.
        previous: ArchivePath,
        /// The path.
        path: ArchivePath,
    },
    /// Two paths, or folders of theirs, differ only by the case of ASCII letters.
    #[error("{path} and {previous} are one place where case is not told apart")]
    Case {
        /// Where the path begins.
        offset: u64,
        /// The path before it.
        previous: ArchivePath,
        /// The path.
        path: ArchivePath,
    },
    /// A file is also the folder of another.
    #[error("{previous} is a file and the folder of {path}")]
    FileIsFolder {
        /// Where the path begins.
        offset: u64,
        /// The file.
        previous: ArchivePath,
        /// The path below it.
        path: ArchivePath,
    },
    /// There are more files than the limit.
    #[error("more than {files_max} files")]
    TooManyFiles {
        /// Where the path begins.
        offset: u64,
        /// The limit.
        files_max: u64,
    },
    /// A file is longer than the limit.
    #[error("{path} has {size_bytes} bytes, and a file has at most {file_bytes_max}")]
    FileTooLong {
        /// Where the path begins.
        offset: u64,
        /// The file.
        path: ArchivePath,
        /// Its declared length.
        size_bytes: u64,
        /// The limit.
        file_bytes_max: u64,
    },
    /// All files together are longer than the limit.
    #[error("with {path} the files have more than {total_bytes_max} bytes together")]
    TotalTooLong {
        /// Where the path begins.
        offset: u64,
        /// The file that broke the limit.
        path: ArchivePath,
        /// The limit.
        total_bytes_max: u64,
    },
    /// A file had another length, when it was written, than was said first.
    #[error("{path} was said to have {declared} bytes and has {found}")]
    WrittenLength {
        /// The file.
        path: ArchivePath,
        /// The length said first.
        declared: u64,
        /// The length found, or one more than declared where reading stopped.
        found: u64,
    },
}

impl ArchiveError {
    /// The stable code of a fault of the bytes, in snake case; none where
    /// reading or writing failed, which is nobody's fault.
    pub const fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io(_) | Self::WrittenLength { .. } => return None,
            Self::Magic => "archive_magic",
            Self::Truncated { .. } => "archive_truncated",
            Self::Trailing { .. } => "archive_trailing",
            Self::Path { .. } => "archive_path",
            Self::Order { .. } => "archive_order",
            Self::Case { .. } => "archive_case",
            Self::FileIsFolder { .. } => "archive_file_is_folder",
            Self::TooManyFiles { .. } => "archive_files",
            Self::FileTooLong { .. } => "archive_file_too_long",
            Self::TotalTooLong { .. } => "archive_too_long",
        })
    }

    /// Where the fault is, in bytes from the beginning of the archive: the end
    /// that came too early, what follows the end, or where a path begins.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Io(_) | Self::WrittenLength { .. } | Self::Magic => 0,
            Self::Truncated { offset }
            | Self::Trailing { offset }
            | Self::Path { offset, .. }
            | Self::Order { offset, .. }
            | Self::Case { offset, .. }
            | Self::FileIsFolder { offset, .. }
            | Self::TooManyFiles { offset, .. }
            | Self::FileTooLong { offset, .. }
            | Self::TotalTooLong { offset, .. } => *offset,
        }
    }
}

/// The length in bytes of an archive of files whose paths have these lengths and
/// whose contents have so many bytes together; saturates.
pub fn archive_len(path_bytes: impl IntoIterator<Item = usize>, content_bytes: u64) -> u64 {
    let frame = |path_bytes: usize| (PATH_LEN_BYTES + path_bytes + FILE_LEN_BYTES) as u64;
    let frames: u64 = path_bytes.into_iter().map(frame).sum();
    (MAGIC.len() as u64 + PATH_LEN_BYTES as u64)
        .saturating_add(frames)
        .saturating_add(content_bytes)
}

/// Checks that `path`, which begins at byte `offset`, may follow `previous`.
fn check_order(
    previous: Option<&ArchivePath>,
    path: &ArchivePath,
    offset: u64,
) -> Result<(), ArchiveError> {
    let Some(previous) = previous else {
        return Ok(());
    };
    let (previous, path) = (previous.clone(), path.clone());
    if previous >= path {
        return Err(ArchiveError::Order {
            offset,
            previous,
            path,
        });
    }
    match previous.conflict(&path) {
        None => Ok(()),
        Some(Conflict::Case) => Err(ArchiveError::Case {
            offset,
            previous,
            path,
        }),
        Some(Conflict::FileIsFolder) => Err(ArchiveError::FileIsFolder {
            offset,
            previous,
            path,
        }),
    }
}

/// Writes an archive file by file, in ascending order of paths.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    offset: u64,
    previous: Option<ArchivePath>,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn new(mut out: W) -> Result<Self, ArchiveError> {
        out.write_all(MAGIC)?;
        Ok(Self {
            out,
            offset: MAGIC.len() as u64,
            previous: None,
        })
    }

    /// Writes a file of `size_bytes` bytes, read from `content`. After an error
    /// what was written is no archive.
    ///
    /// # Errors
    ///
    /// Reading or writing fails, the path does not come after the one before or
    /// cannot stand beside it, or `content` has another length.
    pub fn file(
        &mut self,
        path: &ArchivePath,
        size_bytes: u64,
        mut content: impl Read,
    ) -> Result<(), ArchiveError> {
        check_order(self.previous.as_ref(), path, self.offset + 2)?;
        // At most PATH_BYTES_MAX.
        let path_len = path.as_str().len() as u16;
        self.out.write_all(&path_len.to_le_bytes())?;
        self.out.write_all(path.as_str().as_bytes())?;
        self.out.write_all(&size_bytes.to_le_bytes())?;
        let mut found = io::copy(&mut (&mut content).take(size_bytes), &mut self.out)?;
        if found == size_bytes {
            found += io::copy(&mut content.take(1), &mut io::sink())?;
        }
        if found != size_bytes {
            return Err(ArchiveError::WrittenLength {
                path: path.clone(),
                declared: size_bytes,
                found,
            });
        }
        self.offset += 2 + u64::from(path_len) + 8 + size_bytes;
        self.previous = Some(path.clone());
        Ok(())
    }

    /// Ends the archive and gives the writer back, flushed.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        self.out.write_all(&[0, 0])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The archive of these files.
///
/// # Errors
///
/// Two paths cannot stand beside each other.
pub fn encode(files: &BTreeMap<ArchivePath, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let mut writer = Writer::new(Vec::new())?;
    for (path, content) in files {
        writer.file(path, content.len() as u64, content.as_slice())?;
    }
    writer.finish()
}

/// The files of an archive that fits into memory.
///
/// # Errors
///
/// The archive is not canonical or breaks a limit.
pub fn decode(
    bytes: &[u8],
    limits: Limits,
) -> Result<BTreeMap<ArchivePath, Vec<u8>>, ArchiveError> {
    let mut reader = Reader::new(bytes, limits)?;
    let mut files = BTreeMap::new();
    while let Some(mut entry) = reader.next_entry()? {
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(entry.path().clone(), content);
    }
    Ok(files)
}

/// Reads an archive file by file.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    limits: Limits,
    offset: u64,
    previous: Option<ArchivePath>,
    files: u64,
    total_bytes: u64,
    /// Bytes of the present file that are still to come.
    left: u64,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read an archive.
    ///
    /// # Errors
    ///
    /// Reading fails, or these bytes are no archive.
    pub fn new(source: R, limits: Limits) -> Result<Self, ArchiveError> {
        let mut reader = Self {
            source,
            limits,
            offset: 0,
            previous: None,
            files: 0,
            total_bytes: 0,
            left: 0,
            done: false,
        };
        match reader.array() {
            Ok(magic) if magic == *MAGIC => Ok(reader),
            Ok(_) | Err(ArchiveError::Truncated { .. }) => Err(ArchiveError::Magic),
            Err(error) => Err(error),
        }
    }

    /// The next file; none after the last, once it is sure that nothing follows.
    /// What was not read of the file before is passed over.
    ///
    /// # Errors
    ///
    /// Reading fails, or the archive is not canonical, ends early or breaks a
    /// limit. After an error there is nothing more.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, R>>, ArchiveError> {
        if self.done {
            return Ok(None);
        }
        self.done = true;
        self.skip()?;
        let path_len = u16::from_le_bytes(self.array()?);
        if path_len == 0 {
            self.end()?;
            return Ok(None);
        }
        let offset = self.offset;
        let path = self.path(usize::from(path_len))?;
        check_order(self.previous.as_ref(), &path, offset)?;
        let size_bytes = u64::from_le_bytes(self.array()?);
        self.count(&path, offset, size_bytes)?;
        self.left = size_bytes;
        self.done = false;
        Ok(Some(Entry {
            path: self.previous.insert(path),
            size_bytes,
            source: &mut self.source,
            offset: &mut self.offset,
            left: &mut self.left,
        }))
    }

    fn path(&mut self, len: usize) -> Result<ArchivePath, ArchiveError> {
        let offset = self.offset;
        if len > PATH_BYTES_MAX {
            return Err(ArchiveError::Path {
                offset,
                error: PathError::TooLong(len),
            });
        }
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        std::str::from_utf8(&bytes)
            .map_err(|_| PathError::NotAscii)
            .and_then(ArchivePath::parse)
            .map_err(|error| ArchiveError::Path { offset, error })
    }

    fn count(
        &mut self,
        path: &ArchivePath,
        offset: u64,
        size_bytes: u64,
    ) -> Result<(), ArchiveError> {
        let Limits {
            files_max,
            file_bytes_max,
            total_bytes_max,
        } = self.limits;
        self.files += 1;
        if self.files > files_max {
            return Err(ArchiveError::TooManyFiles { offset, files_max });
        }
        if size_bytes > file_bytes_max {
            return Err(ArchiveError::FileTooLong {
                offset,
                path: path.clone(),
                size_bytes,
                file_bytes_max,
            });
        }
        self.total_bytes = self.total_bytes.saturating_add(size_bytes);
        if self.total_bytes > total_bytes_max {
            return Err(ArchiveError::TotalTooLong {
                offset,
                path: path.clone(),
                total_bytes_max,
            });
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<(), ArchiveError> {
        let passed = io::copy(&mut (&mut self.source).take(self.left), &mut io::sink())?;
        self.offset += passed;
        self.left -= passed;
        match self.left {
            0 => Ok(()),
            _ => Err(ArchiveError::Truncated {
                offset: self.offset,
            }),
        }
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        match io::copy(&mut (&mut self.source).take(1), &mut io::sink())? {
            0 => Ok(()),
            _ => Err(ArchiveError::Trailing {
                offset: self.offset,
            }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => {
                    return Err(ArchiveError::Truncated {
                        offset: self.offset,
                    });
                }
                Ok(len) => {
                    filled += len;
                    self.offset += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// One file of an archive that is being read; as a [`Read`] it gives the content.
///
/// Where the archive ends inside the file, reading fails with
/// [`io::ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct Entry<'a, R> {
    path: &'a ArchivePath,
    size_bytes: u64,
    source: &'a mut R,
    offset: &'a mut u64,
    left: &'a mut u64,
}

impl<R> Entry<'_, R> {
    /// The file's path.
    pub fn path(&self) -> &ArchivePath {
        self.path
    }

    /// The file's length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl<R: Read> Read for Entry<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (&mut *self.source).take(*self.left).read(buffer)?;
        if len == 0 && *self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                ArchiveError::Truncated {
                    offset: *self.offset,
                },
            ));
        }
        *self.left -= len as u64;
        *self.offset += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
