//! Blobs, both ways, through breaks and damage.

use std::fs;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use client::{ClientError, blob_ref_of, blob_ref_of_file};
use protocol::record::BlobRef;

use crate::fake::{Exchange, Fake, SHORT};

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn code<T>(result: &Result<T, ClientError>) -> Option<&str> {
    result.as_ref().err().map(ClientError::code)
}

/// A store of one blob that takes so many bytes of each upload and then cuts it.
fn store(held: Arc<Mutex<Vec<u8>>>, blob: BlobRef, cut_after: usize) -> Fake {
    Fake::new(move |exchange| {
        let mut held = held.lock().unwrap();
        let is_whole = held.len() as u64 == blob.size_bytes && blob.size_bytes > 0;
        let method = exchange.method.clone();
        match (method.as_str(), exchange.target.starts_with("/v1/uploads/")) {
            ("HEAD", _) if is_whole => exchange.reply(200, &[], &held),
            ("HEAD", _) => exchange.reply(404, &[], b""),
            ("GET", true) => exchange.reply(
                200,
                &[],
                format!("{{\"offset\":{}}}", held.len()).as_bytes(),
            ),
            ("PUT", _) => {
                let start = held.len();
                if start > 0 {
                    let range =
                        format!("bytes {start}-{}/{}", blob.size_bytes - 1, blob.size_bytes);
                    assert_eq!(exchange.header("content-range"), Some(range.as_str()));
                }
                let length = exchange.content_length();
                assert_eq!((start + length) as u64, blob.size_bytes);
                exchange.go_on();
                held.extend(exchange.take(length.min(cut_after)));
                match length > cut_after {
                    true => exchange.cut(),
                    false => exchange.json(201, &blob),
                }
            }
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn an_upload_goes_on_where_it_broke() {
    for len in [0, 1, 5_000, 3_000_000] {
        let bytes = content(len);
        let blob = blob_ref_of(bytes.as_slice()).unwrap();
        let held = Arc::new(Mutex::new(Vec::new()));
        let fake = store(Arc::clone(&held), blob, 1_000_000);
        let mut last = (0, 0);
        let progress = |done, all| last = (done, all);
        fake.client()
            .upload(&mut Cursor::new(&bytes), blob, progress)
            .unwrap();
        assert!(*held.lock().unwrap() == bytes);
        assert_eq!(last, (len as u64, len as u64));
        let puts = fake.count("PUT");
        assert_eq!(puts, len.div_ceil(1_000_000).max(1), "{len}");

        if len > 0 {
            fake.client()
                .upload(&mut Cursor::new(&bytes), blob, |_, _| {})
                .unwrap();
            assert_eq!(fake.count("PUT"), puts, "what is held is not sent again");
        }
    }
}

#[test]
fn an_upload_that_makes_no_progress_comes_to_an_end() {
    let bytes = content(10);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let check = |put: fn(&mut Exchange), expected: &str, puts: usize| {
        let fake = Fake::new(move |exchange| match exchange.method.as_str() {
            "PUT" => put(exchange),
            _ => exchange.problem(404, "unknown_blob"),
        });
        let result = fake
            .client()
            .upload(&mut Cursor::new(&bytes), blob, |_, _| {});
        assert_eq!(code(&result), Some(expected));
        assert_eq!(fake.count("PUT"), puts);
    };
    check(|exchange| exchange.cut(), "node_disconnected", 4);
    check(
        |exchange| drop((exchange.body(), exchange.problem(507, "no_room"))),
        "no_room",
        1,
    );
    check(
        |exchange| drop((exchange.body(), exchange.problem(416, "offset"))),
        "offset",
        4,
    );
    check(
        |exchange| drop((exchange.body(), exchange.reply(202, &[], b"{\"offset\":0}"))),
        "node_answer",
        4,
    );
    check(
        |exchange| {
            exchange.body();
            exchange.json(201, &blob_ref_of(b"other".as_slice()).unwrap());
        },
        "node_answer",
        1,
    );
}

#[test]
fn a_large_upload_that_is_refused_sends_nothing() {
    let bytes = content(2 << 20);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let fake = Fake::new(|exchange| match exchange.method.as_str() {
        "PUT" => {
            exchange.problem(507, "no_room");
            exchange.cut();
        }
        _ => exchange.problem(404, "unknown_blob"),
    });
    let mut sent = 0;
    let result = fake
        .client()
        .upload(&mut Cursor::new(&bytes), blob, |done, _| sent = done);
    assert_eq!((code(&result), sent), (Some("no_room"), 0));
}

#[test]
fn a_source_that_ends_early_is_the_sources_fault() {
    let bytes = content(5_000);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let fake = Fake::new(|exchange| match exchange.method.as_str() {
        "PUT" => exchange.hang(),
        _ => exchange.problem(404, "unknown_blob"),
    });
    let result = fake
        .client()
        .upload(&mut Cursor::new(&bytes[..4_000]), blob, |_, _| {});
    assert_eq!(code(&result), Some("io"));
}

/// Serves these bytes in ranges, at most so many a connection.
fn served(bytes: Vec<u8>, size: usize, cut_after: usize) -> Fake {
    Fake::new(move |exchange| {
        let start = exchange.header("range").map_or(0, |range| {
            let start = range
                .strip_prefix("bytes=")
                .unwrap()
                .strip_suffix('-')
                .unwrap();
            start.parse().unwrap()
        });
        let mut head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", size - start);
        if start > 0 {
            let range = format!("content-range: bytes {start}-{}/{size}\r\n", size - 1);
            head = head.replace("200 OK", "206 Partial Content") + &range;
        }
        exchange.raw(format!("{head}\r\n").as_bytes());
        let end = bytes.len().min(start.saturating_add(cut_after));
        exchange.raw(&bytes[start..end]);
        exchange.cut();
    })
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let folder = tempfile::tempdir().unwrap();
    for len in [0, 1, 5_000, 3_000_000] {
        let bytes = content(len);
        let blob = blob_ref_of(bytes.as_slice()).unwrap();
        let fake = served(bytes.clone(), len, 400_000);
        let path = folder.path().join(len.to_string());
        let mut last = (0, 0);
        fake.client()
            .download(blob, &path, |done, all| last = (done, all))
            .unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(last, (len as u64, len as u64));
        assert_eq!(blob_ref_of_file(&path).unwrap(), blob);
        assert_eq!(fake.seen().len(), len.div_ceil(400_000));

        let mut out = Vec::new();
        fake.client()
            .download_to(blob, &mut out, |_, _| {})
            .unwrap();
        assert!(out == bytes);
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no part is left"
    );
}

#[test]
fn who_sends_the_whole_where_the_rest_was_asked_for_is_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(5_000);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let whole = || {
        let (bytes, mut tries) = (bytes.clone(), 0);
        Fake::new(move |exchange| {
            tries += 1;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            exchange.raw(head.as_bytes());
            // Knows no parts, and breaks once.
            exchange.raw(&bytes[..if tries == 1 { 3_000 } else { bytes.len() }]);
            exchange.cut();
        })
    };
    let path = folder.path().join("blob");
    whole().client().download(blob, &path, |_, _| {}).unwrap();
    assert!(fs::read(&path).unwrap() == bytes);
    let mut out = Vec::new();
    whole()
        .client()
        .download_to(blob, &mut out, |_, _| {})
        .unwrap();
    assert!(out == bytes);
}

#[test]
fn a_node_that_sends_a_byte_now_and_then_is_waited_for_no_longer_than_a_slow_one() {
    let bytes = content(20_000);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let fake = served(bytes, 20_000, 1);
    let client = fake.client_with(3, SHORT);
    let result = client.download_to(blob, &mut Vec::new(), |_, _| {});
    assert!(result.is_err());
    assert!(fake.seen().len() < 20_000);
}

#[test]
fn a_part_of_an_earlier_download_is_used_if_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(5_000);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let path = folder.path().join("blob");
    let part = folder.path().join("blob.part");
    let download = |part_bytes: &[u8]| {
        fs::write(&part, part_bytes).unwrap();
        let fake = served(bytes.clone(), bytes.len(), usize::MAX);
        let result = fake.client().download(blob, &path, |_, _| {});
        (
            code(&result).map(str::to_owned),
            fake.seen().len(),
            part.exists(),
        )
    };
    assert_eq!(download(&bytes[..3_000]), (None, 1, false));
    assert_eq!(download(&bytes), (None, 0, false));
    assert_eq!(
        download(&[bytes.as_slice(), b"more"].concat()),
        (None, 1, false)
    );
    assert_eq!(
        download(&[0; 3_000]),
        (Some("damaged".to_owned()), 1, false)
    );
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn damage_and_length_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    let bytes = content(5_000);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let mut damaged = bytes.clone();
    damaged[77] ^= 1;
    let check = |fake: Fake, expected: &str, has_part: bool| {
        let result = fake.client().download(blob, &path, |_, _| {});
        assert_eq!(code(&result), Some(expected));
        assert!(!path.exists());
        assert_eq!(folder.path().join("blob.part").exists(), has_part);
        let _ = fs::remove_file(folder.path().join("blob.part"));
        assert!(
            fake.client()
                .download_to(blob, &mut Vec::new(), |_, _| {})
                .is_err()
        );
    };
    check(served(damaged, 5_000, usize::MAX), "damaged", false);
    check(served(content(6_000), 6_000, usize::MAX), "too_large", true);
    check(
        served(content(4_000), 4_000, usize::MAX),
        "node_answer",
        true,
    );
    // The node found its copy damaged: it cuts before the end, every time.
    check(
        served(content(4_999), 5_000, usize::MAX),
        "node_disconnected",
        true,
    );
    let endless = Fake::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        exchange.raw(&[0; 100_000]);
        exchange.cut();
    });
    check(endless, "too_large", true);
    // Of what has another length than was promised not a byte is kept.
    for size in [4_999, 5_001, 1 << 40] {
        let fake = served(content(4_000), size, usize::MAX);
        let mut kept = Vec::new();
        assert!(
            fake.client()
                .download_to(blob, &mut kept, |_, _| {})
                .is_err()
        );
        assert!(kept.is_empty(), "{size}");
    }
    let missing = Fake::new(|exchange| exchange.problem(404, "unknown_blob"));
    check(missing, "unknown_blob", true);
}

