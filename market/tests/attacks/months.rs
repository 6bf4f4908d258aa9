//! Licences by the month and by revenue: sellers, buyers and holders who look for a moment.

use protocol::receipt::{Event, Phase};
use protocol::record::*;

use crate::world::*;
use crate::{bought_as_they_tighten, gains, pool_with};

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

/// The same where the holders make the months of one licence dearer, and the notice is over at the block of the purchase.
#[test]
fn months_that_become_dearer_in_the_block_of_the_purchase_are_not_bought() {
    let mut world = pool_with(short_months(), 1);
    let m = world.must("alice", model("m", monthly(1_000), &[]));
    let read = world.buy_months(m, Grant::CommercialUse, 12);
    let sold = bought_as_they_tighten(&mut world, m, &monthly(9_000), read);
    assert_eq!(sold, "terms_changed");
    assert_eq!(world.gain("buyer"), 0);
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
    // Alice was paid what was hers with her last share.
    world.row("alice", claim(m), "not_holder");
    world.must("bob", claim(m));
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

/// Months of ten seconds at 1,000,000 at least, four seconds of grace.
fn short_revenue() -> Parameters {
    Parameters {
        grace_ms: 4_000,
        revenue_minimum: units(1_000_000),
        ..short_months()
    }
}

/// Plays a licence for three months at 5 % of revenue, of which the buyer earns
/// 100,000,000 a month, and says in the first block after a month what `word` gives for
/// it. Gives the gains of buyer and holder, and after how long the licence was over.
fn sharing_revenue(word: impl Fn(u32) -> Option<u128>) -> ([i128; 2], u64) {
    let mut world = pool_with(short_revenue(), 1);
    let m = world.must("alice", model("m", revenue("5%"), &[]));
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, 3));
    let bought = world.now();
    let mut over_ms = 0;
    for month in 1.. {
        let Some(next_ms) = world.state.next_deadline_ms() else {
            break;
        };
        let ends_ms = bought + month * 10_000;
        let time_ms = if month <= 3 { ends_ms } else { next_ms };
        while world
            .state
            .next_deadline_ms()
            .is_some_and(|it| it <= time_ms)
        {
            let due_ms = world.state.next_deadline_ms().expect("asked just now");
            let receipts = world.block(due_ms.max(world.now() + 1), &[]);
            let events = receipts.iter().flat_map(|receipt| &receipt.events);
            let ends = |event: &Event| {
                matches!(
                    event,
                    Event::LicenseLapsed { .. } | Event::LicenseEnded { .. }
                )
            };
            if over_ms == 0 && events.filter(|event| ends(event)).count() > 0 {
                over_ms = world.now() - bought;
            }
        }
        let month = month as u32;
        if let (1..=3, Some(revenue)) = (month, word(month)) {
            world.send("buyer", declare(l, month, revenue));
        }
    }
    world.must("alice", claim(m));
    (gains(&world, ["buyer", "alice"]), over_ms)
}

/// Silence costs the minimum of the months that have begun, and the licence.
#[test]
fn who_declares_nothing_pays_the_minimum_and_loses_the_licence() {
    const M: i128 = 1_000_000;
    let honest = sharing_revenue(|_| Some(100_000_000));
    assert_eq!(honest, ([-15 * M, 15 * M], 30_000));
    // The month that began meanwhile is paid; the third returns.
    let silent = sharing_revenue(|_| None);
    assert_eq!(silent, ([-2 * M, 2 * M], 14_000));
    // After an honest month, the same a month later.
    let tired = sharing_revenue(|month| (month == 1).then_some(100_000_000));
    assert_eq!(tired, ([-7 * M, 7 * M], 24_000));
}

#[test]
fn who_declares_too_late_has_lost_the_licence_already() {
    let mut world = pool_with(short_revenue(), 1);
    let m = world.must("alice", model("m", revenue("5%"), &[]));
    let l = world.must("buyer", world.buy_months(m, Grant::CommercialUse, 3));
    let bought = world.now();
    world.block(bought + 10_000, &[]);
    let late = [("buyer", declare(l, 1, 100_000_000))];
    let receipts = world.block(bought + 14_000, &late);
    let last = receipts.last().expect("a receipt a record");
    assert_eq!(world.show(last), "license_lapsed");
    // Nothing was taken for it, and it cannot be paid back to life.
    assert_eq!(world.gain("buyer"), -2_000_000);
}

/// Not prevented: the ledger cannot see revenue. Who says zero pays the minimum and
/// keeps the licence; so does who lets it lapse and buys the next month anew.
#[test]
fn who_lies_about_revenue_pays_the_minimum_only() {
    const M: i128 = 1_000_000;
    let honest = sharing_revenue(|_| Some(100_000_000));
    let liar = sharing_revenue(|_| Some(0));
    assert_eq!(liar, ([-3 * M, 3 * M], 30_000));
    assert_eq!(honest.0[0] - liar.0[0], -12 * M, "what the lie gains");
    assert_eq!(honest.0[1] - liar.0[1], 12 * M, "and who loses it");
    let mut world = pool_with(short_revenue(), 1);
    let m = world.must("alice", model("m", revenue("5%"), &[]));
    for _ in 0..3 {
        world.must("buyer", world.buy_months(m, Grant::CommercialUse, 1));
        world.block(world.now() + 10_000, &[]);
    }
    assert_eq!(world.gain("buyer"), -3_000_000, "deposits are still theirs");
}

/// All shares vote to revoke what was just sold for a year: sales stop, the months go on.
#[test]
fn months_that_are_sold_outlive_the_terms_they_were_sold_under() {
    let mut world = pool_with(short_months(), 1);
    let m = world.must("alice", model("m", monthly(1_000), &[]));
    let sale = world.buy_months(m, Grant::CommercialUse, 12);
    world.must("buyer", sale.clone());
    world.must("alice", vote(m, &revoked()));
    while let Some(next_ms) = world.state.next_deadline_ms() {
        world.block(next_ms.max(world.now() + 1), &[]);
        let revoked = world
            .state
            .asset(m)
            .expect("an asset")
            .terms
            .grants_nothing();
        if revoked {
            world.row("carol", sale.clone(), "terms_changed");
        }
    }
    let income = world.state.pool(m).expect("an asset").income;
    assert_eq!(income, units(12_000));
    assert_eq!(gains(&world, ["buyer", "carol"]), [-12_000, 0]);
}
