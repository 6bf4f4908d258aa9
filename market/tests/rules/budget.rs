//! What a block's clock gets done, counted in rows: 4,000 a block. Where one block's
//! work ends is a rule, since every header has the root of what was done so far.

use market::bounty::Step;
use protocol::receipt::{Cause, Event, Phase, Purse, Receipt, Standing, VoidReason};
use protocol::record::*;
use protocol::report::TestOutcome;
use protocol::{Address, ItemId};

use crate::world::*;

/// How many submissions a block's clock has closed.
fn closed(receipts: &[Receipt]) -> usize {
    let events = receipts.iter().flat_map(|receipt| &receipt.events);
    events
        .filter(|event| matches!(event, Event::Ranked { .. }))
        .count()
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

/// Of 4,000 rows: 4 for the deadline, 3 for each of 150 that are ranked, a sixteenth
/// of 150 for the steps and once more for the harm. What remains are 147 times 24.
#[test]
fn a_block_pays_the_submissions_that_its_budget_reaches() {
    let mut world = World::pool(parameters(), 3, &[]);
    let bounty = world.post(|p| p.pay = Pay::Steps);
    let labels = labels(150);
    world.commit_many("miner-1", bounty, &labels);
    world.bring_to_check(bounty);
    // One seat is silent, so that there is harm to share.
    for who in &world.checks(bounty)[..2] {
        world.must(who, found(bounty, TestOutcome::Ok));
    }
    world.skip(bounty);
    assert_eq!(world.state.balance(Purse::Harm(bounty)), units(25));
    let outcomes: Vec<_> = labels.iter().map(|_| invalid()).collect();
    let outcomes = [&[scored(600, "m0")], &outcomes[1..]].concat();
    world.bring_to_challenge(bounty, &outcomes);
    let receipts = world.block(world.until(bounty), &[]);
    assert_eq!(closed(&receipts), 147);
    let receipts = world.block(world.now() + 1, &[]);
    assert_eq!(closed(&receipts), 3);
    assert_eq!(world.phase(bounty), Phase::Settled);
    // 25 among 150 with the same risk: each less than a unit, and the rest is burned.
    assert_eq!(world.gain("miner-1"), 10_000 - 150 * 30);
}

/// Of 4,000 rows: 4 for the deadline, a sixteenth of 1,010 for the harm. What remains
/// are 3,933, and a submission costs 6; the last one may go beyond. It costs 4 to
/// forget it.
#[test]
fn a_block_closes_and_forgets_the_submissions_that_its_budget_reaches() {
    let mut world = World::pool(parameters(), 1, &[]);
    let bounty = world.post(|_| ());
    world.commit_many("miner-1", bounty, &labels(1_010));
    world.skip(bounty);
    let receipts = world.block(world.until(bounty), &[]);
    assert_eq!(closed(&receipts), 656);
    let receipts = world.block(world.now() + 1, &[]);
    assert_eq!(closed(&receipts), 1_010 - 656);
    assert_eq!(world.phase(bounty), Phase::Void(VoidReason::KeyWithheld));
    world.block(world.now() + 50_000, &[]);
    assert_eq!(world.state.submissions(bounty).count(), 1_010 - 999);
    // The state, and with it the root, says which submission comes next.
    let (_, progress) = world.state.bounty(bounty).expect("not all is forgotten");
    assert_eq!(progress.step, Step::Forget { next: 999 });
    world.block(world.now() + 1, &[]);
    assert_eq!(world.state.bounty(bounty), None);
}

/// The block that ends a bounty's phase, with 52 rows left for it: five hundred draws
/// of holders come first, then another bounty's turn and 970 stakes that return.
fn in_a_full_block(world: &mut World, bounty: ItemId) -> Vec<Receipt> {
    for number in 1..=5 {
        world.must(&format!("eve-{number}"), join(10_000));
    }
    let m = world.must("alice", model("m", drawn(&priced(5)), &[]));
    let sale = world.buy(m, Grant::CommercialUse);
    let (now, due) = (world.now(), world.until(bounty));
    let post = world.post_action("carol", |p| p.schedule.open_ms = due - now - 2);
    let other = world.must("carol", post);
    assert_eq!(world.until(other), due - 1);
    let backings = vec![("backer-2", back(other, 10)); 970];
    let receipts = world.block(world.now() + 1, &backings);
    assert!(receipts.iter().all(|receipt| receipt.rejected.is_none()));
    world.block(due - 2, &vec![("buyer", sale); 500]);
    let mut receipts = world.block(due, &[]);
    assert_eq!(receipts[500].cause, Cause::Deadline(other));
    receipts.drain(..501);
    assert_eq!(receipts[0].cause, Cause::Deadline(bounty));
    receipts
}

/// 52 rows: 4 for each submission that is looked at when the reveal ends, and for each
/// that is counted 3 where five seats have spoken, 2 where three have.
#[test]
fn a_block_puts_out_and_counts_the_submissions_that_its_budget_reaches() {
    let mut world = World::pool(parameters(), 5, &[]);
    let bounty = world.post(|_| ());
    world.commit_many("miner-1", bounty, &labels(20));
    world.bring_to_reveal(bounty);
    let receipts = in_a_full_block(&mut world, bounty);
    assert_eq!(closed(&receipts), 13);

    // A row for each four seats that have spoken.
    for (evaluators, counted) in [(5, 18), (3, 26)] {
        let mut world = World::pool(parameters(), evaluators, &[]);
        let bounty = world.post(|_| ());
        world.commit_many("miner-1", bounty, &labels(30));
        world.bring_to_score(bounty);
        let outcomes: Vec<_> = (0..30).map(|_| invalid()).collect();
        for who in world.asked(bounty) {
            world.commit_batch(&who, bounty, &outcomes);
        }
        world.skip(bounty);
        for who in world.asked(bounty) {
            world.reveal_batch(&who, bounty);
        }
        let receipts = in_a_full_block(&mut world, bounty);
        let verdicts = receipts[0].events.iter();
        let verdicts = verdicts.filter(|event| matches!(event, Event::Verdict { .. }));
        assert_eq!(verdicts.count(), counted, "{evaluators}");
    }
}

/// A stake that returns costs 2 rows and one that is forgotten 3, so of two bounties
/// with a thousand backers and one with a hundred not all are done in one block.
#[test]
fn backers_stakes_return_and_are_forgotten_as_the_budget_goes() {
    let mut world = World::pool(parameters(), 1, &[]);
    let people = ["sponsor", "alice", "bob"];
    let posts = people.map(|who| (who, world.post_action(who, |_| ())));
    let mut ids: Vec<ItemId> = world
        .block(world.now() + 1, &posts)
        .iter()
        .map(id_of)
        .collect();
    ids.sort_unstable();
    let backers = [("backer-1", 1_000), ("backer-2", 1_000), ("carol", 100)];
    for (&bounty, (who, count)) in ids.iter().zip(backers) {
        let backings = vec![(who, back(bounty, 10)); count];
        world.block(world.now() + 1, &backings);
    }
    let gains = |world: &World| backers.map(|(who, _)| world.gain(who));
    assert_eq!(gains(&world), [-10_000, -10_000, -1_000]);
    // 4 and 2,000; then 4, and 996 of the second one's.
    world.block(world.until(ids[0]), &[]);
    assert_eq!(gains(&world), [0, -40, -1_000]);
    // The second one's last four leave room for the third.
    world.block(world.now() + 1, &[]);
    assert_eq!(gains(&world), [0, 0, 0]);
    let ended_ms = world.until(ids[1]);
    assert_eq!(ended_ms, world.until(ids[0]) + 1);
    // 4 and 3,000; then 4, and all that is left; the third waits.
    let left = |world: &World| -> Vec<bool> {
        let there = ids.iter().map(|&id| world.state.bounty(id).is_some());
        there.collect()
    };
    world.block(ended_ms + 50_000, &[]);
    assert_eq!(left(&world), [false, false, true]);
    world.block(world.now() + 1, &[]);
    assert_eq!(left(&world), [false, false, false]);
}

/// The draw of a holder costs 4 rows, and one more for each 64 holders before the one
/// who is drawn. Draws go on until they have used 2,000.
#[test]
fn a_draw_costs_more_the_more_holders_stand_before_the_drawn_one() {
    let holders: Vec<String> = (0..64).map(|number| format!("holder {number}")).collect();
    let people: Vec<&str> = holders.iter().map(String::as_str).collect();
    let mut world = World::with(parameters(), &people);
    let held: Vec<(&str, u32)> = people.iter().map(|who| (*who, 15_625)).collect();
    let action = model("m", drawn(&priced(5)), &[]);
    let m = world.must("alice", held_by(action, &held));
    // Each of the 64 gives to two more.
    for more in ["a child", "another child"] {
        let given = people.iter().map(|who| {
            let action = transfer_shares(m, &format!("{more} of {who}"), 5_000);
            (*who, action)
        });
        let given: Vec<(&str, Action)> = given.collect();
        world.block(world.now() + 1, &given);
    }
    let by_address: Vec<Address> = world.state.holdings(m).map(|(who, _)| who).collect();
    assert_eq!(by_address.len(), 192);
    let sales = vec![("buyer", world.buy(m, Grant::CommercialUse)); 600];
    world.block(world.now() + 1, &sales);
    let receipts = world.block(world.now() + 1, &[]);
    let costs: Vec<usize> = receipts
        .iter()
        .map(|receipt| {
            assert_eq!(receipt.cause, Cause::Distribution(m));
            let who = receipt.moves[0].to;
            let place = by_address.iter().position(|it| Purse::Account(*it) == who);
            4 + place.expect("a holder") / 64
        })
        .collect();
    let all: usize = costs.iter().sum();
    assert!(all >= 2_000, "{all} rows, and more would fit");
    let last = costs.last().expect("some were drawn");
    assert!(all - last < 2_000, "{all} rows, the last of them {last}");
    assert_eq!([4, 5, 6].map(|it| costs.contains(&it)), [true; 3]);
}

/// A holder behind 192 others costs 7 rows, so that 286 draws take 2 more than their half of a block. The other half
/// is whole all the same: 4 rows for the deadline, a sixteenth of 416 for the harm, and 6 for each of 329.
#[test]
fn what_the_last_draw_takes_beyond_its_half_is_not_the_deadlines() {
    let mut world = World::pool(parameters(), 1, &[]);
    let m = world.must("alice", model("m", drawn(&priced(5)), &[]));
    let mut names: Vec<String> = (0..193).map(|number| format!("holder {number}")).collect();
    names.sort_by_key(|name| address(name));
    let given = names.iter().enumerate().map(|(place, name)| {
        let shares = if place < 192 { 1 } else { 1_000_000 - 192 };
        ("alice", transfer_shares(m, name, shares))
    });
    let given: Vec<(&str, Action)> = given.collect();
    world.block(world.now() + 1, &given);
    let bounty = world.post(|_| ());
    world.commit_many("miner-1", bounty, &labels(416));
    world.skip(bounty);
    let sales = vec![("buyer", world.buy(m, Grant::CommercialUse)); 300];
    world.block(world.until(bounty) - 1, &sales);
    let receipts = world.block(world.until(bounty), &[]);
    let last = Purse::Account(address(&names[192]));
    let draws = receipts
        .iter()
        .take_while(|receipt| receipt.cause == Cause::Distribution(m));
    assert_eq!(
        draws.filter(|receipt| receipt.moves[0].to == last).count(),
        286
    );
    assert_eq!(closed(&receipts), 329);
}

/// A winner costs 24 rows, and one more for each backing, since its model is registered for all of them. Of 4,000 rows 4
/// go to the deadline, 3 to each of 60 that are ranked, a sixteenth of 60 to the steps; what remains is 39 times 100.
#[test]
fn a_winner_costs_more_the_more_backers_share_its_model() {
    let mut world = World::pool(parameters(), 3, &[]);
    let bounty = world.post(|p| {
        p.pay = Pay::Steps;
        p.margin = 0;
    });
    let backings = vec![("backer-1", back(bounty, 10)); 76];
    world.block(world.now() + 1, &backings);
    let labels = labels(60);
    world.commit_many("miner-1", bounty, &labels);
    world.bring_to_reveal(bounty);
    let outcomes: Vec<_> = labels.iter().zip(600..).collect();
    let outcomes: Vec<_> = outcomes
        .into_iter()
        .map(|(label, score)| scored(score, label))
        .collect();
    world.bring_to_challenge(bounty, &outcomes);
    let receipts = world.block(world.until(bounty), &[]);
    assert_eq!(closed(&receipts), 39);
    let receipts = world.block(world.now() + 1, &[]);
    assert_eq!(closed(&receipts), 21);
}

/// A bounty that becomes void for want of a key, with 1,010 submissions, so long after what is due for another.
fn void_beside(world: &mut World, bounty: ItemId, who: &str, after_ms: u64) -> ItemId {
    let due_ms = world.until(bounty) + after_ms;
    let open_ms = due_ms - 2_000 - 1 - (world.now() + 1);
    let post = world.post_action(who, |p| p.schedule.open_ms = open_ms);
    let other = world.must(who, post);
    world.commit_many("miner-2", other, &labels(1_010));
    world.block(world.until(other), &[]);
    world.block(world.now() + 1, &[]);
    assert_eq!(world.until(other), due_ms);
    other
}

/// Seats of a check whose stake returns cost 2 rows each: those that were asked with all others when the check ends,
/// the panel's when the score's is drawn. Another bounty's submissions have what is left of the block, 6 rows each.
#[test]
fn returning_the_seats_of_a_check_takes_from_the_block() {
    let mut world = World::pool(parameters(), 15, &[]);
    let bounty = world.post(|p| {
        p.schedule.test_check_ms = 20_000;
        p.schedule.reveal_ms = 20_000;
    });
    let submission = world.commit("miner-1", bounty, "m");
    world.bring_to_check(bounty);
    let panel = world.checks(bounty);
    world.must(&panel[0], found(bounty, bad_test_set()));
    for who in &panel[1..] {
        world.must(who, found(bounty, TestOutcome::Ok));
    }
    world.skip(bounty);
    for who in world.checks(bounty) {
        if !panel.contains(&who) {
            world.must(&who, found(bounty, TestOutcome::Ok));
        }
    }
    let other = void_beside(&mut world, bounty, "alice", 1);
    let receipts = world.block(world.until(other), &[]);
    assert_eq!(world.phase(bounty), Phase::Reveal);
    // 4 and 10 seats; 4 and a sixteenth of 1,010; what remains are 3,909.
    assert_eq!(closed(&receipts), 652);
    world.block(world.now() + 1, &[]);
    world.reveal(submission);
    let other = void_beside(&mut world, bounty, "bob", 3);
    world.block(world.until(bounty), &[]);
    let receipts = world.block(world.until(other), &[]);
    assert_eq!(world.phase(bounty), Phase::Score);
    // 4, the panel's 5 seats, an eighth of 15 evaluators, 5 seats that are drawn; what remains are 3,898.
    assert_eq!(closed(&receipts), 650);
}

/// Seats of the score cost 2 rows each as well: those that were asked with all others when their words are counted, the
/// panel's when the bounty ends. Another bounty's submissions have what is left of the block, 6 rows each.
#[test]
fn returning_the_seats_of_the_score_takes_from_the_block() {
    let mut world = World::pool(parameters(), 15, &[]);
    let bounty = world.post(|p| {
        p.schedule.score_reveal_ms = 20_000;
        p.schedule.challenge_ms = 20_000;
    });
    world.commit("miner-1", bounty, "m");
    world.bring_to_score(bounty);
    let panel = world.asked(bounty);
    world.round(bounty, |who, _| match who == panel[0] {
        true => Some(invalid()),
        false => Some(scored(600, "m")),
    });
    let all = world.asked(bounty);
    assert_eq!(all.len(), 10);
    for who in &all {
        world.commit_batch(who, bounty, &[scored(600, "m")]);
    }
    world.skip(bounty);
    for who in &all {
        world.reveal_batch(who, bounty);
    }
    let other = void_beside(&mut world, bounty, "alice", 1);
    let receipts = world.block(world.until(other), &[]);
    assert_eq!(world.phase(bounty), Phase::Challenge);
    // 4, a submission with 15 seats, 10 seats; 4 and a sixteenth of 1,010; what remains are 3,904.
    assert_eq!(closed(&receipts), 651);
    world.block(world.now() + 1, &[]);
    let other = void_beside(&mut world, bounty, "bob", 1);
    let receipts = world.block(world.until(other), &[]);
    assert_eq!(world.phase(bounty), Phase::Settled);
    // 4, a submission that is ranked and paid, 5 seats; 4 and a sixteenth of 1,010; what remains are 3,892. The winner is
    // ranked too.
    assert_eq!(closed(&receipts), 1 + 649);
}

/// A settlement takes two blocks; in between another bounty ranks the same weights, committed earlier. That claim stays
/// when the later one's asset is made: what was committed between the two is a copy.
#[test]
fn an_earlier_claim_stays_when_a_later_ones_asset_is_made() {
    let mut parameters = parameters();
    parameters.late_ms = 1_000_000;
    parameters.phase_max_ms = 1_000_000;
    parameters.retention_ms = 1_000_000;
    let mut world = World::pool(parameters, 3, &[]);
    for number in 1..=3 {
        world.must(&format!("eve-{number}"), join(100_000));
    }
    let first = world.post(|p| p.schedule.challenge_ms = 100_000);
    let between = world.post(|p| {
        p.schedule.open_ms = 50_000;
        p.schedule.challenge_ms = 200_000;
    });
    let earliest = world.commit("miner-1", first, "first");
    let copy = world.commit("miner-2", between, "between");
    world.bring_to_reveal(first);
    world.bring_to_challenge(first, &[scored(600, "w")]);
    world.bring_to_reveal(between);
    world.bring_to_challenge(between, &[scored(600, "w")]);
    let long = world.post(|_| ());
    let labels = labels(170);
    let last = *world
        .commit_many("miner-3", long, &labels)
        .last()
        .expect("many");
    world.bring_to_reveal(long);
    let mut outcomes = vec![invalid(); 169];
    outcomes.push(scored(700, "w"));
    world.bring_to_challenge(long, &outcomes);

    let end = world.until(first);
    assert!(world.until(long) < end && end < world.until(between));
    world.block(end, &[]);
    assert!(world.state.asset(last).is_none(), "it was not reached");
    while !(world.waits(first) && world.waits(long)) {
        world.block(world.now() + 1, &[]);
    }
    assert_eq!(world.phase(first), Phase::Settled);
    world.skip(between);
    assert_eq!(world.standing(earliest), Some(Standing::Won));
    assert_eq!(world.standing(last), Some(Standing::Won));
    assert_eq!(world.standing(copy), Some(Standing::Copied(earliest)));
}
