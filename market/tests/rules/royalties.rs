//! Licences, income, claims, transfers of shares: to the last unit.

use protocol::ItemId;
use protocol::record::*;

use crate::world::*;

/// An asset whose licence costs `price`, with these holders.
fn asset(world: &mut World, price: u128, holders: &[(&str, u32)]) -> ItemId {
    let action = model("m", priced(price), &[]);
    let id = world.must("alice", held_by(action, holders));
    world.label(id, "m");
    id
}

#[test]
fn a_purchase_pays_the_price_and_writes_the_license() {
    let mut world = World::new();
    let m = asset(
        &mut world,
        2_500_000,
        &[("alice", 600_000), ("bob", 400_000)],
    );
    let sale = world.buy(m, Grant::CommercialUse);
    let id = world.row(
        "buyer",
        sale,
        "ok; license to buyer for 2500000; buyer -2500000, income:m +2500000",
    );
    let license = world.state.license(id).expect("written");
    assert_eq!(license.licensee, address("buyer"));
    assert_eq!(license.price, units(2_500_000));
    assert_eq!(
        (license.height, license.time_ms),
        (world.state.height(), world.now())
    );
    // Two units a share; half a million does not divide and stays.
    let pool = world.state.pool(m).expect("registered");
    assert_eq!((pool.per_share, pool.remainder), (units(2), units(500_000)));
    world.row("bob", claim(m), "ok; bob +800000, income:m -800000");
    world.row("bob", claim(m), "nothing_owed");
    // The next payment is divided together with what was left.
    let sale = world.buy(m, Grant::Derivation);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 2500000; buyer -2500000, income:m +2500000",
    );
    world.row("alice", claim(m), "ok; alice +3000000, income:m -3000000");
    world.row("bob", claim(m), "ok; bob +1200000, income:m -1200000");
    let pool = world.state.pool(m).expect("registered");
    assert_eq!((pool.per_share, pool.remainder), (units(5), units(0)));
    assert_eq!(pool.income, units(5_000_000));
}

#[test]
fn a_price_below_a_unit_a_share_is_carried_until_it_divides() {
    let mut world = World::new();
    let m = asset(&mut world, 400_000, &[]);
    for (bought, owed) in [
        (1, 0),
        (2, 0),
        (3, 1_000_000),
        (4, 1_000_000),
        (5, 2_000_000),
    ] {
        world.must("buyer", world.buy(m, Grant::CommercialUse));
        assert_eq!(
            world.state.owed(m, address("alice")),
            units(owed),
            "{bought}"
        );
    }
    world.row("alice", claim(m), "ok; alice +2000000, income:m -2000000");
}

#[test]
fn a_purchase_names_terms_and_the_most_it_pays() {
    let mut world = World::new();
    let m = asset(&mut world, 1_000, &[]);
    let terms = world.state.asset(m).expect("registered").terms.id();
    let buy = |terms, price_max| Action::BuyLicense {
        asset: m,
        body: BuyLicense {
            grant: Grant::CommercialUse,
            terms,
            price_max: units(price_max),
            months: 0,
        },
    };
    world.row("buyer", buy(digest("others"), 1_000), "terms_changed");
    world.row("buyer", buy(terms, 999), "price_above_max");
    let dear = world.must("alice", model("dear", priced(FUNDS), &[]));
    world.row(
        "buyer",
        world.buy(dear, Grant::CommercialUse),
        "insufficient_funds",
    );
}

#[test]
fn past_income_stays_with_who_held_the_shares_then() {
    let mut world = World::new();
    let m = asset(
        &mut world,
        1_000_000,
        &[("alice", 600_000), ("bob", 400_000)],
    );
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.row("alice", transfer_shares(m, "carol", 599_999), "ok");
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.row("carol", claim(m), "ok; carol +599999, income:m -599999");
    world.row("bob", claim(m), "ok; bob +800000, income:m -800000");
    // With the last share goes the holding: what it is owed is paid.
    let paid = "ok; alice +600001, income:m -600001";
    world.row("alice", transfer_shares(m, "carol", 1), paid);
    assert_eq!(world.state.holdings(m).count(), 2);
    world.row("alice", claim(m), "not_holder");
    world.row("alice", transfer_shares(m, "bob", 1), "too_few_shares");
}

