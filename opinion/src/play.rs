//! Random play: people who use a market, step by step, on the model and on a
//! ledger beside it. After every block the ledger is held against the model.

mod asset;
mod bounty;
mod flood;
mod odd;
mod setup;

use std::collections::BTreeMap;

use licensing::{CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Percent, Terms};
use protocol::ans104::Tag;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::receipt::{Panel, Phase, Purse};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::text::{Code, Name};
use protocol::{Address, Amount, BlobId, Digest, ItemId, NetworkId, Score};
use sha2::{Digest as _, Sha256};

use crate::bounty::Bounty;
use crate::model::{Decision, Model};
use crate::panel::Seat;
use crate::step::{Numbers, Step, Wait};

pub use setup::{Setup, person};
use setup::{benchmark, choice, code, hash, name, one_of_the_crowd, pairs, sealed, terms, units};

/// The people.
const PEOPLE: u8 = 18;
/// The first of them who may be evaluators from the beginning.
const EVALUATORS_FROM: u8 = 4;

const GENESIS_MS: u64 = 1_000_000;

/// A ledger that is held against the model.
pub trait Ledger {
    /// A block begins, and the clock works.
    fn begin_block(&mut self, height: u64, time_ms: u64, parent: ItemId);

    /// How much of the same was done, if the block is not enough for what the clock has begun: submissions that were
    /// looked at in this way, or stakes that were returned.
    fn left_at(&self) -> Option<usize>;

    /// Ends a block in which nothing but the clock's work was done; it is compared with the next.
    fn end_early(&mut self);

    /// One record.
    fn apply(&mut self, tx: &Transaction) -> Decision;

    /// The block ends: is everything as the model has it?
    ///
    /// # Errors
    /// What differs.
    fn end_block(&mut self, model: &Model) -> Result<(), String>;
}

/// What a play is: the model, the ledger beside it, and what people know.
pub struct Play<L> {
    /// The model.
    pub model: Model,
    /// The ledger beside it.
    ledger: L,
    /// What happened, a line a record or block, if it is to be told.
    pub story: Option<Vec<String>>,
    keys: BTreeMap<ItemId, SealKey>,
    /// The parts of what was committed in a round.
    batches: BTreeMap<(ItemId, Address, u8), Vec<RevealAttestations>>,
    /// Whether there is one bounty alone, of so many submissions that the ledger needs several blocks for
    /// what the model does at once. Nothing else is due in them.
    is_flood: bool,
    /// [`Setup::salt`]
    salt: u64,
}

impl<L: Ledger> Play<L> {
    /// A play with a ledger that began with the same genesis.
    pub fn beside(setup: Setup, ledger: L) -> Self {
        let mut play = Self {
            model: Model::genesis(&setup.genesis()),
            ledger,
            story: None,
            keys: BTreeMap::new(),
            batches: BTreeMap::new(),
            is_flood: setup.flood > 0,
            salt: setup.salt,
        };
        play.open_block(GENESIS_MS + 1).expect("nothing is due");
        for number in 0..setup.evaluators {
            let body = JoinEvaluators {
                stake: units(11_000 + 4_000 * u128::from(number)),
            };
            let first = play.send(EVALUATORS_FROM + number, Action::JoinEvaluators { body });
            assert_eq!(first, Ok(Decision::Applied), "the first evaluators join");
        }
        for number in 0..setup.crowd {
            let body = JoinEvaluators {
                stake: units(20_000 + 1_000 * u128::from(number % 7)),
            };
            let action = Action::JoinEvaluators { body };
            let first = play.send_as(one_of_the_crowd(number), action, |_| {});
            assert_eq!(first, Ok(Decision::Applied), "the crowd joins");
        }
        if play.is_flood {
            play.flood(setup);
        }
        play
    }

