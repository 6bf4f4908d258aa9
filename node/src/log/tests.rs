use std::{fs, io};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::{genesis, genesis_of, key, told};
use protocol::block::{Header, HeaderRecord};
use protocol::id::Digest;

/// A folder with the log of a story.
struct Told {
    dir: TempDir,
    /// Where each frame begins, and the end.
    places: Vec<u64>,
    bytes: Vec<u8>,
}

impl Told {
    fn new(height: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        drop(told(dir.path(), height));
        Self::read(dir)
    }

    fn read(dir: TempDir) -> Self {
        let bytes = fs::read(Self::segment_in(&dir)).expect("a segment");
        let mut places = vec![0];
        let mut source = &bytes[..];
        while let Some(body) = frame::read(&mut source).expect("memory").expect("whole") {
            places.push(places[places.len() - 1] + (FRAME_HEAD_BYTES + body.len()) as u64);
        }
        Self { dir, places, bytes }
    }

    fn segment_in(dir: &TempDir) -> PathBuf {
        Segment::new(&dir.path().join("log"), 0).path
    }

    fn segment(&self) -> PathBuf {
        Self::segment_in(&self.dir)
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(self.segment(), bytes).expect("a segment");
    }

    fn open(&self) -> Result<(Log, Option<TailCut>), LogError> {
        Log::open(&self.dir.path().join("log"))
    }

    fn last_frame(&self) -> u64 {
        self.places[self.places.len() - 2]
    }
}

#[test]
fn a_log_reads_back_what_was_appended() {
    let told = Told::new(5);
    let (log, cut) = told.open().expect("it opens");
    assert_eq!(cut, None);
    assert_eq!((log.height(), log.items()), (5, 16));
    assert_eq!(log.genesis_item(), &genesis());
    let blocks: Vec<_> = log.blocks(0).collect::<Result<_, _>>().expect("whole");
    assert_eq!(blocks.len(), 6);
    for (height, body) in blocks {
        assert_eq!(log.read(height).expect("whole"), Some(body));
    }
    assert_eq!(log.read(6).expect("whole"), None);
}

