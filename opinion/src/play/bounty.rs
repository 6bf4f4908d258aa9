//! What people do in a bounty, from the posting to the last part of a batch.

use super::*;

impl<L: Ledger> Play<L> {
    pub(super) fn post(&mut self, who: u8, shape: u16, terms: u16) -> Result<(), String> {
        let body = self.posting(who % 4, shape, terms);
        self.post_body(who % 4, body)
    }

    pub(super) fn post_body(&mut self, who: u8, body: PostBounty) -> Result<(), String> {
        let body = Box::new(body);
        self.send(who, Action::PostBounty { body }).map(|_| ())
    }

    pub(super) fn test_key_of(who: Address, nonce: u64) -> SealKey {
        SealKey::from_bytes(hash("test key", &[&who.0, &nonce.to_le_bytes()]))
    }

    pub(super) fn posting(&self, who: u8, shape: u16, terms_shape: u16) -> PostBounty {
        let sponsor = person(who);
        let nonce = self.model.nonce(sponsor);
        let scope = SealScope::test_set(self.model.network, sponsor, nonce);
        let key = Self::test_key_of(sponsor, nonce);
        let blob = hash("test set", &[&sponsor.0, &nonce.to_le_bytes()]);
        let pick = |what: &str, of: &[u64]| of[usize::from(choice(shape, what)) % of.len()];
        let price = self.model.parameters.evaluation_price.base_units();
        let multiply_adds_max = 1_000_000;
        let benchmark = benchmark(multiply_adds_max);
        let counted = benchmark.counted_cost() * price;
        let least = (counted.div_ceil(1_000_000_000) * 5).max(31);
        let mut parents: Vec<NamedParent> = Vec::new();
        for what in ["first parent", "second parent"] {
            let how = choice(terms_shape, what);
            if how & 3 != 0
                && let Some(asset) = self.asset((how >> 2) as u8 & 31)
                && parents.iter().all(|parent| parent.asset != asset)
            {
                let required = how & 3 == 1;
                parents.push(NamedParent { asset, required });
            }
        }
        let fund = match choice(shape, "fund") & 3 {
            0 => None,
            how => self.fund(sponsor, how),
        };
        if let Some(fund) = &fund
            && choice(shape, "parent of the fund") & 7 != 0
            && parents.iter().all(|parent| parent.asset != fund.asset)
        {
            let asset = fund.asset;
            parents.push(NamedParent {
                asset,
                required: false,
            });
        }
        parents.sort_by_key(|parent| parent.asset);
        let splits = [
            (600_000, 300_000, 100_000),
            (500_000, 250_001, 249_999),
            (1_000_000, 0, 0),
            (0, 1_000_000, 0),
            (0, 0, 1_000_000),
            (700_000, 0, 300_000),
            (333_334, 333_333, 333_333),
            (900_000, 100_000, 0),
        ];
        let (miner, sponsor, backers) = splits[usize::from(choice(shape, "split") % 8)];
        let reserves = [300, -5, 300, i64::MIN, 900];
        let rewards = [10_000, 9_999, 24_001, 1, 10_000, 15_000, 60_000];
        PostBounty {
            title: name("digits"),
            benchmark,
            test_set: sealed(&scope, &key, &blob),
            reward: units(pick("reward", &rewards).into()),
            pay: match choice(shape, "pay") & 1 {
                0 => Pay::Steps,
                _ => Pay::WinnerTakesAll,
            },
            reserve: Score(reserves[usize::from(choice(shape, "reserve")) % reserves.len()]),
            margin: pick("margin", &[0, 10, 10, 100, u64::MAX, 1]),
            evaluation_fee: units(least + u128::from(pick("fee", &[0, 1, 2, 3]))),
            prepaid: pick("prepaid", &[0, 1, 2, 0, 5]) as u32,
            schedule: Schedule {
                open_ms: pick("open", &[3_000, 4_001, 1_000]),
                test_key_ms: pick("test key", &[400, 1_000]),
                test_check_ms: pick("test check", &[500, 900]),
                reveal_ms: pick("reveal", &[600, 1_500]),
                score_ms: pick("score", &[700, 1_100]),
                score_reveal_ms: pick("score reveal", &[800, 1_300]),
                challenge_ms: pick("challenge", &[900, 200]),
            },
            model_terms: pairs(terms(terms_shape).to_tags()),
            parents,
            split: RoyaltySplit {
                miner,
                sponsor,
                backers,
            },
            self_funding_ppm: match choice(terms_shape, "self-funding") & 31 {
                31 => 200_001,
                some => [0, 200_000, 33_333][usize::from(some % 3)],
            },
            fund,
        }
    }

