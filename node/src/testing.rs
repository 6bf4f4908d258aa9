//! Small transfer-only networks for the tests of this crate.

use std::path::Path;
use std::sync::Arc;

use protocol::amount::BASE_UNITS_PER_LODE;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::api::Problem;
use protocol::id::{Address, Digest};
use protocol::keys::SecretKey;
use protocol::record::{
    Action, Allocation, Envelope, Genesis, GenesisRecord, LOG_VERSION, Parameters, Transaction,
    Transfer,
};
use protocol::text::Name;
use protocol::{Amount, NetworkId};
use tempfile::TempDir;

use crate::blobs::Blobs;
use crate::block::Record;
use crate::chain::{BlockResult, Chain, ChainError, Recovery};
use crate::clock::Clock;
use crate::engine::{Config, Node, Ticket};
use crate::inclusion::Inclusion;
use crate::log::LogError;
use crate::mempool::MempoolLimits;
use crate::sequencer::{Proposer, SignError};

/// When the networks begin.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;

/// The proposer is key 0; keys 1 to 4 have money.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn address(seed: u8) -> Address {
    key(seed).public().address()
}

pub(crate) fn lode(amount: u128) -> Amount {
    Amount::from_base_units(amount * BASE_UNITS_PER_LODE)
}

pub(crate) fn genesis_body(salt: &str) -> Genesis {
    let allocation = |seed| Allocation {
        account: address(seed),
        amount: lode(1_000),
    };
    Genesis {
        version: LOG_VERSION,
        name: Name::new("test").expect("a name"),
        salt: Name::new(salt).expect("a salt"),
        time_ms: BEGIN_MS,
        parameters: Parameters::default(),
        allocations: (1..=4).map(allocation).collect(),
    }
}

pub(crate) fn genesis_of(salt: &str) -> VerifiedItem {
    genesis_body(salt).draft().sign(&key(0)).expect("few tags")
}

pub(crate) fn genesis() -> VerifiedItem {
    genesis_of("salt")
}

pub(crate) fn network(genesis: &VerifiedItem) -> NetworkId {
    GenesisRecord::read(genesis).expect("a genesis").network
}

/// Signs headers with key 0.
pub(crate) fn signer() -> Option<Box<dyn Proposer>> {
    signer_with(0)
}

pub(crate) fn signer_with(seed: u8) -> Option<Box<dyn Proposer>> {
    let key = key(seed);
    let sign = move |draft: Draft| {
        draft
            .sign(&key)
            .map_err(|error| -> SignError { error.into() })
    };
    Some(Box::new(sign))
}

/// A transfer of so many LODE that is valid for an hour after the beginning.
pub(crate) fn transfer(
    network: NetworkId,
    from: u8,
    nonce: u64,
    to: u8,
    amount: u128,
) -> VerifiedItem {
    let envelope = Envelope {
        network,
        nonce,
        valid_until_ms: BEGIN_MS + 3_600_000,
    };
    let action = Action::Transfer {
        to: address(to),
        body: Transfer {
            amount: lode(amount),
        },
    };
    Transaction::draft(&envelope, &action)
        .sign(&key(from))
        .expect("few tags")
}

/// The records of block `height` of the story that all tests tell: two
/// transfers, the second one larger than its signer's balance at every third height.
pub(crate) fn chapter(network: NetworkId, height: u64) -> Vec<VerifiedItem> {
    let nonce = height - 1;
    let amount = if height.is_multiple_of(3) {
        1_000_000
    } else {
        2
    };
    vec![
        transfer(network, 1, nonce, 5, 1),
        transfer(network, 2, nonce, 6, amount),
    ]
}

pub(crate) fn time_ms(height: u64) -> u64 {
    BEGIN_MS + 1_000 * height
}

/// Tells the next chapters up to block `height`.
pub(crate) fn tell(chain: &mut Chain, height: u64) -> BlockResult {
    let network = chain.genesis().network;
    let mut last = None;
    while chain.tip().height < height {
        let next = chain.tip().height + 1;
        let result = chain.produce(time_ms(next), chapter(network, next));
        last = Some(result.expect("the story goes on"));
    }
    last.expect("at least one block")
}

