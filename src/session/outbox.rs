//! The outbox on the disk: one open record an account and network, and small files
//! that must be whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use client::UploadSecret;
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::{Digest, ItemId};

use crate::failure::Failure;

/// The largest file that the outbox is read from.
const OUTBOX_BYTES_MAX: u64 = 1 << 20;

/// Waits until no other command, a watch in the background for one, acts for this
/// account: the outbox has room for one record. The turn ends with what is returned.
pub(super) fn turn(outbox: &Path) -> Result<fs::File, Failure> {
    let path = outbox.with_extension("lock");
    let io = |error: std::io::Error| Failure::io(&path, &error);
    private_dir(path.parent().unwrap_or(Path::new(".")))?;
    // Where nothing can be written it is there from before, if anything ever acted.
    let lock = fs::File::create(&path).or_else(|error| fs::File::open(&path).map_err(|_| error));
    let lock = lock.map_err(io)?;
    if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
        talk!("note: another command acts for this account; waiting for it");
    }
    lock.lock().map_err(io)?;
    Ok(lock)
}

pub(super) fn read_outbox(path: &Path) -> Result<Option<VerifiedItem>, Failure> {
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

/// A record that another command of the account settled, and whose own was not told.
pub(super) struct Settled {
    /// When, by the node's clock.
    pub(super) time_ms: u64,
    pub(super) item: VerifiedItem,
    pub(super) path: PathBuf,
}

/// The ending of their files: `<account>@<network>.<time>.<id>.settled`.
const SETTLED: &str = "settled";

/// How many of them are kept.
const SETTLED_MAX: usize = 64;

/// Keeps a record that is settled now, unless it is kept already.
pub(super) fn keep_settled(
    outbox: &Path,
    time_ms: u64,
    item: &VerifiedItem,
) -> Result<(), Failure> {
    if settled(outbox)?
        .iter()
        .any(|kept| kept.item.id() == item.id())
    {
        return Ok(());
    }
    let name = format!("{time_ms:020}.{}.{SETTLED}", item.id());
    keep(&outbox.with_extension(name), item.bytes())?;
    let all = settled(outbox)?;
    for old in all.iter().take(all.len().saturating_sub(SETTLED_MAX)) {
        forget(&old.path)?;
    }
    Ok(())
}

/// Forgets a record that was kept: somebody has been told of it.
pub(super) fn forget_settled(outbox: &Path, id: ItemId) -> Result<(), Failure> {
    let mut all = settled(outbox)?.into_iter();
    all.try_for_each(|kept| match kept.item.id() == id {
        true => forget(&kept.path),
        false => Ok(()),
    })
}

/// The records of this outbox that were settled, the oldest first.
pub(super) fn settled(outbox: &Path) -> Result<Vec<Settled>, Failure> {
    let dir = outbox.parent().unwrap_or(Path::new("."));
    let stem = outbox.file_stem().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| Failure::io(dir, &error))? {
        let path = entry.map_err(|error| Failure::io(dir, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix(&*stem);
        let rest = rest.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(SETTLED));
        let time_ms = rest.and_then(|rest| rest.split_once('.')?.0.parse().ok());
        if let (Some(time_ms), Some(item)) = (time_ms, read_outbox(&path)?) {
            found.push(Settled {
                time_ms,
                item,
                path,
            });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
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
