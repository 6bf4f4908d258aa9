//! What can go wrong with a key, each with a stable code and a next step.
//!
//! Invariant: a message names paths, programs, variables and numbers, and never
//! what stands in a key file, a passphrase, a word or an argument that might be
//! one by mistake.

use std::io;
use std::path::{Path, PathBuf};

use protocol::ans104::ItemError;
use protocol::keys::PublicKey;

use crate::key_file::{KEY_FILE_BYTES_MAX, WORK_FACTOR_MAX};
use crate::passphrase::PASSPHRASE_BYTES_MAX;
use crate::signer::REPLY_BYTES_MAX;
use crate::words::WORDS;

/// Which kind of failure it is, for the program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The machine failed: disk, entropy, a broken file.
    Failed,
    /// What was typed has the wrong form.
    Usage,
    /// The key, the passphrase or a permission is not the right one.
    KeyOrPermission,
    /// What was named is not there.
    NotFound,
}

/// Why a text is not the recovery words of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsFlaw {
    /// Not the right number of words.
    #[error("there are {0} words, a key has {WORDS}")]
    Count(usize),
    /// A word that is not on the list. The word itself is not repeated.
    #[error("word {position} is not on the English list of BIP-39")]
    Unknown {
        /// Which word, from 1.
        position: usize,
    },
    /// All words are on the list, but they do not belong together.
    #[error("the checksum does not fit: a word is wrong, or two have changed places")]
    Checksum,
}

/// What is wrong with a key file or with the passphrase for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileFlaw {
    /// More bytes than a key file ever has; nothing was decrypted.
    #[error("it has more than {KEY_FILE_BYTES_MAX} bytes, which no key file has")]
    TooLong,
    /// Not a file in the age format.
    #[error("it is not in the age format")]
    NotAge,
    /// An age file that other keys open, not a passphrase.
    #[error("it is encrypted to a recipient, not with a passphrase")]
    NoPassphrase,
    /// More work than is done for a file that may come from anywhere.
    #[error("its work factor is {0}, the limit is {WORK_FACTOR_MAX}")]
    WorkFactor(u8),
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// An age file whose bytes were changed or cut short.
    #[error("its bytes were changed or cut short")]
    Damaged,
    /// It opens, and what it holds is not a key.
    #[error("it opens, but what it holds is not `lode-key/1` and a line of words")]
    Content,
    /// It opens, and its words are wrong.
    #[error("it opens, but its words are wrong: {0}")]
    Words(WordsFlaw),
}

/// What went wrong with a signing program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecFlaw {
    /// It could not be started.
    #[error("it could not be started: {0}")]
    Start(io::ErrorKind),
    /// It did not answer in time and was ended.
    #[error("it gave no answer within {0} seconds and was ended")]
    Timeout(u64),
    /// It ended, or closed its output, without an answer.
    #[error("it ended without an answer{}", .exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default())]
    NoAnswer {
        /// Its exit code, where there was one.
        exit_code: Option<i32>,
    },
    /// Its answer is longer than any answer is.
    #[error("its answer is longer than {REPLY_BYTES_MAX} bytes")]
    TooLong,
    /// Its answer is not the line that was asked for.
    #[error("its answer is not one line of JSON with the field {0:?}")]
    Form(&'static str),
    /// Talking to it failed.
    #[error("reading its answer failed: {0}")]
    Io(io::ErrorKind),
    /// It declined, with its own reason, shortened and without control characters.
    #[error("it declined: {0}")]
    Declined(String),
    /// Its signature does not hold for the key that it named.
    #[error("its signature does not hold for its own key {0}")]
    Signature(Box<PublicKey>),
}

