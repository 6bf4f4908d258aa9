//! An amount of LODE as somebody writes it.

use protocol::Amount;

use crate::failure::{Exit, Failure};

/// An amount of LODE from the command line.
///
/// # Errors
/// It is none.
pub fn amount(text: &str) -> Result<Amount, Failure> {
    Amount::parse_lode(text).map_err(|error| {
        let next = "write LODE with at most 24 decimals, as 12 or 0.5";
        Failure::new("amount", format_args!("'{text:.60}': {error}"), next).exit(Exit::Usage)
    })
}
