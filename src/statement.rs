//! A statement of an account, a bounty or an asset: asked for, added up again, told.
//!
//! The node says the sums and whether its state agrees. Here every movement is read and
//! added up once more, so that sums and movements cannot differ unseen.

use client::Client;
use protocol::Amount;
use protocol::api::{PAGE_MAX, PurseFlaw, PurseSum, RuleSum, StatementView};
use protocol::receipt::{Cause, Purse};
use protocol::statement::{Book, Movement, Subject, with_opening};
use serde::Serialize;

use crate::failure::Failure;
use crate::out;

/// What is wrong is told this often at most.
const FLAWS_MAX: usize = 16;

/// The sums of a statement, and whether they hold.
#[derive(Debug, Serialize)]
pub struct Sums {
    /// The last block that they know of.
    pub height: u64,
    /// What an account had from the genesis.
    pub opening: Amount,
    /// By kind of purse.
    pub purses: Vec<PurseSum>,
    /// By rule.
    pub rules: Vec<RuleSum>,
    /// How many movements there are.
    pub movements: u64,
    /// How many purses the node compared with its state.
    pub compared: u32,
    /// Whether those are all.
    pub compared_all: bool,
    /// Whether purses, sums and movements agree.
    pub adds_up: bool,
    /// What does not.
    pub flaws: Vec<String>,
}

impl Sums {
    /// Asks for them.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn ask(client: &Client, subject: &Subject) -> Result<Self, Failure> {
        let view = client.statement(subject)?;
        let mut sums = Self {
            height: view.height,
            opening: view.opening,
            purses: view.purses.clone(),
            rules: view.rules.clone(),
            movements: view.movements,
            compared: view.compared,
            compared_all: view.compared_all,
            adds_up: true,
            flaws: Vec::new(),
        };
        sums.judge(&view);
        Ok(sums)
    }

    fn judge(&mut self, view: &StatementView) {
        for PurseFlaw {
            purse,
            left,
            balance,
        } in &view.flaws
        {
            self.flaw(format!(
                "{}: {} by the movements, {} in the state",
                out::purse(purse),
                left.to_lode_string(),
                balance.to_lode_string()
            ));
        }
        if !view.adds_up && view.flaws.is_empty() {
            self.flaw("the node's sums are not those of its purses".to_owned());
        }
    }

    /// Notes something that does not add up.
    pub fn flaw(&mut self, flaw: String) {
        self.adds_up = false;
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.push(flaw);
        }
    }

    /// Reads every movement up to the height of the sums, and adds them up again.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn movements(
        &mut self,
        client: &Client,
        subject: &Subject,
    ) -> Result<Vec<Movement>, Failure> {
        let mut movements = Vec::new();
        for movement in client.movements(subject).page_size(PAGE_MAX) {
            let movement = movement?;
            if movement.height > self.height {
                break;
            }
            movements.push(movement);
        }
        let mut book = Book::default();
        for movement in &movements {
            book.add(subject, &movement.step);
        }
        self.check(&book);
        Ok(movements)
    }

    /// Compares the sums with those of a book of all movements.
    pub fn check(&mut self, book: &Book) {
        let totals = &book.totals;
        if totals.movements != self.movements {
            let (found, said) = (totals.movements, self.movements);
            self.flaw(format!("{found} movements, and the node says {said}"));
        }
        let opening = self.opening;
        // An account that nothing happened to has its opening alone.
        let said = self.purses.iter();
        let mut said: Vec<PurseSum> = said.filter(|sum| has_moved(sum)).cloned().collect();
        said.sort_by(|one, other| one.kind.cmp(&other.kind));
        let kinds = totals.kinds.iter();
        let mut found: Vec<PurseSum> = kinds
            .map(|(&kind, flow)| PurseSum {
                kind: Purse::KINDS[usize::from(kind)].to_owned(),
                paid_in: flow.paid_in,
                paid_out: flow.paid_out,
                left: match kind {
                    0 => with_opening(opening, flow.left),
                    _ => flow.left,
                },
            })
            .collect();
        found.sort_by(|one, other| one.kind.cmp(&other.kind));
        if found != said {
            self.flaw("the sums by purse are not those of the movements".to_owned());
        }
        let rules = totals.rules.iter();
        let found: Vec<RuleSum> = rules
            .map(|(&rule, flow)| RuleSum {
                rule,
                paid_in: flow.paid_in,
                paid_out: flow.paid_out,
            })
            .collect();
        if found != self.rules {
            self.flaw("the sums by rule are not those of the movements".to_owned());
        }
    }

    /// Prints the sums by rule and by purse, and whether they add up.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn print(&self) -> Result<(), Failure> {
        let mut rows = Vec::new();
        if !self.opening.is_zero() {
            rows.push(vec![
                "genesis".to_owned(),
                self.opening.to_lode_string(),
                String::new(),
                "had from the beginning of the network".to_owned(),
            ]);
        }
        for sum in &self.rules {
            let lode = |amount: Amount| match amount.is_zero() {
                true => String::new(),
                false => amount.to_lode_string(),
            };
            rows.push(vec![
                out::rule(sum.rule),
                lode(sum.paid_in),
                lode(sum.paid_out),
                out::reason(sum.rule).to_owned(),
            ]);
        }
        let head = ["rule", "LODE in", "LODE out", "why"];
        out::line(&format!("\n{}", out::table(&head, &[1, 2], rows)))?;
        let rows = self.purses.iter().map(|sum| {
            vec![
                sum.kind.replace('_', " "),
                sum.paid_in.to_lode_string(),
                sum.paid_out.to_lode_string(),
                sum.left.to_lode_string(),
            ]
        });
        let head = ["purse", "LODE in", "LODE out", "LODE left"];
        out::line(&format!(
            "\n{}",
            out::table(&head, &[1, 2, 3], rows.collect())
        ))?;
        let all = if self.compared_all { "" } else { "the first " };
        match self.adds_up {
            true => out::line(&format!(
                "\nit adds up: what is left is what {all}{} purses hold in the state at block {}",
                self.compared, self.height
            )),
            false => out::line("\nTHIS DOES NOT ADD UP"),
        }
    }

    /// The failure of a statement that does not add up.
    ///
    /// # Errors
    /// It does not.
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.adds_up {
            true => Ok(()),
            false => Err(Failure::new(
                "does_not_add_up",
                self.flaws.join("; "),
                "do not rely on this node: replay its log with 'lode log export' and 'lode log replay'",
            )),
        }
    }
}

