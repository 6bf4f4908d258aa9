//! A second implementation of the arithmetic, written from docs/repro.md alone: its numbers come from the page's tables, and
//! its fused multiply-add from whole numbers. Slow, and right if the page is.

use std::collections::BTreeMap;

/// The page, and what its tables say.
pub struct Page {
    pub text: String,
    constants: BTreeMap<String, f32>,
    polynomials: BTreeMap<String, Vec<f32>>,
    wide: BTreeMap<String, f64>,
}

impl Page {
    /// Reads the page and asserts that each value in a table is the number of its bits.
    pub fn read() -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/repro.md");
        let text = std::fs::read_to_string(path).expect("docs/repro.md is there");
        let mut page = Self {
            text: String::new(),
            constants: BTreeMap::new(),
            polynomials: BTreeMap::new(),
            wide: BTreeMap::new(),
        };
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            match cells[1..cells.len() - 1] {
                [name, bits, value] if is_hex(bits, 8) => {
                    page.constants.insert(name.into(), number(bits, value));
                }
                [name, bits, value] if is_hex(bits, 16) => {
                    let wide = f64::from_bits(u64::from_str_radix(bits, 16).expect("hexadecimal"));
                    let written: f64 = value.parse().expect("a number");
                    assert_eq!(wide.to_bits(), written.to_bits(), "{line}");
                    page.wide.insert(name.into(), wide);
                }
                [name, index, bits, value] if is_hex(bits, 8) => {
                    let polynomial = page.polynomials.entry(name.into()).or_default();
                    assert_eq!(index, polynomial.len().to_string(), "{line}");
                    polynomial.push(number(bits, value));
                }
                _ => {}
            }
        }
        page.text = text;
        page
    }

    /// How many numbers the tables have.
    pub fn numbers(&self) -> [usize; 3] {
        let coefficients = self.polynomials.values().map(Vec::len).sum();
        [self.constants.len(), coefficients, self.wide.len()]
    }

    fn constant(&self, name: &str) -> f32 {
        self.constants[name]
    }

    fn polynomial(&self, name: &str, x: f32) -> f32 {
        let coefficients = &self.polynomials[name];
        let mut value = *coefficients.last().expect("a coefficient");
        for &coefficient in coefficients.iter().rev().skip(1) {
            value = fma(value, x, coefficient);
        }
        value
    }

    pub fn exp(&self, x: f32) -> f32 {
        let b = if x > 89.0 { 89.0 } else { x };
        let b = if b < -104.0 { -104.0 } else { b };
        let rounder = self.constant("ROUNDER");
        let t = fma(b, self.constant("LOG2_E"), rounder);
        let k = t - rounder;
        let n = (t.to_bits() as i32).wrapping_sub(rounder.to_bits() as i32);
        let r = fma(k, -self.constant("LN2_HIGH"), b);
        let r = fma(k, -self.constant("LN2_LOW"), r);
        if b.is_nan() {
            return b;
        }
        let h = n.div_euclid(2);
        (self.polynomial("exp P", r) * power_of_two(h)) * power_of_two(n - h)
    }

    pub fn log(&self, x: f32) -> f32 {
        if x.is_nan() || x == f32::INFINITY {
            return x;
        }
        if x == 0.0 {
            return f32::NEG_INFINITY;
        }
        if x < 0.0 {
            return f32::NAN;
        }
        let (s, q) = if x < power_of_two(-126) {
            (x * power_of_two(23), -23)
        } else {
            (x, 0)
        };
        let bits = s.to_bits() as i32;
        let e = (bits - 0x3f35_04f3) >> 23;
        let f = f32::from_bits((bits - (e << 23)) as u32) - 1.0;
        let k = (e + q) as f32;
        let p = fma(f, self.polynomial("log P", f), -0.5);
        let small = fma(k, self.constant("LN2_LOW"), fma(f * f, p, f));
        fma(k, self.constant("LN2_HIGH"), small)
    }

    pub fn log1p(&self, x: f32) -> f32 {
        let u = 1.0 + x;
        if u == 1.0 {
            x
        } else if u == f32::INFINITY {
            u
        } else {
            self.log(u) * (x / (u - 1.0))
        }
    }

    pub fn tanh(&self, x: f32) -> f32 {
        let (z, m) = (x * x, x.abs());
        let value = if m < 0.625 {
            fma(x * z, self.polynomial("tanh P", z), x)
        } else {
            1.0 - 2.0 / (self.exp(m + m) + 1.0)
        };
        value.copysign(x)
    }

    pub fn erf(&self, x: f32) -> f32 {
        let m = x.abs();
        if m < 0.921_875 {
            return fma(x, self.polynomial("erf P", x * x), x);
        }
        let t = if m > 4.0 { 4.0 } else { m };
        (1.0 - self.exp(self.polynomial("erf L", t))).copysign(x)
    }

    pub fn sin(&self, x: f32) -> f32 {
        let (r, q) = self.quadrant(x);
        self.circular(r, q)
    }

    pub fn cos(&self, x: f32) -> f32 {
        let (r, q) = self.quadrant(x);
        self.circular(r, q + 1)
    }

    fn circular(&self, r: f32, q: u32) -> f32 {
        let z = r * r;
        let value = if q.is_multiple_of(2) {
            fma(r * z, self.polynomial("sine P", z), r).copysign(r)
        } else {
            fma(z * z, self.polynomial("cosine Q", z), fma(z, -0.5, 1.0))
        };
        if q % 4 < 2 { value } else { -value }
    }

    fn quadrant(&self, x: f32) -> (f32, u32) {
        if x.is_infinite() {
            return (f32::NAN, 0);
        }
        if x.abs() > 71_476.0 {
            let (r, q) = far(x);
            return (r as f32, q);
        }
        let rounder = self.constant("ROUNDER");
        let t = fma(x, self.constant("TWO_OVER_PI"), rounder);
        let k = t - rounder;
        let r = fma(k, -self.constant("HALF_PI_0"), x);
        let r = fma(k, -self.constant("HALF_PI_1"), r);
        (fma(k, -self.constant("HALF_PI_2"), r), t.to_bits() & 3)
    }

    pub fn sigmoid(&self, x: f32) -> f32 {
        let e = self.exp(-x.abs());
        (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
    }

    fn cumulative(&self, x: f32) -> f32 {
        (self.erf(x / self.constant("SQRT_2")) + 1.0) / 2.0
    }

    pub fn gelu(&self, x: f32) -> f32 {
        x * self.cumulative(x)
    }

    pub fn gelu_slope(&self, x: f32) -> f32 {
        let d = self.exp((x * x) * -0.5) * self.constant("INVERSE_SQRT_TAU");
        fma(x, d, self.cumulative(x))
    }

    pub fn softmax(&self, x: &[f32]) -> Vec<f32> {
        let greatest = greatest(x);
        let e: Vec<f32> = x.iter().map(|x| self.exp(x - greatest)).collect();
        let total = sum(&e);
        e.iter().map(|e| e / total).collect()
    }

    pub fn log_softmax(&self, x: &[f32]) -> Vec<f32> {
        let greatest = greatest(x);
        let d: Vec<f32> = x.iter().map(|x| x - greatest).collect();
        let e: Vec<f32> = d.iter().map(|d| self.exp(*d)).collect();
        let total = self.log(sum(&e));
        d.iter().map(|d| d - total).collect()
    }

    /// Element `index` of normal(mean, deviation).
    pub fn normal(&self, draw: Draw, index: u64, mean: f32, deviation: f32) -> f32 {
        let a = draw.unit(2 * index) + power_of_two(-24);
        let radius = (-2.0 * self.log(a)).sqrt();
        let z = radius * self.cos(self.constant("TAU") * draw.unit(2 * index + 1));
        mean + deviation * z
    }

    pub fn tan(&self, x: f32) -> f32 {
        let (r, q) = if x.abs() < 0.75 {
            (f64::from(x), 0)
        } else if x.is_finite() {
            far(x)
        } else {
            (f64::NAN, 0)
        };
        let factorial = |n: u64| (1..=n).product::<u64>() as f64;
        let sign = |i: u64| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let sines: Vec<f64> = (0..8).map(|i| sign(i) / factorial(2 * i + 1)).collect();
        let cosines: Vec<f64> = (0..9).map(|i| sign(i) / factorial(2 * i)).collect();
        let z = r * r;
        let (s, c) = (r * wide_horner(&sines, z), wide_horner(&cosines, z));
        (if q.is_multiple_of(2) { s / c } else { -c / s }) as f32
    }

    pub fn sinh(&self, x: f32) -> f32 {
        let x = f64::from(x);
        if x.abs() < 0.125 {
            let series = [1.0, 1.0 / 6.0, 1.0 / 120.0, 1.0 / 5040.0, 1.0 / 362_880.0];
            return (x * wide_horner(&series, x * x)) as f32;
        }
        let e = self.wide_exp(x.abs());
        (0.5 * (e - 1.0 / e)).copysign(x) as f32
    }

    pub fn cosh(&self, x: f32) -> f32 {
        let e = self.wide_exp(f64::from(x.abs()));
        (0.5 * (e + 1.0 / e)) as f32
    }

    fn arc(&self, x: f64) -> f64 {
        let (root, bound) = (self.wide["SQRT_3"], self.wide["TAN_PI_12"]);
        let m = x.abs();
        let t = if m > 1.0 { 1.0 / m } else { m };
        let u = if t > bound {
            (root * t - 1.0) / (root + t)
        } else {
            t
        };
        let series: Vec<f64> = (0..16)
            .map(|i| (if i % 2 == 0 { 1.0 } else { -1.0 }) / f64::from(2 * i + 1))
            .collect();
        let mut a = u * wide_horner(&series, u * u);
        if t > bound {
            a += self.wide["SIXTH_PI"];
        }
        if m > 1.0 {
            a = self.wide["HALF_PI"] - a;
        }
        a.copysign(x)
    }

    pub fn atan(&self, x: f32) -> f32 {
        self.arc(f64::from(x)) as f32
    }

    pub fn asin(&self, x: f32) -> f32 {
        let x = f64::from(x);
        self.arc(x / ((1.0 - x) * (1.0 + x)).sqrt()) as f32
    }

    pub fn acos(&self, x: f32) -> f32 {
        let x = f64::from(x);
        (2.0 * self.arc(((1.0 - x) / (1.0 + x)).sqrt())) as f32
    }

    pub fn atan2(&self, y: f32, x: f32) -> f32 {
        if x.is_nan() || y.is_nan() {
            return f32::NAN;
        }
        let a = if y == 0.0 {
            0.0
        } else if x == 0.0 {
            self.wide["HALF_PI"]
        } else if x.is_infinite() && y.is_infinite() {
            self.wide["QUARTER_PI"]
        } else {
            self.arc(f64::from(y.abs()) / f64::from(x.abs()))
        };
        let a = if x.is_sign_negative() {
            self.wide["PI"] - a
        } else {
            a
        };
        a.copysign(f64::from(y)) as f32
    }

    pub fn asinh(&self, x: f32) -> f32 {
        let x = f64::from(x);
        if x.abs() < 1.0 / 32.0 {
            let series = [1.0, -1.0 / 6.0, 3.0 / 40.0, -15.0 / 336.0, 105.0 / 3456.0];
            return (x * wide_horner(&series, x * x)) as f32;
        }
        self.wide_ln(x.abs() + (x * x + 1.0).sqrt()).copysign(x) as f32
    }

    pub fn acosh(&self, x: f32) -> f32 {
        let x = f64::from(x);
        if x < 1.0 {
            return f32::NAN;
        }
        self.wide_ln(x + ((x - 1.0) * (x + 1.0)).sqrt()) as f32
    }

    pub fn atanh(&self, x: f32) -> f32 {
        let x = f64::from(x);
        if x.abs() < 1.0 / 32.0 {
            let series = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0];
            return (x * wide_horner(&series, x * x)) as f32;
        }
        (0.5 * self.wide_ln((1.0 + x) / (1.0 - x))) as f32
    }

    pub fn powf(&self, x: f32, y: f32) -> f32 {
        if y == 0.0 || x == 1.0 {
            return 1.0;
        }
        let is_whole = y.trunc() == y && y.is_finite();
        let has_no_root = x < 0.0 && x.is_finite() && !is_whole && y.is_finite();
        if x.is_nan() || y.is_nan() || has_no_root {
            return f32::NAN;
        }
        let m = f64::from(x.abs());
        let value = if m == 1.0 {
            1.0
        } else {
            self.wide_exp(f64::from(y) * self.wide_ln(m))
        } as f32;
        let is_odd = is_whole && (y % 2.0).abs() == 1.0;
        if is_odd && x.is_sign_negative() {
            -value
        } else {
            value
        }
    }

    /// exp in binary64.
    pub fn wide_exp(&self, x: f64) -> f64 {
        if x.is_nan() {
            return x;
        }
        let b = x.clamp(-746.0, 710.0);
        let k = (b * f64::from_bits(0x3ff7_1547_652b_82fe)).round_ties_even();
        let (h, l) = (b - k * self.wide["HIGH"], k * self.wide["LOW"]);
        let r = h - l;
        let q = (2..=13)
            .rev()
            .fold(0.0, |q, n| q * r + self.wide[&format!("1/{n}!")]);
        let e = (h - r) - l;
        let v = 1.0 + (r + ((r * r) * q + e));
        let n = k as i64;
        let a = n.div_euclid(2);
        let power = |n: i64| f64::from_bits(((n + 1023) as u64) << 52);
        (v * power(a)) * power(n - a)
    }

    /// ln in binary64.
    pub fn wide_ln(&self, x: f64) -> f64 {
        if x.is_nan() || x == f64::INFINITY {
            return x;
        }
        if x < 0.0 {
            return f64::NAN;
        }
        if x == 0.0 {
            return f64::NEG_INFINITY;
        }
        let (x, less) = if x < f64::MIN_POSITIVE {
            (x * (1u64 << 54) as f64, 54)
        } else {
            (x, 0)
        };
        let bits = x.to_bits() as i64;
        let e = (bits - 0x3fe6_a09e_667f_3bcd) >> 52;
        let f = f64::from_bits((bits - (e << 52)) as u64) - 1.0;
        let k = (e - less) as f64;
        let s = f / (2.0 + f);
        let z = s * s;
        let r = (1..=11)
            .rev()
            .fold(0.0, |r, i| (r + 2.0 / f64::from(2 * i + 1)) * z);
        let h = (0.5 * f) * f;
        k * self.wide["HIGH"] - ((h - (s * (h + r) + k * self.wide["LOW"])) - f)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn number(bits: &str, value: &str) -> f32 {
    let number = f32::from_bits(u32::from_str_radix(bits, 16).expect("hexadecimal"));
    let written: f32 = value.parse().expect("a number");
    assert_eq!(number.to_bits(), written.to_bits(), "{bits} is not {value}");
    number
}

/// 2^n, for n from −149 to 127.
fn power_of_two(n: i32) -> f32 {
    if n < -126 {
        f32::from_bits(1 << (n + 149))
    } else {
        f32::from_bits(((n + 127) as u32) << 23)
    }
}

/// `c0 + z (c1 + ..)` in binary64, from zero.
fn wide_horner(coefficients: &[f64], z: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |v, c| v * z + c)
}

