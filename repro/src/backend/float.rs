//! Float tensors.

use super::{
    Repro, ReproDevice, assert_f32, change, elementary, float_tensor, int_tensor, map, refuse,
    resized, takes, transform, transform_at, view, zip,
};
use crate::kernels::copy::packed;
use crate::kernels::elementary::Function;
use crate::kernels::elementwise::{broadcast_shape, powi, remainder};
use crate::kernels::mask::{Choose, Fill};
use crate::kernels::memory::Numbers;
use crate::kernels::order_free::{Extreme, argsort, extreme, extreme_values, take_along};
use crate::kernels::paths::Settings;
use crate::kernels::random::Distribution as Law;
use crate::kernels::scan::{self, Scan};
use crate::kernels::stretches::fresh;
use crate::kernels::view::{Axis, elements, is_row_major, row_major_strides};
use crate::kernels::{product, rare, scatter, sum};
use burn_backend::ops::{FloatTensorOps, GridSampleOptions};
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{
    BoolDType, Distribution, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
};
use burn_flex::{Flex, FlexTensor, Layout};

/// Zeros from here on come from the system, which gives pages when they are written: of the gradient of an embedding few are.
const LAZY_ZEROS: usize = 1 << 22;

impl FloatTensorOps<Repro> for Repro {
    // Making tensors: the only places where a float type could enter.

    fn float_from_data(data: TensorData, _device: &ReproDevice) -> FlexTensor {
        assert_f32("float_from_data", data.dtype);
        FlexTensor::from_data(data)
    }

    fn float_random(
        shape: Shape,
        distribution: Distribution,
        _device: &ReproDevice,
        dtype: FloatDType,
    ) -> FlexTensor {
        assert_f32("float_random", dtype);
        let law = match distribution {
            Distribution::Default => Law::Unit,
            Distribution::Bernoulli(probability) => Law::Bernoulli { probability },
            Distribution::Uniform(low, high) => Law::Uniform {
                low: low as f32,
                high: high as f32,
            },
            Distribution::Normal(mean, deviation) => Law::Normal {
                mean: mean as f32,
                deviation: deviation as f32,
            },
        };
        let mut numbers = Numbers::unset(elements(&shape[..]));
        crate::random::next_draw().fill_into(Settings::current(), law, &mut numbers);
        float_tensor(numbers, shape)
    }

    fn float_empty(shape: Shape, device: &ReproDevice, dtype: FloatDType) -> FlexTensor {
        Self::float_zeros(shape, device, dtype)
    }

    fn float_zeros(shape: Shape, device: &ReproDevice, dtype: FloatDType) -> FlexTensor {
        Self::float_full(shape, 0.0f32.into(), device, dtype)
    }

    fn float_ones(shape: Shape, device: &ReproDevice, dtype: FloatDType) -> FlexTensor {
        Self::float_full(shape, 1.0f32.into(), device, dtype)
    }

    fn float_full(
        shape: Shape,
        fill_value: Scalar,
        _device: &ReproDevice,
        dtype: FloatDType,
    ) -> FlexTensor {
        assert_f32("float_full", dtype);
        let (settings, len, value) = (
            Settings::current(),
            elements(&shape[..]),
            fill_value.elem::<f32>(),
        );
        if value.to_bits() == 0 && len > LAZY_ZEROS {
            return float_tensor(vec![0.0; len], shape);
        }
        let numbers = fresh(settings, len, 1, 1, |_, out| out.fill(value));
        float_tensor(numbers, shape)
    }

    fn float_cast(tensor: FlexTensor, dtype: FloatDType) -> FlexTensor {
        assert_f32("float_cast", dtype);
        tensor
    }

    fn float_device(_tensor: &FlexTensor) -> ReproDevice {
        ReproDevice
    }

    fn float_to_device(tensor: FlexTensor, _device: &ReproDevice) -> FlexTensor {
        tensor
    }

    // Arithmetic. A scalar is rounded to binary32 once, before anything else.

