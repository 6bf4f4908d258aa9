//! The terms of an asset: what is granted, for what, and their canonical tags.
//!
//! Every value of [`Terms`] is legal and has exactly one list of tags, in the
//! order of the fields; the license itself comes first. The id of terms is
//! SHA-256 over
//!
//! ```text
//! "lode/terms/1" ‖ count ‖ (length ‖ name ‖ length ‖ value) for each tag
//! ```
//!
//! where counts and lengths are 4 bytes, little-endian, and lengths count
//! UTF-8 bytes. Two terms have the same id exactly when they are equal.

use std::num::NonZeroU32;

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::ans104::Tag;
use protocol::{Amount, Digest};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::Percent;

/// The id of the licence text that is written: the Universal Data License 0.2.
pub const LICENSE_ID: &str = "dE0rmDfl9_OWjkDznNEXHaSO_JohJkRolvMzaCroUdw";

/// The symbol of the one currency that terms are priced in.
pub const CURRENCY: &str = "LODE";

const ID_DOMAIN: &[u8] = b"lode/terms/1";

/// The names of the tags that make terms.
pub(crate) mod name {
    pub const LICENSE: &str = "License";
    pub const ACCESS_FEE: &str = "Access-Fee";
    pub const DERIVATION: &str = "Derivation";
    pub const COMMERCIAL_USE: &str = "Commercial-Use";
    pub const DATA_MODEL_TRAINING: &str = "Data-Model-Training";
    pub const UNKNOWN_USAGE_RIGHTS: &str = "Unknown-Usage-Rights";
    pub const EXPIRY: &str = "Expiry";
    pub const CURRENCY: &str = "Currency";
    pub const PAYMENT_ADDRESS: &str = "Payment-Address";
    pub const PAYMENT_MODE: &str = "Payment-Mode";
}

/// A price above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, Serialize)]
#[serde(transparent)]
pub struct Fee(Amount);

impl Fee {
    /// A price; `None` for nothing, because what costs nothing has no fee.
    pub const fn new(amount: Amount) -> Option<Self> {
        if amount.is_zero() {
            return None;
        }
        Some(Self(amount))
    }

    /// How much it is.
    pub const fn amount(self) -> Amount {
        self.0
    }
}

impl BorshDeserialize for Fee {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        Self::new(Amount::deserialize_reader(reader)?).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, "a fee of zero is no fee")
        })
    }
}

/// What making something new from the asset asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Derivation {
    /// Nothing.
    Allowed,
    /// Naming the author.
    Credit,
    /// Saying what was changed.
    Indication,
    /// Giving what is made the same terms.
    LicensePassthrough,
    /// This part of everything that what is made earns, generation after generation.
    RevenueShare(Percent),
    /// One payment.
    FeeOneTime(Fee),
    /// A payment for each month.
    FeeMonthly(Fee),
}

/// What use in or for a business asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CommercialUse {
    /// Nothing.
    Allowed,
    /// Naming the author.
    Credit,
    /// This part of what the business earns with it.
    RevenueShare(Percent),
    /// One payment.
    FeeOneTime(Fee),
    /// A payment for each month.
    FeeMonthly(Fee),
}

/// What training a model on the asset, or on what it puts out, asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum DataModelTraining {
    /// Nothing.
    Allowed,
    /// One payment.
    FeeOneTime(Fee),
    /// A payment for each month.
    FeeMonthly(Fee),
}

/// Whether kinds of use that nobody knew when the asset was published are granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum UnknownUsageRights {
    /// They are (no tag).
    #[default]
    Included,
    /// They are not.
    Excluded,
}

/// Who is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PaymentMode {
    /// Who signed the upload (no tag).
    #[default]
    Signer,
    /// Every holder of the asset's royalty shares, in proportion.
    GlobalDistribution,
    /// One holder of the asset's royalty shares, drawn for each payment in proportion to holdings.
    RandomDistribution,
}

/// What an asset may be used for, and at which price.
///
/// `None` means not granted, and for the fee and the term: none. The default
/// is the licence without any tag: study, research and personal use only.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Terms {
    /// One payment to get at the asset at all.
    pub access_fee: Option<Fee>,
    /// Making something new from it.
    pub derivation: Option<Derivation>,
    /// Use in or for a business.
    pub commercial_use: Option<CommercialUse>,
    /// Training on it.
    pub data_model_training: Option<DataModelTraining>,
    /// Kinds of use that are not known yet.
    pub unknown_usage_rights: UnknownUsageRights,
    /// Whole years after which the licence ends; none: it does not.
    pub expiry_years: Option<NonZeroU32>,
    /// Who is paid.
    pub payment_mode: PaymentMode,
}

fn fee_value(prefix: &str, fee: Fee) -> String {
    format!("{prefix}One-Time-{}", fee.0.to_lode_string())
}

fn monthly_value(fee: Fee) -> String {
    format!("Allowed-With-Fee-Monthly-{}", fee.0.to_lode_string())
}

