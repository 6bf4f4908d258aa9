//! Licences: what was bought when, and what the clock owes for it. How far a licence
//! has come is never kept: it is read off the times at which things happened.

use num_rational::BigRational;
use protocol::receipt::{Cause, Event, Purse, Rule};
use protocol::record::{BuyLicense, DeclareRevenue, Transaction};
use protocol::{Address, Amount, ItemId};
use sha2::{Digest as _, Sha256};

use crate::model::{Model, Refused};
use crate::money::{Units, units};
use crate::tags::{self, Asked};

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
    /// For how many months, and what each costs in advance; none: once, for good.
    pub months: Option<(u32, Units)>,
    /// The part of its revenue that it owes, if it owes one.
    pub share: Option<BigRational>,
    /// Block times at which months began, the first with the purchase.
    pub began: Vec<u64>,
    /// Block times at which a month's revenue was declared, in order.
    pub declared: Vec<u64>,
    /// When the last fresh grace that was given ends.
    pub fresh: Option<u64>,
    /// Block time at which its months were over.
    pub ended_ms: Option<u64>,
    /// Block time at which it lapsed.
    pub lapsed_ms: Option<u64>,
}

/// What the clock may have to do with a licence, in the order in which it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Lapse,
    Month,
}

impl License {
    /// When so many of its months are over.
    fn over_ms(&self, months: u64, month_ms: u64) -> u64 {
        self.bought_ms + months * month_ms
    }

    /// Whether something is left to declare.
    pub fn owes_a_word(&self) -> bool {
        let count = self.months.as_ref().map_or(0, |(count, _)| *count);
        self.share.is_some() && self.lapsed_ms.is_none() && self.declared.len() < count as usize
    }
}

impl Model {
    /// When the next month whose revenue is not declared is over.
    pub fn next_period_over_ms(&self, license: &License) -> u64 {
        license.over_ms(license.declared.len() as u64 + 1, self.parameters.month_ms)
    }

    /// When grace is over for it.
    fn grace_over_ms(&self, license: &License) -> u64 {
        let over_ms = self.next_period_over_ms(license) + self.parameters.grace_ms;
        over_ms.max(license.fresh.unwrap_or(0))
    }

    /// When the clock next has to do with a licence, and what.
    fn license_duty(&self, license: &License) -> Option<(u64, Duty)> {
        let mut duties = Vec::new();
        let is_over = license.ended_ms.is_some() || license.lapsed_ms.is_some();
        if license.months.is_some() && !is_over {
            let begun = license.began.len() as u64;
            duties.push((
                license.over_ms(begun, self.parameters.month_ms),
                Duty::Month,
            ));
        }
        if license.owes_a_word() {
            duties.push((self.grace_over_ms(license), Duty::Lapse));
        }
        duties.into_iter().min()
    }

    /// Whether a licence is behind.
    pub(crate) fn is_license_behind(&self, license: &License) -> bool {
        let duty = self.license_duty(license);
        duty.is_some_and(|(due_ms, _)| due_ms <= self.time_ms)
    }

    /// One piece of work for each licence that has any: by due time, then by id.
    pub(crate) fn licenses_due(&mut self) {
        let due = self.licenses.iter().enumerate().filter_map(|(place, it)| {
            let (due_ms, duty) = self.license_duty(it)?;
            (due_ms <= self.time_ms).then_some((due_ms, it.id, place, duty))
        });
        let mut due: Vec<(u64, ItemId, usize, Duty)> = due.collect();
        due.sort_unstable();
        for (due_ms, id, place, duty) in due {
            match duty {
                Duty::Lapse => self.grace_is_over(due_ms, place),
                Duty::Month => self.month_is_over(place),
            }
            self.receipt(Cause::License(id), None);
        }
    }

    fn grace_is_over(&mut self, due_ms: u64, place: usize) {
        let day = 24 * 3_600_000;
        let (asset, id, licensee) = {
            let it = &self.licenses[place];
            (it.asset, it.id, it.licensee)
        };
        if self.was_missed(due_ms) {
            let until_ms = self.time_ms + self.parameters.grace_ms.min(day);
            self.licenses[place].fresh = Some(until_ms);
            self.event(Event::GraceExtended {
                license: id,
                asset,
                licensee,
                until_ms,
            });
            self.coverage.saw("licence: fresh grace");
            return;
        }
        self.licenses[place].lapsed_ms = Some(self.time_ms);
        let escrow = Purse::Escrow(asset, id);
        let how = match self.money.balance(escrow) == Units::from(0) {
            true => "licence: lapsed with nothing left",
            false => "licence: lapsed, the rest returned",
        };
        self.coverage.saw(how);
        self.money
            .empty(escrow, Purse::Account(licensee), Rule::Refund);
        self.event(Event::LicenseLapsed {
            license: id,
            asset,
            licensee,
            period: self.licenses[place].declared.len() as u32 + 1,
        });
    }

