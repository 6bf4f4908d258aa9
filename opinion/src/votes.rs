//! Votes on terms. Every tally is counted anew from all ballots and all holdings.

use std::collections::BTreeMap;

use licensing::{CommercialUse, DataModelTraining, Derivation, Terms, UnknownUsageRights};
use num_rational::Ratio;
use protocol::ans104::Tag;
use protocol::receipt::{Cause, Event, Purse, Rule};
use protocol::record::{AssetKind, Transaction};
use protocol::{Address, ItemId};

use crate::asset::good_terms;
use crate::limits::SHARES_PER_ASSET;
use crate::model::{Model, Refused};

/// What the holders of an asset want.
#[derive(Clone, Debug, Default)]
pub struct Votes {
    /// Everyone's ballot: the terms, and the record.
    pub ballots: BTreeMap<Address, (Terms, ItemId)>,
    /// For all terms that somebody is for: the first vote for them since nobody was.
    pub first: Vec<(Terms, ItemId)>,
    /// Tighter terms, and when they take effect.
    pub pending: Option<(Terms, u64)>,
    /// Deposits of ballots that are void, to be returned in the next block.
    pub void: Vec<(Address, ItemId)>,
    /// When the first of them became so.
    pub void_ms: u64,
}

impl Votes {
    /// Takes a ballot out; what it was for is forgotten when nobody is for it any more.
    fn take(&mut self, who: Address) -> Option<ItemId> {
        let (terms, record) = self.ballots.remove(&who)?;
        if !self.ballots.values().any(|(wanted, _)| *wanted == terms) {
            self.first.retain(|(wanted, _)| *wanted != terms);
        }
        Some(record)
    }

    /// Puts one in.
    fn put(&mut self, who: Address, terms: Terms, record: ItemId) {
        if !self.first.iter().any(|(wanted, _)| *wanted == terms) {
            self.first.push((terms.clone(), record));
        }
        self.ballots.insert(who, (terms, record));
    }

    /// The vote that carries the tags of these terms.
    fn record_of(&self, terms: &Terms) -> ItemId {
        let mut first = self.first.iter();
        let it = first.find(|(wanted, _)| wanted == terms);
        it.expect("somebody is for them").1
    }

    /// When the clock has to do with them.
    fn due_ms(&self) -> Option<u64> {
        let pending = self.pending.as_ref().map(|(_, at_ms)| *at_ms);
        let void = (!self.void.is_empty()).then_some(self.void_ms);
        pending.into_iter().chain(void).min()
    }
}

/// What one has to give for a use: nothing can be had for it, or so much of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// It is not to be had.
    Refuses,
    /// For so much of something that only compares with itself.
    Wants(&'static str, u128),
}

impl Asks {
    /// Whether whoever could have it under the other terms can have it no worse now.
    fn is_no_worse_than(self, before: Self) -> bool {
        match (before, self) {
            (Self::Refuses, _) => true,
            (_, Self::Refuses) => false,
            (_, Self::Wants("nothing", _)) => true,
            (Self::Wants(kind, most), Self::Wants(now, much)) => kind == now && much <= most,
        }
    }
}

/// Whether nobody is worse off under `new` than under `old`.
pub fn loosens(kind: AssetKind, old: &Terms, new: &Terms) -> bool {
    if old == new {
        return true;
    }
    let passes_on = Some(Derivation::LicensePassthrough);
    if old.derivation == passes_on && new.derivation == passes_on {
        return false; // children would have to take other terms
    }
    let all = asks(kind, old).into_iter().zip(asks(kind, new));
    old.payment_mode == new.payment_mode
        && all
            .into_iter()
            .all(|(before, now)| now.is_no_worse_than(before))
}

