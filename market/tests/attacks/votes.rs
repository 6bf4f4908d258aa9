//! Holders who vote, those who would rather not be outvoted, and those who buy meanwhile.

use protocol::ItemId;
use protocol::receipt::{Phase, Purse};
use protocol::record::*;

use crate::world::*;
use crate::{gains, pool, pool_with};

/// A model that costs a million for each grant, and who holds it.
fn held(world: &mut World, holders: &[(&str, u32)]) -> ItemId {
    let mut action = model("m", priced(1_000_000), &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        let holder = |(who, shares): &(&str, u32)| Holder {
            account: address(who),
            shares: *shares,
        };
        body.holders = holders.iter().map(holder).collect();
    }
    let id = world.must("alice", action);
    world.label(id, "m");
    id
}

fn price(world: &World, asset: ItemId) -> u128 {
    let terms = &world.state.asset(asset).expect("registered").terms;
    let quote = terms.quote(Grant::CommercialUse).expect("it is sold");
    quote.price.unit(protocol::Amount::ZERO).base_units()
}

/// What is meant by nine tenths: a share more than a tenth says no.
#[test]
fn a_minority_of_more_than_a_tenth_keeps_the_terms_from_tightening() {
    for (minority, blocks) in [(100_000, false), (100_001, true)] {
        let mut world = pool(1);
        let holders = [("alice", 1_000_000 - minority), ("bob", minority)];
        let m = held(&mut world, &holders);
        world.must("alice", vote(m, &priced(2_000_000)));
        assert_eq!(world.state.voting(m).pending.is_none(), blocks);
        world.block(world.now() + 50_000, &[]);
        let after = if blocks { 1_000_000 } else { 2_000_000 };
        assert_eq!(price(&world, m), after);
    }
}

/// The same shares, voted with by one, then moved to a second key that votes again:
/// the tally is what they are, not twice that.
#[test]
fn shares_that_are_moved_after_they_voted_do_not_vote_twice() {
    let mut world = pool(1);
    let m = held(&mut world, &[("alice", 499_999), ("bob", 500_001)]);
    let cheap = priced(1);
    world.must("alice", vote(m, &cheap));
    let mut given = Vec::new();
    for (from, to) in [("alice", "second key"), ("second key", "carol")] {
        given.push(world.must(from, transfer_shares(m, to, 499_999)));
        world.row(to, vote(m, &cheap), "ok");
        let tally = world.state.tallies(m).next().expect("one ballot").1;
        assert_eq!(tally.shares, 499_999);
    }
    assert_eq!(price(&world, m), 1_000_000);
    // Those who moved them away have no ballot, and their deposits, but for the holding that they made.
    assert_eq!(world.state.ballots_kept(), 1);
    let deposit = |record| world.state.balance(Purse::Deposit(record)).base_units();
    assert_eq!(world.deposits("second key"), deposit(given[1]));
    assert_eq!(deposit(given[0]), 0);
}

/// A sale to a second key at a price that was voted down for it: nothing is gained
/// without half of the shares; with them, the other holders' part of the price.
#[test]
fn who_holds_half_can_sell_cheap_to_itself() {
    // Honest: the second key pays the price, and the holders get their halves.
    let mut honest = pool(1);
    let m = held(&mut honest, &[("alice", 500_000), ("bob", 500_000)]);
    honest.must("second key", honest.buy(m, Grant::CommercialUse));
    honest.must("alice", claim(m));
    honest.must("bob", claim(m));
    let [alice, second, bob] = gains(&honest, ["alice", "second key", "bob"]);
    assert_eq!([alice + second, bob], [-500_000, 500_000]);

    let mut world = pool(1);
    let m = held(&mut world, &[("alice", 500_000), ("bob", 500_000)]);
    world.must("alice", vote(m, &priced(1)));
    world.must("second key", world.buy(m, Grant::CommercialUse));
    world.row("alice", claim(m), "nothing_owed");
    let [alice, second, bob] = gains(&world, ["alice", "second key", "bob"]);
    assert_eq!([alice + second, bob], [-1, 0]);
    // Cheap it stays, for everybody, until nine tenths and the notice say otherwise.
    world.row("alice", vote(m, &priced(1_000_000)), "ok");
    assert_eq!(price(&world, m), 1);

    let mut less = pool(1);
    let m = held(&mut less, &[("alice", 499_999), ("bob", 500_001)]);
    less.row("alice", vote(m, &priced(1)), "ok");
    assert_eq!(price(&less, m), 1_000_000);
}

