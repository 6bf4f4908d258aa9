//! Receipts: what each turn of the clock and each record of a block has moved, and what else
//! happened, in the order that the page gives.

use protocol::Amount;
use protocol::receipt::{Cause, Event, Move, Receipt};
use protocol::text::Code;

use crate::model::{Model, Refused};
use crate::money::Movement;

/// The receipts of the present block.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Those that are written.
    pub receipts: Vec<Receipt>,
    /// What has happened since the last.
    pub(crate) events: Vec<Event>,
    /// How many movements of all time are in a receipt, or in the genesis.
    pub(crate) noted: usize,
}

impl Model {
    /// Something happens.
    pub(crate) fn event(&mut self, event: Event) {
        self.book.events.push(event);
    }

    /// What was done since the last receipt has this one.
    pub(crate) fn receipt(&mut self, cause: Cause, rejected: Option<Refused>) {
        let moves = self.money.moves.iter().skip(self.book.noted);
        let moves = moves.map(as_move).collect();
        self.book.noted = self.money.moves.len();
        let events = std::mem::take(&mut self.book.events);
        self.book.receipts.push(Receipt {
            cause,
            rejected: rejected.map(Code::lossy),
            moves,
            events: match rejected {
                None => events,
                Some(_) => Vec::new(),
            },
        });
    }
}

fn as_move(step: &Movement) -> Move {
    let units = u128::try_from(&step.amount).expect("no purse holds more");
    Move {
        from: step.from.expect("only the genesis moves out of nothing"),
        to: step.to,
        amount: Amount::from_base_units(units),
        rule: step.rule.expect("and by no rule"),
    }
}
