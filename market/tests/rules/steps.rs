//! Pay by steps, and prepaid fees.

use protocol::receipt::{Phase, Standing, VoidReason};
use protocol::record::*;
use protocol::report::Outcome;
use protocol::{ItemId, Score};

use crate::world::*;

const MINERS: [&str; 4] = ["miner-1", "miner-2", "miner-3", "miner-4"];

/// A settled bounty that is paid by steps: reward 10,000, reserve 500, margin 10. One
/// submission a miner.
fn settled(found: &[Outcome], change: impl FnOnce(&mut PostBounty)) -> (World, Vec<ItemId>) {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|posting| {
        posting.pay = Pay::Steps;
        change(posting);
    });
    let ids = (0..found.len())
        .map(|place| world.commit(MINERS[place], bounty, ["a", "b", "c", "d"][place]))
        .collect();
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, found);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Settled);
    (world, ids)
}

/// What each of the miners is awarded for these scores.
fn awards(scores: &[i64], change: impl FnOnce(&mut PostBounty)) -> Vec<i128> {
    let found: Vec<Outcome> = scores
        .iter()
        .zip(["a", "b", "c", "d"])
        .map(|(&score, weights)| scored(score, weights))
        .collect();
    let (world, ids) = settled(&found, change);
    let paid = (0..scores.len()).map(|place| world.gain(MINERS[place]) + 30);
    let paid: Vec<i128> = paid.collect();
    let sum: i128 = paid.iter().sum();
    assert_eq!(world.gain("sponsor"), -sum, "{scores:?}");
    for (&id, &award) in ids.iter().zip(&paid) {
        let won = world.standing(id) == Some(Standing::Won);
        assert_eq!(won, award > 0, "{scores:?}");
        let (_, row) = world.state.submission(id).expect("it is kept");
        assert_eq!(row.award.base_units() as i128, award, "{scores:?}");
    }
    paid
}

#[test]
fn each_step_above_the_best_so_far_is_paid_in_proportion() {
    for (scores, expected) in [
        // One takes all, if it is above the reserve by more than the margin.
        (&[510][..], &[0][..]),
        (&[511], &[10_000]),
        (&[i64::MAX], &[10_000]),
        (&[499], &[0]),
        (&[i64::MIN], &[0]),
        // 100, 100 and 200 of 400.
        (&[600, 700, 900], &[2_500, 2_500, 5_000]),
        // The later one that is no better gets nothing, nor does it move the best.
        (&[600, 610, 611], &[9_010, 0, 990]),
        (&[600, 500, 700], &[5_000, 0, 5_000]),
        (&[700, 600, 650, 720], &[9_091, 0, 0, 909]),
        // Units that do not divide go to the first.
        (&[600, 700, 800], &[3_334, 3_333, 3_333]),
        (&[511, 522, 533, 544], &[2_500, 2_500, 2_500, 2_500]),
        (&[400, 511, 499, 522], &[0, 5_000, 0, 5_000]),
    ] {
        assert_eq!(awards(scores, |_| ()), expected, "{scores:?}");
    }
}

#[test]
fn steps_may_be_as_long_as_scores_go() {
    // 2^63 and 2^63 − 1 of 2^64 − 1.
    let lowest = |p: &mut PostBounty| p.reserve = Score(i64::MIN);
    assert_eq!(awards(&[0, i64::MAX], lowest), [5_001, 4_999]);
    // A margin that no score can overcome.
    assert_eq!(awards(&[i64::MAX], |p| p.margin = u64::MAX), [0]);
}

#[test]
fn backings_are_paid_by_steps_too_and_every_winner_shares_its_model() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|posting| posting.pay = Pay::Steps);
    world.must("backer-1", back(bounty, 10));
    let ids = ["a", "b", "c"].map(|label| world.commit("miner-1", bounty, label));
    world.bring_to_reveal(bounty);
    let found = [scored(600, "a"), scored(600, "b"), scored(800, "c")];
    world.bring_to_challenge(bounty, &found);
    world.phase_ends(
        bounty,
        &[
            "a Won",
            "asset a",
            "b Lost",
            "asset b",
            "c Won",
            "asset c",
            "phase Settled",
            // 3,336.67 and 6,673.33: the unit that is left goes to the first.
            "bond -2000, bond:a -100, bond:b -100, bond:c -100, eve-1 +30, eve-2 +30, eve-3 +30, \
             fee:a -30, fee:b -30, fee:c -30, miner-1 +10310, reward -10010, sponsor +2000",
        ],
    );
    let held = |id, who: &str| {
        let holding = world.state.holding(id, address(who));
        holding.map_or(0, |holding| holding.shares)
    };
    for (id, won) in ids.into_iter().zip([true, false, true]) {
        let shares = ["miner-1", "sponsor", "backer-1"].map(|who| held(id, who));
        let expected = match won {
            true => [600_000, 300_000, 100_000],
            false => [1_000_000, 0, 0],
        };
        assert_eq!(shares, expected);
    }
}

