//! Statements: every unit of everyone adds up, on a node that plays, forgets and restarts.

use std::io::Cursor;

use client::blob_ref_of;
use licensing::{CommercialUse, Fee, PaymentMode, Terms};
use protocol::ans104::Tag;
use protocol::api::StatementView;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::*;
use protocol::seal::{SealKey, SealScope, seal_digest};
use protocol::statement::{Book, Subject};
use protocol::text::Name;
use protocol::{Amount, ItemId, Score};

use crate::support::{Choices, Served, address, lode, transfer_to};

const HOUR_MS: u64 = 3_600_000;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn priced(payment_mode: PaymentMode) -> Terms {
    Terms {
        commercial_use: Some(CommercialUse::FeeOneTime(Fee::new(lode(7)).unwrap())),
        payment_mode,
        ..Terms::default()
    }
}

/// People who send records in turn.
struct Play {
    served: Served,
    nonces: [u64; 8],
    ids: Vec<ItemId>,
}

impl Play {
    fn begin() -> Self {
        let parameters = Parameters {
            committee_min: 1,
            evaluator_stake_min: lode(10),
            ..Parameters::default()
        };
        Self {
            served: Served::with(Choices {
                parameters,
                ..Choices::default()
            }),
            nonces: [0; 8],
            ids: Vec::new(),
        }
    }

    fn send(&mut self, from: u8, action: &Action) -> ItemId {
        let now_ms = self.served.client.status().unwrap().clock_ms;
        let envelope = Envelope {
            network: self.served.network,
            nonce: self.nonces[usize::from(from)],
            valid_until_ms: now_ms + HOUR_MS,
        };
        self.nonces[usize::from(from)] += 1;
        let draft = Transaction::draft(&envelope, action);
        let item = draft.sign(&crate::support::key(from)).unwrap();
        let view = self.served.client.submit(&item).unwrap();
        assert!(view.is_applied(), "{view:?}");
        self.ids.push(item.id());
        item.id()
    }

    fn upload(&self, text: &str) -> BlobRef {
        let blob = blob_ref_of(text.as_bytes()).unwrap();
        let mut source = Cursor::new(text.as_bytes());
        let client = &self.served.client;
        client.upload(&mut source, blob, |_, _| {}).unwrap();
        blob
    }

    /// A sealed folder of this scope, whose key is lost.
    fn sealed(&self, scope: &SealScope, text: &str) -> SealedFolder {
        let ciphertext = self.upload(text);
        let key = SealKey::from_bytes([3; 32]);
        let seal = seal_digest(scope, &key, &ciphertext.id, ciphertext.size_bytes);
        SealedFolder { seal, ciphertext }
    }

    fn post(&mut self, from: u8) -> ItemId {
        let nonce = self.nonces[usize::from(from)];
        let scope = SealScope::test_set(self.served.network, address(from), nonce);
        let schedule = Schedule {
            open_ms: HOUR_MS,
            test_key_ms: HOUR_MS,
            test_check_ms: HOUR_MS,
            reveal_ms: HOUR_MS,
            score_ms: HOUR_MS,
            score_reveal_ms: HOUR_MS,
            challenge_ms: HOUR_MS,
        };
        let tags = priced(PaymentMode::GlobalDistribution).to_tags();
        let pair = |tag: &Tag| (tag.name.clone(), tag.value.clone());
        let body = PostBounty {
            title: name("withheld"),
            benchmark: Benchmark {
                arithmetic: ARITHMETIC_VERSION,
                task: Task::Classification { classes: 10 },
                inputs: 64,
                examples_max: 360,
                metric: Metric::Accuracy,
                limits: ModelLimits {
                    parameters_max: 1_000,
                    file_bytes_max: 1 << 20,
                    multiply_adds_max: 1_000,
                },
            },
            test_set: self.sealed(&scope, "test set"),
            reward: lode(100),
            pay: Pay::WinnerTakesAll,
            reserve: Score(0),
            margin: 0,
            evaluation_fee: lode(2),
            prepaid: 1,
            schedule,
            model_terms: tags.iter().map(pair).collect(),
            parents: Vec::new(),
            split: RoyaltySplit {
                miner: 600_000,
                sponsor: 300_000,
                backers: 100_000,
            },
        };
        let body = Box::new(body);
        self.send(from, &Action::PostBounty { body })
    }

