//! `lode node`: a network of one validator, or a development network.
//!
//! ```text
//! D/log, D/state     the chain
//! D/blobs            the blobs
//! D/node.key         signs blocks; it is no wallet, and should own nothing
//! D/unnamed.json     since when nothing names some of the blobs
//! D/faucet.key       development networks: whose tokens the faucet gives
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use node::blobs::{BLOB_BYTES_MAX, BlobError, Blobs};
use node::chain::ChainError;
use node::clock::{Clock, system_ms};
use node::collect::CollectError;
use node::engine::{Config, Node};
use node::http::server::{Limits, serve};
use node::http::{Faucet, router};
use node::log::LogError;
use node::mempool::MempoolLimits;
use node::sequencer::SignError;
use protocol::amount::BASE_UNITS_PER_LODE;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::benchmark::BOUNTY_LEAVES_BYTES_MAX;
use protocol::id::Digest;
use protocol::keys::SecretKey;
use protocol::record::{Allocation, Genesis, LOG_VERSION, Parameters};
use protocol::text::Name;
use protocol::{Address, Amount};
use serde_json::json;
use zeroize::Zeroizing;

use crate::amount::amount;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::{Session, entropy, keep};

/// The supply of a network whose genesis nobody describes: 10^9 LODE.
const SUPPLY_LODE: u64 = 1_000_000_000;

/// What a faucet gives if nobody says how much, and at most.
const FAUCET_LODE: u64 = 10_000;
const FAUCET_LODE_MAX: u64 = 1_000_000;

/// How often it is looked whether blobs can be removed.
const COLLECT_EVERY: Duration = Duration::from_secs(3_600);

/// The largest genesis file.
const GENESIS_FILE_BYTES_MAX: u64 = 4 << 20;

/// What `lode node` can be told.
#[derive(clap::Args)]
#[command(after_help = "\
A fresh folder begins a network of one validator, whose blocks this node signs. The folder is all
there is of it: back it up, D/node.key above all. Ctrl-C or SIGTERM stop it; what waits goes into a
last block.

Examples:
  lode node --dev
  lode node --dir market --name 'Our market' --allocate ADDRESS=1000000
  lode node --dir market --listen 127.0.0.1:8080")]
