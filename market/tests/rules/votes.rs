//! Votes on terms: what takes effect, when, and that no ballot stays for ever.

use licensing::{CommercialUse, DataModelTraining, Derivation, PaymentMode, Terms};
use protocol::ItemId;
use protocol::ans104::Tag;
use protocol::receipt::{Phase, Purse};
use protocol::record::*;

use crate::world::*;

/// An asset of these holders, under a price of 1,000 for each grant.
fn asset(world: &mut World, holders: &[(&str, u32)]) -> ItemId {
    asset_under(world, priced(1_000), holders)
}

fn asset_under(world: &mut World, terms: Vec<Tag>, holders: &[(&str, u32)]) -> ItemId {
    let mut action = model("m", terms, &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        let holder = |(who, shares): &(&str, u32)| Holder {
            account: address(who),
            shares: *shares,
        };
        body.holders = holders.iter().map(holder).collect();
    }
    let id = world.must("alice", action);
    world.label(id, "m");
    id
}

/// Calls terms by a name in tables.
fn call(world: &mut World, terms: &[Tag], label: &str) {
    let id = Terms::parse(terms).expect("terms").id();
    world.label(ItemId(id.0), label);
}

/// Prices from 900 to 1,100, and the terms that grant nothing, by their names.
fn names(world: &mut World) {
    for price in [899, 900, 1_000, 1_100] {
        call(world, &priced(price), &price.to_string());
    }
    call(world, &revoked(), "revoked");
}

fn in_force(world: &World, asset: ItemId) -> Vec<Tag> {
    world
        .state
        .asset(asset)
        .expect("registered")
        .terms
        .to_tags()
}

/// The shares for each of some terms.
fn tally(world: &World, asset: ItemId, terms: &[Tag]) -> u32 {
    let id = Terms::parse(terms).expect("terms").id();
    let mut tallies = world.state.tallies(asset);
    tallies
        .find(|(terms, _)| *terms == id)
        .map_or(0, |(_, tally)| tally.shares)
}

#[test]
fn half_of_the_shares_loosen_at_once() {
    let mut world = World::new();
    names(&mut world);
    let holders = [("alice", 499_999), ("bob", 1), ("carol", 500_000)];
    let m = asset(&mut world, &holders);
    let before = world.deposits("alice");
    world.row("alice", vote(m, &priced(900)), "ok");
    assert!(world.deposits("alice") > before);
    assert_eq!(in_force(&world, m), priced(1_000));
    let record = world
        .state
        .ballot(m, address("alice"))
        .expect("cast")
        .record;
    world.row("bob", vote(m, &priced(900)), "ok; terms 900");
    assert_eq!(in_force(&world, m), priced(900));
    // The tags that are in force stand in the first of the votes for them.
    assert_eq!(world.state.voting(m).record, record);
    // All ballots are void at once, and the next block returns their deposits.
    assert_eq!(world.state.ballot(m, address("alice")), None);
    world.block(world.now() + 1, &[]);
    assert_eq!(world.deposits("alice"), before);
    assert_eq!(world.deposits("bob"), 0);
    assert_eq!(world.state.ballots_kept(), 0);
    assert_eq!(world.state.tallies(m).count(), 0);
    assert_eq!(world.state.next_deadline_ms(), None);
    // What was loosened is loosened from there.
    world.row("carol", vote(m, &priced(1_000)), "ok");
    world.row("carol", vote(m, &priced(899)), "ok; terms 899");
}

#[test]
fn nine_tenths_tighten_after_the_notice() {
    let mut world = World::new();
    names(&mut world);
    let holders = [("alice", 899_999), ("bob", 1), ("carol", 100_000)];
    let m = asset(&mut world, &holders);
    world.row("alice", vote(m, &priced(1_100)), "ok");
    let at_ms = world.now() + 1 + 40_000;
    let scheduled = format!("ok; terms 1100 at {at_ms}");
    world.row("bob", vote(m, &priced(1_100)), &scheduled);
    let pending = world.state.voting(m).pending.expect("scheduled");
    assert_eq!(
        (pending.terms.to_tags(), pending.at_ms),
        (priced(1_100), at_ms)
    );
    // Whoever buys until then pays what is in force.
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.clock(at_ms - 1, &[]);
    assert_eq!(in_force(&world, m), priced(1_000));
    world.clock(at_ms, &["terms 1100"]);
    assert_eq!(in_force(&world, m), priced(1_100));
    assert_eq!(world.state.voting(m).pending, None);
    assert_eq!(world.state.ballots_kept(), 0);
    assert_eq!(world.state.next_deadline_ms(), None);
}