/// A new network in `dir`, told up to block `height`.
pub(crate) fn told(dir: &Path, height: u64) -> Chain {
    let mut chain = Chain::create(dir, &genesis(), signer()).expect("a fresh folder");
    if height > 0 {
        tell(&mut chain, height);
    }
    chain
}

pub(crate) fn reopen(dir: &Path) -> (Chain, Recovery) {
    // A process that another test starts has this one's files, and so its locks, for a moment.
    for _ in 0..1_000 {
        match Chain::open(dir, signer()) {
            Err(ChainError::Log(LogError::Locked(_))) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            opened => return opened.expect("it opens"),
        }
    }
    panic!("the folder stays locked")
}

/// The root after block `height` of a story that nothing disturbed.
pub(crate) fn undisturbed(height: u64) -> Digest {
    let dir = tempfile::tempdir().expect("a folder");
    told(dir.path(), height).tip().state_root
}

/// Copies the files of a folder, and of its folders.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A node at work whose network begins at this time.
pub(crate) struct AtWork {
    pub(crate) node: Node,
    begin_ms: u64,
    _dir: TempDir,
}

impl AtWork {
    pub(crate) fn begin(begin_ms: u64, clock: Clock) -> Self {
        Self::begin_with(begin_ms, clock, |_| ())
    }

    /// The same, after this was done to the new network.
    pub(crate) fn begin_with(begin_ms: u64, clock: Clock, before: impl FnOnce(&mut Chain)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let genesis = Genesis {
            time_ms: begin_ms,
            ..genesis_body("salt")
        };
        let item = genesis.draft().sign(&key(0)).expect("few tags");
        crate::engine::create(dir.path(), &item).expect("a fresh folder");
        let mut chain = reopen(dir.path()).0;
        before(&mut chain);
        chain.close().expect("it closes");
        let sign = |draft: Draft| -> Result<VerifiedItem, SignError> {
            draft.sign(&key(0)).map_err(Into::into)
        };
        let config = Config {
            dir: dir.path().to_owned(),
            signer: Arc::new(sign),
            clock,
            mempool: MempoolLimits::default(),
        };
        let blobs = Blobs::open(&dir.path().join("blobs")).expect("it opens");
        let (node, _, _) = Node::open(config, blobs).expect("it opens");
        Self {
            node,
            begin_ms,
            _dir: dir,
        }
    }

    pub(crate) fn by_hand() -> Self {
        Self::begin(BEGIN_MS, Clock::by_hand(BEGIN_MS))
    }

    /// What [`AtWork::transfer`] signs.
    pub(crate) fn draft(&self, nonce: u64) -> Draft {
        self.draft_until(nonce, self.begin_ms + 3_600_000)
    }

    fn draft_until(&self, nonce: u64, valid_until_ms: u64) -> Draft {
        let chain = self.node.chain_blocking();
        let envelope = Envelope {
            network: chain.open().expect("it is open").genesis().network,
            nonce,
            valid_until_ms,
        };
        let action = Action::Transfer {
            to: address(5),
            body: Transfer { amount: lode(1) },
        };
        Transaction::draft(&envelope, &action)
    }

    pub(crate) fn transfer(&self, nonce: u64) -> Record {
        self.transfer_until(nonce, self.begin_ms + 3_600_000)
    }

    pub(crate) fn transfer_until(&self, nonce: u64, valid_until_ms: u64) -> Record {
        let draft = self.draft_until(nonce, valid_until_ms);
        let item = draft.sign(&key(1)).expect("few tags");
        let tx = Transaction::read(&item).expect("a record");
        Record { item, tx }
    }

    pub(crate) fn offer(&self, record: Record) -> Result<Ticket, Problem> {
        self.node.submit_blocking(vec![record]).remove(0)
    }

    /// Offers a record and waits until it is on the log.
    pub(crate) fn include(&self, record: Record) -> Inclusion {
        self.wait_for(self.offer(record).expect("it is taken"))
    }

    /// Waits until a record that was taken is on the log.
    pub(crate) fn wait_for(&self, ticket: Ticket) -> Inclusion {
        match ticket {
            Ticket::Final(found) => found,
            Ticket::Waiting(answer) => answer.blocking_recv().expect("told").expect("included"),
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.node.stop();
    }
}
