//! A sealed stream whose chunks were swapped, repeated, dropped or cut: only
//! the stream itself opens. The input says how long the plaintext is and what
//! is done to the chunks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::seal::{CHUNK_BYTES, HEADER_BYTES, NONCE_LEN, SealKey, TAG_BYTES, decrypt, encrypt};

fuzz_target!(|data: &[u8]| {
    let Some((len, changes)) = data.split_first_chunk::<3>() else {
        return;
    };
    let chunks = usize::from(len[0] % 4);
    let rest = usize::from(u16::from_le_bytes([len[1], len[2]]));
    let plain: Vec<u8> = (0..chunks * CHUNK_BYTES + rest)
        .map(|at| at as u8)
        .collect();
    let key = SealKey::from_bytes([7; 32]);
    let mut sealed = Vec::new();
    encrypt(&key, [9; NONCE_LEN], &plain[..], &mut sealed).expect("memory takes every write");
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let mut parts: Vec<Vec<u8>> = body
        .chunks(CHUNK_BYTES + TAG_BYTES)
        .map(<[u8]>::to_vec)
        .collect();
    for change in changes.chunks_exact(3).take(16) {
        let (a, b) = (usize::from(change[1]), usize::from(change[2]));
        let count = parts.len();
        if count == 0 {
            break;
        }
        match change[0] % 6 {
            0 => parts.swap(a % count, b % count),
            1 if count < 8 => parts.insert(a % count, parts[b % count].clone()),
            2 => drop(parts.remove(a % count)),
            3 => {
                let part = &mut parts[a % count];
                part.truncate(part.len().saturating_sub(b));
            }
            4 => parts[a % count].extend(std::iter::repeat_n(0, b)),
            _ => {
                if let Some(byte) = parts[a % count].get_mut(b) {
                    *byte ^= 1;
                }
            }
        }
    }
    let changed = [header, &parts.concat()].concat();
    let mut opened = Vec::new();
    match decrypt(&key, &changed[..], &mut opened) {
        Ok(_) => {
            assert_eq!(changed, sealed, "another stream opens under the same key");
            assert_eq!(opened, plain);
        }
        Err(error) => assert!(error.is_verdict() && changed != sealed, "{error}"),
    }
});