#[test]
fn a_tightening_that_lost_its_shares_is_dropped_at_its_time() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 900_000), ("bob", 100_000)]);
    let at_ms = world.now() + 1 + 40_000;
    let scheduled = format!("ok; terms 1100 at {at_ms}");
    world.row("alice", vote(m, &priced(1_100)), &scheduled);
    world.row("alice", transfer_shares(m, "carol", 1), "ok");
    world.clock(at_ms, &["terms 1100 dropped"]);
    assert_eq!(in_force(&world, m), priced(1_000));
    // An asset whose terms never changed is as one that nobody voted on.
    const VOTINGS: u8 = 23;
    assert!(world.state.entries().all(|(key, _)| key[0] != VOTINGS));
    // Its ballots stand; with the shares it begins anew.
    let scheduled = format!("ok; terms 1100 at {}", world.now() + 1 + 40_000);
    world.row("carol", vote(m, &priced(1_100)), &scheduled);
    assert_eq!(tally(&world, m, &priced(1_100)), 900_000);
}

#[test]
fn shares_that_left_and_came_back_in_time_count() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 900_000), ("bob", 100_000)]);
    let at_ms = world.now() + 1 + 40_000;
    world.must("alice", vote(m, &priced(1_100)));
    world.row("alice", transfer_shares(m, "carol", 1), "ok");
    world.row("carol", transfer_shares(m, "alice", 1), "ok");
    world.clock(at_ms, &["terms 1100"]);
}

#[test]
fn other_terms_with_nine_tenths_take_the_place_of_those_that_wait() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 900_000), ("bob", 100_000)]);
    let first_ms = world.now() + 1 + 40_000;
    world.must("alice", vote(m, &priced(1_100)));
    let second_ms = first_ms + 1;
    let scheduled = format!("ok; terms 1100 dropped; terms revoked at {second_ms}");
    world.row("alice", vote(m, &revoked()), &scheduled);
    world.clock(first_ms, &[]);
    world.clock(second_ms, &["terms revoked"]);
    let sale = world.buy(m, Grant::CommercialUse);
    world.row("buyer", sale, "not_granted");
}

#[test]
fn loosening_ends_a_tightening_that_waits() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 900_000), ("bob", 100_000)]);
    let at_ms = world.now() + 1 + 40_000;
    world.must("alice", vote(m, &priced(1_100)));
    world.row(
        "alice",
        vote(m, &priced(900)),
        "ok; terms 1100 dropped; terms 900",
    );
    world.clock(at_ms, &[]);
    assert_eq!(in_force(&world, m), priced(900));
}

#[test]
fn tallies_follow_the_shares() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 600_000), ("bob", 400_000)]);
    world.must("bob", vote(m, &priced(900)));
    world.must("alice", vote(m, &priced(1_100)));
    let shares = |world: &World| {
        (
            tally(world, m, &priced(900)),
            tally(world, m, &priced(1_100)),
        )
    };
    assert_eq!(shares(&world), (400_000, 600_000));
    // To somebody without a ballot, to oneself, to somebody with another one.
    world.row("alice", transfer_shares(m, "carol", 100_000), "ok");
    assert_eq!(shares(&world), (400_000, 500_000));
    world.row("alice", transfer_shares(m, "alice", 500_000), "ok");
    assert_eq!(shares(&world), (400_000, 500_000));
    world.row("alice", transfer_shares(m, "bob", 99_999), "ok");
    assert_eq!(shares(&world), (499_999, 400_001));
    // Who is left without shares is left without a ballot.
    let deposits = world.deposits("bob");
    world.row("bob", transfer_shares(m, "carol", 499_999), "ok");
    assert_eq!(shares(&world), (0, 400_001));
    assert_eq!(world.state.ballot(m, address("bob")), None);
    assert!(world.deposits("bob") < deposits);
    assert_eq!(world.state.ballots_kept(), 1);
}

/// With the last share go the holding, whose income is paid, and the ballot.
#[test]
fn who_moves_all_shares_has_no_ballot_left() {
    let mut world = World::new();
    let holders = [("alice", 400_000), ("bob", 600_000)];
    let m = asset_under(&mut world, priced(1_000_000), &holders);
    let before = world.deposits("alice");
    world.must("alice", vote(m, &priced(900)));
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    let given = world.must("alice", transfer_shares(m, "carol", 400_000));
    assert_eq!(world.state.holding(m, address("alice")), None);
    assert_eq!(world.gain("alice"), 400_000);
    assert_eq!(world.state.ballot(m, address("alice")), None);
    assert_eq!(world.state.tallies(m).count(), 0);
    let carols = world.state.balance(Purse::Deposit(given)).base_units();
    assert_eq!(world.deposits("alice"), before + carols);
}

