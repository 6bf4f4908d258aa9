//! Licences: a use of an asset, bought once, or for months in advance.
//!
//! A purchase names the terms that the buyer read and the most to pay. The
//! ledger prices the grant, takes the payment, divides it and writes the licence
//! in one step; the receipt of that record proves the licence. What is paid for
//! months that have not begun waits in escrow (see [`months`]).

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::Price;
use protocol::receipt::{Event, Purse, Rule};
use protocol::record::{BuyLicense, Grant, Transaction};
use protocol::{Address, Amount, Digest, ItemId};

use crate::months::{self, Term};
use crate::rejection::Rejection;
use crate::royalties;
use crate::state::State;

/// A licence that was bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct License {
    /// The asset.
    pub asset: ItemId,
    /// Who may use it.
    pub licensee: Address,
    /// For what.
    pub grant: Grant,
    /// Under which terms.
    pub terms: Digest,
    /// What was paid.
    pub price: Amount,
    /// The height of the block it was bought in.
    pub height: u64,
    /// That block's time.
    pub time_ms: u64,
    /// For how long, if it is not for good.
    pub term: Option<Term>,
}

impl State {
    /// A licence by its id: that of the record that bought it.
    pub fn license(&self, id: ItemId) -> Option<License> {
        self.tables.licenses.get(&id).copied()
    }

    /// All licences, by id.
    pub fn licenses(&self) -> impl Iterator<Item = (ItemId, License)> {
        self.tables
            .licenses
            .iter()
            .map(|(&id, &license)| (id, license))
    }
}

/// Sells a licence.
pub(crate) fn buy(
    state: &mut State,
    tx: &Transaction,
    asset: ItemId,
    body: &BuyLicense,
) -> Result<(), Rejection> {
    let terms = &state.need_asset(asset)?.terms;
    let actual = terms.id();
    if body.terms != actual {
        return Err(Rejection::TermsChanged { actual });
    }
    let quote = terms.quote(body.grant)?;
    let minimum = state.parameters().revenue_minimum;
    let price = quote.total(body.months, minimum)?;
    let price = price.ok_or(Rejection::Overflow)?;
    if price > body.price_max {
        return Err(Rejection::PriceAboveMax {
            price,
            price_max: body.price_max,
        });
    }
    state.lock_deposit(tx)?;
    let first = quote.price.unit(minimum);
    let later = price.checked_sub(first);
    let later = later.expect("what is sold has one payment or month at least");
    let buyer = Purse::Account(tx.signer);
    state.pay(buyer, Purse::Escrow(asset, tx.id), later, Rule::Escrow)?;
    royalties::receive(state, buyer, tx.id, asset, first)?;
    let clock = state.clock();
    let license = License {
        asset,
        licensee: tx.signer,
        grant: body.grant,
        terms: actual,
        price,
        height: clock.height,
        time_ms: clock.time_ms,
        term: match quote.price {
            Price::OneTime(_) => None,
            Price::Monthly(_) | Price::RevenueShare(_) => {
                Some(Term::new(body.months, first, quote.price.share()))
            }
        },
    };
    state.tables.licenses.put(tx.id, license);
    state.events.push(Event::LicenseIssued {
        license: tx.id,
        asset,
        licensee: tx.signer,
        grant: body.grant,
        terms: actual,
        price,
    });
    months::begin(state, tx.id);
    Ok(())
}
