//! A small market with named people, whose records are really signed and read.
//!
//! Amounts are small numbers of base units, so that a table's line can be
//! checked by hand. After every block the purses that the receipts' movements
//! add up to are compared with the state's, and the supply is summed in full.

use std::collections::{BTreeMap, BTreeSet};

use market::bounty::Step;
use market::{Rejection, State};
use protocol::ans104::Tag;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::keys::SecretKey;
use protocol::receipt::{Cause, Event, Phase, Purse, Receipt, Rule, Standing};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::text::{Code, Name};
use protocol::{Address, Amount, BlobId, Digest, ItemId, Score};

use crate::statements::Statements;

/// The time of the genesis.
pub const GENESIS_MS: u64 = 1_000_000;

/// What each of the [`CAST`] begins with.
pub const FUNDS: u128 = 1_000_000_000;

/// Who has money from the beginning.
pub const CAST: [&str; 16] = [
    "sponsor", "backer-1", "backer-2", "miner-1", "miner-2", "miner-3", "miner-4", "eve-1",
    "eve-2", "eve-3", "eve-4", "eve-5", "buyer", "alice", "bob", "carol",
];

/// Phases long enough to act in, each of another length.
pub const SCHEDULE: Schedule = Schedule {
    open_ms: 20_000,
    test_key_ms: 2_000,
    test_check_ms: 3_000,
    reveal_ms: 4_000,
    score_ms: 5_000,
    score_reveal_ms: 6_000,
    challenge_ms: 7_000,
};

pub fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

pub fn code(text: &str) -> Code {
    Code::new(text).expect("a short code")
}

fn bytes(label: &str) -> [u8; 32] {
    *blake3::hash(label.as_bytes()).as_bytes()
}

pub fn digest(label: &str) -> Digest {
    Digest(bytes(label))
}

/// An id that nothing has.
pub fn nothing() -> ItemId {
    ItemId(bytes("nothing"))
}

pub fn blob(label: &str) -> BlobRef {
    BlobRef {
        id: BlobId(bytes(label)),
        size_bytes: 4096,
    }
}

pub fn seal_key(label: &str) -> SealKey {
    SealKey::from_bytes(bytes(&format!("key of {label}")))
}

pub fn address(who: &str) -> Address {
    secret(who).public().address()
}

fn secret(who: &str) -> SecretKey {
    SecretKey::from_seed(&bytes(who))
}

/// Terms that ask `price` units for each grant.
pub fn priced(price: u128) -> Vec<Tag> {
    let fee = licensing::Fee::new(units(price)).expect("above zero");
    licensing::presets::one_time(fee).to_tags()
}

/// Terms for which business use costs `fee` units a month, and descendants owe 10 % of their income.
pub fn monthly(fee: u128) -> Vec<Tag> {
    let fee = licensing::Fee::new(units(fee)).expect("above zero");
    let terms = licensing::Terms::parse(&sharing("10%", 1)).expect("terms");
    licensing::Terms {
        commercial_use: Some(licensing::CommercialUse::FeeMonthly(fee)),
        ..terms
    }
    .to_tags()
}

/// Terms for which business use costs a share of its revenue, and descendants owe 10 % of their income.
pub fn revenue(percent: &str) -> Vec<Tag> {
    let share = percent.parse().expect("a percentage");
    let terms = licensing::Terms::parse(&sharing("10%", 1)).expect("terms");
    licensing::Terms {
        commercial_use: Some(licensing::CommercialUse::RevenueShare(share)),
        ..terms
    }
    .to_tags()
}

pub fn declare(license: ItemId, period: u32, revenue: u128) -> Action {
    let revenue = units(revenue);
    let body = DeclareRevenue { period, revenue };
    Action::DeclareRevenue { license, body }
}

/// Terms for which descendants owe `percent` of their income; business use costs `price`.
pub fn sharing(percent: &str, price: u128) -> Vec<Tag> {
    let fee = licensing::Fee::new(units(price)).expect("above zero");
    licensing::Terms {
        derivation: Some(licensing::Derivation::RevenueShare(
            percent.parse().expect("a percentage"),
        )),
        commercial_use: Some(licensing::CommercialUse::FeeOneTime(fee)),
        data_model_training: Some(licensing::DataModelTraining::Allowed),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..licensing::Terms::default()
    }
    .to_tags()
}

pub fn pairs(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter()
        .map(|tag| (tag.name.clone(), tag.value.clone()))
        .collect()
}

pub fn scored(score: i64, weights: &str) -> Outcome {
    Outcome::Scored {
        score: Score(score),
        weights_digest: digest(weights),
        predictions_root: digest(&format!("predictions of {weights}")),
    }
}

pub fn invalid() -> Outcome {
    Outcome::Invalid {
        code: code("nan_output"),
        place: code("example 3"),
    }
}

pub fn bad_test_set() -> TestOutcome {
    TestOutcome::BadSeal {
        code: code("chunk"),
        place: code("0"),
    }
}

