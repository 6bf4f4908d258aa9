//! Prediction leaves, end to end: what is read is written as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::report::{Leaf, Outcome, TestOutcome, predictions_root};

fuzz_target!(|data: &[u8]| {
    let mut leaves = Vec::new();
    let mut rest = data;
    while let Some((leaf, after)) = Leaf::split_from(rest) {
        assert_eq!([&leaf.to_bytes(), after].concat(), rest);
        rest = after;
        leaves.push(leaf);
    }
    let root = predictions_root(&leaves);
    assert_eq!(root, predictions_root(&leaves));
    if let Ok(outcome) = borsh::from_slice::<Outcome>(data) {
        assert_eq!(borsh::to_vec(&outcome).expect("memory"), data);
    }
    if let Ok(outcome) = borsh::from_slice::<TestOutcome>(data) {
        assert_eq!(borsh::to_vec(&outcome).expect("memory"), data);
    }
});
