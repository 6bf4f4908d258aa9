//! What is to be told of an example: a class, or a number.

use serde::{Deserialize, Serialize};

/// What the labels of a data set are.
///
/// In a manifest `{"classes": 10}` or `"numbers"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelKind {
    /// So many classes, 2 to 2^20; labels are 0 to one less.
    Classes(u32),
    /// Numbers: a regression.
    Numbers,
}

impl LabelKind {
    /// How many classes, if it is classes.
    pub const fn classes(self) -> Option<u32> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Numbers => None,
        }
    }
}

/// The labels of a table, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Classes, each below their number.
    Classes(Vec<u32>),
    /// Numbers: the binary64 nearest to what is written, within the range of binary32.
    Numbers(Vec<f64>),
}

impl Labels {
    /// No labels yet, of this kind.
    pub const fn new(kind: LabelKind) -> Self {
        match kind {
            LabelKind::Classes(_) => Self::Classes(Vec::new()),
            LabelKind::Numbers => Self::Numbers(Vec::new()),
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Numbers(labels) => labels.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Only these, in this order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(indices.iter().map(|&i| labels[i]).collect()),
            Self::Numbers(labels) => Self::Numbers(indices.iter().map(|&i| labels[i]).collect()),
        }
    }

    /// The classes, if they are classes.
    pub fn classes(&self) -> Option<&[u32]> {
        match self {
            Self::Classes(labels) => Some(labels),
            Self::Numbers(_) => None,
        }
    }

    /// The numbers, if they are numbers.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Classes(_) => None,
            Self::Numbers(labels) => Some(labels),
        }
    }
}
