//! Every way in which a record can be refused.
//!
//! Each has a stable code for programs, a message that says what happened and
//! with which numbers, and a next step. Codes are part of receipts, so they
//! never change their meaning.

use licensing::certificate::utc;
use licensing::{DerivationRefusal, Refusal, StackError, TermsError};
use protocol::benchmark::BenchmarkError;
use protocol::receipt::Phase;
use protocol::{Address, Amount, Digest, ItemId, NetworkId};

/// A broken rule of the market.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    // Inclusion: a record with one of these is not put into a block.
    /// A record of another network.
    #[error("the record is for network {0}, this is another one")]
    OtherNetwork(NetworkId),
    /// Not the signer's next nonce.
    #[error("the signer's next nonce is {expected}, the record has {given}")]
    Nonce {
        /// The next one.
        expected: u64,
        /// The record's.
        given: u64,
    },
    /// Block time is past the record's validity.
    #[error("the record was valid until {}, block time is {}", utc(*.valid_until_ms), utc(*.time_ms))]
    Expired {
        /// The last time it could be included.
        valid_until_ms: u64,
        /// The block's time.
        time_ms: u64,
    },
    /// The record claims to be valid for longer than the network allows.
    #[error("the record is valid until {valid_until_ms}, at most {limit_ms} is allowed now")]
    ValidTooLong {
        /// What it claims.
        valid_until_ms: u64,
        /// The most allowed.
        limit_ms: u64,
    },
    /// The signer cannot pay for the record's bytes.
    #[error("the byte fee is {} LODE, the signer has {} LODE", .fee.to_lode_string(), .balance.to_lode_string())]
    FeeUnpayable {
        /// The fee.
        fee: Amount,
        /// The signer's balance.
        balance: Amount,
    },

    // Money.
    /// A purse holds less than it should pay.
    #[error("{} LODE are needed, {} LODE are there", .needed.to_lode_string(), .available.to_lode_string())]
    InsufficientFunds {
        /// What is to be paid.
        needed: Amount,
        /// What is there.
        available: Amount,
    },
    /// An amount of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// A sum that no amount can hold.
    #[error("the amounts add up to more than an amount can hold")]
    Overflow,

    // What a record names.
    /// No such bounty.
    #[error("there is no bounty {0}")]
    UnknownBounty(ItemId),
    /// No such submission to this bounty.
    #[error("the bounty has no submission {0}")]
    UnknownSubmission(ItemId),
    /// No such asset.
    #[error("there is no asset {0}")]
    UnknownAsset(ItemId),
    /// Somebody else's.
    #[error("only {0} can do this")]
    NotOwner(Address),

    // Terms and lineage.
    /// Tags that are not terms we can honour.
    #[error("{0}")]
    Terms(TermsError),
    /// Terms that are written in another way than the canonical one.
    #[error("the licence tags are not in their canonical order and spelling")]
    TermsNotCanonical,
    /// Terms that would pay the uploader instead of the holders.
    #[error(
        "the terms have no 'Payment-Mode: Global-Distribution', so the holders would not be paid"
    )]
    PaymentMode,
    /// The submission's terms are not the bounty's.
    #[error("the submission's licence tags are not those that the bounty asks for")]
    OtherTerms,
    /// A parent that does not allow this child.
    #[error("parent {parent}: {refusal}")]
    Derivation {
        /// The parent.
        parent: ItemId,
        /// Why not.
        refusal: DerivationRefusal,
    },
    /// A royalty stack beyond its limits.
    #[error("{0}")]
    Stack(StackError),
    /// A parent that every submission has.
    #[error("every submission has the parent {0}, the bounty requires it")]
    ParentRequired(ItemId),
    /// Parents that the bounty does not name ask for more than the miner's shares bring.
    #[error(
        "the parents that the bounty does not name ask for {} of an income, more than the miner's shares bring",
        licensing::percent::billionths_text(*.billionths)
    )]
    UnnamedParents {
        /// What they ask for, in billionths of a percent.
        billionths: u64,
    },
    /// Parents that are too many, repeated or out of order.
    #[error("parents must be at most {limit}, each once, in ascending order")]
    Parents {
        /// The most.
        limit: usize,
    },
    /// A model needs a weights digest, and a data set has none.
    #[error("a model has a weights digest and a data set has none")]
    WeightsDigest,
    /// The same weights are an asset already.
    #[error("the same weights are registered as {0}")]
    WeightsTaken(ItemId),
    /// Shares that do not make a whole.
    #[error("the shares make {sum}, they must make {whole}, each above zero and each holder once")]
    Shares {
        /// What they make.
        sum: u64,
        /// What they must make.
        whole: u32,
    },

    // Bounties.
    /// A benchmark that makes no sense.
    #[error("{0}")]
    Benchmark(BenchmarkError),
    /// A phase that is shorter or longer than the network allows.
    #[error("the phase '{name}' takes {given_ms} ms, allowed are {min_ms} to {max_ms} ms")]
    Schedule {
        /// Which.
        name: &'static str,
        /// How long.
        given_ms: u64,
        /// The least.
        min_ms: u64,
        /// The most.
        max_ms: u64,
    },
    /// An evaluation fee below the network's least.
    #[error("the evaluation fee is {} LODE, at least {} LODE are needed", .given.to_lode_string(), .least.to_lode_string())]
    EvaluationFee {
        /// Offered.
        given: Amount,
        /// The least.
        least: Amount,
    },
    /// Too few evaluators could take a seat.
    #[error(
        "{candidates} evaluators have {} LODE free for a seat of this bounty, a panel needs {least} of them",
        .stake.to_lode_string()
    )]
    PoolTooSmall {
        /// How many could.
        candidates: usize,
        /// How many are needed.
        least: u32,
        /// What each seat locks.
        stake: Amount,
    },
    /// More evaluation fees prepaid than there can be submissions.
    #[error("evaluation fees are prepaid for {given} submissions, a bounty takes {limit}")]
    Prepaid {
        /// For how many.
        given: u32,
        /// The most.
        limit: u32,
    },
    /// The bounty is in another phase.
    #[error("the bounty is in the phase '{}', this belongs to '{}'", .phase.name(), .needed.name())]
    WrongPhase {
        /// Where it is.
        phase: Phase,
        /// Where it would have to be.
        needed: Phase,
    },
    /// The phase is over, and the next begins with one of the next blocks: the clock is behind.
    #[error(
        "the phase '{}' ended at {}, block time is {}; the next begins within a few blocks",
        .phase.name(),
        utc(*.until_ms),
        utc(*.time_ms)
    )]
    PhaseOver {
        /// The phase that is over.
        phase: Phase,
        /// When it ended.
        until_ms: u64,
        /// Block time.
        time_ms: u64,
    },
    /// Backing closes at half of the open phase.
    #[error("backing closed at {}, block time is {}", utc(*.closed_ms), utc(*.time_ms))]
    BackingClosed {
        /// When.
        closed_ms: u64,
        /// Block time.
        time_ms: u64,
    },
    /// No more backers, submissions or evaluators fit.
    #[error("there are {limit} {what} already, more are not taken")]
    Full {
        /// Of what.
        what: &'static str,
        /// The most.
        limit: u32,
    },
    /// Too late to take it back.
    #[error("the bounty has submissions, so it cannot be cancelled")]
    HasSubmissions,
    /// The key is not that of the seal on the log.
    #[error("the key does not give the seal {0} that was committed by this owner")]
    SealMismatch(Digest),
    /// Revealed already.
    #[error("this was revealed already")]
    AlreadyRevealed,

    // Evaluators.
    /// The stake is below the network's least.
    #[error("the stake would be {} LODE, at least {} LODE are needed", .given.to_lode_string(), .least.to_lode_string())]
    StakeTooSmall {
        /// Offered.
        given: Amount,
        /// The least.
        least: Amount,
    },
    /// Not an evaluator.
    #[error("{0} is not an evaluator")]
    NotEvaluator(Address),
    /// An evaluator that leaves, and whose notice is not over.
    #[error("this evaluator's notice is over at {}, block time is {}", utc(*.until_ms), utc(*.time_ms))]
    NoticeNotOver {
        /// From when on its stake is paid out.
        until_ms: u64,
        /// The block's time.
        time_ms: u64,
    },
    /// An evaluator that leaves, and has nothing left but what seats have locked.
    #[error(
        "what is left of the stake is locked by seats of bounties that have not ended (seats: {0})"
    )]
    SeatsAtWork(u32),
    /// No seat in this bounty's committee.
    #[error("{0} has no seat in this bounty's committee")]
    NoSeat(Address),
    /// Done already.
    #[error("this seat did so already")]
    AlreadyDone,
    /// A reveal without commitment.
    #[error("this seat committed nothing")]
    NothingCommitted,
    /// The reveal is not what was committed.
    #[error("salt and attestations do not give the commitment {0}")]
    CommitmentMismatch(Digest),
    /// A batch that leaves a submission out, or has one too many.
    #[error(
        "the batch must hold one attestation for each of {asked} submissions that are asked for, in the order of commitment, in {parts} parts"
    )]
    BatchIncomplete {
        /// How many are asked for.
        asked: usize,
        /// In how many parts.
        parts: u32,
    },
    /// A part before the ones that come first, or one that is there.
    #[error("part {expected} of the batch is next, this is part {given}")]
    PartOutOfOrder {
        /// The next one.
        expected: u32,
        /// The record's.
        given: u32,
    },
    /// A seat that has nothing to do in this round.
    #[error("this seat is not asked for anything in this round")]
    NotAsked,
    /// Scores without published predictions.
    #[error("scored submissions need their prediction leaves published with the reveal")]
    LeavesMissing,

    // Licences and royalties.
    /// Nothing to buy.
    #[error("{0}")]
    NotForSale(Refusal),
    /// The asset's terms are not those the buyer read.
    #[error("the asset's terms are {actual}, the purchase names others")]
    TermsChanged {
        /// The asset's.
        actual: Digest,
    },
    /// Dearer than the buyer wants to pay.
    #[error("the price is {} LODE, above the {} LODE that the purchase allows", .price.to_lode_string(), .price_max.to_lode_string())]
    PriceAboveMax {
        /// The price.
        price: Amount,
        /// The most.
        price_max: Amount,
    },
    /// Holds no shares.
    #[error("{0} holds no royalty shares of this asset and is owed nothing")]
    NotHolder(Address),
    /// Not so many shares.
    #[error("{shares} shares are to move, the holder has {held}")]
    TooFewShares {
        /// Asked for.
        shares: u32,
        /// There.
        held: u32,
    },
    /// Shares of an asset whose last income has not found its holder yet.
    #[error("an income of this asset goes to one holder, who is drawn in the next block")]
    DrawPending,
    /// Nothing to pay out.
    #[error("nothing is owed at present")]
    NothingOwed,

    // Votes on terms.
    /// Terms that would pay in another way than the asset does.
    #[error("an asset's payment mode never changes, these terms have another one")]
    PaymentModeFixed,
    /// A parent passed its terms on to this asset, or it would seem so ever after.
    #[error(
        "the asset derives from a parent: terms that pass on stay as it was made under them, and are none to vote for"
    )]
    TermsBound,
    /// Nothing to take back.
    #[error("these terms are in force, and this account has no ballot to take back")]
    NoBallot,
    /// The ballot is for these terms already.
    #[error("this account's ballot is for these terms already")]
    BallotStands,

    // Self-funding.
    /// More than an asset may set aside.
    #[error("{ppm} millionths of each income are set aside, at most {limit} may be")]
    SelfFunding {
        /// How much.
        ppm: u32,
        /// The most.
        limit: u32,
    },
    /// A fund pays nothing of the reward, or more than all of it.
    #[error(
        "the fund pays {} LODE, it may pay more than nothing and at most the reward of {} LODE",
        .amount.to_lode_string(), .reward.to_lode_string()
    )]
    FundAmount {
        /// What it pays.
        amount: Amount,
        /// The reward.
        reward: Amount,
    },
    /// The asset whose fund pays is no parent of the bounty.
    #[error("the bounty does not name {0}, whose fund pays, as a parent")]
    FundParent(ItemId),
    /// Too few shares to spend the fund.
    #[error("the sponsor holds {held} shares of the asset whose fund pays, {needed} are needed")]
    FundMajority {
        /// What the sponsor holds.
        held: u32,
        /// The least.
        needed: u32,
    },
    /// The same sealed test set was posted before.
    #[error("this sealed test set was posted before, by the bounty {0}")]
    TestSetUsed(ItemId),
    // Revenue.
    /// No such licence.
    #[error("there is no licence {0}")]
    UnknownLicense(ItemId),
    /// A licence that owes no share of revenue.
    #[error("the licence owes no share of revenue")]
    NoRevenueShare,
    /// Revenue of another month than the next one that is not declared.
    #[error("the next month to declare is {expected}, the record declares {given}")]
    OtherPeriod {
        /// The next one.
        expected: u32,
        /// The record's.
        given: u32,
    },
    /// A month that is not over.
    #[error("month {period} is over at {}, block time is {}", utc(*.ends_ms), utc(*.time_ms))]
    PeriodNotOver {
        /// Which month.
        period: u32,
        /// When it is over.
        ends_ms: u64,
        /// The block's time.
        time_ms: u64,
    },
    /// All months are declared.
    #[error("all {0} months of the licence are declared")]
    AllDeclared(u32),
    /// A licence that lapsed.
    #[error("the licence has lapsed: the revenue of its month {0} was not declared in time")]
    LicenseLapsed(u32),
}