pub fn benchmark() -> Benchmark {
    Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        metric: Metric::Accuracy,
        examples_max: 1,
        limits: ModelLimits {
            parameters_max: 100_000,
            file_bytes_max: 1 << 20,
            multiply_adds_max: 1_000_000,
        },
    }
}

/// Makes the counted cost of a submission so many multiply-adds.
pub fn costs(benchmark: &mut Benchmark, multiply_adds: u64) {
    benchmark.limits.multiply_adds_max = multiply_adds;
}

/// The numbers of the test network: one unit a byte, small stakes, short phases.
pub fn parameters() -> Parameters {
    Parameters {
        fee_per_byte: units(1),
        block_bytes_max: 1 << 21,
        deposit_factor: 10,
        validity_max_ms: 60_000,
        phase_min_ms: 1_000,
        phase_max_ms: 100_000,
        late_ms: 1_000,
        retention_ms: 50_000,
        sponsor_bond_ppm: 200_000,
        miner_bond_ppm: 10_000,
        evaluation_fee_min: units(30),
        evaluation_price: units(1_000),
        committee_min: 1,
        seat_stake_ppm: 500_000,
        evaluator_stake_min: units(10_000),
        silent_forfeit_ppm: 10_000,
        unrevealed_forfeit_ppm: 100_000,
        month_ms: Parameters::default().month_ms,
        grace_ms: Parameters::default().grace_ms,
        revenue_minimum: Parameters::default().revenue_minimum,
    }
}

// Actions.

pub fn transfer(to: &str, amount: u128) -> Action {
    Action::Transfer {
        to: address(to),
        body: Transfer {
            amount: units(amount),
        },
    }
}

pub fn join(stake: u128) -> Action {
    Action::JoinEvaluators {
        body: JoinEvaluators {
            stake: units(stake),
        },
    }
}

pub fn back(bounty: ItemId, amount: u128) -> Action {
    Action::BackBounty {
        bounty,
        body: BackBounty {
            amount: units(amount),
        },
    }
}

/// The same terms, but each income goes to one holder.
pub fn drawn(terms: &[Tag]) -> Vec<Tag> {
    licensing::Terms {
        payment_mode: licensing::PaymentMode::RandomDistribution,
        ..licensing::Terms::parse(terms).expect("terms")
    }
    .to_tags()
}

pub fn named(required: &[ItemId], optional: &[ItemId]) -> Vec<NamedParent> {
    let with = |required| move |&asset: &ItemId| NamedParent { asset, required };
    let mut parents: Vec<NamedParent> = required.iter().map(with(true)).collect();
    parents.extend(optional.iter().map(with(false)));
    parents.sort_unstable_by_key(|parent| parent.asset);
    parents
}

pub fn found(bounty: ItemId, outcome: TestOutcome) -> Action {
    let body = AttestTestSet { outcome };
    Action::AttestTestSet { bounty, body }
}

pub fn cancel(bounty: ItemId) -> Action {
    Action::CancelBounty { bounty }
}

pub fn claim(asset: ItemId) -> Action {
    Action::ClaimRoyalty { asset }
}

/// What a batch is revealed with, one record a part.
pub fn batch_of(
    who: &str,
    round: u8,
    attestations: &[Attestation],
    leaves: Option<BlobRef>,
) -> Vec<RevealAttestations> {
    let salt = digest(&format!("salt of {who}, round {round}"));
    if attestations.is_empty() {
        return vec![RevealAttestations {
            salt,
            parts: vec![part_digest(attestations)],
            part: 0,
            attestations: Vec::new(),
            leaves,
        }];
    }
    RevealAttestations::batch(salt, attestations, leaves)
}

/// The id of a block: made up, and always the same.
pub fn block_id(height: u64) -> ItemId {
    ItemId(bytes(&format!("block {height}")))
}

pub fn model(label: &str, terms: Vec<Tag>, parents: &[ItemId]) -> Action {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    Action::RegisterAsset {
        terms,
        body: RegisterAsset {
            kind: AssetKind::Model,
            name: name(label),
            archive: blob(label),
            weights_digest: Some(digest(label)),
            parents,
            holders: Vec::new(),
        },
    }
}

pub fn data_set(label: &str, terms: Vec<Tag>) -> Action {
    Action::RegisterAsset {
        terms,
        body: RegisterAsset {
            kind: AssetKind::DataSet,
            name: name(label),
            archive: blob(label),
            weights_digest: None,
            parents: Vec::new(),
            holders: Vec::new(),
        },
    }
}

pub fn transfer_shares(asset: ItemId, to: &str, shares: u32) -> Action {
    Action::TransferShares {
        asset,
        body: TransferShares {
            to: address(to),
            shares,
        },
    }
}

