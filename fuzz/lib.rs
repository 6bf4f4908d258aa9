//! What the targets share.

use std::sync::OnceLock;

use protocol::ans104::{Draft, SignedItem, VerifiedItem};
use protocol::keys::SecretKey;
use protocol::seal::SealKey;

/// Who plays in `lode demo`, from whose log the seeds come; its keys are no secrets.
const CAST: [&str; 13] = [
    "Olga", "Sofia", "Ben", "Dora", "Boris", "Mira", "Milo", "Cory", "Ada", "Emil", "Ines", "Loki",
    "Lumen",
];

fn secret(purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("lode demo 1: not a secret");
    hasher.update(&0u64.to_le_bytes());
    hasher.update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}

fn keys() -> &'static [SecretKey] {
    static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
    KEYS.get_or_init(|| CAST.map(|name| SecretKey::from_seed(&secret(name))).into())
}

/// The key of the demo's operator, who signs the log.
pub fn key() -> &'static SecretKey {
    &keys()[0]
}

/// The item with a signature that holds: a mutation behind a signature would
/// else never reach what reads the item. It is its owner's where that is one of
/// the demo's people, so that what was not changed stays the same, bytes and
/// all: signatures are deterministic.
pub fn signed_again(item: &SignedItem) -> VerifiedItem {
    let owner = keys().iter().find(|key| key.public() == item.owner());
    let draft = Draft {
        target: item.target().copied(),
        anchor: item.anchor().copied(),
        tags: item.tags().to_vec(),
        data: item.data().to_vec(),
    };
    draft
        .sign(owner.unwrap_or(key()))
        .expect("tags that were decoded keep the limits")
}

/// The key of the demo's smallest seal.
pub fn seal_key() -> SealKey {
    SealKey::from_bytes(secret("Milo seal"))
}

/// Two parts of an input: a length of two bytes (little-endian) stands before the first.
pub fn two(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
}
