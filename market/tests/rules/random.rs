//! Random sequences of records, valid and not, by people who mostly do their part.
//!
//! After every block the world compares purses with movements and sums the
//! supply; here every rejected record is shown to have changed its signer's
//! balance and nonce only, and every history to give the same roots again.

use std::collections::BTreeMap;

use market::{Rejection, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use protocol::ItemId;
use protocol::receipt::{Event, Phase, Purse, Receipt, Rule};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};

use crate::world::*;

const PEOPLE: [&str; 8] = [
    "sponsor", "miner-1", "miner-2", "eve-1", "eve-2", "eve-3", "alice", "buyer",
];

/// How many sequences are tried; `LODE_MARKET_CASES` asks for more.
const CASES: u32 = 64;

/// One attempt: what, by whom, and three numbers to choose with.
#[derive(Clone, Debug)]
struct Try {
    what: What,
    who: usize,
    pick: usize,
    amount: u32,
    flaws: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Submit,
    Post,
    Back,
    Join,
    Register,
    Buy,
    Claim,
    MoveShares,
    Vote,
    Pay,
    Leave,
    Cancel,
    RevealTestKey,
    Foreign,
    Unincludable,
    Declare,
}

#[derive(Clone, Debug)]
struct Step {
    /// Milliseconds to the next block; none: to the next deadline.
    wait_ms: Option<u64>,
    /// Before all else: everybody does what the phases of all bounties ask for.
    duties: Option<Try>,
    tries: Vec<Try>,
}

