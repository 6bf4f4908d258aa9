//! The phases of a bounty up to the reveal, and every way to end without a ranking.

use protocol::benchmark::Task;
use protocol::receipt::{Phase, VoidReason};
use protocol::record::*;
use protocol::report::TestOutcome;

use crate::codes::{ENDED_PER_BLOCK, bounties_due_at_once};
use crate::world::*;

fn world() -> World {
    let mut world = World::new();
    world.evaluators(3);
    world
}

#[test]
fn posting_puts_up_reward_and_bond() {
    let mut world = world();
    let action = world.post_action("sponsor", |_| ());
    let bounty = world.row(
        "sponsor",
        action,
        "ok; phase Open; bond +2000, reward +10000, sponsor -12000",
    );
    assert_eq!(world.until(bounty), world.now() + 20_000);
    assert_eq!(world.state.next_deadline_ms(), Some(world.until(bounty)));
}

#[test]
fn a_posting_is_refused_at_its_first_fault() {
    type Change = fn(&mut PostBounty);
    let cases: [(&str, Change); 19] = [
        ("benchmark", |p| p.benchmark.inputs = 0),
        ("schedule", |p| p.schedule.open_ms = 999),
        ("schedule", |p| p.schedule.test_key_ms = 100_001),
        ("schedule", |p| p.schedule.test_check_ms = 0),
        ("schedule", |p| p.schedule.score_ms = 0),
        ("schedule", |p| p.schedule.score_reveal_ms = u64::MAX),
        ("schedule", |p| p.schedule.challenge_ms = 999),
        ("shares", |p| p.split.miner -= 1),
        ("shares", |p| p.split.backers = u32::MAX),
        ("zero_amount", |p| p.reward = units(0)),
        ("evaluation_fee", |p| p.evaluation_fee = units(29)),
        ("no_license", |p| p.model_terms.clear()),
        ("terms_not_canonical", |p| {
            p.model_terms.push(("Note".into(), "mine".into()))
        }),
        ("unknown_asset", |p| {
            p.parents = vec![NamedParent {
                asset: nothing(),
                required: true,
            }];
        }),
        ("parents", |p| {
            p.parents = vec![
                NamedParent {
                    asset: nothing(),
                    required: true
                };
                2
            ];
        }),
        // Half of it is more than any evaluator has staked.
        ("pool_too_small", |p| p.reward = units(20_002)),
        ("prepaid", |p| p.prepaid = 10_001),
        ("overflow", |p| {
            p.prepaid = 2;
            p.evaluation_fee = protocol::Amount::MAX;
        }),
        ("insufficient_funds", |p| {
            p.prepaid = 10_000;
            p.evaluation_fee = units(1_000_000);
        }),
    ];
    let mut world = world();
    for (code, change) in cases {
        let action = world.post_action("sponsor", change);
        world.row("sponsor", action, code);
    }
}

/// The receipts' root hangs on it: `docs/rules.md` lists the faults in this order.
#[test]
fn of_two_faults_of_a_posting_the_one_that_the_page_lists_first_is_named() {
    type Change = fn(&mut PostBounty);
    let faults: [(&str, Change); 13] = [
        ("benchmark", |p| p.benchmark.inputs = 0),
        ("schedule", |p| p.schedule.open_ms = 999),
        ("shares", |p| p.split.miner -= 1),
        ("zero_amount", |p| p.reward = units(0)),
        ("prepaid", |p| p.prepaid = 10_001),
        ("overflow", |p| p.evaluation_fee = protocol::Amount::MAX),
        ("no_license", |p| p.model_terms.clear()),
        ("self_funding", |p| p.self_funding_ppm = 200_001),
        ("test_set_used", |p| p.test_set.ciphertext = blob("used")),
        ("unknown_asset", |p| {
            let (asset, amount) = (nothing(), units(1));
            p.fund = Some(FundPart { asset, amount });
        }),
        ("parents", |p| {
            let parent = NamedParent {
                asset: nothing(),
                required: true,
            };
            p.parents = vec![parent; 2];
        }),
        ("insufficient_funds", |p| p.reward = units(2 * FUNDS)),
        ("evaluation_fee", |p| p.evaluation_fee = units(29)),
    ];
    let mut world = world();
    world.post(|p| p.test_set.ciphertext = blob("used"));
    for (place, (code, first)) in faults.iter().enumerate() {
        for (_, second) in &faults[place..] {
            // What both set is as the first has it.
            let action = world.post_action("sponsor", |p| {
                second(p);
                first(p);
            });
            world.row("sponsor", action, code);
        }
    }
    let action = world.post_action("sponsor", |p| {
        p.reward = units(20_002);
        p.evaluation_fee = units(29);
    });
    world.row("sponsor", action, "pool_too_small");
}

