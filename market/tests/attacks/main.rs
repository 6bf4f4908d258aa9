//! Attacks on the market, each played beside its honest counterfactual: who ends with
//! what, to the unit. docs/attacks.md is the table of them.
//!
//! A gain is what somebody is richer by than at the beginning, counted over account,
//! stake, seats and deposits; byte fees stand beside it. The usual bounty has a reward
//! of 10,000, a sponsor's bond of 2,000, miners' bonds of 100, an evaluation fee of 30,
//! and seats of 5,000 each.

mod evaluator;
mod fund;
mod holder;
mod miner;
mod months;
mod spam;
mod sponsor;
#[path = "../rules/statements.rs"]
#[allow(dead_code, reason = "the rules' tables use more of it")]
mod statements;
mod votes;
#[path = "../rules/world/mod.rs"]
#[allow(dead_code, reason = "the rules' tables use more of it")]
mod world;

use protocol::ItemId;
use protocol::report::Outcome;

use world::*;

/// Evaluators `eve-1` to `eve-{count}`, at work in a world where they have money.
fn pool(count: usize) -> World {
    pool_with(parameters(), count)
}

fn pool_with(parameters: protocol::record::Parameters, count: usize) -> World {
    World::pool(parameters, count, &["second key"])
}

/// Plays a bounty that is open to its end: who submits what, and what an honest
/// evaluator finds it to be.
fn play(world: &mut World, bounty: ItemId, entries: &[(&str, &str, Outcome)]) -> Vec<ItemId> {
    let ids = entries.iter().map(|(who, label, _)| {
        let id = world.commit(who, bounty, label);
        (id, *label)
    });
    let ids: Vec<ItemId> = ids.map(|(id, _)| id).collect();
    finish(world, bounty, entries);
    ids
}

/// The same from the end of the open phase on.
fn finish(world: &mut World, bounty: ItemId, entries: &[(&str, &str, Outcome)]) {
    world.bring_to_reveal(bounty);
    let outcomes: Vec<Outcome> = entries.iter().map(|entry| entry.2.clone()).collect();
    world.settle(bounty, &outcomes);
}

/// Terms that tighten take effect in the block of a purchase that names those before; what becomes of it.
fn bought_as_they_tighten(
    world: &mut World,
    asset: ItemId,
    terms: &[protocol::ans104::Tag],
    purchase: protocol::record::Action,
) -> String {
    world.must("alice", vote(asset, terms));
    let rises_ms = world.now() + 40_000;
    world.block(rises_ms - 1, &[]);
    let receipts = world.block(rises_ms, &[("buyer", purchase)]);
    world.show(receipts.last().expect("of the purchase"))
}

fn gains<const COUNT: usize>(world: &World, people: [&str; COUNT]) -> [i128; COUNT] {
    people.map(|who| world.gain(who))
}
