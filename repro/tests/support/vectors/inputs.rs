//! What the vectors are made of. docs/repro.md says how to make the same numbers without this file.

use super::super::numbers;
use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_backend::ops::{AttentionModuleOptions, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, Scalar, Shape, Slice, TensorData};
use burn_flex::FlexTensor;
use repro::kernels::random::Draw;
use repro::{Repro, ReproDevice};

/// A tracked tensor.
pub type A<const D: usize> = Tensor<Autodiff<Repro>, D>;

/// The type of truth values.
pub const BOOL: BoolDType = BoolDType::Native;

/// These numbers.
pub fn given<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    Repro::float_from_data(TensorData::new(data, shape), &ReproDevice)
}

/// Normal numbers: of draw 0 of (seed, stream 99, step 0), mean 0, deviation 1.
pub fn normal<const D: usize>(seed: u64, shape: [usize; D]) -> FlexTensor {
    given(numbers(seed, shape.iter().product()), shape)
}

/// The same times 3, rounded to whole numbers: full of ties and zeros of both signs.
pub fn rounded<const D: usize>(seed: u64, shape: [usize; D]) -> FlexTensor {
    let data = numbers(seed, shape.iter().product());
    given(
        data.iter().map(|x| (x * 3.0).round_ties_even()).collect(),
        shape,
    )
}

/// Their magnitudes.
pub fn positive<const D: usize>(seed: u64, shape: [usize; D]) -> FlexTensor {
    let data = numbers(seed, shape.iter().product());
    given(data.iter().map(|x| x.abs()).collect(), shape)
}

/// The same divided by four: what a network's weights are like.
pub fn quartered<const D: usize>(seed: u64, shape: [usize; D]) -> FlexTensor {
    let data = numbers(seed, shape.iter().product());
    given(data.iter().map(|x| x * 0.25).collect(), shape)
}

/// The numbers of these bit patterns.
pub fn patterns<const D: usize>(bits: &[u32], shape: [usize; D]) -> FlexTensor {
    given(bits.iter().copied().map(f32::from_bits).collect(), shape)
}

/// Numbers that hurt: zeros, subnormals, the largest, infinities, and the edges of the reductions.
pub fn hard() -> FlexTensor {
    let data = hard_numbers();
    let len = data.len();
    given(data, [len])
}

/// The first of them that are below 10^30 in magnitude, as rows of sixteen.
pub fn hard_rows() -> FlexTensor {
    let mut data = hard_numbers();
    data.retain(|x| x.abs() < 1e30);
    data.truncate(64);
    given(data, [4, 16])
}

/// 0.0, -0.0, 1e-45, .. and last a NaN: the list of docs/repro.md.
pub fn hard_numbers() -> Vec<f32> {
    #[rustfmt::skip]
    let positive = [
        0x0000_0000u32, 0x0000_0001, 0x0001_16c2, 0x007f_ffff, 0x0080_0000, 0x1e3c_e508, 0x397b_a882, 0x3dcc_cccd,
        0x3eb1_6873, 0x3eb1_7218, 0x3f00_0000, 0x3f1f_ffff, 0x3f20_0000, 0x3f35_04f3, 0x3f49_0fdb, 0x3f6b_ffff,
        0x3f6c_0000, 0x3f80_0000, 0x3f80_0001, 0x3fc0_0000, 0x3fc9_0fdb, 0x4040_0000, 0x407f_ffff, 0x4080_0000,
        0x4080_0001, 0x4120_0000, 0x4184_cccd, 0x4248_0000, 0x42ae_999a, 0x42b1_7217, 0x42b1_7218, 0x42b1_999a,
        0x42cf_cccd, 0x447a_0000, 0x478b_9a00, 0x478b_9a80, 0x4974_2400, 0x4e93_2c06, 0x60ad_78ec, 0x7f7f_c99e,
        0x7f7f_ffff, 0x7f80_0000,
    ];
    positive
        .iter()
        .flat_map(|&bits| [bits, bits | 0x8000_0000])
        .chain([0x7fc0_0000])
        .map(f32::from_bits)
        .collect()
}

