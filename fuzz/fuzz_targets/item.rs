//! An ANS-104 item: what is read has one spelling, and its two verifiers agree.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use lode_fuzz::{draft_of, mutate_item, signed_again, spelled};
use protocol::ans104::{SignedItem, StreamVerifier};

fuzz_target!(|data: &[u8]| {
    let Ok(item) = SignedItem::decode(data) else {
        return;
    };
    assert_eq!(item.bytes(), data);
    let again = spelled(item.signature(), &item.owner(), &draft_of(&item));
    assert_eq!(again.as_deref(), Some(data), "a second spelling");
    let mut stream = StreamVerifier::new(item.header().clone(), item.data().len() as u64);
    stream.update(item.data());
    let streamed = stream.finish();
    let whole = item.clone().verify();
    assert_eq!(whole.map(|item| item.id()), streamed);
    let signed = signed_again(&item);
    assert_eq!(signed.tags(), item.tags());
    assert_eq!(signed.data(), item.data());
    let read = SignedItem::decode(signed.bytes()).expect("what is signed is read");
    read.verify().expect("and its signature holds");
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_item(data, size, max_size, seed)
});
