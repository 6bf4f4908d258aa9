//! How many models are scored in time: a rule of thumb for people, no rule of the ledger.

use protocol::benchmark::Benchmark;

/// What one thread of a common processor does at least, where models are not tiny.
const MULTIPLY_ADDS_A_SECOND: u128 = 1_000_000_000;

/// What a model takes beside its arithmetic: to fetch it, to open it, to start the child.
const BESIDE_MS: u128 = 200;

/// About how many models of the largest allowed size an evaluator scores in a phase of
/// so many milliseconds.
pub fn scored_in(benchmark: &Benchmark, score_ms: u64) -> u128 {
    let work_ms = benchmark.counted_cost() * 1_000 / MULTIPLY_ADDS_A_SECOND;
    u128::from(score_ms) / (work_ms + BESIDE_MS)
}

/// So many models in words.
pub fn scored_text(models: u128) -> String {
    match models {
        0 => "not one model".to_owned(),
        1 => "about one model".to_owned(),
        many => format!("about {many} models"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::benchmark::{ARITHMETIC_VERSION, Metric, ModelLimits, Task};

    use super::*;

    #[test]
    fn small_models_are_many_and_absurd_ones_none() {
        let benchmark = |examples_max, multiply_adds_max| Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Regression,
            inputs: 1,
            metric: Metric::Rmse,
            examples_max,
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max: 1,
                multiply_adds_max,
            },
        };
        assert_eq!(scored_in(&benchmark(360, 100_000), 30_000), 127);
        assert_eq!(scored_in(&benchmark(10_000, 50_000_000), 3_600_000), 7);
        assert_eq!(scored_in(&benchmark(u32::MAX, u64::MAX), u64::MAX), 0);
        assert_eq!(scored_text(0), "not one model");
        assert_eq!(scored_text(7), "about 7 models");
    }
}
