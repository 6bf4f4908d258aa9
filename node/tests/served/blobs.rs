//! Blobs: up, down, broken off, damaged.

use std::io::{Cursor, ErrorKind, Read, Write};

use client::{Client, ClientError, Options, UploadSecret, blob_ref_of};
use protocol::BlobId;
use protocol::api::UploadToken;
use protocol::record::BlobRef;

use crate::support::{BLOCKING_THREADS, Choices, Served, read_all};

/// So many bytes, none like its neighbour.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn reference(bytes: &[u8]) -> BlobRef {
    blob_ref_of(bytes).unwrap()
}

fn upload(served: &Served, bytes: &[u8]) -> BlobRef {
    let blob = reference(bytes);
    let mut source = Cursor::new(bytes);
    served.client.upload(&mut source, blob, |_, _| {}).unwrap();
    blob
}

fn download(served: &Served, blob: BlobRef) -> Result<Vec<u8>, ClientError> {
    let mut out = Vec::new();
    served.client.download_to(blob, &mut out, |_, _| {})?;
    Ok(out)
}

#[test]
fn a_blob_goes_up_and_comes_down_whatever_its_size() {
    let served = Served::new();
    for len in [0, 1, 70_000, 1 << 20, (3 << 20) + 17] {
        let bytes = bytes(len);
        let blob = upload(&served, &bytes);
        assert!(download(&served, blob).unwrap() == bytes, "{len} bytes");
        assert_eq!(upload(&served, &bytes), blob);
    }
}

#[test]
fn an_upload_that_broke_off_goes_on_where_it_was() {
    let served = Served::new();
    let bytes = bytes(5 << 20);
    let blob = reference(&bytes);
    let half = bytes.len() / 2;
    // A process whose source ends early, and a later one with the same secret.
    let client = || {
        let options = Options {
            upload_secret: Some(UploadSecret([5; 32])),
            ..Options::default()
        };
        Client::with_options(served.client.url(), options).unwrap()
    };
    let broken = client().upload(&mut Cursor::new(&bytes[..half]), blob, |_, _| {});
    assert_eq!(broken.unwrap_err().code(), "io");
    let first_of = |client: &Client| {
        let mut first = None;
        let mut source = Cursor::new(&bytes);
        let done = client.upload(&mut source, blob, |done, _| {
            first.get_or_insert(done);
        });
        (done.map(|()| first.unwrap()), first)
    };
    // What came is written behind the break.
    while staged_bytes(&served) < half as u64 {
        std::thread::yield_now();
    }
    let (done, first) = first_of(&client());
    assert_eq!((done.unwrap(), first), (half as u64, Some(half as u64)));
    assert!(download(&served, blob).unwrap() == bytes);
}

/// The bytes of all that is staged.
fn staged_bytes(served: &Served) -> u64 {
    let staging = served.dir.path().join("blobs/staging");
    let files = std::fs::read_dir(staging).unwrap();
    files
        .map(|file| file.unwrap().metadata().map_or(0, |file| file.len()))
        .sum()
}

#[test]
fn who_knows_a_blobs_name_cannot_keep_others_from_sending_it() {
    let served = Served::new();
    let bytes = bytes(100_000);
    let blob = reference(&bytes);
    let len = bytes.len();
    let put = |size: usize, token: &str, range: &str, body: &[u8]| {
        let mut request = format!(
            "PUT /v1/blobs/{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size}\r\n{token}{range}\r\n",
            blob.id
        )
        .into_bytes();
        request.extend(body);
        request
    };
    let token = format!("upload-token: {}\r\n", UploadToken([9; 32]));
    // More bytes than it has, to go on later.
    let range = format!("content-range: bytes 0-{len}/{}\r\n", len + 2);
    let answer = served.raw(&put(len + 1, &token, &range, &vec![0; len + 1]));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // A part that nobody could go on with.
    let answer = served.raw(&put(len + 1, "", &range, &vec![0; len + 1]));
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("upload_token"),
        "{answer}"
    );
    let answer = served.raw(&put(len, "upload-token: x\r\n", "", &bytes));
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("upload_token"),
        "{answer}"
    );
    // Two that never end.
    let mut silent = Vec::new();
    for token in [&token[..], ""] {
        let mut stream = served.connect();
        stream
            .write_all(&put(len, token, "", &bytes[..len / 2]))
            .unwrap();
        silent.push(stream);
    }
    upload(&served, &bytes);
    assert!(download(&served, blob).unwrap() == bytes);
}

