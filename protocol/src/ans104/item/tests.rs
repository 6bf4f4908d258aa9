use super::*;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn draft() -> Draft {
    Draft {
        target: Some([1; 32]),
        anchor: Some([2; 32]),
        tags: vec![Tag::new("App-Name", "Lode"), Tag::new("é", "ü")],
        data: b"some data".to_vec(),
    }
}

fn signed() -> Vec<u8> {
    draft().sign(&key()).unwrap().bytes().to_vec()
}

fn plain() -> Vec<u8> {
    Draft::default().sign(&key()).unwrap().bytes().to_vec()
}

fn refused(bytes: &[u8], offset: usize, flaw: ItemFlaw) {
    assert_eq!(SignedItem::decode(bytes), Err(ItemError { offset, flaw }));
}

/// The item with the bytes at `at` replaced.
fn put(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn a_signed_draft_reads_back() {
    let made = draft().sign(&key()).unwrap();
    let read = SignedItem::decode(made.bytes()).unwrap();
    assert_eq!(read.id(), ItemId(Sha256::digest(read.signature()).into()));
    assert_eq!(read.owner(), key().public());
    assert_eq!(read.address(), key().public().address());
    assert_eq!(read.target(), Some(&[1; 32]));
    assert_eq!(read.anchor(), Some(&[2; 32]));
    assert_eq!(read.tags(), draft().tags);
    assert_eq!(read.tag("App-Name"), Some("Lode"));
    assert_eq!(read.tag("app-name"), None);
    assert_eq!(read.data(), b"some data");
    assert_eq!(read.header().size_bytes() + 9, read.bytes().len());
    assert_eq!(read.verify().unwrap(), made);
}

#[test]
fn a_signature_from_elsewhere_makes_the_same_item() {
    for draft in [draft(), Draft::default()] {
        let owner = key().public();
        let signature = key().sign(&draft.message(&owner).unwrap());
        let made = draft.clone().with_signature(owner, signature).unwrap();
        assert_eq!(made.verify().unwrap(), draft.sign(&key()).unwrap());
    }
}

#[test]
fn another_keys_signature_makes_an_item_that_does_not_verify() {
    let owner = key().public();
    let signature = SecretKey::from_seed(&[8; 32]).sign(&draft().message(&owner).unwrap());
    let error = draft().with_signature(owner, signature).unwrap().verify();
    assert_eq!(
        error.unwrap_err().flaw,
        ItemFlaw::Signature(SignatureError::Mismatch)
    );
}

#[test]
fn tags_past_a_limit_have_no_message_and_make_no_item() {
    let mut long = draft();
    long.tags = vec![Tag::new("a", "b"); TAGS_MAX + 1];
    let owner = key().public();
    let error = long.clone().sign(&key()).unwrap_err();
    assert_eq!(long.message(&owner), Err(error));
    assert_eq!(long.with_signature(owner, [0; 64]), Err(error));
}

#[test]
fn the_smallest_item_has_116_bytes() {
    let item = Draft::default().sign(&key()).unwrap();
    assert_eq!(item.bytes().len(), ITEM_BYTES_MIN);
    assert_eq!((item.target(), item.anchor()), (None, None));
    assert!(item.tags().is_empty() && item.data().is_empty());
    assert!(SignedItem::decode(item.bytes()).unwrap().verify().is_ok());
}

#[test]
fn an_item_cut_short_names_the_field() {
    let bytes = signed();
    let data_start = bytes.len() - 9;
    let fields = [
        (0, "signature type"),
        (2, "signature"),
        (66, "owner"),
        (98, "target"),
        (131, "anchor"),
        (164, "number of tags"),
        (172, "number of tag bytes"),
        (180, "tags"),
        (data_start, ""),
    ];
    for pair in fields.windows(2) {
        for len in pair[0].0..pair[1].0 {
            let error = SignedItem::decode(&bytes[..len]).unwrap_err();
            assert_eq!(error.offset, len);
            assert!(
                matches!(error.flaw, ItemFlaw::Truncated { field, .. } if field == pair[0].1),
                "{len}: {error}"
            );
        }
    }
    // The data has no end of its own: what is cut there is found by the signature.
    let cut = SignedItem::decode(&bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        cut.verify().unwrap_err().flaw,
        ItemFlaw::Signature(SignatureError::Mismatch)
    );
}

#[test]
fn other_signature_types_are_refused_by_name() {
    for (found, name) in [
        (0, "unknown"),
        (1, "Arweave RSA-PSS"),
        (3, "Ethereum secp256k1"),
        (4, "Solana ed25519 over hexadecimal text"),
        (0x0102, "unknown"),
    ] {
        let bytes = put(plain(), 0, &u16::to_le_bytes(found));
        refused(&bytes, 0, ItemFlaw::SignatureType { found, name });
    }
}

#[test]
fn weak_owners_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let bytes = put(plain(), 66, &identity);
    refused(&bytes, 66, ItemFlaw::Owner(KeyError::SmallOrder));
    let bytes = put(plain(), 66, &[0xff; 32]);
    refused(&bytes, 66, ItemFlaw::Owner(KeyError::NotCanonical));
    let mut off = [0; 32];
    off[0] = 2;
    let bytes = put(plain(), 66, &off);
    refused(&bytes, 66, ItemFlaw::Owner(KeyError::NotAPoint));
}

