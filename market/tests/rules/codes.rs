//! Every way to be refused, each reached by a real record; and that the codes stay what they are.

use std::collections::BTreeSet;

use licensing::{DerivationRefusal, Refusal, StackError, TermsError};
use market::Rejection;
use protocol::Amount;
use protocol::ans104::Tag;
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};

use crate::world::*;

/// The codes that a program may rely on. Changing a line is a breaking change.
const STABLE: &str = include_str!("../vectors/rejection_codes.txt");

/// A case: the code, and how to meet it.
type Case = (&'static str, fn() -> String);

fn shown(mut world: World, who: &str, action: Action) -> String {
    let receipt = world.send(who, action);
    world.show(&receipt)
}

fn included(change: fn(&mut Envelope)) -> String {
    let world = World::new();
    let refused = world.refusal("alice", change, transfer("bob", 1));
    refused.code().to_owned()
}

/// A world with a bounty and a submission, and their ids.
fn open() -> (World, protocol::ItemId, protocol::ItemId) {
    let mut world = World::new();
    world.evaluators(1);
    let bounty = world.post(|_| ());
    let submission = world.commit("miner-1", bounty, "m");
    (world, bounty, submission)
}

/// A bounty that requires a parent, and pays the miner half of the shares.
fn with_parent() -> (World, protocol::ItemId, protocol::ItemId) {
    let mut world = World::new();
    world.evaluators(1);
    let parent = world.must("alice", model("p", sharing("1%", 9), &[]));
    let bounty = world.post(|p| {
        p.parents = named(&[parent], &[]);
        p.model_terms = pairs(&sharing("1%", 9));
        p.split.miner -= 100_000;
        p.split.sponsor += 100_000;
    });
    (world, bounty, parent)
}

fn posting(change: fn(&mut PostBounty)) -> String {
    let mut world = World::new();
    world.evaluators(1);
    let action = world.post_action("sponsor", change);
    shown(world, "sponsor", action)
}

/// At the score phase, or past it, with one seat.
fn scoring() -> (World, protocol::ItemId) {
    let (mut world, bounty, submission) = open();
    world.bring_to_reveal(bounty);
    world.reveal(submission);
    world.skip(bounty);
    (world, bounty)
}

fn reveal_of(outcomes: &[Outcome], change: fn(&mut RevealAttestations)) -> String {
    let (mut world, bounty) = scoring();
    let mut body = world.batch("eve-1", bounty, outcomes);
    change(&mut body);
    world.must("eve-1", world.commitment("eve-1", bounty, &body));
    world.skip(bounty);
    shown(world, "eve-1", Action::RevealAttestations { bounty, body })
}

fn terms(tags: &[(&str, &str)]) -> String {
    let license = Tag::new("License", licensing::terms::LICENSE_ID);
    let tags = tags.iter().map(|(name, value)| Tag::new(*name, *value));
    let tags = [license].into_iter().chain(tags).collect();
    shown(World::new(), "alice", model("m", tags, &[]))
}

/// A model under these tags is made from a parent under those.
fn child_of(parent: Action) -> String {
    let mut world = World::new();
    let parent = world.must("alice", parent);
    shown(world, "bob", model("child", sharing("5%", 9), &[parent]))
}

fn terms_with(change: fn(&mut licensing::Terms)) -> Vec<Tag> {
    let mut terms = licensing::Terms {
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..licensing::Terms::default()
    };
    change(&mut terms);
    terms.to_tags()
}

fn fee() -> licensing::Fee {
    licensing::Fee::new(units(5)).expect("above zero")
}

fn buy(tags: Vec<Tag>, grant: Grant, change: fn(&mut BuyLicense)) -> String {
    let mut world = World::new();
    let asset = world.must("alice", model("m", tags, &[]));
    let Action::BuyLicense { mut body, .. } = world.buy(asset, grant) else {
        unreachable!("it buys")
    };
    change(&mut body);
    shown(world, "buyer", Action::BuyLicense { asset, body })
}

const MONTH_MS: u64 = 30 * 24 * 3_600_000;

/// A model under these terms, and a licence of it.
fn revenue_licensed(tags: Vec<Tag>, months: u32) -> (World, protocol::ItemId) {
    let cheap = Parameters {
        revenue_minimum: units(5),
        ..parameters()
    };
    let mut world = World::with(cheap, &[]);
    let asset = world.must("alice", model("m", tags, &[]));
    let sale = world.buy_months(asset, Grant::CommercialUse, months);
    let license = world.must("buyer", sale);
    (world, license)
}

/// What becomes of a declaration so long after the purchase.
fn declared(tags: Vec<Tag>, months: u32, after_ms: u64, period: u32) -> String {
    let (mut world, license) = revenue_licensed(tags, months);
    for _ in 0..after_ms / MONTH_MS {
        world.block(world.now() + MONTH_MS, &[]);
    }
    shown(world, "buyer", declare(license, period, 0))
}

const CASES: &[Case] = &[
    // Inclusion.
    ("other_network", || included(|e| e.network.0[5] ^= 1)),
    ("nonce", || included(|e| e.nonce += 1)),
    ("expired", || {
        included(|e| e.valid_until_ms = GENESIS_MS - 1)
    }),
    ("valid_too_long", || {
        included(|e| e.valid_until_ms += 1 << 40)
    }),
    ("fee_unpayable", || {
        let refused = World::new().refusal("nobody", |_| (), transfer("bob", 1));
        refused.code().to_owned()
    }),
    // Money.
    ("insufficient_funds", || {
        shown(World::new(), "alice", transfer("bob", FUNDS))
    }),
    ("zero_amount", || {
        shown(World::new(), "alice", transfer("bob", 0))
    }),
    ("overflow", || {
        let mut world = World::new();
        world.evaluators(1);
        let action = world.post_action("sponsor", |p| p.evaluation_fee = Amount::MAX);
        shown(world, "sponsor", action)
    }),
    // What a record names.
    ("unknown_bounty", || {
        shown(World::new(), "alice", back(nothing(), 5))
    }),
    ("unknown_submission", || {
        let (mut world, bounty, _) = open();
        world.bring_to_reveal(bounty);
        let key = seal_key("m");
        let body = RevealSubmission {
            submission: nothing(),
            key,
        };
        shown(world, "miner-1", Action::RevealSubmission { bounty, body })
    }),
    ("unknown_asset", || {
        shown(
            World::new(),
            "alice",
            Action::ClaimRoyalty { asset: nothing() },
        )
    }),
    ("not_owner", || {
        let (world, bounty, _) = open();
        shown(world, "miner-1", Action::CancelBounty { bounty })
    }),
    // Terms and lineage.
    ("no_license", || {
        shown(World::new(), "alice", model("m", Vec::new(), &[]))
    }),
    ("other_license", || {
        let tags = vec![Tag::new("License", "MIT")];
        shown(World::new(), "alice", model("m", tags, &[]))
    }),
    ("other_license_text", || {
        let tags = vec![Tag::new(
            "License",
            "yRj4a5KMctX_uOmKWCFJIjmY8DeJcusVk6-HzLiM_t8",
        )];
        shown(World::new(), "alice", model("m", tags, &[]))
    }),
    ("old_tag_name", || terms(&[("Expires", "3")])),
    ("misspelt_tag_name", || terms(&[("Derivations", "Allowed")])),
    ("duplicate_tag", || {
        terms(&[("Derivation", "Allowed"), ("Derivation", "Allowed")])
    }),
    ("illegal_tag_value", || terms(&[("Derivation", "Perhaps")])),
    ("time_band_not_yet", || {
        terms(&[("After-3-Years-Derivation", "Allowed")])
    }),
    ("payment_address_not_yet", || {
        terms(&[("Payment-Address", "somebody")])
    }),
    ("other_currency", || terms(&[("Currency", "AR")])),
    ("no_currency", || terms(&[("Access-Fee", "One-Time-5")])),
    ("terms_not_canonical", || {
        terms(&[
            ("Payment-Mode", "Global-Distribution"),
            ("Derivation", "Allowed"),
        ])
    }),
    ("payment_mode", || terms(&[("Derivation", "Allowed")])),
    ("other_terms", || {
        let (world, bounty, _) = open();
        let action = match world.commit_action("miner-2", bounty, "n", &[]) {
            Action::CommitSubmission { bounty, body, .. } => Action::CommitSubmission {
                bounty,
                terms: priced(2),
                body,
            },
            other => other,
        };
        shown(world, "miner-2", action)
    }),
    ("derivation_not_granted", || {
        child_of(model("parent", terms_with(|t| t.derivation = None), &[]))
    }),
    ("training_not_granted", || {
        child_of(data_set(
            "parent",
            terms_with(|t| t.data_model_training = None),
        ))
    }),
    ("terms_not_passed_on", || {
        let passing = |t: &mut licensing::Terms| {
            t.derivation = Some(licensing::Derivation::LicensePassthrough);
        };
        child_of(model("parent", terms_with(passing), &[]))
    }),
    ("derivation_fee_not_yet", || {
        let asking = |t: &mut licensing::Terms| {
            t.derivation = Some(licensing::Derivation::FeeOneTime(fee()));
        };
        child_of(model("parent", terms_with(asking), &[]))
    }),
    ("training_fee_not_yet", || {
        let asking = |t: &mut licensing::Terms| {
            t.data_model_training = Some(licensing::DataModelTraining::FeeOneTime(fee()));
        };
        child_of(data_set("parent", terms_with(asking)))
    }),
    ("derivation_monthly_fee_not_yet", || {
        let asking = |t: &mut licensing::Terms| {
            t.derivation = Some(licensing::Derivation::FeeMonthly(fee()));
        };
        child_of(model("parent", terms_with(asking), &[]))
    }),
    ("training_monthly_fee_not_yet", || {
        let asking = |t: &mut licensing::Terms| {
            t.data_model_training = Some(licensing::DataModelTraining::FeeMonthly(fee()));
        };
        child_of(data_set("parent", terms_with(asking)))
    }),
    ("royalties_above_all", || {
        let mut world = World::new();
        let one = world.must("alice", model("one", sharing("60%", 9), &[]));
        let two = world.must("bob", model("two", sharing("40.000000001%", 9), &[]));
        shown(
            world,
            "carol",
            model("child", sharing("1%", 9), &[one, two]),
        )
    }),
    ("too_many_ancestors", || {
        let mut world = World::new();
        let mut tips = Vec::new();
        for family in 0..5 {
            let mut parents = Vec::new();
            for number in 0..13 {
                let label = format!("{family}/{number}");
                parents.push(world.must("alice", model(&label, sharing("0.1%", 9), &[])));
            }
            tips.push(world.must(
                "alice",
                model(&format!("{family}"), sharing("0.1%", 9), &parents),
            ));
        }
        shown(world, "bob", model("child", sharing("1%", 9), &tips))
    }),
    ("parent_required", || {
        let (world, bounty, parent) = with_parent();
        let action = world.commit_action("miner-2", bounty, "n", &[parent]);
        shown(world, "miner-2", action)
    }),
    ("unnamed_parents", || {
        let (mut world, bounty, _) = with_parent();
        let greedy = world.must("alice", model("greedy", sharing("60%", 9), &[]));
        let action = world.commit_action("miner-2", bounty, "n", &[greedy]);
        shown(world, "miner-2", action)
    }),
    ("parents", || {
        let mut world = World::new();
        let parent = world.must("alice", model("p", sharing("1%", 9), &[]));
        shown(
            world,
            "bob",
            model("child", sharing("1%", 9), &[parent, parent]),
        )
    }),
    ("weights_digest", || {
        let mut action = model("m", priced(1), &[]);
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.weights_digest = None;
        }
        shown(World::new(), "alice", action)
    }),
    ("weights_taken", || {
        let mut world = World::new();
        world.must("alice", model("m", priced(1), &[]));
        shown(world, "bob", model("m", priced(2), &[]))
    }),
    ("shares", || posting(|p| p.split.miner += 1)),
    // Bounties.
    ("benchmark", || posting(|p| p.benchmark.arithmetic += 1)),
    ("schedule", || posting(|p| p.schedule.reveal_ms = 999)),
    ("evaluation_fee", || {
        posting(|p| p.evaluation_fee = units(29))
    }),
    ("pool_too_small", || {
        let world = World::new();
        let action = world.post_action("sponsor", |_| ());
        shown(world, "sponsor", action)
    }),
    ("prepaid", || posting(|p| p.prepaid = 10_001)),
    ("wrong_phase", || {
        let (world, bounty, _) = open();
        let outcome = TestOutcome::Ok;
        let body = AttestTestSet { outcome };
        shown(world, "eve-1", Action::AttestTestSet { bounty, body })
    }),
    ("phase_over", || {
        let (mut world, bounty) = bounties_due_at_once();
        let due = world.until(bounty);
        let receipts = world.block(due, &[("backer-1", Action::CancelBounty { bounty })]);
        world.show(receipts.last().expect("a receipt a record"))
    }),
    ("backing_closed", || {
        let (mut world, bounty, _) = open();
        world.clock(world.until(bounty) - 9_000, &[]);
        shown(world, "backer-1", back(bounty, 50))
    }),
    ("full", || {
        let (mut world, bounty, _) = open();
        let backers = vec![("backer-1", back(bounty, 10)); market::bounty::BACKERS_MAX as usize];
        world.block(world.now() + 1, &backers);
        shown(world, "backer-1", back(bounty, 10))
    }),
    ("has_submissions", || {
        let (world, bounty, _) = open();
        shown(world, "sponsor", Action::CancelBounty { bounty })
    }),
    ("seal_mismatch", || {
        let (world, bounty, _) = open();
        let key = seal_key("guess");
        let body = RevealTestSet { key };
        shown(world, "sponsor", Action::RevealTestSet { bounty, body })
    }),
    ("already_revealed", || {
        let (mut world, bounty, _) = open();
        world.skip(bounty);
        world.must("sponsor", world.test_key(bounty));
        let again = world.test_key(bounty);
        shown(world, "alice", again)
    }),
    // Evaluators.
    ("stake_too_small", || {
        shown(World::new(), "eve-1", join(9_999))
    }),
    ("not_evaluator", || {
        shown(World::new(), "alice", Action::LeaveEvaluators)
    }),
    ("notice_not_over", || {
        let mut world = World::new();
        world.must("eve-1", join(10_000));
        world.must("eve-1", Action::LeaveEvaluators);
        shown(world, "eve-1", Action::LeaveEvaluators)
    }),
    ("seats_at_work", || {
        let (mut world, _) = scoring();
        world.must("eve-1", Action::LeaveEvaluators);
        world.block(world.now() + parameters().unstake_ms, &[]);
        world.must("eve-1", Action::LeaveEvaluators);
        shown(world, "eve-1", Action::LeaveEvaluators)
    }),
    ("no_seat", || {
        let (world, bounty) = scoring();
        let batch = world.batch("eve-2", bounty, &[]);
        let action = world.commitment("eve-2", bounty, &batch);
        shown(world, "eve-2", action)
    }),
    ("already_done", || {
        let (mut world, bounty) = scoring();
        world.commit_batch("eve-1", bounty, &[]);
        let batch = world.batch("eve-1", bounty, &[]);
        let action = world.commitment("eve-1", bounty, &batch);
        shown(world, "eve-1", action)
    }),
    ("nothing_committed", || {
        let (mut world, bounty) = scoring();
        let body = world.batch("eve-1", bounty, &[invalid()]);
        world.skip(bounty);
        shown(world, "eve-1", Action::RevealAttestations { bounty, body })
    }),
    ("commitment_mismatch", || {
        let (mut world, bounty) = scoring();
        world.commit_batch("eve-1", bounty, &[invalid()]);
        world.skip(bounty);
        let body = world.batch("eve-1", bounty, &[scored(1, "m")]);
        shown(world, "eve-1", Action::RevealAttestations { bounty, body })
    }),
    ("batch_incomplete", || reveal_of(&[], |_| ())),
    ("part_out_of_order", || {
        reveal_of(&[scored(1, "m")], |body| body.part = 1)
    }),
    ("not_asked", || {
        let (mut world, bounty, _) = open();
        world.bring_to_check(bounty);
        world.skip(bounty);
        shown(world, "eve-1", found(bounty, TestOutcome::Ok))
    }),
    ("leaves_missing", || {
        reveal_of(&[scored(1, "m")], |body| body.leaves = None)
    }),
    // Licences and royalties.
    ("not_granted", || {
        buy(terms_with(|_| ()), Grant::CommercialUse, |_| ())
    }),
    ("nothing_to_buy", || {
        buy(terms_with(|_| ()), Grant::Access, |_| ())
    }),
    ("paid_by_child", || {
        buy(sharing("5%", 9), Grant::Derivation, |_| ())
    }),
    ("unknown_license", || {
        shown(World::new(), "buyer", declare(nothing(), 1, 0))
    }),
    ("no_revenue_share", || declared(priced(5), 0, 0, 1)),
    ("period_not_over", || declared(revenue("5%"), 1, 0, 1)),
    ("other_period", || declared(revenue("5%"), 1, MONTH_MS, 2)),
    ("license_lapsed", || {
        declared(revenue("5%"), 1, 2 * MONTH_MS, 1)
    }),
    ("all_declared", || {
        let (mut world, license) = revenue_licensed(revenue("5%"), 1);
        world.block(world.now() + MONTH_MS, &[]);
        world.must("buyer", declare(license, 1, 0));
        shown(world, "buyer", declare(license, 2, 0))
    }),
    ("sold_once", || {
        buy(priced(5), Grant::CommercialUse, |b| b.months = 1)
    }),
    ("sold_by_month", || {
        buy(monthly(5), Grant::CommercialUse, |b| b.months = 0)
    }),
    ("terms_changed", || {
        buy(priced(5), Grant::Access, |b| b.terms = digest("others"))
    }),
    ("price_above_max", || {
        buy(priced(5), Grant::CommercialUse, |b| b.price_max = units(4))
    }),
    ("not_holder", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        shown(world, "bob", Action::ClaimRoyalty { asset })
    }),
    ("too_few_shares", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        shown(world, "alice", transfer_shares(asset, "bob", 1_000_001))
    }),
    ("draw_pending", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", drawn(&priced(5)), &[]));
        let sale = ("buyer", world.buy(asset, Grant::CommercialUse));
        let records = [sale, ("alice", transfer_shares(asset, "bob", 1))];
        let receipts = world.block(world.now() + 1, &records);
        world.show(&receipts[1])
    }),
    ("nothing_owed", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        shown(world, "alice", Action::ClaimRoyalty { asset })
    }),
    ("payment_mode_fixed", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        shown(world, "alice", vote(asset, &drawn(&priced(4))))
    }),
    ("terms_bound", || {
        let mut world = World::new();
        let terms = licensing::Terms {
            derivation: Some(licensing::Derivation::LicensePassthrough),
            payment_mode: licensing::PaymentMode::GlobalDistribution,
            ..licensing::Terms::default()
        };
        let terms = terms.to_tags();
        let parent = world.must("alice", model("p", terms.clone(), &[]));
        let child = world.must("alice", model("c", terms, &[parent]));
        shown(world, "alice", vote(child, &priced(4)))
    }),
    ("no_ballot", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        shown(world, "alice", vote(asset, &priced(5)))
    }),
    ("ballot_stands", || {
        let mut world = World::new();
        let asset = world.must("alice", model("m", priced(5), &[]));
        world.must("alice", vote(asset, &priced(6)));
        shown(world, "alice", vote(asset, &priced(6)))
    }),
    ("self_funding", || posting(|p| p.self_funding_ppm = 200_001)),
    ("fund_amount", || funded(1_000_000, 0, true)),
    ("fund_parent", || funded(1_000_000, 1, false)),
    ("fund_majority", || funded(499_999, 1, true)),
    ("test_set_used", || {
        let (world, bounty, _) = open();
        let (posted, _) = world.state.bounty(bounty).expect("posted");
        let used = posted.posting.test_set;
        let again = world.post_action("sponsor", |posting| posting.test_set = used);
        shown(world, "sponsor", again)
    }),
];

