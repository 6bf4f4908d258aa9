//! The golden vectors: every operation of version 1 on fixed inputs, forward and gradient. The golden file, the digest
//! example and the tests of settings are all made of them.
//!
//! A vector is a line of source such as `float_matmul(normal(5, [13, 300]), normal(6, [300, 21]));`. The macro calls
//! the backend's method of that name and keeps the text of the call, so that the stored file says how to make the inputs
//! and cannot say it wrongly. [`inputs`] has the inputs.

#![allow(dead_code)]

#[macro_use]
mod macros;

mod activations;
mod comparisons;
mod compositions;
mod convolutions;
mod elementwise;
mod gradients;
pub mod inputs;
mod layers;
mod products;
mod randoms;
mod sums;

use super::{bits, digest};
use burn::tensor::Tensor;
use burn_backend::ops::{MaxPool1dWithIndices, MaxPool2dWithIndices};
use burn_backend::{DType, Shape, TensorMetadata};
use burn_flex::FlexTensor;
use repro::Repro;

/// An operation's name, the text of the call, and the numbers that came out.
pub struct Vector {
    pub name: &'static str,
    pub recipe: String,
    pub shapes: Vec<Vec<usize>>,
    pub numbers: Vec<f32>,
}

impl Vector {
    fn new(name: &'static str, arguments: &str, output: impl Output) -> Self {
        let recipe = format!("{name}({})", tidy(arguments));
        let (mut shapes, mut numbers) = (Vec::new(), Vec::new());
        output.collect(&mut shapes, &mut numbers);
        Self {
            name,
            recipe,
            shapes,
            numbers,
        }
    }

    /// `recipe = shapes digest: bits`; the bits of all numbers if there are no more than sixteen, else of the first four.
    pub fn line(&self) -> String {
        let shown = match self.numbers.len() {
            len @ 0..=16 => len,
            _ => 4,
        };
        let shapes: Vec<String> = self.shapes.iter().map(|s| format!("{s:?}")).collect();
        let first: Vec<String> = bits(&self.numbers[..shown])
            .iter()
            .map(|bits| format!("{bits:08x}"))
            .collect();
        let more = if shown < self.numbers.len() {
            " .."
        } else {
            ""
        };
        format!(
            "{} = {} {:016x}: {}{more}",
            self.recipe,
            shapes.join(" "),
            digest(&self.numbers),
            first.join(" "),
        )
        .trim_end()
        .to_string()
    }
}

/// How the compiler spaces the text of a call is not promised: no space but one after a comma.
fn tidy(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    bare.replace(',', ", ")
        .replace(", ]", "]")
        .replace(", )", ")")
}

/// What an operation returns: tensors, as numbers. Whole numbers and truth values count as the number they are.
pub trait Output {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>);
}

impl Output for FlexTensor {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
        shapes.push(self.shape()[..].to_vec());
        let float = match self.dtype() {
            DType::F32 => self,
            DType::Bool(_) => Repro::bool_into_float(self, burn_backend::FloatDType::F32),
            _ => Repro::int_into_float(self, burn_backend::FloatDType::F32),
        };
        let data = burn::tensor::try_read_sync(Repro::float_into_data(float));
        let data = data.expect("ready at once").expect("numbers");
        numbers.extend(data.to_vec::<f32>().expect("floats"));
    }
}

impl<A: Output, B: Output> Output for (A, B) {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        self.0.collect(shapes, numbers);
        self.1.collect(shapes, numbers);
    }
}

impl Output for MaxPool1dWithIndices<Repro> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        (self.output, self.indices).collect(shapes, numbers);
    }
}

impl Output for MaxPool2dWithIndices<Repro> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        (self.output, self.indices).collect(shapes, numbers);
    }
}

impl Output for burn_backend::ops::MaxPool1dBackward<Repro> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        self.x_grad.collect(shapes, numbers);
    }
}

impl Output for burn_backend::ops::MaxPool2dBackward<Repro> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        self.x_grad.collect(shapes, numbers);
    }
}

impl<const D: usize> Output for Tensor<Repro, D> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        self.into_primitive().tensor().collect(shapes, numbers);
    }
}

impl Output for Vec<f32> {
    fn collect(self, shapes: &mut Vec<Vec<usize>>, numbers: &mut Vec<f32>) {
        shapes.push(vec![self.len()]);
        numbers.extend(self);
    }
}

/// Every vector, in the order of the golden file.
pub fn all() -> Vec<Vector> {
    let mut out = Vec::new();
    elementwise::push(&mut out);
    products::push(&mut out);
    sums::push(&mut out);
    comparisons::push(&mut out);
    activations::push(&mut out);
    layers::push(&mut out);
    convolutions::push(&mut out);
    compositions::push(&mut out);
    randoms::push(&mut out);
    gradients::push(&mut out);
    out
}

/// A digest an operation, in the order of the first vector of each, and the number of its vectors.
pub fn by_operation(vectors: &[Vector]) -> Vec<(&'static str, usize, super::Digest)> {
    let mut out: Vec<(&'static str, usize, super::Digest)> = Vec::new();
    for vector in vectors {
        if out.iter().all(|(name, ..)| *name != vector.name) {
            out.push((vector.name, 0, super::Digest::default()));
        }
        let entry = out.iter_mut().find(|(name, ..)| *name == vector.name);
        let (_, count, digest) = entry.expect("just put there");
        *count += 1;
        digest.add(&vector.numbers);
    }
    out
}

/// The digest of the definition: of the digests of the operations.
pub fn operations(vectors: &[Vector]) -> u64 {
    total(vectors, &[])
}

/// The digest of all: of the digests of the operations, then of the trainings.
pub fn total(vectors: &[Vector], trainings: &[(&str, u64)]) -> u64 {
    let mut total = super::Digest::default();
    for (.., digest) in by_operation(vectors) {
        total.add_word(digest.value());
    }
    for (_, digest) in trainings {
        total.add_word(*digest);
    }
    total.value()
}

/// A shape from lengths.
fn shape<const D: usize>(lengths: [usize; D]) -> Shape {
    Shape::new(lengths)
}
