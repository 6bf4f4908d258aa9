//! Blocks and records: what may stand in a block, what it is charged, who
//! answers for it. Accounts and evaluators are here, the rest has its module.

use std::collections::{BTreeMap, BTreeSet};

use protocol::receipt::{Cause, Purse, Rule};
use protocol::record::{Action, GenesisRecord, Parameters, Transaction};
use protocol::{Address, Amount, BlobId, ItemId, NetworkId};

use crate::asset::{Asset, Distribution};
use crate::book::Book;
use crate::bounty::Bounty;
use crate::coverage::Coverage;
use crate::license::License;
use crate::money::{Money, Movement, Units, units};
use crate::work::Work;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It cannot stand in this block, and the code of why.
    NotIncludable(Refused),
    /// It paid its fee, and a rule refuses what it asks; the code that its receipt has.
    Rejected(Refused),
    /// It did what it asks.
    Applied,
}

/// A place on the log: height, and place in the block.
pub type Place = (u64, u64);

/// The code of why a record is refused: of several faults the first that `docs/rules.md` lists.
pub type Refused = &'static str;

/// The whole market, as plain lists.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network's numbers.
    pub parameters: Parameters,
    /// The network.
    pub network: NetworkId,
    /// Height of the block.
    pub height: u64,
    /// Time of the block.
    pub time_ms: u64,
    /// Id of the block before.
    pub parent: ItemId,
    /// Records in this block so far.
    pub records: u64,
    /// All movements.
    pub money: Money,
    /// The receipts of the block.
    pub book: Book,
    /// Every account's next nonce, where it is not 0.
    pub nonces: BTreeMap<Address, u64>,
    /// Evaluators, and the record that made them so.
    pub evaluators: BTreeMap<Address, ItemId>,
    /// Evaluators that have said that they leave, and when their notice is over.
    pub leaving: BTreeMap<Address, u64>,
    /// The time of every block.
    pub times: Vec<u64>,
    /// Bounties that are not forgotten.
    pub bounties: BTreeMap<ItemId, Bounty>,
    /// Ciphertexts of all test sets that were ever posted.
    pub test_sets: BTreeSet<BlobId>,
    /// Assets.
    pub assets: BTreeMap<ItemId, Asset>,
    /// Licences, in the order in which they were bought.
    pub licenses: Vec<License>,
    /// Incomes that wait for a holder to be drawn.
    pub distributions: Vec<Distribution>,
    /// What the clock has done to bounties as the block began, and behind it what records do like it.
    pub work: Work,
    /// What was seen.
    pub coverage: Coverage,
}

impl Model {
    /// A market at its beginning.
    pub fn genesis(record: &GenesisRecord) -> Self {
        let first = |allocation: &protocol::record::Allocation| Movement {
            from: None,
            to: Purse::Account(allocation.account),
            amount: units(allocation.amount),
            rule: None,
        };
        Self {
            parameters: record.genesis.parameters.clone(),
            network: record.network,
            height: 0,
            time_ms: record.genesis.time_ms,
            parent: record.id,
            records: 0,
            money: Money {
                moves: record.genesis.allocations.iter().map(first).collect(),
            },
            book: Book {
                noted: record.genesis.allocations.len(),
                ..Book::default()
            },
            nonces: BTreeMap::new(),
            evaluators: BTreeMap::new(),
            leaving: BTreeMap::new(),
            times: Vec::new(),
            bounties: BTreeMap::new(),
            test_sets: BTreeSet::new(),
            assets: BTreeMap::new(),
            licenses: Vec::new(),
            distributions: Vec::new(),
            work: Work::default(),
            coverage: Coverage::default(),
        }
    }

    /// A whole block; the decision on each record.
    pub fn block(
        &mut self,
        time_ms: u64,
        parent: ItemId,
        records: &[Transaction],
    ) -> Vec<Decision> {
        self.begin_block(time_ms, parent);
        records.iter().map(|tx| self.apply(tx)).collect()
    }

    /// A block begins: the clock does all its work.
    pub fn begin_block(&mut self, time_ms: u64, parent: ItemId) {
        self.begin_blocks(&[time_ms], parent);
    }

