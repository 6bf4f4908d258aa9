//! Statements: what came into the purses of an account, a bounty or an asset, what
//! went out of them, by which rule and record, and what is left.
//!
//! Everything follows from receipts. A subject's receipts are those that touch it
//! ([`touched`]); in them a purse is the subject's by this table, where only the
//! last three need the receipt that they stand in:
//!
//! | subject | purses |
//! |---|---|
//! | account | its free balance, its stake, what its seats have locked; deposits that it put up |
//! | asset | its income, its fund; the deposit of the record that made it |
//! | bounty | reward, sponsor's bond, prepaid fees, harm, seats; bonds, fees and deposits in its receipts |
//!
//! So nothing here asks the state, which forgets bounties. A purse can be in two
//! statements (a seat is in its account's and its bounty's): a statement is a view,
//! not a part.
//!
//! What is left is counted modulo 2^128 and so is exact whatever went through; the
//! sums of what came and went stop at the largest amount, which the supply of a
//! network would have to pass many times to reach. A movement between two purses of
//! one subject counts on both sides, of its purses and of its rule.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::api::HistoryEntry;
use crate::id::{Address, ItemId};
use crate::receipt::{Cause, Event, Move, Purse, Receipt, Rule};
use crate::record::{Action, Transaction};

/// What can have a history and a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An account.
    Account(Address),
    /// A bounty.
    Bounty(ItemId),
    /// A model or a data set. Its first receipt is that of the record that made it: so
    /// whatever locks a deposit has one, a submission that never becomes a model too.
    Asset(ItemId),
}

impl Subject {
    /// Whether `purse` is this subject's, in a movement of one of its receipts whose
    /// other side is `other`.
    pub fn owns(&self, purse: &Purse, other: &Purse) -> bool {
        match *self {
            Self::Account(account) => match *purse {
                Purse::Account(of) | Purse::Stake(of) | Purse::Seat(_, of) => of == account,
                // Who locks a deposit gets it back: nobody else moves it.
                Purse::Deposit(_) => *other == Purse::Account(account),
                _ => false,
            },
            Self::Bounty(bounty) => match *purse {
                Purse::Reward(of)
                | Purse::SponsorBond(of)
                | Purse::PrepaidFees(of)
                | Purse::Harm(of)
                | Purse::Seat(of, _) => of == bounty,
                // A receipt belongs to one bounty at most.
                Purse::MinerBond(_) | Purse::EvaluationFee(_) | Purse::Deposit(_) => true,
                _ => false,
            },
            Self::Asset(asset) => match *purse {
                Purse::Income(of) | Purse::Fund(of) | Purse::Deposit(of) => of == asset,
                _ => false,
            },
        }
    }

    /// Those of its purses of which it has one of a kind: the kind's sum is what it holds.
    pub fn single_purses(&self) -> Vec<Purse> {
        match *self {
            Self::Account(of) => vec![Purse::Account(of), Purse::Stake(of)],
            Self::Bounty(of) => vec![
                Purse::Reward(of),
                Purse::SponsorBond(of),
                Purse::PrepaidFees(of),
                Purse::Harm(of),
            ],
            Self::Asset(of) => vec![Purse::Deposit(of), Purse::Income(of), Purse::Fund(of)],
        }
    }

