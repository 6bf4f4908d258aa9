//! Two bounties at once, every role a process of its own, killed in every phase.
//!
//! A sponsor, a backer, two miners, three evaluators and a licensee play against
//! a node whose clock the test drives. In every phase the node and an evaluator
//! are killed with SIGKILL while they work. In the end the log is given, block by
//! block, to a second node that nobody disturbs: it must come to the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use client::{Client, Options};
use protocol::ans104::bundle::{BundleReader, Limits};
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::api::{BountyView, RecordStatus};
use protocol::block::HeaderRecord;
use protocol::receipt::{Phase, Standing};
use protocol::record::{Allocation, Genesis, LOG_VERSION, Parameters};
use protocol::text::Name;
use protocol::{Address, Amount, ItemId};

use crate::{stderr, stdout};

/// When the network begins; its clock is driven by hand from there.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// How often the test looks whether something has happened, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const LOOKS_MAX: u32 = 6_000;

const PEOPLE: [&str; 8] = [
    "sponsor", "backer", "mina", "milo", "ada", "emil", "ines", "lumen",
];
pub const EVALUATORS: [&str; 3] = ["ada", "emil", "ines"];

/// A process that is ended with the test.
pub struct Process(pub Child);

impl Process {
    /// SIGKILL: it has no say in it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it ends by itself, well.
    fn finish(mut self, what: &str) {
        wait_until(what, || self.0.try_wait().unwrap().is_some());
        assert!(self.0.wait().unwrap().success(), "{what}");
    }

    /// SIGTERM, and then a clean end.
    pub fn stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let status = self.0.wait().unwrap();
        assert!(status.success(), "a node stops cleanly: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait_until(what: &str, mut has_happened: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if has_happened() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("{what} never happened");
}

/// When a test fails, what the daemons had to say is part of the failure.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for who in PEOPLE.into_iter().chain(["node"]) {
            let talk = fs::read_to_string(self.path(&format!("{who}.talk"))).unwrap_or_default();
            let begin = talk.len().saturating_sub(6_000);
            eprintln!("== {who} ==\n{}", talk.get(begin..).unwrap_or(&talk));
        }
    }
}

pub struct World {
    temp: tempfile::TempDir,
    port: u16,
    pub addresses: BTreeMap<&'static str, Address>,
}

