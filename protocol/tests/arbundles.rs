//! Items and bundles of the public package arbundles, stored by
//! tests/interop/arbundles/run.sh --update, are read and written to the byte.

use std::collections::BTreeSet;

use protocol::Digest;
use protocol::ans104::bundle;
use sha2::Digest as _;

mod vector;

const STORED: &str = include_str!("vectors/arbundles.json");

fn stored() -> vector::File {
    serde_json::from_str(STORED).expect("the stored vectors are in their form")
}

#[test]
fn their_items_are_read_and_written_to_the_byte() {
    let file = stored();
    assert!(file.items.len() >= 48, "{} items", file.items.len());
    for case in &file.items {
        if let Err(flaw) = case.check() {
            panic!("{}: {flaw}", case.name);
        }
    }
}

#[test]
fn the_stored_items_have_every_shape() {
    let items = stored().items;
    let has = |shape: &dyn Fn(&vector::Case) -> bool| items.iter().any(shape);
    for (target, anchor) in [(false, false), (false, true), (true, false), (true, true)] {
        assert!(has(&|case| {
            (case.target.is_some(), case.anchor.is_some()) == (target, anchor)
        }));
    }
    let counts: BTreeSet<_> = items.iter().map(|case| case.tags.len()).collect();
    assert!(counts.is_superset(&[0, 1, 2, 63, 64, 128].into()));
    let lengths: BTreeSet<_> = items.iter().map(|case| case.data_len).collect();
    assert!(lengths.is_superset(&[0, 1, 65_535, 65_536, 102_400].into()));
    assert!(has(&|case| case
        .tags
        .iter()
        .any(|tag| !tag.value.is_ascii())));
}

#[test]
fn their_bundle_is_written_to_the_byte() {
    let file = stored();
    let items: Vec<_> = file
        .items
        .iter()
        .map(|case| case.check().expect("the test above holds"))
        .collect();
    let bytes = bundle::encode(&items);
    assert_eq!(bytes.len(), file.bundle.size_bytes);
    let found = Digest(sha2::Sha256::digest(&bytes).into());
    assert_eq!(found, file.bundle.sha256);
    let read = bundle::decode(&bytes).expect("the bundle reads back");
    assert_eq!(read, items);
}

#[test]
fn loose_forms_are_refused_by_name_though_their_signatures_hold() {
    let loose = stored().loose;
    let accepted = loose.iter().filter(|case| case.accepted_there).count();
    assert!(accepted >= 18, "they take {accepted} of {}", loose.len());
    for case in &loose {
        if let Err(flaw) = case.check() {
            panic!("{}: {flaw}", case.name);
        }
    }
}
