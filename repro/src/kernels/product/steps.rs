//! How the steps of `k` are cut.

use std::ops::Range;

/// Most steps between two rests of the accumulators.
pub(super) const STRETCH: usize = 384;
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
        let count = steps.len().div_ceil(STRETCH).max(1);
        let len = steps.len().div_ceil(count).max(1);
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
