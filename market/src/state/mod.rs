//! The state: what the log folds to, block by block.
//!
//! A block is [`State::begin_block`] (due deadlines fire), [`State::apply`] for
//! each record in order, [`State::end_block`] (root, receipts, changes). A
//! record that cannot be included makes `apply` fail and the block invalid; a
//! record that a rule rejects is included: it pays its byte fee, uses its nonce
//! and changes nothing else.
//!
//! Invariants: the sum of all purses is the supply of the genesis; the root is
//! a function of the entries alone; a rejected record leaves no trace but fee,
//! nonce and receipt.

mod due;
mod table;
mod tables;
mod tree;

use protocol::receipt::{Cause, Event, Move, Receipt, receipts_root};
use protocol::record::{
    BLOCK_BYTES_MAX, GenesisRecord, LOG_VERSION, Parameters, RECORD_BYTES_MAX, Transaction,
    VALIDITY_MS_MAX,
};
use protocol::text::Code;
use protocol::{Address, Amount, Digest, ItemId, NetworkId};

use crate::accounts::Account;
use crate::assets::Order;
use crate::rejection::Rejection;
use tables::Tables;
use tree::{LeafChange, Tree};

pub(crate) use due::Queue;
pub use tables::{Clock, Network};

/// How much due work one block does: about so many rows are read and written for
/// it. What does not fit goes on in the next block.
pub const WORK_PER_BLOCK: u32 = 4_000;

/// The whole state of a network.
pub struct State {
    pub(crate) tables: Tables,
    tree: Tree,
    root: Digest,
    /// What the record at hand has done so far.
    pub(crate) moves: Vec<Move>,
    pub(crate) events: Vec<Event>,
    receipts: Vec<Receipt>,
    /// How much due work this block may still do.
    work_left: u32,
    /// How much of that the queue at hand leaves to others.
    work_kept: u32,
}

/// What a block came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// The state's root after the block.
    pub state_root: Digest,
    /// The root of its receipts.
    pub receipts_root: Digest,
    /// The receipts: the clock's first, then one a record.
    pub receipts: Vec<Receipt>,
    /// Every entry that changed, each once.
    pub changes: Vec<Change>,
}

/// One changed entry in its outer form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry's key.
    pub key: Vec<u8>,
    /// Its new value; `None`: it is gone.
    pub value: Option<Vec<u8>>,
}

/// Why a genesis makes no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A log of another version.
    #[error("the log has version {0}, this build reads version {LOG_VERSION}")]
    Version(u32),
    /// An account stands twice.
    #[error("the account {0} has two allocations; add them up")]
    Duplicate(Address),
    /// An allocation of nothing.
    #[error("the allocation of {0} is zero; leave it out")]
    Zero(Address),
    /// The supply does not fit into an amount.
    #[error("the allocations add up to more than an amount can hold")]
    Supply,
    /// A parameter that no network can live with.
    #[error("the parameter '{0}' is out of range: {1}")]
    Parameter(&'static str, &'static str),
}

/// Why entries make no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// An entry that no table reads, or that stands twice.
    #[error("entry {0} is damaged or is of another version")]
    Entry(usize),
    /// The entries that every state has are missing.
    #[error("the entries are incomplete: they name no network")]
    Incomplete,
    /// Incomes that wait for their draws and the order of the draws do not agree.
    #[error("the entries are of another version: incomes wait for draws in another order")]
    Draws,
    /// What evaluators have free and the order of it do not agree.
    #[error("the entries are of another version: free stakes are in another order")]
    Stakes,
}

impl State {
    /// The state that a genesis begins.
    ///
    /// # Errors
    /// [`GenesisError`] if its version, allocations or parameters make no sense.
    pub fn genesis(record: &GenesisRecord) -> Result<Self, GenesisError> {
        let genesis = &record.genesis;
        if genesis.version != LOG_VERSION {
            return Err(GenesisError::Version(genesis.version));
        }
        check_parameters(&genesis.parameters)?;
        let mut supply = Amount::ZERO;
        let mut state = Self::empty();
        for allocation in &genesis.allocations {
            if allocation.amount.is_zero() {
                return Err(GenesisError::Zero(allocation.account));
            }
            supply = supply
                .checked_add(allocation.amount)
                .ok_or(GenesisError::Supply)?;
            if state.tables.accounts.get(&allocation.account).is_some() {
                return Err(GenesisError::Duplicate(allocation.account));
            }
            let account = Account {
                balance: allocation.amount,
                nonce: 0,
            };
            state.tables.accounts.put(allocation.account, account);
        }
        let mut totals = crate::ledger::Totals::default();
        totals.by_kind[0] = supply;
        state.tables.totals.put((), totals);
        state.tables.network.put(
            (),
            Network {
                id: record.network,
                genesis: record.id,
                proposer: record.proposer,
                supply,
                parameters: genesis.parameters.clone(),
            },
        );
        let clock = Clock {
            height: 0,
            time_ms: genesis.time_ms,
            parent: record.id,
            receipts_root: receipts_root(&[]),
        };
        state.tables.clock.put((), clock);
        state.keep();
        state.end_block();
        Ok(state)
    }