#[test]
fn what_no_amount_can_hold_is_refused_as_such() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.row("backer-1", back(bounty, u128::MAX - 5), "overflow");
    let parameters = Parameters {
        evaluation_price: protocol::Amount::MAX,
        ..parameters()
    };
    let mut world = World::with(parameters, &[]);
    world.evaluators(3);
    let action = world.post_action("sponsor", |p| {
        p.benchmark.limits.multiply_adds_max = 1_000_000_000_000;
    });
    world.row("sponsor", action, "overflow");
}

#[test]
fn backers_may_join_until_half_of_the_phase_to_the_millisecond() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let half = world.now() + 10_000;
    world.row(
        "backer-1",
        back(bounty, 500),
        "ok; backer-1 -500, reward +500",
    );
    world.row("backer-1", back(bounty, 0), "zero_amount");
    world.row("backer-1", back(nothing(), 5), "unknown_bounty");
    world.row("backer-2", back(bounty, FUNDS / 2), "pool_too_small");
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.must(who, join(600_000_000));
    }
    world.row("backer-2", back(bounty, FUNDS), "insufficient_funds");
    world.clock(half - 1, &[]);
    world.row(
        "backer-2",
        back(bounty, 300),
        "ok; backer-2 -300, reward +300",
    );
    world.row("backer-2", back(bounty, 300), "backing_closed");
    let stakes: Vec<u128> = world
        .state
        .backings(bounty)
        .map(|backing| backing.amount.base_units())
        .collect();
    assert_eq!(stakes, [500, 300]);
}

/// A thousand backers find room, and together put up no less than the reward.
#[test]
fn a_backing_is_at_least_a_thousandth_of_the_reward_rounded_up() {
    let mut world = world();
    for (reward, least) in [(9_999, 10), (10_000, 10), (10_001, 11)] {
        assert_eq!(market::bounty::backing_min(units(reward)), units(least));
        let bounty = world.post(|p| p.reward = units(reward));
        world.row("backer-1", back(bounty, least - 1), "stake_too_small");
        world.must("backer-1", back(bounty, least));
    }
}

#[test]
fn miners_put_up_bond_and_fee_with_each_submission() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let action = world.commit_action("miner-1", bounty, "m", &[]);

    let receipt = world.send("miner-1", action);
    world.label(id_of(&receipt), "m");
    assert_eq!(
        world.show(&receipt),
        "ok; bond:m +100, fee:m +30, miner-1 -130"
    );

    // A fee whose double is above one hundredth of the reward sets the bond.
    let costly = world.post(|p| p.evaluation_fee = units(51));
    let action = world.commit_action("miner-1", costly, "m", &[]);
    let receipt = world.send("miner-1", action);
    world.label(id_of(&receipt), "m");
    assert_eq!(
        world.show(&receipt),
        "ok; bond:m +102, fee:m +51, miner-1 -153"
    );
}

