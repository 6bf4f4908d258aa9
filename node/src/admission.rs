//! What the node asks of a record beside the rules: that what it names is held here.
//!
//! The ledger compares hashes and opens nothing. So that what was committed can
//! be had later, a record is taken only while the blobs that it names are held,
//! whole and under their names.

use protocol::record::{Action, BlobRef, Transaction};

use crate::blobs::{BlobError, Blobs};

/// Why a record is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// A blob that the record names is not held.
    #[error("the record names blob {}, which is not held here: upload it first", .0.id)]
    NotHeld(BlobRef),
    /// A blob is held, and has another size than the record says.
    #[error("the record says that blob {} has {} bytes, it has {held_bytes}", .named.id, .named.size_bytes)]
    OtherSize {
        /// What the record says.
        named: BlobRef,
        /// The size of what is held.
        held_bytes: u64,
    },
    /// The blobs could not be asked.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// The blobs that a record names: ciphertexts, archives, prediction leaves.
pub fn named_blobs(tx: &Transaction) -> Vec<BlobRef> {
    match &tx.action {
        Action::RegisterAsset { body, .. } => vec![body.archive],
        Action::PostBounty { body } => vec![body.test_set.ciphertext],
        Action::CommitSubmission { body, .. } => vec![body.sealed.ciphertext],
        Action::RevealAttestations { body, .. } => body.leaves.into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Checks that every blob that a record names is held.
///
/// # Errors
///
/// [`AdmissionError`] with the first that is not, or whose size is another.
pub fn check_held(blobs: &Blobs, tx: &Transaction) -> Result<(), AdmissionError> {
    for named in named_blobs(tx) {
        match blobs.size_bytes(named.id)? {
            None => return Err(AdmissionError::NotHeld(named)),
            Some(held_bytes) if held_bytes != named.size_bytes => {
                return Err(AdmissionError::OtherSize { named, held_bytes });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::keys::SecretKey;
    use protocol::record::{CommitSubmission, Envelope, SealedFolder};
    use protocol::text::Name;
    use protocol::{BlobId, Digest, ItemId, NetworkId};

    fn commitment(ciphertext: BlobRef) -> Transaction {
        let sealed = SealedFolder {
            seal: Digest([1; 32]),
            ciphertext,
        };
        let body = CommitSubmission {
            name: Name::new("a model").unwrap(),
            sealed,
            parents: Vec::new(),
        };
        let action = Action::CommitSubmission {
            bounty: ItemId([2; 32]),
            terms: Vec::new(),
            body,
        };
        let envelope = Envelope {
            network: NetworkId([3; 32]),
            nonce: 0,
            valid_until_ms: 1,
        };
        let key = SecretKey::from_seed(&[4; 32]);
        Transaction::read(&Transaction::draft(&envelope, &action).sign(&key).unwrap()).unwrap()
    }

    #[test]
    fn a_commitment_is_taken_only_while_its_ciphertext_is_held() {
        let temp = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(temp.path()).unwrap();
        let held = blobs.put(&b"ciphertext"[..]).unwrap();
        check_held(&blobs, &commitment(held)).unwrap();
        let longer = BlobRef {
            size_bytes: 11,
            ..held
        };
        assert!(matches!(
            check_held(&blobs, &commitment(longer)),
            Err(AdmissionError::OtherSize { held_bytes: 10, .. })
        ));
        let missing = BlobRef {
            id: BlobId([9; 32]),
            ..held
        };
        assert!(matches!(
            check_held(&blobs, &commitment(missing)),
            Err(AdmissionError::NotHeld(named)) if named == missing
        ));
    }
}
