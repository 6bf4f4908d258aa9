//! Accounts, bounties, assets and licences, as the API shows them.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::id::{Address, Digest, ItemId};
use crate::receipt::{LicenseStanding, Phase, Standing};
use crate::record::{AssetKind, BlobRef, Grant, Holder, PostBounty, RoyaltySplit, SealedFolder};
use crate::report::{Outcome, TestOutcome};
use crate::score::Score;
use crate::seal::SealKey;
use crate::text::Name;

/// `GET /v1/accounts/{address}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Whose.
    pub address: Address,
    /// What can be spent.
    pub balance: Amount,
    /// The nonce of the next record, by the log.
    pub nonce: u64,
    /// The nonce of the next record, if all that waits in the mempool is included.
    pub next_nonce: u64,
    /// The evaluator's stake, if this is one.
    pub evaluator: Option<EvaluatorView>,
}

/// An entry of `GET /v1/evaluators`, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatorView {
    /// Who.
    pub address: Address,
    /// The free stake, which a seat could lock.
    pub stake: Amount,
    /// What seats have locked.
    pub locked: Amount,
    /// How many seats that are.
    pub seats: u32,
    /// If it has said that it leaves: from when on it can have back what is free.
    pub leaves_ms: Option<u64>,
}

/// An entry of `GET /v1/bounties`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BountySummary {
    /// Its id: that of the record that posted it.
    pub id: ItemId,
    /// What people call it.
    pub title: Name,
    /// Who posted it.
    pub sponsor: Address,
    /// When.
    pub posted_ms: u64,
    /// Where it is.
    pub phase: Phase,
    /// When that phase ends; the time of the end once settled or void.
    pub until_ms: u64,
    /// What the winner gets: the sponsor's reward and all stakes.
    pub award: Amount,
    /// What submissions must score at least.
    pub reserve: Score,
    /// Submissions committed.
    pub submissions: u32,
    /// Of those, revealed.
    pub revealed: u32,
    /// Backers.
    pub backers: u32,
}

/// `GET /v1/bounties/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BountyView {
    /// What a list says of it.
    pub summary: BountySummary,
    /// What was posted.
    pub posting: PostBounty,
    /// The nonce of the posting, which the test set's seal names.
    pub poster_nonce: u64,
    /// The sponsor's bond.
    pub bond: Amount,
    /// The bond that each submission puts up.
    pub miner_bond: Amount,
    /// Until when backers may join.
    pub backing_until_ms: u64,
    /// The licence terms of every model submitted, in plain sentences.
    pub sentences: Vec<String>,
    /// The id of those terms.
    pub terms_id: Digest,
    /// The revealed key of the test set.
    pub test_key: Option<SealKey>,
    /// The submissions, in the order of commitment.
    pub submissions: Vec<SubmissionView>,
    /// The backers, in the order of their stakes.
    pub backings: Vec<BackingView>,
    /// What each seat of a panel locks; one of the round of all locks what it can forfeit of it.
    pub seat_stake: Amount,
    /// The panel at work, or the last one.
    pub panel: PanelView,
    /// The seats that check the test set, by address; empty before they are drawn.
    pub checks: Vec<CheckView>,
    /// The seats that score, by address; empty before they are drawn.
    pub seats: Vec<SeatView>,
    /// Whether the clock is at work on the bounty, which takes no records meanwhile.
    pub at_work: bool,
    /// Whether the state has forgotten the bounty: then this is what it was at its end.
    #[serde(default)]
    pub forgotten: bool,
}

/// How far a panel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelView {
    /// Its seats; 0 while none could be drawn.
    pub seats: u32,
    /// How many of them must agree; where all are asked, seats do not count, but what they weigh.
    pub quorum: u32,
    /// How often missing seats were drawn again.
    pub round: u8,
    /// Whether all evaluators are asked.
    pub all: bool,
    /// What they weigh together then, of which two thirds decide: base units of stake, or the places
    /// that were drawn among more than 64. Zero unless all are asked.
    pub weight: Amount,
}

