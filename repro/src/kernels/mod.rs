//! The kernels: every operation that rounds, over plain slices.
//!
//! A kernel takes slices and shapes and returns a `Vec` or writes a slice. It knows no burn type,
//! no device and no global state except the one choice it is handed: a [`paths::Path`], which
//! names the instructions to use and never changes a bit of the result. Each kernel's doc has
//! **Shapes** and **Order**, and that text is the definition.
//!
//! Shared by all of them: IEEE-754 binary32, round to nearest even, subnormals kept. Inputs are read
//! by logical (row-major) index, never by memory layout. A NaN result is *a* NaN: its sign and
//! payload are outside the definition, and no score is ever taken from one.

pub mod convolution;
pub mod elementary;
pub mod elementwise;
pub mod fma;
pub mod order_free;
pub mod paths;
pub mod pooling;
pub mod product;
pub mod random;
pub mod scatter;
pub mod sum;
pub mod view;
