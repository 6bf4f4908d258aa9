//! The evaluator's daemon outlives its children: one that is killed, one that runs out of
//! memory. What they could not score is `unavailable`; everything else is scored and revealed.
//!
//! Two models stand for one bounty, a small one and one of thirty megabytes. Ines works under
//! a limit of memory that lets the small one through alone; Ada's child is killed once while
//! it computes.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use models::{MlpConfig, Weights};
use protocol::api::BountyView;
use protocol::receipt::{Cause, Phase, Standing};
use protocol::record::{Action, Transaction};
use protocol::report::Outcome;
use protocol::{Address, ItemId};

use crate::market::{EVALUATORS, Process, World, is_done, post_data, wait_until};
use crate::text;

/// Address space of each of Ines's processes: a child with the small model takes half of it,
/// one with the large model half as much again.
const MEMORY_KIB: u64 = 120 << 10;

/// Numbers of the large model's hidden layer: 64 × so many weights, and so many a batch row.
const LARGE: u64 = 100_000;

fn write_model(world: &World, who: &str, hidden: u64) -> String {
    let config = MlpConfig::new(64, &[hidden], 10).unwrap();
    let mut next = 0u32;
    let weights = Weights::generate(&config, |spec| {
        let one = |_| {
            next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (next >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..spec.len()).map(one).collect()
    });
    let dir = world.path(who).join("model");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), config.to_json()).unwrap();
    fs::write(
        dir.join("model.safetensors"),
        weights.unwrap().to_safetensors(),
    )
    .unwrap();
    text(&dir).to_owned()
}

/// The evaluator's daemon, its own memory and its children's limited to so much.
fn limited(world: &World, who: &str) -> Process {
    let args = ["evaluate", "run", "--threads", "1"];
    let plain = world.command(who, &args);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\""),
        ])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .process_group(0);
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap());
    }
    let talk = world.talk(who);
    command
        .stdin(Stdio::null())
        .stdout(talk.try_clone().unwrap());
    Process(command.stderr(talk).spawn().unwrap())
}

/// A child process of this one that has a ciphertext of at least so many bytes in its folder.
fn child_with(parent: u32, sealed_bytes: u64) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let sealed = fs::metadata(format!("/proc/{child}/cwd/model.sealed")).ok()?;
        (sealed.len() >= sealed_bytes).then(|| child.parse().ok())?
    })
}

fn said(world: &World, who: &str) -> String {
    fs::read_to_string(world.path(&format!("{who}.talk"))).unwrap_or_default()
}

/// What an evaluator's record said of each submission.
fn words(world: &World, bounty: ItemId, who: Address) -> Vec<Outcome> {
    let client = world.client();
    let mut words = Vec::new();
    for entry in client.bounty_history(bounty) {
        let entry = entry.unwrap();
        let (Cause::Record(record), Some("reveal-attestations")) =
            (entry.receipt.cause, entry.record_type.as_deref())
        else {
            continue;
        };
        let tx = Transaction::read(&client.record_item(record).unwrap()).unwrap();
        if let Action::RevealAttestations { body, .. } = tx.action
            && tx.signer == who
        {
            words.extend(body.attestations.into_iter().map(|word| word.outcome));
        }
    }
    words
}

