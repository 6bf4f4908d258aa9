//! A step of an optimiser over a parameter, its gradient and what is remembered of it, in one pass over memory.
//!
//! **Shapes.** Slices of one length, in any order that they share. **Order.** Elementwise: each number goes through the
//! operations of [`AdamW`] or [`Sgd`] in the order written there, each rounded. Threads take stretches.

use super::Parts;
use super::paths::Settings;
use super::pool;
use super::simd::{Kernel, Simd};

/// Numbers of a task: a stretch whose four streams fit a core's own cache.
const STRETCH: usize = 1 << 14;

/// The scalars of a step of AdamW.
///
/// **Order.** `m = m·β₁ + g·r₁`, `v = v·β₂ + (g·g)·r₂`, without the first term if it is the first step;
/// `u = (m / c₁) / (√(v / c₂) + ε)`; `w = w·keep − u·rate`, without `keep` if there is none.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// β, decay of the moments.
    pub betas: [f32; 2],
    /// r, what the gradient and its square are multiplied by.
    pub rests: [f32; 2],
    /// c, what corrects the moments' start at zero.
    pub corrections: [f32; 2],
    /// ε, added to the root.
    pub epsilon: f32,
    /// The learning rate.
    pub rate: f32,
    /// What the weight is multiplied by, with weight decay.
    pub keep: Option<f32>,
    /// Whether nothing is remembered yet.
    pub is_first: bool,
}

/// The scalars of a step of stochastic gradient descent.
///
/// **Order.** `g = g + w·decay`, without it if there is none; `v = v·μ + g`, `v = g` if it is the first step;
/// `u = g + v·μ` with a look-ahead, else `u = v`; `w = w − u·rate`. Without momentum `u = g`.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    /// Weight decay, if there is any.
    pub decay: Option<f32>,
    /// μ.
    pub momentum: f32,
    /// Whether the step looks ahead along the momentum.
    pub is_nesterov: bool,
    /// The learning rate.
    pub rate: f32,
    /// Whether nothing is remembered yet.
    pub is_first: bool,
}

/// A step of AdamW: new weights over the old ones, new moments over the old ones.
///
/// **Shapes.** `[n]` each. **Order.** As [`AdamW`].
///
/// # Panics
///
/// If the lengths differ.
pub fn adamw(
    settings: Settings,
    rule: AdamW,
    grad: &[f32],
    weight: &mut [f32],
    [first, second]: [&mut [f32]; 2],
) {
    let len = grad.len();
    assert!(
        [weight.len(), first.len(), second.len()] == [len; 3],
        "repro: a step needs a weight, a gradient and two moments of one shape"
    );
    let parts = [weight, first, second].map(|numbers| Parts::new(numbers, STRETCH));
    pool::run(threads(settings, len), parts[0].count(), |index| {
        let grad = &grad[index * STRETCH..len.min((index + 1) * STRETCH)];
        // SAFETY: each task takes parts of its own.
        let [weight, first, second] = [0, 1, 2].map(|which| unsafe { parts[which].get(index) });
        settings
            .path
            .run(AdamWStep(rule, grad, weight, first, second));
    });
}

/// A step of stochastic gradient descent; the velocity is left alone if there is no momentum.
///
/// **Shapes.** `[n]` each, the velocity `[0]` without momentum. **Order.** As [`Sgd`].
///
/// # Panics
///
/// If the lengths differ.
pub fn sgd(settings: Settings, rule: Sgd, grad: &[f32], weight: &mut [f32], velocity: &mut [f32]) {
    let len = grad.len();
    let has_momentum = rule.momentum != 0.0;
    assert!(
        weight.len() == len && (!has_momentum || velocity.len() == len),
        "repro: a step needs a weight, a gradient and a velocity of one shape"
    );
    let weights = Parts::new(weight, STRETCH);
    let velocities = Parts::new(velocity, STRETCH);
    pool::run(threads(settings, len), weights.count(), |index| {
        let grad = &grad[index * STRETCH..len.min((index + 1) * STRETCH)];
        // SAFETY: each task takes parts of its own.
        let weight = unsafe { weights.get(index) };
        if has_momentum {
            // SAFETY: as above.
            let velocity = unsafe { velocities.get(index) };
            settings.path.run(SgdStep(rule, grad, weight, velocity));
        } else {
            settings.path.run(PlainStep(rule, grad, weight));
        }
    });
}

fn threads(settings: Settings, len: usize) -> usize {
    if len < 4 * STRETCH {
        1
    } else {
        settings.threads
    }
}

struct AdamWStep<'a>(
    AdamW,
    &'a [f32],
    &'a mut [f32],
    &'a mut [f32],
    &'a mut [f32],
);

impl Kernel for AdamWStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // Choices are made outside the loops, so that each loop is one stretch of vector code.
        match (self.0.is_first, self.0.keep) {
            (false, Some(keep)) => adamw_loop::<false, true>(self, keep),
            (false, None) => adamw_loop::<false, false>(self, 1.0),
            (true, Some(keep)) => adamw_loop::<true, true>(self, keep),
            (true, None) => adamw_loop::<true, false>(self, 1.0),
        }
    }
}

#[inline(always)]
fn adamw_loop<const IS_FIRST: bool, const IS_KEPT: bool>(step: AdamWStep, keep: f32) {
    let AdamWStep(rule, grad, weight, first, second) = step;
    let [beta_1, beta_2] = rule.betas;
    let [rest_1, rest_2] = rule.rests;
    let [correction_1, correction_2] = rule.corrections;
    let moments = first.iter_mut().zip(second);
    for ((&g, w), (m, v)) in grad.iter().zip(weight).zip(moments) {
        let (new_1, new_2) = (g * rest_1, (g * g) * rest_2);
        *m = if IS_FIRST { new_1 } else { *m * beta_1 + new_1 };
        *v = if IS_FIRST { new_2 } else { *v * beta_2 + new_2 };
        let update = (*m / correction_1) / ((*v / correction_2).sqrt() + rule.epsilon);
        let kept = if IS_KEPT { *w * keep } else { *w };
        *w = kept - update * rule.rate;
    }
}

struct SgdStep<'a>(Sgd, &'a [f32], &'a mut [f32], &'a mut [f32]);

impl Kernel for SgdStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        match (self.0.is_first, self.0.is_nesterov) {
            (false, false) => sgd_loop::<false, false>(self),
            (false, true) => sgd_loop::<false, true>(self),
            (true, false) => sgd_loop::<true, false>(self),
            (true, true) => sgd_loop::<true, true>(self),
        }
    }
}

#[inline(always)]
fn sgd_loop<const IS_FIRST: bool, const IS_NESTEROV: bool>(step: SgdStep) {
    let SgdStep(rule, grad, weight, velocity) = step;
    for ((&g, w), v) in grad.iter().zip(weight).zip(velocity) {
        let g = match rule.decay {
            Some(decay) => g + *w * decay,
            None => g,
        };
        *v = if IS_FIRST { g } else { *v * rule.momentum + g };
        let update = if IS_NESTEROV {
            g + *v * rule.momentum
        } else {
            *v
        };
        *w -= update * rule.rate;
    }
}

struct PlainStep<'a>(Sgd, &'a [f32], &'a mut [f32]);

impl Kernel for PlainStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let PlainStep(rule, grad, weight) = self;
        for (&g, w) in grad.iter().zip(weight) {
            let g = match rule.decay {
                Some(decay) => g + *w * decay,
                None => g,
            };
            *w -= g * rule.rate;
        }
    }
}
