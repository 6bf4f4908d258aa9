//! Transfers that are verified already, applied in memory by one core.
//!
//! 100,000 accounts; blocks of 10,000 transfers between random distinct pairs,
//! so that every block touches 20,000 accounts; the roots of state and receipts
//! are computed after every block. Goal: 200,000 a second, all of it counted.

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

use std::time::{Duration, Instant};

use market::State;
use protocol::ans104::VerifiedItem;
use protocol::keys::SecretKey;
use protocol::receipt::receipts_root;
use protocol::record::*;
use protocol::text::Name;
use protocol::{Address, Amount, ItemId};

const ACCOUNTS: usize = 100_000;
const BLOCK: usize = 10_000;
const BLOCKS: usize = 20;
const RUNS: usize = 7;
const GOAL: f64 = 200_000.0;

/// A small generator, the same numbers every time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high as usize * limit) >> 32
    }
}

fn hash(domain: u8, number: u64) -> [u8; 32] {
    let mut bytes = [domain; 9];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    *blake3::hash(&bytes).as_bytes()
}

fn address(number: usize) -> Address {
    Address(hash(1, number as u64))
}

fn genesis() -> GenesisRecord {
    let amount = Amount::from_lode(1_000).expect("it fits");
    let name = Name::new("bench").expect("a short name");
    let genesis = Genesis {
        version: LOG_VERSION,
        name: name.clone(),
        salt: name,
        time_ms: 0,
        parameters: Parameters::default(),
        allocations: (0..ACCOUNTS)
            .map(|number| Allocation {
                account: address(number),
                amount,
            })
            .collect(),
    };
    GenesisRecord {
        id: ItemId(hash(2, 0)),
        proposer: address(0),
        network: protocol::NetworkId(hash(3, 0)),
        genesis,
    }
}

/// The bytes of a real transfer record.
fn record_size(network: protocol::NetworkId, action: &Action) -> u32 {
    let envelope = Envelope {
        network,
        nonce: 7,
        valid_until_ms: 1_700_000_000_000,
    };
    let key = SecretKey::from_seed(&[7; 32]);
    let item: VerifiedItem = Transaction::draft(&envelope, action)
        .sign(&key)
        .expect("few tags");
    Transaction::read(&item).expect("a record").size_bytes
}

/// Blocks of transfers between random distinct pairs.
fn blocks(network: protocol::NetworkId) -> Vec<Vec<Transaction>> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut order: Vec<usize> = (0..ACCOUNTS).collect();
    let mut nonces = vec![0u64; ACCOUNTS];
    let body = Transfer {
        amount: Amount::from_base_units(123_456_789_012_345_678_901_234),
    };
    let size_bytes = record_size(
        network,
        &Action::Transfer {
            to: address(0),
            body: body.clone(),
        },
    );
    let mut made = 0;
    let mut block = |height: usize| -> Vec<Transaction> {
        for place in 0..2 * BLOCK {
            let other = place + numbers.below(ACCOUNTS - place);
            order.swap(place, other);
        }
        let transfer = |pair: &[usize]| {
            let [from, to] = [pair[0], pair[1]];
            let nonce = nonces[from];
            nonces[from] += 1;
            made += 1;
            Transaction {
                id: ItemId(hash(4, made)),
                signer: address(from),
                envelope: Envelope {
                    network,
                    nonce,
                    valid_until_ms: 1_000 * height as u64 + 60_000,
                },
                action: Action::Transfer {
                    to: address(to),
                    body: body.clone(),
                },
                size_bytes,
            }
        };
        order[..2 * BLOCK].chunks_exact(2).map(transfer).collect()
    };
    (1..=BLOCKS).map(&mut block).collect()
}

#[derive(Clone, Copy, Default)]
struct Times {
    apply: Duration,
    end: Duration,
    drop: Duration,
    /// Of `end`: the receipts' root, measured once more on its own.
    receipts: Duration,
}

impl Times {
    fn total(&self) -> Duration {
        self.apply + self.end + self.drop
    }
}

fn run(genesis: &GenesisRecord, blocks: &[Vec<Transaction>]) -> (Times, protocol::Digest) {
    let mut state = State::genesis(genesis).expect("a valid genesis");
    let mut times = Times::default();
    for (height, block) in (1..).zip(blocks) {
        let start = Instant::now();
        state.begin_block(height, 1_000 * height, protocol::ItemId([0; 32]));
        for tx in block {
            state.apply(tx).expect("an includable transfer");
        }
        let applied = Instant::now();
        let outcome = state.end_block();
        let ended = Instant::now();
        assert_eq!(outcome.receipts.len(), BLOCK);
        assert_eq!(receipts_root(&outcome.receipts), outcome.receipts_root);
        assert!(
            outcome
                .receipts
                .iter()
                .all(|receipt| receipt.rejected.is_none())
        );
        let rooted = Instant::now();
        drop(outcome);
        times.drop += rooted.elapsed();
        times.apply += applied - start;
        times.end += ended - applied;
        times.receipts += rooted - ended;
    }
    assert!(state.audit().is_some());
    (times, state.root())
}

fn main() {
    let genesis = genesis();
    let blocks = blocks(genesis.network);
    println!(
        "{ACCOUNTS} accounts, {BLOCKS} blocks of {BLOCK} transfers, {} bytes a record, {RUNS} runs",
        blocks[0][0].size_bytes
    );
    let mut runs: Vec<(Times, protocol::Digest)> =
        (0..RUNS).map(|_| run(&genesis, &blocks)).collect();
    assert!(
        runs.iter().all(|(_, root)| *root == runs[0].1),
        "every run gives the same root"
    );
    runs.sort_by_key(|(times, _)| times.total());
    let count = (BLOCK * BLOCKS) as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e9 / count;
    let rate = |times: &Times| count / times.total().as_secs_f64();
    let (median, _) = runs[RUNS / 2];
    println!("nanoseconds a transfer, median run:");
    println!("  apply               {:7.0}", each(median.apply));
    println!("  end of block        {:7.0}", each(median.end));
    println!("    receipts' root    {:7.0}", each(median.receipts));
    println!(
        "    changes and tree  {:7.0}",
        each(median.end) - each(median.receipts)
    );
    println!("  receipts dropped    {:7.0}", each(median.drop));
    println!(
        "transfers a second: median {:.0}, slowest {:.0}, fastest {:.0}; {:.2} of the goal of {GOAL:.0}",
        rate(&median),
        rate(&runs[RUNS - 1].0),
        rate(&runs[0].0),
        rate(&median) / GOAL,
    );
}