impl World {
    pub fn begin() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("passphrase"), "correct horse\n").unwrap();
        private(&temp.path().join("passphrase"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut world = Self {
            port: port.local_addr().unwrap().port(),
            temp,
            addresses: BTreeMap::new(),
        };
        for who in PEOPLE {
            let json = world.json(who, &["key", "new", "--low-work-factor", "--hide-words"]);
            let address = json["address"].as_str().unwrap().parse().unwrap();
            world.addresses.insert(who, address);
        }
        let genesis = Genesis {
            version: LOG_VERSION,
            name: Name::new("journey").unwrap(),
            salt: Name::new("journey").unwrap(),
            time_ms: BEGIN_MS,
            parameters: Parameters::default(),
            allocations: world
                .addresses
                .values()
                .map(|&account| Allocation {
                    account,
                    amount: Amount::from_lode(10_000).unwrap(),
                })
                .collect(),
        };
        let path = world.path("genesis.json");
        fs::write(path, protocol::json::to_vec(&genesis)).unwrap();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The command as somebody types it, in their own home and folder.
    pub fn command(&self, who: &str, args: &[&str]) -> Command {
        let home = self.path(who);
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lode"));
        command
            .args(args)
            .current_dir(&home)
            .env("LODE_HOME", home.join(".lode"))
            .env("LODE_NODE", format!("http://127.0.0.1:{}", self.port))
            .env("LODE_PASSPHRASE_FILE", self.path("passphrase"));
        command
    }

    fn run(&self, who: &str, args: &[&str]) -> Output {
        self.command(who, args).output().unwrap()
    }

    /// Runs it with `--json --yes`, and reads what it prints.
    pub fn json(&self, who: &str, args: &[&str]) -> serde_json::Value {
        let output = self.run(who, &[args, &["--json", "--yes"]].concat());
        let (out, talk) = (stdout(&output), stderr(&output));
        assert!(output.status.success(), "{who} {args:?}: {talk}");
        let value: serde_json::Value =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("{args:?} printed {out}"));
        let schema = value["schema"].as_str().unwrap_or_default();
        assert!(schema.starts_with("lode."), "{args:?} printed {out}");
        value
    }

    /// Where what a daemon says is kept, for a test that fails.
    pub fn talk(&self, who: &str) -> fs::File {
        let path = self.path(&format!("{who}.talk"));
        let file = fs::File::options().create(true).append(true).open(path);
        file.unwrap()
    }

    pub fn spawn(&self, who: &str, args: &[&str]) -> Process {
        let talk = self.talk(who);
        let mut command = self.command(who, args);
        command
            .stdin(Stdio::null())
            .stdout(talk.try_clone().unwrap());
        Process(command.stderr(talk).spawn().unwrap())
    }

    /// Starts the node in this folder, and waits for its greeting.
    pub fn node(&self, dir: &str) -> Process {
        let listen = format!("127.0.0.1:{}", self.port);
        let genesis = self.path("genesis.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lode"));
        command
            .args([
                "node", "--json", "--clock", "hand", "--listen", &listen, "--dir",
            ])
            .arg(self.path(dir))
            .stdout(Stdio::piped())
            .stderr(self.talk("node"));
        if !self.path(dir).join("log").exists() {
            command.arg("--genesis").arg(genesis);
        }
        let mut child = command.spawn().unwrap();
        let mut greeting = String::new();
        let reader = child.stdout.take().unwrap();
        BufReader::new(reader).read_line(&mut greeting).unwrap();
        assert!(greeting.contains("lode.node/1"), "{greeting}");
        Process(child)
    }

    fn evaluator(&self, who: &str) -> Process {
        self.spawn(who, &["evaluate", "run", "--json"])
    }

    pub fn client(&self) -> Client {
        let options = Options {
            wait_first: Duration::from_millis(50),
            ..Options::default()
        };
        Client::with_options(&format!("http://127.0.0.1:{}", self.port), options).unwrap()
    }

    /// Writes a bounty's file: the template, with this changed.
    pub fn bounty_file(&self, title: &str, data: &str) -> PathBuf {
        let path = self.path("sponsor").join(format!("{title}.toml"));
        self.json("sponsor", &["bounty", "init", path.to_str().unwrap()]);
        let mut text = fs::read_to_string(&path).unwrap();
        let mut set = |key: &str, value: &str| {
            let begin = format!("{key} = ");
            let line = text.lines().find(|line| line.starts_with(&begin)).unwrap();
            text = text.replacen(line, &format!("{begin}{value}"), 1);
        };
        set("title", &format!("\"{title}\""));
        set("test_set", "\"digits-test\"");
        set("reward", "\"1000\"");
        set("reserve", "\"0.5\"");
        set("preset", "\"paid=100\"");
        for phase in ["open", "test_key", "test_check", "reveal", "score"] {
            set(phase, "\"2h\"");
        }
        set("score_reveal", "\"2h\"");
        set("challenge", "\"2h\"");
        text += &format!("\n[[parents]]\nasset = \"{data}\"\nrequired = true\n");
        fs::write(&path, text).unwrap();
        path
    }
}

#[cfg(unix)]
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Path) {}

/// Whether all that a phase waits for has happened.
pub fn is_done(bounty: &BountyView) -> bool {
    let (checks, seats) = (&bounty.checks, &bounty.seats);
    match bounty.summary.phase {
        Phase::Open => bounty.submissions.len() == 2,
        Phase::TestKey => bounty.test_key.is_some(),
        Phase::TestCheck => checks.iter().all(|check| check.word.is_some()),
        Phase::Reveal => bounty.summary.revealed == bounty.summary.submissions,
        Phase::Score => seats.iter().all(|seat| seat.commitment.is_some()),
        Phase::ScoreReveal => seats.iter().all(|seat| seat.parts == 1),
        Phase::Challenge | Phase::Settled | Phase::Void(_) => true,
    }
}

