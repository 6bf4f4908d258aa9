//! Evaluators who lie, sleep, copy, or will not say.

use protocol::ItemId;
use protocol::receipt::{Phase, Purse, VoidReason};
use protocol::record::{Action, Parameters};
use protocol::report::Outcome;

use crate::world::*;
use crate::{gains, play, pool, pool_with};

const PARTIES: [&str; 3] = ["sponsor", "miner-1", "miner-2"];

/// A bounty whose panel of five is drawn: the better model is the second miner's.
fn scoring(evaluators: usize) -> (World, ItemId, Vec<String>) {
    let mut world = pool(evaluators);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "a");
    world.commit("miner-2", bounty, "b");
    world.bring_to_score(bounty);
    let seats = world.asked(bounty);
    assert_eq!(seats.len(), 5);
    (world, bounty, seats)
}

fn truth(label: &str) -> Outcome {
    scored(if label == "a" { 600 } else { 700 }, label)
}

/// A word for the worse model.
fn lie(label: &str) -> Outcome {
    scored(if label == "a" { 900 } else { 100 }, label)
}

/// Rounds until scoring is over, in which these evaluators say what `word` gives.
fn score(
    world: &mut World,
    bounty: ItemId,
    bad: &[String],
    word: impl Fn(&str) -> Option<Outcome>,
) -> usize {
    let mut rounds = 0;
    while world.phase(bounty) == Phase::Score {
        world.round(bounty, |who, label| {
            match bad.iter().any(|name| name == who) {
                true => word(label),
                false => Some(truth(label)),
            }
        });
        rounds += 1;
    }
    if world.phase(bounty) == Phase::Challenge {
        world.skip(bounty);
    }
    rounds
}

/// Each fee of 30 among the four who were right: 8, 8, 7, 7, by address.
fn paid(world: &World, seats: &[String]) -> Vec<i128> {
    let mut gains: Vec<i128> = seats.iter().map(|who| world.gain(who)).collect();
    gains.sort_unstable();
    gains
}

const HONEST: [i128; 3] = [-10_000, -30, 9_970];

#[test]
fn five_who_are_honest_share_the_fees() {
    let (mut world, bounty, seats) = scoring(5);
    assert_eq!(score(&mut world, bounty, &[], |_| None), 1);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert_eq!(paid(&world, &seats), [12; 5]);
}

#[test]
fn who_lies_alone_is_outvoted_and_not_paid() {
    let (mut world, bounty, seats) = scoring(5);
    let bad = &seats[..1];
    assert_eq!(score(&mut world, bounty, bad, |label| Some(lie(label))), 1);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert_eq!(paid(&world, &seats), [0, 14, 14, 16, 16]);
}

/// Four of five are a quorum of the panel, but one word that differs is enough to
/// ask every evaluator: seven more say what the honest one said, eight of twelve.
#[test]
fn four_of_five_who_lie_are_outvoted_by_all() {
    let (mut world, bounty, seats) = scoring(12);
    let bad = &seats[..4];
    assert_eq!(score(&mut world, bounty, bad, |label| Some(lie(label))), 2);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert_eq!(bad.iter().map(|who| world.gain(who)).sum::<i128>(), 0);
    let everybody = (1..=12).map(|number| world.gain(&format!("eve-{number}")));
    assert_eq!(everybody.sum::<i128>(), 60);
}

/// Not prevented: where four are too many of all evaluators, their lie does not
/// stand, but neither does the truth. Everybody gets back what they put up.
#[test]
fn four_of_seven_who_lie_leave_no_verdict() {
    let (mut world, bounty, seats) = scoring(7);
    let bad = &seats[..4];
    assert_eq!(score(&mut world, bounty, bad, |label| Some(lie(label))), 2);
    assert_eq!(world.phase(bounty), Phase::Settled);
    assert_eq!(gains(&world, PARTIES), [0, 0, 0]);
    assert_eq!(paid(&world, &seats), [0; 5]);
}

