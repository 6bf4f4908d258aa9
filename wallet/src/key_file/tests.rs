use std::fs;

use proptest::prelude::*;

use super::*;

const DEMO: WriteOptions = WriteOptions {
    work_factor: Some(WORK_FACTOR_DEMO),
    replace: false,
};
const REPLACE: WriteOptions = WriteOptions {
    replace: true,
    ..DEMO
};

fn words() -> RecoveryWords {
    RecoveryWords::from_entropy(&[7; 32])
}

fn other_words() -> RecoveryWords {
    RecoveryWords::from_entropy(&[8; 32])
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn hunter() -> Passphrase {
    passphrase("hunter2 µ")
}

fn armored() -> String {
    encrypt(&words(), &hunter(), Some(WORK_FACTOR_DEMO)).unwrap()
}

/// A binary age file with this text in it.
fn sealed(plain: &[u8], work_factor: u8) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(secret(&hunter()));
    recipient.set_work_factor(work_factor);
    age::encrypt(&recipient, plain).unwrap()
}

fn refused(bytes: &[u8]) -> KeyFileFlaw {
    decrypt(bytes, &hunter()).unwrap_err()
}

/// No message and no debug form of an error may hold any of this.
fn shows_no_secret(error: &WalletError) {
    let shown = format!("{error} {error:?} {}", error.next_step());
    assert!(!shown.contains("hunter"), "{shown}");
    for word in words().phrase().split(' ').filter(|word| word.len() > 5) {
        assert!(!shown.contains(word), "{shown}");
    }
}

#[test]
fn what_is_written_is_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.age");
    let public = write(&path, &words(), &hunter(), DEMO).unwrap();
    assert_eq!(public, words().secret_key().public());
    assert!(unlock(&path, &hunter()).unwrap() == words());
    assert_eq!(read_public(&path).unwrap(), public);
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing is left beside them: {names:?}");
}

#[cfg(unix)]
#[test]
fn a_key_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.age");
    write(&path, &words(), &hunter(), DEMO).unwrap();
    write(&path, &words(), &hunter(), REPLACE).unwrap();
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(crate::weak_permissions(&path), None);
}

#[test]
fn the_encrypted_text_is_for_people_too() {
    let text = plaintext(&words());
    let public = words().secret_key().public();
    let phrase = words().phrase();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], format!("# address     {}", public.address()));
    assert_eq!(lines[2], format!("# public key  {public}"));
    assert_eq!(lines[3..], ["lode-key/1", &phrase]);
}

#[test]
fn an_existing_file_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.age");
    write(&path, &words(), &hunter(), DEMO).unwrap();

    let error = write(&path, &other_words(), &hunter(), DEMO).unwrap_err();
    assert!(matches!(&error, WalletError::Exists { path: named } if *named == path));
    assert!(error.is_key_or_permission());
    assert!(unlock(&path, &hunter()).unwrap() == words());

    // A public half alone is kept too: its key file may be on another disk.
    fs::remove_file(&path).unwrap();
    let error = write(&path, &other_words(), &hunter(), DEMO).unwrap_err();
    assert!(matches!(error, WalletError::Exists { path: named } if named == public_path(&path)));

    write(&path, &other_words(), &hunter(), REPLACE).unwrap();
    assert!(unlock(&path, &hunter()).unwrap() == other_words());
    assert_eq!(
        read_public(&path).unwrap(),
        other_words().secret_key().public()
    );
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("keys");
    let error = write(&missing.join("a.age"), &words(), &hunter(), DEMO).unwrap_err();
    assert!(matches!(error, WalletError::NotFound { path } if path == missing));
}

#[test]
fn another_passphrase_does_not_open_it() {
    for wrong in ["hunter2", "", "hunter2 µ\n"] {
        let flaw = decrypt(armored().as_bytes(), &passphrase(wrong)).unwrap_err();
        assert_eq!(flaw, KeyFileFlaw::WrongPassphrase);
    }
    let error = WalletError::KeyFile {
        path: "alice.age".into(),
        flaw: KeyFileFlaw::WrongPassphrase,
    };
    assert_eq!(error.code(), "wrong_passphrase");
    assert!(error.is_key_or_permission());
    shows_no_secret(&error);
}

#[test]
fn two_writings_of_one_key_have_nothing_in_common() {
    assert_ne!(armored(), armored());
}

#[test]
fn no_key_file_is_made_with_an_empty_passphrase_or_too_much_work() {
    let make = |text: &str, factor| encrypt(&words(), &passphrase(text), Some(factor));
    assert_eq!(make("", 4).unwrap_err().code(), "passphrase_empty");
    assert_eq!(make("x", 0).unwrap_err().code(), "work_factor");
    let error = make("x", WORK_FACTOR_MAX + 1).unwrap_err();
    assert!(matches!(error, WalletError::WorkFactor(21)));
    assert_eq!(error.class(), crate::ErrorClass::Usage);
}

