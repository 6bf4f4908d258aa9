//! The mempool: records that wait for a block, in the order in which they came.
//!
//! Bounded in records, in bytes, and for each account in records and in the byte
//! fees that it could pay. An account's records wait in the order of their
//! nonces without gaps, so each of them can be included after those before it.
//!
//! Invariants: what is in it was verified and read. A record is in it once. It
//! promises nothing: a restart forgets it, and whoever waits is told nothing
//! that is not on the log.

use std::collections::{BTreeMap, VecDeque};

use protocol::Amount;
use protocol::id::{Address, ItemId};
use tokio::sync::oneshot;

use crate::block::Record;
use crate::inclusion::Answer;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct MempoolLimits {
    /// Records in all.
    pub records_max: usize,
    /// Their bytes.
    pub bytes_max: usize,
    /// Records of one account.
    pub account_records_max: usize,
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self {
            records_max: 50_000,
            bytes_max: 64 << 20,
            account_records_max: 4_096,
        }
    }
}

/// Why a record does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its nonce is not the account's next one, which is this.
    Nonce(u64),
    /// Another record with its nonce waits: this one.
    Taken(ItemId),
    /// The account cannot pay the byte fees of all that waits: these.
    Fees(Amount),
    /// There is no room, for anyone or for this account.
    Full(&'static str, usize),
}

#[derive(Debug)]
struct Waiting {
    record: Record,
    fee: Amount,
    /// Whether the engine has it in hand.
    is_taken: bool,
    waiters: Vec<oneshot::Sender<Answer>>,
}

/// An account's records that wait: by nonce, and what they would pay.
#[derive(Debug, Default)]
struct Line {
    by_nonce: BTreeMap<u64, ItemId>,
    fees: Amount,
}

/// Records that wait for a block.
#[derive(Debug, Default)]
pub struct Mempool {
    limits: MempoolLimits,
    order: VecDeque<ItemId>,
    records: BTreeMap<ItemId, Waiting>,
    lines: BTreeMap<Address, Line>,
    bytes: usize,
}

impl Mempool {
    /// An empty one.
    pub fn new(limits: MempoolLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// What may wait.
    pub fn limits(&self) -> MempoolLimits {
        self.limits
    }

    /// How many records wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether none waits that the engine does not have in hand.
    pub fn is_idle(&self) -> bool {
        self.order.is_empty()
    }

    /// How many wait that the engine does not have in hand.
    pub fn waiting(&self) -> usize {
        self.order.len()
    }

    /// Bytes of the records that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All records that wait, those included that the engine has in hand.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(|waiting| &waiting.record)
    }

    /// A record that waits.
    pub fn get(&self, id: ItemId) -> Option<&Record> {
        self.records.get(&id).map(|waiting| &waiting.record)
    }

    /// The nonce of an account's next record, after all of its that wait;
    /// `nonce` is the one by the state.
    pub fn next_nonce(&self, account: Address, nonce: u64) -> u64 {
        let line = self.lines.get(&account);
        let last = line.and_then(|line| line.by_nonce.last_key_value());
        last.map_or(nonce, |(last, _)| nonce.max(last + 1))
    }

    /// Another one who waits for a record that is here already.
    pub fn join(&mut self, id: ItemId) -> Option<oneshot::Receiver<Answer>> {
        let waiting = self.records.get_mut(&id)?;
        let (sender, receiver) = oneshot::channel();
        // Who has gone waits no more, and the list does not grow with every time that one asks.
        waiting.waiters.retain(|one| !one.is_closed());
        waiting.waiters.push(sender);
        Some(receiver)
    }

    /// The fees of an account's records that a block has, and that are here until everyone was told.
    fn fees_below(&self, line: &Line, nonce: u64) -> Amount {
        let included = line.by_nonce.range(..nonce);
        included.fold(Amount::ZERO, |sum, (_, id)| {
            let fee = self.records.get(id).map_or(Amount::ZERO, |one| one.fee);
            sum.checked_add(fee).unwrap_or(sum)
        })
    }

