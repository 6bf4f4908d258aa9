//! Whether an asset may be made from another, and what it then owes.
//!
//! Training a model on a data set needs the data set's `Data-Model-Training`. Whatever
//! else is made from an asset needs its `Derivation`: a model that is fine-tuned,
//! merged, quantised or pruned, a data set that is cleaned or joined. A share that the
//! parent's `Derivation` states is owed by every child.

use protocol::record::AssetKind;

use crate::{DataModelTraining, Derivation, Percent, Terms};

/// Why a child may not be made from a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DerivationRefusal {
    /// The terms grant no derivation.
    #[error("the terms of this parent do not grant Derivation: choose another parent")]
    DerivationNotGranted,
    /// The data set's terms grant no training.
    #[error(
        "the terms of this parent data set do not grant Data-Model-Training: choose another \
         data set"
    )]
    TrainingNotGranted,
    /// The parent's terms must be the child's too, and are not.
    #[error(
        "the terms of this parent pass on to its children (Allowed-With-License-Passthrough): \
         give the child exactly the same terms"
    )]
    TermsNotPassedOn,
    /// Derivation for a fee.
    #[error(
        "derivation for a one-time fee of {} LODE is not supported for now: choose a parent \
         whose terms ask for a revenue share, credit or nothing", .0.amount().to_lode_string()
    )]
    DerivationFeeNotYet(crate::Fee),
    /// Training for a fee.
    #[error(
        "training for a one-time fee of {} LODE is not supported for now: choose a data set \
         whose terms grant Data-Model-Training without a fee", .0.amount().to_lode_string()
    )]
    TrainingFeeNotYet(crate::Fee),
    /// Derivation for a monthly fee.
    #[error(
        "derivation for a fee of {} LODE a month is not supported for now: choose a parent \
         whose terms ask for a revenue share, credit or nothing", .0.amount().to_lode_string()
    )]
    DerivationMonthlyFeeNotYet(crate::Fee),
    /// Training for a monthly fee.
    #[error(
        "training for a fee of {} LODE a month is not supported for now: choose a data set \
         whose terms grant Data-Model-Training without a fee", .0.amount().to_lode_string()
    )]
    TrainingMonthlyFeeNotYet(crate::Fee),
}

impl DerivationRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DerivationNotGranted => "derivation_not_granted",
            Self::TrainingNotGranted => "training_not_granted",
            Self::TermsNotPassedOn => "terms_not_passed_on",
            Self::DerivationFeeNotYet(_) => "derivation_fee_not_yet",
            Self::TrainingFeeNotYet(_) => "training_fee_not_yet",
            Self::DerivationMonthlyFeeNotYet(_) => "derivation_monthly_fee_not_yet",
            Self::TrainingMonthlyFeeNotYet(_) => "training_monthly_fee_not_yet",
        }
    }
}

/// Checks one parent of a child: the share of the child's gross income that
/// the parent is owed, if any. Both kinds decide which of the parent's grants
/// the child needs.
///
/// # Errors
/// [`DerivationRefusal`] if the parent's terms do not let this child be made.
pub fn check_derivation(
    parent: &Terms,
    kind: AssetKind,
    child: &Terms,
    child_kind: AssetKind,
) -> Result<Option<Percent>, DerivationRefusal> {
    match is_training(kind, child_kind) {
        true => trained(parent),
        false => derived(parent, child),
    }
}

/// Whether a child of this kind is trained on such a parent; else it derives from it.
pub const fn is_training(parent: AssetKind, child: AssetKind) -> bool {
    matches!((parent, child), (AssetKind::DataSet, AssetKind::Model))
}

fn derived(parent: &Terms, child: &Terms) -> Result<Option<Percent>, DerivationRefusal> {
    match parent
        .derivation
        .ok_or(DerivationRefusal::DerivationNotGranted)?
    {
        Derivation::Allowed | Derivation::Credit | Derivation::Indication => Ok(None),
        Derivation::LicensePassthrough if child == parent => Ok(None),
        Derivation::LicensePassthrough => Err(DerivationRefusal::TermsNotPassedOn),
        Derivation::RevenueShare(share) => Ok(Some(share)),
        Derivation::FeeOneTime(fee) => Err(DerivationRefusal::DerivationFeeNotYet(fee)),
        Derivation::FeeMonthly(fee) => Err(DerivationRefusal::DerivationMonthlyFeeNotYet(fee)),
    }
}

/// Training is not derivation, so only a share is taken from that tag: to be
/// owed a part of what was trained, a data set states it there.
fn trained(parent: &Terms) -> Result<Option<Percent>, DerivationRefusal> {
    match parent
        .data_model_training
        .ok_or(DerivationRefusal::TrainingNotGranted)?
    {
        DataModelTraining::FeeOneTime(fee) => Err(DerivationRefusal::TrainingFeeNotYet(fee)),
        DataModelTraining::FeeMonthly(fee) => Err(DerivationRefusal::TrainingMonthlyFeeNotYet(fee)),
        DataModelTraining::Allowed => Ok(match parent.derivation {
            Some(Derivation::RevenueShare(share)) => Some(share),
            _ => None,
        }),
    }
}