    fn float_add(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, |x, y| x + y)
    }

    fn float_add_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let y: f32 = rhs.elem();
        map(lhs, |x| x + y)
    }

    fn float_sub(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, |x, y| x - y)
    }

    fn float_sub_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let y: f32 = rhs.elem();
        map(lhs, |x| x - y)
    }

    fn float_mul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, |x, y| x * y)
    }

    fn float_mul_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let y: f32 = rhs.elem();
        map(lhs, |x| x * y)
    }

    fn float_div(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, |x, y| x / y)
    }

    fn float_div_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let y: f32 = rhs.elem();
        map(lhs, |x| x / y)
    }

    fn float_neg(tensor: FlexTensor) -> FlexTensor {
        map(tensor, |x| -x)
    }

    fn float_recip(tensor: FlexTensor) -> FlexTensor {
        map(tensor, |x| 1.0 / x)
    }

    fn float_abs(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::abs)
    }

    fn float_sqrt(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::sqrt)
    }

    /// −1, 0 or 1; a NaN stays. Both zeros give +0.
    fn float_sign(tensor: FlexTensor) -> FlexTensor {
        map(tensor, |x| match x {
            _ if x > 0.0 => 1.0,
            _ if x < 0.0 => -1.0,
            _ if x == 0.0 => 0.0,
            nan => nan,
        })
    }

    /// Halves go to even.
    fn float_round(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::round_ties_even)
    }

    fn float_floor(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::floor)
    }

    fn float_ceil(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::ceil)
    }

    fn float_trunc(tensor: FlexTensor) -> FlexTensor {
        map(tensor, f32::trunc)
    }

    /// `min` where the element is less; a NaN stays.
    fn float_clamp_min(tensor: FlexTensor, min: Scalar) -> FlexTensor {
        let min: f32 = min.elem();
        map(tensor, |x| if x < min { min } else { x })
    }

    /// `max` where the element is greater; a NaN stays.
    fn float_clamp_max(tensor: FlexTensor, max: Scalar) -> FlexTensor {
        let max: f32 = max.elem();
        map(tensor, |x| if x > max { max } else { x })
    }

    /// First the upper bound, then the lower.
    fn float_clamp(tensor: FlexTensor, min: Scalar, max: Scalar) -> FlexTensor {
        Self::float_clamp_min(Self::float_clamp_max(tensor, max), min)
    }

    fn float_powi_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let n: i64 = rhs.elem();
        // The usual ones without the loop, which the compiler would not vectorise; the bits are the loop's.
        match n {
            1 => lhs,
            2 => map(lhs, |x| x * x),
            3 => map(lhs, |x| x * (x * x)),
            _ => map(lhs, |x| powi(x, n)),
        }
    }

    fn float_powi_scalar_impl(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        Self::float_powi_scalar(lhs, rhs)
    }

    // Elementary functions.

    fn float_exp(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Exp)
    }

    fn float_log(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Log)
    }

    fn float_log1p(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Log1p)
    }

    fn float_cos(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Cos)
    }

    fn float_sin(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Sin)
    }

    fn float_tanh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Tanh)
    }

    fn float_erf(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Erf)
    }

    // Products and sums.

    fn float_matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        let (data, shape) = product::batched(Settings::current(), view(&lhs), view(&rhs));
        float_tensor(data, Shape::from(shape))
    }

    fn float_sum(tensor: FlexTensor) -> FlexTensor {
        float_tensor(vec![sum::sum(&view(&tensor).packed())], Shape::new([1]))
    }

    fn float_mean(tensor: FlexTensor) -> FlexTensor {
        float_tensor(vec![sum::mean(&view(&tensor).packed())], Shape::new([1]))
    }

    fn float_sum_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        reduce(&tensor, dim, sum::sum_along)
    }

    fn float_mean_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        reduce(&tensor, dim, sum::mean_along)
    }

    fn float_scatter_add(
        dim: usize,
        tensor: FlexTensor,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        let (shape, of) = (tensor.layout().shape(), value.layout().shape());
        assert!(
            indices.layout().shape() == of && resized(of, dim, shape[dim]) == *shape,
            "repro: scatter-add of {of:?} into {shape:?} along axis {dim}"
        );
        let axis = Axis::of(&shape[..], dim);
        let (at, values) = (super::indices(indices), view(&value).packed());
        change(tensor, |numbers| {
            scatter::scatter_add(numbers, axis, &at, &values)
        })
    }

    fn float_select_add(
        tensor: FlexTensor,
        dim: usize,
        indices: FlexTensor,
        value: FlexTensor,
    ) -> FlexTensor {
        let axis = Axis::of(&tensor.layout().shape()[..], dim);
        let (at, values) = (super::indices(indices), view(&value).packed());
        change(tensor, |numbers| {
            scatter::select_add(numbers, axis, &at, &values)
        })
    }

    // Comparison with a rule for ties.

    fn float_argmax(tensor: FlexTensor, dim: usize, out_dtype: IntDType) -> FlexTensor {
        extremes(&tensor, dim, Extreme::Max, out_dtype).1
    }

    fn float_argmin(tensor: FlexTensor, dim: usize, out_dtype: IntDType) -> FlexTensor {
        extremes(&tensor, dim, Extreme::Min, out_dtype).1
    }

    fn float_max(tensor: FlexTensor) -> FlexTensor {
        extreme_of_all(&tensor, Extreme::Max)
    }

    fn float_max_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        values(&tensor, dim, Extreme::Max)
    }

    fn float_max_dim_with_indices(
        tensor: FlexTensor,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FlexTensor, FlexTensor) {
        extremes(&tensor, dim, Extreme::Max, indices_dtype)
    }

    fn float_min(tensor: FlexTensor) -> FlexTensor {
        extreme_of_all(&tensor, Extreme::Min)
    }

    fn float_min_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        values(&tensor, dim, Extreme::Min)
    }

    fn float_min_dim_with_indices(
        tensor: FlexTensor,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FlexTensor, FlexTensor) {
        extremes(&tensor, dim, Extreme::Min, indices_dtype)
    }

    fn float_sort(tensor: FlexTensor, dim: usize, descending: bool) -> FlexTensor {
        let len = tensor.layout().shape()[dim];
        sorted(&tensor, dim, descending, len, IntDType::I64).0
    }

    fn float_sort_with_indices(
        tensor: FlexTensor,
        dim: usize,
        descending: bool,
        indices_dtype: IntDType,
    ) -> (FlexTensor, FlexTensor) {
        let len = tensor.layout().shape()[dim];
        sorted(&tensor, dim, descending, len, indices_dtype)
    }

    fn float_argsort(
        tensor: FlexTensor,
        dim: usize,
        descending: bool,
        out_dtype: IntDType,
    ) -> FlexTensor {
        let len = tensor.layout().shape()[dim];
        sorted(&tensor, dim, descending, len, out_dtype).1
    }

    fn float_topk(tensor: FlexTensor, dim: usize, k: usize) -> FlexTensor {
        sorted(&tensor, dim, true, k, IntDType::I64).0
    }

    fn float_argtopk(tensor: FlexTensor, dim: usize, k: usize, out_dtype: IntDType) -> FlexTensor {
        sorted(&tensor, dim, true, k, out_dtype).1
    }

    // Delegated: these move, pick or compare numbers, and cannot round.

    async fn float_into_data(tensor: FlexTensor) -> Result<TensorData, ExecutionError> {
        Flex::float_into_data(tensor).await
    }

    fn float_into_int(tensor: FlexTensor, out_dtype: IntDType) -> FlexTensor {
        Flex::float_into_int(tensor, out_dtype)
    }

    fn float_repeat_dim(tensor: FlexTensor, dim: usize, times: usize) -> FlexTensor {
        Flex::float_repeat_dim(tensor, dim, times)
    }

    fn float_transpose(tensor: FlexTensor) -> FlexTensor {
        Flex::float_transpose(tensor)
    }

    fn float_swap_dims(tensor: FlexTensor, dim1: usize, dim2: usize) -> FlexTensor {
        Flex::float_swap_dims(tensor, dim1, dim2)
    }

    fn float_permute(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::float_permute(tensor, axes)
    }

    fn float_flip(tensor: FlexTensor, axes: &[usize]) -> FlexTensor {
        Flex::float_flip(tensor, axes)
    }

    /// A copy only where memory has another order.
    fn float_reshape(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        let seen = view(&tensor);
        assert_eq!(
            seen.len(),
            elements(&shape[..]),
            "repro: a reshape of {:?} to {shape:?}",
            seen.shape
        );
        if is_row_major(seen.shape, seen.strides) {
            let strides = row_major_strides(&shape[..]);
            let layout = Layout::new(shape, strides, seen.offset);
            return tensor.with_layout(layout);
        }
        float_tensor(packed(Settings::current(), &seen).into_numbers(), shape)
    }

    fn float_gather(dim: usize, tensor: FlexTensor, indices: FlexTensor) -> FlexTensor {
        Flex::float_gather(dim, tensor, indices)
    }

    fn float_gather_nd(data: FlexTensor, indices: FlexTensor) -> FlexTensor {
        Flex::float_gather_nd(data, indices)
    }

    fn float_select(tensor: FlexTensor, dim: usize, indices: FlexTensor) -> FlexTensor {
        let shape = tensor.layout().shape();
        let (axis, at) = (Axis::of(&shape[..], dim), super::indices(indices));
        let settings = Settings::current();
        let out = scatter::select(settings, &packed(settings, &view(&tensor)), axis, &at);
        float_tensor(out, resized(shape, dim, at.len()))
    }

    fn float_slice(tensor: FlexTensor, slices: &[Slice]) -> FlexTensor {
        Flex::float_slice(tensor, slices)
    }

    fn float_slice_assign(tensor: FlexTensor, slices: &[Slice], value: FlexTensor) -> FlexTensor {
        Flex::float_slice_assign(tensor, slices, value)
    }

    fn float_mask_where(tensor: FlexTensor, mask: FlexTensor, value: FlexTensor) -> FlexTensor {
        let tensor = widened(widened(tensor, &mask), &value);
        let shape = tensor.layout().shape().clone();
        let choose = Choose::new(&shape[..], super::mask(&mask), view(&value));
        transform_at(tensor, 1, 1, |settings, start, part| {
            choose.over(settings, start, part);
        })
    }

    fn float_mask_fill(tensor: FlexTensor, mask: FlexTensor, value: Scalar) -> FlexTensor {
        let tensor = widened(tensor, &mask);
        let shape = tensor.layout().shape().clone();
        let fill = Fill::new(&shape[..], super::mask(&mask), value.elem());
        transform_at(tensor, 1, 1, |settings, start, part| {
            fill.over(settings, start, part);
        })
    }

    fn float_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_equal(lhs, rhs, out_dtype)
    }

    fn float_not_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_not_equal(lhs, rhs, out_dtype)
    }

    fn float_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_equal_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_not_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_not_equal_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_greater(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_greater(lhs, rhs, out_dtype)
    }

    fn float_greater_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_greater_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_greater_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_greater_equal(lhs, rhs, out_dtype)
    }

    fn float_greater_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_greater_equal_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_lower(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_lower(lhs, rhs, out_dtype)
    }

    fn float_lower_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_lower_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_lower_equal(lhs: FlexTensor, rhs: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_lower_equal(lhs, rhs, out_dtype)
    }

    fn float_lower_equal_elem(lhs: FlexTensor, rhs: Scalar, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_lower_equal_elem(lhs, rounded(rhs), out_dtype)
    }

    fn float_cat(tensors: Vec<FlexTensor>, dim: usize) -> FlexTensor {
        Flex::float_cat(tensors, dim)
    }

    fn float_any(tensor: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_any(tensor, out_dtype)
    }

    fn float_any_dim(tensor: FlexTensor, dim: usize, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_any_dim(tensor, dim, out_dtype)
    }

    fn float_all(tensor: FlexTensor, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_all(tensor, out_dtype)
    }

    fn float_all_dim(tensor: FlexTensor, dim: usize, out_dtype: BoolDType) -> FlexTensor {
        Flex::float_all_dim(tensor, dim, out_dtype)
    }

    fn float_expand(tensor: FlexTensor, shape: Shape) -> FlexTensor {
        Flex::float_expand(tensor, shape)
    }

    fn float_unfold(tensor: FlexTensor, dim: usize, size: usize, step: usize) -> FlexTensor {
        Flex::float_unfold(tensor, dim, size, step)
    }

    // Refused.

    fn float_remainder(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, remainder)
    }

    fn float_remainder_scalar(lhs: FlexTensor, rhs: Scalar) -> FlexTensor {
        let y: f32 = rhs.elem();
        map(lhs, |x| remainder(x, y))
    }

    fn float_cross(_lhs: FlexTensor, _rhs: FlexTensor, _dim: usize) -> FlexTensor {
        refuse("float_cross")
    }

    fn float_scatter_nd(
        _data: FlexTensor,
        _indices: FlexTensor,
        _values: FlexTensor,
        _reduction: IndexingUpdateOp,
    ) -> FlexTensor {
        refuse("float_scatter_nd")
    }

    fn float_prod(tensor: FlexTensor) -> FlexTensor {
        let numbers = view(&tensor).packed();
        float_tensor(scan::product(&numbers, whole(&numbers)), Shape::new([1]))
    }

    fn float_prod_dim(tensor: FlexTensor, dim: usize) -> FlexTensor {
        let shape = tensor.layout().shape();
        let products = scan::product(&view(&tensor).packed(), Axis::of(&shape[..], dim));
        float_tensor(products, resized(shape, dim, 1))
    }

    fn float_cumsum(tensor: FlexTensor, dim: usize) -> FlexTensor {
        scanned(tensor, dim, Scan::Sum)
    }

    fn float_cumprod(tensor: FlexTensor, dim: usize) -> FlexTensor {
        scanned(tensor, dim, Scan::Product)
    }

    fn float_cummin(tensor: FlexTensor, dim: usize) -> FlexTensor {
        scanned(tensor, dim, Scan::Extreme(Extreme::Min))
    }

    fn float_cummax(tensor: FlexTensor, dim: usize) -> FlexTensor {
        scanned(tensor, dim, Scan::Extreme(Extreme::Max))
    }

    fn float_powf(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, rare::pow)
    }

    fn float_powf_scalar_impl(tensor: FlexTensor, value: Scalar) -> FlexTensor {
        let y: f32 = value.elem();
        map(tensor, |x| rare::pow(x, y))
    }

    fn float_tan(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Tan)
    }

    fn float_cosh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Cosh)
    }

    fn float_sinh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Sinh)
    }

    fn float_acos(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Acos)
    }

    fn float_acosh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Acosh)
    }

    fn float_asin(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Asin)
    }

    fn float_asinh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Asinh)
    }

    fn float_atan(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Atan)
    }

    fn float_atanh(tensor: FlexTensor) -> FlexTensor {
        elementary(tensor, Function::Atanh)
    }

    fn float_atan2(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        zip(lhs, rhs, rare::atan2)
    }

    fn float_grid_sample_2d(
        _tensor: FlexTensor,
        _grid: FlexTensor,
        _options: GridSampleOptions,
    ) -> FlexTensor {
        refuse("float_grid_sample_2d")
    }
}

