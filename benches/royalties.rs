//! A licence of a model with a million holders costs what one with a single holder costs.
//!
//! Two models in one state; 10,000 payments to each of them, interleaved block
//! by block in one run. Counted: the entries that a block changes. Measured: the
//! time for applying a block and computing its roots. The same payments in a
//! state without the million entries are measured beside them: what differs
//! there is the depth of the state's tree, whatever the entries are.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

use std::time::{Duration, Instant};

use market::State;
use protocol::record::*;
use protocol::text::Name;
use protocol::{Address, Amount, BlobId, Digest, ItemId};

const HOLDERS: u32 = SHARES_PER_ASSET;
const PAYMENTS: usize = 10_000;
const BLOCK: usize = 100;
const BUYERS: usize = 1_000;
const ROUNDS: usize = 5;
const GOAL: f64 = 1.2;

/// The table of holdings in the outer form of the state's entries.
const HOLDING_TABLE: u8 = 8;

fn hash(domain: u8, number: u64) -> [u8; 32] {
    let mut bytes = [domain; 9];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    *blake3::hash(&bytes).as_bytes()
}

fn address(number: usize) -> Address {
    Address(hash(1, number as u64))
}

fn envelope(state: &State, nonce: u64) -> Envelope {
    Envelope {
        network: state.network(),
        nonce,
        valid_until_ms: state.time_ms() + 60_000,
    }
}

/// A state with buyers and two models that the first of them made.
fn with_models() -> (State, [ItemId; 2]) {
    let amount = Amount::from_lode(1_000_000).expect("it fits");
    let name = Name::new("bench").expect("a short name");
    let genesis = GenesisRecord {
        id: ItemId(hash(2, 0)),
        proposer: address(0),
        network: protocol::NetworkId(hash(3, 0)),
        genesis: Genesis {
            version: LOG_VERSION,
            name: name.clone(),
            salt: name.clone(),
            time_ms: 0,
            parameters: Parameters::default(),
            allocations: (0..BUYERS)
                .map(|number| Allocation {
                    account: address(number),
                    amount,
                })
                .collect(),
        },
    };
    let mut state = State::genesis(&genesis).expect("a valid genesis");
    let price = licensing::Fee::new(Amount::from_lode(3).expect("it fits")).expect("above zero");
    let models = [0, 1].map(|number| ItemId(hash(4, number)));
    state.begin_block(1, 1_000, ItemId([0; 32]));
    for (nonce, model) in (0..).zip(models) {
        let register = Transaction {
            id: model,
            signer: address(0),
            envelope: envelope(&state, nonce),
            action: Action::RegisterAsset {
                terms: licensing::presets::one_time(price).to_tags(),
                body: RegisterAsset {
                    kind: AssetKind::Model,
                    name: name.clone(),
                    archive: BlobRef {
                        id: BlobId(hash(5, nonce)),
                        size_bytes: 1 << 20,
                    },
                    weights_digest: Some(Digest(hash(6, nonce))),
                    parents: Vec::new(),
                    holders: Vec::new(),
                    self_funding_ppm: 0,
                },
            },
            size_bytes: 1_000,
        };
        state.apply(&register).expect("includable");
    }
    let outcome = state.end_block();
    assert!(
        outcome
            .receipts
            .iter()
            .all(|receipt| receipt.rejected.is_none())
    );
    (state, models)
}

/// The same state, but every share of the model has a holder of its own.
fn with_holders(state: &State, model: ItemId) -> State {
    let holding = [[HOLDING_TABLE].as_slice(), &model.0].concat();
    let others = state
        .entries()
        .filter(|(key, _)| !key.starts_with(&holding));
    // One share, settled at nothing, owed nothing, with no transfer's deposit.
    let deposit: Option<(ItemId, Address)> = None;
    let value = borsh::to_vec(&(1u32, 0u128, 0u128, deposit)).expect("writing to memory");
    let many = (0..HOLDERS).map(|number| {
        let key = [holding.as_slice(), &hash(7, u64::from(number))].concat();
        (key, value.clone())
    });
    State::load(others.chain(many)).expect("good entries")
}

