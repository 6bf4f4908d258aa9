//! Every operation of version 1 once, on fixed inputs: what the golden file and the digest example are made of.

#![allow(dead_code)]

use crate::support::numbers;
use burn::backend::Autodiff;
use burn::tensor::activation as act;
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::module::{attention, avg_pool2d, conv2d, embedding, linear, max_pool2d};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions};
use burn::tensor::{Distribution, IndexingUpdateOp, Int, Tensor, TensorData};
use repro::{Repro, ReproDevice, random};

pub type T<const D: usize> = Tensor<Repro, D>;

/// A tensor with these numbers.
pub fn tensor<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> T<D> {
    Tensor::from_data(TensorData::new(data, shape), &ReproDevice)
}

/// The numbers of a tensor in row-major order.
pub fn read<const D: usize>(tensor: T<D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("a float tensor")
}

fn ints<const D: usize>(tensor: Tensor<Repro, D, Int>) -> Vec<f32> {
    read(tensor.float())
}

/// Numbers that hurt: zeros, subnormals, the largest, infinities, and the edges of the reductions.
pub fn hard() -> Vec<f32> {
    let positive = [
        0.0,
        1e-45,
        1e-40,
        1.175_494_4e-38,
        1e-20,
        2.4e-4,
        0.1,
        0.3465,
        0.5,
        0.624_999_9,
        0.625,
        std::f32::consts::FRAC_1_SQRT_2,
        std::f32::consts::FRAC_PI_4,
        0.921_874_94,
        0.921_875,
        1.0,
        1.000_000_1,
        1.5,
        std::f32::consts::FRAC_PI_2,
        3.0,
        4.0,
        4.000_000_5,
        10.0,
        16.6,
        50.0,
        87.3,
        88.722_84,
        88.8,
        103.9,
        1e3,
        71_476.0,
        71_477.0,
        1e6,
        1.234_567_8e9,
        1e20,
        3.4e38,
        f32::INFINITY,
    ];
    positive
        .iter()
        .flat_map(|&x| [x, -x])
        .chain([f32::NAN])
        .collect()
}

/// Name and result of every operation.
pub fn all() -> Vec<(&'static str, Vec<f32>)> {
    let mut out = Vec::new();
    elementwise(&mut out);
    products_and_sums(&mut out);
    comparisons(&mut out);
    activations(&mut out);
    randoms(&mut out);
    gradients(&mut out);
    convolutions(&mut out);
    rare_functions(&mut out);
    transformers(&mut out);
    out
}

