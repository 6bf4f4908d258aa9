//! Attention, fused: the scores of some query rows at a time, so that they stay in the cache. The bits are those of the
//! operations one after the other.
//!
//! **Order.** A score is one chain over the head's width, then times `scale`; with a soft cap `c`, `tanh(s / c) · c`; −∞ where the
//! mask says so, then where a causal attention must not look; then the bias is added. With `m` the row's maximum (at least
//! the least finite number, so that a row of −∞ stays one) `e = exp(s − m)`, divided by its [sum](super::sum) (at least the smallest
//! normal number, so that such a row becomes zeros). An output element is one chain over the keys.

use super::memory::Numbers;
use super::paths::Settings;
use super::pool;
use super::product::{Finish, Matrix, Right, Task};
use super::simd::{Kernel, Simd};
use super::softmax::max_row;
use super::sum::sum_row;
use super::unary::{Exp, Tanh, over};
use super::view::{View, elements};
use std::ops::Range;

/// Scores a task holds at once.
const SCORES: usize = 1 << 16;

/// Numbers of any type in memory, walked over batch, head, query and key.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a, T> {
    data: &'a [T],
    offset: usize,
    strides: [isize; 4],
}

impl<'a, T> Plane<'a, T> {
    /// Four axes that broadcast to `lengths`.
    ///
    /// # Panics
    ///
    /// If there are not four or they do not broadcast.
    pub fn new(
        data: &'a [T],
        offset: usize,
        shape: &[usize],
        strides: &[isize],
        lengths: [usize; 4],
    ) -> Self {
        assert!(
            shape.len() == 4 && shape.iter().zip(lengths).all(|(&x, y)| x == y || x == 1),
            "repro: a mask or bias of shape {shape:?} for scores of shape {lengths:?}"
        );
        let along = |axis| if shape[axis] == 1 { 0 } else { strides[axis] };
        Self {
            data,
            offset,
            strides: [along(0), along(1), along(2), along(3)],
        }
    }

    /// Where a row starts.
    #[inline(always)]
    fn row(&self, batch: usize, head: usize, row: usize) -> usize {
        self.offset
            .wrapping_add_signed(self.strides[0] * batch as isize)
            .wrapping_add_signed(self.strides[1] * head as isize)
            .wrapping_add_signed(self.strides[2] * row as isize)
    }
}

/// What attention takes.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Queries.
    pub query: View<'a>,
    /// Keys, of as many heads or of a divisor of them.
    pub key: View<'a>,
    /// Values, of as many heads as the keys.
    pub value: View<'a>,
    /// What is not to be looked at: where not zero.
    pub mask: Option<Plane<'a, u8>>,
    /// What is added to the scores.
    pub bias: Option<Plane<'a, f32>>,
    /// What scores are multiplied by.
    pub scale: f32,
    /// The soft cap.
    pub softcap: Option<f32>,
    /// Whether a query sees only keys up to its own place, counted from the end.
    pub is_causal: bool,
}

impl Attention<'_> {
    /// The shape of the scores: batch, heads, queries, keys.
    ///
    /// # Panics
    ///
    /// If the inputs do not fit each other.
    fn scores(&self) -> [usize; 4] {
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|x| x.shape);
        assert!(
            q.len() == 4 && k.len() == 4 && v.len() == 4 && q[3] == k[3] && k[2] == v[2],
            "repro: attention of queries {q:?}, keys {k:?}, values {v:?}"
        );
        assert!(
            q[0] == k[0]
                && k[..2] == v[..2]
                && (q[1] == k[1] || k[1] > 0 && q[1].is_multiple_of(k[1])),
            "repro: attention of queries {q:?}, keys {k:?}, values {v:?}: one batch, and keys and values of one number of \
             heads, which divides that of the queries"
        );
        [q[0], q[1], q[2], k[2]]
    }
}

/// The attention of each head.
///
/// **Shapes.** Queries `[batch, heads, n, d]`, keys `[batch, groups, m, d]`, values `[batch, groups, m, v]`, mask and bias broadcast to
/// `[batch, heads, n, m]`; output `[batch, n, heads, v]`, since what follows puts the heads side by side. `groups` divides `heads`: so
/// many heads in turn look at one head of the keys and values (grouped heads; with one group, multi-query attention). **Order.** As in
/// the module's head.
///
/// # Panics
///
/// If the inputs do not fit each other, or there are queries and no keys.
pub fn attention(settings: Settings, attention: &Attention) -> Numbers {
    let [batch, heads, queries, keys] = attention.scores();
    let (width, values) = (attention.query.shape[3], attention.value.shape[3]);
    let mut out = Numbers::unset(elements(&[batch, heads, queries, values]));
    if out.is_empty() {
        return out;
    }
    assert!(
        keys > 0,
        "repro: the maximum or minimum of an empty axis does not exist"
    );
    let rows = (SCORES / keys).clamp(24, queries.max(24)).min(queries);
    let blocks = queries.div_ceil(rows);
    let outs = Outs(out.as_mut_ptr());
    let work = batch * heads * queries * keys * (width + values);
    let tasks = batch * heads;
    let threads = settings.threads_for(work);
    let do_block = |index: usize, block: usize| {
        let rows = block * rows..queries.min((block + 1) * rows);
        // SAFETY: each part belongs to one call.
        unsafe { some_rows(settings, attention, index, rows, &outs) };
    };
    if tasks >= threads * 2 || blocks == 1 {
        pool::run(threads, tasks, |index| {
            (0..blocks).for_each(|block| do_block(index, block));
        });
        return out;
    }
    for index in 0..tasks {
        pool::run(threads, blocks, |block| do_block(index, block));
    }
    out
}

