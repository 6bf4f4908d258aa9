//! Self-funding: what is set aside, what it pays for, and where it returns to.

use protocol::ItemId;
use protocol::receipt::{Phase, Purse};
use protocol::record::*;

use crate::world::*;

/// Terms of an asset that others may be made from, for 5 % of what they earn.
fn terms(price: u128) -> Vec<protocol::ans104::Tag> {
    sharing("5%", price)
}

/// A model of the sponsor that sets aside so much of each income.
fn funding(world: &mut World, price: u128, ppm: u32) -> ItemId {
    let mut action = model("m", terms(price), &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        body.self_funding_ppm = ppm;
    }
    let id = world.must("sponsor", action);
    world.label(id, "m");
    id
}

fn fund(world: &World, asset: ItemId) -> u128 {
    world.state.balance(Purse::Fund(asset)).base_units()
}

/// A round whose reward of 10,000 the fund pays in part.
fn round(world: &World, asset: ItemId, amount: u128) -> Action {
    world.post_action("sponsor", |posting| {
        posting.parents = named(&[], &[asset]);
        posting.fund = Some(FundPart {
            asset,
            amount: units(amount),
        });
    })
}

#[test]
fn a_part_of_each_income_is_set_aside_and_the_rest_is_the_holders() {
    let mut world = World::new();
    let m = funding(&mut world, 3_333_333, 200_000);
    let sale = world.buy(m, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 3333333; buyer -3333333, fund:m +666666, income:m +2666667",
    );
    world.row(
        "sponsor",
        claim(m),
        "ok; income:m -2000000, sponsor +2000000",
    );
    // What the pool has earned is the holders' part.
    assert_eq!(
        world.state.pool(m).expect("registered").income,
        units(2_666_667)
    );
}

#[test]
fn an_ancestors_share_is_an_income_that_its_own_fund_takes_part_of() {
    let mut world = World::new();
    let m = funding(&mut world, 1_000, 100_000);
    let child = world.must("bob", model("child", terms(1_000), &[m]));
    world.label(child, "child");
    let sale = world.buy(child, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 1000; buyer -1000, fund:m +5, income:child +950, income:m +45",
    );
}

#[test]
fn a_drawn_holder_gets_what_was_not_set_aside() {
    let mut world = World::new();
    let mut action = model("m", drawn(&terms(1_000)), &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        body.self_funding_ppm = 1;
    }
    let m = world.must("alice", action);
    world.label(m, "m");
    // Too little to set a whole unit aside.
    let sale = world.buy(m, Grant::CommercialUse);
    world.row(
        "buyer",
        sale,
        "ok; license to buyer for 1000; buyer -1000, income:m +1000",
    );
    world.clock(world.now() + 1, &["alice +1000, income:m -1000"]);
}

#[test]
fn what_is_set_aside_is_at_most_a_fifth_and_stays_as_it_was_fixed() {
    let mut world = World::new();
    for (ppm, expected) in [(200_000, "ok; asset"), (200_001, "self_funding")] {
        let mut action = model(&format!("m{ppm}"), terms(1_000), &[]);
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.self_funding_ppm = ppm;
        }
        let receipt = world.send("alice", action);
        assert!(world.show(&receipt).starts_with(expected));
    }
    world.evaluators(1);
    let bounty = world.post(|posting| posting.self_funding_ppm = 150_000);
    let id = world.commit("miner-1", bounty, "born");
    world.bring_to_reveal(bounty);
    world.bring_to_challenge(bounty, &[scored(600, "born")]);
    world.skip(bounty);
    let born = world.state.asset(id).expect("it won");
    assert_eq!(born.self_funding_ppm, 150_000);
}

#[test]
fn a_fund_pays_a_part_of_the_next_reward() {
    let mut world = World::new();
    world.evaluators(1);
    let m = funding(&mut world, 40_000, 200_000);
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    assert_eq!(fund(&world, m), 8_000);
    world.row("sponsor", round(&world, m, 8_001), "insufficient_funds");
    world.row(
        "sponsor",
        round(&world, m, 3_000),
        "ok; phase Open; bond +2000, fund:m -3000, reward +10000, sponsor -9000",
    );
    // All of it can be the fund's.
    world.row(
        "sponsor",
        round(&world, m, 5_000),
        "ok; phase Open; bond +2000, fund:m -5000, reward +10000, sponsor -7000",
    );
    assert_eq!(fund(&world, m), 0);
}

#[test]
fn a_reward_that_nobody_wins_returns_to_fund_and_sponsor() {
    let mut world = World::new();
    world.evaluators(1);
    let m = funding(&mut world, 40_000, 200_000);
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    for ends in ["cancelled", "no submissions", "below the reserve", "won"] {
        let before = (fund(&world, m), world.gain("sponsor"));
        let action = round(&world, m, 7_777);
        let bounty = world.must("sponsor", action);
        world.label(bounty, "bounty");
        match ends {
            "cancelled" => {
                world.must("sponsor", cancel(bounty));
            }
            "no submissions" => {
                world.skip(bounty);
                assert!(matches!(world.phase(bounty), Phase::Void(_)));
            }
            _ => {
                world.commit("miner-1", bounty, ends);
                world.bring_to_reveal(bounty);
                let score = if ends == "won" { 600 } else { 400 };
                world.bring_to_challenge(bounty, &[scored(score, ends)]);
                world.skip(bounty);
                assert_eq!(world.phase(bounty), Phase::Settled);
            }
        }
        let after = (fund(&world, m), world.gain("sponsor"));
        let expected = match ends {
            "won" => (before.0 - 7_777, before.1 - 2_223),
            _ => before,
        };
        assert_eq!(after, expected, "{ends}");
    }
}

#[test]
fn who_spends_a_fund_holds_half_of_the_shares_and_names_the_asset() {
    let mut world = World::new();
    world.evaluators(1);
    let m = funding(&mut world, 40_000, 200_000);
    world.must("buyer", world.buy(m, Grant::CommercialUse));
    world.must("sponsor", transfer_shares(m, "bob", 500_001));
    world.row("sponsor", round(&world, m, 1), "fund_majority");
    world.must("bob", transfer_shares(m, "sponsor", 1));
    world.row("sponsor", round(&world, m, 0), "fund_amount");
    world.row("sponsor", round(&world, m, 10_001), "fund_amount");
    let unnamed = world.post_action("sponsor", |posting| {
        posting.fund = Some(FundPart {
            asset: m,
            amount: units(1),
        });
    });
    world.row("sponsor", unnamed, "fund_parent");
    let unknown = round(&world, nothing(), 1);
    world.row("sponsor", unknown, "unknown_asset");
    let receipt = world.send("sponsor", round(&world, m, 1));
    assert_eq!(receipt.rejected, None);
}

#[test]
fn a_test_set_is_posted_once_whoever_posts_it_and_however_it_ended() {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let (posted, _) = world.state.bounty(bounty).expect("posted");
    let used = posted.posting.test_set;
    world.must("sponsor", cancel(bounty));
    // Another seal over the same ciphertext is no other test set.
    for who in ["sponsor", "alice"] {
        let again = world.post_action(who, |posting| {
            posting.test_set.ciphertext = used.ciphertext;
        });
        world.row(who, again, "test_set_used");
    }
    // Also when the bounty is forgotten.
    world.block(world.now() + 50_001, &[]);
    assert!(world.state.bounty(bounty).is_none());
    let again = world.post_action("sponsor", |posting| posting.test_set = used);
    world.row("sponsor", again, "test_set_used");
}
