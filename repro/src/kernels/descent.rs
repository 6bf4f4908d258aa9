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

/// Numbers that are looked at together for subnormal moments.
const LOOK: usize = 256;

#[inline(always)]
fn adamw_loop<const IS_FIRST: bool, const IS_KEPT: bool>(step: AdamWStep, keep: f32) {
    let AdamWStep(rule, grad, weight, first, second) = step;
    let may_fade = hides_faded(rule);
    // Dividing by one changes nothing, and costs as much as a third of the step.
    let is_corrected = rule.corrections[0] == 1.0;
    let all = grad.chunks(LOOK).zip(weight.chunks_mut(LOOK));
    let moments = first.chunks_mut(LOOK).zip(second.chunks_mut(LOOK));
    for ((grad, weight), (first, second)) in all.zip(moments) {
        let numbers = (grad, weight, first, second);
        if !IS_FIRST && may_fade && has_faded(numbers.2) {
            adamw_stretch::<IS_FIRST, IS_KEPT, true, false>(rule, keep, numbers);
        } else if is_corrected {
            adamw_stretch::<IS_FIRST, IS_KEPT, false, true>(rule, keep, numbers);
        } else {
            adamw_stretch::<IS_FIRST, IS_KEPT, false, false>(rule, keep, numbers);
        }
    }
}

type Numbers<'a> = (&'a [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32]);

#[inline(always)]
fn adamw_stretch<
    const IS_FIRST: bool,
    const IS_KEPT: bool,
    const HAS_FADED: bool,
    const IS_CORRECTED: bool,
>(
    rule: AdamW,
    keep: f32,
    (grad, weight, first, second): Numbers,
) {
    let [beta_1, beta_2] = rule.betas;
    let [rest_1, rest_2] = rule.rests;
    let [correction_1, correction_2] = rule.corrections;
    let moments = first.iter_mut().zip(second);
    for ((&g, w), (m, v)) in grad.iter().zip(weight).zip(moments) {
        let is_faded = HAS_FADED && fades(g, *w, *m);
        let remembered = if is_faded { 0.0 } else { *m };
        let (new_1, new_2) = (g * rest_1, (g * g) * rest_2);
        let moment = if IS_FIRST {
            new_1
        } else {
            remembered * beta_1 + new_1
        };
        *v = if IS_FIRST { new_2 } else { *v * beta_2 + new_2 };
        let numerator = if IS_CORRECTED {
            moment
        } else {
            moment / correction_1
        };
        let update = numerator / ((*v / correction_2).sqrt() + rule.epsilon);
        let kept = if IS_KEPT { *w * keep } else { *w };
        *w = kept - update * rule.rate;
        *m = if is_faded { faded(*m, beta_1) } else { moment };
    }
}

/// Whether a moment is subnormal. The moment of a unit that is dead shrinks until rounding holds it at some steps
/// above zero, and there it stays; a processor takes a hundred times as long for each operation on it.
#[inline(always)]
fn has_faded(moments: &[f32]) -> bool {
    let mut any = 0u32;
    for m in moments {
        any |= u32::from(is_subnormal(*m));
    }
    any != 0
}

#[inline(always)]
fn is_subnormal(x: f32) -> bool {
    (x.to_bits() & 0x7fff_ffff).wrapping_sub(1) < 0x007f_ffff
}

/// Whether the step of a subnormal moment without a gradient is a multiplication by β above ½ and its update cannot be seen in a
/// [heavy](fades) weight. The new moment is at most 2⁻¹²⁶, so the update is at most 2⁻¹²⁶ / (c₁ ε) times the rate, but
/// for three roundings; the kept weight is at least 2⁻⁴¹, and what is below 2⁻²⁶ of it is lost in rounding.
fn hides_faded(rule: AdamW) -> bool {
    let [correction, epsilon] = [rule.corrections[0], rule.epsilon].map(f64::from);
    let update = f64::from(f32::MIN_POSITIVE) / (correction * epsilon);
    let is_lost = update * f64::from(rule.rate).abs() < f64::from_bits((1023 - 68) << 52);
    let is_kept = rule.keep.is_none_or(|keep| (0.5..=1.0).contains(&keep));
    let is_shrinking = rule.betas[0] > 0.5 && rule.betas[0] <= 1.0;
    is_lost && is_kept && is_shrinking && correction > 0.0 && epsilon > 0.0
}

/// Whether this moment takes the way of [`faded`]: subnormal, no gradient, and a weight of at least 2⁻⁴⁰.
#[inline(always)]
fn fades(g: f32, w: f32, m: f32) -> bool {
    let is_heavy = (w.to_bits() & 0x7fff_ffff) >= 0x2b80_0000;
    is_subnormal(m) & (g == 0.0) & is_heavy
}

/// A subnormal moment times β above ½, rounded to a multiple of 2⁻¹⁴⁹ as ever, but by whole numbers: the product of the
/// multiple and β is exact in binary64, and adding 1.5 · 2⁵² rounds it to a whole number, ties to even.
#[inline(always)]
fn faded(m: f32, beta: f32) -> f32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let multiple = (m.to_bits() & 0x007f_ffff) as i32;
    let rounded = f64::from(multiple) * f64::from(beta) + ROUND;
    f32::from_bits(rounded.to_bits() as u32 & 0x7fff_ffff | m.to_bits() & 0x8000_0000)
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