/// Nine keys of the least stake beside three evaluators with ten times as much: in a draw and where all are asked it is
/// stake that counts, and keys are nothing.
#[test]
fn many_keys_weigh_what_their_stake_weighs() {
    let mut world = pool(12);
    let honest = ["eve-1", "eve-2", "eve-3"];
    for who in honest {
        world.must(who, join(90_000));
    }
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "a");
    world.commit("miner-2", bounty, "b");
    world.bring_to_score(bounty);
    let keys: Vec<String> = (4..=12).map(|number| format!("eve-{number}")).collect();
    let seats = world.asked(bounty);
    assert!(seats.iter().any(|who| keys.contains(who)), "one sits");
    assert_eq!(
        score(&mut world, bounty, &keys, |label| Some(lie(label))),
        2
    );
    assert_eq!(world.state.seats(bounty).count(), 12);
    assert_eq!(gains(&world, PARTIES), HONEST);
    // Both fees are the honest ones'; by account the keys were three to one.
    assert_eq!(gains(&world, honest), [20, 20, 20]);
    assert_eq!(keys.iter().map(|who| world.gain(who)).sum::<i128>(), 0);
}

/// Three honest evaluators, and two keys with the stake of one seat each: all five sit, four would be a quorum, and the
/// keys say nothing once the weights are shown. Stake decides then.
#[test]
fn keys_that_are_silent_do_not_void_a_bounty() {
    let mut world = pool(5);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.must(who, join(90_000));
    }
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "a");
    world.commit("miner-2", bounty, "b");
    world.bring_to_score(bounty);
    let keys = ["eve-4".to_owned(), "eve-5".to_owned()];
    assert_eq!(world.asked(bounty).len(), 5);
    // Four rounds of the panel; then nobody is left to ask, and the words are counted.
    assert_eq!(score(&mut world, bounty, &keys, |_| None), 4);
    assert_eq!(world.phase(bounty), Phase::Settled);
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 25, 9_970 + 25]);
    assert_eq!(gains(&world, ["eve-4", "eve-5"]), [-50, -50]);
    assert_eq!(gains(&world, ["eve-1", "eve-2", "eve-3"]), [20, 20, 20]);
    // The same in the check.
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "c");
    world.bring_to_check(bounty);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.must(who, found(bounty, protocol::report::TestOutcome::Ok));
    }
    while world.phase(bounty) == Phase::TestCheck {
        world.skip(bounty);
    }
    assert_eq!(world.phase(bounty), Phase::Reveal);
}

/// Where the pool is just large enough, who leaves before submissions close has the bounty void before anything is
/// shown; who leaves once the test key is out has a seat.
#[test]
fn who_leaves_a_pool_that_is_just_large_enough_spends_no_test_set() {
    for is_late in [false, true] {
        let mut world = pool_with(
            Parameters {
                committee_min: 3,
                ..parameters()
            },
            3,
        );
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "a");
        if is_late {
            world.skip(bounty);
            let key = world.test_key(bounty);
            world.must("sponsor", key);
        }
        world.must("eve-1", Action::LeaveEvaluators);
        world.skip(bounty);
        if is_late {
            assert_eq!(world.phase(bounty), Phase::TestCheck);
            world.find_good(bounty);
        } else {
            assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
            let (_, progress) = world.state.bounty(bounty).expect("kept");
            assert!(progress.test_key.is_none());
        }
    }
}

/// The same by a bounty of one's own, with seats for which all that the evaluators have is locked. If its submissions close
/// first, the other is void before anything is shown; once the other's test key is out, or its weights, the evaluators
/// have seats there, and it is the attacker's own that finds nobody.
#[test]
fn who_locks_the_others_stakes_spends_no_test_set_and_no_weights() {
    let people = ["sponsor", "miner-1", "second key", "miner-2"];
    for (closes_after_ms, phase) in [
        (10_000, Phase::Open),
        (21_000, Phase::TestKey),
        (27_000, Phase::Reveal),
    ] {
        let strict = Parameters {
            committee_min: 3,
            ..parameters()
        };
        let mut world = pool_with(strict, 3);
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "a");
        let own = world.post_action("second key", |p| {
            p.reward = units(20_000);
            p.schedule.open_ms = closes_after_ms;
            p.schedule.test_key_ms = 50_000;
        });
        let own = world.must("second key", own);
        world.commit("miner-2", own, "b");
        match phase {
            Phase::TestKey => {
                world.skip(bounty);
                let key = world.test_key(bounty);
                world.must("sponsor", key);
            }
            Phase::Reveal => {
                world.bring_to_reveal(bounty);
                world.reveal_all(bounty);
            }
            _ => (),
        }
        assert_eq!(world.phase(bounty), phase);
        world.skip(own);
        assert_eq!(world.phase(bounty), phase);
        let locked = |world: &World, id| {
            ["eve-1", "eve-2", "eve-3"].map(|who| {
                world
                    .state
                    .balance(Purse::Seat(id, address(who)))
                    .base_units()
            })
        };
        if phase == Phase::Open {
            assert_eq!(locked(&world, own), [10_000; 3]);
            world.skip(bounty);
            assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
            let (_, progress) = world.state.bounty(bounty).expect("kept");
            assert!(progress.test_key.is_none());
            // The stakes cost a fee, where the attacker wins its own reward.
            let key = world.test_key(own);
            world.must("second key", key);
            world.skip(own);
            world.find_good(own);
            world.settle(own, &[scored(700, "b")]);
            assert_eq!(gains(&world, people), [0, 0, -20_000, 19_970]);
        } else {
            assert_eq!(locked(&world, bounty), [5_000; 3]);
            assert_eq!(world.phase(own), Phase::Void(VoidReason::NoQuorum));
            if phase == Phase::TestKey {
                world.skip(bounty);
                world.find_good(bounty);
            }
            world.settle(bounty, &[scored(600, "a")]);
            assert_eq!(gains(&world, people), [-10_000, 9_970, 0, 0]);
        }
        assert_eq!(gains(&world, ["eve-1", "eve-2", "eve-3"]), [10, 10, 10]);
    }
}

