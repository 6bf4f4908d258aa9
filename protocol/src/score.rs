//! Scores: signed integers in billionths, higher is better.
//!
//! A metric becomes a score by exactly one rounding, half to even: a ratio of
//! counts from its integers, a double from its exact binary value.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Billionths in one.
pub const BILLION: i64 = 1_000_000_000;

/// A score in billionths; higher is better, an error metric is negated.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(transparent)]
pub struct Score(pub i64);

impl Score {
    /// `count / total` in billionths, rounded half to even once.
    ///
    /// `None` if the total is zero or the count is above it.
    pub fn from_ratio(count: u64, total: u64) -> Option<Self> {
        if total == 0 || count > total {
            return None;
        }
        let scaled = u128::from(count) * BILLION as u128;
        let total = u128::from(total);
        let (quotient, remainder) = (scaled / total, scaled % total);
        let rounded = round_half_even(quotient, remainder.cmp(&(total - remainder)));
        i64::try_from(rounded).ok().map(Self)
    }

    /// The exact value of a double in billionths, rounded half to even once.
    ///
    /// `None` for a NaN, an infinity, and what does not fit (above about 9.2 × 10^9).
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let exponent_field = ((bits >> 52) & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1);
        // value = mantissa × 2^exponent, exactly.
        let (mantissa, exponent) = match exponent_field {
            0 => (fraction, -1074),
            field => (fraction | (1 << 52), field - 1075),
        };
        // 53 bits times 30 bits: at most 83.
        let scaled = u128::from(mantissa) * BILLION as u128;
        let magnitude = if exponent >= 0 {
            if exponent > 44 && scaled != 0 {
                return None;
            }
            scaled.checked_shl(exponent as u32)?
        } else {
            let shift = exponent.unsigned_abs();
            if shift > 84 {
                // Below a half of one billionth.
                0
            } else {
                let remainder = scaled & ((1u128 << shift) - 1);
                round_half_even(scaled >> shift, remainder.cmp(&(1u128 << (shift - 1))))
            }
        };
        let magnitude = i64::try_from(magnitude).ok()?;
        Some(Self(if value.is_sign_negative() {
            -magnitude
        } else {
            magnitude
        }))
    }

    /// The same, and for a number that does not fit the highest or the lowest score there is, which are each other's
    /// negation; `None` for a NaN.
    pub fn saturating_from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        let end = Self(if value.is_sign_negative() {
            -i64::MAX
        } else {
            i64::MAX
        });
        Some(Self::from_f64(value).unwrap_or(end))
    }

    /// Whether a newcomer with this score beats `best` by more than `margin` billionths.
    pub fn beats(self, best: Self, margin: u64) -> bool {
        i128::from(self.0) - i128::from(best.0) > i128::from(margin)
    }
}

fn round_half_even(quotient: u128, remainder_to_half: std::cmp::Ordering) -> u128 {
    match remainder_to_half {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}

impl fmt::Display for Score {
    /// As a decimal with nine places: `0.986111111`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let billion = BILLION as u64;
        f.pad(&format!(
            "{sign}{}.{:09}",
            magnitude / billion,
            magnitude % billion
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ratio_is_rounded_half_to_even_once() {
        for (count, total, billionths) in [
            (0, 1, 0),
            (1, 1, BILLION),
            (1, 3, 333_333_333),
            (2, 3, 666_666_667),
            (1, 2_000_000_000, 0),
            (3, 2_000_000_000, 2),
            (355, 360, 986_111_111),
        ] {
            assert_eq!(
                Score::from_ratio(count, total),
                Some(Score(billionths)),
                "{count}/{total}"
            );
        }
        assert_eq!(Score::from_ratio(1, 0), None);
        assert_eq!(Score::from_ratio(2, 1), None);
    }

    /// 2^-10: in billionths 976,562.5.
    const EXACT_HALF: f64 = 1.0 / 1024.0;

    #[test]
    fn a_double_is_rounded_from_its_exact_value() {
        for (value, billionths) in [
            (0.0, 0),
            (-0.0, 0),
            (1.0, BILLION),
            (-0.5, -BILLION / 2),
            (0.1, 100_000_000),
            (5e-10, 1),  // the double lies a little above the half
            (2.5e-9, 3), // likewise
            (f64::MIN_POSITIVE, 0),
            (5e-324, 0),
            (9.2e9, 9_200_000_000 * BILLION),
        ] {
            assert_eq!(Score::from_f64(value), Some(Score(billionths)), "{value:e}");
        }
        // 2^-10 × 10^9 = 976562.5: an exact half goes to the even neighbour.
        assert_eq!(Score::from_f64(EXACT_HALF), Some(Score(976_562)));
        assert_eq!(Score::from_f64(3.0 * EXACT_HALF), Some(Score(2_929_688)));
        for value in [f64::NAN, f64::INFINITY, f64::MAX, 1e10, -1e10] {
            assert_eq!(Score::from_f64(value), None, "{value:e}");
        }
    }

    #[test]
    fn what_does_not_fit_is_the_highest_or_the_lowest() {
        let saturating = |value| Score::saturating_from_f64(value).map(|score| score.0);
        assert_eq!(saturating(-0.5), Some(-500_000_000));
        assert_eq!(saturating(9.3e9), Some(i64::MAX));
        assert_eq!(saturating(-9.3e9), Some(-i64::MAX));
        assert_eq!(saturating(f64::NEG_INFINITY), Some(-i64::MAX));
        assert_eq!(saturating(f64::NAN), None);
    }

    #[test]
    fn only_more_than_the_margin_is_better() {
        assert!(!Score(12).beats(Score(10), 2));
        assert!(Score(13).beats(Score(10), 2));
        assert!(Score(i64::MAX).beats(Score(i64::MIN), u64::MAX - 1));
    }

    proptest! {
        #[test]
        fn rounding_is_within_half_a_billionth_and_ties_go_to_even(
            value in prop_oneof![
                -2.0..2.0f64,
                -9e9..9e9f64,
                -1e-7..1e-7f64,
                // Many of these are ties.
                (-4_096..4_096i32).prop_map(|count| f64::from(count) / 1_024.0),
            ],
        ) {
            let score = Score::from_f64(value).unwrap();
            // value = mantissa ÷ 2^places, exactly.
            let bits = value.to_bits();
            let exponent = (bits >> 52 & 0x7ff) as u32;
            let places = 1_075 - exponent;
            if places > 92 {
                prop_assert_eq!(score, Score(0));
                return Ok(());
            }
            let mantissa = i128::from(bits & ((1 << 52) - 1) | 1 << 52);
            let mantissa = if value < 0.0 { -mantissa } else { mantissa };
            let off = mantissa * i128::from(BILLION) - (i128::from(score.0) << places);
            let twice = 2 * off.abs();
            prop_assert!(twice <= 1 << places, "{} is off by {}", score.0, off);
            prop_assert!(twice < 1 << places || score.0 % 2 == 0, "a tie, to {}", score.0);
        }
    }
}
