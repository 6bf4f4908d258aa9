//! docs/repro.md tells the truth: a second implementation, written from the page and its tables, gives the kernels' bits,
//! and the page's examples.

#[path = "support/second.rs"]
mod second;
mod support;

use burn::optim::SimpleOptimizer;
use burn::tensor::activation::{self, log_softmax, softmax};
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_backend::ops::ModuleOps;
use repro::kernels::elementary::{Function, apply};
use repro::kernels::elementwise;
use repro::kernels::fma::software;
use repro::kernels::product::{Matrix, product};
use repro::kernels::{random, rare, sum};
use repro::paths::{Path, Settings};
use repro::{Repro, ReproDevice, f64fn, optim};
use second::{Draw, Page, chain, fma, greatest, layer_norm, powi};
use support::{bits, numbers};

/// The page's function of this name.
fn by_the_page(page: &Page, function: Function, x: f32) -> f32 {
    match function {
        Function::Exp => page.exp(x),
        Function::Log => page.log(x),
        Function::Log1p => page.log1p(x),
        Function::Tanh => page.tanh(x),
        Function::Erf => page.erf(x),
        Function::Sin => page.sin(x),
        Function::Cos => page.cos(x),
        Function::Sigmoid => page.sigmoid(x),
        Function::Gelu => page.gelu(x),
        Function::GeluSlope => page.gelu_slope(x),
        Function::Tan => page.tan(x),
        Function::Sinh => page.sinh(x),
        Function::Cosh => page.cosh(x),
        Function::Asin => page.asin(x),
        Function::Acos => page.acos(x),
        Function::Atan => page.atan(x),
        Function::Asinh => page.asinh(x),
        Function::Acosh => page.acosh(x),
        Function::Atanh => page.atanh(x),
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// Bit patterns from the whole line, dense about every bound that the page names.
fn sample() -> Vec<f32> {
    let mut bits: Vec<u32> = (0..=u32::MAX).step_by(65_521).collect();
    let bounds = [
        0.0f32,
        1.0,
        89.0,
        104.0,
        88.722_84,
        103.972_08,
        0.625,
        0.921_875,
        4.0,
        71_476.0,
        f32::MIN_POSITIVE,
        std::f32::consts::FRAC_1_SQRT_2,
        std::f32::consts::SQRT_2,
        std::f32::consts::FRAC_PI_4,
        f32::MAX,
    ];
    for bound in bounds {
        let near = (0..400u32).map(|i| bound.to_bits().wrapping_add(i).wrapping_sub(200));
        bits.extend(near.flat_map(|bits| [bits, bits ^ 0x8000_0000]));
    }
    let small = (0..20_000).map(|i| ((i - 10_000) as f32 * 1.7e-3).to_bits());
    bits.extend(small);
    bits.into_iter().map(f32::from_bits).collect()
}

#[test]
fn the_tables_hold_every_number_and_each_value_is_its_bits() {
    assert_eq!(Page::read().numbers(), [11, 46, 20]);
}

#[test]
fn every_elementary_function_is_what_the_page_says_on_every_path() {
    let page = Page::read();
    let inputs = sample();
    for function in Function::ALL {
        let expected: Vec<f32> = inputs
            .iter()
            .map(|&x| by_the_page(&page, function, x))
            .collect();
        for path in Path::available() {
            let mut outputs = inputs.clone();
            apply(path, function, &mut outputs);
            for ((x, ours), page) in inputs.iter().zip(&outputs).zip(&expected) {
                assert!(
                    same(*ours, *page),
                    "{function:?}({x:e} = {:08x}) is {:08x} on {}, by the page {:08x}",
                    x.to_bits(),
                    ours.to_bits(),
                    path.name(),
                    page.to_bits()
                );
            }
        }
    }
}

#[test]
fn functions_of_two_numbers_are_what_the_page_says() {
    let page = Page::read();
    let hard = support::vectors::inputs::hard_numbers();
    for &x in &hard {
        for y in hard.iter().copied().chain([2.0, 3.0, -5.0, 2.5, 1e9]) {
            assert!(same(rare::pow(x, y), page.powf(x, y)), "pow({x:e}, {y:e})");
            assert!(
                same(rare::atan2(x, y), page.atan2(x, y)),
                "atan2({x:e}, {y:e})"
            );
        }
    }
}

#[test]
fn the_fused_multiply_add_of_whole_numbers_is_the_software_one() {
    let draw = random::Draw::new(3, 98, 0, 0);
    for i in 0..300_000u64 {
        let word = |k| draw.word(3 * i + k);
        let mut numbers = [word(0), word(1), word(2)].map(f32::from_bits);
        if i % 2 == 0 {
            // Near to each other, so that the sum cancels or ties.
            let near =
                |w: u32, exponent: u32| f32::from_bits(w & 0x8000_fff0 | (exponent + w % 40) << 23);
            numbers = [near(word(0), 100), near(word(1), 110), near(word(2), 85)];
        }
        let [a, b, c] = numbers;
        assert!(
            same(fma(a, b, c), software(a, b, c)),
            "fma({a:e}, {b:e}, {c:e})"
        );
    }
}

#[test]
fn sums_chains_and_powers_are_what_the_page_says() {
    for len in [0, 1, 5, 16, 33, 4096, 4097, 30_000] {
        let x = numbers(len as u64, len);
        assert!(same(sum::sum(&x), second::sum(&x)), "a sum of {len}");
    }
    let (m, k, n) = (5, 131, 37);
    let (a, b) = (numbers(1, m * k), numbers(2, k * n));
    let ours = product(
        Settings::current(),
        Matrix::row_major(&a, m, k),
        Matrix::row_major(&b, k, n),
    );
    for (at, ours) in ours.iter().enumerate() {
        let (row, column) = (at / n, at % n);
        let pairs = (0..k).map(|i| (a[row * k + i], b[i * n + column]));
        assert!(same(*ours, chain(pairs)), "element {row}, {column}");
    }
    for x in sample().into_iter().step_by(97) {
        for exponent in [-5, -1, 0, 1, 2, 3, 10] {
            assert!(same(elementwise::powi(x, exponent), powi(x, exponent)));
        }
    }
}

#[test]
fn compositions_are_what_the_page_says() {
    let page = Page::read();
    type T = Tensor<Repro, 2>;
    for len in [1, 7, 384, 5000] {
        let x = numbers(len as u64, 2 * len);
        let tensor = |numbers: &[f32]| {
            let rows = numbers.len() / len;
            T::from_data(TensorData::new(numbers.to_vec(), [rows, len]), &ReproDevice)
        };
        let row = |numbers: &[f32]| tensor(numbers).reshape([len]).into_primitive().tensor();
        let read = |tensor: T| bits(&tensor.into_data().to_vec::<f32>().expect("floats"));
        let rows =
            |f: &dyn Fn(&[f32]) -> Vec<f32>| bits(&x.chunks(len).flat_map(f).collect::<Vec<f32>>());
        assert_eq!(read(softmax(tensor(&x), 1)), rows(&|x| page.softmax(x)));
        assert_eq!(
            read(log_softmax(tensor(&x), 1)),
            rows(&|x| page.log_softmax(x))
        );
        let (gamma, beta) = (numbers(3, len), numbers(4, len));
        let normed = Repro::layer_norm(
            tensor(&x).into_primitive().tensor(),
            row(&gamma),
            Some(row(&beta)),
            1e-5,
        );
        assert_eq!(
            read(Tensor::from_primitive(TensorPrimitive::Float(normed))),
            rows(&|x| layer_norm(x, &gamma, &beta, 1e-5))
        );
        let silu = |x: &[f32]| x.iter().map(|x| x * page.sigmoid(*x)).collect();
        assert_eq!(read(activation::silu(tensor(&x))), rows(&silu));
    }
}

#[test]
fn three_steps_of_adamw_are_what_the_page_says() {
    let given = numbers(5, 4);
    let scalar =
        |x: f32| Tensor::<Repro, 1>::from_data(TensorData::new(vec![x], [1]), &ReproDevice);
    let (mut weight, mut state) = (scalar(given[0]), None);
    for g in &given[1..] {
        (weight, state) = optim::AdamW::default().step(0.01, weight, scalar(*g), state);
    }
    assert!(same(weight.into_scalar(), adamw(&given)));
}

#[test]
fn random_numbers_are_what_the_page_says() {
    let page = Page::read();
    for (seed, stream, step, draw) in [(0, 0, 0, 0), (21, 1, 3, 2), (u64::MAX, 99, 1 << 40, 7)] {
        let ours = random::Draw::new(seed, stream, step, draw);
        let theirs = Draw::new(seed, stream, step, draw);
        let law = random::Distribution::Normal {
            mean: 0.5,
            deviation: 2.0,
        };
        let normal = ours.fill(Settings::current().path, law, 101);
        for i in 0..101u64 {
            assert_eq!(ours.word(i), theirs.word(i));
            assert_eq!(ours.below(i, 1009), theirs.below(i, 1009));
            assert!(same(normal[i as usize], page.normal(theirs, i, 0.5, 2.0)));
        }
        assert_eq!(ours.permutation(50), theirs.permutation(50));
    }
}

#[test]
fn the_binary64_functions_are_what_the_page_says() {
    let page = Page::read();
    let draw = random::Draw::new(5, 98, 0, 0);
    for i in 0..20_000 {
        let bits = u64::from(draw.word(2 * i)) << 32 | u64::from(draw.word(2 * i + 1));
        let wild = f64::from_bits(bits);
        let mild = (draw.word(2 * i) as f64 / 2_147_483_648.0 - 1.0) * 750.0;
        for x in [wild, mild, wild.abs()] {
            let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            assert!(same(f64fn::exp(x), page.wide_exp(x)), "exp({x:e})");
            assert!(same(f64fn::ln(x), page.wide_ln(x)), "ln({x:e})");
        }
    }
}

/// The lines of the page's examples: name, words before the arrow, words after it.
fn examples(page: &Page) -> Vec<(String, Vec<String>, Vec<String>)> {
    let words =
        |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_string).collect() };
    page.text
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .filter(|(left, _)| !left.contains('`'))
        .map(|(left, right)| {
            let mut left = words(left);
            let name = left.remove(0);
            (name, left, words(right))
        })
        .collect()
}

