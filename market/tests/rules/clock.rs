//! The clock: late blocks, and work that takes several.

use protocol::receipt::{Cause, Phase, Standing};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};

use crate::world::*;

#[test]
fn a_block_that_comes_too_late_gives_every_phase_a_fresh_window() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let schedule = SCHEDULE;
    let submission = world.commit("miner-1", bounty, "m");
    // 1,000 ms late are in time, one more is too late. In each phase a fresh window of
    // the phase's length begins, in which its records are taken.
    let late = |world: &mut World, name: &str, length_ms: u64| {
        let phase = world.phase(bounty);
        world.clock(
            world.until(bounty) + 1_001,
            &[&format!("phase {name} extended")],
        );
        assert_eq!(world.phase(bounty), phase);
        assert_eq!(world.until(bounty), world.now() + length_ms, "{name}");
        // And once more.
        world.clock(
            world.until(bounty) + 5_000,
            &[&format!("phase {name} extended")],
        );
        assert_eq!(world.until(bounty), world.now() + length_ms, "{name}");
    };
    late(&mut world, "Open", schedule.open_ms);
    world.commit("miner-1", bounty, "n");
    world.skip(bounty);
    late(&mut world, "TestKey", schedule.test_key_ms);
    world.must("sponsor", world.test_key(bounty));
    world.skip(bounty);
    late(&mut world, "TestCheck", schedule.test_check_ms);
    world.must("eve-1", found(bounty, TestOutcome::Ok));
    world.skip(bounty);
    late(&mut world, "Reveal", schedule.reveal_ms);
    world.reveal(submission);
    world.skip(bounty);
    late(&mut world, "Score", schedule.score_ms);
    world.commit_batch("eve-1", bounty, &[scored(600, "m")]);
    world.skip(bounty);
    late(&mut world, "ScoreReveal", schedule.score_reveal_ms);
    world.reveal_batch("eve-1", bounty);
    world.skip(bounty);
    late(&mut world, "Challenge", schedule.challenge_ms);
    // A thousand milliseconds late is not too late.
    world.block(world.until(bounty) + 1_000, &[]);
    assert_eq!(world.phase(bounty), Phase::Settled);
    assert_eq!(world.standing(submission), Some(Standing::Won));
}

/// Work that did not fit into the blocks before it robs nobody: the block at which the phase was over came in time.
#[test]
fn a_phase_that_waits_for_its_turn_is_not_late() {
    let parameters = Parameters {
        late_ms: 1,
        ..parameters()
    };
    let mut world = World::pool(parameters, 1, &[]);
    // Many submissions, whose putting out takes a few blocks, and a phase that ends with them.
    let large = world.post(|p| p.schedule.open_ms = 10_000);
    let labels: Vec<String> = (0..3_000).map(|number| format!("m{number}")).collect();
    for labels in labels.chunks(1_000) {
        world.commit_many("miner-1", large, labels);
    }
    world.skip(large);
    world.must("sponsor", world.test_key(large));
    world.skip(large);
    world.find_good(large);
    let until = world.until(large);
    let open_ms = until - world.now();
    let small = world.post(|p| p.schedule.open_ms = open_ms);
    assert_eq!(world.until(small), until + 1);
    // It comes after the other, which takes all that a block can do.
    world.block(until + 1, &[]);
    let mut blocks = 1;
    while world.phase(small) == Phase::Open {
        // More than `late_ms` apart, and no halt that came before its end.
        let receipts = world.block(world.now() + 10, &[]);
        assert_eq!(
            world
                .lines(&receipts)
                .iter()
                .find(|it| it.contains("extended")),
            None
        );
        blocks += 1;
    }
    assert!(blocks > 1, "it was done in the first");
    assert_eq!(
        world.phase(small),
        Phase::Void(protocol::receipt::VoidReason::NoSubmissions)
    );
}

#[test]
fn backing_does_not_open_again_with_a_fresh_window() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    world.block(world.until(bounty) + 1_001, &[]);
    assert_eq!(world.phase(bounty), Phase::Open);
    world.row("backer-1", back(bounty, 5), "backing_closed");
}