    fn commit(&mut self, from: u8, bounty: ItemId, text: &str) -> ItemId {
        let scope = SealScope::submission(self.served.network, bounty, address(from));
        let action = Action::CommitSubmission {
            bounty,
            terms: priced(PaymentMode::GlobalDistribution).to_tags(),
            body: CommitSubmission {
                name: name(text),
                sealed: self.sealed(&scope, text),
                parents: Vec::new(),
            },
        };
        self.send(from, &action)
    }

    fn register(&mut self, from: u8, text: &str, payment_mode: PaymentMode) -> ItemId {
        let action = Action::RegisterAsset {
            terms: priced(payment_mode).to_tags(),
            body: RegisterAsset {
                kind: AssetKind::DataSet,
                name: name(text),
                archive: self.upload(text),
                weights_digest: None,
                parents: Vec::new(),
                holders: Vec::new(),
            },
        };
        self.send(from, &action)
    }

    fn buy(&mut self, from: u8, asset: ItemId) {
        let terms = self.served.client.asset(asset).unwrap().terms_id;
        let body = BuyLicense {
            grant: Grant::CommercialUse,
            terms,
            price_max: lode(7),
            months: 0,
        };
        self.send(from, &Action::BuyLicense { asset, body });
    }

    /// Everybody and everything, the records that locked no deposit too.
    fn subjects(&self) -> Vec<Subject> {
        let accounts = (0..10).map(|seed| Subject::Account(address(seed)));
        let ids = self.ids.iter();
        let ids = ids.flat_map(|&id| [Subject::Bounty(id), Subject::Asset(id)]);
        accounts.chain(ids).collect()
    }

    /// All statements add up: with the state, with their movements page by page.
    fn check(&self) -> Vec<StatementView> {
        let client = &self.served.client;
        let mut all = Vec::new();
        for subject in self.subjects() {
            let view = client.statement(&subject).unwrap();
            assert!(view.adds_up && view.compared_all, "{subject:?}: {view:?}");
            assert!(view.flaws.is_empty() && view.compared > 0);
            let pages = client.movements(&subject);
            let movements: Vec<_> = pages.collect::<Result<_, _>>().unwrap();
            let small = client.movements(&subject).page_size(3);
            assert_eq!(movements, small.collect::<Result<Vec<_>, _>>().unwrap());
            assert_eq!(view.movements, movements.len() as u64);
            let mut book = Book::default();
            for movement in &movements {
                book.add(&subject, &movement.step);
            }
            let kinds = view
                .purses
                .iter()
                .filter(|sum| !sum.paid_in.is_zero() || !sum.paid_out.is_zero());
            let kinds: Vec<_> = kinds.map(|sum| (sum.paid_in, sum.paid_out)).collect();
            let found = book.totals.kinds.values();
            let found: Vec<_> = found.map(|flow| (flow.paid_in, flow.paid_out)).collect();
            assert_eq!(kinds, found, "{subject:?}");
            let rules: Vec<_> = view
                .rules
                .iter()
                .map(|sum| (sum.rule, sum.paid_in))
                .collect();
            let found = book.totals.rules.iter();
            let found: Vec<_> = found.map(|(&rule, flow)| (rule, flow.paid_in)).collect();
            assert_eq!(rules, found, "{subject:?}");
            all.push(view);
        }
        all
    }

    fn left(&self, subject: Subject, kind: &str) -> Amount {
        let view = self.served.client.statement(&subject).unwrap();
        let sum = view.purses.into_iter().find(|sum| sum.kind == kind);
        sum.map_or(Amount::ZERO, |sum| sum.left)
    }

    fn again(mut self, without_database: bool) -> Self {
        self.served = match without_database {
            false => self.served.again(),
            true => self.served.again_without("state"),
        };
        self
    }
}

