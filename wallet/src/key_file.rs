//! Key files: recovery words, encrypted with a passphrase in the age format.
//!
//! ```text
//! NAME        an age file (age-encryption.org/v1), ASCII armor, one scrypt
//!             recipient; the public `age` tool opens it with `age -d`
//! NAME.pub    {"address":"…","public":"…"} and a line feed: one line of JSON
//! ```
//!
//! What the passphrase encrypts is text, so that a person can read it:
//!
//! ```text
//! # The key of a Lode account. Whoever has these words has the account.
//! # address     43 characters
//! # public key  43 characters
//! lode-key/1
//! 24 words with single spaces between them
//! ```
//!
//! Lines that begin with `#` are remarks and are not read. Binary age files are
//! read too; armor is what is written.
//!
//! Invariants: a key file is complete or not there, readable by its owner
//! alone, and replaced only when that is asked for. `NAME.pub` is a convenience:
//! unlocking derives the public key anew and refuses a `.pub` that says
//! otherwise. Not more than [`KEY_FILE_BYTES_MAX`] bytes are read, and no file
//! makes this program work harder than [`WORK_FACTOR_MAX`].

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::iter;
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, EncryptError, Encryptor, scrypt};
use protocol::Address;
use protocol::json;
use protocol::keys::PublicKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{KeyFileFlaw, WalletError};
use crate::files::{self, Readers};
use crate::passphrase::Passphrase;
use crate::words::RecoveryWords;

/// Most bytes of a key file. One that is written here has about 800.
pub const KEY_FILE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a `.pub` file. One that is written here has 113.
pub const PUBLIC_FILE_BYTES_MAX: usize = 1024;
/// The scrypt work factor (log2 of N) of new key files, as the `age` tool has
/// it: 256 MiB of memory and about a second.
pub const WORK_FACTOR: u8 = 18;
/// The work factor for demos and tests, whose keys guard nothing: no delay.
pub const WORK_FACTOR_DEMO: u8 = 4;
/// The highest work factor that is written or read: 1 GiB of memory.
pub const WORK_FACTOR_MAX: u8 = 20;

/// The line that opens the encrypted text.
const FORMAT: &str = "lode-key/1";
const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const BINARY_BEGIN: &[u8] = b"age-encryption.org/";

/// How a key file is written. The default is right for keys of value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The scrypt work factor, 1 to [`WORK_FACTOR_MAX`]; [`WORK_FACTOR`] where absent.
    pub work_factor: Option<u8>,
    /// Whether an existing key file is replaced.
    pub replace: bool,
}

/// Writes a key file and its `.pub`; gives the public key.
///
/// # Errors
///
/// Either file exists and [`WriteOptions::replace`] is not set, the passphrase
/// is empty, the work factor is out of range, or writing fails.
pub fn write(
    path: &Path,
    words: &RecoveryWords,
    passphrase: &Passphrase,
    options: WriteOptions,
) -> Result<PublicKey, WalletError> {
    let beside = public_path(path);
    if options.replace {
        // The old public half goes first: a crash must not leave it beside the new key.
        files::remove(&beside)?;
    } else {
        for path in [path, &beside] {
            // A link to nothing counts as a file here.
            if path.symlink_metadata().is_ok() {
                return Err(WalletError::Exists {
                    path: path.to_owned(),
                });
            }
        }
    }
    let text = encrypt(words, passphrase, options.work_factor)?;
    files::write_whole(path, text.as_bytes(), Readers::Owner, options.replace)?;
    let public = words.secret_key().public();
    write_public(path, &public)?;
    Ok(public)
}

/// Opens a key file, and checks the `.pub` beside it if there is one.
///
/// # Errors
///
/// The file is missing or not a key file, the passphrase does not open it, or
/// the `.pub` beside it is broken or another key's.
pub fn unlock(path: &Path, passphrase: &Passphrase) -> Result<RecoveryWords, WalletError> {
    let fail = |flaw| WalletError::KeyFile {
        path: path.to_owned(),
        flaw,
    };
    let metadata = path
        .metadata()
        .map_err(|error| WalletError::io("reading", path, error))?;
    if !metadata.is_file() {
        // Opening a pipe would wait for someone to write into it.
        return Err(fail(KeyFileFlaw::NotAge));
    }
    let bytes =
        files::read_limited(path, KEY_FILE_BYTES_MAX)?.ok_or_else(|| fail(KeyFileFlaw::TooLong))?;
    let words = decrypt(&bytes, passphrase).map_err(fail)?;

    let held = words.secret_key().public();
    match read_public(path) {
        Ok(said) if said != held => Err(WalletError::PublicMismatch {
            path: public_path(path),
            said: Box::new(said),
            held: Box::new(held),
        }),
        Ok(_) | Err(WalletError::PublicMissing { .. }) => Ok(words),
        Err(error) => Err(error),
    }
}

