//! Fused multiply-add: `a * b + c` rounded once. Hardware where it is, exact software elsewhere.

/// How a kernel gets its fused multiply-add. All implementations give the same bits.
pub trait Fma: Copy {
    /// `a * b + c`, rounded once to nearest even.
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// The machine's instruction. Only to be named inside a function that enables it (or on a target
/// that always has it): elsewhere the compiler would call the platform's C library.
#[derive(Clone, Copy, Debug)]
pub struct Hardware;

impl Fma for Hardware {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// The instruction if the compilation target always has it, [`software`] otherwise: right on any
/// machine, slow on x86-64 built without FMA.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Fma for Portable {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            a.mul_add(b, c)
        } else {
            software(a, b, c)
        }
    }
}

/// The fused multiply-add in plain arithmetic, right to the bit on every finite and infinite input.
///
/// **Order.** The product of two binary32 numbers is exact in binary64. The sum with `c` is rounded
/// to binary64 *to odd*: the rounding error is recovered exactly (Knuth's two-sum), and if there is
/// one and the last bit is even, the neighbour on the side of the exact value is taken. Rounding to
/// odd with more than two spare bits makes the second rounding, to binary32, the correct single
/// rounding (Boldo and Melquiond, 2008), subnormal results included.
#[inline]
pub fn software(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let addend = f64::from(c);
    let sum = product + addend;
    let virtual_addend = sum - product;
    let error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
    let bits = sum.to_bits();
    // An infinite or NaN sum has a NaN error, and the plain conversion is right for it.
    let is_inexact = error > 0.0 || error < 0.0;
    if !is_inexact || bits & 1 == 1 {
        return sum as f32;
    }
    let is_exact_further_from_zero = (error > 0.0) == (sum > 0.0);
    let odd = if is_exact_further_from_zero {
        bits + 1
    } else {
        bits - 1
    };
    f64::from_bits(odd) as f32
}
