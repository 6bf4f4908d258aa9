//! Licence tags: the canonical tags of what is read are read as the same terms,
//! under the same id. The input has a tag a line, as `Name: value`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use licensing::Terms;
use protocol::Amount;
use protocol::ans104::Tag;
use protocol::record::{AssetKind, Grant};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // An empty line parts two lists.
    let (first, second) = text.split_once("\n\n").unwrap_or((text, ""));
    let Ok(terms) = Terms::parse(&tags(first)) else {
        return;
    };
    let other = Terms::parse(&tags(second)).ok();
    for kind in [AssetKind::Model, AssetKind::DataSet] {
        assert!(terms.loosens(&terms, kind), "terms loosen themselves");
        if let Some(other) = &other
            && terms.loosens(other, kind)
            && other.loosens(&terms, kind)
        {
            let sells = |terms: &Terms| Grant::ALL.map(|grant| terms.quote(grant).is_ok());
            assert_eq!(sells(&terms), sells(other), "neither grants more");
        }
    }
    let canonical = terms.to_tags();
    let again = Terms::parse(&canonical).expect("canonical tags are read");
    assert_eq!(again, terms);
    assert_eq!(again.id(), terms.id());
    let bytes = borsh::to_vec(&terms).expect("memory takes every write");
    assert_eq!(borsh::from_slice::<Terms>(&bytes).ok(), Some(terms.clone()));
    assert!(!terms.sentences().is_empty());
    for grant in Grant::ALL {
        if let Ok(quote) = terms.quote(grant) {
            let total = quote.total(quote.months_max, Amount::ZERO);
            assert!(total.is_ok(), "the most that is sold is sold");
        }
    }
});

fn tags(text: &str) -> Vec<Tag> {
    text.lines()
        .take(128)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| Tag::new(name, value))
        .collect()
}
