//! The sponsor against miners and backers.

use protocol::receipt::{Phase, VoidReason};
use protocol::record::{Action, RevealTestSet};
use protocol::{Amount, ItemId};

use crate::world::*;
use crate::{gains, play, pool};

const PARTIES: [&str; 4] = ["sponsor", "backer-1", "miner-1", "miner-2"];

/// A bounty with a backer and two miners, at the end of its open phase.
fn two_miners() -> (World, ItemId) {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 1_000));
    world.commit("miner-1", bounty, "a");
    world.commit("miner-2", bounty, "b");
    (world, bounty)
}

fn honest() -> [i128; 4] {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 1_000));
    let entries = [
        ("miner-1", "a", scored(600, "a")),
        ("miner-2", "b", scored(700, "b")),
    ];
    play(&mut world, bounty, &entries);
    gains(&world, PARTIES)
}

/// What it costs to spoil a bounty: the bond; who was harmed is made good twice over.
const SPOILT: [i128; 4] = [-2_000, 0, 130, 130];

#[test]
fn an_honest_bounty_pays_its_winner() {
    assert_eq!(honest(), [-10_000, -1_000, -30, 11_000 - 30]);
}

#[test]
fn who_withholds_the_test_set_loses_the_bond_and_sees_no_weights() {
    let (mut world, bounty) = two_miners();
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    assert_eq!(gains(&world, PARTIES), SPOILT);
    let mut submissions = world.state.submissions(bounty);
    assert!(submissions.all(|submission| submission.key.is_none()));
}

/// Bonds follow from the fee. Nobody can pay one near the end of what an amount holds, but no rule may trip over it.
#[test]
fn a_fee_that_no_account_can_hold_stops_no_block() {
    let mut world = pool(3);
    let beyond = world.post_action("sponsor", |p| p.evaluation_fee = Amount::MAX);
    world.row("sponsor", beyond, "overflow");
    let half = Amount::from_base_units(u128::MAX / 2);
    let dear = world.post_action("sponsor", |p| p.evaluation_fee = half);
    world.row("sponsor", dear, "insufficient_funds");
    assert_eq!(world.gain("sponsor"), 0);
}

#[test]
fn who_leaks_the_test_set_loses_the_bond_to_the_first_who_shows_the_key() {
    let (mut world, bounty) = two_miners();
    let leak = world.test_key(bounty);
    world.must("carol", leak);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyLeaked));
    assert_eq!(gains(&world, PARTIES), SPOILT);
}

#[test]
fn who_swaps_the_test_set_finds_the_seal_in_the_way() {
    let (mut world, bounty) = two_miners();
    world.skip(bounty);
    let key = seal_key("another test set");
    let body = RevealTestSet { key };
    let swapped = Action::RevealTestSet { bounty, body };
    world.row("sponsor", swapped, "seal_mismatch");
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    assert_eq!(gains(&world, PARTIES), SPOILT);
}

#[test]
fn who_seals_rubbish_is_found_out_before_any_weights_are_shown() {
    let (mut world, bounty) = two_miners();
    world.bring_to_check(bounty);
    for who in world.checks(bounty) {
        world.must(&who, found(bounty, bad_test_set()));
    }
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::BadTestSet));
    assert_eq!(gains(&world, PARTIES), SPOILT);
    // Who found it is paid a fee out of the bond.
    assert_eq!(gains(&world, ["eve-1", "eve-2", "eve-3"]), [10, 10, 10]);
}

/// A reward of next to nothing makes no work for next to nothing.
#[test]
fn who_seals_rubbish_behind_a_tiny_reward_pays_those_who_look() {
    let mut world = pool(3);
    let bounty = world.post(|p| p.reward = Amount::from_base_units(2));
    world.commit("miner-1", bounty, "a");
    world.bring_to_check(bounty);
    for who in world.checks(bounty) {
        world.must(&who, found(bounty, bad_test_set()));
    }
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::BadTestSet));
    assert_eq!(gains(&world, ["sponsor", "miner-1"]), [-60, 15]);
    assert_eq!(gains(&world, ["eve-1", "eve-2", "eve-3"]), [10, 10, 10]);
}

/// Not prevented: whether labels mean anything, nobody but the sponsor knows.
#[test]
fn a_test_set_that_no_model_meets_shows_the_weights_for_nothing() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let entries = [
        ("miner-1", "a", scored(100, "a")),
        ("miner-2", "b", scored(120, "b")),
    ];
    let ids = play(&mut world, bounty, &entries);
    assert_eq!(gains(&world, PARTIES), [0, 0, -30, -30]);
    // They are their makers' models, under the terms that the sponsor chose.
    for (id, miner) in ids.into_iter().zip(["miner-1", "miner-2"]) {
        let held = world.state.holding(id, address(miner));
        assert_eq!(held.expect("the miner").shares, 1_000_000);
        assert!(world.state.asset(id).expect("a model").key.is_some());
    }
}

/// Not prevented: the bond goes by what the sponsor puts up, not by what backers add.
#[test]
fn a_bond_does_not_grow_with_what_backers_add() {
    let mut world = pool(3);
    let bounty = world.post(|p| p.reward = Amount::from_base_units(100));
    world.must("backer-1", back(bounty, 9_900));
    world.commit("miner-1", bounty, "a");
    world.skip(bounty);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    let gains = gains(&world, ["sponsor", "backer-1", "miner-1"]);
    assert_eq!(gains, [-60, 0, 30]);
}

/// Nine submissions of the sponsor's own stand among those who were harmed.
#[test]
fn a_second_key_among_the_harmed_gets_back_at_most_half_of_the_bond() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "a");
    for number in 0..9 {
        world.commit("second key", bounty, &format!("own {number}"));
    }
    world.skip(bounty);
    world.skip(bounty);
    // 1,000 for ten who risked 130 each. Nobody honest pays for it.
    let gains = gains(&world, ["sponsor", "second key", "miner-1"]);
    assert_eq!(gains, [-2_000, 900, 100]);
}

/// Not prevented: the sponsor knows the labels. It is said to backers before they stake.
#[test]
fn a_sponsors_second_key_can_win_what_backers_have_staked() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 1_000));
    let entries = [
        ("miner-1", "a", scored(600, "a")),
        ("miner-2", "b", scored(700, "b")),
        ("second key", "labels", scored(1_000, "labels")),
    ];
    let ids = play(&mut world, bounty, &entries);
    assert_eq!(gains(&world, PARTIES), [-10_000, -1_000, -30, -30]);
    // Sponsor and second key together: the backer's stake, less one evaluation fee.
    assert_eq!(world.gain("second key"), 11_000 - 30);
    // The backer holds a part of that model, as of any other winner.
    let held = world.state.holding(ids[2], address("backer-1"));
    assert_eq!(held.expect("a backer").shares, 100_000);
}

#[test]
fn a_sponsors_second_key_gains_nothing_where_nobody_backs() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let entries = [("second key", "labels", scored(1_000, "labels"))];
    play(&mut world, bounty, &entries);
    let both = world.gain("sponsor") + world.gain("second key");
    assert_eq!(both, -30, "the evaluation fee");
}

#[test]
fn a_sponsor_cannot_take_a_bounty_back_once_somebody_has_worked_for_it() {
    let (mut world, bounty) = two_miners();
    world.row("sponsor", cancel(bounty), "has_submissions");
}