impl Rejection {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherNetwork(_) => "other_network",
            Self::Nonce { .. } => "nonce",
            Self::Expired { .. } => "expired",
            Self::ValidTooLong { .. } => "valid_too_long",
            Self::FeeUnpayable { .. } => "fee_unpayable",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::ZeroAmount => "zero_amount",
            Self::Overflow => "overflow",
            Self::UnknownBounty(_) => "unknown_bounty",
            Self::UnknownSubmission(_) => "unknown_submission",
            Self::UnknownAsset(_) => "unknown_asset",
            Self::NotOwner(_) => "not_owner",
            Self::Terms(error) => error.code(),
            Self::TermsNotCanonical => "terms_not_canonical",
            Self::PaymentMode => "payment_mode",
            Self::OtherTerms => "other_terms",
            Self::Derivation { refusal, .. } => refusal.code(),
            Self::Stack(error) => error.code(),
            Self::ParentRequired(_) => "parent_required",
            Self::UnnamedParents { .. } => "unnamed_parents",
            Self::Parents { .. } => "parents",
            Self::WeightsDigest => "weights_digest",
            Self::WeightsTaken(_) => "weights_taken",
            Self::Shares { .. } => "shares",
            Self::Benchmark(_) => "benchmark",
            Self::Schedule { .. } => "schedule",
            Self::EvaluationFee { .. } => "evaluation_fee",
            Self::PoolTooSmall { .. } => "pool_too_small",
            Self::Prepaid { .. } => "prepaid",
            Self::WrongPhase { .. } => "wrong_phase",
            Self::PhaseOver { .. } => "phase_over",
            Self::BackingClosed { .. } => "backing_closed",
            Self::Full { .. } => "full",
            Self::HasSubmissions => "has_submissions",
            Self::SealMismatch(_) => "seal_mismatch",
            Self::AlreadyRevealed => "already_revealed",
            Self::StakeTooSmall { .. } => "stake_too_small",
            Self::NotEvaluator(_) => "not_evaluator",
            Self::NoticeNotOver { .. } => "notice_not_over",
            Self::SeatsAtWork(_) => "seats_at_work",
            Self::NoSeat(_) => "no_seat",
            Self::AlreadyDone => "already_done",
            Self::NothingCommitted => "nothing_committed",
            Self::CommitmentMismatch(_) => "commitment_mismatch",
            Self::BatchIncomplete { .. } => "batch_incomplete",
            Self::PartOutOfOrder { .. } => "part_out_of_order",
            Self::NotAsked => "not_asked",
            Self::LeavesMissing => "leaves_missing",
            Self::NotForSale(refusal) => refusal.code(),
            Self::TermsChanged { .. } => "terms_changed",
            Self::PriceAboveMax { .. } => "price_above_max",
            Self::NotHolder(_) => "not_holder",
            Self::TooFewShares { .. } => "too_few_shares",
            Self::DrawPending => "draw_pending",
            Self::NothingOwed => "nothing_owed",
            Self::PaymentModeFixed => "payment_mode_fixed",
            Self::TermsBound => "terms_bound",
            Self::NoBallot => "no_ballot",
            Self::BallotStands => "ballot_stands",
            Self::SelfFunding { .. } => "self_funding",
            Self::FundAmount { .. } => "fund_amount",
            Self::FundParent(_) => "fund_parent",
            Self::FundMajority { .. } => "fund_majority",
            Self::TestSetUsed(_) => "test_set_used",
            Self::UnknownLicense(_) => "unknown_license",
            Self::NoRevenueShare => "no_revenue_share",
            Self::OtherPeriod { .. } => "other_period",
            Self::PeriodNotOver { .. } => "period_not_over",
            Self::AllDeclared(_) => "all_declared",
            Self::LicenseLapsed(_) => "license_lapsed",
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::OtherNetwork(_) => "check which network the node serves, and sign for that one",
            Self::Nonce { .. } => "sign again with the next nonce",
            Self::Expired { .. } => "sign again with a later validity; check this machine's clock",
            Self::ValidTooLong { .. } => "sign again with a validity of at most a day",
            Self::FeeUnpayable { .. } | Self::InsufficientFunds { .. } => {
                "receive tokens first, or ask for less"
            }
            Self::ZeroAmount => "name an amount above zero",
            Self::Overflow => "use smaller amounts",
            Self::UnknownBounty(_) | Self::UnknownSubmission(_) | Self::UnknownAsset(_) => {
                "check the id; a record that was just sent may not be in a block yet"
            }
            Self::NotOwner(_) => "sign with the owner's key",
            Self::Terms(_) | Self::TermsNotCanonical => {
                "let the tools write the tags from one of the presets"
            }
            Self::PaymentMode => "add the tag 'Payment-Mode: Global-Distribution'",
            Self::OtherTerms => "take the licence tags from the bounty",
            Self::Derivation { .. } => "choose another parent, or other terms",
            Self::Stack(_) => "choose parents that ask for less",
            Self::ParentRequired(_) => "leave it out: it is counted already",
            Self::UnnamedParents { .. } => "drop such a parent, or one that asks for less",
            Self::Parents { .. } => "name each parent once, in ascending order",
            Self::WeightsDigest => "give the digest for a model, leave it out for a data set",
            Self::WeightsTaken(_) => "use the asset that is registered",
            Self::Shares { .. } => "divide 1,000,000 shares among the holders",
            Self::Benchmark(_) | Self::Schedule { .. } | Self::EvaluationFee { .. } => {
                "change the bounty as the message says and post it again"
            }
            Self::PoolTooSmall { .. } => {
                "put less at stake in this bounty, or wait until evaluators with more free stake have joined"
            }
            Self::Prepaid { .. } => "prepay for fewer submissions",
            Self::WrongPhase { phase, needed } if place(*phase) < place(*needed) => {
                "wait for that phase: the bounty's schedule says when it begins"
            }
            Self::WrongPhase { .. } | Self::BackingClosed { .. } => {
                "look at the bounty's schedule; what is over cannot be made up for"
            }
            Self::PhaseOver { .. } => "look at the bounty again after a few blocks",
            Self::Full { .. } => "choose another bounty, or wait until there is room",
            Self::HasSubmissions => "let it run: reward and bond follow the rules",
            Self::SealMismatch(_) => "reveal the key that this seal was made with, by its owner",
            Self::AlreadyRevealed | Self::AlreadyDone => "nothing has to be done",
            Self::StakeTooSmall { .. } => "stake more",
            Self::NotEvaluator(_) => "join the evaluators first",
            Self::NoticeNotOver { .. } => {
                "leave again when the notice is over; to stay after all, join with some more stake"
            }
            Self::SeatsAtWork(_) => {
                "let 'lode evaluate run' do what they owe, and leave again when those bounties have ended"
            }
            Self::NoSeat(_) => {
                "wait until this account is drawn: only seats of the committee can speak"
            }
            Self::NothingCommitted => "commit in the score phase first",
            Self::CommitmentMismatch(_) => "reveal exactly what was committed",
            Self::BatchIncomplete { .. } => {
                "attest every submission that is asked for, once, in order"
            }
            Self::PartOutOfOrder { .. } => "reveal the parts one after the other",
            Self::NotAsked => "nothing has to be done",
            Self::DrawPending => "try again after the next block",
            Self::LeavesMissing => "publish the prediction leaves and name them in the reveal",
            Self::NotForSale(refusal) => refusal.next_step(),
            Self::TermsChanged { .. } => "read the asset's terms again and name their id",
            Self::PriceAboveMax { .. } => "allow the higher price, or do not buy",
            Self::NotHolder(_) | Self::NothingOwed => "look at who holds the asset's shares",
            Self::TooFewShares { .. } => "move fewer shares",
            Self::PaymentModeFixed => "vote for terms with the asset's own 'Payment-Mode'",
            Self::TermsBound => "nothing has to be done, or vote for terms that do not pass on",
            Self::NoBallot | Self::BallotStands => "nothing has to be done",
            Self::SelfFunding { .. } => "set less aside",
            Self::FundAmount { .. } => "change what the fund pays, or the reward",
            Self::FundParent(_) => "name it as a parent, or let the sponsor pay the whole reward",
            Self::FundMajority { .. } => "hold half of its shares, or pay the whole reward",
            Self::TestSetUsed(_) => "seal a new test set",
            Self::UnknownLicense(_) => "name the record that bought the licence",
            Self::NoRevenueShare => "declare nothing: it is paid for in advance",
            Self::OtherPeriod { .. } => "declare the months one after the other",
            Self::PeriodNotOver { .. } => "wait until the month is over",
            Self::AllDeclared(_) => "declare nothing more",
            Self::LicenseLapsed(_) => "buy another licence",
        }
    }
}