#[test]
fn a_sponsor_may_cancel_before_the_first_submission_only() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.row(
        "backer-1",
        back(bounty, 500),
        "ok; backer-1 -500, reward +500",
    );
    world.row("backer-1", cancel(bounty), "not_owner");
    world.row(
        "sponsor",
        cancel(bounty),
        "ok; phase Void(Cancelled); backer-1 +500, bond -2000, reward -10500, sponsor +12000",
    );
    world.row("sponsor", cancel(bounty), "wrong_phase");
    assert_eq!(
        world.state.next_deadline_ms(),
        Some(world.now() - 1 + 50_000),
        "it is forgotten then"
    );
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.row("sponsor", cancel(bounty), "has_submissions");
}

#[test]
fn a_bounty_without_submissions_returns_everything() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 500));
    world.clock(world.until(bounty) - 1, &[]);
    world.phase_ends(
        bounty,
        &[
            "phase Void(NoSubmissions)",
            "backer-1 +500, bond -2000, reward -10500, sponsor +12000",
        ],
    );
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoSubmissions));
}

#[test]
fn a_leaked_test_key_voids_at_the_sponsors_expense() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 500));
    let submission = world.commit("miner-1", bounty, "m");
    // Half of the bond of 2000 would be 1000; the miner had 130 at risk.
    let leak = world.test_key(bounty);
    world.row(
        "alice",
        leak,
        "ok; m NoVerdict; phase Void(KeyLeaked); backer-1 +500, bond -2000, bond:m -100, \
         burned +1870, fee:m -30, miner-1 +260, reward -10500, sponsor +10000",
    );
    assert!(world.standing(submission).is_some());
    let again = world.test_key(bounty);
    world.row("alice", again, "wrong_phase");
}

#[test]
fn the_sharers_of_a_forfeit_get_at_most_what_they_risked_and_at_most_half() {
    // Twenty submissions risk 2600, more than the half of 2000 that is shared.
    let mut world = world();
    let bounty = world.post(|_| ());
    for number in 0..20 {
        let who = ["miner-1", "miner-2"][number % 2];
        let id = world.commit(who, bounty, &format!("m{number}"));
        world.label(id, "m");
    }
    let before = [world.balance("miner-1"), world.balance("miner-2")];
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    for (who, before) in ["miner-1", "miner-2"].into_iter().zip(before) {
        assert_eq!(world.balance(who), before + 1_300 + 500, "{who}");
    }
}

#[test]
fn the_last_millisecond_belongs_to_the_phase_and_the_deadline_to_the_next() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.clock(world.until(bounty) - 2, &[]);
    world.commit("miner-1", bounty, "in time");
    assert_eq!(world.now(), world.until(bounty) - 1);
    let late = world.commit_action("miner-2", bounty, "late", &[]);
    let receipts = world.block(world.until(bounty), &[("miner-2", late)]);
    let shown: Vec<String> = receipts.iter().map(|receipt| world.show(receipt)).collect();
    assert_eq!(shown, ["", "phase_over"]);
    // The next block draws who will look at the test set.
    world.block(world.now() + 1, &[]);
    assert_eq!(world.phase(bounty), Phase::TestKey);
    assert_eq!(
        world.until(bounty),
        world.now() + 2_000,
        "a late block shortens no later phase"
    );
}

#[test]
fn who_holds_the_test_key_may_reveal_it_once_submissions_are_closed() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let submission = world.commit("miner-1", bounty, "m");
    world.phase_ends(
        bounty,
        &["seated check 0 eve-1 eve-2 eve-3", "phase TestKey"],
    );
    let wrong = Action::RevealTestSet {
        bounty,
        body: RevealTestSet {
            key: seal_key("guess"),
        },
    };
    world.row("sponsor", wrong, "seal_mismatch");
    let late = world.commit_action("miner-2", bounty, "late", &[]);
    world.row("miner-2", late, "wrong_phase");
    world.row("backer-1", back(bounty, 5), "wrong_phase");
    world.row("sponsor", cancel(bounty), "wrong_phase");
    world.row("miner-1", world.key_action(submission), "wrong_phase");
    world.row("eve-1", found(bounty, TestOutcome::Ok), "wrong_phase");
    world.row("alice", world.test_key(bounty), "ok");
    world.row("sponsor", world.test_key(bounty), "already_revealed");
    world.phase_ends(bounty, &["phase TestCheck"]);
    world.row("sponsor", world.test_key(bounty), "wrong_phase");
    assert_eq!(world.state.checks(bounty).count(), 3);
}