#[test]
fn an_upload_that_broke_off_whole_is_ended_without_a_byte() {
    let served = Served::new();
    let bytes = bytes(70_000);
    let blob = reference(&bytes);
    let secret = UploadSecret([6; 32]);
    let blobs = served.node.blobs();
    let token = secret.token(served.client.url(), blob.id);
    let mut arrival = blobs.arrive_at(blob, &token, 0).unwrap();
    arrival.write(&bytes).unwrap();
    drop(arrival);
    let options = Options {
        upload_secret: Some(secret),
        ..Options::default()
    };
    let client = Client::with_options(served.client.url(), options).unwrap();
    let mut told = Vec::new();
    let mut source = Cursor::new(&bytes);
    client
        .upload(&mut source, blob, |done, _| told.push(done))
        .unwrap();
    assert!(told.iter().all(|done| *done == 70_000), "{told:?}");
    assert!(download(&served, blob).unwrap() == bytes);
}

#[test]
fn other_bytes_than_the_name_says_are_not_kept() {
    let served = Served::new();
    let blob = reference(b"promised");
    let answer = served.raw(
        format!(
            "PUT /v1/blobs/{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 8\r\n\r\nother...",
            blob.id
        )
        .as_bytes(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 422") && answer.contains("blob_mismatch"),
        "{answer}"
    );
    assert_eq!(served.client.blob_size(blob.id).unwrap(), None);
}

#[test]
fn a_blob_above_the_limit_or_without_a_length_is_refused() {
    let served = Served::with(Choices {
        blob_bytes_max: Some(10),
        ..Choices::default()
    });
    let id = reference(b"x").id;
    let ask = |rest: &str| {
        served.raw(
            format!("PUT /v1/blobs/{id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}")
                .as_bytes(),
        )
    };
    let answer = ask("content-length: 11\r\n\r\nhello world");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = ask("transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 411"), "{answer}");
    let answer = ask("content-length: 1\r\ncontent-range: bytes 5-5/3\r\n\r\nx");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let token = UploadToken([1; 32]);
    let answer = ask(&format!(
        "upload-token: {token}\r\ncontent-length: 1\r\ncontent-range: bytes 5-5/9\r\n\r\nx"
    ));
    assert!(
        answer.starts_with("HTTP/1.1 409") && answer.contains("upload_offset"),
        "{answer}"
    );
}

#[test]
fn ranges_give_their_part_and_nothing_outside() {
    let served = Served::new();
    let bytes = bytes(1_000);
    let blob = upload(&served, &bytes);
    let ask = |range: &str| {
        let mut stream = served.connect();
        let head = format!(
            "GET /v1/blobs/{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nrange: {range}\r\n\r\n",
            blob.id
        );
        stream.write_all(head.as_bytes()).unwrap();
        read_all(&mut stream)
    };
    let answer = ask("bytes=10-19");
    assert!(answer.starts_with("HTTP/1.1 206"), "{answer}");
    assert!(
        answer.contains("content-range: bytes 10-19/1000"),
        "{answer}"
    );
    assert!(answer.contains("content-length: 10"), "{answer}");
    assert!(ask("bytes=999-").contains("content-range: bytes 999-999/1000"));
    for range in ["bytes=1000-", "bytes=9-3", "bytes=-5", "bytes=x-y", "bytes"] {
        let answer = ask(range);
        assert!(answer.starts_with("HTTP/1.1 416"), "{range}");
        assert!(answer.contains("content-range: bytes */1000"), "{answer}");
    }
    assert!(ask("Bytes=10-19").contains("content-range: bytes 10-19/1000"));
    // Another unit, which nobody here knows, and a part only if something that no blob has.
    for whole in ["lines=1-2", "bytes=10-19\r\nif-range: \"tag\""] {
        let answer = ask(whole);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-length: 1000"), "{answer}");
    }
}

