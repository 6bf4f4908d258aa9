//! From the verdicts to the payout: ranking, awards, fees, bonds, models.

use protocol::ItemId;
use protocol::receipt::{Phase, Standing, VoidReason};
use protocol::record::*;
use protocol::report::Outcome;

use crate::world::*;

const MINERS: [&str; 4] = ["miner-1", "miner-2", "miner-3", "miner-4"];

/// A bounty with one submission a miner, all of them at the reveal.
fn revealing(
    world: &mut World,
    submissions: usize,
    change: impl FnOnce(&mut PostBounty),
) -> (ItemId, Vec<ItemId>) {
    if world.state.evaluators().next().is_none() {
        world.evaluators(3);
    }
    let bounty = world.post(change);
    let ids = (0..submissions)
        .map(|place| world.commit(MINERS[place], bounty, ["a", "b", "c", "d"][place]))
        .collect();
    world.bring_to_reveal(bounty);
    (bounty, ids)
}

/// The standings that these scores give, reserve 500 and margin 10.
fn ranked(scores: &[i64]) -> Vec<Standing> {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, scores.len(), |_| ());
    let outcomes: Vec<Outcome> = scores
        .iter()
        .zip(["a", "b", "c", "d"])
        .map(|(&score, weights)| scored(score, weights))
        .collect();
    world.settle(bounty, &outcomes);
    ids.into_iter()
        .map(|id| world.standing(id).expect("it settled"))
        .collect()
}

#[test]
fn the_best_wins_and_within_the_margin_the_earlier() {
    let winner = |scores: &[i64]| {
        let standings = ranked(scores);
        let lost = standings.iter().filter(|s| **s == Standing::Lost).count();
        let won = standings.iter().position(|s| *s == Standing::Won);
        assert_eq!(lost, scores.len() - usize::from(won.is_some()));
        won
    };
    for (scores, expected) in [
        // The reserve is enough, a billionth less is not.
        (&[500][..], Some(0)),
        (&[499], None),
        (&[i64::MIN], None),
        (&[i64::MAX], Some(0)),
        // A tie, within the margin, at the margin, above it.
        (&[600, 600], Some(0)),
        (&[600, 609], Some(0)),
        (&[600, 610], Some(0)),
        (&[600, 611], Some(1)),
        (&[611, 600], Some(0)),
        // Who is below the reserve leads nobody.
        (&[499, 500], Some(1)),
        (&[500, 499, 511], Some(2)),
        // A newcomer is measured against who leads.
        (&[600, 609, 611], Some(2)),
        (&[600, 611, 621], Some(1)),
        (&[600, 611, 621, 622], Some(3)),
        (&[499, 498, 497, 496], None),
    ] {
        assert_eq!(winner(scores), expected, "{scores:?}");
    }
}

#[test]
fn the_winner_takes_reward_and_stakes_and_the_shares_are_divided() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 300));
    world.must("backer-2", back(bounty, 600));
    world.must("backer-1", back(bounty, 10));
    let a = world.commit("miner-1", bounty, "a");
    let b = world.commit("miner-2", bounty, "b");
    world.bring_to_reveal(bounty);
    let receipts = world.bring_to_challenge(bounty, &[scored(600, "a"), scored(700, "b")]);
    assert_eq!(
        world.show(&receipts[0]),
        "verdict a scored 3 []; verdict b scored 3 []; phase Challenge"
    );
    world.phase_ends(
        bounty,
        &[
            "a Lost",
            "asset a",
            "b Won",
            "asset b",
            "phase Settled",
            "bond -2000, bond:a -100, bond:b -100, eve-1 +20, eve-2 +20, eve-3 +20, fee:a -30, \
             fee:b -30, miner-1 +100, miner-2 +11010, reward -10910, sponsor +2000",
        ],
    );
    let shares = |world: &World, asset, who: &str| {
        let holder = address(who);
        let mut holdings = world.state.holdings(asset);
        holdings
            .find(|(account, _)| *account == holder)
            .map_or(0, |(_, held)| held.shares)
    };
    assert_eq!(shares(&world, a, "miner-1"), 1_000_000);
    // 100,000 by stakes of 300, 600 and 10; what does not divide goes to the first.
    for (who, held) in [
        ("miner-2", 600_000),
        ("sponsor", 300_000),
        ("backer-1", 32_968 + 1_098),
        ("backer-2", 65_934),
    ] {
        assert_eq!(shares(&world, b, who), held, "{who}");
    }
    let asset = world.state.asset(b).expect("registered");
    assert_eq!(asset.maker, address("miner-2"));
    assert_eq!(asset.bounty, Some(bounty));
    assert_eq!(asset.terms.to_tags(), priced(1_000_000));
    assert_eq!(asset.weights_digest, Some(digest("b")));
    let forgotten_ms = world.until(bounty) + 50_000;
    assert_eq!(world.state.next_deadline_ms(), Some(forgotten_ms));
}

