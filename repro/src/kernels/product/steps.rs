//! How the steps of `k` are cut.

use std::ops::Range;

/// Most steps between two rests of the accumulators: a strip of so many stays in the first-level cache.
const STRETCH: usize = 256;
/// Steps up to which they do not rest at all: to fetch the end of a strip from further away costs less.
pub(super) const ONE_STRETCH: usize = 384;
/// Steps whose right factor is copied at once.
pub(super) const STEPS: usize = 4096;

/// Some steps in stretches of equal length, but for the last.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    steps: Range<usize>,
    len: usize,
}

impl Stretches {
    /// Where these steps rest.
    pub(super) fn of(steps: Range<usize>) -> Self {
        let len = if steps.len() <= ONE_STRETCH {
            steps.len().max(1)
        } else {
            steps.len().div_ceil(steps.len().div_ceil(STRETCH))
        };
        Self { steps, len }
    }
}

impl Iterator for Stretches {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.steps.start;
        if start == self.steps.end {
            return None;
        }
        self.steps.start = (start + self.len).min(self.steps.end);
        Some(start..self.steps.start)
    }
}
