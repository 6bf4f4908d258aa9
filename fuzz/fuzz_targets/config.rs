//! `config.json`: what is read is written in its one form and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::MlpConfig;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = MlpConfig::from_json(data) {
        let written = config.to_json();
        assert_eq!(MlpConfig::from_json(&written), Ok(config.clone()));
        assert!(config.parameters() > config.multiply_adds());
        assert_eq!(config.tensors().len(), 2 * config.layers().len());
    }
});