#[test]
fn without_backers_their_shares_are_the_sponsors() {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 1, |_| ());
    world.settle(bounty, &[scored(600, "a")]);
    let holdings: Vec<_> = world
        .state
        .holdings(ids[0])
        .map(|(who, held)| (who, held.shares))
        .collect();
    assert_eq!(holdings.len(), 2);
    assert!(holdings.contains(&(address("miner-1"), 600_000)));
    assert!(holdings.contains(&(address("sponsor"), 400_000)));
}

#[test]
fn a_miner_who_is_sponsor_and_backer_too_holds_all_parts_together() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    world.must("sponsor", back(bounty, 10));
    let id = world.commit("sponsor", bounty, "a");
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    let holdings: Vec<_> = world
        .state
        .holdings(id)
        .map(|(who, held)| (who, held.shares))
        .collect();
    assert_eq!(holdings, [(address("sponsor"), 1_000_000)]);
}

#[test]
fn below_the_reserve_stakes_return_and_models_stay_their_miners() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 300));
    let id = world.commit("miner-1", bounty, "a");
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, &[scored(499, "a")]);
    world.phase_ends(
        bounty,
        &[
            "a Lost",
            "asset a",
            "phase Settled",
            "backer-1 +300, bond -2000, bond:a -100, eve-1 +10, eve-2 +10, eve-3 +10, fee:a -30, \
             miner-1 +100, reward -10300, sponsor +12000",
        ],
    );
    let holdings: Vec<_> = world
        .state
        .holdings(id)
        .map(|(who, held)| (who, held.shares))
        .collect();
    assert_eq!(holdings, [(address("miner-1"), 1_000_000)]);
}

#[test]
fn every_outcome_has_its_standing_and_its_price() {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 4, |_| ());
    let found = [
        Outcome::BadSeal { chunk: 7 },
        invalid(),
        Outcome::Unavailable,
        scored(700, "d"),
    ];
    let receipts = world.bring_to_challenge(bounty, &found);
    // Three more rounds for what was not available.
    assert_eq!(
        world.lines(&receipts),
        [
            "verdict a bad_seal 3 []",
            "verdict b invalid 3 []",
            "verdict d scored 3 []",
            "phase Score",
            "phase Score",
            "phase Score",
            "phase Challenge"
        ]
    );
    world.phase_ends(
        bounty,
        &[
            "a BadSeal",
            "b Invalid",
            "c NoVerdict",
            "d Won",
            "asset d",
            "phase Settled",
            "bond -2000, bond:a -100, bond:b -100, bond:c -100, bond:d -100, burned +50, \
             eve-1 +30, eve-2 +30, eve-3 +30, fee:a -30, fee:b -30, fee:c -30, fee:d -30, \
             miner-2 +100, miner-3 +130, miner-4 +10100, reward -10000, sponsor +2050",
        ],
    );
    assert!(world.state.asset(ids[0]).is_none());
}

#[test]
fn the_same_weights_count_for_the_first_who_committed() {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 3, |_| ());
    world.bring_to_challenge(
        bounty,
        &[scored(600, "w"), scored(999, "w"), scored(900, "w")],
    );
    world.phase_ends(
        bounty,
        &[
            "a Won",
            "asset a",
            "b Copied(a)",
            "c Copied(a)",
            "phase Settled",
            "bond -2000, bond:a -100, bond:b -100, bond:c -100, eve-1 +30, eve-2 +30, eve-3 +30, \
             fee:a -30, fee:b -30, fee:c -30, miner-1 +10100, miner-2 +100, miner-3 +100, \
             reward -10000, sponsor +2000",
        ],
    );
    assert!(world.state.asset(ids[1]).is_none());
}

#[test]
fn weights_that_were_an_asset_before_the_commitment_are_out() {
    let mut world = World::new();
    let registered = world.must("carol", model("w", priced(5), &[]));
    world.label(registered, "import");
    let (bounty, _) = revealing(&mut world, 1, |_| ());
    world.bring_to_challenge(bounty, &[scored(999, "w")]);
    world.phase_ends(
        bounty,
        &[
            "a Copied(import)",
            "phase Settled",
            "bond -2000, bond:a -100, eve-1 +10, eve-2 +10, eve-3 +10, fee:a -30, miner-1 +100, \
             reward -10000, sponsor +12000",
        ],
    );
}