#[test]
fn a_header_that_counts_is_given_once() {
    let served = Served::new();
    let held = upload(&served, &bytes(10)).id;
    let blob = BlobId([7; 32]);
    for (start, header, one, other) in [
        (
            "PUT /v1/blobs",
            "content-range",
            "bytes 0-2/3",
            "bytes 5-7/100",
        ),
        ("GET /v1/blobs", "range", "bytes=0-1", "bytes=1-2"),
        ("GET /v1/uploads", "upload-token", "a", "b"),
        ("GET /v1/events", "last-event-id", "0.0", "1.0"),
    ] {
        let path = match start {
            "GET /v1/events" => start.to_owned(),
            "GET /v1/blobs" => format!("{start}/{held}"),
            _ => format!("{start}/{blob}"),
        };
        let ask = |headers: &str| {
            served.raw(
                format!(
                    "{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: 3\r\n\r\nabc"
                )
                .as_bytes(),
            )
        };
        let twice = ask(&format!("{header}: {one}\r\n{header}: {other}\r\n"));
        assert!(twice.starts_with("HTTP/1.1 400"), "{twice}");
        assert!(twice.contains("more than once"), "{twice}");
    }
    served.client.status().unwrap();
}

#[test]
fn a_blob_that_rotted_on_the_disk_is_never_sent_whole() {
    let served = Served::new();
    let bytes = bytes((2 << 20) + 5);
    let blob = upload(&served, &bytes);
    let path = served.dir.path().join(format!("blobs/blobs/{}", blob.id));
    let mut rotten = bytes.clone();
    rotten[7] ^= 1;
    std::fs::write(&path, &rotten).unwrap();
    let mut stream = served.connect();
    let head = format!("GET /v1/blobs/{} HTTP/1.1\r\nhost: x\r\n\r\n", blob.id);
    stream.write_all(head.as_bytes()).unwrap();
    let mut got = Vec::new();
    let _ = std::io::copy(&mut stream, &mut got);
    let begin = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(got.len() - begin < bytes.len(), "all of it came");
    // It is held no more, and so can be sent again.
    assert_eq!(served.client.blob_size(blob.id).unwrap(), None);
    assert!(download(&served, blob).is_err());
    upload(&served, &bytes);
    assert!(download(&served, blob).unwrap() == bytes);
    let aside = served.dir.path().join(format!("blobs/damaged/{}", blob.id));
    assert!(std::fs::read(aside).unwrap() == rotten);
}

#[test]
fn readers_who_take_nothing_leave_room_for_others() {
    let served = Served::new();
    // More than the system takes for a peer who does not read.
    let bytes = vec![7; 32 << 20];
    let blob = served.node.blobs().put(&bytes[..]).unwrap();
    let ask = |path: &str, rest: &str| {
        let mut stream = served.connect();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{rest}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert!(begin.starts_with(b"HTTP/1.1 20"), "{path}");
        stream
    };
    let path = format!("/v1/blobs/{}", blob.id);
    let silent: Vec<_> = (0..BLOCKING_THREADS)
        .map(|place| match place % 2 {
            0 => ask(&path, ""),
            _ => ask(&path, "range: bytes=1-\r\n"),
        })
        .collect();
    assert_eq!(
        served.client.blob_size(blob.id).unwrap(),
        Some(blob.size_bytes)
    );
    assert!(download(&served, blob).unwrap() == bytes);
    drop(silent);
}

#[test]
fn uploads_that_send_nothing_leave_room_for_others() {
    let served = Served::new();
    let silent = (0..BLOCKING_THREADS + 8).map(|count| {
        let id = reference(&count.to_be_bytes()).id;
        let mut stream = served.connect();
        let head = format!("PUT /v1/blobs/{id} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        (stream, id)
    });
    let silent: Vec<_> = silent.collect();
    let staged = || std::fs::read_dir(served.dir.path().join("blobs/staging")).unwrap();
    while staged().count() < silent.len() {
        std::thread::yield_now();
    }
    let bytes = bytes(3 << 20);
    let blob = upload(&served, &bytes);
    assert!(download(&served, blob).unwrap() == bytes);
    // All of them are still waited for.
    for (mut stream, id) in silent {
        stream.set_nonblocking(true).unwrap();
        let answered = stream.read(&mut [0; 9]);
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::WouldBlock, "{id}");
    }
}
