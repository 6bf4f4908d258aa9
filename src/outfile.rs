//! A file that a command writes for everyone to read: whole or not at all, and
//! never over what is there unless that was asked for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{Exit, Failure};

/// A file on its way to its name.
pub struct OutFile {
    path: PathBuf,
    file: NamedTempFile,
    force: bool,
}

/// The folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl OutFile {
    /// Refuses a path where something stands that is no regular file, or, without
    /// `force`, where anything stands.
    ///
    /// # Errors
    /// So it is, or the system does not say.
    pub fn check(path: &Path, force: bool) -> Result<(), Failure> {
        let refuse = |code, what, next| {
            let message = format_args!("{} is there {what}", path.display());
            Err(Failure::new(code, message, next).exit(Exit::Usage))
        };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::io(path, &error)),
            Ok(found) if !found.is_file() => refuse(
                "not_a_file",
                "and is not a regular file",
                "choose another place",
            ),
            Ok(_) if !force => refuse(
                "file_exists",
                "already",
                "choose another place, or add --force to overwrite it",
            ),
            Ok(_) => Ok(()),
        }
    }

    /// Begins a file beside where it will be.
    ///
    /// # Errors
    /// As [`OutFile::check`], or the folder cannot be written.
    pub fn begin(path: &Path, force: bool) -> Result<Self, Failure> {
        Self::check(path, force)?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any new file: it is for everyone to check.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(path));
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(|error| Failure::io(path, &error))?,
            force,
        })
    }

    /// What is written to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives it its name, synced; returns its size in bytes.
    ///
    /// # Errors
    /// The system refuses, or another program has made the file in the meantime.
    pub fn finish(self) -> Result<u64, Failure> {
        let io = |error: std::io::Error| Failure::io(&self.path, &error);
        let size_bytes = self.file.as_file().metadata().map_err(io)?.len();
        self.file.as_file().sync_all().map_err(io)?;
        let kept = match self.force {
            true => self.file.persist(&self.path),
            false => self.file.persist_noclobber(&self.path),
        };
        kept.map_err(|error| io(error.error))?;
        Ok(size_bytes)
    }
}