/// A pool that is just large enough, and in it an evaluator who would have the weights without the verdict: to leave
/// when the test set is checked, or to be silent in the check, keeps nobody from a panel.
#[test]
fn who_checked_the_test_set_cannot_leave_the_score_without_a_panel() {
    let strict = Parameters {
        committee_min: 3,
        ..parameters()
    };
    for is_silent in [false, true] {
        let mut world = pool_with(strict.clone(), 3);
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "a");
        world.commit("miner-2", bounty, "b");
        world.bring_to_check(bounty);
        for who in ["eve-1", "eve-2", "eve-3"] {
            if who != "eve-3" || !is_silent {
                world.must(who, found(bounty, protocol::report::TestOutcome::Ok));
            }
        }
        world.must("eve-3", protocol::record::Action::LeaveEvaluators);
        while world.phase(bounty) == Phase::TestCheck {
            world.skip(bounty);
        }
        world.show_all(bounty);
        assert_eq!(world.asked(bounty).len(), 3);
        // It says nothing: two of three are enough.
        assert_eq!(
            score(&mut world, bounty, &["eve-3".to_owned()], |_| None),
            1
        );
        let failed = i128::from(is_silent) + 1;
        let [sponsor, one, two] = gains(&world, PARTIES);
        assert_eq!([sponsor, two - one], [-10_000, 10_000]);
        assert_eq!(one, -30 + 25 * failed / 2);
        assert_eq!(world.gain("eve-3"), -50 * failed);
    }
}

/// A seat locks half of what is at stake: where that is next to nothing, so is what it holds back.
#[test]
fn a_bounty_for_next_to_nothing_holds_no_stake_back() {
    let day_ms = 24 * 3_600_000;
    let parameters = Parameters {
        phase_max_ms: 366 * day_ms,
        ..parameters()
    };
    let notice_ms = parameters.unstake_ms;
    let mut world = pool_with(parameters, 5);
    let bounty = world.post(|p| {
        p.reward = units(3);
        p.schedule.test_check_ms = 14 * day_ms;
    });
    world.commit("miner-1", bounty, "a");
    world.bring_to_check(bounty);
    for who in world.checks(bounty) {
        world.must(&who, protocol::record::Action::LeaveEvaluators);
    }
    world.block(world.now() + notice_ms, &[]);
    for who in world.checks(bounty) {
        world.must(&who, protocol::record::Action::LeaveEvaluators);
        // All but the deposit and the seat's one unit, which return when the seat is done.
        let (paid, locked) = (world.bytes_paid(&who), world.deposits(&who));
        assert_eq!(world.balance(&who), FUNDS - paid - locked - 1, "{who}");
    }
}

