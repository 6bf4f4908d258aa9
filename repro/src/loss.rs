//! Cross-entropy as one operation, forwards and backwards.
//!
//! Composed of burn's operations it is nine, and each is a node of the graph, a gradient and a handful of allocations: more than
//! half of a small network's step. These have the bits of that composition, gradients included, so which one a training
//! uses cannot be told from its weights.
//!
//! They are for [`Repro`] and for [`Autodiff`] over it; a training names the one or asks for [`CrossEntropy`].

use crate::Repro;
use crate::backend::{float_tensor, indices, own_numbers, view};
use crate::kernels::paths::Settings;
use crate::kernels::softmax::{self, Soft};
use crate::kernels::sum::{mean, sum_axis};
use crate::kernels::view::Axis;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Int, Shape, Tensor, TensorPrimitive};
use burn_flex::FlexTensor;

/// Mean over the rows of what the class of each costs: minus the logarithm of its probability.
///
/// **Shapes.** Logits `[rows, classes]`, classes `[rows]`, to `[1]`. **Order.** Minus the mean of each row's number of
/// [`log_softmax`](softmax) at its class, as burn's `CrossEntropyLoss` composes it without weights, smoothing and padding; its gradient
/// as autodiff composes it.
///
/// # Panics
///
/// If the shapes do not belong together, there is no row, or a class is none of the row's.
pub fn cross_entropy<B: CrossEntropy>(
    logits: Tensor<B, 2>,
    classes: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let loss = B::of_classes(logits.into_primitive().tensor(), classes.into_primitive());
    Tensor::from_primitive(TensorPrimitive::Float(loss))
}

/// What each row costs if its classes have these probabilities: minus the sum of the logarithms of the network's, each
/// times its target. For smoothed labels and for another network's outputs.
///
/// **Shapes.** Logits and targets `[rows, classes]`, to `[rows, 1]`. **Order.** As
/// `(log_softmax(logits, 1) * targets).sum_dim(1).neg()`, its gradient too. The targets get none.
///
/// # Panics
///
/// If the shapes differ, or a row has no class.
pub fn soft_cross_entropy<B: CrossEntropy>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let [logits, targets] = [logits, targets].map(|tensor| tensor.into_primitive().tensor());
    Tensor::from_primitive(TensorPrimitive::Float(B::of_targets(logits, targets)))
}

/// A backend whose cross-entropies are one operation.
pub trait CrossEntropy: Backend {
    /// [`cross_entropy`].
    ///
    /// # Panics
    ///
    /// As there.
    fn of_classes(logits: FloatTensor<Self>, classes: IntTensor<Self>) -> FloatTensor<Self>;

    /// [`soft_cross_entropy`].
    ///
    /// # Panics
    ///
    /// As there.
    fn of_targets(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl CrossEntropy for Repro {
    fn of_classes(logits: FlexTensor, classes: FlexTensor) -> FlexTensor {
        let places = places(&logits, classes);
        let logs = log_softmax(logits);
        let costs: Vec<f32> = places.into_iter().map(|place| logs[place]).collect();
        float_tensor(vec![-mean(&costs)], Shape::new([1]))
    }

    fn of_targets(logits: FlexTensor, targets: FlexTensor) -> FlexTensor {
        let [rows, width] = checked(&logits, &targets);
        let mut products = log_softmax(logits);
        let targets = view(&targets).packed();
        for (log, target) in products.iter_mut().zip(targets.iter()) {
            *log *= target;
        }
        let costs = sum_axis(&products, Axis::of(&[rows, width], 1));
        let costs: Vec<f32> = costs.into_iter().map(|cost| -cost).collect();
        float_tensor(costs, Shape::new([rows, 1]))
    }
}

impl<C: CheckpointStrategy> CrossEntropy for Autodiff<Repro, C> {
    fn of_classes(logits: FloatTensor<Self>, classes: FlexTensor) -> FloatTensor<Self> {
        tracked::<C>(logits, classes, Repro::of_classes, classes_gradient)
    }

    fn of_targets(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        tracked::<C>(
            logits,
            targets.primitive,
            Repro::of_targets,
            targets_gradient,
        )
    }
}

/// Gradient of the logits from logits, classes or targets, and the gradient of the loss.
type Gradient = fn(FlexTensor, FlexTensor, FlexTensor) -> FlexTensor;

/// A loss as one node of the graph.
fn tracked<C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<Repro, C>>,
    wanted: FlexTensor,
    loss: fn(FlexTensor, FlexTensor) -> FlexTensor,
    gradient: Gradient,
) -> FloatTensor<Autodiff<Repro, C>> {
    #[derive(Debug)]
    struct Back(Gradient);

    impl Backward<Repro, 1> for Back {
        type State = [FlexTensor; 2];

        fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
            let upstream = grads.consume::<Repro>(&ops.node);
            let [logits, wanted] = ops.state;
            if let [Some(parent)] = ops.parents {
                grads.register::<Repro>(parent.id, self.0(logits, wanted, upstream));
            }
        }
    }