#[test]
fn a_fresh_window_is_a_day_at_most() {
    let day_ms = 24 * 3_600_000;
    let parameters = Parameters {
        phase_max_ms: 10 * day_ms,
        ..parameters()
    };
    for (open_ms, window_ms) in [(day_ms - 1, day_ms - 1), (3 * day_ms, day_ms)] {
        let mut world = World::with(parameters.clone(), &[]);
        world.evaluators(1);
        let bounty = world.post(|p| p.schedule.open_ms = open_ms);
        world.clock(world.until(bounty) + 1_001, &["phase Open extended"]);
        assert_eq!(world.until(bounty), world.now() + window_ms);
    }
}

/// A settlement that takes many blocks comes to what the rules say for each
/// submission, as if it were done at once; meanwhile the bounty takes no records.
#[test]
fn a_large_settlement_goes_on_from_block_to_block() {
    const COUNT: usize = 1_200;
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|p| p.pay = Pay::Steps);
    let labels: Vec<String> = (0..COUNT).map(|number| format!("m{number}")).collect();
    // Every fifth is not revealed; of the others every seventh is invalid, and every
    // eleventh a copy of the very first.
    let kind = |place: usize| match place {
        _ if place % 5 == 4 => "hidden",
        _ if place % 7 == 3 => "invalid",
        _ if place % 11 == 7 => "copied",
        _ => "scored",
    };
    let score = |place: usize| 600 + (place as i64 * 37) % 1_000;
    let ids = world.commit_many("miner-1", bounty, &labels);
    world.bring_to_reveal(bounty);
    let reveals: Vec<(&str, Action)> = (0..COUNT)
        .filter(|&place| kind(place) != "hidden")
        .map(|place| ("miner-1", world.key_action(ids[place])))
        .collect();
    world.block(world.now() + 1, &reveals);
    let blocks = blocks_of_work(&mut world, bounty);
    assert!(blocks > 1, "putting out takes {blocks} blocks");
    assert_eq!(world.phase(bounty), Phase::Score);
    let words: Vec<Outcome> = (0..COUNT)
        .filter(|&place| kind(place) != "hidden")
        .map(|place| match kind(place) {
            "invalid" => invalid(),
            "copied" => scored(5_000, "m0"),
            _ => scored(score(place), &labels[place]),
        })
        .collect();
    world.commit_batch("eve-1", bounty, &words);
    world.skip(bounty);
    world.reveal_batch("eve-1", bounty);
    world.skip(bounty);
    assert_eq!(world.phase(bounty), Phase::Challenge);
    let before = world.gain("miner-1");
    let blocks = blocks_of_work(&mut world, bounty);
    assert!(blocks > 5, "settling takes {blocks} blocks");
    assert_eq!(world.phase(bounty), Phase::Settled);

    // What the rules say, one submission after the other.
    let mut best = 500;
    let mut steps = Vec::new();
    for place in 0..COUNT {
        let standing = match kind(place) {
            "hidden" => Standing::NotRevealed,
            "invalid" => Standing::Invalid,
            "copied" => Standing::Copied(ids[0]),
            _ if score(place) > best + 10 => {
                steps.push(score(place) - best);
                best = score(place);
                Standing::Won
            }
            _ => Standing::Lost,
        };
        assert_eq!(world.standing(ids[place]), Some(standing), "{place}");
        let is_asset = matches!(standing, Standing::Won | Standing::Lost);
        assert_eq!(world.state.asset(ids[place]).is_some(), is_asset);
    }
    assert!(steps.len() > 5, "{} steps", steps.len());
    let revealed = words.len() as i128;
    assert_eq!(world.gain("miner-1") - before, 10_000 + revealed * 100);
    assert_eq!(world.gain("eve-1"), revealed * 30);
    // 240 bonds of 100 were forfeited, half of each to the sponsor, up to its bond.
    assert_eq!(world.gain("sponsor"), -10_000 + 2_000);
    // Forgetting takes several blocks as well.
    let ended_ms = world.until(bounty);
    world.block(ended_ms + 50_000, &[]);
    assert!(world.state.bounty(bounty).is_some());
    let mut blocks = 1;
    while world.state.bounty(bounty).is_some() {
        world.block(world.now() + 1, &[]);
        blocks += 1;
    }
    assert!(blocks > 1);
    let assets = world.state.assets().count();
    let scored = (0..COUNT).filter(|&place| kind(place) == "scored").count();
    assert_eq!(assets, scored);
    assert_eq!(world.deposits("sponsor"), 0);
    assert_eq!(world.state.next_deadline_ms(), None);
}