/// Whoever can make all evaluators work for a bounty, with a word that differs or a model that nobody can score in time,
/// could take them from every other bounty, and have its own keys drawn there. A seat of the round of all locks what it
/// can forfeit, and no longer than that round.
#[test]
fn a_round_of_all_leaves_the_evaluators_to_other_bounties() {
    let (mut world, bounty, seats) = scoring(12);
    let lies = |who: &str| who == seats[0];
    let locked = |world: &World, who: &str| {
        let seat = world.state.balance(Purse::Seat(bounty, address(who)));
        seat.base_units()
    };
    for (rounds, extra_locks) in [(1, 500), (2, 0)] {
        world.round(bounty, |who, label| match lies(who) {
            true => Some(lie(label)),
            false => Some(truth(label)),
        });
        for place in 1..=12 {
            let who = format!("eve-{place}");
            let expected = match seats.contains(&who) {
                true => 5_000,
                false => extra_locks,
            };
            assert_eq!(locked(&world, &who), expected, "{who}, {rounds}");
        }
        if rounds == 1 {
            // All but a twentieth of what each has is free for others: a seat of 9,500, not one of 9,501.
            let post = |world: &World, reward| {
                world.post_action("carol", |posting| posting.reward = units(reward))
            };
            let larger = post(&world, 19_002);
            world.row("carol", larger, "pool_too_small");
            let other = post(&world, 19_000);
            let other = world.must("carol", other);
            world.must("carol", cancel(other));
        }
    }
    assert_eq!(world.phase(bounty), Phase::Challenge);
    world.skip(bounty);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert!((1..=12).all(|place| locked(&world, &format!("eve-{place}")) == 0));
}

/// Not prevented until there are challenges: all five seats, or two thirds of all
/// evaluators, say what they like, and nobody can show it to the ledger.
#[test]
fn a_whole_panel_and_two_thirds_of_all_can_lie() {
    for (evaluators, liars, rounds) in [(12, 5, 1), (6, 4, 2)] {
        let (mut world, bounty, seats) = scoring(evaluators);
        let bad = &seats[..liars];
        let taken = score(&mut world, bounty, bad, |label| Some(lie(label)));
        assert_eq!(taken, rounds);
        assert_eq!(gains(&world, PARTIES), [-10_000, 9_970, -30]);
    }
}

/// Not prevented: who has the evaluators with the largest stakes can back a bounty until nobody else's are large enough
/// for a seat. What it staked returns with the award.
#[test]
fn a_backer_with_the_largest_evaluators_can_take_the_panel() {
    let mut world = pool(11);
    let own = ["eve-9", "eve-10", "eve-11"];
    for who in own {
        world.must(who, join(10_000));
    }
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 10_002));
    let entries = [
        ("miner-1", "a", invalid()),
        ("second key", "b", scored(900, "b")),
    ];
    play(&mut world, bounty, &entries);
    // Seats of 10,001: the fees of 60 show who had them.
    assert_eq!(gains(&world, own), [20, 20, 20]);
    let attacker = gains(&world, ["backer-1", "second key"]);
    assert_eq!(attacker, [-10_002, 20_002 - 30]);
}

/// Not prevented: one who differs makes all others work, at no cost but the fee it
/// would have earned.
#[test]
fn one_liar_makes_every_evaluator_score() {
    let (mut world, bounty, seats) = scoring(12);
    let bad = &seats[..1];
    assert_eq!(score(&mut world, bounty, bad, |label| Some(lie(label))), 2);
    assert_eq!(world.state.seats(bounty).count(), 12);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert_eq!(world.gain(&seats[0]), 0);
    // Two fees of 30 for eleven instead of five.
    let everybody = (1..=12).map(|number| world.gain(&format!("eve-{number}")));
    assert_eq!(everybody.sum::<i128>(), 60);
}

#[test]
fn who_stays_silent_pays_and_the_quorum_holds() {
    let (mut world, bounty, seats) = scoring(5);
    assert_eq!(score(&mut world, bounty, &seats[..1], |_| None), 1);
    // One percent of the seat; half of it to the two miners.
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 12, 9_970 + 12]);
    assert_eq!(paid(&world, &seats), [-50, 14, 14, 16, 16]);
}

#[test]
fn seats_that_stay_silent_are_drawn_again_and_each_one_pays() {
    let (mut world, bounty, seats) = scoring(12);
    // Two of the five, and nobody of those who come after.
    let bad = &seats[..2];
    assert_eq!(score(&mut world, bounty, bad, |_| None), 2);
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 25, 9_970 + 25]);
    assert_eq!(gains(&world, [&bad[0], &bad[1]]), [-50, -50]);
    let everybody = (1..=12).map(|number| world.gain(&format!("eve-{number}")));
    assert_eq!(everybody.sum::<i128>(), 60 - 100);
}

