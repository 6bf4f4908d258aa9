//! Transfers, byte fees, nonces, validity.

use market::{GenesisError, State};
use protocol::Amount;
use protocol::receipt::{Purse, Rule};
use protocol::record::{Action, Parameters};

use crate::world::*;

#[test]
fn transfers_move_what_is_there_and_nothing_else() {
    let mut world = World::new();
    for (who, to, amount, expected) in [
        ("alice", "bob", 5, "ok; alice -5, bob +5"),
        ("alice", "alice", 5, "ok"),
        ("alice", "nobody", 7, "ok; alice -7, nobody +7"),
        ("alice", "bob", 0, "zero_amount"),
        ("alice", "bob", FUNDS, "insufficient_funds"),
        ("bob", "alice", u128::MAX, "insufficient_funds"),
        ("bob", "carol", 1, "ok; bob -1, carol +1"),
    ] {
        world.row(who, transfer(to, amount), expected);
    }
}

#[test]
fn all_that_is_left_after_the_byte_fee_can_be_sent_and_not_a_unit_more() {
    let mut world = World::new();
    let probe = transfer("bob", 999_999_999);
    let tx = World::sign("alice", &world.envelope("alice"), &probe);
    let left = FUNDS - u128::from(tx.size_bytes);
    assert_eq!(
        left.to_string().len(),
        9,
        "the probe has the size of the real one"
    );
    world.row("alice", transfer("bob", left + 1), "insufficient_funds");
    let left = left - u128::from(tx.size_bytes);
    world.row(
        "alice",
        transfer("bob", left),
        &format!("ok; alice -{left}, bob +{left}"),
    );
    assert_eq!(world.balance("alice"), 0);
    let refused = world.refusal("alice", |_| (), transfer("bob", 1));
    assert_eq!(refused.code(), "fee_unpayable");
}

#[test]
fn inclusion_asks_for_network_nonce_validity_and_fee() {
    let world = World::new();
    let now = world.now();
    let longest = world.state.parameters().validity_max_ms;
    let refused = |change: fn(&mut protocol::record::Envelope)| {
        world.refusal("alice", change, transfer("bob", 1)).code()
    };
    assert_eq!(refused(|e| e.network.0[0] ^= 1), "other_network");
    assert_eq!(refused(|e| e.nonce = 1), "nonce");
    assert_eq!(refused(|e| e.nonce = u64::MAX), "nonce");
    assert_eq!(refused(|e| e.valid_until_ms = GENESIS_MS - 1), "expired");
    assert_eq!(refused(|e| e.valid_until_ms = u64::MAX), "valid_too_long");
    for (valid_until_ms, code) in [
        (now - 1, Some("expired")),
        (now, None),
        (now + longest, None),
        (now + longest + 1, Some("valid_too_long")),
    ] {
        let mut envelope = world.envelope("alice");
        envelope.valid_until_ms = valid_until_ms;
        let tx = World::sign("alice", &envelope, &transfer("bob", 1));
        let found = world.state.admit(&tx, now).err().map(|r| r.code());
        assert_eq!(found, code, "{valid_until_ms}");
    }
    let poor = world.refusal("nobody", |_| (), transfer("bob", 1));
    assert_eq!(poor.code(), "fee_unpayable");
}

#[test]
fn what_cannot_be_included_changes_nothing() {
    let mut world = World::new();
    let before: Vec<_> = world.state.entries().collect();
    world.begin(GENESIS_MS + 1);
    let mut envelope = world.envelope("alice");
    envelope.nonce += 1;
    let tx = World::sign("alice", &envelope, &transfer("bob", 1));
    let refused = world.state.apply(&tx).expect_err("a gap in the nonces");
    assert_eq!(refused.code(), "nonce");
    let receipts = world.end_block(Vec::new());
    assert!(receipts.is_empty());
    let clock = |entry: &(Vec<u8>, Vec<u8>)| entry.0 == [1];
    let after: Vec<_> = world.state.entries().collect();
    let others = |entries: &[(Vec<u8>, Vec<u8>)]| -> Vec<_> {
        entries.iter().filter(|e| !clock(e)).cloned().collect()
    };
    assert_eq!(others(&before), others(&after));
}

#[test]
fn nonces_count_every_included_record_and_a_record_counts_once() {
    let mut world = World::new();
    let envelope = world.envelope("alice");
    let tx = World::sign("alice", &envelope, &transfer("bob", 1));
    world.row("alice", transfer("bob", 0), "zero_amount");
    assert_eq!(world.state.account(address("alice")).nonce, 1);
    let refused = world.state.admit(&tx, world.now());
    assert_eq!(refused.expect_err("used").code(), "nonce");
    let receipts = world.block(
        world.now() + 1,
        &[
            ("alice", transfer("bob", 1)),
            ("alice", transfer("bob", 2)),
            ("bob", transfer("alice", 3)),
        ],
    );
    assert_eq!(receipts.len(), 3);
    assert_eq!(world.state.account(address("alice")).nonce, 3);
    assert_eq!(world.state.account(address("bob")).nonce, 1);
}

#[test]
fn the_byte_fee_is_burned_to_the_unit() {
    let mut world = World::new();
    let burned = world.state.balance(Purse::Burned);
    assert_eq!(burned, Amount::ZERO);
    let receipt = world.send("alice", transfer("bob", 5));
    let tx = &world.log[0].1[0];
    assert_eq!(receipt.moves[0].rule, Rule::ByteFee);
    assert_eq!(receipt.moves[0].amount, units(u128::from(tx.size_bytes)));
    assert_eq!(world.state.balance(Purse::Burned), receipt.moves[0].amount);
}

