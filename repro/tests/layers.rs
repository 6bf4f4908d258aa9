//! What burn-nn's layers call works, forwards and backwards, and does not know path or threads.

mod support;

use burn::backend::Autodiff;
use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    DropoutConfig, EmbeddingConfig, LayerNormConfig, LstmConfig, Relu, RmsNormConfig,
    RotaryEncodingConfig, SwiGluConfig,
};
use burn::optim::GradientsParams;
use burn::tensor::activation as act;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use repro::{Repro, ReproDevice, paths, random};
use support::{bits, every_setting, numbers};

type B = Autodiff<Repro>;
type A<const D: usize> = Tensor<B, D>;

fn tensor<const D: usize>(seed: u64, shape: [usize; D]) -> A<D> {
    let data = numbers(seed, shape.iter().product());
    Tensor::from_data(TensorData::new(data, shape), &ReproDevice)
}

fn read<const D: usize>(tensor: A<D>) -> Vec<u32> {
    bits(&tensor.into_data().to_vec::<f32>().expect("a float tensor"))
}

/// The gradients of all weights, in order.
struct Gradients<'a>(&'a GradientsParams, Vec<u32>);

impl ModuleVisitor<B> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<A<D>>) {
        type Inner = <B as AutodiffBackend>::InnerBackend;
        if let Some(gradient) = self.0.get::<Inner, D>(param.id) {
            self.1.extend(read(Tensor::from_inner(gradient)));
        }
    }
}

/// Makes a layer, runs it on an input of this shape and back, in every setting: the same bits, none of them NaN.
fn check<M: AutodiffModule<B>, const D: usize, const E: usize>(
    name: &str,
    shape: [usize; D],
    new: impl Fn() -> M,
    forward: impl Fn(&M, A<D>) -> A<E>,
) {
    let mut results = Vec::new();
    for settings in every_setting() {
        results.push(paths::with(settings, || {
            let module = random::scope(5, random::INIT, || {
                let module = new();
                // Weights are drawn at first use, in the order of this first run.
                forward(&module, tensor(1, shape));
                module
            });
            random::scope(5, random::DROPOUT, || {
                random::set_step(1);
                let x = tensor(1, shape).require_grad();
                let y = forward(&module, x.clone());
                let weights = tensor(2, y.dims());
                let grads = (y.clone() * weights).sum().backward();
                let mut all = read(y);
                let gradient = x.grad(&grads).expect("the input's gradient");
                all.extend(read(Tensor::from_inner(gradient)));
                let grads = GradientsParams::from_grads(grads, &module);
                let mut visitor = Gradients(&grads, all);
                module.visit(&mut visitor);
                visitor.1
            })
        }));
    }
    assert!(results.iter().all(|bits| *bits == results[0]), "{name}");
    assert!(!results[0].contains(&0x7fc0_0000), "{name} has a NaN");
}

#[test]
fn norms_and_gated_units() {
    check(
        "layer norm",
        [2, 3, 24],
        || LayerNormConfig::new(24).init(&ReproDevice),
        |m, x| m.forward(x),
    );
    check(
        "rms norm",
        [2, 3, 24],
        || RmsNormConfig::new(24).init(&ReproDevice),
        |m, x| m.forward(x),
    );
    check(
        "swiglu",
        [2, 3, 24],
        || SwiGluConfig::new(24, 17).init(&ReproDevice),
        |m, x| m.forward(x),
    );
    check(
        "dropout",
        [2, 3, 24],
        || DropoutConfig::new(0.3).init(),
        |m, x| m.forward(x),
    );
}

#[test]
fn attention_with_masks_and_rotary_positions() {
    let pad: Vec<bool> = (0..10).map(|i| i % 5 > 2).collect();
    let attend = |module: &burn::nn::attention::MultiHeadAttention<B>, x: A<3>| {
        let pad =
            Tensor::<B, 2, Bool>::from_data(TensorData::new(pad.clone(), [2, 5]), &ReproDevice);
        let causal = generate_autoregressive_mask::<B>(2, 5, &ReproDevice);
        let input = MhaInput::self_attn(x).mask_pad(pad).mask_attn(causal);
        module.forward(input).context
    };
    for quiet in [false, true] {
        let config = MultiHeadAttentionConfig::new(24, 3).with_quiet_softmax(quiet);
        check(
            "attention",
            [2, 5, 24],
            || config.init(&ReproDevice),
            attend,
        );
    }
    check(
        "rotary",
        [2, 3, 5, 8],
        || RotaryEncodingConfig::new(16, 8).init(&ReproDevice),
        |m, x| m.forward(x),
    );
}

#[test]
fn a_whole_encoder_and_a_recurrent_layer() {
    let config = TransformerEncoderConfig::new(16, 32, 2, 2).with_norm_first(true);
    check(
        "encoder",
        [2, 5, 16],
        || config.init(&ReproDevice),
        |m, x| m.forward(TransformerEncoderInput::new(x)),
    );
    check(
        "lstm",
        [2, 5, 7],
        || LstmConfig::new(7, 9, true).init(&ReproDevice),
        |m, x| m.forward(x, None).0,
    );
}

