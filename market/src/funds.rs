//! Self-funding: what an asset sets aside of its income, and the rounds that pays for.
//!
//! An asset may set aside at most a fifth of each of its incomes, fixed when it is
//! made. What is set aside lies in the asset's fund and is nobody's income: it can
//! only become a part of the reward of a bounty that names the asset as a parent,
//! posted by who holds half of its shares. A reward that nobody wins returns whole, so
//! the fund gets back exactly what it paid.
//!
//! No bounty, funded or not, may be posted with a sealed test set that one was posted
//! with before: its key may be out.

use protocol::receipt::{Purse, Rule};
use protocol::record::{PostBounty, SELF_FUNDING_PPM_MAX};
use protocol::{Address, Amount, ItemId};

use crate::rejection::Rejection;
use crate::state::State;

/// Shares that spend an asset's fund: half, as for loosening its terms.
pub const FUND_SHARES: u32 = crate::terms::LOOSEN_SHARES;

/// Checks what an asset is to set aside.
pub(crate) fn check_part(ppm: u32) -> Result<(), Rejection> {
    let limit = SELF_FUNDING_PPM_MAX;
    match ppm <= limit {
        true => Ok(()),
        false => Err(Rejection::SelfFunding { ppm, limit }),
    }
}

/// Moves the part of an income that the asset sets aside into its fund; what is left
/// is its holders'.
pub(crate) fn set_aside(
    state: &mut State,
    from: Purse,
    asset: ItemId,
    income: Amount,
) -> Result<Amount, Rejection> {
    let ppm = state.need_asset(asset)?.self_funding_ppm;
    let part = income.checked_ratio(u128::from(ppm), 1_000_000);
    let part = part.ok_or(Rejection::Overflow)?;
    state.pay(from, Purse::Fund(asset), part, Rule::SelfFunding)?;
    Ok(income.checked_sub(part).expect("at most a fifth of it"))
}

/// Checks that a bounty has a test set of its own, and may spend the fund that it names.
pub(crate) fn check_round(
    state: &State,
    sponsor: Address,
    posting: &PostBounty,
) -> Result<(), Rejection> {
    let test_set = posting.test_set.ciphertext.id;
    if let Some(&before) = state.tables.test_sets.get(&test_set) {
        return Err(Rejection::TestSetUsed(before));
    }
    let Some(fund) = &posting.fund else {
        return Ok(());
    };
    state.need_asset(fund.asset)?;
    if fund.amount.is_zero() || fund.amount > posting.reward {
        return Err(Rejection::FundAmount {
            amount: fund.amount,
            reward: posting.reward,
        });
    }
    let mut parents = posting.parents.iter();
    if !parents.any(|parent| parent.asset == fund.asset) {
        return Err(Rejection::FundParent(fund.asset));
    }
    let holding = state.holding(fund.asset, sponsor);
    let held = holding.map_or(0, |holding| holding.shares);
    if held < FUND_SHARES {
        return Err(Rejection::FundMajority {
            held,
            needed: FUND_SHARES,
        });
    }
    Ok(())
}

/// Puts the reward up, out of the fund and the sponsor's account.
pub(crate) fn put_up(
    state: &mut State,
    sponsor: Address,
    bounty: ItemId,
    posting: &PostBounty,
) -> Result<(), Rejection> {
    let to = Purse::Reward(bounty);
    let mut own = posting.reward;
    if let Some(fund) = &posting.fund {
        own = own.checked_sub(fund.amount).ok_or(Rejection::Overflow)?;
        let from = Purse::Fund(fund.asset);
        state.pay(from, to, fund.amount, Rule::FundedReward)?;
    }
    state.pay(Purse::Account(sponsor), to, own, Rule::Reward)
}

/// Notes that a test set was posted. It stays noted: that row is what makes the next one fresh.
pub(crate) fn use_test_set(state: &mut State, bounty: ItemId, posting: &PostBounty) {
    let test_set = posting.test_set.ciphertext.id;
    state.tables.test_sets.put(test_set, bounty);
}

/// Returns the fund's part of a reward that nobody won; the rest is the sponsor's.
pub(crate) fn return_part(state: &mut State, bounty: ItemId, posting: &PostBounty) -> Amount {
    let Some(fund) = &posting.fund else {
        return posting.reward;
    };
    let (from, to) = (Purse::Reward(bounty), Purse::Fund(fund.asset));
    state
        .pay(from, to, fund.amount, Rule::FundReturn)
        .expect("the reward holds what was put up");
    let own = posting.reward.checked_sub(fund.amount);
    own.expect("checked when it was posted")
}