/// All that terms ask for, use by use.
fn asks(kind: AssetKind, terms: &Terms) -> Vec<Asks> {
    let free = Asks::Wants("nothing", 0);
    let fee = |fee: licensing::Fee| Asks::Wants("a fee", fee.amount().base_units());
    let monthly = |fee: licensing::Fee| Asks::Wants("a fee a month", fee.amount().base_units());
    let share = |share: licensing::Percent| Asks::Wants("a share", share.billionths().into());
    let access = terms.access_fee.map_or(free, fee);
    let derivation = match terms.derivation {
        None => Asks::Refuses,
        Some(Derivation::Allowed) => free,
        Some(Derivation::Credit) => Asks::Wants("credit", 0),
        Some(Derivation::Indication) => Asks::Wants("indication", 0),
        Some(Derivation::LicensePassthrough) => Asks::Wants("the terms", 0),
        Some(Derivation::RevenueShare(part)) => share(part),
        Some(Derivation::FeeOneTime(price)) => fee(price),
        Some(Derivation::FeeMonthly(price)) => monthly(price),
    };
    let business = match terms.commercial_use {
        None => Asks::Refuses,
        Some(CommercialUse::Allowed) => free,
        Some(CommercialUse::Credit) => Asks::Wants("credit", 0),
        Some(CommercialUse::RevenueShare(part)) => share(part),
        Some(CommercialUse::FeeOneTime(price)) => fee(price),
        Some(CommercialUse::FeeMonthly(price)) => monthly(price),
    };
    let training = match terms.data_model_training {
        None => Asks::Refuses,
        Some(DataModelTraining::Allowed) => free,
        Some(DataModelTraining::FeeOneTime(price)) => fee(price),
        Some(DataModelTraining::FeeMonthly(price)) => monthly(price),
    };
    let unknown = match terms.unknown_usage_rights {
        UnknownUsageRights::Included => free,
        UnknownUsageRights::Excluded => Asks::Refuses,
    };
    // A year less is a year worse, and no end is the best.
    let ends = match terms.expiry_years {
        None => free,
        Some(years) => Asks::Wants("an end", u128::from(u32::MAX - years.get())),
    };
    // Whoever trains on data pays the share that stands beside derivation.
    let trained = match (kind, terms.data_model_training, terms.derivation) {
        (AssetKind::DataSet, None, _) => Asks::Refuses,
        (AssetKind::DataSet, _, Some(Derivation::RevenueShare(part))) => share(part),
        _ => free,
    };
    vec![
        access, derivation, business, training, unknown, ends, trained,
    ]
}

/// Whether so many shares are at least this part of all.
fn is_part(shares: i64, numerator: i64, denominator: i64) -> bool {
    Ratio::new(shares, i64::from(SHARES_PER_ASSET)) >= Ratio::new(numerator, denominator)
}

impl Model {
    /// The shares whose holders have a ballot for these terms.
    pub fn shares_for(&self, id: ItemId, terms: &Terms) -> i64 {
        let asset = &self.assets[&id];
        let held = asset.holdings();
        let voters = asset.votes.ballots.iter();
        let theirs = voters.filter(|(_, (wanted, _))| wanted == terms);
        theirs
            .map(|(who, _)| held.get(who).copied().unwrap_or(0))
            .sum()
    }

    pub(crate) fn vote_terms(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        tags: &[Tag],
    ) -> Result<(), Refused> {
        let terms = good_terms(tags)?;
        let asset = self.assets.get(&id).ok_or("unknown_asset")?;
        // All but a model that is trained on data.
        let derives = |parent: &ItemId| {
            asset.kind == AssetKind::DataSet || self.assets[parent].kind == AssetKind::Model
        };
        let passes_on = |terms: &Terms| terms.derivation == Some(Derivation::LicensePassthrough);
        if (passes_on(&asset.terms) || passes_on(&terms)) && asset.parents.iter().any(derives) {
            return Err("terms_bound");
        }
        if asset.terms.payment_mode != terms.payment_mode {
            return Err("payment_mode_fixed");
        }
        if !asset.holdings().contains_key(&tx.signer) {
            return Err("not_holder");
        }
        let ballot = asset.votes.ballots.get(&tx.signer).cloned();
        let takes_back = asset.terms == terms;
        match &ballot {
            None if takes_back => return Err("no_ballot"),
            Some((wanted, _)) if *wanted == terms => return Err("ballot_stands"),
            _ => {}
        }
        if let Some((_, record)) = ballot {
            self.return_deposit(record, tx.signer);
        }
        if !takes_back {
            self.deposit(tx)?;
        }
        let votes = self.votes(id);
        votes.take(tx.signer);
        if !takes_back {
            votes.put(tx.signer, terms, tx.id);
        }
        self.count_votes(id, tx.signer, "terms: loosened");
        Ok(())
    }

