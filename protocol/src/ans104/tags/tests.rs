use super::*;

fn tags(pairs: &[(&str, &str)]) -> Vec<Tag> {
    pairs.iter().map(|(n, v)| Tag::new(*n, *v)).collect()
}

fn refused(count: u64, bytes: &[u8], offset: usize, flaw: TagFlaw) {
    assert_eq!(
        decode_tags(count, bytes),
        Err(TagError { offset, flaw }),
        "{bytes:?}"
    );
}

#[test]
fn tags_are_an_avro_array() {
    let two = tags(&[("App", "Lode"), ("n", "é")]);
    let bytes = encode_tags(&two).unwrap();
    assert_eq!(bytes, b"\x04\x06App\x08Lode\x02n\x04\xc3\xa9\x00");
    assert_eq!(decode_tags(2, &bytes), Ok(two));
}

#[test]
fn no_tags_are_no_bytes() {
    assert_eq!(encode_tags(&[]), Ok(Vec::new()));
    assert_eq!(decode_tags(0, b""), Ok(Vec::new()));
}

#[test]
fn long_texts_have_two_byte_lengths() {
    let one = tags(&[("n", &"v".repeat(64))]);
    let bytes = encode_tags(&one).unwrap();
    assert_eq!(&bytes[..5], b"\x02\x02n\x80\x01");
    assert_eq!(decode_tags(1, &bytes), Ok(one));
}

#[test]
fn every_loose_spelling_is_refused_by_name() {
    use TagFlaw::*;
    assert!(decode_tags(1, b"\x02\x02a\x02b\x00").is_ok());

    // Over-long varints: the count, a length, the end.
    refused(1, b"\x82\x00\x02a\x02b\x00", 0, OverlongVarint);
    refused(1, b"\x02\x82\x00a\x02b\x00", 1, OverlongVarint);
    refused(1, b"\x02\x02a\x82\x80\x00b\x00", 3, OverlongVarint);
    refused(1, b"\x02\x02a\x02b\x80\x00", 5, OverlongVarint);
    let endless = [0xff; 12];
    refused(1, &endless, 0, VarintRange);
    let mut wide = [0x80; 10];
    wide[9] = 2;
    refused(1, &wide, 0, VarintRange);

    // Blocks: negative with its size in bytes, two, empty, a lone zero.
    refused(1, b"\x01\x08\x02a\x02b\x00", 0, NegativeBlock(-1));
    refused(
        2,
        b"\x02\x02a\x02b\x02\x02a\x02b\x00",
        0,
        Count {
            declared: 2,
            found: 1,
        },
    );
    refused(1, b"\x02\x02a\x02b\x02\x02a\x02b\x00", 5, SecondBlock);
    refused(0, b"\x00", 0, EmptyBlock);
    refused(1, b"\x00\x00", 0, EmptyBlock);

    // Counts and byte counts that disagree with the tags.
    refused(
        0,
        b"\x02\x02a\x02b\x00",
        0,
        Count {
            declared: 0,
            found: 1,
        },
    );
    refused(
        1,
        b"",
        0,
        Count {
            declared: 1,
            found: 0,
        },
    );
    refused(1, b"\x02\x02a\x02b", 5, Truncated(5));
    refused(1, b"\x02\x02a\x06b\x00", 4, Truncated(6));
    refused(1, b"\x02\x02a\x02b\x00\x00", 6, Trailing(1));
    refused(1, b"\x02\x02a\x02b\x00junk", 6, Trailing(4));

    // Texts.
    refused(1, b"\x02\x00\x02b\x00", 1, EmptyName);
    refused(1, b"\x02\x02a\x00\x00", 3, EmptyValue);
    refused(1, b"\x02\x01a\x02b\x00", 1, NegativeLength(-1));
    refused(1, b"\x02\x04a\xff\x02b\x00", 3, NameNotUtf8);
    refused(1, b"\x02\x02a\x02\x80\x00", 4, ValueNotUtf8);
}

#[test]
fn limits_hold_exactly() {
    let count = |n: usize| vec![Tag::new("n", "v"); n];
    assert_eq!(encode_tags(&count(128)).unwrap().len(), 2 + 128 * 4 + 1);
    assert_eq!(
        encode_tags(&count(129)).unwrap_err().flaw,
        TagFlaw::TooMany(129)
    );
    refused(129, b"", 0, TagFlaw::TooMany(129));
    refused(u64::MAX, b"", 0, TagFlaw::TooMany(u64::MAX));

    let name = |len: usize| vec![Tag::new("n".repeat(len), "v")];
    let bytes = encode_tags(&name(1024)).unwrap();
    assert_eq!(decode_tags(1, &bytes), Ok(name(1024)));
    assert_eq!(
        encode_tags(&name(1025)).unwrap_err().flaw,
        TagFlaw::NameTooLong(1025)
    );
    refused(1, b"\x02\x82\x10", 1, TagFlaw::NameTooLong(1025));

    let value = |len: usize| vec![Tag::new("n", "v".repeat(len))];
    let bytes = encode_tags(&value(3072)).unwrap();
    assert_eq!(decode_tags(1, &bytes), Ok(value(3072)));
    assert_eq!(
        encode_tags(&value(3073)).unwrap_err().flaw,
        TagFlaw::ValueTooLong(3073)
    );
    refused(1, b"\x02\x02a\x82\x30", 3, TagFlaw::ValueTooLong(3073));

    // 1 for the count, 2 + 1021 and 2 + 3069 for the texts, 1 for the end.
    let all = |name: usize| vec![Tag::new("n".repeat(name), "v".repeat(3069))];
    assert_eq!(encode_tags(&all(1021)).unwrap().len(), TAGS_BYTES_MAX);
    assert_eq!(
        encode_tags(&all(1022)).unwrap_err().flaw,
        TagFlaw::TooLong(4097)
    );
    refused(1, &[0; 4097], 0, TagFlaw::TooLong(4097));
}

#[test]
fn empty_texts_are_not_written() {
    assert_eq!(
        encode_tags(&tags(&[("", "v")])).unwrap_err().flaw,
        TagFlaw::EmptyName
    );
    assert_eq!(
        encode_tags(&tags(&[("n", "")])).unwrap_err().flaw,
        TagFlaw::EmptyValue
    );
}
