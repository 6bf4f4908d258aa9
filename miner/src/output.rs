//! A model folder, written whole or not at all.
//!
//! The files go into a folder beside the wanted one, `.NAME.partial-N`, which then
//! takes its name. Files, folder and parent are synced, so that a folder that is
//! there outlives a power cut. On an error nothing of it stays behind, but for a
//! finished folder that could not take its name: that one may be hours of work.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is something already, and nothing is overwritten.
    #[error("'{0}' is there already and not empty: name another folder, or remove it")]
    Exists(PathBuf),
    /// The path has no last component to name the folder by.
    #[error("'{0}' does not name a folder: name a new one, such as 'model'")]
    Name(PathBuf),
    /// A link, whose place a folder cannot take.
    #[error("'{0}' is a link: name the folder that it leads to, or remove it")]
    Link(PathBuf),
    /// An empty folder that cannot be moved away.
    #[error(
        "the empty folder '{path}' cannot make way, as if something were mounted there: {error}. Name a folder in it"
    )]
    Fixed {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// All files are written and synced, but the folder could not take its name.
    #[error(
        "the model is finished, but could not be put at '{path}': {error}. It is whole in '{kept}'"
    )]
    Kept {
        /// Where it should be.
        path: PathBuf,
        /// Where it is.
        kept: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The system's error.
    #[error("'{path}' could not be written: {error}")]
    Io {
        /// What was written.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl OutputError {
    /// The stable code, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "output_exists",
            Self::Kept { .. } => "output_kept",
            _ => "output_unwritable",
        }
    }
}

/// That a folder can be written there, by trying it: worth asking before hours of training.
///
/// Missing parents are made, and stay. A folder beside the wanted one is made and
/// removed; a wanted one that is there and empty is moved there and back.
///
/// # Errors
/// [`OutputError`], but for [`OutputError::Kept`].
pub fn check_free(dir: &Path) -> Result<(), OutputError> {
    let name = name_of(dir)?;
    // Without a slash at its end, which would lead through a link.
    let place = dir.with_file_name(name);
    let is_there = match fs::symlink_metadata(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(io_at(dir, error)),
        Ok(found) if found.is_symlink() => return Err(OutputError::Link(dir.to_owned())),
        Ok(found) if !found.is_dir() => return Err(OutputError::Exists(dir.to_owned())),
        Ok(_) => {
            let mut entries = fs::read_dir(dir).map_err(|error| io_at(dir, error))?;
            if entries.next().is_some() {
                return Err(OutputError::Exists(dir.to_owned()));
            }
            true
        }
    };
    let partial = new_partial(dir, name)?;
    fs::remove_dir(&partial).map_err(|error| io_at(&partial, error))?;
    if is_there {
        // As at the end, when the folder makes way: one that something is mounted on cannot be moved.
        fs::rename(&place, &partial).map_err(|error| OutputError::Fixed {
            path: dir.to_owned(),
            error,
        })?;
        fs::rename(&partial, &place).map_err(|error| io_at(dir, error))?;
    }
    Ok(())
}

/// Writes a folder of files; missing parents are made, an empty folder that is there makes way.
///
/// # Errors
/// [`OutputError`]; nothing stays behind then, but for the folder that [`OutputError::Kept`] names.
pub fn write_folder(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), OutputError> {
    let partial = new_partial(dir, name_of(dir)?)?;
    let written = write_files(&partial, files)
        .and_then(|()| sync_folder(&partial).map_err(|error| io_at(&partial, error)));
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_dir_all(&partial);
        return written;
    }
    // A folder that is not empty by now stays, as does a file.
    let placed = match fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::rename(&partial, dir),
    };
    placed.map_err(|error| OutputError::Kept {
        path: dir.to_owned(),
        kept: partial,
        error,
    })?;
    sync_folder(parent_of(dir)).map_err(|error| io_at(dir, error))
}

/// Syncs what a folder says of its entries, so that what was made or renamed in it outlives a power cut.
///
/// # Errors
/// The system's, unless it has no such thing.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(dir)?.sync_all() {
        // A file system that cannot do it for a folder has promised nothing.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

fn name_of(dir: &Path) -> Result<&OsStr, OutputError> {
    dir.file_name()
        .ok_or_else(|| OutputError::Name(dir.to_owned()))
}

