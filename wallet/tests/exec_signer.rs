//! Programs that sign, started for real: the examples `signer` and `bad_signer`.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::ans104::{Draft, Tag};
use wallet::key_file::{self, WORK_FACTOR_DEMO, WriteOptions};
use wallet::signer::ExecCommand;
use wallet::{
    ExecFlaw, ExecSigner, FileSigner, Passphrase, PassphraseSource, RecoveryWords, Signer,
    SignerSpec, WalletError,
};

/// Where cargo puts an example: beside the folder of the tests. Cargo builds
/// examples with the tests, unless it is told to build one test alone.
fn example(name: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing: cargo build -p wallet --examples",
        path.display()
    );
    format!("'{}'", path.display())
}

fn draft() -> Draft {
    Draft {
        target: Some([1; 32]),
        anchor: None,
        tags: vec![Tag::new("Record-Type", "transfer"), Tag::new("é\"", "\n")],
        data: b"{\"amount\":\"1\"}".to_vec(),
    }
}

fn words() -> RecoveryWords {
    RecoveryWords::from_entropy(&[7; 32])
}

/// A folder with a key file and a passphrase file.
fn key(folder: &Path) -> (PathBuf, PathBuf) {
    let (path, passphrase) = (folder.join("a key.age"), folder.join("a passphrase"));
    std::fs::write(&passphrase, "hunter2\n").unwrap();
    let options = WriteOptions {
        work_factor: Some(WORK_FACTOR_DEMO),
        replace: false,
    };
    let text = Passphrase::new("hunter2".to_owned()).unwrap();
    key_file::write(&path, &words(), &text, options).unwrap();
    (path, passphrase)
}

fn bad(kind: &str, timeout: Duration) -> Result<ExecSigner, ExecFlaw> {
    let command: ExecCommand = format!("{} {kind}", example("bad_signer")).parse().unwrap();
    ExecSigner::open_within(command, timeout).map_err(flaw)
}

fn flaw(error: WalletError) -> ExecFlaw {
    assert!(error.is_key_or_permission());
    match error {
        WalletError::Exec { flaw, .. } => flaw,
        other => panic!("{other}"),
    }
}

const LONG: Duration = Duration::from_secs(120);

#[test]
fn a_program_and_a_key_file_sign_the_same_item() {
    let folder = tempfile::tempdir().unwrap();
    let (path, passphrase) = key(folder.path());
    let source = PassphraseSource::File(passphrase.clone());
    let file: SignerSpec = format!("file:{}", path.display()).parse().unwrap();
    let exec: SignerSpec = format!(
        "exec:{} '{}' '{}'",
        example("signer"),
        path.display(),
        passphrase.display()
    )
    .parse()
    .unwrap();
    let public = words().secret_key().public();
    assert_eq!(file.public().unwrap(), public);
    assert_eq!(exec.public().unwrap(), public);

    let large = Draft {
        data: vec![b'x'; 300_000],
        ..Draft::default()
    };
    let (file, exec) = (file.open(&source).unwrap(), exec.open(&source).unwrap());
    assert_eq!(exec.address(), public.address());
    for draft in [draft(), Draft::default(), large] {
        let made = exec.sign(draft.clone()).unwrap();
        assert_eq!(made, file.sign(draft.clone()).unwrap());
        assert_eq!(
            made,
            FileSigner::from(words().secret_key()).sign(draft).unwrap()
        );
    }
}

#[test]
fn a_program_that_cannot_open_its_key_says_so() {
    let command: ExecCommand = format!("{} nowhere nowhere", example("signer"))
        .parse()
        .unwrap();
    let error = ExecSigner::open_within(command, LONG).unwrap_err();
    assert_eq!(error.code(), "exec_declined");
    assert_eq!(
        flaw(error),
        ExecFlaw::Declined("nowhere does not exist".to_owned())
    );
}

#[test]
fn a_program_that_breaks_the_protocol_is_named_with_how() {
    let found = |kind: &str| bad(kind, LONG).unwrap_err();
    assert_eq!(found("silent"), ExecFlaw::NoAnswer { exit_code: Some(0) });
    assert_eq!(found("fails"), ExecFlaw::NoAnswer { exit_code: Some(7) });
    assert_eq!(found("floods"), ExecFlaw::TooLong);
    assert_eq!(found("babbles"), ExecFlaw::Form("public"));
    assert_eq!(found("empty"), ExecFlaw::Form("public"));
    assert_eq!(
        found("declines"),
        ExecFlaw::Declined("the  [31mkey is in the safe".to_owned())
    );
}

#[test]
fn a_program_that_never_answers_is_ended() {
    let short = Duration::from_millis(50);
    assert_eq!(bad("hangs", short).unwrap_err(), ExecFlaw::Timeout(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_was_ended_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let kind = format!("hangs '{}'", file.display());
    // On a machine that has much to do it may need a while to begin.
    for seconds in [1, 4, 16, 64] {
        let found = bad(&kind, Duration::from_secs(seconds)).unwrap_err();
        assert_eq!(found, ExecFlaw::Timeout(seconds));
        if file.exists() {
            break;
        }
    }
    let id = std::fs::read_to_string(&file).unwrap();
    assert!(!Path::new("/proc").join(id).exists(), "it runs on");
}

#[test]
fn a_signature_that_does_not_hold_is_not_used() {
    let signer = bad("forges", LONG).unwrap();
    let error = signer.sign(draft()).unwrap_err();
    assert_eq!(error.code(), "exec_signature");
    assert_eq!(flaw(error), ExecFlaw::Signature(Box::new(signer.public())));
}

#[test]
fn a_missing_program_is_named_without_its_arguments() {
    let command: ExecCommand = "/no/such/program --pin 123456".parse().unwrap();
    let error = ExecSigner::open(command).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("/no/such/program") && !shown.contains("123456"));
    assert_eq!(flaw(error), ExecFlaw::Start(std::io::ErrorKind::NotFound));
}
