//! A ledger of one account: it includes records in the order of their nonces, and nothing else is checked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use protocol::Amount;
use protocol::ans104::{Draft, SignedItem, VerifiedItem};
use protocol::api::{
    API_VERSION, AccountView, ErrorAnswer, Mempool, Problem, RecordStatus, RecordView, Status,
};
use protocol::id::{Address, Digest, ItemId, NetworkId};
use protocol::keys::SecretKey;
use protocol::record::{Action, Envelope, Parameters, Transaction, Transfer};
use protocol::text::Name;

use super::{Exchange, Fake};

/// What goes wrong with one post of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the record was taken.
    CutBefore,
    /// It is cut after the record was included.
    CutAfter,
    /// The record is included, and no answer comes.
    HangAfter,
    /// This status, with a problem, and nothing else.
    Status(u16),
    /// Another record of the account is included first.
    NonceTaken,
    /// Another record of the account waits with the same nonce.
    NoncePending,
    /// The records that waited before this one are forgotten: its nonce leaves a gap.
    Gap,
    /// Time passes until after the record's `Valid-Until`.
    Expire,
    /// The record is included, but the connection is cut, and then time passes.
    CutAfterThenExpire,
    /// The record waits, and the answer says so.
    Wait,
}

pub struct Inner {
    pub key: SecretKey,
    pub nonce: u64,
    pub next_nonce: u64,
    pub clock_ms: u64,
    pub included: BTreeMap<ItemId, RecordView>,
    pub faults: VecDeque<Fault>,
}

/// The ledger, shared with the server's threads.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Inner>>);

impl Ledger {
    pub fn new(faults: &[Fault]) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            key: SecretKey::from_seed(&[7; 32]),
            nonce: 0,
            next_nonce: 0,
            clock_ms: 1_000_000,
            included: BTreeMap::new(),
            faults: faults.iter().copied().collect(),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn serve(&self) -> Fake {
        let ledger = self.clone();
        Fake::new(move |exchange| ledger.lock().answer(exchange))
    }

    pub fn address(&self) -> Address {
        self.lock().key.public().address()
    }

    pub fn sign(&self, draft: Draft) -> Result<VerifiedItem, protocol::ans104::ItemError> {
        draft.sign(&self.lock().key)
    }

    /// A transfer that is valid for a minute.
    pub fn transfer(&self, nonce: u64) -> VerifiedItem {
        let inner = self.lock();
        item(&inner.key, nonce, inner.clock_ms + 60_000)
    }
}

pub fn action() -> Action {
    let to = Address([3; 32]);
    let amount = Amount::from_base_units(5);
    Action::Transfer {
        to,
        body: Transfer { amount },
    }
}

/// A signed transfer.
fn item(key: &SecretKey, nonce: u64, valid_until_ms: u64) -> VerifiedItem {
    let network = NetworkId([1; 32]);
    let envelope = Envelope {
        network,
        nonce,
        valid_until_ms,
    };
    Transaction::draft(&envelope, &action()).sign(key).unwrap()
}

impl Inner {
    fn answer(&mut self, exchange: &mut Exchange) {
        let path: Vec<String> = exchange.target.split('/').map(str::to_owned).collect();
        match path.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
            ["v1", "status"] => exchange.json(200, &self.status()),
            ["v1", "accounts", _] => exchange.json(200, &self.account()),
            ["v1", "records"] => self.post(exchange),
            ["v1", "records", id] => match self.included.get(&id.parse().unwrap()) {
                Some(view) => exchange.json(200, view),
                None => exchange.problem(404, "unknown_record"),
            },
            _ => exchange.problem(400, "request"),
        }
    }

    fn post(&mut self, exchange: &mut Exchange) {
        let body = exchange.body();
        let item = SignedItem::from_vec(body).unwrap().verify().unwrap();
        let record = Transaction::read(&item).unwrap();
        match self.faults.pop_front() {
            None => self.take(&record, exchange),
            Some(Fault::CutBefore) => exchange.cut(),
            Some(Fault::CutAfter) => {
                self.include(&record);
                exchange.cut();
            }
            Some(Fault::CutAfterThenExpire) => {
                self.include(&record);
                self.clock_ms = record.envelope.valid_until_ms + 1;
                exchange.cut();
            }
            Some(Fault::HangAfter) => {
                self.include(&record);
                exchange.hang();
            }
            Some(Fault::Status(status)) => exchange.problem(status, "some_code"),
            Some(Fault::NonceTaken) => {
                (self.nonce, self.next_nonce) = (self.nonce + 1, self.nonce + 1);
                self.take(&record, exchange);
            }
            Some(Fault::NoncePending) => exchange.problem(409, "nonce_pending"),
            Some(Fault::Gap) => {
                self.next_nonce = self.nonce;
                self.faults.push_front(Fault::Gap);
                self.take(&record, exchange);
            }
            Some(Fault::Expire) => {
                self.clock_ms = record.envelope.valid_until_ms + 1;
                self.take(&record, exchange);
            }
            Some(Fault::Wait) => {
                let view = view(&record, RecordStatus::Pending);
                exchange.json(202, &view);
            }
        }
    }

    fn take(&mut self, record: &Transaction, exchange: &mut Exchange) {
        if let Some(view) = self.included.get(&record.id) {
            return exchange.json(200, view);
        }
        if record.envelope.valid_until_ms < self.clock_ms {
            return exchange.problem(422, "expired");
        }
        if record.envelope.nonce != self.nonce {
            let mut error = Problem::new("nonce", "the nonce is another", "sign again");
            error.expected_nonce = Some(self.nonce);
            return exchange.json(409, &ErrorAnswer { error });
        }
        self.include(record);
        exchange.json(200, &self.included[&record.id]);
    }

    fn include(&mut self, record: &Transaction) {
        let is_new = self
            .included
            .insert(record.id, view(record, RecordStatus::Final));
        assert!(is_new.is_none() && record.envelope.nonce == self.nonce);
        (self.nonce, self.next_nonce) = (self.nonce + 1, self.nonce + 1);
    }

    fn account(&self) -> AccountView {
        AccountView {
            address: self.key.public().address(),
            balance: Amount::ZERO,
            nonce: self.nonce,
            next_nonce: self.next_nonce,
            evaluator: None,
        }
    }

    pub fn status(&self) -> Status {
        Status {
            version: "0.1.0".to_owned(),
            api: API_VERSION,
            network: NetworkId([1; 32]),
            name: Name::new("test").unwrap(),
            genesis: ItemId([2; 32]),
            proposer: Address([2; 32]),
            height: 1,
            tip: ItemId([2; 32]),
            time_ms: self.clock_ms,
            clock_ms: self.clock_ms,
            hand_clock: true,
            is_dev: true,
            next_deadline_ms: None,
            state_root: Digest([0; 32]),
            mempool: Mempool {
                records: 0,
                bytes: 0,
                records_max: 10,
                bytes_max: 10,
            },
            supply: Amount::ZERO,
            parameters: Parameters::default(),
        }
    }
}

fn view(record: &Transaction, status: RecordStatus) -> RecordView {
    let is_final = status == RecordStatus::Final;
    RecordView {
        id: record.id,
        status,
        signer: record.signer,
        nonce: record.envelope.nonce,
        record_type: record.action.record_type().to_owned(),
        target: record.action.target().map(Digest),
        valid_until_ms: record.envelope.valid_until_ms,
        height: is_final.then_some(2),
        place: is_final.then_some(0),
        time_ms: is_final.then_some(1_000_000),
        receipt: None,
        problem: None,
    }
}
