//! The past of a chain, so that it can be asked about: receipts by record, by
//! block, and by what they touched.
//!
//! ```text
//! in the state database ([`crate::derived`]), beside the entries of the state:
//!   'b' + height                       a block's past, borsh
//!   'h' + height                       a block in short, borsh; not in databases of older versions
//!   'r' + record id                    height, place
//!   't' + kind + id + height + place   a receipt touched this account, bounty or asset
//! and what [`books`] and [`archive`] say
//! heights (u64) and places (u32) are big-endian, so that keys sort by them
//! ```
//!
//! What a receipt touches is [`protocol::statement::touched`].
//!
//! Invariants: it is derived, like the state: written in the same batch, rebuilt
//! from the log with it. A place is that of the receipt among its block's
//! receipts, the clock's first. What can be read is whole blocks only.

use borsh::{BorshDeserialize, BorshSerialize};
use market::State;
use protocol::api::{BlockView, HistoryEntry};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Move, Receipt};
use protocol::statement::{self, Movement, Subject, touched};
use protocol::text::whole_number;

mod archive;
mod books;

pub(crate) use books::book;

use crate::block::Block;
use crate::derived::{DerivedError, guarded};

const BLOCK: u8 = b'b';
const SHORT: u8 = b'h';
const RECORD: u8 = b'r';
const TOUCHED: u8 = b't';

/// The most bytes of blocks' pasts that are read for one page of receipts or movements, but
/// for the last block's: one that is short of entries ends there.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// The most receipts that are looked through for one page of movements.
const MOVEMENT_RECEIPTS_MAX: usize = 4_096;

/// A subject's name in a key: kind and id.
fn subject_key(table: u8, subject: &Subject) -> [u8; 34] {
    let (kind, id) = match subject {
        Subject::Account(address) => (b'a', address.0),
        Subject::Bounty(id) => (b'b', id.0),
        Subject::Asset(id) => (b'm', id.0),
    };
    let mut key = [0; 34];
    key[0] = table;
    key[1] = kind;
    key[2..].copy_from_slice(&id);
    key
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

    /// The place after this one; none after the last that can be written down.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let Some(place) = self.place.checked_add(1) else {
            let height = self.height.checked_add(1)?;
            return Some(Self { height, place: 0 });
        };
        Some(Self { place, ..self })
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
            height: whole_number(height).ok_or(())?,
            place: whole_number(place).ok_or(())?,
        })
    }
}

/// The place of a movement on the log; what `after` of a statement takes: `height.place.index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The receipt.
    pub at: Place,
    /// The place of the movement in it.
    pub index: u32,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at, self.index)
    }
}

impl std::str::FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, index) = text.rsplit_once('.').ok_or(())?;
        Ok(Self {
            at: at.parse()?,
            index: whole_number(index).ok_or(())?,
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
    fn entry(&self, at: Place) -> Option<HistoryEntry> {
        let entry = self.entries.get(at.place as usize)?.clone();
        Some(HistoryEntry {
            height: at.height,
            place: at.place,
            time_ms: self.time_ms,
            signer: entry.signer,
            record_type: entry.record_type,
            receipt: entry.receipt,
        })
    }

    fn short(&self) -> Short {
        let is_record = |entry: &&Entry| entry.signer.is_some();
        let records = self.entries.iter().filter(is_record).count();
        let rejected = self
            .entries
            .iter()
            .filter(|entry| entry.receipt.rejected.is_some());
        Short {
            id: self.id,
            time_ms: self.time_ms,
            records: records as u32,
            rejected: rejected.count() as u32,
            deadlines: (self.entries.len() - records) as u32,
        }
    }
}

/// A block in short, as it is stored: so that nobody reads its whole past for that.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Short {
    id: ItemId,
    time_ms: u64,
    records: u32,
    rejected: u32,
    deadlines: u32,
}

impl Short {
    fn view(&self, height: u64) -> BlockView {
        BlockView {
            height,
            id: self.id,
            time_ms: self.time_ms,
            records: self.records,
            rejected: self.rejected,
            deadlines: self.deadlines,
        }
    }
}

/// The pasts of blocks that one page is made of, one at a time.
struct Pasts<'a> {
    history: &'a History,
    block: Option<(u64, Stored)>,
    left_bytes: Option<usize>,
}

