//! A model folder, written whole or not at all.
//!
//! The files go into a folder beside the wanted one, `.NAME.partial`, which then
//! takes its name. On an error nothing of it stays behind.

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
    #[error("'{0}' does not name a folder")]
    Name(PathBuf),
    /// The system's error.
    #[error("'{path}' could not be written: {error}")]
    Io {
        /// What was written.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// That nothing is where the folder shall be: worth asking before hours of training.
///
/// # Errors
/// [`OutputError::Exists`] for a file or a folder that is not empty.
pub fn check_free(dir: &Path) -> Result<(), OutputError> {
    let exists = || OutputError::Exists(dir.to_owned());
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(exists())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(exists()),
        Err(error) => Err(OutputError::Io {
            path: dir.to_owned(),
            error,
        }),
    }
}

/// Writes a folder of files; missing parents are made.
///
/// # Errors
/// [`OutputError`]; nothing stays behind then.
pub fn write_folder(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), OutputError> {
    check_free(dir)?;
    let name = dir
        .file_name()
        .ok_or_else(|| OutputError::Name(dir.to_owned()))?;
    let io = |path: &Path, error| OutputError::Io {
        path: path.to_owned(),
        error,
    };
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|error| io(parent, error))?;
    }
    // A process that died while it wrote may have left a partial folder: that
    // one is not ours to remove, and must not cost a finished training.
    let mut count = 0;
    let partial = loop {
        let partial = dir.with_file_name(format!(".{}.partial-{count}", name.to_string_lossy()));
        match fs::create_dir(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            Err(error) => return Err(io(&partial, error)),
            Ok(()) => break partial,
        }
    };
    let written = write_files(&partial, files).and_then(|()| {
        // An empty folder makes way; a full one was refused above.
        match fs::remove_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(dir, error)),
            _ => fs::rename(&partial, dir).map_err(|error| io(dir, error)),
        }
    });
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}

fn write_files(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), OutputError> {
    for (name, bytes) in files {
        let path = dir.join(name);
        let written = File::create(&path)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|error| OutputError::Io { path, error })?;
    }
    Ok(())
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
        assert!(matches!(
            write_folder(&dir, &[("x", b"2")]),
            Err(OutputError::Exists(_))
        ));
        assert_eq!(fs::read(dir.join("x")).unwrap(), b"1");
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
