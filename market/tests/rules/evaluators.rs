//! Stakes, seats, batches: who agrees, who dissents, who is silent.

use protocol::ItemId;
use protocol::receipt::Phase;
use protocol::record::*;
use protocol::report::Outcome;

use crate::world::*;

/// A bounty in the score phase, with one submission called "m".
fn scoring(evaluators: usize) -> (World, ItemId) {
    let mut world = World::new();
    world.evaluators(evaluators);
    let bounty = world.post(|_| ());
    let submission = world.commit("miner-1", bounty, "m");
    world.bring_to_reveal(bounty);
    world.reveal(submission);
    world.skip(bounty);
    (world, bounty)
}

#[test]
fn evaluators_stake_top_up_and_leave() {
    let mut world = World::new();
    let leave = || Action::LeaveEvaluators;
    for (who, action, expected) in [
        ("eve-1", join(0), "zero_amount"),
        ("eve-1", join(9_999), "stake_too_small"),
        ("eve-1", leave(), "not_evaluator"),
        ("eve-1", join(FUNDS), "insufficient_funds"),
        ("eve-1", join(10_000), "ok; eve-1 -10000, seat:eve-1 +10000"),
        ("eve-1", join(1), "ok; eve-1 -1, seat:eve-1 +1"),
        ("eve-1", join(u128::MAX), "overflow"),
        ("eve-2", leave(), "not_evaluator"),
        ("eve-1", leave(), "ok; eve-1 +10001, seat:eve-1 -10001"),
        ("eve-1", leave(), "not_evaluator"),
        ("eve-1", join(10_000), "ok; eve-1 -10000, seat:eve-1 +10000"),
    ] {
        world.row(who, action, expected);
    }
    assert_eq!(world.state.evaluators().count(), 1);
}

#[test]
fn a_stake_is_locked_from_the_test_check_to_the_end() {
    let mut world = World::new();
    world.evaluators(2);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.skip(bounty);
    world.must("sponsor", world.test_key(bounty));
    world.row(
        "eve-2",
        Action::LeaveEvaluators,
        "ok; eve-2 +10000, seat:eve-2 -10000",
    );
    world.skip(bounty);
    world.row("eve-1", Action::LeaveEvaluators, "seats_at_work");
    world.row("eve-3", join(10_000), "ok; eve-3 -10000, seat:eve-3 +10000");
    let late = Action::AttestTestSet {
        bounty,
        body: AttestTestSet {
            outcome: protocol::report::TestOutcome::Ok,
        },
    };
    world.row("eve-3", late, "no_seat");
    world.row(
        "eve-3",
        Action::LeaveEvaluators,
        "ok; eve-3 +10000, seat:eve-3 -10000",
    );
    world.skip(bounty);
    assert!(matches!(world.phase(bounty), Phase::Void(_)));
    world.row(
        "eve-1",
        Action::LeaveEvaluators,
        "ok; eve-1 +10000, seat:eve-1 -10000",
    );
}

#[test]
fn a_commitment_binds_its_author_so_a_copy_gains_nothing() {
    let (mut world, bounty) = scoring(3);
    let batch = world.batch("eve-1", bounty, &[scored(600, "m")]);
    let commitment = world.commitment("eve-1", bounty, &batch);
    world.row("eve-1", commitment.clone(), "ok");
    world.row("eve-2", commitment.clone(), "ok");
    world.row("eve-1", commitment, "already_done");
    let reveal = Action::RevealAttestations {
        bounty,
        body: batch,
    };
    world.row("eve-1", reveal.clone(), "wrong_phase");
    world.skip(bounty);
    world.row("eve-1", reveal.clone(), "ok");
    world.row("eve-2", reveal.clone(), "commitment_mismatch");
    world.row("eve-3", reveal.clone(), "nothing_committed");
    world.row("alice", reveal.clone(), "no_seat");
    world.row("eve-1", reveal, "already_done");
}