#[test]
fn segments_roll_and_blocks_are_found_in_all_of_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut chain = told(dir.path(), 0);
    chain.log_mut().set_segment_bytes_max(4_000);
    crate::testing::tell(&mut chain, 200);
    let end = chain.tip().id;
    assert!(chain.log().view.segments.len() > 20);
    assert!(chain.log().view.marks.len() >= 200 / 64);
    let read = |log: &Log| -> Vec<Vec<u8>> {
        let blocks = log.blocks(0).map(|block| block.map(|(_, body)| body));
        blocks.collect::<Result<_, _>>().expect("whole")
    };
    let before = read(chain.log());
    drop(chain);
    let (log, _) = Log::open(&dir.path().join("log")).expect("it opens");
    assert_eq!((log.height(), log.tip()), (200, end));
    assert_eq!(read(&log), before);
    for height in [0, 1, 63, 64, 65, 130, 199, 200] {
        let body = log.read(height).expect("whole");
        assert_eq!(body.as_ref(), Some(&before[height as usize]));
    }
    let (first, gone) = (
        log.view.segments[1].first,
        log.view.segments[1].path.clone(),
    );
    drop(log);
    fs::remove_file(&gone).expect("a segment");
    match Log::open(&dir.path().join("log")) {
        Err(LogError::Gap {
            expected, found, ..
        }) => assert!(expected == first && found > first),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_interrupted_roll_leaves_an_empty_segment_that_is_used() {
    let told = Told::new(2);
    let next = Segment::new(&told.dir.path().join("log"), 3).path;
    fs::write(&next, b"").expect("a segment");
    let (mut chain, recovery) = crate::testing::reopen(told.dir.path());
    assert!(recovery.is_clean());
    crate::testing::tell(&mut chain, 4);
    assert_eq!(fs::read(told.segment()).expect("a segment"), told.bytes);
    assert!(fs::metadata(next).expect("a segment").len() > 0);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_kept_and_reported() {
    let told = Told::new(2);
    // An empty block: every byte of it costs a few syncs.
    let (mut chain, _) = crate::testing::reopen(told.dir.path());
    chain
        .produce(crate::testing::time_ms(3), Vec::new())
        .expect("a block for the clock");
    drop(chain);
    let told = Told::read(told.dir);
    let begin = told.last_frame();
    for end in begin..told.bytes.len() as u64 {
        told.write(&told.bytes[..end as usize]);
        let (log, cut) = told.open().expect("a torn tail is no error");
        assert_eq!(log.height(), 2);
        match cut {
            None => assert_eq!(end, begin),
            Some(cut) => {
                assert_eq!(
                    (cut.offset, cut.size_bytes, cut.height),
                    (begin, end - begin, 3)
                );
                let kept = fs::read(&cut.kept_at).expect("the tail is kept");
                assert_eq!(kept, told.bytes[begin as usize..end as usize]);
                fs::remove_file(&cut.kept_at).expect("kept");
            }
        }
        assert_eq!(
            fs::metadata(told.segment()).expect("a segment").len(),
            begin
        );
    }
}

#[test]
fn a_torn_genesis_is_no_log() {
    let told = Told::new(0);
    for end in 0..told.bytes.len() {
        told.write(&told.bytes[..end]);
        match told.open() {
            Err(LogError::Damaged {
                offset: 0,
                height: 0,
                ..
            }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_with_its_place_or_cut_from_the_end() {
    let told = Told::new(3);
    let begin = told.last_frame();
    for place in 0..told.bytes.len() {
        let frame = told.places.partition_point(|&begin| begin <= place as u64) - 1;
        let within = place as u64 - told.places[frame];
        // Every bit before a body, one bit of every few bytes of a body.
        let bits = match within {
            0..36 => 0..8,
            _ if !place.is_multiple_of(if place as u64 >= begin { 11 } else { 3 }) => continue,
            _ => place % 8..place % 8 + 1,
        };
        for bit in bits {
            let mut bytes = told.bytes.clone();
            bytes[place] ^= 1 << bit;
            told.write(&bytes);
            match told.open() {
                Ok((log, Some(cut))) if frame == 3 => {
                    assert_eq!((log.height(), cut.offset), (2, begin));
                    fs::remove_file(cut.kept_at).expect("kept");
                }
                Err(LogError::Damaged {
                    offset,
                    height,
                    path,
                    ..
                }) if frame < 3 => {
                    assert_eq!((offset, height), (told.places[frame], frame as u64));
                    assert_eq!(path, told.segment());
                    assert_eq!(fs::read(path).expect("a segment"), bytes, "nothing is cut");
                }
                other => panic!("byte {place}, bit {bit}: {other:?}"),
            }
        }
    }
}

#[test]
fn damage_before_a_torn_tail_is_not_cut_with_it() {
    let told = Told::new(4);
    let mut bytes = told.bytes.clone();
    // Block 3 is damaged in its length; block 4 has lost its last byte.
    bytes[told.places[3] as usize] ^= 1;
    bytes.pop();
    told.write(&bytes);
    match told.open() {
        Err(
            error @ LogError::Damaged {
                height: 3,
                later: Some((4, at)),
                ..
            },
        ) => {
            assert_eq!(at, told.places[4]);
            let text = error.to_string();
            assert!(text.contains("block 3 is damaged") && text.contains("block 4 stands behind"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_bytes_than_one_write_are_never_cut() {
    let told = Told::new(1);
    let mut bytes = told.bytes.clone();
    bytes.resize(
        bytes.len() + FRAME_HEAD_BYTES + crate::block::BODY_BYTES_MAX + 1,
        0,
    );
    told.write(&bytes);
    assert!(matches!(
        told.open(),
        Err(LogError::Damaged { height: 2, .. })
    ));
    bytes.pop();
    told.write(&bytes);
    assert!(matches!(told.open(), Ok((_, Some(cut))) if cut.flaw == FrameFlaw::Length(0)));
}

#[test]
fn whole_frames_in_the_wrong_place_are_named() {
    let told = Told::new(3);
    let frame = |n: usize| &told.bytes[told.places[n] as usize..told.places[n + 1] as usize];
    for (order, height, reason) in [
        (vec![0, 2, 1, 3], 1, "it is block 2"),
        (vec![0, 1, 1, 2, 3], 2, "it is block 1"),
        (vec![0, 1, 3], 2, "it is block 3"),
        (vec![0, 1, 0], 2, "not a header"),
    ] {
        told.write(
            &order
                .iter()
                .flat_map(|&n| frame(n))
                .copied()
                .collect::<Vec<u8>>(),
        );
        match told.open() {
            Err(LogError::Misplaced {
                height: found, why, ..
            }) => {
                assert_eq!(found, height);
                assert!(why.contains(reason), "{why}");
            }
            other => panic!("{order:?}: {other:?}"),
        }
    }
    // The blocks of another network, at the right heights.
    let dir = tempfile::tempdir().expect("a folder");
    let other = Log::create(&dir.path().join("log"), &genesis_of("other")).expect("created");
    let path = other.view.segments[0].path.clone();
    drop(other);
    let mut bytes = fs::read(&path).expect("a segment");
    bytes.extend_from_slice(&told.bytes[told.places[1] as usize..]);
    fs::write(&path, bytes).expect("a segment");
    match Log::open(&dir.path().join("log")) {
        Err(LogError::Misplaced { height: 1, why, .. }) => assert!(why.contains("parent"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_process_has_a_log_at_a_time() {
    let told = Told::new(1);
    let open = told.open().expect("it opens");
    match told.open() {
        Err(error @ LogError::Locked(_)) => assert!(error.to_string().contains("Stop it first")),
        other => panic!("{other:?}"),
    }
    drop(open);
    assert!(told.open().is_ok());
}

#[test]
fn a_log_is_created_once_and_opened_only_where_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("log");
    assert!(matches!(Log::open(&path), Err(LogError::Missing(_))));
    assert!(!Log::exists(&path).expect("readable"));
    drop(Log::create(&path, &genesis()).expect("created"));
    assert!(Log::exists(&path).expect("readable"));
    assert!(matches!(
        Log::create(&path, &genesis()),
        Err(LogError::Exists(_))
    ));
    // What a creation that was interrupted leaves is no log, and in nobody's way.
    let other = dir.path().join("other");
    fs::create_dir_all(&other).expect("a folder");
    fs::write(Segment::new(&other, 0).path.with_extension("new"), b"half").expect("a file");
    assert!(matches!(Log::open(&other), Err(LogError::Missing(_))));
    assert!(Log::create(&other, &genesis()).is_ok());
}

#[test]
fn only_the_proposers_later_header_counts_as_a_later_block() {
    let told = Told::new(1);
    let (log, _) = told.open().expect("it opens");
    let network = log.genesis().network;
    let proposer = log.genesis().proposer;
    let frame_of = |height: u64, seed: u8| {
        let header = Header {
            height,
            time_ms: 1,
            parent: log.tip(),
            items: 0,
            items_root: Digest([0; 32]),
            state_root: Digest([0; 32]),
            receipts_root: Digest([0; 32]),
        };
        let item = header.draft(network).sign(&key(seed)).expect("few tags");
        assert!(HeaderRecord::read(&item).is_ok());
        frame::encode(&bundle::encode([&item]))
    };
    let found = |frame: &[u8]| {
        let rest = [b"a bad frame ", frame, b" and more"].concat();
        tail::later_block(&rest, 2, proposer)
    };
    let later = tail::Later {
        offset: 12,
        height: 3,
    };
    assert_eq!(found(&frame_of(3, 0)), Some(later));
    assert_eq!(found(&frame_of(2, 0)), None, "the torn block itself");
    assert_eq!(found(&frame_of(1, 0)), None, "an older block, quoted");
    assert_eq!(found(&frame_of(3, 1)), None, "somebody else's header");
    let mut damaged = frame_of(3, 0);
    damaged[..FRAME_HEAD_BYTES].fill(0);
    assert_eq!(found(&damaged), Some(later), "a signed header says enough");
    let torn = &frame_of(3, 0)[..300];
    assert_eq!(found(torn), None);
}

/// A disk without room, every write to which fails as on a full one; and one that takes what is written but cannot be
/// synced: what was not synced is not answered for.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_or_does_not_sync_stops_the_log_until_it_is_opened_again() {
    is_stopped_by("/dev/full", io::ErrorKind::StorageFull);
    is_stopped_by("/dev/null", io::ErrorKind::InvalidInput);
}

#[cfg(target_os = "linux")]
fn is_stopped_by(disk: &str, kind: io::ErrorKind) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut chain = told(dir.path(), 2);
    let disk = OpenOptions::new().write(true).open(disk);
    chain.log_mut().set_file(disk.expect("linux"));
    let network = chain.genesis().network;
    let chapter = || crate::testing::chapter(network, 3);
    let time_ms = crate::testing::time_ms(3);
    match chain.produce(time_ms, chapter()) {
        Err(crate::ChainError::Log(LogError::Io { source, .. })) => {
            assert_eq!(source.kind(), kind);
        }
        other => panic!("{other:?}"),
    }
    let stopped = chain.produce(time_ms, chapter());
    assert!(
        matches!(stopped, Err(crate::ChainError::Stopped(_))),
        "{stopped:?}"
    );
    drop(chain);
    let (mut chain, recovery) = crate::testing::reopen(dir.path());
    assert!(recovery.is_clean(), "{recovery}");
    crate::testing::tell(&mut chain, 3);
    assert_eq!(chain.tip().state_root, crate::testing::undisturbed(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_behind_whole_frames_are_cut_or_refused(tail in prop::collection::vec(any::<u8>(), 1..400)) {
        let told = Told::new(1);
        let mut bytes = told.bytes.clone();
        bytes.extend_from_slice(&tail);
        told.write(&bytes);
        let (log, cut) = told.open().expect("a torn tail is no error");
        prop_assert_eq!(log.height(), 1);
        prop_assert_eq!(cut.map(|cut| cut.size_bytes), Some(tail.len() as u64));
    }

    #[test]
    fn frames_are_read_up_to_the_first_changed_byte(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..6),
        place in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let frames: Vec<Vec<u8>> = bodies.iter().map(|body| frame::encode(body)).collect();
        let mut bytes = frames.concat();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        let whole = ends.take_while(|end| *end <= place).count();
        let mut source = &bytes[..];
        for body in &bodies[..whole] {
            let read = frame::read(&mut source).expect("memory");
            prop_assert_eq!(read.as_ref(), Ok(&Some(body.clone())));
        }
        prop_assert!(frame::read(&mut source).expect("memory").is_err());
        let _ = tail::later_block(&bytes, 0, crate::testing::address(0));
        let _ = crate::block::claim(&bytes);
    }
}

#[test]
fn a_reader_changes_nothing_and_shares_the_log() {
    let told = Told::new(3);
    let dir = told.dir.path().join("log");
    let mut bytes = told.bytes.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    told.write(&bytes);
    let names = || fs::read_dir(&dir).expect("a folder").count();
    let before = names();
    let (one, tail) = Log::open_for_reading(&dir).expect("it opens");
    let (two, _) = Log::open_for_reading(&dir).expect("it opens twice");
    assert_eq!((one.height(), two.height()), (2, 2));
    assert_eq!(tail.expect("it is told").height, 3);
    assert!(matches!(Log::open(&dir), Err(LogError::Locked(_))));
    assert_eq!(fs::read(told.segment()).expect("a segment"), bytes);
    assert_eq!(names(), before);
}
