//! A bad frame at the end of the log: a torn write, or damage?
//!
//! A block is appended only after the one before it was synced, so a crash can
//! tear only the last frame. If anything that was written later stands behind a
//! bad frame, that frame was whole once and the file was damaged since; cutting
//! there would lose blocks that were acknowledged.
//!
//! What counts as written later is the header of a higher block under the
//! proposer's signature, at any byte of the rest. Nobody else can make one, so
//! no record's content can pass for one; and it is recognised even if its own
//! frame is damaged or torn too. The length inside the bad frame is not
//! believed.

use protocol::ans104::SignedItem;
use protocol::ans104::item::HEADER_BYTES_MAX;
use protocol::block::{HEADER_BODY_BYTES_MAX, HeaderRecord};
use protocol::id::Address;

use super::frame::FRAME_HEAD_BYTES;
use crate::block::BODY_LIMITS;

const COUNT_BYTES: usize = 32;
const ENTRY_BYTES: usize = 64;

/// A block that was written after the bad frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Later {
    /// Where its frame begins, in bytes from the bad frame's beginning.
    pub(super) offset: usize,
    /// Its height.
    pub(super) height: u64,
}

/// Looks in `rest`, which begins with the bad frame of block `height`, for a
/// block that the proposer signed later.
pub(super) fn later_block(rest: &[u8], height: u64, proposer: Address) -> Option<Later> {
    let frames = 1..rest.len().saturating_sub(FRAME_HEAD_BYTES + COUNT_BYTES);
    frames.into_iter().find_map(|offset| {
        let header = header_at(&rest[offset + FRAME_HEAD_BYTES..], proposer)?.header;
        (header.height > height).then_some(Later {
            offset,
            height: header.height,
        })
    })
}

/// The proposer's header of a bundle that begins here. What costs least is asked first.
fn header_at(body: &[u8], proposer: Address) -> Option<HeaderRecord> {
    let count = number(body)?;
    if count == 0 || count > BODY_LIMITS.items_max {
        return None;
    }
    let size = number(body.get(COUNT_BYTES..)?)?;
    if size > (HEADER_BYTES_MAX + HEADER_BODY_BYTES_MAX) as u64 {
        return None;
    }
    let start = COUNT_BYTES + ENTRY_BYTES * usize::try_from(count).ok()?;
    let item = body.get(start..start + usize::try_from(size).ok()?)?;
    let item = SignedItem::decode(item).ok()?;
    if item.address() != proposer {
        return None;
    }
    HeaderRecord::read(&item.verify().ok()?).ok()
}

/// The number of 32 bytes at the beginning, if it fits 64 bits.
fn number(bytes: &[u8]) -> Option<u64> {
    let (low, rest) = bytes.split_first_chunk::<8>()?;
    let high = rest.first_chunk::<24>()?;
    (*high == [0; 24]).then_some(u64::from_le_bytes(*low))
}