/// The folder that a folder lies in.
fn parent_of(dir: &Path) -> &Path {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Makes an empty folder beside a place, and the missing parents of both.
fn new_partial(dir: &Path, name: &OsStr) -> Result<PathBuf, OutputError> {
    let parent = parent_of(dir);
    fs::create_dir_all(parent).map_err(|error| io_at(parent, error))?;
    // A process that died while it wrote may have left a partial folder: that
    // one is not ours to remove, and must not cost a finished training.
    let mut count = 0;
    loop {
        let partial = dir.with_file_name(format!(".{}.partial-{count}", name.to_string_lossy()));
        match fs::create_dir(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            Err(error) => return Err(io_at(&partial, error)),
            Ok(()) => return Ok(partial),
        }
    }
}

fn write_files(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), OutputError> {
    for (name, bytes) in files {
        let path = dir.join(name);
        let written = File::create(&path)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|error| io_at(&path, error))?;
    }
    Ok(())
}

fn io_at(path: &Path, error: io::Error) -> OutputError {
    OutputError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_in_nobodys_way() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join(".model.partial-0");
        fs::create_dir(&left).unwrap();
        let dir = root.path().join("model");
        write_folder(&dir, &[("config.json", b"{}")]).unwrap();
        assert_eq!(fs::read(dir.join("config.json")).unwrap(), b"{}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_is_written_whole() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b/model");
        write_folder(&dir, &[("x", b"1"), ("y", b"22")]).unwrap();
        assert_eq!(fs::read(dir.join("y")).unwrap(), b"22");
        let beside: Vec<_> = fs::read_dir(dir.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1);
        assert!(matches!(check_free(&dir), Err(OutputError::Exists(_))));
    }

    #[test]
    fn a_finished_folder_whose_place_was_taken_is_kept_and_named() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("model");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("x"), b"mine").unwrap();
        let error = write_folder(&dir, &[("x", b"1")]).unwrap_err();
        assert_eq!(error.code(), "output_kept");
        let kept = root.path().join(".model.partial-0");
        assert!(error.to_string().contains(&kept.display().to_string()));
        assert_eq!(fs::read(kept.join("x")).unwrap(), b"1");
        assert_eq!(fs::read(dir.join("x")).unwrap(), b"mine");
    }

    #[test]
    fn a_free_place_is_tried_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        check_free(&root.path().join("a/b/model")).unwrap();
        assert_eq!(fs::read_dir(root.path().join("a/b")).unwrap().count(), 0);
        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        check_free(&empty).unwrap();
        check_free(&empty.join("")).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_cannot_be_taken_at_the_end_is_refused_before() {
        let root = tempfile::tempdir().unwrap();
        for name in [".", "..", "/", "a/.."] {
            let refused = check_free(Path::new(name));
            assert!(matches!(refused, Err(OutputError::Name(_))), "{name}");
        }
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(check_free(&file), Err(OutputError::Exists(_))));
        let under_a_file = check_free(&file.join("model"));
        assert!(matches!(under_a_file, Err(OutputError::Io { .. })));
        let long = check_free(&root.path().join("m".repeat(250)));
        assert!(matches!(long, Err(OutputError::Io { .. })));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_wherever_it_leads() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("empty")).unwrap();
        for target in ["empty", "nowhere"] {
            let link = root.path().join(format!("to-{target}"));
            std::os::unix::fs::symlink(root.path().join(target), &link).unwrap();
            for place in [link.clone(), link.join("")] {
                let refused = check_free(&place);
                assert!(matches!(refused, Err(OutputError::Link(_))), "{place:?}");
            }
        }
    }

    #[test]
    fn an_empty_folder_makes_way() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("model");
        fs::create_dir(&dir).unwrap();
        write_folder(&dir, &[("x", b"1")]).unwrap();
        assert_eq!(fs::read(dir.join("x")).unwrap(), b"1");
    }

    #[test]
    fn nothing_stays_behind_on_an_error() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("model");
        let refused = write_folder(&dir, &[("x", b"1"), ("no/such/folder", b"2")]);
        assert!(matches!(refused, Err(OutputError::Io { .. })));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