#[test]
fn a_transfer_can_be_what_loosens() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 600_000), ("bob", 400_000)]);
    world.must("bob", vote(m, &priced(900)));
    world.row("alice", transfer_shares(m, "bob", 100_000), "ok; terms 900");
    assert_eq!(in_force(&world, m), priced(900));
}

#[test]
fn a_ballot_is_replaced_and_taken_back() {
    let mut world = World::new();
    let m = asset(&mut world, &[("alice", 400_000), ("bob", 600_000)]);
    let before = world.deposits("alice");
    world.row("alice", vote(m, &priced(1_000)), "no_ballot");
    world.must("alice", vote(m, &priced(1_100)));
    let locked = world.deposits("alice");
    world.row("alice", vote(m, &priced(1_100)), "ballot_stands");
    world.must("alice", vote(m, &priced(900)));
    assert_eq!(tally(&world, m, &priced(1_100)), 0);
    assert_eq!(tally(&world, m, &priced(900)), 400_000);
    assert!(world.deposits("alice") <= locked);
    world.row("alice", vote(m, &priced(1_000)), "ok");
    assert_eq!(world.state.tallies(m).count(), 0);
    assert_eq!(world.deposits("alice"), before);
}

#[test]
fn who_may_vote_for_what() {
    let mut world = World::new();
    names(&mut world);
    let m = asset_under(&mut world, priced(1_000_000), &[("alice", 1_000_000)]);
    world.row("bob", vote(m, &priced(900)), "not_holder");
    world.row("alice", vote(nothing(), &priced(900)), "unknown_asset");
    world.row("alice", vote(m, &drawn(&priced(900))), "payment_mode_fixed");
    let mut unordered = priced(900);
    unordered.swap(0, 1);
    world.row("alice", vote(m, &unordered), "terms_not_canonical");
    // Who moved all shares away is a holder no more.
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.must("alice", transfer_shares(m, "carol", 1_000_000));
    world.row("alice", vote(m, &priced(900)), "not_holder");
    world.row("carol", vote(m, &priced(900)), "ok; terms 900");
}

#[test]
fn a_purchase_beside_a_change_is_refused_and_never_dearer() {
    let mut world = World::new();
    let m = asset(&mut world, &[("alice", 1_000_000)]);
    let sale = world.buy(m, Grant::CommercialUse);
    let receipts = world.block(
        world.now() + 1,
        &[("alice", vote(m, &priced(900))), ("buyer", sale.clone())],
    );
    assert_eq!(receipts[1].rejected, Some(code("terms_changed")));
    // Tightened again: the old offer does not come back as a dearer one.
    world.must("alice", vote(m, &priced(1_100)));
    let at_ms = world.state.next_deadline_ms().expect("scheduled");
    let sale = world.buy(m, Grant::CommercialUse);
    let receipts = world.block(at_ms, &[("buyer", sale)]);
    assert_eq!(receipts[1].rejected, Some(code("terms_changed")));
}

#[test]
fn licences_children_and_their_stacks_keep_what_they_have() {
    let mut world = World::new();
    let parent = asset_under(&mut world, sharing("10%", 1_000), &[("alice", 1_000_000)]);
    let child = world.must("bob", model("child", sharing("1%", 100), &[parent]));
    let license = world.must("buyer", world.buy(parent, Grant::CommercialUse));
    let bought = world.state.license(license).expect("written");
    world.must("alice", vote(parent, &revoked()));
    let at_ms = world.state.next_deadline_ms().expect("scheduled");
    world.block(at_ms, &[]);
    assert_eq!(in_force(&world, parent), revoked());
    assert_eq!(world.state.license(license), Some(bought));
    // The child is sold on, and owes its parent what it owed.
    world.label(child, "child");
    let sale = world.buy(child, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 100; buyer -100, income:child +90, income:m +10",
    );
    // A new one cannot be made.
    let late = model("late", sharing("1%", 100), &[parent]);
    world.row("carol", late, "derivation_not_granted");
}

#[test]
fn an_ancestor_by_two_paths_gets_the_larger_of_two_shares() {
    let mut world = World::new();
    let root = asset_under(&mut world, sharing("10%", 1_000), &[("alice", 1_000_000)]);
    let old = world.must("bob", model("old", sharing("1%", 100), &[root]));
    world.must("alice", vote(root, &sharing("4%", 1_000)));
    let new = world.must("bob", model("new", sharing("1%", 100), &[root]));
    let tip = world.must("carol", model("tip", sharing("1%", 100), &[old, new]));
    let share = |world: &World, id| {
        let stack = &world.state.asset(id).expect("registered").stack;
        let mut entries = stack.entries().iter();
        let root = entries.find(|(ancestor, _)| *ancestor == root);
        root.expect("an ancestor").1.to_string()
    };
    assert_eq!(share(&world, old), "10%");
    assert_eq!(share(&world, new), "4%");
    assert_eq!(share(&world, tip), "10%");
}

