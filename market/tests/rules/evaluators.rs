//! Stakes, seats, batches: who agrees, who dissents, who is silent.

use protocol::ItemId;
use protocol::receipt::{Phase, Purse, Standing};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};

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
        (
            "eve-1",
            join(10_000),
            "ok; eve-1 -10000, stake:eve-1 +10000",
        ),
        ("eve-1", join(1), "ok; eve-1 -1, stake:eve-1 +1"),
        ("eve-1", join(u128::MAX), "overflow"),
        ("eve-2", leave(), "not_evaluator"),
        ("eve-1", leave(), "ok"),
        ("eve-1", leave(), "notice_not_over"),
    ] {
        world.row(who, action, expected);
    }
    assert_eq!(world.state.evaluators().count(), 1);
}

/// A network in which notice is short, and so many evaluators.
fn short_notice(count: usize) -> World {
    let parameters = Parameters {
        unstake_ms: NOTICE_MS,
        ..parameters()
    };
    World::pool(parameters, count, &[])
}

const NOTICE_MS: u64 = 1_500;

/// Says that an evaluator leaves, and lets its notice pass; what leaving again comes to.
fn leaves(world: &mut World, who: &str, expected: &str) {
    world.row(who, Action::LeaveEvaluators, "ok");
    world.row(who, Action::LeaveEvaluators, "notice_not_over");
    let over_ms = world.now() - 1 + NOTICE_MS;
    world.block(over_ms - 2, &[]);
    world.row(who, Action::LeaveEvaluators, "notice_not_over");
    world.row(who, Action::LeaveEvaluators, expected);
}

/// Whoever leaves has after the notice what no seat has locked, and the rest when the seat's work is done.
#[test]
fn who_leaves_has_what_is_free_and_later_what_a_seat_has_locked() {
    let mut world = short_notice(1);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    leaves(&mut world, "eve-1", "ok; eve-1 +5000, stake:eve-1 -5000");
    world.row("eve-1", Action::LeaveEvaluators, "seats_at_work");
    let stake = "ok; eve-2 -10000, stake:eve-2 +10000";
    world.row("eve-2", join(10_000), stake);
    world.row("eve-2", found(bounty, TestOutcome::Ok), "no_seat");
    world.row("eve-2", Action::LeaveEvaluators, "ok");
    // Who leaves gets no seat any more, but what it checked it may have to score.
    world.find_good(bounty);
    world.show_all(bounty);
    assert_eq!(world.asked(bounty), ["eve-1"]);
    let back = "ok; eve-2 +10000, stake:eve-2 -10000";
    world.row("eve-2", Action::LeaveEvaluators, back);
    assert_eq!(world.deposits("eve-2"), 0);
    world.settle(bounty, &[scored(600, "m")]);
    let back = "ok; eve-1 +5000, stake:eve-1 -5000";
    world.row("eve-1", Action::LeaveEvaluators, back);
    assert_eq!(world.deposits("eve-1"), 0);
    assert_eq!(world.state.evaluators().count(), 0);
    world.row("eve-1", Action::LeaveEvaluators, "not_evaluator");
}

/// Who has lost all of the stake has nothing to wait for.
#[test]
fn who_has_nothing_left_can_leave() {
    let parameters = Parameters {
        unrevealed_forfeit_ppm: 1_000_000,
        unstake_ms: NOTICE_MS,
        ..parameters()
    };
    let mut world = World::pool(parameters, 1, &[]);
    let bounty = world.post(|p| p.reward = units(20_000));
    world.commit("miner-1", bounty, "m");
    world.bring_to_score(bounty);
    world.commit_batch("eve-1", bounty, &[scored(600, "m")]);
    for _ in 0..20 {
        if world.phase(bounty) == Phase::Score || world.phase(bounty) == Phase::ScoreReveal {
            world.skip(bounty);
        }
    }
    assert_eq!(
        world.state.balance(Purse::Stake(address("eve-1"))),
        units(0)
    );
    let evaluator = world.state.evaluator(address("eve-1"));
    assert!(evaluator.is_some_and(|it| it.seats == 0));
    leaves(&mut world, "eve-1", "ok");
    assert_eq!(world.state.evaluators().count(), 0);
    assert_eq!(world.state.evaluator(address("eve-1")), None);
    assert_eq!(world.deposits("eve-1"), 0);
}

