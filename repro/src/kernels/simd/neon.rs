//! aarch64, where NEON and its fused multiply-add are always there.

use super::Simd;
use crate::kernels::fma::Hardware;
use std::arch::aarch64::{
    float32x4_t, float32x4x4_t, vdupq_n_f32, vfmaq_f32, vld1q_f32, vld4q_f32, vst1q_f32,
};

/// Four lanes, thirty-two registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neon;

impl Simd for Neon {
    const LANES: usize = 4;
    const ROWS: usize = 12;
    type Vector = float32x4_t;
    type Fma = Hardware;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: every aarch64 has NEON.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: the same, and the caller's promise.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: float32x4_t) {
        // SAFETY: the same, and the caller's promise.
        unsafe { vst1q_f32(to, x) }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, row: usize, to: *mut f32, step: usize) {
        // SAFETY: every aarch64 has NEON, and the caller's promise.
        unsafe {
            // Reads sixteen numbers as four columns: so after interleaving, vector `j` is row `j` of the result.
            let mut rows = [[0.0f32; 4]; 4];
            for (i, numbers) in rows.iter_mut().enumerate() {
                vst1q_f32(numbers.as_mut_ptr(), vld1q_f32(from.add(i * row)));
            }
            let float32x4x4_t(a, b, c, d) = vld4q_f32(rows.as_ptr().cast());
            for (j, column) in [a, b, c, d].into_iter().enumerate() {
                vst1q_f32(to.add(j * step), column);
            }
        }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: the same.
        unsafe { vfmaq_f32(c, a, b) }
    }
}
