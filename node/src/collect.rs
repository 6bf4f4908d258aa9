//! Removing blobs that nothing names any more, so that a disk does not fill for good.
//!
//! **Named** is a blob by: an asset (its archive, or the ciphertext of what was submitted);
//! a bounty that the ledger has not forgotten (its test set, its submissions, every batch
//! of prediction leaves that its records revealed); a record that waits. The ledger forgets
//! a bounty `retention_ms` after its end.
//!
//! Invariants: a blob is removed only after it was held and unnamed for [`UNNAMED_KEPT_MS`]
//! by the node's clock, which is not behind the last block, and no record that names it can be taken between the last look and
//! the removal. If state or history cannot be read, nothing is removed. Records that name
//! blobs wait for a few hundred removals at most, all others for none. What was removed and is put again has all
//! of that time again, though its times could not be written.
//!
//! Recovery: since when each blob is unnamed stands in `unnamed.json` of the node's folder,
//! one blob a line, so that it is read and written as a stream.
//! Lost or damaged, the time begins anew. Names are never stored: they are the log's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::ops::Bound;
use std::path::Path;

use market::State;
use protocol::ans104::bundle::BundleReader;
use protocol::id::{BlobId, ItemId};
use protocol::receipt::Cause;
use protocol::record::Transaction;
use protocol::statement::Subject;

use crate::admission::named_blobs;
use crate::blobs::BlobError;
use crate::block::BODY_LIMITS;
use crate::derived::DerivedError;
use crate::engine::{CLOCK_BEHIND_MS_MAX, Node};
use crate::history::{History, Place};
use crate::log::{LogError, LogView};

/// How long a blob stays that nothing names: two days. A record names what was uploaded
/// before it, and is valid for a day at most.
pub const UNNAMED_KEPT_MS: u64 = 48 * 3_600_000;

/// Since when blobs are unnamed.
pub const UNNAMED_FILE: &str = "unnamed.json";

/// The most bytes of a line of that file: an id, a time, and what stands around them.
const LINE_BYTES_MAX: u64 = 128;

/// How many blobs are removed before records that name blobs have their turn again.
const REMOVED_AT_ONCE: usize = 256;

/// How many receipts of a bounty are read at a time.
const PAGE: usize = 1_000;

/// The record whose leaves the state forgets before its bounty.
const REVEAL: &str = "reveal-attestations";

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The node's clock is behind the last block: no time that it tells can be counted from.
    #[error("the clock is behind the last block")]
    Clock,
    /// The chain is closed, or its database failed.
    #[error("state or history cannot be read now")]
    Closed,
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] DerivedError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log and the history differ.
    #[error("the log and its history differ at height {0}")]
    Differ(u64),
    /// The blobs cannot be listed or removed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The times cannot be kept.
    #[error("{UNNAMED_FILE}: {0}")]
    Times(#[from] io::Error),
}

/// What one look at all blobs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that were removed, by name.
    pub removed: Vec<BlobId>,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Blobs that nothing names and whose time has not come.
    pub unnamed: usize,
}

impl Node {
    /// Looks at all blobs and removes those whose time has come, and what is left of
    /// uploads that broke off long ago. Blocks: it reads folders and the log.
    ///
    /// # Errors
    ///
    /// [`CollectError`]; what was removed by then stays removed.
    pub fn collect_blobs(&self) -> Result<Collected, CollectError> {
        self.blobs().clear_unfinished()?;
        let path = self.dir().join(UNNAMED_FILE);
        let now_ms = self.clock().now_ms();
        let mut named = Named::default();
        self.look(&mut named)?;
        // The one table of all that nothing names: what is held is listed, and not kept beside it.
        let mut times = read(&path);
        let (before, mut has_new) = (times.len(), false);
        self.blobs().each(|blob| {
            if named.blobs.contains(&blob) {
                return;
            }
            let known = times.entry(blob).or_insert_with(|| {
                has_new = true;
                Unnamed::since(now_ms)
            });
            known.is_held = true;
        })?;
        times.retain(|_, one| one.is_held);
        let mut collected = Collected::default();
        let swept = self.sweep(now_ms, &mut named, &mut times, &mut collected);
        // Whatever went wrong: what was removed by then and comes again has a new time.
        times.retain(|blob, _| !named.blobs.contains(blob));
        collected.unnamed = times.len();
        let is_changed = has_new || times.len() != before;
        let kept = is_changed.then(|| write(&path, &times)).transpose();
        swept?;
        kept?;
        Ok(collected)
    }

