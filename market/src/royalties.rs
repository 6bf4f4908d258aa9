//! Royalties: who an asset's income belongs to, and how it is claimed.
//!
//! An income is first divided by the asset's royalty stack: every ancestor's
//! share of the gross goes to that ancestor's pool. What remains joins the
//! asset's own pool. A pool is a cumulative index (F1 distribution): an income
//! adds ⌊(income + remainder) / 1,000,000⌋ to the income of each share, and the
//! new remainder stays for the next one. So an income costs the same for one
//! holder and for a million; a claim is one multiplication; and a transfer of
//! shares settles both sides first. Under random distribution an income goes whole
//! to one holder, who is drawn in the block after.

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::PaymentMode;
use protocol::receipt::{Purse, Rule};
use protocol::record::{SHARES_PER_ASSET, Transaction, TransferShares};
use protocol::{Address, Amount, ItemId};

use crate::draw;
use crate::funds;
use crate::rejection::Rejection;
use crate::state::State;
use crate::terms;

/// What an asset has earned for its holders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pool {
    /// Base units that one share has earned since registration.
    pub per_share: Amount,
    /// Base units that did not divide; below [`SHARES_PER_ASSET`].
    pub remainder: Amount,
    /// All income so far, stack shares excluded.
    pub income: Amount,
}

/// An account's part of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Holding {
    /// Royalty shares.
    pub shares: u32,
    /// The pool's `per_share` up to which `owed` is settled.
    pub settled_at: Amount,
    /// Base units earned up to there and not claimed.
    pub owed: Amount,
    /// The transfer that made this holding, and who signed it: its deposit returns with the last share. None of those
    /// that an asset began with.
    pub deposit: Option<(ItemId, Address)>,
}

impl Holding {
    /// What is owed now.
    fn owed_now(&self, pool: &Pool) -> Option<Amount> {
        let since = pool.per_share.checked_sub(self.settled_at)?;
        self.owed
            .checked_add(since.checked_mul(u128::from(self.shares))?)
    }

    fn settle(&mut self, pool: &Pool) {
        self.owed = self
            .owed_now(pool)
            .expect("no holder is owed above the supply");
        self.settled_at = pool.per_share;
    }
}

impl State {
    /// What an asset has earned.
    pub fn pool(&self, asset: ItemId) -> Option<Pool> {
        self.tables.pools.get(&asset).copied()
    }

    /// The holders of an asset's shares, by address.
    pub fn holdings(&self, asset: ItemId) -> impl Iterator<Item = (Address, Holding)> {
        let first = (asset, Address([0; 32]));
        let last = (asset, Address([u8::MAX; 32]));
        self.tables
            .holdings
            .range(first..=last)
            .map(|(&(_, holder), &holding)| (holder, holding))
    }

    /// An account's part of an asset, if it has one.
    pub fn holding(&self, asset: ItemId, holder: Address) -> Option<Holding> {
        self.tables.holdings.get(&(asset, holder)).copied()
    }

    /// What a holder could claim of an asset now.
    pub fn owed(&self, asset: ItemId, holder: Address) -> Amount {
        let holding = self.tables.holdings.get(&(asset, holder));
        let pool = self.tables.pools.get(&asset);
        match (holding, pool) {
            (Some(holding), Some(pool)) => holding.owed_now(pool).unwrap_or(Amount::ZERO),
            _ => Amount::ZERO,
        }
    }
}

/// Pays an income of an asset, out of a purse, to its ancestors and its holders.
/// `payment` names it where a holder is drawn for it: no two incomes have the same.
pub(crate) fn receive(
    state: &mut State,
    from: Purse,
    payment: ItemId,
    asset: ItemId,
    gross: Amount,
) -> Result<(), Rejection> {
    let (parts, rest) = state.need_asset(asset)?.stack.split(gross);
    for (ancestor, part) in parts {
        credit(state, from, payment, ancestor, part, Rule::StackIncome)?;
    }
    credit(state, from, payment, asset, rest, Rule::LicenseIncome)
}

/// Adds to one asset's income.
fn credit(
    state: &mut State,
    from: Purse,
    payment: ItemId,
    asset: ItemId,
    amount: Amount,
    rule: Rule,
) -> Result<(), Rejection> {
    if amount.is_zero() {
        return Ok(());
    }
    let random = state.need_asset(asset)?.terms.payment_mode == PaymentMode::RandomDistribution;
    let amount = funds::set_aside(state, from, asset, amount)?;
    state.pay(from, Purse::Income(asset), amount, rule)?;
    let pool = state.pool(asset).expect("every asset has a pool");
    let shared = if random { Amount::ZERO } else { amount };
    let credited = || {
        let whole = shared.checked_add(pool.remainder)?;
        let (per_share, remainder) = whole.checked_div_rem(u128::from(SHARES_PER_ASSET))?;
        Some(Pool {
            per_share: pool.per_share.checked_add(per_share)?,
            remainder,
            income: pool.income.checked_add(amount)?,
        })
    };
    let pool = credited().ok_or(Rejection::Overflow)?;
    state.tables.pools.put(asset, pool);
    if random {
        state.tables.draws.put((asset, payment), amount);
        let order = (state.time_ms(), asset, payment);
        state.tables.draw_order.put(order, ());
    }
    Ok(())
}

