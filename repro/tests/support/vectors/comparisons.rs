//! What only compares: ties have a rule.

use super::Vector;
use super::inputs::*;
use burn_backend::IntDType;
use burn_backend::ops::{FloatTensorOps, IntTensorOps};

pub fn push(out: &mut Vec<Vector>) {
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
