//! An asset's income, booked again from what the log says of it.
//!
//! A pool is a cumulative index: an income adds ⌊(income + remainder) / 1,000,000⌋
//! to what one share has earned, and the new remainder stays for the next income.
//! A holder is owed shares × (index now − index at the last change) and what was
//! owed before. Pure: entries in, balances out; what does not agree is noted.

use std::collections::BTreeMap;

use protocol::Amount;
use protocol::id::Address;
use protocol::record::{Holder, SHARES_PER_ASSET};

/// The books of one asset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Who holds, or was owed something.
    pub accounts: BTreeMap<Address, Account>,
    /// All income.
    pub income: Amount,
    /// All claims.
    pub claimed: Amount,
    /// What did not divide by the number of shares.
    pub remainder: Amount,
    /// What one share has earned.
    per_share: Amount,
    /// Whether each income goes whole to one holder, drawn by shares.
    is_drawn: bool,
    /// What does not agree, in order.
    pub flaws: Vec<String>,
}

/// An account's page in the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Royalty shares now.
    pub shares: u32,
    /// All that they earned.
    pub earned: Amount,
    /// Of that, claimed.
    pub claimed: Amount,
}

impl Account {
    /// What can be claimed.
    pub fn owed(&self) -> Option<Amount> {
        self.earned.checked_sub(self.claimed)
    }
}

impl Book {
    /// Books that begin with these holders, of an income that is divided by shares or
    /// drawn for.
    pub fn new(holders: &[Holder], is_drawn: bool) -> Self {
        let mut book = Self {
            is_drawn,
            ..Self::default()
        };
        let mut sum = 0u64;
        for holder in holders {
            sum += u64::from(holder.shares);
            book.accounts.entry(holder.account).or_default().shares += holder.shares;
        }
        if sum != u64::from(SHARES_PER_ASSET) {
            book.flaw(format!(
                "it began with {sum} shares, not {SHARES_PER_ASSET}"
            ));
        }
        book
    }

    fn flaw(&mut self, flaw: String) {
        self.flaws.push(flaw);
    }

    /// What is in the purse.
    pub fn unclaimed(&self) -> Option<Amount> {
        self.income.checked_sub(self.claimed)
    }

    /// Books an income.
    pub fn receive(&mut self, amount: Amount) {
        if self.is_drawn {
            // It waits in the purse for its draw.
            match self.income.checked_add(amount) {
                Some(income) => self.income = income,
                None => self.flaw(format!("an income of {amount} base units overflows")),
            }
            return;
        }
        let received = || {
            let whole = amount.checked_add(self.remainder)?;
            let (each, remainder) = whole.checked_div_rem(u128::from(SHARES_PER_ASSET))?;
            let mut accounts = self.accounts.clone();
            for account in accounts.values_mut() {
                let part = each.checked_mul(u128::from(account.shares))?;
                account.earned = account.earned.checked_add(part)?;
            }
            Some(Self {
                accounts,
                income: self.income.checked_add(amount)?,
                remainder,
                per_share: self.per_share.checked_add(each)?,
                ..self.clone()
            })
        };
        match received() {
            Some(book) => *self = book,
            None => self.flaw(format!("an income of {amount} base units overflows")),
        }
    }

    /// Books an income that went to the holder that was drawn for it.
    pub fn draw(&mut self, account: Address, amount: Amount) {
        let lode = amount.to_lode_string();
        if !self.is_drawn {
            self.flaw(format!(
                "{account} was drawn for {lode} LODE, and nothing is drawn"
            ));
        }
        if self.unclaimed().is_none_or(|there| there < amount) {
            self.flaw(format!(
                "{account} was drawn for {lode} LODE, which were not there"
            ));
        }
        let page = self.accounts.entry(account).or_default();
        if page.shares == 0 {
            self.flaw(format!("{account} was drawn and holds no share"));
        }
        let page = self.accounts.entry(account).or_default();
        let earned = page.earned.checked_add(amount);
        if let Some(earned) = earned {
            page.earned = earned;
        }
        // It is paid in the same breath.
        self.claim(account, amount);
    }

    /// Books a claim, which takes all that is owed.
    pub fn claim(&mut self, account: Address, amount: Amount) {
        let page = self.accounts.entry(account).or_default();
        let owed = page.owed();
        if owed != Some(amount) {
            let owed = owed.map_or_else(|| "less than nothing".into(), Amount::to_lode_string);
            let took = amount.to_lode_string();
            self.flaw(format!("{account} claimed {took} LODE and was owed {owed}"));
        }
        let page = self.accounts.entry(account).or_default();
        let sums = (
            page.claimed.checked_add(amount),
            self.claimed.checked_add(amount),
        );
        match sums {
            (Some(of_account), Some(of_all)) => {
                page.claimed = of_account;
                self.claimed = of_all;
            }
            _ => self.flaw(format!("a claim of {amount} base units overflows")),
        }
    }

    /// Books a transfer of shares.
    pub fn transfer(&mut self, from: Address, to: Address, shares: u32) {
        let held = self.accounts.get(&from).map_or(0, |page| page.shares);
        let Some(left) = held.checked_sub(shares) else {
            self.flaw(format!("{from} gave {shares} shares and had {held}"));
            return;
        };
        self.accounts.entry(from).or_default().shares = left;
        self.accounts.entry(to).or_default().shares += shares;
    }

