//! Weights that are packed once: for evaluation, where the same ones multiply every batch.
//!
//! A product copies its right factor into the order in which it is read. With few rows that copy costs as much as a
//! quarter of the product, and a model's weights are the same in every call; a convolution copies its weights likewise.
//! Inside a scope, each weight of a linear map or a convolution is packed when it is first used. [`Kept`] belongs to a
//! model that is loaded and has a scope for each use of it; [`kept`] is one scope, for a job.
//!
//! It costs the memory of the weights once more, and it is for weights that stay: a scope around training would pack
//! every version of every weight.

use crate::kernels::paths::Path;
use burn_flex::FlexTensor;
use std::any::Any;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

/// The packed weights of one model, from their first use until this is dropped. Clones share them.
#[derive(Clone, Default)]
pub struct Kept {
    weights: Arc<Mutex<Vec<Weight>>>,
}

impl Kept {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `job`, on this thread, with the weights it uses packed here. In a scope inside another one the inner one
    /// keeps.
    pub fn during<R>(&self, job: impl FnOnce() -> R) -> R {
        struct End(Option<Kept>);
        impl Drop for End {
            fn drop(&mut self) {
                KEPT.set(self.0.take());
            }
        }
        let _end = End(KEPT.replace(Some(self.clone())));
        job()
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// Runs `job`, on this thread, with weights packed once; inside another scope, by that one.
pub fn kept<R>(job: impl FnOnce() -> R) -> R {
    if KEPT.with_borrow(Option::is_some) {
        return job();
    }
    Kept::new().during(job)
}

/// What a weight is packed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// To be the right factor of a product.
    Product,
    /// A convolution's output, in so many groups.
    Convolution(usize),
    /// A transposed convolution's output, in so many groups.
    Transposed(usize),
}

/// A weight and its packed form. The tensor is held, so its storage is neither freed nor written while this lives: an
/// equal address is the same numbers.
struct Weight {
    tensor: FlexTensor,
    path: Path,
    used: Use,
    packed: Arc<dyn Any + Send + Sync>,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// The weight packed for this path and use, inside a scope; `pack` does it the first time, and gives for one use always
/// one type.
pub(crate) fn find<P: Any + Send + Sync>(
    tensor: &FlexTensor,
    path: Path,
    used: Use,
    pack: impl FnOnce() -> P,
) -> Option<Arc<P>> {
    let kept = KEPT.with_borrow(Clone::clone)?;
    let mut weights = kept.weights.lock().unwrap_or_else(PoisonError::into_inner);
    let found = weights.iter().find(|weight| {
        weight.path == path
            && weight.used == used
            && std::ptr::eq(weight.tensor.bytes(), tensor.bytes())
            && weight.tensor.layout() == tensor.layout()
    });
    let packed = match found {
        Some(weight) => Arc::clone(&weight.packed),
        None => {
            let packed: Arc<dyn Any + Send + Sync> = Arc::new(pack());
            weights.push(Weight {
                tensor: tensor.clone(),
                path,
                used,
                packed: Arc::clone(&packed),
            });
            packed
        }
    };
    Some(packed.downcast().expect("one type a use"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repro, ReproDevice};
    use burn::tensor::module::{conv_transpose2d, conv2d, linear};
    use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
    use burn::tensor::{Tensor, TensorData};

    fn tensor(rows: usize, columns: usize, shift: f32) -> Tensor<Repro, 2> {
        let numbers = (0..rows * columns).map(|i| (i * 7919 % 1013) as f32 * 0.01 - shift);
        let data = TensorData::new(numbers.collect::<Vec<f32>>(), [rows, columns]);
        Tensor::from_data(data, &ReproDevice)
    }

    fn bits(x: Tensor<Repro, 2>) -> Vec<u32> {
        let numbers: Vec<f32> = x.into_data().to_vec().expect("numbers");
        numbers.into_iter().map(f32::to_bits).collect()
    }

    fn count() -> usize {
        KEPT.with_borrow(|kept| {
            let weights = kept
                .as_ref()
                .map(|kept| kept.weights.lock().expect("whole"));
            weights.map_or(0, |weights| weights.len())
        })
    }

    #[test]
    fn a_kept_weight_is_packed_once_and_gives_the_same_bits() {
        let (x, w) = (tensor(5, 33, 4.0), tensor(33, 70, 5.0));
        let turned = tensor(70, 33, 3.0).transpose();
        let plain = [&w, &turned].map(|w| bits(linear(x.clone(), w.clone(), None)));
        kept(|| {
            for _ in 0..3 {
                let now = [&w, &turned].map(|w| bits(linear(x.clone(), w.clone(), None)));
                assert_eq!(now, plain);
            }
            assert_eq!(count(), 2);
        });
        assert_eq!(count(), 0);
    }

    #[test]
    fn what_is_kept_for_a_model_is_packed_once_whichever_threads_use_it() {
        let (x, w) = (tensor(5, 33, 4.0), tensor(33, 70, 5.0));
        let plain = bits(linear(x.clone(), w.clone(), None));
        let model = Kept::new();
        let run = || {
            let now = model.during(|| kept(|| bits(linear(x.clone(), w.clone(), None))));
            assert_eq!(now, plain);
        };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(run);
            }
        });
        run();
        assert_eq!(model.during(count), 1);
        assert_eq!(count(), 0);
        // A scope inside another one keeps for itself, and the outer one goes on after it.
        let (outer, inner) = (Kept::new(), Kept::new());
        let other = tensor(33, 20, 1.0);
        outer.during(|| {
            inner.during(|| linear(x.clone(), w.clone(), None));
            assert_eq!(count(), 0);
            linear(x.clone(), other, None);
            assert_eq!(count(), 1);
        });
        assert_eq!(inner.during(count), 1);
    }

