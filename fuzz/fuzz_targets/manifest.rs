//! `dataset.json`: what is read is written and read again as the same.
#![no_main]

use datasets::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::from_json(data) {
        let written = manifest.to_json();
        let again = Manifest::from_json(&written).expect("what is written is read");
        assert_eq!(again, manifest);
        assert_eq!(again.to_json(), written);
        assert!(lode_fuzz::are_by_name(data, &written));
    }
});
