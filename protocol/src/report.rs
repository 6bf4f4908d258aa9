//! What an evaluation gives: an outcome, one prediction leaf an example, their
//! Merkle root, the metric, the score.
//!
//! A leaf's bytes are the example's index (u32, little-endian), the number of
//! outputs (u32, little-endian), and the outputs' IEEE-754 binary32 bit
//! patterns (u32, little-endian each). The predictions root is the RFC 6962
//! tree hash of the leaves in the order of the examples.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::id::Digest;
use crate::merkle;
use crate::score::Score;
use crate::text::Code;

/// The exact output of a model for one example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Index of the example in the test set.
    pub index: u32,
    /// Bit patterns of the outputs, one a class.
    pub output_bits: Vec<u32>,
}

impl Leaf {
    /// The leaf of an example whose model output is `outputs`.
    pub fn new(index: u32, outputs: &[f32]) -> Self {
        Self {
            index,
            output_bits: outputs.iter().map(|value| value.to_bits()).collect(),
        }
    }

    /// The bytes that are hashed into the tree.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 4 * self.output_bits.len());
        bytes.extend(self.index.to_le_bytes());
        bytes.extend((self.output_bits.len() as u32).to_le_bytes());
        for bits in &self.output_bits {
            bytes.extend(bits.to_le_bytes());
        }
        bytes
    }

    /// Reads the leaf at the front of `bytes`; returns it and the rest, or
    /// `None` if the bytes end before it does.
    pub fn split_from(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (index, rest) = bytes.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*count))
            .ok()?
            .checked_mul(4)?;
        let (outputs, rest) = rest.split_at_checked(size)?;
        let output_bits = outputs
            .chunks_exact(4)
            .map(|bits| u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]))
            .collect();
        Some((
            Self {
                index: u32::from_le_bytes(*index),
                output_bits,
            },
            rest,
        ))
    }
}

/// The Merkle root of prediction leaves, in the order of the examples.
pub fn predictions_root(leaves: &[Leaf]) -> Digest {
    let mut tree = merkle::Accumulator::new();
    for leaf in leaves {
        tree.push(&leaf.to_bytes());
    }
    tree.root()
}

/// What an evaluator found a submission to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was scored.
    Scored {
        /// The metric as a score.
        score: Score,
        /// Digest of (name, dtype, shape, bytes) of every tensor, sorted by name.
        weights_digest: Digest,
        /// Merkle root of the prediction leaves.
        predictions_root: Digest,
    },
    /// It breaks the benchmark's rules; every honest evaluator finds the same code and place.
    Invalid {
        /// What is wrong.
        code: Code,
        /// Where: a tensor, an example, a file.
        place: Code,
    },
    /// The revealed key does not open the ciphertext.
    BadSeal {
        /// The first chunk that fails: the proof.
        chunk: u64,
    },
    /// No verdict: not held, a crash, a time-out. Never punished, retried.
    Unavailable,
}

impl Outcome {
    /// The one-word name in JSON and in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scored { .. } => "scored",
            Self::Invalid { .. } => "invalid",
            Self::BadSeal { .. } => "bad_seal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What an evaluator found a test set to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TestOutcome {
    /// It opens and is well formed.
    Ok,
    /// The revealed key does not open the ciphertext, or what it opens is no test set.
    BadSeal {
        /// What is wrong: `chunk` for the cipher, else a code of the archive or the reader.
        code: Code,
        /// Where.
        place: Code,
    },
    /// No verdict.
    Unavailable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outcomes_have_one_json_form() {
        let outcome = Outcome::BadSeal { chunk: 3 };
        assert_eq!(
            serde_json::to_string(&outcome).unwrap(),
            r#"{"bad_seal":{"chunk":3}}"#
        );
        assert!(serde_json::from_str::<Outcome>(r#"{"bad_seal":{"chunk":3,"x":1}}"#).is_err());
        assert_eq!(serde_json::to_string(&TestOutcome::Ok).unwrap(), r#""ok""#);
    }

    proptest! {
        #[test]
        fn leaves_read_back_one_after_the_other(
            rows in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u32>(), 0..5)), 0..6)
        ) {
            let leaves: Vec<_> =
                rows.into_iter().map(|(index, output_bits)| Leaf { index, output_bits }).collect();
            let bytes: Vec<u8> = leaves.iter().flat_map(Leaf::to_bytes).collect();
            let mut rest = &bytes[..];
            for leaf in &leaves {
                let (read, after) = Leaf::split_from(rest).unwrap();
                prop_assert_eq!(&read, leaf);
                rest = after;
            }
            prop_assert!(rest.is_empty());
            prop_assert!(Leaf::split_from(rest).is_none());
        }

        #[test]
        fn any_bytes_are_a_leaf_or_refused(index: u32, count in 0..6u32, rest: Vec<u8>) {
            let bytes = [&index.to_le_bytes(), &count.to_le_bytes(), &rest[..]].concat();
            let split = Leaf::split_from(&bytes);
            prop_assert_eq!(split.is_some(), rest.len() >= 4 * count as usize);
            if let Some((leaf, rest)) = split {
                prop_assert_eq!([&leaf.to_bytes()[..], rest].concat(), bytes);
            }
        }
    }
}