#[test]
fn presence_bytes_are_zero_or_one() {
    for found in [2, 0x80, 0xff] {
        let field = "target";
        refused(
            &put(plain(), 98, &[found]),
            98,
            ItemFlaw::Presence { field, found },
        );
        let field = "anchor";
        refused(
            &put(plain(), 99, &[found]),
            99,
            ItemFlaw::Presence { field, found },
        );
        refused(
            &put(signed(), 131, &[found]),
            131,
            ItemFlaw::Presence { field, found },
        );
    }
}

#[test]
fn tag_counts_are_judged_before_the_tags() {
    use TagFlaw::*;
    let tags = |offset, bytes: &[u8], flaw| refused(bytes, offset, ItemFlaw::Tags(flaw));

    tags(100, &put(plain(), 100, &[129]), TooMany(129));
    tags(100, &put(plain(), 100, &[0xff; 8]), TooMany(u64::MAX));
    tags(108, &put(plain(), 108, &[1, 0x10]), TooLong(4097));
    tags(108, &put(plain(), 108, &[0xff; 8]), TooLong(u64::MAX));
    let (declared, found) = (1, 0);
    tags(116, &put(plain(), 100, &[1]), Count { declared, found });
    let (declared, found) = (3, 2);
    tags(180, &put(signed(), 164, &[3]), Count { declared, found });

    // The tags are 22 bytes; one less or more than that is another item's.
    let size = signed()[172];
    let short = put(signed(), 172, &[size - 1]);
    tags(
        180 + usize::from(size) - 1,
        &short,
        Truncated(u64::from(size) - 1),
    );
    let long = put(signed(), 172, &[size + 1]);
    tags(180 + usize::from(size), &long, Trailing(1));

    // A lone zero byte for no tags.
    let mut zero = put(plain(), 108, &[1]);
    zero.push(0);
    tags(116, &zero, EmptyBlock);
}

#[test]
fn a_flaw_inside_the_tags_has_its_place_in_the_item() {
    let bytes = signed();
    let at = bytes.windows(4).position(|w| w == b"Lode").unwrap();
    refused(
        &put(bytes, at + 1, &[0xff]),
        at + 1,
        ItemFlaw::Tags(TagFlaw::ValueNotUtf8),
    );
}

#[test]
fn a_scalar_that_is_not_reduced_is_named() {
    let mut bytes = plain();
    // S + L, with carries; S < L, so the sum stays below 2^253 + 2^252.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
    ];
    let mut carry = 0;
    for (byte, add) in bytes[34..66].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    let item = SignedItem::decode(&bytes).unwrap();
    assert_eq!(
        item.verify(),
        Err(ItemError {
            offset: 2,
            flaw: ItemFlaw::Signature(SignatureError::ScalarRange)
        })
    );
}

#[test]
fn any_flipped_bit_is_refused() {
    let good = signed();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let result = SignedItem::decode(&bad).and_then(SignedItem::verify);
        assert!(result.is_err(), "bit {bit} of the item makes no difference");
    }
}

#[test]
fn a_draft_beyond_a_limit_is_not_signed() {
    let tags = vec![Tag::new("n", "v"); 129];
    let error = Draft { tags, ..draft() }.sign(&key()).unwrap_err();
    assert_eq!(error.flaw, ItemFlaw::Tags(TagFlaw::TooMany(129)));
    let tags = vec![Tag::new("", "v")];
    let error = Draft { tags, ..draft() }.sign(&key()).unwrap_err();
    assert_eq!(error.flaw, ItemFlaw::Tags(TagFlaw::EmptyName));
    assert_eq!(
        error.to_string(),
        "data item, byte 181: tags: an empty name"
    );
}

#[test]
fn the_largest_header_fits_its_limit() {
    let tags = vec![Tag::new("n".repeat(1021), "v".repeat(3069))];
    let item = Draft { tags, ..draft() }.sign(&key()).unwrap();
    assert_eq!(item.header().size_bytes(), HEADER_BYTES_MAX);
}

#[test]
fn a_header_is_read_from_a_prefix() {
    let bytes = signed();
    let size_bytes = bytes.len() - 9;
    let header = ItemHeader::decode(&bytes[..size_bytes]).unwrap();
    assert_eq!(header.size_bytes(), size_bytes);
    assert_eq!(ItemHeader::decode(&bytes), Ok(header));
}
