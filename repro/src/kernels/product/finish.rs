//! What is done to the elements of a product after their chains.

use crate::kernels::elementary::gelu;
use crate::kernels::simd::Simd;
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
    /// The column's bias is added, then [`gelu`] taken.
    BiasGelu(&'a [f32]),
}

impl<'a> Finish<'a> {
    pub(super) fn bias(&self) -> Option<&'a [f32]> {
        match self {
            Finish::Plain => None,
            Finish::Bias(bias) | Finish::BiasRelu(bias) | Finish::BiasGelu(bias) => Some(bias),
        }
    }

    /// Does it to some columns of a row.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(&self, row: &mut [f32], columns: Range<usize>) {
        let Some(bias) = self.bias() else { return };
        let bias = &bias[columns];
        for (x, bias) in row.iter_mut().zip(bias) {
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
                for x in row {
                    *x = gelu::<S::Fma>(*x);
                }
            }
        }
    }
}