fn a_try() -> impl Strategy<Value = Try> {
    let what = prop_oneof![
        12 => Just(What::Submit),
        4 => Just(What::Post),
        4 => Just(What::Back),
        6 => Just(What::Join),
        5 => Just(What::Register),
        10 => Just(What::Buy),
        6 => Just(What::Claim),
        5 => Just(What::MoveShares),
        5 => Just(What::Vote),
        3 => Just(What::Pay),
        1 => Just(What::Leave),
        4 => Just(What::Cancel),
        1 => Just(What::RevealTestKey),
        3 => Just(What::Foreign),
        2 => Just(What::Unincludable),
        6 => Just(What::Declare),
    ];
    // Most flaws are none: a bit that is set is something left undone.
    let flaws = prop_oneof![2 => Just(0u32), 1 => any::<u32>().prop_map(|bits| bits & (bits >> 7))];
    (what, 0..PEOPLE.len(), 0..64usize, any::<u32>(), flaws).prop_map(
        |(what, who, pick, amount, flaws)| Try {
            what,
            who,
            pick,
            amount,
            flaws,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Now and then the chain halts for longer than a phase, and for some months of a licence.
    let wait = prop_oneof![
        9 => Just(None),
        6 => (1..1_500u64).prop_map(Some),
        1 => (1_500..90_000u64).prop_map(Some),
    ];
    let duties = prop_oneof![1 => Just(None), 5 => a_try().prop_map(Some)];
    let step = (wait, duties, prop::collection::vec(a_try(), 0..5));
    let step = step.prop_map(|(wait_ms, duties, tries)| Step {
        wait_ms,
        duties,
        tries,
    });
    prop::collection::vec(step, 10..80)
}

/// A sequence in play.
struct Play {
    world: World,
    seen: BTreeMap<String, u32>,
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

impl Play {
    fn new() -> Self {
        let mut world = World::with(
            Parameters {
                sponsor_bond_ppm: 30_000,
                month_ms: 40_000,
                grace_ms: 20_000,
                revenue_minimum: units(10_007),
                ..parameters()
            },
            &[],
        );
        world.evaluators(3);
        for who in ["eve-1", "eve-2", "eve-3"] {
            world.must(who, join(40_000));
        }
        world.post(|_| ());
        Self {
            world,
            seen: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    fn entries(&self) -> Entries {
        self.world.state.entries().collect()
    }

    fn step(&mut self, step: &Step) {
        let now = self.world.now();
        let deadline = self.world.state.next_deadline_ms().unwrap_or(now + 1);
        let time_ms = step
            .wait_ms
            .map_or(deadline.max(now + 1), |wait_ms| now + wait_ms);
        self.world.begin(time_ms);
        let mut included = Vec::new();
        let mut entries = Vec::new();
        if let Some(attempt) = &step.duties {
            let at_work: Vec<ItemId> = self.world.state.bounties().map(|(id, _)| id).collect();
            for bounty in at_work {
                for (who, action) in self.duties(bounty, attempt) {
                    self.apply(&who, action, 0, &mut included, &mut entries);
                }
            }
        }
        for attempt in &step.tries {
            let gap = u64::from(matches!(attempt.what, What::Unincludable));
            for (who, action) in self.actions(attempt) {
                self.apply(&who, action, gap, &mut included, &mut entries);
            }
        }
        let receipts = self.world.end_block(included.clone());
        let clocks = receipts.len() - included.len();
        for receipt in &receipts {
            self.note(receipt);
        }
        for ((tx, receipt), (before, after)) in
            included.iter().zip(&receipts[clocks..]).zip(&entries)
        {
            if receipt.rejected.is_some() {
                self.check_rejected(tx, before, after);
            }
        }
    }

    /// One record; `gap` is by how much its nonce is wrong.
    fn apply(
        &mut self,
        who: &str,
        action: Action,
        gap: u64,
        included: &mut Vec<Transaction>,
        entries: &mut Vec<(Entries, Entries)>,
    ) {
        let before = self.entries();
        let mut envelope = self.world.envelope(who);
        envelope.nonce += gap;
        let tx = World::sign(who, &envelope, &action);
        match self.world.state.apply(&tx) {
            Ok(_) => {
                entries.push((before, self.entries()));
                included.push(tx);
            }
            Err(refused) => {
                assert!(matches!(refused, Rejection::Nonce { .. }), "{refused}");
                assert_eq!(before, self.entries());
                self.count("unincludable");
            }
        }
    }

    /// Nothing but the signer's fee and nonce.
    fn check_rejected(&self, tx: &Transaction, before: &Entries, after: &Entries) {
        assert!(before.keys().eq(after.keys()));
        let changed: Vec<&Vec<u8>> = before
            .keys()
            .filter(|key| before[*key] != after[*key])
            .collect();
        let account = [&[3][..], &tx.signer.0].concat();
        assert_eq!(changed, [&vec![2], &account], "{:?}", tx.action);
        let read = |entries: &Entries| -> (u128, u64) {
            borsh::from_slice(&entries[&account]).expect("balance and nonce")
        };
        let ((balance, nonce), (left, next)) = (read(before), read(after));
        assert_eq!(next, nonce + 1);
        assert_eq!(balance - left, u128::from(tx.size_bytes));
    }

    fn note(&mut self, receipt: &Receipt) {
        match &receipt.rejected {
            Some(code) => self.count(format!("rejected {code}")),
            None => self.count("applied"),
        }
        for event in &receipt.events {
            match event {
                Event::Ranked { standing, .. } => {
                    let name = format!("{standing:?}");
                    let name = name.split('(').next().unwrap_or_default().to_owned();
                    self.count(name);
                }
                Event::PhaseBegan { phase, .. } => self.count(format!("{phase:?}")),
                Event::LicenseIssued { .. } => self.count("sale"),
                Event::TermsChanged { .. } => self.count("terms changed"),
                Event::TighteningScheduled { .. } => self.count("tightening scheduled"),
                Event::TighteningDropped { .. } => self.count("tightening dropped"),
                Event::LicenseRuns { .. } => self.count("months sold"),
                Event::MonthBegan { .. } => self.count("month began"),
                Event::LicenseEnded { .. } => self.count("licence ended"),
                Event::LicenseLapsed { .. } => self.count("licence lapsed"),
                Event::GraceExtended { .. } => self.count("grace extended"),
                Event::RevenueDeclared { .. } => self.count("declared"),
                Event::SeatFailed { had_committed, .. } => {
                    self.count(format!("seat failed {had_committed}"));
                }
                Event::Verdict { dissenting, .. } if !dissenting.is_empty() => {
                    self.count("dissent")
                }
                Event::PhaseExtended { .. } => self.count("extended"),
                Event::Seated { all: true, .. } => self.count("seated all"),
                Event::Seated { round: 1.., .. } => self.count("seated again"),
                Event::Seated { panel, .. } => self.count(format!("seated {}", panel.name())),
                Event::BountyForgotten { .. } => self.count("forgotten"),
                Event::AssetRegistered { .. } => self.count("registered"),
                Event::TestSetVerdict { .. } | Event::Verdict { .. } => (),
            }
        }
        for rule in [
            Rule::Claim,
            Rule::StackIncome,
            Rule::Award,
            Rule::ForfeitShared,
            Rule::RandomDistribution,
            Rule::DepositReturn,
            Rule::PrepaidFees,
            Rule::SelfFunding,
            Rule::FundedReward,
            Rule::FundReturn,
        ] {
            if receipt.moves.iter().any(|step| step.rule == rule) {
                self.count(format!("{rule:?}"));
            }
        }
    }

    fn bounty(&self, pick: usize) -> Option<ItemId> {
        let state = &self.world.state;
        let open = |id: &ItemId| !matches!(self.world.phase(*id), Phase::Settled | Phase::Void(_));
        let at_work: Vec<ItemId> = state.bounties().map(|(id, _)| id).filter(open).collect();
        let all: Vec<ItemId> = state.bounties().map(|(id, _)| id).collect();
        // Now and then one that is over.
        let among = if at_work.is_empty() || pick == 0 {
            &all
        } else {
            &at_work
        };
        among.get(pick % among.len().max(1)).copied()
    }

    fn asset(&self, pick: usize) -> Option<ItemId> {
        let all: Vec<ItemId> = self.world.state.assets().map(|(id, _)| id).collect();
        all.get(pick % all.len().max(1)).copied()
    }

    fn actions(&mut self, attempt: &Try) -> Vec<(String, Action)> {
        let who = PEOPLE[attempt.who];
        let amount = u128::from(attempt.amount % 3_000);
        let other = PEOPLE[attempt.pick % PEOPLE.len()];
        let bounty = self.bounty(attempt.pick);
        let asset = self.asset(attempt.pick);
        let action = match attempt.what {
            What::Pay | What::Unincludable => transfer(other, amount),
            What::Declare => return self.declaration(attempt),
            What::Join => join(amount * 10),
            What::Leave => Action::LeaveEvaluators,
            What::Post => self.post(who, attempt),
            What::Register => self.register(attempt),
            What::Submit => match bounty {
                Some(id) => self.submit(who, id, attempt),
                None => return Vec::new(),
            },
            What::Back | What::Cancel | What::RevealTestKey | What::Foreign => match bounty {
                Some(id) => self.of_bounty(who, id, attempt),
                None => return Vec::new(),
            },
            What::Buy | What::Claim | What::MoveShares | What::Vote => match asset {
                Some(id) => self.of_asset(id, attempt),
                None => return Vec::new(),
            },
        };
        let sponsor = bounty.and_then(|id| {
            let (posted, _) = self.world.state.bounty(id)?;
            PEOPLE
                .into_iter()
                .find(|who| address(who) == posted.sponsor)
        });
        let who = match (attempt.what, asset) {
            (What::Cancel, _) if !attempt.pick.is_multiple_of(4) => sponsor.unwrap_or(who),
            // Mostly somebody who holds shares.
            (What::Claim | What::MoveShares | What::Vote, Some(id))
                if !attempt.amount.is_multiple_of(4) =>
            {
                let holders = self.world.state.holdings(id);
                let holder = holders.map(|(holder, _)| holder).nth(attempt.who % 3);
                let named = PEOPLE.iter().find(|name| Some(address(name)) == holder);
                *named.unwrap_or(&who)
            }
            _ => who,
        };
        vec![(who.to_owned(), action)]
    }

    /// A licensee's word on its next month, mostly; now and then another's, or another month.
    fn declaration(&self, attempt: &Try) -> Vec<(String, Action)> {
        let owing = self.world.state.licenses().filter_map(|(id, license)| {
            let term = license.term?;
            let ends_ms = self.world.state.months_end_ms(&license, term.declared + 1);
            let is_due = term.owes_declarations() && ends_ms <= self.world.now();
            (is_due || attempt.flaws != 0).then_some((id, license, term.declared + 1))
        });
        let owing: Vec<_> = owing.collect();
        let Some(&(id, license, period)) = owing.get(attempt.pick % owing.len().max(1)) else {
            return Vec::new();
        };
        let period = match attempt.flaws % 5 {
            4 => period + 1,
            _ => period,
        };
        let who = PEOPLE
            .iter()
            .find(|who| address(who) == license.licensee && attempt.flaws % 7 != 6);
        let who = who.unwrap_or(&PEOPLE[attempt.who]);
        let revenue = u128::from(attempt.amount % 3_000_000);
        vec![((*who).to_owned(), declare(id, period, revenue))]
    }

    fn post(&self, who: &str, attempt: &Try) -> Action {
        let parents: Vec<NamedParent> = self
            .world
            .state
            .assets()
            .take(attempt.pick % 3)
            .map(|(asset, _)| NamedParent {
                asset,
                required: attempt.amount.is_multiple_of(2),
            })
            .collect();
        let mut parents = parents;
        let fund = self.fund(who, attempt);
        if let Some(fund) = &fund
            && attempt.flaws == 0
        {
            parents = named(&[], &[fund.asset]);
        }
        self.world.post_action(who, |posting| {
            posting.fund = fund;
            posting.self_funding_ppm = attempt.amount % 210_000;
            posting.reward = units(u128::from(attempt.amount % 20_000));
            posting.evaluation_fee = units(29 + (attempt.pick as u128 * 4));
            posting.schedule.open_ms = 1_000 + u64::from(attempt.amount % 9_000);
            posting.margin = u64::from(attempt.amount % 50);
            posting.model_terms = pairs(&self.terms("5%", 1_000_003, attempt));
            posting.parents = parents;
            posting.prepaid = attempt.amount % 3;
            posting.pay = match attempt.pick % 2 {
                0 => Pay::WinnerTakesAll,
                _ => Pay::Steps,
            };
        })
    }

    /// A fund that somebody may spend, and a part of it that may be more than it is.
    fn fund(&self, who: &str, attempt: &Try) -> Option<FundPart> {
        let state = &self.world.state;
        let held = |id| {
            state
                .holding(id, address(who))
                .map_or(0, |held| held.shares)
        };
        let full = |id| state.balance(Purse::Fund(id)).base_units();
        let assets = state.assets().map(|(id, _)| id);
        let mut spendable = assets.filter(|id| held(*id) >= 500_000 && full(*id) > 0);
        let asset = spendable.next()?;
        let most = full(asset).min(u128::from(attempt.amount % 20_000));
        let amount = units(most - most / 4 + u128::from(attempt.flaws % 3));
        Some(FundPart { asset, amount })
    }

    fn register(&self, attempt: &Try) -> Action {
        let label = format!("w{}", attempt.amount % 40);
        let parents: Vec<ItemId> = self
            .world
            .state
            .assets()
            .map(|(id, _)| id)
            .skip(attempt.pick % 4)
            .take(attempt.pick % 3)
            .collect();
        let share = ["5%", "12.5%", "40%"][attempt.pick % 3];
        let mut action = model(&label, self.terms(share, 1_000, attempt), &parents);
        if let Action::RegisterAsset { body, .. } = &mut action {
            body.self_funding_ppm = attempt.amount % 300_000;
        }
        action
    }

    /// Terms that cost at least `price`; some of them pay one holder each time.
    fn terms(&self, share: &str, price: u128, attempt: &Try) -> Vec<protocol::ans104::Tag> {
        let price = price + u128::from(attempt.amount % 3_000_000);
        let terms = match attempt.amount % 7 {
            0 => monthly(price),
            1 => revenue(share),
            _ => sharing(share, price),
        };
        match attempt.amount % 5 {
            0 => drawn(&terms),
            _ => terms,
        }
    }

    fn submit(&mut self, who: &str, bounty: ItemId, attempt: &Try) -> Action {
        let label = format!("w{}", attempt.amount % 14);
        let (posted, _) = self.world.state.bounty(bounty).expect("it was listed");
        let required = |asset: &ItemId| {
            let mut named = posted.posting.parents.iter();
            named.any(|parent| parent.required && parent.asset == *asset)
        };
        let assets = self.world.state.assets().map(|(id, _)| id);
        let others = assets.filter(|id| attempt.pick == 7 || !required(id));
        let parents: Vec<ItemId> = others
            .skip(attempt.pick % 5)
            .take(attempt.pick % 2)
            .collect();
        self.world.commit_action(who, bounty, &label, &parents)
    }

    fn of_bounty(&self, who: &str, bounty: ItemId, attempt: &Try) -> Action {
        match attempt.what {
            What::Back => back(bounty, u128::from(attempt.amount % 3_000)),
            What::Cancel => Action::CancelBounty { bounty },
            What::RevealTestKey => self.world.test_key(bounty),
            // Somebody else's work, or what was never committed.
            _ => {
                let batch = self.world.batch(who, bounty, &[]);
                match attempt.pick % 3 {
                    0 => Action::RevealAttestations {
                        bounty,
                        body: batch,
                    },
                    1 => self.world.commitment(who, bounty, &batch),
                    _ => Action::RevealSubmission {
                        bounty,
                        body: RevealSubmission {
                            submission: bounty,
                            key: seal_key("w1"),
                        },
                    },
                }
            }
        }
    }

    fn of_asset(&self, asset: ItemId, attempt: &Try) -> Action {
        let grant = Grant::ALL[2 - usize::from(attempt.pick == 1)];
        match attempt.what {
            What::Buy => {
                let terms = &self.world.state.asset(asset).expect("it was listed").terms;
                let quote = terms.quote(grant).ok();
                let is_monthly = quote.is_some_and(|quote| quote.months_max > 0);
                // Now and then months of what has none, and none of what has some.
                match attempt.amount % 11 {
                    0 => self.world.buy_months(asset, grant, u32::from(!is_monthly)),
                    count if is_monthly => self.world.buy_months(asset, grant, count % 5 + 1),
                    _ => self.world.buy(asset, grant),
                }
            }
            What::Claim => Action::ClaimRoyalty { asset },
            What::Vote => self.vote(asset, attempt),
            _ => {
                let to = PEOPLE[attempt.pick % PEOPLE.len()];
                transfer_shares(asset, to, attempt.amount % 400_000)
            }
        }
    }

    /// A word on terms: cheaper, dearer, none, those in force, or of another kind.
    fn vote(&self, asset: ItemId, attempt: &Try) -> Action {
        let mut terms = self.world.state.asset(asset).expect("listed").terms.clone();
        let price = |units_| licensing::Fee::new(units(units_)).expect("above zero");
        let business = |fee| Some(licensing::CommercialUse::FeeOneTime(fee));
        match attempt.amount % 8 {
            0..3 => terms.commercial_use = business(price(1 + u128::from(attempt.amount % 24))),
            3..5 => terms.commercial_use = business(price(5_000_000)),
            5 => terms = terms.revoked(),
            6 => (),
            _ => terms.payment_mode = licensing::PaymentMode::RandomDistribution,
        }
        vote(asset, &terms.to_tags())
    }

    /// What the phase asks for; each set bit of the flaws leaves one out.
    fn duties(&mut self, bounty: ItemId, attempt: &Try) -> Vec<(String, Action)> {
        let done = |number: usize| attempt.flaws & (1 << (number % 32)) == 0;
        let checks: Vec<(String, bool)> = self
            .world
            .state
            .checks(bounty)
            .map(|(seat, check)| (self.world.who(seat), check.word.is_some() || check.failed))
            .collect();
        let seats: Vec<(String, bool, bool)> = self
            .world
            .state
            .seats(bounty)
            .filter(|(_, seat)| seat.asked)
            .map(|(seat, work)| {
                let committed = work.commitment.is_some();
                (self.world.who(seat), committed, work.parts > 0)
            })
            .collect();
        let mut actions = Vec::new();
        match self.world.phase(bounty) {
            // Some bounties wait for submissions, so that they can be cancelled or stay alone.
            Phase::Open if attempt.pick.is_multiple_of(4) => (),
            Phase::Open if self.world.state.submissions(bounty).count() < 2 => {
                for place in [1, 2] {
                    let amount = attempt.amount >> (4 * place);
                    let attempt = Try {
                        amount,
                        ..attempt.clone()
                    };
                    let who = PEOPLE[place];
                    actions.push((who.to_owned(), self.submit(who, bounty, &attempt)));
                }
            }
            Phase::TestKey if done(0) => {
                actions.push((PEOPLE[attempt.who].to_owned(), self.world.test_key(bounty)));
            }
            Phase::TestCheck => {
                for (place, (who, said)) in checks.into_iter().enumerate() {
                    let outcome = match attempt.flaws % 7 {
                        5 => bad_test_set(),
                        6 => TestOutcome::Unavailable,
                        _ => TestOutcome::Ok,
                    };
                    if done(place) && !said {
                        let body = AttestTestSet { outcome };
                        actions.push((who, Action::AttestTestSet { bounty, body }));
                    }
                }
            }
            Phase::Reveal => actions.extend(self.reveals(bounty, &done)),
            Phase::Score => {
                for (place, (who, committed, _)) in seats.into_iter().enumerate() {
                    if done(place) && !committed {
                        let batch = self.batch(&who, bounty, attempt);
                        actions.push((who.clone(), self.world.commitment(&who, bounty, &batch)));
                    }
                }
            }
            Phase::ScoreReveal => {
                for (place, (who, committed, revealed)) in seats.into_iter().enumerate() {
                    if done(place) && committed && !revealed {
                        // What was committed depends on flaws that are not known any more.
                        let fitting = self.fitting_batch(&who, bounty);
                        actions.extend(
                            fitting.map(|body| (who, Action::RevealAttestations { bounty, body })),
                        );
                    }
                }
            }
            _ => (),
        }
        actions
    }

    fn reveals(&self, bounty: ItemId, done: &dyn Fn(usize) -> bool) -> Vec<(String, Action)> {
        let sealed = self
            .world
            .state
            .submissions(bounty)
            .filter(|s| s.key.is_none());
        let keys = sealed.enumerate().filter(|(place, _)| done(*place));
        keys.map(|(_, submission)| {
            let miner = PEOPLE.iter().find(|who| address(who) == submission.miner);
            let key = seal_key(submission.name.as_str());
            let body = RevealSubmission {
                submission: submission.id,
                key,
            };
            let who = miner.expect("one of the people").to_string();
            (who, Action::RevealSubmission { bounty, body })
        })
        .collect()
    }

    /// What everybody honest finds, or, with a flaw, somebody not so.
    fn batch(&self, who: &str, bounty: ItemId, attempt: &Try) -> RevealAttestations {
        let dissents = attempt.flaws != 0 && who == PEOPLE[3 + attempt.who % 3];
        self.batch_of(who, bounty, dissents)
    }

    fn batch_of(&self, who: &str, bounty: ItemId, dissents: bool) -> RevealAttestations {
        let asked = self.world.state.undecided(bounty);
        let outcomes: Vec<Outcome> = asked
            .map(|(_, submission)| {
                let label = submission.name.as_str();
                let number: i64 = label[1..].parse().expect("w and a number");
                match number {
                    0 => invalid(),
                    1 => Outcome::BadSeal { chunk: 3 },
                    2 => Outcome::Unavailable,
                    _ if dissents => scored(9_999, label),
                    _ => scored(380 + 17 * number, label),
                }
            })
            .collect();
        self.world.batch(who, bounty, &outcomes)
    }

    fn fitting_batch(&self, who: &str, bounty: ItemId) -> Option<RevealAttestations> {
        let seat = self
            .world
            .state
            .seats(bounty)
            .find(|(seat, _)| *seat == address(who));
        let commitment = seat.and_then(|(_, seat)| seat.commitment)?;
        [false, true]
            .map(|dissents| self.batch_of(who, bounty, dissents))
            .into_iter()
            .find(|batch| attestation_commitment(bounty, address(who), batch) == commitment)
    }

    /// The whole history once more, and the state from its entries.
    fn check_again(&self) {
        let mut again = State::genesis(&self.world.genesis).expect("a valid genesis");
        for ((time_ms, records), roots) in self.world.log.iter().zip(&self.world.roots) {
            let height = again.height();
            again.begin_block(height + 1, *time_ms, self.world.id_at(height));
            for tx in records {
                again.apply(tx).expect("it was included");
            }
            let outcome = again.end_block();
            assert_eq!((outcome.state_root, outcome.receipts_root), *roots);
        }
        let loaded = State::load(self.world.state.entries()).expect("good entries");
        assert_eq!(loaded.root(), self.world.state.root());
        assert!(loaded.audit().is_some());
        let shares = |asset| -> u32 { loaded.holdings(asset).map(|(_, held)| held.shares).sum() };
        assert!(
            loaded
                .assets()
                .all(|(id, _)| shares(id) == SHARES_PER_ASSET)
        );
    }

    /// What everybody is told of their money; and that nothing was left out: who has money, every bounty and every asset.
    fn check_statements(&mut self) {
        self.world.statements.check(&self.world.state);
        let seen = |what: &str| self.seen.get(what).copied().unwrap_or(0) as usize;
        let [bounties, assets, with_income] = self.world.statements.counts(&self.world.state);
        // One bounty is there before the first step.
        assert_eq!([bounties, assets], [1 + seen("Open"), seen("registered")]);
        for (address, _) in self.world.state.accounts() {
            assert!(self.world.statements.is_told(address), "{address}");
        }
        for (what, times) in [
            ("statements of bounties", bounties),
            ("statements of assets", assets),
            ("statements of assets with income", with_income),
        ] {
            *self.seen.entry(what.to_owned()).or_default() += times as u32;
        }
    }
}

fn play(steps: &[Step]) -> Play {
    let mut play = Play::new();
    for step in steps {
        play.step(step);
    }
    play.check_again();
    play.check_statements();
    play
}

fn cases() -> u32 {
    let asked = std::env::var("LODE_MARKET_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_every_unit_is_somewhere_and_can_be_explained(steps in steps()) {
        play(&steps);
    }
}

#[test]
fn the_random_people_get_everywhere() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..96 {
        let steps = steps()
            .new_tree(&mut runner)
            .expect("nothing is filtered")
            .current();
        for (what, times) in play(&steps).seen {
            *seen.entry(what).or_default() += times;
        }
    }
    let least = [
        ("applied", 1_000),
        ("unincludable", 10),
        ("sale", 50),
        ("terms changed", 5),
        ("tightening scheduled", 5),
        ("tightening dropped", 2),
        ("months sold", 20),
        ("month began", 20),
        ("licence ended", 10),
        ("licence lapsed", 5),
        ("grace extended", 5),
        ("declared", 5),
        ("rejected period_not_over", 2),
        ("rejected sold_once", 2),
        ("rejected sold_by_month", 2),
        ("Claim", 20),
        ("StackIncome", 10),
        ("Settled", 30),
        ("Award", 20),
        ("ForfeitShared", 20),
        ("Won", 20),
        ("Lost", 20),
        ("Copied", 5),
        ("NotRevealed", 3),
        ("BadSeal", 2),
        ("Invalid", 2),
        ("NoVerdict", 10),
        ("dissent", 1),
        ("seat failed true", 1),
        ("seat failed false", 5),
        ("Void(NoSubmissions)", 2),
        ("Void(KeyWithheld)", 2),
        ("Void(NoQuorum)", 2),
        ("Void(KeyLeaked)", 1),
        ("Void(BadTestSet)", 1),
        ("Void(Cancelled)", 1),
        ("extended", 5),
        ("seated check", 20),
        ("seated score", 20),
        ("seated again", 1),
        ("seated all", 2),
        ("forgotten", 5),
        ("RandomDistribution", 5),
        ("DepositReturn", 10),
        ("PrepaidFees", 5),
        ("SelfFunding", 20),
        ("FundedReward", 3),
        ("FundReturn", 5),
        ("statements of bounties", 200),
        ("statements of assets", 150),
        ("statements of assets with income", 80),
        ("rejected wrong_phase", 20),
        ("rejected already_revealed", 20),
        ("rejected weights_taken", 2),
        ("rejected not_holder", 2),
        ("rejected nothing_owed", 2),
        ("rejected too_few_shares", 2),
    ];
    for (what, times) in least {
        let found = seen.get(what).copied().unwrap_or(0);
        assert!(
            found >= times,
            "{what}: {found} times, at least {times} wanted; {seen:#?}"
        );
    }
}
