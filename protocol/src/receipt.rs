//! Receipts: what came of each record, and of the clock.
//!
//! A receipt lists every movement of money from one purse to another with its
//! rule, so that all balances can be explained from the receipts alone. The
//! leaves of a block's receipts root are the receipts' borsh encodings: first
//! the clock's, then one for each item, in order. An empty block without due
//! work has the root of no leaves.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::id::{Address, Digest, ItemId};
use crate::merkle;
use crate::record::Grant;
use crate::report::{Outcome, TestOutcome};
use crate::text::Code;

/// What came of one record, or of one piece of due work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// What it is the receipt of.
    pub cause: Cause,
    /// The stable code of the rule that rejected it; `None` if it was applied.
    pub rejected: Option<Code>,
    /// The movements of money, in order.
    pub moves: Vec<Move>,
    /// What else happened, in order.
    pub events: Vec<Event>,
}

/// What a receipt belongs to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A record.
    Record(ItemId),
    /// Work that the clock did for this bounty.
    Deadline(ItemId),
    /// An income of this asset that went to one holder, drawn by shares.
    Distribution(ItemId),
    /// Work that the clock did on the terms of this asset.
    Terms(ItemId),
    /// Work that the clock did for this licence.
    License(ItemId),
}

/// Where money can be. Every unit is in exactly one purse.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// The free balance of an account.
    Account(Address),
    /// The reward of a bounty, its backers' stakes included.
    Reward(ItemId),
    /// The sponsor's bond of a bounty.
    SponsorBond(ItemId),
    /// The miner's bond of a submission.
    MinerBond(ItemId),
    /// The evaluation fee of a submission.
    EvaluationFee(ItemId),
    /// What a bounty's sponsor has put up for evaluation fees.
    PrepaidFees(ItemId),
    /// The stake of an evaluator that no seat has locked.
    Stake(Address),
    /// What a seat has locked: the bounty, the evaluator.
    Seat(ItemId, Address),
    /// The shared half of a bounty's forfeits, until the harmed are paid at its end.
    Harm(ItemId),
    /// The deposit of a record for the state that it made.
    Deposit(ItemId),
    /// Income of an asset that its holders have not claimed, remainder included.
    Income(ItemId),
    /// Gone for ever.
    Burned,
    /// What an asset has set aside of its income for further rounds.
    Fund(ItemId),
    /// What was paid for months that have not begun: the asset, the licence.
    Escrow(ItemId, ItemId),
}

impl Purse {
    /// The kinds of purse, in the order of the supply table.
    pub const KINDS: [&'static str; 14] = [
        "accounts",
        "rewards",
        "sponsor_bonds",
        "miner_bonds",
        "evaluation_fees",
        "prepaid_fees",
        "stakes",
        "seats",
        "harm",
        "deposits",
        "income",
        "burned",
        "funds",
        "escrows",
    ];

    /// The place of this purse's kind in [`Self::KINDS`].
    pub const fn kind(&self) -> usize {
        match self {
            Self::Account(_) => 0,
            Self::Reward(_) => 1,
            Self::SponsorBond(_) => 2,
            Self::MinerBond(_) => 3,
            Self::EvaluationFee(_) => 4,
            Self::PrepaidFees(_) => 5,
            Self::Stake(_) => 6,
            Self::Seat(..) => 7,
            Self::Harm(_) => 8,
            Self::Deposit(_) => 9,
            Self::Income(_) => 10,
            Self::Burned => 11,
            Self::Fund(_) => 12,
            Self::Escrow(..) => 13,
        }
    }
}

