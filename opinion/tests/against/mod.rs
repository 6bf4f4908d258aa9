//! The market held against the model.

use std::collections::BTreeMap;

use market::State;
use market::bounty::Step as Work;
use opinion::model::Model;
use opinion::money::{Units, units};
use opinion::{Coverage, Decision, Ledger, Play, Setup, Step};
use protocol::receipt::{LicenseStanding, Panel, Phase, Receipt};
use protocol::record::Transaction;
use protocol::{Address, Digest, ItemId};

/// The market as the ledger beside the model.
pub struct Market {
    state: State,
    /// Of blocks that were not compared.
    earlier: Vec<Receipt>,
}

impl Ledger for Market {
    fn begin_block(&mut self, height: u64, time_ms: u64, parent: ItemId) {
        self.state.begin_block(height, time_ms, parent);
    }

    fn left_at(&self) -> Option<usize> {
        let mut steps = self.state.bounties().map(|(id, _)| {
            let (_, progress) = self.state.bounty(id).expect("it is listed");
            progress.step
        });
        steps.find_map(|step| match step {
            // What waits for a time or for the next block's draw is no work that was left.
            Work::Wait | Work::Draw | Work::SeatAll | Work::Forget { next: 0 } => None,
            Work::PutOut { next }
            | Work::Tally { next, .. }
            | Work::Rank { next, .. }
            | Work::Pay { next, .. }
            | Work::Void { next, .. }
            | Work::Return { next, .. }
            | Work::Forget { next } => Some(next as usize),
        })
    }

    fn end_early(&mut self) {
        self.earlier.extend(self.state.end_block().receipts);
    }

    fn apply(&mut self, tx: &Transaction) -> Decision {
        match self.state.apply(tx) {
            Err(rejection) => Decision::NotIncludable(rejection.code()),
            Ok(Some(rejection)) => Decision::Rejected(rejection.code()),
            Ok(None) => Decision::Applied,
        }
    }

    fn end_block(&mut self, model: &Model) -> Result<(), String> {
        let due_ms = self.state.next_deadline_ms();
        let earlier = std::mem::take(&mut self.earlier);
        let receipts = joined(earlier, self.state.end_block().receipts);
        let left = due_ms.is_some_and(|due_ms| due_ms <= model.time_ms);
        if left && !model.has_work_left() {
            return Err("the block's budget was too small for the work that was due".to_owned());
        }
        let alike = self::receipts(model, &receipts).and_then(|()| self.compare(model));
        alike.map_err(|difference| {
            let mut told = difference;
            for receipt in &receipts {
                told.push_str(&format!("\n{:?}", receipt.cause));
                for step in &receipt.moves {
                    told.push_str(&format!("\n    {step:?}"));
                }
                for event in &receipt.events {
                    told.push_str(&format!("\n    {event:?}"));
                }
            }
            told
        })
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: impl FnOnce() -> String,
    model: T,
    ledger: T,
) -> Result<(), String> {
    match model == ledger {
        true => Ok(()),
        false => Err(format!("{}: model {model:?}, ledger {ledger:?}", what())),
    }
}

/// Whether there are the same receipts in the same order, and each has the same moves and events in theirs.
fn receipts(model: &Model, receipts: &[Receipt]) -> Result<(), String> {
    let ours = &model.book.receipts;
    for (place, (ours, theirs)) in ours.iter().zip(receipts).enumerate() {
        let name = |what: &str| format!("{what} of receipt {place}, {:?}", theirs.cause);
        same(|| name("cause"), ours.cause, theirs.cause)?;
        same(|| name("code"), &ours.rejected, &theirs.rejected)?;
        same(|| name("moves"), &ours.moves, &theirs.moves)?;
        same(|| name("events"), &ours.events, &theirs.events)?;
    }
    same(|| "receipts".to_owned(), ours.len(), receipts.len())
}

/// What follows in later blocks of work that a block had begun and left: one receipt, as of a block that does it whole.
fn joined(earlier: Vec<Receipt>, last: Vec<Receipt>) -> Vec<Receipt> {
    let mut all: Vec<Receipt> = Vec::new();
    let count = earlier.len();
    for (place, receipt) in earlier.into_iter().chain(last).enumerate() {
        match all.last_mut() {
            Some(before) if place <= count && before.cause == receipt.cause => {
                before.moves.extend(receipt.moves);
                before.events.extend(receipt.events);
            }
            _ => all.push(receipt),
        }
    }
    all
}

impl Market {
    fn new(state: State) -> Self {
        let earlier = Vec::new();
        Self { state, earlier }
    }

