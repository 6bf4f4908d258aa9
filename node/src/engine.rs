//! The engine: the one thread that makes blocks, and the handle by which all
//! others offer records and read the state.
//!
//! ```text
//! submit ─► mempool ─► engine thread ─► chain (apply, log, sync) ─► answers, heights
//!                          ▲
//!                    clock: a deadline is due
//! ```
//!
//! A block is made when a record waits, and when a deadline is due. A deadline has a
//! block without records first. Where that was not enough for the clock, its blocks
//! and those with records that wait take turns: in these too the clock does its work
//! before the records.
//!
//! Invariants: the state is read under a lock that is held from before a block
//! is applied until it is synced, so nobody sees a block that could be lost. A
//! record leaves the mempool only after its receipt is in the history: who looks
//! into the mempool first and the history second finds it, wherever it is.
//! Locks are taken in the order naming, chain, mempool. A log that cannot be written
//! closes the chain; the engine opens it again as soon as that works, and
//! nothing is answered for in between.

mod thread;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use market::State;
use protocol::Amount;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::api::{HistoryEntry, Problem};
use protocol::id::ItemId;
use protocol::receipt::{Cause, Receipt};
use tokio::sync::{RwLock, RwLockReadGuard, Semaphore, oneshot, watch};

use crate::admission;
use crate::blobs::Blobs;
use crate::block::Record;
use crate::chain::{Chain, ChainError, Recovery};
use crate::clock::Clock;
use crate::derived::DerivedError;
use crate::history::{History, Place};
use crate::inclusion::{self, Answer, Inclusion};
use crate::mempool::{Mempool, MempoolLimits, Unfit};
use crate::sequencer::{Proposer, SignError};
use thread::Engine;

/// The engine wakes at least so often, to look at the clock.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// How long after the last block the database is flushed.
const FLUSH_AFTER: Duration = Duration::from_secs(2);

/// Under load the engine waits so long for more records before it makes the next
/// block: a block has costs of its own, a signature, a sync, the roots.
const GATHER: Duration = Duration::from_millis(1);

/// How long to wait before a chain that failed is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Block time may run so far ahead of the clock, because it must rise with every
/// block; if the clock is further behind, it is wrong, and no block is made.
pub(crate) const CLOCK_BEHIND_MS_MAX: u64 = 2_000;

/// So many offers at once look into the past for records that may be on the log already.
const PAST_LOOKS_MAX: usize = 4;

/// The most bytes of blocks' pasts that such a look reads, but for the last block's, before others have their turn.
#[cfg(not(test))]
const PAST_BYTES_MAX: usize = 16 << 20;
/// In tests a block at a time.
#[cfg(test)]
const PAST_BYTES_MAX: usize = 0;

/// Signs what the node proposes.
pub type Signer = Arc<dyn Proposer>;

/// What a node is opened with.
pub struct Config {
    /// The folder of log and state database.
    pub dir: PathBuf,
    /// Who signs blocks.
    pub signer: Signer,
    /// Where time comes from.
    pub clock: Clock,
    /// What may wait.
    pub mempool: MempoolLimits,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// A record's way through the node, for whoever offered it.
#[derive(Debug)]
pub enum Ticket {
    /// It is on the log already.
    Final(Inclusion),
    /// It waits; the answer comes here.
    Waiting(oneshot::Receiver<Answer>),
}

/// What would come of a record in the next block.
#[derive(Debug)]
pub struct Trial {
    /// What its bytes cost.
    pub byte_fee: Amount,
    /// The receipt it would have, if it could be included.
    pub receipt: Option<Receipt>,
    /// Why it could not be included, or what rule would reject it.
    pub problem: Option<Problem>,
}

/// A node at work. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    signer: Signer,
    clock: Clock,
    blobs: Blobs,
    /// None while the log cannot be written.
    chain: RwLock<Option<Chain>>,
    mempool: Mutex<Mempool>,
    /// Told when a record waits, the clock was set, or the node stops.
    work: Condvar,
    heights: watch::Sender<u64>,
    trouble: Mutex<Option<Problem>>,
    is_stopping: AtomicBool,
    /// The height after which somebody wants an empty block.
    wanted_after: AtomicU64,
    has_ended: watch::Sender<bool>,
    /// Held while a record that names blobs is checked and taken; wholly, while blobs
    /// are removed. Taken before all other locks.
    naming: RwLock<()>,
    /// Looks into the past, of those who offer what may be on the log already.
    past_looks: Arc<Semaphore>,
}

