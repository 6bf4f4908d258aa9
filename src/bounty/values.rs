//! The values of a bounty's file: amounts, scores, parts, durations. All are
//! exact: nothing goes through a binary fraction.

use std::path::PathBuf;

use protocol::Amount;
use protocol::amount::AmountError;
use protocol::benchmark::Metric;
use protocol::record::{Pay, SHARES_PER_ASSET};
use protocol::text::{is_whole_number, whole_number};

/// A folder that was filled in.
pub fn folder(text: &str) -> Result<PathBuf, &'static str> {
    match text {
        "" | "FOLDER" => Err("no folder is named yet"),
        text => Ok(PathBuf::from(text)),
    }
}

/// A metric by its name.
pub fn metric(text: &str) -> Result<Metric, &'static str> {
    let named = |metric: &Metric| metric.name() == text;
    let found = Metric::ALL.into_iter().find(named);
    found.ok_or("there is no such metric")
}

/// What a model does, before it is known of how many classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    Classification,
    Regression,
}

/// A task by its name.
pub fn task(text: &str) -> Result<TaskKind, &'static str> {
    match text {
        "classification" => Ok(TaskKind::Classification),
        "regression" => Ok(TaskKind::Regression),
        _ => Err("there is no such task"),
    }
}

/// A way to pay by its name.
pub fn pay(text: &str) -> Result<Pay, &'static str> {
    let all = [Pay::WinnerTakesAll, Pay::Steps];
    let found = all.into_iter().find(|pay| pay.name() == text);
    found.ok_or("there is no such way to pay")
}

/// A whole number of 64 bits, or of 32, in its one spelling.
pub fn number<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let whole: Option<u64> = whole_number(text);
    let whole = whole.ok_or(
        "not a whole number from 0 to 18446744073709551615, in digits and without zeros before it",
    )?;
    T::try_from(whole).map_err(|_| "more than 4294967295, which is the most here")
}

/// An amount of LODE.
pub fn lode(text: &str) -> Result<Amount, &'static str> {
    // Whoever reads it has the text before it already.
    Amount::parse_lode(text).map_err(|error| match error {
        AmountError::Form(_) => "not a decimal number without sign and exponent",
        AmountError::TooFine(_) => "finer than a base unit, which has 24 places",
        AmountError::TooLarge(_) => "more than an amount can hold",
    })
}

/// A decimal with at most nine places, in billionths.
pub fn score(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let billionths = decimal(digits, 9)
        .ok_or("not a decimal number with at most 9 places, without zeros before it")?;
    let billionths = i64::try_from(billionths).map_err(|_| "too large")?;
    Ok(if negative { -billionths } else { billionths })
}

/// A percentage with at most four places, in shares of a million.
pub fn shares(text: &str) -> Result<u32, &'static str> {
    let number = text
        .strip_suffix('%')
        .ok_or("the percent sign is missing")?;
    let shares = decimal(number, 4).ok_or(
        "not a percentage with at most 4 places, without spaces and without zeros before it",
    )?;
    let shares = u32::try_from(shares).ok();
    shares
        .filter(|&shares| shares <= SHARES_PER_ASSET)
        .ok_or("more than 100%")
}

/// A plain decimal number times 10^places; `None` if it is none, or too fine or large.
fn decimal(text: &str, places: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = u32::try_from(fraction.len()).ok()?;
    if !digits(whole) || !digits(fraction) || length > places {
        return None;
    }
    let whole: u64 = whole_number(whole)?;
    let fraction: u64 = fraction.parse().ok()?;
    let whole = whole.checked_mul(10u64.pow(places))?;
    whole.checked_add(fraction * 10u64.pow(places - length))
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration such as `2d`, `1d 12h` or `30s`, in milliseconds: the larger units first, each once.
pub fn duration_ms(text: &str) -> Result<u64, &'static str> {
    let mut sum_ms: u64 = 0;
    let mut units = UNITS.iter();
    let mut parts = 0;
    for part in text.split_whitespace() {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = part.split_at(digits);
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err("a duration is a number and d, h, m, s or ms");
        }
        let (_, unit_ms) = units
            .find(|(name, _)| *name == unit)
            .ok_or("the larger units come first, each once, as in '1d 12h'")?;
        if number.is_empty() {
            return Err("the number is missing");
        }
        if !is_whole_number(number) {
            return Err("a zero stands before the number");
        }
        let number: u64 = number.parse().map_err(|_| "too long")?;
        sum_ms = number
            .checked_mul(*unit_ms)
            .and_then(|part_ms| sum_ms.checked_add(part_ms))
            .ok_or("too long")?;
        parts += 1;
    }
    match parts {
        0 => Err("a duration is a number and d, h, m, s or ms"),
        _ => Ok(sum_ms),
    }
}

/// The shortest text of a duration that [`duration_ms`] reads back.
pub fn duration_text(duration_ms: u64) -> String {
    let mut rest_ms = duration_ms;
    let mut parts = Vec::new();
    for (name, unit_ms) in UNITS {
        if rest_ms >= unit_ms {
            parts.push(format!("{}{name}", rest_ms / unit_ms));
            rest_ms %= unit_ms;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms) in [
            ("2d", 172_800_000),
            ("6h", 21_600_000),
            ("30s", 30_000),
            ("1d 12h", 129_600_000),
            ("1m 1ms", 60_001),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
            assert_eq!(duration_text(ms), text);
        }
        for text in [
            "",
            "d",
            "5",
            "5 d",
            "1.5h",
            "-1s",
            "2w",
            "1s 1s",
            "12h 1d",
            "01h",
            "99999999999999999d",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        assert_eq!(duration_ms("d"), Err("the number is missing"));
        assert_eq!(duration_ms("99999999999999999999d"), Err("too long"));
        assert_eq!(duration_ms("99999999999999999d"), Err("too long"));
    }

    #[test]
    fn whole_numbers_have_a_range() {
        assert_eq!(number::<u32>("4294967295"), Ok(u32::MAX));
        assert_eq!(number::<u64>("4294967296"), Ok(1 << 32));
        assert!(number::<u32>("4294967296").is_err_and(|why| why.contains("4294967295")));
        for text in ["", "-1", "+1", "01", "1.5", "18446744073709551616"] {
            assert!(number::<u64>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn scores_and_shares_are_exact() {
        assert_eq!(score("0.9"), Ok(900_000_000));
        assert_eq!(score("-0.35"), Ok(-350_000_000));
        assert_eq!(score("1"), Ok(1_000_000_000));
        assert!(score("0.1234567891").is_err());
        assert!(score("1e-3").is_err());
        assert_eq!(shares("60%"), Ok(600_000));
        assert_eq!(shares("33.3333%"), Ok(333_333));
        for text in ["60", "101%", "-1%", "1.00001%", "%", "60 %", "060%"] {
            assert!(shares(text).is_err(), "{text}");
        }
    }
}
