//! Purses: every unit is in exactly one, and moves by a named rule.
//!
//! `State::pay` is the only way money moves, but for the byte fee, which is taken
//! with the nonce. Every movement is noted for the receipt and kept in the totals
//! by kind of purse, so that the supply is checked by deltas at every step and by
//! full sum wherever somebody asks.
//!
//! What one record put up for itself (bond, evaluation fee, deposit) comes and goes
//! together, so these purses share one entry of the state: `Held`.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Move, Purse, Rule};
use protocol::record::Transaction;
use protocol::{Address, Amount, ItemId};

use crate::accounts::Account;
use crate::rejection::Rejection;
use crate::state::State;

/// The sums of all purses by kind, in the order of [`Purse::KINDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Totals {
    /// One sum a kind.
    pub by_kind: [Amount; Purse::KINDS.len()],
}

impl Totals {
    /// The sum over all kinds; `None` if it does not fit.
    pub fn sum(&self) -> Option<Amount> {
        self.by_kind
            .iter()
            .try_fold(Amount::ZERO, |sum, &part| sum.checked_add(part))
    }
}

/// The purses of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Held {
    /// [`Purse::MinerBond`].
    bond: Amount,
    /// [`Purse::EvaluationFee`].
    fee: Amount,
    /// [`Purse::Deposit`].
    deposit: Amount,
}

impl Held {
    /// All of them, for the record that they are of.
    fn purses(&self, record: ItemId) -> [(Purse, Amount); 3] {
        [
            (Purse::MinerBond(record), self.bond),
            (Purse::EvaluationFee(record), self.fee),
            (Purse::Deposit(record), self.deposit),
        ]
    }
}

/// Where the amount of a purse stands in the state.
enum Place {
    /// Beside a nonce.
    Account(Address),
    /// In the totals.
    Burned,
    /// In a record's entry.
    Held(ItemId, fn(&mut Held) -> &mut Amount),
    /// In an entry of its own.
    Own,
}

impl Place {
    fn of(purse: Purse) -> Self {
        match purse {
            Purse::Account(address) => Self::Account(address),
            Purse::Burned => Self::Burned,
            Purse::MinerBond(record) => Self::Held(record, |held| &mut held.bond),
            Purse::EvaluationFee(record) => Self::Held(record, |held| &mut held.fee),
            Purse::Deposit(record) => Self::Held(record, |held| &mut held.deposit),
            _ => Self::Own,
        }
    }
}

impl State {
    /// What is in a purse.
    pub fn balance(&self, purse: Purse) -> Amount {
        match Place::of(purse) {
            Place::Account(address) => self.account(address).balance,
            Place::Burned => self.totals().by_kind[Purse::Burned.kind()],
            Place::Held(record, part) => *part(&mut self.held(record)),
            Place::Own => {
                let amount = self.tables.purses.get(&purse);
                amount.copied().unwrap_or(Amount::ZERO)
            }
        }
    }

    fn held(&self, record: ItemId) -> Held {
        let held = self.tables.held.get(&record);
        held.copied().unwrap_or_default()
    }

    /// The sums of all purses by kind.
    pub fn totals(&self) -> Totals {
        *self.tables.totals.get(&()).expect("every state has totals")
    }

    /// Adds up every purse there is, which the totals keep by deltas. `None` if
    /// the two disagree or their sum is not the supply: a bug.
    pub fn audit(&self) -> Option<Totals> {
        let mut full = Totals::default();
        let accounts = self
            .tables
            .accounts
            .iter()
            .map(|(&address, account)| (Purse::Account(address), account.balance));
        let purses = self
            .tables
            .purses
            .iter()
            .map(|(&purse, &amount)| (purse, amount));
        let held = self.tables.held.iter();
        let held = held.flat_map(|(&record, held)| held.purses(record));
        for (purse, amount) in accounts.chain(purses).chain(held) {
            let sum = &mut full.by_kind[purse.kind()];
            *sum = sum.checked_add(amount)?;
        }
        let kept = self.totals();
        full.by_kind[Purse::Burned.kind()] = kept.by_kind[Purse::Burned.kind()];
        (full == kept && full.sum()? == self.network_info().supply).then_some(full)
    }

    /// Moves money. Nothing moves, and nothing is noted, for an amount of zero.
    ///
    /// # Errors
    /// [`Rejection::InsufficientFunds`] if the purse holds less.
    pub(crate) fn pay(
        &mut self,
        from: Purse,
        to: Purse,
        amount: Amount,
        rule: Rule,
    ) -> Result<(), Rejection> {
        if amount.is_zero() {
            return Ok(());
        }
        self.take(from, amount)
            .map_err(|available| Rejection::InsufficientFunds {
                needed: amount,
                available,
            })?;
        self.put(to, amount);
        self.note(Move {
            from,
            to,
            amount,
            rule,
        });
        Ok(())
    }