#[test]
fn an_open_bounty_takes_submissions_by_its_parents_terms_of_that_moment() {
    let mut world = World::new();
    world.evaluators(1);
    let parent = asset_under(&mut world, sharing("10%", 1_000), &[("alice", 1_000_000)]);
    let bounty = world.post(|posting| posting.parents = named(&[parent], &[]));
    let early = world.commit("miner-1", bounty, "early");
    world.must("alice", vote(parent, &sharing("4%", 1_000)));
    let late = world.commit("miner-2", bounty, "late");
    assert_eq!(rest(&world, early)[1], 90);
    assert_eq!(rest(&world, late)[1], 96);
    assert_eq!(world.phase(bounty), Phase::Open);
}

/// The percent of an income that named parents leave of a submission's model, and that all do.
fn rest(world: &World, submission: ItemId) -> [u64; 2] {
    let (_, submission) = world.state.submission(submission).expect("committed");
    let rest = submission.stack.rest_billionths();
    [submission.named_rest, rest].map(|it| it / 1_000_000_000)
}

/// What backers staked on: a parent that the bounty names takes no more of what is made for it, whatever its holders
/// vote for meanwhile, those that nobody named as they like.
#[test]
fn a_named_parent_takes_no_more_than_it_asked_for_at_the_posting() {
    let mut parameters = parameters();
    parameters.tighten_ms = 1_000;
    let mut world = World::with(parameters, &[]);
    world.evaluators(1);
    let named_one = world.must("alice", model("named", sharing("10%", 1_000), &[]));
    let terms = Terms::parse(&sharing("10%", 1_000)).expect("terms");
    let asks_for_nothing = Terms {
        derivation: Some(Derivation::Allowed),
        ..terms
    };
    let free = model("free", asks_for_nothing.to_tags(), &[]);
    let free = world.must("alice", free);
    let other = world.must("alice", model("other", sharing("10%", 1_000), &[]));
    let bounty = world.post(|posting| posting.parents = named(&[named_one], &[free]));
    for (asset, terms) in [
        (named_one, sharing("50%", 1_000)),
        (free, sharing("20%", 1_000)),
        (other, sharing("30%", 1_000)),
    ] {
        world.must("alice", vote(asset, &terms));
    }
    world.block(world.now() + 1_000, &[]);
    assert_eq!(in_force(&world, named_one), sharing("50%", 1_000));
    let plain = world.commit("miner-1", bounty, "plain");
    assert_eq!(rest(&world, plain), [90, 90]);
    let both = world.commit_child("miner-1", bounty, "both", &[free]);
    assert_eq!(rest(&world, both), [90, 90]);
    let mut parents = [free, other];
    parents.sort_unstable();
    let all = world.commit_child("miner-1", bounty, "all", &parents);
    assert_eq!(rest(&world, all), [90, 60]);
    // Less, if they ask for less.
    world.must("alice", vote(named_one, &sharing("4%", 1_000)));
    let later = world.commit("miner-1", bounty, "later");
    assert_eq!(rest(&world, later), [96, 96]);
    // A bounty that is posted now has what they ask for now.
    let dear = world.post(|posting| posting.parents = named(&[free], &[]));
    let child = world.commit("miner-1", dear, "child");
    assert_eq!(rest(&world, child), [80, 80]);
}

#[test]
fn an_open_bounty_takes_what_a_parent_that_it_names_allowed_when_it_was_posted() {
    let mut parameters = parameters();
    parameters.tighten_ms = 1_000;
    let mut world = World::with(parameters, &[]);
    world.evaluators(1);
    let parent = asset_under(&mut world, sharing("10%", 1_000), &[("alice", 1_000_000)]);
    let bounty = world.post(|posting| posting.parents = named(&[parent], &[]));
    let other = world.post(|_| ());
    world.must("alice", vote(parent, &revoked()));
    world.block(world.now() + 1_000, &[]);
    assert_eq!(in_force(&world, parent), revoked());
    // It is paid what it asked for, from everybody's shares.
    let late = world.commit("miner-1", bounty, "late");
    assert_eq!(rest(&world, late), [90, 90]);
    // To what does not name it, it grants nothing.
    let unnamed = world.commit_action("miner-1", other, "unnamed", &[parent]);
    world.row("miner-1", unnamed, "derivation_not_granted");
    let again = world.post_action("sponsor", |posting| {
        posting.parents = named(&[parent], &[]);
    });
    world.row("sponsor", again, "derivation_not_granted");
}