pub struct Args {
    /// The node's folder; a fresh one begins a network.
    #[arg(long, value_name = "D", default_value = "lode-node")]
    dir: PathBuf,
    /// Where to listen; beyond this machine put a proxy that speaks TLS in front of it.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4747")]
    listen: SocketAddr,
    /// Begin a development network: a faucet, phases of seconds, months of a minute. For a fresh folder.
    #[arg(long)]
    dev: bool,
    /// What people call a fresh network.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Who has tokens in a fresh network, as ADDRESS=LODE; may be given many times.
    #[arg(long, value_name = "ADDRESS=LODE")]
    allocate: Vec<String>,
    /// A fresh network's genesis as JSON: name, salt, parameters, allocations.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["allocate", "name", "dev"])]
    genesis: Option<PathBuf>,
    /// Where block time comes from; 'hand' is for tests.
    #[arg(long, value_name = "CLOCK", default_value = "system", value_parser = ["system", "hand"])]
    clock: String,
    /// The most bytes of a blob.
    #[arg(long, value_name = "BYTES", default_value_t = BLOB_BYTES_MAX)]
    blob_max: u64,
    /// The most open connections; from one address half as many.
    #[arg(long, value_name = "N", default_value_t = 2_048)]
    connections: usize,
    /// The most requests a second from one address.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rate: u32,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// The folder or the port cannot be had, or the log does not open.
pub fn run(args: &Args, session: &Session) -> Result<(), Failure> {
    if session.global.dry_run {
        return show_genesis(args);
    }
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("runtime", error, "close other programs and try again"))?;
    // The port first: a second node in a hurry should touch nothing.
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(args.listen))
        .map_err(|error| listen_failure(args.listen, &error))?;
    let at = listener
        .local_addr()
        .map_err(|error| listen_failure(args.listen, &error))?;
    if !at.ip().is_loopback() {
        talk!(
            "note: this listens on {at}, beyond this machine, without encryption: put a proxy that \
             speaks TLS in front of it"
        );
    }
    fs::create_dir_all(&args.dir).map_err(|error| Failure::io(&args.dir, &error))?;
    let key = node_key(&args.dir)?;
    if !node::engine::exists(&args.dir).map_err(chain_failure)? {
        begin(args, &key)?;
    } else if args.dev || args.genesis.is_some() || !args.allocate.is_empty() {
        talk!(
            "note: {} has a network already; --dev, --genesis and --allocate are for fresh folders",
            args.dir.display()
        );
    }
    let faucet = read_key(&args.dir.join("faucet.key"))?.map(|key| Faucet {
        key,
        amount: lode(FAUCET_LODE),
        amount_max: lode(FAUCET_LODE_MAX),
    });
    if args.blob_max < BOUNTY_LEAVES_BYTES_MAX {
        talk!(
            "note: with --blob-max below {BOUNTY_LEAVES_BYTES_MAX} evaluators of bounties with many or large predictions \
             cannot hand them in here"
        );
    }
    let blobs = Blobs::open_with(&args.dir.join("blobs"), args.blob_max).map_err(blob_failure)?;
    let clock = match args.clock.as_str() {
        "hand" => Clock::by_hand(0),
        _ => Clock::System,
    };
    let address = key.public().address();
    let sign = move |draft: Draft| -> Result<VerifiedItem, SignError> {
        draft.sign(&key).map_err(Into::into)
    };
    let config = Config {
        dir: args.dir.clone(),
        signer: Arc::new(sign),
        clock,
        mempool: MempoolLimits::default(),
    };
    let (node, recovery, engine) = Node::open(config, blobs).map_err(chain_failure)?;
    if let Some(chain) = node.chain_blocking().open() {
        if chain.genesis().proposer != address {
            node.stop();
            let path = args.dir.join("node.key");
            let message = format!(
                "{} is the key of {address}, and this network's blocks are signed by {}",
                path.display(),
                chain.genesis().proposer
            );
            let next = "restore the node.key that belongs to this folder: only it can go on with the network";
            return Err(Failure::new("node_key", message, next).exit(Exit::Key));
        }
        if let Some(behind_ms) = node.behind_ms(chain) {
            talk!(
                "note: the last block's time is {} seconds ahead of this machine's clock, so no block can be \
                 made before then. If the clock is wrong, set it right; if it is right, an earlier run's was \
                 ahead, and the node goes on by itself at {}",
                behind_ms / 1_000,
                out::time(chain.tip().time_ms)
            );
        }
        // A clock driven by hand begins where the log ends.
        node.clock().set(chain.tip().time_ms);
        greet(session, at, chain, &recovery, faucet.is_some())?;
    }
    let is_dev = faucet.is_some();
    let routes = router(node.clone(), faucet, is_dev);
    let limits = Limits {
        connections_max: args.connections.max(2),
        connections_each_max: (args.connections / 2).max(1),
        requests_each_max: args.rate.max(1),
    };
    runtime.spawn(collect(node.clone()));
    let ended = node.clone();
    let was_asked = runtime.block_on(async move {
        let asked = std::sync::atomic::AtomicBool::new(false);
        let stop = async {
            tokio::select! {
                () = told_to_stop() => {
                    asked.store(true, std::sync::atomic::Ordering::SeqCst);
                    talk!("stopping: what waits goes into a last block");
                    node.stop();
                }
                () = ended.ended() => {}
            }
        };
        serve(listener, routes, limits, stop).await;
        asked.into_inner()
    });
    let joined = engine.join();
    runtime.shutdown_timeout(Duration::from_secs(2));
    match joined {
        Ok(()) if was_asked => {
            talk!("stopped; the log is whole");
            Ok(())
        }
        Ok(()) => Err(Failure::bug("the engine ended by itself")),
        Err(_) => Err(Failure::bug(
            "the engine panicked; the log is whole up to its last block",
        )),
    }
}

/// Removes blobs that nothing names any more, for as long as the node lives.
async fn collect(node: Node) {
    loop {
        let looking = node.clone();
        let looked = tokio::task::spawn_blocking(move || looking.collect_blobs()).await;
        match looked {
            Ok(Ok(found)) if !found.removed.is_empty() => talk!(
                "removed {} blobs of {} bytes that nothing names any more",
                found.removed.len(),
                found.removed_bytes
            ),
            Ok(Err(error)) if !matches!(error, CollectError::Closed | CollectError::Clock) => {
                talk!("note: no blobs were removed: {error}");
            }
            _ => {}
        }
        tokio::time::sleep(COLLECT_EVERY).await;
    }
}

fn lode(count: u64) -> Amount {
    Amount::from_base_units(u128::from(count) * BASE_UNITS_PER_LODE)
}

/// Many connections need many open files.
fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Fewer connections are no reason not to run.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        );
    }
}

