use protocol::ans104::bundle;
use tempfile::TempDir;

use super::*;
use crate::chain::Chain;
use crate::export::export;
use crate::testing::{key, tell, told};

/// A chain and its export.
fn exported(height: u64) -> (TempDir, Chain, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a folder");
    let chain = told(dir.path(), height);
    let bytes = export(chain.log().view(), Vec::new(), |_| ()).expect("exported");
    (dir, chain, bytes)
}

fn refused(bytes: &[u8]) -> ReplayError {
    replay(bytes, |_| ()).expect_err("it is not the log of a network")
}

fn items(bytes: &[u8]) -> Vec<VerifiedItem> {
    bundle::decode(bytes).expect("a bundle")
}

#[test]
fn an_export_replays_to_the_same_state() {
    for height in [0, 1, 7] {
        let (_dir, chain, bytes) = exported(height);
        let mut told = Vec::new();
        let replayed = replay(&bytes[..], |progress| told.push(progress)).expect("it replays");
        let tip = chain.tip();
        assert_eq!(replayed.network, chain.genesis().network);
        assert_eq!((replayed.height, replayed.tip), (height, tip.id));
        assert_eq!(replayed.time_ms, tip.time_ms);
        assert_eq!(replayed.state_root, tip.state_root);
        assert_eq!(replayed.receipts_root, tip.receipts_root);
        assert_eq!((replayed.blocks, replayed.records), (height, 2 * height));
        assert_eq!(replayed.rejected, height / 3);
        assert!(replayed.state.entries().eq(chain.state().entries()));
        let total = 1 + 3 * height;
        let last = Progress {
            height,
            items: total,
            items_total: total,
        };
        assert_eq!(told.last(), Some(&last));
        assert_eq!(told.len() as u64, 1 + height);
    }
}

#[test]
fn an_export_is_a_plain_bundle_of_the_log_in_order() {
    let (_dir, chain, bytes) = exported(3);
    let mut log = Vec::new();
    for next in chain.log().blocks(0) {
        log.extend(items(&next.expect("whole").1));
    }
    assert_eq!(items(&bytes), log);
    assert_eq!(log.len() as u64, chain.log().items());
}

#[test]
fn an_export_tells_how_far_it_is_and_says_when_it_cannot_write() {
    let (_dir, chain, bytes) = exported(2);
    let mut heights = Vec::new();
    export(chain.log().view(), Vec::new(), |progress| {
        heights.push(progress.height)
    })
    .expect("exported");
    assert_eq!(heights, [0, 1, 1, 1, 2, 2, 2]);
    let mut small = vec![0; bytes.len() - 1];
    let error = export(chain.log().view(), &mut small[..], |_| ()).expect_err("no room");
    assert!(matches!(error, crate::ExportError::Write(_)), "{error}");
}

#[test]
fn a_log_damaged_since_it_was_opened_is_not_exported() {
    let (dir, chain, _) = exported(3);
    let path = dir.path().join("log/blocks-00000000000000000000.log");
    let mut bytes = std::fs::read(&path).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("damaged");
    let error = export(chain.log().view(), Vec::new(), |_| ()).expect_err("damaged");
    assert!(error.to_string().contains("is damaged"), "{error}");
}

#[test]
fn any_flipped_bit_is_refused_and_its_place_named() {
    let (_dir, _chain, bytes) = exported(2);
    let items = items(&bytes);
    let mut begins = vec![32 + 64 * items.len()];
    for item in &items {
        begins.push(begins[begins.len() - 1] + item.bytes().len());
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            let error = refused(&flipped);
            let text = error.to_string();
            match place {
                // A count that is wrong shows where its bundle does not add up.
                0..32 => assert!(error.offset <= bytes.len() as u64, "{text}"),
                // A size that is wrong shows in its item or a later one; an id in its item.
                32.. if place < begins[0] => {
                    let entry = (place - 32) / 64;
                    let found = error.item.unwrap_or(items.len() as u64);
                    assert!(found >= entry as u64, "{text}");
                }
                _ => {
                    let item = begins.partition_point(|&begin| begin <= place) - 1;
                    assert_eq!(
                        error.item,
                        Some(item as u64),
                        "byte {place}, bit {bit}: {text}"
                    );
                    let at = error.offset as usize;
                    assert!((begins[item]..=begins[item + 1]).contains(&at), "{text}");
                }
            }
        }
    }
}