    /// The movements of a receipt of this subject that go through its purses, each
    /// with its place in the receipt.
    pub fn moves<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> impl Iterator<Item = (u32, &'a Move)> + use<'a> {
        let moves = (0u32..).zip(&receipt.moves);
        moves.filter(|(_, step)| self.owns(&step.from, &step.to) || self.owns(&step.to, &step.from))
    }
}

/// Everything that a receipt touches, each once: an account if it signed the record,
/// is named by it, or money moved through its purses; a bounty if the record
/// addresses it, the clock moved it on, or its purses moved; an asset if it was made,
/// submitted, earned, sold a licence or changed hands. `record` is what the receipt
/// is of, none for the clock's work.
pub fn touched(receipt: &Receipt, record: Option<&Transaction>) -> Vec<Subject> {
    let mut subjects = Vec::with_capacity(4);
    if let Some(record) = record {
        subjects.push(Subject::Account(record.signer));
        subjects.extend(addressed(&record.action));
    }
    match receipt.cause {
        Cause::Deadline(id) => subjects.push(Subject::Bounty(id)),
        Cause::Distribution(id) | Cause::Terms(id) => subjects.push(Subject::Asset(id)),
        Cause::Record(_) => {}
    }
    for purse in receipt.moves.iter().flat_map(|step| [step.from, step.to]) {
        match purse {
            Purse::Account(address) | Purse::Stake(address) => {
                subjects.push(Subject::Account(address));
            }
            Purse::Seat(id, address) => {
                subjects.extend([Subject::Bounty(id), Subject::Account(address)]);
            }
            Purse::Reward(id)
            | Purse::SponsorBond(id)
            | Purse::PrepaidFees(id)
            | Purse::Harm(id) => subjects.push(Subject::Bounty(id)),
            Purse::Income(id) | Purse::Fund(id) => subjects.push(Subject::Asset(id)),
            // Of a submission, a record: the bounty is addressed, or its clock moves them.
            Purse::MinerBond(_) | Purse::EvaluationFee(_) => {}
            // What the record made may be an asset, or become one.
            Purse::Deposit(id) => subjects.push(Subject::Asset(id)),
            Purse::Burned => {}
        }
    }
    for event in &receipt.events {
        match *event {
            Event::AssetRegistered { asset } => subjects.push(Subject::Asset(asset)),
            Event::PhaseBegan { bounty: id, .. }
            | Event::PhaseExtended { bounty: id, .. }
            | Event::TestSetVerdict { bounty: id, .. }
            | Event::BountyForgotten { bounty: id } => subjects.push(Subject::Bounty(id)),
            Event::Seated {
                bounty: id,
                ref seats,
                ..
            } => {
                subjects.push(Subject::Bounty(id));
                subjects.extend(seats.iter().map(|&seat| Subject::Account(seat)));
            }
            // Their bounty is addressed, or it is its clock that says so.
            Event::Verdict { .. } | Event::Ranked { .. } => {}
            Event::SeatFailed {
                bounty: id,
                evaluator,
                ..
            } => subjects.extend([Subject::Bounty(id), Subject::Account(evaluator)]),
            Event::LicenseIssued {
                asset, licensee, ..
            } => subjects.extend([Subject::Asset(asset), Subject::Account(licensee)]),
            Event::TermsChanged { asset, .. }
            | Event::TighteningScheduled { asset, .. }
            | Event::TighteningDropped { asset, .. } => subjects.push(Subject::Asset(asset)),
        }
    }
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

/// What a record is addressed to, and who else gains by it.
fn addressed(action: &Action) -> Vec<Subject> {
    match action {
        Action::Transfer { to, .. } => vec![Subject::Account(*to)],
        Action::BackBounty { bounty, .. }
        | Action::CancelBounty { bounty }
        | Action::CommitSubmission { bounty, .. }
        | Action::RevealTestSet { bounty, .. }
        | Action::AttestTestSet { bounty, .. }
        | Action::RevealSubmission { bounty, .. }
        | Action::CommitAttestations { bounty, .. }
        | Action::RevealAttestations { bounty, .. } => vec![Subject::Bounty(*bounty)],
        Action::BuyLicense { asset, .. }
        | Action::ClaimRoyalty { asset }
        | Action::VoteTerms { asset, .. } => {
            vec![Subject::Asset(*asset)]
        }
        Action::TransferShares { asset, body } => {
            vec![Subject::Asset(*asset), Subject::Account(body.to)]
        }
        Action::RegisterAsset { .. }
        | Action::PostBounty { .. }
        | Action::JoinEvaluators { .. }
        | Action::LeaveEvaluators => Vec::new(),
    }
}

/// What went through a purse, or moved by a rule.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Flow {
    /// All that came in.
    pub paid_in: Amount,
    /// All that went out.
    pub paid_out: Amount,
    /// In less out: what is left, if it began with nothing. Modulo 2^128, so that it
    /// is a sum like any other; an amount that is more than the supply says that more
    /// went out than came in.
    pub left: Amount,
}

impl Flow {
    fn put(&mut self, amount: Amount) {
        self.join(&Self {
            paid_in: amount,
            paid_out: Amount::ZERO,
            left: amount,
        });
    }

    fn take(&mut self, amount: Amount) {
        let units = amount.base_units().wrapping_neg();
        self.join(&Self {
            paid_in: Amount::ZERO,
            paid_out: amount,
            left: Amount::from_base_units(units),
        });
    }

    /// Adds what went through later.
    pub fn join(&mut self, later: &Self) {
        let sum = |a: Amount, b: Amount| a.checked_add(b).unwrap_or(Amount::MAX);
        let units = self.left.base_units();
        *self = Self {
            paid_in: sum(self.paid_in, later.paid_in),
            paid_out: sum(self.paid_out, later.paid_out),
            left: Amount::from_base_units(units.wrapping_add(later.left.base_units())),
        };
    }
}

/// The sums of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Totals {
    /// By kind of purse: its place in [`Purse::KINDS`].
    pub kinds: BTreeMap<u8, Flow>,
    /// By rule. What is left here is what the rule has brought, or taken, modulo 2^128.
    pub rules: BTreeMap<Rule, Flow>,
    /// How many movements.
    pub movements: u64,
}

