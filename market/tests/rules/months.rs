//! Licences by the month: what the clock releases, to whom, and when it is over.

use protocol::receipt::{Cause, Event, LicenseStanding, Phase, Purse};
use protocol::record::*;
use protocol::{Amount, ItemId};

use crate::world::*;

fn short_months() -> Parameters {
    Parameters {
        month_ms: 10_000,
        ..parameters()
    }
}

/// The usual network, with months of ten seconds.
fn world() -> World {
    World::with(short_months(), &[])
}

/// A model whose business use costs so much a month, and a licence of it.
fn licensed(world: &mut World, fee: u128, count: u32) -> (ItemId, ItemId) {
    let m = world.must("alice", model("m", monthly(fee), &[]));
    world.label(m, "m");
    let license = world.must("buyer", world.buy_months(m, Grant::CommercialUse, count));
    world.label(license, "l");
    (m, license)
}

#[test]
fn the_first_month_is_income_at_once_and_the_others_are_released_one_by_one() {
    let mut world = world();
    let m = world.must("alice", model("m", monthly(2_000_000), &[]));
    world.label(m, "m");
    let sale = world.buy_months(m, Grant::CommercialUse, 3);
    let receipt = world.send("buyer", sale);
    let l = id_of(&receipt);
    world.label(l, "l");
    assert_eq!(
        world.show(&receipt),
        "ok; license to buyer for 6000000; runs 3; buyer -6000000, escrow:l +4000000, income:m +2000000"
    );
    let bought = world.now();
    let license = world.state.license(l).expect("written");
    assert_eq!(license.price, units(6_000_000));
    assert_eq!(world.state.runs_until_ms(&license), Some(bought + 30_000));
    let term = |world: &World| {
        world
            .state
            .license(l)
            .and_then(|it| it.term)
            .expect("months")
    };
    assert_eq!(
        (term(&world).begun, term(&world).standing),
        (1, LicenseStanding::Runs)
    );
    world.clock(bought + 9_999, &[]);
    let released = ["month 2 of l", "escrow:l -2000000, income:m +2000000"];
    world.clock(bought + 10_000, &released);
    world.row("alice", claim(m), "ok; alice +4000000, income:m -4000000");
    let released = ["month 3 of l", "escrow:l -2000000, income:m +2000000"];
    world.clock(bought + 20_000, &released);
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), Amount::ZERO);
    assert_eq!(
        (term(&world).begun, term(&world).standing),
        (3, LicenseStanding::Runs)
    );
    world.clock(bought + 29_999, &[]);
    world.clock(bought + 30_000, &["ended l"]);
    assert_eq!(
        (term(&world).begun, term(&world).standing),
        (3, LicenseStanding::Ended)
    );
    // It is kept, and nothing more comes of it.
    assert_eq!(world.state.next_deadline_ms(), None);
    world.clock(bought + 1_000_000, &[]);
    assert_eq!(world.gain("buyer"), -6_000_000);
}

#[test]
fn a_single_month_ends_when_it_is_over() {
    let mut world = world();
    let (m, l) = licensed(&mut world, 1_000_000, 1);
    let bought = world.now();
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), Amount::ZERO);
    assert_eq!(world.state.next_deadline_ms(), Some(bought + 10_000));
    let receipts = world.block(bought + 10_000, &[]);
    assert_eq!(receipts[0].cause, Cause::License(l));
    assert_eq!(world.lines(&receipts), ["ended l"]);
}

