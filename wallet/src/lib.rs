//! Keys at rest, and signing with them.
//!
//! A key is born as 24 words, rests in a file that a passphrase encrypts, and
//! signs drafts either in this process or in a program of its owner's choice.
//!
//! | module | what it holds |
//! |---|---|
//! | [`words`] | recovery words (BIP-39), and the one key that belongs to them (SLIP-0010) |
//! | [`key_file`] | key files in the age format, and the public half beside them |
//! | [`passphrase`] | where a passphrase comes from: prompt, file, environment, standard input |
//! | [`signer`] | `file:` and `exec:`: whoever turns a draft into an item |
//! | [`permissions`] | files that others on the machine can read |
//! | [`error`] | what can go wrong, with a code and a next step each |
//!
//! Invariants: no error, no `Debug` form and no argument of a started program
//! holds a passphrase, a word or a key; what holds one is wiped when dropped. That is so of what is ours: the age library
//! keeps a plaintext in a buffer that it frees as it is, and the standard library what it read ahead from stdin.
//! The crate writes no log and reads no clock.

pub mod error;
pub mod key_file;
pub mod passphrase;
pub mod permissions;
pub mod signer;
pub mod words;

mod files;

pub use error::{ErrorClass, ExecFlaw, KeyFileFlaw, WalletError, WordsFlaw};
pub use passphrase::{Passphrase, PassphraseSource};
pub use permissions::{WeakPermissions, weak_permissions};
pub use signer::{ExecSigner, FileSigner, Signer, SignerSpec};
pub use words::RecoveryWords;
