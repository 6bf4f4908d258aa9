use std::io::Cursor;

use tempfile::TempDir;

use super::*;

fn open() -> (TempDir, Blobs) {
    let dir = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open(dir.path()).expect("it opens");
    (dir, blobs)
}

fn read(blobs: &Blobs, id: BlobId) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = blobs.get(id).map_err(io::Error::other)?;
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files under a folder of the store, by name.
fn files(dir: &TempDir, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(dir.path().join(folder)).expect("a folder");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().expect("text"))
        .collect();
    names.sort();
    names
}

/// So many bytes, none like its neighbour.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn id_of(bytes: &[u8]) -> BlobId {
    BlobId(*blake3::hash(bytes).as_bytes())
}

fn reference(bytes: &[u8]) -> BlobRef {
    BlobRef {
        id: id_of(bytes),
        size_bytes: bytes.len() as u64,
    }
}

/// Gives its bytes a few at a time.
struct Slow(Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(10_007);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn a_blob_reads_back_under_its_blake3_name() {
    let (dir, blobs) = open();
    for len in [
        0,
        1,
        1_000,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        2 * PART_BYTES + 7,
    ] {
        let bytes = bytes(len);
        let blob = blobs.put(Slow(Cursor::new(bytes.clone()))).expect("stored");
        assert_eq!((blob.id, blob.size_bytes), (id_of(&bytes), len as u64));
        assert_eq!(
            blobs.size_bytes(blob.id).expect("readable"),
            Some(len as u64)
        );
        assert!(read(&blobs, blob.id).expect("whole") == bytes);
    }
    assert_eq!(files(&dir, "blobs").len(), 7);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn a_blob_that_is_not_held_is_said_to_be_missing() {
    let (_dir, blobs) = open();
    let id = BlobId([7; 32]);
    assert!(!blobs.holds(id).expect("readable"));
    assert!(matches!(blobs.get(id), Err(BlobError::Missing(missing)) if missing == id));
}

#[test]
fn another_blob_than_expected_leaves_nothing_behind() {
    let (dir, blobs) = open();
    let expected = id_of(b"expected");
    match blobs.put_expecting(expected, &b"other"[..]) {
        Err(BlobError::Mismatch {
            expected: named,
            found,
        }) => {
            assert_eq!((named, found), (expected, id_of(b"other")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(files(&dir, "blobs"), [""; 0]);
    assert_eq!(files(&dir, "staging"), [""; 0]);
    let blob = blobs
        .put_expecting(expected, &b"expected"[..])
        .expect("stored");
    assert_eq!(blob.id, expected);
}

#[test]
fn a_blob_above_the_limit_leaves_nothing_behind() {
    let (dir, blobs) = open();
    drop(blobs);
    let blobs = Blobs::open_with(dir.path(), 10).expect("it opens");
    assert!(blobs.put(&[0; 10][..]).is_ok());
    let error = blobs.put(io::repeat(0)).expect_err("it never ends");
    assert!(matches!(error, BlobError::TooLong { limit_bytes: 10 }));
    assert_eq!(files(&dir, "blobs").len(), 1);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn a_source_that_fails_leaves_nothing_behind() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line is dead"))
        }
    }
    let (dir, blobs) = open();
    match blobs.put((&b"some"[..]).chain(Broken)) {
        Err(BlobError::Source { read_bytes, source }) => {
            assert_eq!(read_bytes, 4);
            assert_eq!(source.to_string(), "the line is dead");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(files(&dir, "blobs"), [""; 0]);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn a_damaged_blob_fails_at_its_end_and_is_named() {
    let (dir, blobs) = open();
    let bytes = bytes(PART_BYTES + 100);
    let blob = blobs.put(&bytes[..]).expect("stored");
    let path = dir.path().join("blobs").join(blob.id.to_string());
    let mut flipped = bytes.clone();
    flipped[PART_BYTES + 5] ^= 4;
    let mut longer = bytes.clone();
    longer.push(0);
    for damaged in [
        &flipped,
        &longer,
        &bytes[..bytes.len() - 1].to_vec(),
        &Vec::new(),
    ] {
        fs::write(&path, damaged).expect("damaged");
        let mut reader = blobs.get(blob.id).expect("held");
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).expect_err("damaged");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(&blob.id.to_string()), "{error}");
        // It does not become whole by asking again.
        assert!(reader.read(&mut [0; 9]).is_err());
    }
    assert!(!blobs.holds(blob.id).expect("readable"));
    assert_eq!(files(&dir, "damaged"), [blob.id.to_string()]);
    assert_eq!(blobs.put(&bytes[..]).expect("stored again"), blob);
    assert!(read(&blobs, blob.id).expect("healed") == bytes);
}

#[test]
fn a_blob_that_was_put_again_while_its_damage_was_read_stays() {
    let (dir, blobs) = open();
    let bytes = bytes(PART_BYTES + 100);
    let blob = blobs.put(&bytes[..]).expect("stored");
    let path = dir.path().join("blobs").join(blob.id.to_string());
    fs::write(&path, vec![0; bytes.len()]).expect("damaged");
    let mut reader = blobs.get(blob.id).expect("held");
    reader.read_exact(&mut [0; 100]).expect("the first part");
    blobs.put(&bytes[..]).expect("stored again");
    io::copy(&mut reader, &mut io::sink()).expect_err("damaged");
    assert!(read(&blobs, blob.id).expect("whole") == bytes);
}

#[test]
fn a_blob_that_shrinks_or_goes_while_it_is_read_is_damaged() {
    let (dir, blobs) = open();
    let bytes = bytes(2 * PART_BYTES);
    let blob = blobs.put(&bytes[..]).expect("stored");
    let path = dir.path().join("blobs").join(blob.id.to_string());
    let damage: [&dyn Fn(); 2] = [
        &|| fs::write(&path, &bytes[..PART_BYTES + 1]).expect("damaged"),
        &|| fs::remove_file(&path).expect("gone"),
    ];
    for damage in damage {
        fs::write(&path, &bytes).expect("whole");
        let mut reader = blobs.get(blob.id).expect("held");
        reader.read_exact(&mut [0; 100]).expect("the first part");
        damage();
        let error = io::copy(&mut reader, &mut io::sink()).expect_err("damaged");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}

#[test]
fn the_same_blob_may_arrive_many_times_at_once() {
    let (dir, blobs) = open();
    let bytes = bytes(300_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let blob = blobs.put(Slow(Cursor::new(bytes.clone()))).expect("stored");
                assert!(read(&blobs, blob.id).expect("whole") == bytes);
            });
        }
    });
    assert_eq!(files(&dir, "blobs"), [id_of(&bytes).to_string()]);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn what_was_half_arrived_is_gone_on_the_next_open() {
    let (dir, blobs) = open();
    let blob = blobs.put(&b"whole"[..]).expect("stored");
    drop(blobs);
    fs::write(dir.path().join("staging/0#1"), b"half").expect("a file");
    let blobs = Blobs::open(dir.path()).expect("it opens");
    assert_eq!(files(&dir, "staging"), [""; 0]);
    assert_eq!(read(&blobs, blob.id).expect("whole"), b"whole");
}

#[test]
fn one_process_has_a_blob_folder_at_a_time() {
    let (dir, blobs) = open();
    assert!(matches!(
        Blobs::open(dir.path()),
        Err(BlobError::Folder(LogError::Locked(_)))
    ));
    drop(blobs);
    assert!(Blobs::open(dir.path()).is_ok());
}

/// The token of the sender of this number.
fn token(sender: u8) -> UploadToken {
    UploadToken([sender; 32])
}

#[test]
fn an_arrival_that_broke_off_goes_on_where_it_was() {
    let (dir, blobs) = open();
    let bytes = bytes(3 * PART_BYTES / 2);
    let blob = reference(&bytes);
    let mut arrival = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    assert!(
        matches!(blobs.arrive_at(blob, &token(1), 0), Err(BlobError::Arriving(id)) if id == blob.id)
    );
    arrival.write(&bytes[..1_000]).expect("room");
    drop(arrival);
    assert_eq!(
        blobs.arrived_bytes(blob.id, &token(1)).expect("readable"),
        1_000
    );
    drop(blobs);
    let blobs = Blobs::open(dir.path()).expect("it opens");
    let mut arrival = blobs.arrive_at(blob, &token(1), 1_000).expect("it goes on");
    assert_eq!(arrival.offset(), 1_000);
    arrival.write(&bytes[1_000..]).expect("room");
    assert_eq!(arrival.finish().expect("whole"), blob);
    assert!(read(&blobs, blob.id).expect("whole") == bytes);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn an_arrival_that_broke_off_whole_needs_no_byte_more() {
    let (dir, blobs) = open();
    let blob = reference(b"all of it");
    let mut arrival = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    arrival.write(b"all of it").expect("room");
    drop(arrival);
    let arrival = blobs.arrive_at(blob, &token(1), 9).expect("it goes on");
    assert_eq!(arrival.finish().expect("whole"), blob);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn nobody_spoils_or_holds_up_what_another_sends() {
    let (dir, blobs) = open();
    let bytes = bytes(10_000);
    let blob = reference(&bytes);
    let longer = BlobRef {
        size_bytes: 20_000,
        ..blob
    };
    let mut first = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    first.write(&bytes[..5_000]).expect("room");
    // Other bytes, more of them, and one that never ends.
    let mut wrong = blobs.arrive_at(blob, &token(2), 0).expect("it begins");
    wrong.write(&[0; 10_000]).expect("room");
    let mut long = blobs.arrive_at(longer, &token(3), 0).expect("it begins");
    long.write(&[0; 20_000]).expect("room");
    drop(long);
    let endless = blobs.arrive(blob).expect("it begins");
    assert!(matches!(wrong.finish(), Err(BlobError::Mismatch { .. })));
    assert_eq!(
        blobs.arrived_bytes(blob.id, &token(1)).expect("readable"),
        5_000
    );
    drop(first);
    let mut first = blobs.arrive_at(blob, &token(1), 5_000).expect("it goes on");
    let mut second = blobs.arrive(blob).expect("it begins");
    for (arrival, rest) in [(&mut first, &bytes[5_000..]), (&mut second, &bytes[..])] {
        arrival.write(rest).expect("room");
    }
    // Who is whole first names it, and who comes after finds the same.
    assert_eq!(second.finish().expect("whole"), blob);
    assert_eq!(first.finish().expect("whole"), blob);
    assert!(read(&blobs, blob.id).expect("whole") == bytes);
    drop(endless);
    assert_eq!(files(&dir, "staging").len(), 1, "what token 3 left");
}

#[test]
fn who_sends_what_is_held_by_now_is_told_and_leaves_nothing() {
    let (dir, blobs) = open();
    let bytes = bytes(40 << 20);
    let blob = reference(&bytes);
    let mut slow = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    slow.write(&bytes[..100]).expect("room");
    blobs.put(&bytes[..]).expect("another is whole first");
    let told = bytes[100..].chunks(PART_BYTES).find_map(|part| {
        let written = slow.write(part);
        written.err()
    });
    assert!(matches!(told, Some(BlobError::Held(id)) if id == blob.id));
    assert!(
        slow.offset() < blob.size_bytes,
        "it was told before its end"
    );
    drop(slow);
    assert_eq!(files(&dir, "staging"), [""; 0]);
    // What broke off before goes when its sender comes again.
    let other = BlobRef {
        id: id_of(b"other"),
        size_bytes: 5,
    };
    let mut broken = blobs.arrive_at(other, &token(1), 0).expect("it begins");
    broken.write(b"oth").expect("room");
    blobs.forget_arrived(other.id, &token(1)).expect("asked");
    assert_eq!(files(&dir, "staging").len(), 1, "it is arriving");
    drop(broken);
    blobs.forget_arrived(other.id, &token(1)).expect("asked");
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn an_arrival_without_a_token_leaves_nothing() {
    let (dir, blobs) = open();
    let blob = reference(b"announced");
    let mut arrival = blobs.arrive(blob).expect("it begins");
    arrival.write(b"anno").expect("room");
    drop(arrival);
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn an_arrival_of_other_bytes_than_announced_is_refused() {
    let (dir, blobs) = open();
    let blob = reference(b"announced");
    let mut arrival = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    assert!(matches!(
        arrival.write(b"ten bytes."),
        Err(BlobError::Length {
            found_bytes: 10,
            ..
        })
    ));
    arrival.write(b"other").expect("room");
    assert!(matches!(
        arrival.finish(),
        Err(BlobError::Length { found_bytes: 5, .. })
    ));
    let mut arrival = blobs.arrive_at(blob, &token(1), 5).expect("it goes on");
    arrival.write(b"byte").expect("room");
    assert!(matches!(arrival.finish(), Err(BlobError::Mismatch { .. })));
    // Wrong bytes cannot become right ones.
    assert_eq!(
        blobs.arrived_bytes(blob.id, &token(1)).expect("readable"),
        0
    );
    let mut arrival = blobs.arrive_at(blob, &token(1), 0).expect("it begins anew");
    arrival.write(b"announced").expect("room");
    assert_eq!(arrival.finish().expect("whole"), blob);
    assert_eq!(files(&dir, "blobs").len(), 1);
}

#[test]
fn the_last_holder_may_let_go_on_a_thread_of_another_runtime() {
    let (_dir, blobs) = open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async move { drop(blobs) });
}

#[test]
fn what_is_announced_has_to_fit_and_keeps_no_more_than_a_window_from_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open_with(dir.path(), u64::MAX).expect("it opens");
    let room = blobs.free_bytes().expect("known") - ROOM_KEPT_BYTES;
    let announced = |seed: u8, size_bytes| BlobRef {
        id: BlobId([seed; 32]),
        size_bytes,
    };
    let large = room / 5 * 3;
    let all = blobs.arrive_at(announced(9, room * 2), &token(1), 0);
    assert!(matches!(
        all,
        Err(BlobError::NoRoom {
            others_bytes: 0,
            ..
        })
    ));
    assert_eq!(files(&dir, "staging"), [""; 0]);
    // As many as would fill the disk twice keep out nobody who has little to send.
    let mut many: Vec<Arrival> = (0..4)
        .map(|seed| blobs.arrive_at(announced(seed, large), &token(1), 0))
        .map(|arrival| arrival.expect("each fits"))
        .collect();
    match blobs.arrive(announced(8, room)) {
        Err(BlobError::NoRoom { others_bytes, .. }) => assert_eq!(others_bytes, 4 * (1 << 20)),
        other => panic!("{other:?}"),
    }
    // What came of one earns it as much again.
    many[0].write(&vec![0; 3 << 20]).expect("room");
    match blobs.arrive(announced(8, room)) {
        Err(BlobError::NoRoom { others_bytes, .. }) => assert_eq!(others_bytes, 6 << 20),
        other => panic!("{other:?}"),
    }
    blobs.arrive(announced(7, 1 << 20)).expect("there is room");
    drop(many);
    blobs.arrive(announced(6, large)).expect("there is room");
}

#[test]
fn to_go_on_reads_nothing_of_what_is_held() {
    let (dir, blobs) = open();
    let blob = BlobRef {
        id: BlobId([1; 32]),
        size_bytes: 1 << 20,
    };
    let mut arrival = blobs.arrive_at(blob, &token(1), 0).expect("it begins");
    arrival.write(&[7; 10]).expect("room");
    assert!(arrival.hasher.is_some());
    drop(arrival);
    assert!(matches!(
        blobs.arrive_at(blob, &token(1), 0),
        Err(BlobError::Offset { held_bytes: 10, .. })
    ));
    let arrival = blobs.arrive_at(blob, &token(1), 10).expect("it goes on");
    assert_eq!(arrival.offset(), 10);
    assert!(arrival.hasher.is_none(), "it is hashed at its end, once");
    drop(arrival);
    // Its sender announced it longer than it is.
    let shorter = BlobRef {
        size_bytes: 9,
        ..blob
    };
    let arrival = blobs.arrive_at(shorter, &token(1), 0).expect("anew");
    assert_eq!(arrival.offset(), 0);
    drop(arrival);
    assert_eq!(files(&dir, "staging").len(), 1);
}

#[test]
fn what_broke_off_long_ago_is_cleared_and_what_is_arriving_stays() {
    let (dir, blobs) = open();
    let announced = |seed: u8| BlobRef {
        id: BlobId([seed; 32]),
        size_bytes: 100,
    };
    let begin = |seed| {
        let mut arrival = blobs
            .arrive_at(announced(seed), &token(1), 0)
            .expect("it begins");
        arrival.write(b"some").expect("room");
        arrival
    };
    let path = |seed| {
        dir.path()
            .join("staging")
            .join(part_name(announced(seed).id, &token(1)))
    };
    let age = |seed| {
        let file = File::options()
            .append(true)
            .open(path(seed))
            .expect("it is there");
        file.set_modified(std::time::UNIX_EPOCH).expect("aged");
    };
    let arriving = begin(1);
    drop(begin(2));
    drop(begin(3));
    age(1);
    age(2);
    blobs.clear_unfinished().expect("cleared");
    assert!(path(1).exists() && !path(2).exists() && path(3).exists());
    drop(arriving);
    blobs.clear_unfinished().expect("cleared");
    assert!(!path(1).exists() && path(3).exists());
}

#[test]
fn all_that_is_held_is_listed_and_nothing_else() {
    let (dir, blobs) = open();
    let listed = || {
        let mut all = Vec::new();
        blobs.each(|id| all.push(id)).expect("listed");
        all.sort();
        all
    };
    assert_eq!(listed(), []);
    // More than the store lists at once.
    let mut put: Vec<BlobId> = (0..1_500u32)
        .map(|count| {
            let id = id_of(&count.to_be_bytes());
            let path = dir.path().join("blobs").join(id.to_string());
            fs::write(path, count.to_be_bytes()).expect("a file");
            id
        })
        .collect();
    put.sort();
    let strange = dir.path().join("blobs/strange");
    fs::create_dir(&strange).expect("a folder");
    fs::write(strange.join(id_of(b"deeper").to_string()), b"deeper").expect("a file");
    fs::write(dir.path().join("blobs/no name"), b"other").expect("a file");
    assert_eq!(listed(), put);
}

#[test]
fn what_a_disk_has_no_file_for_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open_keeping(dir.path(), BLOB_BYTES_MAX, u64::MAX).expect("it opens");
    let disk = blobs.disk().expect("known");
    let few = |files, free_files| {
        let disk = StatVfs {
            f_files: files,
            f_favail: free_files,
            ..disk
        };
        few_files(&disk, FILES_KEPT)
    };
    assert_eq!(few(1 << 20, FILES_KEPT), None);
    assert_eq!(few(1 << 20, FILES_KEPT - 1), Some(FILES_KEPT - 1));
    // Some file systems count no files.
    assert_eq!(few(0, 0), None);
    if disk.f_files == 0 {
        println!("skipped: the limit on files (this file system counts none)");
        return;
    }
    let blob = reference(b"some");
    for refused in [
        blobs.arrive_at(blob, &token(1), 0).map(drop),
        blobs.arrive(blob).map(drop),
        blobs.put(&b"some"[..]).map(drop),
    ] {
        assert!(
            matches!(refused, Err(BlobError::NoFiles { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(files(&dir, "staging"), [""; 0]);
    // What is there already needs no new one.
    fs::write(
        dir.path()
            .join("staging")
            .join(part_name(blob.id, &token(1))),
        b"so",
    )
    .expect("a file");
    let mut arrival = blobs.arrive_at(blob, &token(1), 2).expect("it goes on");
    arrival.write(b"me").expect("room");
    assert_eq!(arrival.finish().expect("whole"), blob);
}

#[test]
fn what_broke_off_is_cleared_while_others_arrive() {
    const BROKEN: usize = 5_000;
    let (dir, blobs) = open();
    let staging = dir.path().join("staging");
    for count in 0..BROKEN {
        let file = File::create(staging.join(format!("{count}.part"))).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH).expect("aged");
    }
    std::thread::scope(|scope| {
        let clearing = scope.spawn(|| blobs.clear_unfinished());
        let mut is_between = false;
        while !clearing.is_finished() {
            let arriving = blobs.arriving();
            let left = fs::read_dir(&staging).expect("a folder").count();
            is_between |= 0 < left && left < BROKEN;
            drop(arriving);
        }
        clearing.join().expect("no panic").expect("cleared");
        assert!(
            is_between,
            "nothing could begin to arrive until all was cleared"
        );
    });
    assert_eq!(files(&dir, "staging"), [""; 0]);
}

#[test]
fn what_has_gone_since_it_was_listed_keeps_nothing_from_being_cleared() {
    let (dir, blobs) = open();
    let staging = dir.path().join("staging");
    for name in ["1.part", "2.part"] {
        let file = File::create(staging.join(name)).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH).expect("aged");
    }
    arrival::clear(&staging, |name| fs::remove_file(staging.join(name)).ok()).expect("cleared");
    assert_eq!(files(&dir, "staging"), [""; 0]);
    drop(blobs);
}
