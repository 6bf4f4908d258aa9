//! Receipts and other words that travel in borsh: what is read is written as
//! the same bytes. The first byte says which.
#![no_main]

use borsh::{BorshDeserialize, BorshSerialize};
use libfuzzer_sys::fuzz_target;
use protocol::block::Header;
use protocol::receipt::Receipt;
use protocol::record::{Parameters, PostBounty};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 5 {
        0 => check::<Receipt>(bytes),
        1 => check::<Header>(bytes),
        2 => check::<PostBounty>(bytes),
        3 => check::<licensing::Terms>(bytes),
        _ => check::<Parameters>(bytes),
    }
});

fn check<T: BorshDeserialize + BorshSerialize>(bytes: &[u8]) {
    if let Ok(value) = borsh::from_slice::<T>(bytes) {
        let written = borsh::to_vec(&value).expect("memory takes every write");
        assert_eq!(written, bytes, "a second spelling");
    }
}
