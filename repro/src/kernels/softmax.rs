//! Softmax and its logarithm along an axis, fused: the bits are those of the operations one after the other.
//!
//! **Order.** With `m` the maximum of the axis (a NaN wins): `e = exp(x − m)`, `s` the [sum](super::sum) of `e`. Softmax is
//! `e / s`, its logarithm `(x − m) − log(s)`.

use super::elementary::log;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::in_place;
use super::sum::sum_row;
use super::unary::{Exp, over};
use super::view::Axis;

/// What is taken along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soft {
    /// The softmax.
    Max,
    /// Its logarithm.
    LogMax,
}

/// Softmax, or its logarithm, along one axis.
///
/// **Shapes.** `[outer, len, inner]` in place. **Order.** As in the module's head.
///
/// # Panics
///
/// If the axis does not describe the numbers.
pub fn softmax(settings: Settings, x: &mut [f32], axis: Axis, soft: Soft) {
    assert_eq!(
        x.len(),
        axis.outer * axis.len * axis.inner,
        "the axis does not describe the data"
    );
    if !x.is_empty() {
        in_place(settings, x, axis.len * axis.inner, 8, |_, x| {
            rows(settings, x, axis, soft);
        });
    }
}

/// [`softmax`] of some whole rows, on this thread.
pub(crate) fn rows(settings: Settings, x: &mut [f32], axis: Axis, soft: Soft) {
    settings.path.run(Rows {
        x,
        len: axis.len,
        inner: axis.inner,
        soft,
    });
}

struct Rows<'a> {
    x: &'a mut [f32],
    len: usize,
    inner: usize,
    soft: Soft,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            x,
            len,
            inner,
            soft,
        } = self;
        let mut scratch = Vec::new();
        if inner == 1 {
            for row in x.chunks_exact_mut(len) {
                soften(simd, row, soft, &mut scratch);
            }
            return;
        }
        // Columns are copied out, some at a time so that a line of the cache is read once for all of them.
        const COLUMNS: usize = 16;
        let mut columns = vec![0.0; COLUMNS * len];
        for plane in x.chunks_exact_mut(len * inner) {
            let mut first = 0;
            while first < inner {
                let width = COLUMNS.min(inner - first);
                for (at, row) in plane.chunks_exact(inner).enumerate() {
                    for (column, value) in row[first..first + width].iter().enumerate() {
                        columns[column * len + at] = *value;
                    }
                }
                for column in columns[..width * len].chunks_exact_mut(len) {
                    soften(simd, column, soft, &mut scratch);
                }
                for (at, row) in plane.chunks_exact_mut(inner).enumerate() {
                    for (column, value) in row[first..first + width].iter_mut().enumerate() {
                        *value = columns[column * len + at];
                    }
                }
                first += width;
            }
        }
    }
}

#[inline(always)]
fn soften<S: Simd>(_: S, row: &mut [f32], soft: Soft, scratch: &mut Vec<f32>) {
    let greatest = max_row(row);
    for x in row.iter_mut() {
        *x -= greatest;
    }
    match soft {
        Soft::Max => {
            over::<S::Fma, Exp>(row);
            let sum = sum_row(row);
            for x in row {
                *x /= sum;
            }
        }
        Soft::LogMax => {
            scratch.clear();
            scratch.extend_from_slice(row);
            over::<S::Fma, Exp>(scratch);
            let log_sum = log::<S::Fma>(sum_row(scratch));
            for x in row {
                *x -= log_sum;
            }
        }
    }
}

/// The maximum of a row, a NaN if there is one; which of two zeros is not said, and nothing here asks.
#[inline(always)]
pub(super) fn max_row(x: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = greater(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = greater(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = greater(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn greater(best: f32, x: f32) -> f32 {
    if (x > best) | x.is_nan() { x } else { best }
}