    /// Removes what is due, and its times.
    fn sweep(
        &self,
        now_ms: u64,
        named: &mut Named,
        times: &mut Times,
        collected: &mut Collected,
    ) -> Result<(), CollectError> {
        let mut from = Bound::Unbounded;
        loop {
            let rest = times.range((from, Bound::Unbounded));
            let due = rest.filter(|(_, one)| one.is_due(now_ms));
            let some: Vec<BlobId> = due.map(|(&blob, _)| blob).take(REMOVED_AT_ONCE).collect();
            let Some(&last) = some.last() else {
                return Ok(());
            };
            from = Bound::Excluded(last);
            // While this is held no record is taken that names a blob.
            let _guard = self.naming().blocking_write();
            self.look(named)?;
            for blob in some.iter().filter(|blob| !named.blobs.contains(blob)) {
                let since_ms = times.remove(blob).map_or(now_ms, |one| one.since_ms);
                // Gone by itself; should it be put anew just now, that is another.
                let Some((size_bytes, written_ms)) = self.blobs().size_and_time(*blob)? else {
                    continue;
                };
                // Put anew, it is another: its time begins at the next look. A clock by hand does not tell, nor does a
                // time that has not come.
                let is_new = (since_ms + 1..=now_ms).contains(&written_ms);
                if (!is_new || self.clock().is_by_hand()) && self.blobs().remove(*blob)? {
                    collected.removed.push(*blob);
                    collected.removed_bytes += size_bytes;
                }
            }
        }
    }

    /// Adds every blob that something names. What was named at an earlier look stays so.
    fn look(&self, named: &mut Named) -> Result<(), CollectError> {
        // Sorted after the lock is given back: nothing is done under it but copying names.
        let (found, height, bounties, history, log) = {
            let chain = self.chain_blocking();
            let chain = chain.open().ok_or(CollectError::Closed)?;
            let state = chain.state();
            if self.clock().now_ms().saturating_add(CLOCK_BEHIND_MS_MAX) < chain.tip().time_ms {
                return Err(CollectError::Clock);
            }
            let mut found = by_state(state);
            // A record leaves the mempool only once state and history have it.
            for record in self.mempool().records() {
                found.extend(named_blobs(&record.tx).into_iter().map(|blob| blob.id));
            }
            let bounties: Vec<ItemId> = state.bounties().map(|(id, _)| id).collect();
            let history = chain.history().ok_or(CollectError::Closed)?;
            let log = chain.log().view().clone();
            (found, state.height(), bounties, history, log)
        };
        named.blobs.extend(found);
        for bounty in bounties {
            by_reveals(bounty, named.seen, &history, &log, &mut named.blobs)?;
        }
        // The past of the last block may not be written yet: what it reveals was found in
        // the mempool above, and is read at the next look.
        named.seen = Place { height, place: 0 };
        Ok(())
    }
}

/// What nothing names.
type Times = BTreeMap<BlobId, Unnamed>;

/// A blob that nothing names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unnamed {
    since_ms: u64,
    /// Whether it was listed this time.
    is_held: bool,
}

impl Unnamed {
    const fn since(since_ms: u64) -> Self {
        Self {
            since_ms,
            is_held: false,
        }
    }

    fn is_due(&self, now_ms: u64) -> bool {
        self.since_ms.saturating_add(UNNAMED_KEPT_MS) <= now_ms
    }
}

/// What one or more looks found to be named.
struct Named {
    blobs: BTreeSet<BlobId>,
    /// From where on the past is still to be read for reveals.
    seen: Place,
}

