use super::*;
use crate::ans104::item::Draft;
use crate::keys::SecretKey;

fn items(count: u8) -> Vec<VerifiedItem> {
    (0..count)
        .map(|i| {
            let draft = Draft {
                target: (i % 2 == 1).then_some([i; 32]),
                anchor: None,
                tags: vec![Tag::new("n", i.to_string()); usize::from(i % 3)],
                data: vec![i; usize::from(i) * 10],
            };
            draft.sign(&SecretKey::from_seed(&[i + 1; 32])).unwrap()
        })
        .collect()
}

fn written(items: &[VerifiedItem]) -> Vec<u8> {
    let entries = items
        .iter()
        .map(|item| (item.bytes().len() as u64, item.id()));
    let mut writer = BundleWriter::write_header(Vec::new(), items.len() as u64, entries).unwrap();
    for item in items {
        writer.write_item(item).unwrap();
    }
    writer.finish().unwrap()
}

fn error(bytes: &[u8]) -> (Option<u64>, u64, String) {
    let error = decode(bytes).expect_err("the bundle is refused");
    (error.index, error.offset, error.flaw.to_string())
}

#[test]
fn bundles_read_back() {
    for count in [0, 1, 5] {
        let items = items(count);
        let bytes = encode(&items);
        assert_eq!(written(&items), bytes);
        assert_eq!(decode(&bytes).unwrap(), items);
        let reader = BundleReader::new(&bytes[..], Limits::default()).unwrap();
        assert_eq!(reader.remaining(), u64::from(count));
        let unverified: Result<Vec<_>, _> = reader.collect();
        assert_eq!(unverified.unwrap().len(), items.len());
    }
}

#[test]
fn the_layout_is_count_entries_items() {
    let items = items(2);
    let bytes = encode(&items);
    assert_eq!(bytes[0], 2);
    assert!(bytes[1..32].iter().all(|byte| *byte == 0));
    assert_eq!(usize::from(bytes[32]), items[0].bytes().len());
    assert_eq!(&bytes[64..96], items[0].id().as_bytes());
    assert_eq!(&bytes[128..160], items[1].id().as_bytes());
    assert_eq!(&bytes[160..160 + 116], items[0].bytes());
}

#[test]
fn bundles_nest() {
    let inner = encode(&items(3));
    let outer = Draft {
        tags: tags().to_vec(),
        data: inner,
        ..Draft::default()
    };
    let outer = outer.sign(&SecretKey::from_seed(&[9; 32])).unwrap();
    let read = decode(&encode(&[outer])).unwrap();
    assert_eq!(read[0].tag("Bundle-Format"), Some("binary"));
    assert_eq!(decode(read[0].data()).unwrap(), items(3));
}

#[test]
fn any_flipped_bit_is_refused_with_its_place() {
    let good = encode(&items(3));
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match decode(&bad) {
            Ok(_) => panic!("bit {bit} of the bundle makes no difference"),
            Err(error) => assert!(error.offset <= bad.len() as u64, "bit {bit}: {error}"),
        }
    }
}

#[test]
fn any_cut_is_refused() {
    let good = encode(&items(3));
    for len in 0..good.len() {
        let (_, offset, flaw) = error(&good[..len]);
        assert_eq!(offset, len as u64, "{flaw}");
        assert!(flaw.starts_with("the bundle ends inside its"), "{flaw}");
    }
}

#[test]
fn an_id_that_is_not_its_items_is_refused() {
    // The public packages take a zeroed id; the id is the place where it matters.
    let mut bytes = encode(&items(2));
    bytes[128..160].fill(0);
    let start = 160 + 116;
    let (index, offset, flaw) = error(&bytes);
    assert_eq!((index, offset), (Some(1), start));
    assert!(flaw.starts_with("the header says id AAAA"), "{flaw}");
}

