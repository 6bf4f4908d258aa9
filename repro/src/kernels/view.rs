//! A strided read-only view of numbers: how a kernel sees a tensor.

use std::borrow::Cow;

/// Numbers in memory and how to walk them: element `(i0, i1, ..)` is at
/// `offset + i0 * strides[0] + i1 * strides[1] + ..`.
///
/// Strides may be zero (a broadcast axis) or negative (a flipped one).
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The whole storage, in memory order.
    pub data: &'a [f32],
    /// Length of each axis.
    pub shape: &'a [usize],
    /// Distance in elements between neighbours along each axis.
    pub strides: &'a [isize],
    /// Where the first logical element is.
    pub offset: usize,
}

impl<'a> View<'a> {
    /// Number of logical elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an axis has length zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements where they lie, if that is in row-major order.
    #[inline]
    pub fn row(&self) -> Option<&'a [f32]> {
        is_row_major(self.shape, self.strides)
            .then(|| &self.data[self.offset..self.offset + self.len()])
    }

    /// The elements in logical (row-major) order: borrowed if memory has that order already,
    /// copied otherwise.
    pub fn packed(&self) -> Cow<'a, [f32]> {
        if is_row_major(self.shape, self.strides) {
            return Cow::Borrowed(&self.data[self.offset..self.offset + self.len()]);
        }
        let mut out = Vec::with_capacity(self.len());
        for_each_row(
            self.shape,
            [self.strides],
            [self.offset],
            |[start], len, [step]| {
                let mut at = start as isize;
                for _ in 0..len {
                    out.push(self.data[at as usize]);
                    at += step;
                }
            },
        );
        Cow::Owned(out)
    }
}

/// Whether `strides` walk `shape` in memory order without gaps. Axes of length one do not matter.
pub fn is_row_major(shape: &[usize], strides: &[isize]) -> bool {
    let mut expected = 1isize;
    for (&len, &stride) in shape.iter().zip(strides).rev() {
        if len != 1 && stride != expected {
            return false;
        }
        expected *= len as isize;
    }
    true
}

/// Walks `N` equally shaped views together, one innermost row at a time, in row-major order.
///
/// `row` gets the offset of the row's first element in each view, the row's length, and the step
/// along the row in each view.
pub fn for_each_row<const N: usize>(
    shape: &[usize],
    strides: [&[isize]; N],
    offsets: [usize; N],
    mut row: impl FnMut([usize; N], usize, [isize; N]),
) {
    let Some((&len, outer)) = shape.split_last() else {
        row(offsets, 1, [1; N]);
        return;
    };
    let rows: usize = outer.iter().product();
    if rows == 0 || len == 0 {
        return;
    }
    let steps = strides.map(|s| s[outer.len()]);
    let mut index = vec![0usize; outer.len()];
    let mut at = offsets.map(|o| o as isize);
    for done in 1..=rows {
        row(at.map(|o| o as usize), len, steps);
        if done == rows {
            break;
        }
        // Advance the odometer of the outer axes, carrying from the right.
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            for (position, stride) in at.iter_mut().zip(strides) {
                *position += stride[axis];
            }
            if index[axis] < outer[axis] {
                break;
            }
            for (position, stride) in at.iter_mut().zip(strides) {
                *position -= stride[axis] * outer[axis] as isize;
            }
            index[axis] = 0;
        }
    }
}

/// The strides of a gap-free row-major layout of `shape`.
pub fn row_major_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// An axis seen in a row-major tensor as three nested loops: `outer` times `len` times `inner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Product of the lengths of the axes to the left.
    pub outer: usize,
    /// Length of the axis itself.
    pub len: usize,
    /// Product of the lengths of the axes to the right.
    pub inner: usize,
}

impl Axis {
    /// Axis `axis` of a tensor of this shape.
    pub fn of(shape: &[usize], axis: usize) -> Self {
        Self {
            outer: shape[..axis].iter().product(),
            len: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }
}
