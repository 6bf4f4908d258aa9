//! Random play: people who use a market, step by step, on the model and on a
//! ledger beside it. After every block the ledger is held against the model.

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

/// The people.
const PEOPLE: u8 = 18;
/// The first of them who may be evaluators from the beginning.
const EVALUATORS_FROM: u8 = 4;

const GENESIS_MS: u64 = 1_000_000;

/// A ledger that is held against the model.
pub trait Ledger {
    /// A block begins, and the clock works.
    fn begin_block(&mut self, height: u64, time_ms: u64, parent: ItemId);

    /// One record.
    fn apply(&mut self, tx: &Transaction) -> Decision;

    /// The block ends: is everything as the model has it?
    ///
    /// # Errors
    /// What differs.
    fn end_block(&mut self, model: &Model) -> Result<(), String>;
}

/// The numbers of a network, and who is there at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Chooses the parameters.
    pub numbers: u8,
    /// How many evaluators there are from the beginning.
    pub evaluators: u8,
}

impl Setup {
    /// A setup from a number.
    pub fn from_number(number: u16) -> Self {
        let [numbers, evaluators] = number.to_le_bytes();
        Self {
            numbers,
            evaluators: [7, 7, 8, 9, 7, 5, 3, 7][usize::from(evaluators % 8)],
        }
    }

    /// The setup that goes with a list of steps from this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self::from_number(Numbers(seed ^ 0x5eed).next_number() as u16)
    }

    fn parameters(self) -> Parameters {
        let pick = |bit: u8| self.numbers >> bit & 1 == 1;
        Parameters {
            fee_per_byte: units(1),
            block_bytes_max: 1 << 21,
            deposit_factor: if pick(0) { 10 } else { 3 },
            validity_max_ms: 60_000,
            phase_min_ms: 100,
            phase_max_ms: 100_000,
            late_ms: 300,
            retention_ms: if pick(1) { 20_000 } else { 60_000 },
            sponsor_bond_ppm: if pick(2) { 200_000 } else { 3_000 },
            miner_bond_ppm: 10_000,
            evaluation_fee_min: units(31),
            evaluation_price: units(if pick(3) { 1_000 } else { 70_001 }),
            committee_min: [3, 1, 3, 1, 3, 3, 5, 1][usize::from(self.numbers >> 4 & 7)],
            seat_stake_ppm: 500_000,
            evaluator_stake_min: units(10_000),
            silent_forfeit_ppm: 10_000,
            unrevealed_forfeit_ppm: if pick(7) { 100_000 } else { 1_000_000 },
            tighten_ms: if pick(6) { 700 } else { 5_000 },
        }
    }

    /// The genesis.
    pub fn genesis(self) -> GenesisRecord {
        let funds = |who: u8| match who {
            15 => 4_000,
            16 => 60_000,
            _ => 100_000_000,
        };
        let genesis = Genesis {
            version: LOG_VERSION,
            name: name("play"),
            salt: name("salt"),
            time_ms: GENESIS_MS,
            parameters: self.parameters(),
            allocations: (0..PEOPLE)
                .map(|who| Allocation {
                    account: person(who),
                    amount: units(funds(who)),
                })
                .collect(),
        };
        GenesisRecord {
            id: ItemId(hash("genesis", &[])),
            proposer: person(0),
            network: NetworkId(hash("network", &[])),
            genesis,
        }
    }
}

