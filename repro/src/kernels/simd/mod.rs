//! One source for every instruction set: a kernel is written once over [`Simd`] and compiled for each path.
//!
//! A [`Simd`] is a proof in a value: whoever holds an `Avx2` stands on a processor that has it, and inside a function
//! compiled for it. [`Path::run`] is the only place that makes one. A kernel marks its `run`, and everything generic
//! below it, `#[inline(always)]`, so that it is compiled into the function that enables the instructions;
//! a closure is a function of its own and is not.
//!
//! **Order.** Vectors never touch a result: lane `i` does to its number what a scalar loop would do to it, and there is
//! no operation here that adds across lanes.

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::fma::Fma;
use super::paths::Path;

/// An instruction set: vectors of binary32 and the fused multiply-add.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows that fill the registers with two vectors a row.
    const ROWS: usize;
    /// Rows and vectors of the largest tile of a product.
    const TILE: [usize; 2] = [Self::ROWS, 2];
    /// Whether a largest tile leaves registers in which the first one beside a row can copy its left factor.
    const TILE_COPIES: bool = false;
    /// Steps that [`turn_tile`](Self::turn_tile) takes at once.
    const TURNED: usize = 4;
    /// A vector.
    type Vector: Copy;
    /// The fused multiply-add of one number, for loops that the compiler vectorises.
    type Fma: Fma;

    /// The same number in every lane.
    fn splat(self, x: f32) -> Self::Vector;

    /// Reads a vector.
    ///
    /// # Safety
    ///
    /// `LANES` numbers can be read at `from`, which need not be aligned.
    unsafe fn load(self, from: *const f32) -> Self::Vector;

    /// Writes a vector.
    ///
    /// # Safety
    ///
    /// `LANES` numbers can be written at `to`, which need not be aligned.
    unsafe fn store(self, to: *mut f32, x: Self::Vector);

    /// Hints that the memory there will be read soon. Any address will do.
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}

    /// The same for memory that will be read very soon.
    #[inline(always)]
    fn prefetch_near(self, _at: *const f32) {}

    /// Turns four rows of four numbers into four rows of four: row `i` begins at `from + i · row`, and row `i` of
    /// the result at `to + i · step`.
    ///
    /// # Safety
    ///
    /// Those numbers can be read and written.
    unsafe fn turn(self, from: *const f32, row: usize, to: *mut f32, step: usize);

    /// Turns the rows of a tile, `TURNED` numbers of each, into `TURNED` adjoining rows; row `i` begins at `from + i · row`.
    ///
    /// # Safety
    ///
    /// Those numbers can be read and written.
    #[inline(always)]
    unsafe fn turn_tile(self, from: *const f32, row: usize, to: *mut f32) {
        const { assert!(Self::TURNED == 4) };
        let rows = Self::TILE[0];
        let fours = rows / 4 * 4;
        // SAFETY: the caller's promise.
        unsafe {
            for first in (0..fours).step_by(4) {
                self.turn(from.add(first * row), row, to.add(first), rows);
            }
            for first in fours..rows {
                for step in 0..4 {
                    *to.add(step * rows + first) = *from.add(first * row + step);
                }
            }
        }
    }

    /// Runs a kernel in a function of its own, whose registers are its alone, where the path has so many that this pays.
    #[inline(always)]
    fn apart<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    /// `a * b + c` in each lane, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Work that is compiled for every instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;

    /// Does the work. Must be `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Path {
    /// Runs the kernel as it was compiled for this path.
    ///
    /// # Panics
    ///
    /// If this processor cannot run the path.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        assert!(
            self.is_available(),
            "repro: this processor cannot run the path `{}`",
            self.name()
        );
        match self {
            // SAFETY: the processor has the instructions, as was just asserted.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { x86::run_avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { x86::run_avx2(kernel) },
            #[cfg(target_arch = "aarch64")]
            Path::Neon => kernel.run(neon::Neon),
            _ => kernel.run(scalar::Scalar),
        }
    }
}
