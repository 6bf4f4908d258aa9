//! Miners against each other, the sponsor and the evaluators.

use protocol::receipt::Standing;
use protocol::record::{Action, PostBounty};
use protocol::report::Outcome;

use crate::world::*;
use crate::{finish, gains, play, pool};

const PARTIES: [&str; 4] = ["sponsor", "miner-1", "miner-2", "eve-1"];

/// An honest miner beside another one, who shows nothing of these.
fn beside_hidden(labels: &[String]) -> [i128; 4] {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let a = world.commit("miner-1", bounty, "a");
    for label in labels {
        world.commit("miner-2", bounty, label);
    }
    world.bring_to_reveal(bounty);
    world.reveal(a);
    world.skip(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    gains(&world, PARTIES)
}

/// Useless submissions of another miner, and behind them an honest one.
fn flooded(change: impl FnOnce(&mut PostBounty), count: usize) -> World {
    let mut world = pool(3);
    let bounty = world.post(change);
    let labels: Vec<String> = (0..count).map(|number| format!("flood {number}")).collect();
    let mut entries: Vec<(&str, &str, Outcome)> = labels
        .iter()
        .map(|label| ("miner-2", label.as_str(), invalid()))
        .collect();
    entries.push(("miner-1", "a", scored(600, "a")));
    play(&mut world, bounty, &entries);
    world
}

/// One honest miner alone.
fn honest(change: impl FnOnce(&mut PostBounty)) -> [i128; 4] {
    let mut world = pool(3);
    let bounty = world.post(change);
    play(&mut world, bounty, &[("miner-1", "a", scored(600, "a"))]);
    gains(&world, PARTIES)
}

#[test]
fn an_honest_miner_alone_takes_the_reward() {
    assert_eq!(honest(|_| ()), [-10_000, 9_970, 0, 10]);
    assert_eq!(honest(|p| p.prepaid = 1), [-10_030, 10_000, 0, 10]);
}

#[test]
fn a_copied_ciphertext_cannot_be_revealed_by_another() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let first = world.commit("miner-1", bounty, "a");
    let Action::CommitSubmission { terms, body, .. } =
        world.commit_action("miner-1", bounty, "a", &[])
    else {
        unreachable!("it commits")
    };
    let copy = world.must(
        "miner-2",
        Action::CommitSubmission {
            bounty,
            terms,
            body,
        },
    );
    world.sealed(copy, "a");
    world.bring_to_reveal(bounty);
    world.reveal(first);
    world.row("miner-2", world.key_action(copy), "seal_mismatch");
    world.row("miner-2", world.key_action(first), "not_owner");
    world.skip(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    assert_eq!(world.standing(copy), Some(Standing::NotRevealed));
    // The copier's bond, half of it to the sponsor.
    assert_eq!(gains(&world, PARTIES), [-9_950, 9_970, -100, 10]);
}

#[test]
fn plaintext_is_shown_when_it_is_too_late_to_hand_it_in() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let first = world.commit("miner-1", bounty, "a");
    world.bring_to_reveal(bounty);
    world.reveal(first);
    let before = world.bytes_paid("miner-2");
    let copy = world.commit_action("miner-2", bounty, "copy", &[]);
    world.row("miner-2", copy, "wrong_phase");
    assert!(world.bytes_paid("miner-2") > before);
    world.skip(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    assert_eq!(gains(&world, PARTIES), honest(|_| ()));
}

/// Not prevented: reveals are seen one by one, so whoever reveals last chooses which of several
/// models stands before a rival's. An earlier one that is too weak to win, but within the margin below the rival, is enough.
#[test]
fn who_reveals_last_chooses_which_of_its_models_stands() {
    let sides = |holds_back: bool| {
        let mut world = pool(3);
        let bounty = world.post(|_| ());
        let weak = world.commit("miner-2", bounty, "weak");
        let near = world.commit("miner-2", bounty, "near");
        let rival = world.commit("miner-1", bounty, "rival");
        world.bring_to_reveal(bounty);
        world.reveal(rival);
        world.reveal(near);
        let mut outcomes = vec![scored(608, "near"), scored(615, "rival")];
        if !holds_back {
            world.reveal(weak);
            outcomes.insert(0, scored(600, "weak"));
        }
        world.skip(bounty);
        world.settle(bounty, &outcomes);
        gains(&world, PARTIES)
    };
    // The margin is 10: 608 does not stand before 600, and 615 does not before 608.
    assert_eq!(sides(false), [-10_000, 9_970, -60, 30]);
    assert_eq!(sides(true), [-9_950, -30, 9_870, 20]);
}

/// Not prevented: a model that is a little above the rival's, and after it, does not stand before it, but behind a decoy it
/// does. Nothing is held back then, so it costs no bond; the decoy alone wins as well, for one.
#[test]
fn a_model_a_little_above_the_rival_wins_behind_a_decoy() {
    let sides = |shows_decoy: bool, shows_above: bool| {
        let mut world = pool(3);
        let bounty = world.post(|_| ());
        let decoy = world.commit("miner-2", bounty, "decoy");
        let rival = world.commit("miner-1", bounty, "rival");
        let above = world.commit("miner-2", bounty, "above");
        world.bring_to_reveal(bounty);
        world.reveal(rival);
        let mut outcomes = vec![scored(615, "rival")];
        if shows_decoy {
            world.reveal(decoy);
            outcomes.insert(0, scored(608, "decoy"));
        }
        if shows_above {
            world.reveal(above);
            outcomes.push(scored(620, "above"));
        }
        world.skip(bounty);
        world.settle(bounty, &outcomes);
        let mut all = [decoy, rival, above].into_iter();
        let won = all.position(|id| world.standing(id) == Some(Standing::Won));
        (won, gains(&world, PARTIES))
    };
    // The margin is 10: 620 does not stand before 615. But 615 does not before 608, and then 620 does.
    assert_eq!(sides(false, false), (Some(1), [-9_900, 9_970, -200, 10]));
    assert_eq!(sides(false, true), (Some(1), [-9_950, 9_970, -130, 20]));
    assert_eq!(sides(true, true), (Some(2), [-10_000, -30, 9_940, 30]));
    assert_eq!(sides(true, false), (Some(0), [-9_950, -30, 9_870, 20]));
}

/// Whose weights are known early: two bounties, the second one open when the
/// submissions to the first are revealed.
fn handed_into_another(challenge_ms: u64) -> [i128; 3] {
    let mut world = pool(3);
    let slow = world.post(|p| p.schedule.challenge_ms = challenge_ms);
    let own = world.commit("miner-1", slow, "own");
    let other = world.post(|p| p.schedule.open_ms = 30_000);
    world.bring_to_reveal(slow);
    world.reveal(own);
    // From here on everybody has the weights.
    let copy = world.commit("miner-2", other, "copy");
    world.skip(slow);
    world.bring_to_challenge(slow, &[scored(600, "w")]);
    if world.until(slow) < world.until(other) {
        world.skip(slow);
        finish(&mut world, other, &[("miner-2", "copy", scored(600, "w"))]);
        assert_eq!(world.standing(copy), Some(Standing::Copied(own)));
    } else {
        finish(&mut world, other, &[("miner-2", "copy", scored(600, "w"))]);
        assert_eq!(world.standing(copy), Some(Standing::Won));
        world.skip(slow);
    }
    assert_eq!(
        world.standing(own),
        Some(Standing::Won),
        "the first is first"
    );
    gains(&world, ["sponsor", "miner-1", "miner-2"])
}

#[test]
fn weights_of_one_bounty_win_nothing_in_another_that_settles_later() {
    assert_eq!(handed_into_another(7_000), [-10_000, 9_970, -30]);
}

/// Not prevented: weights are claimed when their bounty settles, so a copy that is
/// settled before its original is no copy yet. The original loses nothing by it.
#[test]
fn weights_of_a_slow_bounty_can_win_in_one_that_settles_before_it() {
    assert_eq!(handed_into_another(90_000), [-20_000, 9_970, 9_970]);
}

/// A winner of before, handed in again, to the bit or with one bit changed.
fn again(reserve: i64, weights: &str) -> ([i128; 2], Option<Standing>) {
    let mut world = pool(3);
    let first = world.post(|_| ());
    play(&mut world, first, &[("miner-1", "old", scored(600, "old"))]);
    let second = world.post(|p| p.reserve = protocol::Score(reserve));
    let ids = play(
        &mut world,
        second,
        &[("miner-2", "new", scored(600, weights))],
    );
    // The first bounty has cost 10,000.
    let [sponsor, miner] = gains(&world, ["sponsor", "miner-2"]);
    let standing = world.standing(ids[0]);
    ([sponsor + 10_000, miner], standing)
}

#[test]
fn a_winner_of_before_is_a_copy_and_with_one_bit_changed_it_is_not() {
    let (gains, standing) = again(500, "old");
    assert_eq!(gains, [0, -30]);
    assert!(matches!(standing, Some(Standing::Copied(_))));
    // Not prevented, but by a reserve above the best that is public.
    let (gains, standing) = again(500, "old, one bit changed");
    assert_eq!(gains, [-10_000, 9_970]);
    assert_eq!(standing, Some(Standing::Won));
    let (gains, standing) = again(611, "old, one bit changed");
    assert_eq!(gains, [0, -30]);
    assert_eq!(standing, Some(Standing::Lost));
}

/// Within one bounty the margin stands between a copy and the award.
#[test]
fn a_model_that_is_better_by_the_margin_only_leads_nobody() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let entries = [
        ("miner-1", "a", scored(600, "a")),
        ("miner-2", "b", scored(610, "a, slightly moved")),
    ];
    play(&mut world, bounty, &entries);
    assert_eq!(gains(&world, PARTIES), [-10_000, 9_970, -30, 20]);
}

