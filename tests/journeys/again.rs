//! Commands that were broken off and are run again, and daemons under which something breaks: nothing is paid
//! twice, and nothing that passes by itself costs a bond.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::receipt::Phase;
use protocol::{Amount, ItemId};

use crate::market::{EVALUATORS, Process, World, post_data, wait_until};
use crate::{stderr, text};

/// Puts a record where a command leaves it that dies before the answer has come.
fn leave_open(world: &World, who: &str, record: ItemId) -> std::path::PathBuf {
    let client = world.client();
    let network = client.status().unwrap().network;
    let name = format!("{}@{network}.item", world.addresses[who]);
    let path = world.path(who).join(".lode/outbox").join(name);
    fs::write(&path, client.record_item(record).unwrap().bytes()).unwrap();
    path
}

#[test]
fn a_command_that_was_broken_off_and_is_run_again_pays_once() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let lumen = world.addresses["lumen"].to_string();
    let balance = || client.account(world.addresses["lumen"]).unwrap().balance;
    let send = |amount: &str| world.json("backer", &["account", "send", &lumen, amount]);
    let first: ItemId = send("5")["id"].as_str().unwrap().parse().unwrap();
    let paid = balance();

    let open = leave_open(&world, "backer", first);
    let mut dry = world.command("backer", &["account", "send", &lumen, "5"]);
    let dry = dry.args(["--dry-run", "--json"]).output().unwrap();
    assert!(dry.status.success(), "{}", stderr(&dry));
    assert!(open.exists(), "a dry run leaves it as it is");

    assert_eq!(send("5")["id"], first.to_string());
    assert_eq!(balance(), paid);
    assert!(!open.exists());
    // It is forgotten, so the next one is another.
    assert_ne!(send("5")["id"], first.to_string());
    assert!(balance() > paid);

    // What was left open asked for something else.
    let open = leave_open(&world, "backer", first);
    let before = balance();
    assert_ne!(send("6")["id"], first.to_string());
    assert!(balance() > before);
    assert!(!open.exists());

    // Hours later somebody may well want it again: they are asked to say so.
    let open = leave_open(&world, "backer", first);
    let clock_ms = client.status().unwrap().clock_ms;
    client.set_clock(clock_ms + 2 * 3_600_000).unwrap();
    let before = balance();
    let mut late = world.command("backer", &["account", "send", &lumen, "5", "--yes"]);
    let late = late.output().unwrap();
    assert_eq!(late.status.code(), Some(5), "{}", stderr(&late));
    assert!(stderr(&late).contains("sent_before"));
    assert_eq!(balance(), before);
    assert!(!open.exists());
    send("5");
    assert!(balance() > before);
}

#[test]
fn a_key_is_shown_to_nobody_before_its_phase_and_an_unreadable_seal_is_not_nothing() {
    let world = World::begin();
    let _node = world.node("node");
    let id = post(&world);
    let submission = world.client().bounty(id).unwrap().submissions[0]
        .id
        .to_string();
    for dry in [&["--yes"][..], &["--dry-run"][..]] {
        let args = [&["submission", "reveal", &submission][..], dry].concat();
        let refused = world.command("mina", &args).output().unwrap();
        assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
        // The node would say the same, but it would have the key by then.
        assert!(stderr(&refused).contains("who has the key has the model"));
    }
    for seal in fs::read_dir(world.path("mina").join(".lode/seals")).unwrap() {
        fs::write(seal.unwrap().path(), "{").unwrap();
    }
    let watch = ["submission", "reveal", "--watch"];
    let ended = world.command("mina", &watch).output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("seals_unread"));
}

