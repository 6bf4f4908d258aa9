//! Gradients as burn's autodiff composes them from our operations.

use super::Vector;
use super::inputs::*;
use burn::module::Param;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{
    BatchNormConfig, DropoutConfig, LayerNormConfig, Linear, RmsNormConfig, RotaryEncodingConfig,
    SwiGluConfig,
};
use burn::tensor::activation as act;
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::module::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, attention, avg_pool1d, avg_pool2d, conv_transpose1d,
    conv_transpose2d, conv1d, conv2d, embedding, linear, max_pool1d, max_pool2d, unfold4d,
};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions, ConvTransposeOptions, UnfoldOptions};
use burn::tensor::{Bool, IndexingUpdateOp, Int, Slice, Tensor};
use burn_flex::FlexTensor;
use repro::{Repro, ReproDevice, random};

type Differentiated = burn::backend::Autodiff<Repro>;

/// A linear map's weight, and its bias if it has one.
type Map = (A<2>, Option<A<1>>);

pub fn push(out: &mut Vec<Vector>) {
    functions(out);
    reductions(out);
    activations(out);
    layers(out);
    rare_functions(out);
    powers(out);
    ends_and_zeros(out);
    scans_and_moves(out);
    several_uses(out);
    rare_layers(out);
    weights(out);
    further_moves_and_extremes(out);
}

/// The module's layer norm with these weights.
fn layer_norm(x: A<3>, gamma: A<1>, beta: A<1>) -> A<3> {
    let mut norm = LayerNormConfig::new(gamma.dims()[0]).init(&ReproDevice);
    norm.gamma = Param::from_tensor(gamma);
    norm.beta = Some(Param::from_tensor(beta));
    norm.forward(x)
}

/// The module's RMS norm with this weight.
fn rms_norm(x: A<3>, gamma: A<1>) -> A<3> {
    let mut norm = RmsNormConfig::new(gamma.dims()[0]).init(&ReproDevice);
    norm.gamma = Param::from_tensor(gamma);
    norm.forward(x)
}

/// A training step of the module's batch norm with these weights.
fn batch_norm<const D: usize>(x: A<D>, gamma: A<1>, beta: A<1>) -> A<D> {
    let mut norm = BatchNormConfig::new(gamma.dims()[0]).init(&ReproDevice);
    norm.gamma = Param::from_tensor(gamma);
    norm.beta = Param::from_tensor(beta);
    norm.forward(x)
}

fn linear_map((weight, bias): Map) -> Linear<Differentiated> {
    Linear {
        weight: Param::from_tensor(weight),
        bias: bias.map(Param::from_tensor),
    }
}

fn topk(x: A<2>, k: usize, dim: usize) -> A<2> {
    x.topk_with_indices(k, dim).0
}

/// Attention whose keys and values have fewer heads, made for burn's composition: each head as often as it is looked at.
fn attention_grouped(
    query: A<4>,
    key: A<4>,
    value: A<4>,
    mask: Option<Tensor<Differentiated, 4, Bool>>,
    bias: Option<A<4>>,
    options: AttentionModuleOptions,
) -> A<4> {
    let heads = query.dims()[1];
    let all = |x: A<4>| {
        let [batch, groups, words, width] = x.dims();
        x.reshape([batch, groups, 1, words, width])
            .expand([batch, groups, heads / groups, words, width])
            .reshape([batch, heads, words, width])
    };
    attention(query, all(key), all(value), mask, bias, options)
}

fn rotary(x: A<4>) -> A<4> {
    RotaryEncodingConfig::new(9, x.dims()[3])
        .init(&ReproDevice)
        .forward(x)
}

/// The module's SwiGLU of eight to six, its weights drawn from (seed 21, stream 0).
fn swiglu(x: A<2>) -> A<2> {
    random::scope(21, random::INIT, || {
        SwiGluConfig::new(8, 6).init(&ReproDevice).forward(x)
    })
}

/// The module's SwiGLU with the map under silu, then the other.
fn swiglu_with(x: A<2>, inner: Map, outer: Map) -> A<2> {
    let [d_input, d_output] = inner.0.dims();
    let mut layer = SwiGluConfig::new(d_input, d_output).init(&ReproDevice);
    layer.linear_inner = linear_map(inner);
    layer.linear_outer = linear_map(outer);
    layer.forward(x)
}