impl Derivation {
    /// The value of the tag `Derivation`.
    pub fn value(self) -> String {
        match self {
            Self::Allowed => "Allowed".into(),
            Self::Credit => "Allowed-With-Credit".into(),
            Self::Indication => "Allowed-With-Indication".into(),
            Self::LicensePassthrough => "Allowed-With-License-Passthrough".into(),
            Self::RevenueShare(share) => format!("Allowed-With-RevenueShare-{share}"),
            Self::FeeOneTime(fee) => fee_value("Allowed-With-Fee-", fee),
            Self::FeeMonthly(fee) => monthly_value(fee),
        }
    }
}

impl CommercialUse {
    /// The value of the tag `Commercial-Use`.
    pub fn value(self) -> String {
        match self {
            Self::Allowed => "Allowed".into(),
            Self::Credit => "Allowed-With-Credit".into(),
            Self::RevenueShare(share) => format!("Allowed-With-RevenueShare-{share}"),
            Self::FeeOneTime(fee) => fee_value("Allowed-With-Fee-", fee),
            Self::FeeMonthly(fee) => monthly_value(fee),
        }
    }
}

impl DataModelTraining {
    /// The value of the tag `Data-Model-Training`.
    pub fn value(self) -> String {
        match self {
            Self::Allowed => "Allowed".into(),
            Self::FeeOneTime(fee) => fee_value("Allowed-With-Fee-", fee),
            Self::FeeMonthly(fee) => monthly_value(fee),
        }
    }
}

impl Terms {
    /// The tags that say exactly this, in canonical order and text.
    ///
    /// `Currency` is written whenever money is asked for, a fee or a share:
    /// a reader elsewhere would else take it to be another token.
    pub fn to_tags(&self) -> Vec<Tag> {
        let mut tags = vec![Tag::new(name::LICENSE, LICENSE_ID)];
        let mut put = |name: &str, value: Option<String>| {
            tags.extend(value.map(|value| Tag::new(name, value)));
        };
        put(
            name::ACCESS_FEE,
            self.access_fee.map(|fee| fee_value("", fee)),
        );
        put(name::DERIVATION, self.derivation.map(Derivation::value));
        put(
            name::COMMERCIAL_USE,
            self.commercial_use.map(CommercialUse::value),
        );
        put(
            name::DATA_MODEL_TRAINING,
            self.data_model_training.map(DataModelTraining::value),
        );
        let excluded = self.unknown_usage_rights == UnknownUsageRights::Excluded;
        put(
            name::UNKNOWN_USAGE_RIGHTS,
            excluded.then(|| "Excluded".into()),
        );
        put(
            name::EXPIRY,
            self.expiry_years.map(|years| years.to_string()),
        );
        put(name::CURRENCY, self.money_tag().map(|_| CURRENCY.into()));
        put(
            name::PAYMENT_MODE,
            match self.payment_mode {
                PaymentMode::Signer => None,
                PaymentMode::GlobalDistribution => Some("Global-Distribution".into()),
                PaymentMode::RandomDistribution => Some("Random-Distribution".into()),
            },
        );
        tags
    }

    /// The first tag that asks for money, a fee or a share.
    pub(crate) fn money_tag(&self) -> Option<&'static str> {
        let derivation = matches!(
            self.derivation,
            Some(
                Derivation::FeeOneTime(_) | Derivation::FeeMonthly(_) | Derivation::RevenueShare(_)
            )
        );
        let commercial = matches!(
            self.commercial_use,
            Some(
                CommercialUse::FeeOneTime(_)
                    | CommercialUse::FeeMonthly(_)
                    | CommercialUse::RevenueShare(_)
            )
        );
        let training = matches!(
            self.data_model_training,
            Some(DataModelTraining::FeeOneTime(_) | DataModelTraining::FeeMonthly(_))
        );
        [
            (self.access_fee.is_some(), name::ACCESS_FEE),
            (derivation, name::DERIVATION),
            (commercial, name::COMMERCIAL_USE),
            (training, name::DATA_MODEL_TRAINING),
        ]
        .into_iter()
        .find_map(|(asks, name)| asks.then_some(name))
    }

    /// The id: SHA-256 over the canonical tags, encoded as the module's head says.
    pub fn id(&self) -> Digest {
        let mut hash = Sha256::new();
        let length = |value: usize| u32::try_from(value).expect("ten short tags").to_le_bytes();
        let tags = self.to_tags();
        hash.update(ID_DOMAIN);
        hash.update(length(tags.len()));
        for tag in &tags {
            for text in [&tag.name, &tag.value] {
                hash.update(length(text.len()));
                hash.update(text.as_bytes());
            }
        }
        Digest(hash.finalize().into())
    }
}

impl Serialize for Terms {
    /// The canonical tags, as a list of names and values.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Serialize::serialize(&self.to_tags(), serializer)
    }
}

#[cfg(test)]
mod tests;
