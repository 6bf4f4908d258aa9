//! Licences for a share of revenue: the minimum in advance, a word a month, and what
//! comes of silence.

use protocol::receipt::{LicenseStanding, Purse};
use protocol::record::*;
use protocol::{Amount, ItemId};

use crate::world::*;

/// Months of ten seconds at 1,000,000 at least, four seconds of grace.
fn world() -> World {
    let parameters = Parameters {
        month_ms: 10_000,
        grace_ms: 4_000,
        revenue_minimum: units(1_000_000),
        ..parameters()
    };
    World::with(parameters, &[])
}

/// A model for 5 % of revenue, a licence of it for so many months, and when it was bought.
fn licensed(world: &mut World, count: u32) -> (ItemId, ItemId, u64) {
    let m = world.must("alice", model("m", revenue("5%"), &[]));
    world.label(m, "m");
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, count));
    world.label(l, "l");
    (m, l, world.now())
}

fn standing(world: &World, license: ItemId) -> LicenseStanding {
    let license = world.state.license(license).expect("written");
    license.term.expect("months").standing
}

const MONTH_2: [&str; 2] = ["month 2 of l", "escrow:l -1000000, income:m +1000000"];

#[test]
fn every_month_pays_its_share_and_at_least_the_minimum() {
    let mut world = world();
    let (m, l, bought) = licensed(&mut world, 3);
    assert_eq!(world.gain("buyer"), -3_000_000);
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), units(2_000_000));
    world.row("buyer", declare(l, 1, 60_000_000), "period_not_over");
    world.clock(bought + 9_998, &[]);
    world.row("buyer", declare(l, 1, 60_000_000), "period_not_over");
    world.clock(bought + 10_000, &MONTH_2);
    // 5 % of 60,000,019 is 3,000,000.95: the minimum is part of it.
    world.row("alice", declare(l, 1, 60_000_019), "not_owner");
    world.row("buyer", declare(l, 0, 60_000_019), "other_period");
    world.row("buyer", declare(l, 2, 60_000_019), "other_period");
    world.row(
        "buyer",
        declare(l, 1, 60_000_019),
        "ok; month 1 of l declared, 2000000 paid; buyer -2000000, income:m +2000000",
    );
    world.row("buyer", declare(l, 1, 60_000_019), "other_period");
    world.row("buyer", declare(l, 2, 0), "period_not_over");
    world.clock(bought + 20_000, &["month 3 of l", MONTH_2[1]]);
    // At the minimum and below it nothing more is paid.
    world.row(
        "buyer",
        declare(l, 2, 20_000_000),
        "ok; month 2 of l declared, 0 paid",
    );
    world.clock(bought + 30_000, &["ended l"]);
    assert_eq!(standing(&world, l), LicenseStanding::Ended);
    world.row(
        "buyer",
        declare(l, 3, 0),
        "ok; month 3 of l declared, 0 paid",
    );
    world.row("buyer", declare(l, 4, 0), "all_declared");
    assert_eq!(world.state.next_deadline_ms(), None);
    assert_eq!(world.gain("buyer"), -5_000_000);
    world.row("alice", claim(m), "ok; alice +5000000, income:m -5000000");
}

#[test]
fn a_month_that_is_not_declared_in_time_ends_the_licence() {
    let mut world = world();
    let (m, l, bought) = licensed(&mut world, 4);
    world.clock(bought + 10_000, &MONTH_2);
    world.clock(bought + 13_999, &[]);
    // Two months were released; what is left returns.
    world.clock(
        bought + 14_000,
        &["l lapsed at month 1", "buyer +2000000, escrow:l -2000000"],
    );
    assert_eq!(standing(&world, l), LicenseStanding::Lapsed);
    assert_eq!(world.state.balance(Purse::Escrow(m, l)), Amount::ZERO);
    world.row("buyer", declare(l, 1, 0), "license_lapsed");
    assert_eq!(world.state.next_deadline_ms(), None);
    world.clock(bought + 100_000, &[]);
    assert_eq!(world.gain("buyer"), -2_000_000);
}

#[test]
fn the_last_moment_of_grace_is_before_the_block_that_ends_it() {
    let mut world = world();
    let (_, l, bought) = licensed(&mut world, 2);
    world.clock(bought + 13_998, &MONTH_2);
    world.row(
        "buyer",
        declare(l, 1, 0),
        "ok; month 1 of l declared, 0 paid",
    );
    // And its first is the block that the month ends in.
    let receipts = world.block(bought + 20_000, &[("buyer", declare(l, 2, 0))]);
    assert_eq!(
        world.lines(&receipts),
        ["ended l", "ok", "month 2 of l declared, 0 paid"]
    );
    let mut world = self::world();
    let (_, l, bought) = licensed(&mut world, 2);
    world.clock(bought + 10_000, &MONTH_2);
    world.must("buyer", declare(l, 1, 0));
    world.clock(bought + 20_000, &["ended l"]);
    world.clock(bought + 23_999, &[]);
    // The clock works before the records of its block.
    let receipts = world.block(bought + 24_000, &[("buyer", declare(l, 2, 0))]);
    assert_eq!(
        world.lines(&receipts),
        ["l lapsed at month 2", "license_lapsed"]
    );
}

