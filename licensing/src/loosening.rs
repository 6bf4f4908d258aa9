//! Whether new terms ask for no more than old ones: a partial order on terms.
//!
//! New terms *loosen* old ones if all that the old ones grant is granted still,
//! for the same price or share or a lower one, with no duty that was not there,
//! and for no shorter term. Terms of which neither loosens the other exist: a
//! lower fee with a higher share, say. All that does not loosen tightens.
//!
//! | field | new against old |
//! |---|---|
//! | access fee | none, or no higher |
//! | derivation, business use, training | the same; not granted before; free of any duty; or a fee once, a fee a month or a share that is no higher |
//! | derivation that passes the terms on | the same terms, or free of any duty: other terms are another duty |
//! | derivation share of a data set whose training is granted | no higher, also where none was stated: every model trained on it owes that share |
//! | unknown uses | not taken away |
//! | term | none, or no shorter where there was one |
//! | payment mode | the same |

use protocol::record::AssetKind;

use crate::{CommercialUse, DataModelTraining, Derivation, Terms, UnknownUsageRights};

impl Terms {
    /// Whether these terms of an asset of this kind loosen `old`; terms loosen themselves.
    pub fn loosens(&self, old: &Self, kind: AssetKind) -> bool {
        let access = match (old.access_fee, self.access_fee) {
            (_, None) => true,
            (Some(before), Some(now)) => now <= before,
            (None, Some(_)) => false,
        };
        let term = match (old.expiry_years, self.expiry_years) {
            (_, None) => true,
            (Some(before), Some(now)) => now >= before,
            (None, Some(_)) => false,
        };
        let unknown = old.unknown_usage_rights == UnknownUsageRights::Excluded
            || self.unknown_usage_rights == UnknownUsageRights::Included;
        self == old
            || access
                && term
                && unknown
                && self.payment_mode == old.payment_mode
                && derivation(old.derivation, self.derivation)
                && commercial_use(old.commercial_use, self.commercial_use)
                && training(old.data_model_training, self.data_model_training)
                && (kind == AssetKind::Model || training_share(old, self))
    }

    /// Whether they grant nothing but what every licence does: nothing is sold.
    pub const fn grants_nothing(&self) -> bool {
        self.access_fee.is_none()
            && self.derivation.is_none()
            && self.commercial_use.is_none()
            && self.data_model_training.is_none()
    }

    /// These terms without any grant: what a vote for them revokes is all.
    #[must_use]
    pub fn revoked(&self) -> Self {
        Self {
            payment_mode: self.payment_mode,
            unknown_usage_rights: UnknownUsageRights::Excluded,
            ..Self::default()
        }
    }
}

fn derivation(old: Option<Derivation>, new: Option<Derivation>) -> bool {
    use Derivation::{Allowed, FeeMonthly, FeeOneTime, LicensePassthrough, RevenueShare};
    match (old, new) {
        (None, _) | (Some(_), Some(Allowed)) => true,
        (Some(RevenueShare(before)), Some(RevenueShare(now))) => now <= before,
        (Some(FeeOneTime(before)), Some(FeeOneTime(now)))
        | (Some(FeeMonthly(before)), Some(FeeMonthly(now))) => now <= before,
        // The child would have to take other terms than before.
        (Some(LicensePassthrough), Some(LicensePassthrough)) => false,
        (Some(before), Some(now)) => now == before,
        (Some(_), None) => false,
    }
}

fn commercial_use(old: Option<CommercialUse>, new: Option<CommercialUse>) -> bool {
    use CommercialUse::{Allowed, FeeMonthly, FeeOneTime, RevenueShare};
    match (old, new) {
        (None, _) | (Some(_), Some(Allowed)) => true,
        (Some(RevenueShare(before)), Some(RevenueShare(now))) => now <= before,
        (Some(FeeOneTime(before)), Some(FeeOneTime(now)))
        | (Some(FeeMonthly(before)), Some(FeeMonthly(now))) => now <= before,
        (Some(before), Some(now)) => now == before,
        (Some(_), None) => false,
    }
}

fn training(old: Option<DataModelTraining>, new: Option<DataModelTraining>) -> bool {
    use DataModelTraining::{Allowed, FeeMonthly, FeeOneTime};
    match (old, new) {
        (None, _) | (Some(_), Some(Allowed)) => true,
        (Some(FeeOneTime(before)), Some(FeeOneTime(now)))
        | (Some(FeeMonthly(before)), Some(FeeMonthly(now))) => now <= before,
        (Some(before), Some(now)) => now == before,
        (Some(_), None) => false,
    }
}

/// What a model trained on a data set owes must not rise.
fn training_share(old: &Terms, new: &Terms) -> bool {
    let share = |terms: &Terms| match terms.derivation {
        Some(Derivation::RevenueShare(share)) => share.billionths(),
        _ => 0,
    };
    old.data_model_training.is_none() || share(new) <= share(old)
}

#[cfg(test)]
mod tests;
