//! What stands in headers and queries of HTTP: parts of a blob, tokens, places of the log.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use client::EventId;
use libfuzzer_sys::fuzz_target;
use lode_fuzz::range::{Part, announced, asked};
use node::Place;
use node::history::Mark;
use protocol::api::UploadToken;

fuzz_target!(|data: &[u8]| {
    let Some((size, text)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let size = u64::from_le_bytes(*size);
    // As it is, and of about as many bytes as the numbers name.
    for size in [size, size % 1_000] {
        if let Some(part) = asked(text, size) {
            assert!(part.first < part.end && part.end <= size);
            let Part { first, end } = part;
            let last = end - 1;
            assert_eq!(asked(&format!("bytes={first}-{last}"), size), Some(part));
            assert_eq!(asked(&format!("bytes={first}-"), end), Some(part));
            let said = announced(&format!("bytes {first}-{last}/{size}"));
            assert_eq!(said, Some((part, size)));
        }
    }
    if let Some((Part { first, end }, size)) = announced(text) {
        assert!(first <= end && end <= size);
        if let Some(last) = end.checked_sub(1) {
            let again = announced(&format!("bytes {first}-{last}/{size}"));
            assert_eq!(again, Some((Part { first, end }, size)));
        }
    }
    if let Ok(token) = text.parse::<UploadToken>() {
        assert_eq!(token.to_string(), text);
    }
    meaning::<Place>(text);
    meaning::<Mark>(text);
    meaning::<EventId>(text);
    // One id, which the node writes and a client reads.
    let read = text.parse::<EventId>().map(|id| id.to_string()).ok();
    assert_eq!(text.parse::<Place>().map(|id| id.to_string()).ok(), read);
});

fn meaning<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>().ok();
        assert!(again == Some(value), "{text}");
    }
}