#[test]
fn a_daemon_goes_on_after_its_child_was_killed_or_ran_out_of_memory() {
    let world = World::begin();
    let node = world.node("node");
    let client = world.client();
    for who in EVALUATORS {
        world.json(who, &["evaluate", "join", "2000"]);
    }
    let data = post_data(&world, &client);
    let file = world.bounty_file("Digits", &data.to_string());
    let limits = fs::read_to_string(&file).unwrap();
    let limits = limits
        .replace("parameters_max = 100_000", "parameters_max = 8_000_000")
        .replace("file_bytes_max = 1_048_576", "file_bytes_max = 40_000_000")
        .replace(
            "multiply_adds_max = 100_000",
            "multiply_adds_max = 8_000_000",
        );
    let is_fee = |line: &&str| line.starts_with("evaluation_fee = ");
    let fee = limits.lines().find(is_fee).unwrap().to_owned();
    fs::write(&file, limits.replace(&fee, "evaluation_fee = \"50\"")).unwrap();
    world.json("sponsor", &["bounty", "post", text(&file), "--even-so"]);
    let bounty = client.bounties(None).next().unwrap().unwrap().id;
    let id = bounty.to_string();
    for (who, hidden) in [("mina", LARGE), ("milo", 16)] {
        let model = write_model(&world, who, hidden);
        world.json(who, &["submit", &id, &model, "--name", who]);
    }
    let view = || client.bounty(bounty).unwrap();
    let [large, small] = [0, 1].map(|at| view().submissions[at].id);
    let pass = |from: Phase| {
        assert_eq!(view().summary.phase, from);
        client.set_clock(view().summary.until_ms + 1).unwrap();
    };
    let until_done = |what: &str, done: &dyn Fn(&BountyView) -> bool| {
        wait_until(what, || done(&view()));
    };

    let ada = world.spawn("ada", &["evaluate", "run", "--threads", "1"]);
    let emil = world.spawn("emil", &["evaluate", "run", "--threads", "1"]);
    let ines = limited(&world, "ines");
    pass(Phase::Open);
    world.json("sponsor", &["bounty", "reveal", &id]);
    pass(Phase::TestKey);
    until_done("a word on the test set", &is_done);
    pass(Phase::TestCheck);
    for (who, submission) in [("mina", large), ("milo", small)] {
        world.json(who, &["submission", "reveal", &submission.to_string()]);
    }
    pass(Phase::Reveal);

    // Ada's child, at work on the large model.
    let sealed_bytes = 4 * 64 * LARGE;
    let mut victim = None;
    wait_until("a child to kill", || {
        victim = child_with(ada.0.id(), sealed_bytes);
        victim.is_some()
    });
    let victim = victim.unwrap().to_string();
    let killed = Command::new("kill").args(["-9", &victim]).status();
    assert!(killed.unwrap().success());
    wait_until("the word that a child died", || {
        said(&world, "ada").contains("signal 9 ended it")
    });
    wait_until("the word that memory ran out", || {
        said(&world, "ines").contains("error[box]")
    });
    let is_committed = |view: &BountyView, who: &str| {
        let mut seats = view.seats.iter();
        let seat = seats.find(|seat| seat.evaluator == world.addresses[who]);
        seat.unwrap().commitment.is_some()
    };
    until_done("the commitments of the two with room", &|view| {
        is_committed(view, "ada") && is_committed(view, "emil")
    });
    wait_until("the word that the small one is scored", || {
        said(&world, "ines").contains(&small.to_string())
    });
    assert!(!is_committed(&view(), "ines"), "there is time to try again");
    // Five minutes before the end there is none.
    client.set_clock(view().summary.until_ms - 300_000).unwrap();
    until_done("the commitment of the one without", &is_done);
    // It says so after the network has answered it, which may be after the network told us.
    wait_until("the word that one is unavailable", || {
        said(&world, "ines").contains("committed to a batch of 2, 1 of them unavailable")
    });
    let talk = said(&world, "ines");
    assert!(
        talk.contains(&format!("submission {large} is not scored yet")),
        "{talk}"
    );
    pass(Phase::Score);
    until_done("all reveals", &is_done);
    pass(Phase::ScoreReveal);
    assert!(
        view().seats.iter().all(|seat| !seat.failed),
        "all keep their seats"
    );
    pass(Phase::Challenge);

    let ended = view();
    assert_eq!(ended.summary.phase, Phase::Settled);
    for submission in &ended.submissions {
        assert_ne!(
            submission.standing,
            Some(Standing::NoVerdict),
            "{submission:?}"
        );
    }
    for (who, unavailable) in [("ada", 0), ("emil", 0), ("ines", 1)] {
        let words = words(&world, bounty, world.addresses[who]);
        let found = words.iter().filter(|word| **word == Outcome::Unavailable);
        assert_eq!((words.len(), found.count()), (2, unavailable), "{who}");
        let account = client.account(world.addresses[who]).unwrap();
        assert!(account.evaluator.is_some(), "{who} is an evaluator still");
    }
    for evaluator in [ada, emil, ines] {
        evaluator.kill();
    }
    node.stop();
}
