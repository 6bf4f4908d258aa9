//! Who is richer by how much.

use protocol::receipt::{Purse, Receipt, Rule};

use super::{World, address};

impl World {
    pub(super) fn count_gains(&mut self, receipt: &Receipt) {
        for step in &receipt.moves {
            let amount = step.amount.base_units();
            if step.rule == Rule::ByteFee {
                let Purse::Account(who) = step.from else {
                    unreachable!("an account pays it")
                };
                *self.bytes.entry(who).or_default() += amount;
                continue;
            }
            let change = i128::try_from(amount).expect("amounts are small");
            for (purse, change) in [(step.from, -change), (step.to, change)] {
                let who = match purse {
                    Purse::Account(who) | Purse::Stake(who) | Purse::Seat(_, who) => who,
                    Purse::Deposit(record) => self.depositors[&record],
                    _ => continue,
                };
                *self.gains.entry(who).or_default() += change;
            }
        }
    }

    /// By how much somebody is richer than at the beginning, all that is on the
    /// account, staked, in seats and deposited; byte fees left out.
    pub fn gain(&self, who: &str) -> i128 {
        self.gains.get(&address(who)).copied().unwrap_or(0)
    }

    /// The byte fees that somebody has paid.
    pub fn bytes_paid(&self, who: &str) -> u128 {
        self.bytes.get(&address(who)).copied().unwrap_or(0)
    }

    /// What somebody's records have locked in deposits.
    pub fn deposits(&self, who: &str) -> u128 {
        let records = self.depositors.iter();
        let theirs = records.filter(|(_, signer)| **signer == address(who));
        theirs
            .map(|(&record, _)| self.state.balance(Purse::Deposit(record)).base_units())
            .sum()
    }
}
