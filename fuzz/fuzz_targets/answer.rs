//! What a child process answers that has read a stranger's files, and a program that signs:
//! one meaning, one form; and predictions, of which a row is as many bytes as was said, or
//! they are refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lode_fuzz::boxed::orders::{ANSWER_BYTES_MAX, Answer, ORDERS_BYTES_MAX, Orders};
use lode_fuzz::boxed::predictions::{Predictions, predictions_bytes};
use protocol::json;
use wallet::signer::{REPLY_BYTES_MAX, Reply};

fuzz_target!(|data: &[u8]| {
    // JSON has no zero byte: what is behind one is the file of predictions.
    let (text, rows) = lode_fuzz::two(data).unwrap_or((data, &[]));
    if let Ok(orders) = json::from_slice::<Orders>(text, ORDERS_BYTES_MAX) {
        let written = json::to_vec(&orders);
        let again: Orders = json::from_slice(&written, ORDERS_BYTES_MAX).expect("as written");
        assert_eq!(json::to_vec(&again), written);
    }
    signed(text);
    let Ok(answer) = json::from_slice::<Answer>(text, ANSWER_BYTES_MAX) else {
        return;
    };
    let written = json::to_vec(&answer);
    let again: Answer = json::from_slice(&written, usize::MAX).expect("what is written is read");
    assert_eq!(json::to_vec(&again), written);
    if let Answer::Predictions {
        rows: count,
        outputs,
        classes,
    } = answer
    {
        let dir = lode_fuzz::scratch();
        check(dir.path(), rows, count, outputs, classes);
        // And with as many as there are.
        let outputs = outputs % 8;
        let count = rows.len() as u64 / predictions_bytes(1, outputs.into());
        let rows = &rows[..predictions_bytes(count, outputs.into()) as usize];
        check(dir.path(), rows, count as u32, outputs, classes);
    }
});

/// The answer of a program that signs.
fn signed(text: &[u8]) {
    let Ok(reply) = Reply::from_json(text) else {
        return;
    };
    assert!(text.len() <= REPLY_BYTES_MAX);
    let written = json::to_vec(&reply);
    assert!(lode_fuzz::are_by_name(text, &written));
    // Unlike what was read, what is written may be too long: as escapes, say.
    let again: Reply = json::from_slice(&written, usize::MAX).expect("as written");
    assert_eq!(again, reply);
    if let Some(bytes) = reply.signature_bytes() {
        let text = reply.signature.expect("it was read of this");
        assert_eq!(base64url(&bytes), text, "one spelling");
    }
}

/// Base64url without padding, once more.
fn base64url(bytes: &[u8; 64]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let groups = bytes.chunks(3).flat_map(|group| {
        let number = (0..3).fold(0u32, |n, at| {
            n << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        let digits = (0..=group.len()).map(move |at| (number >> (18 - 6 * at)) as usize % 64);
        digits.map(|digit| char::from(ALPHABET[digit]))
    });
    groups.collect()
}

fn check(dir: &Path, bytes: &[u8], rows: u32, outputs: u32, classes: bool) {
    let (path, written) = (dir.join("predictions"), dir.join("written"));
    std::fs::write(&path, bytes).expect("room");
    let read = Predictions::read(&path, rows, outputs, classes);
    assert_eq!(read.is_ok(), is_sound(bytes, rows, outputs, classes));
    let Ok(read) = read else {
        return;
    };
    assert_eq!(
        (read.leaves.len(), read.labels.len()),
        (rows as usize, rows as usize)
    );
    read.write(&written).expect("room");
    assert_eq!(std::fs::read(&written).expect("written"), bytes);
    std::fs::remove_file(&written).expect("written");
}

/// Whether these bytes are so many rows of numbers, read once more.
fn is_sound(bytes: &[u8], rows: u32, outputs: u32, classes: bool) -> bool {
    let each = 8 + 4 * outputs as usize;
    if outputs == 0 || bytes.len() as u128 != u128::from(rows) * each as u128 {
        return false;
    }
    bytes.chunks_exact(each).all(|row| {
        let (label, outputs) = row.split_at(8);
        let label = f64::from_le_bytes(label.try_into().expect("eight bytes"));
        let is_class = label.is_sign_positive() && label.fract() == 0.0 && label < 4_294_967_296.0;
        let mut outputs = outputs.chunks_exact(4);
        let is_finite = outputs
            .all(|bits| f32::from_le_bytes(bits.try_into().expect("four bytes")).is_finite());
        is_finite && if classes { is_class } else { label.is_finite() }
    })
}