#[test]
fn every_statement_adds_up_and_a_forgotten_bounty_is_told_as_it_was() {
    let mut play = Play::begin();
    let join = Action::JoinEvaluators {
        body: JoinEvaluators { stake: lode(500) },
    };
    play.send(1, &join);
    let bounty = play.post(2);
    let back = Action::BackBounty {
        bounty,
        body: BackBounty { amount: lode(10) },
    };
    play.send(3, &back);
    let submissions = [
        play.commit(4, bounty, "first"),
        play.commit(4, bounty, "second"),
    ];
    play.send(1, &transfer_to(9, 3));
    let drawn = play.register(3, "drawn", PaymentMode::RandomDistribution);
    let shared = play.register(3, "shared", PaymentMode::GlobalDistribution);
    play.buy(2, drawn);
    play.buy(2, shared);
    play.check();
    assert_eq!(play.left(Subject::Asset(shared), "income"), lode(7));
    assert_eq!(
        play.left(Subject::Bounty(bounty), "prepaid_fees"),
        Amount::ZERO
    );
    assert_eq!(play.left(Subject::Account(address(1)), "stakes"), lode(500));
    // The draw comes in the next block, with a claim of the other.
    play.send(3, &Action::ClaimRoyalty { asset: shared });
    let view = play
        .served
        .client
        .statement(&Subject::Asset(drawn))
        .unwrap();
    assert!(
        view.rules
            .iter()
            .any(|sum| sum.rule == Rule::RandomDistribution)
    );
    play.check();
    let rejected = transfer_to(9, 1_000_000);
    let item = play.served.signed(4, play.nonces[4], &rejected);
    play.nonces[4] += 1;
    assert!(!play.served.client.submit(&item).unwrap().is_applied());
    play.check();

    // The test key never comes: the bond is forfeited, half of it to the miners.
    for _ in 0..2 {
        let until_ms = play.served.client.bounty(bounty).unwrap().summary.until_ms;
        play.served.client.set_clock(until_ms + 1).unwrap();
    }
    let client = play.served.client.clone();
    let ended = client.bounty(bounty).unwrap();
    assert_eq!(ended.summary.phase, Phase::Void(VoidReason::KeyWithheld));
    assert!(!ended.forgotten);
    let alone = submissions.map(|id| client.submission(id).unwrap());
    play.check();
    for kind in [
        "rewards",
        "sponsor_bonds",
        "miner_bonds",
        "evaluation_fees",
        "prepaid_fees",
        "harm",
    ] {
        assert_eq!(
            play.left(Subject::Bounty(bounty), kind),
            Amount::ZERO,
            "{kind}"
        );
    }
    assert!(!play.left(Subject::Bounty(bounty), "deposits").is_zero());

    let retention_ms = Parameters::default().retention_ms;
    let forgotten_ms = ended.summary.until_ms + retention_ms;
    client.set_clock(forgotten_ms + 1).unwrap();
    assert!(
        client.bounties(None).next().is_none(),
        "the state has forgotten it"
    );
    let told = client.bounty(bounty).unwrap();
    assert!(told.forgotten);
    let before = play.check();
    assert!(play.left(Subject::Bounty(bounty), "deposits").is_zero());
    let mut as_it_was = told.clone();
    as_it_was.forgotten = false;
    assert_eq!(as_it_was, ended);
    let check = |play: &Play| {
        let client = &play.served.client;
        assert_eq!(client.bounty(bounty).unwrap(), told);
        for (id, view) in submissions.iter().zip(&alone) {
            assert_eq!(&client.submission(*id).unwrap(), view);
        }
    };
    check(&play);
    // The same from the database, and from the log alone.
    for without_database in [false, true] {
        play = play.again(without_database);
        check(&play);
        assert_eq!(play.check(), before);
    }
}

#[test]
fn a_statement_of_nobody_is_empty_and_one_of_the_genesis_has_its_opening() {
    let served = Served::new();
    let of = |subject| served.client.statement(&subject).unwrap();
    let nobody = of(Subject::Account(address(77)));
    assert!(nobody.adds_up && nobody.purses.is_empty() && nobody.items.is_empty());
    let first = of(Subject::Account(address(1)));
    assert_eq!((first.opening, first.height), (lode(1_000), 0));
    assert_eq!(first.purses[0].left, lode(1_000));
    served.client.submit(&served.transfer(1, 0, 7)).unwrap();
    let first = of(Subject::Account(address(1)));
    assert_eq!((first.movements, first.height), (2, 1));
    assert_eq!(first.items[0].step.rule, Rule::ByteFee);
    assert_eq!(first.items[0].step.to, Purse::Burned);
    for after in ["1", "1.0", "x.y.z", "1.0.-1", "1.0.0.0"] {
        let path = format!("/v1/accounts/{}/statement?after={after}", address(1));
        let answer = served
            .raw(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{after}: {answer}");
    }
}