#[test]
fn the_worked_examples_are_right() {
    let page = Page::read();
    let examples = examples(&page);
    assert!(examples.len() >= 40, "{} examples", examples.len());
    for (name, inputs, outputs) in &examples {
        let got = example(&page, name, inputs);
        assert_eq!(&got, outputs, "{name} {inputs:?}");
    }
}

/// A function of one number by the second implementation.
fn of_one_number(page: &Page, name: &str, x: f32) -> Option<f32> {
    Some(match name {
        "exp" => page.exp(x),
        "log" => page.log(x),
        "log1p" => page.log1p(x),
        "tanh" => page.tanh(x),
        "erf" => page.erf(x),
        "sin" => page.sin(x),
        "cos" => page.cos(x),
        "sigmoid" => page.sigmoid(x),
        "gelu" => page.gelu(x),
        "gelu_slope" => page.gelu_slope(x),
        "silu" => x * page.sigmoid(x),
        "tan" => page.tan(x),
        "sinh" => page.sinh(x),
        "cosh" => page.cosh(x),
        "asin" => page.asin(x),
        "acos" => page.acos(x),
        "atan" => page.atan(x),
        "asinh" => page.asinh(x),
        "acosh" => page.acosh(x),
        "atanh" => page.atanh(x),
        _ => return None,
    })
}