/// The text of a key file: armored, and ended by a line feed.
///
/// # Errors
///
/// The passphrase is empty, or the work factor is 0 or above [`WORK_FACTOR_MAX`].
pub fn encrypt(
    words: &RecoveryWords,
    passphrase: &Passphrase,
    work_factor: Option<u8>,
) -> Result<String, WalletError> {
    let work_factor = work_factor.unwrap_or(WORK_FACTOR);
    if !(1..=WORK_FACTOR_MAX).contains(&work_factor) {
        return Err(WalletError::WorkFactor(work_factor));
    }
    if passphrase.is_empty() {
        return Err(WalletError::PassphraseEmpty);
    }
    let mut recipient = scrypt::Recipient::new(secret(passphrase));
    recipient.set_work_factor(work_factor);
    let armored = seal(&recipient, plaintext(words).as_bytes())
        .expect("one scrypt recipient, and memory takes every write");
    Ok(String::from_utf8(armored).expect("armor is ASCII"))
}

/// The words in the bytes of a key file.
///
/// # Errors
///
/// Everything that can be wrong with them; nothing panics, whatever they are.
pub fn decrypt(bytes: &[u8], passphrase: &Passphrase) -> Result<RecoveryWords, KeyFileFlaw> {
    if bytes.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileFlaw::TooLong);
    }
    if !bytes.starts_with(ARMOR_BEGIN) && !bytes.starts_with(BINARY_BEGIN) {
        return Err(KeyFileFlaw::NotAge);
    }
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(|_| KeyFileFlaw::Damaged)?;
    if !decryptor.is_scrypt() {
        return Err(KeyFileFlaw::NoPassphrase);
    }
    let mut identity = scrypt::Identity::new(secret(passphrase));
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let reader = decryptor
        .decrypt(iter::once(&identity as &dyn age::Identity))
        .map_err(|error| match error {
            DecryptError::ExcessiveWork { required, .. } => KeyFileFlaw::WorkFactor(required),
            DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed
            | DecryptError::NoMatchingKeys => KeyFileFlaw::WrongPassphrase,
            _ => KeyFileFlaw::Damaged,
        })?;
    let plain = files::read_all(reader, KEY_FILE_BYTES_MAX)
        .map_err(|_| KeyFileFlaw::Damaged)?
        .ok_or(KeyFileFlaw::Damaged)?;
    parse(&plain)
}

/// Where the public half of a key file is: `NAME.pub` beside `NAME`.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".pub");
    PathBuf::from(name)
}

/// The public key beside a key file, without a passphrase. Nothing vouches for
/// it but the folder it is in; unlocking checks it.
///
/// # Errors
///
/// There is none, or it is not as [`write_public`] writes it.
pub fn read_public(path: &Path) -> Result<PublicKey, WalletError> {
    let path = public_path(path);
    let bytes = match files::read_limited(&path, PUBLIC_FILE_BYTES_MAX) {
        Err(WalletError::NotFound { path }) => return Err(WalletError::PublicMissing { path }),
        read => read?,
    };
    let half: Option<PublicHalf> =
        bytes.and_then(|bytes| json::from_slice(&bytes, PUBLIC_FILE_BYTES_MAX).ok());
    match half {
        Some(half) if half.public.address() == half.address => Ok(half.public),
        _ => Err(WalletError::PublicBroken { path }),
    }
}

/// Writes the public half beside a key file, for everyone to read.
///
/// # Errors
///
/// There is one already, or writing fails.
pub fn write_public(path: &Path, public: &PublicKey) -> Result<(), WalletError> {
    let half = PublicHalf {
        address: public.address(),
        public: *public,
    };
    let mut line = json::to_vec(&half);
    line.push(b'\n');
    files::write_whole(&public_path(path), &line, Readers::Everyone, false)
}

/// What `NAME.pub` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicHalf {
    address: Address,
    public: PublicKey,
}

fn secret(passphrase: &Passphrase) -> SecretString {
    SecretString::from(passphrase.expose().to_owned())
}

fn seal(recipient: &scrypt::Recipient, plain: &[u8]) -> Result<Vec<u8>, EncryptError> {
    let encryptor = Encryptor::with_recipients(iter::once(recipient as &dyn age::Recipient))?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(plain)?;
    Ok(writer.finish()?.finish()?)
}

/// The text that is encrypted.
fn plaintext(words: &RecoveryWords) -> Zeroizing<String> {
    let public = words.secret_key().public();
    // Room for all of it, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(1024));
    write!(
        text,
        "# The key of a Lode account. Whoever has these words has the account.\n\
         # address     {}\n\
         # public key  {public}\n\
         {FORMAT}\n{}\n",
        public.address(),
        words.phrase().as_str()
    )
    .expect("a string takes every write");
    text
}

fn parse(plain: &[u8]) -> Result<RecoveryWords, KeyFileFlaw> {
    let text = std::str::from_utf8(plain).map_err(|_| KeyFileFlaw::Content)?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    match (lines.next(), lines.next(), lines.next()) {
        (Some(FORMAT), Some(words), None) => {
            RecoveryWords::parse(words).map_err(KeyFileFlaw::Words)
        }
        _ => Err(KeyFileFlaw::Content),
    }
}

#[cfg(test)]
mod tests;
