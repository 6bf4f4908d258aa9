//! The past of a chain, so that it can be asked about: receipts by record, by
//! block, and by what they touched.
//!
//! ```text
//! in the state database ([`crate::derived`]), beside the entries of the state:
//!   'b' + height                       a block's past, borsh
//!   'r' + record id                    height, place
//!   't' + kind + id + height + place   a receipt touched this account, bounty or asset
//! heights (u64) and places (u32) are big-endian, so that keys sort by them
//! ```
//!
//! A receipt touches an account if it signed the record or money moved through
//! its purses; a bounty if the record addresses it, the clock moved it on, or its
//! purses or submissions are in it; an asset if it was made, earned, sold a
//! licence or changed hands.
//!
//! Invariants: it is derived, like the state: written in the same batch, rebuilt
//! from the log with it. A place is that of the receipt among its block's
//! receipts, the clock's first. What can be read is whole blocks only.

use borsh::{BorshDeserialize, BorshSerialize};
use market::State;
use protocol::api::{BlockView, HistoryEntry};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Cause, Event, Purse, Receipt};
use protocol::record::Action;

use crate::block::{Block, Record};
use crate::derived::{DerivedError, guarded};

const BLOCK: u8 = b'b';
const RECORD: u8 = b'r';
const TOUCHED: u8 = b't';

/// What can have a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An account.
    Account(Address),
    /// A bounty.
    Bounty(ItemId),
    /// A model or a data set.
    Asset(ItemId),
}

impl Subject {
    fn key(&self) -> [u8; 34] {
        let (kind, id) = match self {
            Self::Account(address) => (b'a', address.0),
            Self::Bounty(id) => (b'b', id.0),
            Self::Asset(id) => (b'm', id.0),
        };
        let mut key = [0; 34];
        key[0] = TOUCHED;
        key[1] = kind;
        key[2..].copy_from_slice(&id);
        key
    }
}

/// The place of a receipt on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block.
    pub height: u64,
    /// The place among its receipts.
    pub place: u32,
}

impl Place {
    /// Before everything.
    pub const BEGIN: Self = Self {
        height: 0,
        place: 0,
    };

    fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.height.to_be_bytes());
        bytes[8..].copy_from_slice(&self.place.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (height, place) = bytes.split_first_chunk()?;
        Some(Self {
            height: u64::from_be_bytes(*height),
            place: u32::from_be_bytes(place.try_into().ok()?),
        })
    }

    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        match self.place.checked_add(1) {
            Some(place) => Self { place, ..self },
            None => Self {
                height: self.height + 1,
                place: 0,
            },
        }
    }
}

/// The id of an event, and what `after` of a history's page takes: `height.place`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.height, self.place)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (height, place) = text.split_once('.').ok_or(())?;
        Ok(Self {
            height: height.parse().map_err(|_| ())?,
            place: place.parse().map_err(|_| ())?,
        })
    }
}

/// A receipt with what the record says of itself.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Entry {
    signer: Option<Address>,
    record_type: Option<String>,
    receipt: Receipt,
}

/// A block's past, as it is stored.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Stored {
    id: ItemId,
    time_ms: u64,
    entries: Vec<Entry>,
}

impl Stored {
    fn entry(self, at: Place) -> Option<HistoryEntry> {
        let time_ms = self.time_ms;
        let entry = self.entries.into_iter().nth(at.place as usize)?;
        Some(HistoryEntry {
            height: at.height,
            place: at.place,
            time_ms,
            signer: entry.signer,
            record_type: entry.record_type,
            receipt: entry.receipt,
        })
    }

    fn view(&self, height: u64) -> BlockView {
        let is_record = |entry: &&Entry| entry.signer.is_some();
        let records = self.entries.iter().filter(is_record).count();
        let rejected = self
            .entries
            .iter()
            .filter(|entry| entry.receipt.rejected.is_some());
        BlockView {
            height,
            id: self.id,
            time_ms: self.time_ms,
            records: records as u32,
            rejected: rejected.count() as u32,
            deadlines: (self.entries.len() - records) as u32,
        }
    }
}

/// What a block adds to the history: keys and values for the database.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many records.
    pub(crate) records: usize,
}