#[test]
fn who_registers_revealed_weights_takes_no_award_from_their_miner() {
    // The weights are public from the reveal on; somebody registers them before settlement.
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 1, |_| ());
    world.bring_to_challenge(bounty, &[scored(999, "w")]);
    let import = world.must("carol", model("w", priced(5), &[]));
    let receipts = world.skip(bounty);
    assert!(world.show(&receipts[0]).starts_with("a Won; asset a; "));
    // From then on the earlier commitment holds the weights.
    let again = world.send("bob", model("w", priced(5), &[]));
    assert_eq!(world.show(&again), "weights_taken");
    assert!(world.state.asset(import).is_some());
    let (later, _) = {
        let bounty = world.post(|_| ());
        world.commit("miner-2", bounty, "x");
        world.bring_to_reveal(bounty);
        world.bring_to_challenge(bounty, &[scored(999, "w")]);
        (bounty, ())
    };
    let receipts = world.skip(later);
    assert!(world.show(&receipts[0]).starts_with("x Copied(a); "));
    assert_eq!(world.standing(ids[0]), Some(Standing::Won));
}

#[test]
fn an_import_of_the_same_block_counts_by_its_place() {
    for import_first in [true, false] {
        let mut world = World::new();
        world.evaluators(3);
        let bounty = world.post(|_| ());
        let import = ("carol", model("w", priced(5), &[]));
        let commit = ("miner-1", world.commit_action("miner-1", bounty, "a", &[]));
        let records = match import_first {
            true => [import, commit],
            false => [commit, import],
        };
        let receipts = world.block(world.now() + 1, &records);
        let place = usize::from(import_first);
        let submission = id_of(&receipts[place]);
        world.sealed(submission, "a");
        world.bring_to_reveal(bounty);
        world.settle(bounty, &[scored(999, "w")]);
        let expected = match import_first {
            true => Standing::Copied(id_of(&receipts[0])),
            false => Standing::Won,
        };
        assert_eq!(world.standing(submission), Some(expected));
    }
}

#[test]
fn an_earlier_commitment_elsewhere_is_no_copy_of_a_later_one_that_settled_first() {
    let mut world = World::new();
    world.evaluators(3);
    let slow = world.post(|p| p.schedule.open_ms = 60_000);
    let early = world.commit("miner-1", slow, "early");
    let (fast, ids) = revealing(&mut world, 1, |_| ());
    world.settle(fast, &[scored(999, "w")]);
    assert_eq!(world.standing(ids[0]), Some(Standing::Won));
    world.bring_to_reveal(slow);
    world.settle(slow, &[scored(999, "w")]);
    assert_eq!(world.standing(early), Some(Standing::Won));
}

#[test]
fn one_miner_may_submit_often_and_is_ranked_each_time() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    let ids: Vec<ItemId> = ["x", "y", "z"]
        .map(|label| world.commit("miner-1", bounty, label))
        .to_vec();
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(
        bounty,
        &[scored(600, "x"), scored(800, "y"), scored(700, "z")],
    );
    world.skip(bounty);
    let standings = ids
        .iter()
        .map(|&id| world.standing(id).expect("it settled"));
    assert_eq!(
        standings.collect::<Vec<_>>(),
        [Standing::Lost, Standing::Won, Standing::Lost]
    );
}

/// Where all are asked, keys earn nothing: a fee is shared by what words weigh.
#[test]
fn where_all_are_asked_fees_are_shared_by_weight() {
    let mut world = World::pool(parameters(), 10, &[]);
    let large = ["eve-1", "eve-2", "eve-3"];
    for who in large {
        world.must(who, join(30_000));
    }
    let bounty = world.post(|p| p.evaluation_fee = units(1_800));
    world.commit("miner-1", bounty, "m");
    world.bring_to_score(bounty);
    let seats = world.asked(bounty);
    let liar = seats.iter().find(|who| !large.contains(&who.as_str()));
    let liar = liar.expect("a small one sits").clone();
    let word = |who: &str| match who == liar {
        true => invalid(),
        false => scored(600, "m"),
    };
    while world.phase(bounty) == Phase::Score {
        world.round(bounty, |who, _| Some(word(who)));
    }
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Settled);
    for number in 1..=10 {
        let who = format!("eve-{number}");
        let expected = match who.as_str() {
            who if who == liar => 0,
            who if large.contains(&who) => 400,
            _ => 100,
        };
        assert_eq!(world.gain(&who), expected, "{who}");
    }
}

