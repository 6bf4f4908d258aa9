//! Statements beside the state: what they say is left is what every purse holds.

use std::collections::BTreeMap;

use market::State;
use protocol::api::HistoryEntry;
use protocol::receipt::{Purse, Receipt};
use protocol::record::{GenesisRecord, Transaction};
use protocol::statement::{Statement, Subject, Totals, touched};
use protocol::{Address, Amount};

/// The statement of everything that occurs, receipt by receipt.
#[derive(Default)]
pub struct Statements {
    all: BTreeMap<Subject, Statement>,
    openings: BTreeMap<Address, Amount>,
}

impl Statements {
    pub fn new(genesis: &GenesisRecord) -> Self {
        let allocations = genesis.genesis.allocations.iter();
        let openings: BTreeMap<Address, Amount> =
            allocations.map(|a| (a.account, a.amount)).collect();
        let mut statements = Self {
            all: BTreeMap::new(),
            openings,
        };
        let accounts: Vec<Address> = statements.openings.keys().copied().collect();
        for account in accounts {
            statements.of(Subject::Account(account));
        }
        statements
    }

    fn of(&mut self, subject: Subject) -> &mut Statement {
        let opening = match subject {
            Subject::Account(account) => self.openings.get(&account).copied(),
            _ => None,
        };
        let empty = || Statement::new(subject, opening.unwrap_or_default());
        self.all.entry(subject).or_insert_with(empty)
    }

    /// Adds a block, and compares every purse of whatever it touched with the state.
    pub fn add(&mut self, state: &State, receipts: &[Receipt], records: &[Transaction]) {
        let clocks = receipts.len() - records.len();
        let mut changed = Vec::new();
        for (place, receipt) in receipts.iter().enumerate() {
            let record = place.checked_sub(clocks).map(|place| &records[place]);
            let entry = HistoryEntry {
                height: state.height(),
                place: place as u32,
                time_ms: state.time_ms(),
                signer: record.map(|record| record.signer),
                record_type: None,
                receipt: receipt.clone(),
            };
            for subject in touched(receipt, record) {
                self.of(subject).add(&entry);
                for (_, step) in subject.moves(receipt) {
                    changed.push((subject, step.from));
                    changed.push((subject, step.to));
                }
            }
        }
        for (subject, purse) in changed {
            let statement = &self.all[&subject];
            if statement.book.purses.contains_key(&purse) {
                assert_eq!(
                    statement.left(&purse),
                    state.balance(purse),
                    "{subject:?}: {purse:?}"
                );
            }
        }
    }

    /// Compares all of them with the state; and their purses, each once, with the supply.
    pub fn check(&self, state: &State) {
        let mut purses: BTreeMap<Purse, Amount> = BTreeMap::new();
        for statement in self.all.values() {
            statement.check(state);
            for &purse in statement.book.purses.keys() {
                let left = statement.left(&purse);
                let other = purses.insert(purse, left);
                assert!(other.is_none_or(|other| other == left), "{purse:?}");
            }
            if let Subject::Account(account) = statement.subject {
                let purse = Purse::Account(account);
                purses.insert(purse, statement.left(&purse));
            }
        }
        let burned = state.balance(Purse::Burned);
        let sum = purses
            .values()
            .try_fold(burned, |sum, &left| sum.checked_add(left));
        assert_eq!(sum, Some(state.network_info().supply));
    }

    /// Whether there is one of this account.
    pub fn is_told(&self, account: Address) -> bool {
        self.all.contains_key(&Subject::Account(account))
    }

    /// How many there are: of bounties, assets, and of assets with a purse that income has gone through.
    /// A record that is no asset, but has locked a deposit, has a statement beside them.
    pub fn counts(&self, state: &State) -> [usize; 3] {
        let mut counts = [0; 3];
        for (subject, statement) in &self.all {
            match *subject {
                Subject::Bounty(_) => counts[0] += 1,
                Subject::Asset(id) if state.asset(id).is_some() => {
                    counts[1] += 1;
                    let mut purses = statement.book.purses.keys();
                    let has_income = purses.any(|purse| matches!(purse, Purse::Income(_)));
                    counts[2] += usize::from(has_income);
                }
                Subject::Account(_) | Subject::Asset(_) => (),
            }
        }
        counts
    }
}

trait Check {
    fn check(&self, state: &State);
}

impl Check for Statement {
    fn check(&self, state: &State) {
        let mut kinds: BTreeMap<usize, Amount> = BTreeMap::new();
        let mut all = Amount::ZERO;
        let own = match self.subject {
            Subject::Account(account) => vec![Purse::Account(account)],
            _ => Vec::new(),
        };
        let mut purses: Vec<Purse> = self.book.purses.keys().copied().chain(own).collect();
        purses.sort_unstable();
        purses.dedup();
        for purse in purses {
            let left = self.left(&purse);
            assert_eq!(left, state.balance(purse), "{:?}: {purse:?}", self.subject);
            let kind = kinds.entry(purse.kind()).or_default();
            *kind = kind.checked_add(left).expect("a part of the supply");
            all = all.checked_add(left).expect("a part of the supply");
        }
        // The sums by kind and by rule are those of the purses.
        let Totals {
            kinds: sums, rules, ..
        } = &self.book.totals;
        for (&kind, flow) in sums {
            let opening = if kind == 0 {
                self.opening
            } else {
                Amount::ZERO
            };
            let sum = opening.checked_add(flow.paid_in).expect("fits");
            let left = sum.checked_sub(flow.paid_out);
            assert_eq!(left, kinds.get(&usize::from(kind)).copied());
        }
        let both = |out: bool| {
            let amounts = rules
                .values()
                .map(|flow| if out { flow.paid_out } else { flow.paid_in });
            amounts.fold(Amount::ZERO, |sum, amount| {
                sum.checked_add(amount).expect("fits")
            })
        };
        let sum = self.opening.checked_add(both(false)).expect("fits");
        assert_eq!(sum.checked_sub(both(true)), Some(all), "{:?}", self.subject);
        assert_eq!(self.book.totals.movements, self.movements.len() as u64);
        let marks = self
            .movements
            .iter()
            .map(|one| (one.height, one.place, one.index));
        assert!(marks.is_sorted(), "in the order of the log");
    }
}
