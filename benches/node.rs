//! A node under load: how many transfers a second it makes final, and how soon one.
//!
//! Each transfer is signed, verified, logged (one fdatasync a block), applied and
//! answered for. Two ways: through mempool and log in this process, and through
//! HTTP from a second process, one request a transfer. Beside them the rate at
//! which this machine verifies signatures and nothing else.
//!
//! `cargo bench --bench node`

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::Client;
use node::block::Record;
use node::clock::{Clock, system_ms};
use node::engine::{Config, Node, Ticket};
use node::http::server::{Limits, serve};
use node::mempool::MempoolLimits;
use node::sequencer::SignError;
use protocol::ans104::{Draft, SignedItem, VerifiedItem};
use protocol::keys::SecretKey;
use protocol::record::*;
use protocol::text::Name;
use protocol::{Address, Amount, NetworkId};

const ACCOUNTS: usize = 256;
const DIRECT: usize = 100_000;
const OVER_HTTP: usize = 30_000;
const CONNECTIONS: usize = 48;
const BATCH: usize = 256;
const SINGLES: usize = 200;
const CORES: usize = 2;
/// What a client process is told by: the address and the network.
const CLIENT: &str = "LODE_BENCH_CLIENT";

fn key(number: usize) -> SecretKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    SecretKey::from_seed(&seed)
}

fn genesis() -> VerifiedItem {
    let name = Name::new("bench").expect("a short name");
    let amount = Amount::from_lode(1_000_000).expect("it fits");
    let genesis = Genesis {
        version: LOG_VERSION,
        name: name.clone(),
        salt: name,
        time_ms: system_ms() - 1,
        parameters: Parameters::default(),
        allocations: (1..=ACCOUNTS)
            .map(|number| Allocation {
                account: key(number).public().address(),
                amount,
            })
            .collect(),
    };
    genesis.draft().sign(&key(0)).expect("few tags")
}

/// The keys of the accounts: an owner has made its key long before it signs.
fn keys() -> Vec<SecretKey> {
    (0..=ACCOUNTS).map(key).collect()
}

fn transfer(keys: &[SecretKey], network: NetworkId, from: usize, nonce: u64) -> VerifiedItem {
    let to = Address([from as u8; 32]);
    let envelope = Envelope {
        network,
        nonce,
        valid_until_ms: system_ms() + 3_600_000,
    };
    let body = Transfer {
        amount: Amount::from_base_units(1),
    };
    let draft = Transaction::draft(&envelope, &Action::Transfer { to, body });
    draft.sign(&keys[from]).expect("few tags")
}

/// As it comes from outside: bytes that are decoded, verified, read.
fn receive(bytes: &[u8]) -> Record {
    let item = SignedItem::decode(bytes).expect("an item");
    let item = item.verify().expect("a signature");
    let tx = Transaction::read(&item).expect("a record");
    Record { item, tx }
}

fn open(dir: &Path) -> (Node, NetworkId, std::thread::JoinHandle<()>) {
    let genesis = genesis();
    let network = GenesisRecord::read(&genesis).expect("a genesis").network;
    node::engine::create(dir, &genesis).expect("a network");
    let signer = key(0);
    let sign = move |draft: Draft| -> Result<VerifiedItem, SignError> {
        draft.sign(&signer).map_err(Into::into)
    };
    let config = Config {
        dir: dir.to_owned(),
        signer: Arc::new(sign),
        clock: Clock::System,
        mempool: MempoolLimits::default(),
    };
    let blobs = node::Blobs::open(&dir.join("blobs")).expect("a folder");
    let (node, _, engine) = Node::open(config, blobs).expect("it opens");
    (node, network, engine)
}

fn main() {
    if let Ok(told) = std::env::var(CLIENT) {
        return be_client(&told);
    }
    println!(
        "signatures verified strictly, one core: {:.0} a second",
        verify_rate(1)
    );
    println!(
        "signatures verified strictly, {CORES} cores: {:.0} a second",
        verify_rate(CORES)
    );
    direct();
    over_http();
}

