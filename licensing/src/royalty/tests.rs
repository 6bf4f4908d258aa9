use super::*;
use crate::{
    CommercialUse, DataModelTraining, Derivation, DerivationRefusal, Fee, Terms, check_derivation,
    presets,
};
use proptest::prelude::*;
use protocol::record::AssetKind;

fn id(byte: u8) -> ItemId {
    ItemId([byte; 32])
}

fn percent(text: &str) -> Percent {
    text.parse().expect("a valid percentage")
}

fn stack(entries: &[(u8, &str)]) -> RoyaltyStack {
    let entries = entries
        .iter()
        .map(|&(byte, share)| (id(byte), percent(share)));
    RoyaltyStack::from_sorted(entries.collect()).expect("within the limits")
}

#[test]
fn parents_and_their_stacks_are_one_flat_list() {
    let none = RoyaltyStack::default();
    let grandparents = stack(&[(1, "2%"), (4, "1%")]);
    let others = stack(&[(1, "2%"), (3, "0.5%")]);
    for (name, parents, expected) in [
        ("no parents", vec![], stack(&[])),
        (
            "a parent that asks for nothing",
            vec![(id(9), None, &none)],
            stack(&[]),
        ),
        (
            "one parent",
            vec![(id(9), Some(percent("5%")), &none)],
            stack(&[(9, "5%")]),
        ),
        (
            "a parent's ancestors stay owed though it asks for nothing",
            vec![(id(9), None, &grandparents)],
            stack(&[(1, "2%"), (4, "1%")]),
        ),
        (
            "an ancestor by two paths counts once",
            vec![
                (id(9), Some(percent("5%")), &grandparents),
                (id(2), None, &others),
            ],
            stack(&[(1, "2%"), (3, "0.5%"), (4, "1%"), (9, "5%")]),
        ),
        (
            "a parent that is also an ancestor of another counts once",
            vec![
                (id(1), Some(percent("2%")), &none),
                (id(9), None, &grandparents),
            ],
            stack(&[(1, "2%"), (4, "1%")]),
        ),
        (
            "the larger of two differing shares counts",
            vec![
                (id(1), Some(percent("3%")), &none),
                (id(9), None, &grandparents),
            ],
            stack(&[(1, "3%"), (4, "1%")]),
        ),
        (
            "all of the income",
            vec![(id(1), Some(Percent::HUNDRED), &none)],
            stack(&[(1, "100%")]),
        ),
    ] {
        assert_eq!(RoyaltyStack::merge(&parents), Ok(expected), "{name}");
    }
}

#[test]
fn more_than_everything_is_refused_with_the_sum() {
    let none = RoyaltyStack::default();
    let error = RoyaltyStack::merge(&[
        (id(1), Some(percent("60%")), &none),
        (id(2), Some(percent("40.000000001%")), &none),
    ]);
    let error = error.expect_err("above the whole");
    assert_eq!(error, StackError::AboveAll(100_000_000_001));
    assert!(error.to_string().contains("100.000000001%"), "{error}");
}

#[test]
fn the_number_of_ancestors_is_bounded() {
    let none = RoyaltyStack::default();
    let share = Percent::from_billionths(1);
    let mut parents: Vec<_> = (0..64u8).map(|byte| (id(byte), share, &none)).collect();
    assert_eq!(
        RoyaltyStack::merge(&parents).map(|stack| stack.entries().len()),
        Ok(64)
    );
    parents.push((id(64), share, &none));
    assert_eq!(RoyaltyStack::merge(&parents), Err(StackError::TooMany(65)));
}

#[test]
fn a_payment_is_divided_to_the_unit() {
    let stack = stack(&[(1, "33.333333333%"), (2, "5%")]);
    for (gross, first, second, rest) in [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (100, 33, 5, 62),
        (
            10u128.pow(24),
            333_333_333_330_000_000_000_000,
            5 * 10u128.pow(22),
            616_666_666_670_000_000_000_000,
        ),
    ] {
        let amount = Amount::from_base_units;
        let (parts, left) = stack.split(amount(gross));
        assert_eq!(
            parts,
            [(id(1), amount(first)), (id(2), amount(second))],
            "{gross}"
        );
        assert_eq!(left, amount(rest), "{gross}");
    }
}