#[test]
fn what_another_command_of_the_account_settles_is_not_paid_twice_by_running_it_again() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let lumen = world.addresses["lumen"].to_string();
    let balance = || client.account(world.addresses["lumen"]).unwrap().balance;
    let send = || world.json("backer", &["account", "send", &lumen, "5"]);
    let first: ItemId = send()["id"].as_str().unwrap().parse().unwrap();
    let open = leave_open(&world, "backer", first);
    let paid = balance();
    // The daemon comes before whoever runs the command again.
    let mut daemon = world.command("backer", &["evaluate", "run", "--once"]);
    let daemon = daemon.output().unwrap();
    assert!(daemon.status.success(), "{}", stderr(&daemon));
    assert!(!open.exists(), "it was settled");
    assert_eq!(send()["id"], first.to_string());
    assert_eq!(balance(), paid);
    // Told once; the next one is another.
    assert_ne!(send()["id"], first.to_string());
    assert!(balance() > paid);
    // So is what a person's command settles on the way to something else.
    leave_open(&world, "backer", first);
    world.json("backer", &["account", "send", &lumen, "6"]);
    let before = balance();
    assert_eq!(send()["id"], first.to_string());
    assert_eq!(balance(), before);
    assert_ne!(send()["id"], first.to_string());
    assert!(balance() > before);

    // And what 'doctor' does, which is where people are sent whose command had no answer.
    leave_open(&world, "backer", first);
    let doctor = world
        .command("backer", &["doctor", "--yes"])
        .output()
        .unwrap();
    let said = format!("is final: {first}. What it was for is done");
    let doctor = crate::stdout(&doctor) + &stderr(&doctor);
    assert!(doctor.contains(&said), "{doctor}");
    let before = balance();
    assert_eq!(send()["id"], first.to_string());
    assert_eq!(balance(), before);

    // Who settles it says so.
    leave_open(&world, "backer", first);
    let mut claim = world.command("backer", &["royalty", "claim", "--all", "--yes"]);
    let claim = stderr(&claim.output().unwrap());
    let said = format!("still open and is on the log now: {first}");
    assert!(claim.contains(&said), "{claim}");

    // What was settled the day before yesterday is nobody's any more.
    leave_open(&world, "backer", first);
    let mut daemon = world.command("backer", &["evaluate", "run", "--once"]);
    assert!(daemon.output().unwrap().status.success());
    let clock_ms = client.status().unwrap().clock_ms;
    client.set_clock(clock_ms + 2 * 24 * 3_600_000).unwrap();
    let before = balance();
    assert_ne!(send()["id"], first.to_string());
    assert!(balance() > before);
    let outbox = fs::read_dir(open.parent().unwrap()).unwrap();
    let settled = outbox.filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension().is_some_and(|end| end == "settled")
    });
    assert_eq!(settled.count(), 0);

    // What its own command left open is asked about however old it is.
    leave_open(&world, "backer", first);
    let before = balance();
    let mut late = world.command("backer", &["account", "send", &lumen, "5", "--yes"]);
    let late = late.output().unwrap();
    assert!(stderr(&late).contains("sent_before"), "{}", stderr(&late));
    assert_eq!(balance(), before);
}

#[test]
fn a_sponsors_own_bounty_is_meant_though_another_has_its_title() {
    let world = World::begin();
    let _node = world.node("node");
    post(&world);
    let file = world.path("sponsor").join("Digits.toml");
    world.json("backer", &["bounty", "post", text(&file), "--even-so"]);
    for (who, code) in [
        ("sponsor", "bounty_open"),
        ("backer", "bounty_open"),
        ("mina", "ambiguous"),
    ] {
        let mut reveal = world.command(who, &["bounty", "reveal", "Digits", "--yes"]);
        let reveal = stderr(&reveal.output().unwrap());
        assert!(reveal.contains(code), "{who}: {reveal}");
    }
}

