//! The story itself, act by act. Every record is signed by its own key, every
//! model is really trained, every score really computed.

mod contest;
mod income;
mod opening;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evaluator::Report;
use licensing::{CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Percent, Terms};
use protocol::receipt::{Move, Phase, Purse, Receipt, Rule, Standing};
use protocol::record::*;
use protocol::report::Outcome;
use protocol::seal::SealScope;
use protocol::text::Name;
use protocol::{Amount, Digest, ItemId, Score};

use super::cast::{CAST, Who};
use super::lab;
use super::story::{Story, grouped, lode_text};
use super::world::{PHASE_MS, World, endowment, lode};
use crate::failure::Failure;
use crate::out;
use crate::sealing::{self, hold_folder, open_folder, seal_folder};

const BASE: &str = include_str!("../../examples/digits/base.toml");
const FINE_TUNE: &str = include_str!("../../examples/digits/fine-tune.toml");
const SCRATCH: &str = include_str!("../../examples/digits/scratch.toml");

/// Everything that the acts hand on to each other.
pub struct Play<'a> {
    /// The chain, the blobs, the keys.
    pub world: World,
    /// What is told.
    pub story: Story,
    /// The folder to look at afterwards.
    pub dir: &'a Path,
    /// The demo's seed.
    pub seed: u64,
    /// The training data.
    pub data: ItemId,
    /// The base model.
    pub base: ItemId,
    /// The bounty.
    pub bounty: ItemId,
    /// The submissions, by miner.
    pub submissions: BTreeMap<Who, ItemId>,
    /// One honest report a scored submission.
    pub reports: BTreeMap<ItemId, Report>,
    /// What each evaluator revealed.
    pub words: BTreeMap<Who, Vec<Attestation>>,
    /// What each holder claimed, by asset.
    pub claimed: BTreeMap<(ItemId, Who), Amount>,
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

fn percent(text: &str) -> Percent {
    text.parse().expect("a percentage")
}

fn fee(count: u64) -> Fee {
    Fee::new(lode(count)).expect("above zero")
}

