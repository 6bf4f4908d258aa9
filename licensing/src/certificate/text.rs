//! What a certificate says, for people. The words are part of the format.

use protocol::record::AssetKind;

use super::{Proven, grant_in_words, lode};
use crate::grant::Grant;

/// What holds of a licence for a share of revenue, and no certificate can know.
const OWES_SHARE: &str = "its revenue of each month; one that is not declared in time ends the licence \
     early, which this text cannot know: ask a node";

impl Proven {
    /// The text of the certificate: who may do what with which asset, since when,
    /// for what, under which terms, and on which network that stands.
    pub fn text(&self) -> String {
        let license = &self.license;
        let what = match self.asset_kind {
            AssetKind::Model => "Model",
            AssetKind::DataSet => "Data set",
        };
        let grant = format!(
            "{} ({})",
            license.grant.name(),
            grant_in_words(license.grant)
        );
        let mut rows = vec![
            ("Licence", license.id.to_string()),
            ("Licensee", license.licensee.to_string()),
            (what, self.asset_name.to_string()),
            ("  its id", license.asset.to_string()),
            ("  made by", self.maker.to_string()),
            (
                match self.is_sealed {
                    true => "  sealed as",
                    false => "  folder",
                },
                format!("{}, {} bytes", self.blob.id, self.blob.size_bytes),
            ),
        ];
        if let Some(digest) = self.weights_digest {
            rows.push(("  weights", digest.to_string()));
        }
        rows.extend([
            ("Grant", grant),
            ("Paid", lode(license.price)),
            ("Issued", utc(license.time_ms)),
            ("  in block", license.height.to_string()),
        ]);
        if let Some(term) = &license.term {
            let price = lode(term.month_price);
            let months = match term.months {
                1 => "1 month".to_owned(),
                months => format!("{months} months"),
            };
            rows.push(("Runs until", utc(term.until_ms)));
            rows.push(("  bought", format!("{months}, at {price} each")));
            if term.owes_share {
                rows.push(("  declares", OWES_SHARE.to_owned()));
            }
        }
        rows.extend([
            ("Terms", license.terms.to_string()),
            ("Network", self.network.to_string()),
            ("  called", self.network_name.to_string()),
            ("  signed by", self.proposer.to_string()),
        ]);
        let mut text = format!("LICENCE\n\n{}\n\n", self.permission());
        for (name, value) in rows {
            text.push_str(&format!("{name:<12}{value}\n"));
        }
        text.push_str("\nWhat the terms say\n");
        for sentence in self.terms.sentences() {
            text.push_str(&format!("  {sentence}\n"));
        }
        text.push_str("\nThe terms as tags of the Universal Data License 0.2\n");
        for tag in self.terms.to_tags() {
            text.push_str(&format!("  {}: {}\n", tag.name, tag.value));
        }
        text
    }
}

impl Proven {
    /// What the licensee may do, in one sentence.
    fn permission(&self) -> String {
        let kind = match self.asset_kind {
            AssetKind::Model => "model",
            AssetKind::DataSet => "data set",
        };
        let what = format!("the {kind} '{}'", self.asset_name);
        let may = match (self.license.grant, self.asset_kind) {
            (Grant::Access, _) => format!("download {what}"),
            (Grant::Derivation, _) => format!("make something new from {what}"),
            (Grant::CommercialUse, _) => format!("use {what} in or for a business"),
            (Grant::DataModelTraining, AssetKind::Model) => {
                format!("train models on {what} and on what it puts out")
            }
            (Grant::DataModelTraining, AssetKind::DataSet) => format!("train models on {what}"),
        };
        let time = match (&self.license.term, self.terms.expiry_years) {
            (Some(term), _) => format!("until {}", utc(term.until_ms)),
            (None, None) => "without limit of time".to_owned(),
            (None, Some(years)) if years.get() == 1 => "for 1 year".to_owned(),
            (None, Some(years)) => format!("for {years} years"),
        };
        let licensee = self.license.licensee;
        format!("{licensee} may {may}, {time}, under the terms below.")
    }
}

/// Milliseconds since 1970 as a date and time of day of the Gregorian calendar, UTC.
pub fn utc(time_ms: u64) -> String {
    let time = i64::try_from(time_ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis);
    time.map_or_else(
        || format!("{time_ms} ms after 1970"),
        |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_as_calendars_have_them() {
        for (time_ms, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (951_868_800_000, "2000-03-01 00:00:00 UTC"),
            (1_767_225_599_999, "2025-12-31 23:59:59 UTC"),
            (1_767_225_600_000, "2026-01-01 00:00:00 UTC"),
            (4_102_444_800_000, "2100-01-01 00:00:00 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
            (1_709_164_800_000, "2024-02-29 00:00:00 UTC"),
        ] {
            assert_eq!(utc(time_ms), text);
        }
    }
}