    fn month_is_over(&mut self, place: usize) {
        let it = self.licenses[place].clone();
        let (months, price) = it.months.expect("it has months");
        if it.began.len() == months as usize {
            self.licenses[place].ended_ms = Some(self.time_ms);
            self.event(Event::LicenseEnded {
                license: it.id,
                asset: it.asset,
                licensee: it.licensee,
            });
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
        self.event(Event::MonthBegan {
            license: it.id,
            asset: it.asset,
            licensee: it.licensee,
            month,
        });
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
        let asset = self.assets.get(&id).ok_or("unknown_asset")?;
        if asset.terms.id() != body.terms {
            return Err("terms_changed");
        }
        let asked = tags::price(&asset.terms, body.grant)?;
        let years = asset.terms.expiry_years.map(|years| u64::from(years.get()));
        let count = u64::from(body.months);
        let (first, is_once, share) = match asked {
            Asked::Once(price) => (price, true, None),
            Asked::EachMonth(price) => (price, false, None),
            Asked::Part(part) => {
                let share = BigRational::new(Units::from(part), Units::from(tags::WHOLE));
                (units(self.parameters.revenue_minimum), false, Some(share))
            }
            Asked::Nothing | Asked::ItsTerms => unreachable!("it has a price"),
        };
        if is_once && count > 0 {
            return Err("sold_once");
        }
        if !is_once && (count == 0 || count > 120) {
            return Err("sold_by_month");
        }
        if years.is_some_and(|years| count > 12 * years) {
            return Err("sold_by_month");
        }
        let price = &first * body.months.max(1);
        if price > units(Amount::MAX) {
            return Err("overflow");
        }
        if price > units(body.price_max) {
            return Err("price_above_max");
        }
        self.deposit(tx)?;
        let buyer = Purse::Account(tx.signer);
        let escrow = Purse::Escrow(id, tx.id);
        self.money
            .pay(buyer, escrow, &(&price - &first), Rule::Escrow)?;
        self.earn(buyer, tx.id, id, &first)?;
        self.event(Event::LicenseIssued {
            license: tx.id,
            asset: id,
            licensee: tx.signer,
            grant: body.grant,
            terms: body.terms,
            price: Amount::from_base_units(u128::try_from(price).expect("it was paid")),
        });
        if !is_once {
            self.event(Event::LicenseRuns {
                license: tx.id,
                months: body.months,
                until_ms: self.time_ms + count * self.parameters.month_ms,
            });
        }
        self.licenses.push(License {
            id: tx.id,
            asset: id,
            licensee: tx.signer,
            bought_ms: self.time_ms,
            months: (!is_once).then_some((body.months, first)),
            share,
            began: if is_once {
                Vec::new()
            } else {
                vec![self.time_ms]
            },
            declared: Vec::new(),
            fresh: None,
            ended_ms: None,
            lapsed_ms: None,
        });
        Ok(())
    }

    pub(crate) fn declare_revenue(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        body: &DeclareRevenue,
    ) -> Result<(), Refused> {
        let place = self.licenses.iter().position(|it| it.id == id);
        let place = place.ok_or("unknown_license")?;
        let it = self.licenses[place].clone();
        if it.licensee != tx.signer {
            return Err("not_owner");
        }
        if it.share.is_none() {
            return Err("no_revenue_share");
        }
        if it.lapsed_ms.is_some() {
            return Err("license_lapsed");
        }
        if !it.owes_a_word() {
            return Err("all_declared");
        }
        if body.period as usize != it.declared.len() + 1 {
            return Err("other_period");
        }
        if self.time_ms < self.next_period_over_ms(&it) {
            return Err("period_not_over");
        }
        let (_, minimum) = it.months.clone().expect("it was sold for months");
        let share = it.share.clone().expect("it owes a share");
        let owed = (share * BigRational::from(units(body.revenue)))
            .floor()
            .to_integer();
        let more = (owed - minimum).max(Units::from(0));
        let licensee = Purse::Account(tx.signer);
        self.earn(licensee, tx.id, it.asset, &more)?;
        self.licenses[place].declared.push(self.time_ms);
        self.event(Event::RevenueDeclared {
            license: id,
            asset: it.asset,
            licensee: it.licensee,
            period: body.period,
            revenue: body.revenue,
            paid: Amount::from_base_units(u128::try_from(&more).expect("it was paid")),
        });
        self.coverage.saw(match more == Units::from(0) {
            true => "licence: declared at the minimum",
            false => "licence: declared above the minimum",
        });
        Ok(())
    }
}