#[test]
fn what_follows_the_last_item_is_refused() {
    let mut bytes = encode(&items(2));
    let len = bytes.len() as u64;
    bytes.push(0);
    assert_eq!(
        error(&bytes),
        (None, len, "bytes follow the last item".into())
    );
    assert_eq!(error(&[0; 33]).0, None);
}

#[test]
fn an_items_own_flaw_has_its_place_in_the_bundle() {
    let mut bytes = encode(&items(3));
    let start = 32 + 3 * 64 + items(1)[0].bytes().len();
    // The presence byte of the second item's target.
    bytes[start + 98] = 7;
    let (index, offset, flaw) = error(&bytes);
    assert_eq!((index, offset), (Some(1), start as u64 + 98));
    assert_eq!(flaw, "presence byte 7 of the target: it is 0 or 1");
    let text = decode(&bytes).unwrap_err().to_string();
    assert!(text.starts_with(&format!("bundle, byte {offset}, item 1: presence")));
}

#[test]
fn claims_are_judged_before_anything_is_held() {
    // All ones: a count that no machine could hold.
    assert!(error(&[0xff; 32]).2.starts_with("the count is above"));
    let mut count = [0; 32];
    count[..8].copy_from_slice(&(ITEMS_MAX + 1).to_le_bytes());
    assert!(error(&count).2.starts_with("the count is above"));
    // At the limit, with nothing behind it: it ends where the entries should be.
    count[..8].copy_from_slice(&ITEMS_MAX.to_le_bytes());
    assert_eq!(error(&count).1, 32);

    let with_size = |size: u64, high: u8| {
        let mut bytes = encode(&items(1));
        bytes[32..40].copy_from_slice(&size.to_le_bytes());
        bytes[63] = high;
        error(&bytes)
    };
    assert_eq!(
        with_size(115, 0),
        (
            Some(0),
            32,
            "a size of 115 bytes, and an item has at least 116".into()
        )
    );
    assert!(
        with_size(ITEM_BYTES_MAX + 1, 0)
            .2
            .starts_with("the size is")
    );
    assert!(with_size(116, 1).2.starts_with("the size is above"));
    // Within the limit, but more than there is: only what is there is held.
    assert!(with_size(ITEM_BYTES_MAX, 0).2.ends_with("inside its items"));
}

#[test]
fn a_reader_sets_its_own_limits() {
    let items = items(4);
    let bytes = encode(&items);
    let item_bytes_max = items.iter().map(|i| i.bytes().len() as u64).max().unwrap();
    let exact = Limits {
        items_max: 4,
        item_bytes_max,
    };
    assert!(BundleReader::new(&bytes[..], exact).is_ok());
    for limits in [
        Limits {
            items_max: 3,
            ..exact
        },
        Limits {
            item_bytes_max: item_bytes_max - 1,
            ..exact
        },
    ] {
        assert!(BundleReader::new(&bytes[..], limits).is_err());
    }
}

#[test]
fn a_reader_ends_after_an_error() {
    let mut bytes = encode(&items(3));
    let place = 32 + 3 * 64 + 10;
    bytes[place] ^= 1;
    let mut reader = BundleReader::new(&bytes[..], Limits::default()).unwrap();
    assert!(reader.next_verified().unwrap().is_err());
    assert!(reader.next_verified().is_none());
    assert!(reader.next_item().is_none());
}

#[test]
fn a_writer_finds_that_the_items_are_others() {
    let items = items(3);
    let entries = |items: &[VerifiedItem]| -> Vec<_> {
        items
            .iter()
            .map(|item| (item.bytes().len() as u64, item.id()))
            .collect()
    };
    let header = |count| BundleWriter::write_header(Vec::new(), count, entries(&items[..2]));
    assert!(header(1).is_err());
    assert!(header(3).is_err());
    for wrong in [&items[..1], &items[1..], &items[..]] {
        let mut writer = header(2).unwrap();
        for item in wrong {
            writer.write_item(item).unwrap();
        }
        let error = writer.finish().unwrap_err();
        assert!(matches!(error.flaw, BundleFlaw::WrittenItems));
    }
}
