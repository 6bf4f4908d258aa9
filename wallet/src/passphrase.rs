//! Where a passphrase comes from.
//!
//! ```text
//! prompt       asked for on the terminal, unseen; twice for a new key
//! stdin        the first line of standard input
//! file:PATH    a file; one line end at its end is not part of it
//! env:NAME     an environment variable
//! ```
//!
//! A passphrase is never an argument of a program: every user of the machine
//! can list those. A variable is seen by the programs that this one starts; a
//! file is the better choice for a service.
//!
//! Invariants: a [`Passphrase`] has at most [`PASSPHRASE_BYTES_MAX`] bytes, is
//! wiped when dropped, and shows nothing in `Debug`. Without a terminal, asking
//! is an error and never waits.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::error::WalletError;
use crate::files;
use crate::permissions::{WeakPermissions, weak_permissions};

/// Most bytes of a passphrase.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

/// A passphrase. Wiped when dropped; `Debug` does not show it.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a text as a passphrase. For demos and tests; a person's comes from
    /// a [`PassphraseSource`].
    ///
    /// # Errors
    ///
    /// It is longer than [`PASSPHRASE_BYTES_MAX`].
    pub fn new(text: String) -> Result<Self, WalletError> {
        let text = Zeroizing::new(text);
        if text.len() > PASSPHRASE_BYTES_MAX {
            return Err(WalletError::PassphraseTooLong);
        }
        Ok(Self(text))
    }

    /// Whether it has no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many characters it has; no secret of its own, and all that is told of it.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// The text itself, for the one place that encrypts with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, WalletError> {
        let text = std::str::from_utf8(bytes).map_err(|_| WalletError::PassphraseNotText)?;
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// Where a passphrase comes from; its text forms are in the module's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The terminal.
    Prompt,
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

impl FromStr for PassphraseSource {
    type Err = WalletError;

    /// The error does not repeat the text, which may be a passphrase by mistake.
    fn from_str(text: &str) -> Result<Self, WalletError> {
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            None if text == "stdin" => Ok(Self::Stdin),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(Self::Env(name.to_owned()))
            }
            _ => Err(WalletError::SourceForm),
        }
    }
}

impl PassphraseSource {
    /// Reads the passphrase of an existing key. `what` says to a person what it
    /// is for: "alice.age".
    ///
    /// # Errors
    ///
    /// There is no terminal, file or variable, or what is there is no passphrase.
    pub fn read(&self, what: &str) -> Result<Passphrase, WalletError> {
        match self {
            Self::Prompt => ask(&format!("Passphrase for {what}: ")),
            Self::Stdin => {
                let stdin = io::stdin();
                if stdin.is_terminal() {
                    return Err(WalletError::StdinIsTerminal);
                }
                first_line(stdin.lock())
            }
            Self::File(path) => {
                let bytes = files::read_limited(path, PASSPHRASE_BYTES_MAX + 2)?
                    .ok_or(WalletError::PassphraseTooLong)?;
                Passphrase::from_bytes(without_line_end(&bytes))
            }
            Self::Env(name) => match env::var(name).map(Zeroizing::new) {
                Ok(text) => Passphrase::from_bytes(text.as_bytes()),
                Err(env::VarError::NotPresent) => Err(WalletError::EnvMissing(name.clone())),
                // Its content is dropped unseen.
                Err(env::VarError::NotUnicode(_)) => Err(WalletError::PassphraseNotText),
            },
        }
    }

    /// Reads the passphrase of a new key: asked for twice on the terminal, and
    /// never empty.
    ///
    /// # Errors
    ///
    /// As [`PassphraseSource::read`]; also an empty one, or two that differ.
    pub fn read_new(&self, what: &str) -> Result<Passphrase, WalletError> {
        let first = self.read(what)?;
        if first.is_empty() {
            return Err(WalletError::PassphraseEmpty);
        }
        if *self == Self::Prompt {
            let second = ask("The same again: ")?;
            same(&first, &second)?;
        }
        Ok(first)
    }

    /// A file as source that others on the machine can read.
    pub fn weak_permissions(&self) -> Option<WeakPermissions> {
        match self {
            Self::File(path) => weak_permissions(path),
            _ => None,
        }
    }
}

fn ask(prompt: &str) -> Result<Passphrase, WalletError> {
    match rpassword::prompt_password(prompt) {
        Ok(text) => Passphrase::new(text),
        // Typed, then ended or broken off.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted
            ) =>
        {
            Err(WalletError::PassphraseRead(error))
        }
        // The terminal itself cannot be opened.
        Err(_) => Err(WalletError::NoTerminal),
    }
}

fn same(first: &Passphrase, second: &Passphrase) -> Result<(), WalletError> {
    if first.expose() == second.expose() {
        Ok(())
    } else {
        Err(WalletError::PassphraseUnequal)
    }
}

/// The first line, without its end; what follows it is left unread.
fn first_line(mut reader: impl Read) -> Result<Passphrase, WalletError> {
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
    let mut byte = Zeroizing::new([0]);
    while line.last() != Some(&b'\n') {
        match reader.read(byte.as_mut()) {
            Ok(0) => break,
            Ok(_) if line.len() == line.capacity() => return Err(WalletError::PassphraseTooLong),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(WalletError::PassphraseRead(error)),
        }
    }
    Passphrase::from_bytes(without_line_end(&line))
}

/// Bytes without the one line end that an editor leaves, `\n` or `\r\n`.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.len() < bytes.len() {
        line.strip_suffix(b"\r").unwrap_or(line)
    } else {
        line
    }
}

#[cfg(test)]
mod tests;