fn hash(what: &str, more: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(what.as_bytes());
    for part in more {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

fn code(text: &str) -> Code {
    Code::new(text).expect("a short code")
}

/// A person's address.
pub fn person(who: u8) -> Address {
    Address(hash("person", &[&[who % PEOPLE]]))
}

fn sealed(scope: &SealScope, key: &SealKey, blob: &[u8; 32]) -> SealedFolder {
    let ciphertext = BlobRef {
        id: BlobId(*blob),
        size_bytes: 4_096,
    };
    SealedFolder {
        seal: seal_digest(scope, key, &ciphertext.id, ciphertext.size_bytes),
        ciphertext,
    }
}

/// Some terms, among them ones that no record may carry.
fn terms(shape: u16) -> Terms {
    let fee = |amount: u128| Fee::new(units(amount)).expect("above zero");
    let percent = |billionths: u64| Percent::from_billionths(billionths).expect("within range");
    let sharing = |share: Percent, price: u128, payment_mode: PaymentMode| Terms {
        derivation: Some(Derivation::RevenueShare(share)),
        commercial_use: Some(CommercialUse::FeeOneTime(fee(price))),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode,
        ..Terms::default()
    };
    let (global, random) = (
        PaymentMode::GlobalDistribution,
        PaymentMode::RandomDistribution,
    );
    match shape % 16 {
        0 | 1 => sharing(percent(10_000_000_000), 1_000_003, global),
        2 | 3 => sharing(percent(33_333_333_333), 77_777, global),
        4 => sharing(percent(25_000_000_000), 2_500_009, random),
        5 => sharing(percent(1), 3, global),
        6 => sharing(percent(100_000_000_000), 999_999, global),
        7 | 8 => licensing::presets::open(),
        9 => licensing::presets::one_time(fee(4_000_001)),
        10 => Terms {
            derivation: Some(Derivation::LicensePassthrough),
            commercial_use: Some(CommercialUse::FeeOneTime(fee(1_234_567))),
            data_model_training: Some(DataModelTraining::Allowed),
            payment_mode: global,
            ..Terms::default()
        },
        11 => Terms {
            access_fee: Some(fee(55_555)),
            payment_mode: random,
            ..Terms::default()
        },
        12 => sharing(percent(50_000_000_000), 3_333_333, random),
        13 => Terms {
            payment_mode: PaymentMode::Signer,
            ..licensing::presets::open()
        },
        14 => sharing(percent(5_000_000_000), 10_000_019, global),
        _ => Terms {
            commercial_use: Some(CommercialUse::RevenueShare(percent(5_000_000_000))),
            derivation: Some(Derivation::Credit),
            data_model_training: Some(DataModelTraining::Allowed),
            payment_mode: global,
            ..Terms::default()
        },
    }
}

fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.name, tag.value)).collect()
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
    batches: BTreeMap<(ItemId, Address, u8), RevealAttestations>,
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
        };
        play.open_block(GENESIS_MS + 1);
        for number in 0..setup.evaluators {
            let body = JoinEvaluators {
                stake: units(11_000 + 4_000 * u128::from(number)),
            };
            let first = play.send(EVALUATORS_FROM + number, Action::JoinEvaluators { body });
            assert_eq!(first, Ok(Decision::Applied), "the first evaluators join");
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

    fn open_block(&mut self, time_ms: u64) {
        let height = self.model.height + 1;
        let parent = match height {
            1 => self.model.parent,
            _ => ItemId(hash("block", &[&(height - 1).to_le_bytes()])),
        };
        self.model.begin_block(time_ms, parent);
        self.ledger.begin_block(height, time_ms, parent);
        self.tell(|| format!("  block {height} at {time_ms}"));
    }

    /// Ends the block, compares, and begins one so much later.
    fn wait(&mut self, by_ms: u64) -> Result<(), String> {
        self.ledger.end_block(&self.model)?;
        self.open_block(self.model.time_ms + by_ms.max(1));
        Ok(())
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
        let id = hash("record", &[&signer.0, &nonce.to_le_bytes()]);
        let tx = Transaction {
            id: ItemId(id),
            signer,
            envelope,
            action,
            size_bytes: 500 + u32::from(id[0]) * 5,
        };
        let decision = self.model.apply(&tx);
        self.tell(|| format!("    {:?} {tx:?}", decision));
        let other = self.ledger.apply(&tx);
        if !decision.agrees(other) {
            let kind = tx.action.record_type();
            return Err(format!("{kind}: model {decision:?}, ledger {other:?}"));
        }
        Ok(decision)
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
        match step {
            Step::Proceed {
                bounty,
                mood,
                shape,
            } => {
                let first = self.first_bounty().filter(|_| bounty < 160);
                match first.or_else(|| self.open_bounty(bounty)) {
                    Some(id) => self.proceed(id, mood, shape)?,
                    None => self.post(mood, shape, shape)?,
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

    fn post(&mut self, who: u8, shape: u16, terms: u16) -> Result<(), String> {
        let body = self.posting(who % 4, shape, terms);
        self.post_body(who % 4, body)
    }

    fn post_body(&mut self, who: u8, body: PostBounty) -> Result<(), String> {
        let body = Box::new(body);
        self.send(who, Action::PostBounty { body }).map(|_| ())
    }

    fn test_key_of(who: Address, nonce: u64) -> SealKey {
        SealKey::from_bytes(hash("test key", &[&who.0, &nonce.to_le_bytes()]))
    }

    fn posting(&self, who: u8, shape: u16, terms_shape: u16) -> PostBounty {
        let sponsor = person(who);
        let nonce = self.model.nonce(sponsor);
        let scope = SealScope::test_set(self.model.network, sponsor, nonce);
        let key = Self::test_key_of(sponsor, nonce);
        let blob = hash("test set", &[&sponsor.0, &nonce.to_le_bytes()]);
        let pick = |bits: u32, of: &[u64]| of[usize::from(shape >> bits) % of.len()];
        let price = self.model.parameters.evaluation_price.base_units();
        let multiply_adds_max = 1_000_000;
        let benchmark = benchmark(multiply_adds_max);
        let counted = u128::from(multiply_adds_max) * price;
        let least = (counted.div_ceil(1_000_000_000) * 5).max(31);
        let mut parents: Vec<NamedParent> = Vec::new();
        for (number, bits) in [(terms_shape >> 4, 8), (terms_shape >> 7, 10)] {
            if terms_shape >> bits & 3 != 0
                && let Some(asset) = self.asset(number as u8 & 31)
                && parents.iter().all(|parent| parent.asset != asset)
            {
                let required = terms_shape >> bits & 3 == 1;
                parents.push(NamedParent { asset, required });
            }
        }
        let fund = match shape >> 8 & 3 {
            0 => None,
            how => self.fund(sponsor, how),
        };
        if let Some(fund) = &fund
            && shape >> 11 & 7 != 0
            && parents.iter().all(|parent| parent.asset != fund.asset)
        {
            let asset = fund.asset;
            parents.push(NamedParent {
                asset,
                required: false,
            });
        }
        parents.sort_by_key(|parent| parent.asset);
        let splits = [
            (600_000, 300_000, 100_000),
            (500_000, 250_001, 249_999),
            (1_000_000, 0, 0),
            (0, 1_000_000, 0),
            (0, 0, 1_000_000),
            (700_000, 0, 300_000),
            (333_334, 333_333, 333_333),
            (900_000, 100_000, 0),
        ];
        let (miner, sponsor, backers) = splits[usize::from(shape >> 3) % splits.len()];
        PostBounty {
            title: name("digits"),
            benchmark,
            test_set: sealed(&scope, &key, &blob),
            reward: units(u128::from(pick(
                0,
                &[10_000, 9_999, 24_001, 1, 10_000, 15_000, 60_000],
            ))),
            pay: match shape & 1 {
                0 => Pay::Steps,
                _ => Pay::WinnerTakesAll,
            },
            reserve: Score([300, -5, 300, i64::MIN, 900][usize::from(shape >> 2) % 5]),
            margin: pick(4, &[0, 10, 10, 100, u64::MAX, 1]),
            evaluation_fee: units(least + u128::from(shape >> 9 & 3)),
            prepaid: pick(6, &[0, 1, 2, 0, 5]) as u32,
            schedule: Schedule {
                open_ms: pick(1, &[3_000, 4_001, 1_000]),
                test_key_ms: pick(2, &[400, 1_000]),
                test_check_ms: pick(3, &[500, 900]),
                reveal_ms: pick(4, &[600, 1_500]),
                score_ms: pick(5, &[700, 1_100]),
                score_reveal_ms: pick(6, &[800, 1_300]),
                challenge_ms: pick(7, &[900, 200]),
            },
            model_terms: pairs(terms(terms_shape).to_tags()),
            parents,
            split: RoyaltySplit {
                miner,
                sponsor,
                backers,
            },
            self_funding_ppm: match terms_shape >> 11 {
                31 => 200_001,
                some => [0, 200_000, 33_333][usize::from(some % 3)],
            },
            fund,
        }
    }

    /// What a sponsor may take out of a fund, or a little more; of an asset that it
    /// holds half of, or, seldom, of another one.
    fn fund(&self, sponsor: Address, how: u16) -> Option<FundPart> {
        let balance = |id: &ItemId| self.model.money.balance(Purse::Fund(*id));
        let full = self.model.assets.iter().filter(|(id, asset)| {
            let held = asset.holdings().get(&sponsor).copied().unwrap_or(0);
            (held >= 500_000 || how == 3 && held > 0) && balance(id) > 0.into()
        });
        let (&asset, _) = full.into_iter().next()?;
        let all = u128::try_from(balance(&asset)).expect("not below zero");
        let amount = units(match how {
            1 => all.min(999),
            2 => all.min(24_001),
            _ => all + 1,
        });
        Some(FundPart { asset, amount })
    }

    fn commit(&mut self, who: u8, bounty: ItemId, shape: u16) -> Result<(), String> {
        let miner = person(if shape & 3 == 0 { who } else { 12 + who % 6 });
        self.commit_as(miner, bounty, shape)
    }

    fn commit_as(&mut self, miner: Address, bounty: ItemId, shape: u16) -> Result<(), String> {
        let posted = self.model.bounties.get(&bounty);
        let terms = posted.map_or_else(Terms::default, |bounty| bounty.terms.clone());
        let named: Vec<ItemId> = posted
            .iter()
            .flat_map(|bounty| &bounty.body.parents)
            .filter(|parent| !parent.required)
            .map(|parent| parent.asset)
            .collect();
        let mut parents = Vec::new();
        if shape >> 2 & 3 == 1 {
            parents.extend(named);
        }
        if shape >> 4 & 3 == 1 {
            parents.extend(self.asset((shape >> 7) as u8));
        }
        parents.sort_unstable();
        parents.dedup();
        let nonce = self.model.nonce(miner).to_le_bytes();
        let key = SealKey::from_bytes(hash("key", &[&miner.0, &nonce]));
        let blob = hash("model", &[&miner.0, &nonce]);
        let scope = SealScope::submission(self.model.network, bounty, miner);
        let body = CommitSubmission {
            name: name("model"),
            sealed: sealed(&scope, &key, &blob),
            parents,
        };
        let id = ItemId(hash("record", &[&miner.0, &nonce]));
        let action = Action::CommitSubmission {
            bounty,
            terms: terms.to_tags(),
            body,
        };
        if self.send_as(miner, action, |_| {})? == Decision::Applied {
            self.keys.insert(id, key);
        }
        Ok(())
    }

    fn test_key(&mut self, from: Address, bounty: ItemId) -> Result<(), String> {
        let key = match self.model.bounties.get(&bounty) {
            Some(bounty) => Self::test_key_of(bounty.sponsor, bounty.nonce),
            None => SealKey::from_bytes([1; 32]),
        };
        let body = RevealTestSet { key };
        self.send_as(from, Action::RevealTestSet { bounty, body }, |_| {})?;
        Ok(())
    }

    /// Those whose turn it is do what the phase asks.
    fn proceed(&mut self, id: ItemId, mood: u8, shape: u16) -> Result<(), String> {
        let bounty = self.model.bounties[&id].clone();
        if bounty.draw.is_some() {
            return self.wait(1 + u64::from(shape & 3));
        }
        match bounty.phase {
            Phase::Open => {
                if bounty.submissions.len() < usize::from(1 + id.0[0] % 4) {
                    return self.commit(mood, id, shape);
                }
            }
            Phase::TestKey => {
                if mood < 235 {
                    self.test_key(bounty.sponsor, id)?;
                }
            }
            Phase::TestCheck => self.say(id, &bounty, mood, shape)?,
            Phase::Reveal => {
                for (number, submission) in bounty.submissions.iter().enumerate() {
                    let keeps = mood >= 220 && (mood as usize + number).is_multiple_of(2);
                    if !submission.is_revealed && !keeps {
                        let key = self.keys[&submission.id].clone();
                        self.reveal(submission.miner, id, submission.id, key)?;
                    }
                }
            }
            Phase::Score => self.commit_batches(id, &bounty, mood, shape)?,
            Phase::ScoreReveal => self.reveal_batches(id, &bounty, mood, shape)?,
            Phase::Challenge | Phase::Settled | Phase::Void(_) => {}
        }
        match self.first_bounty() {
            Some(first) if first == id && shape >> 8 & 3 != 3 => self.wait_for_deadline(),
            _ => Ok(()),
        }
    }

    fn reveal(
        &mut self,
        miner: Address,
        bounty: ItemId,
        submission: ItemId,
        key: SealKey,
    ) -> Result<(), String> {
        let body = RevealSubmission { submission, key };
        self.send_as(miner, Action::RevealSubmission { bounty, body }, |_| {})?;
        Ok(())
    }

    /// How seat `number` behaves today: most are honest most of the time.
    fn conduct(mood: u8, shape: u16, number: usize, seats: usize) -> Conduct {
        let odd = |bits: u16| match (shape ^ bits.wrapping_mul(0x9e37)) >> 4 & 3 {
            0 => Conduct::Silent,
            1 => Conduct::Lies,
            2 => Conduct::Unavailable,
            _ => Conduct::Withholds,
        };
        match mood {
            0..=129 => Conduct::Honest,
            130..=189 if number == usize::from(shape) % seats => odd(0),
            130..=189 => Conduct::Honest,
            190..=219 if (usize::from(shape) >> number) & 1 == 1 => odd(number as u16),
            190..=219 => Conduct::Honest,
            220..=234 => Conduct::Unavailable,
            235..=239 => Conduct::Silent,
            240..=249 if number.is_multiple_of(2) => Conduct::Lies,
            240..=249 => Conduct::Honest,
            _ => odd(number as u16),
        }
    }

    fn say(&mut self, id: ItemId, bounty: &Bounty, mood: u8, shape: u16) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Check) else {
            return Ok(());
        };
        let truth = id.0[1] >= 30;
        let bad = TestOutcome::BadSeal {
            code: code("chunk"),
            place: code(if shape & 1 == 0 { "0" } else { "1" }),
        };
        let asked: Vec<&Seat> = seats
            .standing()
            .filter(|seat| matches!(seat.said, None | Some(TestOutcome::Unavailable)))
            .collect();
        for (number, seat) in asked.iter().enumerate() {
            let is_ok = match Self::conduct(mood, shape, number, asked.len()) {
                Conduct::Honest => Some(truth),
                Conduct::Lies => Some(!truth),
                Conduct::Unavailable => None,
                Conduct::Silent | Conduct::Withholds => continue,
            };
            let outcome = match is_ok {
                Some(true) => TestOutcome::Ok,
                Some(false) => bad.clone(),
                None => TestOutcome::Unavailable,
            };
            let body = AttestTestSet { outcome };
            let action = Action::AttestTestSet { bounty: id, body };
            self.send_as(seat.who, action, |_| {})?;
        }
        Ok(())
    }

    /// What is true of a submission.
    fn truth(submission: ItemId) -> Outcome {
        let [kind, score, weights, ..] = submission.0;
        let weights = match weights {
            0..=90 => vec![weights % 3],
            _ => submission.0.to_vec(),
        };
        match kind {
            0..=199 => Outcome::Scored {
                score: Score([250, 300, 310, 311, 400, 650, 900, 1_000][usize::from(score % 8)]),
                weights_digest: Digest(hash("weights", &[&weights])),
                predictions_root: Digest(hash("predictions", &[&weights])),
            },
            200..=224 => Outcome::Invalid {
                code: code("nan_output"),
                place: code("example 3"),
            },
            225..=249 => Outcome::BadSeal { chunk: 0 },
            _ => Outcome::Unavailable,
        }
    }

    /// The batch that a seat would hand in.
    fn batch(
        who: Address,
        undecided: &[ItemId],
        conduct: Conduct,
        shape: u16,
    ) -> RevealAttestations {
        let word = |(place, submission): (usize, &ItemId)| {
            let truth = Self::truth(*submission);
            let outcome = match conduct {
                Conduct::Lies if shape >> 6 & 1 == 0 || place == 0 => Outcome::Scored {
                    score: Score(5_000 + i64::from(shape >> 7 & 1) * i64::from(who.0[0])),
                    weights_digest: Digest(hash("lie", &[&submission.0])),
                    predictions_root: Digest([7; 32]),
                },
                Conduct::Unavailable if shape >> 6 & 3 == 0 || place == 0 => Outcome::Unavailable,
                _ => truth,
            };
            Attestation {
                submission: *submission,
                outcome,
            }
        };
        let attestations: Vec<Attestation> = undecided.iter().enumerate().map(word).collect();
        let leaves = (shape >> 9 & 15 != 0).then(|| BlobRef {
            id: BlobId(hash("leaves", &[&who.0])),
            size_bytes: 100,
        });
        let salt = Digest(hash("salt", &[&who.0]));
        RevealAttestations::batch(salt, &attestations, leaves).remove(0)
    }

    fn commit_batches(
        &mut self,
        id: ItemId,
        bounty: &Bounty,
        mood: u8,
        shape: u16,
    ) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Score) else {
            return Ok(());
        };
        let undecided = bounty.undecided();
        let asked: Vec<&Seat> = seats
            .seats
            .iter()
            .filter(|seat| seats.is_asked(seat, &undecided) && seat.batch(seats.round).is_none())
            .collect();
        for (number, seat) in asked.iter().enumerate() {
            let conduct = Self::conduct(mood, shape, number, asked.len());
            let is_weary = seats.round > 0 && mood.is_multiple_of(4);
            if conduct == Conduct::Silent || is_weary {
                continue;
            }
            let batch = Self::batch(seat.who, &undecided, conduct, shape);
            let commitment = attestation_commitment(id, seat.who, &batch);
            let body = CommitAttestations { commitment };
            let action = Action::CommitAttestations { bounty: id, body };
            self.send_as(seat.who, action, |_| {})?;
            self.batches.insert((id, seat.who, seats.round), batch);
        }
        Ok(())
    }

    fn reveal_batches(
        &mut self,
        id: ItemId,
        bounty: &Bounty,
        mood: u8,
        shape: u16,
    ) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Score) else {
            return Ok(());
        };
        for (number, seat) in seats.seats.iter().enumerate() {
            let conduct = Self::conduct(mood, shape, number, seats.seats.len());
            let withholds = matches!(conduct, Conduct::Withholds | Conduct::Silent);
            let is_due = seat.batch(seats.round).is_some_and(|batch| !batch.is_whole);
            let Some(body) = self.batches.get(&(id, seat.who, seats.round)).cloned() else {
                continue;
            };
            if is_due && !withholds {
                let action = Action::RevealAttestations { bounty: id, body };
                self.send_as(seat.who, action, |_| {})?;
            }
        }
        Ok(())
    }

    fn register(&mut self, who: u8, shape: u16, terms_shape: u16) -> Result<(), String> {
        let kind = match shape & 1 {
            0 => AssetKind::Model,
            _ => AssetKind::DataSet,
        };
        let nonce = self.model.nonce(person(who));
        let label = match shape >> 1 & 3 {
            0 => vec![(shape >> 3 & 3) as u8],
            _ => [&person(who).0[..], &nonce.to_le_bytes()].concat(),
        };
        let weights = Digest(hash("weights", &[&label]));
        let mut parents: Vec<ItemId> = Vec::new();
        if terms_shape >> 4 & 1 == 1 {
            parents.extend(self.asset((terms_shape >> 5) as u8));
        }
        if terms_shape >> 12 & 1 == 1 {
            parents.extend(self.asset((terms_shape >> 9) as u8));
        }
        parents.sort_unstable();
        if shape >> 12 & 7 != 0 {
            parents.dedup();
        }
        let holder = |who: u8, shares| Holder {
            account: person(who),
            shares,
        };
        let holders = match shape >> 5 & 15 {
            0 => vec![holder(1, 999_999), holder(17, 1)],
            1 => vec![holder(9, 333_333), holder(2, 333_333), holder(16, 333_334)],
            2 => vec![holder(9, 500_000), holder(9, 500_000)],
            3 => vec![holder(9, 1_000_000), holder(3, 0)],
            4 => vec![holder(9, 999_999)],
            5 => vec![holder(9, u32::MAX), holder(3, 2_000_000)],
            6 => vec![holder(who, 400_000), holder(who.wrapping_add(1), 600_000)],
            _ => Vec::new(),
        };
        let body = RegisterAsset {
            kind,
            name: name("asset"),
            archive: BlobRef {
                id: BlobId(weights.0),
                size_bytes: 10,
            },
            weights_digest: match (kind, shape >> 9 & 15) {
                (AssetKind::Model, 0) | (AssetKind::DataSet, 1..) => None,
                _ => Some(weights),
            },
            parents,
            holders,
            self_funding_ppm: [0, 200_000, 1, 77_777][usize::from(shape >> 9 & 3)]
                + u32::from(shape >> 12 == 14),
        };
        let mut tags = terms(terms_shape).to_tags();
        if shape >> 12 == 15 {
            tags.reverse();
        }
        self.send(who, Action::RegisterAsset { terms: tags, body })?;
        Ok(())
    }

    fn buy(&mut self, who: u8, asset: ItemId, shape: u8) -> Result<(), String> {
        let terms = self.model.assets[&asset].terms.clone();
        let grants = Grant::ALL
            .into_iter()
            .filter(|grant| terms.quote(*grant).is_ok());
        let for_sale: Vec<Grant> = grants.collect();
        let grant = match usize::from(shape).checked_rem(for_sale.len()) {
            Some(at) if shape < 230 => for_sale[at],
            _ => Grant::ALL[usize::from(shape % 4)],
        };
        let price = terms.quote(grant).map_or(Amount::MAX, |quote| quote.price);
        let price_max = match shape >> 3 & 15 {
            0 => price.checked_sub(units(1)).unwrap_or(price),
            1..=7 => price,
            _ => Amount::MAX,
        };
        let body = BuyLicense {
            grant,
            terms: match shape & 63 {
                63 => Digest([9; 32]),
                _ => terms.id(),
            },
            price_max,
        };
        self.send(who, Action::BuyLicense { asset, body })?;
        Ok(())
    }

    /// A word on terms: mostly in the neighbourhood of those in force, and often what
    /// somebody else has voted for.
    fn vote(&mut self, who: u8, asset: ItemId, shape: u16) -> Result<(), String> {
        let holder = self.holder(asset, who);
        let known = &self.model.assets[&asset];
        let mut wanted = known.terms.clone();
        let ballots: Vec<Terms> = known
            .votes
            .ballots
            .values()
            .map(|it| it.0.clone())
            .collect();
        let fee = |amount: u128| Fee::new(units(amount)).expect("above zero");
        match shape & 15 {
            0..=3 => {
                let at = usize::from(shape >> 4).checked_rem(ballots.len());
                let other = at.map(|at| ballots[at].clone());
                wanted = other.unwrap_or_else(|| wanted.revoked());
            }
            4 => wanted = wanted.revoked(),
            5 => wanted.derivation = Some(Derivation::Allowed),
            6 | 7 => {
                let price = fee(u128::from(shape >> 4 & 7) * 300_001 + 1);
                wanted.commercial_use = Some(CommercialUse::FeeOneTime(price));
            }
            8 => wanted.access_fee = (shape >> 4 & 1 == 0).then(|| fee(7)),
            9 => wanted.expiry_years = std::num::NonZeroU32::new(u32::from(shape >> 4 & 3)),
            10 => {
                let share = u64::from(shape >> 4 & 7) * 5_000_000_000 + 1;
                let share = Percent::from_billionths(share).expect("at most a whole");
                wanted.derivation = Some(Derivation::RevenueShare(share));
            }
            11 => wanted.data_model_training = None,
            12 => {}
            _ => {
                let payment_mode = match shape >> 8 & 7 {
                    0 => PaymentMode::RandomDistribution,
                    _ => wanted.payment_mode,
                };
                wanted = terms(shape >> 4);
                wanted.payment_mode = payment_mode;
            }
        }
        let terms = wanted.to_tags();
        self.send_as(holder, Action::VoteTerms { asset, terms }, |_| {})?;
        Ok(())
    }

    /// Things that ought not to be done.
    fn odd(&mut self, who: u8, what: u8, at: u8, shape: u16) -> Result<(), String> {
        let bounty = self.any_bounty(at);
        let nothing = ItemId(hash("nothing", &[]));
        let transfer = || Action::Transfer {
            to: person(0),
            body: Transfer { amount: units(1) },
        };
        let me = person(who);
        let now = self.model.time_ms;
        match what % 32 {
            0 => self.send_as(me, transfer(), |envelope| envelope.nonce += 1)?,
            1 => self.send_as(me, transfer(), |envelope| {
                envelope.nonce = envelope.nonce.wrapping_sub(1);
            })?,
            2 => self.send_as(me, transfer(), |envelope| envelope.valid_until_ms = now - 1)?,
            3 => self.send_as(me, transfer(), |envelope| envelope.valid_until_ms = now)?,
            4 => self.send_as(me, transfer(), |envelope| {
                envelope.valid_until_ms = now + 60_000 + u64::from(shape & 1);
            })?,
            5 => self.send_as(me, transfer(), |envelope| {
                envelope.network = NetworkId([3; 32]);
            })?,
            6 => {
                let body = BackBounty {
                    amount: units(u128::from(shape & 1)),
                };
                self.send(who, Action::BackBounty { bounty, body })?
            }
            7 => self.send(who, Action::CancelBounty { bounty })?,
            8 => return self.commit_as(me, bounty, shape),
            9 => return self.test_key(me, bounty),
            10 => {
                let key = SealKey::from_bytes([5; 32]);
                let body = RevealTestSet { key };
                self.send(who, Action::RevealTestSet { bounty, body })?
            }
            11 => {
                let outcome = TestOutcome::Ok;
                let body = AttestTestSet { outcome };
                let who = self.seat_of(bounty, shape).unwrap_or(me);
                self.send_as(who, Action::AttestTestSet { bounty, body }, |_| {})?
            }
            12..=14 => {
                let submissions = self
                    .model
                    .bounties
                    .get(&bounty)
                    .map(|b| b.submissions.clone());
                let submissions = submissions.unwrap_or_default();
                let chosen = submissions.get(usize::from(shape) % submissions.len().max(1));
                let (id, owner) = chosen.map_or((nothing, me), |s| (s.id, s.miner));
                let key = match self.keys.get(&id) {
                    Some(key) if what % 32 != 12 => key.clone(),
                    _ => SealKey::from_bytes([6; 32]),
                };
                let from = if what % 32 == 13 { me } else { owner };
                return self.reveal(from, bounty, id, key);
            }
            15 => {
                let commitment = Digest([8; 32]);
                let body = CommitAttestations { commitment };
                let who = self.seat_of(bounty, shape).unwrap_or(me);
                self.send_as(who, Action::CommitAttestations { bounty, body }, |_| {})?
            }
            16..=19 => {
                let who = self.seat_of(bounty, shape >> 2).unwrap_or(me);
                return self.odd_batch(who, bounty, shape);
            }
            20 => {
                let asset = nothing;
                self.send(who, Action::ClaimRoyalty { asset })?
            }
            21 => {
                let body = TransferShares { to: me, shares: 1 };
                let asset = self.asset(at).unwrap_or(nothing);
                self.send(who, Action::TransferShares { asset, body })?
            }
            22 => {
                let body = BuyLicense {
                    grant: Grant::Access,
                    terms: Digest([1; 32]),
                    price_max: Amount::MAX,
                };
                let asset = nothing;
                self.send(who, Action::BuyLicense { asset, body })?
            }
            23 => self.send(who, Action::LeaveEvaluators)?,
            24 => {
                let to = person(who);
                let body = Transfer { amount: units(5) };
                self.send(who, Action::Transfer { to, body })?
            }
            _ => return self.odd_posting(who, shape),
        };
        Ok(())
    }

    /// Somebody who has a seat there.
    fn seat_of(&self, bounty: ItemId, shape: u16) -> Option<Address> {
        let bounty = self.model.bounties.get(&bounty)?;
        let panels = [bounty.check.as_ref(), bounty.score.as_ref()];
        let seats = panels.into_iter().flatten().flat_map(|panel| &panel.seats);
        let seats: Vec<Address> = seats.map(|seat| seat.who).collect();
        let at = usize::from(shape).checked_rem(seats.len())?;
        Some(seats[at])
    }

    fn odd_batch(&mut self, who: Address, id: ItemId, shape: u16) -> Result<(), String> {
        let round = self.model.bounties.get(&id).and_then(|b| b.score.as_ref());
        let round = round.map_or(0, |seats| seats.round);
        let known = self.batches.get(&(id, who, round)).cloned();
        let mut body = known.unwrap_or_else(|| Self::batch(who, &[id], Conduct::Honest, 0));
        match shape & 7 {
            0 => body.part = 1,
            1 => body.salt = Digest([2; 32]),
            2 => body.leaves = None,
            3 => body.parts.push(Digest([3; 32])),
            4 => body.attestations.clear(),
            5 => body.attestations.reverse(),
            6 => body.parts.clear(),
            _ => {}
        }
        let action = Action::RevealAttestations { bounty: id, body };
        self.send_as(who, action, |_| {})?;
        Ok(())
    }

    fn odd_posting(&mut self, who: u8, shape: u16) -> Result<(), String> {
        let who = who % PEOPLE;
        let mut body = self.posting(who, shape >> 5, 7);
        match shape & 15 {
            0 => body.reward = units(0),
            1 => body.schedule.open_ms = 99,
            2 => body.schedule.challenge_ms = 100_001,
            3 => body.split.miner += 1,
            4 => body.split.sponsor = u32::MAX,
            5 => body.evaluation_fee = units(30),
            6 => body.prepaid = 10_001,
            7 => body.prepaid = 10_000,
            8 if shape >> 4 & 1 == 0 => {
                if let Some(other) = self.model.bounties.values().next() {
                    body.test_set = other.body.test_set;
                }
            }
            8 => body.benchmark.task = Task::Classification { classes: 1 },
            9 => body.benchmark.arithmetic += 1,
            10 => body.model_terms.clear(),
            11 => body.model_terms = pairs(terms(13).to_tags()),
            12 => body.reward = units(100_000_000),
            13 => body.reward = Amount::MAX,
            14 => {
                body.parents.push(NamedParent {
                    asset: ItemId([7; 32]),
                    required: true,
                });
            }
            _ => {
                let three = units(body.evaluation_fee.base_units() * 3 / 5);
                body.evaluation_fee = three;
            }
        }
        self.post_body(who, body)
    }
}

/// How a seat behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    Honest,
    Silent,
    Lies,
    Unavailable,
    Withholds,
}

fn benchmark(multiply_adds_max: u64) -> Benchmark {
    Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        examples_max: 4,
        metric: Metric::Accuracy,
        limits: ModelLimits {
            parameters_max: 100_000,
            file_bytes_max: 1 << 20,
            multiply_adds_max,
        },
    }
}
