//! Accounts: balances, nonces, byte fees, transfers.
//!
//! A record may be included if it is for this network, has its signer's next
//! nonce, is valid at the block's time and for at most a day, and its signer
//! can pay its byte fee. The fee is burned, whatever the rules then say.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::{Move, Purse, Rule};
use protocol::record::{Action, Transaction};
use protocol::{Address, Amount};

use crate::rejection::Rejection;
use crate::state::State;
use crate::{assets, bounty, evaluators, licenses, revenue, royalties, terms};

/// A balance and the next nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// What can be spent.
    pub balance: Amount,
    /// The nonce of the account's next record.
    pub nonce: u64,
}

impl State {
    /// An account; an address that was never paid has an empty one.
    pub fn account(&self, address: Address) -> Account {
        self.tables
            .accounts
            .get(&address)
            .copied()
            .unwrap_or_default()
    }

    /// All accounts that were ever paid, by address.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, Account)> {
        self.tables
            .accounts
            .iter()
            .map(|(&address, &account)| (address, account))
    }
}

impl State {
    /// Checks of a record what its account has no part in: network and validity in
    /// a block at `time_ms`. Gives the byte fee.
    ///
    /// # Errors
    /// The [`Rejection`] that says why it could not be included.
    pub fn check_envelope(&self, tx: &Transaction, time_ms: u64) -> Result<Amount, Rejection> {
        check_envelope(self, tx, time_ms)
    }
}

/// Checks that a record may be included in a block at `time_ms`.
pub(crate) fn admit(state: &State, tx: &Transaction, time_ms: u64) -> Result<(), Rejection> {
    let fee = check_envelope(state, tx, time_ms)?;
    state.account(tx.signer).charge(tx.envelope.nonce, fee)
}

/// Checks the same for the block at hand, burns the byte fee and uses the nonce.
/// On an error the state is as it was, once the undo has been rolled back.
pub(crate) fn charge(state: &mut State, tx: &Transaction) -> Result<(), Rejection> {
    let fee = check_envelope(state, tx, state.time_ms())?;
    let nonce = tx.envelope.nonce;
    let accounts = &mut state.tables.accounts;
    match accounts.update(&tx.signer, |account| account.charge(nonce, fee)) {
        Some(charged) => charged?,
        None => {
            // Where bytes cost nothing, somebody may sign who was never paid.
            let mut account = Account::default();
            account.charge(nonce, fee)?;
            accounts.put(tx.signer, account);
        }
    }
    if !fee.is_zero() {
        state.note(Move {
            from: Purse::Account(tx.signer),
            to: Purse::Burned,
            amount: fee,
            rule: Rule::ByteFee,
        });
    }
    Ok(())
}

/// Checks what the account has no part in; returns the byte fee.
fn check_envelope(state: &State, tx: &Transaction, time_ms: u64) -> Result<Amount, Rejection> {
    let envelope = &tx.envelope;
    if envelope.network != state.network() {
        return Err(Rejection::OtherNetwork(envelope.network));
    }
    let parameters = state.parameters();
    let valid_until_ms = envelope.valid_until_ms;
    if valid_until_ms < time_ms {
        return Err(Rejection::Expired {
            valid_until_ms,
            time_ms,
        });
    }
    let limit_ms = time_ms.saturating_add(parameters.validity_max_ms);
    if valid_until_ms > limit_ms {
        return Err(Rejection::ValidTooLong {
            valid_until_ms,
            limit_ms,
        });
    }
    tx.byte_fee(parameters.fee_per_byte)
        .ok_or(Rejection::Overflow)
}

impl Account {
    /// Uses the nonce and pays the byte fee, if they are right and there.
    fn charge(&mut self, nonce: u64, fee: Amount) -> Result<(), Rejection> {
        if nonce != self.nonce {
            return Err(Rejection::Nonce {
                expected: self.nonce,
                given: nonce,
            });
        }
        let unpayable = Rejection::FeeUnpayable {
            fee,
            balance: self.balance,
        };
        self.balance = self.balance.checked_sub(fee).ok_or(unpayable)?;
        self.nonce += 1;
        Ok(())
    }
}

/// Hands a record to the rule it is for.
pub(crate) fn dispatch(state: &mut State, tx: &Transaction) -> Result<(), Rejection> {
    match &tx.action {
        Action::Transfer { to, body } => transfer(state, tx.signer, *to, body.amount),
        Action::RegisterAsset { terms, body } => assets::register(state, tx, terms, body),
        Action::PostBounty { body } => bounty::post(state, tx, body),
        Action::BackBounty { bounty, body } => bounty::back(state, tx, *bounty, body.amount),
        Action::CancelBounty { bounty } => bounty::cancel(state, tx.signer, *bounty),
        Action::CommitSubmission {
            bounty,
            terms,
            body,
        } => bounty::commit(state, tx, *bounty, terms, body),
        Action::RevealTestSet { bounty, body } => {
            bounty::reveal_test_set(state, *bounty, &body.key)
        }
        Action::AttestTestSet { bounty, body } => {
            bounty::attest_test_set(state, tx.signer, *bounty, &body.outcome)
        }
        Action::RevealSubmission { bounty, body } => {
            bounty::reveal_submission(state, tx.signer, *bounty, body)
        }
        Action::JoinEvaluators { body } => evaluators::join(state, tx, body.stake),
        Action::LeaveEvaluators => evaluators::leave(state, tx.signer),
        Action::CommitAttestations { bounty, body } => {
            bounty::commit_attestations(state, tx.signer, *bounty, body.commitment)
        }
        Action::RevealAttestations { bounty, body } => {
            bounty::reveal_attestations(state, tx.signer, *bounty, body)
        }
        Action::BuyLicense { asset, body } => licenses::buy(state, tx, *asset, body),
        Action::ClaimRoyalty { asset } => royalties::claim(state, tx.signer, *asset),
        Action::TransferShares { asset, body } => {
            royalties::transfer_shares(state, tx, *asset, body)
        }
        Action::VoteTerms { asset, terms } => terms::vote(state, tx, *asset, terms),
        Action::DeclareRevenue { license, body } => revenue::declare(state, tx, *license, body),
    }
}

fn transfer(
    state: &mut State,
    from: Address,
    to: Address,
    amount: Amount,
) -> Result<(), Rejection> {
    if amount.is_zero() {
        return Err(Rejection::ZeroAmount);
    }
    state.pay(
        Purse::Account(from),
        Purse::Account(to),
        amount,
        Rule::Transfer,
    )
}
