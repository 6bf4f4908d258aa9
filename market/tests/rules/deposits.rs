//! Deposits, and what is forgotten. That every record which makes state locks ten
//! times its byte fee, and no other does, is checked with every block of every table.

use protocol::receipt::{Phase, Purse, Standing, VoidReason};
use protocol::record::*;
use protocol::{Amount, ItemId};

use crate::world::*;

fn deposit(world: &World, record: ItemId) -> Amount {
    world.state.balance(Purse::Deposit(record))
}

#[test]
fn a_bounty_is_forgotten_after_its_retention_and_what_became_no_asset_returns() {
    let mut world = World::new();
    world.evaluators(3);
    let bounty = world.post(|_| ());
    let backing = world.must("backer-1", back(bounty, 100));
    let won = world.commit("miner-1", bounty, "won");
    let invalid_one = world.commit("miner-2", bounty, "invalid");
    let hidden = world.commit("miner-3", bounty, "hidden");
    world.bring_to_reveal(bounty);
    world.reveal(won);
    world.reveal(invalid_one);
    world.skip(bounty);
    world.settle(bounty, &[scored(600, "won"), invalid()]);
    let records = [bounty, backing, won, invalid_one, hidden];
    assert!(records.iter().all(|&id| !deposit(&world, id).is_zero()));
    let ended_ms = world.until(bounty);
    assert_eq!(world.now(), ended_ms);
    world.clock(ended_ms + 49_999, &[]);
    assert!(world.state.bounty(bounty).is_some());
    assert_eq!(world.standing(hidden), Some(Standing::NotRevealed));
    let before = records.map(|id| deposit(&world, id));
    let who = ["sponsor", "backer-1", "miner-1", "miner-2", "miner-3"];
    let balances = who.map(|who| world.balance(who));
    world.clock(ended_ms + 50_000, &["forgotten bounty"]);
    for (place, who) in who.into_iter().enumerate() {
        let returned = world.balance(who) - balances[place];
        // The model that won is an asset, and keeps its deposit.
        let expected = match who {
            "miner-1" => 0,
            _ => before[place].base_units(),
        };
        assert_eq!(returned, expected, "{who}");
    }
    assert_eq!(deposit(&world, won), before[2]);
    assert!(world.state.asset(won).is_some());
    assert!(world.state.bounty(bounty).is_none());
    assert!(world.state.submission(won).is_none());
    assert_eq!(world.state.submissions(bounty).count(), 0);
    assert_eq!(world.state.backings(bounty).count(), 0);
    assert_eq!(world.state.seats(bounty).count(), 0);
    assert_eq!(world.state.checks(bounty).count(), 0);
    assert_eq!(world.state.next_deadline_ms(), None);
    world.row("sponsor", cancel(bounty), "unknown_bounty");
    // Nothing of it is left in any table.
    let entries = world.state.entries();
    let tables = [11, 12, 13, 14, 15, 16, 17, 18, 19, 21];
    let left = entries.filter(|(key, _)| tables.contains(&key[0]));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_bounty_that_is_void_is_forgotten_too() {
    type End = fn(&mut World, ItemId);
    let ends: [(End, VoidReason); 3] = [
        (
            |world, bounty| {
                world.must("sponsor", cancel(bounty));
            },
            VoidReason::Cancelled,
        ),
        (
            |world, bounty| {
                world.skip(bounty);
            },
            VoidReason::NoSubmissions,
        ),
        (
            |world, bounty| {
                world.commit("miner-1", bounty, "m");
                world.skip(bounty);
                world.skip(bounty);
            },
            VoidReason::KeyWithheld,
        ),
    ];
    for (end, reason) in ends {
        let mut world = World::new();
        world.evaluators(1);
        let bounty = world.post(|_| ());
        world.must("backer-1", back(bounty, 50));
        end(&mut world, bounty);
        assert_eq!(world.phase(bounty), Phase::Void(reason));
        world.clock(world.until(bounty) + 50_000, &["forgotten bounty"]);
        for who in ["sponsor", "backer-1", "miner-1"] {
            assert_eq!(world.deposits(who), 0, "{who}, {reason:?}");
        }
        let entries = world.state.entries();
        let tables = [11, 12, 13, 14, 15, 16, 17, 18, 19, 21];
        let left = entries.filter(|(key, _)| tables.contains(&key[0]));
        assert_eq!(left.count(), 0, "{reason:?}");
    }
}

#[test]
fn an_evaluator_locks_one_deposit_and_has_it_back_by_leaving() {
    let mut world = World::new();
    let joined = world.must("eve-1", join(10_000));
    let locked = deposit(&world, joined);
    assert!(!locked.is_zero());
    // More stake locks no more.
    let more = world.must("eve-1", join(5));
    assert!(deposit(&world, more).is_zero());
    world.must("eve-1", Action::LeaveEvaluators);
    assert!(!deposit(&world, joined).is_zero());
    world.block(world.now() + parameters().unstake_ms, &[]);
    let before = world.balance("eve-1");
    let receipt = world.send("eve-1", Action::LeaveEvaluators);
    let fee = receipt.moves[0].amount.base_units();
    assert!(deposit(&world, joined).is_zero());
    assert_eq!(
        world.balance("eve-1"),
        before - fee + 10_005 + locked.base_units()
    );
    let again = world.must("eve-1", join(10_000));
    assert!(!deposit(&world, again).is_zero());
}

/// A holding that a transfer makes locks a deposit of who gives the shares, and returns it when nothing of it is left.
#[test]
fn a_holding_locks_a_deposit_until_nothing_is_held() {
    let mut world = World::new();
    let m = world.must("alice", model("m", priced(1_000_000), &[]));
    world.label(m, "m");
    let given = world.must("alice", transfer_shares(m, "bob", 10));
    assert!(!deposit(&world, given).is_zero());
    // More for the same holder, or to oneself: the holding is there.
    for (who, to) in [("alice", "bob"), ("bob", "bob")] {
        let more = world.must(who, transfer_shares(m, to, 10));
        assert!(deposit(&world, more).is_zero());
    }
    assert!(!deposit(&world, given).is_zero());
    world.must("bob", transfer_shares(m, "bob", 20));
    assert!(!deposit(&world, given).is_zero(), "all of it to oneself");
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    let before = world.balance("alice");
    // Who gives the last share away has what it brought, and the holding is gone.
    let all = transfer_shares(m, "carol", 20);
    let receipt = world.send("bob", all);
    assert_eq!(world.show(&receipt), "ok; bob +20, income:m -20");
    let on = id_of(&receipt);
    assert!(deposit(&world, given).is_zero());
    assert!(
        world.balance("alice") > before,
        "it is who gave the shares that paid"
    );
    // Nothing is owed to carol: the deposit returns with the shares.
    world.must("carol", transfer_shares(m, "alice", 20));
    assert!(deposit(&world, on).is_zero());
    assert_eq!(world.state.holdings(m).count(), 1);
    // Alice's own holding came with the asset, and locks none: not when it comes again, either.
    world.must("alice", transfer_shares(m, "bob", 1_000_000));
    assert_eq!(world.state.holdings(m).count(), 1);
    let back = world.must("bob", transfer_shares(m, "alice", 1_000_000));
    assert!(!deposit(&world, back).is_zero());
}

#[test]
fn assets_and_licences_keep_their_deposits() {
    let mut world = World::new();
    let asset = world.must("alice", model("m", priced(5), &[]));
    let license = world.must("buyer", world.buy(asset, Grant::CommercialUse));
    world.block(world.now() + 1_000_000_000, &[]);
    assert!(!deposit(&world, asset).is_zero());
    assert!(!deposit(&world, license).is_zero());
}

/// What is left after the byte fee must pay the deposit too.
#[test]
fn who_cannot_pay_the_deposit_is_rejected() {
    for short in [1, 0] {
        let mut world = World::new();
        let action = model("m", priced(5), &[]);
        let size = |world: &World, action: &Action| {
            let tx = World::sign("alice", &world.envelope("alice"), action);
            u128::from(tx.size_bytes)
        };
        let fee = size(&world, &action);
        let spent = size(&world, &transfer("bob", 999_999_999));
        let left = 11 * fee - short;
        world.must("alice", transfer("bob", FUNDS - spent - left));
        assert_eq!(world.balance("alice"), left);
        let receipt = world.send("alice", action);
        let expected = (short == 1).then(|| code("insufficient_funds"));
        assert_eq!(receipt.rejected, expected);
    }
}
