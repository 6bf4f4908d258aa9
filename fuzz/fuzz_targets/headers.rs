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
        assert_eq!(asked(text, size), wanted(text, size));
    }
    assert_eq!(announced(text), said(text));
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
        assert_eq!(value.to_string(), text, "one spelling");
        assert!(text.parse::<T>().is_ok_and(|again| again == value));
    }
}

/// The number that a text is, if it is one of digits alone.
fn digits(text: &str) -> Option<u128> {
    let value = text.chars().try_fold(0u128, |value, digit| {
        let digit = digit.to_digit(10).filter(|_| digit.is_ascii())?;
        value.checked_mul(10)?.checked_add(digit.into())
    });
    value.filter(|value| !text.is_empty() && *value <= u128::from(u64::MAX))
}

/// What `Range` asks for, read once more, in numbers that cannot overflow.
fn wanted(text: &str, size: u64) -> Option<Part> {
    let numbers = text.strip_prefix("bytes=")?;
    let dash = numbers.find('-')?;
    let (first, last) = (digits(&numbers[..dash])?, &numbers[dash + 1..]);
    let end = match last.is_empty() {
        true => u128::from(size),
        false => u128::from(size).min(digits(last)? + 1),
    };
    (first < end).then_some(Part {
        first: first as u64,
        end: end as u64,
    })
}

/// What `Content-Range` says, the same.
fn said(text: &str) -> Option<(Part, u64)> {
    let numbers = text.strip_prefix("bytes ")?;
    let slash = numbers.find('/')?;
    let dash = numbers[..slash].find('-')?;
    let (first, end) = (
        digits(&numbers[..dash])?,
        digits(&numbers[dash + 1..slash])? + 1,
    );
    let size = digits(&numbers[slash + 1..])?;
    let part = || Part {
        first: first as u64,
        end: end as u64,
    };
    (first <= end && end <= size).then(|| (part(), size as u64))
}
