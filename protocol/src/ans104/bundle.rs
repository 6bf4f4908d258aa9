//! Bundles: many items in one file, written and read as a stream.
//!
//! ```text
//! 32 bytes                item count, little-endian
//! 64 bytes for each item  32: size in bytes, little-endian; 32: id
//! then                    the items, back to back
//! ```
//!
//! The item or transaction that carries a bundle is tagged `Bundle-Format:
//! binary` and `Bundle-Version: 2.0.0` ([`tags`]).
//!
//! Invariants: sizes and count are those of the items that follow, each id is
//! its item's, nothing follows the last item. Entries are read one by one, so
//! what is held grows with what has arrived and never with what is claimed. A
//! bundle read with [`decode`] or [`BundleReader::next_verified`] cannot be
//! changed in any bit without an error that names item and byte; a reader that
//! takes items unverified ([`BundleReader::next_item`]) leaves that to whoever
//! verifies them.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::item::{ITEM_BYTES_MIN, ItemError, ItemFlaw, SignedItem, VerifiedItem};
use super::tags::Tag;
use crate::id::ItemId;

/// Most items of a bundle, unless the reader sets another limit.
pub const ITEMS_MAX: u64 = 1 << 24;
/// Most bytes of one item of a bundle, unless the reader sets another limit: 16 MiB.
pub const ITEM_BYTES_MAX: u64 = 16 << 20;

const COUNT_BYTES: u64 = 32;
const ENTRY_BYTES: u64 = 64;

/// What a reader accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most items.
    pub items_max: u64,
    /// Most bytes of one item.
    pub item_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items_max: ITEMS_MAX,
            item_bytes_max: ITEM_BYTES_MAX,
        }
    }
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleFlaw {
    /// It could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ends early.
    #[error("the bundle ends inside its {0}")]
    Truncated(&'static str),
    /// It claims more items than the limit.
    #[error("the count is above the limit of {items_max} items")]
    Count {
        /// The limit.
        items_max: u64,
    },
    /// An item claims fewer bytes than the smallest item has.
    #[error("a size of {0} bytes, and an item has at least {ITEM_BYTES_MIN}")]
    SizeTooSmall(u64),
    /// An item claims more bytes than the limit.
    #[error("the size is above the limit of {item_bytes_max} bytes an item")]
    SizeTooLarge {
        /// The limit.
        item_bytes_max: u64,
    },
    /// The id in the header is not the item's.
    #[error("the header says id {header}, the item's id is {item}")]
    Id {
        /// The id in the header.
        header: ItemId,
        /// The id of the item.
        item: ItemId,
    },
    /// The item itself.
    #[error("{0}")]
    Item(ItemFlaw),
    /// Bytes follow the last item.
    #[error("bytes follow the last item")]
    Trailing,
    /// A writer was given other items than its header was written for.
    #[error("the items written are not those that the header was written for")]
    WrittenItems,
}

/// What is wrong with a bundle, and where.
#[derive(Debug, thiserror::Error)]
#[error("bundle, byte {offset}{}: {flaw}", index.map(|i| format!(", item {i}")).unwrap_or_default())]
pub struct BundleError {
    /// The item, from 0; none for the count and for what follows the last item.
    pub index: Option<u64>,
    /// Where it was found, in bytes from the start of the bundle.
    pub offset: u64,
    /// What was found.
    pub flaw: BundleFlaw,
}

/// The two tags that mark an item whose data is a bundle.
pub fn tags() -> [Tag; 2] {
    [
        Tag::new("Bundle-Format", "binary"),
        Tag::new("Bundle-Version", "2.0.0"),
    ]
}

/// A bundle of these items.
pub fn encode<'a, I>(items: I) -> Vec<u8>
where
    I: IntoIterator<Item = &'a VerifiedItem>,
    I::IntoIter: ExactSizeIterator + Clone,
{
    let items = items.into_iter();
    let mut out = Vec::new();
    put_number(&mut out, items.len() as u64);
    for item in items.clone() {
        put_entry(&mut out, item.bytes().len() as u64, &item.id());
    }
    for item in items {
        out.extend_from_slice(item.bytes());
    }
    out
}

/// Reads a bundle under the default [`Limits`] and verifies all its items.
///
/// # Errors
///
/// The bundle or one of its items is not canonical, or a signature does not hold.
pub fn decode(bytes: &[u8]) -> Result<Vec<VerifiedItem>, BundleError> {
    let mut reader = BundleReader::new(bytes, Limits::default())?;
    let mut items = Vec::new();
    while let Some(item) = reader.next_verified() {
        items.push(item?);
    }
    Ok(items)
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0; 24]);
}