/// The tensor with a mask's or a value's shape where that is larger.
fn widened(tensor: FlexTensor, by: &FlexTensor) -> FlexTensor {
    if takes(&tensor, by) {
        return tensor;
    }
    let shape = broadcast_shape(&tensor.layout().shape()[..], &by.layout().shape()[..]);
    Flex::float_expand(tensor, Shape::from(shape))
}

/// All the numbers as one axis.
fn whole(numbers: &[f32]) -> Axis {
    Axis {
        outer: 1,
        len: numbers.len(),
        inner: 1,
    }
}

fn scanned(tensor: FlexTensor, dim: usize, kind: Scan) -> FlexTensor {
    let axis = Axis::of(&tensor.layout().shape()[..], dim);
    transform(tensor, axis.len * axis.inner, 4, |_, part| {
        scan::scan(part, axis, kind);
    })
}

fn reduce(
    tensor: &FlexTensor,
    dim: usize,
    kernel: fn(Settings, &[f32], Axis) -> Numbers,
) -> FlexTensor {
    let (settings, shape) = (Settings::current(), tensor.layout().shape());
    let axis = Axis::of(&shape[..], dim);
    let reduced = kernel(settings, &packed(settings, &view(tensor)), axis);
    float_tensor(reduced, resized(shape, dim, 1))
}

