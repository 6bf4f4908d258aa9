//! What a record can ask for: one body type a record type.
//!
//! Amounts are decimal strings of base units, scores integers in billionths,
//! times milliseconds, ids base64url.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::{RECORD_BYTES_MAX, RecordError, read_body};
use crate::amount::Amount;
use crate::ans104::Tag;
use crate::benchmark::Benchmark;
use crate::id::{Address, BlobId, Digest, ItemId};
use crate::json;
use crate::report::{Outcome, TestOutcome};
use crate::score::Score;
use crate::text::{Name, excerpt};

/// Royalty shares of one asset: whole and transferable.
pub const SHARES_PER_ASSET: u32 = 1_000_000;

/// The most parents an asset or a bounty may name.
pub const PARENTS_MAX: usize = 16;

/// The most that an asset may set aside of each income, in millionths.
pub const SELF_FUNDING_PPM_MAX: u32 = 200_000;

/// The most holders an asset may be registered with.
pub const HOLDERS_MAX: usize = 64;

/// Attestations in one part of a revealed batch; the last part may have fewer.
pub const ATTESTATIONS_PER_PART: usize = 500;

/// What a record asks the ledger to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Moves tokens to another account.
    Transfer {
        /// The recipient.
        to: Address,
        /// How much.
        body: Transfer,
    },
    /// Registers a data set or a model that exists already, under UDL terms.
    RegisterAsset {
        /// The terms, as tags.
        terms: Vec<Tag>,
        /// What it is.
        body: RegisterAsset,
    },
    /// Posts a bounty with its reward and bond.
    PostBounty {
        /// The bounty.
        body: Box<PostBounty>,
    },
    /// Adds stake to a bounty's reward.
    BackBounty {
        /// The bounty.
        bounty: ItemId,
        /// How much.
        body: BackBounty,
    },
    /// Takes a bounty back before the first submission.
    CancelBounty {
        /// The bounty.
        bounty: ItemId,
    },
    /// Commits a sealed model folder.
    CommitSubmission {
        /// The bounty.
        bounty: ItemId,
        /// The terms the model will be under: the bounty's, as tags.
        terms: Vec<Tag>,
        /// The seal, its ciphertext, and the parents used.
        body: CommitSubmission,
    },
    /// Reveals the key of a bounty's test set.
    RevealTestSet {
        /// The bounty.
        bounty: ItemId,
        /// The key.
        body: RevealTestSet,
    },
    /// An evaluator's word on a test set.
    AttestTestSet {
        /// The bounty.
        bounty: ItemId,
        /// What it found.
        body: AttestTestSet,
    },
    /// Reveals the key of a submission.
    RevealSubmission {
        /// The bounty.
        bounty: ItemId,
        /// Which, and the key.
        body: RevealSubmission,
    },
    /// Stakes tokens and joins the evaluators.
    JoinEvaluators {
        /// The stake.
        body: JoinEvaluators,
    },
    /// Leaves the evaluators and takes the stake back.
    LeaveEvaluators,
    /// Commits a batch of attestations.
    CommitAttestations {
        /// The bounty.
        bounty: ItemId,
        /// The commitment.
        body: CommitAttestations,
    },
    /// Reveals a committed batch of attestations.
    RevealAttestations {
        /// The bounty.
        bounty: ItemId,
        /// Salt and batch.
        body: RevealAttestations,
    },
    /// Buys a licence.
    BuyLicense {
        /// The asset.
        asset: ItemId,
        /// Which grant, under which terms, for how much at most, for how long.
        body: BuyLicense,
    },
    /// Pays out what an asset's income owes to the signer.
    ClaimRoyalty {
        /// The asset.
        asset: ItemId,
    },
    /// Moves royalty shares to another account.
    TransferShares {
        /// The asset.
        asset: ItemId,
        /// To whom, how many.
        body: TransferShares,
    },
    /// A holder's word on the terms that an asset should be under.
    VoteTerms {
        /// The asset.
        asset: ItemId,
        /// The terms, as tags; those in force take the ballot back.
        terms: Vec<Tag>,
    },
    /// Declares what a month of a licence for a share of revenue earned, and pays the share.
    DeclareRevenue {
        /// The licence.
        license: ItemId,
        /// Which month, how much.
        body: DeclareRevenue,
    },
}

/// Body of `transfer`; the target is the recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// How much, above zero.
    pub amount: Amount,
}

/// What an asset is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// Weights.
    Model,
    /// Data.
    DataSet,
}

impl AssetKind {
    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::DataSet => "data_set",
        }
    }
}