#[test]
fn who_does_not_reveal_pays_the_sponsor() {
    let hidden = ["hidden".to_owned()];
    assert_eq!(beside_hidden(&hidden), [-9_950, 9_970, -100, 10]);
}

#[test]
fn who_seals_rubbish_pays_the_sponsor_and_the_evaluators() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let entries = [
        ("miner-1", "a", scored(600, "a")),
        ("miner-2", "b", Outcome::BadSeal { chunk: 0 }),
    ];
    play(&mut world, bounty, &entries);
    assert_eq!(gains(&world, PARTIES), [-9_950, 9_970, -130, 20]);
}

/// Forty submissions of no use, with the flooder's own fees.
#[test]
fn a_flood_pays_the_evaluators_and_changes_nothing_for_others() {
    let world = flooded(|_| (), 40);
    assert_eq!(
        gains(&world, PARTIES),
        [-10_000, 9_970, -40 * 30, 10 + 40 * 10]
    );
}

/// Not prevented: who comes first takes the fees that the sponsor has put up. The
/// flooder pays bytes only; the sponsor's loss is at most what was prepaid.
#[test]
fn a_flood_can_use_up_prepaid_fees() {
    let world = flooded(|p| p.prepaid = 10, 10);
    assert_eq!(gains(&world, PARTIES), [-10_300, 9_970, 0, 110]);
    // Each submission has cost more in bytes than it took in fees.
    assert!(world.bytes_paid("miner-2") > 10 * 30);
    // Without the flood the sponsor pays for one, and the others return.
    assert_eq!(honest(|p| p.prepaid = 10), [-10_030, 10_000, 0, 10]);
}

