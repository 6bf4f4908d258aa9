//! AdamW and stochastic gradient descent with every step written down.
//!
//! burn's own AdamW computes its bias corrections with the platform's `f32::powi`, whose precision is
//! unspecified; one bit there moves every weight. This is the same optimiser (Loshchilov and Hutter,
//! "Decoupled weight decay regularization", 2019) with that one thing defined, and the same state, so a record of one is a record of the other.

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, SimpleOptimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

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
    pub fn init<B: AutodiffBackend, M: AutodiffModule<B>>(&self) -> OptimizerAdaptor<AdamW, M, B> {
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
    /// The weights after a step, and the velocity `v` for the next one.
    ///
    /// **Shapes.** All of one shape.
    pub fn step<B: Backend, const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        velocity: Option<Tensor<B, D>>,
    ) -> (Tensor<B, D>, Option<Tensor<B, D>>) {
        let grad = if self.weight_decay == 0.0 {
            grad
        } else {
            grad + tensor.clone().mul_scalar(self.weight_decay)
        };
        if self.momentum == 0.0 {
            return (tensor - grad.mul_scalar(lr as f32), None);
        }
        let velocity = match velocity {
            None => grad.clone(),
            Some(velocity) => velocity.mul_scalar(self.momentum) + grad.clone(),
        };
        let update = if self.nesterov {
            grad + velocity.clone().mul_scalar(self.momentum)
        } else {
            velocity.clone()
        };
        (tensor - update.mul_scalar(lr as f32), Some(velocity))
    }
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

impl<B: Backend> SimpleOptimizer<B> for AdamW {
    type State<const D: usize> = AdamWState<B, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let new_1 = grad.clone().mul_scalar(1.0 - self.beta_1);
        let new_2 = (grad.clone() * grad).mul_scalar(1.0 - self.beta_2);
        let momentum = match state {
            None => AdaptiveMomentumState::new(1, new_1, new_2),
            Some(AdamWState { momentum }) => AdaptiveMomentumState::new(
                momentum.time + 1,
                momentum.moment_1.mul_scalar(self.beta_1) + new_1,
                momentum.moment_2.mul_scalar(self.beta_2) + new_2,
            ),
        };
        let first = momentum
            .moment_1
            .clone()
            .div_scalar(Self::correction(self.beta_1, momentum.time));
        let second = momentum
            .moment_2
            .clone()
            .div_scalar(Self::correction(self.beta_2, momentum.time));
        let update = first / second.sqrt().add_scalar(self.epsilon);
        let decay = lr * f64::from(self.weight_decay);
        let kept = if decay == 0.0 {
            tensor
        } else {
            tensor.mul_scalar((1.0 - decay) as f32)
        };
        let moved = kept - update.mul_scalar(lr as f32);
        (moved, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(mut state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repro, ReproDevice};
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
