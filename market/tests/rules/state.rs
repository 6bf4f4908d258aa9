//! The state as bytes: saved, damaged, loaded, and carried on.

use market::{LoadError, State};
use protocol::record::Grant;

use crate::world::*;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// A world in which every table has entries.
fn lived_in() -> World {
    let mut world = World::new();
    world.evaluators(3);
    // A licence that a halt has left far behind: it begins a month a block.
    let monthly = world.must("alice", model("n", monthly(5), &[]));
    world.must(
        "buyer",
        world.buy_months(monthly, Grant::CommercialUse, 120),
    );
    world.block(world.now() + 119 * parameters().month_ms, &[]);
    let bounty = world.post(|_| ());
    world.must("backer-1", back(bounty, 100));
    world.commit("miner-1", bounty, "a");
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(600, "a")]);
    let asset = world.must("alice", model("m", priced(5), &[]));
    world.must("buyer", world.buy(asset, Grant::CommercialUse));
    // Terms that all holders want, and that wait.
    world.must("alice", vote(asset, &priced(6)));
    // Words are there while seats reveal.
    let open = world.post(|_| ());
    world.commit("miner-2", open, "b");
    world.bring_to_score(open);
    for who in world.asked(open) {
        world.commit_batch(&who, open, &[scored(700, "b")]);
    }
    world.skip(open);
    world.reveal_batch("eve-1", open);
    // An income that waits for its draw is there for one block.
    let asset = world.must("alice", model("d", drawn(&priced(5)), &[]));
    world.must("buyer", world.buy(asset, Grant::CommercialUse));
    world
}

fn entries(world: &World) -> Entries {
    world.state.entries().collect()
}

#[test]
fn every_table_has_entries() {
    let entries = entries(&lived_in());
    let tables: std::collections::BTreeSet<u8> = entries.iter().map(|(key, _)| key[0]).collect();
    assert_eq!(
        tables.into_iter().collect::<Vec<_>>(),
        (0..26).chain(27..31).collect::<Vec<_>>()
    );
}

/// A halt is remembered while work is open that was due before it, and no longer.
#[test]
fn halts_are_forgotten_with_the_work_that_they_delayed() {
    let halts = |world: &World| {
        entries(world)
            .iter()
            .filter(|(key, _)| key[0] == 29)
            .count()
    };
    let mut world = lived_in();
    assert!(halts(&world) > 0);
    while world
        .state
        .next_deadline_ms()
        .is_some_and(|due_ms| due_ms <= world.now())
    {
        world.block(world.now() + 1, &[]);
    }
    assert_eq!(halts(&world), 0);
}

/// A state of an earlier build has no order of free stakes, or another.
#[test]
fn free_stakes_have_their_place_in_the_order_of_them() {
    let good = entries(&lived_in());
    let mut without = good.clone();
    without.retain(|(key, _)| key[0] != 30);
    assert_eq!(State::load(without).err(), Some(LoadError::Stakes));
    let mut other = good.clone();
    let order = other.iter_mut().find(|(key, _)| key[0] == 30);
    let (key, _) = order.expect("somebody has stake free");
    *key.last_mut().expect("a key") ^= 1;
    assert_eq!(State::load(other).err(), Some(LoadError::Stakes));
}

#[test]
fn a_loaded_state_has_the_same_root_and_lives_on_alike() {
    let mut world = lived_in();
    let mut entries = entries(&world);
    entries.reverse();
    let mut loaded = State::load(entries).expect("good entries");
    assert_eq!(loaded.root(), world.state.root());
    assert_eq!(loaded.receipts_root(), world.state.receipts_root());
    assert_eq!(loaded.height(), world.state.height());
    assert_eq!(loaded.next_deadline_ms(), world.state.next_deadline_ms());
    assert!(loaded.audit().is_some());
    let before = world.log.len();
    // The next block has a holder to draw, and months to begin; some blocks on a phase ends.
    let open = world.state.bounties().map(|(id, _)| world.until(id)).max();
    let time_ms = open.expect("a bounty is open").max(world.now() + 2);
    for time_ms in [world.now() + 1, time_ms] {
        let due = world.state.next_deadline_ms().expect("a licence is behind");
        assert!(due <= world.now());
        world.block(time_ms, &[("alice", transfer("bob", 1))]);
    }
    for (time_ms, records) in &world.log[before..] {
        let height = loaded.height();
        loaded.begin_block(height + 1, *time_ms, world.id_at(height));
        for tx in records {
            loaded.apply(tx).expect("it was included");
        }
        loaded.end_block();
    }
    assert_eq!(loaded.root(), world.state.root());
    assert!(loaded.entries().eq(world.state.entries()));
}