#[test]
fn months_are_named_where_they_are_sold_and_only_there() {
    let mut world = world();
    let m = world.must("alice", model("m", monthly(1_000), &[]));
    let once = world.must("alice", model("once", priced(1_000), &[]));
    let capped = |count, price_max| {
        let Action::BuyLicense { asset, mut body } =
            world.buy_months(m, Grant::CommercialUse, count)
        else {
            unreachable!("it buys")
        };
        body.price_max = units(price_max);
        Action::BuyLicense { asset, body }
    };
    let too_cheap = capped(3, 2_999);
    let enough = capped(3, 3_000);
    for (action, expected) in [
        (world.buy(m, Grant::CommercialUse), "sold_by_month"),
        (
            world.buy_months(m, Grant::CommercialUse, 121),
            "sold_by_month",
        ),
        (world.buy_months(once, Grant::CommercialUse, 1), "sold_once"),
        (too_cheap, "price_above_max"),
        (
            enough,
            "ok; license to buyer for 3000; runs 3; buyer -3000, escrow:ESCROW +2000, income:INCOME +1000",
        ),
    ] {
        let receipt = world.send("buyer", action);
        let expected = expected.replace("ESCROW", &world.what(id_of(&receipt)));
        let expected = expected.replace("INCOME", &world.what(m));
        assert_eq!(world.show(&receipt), expected);
    }
    let dear = world.must("alice", model("dear", monthly(u128::MAX), &[]));
    for (count, expected) in [(1, "insufficient_funds"), (2, "overflow")] {
        let sale = world.buy_months(dear, Grant::CommercialUse, count);
        world.row("buyer", sale, expected);
    }
}

/// A buyer who can pay the first month and not the rest buys nothing.
#[test]
fn all_months_are_paid_in_advance() {
    let mut world = world();
    let m = world.must("alice", model("m", monthly(FUNDS / 4), &[]));
    let sale = world.buy_months(m, Grant::CommercialUse, 4);
    world.row("buyer", sale, "insufficient_funds");
    assert_eq!(world.gain("buyer"), 0);
    world.must("buyer", world.buy_months(m, Grant::CommercialUse, 3));
}

#[test]
fn ancestors_have_their_share_of_every_month() {
    let mut world = world();
    let parent = world.must("carol", model("parent", sharing("10%", 1), &[]));
    let m = world.must("alice", model("m", monthly(1_000_005), &[parent]));
    world.label(parent, "parent");
    world.label(m, "m");
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, 2));
    world.label(l, "l");
    let bought = world.now();
    let released = [
        "month 2 of l",
        "escrow:l -1000005, income:m +900005, income:parent +100000",
    ];
    world.clock(bought + 10_000, &released);
    let income = |id| world.state.pool(id).expect("an asset").income;
    assert_eq!(
        [income(m), income(parent)],
        [units(1_800_010), units(200_000)]
    );
}

/// What a halt left undone is caught up, a month a block.
#[test]
fn a_late_clock_begins_one_month_a_block() {
    let mut world = world();
    let (_, _) = licensed(&mut world, 1_000_000, 4);
    let late = world.now() + 35_000;
    for number in 2..=4 {
        let month = format!("month {number} of l");
        let time_ms = late + number;
        world.clock(time_ms, &[&month, "escrow:l -1000000, income:m +1000000"]);
        let next = world.state.next_deadline_ms().expect("more to do");
        assert_eq!(next <= time_ms, number < 4);
    }
    world.clock(late + 5_000, &["ended l"]);
}

/// Two months of one licence may wait for their draw at the same time.
#[test]
fn each_month_has_a_draw_of_its_own() {
    let mut world = world();
    let m = world.must("alice", model("m", drawn(&monthly(1_000)), &[]));
    world.label(m, "m");
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, 3));
    world.label(l, "l");
    let bought = world.now();
    world.clock(bought + 1, &["alice +1000, income:m -1000"]);
    world.clock(
        bought + 20_000,
        &["month 2 of l", "escrow:l -1000, income:m +1000"],
    );
    // The next block draws for the second month, and begins the third.
    let both = [
        "alice +1000, income:m -1000",
        "month 3 of l",
        "escrow:l -1000, income:m +1000",
    ];
    world.clock(bought + 20_001, &both);
    world.row("alice", transfer_shares(m, "bob", 1), "ok");
    assert_eq!(world.gain("alice"), 3_000);
}

