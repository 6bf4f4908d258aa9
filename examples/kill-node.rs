//! Kills a node under load again and again, and looks for what was lost.
//!
//! A node process is loaded with transfers over HTTP, killed with SIGKILL at a
//! random moment (also while it starts), and started again. Checked after every
//! kill: each transfer that was ever answered as final is still at its height and
//! place; each state root that was ever seen is the one the log names; the same
//! bytes posted again give one payment. At the end the log is exported over HTTP
//! and replayed, and all balances must be what the answers add up to. How long
//! the restarts took is printed, not judged: that is the machine's affair too.
//!
//! ```text
//! cargo run --release --example kill-node -- target/release/lode [KILLS] [HISTORY]
//! ```
//!
//! Defaults: 1,000 kills, 100,000 transfers before the first one.

#![allow(clippy::disallowed_methods)] // It measures how long a restart takes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Client, Options};
use protocol::ans104::{BundleReader, SignedItem, VerifiedItem, bundle};
use protocol::api::RecordView;
use protocol::block::HeaderRecord;
use protocol::keys::SecretKey;
use protocol::record::*;
use protocol::text::Name;
use protocol::{Amount, Digest, ItemId, NetworkId};

const SENDERS: usize = 8;
const RESTART_MAX: Duration = Duration::from_secs(2);
/// How many of the older answers are looked up after each kill.
const SAMPLE: usize = 100;

/// A small generator; its seed is printed, so that a run can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

fn key(number: usize) -> SecretKey {
    SecretKey::from_seed(&[40 + number as u8; 32])
}

fn receiver() -> protocol::Address {
    key(SENDERS).public().address()
}

/// A transfer that was answered as final, and where.
#[derive(Clone, Copy)]
struct Answered {
    id: ItemId,
    height: u64,
    place: u32,
}

/// One who sends: the nonce after the last answer, and the bytes without one.
#[derive(Default)]
struct Sender {
    nonce: u64,
    open: Option<VerifiedItem>,
}

struct World {
    lode: PathBuf,
    dir: PathBuf,
    port: u16,
    network: NetworkId,
    senders: Vec<Mutex<Sender>>,
    answered: Mutex<Vec<Answered>>,
    roots: Mutex<BTreeMap<u64, Digest>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    node::clock::system_ms()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let lode = args
        .next()
        .expect("usage: kill-node LODE [KILLS] [HISTORY]");
    let kills: u64 = args
        .next()
        .map_or(1_000, |text| text.parse().expect("a number"));
    let history: usize = args
        .next()
        .map_or(100_000, |text| text.parse().expect("a number"));
    let seed = now_ms();
    println!("seed {seed}");
    let mut numbers = Numbers(seed | 1);
    let temp = tempfile::tempdir().expect("a folder");
    let mut world = World::begin(lode.into(), temp.path());
    let (mut child, _, _) = world.start();
    world.network = world.client(2).status().expect("a node").network;
    world.fill(history);

    let mut restarts: Vec<Duration> = Vec::new();
    let (mut in_start, mut tails, mut rebuilt) = (0_u64, 0_u64, 0_u64);
    for kill in 1..=kills {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for number in 0..SENDERS {
                let (world, stop) = (&world, &stop);
                scope.spawn(move || world.load(number, stop));
            }
            std::thread::sleep(Duration::from_millis(numbers.below(250)));
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
            stop.store(true, Ordering::SeqCst);
        });
        // One in eight is killed again while it starts.
        while numbers.below(8) == 0 {
            let mut starting = world.spawn();
            std::thread::sleep(Duration::from_millis(numbers.below(400)));
            starting.kill().expect("it can be killed");
            starting.wait().expect("it ends");
            in_start += 1;
        }
        let (next, took, greeting) = world.start();
        child = next;
        tails += u64::from(greeting.contains("bytes were cut"));
        rebuilt += u64::from(greeting.contains("rebuilt"));
        restarts.push(took);
        world.check(&mut numbers);
        if kill % 50 == 0 || kill == kills {
            restarts.sort_unstable();
            println!(
                "{kill} kills ({in_start} more while starting, {tails} torn tails, {rebuilt} rebuilt): \
                 {} answers, none lost; restart median {:.0} ms, worst {:.0} ms",
                lock(&world.answered).len(),
                restarts[restarts.len() / 2].as_secs_f64() * 1e3,
                restarts[restarts.len() - 1].as_secs_f64() * 1e3,
            );
        }
    }
    world.check_all();
    let _ = child.kill();
    let _ = child.wait();
    let slow = restarts.iter().filter(|took| **took > RESTART_MAX).count();
    println!(
        "{slow} restarts took longer than {} s",
        RESTART_MAX.as_secs()
    );
    println!("nothing was lost");
}

