//! A matrix in memory, read by any strides.

use crate::kernels::view::elements;

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The storage.
    pub data: &'a [f32],
    /// Where element (0, 0) is.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Distance between rows.
    pub row_stride: isize,
    /// Distance between columns.
    pub column_stride: isize,
}

impl<'a> Matrix<'a> {
    /// A gap-free row-major matrix.
    ///
    /// # Panics
    ///
    /// If the data has another length than the shape says.
    pub fn row_major(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(
            data.len(),
            elements(&[rows, columns]),
            "the shape does not describe the data"
        );
        Self {
            data,
            offset: 0,
            rows,
            columns,
            row_stride: columns as isize,
            column_stride: 1,
        }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Where an element is.
    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        let moved = row as isize * self.row_stride + column as isize * self.column_stride;
        (self.offset as isize + moved) as usize
    }

    /// Asserts that every element lies in the storage, which everything that uses pointers relies on.
    pub(super) fn assert_in_bounds(&self) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        // In 128 bits nothing of this wraps, whatever the build checks.
        let span = |len: usize, stride: isize| (len as i128 - 1) * stride as i128;
        let (down, right) = (
            span(self.rows, self.row_stride),
            span(self.columns, self.column_stride),
        );
        let least = self.offset as i128 + down.min(0) + right.min(0);
        let greatest = self.offset as i128 + down.max(0) + right.max(0);
        assert!(
            least >= 0 && greatest < self.data.len() as i128,
            "repro: a matrix reaches outside its storage"
        );
    }
}
