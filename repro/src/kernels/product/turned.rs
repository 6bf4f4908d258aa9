//! Few rows by a right factor that lies transposed, as in the gradient of a linear map's input.
//!
//! To read such a factor in tiles is to turn it around, number by number: with few rows that takes as long as the product.
//! The transposed product has it as its left factor, which is read as it lies, and only its result, which is small, is
//! turned. `fma(b, a, acc)` is `fma(a, b, acc)`: the chains are the same.

use super::finish::Finish;
use super::{Matrix, product};
use crate::kernels::copy::packed;
use crate::kernels::memory::Numbers;
use crate::kernels::paths::Settings;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::stretches::in_place;
use crate::kernels::view::View;
use std::ops::RangeInclusive;

/// Numbers of rows for which it pays: fewer leave most of a vector idle, more are worth the turning.
const ROWS: RangeInclusive<usize> = 8..=64;
/// Columns and inner length from which it pays to turn the result.
const COLUMNS_MIN: usize = 96;
const INNER_MIN: usize = 96;

/// Whether the transposed product is the faster way.
pub(super) fn is_better(a: &Matrix, b: &Matrix) -> bool {
    b.row_stride == 1
        && b.column_stride > 1
        && ROWS.contains(&a.rows)
        && b.columns >= COLUMNS_MIN
        && b.rows >= INNER_MIN
}

/// [`super::finished`] by the transposed product.
pub(super) fn finished(settings: Settings, a: Matrix, b: Matrix, finish: Finish) -> Numbers {
    let (rows, columns) = (a.rows, b.columns);
    assert_eq!(
        a.columns, b.rows,
        "repro: a product of {} columns by {} rows",
        a.columns, b.rows
    );
    if let Some(bias) = finish.bias() {
        assert_eq!(
            bias.len(),
            columns,
            "repro: a bias of another length than the product's rows"
        );
    }
    let across = product(settings, b.transposed(), a.transposed());
    let turned = View {
        data: &across,
        shape: &[rows, columns],
        strides: &[1, rows as isize],
        offset: 0,
    };
    let mut out = packed(settings, &turned).into_numbers();
    if !finish.is_done(false) {
        in_place(settings, &mut out, columns, 4, |_, part| {
            settings.path.run(Rows {
                finish,
                part,
                columns,
            });
        });
    }
    out
}

/// What is done to whole rows after their chains.
struct Rows<'t, 'a> {
    finish: Finish<'a>,
    part: &'t mut [f32],
    columns: usize,
}

impl Kernel for Rows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for row in self.part.chunks_exact_mut(self.columns) {
            self.finish.apply::<S>(row, 0..self.columns, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Finish, finished as product_finished, into};
    use super::*;
    use crate::kernels::paths::Path;
    use crate::kernels::product::Right;

    #[test]
    fn it_has_the_bits_of_the_product() {
        let numbers = |len: usize| -> Vec<f32> {
            (0..len)
                .map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.001_37)
                .collect()
        };
        for (m, k, n) in [(8, 96, 96), (33, 131, 97), (64, 301, 160)] {
            let (a, mut b, bias) = (numbers(m * k), numbers(k * n), numbers(n));
            (b[3], b[k + 5]) = (f32::INFINITY, -0.0);
            let a = Matrix::row_major(&a, m, k);
            let b = Matrix::row_major(&b, n, k).transposed();
            assert!(is_better(&a, &b));
            for path in Path::available() {
                for finish in [Finish::Plain, Finish::Bias(&bias), Finish::BiasGelu(&bias)] {
                    let settings = Settings::current().with_path(path).with_threads(2);
                    let mut expected = Numbers::unset(m * n);
                    into(settings, a, Right::Matrix(b), finish, &mut expected);
                    let found = product_finished(settings, a, b, finish);
                    let is_same = found
                        .iter()
                        .zip(expected.iter())
                        .all(|(x, y)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan());
                    assert!(is_same, "{finish:?} of {m} rows on {}", path.name());
                }
            }
        }
    }
}
