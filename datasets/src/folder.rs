//! Safe reading of a folder's listed files; verify, describe, load, write.
//!
//! Only regular files that the manifest lists are read, below folders that are
//! no links. A file that is not listed is refused, because whoever packs,
//! seals or publishes the folder would carry it unseen; and the names in the
//! folder are those of the list to the byte, whatever the disk takes for one
//! name. Sizes are compared before a file is read, and what is parsed is what
//! was hashed: a file is read once. The folder itself may be reached through a
//! link: that is its owner's.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use protocol::BlobId;
use protocol::archive::ArchivePath;

use crate::idx::{self, IdxArray, IdxKind, is_gzip};
use crate::manifest::{
    About, CELLS_MAX, CsvSpec, DATA_BYTES_MAX, FILES_MAX, FileEntry, Format, IdxSpec,
    MANIFEST_BYTES_MAX, MANIFEST_FILE, MANIFEST_VERSION, Manifest,
};
use crate::table::TableBuilder;
use crate::{CsvError, CsvText, DatasetError, IdxError, Table};

/// The name of the one file of rows in a folder that [`write_folder`] makes.
pub const DATA_FILE: &str = "data.csv";

/// The name of the images in a folder that [`write_idx_folder`] makes; `.gz` follows if they are gzip.
pub const IMAGES_FILE: &str = "images.idx";

/// The name of the labels in such a folder; `.gz` follows if they are gzip.
pub const LABELS_FILE: &str = "labels.idx";

/// The most files and folders that are looked at to find what is not listed.
pub const ENTRIES_MAX: usize = 4 * FILES_MAX;

/// Reads a data-set folder: its manifest, and its rows once every file is
/// verified.
///
/// # Errors
/// [`DatasetError`] if the folder is not exactly what its manifest says.
pub fn load(dir: &Path) -> Result<(Manifest, Table), DatasetError> {
    let manifest = Manifest::load(dir)?;
    let table = manifest.load_rows(dir)?;
    Ok((manifest, table))
}

fn load_csv(dir: &Path, manifest: &Manifest, spec: &CsvSpec) -> Result<Table, DatasetError> {
    let mut builder = TableBuilder::new(*spec);
    for file in &manifest.files {
        let bytes = read_listed(dir, file)?;
        let left = manifest.rows.saturating_sub(builder.rows() as u64);
        let text = CsvText::read_at_most(&bytes, spec, left).map_err(csv_at(&file.path))?;
        // Before any number of it is kept: no more is held than the manifest says.
        check_rows(manifest, builder.rows() + text.rows().len(), false)?;
        builder.add_text(&text).map_err(csv_at(&file.path))?;
    }
    Ok(builder.finish())
}

fn load_idx(dir: &Path, manifest: &Manifest, spec: &IdxSpec) -> Result<Table, DatasetError> {
    let read = |path: &str, kind, cells_max| {
        let file = manifest.files.iter().find(|file| file.path == path);
        let file = file.expect("a checked manifest lists the files that its format names");
        IdxArray::read(&read_listed(dir, file)?, kind, cells_max).map_err(idx_at(path))
    };
    // The labels first: they are small. No more is unpacked than the manifest says.
    let labels = read(&spec.labels, IdxKind::Labels, manifest.rows)?;
    let images_max = manifest.rows.saturating_mul(spec.inputs.into());
    let images = read(&spec.images, IdxKind::Images, images_max)?;
    table_of(&images, &labels, spec)
}

/// The table of two arrays; a fault is of the file that it is in.
fn table_of(images: &IdxArray, labels: &IdxArray, spec: &IdxSpec) -> Result<Table, DatasetError> {
    idx::to_table(images, labels, spec).map_err(|error| {
        let path = match error {
            IdxError::Label { .. } | IdxError::Rows { .. } => &spec.labels,
            _ => &spec.images,
        };
        idx_at(path)(error)
    })
}

/// A fault of that file, unless it was the machine that failed.
fn idx_at(path: &str) -> impl FnOnce(IdxError) -> DatasetError {
    let path = path.to_owned();
    move |error| match error {
        IdxError::OutOfMemory => DatasetError::Io {
            path,
            error: io::ErrorKind::OutOfMemory.into(),
        },
        error => DatasetError::Idx { path, error },
    }
}

