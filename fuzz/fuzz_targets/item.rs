//! An ANS-104 item: what is read has one spelling, and its two verifiers agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ans104::{SignedItem, StreamVerifier, encode_tags};

fuzz_target!(|data: &[u8]| {
    let Ok(item) = SignedItem::decode(data) else {
        return;
    };
    assert_eq!(item.bytes(), data);
    assert_eq!(spelled(&item), data, "a second spelling");
    let mut stream = StreamVerifier::new(item.header().clone(), item.data().len() as u64);
    stream.update(item.data());
    let streamed = stream.finish();
    let whole = item.clone().verify();
    assert_eq!(whole.map(|item| item.id()), streamed);
    let signed = lode_fuzz::signed_again(&item);
    assert_eq!(signed.tags(), item.tags());
    assert_eq!(signed.data(), item.data());
    let read = SignedItem::decode(signed.bytes()).expect("what is signed is read");
    read.verify().expect("and its signature holds");
});

/// The item's bytes from its fields, by the layout.
fn spelled(item: &SignedItem) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend_from_slice(item.signature());
    out.extend_from_slice(item.owner().as_bytes());
    for field in [item.target(), item.anchor()] {
        out.push(u8::from(field.is_some()));
        out.extend_from_slice(field.map_or(&[][..], |bytes| &bytes[..]));
    }
    let tags = encode_tags(item.tags()).expect("decoded tags keep the limits");
    out.extend_from_slice(&(item.tags().len() as u64).to_le_bytes());
    out.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    out.extend_from_slice(&tags);
    out.extend_from_slice(item.data());
    out
}