/// The module's attention of three heads with the maps of query, key, value and output.
fn heads(maps: [Map; 4], dropout: f64) -> MultiHeadAttention<Differentiated> {
    let d_model = maps[0].0.dims()[0];
    let config = MultiHeadAttentionConfig::new(d_model, 3).with_dropout(dropout);
    let mut heads = config.init(&ReproDevice);
    [heads.query, heads.key, heads.value, heads.output] = maps.map(linear_map);
    heads
}

/// Of `x` by itself, nothing dropped.
fn multi_head_attention_with(
    x: A<3>,
    padding: Tensor<Differentiated, 2, Bool>,
    maps: [Map; 4],
) -> A<3> {
    let input = MhaInput::self_attn(x).mask_pad(padding);
    heads(maps, 0.0).forward(input).context
}

/// Of three tensors, with both masks and a quarter of the scores dropped: the mask is drawn from (seed 21, stream 1,
/// step 3).
fn multi_head_attention_of(
    [query, key, value]: [A<3>; 3],
    padding: Tensor<Differentiated, 2, Bool>,
    mask: Tensor<Differentiated, 3, Bool>,
    maps: [Map; 4],
) -> A<3> {
    let input = MhaInput::new(query, key, value)
        .mask_pad(padding)
        .mask_attn(mask);
    random::scope(21, random::DROPOUT, || {
        random::set_step(3);
        heads(maps, 0.25).forward(input).context
    })
}

/// The module's cross-entropy of logits and class numbers.
fn cross_entropy(logits: A<2>, classes: Tensor<Differentiated, 1, Int>) -> A<1> {
    let loss = CrossEntropyLossConfig::new().init(&ReproDevice);
    loss.forward(logits, classes)
}

fn causal() -> AttentionModuleOptions {
    options(None, None, true)
}

/// The module's dropout of a quarter, its mask drawn from (seed 21, stream 1, step 3).
fn dropout(x: A<2>) -> A<2> {
    random::scope(21, random::DROPOUT, || {
        random::set_step(3);
        DropoutConfig::new(0.25).init().forward(x)
    })
}

/// Truth values beside the graph.
fn truths<const D: usize>(x: FlexTensor) -> Tensor<Differentiated, D, Bool> {
    Tensor::from_primitive(x)
}

/// Whole numbers beside the graph.
fn words<const D: usize>(x: FlexTensor) -> Tensor<Differentiated, D, Int> {
    Tensor::from_primitive(x)
}

/// The gradient of a repetition is no part of the definition but along an axis of length 1.
fn functions(out: &mut Vec<Vector>) {
    gradients! { out;
        add(x: 2 = normal(40, [5, 7]), y: 2 = normal(41, [1, 7])) = x + y;
        sub(x: 2 = normal(40, [5, 1]), y: 2 = normal(41, [1, 7])) = x - y;
        mul(x: 3 = normal(40, [3, 1, 7]), y: 3 = normal(41, [1, 5, 1])) = x * y;
        div(x: 2 = normal(40, [5, 7]), y: 2 = positive(41, [5, 1])) = x / y;
        exp(x: 1 = normal(40, [96])) = x.exp();
        log(x: 1 = positive(40, [96])) = x.log();
        log1p(x: 1 = positive(40, [96])) = x.log1p();
        sqrt(x: 1 = positive(40, [96])) = x.sqrt();
        tan(x: 1 = normal(40, [96])) = x.tan();
        sinh(x: 1 = normal(40, [96])) = x.sinh();
        cosh(x: 1 = normal(40, [96])) = x.cosh();
        atan(x: 1 = normal(40, [96])) = x.atan();
        powf(x: 1 = positive(40, [96]), y: 1 = normal(41, [96])) = x.powf(y);
        powf_scalar(x: 1 = positive(40, [96])) = x.powf_scalar(1.5);
        recip(x: 1 = normal(40, [96])) = x.recip();
        abs(x: 1 = rounded(40, [96])) = x.abs();
        neg(x: 1 = normal(40, [96])) = x.neg();
        tanh(x: 1 = normal(40, [96])) = x.tanh();
        erf(x: 1 = normal(40, [96])) = x.erf();
        sin(x: 1 = normal(40, [96])) = x.sin();
        cos(x: 1 = normal(40, [96])) = x.cos();
        powi(x: 1 = normal(40, [96])) = x.powi_scalar(3);
        clamp(x: 1 = normal(40, [96])) = x.clamp(-0.5, 0.75);
        mask_fill(x: 1 = normal(40, [96])) = x.clone().mask_fill(x.lower_elem(0.0), 0.25);
        swap(x: 2 = normal(40, [5, 7])) = x.transpose().exp();
        slice(x: 2 = normal(40, [5, 7])) = x.slice([1..4, 2..7]);
        flip(x: 2 = normal(40, [5, 7])) = x.flip([0, 1]);
        expand(x: 2 = normal(40, [5, 1])) = x.expand([5, 7]);
        repeat(x: 2 = normal(40, [5, 1])) = x.repeat_dim(1, 3);
        cat(x: 2 = normal(40, [5, 7]), y: 2 = normal(41, [5, 2])) = Tensor::cat(vec![x, y], 1);
    }
}