    /// The state that entries in their outer form make.
    ///
    /// # Errors
    /// [`LoadError`] if one is damaged, or the entries are incomplete.
    pub fn load(entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<Self, LoadError> {
        let mut state = Self::empty();
        let mut leaves = Vec::new();
        for (place, (key, value)) in entries.into_iter().enumerate() {
            state
                .tables
                .load(&key, &value)
                .ok_or(LoadError::Entry(place))?;
            leaves.push(LeafChange::new(&key, Some(&value)));
        }
        let complete = state.tables.network.get(&()).is_some()
            && state.tables.clock.get(&()).is_some()
            && state.tables.totals.get(&()).is_some();
        if !complete {
            return Err(LoadError::Incomplete);
        }
        let Tables {
            draws, draw_order, ..
        } = &state.tables;
        let is_waiting = |&(_, asset, payment)| draws.get(&(asset, payment)).is_some();
        if draws.len() != draw_order.len() || !draw_order.iter().all(|(key, ())| is_waiting(key)) {
            return Err(LoadError::Draws);
        }
        if !state.free_stakes_agree() {
            return Err(LoadError::Stakes);
        }
        state.root = Digest(state.tree.update(leaves));
        Ok(state)
    }

    fn empty() -> Self {
        Self {
            tables: Tables::default(),
            tree: Tree::default(),
            root: Digest([0; 32]),
            moves: Vec::new(),
            events: Vec::new(),
            receipts: Vec::new(),
            work_left: WORK_PER_BLOCK,
            work_kept: 0,
        }
    }

    /// All entries in their outer form, table by table, each in the order of its keys.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.tables
            .all()
            .into_iter()
            .flat_map(|table| table.outer())
    }

    /// What the genesis fixed.
    pub fn network_info(&self) -> &Network {
        self.tables
            .network
            .get(&())
            .expect("every state has a network")
    }

    /// The network's id.
    pub fn network(&self) -> NetworkId {
        self.network_info().id
    }

    /// The rules' numbers.
    pub fn parameters(&self) -> &Parameters {
        &self.network_info().parameters
    }

    pub(crate) fn clock(&self) -> Clock {
        *self.tables.clock.get(&()).expect("every state has a clock")
    }

    /// Where on the log the record at hand stands.
    pub(crate) fn order(&self) -> Order {
        Order {
            height: self.height(),
            place: u32::try_from(self.receipts.len()).expect("a block has few receipts"),
        }
    }

    /// The height of the last block; 0 for the genesis.
    pub fn height(&self) -> u64 {
        self.clock().height
    }

