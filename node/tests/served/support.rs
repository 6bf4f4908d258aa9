//! A node in a folder, served on a port of its own, with a clock driven by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use client::{Client, Options};
use node::clock::Clock;
use node::engine::{Config, Node};
use node::http::server::{Limits, serve};
use node::mempool::MempoolLimits;
use node::sequencer::SignError;
use protocol::amount::BASE_UNITS_PER_LODE;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::keys::SecretKey;
use protocol::record::*;
use protocol::text::Name;
use protocol::{Address, Amount, NetworkId};
use tempfile::TempDir;

pub const BEGIN_MS: u64 = 1_700_000_000_000;

/// The threads that may block: no more peers who keep it waiting must be able to take all.
pub const BLOCKING_THREADS: usize = 40;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn address(seed: u8) -> Address {
    key(seed).public().address()
}

pub fn lode(count: u64) -> Amount {
    Amount::from_base_units(u128::from(count) * BASE_UNITS_PER_LODE)
}

/// A node at work.
pub struct Served {
    pub dir: TempDir,
    pub url: String,
    pub client: Client,
    pub node: Node,
    pub network: NetworkId,
    engine: JoinHandle<()>,
    runtime: tokio::runtime::Runtime,
}

/// What a test may choose.
#[derive(Default)]
pub struct Choices {
    pub mempool: MempoolLimits,
    pub limits: Limits,
    pub blob_bytes_max: Option<u64>,
    pub parameters: Parameters,
}

impl Served {
    pub fn new() -> Self {
        Self::with(Choices::default())
    }

    pub fn with(choices: Choices) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let genesis = Genesis {
            version: LOG_VERSION,
            name: Name::new("test").unwrap(),
            salt: Name::new("salt").unwrap(),
            time_ms: BEGIN_MS,
            parameters: choices.parameters.clone(),
            allocations: (1..=4)
                .map(|seed| Allocation {
                    account: address(seed),
                    amount: lode(1_000),
                })
                .collect(),
        };
        let item = genesis.draft().sign(&key(0)).unwrap();
        node::engine::create(dir.path(), &item).unwrap();
        Self::open(dir, choices)
    }

    fn open(dir: TempDir, choices: Choices) -> Self {
        let sign = |draft: Draft| -> Result<VerifiedItem, SignError> {
            draft.sign(&key(0)).map_err(Into::into)
        };
        let config = Config {
            dir: dir.path().to_owned(),
            signer: Arc::new(sign),
            clock: Clock::by_hand(BEGIN_MS),
            mempool: choices.mempool,
        };
        let bytes_max = choices.blob_bytes_max.unwrap_or(1 << 30);
        let blobs = node::Blobs::open_with(&dir.path().join("blobs"), bytes_max).unwrap();
        let (node, _, engine) = Node::open(config, blobs).unwrap();
        let network = node.chain_blocking().open().unwrap().genesis().network;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = node::http::router(node.clone(), None, false);
        let ended = node.clone();
        let stop = async move { ended.ended().await };
        runtime.spawn(serve(listener, routes, choices.limits, stop));
        let options = Options {
            retries: 2,
            wait_first: Duration::from_millis(20),
            ..Options::default()
        };
        Self {
            client: Client::with_options(&url, options).unwrap(),
            dir,
            url,
            node,
            network,
            engine,
            runtime,
        }
    }

    /// Stops it; what is left is its folder.
    pub fn stop(self) -> TempDir {
        self.node.stop();
        self.engine.join().unwrap();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        self.dir
    }

    /// Stops it and starts it again in the same folder.
    pub fn again(self) -> Self {
        let dir = self.stop();
        Self::open(dir, Choices::default())
    }

    /// The same, after this folder or file of its own is lost.
    pub fn again_without(self, name: &str) -> Self {
        let dir = self.stop();
        std::fs::remove_dir_all(dir.path().join(name)).unwrap();
        Self::open(dir, Choices::default())
    }

    pub fn signed(&self, from: u8, nonce: u64, action: &Action) -> VerifiedItem {
        self.signed_until(from, nonce, BEGIN_MS + 3_600_000, action)
    }

    pub fn signed_until(
        &self,
        from: u8,
        nonce: u64,
        valid_until_ms: u64,
        action: &Action,
    ) -> VerifiedItem {
        let envelope = Envelope {
            network: self.network,
            nonce,
            valid_until_ms,
        };
        Transaction::draft(&envelope, action)
            .sign(&key(from))
            .unwrap()
    }

    pub fn transfer(&self, from: u8, nonce: u64, count: u64) -> VerifiedItem {
        self.signed(from, nonce, &transfer_to(9, count))
    }

    /// Sends raw bytes and reads what comes until the node closes or a second passes.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        read_all(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let patience = Some(Duration::from_secs(1));
        stream.set_read_timeout(patience).unwrap();
        stream
    }
}

pub fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(read) = stream.read(&mut part) {
        if read == 0 {
            break;
        }
        text.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

pub fn transfer_to(to: u8, count: u64) -> Action {
    Action::Transfer {
        to: address(to),
        body: Transfer {
            amount: lode(count),
        },
    }
}
