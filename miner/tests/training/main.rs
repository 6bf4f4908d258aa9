//! Training on the reproducible backend: the same bits every time, folders
//! written whole or not at all, and the accuracy that is promised.

mod bits;
mod digits;
mod folders;
mod reference;
mod resume;
mod support;
mod ways;
