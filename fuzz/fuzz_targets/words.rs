//! Recovery words: what is read is written in its one form and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wallet::words::RecoveryWords;

fuzz_target!(|data: &[u8]| {
    if let Some(entropy) = data.first_chunk::<32>() {
        let words = RecoveryWords::from_entropy(entropy);
        assert_eq!(RecoveryWords::parse(&words.phrase()).as_ref(), Ok(&words));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(words) = RecoveryWords::parse(text) {
        let phrase = words.phrase();
        assert_eq!(RecoveryWords::parse(&phrase).as_ref(), Ok(&words));
        let typed: Vec<_> = text
            .split_whitespace()
            .map(str::to_ascii_lowercase)
            .collect();
        assert_eq!(typed.join(" "), *phrase);
    }
});
