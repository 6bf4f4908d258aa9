//! The stage: a real chain in a folder, a clock that the story drives, and
//! records that are signed, logged and applied like anybody's.

use std::collections::BTreeMap;
use std::path::Path;

use market::State;
use node::blobs::Blobs;
use node::chain::{Chain, ChainError};
use node::log::LogError;
use protocol::ans104::VerifiedItem;
use protocol::receipt::{Cause, Receipt};
use protocol::record::{
    Action, Allocation, Envelope, Genesis, LOG_VERSION, Parameters, Transaction,
};
use protocol::text::Name;
use protocol::{Address, Amount, ItemId};

use super::cast::{CAST, Secrets, Who};
use crate::failure::{Exit, Failure};
use crate::sealing::blob_failure;

/// Midnight at the beginning of 2026, in milliseconds since 1970.
pub const BEGIN_MS: u64 = 1_767_225_600_000;

/// A phase of the demo's bounty, in milliseconds: block time is driven by hand.
pub const PHASE_MS: u64 = 3_600_000;

/// The stage.
pub struct World {
    /// The secrets of all.
    pub secrets: Secrets,
    /// Ciphertexts, archives, leaves.
    pub blobs: Blobs,
    chain: Chain,
    time_ms: u64,
    pending: Vec<VerifiedItem>,
    next_nonces: BTreeMap<Who, u64>,
    receipts: Vec<Receipt>,
}

/// So many whole LODE.
pub fn lode(count: u64) -> Amount {
    Amount::from_lode(count).expect("a small number")
}

/// What everyone begins with.
pub fn endowment(who: Who) -> Amount {
    lode(match who {
        Who::Operator => 0,
        Who::Sponsor | Who::Licensee => 10_000,
        Who::Backer => 5_000,
        Who::EvaluatorOne
        | Who::EvaluatorTwo
        | Who::EvaluatorThree
        | Who::EvaluatorFour
        | Who::Liar => 6_000,
        _ => 500,
    })
}

fn chain_failure(error: ChainError) -> Failure {
    match error {
        ChainError::Log(LogError::Locked(_)) => {
            let next = "choose another --dir, or wait until the other is done";
            Failure::new("log_locked", error, next).exit(Exit::Later)
        }
        error => Failure::new(
            "chain",
            error,
            "choose an empty folder with --dir, on a disk with room",
        ),
    }
}

impl World {
    /// A fresh network in `dir`.
    pub fn new(dir: &Path, seed: u64) -> Result<Self, Failure> {
        let secrets = Secrets::new(seed);
        let allocations = CAST.iter().map(|&(who, _, _)| Allocation {
            account: secrets.address(who),
            amount: endowment(who),
        });
        let genesis = Genesis {
            version: LOG_VERSION,
            name: Name::new("Lode demo").expect("a short name"),
            salt: Name::new(secrets.network_salt()).expect("a short salt"),
            time_ms: BEGIN_MS,
            parameters: Parameters::default(),
            allocations: allocations.filter(|part| !part.amount.is_zero()).collect(),
        };
        let operator = secrets.key(Who::Operator);
        let item = genesis.draft().sign(&operator).map_err(Failure::bug)?;
        let signer = move |draft: protocol::ans104::Draft| Ok(draft.sign(&operator)?);
        let chain = Chain::create(dir, &item, Some(Box::new(signer))).map_err(chain_failure)?;
        let blobs = Blobs::open(&dir.join("blobs")).map_err(blob_failure)?;
        Ok(Self {
            secrets,
            blobs,
            chain,
            time_ms: BEGIN_MS,
            pending: Vec::new(),
            next_nonces: BTreeMap::new(),
            receipts: Vec::new(),
        })
    }

    /// The state after the last block.
    pub fn state(&self) -> &State {
        self.chain.state()
    }

    /// The chain, for export.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Somebody's address.
    pub fn address(&self, who: Who) -> Address {
        self.secrets.address(who)
    }

    /// The name that belongs to an address.
    pub fn name_of(&self, address: Address) -> String {
        CAST.iter()
            .find(|(who, _, _)| self.address(*who) == address)
            .map_or_else(|| address.to_string(), |(_, name, _)| (*name).to_owned())
    }

    /// The nonce of somebody's next record.
    pub fn next_nonce(&self, who: Who) -> u64 {
        self.next_nonces.get(&who).copied().unwrap_or(0)
    }

    /// Signs a record; it goes into the next block.
    pub fn send(&mut self, who: Who, action: &Action) -> Result<ItemId, Failure> {
        let nonce = self.next_nonce(who);
        let envelope = Envelope {
            network: self.state().network(),
            nonce,
            valid_until_ms: self.time_ms + PHASE_MS,
        };
        let draft = Transaction::draft(&envelope, action);
        let item = draft.sign(&self.secrets.key(who)).map_err(Failure::bug)?;
        let tx = Transaction::read(&item).map_err(Failure::bug)?;
        node::admission::check_held(&self.blobs, &tx).map_err(Failure::bug)?;
        self.next_nonces.insert(who, nonce + 1);
        let id = item.id();
        self.pending.push(item);
        Ok(id)
    }

    /// Makes a block of the records sent, one second after the last.
    pub fn block(&mut self) -> Result<Vec<Receipt>, Failure> {
        self.time_ms += 1_000;
        let items = std::mem::take(&mut self.pending);
        let block = self
            .chain
            .produce(self.time_ms, items)
            .map_err(chain_failure)?;
        self.receipts.extend(block.receipts.iter().cloned());
        Ok(block.receipts.to_vec())
    }

    /// The same, where every record must be applied.
    pub fn applied_block(&mut self) -> Result<Vec<Receipt>, Failure> {
        let receipts = self.block()?;
        match receipts
            .iter()
            .find_map(|receipt| receipt.rejected.as_ref())
        {
            Some(code) => Err(Failure::bug(format_args!(
                "the story's record met '{code}'"
            ))),
            None => Ok(receipts),
        }
    }

    /// Moves the clock to the bounty's next deadline. The story does so once the
    /// expected records are in, so a slow machine changes nothing.
    pub fn pass_deadline(&mut self) -> Result<Vec<Receipt>, Failure> {
        if let Some(deadline_ms) = self.state().next_deadline_ms() {
            self.time_ms = deadline_ms.saturating_sub(1_000).max(self.time_ms);
        }
        let mut receipts = self.block()?;
        // Draws and long settlements go on in the blocks after.
        while self.has_work_left() {
            receipts.extend(self.block()?);
        }
        Ok(receipts)
    }

    fn has_work_left(&self) -> bool {
        let due_ms = self.state().next_deadline_ms();
        due_ms.is_some_and(|due_ms| due_ms <= self.time_ms)
    }

    /// All receipts so far, in order.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The receipt of a record.
    pub fn receipt_of(&self, id: ItemId) -> Option<&Receipt> {
        self.receipts
            .iter()
            .find(|receipt| receipt.cause == Cause::Record(id))
    }
}
