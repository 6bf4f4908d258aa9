//! What only compares: ties have a rule.

use super::Vector;
use super::inputs::*;
use burn_backend::IntDType;
use burn_backend::ops::{FloatTensorOps, IntTensorOps};

pub fn push(out: &mut Vec<Vector>) {
    extremes_and_orders(out);
    pairs(out);
    with_a_scalar(out);
    kinds(out);
}

fn extremes_and_orders(out: &mut Vec<Vector>) {
    vectors! { out;
        float_argmax(rounded(14, [3, 4, 5]), 1, IntDType::I64);
        float_argmax(hard_rows(), 1, IntDType::I64);
        float_argmin(rounded(14, [3, 4, 5]), 2, IntDType::I64);
        float_argmin(hard_rows(), 0, IntDType::I64);
        float_max(rounded(14, [3, 4, 5]));
        float_max(hard());
        float_max_dim(rounded(14, [3, 4, 5]), 1);
        float_max_dim(rounded(14, [1, 1]), 0);
        float_max_dim_with_indices(rounded(14, [3, 40, 5]), 1, IntDType::I64);
        float_max_dim_with_indices(swapped(rounded(14, [7, 40]), 0, 1), 1, IntDType::I64);
        float_min(rounded(14, [3, 4, 5]));
        float_min(hard());
        float_min_dim(rounded(14, [3, 4, 5]), 0);
        float_min_dim_with_indices(rounded(14, [3, 40, 5]), 1, IntDType::I64);
        float_max_abs(rounded(14, [3, 4, 5]));
        float_max_abs_dim(rounded(14, [3, 4, 5]), 2);
        float_sort(rounded(14, [3, 40, 5]), 1, false);
        float_sort(hard(), 0, true);
        float_sort_with_indices(rounded(14, [3, 40, 5]), 1, true, IntDType::I64);
        float_sort_with_indices(hard(), 0, false, IntDType::I64);
        float_argsort(rounded(14, [40, 3]), 0, false, IntDType::I64);
        float_argsort(flipped(rounded(14, [40, 3]), [0]), 0, true, IntDType::I64);
        float_topk(rounded(14, [3, 40]), 1, 7);
        float_topk(hard(), 0, 5);
        float_argtopk(rounded(14, [3, 40]), 1, 7, IntDType::I64);
        float_argtopk(hard(), 0, 5, IntDType::I64);
        int_sort(whole(14, [3, 40], 9), 1, true);
        int_sort_with_indices(whole(14, [3, 40], 9), 1, false);
        int_argsort(whole(14, [40, 3], 9), 0, true);
        int_topk(whole(14, [3, 40], 9), 1, 7);
        int_argtopk(whole(14, [3, 40], 9), 1, 7);
    }
}

/// Each of the numbers that hurt with each.
fn pairs(out: &mut Vec<Vector>) {
    vectors! { out;
        float_equal(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_equal(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
        float_not_equal(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_not_equal(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
        float_greater(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_greater(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
        float_greater_equal(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_greater_equal(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
        float_lower(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_lower(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
        float_lower_equal(reshaped(hard(), [85, 1]), reshaped(hard(), [1, 85]), BOOL);
        float_lower_equal(rounded(14, [13, 17]), swapped(rounded(15, [17, 13]), 0, 1), BOOL);
    }
}

/// The scalar is rounded to binary32 first: 0.1 to a number that is there, 1e39 to an infinity, 1e-46 to zero.
fn with_a_scalar(out: &mut Vec<Vector>) {
    vectors! { out;
        float_equal_elem(hard(), scalar(0.0), BOOL);
        float_equal_elem(hard(), scalar(0.1), BOOL);
        float_equal_elem(hard(), scalar(1e39), BOOL);
        float_equal_elem(hard(), scalar(f64::NAN), BOOL);
        float_equal_elem(patterns(&[0x5a000000, 0x5a000001], [2]), whole_scalar(9007199791611905), BOOL);
        float_lower_elem(patterns(&[0x5a000000, 0x5a000001], [2]), whole_scalar(9007199791611905), BOOL);
        float_sub_scalar(patterns(&[0x5a000000, 0x5a000001], [2]), whole_scalar(9007199791611905));
        float_not_equal_elem(hard(), scalar(0.0), BOOL);
        float_not_equal_elem(hard(), scalar(0.1), BOOL);
        float_not_equal_elem(hard(), scalar(f64::NAN), BOOL);
        float_greater_elem(hard(), scalar(0.0), BOOL);
        float_greater_elem(hard(), scalar(0.1), BOOL);
        float_greater_elem(hard(), scalar(1e-46), BOOL);
        float_greater_elem(hard(), scalar(f64::NAN), BOOL);
        float_greater_equal_elem(hard(), scalar(0.0), BOOL);
        float_greater_equal_elem(hard(), scalar(0.1), BOOL);
        float_greater_equal_elem(hard(), scalar(f64::NAN), BOOL);
        float_lower_elem(hard(), scalar(0.0), BOOL);
        float_lower_elem(hard(), scalar(0.1), BOOL);
        float_lower_elem(hard(), scalar(1e39), BOOL);
        float_lower_elem(hard(), scalar(f64::NAN), BOOL);
        float_lower_equal_elem(hard(), scalar(0.0), BOOL);
        float_lower_equal_elem(hard(), scalar(0.1), BOOL);
        float_lower_equal_elem(hard(), scalar(f64::NAN), BOOL);
    }
}

/// What a number is; and of many, whether one is not zero, or all.
fn kinds(out: &mut Vec<Vector>) {
    vectors! { out;
        float_is_nan(hard(), BOOL);
        float_is_nan(recip(rounded(14, [3, 40])), BOOL);
        float_is_inf(hard(), BOOL);
        float_is_inf(recip(rounded(14, [3, 40])), BOOL);
        float_any(hard(), BOOL);
        float_any(cut(hard(), [[0, 2]]), BOOL);
        float_any(cut(hard(), [[84, 85]]), BOOL);
        float_any_dim(rounded(14, [3, 4, 5]), 1, BOOL);
        float_any_dim(swapped(rounded(14, [40, 3]), 0, 1), 0, BOOL);
        float_any_dim(reshaped(cut(hard(), [[0, 84]]), [42, 2]), 1, BOOL);
        float_all(hard(), BOOL);
        float_all(cut(hard(), [[2, 85]]), BOOL);
        float_all_dim(rounded(14, [3, 4, 5]), 1, BOOL);
        float_all_dim(swapped(rounded(14, [40, 3]), 0, 1), 0, BOOL);
        float_all_dim(reshaped(cut(hard(), [[1, 85]]), [42, 2]), 1, BOOL);
    }
}
