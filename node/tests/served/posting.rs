//! A posting that the tests of nodes and commands share: ten classes of digits, an hour a phase.

use protocol::ans104::Tag;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::record::{Pay, PostBounty, RoyaltySplit, Schedule, SealedFolder};
use protocol::text::Name;
use protocol::{Amount, Score};

pub const HOUR_MS: u64 = 3_600_000;

/// A hundred LODE for the best model, two for each evaluation, under these terms.
pub fn posting(title: &str, test_set: SealedFolder, terms: &[Tag]) -> PostBounty {
    let lode = |count| Amount::from_lode(count).expect("small");
    PostBounty {
        title: Name::new(title).expect("short"),
        benchmark: Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Classification { classes: 10 },
            inputs: 64,
            examples_max: 360,
            metric: Metric::Accuracy,
            limits: ModelLimits {
                parameters_max: 1_000,
                file_bytes_max: 1 << 20,
                multiply_adds_max: 1_000,
            },
        },
        test_set,
        reward: lode(100),
        pay: Pay::WinnerTakesAll,
        reserve: Score(0),
        margin: 0,
        evaluation_fee: lode(2),
        prepaid: 0,
        schedule: Schedule {
            open_ms: HOUR_MS,
            test_key_ms: HOUR_MS,
            test_check_ms: HOUR_MS,
            reveal_ms: HOUR_MS,
            score_ms: HOUR_MS,
            score_reveal_ms: HOUR_MS,
            challenge_ms: HOUR_MS,
        },
        model_terms: terms
            .iter()
            .map(|tag| (tag.name.clone(), tag.value.clone()))
            .collect(),
        parents: Vec::new(),
        split: RoyaltySplit {
            miner: 600_000,
            sponsor: 300_000,
            backers: 100_000,
        },
        self_funding_ppm: 0,
        fund: None,
    }
}
