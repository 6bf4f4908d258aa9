//! Greatest elements of windows.

use super::{Pooling, WORK, share};
use crate::kernels::memory::Numbers;
use crate::kernels::order_free::{Extreme, beats};
use crate::kernels::paths::Settings;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::view::elements;
use crate::kernels::{Parts, pool};

/// The greatest element of each window and its place in the plane, `row · w + column`.
///
/// **Shapes.** `[planes, h, w]` to values and places `[planes, oh, ow]`. **Order.** A tie goes to the lowest
/// place, the zeros are equal, the first NaN wins; padding never does.
///
/// # Panics
///
/// If the planes are not whole, or larger than 2³¹ − 1.
pub fn max(settings: Settings, shape: Pooling, x: &[f32]) -> (Numbers, Vec<i32>) {
    let (len, out_len) = (shape.input_len(), shape.output_len());
    let planes = planes(x.len(), len);
    let mut values = Numbers::unset(elements(&[planes, out_len]));
    let mut places = vec![0; planes * out_len];
    let threads = settings.threads_for(x.len().saturating_mul(WORK));
    let share = share(planes, threads);
    let parts = (
        Parts::new(&mut values, share * out_len),
        Parts::new(&mut places, share * out_len),
    );
    pool::run(threads, parts.0.count(), |index| {
        // SAFETY: each task takes a part of its own.
        let (values, places) = unsafe { (parts.0.get(index), parts.1.get(index)) };
        settings.path.run(Max {
            shape,
            x: &x[index * share * len..],
            values,
            places,
        });
    });
    (values, places)
}

/// The gradient of the input of [`max`]: each output's gradient goes to the place of its greatest element.
///
/// **Shapes.** Gradient and places `[planes, oh, ow]` to `[planes, h, w]`. **Order.** Onto +0.0, in
/// ascending order of the outputs.
///
/// # Panics
///
/// If there are not as many places as gradients, or a place is outside its plane.
pub fn max_gradient(settings: Settings, shape: Pooling, grad: &[f32], places: &[i32]) -> Numbers {
    assert_eq!(
        grad.len(),
        places.len(),
        "repro: max pooling needs a place an output"
    );
    let (len, out_len) = (shape.input_len(), shape.output_len());
    let planes = planes(grad.len(), out_len);
    let mut out = Numbers::unset(planes * len);
    let threads = settings.threads_for(out.len().saturating_mul(WORK));
    let share = share(planes, threads);
    let parts = Parts::new(&mut out, share * len);
    pool::run(threads, parts.count(), |index| {
        let from = index * share * out_len;
        settings.path.run(MaxGradient {
            shape,
            grad: &grad[from..],
            places: &places[from..],
            // SAFETY: each task takes a part of its own.
            out: unsafe { parts.get(index) },
        });
    });
    out
}

fn planes(len: usize, plane: usize) -> usize {
    assert!(
        len.is_multiple_of(plane) && i32::try_from(plane).is_ok(),
        "repro: max pooling of {len} numbers in planes of {plane}"
    );
    len / plane
}

struct Max<'a> {
    shape: Pooling,
    x: &'a [f32],
    values: &'a mut [f32],
    places: &'a mut [i32],
}

impl Kernel for Max<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let shape = self.shape;
        let columns = shape.output[1];
        // Windows that are inside from the first tap to the last.
        let mut inside = 0..columns;
        while !inside.is_empty() && shape.taps(1, inside.start).len() < shape.kernel[1] {
            inside.start += 1;
        }
        while !inside.is_empty() && shape.taps(1, inside.end - 1).len() < shape.kernel[1] {
            inside.end -= 1;
        }
        let planes = self.x.chunks_exact(shape.input_len());
        let values = self.values.chunks_exact_mut(shape.output_len());
        let places = self.places.chunks_exact_mut(shape.output_len());
        for ((x, values), places) in planes.zip(values).zip(places) {
            let values = values.chunks_exact_mut(columns);
            let rows = values.zip(places.chunks_exact_mut(columns));
            for (row, (values, places)) in rows.enumerate() {
                for column in (0..inside.start).chain(inside.end..columns) {
                    (values[column], places[column]) = one(shape, row, column, x);
                }
                let (values, places) = (&mut values[inside.clone()], &mut places[inside.clone()]);
                match (inside.len(), shape.stride[1]) {
                    (8.., 1) => blocks::<8, 1>(shape, row, inside.start, x, values, places),
                    (8.., 2) => blocks::<8, 2>(shape, row, inside.start, x, values, places),
                    (4.., 1) => blocks::<4, 1>(shape, row, inside.start, x, values, places),
                    (4.., 2) => blocks::<4, 2>(shape, row, inside.start, x, values, places),
                    _ => {
                        for index in 0..inside.len() {
                            (values[index], places[index]) =
                                one(shape, row, inside.start + index, x);
                        }
                    }
                }
            }
        }
    }
}

