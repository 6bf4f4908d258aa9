//! Records: posted once and again, refused, tried, looked up, proved, followed.

use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{ClientError, EventFilter, EventId, EventKind, EventsFrom};
use node::mempool::MempoolLimits;
use protocol::ans104::{SignedItem, bundle};
use protocol::api::{RecordStatus, from_base64url};
use protocol::block::HeaderRecord;
use protocol::receipt::Receipt;
use protocol::record::{Action, Envelope, GenesisRecord, JoinEvaluators, Transaction};
use protocol::{ItemId, NetworkId};

use crate::play::Play;
use crate::support::{BEGIN_MS, Choices, Served, address, key, lode, transfer_to};

/// Status and code of a refusal.
fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Problem { status, problem }) => (status, problem.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_final_when_it_is_answered_and_the_same_bytes_get_the_same_answer() {
    let served = Served::new();
    let item = served.transfer(1, 0, 7);
    let view = served.client.submit(&item).unwrap();
    assert!(view.is_applied());
    assert_eq!((view.height, view.place), (Some(1), Some(0)));
    assert_eq!(served.client.account(address(9)).unwrap().balance, lode(7));
    assert_eq!(served.client.submit(&item).unwrap(), view);
    assert_eq!(served.client.record(item.id()).unwrap(), view);
    assert_eq!(served.client.record_item(item.id()).unwrap(), item);
    let served = served.again();
    assert_eq!(served.client.submit(&item).unwrap(), view);
    assert_eq!(served.client.account(address(9)).unwrap().balance, lode(7));
    assert_eq!(served.client.status().unwrap().height, 1);
}

#[test]
fn a_nonce_that_is_used_or_leaves_a_gap_is_refused_with_the_one_that_is_expected() {
    let served = Served::new();
    served.client.submit(&served.transfer(1, 0, 1)).unwrap();
    for (nonce, count) in [(0, 2), (2, 1), (u64::MAX, 1)] {
        match served
            .client
            .submit_without_waiting(&served.transfer(1, nonce, count))
        {
            Err(ClientError::Problem { status, problem }) => {
                assert_eq!((status, problem.code.as_str()), (409, "nonce"));
                assert_eq!(problem.expected_nonce, Some(1), "nonce {nonce}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_included_is_refused_before_it_costs_anything() {
    let served = Served::new();
    let envelope = |network, valid_until_ms| Envelope {
        network,
        nonce: 0,
        valid_until_ms,
    };
    let sign = |seed, envelope: Envelope| {
        let draft = Transaction::draft(&envelope, &transfer_to(9, 1));
        draft.sign(&key(seed)).unwrap()
    };
    let hour_ms = 3_600_000;
    let (own, other) = (served.network, NetworkId([7; 32]));
    for (item, code) in [
        (
            sign(1, envelope(other, BEGIN_MS + hour_ms)),
            "other_network",
        ),
        (sign(1, envelope(own, BEGIN_MS - 1)), "expired"),
        (
            sign(1, envelope(own, BEGIN_MS + 25 * hour_ms)),
            "valid_too_long",
        ),
        (sign(8, envelope(own, BEGIN_MS + hour_ms)), "fee_unpayable"),
    ] {
        let refused = served.client.submit_without_waiting(&item);
        assert_eq!(refusal(refused), (422, code.to_owned()));
    }
    assert_eq!(
        served.client.account(address(1)).unwrap().balance,
        lode(1_000)
    );
    assert_eq!(served.client.status().unwrap().height, 0);
}

#[test]
fn a_trial_says_what_would_come_of_a_record_and_changes_nothing() {
    let served = Served::new();
    let root = served.client.status().unwrap().state_root;
    let envelope = Envelope {
        network: served.network,
        nonce: 0,
        valid_until_ms: BEGIN_MS + 1_000,
    };
    let draft = |count| Transaction::draft(&envelope, &transfer_to(9, count));
    let trial = served.client.trial(address(1), &draft(5)).unwrap();
    assert_eq!(trial.problem, None);
    let signed = draft(5).sign(&key(1)).unwrap();
    assert_eq!(trial.size_bytes as usize, signed.bytes().len());
    let tried = trial.receipt.unwrap();
    let trial = served.client.trial(address(1), &draft(5_000)).unwrap();
    let problem = trial.problem.unwrap();
    assert!(problem.is_rejection && problem.code == "insufficient_funds");
    assert_eq!(served.client.status().unwrap().state_root, root);
    let real = served.client.submit(&signed).unwrap().receipt.unwrap();
    assert_eq!(real.moves, tried.moves);
}

#[test]
fn a_rule_that_rejects_in_the_block_is_told_with_its_reason_and_costs_the_byte_fee() {
    let served = Served::new();
    let item = served.transfer(1, 0, 5_000);
    let view = served.client.submit(&item).unwrap();
    let problem = view.problem.clone().unwrap();
    assert_eq!(
        (problem.code.as_str(), problem.is_rejection),
        ("insufficient_funds", true)
    );
    assert!(problem.message.contains("5000 LODE"), "{}", problem.message);
    let account = served.client.account(address(1)).unwrap();
    assert_eq!(account.nonce, 1);
    assert!(account.balance < lode(1_000) && account.balance > lode(999));
}

#[test]
fn a_bundle_goes_into_one_block_and_each_item_gets_its_answer() {
    let served = Served::new();
    let items = [
        served.transfer(1, 0, 1),
        served.transfer(1, 1, 1),
        served.transfer(2, 7, 1),
        served.transfer(3, 0, 1),
    ];
    let answer = served.client.submit_bundle(&items).unwrap();
    let heights: Vec<_> = answer
        .entries
        .iter()
        .map(|entry| entry.record.as_ref().and_then(|record| record.height))
        .collect();
    assert_eq!(heights, [Some(1), Some(1), None, Some(1)]);
    assert_eq!(answer.entries[2].problem.as_ref().unwrap().code, "nonce");
    assert_eq!(served.client.status().unwrap().height, 1);
}

#[test]
fn a_mempool_that_is_full_says_so_and_takes_records_again_later() {
    let served = Served::with(Choices {
        mempool: MempoolLimits {
            account_records_max: 2,
            ..MempoolLimits::default()
        },
        ..Choices::default()
    });
    let items: Vec<_> = (0..3).map(|nonce| served.transfer(1, nonce, 1)).collect();
    let answer = served.client.submit_bundle(&items).unwrap();
    let problem = answer.entries[2].problem.as_ref().unwrap();
    assert_eq!(problem.code, "mempool_full");
    assert!(problem.retry_after_ms.is_some());
    assert!(served.client.submit(&items[2]).unwrap().is_applied());
}

#[test]
fn byte_fees_of_all_that_waits_are_counted_against_the_balance() {
    let served = Served::new();
    // Enough for the fee of one record, not of two.
    let gift = protocol::Amount::from_base_units(500_000_000_000_000_000_000);
    let body = protocol::record::Transfer { amount: gift };
    let action = protocol::record::Action::Transfer {
        to: address(7),
        body,
    };
    served.client.submit(&served.signed(1, 0, &action)).unwrap();
    let items = [served.transfer(7, 0, 1), served.transfer(7, 1, 1)];
    let answer = served.client.submit_bundle(&items).unwrap();
    assert_eq!(
        answer.entries[1].problem.as_ref().unwrap().code,
        "fee_unpayable"
    );
}

#[test]
fn an_account_says_whether_it_is_an_evaluator_as_the_list_does() {
    let mut play = Play::begin();
    for (seed, stake) in [(1, 30), (2, 20)] {
        let body = JoinEvaluators { stake: lode(stake) };
        play.send(seed, &Action::JoinEvaluators { body });
    }
    let client = &play.served.client;
    let listed: Vec<_> = client
        .evaluators()
        .page_size(1)
        .collect::<Result<_, _>>()
        .unwrap();
    let mut own = [1, 2].map(|seed| client.account(address(seed)).unwrap().evaluator.unwrap());
    assert_eq!([own[0].stake, own[1].stake], [lode(30), lode(20)]);
    own.sort_by_key(|one| one.address);
    assert_eq!(listed, own);
    assert_eq!(client.account(address(3)).unwrap().evaluator, None);
}

#[test]
fn a_history_has_every_receipt_once_page_by_page() {
    let served = Served::new();
    for nonce in 0..5 {
        served.client.submit(&served.transfer(1, nonce, 1)).unwrap();
    }
    let pages = served.client.account_history(address(9)).page_size(2);
    let entries: Vec<_> = pages.collect::<Result<_, _>>().unwrap();
    let heights: Vec<_> = entries.iter().map(|entry| entry.height).collect();
    assert_eq!(heights, [1, 2, 3, 4, 5]);
    assert!(entries.iter().all(|entry| entry.signer == Some(address(1))));
    assert_eq!(served.client.account_history(address(2)).count(), 0);
}

#[test]
fn a_follower_that_comes_back_misses_nothing() {
    let served = Served::new();
    let wait = Duration::from_secs(10);
    let next = |events: &client::Events| events.next_within(wait).unwrap().unwrap();
    let blocks = served
        .client
        .events(EventFilter::Blocks, EventsFrom::Now)
        .unwrap();
    served.client.submit(&served.transfer(1, 0, 1)).unwrap();
    let first = next(&blocks);
    assert_eq!(
        first.id,
        EventId {
            height: 1,
            place: 0
        }
    );
    drop(blocks);
    for nonce in 1..4 {
        served.client.submit(&served.transfer(1, nonce, 1)).unwrap();
    }
    let after = EventsFrom::After(first.id);
    let blocks = served.client.events(EventFilter::Blocks, after).unwrap();
    for height in 2..=4 {
        match next(&blocks).kind {
            EventKind::Block(block) => assert_eq!((block.height, block.records), (height, 1)),
            other => panic!("{other:?}"),
        }
    }
    let filter = EventFilter::Account(address(9));
    let entries = served.client.events(filter, EventsFrom::Genesis).unwrap();
    for height in 1..=4 {
        match next(&entries).kind {
            EventKind::Entry(entry) => assert_eq!(entry.height, height),
            other => panic!("{other:?}"),
        }
    }
    let nothing = served
        .client
        .events(EventFilter::Account(address(3)), EventsFrom::Genesis);
    assert!(
        nothing
            .unwrap()
            .next_within(Duration::from_millis(300))
            .unwrap()
            .is_none()
    );
}

/// Blocks go on being written while the past is read: a page of it may end among theirs.
#[test]
fn who_follows_from_the_beginning_while_blocks_are_made_gets_every_entry_once() {
    const BLOCKS: u64 = 24;
    // More than are read at once.
    const EACH: u64 = 100;
    let served = Served::new();
    // What the node sends, with nobody in between who could ask again.
    let follow = || {
        let mut stream = served.connect();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        let path = format!("/v1/events?account={}&from=0", address(9));
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let mut ids = lines.filter_map(|line| line.strip_prefix("id: ").map(str::to_owned));
        for count in 0..BLOCKS * EACH {
            let expected = format!("{}.{}", 1 + count / EACH, count % EACH);
            assert_eq!(ids.next(), Some(expected));
        }
    };
    std::thread::scope(|scope| {
        for block in 0..BLOCKS {
            let from = 1 + (block % 4) as u8;
            let nonces = block / 4 * EACH..(block / 4 + 1) * EACH;
            let items: Vec<_> = nonces
                .map(|nonce| served.transfer(from, nonce, 1))
                .collect();
            served.client.submit_bundle(&items).unwrap();
            if block % 4 == 3 {
                scope.spawn(follow);
            }
        }
    });
}

/// The state moves on first, its past and its events follow: nobody may notice.
#[test]
fn what_the_status_shows_can_be_looked_up_and_followed_at_once() {
    let served = Served::new();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for nonce in 0..150 {
                served.client.submit(&served.transfer(1, nonce, 1)).unwrap();
            }
            is_done.store(true, Ordering::SeqCst);
        });
        while !is_done.load(Ordering::SeqCst) {
            let height = served.client.status().unwrap().height;
            assert_eq!(served.client.block(height).unwrap().height, height);
            let height = served.client.status().unwrap().height;
            let place = u32::MAX;
            let after = EventsFrom::After(EventId { height, place });
            served.client.events(EventFilter::Blocks, after).unwrap();
        }
    });
    assert_eq!(served.client.status().unwrap().height, 150);
}

#[test]
fn a_receipt_is_proved_to_someone_who_holds_the_genesis_alone() {
    let served = Served::new();
    let items = [served.transfer(1, 0, 3), served.transfer(2, 0, 4)];
    served.client.submit_bundle(&items).unwrap();
    let proof = served.client.receipt_proof(items[1].id()).unwrap();
    let item = |text: &str| {
        let item = SignedItem::from_vec(from_base64url(text).unwrap()).unwrap();
        item.verify().unwrap()
    };
    let genesis = GenesisRecord::read(&item(&proof.genesis)).unwrap();
    assert_eq!(genesis.network, served.network);
    let header = HeaderRecord::read(&item(&proof.header)).unwrap();
    assert_eq!(header.proposer, genesis.proposer);
    let leaf = from_base64url(&proof.receipt).unwrap();
    let root = header.header.receipts_root;
    let (place, count) = (u64::from(proof.place), u64::from(proof.receipts));
    proof.path.verify(&root, &leaf, place, count).unwrap();
    let receipt: Receipt = borsh::from_slice(&leaf).unwrap();
    assert_eq!(receipt.moves[1].amount, lode(4));
    assert_eq!(item(&proof.record), items[1]);
}

#[test]
fn the_log_over_http_is_the_log_on_the_disk() {
    let served = Served::new();
    for nonce in 0..20 {
        served.client.submit(&served.transfer(1, nonce, 1)).unwrap();
    }
    let root = served.client.status().unwrap().state_root;
    let mut bytes = Vec::new();
    served.client.log(&mut bytes, 1 << 30).unwrap();
    let replayed = node::replay(&bytes[..], |_| {}).unwrap();
    assert_eq!((replayed.height, replayed.state_root), (20, root));
    let block = served.client.block_bundle(3).unwrap();
    assert_eq!(bundle::decode(&block).unwrap().len(), 2);
    let dir = served.stop();
    let (log, _) = node::Log::open(&dir.path().join("log")).unwrap();
    let exported = node::export(log.view(), Vec::new(), |_| {}).unwrap();
    assert!(exported == bytes);
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let served = Served::new();
    let id = ItemId([5; 32]);
    assert_eq!(refusal(served.client.record(id)).0, 404);
    assert_eq!(refusal(served.client.bounty(id)).0, 404);
    assert_eq!(refusal(served.client.asset(id)).0, 404);
    assert_eq!(refusal(served.client.license(id)).0, 404);
    assert_eq!(refusal(served.client.block(9)).0, 404);
    assert_eq!(refusal(served.client.receipt_proof(id)).0, 404);
}

#[test]
fn a_node_that_stops_puts_what_waits_into_a_last_block() {
    let served = Served::new();
    let item = served.transfer(1, 0, 2);
    let view = served.client.submit_without_waiting(&item).unwrap();
    assert!(view.status == RecordStatus::Pending || view.is_applied());
    let served = served.again();
    assert!(served.client.record(item.id()).unwrap().is_applied());
}