impl<'a> Pasts<'a> {
    fn new(history: &'a History, bytes_max: usize) -> Self {
        Self {
            history,
            block: None,
            left_bytes: Some(bytes_max),
        }
    }

    /// The past of a block; none if enough was read, which no first block is.
    fn of(&mut self, height: u64) -> Result<Option<&Stored>, DerivedError> {
        if self.block.as_ref().is_none_or(|(of, _)| *of != height) {
            let Some(left_bytes) = self.left_bytes else {
                return Ok(None);
            };
            let db = &self.history.db;
            let value = guarded("reading", || db.get(block_key(height)))?;
            let value = value.ok_or_else(|| damaged("a block"))?;
            self.left_bytes = left_bytes.checked_sub(value.len());
            let stored = Stored::try_from_slice(&value);
            self.block = Some((height, stored.map_err(|_| damaged("a block's past"))?));
        }
        Ok(self.block.as_ref().map(|(_, stored)| stored))
    }
}

/// What a block adds to the history: keys and values for the database.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// Every movement through a purse of a subject, in order, to be booked.
    pub(crate) moves: Vec<(Subject, Move)>,
    /// How many records.
    pub(crate) records: usize,
}

impl Past {
    /// What a block with these receipts adds, where `state` is the one after it.
    pub(crate) fn of(block: &Block, receipts: &[Receipt], state: &State) -> Self {
        let header = &block.header().header;
        let clocks = receipts.len() - block.records().len();
        let mut rows = Vec::with_capacity(2 + 4 * receipts.len());
        let mut moves = Vec::with_capacity(4 * receipts.len());
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
            for subject in touched(receipt, record.map(|record| &record.tx)) {
                let key = subject_key(TOUCHED, &subject);
                rows.push(([&key[..], &at.bytes()].concat(), Vec::new()));
                moves.extend(subject.moves(receipt).map(|(_, &step)| (subject, step)));
            }
            archive::keep(receipt, state, &mut rows);
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
        let short = borsh::to_vec(&stored.short()).expect("writing to memory");
        rows.push((short_key(header.height), short));
        let value = borsh::to_vec(&stored).expect("writing to memory");
        rows.push((block_key(header.height), value));
        Self {
            rows,
            moves,
            records: block.records().len(),
        }
    }
}

fn block_key(height: u64) -> Vec<u8> {
    [&[BLOCK][..], &height.to_be_bytes()].concat()
}

