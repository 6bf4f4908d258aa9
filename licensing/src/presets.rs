//! The sets of terms that most people want; the tags are for the rest.
//!
//! | preset | make something new | business use | training |
//! |---|---|---|---|
//! | [`open`] | free | free | free |
//! | [`one_time`] | one payment | one payment | one payment |
//! | [`share_with_credit`] | a share of what it earns | free, with credit | free |
//! | [`monthly`] | not granted | a payment a month | a payment a month |
//! | [`share_of_revenue`] | a share of what it earns | the same share of revenue | free |
//!
//! Where money is asked for, it goes to the holders of the royalty shares; also
//! terms that ask for none say so, because a ledger takes no others.

use crate::{CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Percent, Terms};

/// Everything is granted and nothing is asked for.
pub fn open() -> Terms {
    Terms {
        derivation: Some(Derivation::Allowed),
        commercial_use: Some(CommercialUse::Allowed),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// Every grant for one payment of the same price; access stays free.
pub fn one_time(price: Fee) -> Terms {
    Terms {
        derivation: Some(Derivation::FeeOneTime(price)),
        commercial_use: Some(CommercialUse::FeeOneTime(price)),
        data_model_training: Some(DataModelTraining::FeeOneTime(price)),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// Free for all who name the author; what descends from it shares its income.
pub fn share_with_credit(share: Percent) -> Terms {
    Terms {
        derivation: Some(Derivation::RevenueShare(share)),
        commercial_use: Some(CommercialUse::Credit),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// Business use and training for one price a month; access stays free.
pub fn monthly(price: Fee) -> Terms {
    Terms {
        commercial_use: Some(CommercialUse::FeeMonthly(price)),
        data_model_training: Some(DataModelTraining::FeeMonthly(price)),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// The same share of what a business earns with it, and of what descends from it.
pub fn share_of_revenue(share: Percent) -> Terms {
    Terms {
        derivation: Some(Derivation::RevenueShare(share)),
        commercial_use: Some(CommercialUse::RevenueShare(share)),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}
