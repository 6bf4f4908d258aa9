//! Holders who vote, those who would rather not be outvoted, and those who buy meanwhile.

use protocol::ItemId;
use protocol::record::*;

use crate::world::*;
use crate::{gains, pool};

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
    for (from, to) in [("alice", "second key"), ("second key", "carol")] {
        world.row(from, transfer_shares(m, to, 499_999), "ok");
        world.row(to, vote(m, &cheap), "ok");
        let tally = world.state.tallies(m).next().expect("one ballot").1;
        assert_eq!(tally.shares, 499_999);
    }
    assert_eq!(price(&world, m), 1_000_000);
    // Those who moved them away have no ballot, and their deposits.
    assert_eq!(world.state.ballots_kept(), 1);
    assert_eq!(world.deposits("second key"), 0);
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
