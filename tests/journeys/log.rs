//! The log alone gives the state, and no bit of it can be changed unseen.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Demo, lode, stderr, text};

fn export(demo: &Demo) -> PathBuf {
    let out = demo.beside("log.bundle");
    let output = lode(&[
        "log",
        "export",
        "--dir",
        text(&demo.dir()),
        "--out",
        text(&out),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    out
}

#[test]
fn replaying_the_exported_bundle_gives_the_live_state_root() {
    let demo = Demo::play();
    let bundle = export(&demo);
    let demo = &demo.json;
    let output = lode(&["log", "replay", text(&bundle), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let replayed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["state_root", "height"] {
        assert_eq!(replayed[key], demo[key], "{key}");
    }
    for row in demo["balances"].as_array().unwrap() {
        let balance = &replayed["balances"][row["address"].as_str().unwrap()];
        let expected = if balance.is_null() {
            &serde_json::Value::from("0")
        } else {
            balance
        };
        assert_eq!(&row["balance"], expected);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_with_its_place() {
    let bundle = fs::read(export(&Demo::play())).unwrap();
    node::replay::replay(&bundle[..], |_| {}).unwrap();
    let items = protocol::ans104::bundle::decode(&bundle).unwrap();
    let mut begins = vec![32 + 64 * items.len()];
    for (place, item) in items.iter().enumerate() {
        begins.push(begins[place] + item.bytes().len());
    }
    let flips = (0..bundle.len()).step_by(bundle.len() / 300 + 1);
    for (count, at) in flips.enumerate() {
        let mut flipped = bundle.clone();
        flipped[at] ^= 1 << (count % 8);
        let error = match node::replay::replay(&flipped[..], |_| {}) {
            Err(error) => error,
            Ok(_) => panic!("the flip of byte {at} was not seen"),
        };
        // What is wrong in the list of sizes and ids may show later.
        if at >= begins[0] {
            let item = begins.partition_point(|&begin| begin <= at) - 1;
            assert_eq!(error.item, Some(item as u64), "byte {at}: {error}");
            let offset = error.offset as usize;
            assert!(
                (begins[item]..=begins[item + 1]).contains(&offset),
                "byte {at}: {error}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_fails_the_command_with_a_code_and_a_next_step() {
    let demo = Demo::play();
    let path = export(&demo);
    let mut bundle = fs::read(&path).unwrap();
    let middle = bundle.len() / 2;
    bundle[middle] ^= 4;
    fs::write(&path, bundle).unwrap();
    let output = lode(&["log", "replay", text(&path)]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("error[bundle]") && text.contains("next: do not trust this file"),
        "{text}"
    );
}

#[test]
fn another_file_than_a_log_is_taken_for_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for bytes in [Vec::new(), b"hello".to_vec(), vec![0; 500], vec![0xff; 500]] {
        fs::write(&path, bytes).unwrap();
        let output = lode(&["log", "replay", text(&path)]);
        assert_eq!(output.status.code(), Some(1));
        let error = stderr(&output);
        assert!(error.contains("error[bundle]"), "{error}");
        assert!(error.contains("is no exported log"), "{error}");
        assert!(
            error.contains("next: name the file that 'lode log export' wrote"),
            "{error}"
        );
    }
}

#[test]
fn a_deleted_or_damaged_state_is_rebuilt_from_the_log_and_said_so() {
    let demo = Demo::play();
    let dir = demo.dir();
    let root = demo.json["state_root"].as_str().unwrap();
    let copy = demo.beside("damaged");
    let fresh = || {
        let _ = fs::remove_dir_all(&copy);
        for folder in ["log", "state"] {
            copy_folder(&dir.join(folder), &copy.join(folder));
        }
    };
    let open = || {
        let (chain, recovery) = node::chain::Chain::open(&copy, None).unwrap();
        (chain.state().root().to_string(), recovery.to_string())
    };
    fresh();
    let (undisturbed, _) = open();
    assert_eq!(undisturbed, root);

    fresh();
    fs::remove_dir_all(copy.join("state")).unwrap();
    let (rebuilt, told) = open();
    assert_eq!(rebuilt, root);
    assert!(told.contains("rebuilt"), "{told}");

    fresh();
    overwrite_files(&copy.join("state"));
    let (rebuilt, told) = open();
    assert_eq!(rebuilt, root);
    assert!(told.contains("rebuilt"), "{told}");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder that was just written");
    for entry in fs::read_dir(from).expect("a folder that was just written") {
        let entry = entry.expect("a folder that was just written");
        let target = to.join(entry.file_name());
        if entry
            .file_type()
            .expect("a folder that was just written")
            .is_dir()
        {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a folder that was just written");
        }
    }
}

fn overwrite_files(dir: &Path) {
    for entry in fs::read_dir(dir).expect("a folder that was just written") {
        let path = entry.expect("a folder that was just written").path();
        if path.is_dir() {
            overwrite_files(&path);
        } else {
            let size = fs::metadata(&path)
                .expect("a folder that was just written")
                .len() as usize;
            fs::write(&path, vec![0xa5; size]).expect("a folder that was just written");
        }
    }
}

#[test]
fn what_is_not_there_is_said_with_its_own_exit_code() {
    let demo = Demo::play();
    let nowhere = demo.beside("nowhere");
    let missing = text(&nowhere);
    for args in [
        vec!["log", "export", "--dir", missing],
        vec!["log", "replay", missing],
    ] {
        let output = lode(&args);
        assert_eq!(
            output.status.code(),
            Some(4),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(stderr(&output).contains("next:"));
    }
    assert_eq!(lode(&["log", "frobnicate"]).status.code(), Some(2));
    let bundle = export(&demo);
    let again = lode(&[
        "log",
        "export",
        "--dir",
        text(&demo.dir()),
        "--out",
        text(&bundle),
    ]);
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
}

#[test]
fn an_export_overwrites_nothing_of_worth() {
    let demo = Demo::play();
    let dir = demo.dir();
    let segment = dir.join("log/blocks-00000000000000000000.log");
    let before = fs::read(&segment).unwrap();
    let folder = demo.beside("a folder");
    fs::create_dir(&folder).unwrap();
    for out in [
        &segment,
        &dir.join("log/lock"),
        &dir.join("blobs/new"),
        &folder,
    ] {
        let output = lode(&[
            "log",
            "export",
            "--dir",
            text(&dir),
            "--out",
            text(out),
            "--force",
        ]);
        assert_eq!(output.status.code(), Some(2), "{}", out.display());
    }
    assert_eq!(fs::read(&segment).unwrap(), before);
}

#[test]
fn a_last_block_that_is_not_whole_is_left_out_only_when_asked() {
    let demo = Demo::play();
    let dir = demo.dir();
    let segment = dir.join("log/blocks-00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let out = demo.beside("log.bundle");
    let args = [
        "log",
        "export",
        "--dir",
        text(&dir),
        "--out",
        text(&out),
        "--json",
    ];
    let refused = lode(&args);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("log_tail"),
        "{}",
        stderr(&refused)
    );
    let partial = lode(&[&args[..], &["--partial"]].concat());
    assert!(partial.status.success(), "{}", stderr(&partial));
    let told: serde_json::Value = serde_json::from_slice(&partial.stdout).unwrap();
    let height = demo.json["height"].as_u64().unwrap();
    assert_eq!(told["height"].as_u64(), Some(height - 1));
    assert_eq!(told["left_out_height"].as_u64(), Some(height));
    assert_eq!(fs::read(&segment).unwrap(), bytes, "an export only reads");
}

#[test]
fn what_has_no_dry_run_does_nothing_instead_of_its_work() {
    let dir = tempfile::tempdir().expect("a folder");
    for args in [
        &["demo", "--dir", "out"][..],
        &["man", "--dir", "out"],
        &["model", "get", "M", "out"],
        &["license", "certificate", "L", "--out", "out"],
        &["dataset", "get", "D", "out"],
        &["log", "export", "--dir", "log", "--out", "out"],
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lode"))
            .args(args)
            .arg("--dry-run")
            .env("LODE_HOME", dir.path().join("home"))
            .current_dir(&dir)
            .output()
            .expect("the binary runs");
        let told = super::stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains("has no dry run"), "{args:?}: {told}");
        assert!(!dir.path().join("out").exists(), "{args:?}");
    }
}

/// What a dry run prints begins the network that it describes.
#[test]
fn a_genesis_that_a_dry_run_printed_is_read_as_it_stands() {
    let dir = tempfile::tempdir().expect("a folder");
    let account = protocol::Address([7; 32]).to_string();
    let node = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lode"))
            .args(["node", "--dry-run"])
            .args(args)
            .output()
            .expect("the binary runs");
        (output.status.success(), super::stdout(&output))
    };
    let allocation = format!("{account}=1000");
    let (is_good, printed) = node(&["--name", "Mine", "--allocate", &allocation]);
    assert!(is_good);
    let file = dir.path().join("genesis.json");
    std::fs::write(&file, &printed).expect("room");
    let file = file.to_str().expect("a plain path");
    assert_eq!(node(&["--genesis", file]), (true, printed.clone()));
    let genesis: protocol::record::Genesis = serde_json::from_str(&printed).expect("a genesis");
    assert_eq!(genesis.name.to_string(), "Mine");
    assert_eq!(genesis.allocations.len(), 1);
    // Who has the tokens must be said, and is not known of a faucet to come.
    assert!(!node(&[]).0);
    assert!(!node(&["--dev", "--allocate", &allocation]).0);
}
