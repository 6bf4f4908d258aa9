//! A key file: reading never panics, and what opens is a key whose words read
//! back; the input is a file, and the content of one too. Files that ask for much scrypt work are passed over: that work is
//! bounded by the wallet, and here it would only cost executions.
#![no_main]

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{Encryptor, scrypt};
use libfuzzer_sys::fuzz_target;
use wallet::passphrase::Passphrase;
use wallet::words::RecoveryWords;

/// The most bytes of content: larger files are not read.
const CONTENT_BYTES_MAX: usize = 8 * 1024;

fuzz_target!(|data: &[u8]| {
    if is_slow(data) {
        return;
    }
    let passphrase = Passphrase::new("fuzz".to_owned()).expect("a short text");
    if let Ok(words) = wallet::key_file::decrypt(data, &passphrase) {
        let again = RecoveryWords::parse(&words.phrase()).expect("its own words");
        assert_eq!(again.secret_key().public(), words.secret_key().public());
    }
    if data.len() > CONTENT_BYTES_MAX {
        return;
    }
    let opened = wallet::key_file::decrypt(&encrypted(data), &passphrase).ok();
    let public = |words: &RecoveryWords| words.secret_key().public();
    assert_eq!(
        opened.as_ref().map(public),
        words_of(data).as_ref().map(public)
    );
});

/// A key file of this content.
fn encrypted(plain: &[u8]) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from("fuzz".to_owned()));
    recipient.set_work_factor(1);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).expect("one recipient");
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).expect("memory");
    let mut writer = encryptor.wrap_output(armor).expect("memory");
    writer.write_all(plain).expect("memory");
    let armor = writer.finish().expect("memory");
    armor.finish().expect("memory")
}

/// The words of a content, by the format: comments, its name, and one line of words.
fn words_of(plain: &[u8]) -> Option<RecoveryWords> {
    let text = std::str::from_utf8(plain).ok()?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let ["lode-key/1", words] = lines[..] else {
        return None;
    };
    RecoveryWords::parse(words).ok()
}

/// Whether a line of the header asks for more work than 2^5.
fn is_slow(data: &[u8]) -> bool {
    let mut plain = Vec::new();
    let _ = ArmoredReader::new(data)
        .take(16 * 1024)
        .read_to_end(&mut plain);
    String::from_utf8_lossy(&plain)
        .lines()
        .filter_map(|line| line.strip_prefix("-> scrypt "))
        .any(|line| {
            let work = line
                .split(' ')
                .nth(1)
                .and_then(|work| work.parse::<u8>().ok());
            work.is_none_or(|work| work > 5)
        })
}
