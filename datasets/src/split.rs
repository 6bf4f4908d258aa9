//! Deterministic train and test parts of a list of rows.
//!
//! A part depends on the row's index and the split alone, never on a clock, a
//! thread or the other rows, and keeps the rows in their order.

use serde::{Deserialize, Serialize};

/// Parts of a million: the unit of [`Split::Seeded`].
pub const MILLION: u32 = 1_000_000;

const SEED_DOMAIN: &[u8] = b"lode/split/1";

/// Which rows are for testing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// The rows whose index leaves the remainder `offset` when divided by `n`.
    EveryNth {
        /// At least 2.
        n: u32,
        /// Below `n`.
        offset: u32,
    },
    /// Row `i` is for testing if the first 8 bytes (little-endian) of
    /// BLAKE3("lode/split/1" ‖ seed ‖ i as 8 bytes, little-endian) are below
    /// `test_per_million` / 10^6 of 2^64, compared exactly in integers. A row
    /// keeps its part when rows are added after it.
    Seeded {
        /// 32 bytes that nobody chose with the rows in view.
        seed: [u8; 32],
        /// How many rows of a million are for testing on average, 1 to 999,999.
        test_per_million: u32,
    },
}

/// Indices of rows, each list ascending; together every row once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The rows to train on.
    pub train: Vec<usize>,
    /// The rows to test on.
    pub test: Vec<usize>,
}

/// Why rows cannot be split so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Not a proper part.
    #[error("every {n}th row from row {offset}: n is at least 2 and the offset below it")]
    EveryNth {
        /// The distance.
        n: u32,
        /// The first row.
        offset: u32,
    },
    /// Nothing or everything would be for testing.
    #[error("{0} of a million rows for testing: it must be from 1 to 999999")]
    TestPart(u32),
    /// One part has no row.
    #[error("of {rows} rows {test} are for testing: both parts need at least one")]
    EmptyPart {
        /// Rows given.
        rows: usize,
        /// Rows for testing.
        test: usize,
    },
}

impl SplitError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EveryNth { .. } => "split_every_nth",
            Self::TestPart(_) => "split_test_part",
            Self::EmptyPart { .. } => "split_empty_part",
        }
    }
}

impl Split {
    /// The parts of `rows` rows.
    ///
    /// # Errors
    /// [`SplitError`] if the split is no proper one, or leaves a part empty.
    pub fn parts(&self, rows: usize) -> Result<Parts, SplitError> {
        match *self {
            Self::EveryNth { n, offset } if n < 2 || offset >= n => {
                return Err(SplitError::EveryNth { n, offset });
            }
            Self::Seeded {
                test_per_million, ..
            } if !(1..MILLION).contains(&test_per_million) => {
                return Err(SplitError::TestPart(test_per_million));
            }
            _ => {}
        }
        let (test, train): (Vec<_>, Vec<_>) = (0..rows).partition(|&row| self.is_test(row as u64));
        if test.is_empty() || train.is_empty() {
            return Err(SplitError::EmptyPart {
                rows,
                test: test.len(),
            });
        }
        Ok(Parts { train, test })
    }

    fn is_test(&self, row: u64) -> bool {
        match self {
            Self::EveryNth { n, offset } => row % u64::from(*n) == u64::from(*offset),
            Self::Seeded {
                seed,
                test_per_million,
            } => {
                let mut hash = blake3::Hasher::new();
                hash.update(SEED_DOMAIN)
                    .update(seed)
                    .update(&row.to_le_bytes());
                let mut first = [0; 8];
                first.copy_from_slice(&hash.finalize().as_bytes()[..8]);
                let draw = u128::from(u64::from_le_bytes(first));
                draw * u128::from(MILLION) < u128::from(*test_per_million) << 64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_nth_row_is_for_testing() {
        let parts = Split::EveryNth { n: 5, offset: 0 }
            .parts(11)
            .expect("a proper split");
        assert_eq!(parts.test, [0, 5, 10]);
        assert_eq!(parts.train, [1, 2, 3, 4, 6, 7, 8, 9]);
        let parts = Split::EveryNth { n: 2, offset: 1 }
            .parts(3)
            .expect("a proper split");
        assert_eq!((parts.test, parts.train), (vec![1], vec![0, 2]));
    }

    #[test]
    fn a_seed_gives_these_rows_for_ever() {
        let split = Split::Seeded {
            seed: [7; 32],
            test_per_million: 200_000,
        };
        let parts = split.parts(40).expect("a proper split");
        // Computed by a second program with another BLAKE3.
        assert_eq!(parts.test, [0, 4, 5, 21, 26, 33]);
    }

    #[test]
    fn improper_splits_are_refused() {
        let seeded = |test_per_million| Split::Seeded {
            seed: [0; 32],
            test_per_million,
        };
        for (split, rows, code) in [
            (Split::EveryNth { n: 0, offset: 0 }, 10, "split_every_nth"),
            (Split::EveryNth { n: 1, offset: 0 }, 10, "split_every_nth"),
            (Split::EveryNth { n: 5, offset: 5 }, 10, "split_every_nth"),
            (Split::EveryNth { n: 5, offset: 4 }, 4, "split_empty_part"),
            (Split::EveryNth { n: 5, offset: 0 }, 1, "split_empty_part"),
            (Split::EveryNth { n: 5, offset: 0 }, 0, "split_empty_part"),
            (seeded(0), 10, "split_test_part"),
            (seeded(MILLION), 10, "split_test_part"),
            (seeded(u32::MAX), 10, "split_test_part"),
            (seeded(1), 0, "split_empty_part"),
        ] {
            let error = split.parts(rows).expect_err(code);
            assert_eq!(error.code(), code, "{error}");
        }
    }

    #[test]
    fn a_seeded_part_has_about_the_size_asked_for() {
        let split = Split::Seeded {
            seed: [3; 32],
            test_per_million: 250_000,
        };
        let test = split.parts(20_000).expect("a proper split").test.len();
        assert!((4_800..5_200).contains(&test), "{test}");
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_more_rows_move_none(
            seed: [u8; 32],
            test_per_million in 100_000u32..900_000,
            rows in 200usize..400,
            more in 0usize..50,
        ) {
            let split = Split::Seeded { seed, test_per_million };
            let parts = split.parts(rows).expect("both parts have rows");
            let mut all = [parts.train.clone(), parts.test.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
            let longer = split.parts(rows + more).expect("both parts have rows");
            prop_assert!(longer.train.starts_with(&parts.train));
            prop_assert!(longer.test.starts_with(&parts.test));
        }
    }
}
