//! A sealed stream under the key of one of the demo's seals: what opens is sealed again as the same
//! bytes, and reading it piece by piece gives the same.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use protocol::seal::{HEADER_BYTES, NONCE_LEN, Opener, decrypt, encrypt};

fuzz_target!(|data: &[u8]| {
    let key = lode_fuzz::seal_key();
    let mut plain = Vec::new();
    let opened = decrypt(&key, data, &mut plain);
    let mut pieces = Vec::new();
    let read = Opener::new(&key, data).and_then(|mut opener| Ok(opener.read_to_end(&mut pieces)?));
    match opened {
        Ok(len) => {
            assert_eq!(len, plain.len() as u64);
            assert_eq!(read.ok(), Some(plain.len()));
            assert_eq!(pieces, plain);
            let nonce: [u8; NONCE_LEN] = data[HEADER_BYTES - NONCE_LEN..HEADER_BYTES]
                .try_into()
                .expect("the header ends with the nonce");
            let mut again = Vec::new();
            encrypt(&key, nonce, &plain[..], &mut again).expect("memory takes every write");
            assert_eq!(again, data);
        }
        Err(error) => {
            assert!(error.is_verdict(), "memory does not fail: {error}");
            assert!(read.is_err());
        }
    }
});
