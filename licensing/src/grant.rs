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
    /// What it costs, once; above zero.
    pub price: Amount,
    /// The id of the terms it is bought under.
    pub terms: Digest,
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
    /// Commercial use for a share of what the buyer earns.
    #[error("commercial use for a revenue share of {0} is not sold for now")]
    RevenueShareNotYet(Percent),
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotGranted(_) => "not_granted",
            Self::Free(..) => "nothing_to_buy",
            Self::PaidByChild(_) => "paid_by_child",
            Self::RevenueShareNotYet(_) => "revenue_share_not_yet",
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
            Self::RevenueShareNotYet(_) => "ask its holders for a one-time fee",
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
        let fee = match grant {
            Grant::Access => match self.access_fee {
                None => return free(Duty::Nothing),
                Some(fee) => fee,
            },
            Grant::Derivation => match self.derivation.ok_or(denied)? {
                Derivation::Allowed => return free(Duty::Nothing),
                Derivation::Credit => return free(Duty::Credit),
                Derivation::Indication => return free(Duty::Indication),
                Derivation::LicensePassthrough => return free(Duty::LicensePassthrough),
                Derivation::RevenueShare(share) => return Err(Refusal::PaidByChild(share)),
                Derivation::FeeOneTime(fee) => fee,
            },
            Grant::CommercialUse => match self.commercial_use.ok_or(denied)? {
                CommercialUse::Allowed => return free(Duty::Nothing),
                CommercialUse::Credit => return free(Duty::Credit),
                CommercialUse::RevenueShare(share) => {
                    return Err(Refusal::RevenueShareNotYet(share));
                }
                CommercialUse::FeeOneTime(fee) => fee,
            },
            Grant::DataModelTraining => match self.data_model_training.ok_or(denied)? {
                DataModelTraining::Allowed => return free(Duty::Nothing),
                DataModelTraining::FeeOneTime(fee) => fee,
            },
        };
        Ok(Quote {
            grant,
            price: fee.amount(),
            terms: self.id(),
        })
    }
}
