//! The tags of an item: what is read has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ans104::{decode_tags, encode_tags};

fuzz_target!(|data: &[u8]| {
    let Some((&count, bytes)) = data.split_first() else {
        return;
    };
    if let Ok(tags) = decode_tags(count.into(), bytes) {
        assert_eq!(tags.len(), usize::from(count));
        assert_eq!(encode_tags(&tags).as_deref(), Ok(bytes));
    }
});