/// A block of purchases, each by another buyer.
fn purchases(state: &State, model: ItemId, first: usize) -> Vec<Transaction> {
    let terms = state.asset(model).expect("registered").terms.id();
    (first..first + BLOCK)
        .map(|number| {
            let signer = address(number % BUYERS);
            Transaction {
                id: ItemId(hash(8, number as u64)),
                signer,
                envelope: envelope(state, state.account(signer).nonce),
                action: Action::BuyLicense {
                    asset: model,
                    body: BuyLicense {
                        grant: Grant::CommercialUse,
                        terms,
                        price_max: Amount::MAX,
                        months: 0,
                    },
                },
                size_bytes: 600,
            }
        })
        .collect()
}

/// One block: how long it took, and how many entries it changed.
fn pay(state: &mut State, model: ItemId, first: usize) -> (Duration, usize) {
    let block = purchases(state, model, first);
    let start = Instant::now();
    let time_ms = state.time_ms() + 1_000;
    state.begin_block(state.height() + 1, time_ms, ItemId([0; 32]));
    for tx in &block {
        state.apply(tx).expect("includable");
    }
    let outcome = state.end_block();
    let took = start.elapsed();
    assert!(
        outcome
            .receipts
            .iter()
            .all(|receipt| receipt.rejected.is_none())
    );
    (took, outcome.changes.len())
}

/// Which state, which model.
const CASES: [(&str, usize, usize); 3] = [
    ("one holder", 0, 0),
    ("a million holders", 0, 1),
    ("one holder, in a small state", 1, 0),
];

fn main() {
    let (small, models) = with_models();
    let mut states = [with_holders(&small, models[1]), small];
    assert_eq!(states[0].holdings(models[0]).count(), 1);
    assert_eq!(states[0].holdings(models[1]).count(), HOLDERS as usize);
    println!("{PAYMENTS} payments to each, in blocks of {BLOCK}, {ROUNDS} rounds");
    let mut totals: Vec<[Duration; 3]> = Vec::new();
    let mut bought = 0;
    // The first round warms up.
    for round in 0..=ROUNDS {
        let mut total = [Duration::ZERO; 3];
        for block in 0..PAYMENTS / BLOCK {
            let mut changes = [0; 3];
            // Who goes first alternates, so that nobody profits from a warm cache.
            for turn in 0..3 {
                let case = (block + turn) % 3;
                let (_, state, model) = CASES[case];
                let (took, changed) = pay(&mut states[state], models[model], bought);
                total[case] += took;
                changes[case] = changed;
                bought += BLOCK;
            }
            assert_eq!(
                changes, [changes[0]; 3],
                "as many entries for a million as for one"
            );
        }
        if round > 0 {
            totals.push(total);
        }
    }
    let median = |case: usize| {
        let mut times: Vec<Duration> = totals.iter().map(|total| total[case]).collect();
        times.sort();
        times[ROUNDS / 2]
    };
    for (case, (name, ..)) in CASES.iter().enumerate() {
        let each = median(case).as_secs_f64() * 1e6 / PAYMENTS as f64;
        println!("{each:8.2} microseconds a payment: {name}");
    }
    let ratio = median(1).as_secs_f64() / median(0).as_secs_f64();
    println!(
        "ratio {ratio:.3}, goal: at most {GOAL}; every block changed the same number of entries"
    );
    // Both were measured on this machine, in turns; where it is busy the figure is told, and far beyond it is still wrong.
    let limit = match std::env::var_os("LODE_GOALS_TOLD") {
        Some(_) => 2.0 * GOAL,
        None => GOAL,
    };
    assert!(
        ratio <= limit,
        "a payment costs more where there are more holders"
    );
    let owed = states[0].owed(models[1], Address(hash(7, 0)));
    println!("each of the million is owed {} LODE", owed.to_lode_string());
}
