//! A configuration and its weights: what is read is written in its one form and
//! read again as the same tensors, under the same digest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::reader::check_file_size;
use models::{Architecture, Limits, ModelConfig, ModelError, Weights};
use safetensors::SafeTensors;

fuzz_target!(|data: &[u8]| {
    let Some((json, file)) = lode_fuzz::two(data) else {
        return;
    };
    let Ok(config) = ModelConfig::from_json(json) else {
        return;
    };
    let limits = Limits {
        parameters_max: 1 << 14,
        multiply_adds_max: 1 << 14,
    };
    if config.check_limits(&limits).is_err() || check_file_size(&config, file.len() as u64).is_err()
    {
        return;
    }
    check(&config, file);
    if let Some(file) = mended(file) {
        check(&config, &file);
    }
});

/// The file with the length of the header that it has.
fn mended(file: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = file.split_first_chunk::<8>()?;
    let end = rest.windows(2).position(|pair| pair == b"}}")? as u64 + 2;
    Some([&end.to_le_bytes(), rest].concat())
}

fn check(config: &ModelConfig, file: &[u8]) {
    match Weights::from_safetensors(config, file) {
        Ok(weights) => {
            weights.check(config).expect("what is read is sound");
            let written = weights.to_safetensors();
            let again = Weights::from_safetensors(config, &written).expect("its one form");
            assert_eq!(again, weights);
            assert_eq!(again.digest(), weights.digest());
            let header = |file: &[u8]| {
                let (length, rest) = file.split_first_chunk::<8>().expect("it was read");
                serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize])
                    .expect("it was read")
            };
            assert!(lode_fuzz::is_by_name(&header(file), &header(&written)));
        }
        Err(error) => {
            assert!(!error.code().is_empty() && !error.place().is_empty());
            let again = Weights::from_safetensors(config, file);
            assert_eq!(again.as_ref(), Err(&error), "everyone finds the same fault");
            if let (ModelError::HeaderForm(text), Err(theirs)) =
                (&error, SafeTensors::deserialize(file))
            {
                // A second opinion that alone refuses a file is a bug of one of the two.
                assert!(
                    !theirs.to_string().starts_with(text.trim_end_matches('…')),
                    "{theirs}"
                );
            }
        }
    }
}