/// A world and its history.
pub struct World {
    pub state: State,
    pub genesis: GenesisRecord,
    /// Every block: its time and its records.
    pub log: Vec<(u64, Vec<Transaction>)>,
    /// Roots of state and receipts after each block.
    pub roots: Vec<(Digest, Digest)>,
    /// Every rejection code that a receipt had.
    pub codes: BTreeSet<String>,
    names: BTreeMap<Address, String>,
    labels: BTreeMap<ItemId, String>,
    /// What the movements so far add up to.
    purses: BTreeMap<Purse, u128>,
    batches: BTreeMap<(String, ItemId), Vec<RevealAttestations>>,
    /// By how much everybody is richer or poorer, byte fees and deposits left out.
    gains: BTreeMap<Address, i128>,
    /// Byte fees by who paid them.
    bytes: BTreeMap<Address, u128>,
    /// Whose deposit a record has locked.
    depositors: BTreeMap<ItemId, Address>,
    /// Which seed a sealed folder's key was made from.
    sealed_from: BTreeMap<ItemId, String>,
    /// What every account, bounty and asset is told of its money.
    pub statements: Statements,
}

impl World {
    /// The usual network, the whole cast, and nobody at work.
    pub fn new() -> Self {
        Self::with(parameters(), &[])
    }

    /// A network of one's own; `more` names further people with money.
    pub fn with(parameters: Parameters, more: &[&str]) -> Self {
        let people: Vec<&str> = CAST.iter().chain(more).copied().collect();
        let genesis = Genesis {
            version: LOG_VERSION,
            name: name("test"),
            salt: name("salt"),
            time_ms: GENESIS_MS,
            parameters,
            allocations: people
                .iter()
                .map(|who| Allocation {
                    account: address(who),
                    amount: units(FUNDS),
                })
                .collect(),
        };
        Self::of(genesis, &people)
    }

    /// The network of a genesis, in which these people have names.
    pub fn of(genesis: Genesis, people: &[&str]) -> Self {
        let item = genesis.draft().sign(&secret("operator")).expect("few tags");
        let genesis = GenesisRecord::read(&item).expect("a genesis");
        let purses = genesis
            .genesis
            .allocations
            .iter()
            .map(|first| (Purse::Account(first.account), first.amount.base_units()));
        Self {
            state: State::genesis(&genesis).expect("a valid genesis"),
            log: Vec::new(),
            roots: Vec::new(),
            codes: BTreeSet::new(),
            names: people
                .iter()
                .chain(&["nobody"])
                .map(|who| (address(who), (*who).to_owned()))
                .collect(),
            labels: BTreeMap::new(),
            purses: purses.collect(),
            batches: BTreeMap::new(),
            gains: BTreeMap::new(),
            bytes: BTreeMap::new(),
            depositors: BTreeMap::new(),
            sealed_from: BTreeMap::new(),
            statements: Statements::new(&genesis),
            genesis,
        }
    }

    /// Lets a thing show under a name in tables.
    pub fn label(&mut self, id: ItemId, label: &str) {
        self.labels.insert(id, label.to_owned());
    }

    pub fn now(&self) -> u64 {
        self.state.time_ms()
    }

    pub fn envelope(&self, who: &str) -> Envelope {
        Envelope {
            network: self.state.network(),
            nonce: self.state.account(address(who)).nonce,
            valid_until_ms: self.now().saturating_add(10_000),
        }
    }

    /// A record, signed and read back.
    pub fn sign(who: &str, envelope: &Envelope, action: &Action) -> Transaction {
        let item = Transaction::draft(envelope, action)
            .sign(&secret(who))
            .expect("the tags fit");
        let tx = Transaction::read(&item).expect("what was drafted can be read");
        assert_eq!(tx.action, *action);
        tx
    }

    /// The id of the block at a height.
    pub fn id_at(&self, height: u64) -> ItemId {
        match height {
            0 => self.genesis.id,
            _ => block_id(height),
        }
    }

    /// Begins the next block.
    pub fn begin(&mut self, time_ms: u64) {
        let height = self.state.height();
        self.state
            .begin_block(height + 1, time_ms, self.id_at(height));
    }

    /// The blocks of a history once more.
    pub fn replay(&mut self, log: &[(u64, Vec<Transaction>)]) {
        for (time_ms, records) in log {
            self.begin(*time_ms);
            for tx in records {
                self.state.apply(tx).expect("it was included");
            }
            self.end_block(records.clone());
        }
    }

    /// A block with these records, all of which must be includable.
    pub fn block(&mut self, time_ms: u64, records: &[(&str, Action)]) -> Vec<Receipt> {
        self.begin(time_ms);
        let mut included = Vec::new();
        for (who, action) in records {
            self.names.entry(address(who)).or_insert((*who).to_owned());
            let tx = Self::sign(who, &self.envelope(who), action);
            self.state.apply(&tx).expect("an includable record");
            included.push(tx);
        }
        self.end_block(included)
    }

