//! Int tensors: whole numbers do not round, so nearly everything is burn-flex's.
//!
//! Sorting is ours, because a tie needs a rule. Refused are the operations that go through floats, those whose divisions
//! burn-flex leaves to an algorithm, and random whole numbers (use [`crate::random`]).

use super::{Repro, ReproDevice, assert_f32, int_tensor, refuse, resized};
use crate::kernels::order_free::{argsort_whole, take_along};
use crate::kernels::view::Axis;
use burn_backend::ops::IntTensorOps;
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{
    BoolDType, DType, Distribution, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice,
    TensorData,
};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use std::ops::Range;

impl IntTensorOps<Repro> for Repro {
    fn int_device(_tensor: &FlexTensor) -> ReproDevice {
        ReproDevice
    }

    fn int_to_device(tensor: FlexTensor, _device: &ReproDevice) -> FlexTensor {
        tensor
    }

    /// Each whole number rounded once, to nearest even.
    fn int_into_float(tensor: FlexTensor, out_dtype: FloatDType) -> FlexTensor {
        assert_f32("int_into_float", out_dtype);
        Flex::int_into_float(tensor, FloatDType::F32)
    }

    // Delegated.

    fn int_empty(shape: Shape, _device: &ReproDevice, dtype: IntDType) -> FlexTensor {
        Flex::int_empty(shape, &FlexDevice, dtype)
    }

    async fn int_into_data(tensor: FlexTensor) -> Result<TensorData, ExecutionError> {
        Flex::int_into_data(tensor).await
    }

    fn int_from_data(data: TensorData, _device: &ReproDevice) -> FlexTensor {
        Flex::int_from_data(data, &FlexDevice)
    }

    fn int_reshape(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        Flex::int_reshape(tensor, shape)
    }

    fn int_slice(tensor: FlexTensor, slices: &[Slice]) -> FlexTensor {
        Flex::int_slice(tensor, slices)
    }

    fn int_slice_assign(tensor: FlexTensor, slices: &[Slice], value: FlexTensor) -> FlexTensor {
        Flex::int_slice_assign(tensor, slices, value)
    }

    fn int_mask_where(tensor: FlexTensor, mask: FlexTensor, value: FlexTensor) -> FlexTensor {
        Flex::int_mask_where(tensor, mask, value)
    }

    fn int_mask_fill(tensor: FlexTensor, mask: FlexTensor, value: Scalar) -> FlexTensor {
        Flex::int_mask_fill(tensor, mask, value)
    }

    fn int_gather(dim: usize, tensor: FlexTensor, indices: FlexTensor) -> FlexTensor {
        Flex::int_gather(dim, tensor, indices)
    }

    fn int_scatter_add(
        dim: usize,
        tensor: FlexTensor,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        Flex::int_scatter_add(dim, tensor, indices, value)
    }

    fn int_scatter_nd(
        data: FlexTensor,
        indices: FlexTensor,
        values: FlexTensor,
        reduction: IndexingUpdateOp,
    ) -> FlexTensor {
        Flex::int_scatter_nd(data, indices, values, reduction)
    }

    fn int_gather_nd(data: FlexTensor, indices: FlexTensor) -> FlexTensor {
        Flex::int_gather_nd(data, indices)
    }

    fn int_select(tensor: FlexTensor, dim: usize, indices: FlexTensor) -> FlexTensor {
        Flex::int_select(tensor, dim, indices)
    }

    fn int_select_add(
        tensor: FlexTensor,
        dim: usize,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        Flex::int_select_add(tensor, dim, indices, value)
    }

    fn int_repeat_dim(tensor: FlexTensor, dim: usize, times: usize) -> FlexTensor {
        Flex::int_repeat_dim(tensor, dim, times)
    }

    fn int_cat(tensors: Vec<FlexTensor>, dim: usize) -> FlexTensor {
        Flex::int_cat(tensors, dim)
    }

