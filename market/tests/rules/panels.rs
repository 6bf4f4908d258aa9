//! Panels: who may sit, how they are drawn, how rounds follow each other; batches in parts.

use std::collections::{BTreeMap, BTreeSet};

use ethnum::U256;
use market::State;
use protocol::receipt::{Event, Panel, Phase, VoidReason};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, ItemId};
use sha2::{Digest as _, Sha256};

use crate::world::*;

/// A world with so many evaluators, beyond the cast's five too.
fn pool(count: usize) -> World {
    pool_with(parameters(), count)
}

fn pool_with(parameters: Parameters, count: usize) -> World {
    World::pool(parameters, count, &[])
}

/// Submissions of one miner to a bounty, all revealed, with a panel out of so many.
fn scoring(count: usize, labels: &[&str]) -> (World, ItemId) {
    let mut world = pool(count);
    let bounty = world.post(|_| ());
    for label in labels {
        world.commit("miner-1", bounty, label);
    }
    world.bring_to_score(bounty);
    (world, bounty)
}

#[test]
fn a_panel_has_five_seats_or_three_or_one_as_the_candidates_allow() {
    for (evaluators, least, seats) in [
        (7, 1, Some(5)),
        (5, 5, Some(5)),
        (4, 1, Some(3)),
        (3, 3, Some(3)),
        (2, 1, Some(1)),
        (1, 1, Some(1)),
        (0, 1, None),
        (4, 5, None),
        (2, 3, None),
    ] {
        let parameters = Parameters {
            committee_min: least,
            ..parameters()
        };
        let mut world = pool_with(parameters, evaluators);
        let action = world.post_action("sponsor", |_| ());
        let receipt = world.send("sponsor", action);
        let Some(seats) = seats else {
            assert_eq!(world.show(&receipt), "pool_too_small");
            continue;
        };
        let bounty = id_of(&receipt);
        world.commit("miner-1", bounty, "m");
        world.bring_to_check(bounty);
        assert_eq!(world.checks(bounty).len(), seats);
        world.find_good(bounty);
        world.show_all(bounty);
        assert_eq!(world.asked(bounty).len(), seats);
        let (_, progress) = world.state.bounty(bounty).expect("posted");
        assert_eq!(progress.panel.seats as usize, seats);
    }
}

/// Every seat locks half of reward and backings, and has it back at the end.
#[test]
fn a_seat_locks_its_part_of_reward_and_backings() {
    use protocol::receipt::Purse;
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 1_001));
    // ⌊11,001 / 2⌋
    assert_eq!(world.state.seat_stake(bounty), Some(units(5_500)));
    world.commit("miner-1", bounty, "m");
    let eve = address("eve-1");
    let held = |world: &World| {
        [Purse::Stake(eve), Purse::Seat(bounty, eve)].map(|it| world.state.balance(it).base_units())
    };
    world.bring_to_check(bounty);
    assert_eq!(held(&world), [4_500, 5_500]);
    world.find_good(bounty);
    assert_eq!(held(&world), [4_500, 5_500]);
    world.show_all(bounty);
    assert_eq!(held(&world), [4_500, 5_500]);
    world.bring_to_challenge(bounty, &[invalid()]);
    assert_eq!(held(&world), [4_500, 5_500]);
    world.skip(bounty);
    assert_eq!(held(&world), [10_000, 0]);
}