#[test]
fn a_node_may_take_an_upload_part_by_part() {
    let bytes = content(2_500);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&held);
    let fake = Fake::new(move |exchange| {
        let mut held = store.lock().unwrap();
        match exchange.method.as_str() {
            "HEAD" => exchange.reply(404, &[], b""),
            "GET" if held.is_empty() => exchange.problem(404, "unknown_upload"),
            "GET" => exchange.reply(
                200,
                &[],
                format!("{{\"offset\":{}}}", held.len()).as_bytes(),
            ),
            _ => {
                let body = exchange.body();
                held.extend_from_slice(&body[..body.len().min(1_000)]);
                let offset = format!("{{\"offset\":{}}}", held.len());
                match held.len() as u64 == blob.size_bytes {
                    true => exchange.json(201, &blob),
                    false => exchange.reply(202, &[], offset.as_bytes()),
                }
            }
        }
    });
    fake.client()
        .upload(&mut Cursor::new(&bytes), blob, |_, _| {})
        .unwrap();
    assert!(*held.lock().unwrap() == bytes);
    assert_eq!(fake.count("PUT"), 3);
}

#[test]
fn two_downloads_to_one_path_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    let part = fs::File::create(folder.path().join("blob.part")).unwrap();
    part.lock().unwrap();
    let bytes = content(9);
    let blob = blob_ref_of(bytes.as_slice()).unwrap();
    let fake = served(bytes, 9, usize::MAX);
    let result = fake.client().download(blob, &path, |_, _| {});
    assert_eq!(code(&result), Some("io"));
    drop(part);
    fake.client().download(blob, &path, |_, _| {}).unwrap();
}
