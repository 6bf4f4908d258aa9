//! What the clock's work on a bounty costs, and where each block leaves it. The model does it whole; it only counts.

use crate::limits::{ROWS_PER_BLOCK, ROWS_PER_TURN};

/// The pieces of the work, in order. The first is the turn that begins it.
#[derive(Clone, Debug, Default)]
pub struct Work(Vec<Piece>);

/// What is begun while a row is left, and then done to its end.
#[derive(Clone, Debug, Default)]
struct Piece {
    /// How much of the same has been done before it.
    place: usize,
    /// Stakes that return to backers: the one thing that is cut by what is left.
    stakes: usize,
    /// Rows, those of the stakes not counted.
    rows: usize,
}

impl Work {
    /// A turn.
    pub(crate) fn turn(&mut self) {
        self.0.push(Piece {
            rows: ROWS_PER_TURN,
            ..Piece::default()
        });
    }

    /// A piece for each submission, and one for what follows them.
    pub(crate) fn submissions(&mut self, rows: impl IntoIterator<Item = usize>) {
        let rows = rows.into_iter().chain([0]);
        self.0.extend(rows.enumerate().map(|(place, rows)| Piece {
            place,
            rows,
            stakes: 0,
        }));
    }

    /// The stakes that return.
    pub(crate) fn stakes(&mut self, stakes: usize) {
        self.0.push(Piece {
            stakes,
            ..Piece::default()
        });
    }

    /// What the last piece does besides. (What a record does comes behind the clock's work, and is not looked at.)
    pub(crate) fn besides(&mut self, rows: usize) {
        if let Some(last) = self.0.last_mut() {
            last.rows += rows;
        }
    }

    /// How much of the same each block but the last has done, if nothing else is due in them: so many submissions were
    /// looked at in this way, or so many stakes returned, when nothing was left of the block's rows.
    pub fn left_at(&self) -> Vec<usize> {
        let (mut left_at, mut left) = (Vec::new(), ROWS_PER_BLOCK);
        for piece in &self.0 {
            let mut returned = 0;
            loop {
                if left == 0 {
                    left_at.push(piece.place + returned);
                    left = ROWS_PER_BLOCK - ROWS_PER_TURN;
                }
                let some = (piece.stakes - returned).min(left.div_ceil(2));
                returned += some;
                left = left.saturating_sub(2 * some);
                if returned == piece.stakes {
                    break;
                }
            }
            left = left.saturating_sub(piece.rows);
        }
        left_at
    }
}
