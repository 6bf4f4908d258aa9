//! Removing blobs that nothing names any more, so that a disk does not fill for good.
//!
//! **Named** is a blob by: an asset (its archive, or the ciphertext of what was submitted);
//! a bounty that the ledger has not forgotten (its test set, its submissions, every batch
//! of prediction leaves that its records revealed); a record that waits. The ledger forgets
//! a bounty `retention_ms` after its end.
//!
//! Invariants: a blob is removed only after it was held and unnamed for [`UNNAMED_KEPT_MS`]
//! by the node's clock, which is not behind the last block, and no record that names it can be taken between the last look and
//! the removal. If state or history cannot be read, nothing is removed.
//!
//! Recovery: since when each blob is unnamed stands in `unnamed.json` of the node's folder.
//! Lost or damaged, the time begins anew. Names are never stored: they are the log's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use market::State;
use protocol::ans104::bundle::BundleReader;
use protocol::id::{BlobId, ItemId};
use protocol::json;
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

/// The most bytes of that file: some 900,000 blobs.
const UNNAMED_FILE_BYTES_MAX: usize = 64 << 20;

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
    /// Looks at all blobs and removes those whose time has come. Blocks: it reads folders
    /// and the log.
    ///
    /// # Errors
    ///
    /// [`CollectError`]; what was removed by then stays removed.
    pub fn collect_blobs(&self) -> Result<Collected, CollectError> {
        let path = self.dir().join(UNNAMED_FILE);
        let now_ms = self.clock().now_ms();
        let held: BTreeMap<BlobId, u64> = self.blobs().list()?.into_iter().collect();
        let before = read(&path);
        let named = self.named()?;
        let unnamed = held.keys().filter(|blob| !named.contains(blob));
        let since = |blob: &BlobId| before.get(blob).copied().unwrap_or(now_ms);
        let mut times: BTreeMap<BlobId, u64> = unnamed.map(|blob| (*blob, since(blob))).collect();
        let is_due = |since: u64| since.saturating_add(UNNAMED_KEPT_MS) <= now_ms;
        let mut collected = Collected::default();
        if times.values().any(|&since| is_due(since)) {
            // From here on no record is taken that names a blob, until the due ones are gone.
            let _guard = self.naming().blocking_write();
            let named = self.named()?;
            times.retain(|blob, _| !named.contains(blob));
            for (&blob, _) in times.iter().filter(|&(_, &since)| is_due(since)) {
                if self.blobs().remove(blob)? {
                    collected.removed.push(blob);
                    collected.removed_bytes += held.get(&blob).copied().unwrap_or_default();
                }
            }
        }
        for blob in &collected.removed {
            times.remove(blob);
        }
        collected.unnamed = times.len();
        if times != before {
            write(&path, &times)?;
        }
        Ok(collected)
    }

    /// Every blob that something names.
    fn named(&self) -> Result<BTreeSet<BlobId>, CollectError> {
        // Sorted after the lock is given back: nothing is done under it but copying names.
        let (named, bounties, history, log) = {
            let chain = self.chain_blocking();
            let chain = chain.open().ok_or(CollectError::Closed)?;
            let state = chain.state();
            if self.clock().now_ms().saturating_add(CLOCK_BEHIND_MS_MAX) < chain.tip().time_ms {
                return Err(CollectError::Clock);
            }
            let mut named = by_state(state);
            // A record leaves the mempool only once state and history have it.
            for record in self.mempool().records() {
                named.extend(named_blobs(&record.tx).into_iter().map(|blob| blob.id));
            }
            let bounties: Vec<ItemId> = state.bounties().map(|(id, _)| id).collect();
            let history = chain.history().ok_or(CollectError::Closed)?;
            (named, bounties, history, chain.log().view().clone())
        };
        let mut named: BTreeSet<BlobId> = named.into_iter().collect();
        for bounty in bounties {
            by_reveals(bounty, &history, &log, &mut named)?;
        }
        Ok(named)
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

/// The prediction leaves that a bounty's records have named.
fn by_reveals(
    bounty: ItemId,
    history: &History,
    log: &LogView,
    named: &mut BTreeSet<BlobId>,
) -> Result<(), CollectError> {
    let mut from = Place::BEGIN;
    loop {
        let entries = history.entries(Subject::Bounty(bounty), from, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        from = Place {
            height: last.height,
            place: last.place,
        }
        .next();
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

/// The times; none where there are none that can be read.
fn read(path: &Path) -> BTreeMap<BlobId, u64> {
    let too_long =
        fs::metadata(path).is_ok_and(|found| found.len() > UNNAMED_FILE_BYTES_MAX as u64);
    if too_long {
        return BTreeMap::new();
    }
    let bytes = fs::read(path).unwrap_or_default();
    json::from_slice(&bytes, UNNAMED_FILE_BYTES_MAX).unwrap_or_default()
}

/// Puts the times into the place of the old ones, whole or not at all.
fn write(path: &Path, times: &BTreeMap<BlobId, u64>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&json::to_vec(times))?;
    file.sync_all()?;
    fs::rename(&new, path)
}