/// The greatest element of one window.
#[inline(always)]
fn one(shape: Pooling, row: usize, column: usize, x: &[f32]) -> (f32, i32) {
    let (rows, columns) = (shape.taps(0, row), shape.taps(1, column));
    let place = |down, right| shape.at(0, row, down) * shape.input[1] + shape.at(1, column, right);
    let mut at = place(rows.start, columns.start);
    for down in rows {
        for right in columns.clone() {
            let now = place(down, right);
            if beats(x[now], x[at], Extreme::Max) {
                at = now;
            }
        }
    }
    (x[at], at as i32)
}

/// The greatest elements of neighbouring windows, `N` at a time, of which the last may be some of those before.
#[inline(always)]
fn blocks<const N: usize, const STEP: usize>(
    shape: Pooling,
    row: usize,
    first: usize,
    x: &[f32],
    values: &mut [f32],
    places: &mut [i32],
) {
    let mut index = 0;
    loop {
        let start = index.min(values.len() - N);
        let (best, at) = block::<N, STEP>(shape, row, first + start, x);
        values[start..start + N].copy_from_slice(&best);
        places[start..start + N].copy_from_slice(&at);
        index += N;
        if index >= values.len() {
            break;
        }
    }
}

#[inline(always)]
fn block<const N: usize, const STEP: usize>(
    shape: Pooling,
    row: usize,
    column: usize,
    x: &[f32],
) -> ([f32; N], [i32; N]) {
    let (mut best, mut at) = ([f32::NEG_INFINITY; N], [-1i32; N]);
    for down in shape.taps(0, row) {
        for right in 0..shape.kernel[1] {
            let place = shape.at(0, row, down) * shape.input[1] + shape.at(1, column, right);
            let from = &x[place..place + (N - 1) * STEP + 1];
            for lane in 0..N {
                let value = from[lane * STEP];
                // The rule of `beats` without branches; the first always wins.
                let beats = ((value > best[lane]) | value.is_nan()) & !best[lane].is_nan();
                let wins = beats | (at[lane] < 0);
                best[lane] = if wins { value } else { best[lane] };
                let here = (place as i32).wrapping_add((lane * STEP) as i32);
                at[lane] = if wins { here } else { at[lane] };
            }
        }
    }
    (best, at)
}

struct MaxGradient<'a> {
    shape: Pooling,
    grad: &'a [f32],
    places: &'a [i32],
    out: &'a mut [f32],
}

impl Kernel for MaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (shape, out_len) = (self.shape, self.shape.output_len());
        // Four elements for each window, and no element in two.
        let is_quartered = shape.kernel == [2, 2]
            && shape.stride == [2, 2]
            && shape.padding == [0, 0]
            && shape.dilation == [1, 1]
            && shape.output[1] >= 4;
        let outputs = self.grad.chunks_exact(out_len);
        let outputs = outputs.zip(self.places.chunks_exact(out_len));
        for (plane, (grad, places)) in self.out.chunks_exact_mut(shape.input_len()).zip(outputs) {
            if !(is_quartered && quarter(shape, grad, places, plane)) {
                scatter(grad, places, plane);
            }
        }
    }
}

#[inline(always)]
fn scatter(grad: &[f32], places: &[i32], plane: &mut [f32]) {
    let len = plane.len();
    plane.fill(0.0);
    for (grad, &place) in grad.iter().zip(places) {
        match usize::try_from(place).ok().and_then(|at| plane.get_mut(at)) {
            Some(place) => *place += grad,
            None => panic!("repro: place {place} is outside a plane of {len}"),
        }
    }
}