    /// So many blocks without a record, the last of which has `parent` before it: what the clock had to do in all of
    /// them is done in that one.
    pub fn begin_blocks(&mut self, times_ms: &[u64], parent: ItemId) {
        for &time_ms in times_ms {
            assert!(time_ms > self.time_ms, "time rises");
            self.height += 1;
            self.time_ms = time_ms;
            self.times.push(time_ms);
        }
        if times_ms.len() > 1 {
            self.coverage.saw("clock: over several blocks");
        }
        self.parent = parent;
        self.records = 0;
        self.book.receipts.clear();
        self.work = Work::default();
        self.distribute();
        self.votes_due();
        self.licenses_due();
        while let Some(bounty) = self.next_due() {
            self.due(bounty);
            self.receipt(Cause::Deadline(bounty), None);
        }
    }

    /// Whether the first block at or past a deadline came so late that there is a fresh window.
    pub(crate) fn was_missed(&self, deadline_ms: u64) -> bool {
        let first = self.times.iter().find(|time_ms| **time_ms >= deadline_ms);
        first.is_some_and(|time_ms| time_ms - deadline_ms > self.parameters.late_ms)
    }

    /// The bounty whose work is due and comes first: by due time, then by id.
    fn next_due(&self) -> Option<ItemId> {
        let due = self.bounties.iter().filter_map(|(&id, bounty)| {
            let due_ms = bounty.due_ms(self.height, self.parameters.retention_ms)?;
            (due_ms <= self.time_ms).then_some((due_ms, id))
        });
        due.min().map(|(_, id)| id)
    }

    /// Whether the clock has anything to do in the next block, whatever its time.
    pub fn has_work_left(&self) -> bool {
        let drawn = self.bounties.values().any(|bounty| bounty.draw.is_some());
        let void = self
            .assets
            .values()
            .any(|asset| !asset.votes.void.is_empty());
        let mut licenses = self.licenses.iter();
        let behind = licenses.any(|it| self.is_license_behind(it));
        drawn || void || behind || !self.distributions.is_empty()
    }

    /// One record.
    pub fn apply(&mut self, tx: &Transaction) -> Decision {
        let decision = self.decide(tx);
        self.coverage.decided(tx.action.record_type(), decision);
        let record_type = tx.action.record_type();
        match decision {
            Decision::NotIncludable(code) => self.coverage.saw(format!("left out: {code}")),
            Decision::Rejected(code) => {
                self.coverage.saw(format!("refused: {record_type}: {code}"))
            }
            Decision::Applied => {}
        }
        let rejected = match decision {
            Decision::NotIncludable(_) => return decision,
            Decision::Rejected(code) => Some(code),
            Decision::Applied => None,
        };
        self.records += 1;
        self.receipt(Cause::Record(tx.id), rejected);
        decision
    }

    fn decide(&mut self, tx: &Transaction) -> Decision {
        if let Err(why) = self.include(tx) {
            return Decision::NotIncludable(why);
        }
        *self.nonces.entry(tx.signer).or_default() += 1;
        let before = self.money.moves.len();
        match self.obey(tx) {
            Ok(()) => Decision::Applied,
            Err(why) => {
                // Every rule below looks and pays before it changes anything else.
                self.money.moves.truncate(before);
                Decision::Rejected(why)
            }
        }
    }

    /// Checks what lets a record stand in a block, and takes its fee.
    fn include(&mut self, tx: &Transaction) -> Result<(), Refused> {
        let envelope = &tx.envelope;
        if envelope.network != self.network {
            return Err("other_network");
        }
        if self.time_ms > envelope.valid_until_ms {
            return Err("expired");
        }
        let latest = u128::from(self.time_ms) + u128::from(self.parameters.validity_max_ms);
        if u128::from(envelope.valid_until_ms) > latest {
            return Err("valid_too_long");
        }
        if self.byte_fee(tx) > units(Amount::MAX) {
            return Err("overflow");
        }
        if envelope.nonce != self.nonce(tx.signer) {
            return Err("nonce");
        }
        let signer = Purse::Account(tx.signer);
        let fee = self.byte_fee(tx);
        let paid = self.money.pay(signer, Purse::Burned, &fee, Rule::ByteFee);
        paid.map_err(|_| "fee_unpayable")
    }

    fn byte_fee(&self, tx: &Transaction) -> Units {
        units(self.parameters.fee_per_byte) * tx.size_bytes
    }

    /// An account's next nonce.
    pub fn nonce(&self, account: Address) -> u64 {
        self.nonces.get(&account).copied().unwrap_or_default()
    }

    /// Where the record stands on the log.
    pub fn place(&self) -> Place {
        (self.height, self.records)
    }