/// `verify_strict` of a message as long as a transfer, and nothing else.
fn verify_rate(threads: usize) -> f64 {
    let (key, message) = (key(1), [5; 48]);
    let (public, signature) = (key.public(), key.sign(&message));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    let held = std::hint::black_box(&public).verify(&message, &signature);
                    held.expect("a signature");
                }
            });
        }
    });
    (threads * 20_000) as f64 / begin.elapsed().as_secs_f64()
}

/// Through mempool and log, in this process; signing counted.
fn direct() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, network, engine) = open(dir.path());
    let keys = &keys();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..CORES {
            let node = node.clone();
            scope.spawn(move || {
                // Each worker has accounts of its own, so that its nonces follow each other.
                let own: Vec<usize> = (1..=ACCOUNTS).filter(|n| n % CORES == worker).collect();
                let mut tickets = Vec::new();
                let rounds = DIRECT / CORES / BATCH;
                for round in 0..rounds {
                    let batch = (0..BATCH).map(|place| {
                        let at = round * BATCH + place;
                        let (from, nonce) = (own[at % own.len()], (at / own.len()) as u64);
                        receive(transfer(keys, network, from, nonce).bytes())
                    });
                    for ticket in node.submit_blocking(batch.collect()) {
                        match ticket.expect("it is taken") {
                            Ticket::Waiting(answer) => tickets.push(answer),
                            Ticket::Final(_) => {}
                        }
                    }
                }
                for answer in tickets {
                    let answer = answer.blocking_recv().expect("an answer");
                    assert!(answer.expect("included").problem.is_none());
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    let (height, done) = {
        let chain = node.chain_blocking();
        let log = chain.open().expect("open").log();
        (log.height(), log.items() - 1 - log.height())
    };
    println!(
        "signed, verified, logged and applied, without HTTP: {:.0} a second ({done} in {seconds:.2} s, {height} blocks)",
        done as f64 / seconds
    );
    node.stop();
    engine.join().expect("the engine");
}

/// Through HTTP, from a second process: one request a transfer; then one at a time.
fn over_http() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, network, engine) = open(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let routes = node::http::router(node.clone(), None, false);
    let limits = Limits {
        requests_each_max: 1_000_000,
        ..Limits::default()
    };
    runtime.spawn(serve(listener, routes, limits, std::future::pending()));
    let client = Command::new(std::env::current_exe().expect("this program"))
        .env(CLIENT, format!("{url} {network}"))
        .stdout(Stdio::inherit())
        .status()
        .expect("a second process");
    assert!(client.success());
    node.stop();
    engine.join().expect("the engine");
}

fn be_client(told: &str) {
    let (url, network) = told.split_once(' ').expect("an address and a network");
    let network: NetworkId = network.parse().expect("a network");
    let client = Client::new(url).expect("an address");
    let keys = &keys();
    // Signed before the clock starts: this process stands for many signers.
    let lines: Vec<Mutex<Vec<VerifiedItem>>> = (1..=ACCOUNTS)
        .map(|from| {
            let count = (OVER_HTTP / ACCOUNTS) as u64;
            let items = (0..count)
                .rev()
                .map(|nonce| transfer(keys, network, from, nonce));
            Mutex::new(items.collect())
        })
        .collect();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(line) = lines.get(place) else { break };
                    let mut line = line.lock().expect("a line");
                    while let Some(item) = line.pop() {
                        let view = client.submit(&item).expect("final");
                        assert!(view.is_applied());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    let count = done.load(Ordering::Relaxed);
    println!(
        "through HTTP from a second process, one request each: {:.0} a second ({count} in {seconds:.2} s)",
        count as f64 / seconds
    );
    let first = (OVER_HTTP / ACCOUNTS) as u64;
    let mut times: Vec<Duration> = (0..SINGLES as u64)
        .map(|place| {
            let item = transfer(keys, network, 1, first + place);
            std::thread::sleep(Duration::from_millis(10));
            let begin = Instant::now();
            client.submit(&item).expect("final");
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "one transfer on an idle node, from POST to final: median {:.2} ms, worst of {SINGLES} {:.2} ms",
        times[SINGLES / 2].as_secs_f64() * 1e3,
        times[SINGLES - 1].as_secs_f64() * 1e3
    );
}
