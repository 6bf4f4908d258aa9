//! Tags to terms.
//!
//! The tags of the licence are picked out of an item's tags by name; all
//! others are not its business. A name that is not canonical but clearly means
//! one of them (other case, plural, one letter off, a time band, the older
//! vocabulary) is refused rather than passed over, because the uploader would
//! believe that something is granted, or charged for, that is not.

use std::num::NonZeroU32;

use protocol::Amount;
use protocol::ans104::Tag;
use protocol::text::excerpt;

use crate::spelling::{is_time_band, meant_name, value_advice};
use crate::terms::{CURRENCY, LICENSE_ID, name};
use crate::{
    CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Terms, UnknownUsageRights,
};

/// Ids of the licence's text that are known and not written here: 0.1, and 0.2 as others carry it.
const OTHER_LICENSE_IDS: [&str; 2] = [
    "yRj4a5KMctX_uOmKWCFJIjmY8DeJcusVk6-HzLiM_t8",
    "IVjAM1C3x3GFdc3t9EqMnbtGnpgTuJbaiYZa1lk09_8",
];

/// What stands before the amount of a fee that is paid once, and of one that is paid for each month.
const ONE_TIME: &str = "Allowed-With-Fee-One-Time-";
const MONTHLY: &str = "Allowed-With-Fee-Monthly-";

/// Names of the 0.1 vocabulary, in letters.
const OLD_NAMES: [&str; 2] = ["license-fee", "expires"];

/// Why tags are not terms that this market can honour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// No license tag at all.
    #[error("there is no License tag: add 'License: {LICENSE_ID}'")]
    NoLicense,
    /// A license tag that is not the Universal Data License.
    #[error("License: '{0}' is not the Universal Data License 0.2: write '{LICENSE_ID}'")]
    OtherLicense(String),
    /// Another text of the Universal Data License than the one that is written.
    #[error(
        "License: '{0}' is a text of the Universal Data License that is not accepted for now: \
         write '{LICENSE_ID}' and the tags of version 0.2"
    )]
    OtherLicenseText(String),
    /// A tag of the 0.1 vocabulary.
    #[error(
        "the tag '{0}' belongs to version 0.1 of the licence: write the fee into the value of \
         the grant it pays for, and the term as 'Expiry'"
    )]
    OldName(String),
    /// A name that is almost a tag of the licence.
    #[error("the tag '{name}' is not spelt as the licence spells it: write '{nearest}'")]
    Name {
        /// The name as given, shortened.
        name: String,
        /// The canonical name.
        nearest: &'static str,
    },
    /// The same tag twice.
    #[error("the tag '{0}' is there twice: keep one")]
    Duplicate(&'static str),
    /// A value the licence does not know for this tag.
    #[error("{name}: '{value}' is not a value of this tag: {advice}")]
    Value {
        /// The canonical name.
        name: &'static str,
        /// The value as given, shortened.
        value: String,
        /// What to do: the nearest legal spelling, or to leave the tag out.
        advice: String,
    },
    /// A grant that begins or ends after some years.
    #[error("the tag '{0}' is a time band, and time bands are not accepted for now: leave it out")]
    TimeBand(String),
    /// Payment to an address of the uploader's choice.
    #[error(
        "Payment-Address: '{0}' is not accepted for now, it would pass by the holders of royalty \
         shares: leave the tag out"
    )]
    PaymentAddress(String),
    /// A price in another token.
    #[error("Currency: '{0}' is not accepted, prices here are in LODE: write '{CURRENCY}'")]
    Currency(String),
    /// Money without a currency.
    #[error(
        "the tag '{0}' asks for money and there is no Currency tag, which would mean another \
         token: add 'Currency: {CURRENCY}'"
    )]
    NoCurrency(&'static str),
}

impl TermsError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoLicense => "no_license",
            Self::OtherLicense(_) => "other_license",
            Self::OtherLicenseText(_) => "other_license_text",
            Self::OldName(_) => "old_tag_name",
            Self::Name { .. } => "misspelt_tag_name",
            Self::Duplicate(_) => "duplicate_tag",
            Self::Value { .. } => "illegal_tag_value",
            Self::TimeBand(_) => "time_band_not_yet",
            Self::PaymentAddress(_) => "payment_address_not_yet",
            Self::Currency(_) => "other_currency",
            Self::NoCurrency(_) => "no_currency",
        }
    }
}

impl Terms {
    /// Reads the terms that the tags of a data item state; tags that are not
    /// the licence's are passed over.
    ///
    /// # Errors
    /// [`TermsError`] at the first tag, in the order given, that is not canonical
    /// 0.2 or not honoured for now; then for what is missing.
    pub fn parse(tags: &[Tag]) -> Result<Self, TermsError> {
        let mut terms = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for tag in tags {
            let Some(name) = canonical_name(&tag.name)? else {
                continue;
            };
            if seen.contains(&name) {
                return Err(TermsError::Duplicate(name));
            }
            seen.push(name);
            terms.read(name, &tag.value)?;
        }
        if !seen.contains(&name::LICENSE) {
            return Err(TermsError::NoLicense);
        }
        match terms.money_tag() {
            Some(asking) if !seen.contains(&name::CURRENCY) => Err(TermsError::NoCurrency(asking)),
            _ => Ok(terms),
        }
    }