    /// Ends a block that was begun on the state itself, and checks what must always hold.
    pub fn end_block(&mut self, included: Vec<Transaction>) -> Vec<Receipt> {
        let outcome = self.state.end_block();
        assert_eq!(outcome.state_root, self.state.root());
        assert_eq!(outcome.receipts_root, self.state.receipts_root());
        let records = outcome
            .receipts
            .iter()
            .filter(|receipt| matches!(receipt.cause, Cause::Record(_)));
        for (receipt, tx) in records.zip(&included) {
            assert_eq!(receipt.cause, Cause::Record(tx.id));
            self.check_fee(receipt, tx);
            self.depositors.insert(tx.id, tx.signer);
        }
        for receipt in &outcome.receipts {
            self.codes
                .extend(receipt.rejected.iter().map(ToString::to_string));
            for step in &receipt.moves {
                assert!(!step.amount.is_zero(), "nothing moved: {step:?}");
                let from = self.purses.get_mut(&step.from).expect("the purse exists");
                *from = from
                    .checked_sub(step.amount.base_units())
                    .expect("the movements explain every balance");
                *self.purses.entry(step.to).or_default() += step.amount.base_units();
            }
            self.count_gains(receipt);
            let locks = receipt.moves.iter();
            for step in locks.filter(|it| matches!(it.rule, Rule::SeatLock | Rule::SeatReturn)) {
                assert!(
                    matches!((step.from, step.to),
                        (Purse::Stake(one), Purse::Seat(_, other))
                        | (Purse::Seat(_, one), Purse::Stake(other)) if one == other),
                    "{step:?}"
                );
            }
        }
        for (&purse, &amount) in &self.purses {
            assert_eq!(self.state.balance(purse), units(amount), "{purse:?}");
        }
        self.state.audit().expect("the supply is kept");
        self.statements
            .add(&self.state, &outcome.receipts, &included);
        self.log.push((self.now(), included));
        self.roots.push((outcome.state_root, outcome.receipts_root));
        outcome.receipts
    }

    fn check_fee(&self, receipt: &Receipt, tx: &Transaction) {
        let fee = &receipt.moves[0];
        assert_eq!(fee.rule, Rule::ByteFee);
        assert_eq!(fee.from, Purse::Account(tx.signer));
        assert_eq!(fee.to, Purse::Burned);
        let per_byte = self.state.parameters().fee_per_byte;
        assert_eq!(Some(fee.amount), tx.byte_fee(per_byte));
        if receipt.rejected.is_some() {
            assert_eq!(receipt.moves.len(), 1, "a rejected record moved money");
            assert!(receipt.events.is_empty(), "a rejected record did something");
            return;
        }
        let deposits: Vec<_> = receipt
            .moves
            .iter()
            .filter(|step| step.rule == Rule::Deposit)
            .map(|step| (step.from, step.to, Some(step.amount)))
            .collect();
        let factor = u128::from(self.state.parameters().deposit_factor);
        let deposit = (
            Purse::Account(tx.signer),
            Purse::Deposit(tx.id),
            fee.amount.checked_mul(factor),
        );
        match tx.action {
            // Who is an evaluator already locks none.
            Action::JoinEvaluators { .. } => assert!(deposits.iter().all(|it| *it == deposit)),
            Action::RegisterAsset { .. }
            | Action::PostBounty { .. }
            | Action::BackBounty { .. }
            | Action::CommitSubmission { .. }
            | Action::BuyLicense { .. } => assert_eq!(deposits, [deposit]),
            _ => assert!(deposits.is_empty(), "{deposits:?}"),
        }
    }

    fn count_gains(&mut self, receipt: &Receipt) {
        for step in &receipt.moves {
            let amount = step.amount.base_units();
            if step.rule == Rule::ByteFee {
                let Purse::Account(who) = step.from else {
                    unreachable!("an account pays it")
                };
                *self.bytes.entry(who).or_default() += amount;
                continue;
            }
            let change = i128::try_from(amount).expect("amounts are small");
            for (purse, change) in [(step.from, -change), (step.to, change)] {
                let who = match purse {
                    Purse::Account(who) | Purse::Stake(who) | Purse::Seat(_, who) => who,
                    Purse::Deposit(record) => self.depositors[&record],
                    _ => continue,
                };
                *self.gains.entry(who).or_default() += change;
            }
        }
    }

    /// By how much somebody is richer than at the beginning, all that is on the
    /// account, staked, in seats and deposited; byte fees left out.
    pub fn gain(&self, who: &str) -> i128 {
        self.gains.get(&address(who)).copied().unwrap_or(0)
    }

    /// The byte fees that somebody has paid.
    pub fn bytes_paid(&self, who: &str) -> u128 {
        self.bytes.get(&address(who)).copied().unwrap_or(0)
    }

    /// What somebody's records have locked in deposits.
    pub fn deposits(&self, who: &str) -> u128 {
        let records = self.depositors.iter();
        let theirs = records.filter(|(_, signer)| **signer == address(who));
        theirs
            .map(|(&record, _)| self.state.balance(Purse::Deposit(record)).base_units())
            .sum()
    }

    /// One record in the next millisecond's block, and its receipt.
    pub fn send(&mut self, who: &str, action: Action) -> Receipt {
        let mut receipts = self.block(self.now() + 1, &[(who, action)]);
        receipts.pop().expect("a receipt a record")
    }

