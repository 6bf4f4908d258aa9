//! One operation an element.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{FloatDType, IntDType, Shape, Slice};
use repro::ReproDevice;

pub fn push(out: &mut Vec<Vector>) {
    made(out);
    arithmetic(out);
    broadcasts(out);
    functions(out);
    rare(out);
    powers_and_bounds(out);
    masks(out);
    into_whole_numbers(out);
    moves(out);
}

fn made(out: &mut Vec<Vector>) {
    vectors! { out;
        float_zeros(Shape::new([2, 3]), &ReproDevice, FloatDType::F32);
        float_ones(Shape::new([2, 3]), &ReproDevice, FloatDType::F32);
        float_full(Shape::new([3]), scalar(0.1), &ReproDevice, FloatDType::F32);
        float_empty(Shape::new([0, 3]), &ReproDevice, FloatDType::F32);
        float_cast(normal(1, [5]), FloatDType::F32);
        int_into_float(ints(&[0, -1, 16777217, 16777219, 9223372036854775807, -33554435], [6]), FloatDType::F32);
        bool_into_float(mask(1, [7]), FloatDType::F32);
    }
}

fn arithmetic(out: &mut Vec<Vector>) {
    vectors! { out;
        float_add(hard(), normal(1, [85]));
        float_add(hard(), flipped(hard(), [0]));
        float_add(normal(1, [0, 3]), normal(2, [0, 3]));
        float_add(normal(1, [1]), normal(2, [1]));
        float_add(normal(1, [5003]), normal(2, [5003]));
        float_add_scalar(hard(), scalar(0.1));
        float_add_scalar(normal(1, [5003]), scalar(0.1));
        float_sub(hard(), normal(1, [85]));
        float_sub(hard(), flipped(hard(), [0]));
        float_sub(normal(1, [5003]), normal(2, [5003]));
        float_sub_scalar(hard(), scalar(0.1));
        float_mul(hard(), normal(1, [85]));
        float_mul(hard(), flipped(hard(), [0]));
        float_mul(normal(1, [5003]), normal(2, [5003]));
        float_mul_scalar(hard(), scalar(0.1));
        float_div(hard(), normal(1, [85]));
        float_div(hard(), flipped(hard(), [0]));
        float_div(normal(1, [5003]), normal(2, [5003]));
        float_div_scalar(hard(), scalar(0.1));
        float_neg(hard());
        float_recip(hard());
        float_recip(normal(1, [1009]));
        float_abs(hard());
        float_sqrt(hard());
        float_sqrt(positive(1, [1009]));
        float_sign(hard());
        float_round(hard());
        float_round(rounded(1, [37]));
        float_floor(hard());
        float_ceil(hard());
        float_trunc(hard());
    }
}

fn broadcasts(out: &mut Vec<Vector>) {
    vectors! { out;
        float_add(normal(3, [5, 7]), normal(4, [1, 7]));
        float_add(normal(3, [1, 7]), normal(4, [5, 1]));
        float_sub(normal(3, [5, 7]), normal(4, [5, 1]));
        float_sub(normal(4, [1, 1]), normal(3, [5, 7]));
        float_mul(normal(3, [2, 1, 3, 17]), normal(4, [1, 4, 3, 1]));
        float_mul(swapped(normal(3, [5, 7]), 0, 1), normal(4, [7, 5]));
        float_mul(normal(3, [7, 5]), swapped(normal(4, [5, 7]), 0, 1));
        float_div(normal(3, [3, 33]), normal(4, [3, 1]));
        float_div(cut(normal(3, [9, 11]), [[2, 9], [1, 8]]), flipped(normal(4, [7, 7]), [1]));
        float_add(broadcast(normal(3, [1, 9]), [4, 9]), cut(normal(4, [8, 9]), [[3, 7], [0, 9]]));
        float_exp(swapped(normal(3, [3, 50]), 0, 1));
        float_tanh(broadcast(normal(3, [5, 1]), [5, 9]));
        float_abs(cut(normal(3, [9, 11]), [[2, 9], [1, 8]]));
    }
}

fn functions(out: &mut Vec<Vector>) {
    vectors! { out;
        float_exp(hard());
        float_exp(normal(5, [0]));
        float_exp(normal(5, [1]));
        float_exp(normal(5, [1009]));
        float_log(hard());
        float_log(positive(5, [1009]));
        float_log1p(hard());
        float_log1p(positive(5, [1009]));
        float_tanh(hard());
        float_tanh(normal(5, [1009]));
        float_erf(hard());
        float_erf(normal(5, [1009]));
        float_sin(hard());
        float_sin(normal(5, [1009]));
        float_cos(hard());
        float_cos(normal(5, [1009]));
    }
}

