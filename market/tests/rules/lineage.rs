//! Parents, their terms, and what is owed to them.

use protocol::ItemId;
use protocol::record::*;

use crate::world::*;

/// What each ancestor is owed, in billionths of a percent.
fn stack(world: &World, asset: ItemId) -> Vec<(ItemId, u64)> {
    let stack = &world.state.asset(asset).expect("registered").stack;
    stack
        .entries()
        .iter()
        .map(|(id, share)| (*id, share.billionths()))
        .collect()
}

fn sorted(mut entries: Vec<(ItemId, u64)>) -> Vec<(ItemId, u64)> {
    entries.sort_unstable();
    entries
}

const PERCENT: u64 = 1_000_000_000;

#[test]
fn a_stack_names_grandparents_and_counts_a_diamond_once() {
    let mut world = World::new();
    let root = world.must("alice", model("root", sharing("10%", 1000), &[]));
    let left = world.must("bob", model("left", sharing("5%", 1000), &[root]));
    let right = world.must("carol", model("right", sharing("2.5%", 1000), &[root]));
    let tip = world.must("buyer", model("tip", sharing("1%", 1000), &[left, right]));
    assert_eq!(stack(&world, left), [(root, 10 * PERCENT)]);
    assert_eq!(
        stack(&world, tip),
        sorted(vec![
            (root, 10 * PERCENT),
            (left, 5 * PERCENT),
            (right, PERCENT * 5 / 2)
        ])
    );
    for (id, label) in [
        (root, "root"),
        (left, "left"),
        (right, "right"),
        (tip, "tip"),
    ] {
        world.label(id, label);
    }
    let sale = world.buy(tip, Grant::CommercialUse);
    world.row(
        "alice",
        sale,
        "ok; license to alice for 1000; alice -1000, income:left +50, income:right +25, \
         income:root +100, income:tip +825",
    );
}

#[test]
fn what_is_owed_may_reach_the_whole_and_not_a_billionth_more() {
    let mut world = World::new();
    let one = world.must("alice", model("one", sharing("60%", 1000), &[]));
    let two = world.must("bob", model("two", sharing("40%", 1000), &[]));
    let more = world.must("bob", model("more", sharing("40.000000001%", 1000), &[]));
    world.row(
        "carol",
        model("over", sharing("1%", 9), &[one, more]),
        "royalties_above_all",
    );
    let all = world.must("carol", model("all", sharing("1%", 1000), &[one, two]));
    for (id, label) in [(one, "one"), (two, "two"), (all, "all")] {
        world.label(id, label);
    }
    let sale = world.buy(all, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 1000; buyer -1000, income:one +600, income:two +400",
    );
}

#[test]
fn an_ancestors_part_is_rounded_down_and_the_rest_is_the_assets() {
    let mut world = World::new();
    let one = world.must("alice", model("one", sharing("33.333333333%", 9), &[]));
    let tip = world.must("bob", model("tip", sharing("1%", 7), &[one]));
    world.label(one, "one");
    world.label(tip, "tip");
    let sale = world.buy(tip, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 7; buyer -7, income:one +2, income:tip +5",
    );
}

#[test]
fn parents_are_known_each_once_in_order_and_at_most_sixteen() {
    let mut world = World::new();
    let mut parents: Vec<ItemId> = (0..17)
        .map(|number| world.must("alice", model(&format!("{number}"), sharing("1%", 9), &[])))
        .collect();
    world.row(
        "bob",
        model("m", sharing("1%", 9), &[nothing()]),
        "unknown_asset",
    );
    world.row("bob", model("m", sharing("1%", 9), &parents), "parents");
    parents.sort_unstable();
    let reversed = |ids: &[ItemId]| {
        let mut action = model("m", sharing("1%", 9), ids);
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.parents.reverse();
        }
        action
    };
    world.row("bob", reversed(&parents[..2]), "parents");
    let child = world.must("bob", model("m", sharing("1%", 9), &parents[..16]));
    assert_eq!(stack(&world, child).len(), 16);
}

#[test]
fn registration_checks_holders_and_digests() {
    let mut world = World::new();
    type Change = fn(&mut RegisterAsset);
    let holder = |who: &str, shares| Holder {
        account: address(who),
        shares,
    };
    let with = |holders: Vec<Holder>| {
        let mut action = model("m", priced(5), &[]);
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.holders = holders;
        }
        action
    };
    let many = |count: u32| {
        let mut holders: Vec<Holder> = (0..count)
            .map(|n| holder(&format!("holder {n}"), 1))
            .collect();
        holders[0].shares = 1_000_000 - (count - 1);
        holders
    };
    for holders in [
        vec![holder("alice", 999_999)],
        vec![holder("alice", 1_000_000), holder("bob", 0)],
        vec![holder("alice", 500_000), holder("alice", 500_000)],
        vec![holder("alice", u32::MAX), holder("bob", u32::MAX)],
        many(65),
    ] {
        world.row("alice", with(holders), "shares");
    }
    let changes: [(&str, Change); 2] = [
        ("weights_digest", |body| body.weights_digest = None),
        ("weights_digest", |body| body.kind = AssetKind::DataSet),
    ];
    for (code, change) in changes {
        let mut action = model("m", priced(5), &[]);
        if let Action::RegisterAsset { body, .. } = &mut action {
            change(body);
        }
        world.row("alice", action, code);
    }
    let asset = world.must("alice", with(many(64)));
    assert_eq!(world.state.holdings(asset).count(), 64);
    assert_eq!(world.state.owed(asset, address("alice")), units(0));
}

#[test]
fn a_bounty_names_the_parents_and_a_submission_chooses_among_the_optional_ones() {
    let mut world = World::new();
    world.evaluators(3);
    let data = world.must("alice", data_set("data", sharing("10%", 9)));
    let base = world.must("bob", model("base", sharing("5%", 9), &[]));
    let bounty = world.post(|p| {
        p.parents = named(&[data], &[base]);
        p.model_terms = pairs(&sharing("1%", 1_000));
    });
    for (parents, expected) in [
        (vec![data], "parent_required"),
        (vec![base, base], "parents"),
        (vec![nothing()], "unknown_asset"),
    ] {
        let action = world.commit_action("miner-1", bounty, "m", &parents);
        world.row("miner-1", action, expected);
    }
    let without = world.commit("miner-1", bounty, "without");
    let with = world.commit_child("miner-2", bounty, "with", &[base]);
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(600, "x"), scored(700, "y")]);
    assert_eq!(stack(&world, without), [(data, 10 * PERCENT)]);
    assert_eq!(
        stack(&world, with),
        sorted(vec![(data, 10 * PERCENT), (base, 5 * PERCENT)])
    );
    for (id, label) in [(data, "data"), (base, "base")] {
        world.label(id, label);
    }
    let sale = world.buy(with, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 1000; buyer -1000, income:base +50, income:data +100, \
         income:with +850",
    );
}

#[test]
fn a_posting_whose_parents_together_ask_too_much_is_refused() {
    let mut world = World::new();
    world.evaluators(1);
    let one = world.must("alice", model("one", sharing("60%", 9), &[]));
    let two = world.must("bob", model("two", sharing("60%", 9), &[]));
    let action = world.post_action("sponsor", |p| p.parents = named(&[], &[one, two]));
    world.row("sponsor", action, "royalties_above_all");
}