    /// As [`Self::send`], for what must succeed; the record's id.
    pub fn must(&mut self, who: &str, action: Action) -> ItemId {
        let receipt = self.send(who, action);
        assert_eq!(receipt.rejected, None, "{who}");
        id_of(&receipt)
    }

    /// Why a record of these parts could not even be included now.
    pub fn refusal(
        &self,
        who: &str,
        change: impl FnOnce(&mut Envelope),
        action: Action,
    ) -> Rejection {
        let mut envelope = self.envelope(who);
        change(&mut envelope);
        let tx = Self::sign(who, &envelope, &action);
        let refused = self.state.admit(&tx, self.now());
        refused.expect_err("must not be includable")
    }

    /// One line of a table: a record, and what comes of it.
    pub fn row(&mut self, who: &str, action: Action, expected: &str) -> ItemId {
        let receipt = self.send(who, action);
        assert_eq!(self.show(&receipt), expected, "{who}");
        id_of(&receipt)
    }

    /// One line of a table: the clock moves to `time_ms`, and what comes of it.
    pub fn clock(&mut self, time_ms: u64, expected: &[&str]) {
        let receipts = self.block(time_ms, &[]);
        assert_eq!(self.lines(&receipts), expected, "at {time_ms}");
    }

    /// As [`Self::clock`], to the end of the bounty's phase and the beginning of the next.
    pub fn phase_ends(&mut self, bounty: ItemId, expected: &[&str]) {
        let receipts = self.skip(bounty);
        assert_eq!(self.lines(&receipts), expected);
    }

