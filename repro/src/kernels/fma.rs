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

/// [`software`]: right on any machine, slow.
#[derive(Clone, Copy, Debug)]
pub struct Software;

impl Fma for Software {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        software(a, b, c)
    }
}

/// The fused multiply-add in plain arithmetic, right to the bit on every finite and infinite input.
///
/// **Order.** The product of two binary32 numbers is exact in binary64. The sum with `c` is rounded
/// to binary64 *to odd*: the rounding error is recovered exactly (Knuth's two-sum), and if there is
/// one and the last bit is even, the neighbour on the side of the exact value is taken. Rounding to
/// odd with more than two spare bits makes the second rounding, to binary32, the correct single
/// rounding (Boldo and Melquiond, 2008), subnormal results included.
#[inline(always)]
pub fn software(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let addend = f64::from(c);
    let sum = product + addend;
    let virtual_addend = sum - product;
    let error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
    let bits = sum.to_bits();
    // An infinite or NaN sum has a meaningless error, and the plain conversion is right for it. Chosen without branches,
    // so that loops over this are vectorised.
    let is_rounded = sum.is_finite() & (error != 0.0);
    let is_exact_further_from_zero = (error > 0.0) == (sum > 0.0);
    let step = if is_exact_further_from_zero {
        1
    } else {
        u64::MAX
    };
    let is_even = (bits & 1).wrapping_sub(1);
    let step = if is_rounded { step } else { 0 };
    f64::from_bits(bits.wrapping_add(step & is_even)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::kernels::paths::Path;
    use crate::kernels::random::Draw;

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn hardware(numbers: &[[f32; 3]]) -> Vec<f32> {
        numbers
            .iter()
            .map(|&[a, b, c]| Hardware::fma(a, b, c))
            .collect()
    }

    /// Compares with the machine's instruction, to the bit; all NaNs are one.
    fn check(numbers: &[[f32; 3]]) {
        #[cfg(target_arch = "x86_64")]
        {
            if !Path::Avx2.is_available() {
                println!("skipped: comparison with the hardware instruction (no FMA here)");
                return;
            }
            // SAFETY: the path is available.
            let expected = unsafe { hardware(numbers) };
            for (&[a, b, c], expected) in numbers.iter().zip(expected) {
                let got = software(a, b, c);
                assert!(
                    got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
                    "fma({a:e}, {b:e}, {c:e}) is {expected:e}, software says {got:e}"
                );
            }
        }
    }

    fn words(seed: u64) -> impl Fn(u64) -> u32 {
        let draw = Draw::new(seed, 0, 0, 0);
        move |index| draw.word(index)
    }

    #[test]
    fn software_is_hardware_on_every_pair_of_special_numbers() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            1.5,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            f32::MAX,
            f32::MIN,
            f32::EPSILON,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            1e-45,
            -1e-45,
            1.1e-38,
            3e-39,
            1.000_000_1,
            0.999_999_94,
            16_777_215.0,
            16_777_217.0,
            8_388_609.0,
            2.0e-23,
            1.8e19,
            -1.8e19,
            5.4e-20,
        ];
        let mut all = Vec::new();
        for a in special {
            for b in special {
                all.extend(special.map(|c| [a, b, c]));
            }
        }
        check(&all);
    }

    #[test]
    fn software_is_hardware_on_random_bit_patterns() {
        let word = words(1);
        let number = |index| f32::from_bits(word(index));
        let all: Vec<_> = (0..2_000_000)
            .map(|i| [number(3 * i), number(3 * i + 1), number(3 * i + 2)])
            .collect();
        check(&all);
    }

    /// A number of this sign and mantissa whose exponent is one of so many from `least` on: chosen by the bits that it
    /// takes the place of, so that it does not go with the mantissa.
    fn shaped(word: u32, least: u32, count: u32) -> f32 {
        let exponent = least + (word >> 23 & 0xff) % count;
        f32::from_bits(word & 0x807f_ffff | exponent << 23)
    }

    #[test]
    fn software_is_hardware_under_cancellation() {
        // c close to −a·b: the sum keeps few bits, or none.
        let word = words(2);
        let all: Vec<_> = (0..1_000_000)
            .map(|i| {
                let [a, b] = [word(2 * i), word(2 * i + 1)].map(|w| shaped(w, 100, 50));
                let near = (-(a * b))
                    .to_bits()
                    .wrapping_add((i % 9) as u32)
                    .wrapping_sub(4);
                [a, b, f32::from_bits(near)]
            })
            .collect();
        check(&all);
    }

    #[test]
    fn software_is_hardware_where_the_result_is_subnormal_or_overflows() {
        let word = words(3);
        let mut all = Vec::new();
        for i in 0..500_000u64 {
            let (x, y, z) = (word(3 * i), word(3 * i + 1), word(3 * i + 2));
            // Product near 2^-126 and below, addend subnormal or small.
            all.push([shaped(x, 40, 30), shaped(y, 60, 30), shaped(z, 0, 4)]);
            // Product near 2^128, addend at the top.
            all.push([shaped(x, 180, 12), shaped(y, 190, 12), shaped(z, 250, 5)]);
        }
        check(&all);
    }

    #[test]
    fn software_is_hardware_at_ties() {
        // A product with a trailing half, pushed off the tie by a tiny addend or not at all.
        let word = words(4);
        let mut all = Vec::new();
        for i in 0..200_000u64 {
            let a = 1.0 + (word(i) & 0xfff) as f32 / 4096.0;
            let b = 4097.0 + (word(i) >> 20) as f32;
            for c in [0.0, 1e-30, -1e-30, 1e-45, -1e-45, 0.5, -0.5] {
                all.push([a, b, c]);
            }
        }
        check(&all);
    }
}
