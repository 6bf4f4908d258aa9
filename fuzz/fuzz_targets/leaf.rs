//! Prediction leaves, end to end: what is read is written as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::merkle;
use protocol::report::{Leaf, Outcome, TestOutcome, predictions_root};

fuzz_target!(|data: &[u8]| {
    let mut leaves = Vec::new();
    let mut rest = data;
    while let Some((leaf, after)) = Leaf::split_from(rest) {
        assert_eq!([&leaf.to_bytes(), after].concat(), rest);
        rest = after;
        leaves.push(leaf);
    }
    let bytes: Vec<Vec<u8>> = leaves.iter().map(Leaf::to_bytes).collect();
    assert_eq!(predictions_root(&leaves), merkle::root(&bytes));
    if let Ok(outcome) = borsh::from_slice::<Outcome>(data) {
        assert_eq!(borsh::to_vec(&outcome).expect("memory"), data);
    }
    if let Ok(outcome) = borsh::from_slice::<TestOutcome>(data) {
        assert_eq!(borsh::to_vec(&outcome).expect("memory"), data);
    }
});