/// Who changes their mind is an evaluator as before, and adds to the stake that is still there.
#[test]
fn who_is_leaving_may_join_again() {
    let mut world = short_notice(1);
    let refused = world.post_action("sponsor", |_| ());
    world.must("eve-1", Action::LeaveEvaluators);
    world.row("sponsor", refused, "pool_too_small");
    world.row("eve-1", join(1), "ok; eve-1 -1, stake:eve-1 +1");
    world.post(|_| ());
    let out = "ok; eve-1 +10001, stake:eve-1 -10001";
    leaves(&mut world, "eve-1", out);
    // With a seat that has locked what is left it is one again with the least stake.
    world.evaluators(1);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    leaves(&mut world, "eve-1", "ok; eve-1 +5000, stake:eve-1 -5000");
    world.row("eve-1", join(9_999), "stake_too_small");
    let stake = "ok; eve-1 -10000, stake:eve-1 +10000";
    world.row("eve-1", join(10_000), stake);
    world.find_good(bounty);
    world.show_all(bounty);
    world.settle(bounty, &[scored(600, "m")]);
    leaves(&mut world, "eve-1", "ok; eve-1 +15000, stake:eve-1 -15000");
}

/// Nothing is locked beyond the seats' own stakes, and no seat for longer than two weeks a phase.
#[test]
fn phases_that_lock_seats_or_hold_parents_have_an_end() {
    let day_ms = 24 * 3_600_000;
    let parameters = Parameters {
        phase_max_ms: 100 * day_ms,
        ..parameters()
    };
    let mut world = World::pool(parameters, 1, &[]);
    type Window = fn(&mut Schedule) -> &mut u64;
    let windows: [(Window, u64); 7] = [
        (|it| &mut it.open_ms, 100),
        (|it| &mut it.test_key_ms, 14),
        (|it| &mut it.test_check_ms, 14),
        (|it| &mut it.reveal_ms, 14),
        (|it| &mut it.score_ms, 14),
        (|it| &mut it.score_reveal_ms, 14),
        (|it| &mut it.challenge_ms, 14),
    ];
    for (window, days) in windows {
        for (length_ms, rejected) in [(days * day_ms, None), (days * day_ms + 1, Some("schedule"))]
        {
            let action = world.post_action("sponsor", |p| *window(&mut p.schedule) = length_ms);
            let receipt = world.send("sponsor", action);
            assert_eq!(receipt.rejected, rejected.map(code), "{length_ms}");
        }
    }
    // Named parents are held to what they ask for: thirty days, as terms take less to tighten here.
    let parent = world.must("alice", model("parent", sharing("1%", 9), &[]));
    for (length_ms, rejected) in [(30 * day_ms, None), (30 * day_ms + 1, Some("schedule"))] {
        let action = world.post_action("sponsor", |p| {
            p.parents = named(&[parent], &[]);
            p.schedule.open_ms = length_ms;
        });
        let receipt = world.send("sponsor", action);
        assert_eq!(receipt.rejected, rejected.map(code), "{length_ms}");
    }
}

