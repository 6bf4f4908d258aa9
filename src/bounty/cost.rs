//! What a bounty costs its sponsor, and the node's word on a trial of it.

use protocol::api::Status;
use protocol::record::{Action, Pay, PostBounty, RevealTestSet};
use protocol::seal::SealKey;
use protocol::{Amount, ItemId};
use serde::Serialize;

use super::check::Check;
use super::plan::{Finding, Weight};
use crate::failure::{Exit, Failure};
use crate::funds::{self, Needed};
use crate::out;
use crate::session::{Session, byte_fee};

/// What posting takes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Paid to the winner; returns if there is none.
    pub reward: Amount,
    /// Of that, what a parent's fund pays; it returns to the fund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fund: Option<Amount>,
    /// Returns, unless the bounty fails by the sponsor's fault.
    pub bond: Amount,
    /// What pays the evaluation of the first submissions; what of it is not used returns.
    pub prepaid: Option<Amount>,
    /// Burned, if it is known.
    pub byte_fee: Option<Amount>,
    /// Returns when the bounty is forgotten, if it is known.
    pub deposit: Option<Amount>,
    /// Burned by the record that reveals the test set's key, if it is known.
    pub key_fee: Option<Amount>,
    /// What the account has, if it is known.
    pub balance: Option<Amount>,
}

impl Cost {
    /// All that the account has to have, now and until the key is revealed.
    fn needed(&self) -> Amount {
        let fund = self.fund.unwrap_or(Amount::ZERO);
        let own = self.reward.checked_sub(fund);
        let parts = [self.prepaid, self.byte_fee, self.deposit, self.key_fee];
        funds::sum([own, Some(self.bond)].into_iter().chain(parts))
    }

    /// Prints what a posting takes from the account, and what becomes of it.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn print(&self, posting: &PostBounty) -> Result<(), Failure> {
        let lode = |amount: Amount| amount.to_lode_string();
        let mut rows = vec![
            vec![
                lode(self.reward),
                "reward".to_owned(),
                match posting.pay {
                    Pay::WinnerTakesAll => {
                        "goes to the winner; returns if nobody reaches the reserve, or the bounty is void"
                    }
                    Pay::Steps => {
                        "is shared by all who improve on the best before them; returns if nobody does, or the bounty is void"
                    }
                }
                .to_owned(),
            ],
            vec![
                lode(self.bond),
                "bond".to_owned(),
                "returns when it ends; lost if you withhold the test key, let it out early, or the test set \
                 is bad"
                    .to_owned(),
            ],
        ];
        let further = [
            (
                self.fund,
                "of the reward",
                "out of the parent's fund, not your account; returns to the fund if nobody wins it",
            ),
            (
                self.prepaid.filter(|fees| !fees.is_zero()),
                "prepaid fees",
                "pays the evaluation of the first submissions; what is not used returns",
            ),
            (self.byte_fee, "byte fee", "burned"),
            (
                self.deposit,
                "deposit",
                "for its place in the state; returns when the ended bounty is forgotten",
            ),
            (
                self.key_fee,
                "byte fee of the key",
                "burned later, by the record that reveals the key of the test set",
            ),
            (
                self.byte_fee.map(|_| self.needed()),
                "in all",
                "what your account has to have",
            ),
        ];
        rows.extend(further.into_iter().filter_map(|(amount, what, becomes)| {
            Some(vec![lode(amount?), what.to_owned(), becomes.to_owned()])
        }));
        out::line(&format!("'{}' takes from your account:", posting.title))?;
        out::line(&out::table(&["LODE", "", "what becomes of it"], &[0], rows).to_string())
    }
}

impl Check {
    /// What it costs, whether the account has that, and the node's word on it all.
    pub(super) fn trial(
        &mut self,
        session: &Session,
        status: &Status,
        posting: Option<&PostBounty>,
        reward: Option<Amount>,
        fee: Option<Amount>,
    ) -> Result<Option<Cost>, Failure> {
        let account = match session.address() {
            Ok(address) => Some(address),
            Err(failure) => {
                let finding = Finding::of(Weight::Unknown, "account", &failure);
                self.findings.push(finding);
                None
            }
        };
        let Some(reward) = reward else {
            return Ok(None);
        };
        let Some(bond) = bond_of(reward, fee, status) else {
            self.ledger("overflow", "money.reward", "too large", "offer less");
            return Ok(None);
        };
        let mut cost = Cost {
            reward,
            fund: None,
            bond,
            prepaid: None,
            byte_fee: None,
            deposit: None,
            key_fee: None,
            balance: None,
        };
        let Some(address) = account else {
            return Ok(Some(cost));
        };
        let view = session.client()?.account(address)?;
        cost.balance = Some(view.balance);
        let mut refused = None;
        if let Some(posting) = posting {
            let body = Box::new(posting.clone());
            let action = Action::PostBounty { body };
            match session.try_as(address, &action) {
                Ok(trial) => cost.byte_fee = Some(trial.byte_fee),
                Err(failure) if failure.exit == Exit::Rejected => refused = Some(failure),
                Err(failure) => return Err(failure),
            }
            cost.byte_fee = cost
                .byte_fee
                .or_else(|| byte_fee(status, address, view.next_nonce, &action));
            cost.deposit = funds::deposit(status, cost.byte_fee);
            let reveal = Action::RevealTestSet {
                bounty: ItemId([0; 32]),
                body: RevealTestSet {
                    key: SealKey::from_bytes([0; 32]),
                },
            };
            cost.key_fee = byte_fee(status, address, u64::MAX, &reveal);
            cost.fund = posting.fund.map(|fund| fund.amount);
            cost.prepaid = posting
                .evaluation_fee
                .checked_mul(u128::from(posting.prepaid));
        }
        self.funds(&cost);
        let is_known = |code: &str| {
            let mut codes = self.findings.iter().map(|finding| finding.code.as_str());
            codes.any(|known| known == code || (funds::is_lack(known) && funds::is_lack(code)))
        };
        if let Some(failure) = refused.filter(|failure| !is_known(&failure.code)) {
            let finding = Finding::of(Weight::Ledger, "ledger", &failure);
            self.findings.push(finding);
        }
        Ok(Some(cost))
    }

    fn funds(&mut self, cost: &Cost) {
        let needed = Needed {
            what: "reward, bond, prepaid fees, byte fee, deposit, and the byte fee of the record that reveals the key",
            amount: cost.needed(),
            next: "receive tokens first ('lode account faucet' on a development network), or offer less",
        };
        if let Some(failure) = cost.balance.and_then(|balance| needed.lacking(balance)) {
            let finding = Finding::of(Weight::Ledger, "money.reward", &failure);
            self.findings.push(finding);
        }
    }
}

/// The sponsor's bond for a reward and an evaluation fee, if that is known.
fn bond_of(reward: Amount, fee: Option<Amount>, status: &Status) -> Option<Amount> {
    let millionths = u128::from(status.parameters.sponsor_bond_ppm);
    let part = reward.checked_ratio(millionths, 1_000_000)?;
    Some(part.max(fee.unwrap_or(Amount::ZERO).checked_mul(2)?))
}
