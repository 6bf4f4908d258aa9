//! Layer norm over the last axis, fused: the bits are those of the operations one after the other.
//!
//! **Order.** `mean` is the [sum](super::sum) of the row divided by the count; `c = x − mean`; `variance` is the sum of `c · c`
//! divided by the count; `d = √(variance + epsilon)`; the output is `(c / d) · gamma`, then `+ beta`.

use super::simd::{Kernel, Simd};
use super::sum::{sum_row, sum_squares};

/// What a row is scaled and shifted by.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// Scale of each place of a row.
    pub gamma: &'a [f32],
    /// Shift of each place of a row.
    pub beta: Option<&'a [f32]>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl<'a> LayerNorm<'a> {
    /// The kernel that normalises rows in place.
    ///
    /// **Shapes.** `x` is `[rows, n]`, gamma and beta `[n]`. **Order.** As in the module's head.
    pub(crate) fn over(self, x: &'a mut [f32]) -> impl Kernel<Output = ()> + 'a {
        Rows { norm: self, x }
    }
}

struct Rows<'a> {
    norm: LayerNorm<'a>,
    x: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let LayerNorm {
            gamma,
            beta,
            epsilon,
        } = self.norm;
        let len = gamma.len();
        let count = len as f32;
        for row in self.x.chunks_exact_mut(len.max(1)) {
            let mean = sum_row(row) / count;
            for x in row.iter_mut() {
                *x -= mean;
            }
            let variance = sum_squares(row) / count;
            let deviation = (variance + epsilon).sqrt();
            match beta {
                Some(beta) => {
                    for ((x, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
                        *x = *x / deviation * gamma + beta;
                    }
                }
                None => {
                    for (x, gamma) in row.iter_mut().zip(gamma) {
                        *x = *x / deviation * gamma;
                    }
                }
            }
        }
    }
}
