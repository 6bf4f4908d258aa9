//! Exact division: every party the floor of its part, and the units that are
//! left one each to the first parties in record order. The sum is the total.

use protocol::Amount;

/// Why a total cannot be divided so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Nobody has any weight.
    #[error("{0} parties and all weights are zero: nothing can be divided among them")]
    NoWeight(usize),
    /// The weights add up to more than 128 bits.
    #[error("the weights add up to more than {}", u128::MAX)]
    WeightsTooLarge,
}

impl SplitError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoWeight(_) => "no_weight",
            Self::WeightsTooLarge => "weights_too_large",
        }
    }
}

/// Divides a total (of money, or of a model's royalty shares) in proportion to
/// weights that are in record order. A party without weight gets nothing.
///
/// # Errors
/// [`SplitError`] if all weights are zero, there are none, or their sum overflows.
pub fn split_by_weights(total: u128, weights: &[u128]) -> Result<Vec<u128>, SplitError> {
    let sum = weights
        .iter()
        .try_fold(0u128, |sum, &weight| sum.checked_add(weight))
        .ok_or(SplitError::WeightsTooLarge)?;
    if sum == 0 {
        return Err(SplitError::NoWeight(weights.len()));
    }
    let total_amount = Amount::from_base_units(total);
    let mut parts: Vec<u128> = weights
        .iter()
        .map(|&weight| {
            let part = total_amount.checked_ratio(weight, sum);
            part.expect("a weight is at most the sum, so a part is at most the total")
                .base_units()
        })
        .collect();
    // Each party with weight lost less than one unit to its floor, so fewer
    // units are left than there are such parties.
    let mut left = total - parts.iter().sum::<u128>();
    for (part, &weight) in parts.iter_mut().zip(weights) {
        if left > 0 && weight > 0 {
            *part += 1;
            left -= 1;
        }
    }
    assert_eq!(left, 0, "every unit has its party");
    Ok(parts)
}

/// [`split_by_weights`] for money.
///
/// # Errors
/// [`SplitError`] as there.
pub fn split_amount(total: Amount, weights: &[u128]) -> Result<Vec<Amount>, SplitError> {
    let parts = split_by_weights(total.base_units(), weights)?;
    Ok(parts.into_iter().map(Amount::from_base_units).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_floors_leave_goes_to_the_first_parties_in_order() {
        for (total, weights, parts) in [
            (10, &[1, 1, 1][..], &[4, 3, 3][..]),
            (11, &[1, 1, 1], &[4, 4, 3]),
            (1_000_000, &[3, 3, 1], &[428_572, 428_571, 142_857]),
            (2, &[0, 1, 0, 1, 1], &[0, 1, 0, 1, 0]),
            (0, &[5, 5], &[0, 0]),
            (7, &[9], &[7]),
            (u128::MAX, &[u128::MAX - 1, 1], &[u128::MAX - 1, 1]),
        ] {
            assert_eq!(
                split_by_weights(total, weights).as_deref(),
                Ok(parts),
                "{total}"
            );
        }
    }

    #[test]
    fn money_is_divided_as_units_are() {
        let parts = split_amount(Amount::from_base_units(10), &[1, 0, 2]);
        assert_eq!(parts, Ok([4, 0, 6].map(Amount::from_base_units).to_vec()));
        let nobody = split_amount(Amount::from_base_units(10), &[]);
        assert_eq!(nobody, Err(SplitError::NoWeight(0)));
    }

    #[test]
    fn weights_that_divide_nothing_are_refused() {
        for (weights, code) in [
            (&[][..], "no_weight"),
            (&[0, 0], "no_weight"),
            (&[u128::MAX, 1], "weights_too_large"),
        ] {
            let error = split_by_weights(5, weights).expect_err(code);
            assert_eq!(error.code(), code, "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_the_total_and_no_part_is_a_unit_off(
            total in prop_oneof![0..100u128, any::<u128>()],
            weights in prop::collection::vec(
                prop_oneof![Just(0), 1..4u128, 0..=u128::MAX / 20],
                1..20,
            ),
        ) {
            prop_assume!(weights.iter().any(|&weight| weight > 0));
            let parts = split_by_weights(total, &weights).expect("some weight");
            prop_assert_eq!(parts.iter().sum::<u128>(), total);
            let sum: u128 = weights.iter().sum();
            for (&part, &weight) in parts.iter().zip(&weights) {
                let floor = Amount::from_base_units(total).checked_ratio(weight, sum);
                let floor = floor.expect("fits").base_units();
                prop_assert!(part == floor || part == floor + 1);
                prop_assert!(weight > 0 || part == 0);
            }
        }
    }
}
