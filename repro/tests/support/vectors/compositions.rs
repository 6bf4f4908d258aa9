//! What burn and burn-nn compose of our operations where nothing is differentiated, our optimisers' steps, and the functions in
//! binary64.

use super::Vector;
use super::inputs::*;
use burn::module::Param;
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{BatchNormConfig, RmsNormConfig, RotaryEncodingConfig};
use burn::optim::SimpleOptimizer;
use burn::tensor::activation as act;
use burn::tensor::{Bool, Int, Tensor, TensorPrimitive};
use burn_flex::FlexTensor;
use repro::optim::{AdamW, Sgd};
use repro::{Repro, ReproDevice, f64fn, random};

type T<const D: usize> = Tensor<Repro, D>;

pub fn push(out: &mut Vec<Vector>) {
    composed! { out;
        silu(hard()) = |x| act::silu(tensor::<1>(x));
        gelu_approximate(hard()) = |x| act::gelu_approximate(tensor::<1>(x));
        softplus(hard(), 1.5) = |x, beta| act::softplus(tensor::<1>(x), beta);
        mish(hard()) = |x| act::mish(tensor::<1>(x));
        cross_entropy(normal(70, [6, 5]), whole(71, [6], 5)) = cross_entropy;
        rms_norm(normal(70, [2, 3, 33]), normal(71, [33]), 1e-6) = rms_norm;
        batch_norm_inference(normal(70, [2, 3, 5, 7]), normal(71, [3]), positive(72, [3])) = batch_norm;
        batch_norm_training(normal(70, [4, 3, 5, 7])) = batch_norm_training;
        batch_norm_momentum(broadcast(normal(70, [1, 3, 1, 1]), [4, 3, 5, 7]), 0.9) = batch_norm_momentum;
        rotary(normal(70, [2, 3, 5, 8])) = |x| RotaryEncodingConfig::new(9, 8).init(&ReproDevice).forward(tensor::<4>(x));
        rotary(rounded(70, [2, 3, 5, 8])) = |x| RotaryEncodingConfig::new(9, 8).init(&ReproDevice).forward(tensor::<4>(x));
        multi_head_attention(normal(70, [2, 5, 12]), mask(71, [2, 5])) = multi_head_attention;
        multi_head_attention(normal(70, [2, 5, 18]), mask(71, [2, 5])) = multi_head_attention;
        multi_head_attention(normal(70, [7, 1, 12]), mask(71, [7, 1])) = multi_head_attention;
        adamw(normal(73, [37]), 7) = adamw;
        adamw_decaying(normal(73, [37]), 3, 0.9, 0.9) = adamw_decaying;
        sgd(normal(73, [37]), 0.0, false, 0.0) = sgd;
        sgd(normal(73, [37]), 0.9, false, 0.01) = sgd;
        sgd(normal(73, [37]), 0.9, true, 0.01) = sgd;
        exp_binary64(74) = |seed| wide(seed, f64fn::exp);
        ln_binary64(74) = |seed| wide(seed, f64fn::ln);
    }
}

fn tensor<const D: usize>(x: FlexTensor) -> T<D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

fn cross_entropy(logits: FlexTensor, classes: FlexTensor) -> T<1> {
    let classes = Tensor::<Repro, 1, Int>::from_primitive(classes);
    let loss = CrossEntropyLossConfig::new().init(&ReproDevice);
    loss.forward(tensor(logits), classes)
}

fn rms_norm(x: FlexTensor, gamma: FlexTensor, epsilon: f64) -> T<3> {
    let gamma = tensor::<1>(gamma);
    let config = RmsNormConfig::new(gamma.dims()[0]).with_epsilon(epsilon);
    let mut norm = config.init(&ReproDevice);
    norm.gamma = Param::from_tensor(gamma);
    norm.forward(tensor(x))
}