fn csv_at(path: &str) -> impl FnOnce(CsvError) -> DatasetError {
    let path = path.to_owned();
    move |error| DatasetError::Csv { path, error }
}

/// The rows of a data-set folder: [`load`] without the manifest.
///
/// # Errors
/// [`DatasetError`] as there.
pub fn load_table(dir: &Path) -> Result<Table, DatasetError> {
    load(dir).map(|(_, table)| table)
}

/// Makes a data-set folder of one file, [`DATA_FILE`], with these lines exactly
/// as they are. `dir` is made if it is not there, and must be empty. The
/// manifest is written last, so that half a folder is not a data set.
///
/// # Errors
/// [`DatasetError`] if the rows are not what `spec` describes (nothing is
/// written then), the folder is not empty, or the file system says no.
pub fn write_folder(
    dir: &Path,
    about: &About,
    spec: &CsvSpec,
    text: &CsvText<'_>,
) -> Result<Manifest, DatasetError> {
    let bytes = text.to_bytes();
    let mut builder = TableBuilder::new(*spec);
    spec.check()?;
    add_csv(&mut builder, DATA_FILE, &bytes)?;
    write_files(
        dir,
        about,
        Format::Csv(*spec),
        builder.rows(),
        &[(DATA_FILE, &bytes)],
    )
}

/// Makes a data-set folder of two IDX files, plain or gzip, with these bytes
/// exactly as they are; otherwise as [`write_folder`]. Labels are classes.
///
/// # Errors
/// As [`write_folder`].
pub fn write_idx_folder(
    dir: &Path,
    about: &About,
    classes: u32,
    divide_inputs_by: u32,
    images: &[u8],
    labels: &[u8],
) -> Result<Manifest, DatasetError> {
    let name = |name: &str, bytes| match is_gzip(bytes) {
        true => format!("{name}.gz"),
        false => name.to_owned(),
    };
    let mut spec = IdxSpec {
        images: name(IMAGES_FILE, images),
        labels: name(LABELS_FILE, labels),
        inputs: 1,
        classes,
        divide_inputs_by,
    };
    let read =
        |path: &str, bytes, kind| IdxArray::read(bytes, kind, CELLS_MAX).map_err(idx_at(path));
    let image_array = read(&spec.images, images, IdxKind::Images)?;
    let label_array = read(&spec.labels, labels, IdxKind::Labels)?;
    // One too wide for 32 bits is too wide for the manifest, which says so.
    spec.inputs = u32::try_from(image_array.row_bytes()).unwrap_or(u32::MAX);
    spec.check()?;
    let rows = table_of(&image_array, &label_array, &spec)?.rows();
    let files = [(spec.images.clone(), images), (spec.labels.clone(), labels)];
    let files = files
        .each_ref()
        .map(|(path, bytes)| (path.as_str(), *bytes));
    write_files(dir, about, Format::Idx(spec), rows, &files)
}

/// Writes the files of a folder that is not there, or is empty, and then its manifest.
fn write_files(
    dir: &Path,
    about: &About,
    format: Format,
    rows: usize,
    files: &[(&str, &[u8])],
) -> Result<Manifest, DatasetError> {
    let entry = |&(path, bytes): &(&str, &[u8])| FileEntry {
        path: path.into(),
        size_bytes: bytes.len() as u64,
        blake3: BlobId(*blake3::hash(bytes).as_bytes()),
    };
    let manifest = manifest(about, format, rows, files.iter().map(entry).collect())?;
    fs::create_dir_all(dir).map_err(io_at(dir))?;
    if fs::read_dir(dir).map_err(io_at(dir))?.next().is_some() {
        return Err(DatasetError::NotEmpty(dir.display().to_string()));
    }
    for (path, bytes) in files {
        let place = dir.join(path);
        fs::write(&place, bytes).map_err(io_at(&place))?;
    }
    manifest.write(dir)?;
    Ok(manifest)
}

