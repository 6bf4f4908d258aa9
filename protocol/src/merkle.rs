//! Merkle trees over byte strings, as in RFC 6962, section 2.1, with SHA-256.
//!
//! ```text
//! root of no leaves     SHA-256("")
//! root of one leaf d    SHA-256(0x00 ‖ d)
//! root of n > 1 leaves  SHA-256(0x01 ‖ root(first k) ‖ root(the rest)),
//!                       k the largest power of two below n
//! ```
//!
//! Invariants: leaves and nodes are hashed under different first bytes, so a
//! node can never be passed off as a leaf; a proof is checked together with the
//! number of leaves, which whoever publishes a root publishes beside it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::Digest;

/// Most digests that a proof has: one for each level of a tree of 2^64 leaves.
pub const PROOF_LEN_MAX: usize = 64;

/// Why a proof was not made or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The leaf's place is not below the number of leaves.
    #[error("leaf {index} does not exist in a tree of {len} leaves")]
    Index {
        /// The place that was asked for, from 0.
        index: u64,
        /// The number of leaves.
        len: u64,
    },
    /// The proof has another number of digests than this place in this tree takes.
    #[error("a proof of leaf {index} of {len} has {expected} digests, this one has {found}")]
    Length {
        /// The leaf's place, from 0.
        index: u64,
        /// The number of leaves.
        len: u64,
        /// Digests that such a proof has.
        expected: usize,
        /// Digests that this proof has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to root {found}, not to {expected}")]
    Root {
        /// The root that was to be reached.
        expected: Digest,
        /// The root that the proof leads to.
        found: Digest,
    },
}

/// The hash of one leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest(
        Sha256::new()
            .chain_update([0])
            .chain_update(leaf)
            .finalize()
            .into(),
    )
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The root over the leaves, in their order.
pub fn root<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Digest {
    let mut accumulator = Accumulator::new();
    for leaf in leaves {
        accumulator.push(leaf.as_ref());
    }
    accumulator.root()
}

/// A tree that grows leaf by leaf and holds one digest for each bit of its length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accumulator {
    len: u64,
    /// Roots of the perfect subtrees that `len` is made of, the largest first.
    peaks: Vec<Digest>,
}

impl Accumulator {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of leaves.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no leaf yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Appends a leaf of which only the hash is at hand ([`leaf_hash`]).
    pub fn push_hash(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // Each set low bit is a perfect subtree of the size that `hash` has by then.
        for _ in 0..self.len.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.len += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Digest(Sha256::digest([]).into()),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// What proves that a leaf stands at a place of a tree: the neighbours' hashes
/// on the way to the root, from the leaf upwards. At most 64 digests.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof {
    /// The neighbours, from the leaf upwards.
    pub path: Vec<Digest>,
}

/// The proof that leaf `index` (from 0) belongs to the tree over `leaves`.
///
/// # Errors
///
/// There is no such leaf.
pub fn proof<L: AsRef<[u8]>>(leaves: &[L], index: u64) -> Result<Proof, MerkleError> {
    let hashes: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    proof_of_hashes(&hashes, index)
}

/// As [`proof`], over leaf hashes that are already at hand.
///
/// # Errors
///
/// There is no such leaf.
pub fn proof_of_hashes(hashes: &[Digest], index: u64) -> Result<Proof, MerkleError> {
    let len = hashes.len() as u64;
    let outside = MerkleError::Index { index, len };
    if index >= len {
        return Err(outside);
    }
    let mut at = usize::try_from(index).map_err(|_| outside)?;
    let mut rest = hashes;
    let mut path = Vec::new();
    // From the root downwards: the neighbour of the half that holds the leaf.
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        let (kept, neighbour) = if at < left.len() {
            (left, right)
        } else {
            at -= left.len();
            (right, left)
        };
        path.push(root_of_hashes(neighbour));
        rest = kept;
    }
    path.reverse();
    Ok(Proof { path })
}

/// The root over leaf hashes that are already at hand.
pub fn root_of_hashes(hashes: &[Digest]) -> Digest {
    let mut accumulator = Accumulator::new();
    for hash in hashes {
        accumulator.push_hash(*hash);
    }
    accumulator.root()
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: usize) -> usize {
    1 << (len - 1).ilog2()
}

impl Proof {
    /// Checks that `leaf` stands at place `index` (from 0) of the tree of `len`
    /// leaves that has this root (RFC 9162, 2.1.3.2).
    ///
    /// # Errors
    ///
    /// There is no such place, the proof has the wrong length, or it leads elsewhere.
    pub fn verify(
        &self,
        root: &Digest,
        leaf: &[u8],
        index: u64,
        len: u64,
    ) -> Result<(), MerkleError> {
        self.verify_hash(root, leaf_hash(leaf), index, len)
    }

    /// As [`Proof::verify`], for a leaf of which only the hash is at hand.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn verify_hash(
        &self,
        root: &Digest,
        leaf: Digest,
        index: u64,
        len: u64,
    ) -> Result<(), MerkleError> {
        if index >= len {
            return Err(MerkleError::Index { index, len });
        }
        let sides = sides(index, len);
        if self.path.len() != sides.len() {
            return Err(MerkleError::Length {
                index,
                len,
                expected: sides.len(),
                found: self.path.len(),
            });
        }
        let found = self
            .path
            .iter()
            .zip(sides)
            .fold(leaf, |hash, (neighbour, side)| match side {
                Side::Left => node_hash(neighbour, &hash),
                Side::Right => node_hash(&hash, neighbour),
            });
        if found == *root {
            Ok(())
        } else {
            Err(MerkleError::Root {
                expected: *root,
                found,
            })
        }
    }
}

/// Where a neighbour stands.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// The sides of the neighbours of leaf `index` of `len`, from the leaf upwards.
/// At each level a node is a left child with a neighbour, a right child, or the
/// last one of an odd level, which is carried up without a neighbour.
fn sides(index: u64, len: u64) -> Vec<Side> {
    let (mut at, mut last) = (index, len - 1);
    let mut sides = Vec::with_capacity(PROOF_LEN_MAX);
    while last > 0 {
        if at % 2 == 1 {
            sides.push(Side::Left);
        } else if at < last {
            sides.push(Side::Right);
        }
        at /= 2;
        last /= 2;
    }
    sides
}

#[cfg(test)]
mod tests;