/// What an offer comes to before the past was asked.
enum Offered {
    Ticket(Ticket),
    /// Its nonce is used: by itself, which the past tells, or it is not taken for this.
    Used {
        id: ItemId,
        otherwise: Problem,
    },
}

/// A record, and whether all blobs that it names are held: that is asked only of one that is neither on the log nor
/// waiting, because what those named may have gone since.
type Checked = (Record, Result<(), Problem>);

/// No height: nobody wants an empty block.
const NOBODY: u64 = u64::MAX;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("dir", &self.shared.dir)
            .finish_non_exhaustive()
    }
}

/// Whether a network was begun in this folder.
///
/// # Errors
///
/// The folder cannot be read.
pub fn exists(dir: &Path) -> Result<bool, ChainError> {
    Ok(crate::log::Log::exists(&dir.join("log"))?)
}

/// Begins a network in a folder, and closes it again.
///
/// # Errors
///
/// As [`Chain::create`].
pub fn create(dir: &Path, genesis: &VerifiedItem) -> Result<(), ChainError> {
    drop(Chain::create(dir, genesis, None)?);
    Ok(())
}

impl Node {
    /// Opens the chain in the folder and sets its engine to work.
    ///
    /// # Errors
    ///
    /// The chain does not open; or the system gives no thread.
    pub fn open(
        config: Config,
        blobs: Blobs,
    ) -> Result<(Self, Recovery, JoinHandle<()>), ChainError> {
        let (chain, recovery) = open_chain(&config.dir, &config.signer)?;
        let shared = Arc::new(Shared {
            dir: config.dir,
            signer: config.signer,
            clock: config.clock,
            blobs,
            heights: watch::Sender::new(chain.tip().height),
            chain: RwLock::new(Some(chain)),
            mempool: Mutex::new(Mempool::new(config.mempool)),
            work: Condvar::new(),
            trouble: Mutex::new(None),
            is_stopping: AtomicBool::new(false),
            wanted_after: AtomicU64::new(NOBODY),
            has_ended: watch::Sender::new(false),
            naming: RwLock::new(()),
            past_looks: Arc::new(Semaphore::new(PAST_LOOKS_MAX)),
        });
        let engine = Engine {
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || engine.run())
            .map_err(|error| ChainError::Stopped(format!("no thread for the engine: {error}")))?;
        Ok((Self { shared }, recovery, thread))
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.shared.blobs
    }

    /// The folder of log and state database.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// What keeps records that name blobs and the removal of blobs apart.
    pub(crate) fn naming(&self) -> &RwLock<()> {
        &self.shared.naming
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The chain, between two blocks; the engine waits until this is dropped.
    pub async fn chain(&self) -> ChainGuard<'_> {
        ChainGuard(self.shared.chain.read().await)
    }

