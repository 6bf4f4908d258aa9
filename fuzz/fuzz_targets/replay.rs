//! The reader of an exported log: as it comes; and with everything put right that
//! a change breaks (signatures, ids, nonces, roots), so that mutations reach the
//! rules of the market: such a log replays, to the state that its records make.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use lode_fuzz::{Links, draft_of, key_of, mutate_bundle, signed_again};
use market::State;
use node::replay::ReplayFlaw;
use protocol::ans104::bundle::{self, BundleReader, Limits};
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::block::{Header, HeaderRecord, items_root};
use protocol::record::{Envelope, GenesisRecord, Transaction};

fuzz_target!(|data: &[u8]| {
    // A replay that succeeds has counted every purse.
    let is_whole = match node::replay(data, |_| ()) {
        Ok(_) => true,
        Err(error) => {
            assert!(!matches!(error.flaw, ReplayFlaw::Supply), "{error}");
            false
        }
    };
    let Ok(mut reader) = BundleReader::new(data, Limits::default()) else {
        return;
    };
    let mut items = Vec::new();
    // An id that is wrong ends the list; the items before it are still worth a try.
    while let Some(Ok(item)) = reader.next_item() {
        items.push(item);
    }
    if let Some((log, state)) = mended(&items) {
        let log = bundle::encode(&log);
        // Where nothing is broken nothing is put right: only the demo's own people could sign it.
        assert!(!is_whole || log == data);
        let replay = node::replay(&log[..], |_| ());
        let replay = replay.expect("a log that was made by the rules");
        assert_eq!(replay.height, state.height());
        assert_eq!(replay.state_root, state.root());
        assert_eq!(replay.receipts_root, state.receipts_root());
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_bundle(data, size, max_size, seed)
});

/// The log that these items can be made to: each header begins a block of the
/// records that follow it, without those that cannot be included.
fn mended(items: &[SignedItem]) -> Option<(Vec<VerifiedItem>, State)> {
    let (first, rest) = items.split_first()?;
    let genesis = signed_again(first);
    let proposer = key_of(&first.owner());
    let record = GenesisRecord::read(&genesis).ok()?;
    let mut state = State::genesis(&record).ok()?;
    let mut links = Links::default();
    links.put(first.id(), genesis.id());
    let mut parent = genesis.id();
    let mut log = vec![genesis];
    let mut rest = rest.iter().peekable();
    while let Some(item) = rest.next() {
        let Some(begun) = header_of(item) else {
            continue;
        };
        let Some(earliest_ms) = state.time_ms().checked_add(1) else {
            break;
        };
        let time_ms = begun.time_ms.max(earliest_ms);
        let (state_root, receipts_root) = (state.root(), state.receipts_root());
        state.begin_block(state.height() + 1, time_ms, parent);
        let records = records(&mut state, &mut links, time_ms, &mut rest);
        state.end_block();
        let header = Header {
            height: state.height(),
            time_ms,
            parent,
            items: records.len() as u32,
            items_root: items_root(records.iter().map(|item| item.id())),
            state_root,
            receipts_root,
        };
        let signed = header.draft(record.network).sign(proposer);
        let signed = signed.expect("few tags");
        parent = signed.id();
        links.put(item.id(), parent);
        log.push(signed);
        log.extend(records);
    }
    Some((log, state))
}

fn header_of(item: &SignedItem) -> Option<Header> {
    let read = HeaderRecord::read(&signed_again(item)).ok()?;
    Some(read.header)
}

/// Applies what comes before the next header, and gives what was included.
fn records<'a>(
    state: &mut State,
    links: &mut Links,
    time_ms: u64,
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a SignedItem>>,
) -> Vec<VerifiedItem> {
    let mut room = state.parameters().block_bytes_max as usize;
    let mut kept = Vec::new();
    while let Some(item) = rest.next_if(|item| header_of(item).is_none()) {
        let Some(signed) = included(state, links, time_ms, item) else {
            continue;
        };
        let tx = Transaction::read(&signed).expect("what is drafted is read");
        if signed.bytes().len() <= room && state.apply(&tx).is_ok() {
            room -= signed.bytes().len();
            links.put(item.id(), signed.id());
            kept.push(signed);
        }
    }
    kept
}

/// The record with network, nonce and time as they must be.
fn included(state: &State, links: &Links, time_ms: u64, item: &SignedItem) -> Option<VerifiedItem> {
    let mut draft = draft_of(item);
    links.relink(&mut draft);
    let owner = key_of(&item.owner());
    let signer = owner.public().address();
    let tx = Transaction::of_draft(signer, &draft).ok()?;
    let latest_ms = time_ms.saturating_add(state.parameters().validity_max_ms);
    let envelope = Envelope {
        network: state.network(),
        nonce: state.account(signer).nonce,
        valid_until_ms: tx.envelope.valid_until_ms.clamp(time_ms, latest_ms),
    };
    Transaction::draft(&envelope, &tx.action).sign(owner).ok()
}
