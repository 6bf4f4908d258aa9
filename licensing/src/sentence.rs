//! Terms in plain English: one sentence a grant, what is not granted included.

use crate::{
    CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Terms, UnknownUsageRights,
};

fn lode(fee: Fee) -> String {
    format!("{} LODE", fee.amount().to_lode_string())
}

impl Terms {
    fn is_sold_by_the_month(&self) -> bool {
        matches!(self.derivation, Some(Derivation::FeeMonthly(_)))
            || matches!(self.commercial_use, Some(CommercialUse::FeeMonthly(_)))
            || matches!(
                self.data_model_training,
                Some(DataModelTraining::FeeMonthly(_))
            )
    }

    /// What anyone may do, and at which price, in a fixed order: access, what is
    /// always free, derivation, commercial use, training, unknown uses, term, payee.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![
            match self.access_fee {
                None => "Anyone may download it, free of charge.".into(),
                Some(fee) => format!("Access costs one payment of {}.", lode(fee)),
            },
            "Study, research and personal use are free.".into(),
            derivation(self.derivation),
            commercial_use(self.commercial_use),
            training(self.data_model_training),
            match self.unknown_usage_rights {
                UnknownUsageRights::Included => {
                    "Kinds of use that are not known yet are granted too.".into()
                }
                UnknownUsageRights::Excluded => {
                    "Kinds of use that are not known yet are not granted.".into()
                }
            },
            match self.expiry_years {
                None if self.is_sold_by_the_month() => {
                    "The terms set no end; what is bought by the month runs for the months bought."
                        .into()
                }
                None => "The licence has no end.".into(),
                Some(years) if years.get() == 1 => "The licence ends after 1 year.".into(),
                Some(years) => format!("The licence ends after {years} years."),
            },
        ];
        if self.money_tag().is_some() {
            sentences.push(match self.payment_mode {
                PaymentMode::Signer => "Payments go to whoever signed the upload.".into(),
                PaymentMode::GlobalDistribution => {
                    "Payments go to all holders of its royalty shares, in proportion.".into()
                }
                PaymentMode::RandomDistribution => "Each payment goes to one holder of its \
                     royalty shares, drawn in proportion to the shares held."
                    .into(),
            });
        }
        sentences
    }
}

fn derivation(grant: Option<Derivation>) -> String {
    let what = "Making something new from it (fine-tuning, merging, quantising)";
    match grant {
        None => format!("{what} is not granted."),
        Some(Derivation::Allowed) => format!("{what} is free."),
        Some(Derivation::Credit) => format!("{what} is free for all who credit the author."),
        Some(Derivation::Indication) => {
            format!("{what} is free for all who say what they changed.")
        }
        Some(Derivation::LicensePassthrough) => {
            format!("{what} is free, and what is made carries these same terms.")
        }
        Some(Derivation::RevenueShare(share)) => format!(
            "{what} is allowed, and {share} of everything that what is made earns comes back, \
             generation after generation."
        ),
        Some(Derivation::FeeOneTime(fee)) => format!("{what} costs one payment of {}.", lode(fee)),
        Some(Derivation::FeeMonthly(fee)) => monthly(what, fee),
    }
}

fn commercial_use(grant: Option<CommercialUse>) -> String {
    let what = "Commercial use (serving it or its outputs for money, or inside a business)";
    match grant {
        None => format!("{what} is not granted."),
        Some(CommercialUse::Allowed) => format!("{what} is free."),
        Some(CommercialUse::Credit) => format!("{what} is free for all who credit the author."),
        Some(CommercialUse::RevenueShare(share)) => {
            format!(
                "{what} costs {share} of what it earns there, declared month by month, and at \
                 least the network's minimum a month, paid in advance."
            )
        }
        Some(CommercialUse::FeeOneTime(fee)) => {
            format!("{what} costs one payment of {}.", lode(fee))
        }
        Some(CommercialUse::FeeMonthly(fee)) => monthly(what, fee),
    }
}

fn monthly(what: &str, fee: Fee) -> String {
    format!("{what} costs {} a month, paid in advance.", lode(fee))
}

fn training(grant: Option<DataModelTraining>) -> String {
    let what = "Training a model on it or on its outputs";
    match grant {
        None => format!("{what} is not granted."),
        Some(DataModelTraining::Allowed) => format!("{what} is free."),
        Some(DataModelTraining::FeeOneTime(fee)) => {
            format!("{what} costs one payment of {}.", lode(fee))
        }
        Some(DataModelTraining::FeeMonthly(fee)) => monthly(what, fee),
    }
}
