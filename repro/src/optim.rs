//! AdamW and stochastic gradient descent with every step written down.
//!
//! burn's own AdamW computes its bias corrections with the platform's `f32::powi`, whose precision is
//! unspecified; one bit there moves every weight. This is the same optimiser (Loshchilov and Hutter,
//! "Decoupled weight decay regularization", 2019) with that one thing defined, and the same state, so a record of one is a record of the other.

use crate::backend::{float_tensor, own_numbers, view};
use crate::kernels::descent;
use crate::kernels::memory::Numbers;
use crate::kernels::paths::Settings;
use crate::kernels::view::elements;
use crate::{Repro, ReproDevice};
use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, SimpleOptimizer};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::FlexTensor;

/// AdamW.
///
/// **Order.** With `g` the gradient, `t` the number of the step from 1, all in binary32, elementwise, in this
/// order: `m = m·β₁ + g·(1 − β₁)` and `v = v·β₂ + (g·g)·(1 − β₂)` (without the first term at step 1);
/// `u = (m / c₁) / (√(v / c₂) + ε)`; `w = w·d − u·lr`. The scalars: `1 − β` is a binary32 subtraction;
/// `c = 1 − βᵗ` is formed in binary64 (by repeated squaring, as [`power`]) and rounded once, as is `d = 1 − lr·decay`;
/// `lr` is rounded once. Without decay (`lr·decay = 0`) the weight is not multiplied.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment, 0.9 as a rule.
    pub beta_1: f32,
    /// Decay of the second moment, 0.999 as a rule.
    pub beta_2: f32,
    /// Added to the root of the second moment, 1e-8 as a rule.
    pub epsilon: f32,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f32,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

impl AdamW {
    /// An optimiser of a module's parameters.
    pub fn init<B, M>(&self) -> OptimizerAdaptor<AdamW, M, B>
    where
        B: AutodiffBackend<InnerBackend = Repro>,
        M: AutodiffModule<B>,
    {
        OptimizerAdaptor::from(self.clone())
    }

    fn correction(beta: f32, time: usize) -> f32 {
        (1.0 - power(f64::from(beta), time as u64)) as f32
    }
}

/// Stochastic gradient descent, with momentum if it is not 0.
///
/// **Order.** With `g` the gradient, all in binary32, elementwise, in this order: `g = g + w·decay` (if decay is not
/// 0); `v = v·μ + g` (`v = g` at the first step); `u = g + v·μ` with Nesterov's look-ahead, `u = v` without; `w = w − u·lr`.
/// Without momentum `u = g` and there is no `v`. `lr` is rounded to binary32 once.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// Momentum μ, 0.9 as a rule; 0 for none.
    pub momentum: f32,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// Weight decay, added to the gradient.
    pub weight_decay: f32,
}

impl Sgd {
    /// The weights after a step, and the velocity `v` for the next one. Both are written over what is handed in, if that has
    /// no other owner.
    ///
    /// **Shapes.** All of one shape.
    pub fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<Repro, D>,
        grad: Tensor<Repro, D>,
        velocity: Option<Tensor<Repro, D>>,
    ) -> (Tensor<Repro, D>, Option<Tensor<Repro, D>>) {
        let rule = descent::Sgd {
            decay: (self.weight_decay != 0.0).then_some(self.weight_decay),
            momentum: self.momentum,
            is_nesterov: self.nesterov,
            rate: lr as f32,
            is_first: velocity.is_none(),
        };
        let (mut weight, grad) = (floats(tensor), floats(grad));
        let settings = Settings::current();
        let grad = view(&grad).packed();
        if self.momentum == 0.0 {
            descent::sgd(settings, rule, &grad, own_numbers(&mut weight), &mut []);
            return (tensor_of(weight), None);
        }
        let mut velocity = velocity.map_or_else(|| zeros_like(&weight), floats);
        let numbers = own_numbers(&mut weight);
        descent::sgd(settings, rule, &grad, numbers, own_numbers(&mut velocity));
        (tensor_of(weight), Some(tensor_of(velocity)))
    }
}

fn floats<const D: usize>(tensor: Tensor<Repro, D>) -> FlexTensor {
    tensor.into_primitive().tensor()
}

fn tensor_of<const D: usize>(tensor: FlexTensor) -> Tensor<Repro, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

fn zeros_like(tensor: &FlexTensor) -> FlexTensor {
    let shape = tensor.layout().shape().clone();
    float_tensor(Numbers::zeros(elements(&shape[..])), shape)
}