#[test]
fn a_stack_that_breaks_its_invariants_is_not_read_from_state() {
    let good = stack(&[(1, "2%"), (4, "1%")]);
    let bytes = borsh::to_vec(&good).expect("encodes");
    assert_eq!(
        borsh::from_slice::<RoyaltyStack>(&bytes).expect("decodes"),
        good
    );
    let entry = |byte, share: &str| (id(byte), percent(share));
    for bad in [
        vec![entry(4, "1%"), entry(1, "2%")],
        vec![entry(1, "1%"), entry(1, "1%")],
        vec![entry(1, "60%"), entry(2, "60%")],
        (0..65).map(|byte| entry(byte, "1%")).collect(),
    ] {
        let bytes = borsh::to_vec(&bad).expect("encodes");
        assert!(
            borsh::from_slice::<RoyaltyStack>(&bytes).is_err(),
            "{bad:?}"
        );
    }
    assert!(borsh::from_slice::<RoyaltyStack>(&[255, 255, 255, 255]).is_err());
}

#[test]
fn what_a_child_owes_follows_from_its_parents_terms() {
    let fee = Fee::new(Amount::from_lode(3).expect("fits")).expect("above zero");
    let share = percent("5%");
    let with = |derivation: Option<Derivation>, training: Option<DataModelTraining>| Terms {
        derivation,
        data_model_training: training,
        ..Terms::default()
    };
    let (model, data) = (AssetKind::Model, AssetKind::DataSet);
    let allowed = Some(DataModelTraining::Allowed);
    let child = presets::open();
    for (parent, kind, expected) in [
        (with(None, allowed), model, Err("derivation_not_granted")),
        (with(Some(Derivation::Allowed), None), model, Ok(None)),
        (with(Some(Derivation::Credit), None), model, Ok(None)),
        (with(Some(Derivation::Indication), None), model, Ok(None)),
        (
            with(Some(Derivation::RevenueShare(share)), None),
            model,
            Ok(Some(share)),
        ),
        (
            with(Some(Derivation::LicensePassthrough), None),
            model,
            Err("terms_not_passed_on"),
        ),
        (
            with(Some(Derivation::FeeOneTime(fee)), None),
            model,
            Err("derivation_fee_not_yet"),
        ),
        (
            with(Some(Derivation::FeeMonthly(fee)), None),
            model,
            Err("derivation_monthly_fee_not_yet"),
        ),
        (
            with(Some(Derivation::Allowed), None),
            data,
            Err("training_not_granted"),
        ),
        (with(None, allowed), data, Ok(None)),
        (
            with(Some(Derivation::RevenueShare(share)), allowed),
            data,
            Ok(Some(share)),
        ),
        (
            with(Some(Derivation::RevenueShare(share)), None),
            data,
            Err("training_not_granted"),
        ),
        (
            with(Some(Derivation::LicensePassthrough), allowed),
            data,
            Ok(None),
        ),
        (
            with(Some(Derivation::FeeOneTime(fee)), allowed),
            data,
            Ok(None),
        ),
        (
            with(None, Some(DataModelTraining::FeeOneTime(fee))),
            data,
            Err("training_fee_not_yet"),
        ),
        (
            with(None, Some(DataModelTraining::FeeMonthly(fee))),
            data,
            Err("training_monthly_fee_not_yet"),
        ),
    ] {
        let result = check_derivation(&parent, kind, &child, AssetKind::Model);
        assert_eq!(
            result.map_err(|refusal| refusal.code()),
            expected,
            "{parent:?} {kind:?}"
        );
    }
}

#[test]
fn passed_on_terms_must_be_exactly_the_parents() {
    let parent = Terms {
        derivation: Some(Derivation::LicensePassthrough),
        ..presets::open()
    };
    let looser = Terms {
        commercial_use: Some(CommercialUse::Credit),
        ..parent.clone()
    };
    // Fine-tuned, generated by the model, cleaned: all but training.
    for (kind, child_kind) in [
        (AssetKind::Model, AssetKind::Model),
        (AssetKind::Model, AssetKind::DataSet),
        (AssetKind::DataSet, AssetKind::DataSet),
    ] {
        assert_eq!(
            check_derivation(&parent, kind, &parent.clone(), child_kind),
            Ok(None)
        );
        assert_eq!(
            check_derivation(&parent, kind, &looser, child_kind),
            Err(DerivationRefusal::TermsNotPassedOn)
        );
    }
}