/// A seat that checks the test set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Whose.
    pub evaluator: Address,
    /// Its word.
    pub word: Option<TestOutcome>,
    /// Whether it stayed silent.
    pub failed: bool,
    /// What its word weighs where all are asked, in the unit of [`PanelView::weight`].
    pub weight: Amount,
}

/// A submission; also `GET /v1/submissions/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionView {
    /// The record that committed it; the model's id once registered.
    pub id: ItemId,
    /// Its bounty.
    pub bounty: ItemId,
    /// Who.
    pub miner: Address,
    /// What people call the model.
    pub name: Name,
    /// The sealed folder.
    pub sealed: SealedFolder,
    /// What it was made from, the bounty's required parents included.
    pub parents: Vec<ItemId>,
    /// The height of the block it was committed in.
    pub height: u64,
    /// The revealed key.
    pub key: Option<SealKey>,
    /// What a quorum found.
    pub verdict: Option<Outcome>,
    /// How it stood when the bounty settled.
    pub standing: Option<Standing>,
    /// Whether the sponsor has paid its evaluation fee.
    pub prepaid: bool,
    /// By how many billionths it improved on the best so far, in a bounty paid by steps.
    pub gain: u64,
    /// What it was awarded.
    #[serde(default)]
    pub award: Amount,
    /// What the seats say of it, by address, until it is settled.
    pub words: Vec<WordView>,
    /// How the shares of an awarded model were split when it was registered.
    #[serde(default)]
    pub split: Option<RoyaltySplit>,
    /// Who held the model when it was registered, by account; only in
    /// `GET /v1/submissions/{id}`, and empty if it became none.
    #[serde(default)]
    pub holders: Vec<Holder>,
}

/// A seat's word on a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordView {
    /// Whose seat.
    pub evaluator: Address,
    /// What it found.
    pub outcome: Outcome,
}

/// A backer's stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackingView {
    /// Who.
    pub account: Address,
    /// How much.
    pub amount: Amount,
}

/// A seat that scores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatView {
    /// Whose seat.
    pub evaluator: Address,
    /// Whether it is asked for a batch in this round.
    pub asked: bool,
    /// Its commitment to that batch.
    pub commitment: Option<Digest>,
    /// Parts of the batch that are revealed.
    pub parts: u32,
    /// Whether it has given a whole batch, in this round or before.
    pub given: bool,
    /// The published prediction leaves of its last batch.
    pub leaves: Option<BlobRef>,
    /// Whether it stayed silent, or did not reveal.
    pub failed: bool,
    /// What its word weighs where all are asked, in the unit of [`PanelView::weight`].
    pub weight: Amount,
}

/// An entry of `GET /v1/assets`, newest first, and `GET /v1/assets/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetView {
    /// Its id: that of the record that made it.
    pub id: ItemId,
    /// Model or data set.
    pub kind: AssetKind,
    /// What people call it.
    pub name: Name,
    /// Who made it.
    pub maker: Address,
    /// Its folder: an archive, or the ciphertext of one.
    pub blob: BlobRef,
    /// The key of that ciphertext; none: the blob is the archive itself.
    pub key: Option<SealKey>,
    /// A model's weights digest.
    pub weights_digest: Option<Digest>,
    /// The bounty it was made for.
    pub bounty: Option<ItemId>,
    /// What it was made from.
    pub parents: Vec<ItemId>,
    /// What its ancestors get of every income, as (ancestor, percent).
    pub stack: Vec<(ItemId, String)>,
    /// Its licence terms, as [name, value] tags in canonical order.
    pub terms: Vec<(String, String)>,
    /// The id of the terms.
    pub terms_id: Digest,
    /// The terms in plain sentences.
    pub sentences: Vec<String>,
    /// What can be bought now, in the order of [`Grant::ALL`].
    pub offers: Vec<Offer>,
    /// Everything it has earned, its ancestors' shares excluded.
    pub income: Amount,
    /// Of that, what nobody has claimed.
    pub unclaimed: Amount,
    /// What it sets aside of each income for further rounds, in millionths.
    #[serde(default)]
    pub self_funding_ppm: u32,
    /// What it has set aside and not spent.
    #[serde(default)]
    pub fund: Amount,
    /// The record that carries the terms: the asset's own, or a vote of its holders.
    pub terms_record: ItemId,
    /// Tighter terms that the holders voted for, and when they take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingTerms>,
}