impl Manifest {
    /// Reads and checks the manifest of a folder; the files are not looked at.
    ///
    /// # Errors
    /// [`DatasetError`] if there is none, or it says what cannot be.
    pub fn load(dir: &Path) -> Result<Self, DatasetError> {
        let path = dir.join(MANIFEST_FILE);
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DatasetError::NoManifest(dir.display().to_string()));
            }
            other => other.map_err(io_at(&path))?,
        };
        if !metadata.is_file() {
            return Err(DatasetError::NotAFile(MANIFEST_FILE.into()));
        }
        // One byte more than the limit is enough for the parser to refuse it.
        let bytes = read_at_most(&path, MANIFEST_BYTES_MAX as u64 + 1)?;
        Self::from_json(&bytes)
    }

    /// Reads the rows of its folder, once every file is verified. Whoever has
    /// limits of their own holds them against the manifest before: `rows` and
    /// [`Manifest::inputs`] bound what is unpacked and kept.
    ///
    /// # Errors
    /// [`DatasetError`] if the folder is not exactly what this says.
    pub fn load_rows(&self, dir: &Path) -> Result<Table, DatasetError> {
        self.check()?;
        check_listed(dir, self)?;
        let table = match &self.format {
            Format::Csv(spec) => load_csv(dir, self, spec)?,
            Format::Idx(spec) => load_idx(dir, self, spec)?,
        };
        check_rows(self, table.rows(), true)?;
        Ok(table)
    }

    /// Makes the manifest of a folder of CSV files: lists every file in it
    /// (other than a manifest) in the order of their paths, with size and digest,
    /// and counts the rows by reading them.
    ///
    /// # Errors
    /// [`DatasetError`] if a file is not the CSV that `spec` describes, is no
    /// regular file, or there are too many or too large ones.
    pub fn describe(dir: &Path, about: &About, spec: &CsvSpec) -> Result<Self, DatasetError> {
        spec.check()?;
        let mut builder = TableBuilder::new(*spec);
        let mut files = Vec::new();
        let mut total = 0;
        for path in walk(dir, ENTRIES_MAX)? {
            let (place, metadata) = regular_file(dir, &path)?;
            total += metadata.len();
            if total > DATA_BYTES_MAX {
                let (path, limit_bytes) = (path.to_string(), DATA_BYTES_MAX);
                return Err(DatasetError::TooLarge {
                    path,
                    size_bytes: total,
                    limit_bytes,
                });
            }
            let bytes = read_exactly(&place, path.as_str(), metadata.len())?;
            add_csv(&mut builder, path.as_str(), &bytes)?;
            files.push(FileEntry {
                path: path.to_string(),
                size_bytes: metadata.len(),
                blake3: BlobId(*blake3::hash(&bytes).as_bytes()),
            });
        }
        manifest(about, Format::Csv(*spec), builder.rows(), files)
    }

    /// Writes the manifest into its folder, over an older one.
    ///
    /// # Errors
    /// [`DatasetError`] if it says what cannot be, a link or a folder is in its
    /// place, or the file system says no.
    pub fn write(&self, dir: &Path) -> Result<(), DatasetError> {
        self.check()?;
        let path = dir.join(MANIFEST_FILE);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {
                Err(DatasetError::NotAFile(MANIFEST_FILE.into()))
            }
            _ => fs::write(&path, self.to_json()).map_err(io_at(&path)),
        }
    }

    /// Checks that the folder holds exactly the listed files, each with its
    /// size and digest. Rows are not read.
    ///
    /// # Errors
    /// [`DatasetError`] that names the file.
    pub fn verify(&self, dir: &Path) -> Result<(), DatasetError> {
        self.check()?;
        check_listed(dir, self)?;
        self.files
            .iter()
            .try_for_each(|file| read_listed(dir, file).map(drop))
    }
}

fn manifest(
    about: &About,
    format: Format,
    rows: usize,
    files: Vec<FileEntry>,
) -> Result<Manifest, DatasetError> {
    let About {
        name,
        attribution,
        license,
    } = about.clone();
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        name,
        attribution,
        license,
        format,
        rows: rows as u64,
        files,
    };
    manifest.check()?;
    Ok(manifest)
}

fn add_csv(builder: &mut TableBuilder, path: &str, bytes: &[u8]) -> Result<(), DatasetError> {
    builder.add_file(bytes).map_err(csv_at(path))
}

/// Rows never pass the listed number while files are read, and equal it at the end.
fn check_rows(manifest: &Manifest, rows: usize, all_read: bool) -> Result<(), DatasetError> {
    let (listed, found) = (manifest.rows, rows as u64);
    if found > listed || (all_read && found != listed) {
        return Err(DatasetError::Rows { listed, found });
    }
    Ok(())
}