/// Free to train on; whoever earns with the model shares 5 % of it.
fn data_terms() -> Terms {
    Terms {
        derivation: Some(Derivation::RevenueShare(percent("5%"))),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// Free to build on; whoever earns with what is built shares 10 % of it.
fn base_terms() -> Terms {
    Terms {
        derivation: Some(Derivation::RevenueShare(percent("10%"))),
        commercial_use: Some(CommercialUse::FeeOneTime(fee(300))),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

/// Free to study; business pays once.
fn model_terms() -> Terms {
    Terms {
        derivation: Some(Derivation::RevenueShare(percent("10%"))),
        commercial_use: Some(CommercialUse::FeeOneTime(fee(1_200))),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    }
}

impl<'a> Play<'a> {
    /// The curtain rises on an empty network in `dir`.
    pub fn new(dir: &'a Path, seed: u64, story: Story) -> Result<Self, Failure> {
        let nothing = ItemId([0; 32]);
        Ok(Self {
            world: World::new(dir, seed)?,
            story,
            dir,
            seed,
            data: nothing,
            base: nothing,
            bounty: nothing,
            submissions: BTreeMap::new(),
            reports: BTreeMap::new(),
            words: BTreeMap::new(),
            claimed: BTreeMap::new(),
        })
    }

    /// Plays it from the first stake to the last claim.
    pub fn perform(&mut self) -> Result<(), Failure> {
        self.cast()?;
        self.lineage()?;
        self.stakes()?;
        self.submit()?;
        self.reveal()?;
        self.score()?;
        self.settle()?;
        self.license()?;
        self.claim()
    }

    fn person(&self, who: Who) -> PathBuf {
        self.dir.join("people").join(who.name())
    }

    fn test_dir(&self) -> PathBuf {
        self.person(Who::Sponsor).join("test-set")
    }

    /// The rows of a table of movements of money.
    fn moves<'r>(&self, receipts: impl IntoIterator<Item = &'r Receipt>) -> Vec<Vec<String>> {
        let moves = receipts.into_iter().flat_map(|receipt| &receipt.moves);
        let told = moves.filter(|step| step.rule != Rule::ByteFee);
        told.map(|step| {
            vec![
                self.purse(step.from),
                self.purse(step.to),
                lode_text(step.amount),
                reason(step).to_owned(),
            ]
        })
        .collect()
    }

    /// A purse in words.
    pub fn purse(&self, purse: Purse) -> String {
        let of_submission = |what: &str, id: ItemId| match self.world.state().submission(id) {
            Some((_, submission)) => {
                format!(
                    "{what} of {}'s submission",
                    self.world.name_of(submission.miner)
                )
            }
            None => format!("{what} {}", out::short(id)),
        };
        match purse {
            Purse::Account(address) => self.world.name_of(address),
            Purse::Reward(_) => "the bounty's reward".into(),
            Purse::SponsorBond(_) => "the sponsor's bond".into(),
            Purse::MinerBond(id) => of_submission("bond", id),
            Purse::EvaluationFee(id) => of_submission("evaluation fee", id),
            Purse::PrepaidFees(_) => "the sponsor's prepaid fees".into(),
            Purse::Stake(address) => format!("{}'s stake", self.world.name_of(address)),
            Purse::Seat(_, address) => format!("{}'s seat", self.world.name_of(address)),
            Purse::Harm(_) => "what waits for the harmed".into(),
            Purse::Deposit(_) => "deposit".into(),
            Purse::Income(asset) => format!("income of '{}'", self.asset_name(asset)),
            Purse::Escrow(asset, _) => format!("months to come of '{}'", self.asset_name(asset)),
            Purse::Burned => "burned".into(),
            Purse::Fund(asset) => format!("fund of '{}'", self.asset_name(asset)),
        }
    }

    /// An asset's name.
    pub fn asset_name(&self, id: ItemId) -> String {
        self.world
            .state()
            .asset(id)
            .map_or_else(|| out::short(id), |asset| asset.name.to_string())
    }
}

/// A rule in words.
fn reason(step: &Move) -> &'static str {
    match step.rule {
        Rule::ByteFee => "fee for the record's bytes",
        Rule::Transfer => "transfer",
        Rule::Reward => "reward, put up",
        Rule::Backing => "stake, added to the reward",
        Rule::Bond => "bond, put up",
        Rule::EvaluationFee => "evaluation fee",
        Rule::Stake => "evaluator's stake",
        Rule::Unstake => "stake taken back",
        Rule::Award => "award: best score",
        Rule::Refund => "returned",
        Rule::BondReturn => "bond returned",
        Rule::EvaluationPay => "paid for evaluating",
        Rule::ForfeitBurned => "forfeited, half burned",
        Rule::ForfeitShared => "forfeited, to who was harmed",
        Rule::LicenseIncome => "to the model's holders",
        Rule::StackIncome => "ancestor's share of the price",
        Rule::Claim => "royalties claimed",
        Rule::PrepaidFees => "evaluation fees, put up",
        Rule::Deposit => "deposit for state",
        Rule::DepositReturn => "deposit returned",
        Rule::SeatLock => "locked by a seat",
        Rule::SeatReturn => "free again",
        Rule::ForfeitHeld => "forfeited, for who was harmed",
        Rule::RandomDistribution => "royalties, drawn",
        Rule::SelfFunding => "set aside for further rounds",
        Rule::FundedReward => "reward, out of a fund",
        Rule::FundReturn => "back to the fund",
        Rule::Escrow => "months to come",
    }
}

/// A standing in words, with its reason.
pub fn why(standing: Standing) -> &'static str {
    match standing {
        Standing::Won => "won: the best score, above the reserve",
        Standing::Lost => "lost: a better one, or an earlier one as good, takes all",
        Standing::Copied(_) => "out: the weights of an earlier model",
        Standing::NotRevealed => "out: never opened the seal; a copied seal has no key that fits",
        Standing::BadSeal => "out: the key does not open the ciphertext",
        Standing::Invalid => "out: breaks the benchmark's rules",
        Standing::NoVerdict => "no quorum, nobody's fault",
    }
}