fn reductions(out: &mut Vec<Vector>) {
    gradients! { out;
        sum(x: 2 = normal(42, [5, 7])) = x.clone() * x.sum().reshape([1, 1]);
        mean(x: 2 = normal(42, [5, 7])) = x.mean();
        sum_dim(x: 3 = normal(42, [3, 5, 7])) = x.clone() * x.sum_dim(1);
        mean_dim(x: 3 = normal(42, [3, 5, 7])) = x.clone() - x.mean_dim(1);
        cumsum(x: 2 = normal(42, [3, 11])) = x.cumsum(1);
        cumprod(x: 2 = normal(42, [3, 11])) = x.cumprod(1);
        prod_dim(x: 2 = normal(42, [3, 11])) = x.prod_dim(1);
        max_dim(x: 3 = rounded(42, [3, 5, 7])) = x.max_dim(1);
        min_dim(x: 3 = rounded(42, [3, 5, 7])) = x.min_dim(2);
        sort(x: 2 = rounded(42, [3, 11])) = x.sort(1);
        gather(x: 2 = normal(42, [3, 11])) = x.gather(1, words(whole(43, [3, 40], 11)));
        select(x: 2 = normal(42, [11, 3])) = x.select(0, words(whole(43, [40], 11)));
        matmul(x: 2 = normal(42, [4, 6]), y: 2 = normal(43, [6, 3])) = x.matmul(y);
        matmul_stack(x: 3 = normal(42, [3, 4, 6]), y: 3 = normal(43, [1, 6, 5])) = x.matmul(y);
        matmul_scores(x: 4 = normal(42, [2, 3, 4, 6]), y: 4 = normal(43, [2, 3, 5, 6])) = x.matmul(y.transpose());
    }
}

fn activations(out: &mut Vec<Vector>) {
    gradients! { out;
        relu(x: 1 = rounded(44, [96])) = act::relu(x);
        leaky_relu(x: 1 = normal(44, [96])) = act::leaky_relu(x, 0.01);
        gelu(x: 1 = normal(44, [96])) = act::gelu(x);
        gelu_approximate(x: 1 = normal(44, [96])) = act::gelu_approximate(x);
        sigmoid(x: 1 = normal(44, [96])) = act::sigmoid(x);
        log_sigmoid(x: 1 = normal(44, [96])) = act::log_sigmoid(x);
        hard_sigmoid(x: 1 = normal(44, [96])) = act::hard_sigmoid(x, 0.2, 0.5);
        silu(x: 1 = normal(44, [96])) = act::silu(x);
        softplus(x: 1 = normal(44, [96])) = act::softplus(x, 1.0);
        mish(x: 1 = normal(44, [96])) = act::mish(x);
        softmax(x: 3 = normal(44, [3, 5, 7])) = act::softmax(x, 1);
        log_softmax(x: 3 = normal(44, [3, 5, 7])) = act::log_softmax(x, 2);
        cross_entropy(x: 2 = normal(44, [6, 5])) = cross_entropy_with_logits(x, act::softmax(fixed::<2>(normal(45, [6, 5])), 1));
    }
}