#[test]
fn seals_of_another_key_are_not_nothing_to_reveal() {
    let world = World::begin();
    let _node = world.node("node");
    post(&world);
    let new = ["key", "new", "second", "--low-work-factor", "--hide-words"];
    world.json("mina", &new);
    let watch = ["submission", "reveal", "--watch", "--key", "second"];
    let ended = world.command("mina", &watch).output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("other_seals"));
    assert!(stderr(&ended).contains(&world.addresses["mina"].to_string()));
    // Beside one of its own they are named.
    let id = world.client().bounties(None).next().unwrap().unwrap().id;
    let second = world.json("mina", &["key", "show", "second"]);
    let second = second["address"].as_str().unwrap();
    world.json("mina", &["account", "send", second, "200"]);
    let id = id.to_string();
    let submit = ["submit", &id, "model", "--key", "second", "--even-so"];
    world.json("mina", &submit);
    let mut watch = world.command("mina", &watch);
    let mut watch = watch.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 4_096];
    let mut len = 0;
    while !String::from_utf8_lossy(&said[..len]).contains("wait here too") {
        let more = watch
            .stderr
            .as_mut()
            .unwrap()
            .read(&mut said[len..])
            .unwrap();
        assert!(more > 0, "{}", String::from_utf8_lossy(&said[..len]));
        len += more;
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    let said = String::from_utf8_lossy(&said[..len]).into_owned();
    assert!(
        said.contains(&world.addresses["mina"].to_string()),
        "{said}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn talk_that_nobody_can_hear_is_no_reason_to_end() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let world = World::begin();
    let _node = world.node("node");
    let mut command = world.command("mina", &["bounty", "show", "no such bounty"]);
    let status = command.stdout(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(4));
}

#[cfg(target_os = "linux")]
#[test]
fn what_could_not_be_shown_is_done_once_and_shown_by_the_same_command() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let lumen = world.addresses["lumen"].to_string();
    let balance = || client.account(world.addresses["lumen"]).unwrap().balance;
    let before = balance();
    for json in [&["--yes"][..], &["--yes", "--json"][..]] {
        let args = [&["account", "send", &lumen, "5"][..], json].concat();
        let mut unseen = world.command("backer", &args);
        let unseen = unseen.stdout(full()).output().unwrap();
        assert_eq!(unseen.status.code(), Some(1));
        assert!(stderr(&unseen).contains("not_shown"), "{}", stderr(&unseen));
        let paid = balance();
        assert!(paid > before);
        world.json("backer", &["account", "send", &lumen, "5"]);
        assert_eq!(balance(), paid, "the same command shows what was done");
        world.json("backer", &["account", "send", &lumen, "1"]);
    }
}

/// Forwards to the node, or answers as a proxy does that has lost it.
fn proxy(node: &str, is_lost: Arc<AtomicBool>) -> String {
    let node = node.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, node, is_lost) = (client.unwrap(), node.clone(), Arc::clone(&is_lost));
            std::thread::spawn(move || pass(client, &node, &is_lost));
        }
    });
    url
}

fn pass(mut client: TcpStream, node: &str, is_lost: &Arc<AtomicBool>) {
    const LOST: &[u8] =
        b"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 19\r\n\
        connection: close\r\n\r\n404 page not found\n";
    let Ok(mut server) = TcpStream::connect(node) else {
        return;
    };
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 4_096];
    while let Ok(count) = client.read(&mut buffer) {
        if count == 0 || is_lost.load(Ordering::SeqCst) {
            let _ = client.write_all(LOST);
            break;
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
    let _ = back.join();
}

#[cfg(target_os = "linux")]
#[test]
fn a_sponsors_watch_outlives_a_proxy_that_has_lost_the_node() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let id = post(&world);
    let is_lost = Arc::new(AtomicBool::new(false));
    let url = proxy(client.url(), Arc::clone(&is_lost));
    let watch = ["bounty", "watch", &id.to_string(), "--reveal"];
    let mut command = world.command("sponsor", &watch);
    let talk = world.talk("sponsor");
    command.env("LODE_NODE", url).stdin(Stdio::null());
    // Nobody reads what it prints, either.
    let full = fs::File::options().write(true).open("/dev/full");
    command.stdout(full.map_or_else(|_| Stdio::null(), Stdio::from));
    command.stderr(talk);
    let mut daemon = Process(command.spawn().unwrap());
    let said = |what: &str| {
        let talk = fs::read_to_string(world.path("sponsor.talk")).unwrap_or_default();
        talk.contains(what)
    };
    wait_until("the watch begins", || said("trying on"));
    is_lost.store(true, Ordering::SeqCst);
    wait_until("the loss is noticed", || said("the node does not answer"));
    assert!(daemon.0.try_wait().unwrap().is_none(), "it goes on");
    let view = || client.bounty(id).unwrap();
    client.set_clock(view().summary.until_ms + 1).unwrap();
    assert_eq!(view().summary.phase, Phase::TestKey);
    is_lost.store(false, Ordering::SeqCst);
    wait_until("the key is out", || view().test_key.is_some());
}

