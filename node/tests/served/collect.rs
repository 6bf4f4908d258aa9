//! Blobs are held while something names them, and two days longer; then they are removed.

use std::sync::Barrier;

use licensing::PaymentMode;
use node::collect::{CollectError, UNNAMED_FILE, UNNAMED_KEPT_MS};
use protocol::id::BlobId;
use protocol::receipt::Phase;
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};
use protocol::{Digest, ItemId, Score};

use crate::play::{Play, registration, seal_key};
use crate::posting::HOUR_MS;
use crate::support::{address, lode};

impl Play {
    fn now_ms(&self) -> u64 {
        self.served.client.status().unwrap().clock_ms
    }

    fn wait(&self, ms: u64) {
        self.served.client.set_clock(self.now_ms() + ms).unwrap();
    }

    /// Looks once: what was removed, and how many more nothing names.
    fn collect(&self) -> (Vec<BlobId>, usize) {
        let collected = self.served.node.collect_blobs().unwrap();
        (collected.removed, collected.unnamed)
    }

    fn is_held(&self, blob: BlobId) -> bool {
        self.served.client.blob_size(blob).unwrap().is_some()
    }

    /// Waits for the end of the phase, which must lead to this one.
    fn reach(&self, bounty: ItemId, phase: Phase) {
        let until_ms = self.served.client.bounty(bounty).unwrap().summary.until_ms;
        self.served.client.set_clock(until_ms + 1).unwrap();
        let view = self.served.client.bounty(bounty).unwrap();
        assert_eq!(view.summary.phase, phase);
    }

    /// Everyone does what they owe, one submission is not revealed; gives the leaves' blob.
    fn settle(&mut self, bounty: ItemId, revealed: ItemId) -> BlobRef {
        let key = seal_key();
        self.reach(bounty, Phase::TestKey);
        let body = RevealTestSet { key: key.clone() };
        self.send(2, &Action::RevealTestSet { bounty, body });
        self.reach(bounty, Phase::TestCheck);
        let outcome = TestOutcome::Ok;
        let body = AttestTestSet { outcome };
        self.send(1, &Action::AttestTestSet { bounty, body });
        self.reach(bounty, Phase::Reveal);
        let submission = revealed;
        let body = RevealSubmission { submission, key };
        self.send(4, &Action::RevealSubmission { bounty, body });
        self.reach(bounty, Phase::Score);
        let leaves = self.upload("leaves");
        let outcome = Outcome::Scored {
            score: Score(500_000_000),
            weights_digest: Digest([7; 32]),
            predictions_root: Digest([8; 32]),
        };
        let attestation = Attestation {
            submission,
            outcome,
        };
        let batch = RevealAttestations::batch(Digest([9; 32]), &[attestation], Some(leaves));
        let commitment = attestation_commitment(bounty, address(1), &batch[0]);
        let body = CommitAttestations { commitment };
        self.send(1, &Action::CommitAttestations { bounty, body });
        self.reach(bounty, Phase::ScoreReveal);
        for body in batch {
            self.send(1, &Action::RevealAttestations { bounty, body });
        }
        self.reach(bounty, Phase::Challenge);
        self.reach(bounty, Phase::Settled);
        leaves
    }
}

#[test]
fn what_a_forgotten_bounty_named_is_removed_and_what_something_alive_names_never() {
    let mut play = Play::begin();
    let body = JoinEvaluators { stake: lode(500) };
    play.send(1, &Action::JoinEvaluators { body });
    let bounty = play.post(2);
    let model = play.commit(4, bounty, "model");
    play.commit(4, bounty, "never revealed");
    play.commit(4, bounty, "never revealed, and sold");
    let [model_blob, lost, sold] =
        ["model", "never revealed", "never revealed, and sold"].map(|text| play.upload(text).id);
    let test_set = play.upload("test set").id;
    let leaves = play.settle(bounty, model).id;
    play.register(
        3,
        "never revealed, and sold",
        PaymentMode::GlobalDistribution,
    );

    // Thirty days, to the last: everything is served.
    let settled_ms = play.served.client.bounty(bounty).unwrap().summary.until_ms;
    let retention_ms = Parameters::default().retention_ms;
    assert_eq!(play.collect(), (Vec::new(), 0));
    play.served
        .client
        .set_clock(settled_ms + retention_ms - 1)
        .unwrap();
    assert_eq!(play.collect(), (Vec::new(), 0));
    // A submission to another bounty has the same ciphertext as the first one's test set.
    let second = play.post_about(2, "another test set");
    let other_set = play.upload("another test set").id;
    play.commit(4, second, "test set");
    play.wait(2);
    assert!(play.served.client.bounty(bounty).unwrap().forgotten);
    assert_eq!(
        play.collect(),
        (Vec::new(), 2),
        "the lost one, and the leaves"
    );

    // The time goes on through a restart, and through the loss of the database.
    for without_database in [false, true] {
        let now_ms = play.now_ms();
        play = play.again(without_database);
        let behind = play.served.node.collect_blobs();
        assert!(matches!(behind, Err(CollectError::Clock)), "{behind:?}");
        play.served
            .client
            .set_clock(now_ms + UNNAMED_KEPT_MS / 2 - 10)
            .unwrap();
        assert_eq!(play.collect(), (Vec::new(), 2));
    }
    play.wait(20);
    let mut expected = [lost, leaves];
    expected.sort();
    assert_eq!(play.collect(), (expected.to_vec(), 0));
    assert_eq!(play.collect(), (Vec::new(), 0));
    for (blob, is_held) in [
        (lost, false),
        (leaves, false),
        (model_blob, true),
        (sold, true),
        (test_set, true),
    ] {
        assert_eq!(play.is_held(blob), is_held, "{blob}");
    }

    // Then the other bounty is forgotten too.
    for _ in 0..3 {
        let view = play.served.client.bounty(second).unwrap();
        let due_ms = view.summary.until_ms + 1;
        play.served
            .client
            .set_clock(due_ms.max(play.now_ms()))
            .unwrap();
    }
    play.wait(retention_ms);
    assert!(play.served.client.bounty(second).unwrap().forgotten);
    assert_eq!(play.collect(), (Vec::new(), 2));
    play.wait(UNNAMED_KEPT_MS);
    let mut expected = vec![test_set, other_set];
    expected.sort();
    assert_eq!(play.collect(), (expected, 0));
    assert!(
        play.is_held(model_blob) && play.is_held(sold),
        "assets stay"
    );
}

