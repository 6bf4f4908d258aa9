//! Votes on terms: how holders change what an asset is sold under.
//!
//! A ballot says "as a holder I want these terms", and weighs what its holder
//! holds, now and after every transfer: a transfer moves its weight from one
//! tally to another, so nobody's shares count twice. Terms that loosen those in
//! force take effect as soon as half of the shares are for them. All others
//! tighten: with nine tenths they are put down for later, so that buyers see them
//! come, and take effect then if they have nine tenths still. With new terms all
//! ballots are void: their *epoch* is over, and the clock sweeps them away.
//!
//! Licences that were sold and the stacks of children are never touched.

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::{Derivation, Terms, is_training};
use protocol::ans104::Tag;
use protocol::receipt::Event;
use protocol::record::{SHARES_PER_ASSET, Transaction};
use protocol::{Address, Digest, ItemId};

use crate::assets::{Asset, read_terms};
use crate::rejection::Rejection;
use crate::state::{Queue, State};

/// Shares whose ballots loosen terms: half.
pub const LOOSEN_SHARES: u32 = SHARES_PER_ASSET / 2;

/// Shares whose ballots tighten terms: nine tenths.
pub const TIGHTEN_SHARES: u32 = SHARES_PER_ASSET / 10 * 9;

/// Rows that are written to sweep one ballot away.
const ROWS_PER_BALLOT: u32 = 4;

/// How far an asset's votes have come. An asset that has none is in epoch 0,
/// under the terms of its own record.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Voting {
    /// How often the terms changed; ballots count in the epoch they were cast in.
    pub epoch: u32,
    /// The record that carries the tags of the terms in force.
    pub record: ItemId,
    /// Tighter terms that wait for their time.
    pub pending: Option<Pending>,
}

/// Terms that wait for their time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pending {
    /// The terms.
    pub terms: Terms,
    /// When they take effect, if they have the shares then.
    pub at_ms: u64,
}

/// A holder's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ballot {
    /// The id of the terms voted for.
    pub terms: Digest,
    /// The record, which has locked a deposit.
    pub record: ItemId,
}

/// All ballots for the same terms.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tally {
    /// The terms.
    pub terms: Terms,
    /// The first of the records, whose tags they are.
    pub record: ItemId,
    /// The shares of those who voted for them.
    pub shares: u32,
}

impl State {
    /// How far the votes on an asset's terms have come.
    pub fn voting(&self, asset: ItemId) -> Voting {
        let none = Voting {
            epoch: 0,
            record: asset,
            pending: None,
        };
        self.tables.votings.get(&asset).cloned().unwrap_or(none)
    }

    /// The tallies of an asset's ballots that count, by id of the terms.
    pub fn tallies(&self, asset: ItemId) -> impl Iterator<Item = (Digest, &Tally)> {
        let epoch = self.voting(asset).epoch;
        let from = (asset, epoch, Digest([0; 32]));
        let to = (asset, epoch, Digest([u8::MAX; 32]));
        let tallies = self.tables.tallies.range(from..=to);
        tallies.map(|(&(_, _, terms), tally)| (terms, tally))
    }

    /// A holder's ballot, if there is one that counts.
    pub fn ballot(&self, asset: ItemId, holder: Address) -> Option<Ballot> {
        let epoch = self.voting(asset).epoch;
        self.tables.ballots.get(&(asset, epoch, holder)).copied()
    }

    /// How many ballots there are, those that wait to be swept away included.
    pub fn ballots_kept(&self) -> usize {
        self.tables.ballots.len()
    }
}

