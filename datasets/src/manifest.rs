//! `dataset.json`: what a data-set folder holds and how it is read.
//!
//! ```json
//! {
//!   "version": 1,
//!   "name": "Digits, training part",
//!   "attribution": "E. Alpaydin, C. Kaynak, CC BY 4.0",
//!   "license": [{"name": "License", "value": "…"}],
//!   "format": {"csv": {
//!     "header": false, "label_column": 64, "inputs": 64, "labels": {"classes": 10},
//!     "divide_inputs_by": 16
//!   }},
//!   "rows": 1437,
//!   "files": [{"path": "data.csv", "size_bytes": 210432, "blake3": "…"}]
//! }
//! ```
//!
//! `"labels": "numbers"` makes it a regression. A folder of two IDX files
//! ([`crate::idx`]) has instead:
//!
//! ```json
//! "format": {"idx": {
//!   "images": "images.idx.gz", "labels": "labels.idx.gz", "inputs": 784, "classes": 10,
//!   "divide_inputs_by": 255
//! }}
//! ```
//!
//! Strict JSON: unknown and repeated fields are refused. The rows of the data
//! set are those of the files, in the order in which the files are listed. The
//! licence's tags are carried, not judged.

use std::collections::BTreeSet;
use std::io;

use protocol::BlobId;
use protocol::ans104::Tag;
use protocol::archive::{self, ArchivePath};
use protocol::benchmark::WIDTH_MAX;
use protocol::json;
use protocol::text::{Name, Text};
use serde::{Deserialize, Serialize};

use crate::DatasetError;
use crate::labels::LabelKind;

/// The name of the manifest in its folder.
pub const MANIFEST_FILE: &str = "dataset.json";

/// The one version of the manifest there is.
pub const MANIFEST_VERSION: u32 = 1;

/// The most bytes of a manifest.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// The most files a data set has.
pub const FILES_MAX: usize = 1024;

/// The most bytes of all files of a data set together.
pub const DATA_BYTES_MAX: u64 = 1 << 30;

/// The most numbers (rows × inputs) a data set has.
pub const CELLS_MAX: u64 = 1 << 28;

/// The most tags of a licence: as many as a data item carries.
pub const LICENSE_TAGS_MAX: usize = 128;

/// The largest divisor of inputs: up to here every whole number is a binary32.
pub const DIVISOR_MAX: u32 = 1 << 24;

/// The most classes that an IDX file of labels, which are bytes, can have.
pub const IDX_CLASSES_MAX: u32 = 256;

/// Where data come from and whom to credit.
pub type Attribution = Text<2000>;

/// What a data set is called, comes from and is licensed under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What people call it.
    pub name: Name,
    /// Where it comes from and whom to credit.
    pub attribution: Attribution,
    /// The tags of its licence.
    pub license: Vec<Tag>,
}

/// The manifest of a data-set folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// What people call it.
    pub name: Name,
    /// Where it comes from and whom to credit.
    pub attribution: Attribution,
    /// The tags of its licence.
    pub license: Vec<Tag>,
    /// How the files are read.
    pub format: Format,
    /// Rows of all files together, headers not counted.
    pub rows: u64,
    /// The files; their order is the order of the rows.
    pub files: Vec<FileEntry>,
}

/// How the files of a data set are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated numbers with one column of labels.
    Csv(CsvSpec),
    /// A file of images and a file of their labels, as MNIST is published.
    Idx(IdxSpec),
}

impl Format {
    /// Numbers in one example's input.
    pub const fn inputs(&self) -> u32 {
        match self {
            Self::Csv(spec) => spec.inputs,
            Self::Idx(spec) => spec.inputs,
        }
    }

    /// What the labels are.
    pub const fn labels(&self) -> LabelKind {
        match self {
            Self::Csv(spec) => spec.labels,
            Self::Idx(spec) => LabelKind::Classes(spec.classes),
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        match self {
            Self::Csv(spec) => spec.check(),
            Self::Idx(spec) => spec.check(),
        }
    }
}

/// Two IDX files: which, and their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxSpec {
    /// The listed file of images, plain or gzip.
    pub images: String,
    /// The listed file of labels, plain or gzip.
    pub labels: String,
    /// Bytes of one image, 1 to 2^20: the product of all sizes but the first.
    pub inputs: u32,
    /// Classes, 2 to 256; labels are 0 to `classes − 1`.
    pub classes: u32,
    /// What every input is divided by, as of [`CsvSpec`].
    pub divide_inputs_by: u32,
}

impl IdxSpec {
    /// Checks the numbers against their limits.
    ///
    /// # Errors
    /// [`DatasetError::Field`] with the field at fault.
    pub fn check(&self) -> Result<(), DatasetError> {
        let fields = [
            ("inputs", self.inputs, 1u32, WIDTH_MAX),
            ("classes", self.classes, 2, IDX_CLASSES_MAX),
            ("divide_inputs_by", self.divide_inputs_by, 1, DIVISOR_MAX),
        ];
        fields.into_iter().try_for_each(|(field, value, min, max)| {
            check_field(field, value.into(), min.into(), max.into())
        })
    }
}

