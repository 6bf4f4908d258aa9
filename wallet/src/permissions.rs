//! Files that others on the machine can read.
//!
//! It only tells; whether to go on is the caller's choice. Containers often
//! mount secrets readable by everyone inside, where nobody else is.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file with a secret that others on the machine can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakPermissions {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits, as `chmod` takes them.
    pub mode: u32,
}

impl fmt::Display for WeakPermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is open to others on this machine (mode {:03o}): chmod 600 makes it yours alone",
            self.path.display(),
            self.mode
        )
    }
}

/// Whether others than the owner can read or write a file; none where the file
/// is missing or the system has no such permissions.
pub fn weak_permissions(path: &Path) -> Option<WeakPermissions> {
    let mode = mode(path)?;
    (mode & 0o066 != 0).then(|| WeakPermissions {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    metadata
        .is_file()
        .then(|| metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}
