//! Each deed of the example `misbehave`, done for real under limits.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sandbox::{Ending, Limits, Run, run};

/// Where cargo puts an example: beside the folder of the tests.
fn misbehave() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join("examples/misbehave");
    let hint = "is missing: cargo build -p sandbox --examples";
    assert!(path.is_file(), "{} {hint}", path.display());
    path
}

/// What the parent sets; what the child sets on itself is in the example.
const LIMITS: Limits = Limits {
    memory_bytes: 512 << 20,
    cpu_seconds: 1,
    wall: Duration::from_secs(20),
    file_bytes: 1 << 20,
    folder_bytes: 8 << 20,
    open_files: 16,
};

fn told(deed: &str, limits: &Limits) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for name in ["own", "readable"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("readable/file"), vec![7; 100_000]).unwrap();
    let mut command = Command::new(misbehave());
    command.env_clear().arg(deed).arg(folder.path());
    let ran = run(
        command,
        b"input that is not read",
        limits,
        &folder.path().join("own"),
    )
    .unwrap();
    assert!(!folder.path().join("outside").exists());
    assert_eq!(
        fs::read(folder.path().join("readable/file")).unwrap(),
        vec![7; 100_000]
    );
    ran
}

fn check(deed: &str, ending: Ending) {
    let ran = told(deed, &LIMITS);
    assert_eq!(ran.ending, ending, "{deed}: {}", ran.stderr);
    assert!(!ran.stderr.contains("missing:"), "{deed}: {}", ran.stderr);
}

/// The exit code of a child that was refused what it tried.
const REFUSED: Ending = Ending::Exit(10);

#[test]
fn an_honest_child_reads_writes_and_starts_threads() {
    check("behave", Ending::Exit(0));
}

#[test]
fn memory_beyond_the_limit_ends_it() {
    let ran = told("allocate", &LIMITS);
    assert_eq!(ran.ending, Ending::Signal(6));
    assert!(ran.stderr.contains("memory allocation"), "{}", ran.stderr);
    assert!(ran.ending.to_string().contains("memory"));
}

#[test]
fn no_program_is_started() {
    check("fork", REFUSED);
}

#[test]
fn a_descriptor_is_copied_and_flagged_and_nothing_else() {
    check("command", REFUSED);
}

#[test]
fn no_socket_is_opened() {
    for deed in ["socket", "listen", "connect"] {
        check(deed, REFUSED);
    }
}

#[test]
fn nothing_is_read_or_written_outside_its_folders() {
    for deed in ["write-outside", "write-readable", "read-outside", "link"] {
        check(deed, REFUSED);
    }
}

#[test]
fn a_file_too_long_ends_it() {
    check("write-much", Ending::FileBytes(1 << 20));
}

#[test]
fn a_folder_too_full_ends_it() {
    check("write-many", Ending::FolderBytes(8 << 20));
    // Folders that have no bytes at all.
    check("make-many", Ending::FolderBytes(8 << 20));
}

#[test]
fn too_many_open_files_are_refused() {
    check("open-many", REFUSED);
}

#[test]
fn a_child_that_spins_is_ended_by_its_processor_time() {
    check("spin", Ending::CpuTime(1));
}

#[test]
fn a_child_that_sleeps_is_ended_by_the_clock() {
    let wall = Duration::from_millis(300);
    let ran = told("sleep", &Limits { wall, ..LIMITS });
    assert_eq!(ran.ending, Ending::WallTime(wall));
}

#[test]
fn a_child_that_dies_is_told_from_one_that_ends() {
    check("abort", Ending::Signal(6));
    let ran = told("panic", &LIMITS);
    assert_eq!(ran.ending, Ending::Exit(101));
    assert!(ran.stderr.contains("as told"), "{}", ran.stderr);
}

#[test]
fn what_a_child_shouts_is_cut_and_made_plain() {
    let ran = told("shout", &LIMITS);
    assert_eq!(ran.ending, Ending::Exit(0));
    assert!(ran.stderr.len() <= 16 << 10);
    assert!(!ran.stderr.contains('\x1b'));
}