/// `1 / x`: infinities where `x` is zero.
pub fn recip(x: FlexTensor) -> FlexTensor {
    Repro::float_recip(x)
}

/// Whole numbers below `bound`: number `i` of draw 0 of (seed, stream 99, step 0).
pub fn whole<const D: usize>(seed: u64, shape: [usize; D], bound: u64) -> FlexTensor {
    let draw = Draw::new(seed, 99, 0, 0);
    let len: usize = shape.iter().product();
    let data: Vec<i64> = (0..len as u64)
        .map(|index| draw.below(index, bound) as i64)
        .collect();
    Repro::int_from_data(TensorData::new(data, shape), &ReproDevice)
}

/// These whole numbers.
pub fn ints<const D: usize>(data: &[i64], shape: [usize; D]) -> FlexTensor {
    Repro::int_from_data(TensorData::new(data.to_vec(), shape), &ReproDevice)
}

/// Where `normal(seed, shape)` is below zero.
pub fn mask<const D: usize>(seed: u64, shape: [usize; D]) -> FlexTensor {
    let data: Vec<bool> = numbers(seed, shape.iter().product())
        .iter()
        .map(|x| *x < 0.0)
        .collect();
    Repro::bool_from_data(TensorData::new(data, shape), &ReproDevice)
}

/// Two axes exchanged, without a copy.
pub fn swapped(x: FlexTensor, a: usize, b: usize) -> FlexTensor {
    Repro::float_swap_dims(x, a, b)
}

/// Axes reversed, without a copy.
pub fn flipped<const N: usize>(x: FlexTensor, axes: [usize; N]) -> FlexTensor {
    Repro::float_flip(x, &axes)
}

/// From `start` to before `end` along each axis, without a copy.
pub fn cut<const D: usize>(x: FlexTensor, ranges: [[isize; 2]; D]) -> FlexTensor {
    let slices = ranges.map(|[start, end]| Slice::new(start, Some(end), 1));
    Repro::float_slice(x, &slices)
}

/// The same numbers in another shape.
pub fn reshaped<const D: usize>(x: FlexTensor, shape: [usize; D]) -> FlexTensor {
    Repro::float_reshape(x, Shape::new(shape))
}

/// Axes of length one repeated, without a copy.
pub fn broadcast<const D: usize>(x: FlexTensor, shape: [usize; D]) -> FlexTensor {
    Repro::float_expand(x, Shape::new(shape))
}

/// A number given to an operation: it is rounded to binary32 there.
pub fn scalar(x: f64) -> Scalar {
    x.into()
}

/// A whole number given to an operation: it is rounded to binary32 there, once.
pub fn whole_scalar(n: i64) -> Scalar {
    n.into()
}

/// Options of attention: by scale, soft cap and whether it is causal.
pub fn options(
    scale: Option<f64>,
    softcap: Option<f64>,
    is_causal: bool,
) -> AttentionModuleOptions {
    AttentionModuleOptions {
        scale,
        softcap,
        is_causal,
    }
}

/// A leaf of the graph of autodiff.
pub fn tracked<const D: usize>(x: FlexTensor) -> A<D> {
    A::from_inner(Tensor::from_primitive(TensorPrimitive::Float(x))).require_grad()
}

/// A tensor outside the graph.
pub fn fixed<const D: usize>(x: FlexTensor) -> A<D> {
    A::from_inner(Tensor::from_primitive(TensorPrimitive::Float(x)))
}

/// Σ f · w, the loss whose gradients are taken.
pub fn weighed<const D: usize>(f: A<D>) -> A<1> {
    let weights = fixed(normal(90, f.dims()));
    (f * weights).sum()
}
