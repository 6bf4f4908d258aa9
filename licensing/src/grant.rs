//! What can be asked for under terms, and what it costs.

use borsh::{BorshDeserialize, BorshSerialize};
pub use protocol::record::Grant;
use protocol::{Amount, Digest};
use serde::Serialize;

use crate::{CommercialUse, DataModelTraining, Derivation, Percent, Terms};

/// The price of one grant under terms that the buyer can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Quote {
    /// What is bought.
    pub grant: Grant,
    /// What it costs.
    pub price: Price,
    /// The most months that can be bought at once; 0 for what is paid once.
    pub months_max: u32,
    /// The id of the terms it is bought under.
    pub terms: Digest,
}

/// The most months that one licence can be bought for.
pub const MONTHS_MAX: u32 = 120;

/// How a grant is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// So much, above zero, once.
    OneTime(Amount),
    /// So much, above zero, for each month, all months in advance.
    Monthly(Amount),
    /// This part of what the buyer earns in each month, and the network's minimum for each
    /// month in advance.
    RevenueShare(Percent),
}

impl Price {
    /// What is paid once, or for one month in advance, on a network with this
    /// [`revenue_minimum`](protocol::record::Parameters::revenue_minimum).
    pub const fn unit(self, minimum: Amount) -> Amount {
        match self {
            Self::OneTime(amount) | Self::Monthly(amount) => amount,
            Self::RevenueShare(_) => minimum,
        }
    }

    /// The part of the buyer's revenue that is owed for each month, if one is.
    pub const fn share(self) -> Option<Percent> {
        match self {
            Self::RevenueShare(share) => Some(share),
            Self::OneTime(_) | Self::Monthly(_) => None,
        }
    }
}

impl Quote {
    /// What so many months cost together (0: what is paid once) on a network with this
    /// minimum; `None` if no amount can hold it.
    ///
    /// # Errors
    /// [`Refusal::SoldOnce`], [`Refusal::SoldByMonth`] if it is not sold so.
    pub fn total(&self, months: u32, minimum: Amount) -> Result<Option<Amount>, Refusal> {
        let (grant, most) = (self.grant, self.months_max);
        match self.price {
            Price::OneTime(price) if months == 0 => Ok(Some(price)),
            Price::OneTime(_) => Err(Refusal::SoldOnce { grant, months }),
            Price::Monthly(_) | Price::RevenueShare(_) if (1..=most).contains(&months) => {
                let unit = self.price.unit(minimum);
                Ok(unit.checked_mul(u128::from(months)))
            }
            Price::Monthly(_) | Price::RevenueShare(_) => Err(Refusal::SoldByMonth {
                grant,
                months,
                most,
            }),
        }
    }
}

/// What a grant that costs nothing asks for instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Nothing.
    Nothing,
    /// Naming the author.
    Credit,
    /// Saying what was changed.
    Indication,
    /// Giving what is made the same terms.
    LicensePassthrough,
}

/// Why there is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The terms do not grant it at any price.
    #[error("these terms do not grant {}", .0.name())]
    NotGranted(Grant),
    /// It costs nothing.
    #[error("{} is free under these terms", .0.name())]
    Free(Grant, Duty),
    /// It is paid for by a share of the child's income, not by a purchase.
    #[error("derivation is paid for by {0} of what the new asset earns, not by a purchase")]
    PaidByChild(Percent),
    /// Months of what is paid once.
    #[error("{} is paid for once under these terms, not for {months} months", .grant.name())]
    SoldOnce {
        /// What is to be bought.
        grant: Grant,
        /// For how many months.
        months: u32,
    },
    /// No months, or too many, of what is paid by the month.
    #[error("{} is sold for 1 to {most} months under these terms, not for {months}", .grant.name())]
    SoldByMonth {
        /// What is to be bought.
        grant: Grant,
        /// For how many months.
        months: u32,
        /// The most months.
        most: u32,
    },
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotGranted(_) => "not_granted",
            Self::Free(..) => "nothing_to_buy",
            Self::PaidByChild(_) => "paid_by_child",
            Self::SoldOnce { .. } => "sold_once",
            Self::SoldByMonth { .. } => "sold_by_month",
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotGranted(_) => "ask its holders for other terms, or choose another asset",
            Self::Free(_, Duty::Nothing) => "use it: nothing has to be bought",
            Self::Free(_, Duty::Credit) => "use it and name its author: nothing has to be bought",
            Self::Free(_, Duty::Indication) => {
                "use it and say what you changed: nothing has to be bought"
            }
            Self::Free(_, Duty::LicensePassthrough) => {
                "use it and give what you make the same terms: nothing has to be bought"
            }
            Self::PaidByChild(_) => "register what you make with this asset as its parent",
            Self::SoldOnce { .. } => "buy it without naming months",
            Self::SoldByMonth { .. } => "name how many months to buy",
        }
    }
}

impl Terms {
    /// The price of one grant.
    ///
    /// # Errors
    /// [`Refusal`] if there is nothing to buy: not granted, free, or paid for
    /// by a share of income.
    pub fn quote(&self, grant: Grant) -> Result<Quote, Refusal> {
        let free = |duty| Err(Refusal::Free(grant, duty));
        let denied = Refusal::NotGranted(grant);
        let price = match grant {
            Grant::Access => match self.access_fee {
                None => return free(Duty::Nothing),
                Some(fee) => Price::OneTime(fee.amount()),
            },
            Grant::Derivation => match self.derivation.ok_or(denied)? {
                Derivation::Allowed => return free(Duty::Nothing),
                Derivation::Credit => return free(Duty::Credit),
                Derivation::Indication => return free(Duty::Indication),
                Derivation::LicensePassthrough => return free(Duty::LicensePassthrough),
                Derivation::RevenueShare(share) => return Err(Refusal::PaidByChild(share)),
                Derivation::FeeOneTime(fee) => Price::OneTime(fee.amount()),
                Derivation::FeeMonthly(fee) => Price::Monthly(fee.amount()),
            },
            Grant::CommercialUse => match self.commercial_use.ok_or(denied)? {
                CommercialUse::Allowed => return free(Duty::Nothing),
                CommercialUse::Credit => return free(Duty::Credit),
                CommercialUse::RevenueShare(share) => Price::RevenueShare(share),
                CommercialUse::FeeOneTime(fee) => Price::OneTime(fee.amount()),
                CommercialUse::FeeMonthly(fee) => Price::Monthly(fee.amount()),
            },
            Grant::DataModelTraining => match self.data_model_training.ok_or(denied)? {
                DataModelTraining::Allowed => return free(Duty::Nothing),
                DataModelTraining::FeeOneTime(fee) => Price::OneTime(fee.amount()),
                DataModelTraining::FeeMonthly(fee) => Price::Monthly(fee.amount()),
            },
        };
        let months_max = match price {
            Price::OneTime(_) => 0,
            Price::Monthly(_) | Price::RevenueShare(_) => self.months_max(),
        };
        Ok(Quote {
            grant,
            price,
            months_max,
            terms: self.id(),
        })
    }

    /// The most months that a licence can run: no longer than the terms themselves.
    fn months_max(&self) -> u32 {
        let years = self.expiry_years.map_or(u32::MAX, |years| years.get());
        years.saturating_mul(12).min(MONTHS_MAX)
    }
}