type Unary<const D: usize> = fn(T<D>) -> T<D>;
type Binary = fn(T<1>, T<1>) -> T<1>;
type Named<F> = (&'static str, F);
type Results = Vec<Named<Vec<f32>>>;

fn elementwise(out: &mut Results) {
    let mut inputs = hard();
    inputs.extend(numbers(1, 325));
    let len = inputs.len();
    let x = || tensor(inputs.clone(), [len]);
    let y = || tensor(numbers(2, len), [len]);
    let unary: [Named<Unary<1>>; 17] = [
        ("exp", Tensor::exp),
        ("log", Tensor::log),
        ("log1p", Tensor::log1p),
        ("tanh", Tensor::tanh),
        ("erf", Tensor::erf),
        ("sin", Tensor::sin),
        ("cos", Tensor::cos),
        ("sqrt", Tensor::sqrt),
        ("recip", Tensor::recip),
        ("abs", Tensor::abs),
        ("neg", Tensor::neg),
        ("sign", Tensor::sign),
        ("round", Tensor::round),
        ("floor", Tensor::floor),
        ("ceil", Tensor::ceil),
        ("trunc", Tensor::trunc),
        ("square", Tensor::square),
    ];
    out.extend(unary.map(|(name, f)| (name, read(f(x())))));
    let binary: [Named<Binary>; 4] = [
        ("add", |x, y| x + y),
        ("sub", |x, y| x - y),
        ("mul", |x, y| x * y),
        ("div", |x, y| x / y),
    ];
    out.extend(binary.map(|(name, f)| (name, read(f(x(), y())))));
    out.push(("add_scalar", read(x() + 0.1)));
    out.push(("sub_scalar", read(x() - 0.1)));
    out.push(("mul_scalar", read(x() * 0.1)));
    out.push(("div_scalar", read(x() / 0.1)));
    out.push(("powi_scalar_3", read(x().powi_scalar(3))));
    out.push(("powi_scalar_-5", read(x().powi_scalar(-5))));
    out.push(("powf_scalar_2", read(x().powf_scalar(2.0))));
    out.push(("clamp", read(x().clamp(-0.5, 0.75))));
    out.push(("clamp_min", read(x().clamp_min(-0.5))));
    out.push(("clamp_max", read(x().clamp_max(0.75))));
    let rows = || tensor(numbers(3, 35), [5, 7]);
    out.push((
        "add_broadcast_rows",
        read(rows() + tensor(numbers(4, 7), [1, 7])),
    ));
    out.push((
        "div_broadcast_columns",
        read(rows() / tensor(numbers(4, 5), [5, 1])),
    ));
}

fn products_and_sums(out: &mut Results) {
    let a = || tensor(numbers(5, 13 * 300), [13, 300]);
    let b = || tensor(numbers(6, 300 * 21), [300, 21]);
    out.push(("matmul", read(a().matmul(b()))));
    out.push((
        "matmul_transposed",
        read(b().transpose().matmul(a().transpose())),
    ));
    let stack = tensor(numbers(5, 2 * 3 * 4 * 5), [2, 3, 4, 5]);
    out.push((
        "matmul_batched",
        read(stack.matmul(tensor(numbers(6, 3 * 5 * 6), [1, 3, 5, 6]))),
    ));
    let weight = tensor(numbers(7, 300 * 21), [300, 21]);
    let bias = tensor(numbers(8, 21), [21]);
    out.push(("linear", read(linear(a(), weight, Some(bias)))));
    let long = || tensor(numbers(9, 3 * 5000), [3, 5000]);
    out.push(("sum", read(long().sum())));
    out.push(("sum_dim_0", read(long().sum_dim(0))));
    out.push(("sum_dim_1", read(long().sum_dim(1))));
    out.push(("sum_dim_0_long", read(long().transpose().sum_dim(0))));
    out.push(("mean", read(long().mean())));
    out.push(("mean_dim_1", read(long().mean_dim(1))));
    let at = Tensor::<Repro, 2, Int>::from_ints([[0, 2, 2], [1, 1, 1]], &ReproDevice);
    let values = tensor(numbers(10, 6), [2, 3]);
    let target = tensor(numbers(11, 8), [2, 4]);
    out.push((
        "scatter_add",
        read(target.scatter(1, at, values, IndexingUpdateOp::Add)),
    ));
    let rows = Tensor::<Repro, 1, Int>::from_ints([3, 0, 3], &ReproDevice);
    let target = tensor(numbers(11, 8), [4, 2]);
    let values = tensor(numbers(12, 6), [3, 2]);
    out.push((
        "select_add",
        read(target.select_assign(0, rows, values, IndexingUpdateOp::Add)),
    ));
    let table = tensor(numbers(13, 20), [5, 4]);
    let words = Tensor::<Repro, 2, Int>::from_ints([[4, 0, 4]], &ReproDevice);
    out.push(("embedding", read(embedding(table, words))));
}

fn comparisons(out: &mut Results) {
    let x = || {
        tensor(
            numbers(14, 60).iter().map(|x| (x * 3.0).round()).collect(),
            [3, 4, 5],
        )
    };
    out.push(("argmax", ints(x().argmax(1))));
    out.push(("argmin", ints(x().argmin(2))));
    out.push(("max_dim", read(x().max_dim(1))));
    out.push(("min_dim", read(x().min_dim(0))));
    out.push(("max", read(x().max())));
    out.push(("min", read(x().min())));
    let (values, at) = x().sort_descending_with_indices(1);
    out.push(("sort", read(values)));
    out.push(("argsort", ints(at)));
    out.push(("topk", read(x().topk(2, 2))));
    out.push(("max_abs_dim", read(x().max_abs_dim(2))));
}

fn activations(out: &mut Results) {
    let mut inputs = hard();
    inputs.retain(|x| x.abs() < 1e30);
    inputs.extend(numbers(15, 128 - inputs.len()));
    let x = || tensor(inputs.clone(), [8, 16]);
    let functions: [Named<Unary<2>>; 13] = [
        ("relu", act::relu),
        ("gelu", act::gelu),
        ("sigmoid", act::sigmoid),
        ("silu", act::silu),
        ("log_sigmoid", act::log_sigmoid),
        ("softplus", |x| act::softplus(x, 1.0)),
        ("leaky_relu", |x| act::leaky_relu(x, 0.01)),
        ("hard_sigmoid", |x| act::hard_sigmoid(x, 0.2, 0.5)),
        ("softmax", |x| act::softmax(x, 1)),
        ("log_softmax", |x| act::log_softmax(x, 1)),
        ("log_softmax_0", |x| act::log_softmax(x, 0)),
        ("gelu_approximate", act::gelu_approximate),
        ("mish", act::mish),
    ];
    out.extend(functions.map(|(name, f)| (name, read(f(x())))));
    let norm = burn::nn::LayerNormConfig::new(16).init(&ReproDevice);
    let normed = norm.forward(tensor(numbers(18, 48), [3, 16]));
    out.push(("layer_norm", read(normed)));
}

fn randoms(out: &mut Results) {
    let laws = [
        ("random_default", Distribution::Default),
        ("random_uniform", Distribution::Uniform(-0.3, 0.7)),
        ("random_bernoulli", Distribution::Bernoulli(0.25)),
        ("random_normal", Distribution::Normal(0.5, 2.0)),
    ];
    for (name, law) in laws {
        let drawn = random::scope(21, random::DROPOUT, || {
            random::set_step(3);
            T::<1>::random([101], law, &ReproDevice)
        });
        out.push((name, read(drawn)));
    }
    let order = random::permutation(21, 4, 50);
    out.push(("permutation", order.into_iter().map(|x| x as f32).collect()));
}

fn gradients(out: &mut Results) {
    type A<const D: usize> = Tensor<Autodiff<Repro>, D>;
    type Differentiable = fn(A<3>) -> A<3>;
    fn gradient<const D: usize>(x: T<D>, f: impl FnOnce(A<D>) -> A<1>) -> Vec<f32> {
        let x = A::from_inner(x).require_grad();
        let grads = f(x.clone()).backward();
        read(x.grad(&grads).expect("a gradient"))
    }
    let x = || tensor(numbers(22, 96), [2, 6, 8]);
    let weigh = |y: A<3>| (y * A::from_inner(tensor(numbers(23, 96), [2, 6, 8]))).sum();
    let functions: [Named<Differentiable>; 12] = [
        ("grad_gelu", act::gelu),
        ("grad_relu", act::relu),
        ("grad_sigmoid", act::sigmoid),
        ("grad_tanh", Tensor::tanh),
        ("grad_exp", Tensor::exp),
        ("grad_erf", Tensor::erf),
        ("grad_sin", Tensor::sin),
        ("grad_softmax", |x| act::softmax(x, 2)),
        ("grad_log_softmax", |x| act::log_softmax(x, 1)),
        ("grad_powi", |x| x.powi_scalar(3)),
        ("grad_log_sigmoid", act::log_sigmoid),
        ("grad_mean_dim", |x| x.clone() - x.mean_dim(1)),
    ];
    out.extend(functions.map(|(name, f)| (name, gradient(x(), |x| weigh(f(x))))));
    out.push(("grad_mean", gradient(x(), |x| x.mean())));
    out.push(("grad_max_dim", gradient(x(), |x| x.max_dim(1).sum())));
    let weight = || A::from_inner(tensor(numbers(24, 8 * 5), [8, 5]));
    let bias = || A::from_inner(tensor(numbers(25, 5), [5]));
    let square = |y: A<3>| (y.clone() * y).sum();
    out.push((
        "grad_linear_x",
        gradient(x(), |x| square(linear(x, weight(), Some(bias())))),
    ));
    let (w, b) = (
        tensor(numbers(24, 8 * 5), [8, 5]),
        tensor(numbers(25, 5), [5]),
    );
    let fixed = || A::from_inner(x());
    out.push((
        "grad_linear_weight",
        gradient(w, |w| square(linear(fixed(), w, Some(bias())))),
    ));
    out.push((
        "grad_linear_bias",
        gradient(b, |b| square(linear(fixed(), weight(), Some(b)))),
    ));
    let logits = tensor(numbers(26, 30), [6, 5]);
    let targets = A::from_inner(act::softmax(tensor(numbers(27, 30), [6, 5]), 1));
    out.push((
        "grad_cross_entropy",
        gradient(logits, |x| cross_entropy_with_logits(x, targets)),
    ));
    let a = tensor(numbers(28, 24), [4, 6]);
    let other = A::from_inner(tensor(numbers(29, 18), [6, 3]));
    out.push(("grad_matmul", gradient(a, |x| x.matmul(other).tanh().sum())));
}

/// Two convolutions, one with strides and uneven padding, and both poolings, each with its gradients.
fn convolutions(out: &mut Results) {
    type A<const D: usize> = Tensor<Autodiff<Repro>, D>;
    let cases = [
        (
            [
                "conv2d",
                "grad_conv2d_x",
                "grad_conv2d_weight",
                "grad_conv2d_bias",
            ],
            [1, 1],
            [1, 1],
        ),
        (
            [
                "conv2d_strided",
                "grad_conv2d_strided_x",
                "grad_conv2d_strided_weight",
                "grad_conv2d_strided_bias",
            ],
            [2, 3],
            [2, 0],
        ),
    ];
    for (names, stride, padding) in cases {
        let x = A::from_inner(tensor(numbers(30, 2 * 3 * 9 * 11), [2, 3, 9, 11])).require_grad();
        let weight = A::from_inner(tensor(numbers(31, 7 * 3 * 3 * 3), [7, 3, 3, 3])).require_grad();
        let bias = A::from_inner(tensor(numbers(32, 7), [7])).require_grad();
        let options = ConvOptions::new(stride, padding, [1, 1], 1);
        let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
        out.push((names[0], read(y.clone().inner())));
        let grads = (y.clone() * y).sum().backward();
        out.push((names[1], read(x.grad(&grads).expect("a gradient"))));
        out.push((names[2], read(weight.grad(&grads).expect("a gradient"))));
        out.push((names[3], read(bias.grad(&grads).expect("a gradient"))));
    }
    // Rounded, so that there are ties.
    let image: Vec<f32> = numbers(33, 2 * 3 * 8 * 9)
        .iter()
        .map(|x| (x * 2.0).round())
        .collect();
    let x = || A::from_inner(tensor(image.clone(), [2, 3, 8, 9])).require_grad();
    let mut push = |names: [&'static str; 2], pool: fn(A<4>) -> A<4>| {
        let x = x();
        let y = pool(x.clone());
        out.push((names[0], read(y.clone().inner())));
        let weights = A::from_inner(tensor(numbers(34, y.shape().num_elements()), y.dims()));
        let grads = (y * weights).sum().backward();
        out.push((names[1], read(x.grad(&grads).expect("a gradient"))));
    };
    push(["max_pool2d", "grad_max_pool2d"], |x| {
        max_pool2d(x, [3, 2], [2, 1], [1, 0], [1, 1], false)
    });
    push(["avg_pool2d", "grad_avg_pool2d"], |x| {
        avg_pool2d(x, [3, 2], [2, 1], [1, 1], true, false)
    });
    push(["avg_pool2d_inside", "grad_avg_pool2d_inside"], |x| {
        avg_pool2d(x, [3, 3], [2, 2], [1, 1], false, false)
    });
}

/// The functions that are computed in binary64, and what goes along an axis.
fn rare_functions(out: &mut Results) {
    let mut inputs = hard();
    inputs.extend(numbers(40, 181));
    let len = inputs.len();
    let x = || tensor(inputs.clone(), [len]);
    let y = || tensor(numbers(41, len), [len]);
    let unary: [Named<Unary<1>>; 9] = [
        ("tan", Tensor::tan),
        ("sinh", Tensor::sinh),
        ("cosh", Tensor::cosh),
        ("asin", Tensor::asin),
        ("acos", Tensor::acos),
        ("atan", Tensor::atan),
        ("asinh", Tensor::asinh),
        ("acosh", Tensor::acosh),
        ("atanh", Tensor::atanh),
    ];
    out.extend(unary.map(|(name, f)| (name, read(f(x())))));
    out.push(("atan2", read(x().atan2(y()))));
    out.push(("powf", read(x().abs().powf(y()))));
    out.push(("powf_negative_base", read(y().powf(x()))));
    out.push(("powf_scalar_0.3", read(x().powf_scalar(0.3))));
    out.push(("remainder", read(x().remainder(y()))));
    out.push(("remainder_scalar", read(x().remainder_scalar(-0.7))));
    let rows = || tensor(numbers(42, 60), [3, 4, 5]);
    out.push(("prod", read(rows().prod())));
    out.push(("prod_dim", read(rows().prod_dim(1))));
    out.push(("cumsum", read(rows().cumsum(1))));
    out.push(("cumprod", read(rows().cumprod(2))));
    out.push(("cummax", read(rows().cummax(0))));
    out.push(("cummin", read(rows().cummin(1))));
}

/// Attention with every option, and its gradient; norms, rotary positions and gated units with theirs.
fn transformers(out: &mut Results) {
    type A<const D: usize> = Tensor<Autodiff<Repro>, D>;
    use burn::nn::{LayerNormConfig, RmsNormConfig, RotaryEncodingConfig};
    let heads = |seed| tensor(numbers(seed, 2 * 3 * 7 * 5), [2, 3, 7, 5]);
    let options = AttentionModuleOptions {
        scale: Some(0.4),
        softcap: Some(3.0),
        is_causal: true,
    };
    let mask = heads(50).slice([0..2, 0..1, 0..7, 0..1]).greater_elem(0.8);
    let mask = mask.swap_dims(2, 3);
    let bias = tensor(numbers(51, 3 * 49), [1, 3, 7, 7]);
    let plain = attention(
        heads(52),
        heads(53),
        heads(54),
        None,
        None,
        Default::default(),
    );
    out.push(("attention", read(plain)));
    let all = attention(
        heads(52),
        heads(53),
        heads(54),
        Some(mask),
        Some(bias),
        options,
    );
    out.push(("attention_options", read(all)));
    let query = A::from_inner(heads(52)).require_grad();
    let (key, value) = (A::from_inner(heads(53)), A::from_inner(heads(54)));
    let attended = attention(query.clone(), key, value, None, None, options);
    let grads = (attended.clone() * attended).sum().backward();
    let gradient = query.grad(&grads).expect("a gradient");
    out.push(("grad_attention_options", read(gradient)));
    let x = || A::from_inner(tensor(numbers(55, 2 * 6 * 8), [2, 6, 8])).require_grad();
    let mut push = |names: [&'static str; 2], f: &dyn Fn(A<3>) -> A<3>| {
        let x = x();
        let y = f(x.clone());
        out.push((names[0], read(y.clone().inner())));
        let weights = A::from_inner(tensor(numbers(56, y.shape().num_elements()), y.dims()));
        let grads = (y * weights).sum().backward();
        out.push((names[1], read(x.grad(&grads).expect("a gradient"))));
    };
    let norm = LayerNormConfig::new(8).init(&ReproDevice);
    push(["layer_norm_8", "grad_layer_norm"], &|x| norm.forward(x));
    let norm = RmsNormConfig::new(8).init(&ReproDevice);
    push(["rms_norm", "grad_rms_norm"], &|x| norm.forward(x));
    let rotary = RotaryEncodingConfig::new(6, 8).init(&ReproDevice);
    push(["rotary", "grad_rotary"], &|x| rotary.forward(x));
    push(["swiglu", "grad_swiglu"], &|x| {
        let [gate, value] = [0..4, 4..8].map(|part| x.clone().slice([0..2, 0..6, part]));
        act::silu(gate) * value
    });
    push(["cumsum_2", "grad_cumsum"], &|x| x.cumsum(2));
}