/// A buyer whose purchase lands after a change pays bytes and nothing else, whichever
/// way the terms went; asked again, the looser terms are there.
#[test]
fn a_purchase_that_a_loosening_overtakes_costs_its_bytes() {
    for vote_first in [false, true] {
        let mut world = pool(1);
        let m = held(&mut world, &[("alice", 1_000_000)]);
        let mut records = vec![
            ("buyer", world.buy(m, Grant::CommercialUse)),
            ("alice", vote(m, &priced(600_000))),
        ];
        if vote_first {
            records.reverse();
        }
        world.block(world.now() + 1, &records);
        let paid = if vote_first { 0 } else { -1_000_000 };
        // A licence keeps its deposit; a gain counts it as the buyer's.
        assert_eq!(gains(&world, ["buyer"]), [paid]);
        if vote_first {
            world.must("buyer", world.buy(m, Grant::CommercialUse));
            assert_eq!(gains(&world, ["buyer"]), [-600_000]);
        }
    }
}

/// All holders together cannot make anything dearer without the notice, not by moving
/// shares, not by loosening on the way, and not by asking for it twice.
#[test]
fn nobody_tightens_without_the_notice() {
    let mut world = pool(1);
    let m = held(&mut world, &[("alice", 1_000_000)]);
    let begun = world.now();
    world.must("alice", vote(m, &priced(1_000_001)));
    world.must("alice", transfer_shares(m, "bob", 1_000_000));
    world.must("bob", vote(m, &priced(1_000_001)));
    world.must("bob", vote(m, &priced(999_999)));
    assert_eq!(price(&world, m), 999_999);
    world.must("bob", vote(m, &priced(1_000_000)));
    let asked = world.now();
    world.block(begun + 1 + 40_000, &[]);
    assert_eq!(price(&world, m), 999_999);
    world.block(asked + 40_000 - 1, &[]);
    assert_eq!(price(&world, m), 999_999);
    let late = world.buy(m, Grant::CommercialUse);
    world.row("buyer", late, "terms_changed");
    assert_eq!(price(&world, m), 1_000_000);
    // That purchase named the terms that ended with its block: it was refused, not dearer.
    assert_eq!(gains(&world, ["buyer"]), [0]);
}

/// Somebody who loosens the terms of many assets in one block fills the queue: what is
/// due for bounties and licences has its part of every block, and only other terms wait.
#[test]
fn a_flood_of_loosened_terms_delays_neither_bounty_nor_licence() {
    // A turn, a ballot and a tally are 12 rows, and a turn that begins may go beyond.
    let per_block = (market::state::WORK_PER_BLOCK as usize / 8).div_ceil(12);
    let flood = |count: usize| {
        let parameters = Parameters {
            tighten_ms: 10_000,
            month_ms: 10_000,
            ..parameters()
        };
        let mut world = pool_with(parameters, 1);
        let models: Vec<_> = (0..count)
            .map(|number| ("carol", model(&format!("{number}"), priced(2), &[])))
            .collect();
        let receipts = world.block(world.now() + 1, &models);
        let models: Vec<ItemId> = receipts.iter().map(id_of).collect();
        let m = held(&mut world, &[("alice", 1_000_000)]);
        let n = world.must("alice", model("n", monthly(1_000_000), &[]));
        let bounty = world.post(|p| p.schedule.open_ms = 10_001);
        let records = [
            ("alice", vote(m, &priced(2_000_000))),
            ("buyer", world.buy_months(n, Grant::CommercialUse, 2)),
        ];
        world.block(world.now() + 1, &records);
        // Terms, month and deadline are due together, a moment after all the others.
        let due_ms = world.until(bounty);
        let vote = |id: &ItemId| ("carol", vote(*id, &priced(1)));
        let votes: Vec<_> = models.iter().map(vote).collect();
        let (bytes, deposits) = (world.bytes_paid("carol"), world.deposits("carol"));
        world.block(due_ms - 1, &votes);
        world.block(due_ms, &[]);
        let is_on_time = matches!(world.phase(bounty), Phase::Void(_))
            && world.state.pool(n).expect("an asset").income == units(2_000_000);
        let waited = (0..20).find(|_| {
            let is_changed = price(&world, m) != 1_000_000;
            world.block(world.now() + 1, &[]);
            is_changed
        });
        assert_eq!(world.state.ballots_kept(), 0);
        assert_eq!(world.deposits("carol"), deposits, "a ballot's returns");
        (is_on_time, waited, world.bytes_paid("carol") - bytes)
    };
    assert_eq!(flood(0), (true, Some(0), 0));
    let (is_on_time, waited, bytes) = flood(8 * per_block);
    assert!(is_on_time, "no month and no deadline is delayed");
    assert_eq!(
        waited,
        Some(8),
        "other terms wait a block for each 42 assets"
    );
    assert!(bytes > 336 * 200, "a vote has more than 200 bytes: {bytes}");
}
