//! The tables of the state, each with its byte.

use borsh::{BorshDeserialize, BorshSerialize};
use protocol::receipt::Purse;
use protocol::record::Parameters;
use protocol::report::Outcome;
use protocol::{Address, Amount, BlobId, Digest, ItemId, NetworkId};

use super::Change;
use super::due::Queue;
use super::table::{AnyTable, Entry, Table};
use crate::accounts::Account;
use crate::assets::{Asset, WeightsClaim};
use crate::bounty::{Backing, Bounty, Check, Progress, Seat, Submission};
use crate::evaluators::Evaluator;
use crate::ledger::{Held, Totals};
use crate::licenses::License;
use crate::royalties::{Holding, Pool};
use crate::terms::{Ballot, Tally, Voting};

/// What the genesis fixed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Network {
    /// The network's id.
    pub id: NetworkId,
    /// The genesis item.
    pub genesis: ItemId,
    /// Who proposes blocks.
    pub proposer: Address,
    /// The sum of all purses, for ever.
    pub supply: Amount,
    /// The rules' numbers.
    pub parameters: Parameters,
}

/// The last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Clock {
    /// Blocks since the genesis.
    pub height: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// The id of the block before it, which its draws are seeded by.
    pub parent: ItemId,
    /// The root of its receipts, so that the state's root proves them too.
    pub receipts_root: Digest,
}

/// Names a table's byte, key and value.
macro_rules! entry {
    ($name:ident, $byte:literal, $key:ty => $value:ty) => {
        pub(crate) enum $name {}
        impl Entry for $name {
            const TABLE: u8 = $byte;
            type Key = $key;
            type Value = $value;
        }
    };
}

// A table's byte is part of the state's root: never reuse or change one.
entry!(NetworkEntry, 0, () => Network);
entry!(ClockEntry, 1, () => Clock);
entry!(TotalsEntry, 2, () => Totals);
entry!(AccountEntry, 3, Address => Account);
entry!(PurseEntry, 4, Purse => Amount);
entry!(EvaluatorEntry, 5, Address => Evaluator);
entry!(AssetEntry, 6, ItemId => Asset);
entry!(PoolEntry, 7, ItemId => Pool);
entry!(HoldingEntry, 8, (ItemId, Address) => Holding);
entry!(WeightsEntry, 9, Digest => WeightsClaim);
entry!(LicenseEntry, 10, ItemId => License);
entry!(BountyEntry, 11, ItemId => Bounty);
entry!(ProgressEntry, 12, ItemId => Progress);
entry!(BackingEntry, 13, (ItemId, u32) => Backing);
entry!(SubmissionEntry, 14, (ItemId, u32) => Submission);
entry!(SubmissionIndexEntry, 15, ItemId => (ItemId, u32));
entry!(SeatEntry, 16, (ItemId, Address) => Seat);
entry!(DueEntry, 17, (Queue, u64, ItemId) => ());
entry!(CheckEntry, 18, (ItemId, Address) => Check);
entry!(WordEntry, 19, (ItemId, u32, Address) => Outcome);
entry!(DrawEntry, 20, (ItemId, ItemId) => Amount);
entry!(PartyEntry, 21, (ItemId, Address) => ());
entry!(HeldEntry, 22, ItemId => Held);
entry!(VotingEntry, 23, ItemId => Voting);
entry!(BallotEntry, 24, (ItemId, u32, Address) => Ballot);
entry!(TallyEntry, 25, (ItemId, u32, Digest) => Tally);
// 26 stays free: states of earlier builds have entries of their own under it.
entry!(TestSetEntry, 27, BlobId => ItemId);
entry!(DrawOrderEntry, 28, (u64, ItemId, ItemId) => ());
entry!(HaltEntry, 29, u64 => u64);
entry!(FreeStakeEntry, 30, (Amount, Address) => ());

