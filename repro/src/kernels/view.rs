//! A strided read-only view of numbers: how a kernel sees a tensor.

use super::copy::{Pack, packed};
use super::paths::Settings;

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
        elements(self.shape)
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

    /// The elements in logical (row-major) order: borrowed if memory has that order already, copied otherwise, as the
    /// settings in force say.
    pub fn packed(&self) -> Pack<'a> {
        packed(Settings::current(), self)
    }
}

/// Numbers of a tensor of this shape. Sizes are what pointers rest on, so this is exact in every build.
///
/// # Panics
///
/// If no memory holds so many.
pub fn elements(shape: &[usize]) -> usize {
    const MOST: usize = isize::MAX as usize / size_of::<f32>();
    if shape.contains(&0) {
        return 0;
    }
    let count = shape
        .iter()
        .try_fold(1usize, |count, &len| count.checked_mul(len));
    match count {
        Some(count) if count <= MOST => count,
        _ => panic!("repro: a tensor of shape {shape:?} has more numbers than any memory"),
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
    ///
    /// # Panics
    ///
    /// If no memory holds such a tensor.
    pub fn of(shape: &[usize], axis: usize) -> Self {
        elements(shape);
        Self {
            outer: elements(&shape[..axis]),
            len: shape[axis],
            inner: elements(&shape[axis + 1..]),
        }
    }
}