/// `x` to the power `n`, in binary64: repeated squaring from the lowest bit of `n`, `result *= base` before
/// `base *= base`.
pub fn power(x: f64, n: u64) -> f64 {
    let (mut result, mut base, mut bits) = (1.0, x, n);
    while bits > 0 {
        if bits & 1 == 1 {
            result *= base;
        }
        base *= base;
        bits >>= 1;
    }
    result
}

/// Weights and moments are written over what is handed in, if that has no other owner.
impl SimpleOptimizer<Repro> for AdamW {
    type State<const D: usize> = AdamWState<Repro, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<Repro, D>,
        grad: Tensor<Repro, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<Repro, D>, Option<Self::State<D>>) {
        let time = state.as_ref().map_or(0, |state| state.momentum.time) + 1;
        let decay = lr * f64::from(self.weight_decay);
        let betas = [self.beta_1, self.beta_2];
        let rule = descent::AdamW {
            betas,
            rests: betas.map(|beta| 1.0 - beta),
            corrections: betas.map(|beta| Self::correction(beta, time)),
            epsilon: self.epsilon,
            rate: lr as f32,
            keep: (decay != 0.0).then_some((1.0 - decay) as f32),
            is_first: state.is_none(),
        };
        let (mut weight, grad) = (floats(tensor), floats(grad));
        let (mut first, mut second) = match state {
            None => (zeros_like(&weight), zeros_like(&weight)),
            Some(AdamWState { momentum }) => (floats(momentum.moment_1), floats(momentum.moment_2)),
        };
        descent::adamw(
            Settings::current(),
            rule,
            &view(&grad).packed(),
            own_numbers(&mut weight),
            [own_numbers(&mut first), own_numbers(&mut second)],
        );
        let momentum = AdaptiveMomentumState::new(time, tensor_of(first), tensor_of(second));
        (tensor_of(weight), Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, _device: &ReproDevice) -> Self::State<D> {
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::paths::{Path, with};
    use burn::optim::AdamWConfig;
    use burn::tensor::TensorData;

    type T = Tensor<Repro, 1>;

    fn tensor(data: [f32; 4]) -> T {
        T::from_data(TensorData::new(data.to_vec(), [4]), &ReproDevice)
    }

    fn read(tensor: T) -> Vec<f32> {
        tensor.into_data().to_vec().expect("floats")
    }

    /// The weights after some steps on the square of the distance to (1, 2, 3, 4).
    fn run(steps: usize, optimiser: &impl SimpleOptimizer<Repro>) -> Vec<f32> {
        let goal = tensor([1.0, 2.0, 3.0, 4.0]);
        let (mut weight, mut state) = (tensor([0.5, -0.5, 3.0, 9.0]), None);
        for _ in 0..steps {
            let grad = (weight.clone() - goal.clone()).mul_scalar(2.0);
            (weight, state) = optimiser.step(0.1, weight, grad, state);
        }
        read(weight)
    }

    #[test]
    fn it_walks_where_burns_own_does() {
        let config = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.01);
        for steps in [1, 2, 50] {
            let (ours, theirs) = (run(steps, &AdamW::default()), run(steps, &config.build()));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!(
                    (ours - theirs).abs() < 1e-3,
                    "{steps} steps: {ours} and {theirs}"
                );
            }
        }
    }

    #[test]
    fn the_first_step_is_the_formula() {
        let (weight, grad) = (0.5f32, 2.0f32 * (0.5 - 1.0));
        let (m, v) = (grad * (1.0 - 0.9f32), (grad * grad) * (1.0 - 0.999f32));
        let (c1, c2) = (
            (1.0 - f64::from(0.9f32)) as f32,
            (1.0 - f64::from(0.999f32)) as f32,
        );
        let update = (m / c1) / ((v / c2).sqrt() + 1e-8);
        let kept = weight * (1.0 - 0.1 * f64::from(0.01f32)) as f32;
        let expected = kept - update * 0.1f64 as f32;
        assert_eq!(run(1, &AdamW::default())[0].to_bits(), expected.to_bits());
    }

    #[test]
    fn a_step_is_the_formula_on_every_path_whatever_the_threads_and_owners() {
        const LEN: usize = 70_001;
        let numbers = |seed: u64| {
            let draw = crate::kernels::random::Draw::new(seed, 9, 0, 0);
            let law = crate::kernels::random::Distribution::Normal {
                mean: 0.0,
                deviation: 1.0,
            };
            draw.fill(Path::Scalar, law, LEN)
        };
        let (start, grads) = (numbers(0), [numbers(1), numbers(2), numbers(3)]);
        let expected: Vec<u32> = (0..LEN)
            .map(|i| by_hand(start[i], grads.each_ref().map(|grad| grad[i])).to_bits())
            .collect();
        let long = |data: &[f32]| T::from_data(TensorData::new(data.to_vec(), [LEN]), &ReproDevice);
        for path in Path::available() {
            for threads in [1, 2, 3] {
                let settings = Settings::current().with_path(path).with_threads(threads);
                let weight = with(settings, || {
                    let (mut weight, mut state) = (long(&start), None);
                    let mut before = Vec::new();
                    for grad in &grads {
                        before.push((weight.clone(), read(weight.clone())));
                        // A gradient that lies backwards in memory is read by index.
                        let mut backwards = grad.clone();
                        backwards.reverse();
                        let grad = long(&backwards).flip([0]);
                        (weight, state) = AdamW::default().step(0.1, weight, grad, state);
                    }
                    for (shared, numbers) in before {
                        assert_eq!(
                            read(shared),
                            numbers,
                            "a weight that is shared is not written"
                        );
                    }
                    read(weight)
                });
                let bits: Vec<u32> = weight.iter().map(|x| x.to_bits()).collect();
                assert!(bits == expected, "{} with {threads} threads", path.name());
            }
        }
    }

    /// A moment shrinks into the subnormal numbers and stays there; its steps are taken another way than others, to the
    /// same bits.
    #[test]
    fn a_unit_that_died_long_ago_steps_as_the_formula_says() {
        let moments: Vec<f32> = [
            1u32, 2, 3, 4, 5, 6, 0x40_0000, 0x7f_ffff, 0x80_0000, 0x80_0001,
        ]
        .into_iter()
        .flat_map(|bits| [bits, bits | 0x8000_0000])
        .chain([0, 0x8000_0000, 0x3f80_0000])
        .map(f32::from_bits)
        .collect();
        let weights = [1.0f32, -3e-12, 1e-12, 1e-30, 0.0, -0.0, f32::INFINITY];
        let grads = [0.0f32, -0.0, 1e-38, 1e-30, 0.3];
        let (mut starts, mut memory, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
        for &m in &moments {
            for &w in &weights {
                for &g in &grads {
                    starts.push(w);
                    memory.push(m);
                    slopes.push(g);
                }
            }
        }
        let len = starts.len();
        for (beta_1, time) in [(0.9f32, 1), (0.9, 400), (0.51, 3), (0.5, 3), (0.3, 9)] {
            let rule = AdamW {
                beta_1,
                ..AdamW::default()
            };
            let long =
                |data: &[f32]| T::from_data(TensorData::new(data.to_vec(), [len]), &ReproDevice);
            for path in Path::available() {
                let (weight, state) = with(Settings::current().with_path(path), || {
                    let momentum =
                        AdaptiveMomentumState::new(time, long(&memory), long(&vec![1e-9; len]));
                    let state = Some(AdamWState::new(momentum));
                    rule.step(0.01, long(&starts), long(&slopes), state)
                });
                let first = read(state.expect("a state").momentum.moment_1);
                for (i, (weight, first)) in read(weight).into_iter().zip(first).enumerate() {
                    let (w, m, g) = (starts[i], memory[i], slopes[i]);
                    let expected_m = m * beta_1 + g * (1.0 - beta_1);
                    let v = 1e-9f32 * 0.999 + (g * g) * (1.0 - 0.999f32);
                    let c1 = (1.0 - power(f64::from(beta_1), time as u64 + 1)) as f32;
                    let c2 = (1.0 - power(f64::from(0.999f32), time as u64 + 1)) as f32;
                    let update = (expected_m / c1) / ((v / c2).sqrt() + 1e-8);
                    let kept = w * (1.0 - 0.01 * f64::from(0.01f32)) as f32;
                    let expected = kept - update * 0.01f64 as f32;
                    let got = [weight.to_bits(), first.to_bits()];
                    let wanted = [expected.to_bits(), expected_m.to_bits()];
                    assert_eq!(got, wanted, "weight {w:e}, moment {m:e}, gradient {g:e}");
                }
            }
        }
    }

    /// A weight after three steps of AdamW at a rate of 0.1, number by number.
    fn by_hand(mut w: f32, grads: [f32; 3]) -> f32 {
        let (mut m, mut v) = (0.0f32, 0.0f32);
        for (step, g) in grads.into_iter().enumerate() {
            let (new_1, new_2) = (g * (1.0 - 0.9f32), (g * g) * (1.0 - 0.999f32));
            m = if step == 0 { new_1 } else { m * 0.9 + new_1 };
            v = if step == 0 { new_2 } else { v * 0.999 + new_2 };
            let c1 = (1.0 - power(f64::from(0.9f32), step as u64 + 1)) as f32;
            let c2 = (1.0 - power(f64::from(0.999f32), step as u64 + 1)) as f32;
            let update = (m / c1) / ((v / c2).sqrt() + 1e-8);
            w = w * (1.0 - 0.1 * f64::from(0.01f32)) as f32 - update * 0.1f64 as f32;
        }
        w
    }

    /// The weights of a module after a backward pass have no other owner, so a step copies none of them.
    #[test]
    fn a_training_step_writes_over_the_weights() {
        use burn::backend::Autodiff;
        use burn::nn::{
            Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
        };
        use burn::optim::{GradientsParams, Optimizer};
        type Training = Autodiff<Repro>;
        #[derive(burn::module::Module, Debug)]
        struct Net<B: burn::tensor::backend::Backend> {
            words: Embedding<B>,
            norm: LayerNorm<B>,
            linear: Linear<B>,
        }
        fn places(net: &Net<Training>) -> Vec<*const f32> {
            let place = |tensor: FlexTensor| tensor.storage::<f32>().as_ptr();
            vec![
                place(floats(net.words.weight.val().inner())),
                place(floats(net.norm.gamma.val().inner())),
                place(floats(net.linear.weight.val().inner())),
            ]
        }
        crate::random::scope(1, crate::random::INIT, || {
            let mut net = Net::<Training> {
                words: EmbeddingConfig::new(5, 32).init(&ReproDevice),
                norm: LayerNormConfig::new(32).init(&ReproDevice),
                linear: LinearConfig::new(32, 16).init(&ReproDevice),
            };
            let tokens = || Tensor::from_data([[0i32, 3, 1]], &ReproDevice);
            let before = places(&net);
            let mut optimiser = AdamW::default().init();
            for _ in 0..2 {
                let x = net.norm.forward(net.words.forward(tokens()));
                let cost = net.linear.forward(x).sum();
                let grads = GradientsParams::from_grads(cost.backward(), &net);
                net = optimiser.step(0.1, net, grads);
                assert_eq!(places(&net), before);
            }
        });
    }

    #[test]
    fn without_decay_a_weight_without_gradient_stays() {
        let still = AdamW {
            weight_decay: 0.0,
            ..AdamW::default()
        };
        assert_eq!(run(3, &still)[2], 3.0);
    }

    #[test]
    fn two_steps_of_descent_are_the_formula() {
        for (momentum, nesterov, decay) in [
            (0.0f32, false, 0.0f32),
            (0.0, false, 0.1),
            (0.9, false, 0.0),
            (0.9, true, 0.1),
        ] {
            let sgd = Sgd {
                momentum,
                nesterov,
                weight_decay: decay,
            };
            let (mut w, mut v) = (0.7f32, 0.0f32);
            let (mut weight, mut velocity) = (tensor([0.7; 4]), None);
            for (step, g) in [0.3f32, -0.2].into_iter().enumerate() {
                (weight, velocity) = sgd.step(0.1, weight, tensor([g; 4]), velocity);
                let g = if decay == 0.0 { g } else { g + w * decay };
                v = if step == 0 { g } else { v * momentum + g };
                let u = match (momentum == 0.0, nesterov) {
                    (true, _) => g,
                    (_, true) => g + v * momentum,
                    (_, false) => v,
                };
                w -= u * 0.1f64 as f32;
                assert_eq!(read(weight.clone())[1].to_bits(), w.to_bits(), "{sgd:?}");
            }
            assert_eq!(velocity.is_some(), momentum != 0.0);
        }
    }

    #[test]
    fn a_power_is_a_power() {
        assert_eq!(power(0.5, 0), 1.0);
        assert_eq!(power(0.5, 10), 1.0 / 1024.0);
        assert_eq!(power(3.0, 5), 243.0);
    }
}
