//! Records without use: what they cost, and what they hold up.

use protocol::receipt::Purse;
use protocol::record::*;

use crate::pool;
use crate::world::*;

/// A rejected record pays for its bytes and uses its nonce, and nothing else happens.
#[test]
fn spam_pays_its_bytes_whether_a_rule_takes_it_or_not() {
    let mut world = pool(1);
    let before = world.state.balance(Purse::Burned).base_units();
    let records = vec![("carol", transfer("alice", 0)); 100];
    let receipts = world.block(world.now() + 1, &records);
    assert!(receipts.iter().all(|receipt| receipt.rejected.is_some()));
    let (_, included) = world.log.last().expect("a block");
    let bytes: u128 = included.iter().map(|tx| u128::from(tx.size_bytes)).sum();
    assert_eq!(world.bytes_paid("carol"), bytes);
    assert_eq!(world.gain("carol"), 0);
    let burned = world.state.balance(Purse::Burned).base_units() - before;
    assert_eq!(burned, bytes);
}

/// State that is never forgotten keeps its deposit: ten times its byte fee.
#[test]
fn an_asset_keeps_ten_times_its_byte_fee_for_good() {
    let mut world = pool(1);
    for number in 0..10 {
        world.must("carol", model(&format!("spam {number}"), priced(1), &[]));
    }
    assert_eq!(world.deposits("carol"), 10 * world.bytes_paid("carol"));
}

/// What a spammer posts is forgotten, and the deposits return: the bytes stay paid.
#[test]
fn bounties_nobody_touches_are_forgotten_at_the_cost_of_their_bytes() {
    let mut world = pool(1);
    let now = world.now() + 1;
    let posts: Vec<(&str, Action)> = {
        // Each has a test set of its own; the postings are alike otherwise.
        let action = |number: u32| {
            world.post_action("carol", |posting| {
                posting.reward = units(1);
                posting.test_set.ciphertext = blob(&format!("test set {number}"));
            })
        };
        (0..20).map(|number| ("carol", action(number))).collect()
    };
    let receipts = world.block(now, &posts);
    assert!(receipts.iter().all(|receipt| receipt.rejected.is_none()));
    assert_eq!(world.deposits("carol"), 10 * world.bytes_paid("carol"));
    assert_eq!(world.state.bounties().count(), 20);
    let first = id_of(&receipts[0]);
    world.skip(first);
    world.block(world.until(first) + 50_000, &[]);
    assert_eq!(world.state.bounties().count(), 0);
    assert_eq!(world.deposits("carol"), 0);
    assert_eq!(world.gain("carol"), 0);
    assert!(world.bytes_paid("carol") > 20 * 1_000);
}

/// A holding is a row that every node keeps: who makes one locks a deposit, as for any other.
#[test]
fn shares_given_to_many_accounts_lock_a_deposit_each() {
    let people: Vec<String> = (0..20).map(|number| format!("somebody-{number}")).collect();
    let mut world = pool(1);
    let m = world.must("carol", model("m", priced(5), &[]));
    let before = (world.bytes_paid("carol"), world.deposits("carol"));
    for who in &people {
        world.must("carol", transfer_shares(m, who, 1));
    }
    let paid = world.bytes_paid("carol") - before.0;
    assert_eq!(world.deposits("carol") - before.1, 10 * paid);
    assert_eq!(world.state.holdings(m).count(), 21);
}

/// Whether a panel is left is looked at for who can pay, and among those who have the stake for a seat.
#[test]
fn a_posting_that_nobody_can_pay_for_is_refused_before_evaluators_are_looked_at() {
    let mut world = pool(1);
    let dear = units(2 * FUNDS);
    let action = world.post_action("carol", |p| p.reward = dear);
    world.row("carol", action, "insufficient_funds");
    let action = world.post_action("carol", |p| p.reward = units(100_000));
    world.row("carol", action, "pool_too_small");
    let bounty = world.post(|_| ());
    let action = back(bounty, 2 * FUNDS);
    world.row("backer-1", action, "insufficient_funds");
    world.row("backer-1", back(bounty, 100_000), "pool_too_small");
}

/// Not prevented: a purchase in every block holds up the transfers of shares of an
/// asset that pays one holder. It costs price, bytes and a deposit each time.
#[test]
fn a_purchase_a_block_holds_up_transfers_of_drawn_shares() {
    let mut world = pool(1);
    let m = world.must("alice", model("m", drawn(&priced(5)), &[]));
    for _ in 0..10 {
        let records = [
            ("carol", world.buy(m, Grant::CommercialUse)),
            ("alice", transfer_shares(m, "bob", 1)),
        ];
        let receipts = world.block(world.now() + 1, &records);
        let last = receipts.last().expect("a receipt a record");
        assert_eq!(world.show(last), "draw_pending");
    }
    assert_eq!(world.gain("carol"), -50);
    assert_eq!(world.deposits("carol"), 10 * world.bytes_paid("carol"));
    // A block without one is enough.
    world.row("alice", transfer_shares(m, "bob", 1), "ok");
}