/// The reduction of an angle above 71,476, in whole numbers.
fn far(x: f32) -> (f64, u32) {
    const BITS: [u64; 4] = [
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
        0xfe51_63ab_debb_c561,
    ];
    let bit = |at: usize| u128::from(BITS[at / 64] >> (63 - at % 64) & 1);
    let m = u128::from(x.to_bits() & 0x7f_ffff | 0x80_0000);
    let e = (x.to_bits() >> 23 & 0xff) as i32 - 150;
    let j = (e - 2).max(0);
    let w = (0..96).fold(0u128, |w, at| w << 1 | bit(j as usize + at));
    let t = m * w;
    let p = 96 + j - e;
    let mut q = (t >> p) as u32;
    let g = (t >> (p - 64)) as u64 as i64;
    if g < 0 {
        q = q.wrapping_add(1);
    }
    let r = g as f64 * f64::from_bits(0x3bf9_21fb_5444_2d18);
    if x < 0.0 {
        (-r, q.wrapping_neg() & 3)
    } else {
        (r, q & 3)
    }
}

/// `a · b + c`, rounded once, in whole numbers.
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    if !a.is_finite() || !b.is_finite() || !c.is_finite() {
        return a * b + c;
    }
    // The three as whole numbers times powers of two.
    let parts = |x: f32| {
        let exponent = (x.to_bits() >> 23 & 0xff) as i32;
        let fraction = i128::from(x.to_bits() & 0x7f_ffff);
        let magnitude = if exponent == 0 {
            fraction
        } else {
            fraction | 0x80_0000
        };
        let sign = if x.is_sign_negative() { -1 } else { 1 };
        (sign * magnitude, exponent.max(1) - 150)
    };
    let ((ma, ea), (mb, eb), (mc, ec)) = (parts(a), parts(b), parts(c));
    let (product, exponent) = (ma * mb, ea + eb);
    if product == 0 || mc == 0 {
        // One of the two is a zero, so plain arithmetic rounds once, or not at all if both are.
        return if product == 0 {
            a * b + c
        } else {
            rounded(product, exponent)
        };
    }
    // Aligned to the lower exponent, with 75 bits between at most; what lies further below is a mark.
    let (mut high, mut low, eh, el) = if exponent >= ec {
        (product, mc, exponent, ec)
    } else {
        (mc, product, ec, exponent)
    };
    let apart = eh - el;
    let mut base = el;
    if apart > 75 {
        let lost = apart - 75;
        let kept = if lost >= 127 { 0 } else { low.abs() >> lost };
        low = low.signum() * (kept | 1);
        base += lost;
    }
    high <<= eh - base;
    let total = high + low;
    if total == 0 {
        0.0
    } else {
        rounded(total, base)
    }
}