    /// The same from a thread that may block.
    pub fn chain_blocking(&self) -> ChainGuard<'_> {
        ChainGuard(self.shared.chain.blocking_read())
    }

    /// For tests: does something to the chain.
    #[cfg(test)]
    pub(crate) fn with_chain(&self, change: impl FnOnce(&mut Chain)) {
        let mut chain = self.shared.chain.blocking_write();
        change(chain.as_mut().expect("it is open"));
    }

    /// The height of the last block, and a way to wait for the next one.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.shared.heights.subscribe()
    }

    /// The mempool. Hold it for moments only.
    pub fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.shared.mempool()
    }

    /// What keeps the node from taking records, if anything does.
    pub fn trouble(&self) -> Option<Problem> {
        if self.shared.is_stopping() {
            return Some(stopping());
        }
        let trouble = self.shared.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Offers a record that was read from a verified item.
    ///
    /// # Errors
    ///
    /// Why it is not taken.
    pub async fn submit(&self, record: Record) -> Result<Ticket, Problem> {
        self.submit_all(vec![record]).await.remove(0)
    }

    /// Offers many at once: the engine sees all of them or none.
    pub async fn submit_all(&self, records: Vec<Record>) -> Vec<Result<Ticket, Problem>> {
        let naming = match records.iter().any(names_blobs) {
            true => Some(self.naming().read().await),
            false => None,
        };
        let mut checked = Vec::with_capacity(records.len());
        for record in records {
            let held = self.check_blobs(&record).await;
            checked.push((record, held));
        }
        let chain = self.chain().await;
        let offered = self.offer_all(&chain, checked);
        drop((chain, naming));
        let found = self.past_of(used(&offered)).await;
        tickets(offered, found)
    }

    /// As [`Node::submit_all`], from a thread that may block.
    pub fn submit_blocking(&self, records: Vec<Record>) -> Vec<Result<Ticket, Problem>> {
        let names = records.iter().any(names_blobs);
        let naming = names.then(|| self.naming().blocking_read());
        let held = |record: Record| {
            let held = admission::check_held(&self.shared.blobs, &record.tx)
                .map_err(|error| inclusion::not_held(&error));
            (record, held)
        };
        let records = records.into_iter().map(held).collect();
        let chain = self.chain_blocking();
        let offered = self.offer_all(&chain, records);
        drop((chain, naming));
        let found = self.past_of_blocking(&used(&offered));
        tickets(offered, found)
    }

    /// What is on the log of these records, in their order.
    fn past_of_blocking(&self, ids: &[ItemId]) -> Result<Vec<Option<HistoryEntry>>, Problem> {
        let mut found = vec![None; ids.len()];
        if ids.is_empty() {
            return Ok(found);
        }
        let history = self.history()?;
        let places = history.places_of(ids);
        let places = places.map_err(|error| inclusion::no_past(&error))?;
        let entries = history.entries_at(&places, usize::MAX);
        let entries = entries.map_err(|error| inclusion::no_past(&error))?;
        put(&mut found, ids, &places, entries)?;
        Ok(found)
    }

    /// The past as it is now, from a thread that may block. Nobody keeps it longer than one look: the chain cannot
    /// be opened again while somebody has it.
    fn history(&self) -> Result<History, Problem> {
        let chain = self.chain_blocking();
        let chain = chain.open().ok_or_else(|| self.closed())?;
        let history = chain.history().ok_or_else(DerivedError::failed);
        history.map_err(|error| inclusion::no_past(&error))
    }

    /// What would come of a record in the next block. Blocks, and the next block waits for it: whoever lets others
    /// ask bounds how many do at once.
    ///
    /// # Errors
    ///
    /// The node cannot say now.
    pub fn trial_blocking(&self, tx: &protocol::record::Transaction) -> Result<Trial, Problem> {
        let mut chain = self.shared.chain.blocking_write();
        let chain = chain.as_mut().ok_or_else(|| self.closed())?;
        let fee_per_byte = chain.state().parameters().fee_per_byte;
        let time_ms = self.shared.clock.now_ms().max(chain.tip().time_ms + 1);
        let (receipt, rejected) = match chain.trial(tx, time_ms) {
            Ok((receipt, rejected)) => (Some(receipt), rejected),
            Err(why) => (None, Some(why)),
        };
        Ok(Trial {
            byte_fee: tx.byte_fee(fee_per_byte).unwrap_or(Amount::MAX),
            receipt,
            problem: rejected.map(|why| inclusion::rejection(&why)),
        })
    }

    /// Sets a clock that is driven by hand, and waits until all work that is due is done.
    ///
    /// # Errors
    ///
    /// The clock is the machine's, or the node is in trouble.
    pub async fn set_clock(&self, time_ms: u64) -> Result<(u64, u64), Problem> {
        let mut heights = self.heights();
        let shown = self.shared.clock.set(time_ms).ok_or_else(|| {
            Problem::new(
                "clock_not_by_hand",
                "this node's clock is the machine's",
                "start a test node with --clock hand to drive its clock",
            )
        })?;
        self.shared.wake();
        loop {
            heights.mark_unchanged();
            let height = {
                let chain = self.chain().await;
                let state = chain.open().ok_or_else(|| self.closed())?.state();
                let is_due = state.next_deadline_ms().is_some_and(|due| due <= shown);
                (!is_due).then(|| state.height())
            };
            if let Some(height) = height {
                return Ok((shown, height));
            }
            if let Some(trouble) = self.trouble() {
                return Err(trouble);
            }
            let _ = tokio::time::timeout(WAKE_EVERY, heights.changed()).await;
        }
    }

    /// Asks the engine for a block without records, unless one follows height
    /// `after` already, and waits for it a while.
    pub async fn block_after(&self, after: u64) {
        let mut heights = self.heights();
        if *heights.borrow_and_update() != after {
            return;
        }
        self.shared.wanted_after.store(after, Ordering::SeqCst);
        self.shared.wake();
        let _ = tokio::time::timeout(WAKE_EVERY, heights.changed()).await;
    }

    /// Lets what waits into last blocks and ends the engine.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        self.shared.wake();
    }

    /// Resolves when the engine has ended, asked or not.
    pub async fn ended(&self) {
        let mut ended = self.shared.has_ended.subscribe();
        // An error means that it is gone, which is an end too.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    async fn check_blobs(&self, record: &Record) -> Result<(), Problem> {
        if !names_blobs(record) {
            return Ok(());
        }
        let (node, tx) = (self.clone(), record.tx.clone());
        let checked = tokio::task::spawn_blocking(move || {
            admission::check_held(&node.shared.blobs, &tx)
                .map_err(|error| inclusion::not_held(&error))
        });
        checked.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// What is on the log of these records, in their order. It is read in pieces, so that others who ask have their
    /// turn in between.
    async fn past_of(&self, ids: Vec<ItemId>) -> Result<Vec<Option<HistoryEntry>>, Problem> {
        let mut found = vec![None; ids.len()];
        if ids.is_empty() {
            return Ok(found);
        }
        let ids: Arc<[ItemId]> = ids.into();
        let wanted = Arc::clone(&ids);
        let places = self.read_past(move |history| history.places_of(&wanted));
        let places: Arc<[_]> = places.await?.into();
        let mut done = 0;
        while done < places.len() {
            let wanted = Arc::clone(&places);
            let read = move |history: &History| history.entries_at(&wanted[done..], PAST_BYTES_MAX);
            let entries = self.read_past(read).await?;
            let piece = &places[done..];
            done += entries.len();
            put(&mut found, &ids, piece, entries)?;
        }
        Ok(found)
    }

    /// Looks into the past, in turn, and on no thread that answers others.
    async fn read_past<T: Send + 'static>(
        &self,
        work: impl FnOnce(&History) -> Result<T, DerivedError> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.shared.past_looks).acquire_owned().await;
        let node = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&node.history()?).map_err(|error| inclusion::no_past(&error))
        });
        looked.await.unwrap_or_else(|_| Err(stopping()))
    }

    fn offer_all(
        &self,
        chain: &ChainGuard<'_>,
        records: Vec<Checked>,
    ) -> Vec<Result<Offered, Problem>> {
        let records = records.into_iter();
        records.map(|record| self.offer(chain, record)).collect()
    }

    fn offer(&self, chain: &ChainGuard<'_>, (record, held): Checked) -> Result<Offered, Problem> {
        let chain = chain.open().ok_or_else(|| self.closed())?;
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        if let Some(behind_ms) = self.behind_ms(chain) {
            return Err(clock_behind(behind_ms));
        }
        let (state, id, tx) = (chain.state(), record.item.id(), &record.tx);
        let mut mempool = self.mempool();
        if let Some(receiver) = mempool.join(id) {
            return Ok(Offered::Ticket(Ticket::Waiting(receiver)));
        }
        let account = state.account(tx.signer);
        let given = tx.envelope.nonce;
        let time_ms = self.shared.clock.now_ms().max(chain.tip().time_ms + 1);
        let fee = state
            .check_envelope(tx, time_ms)
            .map_err(|why| inclusion::rejection(&why));
        if given < account.nonce {
            // Whether it is on the log already only the past can tell: without it nobody
            // may be told that the nonce is another record's. It does not wait, so it is
            // there by now or never.
            let unfit = || inclusion::unfit(Unfit::Nonce(account.nonce), given, account.balance);
            let otherwise = held.err().or(fee.err()).unwrap_or_else(unfit);
            return Ok(Offered::Used { id, otherwise });
        }
        held?;
        let fee = fee?;
        let was_idle = mempool.is_idle();
        let receiver = mempool
            .add(record, fee, account.nonce, account.balance)
            .map_err(|why| inclusion::unfit(why, given, account.balance))?;
        if was_idle {
            self.shared.work.notify_all();
        }
        Ok(Offered::Ticket(Ticket::Waiting(receiver)))
    }

    /// How far the clock is behind the last block, if that is too far for a next one.
    pub fn behind_ms(&self, chain: &Chain) -> Option<u64> {
        let (clock, parent_ms) = (&self.shared.clock, chain.tip().time_ms);
        let behind_ms = parent_ms.saturating_sub(clock.now_ms());
        (behind_ms > CLOCK_BEHIND_MS_MAX && !clock.is_by_hand()).then_some(behind_ms)
    }

    fn closed(&self) -> Problem {
        self.trouble().unwrap_or_else(stopping)
    }
}

