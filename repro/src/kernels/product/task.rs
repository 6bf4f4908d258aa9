//! A product with the memory for its result: what is checked before any pointer is used.

use super::block::Block;
use super::finish::Finish;
use super::matrix::Matrix;
use super::pack::{Buffer, Right};
use super::tile::Chains;
use crate::kernels::paths::Path;
use crate::kernels::view::elements;
use std::cell::Cell;
use std::ops::Range;

/// A product with the memory for its result.
pub(in crate::kernels) struct Task<'a> {
    pub(super) a: Matrix<'a>,
    pub(super) b: Right<'a>,
    pub(super) finish: Finish<'a>,
    pub(super) out: *mut f32,
    /// Distance between rows of the output.
    pub(super) row: usize,
    _out: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: `run` writes only the rows and columns it is given, and its caller promises that no two calls meet.
unsafe impl Sync for Task<'_> {}

impl<'a> Task<'a> {
    /// The product into row-major memory; what was there does not matter.
    ///
    /// # Panics
    ///
    /// If the factors do not fit each other, the memory or the bias, or reach outside their storage.
    pub(in crate::kernels) fn new(
        a: Matrix<'a>,
        b: Right<'a>,
        finish: Finish<'a>,
        out: &'a mut [f32],
    ) -> Self {
        let row = b.columns();
        assert!(
            out.len() >= elements(&[a.rows, row]),
            "repro: the output of a product is too short"
        );
        // SAFETY: the memory is as long as the rows, and borrowed for the task.
        unsafe { Self::into_rows(a, b, finish, out.as_mut_ptr(), row) }
    }

    /// [`new`](Self::new), into rows that lie so far from each other.
    ///
    /// # Safety
    ///
    /// While the task is there, each row of the result can be written there, and nobody else uses it.
    ///
    /// # Panics
    ///
    /// If the factors do not fit each other or the bias, or reach outside their storage.
    pub(in crate::kernels) unsafe fn into_rows(
        a: Matrix<'a>,
        b: Right<'a>,
        finish: Finish<'a>,
        out: *mut f32,
        row: usize,
    ) -> Self {
        assert_eq!(
            a.columns,
            b.rows(),
            "repro: a product of {} columns by {} rows",
            a.columns,
            b.rows()
        );
        if a.columns > 0 && a.rows > 0 && b.columns() > 0 {
            a.assert_in_bounds();
            b.assert_in_bounds();
        }
        if let Some(bias) = finish.bias() {
            assert_eq!(
                bias.len(),
                b.columns(),
                "repro: a bias of another length than the product's rows"
            );
        }
        Self {
            a,
            b,
            finish,
            out,
            row,
            _out: std::marker::PhantomData,
        }
    }

    pub(super) fn lengths(&self) -> [usize; 3] {
        [self.a.rows, self.a.columns, self.b.columns()]
    }

    /// The chains from an element on, for a stretch of steps.
    pub(super) fn chains(&self, row: usize, column: usize, steps: &Range<usize>) -> Chains {
        let bias = self.finish.bias().filter(|_| steps.end == self.a.columns);
        Chains {
            out: self.out.wrapping_add(row * self.row + column),
            row: self.row,
            begins: steps.start == 0,
            bias: bias.map_or(std::ptr::null(), |bias| bias[column..].as_ptr()),
        }
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self.b, Right::Packed(_))
    }

    /// Computes some rows and columns. The columns begin at a multiple of a path's strip.
    ///
    /// # Safety
    ///
    /// No other thread computes one of these elements, or uses that memory.
    ///
    /// # Panics
    ///
    /// If the right factor was packed for another path.
    pub(in crate::kernels) unsafe fn run(
        &self,
        path: Path,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        assert!(rows.end <= self.a.rows && columns.end <= self.b.columns());
        if let Right::Packed(packed) = self.b {
            assert!(
                packed.path() == path,
                "repro: a factor packed for the path `{}` meets the path `{}`",
                packed.path().name(),
                path.name()
            );
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        path.run(Block {
            task: self,
            rows,
            columns,
            scratch: &mut scratch,
        });
        SCRATCH.set(Some(scratch));
    }

    /// Computes all of it on this thread.
    pub(in crate::kernels) fn run_alone(self, path: Path) {
        let [rows, _, columns] = self.lengths();
        // SAFETY: the memory is borrowed for this task, which is not shared.
        unsafe { self.run(path, 0..rows, 0..columns) };
    }
}

/// Memory for the packed factors of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    pub left: Buffer,
    pub right: Buffer,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}