    /// Compares with what a node says of the asset: income, what is unclaimed, and
    /// shares and debt of each holder.
    pub fn compare(
        &mut self,
        income: Amount,
        unclaimed: Amount,
        holders: &BTreeMap<Address, (u32, Amount)>,
    ) {
        let lode = |amount: Option<Amount>| amount.map_or("?".into(), Amount::to_lode_string);
        let mut flaws = Vec::new();
        for (what, derived, said) in [
            ("income", Some(self.income), income),
            ("unclaimed", self.unclaimed(), unclaimed),
        ] {
            if derived != Some(said) {
                let (derived, said) = (lode(derived), lode(Some(said)));
                flaws.push(format!(
                    "{what}: {derived} LODE by the log, {said} by the node"
                ));
            }
        }
        let nothing = (0, Amount::ZERO);
        let here = self.accounts.iter();
        let mut here: BTreeMap<Address, (u32, Option<Amount>)> = here
            .map(|(address, page)| (*address, (page.shares, page.owed())))
            .collect();
        for address in holders.keys() {
            here.entry(*address).or_insert((0, Some(Amount::ZERO)));
        }
        let mut owed_by_all = Some(self.remainder);
        for (address, (shares, owed)) in here {
            let said = holders.get(&address).copied().unwrap_or(nothing);
            if (shares, owed) != (said.0, Some(said.1)) {
                let (derived, said_owed) = (lode(owed), lode(Some(said.1)));
                flaws.push(format!(
                    "{address}: {shares} shares and {derived} LODE owed by the log, {} and \
                     {said_owed} by the node",
                    said.0
                ));
            }
            owed_by_all = owed_by_all.and_then(|sum| sum.checked_add(owed?));
        }
        // What is drawn for is owed to nobody before.
        if owed_by_all != self.unclaimed() && !self.is_drawn {
            flaws.push("what is owed and the remainder are not what is unclaimed".to_owned());
        }
        self.flaws.append(&mut flaws);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address([1; 32]);
    const B: Address = Address([2; 32]);
    const C: Address = Address([3; 32]);

    fn units(count: u128) -> Amount {
        Amount::from_base_units(count)
    }

    fn book() -> Book {
        let holder = |account, shares| Holder { account, shares };
        Book::new(&[holder(A, 600_000), holder(B, 400_000)], false)
    }

    fn owed(book: &Book, account: Address) -> u128 {
        book.accounts[&account].owed().unwrap().base_units()
    }

    #[test]
    fn every_unit_is_owed_or_waits_for_the_next_income() {
        let mut book = book();
        book.receive(units(2_500_000));
        assert_eq!((owed(&book, A), owed(&book, B)), (1_200_000, 800_000));
        assert_eq!(book.remainder, units(500_000));
        book.transfer(A, C, 100_000);
        book.receive(units(500_000));
        assert_eq!((owed(&book, A), owed(&book, C)), (1_700_000, 100_000));
        book.claim(A, units(1_700_000));
        assert_eq!(book.unclaimed(), Some(units(1_300_000)));
        let said = [
            (A, (500_000, units(0))),
            (B, (400_000, units(1_200_000))),
            (C, (100_000, units(100_000))),
        ];
        book.compare(units(3_000_000), units(1_300_000), &said.into());
        assert_eq!(book.flaws, Vec::<String>::new());
    }

    #[test]
    fn whatever_does_not_agree_is_said() {
        let said = [
            (A, (600_000, units(600_000))),
            (B, (400_000, units(400_000))),
        ];
        let check = |change: fn(&mut Book), income, unclaimed, flaws| {
            let mut book = book();
            book.receive(units(1_000_000));
            change(&mut book);
            book.compare(units(income), units(unclaimed), &said.into());
            assert_eq!(book.flaws.len(), flaws, "{:?}", book.flaws);
        };
        check(|_| {}, 1_000_000, 1_000_000, 0);
        check(|_| {}, 1_000_001, 1_000_000, 1);
        check(|_| {}, 1_000_000, 999_999, 1);
        check(|book| book.claim(A, units(1)), 1_000_000, 999_999, 2);
        check(|book| book.transfer(A, B, 1), 1_000_000, 1_000_000, 2);
        check(|book| book.transfer(C, B, 1), 1_000_000, 1_000_000, 1);
        check(|book| book.claim(C, units(5)), 1_000_000, 999_995, 3);
        let short = Book::new(&[], false);
        assert_eq!(short.flaws.len(), 1);
    }

    #[test]
    fn a_drawn_income_goes_whole_to_a_holder_or_waits() {
        let holder = |account, shares| Holder { account, shares };
        let begin = || Book::new(&[holder(A, 600_000), holder(B, 400_000)], true);
        let mut book = begin();
        book.receive(units(7));
        book.receive(units(5));
        book.draw(B, units(7));
        let said = [(A, (600_000, units(0))), (B, (400_000, units(0)))];
        book.compare(units(12), units(5), &said.into());
        assert_eq!(book.flaws, Vec::<String>::new());
        assert_eq!(book.accounts[&B].claimed, units(7));
        book.draw(B, units(6));
        assert_eq!(book.flaws.len(), 1, "more than was there");
        let mut book = begin();
        book.receive(units(7));
        book.draw(C, units(7));
        assert_eq!(book.flaws.len(), 1, "no holder");
    }
}
