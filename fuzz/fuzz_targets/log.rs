//! A log's folder, cut or damaged at any byte; and its blocks, as they go between nodes.
//! What was whole stays and is read as it was written; a torn end is told, kept and cut, and
//! damage before the end is never cut.
#![no_main]

use std::path::Path;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use lode_fuzz::{key_of, mutate_bundle, signed_again};
use node::log::{FRAME_HEAD_BYTES, Log};
use node::sequencer::{Sequencer as _, Solo, Tip};
use protocol::ans104::bundle::{self, BundleReader, Limits};
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::block::{Header, HeaderRecord, items_root};
use protocol::record::{GenesisRecord, Transaction};

/// Bytes before the bundle: what is done to the file, and where.
const CONTROL_BYTES: usize = 8;

fuzz_target!(|data: &[u8]| {
    let Some((control, bytes)) = data.split_first_chunk::<CONTROL_BYTES>() else {
        return;
    };
    let Ok(mut reader) = BundleReader::new(bytes, Limits::default()) else {
        return;
    };
    let mut items = Vec::new();
    while let Some(Ok(item)) = reader.next_item() {
        items.push(item);
    }
    if let Some(blocks) = blocks(&items, bytes) {
        check(&blocks, *control);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match seed % 8 {
        0 => fuzzer_mutate(data, size, max_size),
        1 if size >= CONTROL_BYTES => {
            fuzzer_mutate(&mut data[..CONTROL_BYTES], CONTROL_BYTES, CONTROL_BYTES);
            size
        }
        _ if size > CONTROL_BYTES => {
            let (rest, most) = (size - CONTROL_BYTES, max_size - CONTROL_BYTES);
            CONTROL_BYTES + mutate_bundle(&mut data[CONTROL_BYTES..], rest, most, seed / 8)
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

/// The bodies of the blocks that these items can be made to, the genesis first: each
/// header begins one. Every one of them is checked as a node does that follows.
fn blocks(items: &[SignedItem], raw: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (first, rest) = items.split_first()?;
    let genesis = signed_again(first);
    let record = GenesisRecord::read(&genesis).ok()?;
    let proposer = key_of(&first.owner());
    let mut parent = (genesis.id(), 0, record.genesis.time_ms);
    let mut bodies = vec![bundle::encode([&genesis])];
    let mut rest = rest.iter().map(signed_again).peekable();
    while let Some(item) = rest.next() {
        let Ok(begun) = HeaderRecord::read(&item) else {
            continue;
        };
        let mut records: Vec<VerifiedItem> = Vec::new();
        while let Some(item) = rest.next_if(|item| HeaderRecord::read(item).is_err()) {
            if Transaction::read(&item).is_ok() {
                records.push(item);
            }
        }
        let (id, height, time_ms) = parent;
        let header = Header {
            height: height + 1,
            time_ms: begun.header.time_ms.max(time_ms.checked_add(1)?),
            parent: id,
            items: records.len() as u32,
            items_root: items_root(records.iter().map(|record| record.id())),
            ..begun.header
        };
        let tip = Tip {
            height,
            id,
            time_ms,
            state_root: header.state_root,
            receipts_root: header.receipts_root,
        };
        let signed = header
            .draft(record.network)
            .sign(proposer)
            .expect("few tags");
        parent = (signed.id(), header.height, header.time_ms);
        let mut items = vec![signed];
        items.append(&mut records);
        bodies.push(follow(&record, tip, &items, raw));
    }
    Some(bodies)
}

/// The block of these items, which is what follows the tip, and nothing else does.
fn follow(genesis: &GenesisRecord, tip: Tip, items: &[VerifiedItem], raw: &[u8]) -> Vec<u8> {
    let solo = Solo::new(genesis, tip, None);
    assert!(solo.verify(raw).is_err(), "what nobody signed");
    let body = bundle::encode(items);
    let size: usize = items[1..].iter().map(|item| item.bytes().len()).sum();
    let fits = size as u64 <= u64::from(genesis.genesis.parameters.block_bytes_max);
    match solo.verify(&body) {
        Ok(block) => {
            assert!(fits);
            assert_eq!(block.to_bytes(), body);
        }
        Err(error) => assert!(!fits, "{error}"),
    }
    let other = Tip {
        height: tip.height + 1,
        ..tip
    };
    assert!(Solo::new(genesis, other, None).verify(&body).is_err());
    if let [header, fewer @ .., _] = items {
        let mut fewer = fewer.to_vec();
        fewer.insert(0, header.clone());
        assert!(solo.verify(&bundle::encode(&fewer)).is_err());
    }
    body
}

/// What is done to the file.
enum Harm {
    None,
    /// So many bytes are left.
    Cut(usize),
    /// A bit of this byte is another.
    Bit(usize),
    /// So many bytes more.
    More(usize),
}

fn check(blocks: &[Vec<u8>], control: [u8; CONTROL_BYTES]) {
    let mut file = Vec::new();
    // Where each frame ends.
    let mut ends = Vec::new();
    for body in blocks {
        file.extend_from_slice(&(body.len() as u32).to_le_bytes());
        file.extend_from_slice(blake3::hash(body).as_bytes());
        file.extend_from_slice(body);
        ends.push(file.len());
        assert_eq!(
            file.len() - body.len() - FRAME_HEAD_BYTES,
            ends.iter().rev().nth(1).copied().unwrap_or(0)
        );
    }
    let [what, bit, more @ .., a, b, c] = control;
    let place = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    let place = place % file.len();
    let harm = match what % 4 {
        0 => Harm::None,
        1 => Harm::Cut(place),
        2 => Harm::Bit(place),
        _ => Harm::More(1 + place % 64),
    };
    match harm {
        Harm::None => {}
        Harm::Cut(size) => file.truncate(size),
        Harm::Bit(place) => file[place] ^= 1 << (bit % 8),
        Harm::More(count) => file.extend(more.iter().cycle().take(count)),
    }
    let whole = |size: usize| ends.iter().filter(|end| **end <= size).count();
    let last = blocks.len() - 1;
    // How many blocks are there still, and whether bytes behind them are cut; none: damage.
    let expected = match harm {
        Harm::None => Some((blocks.len(), false)),
        Harm::Cut(size) => {
            let is_torn = size > 0 && !ends.contains(&size);
            Some((whole(size), is_torn)).filter(|(count, _)| *count > 0)
        }
        Harm::Bit(place) => {
            Some((whole(place), true)).filter(|(count, _)| *count == last && last > 0)
        }
        Harm::More(_) => Some((blocks.len(), true)),
    };
    let dir = lode_fuzz::scratch();
    let path = dir.path().join("blocks-00000000000000000000.log");
    std::fs::write(&path, &file).expect("room");
    std::fs::write(dir.path().join("lock"), []).expect("room");
    let read = |log: &Log| {
        let (height, count) = (log.height(), log.blocks(0).count());
        assert_eq!(count as u64, height + 1);
        for (height, body) in blocks[..count].iter().enumerate() {
            let found = log.read(height as u64).expect("a whole frame");
            assert_eq!(found.as_ref(), Some(body));
        }
        count
    };
    let seen = Log::open_for_reading(dir.path()).map(|(log, cut)| (read(&log), cut.is_some()));
    assert_eq!(seen.ok(), expected);
    assert_eq!(
        std::fs::read(&path).expect("there"),
        file,
        "a reader changes nothing"
    );
    let opened = Log::open(dir.path());
    let opened = opened.map(|(log, cut)| {
        let tail = cut.map(|cut| std::fs::read(cut.kept_at).expect("kept"));
        (read(&log), tail)
    });
    match (opened, expected) {
        (Ok((count, tail)), Some((kept, is_torn))) => {
            assert_eq!((count, tail.is_some()), (kept, is_torn));
            let rest = &file[ends[kept - 1]..];
            assert_eq!(tail.unwrap_or_default(), rest, "what is cut is kept");
            clean(dir.path(), kept);
        }
        (Err(_), None) => assert_eq!(std::fs::read(&path).expect("there"), file),
        (opened, expected) => panic!("{opened:?}, not {expected:?}"),
    }
}

/// Opened once more there is nothing to cut.
fn clean(dir: &Path, kept: usize) {
    let (log, cut) = Log::open(dir).expect("a log that was mended");
    assert_eq!((log.height() + 1, cut.is_none()), (kept as u64, true));
}