/// A bounty can be voided by who is drawn into it again and again: two seats of the
/// panel and every one that is drawn for them.
#[test]
fn a_bounty_whose_seats_all_sleep_is_void_and_the_sleepers_pay() {
    let (mut world, bounty, _) = scoring(12);
    let everybody: Vec<String> = (1..=12).map(|number| format!("eve-{number}")).collect();
    assert_eq!(score(&mut world, bounty, &everybody, |_| None), 4);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
    // Twelve have failed: 25 each for the miners, at most the 130 they had at risk.
    assert_eq!(gains(&world, PARTIES), [0, 130, 130]);
    assert_eq!(paid(&world, &everybody), [-50; 12]);
}

#[test]
fn who_commits_and_does_not_reveal_pays_ten_times_as_much() {
    let (mut world, bounty, seats) = scoring(5);
    let words = [truth("a"), truth("b")];
    for who in &seats {
        world.commit_batch(who, bounty, &words);
    }
    world.skip(bounty);
    for who in &seats[1..] {
        world.reveal_batch(who, bounty);
    }
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 125, 9_970 + 125]);
    assert_eq!(paid(&world, &seats), [-500, 14, 14, 16, 16]);
}

#[test]
fn who_copies_a_commitment_cannot_open_it() {
    let (mut world, bounty, seats) = scoring(5);
    let words = [truth("a"), truth("b")];
    for who in &seats[1..] {
        world.commit_batch(who, bounty, &words);
    }
    let other = world.batch(&seats[1], bounty, &words);
    let copied = world.commitment(&seats[1], bounty, &other);
    world.must(&seats[0], copied);
    world.skip(bounty);
    for who in &seats[1..] {
        world.reveal_batch(who, bounty);
    }
    // The batch is public now; the commitment is to another author's.
    for action in world.batch_actions(&seats[1], bounty) {
        world.row(&seats[0], action, "commitment_mismatch");
    }
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 125, 9_970 + 125]);
    assert_eq!(paid(&world, &seats), [-500, 14, 14, 16, 16]);
}

#[test]
fn who_always_says_unavailable_is_not_paid() {
    let (mut world, bounty, seats) = scoring(5);
    let word = |_: &str| Some(Outcome::Unavailable);
    assert_eq!(score(&mut world, bounty, &seats[..1], word), 1);
    assert_eq!(gains(&world, PARTIES), HONEST);
    assert_eq!(paid(&world, &seats), [0, 14, 14, 16, 16]);
}

/// It is no word, so it is never punished, and those who say it are not replaced. But
/// when redraws have not helped, everybody is asked, and a quorum of all stands.
#[test]
fn two_of_five_who_say_unavailable_are_outvoted_by_all() {
    let (mut world, bounty, seats) = scoring(12);
    let word = |label: &str| match label {
        "b" => Some(Outcome::Unavailable),
        _ => Some(truth(label)),
    };
    assert_eq!(score(&mut world, bounty, &seats[..2], word), 5);
    assert_eq!(gains(&world, PARTIES), HONEST);
    // The fee of "a" among five, that of "b" among the ten who looked at it.
    assert_eq!(gains(&world, [&seats[0], &seats[1]]), [6, 6]);
    let everybody = (1..=12).map(|number| world.gain(&format!("eve-{number}")));
    assert_eq!(everybody.sum::<i128>(), 60);
}

/// Not prevented: more than a third of all evaluators can keep a verdict from a
/// submission, for nothing but the fee that they do not earn; here the better one,
/// so that the worse one wins.
#[test]
fn more_than_a_third_of_all_who_say_unavailable_keep_a_model_from_its_award() {
    let (mut world, bounty, seats) = scoring(5);
    let word = |label: &str| match label {
        "b" => Some(Outcome::Unavailable),
        _ => Some(truth(label)),
    };
    assert_eq!(score(&mut world, bounty, &seats[..2], word), 4);
    assert_eq!(gains(&world, PARTIES), [-10_000, 9_970, 0]);
    assert_eq!(paid(&world, &seats), [6; 5]);
}

