//! Bool tensors: all of it is burn-flex's.

use super::{Repro, ReproDevice, assert_f32};
use burn_backend::ops::BoolTensorOps;
use burn_backend::{
    BoolDType, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
};
use burn_flex::{Flex, FlexDevice, FlexTensor};

impl BoolTensorOps<Repro> for Repro {
    fn bool_device(_tensor: &FlexTensor) -> ReproDevice {
        ReproDevice
    }

    fn bool_to_device(tensor: FlexTensor, _device: &ReproDevice) -> FlexTensor {
        tensor
    }

    fn bool_into_float(tensor: FlexTensor, out_dtype: FloatDType) -> FlexTensor {
        assert_f32("bool_into_float", out_dtype);
        Flex::bool_into_float(tensor, FloatDType::F32)
    }

    // Delegated.

    fn bool_empty(shape: Shape, _device: &ReproDevice, dtype: BoolDType) -> FlexTensor {
        Flex::bool_empty(shape, &FlexDevice, dtype)
    }

    fn bool_zeros(shape: Shape, _device: &ReproDevice, dtype: BoolDType) -> FlexTensor {
        Flex::bool_zeros(shape, &FlexDevice, dtype)
    }

    fn bool_ones(shape: Shape, _device: &ReproDevice, dtype: BoolDType) -> FlexTensor {
        Flex::bool_ones(shape, &FlexDevice, dtype)
    }

    async fn bool_into_data(tensor: FlexTensor) -> Result<TensorData, ExecutionError> {
        Flex::bool_into_data(tensor).await
    }

    fn bool_from_data(data: TensorData, _device: &ReproDevice) -> FlexTensor {
        Flex::bool_from_data(data, &FlexDevice)
    }

    fn bool_into_int(tensor: FlexTensor, out_dtype: IntDType) -> FlexTensor {
        Flex::bool_into_int(tensor, out_dtype)
    }

    fn bool_reshape(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        Flex::bool_reshape(tensor, shape)
    }

    fn bool_slice(tensor: FlexTensor, slices: &[Slice]) -> FlexTensor {
        Flex::bool_slice(tensor, slices)
    }

    fn bool_slice_assign(tensor: FlexTensor, slices: &[Slice], value: FlexTensor) -> FlexTensor {
        Flex::bool_slice_assign(tensor, slices, value)
    }

    fn bool_mask_where(tensor: FlexTensor, mask: FlexTensor, value: FlexTensor) -> FlexTensor {
        Flex::bool_mask_where(tensor, mask, value)
    }

    fn bool_mask_fill(tensor: FlexTensor, mask: FlexTensor, value: Scalar) -> FlexTensor {
        Flex::bool_mask_fill(tensor, mask, value)
    }

    fn bool_gather(dim: usize, tensor: FlexTensor, indices: FlexTensor) -> FlexTensor {
        Flex::bool_gather(dim, tensor, indices)
    }

    fn bool_scatter_or(
        dim: usize,
        tensor: FlexTensor,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        Flex::bool_scatter_or(dim, tensor, indices, value)
    }

    fn bool_select(tensor: FlexTensor, dim: usize, indices: FlexTensor) -> FlexTensor {
        Flex::bool_select(tensor, dim, indices)
    }

    fn bool_select_or(
        tensor: FlexTensor,
        dim: usize,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        Flex::bool_select_or(tensor, dim, indices, value)
    }

    fn bool_repeat_dim(tensor: FlexTensor, dim: usize, times: usize) -> FlexTensor {
        Flex::bool_repeat_dim(tensor, dim, times)
    }

    fn bool_cat(tensors: Vec<FlexTensor>, dim: usize) -> FlexTensor {
        Flex::bool_cat(tensors, dim)
    }

    fn bool_equal(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bool_equal(lhs, rhs)
    }

    fn bool_not_equal(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bool_not_equal(lhs, rhs)
    }

    fn bool_equal_elem(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bool_equal_elem(lhs, rhs)
    }

    fn bool_not_equal_elem(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Flex::bool_not_equal_elem(lhs, rhs)
    }

    fn bool_not(tensor: FlexTensor) -> FlexTensor {
        Flex::bool_not(tensor)
    }

    fn bool_and(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bool_and(lhs, rhs)
    }

    fn bool_or(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bool_or(lhs, rhs)
    }

    fn bool_xor(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        Flex::bool_xor(lhs, rhs)
    }

    fn bool_transpose(tensor: FlexTensor) -> FlexTensor {
        Flex::bool_transpose(tensor)
    }

    fn bool_swap_dims(tensor: FlexTensor, dim1: usize, dim2: usize) -> FlexTensor {
        Flex::bool_swap_dims(tensor, dim1, dim2)
    }

    fn bool_permute(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::bool_permute(tensor, axes)
    }

    fn bool_flip(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::bool_flip(tensor, axes)
    }

    fn bool_any(tensor: FlexTensor) -> FlexTensor {
        Flex::bool_any(tensor)
    }

    fn bool_any_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::bool_any_dim(tensor, dim)
    }

    fn bool_all(tensor: FlexTensor) -> FlexTensor {
        Flex::bool_all(tensor)
    }

    fn bool_all_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        Flex::bool_all_dim(tensor, dim)
    }

    async fn bool_argwhere(tensor: FlexTensor, out_dtype: IntDType) -> FlexTensor {
        Flex::bool_argwhere(tensor, out_dtype).await
    }

    fn bool_expand(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        Flex::bool_expand(tensor, shape)
    }

    fn bool_unfold(tensor: FlexTensor, dim: usize, size: usize, step: usize) -> FlexTensor {
        Flex::bool_unfold(tensor, dim, size, step)
    }
}
