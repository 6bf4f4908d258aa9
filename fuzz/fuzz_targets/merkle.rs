//! Merkle proofs: a proof of a tree's own leaf holds, and one that was changed
//! holds for nothing else. The input is a tree of small leaves, a place, and changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::Digest;
use protocol::merkle::{Accumulator, Proof, proof, root};
use sha2::{Digest as _, Sha256};

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
    assert_eq!(by_the_book(&leaves), tree);
    if let Ok(read) = borsh::from_slice::<Proof>(rest) {
        assert_eq!(borsh::to_vec(&read).expect("memory"), rest);
        let large = read.verify(&tree, b"none of these", index, u64::MAX - index);
        assert!(large.is_err());
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

/// The root by the words of RFC 6962, section 2.1.
fn by_the_book(leaves: &[&[u8]]) -> Digest {
    let hash = |parts: &[&[u8]]| Digest(Sha256::digest(parts.concat()).into());
    match leaves {
        [] => hash(&[]),
        [leaf] => hash(&[&[0], leaf]),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let (left, right) = (by_the_book(left), by_the_book(right));
            hash(&[&[1], &left.0, &right.0])
        }
    }
}
