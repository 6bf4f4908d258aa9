//! A report folder's two files: what is read is written and read again as the same.
#![no_main]

use evaluator::Report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((json, leaves)) = lode_fuzz::two(data) else {
        return;
    };
    if let Ok(report) = Report::from_bytes(json, leaves) {
        assert_eq!(report.leaves_bytes(), leaves);
        let written = report.to_json();
        let again = Report::from_bytes(&written, leaves).expect("what is written is read");
        assert_eq!(again, report);
        assert_eq!(again.to_json(), written);
    }
});
