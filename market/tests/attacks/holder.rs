//! Backers, holders of shares, parents, sellers and buyers.

use std::collections::BTreeMap;

use market::State;
use protocol::receipt::{Cause, Purse, Standing};
use protocol::record::*;
use protocol::{Amount, ItemId};

use crate::world::*;
use crate::{bought_as_they_tighten, gains, play, pool};

#[test]
fn a_backer_cannot_wait_and_see() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let half = world.now() + 10_000;
    world.must("backer-1", back(bounty, 100));
    world.commit("miner-1", bounty, "a");
    // At half of the phase still, and no millisecond later: nothing is shown yet.
    world.clock(half - 1, &[]);
    world.must("backer-2", back(bounty, 900));
    world.row("backer-2", back(bounty, 9_000), "backing_closed");
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, &[scored(600, "a")]);
    world.row("backer-2", back(bounty, 9_000), "wrong_phase");
    world.skip(bounty);
    let people = ["sponsor", "backer-1", "backer-2", "miner-1"];
    assert_eq!(gains(&world, people), [-10_000, -100, -900, 10_970]);
    // What was staked is what counts, not when.
    let (model, _) = world.state.assets().next().expect("one model");
    let shares = |who| {
        world
            .state
            .holding(model, address(who))
            .expect("held")
            .shares
    };
    assert_eq!([shares("backer-1"), shares("backer-2")], [10_000, 90_000]);
}

/// Somebody backs with so many stakes of so much each, where another has staked so much before: what sponsor, both
/// backers and miner are richer by, and what they hold of the model, and are owed for it by a sale.
fn many_backings(backers: u32, before: u128, (each, count): (u128, usize)) -> [[i128; 4]; 2] {
    let mut world = pool(3);
    for who in ["eve-1", "eve-2", "eve-3"] {
        world.must(who, join(10_000));
    }
    let bounty = world.post(|p| {
        p.split = RoyaltySplit {
            miner: 600_000,
            sponsor: 400_000 - backers,
            backers,
        };
    });
    let mut places = count;
    if before > 0 {
        world.must("backer-2", back(bounty, before));
        places += 1;
    }
    world.row("backer-1", back(bounty, 9), "stake_too_small");
    let receipts = world.block(
        world.now() + 1,
        &vec![("backer-1", back(bounty, each)); count],
    );
    assert!(receipts.iter().all(|receipt| receipt.rejected.is_none()));
    if places == 1_000 {
        world.row("backer-1", back(bounty, 1_000), "full");
        world.row("carol", back(bounty, 1_000), "full");
    }
    let ids = play(&mut world, bounty, &[("miner-1", "a", scored(600, "a"))]);
    let people = ["sponsor", "backer-1", "backer-2", "miner-1"];
    let gained = gains(&world, people);
    assert_eq!(world.gain("carol"), 0);
    // A sale for a million brings one unit a share.
    world.must("buyer", world.buy(ids[0], Grant::CommercialUse));
    let shares = people.map(|who| {
        let held = world.state.holding(ids[0], address(who));
        let shares = held.map_or(0, |held| held.shares);
        assert_eq!(world.state.owed(ids[0], address(who)), units(shares.into()));
        i128::from(shares)
    });
    [gained, shares]
}

/// All thousand places take the whole reward once more, which is the miner's; and they bring what one backing of as much
/// brings.
#[test]
fn who_takes_all_places_for_backers_pays_the_reward_again_and_holds_what_it_staked_for() {
    let [all, one] = [(10, 1_000), (10_000, 1)];
    let gained = [-10_000, -10_000, 0, 19_970];
    for backings in [all, one] {
        let sides = many_backings(100_000, 0, backings);
        assert_eq!(sides, [gained, [300_000, 100_000, 0, 600_000]]);
    }
    // A sponsor who wants the shares leaves backers none.
    let sides = many_backings(0, 0, all);
    assert_eq!(sides, [gained, [400_000, 0, 0, 600_000]]);
    // Who has staked before holds its part: of 100,000, by 9,990 and 1,000 of 10,990.
    for backings in [(10, 999), (9_990, 1)] {
        let sides = many_backings(100_000, 1_000, backings);
        let gained = [-10_000, -9_990, -1_000, 20_960];
        assert_eq!(sides, [gained, [300_000, 90_900, 9_100, 600_000]]);
    }
}

