//! Whether an account has all that an action takes, now and later: the ledger names only the step that
//! failed, and does not know what is still to come.

use protocol::Amount;
use protocol::api::Status;
use protocol::id::Address;
use protocol::record::Action;

use crate::failure::{Exit, Failure};
use crate::session::Session;

/// What parts make together. One that is not known counts nothing; what no amount can hold is the most.
pub fn sum(parts: impl IntoIterator<Item = Option<Amount>>) -> Amount {
    let known = parts.into_iter().flatten();
    known.fold(Amount::ZERO, |sum, part| {
        sum.checked_add(part).unwrap_or(Amount::MAX)
    })
}

/// The deposit of a record that makes state.
pub fn deposit(status: &Status, byte_fee: Option<Amount>) -> Option<Amount> {
    byte_fee?.checked_mul(u128::from(status.parameters.deposit_factor))
}

/// Whether a refusal of the ledger is for want of money.
pub fn is_lack(code: &str) -> bool {
    matches!(code, "insufficient_funds" | "fee_unpayable")
}

/// What an action takes from its account, and what to do without it.
pub struct Needed {
    /// What makes the sum, as the subject of a sentence in the plural.
    pub what: &'static str,
    pub amount: Amount,
    pub next: &'static str,
}

impl Needed {
    /// The failure, if the account has less.
    pub fn lacking(&self, balance: Amount) -> Option<Failure> {
        if self.amount <= balance {
            return None;
        }
        let message = format_args!(
            "{} take {} LODE, the account has {} LODE",
            self.what,
            self.amount.to_lode_string(),
            balance.to_lode_string()
        );
        Some(Failure::new("insufficient_funds", message, self.next).exit(Exit::Rejected))
    }
}

/// That the account has what an action takes. Where it has less and another rule is in the way too, that rule is
/// named: more money would not help.
///
/// # Errors
/// It has less, or the node cannot be asked.
pub fn check(
    session: &Session,
    me: Address,
    action: &Action,
    needed: &Needed,
) -> Result<(), Failure> {
    let balance = session.client()?.account(me)?.balance;
    let Some(lacking) = needed.lacking(balance) else {
        return Ok(());
    };
    match session.try_as(me, action) {
        Err(failure) if !is_lack(&failure.code) => Err(failure),
        _ => Err(lacking),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_said_as_one_sum() {
        let lode = |lode| Amount::from_lode(lode).unwrap();
        let parts = [Some(lode(3)), None, Some(lode(4))];
        let needed = Needed {
            what: "this and that",
            amount: sum(parts),
            next: "wait",
        };
        assert!(needed.lacking(lode(7)).is_none());
        let failure = needed.lacking(lode(6)).unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.exit),
            ("insufficient_funds", Exit::Rejected)
        );
        assert_eq!(
            failure.message,
            "this and that take 7 LODE, the account has 6 LODE"
        );
        assert_eq!(sum([Some(Amount::MAX), Some(lode(1))]), Amount::MAX);
    }
}