async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut int)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn listen_failure(at: SocketAddr, error: &std::io::Error) -> Failure {
    let (code, next, exit) = match error.kind() {
        std::io::ErrorKind::AddrInUse => (
            "port_taken",
            "stop the program that listens there, or choose another port with --listen 127.0.0.1:0",
            Exit::Later,
        ),
        std::io::ErrorKind::PermissionDenied => (
            "port_denied",
            "choose a port above 1023 with --listen",
            Exit::Key,
        ),
        _ => (
            "listen",
            "choose an address of this machine with --listen",
            Exit::Usage,
        ),
    };
    Failure::new(code, format_args!("cannot listen on {at}: {error}"), next).exit(exit)
}

fn chain_failure(error: ChainError) -> Failure {
    match error {
        ChainError::Log(LogError::Locked(_)) => {
            let next = "stop the other node, or choose another --dir";
            Failure::new("log_locked", error, next).exit(Exit::Later)
        }
        ChainError::Log(LogError::Io { path, source }) => Failure::io(&path, &source),
        ChainError::Database { .. } => {
            let next = "make room on the disk, or mend what it says, and start the node again: the log has everything";
            Failure::new("database", error, next)
        }
        error => Failure::new(
            "chain",
            error,
            "the log is the truth: do not delete it; restore it from a copy if it is damaged",
        ),
    }
}

fn blob_failure(error: BlobError) -> Failure {
    match error {
        BlobError::Folder(LogError::Io { path, source }) => Failure::io(&path, &source),
        BlobError::Folder(LogError::Locked(_)) => {
            let next = "stop the other node, or choose another --dir";
            Failure::new("blobs_locked", error, next).exit(Exit::Later)
        }
        error => crate::sealing::blob_failure(error),
    }
}

/// The key of a file that this node wrote: its seed in base64url.
fn read_key(path: &Path) -> Result<Option<SecretKey>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(path, &error)),
    };
    let seed: Result<Digest, _> = text.trim().parse();
    let seed = seed.map_err(|_| {
        let message = format_args!("{} holds no key", path.display());
        Failure::new(
            "node_key",
            message,
            "restore it from a copy: only this key can go on with the network",
        )
        .exit(Exit::Key)
    })?;
    let seed = Zeroizing::new(seed.0);
    Ok(Some(SecretKey::from_seed(&seed)))
}

/// A fresh key in a file of its own.
fn write_key(path: &Path) -> Result<SecretKey, Failure> {
    let seed = entropy()?;
    let text = Zeroizing::new(format!("{}\n", Digest(*seed)));
    keep(path, text.as_bytes())?;
    Ok(SecretKey::from_seed(&seed))
}

fn node_key(dir: &Path) -> Result<SecretKey, Failure> {
    let path = dir.join("node.key");
    match read_key(&path)? {
        Some(key) => Ok(key),
        None if node::engine::exists(dir).map_err(chain_failure)? => {
            let message = format_args!("{} is missing", path.display());
            let next = "restore it from a copy: only this key can go on with the network";
            Err(Failure::new("node_key", message, next).exit(Exit::Key))
        }
        None => write_key(&path),
    }
}

/// `--dry-run`: the genesis that would be written, to be edited and given with `--genesis`.
fn show_genesis(args: &Args) -> Result<(), Failure> {
    let genesis = match &args.genesis {
        Some(path) => read_genesis(path)?,
        None if args.dev || args.allocate.is_empty() => {
            let message =
                "who has the first tokens is known only with --allocate, and not with --dev";
            let next = "add --allocate ADDRESS=LODE, once or more often, and leave --dev out";
            return Err(Failure::new("no_allocation", message, next).exit(Exit::Usage));
        }
        None => described(args, None)?,
    };
    let text = serde_json::to_string_pretty(&genesis).map_err(Failure::bug)?;
    out::line(&text)
}

/// Begins the network of a fresh folder.
fn begin(args: &Args, key: &SecretKey) -> Result<(), Failure> {
    let genesis = match &args.genesis {
        Some(path) => read_genesis(path)?,
        None => described(args, Some(key.public().address()))?,
    };
    let item = genesis.draft().sign(key).map_err(Failure::bug)?;
    node::engine::create(&args.dir, &item).map_err(|error| match error {
        ChainError::Genesis(error) => {
            let next = "correct the genesis; nothing was begun";
            Failure::new("genesis", error, next).exit(Exit::Usage)
        }
        error => chain_failure(error),
    })
}

fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    let size_bytes = fs::metadata(path).map_err(io)?.len();
    let limit = GENESIS_FILE_BYTES_MAX.min(size_bytes) as usize;
    let bytes = fs::read(path).map_err(io)?;
    protocol::json::from_slice(&bytes, limit).map_err(|error| {
        let message = format_args!("{}: {error}", path.display());
        let next = "begin from what 'lode node --dry-run --allocate ADDRESS=LODE' prints";
        Failure::new("genesis", message, next).exit(Exit::Usage)
    })
}

/// The genesis that the command line describes.
fn described(args: &Args, proposer: Option<Address>) -> Result<Genesis, Failure> {
    let name = args.name.as_deref().unwrap_or(match args.dev {
        true => "Lode development",
        false => "Lode",
    });
    let name = Name::new(name).map_err(|error| {
        Failure::new("name", error, "choose a shorter, plain name").exit(Exit::Usage)
    })?;
    let mut allocations = Vec::new();
    for text in &args.allocate {
        allocations.push(allocation(text)?);
    }
    if args.dev {
        let faucet = write_key(&args.dir.join("faucet.key"))?;
        allocations.push(Allocation {
            account: faucet.public().address(),
            amount: lode(SUPPLY_LODE),
        });
    } else if let (true, Some(proposer)) = (allocations.is_empty(), proposer) {
        talk!(
            "note: nobody was named with --allocate, so all {SUPPLY_LODE} LODE belong to the key that \
             signs this node's blocks; for a network of value begin one with --allocate ADDRESS=LODE"
        );
        allocations.push(Allocation {
            account: proposer,
            amount: lode(SUPPLY_LODE),
        });
    }
    Ok(Genesis {
        version: LOG_VERSION,
        name,
        salt: Name::new(Digest(*entropy()?).to_string()).map_err(Failure::bug)?,
        // A block must be later, and the first record should not have to wait for that.
        time_ms: system_ms().saturating_sub(1),
        parameters: match args.dev {
            true => dev_parameters(),
            false => Parameters::default(),
        },
        allocations,
    })
}

/// Phases of seconds, months of a minute, small stakes, and a committee of one if there
/// is no more.
fn dev_parameters() -> Parameters {
    Parameters {
        phase_min_ms: 1_000,
        tighten_ms: 10_000,
        committee_min: 1,
        evaluator_stake_min: lode(100),
        evaluation_fee_min: Amount::from_base_units(BASE_UNITS_PER_LODE / 100),
        month_ms: 60_000,
        grace_ms: 60_000,
        unstake_ms: 10_000,
        ..Parameters::default()
    }
}

fn allocation(text: &str) -> Result<Allocation, Failure> {
    let wrong = || {
        let message = format_args!("'{text:.80}' is not ADDRESS=LODE");
        let next = "give an address of 43 characters, '=', and an amount, as in …=1000";
        Failure::new("allocate", message, next).exit(Exit::Usage)
    };
    let (account, units) = text.split_once('=').ok_or_else(wrong)?;
    Ok(Allocation {
        account: account.parse::<Address>().map_err(|_| wrong())?,
        amount: amount(units)?,
    })
}

/// Says where the node is, and what it had to mend.
fn greet(
    session: &Session,
    at: SocketAddr,
    chain: &node::Chain,
    recovery: &node::Recovery,
    is_dev: bool,
) -> Result<(), Failure> {
    let (genesis, tip) = (chain.genesis(), chain.tip());
    let url = format!("http://{at}");
    if session.json() {
        // One line, so that whoever starts nodes can read it.
        let line = json!({
            "schema": "lode.node/1",
            "url": url,
            "network": genesis.network,
            "name": genesis.genesis.name,
            "height": tip.height,
            "state_root": tip.state_root,
            "is_dev": is_dev,
            "recovery": recovery.to_string(),
            "is_clean": recovery.is_clean(),
            "tail_cut_bytes": recovery.tail_cut_bytes(),
        });
        out::bytes(format!("{line}\n").as_bytes())?;
    } else {
        out::line(&url)?;
        talk!(
            "network {} ('{}'), block {}",
            genesis.network,
            genesis.genesis.name.as_str(),
            tip.height
        );
        talk!(
            "its blocks are made by {} alone: whoever uses this network trusts its operator for order, time and draws",
            genesis.proposer
        );
    }
    talk!("{recovery}");
    if is_dev && !session.json() {
        talk!("a development network: 'lode account faucet' gives {FAUCET_LODE} LODE");
    }
    Ok(())
}
