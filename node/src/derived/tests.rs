use super::*;
use crate::testing::told;

#[test]
fn a_stamp_reads_back_and_nothing_else_does() {
    let stamp = Stamp {
        height: 7,
        id: ItemId([1; 32]),
        root: Digest([2; 32]),
    };
    let bytes = stamp.encode();
    assert_eq!(bytes.len(), STAMP_BYTES);
    assert_eq!(Stamp::decode(&bytes), Some(stamp));
    assert_eq!(Stamp::decode(&bytes[1..]), None);
    assert_eq!(Stamp::decode(&[&bytes[..], &[0]].concat()), None);
}

#[test]
fn what_fails_around_a_database_says_nothing_about_it() {
    let of_io = |error: io::Error| DerivedError::of_io("writing", &error).is_outside();
    for kind in [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::ReadOnlyFilesystem,
    ] {
        assert!(of_io(kind.into()), "{kind}");
        let sled = sled::Error::Io(kind.into());
        assert!(DerivedError::of_sled("writing", &sled).is_outside());
    }
    if cfg!(unix) {
        assert!(of_io(io::Error::from_raw_os_error(24)));
    }
    assert!(!of_io(io::ErrorKind::InvalidData.into()));
    assert!(!DerivedError::new("its root is another").is_outside());
}

#[test]
fn a_panic_inside_the_library_is_an_error_and_ends_its_use() {
    let dir = tempfile::tempdir().expect("a folder");
    let chain = told(dir.path(), 1);
    let stamp = Stamp {
        height: 1,
        id: chain.tip().id,
        root: chain.tip().state_root,
    };
    let path = dir.path().join("other");
    let mut derived = Derived::fill(&path, &stamp, chain.state()).expect("filled");
    let (found, state) = derived.read().expect("it reads back");
    assert_eq!((found, state.root()), (stamp, stamp.root));
    let error = derived.guard("testing", |_| -> sled::Result<()> { panic!("as it may") });
    let text = error.expect_err("it panicked").to_string();
    assert_eq!(text, "testing failed: the library panicked: as it may");
    let error = derived.read().map(|_| ()).expect_err("no more use");
    assert!(error.to_string().contains("failed before"), "{error}");
}

#[test]
fn entries_and_stamp_must_agree() {
    let dir = tempfile::tempdir().expect("a folder");
    let chain = told(dir.path(), 1);
    let good = Stamp {
        height: 1,
        id: chain.tip().id,
        root: chain.tip().state_root,
    };
    let cases = [
        (
            Stamp { height: 2, ..good },
            "its entries are of block 1, and it says 2",
        ),
        (
            Stamp {
                root: Digest([0; 32]),
                ..good
            },
            "its entries have the root",
        ),
    ];
    for (place, (stamp, reason)) in cases.into_iter().enumerate() {
        let path = dir.path().join(place.to_string());
        drop(Derived::fill(&path, &stamp, chain.state()).expect("filled"));
        let error = Derived::load(&path).map(|_| ()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
    let path = dir.path().join("empty");
    drop(Derived::open_db(&path).expect("it opens"));
    let error = Derived::load(&path).map(|_| ()).expect_err("empty");
    assert!(error.to_string().contains("at which block"), "{error}");
}
