//! Licence terms by name, for those who do not want to write tags.

use std::fs;
use std::path::Path;

use licensing::{Fee, PaymentMode, Percent, Terms, presets};
use protocol::ans104::Tag;

use crate::amount::amount;
use crate::failure::{Exit, Failure};

/// What `credit` asks for if no share is named.
const SHARE_PERCENT: u8 = 5;

/// The terms of a preset: `open`, `credit`, `credit=5%`, `paid=LODE`, `monthly=LODE` or `revenue=5%`.
///
/// # Errors
/// There is no such preset, or its number makes no sense.
pub fn preset(text: &str) -> Result<Terms, Failure> {
    let wrong = |why: &str| {
        let next = "write 'open', 'credit', 'credit=5%', 'paid=25' (25 LODE a licence), 'monthly=25' \
                    (25 LODE a month) or 'revenue=5%' (of what a business earns with it)";
        Failure::new("terms", format_args!("'{text:.60}': {why}"), next).exit(Exit::Usage)
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    match (name, value) {
        ("open", None) => Ok(presets::open()),
        ("credit", None) => {
            let share = Percent::from_whole(SHARE_PERCENT).ok_or_else(|| wrong("no share"))?;
            Ok(presets::share_with_credit(share))
        }
        ("credit", Some(share)) => {
            let share = share
                .parse::<Percent>()
                .map_err(|error| wrong(&error.to_string()))?;
            Ok(presets::share_with_credit(share))
        }
        ("revenue", Some(share)) => {
            let share = share
                .parse::<Percent>()
                .map_err(|error| wrong(&error.to_string()))?;
            Ok(presets::share_of_revenue(share))
        }
        ("paid" | "monthly", Some(price)) => match Fee::new(amount(price)?) {
            Some(price) if name == "paid" => Ok(presets::one_time(price)),
            Some(price) => Ok(presets::monthly(price)),
            None => Err(wrong("a price of nothing is the preset 'open'")),
        },
        ("paid" | "monthly", None) => Err(wrong("the price is missing")),
        ("revenue", None) => Err(wrong("the share is missing")),
        _ => Err(wrong("there is no such preset")),
    }
}

/// Terms by name: a preset, or `file:PATH` of tags.
///
/// # Errors
/// As [`preset`]; or the file cannot be read, or holds no terms.
pub fn named(text: &str) -> Result<Terms, Failure> {
    match text.strip_prefix("file:") {
        Some(path) => from_file(Path::new(path)),
        None => preset(text),
    }
}

fn from_file(path: &Path) -> Result<Terms, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?;
    let tags = tags(&text).map_err(|line| {
        let message = format!("{}: line {line} is not 'Name: value'", path.display());
        Failure::new("terms", message, "write one tag a line").exit(Exit::Usage)
    })?;
    let wrong = |code: &str, error: &dyn std::fmt::Display| {
        let message = format!("{}: {error}", path.display());
        let next = "correct the tag; the Universal Data License says what each may be";
        Failure::new(code, message, next).exit(Exit::Usage)
    };
    let terms = Terms::parse(&tags).map_err(|error| wrong(error.code(), &error))?;
    match stranger(&tags) {
        Some(error) => Err(wrong("unknown_tag", &error)),
        None => Ok(terms),
    }
}

/// One tag a line; empty lines and lines that begin with '#' do not count. The error is a line's number.
fn tags(text: &str) -> Result<Vec<Tag>, usize> {
    let mut tags = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(place + 1)?;
        tags.push(Tag::new(name.trim(), value.trim()));
    }
    Ok(tags)
}

/// What the licence knows nothing of, where tags hold terms and nothing else: whoever wrote it believes that it counts.
fn stranger(tags: &[Tag]) -> Option<String> {
    let name = &tags.iter().find(|tag| !Terms::is_named(&tag.name))?.name;
    Some(format!("the licence has no tag '{name:.60}'"))
}

/// Terms as the ledger takes them: what the tags say, and nothing beside, paid to the holders of the shares.
///
/// # Errors
/// The tags are no terms, or more than terms, or would pay the uploader alone.
pub fn of_tags(tags: &[Tag]) -> Result<Terms, Failure> {
    let terms = Terms::parse(tags).map_err(|error| {
        Failure::new(
            error.code(),
            error,
            "use a preset (open, credit, paid=LODE, monthly=LODE, revenue=5%), or correct the tag",
        )
        .exit(Exit::Rejected)
    })?;
    if let Some(error) = stranger(tags) {
        let next = "take the tag out, or write what it says as the licence does";
        return Err(Failure::new("unknown_tag", error, next).exit(Exit::Rejected));
    }
    if terms.payment_mode == PaymentMode::Signer {
        return Err(Failure::new(
            "payment_mode",
            "these terms would pay only who signs, not the holders of the royalty shares",
            "add the tag 'Payment-Mode: Global-Distribution', or 'Random-Distribution'",
        )
        .exit(Exit::Rejected));
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_one_that_the_ledger_takes() {
        for text in [
            "open",
            "credit",
            "credit=0.5%",
            "paid=25",
            "paid=0.5",
            "monthly=2.5",
            "revenue=5%",
        ] {
            let terms = preset(text).unwrap();
            assert_eq!(of_tags(&terms.to_tags()).unwrap(), terms, "{text}");
        }
    }

    #[test]
    fn a_file_of_tags_names_terms_too() {
        let share = presets::share_with_credit("10%".parse().unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = share
            .to_tags()
            .into_iter()
            .map(|tag| format!("{}: {}\n", tag.name, tag.value));
        let text = format!("# terms\n\n{}", lines.collect::<String>());
        fs::write(file.path(), text).unwrap();
        let name = format!("file:{}", file.path().display());
        assert_eq!(named(&name).unwrap(), share);
        assert_eq!(named("credit=10%").unwrap(), share);
        assert_eq!(tags("A: b\nc"), Err(2));
    }

    #[test]
    fn terms_are_made_of_the_licences_tags_alone() {
        let mut tags = presets::open().to_tags();
        tags.push(Tag::new("No-Military", "Required"));
        let failure = of_tags(&tags).unwrap_err();
        assert_eq!(failure.code, "unknown_tag");
        assert!(failure.message.contains("'No-Military'"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = tags
            .iter()
            .map(|tag| format!("{}: {}\n", tag.name, tag.value));
        fs::write(file.path(), lines.collect::<String>()).unwrap();
        let failure = from_file(file.path()).unwrap_err();
        assert_eq!(failure.code, "unknown_tag");
    }

    #[test]
    fn both_ways_to_pay_the_holders_are_taken() {
        let random = Terms {
            payment_mode: PaymentMode::RandomDistribution,
            ..presets::open()
        };
        assert_eq!(of_tags(&random.to_tags()).unwrap(), random);
        let signer = Terms {
            payment_mode: PaymentMode::Signer,
            ..presets::open()
        };
        assert_eq!(of_tags(&signer.to_tags()).unwrap_err().code, "payment_mode");
    }

    #[test]
    fn what_is_no_preset_is_refused() {
        for text in [
            "",
            "paid",
            "paid=0",
            "paid=-1",
            "open=1",
            "credit=5",
            "free",
            "monthly",
            "monthly=0",
            "revenue",
            "revenue=5",
        ] {
            assert!(preset(text).is_err(), "{text}");
        }
    }
}
