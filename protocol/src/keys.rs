//! Account keys: ed25519, verified strictly.
//!
//! Invariants: a [`PublicKey`] is always a point of the curve in its canonical
//! encoding and never of small order, so that one account has one key and one
//! address. A signature is judged by strict verification only: its scalar is
//! below the group order and its commitment `R` is not of small order, so that
//! no third party can turn one valid signature into another.
//!
//! It makes no keys: the seed is an argument, drawn by whoever has entropy.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::id::{Address, Digest, IdError};

/// Length of a seed in bytes.
pub const SEED_LEN: usize = 32;
/// Length of a public key in bytes.
pub const PUBLIC_KEY_LEN: usize = 32;
/// Length of a signature in bytes: 32 for `R`, 32 for the scalar `S`.
pub const SIGNATURE_LEN: usize = 64;

/// The order L of the ed25519 group, little-endian (RFC 8032, 5.1).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The field prime p = 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// Why 32 bytes are not a public key, or a text is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes decode to no point of the curve.
    #[error("these 32 bytes are no point of the ed25519 curve")]
    NotAPoint,
    /// The bytes spell a coordinate that is not below the field prime.
    #[error("this key is not the canonical encoding of its point")]
    NotCanonical,
    /// The point has an order that divides eight, so anyone can sign for it.
    #[error("this key has small order: signatures under it prove nothing")]
    SmallOrder,
    /// The text is not 43 characters of canonical base64url.
    #[error("this text is not a public key: it takes 43 characters of base64url without padding")]
    Text,
}

/// Why a signature is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The scalar S is not below the group order, so it is a copy of another signature.
    #[error("the signature's scalar is not below the group order")]
    ScalarRange,
    /// The point R has small order, which strict verification refuses.
    #[error("the signature's point R has small order")]
    SmallOrder,
    /// The signature does not belong to this key and message.
    #[error("the signature does not fit this key and message")]
    Mismatch,
}

/// A secret key: signs, and is wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that belongs to a seed of 32 random bytes (RFC 8032, 5.1.5).
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for a key file or a backup. Wiped when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; SEED_LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message. The same key and message always give the same 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// A public key: 32 bytes, always a canonical point that is not of small order.
///
/// Text form: base64url without padding, 43 characters, as ids have it. It holds
/// the point too, so that finding that out is paid for once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By the 32 bytes.
impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl BorshSerialize for PublicKey {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.as_bytes().serialize(writer)
    }
}

impl PublicKey {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// The bytes are no point, not in canonical form, or of small order.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_LEN]) -> Result<Self, KeyError> {
        let mut y = *bytes;
        y[31] &= 0x7f;
        if !is_below(&y, &FIELD_PRIME) {
            return Err(KeyError::NotCanonical);
        }
        // The other loose spelling, a sign bit on x = 0, exists only for points
        // of order one and two, which the next check refuses.
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_LEN] {
        self.0.as_bytes()
    }

    /// The account's address: SHA-256 of the key.
    pub fn address(&self) -> Address {
        Address(Sha256::digest(self.as_bytes()).into())
    }

    /// Checks a signature over a message, strictly.
    ///
    /// # Errors
    ///
    /// S is not below the group order, R has small order, or the equation
    /// `[S]B = R + [k]A` does not hold to the byte.
    pub fn verify(
        &self,
        message: &[u8],
        signature: &[u8; SIGNATURE_LEN],
    ) -> Result<(), SignatureError> {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| flaw(signature))
    }
}

/// Names what is wrong with a signature that was refused.
fn flaw(signature: &[u8; SIGNATURE_LEN]) -> SignatureError {
    let (r, s) = halves(signature);
    if !is_below(&s, &GROUP_ORDER) {
        return SignatureError::ScalarRange;
    }
    match VerifyingKey::from_bytes(&r) {
        Ok(point) if point.is_weak() => SignatureError::SmallOrder,
        _ => SignatureError::Mismatch,
    }
}

fn halves(signature: &[u8; SIGNATURE_LEN]) -> ([u8; 32], [u8; 32]) {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature[..32]);
    s.copy_from_slice(&signature[32..]);
    (r, s)
}

/// `a < b` for little-endian integers of 256 bits.
fn is_below(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(*self.as_bytes()).fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes: Digest = text.parse().map_err(|_: IdError| KeyError::Text)?;
        Self::from_bytes(&bytes.0)
    }
}

impl BorshDeserialize for PublicKey {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let bytes = <[u8; PUBLIC_KEY_LEN]>::deserialize_reader(reader)?;
        Self::from_bytes(&bytes)
            .map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error))
    }
}

impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = serde::Deserialize::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
