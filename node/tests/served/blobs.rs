//! Blobs: up, down, broken off, damaged.

use std::io::{Cursor, Write};

use client::{ClientError, blob_ref_of};
use protocol::record::BlobRef;

use crate::support::{Choices, Served, read_all};

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
    assert!(download(&served, blob).is_err());
}