#[test]
fn a_withheld_test_key_costs_the_bond_and_no_weights() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.skip(bounty);
    world.phase_ends(
        bounty,
        &[
            "m NoVerdict",
            "phase Void(KeyWithheld)",
            "bond -2000, bond:m -100, burned +1870, fee:m -30, miner-1 +260, reward -10000, \
             sponsor +10000",
        ],
    );
}

/// What the three seats find, and what the bounty then comes to.
#[test]
fn a_quorum_judges_the_test_set() {
    let (ok, bad, none) = (TestOutcome::Ok, bad_test_set(), TestOutcome::Unavailable);
    let elsewhere = TestOutcome::BadSeal {
        code: code("csv"),
        place: code("row 4"),
    };
    let bad_test_set = Phase::Void(VoidReason::BadTestSet);
    let no_quorum = Phase::Void(VoidReason::NoQuorum);
    // A silent seat forfeits 50, of which 25 are for the miner; the sponsor 2,000, of
    // which the miner gets the 130 that were at risk.
    for (words, expected, sponsor, miner) in [
        (vec![&ok, &ok, &ok], Phase::Reveal, -12_000, -130),
        (vec![&ok, &ok], Phase::Reveal, -12_000, -130),
        (vec![&ok, &bad, &ok], Phase::Reveal, -12_000, -130),
        (vec![&ok, &ok, &none], Phase::Reveal, -12_000, -130),
        (vec![&bad, &bad, &ok], bad_test_set, -2_000, 130),
        (vec![&bad, &elsewhere], bad_test_set, -2_000, 130),
        (vec![&ok], no_quorum, 0, 50),
        (vec![], no_quorum, 0, 75),
        (vec![&ok, &bad, &none], no_quorum, 0, 0),
        (vec![&ok, &bad], no_quorum, 0, 25),
        (vec![&none, &none, &ok], no_quorum, 0, 0),
        (vec![&none, &none, &none], no_quorum, 0, 0),
    ] {
        let mut world = world();
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "m");
        world.bring_to_check(bounty);
        let mut first = true;
        while world.phase(bounty) == Phase::TestCheck {
            for (number, &word) in words.iter().enumerate() {
                let who = format!("eve-{}", number + 1);
                // Who had no word is asked again in every round.
                let again = match first || *word == TestOutcome::Unavailable {
                    true => "ok",
                    false => "already_done",
                };
                world.row(&who, found(bounty, word.clone()), again);
                world.row(&who, found(bounty, word.clone()), "already_done");
            }
            world.row("alice", found(bounty, ok.clone()), "no_seat");
            world.skip(bounty);
            first = false;
        }
        assert_eq!(world.phase(bounty), expected, "{words:?}");
        let gains = [world.gain("sponsor"), world.gain("miner-1")];
        assert_eq!(gains, [sponsor, miner], "{words:?}");
        // Who checked is kept until the score's panel is drawn; where there will be none, nobody is.
        let kept = u32::from(expected == Phase::Reveal);
        let mut seats = world.state.evaluators();
        assert!(seats.all(|(_, evaluator)| evaluator.seats == kept));
    }
}

#[test]
fn a_bounty_whose_evaluators_have_all_left_is_void_without_fault() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.must("eve-1", Action::LeaveEvaluators);
    // Nobody is asked for a key that nobody would look at.
    world.phase_ends(
        bounty,
        &[
            "m NoVerdict",
            "phase Void(NoQuorum)",
            "bond -2000, bond:m -100, fee:m -30, miner-1 +130, reward -10000, sponsor +12000",
        ],
    );
}

