//! Acts 4 to 7: sealed models, keys, scores, settlement.

use super::*;

impl Play<'_> {
    pub(super) fn submit(&mut self) -> Result<(), Failure> {
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
                out::short(trained.weights_digest),
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
             of owner, key and ciphertext. Each miner pays a fee of 5 LODE to the evaluators and puts \
             up a bond of 50. Cory has trained nothing: he commits Mira's ciphertext and Mira's seal \
             as his own.",
        );
        Ok(())
    }

    pub(super) fn commit(
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

    pub(super) fn reveal(&mut self) -> Result<(), Failure> {
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
            "Submissions are closed: all five evaluators are drawn for the check, and Sofia reveals her key. They open the test \
             set and find it well formed. Had she kept the key, or sealed rubbish, the bounty would be void \
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

    pub(super) fn score(&mut self) -> Result<(), Failure> {
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
                        out::short(predictions_root),
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
            let mut parts = RevealAttestations::batch(salt, &attestations, Some(leaves));
            self.words.insert(who, attestations);
            let body = parts.pop().expect("two submissions make one part");
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

    pub(super) fn settle(&mut self) -> Result<(), Failure> {
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
    pub(super) fn winner(&self) -> Result<ItemId, Failure> {
        let mut submissions = self.world.state().submissions(self.bounty);
        let winner = submissions.find(|row| row.standing == Some(Standing::Won));
        winner
            .map(|row| row.id)
            .ok_or_else(|| Failure::bug("nobody won"))
    }
}