    /// What a sponsor may take out of a fund, or a little more; of an asset that it
    /// holds half of, or, seldom, of another one.
    pub(super) fn fund(&self, sponsor: Address, how: u16) -> Option<FundPart> {
        let balance = |id: &ItemId| self.model.money.balance(Purse::Fund(*id));
        let full = self.model.assets.iter().filter(|(id, asset)| {
            let held = asset.holdings().get(&sponsor).copied().unwrap_or(0);
            (held >= 500_000 || how == 3 && held > 0) && balance(id) > 0.into()
        });
        let (&asset, _) = full.into_iter().next()?;
        let all = u128::try_from(balance(&asset)).expect("not below zero");
        let amount = units(match how {
            1 => all.min(999),
            2 => all.min(24_001),
            _ => all + 1,
        });
        Some(FundPart { asset, amount })
    }

    pub(super) fn commit(&mut self, who: u8, bounty: ItemId, shape: u16) -> Result<(), String> {
        let miner = person(if shape & 3 == 0 { who } else { 12 + who % 6 });
        self.commit_as(miner, bounty, shape)
    }

    pub(super) fn commit_as(
        &mut self,
        miner: Address,
        bounty: ItemId,
        shape: u16,
    ) -> Result<(), String> {
        let posted = self.model.bounties.get(&bounty);
        let terms = match posted {
            Some(bounty) if shape >> 11 != 31 => bounty.terms.clone(),
            _ => terms(shape),
        };
        let named: Vec<ItemId> = posted
            .iter()
            .flat_map(|bounty| &bounty.body.parents)
            .filter(|parent| !parent.required)
            .map(|parent| parent.asset)
            .collect();
        let mut parents = Vec::new();
        if shape >> 2 & 3 == 1 {
            parents.extend(named);
        }
        if shape >> 4 & 3 == 1 {
            parents.extend(self.asset((shape >> 7) as u8));
        }
        parents.sort_unstable();
        parents.dedup();
        match choice(shape, "odd parents") & 31 {
            0 => parents.push(ItemId([u8::MAX; 32])),
            1 => parents.extend(parents.first().copied()),
            _ => {}
        }
        let nonce = self.model.nonce(miner).to_le_bytes();
        let key = SealKey::from_bytes(hash("key", &[&miner.0, &nonce]));
        let blob = hash("model", &[&miner.0, &nonce]);
        let scope = SealScope::submission(self.model.network, bounty, miner);
        let body = CommitSubmission {
            name: name("model"),
            sealed: sealed(&scope, &key, &blob),
            parents,
        };
        let id = self.record_id(miner, self.model.nonce(miner));
        let action = Action::CommitSubmission {
            bounty,
            terms: terms.to_tags(),
            body,
        };
        if self.send_as(miner, action, |_| {})? == Decision::Applied {
            self.keys.insert(id, key);
        }
        Ok(())
    }

    pub(super) fn test_key(&mut self, from: Address, bounty: ItemId) -> Result<(), String> {
        let key = match self.model.bounties.get(&bounty) {
            Some(bounty) => Self::test_key_of(bounty.sponsor, bounty.nonce),
            None => SealKey::from_bytes([1; 32]),
        };
        let body = RevealTestSet { key };
        self.send_as(from, Action::RevealTestSet { bounty, body }, |_| {})?;
        Ok(())
    }

