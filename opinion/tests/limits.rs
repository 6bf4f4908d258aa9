//! What play reaches too seldom: the numbers of the rules, and what follows from them alone.

use opinion::entry::{counted_cost, submissions_max};
use opinion::limits;
use opinion::money::Units;
use proptest::prelude::*;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::receipt::VoidReason;
use protocol::record;

#[test]
fn the_models_numbers_are_those_of_the_records() {
    assert_eq!(limits::SHARES_PER_ASSET, record::SHARES_PER_ASSET);
    assert_eq!(limits::PARENTS_MAX, record::PARENTS_MAX);
    assert_eq!(limits::HOLDERS_MAX, record::HOLDERS_MAX);
    assert_eq!(limits::SELF_FUNDING_PPM_MAX, record::SELF_FUNDING_PPM_MAX);
    let parts = limits::ATTESTATIONS_PER_PART;
    assert_eq!(parts, record::ATTESTATIONS_PER_PART);
    assert_eq!(limits::STACK_ENTRIES_MAX, licensing::STACK_ENTRIES_MAX);
}

#[test]
fn whose_fault_a_void_is_stands_in_the_table_of_phases() {
    for (reason, is_sponsors) in [
        (VoidReason::Cancelled, false),
        (VoidReason::NoSubmissions, false),
        (VoidReason::KeyLeaked, true),
        (VoidReason::KeyWithheld, true),
        (VoidReason::BadTestSet, true),
        (VoidReason::NoQuorum, false),
    ] {
        assert_eq!(reason.is_sponsors_fault(), is_sponsors, "{reason:?}");
    }
}

proptest! {
    #[test]
    fn a_bounty_takes_as_many_submissions_and_costs_as_much_as_the_market_says(
        classes in prop_oneof![Just(None), (2..=1u32 << 20).prop_map(Some)],
        examples_max in prop_oneof![1..100_000u32, 1..=u32::MAX],
        multiply_adds_max in prop_oneof![1..1_000_000u64, 1..=u64::MAX],
    ) {
        let benchmark = Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: classes.map_or(Task::Regression, |classes| Task::Classification { classes }),
            inputs: 1,
            metric: classes.map_or(Metric::Rmse, |_| Metric::Accuracy),
            examples_max,
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max: 1,
                multiply_adds_max,
            },
        };
        let cost = counted_cost(&benchmark);
        prop_assert_eq!(cost, Units::from(benchmark.counted_cost()));
        if benchmark.check().is_ok() {
            let most = submissions_max(&benchmark);
            prop_assert_eq!(most, u64::from(benchmark.submissions_max()));
        }
    }
}