    let nodes = [logits.node.clone()];
    let logits = logits.primitive;
    match Back(gradient)
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let state = [logits.clone(), wanted.clone()];
            prep.finish(state, loss(logits, wanted))
        }
        OpsKind::UnTracked(prep) => prep.finish(loss(logits, wanted)),
    }
}

/// Gradient of the logits from that of the mean. The mean's gives each row `1/n` rounded times the negated one, the choice of a
/// class adds that to a zero.
fn classes_gradient(logits: FlexTensor, classes: FlexTensor, upstream: FlexTensor) -> FlexTensor {
    let places = places(&logits, classes);
    let upstream = view(&upstream).packed()[0];
    let share = (1.0 / places.len() as f64) as f32 * -upstream;
    let mut choice = vec![0.0; logits.layout().num_elements()];
    for place in places {
        choice[place] += share;
    }
    logits_gradient(logits, &choice)
}

/// Gradient of the logits from those of the rows. The sum's adds each negated one to a zero.
fn targets_gradient(logits: FlexTensor, targets: FlexTensor, upstream: FlexTensor) -> FlexTensor {
    let [_, width] = checked(&logits, &targets);
    let mut products = view(&targets).packed().to_vec();
    let upstream = view(&upstream).packed();
    for (row, upstream) in products.chunks_exact_mut(width).zip(upstream.iter()) {
        let share = 0.0 - upstream;
        row.iter_mut().for_each(|target| *target *= share);
    }
    logits_gradient(logits, &products)
}

fn logits_gradient(mut logits: FlexTensor, upstream: &[f32]) -> FlexTensor {
    let width = logits.layout().shape()[1];
    let numbers = own_numbers(&mut logits);
    softmax::log_softmax_gradient(Settings::current(), numbers, upstream, width);
    logits
}

/// The rows' log-softmax.
fn log_softmax(logits: FlexTensor) -> Vec<f32> {
    let axis = Axis::of(&logits.layout().shape()[..], 1);
    let mut numbers = view(&logits).packed().to_vec();
    softmax::softmax(Settings::current(), &mut numbers, axis, Soft::LogMax);
    numbers
}

/// Where each row's class lies among all the logits.
fn places(logits: &FlexTensor, classes: FlexTensor) -> Vec<usize> {
    let shape = logits.layout().shape();
    let (rows, width) = (shape[0], shape[1]);
    let classes = indices(classes);
    assert!(
        rows > 0 && classes.len() == rows,
        "repro: {} classes for {rows} rows of logits: each row has one, and there is a row",
        classes.len()
    );
    let place = |(row, class): (usize, i64)| {
        let class = usize::try_from(class).ok().filter(|&class| class < width);
        row * width + class.unwrap_or_else(|| panic!("repro: a class outside the {width} logits"))
    };
    classes.into_iter().enumerate().map(place).collect()
}

/// The shape of logits and targets.
fn checked(logits: &FlexTensor, targets: &FlexTensor) -> [usize; 2] {
    let [shape, other] = [logits, targets].map(|tensor| tensor.layout().shape().clone());
    assert!(
        shape[..] == other[..] && shape[1] > 0,
        "repro: targets of shape {other:?} for logits of shape {shape:?}: one of each class of each row"
    );
    [shape[0], shape[1]]
}
