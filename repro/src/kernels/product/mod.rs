//! The product of two matrices, and everything built on it.
//!
//! **Shapes.** `[m, k]` times `[k, n]` to `[m, n]`.
//!
//! **Order.** Each output element is one chain: `acc = +0.0`, then `acc = fma(a_k, b_k, acc)` for `k`
//! ascending. A chain is never split. The kernel is free in everything else, and uses the freedom:
//!
//! | file | does |
//! |---|---|
//! | `task` | a product with the memory for its result, checked |
//! | `grid` | cuts the output into independent blocks, one for a thread at a time |
//! | `block` | takes a block part by part, as the caches hold it |
//! | `steps` | cuts `k` into stretches, between which the accumulators rest in the output |
//! | `source`, `pack` | find the factors, or copy them into the order in which a tile reads them |
//! | `walk`, `tile` | some rows by some vectors of the output, held in registers while `k` runs; the first beside a row may copy its left factor |
//! | `turned` | few rows by a transposed right factor: as the transposed product |
//! | `finish` | what is done to each element after its chain |
//!
//! None of it touches a chain. In particular a row of the output depends on that row of the left factor only.

mod block;
mod finish;
mod grid;
mod matrix;
mod pack;
mod source;
mod steps;
mod task;
mod tile;
mod turned;
mod walk;

pub use finish::Finish;
pub use matrix::Matrix;
pub use pack::Packed;

pub(super) use pack::Right;
pub(super) use task::Task;

use super::memory::Numbers;
use super::paths::Settings;
use super::pool;
use super::view::{View, elements};

/// Rows and numbers of the right factor from which threads share one copy of it. A smaller one stays in the second-level cache of
/// the thread that copied it.
const TOGETHER_ROWS: usize = 256;
const TOGETHER: usize = 1 << 19;

/// `a` times `b`, row-major.
///
/// **Shapes.** `[m, k]` times `[k, n]` to `[m, n]`. **Order.** One fused chain an element, `k` ascending from +0.0.
///
/// # Panics
///
/// If the inner lengths differ.
pub fn product(settings: Settings, a: Matrix, b: Matrix) -> Numbers {
    finished(settings, a, b, Finish::Plain)
}

/// The product, and something done to each element after its chain.
///
/// **Shapes.** `[m, k]` times `[k, n]` to `[m, n]`. **Order.** [`product`], then [`Finish`]; the bits are those of
/// the two operations one after the other.
///
/// # Panics
///
/// If the inner lengths differ, or a bias has another length than `n`.
pub fn finished(settings: Settings, a: Matrix, b: Matrix, finish: Finish) -> Numbers {
    if turned::is_better(&a, &b) {
        return turned::finished(settings, a, b, finish);
    }
    let mut out = Numbers::unset(elements(&[a.rows, b.columns]));
    into(settings, a, Right::Matrix(b), finish, &mut out);
    out
}

/// [`finished`] with a right factor that was packed before, for weights that are used again and again.
///
/// # Panics
///
/// As [`finished`], and if the factor was packed for another path.
pub fn with_packed(settings: Settings, a: Matrix, b: &Packed, finish: Finish) -> Numbers {
    let mut out = Numbers::unset(elements(&[a.rows, b.columns()]));
    into(settings, a, Right::Packed(b), finish, &mut out);
    out
}

/// [`with_packed`] or [`finished`] into memory that is there.
fn into(settings: Settings, a: Matrix, b: Right, finish: Finish, out: &mut [f32]) {
    let threads =
        settings.threads_for(a.rows.saturating_mul(a.columns).saturating_mul(b.columns()));
    // Where several threads would each copy the right factor, they copy it together.
    let packed = match b {
        Right::Matrix(b)
            if threads > 1
                && a.rows >= TOGETHER_ROWS
                && elements(&[b.rows, b.columns]) >= TOGETHER =>
        {
            Some(Packed::on(settings, b))
        }
        _ => None,
    };
    let b = packed.as_ref().map_or(b, Right::Packed);
    let task = Task::new(a, b, finish, out);
    let grid = grid::Grid::of(settings, &task);
    pool::run(grid.threads, grid.len(), |index| {
        let (rows, columns) = grid.block(index);
        // SAFETY: the grid's blocks do not overlap.
        unsafe { task.run(settings.path, rows, columns) };
    });
}