    /// The time of the last block, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.clock().time_ms
    }

    /// The root after the last block.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The root of the last block's receipts.
    pub fn receipts_root(&self) -> Digest {
        self.clock().receipts_root
    }

    /// When the clock next has work to do; the time of the last block if the next
    /// one has to go on with what it left.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let drawn_next = self.tables.draw_order.iter().next().map(|_| self.time_ms());
        let due = Queue::ALL
            .into_iter()
            .filter_map(|queue| self.first_due_ms(queue));
        drawn_next.into_iter().chain(due).min()
    }

    /// Whether a record may be included in a block at `block_time_ms`.
    ///
    /// # Errors
    /// The [`Rejection`] that says why not: network, nonce, validity, byte fee.
    pub fn admit(&self, tx: &Transaction, block_time_ms: u64) -> Result<(), Rejection> {
        crate::accounts::admit(self, tx, block_time_ms)
    }

    /// Begins a block: moves the clock, and does the work that is due, as far as
    /// [`WORK_PER_BLOCK`] goes. `parent` is the id of the block before (the genesis
    /// item's for the first): it seeds the block's draws.
    ///
    /// # Panics
    /// If the block is not the next one, or not later than the last: the shell
    /// checks headers before they come here.
    pub fn begin_block(&mut self, height: u64, time_ms: u64, parent: ItemId) {
        assert_eq!(height, self.height() + 1, "heights have no gaps");
        assert!(time_ms > self.time_ms(), "block time rises strictly");
        debug_assert!(self.receipts.is_empty(), "the last block was not ended");
        let before_ms = self.time_ms();
        self.tables.clock.update(&(), |clock| {
            clock.height = height;
            clock.time_ms = time_ms;
            clock.parent = parent;
        });
        if time_ms - before_ms > self.parameters().late_ms {
            self.tables.halts.put(time_ms, before_ms);
        }
        self.keep();
        self.work_left = WORK_PER_BLOCK;
        // Half of the block stays for what is due, whatever the last draw took: purchases cannot hold up deadlines.
        let kept = WORK_PER_BLOCK / 2;
        while self.work_left > kept {
            let Some(order) = self.tables.draw_order.iter().next().map(|(&key, ())| key) else {
                break;
            };
            crate::royalties::draw_holder(self, order);
            self.finish(Cause::Distribution(order.1));
        }
        self.work_left = self.work_left.max(kept);
        for queue in Queue::ALL {
            self.work_off(queue);
        }
        self.forget_halts();
        self.keep();
    }

    /// Whether the first block at or past a deadline came so long after it that those whose turn it was
    /// have been robbed of it. A block that came in time and had more work than fits is none such.
    pub(crate) fn was_missed(&self, deadline_ms: u64) -> bool {
        let late_ms = self.parameters().late_ms;
        let mut halts = self.tables.halts.range(deadline_ms..);
        halts.next().is_some_and(|(&to_ms, &from_ms)| {
            from_ms < deadline_ms && to_ms - deadline_ms > late_ms
        })
    }

    /// Forgets the halts before which no work is due any more.
    fn forget_halts(&mut self) {
        let due = Queue::ALL
            .into_iter()
            .filter_map(|queue| self.first_due_ms(queue));
        let first_ms = due.min().unwrap_or(u64::MAX);
        let over = self.tables.halts.range(..first_ms);
        let over: Vec<u64> = over.map(|(&to_ms, _)| to_ms).collect();
        for to_ms in over {
            self.tables.halts.remove(&to_ms);
        }
    }

    /// Keeps a piece of due work, with its receipt.
    pub(crate) fn finish(&mut self, cause: Cause) {
        self.keep();
        let receipt = self.take_receipt(cause, None);
        self.receipts.push(receipt);
    }

    /// Counts work of the clock against the block's budget.
    pub(crate) fn spend(&mut self, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.work_left = self.work_left.saturating_sub(rows);
    }

    /// How many rows the work at hand may still read and write: what is left of the
    /// block's budget, or of its queue's share in it.
    pub(crate) fn budget(&self) -> u32 {
        self.work_left.saturating_sub(self.work_kept)
    }

    /// Applies a record. Gives the [`Rejection`] of a rule, if one rejects it:
    /// such a record is included all the same, and its receipt says so.
    ///
    /// # Errors
    /// The [`Rejection`] for which it cannot be included; the state is unchanged,
    /// and a block with it is invalid.
    pub fn apply(&mut self, tx: &Transaction) -> Result<Option<Rejection>, Rejection> {
        if let Err(refused) = crate::accounts::charge(self, tx) {
            self.tables.rollback();
            return Err(refused);
        }
        self.keep();
        let rejected = self.rule(tx);
        self.keep();
        let receipt = self.take_receipt(Cause::Record(tx.id), rejected.as_ref());
        self.receipts.push(receipt);
        Ok(rejected)
    }

    /// What would come of a record in a block of its own at `time_ms`, before any
    /// deadline fires. Nothing changes.
    ///
    /// # Errors
    /// The [`Rejection`] for which it could not be included.
    pub fn trial(
        &mut self,
        tx: &Transaction,
        time_ms: u64,
    ) -> Result<(Receipt, Option<Rejection>), Rejection> {
        let Undone(state) = &mut Undone(self);
        state
            .tables
            .clock
            .update(&(), |clock| clock.time_ms = time_ms);
        state.work_left = WORK_PER_BLOCK;
        crate::accounts::charge(state, tx).map(|()| {
            let rejected = state.rule(tx);
            (
                state.take_receipt(Cause::Record(tx.id), rejected.as_ref()),
                rejected,
            )
        })
    }

    /// Lets the rule that a charged record is for do its work, whole or not at all.
    fn rule(&mut self, tx: &Transaction) -> Option<Rejection> {
        let charged = self.moves.len();
        let rejection = crate::accounts::dispatch(self, tx).err()?;
        // The byte fee stays; all else goes.
        self.tables.rollback();
        self.moves.truncate(charged);
        self.events.clear();
        Some(rejection)
    }

    /// Ends the block: its root, receipts and changed entries.
    pub fn end_block(&mut self) -> BlockOutcome {
        let receipts = std::mem::take(&mut self.receipts);
        let receipts_root = receipts_root(&receipts);
        self.tables
            .clock
            .update(&(), |clock| clock.receipts_root = receipts_root);
        self.keep();
        let changes = self.tables.drain();
        let leaves = changes
            .iter()
            .map(|change| LeafChange::new(&change.key, change.value.as_deref()))
            .collect();
        self.root = Digest(self.tree.update(leaves));
        BlockOutcome {
            state_root: self.root,
            receipts_root,
            receipts,
            changes,
        }
    }

    fn keep(&mut self) {
        self.tables.commit();
    }

    fn take_receipt(&mut self, cause: Cause, rejected: Option<&Rejection>) -> Receipt {
        Receipt {
            cause,
            rejected: rejected.map(|rejection| Code::lossy(rejection.code())),
            moves: std::mem::take(&mut self.moves),
            events: std::mem::take(&mut self.events),
        }
    }
}