/// The same with the test set: two of five cannot make a bounty void.
#[test]
fn two_of_five_who_cannot_see_the_test_set_are_outvoted_by_all() {
    for (evaluators, phase) in [
        (12, Phase::Reveal),
        // Not prevented: here the two are more than a third of all.
        (5, Phase::Void(VoidReason::NoQuorum)),
    ] {
        let mut world = pool(evaluators);
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "a");
        world.bring_to_check(bounty);
        let seats = world.checks(bounty);
        let mut rounds = 0;
        while world.phase(bounty) == Phase::TestCheck {
            for who in world.checks(bounty) {
                let asked = world
                    .state
                    .checks(bounty)
                    .any(|(account, check)| account == address(&who) && check.word.is_none());
                if asked {
                    let word = match seats[..2].contains(&who) {
                        true => protocol::report::TestOutcome::Unavailable,
                        false => protocol::report::TestOutcome::Ok,
                    };
                    world.must(&who, found(bounty, word));
                }
            }
            world.skip(bounty);
            rounds += 1;
        }
        assert_eq!(rounds, if evaluators == 12 { 5 } else { 4 });
        assert_eq!(world.phase(bounty), phase);
        assert_eq!(world.gain(&seats[0]), 0, "it is no fault");
    }
}

/// Not prevented: the words of a first round are public in the next.
#[test]
fn a_seat_that_is_drawn_again_can_copy_what_was_said() {
    let (mut world, bounty, seats) = scoring(6);
    let bad = &seats[..2];
    world.round(bounty, |who, label| {
        (!bad.iter().any(|name| name == who)).then(|| truth(label))
    });
    let drawn = world.asked(bounty);
    assert_eq!(drawn.len(), 1);
    // It has evaluated nothing, and reads from the log what the others said.
    let said: Vec<Outcome> = (0..2)
        .map(|place| {
            let mut words = world.state.words(bounty, place);
            words.next().expect("three have spoken").1.clone()
        })
        .collect();
    world.commit_batch(&drawn[0], bounty, &said);
    world.skip(bounty);
    world.reveal_batch(&drawn[0], bounty);
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(gains(&world, PARTIES), [-10_000, -30 + 25, 9_970 + 25]);
    assert!([14, 16].contains(&world.gain(&drawn[0])));
}

/// Who takes part does not sit in judgement, so in a small pool an evaluator may not:
/// it would leave too few.
#[test]
fn an_evaluator_of_a_small_pool_cannot_void_a_bounty_by_taking_part() {
    let strict = Parameters {
        committee_min: 3,
        ..parameters()
    };
    for (evaluators, is_refused) in [(3, true), (4, false)] {
        let mut world = pool_with(strict.clone(), evaluators);
        let bounty = world.post(|_| ());
        let take_part = world.commit_action("eve-3", bounty, "spoiler", &[]);
        if is_refused {
            world.row("eve-3", back(bounty, 10), "pool_too_small");
            world.row("eve-3", take_part, "pool_too_small");
        } else {
            world.must("eve-3", take_part);
            // It is no candidate any more, so that it may hand in another; the next
            // one would be one too many.
            world.commit("eve-3", bounty, "another");
            let late = world.commit_action("eve-4", bounty, "late", &[]);
            world.row("eve-4", late, "pool_too_small");
        }
        // Who is no evaluator is not in the way.
        world.commit("miner-1", bounty, "a");
        world.bring_to_check(bounty);
        assert_eq!(world.checks(bounty).len(), 3);
    }
    // A pool that is too small by now is not the fault of a miner who is no evaluator.
    let mut world = pool_with(strict, 3);
    let bounty = world.post(|_| ());
    world.must("eve-3", protocol::record::Action::LeaveEvaluators);
    world.commit("miner-1", bounty, "a");
}

/// The test check: one who differs has all asked; a quorum of all stands.
#[test]
fn a_seat_that_lies_about_the_test_set_is_outvoted() {
    for (liars, phase) in [(1, Phase::Reveal), (4, Phase::Reveal)] {
        let mut world = pool(12);
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "a");
        world.bring_to_check(bounty);
        let seats = world.checks(bounty);
        for (place, who) in seats.iter().enumerate() {
            let word = match place < liars {
                true => bad_test_set(),
                false => protocol::report::TestOutcome::Ok,
            };
            world.must(who, found(bounty, word));
        }
        world.skip(bounty);
        assert_eq!(world.phase(bounty), Phase::TestCheck);
        assert_eq!(world.checks(bounty).len(), 12);
        for who in world.checks(bounty) {
            if !seats.contains(&who) {
                let word = protocol::report::TestOutcome::Ok;
                world.must(&who, found(bounty, word));
            }
        }
        world.skip(bounty);
        assert_eq!(world.phase(bounty), phase);
        assert_eq!(
            world.gain("sponsor"),
            -12_000,
            "reward and bond are still up"
        );
        assert_eq!(world.gain(&seats[0]), 0, "reported, not punished");
    }
}