#[test]
fn damaged_entries_are_refused_at_their_place() {
    let good = entries(&lived_in());
    let refused = |entries: Entries| State::load(entries).err();
    // Twice the same.
    for place in [0, good.len() / 2, good.len() - 1] {
        let mut twice = good.clone();
        twice.push(good[place].clone());
        assert_eq!(refused(twice), Some(LoadError::Entry(good.len())));
    }
    for (place, (key, value)) in good.iter().enumerate() {
        let with = |key: &[u8], value: &[u8]| {
            let mut entries = good.clone();
            entries[place] = (key.to_vec(), value.to_vec());
            refused(entries)
        };
        let damaged = Some(LoadError::Entry(place));
        assert_eq!(with(&[], value), damaged);
        assert_eq!(with(&[&[200], &key[1..]].concat(), value), damaged);
        assert_eq!(with(&[&key[..], &[0]].concat(), value), damaged);
        assert_eq!(with(key, &[value, &[0][..]].concat()), damaged);
        if key.len() > 1 {
            assert_eq!(with(&key[..key.len() - 1], value), damaged);
        }
        if !value.is_empty() {
            assert_eq!(with(key, &value[..value.len() - 1]), damaged);
        }
    }
}

/// A state of an earlier build has no order of draws: an income in it would wait for ever.
#[test]
fn incomes_that_wait_have_their_place_among_the_draws() {
    let good = entries(&lived_in());
    for table in [20, 28] {
        let mut without = good.clone();
        without.retain(|(key, _)| key[0] != table);
        assert_eq!(State::load(without).err(), Some(LoadError::Draws));
    }
    let mut other = good.clone();
    let order = other.iter_mut().find(|(key, _)| key[0] == 28);
    let (key, _) = order.expect("an income waits");
    *key.last_mut().expect("a key") ^= 1;
    assert_eq!(State::load(other).err(), Some(LoadError::Draws));
}

#[test]
fn a_changed_byte_is_refused_or_gives_another_root() {
    let world = lived_in();
    let good = entries(&world);
    for place in 0..good.len() {
        for byte in 0..good[place].1.len().min(80) {
            let mut changed = good.clone();
            changed[place].1[byte] ^= 1;
            if let Ok(state) = State::load(changed) {
                assert_ne!(
                    state.root(),
                    world.state.root(),
                    "entry {place}, byte {byte}"
                );
            }
        }
    }
}

#[test]
fn a_state_without_its_first_entries_is_incomplete() {
    let good = entries(&lived_in());
    assert_eq!(State::load(Vec::new()).err(), Some(LoadError::Incomplete));
    for place in 0..3 {
        let mut some = good.clone();
        some.remove(place);
        assert_eq!(State::load(some).err(), Some(LoadError::Incomplete));
    }
}

#[test]
fn the_changes_of_every_block_add_up_to_the_entries() {
    let world = lived_in();
    let mut state = State::genesis(&world.genesis).expect("a valid genesis");
    let mut kept: std::collections::BTreeMap<Vec<u8>, Vec<u8>> = state.entries().collect();
    for (time_ms, records) in &world.log {
        let height = state.height();
        state.begin_block(height + 1, *time_ms, world.id_at(height));
        for tx in records {
            state.apply(tx).expect("it was included");
        }
        let outcome = state.end_block();
        let keys: std::collections::BTreeSet<_> =
            outcome.changes.iter().map(|change| &change.key).collect();
        assert_eq!(keys.len(), outcome.changes.len(), "a key stands twice");
        for change in outcome.changes {
            match change.value {
                Some(value) => kept.insert(change.key, value),
                None => kept.remove(&change.key),
            };
        }
        assert_eq!(kept, state.entries().collect());
    }
    assert_eq!(state.root(), world.state.root());
}

