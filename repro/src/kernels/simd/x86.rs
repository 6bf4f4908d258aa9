//! x86-64: AVX-512, and AVX2 with FMA.

use super::{Kernel, Simd};
use crate::kernels::fma::Hardware;
use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T0, _MM_HINT_T1, _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps,
    _mm_prefetch, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps,
    _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

/// Sixteen lanes, thirty-two registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

/// Eight lanes, sixteen registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// # Safety
///
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// [`run_avx512`], never a part of its caller.
///
/// # Safety
///
/// As there.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn apart_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// # Safety
///
/// The processor has the instructions.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// [`Simd::turn`] with the vectors of four that every x86-64 has.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn turn(from: *const f32, row: usize, to: *mut f32, step: usize) {
    // SAFETY: the caller's promise; SSE is part of every x86-64.
    unsafe {
        let [a, b, c, d] = [
            _mm_loadu_ps(from),
            _mm_loadu_ps(from.add(row)),
            _mm_loadu_ps(from.add(2 * row)),
            _mm_loadu_ps(from.add(3 * row)),
        ];
        let (ab, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(to, _mm_movelh_ps(ab, cd));
        _mm_storeu_ps(to.add(step), _mm_movehl_ps(cd, ab));
        _mm_storeu_ps(to.add(2 * step), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(to.add(3 * step), _mm_movehl_ps(cd_high, ab_high));
    }
}

/// Turns four rows of sixteen within each quarter: quarter `l` of vector `j` holds step `4l + j` of the four.
///
/// # Safety
///
/// The rows can be read, and the processor has AVX-512.
#[inline(always)]
unsafe fn fours_512(from: *const f32, row: usize) -> [__m512; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(row)));
        let (c, d) = (
            _mm512_loadu_ps(from.add(2 * row)),
            _mm512_loadu_ps(from.add(3 * row)),
        );
        let ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        let ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
        ]
    }
}

/// Vector `l` of the result holds the quarters `l` of the four.
///
/// # Safety
///
/// The processor has AVX-512.
#[inline(always)]
unsafe fn quarters([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    const LOW: i32 = 0b01_00_01_00;
    const HIGH: i32 = 0b11_10_11_10;
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    // SAFETY: the caller's promise.
    unsafe {
        let (ab, ab_high) = (
            _mm512_shuffle_f32x4::<LOW>(a, b),
            _mm512_shuffle_f32x4::<HIGH>(a, b),
        );
        let (cd, cd_high) = (
            _mm512_shuffle_f32x4::<LOW>(c, d),
            _mm512_shuffle_f32x4::<HIGH>(c, d),
        );
        [
            _mm512_shuffle_f32x4::<EVEN>(ab, cd),
            _mm512_shuffle_f32x4::<ODD>(ab, cd),
            _mm512_shuffle_f32x4::<EVEN>(ab_high, cd_high),
            _mm512_shuffle_f32x4::<ODD>(ab_high, cd_high),
        ]
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const ROWS: usize = 12;
    // Three vectors: a step has 11 loads for its 24 multiply-adds, where two vectors have 14.
    const TILE: [usize; 2] = [8, 3];
    const TILE_COPIES: bool = true;
    const TURNED: usize = 16;
    type Vector = __m512;
    type Fma = Hardware;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: an `Avx512` exists only where the processor has AVX-512.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the same, and the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: the same, and the caller's promise.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: a hint reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    fn prefetch_near(self, at: *const f32) {
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, row: usize, to: *mut f32, step: usize) {
        // SAFETY: the caller's promise.
        unsafe { turn(from, row, to, step) }
    }

    #[inline(always)]
    unsafe fn turn_tile(self, from: *const f32, row: usize, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            let a = fours_512(from, row);
            let b = fours_512(from.add(4 * row), row);
            // A step is two quarters, one of `a` and one of `b`: two steps are a vector.
            let halves = [
                quarters([a[0], b[0], a[1], b[1]]),
                quarters([a[2], b[2], a[3], b[3]]),
            ];
            for (half, vectors) in halves.iter().enumerate() {
                for (four, vector) in vectors.iter().enumerate() {
                    _mm512_storeu_ps(to.add(four * 32 + half * 16), *vector);
                }
            }
        }
    }

    #[inline(always)]
    fn apart<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the same.
        unsafe { apart_avx512(kernel) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the same.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const ROWS: usize = 6;
    type Vector = __m256;
    type Fma = Hardware;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: an `Avx2` exists only where the processor has AVX2 and FMA.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the same, and the caller's promise.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: the same, and the caller's promise.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: a hint reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    fn prefetch_near(self, at: *const f32) {
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, row: usize, to: *mut f32, step: usize) {
        // SAFETY: the caller's promise.
        unsafe { turn(from, row, to, step) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the same.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
}
