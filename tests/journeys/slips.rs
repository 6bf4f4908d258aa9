//! What people get wrong, told before it costs them anything: too little money, a name given twice, an example or
//! an asset that is not there.
#![cfg(unix)]

use std::fs;

use protocol::{Amount, ItemId};
use serde_json::Value;

use crate::again::post;
use crate::market::{EVALUATORS, World};
use crate::{lode, stderr, stdout, text};

/// What a command says that fails: its exit code, and what stands on stderr.
fn fails(world: &World, who: &str, args: &[&str]) -> (i32, String) {
    let output = world.command(who, args).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    (output.status.code().unwrap(), stderr(&output))
}

/// What a command says on stderr that does what it is asked to.
fn says(world: &World, who: &str, args: &[&str]) -> String {
    let output = world.command(who, args).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

fn amount(value: &Value) -> Amount {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn who_signs_and_where_is_what_the_command_line_says() {
    let world = World::begin();
    let _node = world.node("node");
    let lumen = world.addresses["lumen"].to_string();
    let send = ["account", "send", &lumen, "1", "--yes"];
    let ends = |more: &[&str], name: &str, value: &str| {
        let mut command = world.command("backer", &[&send[..], more].concat());
        let output = command.env(name, value).output().unwrap();
        (output.status.code().unwrap(), stderr(&output))
    };
    // A key that is named counts before the environment.
    let (exit, told) = ends(&["--key", "other"], "LODE_SIGNER", "exec:false");
    assert!(exit == 3 && told.contains("no_key"), "{told}");
    let (exit, told) = ends(&["--key", "default"], "LODE_SIGNER", "exec:false");
    assert_eq!(exit, 0, "{told}");
    let both = ["--key", "default", "--signer", "exec:false"];
    let (exit, told) = ends(&both, "LODE_KEY", "default");
    assert!(exit == 2 && told.contains("two_signers"), "{told}");
    // Nothing is signed for another network than the one that is meant.
    let network = world.client().status().unwrap().network.to_string();
    let (exit, told) = ends(&[], "LODE_NETWORK", &network);
    assert_eq!(exit, 0, "{told}");
    let other = "A".repeat(43);
    let (exit, told) = ends(&[], "LODE_NETWORK", &other);
    assert!(exit == 3 && told.contains("other_network"), "{told}");
    let (exit, told) = ends(&["--network", &other], "LODE_NETWORK", &network);
    assert!(exit == 3 && told.contains("other_network"), "{told}");
    // Without a word whose money it is, nobody is asked.
    let asked = world.command("backer", &send[..4]).output().unwrap();
    let payer = format!("The key 'default', {}, pays.", world.addresses["backer"]);
    assert!(stderr(&asked).contains(&payer), "{}", stderr(&asked));
}

#[test]
fn words_that_a_file_could_keep_are_not_shown() {
    let world = World::begin();
    let told = says(
        &world,
        "mina",
        &["key", "new", "quiet", "--low-work-factor"],
    );
    assert!(
        told.contains("are not shown where a file may keep them"),
        "{told}"
    );
    assert!(told.split_whitespace().count() < 40, "{told}");
}

/// A model of its own, by a recipe with this seed.
fn train(world: &World, who: &str, bounty: &str, seed: u32) -> String {
    fs::create_dir_all(world.path(who)).unwrap();
    let recipe = format!("[model]\nhidden = [4]\n\n[train]\nepochs = 1\nseed = {seed}\n");
    fs::write(world.path(who).join("recipe.toml"), recipe).unwrap();
    let out = format!("model-{seed}");
    let args = ["train", bounty, "--recipe", "recipe.toml", "--out", &out];
    let plan = world.json(who, &[&args[..], &["--dry-run"]].concat());
    assert_eq!(plan["schema"], "lode.train.plan/1");
    assert_eq!(plan["out"], out.as_str());
    assert!(plan["recipe"].as_str().unwrap().contains("hidden = [4]"));
    assert!(!world.path(who).join(&out).exists(), "nothing is trained");
    world.json(who, &args);
    let (exit, told) = fails(world, who, &[&args[..4], &["--out", ".lode"]].concat());
    assert_eq!(exit, 2, "{told}");
    assert!(told.contains("output_exists"), "{told}");
    out
}

/// Sends away all but what a submission takes at once: what its key's record takes is lacking then.
fn leave_too_little(world: &World, who: &str, submit: &[&str]) {
    let account = || {
        world
            .client()
            .account(world.addresses[who])
            .unwrap()
            .balance
    };
    let trial = world.json(who, &[submit, &["--dry-run"]].concat());
    let moves = trial["receipt"]["moves"].as_array().unwrap().iter();
    let taken = moves.map(|step| amount(&step["amount"]));
    let taken = taken.fold(Amount::ZERO, |sum, part| sum.checked_add(part).unwrap());
    let lumen = world.addresses["lumen"].to_string();
    let rest = account().checked_sub(taken).unwrap();
    let send = |amount: Amount, dry: &[&str]| {
        let amount = amount.to_lode_string();
        world.json(who, &[&["account", "send", &lumen, &amount], dry].concat())
    };
    // It pays for itself too.
    let less = Amount::from_lode(1).unwrap();
    let trial = send(rest.checked_sub(less).unwrap(), &["--dry-run"]);
    let rest = rest.checked_sub(amount(&trial["byte_fee"])).unwrap();
    send(rest, &[]);
    assert_eq!(account(), taken);
}

#[test]
fn a_miner_is_told_what_lacks_and_what_is_called_the_same_before_anything_is_paid() {
    let world = World::begin();
    let _node = world.node("node");
    let client = world.client();
    let id = post(&world);
    let bounty = id.to_string();

    let again = ["submit", &bounty, "model", "--name", "Another"];
    assert!(says(&world, "mina", &again).contains("keeps the name 'model'"));

    let first = train(&world, "milo", &bounty, 2);
    let submit = ["submit", &bounty, &first, "--name", "Twin"];
    leave_too_little(&world, "milo", &submit);
    for more in ["--dry-run", "--yes"] {
        let (exit, told) = fails(&world, "milo", &[&submit[..], &[more]].concat());
        assert_eq!(exit, 5, "{told}");
        assert!(told.contains("insufficient_funds"), "{told}");
        assert!(
            told.contains("the record that reveals the key take"),
            "{told}"
        );
    }
    let milo = world.addresses["milo"].to_string();
    world.json("backer", &["account", "send", &milo, "500"]);
    let told = says(&world, "milo", &[&submit[..], &["--yes"]].concat());
    for part in ["byte fee of the key", "in all"] {
        assert!(told.contains(part), "{told}");
    }
    let second = train(&world, "milo", &bounty, 3);
    let submit = ["submit", &bounty, &second, "--name", "Twin", "--yes"];
    assert!(says(&world, "milo", &submit).contains("is called 'Twin'"));

    to_the_reveal(&world, id);
    let check = ["submit", &bounty, &second, "--check"];
    assert!(says(&world, "milo", &check).contains("takes no submissions any more"));
    let view = client.bounty(id).unwrap();
    let own = view.submissions.iter();
    let own = own.filter(|one| one.miner == world.addresses["milo"]);
    let own: Vec<String> = own.map(|one| one.id.to_string()).collect();
    let reveal = ["submission", "reveal", &own[0], &own[1]];
    // Once tried, once done, once found done.
    for (more, field) in [(&["--dry-run"][..], "trial"), (&[], "record"), (&[], "")] {
        let shown = world.json("milo", &[&reveal[..], more].concat());
        assert_eq!(shown["schema"], "lode.submission.reveal.list/1");
        let items = shown["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        for (item, id) in items.iter().zip(&own) {
            assert_eq!(item["submission"], **id);
            let fields = item.as_object().unwrap().keys();
            let fields: Vec<&String> = fields.filter(|name| *name != "submission").collect();
            assert_eq!(fields.len(), usize::from(!field.is_empty()));
            assert!(field.is_empty() || item[field].is_object());
        }
    }
    let reproduce = ["evaluate", "reproduce", &bounty, &own[0], "9999"];
    let (exit, told) = fails(&world, "ada", &reproduce);
    assert_eq!(exit, 2, "{told}");
    assert!(told.contains("no_example"), "{told}");
}

/// Drives the clock, and what has to be done, to the phase 'reveal'.
fn to_the_reveal(world: &World, id: ItemId) {
    let client = world.client();
    let next = || {
        let until_ms = client.bounty(id).unwrap().summary.until_ms;
        client.set_clock(until_ms + 1).unwrap();
    };
    next();
    let bounty = id.to_string();
    world.json("sponsor", &["bounty", "reveal", &bounty]);
    next();
    for who in EVALUATORS {
        says(world, who, &["evaluate", "once", &bounty, "--yes"]);
    }
    next();
    assert_eq!(client.bounty(id).unwrap().summary.phase.name(), "reveal");
}

#[test]
fn a_sponsor_reads_the_whole_sum_and_whose_fault_a_parent_is() {
    let world = World::begin();
    let _node = world.node("node");
    let id = post(&world);
    let view = world.client().bounty(id).unwrap();
    let data = view.posting.parents[0].asset.to_string();
    let file = world.bounty_file("Second", &data);
    let check = ["bounty", "check", text(&file), "--even-so"];
    let output = world.command("sponsor", &check).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    for part in ["byte fee of the key", "in all"] {
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
    let file = world.bounty_file("Third", "no such data");
    let check = ["bounty", "check", text(&file), "--even-so"];
    let (exit, told) = fails(&world, "sponsor", &check);
    assert_eq!(exit, 2, "{told}");
    assert!(told.contains("bounty_file"), "{told}");
}

#[test]
fn numbers_that_no_data_set_has_are_slips_of_the_command_line() {
    let temp = tempfile::tempdir().unwrap();
    let csv = temp.path().join("rows.csv");
    fs::write(&csv, "0,1\n1,2\n0,3\n1,4\n1,x\n").unwrap();
    let dir = temp.path().join("rows");
    let init = [
        "dataset",
        "init",
        text(&dir),
        "--csv",
        text(&csv),
        "--name",
        "Rows",
        "--attribution",
        "nobody",
        "--label",
        "0",
    ];
    for (more, what) in [
        (["--divide-by", "0"], "--divide-by"),
        (["--classes", "1"], "--classes"),
        (["--split-test", "0"], "--split-test"),
        // The fifth line of what was given, whichever part it would be in.
        (["--split-test", "2"], "rows.csv': line 5, column 2"),
    ] {
        let output = lode(&[&init[..], &more].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}
