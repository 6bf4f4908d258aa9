use protocol::ans104::bundle;

use super::*;
use crate::testing::{chapter, genesis, key, signer, signer_with, time_ms, transfer};

/// A solo sequencer at its genesis, with made-up roots.
fn solo(signer: Option<Box<dyn Proposer>>) -> Solo {
    let record = GenesisRecord::read(&genesis()).expect("a genesis");
    let tip = Tip {
        height: 0,
        id: record.id,
        time_ms: record.genesis.time_ms,
        state_root: Digest([1; 32]),
        receipts_root: Digest([2; 32]),
    };
    Solo::new(&record, tip, signer)
}

fn records(items: Vec<VerifiedItem>) -> Vec<Record> {
    let read = |item| {
        let tx = Transaction::read(&item).expect("a record");
        Record { item, tx }
    };
    items.into_iter().map(read).collect()
}

fn first_header(solo: &Solo, items: &[VerifiedItem]) -> Header {
    Header {
        height: 1,
        time_ms: time_ms(1),
        parent: solo.tip.id,
        items: items.len() as u32,
        items_root: items_root(items.iter().map(|item| item.id())),
        state_root: solo.tip.state_root,
        receipts_root: solo.tip.receipts_root,
    }
}

/// Verifies a block of this header under the signature of key `seed`.
fn verify(
    solo: &Solo,
    header: &Header,
    network: NetworkId,
    seed: u8,
    items: &[VerifiedItem],
) -> Result<Block, BlockError> {
    let header = header.draft(network).sign(&key(seed)).expect("few tags");
    let all: Vec<&VerifiedItem> = std::iter::once(&header).chain(items).collect();
    solo.verify(&bundle::encode(all))
}

#[test]
fn what_solo_proposes_a_follower_verifies() {
    let (mut leader, mut follower) = (solo(signer()), solo(None));
    for height in 1..=3 {
        let records = records(chapter(leader.network, height));
        let block = leader.propose(time_ms(height), records).expect("proposed");
        let verified = follower.verify(&block.to_bytes()).expect("it follows");
        assert_eq!(verified, block);
        for solo in [&mut leader, &mut follower] {
            solo.commit(&block, Digest([height as u8; 32]), Digest([9; 32]));
        }
        assert_eq!(leader.tip(), follower.tip());
        assert_eq!(leader.tip().height, height);
    }
    let refused = follower.propose(time_ms(4), Vec::new());
    assert!(matches!(refused, Err(ProposeError::Follower)));
}

#[test]
fn a_header_must_follow_the_tip_in_everything() {
    let solo = solo(None);
    let items = chapter(solo.network, 1);
    let good = first_header(&solo, &items);
    assert!(verify(&solo, &good, solo.network, 0, &items).is_ok());
    let bad = Digest([7; 32]);
    let table: [(&str, Header); 10] = [
        (
            "block 2, and block 1 is next",
            Header {
                height: 2,
                ..good.clone()
            },
        ),
        (
            "block 0, and block 1 is next",
            Header {
                height: 0,
                ..good.clone()
            },
        ),
        (
            "parent is",
            Header {
                parent: ItemId([7; 32]),
                ..good.clone()
            },
        ),
        (
            "not above its parent's",
            Header {
                time_ms: time_ms(0),
                ..good.clone()
            },
        ),
        (
            "not above its parent's",
            Header {
                time_ms: 0,
                ..good.clone()
            },
        ),
        (
            "state root",
            Header {
                state_root: bad,
                ..good.clone()
            },
        ),
        (
            "receipts root",
            Header {
                receipts_root: bad,
                ..good.clone()
            },
        ),
        (
            "names 3 items, 2 follow",
            Header {
                items: 3,
                ..good.clone()
            },
        ),
        (
            "names 0 items, 2 follow",
            Header {
                items: 0,
                ..good.clone()
            },
        ),
        (
            "other items, or another order",
            Header {
                items_root: bad,
                ..good.clone()
            },
        ),
    ];
    for (reason, header) in table {
        let error = verify(&solo, &header, solo.network, 0, &items).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
    let error = verify(&solo, &good, NetworkId([7; 32]), 0, &items).expect_err("network");
    assert!(matches!(error.flaw, BlockFlaw::Network { .. }), "{error}");
    let error = verify(&solo, &good, solo.network, 1, &items).expect_err("proposer");
    assert!(matches!(error.flaw, BlockFlaw::Proposer { .. }), "{error}");
}

#[test]
fn items_out_of_order_or_of_no_record_are_refused_with_their_place() {
    let solo = solo(None);
    let items = chapter(solo.network, 1);
    let header = first_header(&solo, &items);
    let swapped = [items[1].clone(), items[0].clone()];
    let error = verify(&solo, &header, solo.network, 0, &swapped).expect_err("another order");
    assert!(matches!(error.flaw, BlockFlaw::ItemsRoot { .. }), "{error}");

    let stray = [items[0].clone(), genesis()];
    let header = first_header(&solo, &stray);
    let error = verify(&solo, &header, solo.network, 0, &stray).expect_err("no record");
    assert_eq!(error.item, Some(2));
    let bytes_before = 32 + 64 * 3;
    assert!(error.offset > bytes_before + items[0].bytes().len() as u64);
    assert!(matches!(error.flaw, BlockFlaw::Record(_)), "{error}");

    for (bytes, item) in [
        (bundle::encode([]), None),
        (bundle::encode(&items), Some(0)),
    ] {
        assert_eq!(solo.verify(&bytes).expect_err("no header").item, item);
    }
}

#[test]
fn more_bytes_than_a_block_may_hold_are_refused() {
    let mut solo = solo(None);
    let items = chapter(solo.network, 1);
    let size: usize = items.iter().map(|item| item.bytes().len()).sum();
    let header = first_header(&solo, &items);
    solo.block_bytes_max = size as u32;
    assert!(verify(&solo, &header, solo.network, 0, &items).is_ok());
    solo.block_bytes_max -= 1;
    let error = verify(&solo, &header, solo.network, 0, &items).expect_err("too large");
    assert_eq!(error.item, Some(2));
    assert!(matches!(error.flaw, BlockFlaw::Bytes { .. }), "{error}");
}

#[test]
fn a_flipped_bit_in_a_block_is_refused() {
    let solo = solo(None);
    let items = [transfer(solo.network, 1, 0, 2, 1)];
    let header = first_header(&solo, &items);
    let block = verify(&solo, &header, solo.network, 0, &items).expect("it follows");
    let bytes = block.to_bytes();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        assert!(solo.verify(&flipped).is_err(), "byte {place}");
    }
    assert!(solo.verify(&bytes[..bytes.len() - 1]).is_err());
    assert!(solo.verify(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_signer_that_fails_or_signs_something_else_makes_no_block() {
    let failing = |_: Draft| Err::<VerifiedItem, SignError>("locked".into());
    let error = solo(Some(Box::new(failing))).propose(time_ms(1), Vec::new());
    let text = error.expect_err("not signed").to_string();
    assert!(text.contains("locked"), "{text}");

    let error = solo(signer_with(1)).propose(time_ms(1), Vec::new());
    let flaw = |error| matches!(error, ProposeError::Signed(BlockFlaw::Proposer { .. }));
    assert!(error.is_err_and(flaw));

    let other = |_: Draft| Ok::<VerifiedItem, SignError>(genesis());
    let error = solo(Some(Box::new(other))).propose(time_ms(1), Vec::new());
    let flaw = |error| matches!(error, ProposeError::Signed(BlockFlaw::Header(_)));
    assert!(error.is_err_and(flaw));
}
