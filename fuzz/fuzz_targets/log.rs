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
use protocol::{Digest, ItemId};

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
    if let Some(blocks) = blocks(&items, *control) {
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
fn blocks(items: &[SignedItem], control: [u8; CONTROL_BYTES]) -> Option<Vec<Vec<u8>>> {
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
        bodies.push(follow(&record, tip, &items, control));
    }
    Some(bodies)
}

/// The block of these items, which is what follows the tip, and no other: not of another tip, not with a record less or
/// in another order, and not with a bit changed.
fn follow(
    genesis: &GenesisRecord,
    tip: Tip,
    items: &[VerifiedItem],
    control: [u8; CONTROL_BYTES],
) -> Vec<u8> {
    let solo = Solo::new(genesis, tip, None);
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
    let other = |mut bytes: [u8; 32]| {
        bytes[31] ^= 1;
        bytes
    };
    let header = HeaderRecord::read(&items[0]).expect("it was made").header;
    for tip in [
        Tip {
            height: tip.height + 1,
            ..tip
        },
        Tip {
            id: ItemId(other(tip.id.0)),
            ..tip
        },
        Tip {
            time_ms: header.time_ms,
            ..tip
        },
        Tip {
            state_root: Digest(other(tip.state_root.0)),
            ..tip
        },
        Tip {
            receipts_root: Digest(other(tip.receipts_root.0)),
            ..tip
        },
    ] {
        let verified = Solo::new(genesis, tip, None).verify(&body);
        assert!(verified.is_err(), "of another tip: {tip:?}");
    }
    if let [.., _, _] = items {
        let (last, whole) = (items.len() - 1, items.to_vec());
        assert!(solo.verify(&bundle::encode(&whole[..last])).is_err());
        let mut turned = whole;
        turned[1..].rotate_left(1);
        let is_same = turned == items;
        assert!(is_same || solo.verify(&bundle::encode(&turned)).is_err());
    }
    let mut changed = body.clone();
    let place = place(control) % changed.len();
    changed[place] ^= 1 << (control[1] % 8);
    assert!(solo.verify(&changed).is_err(), "byte {place} is another");
    body
}

/// Where, as the control bytes have it.
fn place(control: [u8; CONTROL_BYTES]) -> usize {
    let [.., a, b, c] = control;
    usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16
}

/// What is done to the files: to the last of them, or, for a bit, to any.
enum Harm {
    None,
    /// So many bytes are left.
    Cut(usize),
    /// A bit of this byte of all files is another.
    Bit(usize),
    /// So many bytes more.
    More(usize),
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    let frame = [&length, &blake3::hash(body).as_bytes()[..], body].concat();
    assert_eq!(frame.len() - body.len(), FRAME_HEAD_BYTES);
    frame
}

fn check(blocks: &[Vec<u8>], control: [u8; CONTROL_BYTES]) {
    let [what, bit, split, more @ ..] = control;
    let frames: Vec<Vec<u8>> = blocks.iter().map(|body| frame(body)).collect();
    // The first block of the last segment; 0: there is one segment alone.
    let split = usize::from(split) % frames.len();
    let before = frames[..split].concat();
    let mut last = frames[split..].concat();
    let place = place(control);
    let harm = match what % 4 {
        0 => Harm::None,
        1 => Harm::Cut(place % last.len()),
        2 => Harm::Bit(place % (before.len() + last.len())),
        _ => Harm::More(1 + place % 64),
    };
    // How many frames of a list lie before this byte, whole.
    let whole = |frames: &[Vec<u8>], size: usize| {
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        ends.take_while(|end| *end <= size).count()
    };
    let size = |count: usize| frames[split..count].concat().len();
    let mut first = before.clone();
    // How many blocks are there still, and whether bytes behind them are cut; none: damage.
    let expected = match harm {
        Harm::None => Some((blocks.len(), false)),
        Harm::Cut(left) => {
            last.truncate(left);
            let count = split + whole(&frames[split..], left);
            Some((count, left > size(count))).filter(|(count, _)| *count > 0)
        }
        Harm::Bit(place) => {
            let count = whole(&frames, place);
            match place.checked_sub(before.len()) {
                Some(place) => last[place] ^= 1 << (bit % 8),
                None => first[place] ^= 1 << (bit % 8),
            }
            // Only the last frame can be a torn one, and a log is born with its genesis whole.
            Some((count, true)).filter(|(count, _)| *count > 0 && *count == blocks.len() - 1)
        }
        Harm::More(count) => {
            last.extend(more.iter().cycle().take(count));
            Some((blocks.len(), true))
        }
    };
    let dir = lode_fuzz::scratch();
    let path = |first: usize| dir.path().join(format!("blocks-{first:020}.log"));
    if split > 0 {
        std::fs::write(path(0), &first).expect("room");
    }
    std::fs::write(path(split), &last).expect("room");
    std::fs::write(dir.path().join("lock"), []).expect("room");
    let is_untouched = || {
        let same = |place: usize, bytes: &[u8]| std::fs::read(path(place)).expect("there") == bytes;
        (split == 0 || same(0, &first)) && same(split, &last)
    };
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
    assert!(is_untouched(), "a reader changes nothing");
    let opened = Log::open(dir.path());
    let opened = opened.map(|(log, cut)| {
        let tail = cut.map(|cut| std::fs::read(cut.kept_at).expect("kept"));
        (read(&log), tail)
    });
    match (opened, expected) {
        (Ok((count, tail)), Some((kept, is_torn))) => {
            assert_eq!((count, tail.is_some()), (kept, is_torn));
            let rest = &last[size(kept)..];
            assert_eq!(tail.unwrap_or_default(), rest, "what is cut is kept");
            clean(dir.path(), kept);
        }
        (Err(_), None) => assert!(is_untouched(), "damage is left as it is"),
        (opened, expected) => panic!("{opened:?}, not {expected:?}"),
    }
}

/// Opened once more there is nothing to cut.
fn clean(dir: &Path, kept: usize) {
    let (log, cut) = Log::open(dir).expect("a log that was mended");
    assert_eq!((log.height() + 1, cut.is_none()), (kept as u64, true));
}
