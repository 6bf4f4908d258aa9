use std::fs;

use super::*;

fn text(passphrase: Passphrase) -> String {
    passphrase.expose().to_owned()
}

fn from_file(content: &[u8]) -> Result<String, WalletError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    fs::write(&path, content).unwrap();
    PassphraseSource::File(path).read("a key").map(text)
}

#[test]
fn sources_have_one_text_form_each() {
    let read = |text: &str| text.parse::<PassphraseSource>().ok();
    assert_eq!(read("prompt"), Some(PassphraseSource::Prompt));
    assert_eq!(read("stdin"), Some(PassphraseSource::Stdin));
    assert_eq!(
        read("file:a:b c"),
        Some(PassphraseSource::File("a:b c".into()))
    );
    assert_eq!(read("env:PASS"), Some(PassphraseSource::Env("PASS".into())));
    for wrong in [
        "", "file:", "env:", "env:A=B", "prompt:", "Prompt", "stdin:x",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_passphrase_given_as_a_source_is_not_repeated() {
    let error = "hunter2".parse::<PassphraseSource>().unwrap_err();
    assert_eq!(error.code(), "passphrase_source");
    assert!(!format!("{error} {error:?} {}", error.next_step()).contains("hunter2"));
}

#[test]
fn one_line_end_at_a_files_end_is_not_part_of_it() {
    for (content, passphrase) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        ("hunter2\r", "hunter2\r"),
        (" a b ", " a b "),
        ("\n", ""),
        ("", ""),
    ] {
        assert_eq!(from_file(content.as_bytes()).unwrap(), passphrase);
    }
}

#[test]
fn files_that_hold_no_passphrase_are_named_errors() {
    let code = |content: &[u8]| from_file(content).unwrap_err().code();
    assert_eq!(code(&[0xff, 0xfe]), "passphrase_not_text");
    let most = vec![b'a'; PASSPHRASE_BYTES_MAX];
    assert_eq!(from_file(&most).unwrap().len(), PASSPHRASE_BYTES_MAX);
    assert_eq!(code(&[&most[..], b"a"].concat()), "passphrase_too_long");
    assert_eq!(code(&most.repeat(3)), "passphrase_too_long");
    let missing = PassphraseSource::File("no such folder/file".into());
    assert_eq!(missing.read("a key").unwrap_err().code(), "not_found");
}

#[test]
fn the_environment_is_read_by_name() {
    // Set by cargo for every test.
    let set = PassphraseSource::Env("CARGO_PKG_NAME".into());
    assert_eq!(set.read("a key").map(text).unwrap(), "wallet");
    let unset = PassphraseSource::Env("LODE_NO_SUCH_VARIABLE".into());
    assert_eq!(unset.read("a key").unwrap_err().code(), "environment");
}

#[test]
fn standard_input_gives_its_first_line_and_no_more() {
    let mut input = &b"hunter2\r\nthe rest"[..];
    assert_eq!(first_line(&mut input).map(text).unwrap(), "hunter2");
    assert_eq!(input, b"the rest");
    assert_eq!(
        first_line(&b"no line end"[..]).map(text).unwrap(),
        "no line end"
    );
    assert_eq!(first_line(&b""[..]).map(text).unwrap(), "");
    let long = vec![b'a'; 3 * PASSPHRASE_BYTES_MAX];
    assert_eq!(
        first_line(&long[..]).unwrap_err().code(),
        "passphrase_too_long"
    );
}

#[test]
fn a_new_key_takes_no_empty_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    fs::write(&path, "\n").unwrap();
    let source = PassphraseSource::File(path.clone());
    assert_eq!(
        source.read_new("a key").unwrap_err().code(),
        "passphrase_empty"
    );
    fs::write(&path, "x\n").unwrap();
    assert_eq!(source.read_new("a key").map(text).unwrap(), "x");
}

#[test]
fn two_passphrases_have_to_be_the_same() {
    let passphrase = |text: &str| Passphrase::new(text.to_owned()).unwrap();
    assert!(same(&passphrase("hunter2"), &passphrase("hunter2")).is_ok());
    let error = same(&passphrase("hunter2"), &passphrase("hunter3")).unwrap_err();
    assert_eq!(error.code(), "passphrase_unequal");
    assert!(error.is_key_or_permission());
    assert!(!format!("{error} {error:?}").contains("hunter"));
}

#[test]
fn debug_shows_no_passphrase() {
    let passphrase = Passphrase::new("hunter2".to_owned()).unwrap();
    assert_eq!(format!("{passphrase:?}"), "Passphrase(redacted)");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_told_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    fs::write(&path, "hunter2").unwrap();
    let source = PassphraseSource::File(path.clone());
    for (mode, weak) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let found = source.weak_permissions();
        assert_eq!(found.as_ref().map(|weak| weak.mode), weak.then_some(mode));
        assert_eq!(source.read("a key").map(text).unwrap(), "hunter2");
    }
    assert_eq!(PassphraseSource::Prompt.weak_permissions(), None);
}
