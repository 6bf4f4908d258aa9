use super::*;
use crate::{Fee, PaymentMode, Percent, presets};
use protocol::Amount;
use std::num::NonZeroU32;

fn fee(units: u128) -> Fee {
    Fee::new(Amount::from_base_units(units)).expect("above zero")
}

fn share(percent: &str) -> Percent {
    percent.parse().expect("a percentage")
}

fn with(change: impl FnOnce(&mut Terms)) -> Terms {
    let mut terms = presets::one_time(fee(10));
    change(&mut terms);
    terms
}

#[test]
fn what_loosens_and_what_tightens_is_a_table() {
    use Derivation::{Allowed, Credit, FeeOneTime, Indication, LicensePassthrough, RevenueShare};
    let base = presets::one_time(fee(10));
    let derived = |derivation| with(|terms| terms.derivation = derivation);
    let used = |commercial| with(|terms| terms.commercial_use = commercial);
    let trained = |training| with(|terms| terms.data_model_training = training);
    let access = |access| with(|terms| terms.access_fee = access);
    let years = |years| with(|terms| terms.expiry_years = NonZeroU32::new(years));
    let unknown = |rights| with(|terms| terms.unknown_usage_rights = rights);
    let table = [
        // (old, new, whether new loosens old, whether old loosens new)
        (base.clone(), base.clone(), true, true),
        (
            used(Some(CommercialUse::FeeMonthly(fee(10)))),
            used(Some(CommercialUse::FeeMonthly(fee(9)))),
            true,
            false,
        ),
        (
            trained(Some(DataModelTraining::FeeMonthly(fee(10)))),
            trained(Some(DataModelTraining::FeeMonthly(fee(11)))),
            false,
            true,
        ),
        // Once and a month do not compare, whatever the fees.
        (
            derived(Some(FeeOneTime(fee(10)))),
            derived(Some(Derivation::FeeMonthly(fee(1)))),
            false,
            false,
        ),
        (base.clone(), derived(Some(FeeOneTime(fee(9)))), true, false),
        (base.clone(), derived(None), false, true),
        (base.clone(), derived(Some(Allowed)), true, false),
        (base.clone(), derived(Some(Credit)), false, false),
        (derived(Some(Credit)), derived(Some(Allowed)), true, false),
        (
            derived(Some(Credit)),
            derived(Some(Indication)),
            false,
            false,
        ),
        (
            derived(Some(RevenueShare(share("5%")))),
            derived(Some(RevenueShare(share("4.999999999%")))),
            true,
            false,
        ),
        (
            derived(Some(RevenueShare(share("5%")))),
            derived(Some(FeeOneTime(fee(1)))),
            false,
            false,
        ),
        (
            derived(None),
            derived(Some(FeeOneTime(fee(99)))),
            true,
            false,
        ),
        (
            derived(Some(LicensePassthrough)),
            derived(Some(Allowed)),
            true,
            false,
        ),
        (
            derived(Some(LicensePassthrough)),
            with(|terms| {
                terms.derivation = Some(LicensePassthrough);
                terms.commercial_use = Some(CommercialUse::Allowed);
            }),
            false,
            false,
        ),
        (
            base.clone(),
            used(Some(CommercialUse::FeeOneTime(fee(11)))),
            false,
            true,
        ),
        (
            base.clone(),
            used(Some(CommercialUse::Allowed)),
            true,
            false,
        ),
        (
            base.clone(),
            used(Some(CommercialUse::Credit)),
            false,
            false,
        ),
        (
            used(Some(CommercialUse::RevenueShare(share("3%")))),
            used(Some(CommercialUse::RevenueShare(share("2%")))),
            true,
            false,
        ),
        (used(Some(CommercialUse::Credit)), used(None), false, true),
        (
            base.clone(),
            trained(Some(DataModelTraining::Allowed)),
            true,
            false,
        ),
        (
            base.clone(),
            trained(Some(DataModelTraining::FeeOneTime(fee(9)))),
            true,
            false,
        ),
        (base.clone(), trained(None), false, true),
        (base.clone(), access(Some(fee(1))), false, true),
        (access(Some(fee(2))), access(Some(fee(1))), true, false),
        (base.clone(), years(5), false, true),
        (years(4), years(5), true, false),
        (
            base.clone(),
            unknown(UnknownUsageRights::Excluded),
            false,
            true,
        ),
        (
            base.clone(),
            with(|terms| terms.payment_mode = PaymentMode::RandomDistribution),
            false,
            false,
        ),
        (
            with(|terms| terms.commercial_use = Some(CommercialUse::FeeOneTime(fee(9)))),
            derived(Some(FeeOneTime(fee(9)))),
            false,
            false,
        ),
        (base.clone(), base.revoked(), false, true),
    ];
    for (old, new, loosens, back) in table {
        let kind = AssetKind::Model;
        assert_eq!(new.loosens(&old, kind), loosens, "{old:?} -> {new:?}");
        assert_eq!(old.loosens(&new, kind), back, "{new:?} -> {old:?}");
    }
}