/// In a pool that is just large enough, nobody can keep the others from scoring once weights are shown: not by leaving
/// after the check, and not by silence in it.
#[test]
fn who_checked_the_test_set_is_there_to_score() {
    for silent in [false, true] {
        let parameters = Parameters {
            committee_min: 3,
            unstake_ms: NOTICE_MS,
            ..parameters()
        };
        let mut world = World::pool(parameters, 3, &[]);
        // Each has exactly the stake of one seat.
        let bounty = world.post(|p| p.reward = units(20_000));
        world.commit("miner-1", bounty, "m");
        world.bring_to_check(bounty);
        for who in ["eve-1", "eve-2", "eve-3"] {
            if who != "eve-1" || !silent {
                world.must(who, found(bounty, TestOutcome::Ok));
            }
            world.must(who, Action::LeaveEvaluators);
        }
        // The silent seat is drawn for again three times, and there is nobody.
        while world.phase(bounty) == Phase::TestCheck {
            world.skip(bounty);
        }
        assert_eq!(world.phase(bounty), Phase::Reveal);
        world.show_all(bounty);
        assert_eq!(world.asked(bounty), ["eve-1", "eve-2", "eve-3"]);
        // Who was silent sits with what is left of the seat: 1 % less.
        let locked = |who| world.state.balance(Purse::Seat(bounty, address(who)));
        let expected = if silent { 9_900 } else { 10_000 };
        assert_eq!(
            ["eve-1", "eve-2"].map(locked),
            [units(expected), units(10_000)]
        );
        world.settle(bounty, &[scored(600, "m")]);
        for who in ["eve-1", "eve-2", "eve-3"] {
            world.must(who, Action::LeaveEvaluators);
        }
        assert_eq!(world.state.evaluators().count(), 0, "all have gone");
    }
}

/// The check's seats of a bounty in which nobody reveals return with its end.
#[test]
fn the_checks_seats_return_where_nobody_reveals() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_reveal(bounty);
    let locked =
        |world: &World| ["eve-1", "eve-2", "eve-3"].map(|it| world.state.locked(address(it)));
    assert_eq!(locked(&world), [units(5_000); 3]);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Settled);
    assert_eq!(locked(&world), [units(0); 3]);
    assert!(world.state.evaluators().all(|(_, it)| it.seats == 0));
}

/// Who was only asked because words about the test set differed is not kept for the score.
#[test]
fn a_liar_in_the_check_locks_nobody_through_the_reveal() {
    let mut world = World::pool(parameters(), 12, &[]);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    let panel = world.checks(bounty);
    for who in &panel {
        let word = match *who == panel[0] {
            true => bad_test_set(),
            false => TestOutcome::Ok,
        };
        world.must(who, found(bounty, word));
    }
    world.skip(bounty);
    assert_eq!(world.checks(bounty).len(), 12);
    for who in world.checks(bounty) {
        if !panel.contains(&who) {
            world.must(&who, found(bounty, TestOutcome::Ok));
        }
    }
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Reveal);
    for (who, evaluator) in world.state.evaluators() {
        let sits = panel.iter().any(|one| address(one) == who);
        assert_eq!(evaluator.seats, u32::from(sits));
        assert_eq!(world.state.locked(who), units(if sits { 5_000 } else { 0 }));
    }
    // So who of those leaves is no candidate for the score, and who is of the panel is one, leaving too.
    for number in 1..=12 {
        world.must(&format!("eve-{number}"), Action::LeaveEvaluators);
    }
    world.show_all(bounty);
    assert_eq!(world.asked(bounty), panel);
    world.settle(bounty, &[scored(600, "m")]);
    assert!(world.state.evaluators().all(|(_, it)| it.seats == 0));
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
        let words: Vec<Attestation> = ids.into_iter().map(found).collect();
        let body = batch_of("eve-1", 0, &words, None).remove(0);
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

/// A batch names as many parts as the words make, no more: one that names another, and shows what it has in the first,
/// is none.
#[test]
fn a_batch_of_more_parts_than_its_words_make_is_refused() {
    let (mut world, bounty) = scoring(1);
    let mut body = world.batch("eve-1", bounty, &[invalid()]);
    body.parts.push(digest("another part"));
    world.must("eve-1", world.commitment("eve-1", bounty, &body));
    world.skip(bounty);
    let action = Action::RevealAttestations { bounty, body };
    world.row("eve-1", action, "batch_incomplete");
}

