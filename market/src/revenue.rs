//! Revenue: licences for a share of what the licensee earns.
//!
//! The network's minimum for each month is paid in advance and released as months are.
//! When a month is over, the licensee declares what it earned, months one after the
//! other, and pays what the share is above the minimum. A month whose grace is over
//! undeclared ends the licence: it lapses, and what is in its escrow returns. The ledger
//! cannot see revenue: it takes the licensee's word.

use protocol::receipt::{Event, LicenseStanding, Purse, Rule};
use protocol::record::{DeclareRevenue, Transaction};
use protocol::{Amount, ItemId};

use crate::licenses::License;
use crate::rejection::Rejection;
use crate::state::State;
use crate::{months, royalties};

/// The longest time to declare that a licensee gets again.
const FRESH_GRACE_MAX_MS: u64 = 24 * 3_600_000;

/// When the grace of a month is over.
pub(crate) fn grace_until_ms(state: &State, license: &License, period: u32) -> u64 {
    let ends_ms = state.months_end_ms(license, period);
    ends_ms.saturating_add(state.parameters().grace_ms)
}

/// Takes a licensee's word on the revenue of the next month, and the share of it.
///
/// A licence that the clock has not lapsed can still be saved: grace ends with its work.
pub(crate) fn declare(
    state: &mut State,
    tx: &Transaction,
    id: ItemId,
    body: &DeclareRevenue,
) -> Result<(), Rejection> {
    let license = state.license(id).ok_or(Rejection::UnknownLicense(id))?;
    if license.licensee != tx.signer {
        return Err(Rejection::NotOwner(license.licensee));
    }
    let of_share = |term: &months::Term| Some((*term, term.share?));
    let term = license.term.as_ref().and_then(of_share);
    let (term, share) = term.ok_or(Rejection::NoRevenueShare)?;
    let period = term.declared + 1;
    if term.standing == LicenseStanding::Lapsed {
        return Err(Rejection::LicenseLapsed(period));
    }
    if !term.owes_declarations() {
        return Err(Rejection::AllDeclared(term.months));
    }
    if body.period != period {
        return Err(Rejection::OtherPeriod {
            expected: period,
            given: body.period,
        });
    }
    let (ends_ms, time_ms) = (state.months_end_ms(&license, period), state.time_ms());
    if time_ms < ends_ms {
        return Err(Rejection::PeriodNotOver {
            period,
            ends_ms,
            time_ms,
        });
    }
    let more = share.of(body.revenue).checked_sub(term.month_price);
    let paid = more.unwrap_or(Amount::ZERO);
    let licensee = Purse::Account(tx.signer);
    royalties::receive(state, licensee, tx.id, license.asset, paid)?;
    months::unplan(state, id);
    // A halt may have been long: nobody is late with a month while the one before it still could be declared.
    let grace_until_ms = grace_until_ms(state, &license, period + 1).max(term.grace_until_ms);
    months::change(state, id, |term| {
        term.declared = period;
        term.grace_until_ms = grace_until_ms;
    });
    months::plan(state, id);
    state.events.push(Event::RevenueDeclared {
        license: id,
        asset: license.asset,
        licensee: license.licensee,
        period,
        revenue: body.revenue,
        paid,
    });
    Ok(())
}

/// Grace is over: the licence lapses; or, if the clock comes so late that the licensee
/// was robbed of it, there is a fresh one.
pub(crate) fn lapse(state: &mut State, id: ItemId, license: &License) {
    let term = license.term.expect("it owes declarations");
    let (asset, licensee) = (license.asset, license.licensee);
    let parameters = state.parameters();
    if state.was_missed(term.grace_until_ms) {
        let length_ms = parameters.grace_ms.min(FRESH_GRACE_MAX_MS);
        let until_ms = state.time_ms().saturating_add(length_ms);
        months::change(state, id, |term| term.grace_until_ms = until_ms);
        state.events.push(Event::GraceExtended {
            license: id,
            asset,
            licensee,
            until_ms,
        });
        return;
    }
    let (escrow, account) = (Purse::Escrow(asset, id), Purse::Account(licensee));
    state.pay_all(escrow, account, Rule::Refund);
    months::change(state, id, |term| term.standing = LicenseStanding::Lapsed);
    state.events.push(Event::LicenseLapsed {
        license: id,
        asset,
        licensee,
        period: term.declared + 1,
    });
}