/// What can go wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A file or folder is not there.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A file is there already, and replacing it was not asked for.
    #[error("{path} exists already, and a key is never replaced unasked")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The system refused access.
    #[error("{doing} {path} is not permitted")]
    Permission {
        /// What was tried: "reading", "writing".
        doing: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The system failed.
    #[error("{doing} {path} failed: {error}")]
    Io {
        /// What was tried: "reading", "writing".
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A key file could not be opened.
    #[error("the key file {path} was not opened: {flaw}")]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        flaw: KeyFileFlaw,
    },
    /// The public half beside a key file is missing.
    #[error("{path}, the public half of the key, does not exist")]
    PublicMissing {
        /// The `.pub` file.
        path: PathBuf,
    },
    /// The public half beside a key file cannot be read.
    #[error("{path} is not the public half of a key as this program writes it")]
    PublicBroken {
        /// The `.pub` file.
        path: PathBuf,
    },
    /// The public half beside a key file is another key's.
    #[error("{path} says {said}, but the key file beside it holds the key of {held}")]
    PublicMismatch {
        /// The `.pub` file.
        path: PathBuf,
        /// The key that the `.pub` file names.
        said: Box<PublicKey>,
        /// The public half of the key in the key file.
        held: Box<PublicKey>,
    },
    /// A work factor that no key file may have.
    #[error("work factor {0}: it is at least 1 and at most {WORK_FACTOR_MAX}")]
    WorkFactor(u8),
    /// A text is not recovery words.
    #[error("these are not the recovery words of a key: {0}")]
    Words(#[from] WordsFlaw),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Entropy(getrandom::Error),
    /// The text is not a source of a passphrase. It is not repeated: it may be
    /// the passphrase.
    #[error("this is not a source of a passphrase")]
    SourceForm,
    /// There is no terminal to ask on.
    #[error("a passphrase has to be typed, and there is no terminal to ask on")]
    NoTerminal,
    /// Standard input is a terminal, which would show what is typed.
    #[error("standard input is a terminal, which would show the passphrase")]
    StdinIsTerminal,
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set")]
    EnvMissing(String),
    /// There was no passphrase to read.
    #[error("the passphrase is empty")]
    PassphraseEmpty,
    /// Longer than any passphrase.
    #[error("the passphrase is longer than {PASSPHRASE_BYTES_MAX} bytes")]
    PassphraseTooLong,
    /// Not text.
    #[error("the passphrase is not UTF-8 text")]
    PassphraseNotText,
    /// The two passphrases typed are not the same.
    #[error("the two passphrases are not the same")]
    PassphraseUnequal,
    /// Reading the passphrase failed or was broken off.
    #[error("reading the passphrase failed: {0}")]
    PassphraseRead(io::Error),
    /// The text is not `file:PATH` or `exec:COMMAND`. It is not repeated.
    #[error("this is not a signer")]
    SignerForm,
    /// A signing program failed.
    #[error("the signing program {program}: {flaw}")]
    Exec {
        /// The program, without its arguments.
        program: String,
        /// What went wrong.
        flaw: ExecFlaw,
    },
    /// The draft cannot become an item, whoever signs it.
    #[error("the draft cannot be signed: {0}")]
    Draft(ItemError),
}

impl WalletError {
    /// An error of the system, in the class it belongs to.
    pub(crate) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::PermissionDenied => Self::Permission { doing, path },
            _ => Self::Io { doing, path, error },
        }
    }

    /// The stable code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Exists { .. } => "exists",
            Self::Permission { .. } => "permission",
            Self::Io { .. } => "io",
            Self::KeyFile { flaw, .. } => match flaw {
                KeyFileFlaw::TooLong | KeyFileFlaw::NotAge | KeyFileFlaw::NoPassphrase => {
                    "not_a_key_file"
                }
                KeyFileFlaw::WorkFactor(_) => "key_file_work_factor",
                KeyFileFlaw::WrongPassphrase => "wrong_passphrase",
                KeyFileFlaw::Damaged => "key_file_damaged",
                KeyFileFlaw::Content | KeyFileFlaw::Words(_) => "key_file_content",
            },
            Self::PublicMissing { .. } => "public_missing",
            Self::PublicBroken { .. } => "public_broken",
            Self::PublicMismatch { .. } => "public_mismatch",
            Self::WorkFactor(_) => "work_factor",
            Self::Words(_) => "recovery_words",
            Self::Entropy(_) => "entropy",
            Self::SourceForm => "passphrase_source",
            Self::NoTerminal => "no_terminal",
            Self::StdinIsTerminal => "stdin_is_terminal",
            Self::EnvMissing(_) => "environment",
            Self::PassphraseEmpty => "passphrase_empty",
            Self::PassphraseTooLong => "passphrase_too_long",
            Self::PassphraseNotText => "passphrase_not_text",
            Self::PassphraseUnequal => "passphrase_unequal",
            Self::PassphraseRead(_) => "passphrase_read",
            Self::SignerForm => "signer",
            Self::Exec { flaw, .. } => match flaw {
                ExecFlaw::Timeout(_) => "exec_timeout",
                ExecFlaw::Declined(_) => "exec_declined",
                ExecFlaw::Signature(_) => "exec_signature",
                _ => "exec_failed",
            },
            Self::Draft(_) => "draft",
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "check the path",
            Self::Exists { .. } => {
                "choose another path, or move the file away: without its words it is gone for good"
            }
            Self::Permission { .. } => "give this user access to the file and its folder",
            Self::Io { .. } => "check the disk and the path, then try again",
            Self::KeyFile { flaw, .. } => match flaw {
                KeyFileFlaw::TooLong | KeyFileFlaw::NotAge | KeyFileFlaw::NoPassphrase => {
                    "name a key file that `lode key new` or `lode key recover` wrote"
                }
                KeyFileFlaw::WorkFactor(_) => {
                    "if the file is yours, open it with `age -d` and encrypt it again with `age -p`"
                }
                KeyFileFlaw::WrongPassphrase => {
                    "try again; if the passphrase is lost, move NAME.age and NAME.age.pub away, and `lode key recover` makes them anew from the words"
                }
                KeyFileFlaw::Damaged | KeyFileFlaw::Content | KeyFileFlaw::Words(_) => {
                    "take a backup, or move NAME.age and NAME.age.pub away and make them anew from the words with `lode key recover`"
                }
            },
            Self::PublicMissing { .. } => {
                "`lode key show` with the passphrase writes it again for a key in $LODE_HOME/keys: put the key file there, \
                 and name it with --key"
            }
            Self::PublicBroken { .. } | Self::PublicMismatch { .. } => {
                "do not use the address in it; remove it, and `lode key show` writes it from the key file"
            }
            Self::WorkFactor(_) => "leave it out: the default is right for keys of value",
            Self::Words(_) => {
                "compare with what was written down, in order, with single spaces between the words"
            }
            Self::Entropy(_) => "repair the system's random number source, then try again",
            Self::SourceForm => "say prompt, stdin, file:PATH or env:NAME",
            Self::NoTerminal => "give the passphrase from file:PATH, env:NAME or stdin",
            Self::StdinIsTerminal => "say prompt to type it unseen, or pipe it into standard input",
            Self::EnvMissing(_) => "set the variable, or name another source",
            Self::PassphraseEmpty => "give a passphrase of at least one character",
            Self::PassphraseTooLong => "check that the source holds the passphrase alone",
            Self::PassphraseNotText => "use a passphrase that is text in UTF-8",
            Self::PassphraseUnequal | Self::PassphraseRead(_) => "try again",
            Self::SignerForm => "say file:PATH or exec:COMMAND",
            Self::Exec { flaw, .. } => match flaw {
                ExecFlaw::Start(_) => "check that the program is there and may be run",
                ExecFlaw::Declined(_) => "see what the program says about it",
                ExecFlaw::Timeout(_) => "see what the program waits for, then try again",
                _ => "check the program against the protocol in the docs of `wallet::signer`",
            },
            Self::Draft(_) => "shorten or drop tags",
        }
    }

    /// Which kind of failure it is.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. } | Self::PublicMissing { .. } | Self::EnvMissing(_) => {
                ErrorClass::NotFound
            }
            Self::WorkFactor(_) | Self::SourceForm | Self::SignerForm | Self::Draft(_) => {
                ErrorClass::Usage
            }
            Self::Io { .. } | Self::Entropy(_) => ErrorClass::Failed,
            _ => ErrorClass::KeyOrPermission,
        }
    }

    /// Whether the key, the passphrase or a permission is at fault.
    pub fn is_key_or_permission(&self) -> bool {
        self.class() == ErrorClass::KeyOrPermission
    }
}