/// Reads a listed file and checks its size, before and after, and its digest.
fn read_listed(dir: &Path, file: &FileEntry) -> Result<Vec<u8>, DatasetError> {
    let path = file.archive_path()?;
    let (place, metadata) = regular_file(dir, &path)?;
    let (listed, found) = (file.size_bytes, metadata.len());
    if listed != found {
        return Err(DatasetError::Size {
            path: file.path.clone(),
            listed,
            found,
        });
    }
    let bytes = read_exactly(&place, path.as_str(), listed)?;
    let found = BlobId(*blake3::hash(&bytes).as_bytes());
    if found != file.blake3 {
        return Err(DatasetError::Digest {
            path: file.path.clone(),
            listed: file.blake3,
            found,
        });
    }
    Ok(bytes)
}

/// The place of a regular file that is reached through folders only.
fn regular_file(dir: &Path, path: &ArchivePath) -> Result<(PathBuf, Metadata), DatasetError> {
    let mut place = dir.to_path_buf();
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        place.push(component);
        let metadata = match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DatasetError::Missing(path.to_string()));
            }
            other => other.map_err(io_at(&place))?,
        };
        if components.peek().is_none() && metadata.is_file() {
            return Ok((place, metadata));
        }
        if components.peek().is_none() || !metadata.is_dir() {
            break;
        }
    }
    Err(DatasetError::NotAFile(path.to_string()))
}

/// Reads a file that has just been seen to have so many bytes, and still must.
fn read_exactly(place: &Path, path: &str, size_bytes: u64) -> Result<Vec<u8>, DatasetError> {
    let bytes = read_at_most(place, size_bytes + 1)?;
    let found = bytes.len() as u64;
    if found != size_bytes {
        return Err(DatasetError::Size {
            path: path.into(),
            listed: size_bytes,
            found,
        });
    }
    Ok(bytes)
}

fn read_at_most(place: &Path, limit_bytes: u64) -> Result<Vec<u8>, DatasetError> {
    let mut bytes = Vec::new();
    let file = File::open(place).map_err(io_at(place))?;
    file.take(limit_bytes)
        .read_to_end(&mut bytes)
        .map_err(io_at(place))?;
    Ok(bytes)
}

/// Refuses a folder whose files have not exactly the names that the manifest lists.
fn check_listed(dir: &Path, manifest: &Manifest) -> Result<(), DatasetError> {
    let listed = manifest.files.iter().map(FileEntry::archive_path);
    let listed: BTreeSet<ArchivePath> = listed.collect::<Result<_, _>>()?;
    let found: BTreeSet<ArchivePath> = walk(dir, ENTRIES_MAX)?.into_iter().collect();
    if let Some(path) = found.difference(&listed).next() {
        return Err(DatasetError::Unlisted(path.to_string()));
    }
    match listed.difference(&found).next() {
        // A disk that takes two spellings for one name may open it all the same.
        Some(path) => Err(regular_file(dir, path)
            .err()
            .unwrap_or_else(|| DatasetError::Missing(path.to_string()))),
        None => Ok(()),
    }
}

/// Everything in a folder that is no folder, but its manifest, in the order of
/// the paths. Folders count as entries too, empty ones included.
fn walk(dir: &Path, entries_max: usize) -> Result<Vec<ArchivePath>, DatasetError> {
    let mut files = Vec::new();
    let mut folders = vec![(dir.to_path_buf(), String::new())];
    let mut entries_seen = 0;
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let entry = entry.map_err(io_at(&folder))?;
            entries_seen += 1;
            if entries_seen > entries_max {
                return Err(DatasetError::TooManyEntries(entries_max));
            }
            // What is no text has a character in it that no path has.
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if path == MANIFEST_FILE {
                continue;
            }
            let parsed = match ArchivePath::parse(&path) {
                Ok(parsed) => parsed,
                Err(error) => return Err(DatasetError::Path { path, error }),
            };
            if entry.file_type().map_err(io_at(&folder))?.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                files.push(parsed);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    move |error| DatasetError::Io {
        path: path.display().to_string(),
        error,
    }
}

#[cfg(test)]
mod tests;