fn check_parameters(parameters: &Parameters) -> Result<(), GenesisError> {
    let whole = 1_000_000;
    let parts = [
        ("sponsor_bond_ppm", parameters.sponsor_bond_ppm),
        ("miner_bond_ppm", parameters.miner_bond_ppm),
        ("seat_stake_ppm", parameters.seat_stake_ppm),
        ("silent_forfeit_ppm", parameters.silent_forfeit_ppm),
        ("unrevealed_forfeit_ppm", parameters.unrevealed_forfeit_ppm),
    ];
    for (name, part) in parts {
        if part > whole {
            return Err(GenesisError::Parameter(name, "at most 1000000 millionths"));
        }
    }
    let (shortest_ms, longest_ms) = parameters.phase_bounds_ms("score", false);
    if shortest_ms == 0 || shortest_ms > longest_ms {
        return Err(GenesisError::Parameter(
            "phase_min_ms",
            "from 1 to phase_max_ms, and at most 14 days",
        ));
    }
    if parameters.phase_max_ms > 100 * 366 * 24 * 3_600_000 {
        return Err(GenesisError::Parameter("phase_max_ms", "at most a century"));
    }
    if !crate::evaluators::PANEL_SIZES.contains(&parameters.committee_min) {
        return Err(GenesisError::Parameter("committee_min", "5, 3 or 1"));
    }
    if parameters.late_ms == 0 {
        return Err(GenesisError::Parameter("late_ms", "above zero"));
    }
    // A bounty is there for one block after its end at least, for whoever keeps what it was.
    if !(1..=100 * 366 * 24 * 3_600_000).contains(&parameters.retention_ms) {
        return Err(GenesisError::Parameter(
            "retention_ms",
            "from a millisecond to a century",
        ));
    }
    for (name, length_ms) in [
        ("tighten_ms", parameters.tighten_ms),
        ("month_ms", parameters.month_ms),
        ("grace_ms", parameters.grace_ms),
        ("unstake_ms", parameters.unstake_ms),
    ] {
        if !(1..=100 * 366 * 24 * 3_600_000).contains(&length_ms) {
            return Err(GenesisError::Parameter(
                name,
                "from a millisecond to a century",
            ));
        }
    }
    if parameters.revenue_minimum.is_zero() {
        return Err(GenesisError::Parameter("revenue_minimum", "above zero"));
    }
    // RULES' bounds: what nodes keep for records to come is measured by them.
    if !(1..=VALIDITY_MS_MAX).contains(&parameters.validity_max_ms) {
        return Err(GenesisError::Parameter(
            "validity_max_ms",
            "from a millisecond to 24 hours",
        ));
    }
    if parameters.block_bytes_max > BLOCK_BYTES_MAX {
        return Err(GenesisError::Parameter("block_bytes_max", "at most 2 MiB"));
    }
    // A record that no block has room for would stand before all others for ever.
    if (parameters.block_bytes_max as usize) < RECORD_BYTES_MAX {
        return Err(GenesisError::Parameter(
            "block_bytes_max",
            "at least 512 KiB, which a record may have",
        ));
    }
    if parameters.evaluator_stake_min.is_zero() {
        return Err(GenesisError::Parameter("evaluator_stake_min", "above zero"));
    }
    Ok(())
}

/// A state that forgets what it did when this is dropped, even if a rule panics.
struct Undone<'a>(&'a mut State);

impl Drop for Undone<'_> {
    fn drop(&mut self) {
        self.0.tables.rollback();
        self.0.moves.clear();
        self.0.events.clear();
    }
}