/// The chain, held between two blocks.
pub struct ChainGuard<'a>(RwLockReadGuard<'a, Option<Chain>>);

impl ChainGuard<'_> {
    /// The chain; none while its log cannot be written.
    pub fn open(&self) -> Option<&Chain> {
        self.0.as_ref()
    }

    /// The state after the last block.
    pub fn state(&self) -> Option<&State> {
        self.open().map(Chain::state)
    }
}

/// Whether a record is to be kept apart from the removal of blobs.
fn names_blobs(record: &Record) -> bool {
    !admission::named_blobs(&record.tx).is_empty()
}

/// The records whose nonce is used: the past tells which of them are on the log.
fn used(offered: &[Result<Offered, Problem>]) -> Vec<ItemId> {
    let used = offered.iter().filter_map(|one| match one {
        Ok(Offered::Used { id, .. }) => Some(*id),
        _ => None,
    });
    used.collect()
}

/// Puts entries where the records stand among `ids` that they are of. That each is of its record is looked at: whoever
/// is told of another's takes its own for done.
fn put(
    found: &mut [Option<HistoryEntry>],
    ids: &[ItemId],
    places: &[(Place, usize)],
    entries: Vec<HistoryEntry>,
) -> Result<(), Problem> {
    for (&(_, index), entry) in places.iter().zip(entries) {
        if entry.receipt.cause != Cause::Record(ids[index]) {
            return Err(inclusion::no_past(&DerivedError::failed()));
        }
        found[index] = Some(entry);
    }
    Ok(())
}