/// What three licences of 100,000,000 each bring to the sides of a bounty's model that
/// was made, so its miner says, from a parent of the miner's own that asks for so much.
fn income(percent: Option<&str>) -> [i128; 4] {
    let mut world = pool(3);
    let bounty = world.post(|p| p.model_terms = pairs(&sharing("1%", 100_000_000)));
    world.must("backer-1", back(bounty, 1_000));
    let parents: Vec<ItemId> = percent
        .iter()
        .map(|percent| world.must("miner-2", model("invented", sharing(percent, 1_000), &[])))
        .collect();
    let id = world.commit_child("miner-1", bounty, "a", &parents);
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, &[scored(600, "a")]);
    world.skip(bounty);
    let people = ["sponsor", "backer-1", "miner-1", "miner-2"];
    let before = gains(&world, people);
    for _ in 0..3 {
        world.must("buyer", world.buy(id, Grant::CommercialUse));
    }
    for who in ["sponsor", "backer-1", "miner-1"] {
        if world.state.owed(id, address(who)) > Amount::ZERO {
            world.must(who, claim(id));
        }
    }
    for &parent in &parents {
        world.must("miner-2", claim(parent));
    }
    let after = gains(&world, people);
    std::array::from_fn(|place| after[place] - before[place])
}

/// A sponsor whose own parent was voted dearer before the posting, and becomes so when backers are in: it brings what
/// it asked for when they staked.
#[test]
fn a_parent_that_becomes_dearer_while_the_bounty_is_open_takes_no_more() {
    let sides = |rises: bool| {
        let mut world = pool(3);
        let parent = world.must("alice", model("parent", sharing("1%", 1_000), &[]));
        if rises {
            world.must("alice", vote(parent, &sharing("90%", 1_000)));
        }
        // The notice is over before the phase is.
        let bounty = world.post(|p| {
            p.model_terms = pairs(&sharing("1%", 100_000_000));
            p.parents = named(&[parent], &[]);
            p.schedule.open_ms = 80_000;
        });
        world.must("backer-1", back(bounty, 1_000));
        world.block(world.now() + 41_000, &[]);
        let asks = world
            .state
            .asset(parent)
            .expect("registered")
            .terms
            .to_tags();
        assert_eq!(asks == sharing("90%", 1_000), rises);
        let id = world.commit("miner-1", bounty, "a");
        world.bring_to_reveal(bounty);
        world.bring_to_challenge(bounty, &[scored(600, "a")]);
        world.skip(bounty);
        world.must("buyer", world.buy(id, Grant::CommercialUse));
        ["sponsor", "backer-1", "miner-1"].map(|who| world.state.owed(id, address(who)))
    };
    assert_eq!(sides(true), sides(false));
    let parts = [29_700_000, 9_900_000, 59_400_000];
    assert_eq!(sides(true), parts.map(units));
}

/// Holders of a required parent let a revocation, put down before the posting, fall into its open phase, behind a
/// submission of their own: others submit as before.
#[test]
fn holders_of_a_parent_cannot_close_a_bounty_behind_their_own_submission() {
    let mut world = pool(3);
    let parent = world.must("alice", model("parent", sharing("1%", 1_000), &[]));
    world.must("alice", vote(parent, &revoked()));
    let bounty = world.post(|p| {
        p.model_terms = pairs(&sharing("1%", 100_000_000));
        p.parents = named(&[parent], &[]);
        p.schedule.open_ms = 80_000;
    });
    world.commit("alice", bounty, "a");
    world.block(world.now() + 41_000, &[]);
    let terms = &world.state.asset(parent).expect("registered").terms;
    assert_eq!(terms.to_tags(), revoked());
    world.commit("miner-1", bounty, "b");
    world.bring_to_reveal(bounty);
    world.settle(bounty, &[scored(600, "a"), scored(700, "b")]);
    assert_eq!(gains(&world, ["alice", "miner-1"]), [-30, 9_970]);
}