#[test]
fn a_share_of_what_is_trained_on_a_data_set_is_a_price() {
    let free = with(|terms| {
        terms.derivation = None;
        terms.data_model_training = Some(DataModelTraining::Allowed);
    });
    let shared = with(|terms| {
        terms.derivation = Some(Derivation::RevenueShare(share("1%")));
        terms.data_model_training = Some(DataModelTraining::Allowed);
    });
    assert!(shared.loosens(&free, AssetKind::Model));
    assert!(!shared.loosens(&free, AssetKind::DataSet));
    let closed = with(|terms| {
        terms.derivation = None;
        terms.data_model_training = None;
    });
    assert!(shared.loosens(&closed, AssetKind::DataSet));
}

#[test]
fn revoked_terms_grant_nothing_and_keep_the_payment_mode() {
    let random = with(|terms| terms.payment_mode = PaymentMode::RandomDistribution);
    let revoked = random.revoked();
    assert!(revoked.grants_nothing());
    assert!(!random.grants_nothing());
    assert_eq!(revoked.payment_mode, PaymentMode::RandomDistribution);
    assert_eq!(Terms::parse(&revoked.to_tags()), Ok(revoked));
}

/// Every combination of a few values a field.
fn many() -> Vec<Terms> {
    use Derivation::{Allowed, Credit, FeeOneTime, LicensePassthrough, RevenueShare};
    let mut all = Vec::new();
    for access_fee in [None, Some(fee(1))] {
        for derivation in [
            None,
            Some(Allowed),
            Some(Credit),
            Some(LicensePassthrough),
            Some(RevenueShare(share("1%"))),
            Some(RevenueShare(share("2%"))),
            Some(FeeOneTime(fee(1))),
        ] {
            for commercial_use in [
                None,
                Some(CommercialUse::Allowed),
                Some(CommercialUse::FeeOneTime(fee(1))),
                Some(CommercialUse::FeeOneTime(fee(2))),
            ] {
                for data_model_training in [None, Some(DataModelTraining::Allowed)] {
                    for expiry_years in [None, NonZeroU32::new(2)] {
                        all.push(Terms {
                            access_fee,
                            derivation,
                            commercial_use,
                            data_model_training,
                            expiry_years,
                            payment_mode: PaymentMode::GlobalDistribution,
                            ..Terms::default()
                        });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn loosening_is_a_partial_order() {
    let all = many();
    for kind in [AssetKind::Model, AssetKind::DataSet] {
        let looser: Vec<Vec<bool>> = all
            .iter()
            .map(|new| all.iter().map(|old| new.loosens(old, kind)).collect())
            .collect();
        for a in 0..all.len() {
            assert!(looser[a][a]);
            for b in (0..all.len()).filter(|&b| looser[a][b]) {
                assert!(a == b || !looser[b][a], "{:?} {:?}", all[a], all[b]);
                for c in (0..all.len()).filter(|&c| looser[b][c]) {
                    assert!(looser[a][c], "{:?} {:?} {:?}", all[a], all[b], all[c]);
                }
            }
        }
    }
}