/// Posting and backing are refused where no panel could be drawn for the pot.
#[test]
fn the_pool_must_cover_reward_and_backings() {
    let parameters = Parameters {
        committee_min: 3,
        ..parameters()
    };
    let mut world = pool_with(parameters, 3);
    for (reward, expected) in [(20_002, "pool_too_small"), (20_001, "ok")] {
        let action = world.post_action("sponsor", |p| p.reward = units(reward));
        let receipt = world.send("sponsor", action);
        let shown = world.show(&receipt);
        assert_eq!(shown.split(';').next(), Some(expected), "{reward}");
    }
    let action = world.post_action("eve-1", |_| ());
    world.row("eve-1", action, "pool_too_small");
    let bounty = world.post(|_| ());
    for (who, amount, expected) in [
        ("backer-1", 10_002, "pool_too_small"),
        ("eve-1", 10, "pool_too_small"),
        ("backer-1", 10_001, "ok; backer-1 -10001, reward +10001"),
        ("backer-1", 10, "pool_too_small"),
    ] {
        world.row(who, back(bounty, amount), expected);
    }
    // Whose stake another seat has locked does not count.
    let busy = world.post(|p| p.reward = units(10_002));
    world.commit("miner-1", busy, "m");
    world.skip(busy);
    world.must("sponsor", world.test_key(busy));
    world.skip(busy);
    let action = world.post_action("sponsor", |p| p.reward = units(10_000));
    world.row("sponsor", action, "pool_too_small");
}

#[test]
fn no_party_sits_in_judgement() {
    let mut world = pool(9);
    let action = world.post_action("eve-1", |_| ());
    let bounty = world.must("eve-1", action);
    world.must("eve-2", back(bounty, 10));
    world.commit("eve-3", bounty, "m");
    // Who has not enough stake free is no candidate either.
    world.must("eve-4", Action::LeaveEvaluators);
    world.must("alice", join(10_000));
    world.bring_to_check(bounty);
    let allowed = ["alice", "eve-5", "eve-6", "eve-7", "eve-8", "eve-9"];
    let drawn = world.checks(bounty);
    assert_eq!(drawn.len(), 5);
    assert!(drawn.iter().all(|who| allowed.contains(&who.as_str())));
    // Those who are asked in the round of all are no parties either.
    for (place, who) in drawn.iter().enumerate() {
        let word = match place {
            0 => bad_test_set(),
            _ => TestOutcome::Ok,
        };
        world.must(who, found(bounty, word));
    }
    world.skip(bounty);
    assert_eq!(world.checks(bounty), allowed);
}

