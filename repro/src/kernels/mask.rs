//! Numbers replaced where a mask says so.
//!
//! **Shapes.** The mask broadcasts to the numbers. **Order.** None: nothing is computed. A mask's element counts if it is not zero.

use super::paths::Settings;
use super::simd::{Kernel, Simd};
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
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    walk: Walk<1>,
    mask: &'a [u8],
    value: f32,
}

impl<'a> Fill<'a> {
    /// A mask that broadcasts to the shape.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn new(shape: &[usize], mask: Mask<'a>, value: f32) -> Self {
        Self {
            walk: Walk::of(shape, [(mask.shape, mask.strides, mask.offset)]),
            mask: mask.data,
            value,
        }
    }

    /// Does it to numbers of the shape, in row-major order from the one at `start`.
    pub fn over(&self, settings: Settings, start: usize, x: &mut [f32]) {
        settings.path.run(Filling {
            x,
            start,
            fill: self,
        });
    }
}

/// The other number where the mask says so.
#[derive(Clone, Copy, Debug)]
pub struct Choose<'a> {
    walk: Walk<2>,
    mask: &'a [u8],
    other: &'a [f32],
}

impl<'a> Choose<'a> {
    /// A mask and other numbers that broadcast to the shape.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn new(shape: &[usize], mask: Mask<'a>, other: View<'a>) -> Self {
        let masked = (mask.shape, mask.strides, mask.offset);
        let others = (other.shape, other.strides, other.offset);
        Self {
            walk: Walk::of(shape, [masked, others]),
            mask: mask.data,
            other: other.data,
        }
    }

    /// Does it to numbers of the shape, in row-major order from the one at `start`.
    pub fn over(&self, settings: Settings, start: usize, x: &mut [f32]) {
        settings.path.run(Choosing {
            x,
            start,
            choose: self,
        });
    }
}

struct Filling<'a> {
    x: &'a mut [f32],
    start: usize,
    fill: &'a Fill<'a>,
}

impl Kernel for Filling<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // Copies, so that the compiler need not fear that a number written is one of them.
        let Fill {
            ref walk,
            mask,
            value,
        } = *self.fill;
        let [step] = walk.steps();
        let (mut stretch, mut rest) = (walk.stretch(self.start), self.x);
        while !rest.is_empty() {
            let (count, [mut at]) = stretch.next(rest.len());
            let (x, later) = rest.split_at_mut(count);
            rest = later;
            if step == 1 {
                for (x, is_set) in x.iter_mut().zip(&mask[at..at + count]) {
                    *x = if *is_set != 0 { value } else { *x };
                }
                continue;
            }
            for x in x {
                *x = if mask[at] != 0 { value } else { *x };
                at = at.wrapping_add_signed(step);
            }
        }
    }
}

struct Choosing<'a> {
    x: &'a mut [f32],
    start: usize,
    choose: &'a Choose<'a>,
}

impl Kernel for Choosing<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Choose {
            ref walk,
            mask,
            other,
        } = *self.choose;
        let steps = walk.steps();
        let (mut stretch, mut rest) = (walk.stretch(self.start), self.x);
        while !rest.is_empty() {
            let (count, [mut at, mut y]) = stretch.next(rest.len());
            let (x, later) = rest.split_at_mut(count);
            rest = later;
            if steps == [1, 1] {
                let masked = mask[at..at + count].iter().zip(&other[y..y + count]);
                for (x, (is_set, y)) in x.iter_mut().zip(masked) {
                    *x = if *is_set != 0 { *y } else { *x };
                }
                continue;
            }
            for x in x {
                *x = if mask[at] != 0 { other[y] } else { *x };
                at = at.wrapping_add_signed(steps[0]);
                y = y.wrapping_add_signed(steps[1]);
            }
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
        let settings = Settings::current();
        let mut x: Vec<f32> = (0..300).map(|i| i as f32).collect();
        let fill = Fill::new(&[100, 3], mask, -1.0);
        fill.over(settings, 0, &mut x[..50]);
        fill.over(settings, 50, &mut x[50..]);
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
        Choose::new(&[100, 3], mask, y).over(settings, 1, &mut x[1..]);
        assert_eq!(x[..6], [-1.0, 1.0, 7.0, 9.0, 4.0, 7.0]);
    }
}
