//! The outbox on the disk: one open record an account and network, and small files
//! that must be whole.

use std::fs;
use std::io::Write;
use std::path::Path;

use client::UploadSecret;
use protocol::Digest;
use protocol::ans104::SignedItem;

use crate::failure::Failure;

/// The largest file that the outbox is read from.
const OUTBOX_BYTES_MAX: u64 = 1 << 20;

/// Waits until no other command, a watch in the background for one, acts for this
/// account: the outbox has room for one record. The turn ends with what is returned.
pub(super) fn turn(outbox: &Path) -> Result<fs::File, Failure> {
    let path = outbox.with_extension("lock");
    let io = |error: std::io::Error| Failure::io(&path, &error);
    private_dir(path.parent().unwrap_or(Path::new(".")))?;
    let lock = fs::File::create(&path).map_err(io)?;
    if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
        talk!("note: another command acts for this account; waiting for it");
    }
    lock.lock().map_err(io)?;
    Ok(lock)
}

pub(super) fn read_outbox(path: &Path) -> Result<Option<protocol::ans104::VerifiedItem>, Failure> {
    let bytes = match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= OUTBOX_BYTES_MAX => {
            fs::read(path).map_err(|error| Failure::io(path, &error))?
        }
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(path, &error)),
    };
    // A torn file was never sent: it is written whole and synced before that.
    let item = SignedItem::from_vec(bytes).and_then(SignedItem::verify);
    Ok(item.ok())
}

/// What makes uploads that broke off this home's, so that a later command goes on with them; none
/// where it can be neither read nor kept.
pub(super) fn upload_secret(home: &Path) -> Option<UploadSecret> {
    let path = home.join("upload.secret");
    let kept = fs::read_to_string(&path).ok();
    let kept = kept.and_then(|text| text.trim_end().parse::<Digest>().ok());
    if let Some(Digest(bytes)) = kept {
        return Some(UploadSecret(bytes));
    }
    // A command that only looks makes no home.
    if !home.is_dir() {
        return None;
    }
    let bytes = *super::entropy().ok()?;
    keep(&path, format!("{}\n", Digest(bytes)).as_bytes()).ok()?;
    Some(UploadSecret(bytes))
}

/// Writes a small file of the home whole and synced, readable for its owner only.
///
/// # Errors
/// The system's refusal.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    // Temporary files are made for their owner only.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    #[cfg(unix)]
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io)?;
    Ok(())
}

/// Makes a folder of the home, and those above it that are missing, for their owner
/// only: names and times in there are nobody else's business.
///
/// # Errors
/// The system's refusal.
pub fn private_dir(dir: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(dir);
    made.map_err(|error| Failure::io(dir, &error))
}

/// Takes the lock of this file, which a process that ends gives back, however it
/// ends; none if another process has it.
///
/// # Errors
/// The system's refusal.
pub fn lock(path: &Path) -> Result<Option<fs::File>, Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    private_dir(path.parent().unwrap_or(Path::new(".")))?;
    let file = fs::File::create(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(io(error)),
    }
}

pub(super) fn forget(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io(path, &error))
        }
        _ => Ok(()),
    }
}