#[test]
fn terms_that_a_parent_passes_on_are_not_voted_away() {
    let terms = Terms {
        derivation: Some(Derivation::LicensePassthrough),
        commercial_use: Some(CommercialUse::Credit),
        payment_mode: PaymentMode::GlobalDistribution,
        ..Terms::default()
    };
    let mut world = World::new();
    let parent = asset_under(&mut world, terms.to_tags(), &[("alice", 1_000_000)]);
    let child = world.must("bob", model("child", terms.to_tags(), &[parent]));
    world.row("bob", vote(child, &revoked()), "terms_bound");
    // The parent is free, and its child stays as it is.
    let open = licensing::presets::open().to_tags();
    world.must("alice", vote(parent, &open));
    assert_eq!(in_force(&world, parent), open);
    assert_eq!(in_force(&world, child), terms.to_tags());
    world.row("bob", vote(child, &open), "terms_bound");

    // Who holds half binds nobody: a vote for terms that pass on could never be taken back.
    let free = world.must("alice", model("free", open.clone(), &[]));
    let grandchild = world.must("bob", model("grandchild", open.clone(), &[free]));
    world.row("bob", vote(grandchild, &terms.to_tags()), "terms_bound");
    assert_eq!(in_force(&world, grandchild), open);

    // A data set that was made from another is bound like that; a model trained on it is not.
    let terms = Terms {
        data_model_training: Some(DataModelTraining::Allowed),
        ..terms
    };
    let rows = world.must("alice", data_set("rows", terms.to_tags()));
    let made_from = |mut action: Action| {
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.parents = vec![rows];
        }
        action
    };
    let other = made_from(data_set("cleaned", open.clone()));
    world.row("bob", other, "terms_not_passed_on");
    let cleaned = made_from(data_set("cleaned", terms.to_tags()));
    let cleaned = world.must("bob", cleaned);
    world.row("bob", vote(cleaned, &open), "terms_bound");
    let trained = world.must("bob", model("trained", terms.to_tags(), &[rows]));
    world.must("bob", vote(trained, &open));
    assert_eq!(in_force(&world, trained), open);
}

#[test]
fn a_tightening_that_comes_back_to_old_terms_is_a_new_vote() {
    let mut world = World::new();
    names(&mut world);
    let m = asset(&mut world, &[("alice", 1_000_000)]);
    world.row("alice", vote(m, &priced(900)), "ok; terms 900");
    let at_ms = world.now() + 1 + 40_000;
    let scheduled = format!("ok; terms 1000 at {at_ms}");
    let record = world.row("alice", vote(m, &priced(1_000)), &scheduled);
    world.clock(at_ms, &["terms 1000"]);
    let voting = world.state.voting(m);
    assert_eq!((voting.epoch, voting.record), (2, record));
}

#[test]
fn many_ballots_are_swept_in_several_blocks_and_every_deposit_returns() {
    let voters: Vec<String> = (0..300).map(|number| format!("voter-{number}")).collect();
    let more: Vec<&str> = voters.iter().map(String::as_str).collect();
    let mut world = World::with(parameters(), &more);
    let m = asset(&mut world, &[("alice", 1_000_000)]);
    for who in &more {
        world.must("alice", transfer_shares(m, who, 1_000));
        world.must(who, vote(m, &priced(1_100)));
    }
    world.must("alice", vote(m, &priced(900)));
    assert_eq!(world.state.ballots_kept(), 301);
    // Of 500 rows: 4 for the turn, and 4 for each ballot.
    world.block(world.now() + 1, &[]);
    assert_eq!(world.state.ballots_kept(), 301 - 124);
    let mut blocks = 0;
    while world.state.next_deadline_ms().is_some() {
        // New ballots count while the old ones are swept.
        let who = more[blocks];
        let receipts = world.block(world.now() + 1, &[(who, vote(m, &priced(800)))]);
        assert_eq!(receipts.last().expect("a record").rejected, None);
        blocks += 1;
    }
    assert_eq!(blocks, 2);
    assert_eq!(world.state.ballots_kept(), blocks);
    assert_eq!(tally(&world, m, &priced(800)), 1_000 * blocks as u32);
    assert_eq!(world.state.tallies(m).count(), 1);
    assert!(more.iter().skip(blocks).all(|who| world.deposits(who) == 0));
}
