//! A key file: reading never panics, and what opens is a key whose words read
//! back. Files that ask for much scrypt work are passed over: that work is
//! bounded by the wallet, and here it would only cost executions.
#![no_main]

use std::io::Read;

use age::armor::ArmoredReader;
use libfuzzer_sys::fuzz_target;
use wallet::passphrase::Passphrase;
use wallet::words::RecoveryWords;

fuzz_target!(|data: &[u8]| {
    if is_slow(data) {
        return;
    }
    let passphrase = Passphrase::new("fuzz".to_owned()).expect("a short text");
    if let Ok(words) = wallet::key_file::decrypt(data, &passphrase) {
        let again = RecoveryWords::parse(&words.phrase()).expect("its own words");
        assert_eq!(again.secret_key().public(), words.secret_key().public());
    }
});

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
