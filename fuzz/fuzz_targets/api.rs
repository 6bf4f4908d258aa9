//! The API's messages: what is read is written and read again as the same. The
//! first byte says which message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::api::*;
use protocol::json;
use protocol::statement::Movement;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 27 {
        0 => check::<Version>(bytes),
        1 => check::<Status>(bytes),
        2 => check::<Page<BountySummary>>(bytes),
        3 => check::<Readiness>(bytes),
        4 => check::<FaucetRequest>(bytes),
        5 => check::<ClockRequest>(bytes),
        6 => check::<ClockAnswer>(bytes),
        7 => check::<RecordView>(bytes),
        8 => check::<BundleAnswer>(bytes),
        9 => trial(bytes),
        10 => check::<TrialAnswer>(bytes),
        11 => check::<Page<HistoryEntry>>(bytes),
        12 => check::<BlockView>(bytes),
        13 => check::<ReceiptProof>(bytes),
        14 => check::<AccountView>(bytes),
        15 => check::<BountyView>(bytes),
        16 => check::<AssetView>(bytes),
        17 => check::<Page<HolderView>>(bytes),
        18 => check::<LicenseView>(bytes),
        19 => check::<ErrorAnswer>(bytes),
        20 => check::<StatementView>(bytes),
        21 => check::<SubmissionView>(bytes),
        22 => check::<VotesView>(bytes),
        23 => check::<Page<EvaluatorView>>(bytes),
        24 => check::<Page<AssetView>>(bytes),
        25 => check::<Page<LicenseView>>(bytes),
        // What a reader of pages alone makes of a statement.
        _ => check::<Page<Movement>>(bytes),
    }
});

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    json::from_slice(bytes, BUNDLE_BYTES_MAX).ok()
}

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Some(value) = read::<T>(bytes) {
        let written = json::to_vec(&value);
        let again = read::<T>(&written).expect("what is written is read");
        assert_eq!(again, value);
        assert_eq!(json::to_vec(&again), written);
    }
}

fn trial(bytes: &[u8]) {
    check::<TrialRequest>(bytes);
    let Some(request) = read::<TrialRequest>(bytes) else {
        return;
    };
    if let Some(draft) = request.draft() {
        let again = TrialRequest::new(request.signer, &draft).draft();
        assert_eq!(again.as_ref(), Some(&draft));
        let _ = protocol::record::Transaction::of_draft(request.signer, &draft);
    }
}