/// Whether a seat has done what a phase waits for.
fn is_begun(bounty: &BountyView) -> bool {
    let (checks, seats) = (&bounty.checks, &bounty.seats);
    match bounty.summary.phase {
        Phase::TestCheck => checks.iter().any(|check| check.word.is_some()),
        Phase::Score => seats.iter().any(|seat| seat.commitment.is_some()),
        Phase::ScoreReveal => seats.iter().any(|seat| seat.parts > 0),
        phase => panic!("{phase:?} waits for no seat"),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn two_bounties_live_through_kills_in_every_phase_and_end_as_if_undisturbed() {
    let world = World::begin();
    let mut node = world.node("node");
    let client = world.client();
    for who in EVALUATORS {
        world.json(who, &["evaluate", "join", "2000"]);
    }
    let bounties = post(&world, &client);
    let first = bounties[0].to_string();
    world.json("backer", &["bounty", "back", &first, "50"]);
    train_through_a_kill(&world, &first);
    submit(&world, &bounties);

    let mut daemons: Vec<Process> = bounties
        .iter()
        .map(|id| world.spawn("sponsor", &["bounty", "watch", &id.to_string(), "--reveal"]))
        .collect();
    for who in ["mina", "milo"] {
        daemons.push(world.spawn(who, &["submission", "reveal", "--watch"]));
    }
    let mut evaluators: Vec<Process> = EVALUATORS.iter().map(|who| world.evaluator(who)).collect();

    let views = || bounties.iter().map(|&id| client.bounty(id).unwrap());
    let mut phases = Vec::new();
    loop {
        let phase = views().next().unwrap().summary.phase;
        if matches!(phase, Phase::Settled | Phase::Void(_)) {
            break;
        }
        phases.push(phase);
        // While they work: the node, and one evaluator after the other.
        let victim = phases.len() % EVALUATORS.len();
        node.kill();
        node = world.node("node");
        let kill = |evaluators: &mut Vec<Process>, victim: usize| {
            evaluators.remove(victim).kill();
            evaluators.insert(victim, world.evaluator(EVALUATORS[victim]));
        };
        kill(&mut evaluators, victim);
        if matches!(phase, Phase::TestCheck | Phase::Score | Phase::ScoreReveal) {
            // And once the first of them has spoken, another, which may be in the midst of it.
            wait_until(&format!("the first word of {phase:?}"), || {
                views().any(|view| is_begun(&view))
            });
            kill(&mut evaluators, (victim + 1) % EVALUATORS.len());
        }
        wait_until(&format!("the work of {phase:?}"), || {
            views().all(|view| is_done(&view))
        });
        let until_ms = views().map(|view| view.summary.until_ms).max().unwrap();
        client.set_clock(until_ms + 1).unwrap();
        assert!(views().all(|view| view.summary.phase != phase));
    }
    let all = [
        Phase::Open,
        Phase::TestKey,
        Phase::TestCheck,
        Phase::Reveal,
        Phase::Score,
        Phase::ScoreReveal,
        Phase::Challenge,
    ];
    assert_eq!(phases, all);
    for daemon in daemons {
        daemon.finish("the end of a daemon whose work is done");
    }
    for evaluator in evaluators {
        evaluator.kill();
    }
    let winner = check_ends(&world, &bounties, views().collect());
    license(&world, winner);

    let status = client.status().unwrap();
    let mut log = Vec::new();
    client.log(&mut log, u64::MAX).unwrap();
    node.stop();
    let replayed = node::replay(&log[..], |_| {}).unwrap();
    assert_eq!(replayed.state_root, status.state_root);
    assert!(replayed.state.audit().is_some(), "the supply is balanced");

    let again = undisturbed(&world, &log);
    assert_eq!(again.0, status.state_root);
    assert!(
        again.1 == log,
        "the same records make the same log, to the byte"
    );
}

/// Registers the digits, from the sponsor's hand.
pub fn post_data(world: &World, client: &Client) -> ItemId {
    let csv = root().join("examples/digits/digits.csv");
    world.json(
        "sponsor",
        &[
            "dataset",
            "init",
            "digits",
            "--csv",
            csv.to_str().unwrap(),
            "--label",
            "64",
            "--divide-by",
            "16",
            "--name",
            "Digits",
            "--attribution",
            "UCI digits, CC BY 4.0",
            "--terms",
            "credit",
            "--split-test",
            "5",
        ],
    );
    world.json("sponsor", &["dataset", "add", "digits-train"]);
    let mut assets = client.assets(&client::AssetFilter::default());
    assets.next().unwrap().unwrap().id
}

/// Data set and two bounties, from the sponsor's hand.
fn post(world: &World, client: &Client) -> [ItemId; 2] {
    let data = post_data(world, client);
    ["Digits one", "Digits two"].map(|title| {
        let file = world.bounty_file(title, &data.to_string());
        let file = file.to_str().unwrap();
        world.json("sponsor", &["bounty", "check", file, "--even-so"]);
        // Both have the same test set, and end together.
        world.json("sponsor", &["bounty", "post", file, "--even-so"]);
        let mut all = client.bounties(None).map(Result::unwrap);
        all.find(|bounty| bounty.title.as_str() == title)
            .unwrap()
            .id
    })
}

/// A training that dies goes on from its checkpoint, and comes to the bytes of one that did not.
fn train_through_a_kill(world: &World, bounty: &str) {
    fs::create_dir_all(world.path("mina")).unwrap();
    let recipe = "[model]\nhidden = [16]\n\n[train]\nepochs = 40\nheld_out = 0.1\nseed = 5\n";
    fs::write(world.path("mina").join("long.toml"), recipe).unwrap();
    let train = |out: &str, more: &[&str]| -> Vec<String> {
        let args = ["train", bounty, "--recipe", "long.toml", "--out", out];
        args.iter()
            .chain(more)
            .map(|arg| (*arg).to_owned())
            .collect()
    };
    let words = train("killed", &["--checkpoint-every", "3"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let process = world.spawn("mina", &words);
    let training = world.path("mina").join(".lode/training");
    let has_checkpoint = || {
        let entries = fs::read_dir(&training).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| entry.path().join("checkpoint.json").exists())
    };
    wait_until("a checkpoint is written", has_checkpoint);
    process.kill();
    assert!(has_checkpoint(), "it was killed before its end");
    assert!(!world.path("mina").join("killed").exists());
    let output = world.run("mina", &[&words[..], &["--json", "--yes"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("going on after step "),
        "it did not begin anew: {}",
        stderr(&output)
    );
    let resumed: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let words = train("whole", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let whole = world.json("mina", &words);
    for key in [
        "weights_digest",
        "steps",
        "loss",
        "best_epoch",
        "held_out_loss",
    ] {
        assert_eq!(resumed[key], whole[key], "{key}");
    }
    let model = |out: &str| {
        let path = world.path("mina").join(out).join("model.safetensors");
        fs::read(path).unwrap()
    };
    assert!(model("killed") == model("whole"), "the same bytes");
}

/// Two miners train a model for each bounty: the same weights count once.
fn submit(world: &World, bounties: &[ItemId; 2]) {
    for (who, epochs, seed) in [("mina", 6, 10), ("milo", 3, 20)] {
        fs::create_dir_all(world.path(who)).unwrap();
        for (place, bounty) in bounties.iter().enumerate() {
            let recipe = format!(
                "[model]\nhidden = [16]\ndropout = 0.0\n\n[train]\nepochs = {epochs}\n\
                 label_smoothing = 0.0\ninput_noise = 0.0\nseed = {}\n",
                seed + place
            );
            fs::write(world.path(who).join("recipe.toml"), recipe).unwrap();
            let (id, model) = (bounty.to_string(), format!("model-{place}"));
            let train = ["train", &id, "--recipe", "recipe.toml", "--out", &model];
            world.json(who, &train);
            world.json(who, &["submit", &id, &model, "--check"]);
            let name = format!("{who}'s model {place}");
            world.json(who, &["submit", &id, &model, "--name", &name]);
            // The same again is no second submission.
            world.run(who, &["submit", &id, &model, "--yes"]);
        }
    }
}

/// Both have settled, with a winner; every unit of both is accounted for.
fn check_ends(world: &World, bounties: &[ItemId; 2], views: Vec<BountyView>) -> ItemId {
    let mut winner = None;
    for (view, id) in views.iter().zip(bounties) {
        assert_eq!(view.summary.phase, Phase::Settled);
        assert_eq!(view.submissions.len(), 2, "nobody submitted twice");
        let won = |submission: &&protocol::api::SubmissionView| {
            submission.standing == Some(Standing::Won)
        };
        let won = view.submissions.iter().find(won).expect("a winner");
        winner.get_or_insert(won.id);
        world.json("lumen", &["bounty", "explain", &id.to_string()]);
        let show = world.run("mina", &["submission", "show", &won.id.to_string()]);
        assert!(stdout(&show).contains("award"), "{}", stdout(&show));
    }
    winner.unwrap()
}

/// A company buys a licence, proves it offline, and the holders claim.
fn license(world: &World, asset: ItemId) {
    let id = asset.to_string();
    world.json("lumen", &["license", "quote", &id]);
    world.json(
        "lumen",
        &[
            "license",
            "buy",
            &id,
            "--grant",
            "commercial_use",
            "--price-max",
            "100",
        ],
    );
    let license = world
        .client()
        .licenses(&client::LicenseFilter::default())
        .next()
        .unwrap()
        .unwrap();
    let text = license.id.to_string();
    world.json(
        "lumen",
        &["license", "certificate", &text, "--out", "license.json"],
    );
    let network = world.client().status().unwrap().network.to_string();
    let verify = ["license", "verify", "license.json", "--network", &network];
    world.json("lumen", &verify);
    world.json("sponsor", &["royalty", "claim", "--all"]);
    world.json("sponsor", &["royalty", "explain", &id]);
}

/// Gives the log to a fresh node block by block; gives its root and its log.
fn undisturbed(world: &World, log: &[u8]) -> (protocol::Digest, Vec<u8>) {
    fs::create_dir_all(world.path("again")).unwrap();
    // The same proposer, and the blobs that the records name.
    fs::copy(world.path("node/node.key"), world.path("again/node.key")).unwrap();
    private(&world.path("again/node.key"));
    copy(
        &world.path("node/blobs/blobs"),
        &world.path("again/blobs/blobs"),
    );
    let node = world.node("again");
    let client = world.client();
    let mut last: Option<VerifiedItem> = None;
    for (header, records) in blocks(log) {
        client.set_clock(header.header.time_ms).unwrap();
        if !records.is_empty() {
            let answer = client.submit_bundle(&records).unwrap();
            let is_final = |entry: &protocol::api::BundleEntry| {
                let record = entry.record.as_ref();
                record.is_some_and(|record| record.status == RecordStatus::Final)
            };
            assert!(answer.entries.iter().all(is_final), "{answer:?}");
            last = records.last().cloned();
        } else if client.status().unwrap().height < header.header.height {
            // An empty block that somebody's proof had asked for.
            client.receipt_proof(last.as_ref().unwrap().id()).unwrap();
        }
        // A deadline's block may have been followed by that of a draw already.
        assert!(client.status().unwrap().height >= header.header.height);
    }
    let mut again = Vec::new();
    client.log(&mut again, u64::MAX).unwrap();
    let root = client.status().unwrap().state_root;
    node.stop();
    (root, again)
}

/// The blocks of an exported log: each header with its records.
fn blocks(log: &[u8]) -> Vec<(HeaderRecord, Vec<VerifiedItem>)> {
    let limits = Limits {
        items_max: 1 << 20,
        item_bytes_max: 1 << 24,
    };
    let mut reader = BundleReader::new(log, limits).unwrap();
    let mut blocks: Vec<(HeaderRecord, Vec<VerifiedItem>)> = Vec::new();
    let mut is_genesis = true;
    while let Some(item) = reader.next_item() {
        let item: SignedItem = item.unwrap();
        let item = item.verify().unwrap();
        if std::mem::take(&mut is_genesis) {
            continue;
        }
        match HeaderRecord::read(&item) {
            Ok(header) => blocks.push((header, Vec::new())),
            Err(_) => blocks.last_mut().unwrap().1.push(item),
        }
    }
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