/// At one moment the licence lapses before a month begins, so that month returns too.
#[test]
fn a_lapse_comes_before_a_month_that_begins_with_it() {
    let parameters = Parameters {
        month_ms: 10_000,
        grace_ms: 10_000,
        revenue_minimum: units(1_000_000),
        ..parameters()
    };
    let mut world = World::with(parameters, &[]);
    let (_, _, bought) = licensed(&mut world, 3);
    world.clock(bought + 10_000, &MONTH_2);
    world.clock(
        bought + 20_000,
        &["l lapsed at month 1", "buyer +1000000, escrow:l -1000000"],
    );
}

/// A halt over the end of grace robs nobody.
#[test]
fn a_clock_that_comes_too_late_gives_fresh_grace() {
    let mut world = world();
    let (_, l, bought) = licensed(&mut world, 1);
    world.clock(bought + 10_000, &["ended l"]);
    world.clock(bought + 15_001, &["grace of l"]);
    world.clock(bought + 18_999, &[]);
    world.row(
        "buyer",
        declare(l, 1, 0),
        "ok; month 1 of l declared, 0 paid",
    );
    let mut world = self::world();
    let (_, l, bought) = licensed(&mut world, 1);
    world.clock(bought + 10_000, &["ended l"]);
    world.clock(bought + 15_001, &["grace of l"]);
    world.clock(bought + 19_001, &["l lapsed at month 1"]);
    assert_eq!(standing(&world, l), LicenseStanding::Lapsed);
    // A second after its end is not too late.
    let mut world = self::world();
    let (_, _, bought) = licensed(&mut world, 1);
    world.clock(bought + 10_000, &["ended l"]);
    world.clock(bought + 15_000, &["l lapsed at month 1"]);
}

#[test]
fn fresh_grace_is_a_day_at_most() {
    let day_ms = 24 * 3_600_000;
    for (grace_ms, fresh_ms) in [(day_ms - 1, day_ms - 1), (3 * day_ms, day_ms)] {
        let parameters = Parameters {
            month_ms: 10_000,
            grace_ms,
            revenue_minimum: units(1_000_000),
            ..parameters()
        };
        let mut world = World::with(parameters, &[]);
        let (_, _, bought) = licensed(&mut world, 1);
        world.clock(bought + 10_000, &["ended l"]);
        let late = bought + 10_000 + grace_ms + 1_001;
        world.clock(late, &["grace of l"]);
        assert_eq!(world.state.next_deadline_ms(), Some(late + fresh_ms));
    }
}

/// A licence that is behind has one piece of work a block, in the order of its times.
#[test]
fn what_a_halt_left_undone_is_done_in_order() {
    let mut world = world();
    let (_, l, bought) = licensed(&mut world, 4);
    let late = bought + 25_000;
    world.clock(late, &MONTH_2);
    // Grace ended at 14 s, long ago: there is a fresh one.
    world.clock(late + 1, &["grace of l"]);
    world.clock(late + 2, &["month 3 of l", MONTH_2[1]]);
    for period in [1, 2] {
        let declared = format!("ok; month {period} of l declared, 0 paid");
        world.row("buyer", declare(l, period, 0), &declared);
    }
    world.clock(bought + 30_000, &["month 4 of l", MONTH_2[1]]);
}

#[test]
fn ancestors_have_their_share_of_what_is_declared() {
    let mut world = world();
    let parent = world.must("carol", model("parent", sharing("10%", 1), &[]));
    let m = world.must("alice", model("m", revenue("50%"), &[parent]));
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, 1));
    for (id, label) in [(parent, "parent"), (m, "m"), (l, "l")] {
        world.label(id, label);
    }
    world.clock(world.now() + 10_000, &["ended l"]);
    world.row(
        "buyer",
        declare(l, 1, 8_000_000),
        "ok; month 1 of l declared, 3000000 paid; buyer -3000000, income:m +2700000, income:parent +300000",
    );
}

#[test]
fn what_cannot_be_paid_is_not_declared_and_can_be_later() {
    let mut world = world();
    let (_, l, bought) = licensed(&mut world, 1);
    world.clock(bought + 10_000, &["ended l"]);
    world.row("buyer", declare(l, 1, u128::MAX), "insufficient_funds");
    world.row("buyer", declare(nothing(), 1, 0), "unknown_license");
    world.row(
        "buyer",
        declare(l, 1, 0),
        "ok; month 1 of l declared, 0 paid",
    );
    let once = world.must("alice", model("once", priced(5), &[]));
    let sold = world.must("buyer", world.buy(once, Grant::CommercialUse));
    world.row("buyer", declare(sold, 1, 0), "no_revenue_share");
    let dear = world.must("alice", model("monthly", monthly(5), &[]));
    let sold = world.must("buyer", world.buy_months(dear, Grant::CommercialUse, 2));
    world.row("buyer", declare(sold, 1, 0), "no_revenue_share");
}
