//! A module whose weights exist.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Draws every weight now and in order; burn draws them at first access.
pub fn drawn<B: Backend, M: Module<B>>(model: M) -> M {
    struct Touch;
    impl<B: Backend> ModuleMapper<B> for Touch {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let _drawn = param.val();
            param
        }
    }
    model.map(&mut Touch)
}