#[test]
fn an_invented_parent_is_paid_by_who_invented_it() {
    const M: i128 = 1_000_000;
    // Sponsor 30 %, backers 10 %, miner 60 %.
    assert_eq!(income(None), [90 * M, 30 * M, 180 * M, 0]);
    // The parent takes a part of all income: sponsor and backer get what they would
    // without it, to the unit.
    assert_eq!(income(Some("50%")), [90 * M, 30 * M, 30 * M, 150 * M]);
    assert_eq!(income(Some("60%")), [90 * M, 30 * M, 0, 180 * M]);
    assert_eq!(
        income(Some("33.333333333%")),
        [90 * M, 30 * M, 80 * M, 99 * M]
    );
    // Shares are whole. Where it does not divide, each is within one share, which brings
    // 210: 400,000 shares become 571,429, of which 428,572 are the sponsor's.
    let [sponsor, backer, ..] = income(Some("30%"));
    assert_eq!([sponsor - 90 * M, backer - 30 * M], [120, -30]);
}

#[test]
fn a_parent_that_asks_for_more_than_the_miner_has_is_refused() {
    let mut world = pool(3);
    let bounty = world.post(|p| p.model_terms = pairs(&sharing("1%", 1_000_000)));
    for (percent, expected) in [
        ("90%", "unnamed_parents"),
        ("60.000000001%", "unnamed_parents"),
    ] {
        let terms = sharing(percent, 1_000);
        let parent = world.must("miner-2", model(percent, terms, &[]));
        let action = world.commit_action("miner-1", bounty, "a", &[parent]);
        world.row("miner-1", action, expected);
    }
    assert_eq!(world.gain("miner-1"), 0);
}

/// Not prevented: a parent that the bounty names, and does not require, is paid from all shares, whether the miner
/// used it or not.
#[test]
fn a_parent_that_a_bounty_offers_is_paid_by_all_whether_it_was_used_or_not() {
    let sides = |names: bool| {
        let mut world = pool(3);
        let parent = world.must("miner-1", model("parent", sharing("40%", 1_000), &[]));
        let bounty = world.post(|p| {
            p.model_terms = pairs(&sharing("1%", 100_000_000));
            p.parents = named(&[], &[parent]);
        });
        world.must("backer-1", back(bounty, 1_000));
        let parents: &[ItemId] = if names { &[parent] } else { &[] };
        let id = world.commit_child("miner-1", bounty, "a", parents);
        world.bring_to_reveal(bounty);
        world.settle(bounty, &[scored(600, "a")]);
        world.must("buyer", world.buy(id, Grant::CommercialUse));
        let owed = |asset, who| world.state.owed(asset, address(who));
        [
            owed(id, "sponsor"),
            owed(id, "backer-1"),
            owed(id, "miner-1"),
            owed(parent, "miner-1"),
        ]
    };
    const M: u128 = 1_000_000;
    assert_eq!(sides(false), [30 * M, 10 * M, 60 * M, 0].map(units));
    assert_eq!(sides(true), [18 * M, 6 * M, 36 * M, 40 * M].map(units));
}

/// The holders make it dearer; the notice is over at the block of the purchase, and the clock comes before it.
#[test]
fn a_buyer_pays_the_price_that_was_read_when_it_rises_in_the_same_block() {
    let mut world = pool(1);
    let m = world.must("alice", model("m", priced(1_000), &[]));
    let read = world.buy(m, Grant::CommercialUse);
    let sold = bought_as_they_tighten(&mut world, m, &priced(900_000), read);
    assert_eq!(sold, "terms_changed");
    assert_eq!(world.gain("buyer"), 0);
    let terms = &world.state.asset(m).expect("registered").terms;
    assert_eq!(terms.to_tags(), priced(900_000));
}

/// A purchase names the terms and the most that it pays.
#[test]
fn a_buyer_pays_the_price_that_was_read_or_nothing() {
    let mut world = pool(1);
    let cheap = world.must("alice", model("cheap", priced(1_000), &[]));
    let read = world.state.asset(cheap).expect("registered").terms.id();
    let dear = world.must("alice", model("dear", priced(900_000), &[]));
    let buy = |asset, price_max| Action::BuyLicense {
        asset,
        body: BuyLicense {
            grant: Grant::CommercialUse,
            terms: read,
            price_max: units(price_max),
            months: 0,
        },
    };
    // The seller puts something dearer in its place, in the block of the purchase.
    let dearer = ("alice", model("dearer", priced(900_000), &[]));
    let purchase = ("buyer", buy(dear, 1_000));
    let receipts = world.block(world.now() + 1, &[dearer, purchase]);
    assert_eq!(world.show(&receipts[1]), "terms_changed");
    world.row("buyer", buy(cheap, 999), "price_above_max");
    assert_eq!(world.gain("buyer"), 0);
    world.must("buyer", buy(cheap, 1_000));
    assert_eq!(world.gain("buyer"), -1_000);
}