/// All tables.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) network: Table<NetworkEntry>,
    pub(crate) clock: Table<ClockEntry>,
    pub(crate) totals: Table<TotalsEntry>,
    pub(crate) accounts: Table<AccountEntry>,
    pub(crate) purses: Table<PurseEntry>,
    pub(crate) evaluators: Table<EvaluatorEntry>,
    pub(crate) assets: Table<AssetEntry>,
    pub(crate) pools: Table<PoolEntry>,
    pub(crate) holdings: Table<HoldingEntry>,
    pub(crate) weights: Table<WeightsEntry>,
    pub(crate) licenses: Table<LicenseEntry>,
    pub(crate) bounties: Table<BountyEntry>,
    pub(crate) progress: Table<ProgressEntry>,
    pub(crate) backings: Table<BackingEntry>,
    pub(crate) submissions: Table<SubmissionEntry>,
    pub(crate) submission_index: Table<SubmissionIndexEntry>,
    pub(crate) seats: Table<SeatEntry>,
    /// Due work, queue by queue in order of time: at most one piece for each bounty and
    /// licence; an asset's terms may wait and have ballots to sweep at the same time.
    pub(crate) due: Table<DueEntry>,
    /// Seats that check the test set.
    pub(crate) checks: Table<CheckEntry>,
    /// What seats said of submissions, by bounty, place of the submission, and seat.
    pub(crate) words: Table<WordEntry>,
    /// Incomes that one holder is to be drawn for, by asset and record.
    pub(crate) draws: Table<DrawEntry>,
    /// The same by the time of the block that they came in: who waits longest is drawn for first.
    pub(crate) draw_order: Table<DrawOrderEntry>,
    /// Who has a stake of their own in a bounty: its sponsor, backers and miners.
    pub(crate) parties: Table<PartyEntry>,
    /// What a record put up for itself, by record.
    pub(crate) held: Table<HeldEntry>,
    /// Assets whose terms were changed, or are about to be.
    pub(crate) votings: Table<VotingEntry>,
    /// Ballots by asset, epoch of its terms, and holder.
    pub(crate) ballots: Table<BallotEntry>,
    /// Their sums by asset, epoch, and id of the terms voted for.
    pub(crate) tallies: Table<TallyEntry>,
    /// Ciphertexts of test sets, and the bounty that each was posted with.
    pub(crate) test_sets: Table<TestSetEntry>,
    /// Blocks that came more than `late_ms` after the one before, and the time of that one; kept while
    /// work is open that was due before them.
    pub(crate) halts: Table<HaltEntry>,
    /// Evaluators by what they have free: who may sit is found without looking at all.
    pub(crate) free_stakes: Table<FreeStakeEntry>,
}

impl Tables {
    pub(super) fn all(&self) -> [&dyn AnyTable; 30] {
        [
            &self.network,
            &self.clock,
            &self.totals,
            &self.accounts,
            &self.purses,
            &self.evaluators,
            &self.assets,
            &self.pools,
            &self.holdings,
            &self.weights,
            &self.licenses,
            &self.bounties,
            &self.progress,
            &self.backings,
            &self.submissions,
            &self.submission_index,
            &self.seats,
            &self.due,
            &self.checks,
            &self.words,
            &self.draws,
            &self.draw_order,
            &self.parties,
            &self.held,
            &self.votings,
            &self.ballots,
            &self.tallies,
            &self.test_sets,
            &self.halts,
            &self.free_stakes,
        ]
    }

    fn all_mut(&mut self) -> [&mut dyn AnyTable; 30] {
        [
            &mut self.network,
            &mut self.clock,
            &mut self.totals,
            &mut self.accounts,
            &mut self.purses,
            &mut self.evaluators,
            &mut self.assets,
            &mut self.pools,
            &mut self.holdings,
            &mut self.weights,
            &mut self.licenses,
            &mut self.bounties,
            &mut self.progress,
            &mut self.backings,
            &mut self.submissions,
            &mut self.submission_index,
            &mut self.seats,
            &mut self.due,
            &mut self.checks,
            &mut self.words,
            &mut self.draws,
            &mut self.draw_order,
            &mut self.parties,
            &mut self.held,
            &mut self.votings,
            &mut self.ballots,
            &mut self.tallies,
            &mut self.test_sets,
            &mut self.halts,
            &mut self.free_stakes,
        ]
    }

    pub(super) fn commit(&mut self) {
        for table in self.all_mut() {
            table.commit();
        }
    }

    pub(super) fn rollback(&mut self) {
        for table in self.all_mut() {
            table.rollback();
        }
    }

    pub(super) fn drain(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for table in self.all_mut() {
            table.drain(&mut changes);
        }
        changes
    }

    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let byte = *key.first()?;
        self.all_mut()
            .into_iter()
            .find(|table| table.table() == byte)?
            .load(key, value)
    }
}
