//! The reader of an exported log: as it comes, and with signatures, parents and
//! item roots put right, so that mutations reach the rules of the market.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ItemId;
use protocol::ans104::bundle::{self, BundleReader, Limits};
use protocol::ans104::{Draft, SignedItem, VerifiedItem};
use protocol::block::{Header, HeaderRecord, items_root};

fuzz_target!(|data: &[u8]| {
    // A replay that succeeds has counted every purse.
    let _ = node::replay(data, |_| ());
    let Ok(mut reader) = BundleReader::new(data, Limits::default()) else {
        return;
    };
    let mut items = Vec::new();
    // An id that is wrong ends the list; the items before it are still worth a try.
    while let Some(Ok(item)) = reader.next_item() {
        items.push(item);
    }
    let _ = node::replay(&bundle::encode(&mended(&items))[..], |_| ());
});

fn mended(items: &[SignedItem]) -> Vec<VerifiedItem> {
    let mut signed: Vec<VerifiedItem> = items.iter().map(lode_fuzz::signed_again).collect();
    let headers: Vec<usize> = (1..signed.len())
        .filter(|&at| HeaderRecord::read(&signed[at]).is_ok())
        .collect();
    let mut parent = signed
        .first()
        .map_or(ItemId([0; 32]), |genesis| genesis.id());
    for (nth, &at) in headers.iter().enumerate() {
        let end = headers.get(nth + 1).copied().unwrap_or(signed.len());
        let read = HeaderRecord::read(&signed[at]).expect("it was read before");
        let header = Header {
            parent,
            items: (end - at - 1) as u32,
            items_root: items_root(signed[at + 1..end].iter().map(|item| item.id())),
            ..read.header
        };
        let draft: Draft = header.draft(read.network);
        signed[at] = draft.sign(lode_fuzz::key()).expect("few tags");
        parent = signed[at].id();
    }
    signed
}