/// The rule by which money moved.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The byte fee of an included record.
    ByteFee,
    /// A transfer between accounts.
    Transfer,
    /// The sponsor's reward, put up at posting.
    Reward,
    /// A backer's stake.
    Backing,
    /// A bond, put up.
    Bond,
    /// An evaluation fee, paid by a miner, or out of what the sponsor prepaid.
    EvaluationFee,
    /// Evaluation fees, put up by the sponsor.
    PrepaidFees,
    /// The deposit of a record for the state that it made.
    Deposit,
    /// A deposit, returned because that state is gone.
    DepositReturn,
    /// An evaluator's stake, put up.
    Stake,
    /// An evaluator's stake, taken back.
    Unstake,
    /// A part of a stake, locked by a seat.
    SeatLock,
    /// What a seat had locked, returned to the stake.
    SeatReturn,
    /// The award of a bounty, to who won it or a step of it.
    Award,
    /// A reward, stake or fee returned to who put it up.
    Refund,
    /// A bond returned to who put it up.
    BondReturn,
    /// An evaluator's part of an evaluation fee; of who found a test set bad, out of the sponsor's bond.
    EvaluationPay,
    /// The burned half of a forfeit.
    ForfeitBurned,
    /// The half of a forfeit that waits for the end of the bounty.
    ForfeitHeld,
    /// The part of a forfeit that goes to those who were harmed.
    ForfeitShared,
    /// The price of a licence, to the asset's holders.
    LicenseIncome,
    /// An ancestor's share of the price of a licence, by the royalty stack.
    StackIncome,
    /// Royalties, claimed by a holder.
    Claim,
    /// Royalties of an asset with random distribution, to the holder that was drawn.
    RandomDistribution,
    /// The part of an income that an asset sets aside for further rounds.
    SelfFunding,
    /// The part of a reward that comes out of a parent's fund.
    FundedReward,
    /// The same, returned to the fund because nobody won it.
    FundReturn,
    /// The price of a licence's months that have not begun, put up by its buyer.
    Escrow,
}

/// One movement of money.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
pub struct Move {
    /// Out of this purse.
    pub from: Purse,
    /// Into this one.
    pub to: Purse,
    /// How much, above zero.
    pub amount: Amount,
    /// Why.
    pub rule: Rule,
}

/// Something that happened beside money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An asset now exists.
    AssetRegistered {
        /// Its id: that of the record that made it.
        asset: ItemId,
    },
    /// A bounty moved on.
    PhaseBegan {
        /// The bounty.
        bounty: ItemId,
        /// The phase it is in now.
        phase: Phase,
    },
    /// A phase's end came so late that it gets a fresh window.
    PhaseExtended {
        /// The bounty.
        bounty: ItemId,
        /// The phase.
        phase: Phase,
        /// Its new end.
        until_ms: u64,
    },
    /// Evaluators took seats in a bounty.
    Seated {
        /// The bounty.
        bounty: ItemId,
        /// For what.
        panel: Panel,
        /// The round, from 0.
        round: u8,
        /// Whether all evaluators are asked, not a drawn panel.
        all: bool,
        /// The new seats, in the order they were drawn.
        seats: Vec<Address>,
    },
    /// A quorum agrees on the test set, or none does.
    TestSetVerdict {
        /// The bounty.
        bounty: ItemId,
        /// What the quorum found; `None` without quorum.
        outcome: Option<TestOutcome>,
        /// How many seats agree.
        agreeing: u32,
        /// Seats that said something else.
        dissenting: Vec<Address>,
    },
    /// A quorum agrees on a submission, or none does.
    Verdict {
        /// The submission.
        submission: ItemId,
        /// What the quorum found; `None` without quorum.
        outcome: Option<Outcome>,
        /// How many seats agree.
        agreeing: u32,
        /// Seats that attested something else: reported, not punished by majority.
        dissenting: Vec<Address>,
    },
    /// A seat did not do its work.
    SeatFailed {
        /// The bounty.
        bounty: ItemId,
        /// In which panel.
        panel: Panel,
        /// Whose seat.
        evaluator: Address,
        /// Whether it had committed, and then did not reveal.
        had_committed: bool,
    },
    /// A bounty is kept no longer, with all of it that became no asset.
    BountyForgotten {
        /// The bounty.
        bounty: ItemId,
    },
    /// A submission's standing when its bounty settled.
    Ranked {
        /// The submission.
        submission: ItemId,
        /// How it stands.
        standing: Standing,
    },
    /// A licence was sold. This is the licence; its receipt proves it.
    LicenseIssued {
        /// Its id: that of the record that bought it.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Who may use it.
        licensee: Address,
        /// For what.
        grant: Grant,
        /// Under which terms.
        terms: Digest,
        /// What was paid.
        price: Amount,
    },
    /// An asset is under other terms from now on; all ballots are void.
    TermsChanged {
        /// The asset.
        asset: ItemId,
        /// The terms' id.
        terms: Digest,
        /// The vote that carries their tags.
        record: ItemId,
    },
    /// Tighter terms have the shares that they need, and wait for their time.
    TighteningScheduled {
        /// The asset.
        asset: ItemId,
        /// The terms' id.
        terms: Digest,
        /// The vote that carries their tags.
        record: ItemId,
        /// When they take effect, if they have the shares then.
        at_ms: u64,
    },
    /// Tighter terms that waited do not take effect.
    TighteningDropped {
        /// The asset.
        asset: ItemId,
        /// The terms' id.
        terms: Digest,
    },
    /// A licence runs for a time only. Stands beside the event that issues it.
    LicenseRuns {
        /// The licence.
        license: ItemId,
        /// For how many months.
        months: u32,
        /// When the last of them is over.
        until_ms: u64,
    },
    /// A month of a licence began, and what was paid for it is income now.
    MonthBegan {
        /// The licence.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Whose licence it is.
        licensee: Address,
        /// Which month, from 1; the first begins with the purchase and has no event.
        month: u32,
    },
    /// The revenue of a licence's month was declared.
    RevenueDeclared {
        /// The licence.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Whose licence it is.
        licensee: Address,
        /// Which month, from 1.
        period: u32,
        /// What the licensee says that it earned.
        revenue: Amount,
        /// What was paid for it beyond the minimum.
        paid: Amount,
    },
    /// The time to declare was over so late that there is a fresh one.
    GraceExtended {
        /// The licence.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Whose licence it is.
        licensee: Address,
        /// Until when.
        until_ms: u64,
    },
    /// A month's revenue was not declared in time: the licence is over.
    LicenseLapsed {
        /// The licence.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Whose licence it was.
        licensee: Address,
        /// Which month, from 1.
        period: u32,
    },
    /// The last month of a licence is over, and the licence with it.
    LicenseEnded {
        /// The licence.
        license: ItemId,
        /// The asset.
        asset: ItemId,
        /// Whose licence it was.
        licensee: Address,
    },
}

