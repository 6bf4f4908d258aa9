//! Files of known size, read within limits and written whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::WalletError;

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Everyone, as far as the process's umask lets them.
    Everyone,
}

/// Reads at most `limit_bytes` bytes; none where the file has more.
///
/// The buffer never grows, so no copy of its content is left behind.
pub fn read_limited(
    path: &Path,
    limit_bytes: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, WalletError> {
    let fail = |error| WalletError::io("reading", path, error);
    let file = File::open(path).map_err(fail)?;
    read_all(file, limit_bytes).map_err(fail)
}

/// As [`read_limited`], from anything that can be read.
pub fn read_all(
    mut reader: impl std::io::Read,
    limit_bytes: usize,
) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(vec![0; limit_bytes + 1]);
    let mut len = 0;
    while len < bytes.len() {
        match reader.by_ref().read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(len);
    Ok((len <= limit_bytes).then_some(bytes))
}

/// Writes a file: a new one beside it, flushed to disk, then renamed.
///
/// Without `replace` an existing file is an error, even one that appears meanwhile.
pub fn write_whole(
    path: &Path,
    bytes: &[u8],
    readers: Readers,
    replace: bool,
) -> Result<(), WalletError> {
    let fail = |error| WalletError::io("writing", path, error);
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    let permissions = permissions(readers);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder
        .prefix(".lode-key-")
        .tempfile_in(folder)
        .map_err(|error| {
            // A missing folder is named as such, not as a missing key.
            WalletError::io("writing into", folder, error)
        })?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    let placed = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    placed.map_err(|failure| fail(failure.error))?;
    sync_folder(folder).map_err(fail)
}

/// Removes a file, which may be missing.
pub fn remove(path: &Path) -> Result<(), WalletError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(WalletError::io("removing", path, error))
        }
        _ => Ok(()),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn permissions(readers: Readers) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    }))
}

#[cfg(not(unix))]
fn permissions(_: Readers) -> Option<Permissions> {
    None
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