/// A bounty of a sponsor with so many shares of an asset, whose fund is to pay so much.
fn funded(shares: u32, amount: u128, is_parent: bool) -> String {
    let mut world = World::new();
    world.evaluators(1);
    let asset = world.must("alice", model("p", sharing("1%", 9), &[]));
    world.must("alice", transfer_shares(asset, "sponsor", shares));
    let action = world.post_action("sponsor", |posting| {
        let amount = protocol::Amount::from_base_units(amount);
        posting.fund = Some(FundPart { asset, amount });
        if is_parent {
            posting.parents = named(&[], &[asset]);
        }
    });
    shown(world, "sponsor", action)
}

/// How many bounties without submissions the clock ends in one block.
pub const ENDED_PER_BLOCK: usize = market::state::WORK_PER_BLOCK as usize / 4;

/// More bounties than one block's clock moves on, all due at the same time,
/// and the one that comes last.
pub fn bounties_due_at_once() -> (World, protocol::ItemId) {
    let mut world = World::new();
    world.evaluators(1);
    let mut ids = Vec::new();
    let now = world.now() + 1;
    world.begin(now);
    let mut included = Vec::new();
    for _ in 0..=ENDED_PER_BLOCK {
        let action = world.post_action("sponsor", |_| ());
        let tx = World::sign("sponsor", &world.envelope("sponsor"), &action);
        world.state.apply(&tx).expect("an includable record");
        ids.push(tx.id);
        included.push(tx);
    }
    world.end_block(included);
    let last = ids.into_iter().max().expect("some bounties");
    world.label(last, "bounty");
    (world, last)
}