fn has_moved(sum: &PurseSum) -> bool {
    !(sum.paid_in.is_zero() && sum.paid_out.is_zero())
}

/// Prints movements as a table, in the order of the log.
///
/// # Errors
/// stdout cannot be written.
pub fn print(movements: &[Movement]) -> Result<(), Failure> {
    let rows = movements.iter().map(|movement| {
        let step = &movement.step;
        vec![
            movement.height.to_string(),
            out::time(movement.time_ms),
            out::purse(&step.from),
            out::purse(&step.to),
            step.amount.to_lode_string(),
            out::rule(step.rule),
            by(&movement.cause),
        ]
    });
    let head = ["block", "time", "from", "to", "LODE", "rule", "by"];
    out::line(&out::table(&head, &[0, 4], rows.collect()).to_string())
}

/// What caused a movement, in few words.
pub fn by(cause: &Cause) -> String {
    match cause {
        Cause::Record(id) => out::short(id),
        Cause::Deadline(id) => format!("the clock of {}", out::short(id)),
        Cause::Distribution(id) => format!("the draw for {}", out::short(id)),
        Cause::Terms(id) => format!("the votes on {}", out::short(id)),
        Cause::License(id) => format!("the clock of licence {}", out::short(id)),
    }
}

#[cfg(test)]
mod tests {
    use protocol::receipt::{Move, Rule};
    use protocol::{Address, ItemId};

    use super::*;

    const ALICE: Address = Address([1; 32]);

    fn units(units: u128) -> Amount {
        Amount::from_base_units(units)
    }

    fn sums() -> (Sums, Book) {
        let mut book = Book::default();
        let step = |from, to, amount| Move {
            from,
            to,
            amount: units(amount),
            rule: Rule::Transfer,
        };
        let (alice, other) = (Purse::Account(ALICE), Purse::Account(Address([2; 32])));
        book.add(&Subject::Account(ALICE), &step(other, alice, 7));
        book.add(&Subject::Account(ALICE), &step(alice, other, 3));
        let sums = Sums {
            height: 1,
            opening: units(10),
            purses: vec![PurseSum {
                kind: "accounts".to_owned(),
                paid_in: units(7),
                paid_out: units(3),
                left: units(14),
            }],
            rules: vec![RuleSum {
                rule: Rule::Transfer,
                paid_in: units(7),
                paid_out: units(3),
            }],
            movements: 2,
            compared: 2,
            compared_all: true,
            adds_up: true,
            flaws: Vec::new(),
        };
        (sums, book)
    }

    #[test]
    fn sums_that_are_not_those_of_the_movements_are_said() {
        let check = |change: fn(&mut Sums), flaws: usize| {
            let (mut sums, book) = sums();
            change(&mut sums);
            sums.check(&book);
            assert_eq!(sums.flaws.len(), flaws, "{:?}", sums.flaws);
            assert_eq!(sums.adds_up, flaws == 0);
            assert_eq!(sums.verdict().is_ok(), flaws == 0);
        };
        check(|_| {}, 0);
        check(|sums| sums.movements += 1, 1);
        check(|sums| sums.purses[0].left = units(15), 1);
        check(|sums| sums.opening = units(9), 1);
        check(|sums| sums.rules[0].paid_in = units(6), 1);
        check(|sums| sums.rules.clear(), 1);
        check(|sums| sums.purses.clear(), 1);
    }

    #[test]
    fn what_a_node_says_of_its_own_state_is_believed_only_if_it_is_good() {
        let (mut sums, _) = sums();
        let flaw = PurseFlaw {
            purse: Purse::Deposit(ItemId([3; 32])),
            left: units(1),
            balance: units(2),
        };
        let view = StatementView {
            height: 1,
            opening: units(10),
            purses: Vec::new(),
            rules: Vec::new(),
            movements: 0,
            compared: 3,
            compared_all: true,
            adds_up: false,
            flaws: vec![flaw],
            items: Vec::new(),
            next: None,
        };
        sums.judge(&view);
        assert!(
            !sums.adds_up && sums.flaws[0].starts_with("deposit of"),
            "{:?}",
            sums.flaws
        );
    }
}
