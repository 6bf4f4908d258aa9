//! Signers: whoever turns a draft into an item.
//!
//! ```text
//! file:PATH       a key file, opened with its passphrase, in this process
//! exec:COMMAND    a program, started for each request; the key stays with it
//! ```
//!
//! COMMAND is a program and its arguments, split as a shell splits words, with
//! its quotes; no shell is started and nothing is expanded.
//!
//! # The protocol of `exec:`
//!
//! For each request the program is started anew, reads one line of JSON from
//! standard input, writes one line of JSON to standard output and ends. Bytes
//! are base64url without padding. What it writes to standard error reaches the
//! person ("touch the key now").
//!
//! ```text
//! asked     {"lode-signer":1,"op":"public"}
//! answered  {"public":"32 bytes: its ed25519 key"}
//!
//! asked     {"lode-signer":1,"op":"sign","message":"48 bytes",
//!            "draft":{"target":"32 bytes"|null,"anchor":"32 bytes"|null,
//!                     "tags":[{"name":"…","value":"…"},…],"data":"…"}}
//! answered  {"signature":"64 bytes: over the message, by that key"}
//!
//! or, to both, {"error":"why not, without secrets"}
//! ```
//!
//! `message` is the ANS-104 deep hash of the draft and the program's public
//! key. A program that shows a person what is signed, or allows only some
//! records, computes the message from the draft again and compares: the draft
//! alone proves nothing.
//!
//! Limits: an answer has at most [`REPLY_BYTES_MAX`] bytes and comes within
//! [`TIMEOUT`]. Every signature is verified, strictly, before it is used.

mod exec;
mod reply;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use protocol::Address;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::keys::{PublicKey, SecretKey};

use crate::error::WalletError;
use crate::key_file;
use crate::passphrase::{Passphrase, PassphraseSource};

pub use exec::{ExecCommand, ExecSigner, TIMEOUT};
pub use reply::{REPLY_BYTES_MAX, Reply};

/// Whoever signs for one account.
pub trait Signer: Send + Sync {
    /// The account's public key.
    fn public(&self) -> PublicKey;

    /// The account's address.
    fn address(&self) -> Address {
        self.public().address()
    }

    /// Signs a draft.
    ///
    /// # Errors
    ///
    /// The draft's tags break a limit, or the signer does not give a signature
    /// that holds.
    fn sign(&self, draft: Draft) -> Result<VerifiedItem, WalletError>;
}

/// A key in this process. `Debug` shows its public half.
#[derive(Debug, Clone)]
pub struct FileSigner {
    key: SecretKey,
}

impl FileSigner {
    /// Opens a key file.
    ///
    /// # Errors
    ///
    /// As [`key_file::unlock`].
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, WalletError> {
        let key = key_file::unlock(path, passphrase)?.secret_key();
        Ok(Self { key })
    }
}

impl From<SecretKey> for FileSigner {
    /// A signer with a key that was unlocked or derived elsewhere.
    fn from(key: SecretKey) -> Self {
        Self { key }
    }
}

impl Signer for FileSigner {
    fn public(&self) -> PublicKey {
        self.key.public()
    }

    fn sign(&self, draft: Draft) -> Result<VerifiedItem, WalletError> {
        draft.sign(&self.key).map_err(WalletError::Draft)
    }
}

/// Which signer a person names; its text forms are in the module's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerSpec {
    /// A key file.
    File(PathBuf),
    /// A program.
    Exec(ExecCommand),
}

impl FromStr for SignerSpec {
    type Err = WalletError;

    /// The error does not repeat the text.
    fn from_str(text: &str) -> Result<Self, WalletError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("exec", command)) => command.parse().map(Self::Exec),
            _ => Err(WalletError::SignerForm),
        }
    }
}

impl SignerSpec {
    /// Opens the signer. The passphrase is read for a key file only.
    ///
    /// # Errors
    ///
    /// The key file does not open, or the program does not name its key.
    pub fn open(&self, passphrase: &PassphraseSource) -> Result<Box<dyn Signer>, WalletError> {
        match self {
            Self::File(path) => {
                // A missing file is named before a person types for nothing.
                path.metadata()
                    .map_err(|error| WalletError::io("reading", path, error))?;
                let passphrase = passphrase.read(&format!("the key file {}", path.display()))?;
                Ok(Box::new(FileSigner::open(path, &passphrase)?))
            }
            Self::Exec(command) => Ok(Box::new(ExecSigner::open(command.clone())?)),
        }
    }

    /// The public key without a passphrase: from `NAME.pub`, or from the program.
    ///
    /// # Errors
    ///
    /// There is no usable `.pub`, or the program does not name its key.
    pub fn public(&self) -> Result<PublicKey, WalletError> {
        match self {
            Self::File(path) => key_file::read_public(path),
            Self::Exec(command) => Ok(ExecSigner::open(command.clone())?.public()),
        }
    }
}

#[cfg(test)]
mod tests;
