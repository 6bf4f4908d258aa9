//! What a misspelt tag most likely means, so that a refusal can say it.
//!
//! Suggestions only: nothing here ever grants anything.

use protocol::Amount;

use crate::Percent;
use crate::terms::{CURRENCY, LICENSE_ID, name};

/// Characters of a name or value that are compared; what is longer is no misspelling.
const COMPARED_CHARS_MAX: usize = 64;

/// The names that make terms, in canonical order.
pub(crate) const NAMES: [&str; 10] = [
    name::LICENSE,
    name::ACCESS_FEE,
    name::DERIVATION,
    name::COMMERCIAL_USE,
    name::DATA_MODEL_TRAINING,
    name::UNKNOWN_USAGE_RIGHTS,
    name::EXPIRY,
    name::CURRENCY,
    name::PAYMENT_ADDRESS,
    name::PAYMENT_MODE,
];

/// Words one letter away from a name that other records use in earnest.
const OTHER_WORDS: [&str; 1] = ["licensee"];

/// Ways to say "no": the licence says it by leaving the tag out.
const NEGATIONS: [&str; 7] = [
    "disallowed",
    "notallowed",
    "none",
    "no",
    "false",
    "forbidden",
    "denied",
];

/// Keys (letters of a spelling met in the wild) and the spelling to write.
/// `#` stands for an amount, `%` for a percentage with its sign.
const FORMS: [(&str, &[(&str, &str)]); 9] = [
    (name::LICENSE, &[("", LICENSE_ID)]),
    (name::ACCESS_FEE, &[("onetime", "One-Time-#")]),
    (
        name::DERIVATION,
        &[
            ("allowed", "Allowed"),
            ("allowedwithcredit", "Allowed-With-Credit"),
            ("allowedwithindication", "Allowed-With-Indication"),
            (
                "allowedwithlicensepassthrough",
                "Allowed-With-License-Passthrough",
            ),
            ("allowedwithrevenueshare", "Allowed-With-RevenueShare-%"),
            ("allowedwithfeeonetime", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithonetimefee", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithfeemonthly", "Allowed-With-Fee-Monthly-#"),
            ("allowedwithmonthlyfee", "Allowed-With-Fee-Monthly-#"),
        ],
    ),
    (
        name::COMMERCIAL_USE,
        &[
            ("allowed", "Allowed"),
            ("allowedwithcredit", "Allowed-With-Credit"),
            ("allowedwithrevenueshare", "Allowed-With-RevenueShare-%"),
            ("allowedwithfeeonetime", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithonetimefee", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithfeemonthly", "Allowed-With-Fee-Monthly-#"),
            ("allowedwithmonthlyfee", "Allowed-With-Fee-Monthly-#"),
        ],
    ),
    (
        name::DATA_MODEL_TRAINING,
        &[
            ("allowed", "Allowed"),
            ("allowedwithfeeonetime", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithonetimefee", "Allowed-With-Fee-One-Time-#"),
            ("allowedwithfeemonthly", "Allowed-With-Fee-Monthly-#"),
            ("allowedwithmonthlyfee", "Allowed-With-Fee-Monthly-#"),
        ],
    ),
    (name::UNKNOWN_USAGE_RIGHTS, &[("excluded", "Excluded")]),
    (
        name::EXPIRY,
        &[("", "a whole number of years above 0, such as 5")],
    ),
    (name::CURRENCY, &[("lode", CURRENCY)]),
    (
        name::PAYMENT_MODE,
        &[
            ("globaldistribution", "Global-Distribution"),
            ("global", "Global-Distribution"),
            ("randomdistribution", "Random-Distribution"),
            ("random", "Random-Distribution"),
        ],
    ),
];

/// The letters of a text, in lower case, at most one more than are compared.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    letters
        .flat_map(char::to_lowercase)
        .take(COMPARED_CHARS_MAX + 1)
        .collect()
}

/// The canonical name that this name, which is not canonical, most likely
/// means: the same letters in another case or with other marks between them,
/// or one letter missing, added, wrong or swapped with its neighbour.
pub(crate) fn meant_name(name: &str) -> Option<&'static str> {
    let given = letters(name);
    if OTHER_WORDS.contains(&given.as_str()) || given.chars().count() > COMPARED_CHARS_MAX {
        return None;
    }
    NAMES
        .into_iter()
        .find(|canonical| distance(&given, &letters(canonical)) <= 1)
}

/// Whether a name is a time band: `Before|After-<years>-Years-<tag>`, however spelt.
pub(crate) fn is_time_band(name: &str) -> bool {
    let kept: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(COMPARED_CHARS_MAX)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let Some(rest) = kept
        .strip_prefix("after")
        .or_else(|| kept.strip_prefix("before"))
    else {
        return false;
    };
    let tag = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    tag.len() < rest.len() && tag.starts_with("year")
}

/// What to do about an illegal value of a canonical name: the nearest legal spelling.
pub(crate) fn value_advice(name: &str, value: &str) -> String {
    let given = letters(value);
    if NEGATIONS.contains(&given.as_str()) {
        return "leave the tag out".into();
    }
    let forms = FORMS
        .iter()
        .find(|(of, _)| *of == name)
        .map_or(&[][..], |(_, forms)| forms);
    let nearest = forms.iter().min_by_key(|(key, _)| distance(&given, key));
    let Some((_, spelling)) = nearest else {
        return "leave the tag out".into();
    };
    format!("write '{}'", fill(spelling, value))
}

/// The spelling with the value's own number in it, if it has a legal one.
fn fill(spelling: &str, value: &str) -> String {
    let number = tidy_number(value);
    let amount = number
        .as_deref()
        .and_then(|number| Amount::parse_lode(number).ok());
    let amount = amount
        .filter(|amount| !amount.is_zero())
        .map(Amount::to_lode_string);
    let percent = number.and_then(|number| format!("{number}%").parse::<Percent>().ok());
    let percent = percent.map(|percent| percent.to_string());
    spelling
        .replace('#', amount.as_deref().unwrap_or("<LODE>"))
        .replace('%', percent.as_deref().unwrap_or("<percent>%"))
}

/// The last decimal number in a text, without leading and trailing zeros.
fn tidy_number(value: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let number = value
        .rsplit(|c| !is_part(c))
        .find(|part| !part.is_empty())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match fraction.trim_end_matches('0') {
        "" => Some(whole.into()),
        fraction => Some(format!("{whole}.{fraction}")),
    }
}

/// The fewest letters to insert, remove, replace or swap with a neighbour
/// (each place edited once) to make one text from the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_and_a_letter_each_count_once() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("abc", "abd", 1),
            ("abcd", "badc", 2),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn names_of_other_records_are_left_alone() {
        for other in [
            "Content-Type",
            "App-Name",
            "Title",
            "Type",
            "Licensee",
            "Licensor",
            "Asset-Tx",
            "Payment-Type",
            "Payment-To",
            "Data-Protocol",
            "Access",
            "Data",
            "Valid-Until",
            "After-Years",
            "Beforehand",
            "",
            "日本",
        ] {
            assert_eq!(meant_name(other), None, "{other}");
            assert!(!is_time_band(other), "{other}");
        }
        assert_eq!(meant_name(&"License".repeat(10_000)), None);
    }
}
