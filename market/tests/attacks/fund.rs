//! Who holds the most of a self-funding asset, and its fund.

use protocol::ItemId;
use protocol::receipt::Purse;
use protocol::record::*;

use crate::world::*;
use crate::{gains, play, pool};

/// A model of these holders that has set 8,000 aside, of 40,000 that somebody paid for it.
fn funded(world: &mut World, holders: &[(&str, u32)]) -> ItemId {
    let mut action = model("m", sharing("1%", 40_000), &[]);
    if let Action::RegisterAsset { body, .. } = &mut action {
        body.self_funding_ppm = 200_000;
        let holder = |(who, shares): &(&str, u32)| Holder {
            account: address(who),
            shares: *shares,
        };
        body.holders = holders.iter().map(holder).collect();
    }
    let id = world.must("alice", action);
    world.must("buyer", world.buy(id, Grant::CommercialUse));
    assert_eq!(world.state.balance(Purse::Fund(id)), units(8_000));
    id
}

fn round(world: &World, who: &str, asset: ItemId) -> Action {
    world.post_action(who, |posting| {
        posting.parents = named(&[], &[asset]);
        posting.reward = units(8_000);
        posting.fund = Some(FundPart {
            asset,
            amount: units(8_000),
        });
    })
}

/// Not prevented: the sponsor of a round knows its labels. Beside a round that an
/// honest miner wins, the majority and its second key are richer by the award, which
/// was the holders' in proportion: the minority's half of it is what they gain.
#[test]
fn who_holds_half_drains_the_fund_with_a_second_key() {
    for (winner, majority, miner) in [("miner-1", 0, 7_970), ("second key", 7_970, 0)] {
        let mut world = pool(3);
        let m = funded(&mut world, &[("sponsor", 500_000), ("bob", 500_000)]);
        let action = round(&world, "sponsor", m);
        let bounty = world.must("sponsor", action);
        play(&mut world, bounty, &[(winner, "a", scored(600, "a"))]);
        let [sponsor, second, other] = gains(&world, ["sponsor", "second key", "miner-1"]);
        assert_eq!([sponsor + second, other], [majority, miner]);
        assert_eq!(world.state.balance(Purse::Fund(m)), units(0));
        // The minority keeps its half of what the index brought, and of the new model nothing.
        assert_eq!(gains(&world, ["bob"]), [0]);
    }
}

#[test]
fn who_holds_less_than_half_spends_nothing_of_the_fund() {
    let mut world = pool(3);
    let m = funded(&mut world, &[("sponsor", 499_999), ("bob", 500_001)]);
    let action = round(&world, "sponsor", m);
    world.row("sponsor", action, "fund_majority");
    assert_eq!(world.state.balance(Purse::Fund(m)), units(8_000));
    assert_eq!(gains(&world, ["sponsor"]), [0]);
}

/// A second round with the test set of the first, whose key everybody has: refused,
/// under any seal and from any sponsor. The same rows under a fresh key are another
/// ciphertext, which no ledger can know.
#[test]
fn a_test_set_whose_key_is_out_is_not_posted_again() {
    let mut world = pool(3);
    let bounty = world.post(|_| ());
    let used = world
        .state
        .bounty(bounty)
        .expect("posted")
        .0
        .posting
        .test_set;
    play(&mut world, bounty, &[("miner-1", "a", scored(600, "a"))]);
    for who in ["sponsor", "second key"] {
        let again = world.post_action(who, |posting| {
            posting.test_set.ciphertext = used.ciphertext;
        });
        world.row(who, again, "test_set_used");
    }
    let anew = world.send("sponsor", world.post_action("sponsor", |_| ()));
    assert_eq!(anew.rejected, None);
}

/// Not prevented: the ledger cannot tell whose a ciphertext is before its key is shown. A fresh key makes another.
#[test]
fn a_ciphertext_that_somebody_else_posted_first_is_sealed_anew() {
    let mut world = pool(3);
    let mut wanted = None;
    let action = world.post_action("sponsor", |posting| {
        wanted = Some(posting.test_set.ciphertext);
    });
    let squat = world.post_action("carol", |posting| {
        posting.test_set.ciphertext = wanted.expect("seen");
    });
    let squatted = world.must("carol", squat);
    world.row("sponsor", action.clone(), "test_set_used");
    world.must("carol", cancel(squatted));
    world.row("sponsor", action, "test_set_used");
    assert_eq!(world.gain("carol"), 0);
    world.post(|_| ());
}
