//! Folders and their canonical archives: the walk on disk that `protocol` leaves to others.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use protocol::archive::{ArchiveError, ArchivePath, Limits, Reader, Writer};
use protocol::record::BlobRef;

use crate::failure::Failure;

/// What an archive from elsewhere may hold.
pub const LIMITS: Limits = Limits {
    files_max: 10_000,
    file_bytes_max: 64 << 30,
    total_bytes_max: 64 << 30,
};

/// What is wrong with an archive: the same for everyone who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFault {
    /// The stable code.
    pub code: &'static str,
    /// Where: bytes from the beginning of the archive.
    pub offset: u64,
    /// A sentence for people.
    pub message: String,
}

impl fmt::Display for ArchiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Which files of an archive are written.
pub type Belongs<'a> = &'a mut dyn FnMut(&ArchivePath) -> bool;

/// Why an archive was not unpacked.
#[derive(Debug)]
pub enum UnpackError {
    /// The archive is not canonical, or beyond the limits: the maker's fault.
    Archive(ArchiveFault),
    /// The system would not read or write: nobody's fault.
    Io(Failure),
}

/// Writes the canonical archive of a folder: regular files in order, nothing else.
///
/// # Errors
/// A link, device or odd name inside, or the system's refusal.
pub fn pack<W: Write>(dir: &Path, out: W) -> Result<W, Failure> {
    let mut files = BTreeMap::new();
    list(dir, "", &mut files)?;
    let bad = |path: &Path, error| match error {
        ArchiveError::Io(error) => {
            let message = format_args!("{}, on the way into an archive: {error}", path.display());
            Failure::new(
                "archive_io",
                message,
                "check the room for temporary files (TMPDIR)",
            )
        }
        fault => {
            let message = format_args!("{}: {fault}", path.display());
            Failure::new(
                "archive",
                message,
                "rename or remove that file and try again",
            )
        }
    };
    let mut archive = Writer::new(out).map_err(|error| bad(dir, error))?;
    for (path, (file, size_bytes)) in &files {
        let content = File::open(file).map_err(|error| Failure::io(file, &error))?;
        archive
            .file(path, *size_bytes, content)
            .map_err(|error| bad(file, error))?;
    }
    archive.finish().map_err(|error| bad(dir, error))
}

/// The archive of a folder in a temporary file, ready to be read, and its name.
///
/// # Errors
/// As [`pack`]; or there is no room for temporary files.
pub fn pack_to_file(dir: &Path) -> Result<(File, BlobRef), Failure> {
    let io = |error: io::Error| Failure::io(&std::env::temp_dir(), &error);
    let mut archive = pack(dir, tempfile::tempfile().map_err(io)?)?;
    archive.rewind().map_err(io)?;
    let blob = client::blob_ref_of(&mut archive).map_err(io)?;
    archive.rewind().map_err(io)?;
    Ok((archive, blob))
}

fn list(
    dir: &Path,
    prefix: &str,
    files: &mut BTreeMap<ArchivePath, (PathBuf, u64)>,
) -> Result<(), Failure> {
    for entry in fs::read_dir(dir).map_err(|error| Failure::io(dir, &error))? {
        let entry = entry.map_err(|error| Failure::io(dir, &error))?;
        let path = entry.path();
        let odd = |what: &str| {
            let next = "keep only regular files with plain names in the folder";
            Failure::new(
                "folder_entry",
                format_args!("{}: {what}", path.display()),
                next,
            )
        };
        // What is no text has a character in it that no path has.
        let inner = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry
            .file_type()
            .map_err(|error| Failure::io(&path, &error))?;
        if kind.is_dir() {
            list(&path, &format!("{inner}/"), files)?;
        } else if kind.is_file() {
            let size = entry
                .metadata()
                .map_err(|error| Failure::io(&path, &error))?
                .len();
            let inner = ArchivePath::parse(&inner).map_err(|error| odd(&error.to_string()))?;
            files.insert(inner, (path, size));
        } else {
            return Err(match kind.is_symlink() {
                true => odd("a link; copy what it points to, as 'cp -rL FROM TO' does"),
                false => odd("neither a file nor a folder"),
            });
        }
    }
    Ok(())
}

/// The bytes of all regular files below a folder; links are not followed.
///
/// # Errors
/// The system's refusal.
pub fn bytes_in(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0u64;
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() {
                bytes = bytes.saturating_add(metadata.len());
            }
        }
    }
    Ok(bytes)
}

/// Unpacks an archive into a folder that must not exist yet, writing those of its files alone that belong. The others
/// are read past: what is wrong with them as a part of the archive is found all the same. On an error nothing is left
/// behind.
///
/// # Errors
/// [`UnpackError`], which keeps the maker's faults and the machine's apart.
pub fn unpack(
    source: impl Read,
    limits: Limits,
    dir: &Path,
    belongs: Belongs<'_>,
) -> Result<(), UnpackError> {
    let io = |path: &Path, error: &io::Error| UnpackError::Io(Failure::io(path, error));
    // In one spelling: 'DIR/' is 'DIR'.
    let dir: &Path = &dir.components().collect::<PathBuf>();
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(|error| io(parent, &error))?;
    }
    let partial = new_beside(dir).map_err(|error| io(dir, &error))?;
    let unpacked = unpack_into(source, limits, &partial, belongs)
        .and_then(|()| fs::rename(&partial, dir).map_err(|error| io(dir, &error)));
    if unpacked.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    unpacked
}