/// A blob by name and size.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct BlobRef {
    /// BLAKE3 root of its bytes.
    pub id: BlobId,
    /// How many bytes.
    pub size_bytes: u64,
}

/// An account's part of an asset's royalty shares.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Who.
    pub account: Address,
    /// How many of [`SHARES_PER_ASSET`].
    pub shares: u32,
}

/// Body of `register-asset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterAsset {
    /// Model or data set.
    pub kind: AssetKind,
    /// What people call it.
    pub name: Name,
    /// The canonical archive of its folder.
    pub archive: BlobRef,
    /// A model's weights digest; a data set has none.
    pub weights_digest: Option<Digest>,
    /// What it was made from; at most [`PARENTS_MAX`].
    pub parents: Vec<ItemId>,
    /// Who holds its shares; empty: the signer holds all. At most [`HOLDERS_MAX`].
    pub holders: Vec<Holder>,
    /// What it sets aside of each income for further rounds, in millionths; at most
    /// [`SELF_FUNDING_PPM_MAX`]. Left out if it is nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub self_funding_ppm: u32,
}

/// A number that stands for nothing is not written, so that records without it are as they always were.
const fn is_nothing(number: &u32) -> bool {
    *number == 0
}

/// A sealed folder: what binds owner, key and ciphertext, and where the ciphertext is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct SealedFolder {
    /// The seal (see [`crate::seal`]).
    pub seal: Digest,
    /// The ciphertext.
    pub ciphertext: BlobRef,
}

/// How long each phase of a bounty takes, in milliseconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Submissions are committed; backers may join in its first half.
    pub open_ms: u64,
    /// The sponsor reveals the test key.
    pub test_key_ms: u64,
    /// The committee attests that the test set opens and is well formed.
    pub test_check_ms: u64,
    /// Miners reveal their keys.
    pub reveal_ms: u64,
    /// Evaluators commit their attestations.
    pub score_ms: u64,
    /// Evaluators reveal them.
    pub score_reveal_ms: u64,
    /// Between the verdicts and settlement.
    pub challenge_ms: u64,
}

/// A parent that submissions to a bounty are made from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct NamedParent {
    /// The asset.
    pub asset: ItemId,
    /// Whether every submission has it (a training set), or may have it (a base model).
    pub required: bool,
}

/// Who holds the shares of an awarded model; the three make [`SHARES_PER_ASSET`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct RoyaltySplit {
    /// Who submitted it.
    pub miner: u32,
    /// The sponsor's.
    pub sponsor: u32,
    /// The backers', in proportion to their stakes; the sponsor's if there are none.
    pub backers: u32,
}

/// How reward and backings are paid out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Pay {
    /// All to the best; within the margin, to the earlier.
    WinnerTakesAll,
    /// To each that improves on the best so far by more than the margin, in proportion to its step.
    Steps,
}

impl Pay {
    /// The name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WinnerTakesAll => "winner_takes_all",
            Self::Steps => "steps",
        }
    }
}

/// Body of `post-bounty`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct PostBounty {
    /// What people call it.
    pub title: Name,
    /// How submissions are scored.
    pub benchmark: Benchmark,
    /// The sealed test set.
    pub test_set: SealedFolder,
    /// What the sponsor pays for the best models.
    pub reward: Amount,
    /// How reward and backings are paid out.
    pub pay: Pay,
    /// A score below it wins nothing.
    pub reserve: Score,
    /// A newcomer is better only by more than so many billionths.
    pub margin: u64,
    /// What each submission pays to the committee.
    pub evaluation_fee: Amount,
    /// For how many submissions, the first ones, the sponsor puts up that fee.
    pub prepaid: u32,
    /// The phases.
    pub schedule: Schedule,
    /// The UDL terms of every model submitted, as [name, value] pairs in canonical order.
    pub model_terms: Vec<(String, String)>,
    /// What submissions are made from; at most [`PARENTS_MAX`].
    pub parents: Vec<NamedParent>,
    /// Who holds the shares of an awarded model.
    pub split: RoyaltySplit,
    /// What every model submitted sets aside of each income for further rounds, in
    /// millionths; at most [`SELF_FUNDING_PPM_MAX`]. Left out if it is nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub self_funding_ppm: u32,
    /// The part of the reward that a parent's fund pays; left out if the sponsor pays all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundPart>,
}

/// A part of a bounty's reward that comes out of what an asset has set aside.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct FundPart {
    /// The asset: a parent that the bounty names.
    pub asset: ItemId,
    /// How much, above zero and at most the reward.
    pub amount: Amount,
}