#[test]
fn an_embedding_adds_its_gradients_in_ascending_order() {
    let words =
        || Tensor::<B, 2, Int>::from_data(TensorData::new(vec![1, 2, 1, 1], [2, 2]), &ReproDevice);
    let module = random::scope(5, random::INIT, || {
        let module = EmbeddingConfig::new(4, 3).init::<B>(&ReproDevice);
        module.forward(words());
        module
    });
    let y = module.forward(words());
    let weights: Vec<f32> = [[1e8f32; 3], [2.0; 3], [1.0; 3], [-1e8; 3]].concat();
    let weights = A::from_data(TensorData::new(weights, [2, 2, 3]), &ReproDevice);
    let grads = (y * weights).sum().backward();
    let gradient: Vec<f32> = module
        .weight
        .val()
        .grad(&grads)
        .expect("a gradient")
        .into_data()
        .to_vec()
        .expect("floats");
    // 1e8 + 1 is 1e8 in binary32: in any other order something would be left.
    assert_eq!(
        gradient,
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0]
    );
}

#[test]
fn losses_scans_and_choices_run_forwards_and_backwards() {
    let targets =
        || Tensor::<B, 1, Int>::from_data(TensorData::new(vec![3, 0, 2], [3]), &ReproDevice);
    type Case = (&'static str, fn(A<2>) -> A<2>);
    let cases: [Case; 16] = [
        ("silu", act::silu),
        ("gelu, tanh form", act::gelu_approximate),
        ("softmin", |x| act::softmin(x, 1)),
        ("log sigmoid", act::log_sigmoid),
        ("glu", |x| act::glu(x, 1)),
        ("cumsum", |x| x.cumsum(1)),
        ("cumprod", |x| x.cumprod(0)),
        ("cummax", |x| x.cummax(1)),
        ("cummin", |x| x.cummin(0)),
        ("powf", |x| (x.clone().abs() + 0.5).powf(x)),
        ("powf_scalar", |x| (x.abs() + 0.5).powf_scalar(-0.75)),
        ("remainder", |x| x.remainder_scalar(0.7)),
        ("sinh", |x| x.clone().sinh() + (x * 0.1).asinh()),
        ("tan", |x| x.tan().atan()),
        ("sort", |x| x.sort(1)),
        ("the greatest two", |x| {
            x.sort_descending(1).slice([0..3, 0..2])
        }),
    ];
    for (name, f) in cases {
        // So many numbers that three threads have a stretch each.
        check(name, [9, 40], Relu::new, |_, x| f(x));
    }
    check("cross-entropy", [3, 4], Relu::new, |_, x: A<2>| {
        let smooth = CrossEntropyLossConfig::new()
            .with_smoothing(Some(0.1))
            .with_weights(Some(vec![1.0, 2.0, 0.5, 1.5]));
        CrossEntropyLossConfig::new()
            .init(&ReproDevice)
            .forward(x.clone(), targets())
            + smooth.init(&ReproDevice).forward(x, targets())
    });
    check("gather and scatter", [3, 4], Relu::new, |_, x: A<2>| {
        let at = Tensor::<B, 2, Int>::from_ints([[0, 3, 0], [1, 1, 2], [2, 0, 3]], &ReproDevice);
        let picked = x.clone().gather(1, at.clone());
        x.scatter(1, at, picked, burn::tensor::IndexingUpdateOp::Add)
    });
    check("grouped heads", [2, 2, 5, 4], Relu::new, |_, x: A<4>| {
        let grouped = |x: A<4>| {
            x.reshape([2, 2, 1, 5, 4])
                .repeat_dim(2, 2)
                .reshape([2, 4, 5, 4])
        };
        burn::tensor::module::attention(
            tensor(4, [2, 4, 5, 4]),
            grouped(x.clone()),
            grouped(x),
            None,
            None,
            Default::default(),
        )
    });
}

#[test]
fn whole_numbers_are_sorted_with_ties_in_order() {
    let x = || Tensor::<Repro, 2, Int>::from_ints([[3, 1, 3, -2], [0, 0, 7, 7]], &ReproDevice);
    let ints = |x: Tensor<Repro, 2, Int>| {
        x.into_data()
            .convert::<i64>()
            .to_vec::<i64>()
            .expect("ints")
    };
    assert_eq!(ints(x().argsort(1)), [3, 1, 0, 2, 0, 1, 2, 3]);
    assert_eq!(ints(x().argsort_descending(1)), [0, 2, 1, 3, 2, 3, 0, 1]);
    let (values, at) = x().sort_with_indices(0);
    assert_eq!(
        (ints(values), ints(at)),
        (vec![0, 0, 3, -2, 3, 1, 7, 7], vec![1, 1, 0, 0, 0, 0, 1, 1])
    );
    assert_eq!(ints(x().topk(2, 1)), [3, 3, 7, 7]);
    assert_eq!(ints(x().argmax(1)), [0, 2]);
}

#[test]
fn products_and_scans_are_chains() {
    let x = Tensor::<Repro, 1>::from_floats([3.0, 1e30, 1e30, 1e-30, -2.0], &ReproDevice);
    let floats = |x: Tensor<Repro, 1>| x.into_data().to_vec::<f32>().expect("floats");
    assert_eq!(floats(x.clone().prod()), [f32::NEG_INFINITY]);
    assert_eq!(
        floats(x.clone().flip([0]).prod()),
        [-2.0 * 1e-30 * 1e30 * 1e30 * 3.0]
    );
    assert_eq!(floats(x.clone().cumprod(0))[..2], [3.0, 3.0 * 1e30]);
    assert_eq!(floats(x.cumsum(0))[3], 3.0 + 1e30 + 1e30 + 1e-30);
}