/// Pays an income that waits for its draw to one holder, in proportion to shares.
///
/// The seed is the id of the block before this one: the one that the income came in, or a later one where more
/// is due than fits. Neither the payer nor a holder could know it when the record was signed.
pub(crate) fn draw_holder(state: &mut State, order: (u64, ItemId, ItemId)) {
    let (_, asset, record) = order;
    let key = (asset, record);
    let amount = *state.tables.draws.get(&key).expect("it waits");
    let ticket = draw::below(
        u128::from(SHARES_PER_ASSET),
        &[
            b"lode/holder/1",
            &state.clock().parent.0,
            &record.0,
            &asset.0,
        ],
    );
    let shares = |(_, holding): (Address, Holding)| u128::from(holding.shares);
    let weights = state.holdings(asset).map(shares);
    let place = draw::falls_on(ticket, weights.map(Amount::from_base_units));
    let place = place.expect("all shares of an asset are held");
    let (holder, _) = state.holdings(asset).nth(place).expect("it was counted");
    state.tables.draws.remove(&key);
    state.tables.draw_order.remove(&order);
    // Reading on is cheap beside writing.
    state.spend(4 + place / 64);
    let (from, to) = (Purse::Income(asset), Purse::Account(holder));
    state
        .pay(from, to, amount, Rule::RandomDistribution)
        .expect("it was put into the asset's income");
}

/// Pays out what a holder is owed.
pub(crate) fn claim(state: &mut State, holder: Address, asset: ItemId) -> Result<(), Rejection> {
    state.need_asset(asset)?;
    if state.tables.holdings.get(&(asset, holder)).is_none() {
        return Err(Rejection::NotHolder(holder));
    }
    let owed = state.owed(asset, holder);
    if owed.is_zero() {
        return Err(Rejection::NothingOwed);
    }
    state.pay(
        Purse::Income(asset),
        Purse::Account(holder),
        owed,
        Rule::Claim,
    )?;
    change_holding(state, asset, holder, |holding| holding.owed = Amount::ZERO);
    Ok(())
}

/// Moves shares; both sides are settled first, so past income stays where it was earned.
pub(crate) fn transfer_shares(
    state: &mut State,
    tx: &Transaction,
    asset: ItemId,
    body: &TransferShares,
) -> Result<(), Rejection> {
    let holder = tx.signer;
    state.need_asset(asset)?;
    let waiting = (asset, ItemId([0; 32]))..=(asset, ItemId([u8::MAX; 32]));
    if state.tables.draws.range(waiting).next().is_some() {
        return Err(Rejection::DrawPending);
    }
    let shares = body.shares;
    if shares == 0 {
        return Err(Rejection::ZeroAmount);
    }
    let held = state
        .tables
        .holdings
        .get(&(asset, holder))
        .map_or(0, |holding| holding.shares);
    if shares > held {
        return Err(Rejection::TooFewShares { shares, held });
    }
    let is_new = state.holding(asset, body.to).is_none();
    if is_new {
        state.lock_deposit(tx)?;
    }
    change_holding(state, asset, body.to, |holding| {
        holding.shares += shares;
        if is_new {
            holding.deposit = Some((tx.id, tx.signer));
        }
    });
    // In this order: who moves shares to themselves keeps the holding, and its deposit.
    change_holding(state, asset, holder, |holding| holding.shares -= shares);
    if state
        .holding(asset, holder)
        .is_some_and(|held| held.shares == 0)
    {
        // Who holds nothing any more has nothing to wait for: what is owed is paid, and the holding goes.
        claim(state, holder, asset)?;
    }
    terms::shares_moved(state, asset, holder, body.to, shares);
    Ok(())
}

/// Settles a holding, changes it, and drops it when nothing is left of it.
fn change_holding(
    state: &mut State,
    asset: ItemId,
    holder: Address,
    change: impl FnOnce(&mut Holding),
) {
    let pool = state.pool(asset).expect("every asset has a pool");
    let key = (asset, holder);
    let holding = state.tables.holdings.get(&key).copied();
    // Who held nothing so far was owed nothing.
    let mut holding = holding.unwrap_or_default();
    holding.settle(&pool);
    change(&mut holding);
    if holding.shares == 0 && holding.owed.is_zero() {
        state.tables.holdings.remove(&key);
        if let Some((record, signer)) = holding.deposit {
            state.return_deposit(record, signer);
        }
    } else {
        state.tables.holdings.put(key, holding);
    }
}