/// Body of `back-bounty`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackBounty {
    /// How much, above zero.
    pub amount: Amount,
}

/// Body of `commit-submission`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitSubmission {
    /// What people will call the model.
    pub name: Name,
    /// The sealed model folder.
    pub sealed: SealedFolder,
    /// What this model was made from, in ascending order, the bounty's required parents left out.
    /// Parents that the bounty does not name are paid from the miner's shares.
    pub parents: Vec<ItemId>,
}

/// Body of `reveal-test-set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealTestSet {
    /// The key of the seal.
    pub key: crate::seal::SealKey,
}

/// Body of `attest-test-set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestTestSet {
    /// What the evaluator found.
    pub outcome: TestOutcome,
}

/// Body of `reveal-submission`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealSubmission {
    /// The record that committed it.
    pub submission: ItemId,
    /// The key of the seal.
    pub key: crate::seal::SealKey,
}

/// Body of `join-evaluators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinEvaluators {
    /// The stake; added to one that is there.
    pub stake: Amount,
}

/// Body of `commit-attestations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitAttestations {
    /// [`attestation_commitment`] of the batch.
    pub commitment: Digest,
}

/// An evaluator's word on one submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The record that committed the submission.
    pub submission: ItemId,
    /// What the evaluator found.
    pub outcome: Outcome,
}

/// Body of `reveal-attestations`: one part of a committed batch.
///
/// A batch has one attestation for each submission at issue, in the order of
/// commitment, cut into parts of [`ATTESTATIONS_PER_PART`]. Parts are revealed in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealAttestations {
    /// The salt of the commitment.
    pub salt: Digest,
    /// [`part_digest`] of every part of the batch, in order.
    pub parts: Vec<Digest>,
    /// Which part this is, from 0.
    pub part: u32,
    /// The attestations of this part.
    pub attestations: Vec<Attestation>,
    /// The prediction leaves of all scored submissions of the batch, one file after the other.
    pub leaves: Option<BlobRef>,
}

impl RevealAttestations {
    /// A whole batch as its reveals, one a part. No attestations: no parts.
    pub fn batch(salt: Digest, attestations: &[Attestation], leaves: Option<BlobRef>) -> Vec<Self> {
        let cut: Vec<&[Attestation]> = attestations.chunks(ATTESTATIONS_PER_PART).collect();
        let parts: Vec<Digest> = cut.iter().map(|part| part_digest(part)).collect();
        let reveal = |(part, attestations): (usize, &&[Attestation])| Self {
            salt,
            parts: parts.clone(),
            part: u32::try_from(part).expect("a batch has few parts"),
            attestations: attestations.to_vec(),
            leaves,
        };
        cut.iter().enumerate().map(reveal).collect()
    }
}

/// The digest of one part of a batch: SHA-256 of `"lode/attestations/part/1"` and
/// the borsh encoding of its attestations.
pub fn part_digest(attestations: &[Attestation]) -> Digest {
    use sha2::{Digest as _, Sha256};
    let part = borsh::to_vec(attestations).expect("writing to memory");
    let mut hasher = Sha256::new();
    hasher.update(b"lode/attestations/part/1");
    hasher.update(part);
    Digest(hasher.finalize().into())
}

/// The commitment to a batch: SHA-256 of `"lode/attestations/2"`, the bounty
/// (32 bytes), the author (32), the salt (32) and the borsh encoding of
/// (parts, leaves). It binds bounty and author, so that copying it gains nothing.
pub fn attestation_commitment(
    bounty: ItemId,
    author: Address,
    body: &RevealAttestations,
) -> Digest {
    use sha2::{Digest as _, Sha256};
    let batch = borsh::to_vec(&(&body.parts, &body.leaves)).expect("writing to memory");
    let mut hasher = Sha256::new();
    hasher.update(b"lode/attestations/2");
    hasher.update(bounty.0);
    hasher.update(author.0);
    hasher.update(body.salt.0);
    hasher.update(batch);
    Digest(hasher.finalize().into())
}

/// A right that licence terms may grant, and that a licence can be bought for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// To download it.
    Access,
    /// To make something new from it.
    Derivation,
    /// To use it in or for a business.
    CommercialUse,
    /// To train a model on it or on its outputs.
    DataModelTraining,
}

impl Grant {
    /// Every grant, in the order of the licence's tags.
    pub const ALL: [Self; 4] = [
        Self::Access,
        Self::Derivation,
        Self::CommercialUse,
        Self::DataModelTraining,
    ];

    /// The stable name, as in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Derivation => "derivation",
            Self::CommercialUse => "commercial_use",
            Self::DataModelTraining => "data_model_training",
        }
    }
}