#[test]
fn a_fee_that_does_not_divide_leaves_its_units_to_the_first_seats() {
    let mut world = World::new();
    let (bounty, _) = revealing(&mut world, 1, |p| p.evaluation_fee = units(32));
    world.settle(bounty, &[scored(600, "a")]);
    let mut seats = ["eve-1", "eve-2", "eve-3"].map(|who| (address(who), world.gain(who)));
    seats.sort_unstable();
    let parts = seats.map(|(_, part)| part);
    assert_eq!(parts, [11, 11, 10], "in the order of the seats' addresses");
}

#[test]
fn a_bounty_that_ended_takes_no_more_records() {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 1, |_| ());
    world.bring_to_challenge(bounty, &[scored(999, "a")]);
    let late = world.batch("eve-1", bounty, &[scored(999, "a")]);
    world.row(
        "eve-1",
        world.commitment("eve-1", bounty, &late),
        "wrong_phase",
    );
    world.skip(bounty);
    let key = world.key_action(ids[0]);
    for (who, action) in [
        ("backer-1", back(bounty, 5)),
        ("sponsor", Action::CancelBounty { bounty }),
        ("sponsor", world.test_key(bounty)),
        ("miner-1", world.commit_action("miner-1", bounty, "n", &[])),
        ("miner-1", key),
        ("eve-1", world.commitment("eve-1", bounty, &late)),
        (
            "eve-1",
            Action::RevealAttestations {
                bounty,
                body: late.clone(),
            },
        ),
    ] {
        world.row(who, action, "wrong_phase");
    }
}

#[test]
fn too_few_words_leave_no_verdict_and_are_nobodys_fault() {
    let mut world = World::new();
    let (bounty, ids) = revealing(&mut world, 1, |_| ());
    world.reveal(ids[0]);
    world.skip(bounty);
    let one = |who: &str, _: &str| (who == "eve-1").then(|| scored(600, "a"));
    let receipts = world.round(bounty, one);
    // Two silent seats lose 50 each, half of it for the miner.
    assert_eq!(
        world.lines(&receipts),
        [
            "score seat eve-2 silent",
            "score seat eve-3 silent",
            "burned +50, harm +50, seat:eve-2 -50, seat:eve-3 -50",
            "phase Score",
        ]
    );
    // Nobody is there to be drawn, three times.
    for _ in 0..2 {
        assert_eq!(world.round(bounty, one).len(), 2);
    }
    // All are asked, and its word is a third of them.
    let receipts = world.round(bounty, one);
    assert_eq!(world.lines(&receipts), ["phase Challenge"]);
    world.phase_ends(
        bounty,
        &[
            "a NoVerdict",
            "phase Settled",
            "bond -2000, bond:a -100, fee:a -30, harm -50, miner-1 +180, reward -10000, \
             sponsor +12000",
        ],
    );
    assert_eq!(world.standing(ids[0]), Some(Standing::NoVerdict));
    assert_eq!(world.gain("eve-1"), 0, "its word brought no verdict");
}

/// With two thirds of what all have it is enough, whoever sleeps.
#[test]
fn one_who_speaks_is_enough_with_two_thirds_of_the_stake() {
    for (more, standing) in [(29_000, Standing::NoVerdict), (30_000, Standing::Won)] {
        let mut world = World::new();
        let (bounty, ids) = revealing(&mut world, 1, |_| ());
        world.must("eve-1", join(more));
        world.reveal(ids[0]);
        world.skip(bounty);
        let one = |who: &str, _: &str| (who == "eve-1").then(|| scored(600, "a"));
        while world.phase(bounty) == Phase::Score {
            world.round(bounty, one);
        }
        world.skip(bounty);
        // The two have failed, and have 9,950 each: 39,000 are 66.2 % of all, 40,000 are 66.8.
        assert_eq!(world.standing(ids[0]), Some(standing), "{more}");
    }
}

/// The holders of a model that won under this split, whose parents ask for so much.
fn held(split: [u32; 3], required: &[&str], unnamed: &[&str]) -> Vec<(protocol::Address, u32)> {
    let mut world = World::new();
    world.evaluators(3);
    let mut register = |percents: &[&str]| -> Vec<ItemId> {
        let parents = percents.iter();
        let parents = parents.map(|it| world.must("carol", model(it, sharing(it, 9), &[])));
        parents.collect()
    };
    let (required, unnamed) = (register(required), register(unnamed));
    let bounty = world.post(|p| {
        p.model_terms = pairs(&sharing("1%", 9));
        p.parents = named(&required, &[]);
        p.split = RoyaltySplit {
            miner: split[0],
            sponsor: split[1],
            backers: split[2],
        };
    });
    world.must("backer-1", back(bounty, 10));
    let mut unnamed = unnamed;
    unnamed.sort_unstable();
    let id = world.commit_child("miner-1", bounty, "a", &unnamed);
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    assert_eq!(world.standing(id), Some(Standing::Won));
    let holdings = world.state.holdings(id);
    holdings.map(|(who, held)| (who, held.shares)).collect()
}

