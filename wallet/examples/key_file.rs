//! Writes a key file with a new key, and prints its public half.
//!
//!     key_file PATH PASSPHRASE_SOURCE [--low-work-factor]
//!
//! PASSPHRASE_SOURCE is prompt, stdin, file:PATH or env:NAME.

use std::path::Path;
use std::process::ExitCode;

use wallet::key_file::{self, WORK_FACTOR_DEMO, WriteOptions};
use wallet::{PassphraseSource, RecoveryWords, WalletError};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let written = match arguments.as_slice() {
        [path, source] => write(path, source, None),
        [path, source, "--low-work-factor"] => write(path, source, Some(WORK_FACTOR_DEMO)),
        _ => {
            eprintln!("usage: key_file PATH PASSPHRASE_SOURCE [--low-work-factor]");
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}; {}", error.next_step());
            ExitCode::FAILURE
        }
    }
}

fn write(path: &str, source: &str, work_factor: Option<u8>) -> Result<(), WalletError> {
    let source: PassphraseSource = source.parse()?;
    let passphrase = source.read_new(path)?;
    let options = WriteOptions {
        work_factor,
        replace: false,
    };
    let words = RecoveryWords::generate()?;
    let public = key_file::write(Path::new(path), &words, &passphrase, options)?;
    println!("address {}\npublic {public}", public.address());
    Ok(())
}
