//! The state as the fold of the log: genesis, then block after block.

use market::State;
use protocol::id::ItemId;
use protocol::record::GenesisRecord;

use super::{Applied, ChainError};
use crate::block::Block;
use crate::derived::{Stamp, Written};
use crate::history::Past;
use crate::log::Log;
use crate::sequencer::{Sequencer, Solo, Tip};

/// The state of a genesis that this build can keep a log of.
pub(crate) fn genesis_state(record: &GenesisRecord) -> Result<State, ChainError> {
    Ok(State::genesis(record)?)
}

/// The tip of a chain whose last block is `id`.
pub(crate) fn tip(id: ItemId, state: &State) -> Tip {
    Tip {
        height: state.height(),
        id,
        time_ms: state.time_ms(),
        state_root: state.root(),
        receipts_root: state.receipts_root(),
    }
}

/// What a database at this tip is stamped with.
pub(super) fn stamp(tip: &Tip) -> Stamp {
    Stamp {
        height: tip.height,
        id: tip.id,
        root: tip.state_root,
    }
}

/// Applies a whole block. After an error the state is of no more use.
pub(crate) fn apply(state: &mut State, block: &Block) -> Result<Applied, ChainError> {
    let header = &block.header().header;
    state.begin_block(header.height, header.time_ms, header.parent);
    let mut rejected = Vec::new();
    for (place, record) in block.records().iter().enumerate() {
        let why = state
            .apply(&record.tx)
            .map_err(|rejection| ChainError::Inadmissible {
                height: header.height,
                item: place as u64 + 1,
                rejection,
            })?;
        rejected.extend(why.map(|why| (place, why)));
    }
    Ok(Applied {
        outcome: state.end_block(),
        rejected,
    })
}

/// Folds the whole log, every signature checked.
pub(super) fn fold(log: &Log) -> Result<State, ChainError> {
    let mut state = genesis_state(log.genesis())?;
    let mut solo = Solo::new(log.genesis(), tip(log.genesis().id, &state), None);
    replay(log, 1, &mut solo, &mut state, |_, _| Ok(()))?;
    Ok(state)
}

/// Verifies and applies the log's blocks from a height to the end; tells `sink`
/// what each block has to be written of.
pub(super) fn replay(
    log: &Log,
    from: u64,
    solo: &mut Solo,
    state: &mut State,
    mut sink: impl FnMut(&Tip, &Written<'_>) -> Result<(), ChainError>,
) -> Result<(), ChainError> {
    for next in log.blocks(from) {
        let (height, body) = next?;
        let not_valid = |error| ChainError::Replay {
            height,
            error: Box::new(error),
        };
        let block = solo
            .verify(&body)
            .map_err(|error| not_valid(error.into()))?;
        let outcome = apply(state, &block).map_err(not_valid)?.outcome;
        solo.commit(&block, outcome.state_root, outcome.receipts_root);
        let past = Past::of(&block, &outcome.receipts, state);
        let written = Written {
            changes: &outcome.changes,
            past: &past,
        };
        sink(solo.tip(), &written)?;
    }
    Ok(())
}