/// `whole · 2^exponent`, rounded to nearest even.
fn rounded(whole: i128, exponent: i32) -> f32 {
    let magnitude = whole.unsigned_abs();
    let top = 127 - magnitude.leading_zeros() as i32 + exponent;
    // The place of the last bit: 24 significant ones, fewer among the subnormals.
    let last = (top - 23).max(-149);
    let shift = last - exponent;
    let (mut kept, rest, half) = if shift <= 0 {
        (magnitude << -shift, 0, 1)
    } else if shift > 127 {
        (0, 1, 2)
    } else {
        let mask = (1u128 << shift) - 1;
        (magnitude >> shift, magnitude & mask, 1u128 << (shift - 1))
    };
    if rest > half || rest == half && kept & 1 == 1 {
        kept += 1;
    }
    let value = if kept == 0 {
        0.0
    } else {
        let kept = kept as f32;
        let exponent = last;
        // Exact in two steps: the number fits, or it is an overflow.
        let half = exponent.div_euclid(2);
        kept * power_of_two(half) * power_of_two(exponent - half)
    };
    if whole < 0 { -value } else { value }
}

/// The sum rule.
pub fn sum(x: &[f32]) -> f32 {
    if x.len() > 4096 {
        let blocks: Vec<f32> = x.chunks(4096).map(sum).collect();
        return sum(&blocks);
    }
    let mut lanes = [0.0f32; 16];
    for (i, x) in x.iter().enumerate() {
        lanes[i % 16] += x;
    }
    for width in [8, 4, 2, 1] {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}

/// A chain over pairs.
pub fn chain(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    pairs.fold(0.0, |acc, (a, b)| fma(a, b, acc))
}

/// The first greatest element, a NaN above all.
pub fn greatest(x: &[f32]) -> f32 {
    let mut best = x[0];
    for &x in x {
        if x > best || x.is_nan() && !best.is_nan() {
            best = x;
        }
    }
    best
}

/// A power with a whole exponent.
pub fn powi(x: f32, n: i64) -> f32 {
    let (mut result, mut base, mut b) = (1.0f32, x, n.unsigned_abs());
    while b > 0 {
        if b % 2 == 1 {
            result *= base;
        }
        b /= 2;
        if b > 0 {
            base *= base;
        }
    }
    if n < 0 { 1.0 / result } else { result }
}

/// Layer norm of a row.
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f64) -> Vec<f32> {
    let count = x.len() as f32;
    let mean = sum(x) / count;
    let c: Vec<f32> = x.iter().map(|x| x - mean).collect();
    let squares: Vec<f32> = c.iter().map(|c| c * c).collect();
    let root = (sum(&squares) / count + epsilon as f32).sqrt();
    let scaled = c.iter().zip(gamma).map(|(c, gamma)| (c / root) * gamma);
    scaled.zip(beta).map(|(x, beta)| x + beta).collect()
}