/// Terms that an asset will be under, if the votes for them are there still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingTerms {
    /// The tags, in canonical order.
    pub terms: Vec<(String, String)>,
    /// The terms' id.
    pub terms_id: Digest,
    /// The terms in plain sentences.
    pub sentences: Vec<String>,
    /// When they take effect.
    pub at_ms: u64,
}

/// `GET /v1/assets/{id}/votes`: what the holders of an asset want it to be under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotesView {
    /// The asset.
    pub asset: ItemId,
    /// The id of the terms in force.
    pub terms_id: Digest,
    /// The record that carries them.
    pub terms_record: ItemId,
    /// How often the terms changed.
    pub epoch: u32,
    /// Tighter terms that wait for their time.
    pub pending: Option<PendingTerms>,
    /// The terms voted for, most shares first, then by id; at most 100.
    pub tallies: Vec<TallyView>,
}

/// All ballots for the same terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyView {
    /// The tags, in canonical order.
    pub terms: Vec<(String, String)>,
    /// The terms' id.
    pub terms_id: Digest,
    /// The terms in plain sentences.
    pub sentences: Vec<String>,
    /// The first vote for them.
    pub record: ItemId,
    /// The shares of those who voted for them.
    pub shares: u32,
    /// The shares that they need.
    pub needed: u32,
    /// Whether they loosen the terms in force, and so need no notice.
    pub loosens: bool,
}

/// A grant and its price, or why it has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What.
    pub grant: Grant,
    /// What it costs, once or for each month; none: it is not sold.
    pub price: Option<Amount>,
    /// For how many months at most it is sold at once; 0: it is paid once.
    #[serde(default)]
    pub months_max: u32,
    /// The share of the buyer's revenue that is owed beyond it, in percent, if one is.
    #[serde(default)]
    pub share: Option<String>,
    /// Why it is not sold: free, not granted, paid by a share.
    pub instead: Option<String>,
}

/// An entry of `GET /v1/assets/{id}/holders`, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderView {
    /// The asset.
    pub asset: ItemId,
    /// Who.
    pub account: Address,
    /// Royalty shares, of [`crate::record::SHARES_PER_ASSET`].
    pub shares: u32,
    /// What this holder could claim now.
    pub owed: Amount,
    /// The id of the terms that this holder has voted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<Digest>,
}

/// An entry of `GET /v1/licenses`, and `GET /v1/licenses/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseView {
    /// Its id: that of the record that bought it.
    pub id: ItemId,
    /// The asset.
    pub asset: ItemId,
    /// Who may use it.
    pub licensee: Address,
    /// For what.
    pub grant: Grant,
    /// Under which terms.
    pub terms: Digest,
    /// What was paid.
    pub price: Amount,
    /// The block it was bought in.
    pub height: u64,
    /// That block's time.
    pub time_ms: u64,
    /// For how many months it was bought, and until when they run; left out of what was paid once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<LicenseTerm>,
    /// How far those months have come; left out of a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<LicenseProgress>,
}

/// For how long a licence was bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseTerm {
    /// How many months.
    pub months: u32,
    /// What each of them costs.
    pub month_price: Amount,
    /// When the last of them is over.
    pub until_ms: u64,
    /// Whether a share of the revenue of each month is owed beyond that, and declared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owes_share: bool,
}

/// How far a licence that was bought for months has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseProgress {
    /// Months that have begun; what was paid for them is income.
    pub begun: u32,
    /// What was paid for those that have not.
    pub escrow: Amount,
    /// Whether it still runs.
    pub standing: LicenseStanding,
    /// What is to be declared next, if it is for a share of revenue and something is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declares: Option<NextDeclaration>,
}

/// Which month's revenue a licensee declares next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextDeclaration {
    /// Which month, from 1: so many less one are declared.
    pub period: u32,
    /// When it is over: from then on it can be declared.
    pub from_ms: u64,
    /// When the licence lapses if it is not.
    pub until_ms: u64,
    /// The share of it that is owed, the month's price in advance included, in billionths of a percent.
    pub share_billionths: u64,
}
