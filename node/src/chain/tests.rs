use std::fs;
use std::path::PathBuf;

use protocol::ans104::Draft;
use protocol::keys::SecretKey;
use protocol::receipt::Cause;
use protocol::record::{BLOCK_BYTES_MAX, RECORD_BYTES_MAX};
use tempfile::TempDir;

use super::*;
use crate::log::LogError;
use crate::sequencer::SignError;
use crate::testing::{
    BEGIN_MS, address, chapter, copy, genesis, genesis_body, genesis_of, key, lode, network,
    reopen, signer, tell, time_ms, told, transfer, undisturbed,
};
use market::GenesisError;
use protocol::receipt::Purse;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The state folder of a chain, and its log's only segment.
fn database(dir: &TempDir) -> PathBuf {
    dir.path().join("state")
}

fn segment(dir: &TempDir) -> PathBuf {
    dir.path().join("log/blocks-00000000000000000000.log")
}

/// Opens a disturbed chain, expects a rebuild for a reason, and tells the story on.
fn expect_rebuilt(dir: &TempDir, height: u64, reason: &str) {
    let (chain, recovery) = reopen(dir.path());
    match &recovery.state {
        StateRecovery::Rebuilt { why, .. } => assert!(why.contains(reason), "{why}"),
        other => panic!("{other:?}"),
    }
    goes_on(dir, chain, height);
}

/// The chain stands at `height` with the undisturbed root, goes on, and loads again.
fn goes_on(dir: &TempDir, mut chain: Chain, height: u64) {
    assert_eq!(chain.tip().height, height);
    assert_eq!(chain.tip().state_root, undisturbed(height));
    tell(&mut chain, height + 1);
    assert_eq!(chain.tip().state_root, undisturbed(height + 1));
    drop(chain);
    let (chain, recovery) = reopen(dir.path());
    assert_eq!(recovery.state, StateRecovery::Loaded, "{recovery}");
    assert_eq!(chain.tip().state_root, undisturbed(height + 1));
}

#[test]
fn a_chain_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Chain>();
}

#[test]
fn a_block_moves_money_and_gives_its_receipts() {
    let dir = folder();
    let mut chain = Chain::create(dir.path(), &genesis(), signer()).expect("created");
    let network = chain.genesis().network;
    let items = chapter(network, 1);
    let ids: Vec<ItemId> = items.iter().map(|item| item.id()).collect();
    let result = chain.produce(time_ms(1), items).expect("a block");
    assert_eq!((result.height, result.included.clone()), (1, ids.clone()));
    assert_eq!(result.refused, []);
    let causes: Vec<Cause> = result
        .receipts
        .iter()
        .map(|receipt| receipt.cause)
        .collect();
    assert_eq!(
        causes,
        ids.into_iter().map(Cause::Record).collect::<Vec<_>>()
    );
    assert_eq!(chain.recent_receipts(1), Some(&result.receipts));
    assert_eq!(chain.recent_receipts(2), None);
    assert_eq!(chain.state().balance(Purse::Account(address(5))), lode(1));
    assert_eq!(chain.state().root(), result.state_root);
    assert_ne!(chain.state().root(), chain.genesis_root());
}

impl Chain {
    fn genesis_root(&self) -> Digest {
        genesis_state(self.genesis()).expect("a genesis").root()
    }
}