    pub fn lines(&self, receipts: &[Receipt]) -> Vec<String> {
        let shown = receipts.iter().map(|receipt| self.show(receipt));
        let lines = shown.flat_map(|text| {
            let lines = text.split("; ").map(str::to_owned);
            lines.collect::<Vec<String>>()
        });
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// The clock moves to the end of the bounty's phase, and on block by block until
    /// the next has begun: draws take place in the block after.
    pub fn skip(&mut self, bounty: ItemId) -> Vec<Receipt> {
        let mut receipts = self.block(self.until(bounty), &[]);
        while !self.waits(bounty) {
            receipts.extend(self.block(self.now() + 1, &[]));
        }
        receipts
    }

    /// Whether the clock has nothing to do for the bounty until its next deadline.
    pub fn waits(&self, bounty: ItemId) -> bool {
        let Some((_, progress)) = self.state.bounty(bounty) else {
            return true;
        };
        matches!(progress.step, Step::Wait | Step::Forget { next: 0 })
    }

    pub fn until(&self, bounty: ItemId) -> u64 {
        self.state.bounty(bounty).expect("posted").1.until_ms
    }

    pub fn phase(&self, bounty: ItemId) -> Phase {
        self.state.bounty(bounty).expect("posted").1.phase
    }

    pub fn balance(&self, who: &str) -> u128 {
        self.state.account(address(who)).balance.base_units()
    }

    pub fn standing(&self, submission: ItemId) -> Option<Standing> {
        self.state
            .submission(submission)
            .expect("committed")
            .1
            .standing
    }

    // Bounties.

    /// Evaluators join with the least stake: two seats of the usual bounty.
    pub fn evaluators(&mut self, count: usize) {
        for number in 1..=count {
            self.must(&format!("eve-{number}"), join(10_000));
        }
    }

    /// Who has a seat that checks the test set and did not fail, by name.
    pub fn checks(&self, bounty: ItemId) -> Vec<String> {
        let seats = self.state.checks(bounty);
        let standing = seats.filter(|(_, check)| !check.failed);
        let mut names: Vec<String> = standing.map(|(seat, _)| self.who(seat)).collect();
        names.sort_unstable();
        names
    }

    /// Who is asked for a batch in this round, by name.
    pub fn asked(&self, bounty: ItemId) -> Vec<String> {
        let seats = self.state.seats(bounty).filter(|(_, seat)| seat.asked);
        let mut names: Vec<String> = seats.map(|(seat, _)| self.who(seat)).collect();
        names.sort_unstable();
        names
    }

    /// What a bounty looks like unless a test wants another.
    pub fn posting(&self, who: &str) -> PostBounty {
        let nonce = self.state.account(address(who)).nonce;
        let label = format!("test set of {who}, {nonce}");
        let ciphertext = blob(&label);
        let scope = SealScope::test_set(self.state.network(), address(who), nonce);
        PostBounty {
            title: name("digits"),
            benchmark: benchmark(),
            test_set: SealedFolder {
                seal: seal_digest(
                    &scope,
                    &seal_key(&label),
                    &ciphertext.id,
                    ciphertext.size_bytes,
                ),
                ciphertext,
            },
            reward: units(10_000),
            pay: Pay::WinnerTakesAll,
            reserve: Score(500),
            margin: 10,
            evaluation_fee: units(30),
            prepaid: 0,
            schedule: SCHEDULE,
            model_terms: pairs(&priced(1_000_000)),
            parents: Vec::new(),
            split: RoyaltySplit {
                miner: 600_000,
                sponsor: 300_000,
                backers: 100_000,
            },
        }
    }

    /// Posts a bounty by the sponsor, changed as a test wants it.
    pub fn post(&mut self, change: impl FnOnce(&mut PostBounty)) -> ItemId {
        let action = self.post_action("sponsor", change);
        let id = self.must("sponsor", action);
        self.label(id, "bounty");
        id
    }

    pub fn post_action(&self, who: &str, change: impl FnOnce(&mut PostBounty)) -> Action {
        let mut posting = self.posting(who);
        change(&mut posting);
        Action::PostBounty {
            body: Box::new(posting),
        }
    }

    pub fn test_key(&self, bounty: ItemId) -> Action {
        let (posted, _) = self.state.bounty(bounty).expect("posted");
        let who = &self.names[&posted.sponsor];
        Action::RevealTestSet {
            bounty,
            body: RevealTestSet {
                key: seal_key(&format!("test set of {who}, {}", posted.poster_nonce)),
            },
        }
    }

    pub fn commit_action(
        &self,
        who: &str,
        bounty: ItemId,
        label: &str,
        parents: &[ItemId],
    ) -> Action {
        let ciphertext = blob(label);
        let scope = SealScope::submission(self.state.network(), bounty, address(who));
        let seal = seal_digest(
            &scope,
            &seal_key(label),
            &ciphertext.id,
            ciphertext.size_bytes,
        );
        let terms = match self.state.bounty(bounty) {
            Some((posted, _)) => posted.terms.to_tags(),
            None => priced(1),
        };
        Action::CommitSubmission {
            bounty,
            terms,
            body: CommitSubmission {
                name: name(label),
                sealed: SealedFolder { seal, ciphertext },
                parents: parents.to_vec(),
            },
        }
    }

    /// Commits a submission that is called `label`.
    pub fn commit(&mut self, who: &str, bounty: ItemId, label: &str) -> ItemId {
        let action = self.commit_action(who, bounty, label, &[]);
        let id = self.must(who, action);
        self.sealed(id, label);
        id
    }

    /// Notes what a submission is called and was sealed from.
    pub fn sealed(&mut self, submission: ItemId, label: &str) {
        self.label(submission, label);
        self.sealed_from.insert(submission, label.to_owned());
    }

    pub fn key_action(&self, submission: ItemId) -> Action {
        let (bounty, _) = self.state.submission(submission).expect("committed");
        let label = &self.sealed_from[&submission];
        Action::RevealSubmission {
            bounty,
            body: RevealSubmission {
                submission,
                key: seal_key(label),
            },
        }
    }

    /// The miner reveals a submission's key.
    pub fn reveal(&mut self, submission: ItemId) {
        let (_, committed) = self.state.submission(submission).expect("committed");
        let who = self.names[&committed.miner].clone();
        self.must(&who, self.key_action(submission));
    }

    /// A batch for all submissions of a bounty that are asked for, at most 500.
    pub fn batch(&self, who: &str, bounty: ItemId, outcomes: &[Outcome]) -> RevealAttestations {
        let mut parts = self.parts(who, bounty, outcomes);
        assert_eq!(parts.len(), 1, "more than one part");
        parts.remove(0)
    }

    /// A batch for all submissions that are asked for, in parts.
    pub fn parts(
        &self,
        who: &str,
        bounty: ItemId,
        outcomes: &[Outcome],
    ) -> Vec<RevealAttestations> {
        let asked = self.state.undecided(bounty);
        let attestations: Vec<Attestation> = asked
            .zip(outcomes)
            .map(|((_, submission), outcome)| Attestation {
                submission: submission.id,
                outcome: outcome.clone(),
            })
            .collect();
        let round = self.state.bounty(bounty).map_or(0, |it| it.1.panel.round);
        batch_of(who, round, &attestations, Some(blob(who)))
    }

    pub fn commitment(&self, who: &str, bounty: ItemId, batch: &RevealAttestations) -> Action {
        Action::CommitAttestations {
            bounty,
            body: CommitAttestations {
                commitment: attestation_commitment(bounty, address(who), batch),
            },
        }
    }

    /// Commits a batch and keeps it for [`Self::reveal_batch`].
    pub fn commit_batch(&mut self, who: &str, bounty: ItemId, outcomes: &[Outcome]) {
        let batch = self.parts(who, bounty, outcomes);
        let action = self.commitment(who, bounty, &batch[0]);
        self.must(who, action);
        self.batches.insert((who.to_owned(), bounty), batch);
    }

    /// The records that reveal what was committed, one a part.
    pub fn batch_actions(&self, who: &str, bounty: ItemId) -> Vec<Action> {
        let parts = self.batches[&(who.to_owned(), bounty)].iter();
        parts
            .map(|body| Action::RevealAttestations {
                bounty,
                body: body.clone(),
            })
            .collect()
    }

    pub fn reveal_batch(&mut self, who: &str, bounty: ItemId) {
        for action in self.batch_actions(who, bounty) {
            self.must(who, action);
        }
    }

    /// From the open phase to the test check: the test key is out, the seats are drawn.
    pub fn bring_to_check(&mut self, bounty: ItemId) {
        self.skip(bounty);
        let (posted, _) = self.state.bounty(bounty).expect("posted");
        let sponsor = self.names[&posted.sponsor].clone();
        self.must(&sponsor, self.test_key(bounty));
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::TestCheck);
    }