#[test]
fn every_code_is_met_by_a_record() {
    for (code, case) in CASES {
        assert_eq!(case(), *code);
    }
    let met: BTreeSet<&str> = CASES.iter().map(|(code, _)| *code).collect();
    assert_eq!(met.len(), CASES.len(), "a code stands twice");
    let stable: BTreeSet<&str> = STABLE.lines().collect();
    assert_eq!(met, stable);
}

#[test]
fn the_codes_are_the_stable_ones_and_each_says_what_to_do() {
    let mut codes = BTreeSet::new();
    for rejection in samples() {
        must_be_sampled(&rejection);
        assert!(codes.insert(rejection.code()), "{} twice", rejection.code());
        assert!(!rejection.to_string().is_empty());
        let next = rejection.next_step();
        assert!(next.len() > 8 && !next.ends_with('.'), "{next}");
    }
    let stable: Vec<&str> = STABLE.lines().collect();
    assert!(stable.is_sorted(), "the list is sorted");
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), stable);
}

/// Fails to compile when a variant is added: add it to the samples too.
fn must_be_sampled(rejection: &Rejection) {
    use Rejection as R;
    match rejection {
        R::OtherNetwork(_) | R::Nonce { .. } | R::Expired { .. } | R::ValidTooLong { .. } => (),
        R::FeeUnpayable { .. } | R::InsufficientFunds { .. } | R::ZeroAmount | R::Overflow => (),
        R::UnknownBounty(_) | R::UnknownSubmission(_) | R::UnknownAsset(_) | R::NotOwner(_) => (),
        R::Terms(_) | R::TermsNotCanonical | R::PaymentMode | R::OtherTerms => (),
        R::Derivation { .. } | R::Stack(_) | R::Parents { .. } => (),
        R::ParentRequired(_) | R::UnnamedParents { .. } | R::Prepaid { .. } => (),
        R::WeightsDigest | R::WeightsTaken(_) | R::Shares { .. } | R::Benchmark(_) => (),
        R::Schedule { .. } | R::EvaluationFee { .. } | R::PoolTooSmall { .. } => (),
        R::WrongPhase { .. } | R::PhaseOver { .. } | R::BackingClosed { .. } => (),
        R::Full { .. } | R::HasSubmissions | R::SealMismatch(_) | R::AlreadyRevealed => (),
        R::StakeTooSmall { .. } | R::NotEvaluator(_) | R::NoSeat(_) => (),
        R::SeatsAtWork(_) | R::NoticeNotOver { .. } => (),
        R::AlreadyDone | R::NothingCommitted | R::CommitmentMismatch(_) => (),
        R::BatchIncomplete { .. } | R::LeavesMissing | R::NotForSale(_) => (),
        R::PartOutOfOrder { .. } | R::NotAsked | R::DrawPending => (),
        R::TermsChanged { .. } | R::PriceAboveMax { .. } | R::NotHolder(_) => (),
        R::TooFewShares { .. } | R::NothingOwed => (),
        R::PaymentModeFixed | R::TermsBound | R::NoBallot | R::BallotStands => (),
        R::SelfFunding { .. } | R::FundAmount { .. } | R::FundParent(_) => (),
        R::FundMajority { .. } | R::TestSetUsed(_) => (),
        R::UnknownLicense(_) | R::NoRevenueShare | R::OtherPeriod { .. } => (),
        R::PeriodNotOver { .. } | R::AllDeclared(_) | R::LicenseLapsed(_) => (),
    }
}