/// Who holds the shares at the payment's place in the block is paid.
#[test]
fn a_payment_beside_a_transfer_of_shares_is_whose_shares_they_were() {
    for (transfer_first, expected) in [(true, [0, 1_000_000]), (false, [1_000_000, 0])] {
        let mut world = pool(1);
        let m = world.must("alice", model("m", priced(1_000_000), &[]));
        let mut records = vec![
            ("alice", transfer_shares(m, "bob", 1_000_000)),
            ("buyer", world.buy(m, Grant::CommercialUse)),
        ];
        if !transfer_first {
            records.reverse();
        }
        world.block(world.now() + 1, &records);
        for who in ["alice", "bob"] {
            world.send(who, claim(m));
        }
        assert_eq!(gains(&world, ["alice", "bob"]), expected);
    }
}

/// Who holds a quarter and buys gets its own money back a quarter of the time,
/// whatever the record looks like: it is signed before the seed is known.
#[test]
fn a_buyer_who_is_a_holder_cannot_choose_the_draw() {
    let mut world = pool(1);
    let mut action = model("m", drawn(&priced(1_000)), &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        let holder = |who: &str, shares| Holder {
            account: address(who),
            shares,
        };
        body.holders = vec![holder("alice", 750_000), holder("buyer", 250_000)];
    }
    let m = world.must("alice", action);
    let before: Vec<_> = world.state.entries().collect();
    let mut wins: BTreeMap<u64, u32> = BTreeMap::new();
    for attempt in 0..4 {
        // The buyer grinds: the same purchase with another validity has another id.
        let mut envelope = world.envelope("buyer");
        envelope.valid_until_ms += attempt;
        let tx = World::sign("buyer", &envelope, &world.buy(m, Grant::CommercialUse));
        let mut state = State::load(before.clone()).expect("good entries");
        let (height, time_ms) = (state.height(), state.time_ms());
        state.begin_block(height + 1, time_ms + 1, world.id_at(height));
        assert_eq!(state.apply(&tx), Ok(None));
        state.end_block();
        let bought: Vec<_> = state.entries().collect();
        for seed in 0..1_000 {
            let mut state = State::load(bought.clone()).expect("good entries");
            let buyer = Purse::Account(address("buyer"));
            let had = state.balance(buyer);
            state.begin_block(height + 2, time_ms + 2, block_id(1_000_000 + seed));
            let receipts = state.end_block().receipts;
            assert_eq!(receipts[0].cause, Cause::Distribution(m));
            *wins.entry(attempt).or_default() += u32::from(state.balance(buyer) > had);
        }
    }
    // Of 1,000 each: every attempt is as good as another.
    assert_eq!(wins.into_values().collect::<Vec<_>>(), [254, 259, 238, 231]);
}

/// Not prevented: an import of weights that a bounty has revealed is an asset, and can
/// be sold, until somebody takes the importer to court. The award is not touched by it.
#[test]
fn revealed_weights_can_be_imported_but_not_before_their_miner() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let own = world.commit("miner-1", bounty, "a");
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, &[scored(600, "w")]);
    let import = world.must("carol", model("w", priced(500), &[]));
    world.skip(bounty);
    assert_eq!(world.standing(own), Some(Standing::Won));
    assert_eq!(gains(&world, ["sponsor", "miner-1"]), [-10_000, 9_970]);
    // A bounty in which the import is handed in finds its miner's model in the way.
    let other = world.post(|_| ());
    let ids = play(&mut world, other, &[("carol", "w", scored(600, "w"))]);
    assert_eq!(world.standing(ids[0]), Some(Standing::Copied(own)));
    world.must("buyer", world.buy(import, Grant::CommercialUse));
    assert_eq!(
        world.state.pool(import).expect("an asset").income,
        units(500)
    );
}