    /// From the open phase to the reveal: the test key is out and found good.
    pub fn bring_to_reveal(&mut self, bounty: ItemId) {
        self.bring_to_check(bounty);
        for who in self.checks(bounty) {
            self.must(&who, found(bounty, TestOutcome::Ok));
        }
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::Reveal);
    }

    /// From the open phase to the scoring: everybody has revealed, the seats are drawn.
    pub fn bring_to_score(&mut self, bounty: ItemId) {
        self.bring_to_reveal(bounty);
        self.reveal_all(bounty);
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::Score);
    }

    pub fn reveal_all(&mut self, bounty: ItemId) {
        let sealed = self.state.submissions(bounty);
        let sealed: Vec<ItemId> = sealed
            .filter(|submission| submission.key.is_none())
            .map(|submission| submission.id)
            .collect();
        for submission in sealed {
            self.reveal(submission);
        }
    }

    /// One round of scoring: every seat that is asked says what `word` gives for it
    /// and a submission; `None` for the first: the seat is silent.
    pub fn round(
        &mut self,
        bounty: ItemId,
        word: impl Fn(&str, &str) -> Option<Outcome>,
    ) -> Vec<Receipt> {
        let mut at_work = Vec::new();
        for who in self.asked(bounty) {
            let asked = self.state.undecided(bounty);
            let labels: Vec<String> = asked.map(|(_, it)| self.what(it.id)).collect();
            let words: Vec<Outcome> = labels.iter().map_while(|it| word(&who, it)).collect();
            if words.len() == labels.len() {
                self.commit_batch(&who, bounty, &words);
                at_work.push(who);
            }
        }
        self.skip(bounty);
        for who in at_work {
            self.reveal_batch(&who, bounty);
        }
        self.skip(bounty)
    }

    /// From the reveal phase on: all submissions are revealed, and every seat finds
    /// these outcomes, in as many rounds as it takes.
    pub fn bring_to_challenge(&mut self, bounty: ItemId, outcomes: &[Outcome]) -> Vec<Receipt> {
        if self.phase(bounty) == Phase::Reveal {
            self.reveal_all(bounty);
            self.skip(bounty);
        }
        let revealed = self.state.submissions(bounty);
        let revealed = revealed.filter(|submission| submission.key.is_some());
        let words: BTreeMap<ItemId, Outcome> = revealed
            .map(|submission| submission.id)
            .zip(outcomes.iter().cloned())
            .collect();
        let mut receipts = Vec::new();
        while self.phase(bounty) == Phase::Score {
            let seats = self.asked(bounty);
            let asked = self.state.undecided(bounty);
            let outcomes: Vec<Outcome> = asked.map(|(_, it)| words[&it.id].clone()).collect();
            for who in &seats {
                self.commit_batch(who, bounty, &outcomes);
            }
            self.skip(bounty);
            for who in &seats {
                self.reveal_batch(who, bounty);
            }
            receipts.extend(self.skip(bounty));
        }
        receipts
    }

    // Licences.

    pub fn buy(&self, asset: ItemId, grant: Grant) -> Action {
        let terms = &self.state.asset(asset).expect("registered").terms;
        let body = BuyLicense {
            grant,
            terms: terms.id(),
            price_max: Amount::MAX,
            months: 0,
        };
        Action::BuyLicense { asset, body }
    }

    /// A purchase of so many months.
    pub fn buy_months(&self, asset: ItemId, grant: Grant, count: u32) -> Action {
        match self.buy(asset, grant) {
            Action::BuyLicense { asset, mut body } => {
                body.months = count;
                Action::BuyLicense { asset, body }
            }
            other => other,
        }
    }

    // Tables.

    pub fn who(&self, address: Address) -> String {
        let unnamed = || address.to_string()[..6].to_owned();
        self.names.get(&address).cloned().unwrap_or_else(unnamed)
    }

    pub fn what(&self, id: ItemId) -> String {
        let unnamed = || id.to_string()[..6].to_owned();
        self.labels.get(&id).cloned().unwrap_or_else(unnamed)
    }

    fn purse(&self, purse: Purse) -> String {
        match purse {
            Purse::Account(who) => self.who(who),
            Purse::Reward(_) => "reward".to_owned(),
            Purse::SponsorBond(_) => "bond".to_owned(),
            Purse::MinerBond(id) => format!("bond:{}", self.what(id)),
            Purse::EvaluationFee(id) => format!("fee:{}", self.what(id)),
            Purse::PrepaidFees(_) => "prepaid".to_owned(),
            Purse::Stake(who) => format!("stake:{}", self.who(who)),
            Purse::Seat(_, who) => format!("seat:{}", self.who(who)),
            Purse::Harm(_) => "harm".to_owned(),
            Purse::Deposit(id) => format!("deposit:{}", self.what(id)),
            Purse::Income(id) => format!("income:{}", self.what(id)),
            Purse::Burned => "burned".to_owned(),
            Purse::Escrow(_, id) => format!("escrow:{}", self.what(id)),
        }
    }

    /// A receipt as a line: its code, its events, and by how much each purse
    /// changed; byte fees, deposits and what seats lock are left out.
    pub fn show(&self, receipt: &Receipt) -> String {
        if let Some(code) = &receipt.rejected {
            return code.to_string();
        }
        let mut parts: Vec<String> = match receipt.cause {
            Cause::Record(_) => vec!["ok".to_owned()],
            Cause::Deadline(_) | Cause::Distribution(_) | Cause::License(_) => Vec::new(),
        };
        parts.extend(receipt.events.iter().map(|event| self.event(event)));
        let mut change: BTreeMap<String, i128> = BTreeMap::new();
        let hidden = [
            Rule::ByteFee,
            Rule::Deposit,
            Rule::DepositReturn,
            Rule::SeatLock,
            Rule::SeatReturn,
        ];
        for step in receipt.moves.iter().filter(|m| !hidden.contains(&m.rule)) {
            let amount = step.amount.base_units() as i128;
            *change.entry(self.purse(step.from)).or_default() -= amount;
            *change.entry(self.purse(step.to)).or_default() += amount;
        }
        change.retain(|_, amount| *amount != 0);
        if !change.is_empty() {
            let shown: Vec<String> = change
                .iter()
                .map(|(purse, amount)| format!("{purse} {amount:+}"))
                .collect();
            parts.push(shown.join(", "));
        }
        parts.join("; ")
    }

    fn event(&self, event: &Event) -> String {
        match event {
            Event::AssetRegistered { asset } => format!("asset {}", self.what(*asset)),
            Event::PhaseBegan { phase, .. } => format!("phase {phase:?}"),
            Event::Verdict {
                submission,
                outcome,
                agreeing,
                dissenting,
            } => {
                let found = outcome.as_ref().map_or("none", Outcome::name);
                let others: Vec<String> = dissenting.iter().map(|&who| self.who(who)).collect();
                format!(
                    "verdict {} {found} {agreeing} {others:?}",
                    self.what(*submission)
                )
            }
            Event::PhaseExtended { phase, .. } => format!("phase {phase:?} extended"),
            Event::Seated {
                panel,
                round,
                all,
                seats,
                ..
            } => {
                let mut names: Vec<String> = seats.iter().map(|&seat| self.who(seat)).collect();
                names.sort_unstable();
                let round = match all {
                    true => "all".to_owned(),
                    false => round.to_string(),
                };
                format!("seated {} {round} {}", panel.name(), names.join(" "))
            }
            Event::TestSetVerdict {
                outcome,
                agreeing,
                dissenting,
                ..
            } => {
                let found = match outcome {
                    None => "none",
                    Some(TestOutcome::Ok) => "ok",
                    Some(TestOutcome::BadSeal { .. }) => "bad_seal",
                    Some(TestOutcome::Unavailable) => unreachable!("it is no word"),
                };
                let others: Vec<String> = dissenting.iter().map(|&who| self.who(who)).collect();
                format!("test set {found} {agreeing} {others:?}")
            }
            Event::SeatFailed {
                panel,
                evaluator,
                had_committed,
                ..
            } => {
                let how = match had_committed {
                    true => "unrevealed",
                    false => "silent",
                };
                format!("{} seat {} {how}", panel.name(), self.who(*evaluator))
            }
            Event::BountyForgotten { bounty } => format!("forgotten {}", self.what(*bounty)),
            Event::Ranked {
                submission,
                standing: Standing::Copied(first),
            } => format!("{} Copied({})", self.what(*submission), self.what(*first)),
            Event::Ranked {
                submission,
                standing,
            } => format!("{} {standing:?}", self.what(*submission)),
            Event::LicenseIssued {
                licensee, price, ..
            } => format!("license to {} for {price}", self.who(*licensee)),
            Event::LicenseRuns { months, .. } => format!("runs {months}"),
            Event::MonthBegan { license, month, .. } => {
                format!("month {month} of {}", self.what(*license))
            }
            Event::RevenueDeclared {
                license,
                period,
                paid,
                ..
            } => format!(
                "month {period} of {} declared, {paid} paid",
                self.what(*license)
            ),
            Event::GraceExtended { license, .. } => format!("grace of {}", self.what(*license)),
            Event::LicenseLapsed {
                license, period, ..
            } => format!("{} lapsed at month {period}", self.what(*license)),
            Event::LicenseEnded { license, .. } => format!("ended {}", self.what(*license)),
        }
    }
}

pub fn id_of(receipt: &Receipt) -> ItemId {
    match receipt.cause {
        Cause::Record(id) | Cause::Deadline(id) | Cause::Distribution(id) | Cause::License(id) => {
            id
        }
    }
}
