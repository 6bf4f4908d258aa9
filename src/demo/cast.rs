//! Who plays: each with a key that comes from the demo's seed.

use protocol::Address;
use protocol::keys::SecretKey;
use protocol::seal::{NONCE_LEN, SealKey};

/// Everyone in the story.
pub const CAST: [(Who, &str, &str); 14] = [
    (
        Who::Operator,
        "Olga",
        "runs the node: orders the records, keeps the time",
    ),
    (
        Who::Sponsor,
        "Sofia",
        "wants a model that reads handwritten digits, and pays for it",
    ),
    (
        Who::Backer,
        "Ben",
        "wants the same model, and adds to the reward",
    ),
    (Who::DataOwner, "Dora", "collected the training images"),
    (Who::BaseOwner, "Boris", "trained a base model on them"),
    (Who::FineTuner, "Mira", "a miner: fine-tunes Boris's base"),
    (Who::Scratch, "Milo", "a miner: trains from scratch"),
    (
        Who::Copier,
        "Cory",
        "a miner who trains nothing, and copies",
    ),
    (Who::EvaluatorOne, "Ada", "evaluator"),
    (Who::EvaluatorTwo, "Emil", "evaluator"),
    (Who::EvaluatorThree, "Ines", "evaluator"),
    (Who::EvaluatorFour, "Otto", "evaluator"),
    (Who::Liar, "Loki", "evaluator, who lies"),
    (
        Who::Licensee,
        "Lumen",
        "a company that reads forms for its customers",
    ),
];

/// A part in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Who {
    Operator,
    Sponsor,
    Backer,
    DataOwner,
    BaseOwner,
    FineTuner,
    Scratch,
    Copier,
    EvaluatorOne,
    EvaluatorTwo,
    EvaluatorThree,
    EvaluatorFour,
    Liar,
    Licensee,
}

impl Who {
    /// The evaluators who do their work.
    pub const HONEST: [Self; 4] = [
        Self::EvaluatorOne,
        Self::EvaluatorTwo,
        Self::EvaluatorThree,
        Self::EvaluatorFour,
    ];

    /// The name in the story.
    pub fn name(self) -> &'static str {
        CAST[self as usize].1
    }
}

/// The secrets of the story. A real wallet draws them from the system; the demo
/// derives them, so that it ends with the same roots every time.
pub struct Secrets {
    seed: u64,
}

impl Secrets {
    /// The secrets of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("lode demo 1: not a secret");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Somebody's signing key.
    pub fn key(&self, who: Who) -> SecretKey {
        SecretKey::from_seed(&self.derive(who.name()))
    }

    /// Somebody's address.
    pub fn address(&self, who: Who) -> Address {
        self.key(who).public().address()
    }

    /// The key and nonce of somebody's seal.
    pub fn seal(&self, who: Who) -> (SealKey, [u8; NONCE_LEN]) {
        let key = SealKey::from_bytes(self.derive(&format!("{} seal", who.name())));
        let bytes = self.derive(&format!("{} nonce", who.name()));
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&bytes[..NONCE_LEN]);
        (key, nonce)
    }

    /// The salt of an evaluator's commitment.
    pub fn salt(&self, who: Who) -> protocol::Digest {
        protocol::Digest(self.derive(&format!("{} salt", who.name())))
    }

    /// The salt of the network.
    pub fn network_salt(&self) -> String {
        format!("demo {}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_is_in_the_order_of_the_parts() {
        for (place, (who, _, _)) in CAST.iter().enumerate() {
            assert_eq!(*who as usize, place);
        }
    }
}