/// Where a phase stands in a bounty's course.
const fn place(phase: Phase) -> u8 {
    match phase {
        Phase::Open => 0,
        Phase::TestKey => 1,
        Phase::TestCheck => 2,
        Phase::Reveal => 3,
        Phase::Score => 4,
        Phase::ScoreReveal => 5,
        Phase::Challenge => 6,
        Phase::Settled | Phase::Void(_) => 7,
    }
}

impl From<TermsError> for Rejection {
    fn from(error: TermsError) -> Self {
        Self::Terms(error)
    }
}

impl From<StackError> for Rejection {
    fn from(error: StackError) -> Self {
        Self::Stack(error)
    }
}

impl From<BenchmarkError> for Rejection {
    fn from(error: BenchmarkError) -> Self {
        Self::Benchmark(error)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::NotForSale(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::receipt::VoidReason;

    #[test]
    fn who_is_too_early_is_told_to_wait() {
        let void = Phase::Void(VoidReason::NoQuorum);
        for (phase, needed, waits) in [
            (Phase::Open, Phase::Reveal, true),
            (Phase::TestCheck, Phase::Reveal, true),
            (Phase::Score, Phase::Reveal, false),
            (Phase::Settled, Phase::Open, false),
            (void, Phase::Reveal, false),
        ] {
            let rejection = Rejection::WrongPhase { phase, needed };
            assert_eq!(
                rejection.next_step().starts_with("wait"),
                waits,
                "{phase:?}"
            );
        }
        let early = Rejection::WrongPhase {
            phase: Phase::TestKey,
            needed: Phase::Reveal,
        };
        let text = "the bounty is in the phase 'test_key', this belongs to 'reveal'";
        assert_eq!(early.to_string(), text);
    }
}