/// The memory of the output, of which tasks write different parts.
struct Outs(*mut f32);

// SAFETY: `some_rows` writes its own part only.
unsafe impl Sync for Outs {}

/// The matrix of one batch and head, from a row on.
fn head<'a>(view: &View<'a>, batch: usize, head: usize, rows: (usize, usize)) -> Matrix<'a> {
    let moved = view.strides[0] * batch as isize
        + view.strides[1] * head as isize
        + view.strides[2] * rows.0 as isize;
    Matrix {
        data: view.data,
        offset: view.offset.wrapping_add_signed(moved),
        rows: rows.1,
        columns: view.shape[3],
        row_stride: view.strides[2],
        column_stride: view.strides[3],
    }
}

/// Some query rows of one head.
///
/// # Safety
///
/// No other thread writes these rows of the output, which is as large as the shapes say.
unsafe fn some_rows(
    settings: Settings,
    a: &Attention,
    index: usize,
    rows: Range<usize>,
    outs: &Outs,
) {
    let (heads, queries) = (a.query.shape[1], a.query.shape[2]);
    let (keys, values) = (a.key.shape[2], a.value.shape[3]);
    let (batch, head_at) = (index / heads, index % heads);
    let group = head_at / (heads / a.key.shape[1]);
    let (first, rows) = (rows.start, rows.len());
    let mut scores = Numbers::unset(elements(&[rows, keys]));
    let query = head(&a.query, batch, head_at, (first, rows));
    let key = head(&a.key, batch, group, (0, keys)).transposed();
    let value = head(&a.value, batch, group, (0, keys));
    Task::new(query, Right::Matrix(key), Finish::Plain, &mut scores).run_alone(settings.path);
    settings.path.run(Weigh {
        a,
        batch,
        head: head_at,
        first,
        scores: &mut scores,
    });
    let scores = Matrix::row_major(&scores, rows, keys);
    let row = heads * values;
    let start = ((batch * queries + first) * heads + head_at) * values;
    // SAFETY: these rows lie in the output and are this call's.
    unsafe {
        let out = outs.0.add(start);
        Task::into_rows(scores, Right::Matrix(value), Finish::Plain, out, row)
            .run_alone(settings.path);
    }
}

/// Scores to weights, in place.
struct Weigh<'t, 'a> {
    a: &'t Attention<'a>,
    batch: usize,
    head: usize,
    first: usize,
    scores: &'t mut [f32],
}

impl Kernel for Weigh<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (a, scale) = (self.a, self.a.scale);
        let (queries, keys) = (a.query.shape[2], a.key.shape[2]);
        for (index, row) in self.scores.chunks_exact_mut(keys).enumerate() {
            let at = self.first + index;
            for x in row.iter_mut() {
                *x *= scale;
            }
            if let Some(cap) = a.softcap {
                for x in row.iter_mut() {
                    *x /= cap;
                }
                over::<S::Fma, Tanh>(row);
                for x in row.iter_mut() {
                    *x *= cap;
                }
            }
            if let Some(mask) = &a.mask {
                hide(row, mask, mask.row(self.batch, self.head, at));
            }
            if a.is_causal {
                let seen = (at + 1 + keys).saturating_sub(queries).min(keys);
                row[seen..].fill(f32::NEG_INFINITY);
            }
            if let Some(bias) = &a.bias {
                lift(row, bias, bias.row(self.batch, self.head, at));
            }
            let greatest = max_row(row);
            let greatest = if greatest < f32::MIN {
                f32::MIN
            } else {
                greatest
            };
            for x in row.iter_mut() {
                *x -= greatest;
            }
            over::<S::Fma, Exp>(row);
            let sum = sum_row(row);
            let sum = if sum < f32::MIN_POSITIVE {
                f32::MIN_POSITIVE
            } else {
                sum
            };
            for x in row.iter_mut() {
                *x /= sum;
            }
        }
    }
}

#[inline(always)]
fn hide(row: &mut [f32], mask: &Plane<u8>, start: usize) {
    let step = mask.strides[3];
    if step == 1 {
        let len = row.len();
        for (x, hidden) in row.iter_mut().zip(&mask.data[start..start + len]) {
            *x = if *hidden != 0 { f32::NEG_INFINITY } else { *x };
        }
        return;
    }
    let mut at = start;
    for x in row {
        *x = if mask.data[at] != 0 {
            f32::NEG_INFINITY
        } else {
            *x
        };
        at = at.wrapping_add_signed(step);
    }
}

#[inline(always)]
fn lift(row: &mut [f32], bias: &Plane<f32>, start: usize) {
    let step = bias.strides[3];
    if step == 1 {
        let len = row.len();
        for (x, bias) in row.iter_mut().zip(&bias.data[start..start + len]) {
            *x += bias;
        }
        return;
    }
    let mut at = start;
    for x in row {
        *x += bias.data[at];
        at = at.wrapping_add_signed(step);
    }
}
