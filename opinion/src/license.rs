//! Licences: what was bought when, and what the clock owes for it. How far a licence
//! has come is never kept: it is counted from the times at which its months began.

use licensing::Price;
use protocol::receipt::{Purse, Rule};
use protocol::record::{BuyLicense, Transaction};
use protocol::{Address, ItemId};
use sha2::{Digest as _, Sha256};

use crate::model::{Model, Refused};
use crate::money::{Units, units};

/// A licence, and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// The record that bought it.
    pub id: ItemId,
    /// The asset.
    pub asset: ItemId,
    /// Whose it is.
    pub licensee: Address,
    /// When it was bought.
    pub bought_ms: u64,
    /// For how many months, and what each costs; none: once, for good.
    pub months: Option<(u32, Units)>,
    /// Block times at which months began, the first with the purchase.
    pub began: Vec<u64>,
    /// Block time at which it was over.
    pub ended_ms: Option<u64>,
}

impl Model {
    /// When the clock next has to do with a licence: its next month begins, or its last is over.
    pub(crate) fn license_due_ms(&self, license: &License) -> Option<u64> {
        license.months.as_ref()?;
        let begun = license.began.len() as u64;
        let due_ms = license.bought_ms + begun * self.parameters.month_ms;
        license.ended_ms.is_none().then_some(due_ms)
    }

    /// One piece of work for each licence that has any: by due time, then by id.
    pub(crate) fn licenses_due(&mut self) {
        let due = self.licenses.iter().enumerate().filter_map(|(place, it)| {
            let due_ms = self.license_due_ms(it)?;
            (due_ms <= self.time_ms).then_some((due_ms, it.id, place))
        });
        let mut due: Vec<(u64, ItemId, usize)> = due.collect();
        due.sort_unstable();
        for (_, _, place) in due {
            self.license_due(place);
        }
    }

    fn license_due(&mut self, place: usize) {
        let it = self.licenses[place].clone();
        let (months, price) = it.months.expect("it has months");
        if it.began.len() == months as usize {
            self.licenses[place].ended_ms = Some(self.time_ms);
            self.coverage.saw("licence: its months are over");
            return;
        }
        self.licenses[place].began.push(self.time_ms);
        let month = it.began.len() as u32 + 1;
        let mut name = Sha256::new();
        name.update(b"lode/month/1");
        name.update(it.id.0);
        name.update(month.to_le_bytes());
        let escrow = Purse::Escrow(it.asset, it.id);
        let paid = self.earn(escrow, ItemId(name.finalize().into()), it.asset, &price);
        assert_eq!(paid, Ok(()), "months to come are in escrow");
        self.coverage.saw("licence: a month began");
        let left = self.money.balance(escrow);
        assert_eq!(left, price * (months - month), "the months to come");
    }

    pub(crate) fn buy_license(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        body: &BuyLicense,
    ) -> Result<(), Refused> {
        let asset = self.assets.get(&id).ok_or("no such asset")?;
        if asset.terms.id() != body.terms {
            return Err("other terms");
        }
        let quote = asset.terms.quote(body.grant).map_err(|_| "not for sale")?;
        let years = asset.terms.expiry_years.map(|years| u64::from(years.get()));
        let count = u64::from(body.months);
        let (first, months) = match quote.price {
            Price::OneTime(price) => (units(price), None),
            Price::Monthly(price) => (units(price), Some((body.months, units(price)))),
        };
        match months {
            None if count > 0 => return Err("no months are sold"),
            Some(_) if count == 0 || count > 120 => return Err("so many months are not sold"),
            Some(_) if years.is_some_and(|years| count > 12 * years) => {
                return Err("the terms end before");
            }
            _ => {}
        }
        let price = &first * body.months.max(1);
        if price > units(body.price_max) {
            return Err("too dear");
        }
        self.deposit(tx)?;
        let buyer = Purse::Account(tx.signer);
        let escrow = Purse::Escrow(id, tx.id);
        self.money
            .pay(buyer, escrow, &(&price - &first), Rule::Escrow)?;
        self.earn(buyer, tx.id, id, &first)?;
        self.licenses.push(License {
            id: tx.id,
            asset: id,
            licensee: tx.signer,
            bought_ms: self.time_ms,
            began: months.iter().map(|_| self.time_ms).collect(),
            months,
            ended_ms: None,
        });
        Ok(())
    }
}