#[test]
fn what_is_uploaded_and_never_named_is_removed_after_two_days() {
    let mut play = Play::begin();
    let stray = play.upload("stray").id;
    let late = play.upload("named late").id;
    assert_eq!(play.collect(), (Vec::new(), 2));
    play.wait(UNNAMED_KEPT_MS - 1);
    assert_eq!(play.collect(), (Vec::new(), 2));
    play.register(3, "named late", PaymentMode::GlobalDistribution);
    let new = play.upload("new").id;
    play.wait(1);
    assert_eq!(
        play.collect(),
        (vec![stray], 1),
        "the new one has its own two days"
    );
    assert!(play.is_held(late) && play.is_held(new) && !play.is_held(stray));

    // A record that names what is gone is not taken, until it is there again.
    let refused = play.served.signed_until(
        3,
        play.nonces[3],
        play.now_ms() + HOUR_MS,
        &registration(
            "stray",
            BlobRef {
                id: stray,
                size_bytes: 5,
            },
            PaymentMode::GlobalDistribution,
        ),
    );
    let error = play.served.client.submit(&refused).unwrap_err();
    assert_eq!(error.code(), "blob_missing", "{error}");
    play.register(3, "stray", PaymentMode::GlobalDistribution);
    play.wait(UNNAMED_KEPT_MS);
    assert_eq!(play.collect(), (vec![new], 0));

    // Times that cannot be read begin anew, and remove nothing.
    let other = play.upload("other").id;
    assert_eq!(play.collect(), (Vec::new(), 1));
    play.wait(UNNAMED_KEPT_MS);
    let path = play.served.dir.path().join(UNNAMED_FILE);
    std::fs::write(&path, "{").unwrap();
    assert_eq!(play.collect(), (Vec::new(), 1));
    play.wait(UNNAMED_KEPT_MS);
    assert_eq!(play.collect(), (vec![other], 0));
}

#[test]
fn all_that_is_due_goes_however_much_it_is() {
    let play = Play::begin();
    let blobs = play.served.node.blobs();
    let mut put: Vec<BlobId> = (0..600u32)
        .map(|count| blobs.put(&count.to_be_bytes()[..]).unwrap().id)
        .collect();
    put.sort();
    assert_eq!(play.collect(), (Vec::new(), 600));
    play.wait(UNNAMED_KEPT_MS);
    assert_eq!(play.collect(), (put, 0));
    blobs.each(|blob| panic!("{blob} is left")).unwrap();
}

#[test]
fn no_record_is_taken_whose_blob_is_removed_in_the_same_moment() {
    let mut play = Play::begin();
    let node = play.served.node.clone();
    let (mut kept, mut refused) = (Vec::new(), 0);
    for round in 0..20 {
        // Now a record is taken before anything is removed, now all is removed before, and now they run.
        let first = Barrier::new(2);
        let meet = |turn: u64| {
            if round % 3 == turn {
                first.wait();
            }
        };
        let texts = [0, 1, 2, 3].map(|place| format!("{round}, {place}"));
        let blobs = texts.each_ref().map(|text| play.upload(text));
        play.collect();
        play.wait(UNNAMED_KEPT_MS);
        let until_ms = play.now_ms() + HOUR_MS;
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                meet(0);
                node.collect_blobs().unwrap();
                meet(1);
            });
            together.wait();
            meet(1);
            for (place, (text, blob)) in texts.iter().zip(blobs).enumerate() {
                let action = registration(text, blob, PaymentMode::GlobalDistribution);
                let nonce = play.nonces[3];
                let record = play.served.signed_until(3, nonce, until_ms, &action);
                match play.served.client.submit(&record) {
                    Ok(view) => {
                        assert!(view.is_applied(), "{view:?}");
                        play.nonces[3] += 1;
                        kept.push(blob.id);
                    }
                    Err(error) => {
                        assert_eq!(error.code(), "blob_missing", "{error}");
                        refused += 1;
                    }
                }
                if place == 0 {
                    meet(0);
                }
            }
        });
        assert!(kept.iter().all(|&blob| play.is_held(blob)), "round {round}");
    }
    assert!(!kept.is_empty() && refused > 0, "{refused} were refused");
}