/// Where a licence that was bought for months stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LicenseStanding {
    /// It runs.
    Runs,
    /// Its months are over.
    Ended,
    /// A month's revenue was not declared in time.
    Lapsed,
}

/// What a committee was drawn for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Panel {
    /// The test set.
    Check,
    /// The submissions.
    Score,
}

impl Panel {
    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Score => "score",
        }
    }
}

/// Where a bounty stands.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Submissions are committed.
    Open,
    /// The sponsor reveals the test key.
    TestKey,
    /// The committee checks the test set.
    TestCheck,
    /// Miners reveal.
    Reveal,
    /// Evaluators commit.
    Score,
    /// Evaluators reveal.
    ScoreReveal,
    /// Verdicts stand open.
    Challenge,
    /// Paid out.
    Settled,
    /// Ended without a ranking, and why.
    Void(VoidReason),
}

impl Phase {
    /// Every name that a phase has, in the order of a bounty's life.
    pub const NAMES: [&'static str; 9] = [
        "open",
        "test_key",
        "test_check",
        "reveal",
        "score",
        "score_reveal",
        "challenge",
        "settled",
        "void",
    ];

    /// The one-word name, as in JSON and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::TestKey => "test_key",
            Self::TestCheck => "test_check",
            Self::Reveal => "reveal",
            Self::Score => "score",
            Self::ScoreReveal => "score_reveal",
            Self::Challenge => "challenge",
            Self::Settled => "settled",
            Self::Void(_) => "void",
        }
    }
}

/// Why a bounty ended without a ranking.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// The sponsor took it back before the first submission.
    Cancelled,
    /// Nobody submitted.
    NoSubmissions,
    /// The test key was out before submissions closed: the sponsor's fault.
    KeyLeaked,
    /// The test key was not revealed: the sponsor's fault.
    KeyWithheld,
    /// The test set does not open or is malformed: the sponsor's fault.
    BadTestSet,
    /// Too few evaluators could be drawn, answered or agreed: nobody's fault.
    NoQuorum,
}

impl VoidReason {
    /// Whether the sponsor's bond is forfeited.
    pub const fn is_sponsors_fault(self) -> bool {
        matches!(self, Self::KeyLeaked | Self::KeyWithheld | Self::BadTestSet)
    }
}

/// How a submission stands when its bounty settles.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Takes the award, or a step of it.
    Won,
    /// Scored, and not the best by the margin, or below the reserve.
    Lost,
    /// Same weights as an earlier submission.
    Copied(ItemId),
    /// Its key was not revealed.
    NotRevealed,
    /// Its key does not open its ciphertext.
    BadSeal,
    /// It breaks the benchmark's rules.
    Invalid,
    /// No quorum agreed on it: no verdict.
    NoVerdict,
}

/// The root over the receipts of one block, in order.
pub fn receipts_root(receipts: &[Receipt]) -> Digest {
    let mut tree = merkle::Accumulator::new();
    for receipt in receipts {
        tree.push(&receipt.to_leaf());
    }
    tree.root()
}

impl Receipt {
    /// The bytes that are hashed into the receipts tree.
    pub fn to_leaf(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory")
    }
}