/// Takes all the streams of events that the node gives.
fn all_event_streams(url: &str) -> Vec<TcpStream> {
    let node = url.trim_start_matches("http://");
    let ask = format!("GET /v1/events HTTP/1.1\r\nHost: {node}\r\n\r\n");
    let mut taken = Vec::new();
    loop {
        let mut stream = TcpStream::connect(node).unwrap();
        stream.write_all(ask.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        if !status.ends_with(b"200") {
            assert!(
                status.ends_with(b"503"),
                "{}",
                String::from_utf8_lossy(&status)
            );
            return taken;
        }
        taken.push(stream);
    }
}

#[test]
fn a_sponsors_watch_reveals_where_others_have_all_streams_of_events() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let id = post(&world);
    let taken = all_event_streams(client.url());
    assert!(!taken.is_empty());
    let view = || client.bounty(id).unwrap();
    let _watch = world.spawn("sponsor", &["bounty", "watch", &id.to_string(), "--reveal"]);
    // It has looked, asked for a stream, and got none.
    let told = world.path("sponsor.talk");
    wait_until("it watches", || {
        let told = fs::read_to_string(&told).unwrap_or_default();
        told.contains("is revealed as soon as its phase begins")
    });
    client.set_clock(view().summary.until_ms + 1).unwrap();
    wait_until("the key is out", || view().test_key.is_some());
    drop(taken);
}

#[test]
fn a_sponsor_who_withholds_the_key_reads_what_became_of_the_bond() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let id = post(&world);
    for _ in 0..2 {
        let until_ms = client.bounty(id).unwrap().summary.until_ms;
        client.set_clock(until_ms + 1).unwrap();
    }
    let bond = client.bounty(id).unwrap().bond;
    let explain = ["bounty", "explain", &id.to_string()];
    let told = world.json("sponsor", &explain);
    let accounts = told["accounts"].as_array().unwrap();
    let sponsor = world.addresses["sponsor"].to_string();
    let own = accounts
        .iter()
        .find(|one| one["account"] == sponsor)
        .unwrap();
    let lost = own["bonds_lost"].as_array().unwrap();
    let lost: Vec<Amount> = lost
        .iter()
        .map(|part| part["amount"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(lost.len(), 2, "burned, and for who was harmed");
    assert_eq!(lost[0].checked_add(lost[1]), Some(bond));
    let shown = world.command("sponsor", &explain).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("LOST"), "{shown}");
}

/// A bounty, with the evaluators that its pool needs and one model.
pub fn post(world: &World) -> ItemId {
    let client = world.client();
    for who in EVALUATORS {
        world.json(who, &["evaluate", "join", "2000"]);
    }
    let data = post_data(world, &client);
    let file = world.bounty_file("Digits", &data.to_string());
    world.json("sponsor", &["bounty", "post", text(&file), "--even-so"]);
    let id = client.bounties(None).next().unwrap().unwrap().id;
    let bounty = id.to_string();
    fs::create_dir_all(world.path("mina")).unwrap();
    let recipe = "[model]\nhidden = [4]\n\n[train]\nepochs = 1\nseed = 1\n";
    fs::write(world.path("mina").join("recipe.toml"), recipe).unwrap();
    let train = [
        "train",
        &bounty,
        "--recipe",
        "recipe.toml",
        "--out",
        "model",
    ];
    world.json("mina", &train);
    world.json("mina", &["submit", &bounty, "model"]);
    id
}
