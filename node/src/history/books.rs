//! The sums of every account, bounty and asset, kept block by block.
//!
//! ```text
//!   'p' + kind + id           its totals, borsh
//!   'o' + kind + id + purse   what went through one of its purses that holds something,
//!                             borsh; of purses of which it has one of a kind none: the
//!                             totals say it
//! ```
//!
//! So a statement costs the same for an account with three receipts and for one with
//! a million. Written in the batch of the block, so that what is read is whole blocks.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Move, Purse};
use protocol::statement::{Book, Flow, Subject, Totals};

use super::{History, damaged, subject_key};
use crate::derived::{DerivedError, guarded};

const TOTALS: u8 = b'p';
const OPEN: u8 = b'o';

/// A key and its new value; none: it goes.
type Row = (Vec<u8>, Option<Vec<u8>>);

/// What the movements of a block change in the books.
pub(crate) fn book(db: &sled::Db, moves: &[(Subject, Move)]) -> Result<Vec<Row>, DerivedError> {
    let mut books: BTreeMap<Subject, Book> = BTreeMap::new();
    for (subject, step) in moves {
        books.entry(*subject).or_default().add(subject, step);
    }
    let mut rows = Vec::with_capacity(2 * books.len());
    for (subject, book) in &books {
        let key = subject_key(TOTALS, subject).to_vec();
        let mut totals: Totals = read(db, &key)?.unwrap_or_default();
        totals.join(&book.totals);
        rows.push((key, Some(bytes(&totals))));
        let single = subject.single_purses();
        for (purse, flow) in &book.purses {
            if single.contains(purse) {
                continue;
            }
            let key = open_key(subject, purse);
            let mut sum: Flow = read(db, &key)?.unwrap_or_default();
            sum.join(flow);
            let holds = !sum.left.is_zero();
            rows.push((key, holds.then(|| bytes(&sum))));
        }
    }
    Ok(rows)
}

impl History {
    /// The sums of a subject; empty ones if nothing ever moved.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn totals(&self, subject: Subject) -> Result<Totals, DerivedError> {
        Ok(read(&self.db, &subject_key(TOTALS, &subject))?.unwrap_or_default())
    }

    /// The purses of a subject that hold something, but those of which it has one of a
    /// kind, at most `limit`, in order.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn open_purses(
        &self,
        subject: Subject,
        limit: usize,
    ) -> Result<Vec<(Purse, Flow)>, DerivedError> {
        let prefix = subject_key(OPEN, &subject);
        guarded("reading", || {
            let rows = self.db.scan_prefix(prefix).take(limit);
            rows.collect::<sled::Result<Vec<_>>>()
        })?
        .iter()
        .map(|(key, value)| {
            let purse = Purse::try_from_slice(&key[prefix.len()..]);
            let flow = Flow::try_from_slice(value);
            purse.ok().zip(flow.ok())
        })
        .map(|row| row.ok_or_else(|| damaged("a purse in the books")))
        .collect()
    }
}

fn open_key(subject: &Subject, purse: &Purse) -> Vec<u8> {
    [&subject_key(OPEN, subject)[..], &bytes(purse)].concat()
}

fn bytes(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory")
}

fn read<T: BorshDeserialize>(db: &sled::Db, key: &[u8]) -> Result<Option<T>, DerivedError> {
    let value = guarded("reading", || db.get(key))?;
    value
        .map(|value| T::try_from_slice(&value).map_err(|_| damaged("a sum in the books")))
        .transpose()
}
