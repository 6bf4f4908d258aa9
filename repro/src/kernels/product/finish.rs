//! What is done to the elements of a product after their chains.

use crate::kernels::simd::Simd;
use crate::kernels::unary::{Gelu, over};
use std::ops::Range;

/// What is done to each element after its chain.
#[derive(Clone, Copy, Debug, Default)]
pub enum Finish<'a> {
    /// Nothing.
    #[default]
    Plain,
    /// The column's bias is added.
    Bias(&'a [f32]),
    /// The column's bias is added; what is then at most zero becomes +0.0. A NaN stays.
    BiasRelu(&'a [f32]),
    /// The column's bias is added, then [`gelu`](crate::kernels::elementary::gelu) taken.
    BiasGelu(&'a [f32]),
}

impl<'a> Finish<'a> {
    pub(super) fn bias(&self) -> Option<&'a [f32]> {
        match self {
            Finish::Plain => None,
            Finish::Bias(bias) | Finish::BiasRelu(bias) | Finish::BiasGelu(bias) => Some(bias),
        }
    }

    /// Whether nothing is left to do once the bias has been added, or not.
    pub(super) fn is_done(&self, is_biased: bool) -> bool {
        match self {
            Finish::Plain => true,
            Finish::Bias(_) => is_biased,
            Finish::BiasRelu(_) | Finish::BiasGelu(_) => false,
        }
    }

    /// Does it to some columns of a row, of which the first have their bias already.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(&self, row: &mut [f32], columns: Range<usize>, biased: usize) {
        let Some(bias) = self.bias() else { return };
        let bias = &bias[columns];
        for (x, bias) in row[biased..].iter_mut().zip(&bias[biased..]) {
            *x += bias;
        }
        match self {
            Finish::Plain | Finish::Bias(_) => {}
            Finish::BiasRelu(_) => {
                for x in row {
                    *x = if *x <= 0.0 { 0.0 } else { *x };
                }
            }
            Finish::BiasGelu(_) => {
                over::<S::Fma, Gelu>(row);
            }
        }
    }
}