#[test]
fn a_rejected_record_leaves_only_its_fee_and_its_nonce() {
    // The same state made by hand from the entries before it.
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    // Of bond and fee, 130, only 100 are left: it fails after the fee was put up.
    let action = world.commit_action("miner-1", bounty, "m", &[]);
    let size = |world: &World, action: &Action| {
        let tx = World::sign("miner-1", &world.envelope("miner-1"), action);
        u128::from(tx.size_bytes)
    };
    let fee = size(&world, &action);
    let spent = size(&world, &transfer("bob", 999_999_999));
    let amount = world.balance("miner-1") - spent - fee - 100;
    world.must("miner-1", transfer("bob", amount));
    let account = world.state.account(address("miner-1"));
    assert_eq!(account.balance, units(fee + 100));
    let entries: Vec<_> = world.state.entries().collect();
    let receipt = world.send("miner-1", action);
    assert_eq!(world.show(&receipt), "insufficient_funds");
    let clock: Vec<u8> = {
        let entry = world.state.entries().find(|(key, _)| key == &[1]);
        entry.expect("every state has a clock").1
    };
    let mut by_hand: Vec<(Vec<u8>, Vec<u8>)> = entries;
    let account_key = [&[3][..], &address("miner-1").0].concat();
    let nonce = account.nonce + 1;
    let balance = account.balance.base_units() - fee;
    for (key, value) in &mut by_hand {
        if *key == account_key {
            *value = borsh::to_vec(&(balance, nonce)).expect("writing to memory");
        } else if key == &[1] {
            value.clone_from(&clock);
        } else if key == &[2] {
            let mut kinds: [u128; Purse::KINDS.len()] =
                borsh::from_slice(value).expect("a sum a kind");
            kinds[0] -= fee;
            kinds[11] += fee;
            *value = borsh::to_vec(&kinds).expect("writing to memory");
        }
    }
    let by_hand = State::load(by_hand).expect("good entries");
    assert_eq!(by_hand.root(), world.state.root());
}

#[test]
fn a_genesis_must_make_sense() {
    let with = |change: fn(&mut Parameters)| {
        let mut genesis = World::new().genesis;
        change(&mut genesis.genesis.parameters);
        State::genesis(&genesis).err()
    };
    type Change = fn(&mut Parameters);
    let cases: [(&str, Change); 18] = [
        ("sponsor_bond_ppm", |p| p.sponsor_bond_ppm = 1_000_001),
        ("miner_bond_ppm", |p| p.miner_bond_ppm = 1_000_001),
        ("silent_forfeit_ppm", |p| p.silent_forfeit_ppm = 1_000_001),
        ("unrevealed_forfeit_ppm", |p| {
            p.unrevealed_forfeit_ppm = u32::MAX
        }),
        ("seat_stake_ppm", |p| p.seat_stake_ppm = 1_000_001),
        ("phase_min_ms", |p| p.phase_min_ms = 0),
        ("phase_min_ms", |p| p.phase_min_ms = p.phase_max_ms + 1),
        ("phase_min_ms", |p| {
            p.phase_max_ms = u64::from(u32::MAX);
            p.phase_min_ms = 14 * 24 * 3_600_000 + 1;
        }),
        ("committee_min", |p| p.committee_min = 0),
        ("committee_min", |p| p.committee_min = 4),
        ("late_ms", |p| p.late_ms = 0),
        ("retention_ms", |p| p.retention_ms = u64::MAX),
        ("phase_max_ms", |p| p.phase_max_ms = u64::MAX),
        ("block_bytes_max", |p| {
            p.block_bytes_max = protocol::record::RECORD_BYTES_MAX as u32 - 1;
        }),
        ("block_bytes_max", |p| {
            p.block_bytes_max = protocol::record::BLOCK_BYTES_MAX + 1;
        }),
        ("validity_max_ms", |p| p.validity_max_ms = 0),
        ("validity_max_ms", |p| {
            p.validity_max_ms = protocol::record::VALIDITY_MS_MAX + 1;
        }),
        ("evaluator_stake_min", |p| {
            p.evaluator_stake_min = Amount::ZERO
        }),
    ];
    for (name, change) in cases {
        match with(change) {
            Some(GenesisError::Parameter(found, _)) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(with(|p| p.sponsor_bond_ppm = 1_000_000), None);
    let least = |p: &mut Parameters| p.block_bytes_max = protocol::record::RECORD_BYTES_MAX as u32;
    assert_eq!(with(least), None);

    let altered = |change: fn(&mut protocol::record::Genesis)| {
        let mut genesis = World::new().genesis;
        change(&mut genesis.genesis);
        State::genesis(&genesis).err()
    };
    let alice = address(CAST[0]);
    assert_eq!(altered(|g| g.version = 1), Some(GenesisError::Version(1)));
    assert_eq!(
        altered(|g| g.allocations[0].amount = Amount::ZERO),
        Some(GenesisError::Zero(alice))
    );
    assert_eq!(
        altered(|g| g.allocations[1].account = g.allocations[0].account),
        Some(GenesisError::Duplicate(alice))
    );
    assert_eq!(
        altered(|g| g.allocations[0].amount = Amount::MAX),
        Some(GenesisError::Supply)
    );
}
