//! Copies in row-major order: what moves numbers and changes none.

use super::memory::Numbers;
use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::fresh;
use super::view::{View, is_row_major};
use super::walk::Walk;
use std::ops::Deref;

/// Numbers in row-major order.
#[derive(Debug)]
pub enum Pack<'a> {
    /// Where they lay.
    Borrowed(&'a [f32]),
    /// In memory of their own.
    Copied(Numbers),
}

impl Deref for Pack<'_> {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        match self {
            Pack::Borrowed(numbers) => numbers,
            Pack::Copied(numbers) => numbers,
        }
    }
}

impl Pack<'_> {
    /// The numbers in memory that may be written.
    pub fn into_numbers(self) -> Numbers {
        match self {
            Pack::Borrowed(numbers) => Numbers::from(numbers),
            Pack::Copied(numbers) => numbers,
        }
    }
}

/// The elements in row-major order: borrowed if memory has that order already, copied otherwise.
///
/// # Panics
///
/// If the view reaches outside its storage.
pub fn packed<'a>(settings: Settings, view: &View<'a>) -> Pack<'a> {
    let len = view.len();
    if is_row_major(view.shape, view.strides) {
        return Pack::Borrowed(&view.data[view.offset..view.offset + len]);
    }
    if len == 0 {
        return Pack::Borrowed(&[]);
    }
    let walk = Walk::new(view.shape, [*view]);
    let unit = match contiguous_axis(&walk) {
        Some(axis) => walk.axes().0[axis..].iter().product(),
        None => 1,
    };
    let task = |start: usize, out: &mut [f32]| {
        settings.path.run(Copy {
            out,
            start,
            unit,
            walk: &walk,
            from: view.data,
        });
    };
    Pack::Copied(fresh(settings, len, unit, 1, task))
}

/// The axis along which memory is contiguous, if it is another than the last: then tiles are transposed.
fn contiguous_axis(walk: &Walk<1>) -> Option<usize> {
    let (lengths, strides) = walk.axes();
    let last = lengths.len() - 1;
    if strides[last][0].unsigned_abs() <= 1 {
        return None;
    }
    (0..last)
        .rev()
        .find(|&axis| strides[axis] == [1] && lengths[axis] >= 4)
}

struct Copy<'a> {
    out: &'a mut [f32],
    start: usize,
    unit: usize,
    walk: &'a Walk<1>,
    from: &'a [f32],
}

impl Kernel for Copy<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (walk, from) = (self.walk, self.from);
        let (len, [step]) = (walk.row_len(), walk.steps());
        if let Some(axis) = contiguous_axis(walk) {
            for (index, out) in self.out.chunks_exact_mut(self.unit).enumerate() {
                let first = (self.start / self.unit + index) * (self.unit / len);
                transpose(out, walk, axis, walk.cursor(first).at[0], from);
            }
            return;
        }
        let (mut stretch, mut rest) = (walk.stretch(self.start), self.out);
        while !rest.is_empty() {
            let (count, [mut at]) = stretch.next(rest.len());
            let (out, later) = rest.split_at_mut(count);
            rest = later;
            if step == 1 {
                out.copy_from_slice(&from[at..at + count]);
                continue;
            }
            for out in out {
                *out = from[at];
                at = at.wrapping_add_signed(step);
            }
        }
    }
}

/// Numbers on a side of a tile.
const TILE: usize = 16;

/// Copies what lies under one place of the axes before `axis`, along which memory is contiguous, in tiles of it and the last.
#[inline(always)]
fn transpose(out: &mut [f32], walk: &Walk<1>, axis: usize, base: usize, from: &[f32]) {
    let (lengths, strides) = walk.axes();
    let last = lengths.len() - 1;
    let (rows, columns, step) = (lengths[axis], lengths[last], strides[last][0]);
    // The axes between the two, walked one place at a time.
    let middle: usize = lengths[axis + 1..last].iter().product();
    for place in 0..middle {
        let (mut rest, mut at) = (place, base);
        for between in (axis + 1..last).rev() {
            let index = rest % lengths[between];
            rest /= lengths[between];
            at = at.wrapping_add_signed(strides[between][0] * index as isize);
        }
        for top in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - top);
            for left in (0..columns).step_by(TILE) {
                let width = TILE.min(columns - left);
                // Through a tile of our own: lines of the cache are read and written whole, whatever their distance.
                let mut tile = [[0.0; TILE]; TILE];
                for (column, line) in tile[..width].iter_mut().enumerate() {
                    let start = (at + top).wrapping_add_signed(step * (left + column) as isize);
                    line[..height].copy_from_slice(&from[start..start + height]);
                }
                for row in 0..height {
                    let to = ((top + row) * middle + place) * columns + left;
                    for (out, line) in out[to..to + width].iter_mut().zip(&tile) {
                        *out = line[row];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::view::row_major_strides;

    #[test]
    fn every_permutation_of_axes_is_copied_as_its_indices_say() {
        let shape = [3, 20, 1, 18];
        let strides = row_major_strides(&shape);
        let data: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32).collect();
        for permutation in 0..24 {
            let mut left = vec![0, 1, 2, 3];
            let order = [
                left.remove(permutation / 6),
                left.remove(permutation / 2 % 3),
                left.remove(permutation % 2),
                left.remove(0),
            ];
            for flips in 0..16usize {
                let shape = order.map(|axis| shape[axis]);
                let mut offset = 0;
                let mut strides = order.map(|axis| strides[axis]);
                for axis in 0..4 {
                    if flips >> axis & 1 == 1 {
                        offset += strides[axis] as usize * (shape[axis] - 1);
                        strides[axis] = -strides[axis];
                    }
                }
                let view = View {
                    data: &data,
                    shape: &shape,
                    strides: &strides,
                    offset,
                };
                let mut expected = Vec::new();
                for at in 0..data.len() {
                    let (mut rest, mut place) = (at, offset as isize);
                    for axis in (0..4).rev() {
                        place += (rest % shape[axis]) as isize * strides[axis];
                        rest /= shape[axis];
                    }
                    expected.push(data[place as usize]);
                }
                for threads in [1, 3] {
                    let settings = Settings::current().with_threads(threads).with_split_min(0);
                    assert_eq!(packed(settings, &view)[..], expected, "{order:?} {flips:b}");
                }
            }
        }
    }
}
