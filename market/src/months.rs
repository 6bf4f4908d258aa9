//! Months: licences that are paid for in advance, month by month.
//!
//! The first month begins with the purchase, and its price is income at once. The
//! price of the others waits in the licence's escrow; the clock releases one month's
//! at the beginning of each, to the asset's ancestors and to those who hold its shares
//! then. After the last month the licence is over, and is kept. Nothing returns to the
//! licensee, and nothing that happens to the asset's terms reaches a licence that is sold.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Event, Purse, Rule};
use protocol::{Amount, ItemId};
use sha2::{Digest as _, Sha256};

use crate::licenses::License;
use crate::royalties;
use crate::state::{Queue, State};

/// For how long a licence was bought, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Term {
    /// How many months.
    pub months: u32,
    /// What each of them costs.
    pub month_price: Amount,
    /// How many have begun: their price is income.
    pub begun: u32,
    /// Whether it still runs.
    pub runs: bool,
}

impl Term {
    pub(crate) const fn new(months: u32, month_price: Amount) -> Self {
        Self {
            months,
            month_price,
            begun: 1,
            runs: true,
        }
    }
}

impl State {
    /// When the last month of a licence is over; `None` if it is for good.
    pub fn runs_until_ms(&self, license: &License) -> Option<u64> {
        let term = license.term?;
        Some(month_ends_ms(self, license, term.months))
    }
}

/// When so many months of a licence are over.
fn month_ends_ms(state: &State, license: &License, months: u32) -> u64 {
    let length_ms = u64::from(months).saturating_mul(state.parameters().month_ms);
    license.time_ms.saturating_add(length_ms)
}

/// Begins the months of a licence that was just sold, if it was sold for months.
pub(crate) fn begin(state: &mut State, id: ItemId) {
    let license = state.license(id).expect("it was just sold");
    let Some(term) = license.term else {
        return;
    };
    plan(state, id);
    state.events.push(Event::LicenseRuns {
        license: id,
        months: term.months,
        until_ms: month_ends_ms(state, &license, term.months),
    });
}

/// Plans what comes next: the month after those that have begun, or the end.
fn plan(state: &mut State, id: ItemId) {
    let license = state.license(id).expect("a licence is never forgotten");
    let term = license.term.expect("it was sold for months");
    let due_ms = month_ends_ms(state, &license, term.begun);
    state.plan(Queue::Licenses, due_ms, id);
}

/// Does what is due for a licence: begins its next month, or ends it.
pub(crate) fn work(state: &mut State, due_ms: u64, id: ItemId) {
    state.spend(4);
    let license = state.license(id).expect("a licence is never forgotten");
    let term = license.term.expect("it was sold for months");
    if term.begun == term.months {
        return end(state, id, &license);
    }
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
        return end(state, id, &license);
    }
    change(state, id, |term| term.begun = month);
    plan(state, id);
    state.events.push(Event::MonthBegan {
        license: id,
        asset: license.asset,
        licensee: license.licensee,
        month,
    });
}

/// A licence's last month is over.
fn end(state: &mut State, id: ItemId, license: &License) {
    change(state, id, |term| term.runs = false);
    state.events.push(Event::LicenseEnded {
        license: id,
        asset: license.asset,
        licensee: license.licensee,
    });
}

fn change(state: &mut State, id: ItemId, change: impl FnOnce(&mut Term)) {
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
