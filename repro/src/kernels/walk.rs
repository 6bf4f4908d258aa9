//! Equally shaped views walked together, row by row, with as few axes as they can be told in.
//!
//! **Order.** Row-major. Axes that lie behind one another in every view are one axis, which changes how many rows there
//! are and not the order of the elements.

use super::view::View;

/// The most axes a tensor may have.
pub const RANK_MAX: usize = 12;

/// `N` views of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Walk<const N: usize> {
    axes: usize,
    lengths: [usize; RANK_MAX],
    strides: [[isize; N]; RANK_MAX],
    offsets: [usize; N],
}

impl<const N: usize> Walk<N> {
    /// The views, each broadcast to the shape: an axis of length one is repeated.
    ///
    /// # Panics
    ///
    /// If there are more than [`RANK_MAX`] axes, or a view does not broadcast to the shape.
    pub fn new(shape: &[usize], views: [View; N]) -> Self {
        Self::of(
            shape,
            views.map(|view| (view.shape, view.strides, view.offset)),
        )
    }

    /// The same for anything of which shape, strides and offset are known.
    ///
    /// # Panics
    ///
    /// As [`Walk::new`].
    pub fn of(shape: &[usize], views: [(&[usize], &[isize], usize); N]) -> Self {
        assert!(
            shape.len() <= RANK_MAX,
            "repro: a tensor of more than {RANK_MAX} axes"
        );
        let mut walk = Self {
            axes: 0,
            lengths: [1; RANK_MAX],
            strides: [[0; N]; RANK_MAX],
            offsets: views.map(|view| view.2),
        };
        for (axis, &len) in shape.iter().enumerate() {
            let mut strides = [0; N];
            for (stride, (from, by, _)) in strides.iter_mut().zip(views) {
                assert!(
                    from.len() == shape.len() && (from[axis] == len || from[axis] == 1),
                    "repro: shapes {from:?} and {shape:?} do not broadcast"
                );
                *stride = if from[axis] == len { by[axis] } else { 0 };
            }
            if len != 1 {
                walk.push(len, strides);
            }
        }
        if walk.axes == 0 {
            walk.axes = 1;
        }
        walk
    }

    /// An axis further in, merged with the one before it where every view goes on in its step.
    fn push(&mut self, len: usize, strides: [isize; N]) {
        if let Some(last) = self.axes.checked_sub(1) {
            let mut goes_on = true;
            for (outer, inner) in self.strides[last].iter().zip(&strides) {
                goes_on &= *outer == inner * len as isize;
            }
            if goes_on {
                self.lengths[last] *= len;
                self.strides[last] = strides;
                return;
            }
        }
        self.lengths[self.axes] = len;
        self.strides[self.axes] = strides;
        self.axes += 1;
    }

    /// Elements of a row.
    #[inline]
    pub fn row_len(&self) -> usize {
        self.lengths[self.axes - 1]
    }

    /// The step along a row in each view.
    #[inline]
    pub fn steps(&self) -> [isize; N] {
        self.strides[self.axes - 1]
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        let mut rows = 1;
        for len in &self.lengths[..self.axes - 1] {
            rows *= len;
        }
        rows
    }

    /// Lengths and strides of the axes that are left, outermost first.
    pub fn axes(&self) -> (&[usize], &[[isize; N]]) {
        (&self.lengths[..self.axes], &self.strides[..self.axes])
    }

    /// Where the first element is.
    pub fn offsets(&self) -> [usize; N] {
        self.offsets
    }

    /// From an element on.
    #[inline]
    pub fn stretch(&self, start: usize) -> Stretch<'_, N> {
        let len = self.row_len().max(1);
        Stretch {
            cursor: self.cursor(start / len),
            skipped: start % len,
        }
    }

    /// At the start of a row.
    #[inline]
    pub fn cursor(&self, row: usize) -> Cursor<'_, N> {
        let mut cursor = Cursor {
            walk: self,
            index: [0; RANK_MAX],
            at: self.offsets,
        };
        let mut rest = row;
        for axis in (0..self.axes - 1).rev() {
            cursor.index[axis] = rest % self.lengths[axis];
            rest /= self.lengths[axis];
            for (at, stride) in cursor.at.iter_mut().zip(self.strides[axis]) {
                *at = at.wrapping_add_signed(stride * cursor.index[axis] as isize);
            }
        }
        cursor
    }
}

