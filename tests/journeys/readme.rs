//! README's paths, run as they stand there with the built binary.
//!
//! Every `sh` block of the part "Use it", one after the other, in one shell. Only
//! two things are the test's: the node gets a port of its own, and a clock that
//! the test drives, so that no phase ends before its work is done.

#![cfg(unix)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use client::Client;
use protocol::receipt::Phase;

use crate::market::is_done;

/// The longest that all of it may take, in looks of a twentieth of a second.
const LOOKS_MAX: u32 = 6_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shell blocks of a part of README.
fn blocks(part: &str) -> String {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let begin = text
        .find(&format!("## {part}\n"))
        .expect("the part is there");
    let text = &text[begin + 3..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().expect("a block ends"))
        .collect()
}

/// A `lode` for the path: the built one, its node with a port and a clock of the test's.
fn wrapper(port: u16) -> String {
    format!(
        "#!/bin/sh\nif [ \"$1\" = node ]; then\n  shift\n  exec '{0}' node --clock hand --listen 127.0.0.1:{port} \"$@\"\nfi\nexec '{0}' \"$@\"\n",
        env!("CARGO_BIN_EXE_lode")
    )
}

#[test]
fn the_paths_of_readme_work_as_they_stand_there() {
    let temp = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let bin = temp.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("lode"), wrapper(port)).unwrap();
    fs::set_permissions(bin.join("lode"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(root().join("examples"), temp.path().join("examples")).unwrap();

    let script = blocks("Use it");
    assert!(script.lines().count() > 30, "README has lost its paths");
    // A person types more slowly than a node starts.
    let script = script.replacen(
        "lode node --dev --dir play &\n",
        "lode node --dev --dir play &\nuntil lode account show AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; do sleep 0.1; done\n",
        1,
    );
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let out = temp.path().join("out.txt");
    let file = fs::File::create(&out).unwrap();
    let mut shell = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(temp.path())
        .env("PATH", path)
        .env("LODE_HOME", temp.path().join("home"))
        .env("LODE_NODE", format!("http://127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        // Whatever it leaves running ends with it.
        .process_group(0)
        .spawn()
        .unwrap();
    let group = format!("-{}", shell.id());
    let ended = drive(&mut shell, &format!("http://127.0.0.1:{port}"));
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    let said = fs::read_to_string(&out).unwrap();
    assert!(ended, "README's paths did not end well:\n{said}");
    assert!(
        said.contains("every signature, root and balance holds"),
        "{said}"
    );
}

/// Moves the clock on whenever a phase's work is done, until the shell has ended.
fn drive(shell: &mut std::process::Child, url: &str) -> bool {
    let client = Client::new(url).unwrap();
    for _ in 0..LOOKS_MAX {
        if let Some(status) = shell.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(50));
        let Some(Ok(bounty)) = client.bounties(None).next() else {
            continue;
        };
        let Ok(view) = client.bounty(bounty.id) else {
            continue;
        };
        let is_open = view.summary.phase == Phase::Open;
        let is_done = if is_open {
            !view.submissions.is_empty()
        } else {
            is_done(&view)
        };
        if is_done && !matches!(view.summary.phase, Phase::Settled | Phase::Void(_)) {
            let _ = client.set_clock(view.summary.until_ms + 1);
        }
    }
    let _ = shell.kill();
    false
}