#[test]
fn a_data_set_that_may_be_trained_on_may_not_for_that_be_made_into_another() {
    let parent = Terms {
        derivation: None,
        data_model_training: Some(DataModelTraining::Allowed),
        ..presets::open()
    };
    let child = |kind| check_derivation(&parent, AssetKind::DataSet, &presets::open(), kind);
    assert_eq!(child(AssetKind::Model), Ok(None));
    let refused = Err(DerivationRefusal::DerivationNotGranted);
    assert_eq!(child(AssetKind::DataSet), refused);
}

#[test]
fn what_ancestors_leave_is_what_they_do_not_take() {
    let stack = |shares: &[u8]| {
        let entries = (1..).zip(shares).map(|(byte, share)| {
            let share = Percent::from_whole(*share).expect("in range");
            (id(byte), share)
        });
        RoyaltyStack::from_sorted(entries.collect())
    };
    let none = stack(&[]).unwrap();
    assert!(none.is_empty());
    assert_eq!(none.rest_billionths(), 100_000_000_000);
    let some = stack(&[30, 45]).unwrap();
    assert!(!some.is_empty());
    assert_eq!(some.rest_billionths(), 25_000_000_000);
    assert_eq!(stack(&[60, 40]).unwrap().rest_billionths(), 0);
    assert_eq!(stack(&[60, 41]).unwrap_err().code(), "royalties_above_all");
    assert_eq!(stack(&[1; 65]).unwrap_err().code(), "too_many_ancestors");
}

fn any_stack() -> impl Strategy<Value = RoyaltyStack> {
    // At most five shares of at most 20 %.
    let entries = prop::collection::btree_map(any::<u8>(), 1..=20_000_000_000u64, 0..=5);
    entries.prop_map(|entries| {
        let entries = entries
            .into_iter()
            .map(|(byte, count)| (id(byte), Percent::from_billionths(count).expect("in range")));
        RoyaltyStack::from_sorted(entries.collect()).expect("within the limits")
    })
}

proptest! {
    #[test]
    fn parts_and_rest_are_the_payment(
        stack in any_stack(),
        gross in prop_oneof![0..1_000u128, 0..u128::MAX / 100_000_000_000, any::<u128>()],
    ) {
        let units = gross;
        let gross = Amount::from_base_units(gross);
        let (parts, rest) = stack.split(gross);
        let sum = parts.iter().try_fold(rest, |sum, (_, part)| sum.checked_add(*part));
        prop_assert_eq!(sum, Some(gross));
        for ((ancestor, part), (of, share)) in parts.iter().zip(stack.entries()) {
            prop_assert_eq!(ancestor, of);
            if let Some(product) = units.checked_mul(share.billionths().into()) {
                prop_assert_eq!(part.base_units(), product / 100_000_000_000);
            }
            prop_assert_eq!(*part, share.of(gross));
        }
    }

    #[test]
    fn merging_ignores_order_and_repetition(
        a in any_stack(),
        b in any_stack(),
        own in prop::array::uniform2(prop::option::of(1..=30_000_000_000u64)),
    ) {
        let [first, second] =
            own.map(|own| own.map(|part| Percent::from_billionths(part).expect("in range")));
        let one = RoyaltyStack::merge(&[(id(1), first, &a), (id(2), second, &b)]);
        let two = RoyaltyStack::merge(&[(id(2), second, &b), (id(1), first, &a), (id(1), first, &a)]);
        prop_assert_eq!(&one, &two);
        if let Ok(stack) = one {
            prop_assert!(stack.entries().windows(2).all(|pair| pair[0].0 < pair[1].0));
            let bytes = borsh::to_vec(&stack).expect("encodes");
            prop_assert_eq!(borsh::from_slice::<RoyaltyStack>(&bytes).expect("decodes"), stack);
        }
    }
}