#[test]
fn a_file_that_asks_for_too_much_work_is_refused_before_it() {
    let cheap = sealed(plaintext(&words()).as_bytes(), 4);
    let header = String::from_utf8_lossy(&cheap[..80]).into_owned();
    let at = header.find(" 4\n").unwrap();
    for factor in ["21", "40", "63"] {
        let dear = [&cheap[..=at], factor.as_bytes(), &cheap[at + 2..]].concat();
        assert_eq!(
            refused(&dear),
            KeyFileFlaw::WorkFactor(factor.parse().unwrap())
        );
    }
}

#[test]
fn binary_files_and_remarks_are_read() {
    let phrase = words().phrase();
    for plain in [
        plaintext(&words()).to_string(),
        format!("lode-key/1\n{}", *phrase),
        format!("# a\r\nlode-key/1\r\n# b\r\n{}\r\n#", *phrase),
    ] {
        let read = decrypt(&sealed(plain.as_bytes(), 1), &hunter()).unwrap();
        assert!(read == words());
    }
}

#[test]
fn what_is_not_a_key_is_refused_by_name() {
    let phrase = words().phrase();
    let content = |plain: String| refused(&sealed(plain.as_bytes(), 1));
    assert_eq!(content(String::new()), KeyFileFlaw::Content);
    assert_eq!(content(phrase.to_string()), KeyFileFlaw::Content);
    assert_eq!(
        content(format!("lode-key/2\n{}\n", *phrase)),
        KeyFileFlaw::Content
    );
    assert_eq!(
        content(format!("lode-key/1\n{0}\n{0}\n", *phrase)),
        KeyFileFlaw::Content
    );
    assert_eq!(
        content("lode-key/1\nabandon\n".into()),
        KeyFileFlaw::Words(crate::WordsFlaw::Count(1))
    );
    assert_eq!(refused(&sealed(&[0xff], 1)), KeyFileFlaw::Content);

    assert_eq!(refused(b""), KeyFileFlaw::NotAge);
    assert_eq!(refused(phrase.as_bytes()), KeyFileFlaw::NotAge);
    assert_eq!(
        refused(&[b'a'; KEY_FILE_BYTES_MAX + 1]),
        KeyFileFlaw::TooLong
    );
    let recipient = age::x25519::Identity::generate().to_public();
    let other = age::encrypt(&recipient, b"text").unwrap();
    assert_eq!(refused(&other), KeyFileFlaw::NoPassphrase);
}

#[test]
fn paths_that_hold_no_key_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| unlock(path, &hunter()).unwrap_err();
    assert_eq!(error(folder.path()).code(), "not_a_key_file");
    let path = folder.path().join("alice.age");
    assert_eq!(error(&path).code(), "not_found");
    assert_eq!(error(&path).class(), crate::ErrorClass::NotFound);
    fs::write(&path, vec![b'-'; KEY_FILE_BYTES_MAX + 1]).unwrap();
    assert_eq!(error(&path).code(), "not_a_key_file");
    fs::write(&path, &*words().phrase()).unwrap();
    assert_eq!(error(&path).code(), "not_a_key_file");
    shows_no_secret(&error(&path));
}

#[test]
fn a_public_half_is_checked_when_the_key_is_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.age");
    let public = write(&path, &words(), &hunter(), DEMO).unwrap();
    let beside = public_path(&path);

    fs::remove_file(&beside).unwrap();
    assert_eq!(read_public(&path).unwrap_err().code(), "public_missing");
    assert!(unlock(&path, &hunter()).is_ok());

    let other = other_words().secret_key().public();
    write_public(&path, &other).unwrap();
    assert_eq!(read_public(&path).unwrap(), other);
    let error = unlock(&path, &hunter()).unwrap_err();
    assert!(
        matches!(error, WalletError::PublicMismatch { said, held, .. } if *said == other && *held == public)
    );
    assert_eq!(write_public(&path, &public).unwrap_err().code(), "exists");

    let line = fs::read_to_string(&beside).unwrap();
    let mixed = line.replace(&other.to_string(), &public.to_string());
    for broken in ["", "{}", &mixed, &line.repeat(2), &" ".repeat(2000)] {
        fs::write(&beside, broken).unwrap();
        assert_eq!(read_public(&path).unwrap_err().code(), "public_broken");
        assert_eq!(
            unlock(&path, &hunter()).unwrap_err().code(),
            "public_broken"
        );
    }
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for whole in [
        armored().into_bytes(),
        sealed(plaintext(&words()).as_bytes(), 1),
    ] {
        // The last line feed of the armor may be missing.
        for len in 0..whole.len() - 1 {
            let flaw = refused(&whole[..len]);
            assert!(matches!(flaw, KeyFileFlaw::NotAge | KeyFileFlaw::Damaged));
        }
    }
}

#[test]
fn any_changed_byte_of_a_binary_file_is_refused() {
    let whole = sealed(plaintext(&words()).as_bytes(), 1);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(decrypt(&changed, &hunter()).is_err(), "byte {at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_file_or_an_error(bytes: Vec<u8>) {
        for head in [&b""[..], ARMOR_BEGIN, b"age-encryption.org/v1\n-> scrypt "] {
            prop_assert!(decrypt(&[head, &bytes].concat(), &hunter()).is_err());
        }
    }
}
