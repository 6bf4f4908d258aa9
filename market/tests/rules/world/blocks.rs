//! Blocks and records, and what must hold after each of them.

use market::Rejection;
use protocol::ItemId;
use protocol::receipt::{Cause, Event, Purse, Receipt, Rule};
use protocol::record::*;

use super::{World, address, id_of, secret, units};

impl World {
    pub fn envelope(&self, who: &str) -> Envelope {
        Envelope {
            network: self.state.network(),
            nonce: self.state.account(address(who)).nonce,
            valid_until_ms: self.now().saturating_add(10_000),
        }
    }

    /// A record, signed and read back.
    pub fn sign(who: &str, envelope: &Envelope, action: &Action) -> Transaction {
        let item = Transaction::draft(envelope, action)
            .sign(&secret(who))
            .expect("the tags fit");
        let tx = Transaction::read(&item).expect("what was drafted can be read");
        assert_eq!(tx.action, *action);
        tx
    }

    /// Begins the next block.
    pub fn begin(&mut self, time_ms: u64) {
        let height = self.state.height();
        self.state
            .begin_block(height + 1, time_ms, self.id_at(height));
    }

    /// The blocks of a history once more.
    pub fn replay(&mut self, log: &[(u64, Vec<Transaction>)]) {
        for (time_ms, records) in log {
            self.begin(*time_ms);
            for tx in records {
                self.state.apply(tx).expect("it was included");
            }
            self.end_block(records.clone());
        }
    }

    /// A block with these records, all of which must be includable.
    pub fn block(&mut self, time_ms: u64, records: &[(&str, Action)]) -> Vec<Receipt> {
        self.begin(time_ms);
        let mut included = Vec::new();
        for (who, action) in records {
            self.names.entry(address(who)).or_insert((*who).to_owned());
            let tx = Self::sign(who, &self.envelope(who), action);
            self.state.apply(&tx).expect("an includable record");
            included.push(tx);
        }
        self.end_block(included)
    }

    /// Ends a block that was begun on the state itself, and checks what must always hold.
    pub fn end_block(&mut self, included: Vec<Transaction>) -> Vec<Receipt> {
        let outcome = self.state.end_block();
        assert_eq!(outcome.state_root, self.state.root());
        assert_eq!(outcome.receipts_root, self.state.receipts_root());
        let records = outcome
            .receipts
            .iter()
            .filter(|receipt| matches!(receipt.cause, Cause::Record(_)));
        for (receipt, tx) in records.zip(&included) {
            assert_eq!(receipt.cause, Cause::Record(tx.id));
            self.check_fee(receipt, tx, included.len() == 1);
            self.depositors.insert(tx.id, tx.signer);
        }
        for receipt in &outcome.receipts {
            self.codes
                .extend(receipt.rejected.iter().map(ToString::to_string));
            for step in &receipt.moves {
                assert!(!step.amount.is_zero(), "nothing moved: {step:?}");
                let from = self.purses.get_mut(&step.from).expect("the purse exists");
                *from = from
                    .checked_sub(step.amount.base_units())
                    .expect("the movements explain every balance");
                *self.purses.entry(step.to).or_default() += step.amount.base_units();
            }
            self.count_gains(receipt);
            let locks = receipt.moves.iter();
            for step in locks.filter(|it| matches!(it.rule, Rule::SeatLock | Rule::SeatReturn)) {
                assert!(
                    matches!((step.from, step.to),
                        (Purse::Stake(one), Purse::Seat(_, other))
                        | (Purse::Seat(_, one), Purse::Stake(other)) if one == other),
                    "{step:?}"
                );
            }
        }
        for (&purse, &amount) in &self.purses {
            assert_eq!(self.state.balance(purse), units(amount), "{purse:?}");
        }
        self.state.audit().expect("the supply is kept");
        self.statements
            .add(&self.state, &outcome.receipts, &included);
        self.log.push((self.now(), included));
        self.roots.push((outcome.state_root, outcome.receipts_root));
        outcome.receipts
    }

    /// What it made is looked at where nothing in its block came after it.
    fn check_fee(&self, receipt: &Receipt, tx: &Transaction, is_alone: bool) {
        let fee = &receipt.moves[0];
        assert_eq!(fee.rule, Rule::ByteFee);
        assert_eq!(fee.from, Purse::Account(tx.signer));
        assert_eq!(fee.to, Purse::Burned);
        let per_byte = self.state.parameters().fee_per_byte;
        assert_eq!(Some(fee.amount), tx.byte_fee(per_byte));
        if receipt.rejected.is_some() {
            assert_eq!(receipt.moves.len(), 1, "a rejected record moved money");
            assert!(receipt.events.is_empty(), "a rejected record did something");
            return;
        }
        let deposits: Vec<_> = receipt
            .moves
            .iter()
            .filter(|step| step.rule == Rule::Deposit)
            .map(|step| (step.from, step.to, Some(step.amount)))
            .collect();
        let factor = u128::from(self.state.parameters().deposit_factor);
        let deposit = (
            Purse::Account(tx.signer),
            Purse::Deposit(tx.id),
            fee.amount.checked_mul(factor),
        );
        // One that is locked by a record which only sometimes makes state.
        let made = |is_made: bool| {
            assert!(deposits.iter().all(|it| *it == deposit));
            let count = usize::from(is_made);
            assert!(!is_alone || deposits.len() == count, "{deposits:?}");
        };
        match &tx.action {
            // Who is an evaluator already locks none.
            Action::JoinEvaluators { .. } => {
                let evaluator = self.state.evaluator(tx.signer);
                made(evaluator.is_some_and(|evaluator| evaluator.joined == tx.id));
            }
            Action::RegisterAsset { .. }
            | Action::PostBounty { .. }
            | Action::BackBounty { .. }
            | Action::CommitSubmission { .. }
            | Action::BuyLicense { .. } => assert_eq!(deposits, [deposit]),
            // Who moves shares to a holder locks none.
            Action::TransferShares { asset, body } => {
                let holding = self.state.holding(*asset, body.to);
                let makes = |deposit: (ItemId, _)| deposit.0 == tx.id;
                made(holding.is_some_and(|held| held.deposit.is_some_and(makes)));
            }
            // Who takes a ballot back locks none; a ballot that decides is void at once.
            Action::VoteTerms { asset, terms } => {
                let asset = self.state.asset(*asset).expect("it was voted on");
                let decides = |event: &Event| matches!(event, Event::TermsChanged { .. });
                let has_decided = receipt.events.iter().any(decides);
                made(has_decided || asset.terms.to_tags() != *terms);
            }
            _ => assert!(deposits.is_empty(), "{deposits:?}"),
        }
    }

    /// One record in the next millisecond's block, and its receipt.
    pub fn send(&mut self, who: &str, action: Action) -> Receipt {
        let mut receipts = self.block(self.now() + 1, &[(who, action)]);
        receipts.pop().expect("a receipt a record")
    }

    /// As [`Self::send`], for what must succeed; the record's id.
    pub fn must(&mut self, who: &str, action: Action) -> ItemId {
        let receipt = self.send(who, action);
        assert_eq!(receipt.rejected, None, "{who}");
        id_of(&receipt)
    }

    /// Why a record of these parts could not even be included now.
    pub fn refusal(
        &self,
        who: &str,
        change: impl FnOnce(&mut Envelope),
        action: Action,
    ) -> Rejection {
        let mut envelope = self.envelope(who);
        change(&mut envelope);
        let tx = Self::sign(who, &envelope, &action);
        let refused = self.state.admit(&tx, self.now());
        refused.expect_err("must not be includable")
    }
}