#[test]
fn a_record_that_may_not_be_included_is_refused_and_harms_no_other() {
    let dir = folder();
    let mut chain = told(dir.path(), 0);
    let network = chain.genesis().network;
    let late = {
        let envelope = protocol::record::Envelope {
            network,
            nonce: 0,
            valid_until_ms: BEGIN_MS,
        };
        let action = protocol::record::Action::LeaveEvaluators;
        Transaction::draft(&envelope, &action)
            .sign(&key(4))
            .expect("few tags")
    };
    let cases = [
        (transfer(network, 2, 5, 5, 1), "next nonce is 0"),
        (transfer(network, 9, 0, 5, 1), "byte fee"),
        (
            transfer(protocol::NetworkId([0; 32]), 3, 0, 5, 1),
            "another one",
        ),
        (late, "was valid until"),
        (genesis(), "is missing"),
    ];
    let good = [transfer(network, 1, 0, 5, 1), transfer(network, 1, 1, 5, 1)];
    let again = good[0].clone();
    let mut items: Vec<VerifiedItem> = cases.iter().map(|(item, _)| item.clone()).collect();
    items.extend(good.clone());
    items.push(again.clone());
    let result = chain.produce(time_ms(1), items).expect("a block");
    assert_eq!(result.included, [good[0].id(), good[1].id()]);
    for (item, reason) in &cases {
        let refused = result
            .refused
            .iter()
            .find(|refused| refused.id == item.id());
        let why = refused.expect("refused").why.to_string();
        assert!(why.contains(reason), "{why}");
    }
    // The same record once more: its nonce is used.
    assert!(
        result
            .refused
            .iter()
            .any(|refused| refused.id == again.id())
    );
    assert_eq!(result.refused.len(), 6);
}

