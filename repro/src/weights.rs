//! Weights that are packed once: for evaluation, where the same ones multiply every batch.
//!
//! A product copies its right factor into the order in which it is read. With few rows that copy costs as much as a
//! quarter of the product, and a model's weights are the same in every call. Inside [`kept`], each weight of a `linear`
//! is packed when it first multiplies, and kept until the scope ends.
//!
//! It costs the memory of the weights once more, and it is for weights that stay: a scope around training would pack
//! every version of every weight.

use crate::backend::matrix;
use crate::kernels::paths::Path;
use crate::kernels::product::Packed;
use burn_flex::FlexTensor;
use std::cell::RefCell;
use std::rc::Rc;

/// Runs `job`, on this thread, with weights packed once. Scopes nest; the outermost one keeps.
pub fn kept<R>(job: impl FnOnce() -> R) -> R {
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            if self.0 {
                KEPT.set(None);
            }
        }
    }
    let begins = KEPT.with_borrow_mut(|kept| {
        let begins = kept.is_none();
        kept.get_or_insert_default();
        begins
    });
    let _end = End(begins);
    job()
}

/// A weight and its packed form. The tensor is held, so its storage is neither freed nor written while this lives: an
/// equal address is the same numbers.
struct Weight {
    tensor: FlexTensor,
    packed: Rc<Packed>,
}

thread_local! {
    static KEPT: RefCell<Option<Vec<Weight>>> = const { RefCell::new(None) };
}

/// The weight packed for this path, inside a scope.
pub(crate) fn find(tensor: &FlexTensor, path: Path) -> Option<Rc<Packed>> {
    KEPT.with_borrow_mut(|kept| {
        let kept = kept.as_mut()?;
        let found = kept.iter().find(|weight| {
            weight.packed.path() == path
                && std::ptr::eq(weight.tensor.bytes(), tensor.bytes())
                && weight.tensor.layout() == tensor.layout()
        });
        if let Some(weight) = found {
            return Some(Rc::clone(&weight.packed));
        }
        let packed = Rc::new(Packed::new(path, matrix(tensor)));
        kept.push(Weight {
            tensor: tensor.clone(),
            packed: Rc::clone(&packed),
        });
        Some(packed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repro, ReproDevice};
    use burn::tensor::module::linear;
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
        KEPT.with_borrow(|kept| kept.as_ref().map_or(0, Vec::len))
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
