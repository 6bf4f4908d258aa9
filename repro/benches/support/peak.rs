//! The processor's measured peak, in whose share a product's speed is told.

use repro::kernels::paths::Path;
use repro::kernels::simd::{Kernel, Simd};

/// The processor's peak in GFLOP/s, measured: independent fused multiply-adds in registers, on so many threads, the
/// best of some tries.
pub fn peak(path: Path, threads: usize) -> f64 {
    const STEPS: usize = 1 << 19;
    let one = || path.run(Peak { steps: STEPS });
    let mut best = 0.0f64;
    for _ in 0..12 {
        let start = std::time::Instant::now();
        repro::kernels::pool::run(threads, threads, |_| {
            std::hint::black_box(one());
        });
        let flops = (threads * STEPS * Peak::CHAINS * 2) as f64 * path.run(Lanes) as f64;
        best = best.max(flops / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}

struct Lanes;

impl Kernel for Lanes {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::LANES
    }
}

struct Peak {
    steps: usize,
}

impl Peak {
    /// Enough to hide the latency of two units.
    const CHAINS: usize = 10;
}

impl Kernel for Peak {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let mut chains = [simd.splat(1.0); Self::CHAINS];
        let (a, b) = (
            simd.splat(std::hint::black_box(0.999)),
            simd.splat(std::hint::black_box(0.001)),
        );
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = simd.mul_add(*chain, a, b);
            }
        }
        let mut out = [0.0f32; 16];
        for chain in chains {
            // SAFETY: no vector has more than sixteen lanes.
            unsafe {
                simd.store(
                    out.as_mut_ptr(),
                    simd.mul_add(chain, a, simd.load(out.as_ptr())),
                )
            };
        }
        out[0]
    }
}