    #[test]
    fn a_convolution_keeps_its_weights_for_each_use() {
        let draw = |shape: [usize; 4]| {
            let rows = shape[0] * shape[1];
            tensor(rows, shape[2] * shape[3], 2.5).reshape(shape)
        };
        let (x, w) = (draw([2, 6, 9, 8]), draw([6, 6, 3, 2]));
        let grouped = w.clone().slice([0..6, 0..3]);
        let all = || {
            let plain = ConvOptions::new([1, 2], [1, 0], [1, 1], 1);
            let two = ConvOptions::new([2, 1], [0, 1], [1, 2], 2);
            let back = ConvTransposeOptions::new([2, 2], [1, 0], [1, 0], [1, 1], 1);
            let apart = ConvTransposeOptions::new([2, 2], [1, 0], [1, 0], [1, 1], 2);
            [
                conv2d(x.clone(), w.clone(), None, plain),
                conv2d(x.clone(), grouped.clone(), None, two),
                conv_transpose2d(x.clone(), w.clone(), None, back),
                conv_transpose2d(x.clone(), w.clone(), None, apart),
            ]
            .map(|out| bits(out.flatten(1, 3)))
        };
        let expected = all();
        let model = Kept::new();
        for _ in 0..2 {
            assert_eq!(model.during(all), expected);
            assert_eq!(model.during(count), 4);
        }
    }

    #[test]
    fn a_weight_that_changes_is_another_weight() {
        let x = tensor(3, 8, 0.5);
        kept(|| {
            let mut w = tensor(8, 40, 1.0);
            for _ in 0..3 {
                let now = bits(linear(x.clone(), w.clone(), None));
                let fresh = w.clone().into_data();
                let fresh = Tensor::<Repro, 2>::from_data(fresh, &ReproDevice);
                assert_eq!(now, bits(x.clone().matmul(fresh)));
                w = w + 1.0;
            }
        });
    }

    #[test]
    fn a_scope_ends_with_a_panic_too() {
        let caught = std::panic::catch_unwind(|| kept(|| panic!("out")));
        assert!(caught.is_err());
        assert_eq!(count(), 0);
        assert!(KEPT.with_borrow(Option::is_none));
    }
}