    /// Those whose turn it is do what the phase asks.
    pub(super) fn proceed(&mut self, id: ItemId, mood: u8, shape: u16) -> Result<(), String> {
        let bounty = self.model.bounties[&id].clone();
        if bounty.draw.is_some() {
            return self.wait(1 + u64::from(shape & 3));
        }
        match bounty.phase {
            Phase::Open => {
                if bounty.submissions.len() < usize::from(1 + id.0[0] % 4) {
                    return self.commit(mood, id, shape);
                }
            }
            Phase::TestKey => {
                if mood < 235 {
                    self.test_key(bounty.sponsor, id)?;
                }
            }
            Phase::TestCheck => self.say(id, &bounty, mood, shape)?,
            Phase::Reveal => {
                for (number, submission) in bounty.submissions.iter().enumerate() {
                    let keeps = mood >= 220 && (mood as usize + number).is_multiple_of(2);
                    if !submission.is_revealed && !keeps {
                        let key = self.keys[&submission.id].clone();
                        self.reveal(submission.miner, id, submission.id, key)?;
                    }
                }
            }
            Phase::Score => self.commit_batches(id, &bounty, mood, shape)?,
            Phase::ScoreReveal => self.reveal_batches(id, &bounty, mood, shape)?,
            Phase::Challenge | Phase::Settled | Phase::Void(_) => {}
        }
        match self.first_bounty() {
            Some(first) if first == id && shape >> 8 & 3 != 3 => self.wait_for_deadline(),
            _ => Ok(()),
        }
    }

    pub(super) fn reveal(
        &mut self,
        miner: Address,
        bounty: ItemId,
        submission: ItemId,
        key: SealKey,
    ) -> Result<(), String> {
        let body = RevealSubmission { submission, key };
        self.send_as(miner, Action::RevealSubmission { bounty, body }, |_| {})?;
        Ok(())
    }

    /// How seat `number` behaves today: most are honest most of the time.
    pub(super) fn conduct(mood: u8, shape: u16, number: usize, seats: usize) -> Conduct {
        let odd = |bits: u16| match (shape ^ bits.wrapping_mul(0x9e37)) >> 4 & 3 {
            0 => Conduct::Silent,
            1 => Conduct::Lies,
            2 => Conduct::Unavailable,
            _ => Conduct::Withholds,
        };
        match mood {
            0..=129 => Conduct::Honest,
            130..=189 if number == usize::from(shape) % seats => odd(0),
            130..=189 => Conduct::Honest,
            190..=219 if (usize::from(shape) >> number) & 1 == 1 => odd(number as u16),
            190..=219 => Conduct::Honest,
            220..=234 => Conduct::Unavailable,
            235..=239 => Conduct::Silent,
            240..=249 if number.is_multiple_of(2) => Conduct::Lies,
            240..=249 => Conduct::Honest,
            _ => odd(number as u16),
        }
    }