    /// Notes a movement for the receipt, and keeps the totals.
    pub(crate) fn note(&mut self, step: Move) {
        let [out, into] = [step.from.kind(), step.to.kind()];
        if out != into {
            self.tables.totals.update(&(), |totals| {
                let less = totals.by_kind[out].checked_sub(step.amount);
                totals.by_kind[out] = less.expect("the purse held it, so its kind does");
                let more = totals.by_kind[into].checked_add(step.amount);
                totals.by_kind[into] = more.expect("no kind holds above the supply");
            });
        }
        self.moves.push(step);
    }

    /// Locks the deposit of a record that makes state.
    ///
    /// # Errors
    /// [`Rejection::InsufficientFunds`] if the signer cannot pay it.
    pub(crate) fn lock_deposit(&mut self, tx: &Transaction) -> Result<(), Rejection> {
        let parameters = self.parameters();
        let amount = tx
            .byte_fee(parameters.fee_per_byte)
            .and_then(|fee| fee.checked_mul(u128::from(parameters.deposit_factor)))
            .ok_or(Rejection::Overflow)?;
        let (from, to) = (Purse::Account(tx.signer), Purse::Deposit(tx.id));
        self.pay(from, to, amount, Rule::Deposit)
    }

    /// Returns the deposit of a record whose state is gone.
    pub(crate) fn return_deposit(&mut self, record: ItemId, signer: Address) {
        let (from, to) = (Purse::Deposit(record), Purse::Account(signer));
        self.pay_all(from, to, Rule::DepositReturn);
    }

    /// Moves all that is in a purse.
    pub(crate) fn pay_all(&mut self, from: Purse, to: Purse, rule: Rule) {
        let amount = self.balance(from);
        self.pay(from, to, amount, rule)
            .expect("a purse can pay what it holds");
    }

    /// Takes out of a purse; the error is what is there, if that is too little.
    fn take(&mut self, purse: Purse, amount: Amount) -> Result<(), Amount> {
        if let Purse::Account(address) = purse {
            let taken = self.tables.accounts.update(&address, |account| {
                let left = account.balance.checked_sub(amount);
                account.balance = left.ok_or(account.balance)?;
                Ok(())
            });
            return taken.unwrap_or(Err(Amount::ZERO));
        }
        let available = self.balance(purse);
        let left = available.checked_sub(amount).ok_or(available)?;
        self.set(purse, left);
        Ok(())
    }

    /// Adds to a purse.
    fn put(&mut self, purse: Purse, amount: Amount) {
        let add = |sum: Amount| {
            sum.checked_add(amount)
                .expect("no purse holds above the supply")
        };
        let Purse::Account(address) = purse else {
            return self.set(purse, add(self.balance(purse)));
        };
        let there = self.tables.accounts.update(&address, |account| {
            account.balance = add(account.balance);
        });
        if there.is_none() {
            let balance = amount;
            self.tables
                .accounts
                .put(address, Account { balance, nonce: 0 });
        }
    }

    fn set(&mut self, purse: Purse, amount: Amount) {
        match Place::of(purse) {
            Place::Account(_) => unreachable!("accounts hold a nonce beside the balance"),
            Place::Burned => {}
            Place::Held(record, part) => {
                let mut held = self.held(record);
                *part(&mut held) = amount;
                match held == Held::default() {
                    true => self.tables.held.remove(&record),
                    false => self.tables.held.put(record, held),
                }
            }
            Place::Own => {
                if let Purse::Stake(evaluator) = purse {
                    self.order_free_stake(evaluator, amount);
                }
                match amount.is_zero() {
                    true => self.tables.purses.remove(&purse),
                    false => self.tables.purses.put(purse, amount),
                }
            }
        }
    }

    /// Keeps the order of the evaluators by what they have free, when one of them is about to have this amount.
    /// Who leaves is not in it.
    pub(crate) fn order_free_stake(&mut self, evaluator: Address, amount: Amount) {
        let before = self.balance(Purse::Stake(evaluator));
        self.tables.free_stakes.remove(&(before, evaluator));
        if !amount.is_zero() && self.stays(evaluator) {
            self.tables.free_stakes.put((amount, evaluator), ());
        }
    }

    /// Whether an evaluator has not said that it leaves.
    fn stays(&self, evaluator: Address) -> bool {
        let evaluator = self.tables.evaluators.get(&evaluator);
        evaluator.is_some_and(|evaluator| evaluator.leaves_ms.is_none())
    }

    /// Whether that order is the one of the purses.
    pub(crate) fn free_stakes_agree(&self) -> bool {
        let first = Purse::Stake(Address([0; 32]));
        let last = Purse::Stake(Address([u8::MAX; 32]));
        let purses = self.tables.purses.range(first..=last);
        let mut stakes: Vec<(Amount, Address)> = purses
            .filter_map(|(purse, &amount)| match purse {
                Purse::Stake(evaluator) if self.stays(*evaluator) => Some((amount, *evaluator)),
                _ => None,
            })
            .collect();
        stakes.sort_unstable();
        let order = self.tables.free_stakes.iter();
        order.map(|(&key, ())| key).eq(stakes)
    }
}