impl Totals {
    /// Adds what happened later.
    pub fn join(&mut self, later: &Self) {
        for (&kind, flow) in &later.kinds {
            self.kinds.entry(kind).or_default().join(flow);
        }
        for (&rule, flow) in &later.rules {
            self.rules.entry(rule).or_default().join(flow);
        }
        self.movements += later.movements;
    }
}

/// A subject's purses and sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Each purse that money went through.
    pub purses: BTreeMap<Purse, Flow>,
    /// The sums.
    pub totals: Totals,
}

impl Book {
    /// Books a movement through the purses of a subject.
    pub fn add(&mut self, subject: &Subject, step: &Move) {
        let Totals {
            kinds,
            rules,
            movements,
        } = &mut self.totals;
        let rule = rules.entry(step.rule).or_default();
        if subject.owns(&step.from, &step.to) {
            self.purses.entry(step.from).or_default().take(step.amount);
            let kind = kinds.entry(step.from.kind() as u8).or_default();
            kind.take(step.amount);
            rule.take(step.amount);
        }
        if subject.owns(&step.to, &step.from) {
            self.purses.entry(step.to).or_default().put(step.amount);
            let kind = kinds.entry(step.to.kind() as u8).or_default();
            kind.put(step.amount);
            rule.put(step.amount);
        }
        *movements += 1;
    }
}

/// A movement with its place on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The block.
    pub height: u64,
    /// The place of the receipt in it.
    pub place: u32,
    /// The place of the movement in the receipt.
    pub index: u32,
    /// The block's time.
    pub time_ms: u64,
    /// The record that caused it, or whose clock.
    pub cause: Cause,
    /// What moved.
    pub step: Move,
}

/// A whole statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whose.
    pub subject: Subject,
    /// What an account had from the genesis; nothing else begins with anything.
    pub opening: Amount,
    /// Purses and sums.
    pub book: Book,
    /// Every movement, in the order of the log.
    pub movements: Vec<Movement>,
}

impl Statement {
    /// An empty one.
    pub fn new(subject: Subject, opening: Amount) -> Self {
        Self {
            subject,
            opening,
            book: Book::default(),
            movements: Vec::new(),
        }
    }

    /// The statement of a subject's whole history.
    pub fn of<'a>(
        subject: Subject,
        opening: Amount,
        history: impl IntoIterator<Item = &'a HistoryEntry>,
    ) -> Self {
        let mut statement = Self::new(subject, opening);
        for entry in history {
            statement.add(entry);
        }
        statement
    }

    /// Adds the next of the subject's receipts.
    pub fn add(&mut self, entry: &HistoryEntry) {
        for movement in movements(&self.subject, entry) {
            self.book.add(&self.subject, &movement.step);
            self.movements.push(movement);
        }
    }

    /// What a purse of the subject must hold.
    pub fn left(&self, purse: &Purse) -> Amount {
        let flow = self.book.purses.get(purse).copied().unwrap_or_default();
        match (self.subject, purse) {
            (Subject::Account(account), Purse::Account(of)) if account == *of => {
                with_opening(self.opening, flow.left)
            }
            _ => flow.left,
        }
    }
}

/// What is left of an account that began with `opening`.
pub fn with_opening(opening: Amount, left: Amount) -> Amount {
    Amount::from_base_units(opening.base_units().wrapping_add(left.base_units()))
}

