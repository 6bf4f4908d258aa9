//! The elementary functions over whole slices, vectorised.
//!
//! **Shapes.** `[n]` in place. **Order.** Elementwise; path, position and length of the slice only choose instructions.

use super::elementary as e;
use super::fma::Fma;
use super::paths::Path;
use super::rare;
use super::simd::{Kernel, Simd};

/// The elementary functions that run over whole slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// [`exp`](e::exp)
    Exp,
    /// [`log`](e::log)
    Log,
    /// [`log1p`](e::log1p)
    Log1p,
    /// [`tanh`](e::tanh)
    Tanh,
    /// [`erf`](e::erf)
    Erf,
    /// [`sin`](e::sin)
    Sin,
    /// [`cos`](e::cos)
    Cos,
    /// [`sigmoid`](e::sigmoid)
    Sigmoid,
    /// [`gelu`](e::gelu)
    Gelu,
    /// [`gelu_slope`](e::gelu_slope)
    GeluSlope,
    /// [`tan`](rare::tan)
    Tan,
    /// [`sinh`](rare::sinh)
    Sinh,
    /// [`cosh`](rare::cosh)
    Cosh,
    /// [`asin`](rare::asin)
    Asin,
    /// [`acos`](rare::acos)
    Acos,
    /// [`atan`](rare::atan)
    Atan,
    /// [`asinh`](rare::asinh)
    Asinh,
    /// [`acosh`](rare::acosh)
    Acosh,
    /// [`atanh`](rare::atanh)
    Atanh,
}

impl Function {
    /// Every function.
    pub const ALL: [Function; 19] = [
        Function::Exp,
        Function::Log,
        Function::Log1p,
        Function::Tanh,
        Function::Erf,
        Function::Sin,
        Function::Cos,
        Function::Sigmoid,
        Function::Gelu,
        Function::GeluSlope,
        Function::Tan,
        Function::Sinh,
        Function::Cosh,
        Function::Asin,
        Function::Acos,
        Function::Atan,
        Function::Asinh,
        Function::Acosh,
        Function::Atanh,
    ];
}

/// Replaces each element by the function's value.
///
/// **Shapes.** `[n]` in place. **Order.** Elementwise; the path only chooses instructions.
pub fn apply(path: Path, function: Function, x: &mut [f32]) {
    path.run(Apply { function, x });
}

struct Apply<'a> {
    function: Function,
    x: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let x = self.x;
        match self.function {
            Function::Exp => over::<S::Fma, Exp>(x),
            Function::Log => over::<S::Fma, Log>(x),
            Function::Log1p => over::<S::Fma, Log1p>(x),
            Function::Tanh => over::<S::Fma, Tanh>(x),
            Function::Erf => over::<S::Fma, Erf>(x),
            Function::Sin => over::<S::Fma, Sin>(x),
            Function::Cos => over::<S::Fma, Cos>(x),
            Function::Sigmoid => over::<S::Fma, Sigmoid>(x),
            Function::Gelu => over::<S::Fma, Gelu>(x),
            Function::GeluSlope => over::<S::Fma, GeluSlope>(x),
            function => scalar(function, x),
        }
    }
}

/// The functions that are computed one number at a time, in binary64.
#[inline(never)]
fn scalar(function: Function, x: &mut [f32]) {
    let of = match function {
        Function::Tan => rare::tan,
        Function::Sinh => rare::sinh,
        Function::Cosh => rare::cosh,
        Function::Asin => rare::asin,
        Function::Acos => rare::acos,
        Function::Atan => rare::atan,
        Function::Asinh => rare::asinh,
        Function::Acosh => rare::acosh,
        Function::Atanh => rare::atanh,
        _ => unreachable!("the other functions are vectorised"),
    };
    for x in x {
        *x = of(*x);
    }
}

/// Numbers done at once: some vectors of the widest path, so that they hide each other's latency.
pub(super) const BLOCK: usize = 32;

