//! Opening a chain: from the database if it agrees with the log, else from the log.

use std::path::Path;
use std::sync::Arc;

use market::State;
use protocol::id::Digest;

use super::database::Database;
use super::fold::{genesis_state, replay, stamp, tip};
use super::{Chain, ChainError, Recovery, StateRecovery};
use crate::block;
use crate::derived::{Derived, DerivedError, Stamp};
use crate::log::{Log, LogError, TailCut};
use crate::sequencer::{Proposer, Solo};

/// Brings state and database to the end of an open log.
pub(super) fn open(
    dir: &Path,
    log: Log,
    tail: Option<TailCut>,
    signer: Option<Box<dyn Proposer>>,
) -> Result<(Chain, Recovery), ChainError> {
    // Also for a log that another build began: its blocks must fit this one.
    genesis_state(log.genesis())?;
    let database = dir.join("state");
    let (state, derived, how) = match from_database(&database, &log) {
        Ok((state, derived, how)) => (state, derived, how),
        Err(Unusable::Outside(error)) => return Err(error),
        Err(Unusable::Broken(why)) => rebuild(&database, &log, why)?,
    };
    let sequencer = Solo::new(log.genesis(), tip(log.tip(), &state), signer);
    let recovery = Recovery {
        height: log.height(),
        tail,
        state: how,
    };
    let chain = Chain {
        log,
        sequencer,
        state,
        database: Arc::new(Database::new(derived)),
        stopped: None,
        recent: Default::default(),
    };
    Ok((chain, recovery))
}

type Opened = (State, Derived, StateRecovery);

/// Why a database cannot be used.
enum Unusable {
    /// It is none, or not the log's: another is made.
    Broken(String),
    /// Nothing is known against it: the disk has no room, say. It stays where it is.
    Outside(ChainError),
}

/// The state from the database, brought to the log's end; or why it cannot be used.
fn from_database(database: &Path, log: &Log) -> Result<Opened, Unusable> {
    if !Derived::exists(database) {
        return Err(Unusable::Broken("there was no state database".to_owned()));
    }
    let failed = |error: DerivedError| match error.is_outside() {
        true => Unusable::Outside(database_error(database, error)),
        false => Unusable::Broken(format!("the state database failed: {error}")),
    };
    let (mut derived, found, mut state) = Derived::load(database).map_err(failed)?;
    agree(&found, &state, log)?;
    let from = found.height;
    if from == log.height() {
        return Ok((state, derived, StateRecovery::Loaded));
    }
    let mut solo = Solo::new(log.genesis(), tip(found.id, &state), None);
    let mut is_outside = false;
    replay(log, from + 1, &mut solo, &mut state, |tip, written| {
        derived.write(&stamp(tip), written).map_err(|error| {
            is_outside = error.is_outside();
            database_error(database, error)
        })
    })
    .map_err(|error| match is_outside || is_unread(&error) {
        true => Unusable::Outside(error),
        false => Unusable::Broken(format!(
            "the log could not be followed from the state database: {error}"
        )),
    })?;
    Ok((state, derived, StateRecovery::CaughtUp { from }))
}

/// Whether it is the log that could not be read, which says nothing about a database.
fn is_unread(error: &ChainError) -> bool {
    matches!(error, ChainError::Log(LogError::Io { .. }))
}

/// Compares a database with the log that it is said to follow.
fn agree(found: &Stamp, state: &State, log: &Log) -> Result<(), Unusable> {
    let height = found.height;
    let disagrees = |what: String| {
        let why = format!("the state database disagrees with the log: {what}");
        Err(Unusable::Broken(why))
    };
    if state.network() != log.genesis().network {
        return disagrees(format!("it is of network {}", state.network()));
    }
    if height > log.height() {
        let end = log.height();
        return disagrees(format!(
            "it stands at block {height}, and the log ends at block {end}"
        ));
    }
    let read = |height| match log.read(height) {
        Ok(Some(body)) => block::claim(&body).map_err(Unusable::Broken),
        Ok(None) => Err(Unusable::Broken(format!("the log has no block {height}"))),
        Err(error) => {
            let error = ChainError::Log(error);
            Err(match is_unread(&error) {
                true => Unusable::Outside(error),
                false => Unusable::Broken(error.to_string()),
            })
        }
    };
    let id = if height == 0 {
        log.genesis().id
    } else {
        read(height)?.item.id()
    };
    if id != found.id {
        return disagrees(format!(
            "its block {height} is {}, the log's is {id}",
            found.id
        ));
    }
    if height < log.height() {
        let root: Digest = read(height + 1)?.header.state_root;
        if root != found.root {
            return disagrees(format!(
                "its root after block {height} is {}, the log's is {root}",
                found.root
            ));
        }
    }
    Ok(())
}

/// Moves the database aside, folds the log, and fills a new one.
fn rebuild(database: &Path, log: &Log, why: String) -> Result<Opened, ChainError> {
    let moved_to =
        Derived::move_aside(database).map_err(|error| database_error(database, error))?;
    let mut state = genesis_state(log.genesis())?;
    let begin = tip(log.genesis().id, &state);
    let mut derived = Derived::fill(database, &stamp(&begin), &state).map_err(|error| {
        // Nothing is in it that a next try could use, or a person look at.
        if error.is_outside() {
            let _ = std::fs::remove_dir_all(database);
        }
        database_error(database, error)
    })?;
    let mut solo = Solo::new(log.genesis(), begin, None);
    replay(log, 1, &mut solo, &mut state, |tip, written| {
        let done = derived.write(&stamp(tip), written);
        done.map_err(|error| database_error(database, error))
    })?;
    derived
        .flush()
        .map_err(|error| database_error(database, error))?;
    let is_new = moved_to.is_none() && log.height() == 0;
    let how = if is_new {
        StateRecovery::Fresh
    } else {
        StateRecovery::Rebuilt { why, moved_to }
    };
    Ok((state, derived, how))
}

fn database_error(database: &Path, error: impl std::fmt::Display) -> ChainError {
    ChainError::Database {
        path: database.to_owned(),
        why: error.to_string(),
    }
}