#[test]
fn a_block_without_anything_in_it_is_made_only_for_the_clock() {
    let dir = folder();
    let mut chain = told(dir.path(), 1);
    let network = chain.genesis().network;
    let used = transfer(network, 1, 0, 5, 1);
    match chain.produce(time_ms(2), vec![used.clone(), genesis()]) {
        Err(ChainError::Nothing(refused)) => assert_eq!(refused.len(), 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(chain.tip().height, 1);
    let result = chain
        .produce(time_ms(2), Vec::new())
        .expect("for the clock");
    assert_eq!((result.height, result.receipts.len()), (2, 0));
}

#[test]
fn a_full_block_leaves_the_rest_for_later() {
    let mut body = genesis_body("small blocks");
    body.parameters.block_bytes_max = RECORD_BYTES_MAX as u32;
    let genesis = body.draft().sign(&key(0)).expect("few tags");
    let dir = folder();
    let mut chain = Chain::create(dir.path(), &genesis, signer()).expect("created");
    let items: Vec<VerifiedItem> = (0..2_500)
        .map(|nonce| transfer(network(&genesis), 1, nonce, 5, 1))
        .collect();
    let size: usize = items.iter().map(|item| item.bytes().len()).sum();
    assert!(size > RECORD_BYTES_MAX);
    let result = chain.produce(time_ms(1), items.clone()).expect("a block");
    let fits = result.included.len();
    assert!(
        fits > 1_000
            && result
                .refused
                .iter()
                .all(|refused| refused.why == Refusal::Full)
    );
    let result = chain
        .produce(time_ms(2), items[fits..].to_vec())
        .expect("a block");
    assert_eq!(
        (result.included.len(), result.refused.len()),
        (2_500 - fits, 0)
    );
}

#[test]
fn time_rises_and_a_follower_does_not_produce() {
    let dir = folder();
    let mut chain = told(dir.path(), 1);
    for time in [0, time_ms(0), time_ms(1)] {
        let error = chain.produce(time, Vec::new()).expect_err("time rises");
        assert!(matches!(error, ChainError::Time { .. }));
    }
    drop(chain);
    let (mut chain, _) = Chain::open(dir.path(), None).expect("it opens");
    let error = chain
        .produce(time_ms(2), Vec::new())
        .expect_err("it follows");
    assert!(
        error
            .to_string()
            .contains("send the records to the proposer")
    );
}

#[test]
fn a_genesis_that_no_log_can_hold_is_refused() {
    let dir = folder();
    let mut body = genesis_body("large blocks");
    body.parameters.block_bytes_max = BLOCK_BYTES_MAX + 1;
    let item = body.draft().sign(&key(0)).expect("few tags");
    let error = Chain::create(dir.path(), &item, None).expect_err("too large");
    assert!(matches!(
        error,
        ChainError::Genesis(GenesisError::Parameter("block_bytes_max", _))
    ));
    body.version += 1;
    let item = body.draft().sign(&key(0)).expect("few tags");
    let error = Chain::create(dir.path(), &item, None).expect_err("another version");
    assert!(matches!(
        error,
        ChainError::Genesis(GenesisError::Version(_))
    ));
    let record = transfer(network(&genesis()), 1, 0, 5, 1);
    let error = Chain::create(dir.path(), &record, None).expect_err("a record");
    assert!(matches!(error, ChainError::NotGenesis(_)));
    assert!(!dir.path().join("log").exists());
    drop(told(dir.path(), 0));
    let error = Chain::create(dir.path(), &genesis(), None).expect_err("it is there");
    assert!(matches!(error, ChainError::Log(LogError::Exists(_))));
}

#[test]
fn an_undisturbed_chain_loads_its_state() {
    let dir = folder();
    let mut chain = told(dir.path(), 4);
    let tip = *chain.tip();
    chain.close().expect("it closes");
    let (reopened, recovery) = reopen(dir.path());
    assert!(recovery.is_clean());
    assert_eq!(recovery.to_string(), "state: loaded at block 4.");
    assert_eq!(*reopened.tip(), tip);
    chain = reopened;
    assert_eq!(
        chain.recent_receipts(4),
        None,
        "receipts are of this process"
    );
    goes_on(&dir, chain, 4);
}

#[test]
fn two_processes_cannot_have_one_chain() {
    let dir = folder();
    let chain = told(dir.path(), 1);
    let error = Chain::open(dir.path(), signer()).expect_err("it is open");
    assert!(matches!(error, ChainError::Log(LogError::Locked(_))));
    let error = Chain::create(dir.path(), &genesis(), signer()).expect_err("it is open");
    assert!(matches!(error, ChainError::Log(LogError::Locked(_))));
    goes_on(
        &dir,
        {
            drop(chain);
            reopen(dir.path()).0
        },
        1,
    );
}

#[test]
fn a_deleted_database_is_rebuilt() {
    let dir = folder();
    drop(told(dir.path(), 4));
    fs::remove_dir_all(database(&dir)).expect("deleted");
    expect_rebuilt(&dir, 4, "there was no state database");
}

#[test]
fn a_database_that_stayed_behind_is_caught_up() {
    let dir = folder();
    let mut chain = told(dir.path(), 2);
    // Killed between the log and the database, three times over.
    chain.database.lose(false);
    tell(&mut chain, 5);
    drop(chain);
    let (chain, recovery) = reopen(dir.path());
    assert_eq!(recovery.state, StateRecovery::CaughtUp { from: 2 });
    assert!(
        recovery
            .to_string()
            .contains("stood at block 2 and was brought to block 5")
    );
    goes_on(&dir, chain, 5);
}

#[test]
fn a_database_ahead_of_the_log_is_rebuilt() {
    let dir = folder();
    let chain = told(dir.path(), 2);
    let end = fs::metadata(segment(&dir)).expect("a segment").len();
    drop(chain);
    let (mut chain, _) = reopen(dir.path());
    tell(&mut chain, 4);
    drop(chain);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(segment(&dir))
        .expect("a segment");
    file.set_len(end).expect("cut");
    expect_rebuilt(&dir, 2, "it stands at block 4, and the log ends at block 2");
}

#[test]
fn a_torn_tail_and_a_database_that_knew_its_block_end_at_the_log() {
    let dir = folder();
    drop(told(dir.path(), 3));
    let file = fs::OpenOptions::new()
        .write(true)
        .open(segment(&dir))
        .expect("a segment");
    let len = file.metadata().expect("a segment").len();
    file.set_len(len - 1).expect("cut");
    let (chain, recovery) = reopen(dir.path());
    assert!(recovery.tail_cut_bytes() > 0 && !recovery.is_clean());
    let text = recovery.to_string();
    assert!(
        text.contains("block 3, had not finished") && text.contains("kept in"),
        "{text}"
    );
    assert!(
        text.contains("rebuilt from the log to block 2, because"),
        "{text}"
    );
    goes_on(&dir, chain, 2);
}

#[test]
fn a_database_of_another_story_is_rebuilt() {
    // Of another network.
    let (dir, other) = (folder(), folder());
    drop(told(dir.path(), 2));
    drop(Chain::create(other.path(), &genesis_of("other"), signer()).expect("created"));
    let place = |from: &TempDir| {
        fs::remove_dir_all(database(&dir)).expect("deleted");
        copy(&database(from), &database(&dir));
    };
    place(&other);
    expect_rebuilt(&dir, 2, "it is of network");
    // Of the same network, with another block at the same height, or before.
    for (height, reason) in [(1, "its block 1 is"), (3, "its block 3 is")] {
        let other = folder();
        let mut chain = told(other.path(), 0);
        while chain.tip().height < height {
            let next = chain.tip().height + 1;
            chain
                .produce(time_ms(next) + 1, chapter(network(&genesis()), next))
                .expect("a block");
        }
        drop(chain);
        place(&other);
        expect_rebuilt(&dir, if height == 1 { 3 } else { 4 }, reason);
    }
}

#[test]
fn damage_to_any_file_of_the_database_ends_at_the_same_root() {
    let whole = folder();
    drop(told(whole.path(), 3));
    let root = undisturbed(3);
    let files: Vec<PathBuf> = fs::read_dir(database(&whole))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    let mut rebuilt = 0;
    for file in &files {
        let bytes = fs::read(file).expect("a file");
        let end = bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        for damaged in damages(&bytes, end) {
            let dir = folder();
            copy(whole.path(), dir.path());
            let name = file.file_name().expect("a name");
            fs::write(database(&dir).join(name), damaged).expect("damaged");
            let (mut chain, recovery) = reopen(dir.path());
            assert_eq!(chain.tip().state_root, root, "{recovery}");
            rebuilt += usize::from(recovery.state != StateRecovery::Loaded);
            tell(&mut chain, 4);
            drop(chain);
            let (_, recovery) = reopen(dir.path());
            assert_eq!(recovery.state, StateRecovery::Loaded, "{recovery}");
        }
    }
    assert!(rebuilt > 8, "{rebuilt}");
}

/// Ways in which a file that is used up to `end` can be damaged.
fn damages(bytes: &[u8], end: usize) -> Vec<Vec<u8>> {
    let mut damages = vec![Vec::new(), vec![0; bytes.len()], vec![0xff; bytes.len()]];
    let mut state = 1u32;
    damages.push(
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(bytes.len())
        .collect(),
    );
    for part in 1..8 {
        let place = end * part / 8;
        damages.push(bytes[..place].to_vec());
        let fill = |value: u8| {
            let mut filled = bytes.to_vec();
            let to = filled.len().min(place + 64);
            filled[place..to].fill(value);
            filled
        };
        damages.extend([fill(0), fill(0x5a), fill(0xff)]);
    }
    damages
}

#[test]
fn a_database_that_killed_its_process_is_not_opened_again() {
    let dir = folder();
    drop(told(dir.path(), 2));
    // A kill in the middle of an open is no reason yet.
    fs::write(dir.path().join("state.busy"), b"xx").expect("a file");
    let (chain, recovery) = reopen(dir.path());
    assert!(recovery.is_clean(), "{recovery}");
    drop(chain);
    fs::write(dir.path().join("state.busy"), b"xxx").expect("a file");
    let (chain, recovery) = reopen(dir.path());
    let text = recovery.to_string();
    assert!(text.contains("did not survive"), "{text}");
    assert!(dir.path().join("state.broken-1").is_dir() && text.contains("state.broken-1"));
    goes_on(&dir, chain, 2);
    fs::write(dir.path().join("state.busy"), b"xxx").expect("a file");
    expect_rebuilt(&dir, 3, "did not survive");
    assert!(dir.path().join("state.broken-2").is_dir());
}

#[test]
fn a_database_that_fails_while_running_costs_nothing() {
    let dir = folder();
    let mut chain = told(dir.path(), 2);
    chain.database.lose(true);
    tell(&mut chain, 4);
    let failure = chain.database_failure().expect("it failed").to_string();
    assert!(failure.contains("failed before"), "{failure}");
    drop(chain);
    let (chain, recovery) = reopen(dir.path());
    assert_eq!(chain.tip().state_root, undisturbed(4), "{recovery}");
    goes_on(&dir, chain, 4);
}

#[test]
fn a_signer_that_fails_leaves_the_chain_as_it_was() {
    let dir = folder();
    drop(told(dir.path(), 2));
    for with_database in [true, false] {
        let is_locked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (locked, key): (_, SecretKey) = (Arc::clone(&is_locked), key(0));
        let sign = move |draft: Draft| -> Result<VerifiedItem, SignError> {
            match locked.load(std::sync::atomic::Ordering::Relaxed) {
                true => Err("the key is locked".into()),
                false => draft.sign(&key).map_err(Into::into),
            }
        };
        let (mut chain, _) = Chain::open(dir.path(), Some(Box::new(sign))).expect("it opens");
        if !with_database {
            chain.database.lose(false);
        }
        let (height, root) = (chain.tip().height, chain.tip().state_root);
        let items = chapter(chain.genesis().network, height + 1);
        let error = chain
            .produce(time_ms(height + 1), items)
            .expect_err("locked");
        assert!(
            matches!(error, ChainError::Propose(ProposeError::Sign(_))),
            "{error}"
        );
        assert_eq!(
            (chain.state().root(), chain.state().height()),
            (root, height)
        );
        is_locked.store(false, std::sync::atomic::Ordering::Relaxed);
        tell(&mut chain, height + 1);
        assert_eq!(chain.tip().state_root, undisturbed(height + 1));
    }
}

#[test]
fn a_follower_comes_to_the_same_root() {
    let (dir, other) = (folder(), folder());
    let leader = told(dir.path(), 5);
    let mut follower = Chain::create(other.path(), &genesis(), None).expect("created");
    for next in leader.log().blocks(1) {
        let (height, body) = next.expect("whole");
        let result = follower.follow(&body, time_ms(height)).expect("it follows");
        assert_eq!(result.height, height);
        let again = follower
            .follow(&body, time_ms(height))
            .expect_err("it is there");
        assert!(matches!(again, ChainError::Block(_)), "{again}");
    }
    assert_eq!(follower.tip(), leader.tip());
    assert_eq!(follower.log().tip(), leader.log().tip());
    let bytes = |dir: &TempDir| fs::read(segment(dir)).expect("a segment");
    assert!(bytes(&dir) == bytes(&other));
}

#[test]
fn a_block_that_breaks_a_rule_leaves_a_follower_as_it_was() {
    let (dir, other) = (folder(), folder());
    let leader = told(dir.path(), 2);
    let body = |height| leader.log().read(height).expect("whole").expect("there");
    for with_database in [true, false] {
        let place = other.path().join(with_database.to_string());
        let mut follower = Chain::create(&place, &genesis(), None).expect("created");
        follower.follow(&body(1), time_ms(1)).expect("it follows");
        let root = follower.state().root();
        if !with_database {
            follower.database.lose(false);
        }
        // The proposer signs a block whose second record repeats a nonce.
        let network = follower.genesis().network;
        let records =
            [transfer(network, 1, 1, 5, 1), transfer(network, 2, 0, 5, 1)].map(|item| Record {
                tx: Transaction::read(&item).expect("a record"),
                item,
            });
        let rogue = Solo::new(follower.genesis(), *follower.tip(), signer());
        let rogue = rogue.propose(time_ms(2), records.to_vec()).expect("signed");
        match follower.follow(&rogue.to_bytes(), time_ms(2)) {
            Err(ChainError::Inadmissible {
                height: 2, item: 2, ..
            }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(follower.state().root(), root);
        let ahead = time_ms(2) - AHEAD_MS_MAX - 1;
        let error = follower
            .follow(&body(2), ahead)
            .expect_err("ahead of the clock");
        assert!(error.to_string().contains("Check the clocks"), "{error}");
        follower.follow(&body(2), ahead + 1).expect("it follows");
        assert_eq!(follower.tip(), leader.tip());
    }
}

#[test]
fn a_log_whose_block_is_not_valid_is_named_and_left_alone() {
    let dir = folder();
    let mut chain = told(dir.path(), 2);
    let mut rogue = *chain.tip();
    rogue.state_root = Digest([9; 32]);
    let rogue = Solo::new(chain.genesis(), rogue, signer());
    let block = rogue.propose(time_ms(3), Vec::new()).expect("signed");
    chain.log.append(&block).expect("appended");
    drop(chain);
    let before = fs::read(segment(&dir)).expect("a segment");
    match Chain::open(dir.path(), signer()) {
        Err(error @ ChainError::Replay { height: 3, .. }) => {
            assert!(error.to_string().contains("state root"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(fs::read(segment(&dir)).expect("a segment") == before);
    assert!(database(&dir).is_dir(), "the database is not blamed");
}

/// Told to a child of the next test: which folder to work in until it is killed.
const KILL_DIR: &str = "LODE_TEST_KILL_DIR";

#[test]
fn what_was_answered_for_survives_a_kill() {
    if let Some(dir) = std::env::var_os(KILL_DIR) {
        let (mut chain, _) = reopen(Path::new(&dir));
        // Far more than the parent waits for; every answer is one line.
        for height in chain.tip().height + 1..3_000 {
            tell(&mut chain, height);
            println!("answered {height}");
        }
        panic!("nobody killed this process");
    }
    let dir = folder();
    drop(told(dir.path(), 0));
    let mut answered = 0;
    for answers in [1, 3, 40, 2, 17] {
        answered = run_and_kill(dir.path(), answers).max(answered);
        let (chain, recovery) = reopen(dir.path());
        let height = chain.tip().height;
        assert!(
            height >= answered,
            "block {answered} was answered for: {recovery}"
        );
        assert_eq!(chain.tip().state_root, undisturbed(height), "{recovery}");
        answered = height;
    }
    assert!(answered >= 63);
}

/// Runs this test as a process of its own and kills it after so many answers;
/// gives the height of the last one.
fn run_and_kill(dir: &Path, answers: usize) -> u64 {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "--nocapture",
            "chain::tests::what_was_answered_for_survives_a_kill",
        ])
        .env(KILL_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let last = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("answered ")?.1.parse().ok())
        .nth(answers - 1);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    last.expect("it answered")
}

#[test]
fn a_database_that_somebody_still_reads_stays_where_it_is() {
    let dir = folder();
    // Though one before it was left open by this process, and replaced.
    let chain = told(dir.path(), 2);
    chain.database.lose(true);
    drop(chain);
    let (chain, _) = reopen(dir.path());
    let history = chain.history().expect("it is there");
    drop(chain);
    let refused = Chain::open(dir.path(), signer());
    let Err(ChainError::Database { why, .. }) = refused else {
        panic!("it is locked");
    };
    assert!(why.contains("lock"), "{why}");
    drop(history);
    let (_, recovery) = reopen(dir.path());
    assert_eq!(recovery.state, StateRecovery::Loaded);
    assert!(!dir.path().join("state.broken-2").exists());
}
