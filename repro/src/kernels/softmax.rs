//! Softmax and its logarithm along an axis, fused: the bits are those of the operations one after the other.
//!
//! **Order.** With `m` the maximum of the axis (a NaN wins): `e = exp(x − m)`, `s` the [`sum`] of `e`. Softmax is
//! `e / s`, its logarithm `(x − m) − log(s)`.

use super::elementary::log;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::in_place;
use super::sum::{self, sum_row};
use super::unary::{BLOCK, Exp, Log, Unary, over};
use super::view::Axis;
use std::ops::Range;

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

/// The gradient of the logarithm of the softmax along the last axis, over what it was taken of.
///
/// **Shapes.** `x` and the gradient `g` of the logarithms `[rows, len]`. **Order.** With `e` and `s` as in the module's head,
/// `t = (+0 − sum(g)) · (1 / s)`, to which `+0` is added; then `g + t · e`: what autodiff composes, whose sum of the
/// negated gradient is this difference to the bit.
///
/// # Panics
///
/// If the lengths differ or are no whole rows.
pub fn log_softmax_gradient(settings: Settings, x: &mut [f32], g: &[f32], len: usize) {
    assert!(
        x.len() == g.len() && x.len().is_multiple_of(len.max(1)),
        "repro: a gradient needs one number for each that was put in, in whole rows"
    );
    in_place(settings, x, len, 8, |start, x| {
        let g = &g[start..start + x.len()];
        settings.path.run(LogGradient { x, g, len });
    });
}

struct LogGradient<'a> {
    x: &'a mut [f32],
    g: &'a [f32],
    len: usize,
}

impl Kernel for LogGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let len = self.len.max(1);
        for (row, g) in self.x.chunks_exact_mut(len).zip(self.g.chunks_exact(len)) {
            let greatest = max_row(row);
            for x in row.iter_mut() {
                *x -= greatest;
            }
            over::<S::Fma, Exp>(row);
            let back = (0.0 - sum_row(g)) * (1.0 / sum_row(row)) + 0.0;
            for (e, g) in row.iter_mut().zip(g) {
                *e = g + back * *e;
            }
        }
    }
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
        for plane in x.chunks_exact_mut(len * inner) {
            let mut first = 0;
            while first < inner {
                let width = BLOCK.min(inner - first);
                soften_strip(simd, plane, inner, first..first + width, soft);
                first += width;
            }
        }
    }
}

/// Some neighbouring columns of a plane, all at once.
#[inline(always)]
fn soften_strip<S: Simd>(_: S, plane: &mut [f32], inner: usize, strip: Range<usize>, soft: Soft) {
    let width = strip.len();
    let mut greatest = [f32::NEG_INFINITY; BLOCK];
    for row in plane.chunks_exact(inner) {
        for (best, &x) in greatest.iter_mut().zip(&row[strip.clone()]) {
            *best = greater(*best, x);
        }
    }
    let mut sums = Vec::new();
    for block in plane.chunks_mut(sum::BLOCK * inner) {
        let mut lanes = [[0.0; BLOCK]; sum::LANES];
        for (at, row) in block.chunks_exact_mut(inner).enumerate() {
            let row = &mut row[strip.clone()];
            let mut e = [0.0; BLOCK];
            for ((e, x), greatest) in e.iter_mut().zip(row.iter_mut()).zip(&greatest) {
                *e = *x - greatest;
                *x = *e;
            }
            Exp::block::<S::Fma>(&mut e);
            if soft == Soft::Max {
                row.copy_from_slice(&e[..width]);
            }
            for (lane, e) in lanes[at % sum::LANES].iter_mut().zip(&e) {
                *lane += e;
            }
        }
        sums.extend(sum::halved_columns(&mut lanes));
    }
    let mut total = [0.0; BLOCK];
    sum::sum_blocks(&sums, &mut total);
    if soft == Soft::LogMax {
        Log::block::<S::Fma>(&mut total);
    }
    for row in plane.chunks_exact_mut(inner) {
        for (x, total) in row[strip.clone()].iter_mut().zip(&total) {
            *x = if soft == Soft::Max {
                *x / total
            } else {
                *x - total
            };
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

/// The maximum of a row without its NaNs: whatever is subtracted from a row with a NaN, its sum is one, and so is all
/// that comes of it. Which of two zeros is not said, and nothing here asks.
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
    let (mut eight, mut four) = ([0.0; 8], [0.0; 4]);
    for l in 0..8 {
        eight[l] = greater(lanes[l], lanes[l + 8]);
    }
    for l in 0..4 {
        four[l] = greater(eight[l], eight[l + 4]);
    }
    greater(greater(four[0], four[2]), greater(four[1], four[3]))
}

#[inline(always)]
fn greater(best: f32, x: f32) -> f32 {
    if x > best { x } else { best }
}
