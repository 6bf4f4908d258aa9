//! `config.json` of any architecture: what is read is written in its one form and read again as the
//! same, and its counts are those of its tensors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::{Architecture, ModelConfig};

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = ModelConfig::from_json(data) {
        let written = config.to_json();
        assert_eq!(ModelConfig::from_json(&written), Ok(config.clone()));
        assert!(lode_fuzz::are_by_name(data, &written));
        let tensors = config.tensors();
        let numbers: u64 = tensors.iter().map(|tensor| tensor.len() as u64).sum();
        assert_eq!(config.parameters(), numbers);
        match config {
            ModelConfig::Mlp(_) => assert!(config.multiply_adds() < numbers),
            ModelConfig::Cnn(_) => assert!(config.multiply_adds() > 0),
        }
    }
});