impl Default for Named {
    fn default() -> Self {
        Self {
            blobs: BTreeSet::new(),
            seen: Place::BEGIN,
        }
    }
}

/// What the state names.
fn by_state(state: &State) -> Vec<BlobId> {
    let mut named: Vec<BlobId> = state.assets().map(|(_, asset)| asset.blob.id).collect();
    for (id, bounty) in state.bounties() {
        named.push(bounty.posting.test_set.ciphertext.id);
        let submissions = state.submissions(id);
        named.extend(submissions.map(|submission| submission.sealed.ciphertext.id));
    }
    named
}

/// The prediction leaves that a bounty's records have named, from a place on.
fn by_reveals(
    bounty: ItemId,
    mut from: Place,
    history: &History,
    log: &LogView,
    named: &mut BTreeSet<BlobId>,
) -> Result<(), CollectError> {
    loop {
        let (entries, next) = history.entries(Subject::Bounty(bounty), from, PAGE)?;
        let reveals = entries.iter().filter_map(|entry| {
            let is_reveal = entry.record_type.as_deref() == Some(REVEAL);
            match entry.receipt.cause {
                Cause::Record(id) if is_reveal => Some((entry.height, id)),
                _ => None,
            }
        });
        let mut by_height: BTreeMap<u64, BTreeSet<ItemId>> = BTreeMap::new();
        for (height, id) in reveals {
            by_height.entry(height).or_default().insert(id);
        }
        for (height, ids) in by_height {
            of_block(height, &ids, log, named)?;
        }
        let Some(next) = next else {
            return Ok(());
        };
        from = next;
    }
}

/// The blobs that these records of a block name.
fn of_block(
    height: u64,
    ids: &BTreeSet<ItemId>,
    log: &LogView,
    named: &mut BTreeSet<BlobId>,
) -> Result<(), CollectError> {
    let differ = || CollectError::Differ(height);
    let body = log.read(height)?.ok_or_else(differ)?;
    let mut reader = BundleReader::new(&body[..], BODY_LIMITS).map_err(|_| differ())?;
    let mut found = 0;
    while let Some(item) = reader.next_item() {
        let item = item.map_err(|_| differ())?;
        if !ids.contains(&item.id()) {
            continue;
        }
        let item = item.verify().map_err(|_| differ())?;
        let tx = Transaction::read(&item).map_err(|_| differ())?;
        named.extend(named_blobs(&tx).into_iter().map(|blob| blob.id));
        found += 1;
    }
    if found == ids.len() {
        return Ok(());
    }
    Err(differ())
}

/// The times as they were written; none where there are none that can be read. What is read at once is a line.
fn read(path: &Path) -> Times {
    let Ok(file) = fs::File::open(path) else {
        return Times::new();
    };
    lines(BufReader::new(file)).unwrap_or_default()
}

fn lines(mut file: impl BufRead) -> Option<Times> {
    let mut times = Times::new();
    let mut line = String::new();
    let mut has_begun = false;
    loop {
        line.clear();
        let taken = (&mut file).take(LINE_BYTES_MAX).read_line(&mut line).ok()?;
        match line.trim_end() {
            "{" if !has_begun => has_begun = true,
            // A file that was cut ends before this.
            "}" if has_begun => return Some(times),
            entry if has_begun && taken > 0 => {
                let (blob, since) = entry.trim_end_matches(',').split_once(':')?;
                let blob = blob.strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
                times.insert(blob, Unnamed::since(since.parse().ok()?));
            }
            _ => return None,
        }
    }
}

