//! Universal Data License tags to terms, prices, splits and royalty stacks.
//!
//! Pure: no clock, disk, network, thread, float or entropy. Only what this
//! market can honour today is read: the canonical 0.2 vocabulary without time
//! bands, priced in LODE. Everything else is refused by its name, and never
//! read as granting less or more than it says.
//!
//! | module | what it holds |
//! |---|---|
//! | [`terms`] | the terms of an asset: values, canonical tags, id |
//! | [`parse`] | tags to terms; what is refused, with the nearest legal spelling |
//! | [`sentence`] | the same terms in plain English, one sentence a grant |
//! | [`grant`] | what can be asked for, and what it costs |
//! | [`derivation`] | whether an asset may be made from another, and what it then owes |
//! | [`loosening`] | whether new terms ask for no more than old ones |
//! | [`royalty`] | the royalty stack: what every ancestor gets of all income |
//! | [`split`] | exact division by weights, the remainder in record order |
//! | [`percent`] | percentages as integers |
//! | [`presets`] | the three sets of terms that most people want |
//! | [`certificate`] | a licence that proves itself, offline |

pub mod certificate;
pub mod derivation;
pub mod grant;
pub mod loosening;
pub mod parse;
pub mod percent;
pub mod presets;
pub mod royalty;
pub mod sentence;
mod spelling;
pub mod split;
pub mod terms;

pub use certificate::{Certificate, CertificateError, Proven};
pub use derivation::{DerivationRefusal, check_derivation, is_training};
pub use grant::{Duty, Grant, MONTHS_MAX, Price, Quote, Refusal};
pub use parse::TermsError;
pub use percent::{Percent, PercentError};
pub use royalty::{RoyaltyStack, STACK_ENTRIES_MAX, StackError};
pub use split::{SplitError, split_amount, split_by_weights};
pub use terms::{
    CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Terms, UnknownUsageRights,
};
