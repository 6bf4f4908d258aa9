//! The engine: the one thread that makes blocks, and the handle by which all
//! others offer records and read the state.
//!
//! ```text
//! submit ─► mempool ─► engine thread ─► chain (apply, log, sync) ─► answers, heights
//!                          ▲
//!                    clock: a deadline is due
//! ```
//!
//! A block is made when a record waits, and when a deadline is due. A block that
//! the clock moves a bounty on with holds no records: so the same records at the
//! same times make the same blocks again.
//!
//! Invariants: the state is read under a lock that is held from before a block
//! is applied until it is synced, so nobody sees a block that could be lost. A
//! record leaves the mempool only after its receipt is in the history: who looks
//! into the mempool first and the history second finds it, wherever it is.
//! Locks are taken in the order chain, mempool. A log that cannot be written
//! closes the chain; the engine opens it again as soon as that works, and
//! nothing is answered for in between.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use market::State;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::api::Problem;
use protocol::id::ItemId;
use tokio::sync::{RwLock, RwLockReadGuard, oneshot, watch};

use crate::admission;
use crate::blobs::Blobs;
use crate::block::Record;
use crate::chain::{BlockResult, Chain, ChainError, Recovery, Refused};
use crate::clock::Clock;
use crate::history::{History, Place};
use crate::inclusion::{self, Answer, Inclusion};
use crate::mempool::{Mempool, MempoolLimits};
use crate::sequencer::{Proposer, SignError};

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
const CLOCK_BEHIND_MS_MAX: u64 = 2_000;

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
}

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
        self.check_blobs(&record).await?;
        let chain = self.chain().await;
        self.offer(&chain, record)
    }

    /// Offers many at once: the engine sees all of them or none.
    pub async fn submit_all(&self, records: Vec<Record>) -> Vec<Result<Ticket, Problem>> {
        let mut checked = Vec::with_capacity(records.len());
        for record in records {
            let held = self.check_blobs(&record).await;
            checked.push(held.map(|()| record));
        }
        let chain = self.chain().await;
        checked
            .into_iter()
            .map(|record| self.offer(&chain, record?))
            .collect()
    }

    /// As [`Node::submit_all`], from a thread that may block.
    pub fn submit_blocking(&self, records: Vec<Record>) -> Vec<Result<Ticket, Problem>> {
        let held = |record: Record| {
            admission::check_held(&self.shared.blobs, &record.tx)
                .map(|()| record)
                .map_err(|error| inclusion::not_held(&error))
        };
        let records: Vec<_> = records.into_iter().map(held).collect();
        let chain = self.chain_blocking();
        records
            .into_iter()
            .map(|record| self.offer(&chain, record?))
            .collect()
    }

    /// What would come of a record in the next block.
    ///
    /// # Errors
    ///
    /// The node cannot say now.
    pub async fn trial(
        &self,
        tx: &protocol::record::Transaction,
    ) -> Result<(Option<protocol::receipt::Receipt>, Option<Problem>), Problem> {
        let mut chain = self.shared.chain.write().await;
        let chain = chain.as_mut().ok_or_else(|| self.closed())?;
        let time_ms = self.shared.clock.now_ms().max(chain.tip().time_ms + 1);
        Ok(match chain.trial(tx, time_ms) {
            Ok((receipt, rejected)) => (
                Some(receipt),
                rejected.map(|why| inclusion::rejection(&why)),
            ),
            Err(why) => (None, Some(inclusion::rejection(&why))),
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
        if admission::named_blobs(&record.tx).is_empty() {
            return Ok(());
        }
        let (node, tx) = (self.clone(), record.tx.clone());
        let checked = tokio::task::spawn_blocking(move || {
            admission::check_held(&node.shared.blobs, &tx)
                .map_err(|error| inclusion::not_held(&error))
        });
        checked.await.unwrap_or_else(|_| Err(stopping()))
    }

    fn offer(&self, chain: &ChainGuard<'_>, record: Record) -> Result<Ticket, Problem> {
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
            return Ok(Ticket::Waiting(receiver));
        }
        let account = state.account(tx.signer);
        if tx.envelope.nonce < account.nonce
            && let Some(found) = included(chain.history().as_ref(), id)
        {
            return Ok(Ticket::Final(found));
        }
        let time_ms = self.shared.clock.now_ms().max(chain.tip().time_ms + 1);
        let fee = state
            .check_envelope(tx, time_ms)
            .map_err(|why| inclusion::rejection(&why))?;
        let given = tx.envelope.nonce;
        let was_idle = mempool.is_idle();
        let receiver = mempool
            .add(record, fee, account.nonce, account.balance)
            .map_err(|why| inclusion::unfit(why, given, account.balance))?;
        if was_idle {
            self.shared.work.notify_all();
        }
        Ok(Ticket::Waiting(receiver))
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

/// A record that is on the log, from the history.
fn included(history: Option<&History>, id: ItemId) -> Option<Inclusion> {
    let history = history?;
    let Place { height, place } = history.place_of(id).ok()??;
    let receipts: Arc<[_]> = history.receipts(height).ok()??.into();
    let time_ms = history.block(height).ok()??.time_ms;
    let rejected = receipts.get(place as usize)?.rejected.as_ref();
    Some(Inclusion {
        height,
        time_ms,
        place,
        problem: rejected.map(|code| inclusion::rejected_by(code.as_str())),
        receipts,
    })
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

struct Engine {
    shared: Arc<Shared>,
}

/// What a block is made of.
#[derive(Clone, Copy)]
enum Of {
    /// Nothing but the clock's work.
    Nothing,
    /// What waits.
    Records,
}

/// Told whatever way the engine ends, a panic included.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
        self.0.mempool().answer_all(&Err(stopping()));
        self.0.has_ended.send_replace(true);
    }
}

impl Engine {
    fn run(self) {
        let shared = &*self.shared;
        let _ended = Ended(shared);
        let mut is_flushed = true;
        let mut last_records = 0;
        loop {
            let is_stopping = shared.is_stopping();
            if !is_stopping && shared.chain.blocking_read().is_none() {
                self.reopen();
                continue;
            }
            let due_ms = self.next_deadline_ms();
            let now_ms = shared.clock.now_ms();
            if due_ms.is_some_and(|due_ms| due_ms <= now_ms) && !is_stopping {
                is_flushed = false;
                self.make_block(now_ms, Of::Nothing);
                continue;
            }
            let waiting = shared.mempool().waiting();
            if waiting > 0 && waiting < last_records && !is_stopping {
                std::thread::sleep(GATHER);
            }
            if !shared.mempool().is_idle() {
                is_flushed = false;
                last_records = self.make_block(now_ms, Of::Records);
                continue;
            }
            if is_stopping {
                break;
            }
            let wanted_after = shared.wanted_after.swap(NOBODY, Ordering::SeqCst);
            if wanted_after == *shared.heights.borrow() {
                is_flushed = false;
                self.make_block(now_ms, Of::Nothing);
                continue;
            }
            let wait = self.wait_for(due_ms, now_ms);
            let mempool = shared.mempool();
            // Whoever wakes the engine takes this lock: what they changed is seen here or heard below.
            let is_wanted = shared.wanted_after.load(Ordering::SeqCst) != NOBODY;
            let is_due = due_ms.is_some_and(|due_ms| due_ms <= shared.clock.now_ms());
            if !mempool.is_idle() || is_wanted || is_due || shared.is_stopping() {
                continue;
            }
            let wait = if is_flushed {
                wait
            } else {
                wait.min(FLUSH_AFTER)
            };
            let (mempool, slept) = shared
                .work
                .wait_timeout(mempool, wait)
                .unwrap_or_else(PoisonError::into_inner);
            drop(mempool);
            if slept.timed_out() && !is_flushed {
                let database = {
                    let chain = shared.chain.blocking_read();
                    chain.as_ref().map(|chain| Arc::clone(chain.database()))
                };
                if let Some(database) = database {
                    database.flush();
                }
                is_flushed = true;
            }
        }
        if let Some(chain) = shared.chain.blocking_write().take() {
            // The log is whole; a database that fails now is rebuilt on the next start.
            let _ = chain.close();
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        let chain = self.shared.chain.blocking_read();
        chain.as_ref()?.state().next_deadline_ms()
    }

    /// How long there is nothing to do, if no record comes.
    fn wait_for(&self, due_ms: Option<u64>, now_ms: u64) -> Duration {
        if self.shared.clock.is_by_hand() {
            // Setting it wakes the engine.
            return 60 * WAKE_EVERY;
        }
        due_ms.map_or(60 * WAKE_EVERY, |due_ms| {
            // In steps, because the machine's clock can be set while this sleeps.
            Duration::from_millis(due_ms.saturating_sub(now_ms)).min(WAKE_EVERY)
        })
    }

    /// Makes one block and tells everyone; whatever goes wrong, nobody is told
    /// what is not on the log. Gives how many records it took from the mempool.
    fn make_block(&self, now_ms: u64, of: Of) -> usize {
        let shared = &*self.shared;
        let mut guard = shared.chain.blocking_write();
        let Some(chain) = guard.as_mut() else {
            return 0;
        };
        let parent_ms = chain.tip().time_ms;
        if now_ms + CLOCK_BEHIND_MS_MAX < parent_ms && !shared.clock.is_by_hand() {
            drop(guard);
            self.clock_is_behind(parent_ms - now_ms);
            return 0;
        }
        let time_ms = now_ms.max(parent_ms + 1);
        // Under the chain's lock, which whoever offers many at once holds too: so
        // that all of them are there or none.
        let records = match of {
            Of::Nothing => Vec::new(),
            Of::Records => {
                let bytes_max = chain.genesis().genesis.parameters.block_bytes_max;
                shared.mempool().take(bytes_max as usize)
            }
        };
        let count = records.len();
        let made = chain.produce_records(time_ms, records, Vec::new());
        let failure = match made {
            Ok((block, behind)) => {
                let database = Arc::clone(chain.database());
                drop(guard);
                // Readers may go on; who waits is told once the receipts can be found.
                database.write(&behind);
                self.tell(&block);
                shared.set_trouble(None);
                shared.heights.send_replace(block.height);
                return count;
            }
            Err(ChainError::Nothing(refused)) => {
                drop(guard);
                self.refuse(&refused);
                return count;
            }
            Err(error) => error,
        };
        // What of the block is on the disk, nobody knows before the log was read again.
        let mut source = format!("{failure}");
        if let Some(chain) = guard.take()
            && let Err(error) = chain.close()
        {
            source = format!("{source}; {error}");
        }
        let problem = Problem::new(
            "log_write",
            "the node could not write its log; nothing that was answered for is lost",
            "try again later, a record with the same bytes; the node's operator has to look at the disk",
        )
        .retry_after_ms(2_000);
        shared.set_trouble(Some(problem.clone()));
        shared.mempool().answer_all(&Err(problem));
        drop(guard);
        eprintln!(
            "error[log_write]: {source}\n  next: make room on the disk or mend it; the node tries again by itself"
        );
        count
    }

    /// Opens the chain again, after a while; the engine comes back here until that works.
    fn reopen(&self) {
        let shared = &*self.shared;
        std::thread::sleep(REOPEN_AFTER);
        let mut guard = shared.chain.blocking_write();
        if guard.is_some() {
            return;
        }
        match open_chain(&shared.dir, &shared.signer) {
            Ok((chain, recovery)) => {
                eprintln!("note: the log takes records again. {recovery}");
                shared.heights.send_replace(chain.tip().height);
                *guard = Some(chain);
                shared.set_trouble(None);
            }
            Err(error) => {
                let problem = Problem::new(
                    "log_open",
                    "the node could not write its log, and cannot open it again yet",
                    "try again later, a record with the same bytes; the node's operator has to look at the disk",
                )
                .retry_after_ms(5_000);
                // Said once: it is tried every second.
                if shared.set_trouble(Some(problem)) {
                    eprintln!("error[log_open]: {error}\n  next: make room on the disk or mend it");
                }
                shared.mempool().answer_all(&Err(stopping()));
            }
        }
    }

    fn clock_is_behind(&self, behind_ms: u64) {
        let problem = clock_behind(behind_ms);
        if self.shared.is_stopping() {
            self.shared.mempool().answer_all(&Err(problem));
            return;
        }
        self.shared.set_trouble(Some(problem));
        std::thread::sleep(Duration::from_millis(behind_ms.min(500)));
    }

    /// Answers for a block that is on the log.
    fn tell(&self, block: &BlockResult) {
        let mut mempool = self.shared.mempool();
        let clocks = block.receipts.len() - block.included.len();
        let mut rejected = block.rejected.iter().peekable();
        for (index, &id) in block.included.iter().enumerate() {
            let why = rejected.next_if(|(place, _)| *place == index);
            let inclusion = Inclusion {
                height: block.height,
                time_ms: block.time_ms,
                receipts: Arc::clone(&block.receipts),
                place: (clocks + index) as u32,
                problem: why.map(|(_, why)| inclusion::rejection(why)),
            };
            mempool.answer(id, &Ok(inclusion));
        }
        drop(mempool);
        self.refuse(&block.refused);
    }

    fn refuse(&self, refused: &[Refused]) {
        let mut mempool = self.shared.mempool();
        let full = |refused: &&Refused| matches!(refused.why, crate::chain::Refusal::Full);
        let later: Vec<ItemId> = refused.iter().filter(full).map(|one| one.id).collect();
        mempool.put_back(later.into_iter());
        for one in refused.iter().filter(|one| !full(one)) {
            mempool.answer(one.id, &Err(inclusion::refusal(&one.why)));
        }
    }
}
