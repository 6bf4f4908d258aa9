//! The story itself, act by act. Every record is signed by its own key, every
//! model is really trained, every score really computed.

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
use super::story::{Story, grouped, lode_text, short};
use super::world::{PHASE_MS, World, endowment, lode};
use crate::failure::Failure;
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
            None => format!("{what} {}", short(id)),
        };
        match purse {
            Purse::Account(address) => self.world.name_of(address),
            Purse::Reward(_) => "the bounty's reward".into(),
            Purse::SponsorBond(_) => "the sponsor's bond".into(),
            Purse::MinerBond(id) => of_submission("bond", id),
            Purse::EvaluationFee(id) => of_submission("evaluation fee", id),
            Purse::Seat(address) => format!("{}'s stake", self.world.name_of(address)),
            Purse::Income(asset) => format!("income of '{}'", self.asset_name(asset)),
            Purse::Burned => "burned".into(),
        }
    }

    /// An asset's name.
    pub fn asset_name(&self, id: ItemId) -> String {
        self.world
            .state()
            .asset(id)
            .map_or_else(|| short(id), |asset| asset.name.to_string())
    }

    fn cast(&mut self) -> Result<(), Failure> {
        self.story.say(
            "Lode is an open market for model training. This is one bounty from beginning to end, on \
             this machine: the models are trained, the scores computed and the records signed for \
             real; only the people, their money and the clock are made up. Money is in LODE. Every \
             record also pays 0.000001 LODE a byte, which is burned: the tables leave that out, the \
             balances at the end have it.",
        );
        self.story.act("Who plays");
        let rows = CAST
            .iter()
            .map(|&(who, name, part)| vec![name.into(), part.into(), lode_text(endowment(who))])
            .collect();
        self.story
            .table(&["name", "part", "begins with"], &[2], rows);
        for who in Who::HONEST.into_iter().chain([Who::Liar]) {
            let body = JoinEvaluators { stake: lode(1_000) };
            self.world.send(who, &Action::JoinEvaluators { body })?;
        }
        self.world.applied_block()?;
        self.story.say(
            "Ada, Emil, Ines and Loki join the evaluators with 1,000 LODE each at stake. A score counts \
             when three of the four agree on it to the last bit: that is their quorum.",
        );
        Ok(())
    }

    fn lineage(&mut self) -> Result<(), Failure> {
        self.story.act("Data and a base model, with terms");
        let train_dir = self.person(Who::DataOwner).join("data");
        let test_dir = self.test_dir();
        let (train_rows, test_rows) = lab::write_data(&train_dir, &test_dir, &data_terms())?;
        let register = |kind, title: &str, archive, weights_digest, parents| RegisterAsset {
            kind,
            name: name(title),
            archive,
            weights_digest,
            parents,
            holders: Vec::new(),
        };
        let archive = hold_folder(&train_dir, &self.world.blobs)?;
        let body = register(
            AssetKind::DataSet,
            "Digits, training rows",
            archive,
            None,
            Vec::new(),
        );
        let terms = data_terms().to_tags();
        self.data = self
            .world
            .send(Who::DataOwner, &Action::RegisterAsset { terms, body })?;
        self.world.applied_block()?;
        self.story.say(&format!(
            "Dora registers {} labelled images. Boris trains a base model on them and \
             registers it, with Dora's data as its parent. Both write their terms as tags of the \
             Universal Data License:",
            grouped(&train_rows.to_string())
        ));

        let base_dir = lab::model_dir(self.dir, Who::BaseOwner.name());
        let trained = lab::train("Boris", BASE, self.seed, &train_dir, None, &base_dir)?;
        let archive = hold_folder(&base_dir, &self.world.blobs)?;
        let digest = Some(trained.weights_digest);
        let body = register(
            AssetKind::Model,
            "Digits base",
            archive,
            digest,
            vec![self.data],
        );
        let terms = base_terms().to_tags();
        self.base = self
            .world
            .send(Who::BaseOwner, &Action::RegisterAsset { terms, body })?;
        self.world.applied_block()?;
        let mut rows = Vec::new();
        for (title, terms) in [
            ("Dora's data", data_terms()),
            ("Boris's base", base_terms()),
        ] {
            for (place, sentence) in terms.sentences().into_iter().enumerate() {
                rows.push(vec![
                    if place == 0 {
                        title.to_owned()
                    } else {
                        String::new()
                    },
                    sentence,
                ]);
            }
        }
        self.story
            .table(&["asset", "what its terms say"], &[], rows);
        self.story.say(&format!(
            "Sofia keeps {test_rows} other images to herself: the rows whose index is divisible by \
             five. They will be the test."
        ));
        Ok(())
    }

    fn stakes(&mut self) -> Result<(), Failure> {
        self.story.act("The bounty");
        let test_dir = self.test_dir();
        let nonce = self.world.next_nonce(Who::Sponsor);
        let network = self.world.state().network();
        let scope = SealScope::test_set(network, self.world.address(Who::Sponsor), nonce);
        let (key, seal_nonce) = self.world.secrets.seal(Who::Sponsor);
        let test_set = seal_folder(&test_dir, &scope, &key, seal_nonce, &self.world.blobs)?;
        let parents = [(self.data, true), (self.base, false)];
        let mut parents = parents.map(|(asset, required)| NamedParent { asset, required });
        parents.sort_by_key(|parent| parent.asset);
        let tags = model_terms().to_tags();
        let posting = PostBounty {
            title: name("Read handwritten digits"),
            benchmark: lab::benchmark(),
            test_set,
            reward: lode(5_000),
            reserve: Score(900_000_000),
            margin: 2_000_000,
            evaluation_fee: lode(3),
            schedule: Schedule {
                open_ms: PHASE_MS,
                test_key_ms: PHASE_MS,
                test_check_ms: PHASE_MS,
                reveal_ms: PHASE_MS,
                score_ms: PHASE_MS,
                score_reveal_ms: PHASE_MS,
                challenge_ms: PHASE_MS,
            },
            model_terms: tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
            parents: parents.to_vec(),
            split: RoyaltySplit {
                miner: 600_000,
                sponsor: 200_000,
                backers: 200_000,
            },
        };
        let body = Box::new(posting);
        self.bounty = self
            .world
            .send(Who::Sponsor, &Action::PostBounty { body })?;
        let mut receipts = self.world.applied_block()?;
        let body = BackBounty {
            amount: lode(2_000),
        };
        self.world.send(
            Who::Backer,
            &Action::BackBounty {
                bounty: self.bounty,
                body,
            },
        )?;
        receipts.extend(self.world.applied_block()?);
        self.story.say(
            "Sofia seals her test images: she encrypts them under a fresh key and commits to key and \
             ciphertext, so that nobody can look at them and she cannot change them. Then she posts the \
             bounty, and Ben adds to the reward.",
        );
        let rows = self.moves(&receipts);
        self.story.table(&["from", "to", "LODE", "why"], &[2], rows);
        self.story.say(
            "Best score takes all: at least 0.90 accuracy (the reserve), and a newcomer must beat the \
             best before it by more than 0.002 (the margin). The winning model has 1,000,000 royalty \
             shares: 60 % go to its miner, 20 % to Sofia, 20 % to the backers. That, and that the model \
             exists in the open, is what the reward buys; for use in business Sofia too needs a licence.",
        );
        self.story
            .say("What can go wrong, and what it costs Sofia and Ben:");
        let risks = [
            (
                "nobody submits, or Sofia cancels before anyone does",
                "nothing: all returns",
            ),
            (
                "nobody reaches 0.90",
                "nothing: reward, stake and bond return",
            ),
            (
                "too few evaluators answer",
                "nothing: all returns, to the miners too",
            ),
            (
                "somebody reaches it",
                "the reward and Ben's stake go to the winner",
            ),
            (
                "Sofia's key is out too early, or not at all, or opens rubbish",
                "her bond of 1,000: half burned, half to the miners up to what they put up; \
                 reward and stake return",
            ),
        ];
        let rows = risks.map(|(what, cost)| vec![what.to_owned(), cost.to_owned()]);
        self.story.table(&["if", "it costs"], &[], rows.to_vec());
        self.story
            .say("The model, whoever makes it, will be under these terms:");
        let rows = model_terms()
            .sentences()
            .into_iter()
            .map(|sentence| vec![sentence]);
        self.story
            .table(&["what the bounty's terms say"], &[], rows.collect());
        self.story.say(
            "Sofia looks at the reward as a price for a model under terms of her choice, Ben as a bet on \
             what it will earn: neither is promised the money back.",
        );
        Ok(())
    }

    fn submit(&mut self) -> Result<(), Failure> {
        self.story.act("The miners train, and commit sealed models");
        let train_dir = self.person(Who::DataOwner).join("data");
        let base_dir = lab::model_dir(self.dir, Who::BaseOwner.name());
        let mut rows = Vec::new();
        for (who, recipe, base) in [
            (Who::FineTuner, FINE_TUNE, Some(base_dir.as_path())),
            (Who::Scratch, SCRATCH, None),
        ] {
            let out = lab::model_dir(self.dir, who.name());
            let trained = lab::train(who.name(), recipe, self.seed, &train_dir, base, &out)?;
            let scope = SealScope::submission(
                self.world.state().network(),
                self.bounty,
                self.world.address(who),
            );
            let (key, seal_nonce) = self.world.secrets.seal(who);
            let sealed = seal_folder(&out, &scope, &key, seal_nonce, &self.world.blobs)?;
            self.commit(
                who,
                sealed,
                if base.is_some() {
                    vec![self.base]
                } else {
                    Vec::new()
                },
            )?;
            rows.push(vec![
                who.name().to_owned(),
                if base.is_some() {
                    "Boris's base".into()
                } else {
                    "scratch".to_owned()
                },
                grouped(&trained.config.parameters().to_string()),
                trained.epochs.to_string(),
                short(trained.weights_digest),
            ]);
        }
        let header = ["miner", "from", "parameters", "epochs", "weights digest"];
        self.story.table(&header, &[2, 3], rows);
        let mira = self.submissions[&Who::FineTuner];
        let (_, submission) = self.world.state().submission(mira).expect("just committed");
        let stolen = submission.sealed;
        self.commit(Who::Copier, stolen, vec![self.base])?;
        self.story.say(
            "Each model is encrypted, the ciphertext held by the node, and its seal committed: a hash \
             of owner, key and ciphertext. Each miner pays a fee of 3 LODE to the evaluators and puts \
             up a bond of 50. Cory has trained nothing: he commits Mira's ciphertext and Mira's seal \
             as his own.",
        );
        Ok(())
    }

    fn commit(
        &mut self,
        who: Who,
        sealed: SealedFolder,
        parents: Vec<ItemId>,
    ) -> Result<(), Failure> {
        let title = format!("Digits by {}", who.name());
        let body = CommitSubmission {
            name: name(&title),
            sealed,
            parents,
        };
        let terms = model_terms().to_tags();
        let action = Action::CommitSubmission {
            bounty: self.bounty,
            terms,
            body,
        };
        let id = self.world.send(who, &action)?;
        self.world.applied_block()?;
        self.submissions.insert(who, id);
        Ok(())
    }

    fn reveal(&mut self) -> Result<(), Failure> {
        self.story
            .act("The keys come out: first the test's, then the miners'");
        self.world.pass_deadline()?;
        let (key, _) = self.world.secrets.seal(Who::Sponsor);
        let body = RevealTestSet { key: key.clone() };
        self.world.send(
            Who::Sponsor,
            &Action::RevealTestSet {
                bounty: self.bounty,
                body,
            },
        )?;
        self.world.applied_block()?;
        self.world.pass_deadline()?;
        let (bounty, _) = self.world.state().bounty(self.bounty).expect("posted");
        let test_set = bounty.posting.test_set;
        for who in Who::HONEST.into_iter().chain([Who::Liar]) {
            let dir = self.person(who).join("test-set");
            let outcome = match open_folder(&test_set, &key, &self.world.blobs, &dir) {
                Ok(()) => {
                    evaluator::check_test_set(&lab::benchmark(), &dir)
                        .map_err(Failure::bug)?
                        .0
                }
                Err(error) => error.test_outcome()?,
            };
            let body = AttestTestSet { outcome };
            self.world.send(
                who,
                &Action::AttestTestSet {
                    bounty: self.bounty,
                    body,
                },
            )?;
        }
        self.world.applied_block()?;
        self.world.pass_deadline()?;
        self.story.say(
            "Submissions are closed, so Sofia reveals her key. All four evaluators open the test set \
             and find it well formed. Had she kept the key, or sealed rubbish, the bounty would be void \
             at the cost of her bond, with nobody's weights shown.",
        );
        for who in [Who::FineTuner, Who::Scratch] {
            let (key, _) = self.world.secrets.seal(who);
            let body = RevealSubmission {
                submission: self.submissions[&who],
                key,
            };
            self.world.send(
                who,
                &Action::RevealSubmission {
                    bounty: self.bounty,
                    body,
                },
            )?;
            self.world.applied_block()?;
        }
        let (stolen_key, _) = self.world.secrets.seal(Who::FineTuner);
        let body = RevealSubmission {
            submission: self.submissions[&Who::Copier],
            key: stolen_key,
        };
        let action = Action::RevealSubmission {
            bounty: self.bounty,
            body,
        };
        let attempt = self.world.send(Who::Copier, &action)?;
        self.world.block()?;
        let code = self
            .world
            .receipt_of(attempt)
            .and_then(|receipt| receipt.rejected.clone());
        self.story.say(&format!(
            "Mira and Milo reveal their keys. Now Mira's key is on the log, and Cory sends it as the key \
             of his copy. The ledger answers '{}': the seal binds its owner, and no key makes Mira's \
             seal Cory's. When the time to reveal is over he is out. Half of his bond is burned, half \
             goes to Sofia, whose bounty he held up; his fee comes back, because nobody worked for it.",
            code.ok_or_else(|| Failure::bug("the copier's reveal was not rejected"))?
        ));
        let receipts = self.world.pass_deadline()?;
        let rows = self.moves(&receipts);
        self.story.table(&["from", "to", "LODE", "why"], &[2], rows);
        Ok(())
    }

    fn score(&mut self) -> Result<(), Failure> {
        self.story.act("Every evaluator scores every model");
        let revealed: Vec<(Who, ItemId)> = [Who::FineTuner, Who::Scratch]
            .map(|who| (who, self.submissions[&who]))
            .to_vec();
        let mut batches = BTreeMap::new();
        let mut rows = Vec::new();
        let mut lie = None;
        for (place, who) in Who::HONEST.into_iter().chain([Who::Liar]).enumerate() {
            let test_dir = self.person(who).join("test-set");
            let mut attestations = Vec::new();
            let mut leaves = Vec::new();
            for &(miner, submission) in &revealed {
                let model_dir = self.person(who).join(miner.name());
                let (_, row) = self
                    .world
                    .state()
                    .submission(submission)
                    .expect("committed");
                let (sealed, key) = (row.sealed, row.key.expect("revealed"));
                let key = protocol::seal::SealKey::from_bytes(key);
                if let Err(error) = open_folder(&sealed, &key, &self.world.blobs, &model_dir) {
                    let outcome = error.submission_outcome()?;
                    attestations.push(Attestation {
                        submission,
                        outcome,
                    });
                    continue;
                }
                let mut report = lab::evaluate(&model_dir, &test_dir, lab::habits(place))?;
                if who == Who::Liar && miner == Who::Scratch {
                    let honest = report.clone();
                    report = lab::falsify(&honest, &test_dir)?;
                    lie = Some((honest, report.clone(), model_dir.clone(), test_dir.clone()));
                }
                let out = self.person(who).join("reports").join(miner.name());
                report.write(&out).map_err(Failure::bug)?;
                if let Outcome::Scored {
                    score,
                    predictions_root,
                    ..
                } = &report.outcome
                {
                    rows.push(vec![
                        who.name().to_owned(),
                        miner.name().to_owned(),
                        score.to_string(),
                        short(predictions_root),
                    ]);
                }
                leaves.extend(report.leaves_bytes());
                attestations.push(Attestation {
                    submission,
                    outcome: report.outcome.clone(),
                });
                if who != Who::Liar {
                    self.reports.insert(submission, report);
                }
            }
            let leaves = self
                .world
                .blobs
                .put(&leaves[..])
                .map_err(sealing::blob_failure)?;
            let salt: Digest = self.world.secrets.salt(who);
            let body = RevealAttestations {
                salt,
                attestations,
                leaves: Some(leaves),
            };
            let commitment = attestation_commitment(self.bounty, self.world.address(who), &body);
            let commit = CommitAttestations { commitment };
            let action = Action::CommitAttestations {
                bounty: self.bounty,
                body: commit,
            };
            self.world.send(who, &action)?;
            batches.insert(who, body);
        }
        self.world.applied_block()?;
        self.world.pass_deadline()?;
        for (who, body) in batches {
            self.world.send(
                who,
                &Action::RevealAttestations {
                    bounty: self.bounty,
                    body,
                },
            )?;
        }
        self.world.applied_block()?;
        self.world.pass_deadline()?;
        self.story.say(
            "Evaluators commit to their results before anyone shows them. Ada runs one image at a time \
             on one thread, Emil seven at a time on two, Ines 256 at a time: none of it may change a bit, \
             because every operation is defined to the bit. The predictions root covers every output \
             of the model for every image.",
        );
        self.story.table(
            &["evaluator", "model", "accuracy", "predictions root"],
            &[2],
            rows,
        );
        let (honest, lie, model, test) = lie.ok_or_else(|| Failure::bug("nobody lied"))?;
        if let Some((ours, theirs, again)) = lab::dispute(&honest, &lie, &model, &test)? {
            let agrees = if again == ours && again != theirs {
                "Ada's bits"
            } else {
                "nobody's bits"
            };
            self.story.say(&format!(
                "Loki reports a better score for Milo than the others. He stands alone, so the quorum's \
                 result counts, and he is paid nothing for Milo's. He is paid for Mira's, where he told the \
                 truth, and keeps his stake: nobody is punished by a majority alone. But the lie is \
                 easy to show: of the {} test images his published outputs first differ from Ada's at \
                 image {}; computing that one image again gives {agrees}.",
                honest.leaves.len(),
                ours.index + 1
            ));
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Failure> {
        self.story.act("Settlement, by the clock");
        let receipts = self.world.pass_deadline()?;
        let (_, progress) = self.world.state().bounty(self.bounty).expect("posted");
        if progress.phase != Phase::Settled {
            return Err(Failure::bug(format_args!(
                "the bounty is {:?}",
                progress.phase
            )));
        }
        let mut rows = Vec::new();
        for submission in self.world.state().submissions(self.bounty) {
            let miner = self.world.name_of(submission.miner);
            let score = match &submission.verdict {
                Some(Outcome::Scored { score, .. }) => score.to_string(),
                _ => "–".into(),
            };
            let standing = submission
                .standing
                .ok_or_else(|| Failure::bug("no standing"))?;
            rows.push(vec![miner, score, why(standing).to_owned()]);
        }
        self.story
            .table(&["miner", "accuracy", "standing, and why"], &[1], rows);
        let rows = self.moves(&receipts);
        self.story.table(&["from", "to", "LODE", "why"], &[2], rows);
        let winner = self.winner()?;
        let title = self.asset_name(winner);
        self.story.say(&format!(
            "'{title}' is now an asset under the bounty's terms, and its royalty shares are divided as \
             the bounty said. The other model is registered too, with all its shares in its miner's \
             hands."
        ));
        let rows = self
            .world
            .state()
            .holdings(winner)
            .map(|(holder, holding)| {
                vec![
                    self.world.name_of(holder),
                    grouped(&holding.shares.to_string()),
                ]
            });
        let rows: Vec<_> = rows.collect();
        self.story.table(
            &[&format!("holder of '{title}'"), "royalty shares"],
            &[1],
            rows,
        );
        Ok(())
    }

    /// The submission that won.
    fn winner(&self) -> Result<ItemId, Failure> {
        let mut submissions = self.world.state().submissions(self.bounty);
        let winner = submissions.find(|row| row.standing == Some(Standing::Won));
        winner
            .map(|row| row.id)
            .ok_or_else(|| Failure::bug("nobody won"))
    }

    fn license(&mut self) -> Result<(), Failure> {
        self.story.act("A company buys a licence");
        let asset = self.winner()?;
        let row = self
            .world
            .state()
            .asset(asset)
            .ok_or_else(|| Failure::bug("no winning model"))?;
        let ancestors: Vec<String> = row
            .stack
            .entries()
            .iter()
            .map(|(ancestor, share)| format!("'{}' ({share})", self.asset_name(*ancestor)))
            .collect();
        let (terms, grant) = (row.terms.clone(), Grant::CommercialUse);
        let price = terms.quote(grant).map_err(Failure::bug)?.price;
        let body = BuyLicense {
            grant,
            terms: terms.id(),
            price_max: price,
        };
        let id = self
            .world
            .send(Who::Licensee, &Action::BuyLicense { asset, body })?;
        let receipts = self.world.applied_block()?;
        self.story.say(&format!(
            "Studying the model is free; Lumen wants to use it in business, which by the model's terms \
             costs one payment of {} LODE. Lumen names these terms and that price; one record takes the \
             payment, divides it and is the licence:",
            lode_text(price)
        ));
        self.write_license(id, &terms, price)?;
        let rows = self.moves(&receipts);
        self.story.table(&["from", "to", "LODE", "why"], &[2], rows);
        self.story.say(&format!(
            "The model descends from {}; these shares come first, of the whole price. The rest is \
             income of its holders. Lumen's copy of the licence is in people/Lumen/license.txt.",
            ancestors.join(" and from ")
        ));
        Ok(())
    }

    /// Leaves the licensee a copy to read; the record on the log is the licence.
    fn write_license(&self, id: ItemId, terms: &Terms, price: Amount) -> Result<(), Failure> {
        let state = self.world.state();
        let license = state
            .license(id)
            .ok_or_else(|| Failure::bug("no licence was sold"))?;
        let tags: Vec<String> = terms
            .to_tags()
            .iter()
            .map(|tag| format!("  {}: {}", tag.name, tag.value))
            .collect();
        let text = format!(
            "Licence    {id}\nModel      {} ({})\nLicensee   {} ({})\nGrant      {}\n\
             Paid       {} LODE\nTerms      {}\nOn the log network {}, block {}\n\n\
             What the terms say\n  {}\n\nThe terms as tags of the Universal Data License\n{}\n",
            self.asset_name(license.asset),
            license.asset,
            self.world.name_of(license.licensee),
            license.licensee,
            license.grant.name(),
            lode_text(price),
            license.terms,
            state.network(),
            license.height,
            terms.sentences().join("\n  "),
            tags.join("\n"),
        );
        let dir = self.person(Who::Licensee);
        let path = dir.join("license.txt");
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Failure::io(&path, &error))
    }

    fn claim(&mut self) -> Result<(), Failure> {
        self.story.act("Everyone claims");
        let assets = [self.winner()?, self.base, self.data];
        let mut rows = Vec::new();
        for asset in assets {
            for (who, name, _) in CAST {
                let owed = self.world.state().owed(asset, self.world.address(who));
                if owed.is_zero() {
                    continue;
                }
                self.world.send(who, &Action::ClaimRoyalty { asset })?;
                self.claimed.insert((asset, who), owed);
                rows.push(vec![
                    name.to_owned(),
                    self.asset_name(asset),
                    lode_text(owed),
                ]);
            }
        }
        self.world.applied_block()?;
        self.story
            .table(&["holder", "asset", "LODE claimed"], &[2], rows);
        Ok(())
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
        Rule::Dust => "remainder",
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
