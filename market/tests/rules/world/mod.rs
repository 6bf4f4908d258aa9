//! A small market with named people, whose records are really signed and read.
//!
//! Amounts are small numbers of base units, so that a table's line can be
//! checked by hand. After every block the purses that the receipts' movements
//! add up to are compared with the state's, and the supply is summed in full.

mod blocks;
mod bounty;
mod gains;
mod network;
mod play;
mod records;
mod scoring;
mod table;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use market::State;
use protocol::receipt::{Phase, Purse, Standing};
use protocol::record::*;
use protocol::{Address, Digest, ItemId};

use crate::statements::Statements;

pub use network::*;
pub use records::*;
pub use table::id_of;
pub use words::*;

/// A world and its history.
pub struct World {
    pub state: State,
    pub genesis: GenesisRecord,
    /// Every block: its time and its records.
    pub log: Vec<(u64, Vec<Transaction>)>,
    /// Roots of state and receipts after each block.
    pub roots: Vec<(Digest, Digest)>,
    /// Every rejection code that a receipt had.
    pub codes: BTreeSet<String>,
    names: BTreeMap<Address, String>,
    labels: BTreeMap<ItemId, String>,
    /// What the movements so far add up to.
    purses: BTreeMap<Purse, u128>,
    batches: BTreeMap<(String, ItemId), Vec<RevealAttestations>>,
    /// By how much everybody is richer or poorer, byte fees and deposits left out.
    gains: BTreeMap<Address, i128>,
    /// Byte fees by who paid them.
    bytes: BTreeMap<Address, u128>,
    /// Whose deposit a record has locked.
    depositors: BTreeMap<ItemId, Address>,
    /// Which seed a sealed folder's key was made from.
    sealed_from: BTreeMap<ItemId, String>,
    /// What every account, bounty and asset is told of its money.
    pub statements: Statements,
}

impl World {
    /// The usual network, the whole cast, and nobody at work.
    pub fn new() -> Self {
        Self::with(parameters(), &[])
    }

    /// A network of one's own; `more` names further people with money.
    pub fn with(parameters: Parameters, more: &[&str]) -> Self {
        let people: Vec<&str> = CAST.iter().chain(more).copied().collect();
        let genesis = Genesis {
            version: LOG_VERSION,
            name: name("test"),
            salt: name("salt"),
            time_ms: GENESIS_MS,
            parameters,
            allocations: people
                .iter()
                .map(|who| Allocation {
                    account: address(who),
                    amount: units(FUNDS),
                })
                .collect(),
        };
        Self::of(genesis, &people)
    }

    /// The network of a genesis, in which these people have names.
    pub fn of(genesis: Genesis, people: &[&str]) -> Self {
        let item = genesis.draft().sign(&secret("operator")).expect("few tags");
        let genesis = GenesisRecord::read(&item).expect("a genesis");
        let purses = genesis
            .genesis
            .allocations
            .iter()
            .map(|first| (Purse::Account(first.account), first.amount.base_units()));
        Self {
            state: State::genesis(&genesis).expect("a valid genesis"),
            log: Vec::new(),
            roots: Vec::new(),
            codes: BTreeSet::new(),
            names: people
                .iter()
                .chain(&["nobody"])
                .map(|who| (address(who), (*who).to_owned()))
                .collect(),
            labels: BTreeMap::new(),
            purses: purses.collect(),
            batches: BTreeMap::new(),
            gains: BTreeMap::new(),
            bytes: BTreeMap::new(),
            depositors: BTreeMap::new(),
            sealed_from: BTreeMap::new(),
            statements: Statements::new(&genesis),
            genesis,
        }
    }

    /// Lets a thing show under a name in tables.
    pub fn label(&mut self, id: ItemId, label: &str) {
        self.labels.insert(id, label.to_owned());
    }

    pub fn now(&self) -> u64 {
        self.state.time_ms()
    }

    /// The id of the block at a height.
    pub fn id_at(&self, height: u64) -> ItemId {
        match height {
            0 => self.genesis.id,
            _ => block_id(height),
        }
    }

    pub fn until(&self, bounty: ItemId) -> u64 {
        self.state.bounty(bounty).expect("posted").1.until_ms
    }

    pub fn phase(&self, bounty: ItemId) -> Phase {
        self.state.bounty(bounty).expect("posted").1.phase
    }

    pub fn balance(&self, who: &str) -> u128 {
        self.state.account(address(who)).balance.base_units()
    }

    pub fn standing(&self, submission: ItemId) -> Option<Standing> {
        self.state
            .submission(submission)
            .expect("committed")
            .1
            .standing
    }
}
