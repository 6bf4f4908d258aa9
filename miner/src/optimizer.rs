//! The optimiser of a model's parameters, with a state that can be read and put back.
//!
//! **Order.** Parameters in the model's order of declaration. If the recipe clips, the norm of all gradients is taken first: the
//! squares of each, flattened row-major as the model has it (a linear layer's weight is `[inputs, outputs]`), are summed by `repro`'s rule in binary32, these sums added in the parameters' order in
//! binary64, and the root taken; if it is above the limit, every gradient is multiplied by `limit / norm`, rounded to
//! binary32. Then each parameter takes its step ([`AdamW`], [`Sgd`]).

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWState, AdaptiveMomentumState, GradientsParams, SimpleOptimizer};
use burn::tensor::Tensor;
use models::Model;
use repro::Repro;
use repro::optim::{AdamW, Sgd};

use crate::fit::Training;
use crate::recipe::{OptimizerKind, TrainRecipe};

/// A parameter, its gradient or a moment, flattened.
type Flat = Tensor<Repro, 1>;

/// What an optimiser remembers of one parameter: AdamW's two moments, SGD's velocity.
pub(crate) type Moments = Vec<Flat>;

/// An optimiser at work.
#[derive(Debug)]
pub(crate) struct Optimizer {
    rule: Rule,
    clip_norm: f64,
    steps: usize,
    moments: Vec<Moments>,
}

#[derive(Debug)]
enum Rule {
    AdamW(AdamW),
    Sgd(Sgd),
}

impl Optimizer {
    /// The optimiser of a recipe, before the first step.
    pub(crate) fn new(recipe: &TrainRecipe) -> Self {
        let weight_decay = recipe.weight_decay as f32;
        let rule = match recipe.optimizer {
            OptimizerKind::AdamW => Rule::AdamW(AdamW {
                beta_1: recipe.beta_1 as f32,
                beta_2: recipe.beta_2 as f32,
                epsilon: recipe.epsilon as f32,
                weight_decay,
            }),
            OptimizerKind::Sgd => Rule::Sgd(Sgd {
                momentum: recipe.momentum as f32,
                nesterov: recipe.nesterov,
                weight_decay,
            }),
        };
        Self {
            rule,
            clip_norm: recipe.clip_norm,
            steps: 0,
            moments: Vec::new(),
        }
    }

    /// What it remembers: of each parameter in order, nothing before the first step.
    pub(crate) fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Goes on from what another remembered after so many steps.
    pub(crate) fn restore(&mut self, steps: u64, moments: Vec<Moments>) {
        self.steps = steps as usize;
        self.moments = moments;
    }

    /// Moments of one parameter.
    pub(crate) fn moments_each(&self) -> usize {
        match &self.rule {
            Rule::AdamW(_) => 2,
            Rule::Sgd(sgd) => usize::from(sgd.momentum != 0.0),
        }
    }

    /// The model after a step.
    pub(crate) fn step(
        &mut self,
        rate: f64,
        model: Model<Training>,
        grads: GradientsParams,
    ) -> Model<Training> {
        let mut gather = Gather {
            grads,
            flat: Vec::new(),
        };
        model.visit(&mut gather);
        let grads = clipped(self.clip_norm, gather.flat);
        let before = std::mem::take(&mut self.moments);
        let first = before.is_empty();
        let mut moments = before.into_iter();
        let mut grads = grads.into_iter();
        let steps = self.steps;
        let rule = &self.rule;
        let mut after = Vec::new();
        let mut mapper = Step(|weight: Flat| {
            let grad = grads.next().expect("a gradient was gathered for each");
            let state = moments.next().unwrap_or_default();
            let (weight, state) = step(rule, rate, weight, grad, state, steps);
            after.push(state);
            weight
        });
        let model = model.map(&mut mapper);
        debug_assert!(first || moments.next().is_none());
        self.moments = after;
        self.steps += 1;
        model
    }
}

fn step(
    rule: &Rule,
    rate: f64,
    weight: Flat,
    grad: Flat,
    state: Moments,
    steps: usize,
) -> (Flat, Moments) {
    let mut state = state.into_iter();
    match rule {
        Rule::AdamW(rule) => {
            let state = state.next().zip(state.next()).map(|(first, second)| {
                AdamWState::new(AdaptiveMomentumState::new(steps, first, second))
            });
            let (weight, state) = SimpleOptimizer::<Repro>::step(rule, rate, weight, grad, state);
            let momentum = state.expect("AdamW has a state after a step").momentum;
            (weight, vec![momentum.moment_1, momentum.moment_2])
        }
        Rule::Sgd(rule) => {
            let (weight, velocity) = rule.step(rate, weight, grad, state.next());
            (weight, velocity.into_iter().collect())
        }
    }
}

fn clipped(limit: f64, grads: Vec<Flat>) -> Vec<Flat> {
    if limit == 0.0 {
        return grads;
    }
    let squares = |grad: &Flat| (grad.clone() * grad.clone()).sum().into_scalar();
    let norm = grads
        .iter()
        .map(|grad| f64::from(squares(grad)))
        .sum::<f64>()
        .sqrt();
    if norm <= limit {
        return grads;
    }
    let scale = (limit / norm) as f32;
    grads
        .into_iter()
        .map(|grad| grad.mul_scalar(scale))
        .collect()
}

/// Takes the gradients out in the order of the parameters.
struct Gather {
    grads: GradientsParams,
    flat: Vec<Flat>,
}

impl ModuleVisitor<Training> for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Training, D>>) {
        let grad = self.grads.remove::<Repro, D>(param.id);
        let grad = grad.expect("every parameter of a model takes part in its loss");
        self.flat.push(flat(grad));
    }
}

fn flat<const D: usize>(tensor: Tensor<Repro, D>) -> Flat {
    let len = tensor.shape().num_elements();
    tensor.reshape([len])
}

/// Replaces each parameter, flattened, by what a function makes of it.
struct Step<F>(F);

impl<F: FnMut(Flat) -> Flat> ModuleMapper<Training> for Step<F> {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Training, D>>,
    ) -> Param<Tensor<Training, D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let stepped = (self.0)(flat(tensor.inner())).reshape(shape);
        let tensor = Tensor::from_inner(stepped).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
