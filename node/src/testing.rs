//! Small transfer-only networks for the tests of this crate.

use std::path::Path;

use protocol::amount::BASE_UNITS_PER_LODE;
use protocol::ans104::{Draft, VerifiedItem};
use protocol::id::{Address, Digest};
use protocol::keys::SecretKey;
use protocol::record::{
    Action, Allocation, Envelope, Genesis, GenesisRecord, LOG_VERSION, Parameters, Transaction,
    Transfer,
};
use protocol::text::Name;
use protocol::{Amount, NetworkId};

use crate::chain::{BlockResult, Chain, ChainError, Recovery};
use crate::log::LogError;
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
