//! A sealed stream under the key of one of the demo's seals: what opens is sealed again as the same
//! bytes, and reading it piece by piece gives the same. And what was sealed opens, until a byte of it is changed.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use protocol::seal::{HEADER_BYTES, NONCE_LEN, Opener, decrypt, encrypt};

fuzz_target!(|data: &[u8]| {
    opened(data);
    if let Some((head, plain)) = data.split_first_chunk::<8>() {
        sealed(head, plain);
    }
});

/// A plaintext is sealed, and the seal is changed in one place, or cut there: it does not open.
fn sealed(head: &[u8; 8], plain: &[u8]) {
    let key = lode_fuzz::seal_key();
    let mut stream = Vec::new();
    encrypt(&key, [head[0]; NONCE_LEN], plain, &mut stream).expect("memory takes every write");
    let mut again = Vec::new();
    let len = decrypt(&key, &stream[..], &mut again).expect("what was sealed opens");
    assert_eq!((len, &again[..]), (plain.len() as u64, plain));
    let place = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize % stream.len();
    match head[5] {
        0 => stream.truncate(place),
        change => stream[place] ^= change,
    }
    let error = decrypt(&key, &stream[..], Vec::new()).expect_err("another stream");
    assert!(error.is_verdict(), "memory does not fail: {error}");
}

fn opened(data: &[u8]) {
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
}