impl Past {
    /// What a block with these receipts adds, where `state` is the one after it.
    pub(crate) fn of(block: &Block, receipts: &[Receipt], state: &State) -> Self {
        let header = &block.header().header;
        let clocks = receipts.len() - block.records().len();
        let mut rows = Vec::with_capacity(1 + 4 * receipts.len());
        let mut entries = Vec::with_capacity(receipts.len());
        for (place, receipt) in receipts.iter().enumerate() {
            let record = place
                .checked_sub(clocks)
                .map(|place| &block.records()[place]);
            let at = Place {
                height: header.height,
                place: place as u32,
            };
            if let Some(record) = record {
                rows.push((record_key(record.item.id()), at.bytes().to_vec()));
            }
            for subject in touched(receipt, record, state) {
                rows.push(([&subject.key()[..], &at.bytes()].concat(), Vec::new()));
            }
            entries.push(Entry {
                signer: record.map(|record| record.tx.signer),
                record_type: record.map(|record| record.tx.action.record_type().to_owned()),
                receipt: receipt.clone(),
            });
        }
        let stored = Stored {
            id: block.header().id,
            time_ms: header.time_ms,
            entries,
        };
        let value = borsh::to_vec(&stored).expect("writing to memory");
        rows.push((block_key(header.height), value));
        Self {
            rows,
            records: block.records().len(),
        }
    }
}

