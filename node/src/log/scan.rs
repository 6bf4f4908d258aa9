//! Opening a log: every frame is read, a torn tail is cut, damage is named.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use protocol::ans104::bundle;
use protocol::id::ItemId;
use protocol::record::GenesisRecord;

use super::frame::{self, FRAME_HEAD_BYTES, FrameFlaw};
use super::{Log, LogError, LogView, SEGMENT_BYTES_MAX, Segment, TailCut, sync_dir, tail};
use crate::block::{self, BODY_BYTES_MAX};

/// The segments of a folder, ascending. Files of other names are not the log's.
pub(super) fn segments(dir: &Path) -> Result<Vec<Segment>, LogError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(LogError::io(dir))? {
        let name = entry.map_err(LogError::io(dir))?.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_prefix("blocks-")?.strip_suffix(".log"))
            .and_then(|digits| digits.parse().ok())
            .map(|first| Segment::new(dir, first))
            .filter(|segment| segment.path.file_name() == Some(&name));
        segments.extend(first);
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// What may be done to the files while they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A torn tail is cut and the last frame written again; blocks will follow.
    Write,
    /// Nothing.
    Read,
}

/// Reads all segments of a folder whose lock is held.
pub(super) fn open(
    dir: &Path,
    lock: File,
    access: Access,
) -> Result<(Log, Option<TailCut>), LogError> {
    let segments = segments(dir)?;
    let Some(first) = segments.first() else {
        return Err(LogError::Missing(dir.to_owned()));
    };
    let mut log = begin(dir, lock, first, access)?;
    let mut cut = None;
    for (place, segment) in segments.iter().enumerate() {
        let is_last = place + 1 == segments.len();
        cut = read_segment(&mut log, segment, is_last, access)?;
    }
    Ok((log, cut))
}

