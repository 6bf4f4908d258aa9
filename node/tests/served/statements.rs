//! Statements: every unit of everyone adds up, on a node that plays, forgets and restarts.

use licensing::PaymentMode;
use protocol::Amount;
use protocol::api::StatementView;
use protocol::receipt::{Phase, Purse, Rule, VoidReason};
use protocol::record::*;
use protocol::statement::{Book, Subject};

use crate::play::Play;
use crate::support::{Served, address, lode, transfer_to};

impl Play {
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