/// The movements of an entry of a subject's history that go through its purses.
pub fn movements<'a>(
    subject: &'a Subject,
    entry: &'a HistoryEntry,
) -> impl Iterator<Item = Movement> + use<'a> {
    subject
        .moves(&entry.receipt)
        .map(|(index, &step)| Movement {
            height: entry.height,
            place: entry.place,
            index,
            time_ms: entry.time_ms,
            cause: entry.receipt.cause,
            step,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address([1; 32]);
    const BOB: Address = Address([2; 32]);
    const BOUNTY: ItemId = ItemId([3; 32]);
    const SUBMISSION: ItemId = ItemId([4; 32]);

    fn units(units: u128) -> Amount {
        Amount::from_base_units(units)
    }

    fn entry(height: u64, cause: Cause, moves: &[(Purse, Purse, u128, Rule)]) -> HistoryEntry {
        let moves = moves.iter().map(|&(from, to, amount, rule)| Move {
            from,
            to,
            amount: units(amount),
            rule,
        });
        HistoryEntry {
            height,
            place: 0,
            time_ms: height,
            signer: None,
            record_type: None,
            receipt: Receipt {
                cause,
                rejected: None,
                moves: moves.collect(),
                events: Vec::new(),
            },
        }
    }

    #[test]
    fn an_account_has_its_balance_stake_seats_and_deposits() {
        let (alice, bob) = (Purse::Account(ALICE), Purse::Account(BOB));
        let (stake, seat) = (Purse::Stake(ALICE), Purse::Seat(BOUNTY, ALICE));
        let deposit = Purse::Deposit(SUBMISSION);
        let by = Cause::Record(SUBMISSION);
        let history = [
            entry(
                1,
                by,
                &[
                    (alice, Purse::Burned, 1, Rule::ByteFee),
                    (alice, deposit, 10, Rule::Deposit),
                    (alice, stake, 50, Rule::Stake),
                ],
            ),
            entry(
                2,
                Cause::Deadline(BOUNTY),
                &[
                    (stake, seat, 20, Rule::SeatLock),
                    (
                        Purse::Stake(BOB),
                        Purse::Seat(BOUNTY, BOB),
                        20,
                        Rule::SeatLock,
                    ),
                    (seat, Purse::Burned, 5, Rule::ForfeitBurned),
                    (Purse::Deposit(BOUNTY), bob, 3, Rule::DepositReturn),
                ],
            ),
            entry(3, by, &[(deposit, alice, 10, Rule::DepositReturn)]),
        ];
        let told = Statement::of(Subject::Account(ALICE), units(100), &history);
        assert_eq!(told.left(&alice), units(49));
        assert_eq!(told.left(&stake), units(30));
        assert_eq!(told.left(&seat), units(15));
        assert_eq!(told.left(&deposit), Amount::ZERO);
        let heights: Vec<_> = told.movements.iter().map(|one| one.height).collect();
        assert_eq!(heights, [1, 1, 1, 2, 2, 3]);
        let locked = told.book.totals.rules[&Rule::SeatLock];
        assert_eq!((locked.paid_in, locked.paid_out), (units(20), units(20)));
        let burned = told.book.totals.rules[&Rule::ForfeitBurned];
        assert_eq!((burned.paid_in, burned.paid_out), (units(0), units(5)));
        // Opening, and all that the rules brought less all that they took, is what is left.
        let rules = told.book.totals.rules.values();
        let left = rules.fold(told.opening, |sum, flow| with_opening(sum, flow.left));
        assert_eq!(left, units(49 + 30 + 15));
    }

    #[test]
    fn the_purses_of_a_submission_belong_to_the_bounty_in_whose_receipts_they_are() {
        let miner = Purse::Account(ALICE);
        let bond = Purse::MinerBond(SUBMISSION);
        let fee = Purse::EvaluationFee(SUBMISSION);
        let history = [
            entry(
                1,
                Cause::Record(SUBMISSION),
                &[
                    (miner, Purse::Burned, 1, Rule::ByteFee),
                    (miner, Purse::Deposit(SUBMISSION), 10, Rule::Deposit),
                    (miner, bond, 7, Rule::Bond),
                    (Purse::PrepaidFees(BOUNTY), fee, 3, Rule::EvaluationFee),
                ],
            ),
            entry(
                2,
                Cause::Deadline(BOUNTY),
                &[
                    (fee, Purse::Account(BOB), 3, Rule::EvaluationPay),
                    (bond, miner, 7, Rule::BondReturn),
                ],
            ),
        ];
        let told = Statement::of(Subject::Bounty(BOUNTY), Amount::ZERO, &history);
        assert_eq!(told.left(&bond), Amount::ZERO);
        assert_eq!(told.left(&fee), Amount::ZERO);
        assert_eq!(told.left(&Purse::Deposit(SUBMISSION)), units(10));
        assert_eq!(told.movements.len(), 5, "the byte fee is its miner's");
        let asset = Statement::of(Subject::Asset(SUBMISSION), Amount::ZERO, &history);
        assert_eq!(asset.book.purses.len(), 1);
        assert_eq!(asset.left(&Purse::Deposit(SUBMISSION)), units(10));
    }

    #[test]
    fn sums_are_the_same_in_parts_and_exact_beyond_the_largest_amount() {
        let subject = Subject::Account(ALICE);
        let (alice, bob) = (Purse::Account(ALICE), Purse::Account(BOB));
        let step = |from, to, amount| Move {
            from,
            to,
            amount,
            rule: Rule::Transfer,
        };
        let back_and_forth = [
            step(bob, alice, Amount::MAX),
            step(alice, bob, Amount::MAX),
            step(bob, alice, Amount::MAX),
            step(alice, bob, units(5)),
        ];
        let mut whole = Book::default();
        let mut totals = Totals::default();
        for step in &back_and_forth {
            whole.add(&subject, step);
            let mut part = Book::default();
            part.add(&subject, step);
            totals.join(&part.totals);
        }
        assert_eq!(whole.totals, totals);
        let flow = whole.purses[&alice];
        assert_eq!(Some(flow.left), Amount::MAX.checked_sub(units(5)));
        assert_eq!(flow.paid_in, Amount::MAX, "it stops there");
        // More out than in is no amount that a network could have.
        let mut short = Book::default();
        short.add(&subject, &step(alice, bob, units(1)));
        assert_eq!(short.purses[&alice].left, Amount::MAX);
    }
}
