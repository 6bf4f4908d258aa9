//! The deep hash of ANS-104: SHA-384 over a tree of byte strings.
//!
//! ```text
//! blob:  H( H("blob" ‖ decimal length) ‖ H(bytes) )
//! list:  acc = H("list" ‖ decimal count); for each child: acc = H(acc ‖ child's deep hash)
//! ```
//!
//! The length stands before the bytes, so a blob is hashed as a stream only if
//! its length is known at the start.

use sha2::{Digest as _, Sha384};

/// A deep hash: 48 bytes.
pub type DeepHash = [u8; 48];

/// The deep hash of one blob.
pub fn blob(bytes: &[u8]) -> DeepHash {
    let mut hasher = BlobHasher::new(bytes.len() as u64);
    hasher.update(bytes);
    hasher.state()
}

/// The deep hash of a list whose children's deep hashes are given, in order.
pub fn list(children: &[DeepHash]) -> DeepHash {
    let mut acc: DeepHash = Sha384::digest(format!("list{}", children.len())).into();
    for child in children {
        acc = pair(&acc, child);
    }
    acc
}

/// The deep hash of one blob that arrives in pieces.
#[derive(Debug, Clone)]
pub struct BlobHasher {
    length_hash: DeepHash,
    bytes: Sha384,
    declared: u64,
    seen: u64,
}

impl BlobHasher {
    /// Starts a blob of `len` bytes.
    pub fn new(len: u64) -> Self {
        Self {
            length_hash: Sha384::digest(format!("blob{len}")).into(),
            bytes: Sha384::new(),
            declared: len,
            seen: 0,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes.update(bytes);
        self.seen = self.seen.saturating_add(bytes.len() as u64);
    }

    /// Bytes taken so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The deep hash.
    ///
    /// # Errors
    ///
    /// The number of bytes seen, when it is not the number declared at the start.
    pub fn finish(self) -> Result<DeepHash, u64> {
        if self.seen == self.declared {
            Ok(self.state())
        } else {
            Err(self.seen)
        }
    }

    fn state(self) -> DeepHash {
        pair(&self.length_hash, &self.bytes.finalize().into())
    }
}

fn pair(left: &DeepHash, right: &DeepHash) -> DeepHash {
    Sha384::new()
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_the_hash_of_the_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut hasher = BlobHasher::new(256);
        for piece in bytes.chunks(7) {
            hasher.update(piece);
        }
        assert_eq!(hasher.finish(), Ok(blob(&bytes)));
    }

    #[test]
    fn another_length_than_declared_is_an_error() {
        let mut hasher = BlobHasher::new(3);
        hasher.update(b"ab");
        assert_eq!(hasher.clone().finish(), Err(2));
        hasher.update(b"cd");
        assert_eq!(hasher.finish(), Err(4));
    }

    #[test]
    fn the_shape_of_a_list_is_part_of_its_hash() {
        let (a, b) = (blob(b"a"), blob(b"b"));
        assert_ne!(list(&[a, b]), list(&[b, a]));
        assert_ne!(list(&[a, b]), list(&[list(&[a, b])]));
        assert_ne!(list(&[]), blob(b""));
    }
}