/// Functions computed in binary64 and rounded once.
fn rare(out: &mut Vec<Vector>) {
    vectors! { out;
        float_tan(hard());
        float_tan(normal(5, [1009]));
        float_sinh(hard());
        float_sinh(normal(5, [1009]));
        float_cosh(hard());
        float_cosh(normal(5, [1009]));
        float_asin(hard());
        float_asin(normal(5, [1009]));
        float_acos(hard());
        float_acos(normal(5, [1009]));
        float_atan(hard());
        float_atan(normal(5, [1009]));
        float_asinh(hard());
        float_asinh(normal(5, [1009]));
        float_acosh(hard());
        float_acosh(positive(5, [1009]));
        float_atanh(hard());
        float_atanh(normal(5, [1009]));
        float_atan2(hard(), flipped(hard(), [0]));
        float_atan2(normal(5, [37, 1]), normal(6, [1, 41]));
        float_powf(hard(), flipped(hard(), [0]));
        float_powf(hard(), rounded(6, [85]));
        float_powf(positive(5, [37, 1]), normal(6, [1, 41]));
        float_powi(normal(5, [7, 11]), whole(6, [7, 11], 9));
        float_powf_scalar(hard(), scalar(-0.5));
        float_powf_scalar(positive(5, [1009]), scalar(0.5));
        float_powf_scalar(positive(5, [1009]), scalar(-1.75));
        float_powf_scalar_impl(hard(), scalar(3.0));
        float_remainder(hard(), flipped(hard(), [0]));
        float_remainder(normal(5, [37, 1]), normal(6, [1, 41]));
        float_remainder_scalar(hard(), scalar(0.3));
        float_remainder_scalar(normal(5, [1009]), scalar(-0.3));
    }
}

/// Numbers moved and replaced; no bit of one changes.
fn masks(out: &mut Vec<Vector>) {
    vectors! { out;
        float_mask_where(normal(5, [5, 7]), mask(6, [5, 7]), normal(7, [5, 7]));
        float_mask_where(hard(), mask(6, [85]), flipped(hard(), [0]));
        float_mask_where(normal(5, [5, 7]), mask(6, [1, 7]), normal(7, [5, 1]));
        float_mask_fill(normal(5, [5, 7]), mask(6, [5, 7]), scalar(0.1));
        float_mask_fill(swapped(normal(5, [7, 5]), 0, 1), mask(6, [5, 1]), scalar(-1e30));
        float_reshape(swapped(normal(5, [6, 35]), 0, 1), Shape::new([3, 70]));
        float_reshape(flipped(normal(5, [6, 35]), [0, 1]), Shape::new([210]));
        float_select(normal(5, [11, 3]), 0, whole(6, [17], 11));
        float_select(swapped(normal(5, [3, 11]), 0, 1), 1, whole(6, [7], 3));
        float_gather(1, normal(5, [3, 11]), whole(6, [3, 17], 11));
        float_repeat_dim(normal(5, [5, 2]), 1, 3);
        float_cat(vec![normal(5, [3, 2]), swapped(normal(6, [5, 3]), 0, 1), normal(7, [3, 0])], 1);
    }
}

fn powers_and_bounds(out: &mut Vec<Vector>) {
    vectors! { out;
        float_powi_scalar(hard(), scalar(0.0));
        float_powi_scalar(hard(), scalar(1.0));
        float_powi_scalar(hard(), scalar(2.0));
        float_powi_scalar(hard(), scalar(3.0));
        float_powi_scalar(normal(6, [101]), scalar(7.0));
        float_powi_scalar(normal(6, [101]), scalar(-5.0));
        float_powi_scalar_impl(normal(6, [11]), scalar(13.0));
        float_powf_scalar(hard(), scalar(2.0));
        float_clamp(hard(), scalar(-0.5), scalar(0.75));
        float_clamp(hard(), scalar(0.75), scalar(-0.5));
        float_clamp_min(hard(), scalar(-0.5));
        float_clamp_max(hard(), scalar(0.75));
    }
}

