//! Everything that can be wrong with a data-set folder.

use std::io;

use protocol::BlobId;
use protocol::archive::{ArchiveError, PathError};
use protocol::json::JsonError;

use crate::manifest::{MANIFEST_FILE, MANIFEST_VERSION};
use crate::{CsvError, IdxError};

/// Why a folder is not a data set, or not the one that its manifest describes.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// What was read or written.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// There is no manifest.
    #[error("{0} has no {MANIFEST_FILE}: this folder is not a data set")]
    NoManifest(String),
    /// The manifest is not the JSON it should be.
    #[error("{MANIFEST_FILE}: {0}")]
    ManifestJson(#[source] JsonError),
    /// A manifest of a version that this build does not know.
    #[error("{MANIFEST_FILE}: version {0} is unknown here, this build reads {MANIFEST_VERSION}")]
    Version(u32),
    /// A number or a count out of range.
    #[error("{MANIFEST_FILE}: '{field}' is {value} and must be from {min} to {max}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value, or how many it holds.
        value: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A path that could lead out of the folder, or that is no file name everywhere.
    #[error("{path:?} cannot name a file of a data set: {error}")]
    Path {
        /// The path, shortened.
        path: String,
        /// What is wrong with it.
        #[source]
        error: PathError,
    },
    /// A file listed twice, or the manifest in its own list.
    #[error("{MANIFEST_FILE}: '{0}' is listed twice, or is the manifest itself")]
    ListedTwice(String),
    /// Two listed files, or one and the manifest, that no archive holds beside each other: some file
    /// systems take them for one place.
    #[error("{MANIFEST_FILE}: '{path}' cannot be listed: {error}")]
    Conflict {
        /// The later of the two, in the order of paths.
        path: String,
        /// Which two they are.
        #[source]
        error: ArchiveError,
    },
    /// More bytes than a data set may have.
    #[error("with '{path}' the data set has {size_bytes} bytes, the limit is {limit_bytes}")]
    TooLarge {
        /// The file that broke the limit.
        path: String,
        /// Bytes up to and with it.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A listed file is not there.
    #[error("'{0}' is listed in {MANIFEST_FILE} and is not in the folder")]
    Missing(String),
    /// A link, a folder, a device or the like where a file should be.
    #[error("'{0}' is not a regular file: links and special files are not read")]
    NotAFile(String),
    /// A file that the manifest does not list.
    #[error("'{0}' is not listed in {MANIFEST_FILE}: list it or remove it")]
    Unlisted(String),
    /// The folder has too many entries to be a data set.
    #[error("the folder has more than {0} files and folders, which is the limit")]
    TooManyEntries(usize),
    /// A file has another size than listed.
    #[error("'{path}' has {found} bytes and {MANIFEST_FILE} lists {listed}: it was changed or cut")]
    Size {
        /// The file.
        path: String,
        /// Bytes listed.
        listed: u64,
        /// Bytes found; one more than listed where reading stopped.
        found: u64,
    },
    /// A file has other bytes than listed.
    #[error("'{path}' has the digest {found} and {MANIFEST_FILE} lists {listed}: it was changed")]
    Digest {
        /// The file.
        path: String,
        /// Digest listed.
        listed: BlobId,
        /// Digest found.
        found: BlobId,
    },
    /// The files have another number of rows than listed.
    #[error("the files have {found} rows{} and {MANIFEST_FILE} says {listed}", if found > listed { " at least" } else { "" })]
    Rows {
        /// Rows listed.
        listed: u64,
        /// Rows found; of more than are listed not all are counted.
        found: u64,
    },
    /// A file is not the CSV that the manifest describes.
    #[error("'{path}', {error}")]
    Csv {
        /// The file.
        path: String,
        /// What is wrong with it, and where.
        #[source]
        error: CsvError,
    },
    /// A file is not the IDX that the manifest describes.
    #[error("'{path}': {error}")]
    Idx {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        error: IdxError,
    },
    /// A file that the format names is not in the list of files.
    #[error("{MANIFEST_FILE}: the format names {0:?}, which 'files' does not list")]
    NotListed(String),
    /// A folder to be written has something in it.
    #[error("{0} is not empty: name a new folder")]
    NotEmpty(String),
}

impl DatasetError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::NoManifest(_) => "no_manifest",
            Self::ManifestJson(_) => "manifest_json",
            Self::Version(_) => "manifest_version",
            Self::Field { .. } => "manifest_field",
            Self::Path { .. } => "unsafe_path",
            Self::ListedTwice(_) => "listed_twice",
            Self::Conflict { .. } => "paths_conflict",
            Self::TooLarge { .. } => "data_too_large",
            Self::Missing(_) => "file_missing",
            Self::NotAFile(_) => "not_a_file",
            Self::Unlisted(_) => "file_unlisted",
            Self::TooManyEntries(_) => "too_many_entries",
            Self::Size { .. } => "file_size",
            Self::Digest { .. } => "file_digest",
            Self::Rows { .. } => "row_count",
            Self::Csv { error, .. } => error.code(),
            Self::Idx { error, .. } => error.code(),
            Self::NotListed(_) => "not_listed",
            Self::NotEmpty(_) => "folder_not_empty",
        }
    }
}