/// What an example gives by the second implementation, in the page's words.
fn example(page: &Page, name: &str, inputs: &[String]) -> Vec<String> {
    let whole = |at: usize| inputs[at].parse::<i64>().expect("a whole number");
    let natural = |at: usize| whole(at) as u64;
    let hex = |text: &String| u32::from_str_radix(text, 16).expect("eight digits");
    let draw = || Draw::new(natural(0), natural(1), natural(2), natural(3));
    let floats = || -> Vec<f32> {
        inputs
            .iter()
            .map(|text| f32::from_bits(hex(text)))
            .collect()
    };
    let wide = |f: &dyn Fn(f64) -> f64| {
        let bits = u64::from_str_radix(&inputs[0], 16).expect("sixteen digits");
        vec![format!("{:016x}", f(f64::from_bits(bits)).to_bits())]
    };
    let numbers = match name {
        "atan2" => vec![page.atan2(floats()[0], floats()[1])],
        "powf" => vec![page.powf(floats()[0], floats()[1])],
        "fma" => vec![fma(floats()[0], floats()[1], floats()[2])],
        "powi" => vec![powi(f32::from_bits(hex(&inputs[0])), whole(1))],
        "sum" => vec![second::sum(&floats())],
        "mean" => vec![second::sum(&floats()) / inputs.len() as f32],
        "chain" => vec![chain(floats().chunks(2).map(|pair| (pair[0], pair[1])))],
        "max" => vec![greatest(&floats())],
        "softmax" => page.softmax(&floats()),
        "log_softmax" => page.log_softmax(&floats()),
        "layer_norm" => {
            let x = floats();
            layer_norm(&x, &vec![1.0; x.len()], &vec![0.0; x.len()], 1e-5)
        }
        "adamw" => vec![adamw(&floats())],
        "unit" => vec![draw().unit(natural(4))],
        "normal" => vec![page.normal(draw(), natural(4), 0.0, 1.0)],
        "word" => return vec![format!("{:08x}", draw().word(natural(4)))],
        "below" => return vec![draw().below(natural(4), natural(5)).to_string()],
        "permutation" => {
            let order = draw().permutation(natural(4) as usize);
            return order.iter().map(usize::to_string).collect();
        }
        "exp64" => return wide(&|x| page.wide_exp(x)),
        "ln64" => return wide(&|x| page.wide_ln(x)),
        _ => {
            let value = of_one_number(page, name, floats()[0]);
            vec![value.unwrap_or_else(|| panic!("an example of `{name}`, which nobody computes"))]
        }
    };
    numbers
        .iter()
        .map(|x| format!("{:08x}", if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }))
        .collect()
}