/// A log that knows its genesis and has counted nothing yet.
fn begin(dir: &Path, lock: File, first: &Segment, access: Access) -> Result<Log, LogError> {
    if first.first != 0 {
        let (path, found) = (first.path.clone(), first.first);
        return Err(LogError::Gap {
            path,
            expected: 0,
            found,
        });
    }
    if access == Access::Write {
        // A process that died between a file's name and its sync left that to be done.
        sync_dir(dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
    }
    let path = &first.path;
    let file = File::open(path).map_err(LogError::io(path))?;
    let body = match frame::read(&mut BufReader::new(&file)).map_err(LogError::io(path))? {
        Ok(Some(body)) => body,
        // A log is born with its genesis whole, so this is no torn write.
        bad => return Err(damaged(path, 0, 0, bad.err().unwrap_or(FrameFlaw::Head(0)))),
    };
    let not_genesis = |why: String| LogError::Misplaced {
        path: path.clone(),
        offset: 0,
        height: 0,
        why,
    };
    let items = bundle::decode(&body).map_err(|error| not_genesis(error.to_string()))?;
    let [item] = items.as_slice() else {
        return Err(not_genesis(format!(
            "it holds {} items, and a genesis stands alone",
            items.len()
        )));
    };
    let genesis = GenesisRecord::read(item)?;
    Ok(Log {
        dir: dir.to_owned(),
        _lock: lock,
        genesis_item: item.clone(),
        tip: genesis.id,
        genesis,
        view: LogView {
            segments: Vec::new(),
            marks: Vec::new(),
            height: 0,
            items: 0,
        },
        file,
        file_bytes: 0,
        segment_bytes_max: SEGMENT_BYTES_MAX,
        // What was opened for reading takes no block.
        is_poisoned: access == Access::Read,
    })
}

/// Counts the frames of the next segment and leaves it open for appending.
fn read_segment(
    log: &mut Log,
    segment: &Segment,
    is_last: bool,
    access: Access,
) -> Result<Option<TailCut>, LogError> {
    let path = &segment.path;
    let next = if log.view.segments.is_empty() {
        0
    } else {
        log.view.height + 1
    };
    if segment.first != next {
        let (path, found) = (path.clone(), segment.first);
        return Err(LogError::Gap {
            path,
            expected: next,
            found,
        });
    }
    let may_write = access == Access::Write;
    let file = OpenOptions::new().read(true).append(may_write).open(path);
    log.file = file.map_err(LogError::io(path))?;
    log.file_bytes = 0;
    log.view.segments.push(segment.clone());
    let mut reader = BufReader::new(File::open(path).map_err(LogError::io(path))?);
    let mut last = None;
    loop {
        match frame::read(&mut reader).map_err(LogError::io(path))? {
            Ok(Some(body)) => {
                last = Some(log.file_bytes);
                count(log, path, &body)?;
            }
            Ok(None) if is_last && may_write => {
                rewrite(path, last)?;
                return Ok(None);
            }
            Ok(None) => return Ok(None),
            Err(flaw) if is_last => {
                let cut = cut(log, path, flaw, access)?;
                if may_write {
                    rewrite(path, last)?;
                }
                return Ok(Some(cut));
            }
            Err(flaw) => return Err(damaged(path, log.file_bytes, log.view.height + 1, flaw)),
        }
    }
}

/// Checks that a whole frame is the next block, and counts it.
fn count(log: &mut Log, path: &Path, body: &[u8]) -> Result<(), LogError> {
    let size = (FRAME_HEAD_BYTES + body.len()) as u64;
    if log.view.items == 0 {
        // The genesis, which was read already.
        log.view.items = 1;
        log.mark(0);
        log.file_bytes += size;
        return Ok(());
    }
    let height = log.view.height + 1;
    let (id, items) = follows(body, height, log.tip).map_err(|why| LogError::Misplaced {
        path: path.to_owned(),
        offset: log.file_bytes,
        height,
        why,
    })?;
    log.took(id, items, size);
    Ok(())
}

/// The id and the number of items of a block that claims this height and parent.
fn follows(body: &[u8], height: u64, parent: ItemId) -> Result<(ItemId, u64), String> {
    let claim = block::claim(body)?;
    if claim.header.height != height {
        return Err(format!("it is block {}", claim.header.height));
    }
    if claim.header.parent != parent {
        return Err(format!(
            "its parent is {}, and the block before is {parent}",
            claim.header.parent
        ));
    }
    Ok((claim.item.id(), claim.items))
}

fn damaged(path: &Path, offset: u64, height: u64, flaw: FrameFlaw) -> LogError {
    LogError::Damaged {
        path: path.to_owned(),
        offset,
        height,
        flaw,
        later: None,
    }
}

/// Cuts what stands behind the last whole frame, if it can only be a torn write;
/// to a reader it only does not count.
fn cut(log: &mut Log, path: &Path, flaw: FrameFlaw, access: Access) -> Result<TailCut, LogError> {
    let (offset, height) = (log.file_bytes, log.view.height + 1);
    let size_bytes = log.file.metadata().map_err(LogError::io(path))?.len() - offset;
    // A crash tears one write, and one write is one frame.
    if size_bytes > (FRAME_HEAD_BYTES + BODY_BYTES_MAX) as u64 {
        return Err(damaged(path, offset, height, flaw));
    }
    let rest = read_to_end(path, offset).map_err(LogError::io(path))?;
    if let Some(later) = tail::later_block(&rest, height, log.genesis.proposer) {
        return Err(LogError::Damaged {
            path: path.to_owned(),
            offset,
            height,
            flaw,
            later: Some((later.height, offset + later.offset as u64)),
        });
    }
    let kept_at = match access {
        Access::Read => path.to_owned(),
        Access::Write => {
            let kept_at = keep(path, offset, &rest)?;
            sync_dir(&log.dir)?;
            log.file.set_len(offset).map_err(LogError::io(path))?;
            log.file.sync_all().map_err(LogError::io(path))?;
            kept_at
        }
    };
    Ok(TailCut {
        segment: path.to_owned(),
        offset,
        size_bytes,
        height,
        flaw,
        kept_at,
    })
}

fn read_to_end(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a cut tail to a file of its own beside its segment; gives its path.
fn keep(segment: &Path, offset: u64, bytes: &[u8]) -> Result<PathBuf, LogError> {
    let mut copy = 1;
    loop {
        let path = segment.with_extension(format!("{offset}-{copy}.cut"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => copy += 1,
            Err(source) => return Err(LogError::Io { path, source }),
            Ok(mut file) => {
                let write = file.write_all(bytes).and_then(|()| file.sync_all());
                return match write {
                    Ok(()) => Ok(path),
                    Err(source) => {
                        // On a full disk every try to open would leave one behind.
                        let _ = fs::remove_file(&path);
                        Err(LogError::Io { path, source })
                    }
                };
            }
        }
    }
}

/// Writes the last frame once more where it stands, and syncs it: after a sync
/// that failed, the system may hold the frame in memory and never write it.
fn rewrite(path: &Path, offset: Option<u64>) -> Result<(), LogError> {
    let Some(offset) = offset else { return Ok(()) };
    let rewrite = || {
        let bytes = read_to_end(path, offset)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    rewrite().map_err(LogError::io(path))
}