#[test]
fn a_commitment_binds_its_bounty() {
    let (mut world, bounty) = scoring(1);
    let batch = world.batch("eve-1", bounty, &[scored(600, "m")]);
    let Action::CommitAttestations { body, .. } = world.commitment("eve-1", nothing(), &batch)
    else {
        unreachable!("it commits")
    };
    world.row("eve-1", Action::CommitAttestations { bounty, body }, "ok");
    world.skip(bounty);
    let reveal = Action::RevealAttestations {
        bounty,
        body: batch,
    };
    world.row("eve-1", reveal, "commitment_mismatch");
}

#[test]
fn a_batch_names_every_revealed_submission_once_and_in_order() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let [a, b, hidden] = ["a", "b", "hidden"].map(|label| world.commit("miner-1", bounty, label));
    world.bring_to_reveal(bounty);
    // Revealed in another order than committed.
    world.reveal(b);
    world.reveal(a);
    world.skip(bounty);
    let found = |submission| Attestation {
        submission,
        outcome: invalid(),
    };
    for (ids, expected) in [
        (vec![], "batch_incomplete"),
        (vec![a], "batch_incomplete"),
        (vec![b, a], "batch_incomplete"),
        (vec![a, a], "batch_incomplete"),
        (vec![a, b, hidden], "batch_incomplete"),
        (vec![a, hidden], "batch_incomplete"),
        (vec![a, b], "ok"),
    ] {
        let body = RevealAttestations {
            salt: digest("salt"),
            attestations: ids.into_iter().map(found).collect(),
            leaves: None,
        };
        let mut world = replayed(&world);
        world.must("eve-1", world.commitment("eve-1", bounty, &body));
        world.skip(bounty);
        world.row(
            "eve-1",
            Action::RevealAttestations { bounty, body },
            expected,
        );
    }
}

/// The same world once more, from its log.
fn replayed(world: &World) -> World {
    let mut again = World::new();
    for (time_ms, records) in &world.log {
        again.state.begin_block(again.state.height() + 1, *time_ms);
        for tx in records {
            again.state.apply(tx).expect("it was included");
        }
        again.end_block(records.clone());
    }
    assert_eq!(again.roots, world.roots);
    again
}

#[test]
fn scores_need_their_predictions_published() {
    for (outcome, expected) in [
        (scored(600, "m"), "leaves_missing"),
        (invalid(), "ok"),
        (Outcome::BadSeal { chunk: 0 }, "ok"),
        (Outcome::Unavailable, "ok"),
    ] {
        let (mut world, bounty) = scoring(1);
        let mut body = world.batch("eve-1", bounty, &[outcome]);
        body.leaves = None;
        world.must("eve-1", world.commitment("eve-1", bounty, &body));
        world.skip(bounty);
        world.row(
            "eve-1",
            Action::RevealAttestations { bounty, body },
            expected,
        );
    }
}

/// What the seats say in their order, and the verdict that comes of it.
#[test]
fn words_that_agree_to_the_last_bit_count_together() {
    let (good, other) = (scored(600, "m"), scored(601, "m"));
    let mut predictions = good.clone();
    if let Outcome::Scored {
        predictions_root, ..
    } = &mut predictions
    {
        *predictions_root = digest("one bit off");
    }
    let none = Outcome::Unavailable;
    let chunk = |chunk| Outcome::BadSeal { chunk };
    for (words, verdict) in [
        (vec![&good; 5], "scored 5 []"),
        (
            vec![&good, &good, &good, &good, &other],
            r#"scored 4 ["eve-5"]"#,
        ),
        (vec![&good, &good, &good, &good, &none], "scored 4 []"),
        (
            vec![&good, &good, &good, &predictions, &good],
            r#"scored 4 ["eve-4"]"#,
        ),
        (vec![&good, &good, &good, &other, &other], "none 0 []"),
        (vec![&good, &good, &good, &none, &none], "none 0 []"),
        (vec![&none, &none, &none, &none, &good], "none 0 []"),
        (
            vec![&chunk(0), &chunk(0), &chunk(0), &chunk(1), &chunk(0)],
            r#"bad_seal 4 ["eve-4"]"#,
        ),
    ] {
        let (mut world, bounty) = scoring(5);
        for (number, &word) in words.iter().enumerate() {
            world.commit_batch(
                &format!("eve-{}", number + 1),
                bounty,
                std::slice::from_ref(word),
            );
        }
        world.skip(bounty);
        for number in 1..=words.len() {
            world.reveal_batch(&format!("eve-{number}"), bounty);
        }
        world.phase_ends(
            bounty,
            &[&format!("verdict m {verdict}"), "phase Challenge"],
        );
    }
}

