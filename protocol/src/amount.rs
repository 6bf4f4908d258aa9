//! Money: an unsigned 128-bit count of base units, 10^24 to one LODE.
//!
//! Arithmetic is checked: a sum that does not fit or a difference below zero is
//! `None`, never a wrapped number. Products go through 256 bits. In JSON an
//! amount is a decimal string of base units, because JSON numbers lose digits
//! above 2^53 in most readers.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use ethnum::U256;

use crate::text::{excerpt, is_whole_number};

/// Decimal places of one LODE.
pub const LODE_DECIMALS: u32 = 24;

/// Base units in one LODE.
pub const BASE_UNITS_PER_LODE: u128 = 10u128.pow(LODE_DECIMALS);

/// A quantity of base units; 10^24 of them are one LODE.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Amount(u128);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Something other than canonical digits (with at most one point, for LODE).
    #[error("'{0}' is not an amount: write decimal digits without sign, exponent or leading zeros")]
    Form(String),
    /// More places after the point than a base unit has.
    #[error("'{0}' has more than {LODE_DECIMALS} decimal places, which is finer than a base unit")]
    TooFine(String),
    /// The value does not fit into 128 bits.
    #[error("'{0}' is more than an amount can hold")]
    TooLarge(String),
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is.
    pub const MAX: Self = Self(u128::MAX);

    /// So many base units.
    pub const fn from_base_units(units: u128) -> Self {
        Self(units)
    }

    /// So many whole LODE; `None` above about 3.4 × 10^14.
    pub const fn from_lode(lode: u64) -> Option<Self> {
        match (lode as u128).checked_mul(BASE_UNITS_PER_LODE) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The number of base units.
    pub const fn base_units(self) -> u128 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` if it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The difference, or `None` if it would be below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// `self × factor`, or `None` if it does not fit.
    pub const fn checked_mul(self, factor: u128) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// `self × numerator / denominator`, rounded down, through 256 bits.
    ///
    /// `None` if the denominator is zero or the quotient does not fit.
    pub fn checked_ratio(self, numerator: u128, denominator: u128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let product = U256::from(self.0) * U256::from(numerator);
        let quotient = product / U256::from(denominator);
        u128::try_from(quotient).ok().map(Self)
    }

    /// The quotient and the remainder of a division into `parts`; `None` for zero parts.
    pub const fn checked_div_rem(self, parts: u128) -> Option<(Self, Self)> {
        if parts == 0 {
            return None;
        }
        Some((Self(self.0 / parts), Self(self.0 % parts)))
    }

    /// Reads a decimal number of LODE, such as `12.5`.
    ///
    /// # Errors
    /// [`AmountError`] for anything but digits with at most one point, for more
    /// than 24 places, and for a value that does not fit.
    pub fn parse_lode(text: &str) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if !is_whole_number(whole) || !is_digits(fraction) {
            return Err(AmountError::Form(excerpt(text)));
        }
        let places = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        if places > LODE_DECIMALS {
            return Err(AmountError::TooFine(excerpt(text)));
        }
        let too_large = || AmountError::TooLarge(excerpt(text));
        let whole: u128 = whole.parse().map_err(|_| too_large())?;
        let fraction: u128 = fraction.parse().map_err(|_| too_large())?;
        whole
            .checked_mul(BASE_UNITS_PER_LODE)
            .and_then(|units| units.checked_add(fraction * 10u128.pow(LODE_DECIMALS - places)))
            .map(Self)
            .ok_or_else(too_large)
    }

    /// The value in LODE, exact, without trailing zeros: `12.5`.
    pub fn to_lode_string(self) -> String {
        let whole = self.0 / BASE_UNITS_PER_LODE;
        let fraction = self.0 % BASE_UNITS_PER_LODE;
        if fraction == 0 {
            return whole.to_string();
        }
        let places = format!("{fraction:024}");
        format!("{whole}.{}", places.trim_end_matches('0'))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Amount {
    /// Base units in decimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads a canonical decimal number of base units.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        if !is_whole_number(text) {
            return Err(AmountError::Form(excerpt(text)));
        }
        text.parse()
            .map(Self)
            .map_err(|_| AmountError::TooLarge(excerpt(text)))
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = serde::Deserialize::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lode_and_base_units_are_read_and_written_exactly() {
        for (text, units) in [
            ("0", 0),
            ("1", BASE_UNITS_PER_LODE),
            ("12.5", 12_500_000_000_000_000_000_000_000),
            ("0.000000000000000000000001", 1),
            ("340282366920938.463463374607431768211455", u128::MAX),
        ] {
            let amount = Amount::parse_lode(text).expect("a valid amount");
            assert_eq!(amount.base_units(), units, "{text}");
            assert_eq!(amount.to_lode_string(), text);
            assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }

    #[test]
    fn loose_spellings_are_refused() {
        for text in [
            "", " 1", "+1", "-1", "01", "1e3", "1.", ".5", "1_000", "0x1", "１",
        ] {
            assert!(
                matches!(Amount::parse_lode(text), Err(AmountError::Form(_))),
                "{text}"
            );
        }
        assert!(matches!(
            Amount::parse_lode("0.0000000000000000000000001"),
            Err(AmountError::TooFine(_))
        ));
        assert!(matches!(
            "340282366920938463463374607431768211456".parse::<Amount>(),
            Err(AmountError::TooLarge(_))
        ));
        assert!(matches!("007".parse::<Amount>(), Err(AmountError::Form(_))));
    }

    #[test]
    fn a_ratio_goes_through_256_bits() {
        let all = Amount::MAX;
        assert_eq!(all.checked_ratio(u128::MAX, u128::MAX), Some(all));
        assert_eq!(all.checked_ratio(2, 1), None);
        assert_eq!(all.checked_ratio(1, 0), None);
        assert_eq!(
            Amount::from_base_units(10).checked_ratio(2, 3),
            Some(Amount::from_base_units(6))
        );
    }

    proptest! {
        #[test]
        fn every_amount_survives_both_texts(units: u128) {
            let amount = Amount::from_base_units(units);
            prop_assert_eq!(Amount::parse_lode(&amount.to_lode_string()), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(json.clone(), format!("\"{units}\""));
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }
    }
}