#[test]
#[should_panic(expected = "block time rises strictly")]
fn a_block_that_is_not_later_is_a_bug() {
    let mut world = World::new();
    world.begin(GENESIS_MS);
}

#[test]
#[should_panic(expected = "heights have no gaps")]
fn a_block_that_leaves_a_height_out_is_a_bug() {
    let mut world = World::new();
    world.state.begin_block(2, GENESIS_MS + 1, block_id(1));
}

#[test]
fn a_trial_says_what_would_come_of_a_record_and_changes_nothing() {
    let mut world = lived_in();
    let before = entries(&world);
    let now = world.now() + 1;
    let (bounty, _) = world.state.bounties().next().expect("there are some");
    for (who, action, rejected) in [
        ("alice", transfer("bob", 7), None),
        ("alice", transfer("bob", 0), Some("zero_amount")),
        ("alice", cancel(bounty), Some("wrong_phase")),
    ] {
        let tx = World::sign(who, &world.envelope(who), &action);
        let (receipt, why) = world.state.trial(&tx, now).expect("includable");
        assert_eq!(why.map(|why| why.code()), rejected);
        assert_eq!(receipt.rejected, rejected.map(code));
        assert_eq!(entries(&world), before);
    }
    let mut envelope = world.envelope("alice");
    envelope.nonce += 1;
    let tx = World::sign("alice", &envelope, &transfer("bob", 7));
    let refused = world
        .state
        .trial(&tx, now)
        .expect_err("a gap in the nonces");
    assert_eq!(refused.code(), "nonce");
    assert_eq!(entries(&world), before);
    // What was tried then happens.
    world.row("alice", transfer("bob", 7), "ok; alice -7, bob +7");
}

/// What the shell lists.
#[test]
fn accounts_licences_and_places_can_be_listed() {
    let world = lived_in();
    let mut balances = world.state.accounts();
    assert!(balances.any(|(who, account)| who == address("alice") && account.nonce == 4));
    assert_eq!(world.state.licenses().count(), 3);
    assert!(
        world
            .state
            .licenses()
            .all(|(_, it)| it.licensee == address("buyer"))
    );
    for (bounty, _) in world.state.bounties() {
        for (place, submission) in world.state.submissions(bounty).enumerate() {
            let found = world.state.submission_at(submission.id).expect("committed");
            assert_eq!((found.0, found.1 as usize), (bounty, place));
        }
        // One of them is in the reveal of its scores, with three seats.
        let seats = world.state.seats(bounty).count();
        assert_eq!(seats, 3);
    }
    assert_eq!(world.state.locked(address("eve-1")), units(5_000));
    assert_eq!(world.state.locked(address("alice")), units(0));
    let posting = world.posting("sponsor");
    let least = world.state.evaluation_fee_min(address("sponsor"), &posting);
    assert_eq!(least, Some(units(30)));
    let mut dear = posting;
    dear.reward = units(FUNDS);
    assert_eq!(
        world.state.evaluation_fee_min(address("sponsor"), &dear),
        None
    );
}

#[test]
fn where_bytes_cost_nothing_somebody_without_money_may_sign() {
    let free = protocol::record::Parameters {
        fee_per_byte: units(0),
        ..parameters()
    };
    let mut world = World::with(free, &[]);
    world.begin(world.now() + 1);
    let tx = World::sign("nobody", &world.envelope("nobody"), &transfer("bob", 1));
    let rejected = world.state.apply(&tx).expect("includable");
    assert_eq!(rejected.expect("no money").code(), "insufficient_funds");
    let outcome = world.state.end_block();
    assert_eq!(outcome.receipts[0].moves, []);
    assert_eq!(world.state.account(address("nobody")).nonce, 1);
    assert!(world.state.audit().is_some());
}
