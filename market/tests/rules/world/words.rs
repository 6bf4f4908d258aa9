//! A benchmark, and what evaluators say of a submission and of a test set.

use protocol::Score;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::record::*;
use protocol::report::{Outcome, TestOutcome};

use super::{code, digest};

pub fn benchmark() -> Benchmark {
    Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        metric: Metric::Accuracy,
        examples_max: 1,
        limits: ModelLimits {
            parameters_max: 100_000,
            file_bytes_max: 1 << 20,
            multiply_adds_max: 1_000_000,
        },
    }
}

/// Makes the counted cost of a submission so many multiply-adds.
pub fn costs(benchmark: &mut Benchmark, multiply_adds: u64) {
    benchmark.limits.multiply_adds_max = multiply_adds;
}

pub fn scored(score: i64, weights: &str) -> Outcome {
    Outcome::Scored {
        score: Score(score),
        weights_digest: digest(weights),
        predictions_root: digest(&format!("predictions of {weights}")),
    }
}

pub fn invalid() -> Outcome {
    Outcome::Invalid {
        code: code("nan_output"),
        place: code("example 3"),
    }
}

pub fn bad_test_set() -> TestOutcome {
    TestOutcome::BadSeal {
        code: code("chunk"),
        place: code("0"),
    }
}

/// What a batch is revealed with, one record a part.
pub fn batch_of(
    who: &str,
    round: u8,
    attestations: &[Attestation],
    leaves: Option<BlobRef>,
) -> Vec<RevealAttestations> {
    let salt = digest(&format!("salt of {who}, round {round}"));
    if attestations.is_empty() {
        return vec![RevealAttestations {
            salt,
            parts: vec![part_digest(attestations)],
            part: 0,
            attestations: Vec::new(),
            leaves,
        }];
    }
    RevealAttestations::batch(salt, attestations, leaves)
}