    pub(super) fn say(
        &mut self,
        id: ItemId,
        bounty: &Bounty,
        mood: u8,
        shape: u16,
    ) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Check) else {
            return Ok(());
        };
        let truth = id.0[1] >= 30;
        let bad = TestOutcome::BadSeal {
            code: code("chunk"),
            place: code(if shape & 1 == 0 { "0" } else { "1" }),
        };
        let asked: Vec<&Seat> = seats
            .standing()
            .filter(|seat| matches!(seat.said, None | Some(TestOutcome::Unavailable)))
            .collect();
        for (number, seat) in asked.iter().enumerate() {
            let is_ok = match Self::conduct(mood, shape, number, asked.len()) {
                Conduct::Honest => Some(truth),
                Conduct::Lies => Some(!truth),
                Conduct::Unavailable => None,
                Conduct::Silent | Conduct::Withholds => continue,
            };
            let outcome = match is_ok {
                Some(true) => TestOutcome::Ok,
                Some(false) => bad.clone(),
                None => TestOutcome::Unavailable,
            };
            let body = AttestTestSet { outcome };
            let action = Action::AttestTestSet { bounty: id, body };
            self.send_as(seat.who, action, |_| {})?;
        }
        Ok(())
    }

    /// What is true of a submission.
    pub(super) fn truth(submission: ItemId) -> Outcome {
        let [kind, score, weights, ..] = submission.0;
        let weights = match weights {
            0..=90 => vec![weights % 3],
            _ => submission.0.to_vec(),
        };
        match kind {
            0..=199 => Outcome::Scored {
                score: Score([250, 300, 310, 311, 400, 650, 900, 1_000][usize::from(score % 8)]),
                weights_digest: Digest(hash("weights", &[&weights])),
                predictions_root: Digest(hash("predictions", &[&weights])),
            },
            200..=224 => Outcome::Invalid {
                code: code("nan_output"),
                place: code("example 3"),
            },
            225..=249 => Outcome::BadSeal { chunk: 0 },
            _ => Outcome::Unavailable,
        }
    }

    /// The batch that a seat would hand in, part by part.
    pub(super) fn batch(
        who: Address,
        undecided: &[ItemId],
        conduct: Conduct,
        shape: u16,
    ) -> Vec<RevealAttestations> {
        let word = |(place, submission): (usize, &ItemId)| {
            let truth = Self::truth(*submission);
            let outcome = match conduct {
                Conduct::Lies if shape >> 6 & 1 == 0 || place == 0 => Outcome::Scored {
                    score: Score(5_000 + i64::from(shape >> 7 & 1) * i64::from(who.0[0])),
                    weights_digest: Digest(hash("lie", &[&submission.0])),
                    predictions_root: Digest([7; 32]),
                },
                Conduct::Unavailable if shape >> 6 & 3 == 0 || place == 0 => Outcome::Unavailable,
                _ => truth,
            };
            Attestation {
                submission: *submission,
                outcome,
            }
        };
        let attestations: Vec<Attestation> = undecided.iter().enumerate().map(word).collect();
        let leaves = (shape >> 9 & 15 != 0).then(|| BlobRef {
            id: BlobId(hash("leaves", &[&who.0])),
            size_bytes: 100,
        });
        let salt = Digest(hash("salt", &[&who.0]));
        RevealAttestations::batch(salt, &attestations, leaves)
    }

    pub(super) fn commit_batches(
        &mut self,
        id: ItemId,
        bounty: &Bounty,
        mood: u8,
        shape: u16,
    ) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Score) else {
            return Ok(());
        };
        let undecided = bounty.undecided();
        let asked: Vec<&Seat> = seats
            .seats
            .iter()
            .filter(|seat| seats.is_asked(seat, &undecided) && seat.batch(seats.round).is_none())
            .collect();
        for (number, seat) in asked.iter().enumerate() {
            let conduct = Self::conduct(mood, shape, number, asked.len());
            let is_weary = seats.round > 0 && mood.is_multiple_of(4);
            if conduct == Conduct::Silent || is_weary {
                continue;
            }
            let batch = Self::batch(seat.who, &undecided, conduct, shape);
            let commitment = attestation_commitment(id, seat.who, &batch[0]);
            let body = CommitAttestations { commitment };
            let action = Action::CommitAttestations { bounty: id, body };
            self.send_as(seat.who, action, |_| {})?;
            self.batches.insert((id, seat.who, seats.round), batch);
        }
        Ok(())
    }

    pub(super) fn reveal_batches(
        &mut self,
        id: ItemId,
        bounty: &Bounty,
        mood: u8,
        shape: u16,
    ) -> Result<(), String> {
        let Some(seats) = bounty.panel(Panel::Score) else {
            return Ok(());
        };
        for (number, seat) in seats.seats.iter().enumerate() {
            let conduct = Self::conduct(mood, shape, number, seats.seats.len());
            let Some(batch) = seat.batch(seats.round).filter(|batch| !batch.is_whole) else {
                continue;
            };
            let Some(parts) = self.batches.get(&(id, seat.who, seats.round)).cloned() else {
                continue;
            };
            let shown = match conduct {
                // Of several parts all but the last.
                Conduct::Withholds => parts.len() - 1,
                Conduct::Silent => 0,
                Conduct::Honest | Conduct::Lies | Conduct::Unavailable => parts.len(),
            };
            for body in parts.into_iter().take(shown).skip(batch.parts) {
                let action = Action::RevealAttestations { bounty: id, body };
                self.send_as(seat.who, action, |_| {})?;
            }
        }
        Ok(())
    }
}

/// How a seat behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    Silent,
    Lies,
    Unavailable,
    Withholds,
}