/// A flood that is not revealed costs the bond, which is at least twice the fee.
#[test]
fn a_flood_that_is_not_revealed_costs_more_than_one_that_is() {
    let labels: Vec<String> = (0..50).map(|number| format!("flood {number}")).collect();
    // Halves of 50 a forfeit, up to the sponsor's own bond of 2,000.
    assert_eq!(beside_hidden(&labels), [-10_000 + 2_000, 9_970, -5_000, 10]);
}

/// Under pay by steps a staircase of one's own earns what its last step would.
#[test]
fn cutting_ones_own_step_into_smaller_ones_gains_nothing() {
    let steps = |scores: &[i64]| {
        let mut world = pool(3);
        let bounty = world.post(|p| p.pay = protocol::record::Pay::Steps);
        let labels: Vec<String> = scores.iter().map(|score| format!("w{score}")).collect();
        let mut entries = vec![("miner-1", "a", scored(600, "a"))];
        for (&score, label) in scores.iter().zip(&labels) {
            entries.push(("miner-2", label, scored(score, label)));
        }
        play(&mut world, bounty, &entries);
        gains(&world, ["miner-1", "miner-2"])
    };
    // From 500 to 600 is a quarter of the way to 900.
    assert_eq!(steps(&[900]), [2_500 - 30, 7_500 - 30]);
    assert_eq!(steps(&[700, 800, 900]), [2_500 - 30, 7_500 - 90]);
}
