//! The 32-byte names of things: one newtype an idea, all written as base64url.
//!
//! Text form: base64url without padding, always 43 characters. Only the
//! canonical spelling is read: the two bits that the last character has to
//! spare must be zero, so that one id has one text.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use borsh::{BorshDeserialize, BorshSerialize};

/// Length in characters of the text form of every id.
pub const ID_TEXT_LEN: usize = 43;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not 43 characters long.
    #[error("an id has {ID_TEXT_LEN} base64url characters, this text has {0} bytes")]
    Length(usize),
    /// The text has a character outside base64url, or spare bits that are set.
    #[error("this text is not canonical base64url: an id uses A-Z a-z 0-9 - _ and no padding")]
    Alphabet,
}

fn decode(text: &str) -> Result<[u8; 32], IdError> {
    if text.len() != ID_TEXT_LEN {
        return Err(IdError::Length(text.len()));
    }
    let mut bytes = [0; 32];
    Base64UrlUnpadded::decode(text, &mut bytes).map_err(|_| IdError::Alphabet)?;
    // One id, one text: a decoder that ignored the two spare bits would read four.
    if encode(&bytes) != text {
        return Err(IdError::Alphabet);
    }
    Ok(bytes)
}

fn encode(bytes: &[u8; 32]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), encode(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text).map($name)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&encode(&self.0))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text: String = serde::Deserialize::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// The id of a data item: SHA-256 of its signature (ANS-104).
    ItemId
}
id! {
    /// The address of an account: SHA-256 of its public key (ANS-104).
    Address
}
id! {
    /// The name of a blob: the BLAKE3 root of its bytes.
    BlobId
}
id! {
    /// The name of a network: SHA-256 of who signed its genesis and of the genesis body, which carries a salt.
    NetworkId
}
id! {
    /// A 32-byte digest: of terms, a seal, weights, predictions (SHA-256), or
    /// of the state (BLAKE3). Which hash is said where it is made.
    Digest
}

impl From<ItemId> for Digest {
    fn from(id: ItemId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = ItemId([7; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), ID_TEXT_LEN);
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let text = Digest([255; 32]).to_string();
        assert!(text.ends_with('8'));
        let loose = format!("{}9", &text[..42]);
        assert_eq!(loose.parse::<Digest>(), Err(IdError::Alphabet));
        assert_eq!("abc".parse::<Digest>(), Err(IdError::Length(3)));
        assert_eq!(
            format!("{}=", &text[..42]).parse::<Digest>(),
            Err(IdError::Alphabet)
        );
    }
}