#[test]
fn an_export_cut_anywhere_is_refused() {
    let (_dir, _chain, bytes) = exported(2);
    for end in 0..bytes.len() {
        let error = refused(&bytes[..end]);
        assert!(error.offset <= end as u64, "{error}");
    }
    let error = refused(&[&bytes[..], b"x"].concat());
    assert_eq!(error.offset, bytes.len() as u64);
    assert!(
        error.to_string().contains("bytes follow the last item"),
        "{error}"
    );
}

#[test]
fn items_left_out_added_or_reordered_are_refused_with_their_block() {
    let (_dir, chain, bytes) = exported(3);
    let items = items(&bytes);
    // Items: 0 genesis; 1 header, 2, 3; 4 header, 5, 6; 7 header, 8, 9.
    let table: [(&str, &[usize], u64, Option<u64>); 10] = [
        ("genesis", &[], 0, None),
        ("'block'", &[1, 2, 3], 0, None),
        ("another order", &[0, 1, 3, 2, 4, 5, 6, 7, 8, 9], 1, Some(1)),
        (
            "block 2, and block 1 is next",
            &[0, 4, 5, 6, 7, 8, 9],
            1,
            Some(1),
        ),
        (
            "block 3, and block 2 is next",
            &[0, 1, 2, 3, 7, 8, 9],
            4,
            Some(2),
        ),
        ("header: ", &[0, 1, 2, 3, 5, 6], 4, Some(2)),
        (
            "the tag 'Nonce' is missing",
            &[0, 1, 2, 4, 5, 6],
            3,
            Some(1),
        ),
        ("after 1 of the 2 items", &[0, 1, 2, 3, 4, 5], 5, Some(2)),
        ("header: ", &[0, 1, 2, 3, 3, 4, 5, 6], 4, Some(2)),
        ("header: ", &[0, 0], 1, Some(1)),
    ];
    for (reason, order, item, height) in table {
        let chosen: Vec<&VerifiedItem> = order.iter().map(|&i| &items[i]).collect();
        let error = refused(&bundle::encode(chosen));
        let text = error.to_string();
        assert!(text.contains(reason), "{text}");
        assert_eq!(
            (error.item.unwrap_or(0), error.height),
            (item, height),
            "{text}"
        );
    }
    // Whole blocks left out at the end: a shorter log, which height and root tell apart.
    let shorter = replay(&bundle::encode(&items[..7])[..], |_| ()).expect("it replays");
    assert_eq!(shorter.height, 2);
    assert_ne!(shorter.state_root, chain.tip().state_root);
}

#[test]
fn a_proposer_who_signs_a_wrong_block_is_found_out() {
    let (_dir, chain, bytes) = exported(2);
    let mut items = items(&bytes);
    let solo = Solo::new(chain.genesis(), *chain.tip(), crate::testing::signer());
    let stray = crate::testing::transfer(chain.genesis().network, 1, 9, 5, 1);
    let records = vec![crate::block::Record {
        tx: protocol::record::Transaction::read(&stray).expect("a record"),
        item: stray,
    }];
    let block = solo
        .propose(crate::testing::time_ms(3), records)
        .expect("signed");
    items.extend(block.items().cloned());
    let error = refused(&bundle::encode(&items));
    assert_eq!((error.item, error.height), (Some(8), Some(3)));
    assert!(error.to_string().contains("next nonce"), "{error}");

    // A header that names a state the log does not come to.
    let header = protocol::block::Header {
        state_root: Digest([0; 32]),
        ..block.header().header.clone()
    };
    items.truncate(7);
    items.push(
        header
            .draft(chain.genesis().network)
            .sign(&key(0))
            .expect("few tags"),
    );
    let error = refused(&bundle::encode(&items));
    assert_eq!((error.item, error.height), (Some(7), Some(3)));
    assert!(error.to_string().contains("state root"), "{error}");
}

#[test]
fn an_export_of_a_log_in_many_segments_replays() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut chain = told(dir.path(), 0);
    chain.log_mut().set_segment_bytes_max(3_000);
    tell(&mut chain, 40);
    let bytes = export(chain.log().view(), Vec::new(), |_| ()).expect("exported");
    let replayed = replay(&bytes[..], |_| ()).expect("it replays");
    assert_eq!(replayed.state_root, chain.tip().state_root);
}

mod any_bytes {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(super::replay(&bytes[..], |_| ()).is_err());
        }
    }
}