    /// Whether terms are made of tags of this name: what has another says nothing about them.
    pub fn is_named(name: &str) -> bool {
        crate::spelling::NAMES.contains(&name)
    }

    /// Reads the value of one tag into the field it is for.
    fn read(&mut self, name: &'static str, value: &str) -> Result<(), TermsError> {
        let illegal = || illegal_value(name, value);
        match name {
            name::LICENSE => check_license(value)?,
            name::ACCESS_FEE => {
                self.access_fee = Some(fee(value, "One-Time-").ok_or_else(illegal)?);
            }
            name::DERIVATION => self.derivation = Some(derivation(value).ok_or_else(illegal)?),
            name::COMMERCIAL_USE => {
                self.commercial_use = Some(commercial_use(value).ok_or_else(illegal)?);
            }
            name::DATA_MODEL_TRAINING => {
                self.data_model_training = Some(training(value).ok_or_else(illegal)?);
            }
            name::UNKNOWN_USAGE_RIGHTS if value == "Excluded" => {
                self.unknown_usage_rights = UnknownUsageRights::Excluded;
            }
            name::EXPIRY => self.expiry_years = Some(years(value).ok_or_else(illegal)?),
            name::CURRENCY if value == CURRENCY => {}
            name::CURRENCY => return Err(TermsError::Currency(excerpt(value))),
            name::PAYMENT_ADDRESS => return Err(TermsError::PaymentAddress(excerpt(value))),
            name::PAYMENT_MODE if value == "Global-Distribution" => {
                self.payment_mode = PaymentMode::GlobalDistribution;
            }
            name::PAYMENT_MODE if value == "Random-Distribution" => {
                self.payment_mode = PaymentMode::RandomDistribution;
            }
            _ => return Err(illegal()),
        }
        Ok(())
    }
}

/// The tag of the licence that a name is; `None` if it is not the licence's business.
fn canonical_name(given: &str) -> Result<Option<&'static str>, TermsError> {
    let exact = crate::spelling::NAMES
        .into_iter()
        .find(|canonical| *canonical == given);
    if exact.is_some() {
        return Ok(exact);
    }
    if OLD_NAMES.iter().any(|old| given.eq_ignore_ascii_case(old)) {
        return Err(TermsError::OldName(excerpt(given)));
    }
    if is_time_band(given) {
        return Err(TermsError::TimeBand(excerpt(given)));
    }
    match meant_name(given) {
        Some(nearest) => Err(TermsError::Name {
            name: excerpt(given),
            nearest,
        }),
        None => Ok(None),
    }
}

fn illegal_value(name: &'static str, value: &str) -> TermsError {
    TermsError::Value {
        name,
        value: excerpt(value),
        advice: value_advice(name, value),
    }
}

fn check_license(value: &str) -> Result<(), TermsError> {
    if value == LICENSE_ID {
        return Ok(());
    }
    if OTHER_LICENSE_IDS.contains(&value) {
        return Err(TermsError::OtherLicenseText(value.into()));
    }
    Err(TermsError::OtherLicense(excerpt(value)))
}

fn derivation(value: &str) -> Option<Derivation> {
    Some(match value {
        "Allowed" => Derivation::Allowed,
        "Allowed-With-Credit" => Derivation::Credit,
        "Allowed-With-Indication" => Derivation::Indication,
        "Allowed-With-License-Passthrough" => Derivation::LicensePassthrough,
        _ => match value.strip_prefix("Allowed-With-RevenueShare-") {
            Some(share) => Derivation::RevenueShare(share.parse().ok()?),
            None => match fee(value, MONTHLY) {
                Some(fee) => Derivation::FeeMonthly(fee),
                None => Derivation::FeeOneTime(fee(value, ONE_TIME)?),
            },
        },
    })
}

fn commercial_use(value: &str) -> Option<CommercialUse> {
    Some(match value {
        "Allowed" => CommercialUse::Allowed,
        "Allowed-With-Credit" => CommercialUse::Credit,
        _ => match value.strip_prefix("Allowed-With-RevenueShare-") {
            Some(share) => CommercialUse::RevenueShare(share.parse().ok()?),
            None => match fee(value, MONTHLY) {
                Some(fee) => CommercialUse::FeeMonthly(fee),
                None => CommercialUse::FeeOneTime(fee(value, ONE_TIME)?),
            },
        },
    })
}

fn training(value: &str) -> Option<DataModelTraining> {
    if value == "Allowed" {
        return Some(DataModelTraining::Allowed);
    }
    match fee(value, MONTHLY) {
        Some(fee) => Some(DataModelTraining::FeeMonthly(fee)),
        None => fee(value, ONE_TIME).map(DataModelTraining::FeeOneTime),
    }
}

/// A price after a prefix, in its one canonical text.
fn fee(value: &str, prefix: &str) -> Option<Fee> {
    let text = value.strip_prefix(prefix)?;
    let amount = Amount::parse_lode(text).ok()?;
    if amount.to_lode_string() != text {
        return None;
    }
    Fee::new(amount)
}

fn years(value: &str) -> Option<NonZeroU32> {
    let years: NonZeroU32 = value.parse().ok()?;
    (years.to_string() == value).then_some(years)
}
