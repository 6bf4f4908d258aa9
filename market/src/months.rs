//! Months: licences that are paid for in advance, month by month.
//!
//! The first month begins with the purchase, and its price is income at once. The
//! price of the others waits in the licence's escrow; the clock releases one month's
//! at the beginning of each, to the asset's ancestors and to those who hold its shares
//! then. After the last month the licence is over, and is kept. Nothing returns to the
//! licensee, and nothing that happens to the asset's terms reaches a licence that is sold.
//! What a licence for a share of revenue owes beyond that is in `revenue`.

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::Percent;
use protocol::receipt::{Event, LicenseStanding, Purse, Rule};
use protocol::{Amount, ItemId};
use sha2::{Digest as _, Sha256};

use crate::licenses::License;
use crate::state::{Queue, State};
use crate::{revenue, royalties};

/// For how long a licence was bought, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Term {
    /// How many months.
    pub months: u32,
    /// What each of them costs in advance.
    pub month_price: Amount,
    /// How many have begun: their price is income.
    pub begun: u32,
    /// Where it stands.
    pub standing: LicenseStanding,
    /// The share of the licensee's revenue, if it is for one.
    pub share: Option<Percent>,
    /// Of how many months, the first ones, the revenue is declared.
    pub declared: u32,
    /// When the licence lapses if the next one's is not declared.
    pub grace_until_ms: u64,
}

/// What comes next for a licence; at the same time, the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// It lapses.
    Lapse,
    /// A month begins.
    Begin,
    /// Its months are over.
    End,
}

impl Term {
    pub(crate) const fn new(months: u32, month_price: Amount, share: Option<Percent>) -> Self {
        Self {
            months,
            month_price,
            begun: 1,
            standing: LicenseStanding::Runs,
            share,
            declared: 0,
            grace_until_ms: 0,
        }
    }

    /// Whether something is to be declared, and the licence lapses if it is not.
    pub const fn owes_declarations(&self) -> bool {
        let has_lapsed = matches!(self.standing, LicenseStanding::Lapsed);
        self.share.is_some() && self.declared < self.months && !has_lapsed
    }
}

impl State {
    /// When the last month of a licence is over; `None` if it is for good.
    pub fn runs_until_ms(&self, license: &License) -> Option<u64> {
        let term = license.term?;
        Some(self.months_end_ms(license, term.months))
    }

    /// When the first so many months of a licence are over.
    pub fn months_end_ms(&self, license: &License, months: u32) -> u64 {
        let length_ms = u64::from(months).saturating_mul(self.parameters().month_ms);
        license.time_ms.saturating_add(length_ms)
    }
}

/// Begins the months of a licence that was just sold, if it was sold for months.
pub(crate) fn begin(state: &mut State, id: ItemId) {
    let license = state.license(id).expect("it was just sold");
    let Some(term) = license.term else {
        return;
    };
    let grace_until_ms = revenue::grace_until_ms(state, &license, 1);
    change(state, id, |term| term.grace_until_ms = grace_until_ms);
    plan(state, id);
    state.events.push(Event::LicenseRuns {
        license: id,
        months: term.months,
        until_ms: state.months_end_ms(&license, term.months),
    });
}

/// What comes next for a licence, and when.
fn next(state: &State, license: &License) -> Option<(u64, Next)> {
    let term = license.term?;
    let month = (term.standing == LicenseStanding::Runs).then(|| {
        let what = match term.begun < term.months {
            true => Next::Begin,
            false => Next::End,
        };
        (state.months_end_ms(license, term.begun), what)
    });
    let lapse = term
        .owes_declarations()
        .then_some((term.grace_until_ms, Next::Lapse));
    month.into_iter().chain(lapse).min()
}

/// Plans what comes next, if anything does.
pub(crate) fn plan(state: &mut State, id: ItemId) {
    let license = state.license(id).expect("a licence is never forgotten");
    if let Some((due_ms, _)) = next(state, &license) {
        state.plan(Queue::Licenses, due_ms, id);
    }
}

/// Takes back what is planned, before it is changed.
pub(crate) fn unplan(state: &mut State, id: ItemId) {
    let license = state.license(id).expect("a licence is never forgotten");
    if let Some((due_ms, _)) = next(state, &license) {
        state.unplan(Queue::Licenses, due_ms, id);
    }
}

/// Does what is due for a licence.
pub(crate) fn work(state: &mut State, due_ms: u64, id: ItemId) {
    state.spend(4);
    let license = state.license(id).expect("a licence is never forgotten");
    let (_, what) = next(state, &license).expect("it was planned");
    match what {
        Next::Lapse => revenue::lapse(state, id, &license),
        Next::Begin => begin_month(state, due_ms, id, &license),
        Next::End => end(state, id, &license),
    }
    plan(state, id);
}

fn begin_month(state: &mut State, due_ms: u64, id: ItemId, license: &License) {
    let term = license.term.expect("it was sold for months");
    let month = term.begun + 1;
    let (escrow, price) = (Purse::Escrow(license.asset, id), term.month_price);
    let stack = &state.asset(license.asset).expect("assets stay").stack;
    state.spend(4 * (stack.entries().len() + 1));
    let payment = payment(id, month);
    if royalties::receive(state, escrow, payment, license.asset, price).is_err() {
        // What an asset has earned since it began is more than an amount can hold.
        state.undo_work(Queue::Licenses, due_ms, id);
        let licensee = Purse::Account(license.licensee);
        state.pay_all(escrow, licensee, Rule::Refund);
        change(state, id, |term| term.declared = term.months);
        return end(state, id, license);
    }
    change(state, id, |term| term.begun = month);
    state.events.push(Event::MonthBegan {
        license: id,
        asset: license.asset,
        licensee: license.licensee,
        month,
    });
}

/// A licence's last month is over.
fn end(state: &mut State, id: ItemId, license: &License) {
    change(state, id, |term| term.standing = LicenseStanding::Ended);
    state.events.push(Event::LicenseEnded {
        license: id,
        asset: license.asset,
        licensee: license.licensee,
    });
}

/// Changes how far a licence has come.
pub(crate) fn change(state: &mut State, id: ItemId, change: impl FnOnce(&mut Term)) {
    let changed = state.tables.licenses.update(&id, |license| {
        change(license.term.as_mut().expect("it was sold for months"));
    });
    changed.expect("a licence is never forgotten");
}

/// The name of a month's payment, for the draw of a holder: SHA-256 over
/// `"lode/month/1"`, the licence and the month (4 bytes, little-endian).
fn payment(license: ItemId, month: u32) -> ItemId {
    let mut hasher = Sha256::new();
    hasher.update(b"lode/month/1");
    hasher.update(license.0);
    hasher.update(month.to_le_bytes());
    ItemId(hasher.finalize().into())
}
