//! One table of the state: typed in memory, bytes outside, with undo.
//!
//! Every write goes through [`Table::put`] or [`Table::remove`], which remember
//! what was there. A record that a rule rejects is rolled back whole, so a rule
//! may refuse at any point. At the end of a block the changed keys are drained.
//!
//! The outer form of an entry: key = one byte that names the table, then the
//! borsh encoding of the key; value = the borsh encoding of the value.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::Change;

/// What a table holds.
pub(crate) trait Entry {
    /// The table's byte in outer keys.
    const TABLE: u8;
    /// The key.
    type Key: Ord + Clone + BorshSerialize + BorshDeserialize;
    /// The value.
    type Value: Clone + BorshSerialize + BorshDeserialize;
}

/// A table of entries of one kind.
pub(crate) struct Table<E: Entry> {
    rows: BTreeMap<E::Key, E::Value>,
    /// What this record replaced, oldest first.
    undo: Vec<(E::Key, Option<E::Value>)>,
    /// Keys that this block changed, in no order, with repeats.
    changed: Vec<E::Key>,
}

impl<E: Entry> Default for Table<E> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            undo: Vec::new(),
            changed: Vec::new(),
        }
    }
}

impl<E: Entry> Table<E> {
    pub(crate) fn get(&self, key: &E::Key) -> Option<&E::Value> {
        self.rows.get(key)
    }

    pub(crate) fn put(&mut self, key: E::Key, value: E::Value) {
        let old = self.rows.insert(key.clone(), value);
        self.undo.push((key, old));
    }

    pub(crate) fn remove(&mut self, key: &E::Key) {
        if let Some(old) = self.rows.remove(key) {
            self.undo.push((key.clone(), Some(old)));
        }
    }

    /// Changes the value of a key that is there, and passes on what the change
    /// returns; `None` if it is not there.
    pub(crate) fn update<R>(
        &mut self,
        key: &E::Key,
        change: impl FnOnce(&mut E::Value) -> R,
    ) -> Option<R> {
        let value = self.rows.get_mut(key)?;
        self.undo.push((key.clone(), Some(value.clone())));
        Some(change(value))
    }

    pub(crate) fn range(
        &self,
        keys: impl std::ops::RangeBounds<E::Key>,
    ) -> impl DoubleEndedIterator<Item = (&E::Key, &E::Value)> {
        self.rows.range(keys)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&E::Key, &E::Value)> {
        self.rows.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What the state does with all its tables alike.
pub(crate) trait AnyTable {
    /// Keeps what this record wrote.
    fn commit(&mut self);
    /// Takes back what this record wrote.
    fn rollback(&mut self);
    /// Appends the outer form of every key that this block changed.
    fn drain(&mut self, changes: &mut Vec<Change>);
    /// Reads an entry in its outer form; `None` if it is not this table's canonical form.
    fn load(&mut self, key: &[u8], value: &[u8]) -> Option<()>;
    /// The table's byte.
    fn table(&self) -> u8;
    /// All entries in their outer form.
    fn outer(&self) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// Room for every key and for the values that change most.
const OUTER_BYTES: usize = 65;

fn outer_key<E: Entry>(key: &E::Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OUTER_BYTES);
    bytes.push(E::TABLE);
    key.serialize(&mut bytes).expect("writing to memory");
    bytes
}

fn outer_value<E: Entry>(value: &E::Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OUTER_BYTES);
    value.serialize(&mut bytes).expect("writing to memory");
    bytes
}

impl<E: Entry> AnyTable for Table<E> {
    fn commit(&mut self) {
        for (key, _) in self.undo.drain(..) {
            // A record writes to the same few keys again and again.
            if self.changed.last() != Some(&key) {
                self.changed.push(key);
            }
        }
    }

    fn rollback(&mut self) {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    fn drain(&mut self, changes: &mut Vec<Change>) {
        debug_assert!(
            self.undo.is_empty(),
            "a record was neither kept nor taken back"
        );
        self.changed.sort_unstable();
        self.changed.dedup();
        changes.extend(self.changed.drain(..).map(|key| Change {
            key: outer_key::<E>(&key),
            value: self.rows.get(&key).map(outer_value::<E>),
        }));
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let typed_key = E::Key::try_from_slice(key.get(1..)?).ok()?;
        let typed_value = E::Value::try_from_slice(value).ok()?;
        if outer_key::<E>(&typed_key) != key || outer_value::<E>(&typed_value) != value {
            return None;
        }
        self.rows
            .insert(typed_key, typed_value)
            .is_none()
            .then_some(())
    }

    fn table(&self) -> u8 {
        E::TABLE
    }

    fn outer(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.rows
            .iter()
            .map(|(key, value)| (outer_key::<E>(key), outer_value::<E>(value)))
            .collect()
    }
}
