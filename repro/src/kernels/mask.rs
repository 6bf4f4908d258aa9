//! Numbers replaced where a mask says so.
//!
//! **Shapes.** The mask broadcasts to the numbers. **Order.** None: nothing is computed. A mask's element counts if it is not zero.

use super::paths::Settings;
use super::simd::{Kernel, Simd};
use super::stretches::in_place;
use super::view::View;
use super::walk::Walk;

/// A mask in memory and how to walk it, as a [`View`].
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    /// The whole storage.
    pub data: &'a [u8],
    /// Length of each axis.
    pub shape: &'a [usize],
    /// Distance between neighbours along each axis.
    pub strides: &'a [isize],
    /// Where the first element is.
    pub offset: usize,
}

/// `value` where the mask says so.
///
/// **Shapes.** `x` is row-major of this shape, the mask broadcasts to it.
///
/// # Panics
///
/// If the mask does not broadcast to the shape.
pub fn fill(settings: Settings, x: &mut [f32], shape: &[usize], mask: Mask, value: f32) {
    let walk = Walk::of(shape, [(mask.shape, mask.strides, mask.offset)]);
    in_place(settings, x, walk.row_len(), 1, |start, x| {
        settings.path.run(Fill {
            x,
            first: start / walk.row_len(),
            walk: &walk,
            mask: mask.data,
            value,
        });
    });
}

/// `y` where the mask says so.
///
/// **Shapes.** `x` is row-major of this shape, mask and `y` broadcast to it.
///
/// # Panics
///
/// If mask or `y` do not broadcast to the shape.
pub fn choose(settings: Settings, x: &mut [f32], shape: &[usize], mask: Mask, y: View) {
    let walk = Walk::of(
        shape,
        [
            (mask.shape, mask.strides, mask.offset),
            (y.shape, y.strides, y.offset),
        ],
    );
    in_place(settings, x, walk.row_len(), 1, |start, x| {
        settings.path.run(Choose {
            x,
            first: start / walk.row_len(),
            walk: &walk,
            mask: mask.data,
            y: y.data,
        });
    });
}

struct Fill<'a> {
    x: &'a mut [f32],
    first: usize,
    walk: &'a Walk<1>,
    mask: &'a [u8],
    value: f32,
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (len, [step]) = (self.walk.row_len(), self.walk.steps());
        let (mask, value) = (self.mask, self.value);
        let mut cursor = self.walk.cursor(self.first);
        for x in self.x.chunks_exact_mut(len.max(1)) {
            let [mut at] = cursor.at;
            if step == 1 {
                for (x, is_set) in x.iter_mut().zip(&mask[at..at + len]) {
                    *x = if *is_set != 0 { value } else { *x };
                }
            } else {
                for x in x {
                    *x = if mask[at] != 0 { value } else { *x };
                    at = at.wrapping_add_signed(step);
                }
            }
            cursor.advance();
        }
    }
}

struct Choose<'a> {
    x: &'a mut [f32],
    first: usize,
    walk: &'a Walk<2>,
    mask: &'a [u8],
    y: &'a [f32],
}

impl Kernel for Choose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (len, steps) = (self.walk.row_len(), self.walk.steps());
        let (mask, y) = (self.mask, self.y);
        let mut cursor = self.walk.cursor(self.first);
        for x in self.x.chunks_exact_mut(len.max(1)) {
            let [mut at, mut other] = cursor.at;
            if steps == [1, 1] {
                let masked = mask[at..at + len].iter().zip(&y[other..other + len]);
                for (x, (is_set, y)) in x.iter_mut().zip(masked) {
                    *x = if *is_set != 0 { *y } else { *x };
                }
            } else {
                for x in x {
                    *x = if mask[at] != 0 { y[other] } else { *x };
                    at = at.wrapping_add_signed(steps[0]);
                    other = other.wrapping_add_signed(steps[1]);
                }
            }
            cursor.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_any_strides_choose_the_places_they_name() {
        let mask = Mask {
            data: &[0, 1, 2, 0, 0, 9],
            shape: &[1, 3],
            strides: &[0, 2],
            offset: 1,
        };
        let settings = Settings::current().with_threads(2).with_split_min(0);
        let mut x: Vec<f32> = (0..300).map(|i| i as f32).collect();
        fill(settings, &mut x, &[100, 3], mask, -1.0);
        for (i, x) in x.iter().enumerate() {
            assert_eq!(*x, if i % 3 == 1 { i as f32 } else { -1.0 });
        }
        let y = [7.0, 8.0, 9.0];
        let y = View {
            data: &y,
            shape: &[1, 3],
            strides: &[3, -1],
            offset: 2,
        };
        choose(settings, &mut x, &[100, 3], mask, y);
        assert_eq!(x[..6], [9.0, 1.0, 7.0, 9.0, 4.0, 7.0]);
    }
}
