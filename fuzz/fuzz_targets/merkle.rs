//! Merkle proofs: a proof of a tree's own leaf holds, and one that was changed
//! holds for nothing else. The input is a tree of small leaves, a place, and changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::merkle::{Accumulator, Proof, proof, root};

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let leaves: Vec<&[u8]> = rest.chunks(3).take(usize::from(head[0])).collect();
    let (index, len) = (u64::from(head[1]), leaves.len() as u64);
    let tree = root(&leaves);
    let mut grown = Accumulator::new();
    leaves.iter().for_each(|leaf| grown.push(leaf));
    assert_eq!(grown.root(), tree);
    if let Ok(read) = borsh::from_slice::<Proof>(rest) {
        assert_eq!(borsh::to_vec(&read).expect("memory"), rest);
        let _ = read.verify(&tree, b"leaf", index, u64::MAX - index);
    }
    let Ok(made) = proof(&leaves, index) else {
        assert!(index >= len);
        return;
    };
    let leaf = leaves[index as usize];
    made.verify(&tree, leaf, index, len).expect("its own leaf");
    let mut changed = made.clone();
    let place = usize::from(head[2]);
    match changed.path.len() {
        0 => changed.path.push(tree),
        count => changed.path[place % count].0[place % 32] ^= head[3] | 1,
    }
    assert!(changed.verify(&tree, leaf, index, len).is_err());
    assert!(made.verify(&tree, b"none of these", index, len).is_err());
});