#[test]
fn only_the_owner_of_a_seal_can_reveal_it() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let other = world.post(|_| ());
    let first = world.commit("miner-1", bounty, "m");
    // A copy of seal and ciphertext, byte for byte, by somebody else.
    let copied = match world.commit_action("miner-1", bounty, "m", &[]) {
        Action::CommitSubmission { body, .. } => body,
        _ => unreachable!("it commits"),
    };
    let terms = priced(1_000_000);
    let copy = world.must(
        "miner-2",
        Action::CommitSubmission {
            bounty,
            terms,
            body: copied,
        },
    );
    world.sealed(copy, "m");
    world.bring_to_reveal(bounty);
    world.row("miner-2", world.key_action(first), "not_owner");
    world.row("miner-1", world.key_action(first), "ok");
    world.row("miner-1", world.key_action(first), "already_revealed");
    world.row("miner-2", world.key_action(copy), "seal_mismatch");
    let body = RevealSubmission {
        submission: first,
        key: seal_key("m"),
    };
    world.row(
        "miner-1",
        Action::RevealSubmission {
            bounty: other,
            body: body.clone(),
        },
        "wrong_phase",
    );
    world.skip(bounty);
    world.row(
        "miner-1",
        Action::RevealSubmission { bounty, body },
        "wrong_phase",
    );
}

#[test]
fn a_submission_of_another_bounty_is_not_known_here() {
    let mut world = world();
    let one = world.post(|_| ());
    let two = world.post(|_| ());
    world.commit("miner-1", one, "a");
    let foreign = world.commit("miner-1", two, "b");
    world.bring_to_reveal(one);
    let body = RevealSubmission {
        submission: foreign,
        key: seal_key("b"),
    };
    world.row(
        "miner-1",
        Action::RevealSubmission { bounty: one, body },
        "unknown_submission",
    );
}

#[test]
fn unrevealed_submissions_are_out_and_their_bonds_forfeited() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let shown = world.commit("miner-1", bounty, "shown");
    world.commit("miner-2", bounty, "hidden");
    world.bring_to_reveal(bounty);
    world.reveal(shown);
    world.phase_ends(
        bounty,
        &[
            "hidden NotRevealed",
            "bond:hidden -100, burned +50, fee:hidden -30, miner-2 +30, sponsor +50",
            "seated score 0 eve-1 eve-2 eve-3",
            "phase Score",
        ],
    );
}

#[test]
fn a_bounty_in_which_nobody_reveals_settles_at_once() {
    let mut world = world();
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "hidden");
    world.bring_to_reveal(bounty);
    world.phase_ends(
        bounty,
        &[
            "hidden NotRevealed",
            "phase Settled",
            "bond -2000, bond:hidden -100, burned +50, fee:hidden -30, miner-1 +30, \
             reward -10000, sponsor +12050",
        ],
    );
}

#[test]
fn the_sponsor_is_made_good_for_at_most_its_own_bond_over_all_forfeits() {
    // Three miners hide and one submission does not open: each forfeit offers the
    // sponsor 50, and the sponsor's own bond was 120.
    let mut world = World::with(
        Parameters {
            sponsor_bond_ppm: 12_000,
            ..parameters()
        },
        &[],
    );
    world.evaluators(3);
    let bounty = world.post(|_| ());
    for label in ["a", "b"] {
        world.commit("miner-1", bounty, label);
    }
    let broken = world.commit("miner-2", bounty, "broken");
    world.commit("miner-2", bounty, "good");
    world.bring_to_reveal(bounty);
    world.reveal(broken);
    world.phase_ends(
        bounty,
        &[
            "a NotRevealed",
            "b NotRevealed",
            "good NotRevealed",
            "bond:a -100, bond:b -100, bond:good -100, burned +180, fee:a -30, fee:b -30, \
             fee:good -30, miner-1 +60, miner-2 +30, sponsor +120",
            "seated score 0 eve-1 eve-2 eve-3",
            "phase Score",
        ],
    );
    world.bring_to_challenge(bounty, &[protocol::report::Outcome::BadSeal { chunk: 0 }]);
    world.phase_ends(
        bounty,
        &[
            "broken BadSeal",
            "phase Settled",
            "bond -120, bond:broken -100, burned +100, eve-1 +10, eve-2 +10, eve-3 +10, \
             fee:broken -30, reward -10000, sponsor +10120",
        ],
    );
}