/// Each month costs eight rows, and licences take a quarter of a block's budget.
#[test]
fn more_months_than_fit_hold_up_no_deadline() {
    let per_block = market::state::WORK_PER_BLOCK as usize / 4 / 8;
    let mut world = world();
    world.evaluators(1);
    let m = world.must("alice", model("m", monthly(1_000_000), &[]));
    let sales = vec![("carol", world.buy_months(m, Grant::CommercialUse, 2)); 2 * per_block + 1];
    world.block(world.now() + 1, &sales);
    let begin = world.now() + 10_000;
    let bounty = world.post(|p| p.schedule.open_ms = 9_000);
    world.clock(world.until(bounty) - 1, &[]);
    // All months are due before the bounty's phase ends, which is in the same block.
    let receipts = world.block(begin.max(world.until(bounty)), &[]);
    assert_eq!(receipts.len(), per_block + 1);
    assert!(matches!(world.phase(bounty), Phase::Void(_)));
    // The rest follows block by block.
    assert_eq!(world.block(world.now() + 1, &[]).len(), per_block);
    assert_eq!(world.block(world.now() + 1, &[]).len(), 1);
    assert_eq!(world.block(world.now() + 1, &[]).len(), 0);
}

/// Of what a block keeps for licences, 1,000 rows, a month of a model with three ancestors takes 4, and 4 for each of
/// the four that it pays.
#[test]
fn a_month_counts_every_ancestor_that_it_pays() {
    let mut world = world();
    let mut parents = Vec::new();
    for label in ["one", "two", "three"] {
        parents.push(world.must("alice", model(label, sharing("5%", 1000), &[])));
    }
    let m = world.must("alice", model("m", monthly(1_000_000), &parents));
    let sales = vec![("carol", world.buy_months(m, Grant::CommercialUse, 2)); 51];
    world.block(world.now() + 1, &sales);
    assert_eq!(world.block(world.now() + 10_000, &[]).len(), 50);
    assert_eq!(world.block(world.now() + 1, &[]).len(), 1);
}

/// An asset can earn more than an amount can hold, when the same money goes round.
/// The clock then gives the months back instead of stopping.
#[test]
fn months_that_no_sum_can_hold_return_to_their_buyer() {
    let fee = u128::MAX / 3 - 1_000_000;
    let genesis = Genesis {
        version: LOG_VERSION,
        name: name("rich"),
        salt: name("salt"),
        time_ms: GENESIS_MS,
        parameters: short_months(),
        allocations: vec![Allocation {
            account: address("alice"),
            amount: Amount::MAX,
        }],
    };
    let mut world = World::of(genesis, &["alice"]);
    let rich = Purse::Account(address("alice"));
    // The world counts in smaller numbers, so its state is asked directly.
    let block = |world: &mut World, time_ms, actions: &[Action]| {
        world.begin(time_ms);
        for action in actions {
            let tx = World::sign("alice", &world.envelope("alice"), action);
            assert_eq!(world.state.apply(&tx), Ok(None));
        }
        let receipts = world.state.end_block().receipts;
        world.state.audit().expect("the supply is kept");
        receipts
    };
    let start = world.now();
    let m = id_of(&block(&mut world, start + 1, &[model("m", monthly(fee), &[])])[0]);
    let sale = world.buy_months(m, Grant::CommercialUse, 2);
    let l = id_of(&block(&mut world, start + 2, &[sale])[0]);
    for time_ms in [start + 3, start + 4] {
        let sale = world.buy_months(m, Grant::CommercialUse, 1);
        block(&mut world, time_ms, &[claim(m), sale]);
    }
    let before = world.state.balance(rich).base_units();
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), units(fee));
    let receipts = block(&mut world, start + 2 + 10_000, &[]);
    world.label(l, "l");
    assert!(
        matches!(receipts[0].events[..], [Event::LicenseEnded { license, .. }] if license == l)
    );
    assert_eq!(receipts.len(), 1);
    assert_eq!(world.state.balance(rich), units(before + fee));
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), Amount::ZERO);
    let term = world
        .state
        .license(l)
        .and_then(|it| it.term)
        .expect("months");
    assert_eq!(term.standing, LicenseStanding::Ended);
}