/// One of each code.
fn samples() -> Vec<Rejection> {
    use Rejection as R;
    use protocol::benchmark::BenchmarkError;
    use protocol::receipt::Phase;
    let (id, who, hash) = (nothing(), address("alice"), digest("some"));
    let (five, text) = (units(5), || "text".to_owned());
    let percent = licensing::Percent::from_whole(5).expect("a percentage");
    let mut samples = vec![
        R::OtherNetwork(protocol::NetworkId([0; 32])),
        R::Nonce {
            expected: 1,
            given: 2,
        },
        R::Expired {
            valid_until_ms: 1,
            time_ms: 2,
        },
        R::ValidTooLong {
            valid_until_ms: 2,
            limit_ms: 1,
        },
        R::FeeUnpayable {
            fee: five,
            balance: five,
        },
        R::InsufficientFunds {
            needed: five,
            available: five,
        },
        R::ZeroAmount,
        R::Overflow,
        R::UnknownBounty(id),
        R::UnknownSubmission(id),
        R::UnknownAsset(id),
        R::NotOwner(who),
        R::TermsNotCanonical,
        R::PaymentMode,
        R::OtherTerms,
        R::ParentRequired(id),
        R::UnnamedParents {
            billionths: 1_500_000_000,
        },
        R::Parents { limit: 16 },
        R::WeightsDigest,
        R::WeightsTaken(id),
        R::Shares { sum: 1, whole: 2 },
        R::Benchmark(BenchmarkError::Arithmetic(2)),
        R::Schedule {
            name: "open",
            given_ms: 1,
            min_ms: 2,
            max_ms: 3,
        },
        R::EvaluationFee {
            given: five,
            least: five,
        },
        R::PoolTooSmall {
            candidates: 1,
            least: 3,
            stake: five,
        },
        R::Prepaid { given: 2, limit: 1 },
        R::WrongPhase {
            phase: Phase::Open,
            needed: Phase::Score,
        },
        R::PhaseOver {
            phase: Phase::Open,
            until_ms: 1,
            time_ms: 2,
        },
        R::BackingClosed {
            closed_ms: 1,
            time_ms: 2,
        },
        R::Full {
            what: "backers",
            limit: 1,
        },
        R::HasSubmissions,
        R::SealMismatch(hash),
        R::AlreadyRevealed,
        R::StakeTooSmall {
            given: five,
            least: five,
        },
        R::NotEvaluator(who),
        R::SeatsAtWork(1),
        R::NoticeNotOver {
            until_ms: 2,
            time_ms: 1,
        },
        R::NoSeat(who),
        R::AlreadyDone,
        R::NothingCommitted,
        R::CommitmentMismatch(hash),
        R::BatchIncomplete { asked: 1, parts: 1 },
        R::PartOutOfOrder {
            expected: 0,
            given: 1,
        },
        R::NotAsked,
        R::DrawPending,
        R::LeavesMissing,
        R::TermsChanged { actual: hash },
        R::PriceAboveMax {
            price: five,
            price_max: five,
        },
        R::NotHolder(who),
        R::TooFewShares { shares: 2, held: 1 },
        R::NothingOwed,
        R::PaymentModeFixed,
        R::TermsBound,
        R::NoBallot,
        R::BallotStands,
        R::SelfFunding { ppm: 2, limit: 1 },
        R::FundAmount {
            amount: five,
            reward: five,
        },
        R::FundParent(id),
        R::FundMajority { held: 1, needed: 2 },
        R::TestSetUsed(id),
        R::UnknownLicense(id),
        R::NoRevenueShare,
        R::OtherPeriod {
            expected: 1,
            given: 2,
        },
        R::PeriodNotOver {
            period: 1,
            ends_ms: 2,
            time_ms: 1,
        },
        R::AllDeclared(1),
        R::LicenseLapsed(1),
    ];
    let terms = [
        TermsError::NoLicense,
        TermsError::OtherLicense(text()),
        TermsError::OtherLicenseText(text()),
        TermsError::OldName(text()),
        TermsError::Name {
            name: text(),
            nearest: "License",
        },
        TermsError::Duplicate("License"),
        TermsError::Value {
            name: "Expiry",
            value: text(),
            advice: text(),
        },
        TermsError::TimeBand(text()),
        TermsError::PaymentAddress(text()),
        TermsError::Currency(text()),
        TermsError::NoCurrency("Access-Fee"),
    ];
    samples.extend(terms.into_iter().map(R::from));
    let refusals = [
        DerivationRefusal::DerivationNotGranted,
        DerivationRefusal::TrainingNotGranted,
        DerivationRefusal::TermsNotPassedOn,
        DerivationRefusal::DerivationFeeNotYet(fee()),
        DerivationRefusal::TrainingFeeNotYet(fee()),
        DerivationRefusal::DerivationMonthlyFeeNotYet(fee()),
        DerivationRefusal::TrainingMonthlyFeeNotYet(fee()),
    ];
    let derivation = |refusal| R::Derivation {
        parent: id,
        refusal,
    };
    samples.extend(refusals.into_iter().map(derivation));
    samples.extend([StackError::AboveAll(1), StackError::TooMany(65)].map(R::from));
    let sales = [
        Refusal::NotGranted(Grant::Access),
        Refusal::Free(Grant::Access, licensing::Duty::Nothing),
        Refusal::PaidByChild(percent),
        Refusal::SoldOnce {
            grant: Grant::Access,
            months: 2,
        },
        Refusal::SoldByMonth {
            grant: Grant::Access,
            months: 0,
            most: 12,
        },
    ];
    samples.extend(sales.map(R::from));
    samples
}

#[test]
fn what_is_full_says_what_of() {
    let full = Rejection::Full {
        what: "submissions",
        limit: 64,
    };
    assert_eq!(
        full.to_string(),
        "there are 64 submissions already, more are not taken"
    );
}