#[test]
fn shares_move_in_whole_parts_and_never_out_of_nothing() {
    let mut world = World::new();
    let m = asset(&mut world, 1_000_000, &[]);
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    for (who, to, shares, expected) in [
        ("alice", "bob", 0, "zero_amount"),
        ("alice", "bob", 1_000_001, "too_few_shares"),
        ("bob", "alice", 1, "too_few_shares"),
        ("alice", "alice", 1_000_000, "ok"),
        ("alice", "bob", 1, "ok"),
        ("bob", "bob", 1, "ok"),
        ("bob", "alice", 1, "ok"),
    ] {
        world.row(who, transfer_shares(m, to, shares), expected);
        let held = world.state.holdings(m).map(|(_, held)| held.shares);
        assert_eq!(held.sum::<u32>(), 1_000_000);
    }
    world.row(
        "alice",
        transfer_shares(nothing(), "bob", 1),
        "unknown_asset",
    );
    assert_eq!(world.state.owed(m, address("alice")), units(1_000_000));
    assert_eq!(world.state.owed(m, address("bob")), units(0));
}

#[test]
fn owning_all_shares_and_moving_them_to_oneself_keeps_what_is_owed() {
    let mut world = World::new();
    let m = asset(&mut world, 1_000_000, &[]);
    world.row("alice", transfer_shares(m, "alice", 1_000_000), "ok");
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.row("alice", transfer_shares(m, "alice", 1_000_000), "ok");
    world.row("alice", claim(m), "ok; alice +1000000, income:m -1000000");
}

#[test]
fn a_payment_changes_as_many_entries_for_sixty_four_holders_as_for_one() {
    let changes = |holders: &[(&str, u32)]| {
        let mut world = World::new();
        let m = asset(&mut world, 1_000_000, holders);
        let tx = World::sign(
            "buyer",
            &world.envelope("buyer"),
            &world.buy(m, Grant::CommercialUse),
        );
        world.begin(world.now() + 1);
        world.state.apply(&tx).expect("includable");
        world.state.end_block().changes.len()
    };
    let names: Vec<String> = (0..64).map(|number| format!("holder {number}")).collect();
    let many: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 15_625)).collect();
    assert_eq!(changes(&many), changes(&[]));
}

/// Each draw costs four rows, and draws take half of a block's budget.
#[test]
fn more_draws_than_fit_hold_up_no_deadline() {
    let per_block = market::state::WORK_PER_BLOCK as usize / 8;
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let m = world.must("alice", model("m", drawn(&priced(5)), &[]));
    let sales = vec![("buyer", world.buy(m, Grant::CommercialUse)); per_block + 1];
    world.block(world.until(bounty) - 1, &sales);
    let receipts = world.block(world.now() + 1, &[]);
    assert_eq!(receipts.len(), per_block + 1);
    assert!(matches!(
        world.phase(bounty),
        protocol::receipt::Phase::Void(_)
    ));
    // One income still waits.
    world.row("alice", transfer_shares(m, "bob", 1), "ok");
    assert_eq!(world.gain("alice"), 5 * (per_block as i128 + 1));
}