fn put_entry(out: &mut Vec<u8>, size_bytes: u64, id: &ItemId) {
    put_number(out, size_bytes);
    out.extend_from_slice(id.as_bytes());
}

/// Writes a bundle in two passes over its items: sizes and ids, then the items.
/// It holds no item and no list.
#[derive(Debug)]
pub struct BundleWriter<W> {
    out: W,
    written: u64,
    index: u64,
    /// Digests of the entries of the header and of the items: equal at the end.
    promised: Sha256,
    kept: Sha256,
}

impl<W: Write> BundleWriter<W> {
    /// Writes the header: the count, then the size in bytes and the id of each item.
    ///
    /// # Errors
    ///
    /// Writing fails, or `entries` has another length than `count`.
    pub fn write_header(
        out: W,
        count: u64,
        entries: impl IntoIterator<Item = (u64, ItemId)>,
    ) -> Result<Self, BundleError> {
        let mut writer = Self {
            out,
            written: 0,
            index: 0,
            promised: Sha256::new(),
            kept: Sha256::new(),
        };
        let mut bytes = Vec::with_capacity(COUNT_BYTES as usize);
        put_number(&mut bytes, count);
        writer.put(None, &bytes)?;
        let mut seen = 0u64;
        for (size_bytes, id) in entries {
            bytes.clear();
            put_entry(&mut bytes, size_bytes, &id);
            writer.promised.update(&bytes);
            writer.put(Some(seen), &bytes)?;
            seen += 1;
        }
        if seen != count {
            return Err(writer.fail(None, BundleFlaw::WrittenItems));
        }
        Ok(writer)
    }

    /// Writes the next item.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn write_item(&mut self, item: &SignedItem) -> Result<(), BundleError> {
        let mut entry = Vec::with_capacity(ENTRY_BYTES as usize);
        put_entry(&mut entry, item.bytes().len() as u64, &item.id());
        self.kept.update(&entry);
        self.put(Some(self.index), item.bytes())?;
        self.index += 1;
        Ok(())
    }

    /// Ends the bundle and gives the writer back, flushed.
    ///
    /// # Errors
    ///
    /// Flushing fails, or the items are not those of the header: what was
    /// written is then no bundle.
    pub fn finish(mut self) -> Result<W, BundleError> {
        if let Err(error) = self.out.flush() {
            return Err(self.fail(None, error.into()));
        }
        if self.promised.clone().finalize() != self.kept.clone().finalize() {
            return Err(self.fail(None, BundleFlaw::WrittenItems));
        }
        Ok(self.out)
    }

    fn put(&mut self, index: Option<u64>, bytes: &[u8]) -> Result<(), BundleError> {
        match self.out.write_all(bytes) {
            Ok(()) => {
                self.written += bytes.len() as u64;
                Ok(())
            }
            Err(error) => Err(self.fail(index, error.into())),
        }
    }

    fn fail(&self, index: Option<u64>, flaw: BundleFlaw) -> BundleError {
        BundleError {
            index,
            offset: self.written,
            flaw,
        }
    }
}

/// Reads a bundle item by item. As an iterator it gives items unverified.
///
/// After the last item it checks that nothing follows; after an error it ends.
#[derive(Debug)]
pub struct BundleReader<R> {
    source: R,
    offset: u64,
    entries: std::vec::IntoIter<Entry>,
    index: u64,
    done: bool,
}

#[derive(Debug)]
struct Entry {
    size_bytes: u64,
    id: ItemId,
}

impl<R: Read> BundleReader<R> {
    /// Reads the header. It holds 40 bytes for each entry that has arrived.
    ///
    /// # Errors
    ///
    /// Reading fails, the header ends early, or a count or size breaks its limit.
    pub fn new(source: R, limits: Limits) -> Result<Self, BundleError> {
        let mut reader = Self {
            source,
            offset: 0,
            entries: Vec::new().into_iter(),
            index: 0,
            done: false,
        };
        let items_max = limits.items_max;
        let count = match reader.number(None, "count")? {
            Some(count) if count <= items_max => count,
            _ => return Err(fail(None, 0, BundleFlaw::Count { items_max })),
        };
        let mut entries = Vec::new();
        for index in 0..count {
            entries.push(reader.entry(index, limits.item_bytes_max)?);
        }
        reader.entries = entries.into_iter();
        Ok(reader)
    }