/// `x` to the power `n` as the page has it: from the lowest bit of `n`, the result times the base where the bit is one,
/// then the base times itself.
fn power(x: f64, n: usize) -> f64 {
    let squares = std::iter::successors(Some(x), |base| Some(base * base));
    let bits = (0..usize::BITS - n.leading_zeros()).map(|bit| n >> bit & 1 == 1);
    let taken = squares.zip(bits).filter(|(_, bit)| *bit);
    taken.fold(1.0, |result, (base, _)| result * base)
}

/// The weight after AdamW's steps with these gradients, at a learning rate of 0.01 and the usual settings.
fn adamw(numbers: &[f32]) -> f32 {
    let (mut w, mut m, mut v) = (numbers[0], 0.0f32, 0.0f32);
    let (beta_1, beta_2) = (0.9f32, 0.999f32);
    for (at, g) in numbers[1..].iter().enumerate() {
        let (new_m, new_v) = (g * (1.0 - beta_1), (g * g) * (1.0 - beta_2));
        (m, v) = match at {
            0 => (new_m, new_v),
            _ => (m * beta_1 + new_m, v * beta_2 + new_v),
        };
        let correction = |beta: f32| (1.0 - power(f64::from(beta), at + 1)) as f32;
        let u = (m / correction(beta_1)) / ((v / correction(beta_2)).sqrt() + 1e-8);
        w = w * (1.0 - 0.01 * f64::from(0.01f32)) as f32 - u * 0.01;
    }
    w
}
