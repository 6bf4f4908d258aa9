//! `recipe.toml`: what is read is written in its one form and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miner::Recipe;

fuzz_target!(|data: &[u8]| {
    if let Ok(recipe) = Recipe::from_toml(data) {
        // Values belong to keys, whatever the order in which our fields are declared.
        let text = std::str::from_utf8(data).expect("read before");
        let file: toml::Table = text.parse().expect("read before");
        assert!(file["model"].is_table() && file["train"].is_table());
        let written = recipe.to_toml();
        let again = Recipe::parse(&written).expect("its one form");
        assert_eq!(again, recipe);
        assert_eq!(again.to_toml(), written);
        // What its shapes come to for a set of data is counted, or refused.
        for (inputs, outputs) in [(784, 10), (8, 1), (u64::MAX, u64::MAX)] {
            if let Ok(config) = recipe.model.config(inputs, outputs) {
                assert!(config.multiply_adds() > 0);
            }
        }
    }
});