    /// Plays all steps and a last block.
    ///
    /// # Errors
    /// The first difference, and the step at which it showed.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), String> {
        for (number, step) in steps.iter().enumerate() {
            self.tell(|| format!("{number}: {step:?}"));
            self.step(*step)
                .map_err(|what| format!("at step {number}, {step:?}: {what}"))?;
        }
        self.wait(1).map_err(|what| format!("at the end: {what}"))?;
        for step in &self.model.money.moves {
            if let Some(rule) = step.rule {
                self.model.coverage.saw(format!("rule: {rule:?}"));
            }
        }
        for asset in self.model.assets.values() {
            asset.check_exactly();
        }
        Ok(())
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }

    // Blocks and records.

    fn open_block(&mut self, time_ms: u64) -> Result<(), String> {
        let height = self.model.height + 1;
        let (genesis, salt) = (self.model.parent, self.salt.to_le_bytes());
        let parent = |height: u64| match height {
            1 => genesis,
            _ => ItemId(hash("block", &[&salt, &(height - 1).to_le_bytes()])),
        };
        let (mut last, mut times_ms) = (height, vec![time_ms]);
        let mut left_at = Vec::new();
        self.ledger.begin_block(height, time_ms, parent(height));
        while let Some(at) = self.ledger.left_at().filter(|_| self.is_flood) {
            left_at.push(at);
            self.ledger.end_early();
            last += 1;
            assert!(last - height < 1_000, "the clock comes to no end");
            times_ms.push(time_ms + (last - height));
            self.ledger
                .begin_block(last, time_ms + (last - height), parent(last));
        }
        self.model.begin_blocks(&times_ms, parent(last));
        let time_ms = self.model.time_ms;
        self.tell(|| format!("  block {last} at {time_ms}"));
        let expected = self.model.work.left_at();
        if self.is_flood && expected != left_at {
            return Err(format!(
                "where blocks leave the clock's work: model {expected:?}, ledger {left_at:?}"
            ));
        }
        Ok(())
    }

    /// Ends the block, compares, and begins one so much later.
    fn wait(&mut self, by_ms: u64) -> Result<(), String> {
        self.ledger.end_block(&self.model)?;
        self.open_block(self.model.time_ms + by_ms.max(1))
    }

    fn wait_for_deadline(&mut self) -> Result<(), String> {
        let by = self.until_deadline_ms();
        self.wait(by)
    }

    fn until_deadline_ms(&self) -> u64 {
        if self.model.has_work_left() {
            return 1;
        }
        let open = self.model.bounties.values().filter(|b| !b.is_over());
        let first = open.map(|bounty| bounty.until_ms);
        let assets = self.model.assets.values();
        let pending = assets.filter_map(|asset| asset.votes.pending.as_ref());
        let first = first.chain(pending.map(|(_, at_ms)| *at_ms)).min();
        first.map_or(100, |until| until.saturating_sub(self.model.time_ms))
    }

    /// Until the last moment in which the bounty that ends first can be backed.
    fn until_half_ms(&self) -> u64 {
        let first = self.first_bounty().map(|id| &self.model.bounties[&id]);
        let half = first.map_or(0, |b| b.posted_ms + b.body.schedule.open_ms / 2);
        half.saturating_sub(self.model.time_ms)
    }

    fn send(&mut self, who: u8, action: Action) -> Result<Decision, String> {
        self.send_as(person(who), action, |_| {})
    }

    fn send_as(
        &mut self,
        signer: Address,
        action: Action,
        change: impl FnOnce(&mut Envelope),
    ) -> Result<Decision, String> {
        let nonce = self.model.nonce(signer);
        let mut envelope = Envelope {
            network: self.model.network,
            nonce,
            valid_until_ms: self.model.time_ms + 10_000,
        };
        change(&mut envelope);
        let id = self.record_id(signer, nonce);
        let tx = Transaction {
            id,
            signer,
            envelope,
            action,
            size_bytes: 500 + u32::from(id.0[0]) * 5,
        };
        let decision = self.model.apply(&tx);
        self.tell(|| format!("    {:?} {tx:?}", decision));
        let other = self.ledger.apply(&tx);
        if decision != other {
            let kind = tx.action.record_type();
            return Err(format!("{kind}: model {decision:?}, ledger {other:?}"));
        }
        Ok(decision)
    }

    /// The id of what an account signs with this nonce.
    fn record_id(&self, signer: Address, nonce: u64) -> ItemId {
        let parts = [self.salt.to_le_bytes(), nonce.to_le_bytes()];
        ItemId(hash("record", &[&signer.0, &parts.concat()]))
    }

    // Choices.

    /// The bounty whose phase ends first.
    fn first_bounty(&self) -> Option<ItemId> {
        let open = self.model.bounties.iter().filter(|(_, b)| !b.is_over());
        open.map(|(id, b)| (b.until_ms, *id))
            .min()
            .map(|(_, id)| id)
    }

    /// The bounty that `number` means among those that are not over.
    fn open_bounty(&self, number: u8) -> Option<ItemId> {
        let open = self.model.bounties.iter().filter(|(_, b)| !b.is_over());
        let mut ids: Vec<(u64, ItemId)> = open.map(|(id, b)| (b.posted_ms, *id)).collect();
        ids.sort_unstable();
        let at = usize::from(number).checked_rem(ids.len())?;
        Some(ids[at].1)
    }

    /// The bounty that `number` means among all that are kept, or one that nobody knows.
    fn any_bounty(&self, number: u8) -> ItemId {
        let ids: Vec<ItemId> = self.model.bounties.keys().copied().collect();
        match usize::from(number).checked_rem(ids.len() + 1) {
            Some(at) if at < ids.len() => ids[at],
            _ => ItemId(hash("nothing", &[&[number]])),
        }
    }

    fn asset(&self, number: u8) -> Option<ItemId> {
        let mut ids: Vec<_> = self
            .model
            .assets
            .iter()
            .map(|(id, a)| (a.place, *id))
            .collect();
        ids.sort_unstable();
        let at = usize::from(number).checked_rem(ids.len())?;
        Some(ids[at].1)
    }

    fn holder(&self, asset: ItemId, number: u8) -> Address {
        let holders: Vec<Address> = self.model.assets[&asset].holdings().into_keys().collect();
        match number {
            250.. => person(number),
            _ => holders[usize::from(number) % holders.len()],
        }
    }

    // Steps.

    fn step(&mut self, step: Step) -> Result<(), String> {
        if self.is_flood && !self.is_of_flood(&step) {
            return Ok(());
        }
        match step {
            Step::Proceed {
                bounty,
                mood,
                shape,
            } => {
                let first = self.first_bounty().filter(|_| bounty < 160);
                match first.or_else(|| self.open_bounty(bounty)) {
                    Some(id) => self.proceed(id, mood, shape)?,
                    None => self.post(mood, shape, choice(shape, "terms"))?,
                }
            }
            Step::Wait(how) => {
                let until = self.until_deadline_ms();
                let late = self.model.parameters.late_ms;
                self.wait(match how {
                    Wait::Moment(ms) => u64::from(ms) + 1,
                    Wait::Deadline => until,
                    Wait::Past(0..64) => until + late,
                    Wait::Past(by) => until + late.min(u64::from(by)),
                    Wait::Late(0..64) => until + late + 1,
                    Wait::Late(by) => until + late + u64::from(by),
                    Wait::Half(by) => self.until_half_ms() + u64::from(by & 1),
                    Wait::Retention => self.model.parameters.retention_ms,
                })?;
            }
            Step::Post { who, shape, terms } => {
                let open = self.model.bounties.values().filter(|b| !b.is_over());
                match open.count() {
                    0..3 => self.post(who, shape, terms)?,
                    _ => self.step(Step::Proceed {
                        bounty: who,
                        mood: terms as u8,
                        shape,
                    })?,
                }
            }
            Step::Back { who, bounty, shape } => {
                if let Some(bounty) = self.open_bounty(bounty) {
                    let amounts = [1, 999, 5_000, 20_000, 60_000];
                    let amount = units(amounts[usize::from(shape) % amounts.len()]);
                    let body = BackBounty { amount };
                    let who = if shape & 256 == 0 { 14 + who % 4 } else { who };
                    self.send(who, Action::BackBounty { bounty, body })?;
                }
            }
            Step::Commit { who, bounty, shape } => {
                if let Some(bounty) = self.open_bounty(bounty) {
                    self.commit(who, bounty, shape)?;
                }
            }
            Step::Cancel { bounty } => {
                if let Some(bounty) = self.open_bounty(bounty) {
                    let sponsor = self.model.bounties[&bounty].sponsor;
                    self.send_as(sponsor, Action::CancelBounty { bounty }, |_| {})?;
                }
            }
            Step::Leak { who, bounty } => {
                if let Some(bounty) = self.open_bounty(bounty) {
                    self.test_key(person(who), bounty)?;
                }
            }
            Step::Join { who, shape } => {
                let stakes = [0, 1, 5_000, 10_000, 15_000, 30_000, 70_000];
                let stake = units(stakes[usize::from(shape) % stakes.len()]);
                let who = if shape < 200 { 4 + who % 10 } else { who };
                let body = JoinEvaluators { stake };
                self.send(who, Action::JoinEvaluators { body })?;
            }
            Step::Leave { who } => {
                self.send(4 + who % 10, Action::LeaveEvaluators)?;
            }
            Step::Register { who, shape, terms } => self.register(who, shape, terms)?,
            Step::Buy { who, asset, shape } => {
                if let Some(asset) = self.asset(asset) {
                    self.buy(who, asset, shape)?;
                }
            }
            Step::Claim { who, asset } => {
                if let Some(asset) = self.asset(asset) {
                    let holder = self.holder(asset, who);
                    self.send_as(holder, Action::ClaimRoyalty { asset }, |_| {})?;
                }
            }
            Step::MoveShares {
                who,
                to,
                asset,
                shape,
            } => {
                if let Some(asset) = self.asset(asset) {
                    let holder = self.holder(asset, who);
                    let held = self.model.assets[&asset].holdings();
                    let held = held.get(&holder).copied().unwrap_or(0) as u32;
                    let shares = match shape % 8 {
                        0 => held,
                        1 => held + 1,
                        2 => 0,
                        3 => 1,
                        parts => held / u32::from(parts),
                    };
                    let voters = &self.model.assets[&asset].votes.ballots;
                    let voter = usize::from(to).checked_rem(voters.len());
                    let voter = voter.filter(|_| shape >= 128);
                    let voter = voter.and_then(|at| voters.keys().nth(at).copied());
                    let to = voter.unwrap_or_else(|| person(to));
                    let body = TransferShares { to, shares };
                    self.send_as(holder, Action::TransferShares { asset, body }, |_| {})?;
                }
            }
            Step::Declare {
                license,
                who,
                shape,
            } => self.declare(license, who, shape)?,
            Step::Send { who, to, shape } => {
                let amounts = [0, 1, 777, 100_000, 10_000_000, u128::MAX];
                let amount = units(amounts[usize::from(shape) % amounts.len()]);
                let (to, body) = (person(to), Transfer { amount });
                self.send(who, Action::Transfer { to, body })?;
            }
            Step::Vote { who, asset, shape } => {
                if let Some(asset) = self.asset(asset) {
                    self.vote(who, asset, shape)?;
                }
            }
            Step::Odd {
                who,
                what,
                at,
                shape,
            } => self.odd(who, what, at, shape)?,
        }
        Ok(())
    }
}