/// Body of `buy-license`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuyLicense {
    /// Which grant.
    pub grant: Grant,
    /// The id of the terms that the buyer read.
    pub terms: Digest,
    /// The most the buyer pays, for all months together.
    pub price_max: Amount,
    /// For how many months, where the terms ask for a fee a month; 0: for what is paid once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub months: u32,
}

/// What is not written: a record that buys for no months is as it always was.
const fn is_zero(months: &u32) -> bool {
    *months == 0
}

/// Body of `transfer-shares`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferShares {
    /// To whom.
    pub to: Address,
    /// How many, above zero.
    pub shares: u32,
}

/// Body of `declare-revenue`; the target is the licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclareRevenue {
    /// Which month, from 1: the first that is not declared.
    pub period: u32,
    /// What the licensee earned with the asset in it.
    pub revenue: Amount,
}

/// A body without fields: `{}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

impl Action {
    /// The value of the `Record-Type` tag.
    pub const fn record_type(&self) -> &'static str {
        match self {
            Self::Transfer { .. } => "transfer",
            Self::RegisterAsset { .. } => "register-asset",
            Self::PostBounty { .. } => "post-bounty",
            Self::BackBounty { .. } => "back-bounty",
            Self::CancelBounty { .. } => "cancel-bounty",
            Self::CommitSubmission { .. } => "commit-submission",
            Self::RevealTestSet { .. } => "reveal-test-set",
            Self::AttestTestSet { .. } => "attest-test-set",
            Self::RevealSubmission { .. } => "reveal-submission",
            Self::JoinEvaluators { .. } => "join-evaluators",
            Self::LeaveEvaluators => "leave-evaluators",
            Self::CommitAttestations { .. } => "commit-attestations",
            Self::RevealAttestations { .. } => "reveal-attestations",
            Self::BuyLicense { .. } => "buy-license",
            Self::ClaimRoyalty { .. } => "claim-royalty",
            Self::TransferShares { .. } => "transfer-shares",
            Self::VoteTerms { .. } => "vote-terms",
            Self::DeclareRevenue { .. } => "declare-revenue",
        }
    }

    /// The actor that the record addresses, if it is not the signer's own account.
    pub const fn target(&self) -> Option<[u8; 32]> {
        match self {
            Self::Transfer { to, .. } => Some(to.0),
            Self::BackBounty { bounty, .. }
            | Self::CancelBounty { bounty }
            | Self::CommitSubmission { bounty, .. }
            | Self::RevealTestSet { bounty, .. }
            | Self::AttestTestSet { bounty, .. }
            | Self::RevealSubmission { bounty, .. }
            | Self::CommitAttestations { bounty, .. }
            | Self::RevealAttestations { bounty, .. } => Some(bounty.0),
            Self::BuyLicense { asset, .. }
            | Self::ClaimRoyalty { asset }
            | Self::TransferShares { asset, .. }
            | Self::VoteTerms { asset, .. } => Some(asset.0),
            Self::DeclareRevenue { license, .. } => Some(license.0),
            Self::RegisterAsset { .. }
            | Self::PostBounty { .. }
            | Self::JoinEvaluators { .. }
            | Self::LeaveEvaluators => None,
        }
    }

    /// The licence tags that stand beside the envelope.
    pub fn terms(&self) -> &[Tag] {
        match self {
            Self::RegisterAsset { terms, .. }
            | Self::CommitSubmission { terms, .. }
            | Self::VoteTerms { terms, .. } => terms,
            _ => &[],
        }
    }

    /// The JSON body.
    pub fn body(&self) -> Vec<u8> {
        match self {
            Self::Transfer { body, .. } => json::to_vec(body),
            Self::RegisterAsset { body, .. } => json::to_vec(body),
            Self::PostBounty { body } => json::to_vec(body),
            Self::BackBounty { body, .. } => json::to_vec(body),
            Self::CommitSubmission { body, .. } => json::to_vec(body),
            Self::RevealTestSet { body, .. } => json::to_vec(body),
            Self::AttestTestSet { body, .. } => json::to_vec(body),
            Self::RevealSubmission { body, .. } => json::to_vec(body),
            Self::JoinEvaluators { body } => json::to_vec(body),
            Self::CommitAttestations { body, .. } => json::to_vec(body),
            Self::RevealAttestations { body, .. } => json::to_vec(body),
            Self::BuyLicense { body, .. } => json::to_vec(body),
            Self::TransferShares { body, .. } => json::to_vec(body),
            Self::DeclareRevenue { body, .. } => json::to_vec(body),
            Self::CancelBounty { .. }
            | Self::LeaveEvaluators
            | Self::ClaimRoyalty { .. }
            | Self::VoteTerms { .. } => json::to_vec(&Empty {}),
        }
    }

    /// Reads an action from its parts in an item.
    pub(super) fn read(
        record_type: &str,
        target: Option<[u8; 32]>,
        terms: Vec<Tag>,
        data: &[u8],
    ) -> Result<Self, RecordError> {
        let action = Self::read_parts(record_type, target, &terms, data)?;
        if let (Some(tag), false) = (terms.first(), action.carries_terms()) {
            return Err(RecordError::UnknownTag {
                record_type: action.record_type().to_owned(),
                tag: excerpt(&tag.name),
            });
        }
        if target.is_some() && action.target().is_none() {
            let why = "addresses its signer's own account, so it has no target";
            return Err(RecordError::Target {
                record_type: action.record_type(),
                why,
            });
        }
        Ok(action)
    }

    const fn carries_terms(&self) -> bool {
        matches!(
            self,
            Self::RegisterAsset { .. } | Self::CommitSubmission { .. } | Self::VoteTerms { .. }
        )
    }

    fn read_parts(
        record_type: &str,
        target: Option<[u8; 32]>,
        terms: &[Tag],
        data: &[u8],
    ) -> Result<Self, RecordError> {
        let need = |record_type: &'static str| {
            let why = "needs a target: the account, bounty or asset that it is for";
            target.ok_or(RecordError::Target { record_type, why })
        };
        let item = |record_type| need(record_type).map(ItemId);
        Ok(match record_type {
            "transfer" => Self::Transfer {
                to: Address(need("transfer")?),
                body: body("transfer", data)?,
            },
            "register-asset" => Self::RegisterAsset {
                terms: terms.to_vec(),
                body: body("register-asset", data)?,
            },
            "post-bounty" => Self::PostBounty {
                body: Box::new(body("post-bounty", data)?),
            },
            "back-bounty" => Self::BackBounty {
                bounty: item("back-bounty")?,
                body: body("back-bounty", data)?,
            },
            "cancel-bounty" => {
                body::<Empty>("cancel-bounty", data)?;
                Self::CancelBounty {
                    bounty: item("cancel-bounty")?,
                }
            }
            "commit-submission" => Self::CommitSubmission {
                bounty: item("commit-submission")?,
                terms: terms.to_vec(),
                body: body("commit-submission", data)?,
            },
            "reveal-test-set" => Self::RevealTestSet {
                bounty: item("reveal-test-set")?,
                body: body("reveal-test-set", data)?,
            },
            "attest-test-set" => Self::AttestTestSet {
                bounty: item("attest-test-set")?,
                body: body("attest-test-set", data)?,
            },
            "reveal-submission" => Self::RevealSubmission {
                bounty: item("reveal-submission")?,
                body: body("reveal-submission", data)?,
            },
            "join-evaluators" => Self::JoinEvaluators {
                body: body("join-evaluators", data)?,
            },
            "leave-evaluators" => {
                body::<Empty>("leave-evaluators", data)?;
                Self::LeaveEvaluators
            }
            "commit-attestations" => Self::CommitAttestations {
                bounty: item("commit-attestations")?,
                body: body("commit-attestations", data)?,
            },
            "reveal-attestations" => Self::RevealAttestations {
                bounty: item("reveal-attestations")?,
                body: body("reveal-attestations", data)?,
            },
            "buy-license" => Self::BuyLicense {
                asset: item("buy-license")?,
                body: body("buy-license", data)?,
            },
            "claim-royalty" => {
                body::<Empty>("claim-royalty", data)?;
                Self::ClaimRoyalty {
                    asset: item("claim-royalty")?,
                }
            }
            "transfer-shares" => Self::TransferShares {
                asset: item("transfer-shares")?,
                body: body("transfer-shares", data)?,
            },
            "vote-terms" => {
                body::<Empty>("vote-terms", data)?;
                Self::VoteTerms {
                    asset: item("vote-terms")?,
                    terms: terms.to_vec(),
                }
            }
            "declare-revenue" => Self::DeclareRevenue {
                license: item("declare-revenue")?,
                body: body("declare-revenue", data)?,
            },
            unknown => {
                return Err(RecordError::UnknownType(excerpt(unknown)));
            }
        })
    }
}

fn body<T: serde::de::DeserializeOwned + Serialize>(
    record_type: &'static str,
    data: &[u8],
) -> Result<T, RecordError> {
    read_body(record_type, data, RECORD_BYTES_MAX)
}