    fn compare(&self, model: &Model) -> Result<(), String> {
        self.money(model)?;
        self.people(model)?;
        self.bounties(model)?;
        self.assets(model)?;
        self.licenses(model)
    }

    fn licenses(&self, model: &Model) -> Result<(), String> {
        let mut ours: Vec<_> = model.licenses.iter().collect();
        ours.sort_unstable_by_key(|license| license.id);
        let ours = ours.into_iter().map(|it| {
            let standing = match (it.lapsed_ms, it.ended_ms) {
                (Some(_), _) => LicenseStanding::Lapsed,
                (None, Some(_)) => LicenseStanding::Ended,
                (None, None) => LicenseStanding::Runs,
            };
            let months = it.months.as_ref();
            let months =
                months.map(|(count, _)| (*count, it.began.len(), it.declared.len(), standing));
            (it.id, it.asset, it.licensee, it.bought_ms, months)
        });
        let theirs = self.state.licenses().map(|(id, it)| {
            let months = it.term.map(|term| {
                let (begun, declared) = (term.begun as usize, term.declared as usize);
                (term.months, begun, declared, term.standing)
            });
            (id, it.asset, it.licensee, it.time_ms, months)
        });
        let (ours, theirs): (Vec<_>, Vec<_>) = (ours.collect(), theirs.collect());
        same(|| "licences".to_owned(), ours, theirs)
    }

    fn money(&self, model: &Model) -> Result<(), String> {
        if self.state.audit().is_none() {
            return Err("the ledger's purses do not make the supply".to_owned());
        }
        let mut supply = Units::from(0);
        for (purse, amount) in model.money.balances() {
            let ledger = units(self.state.balance(purse));
            if amount != ledger {
                return Err(format!("{purse:?}: model {amount}, ledger {ledger}"));
            }
            supply += amount;
        }
        // With equal purses and a kept supply, the ledger has no purse that the model does not know.
        let first = model.money.moves.iter().filter(|step| step.from.is_none());
        let first: Units = first.map(|step| &step.amount).sum();
        same(|| "supply".to_owned(), supply, first)
    }

    fn people(&self, model: &Model) -> Result<(), String> {
        for (&who, &nonce) in &model.nonces {
            let ledger = self.state.account(who).nonce;
            same(|| format!("nonce of {who}"), nonce, ledger)?;
        }
        let evaluators = model.evaluators.iter();
        let evaluators: Vec<(Address, ItemId, Option<u64>)> = evaluators
            .map(|(&who, &joined)| (who, joined, model.leaving.get(&who).copied()))
            .collect();
        let ledger = self.state.evaluators();
        let ledger = ledger.map(|(who, e)| (who, e.joined, e.leaves_ms));
        same(|| "evaluators".to_owned(), evaluators, ledger.collect())
    }

    fn bounties(&self, model: &Model) -> Result<(), String> {
        let ids: Vec<ItemId> = model.bounties.keys().copied().collect();
        let ledger = self.state.bounties().map(|(id, _)| id).collect();
        same(|| "bounties".to_owned(), ids, ledger)?;
        for (&id, bounty) in &model.bounties {
            let (_, progress) = self.state.bounty(id).ok_or("a bounty is missing")?;
            let ours = (bounty.phase, bounty.until_ms);
            let theirs = (progress.phase, progress.until_ms);
            same(|| format!("phase of {id}"), ours, theirs)?;
            let ours = bounty.submissions.iter();
            let ours = ours.map(|s| (s.id, s.is_revealed, s.verdict.clone(), s.standing));
            let theirs = self.state.submissions(id);
            let theirs = theirs.map(|s| (s.id, s.key.is_some(), s.verdict.clone(), s.standing));
            let (ours, theirs): (Vec<_>, Vec<_>) = (ours.collect(), theirs.collect());
            same(|| format!("submissions of {id}"), ours, theirs)?;
            if !bounty.is_over() {
                self.seats(model, id)?;
            }
        }
        Ok(())
    }

