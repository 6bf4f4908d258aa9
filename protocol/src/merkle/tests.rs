use super::*;

/// The leaves and digests with which Certificate Transparency's own trees are tested.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn digest(hex: &str) -> Digest {
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
    }
    Digest(bytes)
}

/// The definition of RFC 6962, 2.1, written as it stands there.
fn by_definition(leaves: &[Vec<u8>]) -> Digest {
    match leaves {
        [] => Digest(Sha256::digest([]).into()),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&by_definition(left), &by_definition(right))
        }
    }
}

fn numbered(len: usize) -> Vec<Vec<u8>> {
    (0..len)
        .map(|i| (i as u32).to_le_bytes().to_vec())
        .collect()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    for (len, expected) in ROOTS.iter().enumerate() {
        assert_eq!(root(&LEAVES[..len]), digest(expected), "{len} leaves");
    }
}

#[test]
fn proofs_are_those_of_certificate_transparency() {
    let cases: [(u64, usize, &[&str]); 4] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            3,
            &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        ),
    ];
    for (index, len, expected) in cases {
        let path = expected.iter().map(|hex| digest(hex)).collect();
        assert_eq!(proof(&LEAVES[..len], index), Ok(Proof { path }));
    }
}

#[test]
fn growing_leaf_by_leaf_gives_the_root_of_the_definition() {
    let leaves = numbered(130);
    let mut accumulator = Accumulator::new();
    assert!(accumulator.is_empty());
    for len in 0..=leaves.len() {
        assert_eq!(accumulator.root(), by_definition(&leaves[..len]), "{len}");
        assert_eq!(accumulator.len(), len as u64);
        if let Some(leaf) = leaves.get(len) {
            accumulator.push(leaf);
        }
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_no_other() {
    for len in 1..=33usize {
        let leaves = numbered(len);
        let root = root(&leaves);
        for index in 0..len {
            let proof = proof(&leaves, index as u64).unwrap();
            let (index, len) = (index as u64, len as u64);
            let leaf = &leaves[index as usize];
            assert_eq!(proof.verify(&root, leaf, index, len), Ok(()));
            for other in (0..len).filter(|other| *other != index) {
                assert!(proof.verify(&root, leaf, other, len).is_err());
            }
            assert!(matches!(
                proof.verify(&root, b"another leaf", index, len),
                Err(MerkleError::Root { .. })
            ));
        }
    }
}

#[test]
fn a_changed_proof_proves_nothing() {
    let leaves = numbered(11);
    let root = root(&leaves);
    let good = proof(&leaves, 6).unwrap();
    for place in 0..good.path.len() {
        let mut bad = good.clone();
        bad.path[place].0[31] ^= 1;
        assert!(bad.verify(&root, &leaves[6], 6, 11).is_err());
    }
    let mut short = good.clone();
    short.path.pop();
    let mut long = good.clone();
    long.path.push(Digest([0; 32]));
    for (bad, found) in [(short, 3), (long, 5)] {
        assert_eq!(
            bad.verify(&root, &leaves[6], 6, 11),
            Err(MerkleError::Length {
                index: 6,
                len: 11,
                expected: 4,
                found
            })
        );
    }
}

#[test]
fn a_node_is_no_leaf() {
    let leaves = numbered(2);
    let root_of_two = root(&leaves);
    let mut node = leaf_hash(&leaves[0]).0.to_vec();
    node.extend_from_slice(&leaf_hash(&leaves[1]).0);
    let nothing = Proof { path: Vec::new() };
    assert!(nothing.verify(&root_of_two, &node, 0, 1).is_err());
}

#[test]
fn places_outside_the_tree_are_refused() {
    let leaves = numbered(3);
    let outside = MerkleError::Index { index: 3, len: 3 };
    assert_eq!(proof(&leaves, 3), Err(outside));
    let good = proof(&leaves, 2).unwrap();
    assert_eq!(good.verify(&root(&leaves), &leaves[2], 3, 3), Err(outside));
    let nothing = Proof { path: Vec::new() };
    assert_eq!(
        nothing.verify(&root(&leaves[..0]), b"", 0, 0),
        Err(MerkleError::Index { index: 0, len: 0 })
    );
}

#[test]
fn the_largest_tree_has_the_longest_proof() {
    let long = Proof {
        path: vec![Digest([0; 32]); PROOF_LEN_MAX],
    };
    let result = long.verify(&Digest([1; 32]), b"", 0, u64::MAX);
    assert!(matches!(result, Err(MerkleError::Root { .. })));
    let result = long.verify(&Digest([1; 32]), b"", u64::MAX - 1, u64::MAX);
    assert!(matches!(result, Err(MerkleError::Length { .. })));
}

#[test]
fn a_proof_reads_back_from_its_forms() {
    let good = proof(&LEAVES, 5).unwrap();
    let json = serde_json::to_string(&good).unwrap();
    assert!(json.starts_with("[\""));
    assert_eq!(serde_json::from_str::<Proof>(&json).unwrap(), good);
    let bytes = borsh::to_vec(&good).unwrap();
    assert_eq!(borsh::from_slice::<Proof>(&bytes).unwrap(), good);
}