/// Puts the times into the place of the old ones, whole or not at all.
fn write(path: &Path, times: &Times) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = BufWriter::new(fs::File::create(&new)?);
    write!(file, "{{")?;
    for (place, (blob, one)) in times.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        write!(file, "{comma}\n\"{blob}\":{}", one.since_ms)?;
    }
    write!(file, "\n}}\n")?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, system_ms};
    use crate::testing::{AtWork, BEGIN_MS};

    #[test]
    fn what_was_put_after_its_time_began_has_all_of_it_again() {
        let at_work = AtWork::begin(BEGIN_MS, Clock::System);
        let (node, path) = (&at_work.node, at_work.node.dir().join(UNNAMED_FILE));
        let blob = node.blobs().put(&b"again"[..]).unwrap().id;
        let old_ms = system_ms() - 2 * UNNAMED_KEPT_MS;
        // As it is left where the times could not be written when the blob was removed.
        let old = Times::from([(blob, Unnamed::since(old_ms))]);
        write(&path, &old).unwrap();
        assert_eq!(node.collect_blobs().unwrap().removed, []);
        assert!(node.blobs().holds(blob).unwrap());
        assert_eq!(node.collect_blobs().unwrap().unnamed, 1);
        let since_ms = read(&path)[&blob].since_ms;
        assert!(since_ms > old_ms + UNNAMED_KEPT_MS);

        // What has been there for as long goes.
        let file = node.dir().join("blobs/blobs").join(blob.to_string());
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        write(&path, &old).unwrap();
        assert_eq!(node.collect_blobs().unwrap().removed, [blob]);
        assert!(!node.blobs().holds(blob).unwrap());
    }

    #[test]
    fn the_times_are_kept_however_the_look_ends() {
        let at_work = AtWork::by_hand();
        let (node, path) = (&at_work.node, at_work.node.dir().join(UNNAMED_FILE));
        let held = node.blobs().put(&b"held"[..]).unwrap().id;
        let times = |blobs: &[BlobId]| -> Times {
            let old = |&blob| (blob, Unnamed::since(BEGIN_MS - UNNAMED_KEPT_MS));
            blobs.iter().map(old).collect()
        };
        write(&path, &times(&[held, BlobId([9; 32])])).unwrap();
        let naming = node.naming().blocking_read();
        std::thread::scope(|scope| {
            let collecting = scope.spawn(|| node.collect_blobs());
            // Until it waits to remove what is due.
            while node.naming().try_read().is_ok() && !collecting.is_finished() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let chain = node.chain_blocking();
            chain.open().unwrap().database().lose(true);
            drop((chain, naming));
            collecting.join().unwrap().unwrap_err();
        });
        assert!(node.blobs().holds(held).unwrap());
        assert_eq!(read(&path), times(&[held]));
    }

    #[test]
    fn the_times_of_more_than_a_million_blobs_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(UNNAMED_FILE);
        let blob = |count: u64| {
            let mut id = [7; 32];
            id[..8].copy_from_slice(&count.to_be_bytes());
            BlobId(id)
        };
        let times = (0..1_200_000).map(|count| (blob(count), 1_700_000_000_000 + count));
        let times: Times = times
            .map(|(blob, since)| (blob, Unnamed::since(since)))
            .collect();
        write(&path, &times).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 64 << 20);
        assert!(read(&path) == times);
    }

    #[test]
    fn the_times_are_json_and_what_is_damaged_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(UNNAMED_FILE);
        let all = |count: u8| -> Times {
            (0..count)
                .map(|seed| (BlobId([seed; 32]), Unnamed::since(seed.into())))
                .collect()
        };
        for count in [0, 1, 3] {
            write(&path, &all(count)).unwrap();
            let bytes = fs::read(&path).unwrap();
            let found: BTreeMap<BlobId, u64> = protocol::json::from_slice(&bytes, 1_000).unwrap();
            let found = found
                .into_iter()
                .map(|(blob, since)| (blob, Unnamed::since(since)));
            assert_eq!(found.collect::<Times>(), all(count));
            assert_eq!(read(&path), all(count));
            let whole = bytes.len() - 2;
            for cut in [&bytes[..whole], &bytes[..whole / 2], &bytes[1..], b""] {
                fs::write(&path, cut).unwrap();
                assert_eq!(read(&path), Times::new());
            }
        }
        fs::write(&path, "{".repeat(1 << 20)).unwrap();
        assert_eq!(read(&path), Times::new());
    }
}