    fn votes(&mut self, id: ItemId) -> &mut Votes {
        &mut self.assets.get_mut(&id).expect("it is there").votes
    }

    pub(crate) fn return_deposit(&mut self, record: ItemId, who: Address) {
        let (deposit, account) = (Purse::Deposit(record), Purse::Account(who));
        self.money.empty(deposit, account, Rule::DepositReturn);
    }

    /// After shares moved: who has none left has no word left, and who has more may decide.
    pub(crate) fn votes_follow(&mut self, id: ItemId, from: Address, to: Address) {
        let holds = self.assets[&id].holdings().contains_key(&from);
        if !holds && let Some(record) = self.votes(id).take(from) {
            self.return_deposit(record, from);
        }
        if from != to {
            self.count_votes(id, to, "terms: loosened by a transfer");
        }
    }

    /// Lets what somebody with a new ballot, or with more shares, wants have its effect.
    fn count_votes(&mut self, id: ItemId, who: Address, how: &str) {
        let asset = &self.assets[&id];
        let Some((terms, _)) = asset.votes.ballots.get(&who).cloned() else {
            return;
        };
        let shares = self.shares_for(id, &terms);
        let is_pending = matches!(&asset.votes.pending, Some((wanted, _)) if *wanted == terms);
        if loosens(asset.kind, &asset.terms, &terms) {
            if is_part(shares, 1, 2) {
                self.change_terms(id, terms);
                self.coverage.saw(how);
            }
        } else if is_part(shares, 9, 10) && !is_pending {
            let at_ms = self.time_ms.saturating_add(self.parameters.tighten_ms);
            let record = asset.votes.record_of(&terms);
            let scheduled = Event::TighteningScheduled {
                asset: id,
                terms: terms.id(),
                record,
                at_ms,
            };
            let before = self.drop_pending(id);
            self.votes(id).pending = Some((terms, at_ms));
            self.event(scheduled);
            self.coverage.saw(match before {
                Some(_) => "terms: tightening replaced",
                None => "terms: tightening scheduled",
            });
        }
    }

    /// Terms that wait do not take effect.
    fn drop_pending(&mut self, id: ItemId) -> Option<Terms> {
        let (terms, _) = self.votes(id).pending.take()?;
        self.event(Event::TighteningDropped {
            asset: id,
            terms: terms.id(),
        });
        Some(terms)
    }

    fn change_terms(&mut self, id: ItemId, terms: Terms) {
        self.drop_pending(id);
        let record = self.votes(id).record_of(&terms);
        self.event(Event::TermsChanged {
            asset: id,
            terms: terms.id(),
            record,
        });
        let now = self.time_ms;
        let asset = self.assets.get_mut(&id).expect("it is there");
        asset.terms = terms;
        let votes = std::mem::take(&mut asset.votes);
        asset.votes.void_ms = match votes.void.is_empty() {
            true => now,
            false => votes.void_ms,
        };
        asset.votes.void = votes.void;
        let ballots = votes.ballots.into_iter();
        let void = ballots.map(|(who, (_, record))| (who, record));
        asset.votes.void.extend(void);
    }

    /// What the clock does with votes when a block begins.
    pub(crate) fn votes_due(&mut self) {
        let now = self.time_ms;
        let due = self.assets.iter().filter_map(|(&id, asset)| {
            let due_ms = asset.votes.due_ms()?;
            (due_ms <= now).then_some((due_ms, id))
        });
        let mut due: Vec<(u64, ItemId)> = due.collect();
        due.sort_unstable();
        for (_, id) in due {
            if let Some((terms, _)) = self.votes(id).pending.take_if(|(_, at_ms)| *at_ms <= now) {
                if is_part(self.shares_for(id, &terms), 9, 10) {
                    self.change_terms(id, terms);
                    self.coverage.saw("terms: tightened");
                } else {
                    self.event(Event::TighteningDropped {
                        asset: id,
                        terms: terms.id(),
                    });
                    self.coverage.saw("terms: tightening dropped");
                }
            }
            for (who, record) in std::mem::take(&mut self.votes(id).void) {
                self.return_deposit(record, who);
            }
            self.receipt(Cause::Terms(id), None);
        }
    }
}