/// Casts a ballot, replaces it, or takes it back.
pub(crate) fn vote(
    state: &mut State,
    tx: &Transaction,
    id: ItemId,
    tags: &[Tag],
) -> Result<(), Rejection> {
    let terms = read_terms(tags)?;
    let asset = state.need_asset(id)?;
    // Terms by which it would be bound are none to vote for either: no vote could take them back.
    if [&asset.terms, &terms]
        .into_iter()
        .any(|terms| binds(state, asset, terms))
    {
        return Err(Rejection::TermsBound);
    }
    if terms.payment_mode != asset.terms.payment_mode {
        return Err(Rejection::PaymentModeFixed);
    }
    let takes_back = terms == asset.terms;
    let shares = state.holding(id, tx.signer).map_or(0, |held| held.shares);
    if shares == 0 {
        return Err(Rejection::NotHolder(tx.signer));
    }
    let wanted = terms.id();
    match state.ballot(id, tx.signer) {
        None if takes_back => return Err(Rejection::NoBallot),
        Some(ballot) if ballot.terms == wanted => return Err(Rejection::BallotStands),
        Some(_) => drop_ballot(state, id, tx.signer, shares),
        None => {}
    }
    if takes_back {
        return Ok(());
    }
    state.lock_deposit(tx)?;
    let epoch = state.voting(id).epoch;
    let ballot = Ballot {
        terms: wanted,
        record: tx.id,
    };
    state.tables.ballots.put((id, epoch, tx.signer), ballot);
    let key = (id, epoch, wanted);
    if state.tables.tallies.get(&key).is_none() {
        let tally = Tally {
            terms,
            record: tx.id,
            shares: 0,
        };
        state.tables.tallies.put(key, tally);
    }
    add_shares(state, id, wanted, shares);
    Ok(())
}

/// Whether under these terms an asset is taken to have them from a parent that it derives from and that passes them
/// on: such an asset has the same terms, and they pass on again.
fn binds(state: &State, asset: &Asset, terms: &Terms) -> bool {
    let is_derived = |parent: &ItemId| {
        let parent = state.asset(*parent);
        parent.is_some_and(|parent| !is_training(parent.kind, asset.kind))
    };
    terms.derivation == Some(Derivation::LicensePassthrough) && asset.parents.iter().any(is_derived)
}

/// Lets the tallies follow shares that have moved.
pub(crate) fn shares_moved(
    state: &mut State,
    asset: ItemId,
    from: Address,
    to: Address,
    shares: u32,
) {
    if from == to {
        return;
    }
    if let Some(ballot) = state.ballot(asset, from) {
        match state.holding(asset, from) {
            Some(left) if left.shares > 0 => take_shares(state, asset, ballot.terms, shares),
            _ => drop_ballot(state, asset, from, shares),
        }
    }
    if let Some(ballot) = state.ballot(asset, to) {
        add_shares(state, asset, ballot.terms, shares);
    }
}

/// Takes a ballot that weighs so many shares off the table.
fn drop_ballot(state: &mut State, asset: ItemId, holder: Address, shares: u32) {
    let epoch = state.voting(asset).epoch;
    let key = (asset, epoch, holder);
    let ballot = *state.tables.ballots.get(&key).expect("it was found");
    state.tables.ballots.remove(&key);
    take_shares(state, asset, ballot.terms, shares);
    state.return_deposit(ballot.record, holder);
}

fn take_shares(state: &mut State, asset: ItemId, terms: Digest, shares: u32) {
    let key = (asset, state.voting(asset).epoch, terms);
    let left = state.tables.tallies.update(&key, |tally| {
        tally.shares -= shares;
        tally.shares
    });
    if left.expect("a ballot has its tally") == 0 {
        state.tables.tallies.remove(&key);
    }
}

/// Adds to a tally, and lets its terms have the effect that it has the shares for.
fn add_shares(state: &mut State, id: ItemId, terms: Digest, shares: u32) {
    let key = (id, state.voting(id).epoch, terms);
    let added = state.tables.tallies.update(&key, |tally| {
        tally.shares += shares;
        tally.clone()
    });
    let tally = added.expect("a ballot has its tally");
    let asset = state.asset(id).expect("ballots are on assets");
    let loosens = tally.terms.loosens(&asset.terms, asset.kind);
    if loosens && tally.shares >= LOOSEN_SHARES {
        take_effect(state, id, tally);
    } else if !loosens && tally.shares >= TIGHTEN_SHARES {
        schedule(state, id, terms, tally);
    }
}