/// The shape and meaning of CSV files.
///
/// A row has `inputs + 1` columns: the label, and the inputs in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvSpec {
    /// Whether the first line of each file names the columns; names are not interpreted.
    pub header: bool,
    /// Which column is the label, counted from 0.
    pub label_column: u32,
    /// Numbers in one example's input, 1 to 2^20.
    pub inputs: u32,
    /// What the labels are: classes, or numbers.
    pub labels: LabelKind,
    /// What every input is divided by, 1 to 2^24: a whole number, so that it is
    /// exact in binary32 and the division rounds once.
    pub divide_inputs_by: u32,
}

/// A file of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it is in the folder: relative, '/' between components, as in an archive.
    pub path: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// The BLAKE3 root of its bytes.
    pub blake3: BlobId,
}

impl CsvSpec {
    /// Columns of a row.
    pub const fn width(&self) -> usize {
        self.inputs as usize + 1
    }

    /// Checks the numbers against each other and their limits.
    ///
    /// # Errors
    /// [`DatasetError::Field`] with the field at fault.
    pub fn check(&self) -> Result<(), DatasetError> {
        let fields = [
            ("inputs", self.inputs, 1u32, WIDTH_MAX),
            ("classes", self.labels.classes().unwrap_or(2), 2, WIDTH_MAX),
            ("label_column", self.label_column, 0, self.inputs),
            ("divide_inputs_by", self.divide_inputs_by, 1, DIVISOR_MAX),
        ];
        for (field, value, min, max) in fields {
            check_field(field, value.into(), min.into(), max.into())?;
        }
        Ok(())
    }
}

fn check_field(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), DatasetError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(DatasetError::Field {
        field,
        value,
        min,
        max,
    })
}

impl Manifest {
    /// Reads and checks the bytes of a `dataset.json`.
    ///
    /// # Errors
    /// [`DatasetError`] if it is not such JSON, or says what cannot be.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DatasetError> {
        let manifest: Self = json::from_slice_by_name(bytes, MANIFEST_BYTES_MAX)
            .map_err(DatasetError::ManifestJson)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes of its `dataset.json`: fields in their order, indented, a line break at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("a manifest has string keys and no floats");
        bytes.push(b'\n');
        bytes
    }

    /// Numbers in one example's input.
    pub const fn inputs(&self) -> u32 {
        self.format.inputs()
    }

    /// What the labels are.
    pub const fn labels(&self) -> LabelKind {
        self.format.labels()
    }

    /// Checks what the types do not say: version, ranges, counts, sizes, paths.
    ///
    /// # Errors
    /// [`DatasetError`] with the value at fault.
    pub fn check(&self) -> Result<(), DatasetError> {
        if self.version != MANIFEST_VERSION {
            return Err(DatasetError::Version(self.version));
        }
        self.format.check()?;
        let rows_max = CELLS_MAX / u64::from(self.inputs());
        check_field("rows", self.rows, 1, rows_max)?;
        check_field(
            "license",
            self.license.len() as u64,
            0,
            LICENSE_TAGS_MAX as u64,
        )?;
        check_field("files", self.files.len() as u64, 1, FILES_MAX as u64)?;
        let mut paths = BTreeSet::from([manifest_path()]);
        let mut total: u64 = 0;
        for file in &self.files {
            if !paths.insert(file.archive_path()?) {
                return Err(DatasetError::ListedTwice(file.path.clone()));
            }
            total = total.saturating_add(file.size_bytes);
            if total > DATA_BYTES_MAX {
                let (path, limit_bytes) = (file.path.clone(), DATA_BYTES_MAX);
                return Err(DatasetError::TooLarge {
                    path,
                    size_bytes: total,
                    limit_bytes,
                });
            }
        }
        check_together(&paths)?;
        match &self.format {
            Format::Csv(_) => Ok(()),
            Format::Idx(spec) => self.check_idx(spec),
        }
    }

    /// The two files that the format names are the two that are listed.
    fn check_idx(&self, spec: &IdxSpec) -> Result<(), DatasetError> {
        check_field("files", self.files.len() as u64, 2, 2)?;
        if spec.images == spec.labels {
            return Err(DatasetError::ListedTwice(spec.images.clone()));
        }
        let listed = |path: &str| self.files.iter().any(|file| file.path == path);
        match [&spec.images, &spec.labels]
            .into_iter()
            .find(|path| !listed(path))
        {
            Some(path) => Err(DatasetError::NotListed(path.chars().take(80).collect())),
            None => Ok(()),
        }
    }
}

fn manifest_path() -> ArchivePath {
    ArchivePath::parse(MANIFEST_FILE).expect("a plain name is a path")
}

/// That an archive holds all of these: where two names are one file, its rows
/// would count twice.
fn check_together(paths: &BTreeSet<ArchivePath>) -> Result<(), DatasetError> {
    let conflict = |path: &ArchivePath, error| DatasetError::Conflict {
        path: path.to_string(),
        error,
    };
    // What an archive of empty files refuses, an archive of these would.
    let mut archive =
        archive::Writer::new(io::sink()).map_err(|error| conflict(&manifest_path(), error))?;
    paths.iter().try_for_each(|path| {
        let written = archive.file(path, 0, io::empty());
        written.map_err(|error| conflict(path, error))
    })
}

impl FileEntry {
    /// The path, if it is one that stays in the folder.
    pub(crate) fn archive_path(&self) -> Result<ArchivePath, DatasetError> {
        ArchivePath::parse(&self.path).map_err(|error| DatasetError::Path {
            path: self.path.chars().take(80).collect(),
            error,
        })
    }
}

#[cfg(test)]
mod tests;