#[test]
fn a_copy_is_no_step() {
    let found = [scored(600, "w"), scored(900, "w"), scored(700, "c")];
    let (world, ids) = settled(&found, |_| ());
    let standings: Vec<_> = ids.iter().map(|&id| world.standing(id)).collect();
    let copied = Standing::Copied(ids[0]);
    assert_eq!(
        standings,
        [Some(Standing::Won), Some(copied), Some(Standing::Won)]
    );
    assert_eq!(world.gain("miner-1"), 5_000 - 30);
    assert_eq!(world.gain("miner-2"), -30);
    assert_eq!(world.gain("miner-3"), 5_000 - 30);
}

#[test]
fn where_nobody_makes_a_step_all_stakes_return() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|posting| posting.pay = Pay::Steps);
    world.must("backer-1", back(bounty, 70));
    world.commit("miner-1", bounty, "a");
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(510, "a")]);
    let gains = ["sponsor", "backer-1", "miner-1"].map(|who| world.gain(who));
    assert_eq!(gains, [0, 0, -30]);
}

// Prepaid fees.

#[test]
fn the_first_submissions_are_evaluated_at_the_sponsors_expense() {
    let mut world = World::new();
    world.evaluators(3);
    let action = world.post_action("sponsor", |p| p.prepaid = 2);
    let receipt = world.send("sponsor", action);
    assert_eq!(
        world.show(&receipt),
        "ok; phase Open; bond +2000, prepaid +60, reward +10000, sponsor -12060"
    );
    let bounty = id_of(&receipt);
    world.label(bounty, "bounty");
    for (label, expected) in [
        ("a", "ok; bond:a +100, fee:a +30, miner-1 -100, prepaid -30"),
        ("b", "ok; bond:b +100, fee:b +30, miner-1 -100, prepaid -30"),
        ("c", "ok; bond:c +100, fee:c +30, miner-1 -130"),
    ] {
        let action = world.commit_action("miner-1", bounty, label, &[]);
        let receipt = world.send("miner-1", action);
        world.sealed(id_of(&receipt), label);
        assert_eq!(world.show(&receipt), expected);
    }
    world.bring_to_reveal(bounty);
    let found = [scored(600, "a"), invalid(), scored(500, "c")];
    world.settle(bounty, &found);
    let gains = ["sponsor", "miner-1", "eve-1"].map(|who| world.gain(who));
    assert_eq!(gains, [-10_060, 10_000 - 30, 30]);
}

/// What of 3 × 30 the sponsor has left in the end, and what the miner, who would
/// have paid nothing.
#[test]
fn prepaid_fees_that_evaluate_nothing_return_to_the_sponsor() {
    let start = || {
        let mut world = World::new();
        world.evaluators(3);
        let bounty = world.post(|p| p.prepaid = 3);
        let ids = ["a", "b"].map(|label| world.commit("miner-1", bounty, label));
        (world, bounty, ids)
    };
    // One is not revealed, one has no verdict, one was never used.
    let (mut world, bounty, [_, b]) = start();
    world.bring_to_reveal(bounty);
    world.reveal(b);
    world.skip(bounty);
    world.settle(bounty, &[Outcome::Unavailable]);
    assert_eq!(world.standing(b), Some(Standing::NoVerdict));
    assert_eq!(
        ["sponsor", "miner-1"].map(|who| world.gain(who)),
        [50, -100]
    );
    // A void bounty; here the sponsor's own fault. Harmed are bonds of 100 alone.
    let (mut world, bounty, _) = start();
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    assert_eq!(
        ["sponsor", "miner-1"].map(|who| world.gain(who)),
        [-2_000, 200]
    );
    // Cancelled.
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|p| p.prepaid = 3);
    world.must("sponsor", cancel(bounty));
    assert_eq!(world.gain("sponsor"), 0);
}

/// The fee is at least five times the price of the counted cost, rounded up for each seat, however few could sit now.
#[test]
fn the_evaluation_fee_is_at_least_the_price_of_the_counted_cost() {
    // 1,000 units for 10^9 multiply-adds; 12,000,001 cost 12.000001, so 13, a seat.
    for (evaluators, least) in [(5, 65), (3, 65), (4, 65), (2, 65), (1, 65)] {
        for (fee, expected) in [(least - 1, Some("evaluation_fee")), (least, None)] {
            let mut world = World::new();
            world.evaluators(evaluators);
            let action = world.post_action("sponsor", |p| {
                costs(&mut p.benchmark, 12_000_001);
                p.evaluation_fee = units(fee);
            });
            let receipt = world.send("sponsor", action);
            assert_eq!(receipt.rejected, expected.map(code), "{evaluators}, {fee}");
        }
    }
}
