//! Blobs: up, down, broken off, damaged.

use std::io::{Cursor, ErrorKind, Read, Write};

use client::{ClientError, blob_ref_of};
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
    let mut stream = served.connect();
    let head = format!(
        "PUT /v1/blobs/{} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        blob.id,
        bytes.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes[..half]).unwrap();
    drop(stream);
    let path = served
        .dir
        .path()
        .join(format!("blobs/staging/{}.part", blob.id));
    let held = || std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    while held() < half as u64 {
        std::thread::yield_now();
    }
    let mut first = None;
    let mut source = Cursor::new(&bytes);
    served
        .client
        .upload(&mut source, blob, |done, _| {
            first.get_or_insert(done);
        })
        .unwrap();
    assert!(first.unwrap() >= half as u64, "it began anew");
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
    let answer = ask("content-length: 1\r\ncontent-range: bytes 5-5/9\r\n\r\nx");
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
    for range in [
        "bytes=1000-",
        "bytes=9-3",
        "bytes=-5",
        "lines=1-2",
        "bytes=x-y",
    ] {
        assert!(ask(range).starts_with("HTTP/1.1 416"), "{range}");
    }
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
    let staged = |id| served.dir.path().join(format!("blobs/staging/{id}.part"));
    while !silent.iter().all(|(_, id)| staged(id).exists()) {
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