/// Puts tighter terms down for later, in the place of others that wait.
fn schedule(state: &mut State, asset: ItemId, id: Digest, tally: Tally) {
    let mut voting = state.voting(asset);
    if let Some(pending) = &voting.pending {
        if pending.terms == tally.terms {
            return;
        }
        drop_pending(state, asset, &mut voting);
    }
    let at_ms = state
        .time_ms()
        .saturating_add(state.parameters().tighten_ms);
    voting.pending = Some(Pending {
        terms: tally.terms,
        at_ms,
    });
    state.tables.votings.put(asset, voting);
    state.plan(Queue::Terms, at_ms, asset);
    state.events.push(Event::TighteningScheduled {
        asset,
        terms: id,
        record: tally.record,
        at_ms,
    });
}

/// Forgets terms that wait, and says so.
fn drop_pending(state: &mut State, asset: ItemId, voting: &mut Voting) {
    let Some(pending) = voting.pending.take() else {
        return;
    };
    state.unplan(Queue::Terms, pending.at_ms, asset);
    let terms = pending.terms.id();
    state.events.push(Event::TighteningDropped { asset, terms });
}

/// Puts an asset under new terms, and ends the epoch of its ballots.
fn take_effect(state: &mut State, id: ItemId, tally: Tally) {
    let mut voting = state.voting(id);
    drop_pending(state, id, &mut voting);
    voting.epoch += 1;
    voting.record = tally.record;
    state.tables.votings.put(id, voting);
    let terms = tally.terms.id();
    state
        .tables
        .assets
        .update(&id, |asset| asset.terms = tally.terms);
    state.plan(Queue::Terms, state.time_ms(), id);
    state.events.push(Event::TermsChanged {
        asset: id,
        terms,
        record: tally.record,
    });
}

/// Does the work on an asset's terms that is due.
pub(crate) fn work(state: &mut State, asset: ItemId) {
    state.spend(4);
    decide(state, asset);
    sweep(state, asset);
}

/// Lets terms that waited take effect, if their time has come and they have the shares.
fn decide(state: &mut State, asset: ItemId) {
    let mut voting = state.voting(asset);
    let Some(pending) = &voting.pending else {
        return;
    };
    if pending.at_ms > state.time_ms() {
        return;
    }
    let key = (asset, voting.epoch, pending.terms.id());
    let tally = state.tables.tallies.get(&key).cloned();
    let at_ms = pending.at_ms;
    match tally.filter(|tally| tally.shares >= TIGHTEN_SHARES) {
        Some(tally) => {
            voting.pending = None;
            state.tables.votings.put(asset, voting);
            state.unplan(Queue::Terms, at_ms, asset);
            take_effect(state, asset, tally);
        }
        None => {
            drop_pending(state, asset, &mut voting);
            match voting.epoch {
                0 => state.tables.votings.remove(&asset),
                _ => state.tables.votings.put(asset, voting),
            }
        }
    }
}

/// Takes ballots and tallies of epochs that are over off the table; what does not
/// fit goes on in the next block.
fn sweep(state: &mut State, asset: ItemId) {
    let epoch = state.voting(asset).epoch;
    let most = (state.budget() / ROWS_PER_BALLOT).max(1) as usize;
    let lowest = Address([0; 32]);
    let stale = (asset, 0, lowest)..(asset, epoch, lowest);
    let stale = state.tables.ballots.range(stale).take(most);
    let ballots: Vec<_> = stale.map(|(&key, &ballot)| (key, ballot)).collect();
    for &(key, ballot) in &ballots {
        state.tables.ballots.remove(&key);
        state.return_deposit(ballot.record, key.2);
    }
    let room = most - ballots.len();
    let lowest = Digest([0; 32]);
    let stale = (asset, 0, lowest)..(asset, epoch, lowest);
    let stale = state.tables.tallies.range(stale).take(room);
    let tallies: Vec<_> = stale.map(|(&key, _)| key).collect();
    for key in &tallies {
        state.tables.tallies.remove(key);
    }
    state.spend((ballots.len() + tallies.len()) * ROWS_PER_BALLOT as usize);
    let again_ms = state.time_ms();
    if ballots.len() + tallies.len() == most {
        state.plan(Queue::Terms, again_ms, asset);
    } else {
        state.unplan(Queue::Terms, again_ms, asset);
    }
}