/// Numbers done at once by functions of several steps, each a loop over all of them: too many for registers, so that no
/// compiler makes one chain of the steps again, of which a processor cannot look far enough ahead.
const MANY: usize = 256;

/// A function of one number, as it is done to a block.
pub(super) trait Unary {
    /// Its value.
    fn of<F: Fma>(x: f32) -> f32;

    /// Its values. A loop of fixed length and without branches, which the compiler vectorises whole.
    #[inline(always)]
    fn block<F: Fma>(x: &mut [f32; BLOCK]) {
        for x in x {
            *x = Self::of::<F>(*x);
        }
    }

    /// The same of more numbers, block by block unless there is a faster way.
    #[inline(always)]
    fn many<F: Fma>(x: &mut [f32; MANY]) {
        for block in x.as_chunks_mut::<BLOCK>().0 {
            Self::block::<F>(block);
        }
    }
}

/// The function over a slice. What is left after whole blocks is done in a block of its own, because the loop that a
/// compiler leaves for a rest takes one number at a time.
#[inline(always)]
pub(super) fn over<F: Fma, U: Unary>(x: &mut [f32]) {
    let (many, rest) = x.as_chunks_mut::<MANY>();
    for many in many {
        U::many::<F>(many);
    }
    let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
    for block in blocks {
        U::block::<F>(block);
    }
    if !rest.is_empty() {
        let mut block = [0.0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        U::block::<F>(&mut block);
        rest.copy_from_slice(&block[..rest.len()]);
    }
}

/// Functions by name, and how they are done to many numbers where that is faster than block by block.
macro_rules! unary {
    ($($name:ident $function:ident $($all:ident)?,)*) => {
        $(
            pub(super) struct $name;
            impl Unary for $name {
                #[inline(always)]
                fn of<F: Fma>(x: f32) -> f32 {
                    e::$function::<F>(x)
                }

                $(
                    #[inline(always)]
                    fn many<F: Fma>(x: &mut [f32; MANY]) {
                        e::$all::<F, MANY>(x);
                    }
                )?
            }
        )*
    };
}

unary! {
    Exp exp, Log log, Log1p log1p, Tanh tanh, Sigmoid sigmoid,
    Erf erf erf_all, Gelu gelu gelu_all, GeluSlope gelu_slope gelu_slope_all,
}

macro_rules! circular {
    ($($name:ident $function:ident $near:ident,)*) => {
        $(
            struct $name;
            impl Unary for $name {
                #[inline(always)]
                fn of<F: Fma>(x: f32) -> f32 {
                    e::$function::<F>(x)
                }

                /// Blocks without a large angle are vectorised.
                #[inline(always)]
                fn block<F: Fma>(x: &mut [f32; BLOCK]) {
                    if has_far(x) {
                        for x in x {
                            *x = e::$function::<F>(*x);
                        }
                    } else {
                        for x in x {
                            *x = e::$near::<F>(*x);
                        }
                    }
                }
            }
        )*
    };
}

circular! { Sin sin sin_near, Cos cos cos_near, }

/// Whether an angle of the block is too large for the vectorised reduction.
#[inline(always)]
fn has_far(x: &[f32; BLOCK]) -> bool {
    let mut any = false;
    for x in x {
        any |= e::is_far(*x);
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_knows_neither_its_place_nor_its_neighbours() {
        let all: Vec<f32> = (0..700)
            .map(|i| f32::from_bits((i as u32).wrapping_mul(0x0151_4d31)))
            .collect();
        for path in Path::available() {
            for function in Function::ALL {
                let mut together = all.clone();
                apply(path, function, &mut together);
                for (&x, together) in all.iter().zip(&together) {
                    let mut alone = [x];
                    apply(path, function, &mut alone);
                    assert!(
                        alone[0].to_bits() == together.to_bits()
                            || alone[0].is_nan() && together.is_nan(),
                        "{function:?}({x:e})"
                    );
                }
            }
        }
    }
}
