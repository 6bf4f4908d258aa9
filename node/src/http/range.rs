//! The two headers that name a part of a blob, as text: of RFC 9110 (14.1 to 14.4) what `docs/api.md` promises. One
//! part, counted in bytes from the beginning; whatever else `Range` asks for in bytes is answered with 416, not with the whole.

/// Some bytes of a blob: from `first` up to, but not with, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub end: u64,
}

/// What `Range` asks for of a blob of `size` bytes: `bytes=first-last` or `bytes=first-`; none if
/// that is something else, or none of its bytes are there.
pub fn asked(text: &str, size: u64) -> Option<Part> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first = number(first)?;
    let end = match last {
        "" => size,
        last => number(last)?.saturating_add(1).min(size),
    };
    (first < end).then_some(Part { first, end })
}

/// What `Content-Range` says that a body is: `bytes first-last/size`; the part, and the size of the
/// whole. Who has sent all of it but was not told so ends with a part of no byte, whose last is the
/// one before its first.
pub fn announced(text: &str) -> Option<(Part, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
    let size = number(size)?;
    (first <= end && end <= size).then_some((Part { first, end }, size))
}

/// A number of digits alone: `parse` would take a sign before them.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_inside_the_blob_is_asked_for() {
        let part = |first, end| Some(Part { first, end });
        for (text, found) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=3-", part(3, 10)),
            ("bytes=007-8", part(7, 9)),
            ("bytes=9-18446744073709551615", part(9, 10)),
            ("bytes=10-", None),
            ("bytes=4-3", None),
            // The last five, several, another unit, signs, spaces: not served.
            ("bytes=-5", None),
            ("bytes=0-1,3-4", None),
            ("items=0-1", None),
            ("Bytes=0-1", None),
            ("bytes=+0-1", None),
            ("bytes=0-+1", None),
            ("bytes= 0-1", None),
            ("bytes=0-18446744073709551616", None),
            ("bytes=0", None),
            ("", None),
        ] {
            assert_eq!(asked(text, 10), found, "{text}");
        }
        assert_eq!(asked("bytes=0-", 0), None);
    }

    #[test]
    fn what_is_announced_lies_inside_the_whole() {
        let part = |first, end, size| Some((Part { first, end }, size));
        for (text, found) in [
            ("bytes 0-0/1", part(0, 1, 1)),
            ("bytes 4-9/10", part(4, 10, 10)),
            ("bytes 4-10/10", None),
            ("bytes 10-9/10", part(10, 10, 10)),
            ("bytes 4-2/10", None),
            ("bytes 4-18446744073709551615/18446744073709551615", None),
            ("bytes 4-9/*", None),
            ("bytes */10", None),
            ("bytes=4-9/10", None),
            ("bytes 4-+9/10", None),
            ("bytes 4-9", None),
        ] {
            assert_eq!(announced(text), found, "{text}");
        }
    }
}