/// The module's batch norm with this gamma as mean and scale, and this variance.
fn batch_norm(x: FlexTensor, gamma: FlexTensor, variance: FlexTensor) -> T<4> {
    let (gamma, variance) = (tensor::<1>(gamma), tensor::<1>(variance));
    let mut norm = BatchNormConfig::new(gamma.dims()[0]).init::<Repro>(&ReproDevice);
    norm.gamma = Param::from_tensor(gamma.clone());
    norm.running_mean = burn::module::RunningState::new(gamma);
    norm.running_var = burn::module::RunningState::new(variance);
    norm.forward(tensor(x))
}

/// The output of a training step of the module as it is made, then the running mean and variance.
fn batch_norm_training(x: FlexTensor) -> (FlexTensor, (FlexTensor, FlexTensor)) {
    batch_norm_momentum(x, 0.1)
}

/// The same with this momentum.
fn batch_norm_momentum(x: FlexTensor, momentum: f64) -> (FlexTensor, (FlexTensor, FlexTensor)) {
    let x: A<4> = fixed(x);
    let config = BatchNormConfig::new(x.dims()[1]).with_momentum(momentum);
    let norm = config.init(&ReproDevice);
    let plain = |x: A<1>| x.inner().into_primitive().tensor();
    let y = norm.forward(x).inner().into_primitive().tensor();
    let [mean, variance] =
        [&norm.running_mean, &norm.running_var].map(|state| plain(state.value_sync()));
    (y, (mean, variance))
}

/// The module's attention of three heads, its weights drawn from (seed 21, stream 0), with these words left out.
fn multi_head_attention(x: FlexTensor, padding: FlexTensor) -> T<3> {
    let x = tensor::<3>(x);
    let padding = Tensor::<Repro, 2, Bool>::from_primitive(padding);
    random::scope(21, random::INIT, || {
        let heads = MultiHeadAttentionConfig::new(x.dims()[2], 3).init(&ReproDevice);
        heads
            .forward(MhaInput::self_attn(x).mask_pad(padding))
            .context
    })
}

/// The weights after some steps of AdamW as it is by default at a rate of 0.01, the gradient being the weight's sine.
fn adamw(weight: FlexTensor, steps: usize) -> T<1> {
    adamw_steps(weight, steps, 0.01, AdamW::default())
}

/// The same at this rate, with this decay.
fn adamw_decaying(weight: FlexTensor, steps: usize, rate: f64, weight_decay: f32) -> T<1> {
    let adamw = AdamW {
        weight_decay,
        ..AdamW::default()
    };
    adamw_steps(weight, steps, rate, adamw)
}

fn adamw_steps(weight: FlexTensor, steps: usize, rate: f64, adamw: AdamW) -> T<1> {
    let (mut weight, mut state) = (tensor::<1>(weight), None);
    for _ in 0..steps {
        let gradient = weight.clone().sin();
        (weight, state) = adamw.step(rate, weight, gradient, state);
    }
    weight
}

/// The weights after three steps of descent at a rate of 0.1, the gradient being the weight's sine.
fn sgd(weight: FlexTensor, momentum: f32, nesterov: bool, weight_decay: f32) -> T<1> {
    let sgd = Sgd {
        momentum,
        nesterov,
        weight_decay,
    };
    let (mut weight, mut velocity) = (tensor::<1>(weight), None);
    for _ in 0..3 {
        let gradient = weight.clone().sin();
        (weight, velocity) = sgd.step(0.1, weight, gradient, velocity);
    }
    weight
}

/// A thousand values of a function in binary64, each as four numbers: the sixteen-bit parts of its bits, the lowest first.
/// The arguments are `normal(seed, [1000])` to the third power times 100.
fn wide(seed: u64, f: fn(f64) -> f64) -> Vec<f32> {
    let numbers = crate::support::numbers(seed, 1000);
    let arguments = numbers.iter().map(|x| {
        let x = f64::from(*x);
        x * x * x * 100.0
    });
    arguments
        .flat_map(|x| {
            let value = f(x);
            let bits = if value.is_nan() {
                0x7ff8 << 48
            } else {
                value.to_bits()
            };
            [0, 16, 32, 48].map(|shift| (bits >> shift & 0xffff) as f32)
        })
        .collect()
}
