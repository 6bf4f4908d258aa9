//! Recovery words, and the one key that belongs to them.
//!
//! ```text
//! 32 bytes of entropy
//!   -> 24 words of the English list, 8 bits of checksum    (BIP-39)
//!   -> 64 bytes: PBKDF2-HMAC-SHA512, 2048 rounds, salt "mnemonic"
//!   -> m/44'/472'/0'/0'/0', all steps hardened             (SLIP-0010, ed25519)
//!   -> the 32-byte seed of the account's key               (RFC 8032)
//! ```
//!
//! The path follows BIP-44: 472 is the coin type that SLIP-0044 lists for
//! Arweave, whose data items are what the key signs. Arweave's own keys are
//! RSA and derived otherwise, so no key is shared by accident. Any wallet that
//! speaks BIP-39 and SLIP-0010 gets the same key from the same words and path.
//!
//! Invariants: always 24 words, never with BIP-39's optional extra passphrase,
//! so that the words alone are the whole backup. Words and seeds are wiped when
//! dropped and have no `Display`.

use std::fmt;

use bip39::{Language, Mnemonic};
use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::keys::SecretKey;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::error::{WalletError, WordsFlaw};

/// Words of a key.
pub const WORDS: usize = 24;
/// Bytes of entropy behind the words.
pub const ENTROPY_LEN: usize = 32;
/// The path of the account's key, as people write it.
pub const PATH: &str = "m/44'/472'/0'/0'/0'";
/// Most bytes of a text that is read as words; 24 words take at most 215.
pub const WORDS_BYTES_MAX: usize = 1024;

/// [`PATH`] as numbers; every step is hardened.
const PATH_STEPS: [u32; 5] = [44, 472, 0, 0, 0];
/// What SLIP-0010 adds to a hardened step.
const HARDENED: u32 = 1 << 31;

/// The 24 words of a key. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryWords(Mnemonic);

impl RecoveryWords {
    /// New words from the system's entropy.
    ///
    /// # Errors
    ///
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, WalletError> {
        let mut entropy = Zeroizing::new([0; ENTROPY_LEN]);
        getrandom::fill(entropy.as_mut()).map_err(WalletError::Entropy)?;
        Ok(Self::from_entropy(&entropy))
    }

    /// The words that belong to this entropy: always the same.
    pub fn from_entropy(entropy: &[u8; ENTROPY_LEN]) -> Self {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy)
            .expect("32 bytes are a length that BIP-39 has words for");
        Self(mnemonic)
    }

    /// Reads words as a person types them: any white space, any case.
    ///
    /// # Errors
    ///
    /// Not 24 words, a word that is not on the list, or a wrong checksum. The
    /// error says which word by its position only.
    pub fn parse(text: &str) -> Result<Self, WordsFlaw> {
        let count = text.split_whitespace().count();
        if count != WORDS || text.len() > WORDS_BYTES_MAX {
            return Err(WordsFlaw::Count(count));
        }
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &lower);
        mnemonic.map(Self).map_err(|error| match error {
            bip39::Error::BadWordCount(found) => WordsFlaw::Count(found),
            bip39::Error::UnknownWord(index) => WordsFlaw::Unknown {
                position: index + 1,
            },
            _ => WordsFlaw::Checksum,
        })
    }

    /// The words with single spaces between them, for paper. Wiped when dropped.
    pub fn phrase(&self) -> Zeroizing<String> {
        let mut phrase = Zeroizing::new(String::with_capacity(WORDS_BYTES_MAX));
        for word in self.0.words() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// The account's key.
    pub fn secret_key(&self) -> SecretKey {
        let seed = Zeroizing::new(self.0.to_seed_normalized(""));
        SecretKey::from_seed(&derive(seed.as_ref(), &PATH_STEPS))
    }
}

impl fmt::Debug for RecoveryWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryWords(redacted)")
    }
}

/// The key at a path of hardened steps (SLIP-0010, curve ed25519).
fn derive(seed: &[u8], steps: &[u32]) -> Zeroizing<[u8; 32]> {
    let (mut key, mut chain) = halves(&hmac_sha512(b"ed25519 seed", &[seed]));
    for step in steps {
        let index = (step | HARDENED).to_be_bytes();
        let parts: [&[u8]; 3] = [&[0], key.as_ref(), &index];
        (key, chain) = halves(&hmac_sha512(chain.as_ref(), &parts));
    }
    key
}

fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Key and chain code.
fn halves(bytes: &[u8; 64]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    let (mut key, mut chain) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    key.copy_from_slice(&bytes[..32]);
    chain.copy_from_slice(&bytes[32..]);
    (key, chain)
}

#[cfg(test)]
mod tests;