type Places = BTreeMap<ItemId, (u64, u32)>;

/// Of an exported log: where each record is, and each block's root as the next
/// header names it. There are no bounties here, so a record's place among the
/// receipts is its place in the block.
fn read(log: &[u8]) -> (Places, BTreeMap<u64, Digest>) {
    let limits = bundle::Limits {
        items_max: 1 << 24,
        item_bytes_max: 1 << 23,
    };
    let mut reader = BundleReader::new(log, limits).expect("a bundle");
    let (mut places, mut roots) = (BTreeMap::new(), BTreeMap::new());
    let (mut height, mut place) = (0, 0);
    while let Some(item) = reader.next_item() {
        let item: SignedItem = item.expect("an item");
        match item.tag("Record-Type") {
            Some("genesis") => {}
            Some("transfer") => {
                places.insert(item.id(), (height, place));
                place += 1;
            }
            _ => {
                let header = HeaderRecord::read(&item.verify().expect("signed"));
                let header = header.expect("a header").header;
                roots.insert(header.height - 1, header.state_root);
                (height, place) = (header.height, 0);
            }
        }
    }
    (places, roots)
}

impl World {
    fn begin(lode: PathBuf, temp: &Path) -> Self {
        let name = Name::new("kill").expect("a short name");
        let genesis = Genesis {
            version: LOG_VERSION,
            name: name.clone(),
            salt: name,
            time_ms: now_ms() - 1,
            parameters: Parameters::default(),
            allocations: (0..SENDERS)
                .map(|number| Allocation {
                    account: key(number).public().address(),
                    amount: Amount::from_lode(10_000_000).expect("it fits"),
                })
                .collect(),
        };
        let file = temp.join("genesis.json");
        std::fs::write(&file, protocol::json::to_vec(&genesis)).expect("a file");
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("a port").port();
        Self {
            lode,
            dir: temp.to_owned(),
            port,
            network: NetworkId([0; 32]),
            senders: (0..SENDERS).map(|_| Mutex::default()).collect(),
            answered: Mutex::default(),
            roots: Mutex::default(),
        }
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(&self.lode);
        command
            .args(["node", "--json", "--rate", "1000000"])
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .arg("--dir")
            .arg(self.dir.join("node"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if !self.dir.join("node/log").exists() {
            command.arg("--genesis").arg(self.dir.join("genesis.json"));
        }
        command.spawn().expect("a node")
    }

    /// Starts it; how long until it answers, and what it said.
    fn start(&self) -> (Child, Duration, String) {
        let begin = Instant::now();
        let mut child = self.spawn();
        let stdout = child.stdout.take().expect("piped");
        let mut greeting = String::new();
        BufReader::new(stdout)
            .read_line(&mut greeting)
            .expect("a line");
        assert!(!greeting.is_empty(), "the node did not start");
        let greeted = begin.elapsed();
        let client = self.client(0);
        let mut tries = 1;
        while let Err(error) = client.ready() {
            std::thread::sleep(Duration::from_millis(2));
            tries += 1;
            if begin.elapsed() > RESTART_MAX {
                println!("not ready after {tries} tries: {error}");
            }
        }
        let took = begin.elapsed();
        if took > RESTART_MAX {
            println!("slow: greeted after {greeted:?}, ready after {took:?} and {tries} tries");
        }
        (child, took, greeting)
    }

    fn client(&self, retries: u32) -> Client {
        let options = Options {
            retries,
            wait_first: Duration::from_millis(20),
            ..Options::default()
        };
        Client::with_options(&format!("http://127.0.0.1:{}", self.port), options)
            .expect("an address")
    }

    fn transfer(&self, number: usize, nonce: u64) -> VerifiedItem {
        let envelope = Envelope {
            network: self.network,
            nonce,
            valid_until_ms: now_ms() + 3_600_000,
        };
        let action = Action::Transfer {
            to: receiver(),
            body: Transfer {
                amount: Amount::from_base_units(1),
            },
        };
        let draft = Transaction::draft(&envelope, &action);
        draft.sign(&key(number)).expect("few tags")
    }

    fn keep(&self, view: &RecordView) {
        assert!(view.is_applied(), "{view:?}");
        let (height, place) = (view.height.expect("final"), view.place.expect("final"));
        let answered = Answered {
            id: view.id,
            height,
            place,
        };
        lock(&self.answered).push(answered);
    }

    /// The history before the first kill, in bundles.
    fn fill(&self, count: usize) {
        let client = self.client(2);
        let begin = Instant::now();
        let each = 500;
        for round in 0..count.div_ceil(each) {
            let number = round % SENDERS;
            let mut sender = lock(&self.senders[number]);
            let items: Vec<_> = (0..each as u64)
                .map(|place| self.transfer(number, sender.nonce + place))
                .collect();
            let answer = client.submit_bundle(&items).expect("taken");
            for entry in answer.entries {
                self.keep(&entry.record.expect("taken"));
            }
            sender.nonce += each as u64;
        }
        println!(
            "{count} transfers of history in {:.1} s",
            begin.elapsed().as_secs_f64()
        );
    }

    /// Sends until it is told to stop or the node is gone.
    fn load(&self, number: usize, stop: &AtomicBool) {
        let client = self.client(0);
        let mut sender = lock(&self.senders[number]);
        while !stop.load(Ordering::SeqCst) {
            // Bytes without an answer are posted again: never other ones.
            let item = match sender.open.take() {
                Some(item) => item,
                None => self.transfer(number, sender.nonce),
            };
            match client.submit(&item) {
                Ok(view) => {
                    self.keep(&view);
                    sender.nonce += 1;
                }
                Err(_) => {
                    sender.open = Some(item);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            if number == 0
                && let Ok(status) = client.status()
            {
                lock(&self.roots).insert(status.height, status.state_root);
            }
        }
    }

    /// After a restart: the newest answers, a sample of the older ones, the last roots.
    fn check(&self, numbers: &mut Numbers) {
        let client = self.client(2);
        let answered = lock(&self.answered);
        let newest = answered.iter().rev().take(SAMPLE);
        let older = (0..SAMPLE).map(|_| &answered[numbers.below(answered.len() as u64) as usize]);
        for one in newest.chain(older) {
            let view = client
                .record(one.id)
                .expect("an acknowledged transfer is lost");
            assert_eq!(
                (view.height, view.place),
                (Some(one.height), Some(one.place))
            );
        }
        let roots = lock(&self.roots);
        for (height, root) in roots.iter().rev().take(3) {
            self.check_root(&client, *height, root);
        }
    }

    /// The next block's header names the root that was seen.
    fn check_root(&self, client: &Client, height: u64, root: &Digest) {
        let status = client.status().expect("a node");
        if status.height == height {
            assert_eq!(status.state_root, *root, "a root differs at {height}");
            return;
        }
        assert!(status.height > height, "blocks are lost: {height} was seen");
        let bytes = client.block_bundle(height + 1).expect("a block");
        let limits = bundle::Limits {
            items_max: 1 << 20,
            item_bytes_max: 1 << 23,
        };
        let mut reader = BundleReader::new(&bytes[..], limits).expect("a bundle");
        let header: SignedItem = reader.next_item().expect("a header").expect("an item");
        let header = HeaderRecord::read(&header.verify().expect("signed")).expect("a header");
        assert_eq!(
            header.header.state_root, *root,
            "a root differs at {height}"
        );
    }

    /// Every answer, every root, and the balances, from the replayed log.
    fn check_all(&self) {
        let client = self.client(2);
        for sender in &self.senders {
            let mut sender = lock(sender);
            if let Some(item) = sender.open.take() {
                self.keep(&client.submit(&item).expect("final"));
                sender.nonce += 1;
            }
        }
        let answered = lock(&self.answered);
        let mut log = Vec::new();
        client.log(&mut log, u64::MAX).expect("the log");
        let (places, named) = read(&log);
        for one in answered.iter() {
            let found = places.get(&one.id);
            let found = found.expect("an acknowledged transfer is lost");
            assert_eq!(*found, (one.height, one.place));
        }
        for (height, root) in lock(&self.roots).iter() {
            // The last root is the status's, compared below.
            if let Some(found) = named.get(height) {
                assert_eq!(found, root, "a root differs at {height}");
            }
        }
        let replayed = node::replay(&log[..], |_| {}).expect("a whole log");
        let status = client.status().expect("a node");
        assert_eq!(replayed.state_root, status.state_root);
        assert!(replayed.state.audit().is_some(), "the supply is off");
        let paid = replayed.state.account(receiver()).balance.base_units();
        assert_eq!(paid, answered.len() as u128, "answers and payments differ");
        assert_eq!(replayed.records, answered.len() as u64);
        println!(
            "all {} answers are on the log of {} blocks, once each; its replay gives the root and the supply",
            answered.len(),
            replayed.height
        );
    }
}
