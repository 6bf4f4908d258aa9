//! Gradients as burn's autodiff composes them from our operations.

use super::Vector;
use super::inputs::*;
use burn::module::Param;
use burn::nn::{LayerNormConfig, RmsNormConfig, RotaryEncodingConfig, SwiGluConfig};
use burn::tensor::activation as act;
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::module::{attention, avg_pool2d, conv2d, embedding, linear, max_pool2d};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions};
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;
use repro::{ReproDevice, random};

pub fn push(out: &mut Vec<Vector>) {
    functions(out);
    reductions(out);
    activations(out);
    layers(out);
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

fn causal() -> AttentionModuleOptions {
    AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    }
}

/// Whole numbers beside the graph.
fn words<const D: usize>(x: FlexTensor) -> Tensor<burn::backend::Autodiff<repro::Repro>, D, Int> {
    Tensor::from_primitive(x)
}

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
        repeat(x: 2 = normal(40, [5, 2])) = x.repeat_dim(1, 3);
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
        max_pool2d(x: 4 = rounded(46, [2, 3, 8, 9])) = max_pool2d(x, [3, 2], [2, 1], [1, 0], [1, 1], false);
        avg_pool2d(x: 4 = normal(46, [2, 3, 8, 9])) = avg_pool2d(x, [3, 2], [2, 1], [1, 1], true, false);
    }
}
