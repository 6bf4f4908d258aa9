//! What play reaches too seldom: the numbers of the rules, and what follows from them alone.

use std::num::NonZeroU32;

use licensing::{
    CommercialUse, DataModelTraining, Derivation, Fee, PaymentMode, Percent, Price, Terms,
    UnknownUsageRights, check_derivation,
};
use opinion::entry::{counted_cost, submissions_max};
use opinion::limits;
use opinion::money::{Units, units};
use opinion::tags::{self, Asked};
use proptest::prelude::*;
use protocol::Amount;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::receipt::VoidReason;
use protocol::record::{self, AssetKind, Grant};

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

/// Terms of few values, so that two are often alike.
fn any_terms() -> impl Strategy<Value = Terms> {
    let fee = || (1..4u128).prop_map(|fee| Fee::new(Amount::from_base_units(fee)).expect("some"));
    let percent = || {
        let billionths = prop_oneof![Just(1), Just(2_500_000_000), Just(100_000_000_000)];
        billionths.prop_map(|part| Percent::from_billionths(part).expect("at most a whole"))
    };
    let derivation = prop_oneof![
        Just(Derivation::Allowed),
        Just(Derivation::Credit),
        Just(Derivation::Indication),
        Just(Derivation::LicensePassthrough),
        percent().prop_map(Derivation::RevenueShare),
        fee().prop_map(Derivation::FeeOneTime),
        fee().prop_map(Derivation::FeeMonthly),
    ];
    let business = prop_oneof![
        Just(CommercialUse::Allowed),
        Just(CommercialUse::Credit),
        percent().prop_map(CommercialUse::RevenueShare),
        fee().prop_map(CommercialUse::FeeOneTime),
        fee().prop_map(CommercialUse::FeeMonthly),
    ];
    let training = prop_oneof![
        Just(DataModelTraining::Allowed),
        fee().prop_map(DataModelTraining::FeeOneTime),
        fee().prop_map(DataModelTraining::FeeMonthly),
    ];
    let fields = (
        prop::option::of(fee()),
        prop::option::of(derivation),
        prop::option::of(business),
        prop::option::of(training),
        any::<bool>(),
        0..3u32,
        any::<bool>(),
    );
    fields.prop_map(
        |(access_fee, derivation, business, training, some, years, all)| Terms {
            access_fee,
            derivation,
            commercial_use: business,
            data_model_training: training,
            unknown_usage_rights: match some {
                true => UnknownUsageRights::Excluded,
                false => UnknownUsageRights::Included,
            },
            expiry_years: NonZeroU32::new(years),
            payment_mode: match all {
                true => PaymentMode::GlobalDistribution,
                false => PaymentMode::RandomDistribution,
            },
        },
    )
}

/// The first terms with some fields of the others.
fn mixed(own: &Terms, other: &Terms, fields: u8) -> Terms {
    let of = |bit: u8| match fields >> bit & 1 {
        1 => other,
        _ => own,
    };
    Terms {
        access_fee: of(0).access_fee,
        derivation: of(1).derivation,
        commercial_use: of(2).commercial_use,
        data_model_training: of(3).data_model_training,
        unknown_usage_rights: of(4).unknown_usage_rights,
        expiry_years: of(5).expiry_years,
        payment_mode: of(6).payment_mode,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn terms_loosen_cost_and_let_make_what_the_licences_say(
        old in any_terms(),
        other in any_terms(),
        fields: u8,
        kinds in prop::sample::select(vec![
            (AssetKind::Model, AssetKind::Model),
            (AssetKind::Model, AssetKind::DataSet),
            (AssetKind::DataSet, AssetKind::Model),
            (AssetKind::DataSet, AssetKind::DataSet),
        ]),
    ) {
        let new = mixed(&old, &other, fields);
        let (kind, child) = kinds;
        prop_assert_eq!(opinion::votes::loosens(kind, &old, &new), new.loosens(&old, kind));
        for grant in Grant::ALL {
            let ours = tags::price(&new, grant);
            let theirs = new.quote(grant).map_err(|refusal| refusal.code());
            let theirs = theirs.map(|quote| match quote.price {
                Price::OneTime(price) => Asked::Once(units(price)),
                Price::Monthly(price) => Asked::EachMonth(units(price)),
                Price::RevenueShare(part) => Asked::Part(part.billionths()),
            });
            prop_assert_eq!(ours, theirs, "{:?}", grant);
        }
        let ours = tags::owed_to_parent((&old, kind), (&new, child));
        let theirs = check_derivation(&old, kind, &new, child);
        let theirs = theirs.map(|part| part.map(Percent::billionths));
        prop_assert_eq!(ours, theirs.map_err(|refusal| refusal.code()));
    }
}

proptest! {
    #[test]
    fn a_bounty_takes_as_many_submissions_and_costs_as_much_as_the_market_says(
        classes in prop_oneof![Just(None), (2..=1u32 << 20).prop_map(Some)],
        // The leaves of one test set: from so few that all submissions have room to more than there may be.
        leaves_bytes in prop_oneof![12..7_000_000u64, 3_000_000..1_100_000_000u64],
        multiply_adds_max in prop_oneof![1..1_000_000u64, 1..=u64::MAX],
    ) {
        let each = 8 + 4 * u64::from(classes.unwrap_or(1));
        let examples_max = u32::try_from(leaves_bytes / each).expect("at most a billion");
        let examples_max = examples_max.max(1);
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