    fn int_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_equal(lhs, rhs, out_dtype)
    }

    fn int_not_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_not_equal(lhs, rhs, out_dtype)
    }

    fn int_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_equal_elem(lhs, rhs, out_dtype)
    }

    fn int_not_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_not_equal_elem(lhs, rhs, out_dtype)
    }

    fn int_greater(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_greater(lhs, rhs, out_dtype)
    }

    fn int_greater_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_greater_elem(lhs, rhs, out_dtype)
    }

    fn int_greater_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_greater_equal(lhs, rhs, out_dtype)
    }

    fn int_greater_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_greater_equal_elem(lhs, rhs, out_dtype)
    }

    fn int_lower(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_lower(lhs, rhs, out_dtype)
    }

    fn int_lower_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_lower_elem(lhs, rhs, out_dtype)
    }

    fn int_lower_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_lower_equal(lhs, rhs, out_dtype)
    }

    fn int_lower_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_lower_equal_elem(lhs, rhs, out_dtype)
    }

    fn int_add(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_add(lhs, rhs)
    }

    fn int_add_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::int_add_scalar(lhs, rhs)
    }

    fn int_clamp_min(tensor: FlexTensor, min: Scalar) -> FlexTensor {
        Flex::int_clamp_min(tensor, min)
    }

    fn int_clamp_max(tensor: FlexTensor, max: Scalar) -> FlexTensor {
        Flex::int_clamp_max(tensor, max)
    }

    fn int_clamp(tensor: FlexTensor, min: Scalar, max: Scalar) -> FlexTensor {
        Flex::int_clamp(tensor, min, max)
    }

    fn int_sub(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_sub(lhs, rhs)
    }

    fn int_sub_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::int_sub_scalar(lhs, rhs)
    }

    fn int_mul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_mul(lhs, rhs)
    }

    fn int_mul_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::int_mul_scalar(lhs, rhs)
    }

    fn int_div(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_div(lhs, rhs)
    }

    fn int_div_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::int_div_scalar(lhs, rhs)
    }

    fn int_remainder(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_remainder(lhs, rhs)
    }

    fn int_remainder_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::int_remainder_scalar(lhs, rhs)
    }

    fn int_matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::int_matmul(lhs, rhs)
    }

    fn int_neg(tensor: FlexTensor) -> FlexTensor {
        Flex::int_neg(tensor)
    }

    fn int_zeros(shape: Shape, _device: &ReproDevice, dtype: IntDType) -> FlexTensor {
        Flex::int_zeros(shape, &FlexDevice, dtype)
    }

    fn int_ones(shape: Shape, _device: &ReproDevice, dtype: IntDType) -> FlexTensor {
        Flex::int_ones(shape, &FlexDevice, dtype)
    }

    fn int_full(
        shape: Shape,
        fill_value: Scalar,
        _device: &ReproDevice,
        dtype: IntDType,
    ) -> FlexTensor {
        Flex::int_full(shape, fill_value, &FlexDevice, dtype)
    }

    fn int_sum(tensor: FlexTensor) -> FlexTensor {
        Flex::int_sum(tensor)
    }

    fn int_sum_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_sum_dim(tensor, dim)
    }

    fn int_prod(tensor: FlexTensor) -> FlexTensor {
        Flex::int_prod(tensor)
    }

    fn int_prod_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_prod_dim(tensor, dim)
    }

    fn int_cumsum(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_cumsum(tensor, dim)
    }

    fn int_cumprod(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_cumprod(tensor, dim)
    }

    fn int_cummin(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_cummin(tensor, dim)
    }

    fn int_cummax(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_cummax(tensor, dim)
    }

    fn int_argmax(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_argmax(tensor, dim)
    }

    fn int_argmin(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_argmin(tensor, dim)
    }

    fn int_max(tensor: FlexTensor) -> FlexTensor {
        Flex::int_max(tensor)
    }

    fn int_max_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_max_dim(tensor, dim)
    }

    fn int_max_dim_with_indices(tensor: FlexTensor, dim: usize) -> (FlexTensor, FlexTensor) {
        Flex::int_max_dim_with_indices(tensor, dim)
    }

    fn int_max_abs(tensor: FlexTensor) -> FlexTensor {
        Flex::int_max_abs(tensor)
    }

    fn int_max_abs_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_max_abs_dim(tensor, dim)
    }

    fn int_min(tensor: FlexTensor) -> FlexTensor {
        Flex::int_min(tensor)
    }

    fn int_min_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::int_min_dim(tensor, dim)
    }

    fn int_min_dim_with_indices(tensor: FlexTensor, dim: usize) -> (FlexTensor, FlexTensor) {
        Flex::int_min_dim_with_indices(tensor, dim)
    }

    fn int_abs(tensor: FlexTensor) -> FlexTensor {
        Flex::int_abs(tensor)
    }

    fn int_transpose(tensor: FlexTensor) -> FlexTensor {
        Flex::int_transpose(tensor)
    }

    fn int_swap_dims(tensor: FlexTensor, dim1: usize, dim2: usize) -> FlexTensor {
        Flex::int_swap_dims(tensor, dim1, dim2)
    }

    fn int_permute(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::int_permute(tensor, axes)
    }

    fn int_flip(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::int_flip(tensor, axes)
    }

    fn int_arange_step(
        range: Range<i64>,
        step: usize,
        _device: &ReproDevice,
        dtype: IntDType,
    ) -> FlexTensor {
        Flex::int_arange_step(range, step, &FlexDevice, dtype)
    }

    fn int_arange(range: Range<i64>, _device: &ReproDevice, dtype: IntDType) -> FlexTensor {
        Flex::int_arange(range, &FlexDevice, dtype)
    }

    fn int_any(tensor: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_any(tensor, out_dtype)
    }

    fn int_any_dim(tensor: FlexTensor, dim: usize, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_any_dim(tensor, dim, out_dtype)
    }

    fn int_all(tensor: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_all(tensor, out_dtype)
    }

    fn int_all_dim(tensor: FlexTensor, dim: usize, out_dtype: BoolDType) -> FlexTensor {
        Flex::int_all_dim(tensor, dim, out_dtype)
    }

    fn int_sign(tensor: FlexTensor) -> FlexTensor {
        Flex::int_sign(tensor)
    }

    fn int_expand(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        Flex::int_expand(tensor, shape)
    }

    fn int_sort(tensor: FlexTensor, dim: usize, descending: bool) -> FlexTensor {
        Flex::int_sort(tensor, dim, descending)
    }

    fn bitwise_and(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bitwise_and(lhs, rhs)
    }

    fn bitwise_and_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bitwise_and_scalar(lhs, rhs)
    }

    fn bitwise_or(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bitwise_or(lhs, rhs)
    }

    fn bitwise_or_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bitwise_or_scalar(lhs, rhs)
    }

    fn bitwise_xor(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bitwise_xor(lhs, rhs)
    }

    fn bitwise_xor_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bitwise_xor_scalar(lhs, rhs)
    }

    fn bitwise_not(tensor: FlexTensor) -> FlexTensor {
        Flex::bitwise_not(tensor)
    }

    fn bitwise_left_shift(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bitwise_left_shift(lhs, rhs)
    }

    fn bitwise_left_shift_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bitwise_left_shift_scalar(lhs, rhs)
    }

    fn bitwise_right_shift(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bitwise_right_shift(lhs, rhs)
    }

    fn bitwise_right_shift_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bitwise_right_shift_scalar(lhs, rhs)
    }

    fn int_cast(tensor: FlexTensor, dtype: IntDType) -> FlexTensor {
        Flex::int_cast(tensor, dtype)
    }

    fn int_unfold(tensor: FlexTensor, dim: usize, size: usize, step: usize) -> FlexTensor {
        Flex::int_unfold(tensor, dim, size, step)
    }

    // Refused.

    fn int_powi(_lhs: FlexTensor, _rhs: FlexTensor) -> FlexTensor {
        refuse("int_powi")
    }

    fn int_powi_scalar_impl(_lhs: FlexTensor, _rhs: Scalar) -> FlexTensor {
        refuse("int_powi_scalar_impl")
    }

    fn int_mean(_tensor: FlexTensor) -> FlexTensor {
        refuse("int_mean")
    }

    fn int_mean_dim(_tensor: FlexTensor, _dim: usize) -> FlexTensor {
        refuse("int_mean_dim")
    }

    fn int_argtopk(tensor: FlexTensor, dim: usize, k: usize) -> FlexTensor {
        sorted("int_argtopk", tensor, dim, true, Some(k)).1
    }

    fn int_random(
        _shape: Shape,
        _distribution: Distribution,
        _device: &ReproDevice,
        _dtype: IntDType,
    ) -> FlexTensor {
        refuse("int_random")
    }

    fn int_sort_with_indices(
        tensor: FlexTensor,
        dim: usize,
        descending: bool,
    ) -> (FlexTensor, FlexTensor) {
        sorted("int_sort_with_indices", tensor, dim, descending, None)
    }

    fn int_argsort(tensor: FlexTensor, dim: usize, descending: bool) -> FlexTensor {
        sorted("int_argsort", tensor, dim, descending, None).1
    }
}

/// The first `k` of the sorted axis, or all, and where they were; equal numbers keep their order, descending too.
fn sorted(
    operation: &str,
    tensor: FlexTensor,
    dim: usize,
    is_descending: bool,
    k: Option<usize>,
) -> (FlexTensor, FlexTensor) {
    if tensor.dtype() == DType::U64 {
        refuse(&format!("{operation} of U64"));
    }
    let (shape, dtype) = (tensor.layout().shape().clone(), tensor.dtype().into());
    let axis = Axis::of(&shape[..], dim);
    let k = k.unwrap_or(axis.len);
    assert!(
        k <= axis.len,
        "repro: the first {k} of an axis of {}",
        axis.len
    );
    let numbers = super::indices(tensor);
    let order = argsort_whole(&numbers, axis, is_descending);
    let plane = (axis.len * axis.inner).max(1);
    let first: Vec<i64> = order
        .chunks(plane)
        .flat_map(|plane| &plane[..k * axis.inner])
        .copied()
        .collect();
    let values = take_along(&numbers, axis, &first, k);
    let shape = resized(&shape, dim, k);
    (
        int_tensor(values, shape.clone(), dtype),
        int_tensor(first, shape, dtype),
    )
}