/// The words of a draw.
#[derive(Clone, Copy)]
pub struct Draw {
    key: [u32; 2],
    draw: u64,
}

impl Draw {
    pub fn new(seed: u64, stream: u64, step: u64, draw: u64) -> Self {
        let block = philox(halves(seed), [halves(stream), halves(step)].concat());
        Self {
            key: [block[0], block[1]],
            draw,
        }
    }

    pub fn word(self, index: u64) -> u32 {
        philox(self.key, [halves(index / 4), halves(self.draw)].concat())[(index % 4) as usize]
    }

    pub fn unit(self, index: u64) -> f32 {
        (self.word(index) >> 8) as f32 * power_of_two(-24)
    }

    pub fn below(self, index: u64, bound: u64) -> u64 {
        let number = u64::from(self.word(2 * index + 1)) << 32 | u64::from(self.word(2 * index));
        ((u128::from(bound) * u128::from(number)) >> 64) as u64
    }

    pub fn permutation(self, len: usize) -> Vec<usize> {
        let mut out: Vec<usize> = (0..len).collect();
        for i in (1..len).rev() {
            out.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        out
    }
}

fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

fn philox(key: [u32; 2], x: Vec<u32>) -> [u32; 4] {
    let [mut key0, mut key1] = key;
    let mut x = [x[0], x[1], x[2], x[3]];
    for round in 0..10 {
        if round > 0 {
            key0 = key0.wrapping_add(0x9e37_79b9);
            key1 = key1.wrapping_add(0xbb67_ae85);
        }
        let first = halves(0xd251_1f53 * u64::from(x[0]));
        let second = halves(0xcd9e_8d57 * u64::from(x[2]));
        x = [
            second[1] ^ x[1] ^ key0,
            second[0],
            first[1] ^ x[3] ^ key1,
            first[0],
        ];
    }
    x
}