fn extremes(
    tensor: &FlexTensor,
    dim: usize,
    which: Extreme,
    dtype: IntDType,
) -> (FlexTensor, FlexTensor) {
    let shape = tensor.layout().shape();
    let (values, at) = extreme(&view(tensor).packed(), Axis::of(&shape[..], dim), which);
    let shape = resized(shape, dim, 1);
    (
        float_tensor(values, shape.clone()),
        int_tensor(at, shape, dtype),
    )
}

fn values(tensor: &FlexTensor, dim: usize, which: Extreme) -> FlexTensor {
    let (settings, shape) = (Settings::current(), tensor.layout().shape());
    let axis = Axis::of(&shape[..], dim);
    let found = extreme_values(settings, &packed(settings, &view(tensor)), axis, which);
    float_tensor(found, resized(shape, dim, 1))
}

fn extreme_of_all(tensor: &FlexTensor, which: Extreme) -> FlexTensor {
    let numbers = view(tensor).packed();
    let found = extreme_values(Settings::current(), &numbers, whole(&numbers), which);
    float_tensor(found, Shape::new([1]))
}

/// The first `k` of the sorted axis, and where they were.
fn sorted(
    tensor: &FlexTensor,
    dim: usize,
    is_descending: bool,
    k: usize,
    dtype: IntDType,
) -> (FlexTensor, FlexTensor) {
    let shape = tensor.layout().shape();
    let axis = Axis::of(&shape[..], dim);
    assert!(
        k <= axis.len,
        "repro: the first {k} of an axis of {}",
        axis.len
    );
    let numbers = view(tensor).packed();
    let order = argsort(&numbers, axis, is_descending);
    let first: Vec<i64> = order
        .chunks(axis.len.max(1) * axis.inner.max(1))
        .flat_map(|plane| &plane[..k * axis.inner])
        .copied()
        .collect();
    let values = take_along(&numbers, axis, &first, k);
    let shape = resized(shape, dim, k);
    (
        float_tensor(values, shape.clone()),
        int_tensor(first, shape, dtype),
    )
}

/// A scalar as binary32, rounded once: burn-flex would round a large whole number to binary64 before.
fn rounded(scalar: Scalar) -> Scalar {
    Scalar::Float(f64::from(scalar.elem::<f32>()))
}