/// What came of offers, with what is on the log of those whose nonce is used.
fn tickets(
    offered: Vec<Result<Offered, Problem>>,
    found: Result<Vec<Option<HistoryEntry>>, Problem>,
) -> Vec<Result<Ticket, Problem>> {
    let mut found = found.map(Vec::into_iter);
    let mut ticket = |one| match one {
        Offered::Ticket(ticket) => Ok(ticket),
        Offered::Used { otherwise, .. } => match &mut found {
            Ok(found) => {
                let entry = found.next().flatten();
                entry.map(included).map(Ticket::Final).ok_or(otherwise)
            }
            Err(problem) => Err(problem.clone()),
        },
    };
    offered.into_iter().map(|one| ticket(one?)).collect()
}

/// A record that is on the log, with no other's receipt.
fn included(entry: HistoryEntry) -> Inclusion {
    let rejected = entry.receipt.rejected.as_ref();
    Inclusion {
        height: entry.height,
        time_ms: entry.time_ms,
        place: entry.place,
        problem: rejected.map(|code| inclusion::rejected_by(code.as_str())),
        index: 0,
        receipts: [entry.receipt].into(),
    }
}

/// Why no block can be made for a while: a block's time must be later than its parent's.
pub(crate) fn clock_behind(behind_ms: u64) -> Problem {
    let seconds = behind_ms / 1_000;
    Problem::new(
        "clock_behind",
        format_args!(
            "the node's clock is {seconds} seconds behind its last block, so it can make no block"
        ),
        format!(
            "if the clock is wrong, the node's operator sets it right; if it is right, an earlier run's \
             was ahead: the node goes on by itself in {seconds} seconds"
        ),
    )
    .retry_after_ms(behind_ms.clamp(1_000, 60_000))
}

fn stopping() -> Problem {
    Problem::new(
        "stopping",
        "the node is stopping",
        "post the same bytes again when it is back",
    )
    .retry_after_ms(1_000)
}

fn open_chain(dir: &Path, signer: &Signer) -> Result<(Chain, Recovery), ChainError> {
    let signer = Arc::clone(signer);
    let sign = move |draft: Draft| -> Result<VerifiedItem, SignError> { signer.sign(draft) };
    Chain::open(dir, Some(Box::new(sign)))
}

impl Shared {
    fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        // Under the lock, so that an engine on its way to sleep hears it.
        let _mempool = self.mempool();
        self.work.notify_all();
    }

    /// Whether this is another trouble than before.
    fn set_trouble(&self, trouble: Option<Problem>) -> bool {
        let mut slot = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let code = |trouble: &Option<Problem>| trouble.as_ref().map(|one| one.code.clone());
        let is_new = code(&slot) != code(&trouble);
        *slot = trouble;
        is_new
    }
}

#[cfg(test)]
mod tests;