/// Everything that a receipt touches, each once.
fn touched(receipt: &Receipt, record: Option<&Record>, state: &State) -> Vec<Subject> {
    let mut subjects = Vec::with_capacity(4);
    let bounty_of = |submission| state.submission(submission).map(|(bounty, _)| bounty);
    let bounty = |id: Option<ItemId>| id.map(Subject::Bounty);
    if let Some(record) = record {
        subjects.push(Subject::Account(record.tx.signer));
        subjects.extend(addressed(&record.tx.action));
    }
    match receipt.cause {
        Cause::Deadline(id) => subjects.push(Subject::Bounty(id)),
        Cause::Distribution(id) => subjects.push(Subject::Asset(id)),
        Cause::Record(_) => {}
    }
    for purse in receipt.moves.iter().flat_map(|step| [step.from, step.to]) {
        if let Purse::Seat(id, _) = purse {
            subjects.push(Subject::Bounty(id));
        }
        subjects.extend(match purse {
            Purse::Account(address) | Purse::Stake(address) | Purse::Seat(_, address) => {
                Some(Subject::Account(address))
            }
            Purse::Reward(id)
            | Purse::SponsorBond(id)
            | Purse::PrepaidFees(id)
            | Purse::Harm(id) => Some(Subject::Bounty(id)),
            Purse::MinerBond(id) | Purse::EvaluationFee(id) => bounty(bounty_of(id)),
            Purse::Income(id) => Some(Subject::Asset(id)),
            // Who locked it moves it, and what it was locked for is the record's.
            Purse::Deposit(_) | Purse::Burned => None,
        });
    }
    for event in &receipt.events {
        match *event {
            Event::AssetRegistered { asset } => subjects.push(Subject::Asset(asset)),
            Event::PhaseBegan { bounty: id, .. }
            | Event::PhaseExtended { bounty: id, .. }
            | Event::TestSetVerdict { bounty: id, .. }
            | Event::BountyForgotten { bounty: id } => subjects.push(Subject::Bounty(id)),
            Event::Seated {
                bounty: id,
                ref seats,
                ..
            } => {
                subjects.push(Subject::Bounty(id));
                subjects.extend(seats.iter().map(|&seat| Subject::Account(seat)));
            }
            Event::Verdict { submission, .. } | Event::Ranked { submission, .. } => {
                subjects.extend(bounty(bounty_of(submission)));
            }
            Event::SeatFailed {
                bounty: id,
                evaluator,
                ..
            } => subjects.extend([Subject::Bounty(id), Subject::Account(evaluator)]),
            Event::LicenseIssued {
                asset, licensee, ..
            } => subjects.extend([Subject::Asset(asset), Subject::Account(licensee)]),
        }
    }
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

/// What a record is addressed to, and who else gains by it.
fn addressed(action: &Action) -> Vec<Subject> {
    match action {
        Action::Transfer { to, .. } => vec![Subject::Account(*to)],
        Action::BackBounty { bounty, .. }
        | Action::CancelBounty { bounty }
        | Action::CommitSubmission { bounty, .. }
        | Action::RevealTestSet { bounty, .. }
        | Action::AttestTestSet { bounty, .. }
        | Action::RevealSubmission { bounty, .. }
        | Action::CommitAttestations { bounty, .. }
        | Action::RevealAttestations { bounty, .. } => vec![Subject::Bounty(*bounty)],
        Action::BuyLicense { asset, .. } | Action::ClaimRoyalty { asset } => {
            vec![Subject::Asset(*asset)]
        }
        Action::TransferShares { asset, body } => {
            vec![Subject::Asset(*asset), Subject::Account(body.to)]
        }
        Action::RegisterAsset { .. }
        | Action::PostBounty { .. }
        | Action::JoinEvaluators { .. }
        | Action::LeaveEvaluators => Vec::new(),
    }
}

fn block_key(height: u64) -> Vec<u8> {
    [&[BLOCK][..], &height.to_be_bytes()].concat()
}

fn record_key(id: ItemId) -> Vec<u8> {
    [&[RECORD][..], &id.0].concat()
}

/// Reads the past. Cheap to clone; reads on any thread, beside the writer.
#[derive(Clone)]
pub struct History {
    db: sled::Db,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}

impl History {
    pub(crate) fn new(db: sled::Db) -> Self {
        Self { db }
    }

    /// Where the receipt of a record is; none if no block has the record.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn place_of(&self, record: ItemId) -> Result<Option<Place>, DerivedError> {
        let value = guarded("reading", || self.db.get(record_key(record)))?;
        value
            .map(|bytes| Place::read(&bytes).ok_or_else(|| damaged("a record's place")))
            .transpose()
    }

    /// The receipt at a place; none above the last block.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn entry(&self, at: Place) -> Result<Option<HistoryEntry>, DerivedError> {
        Ok(self.stored(at.height)?.and_then(|stored| stored.entry(at)))
    }

    /// A block in short; none above the last one, and for the genesis.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn block(&self, height: u64) -> Result<Option<BlockView>, DerivedError> {
        Ok(self.stored(height)?.map(|stored| stored.view(height)))
    }

    /// All receipts of a block, in order.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn receipts(&self, height: u64) -> Result<Option<Vec<Receipt>>, DerivedError> {
        let receipts = |stored: Stored| {
            let entries = stored.entries.into_iter();
            entries.map(|entry| entry.receipt).collect()
        };
        Ok(self.stored(height)?.map(receipts))
    }

    /// Where receipts touched a subject, from a place on, at most `limit`, oldest first.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn touched(
        &self,
        subject: Subject,
        from: Place,
        limit: usize,
    ) -> Result<Vec<Place>, DerivedError> {
        let prefix = subject.key();
        let first = [&prefix[..], &from.bytes()].concat();
        let last = [&prefix[..], &[0xff; 12]].concat();
        guarded("reading", || {
            let keys = self.db.range(first..=last).keys().take(limit);
            keys.collect::<sled::Result<Vec<_>>>()
        })?
        .iter()
        .map(|key| Place::read(&key[prefix.len()..]).ok_or_else(|| damaged("a history's key")))
        .collect()
    }

    /// The receipts that touched a subject, from a place on, at most `limit`, oldest first.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn entries(
        &self,
        subject: Subject,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, DerivedError> {
        let mut entries = Vec::new();
        let mut block: Option<(u64, Stored)> = None;
        for at in self.touched(subject, from, limit)? {
            if block
                .as_ref()
                .is_none_or(|(height, _)| *height != at.height)
            {
                block = self.stored(at.height)?.map(|stored| (at.height, stored));
            }
            let (_, stored) = block.as_ref().ok_or_else(|| damaged("a block"))?;
            let entry = stored.entries.get(at.place as usize);
            let entry = entry.ok_or_else(|| damaged("a receipt"))?.clone();
            entries.push(HistoryEntry {
                height: at.height,
                place: at.place,
                time_ms: stored.time_ms,
                signer: entry.signer,
                record_type: entry.record_type,
                receipt: entry.receipt,
            });
        }
        Ok(entries)
    }

    fn stored(&self, height: u64) -> Result<Option<Stored>, DerivedError> {
        let value = guarded("reading", || self.db.get(block_key(height)))?;
        value
            .map(|bytes| Stored::try_from_slice(&bytes).map_err(|_| damaged("a block's past")))
            .transpose()
    }
}

fn damaged(what: &str) -> DerivedError {
    DerivedError::new(format_args!("{what} is damaged in the state database"))
}
