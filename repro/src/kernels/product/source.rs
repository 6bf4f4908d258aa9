//! The right factor as the tiles find it: where it lies, packed before, or copied for them.

use super::matrix::Matrix;
use super::pack::{Buffer, Right, in_stretches, strips};
use super::task::Task;
use super::tile::{Strips, width};
use crate::kernels::simd::Simd;
use std::ops::Range;

/// Rows up to which a row-major right factor is read where it lies: packing would cost more than it saves.
const DIRECT_ROWS: usize = 64;
/// The same where its rows are two pages and more from each other.
const DIRECT_ROWS_FAR: usize = 24;
/// The same where they are a whole number of pages apart: there they compete for the same places of the nearest cache.
const DIRECT_ROWS_CROWDED: usize = 12;
const FAR: usize = 2048;
const PAGE: usize = 1024;

/// Whether so many rows read this right factor where it lies. The borders are measured (`--bench product`), with 384 to 4096
/// columns, on an Intel Xeon with AVX-512.
fn is_direct(rows: usize, b: &Matrix) -> bool {
    if b.column_stride != 1 || b.row_stride < 0 {
        return false;
    }
    let stride = b.row_stride as usize;
    rows <= match stride {
        _ if stride > 0 && stride.is_multiple_of(PAGE) => DIRECT_ROWS_CROWDED,
        FAR.. => DIRECT_ROWS_FAR,
        _ => DIRECT_ROWS,
    }
}

/// The right factor as the tiles find it: whole strips, and the last one if it is not whole.
pub(super) struct Ready {
    pub whole: Strips,
    pub rest: Strips,
}

/// The right factor of some columns and steps.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Where it lies; the columns that fill no strip are copied here.
    Direct { rest: *const f32, start: usize },
    /// In a [`Packed`](super::Packed).
    Packed,
    /// Copied here, in stretches: from which step and column on, and how many columns with those that fill a vector.
    Copied {
        first: *const f32,
        start: usize,
        column: usize,
        across: usize,
    },
}

impl Source {
    /// Finds or copies it.
    #[inline(always)]
    pub(super) fn of<S: Simd>(
        simd: S,
        task: &Task,
        rows: &Range<usize>,
        columns: &Range<usize>,
        ks: &Range<usize>,
        buffer: &mut Buffer,
    ) -> Self {
        let strip = width::<S>();
        match task.b {
            Right::Packed(_) => Source::Packed,
            Right::Matrix(b) if is_direct(rows.len(), &b) => {
                let rest = columns.end - columns.len() % strip..columns.end;
                let out = buffer.take(strip * ks.len());
                strips(simd, b, ks.clone(), rest, out);
                Source::Direct {
                    rest: out.as_ptr(),
                    start: ks.start,
                }
            }
            Right::Matrix(b) => {
                let across = columns.len().next_multiple_of(S::LANES);
                let out = buffer.take(across * ks.len());
                in_stretches(simd, b, ks.clone(), columns.clone(), out);
                Source::Copied {
                    first: out.as_ptr(),
                    start: ks.start,
                    column: columns.start,
                    across,
                }
            }
        }
    }

    /// Some steps of it for the tiles, of these columns: all, or those from a strip to a strip or the end.
    #[inline(always)]
    pub(super) fn ready<S: Simd>(
        self,
        task: &Task,
        columns: &Range<usize>,
        ks: &Range<usize>,
    ) -> Ready {
        let strip = width::<S>();
        let (count, rest) = (columns.len() / strip, columns.len() % strip);
        let last = rest.next_multiple_of(S::LANES);
        let behind = |strips: Strips| Strips {
            start: strips.start.wrapping_add(count * strips.strip),
            row: last,
            strip: 0,
        };
        match (self, task.b) {
            (
                Source::Direct {
                    rest: copied,
                    start,
                },
                Right::Matrix(b),
            ) => Ready {
                whole: Strips {
                    start: b.data[b.at(ks.start, columns.start)..].as_ptr(),
                    row: b.row_stride as usize,
                    strip,
                },
                rest: Strips {
                    start: copied.wrapping_add((ks.start - start) * last),
                    row: last,
                    strip: 0,
                },
            },
            (
                Source::Copied {
                    first,
                    start,
                    column,
                    across,
                },
                _,
            ) => {
                let at = (ks.start - start) * across + (columns.start - column) * ks.len();
                let whole = Strips {
                    start: first.wrapping_add(at),
                    row: strip,
                    strip: strip * ks.len(),
                };
                let rest = behind(whole);
                Ready { whole, rest }
            }
            (_, Right::Packed(packed)) => {
                let whole = packed.strips(ks, columns.start);
                let rest = behind(whole);
                Ready { whole, rest }
            }
            _ => unreachable!("only a matrix is read where it lies"),
        }
    }
}