#[test]
fn deadlines_beyond_the_budget_wait_for_the_next_block_and_are_still_over() {
    let (mut world, last) = bounties_due_at_once();
    let due = world.until(last);
    let late = world.commit_action("miner-1", last, "late", &[]);
    let key = world.test_key(last);
    let receipts = world.block(
        due,
        &[
            ("miner-1", late),
            ("backer-1", back(last, 50)),
            ("sponsor", cancel(last)),
            // After the deadline it is no leak, and the phase for it begins with the next block.
            ("sponsor", key),
        ],
    );
    let shown: Vec<String> = receipts.iter().map(|receipt| world.show(receipt)).collect();
    assert_eq!(receipts.len(), ENDED_PER_BLOCK + 4);
    assert_eq!(shown[ENDED_PER_BLOCK..], ["phase_over"; 4]);
    assert_eq!(world.phase(last), Phase::Open);
    // The last but one was begun, and is ended now.
    let receipts = world.block(due + 1, &[]);
    assert_eq!(receipts.len(), 2);
    assert_eq!(world.phase(last), Phase::Void(VoidReason::NoSubmissions));
}

#[test]
fn a_clock_at_the_end_of_time_does_not_stop_the_rules() {
    let mut world = world();
    world.clock(u64::MAX - 20, &[]);
    let bounty = world.post(|_| ());
    assert_eq!(world.until(bounty), u64::MAX);
    world.row("backer-1", back(bounty, 50), "ok; backer-1 -50, reward +50");
}

#[test]
fn a_bounty_takes_so_many_backers_and_submissions_and_not_one_more() {
    let mut world = world();
    let bounty = world.post(|_| ());
    let (backers, submissions) = (
        market::bounty::BACKERS_MAX as usize,
        protocol::benchmark::SUBMISSIONS_MAX as usize,
    );
    let commit = world.commit_action("miner-1", bounty, "m", &[]);
    let now = world.now();
    for (time_ms, who, action, limit) in [
        (now + 1, "backer-1", back(bounty, 10), backers),
        (now + 2, "miner-1", commit, submissions),
    ] {
        let records = vec![(who, action); limit + 1];
        let receipts = world.block(time_ms, &records);
        let (last, taken) = receipts.split_last().expect("a receipt a record");
        assert!(taken.iter().all(|receipt| receipt.rejected.is_none()));
        assert_eq!(world.show(last), "full", "{who}");
    }
    assert_eq!(world.state.backings(bounty).count(), backers);
    assert_eq!(world.state.submissions(bounty).count(), submissions);
}

#[test]
fn where_leaves_are_large_a_bounty_takes_as_many_submissions_as_their_room_is_for() {
    let mut world = world();
    let large = |p: &mut PostBounty| {
        p.benchmark.examples_max = 1_000_000;
        p.benchmark.task = Task::Classification { classes: 256 };
        p.benchmark.limits.multiply_adds_max = 1;
    };
    let prepaid = |p: &mut PostBounty| {
        large(p);
        p.prepaid = 34;
    };
    let action = world.post_action("sponsor", prepaid);
    world.row("sponsor", action, "prepaid");
    let bounty = world.post(large);
    for place in 0..33 {
        world.commit("miner-1", bounty, &format!("m{place}"));
    }
    let action = world.commit_action("miner-1", bounty, "one more", &[]);
    world.row("miner-1", action, "full");
}