/// What came first is drawn for first, however much comes later for an asset with a lower id.
#[test]
fn no_draw_waits_for_later_ones() {
    let per_block = market::state::WORK_PER_BLOCK as usize / 8;
    let mut world = World::new();
    let mut assets =
        ["one", "two"].map(|label| world.must("alice", model(label, drawn(&priced(5)), &[])));
    assets.sort_unstable();
    let flood = vec![("buyer", world.buy(assets[0], Grant::CommercialUse)); per_block];
    let mut records = flood.clone();
    records.push(("carol", world.buy(assets[1], Grant::CommercialUse)));
    world.block(world.now() + 1, &records);
    world.block(world.now() + 1, &flood);
    let receipts = world.block(world.now() + 1, &[]);
    let cause = |asset| protocol::receipt::Cause::Distribution(asset);
    assert_eq!(receipts[0].cause, cause(assets[1]));
    assert_eq!(receipts[1].cause, cause(assets[0]));
    assert_eq!(receipts.len(), per_block);
}

/// Incomes under random distribution: the asset's own, and its part of a child's.
#[test]
fn a_holder_is_drawn_by_shares_from_the_block_of_the_income() {
    use sha2::Digest as _;
    let mut world = World::new();
    let holders = [("alice", 600_000), ("bob", 250_000), ("carol", 150_000)];
    let action = model("parent", drawn(&sharing("10%", 1_000)), &[]);
    let parent = world.must("alice", held_by(action, &holders));
    let child = world.must("miner-1", model("child", sharing("1%", 500), &[parent]));
    world.label(parent, "parent");
    world.label(child, "child");
    let own = world.buy(parent, Grant::CommercialUse);
    let childs = world.buy(child, Grant::CommercialUse);
    let records = [("buyer", own), ("buyer", childs)];
    let receipts = world.block(world.now() + 1, &records);
    let shown: Vec<String> = receipts.iter().map(|receipt| world.show(receipt)).collect();
    assert_eq!(
        shown,
        [
            "ok; license to buyer for 1000; buyer -1000, income:parent +1000",
            "ok; license to buyer for 500; buyer -500, income:child +450, income:parent +50",
        ]
    );
    let records: Vec<ItemId> = receipts.iter().map(id_of).collect();
    // It is not in the pool: nobody can claim it.
    assert_eq!(world.state.owed(parent, address("alice")), units(0));
    let entries: Vec<_> = world.state.entries().collect();
    let mut by_address: Vec<(protocol::Address, u128)> = holders
        .iter()
        .map(|&(who, shares)| (address(who), u128::from(shares)))
        .collect();
    by_address.sort_unstable();
    let mut times = [0; 3];
    for seed in 0..1_000 {
        let before = block_id(4_000_000 + seed);
        let mut state = market::State::load(entries.clone()).expect("good entries");
        let (height, time_ms) = (state.height(), state.time_ms());
        state.begin_block(height + 1, time_ms + 1, before);
        let receipts = state.end_block().receipts;
        assert_eq!(receipts.len(), 2);
        let mut sorted = records.clone();
        sorted.sort_unstable();
        for (receipt, record) in receipts.iter().zip(sorted) {
            let mut hasher = sha2::Sha256::new();
            hasher.update(b"lode/holder/1");
            hasher.update(before.0);
            hasher.update(record.0);
            hasher.update(parent.0);
            let hash: [u8; 32] = hasher.finalize().into();
            let number = ethnum::U256::from_be_bytes(hash) % ethnum::U256::new(1_000_000);
            let mut sum = 0;
            let holder = by_address.iter().find(|(_, shares)| {
                sum += shares;
                sum > number.as_u128()
            });
            let (holder, _) = holder.expect("below all shares");
            let [step] = receipt.moves.as_slice() else {
                panic!("one movement: {receipt:?}");
            };
            assert_eq!(step.to, protocol::receipt::Purse::Account(*holder));
            let expected = if record == records[0] { 1_000 } else { 50 };
            assert_eq!(step.amount, units(expected));
            let place = holders.iter().position(|(who, _)| address(who) == *holder);
            times[place.expect("one of them")] += 1;
        }
    }
    // Of two thousand draws; 60 %, 25 % and 15 % of the shares.
    assert_eq!(times, [1200, 509, 291]);
}