/// Products of stacks of matrices: leading axes broadcast, the last two multiply.
///
/// **Shapes.** `[.., m, k]` times `[.., k, n]` to `[.., m, n]`; also returns that shape.
/// **Order.** As [`product`], for each pair.
///
/// # Panics
///
/// If the ranks differ or are less than two, or the lengths do not fit.
pub fn batched(settings: Settings, a: View, b: View) -> (Numbers, Vec<usize>) {
    let rank = a.shape.len();
    assert!(
        rank >= 2 && rank == b.shape.len(),
        "repro: a product needs two tensors of one rank, at least 2"
    );
    let lead = super::elementwise::broadcast_shape(&a.shape[..rank - 2], &b.shape[..rank - 2]);
    let (m, k, n) = (a.shape[rank - 2], a.shape[rank - 1], b.shape[rank - 1]);
    let mut shape = lead.clone();
    shape.extend([m, n]);
    let out_len = elements(&shape);
    if out_len == 0 {
        return (Numbers::unset(0), shape);
    }
    let count = out_len / (m * n);
    let pair = |index| (plane(&a, &lead, index), plane(&b, &lead, index));
    if count == 1 {
        let (a, b) = pair(0);
        return (product(settings, a, b), shape);
    }
    let mut out = Numbers::unset(out_len);
    let outs = super::Parts::new(&mut out, m * n);
    let threads = settings.threads_for(out_len.saturating_mul(k));
    pool::run(threads, count, |index| {
        let (a, b) = pair(index);
        // SAFETY: each task takes a part of its own.
        let out = unsafe { outs.get(index) };
        into(
            settings.with_threads(1),
            a,
            Right::Matrix(b),
            Finish::Plain,
            out,
        );
    });
    (out, shape)
}

/// The matrix of a stack that belongs to one (row-major) position of the broadcast leading axes.
fn plane<'a>(view: &View<'a>, lead: &[usize], mut index: usize) -> Matrix<'a> {
    let rank = view.shape.len();
    let mut offset = view.offset as isize;
    for axis in (0..lead.len()).rev() {
        let position = index % lead[axis];
        index /= lead[axis];
        if view.shape[axis] != 1 {
            offset += position as isize * view.strides[axis];
        }
    }
    Matrix {
        data: view.data,
        offset: offset as usize,
        rows: view.shape[rank - 2],
        columns: view.shape[rank - 1],
        row_stride: view.strides[rank - 2],
        column_stride: view.strides[rank - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::elementary::{Function, apply};
    use crate::kernels::paths::Path;

    #[test]
    fn a_finished_product_has_the_bits_of_one_operation_after_the_other() {
        let numbers = |len: usize| -> Vec<f32> {
            (0..len)
                .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
                .collect()
        };
        let (m, k, n) = (29, 401, 83);
        let (mut a, b, mut bias) = (numbers(m * k), numbers(k * n), numbers(n));
        (a[3], a[k + 5], bias[7]) = (f32::NAN, f32::INFINITY, -0.0);
        let (a, b) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
        for path in Path::available() {
            let settings = Settings::current().with_path(path);
            let mut biased = product(settings, a, b);
            for row in biased.chunks_exact_mut(n) {
                row.iter_mut().zip(&bias).for_each(|(x, bias)| *x += bias);
            }
            let mut relu = biased.clone();
            relu.iter_mut()
                .for_each(|x| *x = if *x <= 0.0 { 0.0 } else { *x });
            let mut gelu = biased.clone();
            apply(path, Function::Gelu, &mut gelu);
            let packed = Packed::new(path, b);
            for (finish, expected) in [
                (Finish::Bias(&bias), biased),
                (Finish::BiasRelu(&bias), relu),
                (Finish::BiasGelu(&bias), gelu),
            ] {
                for found in [
                    finished(settings, a, b, finish),
                    with_packed(settings, a, &packed, finish),
                ] {
                    let is_same = found
                        .iter()
                        .zip(expected.iter())
                        .all(|(x, y)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan());
                    assert!(is_same, "{finish:?} on {}", path.name());
                }
            }
        }
    }
}
