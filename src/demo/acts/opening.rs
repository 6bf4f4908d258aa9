//! Acts 1 to 3: who plays, data and base with their terms, the bounty.

use super::*;

impl Play<'_> {
    pub(super) fn cast(&mut self) -> Result<(), Failure> {
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
            let body = JoinEvaluators { stake: lode(5_000) };
            self.world.send(who, &Action::JoinEvaluators { body })?;
        }
        self.world.applied_block()?;
        self.story.say(
            "Ada, Emil, Ines, Otto and Loki join the evaluators with 5,000 LODE each at stake. A bounty \
             draws five seats among the evaluators by stake, and each seat locks half of what the bounty \
             pays. A score counts when four of the five agree on it to the last bit: that is their quorum.",
        );
        Ok(())
    }

    pub(super) fn lineage(&mut self) -> Result<(), Failure> {
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
            self_funding_ppm: 0,
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

    pub(super) fn stakes(&mut self) -> Result<(), Failure> {
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
            pay: Pay::WinnerTakesAll,
            evaluation_fee: lode(5),
            prepaid: 0,
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
            self_funding_ppm: 0,
            fund: None,
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
}
