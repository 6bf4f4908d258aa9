//! Plain Rust, for any machine: eight numbers at a time, so that the compiler may use whatever vectors there are.

use super::Simd;
use crate::kernels::fma::{Fma, Software};

/// No instructions but those of the compilation target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar;

impl Simd for Scalar {
    const LANES: usize = 8;
    const ROWS: usize = 6;
    type Vector = [f32; 8];
    type Fma = Software;

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: [f32; 8]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, row: usize, to: *mut f32, step: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..4 {
                for j in 0..4 {
                    *to.add(j * step + i) = *from.add(i * row + j);
                }
            }
        }
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        eight(&a, &b, &c)
    }
}

/// Not inlined: a tile has dozens of these, and each is long.
#[inline(never)]
fn eight(a: &[f32; 8], b: &[f32; 8], c: &[f32; 8]) -> [f32; 8] {
    std::array::from_fn(|lane| Software::fma(a[lane], b[lane], c[lane]))
}
