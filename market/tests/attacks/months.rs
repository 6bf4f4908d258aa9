//! Licences by the month: sellers, buyers and holders who look for a moment.

use protocol::receipt::Phase;
use protocol::record::*;

use crate::world::*;
use crate::{gains, pool_with};

/// Months of ten seconds.
fn short_months() -> Parameters {
    Parameters {
        month_ms: 10_000,
        ..parameters()
    }
}

/// The seller puts dearer months in the place of those that were read; and months that
/// were bought stay at their price.
#[test]
fn a_price_raised_beside_a_monthly_purchase_is_not_paid() {
    let mut world = pool_with(short_months(), 1);
    let cheap = world.must("alice", model("cheap", monthly(1_000), &[]));
    let dear = world.must("alice", model("dear", monthly(9_000), &[]));
    let Action::BuyLicense { mut body, .. } = world.buy_months(cheap, Grant::CommercialUse, 12)
    else {
        unreachable!("it buys")
    };
    body.price_max = units(12_000);
    let purchase = |asset, body: &BuyLicense| Action::BuyLicense {
        asset,
        body: body.clone(),
    };
    world.row("buyer", purchase(dear, &body), "terms_changed");
    // The most that is paid is for all months together.
    let more = BuyLicense {
        months: 13,
        ..body.clone()
    };
    world.row("buyer", purchase(cheap, &more), "price_above_max");
    assert_eq!(world.gain("buyer"), 0);
    world.must("buyer", purchase(cheap, &body));
    for _ in 0..12 {
        let next = world.state.next_deadline_ms().expect("a month");
        world.block(next, &[]);
    }
    assert_eq!(world.gain("buyer"), -12_000);
    assert_eq!(
        world.state.pool(cheap).expect("an asset").income,
        units(12_000)
    );
}

/// Who holds the shares when a month begins has its price: what is in escrow is sold
/// with the shares, and nobody can take it out before.
#[test]
fn shares_sold_between_months_take_the_months_to_come_with_them() {
    let mut world = pool_with(short_months(), 1);
    let m = world.must("alice", model("m", monthly(1_000_000), &[]));
    world.must("buyer", world.buy_months(m, Grant::CommercialUse, 3));
    let bought = world.now();
    // Nothing but the first month can be claimed.
    world.must("alice", claim(m));
    world.row("alice", claim(m), "nothing_owed");
    assert_eq!(world.gain("alice"), 1_000_000);
    world.block(bought + 10_000, &[]);
    world.must("alice", transfer_shares(m, "bob", 1_000_000));
    world.block(bought + 20_000, &[]);
    for who in ["alice", "bob"] {
        world.must(who, claim(m));
    }
    assert_eq!(
        gains(&world, ["alice", "bob", "buyer"]),
        [2_000_000, 1_000_000, -3_000_000]
    );
    // A block that begins a month begins it before its records: a sale in it comes late.
    let n = world.must("alice", model("n", monthly(1_000_000), &[]));
    world.must("buyer", world.buy_months(n, Grant::CommercialUse, 2));
    let begins = world.now() + 10_000;
    world.block(begins, &[("alice", transfer_shares(n, "bob", 1_000_000))]);
    world.row("bob", claim(n), "nothing_owed");
    world.must("alice", claim(n));
    assert_eq!(gains(&world, ["alice", "bob"]), [4_000_000, 1_000_000]);
}

/// A seller who is its own buyer of the cheapest months fills the queue: what is due for
/// bounties has its part of every block, and only other licences wait.
#[test]
fn a_flood_of_months_delays_no_bounty() {
    let per_block = market::state::WORK_PER_BLOCK as usize / 4 / 8;
    let flood = |sales: usize| {
        let mut world = pool_with(short_months(), 1);
        let m = world.must("carol", model("m", monthly(1), &[]));
        let honest = world.must("alice", model("honest", monthly(1_000_000), &[]));
        let sales = vec![("carol", world.buy_months(m, Grant::CommercialUse, 2)); sales];
        world.block(world.now() + 1, &sales);
        world.must("buyer", world.buy_months(honest, Grant::CommercialUse, 2));
        let bounty = world.post(|p| p.schedule.open_ms = 9_999);
        // The honest month begins when the bounty's phase ends, after all the others.
        world.block(world.until(bounty), &[]);
        let is_on_time = matches!(world.phase(bounty), Phase::Void(_));
        let mut waited = 0;
        while world.state.pool(honest).expect("an asset").income == units(1_000_000) {
            world.block(world.now() + 1, &[]);
            waited += 1;
        }
        let carol = (world.bytes_paid("carol"), world.deposits("carol"));
        (is_on_time, waited, carol)
    };
    let (is_on_time, waited, (model, _)) = flood(0);
    assert_eq!((is_on_time, waited), (true, 0));
    let (is_on_time, waited, (bytes, deposits)) = flood(4 * per_block);
    assert!(is_on_time, "a bounty's deadline is not delayed");
    assert_eq!(
        waited, 4,
        "the honest month waits a block for each 125 before it"
    );
    assert!(
        bytes - model > 500 * 430,
        "a purchase has more than 430 bytes: {bytes}"
    );
    assert_eq!(deposits, 10 * bytes, "and its deposit never returns");
}