    /// Lets a record wait, whose byte fee is `fee`; `nonce` and `balance` are its
    /// account's by the state.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn add(
        &mut self,
        record: Record,
        fee: Amount,
        nonce: u64,
        balance: Amount,
    ) -> Result<oneshot::Receiver<Answer>, Unfit> {
        let (id, account) = (record.item.id(), record.tx.signer);
        let given = record.tx.envelope.nonce;
        let next = self.next_nonce(account, nonce);
        let size = record.item.bytes().len();
        let line = self.lines.get(&account);
        if given != next {
            let taken = line.and_then(|line| line.by_nonce.get(&given));
            return Err(taken.map_or(Unfit::Nonce(next), |&other| Unfit::Taken(other)));
        }
        let limits = &self.limits;
        if self.records.len() >= limits.records_max {
            return Err(Unfit::Full("records", limits.records_max));
        }
        if self.bytes + size > limits.bytes_max {
            return Err(Unfit::Full("bytes", limits.bytes_max));
        }
        let waits = line.map_or(0, |line| line.by_nonce.len());
        if waits >= limits.account_records_max {
            return Err(Unfit::Full(
                "records of one account",
                limits.account_records_max,
            ));
        }
        let fees = line.map_or(Amount::ZERO, |line| line.fees);
        let fees = fees.checked_add(fee).unwrap_or(Amount::MAX);
        // What the state has taken already is no part of what the balance has to pay.
        let taken = line.map_or(Amount::ZERO, |line| self.fees_below(line, nonce));
        let left = fees.checked_sub(taken).unwrap_or(fees);
        if left > balance {
            return Err(Unfit::Fees(left));
        }
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting {
            record,
            fee,
            is_taken: false,
            waiters: vec![sender],
        };
        let line = self.lines.entry(account).or_default();
        line.by_nonce.insert(given, id);
        line.fees = fees;
        self.records.insert(id, waiting);
        self.order.push_back(id);
        self.bytes += size;
        Ok(receiver)
    }

    /// The next records for a block of at most so many bytes, in order. They stay
    /// here until they are [answered](Self::answer) or [put back](Self::put_back).
    pub fn take(&mut self, bytes_max: usize) -> Vec<Record> {
        let mut left = bytes_max;
        let mut taken = Vec::new();
        while let Some(waiting) = self.order.front().and_then(|id| self.records.get_mut(id)) {
            let Some(rest) = left.checked_sub(waiting.record.item.bytes().len()) else {
                break;
            };
            left = rest;
            waiting.is_taken = true;
            taken.push(waiting.record.clone());
            self.order.pop_front();
        }
        taken
    }

    /// Puts records that were taken back to the front, in their order.
    pub fn put_back(&mut self, ids: impl DoubleEndedIterator<Item = ItemId>) {
        for id in ids.rev() {
            if let Some(waiting) = self.records.get_mut(&id)
                && std::mem::take(&mut waiting.is_taken)
            {
                self.order.push_front(id);
            }
        }
    }

    /// Tells everyone who waits for a record what came of it; it is here no more.
    pub fn answer(&mut self, id: ItemId, answer: &Answer) {
        let Some(waiting) = self.records.remove(&id) else {
            return;
        };
        if !waiting.is_taken {
            self.order.retain(|other| *other != id);
        }
        let tx = &waiting.record.tx;
        self.bytes -= waiting.record.item.bytes().len();
        if let Some(line) = self.lines.get_mut(&tx.signer) {
            line.by_nonce.remove(&tx.envelope.nonce);
            line.fees = line.fees.checked_sub(waiting.fee).unwrap_or(Amount::ZERO);
            if line.by_nonce.is_empty() {
                self.lines.remove(&tx.signer);
            }
        }
        for waiter in waiting.waiters {
            // One who has gone away misses nothing: the log has it.
            let _ = waiter.send(answer.clone());
        }
    }

    /// The same for every record.
    pub fn answer_all(&mut self, answer: &Answer) {
        // None is looked for in the order then.
        self.order.clear();
        for waiting in self.records.values_mut() {
            waiting.is_taken = true;
        }
        let ids: Vec<ItemId> = self.records.keys().copied().collect();
        for id in ids {
            self.answer(id, answer);
        }
    }
}