    /// Locks the deposit of a record that makes state.
    pub(crate) fn deposit(&mut self, tx: &Transaction) -> Result<(), Refused> {
        let amount = self.byte_fee(tx) * self.parameters.deposit_factor;
        if amount > units(Amount::MAX) {
            return Err("overflow");
        }
        let signer = Purse::Account(tx.signer);
        self.money
            .pay(signer, Purse::Deposit(tx.id), &amount, Rule::Deposit)
    }

    fn obey(&mut self, tx: &Transaction) -> Result<(), Refused> {
        match &tx.action {
            Action::Transfer { to, body } => {
                if body.amount.is_zero() {
                    return Err("zero_amount");
                }
                let (from, to) = (Purse::Account(tx.signer), Purse::Account(*to));
                self.money
                    .pay(from, to, &units(body.amount), Rule::Transfer)
            }
            Action::JoinEvaluators { body } => self.join(tx, &units(body.stake)),
            Action::LeaveEvaluators => self.leave(tx),
            Action::RegisterAsset { terms, body } => self.register_asset(tx, terms, body),
            Action::BuyLicense { asset, body } => self.buy_license(tx, *asset, body),
            Action::ClaimRoyalty { asset } => self.claim_royalty(tx, *asset),
            Action::TransferShares { asset, body } => self.transfer_shares(tx, *asset, body),
            Action::VoteTerms { asset, terms } => self.vote_terms(tx, *asset, terms),
            Action::DeclareRevenue { license, body } => self.declare_revenue(tx, *license, body),
            Action::PostBounty { body } => self.post_bounty(tx, body),
            Action::BackBounty { bounty, body } => {
                self.back_bounty(tx, *bounty, &units(body.amount))
            }
            Action::CancelBounty { bounty } => self.cancel_bounty(tx, *bounty),
            Action::CommitSubmission {
                bounty,
                terms,
                body,
            } => self.commit_submission(tx, *bounty, terms, body),
            Action::RevealTestSet { bounty, body } => self.reveal_test_set(*bounty, &body.key),
            Action::AttestTestSet { bounty, body } => {
                self.attest_test_set(tx, *bounty, &body.outcome)
            }
            Action::RevealSubmission { bounty, body } => {
                self.reveal_submission(tx, *bounty, body.submission, &body.key)
            }
            Action::CommitAttestations { bounty, body } => {
                self.commit_attestations(tx, *bounty, body.commitment)
            }
            Action::RevealAttestations { bounty, body } => {
                self.reveal_attestations(tx, *bounty, body)
            }
        }
    }

    fn join(&mut self, tx: &Transaction, stake: &Units) -> Result<(), Refused> {
        let purse = Purse::Stake(tx.signer);
        if *stake == Units::from(0) {
            return Err("zero_amount");
        }
        let together = self.money.balance(purse) + stake;
        if together > units(Amount::MAX) {
            return Err("overflow");
        }
        if together < units(self.parameters.evaluator_stake_min) {
            return Err("stake_too_small");
        }
        let is_new = !self.evaluators.contains_key(&tx.signer);
        if is_new {
            self.deposit(tx)?;
        }
        self.money
            .pay(Purse::Account(tx.signer), purse, stake, Rule::Stake)?;
        if is_new {
            self.evaluators.insert(tx.signer, tx.id);
        }
        if self.leaving.remove(&tx.signer).is_some() {
            self.coverage.saw("evaluator: stayed after all");
        }
        Ok(())
    }

    fn leave(&mut self, tx: &Transaction) -> Result<(), Refused> {
        let who = tx.signer;
        let joined = *self.evaluators.get(&who).ok_or("not_evaluator")?;
        let Some(until_ms) = self.leaving.get(&who) else {
            let until_ms = self.time_ms + self.parameters.unstake_ms;
            self.leaving.insert(who, until_ms);
            return Ok(());
        };
        if self.time_ms < *until_ms {
            return Err("notice_not_over");
        }
        let at_work = |bounty: &Bounty| bounty.seats_at_work().any(|seat| seat.who == who);
        let has_seats = self.bounties.values().any(at_work);
        let stake = Purse::Stake(who);
        if has_seats && self.money.balance(stake) == Units::from(0) {
            return Err("seats_at_work");
        }
        let account = Purse::Account(who);
        self.money.empty(stake, account, Rule::Unstake);
        if has_seats {
            self.coverage.saw("evaluator: left but for its seats");
            return Ok(());
        }
        self.money
            .empty(Purse::Deposit(joined), account, Rule::DepositReturn);
        self.evaluators.remove(&who);
        self.leaving.remove(&who);
        self.coverage.saw("evaluator: gone");
        Ok(())
    }
}