/// The same world once more, from its log.
fn replayed(world: &World) -> World {
    let mut again = World::new();
    again.replay(&world.log);
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
    for (words, rounds, verdict) in [
        (vec![&good; 5], 1, r#"scored 5 []"#),
        (vec![&good, &good, &good, &good, &none], 1, "scored 4 []"),
        // Words that differ are counted as those of all, though nobody is left to ask.
        (
            vec![&good, &good, &good, &good, &other],
            1,
            r#"scored 4 ["eve-5"]"#,
        ),
        (
            vec![&good, &good, &good, &predictions, &good],
            1,
            r#"scored 4 ["eve-4"]"#,
        ),
        (vec![&good, &good, &good, &other, &other], 1, ""),
        (
            vec![&chunk(0), &chunk(0), &chunk(0), &chunk(1), &chunk(0)],
            1,
            r#"bad_seal 4 ["eve-4"]"#,
        ),
        // No word is asked for again, three times.
        (vec![&good, &good, &good, &none, &none], 4, ""),
        (vec![&none, &none, &none, &none, &good], 4, ""),
    ] {
        let (mut world, bounty) = scoring(5);
        let mut lines = Vec::new();
        let mut found = 0;
        while world.phase(bounty) == Phase::Score {
            let word = |who: &str, _: &str| {
                let number: usize = who["eve-".len()..].parse().expect("a number");
                Some(words[number - 1].clone())
            };
            let receipts = world.round(bounty, word);
            lines.extend(world.lines(&receipts));
            found += 1;
        }
        assert_eq!(found, rounds, "{verdict}");
        assert_eq!(world.phase(bounty), Phase::Challenge, "{verdict}");
        let verdicts = lines.iter().filter(|line| line.starts_with("verdict"));
        let expected: Vec<String> = match verdict {
            "" => Vec::new(),
            _ => vec![format!("verdict m {verdict}")],
        };
        assert_eq!(verdicts.cloned().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_dissenting_seat_is_reported_keeps_its_stake_and_is_not_paid() {
    let (mut world, bounty) = scoring(3);
    let word = |who: &str, _: &str| match who {
        "eve-3" => Some(scored(999, "m")),
        _ => Some(scored(600, "m")),
    };
    let receipts = world.round(bounty, word);
    assert_eq!(
        world.lines(&receipts),
        [r#"verdict m scored 2 ["eve-3"]"#, "phase Challenge"]
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
    assert_eq!(world.gain("eve-3"), 0);
}

#[test]
fn silent_and_unrevealed_seats_lose_one_and_ten_percent_of_what_they_locked() {
    let (mut world, bounty) = scoring(5);
    for who in ["eve-1", "eve-2", "eve-3", "eve-4"] {
        world.commit_batch(who, bounty, &[scored(600, "m")]);
    }
    world.skip(bounty);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.reveal_batch(who, bounty);
    }
    let receipts = world.skip(bounty);
    // Of 5,000 locked, 50 and 500: half of it burned, half of it kept for the miner.
    assert_eq!(
        world.lines(&receipts),
        [
            "score seat eve-4 unrevealed",
            "score seat eve-5 silent",
            "burned +275, harm +275, seat:eve-4 -500, seat:eve-5 -50",
            "phase Score",
        ]
    );
    // Three of five are no quorum, there is nobody else, and what the three have is no two thirds of all.
    let none = |_: &str, _: &str| None;
    for _ in 0..2 {
        world.round(bounty, none);
    }
    let receipts = world.round(bounty, none);
    assert_eq!(world.lines(&receipts), ["phase Challenge"]);
    // The miner, who risked 130, is harmed by both together at most that much.
    world.phase_ends(
        bounty,
        &[
            "m NoVerdict",
            "phase Settled",
            "bond -2000, bond:m -100, burned +145, fee:m -30, harm -275, miner-1 +260, \
             reward -10000, sponsor +12000",
        ],
    );
    let gains = ["eve-1", "eve-4", "eve-5", "miner-1", "sponsor"].map(|who| world.gain(who));
    assert_eq!(gains, [0, -500, -50, 130, 0]);
}

#[test]
fn a_failed_seat_pays_even_when_the_quorum_holds() {
    let (mut world, bounty) = scoring(3);
    let word = |who: &str, _: &str| (who != "eve-3").then(|| scored(600, "m"));
    let receipts = world.round(bounty, word);
    assert_eq!(
        world.lines(&receipts),
        [
            "score seat eve-3 silent",
            "verdict m scored 2 []",
            "phase Challenge",
            "burned +25, harm +25, seat:eve-3 -50",
        ]
    );
    world.phase_ends(
        bounty,
        &[
            "m Won",
            "asset m",
            "phase Settled",
            "bond -2000, bond:m -100, eve-1 +15, eve-2 +15, fee:m -30, harm -25, \
             miner-1 +10125, reward -10000, sponsor +2000",
        ],
    );
}

/// Who agreed on one submission and then fails over another leaves a verdict that
/// nobody is paid for: the fee returns to who paid it.
#[test]
fn a_verdict_stands_though_the_seats_behind_it_fail_later() {
    // Three silent seats forfeit 50 each, and 75 of it are shared by risk: 130 and
    // 130, or, if the sponsor paid the first fee, 100 and 130.
    for (prepaid, sponsor, first, second) in [
        (0, -10_000, 10_000 + 37, -30 + 37),
        (1, -10_000, 10_000 + 32, -30 + 42),
    ] {
        let mut world = World::with(parameters(), &["eve-6"]);
        world.evaluators(3);
        let bounty = world.post(|p| p.prepaid = prepaid);
        let seen = world.commit("miner-1", bounty, "seen");
        let unseen = world.commit("miner-2", bounty, "unseen");
        world.bring_to_score(bounty);
        for who in ["eve-4", "eve-5", "eve-6"] {
            world.must(who, join(10_000));
        }
        world.round(bounty, |_, label| match label {
            "seen" => Some(scored(600, "seen")),
            _ => Some(Outcome::Unavailable),
        });
        // All three are silent when they are asked again; three others take their place.
        world.round(bounty, |_, _| None);
        assert_eq!(world.asked(bounty), ["eve-4", "eve-5", "eve-6"]);
        world.round(bounty, |_, label| Some(scored(550, label)));
        assert_eq!(world.phase(bounty), Phase::Challenge);
        world.skip(bounty);
        let standings = [seen, unseen].map(|id| world.standing(id));
        assert_eq!(standings, [Some(Standing::Won), Some(Standing::Lost)]);
        let gains = ["sponsor", "miner-1", "miner-2"].map(|who| world.gain(who));
        assert_eq!(gains, [sponsor, first, second]);
        let seats = ["eve-1", "eve-2", "eve-3", "eve-4", "eve-5", "eve-6"];
        let gains = seats.map(|who| world.gain(who));
        assert_eq!(gains, [-50, -50, -50, 10, 10, 10]);
    }
}

#[test]
fn a_full_bounty_can_be_attested_in_records_of_500_words() {
    // The longest outcome there is: two texts of 200 bytes, each of which JSON escapes.
    let longest = protocol::text::Code::new("\"".repeat(200)).expect("200 bytes");
    let attestation = Attestation {
        submission: nothing(),
        outcome: Outcome::Invalid {
            code: longest.clone(),
            place: longest,
        },
    };
    let words = vec![attestation; protocol::benchmark::SUBMISSIONS_MAX as usize];
    let parts = batch_of("eve-1", 0, &words, Some(blob("leaves")));
    assert_eq!(parts.len(), 20);
    let world = World::new();
    for body in parts {
        let bounty = nothing();
        let action = Action::RevealAttestations { bounty, body };
        let tx = World::sign("eve-1", &world.envelope("eve-1"), &action);
        assert!(tx.size_bytes as usize <= RECORD_BYTES_MAX);
    }
}