#[test]
fn who_has_no_part_in_the_split_holds_no_shares() {
    let holders = |shares: [u32; 3]| {
        let who = ["miner-1", "sponsor", "backer-1"].map(address);
        let mut held: Vec<_> = who.into_iter().zip(shares).collect();
        held.retain(|&(_, shares)| shares > 0);
        held.sort_unstable();
        held
    };
    for (split, required, unnamed, shares) in [
        ([1_000_000, 0, 0], &[][..], &[][..], [1_000_000, 0, 0]),
        ([0, 1_000_000, 0], &[], &[], [0, 1_000_000, 0]),
        ([0, 0, 1_000_000], &[], &[], [0, 0, 1_000_000]),
        ([400_000, 0, 600_000], &[], &[], [400_000, 0, 600_000]),
        // Named parents that take all of the income leave the split as it is.
        (
            [600_000, 300_000, 100_000],
            &["60%", "40%"],
            &[],
            [600_000, 300_000, 100_000],
        ),
        // Unnamed ones that do can only be paid where all shares are the miner's.
        ([1_000_000, 0, 0], &[], &["60%", "40%"], [1_000_000, 0, 0]),
        // A half of what the named one leaves: the others' shares double.
        (
            [600_000, 300_000, 100_000],
            &["20%"],
            &["40%"],
            [200_000, 600_000, 200_000],
        ),
        ([600_000, 400_000, 0], &[], &["60%"], [0, 1_000_000, 0]),
        // 0 stays 0.
        ([600_000, 0, 400_000], &[], &["50%"], [200_000, 0, 800_000]),
    ] {
        assert_eq!(held(split, required, unnamed), holders(shares), "{split:?}");
    }
}

/// A bounty whose miners had nothing at risk: nobody was harmed.
#[test]
fn a_forfeit_that_harmed_nobody_is_burned() {
    use protocol::receipt::Purse;
    let free = Parameters {
        evaluation_fee_min: units(0),
        evaluation_price: units(0),
        ..parameters()
    };
    let mut world = World::with(free, &[]);
    world.evaluators(1);
    let bounty = world.post(|p| {
        p.reward = units(10);
        p.evaluation_fee = units(0);
    });
    world.commit("miner-1", bounty, "m");
    world.skip(bounty);
    let before = world.state.balance(Purse::Burned).base_units();
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    let burned = world.state.balance(Purse::Burned).base_units() - before;
    assert_eq!(burned, 2, "the whole bond");
    assert_eq!(["sponsor", "miner-1"].map(|who| world.gain(who)), [-2, 0]);
}

#[test]
fn rewards_may_be_larger_than_thirty_two_bits() {
    for pay in [Pay::WinnerTakesAll, Pay::Steps] {
        let no_seats = Parameters {
            seat_stake_ppm: 0,
            ..parameters()
        };
        let mut world = World::with(no_seats, &[]);
        world.evaluators(1);
        for who in ["alice", "bob", "carol", "buyer", "miner-3", "miner-4"] {
            world.must(who, transfer("sponsor", 900_000_000));
        }
        let bounty = world.post(|p| {
            p.reward = units(5_000_000_000);
            p.pay = pay;
        });
        world.commit("miner-1", bounty, "a");
        world.bring_to_reveal(bounty);
        world.settle(bounty, &[scored(600, "a")]);
        assert_eq!(world.gain("miner-1"), 5_000_000_000 - 30);
    }
}

/// Who did not reveal is not harmed by what seats leave undone after the reveal.
#[test]
fn who_is_out_has_no_part_in_what_seats_forfeit() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let shown = world.commit("miner-1", bounty, "shown");
    world.commit("miner-2", bounty, "hidden");
    world.bring_to_reveal(bounty);
    world.reveal(shown);
    world.skip(bounty);
    for _ in 0..4 {
        world.round(bounty, |_, _| None);
    }
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
    let gains = ["miner-1", "miner-2", "eve-1"].map(|who| world.gain(who));
    assert_eq!(gains, [25, -100, -50]);
}
