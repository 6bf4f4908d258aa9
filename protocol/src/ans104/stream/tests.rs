use super::*;
use crate::ans104::item::{Draft, HEADER_BYTES_MAX, SignedItem};
use crate::keys::SignatureError;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn tags() -> Vec<Tag> {
    vec![Tag::new("Content-Type", "application/octet-stream")]
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn a_streamed_item_is_the_item_signed_whole() {
    for len in [0, 1, READ_BYTES, 200_001] {
        let data = data(len);
        let whole = Draft {
            target: Some([3; 32]),
            anchor: None,
            tags: tags(),
            data: data.clone(),
        };
        let whole = whole.sign(&key()).unwrap();
        let (header, bytes) = sign_stream(
            &key(),
            Some([3; 32]),
            None,
            tags(),
            len as u64,
            data.as_slice(),
        )
        .unwrap();
        assert_eq!(header, *whole.header());
        assert_eq!([bytes, data].concat(), whole.bytes());
    }
}

#[test]
fn an_item_is_verified_as_its_data_flows_by() {
    let (_, bytes) = sign_stream(&key(), None, None, tags(), 100_000, &data(100_000)[..]).unwrap();
    let item = SignedItem::decode(&[bytes, data(100_000)].concat()).unwrap();
    let prefix = &item.bytes()[..HEADER_BYTES_MAX];
    let header = ItemHeader::decode(prefix).unwrap();
    let rest = &item.bytes()[header.size_bytes()..];
    let mut verifier = StreamVerifier::new(header, rest.len() as u64);
    for piece in rest.chunks(1000) {
        verifier.update(piece);
    }
    assert_eq!(verifier.finish(), Ok(item.id()));
    assert!(item.verify().is_ok());
}

#[test]
fn other_data_or_another_length_is_refused() {
    let (header, bytes) = sign_stream(&key(), None, None, tags(), 10, &data(10)[..]).unwrap();
    let finish = |declared, data: &[u8]| {
        let mut verifier = StreamVerifier::new(header.clone(), declared);
        verifier.update(data);
        verifier.finish().unwrap_err()
    };
    let mut other = data(10);
    other[9] ^= 1;
    assert_eq!(
        finish(10, &other).flaw,
        ItemFlaw::Signature(SignatureError::Mismatch)
    );
    assert_eq!(
        finish(9, &data(9)).flaw,
        ItemFlaw::Signature(SignatureError::Mismatch)
    );
    assert_eq!(
        finish(10, &data(9)),
        ItemError::new(
            bytes.len() + 9,
            ItemFlaw::DataLength {
                declared: 10,
                found: 9
            }
        )
    );
    assert_eq!(
        finish(10, &data(12)),
        ItemError::new(
            bytes.len() + 10,
            ItemFlaw::DataLength {
                declared: 10,
                found: 12
            }
        )
    );
}

#[test]
fn a_stream_of_another_length_is_not_signed() {
    for (declared, found) in [(10, 9), (8, 9)] {
        let result = sign_stream(&key(), None, None, tags(), declared, &data(9)[..]);
        assert!(matches!(
            result,
            Err(StreamError::Item(ItemError { flaw: ItemFlaw::DataLength { declared: d, found: f }, .. }))
                if (d, f) == (declared, found)
        ));
    }
    let too_many = vec![Tag::new("n", "v"); 129];
    let result = sign_stream(&key(), None, None, too_many, 0, io::empty());
    assert!(matches!(result, Err(StreamError::Item(_))));
}