fn short_key(height: u64) -> Vec<u8> {
    [&[SHORT][..], &height.to_be_bytes()].concat()
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

    /// The block up to which the past is written.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn height(&self) -> Result<u64, DerivedError> {
        crate::derived::height(&self.db)
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

    /// Where the receipts of those of the records are that are on the log, oldest first; and which of them it is.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn places_of(&self, records: &[ItemId]) -> Result<Vec<(Place, usize)>, DerivedError> {
        let mut places = Vec::with_capacity(records.len());
        for (index, &record) in records.iter().enumerate() {
            if let Some(at) = self.place_of(record)? {
                places.push((at, index));
            }
        }
        places.sort_unstable();
        Ok(places)
    }

    /// The receipts at such places, in their order; those of the first ones alone, at least of one, where more than
    /// so many bytes of blocks' pasts were read. None of these is read twice, and one at a time is held.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn entries_at(
        &self,
        places: &[(Place, usize)],
        bytes_max: usize,
    ) -> Result<Vec<HistoryEntry>, DerivedError> {
        let mut entries = Vec::new();
        let mut pasts = Pasts::new(self, bytes_max);
        for &(at, _) in places {
            let Some(stored) = pasts.of(at.height)? else {
                break;
            };
            entries.push(stored.entry(at).ok_or_else(|| damaged("a receipt"))?);
        }
        Ok(entries)
    }

    /// A block in short; none above the last one, and for the genesis.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn block(&self, height: u64) -> Result<Option<BlockView>, DerivedError> {
        let Some(value) = guarded("reading", || self.db.get(short_key(height)))? else {
            let stored = self.stored(height)?;
            return Ok(stored.map(|stored| stored.short().view(height)));
        };
        let short = Short::try_from_slice(&value).map_err(|_| damaged("a block in short"))?;
        Ok(Some(short.view(height)))
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
        let prefix = subject_key(TOUCHED, &subject);
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

    /// The receipts that touched a subject, from a place on, at most `limit`, oldest first; and
    /// where the next one is, if there is one. A page may be short: it has at least one that there is.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn entries(
        &self,
        subject: Subject,
        from: Place,
        limit: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<Place>), DerivedError> {
        self.entries_within(subject, from, limit, PAGE_BYTES_MAX)
    }

    /// The same where little is to be read: that of a block is read only while no more than so many bytes of those
    /// before it were.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn entries_within(
        &self,
        subject: Subject,
        from: Place,
        limit: usize,
        bytes_max: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<Place>), DerivedError> {
        let mut entries = Vec::new();
        let mut pasts = Pasts::new(self, bytes_max);
        for at in self.touched(subject, from, limit.saturating_add(1))? {
            if entries.len() == limit {
                return Ok((entries, Some(at)));
            }
            let Some(stored) = pasts.of(at.height)? else {
                return Ok((entries, Some(at)));
            };
            entries.push(stored.entry(at).ok_or_else(|| damaged("a receipt"))?);
        }
        Ok((entries, None))
    }

    /// The movements through a subject's purses, after a mark and up to a height, at
    /// most `limit`, oldest first; and after which mark there may be more.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn movements(
        &self,
        subject: Subject,
        after: Option<Mark>,
        height: u64,
        limit: usize,
    ) -> Result<(Vec<Movement>, Option<Mark>), DerivedError> {
        self.movements_within(subject, after, height, limit, PAGE_BYTES_MAX)
    }

    fn movements_within(
        &self,
        subject: Subject,
        after: Option<Mark>,
        height: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Movement>, Option<Mark>), DerivedError> {
        let from = match after {
            None => Some(Place::BEGIN),
            // Nothing is left of this receipt.
            Some(after) if after.index == u32::MAX => after.at.next(),
            Some(after) => Some(after.at),
        };
        let Some(from) = from else {
            return Ok((Vec::new(), None));
        };
        let places = self.touched(subject, from, MOVEMENT_RECEIPTS_MAX)?;
        let (mut items, mut last) = (Vec::new(), None);
        let mut pasts = Pasts::new(self, bytes_max);
        let mut begun = after.map(|after| after.at.height);
        for &at in places.iter().take_while(|at| at.height <= height) {
            // A block that the page before ended in, and of which nothing was left, takes nothing of what may be read.
            if begun.is_some_and(|begun| begun < at.height) {
                begun = None;
                if items.is_empty() {
                    pasts = Pasts::new(self, bytes_max);
                }
            }
            let Some(stored) = pasts.of(at.height)? else {
                return Ok((items, last));
            };
            let entry = stored.entries.get(at.place as usize);
            let entry = entry.ok_or_else(|| damaged("a receipt"))?;
            for (index, &step) in subject.moves(&entry.receipt) {
                let mark = Mark { at, index };
                if after.is_some_and(|after| mark <= after) {
                    continue;
                }
                if items.len() == limit {
                    return Ok((items, last));
                }
                last = Some(mark);
                items.push(statement::Movement {
                    height: at.height,
                    place: at.place,
                    index,
                    time_ms: stored.time_ms,
                    cause: entry.receipt.cause,
                    step,
                });
            }
            last = Some(Mark {
                at,
                index: u32::MAX,
            });
        }
        let is_whole = places.len() < MOVEMENT_RECEIPTS_MAX
            || places.last().is_some_and(|at| at.height > height);
        Ok((items, last.filter(|_| !is_whole)))
    }

    /// For tests: whoever reads the past of this block fails.
    #[cfg(test)]
    pub(crate) fn damage(&self, height: u64) {
        let spoil = || self.db.insert(block_key(height), b"nonsense");
        guarded("writing", spoil).expect("it can be written");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, chapter, told};

    #[test]
    fn a_page_of_receipts_ends_early_where_much_was_read_and_says_where_it_goes_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let chain = told(dir.path(), 6);
        let history = chain.history().expect("it is there");
        let subject = Subject::Account(address(1));
        let heights = |entries: &[HistoryEntry]| -> Vec<u64> {
            entries.iter().map(|entry| entry.height).collect()
        };
        let (all, next) = history.entries(subject, Place::BEGIN, 100).expect("sound");
        assert_eq!((heights(&all), next), ((1..=6).collect(), None));
        let (some, next) = history.entries(subject, Place::BEGIN, 4).expect("sound");
        assert_eq!(heights(&some), [1, 2, 3, 4]);
        assert_eq!(next.map(|next| next.height), Some(5));
        let of_block = guarded("reading", || history.db.get(block_key(1)));
        let block_bytes = of_block.expect("sound").expect("it is there").len();
        // After more than this nothing is read, but what was read is given.
        for (bytes_max, each) in [(0, 1), (block_bytes / 2, 1), (block_bytes * 3 / 2, 2)] {
            let (mut got, mut from) = (Vec::new(), Some(Place::BEGIN));
            while let Some(at) = from {
                let page = history.entries_within(subject, at, 100, bytes_max);
                let (entries, next) = page.expect("sound");
                assert_eq!(entries.len(), each, "{bytes_max}");
                got.extend(heights(&entries));
                from = next;
            }
            assert_eq!(got, heights(&all), "{bytes_max}");
        }
    }

    #[test]
    fn a_statement_goes_on_however_much_a_block_is_to_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let chain = told(dir.path(), 6);
        let history = chain.history().expect("it is there");
        let subject = Subject::Account(address(1));
        let (all, next) = history
            .movements(subject, None, 6, 1_000)
            .expect("there is a past");
        assert_eq!(next, None);
        assert!(all.len() > 6);
        for (bytes_max, limit) in [(0, 1_000), (0, 1), (0, 2), (usize::MAX, 1), (usize::MAX, 5)] {
            let (mut got, mut after) = (Vec::new(), None);
            loop {
                let page = history.movements_within(subject, after, 6, limit, bytes_max);
                let (items, next) = page.expect("sound");
                assert!(!items.is_empty() || next.is_none(), "after {after:?}");
                got.extend(items);
                if next.is_none() {
                    break;
                }
                assert!(next > after, "it stays at {after:?}");
                after = next;
            }
            assert_eq!(got, all, "{bytes_max}, {limit}");
        }
        let last = Place {
            height: u64::MAX,
            place: u32::MAX,
        };
        let end = Some(Mark {
            at: last,
            index: u32::MAX,
        });
        let page = history.movements(subject, end, 6, 1).expect("sound");
        assert_eq!(page, (Vec::new(), None));
    }

    #[test]
    fn of_many_records_each_blocks_past_is_read_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let chain = told(dir.path(), 4);
        let history = chain.history().expect("it is there");
        let network = chain.genesis().network;
        let mut ids = Vec::new();
        // From block to block and back, none of them twice in a row, and one that is nowhere.
        for place in 0..2 {
            ids.extend((1..=4).map(|height| chapter(network, height)[place].id()));
            ids.push(ItemId([9; 32]));
        }
        let places = history.places_of(&ids).expect("sound");
        let all = history.entries_at(&places, usize::MAX).expect("sound");
        assert_eq!(all.len(), 8);
        for ((at, index), entry) in places.iter().zip(&all) {
            assert_eq!(history.place_of(ids[*index]), Ok(Some(*at)));
            assert_eq!(history.entry(*at).expect("sound").as_ref(), Some(entry));
        }
        let (mut got, mut pieces) = (Vec::new(), 0);
        while got.len() < places.len() {
            let piece = history.entries_at(&places[got.len()..], 0);
            got.extend(piece.expect("sound"));
            pieces += 1;
        }
        assert_eq!((got, pieces), (all, 4), "a block each");
    }

    #[test]
    fn a_block_in_short_is_told_without_reading_its_past() {
        let dir = tempfile::tempdir().expect("a folder");
        let chain = told(dir.path(), 3);
        let history = chain.history().expect("it is there");
        let view = history.block(3).expect("sound").expect("it is there");
        assert_eq!((view.records, view.rejected, view.deadlines), (2, 1, 0));
        // A database of an older version has the past alone.
        let db = &history.db;
        let short = guarded("writing", || db.remove(short_key(3)));
        let short = short.expect("sound").expect("it was there");
        assert_eq!(history.block(3), Ok(Some(view.clone())));
        guarded("writing", || db.insert(short_key(3), short)).expect("sound");
        history.damage(3);
        assert_eq!(history.block(3), Ok(Some(view)));
        assert_eq!(history.block(4), Ok(None));
    }
}