/// Toward zero; beyond the ends of the type its ends, and 0 for a NaN.
fn into_whole_numbers(out: &mut Vec<Vector>) {
    vectors! { out;
        float_into_int(hard(), IntDType::I64);
        float_into_int(hard(), IntDType::I32);
        float_into_int(hard(), IntDType::U8);
        float_into_int(normal(1, [1009]), IntDType::I64);
        float_into_int(swapped(rounded(1, [5, 7]), 0, 1), IntDType::I64);
        float_into_int(patterns(&[0x3f7fffff, 0xbf7fffff, 0xbfffffff, 0x4b7fffff, 0x4b800001, 0x5effffff, 0x5f000000, 0x5f000001, 0xdeffffff, 0xdf000000, 0xdf000001], [11]), IntDType::I64);
        float_into_int(patterns(&[0x3f7fffff, 0xbf7fffff, 0xbfffffff, 0x4b7fffff, 0x4b800001, 0x4effffff, 0x4f000000, 0x4f000001, 0xceffffff, 0xcf000000, 0xcf000001], [11]), IntDType::I32);
        float_into_int(patterns(&[0x3f7fffff, 0xbf7fffff, 0xbfffffff, 0x437effff, 0x437f0000, 0x437fffff, 0x43800000, 0xbf800000, 0x5f800000], [9]), IntDType::U8);
    }
}

/// Numbers that only change their places, however they lie.
fn moves(out: &mut Vec<Vector>) {
    vectors! { out;
        float_slice(normal(5, [7, 11]), &[Slice::new(1, Some(6), 1), Slice::new(2, Some(9), 1)]);
        float_slice(normal(5, [7, 11]), &[Slice::new(1, Some(6), 2), Slice::new(0, None, 3)]);
        float_slice(normal(5, [7, 11]), &[Slice::new(0, None, -1), Slice::new(1, Some(10), -4)]);
        float_slice(normal(5, [7, 11]), &[Slice::new(-5, Some(-1), 2)]);
        float_slice(normal(5, [7, 11]), &[Slice::new(3, Some(3), 1), Slice::new(2, Some(9), 2)]);
        float_slice(hard(), &[Slice::new(0, None, -2)]);
        float_slice(swapped(flipped(normal(5, [3, 4, 5]), [1]), 0, 2), &[Slice::new(1, Some(5), 3), Slice::new(0, None, -2), Slice::new(-2, None, 1)]);
        float_slice_assign(normal(5, [7, 11]), &[Slice::new(1, Some(6), 1), Slice::new(2, Some(9), 1)], normal(6, [5, 7]));
        float_slice_assign(normal(5, [7, 11]), &[Slice::new(1, Some(6), 2), Slice::new(0, None, 3)], normal(6, [3, 4]));
        float_slice_assign(normal(5, [7, 11]), &[Slice::new(0, None, -2), Slice::new(1, Some(10), -4)], swapped(normal(6, [3, 4]), 0, 1));
        float_slice_assign(swapped(normal(5, [11, 7]), 0, 1), &[Slice::new(-5, Some(-1), 1)], normal(6, [4, 11]));
        float_slice_assign(hard(), &[Slice::new(2, Some(82), -1)], cut(hard(), [[2, 82]]));
        float_slice_assign(normal(5, [3, 4, 5]), &[Slice::new(0, None, 1), Slice::new(1, Some(4), 2), Slice::new(0, None, -1)], broadcast(normal(6, [1, 1, 1]), [3, 2, 5]));
        float_permute(normal(5, [3, 4, 5]), &[2, 0, 1]);
        float_permute(flipped(normal(5, [2, 3, 4, 5]), [0, 3]), &[1, 3, 0, 2]);
        float_swap_dims(normal(5, [3, 4, 5]), 0, 2);
        float_swap_dims(flipped(normal(5, [3, 4, 5]), [0]), 1, 0);
        float_transpose(normal(5, [2, 3, 4]));
        float_flip(normal(5, [3, 4, 5]), &[0, 2]);
        float_flip(hard(), &[0]);
        float_flip(swapped(cut(normal(5, [9, 11]), [[2, 9], [1, 8]]), 0, 1), &[1]);
        float_expand(normal(5, [3, 1, 5]), Shape::new([3, 4, 5]));
        float_expand(normal(5, [3, 1]), Shape::new([2, 3, 4]));
        float_expand(cut(hard(), [[84, 85]]), Shape::new([3]));
        float_unfold(normal(5, [3, 11]), 1, 4, 3);
        float_unfold(normal(5, [11, 3]), 0, 3, 1);
        float_unfold(swapped(normal(5, [4, 3, 11]), 0, 2), 0, 5, 4);
        float_gather_nd(normal(5, [4, 5, 6]), whole(6, [3, 7, 2], 4));
        float_gather_nd(swapped(normal(5, [5, 4]), 0, 1), whole(6, [9, 2], 4));
    }
}
