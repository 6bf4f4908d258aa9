//! A whole block in memory, and its bytes on the log and between nodes.
//!
//! ```text
//! block      an ANS-104 bundle: the header item, then the items
//! genesis    an ANS-104 bundle: the genesis item alone
//! ```
//!
//! Invariant: a [`Block`] was verified: its items' signatures hold, its header
//! names them, and it follows the block that the verifier had then. Only a
//! sequencer makes one. Whether its records may be included is the market's
//! word, not said here.

use protocol::ans104::bundle::{self, BundleReader, Limits};
use protocol::ans104::item::ITEM_BYTES_MIN;
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::block::{HEADER_BODY_BYTES_MAX, Header, HeaderRecord};
use protocol::json;
use protocol::record::{GENESIS_BYTES_MAX, Transaction};

/// The most bytes of a block as a bundle, header item and the bundle's entry for each item included: 16 MiB, of which
/// [`protocol::record::BLOCK_BYTES_MAX`] are records.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// What a bundle of a block may hold.
pub(crate) const BODY_LIMITS: Limits = Limits {
    items_max: (BODY_BYTES_MAX / ITEM_BYTES_MIN) as u64,
    item_bytes_max: (GENESIS_BYTES_MAX + protocol::ans104::item::HEADER_BYTES_MAX) as u64,
};

/// A record with the item that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The item, its signature checked.
    pub item: VerifiedItem,
    /// What it says.
    pub tx: Transaction,
}

/// A verified block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    header_item: VerifiedItem,
    header: HeaderRecord,
    records: Vec<Record>,
}

impl Block {
    /// A block of parts that a sequencer has checked against each other.
    pub(crate) fn assemble(
        header_item: VerifiedItem,
        header: HeaderRecord,
        records: Vec<Record>,
    ) -> Self {
        Self {
            header_item,
            header,
            records,
        }
    }

    /// The header with its names.
    pub fn header(&self) -> &HeaderRecord {
        &self.header
    }

    /// The records, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The header item, then the items.
    pub fn items(&self) -> impl Iterator<Item = &VerifiedItem> {
        std::iter::once(&self.header_item).chain(self.records.iter().map(|record| &record.item))
    }

    /// The block as a bundle: what stands on the log and goes to other nodes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let items: Vec<&VerifiedItem> = self.items().collect();
        bundle::encode(items)
    }
}

/// What a block says of itself. Nothing vouches for it: no signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The header item.
    pub(crate) item: SignedItem,
    /// Its body.
    pub(crate) header: Header,
    /// Items in the bundle, the header included.
    pub(crate) items: u64,
}

/// Reads what a block's bytes claim to be, or says why they are no block.
pub(crate) fn claim(body: &[u8]) -> Result<Claim, String> {
    let mut reader = BundleReader::new(body, BODY_LIMITS).map_err(|error| error.to_string())?;
    let items = reader.remaining();
    let item = match reader.next_item() {
        Some(Ok(item)) => item,
        Some(Err(error)) => return Err(error.to_string()),
        None => return Err("a block without a header".to_owned()),
    };
    let header: Header = json::from_slice_by_name(item.data(), HEADER_BODY_BYTES_MAX)
        .map_err(|error| format!("its first item is not a header: {error}"))?;
    if items != u64::from(header.items) + 1 {
        let named = header.items;
        return Err(format!(
            "its header names {named} items, {} follow",
            items - 1
        ));
    }
    Ok(Claim {
        item,
        header,
        items,
    })
}