/// Makes an empty folder beside this one, of a name that nobody has: `DIR.partial`, `DIR.partial-1`, and so on.
fn new_beside(dir: &Path) -> io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let mut partial = dir.as_os_str().to_owned();
        partial.push(match number {
            0 => ".partial".to_owned(),
            number => format!(".partial-{number}"),
        });
        match fs::create_dir(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1_000 => {
                if number == 0 {
                    let left = Path::new(&partial).display();
                    talk!(
                        "note: {left} is there already; if a command that was broken off left it, remove it"
                    );
                }
                number += 1;
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(partial.into()),
        }
    }
}

fn unpack_into(
    source: impl Read,
    limits: Limits,
    dir: &Path,
    belongs: Belongs<'_>,
) -> Result<(), UnpackError> {
    let fault = |error: ArchiveError| match error {
        ArchiveError::Io(error) => UnpackError::Io(Failure::io(dir, &error)),
        fault => UnpackError::Archive(ArchiveFault {
            code: fault.code().unwrap_or("archive"),
            offset: fault.offset(),
            message: fault.to_string(),
        }),
    };
    let mut archive = Reader::new(source, limits).map_err(fault)?;
    while let Some(mut entry) = archive.next_entry().map_err(fault)? {
        if !belongs(entry.path()) {
            continue;
        }
        let path = dir.join(entry.path().as_str());
        let io = |error: io::Error| match error.downcast::<ArchiveError>() {
            // The content ends too early, which only reading it shows.
            Ok(error) => fault(error),
            Err(error) => UnpackError::Io(Failure::io(&path, &error)),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let mut file = File::create_new(&path).map_err(io)?;
        io::copy(&mut entry, &mut file).map_err(io)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_somebody_has_beside_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("a"), b"one").unwrap();
        let bytes = pack(&from, Vec::new()).unwrap();
        let theirs = temp.path().join("to.partial");
        fs::create_dir_all(&theirs).unwrap();
        fs::write(theirs.join("work"), b"of a week").unwrap();
        // Also with the slash that a shell's completion adds.
        let to = temp.path().join("to/");
        unpack(&bytes[..], LIMITS, &to, &mut |_| true).unwrap();
        assert_eq!(fs::read(to.join("a")).unwrap(), b"one");
        assert_eq!(fs::read(theirs.join("work")).unwrap(), b"of a week");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_does_not_belong_is_read_past() {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        fs::create_dir_all(from.join("b")).unwrap();
        for name in ["a", "b/c", "d"] {
            fs::write(from.join(name), name).unwrap();
        }
        let mut bytes = pack(&from, Vec::new()).unwrap();
        let mut asked = Vec::new();
        let mut belongs = |path: &ArchivePath| {
            asked.push(path.as_str().to_owned());
            path.as_str() == "d"
        };
        let to = temp.path().join("to");
        unpack(&bytes[..], LIMITS, &to, &mut belongs).unwrap();
        assert_eq!(asked, ["a", "b/c", "d"]);
        assert_eq!(fs::read(to.join("d")).unwrap(), b"d");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
        // What comes after the end is found, though nothing was wanted.
        bytes.push(0);
        let nothing = temp.path().join("nothing");
        let found = unpack(&bytes[..], LIMITS, &nothing, &mut |_| false);
        assert!(matches!(found, Err(UnpackError::Archive(_))), "{found:?}");
    }

    #[test]
    fn a_folder_survives_its_archive() {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        fs::create_dir_all(from.join("b/c")).unwrap();
        fs::write(from.join("a.txt"), b"one").unwrap();
        fs::write(from.join("b/c/d"), b"").unwrap();
        let bytes = pack(&from, Vec::new()).unwrap();
        let to = temp.path().join("to");
        unpack(&bytes[..], LIMITS, &to, &mut |_| true).unwrap();
        assert_eq!(fs::read(to.join("a.txt")).unwrap(), b"one");
        assert_eq!(pack(&to, Vec::new()).unwrap(), bytes);
        assert_eq!(bytes_in(&to).unwrap(), 3);
    }

    #[test]
    fn a_broken_archive_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("a"), vec![7; 5_000]).unwrap();
        let bytes = pack(&from, Vec::new()).unwrap();
        for cut in [0, 3, 20, 100, bytes.len() - 1] {
            let to = temp.path().join("to");
            assert!(
                matches!(
                    unpack(&bytes[..cut], LIMITS, &to, &mut |_| true),
                    Err(UnpackError::Archive(_))
                ),
                "{cut}"
            );
            assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", temp.path().join("link")).unwrap();
        let failure = pack(temp.path(), Vec::new()).unwrap_err();
        assert_eq!(failure.code, "folder_entry");
    }
}
