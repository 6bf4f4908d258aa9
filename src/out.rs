//! stdout, where data goes: a reader that has seen enough is no error, a full disk is one.

use std::io::{self, Write};
use std::path::Path;

use crate::failure::Failure;

/// Prints a line.
///
/// # Errors
/// If stdout cannot be written. A reader that has gone, as in `lode … | head -1`,
/// is no failure; the rest of what would be printed is dropped.
pub fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints bytes as they are; otherwise as [`line()`].
///
/// # Errors
/// As [`line()`].
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Path::new("stdout"), &error))
        }
        _ => Ok(()),
    }
}