    fn seats(&self, model: &Model, id: ItemId) -> Result<(), String> {
        let sitting = |panel: Panel| {
            let seats = model.bounties[&id].panel(panel).into_iter();
            let seats = seats.flat_map(|panel| &panel.seats);
            let mut seats: Vec<(Address, bool)> = seats
                .map(|seat| (seat.who, seat.failed_in.is_some()))
                .collect();
            seats.sort_unstable();
            seats
        };
        let theirs: Vec<_> = self
            .state
            .seats(id)
            .map(|(who, seat)| (who, seat.failed))
            .collect();
        same(
            || format!("seats that score in {id}"),
            sitting(Panel::Score),
            theirs,
        )?;
        if model.bounties[&id].phase == Phase::TestCheck {
            let theirs: Vec<_> = self
                .state
                .checks(id)
                .map(|(who, seat)| (who, seat.failed))
                .collect();
            same(
                || format!("seats that check in {id}"),
                sitting(Panel::Check),
                theirs,
            )?;
        }
        Ok(())
    }

    fn votes(&self, model: &Model, id: ItemId) -> Result<(), String> {
        let votes = &model.assets[&id].votes;
        for who in model.assets[&id].holders_ever() {
            let ours = votes.ballots.get(&who);
            let ours = ours.map(|(terms, record)| (terms.id(), *record));
            let theirs = self.state.ballot(id, who);
            let theirs = theirs.map(|ballot| (ballot.terms, ballot.record));
            same(|| format!("ballot of {who} on {id}"), ours, theirs)?;
        }
        let wanted = votes.ballots.values();
        let ours: BTreeMap<Digest, i64> = wanted
            .map(|(terms, _)| (terms.id(), model.shares_for(id, terms)))
            .collect();
        let theirs = self.state.tallies(id);
        let theirs = theirs.map(|(terms, tally)| (terms, i64::from(tally.shares)));
        same(|| format!("tallies of {id}"), ours, theirs.collect())?;
        let theirs = self.state.voting(id).pending;
        let theirs = theirs.map(|pending| (pending.terms, pending.at_ms));
        same(|| format!("pending of {id}"), votes.pending.clone(), theirs)
    }

    fn assets(&self, model: &Model) -> Result<(), String> {
        let ids: Vec<ItemId> = model.assets.keys().copied().collect();
        let ledger = self.state.assets().map(|(id, _)| id).collect();
        same(|| "assets".to_owned(), ids, ledger)?;
        for (&id, asset) in &model.assets {
            let theirs = self.state.asset(id).ok_or("an asset is missing")?;
            same(|| format!("terms of {id}"), &asset.terms, &theirs.terms)?;
            self.votes(model, id)?;
            let theirs = theirs.stack.entries().iter();
            let theirs: Vec<(ItemId, u64)> = theirs
                .map(|(id, share)| (*id, share.billionths()))
                .collect();
            let ours: Vec<(ItemId, u64)> = asset.stack.clone().into_iter().collect();
            same(|| format!("stack of {id}"), ours, theirs)?;
            let ours: Vec<(Address, i64)> = asset.holdings().into_iter().collect();
            let theirs = self
                .state
                .holdings(id)
                .map(|(who, held)| (who, i64::from(held.shares)));
            let theirs: Vec<(Address, i64)> = theirs.filter(|(_, shares)| *shares > 0).collect();
            same(|| format!("holdings of {id}"), ours, theirs)?;
            for who in asset.holders_ever() {
                let (ours, theirs) = (asset.owed(who), units(self.state.owed(id, who)));
                same(|| format!("owed to {who} by {id}"), ours, theirs)?;
            }
        }
        Ok(())
    }
}

/// Plays a history on both.
pub fn play(setup: Setup, steps: &[Step]) -> Result<Coverage, String> {
    let state = State::genesis(&setup.genesis()).expect("a valid genesis");
    let mut play = Play::beside(setup, Market::new(state));
    play.run(steps)?;
    Ok(play.model.coverage)
}

/// The history as a readable list, to its difference.
pub fn story(setup: Setup, steps: &[Step]) -> Vec<String> {
    let state = State::genesis(&setup.genesis()).expect("a valid genesis");
    let mut play = Play::beside(setup, Market::new(state));
    play.story = Some(vec![format!("{setup:?}")]);
    let end = play.run(steps);
    let mut story = play.story.unwrap_or_default();
    story.push(end.map_or_else(|difference| difference, |()| "no difference".to_owned()));
    story
}

/// The steps without which the difference is gone, by leaving out ever smaller pieces.
pub fn shrink(steps: &[Step], fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(fewer.len()));
            if fails(&fewer) {
                steps = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    steps
}
