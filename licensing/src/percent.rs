//! Percentages as integers: a count of billionths of one percent.
//!
//! Text form: decimal, above 0, at most 100, at most 9 places, no sign, no
//! exponent, no leading or trailing zeros; the percent sign is part of it:
//! `5%`, `0.25%`, `100%`. One percentage has one text.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::Amount;
use protocol::text::excerpt;

/// Decimal places that a percentage may have (RULES.md).
pub const PERCENT_DECIMALS: u32 = 9;

/// Billionths of a percent in one percent.
const BILLIONTHS: u64 = 10u64.pow(PERCENT_DECIMALS);

/// Longest text of a percentage: `99.999999999%`.
const TEXT_BYTES_MAX: usize = 13;

/// A part of a whole: above 0 %, at most 100 %, exact to a billionth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Percent(u64);

/// Why a text or a number is not a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// Not the canonical text.
    #[error(
        "'{0}' is not a percentage: write decimal digits and a percent sign, without sign, \
         exponent, leading or trailing zeros, such as 5% or 0.25%"
    )]
    Form(String),
    /// More than nine places.
    #[error("'{0}' has more than {PERCENT_DECIMALS} decimal places")]
    TooFine(String),
    /// Zero, or more than 100.
    #[error("'{0}' is out of range: a percentage is above 0% and at most 100%")]
    Range(String),
}

impl PercentError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "percent_form",
            Self::TooFine(_) => "percent_too_fine",
            Self::Range(_) => "percent_range",
        }
    }
}

impl Percent {
    /// The whole.
    pub const HUNDRED: Self = Self(100 * BILLIONTHS);

    /// So many billionths of a percent; `None` for zero and above 10^11 (100 %).
    pub const fn from_billionths(billionths: u64) -> Option<Self> {
        if billionths == 0 || billionths > Self::HUNDRED.0 {
            return None;
        }
        Some(Self(billionths))
    }

    /// So many whole percent; `None` for zero and above 100.
    pub const fn from_whole(percent: u8) -> Option<Self> {
        Self::from_billionths(percent as u64 * BILLIONTHS)
    }

    /// The count of billionths of a percent, 1 to 10^11.
    pub const fn billionths(self) -> u64 {
        self.0
    }

    /// This part of an amount, rounded down to a base unit.
    pub fn of(self, amount: Amount) -> Amount {
        amount
            .checked_ratio(u128::from(self.0), u128::from(Self::HUNDRED.0))
            .expect("a part of at most the whole fits where the whole does")
    }
}

/// Billionths of a percent as text; also for sums above 100 %.
pub fn billionths_text(billionths: u64) -> String {
    let (whole, fraction) = (billionths / BILLIONTHS, billionths % BILLIONTHS);
    if fraction == 0 {
        return format!("{whole}%");
    }
    let places = format!("{fraction:09}");
    format!("{whole}.{}%", places.trim_end_matches('0'))
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&billionths_text(self.0))
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    /// Reads the canonical text, such as `2.5%`.
    fn from_str(text: &str) -> Result<Self, PercentError> {
        let shown = || excerpt(text);
        let form = || PercentError::Form(shown());
        let number = text.strip_suffix('%').ok_or_else(form)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(form());
        }
        if fraction.len() > PERCENT_DECIMALS as usize {
            return Err(PercentError::TooFine(shown()));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(PercentError::Range(shown()));
        }
        // At most nine digits and a bounded whole part: neither parse can fail or overflow.
        let whole: u64 = whole.parse().map_err(|_| form())?;
        let places: u64 = format!("{fraction:0<9}").parse().map_err(|_| form())?;
        let billionths = whole
            .checked_mul(BILLIONTHS)
            .and_then(|billionths| billionths.checked_add(places))
            .ok_or_else(|| PercentError::Range(shown()))?;
        let percent =
            Self::from_billionths(billionths).ok_or_else(|| PercentError::Range(shown()))?;
        if percent.to_string() != text {
            return Err(form());
        }
        Ok(percent)
    }
}

impl serde::Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&billionths_text(self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = serde::Deserialize::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl BorshDeserialize for Percent {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let billionths = u64::deserialize_reader(reader)?;
        Self::from_billionths(billionths).ok_or_else(|| {
            let error = PercentError::Range(billionths_text(billionths));
            std::io::Error::new(std::io::ErrorKind::InvalidData, error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentage_has_one_text() {
        for (text, billionths) in [
            ("5%", 5_000_000_000),
            ("0.25%", 250_000_000),
            ("0.000000001%", 1),
            ("99.999999999%", 99_999_999_999),
            ("100%", 100_000_000_000),
        ] {
            let percent: Percent = text.parse().expect("a valid percentage");
            assert_eq!(percent.billionths(), billionths);
            assert_eq!(percent.to_string(), text);
        }
    }

    #[test]
    fn loose_percentages_are_refused_with_their_code() {
        for (text, code) in [
            ("", "percent_form"),
            ("%", "percent_form"),
            ("5", "percent_form"),
            ("5 %", "percent_form"),
            ("+5%", "percent_form"),
            ("-5%", "percent_form"),
            ("05%", "percent_form"),
            ("5.0%", "percent_form"),
            ("5.%", "percent_form"),
            (".5%", "percent_form"),
            ("5e0%", "percent_form"),
            ("5%%", "percent_form"),
            ("5,5%", "percent_form"),
            ("٥%", "percent_form"),
            ("1.abcdefghijkl%", "percent_form"),
            ("0.0000000001%", "percent_too_fine"),
            ("0%", "percent_range"),
            ("100.000000001%", "percent_range"),
            ("101%", "percent_range"),
            ("99999999999999999999999%", "percent_range"),
        ] {
            let error = text.parse::<Percent>().expect_err(text);
            assert_eq!(error.code(), code, "{text}: {error}");
        }
    }

    #[test]
    fn a_part_of_an_amount_is_rounded_down() {
        let third: Percent = "33.333333333%".parse().expect("a valid percentage");
        for (units, part) in [(0, 0), (1, 0), (3, 0), (4, 1), (100, 33)] {
            let part = Amount::from_base_units(part);
            assert_eq!(third.of(Amount::from_base_units(units)), part, "{units}");
        }
        assert_eq!(Percent::HUNDRED.of(Amount::MAX), Amount::MAX);
        assert_eq!(Percent::from_whole(0), None);
        assert_eq!(Percent::from_whole(101), None);
        assert_eq!(Percent::from_whole(100), Some(Percent::HUNDRED));
    }

    #[test]
    fn a_percentage_out_of_range_is_not_read_from_state() {
        for billionths in [0u64, Percent::HUNDRED.0 + 1, u64::MAX] {
            let bytes = borsh::to_vec(&billionths).expect("a number encodes");
            assert!(borsh::from_slice::<Percent>(&bytes).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_percentage_reads_back(billionths in 1..=Percent::HUNDRED.0, units: u128) {
            let percent = Percent::from_billionths(billionths).expect("within range");
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
            let amount = Amount::from_base_units(units);
            prop_assert!(percent.of(amount) <= amount);
        }

        #[test]
        fn no_text_panics(text: String, digits in "[0-9.%]{0,20}") {
            for text in [text, digits] {
                if let Ok(percent) = text.parse::<Percent>() {
                    prop_assert_eq!(percent.to_string(), text);
                }
            }
        }
    }
}