fn layers(out: &mut Vec<Vector>) {
    gradients! { out;
        linear(x: 3 = normal(46, [2, 6, 8]), w: 2 = normal(47, [8, 5]), b: 1 = normal(48, [5])) = linear(x, w, Some(b));
        linear_long(x: 2 = normal(46, [1, 33]), w: 2 = normal(47, [33, 67])) = linear(x, w, None);
        layer_norm(x: 3 = normal(46, [2, 5, 16]), g: 1 = normal(47, [16]), b: 1 = normal(48, [16])) = layer_norm(x, g, b);
        rms_norm(x: 3 = normal(46, [2, 5, 16]), g: 1 = normal(47, [16])) = rms_norm(x, g);
        attention(q: 4 = normal(46, [2, 3, 5, 8]), k: 4 = normal(47, [2, 3, 7, 8]), v: 4 = normal(48, [2, 3, 7, 6])) = attention(q, k, v, None, None, AttentionModuleOptions::default());
        attention_causal(q: 4 = normal(46, [2, 3, 7, 8]), k: 4 = normal(47, [2, 3, 7, 8]), v: 4 = normal(48, [2, 3, 7, 6])) = attention(q, k, v, None, None, causal());
        rotary(x: 4 = normal(46, [2, 3, 5, 8])) = rotary(x);
        swiglu(x: 2 = normal(46, [5, 8])) = swiglu(x);
        embedding(w: 2 = normal(47, [11, 3])) = embedding(w, words(whole(48, [2, 40], 11)));
        conv2d(x: 4 = normal(46, [2, 3, 9, 11]), w: 4 = normal(47, [7, 3, 3, 3]), b: 1 = normal(48, [7])) = conv2d(x, w, Some(b), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_strided(x: 4 = normal(46, [2, 3, 9, 11]), w: 4 = normal(47, [7, 3, 3, 3]), b: 1 = normal(48, [7])) = conv2d(x, w, Some(b), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d_groups(x: 4 = normal(46, [2, 4, 9, 11]), w: 4 = normal(47, [6, 2, 3, 2]), b: 1 = normal(48, [6])) = conv2d(x, w, Some(b), ConvOptions::new([2, 1], [1, 2], [2, 3], 2));
        conv1d(x: 3 = normal(46, [2, 3, 37]), w: 3 = normal(47, [5, 3, 4]), b: 1 = normal(48, [5])) = conv1d(x, w, Some(b), ConvOptions::new([2], [1], [2], 1));
        conv_transpose1d(x: 3 = normal(46, [2, 4, 9]), w: 3 = normal(47, [4, 3, 4]), b: 1 = normal(48, [3])) = conv_transpose1d(x, w, Some(b), ConvTransposeOptions::new([2], [1], [1], [1], 1));
        conv_transpose2d(x: 4 = normal(46, [2, 4, 5, 6]), w: 4 = normal(47, [4, 3, 3, 2]), b: 1 = normal(48, [6])) = conv_transpose2d(x, w, Some(b), ConvTransposeOptions::new([1, 3], [0, 1], [0, 2], [2, 1], 2));
        batch_norm(x: 4 = normal(46, [4, 3, 5, 7])) = BatchNormConfig::new(3).init(&ReproDevice).forward(x);
        max_pool1d(x: 3 = rounded(46, [2, 3, 17])) = max_pool1d(x, 3, 2, 1, 1, false);
        avg_pool1d(x: 3 = normal(46, [2, 3, 17])) = avg_pool1d(x, 3, 2, 1, false, true);
        adaptive_avg_pool1d(x: 3 = normal(46, [2, 3, 17])) = adaptive_avg_pool1d(x, 5);
        adaptive_avg_pool2d(x: 4 = normal(46, [2, 3, 8, 9])) = adaptive_avg_pool2d(x, [3, 2]);
        max_pool2d(x: 4 = rounded(46, [2, 3, 8, 9])) = max_pool2d(x, [3, 2], [2, 1], [1, 0], [1, 1], false);
        avg_pool2d(x: 4 = normal(46, [2, 3, 8, 9])) = avg_pool2d(x, [3, 2], [2, 1], [1, 1], true, false);
    }
}

fn rare_functions(out: &mut Vec<Vector>) {
    gradients! { out;
        asin(x: 1 = normal(40, [96])) = x.tanh().asin();
        acos(x: 1 = normal(40, [96])) = x.tanh().acos();
        asinh(x: 1 = normal(40, [96])) = x.asinh();
        acosh(x: 1 = normal(40, [96])) = x.cosh().acosh();
        atanh(x: 1 = normal(40, [96])) = x.tanh().atanh();
        atan2(y: 2 = normal(40, [5, 7]), x: 2 = normal(41, [5, 1])) = y.atan2(x);
        remainder(x: 2 = normal(40, [5, 7]), y: 2 = normal(41, [5, 1])) = x.remainder(y);
        remainder_scalar(x: 1 = normal(40, [96])) = x.remainder_scalar(0.3);
        div_scalar(x: 1 = normal(40, [96])) = x.div_scalar(0.3);
        sign(x: 1 = rounded(40, [96])) = x.sign();
        round(x: 1 = normal(40, [96])) = x.round();
        floor(x: 1 = normal(40, [96])) = x.floor();
        ceil(x: 1 = normal(40, [96])) = x.ceil();
        trunc(x: 1 = normal(40, [96])) = x.trunc();
        prelu(x: 2 = rounded(44, [5, 7]), a: 1 = normal(45, [7])) = act::prelu(x, a);
        softmin(x: 2 = normal(44, [5, 7])) = act::softmin(x, 1);
    }
}

fn powers(out: &mut Vec<Vector>) {
    gradients! { out;
        powf_scalar_small(x: 1 = positive(40, [96])) = x.powf_scalar(0.09);
        powf_scalar_negative(x: 1 = positive(40, [96])) = x.powf_scalar(-0.7);
        powi_one(x: 1 = normal(40, [96])) = x.clone().powi_scalar(1) * x.powi_scalar(0);
        powi_square(x: 1 = normal(40, [96])) = x.powi_scalar(2);
        powi_recip(x: 1 = normal(40, [96])) = x.powi_scalar(-1);
        powi_recip_of_square(x: 1 = normal(40, [96])) = x.powi_scalar(-2);
        powi_negative(x: 1 = normal(40, [96])) = x.powi_scalar(-3);
    }
}

fn ends_and_zeros(out: &mut Vec<Vector>) {
    gradients! { out;
        clamp_at_the_ends(x: 1 = rounded(40, [96])) = x.clamp(-1.0, 1.0);
        clamp_min(x: 1 = rounded(40, [96])) = x.clamp_min(1.0);
        clamp_max(x: 1 = rounded(40, [96])) = x.clamp_max(-1.0);
        leaky_relu_at_zero(x: 1 = rounded(44, [96])) = act::leaky_relu(x, 0.01);
        leaky_relu_of_zeros(x: 1 = rounded(44, [96])) = act::leaky_relu(x, 0.01).sign();
        broadcast_of_zeros(x: 2 = normal(40, [1, 7]), y: 2 = normal(41, [1, 1])) = (x + y).sign();
        sum_dim_of_zeros(x: 2 = normal(42, [5, 7])) = x.sum_dim(1).sign();
        mean_dim_of_zeros(x: 2 = normal(42, [5, 7])) = x.mean_dim(1).sign();
        mask_where(x: 2 = normal(40, [5, 7]), y: 2 = normal(41, [1, 7])) = x.mask_where(truths(mask(43, [5, 7])), y);
    }
}

fn scans_and_moves(out: &mut Vec<Vector>) {
    gradients! { out;
        cummax(x: 2 = rounded(42, [3, 11])) = x.cummax(1);
        cummin(x: 2 = rounded(42, [3, 11])) = x.cummin(1);
        cumprod_with_zeros(x: 2 = rounded(42, [3, 11])) = x.cumprod(1);
        prod(x: 2 = positive(42, [3, 11])) = x.prod();
        prod_dim_positive(x: 2 = positive(42, [3, 11])) = x.prod_dim(1);
        mean_times(x: 2 = normal(42, [5, 7])) = x.clone() * x.mean().reshape([1, 1]);
        mean_times_inexact(x: 2 = normal(42, [7, 7])) = x.clone() * x.mean().reshape([1, 1]);
        mean_dim_times(x: 3 = normal(42, [3, 5, 7])) = x.clone() * x.mean_dim(2);
        tiled(x: 2 = normal(40, [5, 2])) = x.reshape([5, 1, 2]).expand([5, 3, 2]).reshape([5, 6]);
        max(x: 2 = rounded(42, [5, 7])) = x.max();
        max_abs(x: 2 = rounded(42, [5, 7])) = x.max_abs();
        scatter(x: 2 = normal(42, [3, 11]), y: 2 = normal(43, [3, 40])) = x.scatter(1, words(whole(44, [3, 40], 11)), y, IndexingUpdateOp::Add);
        select_assign(x: 2 = normal(42, [11, 3]), y: 2 = normal(43, [40, 3])) = x.select_assign(0, words(whole(44, [40], 11)), y, IndexingUpdateOp::Add);
        slice_assign(x: 2 = normal(42, [5, 7]), y: 2 = normal(43, [3, 5])) = x.slice_assign([1..4, 2..7], y);
    }
}

/// The order in which gradients that meet in one tensor are added.
fn several_uses(out: &mut Vec<Vector>) {
    gradients! { out;
        uses(x: 2 = normal(42, [5, 7])) = x.clone().exp() + x.clone().sin() + x.clone().cos();
        uses_of_depths(x: 2 = normal(42, [5, 7])) = x.clone().tanh().exp() + x.clone().sin() + x.clone().erf().neg().exp() + x.cos();
        uses_beside_a_deep_constant(x: 2 = normal(42, [5, 7])) = x.clone() * fixed::<2>(normal(43, [5, 7])).sin().sin().sin() + x.clone().sin() + x.cos().exp();
        uses_beside_softmax(x: 2 = normal(42, [5, 7])) = act::softmax(x.clone(), 1) * x.clone() + x.exp();
        uses_beside_hard_sigmoid(x: 2 = normal(42, [5, 7])) = act::hard_sigmoid(x.clone(), 0.2, 0.5) * x.clone() + x.clone() * fixed::<2>(normal(43, [5, 7])).sin().sin().sin().sin().sin() + x.clone() * fixed::<2>(normal(44, [5, 7])).sin().sin().sin().sin().sin().sin().sin().sin();
        uses_of_a_square(x: 2 = normal(42, [5, 7])) = x.clone().exp() * (x.clone() * x.clone()) + x.sin().exp();
    }
}

fn rare_layers(out: &mut Vec<Vector>) {
    gradients! { out;
        dropout(x: 2 = normal(42, [5, 7])) = dropout(x);
        unfold4d_moved(x: 4 = normal(46, [2, 3, 9, 11])) = unfold4d(x, [3, 2], UnfoldOptions::new([2, 1], [0, 0], [1, 1]));
        unfold4d_padded(x: 4 = normal(46, [2, 3, 9, 11])) = unfold4d(x, [3, 2], UnfoldOptions::new([2, 3], [1, 0], [1, 2]));
        attention_options(q: 4 = normal(46, [2, 3, 5, 8]), k: 4 = normal(47, [2, 3, 7, 8]), v: 4 = normal(48, [2, 3, 7, 6]), b: 4 = normal(49, [1, 3, 5, 7])) = attention(q, k, v, Some(truths(mask(63, [2, 1, 1, 7]))), Some(b), options(None, Some(2.0), true));
        rotary_of_zeros(x: 4 = rounded(46, [2, 3, 5, 8])) = rotary(x).sign();
    }
}

/// Gradients of the weights of what is made of several layers, and of losses and slopes that networks learn by.
fn weights(out: &mut Vec<Vector>) {
    gradients! { out;
        batch_norm_weights(x: 4 = normal(46, [4, 3, 5, 7]), g: 1 = normal(47, [3]), b: 1 = normal(48, [3])) = batch_norm(x, g, b);
        batch_norm_of_rows(x: 2 = normal(46, [37, 5]), g: 1 = normal(47, [5]), b: 1 = normal(48, [5])) = batch_norm(x, g, b);
        swiglu_weights(x: 2 = normal(46, [5, 8]), v: 2 = quartered(47, [8, 6]), w: 2 = quartered(48, [8, 6])) = swiglu_with(x, (v, None), (w, None));
        swiglu_biases(x: 2 = normal(46, [5, 8]), v: 2 = quartered(47, [8, 6]), b: 1 = quartered(48, [6]), w: 2 = quartered(49, [8, 6]), c: 1 = quartered(50, [6])) = swiglu_with(x, (v, Some(b)), (w, Some(c)));
        multi_head_attention(x: 3 = normal(46, [2, 5, 18]), wq: 2 = quartered(47, [18, 18]), bq: 1 = quartered(48, [18]), wk: 2 = quartered(49, [18, 18]), bk: 1 = quartered(50, [18]), wv: 2 = quartered(51, [18, 18]), bv: 1 = quartered(52, [18]), wo: 2 = quartered(53, [18, 18]), bo: 1 = quartered(54, [18])) = multi_head_attention_with(x, truths(mask(63, [2, 5])), [(wq, Some(bq)), (wk, Some(bk)), (wv, Some(bv)), (wo, Some(bo))]);
        multi_head_attention_of_three(q: 3 = normal(46, [2, 5, 12]), k: 3 = normal(44, [2, 7, 12]), v: 3 = normal(45, [2, 7, 12]), wq: 2 = quartered(47, [12, 12]), bq: 1 = quartered(48, [12]), wk: 2 = quartered(49, [12, 12]), bk: 1 = quartered(50, [12]), wv: 2 = quartered(51, [12, 12]), bv: 1 = quartered(52, [12]), wo: 2 = quartered(53, [12, 12]), bo: 1 = quartered(54, [12])) = multi_head_attention_of([q, k, v], truths(mask(63, [2, 7])), truths(mask(64, [2, 5, 7])), [(wq, Some(bq)), (wk, Some(bk)), (wv, Some(bv)), (wo, Some(bo))]);
        cross_entropy_of_classes(x: 2 = normal(44, [6, 5])) = cross_entropy(x, words(whole(45, [6], 5)));
        prelu_of_planes(x: 4 = rounded(44, [2, 3, 4, 5]), a: 1 = normal(45, [3])) = act::prelu(x, a);
        prelu_of_one_slope(x: 2 = rounded(44, [5, 7]), a: 1 = normal(45, [1])) = act::prelu(x, a);
    }
}

fn further_moves_and_extremes(out: &mut Vec<Vector>) {
    gradients! { out;
        min(x: 2 = rounded(42, [5, 7])) = x.min();
        max_abs_dim(x: 2 = rounded(42, [5, 7])) = x.max_abs_dim(1);
        topk_with_indices(x: 2 = rounded(42, [3, 11])) = topk(x, 4, 1);
        attention_grouped(q: 4 = normal(46, [2, 6, 5, 8]), k: 4 = normal(47, [2, 2, 7, 8]), v: 4 = normal(48, [2, 2, 7, 6])) = attention_grouped(q, k, v, None, None, causal());
        sort_descending(x: 2 = rounded(42, [3, 11])) = x.sort_descending(1);
        permute(x: 3 = normal(40, [3, 5, 7])) = x.permute([2, 0, 1]);
        expand_in_front(x: 2 = normal(40, [5, 1])) = x.expand([3, 5, 2]);
        unfold(x: 2 = normal(40, [3, 11])) = x.unfold::<3, _>(1, 4, 3);
        unfold_overlapping(x: 2 = normal(40, [11, 3])) = x.unfold::<3, _>(0, 5, 2);
        slice_stepped(x: 2 = normal(40, [5, 11])) = x.slice([Slice::new(1, None, 2), Slice::new(0, Some(9), -3)]);
        slice_assign_stepped(x: 2 = normal(42, [5, 11]), y: 2 = normal(43, [2, 3])) = x.slice_assign([Slice::new(1, None, 2), Slice::new(0, Some(9), -3)], y);
    }
}