/// What is left of a stretch of elements: a part of a row at a time.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a, const N: usize> {
    cursor: Cursor<'a, N>,
    /// Elements of the row that lie behind.
    skipped: usize,
}

impl<const N: usize> Stretch<'_, N> {
    /// The next elements, at most so many: how many there are in this row, and where the first is in each view.
    #[inline(always)]
    pub fn next(&mut self, most: usize) -> (usize, [usize; N]) {
        let walk = self.cursor.walk;
        let (len, steps) = (walk.row_len(), walk.steps());
        let mut at = self.cursor.at;
        for (at, step) in at.iter_mut().zip(steps) {
            *at = at.wrapping_add_signed(step * self.skipped as isize);
        }
        let count = (len - self.skipped).min(most);
        self.skipped += count;
        if self.skipped == len {
            self.skipped = 0;
            self.cursor.advance();
        }
        (count, at)
    }
}

/// A place in a [`Walk`].
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a, const N: usize> {
    walk: &'a Walk<N>,
    index: [usize; RANK_MAX],
    /// Where the row starts in each view.
    pub at: [usize; N],
}

impl<const N: usize> Cursor<'_, N> {
    /// To the next row; after the last, to the first.
    #[inline(always)]
    pub fn advance(&mut self) {
        let walk = self.walk;
        let mut axis = walk.axes - 1;
        while axis > 0 {
            axis -= 1;
            self.index[axis] += 1;
            let len = walk.lengths[axis];
            let turns = self.index[axis] == len;
            for (at, stride) in self.at.iter_mut().zip(&walk.strides[axis]) {
                let back = if turns { stride * len as isize } else { 0 };
                *at = at.wrapping_add_signed(stride - back);
            }
            if !turns {
                return;
            }
            self.index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(shape: &[usize], strides: &[isize], offset: usize) -> (usize, Vec<usize>) {
        let walk = Walk::of(shape, [(shape, strides, offset)]);
        let [step] = walk.steps();
        let mut places = Vec::new();
        let mut cursor = walk.cursor(0);
        for row in 0..walk.rows() {
            assert_eq!(cursor.at, walk.cursor(row).at);
            for i in 0..walk.row_len() {
                places.push(cursor.at[0].wrapping_add_signed(step * i as isize));
            }
            cursor.advance();
        }
        (walk.rows(), places)
    }

    #[test]
    fn axes_that_lie_behind_one_another_are_one() {
        assert_eq!(places(&[2, 1, 3], &[3, 77, 1], 5), (1, (5..11).collect()));
        assert_eq!(places(&[2, 3], &[1, 2], 0), (2, vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(places(&[2, 2], &[0, 1], 4), (2, vec![4, 5, 4, 5]));
        assert_eq!(places(&[2, 2], &[-2, -1], 3), (1, vec![3, 2, 1, 0]));
        assert_eq!(places(&[], &[], 6), (1, vec![6]));
    }

    #[test]
    fn a_stretch_begins_and_ends_anywhere() {
        let walk = Walk::of(&[3, 4], [(&[3, 4], &[1, 3], 0)]);
        let (_, all) = places(&[3, 4], &[1, 3], 0);
        for start in 0..12 {
            for end in start..=12 {
                let (mut stretch, mut found) = (walk.stretch(start), Vec::new());
                while found.len() < end - start {
                    let (count, [at]) = stretch.next(end - start - found.len());
                    found.extend((0..count).map(|i| at + 3 * i));
                }
                assert_eq!(found, all[start..end]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn lengths_that_differ_and_are_not_one_are_refused() {
        Walk::of(&[2, 3], [(&[2, 2], &[2, 1], 0)]);
    }
}
