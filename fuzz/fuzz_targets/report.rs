//! A report folder's two files: what is read is written and read again as the
//! same; as they are, and with the root of the leaves and the digests of the weights put right.
#![no_main]

use evaluator::Report;
use libfuzzer_sys::fuzz_target;
use protocol::report::{Leaf, predictions_root};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((json, leaves)) = lode_fuzz::two(data) else {
        return;
    };
    check(json, leaves);
    if let Some(json) = mended(json, leaves) {
        check(&json, leaves);
    }
});

fn check(json: &[u8], leaves: &[u8]) {
    if let Ok(report) = Report::from_bytes(json, leaves) {
        assert_eq!(report.leaves_bytes(), leaves);
        let written = report.to_json();
        let again = Report::from_bytes(&written, leaves).expect("what is written is read");
        assert_eq!(again, report);
        assert_eq!(again.to_json(), written);
        assert!(lode_fuzz::are_by_name(json, &written));
    }
}

fn mended(json: &[u8], leaves: &[u8]) -> Option<Vec<u8>> {
    let mut file: Value = serde_json::from_slice(json).ok()?;
    let mut read = Vec::new();
    let mut rest = leaves;
    while let Some((leaf, after)) = Leaf::split_from(rest) {
        read.push(leaf);
        rest = after;
    }
    let digest = file.get("weights_digest")?.clone();
    let scored = file
        .get_mut("outcome")?
        .get_mut("scored")?
        .as_object_mut()?;
    scored.insert(
        "predictions_root".to_owned(),
        predictions_root(&read).to_string().into(),
    );
    scored.insert("weights_digest".to_owned(), digest);
    let count = file.get_mut("examples")?;
    *count = read.len().into();
    serde_json::to_vec(&file).ok()
}