#[test]
fn a_dissenting_seat_is_reported_keeps_its_stake_and_is_not_paid() {
    let (mut world, bounty) = scoring(3);
    for (who, score) in [("eve-1", 600), ("eve-2", 600), ("eve-3", 999)] {
        world.commit_batch(who, bounty, &[scored(score, "m")]);
    }
    world.skip(bounty);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.reveal_batch(who, bounty);
    }
    world.phase_ends(
        bounty,
        &[r#"verdict m scored 2 ["eve-3"]"#, "phase Challenge"],
    );
    world.phase_ends(
        bounty,
        &[
            "m Won",
            "asset m",
            "phase Settled",
            "bond -2000, bond:m -100, eve-1 +15, eve-2 +15, fee:m -30, miner-1 +10100, \
             reward -10000, sponsor +2000",
        ],
    );
}

#[test]
fn silent_and_unrevealed_seats_lose_one_and_ten_percent() {
    let (mut world, bounty) = scoring(5);
    for who in ["eve-1", "eve-2", "eve-3", "eve-4", "eve-5"] {
        if who != "eve-5" {
            world.commit_batch(who, bounty, &[scored(600, "m")]);
        }
    }
    world.skip(bounty);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.reveal_batch(who, bounty);
    }
    let receipts = world.skip(bounty);
    let shown = world.show(&receipts[0]);
    // 1000 and 100 are forfeited. The miner, who risked 130, is harmed by both
    // together at most that much; three of five are no quorum.
    assert!(
        shown.contains("seat eve-4 failed, committed true"),
        "{shown}"
    );
    assert!(
        shown.contains("seat eve-5 failed, committed false"),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "bond -2000, bond:m -100, burned +970, fee:m -30, miner-1 +260, reward -10000, \
             seat:eve-4 -1000, seat:eve-5 -100, sponsor +12000"
        ),
        "{shown}"
    );
}

#[test]
fn a_failed_seat_pays_even_when_the_quorum_holds() {
    let (mut world, bounty) = scoring(3);
    for who in ["eve-1", "eve-2"] {
        world.commit_batch(who, bounty, &[scored(600, "m")]);
    }
    world.skip(bounty);
    for who in ["eve-1", "eve-2"] {
        world.reveal_batch(who, bounty);
    }
    world.phase_ends(
        bounty,
        &[
            "seat eve-3 failed, committed false",
            "verdict m scored 2 []",
            "phase Challenge",
            "burned +50, miner-1 +50, seat:eve-3 -100",
        ],
    );
}

#[test]
fn a_full_bounty_can_still_be_attested_in_one_record() {
    // The longest outcome there is: two texts of 200 bytes, each of which JSON escapes.
    let longest = protocol::text::Code::new("\"".repeat(200)).expect("200 bytes");
    let attestation = Attestation {
        submission: nothing(),
        outcome: Outcome::Invalid {
            code: longest.clone(),
            place: longest,
        },
    };
    let body = RevealAttestations {
        salt: digest("salt"),
        attestations: vec![attestation; market::bounty::SUBMISSIONS_MAX as usize],
        leaves: Some(blob("leaves")),
    };
    let world = World::new();
    let action = Action::RevealAttestations {
        bounty: nothing(),
        body,
    };
    let tx = World::sign("eve-1", &world.envelope("eve-1"), &action);
    assert!(tx.size_bytes as usize <= RECORD_BYTES_MAX);
}