/// The same for windows of two by two beside each other, without a scattered addition; or false, if a place is not in its
/// window.
#[inline(always)]
fn quarter(shape: Pooling, grad: &[f32], places: &[i32], plane: &mut [f32]) -> bool {
    const N: usize = 4;
    let ([rows, columns], width) = (shape.output, shape.input[1]);
    let mut all_inside = true;
    let rest = 2 * columns;
    for row in 0..rows {
        let (grad, places) = (
            &grad[row * columns..][..columns],
            &places[row * columns..][..columns],
        );
        let (above, below) = plane[2 * row * width..][..2 * width].split_at_mut(width);
        let mut index = 0;
        while index < columns {
            let start = index.min(columns - N);
            let first = (2 * row * width + 2 * start) as i32;
            let (grad, places) = (&grad[start..start + N], &places[start..start + N]);
            let above = &mut above[2 * start..2 * (start + N)];
            let below = &mut below[2 * start..2 * (start + N)];
            for lane in 0..N {
                // Onto +0.0, so that −0 becomes +0.
                let sum = 0.0 + grad[lane];
                let at = places[lane].wrapping_sub(first + 2 * lane as i32);
                let below_at = at.wrapping_sub(width as i32);
                all_inside &= (at == 0) | (at == 1) | (below_at == 0) | (below_at == 1);
                above[2 * lane] = if at == 0 { sum } else { 0.0 };
                above[2 * lane + 1] = if at == 1 { sum } else { 0.0 };
                below[2 * lane] = if below_at == 0 { sum } else { 0.0 };
                below[2 * lane + 1] = if below_at == 1 { sum } else { 0.0 };
            }
            index += N;
        }
        above[rest..].fill(0.0);
        below[rest..].fill(0.0);
    }
    plane[2 * rows * width..].fill(0.0);
    all_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(input: [usize; 2], kernel: [usize; 2], step: [usize; 2], padding: usize) -> Pooling {
        Pooling::new(input, kernel, step, [padding; 2], [1, 1], false)
    }

    fn max(shape: Pooling, x: &[f32]) -> (Vec<f32>, Vec<i32>) {
        let (values, places) = super::max(Settings::current(), shape, x);
        (values.to_vec(), places)
    }

    fn max_gradient(shape: Pooling, grad: &[f32], places: &[i32]) -> Vec<f32> {
        super::max_gradient(Settings::current(), shape, grad, places).to_vec()
    }

    #[test]
    fn ties_go_to_the_lowest_place_and_padding_never_wins() {
        let two = shape([2, 4], [2, 2], [2, 2], 0);
        let (values, places) = max(two, &[1.0, 3.0, -0.0, 0.0, 3.0, 3.0, -0.0, 0.0]);
        assert_eq!((values, places), (vec![3.0, -0.0], vec![1, 2]));
        let padded = shape([2, 2], [2, 2], [2, 2], 1);
        assert_eq!(padded.output(), [2, 2]);
        let (values, places) = max(padded, &[-1.0, -2.0, -3.0, -4.0]);
        assert_eq!(
            (values, places),
            (vec![-1.0, -2.0, -3.0, -4.0], vec![0, 1, 2, 3])
        );
        let (_, places) = max(two, &[1.0, f32::NAN, 0.0, 9.0, f32::NAN, 2.0, 0.0, 9.0]);
        assert_eq!(places, [1, 3]);
    }

    #[test]
    fn windows_side_by_side_are_each_alone() {
        // Ties, both zeros, infinities, NaN first and last, in rows long enough for blocks of four and of eight.
        let hard = [
            0.0,
            -0.0,
            1.0,
            1.0,
            f32::NAN,
            2.0,
            f32::NEG_INFINITY,
            f32::INFINITY,
            -1.0,
            f32::NAN,
        ];
        for (columns, step, kernel) in [(9, 2, 2), (17, 2, 3), (12, 1, 3), (30, 1, 2), (40, 3, 3)] {
            let x: Vec<f32> = (0..6 * columns).map(|i| hard[i * i % 10]).collect();
            let shape = shape([6, columns], [2, kernel], [1, step], 1);
            let (values, places) = max(shape, &x);
            for (at, (value, place)) in values.iter().zip(places).enumerate() {
                let alone = one(shape, at / shape.output[1], at % shape.output[1], &x);
                assert_eq!((value.to_bits(), place), (alone.0.to_bits(), alone.1));
            }
        }
    }

    #[test]
    fn gradients_for_one_place_are_added_in_the_order_of_the_outputs() {
        // The one greatest element belongs to three windows; in another order the small number stays.
        let three = shape([1, 5], [1, 3], [1, 1], 0);
        let (_, places) = max(three, &[0.0, 0.0, 9.0, 0.0, 0.0]);
        assert_eq!(places, [2, 2, 2]);
        let grad = max_gradient(three, &[1e8, 1.0, -1e8], &places);
        assert_eq!(grad, [0.0; 5]);
        let grad = max_gradient(three, &[1e8, -1e8, 1.0], &places);
        assert_eq!(grad, [0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn quarters_are_the_scattered_gradient() {
        for (rows, columns) in [(2, 8), (5, 9), (4, 11), (3, 21)] {
            let shape = shape([rows, columns], [2, 2], [2, 2], 0);
            let x: Vec<f32> = (0..rows * columns).map(|i| (i * 37 % 11) as f32).collect();
            let (values, mut places) = max(shape, &x);
            let slope = |x: &f32| if *x == 5.0 { -0.0 } else { x - 5.0 };
            let grad: Vec<f32> = values.iter().map(slope).collect();
            for twist in [false, true] {
                if twist {
                    // A place of another window: still in the plane, so it gets the gradient.
                    places.swap(0, 1);
                }
                let mut scattered = vec![1.0; x.len()];
                scatter(&grad, &places, &mut scattered);
                let found = max_gradient(shape, &grad, &places);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&scattered));
            }
        }
    }

    #[test]
    #[should_panic(expected = "is outside a plane of 4")]
    fn a_place_outside_the_plane_is_refused() {
        max_gradient(shape([2, 2], [2, 2], [1, 1], 0), &[1.0], &[4]);
    }
}