/// Ends a phase; how many blocks the clock needs for it. Its bounty takes no records
/// meanwhile, and the clock is first in each block.
fn blocks_of_work(world: &mut World, bounty: protocol::ItemId) -> u32 {
    world.block(world.until(bounty), &[]);
    let mut blocks = 1;
    while !world.waits(bounty) {
        let phase = world.phase(bounty);
        let action = match phase {
            Phase::Reveal => {
                world.key_action(world.state.submissions(bounty).next().expect("one").id)
            }
            _ => cancel(bounty),
        };
        let receipts = world.block(world.now() + 1, &[("miner-1", action)]);
        let last = receipts.last().expect("a receipt a record");
        if world.phase(bounty) == phase {
            let expected = match phase {
                Phase::Reveal => "phase_over",
                _ => "wrong_phase",
            };
            assert_eq!(world.show(last), expected);
            assert_eq!(receipts[0].cause, Cause::Deadline(bounty));
            assert_eq!(
                world
                    .state
                    .next_deadline_ms()
                    .map(|ms| ms <= world.now() + 1),
                Some(true)
            );
        }
        blocks += 1;
    }
    blocks
}

/// Of what is due together, an asset's terms come first, then licences, then bounties.
#[test]
fn terms_come_before_licences_and_licences_before_bounties() {
    let parameters = Parameters {
        month_ms: 40_000,
        ..parameters()
    };
    let mut world = World::pool(parameters, 1, &[]);
    let m = world.must("alice", model("m", priced(5), &[]));
    let n = world.must("alice", model("n", monthly(5), &[]));
    let bounty = world.post(|p| p.schedule.open_ms = 40_001);
    let records = [
        ("buyer", world.buy_months(n, Grant::CommercialUse, 2)),
        ("alice", vote(m, &priced(6))),
    ];
    let receipts = world.block(world.now() + 1, &records);
    let license = id_of(&receipts[0]);
    let receipts = world.block(world.until(bounty), &[]);
    let causes: Vec<Cause> = receipts.iter().map(|receipt| receipt.cause).collect();
    assert_eq!(
        causes,
        [
            Cause::Terms(m),
            Cause::License(license),
            Cause::Deadline(bounty)
        ]
    );
}

/// Two bounties whose work is due together take turns by due time, then id.
#[test]
fn work_is_done_in_the_order_it_is_due() {
    let mut world = World::new();
    world.evaluators(1);
    let one = world.must(
        "sponsor",
        world.post_action("sponsor", |p| p.schedule.open_ms = 5_000),
    );
    let two = world.must(
        "sponsor",
        world.post_action("sponsor", |p| p.schedule.open_ms = 4_990),
    );
    let three = world.must(
        "sponsor",
        world.post_action("sponsor", |p| p.schedule.open_ms = 4_999),
    );
    // Posted one millisecond after the other: due at 5,000, 4,991 and 5,001.
    let receipts = world.block(world.until(three), &[]);
    let causes: Vec<Cause> = receipts.iter().map(|receipt| receipt.cause).collect();
    assert_eq!(causes, [two, one, three].map(Cause::Deadline));
    // In one block: by id.
    let action = world.post_action("sponsor", |_| ());
    let other = world.post_action("alice", |_| ());
    let posted = world.block(world.now() + 1, &[("sponsor", action), ("alice", other)]);
    let mut ids: Vec<_> = posted.iter().map(id_of).collect();
    let receipts = world.block(world.until(ids[0]), &[]);
    ids.sort_unstable();
    let causes: Vec<Cause> = receipts.iter().map(|receipt| receipt.cause).collect();
    assert_eq!(
        causes,
        ids.into_iter().map(Cause::Deadline).collect::<Vec<_>>()
    );
}