    /// Items that are still to come.
    pub fn remaining(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The next item, its signature unchecked; none after the last.
    ///
    /// # Errors
    ///
    /// Reading fails, the item is not canonical, its id is not the header's, or
    /// bytes follow the last item.
    pub fn next_item(&mut self) -> Option<Result<SignedItem, BundleError>> {
        if self.done {
            return None;
        }
        let result = match self.entries.next() {
            Some(entry) => self.item(&entry).map(Some),
            None => self.end(),
        };
        self.done = !matches!(result, Ok(Some(_)));
        result.transpose()
    }

    /// The next item, verified; none after the last.
    ///
    /// # Errors
    ///
    /// As [`BundleReader::next_item`], or the signature does not hold.
    pub fn next_verified(&mut self) -> Option<Result<VerifiedItem, BundleError>> {
        let start = self.offset;
        let index = self.index;
        let item = match self.next_item()? {
            Ok(item) => item,
            Err(error) => return Some(Err(error)),
        };
        let verified = item.verify().map_err(|error| in_item(index, start, error));
        self.done |= verified.is_err();
        Some(verified)
    }

    fn entry(&mut self, index: u64, item_bytes_max: u64) -> Result<Entry, BundleError> {
        let offset = self.offset;
        let size_bytes = match self.number(Some(index), "header")? {
            Some(size) if size < ITEM_BYTES_MIN as u64 => {
                return Err(fail(Some(index), offset, BundleFlaw::SizeTooSmall(size)));
            }
            Some(size) if size <= item_bytes_max => size,
            _ => {
                let flaw = BundleFlaw::SizeTooLarge { item_bytes_max };
                return Err(fail(Some(index), offset, flaw));
            }
        };
        let id = ItemId(self.array(Some(index), "header")?);
        Ok(Entry { size_bytes, id })
    }

    fn item(&mut self, entry: &Entry) -> Result<SignedItem, BundleError> {
        let (index, start) = (self.index, self.offset);
        // Grows with what arrives; the claimed size is only its bound.
        let mut bytes = Vec::new();
        let read = (&mut self.source)
            .take(entry.size_bytes)
            .read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        if let Err(error) = read {
            return Err(fail(Some(index), self.offset, error.into()));
        }
        if (bytes.len() as u64) < entry.size_bytes {
            let flaw = BundleFlaw::Truncated("items");
            return Err(fail(Some(index), self.offset, flaw));
        }
        let item = SignedItem::from_vec(bytes).map_err(|error| in_item(index, start, error))?;
        if item.id() != entry.id {
            let flaw = BundleFlaw::Id {
                header: entry.id,
                item: item.id(),
            };
            return Err(fail(Some(index), start, flaw));
        }
        self.index += 1;
        Ok(item)
    }

    fn end(&mut self) -> Result<Option<SignedItem>, BundleError> {
        let mut byte = [0];
        match read_full(&mut self.source, &mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Err(fail(None, self.offset, BundleFlaw::Trailing)),
            Err(error) => Err(fail(None, self.offset, error.into())),
        }
    }

    /// A number of 32 bytes; none when it does not fit 64 bits.
    fn number(
        &mut self,
        index: Option<u64>,
        field: &'static str,
    ) -> Result<Option<u64>, BundleError> {
        let low: [u8; 8] = self.array(index, field)?;
        let high: [u8; 24] = self.array(index, field)?;
        Ok((high == [0; 24]).then_some(u64::from_le_bytes(low)))
    }

    fn array<const N: usize>(
        &mut self,
        index: Option<u64>,
        field: &'static str,
    ) -> Result<[u8; N], BundleError> {
        let mut array = [0; N];
        match read_full(&mut self.source, &mut array) {
            Ok(len) => {
                self.offset += len as u64;
                if len == N {
                    Ok(array)
                } else {
                    Err(fail(index, self.offset, BundleFlaw::Truncated(field)))
                }
            }
            Err(error) => Err(fail(index, self.offset, error.into())),
        }
    }
}

impl<R: Read> Iterator for BundleReader<R> {
    type Item = Result<SignedItem, BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_item()
    }
}

fn fail(index: Option<u64>, offset: u64, flaw: BundleFlaw) -> BundleError {
    BundleError {
        index,
        offset,
        flaw,
    }
}

fn in_item(index: u64, start: u64, error: ItemError) -> BundleError {
    fail(
        Some(index),
        start + error.offset as u64,
        BundleFlaw::Item(error.flaw),
    )
}

/// Fills the buffer as far as the source goes; gives the number of bytes.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