/// The rule of the draw, written once more.
fn draw_by_hand(
    parent: ItemId,
    bounty: ItemId,
    panel: u8,
    round: u8,
    mut from: Vec<(Address, u128)>,
    seats: usize,
) -> Vec<Address> {
    let mut drawn = Vec::new();
    for place in 0..seats as u32 {
        let mut hasher = Sha256::new();
        hasher.update(b"lode/draw/1");
        hasher.update(parent.0);
        hasher.update(bounty.0);
        hasher.update([panel, round]);
        hasher.update(place.to_le_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        let sum: u128 = from.iter().map(|(_, stake)| stake).sum();
        let mut left = (U256::from_be_bytes(hash) % U256::from(sum)).as_u128();
        let at = from.iter().position(|(_, stake)| {
            let here = left < *stake;
            left = left.saturating_sub(*stake);
            here
        });
        drawn.push(from.remove(at.expect("below the sum")).0);
    }
    drawn
}

/// The seats that the next block draws if the one before it has this id.
fn seated(entries: &[(Vec<u8>, Vec<u8>)], parent: ItemId) -> (Panel, Vec<Address>) {
    let mut state = State::load(entries.to_vec()).expect("good entries");
    let (height, time_ms) = (state.height(), state.time_ms());
    state.begin_block(height + 1, time_ms + 1, parent);
    let receipts = state.end_block().receipts;
    let events = receipts.into_iter().flat_map(|receipt| receipt.events);
    let mut seated = events.filter_map(|event| match event {
        Event::Seated { panel, seats, .. } => Some((panel, seats)),
        _ => None,
    });
    seated.next().expect("a panel is drawn")
}

#[test]
fn seats_are_drawn_by_free_stake_from_the_id_of_the_block_before() {
    let mut world = pool(8);
    for (number, stake) in [(2, 5_000), (3, 20_000), (5, 90_000), (8, 1)] {
        world.must(&format!("eve-{number}"), join(stake));
    }
    let bounty = world.post(|_| ());
    world.commit("eve-7", bounty, "m");
    let mut from: Vec<(Address, u128)> = [
        ("eve-1", 10_000),
        ("eve-2", 15_000),
        ("eve-3", 30_000),
        ("eve-4", 10_000),
        ("eve-5", 100_000),
        ("eve-6", 10_000),
        ("eve-8", 10_001),
    ]
    .map(|(who, stake)| (address(who), stake))
    .to_vec();
    from.sort_unstable();
    let check = |world: &World, kind: u8, panel: Panel| {
        let entries: Vec<_> = world.state.entries().collect();
        let mut different = BTreeSet::new();
        for seed in 0..100 {
            let parent = block_id(1_000_000 + seed);
            let (found, seats) = seated(&entries, parent);
            assert_eq!(found, panel);
            let expected = draw_by_hand(parent, bounty, kind, 0, from.clone(), 5);
            assert_eq!(seats, expected);
            let unique: BTreeSet<Address> = seats.iter().copied().collect();
            assert_eq!(unique.len(), 5, "nobody twice");
            different.insert(seats);
        }
        assert!(different.len() > 50);
    };
    // The phase ends in one block, and the seats are drawn in the next.
    world.block(world.until(bounty), &[]);
    assert_eq!(world.state.checks(bounty).count(), 0);
    check(&world, 0, Panel::Check);
    world.block(world.now() + 1, &[]);
    world.must("sponsor", world.test_key(bounty));
    world.skip(bounty);
    world.find_good(bounty);
    world.reveal_all(bounty);
    world.block(world.until(bounty), &[]);
    assert_eq!(world.state.seats(bounty).count(), 0);
    check(&world, 1, Panel::Score);
}

/// One seat, drawn from 10,000 and 30,000: how often of a thousand.
#[test]
fn who_has_three_times_the_stake_is_drawn_three_times_as_often() {
    let mut world = pool(2);
    world.must("eve-2", join(20_000));
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.block(world.until(bounty), &[]);
    let entries: Vec<_> = world.state.entries().collect();
    let mut drawn: BTreeMap<Address, u32> = BTreeMap::new();
    for seed in 0..1_000 {
        let (_, seats) = seated(&entries, block_id(2_000_000 + seed));
        assert_eq!(seats.len(), 1);
        *drawn.entry(seats[0]).or_default() += 1;
    }
    let counts = ["eve-1", "eve-2"].map(|who| drawn[&address(who)]);
    assert_eq!(counts, [250, 750]);
}

#[test]
fn missing_seats_are_drawn_again_three_times() {
    let (mut world, bounty) = scoring(12, &["m"]);
    let mut seen: BTreeSet<String> = world.asked(bounty).into_iter().collect();
    assert_eq!(seen.len(), 5);
    for round in 0..4u8 {
        let asked = world.asked(bounty);
        let (_, progress) = world.state.bounty(bounty).expect("posted");
        assert_eq!((progress.panel.round, progress.panel.all), (round, false));
        // In every round two of those who are asked are silent, so that the five are
        // never complete; the others have spoken and are not asked again.
        let silent: Vec<String> = asked[..2.min(asked.len())].to_vec();
        world.round(bounty, |who, label| {
            (!silent.iter().any(|name| name == who)).then(|| scored(600, label))
        });
        for who in &silent {
            assert_eq!(world.gain(who), -50, "{who}");
        }
        let drawn = world.asked(bounty);
        if round < 3 {
            assert_eq!(drawn.len(), 2, "round {round}");
            assert!(
                drawn.iter().all(|who| seen.insert(who.clone())),
                "nobody twice"
            );
        }
    }
    // Then all others are asked: eleven of the twelve have had a seat.
    let (_, progress) = world.state.bounty(bounty).expect("posted");
    assert!(progress.panel.all);
    assert_eq!(world.asked(bounty).len(), 1);
}

#[test]
fn who_said_unavailable_may_say_a_word_in_the_next_round() {
    let (mut world, bounty) = scoring(5, &["a", "b"]);
    // Two could not get "b".
    world.round(bounty, |who, label| match (who, label) {
        ("eve-1" | "eve-2", "b") => Some(Outcome::Unavailable),
        _ => Some(scored(600, label)),
    });
    assert_eq!(world.asked(bounty), ["eve-1", "eve-2"]);
    let undecided: Vec<u32> = world
        .state
        .undecided(bounty)
        .map(|(place, _)| place)
        .collect();
    assert_eq!(undecided, [1], "the other one has its verdict");
    let batch = world.batch("eve-3", bounty, &[scored(600, "b")]);
    world.row(
        "eve-3",
        world.commitment("eve-3", bounty, &batch),
        "not_asked",
    );
    world.plays(
        bounty,
        |_, label| Some(scored(600, label)),
        &["verdict b scored 5 []", "phase Challenge"],
    );
}

/// A word that was given stays, whatever a later batch of the same seat says.
#[test]
fn a_word_that_was_given_stands() {
    let (mut world, bounty) = scoring(5, &["a", "b"]);
    // "a" and "b" are both undecided; eve-1 has a word on "a" and none on "b".
    world.round(bounty, |who, label| match (who, label) {
        ("eve-4" | "eve-5", _) | (_, "b") => Some(Outcome::Unavailable),
        _ => Some(scored(600, label)),
    });
    assert_eq!(world.asked(bounty).len(), 5);
    world.plays(
        bounty,
        |who, label| match (who, label) {
            ("eve-1" | "eve-2" | "eve-3", "a") => Some(invalid()),
            _ => Some(scored(600, label)),
        },
        &[
            "verdict a scored 5 []",
            "verdict b scored 5 []",
            "phase Challenge",
        ],
    );
}

/// A panel that could not be drawn at all is drawn anew, in another size maybe.
#[test]
fn a_panel_that_could_not_be_drawn_is_drawn_anew() {
    // Silence costs a whole seat here, so that nothing is left to sit with.
    let parameters = Parameters {
        committee_min: 3,
        silent_forfeit_ppm: 1_000_000,
        ..parameters()
    };
    let mut world = pool_with(parameters, 3);
    let bounty = world.post(|p| p.reward = units(20_000));
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    for who in ["eve-2", "eve-3"] {
        world.must(who, found(bounty, TestOutcome::Ok));
    }
    while world.phase(bounty) == Phase::TestCheck {
        world.skip(bounty);
    }
    world.reveal_all(bounty);
    world.phase_ends(bounty, &["phase Score"]);
    world.must("eve-4", join(10_000));
    world.skip(bounty);
    world.phase_ends(bounty, &["seated score 1 eve-2 eve-3 eve-4", "phase Score"]);
    world.plays(
        bounty,
        |_, label| Some(scored(600, label)),
        &["verdict m scored 3 []", "phase Challenge"],
    );
}

/// In the round of all its own silent seats count among all, so that who asks many
/// needs many.
#[test]
fn the_round_of_all_counts_its_silent_seats() {
    // Five in the panel, of whom one differs; of the seven others so many speak.
    for (speaking, verdict) in [(4, Some("verdict m scored 8")), (3, None)] {
        let (mut world, bounty) = scoring(12, &["m"]);
        let seats = world.asked(bounty);
        world.round(bounty, |who, label| match who == seats[0] {
            true => Some(invalid()),
            false => Some(scored(600, label)),
        });
        let others = world.asked(bounty);
        assert_eq!(others.len(), 7);
        let speaking = &others[..speaking];
        let receipts = world.round(bounty, |who, label| {
            speaking
                .iter()
                .any(|name| name == who)
                .then(|| scored(600, label))
        });
        let lines = world.lines(&receipts);
        let found = lines.iter().find(|line| line.starts_with("verdict"));
        match verdict {
            Some(start) => assert!(found.is_some_and(|line| line.starts_with(start))),
            None => assert_eq!(found, None),
        }
        assert_eq!(world.phase(bounty), Phase::Challenge);
        // Nobody is drawn again after the round of all.
        world.skip(bounty);
        assert_eq!(world.phase(bounty), Phase::Settled);
    }
}

/// In the round of all stake decides, not keys: what each has free, and has locked here.
#[test]
fn where_all_are_asked_a_word_weighs_the_stake_behind_it() {
    // Three with 40,000 each beside seven with 10,000: 120,000 of 190,000 are less than two thirds, and
    // 130,000 are more.
    for (with_the_three, verdict) in [(0, None), (1, Some("verdict m scored 4"))] {
        let mut world = pool(10);
        for number in 1..=3 {
            world.must(&format!("eve-{number}"), join(30_000));
        }
        let bounty = world.post(|_| ());
        world.commit("miner-1", bounty, "m");
        world.bring_to_score(bounty);
        let large = ["eve-1", "eve-2", "eve-3"];
        let small: Vec<String> = (4..=10).map(|number| format!("eve-{number}")).collect();
        let word = |who: &str| {
            let is_right =
                large.contains(&who) || small[..with_the_three].contains(&who.to_owned());
            match is_right {
                true => scored(600, "m"),
                false => invalid(),
            }
        };
        // Among any five there are some of either side: words that differ have all asked.
        world.round(bounty, |who, _| Some(word(who)));
        let (_, progress) = world.state.bounty(bounty).expect("posted");
        assert_eq!((progress.panel.all, progress.panel.seats), (true, 10));
        assert_eq!(progress.panel.weight, 190_000);
        let receipts = world.round(bounty, |who, _| Some(word(who)));
        let lines = world.lines(&receipts);
        let found = lines.iter().find(|line| line.starts_with("verdict"));
        let found = found.map(|line| line.split(" [").next().expect("one part"));
        assert_eq!(found, verdict);
        assert_eq!(world.phase(bounty), Phase::Challenge);
    }
}

/// Sixty-four can all be asked, and each weighs its stake.
#[test]
fn sixty_four_are_asked_without_a_draw() {
    let (mut world, bounty) = scoring(64, &["m"]);
    let seats = world.asked(bounty);
    world.round(bounty, |who, _| {
        Some(match who == seats[0] {
            true => invalid(),
            false => scored(600, "m"),
        })
    });
    let (_, progress) = world.state.bounty(bounty).expect("posted");
    let panel = progress.panel;
    assert_eq!((panel.all, panel.seats, panel.weight), (true, 64, 640_000));
}

/// Of more than sixty-four so many places are drawn, with putting back.
#[test]
fn sixty_four_places_are_drawn_among_more() {
    let (mut world, bounty) = scoring(70, &["m"]);
    let seats = world.asked(bounty);
    for who in &seats {
        let word = match *who == seats[0] {
            true => invalid(),
            false => scored(600, "m"),
        };
        world.commit_batch(who, bounty, &[word]);
    }
    world.skip(bounty);
    for who in &seats {
        world.reveal_batch(who, bounty);
    }
    world.block(world.until(bounty), &[]);
    let entries: Vec<_> = world.state.entries().collect();
    // The seats of the panel are among them, with what they have locked.
    let mut from: Vec<(Address, u128)> = (1..=70)
        .map(|number| (address(&format!("eve-{number}")), 10_000))
        .collect();
    from.sort_unstable();
    let sits = |who: &Address| seats.iter().any(|seat| address(seat) == *who);
    for seed in 0..10 {
        let parent = block_id(3_000_000 + seed);
        let (_, drawn) = seated(&entries, parent);
        let places = places_by_hand(parent, bounty, 1, 0, &from);
        let expected: Vec<Address> = places.keys().copied().filter(|it| !sits(it)).collect();
        assert_eq!(drawn, expected);
    }
    let parent = world.id_at(world.state.height());
    let places = places_by_hand(parent, bounty, 1, 0, &from);
    world.block(world.now() + 1, &[]);
    let (_, progress) = world.state.bounty(bounty).expect("posted");
    assert_eq!((progress.panel.weight, progress.panel.all), (64, true));
    let seated: Vec<(Address, u128)> = world
        .state
        .seats(bounty)
        .map(|(who, seat)| (who, seat.weight))
        .collect();
    assert_eq!(progress.panel.seats as usize, seated.len());
    for (who, weight) in seated {
        assert_eq!(weight, places.get(&who).copied().unwrap_or(0));
        assert!(weight > 0 || sits(&who));
    }
}

/// The places that are drawn by the rule, written once more.
fn places_by_hand(
    parent: ItemId,
    bounty: ItemId,
    panel: u8,
    round: u8,
    from: &[(Address, u128)],
) -> BTreeMap<Address, u128> {
    let mut places = BTreeMap::new();
    let sum: u128 = from.iter().map(|(_, stake)| stake).sum();
    for place in 0..64u32 {
        let seed = [
            b"lode/draw/1",
            &parent.0[..],
            &bounty.0,
            &[panel, round],
            &place.to_le_bytes(),
        ]
        .concat();
        let hash: [u8; 32] = Sha256::digest(seed).into();
        let number = (U256::from_be_bytes(hash) % U256::from(sum)).as_u128();
        let mut running = 0;
        let drawn = from.iter().find(|(_, stake)| {
            running += stake;
            running > number
        });
        *places.entry(drawn.expect("below the sum").0).or_default() += 1;
    }
    places
}

/// The test check: words that differ are asked of all, and without a quorum of all
/// the bounty is void without fault.
#[test]
fn a_test_check_without_a_quorum_of_all_is_void() {
    let mut world = pool(7);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    let seats = world.checks(bounty);
    for (place, who) in seats.iter().enumerate() {
        let word = match place {
            0 | 1 => bad_test_set(),
            _ => TestOutcome::Ok,
        };
        world.must(who, found(bounty, word));
    }
    world.skip(bounty);
    assert_eq!(world.checks(bounty).len(), 7);
    let others: Vec<String> = world
        .checks(bounty)
        .into_iter()
        .filter(|who| !seats.contains(who))
        .collect();
    // Three say it is good, two and one that it is not; one is silent. Five are needed.
    world.must(&others[0], found(bounty, bad_test_set()));
    let receipts = world.skip(bounty);
    let lines = world.lines(&receipts);
    assert_eq!(lines[0], format!("check seat {} silent", others[1]));
    assert_eq!(lines[1], "test set none 0 []");
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
    let gains = ["sponsor", "miner-1", &others[1]].map(|who| world.gain(who));
    assert_eq!(gains, [0, 25, -50]);
}

#[test]
fn a_check_seat_that_is_silent_is_replaced_and_cannot_score() {
    let mut world = pool(6);
    let bounty = world.post(|_| ());
    world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    let seats = world.checks(bounty);
    // Two are silent; there is one to take a place, and four are a quorum.
    for who in &seats[2..] {
        world.must(who, found(bounty, TestOutcome::Ok));
    }
    world.skip(bounty);
    let now = world.checks(bounty);
    assert_eq!(now.len(), 4);
    let new = now.iter().find(|who| !seats.contains(who)).expect("one");
    world.row(&seats[0], found(bounty, TestOutcome::Ok), "not_asked");
    world.row(&seats[2], found(bounty, TestOutcome::Ok), "already_done");
    world.must(new, found(bounty, TestOutcome::Ok));
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Reveal);
    world.show_all(bounty);
    // Of four candidates a panel of three is drawn.
    let scoring = world.asked(bounty);
    assert_eq!(scoring.len(), 3);
    assert!(scoring.iter().all(|who| !seats[..2].contains(who)));
}

/// More submissions than one record can speak of.
#[test]
fn a_batch_of_more_than_five_hundred_is_revealed_part_by_part() {
    let mut world = pool(1);
    let bounty = world.post(|_| ());
    let labels: Vec<String> = (0..501).map(|number| format!("m{number}")).collect();
    let sealed = world.commit_many("miner-1", bounty, &labels);
    world.bring_to_reveal(bounty);
    let reveals: Vec<(&str, Action)> = sealed
        .iter()
        .map(|&id| ("miner-1", world.key_action(id)))
        .collect();
    world.block(world.now() + 1, &reveals);
    world.skip(bounty);
    let words: Vec<Outcome> = labels.iter().map(|label| scored(600, label)).collect();
    let parts = world.parts("eve-1", bounty, &words);
    let lengths: Vec<usize> = parts.iter().map(|part| part.attestations.len()).collect();
    assert_eq!(lengths, [500, 1]);
    world.commit_batch("eve-1", bounty, &words);
    world.skip(bounty);
    let reveal = |body: &RevealAttestations| Action::RevealAttestations {
        bounty,
        body: body.clone(),
    };
    let changed = |part: usize, change: fn(&mut RevealAttestations)| {
        let mut body = parts[part].clone();
        change(&mut body);
        reveal(&body)
    };
    for (action, expected) in [
        (reveal(&parts[1]), "part_out_of_order"),
        (changed(0, |it| it.part = 7), "part_out_of_order"),
        (
            changed(0, |it| it.salt = digest("other")),
            "commitment_mismatch",
        ),
        (changed(0, |it| it.leaves = None), "commitment_mismatch"),
        (changed(0, |it| it.parts.truncate(1)), "commitment_mismatch"),
        (
            changed(0, |it| it.attestations[3].outcome = invalid()),
            "commitment_mismatch",
        ),
        (
            changed(0, |it| it.attestations.truncate(499)),
            "batch_incomplete",
        ),
        (
            changed(0, |it| it.attestations.swap(0, 1)),
            "batch_incomplete",
        ),
        (reveal(&parts[0]), "ok"),
        (reveal(&parts[0]), "part_out_of_order"),
        (changed(1, |it| it.attestations.clear()), "batch_incomplete"),
    ] {
        world.row("eve-1", action, expected);
    }
    // Half a batch is none: the seat fails as one that did not reveal.
    let entries: Vec<_> = world.state.entries().collect();
    let mut half = State::load(entries).expect("good entries");
    let height = half.height();
    half.begin_block(height + 1, world.until(bounty), world.id_at(height));
    let receipt = &half.end_block().receipts[0];
    assert!(matches!(
        receipt.events[0],
        Event::SeatFailed {
            had_committed: true,
            ..
        }
    ));
    world.row("eve-1", reveal(&parts[1]), "ok");
    world.row("eve-1", reveal(&parts[1]), "already_done");
    let receipts = world.skip(bounty);
    let events = receipts.iter().flat_map(|receipt| &receipt.events);
    let verdicts = events.filter(|event| matches!(event, Event::Verdict { agreeing: 1, .. }));
    assert_eq!(verdicts.count(), 501);
}

/// Who gave a batch of nothing but `unavailable` and was silent in the round after has failed: nobody is left who has
/// looked, and the bounty ends void.
#[test]
fn who_spoke_once_and_failed_later_leaves_nobody_who_has_spoken() {
    let (mut world, bounty) = scoring(1, &["a"]);
    world.round(bounty, |_, _| Some(Outcome::Unavailable));
    assert_eq!(world.phase(bounty), Phase::Score);
    while world.phase(bounty) == Phase::Score {
        world.round(bounty, |_, _| None);
    }
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::NoQuorum));
}
